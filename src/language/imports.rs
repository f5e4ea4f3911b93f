//! Import statements, as written.
//!
//! Finds no file: which module a path means is the work of `diagnose`.

use super::Parsed;
use crate::source::Lines;

/// A name that an import binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedName {
    /// The name in the module; `*` for all of them.
    pub name: String,
    /// What it is called here, where that differs.
    pub alias: Option<String>,
}

impl ImportedName {
    /// What it is called here.
    pub fn local(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module's path as written, without leading dots; empty for
    /// `from . import x`.
    pub module: String,
    /// The names taken from it; empty where the module itself is bound.
    pub names: Vec<ImportedName>,
    /// What the module itself is called here (`import a.b as c`).
    pub alias: Option<String>,
    /// Leading dots of a relative import (Python); 0 for others.
    pub level: u32,
    /// The statement's lines.
    pub lines: Lines,
    /// Whether the names are given to other files and not bound here
    /// (`export { a as b } from './x'`); without a module they are this file's
    /// own under the names that others know.
    pub exports: bool,
}

impl Import {
    /// Every name that the import binds here.
    pub fn locals(&self) -> Vec<&str> {
        if self.names.is_empty() {
            let first = self.module.split(['.', ':']).next().unwrap_or_default();
            return vec![self.alias.as_deref().unwrap_or(first)];
        }
        self.names.iter().map(ImportedName::local).collect()
    }
}

impl Parsed {
    /// All imports, in text order; also those inside functions.
    pub fn imports(&self) -> Vec<Import> {
        self.outline().imports
    }
}
