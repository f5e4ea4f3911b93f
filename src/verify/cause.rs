//! Gate `cause`: with the patch taken out again, in the same scratch, the
//! target fails as before (A/B/A; DECISIONS 13).
//!
//! Proves two things at once: that the scratch is what the tests exercise, and
//! that the patch is the cure.

use std::time::Duration;

use super::Gate;
use super::Miss;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::detect::reproduce;
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
/// of it took with the patch.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    aim: &Aim,
    took: Duration,
) -> Result<Result<(), Miss>, TrialError> {
    scratch.restore()?;
    let mut request = bench.request(aim.selection.clone());
    if aim.is_endless() {
        // It has run into its whole deadline before; still running after
        // several times what the patched code takes is the same again.
        request.test_limit = bench.limits.brief.max(took * 4).min(bench.limits.test);
    }
    let report = bench.run(scratch, &request).await?;
    Ok(compare(aim, &report))
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
