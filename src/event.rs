//! What happens during a run, as data: progress, the ledger and `--events`
//! listen to it.
//!
//! Says what happened; never decides anything.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

/// A step of a run. Serialised as `{"event": "...", ...}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run has begun.
    Started {
        /// The run's id.
        run: String,
        /// The repository's work tree.
        repo: String,
        /// The command being healed (`fix`, `verify`, `explain`).
        command: String,
        /// The words of the command line after `heal`, so that the run can go
        /// on or be replayed.
        #[serde(default)]
        arguments: Vec<String>,
        /// The run that this one goes on with.
        #[serde(default)]
        resumes: Option<String>,
    },
    /// The runner has been chosen.
    RunnerChosen {
        /// Its name (`pytest`).
        runner: String,
        /// The test command, as a person would type it.
        command: String,
        /// Why this one.
        why: String,
    },
    /// A stage has begun: `snapshot`, `run`, `reproduce`, `diagnose`; for each
    /// case `propose` and perhaps `rivals`; `verify` for a person's patch;
    /// beside others `baseline`.
    Stage {
        /// The stage.
        name: String,
        /// What it does just now, in a few words.
        what: String,
    },
    /// The suite has been run once.
    SuiteRan {
        /// Tests that passed.
        passed: usize,
        /// Tests that failed.
        failed: usize,
        /// Tests that were skipped.
        skipped: usize,
        /// Wall time in seconds.
        seconds: f64,
    },
    /// A failure has been reproduced (or not).
    Reproduced {
        /// The failing test.
        id: String,
        /// Times it failed in the same way.
        failed: usize,
        /// Times it was run.
        runs: usize,
        /// Its message.
        message: String,
    },
    /// A failure has been diagnosed.
    Diagnosed {
        /// The failing test.
        id: String,
        /// The top suspect, `path:line symbol`.
        suspect: Option<String>,
        /// How many suspects there are.
        suspects: usize,
        /// Tokens of the slice.
        slice_tokens: usize,
    },
    /// A source has proposed candidates.
    Proposed {
        /// The source (`rules`, `anthropic/claude-…`).
        source: String,
        /// How many candidates.
        candidates: usize,
    },
    /// Candidates of rules were tried in forks of a warm test process. Those
    /// that were discarded are not told one by one.
    Sieved {
        /// How many candidates.
        candidates: usize,
        /// How many passed; they go on trial.
        passed: usize,
        /// How many failed the target and were discarded.
        discarded: usize,
        /// Why some or all of them were not sieved.
        off: Option<String>,
        /// Why most of those that neither passed nor were discarded are
        /// undecided, the commonest reason first; at most three.
        #[serde(default)]
        undecided: Vec<Undecided>,
        /// Wall time in seconds.
        seconds: f64,
    },
    /// A prompt is on its way to a model.
    Asked {
        /// The model.
        model: String,
        /// Which call of the run, 1-based.
        call: usize,
        /// Tokens of the prompt, estimated.
        input_tokens: usize,
        /// The prompt's digest, under which the reply is kept.
        #[serde(default)]
        prompt: String,
        /// The most tokens it can take, input and output.
        #[serde(default)]
        worst_tokens: u64,
        /// The most it can cost in US dollars; `None` where the price is not
        /// known.
        #[serde(default)]
        worst_usd: Option<f64>,
    },
    /// A model has given no answer. A call that nothing follows in the record
    /// was cut off.
    Unanswered {
        /// The model.
        model: String,
        /// Why.
        why: String,
        /// Whether the call may have been billed all the same.
        may_be_billed: bool,
    },
    /// A model's answer is arriving; told now and then, and not recorded.
    Answering {
        /// The model.
        model: String,
        /// Tokens of the answer so far, estimated where the server does not
        /// say.
        output_tokens: u64,
        /// Cost of the call so far in US dollars; `None` where the price is
        /// not known.
        usd: Option<f64>,
    },
    /// A model has answered.
    Answered {
        /// The model.
        model: String,
        /// Input tokens, as billed.
        input_tokens: u64,
        /// Output tokens, as billed.
        output_tokens: u64,
        /// Cost in US dollars; `None` where the price is not known.
        usd: Option<f64>,
        /// Digest of the reply in the ledger.
        reply: String,
    },
    /// A candidate has been tried.
    Tried {
        /// The candidate's id.
        candidate: String,
        /// Where it came from.
        source: String,
        /// How the trial ended (`verified`, or the gate it missed).
        verdict: String,
        /// One line of detail.
        detail: String,
        /// Wall time in seconds.
        seconds: f64,
    },
    /// A failure has its outcome.
    Outcome {
        /// The failing test.
        id: String,
        /// `verified` or `abstained`.
        outcome: String,
        /// The abstention reason.
        reason: Option<String>,
        /// The failure's fingerprint; empty in records of older versions.
        #[serde(default)]
        fingerprint: String,
        /// The best proposal's id.
        #[serde(default)]
        proposal: Option<String>,
        /// Where that came from (`rule swap-arguments`, `model openai/…`).
        #[serde(default)]
        source: Option<String>,
    },
    /// A proposal was put somewhere: `applied`, `branch`, `file`, `undone`.
    Delivered {
        /// The proposal's id.
        proposal: String,
        /// Where to.
        what: String,
    },
    /// Something a person should know, that is no error.
    Note {
        /// The text.
        text: String,
    },
    /// The run has ended.
    Finished {
        /// The exit code.
        exit: i32,
        /// Wall time in seconds.
        seconds: f64,
    },
}

/// Why some candidates were not decided in the sieve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The reason, in words.
    pub why: String,
    /// How many candidates.
    pub candidates: usize,
}

/// Someone who listens to a run.
pub trait Listener: Send + Sync {
    /// Takes note of `event`. Must not block for long and cannot fail the run.
    fn hear(&self, event: &Event);
}

/// Everyone who listens. Cheap to clone.
#[derive(Clone, Default)]
pub struct Events {
    listeners: Vec<Arc<dyn Listener>>,
}

impl Events {
    /// No one listens yet.
    pub fn none() -> Events {
        Events::default()
    }

    /// Adds a listener.
    #[must_use]
    pub fn with(mut self, listener: Arc<dyn Listener>) -> Events {
        self.listeners.push(listener);
        self
    }

    /// Tells everyone, in the order they were added.
    pub fn emit(&self, event: Event) {
        for listener in &self.listeners {
            listener.hear(&event);
        }
    }

    /// Emits a [`Event::Note`].
    pub fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note { text: text.into() });
    }
}
