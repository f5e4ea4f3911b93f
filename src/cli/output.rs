//! What is printed, where, and in which colours.
//!
//! Results go to stdout, everything else to stderr; a closed pipe ends the
//! printing, not in an error.

use std::io::IsTerminal;
use std::io::Write;

use heal::ledger::LedgerError;
use heal::pipeline::PipelineError;
use heal::progress::Verbosity;

use super::Cli;
use super::Colour;

/// How the output looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colour on stdout.
    pub colour: bool,
    /// Colour on stderr.
    pub colour_err: bool,
    /// Whether stdout is a terminal.
    pub terminal: bool,
    /// Whether bars may be drawn on stderr.
    pub bars: bool,
    /// Whether a person can be asked.
    pub interactive: bool,
    /// Columns to fill, at most 100.
    pub width: usize,
    /// How much is said.
    pub verbosity: Verbosity,
}

impl Look {
    /// The look that the flags, the environment and the terminal give.
    pub fn of(cli: &Cli) -> Look {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let out = std::io::stdout().is_terminal();
        let err = std::io::stderr().is_terminal();
        let wants = |terminal: bool| match cli.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if set("NO_COLOR") => false,
            Colour::Auto if set("CLICOLOR_FORCE") => true,
            Colour::Auto => terminal && !dumb,
        };
        let (_, columns) = console::Term::stderr().size();
        Look {
            colour: wants(out),
            colour_err: wants(err),
            terminal: out,
            bars: err && !dumb && !cli.no_progress && !cli.quiet && !set("CI"),
            interactive: out && err && std::io::stdin().is_terminal() && !set("CI"),
            width: if out { usize::from(columns).clamp(40, 100) } else { 80 },
            verbosity: match (cli.quiet, cli.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, true) => Verbosity::Verbose,
                (false, false) => Verbosity::Normal,
            },
        }
    }
}

/// An error with its exit code.
#[derive(Debug)]
pub struct Failed {
    /// What is wrong, then what to do; lines.
    pub message: String,
    /// The exit code.
    pub code: i32,
}

impl Failed {
    /// An error of usage or configuration.
    pub fn usage(message: impl Into<String>) -> Failed {
        Failed { message: message.into(), code: 2 }
    }

    /// heal's own fault.
    pub fn own(message: impl std::fmt::Display) -> Failed {
        Failed { message: message.to_string(), code: 70 }
    }
}

impl Failed {
    /// The record cannot be used, or nothing in it has the name asked for.
    pub fn ledger(error: LedgerError) -> Failed {
        let asked = matches!(
            error,
            LedgerError::NoSuch { .. }
                | LedgerError::Ambiguous { .. }
                | LedgerError::Absent { .. }
                | LedgerError::Pruned { .. }
        );
        Failed { code: if asked { 2 } else { 70 }, message: format!("{error}\n  {}", error.hint()) }
    }
}

impl From<PipelineError> for Failed {
    fn from(error: PipelineError) -> Failed {
        let hint = error.hint().map(|hint| format!("\n  {hint}")).unwrap_or_default();
        Failed { code: error.exit_code(), message: format!("{error}{hint}") }
    }
}

/// Prints a result on stdout.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.is_empty() && !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints a message on stderr. No log takes a command from it: what tests
/// wrote may be part of it.
pub fn message(text: &str) {
    command(&heal::report::annotations::defused(text));
}

/// Prints commands for the log of a pipeline, on stderr.
pub fn command(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = err.write_all(b"\n");
    }
}

/// Prints an error: one sentence, then what to do.
pub fn error(failed: &Failed, look: Look) {
    let head = if look.colour_err { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    message(&format!("{head} {}", failed.message.trim_end()));
}
