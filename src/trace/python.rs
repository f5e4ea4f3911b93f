//! Python: what a failing test or a dying program printed.
//!
//! Reads text whose framing is off; never runs anything. pytest's report is
//! read by [`pytest`] (a section of it by [`entries`], the names of its tests
//! by [`summary`]), unittest's by [`unittest`], the interpreter's own words by
//! [`traceback`] and [`fault`].
//!
//! Ids are pytest's node ids, unittest's dotted names, and for a trace without
//! a test `trace:KeyError at src/a.py:12`.

mod entries;
mod fault;
mod pytest;
mod raised;
mod summary;
mod traceback;
mod unittest;

use std::collections::HashSet;

use crate::failure::Failure;
use crate::source::RelPath;
use crate::trace::places::Places;

use raised::Raised;

/// Failures read of one text; a log with more says nothing new.
const LIMIT: usize = 1000;

/// The failures in a log: the tests of pytest and unittest, and where the text
/// has none, tracebacks. `near` is the folder that relative paths start from.
///
/// Tests log tracebacks of errors that they expect, so beside failing tests
/// only a process's death counts.
pub fn failures(text: &str, places: &Places, near: &RelPath) -> Vec<Failure> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, outside) = pytest::failures(&lines, places, near, LIMIT);
    found.extend(unittest::failures(&outside, places, near, LIMIT));
    let tests_failed = !found.is_empty();
    let loose = Loose { lines: &outside, places, near };
    if !tests_failed && let Some(failure) = loose.section() {
        return vec![failure];
    }
    let mut ids: HashSet<String> = found.iter().map(|failure| failure.id.clone()).collect();
    found.extend(loose.traces(tests_failed).into_iter().filter(|failure| ids.insert(failure.id.clone())));
    found.truncate(LIMIT);
    found
}

/// Lines that belong to no runner's report.
struct Loose<'a> {
    lines: &'a [&'a str],
    places: &'a Places,
    near: &'a RelPath,
}

impl Loose<'_> {
    /// A section of pytest's report that came without its heading: of a JUnit
    /// report, or of a `conftest.py` that could not be loaded.
    fn section(&self) -> Option<Failure> {
        self.lines.iter().find(|line| line.starts_with("E   "))?;
        let body = entries::read(self.lines);
        if !body.is_pytest {
            return None;
        }
        Some(self.failure(&body.chain, body.loading, None, &self.lines.join("\n")))
    }

    /// Tracebacks and deaths, or deaths only.
    fn traces(&self, deaths_only: bool) -> Vec<Failure> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.lines.len() && found.len() < LIMIT {
            if let Some(death) = fault::death(self.lines, at) {
                let output = self.lines[at..death.end].join("\n");
                found.push(self.failure(&[death.raised], false, death.test, &output));
                at = death.end;
            } else if !deaths_only && let Some(chain) = traceback::chain(self.lines, at, false) {
                if !chain.raised.is_empty() && !self.is_ignored(at) {
                    let output = self.lines[at..chain.end].join("\n");
                    found.push(self.failure(&chain.raised, false, None, &output));
                }
                at = chain.end;
            } else {
                at += 1;
            }
        }
        found
    }

    /// Whether the interpreter went on after it: `Exception ignored in: <…>`.
    fn is_ignored(&self, at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| self.lines[before].starts_with("Exception ignored "))
    }

    fn failure(&self, chain: &[Raised], loading: bool, id: Option<String>, output: &str) -> Failure {
        let mut failure = raised::failure(String::new(), chain, loading, output, self.places, self.near);
        let name = match raised::type_name(&failure.message) {
            "Fatal Python error" => failure.message.lines().next().unwrap_or_default(),
            name => name,
        };
        let place = failure.location().or(failure.frames.first()).map(|frame| {
            let path = frame.path.as_ref().map_or(frame.written.as_str(), RelPath::as_str);
            frame.line.map_or_else(|| format!(" at {path}"), |line| format!(" at {path}:{line}"))
        });
        failure.id = id.unwrap_or_else(|| format!("trace:{name}{}", place.unwrap_or_default()));
        failure
    }
}

#[cfg(test)]
mod tests;
