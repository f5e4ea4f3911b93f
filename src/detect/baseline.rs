//! What every test does before any patch.
//!
//! Compares reports; runs nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::runner::Report;
use crate::runner::Status;

/// The suite's results on the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// How each test ended.
    pub tests: BTreeMap<String, Status>,
    /// How many subtests were skipped of tests that went on.
    pub skipped_subtests: BTreeMap<String, usize>,
    /// Tests that passed and failed on the same tree: they decide nothing.
    pub flaky: BTreeSet<String>,
    /// Longest time a single test took that came to its own end, passed or
    /// failed.
    pub slowest: Duration,
    /// Time of all tests together, one after the other.
    pub took: Duration,
    /// How long the command ran.
    pub lasted: Duration,
    /// Whether the suite could be run to its end.
    pub complete: bool,
    /// Set where only an exit code is known.
    pub exit_only: Option<bool>,
    /// Names of failures that belong to no test.
    pub problems: BTreeSet<String>,
}

/// How a patched suite differs from the baseline. Ids of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Failed now, not before.
    pub newly_failing: Vec<String>,
    /// There before, not now.
    pub missing: Vec<String>,
    /// Skipped (or expected to fail) now, not before; or more of its subtests
    /// are.
    pub newly_skipped: Vec<String>,
    /// Failed now and before.
    pub already_failing: Vec<String>,
    /// Failures of no test that were not there before.
    pub new_problems: Vec<String>,
}

impl Difference {
    /// Whether nothing got worse.
    pub fn is_clean(&self) -> bool {
        self.newly_failing.is_empty()
            && self.missing.is_empty()
            && self.newly_skipped.is_empty()
            && self.new_problems.is_empty()
    }
}

impl Baseline {
    /// The baseline that a full run of the suite gives.
    pub fn of(report: &Report) -> Baseline {
        let timed_out = |failure: &Failure| failure.kind == Kind::Timeout;
        let ended = report.tests.iter().filter(|test| !test.failure.as_ref().is_some_and(timed_out));
        Baseline {
            tests: report.tests.iter().map(|test| (test.id.clone(), test.status)).collect(),
            skipped_subtests: report.skipped_subtests.clone(),
            flaky: BTreeSet::new(),
            slowest: ended.map(|test| test.took).max().unwrap_or_default(),
            took: report.tests.iter().map(|test| test.took).sum(),
            lasted: report.lasted,
            complete: report.complete,
            exit_only: report.exit_only,
            problems: report.problems.iter().map(|problem| problem.id.clone()).collect(),
        }
    }

    /// How long the suite takes; `None` where the command does not tell, as it ended
    /// early or much of what it runs failed at once.
    pub fn usual(&self) -> Option<Duration> {
        let failed = self.tests.values().filter(|status| **status == Status::Failed).count();
        let ran = self.complete && self.problems.is_empty() && failed <= (self.tests.len() / 10).max(1);
        (ran && !self.lasted.is_zero()).then_some(self.lasted)
    }

    /// Takes a second run of the same tree into account: whoever changed
    /// between passed and failed is flaky.
    pub fn merge(&mut self, report: &Report) {
        for test in &report.tests {
            let before = self.tests.get(&test.id);
            let flips = matches!(
                (before, test.status),
                (Some(Status::Passed), Status::Failed) | (Some(Status::Failed), Status::Passed)
            );
            if flips {
                self.flaky.insert(test.id.clone());
            }
        }
    }

    /// How `report`, the suite with a patch, differs.
    pub fn compare(&self, report: &Report) -> Difference {
        let mut difference = Difference::default();
        let mut seen = BTreeSet::new();
        for test in &report.tests {
            seen.insert(test.id.as_str());
            if self.flaky.contains(&test.id) {
                continue;
            }
            let before = self.tests.get(&test.id).copied();
            let skipped = |subtests: &BTreeMap<String, usize>| subtests.get(&test.id).copied().unwrap_or_default();
            let list = match (before, test.status) {
                (Some(Status::Failed), Status::Failed) => &mut difference.already_failing,
                (_, Status::Failed) => &mut difference.newly_failing,
                (Some(Status::Skipped), Status::Skipped) | (Some(Status::ExpectedFailure), Status::ExpectedFailure) => {
                    continue;
                }
                // A test that was not there before and is skipped hides nothing.
                (Some(_), Status::Skipped | Status::ExpectedFailure) => &mut difference.newly_skipped,
                (Some(_), Status::Passed) if skipped(&report.skipped_subtests) > skipped(&self.skipped_subtests) => {
                    &mut difference.newly_skipped
                }
                _ => continue,
            };
            list.push(test.id.clone());
        }
        difference.missing =
            self.tests.keys().filter(|id| !seen.contains(id.as_str()) && !self.flaky.contains(*id)).cloned().collect();
        difference.new_problems =
            report.problems.iter().map(|problem| problem.id.clone()).filter(|id| !self.problems.contains(id)).collect();
        difference
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::runner::TestResult;

    fn report(rows: &[(&str, Status)]) -> Report {
        let tests = rows.iter().map(|(id, status)| TestResult {
            id: (*id).into(),
            status: *status,
            took: Duration::ZERO,
            failure: None,
            executed: vec![],
        });
        Report { tests: tests.collect(), complete: true, ..Report::default() }
    }

    #[test]
    fn a_patched_suite_is_compared_test_by_test() {
        use Status::*;
        let baseline = Baseline::of(&report(&[
            ("a", Passed),
            ("b", Failed),
            ("c", Passed),
            ("d", Passed),
            ("e", Skipped),
            ("f", Failed),
        ]));
        let with_patch =
            report(&[("a", Failed), ("b", Passed), ("c", Skipped), ("e", Skipped), ("f", Failed), ("new", Passed)]);
        let difference = baseline.compare(&with_patch);
        assert_eq!(
            difference,
            Difference {
                newly_failing: vec!["a".into()],
                missing: vec!["d".into()],
                newly_skipped: vec!["c".into()],
                already_failing: vec!["f".into()],
                new_problems: vec![],
            }
        );
        assert!(!difference.is_clean());
    }

    #[test]
    fn a_suite_that_ended_early_or_failed_at_once_does_not_tell_how_long_it_takes() {
        let ids: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
        let took = |failed: usize, tests: usize| {
            let status = |n: usize| if n < failed { Status::Failed } else { Status::Passed };
            let rows: Vec<_> = ids[..tests].iter().enumerate().map(|(n, id)| (id.as_str(), status(n))).collect();
            Report { lasted: Duration::from_secs(3), ..report(&rows) }
        };
        let early = Report { complete: false, ..took(1, 20) };
        let problem = crate::trace::ground::bare("conftest.py".into(), Kind::Collection, "ImportError".into());
        let unloaded = Report { problems: vec![problem], ..took(1, 20) };
        for (report, tells) in [
            (took(0, 20), true),
            (took(2, 20), true),
            (took(3, 20), false),
            (took(1, 2), true),
            (took(2, 2), false),
            (early, false),
            (unloaded, false),
            (Report { lasted: Duration::ZERO, ..took(0, 20) }, false),
        ] {
            assert_eq!(Baseline::of(&report).usual().is_some(), tells, "{report:?}");
        }
    }

    #[test]
    fn a_test_that_skips_more_of_its_subtests_is_newly_skipped() {
        use Status::*;
        let with = |status: Status, skipped: usize| Report {
            skipped_subtests: BTreeMap::from([("a".into(), skipped)]),
            ..report(&[("a", status)])
        };
        for (before, now, newly) in
            [((Failed, 1), (Passed, 1), false), ((Failed, 0), (Passed, 1), true), ((Passed, 2), (Passed, 3), true)]
        {
            let difference = Baseline::of(&with(before.0, before.1)).compare(&with(now.0, now.1));
            assert_eq!(!difference.newly_skipped.is_empty(), newly, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_test_that_flips_on_the_same_tree_decides_nothing() {
        use Status::*;
        let mut baseline = Baseline::of(&report(&[("a", Passed), ("b", Passed)]));
        baseline.merge(&report(&[("a", Failed), ("b", Passed)]));
        assert!(baseline.compare(&report(&[("a", Failed), ("b", Passed)])).is_clean());
    }
}
