//! Why a run could not be carried through, and the exit code that says so.
//!
//! Errors alone: a failure that was not healed is a row of the report.

use crate::detect::BenchError;
use crate::detect::reproduce::ReproduceError;
use crate::git::GitError;
use crate::interrupt::Stop;
use crate::ledger::LedgerError;
use crate::options::OptionsError;
use crate::process::ProcessError;
use crate::runner::detect::DetectError;
use crate::runner::interpreter::InterpreterError;
use crate::scratch::ScratchError;
use crate::verify::trial::TrialError;

/// Why a run could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The repository cannot be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// No runner was found.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// No interpreter was found.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// A scratch cannot be made or kept.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The tests cannot be run.
    #[error(transparent)]
    Bench(BenchError),
    /// The record cannot be kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The settings cannot be used.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// What was asked for does not exist or makes no sense.
    #[error("{what}\n  {hint}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A test that was asked for is none.
    #[error("no test is named `{name}`\n  {hint}")]
    NoSuchTest {
        /// As it was asked for.
        name: String,
        /// What there is.
        hint: String,
    },
    /// Containment was required and is not to be had.
    #[error(
        "no whole sandbox is to be had here, and --sandbox strict refuses to run without one: {why}\n  heal doctor says what there is; --sandbox auto makes do with that"
    )]
    NoSandbox {
        /// What is missing.
        why: String,
    },
    /// `--scratch overlay` without what it takes.
    #[error("scratches cannot be overlays here: {why}\n  without --scratch overlay heal uses checkouts")]
    NoOverlay {
        /// What is missing.
        why: String,
    },
    /// The tests run another copy of the code than the scratch's.
    #[error("the tests do not run the code in the scratch worktree: {what}\n  {hint}")]
    NotExercised {
        /// What was seen.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The environment is at fault.
    #[error("{what}\n  {hint}")]
    Environment {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The patch given is none.
    #[error("`{name}` is no patch: {why}\n  heal verify takes a unified diff or a git format-patch mail")]
    NoPatch {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// The run was interrupted before there was anything to report.
    #[error("interrupted")]
    Stopped(Stop),
    /// What ran into its first deadline ends after all. Never leaves the
    /// pipeline: the survey is repeated with the full time.
    #[error("a test is slow, not endless\n  Give it more time: --test-timeout 60s")]
    MerelySlow,
    /// A worker ended without a result; a bug in heal.
    #[error("a trial ended without a result: {0}\n  This is a bug in heal; nothing of yours was changed")]
    Worker(String),
}

impl PipelineError {
    /// The exit code (CLI contract).
    pub fn exit_code(&self) -> i32 {
        match self {
            PipelineError::Git(_)
            | PipelineError::Detect(_)
            | PipelineError::Options(_)
            | PipelineError::Usage { .. }
            | PipelineError::NoSuchTest { .. }
            | PipelineError::NoPatch { .. } => 2,
            PipelineError::Interpreter(_)
            | PipelineError::NoSandbox { .. }
            | PipelineError::NoOverlay { .. }
            | PipelineError::NotExercised { .. }
            | PipelineError::Environment { .. } => 5,
            PipelineError::Bench(BenchError::Process(ProcessError::CannotStart { .. }) | BenchError::Runner(_)) => 5,
            PipelineError::Stopped(Stop::Asked) => 130,
            PipelineError::Stopped(Stop::Deadline) => 1,
            PipelineError::Scratch(_)
            | PipelineError::Bench(_)
            | PipelineError::Ledger(_)
            | PipelineError::MerelySlow
            | PipelineError::Worker(_) => 70,
        }
    }

    /// What to do about it, where the message does not say so itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            PipelineError::Git(error) => error.hint(),
            PipelineError::Ledger(error) => Some(error.hint()),
            _ => None,
        }
    }

    /// The abstention reason, where there is one.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            PipelineError::NoSandbox { .. } | PipelineError::NoOverlay { .. } => Some("sandbox"),
            PipelineError::NotExercised { .. } => Some("scratch-not-exercised"),
            PipelineError::Interpreter(_) | PipelineError::Environment { .. } => Some("environment"),
            PipelineError::Bench(BenchError::Process(_) | BenchError::Runner(_)) => Some("environment"),
            PipelineError::Stopped(Stop::Asked) => Some("interrupted"),
            PipelineError::Stopped(Stop::Deadline) => Some("timeout"),
            _ => None,
        }
    }
}

impl From<BenchError> for PipelineError {
    fn from(error: BenchError) -> PipelineError {
        match error {
            BenchError::Stopped(stop) => PipelineError::Stopped(stop),
            other => PipelineError::Bench(other),
        }
    }
}

impl From<ReproduceError> for PipelineError {
    fn from(error: ReproduceError) -> PipelineError {
        match error {
            ReproduceError::Bench(error) => error.into(),
            ReproduceError::Scratch(error) => error.into(),
        }
    }
}

impl From<TrialError> for PipelineError {
    fn from(error: TrialError) -> PipelineError {
        match error {
            TrialError::Bench(error) => error.into(),
            TrialError::Scratch(error) => error.into(),
        }
    }
}
