//! Gate `target`: what failed passes now.
//!
//! Reads a report; a test counts as passed only through the runner's own
//! channel, and only when the run came to its proper end.

use std::time::Duration;

use super::Gate;
use super::Miss;
use super::special::Literals;
use crate::detect::Baseline;
use crate::detect::Reproduction;
use crate::failure::Kind;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;

/// The gate.
pub const GATE: Gate = Gate {
    name: "target",
    missed_when: "the failing test still fails, is skipped, or does not report",
    runs_tests: true,
};

/// What a patch is to cure: the failures of one cluster.
#[derive(Clone, Debug)]
pub struct Aim {
    /// The failures, each reproduced.
    pub failures: Vec<Reproduction>,
    /// The tests to run to see them.
    pub selection: Selection,
    /// The literals of the failing tests.
    pub literals: Literals,
}

impl Aim {
    /// Whether every failure is a test that does not end.
    pub fn is_endless(&self) -> bool {
        self.failures.iter().all(|reproduction| reproduction.failure.kind == Kind::Timeout)
    }

    /// Whether a test needs what others before it leave.
    pub fn needs_company(&self) -> bool {
        self.failures.iter().any(|reproduction| reproduction.in_company)
    }

    /// A failing test of `report` that is another form of one of these (other
    /// parameters) and failed in the baseline too: one function under test,
    /// one fault, and so a cure of some forms alone fits those by chance.
    pub fn form_that_still_fails<'r>(&self, report: &'r Report, baseline: &Baseline) -> Option<&'r str> {
        let own: Vec<&str> = self.failures.iter().map(|reproduction| reproduction.failure.id.as_str()).collect();
        let is_form = |id: &str| id.contains('[') && own.iter().any(|of| of.split('[').next() == id.split('[').next());
        let failed = report.tests.iter().filter(|test| test.status == Status::Failed).map(|test| test.id.as_str());
        let known = |id: &str| baseline.tests.get(id) == Some(&Status::Failed) && !baseline.flaky.contains(id);
        failed.filter(|id| !own.contains(id)).find(|id| is_form(id) && known(id))
    }

    /// Whether a test of it was ended at its deadline.
    pub fn ran_out(&self, report: &Report) -> bool {
        let of = |reproduction: &Reproduction| crate::detect::reproduce::find(report, &reproduction.failure.id);
        self.failures.iter().filter_map(of).any(|failure| failure.kind == Kind::Timeout)
    }

    /// The longest time a test of it took.
    pub fn longest(&self, report: &Report) -> Duration {
        let of = |reproduction: &Reproduction| report.test(&reproduction.failure.id);
        self.failures.iter().filter_map(of).map(|test| test.took).max().unwrap_or_default()
    }
}

/// Judges a run with the patch in.
pub fn judge(aim: &Aim, report: &Report) -> Result<(), Miss> {
    for reproduction in &aim.failures {
        let id = &reproduction.failure.id;
        if let Some(failure) = crate::detect::reproduce::find(report, id) {
            let same = if reproduction.is_same(failure) { "fails as before" } else { "fails in another way" };
            return Err(
                Miss::new(&GATE, format!("{id} {same}: {}", failure.message)).with_output(failure.output.clone())
            );
        }
        if let Some(test) = report.test(id)
            && test.status != Status::Passed
        {
            return Err(Miss::new(&GATE, format!("{id} is skipped")));
        }
        let expected_test = matches!(&aim.selection, Selection::Tests(ids) if ids.contains(id));
        if expected_test && report.test(id).is_none() {
            return Err(Miss::new(&GATE, format!("{id} did not report a result"))
                .with_output(report.incomplete_why.clone().unwrap_or_default()));
        }
    }
    if let Some(passed) = report.exit_only {
        return if passed { Ok(()) } else { Err(Miss::new(&GATE, "the command still fails")) };
    }
    if !report.complete {
        let why = report.incomplete_why.clone().unwrap_or_else(|| "the run did not come to its end".into());
        return Err(Miss::new(&GATE, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::runner::TestResult;

    fn failure(id: &str) -> Failure {
        Failure {
            id: id.into(),
            kind: Kind::Assertion,
            message: "assert 1 == 2".into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        }
    }

    fn aim() -> Aim {
        let reproduction = Reproduction {
            failure: failure("t"),
            outcome: crate::detect::Outcome::Reproduced,
            failed: 2,
            runs: 2,
            fingerprints: [failure("t").fingerprint()].into(),
            executed: vec![],
            by_itself: true,
            in_company: false,
        };
        Aim {
            failures: vec![reproduction],
            selection: Selection::Tests(vec!["t".into()]),
            literals: Literals::default(),
        }
    }

    fn report(status: Option<Status>, complete: bool) -> Report {
        let test = |status| TestResult {
            id: "t".into(),
            status,
            took: Duration::ZERO,
            failure: (status == Status::Failed).then(|| failure("t")),
            executed: vec![],
        };
        Report { tests: status.map(test).into_iter().collect(), complete, ..Report::default() }
    }

    #[test]
    fn only_a_reported_pass_of_a_finished_run_counts() {
        for (status, complete, passes) in [
            (Some(Status::Passed), true, true),
            (Some(Status::Passed), false, false),
            (Some(Status::Failed), true, false),
            (Some(Status::Skipped), true, false),
            (Some(Status::ExpectedFailure), true, false),
            (None, true, false),
        ] {
            assert_eq!(judge(&aim(), &report(status, complete)).is_ok(), passes, "{status:?} {complete}");
        }
    }

    #[test]
    fn another_form_of_the_same_test_that_fails_as_before_is_found() {
        let test = |id: &str, status| TestResult {
            id: id.into(),
            status,
            took: Duration::ZERO,
            failure: (status == Status::Failed).then(|| failure(id)),
            executed: vec![],
        };
        let mut aim = aim();
        aim.failures[0].failure.id = "t.py::rows[2]".into();
        let suite = |of| Report {
            tests: vec![
                test("t.py::rows[2]", Status::Passed),
                test("t.py::rows[x[3]]", of),
                test("t.py::other[2]", Status::Failed),
            ],
            ..Report::default()
        };
        let baseline = Baseline::of(&suite(Status::Failed));
        assert_eq!(aim.form_that_still_fails(&suite(Status::Failed), &baseline), Some("t.py::rows[x[3]]"));
        assert_eq!(aim.form_that_still_fails(&suite(Status::Passed), &baseline), None);
        // What passed before is the suite's affair.
        assert_eq!(aim.form_that_still_fails(&suite(Status::Failed), &Baseline::of(&suite(Status::Passed))), None);
    }

    #[test]
    fn an_opaque_command_is_judged_by_its_exit_code() {
        let aim = Aim { selection: Selection::All, ..aim() };
        for passed in [true, false] {
            let report = Report { exit_only: Some(passed), ..Report::default() };
            assert_eq!(judge(&aim, &report).is_ok(), passed);
        }
    }
}
