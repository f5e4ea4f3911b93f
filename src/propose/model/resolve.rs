//! From a patch as a model wrote it to one that can be tried.
//!
//! Puts secrets back and finds the places; never writes a file.

use super::redact::Redactor;
use super::reply;
use super::reply::SaidChange;
use super::reply::SaidPatch;
use crate::diagnose::Slice;
use crate::patch::Patch;
use crate::patch::edit;
use crate::patch::edit::Edit;
use crate::patch::unified;
use crate::source::RelPath;

/// The patch that the model means, who was shown `slices`; secrets put back.
pub(super) fn resolved(
    patch: &SaidPatch,
    slices: &[&Slice],
    read: &dyn Fn(&RelPath) -> Option<String>,
    redactor: &Redactor,
) -> Result<Patch, String> {
    match &patch.change {
        SaidChange::Edits(said) => {
            let edit = |said: &reply::SaidEdit| -> Result<Edit, String> {
                let path = RelPath::new(&said.path).map_err(|error| error.to_string())?;
                if path.is_root() {
                    return Err("an edit has no path".to_owned());
                }
                let restored = redactor.restored(&said.search, &said.replace);
                let (search, replace) = restored.map_err(|error| error.to_string())?;
                Ok(Edit { path, search, replace })
            };
            let edits = said.iter().map(edit).collect::<Result<Vec<Edit>, String>>()?;
            let shown = |path: &RelPath| {
                let parts = slices.iter().flat_map(|slice| &slice.parts).filter(|part| part.path == *path);
                parts.flat_map(|part| part.shown()).collect()
            };
            edit::resolve(&edits, read, &shown).map_err(|error| error.to_string())
        }
        SaidChange::Diff(diff) => {
            let side = |skip: char| -> String {
                let lines = diff.split_inclusive('\n').filter(|line| !line.starts_with(skip));
                lines.collect()
            };
            redactor.restored(&side('+'), &side('-')).map_err(|error| error.to_string())?;
            let restored = redactor.restored(diff, diff).map_err(|error| error.to_string())?.0;
            let diffs = unified::parse(&restored).map_err(|error| error.to_string())?;
            unified::resolve(&diffs, read).map_err(|error| error.to_string())
        }
    }
}

/// A change as the model wrote it, for the model to see again.
pub(super) fn written(change: &SaidChange) -> String {
    match change {
        SaidChange::Diff(diff) => diff.clone(),
        SaidChange::Edits(edits) => {
            let edit = |edit: &reply::SaidEdit| {
                let marked =
                    |mark: char, text: &str| text.lines().map(|line| format!("{mark}{line}\n")).collect::<String>();
                format!("{}\n{}{}", edit.path, marked('-', &edit.search), marked('+', &edit.replace))
            };
            edits.iter().map(edit).collect()
        }
    }
}
