//! The one door to other programs: starts a command, bounds it, ends it whole.
//!
//! Knows nothing of tests or git. Never uses a shell, and never leaves a
//! process of its own behind: not at a time-out, not when heal is killed.
//!
//! A command is started by a helper, which is heal's own executable run as
//! `heal __helper` ([`helper_main`]). The helper is a child subreaper, so that
//! even a daemonised grandchild stays its descendant, and it ends them all
//! when the command ends or when the socket to heal closes, which a killed
//! heal cannot prevent. A [`Confinement`] says what a command may reach beyond
//! that. Without a helper (unit tests), and for what leaves its
//! process group on systems other than Linux, only the command's own process
//! group is killed.

mod blocking;
mod capture;
mod confine;
mod converse;
mod descendants;
mod environment;
mod foreground;
mod helper;
mod launch;
mod means;
pub mod stream;

use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use blocking::Output;
pub use confine::Confinement;
pub use confine::Layer;
pub use confine::Level;
pub use confine::Means;
pub use confine::Network;
pub use environment::Environment;
pub use foreground::become_program;
pub use foreground::foreground;
pub use helper::free_bytes;
pub use helper::helper_main;
pub use launch::Launcher;
pub use launch::conceal;

/// The hidden subcommand that [`helper_main`] serves.
pub const HELPER: &str = "__helper";

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
    /// Bytes of memory that it and its descendants may hold together; `None`
    /// is half of the machine's, at most 4 GiB.
    pub memory_limit: Option<u64>,
}

impl Command {
    /// A command without arguments, in the current directory, ended after ten
    /// minutes, with 4 MiB kept of each output.
    pub fn new(program: impl Into<OsString>) -> Command {
        Command {
            argv: vec![program.into()],
            cwd: PathBuf::from("."),
            env: Vec::new(),
            time_limit: Duration::from_secs(600),
            output_limit: 4 << 20,
            memory_limit: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Command {
        self.argv.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Command {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs it in `cwd`.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Command {
        self.cwd = cwd.into();
        self
    }

    /// Sets a variable on top of the base environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Command {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the base environment.
    pub fn without_env(mut self, name: impl Into<OsString>) -> Command {
        self.env.push((name.into(), None));
        self
    }

    /// Ends it after `limit`.
    pub fn time_limit(mut self, limit: Duration) -> Command {
        self.time_limit = limit;
        self
    }

    /// Keeps at most `bytes` of each of its outputs.
    pub fn output_limit(mut self, bytes: usize) -> Command {
        self.output_limit = bytes;
        self
    }

    /// Ends it when it and its descendants hold more than `bytes` of memory.
    pub fn memory_limit(mut self, bytes: u64) -> Command {
        self.memory_limit = Some(bytes);
        self
    }

    /// The command line as a person would type it, quoted for a shell.
    pub fn shown(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// The program's name, for messages.
    fn program(&self) -> String {
        self.argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// One word in single quotes where a POSIX shell would read it as more.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that heal did not send, or by 9 at its memory limit, which
    /// the last line of its standard error then says.
    Signal(i32),
    /// At its time limit, by heal.
    TimedOut,
    /// Because the run was interrupted.
    Interrupted,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }
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

/// Why a command could not be run to an end of its own.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is missing or cannot be executed.
    #[error("cannot start `{program}`: {source}")]
    CannotStart {
        /// The program as it was named.
        program: String,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// The directory to run in is not there.
    #[error("cannot start `{program}` in `{path}`: no such directory")]
    NoDirectory {
        /// The program as it was named.
        program: String,
        /// The directory.
        path: PathBuf,
    },
    /// heal's own helper could not be started.
    #[error("cannot start heal's helper `{helper}`: {source}")]
    Helper {
        /// The executable.
        helper: PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// It could not be confined as was asked, and was therefore not started.
    #[error("cannot confine `{program}`: {doing}: {source}")]
    NotConfined {
        /// The program.
        program: String,
        /// What failed.
        doing: &'static str,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// heal's own helper ended without a report; something else killed it.
    #[error("heal's helper for `{program}` was killed")]
    HelperLost {
        /// The program that it ran.
        program: String,
    },
    /// A pipe to the command failed.
    #[error("cannot talk to `{program}`: {source}")]
    Pipe {
        /// The program.
        program: String,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
}

impl ProcessError {
    /// Whether the program was not found.
    pub fn is_missing(&self) -> bool {
        matches!(self, ProcessError::CannotStart { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            ProcessError::CannotStart { program, .. } if self.is_missing() => {
                Some(format!("install `{program}`, or put it on PATH"))
            }
            ProcessError::NotConfined { .. } => {
                Some("heal doctor says what works here; --sandbox off confines nothing".to_owned())
            }
            ProcessError::CannotStart { program, .. } => Some(format!("make `{program}` executable")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_person_would_type_it() {
        let command = Command::new("pytest").args(["-q", "tests/test_a.py::test[x y]", "it's", ""]);
        assert_eq!(command.shown(), r"pytest -q 'tests/test_a.py::test[x y]' 'it'\''s' ''");
    }
}
