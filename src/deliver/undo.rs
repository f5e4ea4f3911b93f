//! Takes an applied patch back, also after later changes to the same files.
//!
//! Writes only the files of the patch; where its lines were changed since, it
//! refuses and changes nothing.

use std::path::Path;

use super::DeliverError;
use super::apply;
use crate::patch::Patch;
use crate::patch::unified;

/// Takes `patch` out of the tree at `root` again.
///
/// # Errors
/// The patch's own lines were changed since ([`DeliverError::Changed`]), or a
/// file cannot be written.
pub fn undo(root: &Path, patch: &Patch) -> Result<(), DeliverError> {
    let inverse = patch.inverse();
    match apply::apply(root, &inverse) {
        Err(DeliverError::Changed { path }) => {
            // The files moved on: take out just the patch's own lines, where
            // they still stand.
            let read = |path: &crate::source::RelPath| std::fs::read_to_string(path.under(root)).ok();
            let changed = || DeliverError::Changed { path: path.clone() };
            let diffs = unified::parse(&inverse.diff()).map_err(|_| changed())?;
            let moved = unified::resolve(&diffs, &read).map_err(|_| changed())?;
            apply::apply(root, &moved)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn a_patch_is_taken_back_after_later_changes_elsewhere_in_the_file() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("a.py");
        let before: String = (1..20).map(|n| format!("line {n}\n")).collect();
        let after = before.replace("line 5\n", "line five\n");
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), before.clone(), after.clone());
        std::fs::write(&file, format!("new first line\n{after}")).expect("written");
        undo(dir.path(), &patch).expect("undone");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), format!("new first line\n{before}"));
        std::fs::write(&file, after.replace("line five\n", "line fünf\n")).expect("written");
        assert!(matches!(undo(dir.path(), &patch), Err(DeliverError::Changed { .. })));
    }
}
