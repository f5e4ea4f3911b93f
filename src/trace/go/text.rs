//! `go test` as text, with and without `-v`, and panics of programs.
//!
//! ```text
//! run     = "=== RUN   " test | "=== NAME  " test | "=== CONT  " test
//! result  = indent "--- " ("FAIL" | "PASS" | "SKIP") ": " test " (" seconds "s)"
//! logged  = deeper "file.go:12: text"  even-deeper*     below its result; with -v above it
//! package = "FAIL\t" package "\t" time | "FAIL\t" package " [build failed]" | "ok  \t" …
//! build   = "# " package ["[" test "]"]  (file ":" line ":" column ": " text)*
//! ```
//!
//! The package stands behind its tests, so they wait for it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::panics;
use crate::failure::Failure;
use crate::trace::bounded;
use crate::trace::ground::Ground;
use crate::trace::ground::trace_id;

static RESULT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*--- (FAIL|PASS|SKIP|BENCH): (\S+) \([\d.]+s\)$").expect("the pattern is valid"));
static RUN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^=== (?:RUN|NAME|CONT|PAUSE) +(\S+)$").expect("the pattern is valid"));
static PACKAGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:FAIL|ok  |\?   )\t(\S+)(?:\t.*| \[.*\])?$").expect("the pattern is valid"));

/// The failures of a text.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut reader = Reader { ground, found: Vec::new(), waiting: Waiting::default(), taken: HashMap::new() };
    let mut at = 0;
    let mut building = false;
    while at < lines.len() {
        let line = lines[at];
        if let Some(package) = line.strip_prefix("# ") {
            building = package.contains('/')
                || package.contains('.')
                || lines.get(at + 1).is_some_and(|next| next.contains(".go:"));
        } else if panics::begins(line) && is_panic(&lines[at..]) {
            at += reader.panic(&lines[at..]);
            continue;
        } else if let Some(found) = PACKAGE.captures(line) {
            building = false;
            reader.package(&found[1]);
        } else if building && let Some(failure) = super::compile_error(line, &mut reader.taken, ground) {
            reader.found.push(failure);
        } else {
            reader.waiting.line(line);
        }
        at += 1;
    }
    reader.package("");
    reader.found
}

/// Another program's word for its end may begin alike: Go's has a goroutine.
fn is_panic(lines: &[&str]) -> bool {
    lines.iter().take(40).any(|line| line.starts_with("goroutine ") && line.ends_with("]:"))
}

struct Reader<'a> {
    ground: Ground<'a>,
    found: Vec<Failure>,
    waiting: Waiting,
    taken: HashMap<String, usize>,
}

/// The tests of a package whose name is still to come.
#[derive(Default)]
struct Waiting {
    bodies: HashMap<String, Vec<String>>,
    failed: Vec<String>,
    /// Whose lines the next ones are.
    current: Option<String>,
    panic: Option<(Failure, Option<String>, String)>,
}

/// Lines kept of one test.
const BODY_LIMIT: usize = 2_000;

impl Waiting {
    fn line(&mut self, line: &str) {
        if let Some(found) = RUN.captures(line) {
            self.current = Some(found[1].to_owned());
        } else if let Some(found) = RESULT.captures(line) {
            let test = found[2].to_owned();
            if &found[1] == "FAIL" {
                self.failed.push(test.clone());
            }
            self.current = Some(test);
        } else if let Some(current) = &self.current {
            let body = self.bodies.entry(current.clone()).or_default();
            if body.len() < BODY_LIMIT {
                body.push(line.to_owned());
            }
        }
    }
}

impl Reader<'_> {
    /// A panic ends a test of the package, or a program.
    fn panic(&mut self, lines: &[&str]) -> usize {
        let Some(panic) = panics::read(lines, self.ground) else { return 1 };
        let output = bounded(&lines[..panic.end].join("\n"));
        let running = self.waiting.failed.last().cloned().filter(|test| !self.waiting.bodies.contains_key(test));
        let (package, test) = panic.test.map_or((String::new(), None), |(package, test)| (package, Some(test)));
        let test = test.or(running).or_else(|| self.waiting.current.clone());
        self.waiting.panic = Some((Failure { output, ..panic.failure }, test, package));
        panic.end
    }

    fn package(&mut self, package: &str) {
        let waiting = std::mem::take(&mut self.waiting);
        let panicked = waiting.panic.as_ref().and_then(|(_, test, _)| test.clone());
        let mut told = HashSet::new();
        let blocks = super::blocks(waiting.failed.iter().map(String::as_str));
        for test in &waiting.failed {
            if panicked.as_ref() == Some(test) || !told.insert(test) {
                continue;
            }
            let body = waiting.bodies.get(test).map(Vec::as_slice).unwrap_or_default();
            let body: Vec<&str> = body.iter().map(String::as_str).collect();
            let is_block = blocks.contains(test.as_str());
            match super::of_test(package, test, &body, self.ground) {
                Some(failure) => self.found.push(failure),
                None if is_block => {}
                None => self.found.push(unsaid(package, test, &body)),
            }
        }
        if let Some((mut failure, test, own)) = waiting.panic {
            failure.id = match &test {
                Some(test) => super::id(if package.is_empty() { &own } else { package }, test),
                None => trace_id("panic", &failure),
            };
            self.found.push(failure);
        }
    }
}

/// A test that failed without a word.
pub fn unsaid(package: &str, test: &str, body: &[&str]) -> Failure {
    let message = body.iter().map(|line| line.trim()).rfind(|line| !line.is_empty()).unwrap_or("the test failed");
    let mut failure =
        crate::trace::ground::bare(super::id(package, test), crate::failure::Kind::Assertion, message.to_owned());
    failure.output = bounded(&body.join("\n"));
    failure
}
