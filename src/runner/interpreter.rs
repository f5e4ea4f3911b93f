//! The Python interpreter a project's tests run under, and the folders of the
//! repository that it imports from.
//!
//! Composes the probe and reads its answer; never starts it.

use std::path::PathBuf;

use crate::source::RelPath;

/// A Python interpreter and what an editable install put on its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable, absolute.
    pub program: PathBuf,
    /// Its version (3, 11, 7).
    pub version: (u32, u32, u32),
    /// Folders of the repository that editable installs (`.pth` lines,
    /// setuptools finders) put on the import path; the scratch's copies of
    /// them go first on `PYTHONPATH`.
    pub editable: Vec<RelPath>,
}
