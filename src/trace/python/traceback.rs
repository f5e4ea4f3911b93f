//! CPython's own tracebacks, 3.8 to 3.13.
//!
//! ```text
//! Traceback (most recent call last):
//!   File "/x/app.py", line 9, in get           outermost first
//!     return self.values[key]                  source, indented by four or more
//!            ^^^^^^^^^^^^^^^^                  since 3.11; `...<3 lines>...` since 3.13
//!   [Previous line repeated 994 more times]
//! KeyError: 'a'                                then the rest of its text and its notes
//!
//! During handling of the above exception, another exception occurred:
//! ```
//!
//! The first block of a chain is the root cause. Of an exception group the
//! first sub-exception is followed. Reads text; never judges it.

use std::sync::LazyLock;

use regex::Regex;

use super::raised::Place;
use super::raised::Raised;

const HEADER: &str = "Traceback (most recent call last):";
const GROUP: &str = "Exception Group Traceback (most recent call last):";
/// Lines of a message that are kept.
const MESSAGE_LINES: usize = 60;
/// A header's line may carry at most this much before the word, in bytes
/// (`INTERNALERROR> `, `web-1  | `).
const PREFIX_LIMIT: usize = 200;

static FILE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\s*File "([^"]+)", line (\d+)(?:,? in (.+))?$"#).expect("the pattern is valid"));
static TYPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z_][\w.<>]*(?::(?: .*)?)?$").expect("the pattern is valid"));
static SYNTAX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:Syntax|Indentation|Tab)Error: ").expect("the pattern is valid"));

/// Exceptions that follow from one another.
#[derive(Debug, Default)]
pub struct Chain {
    /// The root cause first; empty where the blocks hold nothing.
    pub raised: Vec<Raised>,
    /// The line after its last, 0-based.
    pub end: usize,
}

/// The place that a line `File "x", line 3, in f` names.
pub fn place(line: &str) -> Option<Place> {
    let found = FILE.captures(line.trim_end())?;
    let symbol = found.get(3).map(|symbol| symbol.as_str().to_owned());
    Some(Place { file: found[1].to_owned(), line: found[2].parse().ok(), symbol })
}

/// Whether the line says that the next block follows from the one before.
pub fn is_connector(line: &str) -> bool {
    let line = line.trim();
    line == "The above exception was the direct cause of the following exception:"
        || line == "During handling of the above exception, another exception occurred:"
}

/// Whether a traceback begins at this line.
pub fn is_header(line: &str) -> bool {
    line.trim_end().ends_with(HEADER)
}

/// Reads the chain that begins at line `at`. `whole` is for text that holds
/// nothing else: all that follows the exception's line is its text.
pub fn chain(lines: &[&str], at: usize, whole: bool) -> Option<Chain> {
    if !is_header(lines.get(at)?) {
        return bare_syntax_error(lines, at);
    }
    let mut told = Vec::new();
    let mut next = at;
    let mut end = at + 1;
    while let Some(line) = lines.get(next) {
        if line.trim_start().starts_with("+ ") && is_header(line) {
            end = group(lines, next, &mut told);
        } else if is_header(line) {
            let (block, after) = block(lines, next, if whole { Text::Whole } else { Text::Careful });
            told.extend(block);
            end = after;
        } else {
            break;
        }
        next = after_blank(lines, end);
        if !lines.get(next).is_some_and(|line| is_connector(line)) {
            break;
        }
        next = after_blank(lines, next + 1);
    }
    // A group follows from its parts, and an outer group from an inner one.
    let (groups, mut raised): (Vec<_>, Vec<_>) = told.into_iter().partition(|(is_group, _)| *is_group);
    raised.extend(groups.into_iter().rev());
    Some(Chain { raised: raised.into_iter().map(|(_, raised)| raised).collect(), end })
}

/// How far an exception's text goes on after its first line.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    /// To the end: nothing else is there.
    Whole,
    /// To the next blank line.
    Paragraph,
    /// As long as the lines look like it: a log goes on below.
    Careful,
}

/// One block; `None` where it has neither frames nor an exception.
fn block(lines: &[&str], at: usize, text: Text) -> (Option<(bool, Raised)>, usize) {
    let header = lines[at].trim_end();
    let is_group = header.ends_with(GROUP);
    let before = header.len() - if is_group { GROUP.len() } else { HEADER.len() };
    let prefix = &header[..before];
    // A logger puts its prefix before the first line only, others before all.
    let shared = prefix.len() <= PREFIX_LIMIT
        && lines.get(at + 1).is_some_and(|line| line.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("  ")));
    let prefix = if shared { prefix } else { "" };
    let bare = |line: &'_ str| -> Option<usize> {
        if line.starts_with(prefix) {
            return Some(prefix.len());
        }
        (line.trim_end() == prefix.trim_end()).then_some(line.len())
    };
    let line_at = |at: usize| lines.get(at).and_then(|line| bare(line).map(|cut| &line[cut..]));
    let mut raised = Raised::default();
    let mut next = at + 1;
    while let Some(line) = line_at(next) {
        let goes_on = line.starts_with("  ")
            || (line.trim().is_empty() && line_at(next + 1).is_some_and(|after| after.starts_with("    ")));
        if !goes_on {
            break;
        }
        if !line.starts_with("    ")
            && let Some(place) = place(line)
        {
            raised.places.push(place);
        }
        next += 1;
    }
    raised.places.reverse();
    let Some(first) = line_at(next).filter(|line| TYPE.is_match(line.trim_end())) else {
        if raised.places.is_empty() {
            return (None, next);
        }
        "an exception that the text does not name".clone_into(&mut raised.message);
        return (Some((is_group, raised)), next);
    };
    let mut message = vec![first.trim_end()];
    next += 1;
    while let Some(line) = line_at(next) {
        if is_header(line) || is_connector(line) {
            break;
        }
        let goes_on = match text {
            Text::Whole => true,
            Text::Paragraph => !line.trim().is_empty(),
            Text::Careful => message.len() < MESSAGE_LINES && belongs(line, line_at(next + 1)),
        };
        if !goes_on {
            break;
        }
        if message.len() < MESSAGE_LINES {
            message.push(line.trim_end());
        }
        next += 1;
    }
    raised.message = message.join("\n").trim_end().to_owned();
    (Some((is_group, raised)), next)
}

/// Whether a line below an exception's looks like more of its text: indented,
/// a diff, or a heading of indented lines (`name` of a pydantic error).
fn belongs(line: &str, after: Option<&str>) -> bool {
    let indented = |line: &str| line.starts_with(' ') && place(line).is_none() && !line.trim().is_empty();
    indented(line)
        || ["- ", "+ ", "? ", "[", "("].iter().any(|start| line.starts_with(start))
        || (!line.trim().is_empty() && !line.contains(' ') && after.is_some_and(|after| after.starts_with("  ")))
}

/// A group from its line `+ Exception Group Traceback`: itself, then its first
/// sub-exception's chain. Returns the line after it.
fn group(lines: &[&str], at: usize, told: &mut Vec<(bool, Raised)>) -> usize {
    let mut inner: Vec<&str> = Vec::new();
    let mut first = true;
    let mut end = at;
    while let Some(line) = lines.get(end).map(|line| line.trim_start()) {
        if end > at && line.starts_with("+ ") || !(line.starts_with('|') || line.starts_with('+')) {
            break;
        }
        if line.starts_with("+-") {
            first = first && line.trim_matches(['+', '-', ' ']) == "1";
            inner.push("");
        } else if first {
            inner.push(line.strip_prefix("| ").or_else(|| line.strip_prefix("+ ")).unwrap_or(&line[1..]));
        }
        end += 1;
    }
    let mut next = 0;
    while next < inner.len() {
        let line = inner[next];
        if is_header(line) {
            let (block, after) = block(&inner, next, Text::Paragraph);
            told.extend(block);
            next = after;
            continue;
        }
        // A sub-exception that was never raised has no traceback.
        if next > 0 && inner[next - 1].is_empty() && !is_connector(line) && TYPE.is_match(line.trim_end()) {
            told.push((false, Raised { message: line.trim_end().to_owned(), places: Vec::new() }));
        }
        next += 1;
    }
    end
}

/// What the interpreter prints of a script that it cannot compile: a place
/// without a function, source, caret and error, but no header.
fn bare_syntax_error(lines: &[&str], at: usize) -> Option<Chain> {
    let place = place(lines[at]).filter(|place| place.symbol.is_none() && lines[at].starts_with("  File "))?;
    let below = lines[at + 1..].iter().take(6).take_while(|line| line.starts_with("    ")).count();
    let message = lines.get(at + 1 + below).filter(|line| SYNTAX.is_match(line))?;
    let raised = vec![Raised { message: message.trim_end().to_owned(), places: vec![place] }];
    Some(Chain { raised, end: at + below + 2 })
}

fn after_blank(lines: &[&str], at: usize) -> usize {
    at + lines[at.min(lines.len())..].iter().take_while(|line| line.trim().is_empty()).count()
}
