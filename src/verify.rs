//! Trials: a candidate's way through the gates, and the evidence it leaves.
//!
//! Never speaks to a model and never writes outside its scratch.

mod alone;
mod bound;
pub mod build;
pub mod cause;
mod checks;
pub mod constructs;
pub mod control;
mod data;
pub mod distinct;
pub mod integrity;
pub mod minimal;
pub mod mutants;
pub mod near;
pub mod plant;
pub mod policy;
pub mod probe;
pub mod rank;
pub mod recall;
pub mod scan;
pub mod sieve;
pub mod special;
pub mod stable;
pub mod strength;
pub mod suite;
pub mod syntax;
pub mod target;
pub mod trial;
pub mod witness;

use serde::Deserialize;
use serde::Serialize;

use crate::patch::Patch;

pub use trial::Proof;
pub use trial::Trials;

/// One check a candidate must pass.
pub struct Gate {
    /// Its name, in evidence and in words.
    pub name: &'static str,
    /// A candidate misses it when…
    pub missed_when: &'static str,
    /// Whether it runs the tests.
    pub runs_tests: bool,
}

/// The gates in the order they are walked; the first miss ends the trial.
///
/// What runs nothing comes first, then what runs the patched tree as it was
/// built for the target. Behind it stand the gates that change the patched
/// code and so build again, once each: `cause` takes the patch out, `control`
/// and `strength` plant faults in it. The patch is never put in again.
pub static GATES: &[Gate] = &[
    policy::GATE,
    distinct::GATE,
    syntax::GATE,
    scan::GATE,
    build::GATE,
    target::GATE,
    integrity::GATE,
    minimal::GATE,
    near::GATE,
    suite::GATE,
    special::GATE,
    stable::GATE,
    cause::GATE,
    control::GATE,
    strength::GATE,
];

/// What is named in the place of a gate where patches that pass all of them
/// behave differently.
pub const RIVALS: &str = "rivals";

/// The gates whose miss means that a patch passes and the tests do not hold
/// it: a lead, never a proposal.
pub fn is_weak(gate: &str) -> bool {
    gate == strength::GATE.name || gate == special::GATE.name || gate == RIVALS
}

/// Whether a gate runs no test: what it refuses was never tried.
pub fn is_screen(gate: &str) -> bool {
    [policy::GATE, distinct::GATE, syntax::GATE, scan::GATE].iter().any(|screen| screen.name == gate)
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every gate was passed.
    Verified(Box<Proved>),
    /// The first gate that was missed.
    Missed(Miss),
}

/// A patch that passed every gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Proved {
    /// The patch that was proved: the candidate's, or what `minimal` left of
    /// it.
    pub patch: Patch,
    /// What executed evidence says of it.
    pub evidence: Evidence,
    /// Tests that failed before and pass now.
    pub cured: Vec<String>,
}

/// A gate that a candidate missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// The gate.
    pub gate: String,
    /// How, in one line.
    pub detail: String,
    /// What the tests or the compiler printed about it; may be empty.
    pub output: String,
}

impl Miss {
    /// A miss of `gate`, with no output.
    pub(crate) fn new(gate: &Gate, detail: impl Into<String>) -> Miss {
        Miss { gate: gate.name.to_owned(), detail: detail.into(), output: String::new() }
    }

    fn with_output(mut self, output: impl Into<String>) -> Miss {
        self.output = output.into();
        self
    }
}

/// What executed evidence says of a verified patch; the `evidence` object of
/// the JSON contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Tests that passed before and execute the statements that the patch
    /// changes; `None` where that is not known. With 0 the failing tests alone
    /// speak for it.
    #[serde(default)]
    pub witnesses: Option<usize>,
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
    /// Hunks that were taken out of the candidate: layout, comments, and what
    /// no test executes.
    #[serde(default)]
    pub taken_out: usize,
}

impl Evidence {
    /// Whether the tests killed every one of several mutants.
    pub fn is_strong(&self) -> bool {
        self.strength.as_ref().is_some_and(|strength| strength.mutants >= 4 && strength.killed == strength.mutants)
    }
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
    /// How many of those make a condition always the same that the tests do
    /// not take both ways (a fault planted on the other way goes unnoticed too),
    /// or that the patch itself writes.
    #[serde(default)]
    pub one_way: usize,
    /// Mutants of the statement and the function around the patch, where its
    /// own lines have fewer than two; no part of the numbers above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Around>,
}

/// Mutants of the code around a patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Around {
    /// Made.
    pub mutants: usize,
    /// Killed by a test.
    pub killed: usize,
}
