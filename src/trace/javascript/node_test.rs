//! node:test's spec and dot reports (Node 20 and later).
//!
//! ```text
//! spec    = (open | result)*  "✖ failing tests:"  (place result)*
//! dot     = … "Failed tests:"  result*
//! open    = indent "▶ " name
//! result  = indent ("✖" | "✔" | "﹣") " " name " (" time "ms)" [" # TODO"]  body
//! body    = lines indented deeper than their result: the error
//! place   = "test at " file ":" line ":" column
//! ```
//!
//! The tree gives the blocks around a test, the list below it the file. A test
//! that is marked as to be done may fail; a block fails for its tests alone.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::SEPARATOR;
use super::error;
use crate::failure::Failure;
use crate::trace::ground::Ground;

static RESULT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\s*)([✖✔﹣]) (.+?) \(([\d.]+)ms\)( # .*)?$").expect("the pattern is valid"));
static OPEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\s*)▶ (.+?)(?: \([\d.]+ms\))?$").expect("the pattern is valid"));
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^test at (.+?):(\d+):\d+$").expect("the pattern is valid"));

/// One `✖` and what stands below it.
struct Mark<'l> {
    indent: usize,
    /// The blocks around it, outermost first, and its name.
    path: Vec<&'l str>,
    time: &'l str,
    body: &'l [&'l str],
    place: Option<(&'l str, u32)>,
    todo: bool,
}

/// The failing tests of a report.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let list = lines.iter().position(|line| matches!(line.trim(), "✖ failing tests:" | "Failed tests:"));
    let (tree, listed) = lines.split_at(list.unwrap_or(lines.len()));
    let tree = marks(tree);
    let listed = marks(listed);
    let places: HashMap<(&str, &str), (&str, u32)> =
        listed.iter().filter_map(|mark| Some(((*mark.path.last()?, mark.time), mark.place?))).collect();
    // A log may be cut at either end: then one of the two parts stands alone.
    let mut marks = if tree.is_empty() { listed } else { tree };
    for mark in &mut marks {
        let key = (mark.path.last().copied().unwrap_or_default(), mark.time);
        mark.place = mark.place.or_else(|| places.get(&key).copied());
    }
    let mut taken = HashSet::new();
    let tests = marks.iter().filter(|mark| !mark.todo && !is_block(mark.body));
    tests.map(|mark| of(mark, ground)).filter(|failure| taken.insert(failure.id.clone())).collect()
}

fn marks<'l>(lines: &'l [&'l str]) -> Vec<Mark<'l>> {
    let mut found: Vec<Mark<'l>> = Vec::new();
    let mut open: Vec<(usize, &'l str)> = Vec::new();
    let mut place = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if let Some(head) = OPEN.captures(line) {
            let indent = head[1].len();
            open.retain(|(outer, _)| *outer < indent);
            open.push((indent, head.get(2).map_or("", |name| name.as_str())));
        } else if let Some(head) = PLACE.captures(line) {
            place = head[2].parse().ok().map(|line| (head.get(1).map_or("", |file| file.as_str()), line));
        } else if let Some(head) = RESULT.captures(line) {
            let indent = head[1].len();
            open.retain(|(outer, _)| *outer < indent);
            let part = |index| head.get(index).map_or("", |part: regex::Match<'l>| part.as_str());
            let end = lines[at..].iter().position(|line| ends(line, indent)).map_or(lines.len(), |end| at + end);
            if &head[2] == "✖" {
                let path = open.iter().map(|(_, name)| *name).chain([part(3)]).collect();
                let todo = part(5).starts_with(" # TODO");
                found.push(Mark { indent, path, time: part(4), body: &lines[at..end], place: place.take(), todo });
            }
            at = end;
        }
    }
    found
}

fn ends(line: &str, indent: usize) -> bool {
    let own = line.len() - line.trim_start().len();
    !line.trim().is_empty() && own <= indent || RESULT.is_match(line) || OPEN.is_match(line)
}

/// A block's own line has nothing below it, or counts what failed in it.
fn is_block(body: &[&str]) -> bool {
    let first = body.iter().map(|line| line.trim()).find(|line| !line.is_empty());
    first.is_none_or(|first| {
        let words = first.trim_matches(['\'', '"']);
        let words = words.rsplit("]: ").next().unwrap_or(words).trim_matches(['\'', '"']);
        let words = words.strip_prefix("Error: ").unwrap_or(words);
        words.ends_with("subtest failed") || words.ends_with("subtests failed")
    })
}

fn of(mark: &Mark<'_>, ground: Ground<'_>) -> Failure {
    let body = mark.body.iter().map(|line| line.get(mark.indent..).unwrap_or(line));
    let mut thrown = error::read(body, ground);
    // What is thrown and no error stands in quotes: 'test timed out after 50ms'.
    if let Some(quoted) = thrown.message.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        thrown.message = quoted.to_owned();
    }
    if !thrown.frames.iter().any(|frame| frame.path.is_some())
        && let Some((file, line)) = mark.place
    {
        thrown.frames.push(ground.frame(file, Some(line), None));
    }
    let file = mark.place.map(|(file, _)| ground.shown(file));
    let name = mark.path.join(SEPARATOR);
    let output = mark.body.join("\n");
    if super::tap::is_file(&name) {
        return super::not_loaded(&ground.shown(&name), thrown, &output);
    }
    let id = file.map_or(name.clone(), |file| format!("{file}{SEPARATOR}{name}"));
    super::of_thrown(id, thrown, &output)
}
