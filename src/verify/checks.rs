//! Whether the failing test still checks anything while the patched code runs:
//! code can take the checks away that look at it, and then change with its own
//! lines all that the test says. What is changed here are not those lines.
//!
//! A part of gate `strength`: where nothing is noticed, the patch is `only-weak`.

use super::Miss;
use super::mutants;
use super::plant;
use super::plant::Instead;
use super::strength;
use super::target;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::failure::Kind;
use crate::patch::Patch;
use crate::runner::Report;
use crate::scratch::Scratch;

/// Changes beside the patch that are tried at most.
const MOST: usize = 4;

/// What the failing test said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Noticed,
    Unnoticed,
    /// It does not build, or something else than a check failed.
    Unknown,
}

/// Changes the values that the patched functions give, then what stands beside the
/// patch, until the failing test notices. Where it does not, and yet gets to where
/// those values are given, the patch is missed.
///
/// # Errors
/// Only where the tests cannot be run.
pub(super) async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
) -> Result<Result<(), Miss>, TrialError> {
    // That a test comes to an end may be all that it asks for.
    if aim.failures.is_empty() || aim.is_endless() {
        return Ok(Ok(()));
    }
    let other_values = [Instead::Nothing, Instead::Something].into_iter().filter_map(|one| plant::giving(patch, one));
    let mut is_unnoticed = false;
    for changed in other_values {
        match ask(bench, scratch, &changed, aim).await? {
            Told::Noticed => return Ok(Ok(())),
            Told::Unnoticed => is_unnoticed = true,
            Told::Unknown => {}
        }
    }
    let Some(end) = plant::giving(patch, Instead::TheEnd).filter(|_| is_unnoticed) else { return Ok(Ok(())) };
    let executed: Vec<_> = aim.failures.iter().flat_map(|failure| failure.executed.iter().cloned()).collect();
    for mutant in mutants::beside(patch, &executed, MOST) {
        if ask(bench, scratch, &mutant.patch, aim).await? == Told::Noticed {
            return Ok(Ok(()));
        }
    }
    if ask(bench, scratch, &end, aim).await? == Told::Unnoticed {
        return Ok(Ok(()));
    }
    let detail = "the failing test passes whatever the patched functions give, and whatever else is changed beside the \
                  patch: it does not look at them, or its checks are gone";
    Ok(Err(Miss::new(&strength::GATE, detail)))
}

async fn ask(bench: &Bench, scratch: &mut dyn Scratch, changed: &Patch, aim: &Aim) -> Result<Told, TrialError> {
    scratch.lay(changed)?;
    let report = bench.run(scratch, &bench.request(aim.selection.clone())).await?;
    Ok(told(aim, &report))
}

fn told(aim: &Aim, report: &Report) -> Told {
    if report.problems.iter().any(|problem| problem.kind == Kind::CompileError) {
        return Told::Unknown;
    }
    if target::judge(aim, report).is_ok() {
        return Told::Unnoticed;
    }
    if strength::fails_by_check(aim, report) || !strength::is_checked(aim) { Told::Noticed } else { Told::Unknown }
}
