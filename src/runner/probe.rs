//! The differential probe's question and its answer, as they go through the
//! channel into a Python test process and back (`heal_probe.py`).
//!
//! Holds values; what the answer means for patches is read in `verify`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::source::RelPath;

/// What a test process is asked to compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// The files' texts in each variant, the same files in all. The first is
    /// the original, without any patch.
    pub variants: Vec<BTreeMap<RelPath, String>>,
    /// Which variant lies in the scratch.
    pub laid: usize,
    /// Calls tried at most.
    pub inputs: usize,
    /// Seconds of wall time at most, after the tests.
    pub seconds: f64,
}

/// What the test process answers. Variants are counted as in the question.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Answer {
    /// Why nothing could be probed; empty where something was.
    pub why: String,
    /// Calls of the patched functions that the tests made.
    pub calls: usize,
    /// Calls that were tried with every patch.
    pub inputs: usize,
    /// Variants that could not be probed, with the reason.
    pub unprobed: Vec<(usize, String)>,
    /// Pairs of variants that behave differently; at most one for a pair.
    pub differences: Vec<Found>,
}

/// A call on which two variants behave differently.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Found {
    /// The variants.
    pub pair: (usize, usize),
    /// The call, as source text.
    pub call: String,
    /// What it comes to with the one, with the other, and with the original.
    pub outcomes: (Outcome, Outcome, Outcome),
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ends", content = "text", rename_all = "lowercase")]
pub enum Outcome {
    /// It returns this.
    Returns(String),
    /// It yields these items, a list.
    Yields(String),
    /// It raises an exception of this type.
    Raises(String),
    /// It returns as the other does, and leaves its arguments (the object, for
    /// a method) like this; empty where they are as before.
    Leaves(String),
    /// It does not end within its limit, or ends its process.
    Endless,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Returns(value) => write!(f, "returns {value}"),
            Outcome::Yields(items) => write!(f, "yields {items}"),
            Outcome::Raises(kind) => write!(f, "raises {kind}"),
            Outcome::Leaves(values) if values.is_empty() => f.write_str("changes no argument"),
            Outcome::Leaves(values) => write!(f, "leaves {values}"),
            Outcome::Endless => f.write_str("does not end"),
        }
    }
}
