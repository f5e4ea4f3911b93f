//! What rustc says, as text.
//!
//! ```text
//! error[E0308]: mismatched types
//!  --> src/lib.rs:6:18
//! …                                 up to a blank line
//!
//! src/lib.rs:6:18: error[E0308]: mismatched types: expected `u32`, found `&str`   (`--message-format short`)
//! ```
//!
//! Reads text; the JSON form is read by the cargo runner.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::bounded;
use crate::trace::places::Places;

/// At most so many errors of one log: what follows the first few is most
/// often their consequence.
pub const ERROR_LIMIT: usize = 20;

static ERROR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^error(?:\[(E\d+)\])?: (.+)$").expect("the pattern is valid"));
static ARROW: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*--> (.+?):(\d+):\d+$").expect("the pattern is valid"));
static SHORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\S.*?):(\d+):\d+: (error(?:\[(E\d+)\])?: .+)$").expect("the pattern is valid"));
static EXPECTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"expected ([^,]+?), found (.+)$").expect("the pattern is valid"));

/// A compile error by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `E0308`; `None` for errors without a number.
    pub code: Option<String>,
    /// `error[E0308]: mismatched types: expected …`.
    pub message: String,
    /// What stands at the place: ``expected `u32`, found `&str` ``.
    pub label: Option<String>,
    /// File as written and line, 1-based.
    pub place: Option<(String, u32)>,
    /// As rustc shows it to people.
    pub rendered: String,
}

/// The distinct errors as failures, at most [`ERROR_LIMIT`]. The same error
/// comes once for each target that holds the file.
pub fn of_diagnostics(
    diagnostics: impl IntoIterator<Item = Diagnostic>,
    places: &Places,
    near: &RelPath,
) -> Vec<Failure> {
    let mut seen = HashSet::new();
    let mut ids: HashSet<String> = HashSet::new();
    let mut failures = Vec::new();
    for diagnostic in diagnostics {
        if !seen.insert((diagnostic.message.clone(), diagnostic.place.clone())) {
            continue;
        }
        if failures.len() == ERROR_LIMIT {
            break;
        }
        let id = name(&diagnostic, &mut ids);
        failures.push(of_diagnostic(id, diagnostic, places, near));
    }
    failures
}

/// `error[E0308] in src/lib.rs`; from the second on with its number.
fn name(diagnostic: &Diagnostic, taken: &mut HashSet<String>) -> String {
    // The brackets keep it apart from every test's id.
    let code = diagnostic.code.as_deref().unwrap_or("build");
    let base = match &diagnostic.place {
        Some((file, _)) => format!("error[{code}] in {file}"),
        None => format!("error[{code}]"),
    };
    let mut id = base.clone();
    let mut number = 1;
    while !taken.insert(id.clone()) {
        number += 1;
        id = format!("{base} #{number}");
    }
    id
}

fn of_diagnostic(id: String, diagnostic: Diagnostic, places: &Places, near: &RelPath) -> Failure {
    let label = diagnostic.label.as_deref().unwrap_or(&diagnostic.message);
    let found = EXPECTED.captures(label.lines().next().unwrap_or_default());
    let part = |index: usize| found.as_ref().map(|found| found[index].trim_matches('`').to_owned());
    let (expected, actual) = (part(1), part(2));
    let frames = diagnostic.place.map(|(written, line)| {
        let path = places.locate(&written, near);
        Frame { path, written, line: Some(line), symbol: None }
    });
    Failure {
        id,
        kind: Kind::CompileError,
        message: diagnostic.message,
        expected,
        actual,
        locals: Vec::new(),
        frames: frames.into_iter().collect(),
        output: bounded(diagnostic.rendered.trim_end()),
    }
}

/// The compile errors in a text.
pub fn failures(text: &str, places: &Places, near: &RelPath) -> Vec<Failure> {
    let lines: Vec<&str> = text.lines().collect();
    of_diagnostics((0..lines.len()).filter_map(|at| diagnostic(&lines, at)), places, near)
}

fn diagnostic(lines: &[&str], at: usize) -> Option<Diagnostic> {
    let line = lines[at];
    if !line.contains("error") {
        return None;
    }
    if let Some(found) = SHORT.captures(line) {
        return Some(Diagnostic {
            code: found.get(4).map(|code| code.as_str().to_owned()),
            message: found[3].to_owned(),
            label: None,
            place: Some((found[1].to_owned(), found[2].parse().ok()?)),
            rendered: line.to_owned(),
        });
    }
    let found = ERROR.captures(line)?;
    let code = found.get(1).map(|code| code.as_str().to_owned());
    let begins_next = |line: &str| line.is_empty() || line.starts_with("error") || line.starts_with("warning: ");
    let below = lines[at + 1..].iter().copied().take(200).take_while(|line| !begins_next(line.trim_end()));
    let body: Vec<&str> = std::iter::once(line).chain(below).collect();
    let place = body.iter().skip(1).find_map(|line| ARROW.captures(line));
    // `error: could not compile …`, `error: test failed …` are cargo's own.
    if place.is_none() && code.is_none() {
        return None;
    }
    let place = place.and_then(|found| Some((found[1].to_owned(), found[2].parse().ok()?)));
    let label = body.iter().find_map(|line| EXPECTED.find(line)).map(|found| found.as_str().to_owned());
    Some(Diagnostic { code, message: line.to_owned(), label, place, rendered: body.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_and_found_is_read_from_the_label() {
        let text = include_str!("../../../fixtures/logs/rustc/cargo_test_compile_error.txt");
        let places = Places::new(Vec::new(), RelPath::new("src/lib.rs"));
        let failures = failures(text, &places, &RelPath::root());
        let mismatch = failures.iter().find(|failure| failure.id == "error[E0308] in src/lib.rs").expect("the error");
        assert_eq!((mismatch.expected.as_deref(), mismatch.actual.as_deref()), (Some("u32"), Some("&str")));
        assert_eq!(mismatch.frames[0].line, Some(6));
        assert!(failures.iter().any(|failure| failure.id == "error[E0308] in src/lib.rs #2"));
    }

    #[test]
    fn a_flood_of_errors_is_bounded() {
        let text: String = (1..100).map(|line| format!("error: no\n --> src/lib.rs:{line}:1\n\n")).collect();
        assert_eq!(failures(&text, &Places::default(), &RelPath::root()).len(), ERROR_LIMIT);
    }
}
