//! Search-and-replace edits, as models write them, turned into a patch.
//!
//! An edit matches in documented steps (`edit/locate.rs` has them); what matches in
//! none is an error that names the nearest line, so that the model can be told.
//! Works in memory; never reads or writes a file, and never guesses between
//! two places.

mod elision;
mod locate;
mod nearest;

pub use self::elision::marker;
pub(super) use self::locate::runs_in;

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde::Serialize;

use self::locate::Miss;
use self::locate::Place;
use super::FileChange;
use super::Patch;
use crate::source::Lines;
use crate::source::RelPath;

/// Most edits one patch may have; more is no repair.
pub const MOST_EDITS: usize = 100;

/// Replaces one piece of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Edit {
    /// The file.
    pub path: RelPath,
    /// Text of the file; empty only for a file that is new or empty.
    pub search: String,
    /// The text in its place.
    pub replace: String,
}

/// The line of a file that is most like what was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// 1-based, in the file before any edit of the same patch.
    pub line: u32,
    /// The line, without its end, at most 200 characters.
    pub text: String,
}

/// Why edits are no patch. `edit` counts the patch's edits from 1.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// The search text is not in the file.
    #[error("edit {edit}: its search text is not in `{path}`{}", nearest_in_words(nearest))]
    DoesNotApply {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
        /// The line most like the search's first; `None` for an empty file.
        nearest: Option<Nearest>,
    },
    /// The search text is in the file several times.
    #[error(
        "edit {edit}: its search text is in `{path}` {} times (lines {}); add lines around it to make it unique",
        lines.len(), listed(lines)
    )]
    Ambiguous {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
        /// Where it is, 1-based.
        lines: Vec<u32>,
    },
    /// Only text that an earlier edit of the patch wrote would match.
    #[error("edit {edit}: it overlaps an earlier edit of `{path}`; write both as one")]
    Overlaps {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
    },
    /// Code was left out with a marker (`...`, `# unchanged`).
    #[error("edit {edit}: it leaves out code of `{path}` with `{marker}`; write every line in full")]
    Elided {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
        /// The line that marks it.
        marker: String,
    },
    /// heal's own marker for lines that were not shown is in the edit.
    #[error(
        "edit {edit}: `{marker}` stands for lines of `{path}` and is not in the file; search only for lines that were shown"
    )]
    Hidden {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
        /// The line with the marker.
        marker: String,
    },
    /// The file does not exist, and the edit does not create it.
    #[error("edit {edit}: there is no file `{path}`")]
    NoFile {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
    },
    /// An empty search for a file that has text.
    #[error("edit {edit}: an empty search is for a new file, and `{path}` has text")]
    NotEmpty {
        /// The file.
        path: RelPath,
        /// Which edit.
        edit: usize,
    },
    /// More than [`MOST_EDITS`].
    #[error("{count} edits are too many for one patch")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// The files stay as they are.
    #[error("the edits change nothing")]
    Nothing,
}

fn nearest_in_words(nearest: &Option<Nearest>) -> String {
    nearest.as_ref().map_or_else(String::new, |near| format!("; the nearest is line {}: `{}`", near.line, near.text))
}

fn listed(lines: &[u32]) -> String {
    let mut shown: Vec<String> = lines.iter().take(5).map(u32::to_string).collect();
    if lines.len() > 5 {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// Makes a patch of `edits`, in their order; several of one file may not
/// overlap. `read` gives a file of the snapshot, `shown` the spans of it that
/// the edits' author saw (the only place where a match may be inexact by more
/// than white space, and what decides between equal places).
///
/// # Errors
/// The first edit that does not apply; then there is no patch at all.
pub fn resolve(
    edits: &[Edit],
    read: &dyn Fn(&RelPath) -> Option<String>,
    shown: &dyn Fn(&RelPath) -> Vec<Lines>,
) -> Result<Patch, EditError> {
    if edits.len() > MOST_EDITS {
        return Err(EditError::TooMany { count: edits.len() });
    }
    let mut drafts: BTreeMap<&RelPath, Draft> = BTreeMap::new();
    let mut done = HashSet::new();
    for (index, edit) in edits.iter().enumerate() {
        // The same edit twice is a slip of the pen, not a second change.
        if !done.insert(edit) {
            continue;
        }
        let draft = drafts.entry(&edit.path).or_insert_with(|| Draft::new(read(&edit.path), &shown(&edit.path)));
        draft.apply(edit, index + 1)?;
    }
    let patch = Patch::new(drafts.into_iter().map(|(path, draft)| draft.finish(path.clone())).collect());
    if patch.is_empty() { Err(EditError::Nothing) } else { Ok(patch) }
}

/// A file while its edits are applied. Byte ranges are of `text`.
struct Draft {
    before: Option<String>,
    /// The text without its byte-order mark.
    text: String,
    bom: bool,
    /// `\r\n` where most lines of the file end with it.
    line_end: &'static str,
    shown: Vec<Range<usize>>,
    /// What edits have written.
    taken: Vec<Range<usize>>,
}

const BOM: char = '\u{feff}';

impl Draft {
    fn new(before: Option<String>, shown: &[Lines]) -> Draft {
        let whole = before.as_deref().unwrap_or_default();
        let text = whole.strip_prefix(BOM).unwrap_or(whole).to_owned();
        let line_end = if text.matches("\r\n").count() * 2 > text.matches('\n').count() { "\r\n" } else { "\n" };
        let shown = byte_ranges(&text, shown);
        Draft { bom: whole.starts_with(BOM), text, line_end, shown, taken: Vec::new(), before }
    }

    fn apply(&mut self, edit: &Edit, number: usize) -> Result<(), EditError> {
        let path = || edit.path.clone();
        let search = self.in_file_form(&edit.search);
        let replace = self.in_file_form(&edit.replace);
        if let Some(marker) = elision::marker_in(&search).or_else(|| elision::marker_in(&replace)) {
            return Err(EditError::Hidden { path: path(), edit: number, marker: marker.to_owned() });
        }
        if search.is_empty() {
            if !self.text.is_empty() {
                return Err(EditError::NotEmpty { path: path(), edit: number });
            }
            self.put(0..0, &replace);
            return Ok(());
        }
        if self.before.is_none() && self.text.is_empty() {
            return Err(EditError::NoFile { path: path(), edit: number });
        }
        if let Some(marker) = elision::new_elision(&search, &replace) {
            return Err(EditError::Elided { path: path(), edit: number, marker });
        }
        let place = Place { text: &self.text, line_end: self.line_end, shown: &self.shown, taken: &self.taken };
        match place.find(&search, &replace) {
            Ok(found) => {
                self.put(found.bytes, &found.replacement);
                Ok(())
            }
            Err(Miss::Several(starts)) => {
                let lines = starts.iter().map(|start| line_at(&self.text, *start)).collect();
                Err(EditError::Ambiguous { path: path(), edit: number, lines })
            }
            Err(Miss::Taken) => Err(EditError::Overlaps { path: path(), edit: number }),
            Err(Miss::Elided(marker)) => Err(EditError::Elided { path: path(), edit: number, marker }),
            Err(Miss::Nowhere) => {
                let original = self.before.as_deref().unwrap_or_default();
                let nearest = nearest::nearest(original.strip_prefix(BOM).unwrap_or(original), &search);
                let nearest = nearest.map(|(line, text)| Nearest { line, text });
                Err(EditError::DoesNotApply { path: path(), edit: number, nearest })
            }
        }
    }

    /// `text` without a byte-order mark and with the file's line ends.
    fn in_file_form(&self, text: &str) -> String {
        let plain = text.strip_prefix(BOM).unwrap_or(text).replace("\r\n", "\n");
        if self.line_end == "\n" { plain } else { plain.replace('\n', self.line_end) }
    }

    fn put(&mut self, bytes: Range<usize>, replacement: &str) {
        self.text.replace_range(bytes.clone(), replacement);
        let moved = |at: usize| (at + replacement.len()).saturating_sub(bytes.len());
        for range in self.shown.iter_mut().chain(&mut self.taken) {
            if range.start >= bytes.end {
                range.start = moved(range.start);
            }
            if range.end >= bytes.end {
                range.end = moved(range.end).max(range.start);
            }
        }
        self.taken.push(bytes.start..bytes.start + replacement.len());
    }

    fn finish(self, path: RelPath) -> FileChange {
        let after = if self.bom { format!("{BOM}{}", self.text) } else { self.text };
        FileChange { path, before: self.before, after: Some(after) }
    }
}

/// The byte ranges of spans of lines, in one pass over the text.
fn byte_ranges(text: &str, spans: &[Lines]) -> Vec<Range<usize>> {
    if spans.is_empty() {
        return Vec::new();
    }
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let start_of = |line: u32| starts.get(line as usize - 1).copied().unwrap_or(text.len());
    spans.iter().map(|span| start_of(span.start.max(1))..start_of(span.end.max(1).saturating_add(1))).collect()
}

/// The line, 1-based, that holds the byte `at`.
fn line_at(text: &str, at: usize) -> u32 {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() as u32 + 1
}

#[cfg(test)]
mod tests;
