//! mocha's closing report, which the spec, dot and min reporters share (12).
//!
//! ```text
//! closing = "  " n " failing" failure*
//! failure = "  " n ") " block NEWLINE ("       " block)* title ":"  body
//! body    = error ["      + expected - actual" diff] stack
//! ```
//!
//! The text names no file: an id is the full title, as `--grep` takes it.

use std::sync::LazyLock;

use regex::Regex;

use super::error;
use crate::failure::Failure;
use crate::trace::ground::Ground;

static FAILING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s+\d+ failing$").expect("the pattern is valid"));
static HEAD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^  \d+\) (.+)$").expect("the pattern is valid"));

/// Lines a title may take.
const TITLE_LIMIT: usize = 20;

/// The failures of closing reports.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut found = Vec::new();
    let Some(start) = lines.iter().position(|line| FAILING.is_match(line)) else { return found };
    let mut at = start + 1;
    while at < lines.len() {
        let Some(head) = HEAD.captures(lines[at]) else {
            at += 1;
            continue;
        };
        let mut titles = vec![head[1].trim()];
        let mut next = at + 1;
        let first = head.get(1).map_or("", |title| title.as_str());
        let mut whole = first.ends_with(':');
        while !whole && next < lines.len() && titles.len() < TITLE_LIMIT && lines[next].starts_with("       ") {
            titles.push(lines[next].trim());
            whole = lines[next].ends_with(':');
            next += 1;
        }
        if !whole {
            at += 1;
            continue;
        }
        let end = lines[next..].iter().position(|line| HEAD.is_match(line)).map_or(lines.len(), |end| next + end);
        let id = titles.join(" ");
        found.push(of(id.trim_end_matches(':'), &lines[next..end], ground));
        at = end;
    }
    found
}

fn of(title: &str, body: &[&str], ground: Ground<'_>) -> Failure {
    let end = body.iter().rposition(|line| error::is_stack(line)).map_or(body.len(), |last| last + 1);
    let body = &body[..end];
    let diff = body.iter().position(|line| line.trim() == "+ expected - actual");
    let stack = body.iter().position(|line| error::is_stack(line)).unwrap_or(body.len());
    let message = &body[..diff.unwrap_or(stack).min(stack)];
    let mut thrown = error::read(message.iter().chain(&body[stack..]).copied(), ground);
    if let Some(diff) = diff.filter(|diff| diff + 1 < stack) {
        let (expected, actual) = sides(&body[diff + 1..stack]);
        (thrown.expected, thrown.actual) = (Some(expected), Some(actual));
    }
    super::of_thrown(title.to_owned(), thrown, &body.join("\n"))
}

/// Both sides of mocha's diff: `-` is what came, `+` what was wanted.
fn sides(lines: &[&str]) -> (String, String) {
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    for line in lines.iter().map(|line| line.get(6..).unwrap_or_default()).filter(|line| !line.trim().is_empty()) {
        match line.as_bytes().first() {
            Some(b'-') => actual.push(&line[1..]),
            Some(b'+') => expected.push(&line[1..]),
            _ => {
                let same = line.strip_prefix(' ').unwrap_or(line);
                expected.push(same);
                actual.push(same);
            }
        }
    }
    (expected.join("\n"), actual.join("\n"))
}
