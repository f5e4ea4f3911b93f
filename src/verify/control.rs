//! Gate `control`: with a fault planted in the patched code, the target turns
//! red through the runner's own channel (DECISIONS 14).
//!
//! Proves that the target executes what the patch changes, and that a failure
//! in there would be heard. What it cannot tell is `unmeasured`, not a miss.

use super::Gate;
use super::Miss;
use super::plant;
use super::plant::MARK;
use super::plant::Manner;
use super::plant::Way;
use super::target;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::detect::Reproduction;
use crate::failure::Kind;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "control",
    missed_when: "a fault planted in the patched code does not turn the target red",
    runs_tests: true,
};

/// What the evidence says where the target noticed.
pub const RED: &str = "red";

/// The same where only the end of the process was noticed.
pub const RED_AT_LAST: &str = "red, once the process ended there";

/// What a run with a fault planted showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Red,
    Green,
    /// The fault itself does not compile.
    Unbuilt,
}

/// Plants the fault and runs the target; `None` where that cannot be done.
///
/// A fault that raises may be what the test wants (`should_panic`) or be
/// swallowed; so it is no miss before one that ends the process passes too.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
) -> Result<Result<Option<String>, Miss>, TrialError> {
    let executed: Vec<_> = aim.failures.iter().flat_map(|failure| failure.executed.iter().cloned()).collect();
    let ways = plant::ways(patch, &executed);
    for manner in [Manner::Raises, Manner::Ends] {
        for way in &ways {
            let Some(planted) = plant::plant(patch, &executed, *way, manner) else { continue };
            scratch.lay(&planted)?;
            let report = bench.run(scratch, &bench.request(aim.selection.clone())).await?;
            match seen(aim, &report) {
                Seen::Red if manner == Manner::Raises => return Ok(Ok(Some(RED.to_owned()))),
                Seen::Red => return Ok(Ok(Some(RED_AT_LAST.to_owned()))),
                Seen::Unbuilt => return Ok(Ok(None)),
                Seen::Green => {}
            }
        }
    }
    if ways.is_empty() || ways.contains(&Way::Everywhere) || !is_told_by_tests(aim) {
        return Ok(Ok(None));
    }
    let names = patch.files().iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    Ok(Err(Miss::new(
        &GATE,
        format!("a fault planted in the patched code of {names} changes nothing: the test does not execute it"),
    )))
}

/// Whether what failed are tests: a file that could not be loaded or compiled
/// need not execute what was wrong with it.
fn is_told_by_tests(aim: &Aim) -> bool {
    let Selection::Tests(ids) = &aim.selection else { return false };
    aim.failures.iter().all(|reproduction| ids.contains(&reproduction.failure.id))
}

fn seen(aim: &Aim, report: &Report) -> Seen {
    let speaks = |text: &str| text.contains(MARK);
    if report
        .problems
        .iter()
        .any(|problem| problem.kind == Kind::CompileError && !speaks(&problem.message) && !speaks(&problem.output))
    {
        return Seen::Unbuilt;
    }
    if report.failures().any(|failure| speaks(&failure.message) || speaks(&failure.output)) && !is_told_by_tests(aim) {
        return Seen::Red;
    }
    let red = |reproduction: &Reproduction| {
        let alone = Aim { failures: vec![reproduction.clone()], ..aim.clone() };
        target::judge(&alone, report).is_err()
    };
    if aim.failures.iter().all(red) { Seen::Red } else { Seen::Green }
}
