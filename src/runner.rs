//! Test runners: which one a project uses, how to ask it for tests, and what
//! its answer means.
//!
//! Composes commands and reads their results; never starts one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::failure::Failure;
use crate::process::Command;
use crate::process::Finished;
use crate::source::Lines;
use crate::source::RelPath;
use crate::trace;

pub use crate::outcome::Status;
pub use crate::outcome::TestResult;

/// A kind of runner; the rows of the table of runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunnerKind {
    /// `cargo test`.
    Cargo,
    /// pytest, through heal's own plugin.
    Pytest,
    /// unittest, through heal's own runner.
    Unittest,
    /// jest.
    Jest,
    /// vitest.
    Vitest,
    /// mocha.
    Mocha,
    /// Node's own runner, `node --test`.
    Node,
    /// `go test`.
    Go,
    /// Any command: what a pytest or cargo inside it tells, JUnit XML if it
    /// writes some, else its exit code.
    Command,
}

/// A project of the repository and the test command that is its suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Where the command runs, below the repository's root.
    pub root: RelPath,
    /// The runner.
    pub kind: RunnerKind,
    /// The suite's command: the user's, or the runner's default.
    pub command: Vec<String>,
    /// Whether the user gave the command.
    pub given: bool,
    /// Why this runner, in words (`pyproject.toml has [tool.pytest]`).
    pub why: String,
}

impl RunnerKind {
    /// Whether the lines that tests execute are told by any run, at little
    /// cost; cargo's need a build of their own.
    pub fn tells_lines_in_passing(self) -> bool {
        matches!(self, RunnerKind::Pytest | RunnerKind::Unittest)
    }

    /// Whether it runs JavaScript, whose tests have no deadlines of their own.
    pub fn runs_javascript(self) -> bool {
        matches!(self, RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node)
    }

    /// Its name, in reports and messages.
    pub fn name(self) -> &'static str {
        match self {
            RunnerKind::Cargo => "cargo",
            RunnerKind::Pytest => "pytest",
            RunnerKind::Unittest => "unittest",
            RunnerKind::Jest => "jest",
            RunnerKind::Vitest => "vitest",
            RunnerKind::Mocha => "mocha",
            RunnerKind::Node => "node",
            RunnerKind::Go => "go",
            RunnerKind::Command => "command",
        }
    }
}

impl Project {
    /// The suite's command as a person would type it.
    pub fn shown(&self) -> String {
        match self.command.split_first() {
            Some((program, arguments)) => Command::new(program).args(arguments).shown(),
            None => String::new(),
        }
    }
}

/// Which tests to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The suite.
    All,
    /// These tests only, by id.
    Tests(Vec<String>),
}

/// A variation under which a stable patch must still hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variation {
    /// `PYTHONHASHSEED`; `None` leaves it alone.
    pub hash_seed: Option<u32>,
    /// Tests in reverse order, where the runner can be told.
    pub reverse: bool,
    /// `TZ`; `None` leaves it alone.
    pub time_zone: Option<&'static str>,
}

/// One request to a runner.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which tests.
    pub selection: Selection,
    /// Deadline of a single test.
    pub test_limit: Duration,
    /// What may pass beside the tests where they have no deadlines of their
    /// own (JavaScript, Go): starting the runner, loading the files.
    pub start_limit: Duration,
    /// Deadline of the whole command.
    pub time_limit: Duration,
    /// Record which lines of the repository each selected test executes.
    pub trace_lines: bool,
    /// Stop at the first test that fails: the rest of the report is then not
    /// there, and the report is not complete.
    pub fail_fast: bool,
    /// Ids of selected tests that run after all others; Python's runners alone
    /// can be asked.
    pub last: Vec<String>,
    /// Under which variation.
    pub variation: Variation,
    /// What to compare once the tests are over; Python alone can be asked.
    pub probe: Option<probe::Question>,
    /// Candidates to try in forks of the test process, in the place of the
    /// tests: the report then holds none. pytest alone can be asked.
    pub sieve: Option<Arc<sieve::Question>>,
}

impl Request {
    /// Deadline of a command with `tests` tests that have none of their own, where
    /// `beside` may pass beside them.
    pub fn limit_of(&self, tests: usize, beside: Duration) -> Duration {
        let tests = u32::try_from(tests).unwrap_or(u32::MAX);
        self.test_limit.saturating_mul(tests).saturating_add(beside).min(self.time_limit)
    }

    /// Whether the lines of each selected test are to be recorded, by those
    /// runners that cannot tell them in passing.
    pub fn records_selected(&self) -> bool {
        self.trace_lines && self.selection != Selection::All
    }
}

/// The private channel between heal and the part of heal that runs inside the
/// test process: a directory outside the scratch, new for each command, and a
/// nonce that every record carries.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The directory.
    pub dir: PathBuf,
    /// The nonce.
    pub nonce: String,
}

/// A source module the test process loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedModule {
    /// Its dotted name.
    pub name: String,
    /// The file it came from, absolute.
    pub file: PathBuf,
}

/// A fix that a compiler suggests: replace `lines` columns by text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The file.
    pub path: RelPath,
    /// Byte range in the file.
    pub bytes: std::ops::Range<usize>,
    /// The new text.
    pub replacement: String,
    /// What the compiler says.
    pub message: String,
}

/// What one command told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// A row for each test that was run or skipped, in the runner's order.
    pub tests: Vec<TestResult>,
    /// How many subtests were skipped of tests that went on, by test (Python).
    pub skipped_subtests: BTreeMap<String, usize>,
    /// Failures that belong to no test: compile errors, files that could not
    /// be collected, a runner that crashed.
    pub problems: Vec<Failure>,
    /// Whether results came through the runner's own channel up to its end
    /// record. Never a pass without it.
    pub complete: bool,
    /// Why it is not complete, in words.
    pub incomplete_why: Option<String>,
    /// Set where only an exit code is known (an opaque command): `true` for 0.
    pub exit_only: Option<bool>,
    /// How long the command ran.
    pub lasted: Duration,
    /// Modules the tests loaded (Python).
    pub modules: Vec<LoadedModule>,
    /// What the compiler would change.
    pub suggestions: Vec<Suggestion>,
    /// The answer to [`Request::probe`], where the run came to its end.
    pub probe: Option<probe::Answer>,
    /// The answer to [`Request::sieve`], where the run came to its end.
    pub sieve: Option<sieve::Answer>,
}

impl Report {
    /// The test named `id`.
    pub fn test(&self, id: &str) -> Option<&TestResult> {
        self.tests.iter().find(|test| test.id == id)
    }

    /// Every failure: of tests, then those that belong to none.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.tests.iter().filter_map(|test| test.failure.as_ref()).chain(&self.problems)
    }

    /// How many tests ended with `status`.
    pub fn count(&self, status: Status) -> usize {
        self.tests.iter().filter(|test| test.status == status).count()
    }
}

/// Where a test is defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPlace {
    /// The file.
    pub path: RelPath,
    /// Its function's name, without class or parameters.
    pub function: String,
    /// Its lines, where they are known.
    pub lines: Option<Lines>,
}

/// Where a project stands while its tests run.
#[derive(Clone, Debug)]
pub struct Site {
    /// The repository's root in the user's tree, absolute.
    pub user_root: PathBuf,
    /// The repository's root in the scratch, absolute.
    pub tree: PathBuf,
    /// Where that lies which commands write in the tree, where it is not there
    /// itself; absolute, with paths as in the tree.
    pub written: Option<PathBuf>,
    /// heal's own executable: the part of heal that runs inside cargo.
    pub heal: PathBuf,
    /// What the scratch itself needs set.
    pub env: Vec<(String, String)>,
    /// The Python interpreter and the folders its tests import from, where
    /// the project is Python.
    pub python: Option<interpreter::Interpreter>,
    /// Maps paths in output to files of the repository.
    pub places: crate::trace::places::Places,
}

pub mod cargo;
pub mod command;
pub mod detect;
pub mod go;
pub(crate) mod injected;
pub mod interpreter;
pub mod javascript;
mod lines;
pub mod probe;
pub mod pytest;
pub mod python;
pub mod sieve;
pub mod unittest;
pub mod wrap;

/// Composes the command for `request`. Writes what the command needs (plugin,
/// selection) into the channel's directory; starts nothing.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    match project.kind {
        RunnerKind::Cargo => cargo::compose(project, site, request, channel),
        RunnerKind::Pytest => pytest::compose(project, site, request, channel),
        RunnerKind::Unittest => unittest::compose(project, site, request, channel),
        RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node => {
            javascript::compose(project, site, request, channel)
        }
        RunnerKind::Go => go::compose(project, site, request, channel),
        RunnerKind::Command => command::compose(project, site, request, channel),
    }
}

/// Reads what a finished command told.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    match project.kind {
        RunnerKind::Cargo => cargo::read(project, site, request, channel, finished),
        RunnerKind::Pytest => pytest::read(project, site, request, channel, finished),
        RunnerKind::Unittest => unittest::read(project, site, request, channel, finished),
        RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node => {
            javascript::read(project, site, request, channel, finished)
        }
        RunnerKind::Go => go::read(project, site, request, channel, finished),
        RunnerKind::Command => command::read(project, site, request, channel, finished),
    }
}

/// Where the test `id` is defined, as far as its name tells.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    match project.kind {
        RunnerKind::Cargo => cargo::place(project, site, id),
        RunnerKind::Pytest => pytest::place(project, site, id),
        RunnerKind::Unittest => unittest::place(project, site, id),
        RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node => {
            javascript::place(project, site, id)
        }
        RunnerKind::Go => go::place(project, site, id),
        RunnerKind::Command => command::place(project, site, id),
    }
}

/// Whether a person who writes `wanted` means the test `id`: the id itself, or
/// what each runner's users call a test for short.
///
/// - cargo: the test's name or its last segments (`divide`, `tests::divide`);
/// - pytest: without its parameters, or its file;
/// - unittest: the last or the first parts of the dotted name;
/// - JavaScript: the last parts after ` > `, its file, or the blocks around it;
/// - Go: the test's name, or the test that holds it;
/// - any command: as its ids are made, and JUnit's last parts after `::`.
pub fn names(project: &Project, id: &str, wanted: &str) -> bool {
    let is_tail = |separator: &str| id.strip_suffix(wanted).is_some_and(|before| before.ends_with(separator));
    if id == wanted {
        return true;
    }
    if wanted.is_empty() {
        return false;
    }
    match project.kind {
        RunnerKind::Cargo => cargo::names(id, wanted),
        RunnerKind::Pytest => {
            let wanted = wanted.strip_prefix("./").unwrap_or(wanted);
            id.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('[') || rest.starts_with("::"))
        }
        RunnerKind::Unittest => is_tail(".") || id.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.')),
        RunnerKind::Jest | RunnerKind::Vitest | RunnerKind::Mocha | RunnerKind::Node => {
            let (separator, wanted) =
                (trace::javascript::SEPARATOR, wanted.replace(" › ", trace::javascript::SEPARATOR));
            id == wanted
                || id.strip_suffix(&wanted).is_some_and(|before| before.ends_with(separator))
                || id.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with(separator))
        }
        RunnerKind::Go => {
            is_tail(" ") || is_tail("/") || id.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(['/', ' ']))
        }
        RunnerKind::Command => {
            is_tail("::")
                || is_tail(" ")
                || id.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('[') || rest.starts_with("::"))
        }
    }
}

/// Why a runner cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The private channel cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Channel {
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_what_people_call_it() {
        for (kind, id, wanted, found) in [
            (RunnerKind::Cargo, "shop tests::divide", "divide", true),
            (RunnerKind::Pytest, "tests/test_a.py::test_x[case1]", "tests/test_a.py::test_x", true),
            (RunnerKind::Pytest, "tests/test_a.py::test_x[case1]", "tests/test_a.py::test_x[case1]", true),
            (RunnerKind::Pytest, "tests/test_a.py::T::test_x", "./tests/test_a.py::T", true),
            (RunnerKind::Pytest, "tests/test_a.py::test_x", "tests/test_a.py", true),
            (RunnerKind::Pytest, "tests/test_a.py::test_xy", "tests/test_a.py::test_x", false),
            (RunnerKind::Unittest, "tests.test_a.T.test_x", "T.test_x", true),
            (RunnerKind::Unittest, "tests.test_a.T.test_x", "est_x", false),
            (RunnerKind::Jest, "a.test.js > Cart > adds", "Cart › adds", true),
            (RunnerKind::Vitest, "a.test.ts > Cart > adds", "a.test.ts > Cart", true),
            (RunnerKind::Node, "a.test.js > Cart > adds", "dds", false),
            (RunnerKind::Go, "e.t/shop TestTable/two_items", "TestTable", false),
            (RunnerKind::Go, "e.t/shop TestTable/two_items", "TestTable/two_items", true),
            (RunnerKind::Go, "e.t/shop TestTable/two_items", "e.t/shop TestTable", true),
            (RunnerKind::Command, "shop tests::divide", "divide", true),
            (RunnerKind::Command, "tests/test_a.py::test_x[1]", "tests/test_a.py::test_x", true),
            (RunnerKind::Command, "c::a", "a", true),
            (RunnerKind::Command, "c::a", "", false),
        ] {
            let project = Project { root: RelPath::root(), kind, command: vec![], given: true, why: String::new() };
            assert_eq!(names(&project, id, wanted), found, "{id} by {wanted}");
        }
    }
}
