//! The change that broke the test, taken back: single hunks at suspects, pairs
//! of them, all of them.
//!
//! Compares two texts it is given; never asks git. The old code passes the old
//! tests by nature, so what a revert takes away with the fault goes unseen:
//! whoever takes back a change may delete what it brought. So nothing that is
//! defined now may be gone after, what only takes lines out comes last, and
//! small comes before large.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use similar::DiffTag;
use similar::TextDiff;

use super::Candidate;
use super::Origin;
use super::open_to_change;
use super::touches_test;
use crate::diagnose::Diagnosis;
use crate::language;
use crate::language::Parsed;
use crate::patch::Patch;
use crate::source::Lines;
use crate::source::RelPath;

/// Hunks of one file that are tried alone.
const HUNK_LIMIT: usize = 30;

/// Pairs of hunks of one file that are tried.
const PAIR_LIMIT: usize = 20;

/// Suspicion of a hunk outside every suspect. Alone it is not taken back.
const UNSUSPECTED: f64 = 0.1;

/// What a revert counts that takes lines out and brings none back: most often
/// a feature, and not the fault.
const ONLY_DELETES: f64 = 0.2;

/// Lines by which the weight of a revert halves.
const HALVING: f64 = 12.0;

/// A hunk between the old and the new text.
struct Hunk {
    old: Range<usize>,
    new: Range<usize>,
    score: f64,
}

/// The candidates that take recent changes back; `read` gives the text now,
/// `old` the text before, `recent` the files with recent changes and the lines
/// (now) that changed: hunks elsewhere are older and left alone. An empty list
/// of lines means the whole file. `change` names it (``commit 1a2b3c4 (`fix
/// the cart`)``).
pub fn propose(
    read: &dyn Fn(&RelPath) -> Option<String>,
    old: &dyn Fn(&RelPath) -> Option<String>,
    recent: &[(RelPath, Vec<Lines>)],
    diagnosis: &Diagnosis,
    change: &str,
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut seen = HashSet::new();
    let mut whole = Patch::default();
    let mut files = 0;
    for (path, lines) in recent {
        let Some(language) = open_to_change(path) else { continue };
        let (Some(now), Some(before)) = (read(path), old(path)) else { continue };
        let parsed = language::parse(language, &now);
        let hunks = hunks(&parsed, &before, path, lines, diagnosis);
        if hunks.iter().all(|hunk| hunk.score <= UNSUSPECTED) {
            continue;
        }
        let defined = definitions(&parsed);
        for (set, prior) in sets(&hunks) {
            let chosen: Vec<&Hunk> = set.iter().map(|at| &hunks[*at]).collect();
            let after = taken_back(&now, &before, &chosen);
            let patch = Patch::of_file(path.clone(), now.as_str(), after.as_str());
            let then = language::parse(language, &after);
            let broken = then.errors() > parsed.errors() || !defined.is_subset(&definitions(&then));
            if set.len() == hunks.len() && !broken {
                whole = whole.joined(&patch).unwrap_or(whole);
                files += 1;
            }
            if !broken && !patch.is_empty() && seen.insert(patch.digest()) {
                let prior = prior * weight(&patch);
                candidates.push(candidate(patch, explain(path, &now, &chosen, hunks.len(), change), prior));
            }
        }
    }
    if files > 1 && seen.insert(whole.digest()) {
        let explanation = format!("{change} broke it: its changes of {files} files are taken back together");
        let prior = 0.3 * weight(&whole);
        candidates.push(candidate(whole, explanation, prior));
    }
    candidates.sort_by(|one, other| other.prior.total_cmp(&one.prior));
    for (at, candidate) in candidates.iter_mut().enumerate() {
        candidate.id = format!("v{}", at + 1);
    }
    candidates
}

fn candidate(patch: Patch, explanation: String, prior: f64) -> Candidate {
    let origin = Origin { kind: "revert".to_owned(), name: "recent-change".to_owned() };
    Candidate { id: String::new(), origin, patch, explanation, prior }
}

/// How a revert counts by its size and by what it takes away.
fn weight(patch: &Patch) -> f64 {
    let (added, removed) = patch.size();
    let loss = if added == 0 { ONLY_DELETES } else { 1.0 };
    loss / (1.0 + (added + removed) as f64 / HALVING)
}

/// Everything with a name of its own that the text defines: functions, types,
/// constants, and the variants and fields of types.
fn definitions(parsed: &Parsed) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = parsed
        .definitions()
        .into_iter()
        .map(|definition| format!("{}({})", definition.qualified, definition.parameters.join(", ")))
        .collect();
    language::walk(parsed.tree.root_node(), &mut |node| {
        if matches!(node.kind(), "enum_variant" | "field_declaration")
            && let Some(name) = node.child_by_field_name("name")
        {
            found.insert(parsed.text_of(name).to_owned());
        }
        true
    });
    found
}

/// The hunks in the recent lines that are no tests, each with how suspect it
/// is.
fn hunks(parsed: &Parsed, before: &str, path: &RelPath, recent: &[Lines], diagnosis: &Diagnosis) -> Vec<Hunk> {
    let now = &*parsed.text;
    // A hostile pair of texts costs a coarser diff, not minutes.
    let (old, new) = (lines_in(before), lines_in(now));
    let diff = TextDiff::configure().timeout(Duration::from_secs(1)).diff_slices(&old, &new);
    let starts: Vec<usize> = std::iter::once(0).chain(now.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let byte_of = |line: usize| starts.get(line).copied().unwrap_or(now.len());
    let mut found: Vec<Hunk> = Vec::new();
    for op in diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal) {
        let (old, new) = (op.old_range(), op.new_range());
        match found.last_mut() {
            Some(last) if last.old.end == old.start && last.new.end == new.start => {
                last.old.end = old.end;
                last.new.end = new.end;
            }
            _ => found.push(Hunk { old, new, score: 0.0 }),
        }
    }
    found.retain_mut(|hunk| {
        let lines = lines_of(hunk);
        let is_recent = recent.is_empty() || recent.iter().any(|recent| recent.overlaps(&lines));
        let bytes = byte_of(hunk.new.start)..byte_of(hunk.new.end);
        hunk.score = suspicion(path, lines, diagnosis);
        is_recent && !touches_test(parsed, &bytes)
    });
    found
}

/// The lines with their ends. Only `\n` ends a line here, as in tree-sitter's
/// positions and in spans of lines.
fn lines_in(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The lines now, 1-based; the line before where the hunk only took lines out.
fn lines_of(hunk: &Hunk) -> Lines {
    if hunk.new.is_empty() {
        Lines::new((hunk.new.start as u32).max(1), hunk.new.start as u32 + 1)
    } else {
        Lines::new(hunk.new.start as u32 + 1, hunk.new.end as u32)
    }
}

fn suspicion(path: &RelPath, lines: Lines, diagnosis: &Diagnosis) -> f64 {
    let here = diagnosis.suspects.iter().filter(|suspect| suspect.path == *path && suspect.lines.overlaps(&lines));
    here.map(|suspect| {
        let hot = suspect.hot.iter().any(|(line, weight)| lines.contains(*line) && *weight > 0.5);
        suspect.score * if hot { 1.0 } else { 0.8 }
    })
    .fold(UNSUSPECTED, f64::max)
}

/// Which hunks are taken back together, with priors: each alone, all, pairs.
fn sets(hunks: &[Hunk]) -> Vec<(Vec<usize>, f64)> {
    let mut order: Vec<usize> = (0..hunks.len()).filter(|at| hunks[*at].score > UNSUSPECTED).collect();
    order.sort_by(|one, other| hunks[*other].score.total_cmp(&hunks[*one].score));
    order.truncate(HUNK_LIMIT);
    let mut sets: Vec<(Vec<usize>, f64)> = order.iter().map(|at| (vec![*at], 0.9 * hunks[*at].score)).collect();
    let highest = order.first().map_or(0.0, |at| hunks[*at].score);
    sets.push(((0..hunks.len()).collect(), 0.7 * highest));
    let mut pairs = Vec::new();
    for (rank, one) in order.iter().enumerate() {
        for other in &order[rank + 1..] {
            pairs.push((vec![*one.min(other), *one.max(other)], 0.5 * (hunks[*one].score + hunks[*other].score) / 2.0));
        }
    }
    pairs.sort_by(|one, other| other.1.total_cmp(&one.1));
    sets.extend(pairs.into_iter().take(PAIR_LIMIT));
    sets
}

/// The text now with the chosen hunks as they were before.
fn taken_back(now: &str, before: &str, chosen: &[&Hunk]) -> String {
    let (new, old) = (lines_in(now), lines_in(before));
    let mut out = String::with_capacity(now.len() + before.len() / 4);
    let mut at = 0;
    for hunk in chosen {
        out.extend(new[at..hunk.new.start].iter().copied());
        out.extend(old[hunk.old.clone()].iter().copied());
        at = hunk.new.end;
    }
    out.extend(new[at..].iter().copied());
    out
}

fn explain(path: &RelPath, now: &str, chosen: &[&Hunk], of: usize, change: &str) -> String {
    let places: Vec<String> = chosen
        .iter()
        .take(4)
        .map(|hunk| {
            let lines = lines_of(hunk);
            let first = now.lines().nth(lines.start as usize - 1).unwrap_or_default().trim();
            format!("line {} (`{}`)", lines.start, first.chars().take(60).collect::<String>())
        })
        .collect();
    let what = match chosen.len() {
        all if all == of && of > 1 => format!("all {of} of its changes of {path} are"),
        1 => format!("its change of {path} is"),
        some => format!("{some} of its changes of {path} are"),
    };
    format!("{change} broke it: {what} taken back at {}", places.join(", "))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::propose::rules::tests::diagnosis_of;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("path")
    }

    const OLD: &str = "def f(a):\n    return a + 1\n\n\ndef g(b):\n    return b * 2\n\n\ndef h(c):\n    return c\n";
    const NOW: &str = "def f(a):\n    return a + 2\n\n\ndef g(b):\n    return b * 3\n\n\ndef h(c):\n    return c\n";

    #[test]
    fn the_suspect_hunk_is_taken_back_alone_and_then_all_together() {
        let diagnosis = diagnosis_of("a.py", NOW, "g");
        let read = |_: &RelPath| Some(NOW.to_owned());
        let old = |_: &RelPath| Some(OLD.to_owned());
        let candidates = propose(&read, &old, &[(path("a.py"), vec![])], &diagnosis, "commit 1a2b3c4 (`faster`)");
        let after: Vec<&str> =
            candidates.iter().filter_map(|candidate| candidate.patch.changes()[0].after.as_deref()).collect();
        let only_g = NOW.replace("b * 3", "b * 2");
        assert_eq!(after, [only_g.as_str(), OLD]);
        insta::assert_snapshot!(candidates[0].explanation, @"commit 1a2b3c4 (`faster`) broke it: its change of a.py is taken back at line 6 (`return b * 3`)");
    }

    #[test]
    fn hunks_outside_the_recent_lines_and_tests_are_left_alone() {
        let diagnosis = diagnosis_of("a.py", NOW, "g");
        let (read, old) = (|_: &RelPath| Some(NOW.to_owned()), |_: &RelPath| Some(OLD.to_owned()));
        let some = propose(&read, &old, &[(path("a.py"), vec![Lines::new(6, 6)])], &diagnosis, "it");
        assert_eq!(some.len(), 1);
        assert_eq!(propose(&read, &old, &[(path("tests/test_a.py"), vec![])], &diagnosis, "it"), []);
        let rust = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { assert!(true) }\n}\n";
        let (read, old) = (|_: &RelPath| Some(rust.to_owned()), |_: &RelPath| Some(rust.replace("true", "1 == 1")));
        assert_eq!(propose(&read, &old, &[(path("src/a.rs"), vec![])], &diagnosis, "it"), []);
    }

    #[test]
    fn a_new_file_and_a_file_that_is_the_same_have_nothing_to_take_back() {
        let diagnosis = diagnosis_of("a.py", NOW, "g");
        let read = |_: &RelPath| Some(NOW.to_owned());
        for old in [None, Some(NOW.to_owned())] {
            assert_eq!(propose(&read, &|_| old.clone(), &[(path("a.py"), vec![])], &diagnosis, "it"), []);
        }
    }

    #[test]
    fn a_lone_carriage_return_ends_no_line() {
        let (now, old) = ("a = 'x\ry'\nb = 2\r\n", "a = 'x\ry'\nb = 1\r\n");
        let diagnosis = diagnosis_of("a.py", now, "");
        let candidates =
            propose(&|_| Some(now.to_owned()), &|_| Some(old.to_owned()), &[(path("a.py"), vec![])], &diagnosis, "it");
        assert_eq!(candidates.len(), 1);
        assert_eq!(candidates[0].patch.changes()[0].after.as_deref(), Some(old));
    }

    #[test]
    fn what_is_defined_now_is_never_gone_after() {
        for (name, now, old) in [
            ("a.py", "def g(b):\n    return b * 3\n\n\ndef h(c):\n    return c\n", "def g(b):\n    return b * 2\n"),
            ("a.py", "def g(b, c=1):\n    return b * 3\n", "def g(b):\n    return b * 2\n"),
            ("a.py", "LIMIT = 3\n\n\ndef g(b):\n    return b * LIMIT\n", "def g(b):\n    return b * 3\n"),
            ("a.rs", "enum E {\n    A,\n    B,\n}\nfn g() {}\n", "enum E {\n    A,\n}\nfn g() {}\n"),
            ("a.rs", "struct S {\n    a: u8,\n    b: u8,\n}\nfn g() {}\n", "struct S {\n    a: u8,\n}\nfn g() {}\n"),
        ] {
            let mut diagnosis = diagnosis_of(name, now, "");
            diagnosis.suspects[0].symbol = "g".to_owned();
            let (read, old) = (|_: &RelPath| Some(now.to_owned()), |_: &RelPath| Some(old.to_owned()));
            for candidate in propose(&read, &old, &[(path(name), vec![])], &diagnosis, "it") {
                let after = candidate.patch.changes()[0].after.as_deref().expect("text");
                let language = language::of_path(&path(name)).expect("a language");
                let gone: Vec<String> = definitions(&language::parse(language, now))
                    .difference(&definitions(&language::parse(language, after)))
                    .cloned()
                    .collect();
                assert_eq!(gone, Vec::<String>::new(), "{after}");
            }
        }
    }

    #[test]
    fn small_comes_before_large_and_a_mere_deletion_last() {
        let old = "def g(b):\n    c = b\n    return c * 2\n";
        let now = "def g(b):\n    if b is None:\n        return 0\n    c = b\n    return c * 3\n";
        let diagnosis = diagnosis_of("a.py", now, "g");
        let (read, before) = (|_: &RelPath| Some(now.to_owned()), |_: &RelPath| Some(old.to_owned()));
        let candidates = propose(&read, &before, &[(path("a.py"), vec![])], &diagnosis, "it");
        let after: Vec<&str> =
            candidates.iter().filter_map(|candidate| candidate.patch.changes()[0].after.as_deref()).collect();
        let only_guard = "def g(b):\n    c = b\n    return c * 3\n";
        assert_eq!(after, [now.replace("* 3", "* 2").as_str(), old, only_guard]);
    }

    #[test]
    fn pairs_of_hunks_are_bounded() {
        let now: String = (0..60).map(|n| format!("x{n} = {n}\n\n\n")).collect();
        let old: String = (0..60).map(|n| format!("x{n} = {}\n\n\n", n + 1)).collect();
        let diagnosis = diagnosis_of("a.py", &now, "");
        let candidates = propose(
            &|_: &RelPath| Some(now.clone()),
            &|_: &RelPath| Some(old.clone()),
            &[(path("a.py"), vec![])],
            &diagnosis,
            "it",
        );
        assert_eq!(candidates.len(), HUNK_LIMIT + 1 + PAIR_LIMIT);
    }
}
