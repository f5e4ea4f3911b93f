//! What all recorded runs come to: how much was fixed, how fast, at what cost
//! (`heal.stats/1`).
//!
//! Counts events, which pruning leaves; reads no report and no text. A failure
//! is one test failing in one way, however many runs saw it: it is fixed where
//! any run has a verified patch for it, else it has the last run's reason.

mod count;
pub mod openmetrics;
pub mod text;

pub use count::EVENTS;
pub use count::of;

use serde::Serialize;

/// The numbers of a ledger; serialises to `heal.stats/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// `heal.stats/1`.
    pub schema: &'static str,
    /// Only runs that began since then count; `None` for all. RFC 3339, UTC.
    pub since: Option<String>,
    /// Runs that heal (`fix`, `ci`).
    pub runs: Runs,
    /// Distinct failures that they saw.
    pub failures: usize,
    /// Those with a verified patch.
    pub fixed: usize,
    /// The others.
    pub abstained: usize,
    /// `fixed` of `failures`; `None` where there are none.
    pub fix_rate: Option<f64>,
    /// `abstained` of `failures`; `None` where there are none.
    pub abstention_rate: Option<f64>,
    /// Proposals that were applied to the work tree.
    pub applied: usize,
    /// Those that were taken back.
    pub undone: usize,
    /// `undone` of `applied`; `None` where there are none.
    pub revert_rate: Option<f64>,
    /// From the begin of the first run that saw a failure to its first
    /// verified patch.
    pub time_to_repair: Times,
    /// What models cost.
    pub cost: Bill,
    /// `cost.usd` for each fixed failure; `None` where there are none or a
    /// price is not known.
    pub usd_per_fix: Option<f64>,
    /// Why heal abstained, most frequent first.
    pub reasons: Vec<ReasonRow>,
    /// By test runner, most failures first.
    pub runners: Vec<RunnerRow>,
    /// By where verified patches came from, most first.
    pub sources: Vec<SourceRow>,
    /// By model, dearest first.
    pub models: Vec<ModelRow>,
}

/// How many runs there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// All.
    pub all: usize,
    /// Of those, without an end.
    pub unfinished: usize,
}

/// Several durations, in seconds; all 0 where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub count: usize,
    /// The middle one; of two the shorter.
    pub median_s: f64,
    /// Nine of ten are no longer.
    pub p90_s: f64,
    /// Their sum.
    pub sum_s: f64,
}

/// What calls of models cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// Calls that were answered.
    pub calls: usize,
    /// Calls that were not, and may have been billed.
    pub cut_off: usize,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// US dollars for the answered ones; `None` where a price is not known.
    pub usd: Option<f64>,
}

impl Default for Bill {
    fn default() -> Bill {
        Bill { calls: 0, cut_off: 0, input_tokens: 0, output_tokens: 0, usd: Some(0.0) }
    }
}

/// A reason to abstain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// Its word.
    pub reason: String,
    /// Failures.
    pub failures: usize,
}

/// A test runner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunnerRow {
    /// Its name; `unknown` where a run never came to choose one.
    pub runner: String,
    /// Failures.
    pub failures: usize,
    /// Those fixed.
    pub fixed: usize,
    /// The others.
    pub abstained: usize,
    /// What its runs' calls cost in US dollars; `None` where a price is not
    /// known.
    pub usd: Option<f64>,
}

/// A source of patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    /// Its kind (`rule`, `revert`), or the model's name.
    pub source: String,
    /// Failures that its patches fix.
    pub fixed: usize,
    /// Its proposals that were applied.
    pub applied: usize,
    /// Those taken back.
    pub undone: usize,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRow {
    /// Its name.
    pub model: String,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Bill,
}

/// The numbers as pretty JSON, one line end at its end.
pub fn json(stats: &Stats) -> String {
    let mut text = serde_json::to_string_pretty(stats).unwrap_or_default();
    text.push('\n');
    text
}
