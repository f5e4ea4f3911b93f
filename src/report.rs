//! What a run found, as one document: for people, for scripts, for reviews.
//!
//! Turns data into text; prints nothing and writes nothing.

pub mod annotations;
pub mod explain;
pub mod html;
pub mod json;
pub mod junit;
mod lay;
pub mod markdown;
mod open_ends;
pub mod reason;
pub mod request;
pub mod sarif;
pub mod stats;
pub mod text;
mod words;

#[cfg(test)]
pub(crate) mod samples;

pub use lay::clean;
pub use lay::fit;

use serde::Deserialize;
use serde::Serialize;

use crate::failure::Kind;
use crate::propose::Origin;
use crate::source::RelPath;
use crate::verify::Evidence;

/// One run of `fix` or `verify`; serialises to the JSON contract
/// (`heal.fix/1`, `heal.verify/1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// `heal.fix/1` or `heal.verify/1`.
    pub schema: String,
    /// The run's id.
    pub run: String,
    /// heal's exit code.
    pub exit: i32,
    /// What was tested.
    pub base: Base,
    /// The runner's name; `None` where none was found.
    pub runner: Option<String>,
    /// The test command, as a person would type it.
    pub command: Option<String>,
    /// Why that runner.
    pub runner_why: Option<String>,
    /// A row for each failing test.
    pub failures: Vec<FailureReport>,
    /// What the models cost.
    pub cost: Cost,
    /// Where the time went.
    pub time: Time,
    /// Where the record ends.
    pub ledger: LedgerHead,
    /// What a person should know beside all this.
    pub notes: Vec<String>,
    /// The one patch of several failures, verified together; `None` where one
    /// proposal mends all that is mended.
    #[serde(default)]
    pub together: Option<Together>,
    /// What became of the patches on a forge; left out where none was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestReport>,
}

/// A pull or merge request, a comment, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestReport {
    /// `opened`, `updated`, `unchanged`, `closed`, `commented`, `branched` and
    /// `withheld` (the policy lets heal go no further), `left` (a person has
    /// done something about it) or `failed`.
    pub state: String,
    /// The failing tests it is about; empty where that is not known any more.
    pub failures: Vec<String>,
    /// Its number; `None` where there is none.
    pub number: Option<u64>,
    /// Where a person sees it; may be empty.
    pub url: String,
    /// Why it is as it is, in a sentence; may be empty.
    pub why: String,
}

/// One patch for several failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// Its proposal's id.
    pub id: String,
    /// The unified diff.
    pub diff: String,
    /// The files it touches.
    pub files: Vec<RelPath>,
}

/// The tree a run started from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// HEAD's commit; `None` before the first one.
    pub commit: Option<String>,
    /// Whether the work tree differs from it.
    pub dirty: bool,
}

/// One failing test and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureReport {
    /// The test, as the runner takes it back.
    pub id: String,
    /// What sort of failure.
    pub kind: Kind,
    /// Its message.
    pub message: String,
    /// The wanted value, where known.
    pub expected: Option<String>,
    /// The value seen, where known.
    pub actual: Option<String>,
    /// Its stable identity.
    pub fingerprint: String,
    /// Where it was raised, or the first suspect.
    pub location: Option<Location>,
    /// `verified` or `abstained`.
    pub outcome: String,
    /// The abstention reason, one of the contract's words.
    pub reason: Option<String>,
    /// The reason in a sentence, and what to do next.
    pub reason_why: Option<String>,
    /// Verified patches, best first.
    pub proposals: Vec<ProposalReport>,
    /// Patches that pass the failing test but missed a later gate or are
    /// otherwise not verified; never applied.
    pub leads: Vec<LeadReport>,
    /// What became of the candidates.
    pub candidates: Counts,
    /// First suspects, `path:line symbol`, with reasons.
    pub suspects: Vec<String>,
    /// How often it failed in the same way before any patch; `None` where it
    /// was not run.
    #[serde(default)]
    pub reproduced: Option<Reproduced>,
}

impl FailureReport {
    /// Whether a verified patch mends it.
    pub fn is_verified(&self) -> bool {
        self.outcome == "verified" && !self.proposals.is_empty()
    }
}

/// The runs of a failing test before any patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reproduced {
    /// Runs in which it failed in the same way.
    pub failed: usize,
    /// Runs.
    pub runs: usize,
}

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file.
    pub path: RelPath,
    /// 1-based.
    pub line: Option<u32>,
    /// The function.
    pub symbol: Option<String>,
}

/// A verified patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposalReport {
    /// Its id, `<run>.<n>`.
    pub id: String,
    /// Where it came from.
    pub source: Origin,
    /// The unified diff.
    pub diff: String,
    /// The files it touches.
    pub files: Vec<RelPath>,
    /// The root cause and the change.
    pub explanation: String,
    /// What executed evidence says.
    pub evidence: Evidence,
}

/// A patch that is not verified, shown for what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadReport {
    /// Where it came from.
    pub source: Origin,
    /// The unified diff.
    pub diff: String,
    /// The gate it missed.
    pub missed: String,
    /// How.
    pub detail: String,
}

/// What became of a failure's candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Made by all sources.
    pub proposed: usize,
    /// Equal to one already tried or to the original.
    pub duplicate: usize,
    /// Against policy.
    pub refused: usize,
    /// Run against the target.
    pub tried: usize,
    /// Verified.
    pub verified: usize,
}

/// What the models cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls that were answered.
    pub calls: usize,
    /// Input tokens, cached ones left out.
    pub input_tokens: u64,
    /// Input tokens read from a cache.
    pub cached_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// US dollars; `None` where a price is not known.
    pub usd: Option<f64>,
    /// Calls beside these whose answer never came whole.
    #[serde(default)]
    pub cut_off: CutOff,
    /// What the interrupted runs had paid that this one goes on with; counts
    /// against the caps, and is in none of the other fields.
    #[serde(default)]
    pub earlier: Earlier,
}

impl Default for Cost {
    fn default() -> Cost {
        let (cut_off, earlier) = (CutOff::default(), Earlier::default());
        Cost { calls: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, usd: Some(0.0), cut_off, earlier }
    }
}

/// What runs had paid before they were interrupted; calls that were cut off
/// count at worst.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Calls, answered and cut off.
    pub calls: usize,
    /// Tokens, input and output.
    pub tokens: u64,
    /// US dollars; `None` where a price is not known.
    pub usd: Option<f64>,
}

impl Default for Earlier {
    fn default() -> Earlier {
        Earlier { calls: 0, tokens: 0, usd: Some(0.0) }
    }
}

/// Calls that were cut off: what they cost is not known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutOff {
    /// How many.
    pub calls: usize,
    /// Tokens at worst.
    pub worst_tokens: u64,
    /// US dollars at worst; `None` where a price is not known.
    pub worst_usd: Option<f64>,
}

impl Default for CutOff {
    fn default() -> CutOff {
        CutOff { calls: 0, worst_tokens: 0, worst_usd: Some(0.0) }
    }
}

/// Where the time went, in seconds of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// From start to end.
    pub total_s: f64,
    /// Waiting for models.
    pub model_s: f64,
    /// Running the user's tests (side by side counts once).
    pub tests_s: f64,
    /// The rest.
    pub heal_s: f64,
}

/// The end of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Digest of the last event.
    pub head: String,
}

/// The evidence in one line, for a commit's trailer.
pub fn evidence_line(evidence: &Evidence) -> String {
    let suite = match &evidence.suite {
        Some(suite) => format!("suite {} passed, {} newly failing", suite.passed, suite.newly_failing),
        None => "suite known by its exit code only".to_owned(),
    };
    let strength = evidence.strength.as_ref().map_or_else(
        || "strength not measured".to_owned(),
        |strength| format!("strength {}/{}", strength.killed, strength.mutants),
    );
    format!("target {}/{}, {}, {suite}, {strength}", evidence.target.passed, evidence.target.runs, evidence.cause)
}
