//! What a libtest binary says about its tests, line by line.
//!
//! ```text
//! { "type": "suite", "event": "started", "test_count": 14 }
//! { "type": "test", "event": "started", "name": "tests::divide" }
//! { "type": "test", "name": "tests::divide", "event": "failed", "stdout": "…", "message": "…" }
//! { "type": "suite", "event": "failed", "passed": 1, "failed": 12, "ignored": 1, … }
//! ```
//!
//! Source: library/test/src/formatters/json.rs of 1.95, and its output. A test
//! may write to the same stream behind libtest's back, so a line may have
//! foreign text before it, and may be a forgery: [`Tally::doubt`] says when.
//!
//! Keeps count; never runs anything.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;

/// One line that libtest writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    stdout: String,
    message: Option<String>,
    reason: Option<String>,
    test_count: Option<usize>,
    passed: Option<usize>,
    failed: Option<usize>,
    ignored: Option<usize>,
}

/// How libtest says a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `Some(true)` passed, `Some(false)` failed, `None` ignored.
    pub passed: Option<bool>,
    /// From its start to its end.
    pub took: Duration,
    /// What it printed.
    pub output: String,
    /// What libtest says beside it.
    pub message: Option<String>,
}

/// What one run of a binary has told so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many tests it is going to run.
    announced: Option<usize>,
    /// Counts of passed, failed and ignored that the last line gave.
    finished: Option<(usize, usize, usize)>,
    running: HashMap<String, Instant>,
    outcomes: Vec<(String, Outcome)>,
    seen: HashSet<String>,
    odd: bool,
    failed: bool,
}

impl Tally {
    /// Takes in one line of the binary's standard output.
    pub fn take(&mut self, line: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(line);
        let Some(line) = parse(&text) else { return };
        match (line.kind.as_str(), line.event.as_str()) {
            ("suite", "started") => {
                self.odd |= self.announced.is_some();
                self.announced = line.test_count;
            }
            ("suite", "ok" | "failed") => {
                self.odd |= self.finished.is_some();
                let count = |count: Option<usize>| count.unwrap_or(0);
                self.finished = Some((count(line.passed), count(line.failed), count(line.ignored)));
            }
            ("test", "started") => {
                self.odd |= self.running.insert(line.name.clone(), now).is_some() || self.seen.contains(&line.name);
            }
            ("test", "ok" | "allowed_failure") => self.end(line, Some(true), now),
            ("test", "failed") => self.end(line, Some(false), now),
            ("test", "ignored") => self.end(line, None, now),
            _ => {}
        }
    }

    fn end(&mut self, line: Line, passed: Option<bool>, now: Instant) {
        let started = self.running.remove(&line.name);
        self.odd |= started.is_none() || !self.seen.insert(line.name.clone());
        let took = started.map_or(Duration::ZERO, |started| now.duration_since(started));
        self.failed |= passed == Some(false);
        let message = line.message.or(line.reason);
        self.outcomes.push((line.name, Outcome { passed, took, output: line.stdout, message }));
    }

    /// Whether a harness that speaks this language is there at all.
    pub fn has_begun(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether the harness said that it has ended.
    pub fn has_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// The tests that have started and not ended, sorted.
    pub fn running(&self) -> Vec<String> {
        let mut names: Vec<String> = self.running.keys().cloned().collect();
        names.sort();
        names
    }

    /// The tests that have been running for `limit` or longer, with their time.
    pub fn overdue(&self, limit: Duration, now: Instant) -> Vec<(String, Duration)> {
        let times = self.running.iter().map(|(name, started)| (name.clone(), now.duration_since(*started)));
        let mut overdue: Vec<_> = times.filter(|(_, took)| *took >= limit).collect();
        overdue.sort();
        overdue
    }

    /// Whether lines contradict each other or the exit code: two ends of one
    /// test, an end without a start, counts that do not add up. Then somebody
    /// else wrote, or lines were lost, and each test must be asked alone.
    pub fn doubt(&self, code: Option<i32>) -> bool {
        let count = |wanted| self.outcomes.iter().filter(|(_, outcome)| outcome.passed == wanted).count();
        let counted = (count(Some(true)), count(Some(false)), count(None));
        let agrees = match code {
            Some(0) => counted.1 == 0,
            // libtest's own code for failed tests.
            Some(101) => counted.1 > 0,
            _ => false,
        };
        self.odd
            || !agrees
            || self.finished != Some(counted)
            || self.announced != Some(self.outcomes.len())
            || !self.running.is_empty()
    }

    /// Whether two lines spoke of one test, or of a test that never started:
    /// no garbled line explains that.
    pub fn is_odd(&self) -> bool {
        self.odd
    }

    /// Whether a test has failed so far.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Every end that was told, in order.
    pub fn into_outcomes(self) -> Vec<(String, Outcome)> {
        self.outcomes
    }
}

/// Reads a line, also behind what a test printed without an end of line, and
/// one whose end is cut off.
fn parse(text: &str) -> Option<Line> {
    let starts = std::iter::once(0).chain(text.rfind("{ \"type\": \""));
    for start in starts {
        let rest = &text[start..];
        if let Ok(line) = serde_json::from_str(rest.trim_end()) {
            return Some(line);
        }
    }
    let cut = text.find("{ \"type\": \"test\"").map(|start| &text[start..])?;
    if cut.len() < crate::process::stream::LINE_LIMIT / 2 {
        return None;
    }
    // Cut in the middle of the output: up to the last whole escape it is good.
    let mut end = cut.len();
    if let Some(escape) = cut[..end].rfind('\\').filter(|escape| end - escape < 8) {
        end = escape;
        // An escaped backslash is a pair: cut before its first.
        while cut[..end].ends_with('\\') {
            end -= 1;
        }
    }
    serde_json::from_str(&format!("{}\" }}", cut[..end].trim_end_matches('\u{fffd}'))).ok()
}

/// The names that `--list --format terse` prints: `tests::divide: test`.
pub fn listed(text: &str) -> Vec<String> {
    let names =
        text.lines().filter_map(|line| line.strip_suffix(": test").or_else(|| line.strip_suffix(": benchmark")));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        for line in text.lines() {
            tally.take(line.as_bytes(), Instant::now());
        }
        tally
    }

    const STARTED: &str = "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 1 }\n{ \"type\": \"test\", \"event\": \"started\", \"name\": \"a\" }\n";
    const PASSED: &str = "{ \"type\": \"test\", \"name\": \"a\", \"event\": \"ok\" }\n";
    const ENDED: &str = "{ \"type\": \"suite\", \"event\": \"ok\", \"passed\": 1, \"failed\": 0, \"ignored\": 0 }\n";

    #[test]
    fn the_sample_of_1_95_adds_up() {
        let tally = tally(include_str!("../../../fixtures/logs/cargo-test/libtest_json_nightly.jsonl"));
        assert!(tally.has_begun() && tally.has_finished() && !tally.doubt(Some(101)) && tally.doubt(Some(0)));
        let outcomes = tally.into_outcomes();
        let count = |wanted| outcomes.iter().filter(|(_, outcome)| outcome.passed == wanted).count();
        assert_eq!((count(Some(true)), count(Some(false)), count(None)), (1, 12, 1));
    }

    #[test]
    fn contradictions_raise_doubt() {
        let forged = "{ \"type\": \"test\", \"name\": \"b\", \"event\": \"ok\" }\n";
        for (text, code, doubt, odd) in [
            (format!("{STARTED}{PASSED}{ENDED}"), 0, false, false),
            (format!("{STARTED}partial {{{PASSED}{ENDED}"), 0, false, false),
            (format!("{STARTED}{PASSED}{ENDED}"), 101, true, false),
            (format!("{STARTED}{PASSED}{ENDED}"), 7, true, false),
            (format!("{STARTED}{PASSED}"), 0, true, false),
            (format!("{STARTED}{ENDED}"), 0, true, false),
            (format!("{STARTED}{PASSED}{PASSED}{ENDED}"), 0, true, true),
            (format!("{STARTED}{forged}{PASSED}{ENDED}"), 0, true, true),
            (format!("{STARTED}{PASSED}{ENDED}{ENDED}"), 0, true, true),
            (String::new(), 0, true, false),
        ] {
            let tally = tally(&text);
            assert_eq!((tally.doubt(Some(code)), tally.is_odd()), (doubt, odd), "{text}");
        }
    }

    #[test]
    fn a_line_cut_in_its_output_still_tells_its_end() {
        let limit = crate::process::stream::LINE_LIMIT;
        for tail in ["x", "\\", "\\u00", "\\\\\\"] {
            let mut line = format!(
                "{{ \"type\": \"test\", \"name\": \"a\", \"event\": \"failed\", \"stdout\": \"{}",
                "y".repeat(limit)
            );
            line.push_str(tail);
            let line = parse(&line).expect("a line");
            assert_eq!((line.name.as_str(), line.event.as_str()), ("a", "failed"), "{tail}");
        }
    }

    #[test]
    fn a_test_is_overdue_from_its_start_on() {
        let tally = tally(STARTED);
        let now = Instant::now() + Duration::from_secs(3);
        assert_eq!(tally.overdue(Duration::from_secs(9), now), vec![]);
        assert_eq!(tally.overdue(Duration::from_secs(2), now).len(), 1);
        assert_eq!(tally.running(), ["a"]);
    }

    #[test]
    fn a_list_names_tests_and_benchmarks() {
        assert_eq!(listed("tests::a: test\nb: benchmark\n\n2 tests, 1 benchmark\n"), ["tests::a", "b"]);
    }
}
