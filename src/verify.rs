//! Trials: a candidate's way through the gates, and the evidence it leaves.
//!
//! Never speaks to a model and never writes outside its scratch.

use serde::Deserialize;
use serde::Serialize;

/// What executed evidence says of a verified patch; the `evidence` object of
/// the JSON contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Times the target passed, of times it was run.
    pub target: Target,
    /// The suite against the baseline; `None` where only an exit code is known.
    pub suite: Option<SuiteCounts>,
    /// `fails-passes-fails`, or what was seen instead.
    pub cause: String,
    /// `red` where a planted panic turned the target red; `None` where that
    /// was not tried.
    pub control: Option<String>,
    /// Mutants of the patched code; `None` where that was not tried.
    pub strength: Option<Strength>,
    /// `held`, or what was touched.
    pub integrity: String,
    /// The scratch method.
    pub scratch: String,
    /// The containment that was achieved.
    pub sandbox: String,
    /// Which suite stands for "nothing else broke": `given`, `all`, `near`.
    pub suite_scope: String,
    /// Independent sources that proposed the same change.
    pub agreement: usize,
}

/// The target's runs with the patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Runs in which every target passed.
    pub passed: usize,
    /// Runs.
    pub runs: usize,
}

/// The suite with the patch, against the baseline. Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteCounts {
    /// Passed now.
    pub passed: usize,
    /// Failed now.
    pub failed: usize,
    /// Failed now and before.
    pub already_failing: usize,
    /// Failed now, not before.
    pub newly_failing: usize,
    /// There before, not now.
    pub missing: usize,
    /// Skipped now, not before.
    pub newly_skipped: usize,
}

/// Mutants of the patched code and what the tests did to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strength {
    /// Made.
    pub mutants: usize,
    /// Killed by a test.
    pub killed: usize,
    /// The others, in words.
    pub survivors: Vec<String>,
}
