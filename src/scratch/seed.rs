//! A warm start for cargo: the user's build directory, copied once into a new
//! slot.
//!
//! Reads the user's directory under cargo's own lock; never writes to it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use super::disk;
use crate::cores;

/// Bytes that are copied at most; above this building anew is no slower.
const MOST_BYTES: u64 = 2 << 30;

/// Files for which another thread is not worth starting.
const FEW: usize = 16;

/// Parts that are of no use in another place: incremental caches are keyed by
/// path, documentation and packages are never read by a test.
const LEFT_OUT: [&str; 4] = ["incremental", "doc", "package", "criterion"];

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seeded {
    /// It is there.
    Done,
    /// It is not, for this reason.
    Not(&'static str),
}

/// Copies the build directory `from` to `to`, which does not exist.
pub(super) fn seed(from: &Path, to: &Path) -> io::Result<Seeded> {
    let Some(_locks) = lock(from) else { return Ok(Seeded::Not("cargo is building in it")) };
    let mut found = Found::default();
    if !found.list(from, &mut PathBuf::new())? {
        return Ok(Seeded::Not("it is larger than 2 GB"));
    }
    let partial = to.with_extension("seed");
    disk::remove_any(&partial)?;
    let copied = cores::asked(&found.files, FEW, |path| copy(&from.join(path), &partial.join(path)));
    let copied = copied.into_iter().collect::<io::Result<()>>();
    // As cargo has them: one file for the program and for what it was built as.
    let linked = copied.and_then(|()| {
        found.links.iter().try_for_each(|(path, first)| {
            let to = partial.join(path);
            to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::hard_link(partial.join(first), to)
        })
    });
    match linked.and_then(|()| std::fs::create_dir_all(&partial)).and_then(|()| std::fs::rename(&partial, to)) {
        Ok(()) => Ok(Seeded::Done),
        Err(error) => {
            disk::remove_any(&partial)?;
            if error.kind() == io::ErrorKind::StorageFull {
                return Ok(Seeded::Not("there is no room for a copy"));
            }
            Err(error)
        }
    }
}

/// Cargo's locks on `debug`, `release` and the like, shared; `None` where
/// cargo holds one. A build that starts meanwhile waits for us.
fn lock(target: &Path) -> Option<Vec<File>> {
    let mut locks = Vec::new();
    for entry in std::fs::read_dir(target).into_iter().flatten().flatten() {
        if let Ok(file) = File::open(entry.path().join(".cargo-lock")) {
            file.try_lock_shared().ok()?;
            locks.push(file);
        }
    }
    Some(locks)
}

/// What there is to copy; paths are relative.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Other names of one of the files, and that file.
    links: Vec<(PathBuf, PathBuf)>,
    /// The files that have other names, by device and inode.
    several: HashMap<(u64, u64), PathBuf>,
    bytes: u64,
}

impl Found {
    /// Looks through a folder; false where it is too much.
    fn list(&mut self, from: &Path, folder: &mut PathBuf) -> io::Result<bool> {
        for entry in std::fs::read_dir(from.join(&folder))? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            if kind.is_dir() {
                if LEFT_OUT.iter().any(|one| name == *one) {
                    continue;
                }
                folder.push(&name);
                let fits = self.list(from, folder)?;
                folder.pop();
                if !fits {
                    return Ok(false);
                }
            } else if kind.is_file() && name != ".cargo-lock" {
                self.take(folder.join(&name), &entry.metadata()?);
                if self.bytes > MOST_BYTES {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn take(&mut self, path: PathBuf, about: &Metadata) {
        if about.nlink() > 1 {
            match self.several.entry((about.dev(), about.ino())) {
                Entry::Occupied(first) => return self.links.push((path, first.get().clone())),
                Entry::Vacant(first) => drop(first.insert(path.clone())),
            }
        }
        self.bytes += about.len();
        self.files.push(path);
    }
}

/// Copies one file with mode and time, by reflink where the file system can
/// (`std::fs::copy` uses copy_file_range(2)); never by a hard link to the user's.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(from, to)?;
    let modified = from.metadata()?.modified()?;
    // A file without write permission can still be given its time by its
    // owner, through a handle that reads.
    File::open(to)?.set_modified(modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().expect("folder");
        let from = dir.path().join("target");
        for (path, text) in [
            ("CACHEDIR.TAG", "tag"),
            ("debug/.cargo-lock", ""),
            ("debug/deps/lib.rlib", "rlib"),
            ("debug/incremental/x/y", "big"),
            ("doc/index.html", "doc"),
        ] {
            let path = from.join(path);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folders");
            std::fs::write(path, text).expect("file");
        }
        let to = dir.path().join("slot/target");
        std::fs::create_dir(dir.path().join("slot")).expect("slot");
        (dir, from, to)
    }

    #[test]
    fn a_build_directory_is_copied_with_its_times_and_without_links() {
        let (_dir, from, to) = target();
        assert_eq!(seed(&from, &to).expect("copied"), Seeded::Done);
        let (a, b) = (from.join("debug/deps/lib.rlib"), to.join("debug/deps/lib.rlib"));
        let (a, b) = (a.metadata().expect("from"), b.metadata().expect("to"));
        assert_eq!((a.mtime(), a.mtime_nsec()), (b.mtime(), b.mtime_nsec()));
        assert_ne!(a.ino(), b.ino());
        assert!(!to.join("debug/incremental").exists() && !to.join("doc").exists());
        assert!(!to.with_extension("seed").exists());
    }

    #[test]
    fn names_of_one_file_are_names_of_one_copy() {
        let (_dir, from, to) = target();
        for name in ["debug/deps/lib", "debug/lib"] {
            std::fs::hard_link(from.join("debug/deps/lib.rlib"), from.join(name)).expect("linked");
        }
        std::fs::hard_link(from.join("CACHEDIR.TAG"), from.join("doc/tag")).expect("linked to what is left out");
        assert_eq!(seed(&from, &to).expect("copied"), Seeded::Done);
        let inode = |path: PathBuf| path.metadata().expect("a copy").ino();
        let copy = inode(to.join("debug/deps/lib.rlib"));
        assert_eq!([inode(to.join("debug/deps/lib")), inode(to.join("debug/lib"))], [copy; 2]);
        assert_ne!(copy, inode(from.join("debug/lib")));
        assert_eq!(std::fs::read(to.join("CACHEDIR.TAG")).expect("copied"), b"tag");
    }

    #[test]
    fn a_build_directory_in_use_is_left_alone() {
        let (_dir, from, to) = target();
        let cargo = File::options().write(true).open(from.join("debug/.cargo-lock")).expect("lock file");
        cargo.lock().expect("locked");
        assert_eq!(seed(&from, &to).expect("asked"), Seeded::Not("cargo is building in it"));
        assert!(!to.exists());
    }
}
