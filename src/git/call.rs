//! Calling the `git` executable so that it executes nothing else.
//!
//! Composes and runs; what the answers mean is said elsewhere.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use super::GitError;
use crate::process::Command;
use crate::process::Launcher;
use crate::process::Output;

/// Settings for every call. `protocol.allow` keeps a partial clone from
/// fetching a missing object through a configured `core.sshCommand`.
const SETTINGS: [&str; 9] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "credential.helper=",
    "protocol.allow=never",
    "submodule.recurse=false",
    "worktree.useRelativePaths=false",
    "core.quotePath=false",
    "gc.auto=0",
];

/// Variables of git's own that a call may see; every other `GIT_*` is taken
/// out (`GIT_DIR` of a hook that called heal, `GIT_TRACE`, an external diff).
/// `GIT_CONFIG_KEY_0` and the like are how CI passes `safe.directory`.
const KEPT: [&str; 9] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_VALUE_",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
];

/// Larger than the listing of any repository git can work with in comfort.
const MOST_OUTPUT: usize = 1 << 30;

/// Calls to git in one directory.
#[derive(Clone, Debug)]
pub(super) struct Git {
    launcher: Launcher,
    dir: PathBuf,
    /// The git directory where it is not to be looked for.
    git_dir: Option<PathBuf>,
    /// What is known of its settings; `None` in a repository of heal's own.
    settings: Option<Arc<Asked>>,
}

/// The settings of a repository, asked for before git is first called in it.
#[derive(Debug)]
struct Asked {
    /// Where to ask.
    dir: PathBuf,
    /// `None` once git could not tell.
    answer: OnceLock<Option<Settings>>,
}

/// What a repository's settings say that a call has to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Those that name programs, and what they are set to: nothing.
    emptied: Vec<(OsString, &'static str)>,
    /// Whether a file of settings names another.
    pub(super) includes: bool,
    /// The files that they are in; of the repository's own ones relative to
    /// where git was called.
    pub(super) files: Vec<PathBuf>,
}

impl Git {
    /// Calls in `dir`, where no repository's settings count.
    pub(super) fn new(launcher: Launcher, dir: PathBuf) -> Git {
        Git { launcher, dir, git_dir: None, settings: None }
    }

    /// Calls in the repository at `dir`, none of which runs a program that its
    /// settings name.
    pub(super) fn within(launcher: Launcher, dir: PathBuf) -> Git {
        let asked = Asked { dir: dir.clone(), answer: OnceLock::new() };
        Git { settings: Some(Arc::new(asked)), ..Git::new(launcher, dir) }
    }

    /// The same in another directory.
    pub(super) fn at(&self, dir: &Path) -> Git {
        Git { dir: dir.to_owned(), ..self.clone() }
    }

    /// The same for the bare repository at `dir`.
    pub(super) fn bare(&self, dir: &Path) -> Git {
        Git { git_dir: Some(dir.to_owned()), ..Git::new(self.launcher.clone(), dir.to_owned()) }
    }

    /// The variable `name` of the environment that calls are made in.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.launcher.environment().get(name)
    }

    /// What the repository's settings say.
    ///
    /// # Errors
    /// git cannot be run or does not tell: then nothing else is run either.
    pub(super) fn settings(&self) -> Result<&Settings, GitError> {
        static NONE: Settings = Settings { emptied: Vec::new(), includes: false, files: Vec::new() };
        let Some(asked) = &self.settings else { return Ok(&NONE) };
        let ask = || {
            let plain = Git::new(self.launcher.clone(), asked.dir.clone());
            plain.run(&plain.command(["config", "--list", "--show-origin", "--name-only", "-z"]))
        };
        let answer = asked.answer.get_or_init(|| ask().ok().and_then(|listed| Settings::read(&listed)));
        match answer {
            Some(settings) => Ok(settings),
            None => Err(ask().err().unwrap_or(GitError::Unreadable { command: "git config --list".to_owned() })),
        }
    }

    /// A call with every precaution.
    pub(super) fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new("git").cwd(&self.dir).arg("--no-pager");
        for setting in SETTINGS {
            command = command.args(["-c", setting]);
        }
        if let Some(git_dir) = &self.git_dir {
            command = command.arg("--git-dir").arg(git_dir);
        }
        command = command.args(args).time_limit(Duration::from_secs(300)).output_limit(MOST_OUTPUT);
        let environment = self.launcher.environment();
        for name in environment.names() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !KEPT.iter().any(|kept| text.starts_with(kept)) {
                command = command.without_env(name);
            }
        }
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_ASKPASS", "false"),
            ("GIT_EDITOR", "false"),
        ] {
            command = command.env(name, value);
        }
        // Later entries win over the user's own and over the repository's.
        let first = self.settings_in_environment();
        let emptied = self.emptied();
        for (at, (name, value)) in emptied.iter().enumerate() {
            let at = first + at;
            command = command.env(format!("GIT_CONFIG_KEY_{at}"), name).env(format!("GIT_CONFIG_VALUE_{at}"), *value);
        }
        command.env("GIT_CONFIG_COUNT", (first + emptied.len()).to_string())
    }

    /// Settings that are set to nothing. Where they are not known, the call
    /// that is composed is never made ([`Git::attempt_cut`]).
    fn emptied(&self) -> &[(OsString, &'static str)] {
        self.settings().map_or(&[], |settings| &settings.emptied)
    }

    /// How many settings the environment holds before heal's own.
    pub(super) fn settings_in_environment(&self) -> usize {
        let given = self.launcher.environment().get("GIT_CONFIG_COUNT");
        given.and_then(|count| count.to_str()?.parse::<usize>().ok()).unwrap_or(0)
    }

    /// How many settings a composed call has in its environment.
    pub(super) fn settings_given(&self) -> usize {
        self.settings_in_environment() + self.emptied().len()
    }

    /// Runs a call; a failing one is no error here, a cut answer is.
    pub(super) fn attempt(&self, command: &Command, input: Option<&[u8]>) -> Result<Output, GitError> {
        let output = self.attempt_cut(command, input)?;
        if output.dropped > 0 {
            return Err(GitError::Unreadable { command: shown(command) });
        }
        Ok(output)
    }

    /// As [`Git::attempt`], of an answer that may be cut at its output limit.
    pub(super) fn attempt_cut(&self, command: &Command, input: Option<&[u8]>) -> Result<Output, GitError> {
        self.settings()?;
        self.launcher.output_now(command, input).map_err(|source| GitError::NoGit { source })
    }

    /// Runs a call that must succeed, and returns its output.
    pub(super) fn run(&self, command: &Command) -> Result<Vec<u8>, GitError> {
        self.run_with(command, None)
    }

    /// As [`Git::run`], with standard input.
    pub(super) fn run_with(&self, command: &Command, input: Option<&[u8]>) -> Result<Vec<u8>, GitError> {
        let output = self.attempt(command, input)?;
        if !output.exit.is_success() {
            return Err(GitError::failed(command, &String::from_utf8_lossy(&output.stderr)));
        }
        Ok(output.stdout)
    }

    /// The first line of the answer; `None` where git says there is none.
    pub(super) fn answer<const N: usize>(&self, args: [&str; N]) -> Result<Option<String>, GitError> {
        let output = self.attempt(&self.command(args), None)?;
        Ok(output.exit.is_success().then(|| line_of(&output.stdout)).filter(|line| !line.is_empty()))
    }
}

impl Settings {
    /// Reads `git config --list --show-origin --name-only -z`: a place and a
    /// name in turn, each with a zero byte behind it. Every filter and
    /// configured hook gets an empty value by its name: git runs no filter whose
    /// command is empty (`convert.c`, `apply_filter`).
    fn read(listed: &[u8]) -> Option<Settings> {
        let mut settings = Settings::default();
        let mut parts = listed.strip_suffix(b"\0").unwrap_or(listed).split(|byte| *byte == 0);
        while let Some(place) = parts.next().filter(|place| !place.is_empty()) {
            let name = parts.next()?;
            if let Some(file) = place.strip_prefix(b"file:").map(path_of)
                && !settings.files.contains(&file)
            {
                settings.files.push(file);
            }
            settings.take(name);
        }
        Some(settings)
    }

    fn take(&mut self, name: &[u8]) {
        self.includes |= matches!(section(name), b"include" | b"includeif");
        let value = match (section(name), last_part(name)) {
            (b"filter", b"clean" | b"smudge" | b"process") => "",
            (b"filter", b"required") | (b"hook", b"enabled") => "false",
            (b"hook", b"event" | b"command") => "",
            _ => return,
        };
        let name = OsStr::from_bytes(name).to_owned();
        if !self.emptied.iter().any(|(other, _)| *other == name) {
            self.emptied.push((name, value));
        }
    }
}

/// The first line of an answer, as text.
pub(super) fn line_of(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()
}

/// A path as git writes it: any bytes.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// The call without the precautions, as a person would type it.
pub(super) fn shown(command: &Command) -> String {
    let skip = 2 + 2 * SETTINGS.len();
    let mut short = Command::new("git");
    short.argv.extend(command.argv.iter().skip(skip).cloned());
    short.shown()
}

/// `filter` of `filter.lfs.clean`, in lower case as git prints it.
fn section(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b'.').next().unwrap_or_default()
}

/// `clean` of `filter.lfs.clean`.
fn last_part(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b'.').next().unwrap_or_default()
}
