//! The model as a proposer: a diagnosis in, candidates out.
//!
//! An [`Asker`] asks about one failure, step by step ([`strategy`]): it renders
//! the prompt ([`prompt`]) without secrets ([`redact`]), checks the caps
//! ([`budget`], [`price`]), sends it (or finds it answered already), keeps the
//! reply before it is used, and reads candidates from it ([`reply`]). It
//! touches no file of the project, runs nothing but a program that the user
//! named as the model, and never asks twice what was answered.

mod ask;
pub mod breaker;
pub mod budget;
pub mod price;
pub mod prompt;
mod reading;
pub mod redact;
pub mod reply;
mod resolve;
pub mod strategy;
mod voice;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use self::breaker::Breaker;
use self::breaker::Resting;
use self::budget::Denied;
use self::price::Prices;
use self::prompt::PromptError;
use self::prompt::Templates;
use self::strategy::Step;
use crate::http::HttpError;
use crate::http::Secret;
use crate::process::Launcher;
use crate::propose::Candidate;
use crate::propose::provider::Connection;
use crate::propose::provider::ModelName;
use crate::propose::provider::ProviderError;
use crate::propose::provider::StopReason;
use crate::propose::provider::Usage;

pub use self::ask::Asker;

/// How a model is asked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The model.
    pub model: ModelName,
    /// Its server; `None` for the provider's own.
    pub base_url: Option<String>,
    /// What the user has set for the connection to it.
    pub connection: Connection,
    /// The key; `None` where the server needs none.
    pub key: Option<Secret>,
    /// Patches to ask for in one call.
    pub candidates: usize,
    /// Feedback rounds.
    pub rounds: usize,
    /// For one call; for an answer by hand, for the person.
    pub timeout: Duration,
    /// The most tokens of one answer, thinking included.
    pub max_output_tokens: u64,
    /// Exact texts that are secret: the values of variables whose names say so.
    pub secrets: Vec<String>,
    /// The secret that fences are derived from: random, the repository's own
    /// or the run's.
    pub nonce_key: [u8; 32],
    /// Whether answers are to come piece by piece.
    pub streamed: bool,
    /// The run's own: which models rest.
    pub breaker: Breaker,
    /// Whether plain HTTP may leave this machine.
    pub allow_plain_http: bool,
    /// Prices beside the built-in table.
    pub prices: Prices,
    /// The prompts' templates.
    pub templates: Templates,
    /// Starts the program of `exec`; `None` where there is no such model.
    pub launcher: Option<Launcher>,
    /// What that program gets beside the launcher's environment: it may need
    /// the keys that are kept from tests.
    pub program_environment: Vec<(String, String)>,
    /// Where `manual` writes prompts and finds answers.
    pub manual_folder: PathBuf,
    /// For `replay:RUN`: the model that run asked, as it named it, since a
    /// prompt's digest covers the model.
    pub recorded_as: Option<String>,
}

impl Config {
    /// The contract's defaults for `model`: six patches, two rounds, no key.
    pub fn new(model: ModelName) -> Config {
        Config {
            model,
            base_url: None,
            connection: Connection::default(),
            key: None,
            candidates: 6,
            rounds: 2,
            timeout: Duration::from_secs(600),
            max_output_tokens: 16_000,
            secrets: Vec::new(),
            nonce_key: [0; 32],
            streamed: true,
            breaker: Breaker::default(),
            allow_plain_http: false,
            prices: Prices::built_in(),
            templates: Templates::default(),
            launcher: None,
            program_environment: Vec::new(),
            manual_folder: PathBuf::new(),
            recorded_as: None,
        }
    }

    /// The environment variable that holds the key; `None` where there is
    /// none.
    pub fn key_variable(&self) -> Option<&str> {
        self.connection.key_variable.as_deref().or(self.model.key_variable())
    }

    /// The address of the server, without a slash at the end; `None` for
    /// models that have none.
    pub fn address(&self) -> Option<&str> {
        let own = self.model.provider().base_url;
        let address = self.base_url.as_deref().filter(|_| self.model.uses_network()).or(own);
        address.map(|address| address.trim_end_matches('/'))
    }
}

/// What became of a candidate of an earlier call.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    /// The candidate.
    pub candidate: Candidate,
    /// The gate it missed.
    pub gate: String,
    /// How, in one line.
    pub detail: String,
    /// What the gate's command printed; its end is told.
    pub output: String,
}

/// The gate that a patch misses which nothing speaks against.
const STRENGTH: &str = "strength";

impl Feedback {
    /// Whether the tests pass with it, though they check it too little.
    pub fn passes(&self) -> bool {
        self.gate == STRENGTH
    }
}

/// A patch of a reply that cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The root cause the model gave; may be empty.
    pub root_cause: String,
    /// The change as the model wrote it, secrets left out.
    pub change: String,
    /// Why, in words the model can use.
    pub reason: String,
}

/// What a call brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Which call it was.
    pub step: Step,
    /// Patches to try, in the model's order; those that were told while the
    /// reply arrived are left out.
    pub candidates: Vec<Candidate>,
    /// Patches that cannot be tried.
    pub unusable: Vec<Unusable>,
    /// Names of code that the model asks to see.
    pub wanted: Vec<String>,
    /// Why there is no fix, where the model says so.
    pub no_fix: Option<String>,
    /// Why the reply ended.
    pub stop: StopReason,
    /// Tokens of this call; zero where the reply was already kept.
    pub usage: Usage,
    /// Cost in US dollars; zero where the reply was already kept, `None` where
    /// the price is not known.
    pub usd: Option<f64>,
    /// The model that answered, as the server names it.
    pub model: String,
    /// Digest of the reply's text.
    pub reply_digest: String,
    /// Whether the reply came from the record.
    pub from_record: bool,
}

/// What the next call would take at worst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Tokens of the prompt, as a mean guess (four bytes each).
    pub input_tokens: u64,
    /// The most tokens of the answer.
    pub max_output_tokens: u64,
    /// The most it can cost in US dollars; `None` where the price is not known.
    pub usd: Option<f64>,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// All calls for this failure have been made.
    #[error("all calls for this failure have been made")]
    Exhausted,
    /// The model is `none`.
    #[error("no model is set")]
    NoModel,
    /// A cap would be passed.
    #[error(transparent)]
    Budget(#[from] Denied),
    /// The model has failed too often just now.
    #[error(transparent)]
    Resting(#[from] Resting),
    /// The model gave no answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A template of the user's own does not render.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The reply could not be kept, and so was not used.
    #[error("the reply could not be kept: {reason}")]
    NotKept {
        /// Why.
        reason: String,
    },
}

impl From<HttpError> for AskError {
    fn from(error: HttpError) -> AskError {
        AskError::Provider(error.into())
    }
}

#[cfg(test)]
mod tests;
