//! Gate `cause`: with the patch taken out again, in the same scratch, the
//! target fails as before (A/B/A; DECISIONS 13).
//!
//! Proves two things at once: that the scratch is what the tests exercise, and
//! that the patch is the cure.

use std::time::Duration;

use super::Gate;
use super::Miss;
use super::integrity::Guard;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::detect::reproduce;
use crate::patch::Patch;
use crate::runner::Report;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "cause",
    missed_when: "with the patch taken out again, the target does not fail as before",
    runs_tests: true,
};

/// What the evidence says of a patch that passes.
pub const PROVEN: &str = "fails-passes-fails";

/// Takes the patch out and runs the target; `took` is the longest time a test
/// of it took with the patch. Where the patched code leaves something in the
/// tree, that alone must not cure either: else the patch, which is gone with
/// it, was not the cure.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    guard: &Guard,
    aim: &Aim,
    took: Duration,
) -> Result<Result<(), Miss>, TrialError> {
    let leaves = scratch.leaves(patch);
    scratch.restore()?;
    let mut request = bench.request(aim.selection.clone());
    if aim.is_endless() {
        // It has run into its whole deadline before; still running after
        // several times what the patched code takes is the same again.
        request.test_limit = bench.limits.brief.max(took * 4).min(bench.limits.test);
    }
    let report = bench.run(scratch, &request).await?;
    let compared = compare(aim, &report);
    if compared.is_err() || !leaves {
        return Ok(compared);
    }
    // Of the target's runs alone: other tests leave what they need themselves.
    scratch.lay(patch)?;
    bench.run(scratch, &bench.request(aim.selection.clone())).await?;
    // What it does to the tests is for `integrity` to say.
    let laid = patch.changes().iter().map(|change| &change.path).chain(guard.files());
    if !scratch.strip(&laid.cloned().collect::<Vec<_>>())? {
        return Ok(Ok(()));
    }
    let report = bench.run(scratch, &request).await?;
    Ok(match aim.failures.iter().find(|one| reproduce::find(&report, &one.failure.id).is_none()) {
        None => Ok(()),
        Some(cured) => Err(Miss::new(
            &GATE,
            format!("what the patched code leaves in the tree cures {} without it", cured.failure.id),
        )),
    })
}

fn compare(aim: &Aim, report: &Report) -> Result<(), Miss> {
    for reproduction in &aim.failures {
        let id = &reproduction.failure.id;
        match reproduce::find(report, id) {
            None => return Err(Miss::new(&GATE, format!("{id} passes without the patch"))),
            Some(failure) if !reproduction.is_same(failure) => {
                return Err(Miss::new(
                    &GATE,
                    format!("without the patch {id} fails in another way: {}", failure.message),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
