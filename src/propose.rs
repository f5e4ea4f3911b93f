//! Candidates: patches nobody has checked, from rules and from models.
//!
//! Touches no file of the project and starts no command, but for a program
//! that the user named as the model: evidence in, candidates out.

pub mod compiler;
pub mod model;
pub mod provider;
pub mod revert;
pub mod rules;

use std::ops::Range;

use serde::Deserialize;
use serde::Serialize;

use crate::language;
use crate::language::Language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::Patch;
use crate::source::RelPath;

/// Where a candidate came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// `rule`, `compiler`, `revert`, `model` or `person`.
    pub kind: String,
    /// The rule's name, or the model's (`anthropic/claude-…`).
    pub name: String,
}

/// A patch nobody has checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Unique within the run (`c17`).
    pub id: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it changes.
    pub patch: Patch,
    /// The root cause and the change, in one or two sentences.
    pub explanation: String,
    /// The proposer's own order: higher is tried sooner. Of verified patches
    /// it ranks those with equal evidence, and nothing else.
    pub prior: f64,
}

/// The language of a file that a proposer may change: an existing source file
/// of a known language that is neither a test nor run by the build or by the
/// interpreter's start.
fn open_to_change(path: &RelPath) -> Option<&'static Language> {
    let special = matches!(path.file_name(), "build.rs" | "conftest.py" | "sitecustomize.py" | "usercustomize.py");
    let language = language::of_path(path)?;
    (!special && !(language.is_test_file)(path)).then_some(language)
}

/// Whether the bytes touch code that is a test, or compiled for tests only.
fn touches_test(parsed: &Parsed, bytes: &Range<usize>) -> bool {
    let mut touches = false;
    language::walk(parsed.tree.root_node(), &mut |node| {
        if touches || node.end_byte() < bytes.start || node.start_byte() > bytes.end {
            return false;
        }
        // What only borders the span is not touched; an empty span inside is.
        let inside = node.start_byte() < bytes.end.max(bytes.start + 1) && bytes.start < node.end_byte();
        touches = inside && syntax::is_test(parsed, node);
        !touches
    });
    touches
}
