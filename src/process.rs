//! The one door to other programs: starts a command, bounds it, ends it whole.
//!
//! Knows nothing of tests or git. Never uses a shell, and never leaves a
//! process of its own behind: not at a time-out, not when heal is killed.

pub mod stream;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A command line with its surroundings. Never goes through a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program, then its arguments.
    pub argv: Vec<OsString>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Set (`Some`) or removed (`None`) on top of the base environment.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// It is ended, with all its descendants, after this time.
    pub time_limit: Duration,
    /// Bytes kept of each of its outputs: the first quarter and the last three.
    pub output_limit: usize,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that heal did not send.
    Signal(i32),
    /// At its time limit, by heal.
    TimedOut,
    /// Because the run was interrupted.
    Interrupted,
}

/// One output of a finished command, invalid UTF-8 replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The text; where bytes were dropped a line says how many.
    pub text: String,
    /// Bytes dropped from the middle.
    pub dropped: u64,
}

/// A command that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Captured,
    /// Its standard error.
    pub stderr: Captured,
    /// Wall time.
    pub took: Duration,
}
