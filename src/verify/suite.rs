//! Gate `suite`: nothing that worked stops working.
//!
//! Compares the suite with the patch against the baseline; what got worse is
//! looked at on the unpatched tree too, since a test that fails there now and
//! then says nothing about the patch.

use super::Gate;
use super::Miss;
use super::SuiteCounts;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::detect::baseline::Difference;
use crate::detect::reproduce::find;
use crate::failure::Kind;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "suite",
    missed_when: "anything newly fails, vanishes, or is newly skipped, against the baseline",
    runs_tests: true,
};

/// Runs of the unpatched tree that a newly failing test must pass before the
/// patch is blamed.
const BASE_RUNS: usize = 2;

/// Tests that may be given more time.
const MOST_LATE: usize = 3;

/// How many times the deadline they are given.
const MORE_TIME: u32 = 5;

/// Judges the suite with the patch in. The counts go into the evidence; `None`
/// where only an exit code is known.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    baseline: &Baseline,
    mut report: Report,
) -> Result<Result<Option<SuiteCounts>, Miss>, TrialError> {
    if let Some(passed) = report.exit_only {
        return Ok(if passed { Ok(None) } else { Err(Miss::new(&GATE, "the command fails")) });
    }
    if !report.complete && baseline.complete {
        let why = report.incomplete_why.clone().unwrap_or_else(|| "the suite did not come to its end".into());
        return Ok(Err(Miss::new(&GATE, why)));
    }
    let mut difference = baseline.compare(&report);
    if ran_out(&report, &difference) {
        give_time(bench, scratch, patch, &mut report, &difference).await?;
        difference = baseline.compare(&report);
    }
    let mut baseline = baseline.clone();
    if !difference.newly_failing.is_empty() && difference.newly_failing.len() <= 20 {
        quarantine(bench, scratch, &mut baseline, &difference).await?;
        difference = baseline.compare(&report);
        scratch.lay(patch)?;
    }
    let counts = SuiteCounts {
        passed: report.count(Status::Passed),
        failed: report.count(Status::Failed),
        already_failing: difference.already_failing.len(),
        newly_failing: difference.newly_failing.len(),
        missing: difference.missing.len(),
        newly_skipped: difference.newly_skipped.len(),
    };
    Ok(match describe(&difference) {
        None => Ok(Some(counts)),
        Some(detail) => Err(Miss::new(&GATE, detail).with_output(first_output(&report, &difference))),
    })
}

/// Whether all that newly fails was still running at its deadline.
fn ran_out(report: &Report, difference: &Difference) -> bool {
    let timed_out = |id: &String| find(report, id).is_some_and(|failure| failure.kind == Kind::Timeout);
    let newly = &difference.newly_failing;
    !newly.is_empty() && newly.len() <= MOST_LATE && newly.iter().all(timed_out)
}

/// Runs what was still running at its deadline again, with more time: on a busy
/// machine a test with processes of its own may be late, patch or not.
async fn give_time(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    report: &mut Report,
    difference: &Difference,
) -> Result<(), TrialError> {
    scratch.lay(patch)?;
    let mut request = bench.request(Selection::Tests(difference.newly_failing.clone()));
    request.test_limit *= MORE_TIME;
    let again = bench.run(scratch, &request).await?;
    for test in report.tests.iter_mut().filter(|test| difference.newly_failing.contains(&test.id)) {
        if let Some(passed) = again.test(&test.id).filter(|test| test.status == Status::Passed) {
            *test = passed.clone();
        }
    }
    Ok(())
}

/// Runs the newly failing tests on the unpatched tree: who fails there too was
/// flaky all along.
async fn quarantine(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    baseline: &mut Baseline,
    difference: &Difference,
) -> Result<(), TrialError> {
    for _ in 0..BASE_RUNS {
        scratch.restore()?;
        let report = bench.run(scratch, &bench.request(Selection::Tests(difference.newly_failing.clone()))).await?;
        baseline.merge(&report);
    }
    Ok(())
}

fn describe(difference: &Difference) -> Option<String> {
    let first = |ids: &[String], what: &str| {
        let more = if ids.len() > 1 { format!(" and {} more", ids.len() - 1) } else { String::new() };
        ids.first().map(|id| format!("{id}{more} {what}"))
    };
    first(&difference.newly_failing, "newly fails")
        .or_else(|| first(&difference.new_problems, "no longer loads"))
        .or_else(|| first(&difference.missing, "is gone"))
        .or_else(|| first(&difference.newly_skipped, "is newly skipped"))
}

fn first_output(report: &Report, difference: &Difference) -> String {
    let ids = difference.newly_failing.iter().chain(&difference.new_problems);
    let mut failures = ids.filter_map(|id| report.failures().find(|failure| &failure.id == id));
    failures.next().map(|failure| format!("{}\n{}", failure.message, failure.output)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_news_comes_first() {
        let difference = Difference {
            newly_failing: vec!["a".into(), "b".into()],
            missing: vec!["c".into()],
            ..Difference::default()
        };
        assert_eq!(describe(&difference).as_deref(), Some("a and 1 more newly fails"));
        assert_eq!(
            describe(&Difference { missing: vec!["c".into()], ..Difference::default() }).as_deref(),
            Some("c is gone")
        );
        assert_eq!(describe(&Difference { already_failing: vec!["d".into()], ..Difference::default() }), None);
    }
}
