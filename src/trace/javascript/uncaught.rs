//! What Node prints when nothing catches an error.
//!
//! ```text
//! death = file ":" line NEWLINE source NEWLINE caret NEWLINE [NEWLINE]
//!         error NEWLINE "Node.js v20.20.2"
//! ```
//!
//! A thrown value that is no error has no stack: its place is the first line.

use std::sync::LazyLock;

use regex::Regex;

use super::error;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::trace::ground::Ground;
use crate::trace::ground::trace_id;

static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^((?:file://|node:|/|[A-Za-z]:\\|\.{1,2}/)?[^\s:]+):(\d+)$").expect("the pattern is valid")
});
static TYPED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:Uncaught )?(?:\w*Error|\w*Exception)(?: \[\w+\])?(?:: .*)?$").expect("the pattern is valid")
});

/// Lines between a death's first one and its error: the source may be long.
const SOURCE_LIMIT: usize = 8;
/// Lines of one error.
const ERROR_LIMIT: usize = 400;
/// Deaths told of one log.
const LIMIT: usize = 100;

/// The errors that ended a process, and other errors with their stack.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() && found.len() < LIMIT {
        let read = death(lines, at, ground).or_else(|| loose(lines, at, ground));
        match read {
            Some((failure, end)) => {
                found.push(failure);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

fn death(lines: &[&str], at: usize, ground: Ground<'_>) -> Option<(Failure, usize)> {
    let head = PLACE.captures(lines[at])?;
    let below = &lines[at + 1..lines.len().min(at + 1 + SOURCE_LIMIT)];
    let caret = below.iter().position(|line| line.trim_end().ends_with('^') && line.trim().chars().all(|c| c == '^'));
    // Of an end of input that was not expected there is nothing to point at.
    let typed = below.iter().position(|line| TYPED.is_match(line));
    let start = at + 1 + caret.map(|caret| caret + 1).or(typed)?;
    let start = start + lines[start..].iter().take_while(|line| line.trim().is_empty()).count();
    let end = start + lines[start..].iter().take(ERROR_LIMIT).take_while(|line| !ends(line)).count();
    if start >= end {
        return None;
    }
    let mut thrown = error::read(lines[start..end].iter().copied(), ground);
    let place = ground.frame(&head[1], head[2].parse().ok(), None);
    let loaded = thrown.frames.iter().any(|frame| frame.path.is_some());
    if !loaded {
        let required = lines[start..end].iter().find_map(|line| line.strip_prefix("- "));
        let importer = thrown.message.rsplit_once(" imported from ").map(|(_, file)| file.to_owned());
        if place.path.is_some() {
            thrown.frames.insert(0, place);
        } else if let Some(file) = importer.as_deref().or(required) {
            thrown.frames.insert(0, ground.frame(file, None, None));
        }
    }
    Some((of(thrown, loaded, &lines[at..end]), end))
}

/// An error with a stack, without the lines that a death begins with.
fn loose(lines: &[&str], at: usize, ground: Ground<'_>) -> Option<(Failure, usize)> {
    if !TYPED.is_match(lines[at]) {
        return None;
    }
    let below = lines[at + 1..].iter().take(SOURCE_LIMIT * 4);
    let stack =
        below.take_while(|line| !ends(line)).position(|line| error::is_stack(line) && line.starts_with("    at "))?;
    let stack = at + 1 + stack;
    let rest = lines[stack..].iter().take(ERROR_LIMIT);
    let end = stack + rest.take_while(|line| error::is_stack(line) || line.starts_with("  ") || **line == "}").count();
    let thrown = error::read(lines[at..end].iter().copied(), ground);
    thrown.frames.iter().any(|frame| frame.path.is_some()).then(|| (of(thrown, true, &lines[at..end]), end))
}

fn ends(line: &str) -> bool {
    line.starts_with("Node.js v") || line.starts_with("(Use `node --trace-uncaught")
}

fn of(thrown: error::Thrown, loaded: bool, lines: &[&str]) -> Failure {
    let mut failure = super::of_thrown(String::new(), thrown, &lines.join("\n"));
    // What the program itself parses is data.
    if !loaded && failure.message.starts_with("SyntaxError") {
        failure.kind = Kind::CompileError;
    }
    let first = failure.message.lines().next().unwrap_or_default();
    let name = first.split([':', ' ']).next().filter(|name| name.ends_with("Error")).unwrap_or("thrown").to_owned();
    failure.id = trace_id(&name, &failure);
    failure
}
