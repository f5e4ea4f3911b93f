//! Settings: flags over environment over `heal.toml` over the user's
//! configuration over defaults.
//!
//! Builds each stage's own configuration; runs nothing.

pub mod age;
pub mod ci;
pub mod connection;
pub mod duration;
pub mod files;
pub mod shard;

use std::path::PathBuf;
use std::time::Duration;

use self::connection::Connections;
use self::shard::Shard;
use crate::process::Network;
use crate::propose::model::budget::Caps;
use crate::propose::model::price::Prices;
use crate::propose::provider::ModelName;
use crate::verify::policy::rules::Policy;

/// Which suite stands for "nothing else broke".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuiteScope {
    /// The command that was given, else the runner's default set.
    #[default]
    Given,
    /// The runner's default set, whatever command was given.
    All,
}

impl SuiteScope {
    /// The word used on the command line and in evidence.
    pub fn name(self) -> &'static str {
        match self {
            SuiteScope::Given => "given",
            SuiteScope::All => "all",
        }
    }
}

/// How much containment a run asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// What is to be had.
    #[default]
    Auto,
    /// Refuse to run without one.
    Strict,
    /// None.
    Off,
}

/// How scratch worktrees get their files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScratchMethod {
    /// The best that works.
    #[default]
    Auto,
    /// A layer over copied files, which are never written; refuse to run
    /// without.
    Overlay,
    /// Copied files.
    Checkout,
}

/// Everything one run was asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the user stands: the repository, or a folder of it.
    pub repo: PathBuf,
    /// The test command; empty where heal is to find it.
    pub command: Vec<String>,
    /// Heal only these tests.
    pub tests: Vec<String>,
    /// The text of a saved failure.
    pub trace: Option<Vec<u8>>,
    /// The models, in the order they are asked; empty for none.
    pub models: Vec<ModelName>,
    /// Endpoint of the model API.
    pub base_url: Option<String>,
    /// How models' servers are reached, as the user has set it.
    pub connections: Connections,
    /// What models cost.
    pub prices: Prices,
    /// Deterministic proposals only.
    pub offline: bool,
    /// What must not break.
    pub suite: SuiteScope,
    /// Patches to ask for per failure and call.
    pub candidates: usize,
    /// Feedback rounds per failure.
    pub rounds: usize,
    /// Hard caps on what models may cost.
    pub caps: Caps,
    /// For the whole run.
    pub timeout: Duration,
    /// At most this for one test; `None` for ten times its baseline.
    pub test_timeout: Option<Duration>,
    /// Scratches side by side.
    pub jobs: usize,
    /// Paths a patch may touch beside the default.
    pub allow: Vec<String>,
    /// Paths it may not.
    pub deny: Vec<String>,
    /// How far heal may go by itself.
    pub policy: Policy,
    /// Containment asked for.
    pub sandbox: Sandbox,
    /// The network that tests see.
    pub network: Network,
    /// Scratch method asked for.
    pub scratch: ScratchMethod,
    /// Heal this share of the failures only.
    pub shard: Option<Shard>,
    /// Print what a model would be sent, and stop.
    pub show_context: bool,
    /// A gate that `verify` leaves out, so that heal's own tests can show what
    /// it alone catches; never set in a release.
    pub without_gate: Option<String>,
}

impl Settings {
    /// Longest time one test may take when nothing else is known.
    pub const LONGEST_TEST: Duration = Duration::from_secs(60);
    /// Shortest deadline of a test.
    pub const SHORTEST_TEST: Duration = Duration::from_secs(2);
    /// Shortest brief deadline of a test.
    pub const BRIEFEST_TEST: Duration = Duration::from_millis(500);

    /// The deadline of a test whose baseline took `baseline`: ten times that,
    /// within the bounds (DECISIONS 12).
    pub fn test_limit(&self, baseline: Duration) -> Duration {
        let most = self.test_timeout.unwrap_or(Settings::LONGEST_TEST);
        (baseline * 10).max(Settings::SHORTEST_TEST).min(most)
    }

    /// The deadline of a test that is expected to run into it: one that is
    /// known to be endless, or a candidate's first trial, which is repeated
    /// with the full deadline before anything follows from it.
    pub fn brief_limit(&self, baseline: Duration) -> Duration {
        (baseline * 3).max(Settings::BRIEFEST_TEST).min(self.test_limit(baseline))
    }
}

/// Why settings cannot be used. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A configuration file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// A configuration file is not valid.
    #[error("`{path}` is not valid: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What and where.
        message: String,
    },
    /// A repository's file sets what only the user may.
    #[error(
        "`{path}` sets `{key}`, which a repository may not\n  Set it in your own configuration (~/.config/heal/config.toml) or on the command line"
    )]
    NotAllowed {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A value that makes no sense.
    #[error("{what}\n  {hint}")]
    Value {
        /// What is wrong, with the value.
        what: String,
        /// What to do.
        hint: String,
    },
}
