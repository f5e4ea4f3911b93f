//! Where the fault probably is, and the code that shows it.
//!
//! Reads files of the scratch; writes nothing, runs nothing, opens no socket.

use serde::Deserialize;
use serde::Serialize;

use crate::failure::Failure;
use crate::source::Lines;
use crate::source::RelPath;

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
    /// The suspects or the test use it.
    Definition,
    /// The imports and constants of a file that is shown.
    Imports,
}

/// A span of a file that is shown, whole.
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
    /// The text of exactly those lines, with their line ends.
    pub text: String,
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
    /// The code to show.
    pub slice: Slice,
}
