//! The same change from a rule and from a model: what became of the one is
//! what becomes of the other.
//!
//! A rule guesses, so more is asked of its patch than of a model's; a model
//! that writes the same change has a reason for it, and says more than a second
//! trial of it could. Runs nothing.

use super::hunt::Hunt;
use super::rivals::RULE;
use super::workers::MODEL;
use super::workers::Tried;
use crate::propose::Candidate;
use crate::verify::Verdict;
use crate::verify::distinct;
use crate::verify::trial::identity;

impl Hunt<'_> {
    /// What was tried, or, where a rule and a model wrote the same change, the
    /// model's candidate with the verdict of the one that went on trial.
    pub(super) fn with_twin(&self, tried: Tried) -> Tried {
        let identity = identity(&tried.candidate.patch);
        let twin = self
            .tried
            .iter()
            .rev()
            .find(|other| is_twin(&tried, other) && self::identity(&other.candidate.patch) == identity);
        let Some(twin) = twin else { return tried };
        let (first, candidate) = match tried.candidate.origin.kind == MODEL {
            true => (twin, &tried.candidate),
            false => (&tried, &twin.candidate),
        };
        let patch = first.candidate.patch.clone();
        let mut verdict = first.verdict.clone();
        if let Verdict::Verified(proved) = &mut verdict {
            proved.evidence.agreement += 1;
        }
        Tried { candidate: Candidate { patch, ..candidate.clone() }, verdict, took: tried.took }
    }

    /// Takes the same change by another source out of what is shown.
    pub(super) fn forget_twin(&mut self, verified: &Candidate) {
        let before = self.ended.proposals.len();
        self.ended.proposals.retain(|proposal| proposal.patch != verified.patch);
        self.ended.counts.verified -= before - self.ended.proposals.len();
        let diff = verified.patch.diff();
        self.ended.leads.retain(|lead| lead.diff != diff);
    }
}

/// Whether one is a rule's that went on trial, and the other a model's that did
/// not, because the same change had.
fn is_twin(one: &Tried, other: &Tried) -> bool {
    let was_tried = |tried: &Tried| tried.candidate.origin.kind == RULE && !is_duplicate(tried);
    let was_not = |tried: &Tried| tried.candidate.origin.kind == MODEL && is_duplicate(tried);
    (was_tried(one) && was_not(other)) || (was_not(one) && was_tried(other))
}

fn is_duplicate(tried: &Tried) -> bool {
    matches!(&tried.verdict, Verdict::Missed(miss) if miss.gate == distinct::GATE.name)
}
