//! Writes a verified patch into the user's work tree.
//!
//! All or nothing: every file is checked before the first is written, and a
//! failure midway puts back what was written. Never touches the index.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::DeliverError;
use crate::patch::FileChange;
use crate::patch::Patch;

/// Applies `patch` to the tree at `root`.
///
/// # Errors
/// A file differs from what the patch was verified on, lies outside the
/// tree, or cannot be written; the tree is then as it was.
pub fn apply(root: &Path, patch: &Patch) -> Result<(), DeliverError> {
    check(root, patch)?;
    let mut written: Vec<&FileChange> = Vec::new();
    for change in patch.changes() {
        if let Err(error) = write(root, change) {
            for done in written {
                let back =
                    FileChange { path: done.path.clone(), before: done.after.clone(), after: done.before.clone() };
                // What cannot be put back is reported by the first error.
                let _ = write(root, &back);
            }
            return Err(error);
        }
        written.push(change);
    }
    Ok(())
}

/// Checks that every file is what the patch was verified on, and inside the
/// tree.
///
/// # Errors
/// The first file that is not.
pub fn check(root: &Path, patch: &Patch) -> Result<(), DeliverError> {
    patch.changes().iter().try_for_each(|change| check_file(root, change))
}

fn check_file(root: &Path, change: &FileChange) -> Result<(), DeliverError> {
    let path = change.path.under(root);
    let parent = path.parent().unwrap_or(root);
    let outside = || DeliverError::Outside { path: change.path.clone() };
    if let (Ok(real), Ok(root)) =
        (fs::canonicalize(&path).or_else(|_| fs::canonicalize(parent)), fs::canonicalize(root))
        && !real.starts_with(root)
    {
        return Err(outside());
    }
    let now = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(DeliverError::Io { doing: "read", path, source }),
    };
    if now.as_deref() == change.before.as_deref().map(str::as_bytes) {
        Ok(())
    } else {
        Err(DeliverError::Changed { path: change.path.clone() })
    }
}

/// Writes one file through a temporary one beside it, so that a crash leaves
/// either the old text or the new one.
fn write(root: &Path, change: &FileChange) -> Result<(), DeliverError> {
    let named = change.path.under(root);
    // A symbolic link inside the tree stays one: its target is rewritten.
    let path = fs::canonicalize(&named).unwrap_or(named);
    let fail = |doing: &'static str, path: &PathBuf| {
        let path = path.clone();
        move |source| DeliverError::Io { doing, path, source }
    };
    let Some(text) = &change.after else {
        return fs::remove_file(&path).map_err(fail("remove", &path));
    };
    let parent = path.parent().unwrap_or(root).to_path_buf();
    fs::create_dir_all(&parent).map_err(fail("create", &parent))?;
    let mut file = tempfile::NamedTempFile::new_in(&parent).map_err(fail("write into", &parent))?;
    file.write_all(text.as_bytes()).map_err(fail("write", &path))?;
    let mode = fs::metadata(&path).map(|metadata| metadata.permissions()).ok();
    if let Some(mode) = mode {
        file.as_file().set_permissions(mode).map_err(fail("write", &path))?;
    } else {
        set_plain_mode(file.as_file()).map_err(fail("write", &path))?;
    }
    file.persist(&path).map_err(|error| DeliverError::Io {
        doing: "write",
        path: path.clone(),
        source: error.error,
    })?;
    Ok(())
}

#[cfg(unix)]
fn set_plain_mode(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_plain_mode(_file: &fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn a_patch_is_applied_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join("a.py"), "a\n").expect("written");
        fs::write(dir.path().join("b.py"), "changed meanwhile\n").expect("written");
        let patch =
            Patch::new(vec![change("a.py", Some("a\n"), Some("A\n")), change("b.py", Some("b\n"), Some("B\n"))]);
        assert!(matches!(apply(dir.path(), &patch), Err(DeliverError::Changed { .. })));
        assert_eq!(fs::read_to_string(dir.path().join("a.py")).expect("read"), "a\n");
        fs::write(dir.path().join("b.py"), "b\n").expect("written");
        apply(dir.path(), &patch).expect("applied");
        assert_eq!(fs::read_to_string(dir.path().join("b.py")).expect("read"), "B\n");
        apply(dir.path(), &patch.inverse()).expect("taken back");
        assert_eq!(fs::read_to_string(dir.path().join("a.py")).expect("read"), "a\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leaves_the_tree_is_refused_and_modes_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let outside = tempfile::tempdir().expect("dir");
        let dir = tempfile::tempdir().expect("dir");
        fs::write(outside.path().join("x.py"), "x\n").expect("written");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).expect("linked");
        let patch = Patch::new(vec![change("link/x.py", Some("x\n"), Some("X\n"))]);
        assert!(matches!(apply(dir.path(), &patch), Err(DeliverError::Outside { .. })));
        let script = dir.path().join("run.py");
        fs::write(&script, "x\n").expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
        apply(dir.path(), &Patch::new(vec![change("run.py", Some("x\n"), Some("y\n"))])).expect("applied");
        assert_eq!(fs::metadata(&script).expect("there").permissions().mode() & 0o777, 0o755);
    }
}
