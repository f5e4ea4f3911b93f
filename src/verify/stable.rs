//! Gate `stable`: the target passes again, and again under another hash seed,
//! order and time zone.
//!
//! A variation that the unpatched tree's other tests do not stand either is
//! no fault of the patch (DECISIONS 20).

use super::Gate;
use super::Miss;
use super::Target;
use super::near::file_part;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::patch::Patch;
use crate::runner::Selection;
use crate::runner::Status;
use crate::runner::Variation;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "stable",
    missed_when: "the target does not pass three times of three, with hash seed, order and time zone varied",
    runs_tests: true,
};

/// What is varied beside the plain run. The zones lie on both sides of UTC,
/// one with half an hour.
const VARIATIONS: [Variation; 2] = [
    Variation { hash_seed: Some(1), reverse: false, time_zone: Some("Asia/Kolkata") },
    Variation { hash_seed: Some(4_294_967_291), reverse: true, time_zone: Some("America/Los_Angeles") },
];

/// Other tests that are asked whether they stand a variation.
const WITNESSES: usize = 50;

/// Runs the target under each variation; `passed_before` counts the plain run
/// of the target gate. `repeats`: runs that the policy asks for; those beside
/// the varied ones are plain.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
    baseline: &Baseline,
    repeats: usize,
) -> Result<Result<Target, Miss>, TrialError> {
    let mut target = Target { passed: 1, runs: 1 };
    for mut variation in VARIATIONS {
        // What needs the tests before it needs them before it.
        variation.reverse &= !aim.needs_company();
        scratch.lay(patch)?;
        let mut request = bench.request(aim.selection.clone());
        request.variation = variation;
        let report = bench.run(scratch, &request).await?;
        target.runs += 1;
        let Err(miss) = super::target::judge(aim, &report) else {
            target.passed += 1;
            continue;
        };
        // Once more without the variation: unstable as such?
        let plain = bench.run(scratch, &bench.request(aim.selection.clone())).await?;
        if let Err(again) = super::target::judge(aim, &plain) {
            return Ok(Err(Miss::new(&GATE, format!("the target does not always pass: {}", again.detail))
                .with_output(again.output)));
        }
        if base_stands(bench, scratch, aim, baseline, variation).await? {
            return Ok(Err(Miss::new(&GATE, format!("with another hash seed, order or time zone: {}", miss.detail))
                .with_output(miss.output)));
        }
        target.passed += 1;
    }
    scratch.lay(patch)?;
    while target.runs < repeats {
        let report = bench.run(scratch, &bench.request(aim.selection.clone())).await?;
        target.runs += 1;
        if let Err(miss) = super::target::judge(aim, &report) {
            let (run, detail) = (target.runs, miss.detail);
            return Ok(Err(Miss::new(&GATE, format!("the target does not always pass, here in run {run}: {detail}"))
                .with_output(miss.output)));
        }
        target.passed += 1;
    }
    Ok(Ok(target))
}

/// Whether the unpatched tree's passing tests of the same files stand the
/// variation.
async fn base_stands(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    aim: &Aim,
    baseline: &Baseline,
    variation: Variation,
) -> Result<bool, TrialError> {
    let files: Vec<&str> = aim.failures.iter().map(|failure| file_part(&failure.failure.id)).collect();
    let passing = baseline.tests.iter().filter(|(_, status)| **status == Status::Passed);
    let witnesses: Vec<String> =
        passing.map(|(id, _)| id).filter(|id| files.contains(&file_part(id))).take(WITNESSES).cloned().collect();
    if witnesses.is_empty() {
        return Ok(true);
    }
    scratch.restore()?;
    let mut request = bench.request(Selection::Tests(witnesses));
    request.variation = variation;
    let report = bench.run(scratch, &request).await?;
    Ok(report.complete && report.count(Status::Failed) == 0)
}
