//! What a JavaScript runner's report says.
//!
//! Never counts a run as complete whose report is missing, has nothing in it,
//! or disagrees with the exit code.

use std::collections::HashMap;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::REPORT;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::outcome::Status;
use crate::outcome::TestResult;
use crate::process::Exit;
use crate::process::Finished;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::Report;
use crate::runner::Request;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::Site;
use crate::trace;
use crate::trace::ground::Ground;
use crate::trace::ground::numbered;
use crate::trace::javascript;
use crate::trace::javascript::error;
use crate::trace::javascript::reports;

/// Reads the report in the channel.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    let places = site.places.also_at(&site.tree);
    let ground = Ground { places: &places, near: &project.root };
    let text = std::fs::read_to_string(channel.dir.join(REPORT)).unwrap_or_default();
    let told = match project.kind {
        RunnerKind::Node => records(&text, &channel.nonce, ground),
        RunnerKind::Mocha => document(&text).and_then(|document| reports::mocha(&document, ground)),
        _ => document(&text).and_then(|document| reports::jest(&document, ground)),
    };
    let Some(rows) = told else { return silent(project, request, finished, ground) };
    let mut report = Report::default();
    for row in rows {
        match row.failure {
            // What is only there when it fails is no test that could vanish.
            Some(failure) if failure.kind == Kind::Collection || is_hook(&row.id) => report.problems.push(failure),
            failure => report.tests.push(TestResult { failure, ..row }),
        }
    }
    if request.records_selected() {
        super::traced::tell(channel, &mut report.tests);
    }
    // The exit code also speaks of tests that were not asked for.
    let failed = report.failures().next().is_some();
    if let Selection::Tests(ids) = &request.selection {
        let wanted: HashSet<&String> = ids.iter().collect();
        report.tests.retain(|test| wanted.contains(&test.id));
    }
    report.incomplete_why = match finished.exit {
        Exit::Code(0) if failed => Some("the command succeeded although a test failed".to_owned()),
        Exit::Code(0) => None,
        Exit::Code(_) if failed => None,
        Exit::Code(code) => {
            Some(said(finished).unwrap_or(format!("it ended with code {code} although no test failed")))
        }
        exit => Some(format!("the command was ended: {exit:?}")),
    };
    report.complete = report.incomplete_why.is_none();
    report
}

/// mocha's name for a hook that failed: `"before all" hook for "adds"`.
fn is_hook(id: &str) -> bool {
    ["before all", "before each", "after all", "after each"].iter().any(|hook| id.contains(&format!("\"{hook}\" hook")))
}

fn document(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Without a report: the runner could not start, or was ended.
fn silent(project: &Project, request: &Request, finished: &Finished, ground: Ground<'_>) -> Report {
    let text = trace::framing::strip(format!("{}\n{}", finished.stdout.text, finished.stderr.text).as_bytes());
    let output = trace::bounded(text.trim());
    let mut report = Report::default();
    if finished.exit == Exit::TimedOut
        && let Selection::Tests(ids) = &request.selection
        && let [only] = ids.as_slice()
    {
        let message = "Timeout: the command was ended while the test ran".to_owned();
        let failure = Failure { output, ..trace::ground::bare(only.clone(), Kind::Timeout, message) };
        let took = finished.took;
        report.tests.push(TestResult {
            id: only.clone(),
            status: Status::Failed,
            took,
            failure: Some(failure),
            executed: Vec::new(),
        });
    } else {
        let told = javascript::failures(&text, ground).into_iter().next();
        let why = said(finished).unwrap_or_else(|| "the tests did not start".to_owned());
        let failure = told.unwrap_or_else(|| trace::ground::bare(String::new(), Kind::Collection, why));
        report.problems.push(Failure { id: project.shown(), output, ..failure });
    }
    report.incomplete_why = Some(match finished.exit {
        Exit::TimedOut => "the command was ended at its time limit".to_owned(),
        _ => said(finished).unwrap_or_else(|| "it wrote no report".to_owned()),
    });
    report
}

/// npm's last line, after it said what is wrong (npm 10).
const NPM_LOG: &str = "A complete log of this run can be found in";

/// The last line that tells something, on stderr rather than stdout.
fn said(finished: &Finished) -> Option<String> {
    let tells = |line: &&str| line.contains(char::is_alphanumeric) && !line.contains(NPM_LOG);
    let of = |text: &str| text.lines().rev().map(str::trim).find(tells).map(str::to_owned);
    of(&finished.stderr.text).or_else(|| of(&finished.stdout.text))
}

/// A record of heal's reporter inside node:test.
#[derive(Deserialize)]
struct Record {
    nonce: String,
    record: String,
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    block: bool,
    #[serde(default)]
    status: String,
    #[serde(default)]
    seconds: f64,
    at: Option<u32>,
    #[serde(default)]
    file: String,
    failure: Option<Described>,
}

#[derive(Deserialize)]
struct Described {
    stack: String,
    expected: Option<String>,
    actual: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The tests of the records; `None` without their end.
fn records(text: &str, nonce: &str, ground: Ground<'_>) -> Option<Vec<TestResult>> {
    let records = text.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok());
    let records: Vec<Record> = records.filter(|record| record.nonce == nonce).collect();
    (records.last()?.record == "end").then_some(())?;
    let mut taken = HashMap::new();
    let rows = records.iter().filter(|record| record.record == "test");
    Some(rows.filter_map(|record| record.result(&mut taken, ground)).collect())
}

impl Record {
    fn result(&self, taken: &mut HashMap<String, usize>, ground: Ground<'_>) -> Option<TestResult> {
        let subtests = self.failure.as_ref().is_some_and(|failure| failure.kind.as_deref() == Some("subtestsFailed"));
        // A block passes and fails with its tests, and is none itself.
        if self.block && (self.failure.is_none() || subtests) {
            return None;
        }
        let file = ground.shown(&self.file);
        let alone = self.path.len() == 1 && (self.path[0] == self.file || ground.shown(&self.path[0]) == file);
        let parts: Vec<&str> = std::iter::once(file.as_str()).chain(self.path.iter().map(String::as_str)).collect();
        let id = if alone { file.clone() } else { parts.join(javascript::SEPARATOR) };
        let id = numbered(&id, taken);
        let status = match self.status.as_str() {
            "passed" => Status::Passed,
            "skipped" => Status::Skipped,
            "todo" => Status::ExpectedFailure,
            _ => Status::Failed,
        };
        // A file that runs to its end without a test is a row of its own.
        if alone && status == Status::Passed {
            return None;
        }
        let failure = (status == Status::Failed).then(|| self.failure(&id, alone, ground));
        let took = std::time::Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        Some(TestResult { id, status, took, failure, executed: Vec::new() })
    }

    fn failure(&self, id: &str, alone: bool, ground: Ground<'_>) -> Failure {
        let described = self.failure.as_ref();
        let stack = described.map_or("", |failure| failure.stack.as_str());
        let mut thrown = error::read(stack.lines(), ground);
        if !thrown.frames.iter().any(|frame| frame.path.is_some()) {
            thrown.frames.push(ground.frame(&self.file, self.at, None));
        }
        thrown.expected = described.and_then(|failure| failure.expected.clone()).or(thrown.expected);
        thrown.actual = described.and_then(|failure| failure.actual.clone()).or(thrown.actual);
        let mut failure = javascript::of_thrown(id.to_owned(), thrown, stack);
        if described.and_then(|failure| failure.kind.as_deref()) == Some("testTimeoutFailure") {
            failure.kind = Kind::Timeout;
        }
        // A file that does not run, or a block whose hook fails.
        if alone || self.block {
            failure.kind = Kind::Collection;
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::Captured;

    #[test]
    fn what_a_command_said_last_is_no_empty_frame_and_no_place_of_a_log() {
        let npm = "npm error npx canceled due to missing packages and no YES option: [\"mocha@12.0.3\"]\n\
                   npm error A complete log of this run can be found in: /home/ana/.npm/_logs/debug-0.log\n";
        for (stdout, stderr, wanted) in [
            (
                "started\n",
                npm,
                Some("npm error npx canceled due to missing packages and no YES option: [\"mocha@12.0.3\"]"),
            ),
            ("started\n---\n", "", Some("started")),
            ("", "  \n", None),
        ] {
            let captured = |text: &str| Captured { text: text.to_owned(), dropped: 0 };
            let (stdout, stderr) = (captured(stdout), captured(stderr));
            let finished = Finished { exit: Exit::Code(1), stdout, stderr, took: Duration::ZERO };
            assert_eq!(said(&finished).as_deref(), wanted);
        }
    }
}
