//! How one test ended, as data.
//!
//! Holds values only: reading them from output is the work of `runner` and
//! `trace`.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::failure::Failure;
use crate::source::RelPath;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It passed.
    Passed,
    /// It failed, errored, or was ended at its deadline.
    Failed,
    /// It was skipped.
    Skipped,
    /// It failed as its author expects.
    ExpectedFailure,
}

/// What one test did.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    /// The test, as the runner takes it back.
    pub id: String,
    /// How it ended.
    pub status: Status,
    /// Wall time.
    pub took: Duration,
    /// Why it failed; set exactly where `status` is `Failed`.
    pub failure: Option<Failure>,
    /// Lines of repository files it executed, where that was asked for.
    pub executed: Vec<(RelPath, Vec<u32>)>,
}
