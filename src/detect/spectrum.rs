//! Spectrum: which lines a sample of the passing tests executes.
//!
//! One more command, of tests near the failing ones first, bounded in tests and
//! in time: on Python 3.12 and later a line costs once a test
//! (`sys.monitoring`), below every time it runs (`sys.settrace`). A sample that
//! is cut short is a smaller sample. Judges no line.
//!
//! In Python the failing tests run once more behind the sample: what they ran
//! alone and do not run in company is done once in a process (tables that are
//! filled at the first use, memoized results) by whoever comes first, and is
//! everybody's. In Rust and Go, where each test has a process of its own and the
//! build is another one, the failing tests' lines are learnt by the way.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::bench::Bench;
use super::reproduce::ReproduceError;
use super::reproduce::Reproduction;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::runner::Report;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::Status;
use crate::runner::TestResult;
use crate::runner::cargo::identity::Identity;
use crate::runner::cargo::identity::What;
use crate::scratch::Scratch;
use crate::source::RelPath;
use crate::trace::go;

/// Lines of the repository that one test executed, by file, 1-based.
pub type Covered = Vec<(RelPath, Vec<u32>)>;

/// Passing tests that are run again, at most.
const MOST_TESTS: usize = 250;
/// Failing tests that are run again with them, at most.
const MOST_FAILING: usize = 20;
/// Time they may take in all, by what they took without being watched.
const BUDGET: Duration = Duration::from_millis(2500);
/// What the command may always take, starting and collecting as well; where the
/// first run took longer, as long as that: a busy machine is slow at both.
const LIMIT: Duration = Duration::from_secs(12);
/// How much longer a watched test takes: with `sys.monitoring`, and with
/// `sys.settrace` (pure Python loops; measured 12 to 30 times on CPython 3.11).
const SLOWER: f64 = 1.5;
const SLOWER_BEFORE_3_12: f64 = 20.0;
/// Seconds for a process of its own.
const PROCESS: f64 = 0.02;
/// Seconds in which the lines of one JavaScript test are taken (13 ms measured in
/// validator.js, of 120 modules).
const TAKEN: f64 = 0.02;
/// What cargo and go may always take, since they build the project's code again.
const BUILD_LIMIT: Duration = Duration::from_secs(60);
/// What a JavaScript runner may always take, which may compile as well.
const NODE_LIMIT: Duration = Duration::from_secs(30);

/// The lines of passing tests, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Passing tests whose lines are known.
    pub tests: usize,
    /// How many of them executed a line; what none did is left out.
    pub lines: BTreeMap<RelPath, BTreeMap<u32, usize>>,
}

impl Spectrum {
    /// Counts the lines of passing tests.
    pub fn of<'c>(passing: impl IntoIterator<Item = &'c Covered>) -> Spectrum {
        let mut spectrum = Spectrum::default();
        for covered in passing {
            spectrum.tests += 1;
            for (path, lines) in covered {
                let counts = spectrum.lines.entry(path.clone()).or_default();
                for line in lines {
                    *counts.entry(*line).or_default() += 1;
                }
            }
        }
        spectrum
    }

    /// Lines that a failing test runs `alone` and not behind passing ones,
    /// `in_company`: every passing test relies on what they did.
    pub fn shared(&mut self, alone: &Covered, in_company: &Covered) {
        let company: BTreeMap<&RelPath, &Vec<u32>> = in_company.iter().map(|(path, lines)| (path, lines)).collect();
        for (path, lines) in alone {
            let again = company.get(path);
            for line in lines.iter().filter(|line| again.is_none_or(|again| !again.contains(line))) {
                self.lines.entry(path.clone()).or_default().insert(*line, self.tests);
            }
        }
    }

    /// How many passing tests executed the line.
    pub fn count(&self, path: &RelPath, line: u32) -> usize {
        self.lines.get(path).and_then(|lines| lines.get(&line)).copied().unwrap_or(0)
    }
}

/// Runs a sample of the tests that passed in `first` and counts their lines;
/// empty where the runner cannot tell lines or nothing passed. `took` is the
/// wall time of that first run. Reproductions of which no lines are known get
/// theirs where this run tells them.
///
/// # Errors
/// The tests cannot be run, or the run is to stop.
pub async fn measure(
    bench: &Bench,
    scratch: &dyn Scratch,
    first: &Report,
    took: Duration,
    reproductions: &mut [Reproduction],
) -> Result<Spectrum, ReproduceError> {
    let failures: Vec<&Failure> = reproductions.iter().map(|reproduction| &reproduction.failure).collect();
    let monitored = bench.python.as_ref().is_some_and(|python| python.version >= (3, 12, 0));
    let (sample, limit) = match bench.project.kind {
        RunnerKind::Pytest | RunnerKind::Unittest => {
            let slower = if monitored { SLOWER } else { SLOWER_BEFORE_3_12 };
            (sample(first, &failures, |test| test.took.as_secs_f64() * slower), LIMIT)
        }
        RunnerKind::Cargo => (sample(first, &failures, cost_of_process), BUILD_LIMIT),
        RunnerKind::Go => {
            let holding = go::blocks(first.tests.iter().map(|test| test.id.as_str()));
            (sample(first, &failures, |test| cost_of_innermost(test, &holding)), BUILD_LIMIT)
        }
        RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node => {
            (sample(first, &failures, |test| test.took.as_secs_f64() * SLOWER + TAKEN), NODE_LIMIT)
        }
        RunnerKind::Command => return Ok(Spectrum::default()),
    };
    let in_passing = bench.project.kind.tells_lines_in_passing();
    // One that runs to its deadline would use up what the others need.
    let again: Vec<String> = reproductions
        .iter()
        .filter(|test| !failures.iter().any(|inner| go::is_subtest(&inner.id, &test.failure.id)))
        .filter(|test| test.failure.kind != Kind::Timeout && test.executed.is_empty() != in_passing)
        .filter(|test| first.test(&test.failure.id).is_some())
        .map(|test| test.failure.id.clone())
        .take(MOST_FAILING)
        .collect();
    if sample.is_empty() || reproductions.iter().all(|test| test.executed.is_empty()) == in_passing {
        return Ok(Spectrum::default());
    }
    // Where the time ends, the sample is cut, and not the failing tests.
    let chosen = again.iter().cloned().chain(sample).collect();
    let mut request = bench.request(Selection::Tests(chosen));
    request.trace_lines = true;
    request.last = again;
    request.time_limit = request.time_limit.min(took.max(limit));
    let report = bench.run(scratch, &request).await?;
    let of = |status| report.tests.iter().filter(move |test| test.status == status && !test.executed.is_empty());
    let mut spectrum = Spectrum::of(of(Status::Passed).map(|test| &test.executed));
    for test in of(Status::Failed) {
        let Some(alone) = reproductions.iter_mut().find(|reproduction| reproduction.failure.id == test.id) else {
            continue;
        };
        if in_passing {
            spectrum.shared(&alone.executed, &test.executed);
        } else {
            alone.executed.clone_from(&test.executed);
        }
    }
    Ok(spectrum)
}

/// Ids of the passing tests to run: those that share most of their name with a
/// failing one first (same class, file, folder), as many as the time allows.
/// `cost` gives the seconds that one will take.
fn sample(first: &Report, failures: &[&Failure], cost: impl Fn(&TestResult) -> f64) -> Vec<String> {
    let near = |test: &TestResult| {
        let shared = failures.iter().map(|failure| shared(&failure.id, &test.id)).max();
        std::cmp::Reverse(shared.unwrap_or(0))
    };
    let mut passing: Vec<&TestResult> = first.tests.iter().filter(|test| test.status == Status::Passed).collect();
    passing.sort_by_key(|test| near(test));
    let mut left = BUDGET.as_secs_f64();
    let mut chosen = Vec::new();
    for test in passing {
        let cost = cost(test);
        if chosen.len() >= MOST_TESTS {
            break;
        }
        // One slow test does not keep the quick ones behind it out.
        if cost <= left {
            left -= cost;
            chosen.push(test.id.clone());
        }
    }
    chosen
}

/// The seconds of a Rust test in a process of its own; a doc test has no lines.
fn cost_of_process(test: &TestResult) -> f64 {
    match Identity::parse(&test.id).map(|identity| identity.what) {
        Some(What::Test(..)) => test.took.as_secs_f64() + PROCESS,
        _ => f64::INFINITY,
    }
}

/// The seconds of a Go test in a process of its own; one that only holds others
/// is known by them.
fn cost_of_innermost(test: &TestResult, holding: &HashSet<&str>) -> f64 {
    if holding.contains(test.id.as_str()) { f64::INFINITY } else { test.took.as_secs_f64() + PROCESS }
}

/// Leading parts that two ids have in common: folders, file, class, function.
fn shared(a: &str, b: &str) -> usize {
    let parts = |id: &'_ str| -> Vec<String> {
        id.split(['/', ':', '.', '[']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    parts(a).iter().zip(&parts(b)).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn test(id: &str, status: Status, took_ms: u64) -> TestResult {
        TestResult { id: id.into(), status, took: Duration::from_millis(took_ms), failure: None, executed: Vec::new() }
    }

    fn failing(id: &str) -> Failure {
        Failure {
            id: id.into(),
            kind: Kind::Assertion,
            message: String::new(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: Vec::new(),
            output: String::new(),
        }
    }

    #[test]
    fn tests_near_the_failing_one_come_first_and_slow_ones_are_left_out() {
        let report = Report {
            tests: vec![
                test("tests/test_b.py::test_far", Status::Passed, 1),
                test("tests/test_a.py::test_slow", Status::Passed, 5000),
                test("tests/test_a.py::A::test_beside", Status::Passed, 1),
                test("tests/test_a.py::A::test_it[1]", Status::Failed, 1),
                test("tests/test_a.py::A::test_it[2]", Status::Passed, 1),
                test("tests/test_a.py::test_skipped", Status::Skipped, 1),
            ],
            ..Report::default()
        };
        let failure = failing("tests/test_a.py::A::test_it[1]");
        let wanted = ["tests/test_a.py::A::test_it[2]", "tests/test_a.py::A::test_beside", "tests/test_b.py::test_far"];
        assert_eq!(sample(&report, &[&failure], |test| test.took.as_secs_f64()), wanted);
    }

    #[test]
    fn a_sample_is_bounded_in_tests_and_in_time() {
        let many = |took| Report {
            tests: (0..1000).map(|number| test(&format!("t.py::test_{number}"), Status::Passed, took)).collect(),
            ..Report::default()
        };
        let failure = failing("t.py::test_x");
        for (took, slower, wanted) in [(0, 20.0, MOST_TESTS), (100, 1.0, 24), (10, 30.0, 8), (60_000, 1.0, 0)] {
            assert_eq!(
                sample(&many(took), &[&failure], |test| test.took.as_secs_f64() * slower).len(),
                wanted,
                "{took} ms, {slower} times"
            );
        }
    }

    #[test]
    fn lines_of_passing_tests_are_counted() {
        let path = RelPath::new("a.py").expect("a path");
        let (one, two) = (vec![(path.clone(), vec![1, 2])], vec![(path.clone(), vec![2])]);
        let spectrum = Spectrum::of([&one, &two]);
        assert_eq!((1..=3).map(|line| spectrum.count(&path, line)).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!(spectrum.tests, 2);
    }

    #[test]
    fn what_a_failing_test_runs_only_when_it_is_alone_is_everybodys() {
        let path = RelPath::new("a.py").expect("a path");
        let of = |lines: &[u32]| vec![(path.clone(), lines.to_vec())];
        let mut spectrum = Spectrum::of([&of(&[5]), &of(&[5, 6])]);
        spectrum.shared(&of(&[1, 2, 5, 6]), &of(&[5, 6]));
        let counts: Vec<usize> = (1..=6).map(|line| spectrum.count(&path, line)).collect();
        assert_eq!(counts, [2, 2, 0, 0, 2, 1]);
    }
}
