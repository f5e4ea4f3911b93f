//! The records that heal's half inside a Python test process writes, read into
//! a report.
//!
//! Never takes a pass for granted: a run without its end record is incomplete,
//! and so is one that disagrees with its exit code.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::record::Described;
use super::record::Record;
use super::record::Sifted;
use super::stack::stack;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::process::Exit;
use crate::process::Finished;
use crate::runner::Channel;
use crate::runner::LoadedModule;
use crate::runner::Project;
use crate::runner::Report;
use crate::runner::Site;
use crate::runner::Status;
use crate::runner::TestResult;
use crate::runner::probe::Answer;
use crate::runner::sieve;
use crate::source::RelPath;

/// What is known of one test while records are read.
#[derive(Default)]
struct Test {
    order: usize,
    started: bool,
    ended: bool,
    seconds: f64,
    outcome: Option<Status>,
    skipped_subtests: usize,
    failure: Option<Failure>,
    executed: BTreeMap<String, Vec<u32>>,
    hung: Option<Failure>,
}

/// Reads the channel's records into a report.
pub fn read(project: &Project, site: &Site, channel: &Channel, finished: &Finished) -> Report {
    let reading = listen(project, site, channel);
    reading.finish(finished)
}

/// As [`read`], of a command that may have started pytest somewhere inside;
/// `None` where no test runner was heard.
pub fn overhear(project: &Project, site: &Site, channel: &Channel, finished: &Finished) -> Option<Report> {
    let reading = listen(project, site, channel);
    (reading.runs > 0).then(|| reading.finish(finished))
}

fn listen<'a>(project: &'a Project, site: &'a Site, channel: &'a Channel) -> Reading<'a> {
    let mut reading = Reading {
        project,
        site,
        channel,
        heard: false,
        runs: 0,
        exits: Vec::new(),
        collected: HashSet::new(),
        tests: HashMap::new(),
        report: Report::default(),
        stopped: None,
        answers: Vec::new(),
        sifted: Vec::new(),
    };
    for file in files(channel, "records-") {
        reading.heard = true;
        let bytes = std::fs::read(&file).unwrap_or_default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // A process that is killed leaves half a line; a test that guesses
            // at the file's name does not know the nonce.
            let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
            if record.nonce == channel.nonce {
                reading.take(record);
            }
        }
    }
    reading
}

/// The channel's files that begin with `prefix`, one a process, sorted.
fn files(channel: &Channel, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&channel.dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    files.sort();
    files
}

struct Reading<'a> {
    project: &'a Project,
    site: &'a Site,
    channel: &'a Channel,
    /// Whether any process wrote.
    heard: bool,
    /// Runners that started; xdist's workers do not count. A command such as
    /// `make check` may start several.
    runs: usize,
    /// How those that came to their end did.
    exits: Vec<i32>,
    collected: HashSet<String>,
    tests: HashMap<String, Test>,
    report: Report,
    stopped: Option<String>,
    /// Answers to the probe's question.
    answers: Vec<Answer>,
    /// Answers to the sieve's.
    sifted: Vec<sieve::Answer>,
}

impl Reading<'_> {
    fn test(&mut self, id: &str) -> &mut Test {
        let order = self.tests.len();
        self.tests.entry(id.to_owned()).or_insert_with(|| Test { order, ..Test::default() })
    }

    fn take(&mut self, record: Record) {
        match record.record.as_str() {
            "start" => self.runs += usize::from(!record.worker),
            "collected" => self.collected.extend(record.ids),
            "test-start" => self.test(&record.id).started = true,
            "test-end" => self.test(&record.id).ended = true,
            "executed" => {
                let executed = &mut self.test(&record.id).executed;
                for (file, lines) in record.files {
                    executed.entry(file).or_default().extend(lines);
                }
            }
            "phase" => self.phase(record),
            "hung" => {
                let message = format!("Timeout: the test was still running after {} s", record.limit);
                let failure = self.failure(&record.id, Kind::Timeout, message, &record.frames, String::new());
                self.test(&record.id).hung = Some(failure);
            }
            "problem" => self.problem(record),
            "modules" => {
                self.report.modules.extend(record.modules.into_iter().map(|(name, file)| LoadedModule { name, file }))
            }
            "stopped" => self.stopped = Some(record.why),
            "probe" => self.answers.extend(record.answer),
            "sieve" => {
                let answer = record.sieve.map(|sifted| self.sifted(sifted));
                self.sifted.extend(answer);
            }
            "end" => self.exits.extend(record.exit),
            _ => {}
        }
    }

    fn phase(&mut self, record: Record) {
        let failed = record.outcome == "failed";
        let failure = failed.then(|| self.described(&record));
        let status = match record.outcome.as_str() {
            "failed" => Status::Failed,
            "skipped" if record.expected_failure => Status::ExpectedFailure,
            "skipped" => Status::Skipped,
            _ => Status::Passed,
        };
        let test = self.test(&record.id);
        test.started = true;
        test.seconds += record.seconds;
        test.skipped_subtests += record.skipped_subtests;
        // A failure in any phase counts, and the first one is told; a skip
        // counts more than the passed set-up before it.
        let worse = |status: Status| match status {
            Status::Failed => 3,
            Status::ExpectedFailure => 2,
            Status::Skipped => 1,
            Status::Passed => 0,
        };
        if test.outcome.is_none_or(|before| worse(status) > worse(before)) {
            test.outcome = Some(status);
            test.failure = failure;
        }
    }

    fn described(&self, record: &Record) -> Failure {
        match &record.failure {
            Some(described) => self.of(&record.id, described, record.output.clone()),
            None => {
                let crashed = record.text.contains("crashed while running");
                let (kind, text) =
                    if crashed { (Kind::Crash, record.text.as_str()) } else { (Kind::Assertion, record.text.as_str()) };
                let text = if text.is_empty() { "it failed" } else { text };
                self.failure(&record.id, kind, text.to_owned(), &[], record.output.clone())
            }
        }
    }

    fn of(&self, id: &str, described: &Described, output: String) -> Failure {
        let mut failure = self.failure(id, described.kind(), described.message.clone(), &described.frames, output);
        failure.expected.clone_from(&described.expected);
        failure.actual.clone_from(&described.actual);
        failure.locals = described.locals_at(failure.location());
        failure
    }

    fn problem(&mut self, record: Record) {
        let mut failure = match &record.failure {
            Some(described) => self.of(&record.id, described, record.output.clone()),
            None => {
                let line = record
                    .output
                    .lines()
                    .rev()
                    .find(|line| !line.trim().is_empty())
                    .unwrap_or("it could not be loaded");
                self.failure(&record.id, Kind::Collection, line.trim().to_owned(), &[], record.output.clone())
            }
        };
        failure.kind = Kind::Collection;
        if let Ok(inner) = Path::new(&failure.id).strip_prefix(&self.site.tree) {
            failure.id = inner.display().to_string();
        }
        if !self.report.problems.iter().any(|known| known.id == failure.id) {
            self.report.problems.push(failure);
        }
    }

    fn failure(
        &self,
        id: &str,
        kind: Kind,
        message: String,
        frames: &[(String, Option<u32>, Option<String>)],
        output: String,
    ) -> Failure {
        let frames = frames.iter().map(|(file, line, symbol)| Frame {
            path: self.site.places.locate(&self.in_user_tree(file), &self.project.root),
            written: file.clone(),
            line: *line,
            symbol: symbol.clone(),
        });
        Failure {
            id: id.to_owned(),
            kind,
            message,
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: frames.collect(),
            output: crate::trace::bounded(&output),
        }
    }

    /// Places know the user's tree; the frames name the scratch.
    fn in_user_tree(&self, file: &str) -> String {
        match Path::new(file).strip_prefix(&self.site.tree) {
            Ok(inner) => self.site.user_root.join(inner).display().to_string(),
            Err(_) => file.to_owned(),
        }
    }

    fn finish(mut self, finished: &Finished) -> Report {
        let mut tests: Vec<(String, Test)> = self.tests.drain().collect();
        tests.sort_by_key(|(_, test)| test.order);
        let mut unfinished = None;
        for (id, test) in tests {
            let (status, failure) = match (test.outcome, test.hung) {
                (_, Some(hung)) => (Status::Failed, Some(hung)),
                (Some(status), None) if test.ended || status == Status::Failed => (status, test.failure),
                _ if test.started => {
                    unfinished.get_or_insert_with(|| id.clone());
                    (Status::Failed, Some(self.died(&id, finished)))
                }
                _ => continue,
            };
            let executed =
                test.executed.into_iter().filter_map(|(file, lines)| Some((RelPath::new(&file).ok()?, sorted(lines))));
            let skipped = (test.skipped_subtests > 0).then(|| (id.clone(), test.skipped_subtests));
            self.report.skipped_subtests.extend(skipped);
            self.report.tests.push(TestResult {
                id,
                status,
                took: Duration::try_from_secs_f64(test.seconds).unwrap_or_default(),
                failure,
                executed: executed.collect(),
            });
        }
        self.judge(finished, unfinished);
        // One test process is asked; a second answer means that somebody else
        // speaks, and then none is believed.
        if self.answers.len() == 1 && self.report.complete {
            self.report.probe = self.answers.pop();
        }
        if self.sifted.len() == 1 && self.report.complete {
            self.report.sieve = self.sifted.pop();
        }
        self.report
    }

    fn sifted(&self, sifted: Sifted) -> sieve::Answer {
        let failures = sifted.failures.iter().map(|(id, described)| self.of(id, described, String::new()));
        sieve::Answer { why: sifted.why, failures: failures.collect(), verdicts: sifted.verdicts }
    }

    /// The failure of a test in which the process ended.
    fn died(&self, id: &str, finished: &Finished) -> Failure {
        // Written by the interpreter's own signal handler, when a test burns
        // time in C beyond its deadline and no Python code gets to run.
        let stuck = files(self.channel, "stack-").iter().map(|file| stack(file)).find(|frames| !frames.is_empty());
        if let Some(frames) = stuck {
            return self.failure(
                id,
                Kind::Timeout,
                "Timeout: the test was ended while it ran code that is not Python's".to_owned(),
                &frames,
                tail(finished),
            );
        }
        let (kind, what) = match finished.exit {
            Exit::TimedOut | Exit::Interrupted => {
                (Kind::Timeout, "Timeout: the command was ended while the test ran".to_owned())
            }
            Exit::Signal(signal) => (Kind::Crash, format!("the process died of signal {signal} while the test ran")),
            Exit::Code(code) => (Kind::Crash, format!("the process exited with code {code} while the test ran")),
        };
        let mut failure = self.failure(id, kind, what, &[], tail(finished));
        // `faulthandler`, which pytest turns on, says where it died.
        let told = crate::trace::python::failures(&finished.stderr.text, &self.site.places, &self.project.root);
        if let Some(death) = told.into_iter().find(|death| death.kind == Kind::Crash) {
            failure.frames = death.frames;
        }
        failure
    }

    /// Whether the results came to their end, and why not.
    fn judge(&mut self, finished: &Finished, unfinished: Option<String>) {
        let why = self.doubt(finished, unfinished);
        if !self.heard && self.report.problems.is_empty() {
            let message = why.clone().unwrap_or_default();
            let failure = self.failure(&self.project.shown(), Kind::Collection, message, &[], tail(finished));
            self.report.problems.push(failure);
        }
        self.report.complete = why.is_none();
        self.report.incomplete_why = why;
    }

    fn doubt(&self, finished: &Finished, unfinished: Option<String>) -> Option<String> {
        let said = |otherwise: String| Some(last_line(finished).unwrap_or(otherwise));
        if !self.heard {
            return said("the tests did not start".into());
        }
        if let Some(id) = unfinished {
            return Some(format!("the process ended while {id} ran"));
        }
        if let Some(why) = &self.stopped {
            return Some(format!("the run was stopped: {why}"));
        }
        if self.exits.is_empty() || self.exits.len() < self.runs {
            return said("the run did not come to its end".into());
        }
        // pytest: 2 interrupted, 3 internal error, 4 usage error, 5 no tests.
        let worst = self.exits.iter().copied().find(|exit| *exit != 0).unwrap_or(0);
        if (2..=4).contains(&worst) && self.report.problems.is_empty() {
            return said(format!("it ended with code {worst}"));
        }
        if let Exit::Code(code) = finished.exit
            && (code == 0) != (worst == 0)
        {
            return Some(format!("it reported {worst} and exited with {code}"));
        }
        // A class whose set-up fails leaves its tests out, and is a problem.
        let ran: HashSet<&str> = self.report.tests.iter().map(|test| test.id.as_str()).collect();
        let left = self.collected.iter().filter(|id| !ran.contains(id.as_str())).count();
        (left > 0 && self.report.problems.is_empty())
            .then(|| format!("{left} of {} tests did not run", self.collected.len()))
    }
}

fn sorted(mut lines: Vec<u32>) -> Vec<u32> {
    lines.sort_unstable();
    lines.dedup();
    lines
}

fn tail(finished: &Finished) -> String {
    crate::trace::bounded(&format!("{}\n{}", finished.stdout.text.trim_end(), finished.stderr.text.trim_end()))
}

/// The last line that was printed, on stderr rather than stdout.
fn last_line(finished: &Finished) -> Option<String> {
    let of = |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
    of(&finished.stderr.text).or_else(|| of(&finished.stdout.text))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::process::Captured;
    use crate::runner::RunnerKind;
    use crate::runner::python::tests::site;

    fn read_records(lines: &[&str], exit: Exit) -> Report {
        heard(lines, &[], exit).0
    }

    /// The report, and whether an opaque command would have been overheard.
    fn heard(lines: &[&str], files: &[(&str, &str)], exit: Exit) -> (Report, bool) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        let text: String = lines.iter().map(|line| line.replacen('{', r#"{"nonce": "N", "#, 1) + "\n").collect();
        std::fs::write(dir.path().join("records-1.jsonl"), text).expect("written");
        let project = Project {
            root: RelPath::root(),
            kind: RunnerKind::Pytest,
            command: vec!["pytest".into()],
            given: true,
            why: String::new(),
        };
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "N".into() };
        let finished =
            Finished { exit, stdout: Captured::default(), stderr: Captured::default(), took: Duration::ZERO };
        let site = site("/scratch");
        (read(&project, &site, &channel, &finished), overhear(&project, &site, &channel, &finished).is_some())
    }

    const START: &str = r#"{"record": "test-start", "id": "t"}"#;
    const PASSED: &str = r#"{"record": "phase", "id": "t", "when": "call", "outcome": "passed", "seconds": 0.5}"#;
    const TEST_END: &str = r#"{"record": "test-end", "id": "t"}"#;
    const END: &str = r#"{"record": "end", "exit": 0}"#;

    #[test]
    fn a_pass_counts_only_with_its_end_and_the_runs() {
        for (lines, exit, status, complete) in [
            (vec![START, PASSED, TEST_END, END], Exit::Code(0), Status::Passed, true),
            (vec![START, PASSED, TEST_END], Exit::Code(0), Status::Passed, false),
            (vec![START, PASSED], Exit::Code(0), Status::Failed, false),
            (vec![START], Exit::Signal(11), Status::Failed, false),
            (vec![START, PASSED, TEST_END, END], Exit::Code(1), Status::Passed, false),
            (
                vec![
                    START,
                    PASSED,
                    TEST_END,
                    r#"{"record": "phase", "id": "t", "when": "teardown", "outcome": "failed"}"#,
                    r#"{"record": "end", "exit": 1}"#,
                ],
                Exit::Code(1),
                Status::Failed,
                true,
            ),
        ] {
            let report = read_records(&lines, exit);
            assert_eq!((report.tests[0].status, report.complete), (status, complete), "{lines:?} {exit:?}");
        }
    }

    #[test]
    fn records_with_another_nonce_are_not_heard() {
        let report = read_records(&[r#"{"nonce": "X", "record": "end", "exit": 0}"#], Exit::Code(0));
        assert!(!report.complete);
    }

    #[test]
    fn frames_of_the_scratch_are_files_of_the_repository() {
        let failed = r#"{"record": "phase", "id": "t", "when": "call", "outcome": "failed", "failure": {"kind": "assertion", "message": "assert 1 == 2", "frames": [["/scratch/a.py", 3, "f"], ["/usr/lib/x.py", 1, "g"]], "expected": "2", "actual": "1"}}"#;
        let report = read_records(&[START, failed, TEST_END, r#"{"record": "end", "exit": 1}"#], Exit::Code(1));
        let failure = report.tests[0].failure.as_ref().expect("a failure");
        let paths: Vec<Option<&str>> =
            failure.frames.iter().map(|frame| frame.path.as_ref().map(RelPath::as_str)).collect();
        assert_eq!(paths, [Some("a.py"), None]);
        assert_eq!(
            (failure.kind, failure.expected.as_deref(), failure.actual.as_deref()),
            (Kind::Assertion, Some("2"), Some("1"))
        );
    }

    #[test]
    fn what_names_held_counts_for_the_innermost_frame_of_the_repository_alone() {
        let locals = |file: &str, line: u32| {
            let failed = format!(
                r#"{{"record": "phase", "id": "t", "when": "call", "outcome": "failed", "failure": {{"message": "E: x", "frames": [["/usr/lib/x.py", 1, "g"], ["/scratch/a.py", 3, "f"]], "locals": {{"file": "{file}", "line": {line}, "values": [["n", "1"]]}}}}}}"#
            );
            let report = read_records(&[START, &failed, TEST_END, r#"{"record": "end", "exit": 1}"#], Exit::Code(1));
            report.tests[0].failure.as_ref().expect("a failure").locals.clone()
        };
        assert_eq!(locals("/scratch/a.py", 3), [crate::failure::Local { name: "n".into(), value: "1".into() }]);
        assert_eq!(locals("/scratch/a.py", 4), []);
        assert_eq!(locals("/usr/lib/x.py", 1), []);
    }

    #[test]
    fn a_hung_test_is_a_timeout_and_a_silent_command_a_problem() {
        let hung = r#"{"record": "hung", "id": "t", "limit": 2.0, "frames": [["/scratch/a.py", 3, "f"]]}"#;
        let report = read_records(&[START, hung], Exit::Code(70));
        assert_eq!(report.tests[0].failure.as_ref().map(|failure| failure.kind), Some(Kind::Timeout));
        let silent = read_records(&[], Exit::Code(1));
        assert!(!silent.complete);
    }

    #[test]
    fn a_test_that_burns_time_in_c_is_a_timeout_where_it_stood() {
        let stack = "Stack (most recent call first):\n  File \"/scratch/a.py\", line 3 in f\n  File \"/usr/lib/x.py\", line 9 in g\n";
        let (report, _) = heard(&[START], &[("stack-1.txt", stack), ("stack-2.txt", "")], Exit::Signal(26));
        let failure = report.tests[0].failure.as_ref().expect("a failure");
        assert_eq!(failure.kind, Kind::Timeout);
        let place = failure
            .location()
            .map(|frame| (frame.path.as_ref().map(RelPath::as_str), frame.line, frame.symbol.as_deref()));
        assert_eq!(place, Some((Some("a.py"), Some(3), Some("f"))));
        assert!(!report.complete);
    }

    #[test]
    fn a_worker_that_died_is_a_crash_of_its_test() {
        let crash = r#"{"record": "phase", "id": "t", "when": "???", "outcome": "failed", "text": "worker 'gw0' crashed while running 't'"}"#;
        let report = read_records(&[crash, r#"{"record": "end", "exit": 1}"#], Exit::Code(1));
        assert_eq!(report.tests[0].failure.as_ref().map(|failure| failure.kind), Some(Kind::Crash));
        assert!(report.complete);
    }

    #[test]
    fn tests_that_were_collected_and_did_not_run_are_missed() {
        let collected = r#"{"record": "collected", "ids": ["t", "u"]}"#;
        let report = read_records(&[collected, START, PASSED, TEST_END, END], Exit::Code(0));
        assert_eq!((report.complete, report.incomplete_why.as_deref()), (false, Some("1 of 2 tests did not run")));
    }

    #[test]
    fn every_runner_a_command_starts_must_come_to_its_end() {
        const RUN: &str = r#"{"record": "start", "worker": false}"#;
        const WORKER: &str = r#"{"record": "start", "worker": true}"#;
        const FAILED: &str = r#"{"record": "end", "exit": 1}"#;
        for (lines, exit, complete, overheard) in [
            (vec![RUN, WORKER, END], 0, true, true),
            (vec![RUN, END, RUN, END], 0, true, true),
            (vec![RUN, END, RUN], 0, false, true),
            // The first suite failed, the second passed, and `make` says 2.
            (vec![RUN, FAILED, RUN, END], 2, true, true),
            (vec![RUN, FAILED, RUN, END], 0, false, true),
            (vec![WORKER], 0, false, false),
        ] {
            let (report, heard) = heard(&lines, &[], Exit::Code(exit));
            assert_eq!((report.complete, heard), (complete, overheard), "{lines:?} {exit}");
        }
    }

    #[test]
    fn half_a_line_and_what_is_no_record_are_passed_over() {
        let report = read_records(&[START, PASSED, TEST_END, "{", "\u{fffd}", r#"{"record": 3}"#, END], Exit::Code(0));
        assert_eq!((report.tests.len(), report.complete), (1, true));
    }
}
