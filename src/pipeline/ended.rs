//! How a hunt ended: verified patches, leads, and what it cost.
//!
//! Data alone.

use std::time::Duration;

use super::reason::Reason;
use crate::patch::Patch;
use crate::propose::Origin;
use crate::report::Cost;
use crate::report::Counts;
use crate::report::LeadReport;
use crate::verify::Evidence;

/// A verified patch.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its id in the ledger.
    pub id: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// The patch.
    pub patch: Patch,
    /// The root cause and the change.
    pub explanation: String,
    /// What executed evidence says.
    pub evidence: Evidence,
    /// The proposer's own order: higher was tried sooner.
    pub prior: f64,
}

impl Proposal {
    /// Puts proposals in an order that does not depend on which trial ended
    /// first, before evidence ranks them: it leaves equals as they are.
    pub fn unhurried(proposals: &mut [Proposal]) {
        proposals.sort_by(|one, other| {
            other.prior.total_cmp(&one.prior).then_with(|| one.patch.diff().cmp(&other.patch.diff()))
        });
    }
}

/// How a hunt ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Verified patches, best first.
    pub proposals: Vec<Proposal>,
    /// Patches that passed the failing test and missed a later gate.
    pub leads: Vec<LeadReport>,
    /// What became of the candidates.
    pub counts: Counts,
    /// Why nothing is proposed.
    pub reason: Option<Reason>,
    /// What models cost.
    pub cost: Cost,
    /// Time spent waiting for models.
    pub model_time: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn proposals_of_equal_evidence_come_in_one_order_whichever_trial_ended_first() {
        let proposal = |after: &str, prior: f64| Proposal {
            id: None,
            origin: Origin { kind: "rule".into(), name: "guard".into() },
            patch: Patch::of_file(RelPath::new("a.py").expect("path"), "a\n", after),
            explanation: String::new(),
            evidence: Evidence::default(),
            prior,
        };
        let mut one = vec![proposal("b\n", 0.2), proposal("d\n", 0.5), proposal("c\n", 0.5)];
        let mut other = vec![one[2].clone(), one[0].clone(), one[1].clone()];
        Proposal::unhurried(&mut one);
        Proposal::unhurried(&mut other);
        let diffs = |proposals: &[Proposal]| proposals.iter().map(|proposal| proposal.patch.diff()).collect::<Vec<_>>();
        assert_eq!(diffs(&one), diffs(&other));
        assert!(one[0].patch.diff().contains("+c"), "the higher prior, then the text");
    }
}
