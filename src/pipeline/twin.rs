//! The same change from a rule and from a model.
//!
//! A rule guesses, so more is asked of its patch than of a model's; a model
//! that writes the same change has a reason for it, and its trial counts. Runs
//! nothing.

use super::hunt::Hunt;
use super::rivals::RULE;
use super::workers::MODEL;
use super::workers::Tried;
use crate::propose::Candidate;
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

    /// Takes the same change by another source out of what is shown; `false`
    /// where it is shown as a model's already.
    pub(super) fn forget_twin(&mut self, verified: &Candidate) -> bool {
        let same = |patch: &crate::patch::Patch| *patch == verified.patch;
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
