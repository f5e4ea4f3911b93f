//! Markers that stand for code left out: heal's own, and those that people and
//! models write (`...`, `# unchanged`).
//!
//! Tells them from code; replaces nothing.

use crate::source::Lines;

/// What heal's own marker begins and ends with. No language knows the brackets
/// outside of text.
const OPEN: &str = "\u{27e6}…";
const CLOSE: &str = "…\u{27e7}";

/// The line that stands for lines of a file that are not shown. An edit that
/// holds it is refused.
pub fn marker(lines: Lines) -> String {
    let Lines { start, end } = lines;
    format!("{OPEN} lines {start}-{end} are not shown {CLOSE}")
}

/// The first line of `text` that holds heal's own marker.
pub(super) fn marker_in(text: &str) -> Option<&str> {
    text.lines().find(|line| line.contains(OPEN) || line.contains(CLOSE)).map(str::trim)
}

/// What people and models write for code they leave out, as a whole line.
fn elision_of(line: &str) -> Option<(&str, bool)> {
    let line = line.trim();
    let comment = ["#", "//", "/*", "--", "<!--"].iter().find_map(|mark| line.strip_prefix(mark));
    let words = comment.unwrap_or(line).trim_end_matches("*/").trim_end_matches("-->").trim().to_lowercase();
    let dots = |text: &str| !text.is_empty() && (text.chars().all(|c| c == '.') && text.len() >= 3 || text == "…");
    if dots(&words) {
        return Some((line, comment.is_some()));
    }
    let around = words.trim_matches(['.', '…', ' ', '(', ')', '[', ']']);
    const PHRASES: &[&str] = &["unchanged", "existing code", "rest of", "remaining code", "same as before", "omitted"];
    let dotted = words.starts_with("...") || words.starts_with('…') || words.ends_with("...") || words.ends_with('…');
    let phrase = PHRASES.iter().any(|phrase| around.starts_with(phrase) || (dotted && around.contains(phrase)));
    (comment.is_some() && phrase && around.len() < 60).then_some((line, true))
}

/// The first elision marker of `text`.
pub(super) fn elision_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| elision_of(line).map(|(marker, _)| marker.to_owned()))
}

/// A comment in `replace` that stands for code, and is not in `search`: it
/// would delete what it stands for. A bare `...` is Python and may stay.
pub(super) fn new_elision(search: &str, replace: &str) -> Option<String> {
    let marks = replace.lines().filter_map(elision_of).filter(|(_, is_comment)| *is_comment);
    marks.map(|(marker, _)| marker.to_owned()).find(|marker| !search.contains(marker.as_str()))
}
