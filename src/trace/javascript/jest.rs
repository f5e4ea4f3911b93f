//! jest's own report as text (30.5).
//!
//! ```text
//! report = (("FAIL" | "PASS") " " file [" (5.1 s)"]  test*)*
//! test   = "  ● " block " › " … " › " title  body
//! body   = line*                   indented by four: message, code frame, stack
//! ```
//!
//! `● Test suite failed to run` is a file that could not be loaded. `Summary of
//! all failing tests` tells each again, which counts once.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::SEPARATOR;
use super::error;
use crate::failure::Failure;
use crate::trace::ground::Ground;

static FILE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(FAIL|PASS)\s+(?:\S+ )?(\S+\.[cm]?[jt]sx?)(?: \([\d.]+ m?s(?:, .*)?\))?\s*$")
        .expect("the pattern is valid")
});

/// A block that is no failure.
const NO_FAILURE: &[&str] = &["Console", "Validation Warning", "Deprecation Warning"];

/// The failing tests of a report.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut found = Vec::new();
    let mut told = HashSet::new();
    let mut file: Option<String> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if let Some(head) = FILE.captures(line) {
            file = Some(ground.shown(&head[2]));
            continue;
        }
        let (Some(title), Some(file)) = (line.strip_prefix("  ● "), &file) else { continue };
        let end = lines[at..].iter().position(|line| ends(line)).map_or(lines.len(), |end| at + end);
        let body = &lines[at..end];
        at = end;
        if NO_FAILURE.contains(&title.trim()) {
            continue;
        }
        let thrown = error::read(body.iter().copied(), ground);
        let output = body.join("\n");
        let failure = if title.trim() == "Test suite failed to run" {
            super::not_loaded(file, thrown, &output)
        } else {
            let id = format!("{file}{SEPARATOR}{}", title.trim().replace(" › ", SEPARATOR));
            super::of_thrown(id, thrown, &output)
        };
        if told.insert(failure.id.clone()) {
            found.push(failure);
        }
    }
    found
}

/// Whether the line is the first behind a test's body.
fn ends(line: &str) -> bool {
    line.starts_with("  ● ") || !line.is_empty() && !line.starts_with(' ') || FILE.is_match(line)
}
