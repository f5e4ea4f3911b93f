//! The queue of a crew: which candidate goes on trial next.
//!
//! Orders what waits; tries nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::propose::Candidate;
use crate::verify::Miss;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Candidate>,
    /// Candidates whose target was still running at the brief deadline. They
    /// are tried again when nothing else waits.
    pub(super) late: VecDeque<Late>,
    /// The kinds of the candidates that are on trial.
    pub(super) on_trial: Vec<String>,
    /// Patches that verified and that nobody has looked at yet: they may spare
    /// the trials of what waits.
    pub(super) unseen: usize,
    pub(super) closed: bool,
    /// Time spent in first trials, and in second ones, by all workers.
    pub(super) first_trials: Duration,
    pub(super) late_trials: Duration,
}

/// A candidate that needs more time, or never ends.
pub(super) struct Late {
    pub(super) candidate: Candidate,
    pub(super) miss: Miss,
    pub(super) took: Duration,
}

/// What a worker does next.
pub(super) enum Work {
    /// The candidate's first trial.
    Try(Candidate),
    /// The same with the full deadline.
    TryAgain(Late),
    /// Too much time went into such candidates: it stays as it was.
    Leave(Late),
}

impl Work {
    pub(super) fn kind(&self) -> String {
        match self {
            Work::Try(candidate) => candidate.origin.kind.clone(),
            Work::TryAgain(late) | Work::Leave(late) => late.candidate.origin.kind.clone(),
        }
    }
}

impl Queue {
    /// What is to be done next. What came of a model's candidates is what it
    /// is asked again with, so none of them waits for those of rules, which may
    /// be hundreds.
    pub(super) fn next(&mut self) -> Option<Work> {
        let of_model = |candidate: &Candidate| candidate.origin.kind == MODEL;
        let late = match self.waiting.front() {
            Some(first) if of_model(first) => None,
            Some(_) => self.late.iter().position(|late| of_model(&late.candidate)),
            None => (!self.late.is_empty()).then_some(0),
        };
        if let Some(late) = late.and_then(|at| self.late.remove(at)) {
            let spent = self.late_trials > (self.first_trials / 4).max(LATE_TRIALS);
            return Some(if spent { Work::Leave(late) } else { Work::TryAgain(late) });
        }
        self.waiting.pop_front().map(Work::Try)
    }
}

/// The kind of a model's candidates.
pub(in crate::pipeline) const MODEL: &str = "model";

/// Time that second trials may take together before they must stay below a
/// quarter of that of the first ones: few of them end at all.
const LATE_TRIALS: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Patch;
    use crate::propose::Origin;

    fn candidate(id: &str, kind: &str) -> Candidate {
        Candidate {
            id: id.into(),
            origin: Origin { kind: kind.into(), name: "x".into() },
            patch: Patch::default(),
            explanation: String::new(),
            prior: 1.0,
        }
    }

    #[test]
    fn no_candidate_of_a_model_waits_for_those_of_rules() {
        let late = |id: &str, kind: &str| {
            let miss = Miss { gate: "target".into(), detail: String::new(), output: String::new() };
            Late { candidate: candidate(id, kind), miss, took: Duration::ZERO }
        };
        let mut queue = Queue {
            waiting: [candidate("m1", MODEL), candidate("r1", "rule"), candidate("r2", "rule")].into(),
            late: [late("r3", "rule"), late("m2", MODEL)].into(),
            ..Queue::default()
        };
        let mut order = Vec::new();
        while let Some(work) = queue.next() {
            order.push(match work {
                Work::Try(candidate) => candidate.id,
                Work::TryAgain(late) => format!("{} again", late.candidate.id),
                Work::Leave(late) => format!("{} left", late.candidate.id),
            });
        }
        assert_eq!(order, ["m1", "m2 again", "r1", "r2", "r3 again"]);
    }
}
