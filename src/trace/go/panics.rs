//! Go's panics and fatal errors.
//!
//! ```text
//! panic   = ("panic: " | "fatal error: ") message [" [recovered]"]
//!           ("\tpanic: " message)*  ["[signal " …]  NEWLINE
//!           "goroutine " n " [" state "]:"  frame*  ["created by " function frame-place]
//! frame   = function "(" arguments ")" NEWLINE "\t" file ":" line [" +0x" offset]
//! ```
//!
//! The first goroutine is the one that panicked; others are not read.

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;

/// Frames kept of one panic.
const FRAME_LIMIT: usize = 200;

/// A panic and the line behind it.
pub struct Panic {
    /// The failure, without id and output.
    pub failure: Failure,
    /// The test that panicked, where a frame tells: package and name.
    pub test: Option<(String, String)>,
    /// Lines from the first one looked at to the one behind it.
    pub end: usize,
}

/// Whether a panic begins at the line.
pub fn begins(line: &str) -> bool {
    line.starts_with("panic: ") || line.starts_with("fatal error: ")
}

/// Reads the first panic of `lines`.
pub fn read(lines: &[&str], ground: Ground<'_>) -> Option<Panic> {
    let start = lines.iter().position(|line| begins(line))?;
    let first = lines[start];
    let (kind, text) = match first.strip_prefix("panic: ") {
        Some(text) => (Kind::Exception, text),
        None => (Kind::Crash, first),
    };
    let message = text.strip_suffix(" [recovered]").unwrap_or(text).to_owned();
    let kind = if message.starts_with("test timed out after ") { Kind::Timeout } else { kind };
    let mut failure = bare(String::new(), kind, message);
    let mut test = None;
    let mut function: Option<&str> = None;
    let mut in_stack = false;
    let mut at = start + 1;
    while at < lines.len() {
        let line = lines[at];
        if line.starts_with("goroutine ") {
            if in_stack {
                break;
            }
            in_stack = true;
        } else if !in_stack {
            let goes_on = line.is_empty() || line.starts_with(['\t', '[', ' ']) || begins(line) || at - start < 12;
            if !goes_on || line.starts_with("FAIL\t") {
                break;
            }
        } else if let Some(place) = line.strip_prefix('\t') {
            let is_creator = function.is_some_and(|name| name.starts_with("created by "));
            if let (Some(name), Some(frame), false) = (function, frame(place, function, ground), is_creator) {
                test = test.or_else(|| test_of(name));
                if failure.frames.len() < FRAME_LIMIT {
                    failure.frames.push(frame);
                }
            }
            function = None;
        } else if line.is_empty() || line.starts_with("FAIL") || line.starts_with("exit status ") {
            break;
        } else {
            function = Some(line);
        }
        at += 1;
    }
    // What the runtime does to a panic is not where it happened.
    let first_own = failure.frames.iter().position(|frame| frame.path.is_some());
    if let Some(first_own) = first_own {
        failure.frames.drain(..first_own);
    }
    Some(Panic { failure, test, end: at })
}

fn frame(place: &str, function: Option<&str>, ground: Ground<'_>) -> Option<Frame> {
    let place = place.split(" +0x").next().unwrap_or(place);
    let (file, line) = place.rsplit_once(':')?;
    let symbol = function.map(symbol);
    Some(ground.frame(file, Some(line.parse().ok()?), symbol))
}

/// `example.test/shop/shop.(*Cart).PriceOf(0x1, …)` is `shop.(*Cart).PriceOf`.
fn symbol(function: &str) -> &str {
    let name = function.rsplit('/').next().unwrap_or(function);
    match name.rfind('(') {
        Some(start) if name.ends_with(')') => &name[..start],
        _ => name,
    }
}

/// The package and test of `example.test/shop/shop.TestPanics(0xc…)`.
fn test_of(function: &str) -> Option<(String, String)> {
    let folder = function.len() - function.rsplit('/').next().unwrap_or(function).len();
    let (package, name) = function[folder..].split_once('.')?;
    let name = name.split(['(', '.']).next()?;
    let is_test = ["Test", "Benchmark", "Fuzz", "Example"].iter().any(|start| name.starts_with(start));
    is_test.then(|| (format!("{}{package}", &function[..folder]), name.to_owned()))
}
