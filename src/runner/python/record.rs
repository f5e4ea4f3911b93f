//! One record of the channel, as heal's half inside the test process writes it:
//! a line of JSON (`heal_channel.py`).
//!
//! Holds values; what they mean together is read in [`super::records`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::failure::Frame;
use crate::failure::Kind;
use crate::failure::Local;
use crate::runner::probe::Answer;
use crate::runner::sieve::Sieved;

/// What the names of one frame held.
#[derive(Debug, Deserialize)]
pub struct Held {
    /// The frame's file.
    pub file: String,
    /// Its 1-based line.
    pub line: u32,
    /// Names and values.
    pub values: Vec<(String, String)>,
}

/// A failure as the test process describes it.
#[derive(Debug, Default, Deserialize)]
pub struct Described {
    /// `assertion`, `exception` or `timeout`.
    pub kind: Option<String>,
    /// Type and text.
    #[serde(default)]
    pub message: String,
    /// File, 1-based line and function; innermost first.
    #[serde(default)]
    pub frames: Vec<(String, Option<u32>, Option<String>)>,
    /// The value the check wanted.
    pub expected: Option<String>,
    /// The value it got.
    pub actual: Option<String>,
    /// What names held in the innermost frame of the tree.
    pub locals: Option<Held>,
}

impl Described {
    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        match self.kind.as_deref() {
            Some("assertion") => Kind::Assertion,
            Some("timeout") => Kind::Timeout,
            _ => Kind::Exception,
        }
    }

    /// What the names of `frame` held; none if it is another that was told of.
    pub fn locals_at(&self, frame: Option<&Frame>) -> Vec<Local> {
        let told = |held: &&Held| frame.is_some_and(|at| at.written == held.file && at.line == Some(held.line));
        let values = self.locals.as_ref().filter(told).map(|held| held.values.clone()).unwrap_or_default();
        values.into_iter().map(|(name, value)| Local { name, value }).collect()
    }
}

/// What a sieve tells, with failures as the test process describes them.
#[derive(Debug, Default, Deserialize)]
pub struct Sifted {
    /// Why nothing was tried.
    pub why: String,
    /// Tests and their failures without a candidate.
    pub failures: Vec<(String, Described)>,
    /// Candidates by number, what became of each, and a word on it.
    pub verdicts: Vec<(usize, Sieved, String)>,
}

/// One record of the channel. Fields a record does not have are defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The channel's; any other record is not heard.
    pub nonce: String,
    /// What sort of record (`start`, `phase`, `end`).
    pub record: String,
    /// The test, or what could not be loaded.
    pub id: String,
    /// The tests of `collected`.
    pub ids: Vec<String>,
    /// Whether an xdist worker wrote `start`.
    pub worker: bool,
    /// `passed`, `failed` or `skipped`, of a `phase`.
    pub outcome: String,
    /// How many subtests of a `phase` were skipped.
    pub skipped_subtests: usize,
    /// Wall time of a `phase`.
    pub seconds: f64,
    /// Whether its author expects the test to fail.
    pub expected_failure: bool,
    /// Why a `phase` failed.
    pub failure: Option<Described>,
    /// What pytest says of a failure that is no exception.
    pub text: String,
    /// What the runner prints about it.
    pub output: String,
    /// Lines by file below the repository, of `executed`.
    pub files: BTreeMap<String, Vec<u32>>,
    /// File, 1-based line and function; innermost first.
    pub frames: Vec<(String, Option<u32>, Option<String>)>,
    /// Deadline in seconds, of `hung`.
    pub limit: f64,
    /// Name and file, of `modules`.
    pub modules: Vec<(String, PathBuf)>,
    /// Why the run was `stopped`.
    pub why: String,
    /// The runner's own exit code, of `end`.
    pub exit: Option<i32>,
    /// What a `probe` found.
    pub answer: Option<Answer>,
    /// What a `sieve` found.
    pub sieve: Option<Sifted>,
}
