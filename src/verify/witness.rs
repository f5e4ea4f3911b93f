//! Witnesses: tests that passed before and execute the statements a patch
//! changes.
//!
//! No gate: it refuses nothing, it counts. Where only the failing tests run
//! the changed statements, nothing that is known to be right speaks for them:
//! any change that satisfies those tests passes. A fault is planted before
//! each changed statement, and who turns red has been there.

use super::near::Near;
use super::plant;
use super::plant::MARK;
use super::plant::Manner;
use super::plant::Way;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;
use crate::scratch::Scratch;

/// Counts the witnesses of `patch`: among the tests of `near`, and where none
/// of those is one and others were left out, in the whole suite. `None` where
/// that cannot be told: the patch changes no function, the fault does not
/// build, or results of single tests are not known. Leaves the scratch with
/// the fault in it.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn count(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
    near: &Near,
    baseline: &Baseline,
) -> Result<Option<usize>, TrialError> {
    let Some(planted) = plant::plant(patch, &[], Way::Hunks, Manner::Raises) else { return Ok(None) };
    if baseline.tests.is_empty() {
        return Ok(None);
    }
    let nearby: Vec<String> = near.first.iter().chain(&near.rest).filter(|id| !is_target(aim, id)).cloned().collect();
    let mut selections = Vec::new();
    if !nearby.is_empty() {
        selections.push(Selection::Tests(nearby));
    }
    if near.cut || selections.is_empty() {
        selections.push(Selection::All);
    }
    scratch.lay(&planted)?;
    for selection in selections {
        let report = bench.run(scratch, &bench.request(selection)).await?;
        match read(&report, aim, baseline) {
            Some(0) => {}
            told => return Ok(told),
        }
    }
    Ok(Some(0))
}

fn is_target(aim: &Aim, id: &str) -> bool {
    aim.failures.iter().any(|reproduction| reproduction.failure.id == id)
}

/// The tests that passed before, are no target and now fail; `None` where the
/// run did not come to its end by the fault alone.
fn read(report: &Report, aim: &Aim, baseline: &Baseline) -> Option<usize> {
    let speaks = |text: &str| text.contains(MARK);
    if report.problems.iter().any(|problem| !speaks(&problem.message) && !speaks(&problem.output)) {
        return None;
    }
    let red = report.tests.iter().filter(|test| {
        test.status == Status::Failed
            && baseline.tests.get(&test.id) == Some(&Status::Passed)
            && !baseline.flaky.contains(&test.id)
            && !is_target(aim, &test.id)
    });
    Some(red.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::failure::Kind;
    use crate::runner::TestResult;
    use crate::verify::special::Literals;

    #[test]
    fn who_passed_before_and_turns_red_is_a_witness() {
        let test = |id: &str, status: Status| TestResult {
            id: id.into(),
            status,
            took: Default::default(),
            failure: None,
            executed: vec![],
        };
        let aim = Aim { failures: vec![], selection: Selection::All, literals: Literals::default() };
        let mut baseline = Baseline::default();
        for (id, status) in [("a", Status::Passed), ("b", Status::Failed), ("c", Status::Passed), ("d", Status::Passed)]
        {
            baseline.tests.insert(id.into(), status);
        }
        baseline.flaky.insert("d".into());
        let tests = [("a", Status::Failed), ("b", Status::Failed), ("c", Status::Passed), ("d", Status::Failed)];
        let mut report = Report { tests: tests.map(|(id, status)| test(id, status)).to_vec(), ..Report::default() };
        assert_eq!(read(&report, &aim, &baseline), Some(1));
        report.problems.push(Failure {
            id: "build".into(),
            kind: Kind::CompileError,
            message: "mismatched types".into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        });
        assert_eq!(read(&report, &aim, &baseline), None, "what does not build tells nothing");
    }
}
