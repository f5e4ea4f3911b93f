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
