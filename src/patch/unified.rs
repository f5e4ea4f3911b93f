//! Unified diffs, as tools, people and models write them, turned into a patch.
//!
//! [`parse`] reads text, [`resolve`] lays the hunks on the files of the
//! snapshot. Works in memory; never reads or writes a file. Refuses what a
//! [`Patch`] cannot hold (binary files, links, modes) and every path that is
//! not inside the repository.
//!
//! ```text
//! patch = { noise | file }              noise: mail headers, log, signature
//! file  = [ "diff --git " a " " b ]
//!         { extended }                  index, mode, rename, copy, similarity
//!         [ "--- " path  "+++ " path ]  path: plain or in C-style quotes
//!         { hunk }
//! hunk  = "@@ -" start ["," count] " +" start ["," count] " @@" [ text ]
//!         { (" " | "-" | "+") text | "\ No newline at end of file" }
//! ```

mod header;
mod place;
mod read;

pub use self::read::parse;

use std::collections::BTreeMap;

use super::FileChange;
use super::Patch;
use crate::source::RelPath;

/// What a diff says about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// The file before; `None` where the diff creates it.
    pub old: Option<Name>,
    /// The file after; `None` where the diff deletes it.
    pub new: Option<Name>,
    /// What it says of names beside the change.
    pub kind: DiffKind,
    /// The changes, in the diff's order.
    pub hunks: Vec<Hunk>,
}

/// What happens to a file's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffKind {
    /// It stays, appears or goes.
    #[default]
    Change,
    /// It moves from `old` to `new`.
    Rename,
    /// `old` stays as it is, `new` starts as its copy.
    Copy,
}

/// A file name of a diff, which may carry a prefix (`a/`, `b/`) or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without the prefix.
    pub path: RelPath,
    /// As it is written, where that differs: the prefix may be a real folder.
    pub written: Option<RelPath>,
}

/// One hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The first line of the old text, 1-based, as the header says; `None`
    /// where the header has no numbers.
    pub old_start: Option<u32>,
    /// Its lines.
    pub lines: Vec<HunkLine>,
    /// The line of the diff its header stands on, 1-based.
    pub at: usize,
}

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HunkLine {
    /// Which side has it.
    pub side: Side,
    /// Its text with its line end; no line end after
    /// `\ No newline at end of file`.
    pub text: String,
}

/// Which side of a diff has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Both.
    Both,
    /// The old text only.
    Old,
    /// The new text only.
    New,
}

/// Why a text is no patch that can be used. Lines are of the diff, 1-based.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnifiedError {
    /// There is no diff in the text.
    #[error("the text holds no unified diff")]
    NoDiff,
    /// A byte no text file has.
    #[error("line {line} holds a NUL byte")]
    Nul {
        /// Where.
        line: usize,
    },
    /// A path outside the repository, or none at all.
    #[error("line {line}: {reason}")]
    BadPath {
        /// Where.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A hunk that cannot be read.
    #[error("line {line}: this hunk cannot be read: {reason}")]
    BadHunk {
        /// Where.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Something a patch of heal cannot hold.
    #[error("line {line}: {what} cannot be checked; leave it out of the patch")]
    Unsupported {
        /// Where.
        line: usize,
        /// `a binary file`, `a symbolic link`, `a change of a file's mode`.
        what: &'static str,
    },
    /// A file it changes does not exist.
    #[error("there is no file `{path}`")]
    NoFile {
        /// The file.
        path: RelPath,
    },
    /// A file it creates exists.
    #[error("the patch creates `{path}`, which exists")]
    Exists {
        /// The file.
        path: RelPath,
    },
    /// A hunk's lines are not in the file.
    #[error("line {line}: this hunk does not apply to `{path}`{}", near.map_or_else(String::new, |near| format!("; the nearest place is line {near}")))]
    DoesNotApply {
        /// The file.
        path: RelPath,
        /// Where the hunk is.
        line: usize,
        /// The file's line where most of the hunk's first lines are found,
        /// 1-based.
        near: Option<u32>,
    },
    /// A hunk's lines are in the file several times, none where it says.
    #[error("line {line}: this hunk fits `{path}` in {count} places, and in none of them at its own line number")]
    Ambiguous {
        /// The file.
        path: RelPath,
        /// Where the hunk is.
        line: usize,
        /// How many.
        count: usize,
    },
    /// Two hunks change the same lines.
    #[error("line {line}: this hunk overlaps another one of `{path}`")]
    Overlaps {
        /// The file.
        path: RelPath,
        /// Where the hunk is.
        line: usize,
    },
    /// The files stay as they are.
    #[error("the patch changes nothing")]
    Nothing,
}

/// Makes a patch of `diffs`; several of one file (a series of mails) build on
/// each other. `read` gives a file of the snapshot.
///
/// A hunk's lines are looked for where its header says, then anywhere else, if
/// that is one place only; first as they are, then without regard to white
/// space at the ends of lines.
///
/// # Errors
/// The first thing that cannot be done; then there is no patch at all.
pub fn resolve(diffs: &[FileDiff], read: &dyn Fn(&RelPath) -> Option<String>) -> Result<Patch, UnifiedError> {
    let mut tree = Overlay { read, texts: BTreeMap::new() };
    for diff in diffs {
        tree.lay(diff)?;
    }
    let changes = tree.texts.into_iter().map(|(path, (before, after))| FileChange { path, before, after });
    let patch = Patch::new(changes.collect());
    if patch.is_empty() { Err(UnifiedError::Nothing) } else { Ok(patch) }
}

/// The snapshot with the diffs laid on it so far.
struct Overlay<'r> {
    read: &'r dyn Fn(&RelPath) -> Option<String>,
    /// Before and now.
    texts: BTreeMap<RelPath, (Option<String>, Option<String>)>,
}

impl Overlay<'_> {
    fn text(&self, path: &RelPath) -> Option<String> {
        self.texts.get(path).map_or_else(|| (self.read)(path), |(_, now)| now.clone())
    }

    fn set(&mut self, path: &RelPath, text: Option<String>) {
        if let Some((_, now)) = self.texts.get_mut(path) {
            *now = text;
        } else {
            self.texts.insert(path.clone(), ((self.read)(path), text));
        }
    }

    fn lay(&mut self, diff: &FileDiff) -> Result<(), UnifiedError> {
        match (&diff.old, &diff.new) {
            (None, None) => Err(UnifiedError::NoDiff),
            (None, Some(new)) => self.create(&new.path, &diff.hunks),
            (Some(old), None) => self.delete(&self.existing(&[old])?, &diff.hunks),
            (Some(old), Some(new)) if diff.kind == DiffKind::Change => {
                // `foo.py.orig` against `foo.py`: the new name is meant.
                let path = self.existing(&[new, old])?;
                let text = self.changed(&path, &diff.hunks)?;
                self.set(&path, Some(text));
                Ok(())
            }
            (Some(old), Some(new)) => {
                let from = self.existing(&[old])?;
                if self.text(&new.path).is_some() {
                    return Err(UnifiedError::Exists { path: new.path.clone() });
                }
                let text = self.changed(&from, &diff.hunks)?;
                if diff.kind == DiffKind::Rename {
                    self.set(&from, None);
                }
                self.set(&new.path, Some(text));
                Ok(())
            }
        }
    }

    /// The first of the names that is a file, without its prefix or with it.
    fn existing(&self, names: &[&Name]) -> Result<RelPath, UnifiedError> {
        let paths = names.iter().flat_map(|name| [Some(&name.path), name.written.as_ref()]);
        let found = paths.flatten().find(|path| self.text(path).is_some());
        found.cloned().ok_or_else(|| UnifiedError::NoFile { path: names[0].path.clone() })
    }

    fn changed(&self, path: &RelPath, hunks: &[Hunk]) -> Result<String, UnifiedError> {
        place::apply(path, &self.text(path).unwrap_or_default(), hunks)
    }

    fn create(&mut self, path: &RelPath, hunks: &[Hunk]) -> Result<(), UnifiedError> {
        if self.text(path).is_some_and(|text| !text.is_empty()) {
            return Err(UnifiedError::Exists { path: path.clone() });
        }
        let text = place::apply(path, "", hunks)?;
        self.set(path, Some(text));
        Ok(())
    }

    fn delete(&mut self, path: &RelPath, hunks: &[Hunk]) -> Result<(), UnifiedError> {
        let left = self.changed(path, hunks)?;
        if !left.is_empty() {
            let line = hunks.first().map_or(1, |hunk| hunk.at);
            return Err(UnifiedError::DoesNotApply { path: path.clone(), line, near: None });
        }
        self.set(path, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
