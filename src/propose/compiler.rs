//! The compiler's own suggestions: each alone, those of one message together,
//! and all that fit together.
//!
//! Suggestions of every applicability are taken: the gates make the unsafe ones
//! safe (rustc's book, "JSON output": `suggestion_applicability`).

use std::collections::HashSet;

use super::Candidate;
use super::Origin;
use super::open_to_change;
use super::touches_test;
use crate::language;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::runner::Suggestion;
use crate::source::RelPath;

/// Suggestions looked at; more come only from a broken dependency.
const LIMIT: usize = 100;

/// The candidates that `suggestions` make. Suggestions for tests, for files of
/// an unknown language or for bytes that are not there are left out.
pub fn propose(read: &dyn Fn(&RelPath) -> Option<String>, suggestions: &[Suggestion]) -> Vec<Candidate> {
    let mut usable: Vec<&Suggestion> = Vec::new();
    for suggestion in suggestions.iter().take(LIMIT) {
        if !usable.contains(&suggestion) && is_usable(read, suggestion) {
            usable.push(suggestion);
        }
    }
    let mut groups: Vec<(Vec<&Suggestion>, f64)> = Vec::new();
    if usable.len() > 1 {
        groups.push((usable.clone(), 0.95));
    }
    let mut messages: Vec<&str> = Vec::new();
    for suggestion in &usable {
        if !messages.contains(&suggestion.message.as_str()) {
            messages.push(&suggestion.message);
        }
    }
    for message in messages {
        let group: Vec<&Suggestion> = usable.iter().copied().filter(|other| other.message == message).collect();
        groups.push((group, 0.9));
    }
    groups.extend(usable.iter().map(|suggestion| (vec![*suggestion], 0.85)));
    let mut seen = HashSet::new();
    let mut candidates = Vec::new();
    for (group, prior) in groups {
        let Some((patch, used)) = patch_of(read, &group) else { continue };
        if patch.is_empty() || !seen.insert(patch.digest()) {
            continue;
        }
        candidates.push(Candidate {
            id: format!("s{}", candidates.len() + 1),
            origin: Origin { kind: "compiler".to_owned(), name: "suggestion".to_owned() },
            patch,
            explanation: explain(&used),
            prior,
        });
    }
    candidates
}

fn is_usable(read: &dyn Fn(&RelPath) -> Option<String>, suggestion: &Suggestion) -> bool {
    let (Some(language), Some(text)) = (open_to_change(&suggestion.path), read(&suggestion.path)) else { return false };
    let there = suggestion.bytes.start <= suggestion.bytes.end && text.get(suggestion.bytes.clone()).is_some();
    there && !touches_test(&language::parse(language, &text), &suggestion.bytes)
}

/// The patch of all suggestions that do not overlap an earlier one, and which
/// those are.
fn patch_of<'a>(
    read: &dyn Fn(&RelPath) -> Option<String>,
    group: &[&'a Suggestion],
) -> Option<(Patch, Vec<&'a Suggestion>)> {
    let mut used: Vec<&Suggestion> = Vec::new();
    for suggestion in group {
        let clashes = used.iter().any(|other| {
            other.path == suggestion.path
                && (other.bytes.start < suggestion.bytes.end && suggestion.bytes.start < other.bytes.end
                    || other.bytes.start == suggestion.bytes.start)
        });
        if !clashes {
            used.push(suggestion);
        }
    }
    let mut paths: Vec<&RelPath> = used.iter().map(|suggestion| &suggestion.path).collect();
    paths.sort();
    paths.dedup();
    let mut changes = Vec::new();
    for path in paths {
        let before = read(path)?;
        let mut edits: Vec<&&Suggestion> = used.iter().filter(|suggestion| suggestion.path == *path).collect();
        edits.sort_by_key(|suggestion| std::cmp::Reverse(suggestion.bytes.start));
        let mut after = before.clone();
        for edit in edits {
            // From the last to the first, so that earlier bytes stay where
            // they are.
            after.get(edit.bytes.clone())?;
            after.replace_range(edit.bytes.clone(), &edit.replacement);
        }
        changes.push(FileChange { path: path.clone(), before: Some(before), after: Some(after) });
    }
    Some((Patch::new(changes), used))
}

fn explain(used: &[&Suggestion]) -> String {
    let mut messages: Vec<&str> = used.iter().map(|suggestion| suggestion.message.trim()).collect();
    messages.dedup();
    match messages.as_slice() {
        [one] => format!("the compiler suggests: {one}"),
        many => format!(
            "the compiler suggests {} changes: {}",
            used.len(),
            many.iter().take(3).copied().collect::<Vec<_>>().join("; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn suggestion(path: &str, bytes: std::ops::Range<usize>, replacement: &str, message: &str) -> Suggestion {
        let path = RelPath::new(path).expect("path");
        Suggestion { path, bytes, replacement: replacement.into(), message: message.into() }
    }

    const TEXT: &str = "fn f(x: &str) -> String {\n    x\n}\n#[cfg(test)]\nmod t { fn g() { h() } }\n";

    fn after(candidates: &[Candidate]) -> Vec<&str> {
        candidates.iter().filter_map(|candidate| candidate.patch.changes()[0].after.as_deref()).collect()
    }

    #[test]
    fn suggestions_are_tried_together_by_message_and_alone() {
        let read = |_: &RelPath| Some("abcdef".to_owned());
        let all = [
            suggestion("src/a.rs", 0..1, "A", "one"),
            suggestion("src/a.rs", 2..3, "C", "one"),
            suggestion("src/a.rs", 4..5, "E", "two"),
        ];
        assert_eq!(after(&propose(&read, &all)), ["AbCdEf", "AbCdef", "abcdEf", "Abcdef", "abCdef"]);
    }

    #[test]
    fn alternatives_for_one_place_are_never_mixed() {
        let read = |_: &RelPath| Some(TEXT.to_owned());
        let all = [
            suggestion("src/a.rs", 31..31, ".to_string()", "try using a conversion method"),
            suggestion("src/a.rs", 31..31, ".into()", "try using a conversion method"),
        ];
        let candidates = propose(&read, &all);
        assert_eq!(candidates.len(), 2);
        assert!(after(&candidates)[0].contains("    x.to_string()\n"));
        assert!(after(&candidates)[1].contains("    x.into()\n"));
    }

    #[test]
    fn tests_and_bytes_that_are_not_there_are_left_out() {
        let read = |_: &RelPath| Some(TEXT.to_owned());
        let inside_test = TEXT.find("h()").expect("call");
        for refused in [
            suggestion("src/a.rs", inside_test..inside_test + 1, "k", "a test"),
            suggestion("tests/a.rs", 0..1, "k", "a test file"),
            suggestion("build.rs", 0..1, "k", "the build"),
            suggestion("src/a.rs", 9000..9001, "k", "not there"),
            suggestion("Cargo.toml", 0..1, "k", "no source"),
        ] {
            assert_eq!(propose(&read, std::slice::from_ref(&refused)), [], "{}", refused.message);
        }
    }
}
