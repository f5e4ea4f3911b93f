//! Reproduce: the same failure again, or the reason why not.
//!
//! Runs only what failed. A failure counts when it comes back in the same
//! form; what passes and fails on the same tree is flaky, and what fails only
//! in company is order-dependent (DESIGN, "detect"; DECISIONS 11).

use std::collections::BTreeSet;

use super::bench::Bench;
use super::bench::BenchError;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;
use crate::scratch::Scratch;
use crate::scratch::ScratchError;
use crate::source::RelPath;

/// Runs after the first two, where those disagree.
const MORE_RUNS: usize = 3;

/// How a failure behaved when it was run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It fails each time.
    Reproduced,
    /// It passes and fails on the same tree.
    Flaky,
    /// It fails in the suite and passes alone.
    OrderDependent,
    /// It did not fail at all.
    NotReproduced,
}

/// A failure and what came of running it again.
#[derive(Clone, Debug)]
pub struct Reproduction {
    /// The failure as first seen.
    pub failure: Failure,
    /// How it behaved.
    pub outcome: Outcome,
    /// Runs that failed.
    pub failed: usize,
    /// Runs in all.
    pub runs: usize,
    /// Every form it took; the same tree without a patch must show one of them.
    pub fingerprints: BTreeSet<String>,
    /// Lines of the repository the test executed, where they are known.
    pub executed: Vec<(RelPath, Vec<u32>)>,
    /// Whether it is shown when the runner is asked for it alone; else only the
    /// whole suite shows it.
    pub by_itself: bool,
    /// Whether that is since the test needs what others before it leave.
    pub in_company: bool,
}

/// Why reproducing stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReproduceError {
    /// The tests could not be run.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The scratch could not be kept.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

impl Reproduction {
    fn new(failure: &Failure) -> Reproduction {
        Reproduction {
            fingerprints: [failure.fingerprint()].into(),
            failure: failure.clone(),
            outcome: Outcome::Reproduced,
            failed: 1,
            runs: 1,
            executed: Vec::new(),
            by_itself: true,
            in_company: false,
        }
    }

    /// Whether `failure` is this one again. Where the words were different
    /// from run to run on the same tree, they cannot tell: then the same thing
    /// raised at the same place is the same failure.
    pub fn is_same(&self, failure: &Failure) -> bool {
        let varies = self.outcome == Outcome::Reproduced && self.fingerprints.len() > 2;
        self.fingerprints.contains(&failure.fingerprint()) || (varies && self.failure.outline() == failure.outline())
    }

    fn record(&mut self, report: &Report) {
        self.runs += 1;
        if let Some(failure) = find(report, &self.failure.id) {
            self.failed += 1;
            self.fingerprints.insert(failure.fingerprint());
        }
    }

    /// Whether the test fails `alone` too, each time in one way, and not as it
    /// did in the suite: what it needs was left by the tests before it.
    fn is_another(&self, alone: &[Option<String>]) -> bool {
        let is_one = alone.iter().all(|fingerprint| fingerprint.is_some() && *fingerprint == alone[0]);
        is_one && alone[0] != Some(self.failure.fingerprint())
    }

    /// Whether the suite shows the failure as it was first seen.
    fn is_back(&self, suite: &Report) -> bool {
        let first = self.failure.fingerprint();
        find(suite, &self.failure.id).is_some_and(|failure| failure.fingerprint() == first)
    }

    /// Forgets the runs alone: only two of the suite show this failure.
    fn take_company(&mut self, suite: &Report) {
        (self.by_itself, self.in_company) = (false, true);
        self.fingerprints = [self.failure.fingerprint()].into();
        self.executed = suite.test(&self.failure.id).map(|test| test.executed.clone()).unwrap_or_default();
        (self.failed, self.runs) = (2, 2);
    }

    fn disagrees(&self) -> bool {
        self.failed != self.runs || self.fingerprints.len() > 1
    }
}

/// The failure of that name in a report: a test's, or one that belongs to none.
pub fn find<'r>(report: &'r Report, id: &str) -> Option<&'r Failure> {
    report.failures().find(|failure| failure.id == id)
}

/// The selection that shows these failures: their tests, or the suite where
/// one of them belongs to no test.
pub fn selection(report: &Report, failures: &[&Failure]) -> Selection {
    let ids: Vec<String> = failures.iter().map(|failure| failure.id.clone()).collect();
    let all_tests = ids.iter().all(|id| report.test(id).is_some());
    if all_tests && !ids.is_empty() { Selection::Tests(ids) } else { Selection::All }
}

/// The selection that shows these failures again.
pub fn selection_of(report: &Report, members: &[Reproduction]) -> Selection {
    if members.iter().any(|member| !member.by_itself) {
        return Selection::All;
    }
    selection(report, &members.iter().map(|member| &member.failure).collect::<Vec<_>>())
}

/// Whether a run says anything of `id`: a test that did not run did not pass.
fn tells_of(report: &Report, id: &str) -> bool {
    report.test(id).is_some() || find(report, id).is_some()
}

/// Runs the failures of `first` again until each has its outcome.
///
/// `whole` says whether `first` was a run of the whole suite: only then can a
/// failure be order-dependent.
///
/// # Errors
/// The tests cannot be run, or the run is to stop.
pub async fn reproduce(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    first: &Report,
    wanted: &[&Failure],
    whole: bool,
) -> Result<Vec<Reproduction>, ReproduceError> {
    let mut found: Vec<Reproduction> = wanted.iter().map(|failure| Reproduction::new(failure)).collect();
    // What ran into its deadline once is not given all of it again.
    let (endless, others): (Vec<&Failure>, Vec<&Failure>) =
        wanted.iter().partition(|failure| failure.kind == Kind::Timeout && first.test(&failure.id).is_some());
    for (group, limit) in [(others, bench.limits.test), (endless, bench.limits.brief)] {
        if group.is_empty() {
            continue;
        }
        scratch.restore()?;
        let mut request = bench.request(selection(first, &group));
        request.test_limit = limit;
        // The second run also shows which lines the tests execute.
        request.trace_lines = bench.project.kind.tells_lines_in_passing();
        let mut second = bench.run(scratch, &request).await?;
        let silent = |failure: &&Failure| !tells_of(&second, &failure.id);
        let is_chosen = request.selection != Selection::All;
        let unheard: BTreeSet<&str> =
            group.iter().copied().filter(|failure| is_chosen && silent(failure)).map(|f| f.id.as_str()).collect();
        if !unheard.is_empty() {
            scratch.restore()?;
            request.selection = Selection::All;
            second = bench.run(scratch, &request).await?;
        }
        let ids: BTreeSet<&str> = group.iter().map(|failure| failure.id.as_str()).collect();
        for reproduction in found.iter_mut().filter(|one| ids.contains(one.failure.id.as_str())) {
            reproduction.by_itself = !unheard.contains(reproduction.failure.id.as_str());
            reproduction.record(&second);
            if let Some(test) = second.test(&reproduction.failure.id) {
                reproduction.executed.clone_from(&test.executed);
            }
        }
    }
    if found.iter().any(Reproduction::disagrees) {
        settle(bench, scratch, first, &mut found, whole).await?;
    }
    Ok(found)
}

/// Runs what disagreed more often, alone, and in company once more.
async fn settle(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    first: &Report,
    found: &mut [Reproduction],
    whole: bool,
) -> Result<(), ReproduceError> {
    for reproduction in found.iter_mut().filter(|reproduction| reproduction.disagrees()) {
        let chosen = selection_of(first, std::slice::from_ref(reproduction));
        let by_itself = chosen != Selection::All;
        let mut alone = Vec::new();
        for _ in 0..MORE_RUNS {
            scratch.restore()?;
            let report = bench.run(scratch, &bench.request(chosen.clone())).await?;
            reproduction.record(&report);
            alone.push(find(&report, &reproduction.failure.id).map(Failure::fingerprint));
        }
        if whole && by_itself && reproduction.is_another(&alone) {
            scratch.restore()?;
            let mut request = bench.request(Selection::All);
            request.trace_lines = bench.project.kind.tells_lines_in_passing();
            let report = bench.run(scratch, &request).await?;
            if reproduction.is_back(&report) {
                reproduction.take_company(&report);
                continue;
            }
        }
        // Alone it always passed (the first failure was in the suite): does
        // the suite make it fail again?
        if whole && by_itself && reproduction.failed == 1 {
            scratch.restore()?;
            let report = bench.run(scratch, &bench.request(Selection::All)).await?;
            let fails = report.test(&reproduction.failure.id).is_some_and(|test| test.status == Status::Failed);
            reproduction.runs += 1;
            reproduction.failed += usize::from(fails);
            if fails {
                reproduction.outcome = Outcome::OrderDependent;
                continue;
            }
        }
        // A failure whose words vary but that never passes is one all the
        // same: every form it took counts.
        reproduction.outcome =
            if reproduction.failed == reproduction.runs { Outcome::Reproduced } else { Outcome::Flaky };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str) -> Failure {
        Failure {
            id: "t".into(),
            kind: Kind::Exception,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        }
    }

    #[test]
    fn words_that_differ_in_every_run_do_not_tell_failures_apart() {
        let mut steady = Reproduction::new(&failure("KeyError: 'a'"));
        assert!(!steady.is_same(&failure("KeyError: 'd'")));
        for key in ["b", "c"] {
            steady.fingerprints.insert(failure(&format!("KeyError: '{key}'")).fingerprint());
        }
        assert!(steady.is_same(&failure("KeyError: 'd'")));
        assert!(!steady.is_same(&failure("ValueError: 'd'")));
    }
}
