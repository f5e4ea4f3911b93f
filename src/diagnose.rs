//! Where the fault probably is, and the code that shows it.
//!
//! Reads what it is given to read from ([`Texts`]): the snapshot, so that a save
//! during the run changes nothing. Writes nothing, runs nothing, opens no socket.

use std::fmt::Debug;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::detect::Outcome;
use crate::detect::Reproduction;
use crate::detect::Spectrum;
use crate::detect::spectrum::Covered;
use crate::failure::Failure;
#[cfg(doc)]
use crate::patch::edit;
use crate::runner::TestPlace;
use crate::scratch::Snapshot;
use crate::source::Lines;
use crate::source::RelPath;

mod calls;
mod changed_test;
mod classify;
mod cluster;
mod file;
mod focus;
mod frames;
mod gather;
mod given;
mod hot;
mod index;
mod makers;
mod modules;
mod ochiai;
mod printed;
mod resolve;
mod shadow;
mod slice;
mod suspect;
mod target;
mod types;
mod values;

pub use classify::classify;
pub use cluster::clusters;
pub use cluster::root;
pub use slice::estimate_tokens;

/// A span of code that may hold the fault: a function, or the top level of a
/// file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The file.
    pub path: RelPath,
    /// The lines of the function.
    pub lines: Lines,
    /// Its qualified name (`Cart.total`, `Cart::total`); the file's name for
    /// the top level.
    pub symbol: String,
    /// Between 0 and 1; the first suspect has the highest.
    pub score: f64,
    /// Why, each in words a person can read.
    pub reasons: Vec<String>,
    /// Lines inside the span that are more suspect than the rest, with a
    /// weight between 0 and 1; most suspect first. May be empty.
    pub hot: Vec<(u32, f64)>,
}

/// What a part of a slice is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It may hold the fault.
    Suspect,
    /// It is the failing test.
    Test,
    /// It serves the failing test: a fixture, a helper, a value.
    Helper,
    /// The suspects or the test use it.
    Definition,
    /// The imports and constants of a file that is shown.
    Imports,
}

/// A span of a file that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file.
    pub path: RelPath,
    /// The lines shown.
    pub lines: Lines,
    /// What it is there for.
    pub role: Role,
    /// What it defines, where it is a definition.
    pub symbol: Option<String>,
    /// Lines inside the span that are not shown, in order.
    #[serde(default)]
    pub elided: Vec<Lines>,
    /// The text of exactly those lines, with their line ends; in the place of
    /// lines that are not shown stands one that says so ([`edit::marker`]).
    pub text: String,
}

impl Part {
    /// The lines that are shown.
    pub fn shown(&self) -> Vec<Lines> {
        let mut shown = Vec::new();
        let mut start = self.lines.start;
        for gap in &self.elided {
            if start < gap.start {
                shown.push(Lines::new(start, gap.start - 1));
            }
            start = gap.end + 1;
        }
        if start <= self.lines.end {
            shown.push(Lines::new(start, self.lines.end));
        }
        shown
    }

    /// The text by lines, each with its number; markers have none.
    pub fn numbered(&self) -> impl Iterator<Item = (Option<u32>, &str)> {
        let mut gaps = self.elided.iter().peekable();
        let mut next = self.lines.start;
        self.text.lines().map(move |line| match gaps.next_if(|gap| gap.start == next) {
            Some(gap) => {
                next = gap.end + 1;
                (None, line)
            }
            None => {
                next += 1;
                (Some(next - 1), line)
            }
        })
    }
}

/// The code shown for a diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The parts, suspects first.
    pub parts: Vec<Part>,
    /// Estimated tokens of all parts.
    pub tokens: usize,
    /// What was left out to stay within the budget, in words.
    pub dropped: Vec<String>,
    /// Functions that nothing is shown of and that the failing test ran, or
    /// that are suspect; by file.
    #[serde(default)]
    pub beside: Vec<(RelPath, Vec<String>)>,
}

/// What sort of fault the failure points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The code is wrong.
    Code,
    /// It does not compile.
    CompileError,
    /// A module or package is not installed.
    MissingDependency,
    /// Something outside the code: a service, a file, a permission.
    Environment,
    /// It does not end.
    Timeout,
    /// The runner itself crashed.
    RunnerCrash,
    /// The test, not the code, is probably wrong.
    TestSuspected,
    /// It fails in the suite and passes alone.
    OrderDependent,
    /// It passes and fails on the same tree.
    Flaky,
}

impl Class {
    /// Whether no change of the code is likely to mend it.
    pub fn is_outside(self) -> bool {
        matches!(self, Class::MissingDependency | Class::Environment | Class::RunnerCrash)
    }

    /// The class in words, for a person.
    pub fn in_words(self) -> &'static str {
        match self {
            Class::Code => "the code is wrong",
            Class::CompileError => "it does not compile",
            Class::MissingDependency => "a dependency is missing",
            Class::Environment => "the environment is at fault",
            Class::Timeout => "it does not end",
            Class::RunnerCrash => "the runner crashed",
            Class::TestSuspected => "the test is probably wrong",
            Class::OrderDependent => "it depends on other tests",
            Class::Flaky => "it is flaky",
        }
    }
}

/// How a failure behaved when it was run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rerun {
    /// What came of it.
    pub outcome: Outcome,
    /// Runs that failed.
    pub failed: usize,
    /// Runs in all.
    pub runs: usize,
}

impl From<&Reproduction> for Rerun {
    fn from(found: &Reproduction) -> Rerun {
        Rerun { outcome: found.outcome.clone(), failed: found.failed, runs: found.runs }
    }
}

/// A failure with its suspects and its slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The failure that stands for its cluster.
    pub failure: Failure,
    /// Other failing tests with the same root, by id.
    pub also: Vec<String>,
    /// What sort of fault.
    pub class: Class,
    /// Why that class, in words.
    pub class_why: String,
    /// Most suspect first.
    pub suspects: Vec<Suspect>,
    /// Lines changed since HEAD or by the last commit.
    #[serde(default)]
    pub recent: Vec<(RelPath, Vec<Lines>)>,
    /// The code to show.
    pub slice: Slice,
}

/// Where a diagnosis reads the repository's files.
pub trait Texts: Debug {
    /// The text of the regular file at `path`; `None` where there is none, or
    /// it is no UTF-8 or longer than `max_bytes`.
    fn text(&self, path: &RelPath, max_bytes: u64) -> Option<String>;
}

impl Texts for Snapshot {
    fn text(&self, path: &RelPath, max_bytes: u64) -> Option<String> {
        self.size(path).filter(|size| *size <= max_bytes)?;
        self.read(path)
    }
}

/// A folder as it stands: what a fixture or a log without a run is diagnosed in.
#[derive(Clone, Debug)]
pub struct Folder(
    /// The repository's root, absolute.
    pub PathBuf,
);

impl Texts for Folder {
    fn text(&self, path: &RelPath, max_bytes: u64) -> Option<String> {
        let path = path.under(&self.0);
        // A link may lead out of the tree: what it shows is not the project's.
        let metadata = std::fs::symlink_metadata(&path).ok()?;
        let small = metadata.is_file() && metadata.len() <= max_bytes;
        if small { std::fs::read_to_string(&path).ok() } else { None }
    }
}

/// What is known about a cluster of failures. Borrowed; nothing is changed.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// Where files are read.
    pub texts: &'a dyn Texts,
    /// The files of the repository.
    pub files: &'a [RelPath],
    /// The failures of one cluster; the first stands for it.
    pub failures: &'a [Failure],
    /// Lines that the failing tests executed, in the order of `failures`;
    /// empty where that is not known.
    pub executed: &'a [Covered],
    /// Lines that failing tests of other clusters executed: most often one
    /// fault makes them all fail.
    pub beside: &'a [Covered],
    /// Lines that passing tests executed.
    pub passing: &'a Spectrum,
    /// Where the failing tests are defined, in any order; may be empty.
    pub tests: &'a [TestPlace],
    /// Lines changed since HEAD or by the last commit.
    pub recent: &'a [(RelPath, Vec<Lines>)],
    /// The files as they were before `recent`; `None` where that is not known.
    pub earlier: Option<&'a dyn Texts>,
    /// How the first of `failures` behaved when it was run again; `None` where
    /// it was not.
    pub rerun: Option<Rerun>,
    /// The project's root: where its tests run and its imports start.
    pub root: RelPath,
}

/// Which sources of evidence count. All, except where their worth is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Frames of the trace.
    pub frames: bool,
    /// Calls that lead from the failing test.
    pub calls: bool,
    /// Lines that the failing tests executed.
    pub executed: bool,
    /// Lines that passing tests executed, against those.
    pub spectrum: bool,
    /// What the message names.
    pub values: bool,
    /// What was changed lately.
    pub history: bool,
}

impl Sources {
    /// Every source.
    pub const ALL: Sources =
        Sources { frames: true, calls: true, executed: true, spectrum: true, values: true, history: true };
}

/// How much a diagnosis may say, and what it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Estimated tokens of a slice, at most.
    pub budget_tokens: usize,
    /// Suspects, at most.
    pub max_suspects: usize,
    /// What counts.
    pub sources: Sources,
}

impl Default for Config {
    fn default() -> Config {
        Config { budget_tokens: 12_000, max_suspects: 20, sources: Sources::ALL }
    }
}

/// Changed files that a diagnosis tells of.
const MOST_RECENT: usize = 50;

/// Diagnoses a cluster of failures; `None` for no failure at all.
///
/// Reads only the files that the trace, the imports and the calls lead to.
pub fn diagnose(evidence: &Evidence<'_>, config: &Config) -> Option<Diagnosis> {
    let failure = evidence.failures.first()?;
    let index = index::Index::new(evidence.texts, evidence.files, evidence.root.clone());
    let findings = suspect::rank(&index, evidence, config);
    let (class, class_why) = classify::in_index(&index, evidence, &findings, config.sources);
    let slice = slice::cut(&index, evidence, &findings, config);
    Some(Diagnosis {
        failure: failure.clone(),
        also: evidence.failures[1..].iter().map(|other| other.id.clone()).collect(),
        class,
        class_why,
        suspects: findings.suspects.into_iter().map(|ranked| ranked.suspect).collect(),
        recent: evidence.recent.iter().take(MOST_RECENT).cloned().collect(),
        slice,
    })
}

/// The code that `names` mean, as a model writes them (`path:Class.method`,
/// `module.function`, `path`): definitions of the project's code, longer
/// classes and files by their signatures. What is in `shown` already, what is
/// not found and what is too much is told in [`Slice::dropped`].
pub fn look_up(texts: &dyn Texts, files: &[RelPath], root: &RelPath, names: &[String], shown: &[&Slice]) -> Slice {
    slice::wanted::cut(&index::Index::new(texts, files, root.clone()), names, shown)
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tree;
