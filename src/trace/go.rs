//! Go: what `go test` and a dying program print.
//!
//! Reads text whose framing is off; never runs anything. A test's id is its
//! package and its name, as `go test -json` tells them: `example.test/shop
//! TestTable/two_items`.

pub mod events;
pub mod panics;
pub mod text;

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::bounded;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;

/// The failures in a text: of tests, of the build, of a program.
pub fn failures(text: &str, ground: Ground<'_>) -> Vec<Failure> {
    let lines: Vec<&str> = text.lines().collect();
    text::failures(&lines, ground)
}

/// The id of a test of a package.
pub fn id(package: &str, test: &str) -> String {
    if package.is_empty() { test.to_owned() } else { format!("{package} {test}") }
}

/// The tests and blocks that hold others of `names`: `TestTable` of
/// `TestTable/two_items`.
pub fn blocks<'n>(names: impl Iterator<Item = &'n str>) -> std::collections::HashSet<&'n str> {
    names.flat_map(|name| name.match_indices('/').map(move |(end, _)| &name[..end])).collect()
}

/// Whether the test `inner` is a subtest of the test `outer`, at any depth; by
/// their ids.
pub fn is_subtest(inner: &str, outer: &str) -> bool {
    outer.contains(' ') && inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// A file that Go names without its folder: looked for in its package's.
fn located(file: &str, line: Option<u32>, package: &str, ground: Ground<'_>) -> Frame {
    let in_package = ground.frame(&format!("{package}/{file}"), line, None);
    if in_package.path.is_some() && !package.is_empty() {
        return Frame { written: file.to_owned(), ..in_package };
    }
    ground.frame(file, line, None)
}

static LOG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s+([\w./-]+\.go):(\d+): (.*)$").expect("the pattern is valid"));

/// Whether the line is one that a test logged.
pub fn is_log(line: &str) -> bool {
    LOG.is_match(line)
}

/// Why a test failed, by what it printed; `None` where it says nothing that
/// its subtests do not say.
pub fn of_test(package: &str, test: &str, body: &[&str], ground: Ground<'_>) -> Option<Failure> {
    let id = id(package, test);
    let output = bounded(body.join("\n").trim_matches('\n'));
    if let Some(panic) = panics::read(body, ground) {
        return Some(Failure { id, output, ..panic.failure });
    }
    let mut message: Vec<String> = Vec::new();
    let mut place = None;
    let mut indent = 0;
    for line in body {
        if let Some(found) = LOG.captures(line) {
            indent = line.len() - line.trim_start().len();
            place = Some((found[1].to_owned(), found[2].parse().ok()));
            message.push(found[3].to_owned());
        } else if place.is_some() && line.len() - line.trim_start().len() > indent && !line.trim().is_empty() {
            message.push(line.trim().to_owned());
        }
    }
    let (file, line) = place?;
    let message = message.join("\n").trim().to_owned();
    let (expected, actual) = compared(&message);
    let mut frame = located(&file, line, package, ground);
    frame.symbol = test.split('/').next().map(str::to_owned);
    let mut failure = bare(id, Kind::Assertion, message);
    (failure.expected, failure.actual, failure.frames, failure.output) = (expected, actual, vec![frame], output);
    Some(failure)
}

/// `Total() = 50, want 150`, `got 5, want 10`, `expected 10, got 5`; testify's
/// `expected: 10` and `actual  : 5`.
fn compared(message: &str) -> (Option<String>, Option<String>) {
    static WANT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:= |got:? |was:? )(.+?)[,;]? (?:but )?(?:want(?:ed|s)?|expected):? (.+)$")
            .expect("the pattern is valid")
    });
    static GOT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:want(?:ed)?|expected):? (.+?)[,;]? (?:but )?(?:got|was|actual):? (.+)$")
            .expect("the pattern is valid")
    });
    static TESTIFY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*(expected|actual)\s*: (.+)$").expect("the pattern is valid"));
    let (mut expected, mut actual) = (None, None);
    for line in message.lines() {
        if let Some(found) = TESTIFY.captures(line) {
            let value = Some(found[2].to_owned());
            if &found[1] == "expected" { expected = value } else { actual = value }
        }
    }
    if expected.is_some() {
        return (expected, actual);
    }
    for line in message.lines() {
        if let Some(found) = WANT.captures(line) {
            return (Some(found[2].to_owned()), Some(found[1].to_owned()));
        }
        if let Some(found) = GOT.captures(line) {
            return (Some(found[1].to_owned()), Some(found[2].to_owned()));
        }
    }
    (None, None)
}

static BUILD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:vet: )?(\S+\.go):(\d+)(?::\d+)?: (.+)$").expect("the pattern is valid"));

/// An error of the compiler: `bad/bad_test.go:6:14: cannot use …`.
pub fn compile_error(
    line: &str,
    taken: &mut std::collections::HashMap<String, usize>,
    ground: Ground<'_>,
) -> Option<Failure> {
    let found = BUILD.captures(line)?;
    let id = crate::trace::ground::numbered(&format!("error[build] in {}", &found[1]), taken);
    let mut failure = bare(id, Kind::CompileError, found[3].to_owned());
    failure.frames = vec![ground.frame(&found[1], found[2].parse().ok(), None)];
    failure.output = line.to_owned();
    Some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wanted_is_read_from_the_usual_words() {
        for (message, expected, actual) in [
            ("Total() = 50, want 150", "150", "50"),
            ("got 5, want 10", "10", "5"),
            ("expected 10, got 5", "10", "5"),
            ("Not equal:\nexpected: 10\nactual  : 5", "10", "5"),
        ] {
            assert_eq!(compared(message), (Some(expected.to_owned()), Some(actual.to_owned())), "{message}");
        }
        assert_eq!(compared("want 2"), (None, None));
    }
}
