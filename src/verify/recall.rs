//! What trials have shown of a patch that does not hang on the failure it was
//! tried for: one fault often fails many tests, and the patch that cured the
//! first is tried for each. The suite is not run for it anew, nor a mutant that
//! was noticed already.
//!
//! Remembers what one run has seen of one snapshot, in memory; judges nothing.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::patch::Patch;
use crate::runner::Report;

/// What trials of one run have shown.
#[derive(Debug, Default)]
pub struct Recall {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By the digest of a patch that has verified.
    verified: HashMap<String, Whole>,
    /// Digests of mutants that tests have noticed.
    killed: HashSet<String>,
}

#[derive(Debug)]
struct Whole {
    report: Report,
    took: Duration,
    /// Tests that passed before and run what it changes.
    witnesses: usize,
}

impl Recall {
    /// Keeps what the suite said with `patch`, which has verified.
    pub(super) fn keep(&self, patch: &Patch, report: Report, took: Duration, witnesses: Option<usize>) {
        let whole = Whole { report, took, witnesses: witnesses.unwrap_or_default() };
        self.seen().verified.insert(patch.digest(), whole);
    }

    /// What the suite said with `patch`, and how long it took.
    pub(super) fn suite(&self, patch: &Patch) -> Option<(Report, Duration)> {
        self.seen().verified.get(&patch.digest()).map(|whole| (whole.report.clone(), whole.took))
    }

    /// How many tests were found to run what `patch` changes, if any was:
    /// beside another target there may be others.
    pub(super) fn witnesses(&self, patch: &Patch) -> Option<usize> {
        self.seen().verified.get(&patch.digest()).map(|whole| whole.witnesses).filter(|count| *count > 0)
    }

    /// Notes a mutant that a test has noticed.
    pub(super) fn note_killed(&self, mutant: &Patch) {
        self.seen().killed.insert(mutant.digest());
    }

    /// Whether a test has noticed the mutant.
    pub(super) fn is_killed(&self, mutant: &Patch) -> bool {
        self.seen().killed.contains(&mutant.digest())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    fn patch(after: &str) -> Patch {
        Patch::of_file(RelPath::new("a.py").expect("path"), "a = 1\n", after)
    }

    #[test]
    fn what_was_seen_is_known_of_that_patch_alone() {
        let recall = Recall::default();
        let (one, other) = (patch("a = 2\n"), patch("a = 3\n"));
        recall.keep(&one, Report { complete: true, ..Report::default() }, Duration::from_secs(3), Some(4));
        recall.note_killed(&other);
        let (report, took) = recall.suite(&one).expect("kept");
        assert!(report.complete && took == Duration::from_secs(3));
        assert_eq!((recall.witnesses(&one), recall.is_killed(&one)), (Some(4), false));
        assert!(recall.suite(&other).is_none() && recall.witnesses(&other).is_none() && recall.is_killed(&other));
    }

    #[test]
    fn a_patch_that_no_test_was_found_to_run_is_looked_at_again() {
        let recall = Recall::default();
        for none in [None, Some(0)] {
            recall.keep(&patch("a = 2\n"), Report::default(), Duration::ZERO, none);
            assert_eq!(recall.witnesses(&patch("a = 2\n")), None);
        }
    }
}
