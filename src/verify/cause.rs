//! Gate `cause`: with the patch taken out again, in the same scratch, the
//! target fails as before (A/B/A; DECISIONS 13).
//!
//! Proves two things at once: that the scratch is what the tests exercise, and
//! that the patch is the cure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Gate;
use super::Miss;
use super::integrity::Guard;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::detect::Reproduction;
use crate::detect::reproduce;
use crate::failure::Failure;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Request;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "cause",
    missed_when: "with the patch taken out again, the target does not fail as before",
    runs_tests: true,
};

/// What the evidence says of a patch that passes.
pub const PROVEN: &str = "fails-passes-fails";

/// Runs of the unpatched tree that follow one which failed in another way.
const MORE_RUNS: usize = 3;

/// Forms of which a failure may take one or the other; that of a test with more
/// is random.
const FORMS: usize = 3;

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
    request.start_limit = bench.limits.beside_target();
    if aim.is_endless() {
        // It has run into its whole deadline before; still running after
        // several times what the patched code takes is the same again.
        request.test_limit = bench.limits.brief.max(took * 4).min(bench.limits.test);
    }
    let report = bench.run(scratch, &request).await?;
    let mut compared = compare(aim, &report);
    if compared.is_err() && is_there(aim, &report) && always_differs(bench, scratch, aim, &request, report).await? {
        compared = Ok(());
    }
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

/// Whether the target, which failed in another way in `report`, does so whenever it
/// runs on the unpatched tree.
async fn always_differs(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    aim: &Aim,
    request: &Request,
    report: Report,
) -> Result<bool, TrialError> {
    let mut reports = vec![report];
    for _ in 0..MORE_RUNS {
        scratch.restore()?;
        reports.push(bench.run(scratch, request).await?);
    }
    Ok(aim.failures.iter().all(|one| {
        let seen = reports.iter().map(|report| reproduce::find(report, &one.failure.id));
        seen.collect::<Option<Vec<_>>>().is_some_and(|seen| one.is_same(seen[0]) || is_random(one, &seen))
    }))
}

/// Whether a failure was another one of its kind whenever its test ran, as that of a
/// test of random steps is: then it cannot be asked to be as before. On a tree that
/// something broke it would be one and the same.
fn is_random(one: &Reproduction, seen: &[&Failure]) -> bool {
    let forms: BTreeSet<String> = seen.iter().map(|failure| failure.fingerprint()).collect();
    let forms = forms.union(&one.fingerprints).count();
    seen.iter().all(|failure| failure.kind == one.failure.kind) && forms > FORMS
}

/// Whether every failure of the target is in a report, in whatever form.
fn is_there(aim: &Aim, report: &Report) -> bool {
    aim.failures.iter().all(|one| reproduce::find(report, &one.failure.id).is_some())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::reproduce::Outcome;
    use crate::failure::Kind;

    fn failure(kind: Kind, message: &str) -> Failure {
        crate::trace::ground::bare("t".into(), kind, message.into())
    }

    #[test]
    fn a_failure_of_many_forms_is_random_and_one_of_two_is_not() {
        let first = failure(Kind::Assertion, "AssertionError: a");
        let one = Reproduction {
            fingerprints: [first.fingerprint()].into(),
            failure: first,
            outcome: Outcome::Reproduced,
            failed: 2,
            runs: 2,
            executed: Vec::new(),
            by_itself: true,
            in_company: false,
        };
        for (seen, random) in [
            (["b", "c", "d", "e"], true),
            (["b", "c", "d", "c"], true),
            (["b", "b", "b", "b"], false),
            (["b", "b", "a", "b"], false),
            (["b", "c", "b", "a"], false),
        ] {
            let seen = seen.map(|word| failure(Kind::Assertion, &format!("AssertionError: {word}")));
            assert_eq!(is_random(&one, &seen.iter().collect::<Vec<_>>()), random, "{seen:?}");
        }
        let other = ["b", "c", "d", "e"].map(|word| failure(Kind::Exception, &format!("AssertionError: {word}")));
        assert!(!is_random(&one, &other.iter().collect::<Vec<_>>()), "of another kind");
    }
}
