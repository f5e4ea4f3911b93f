//! The same change from a rule and from a model.
//!
//! A rule guesses, so more is asked of its patch than of a model's; a model
//! that writes the same change has a reason for it, and what the trial of the
//! one showed counts for the other. Runs nothing.

use std::time::Duration;

use super::hunt::Hunt;
use super::rivals::RULE;
use super::workers::MODEL;
use super::workers::Tried;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::verify::Proved;
use crate::verify::Verdict;
use crate::verify::trial::identity;

impl Hunt<'_> {
    /// What was tried; of a model's verified patch that a rule wrote as well,
    /// the evidence says so.
    pub(super) fn with_twin(&self, mut tried: Tried) -> Tried {
        if let Verdict::Verified(proved) = &mut tried.verdict
            && tried.candidate.origin.kind == MODEL
        {
            let identity = identity(&tried.candidate.patch);
            let is_twin = |other: &Tried| {
                other.candidate.origin.kind == RULE && self::identity(&other.candidate.patch) == identity
            };
            proved.evidence.agreement += usize::from(self.tried.iter().any(is_twin));
        }
        tried
    }

    /// Takes what waits of a model, and a rule's trial has verified, for tried.
    pub(super) fn spare_twins(&mut self) {
        let proved: Vec<&Patch> = self.proved_of_rules().map(|(patch, _)| patch).collect();
        let waiting = self.crew.take_waiting(|one| one.origin.kind == MODEL && proved.contains(&&one.patch));
        let others = self.without_twins(waiting);
        self.crew.enqueue(others, true);
    }

    /// The candidates that are to be tried: those that a model wrote and a rule's
    /// trial has verified are noted, since the same would be executed again.
    pub(super) fn without_twins(&mut self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        let mut untried = Vec::new();
        for candidate in candidates {
            let twin =
                self.proved_of_rules().find(|(patch, _)| candidate.origin.kind == MODEL && **patch == candidate.patch);
            match twin.map(|(_, proved)| proved.clone()) {
                Some(proved) => {
                    let verdict = Verdict::Verified(Box::new(proved));
                    self.note(Tried { candidate, verdict, took: Duration::ZERO });
                }
                None => untried.push(candidate),
            }
        }
        untried
    }

    /// What rules wrote and trials have verified.
    fn proved_of_rules(&self) -> impl Iterator<Item = (&Patch, &Proved)> {
        self.tried.iter().filter(|tried| tried.candidate.origin.kind == RULE).filter_map(|tried| match &tried.verdict {
            Verdict::Verified(proved) => Some((&tried.candidate.patch, &**proved)),
            Verdict::Missed(_) => None,
        })
    }

    /// Takes the same change by another source out of what is shown; `false`
    /// where it is shown as a model's already.
    pub(super) fn forget_twin(&mut self, verified: &Candidate) -> bool {
        let same = |patch: &Patch| *patch == verified.patch;
        if verified.origin.kind == RULE && self.ended.proposals.iter().any(|proposal| same(&proposal.patch)) {
            return false;
        }
        let before = self.ended.proposals.len();
        self.ended.proposals.retain(|proposal| !same(&proposal.patch));
        self.ended.counts.verified -= before - self.ended.proposals.len();
        let diff = verified.patch.diff();
        self.ended.leads.retain(|lead| lead.diff != diff);
        true
    }
}
