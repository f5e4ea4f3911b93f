//! Candidates: patches nobody has checked, from rules and from models.
//!
//! Touches no file of the project and starts no command: evidence in,
//! candidates out.

use serde::Deserialize;
use serde::Serialize;

use crate::patch::Patch;

/// Where a candidate came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// `rule`, `compiler`, `model` or `person`.
    pub kind: String,
    /// The rule's name, or the model's (`anthropic/claude-…`).
    pub name: String,
}

/// A patch nobody has checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Unique within the run (`c17`).
    pub id: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it changes.
    pub patch: Patch,
    /// The root cause and the change, in one or two sentences.
    pub explanation: String,
    /// The proposer's own order: higher is tried sooner. Ranks nothing else.
    pub prior: f64,
}

pub mod model;
pub mod provider;
