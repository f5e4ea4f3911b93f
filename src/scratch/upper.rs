//! The layer over a tree that is never written: the files of a candidate, and
//! what its tests wrote.
//!
//! Writes below its own directory only. Knows the marks by which overlayfs
//! says that something below is gone; nothing of plans or patches.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::sys::stat::SFlag;
use nix::sys::stat::mknod;

use super::disk;

/// Set on a directory that hides all of the one below it (kernel
/// documentation, overlayfs, `userxattr`).
const OPAQUE: &str = "user.overlay.opaque";

/// A layer and the tree below it. Paths are relative to both.
#[derive(Clone, Debug)]
pub(super) struct Upper {
    /// What is below.
    tree: PathBuf,
    /// What lies over it.
    pub(super) dir: PathBuf,
    /// The kernel's own directory.
    pub(super) work: PathBuf,
    /// Where files wait that outlive an emptying.
    aside: PathBuf,
}

impl Upper {
    /// The layer that `slot` keeps over `tree`.
    pub(super) fn over(tree: &Path, slot: &Path) -> Upper {
        Upper { tree: tree.to_owned(), dir: slot.join("upper"), work: slot.join("work"), aside: slot.join("aside") }
    }

    /// What lies in `dir` over `tree`, used as a layer that is only read.
    pub(super) fn at(tree: &Path, dir: &Path) -> Upper {
        Upper { dir: dir.to_owned(), ..Upper::over(tree, dir) }
    }

    /// Makes the directory that the layer's own ones lie in.
    pub(super) fn make_home(&self) -> io::Result<()> {
        self.dir.parent().map_or(Ok(()), std::fs::create_dir_all)
    }

    /// Where the layer shows `path`, or what stands there in place of a
    /// directory above it; `None` where the tree below is seen.
    pub(super) fn holds(&self, path: &Path) -> Option<PathBuf> {
        let (mut at, mut is_hiding) = (self.dir.clone(), false);
        for part in path.components() {
            at.push(part);
            match at.symlink_metadata() {
                Err(_) if is_hiding => break,
                Err(_) => return None,
                Ok(about) if !about.is_dir() => return Some(at),
                Ok(_) => is_hiding |= is_opaque(&at),
            }
        }
        Some(self.dir.join(path))
    }

    /// Lays a file over the tree.
    pub(super) fn write(&self, path: &Path, text: &[u8], mode: u32, modified: std::time::SystemTime) -> io::Result<()> {
        self.make_way(path)?;
        disk::write_new(&self.dir.join(path), &disk::Bytes::Held(text), mode, modified).map(|_| ())
    }

    /// Makes an empty directory of its own over whatever is below.
    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.make_way(path)?;
        let folder = self.dir.join(path);
        if folder.is_dir() { Ok(()) } else { std::fs::create_dir(folder) }
    }

    /// Hides what is below at `path`; nothing where nothing is.
    pub(super) fn hide(&self, path: &Path) -> io::Result<()> {
        if self.tree.join(path).symlink_metadata().is_err() {
            return disk::remove_any(&self.dir.join(path));
        }
        self.mark(path)
    }

    /// Hides whatever is below at `path`, also what lies on the tree.
    pub(super) fn mark(&self, path: &Path) -> io::Result<()> {
        let mark = self.dir.join(path);
        disk::remove_any(&mark)?;
        self.make_way(path)?;
        Ok(mknod(&mark, SFlag::S_IFCHR, Mode::empty(), 0)?)
    }

    /// Makes the directories above `path`, with the rights of those below.
    pub(super) fn make_way(&self, path: &Path) -> io::Result<()> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).filter(|one| !one.as_os_str().is_empty()).collect();
        folders.reverse();
        for folder in folders {
            let own = self.dir.join(folder);
            if own.symlink_metadata().is_ok_and(|about| about.is_dir()) {
                continue;
            }
            disk::remove_any(&own)?;
            std::fs::create_dir(&own)?;
            if let Ok(below) = self.tree.join(folder).symlink_metadata() {
                std::fs::set_permissions(&own, std::fs::Permissions::from_mode(below.permissions().mode() & 0o7777))?;
            }
        }
        Ok(())
    }

    /// Files of the tree that the layer changes or hides.
    pub(super) fn covered(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        if self.dir.symlink_metadata().is_ok() {
            self.look(Path::new(""), &mut found)?;
        }
        Ok(found)
    }

    fn look(&self, folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        let full = self.dir.join(folder);
        disk::open_up(&full)?;
        for entry in std::fs::read_dir(&full)? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let Ok(below) = self.tree.join(&path).symlink_metadata() else { continue };
            let is_seen_through = entry.file_type()?.is_dir() && below.is_dir() && !is_opaque(&entry.path());
            if is_seen_through {
                self.look(&path, found)?;
            } else {
                files_below(&self.tree, &path, &below, found)?;
            }
        }
        Ok(())
    }

    /// Everything in the layer that is no directory.
    pub(super) fn files(&self) -> io::Result<Vec<PathBuf>> {
        let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(self.dir.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        Ok(found)
    }

    /// Throws the layer away but for the files `keep`, which stay as they are,
    /// and makes it ready for use.
    pub(super) fn empty(&self, keep: &[PathBuf]) -> io::Result<()> {
        disk::remove_any(&self.aside)?;
        if !keep.is_empty() {
            std::fs::create_dir(&self.aside)?;
        }
        for (number, path) in keep.iter().enumerate() {
            std::fs::rename(self.dir.join(path), self.aside.join(number.to_string()))?;
        }
        for folder in [&self.dir, &self.work] {
            disk::remove_any(folder)?;
            std::fs::create_dir(folder)?;
        }
        // What stands for the root must be as the root is.
        let mode = self.tree.metadata()?.permissions().mode() & 0o7777;
        std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(mode))?;
        for (number, path) in keep.iter().enumerate() {
            self.make_way(path)?;
            std::fs::rename(self.aside.join(number.to_string()), self.dir.join(path))?;
        }
        disk::remove_any(&self.aside)
    }

    /// Removes all that belongs to the layer.
    pub(super) fn remove(&self) -> io::Result<()> {
        [&self.dir, &self.work, &self.aside].into_iter().try_for_each(|path| disk::remove_any(path))
    }
}

/// Whether a layer says by it that something below is gone.
pub(super) fn is_whiteout(about: &Metadata) -> bool {
    about.file_type().is_char_device() && about.rdev() == 0
}

fn is_opaque(folder: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(folder, OPAQUE, &mut value[..]).is_ok_and(|length| length == 1 && value[0] == b'y')
}

/// Every regular file at or below `path`.
fn files_below(tree: &Path, path: &Path, about: &Metadata, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if about.is_file() {
        found.push(path.to_owned());
    } else if about.is_dir() {
        for entry in std::fs::read_dir(tree.join(path))? {
            let entry = entry?;
            files_below(tree, &path.join(entry.file_name()), &entry.metadata()?, found)?;
        }
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// A layer over a tree of these files, in a folder of its own.
    fn layer(files: &[&str]) -> (tempfile::TempDir, Upper) {
        let dir = tempfile::tempdir().expect("a folder");
        let tree = dir.path().join("tree");
        for file in files {
            let path = tree.join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, *file).expect("a file");
        }
        let upper = Upper::over(&tree, dir.path());
        upper.empty(&[]).expect("made");
        (dir, upper)
    }

    fn make_opaque(folder: &Path) {
        rustix::fs::setxattr(folder, OPAQUE, b"y", rustix::fs::XattrFlags::empty()).expect("an attribute");
    }

    fn names(paths: Vec<PathBuf>) -> Vec<String> {
        let mut names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_layer_shows_is_told_from_what_is_seen_through_it() {
        let (_dir, upper) = layer(&["a", "deep/er/b", "deep/c", "gone/d", "new/e"]);
        upper.write(Path::new("deep/er/b"), b"B", 0o644, std::time::SystemTime::now()).expect("written");
        upper.hide(Path::new("gone")).expect("hidden");
        upper.make_folder(Path::new("new")).expect("made");
        make_opaque(&upper.dir.join("new"));
        for (path, holds) in
            [("a", false), ("deep/er/b", true), ("deep/c", false), ("gone/d", true), ("new/e", true), ("other", false)]
        {
            assert_eq!(upper.holds(Path::new(path)).is_some(), holds, "{path}");
        }
        assert!(is_whiteout(&upper.dir.join("gone").symlink_metadata().expect("a mark")));
    }

    #[test]
    fn every_file_that_is_changed_or_hidden_is_covered() {
        let (_dir, upper) = layer(&["a", "b", "deep/er/c", "deep/d", "gone/e", "gone/f/g", "again/h", "kind/i"]);
        let now = std::time::SystemTime::now();
        upper.write(Path::new("a"), b"A", 0o644, now).expect("written");
        upper.write(Path::new("new/n"), b"n", 0o644, now).expect("written");
        upper.write(Path::new("deep/er/c"), b"C", 0o644, now).expect("written");
        upper.hide(Path::new("gone")).expect("hidden");
        upper.make_folder(Path::new("again")).expect("made");
        make_opaque(&upper.dir.join("again"));
        upper.write(Path::new("kind"), b"now a file", 0o644, now).expect("written");
        assert_eq!(
            names(upper.covered().expect("looked")),
            ["a", "again/h", "deep/er/c", "gone/e", "gone/f/g", "kind/i"]
        );
    }

    #[test]
    fn an_emptied_layer_holds_what_was_to_be_kept_and_has_the_rights_of_the_tree() {
        let (dir, upper) = layer(&["deep/a", "b"]);
        std::fs::set_permissions(dir.path().join("tree/deep"), std::fs::Permissions::from_mode(0o750)).expect("rights");
        let now = std::time::SystemTime::now();
        upper.write(Path::new("deep/a"), b"A", 0o600, now).expect("written");
        upper.write(Path::new("b"), b"B", 0o644, now).expect("written");
        std::fs::create_dir_all(upper.work.join("work/closed")).expect("the kernel's");
        std::fs::set_permissions(upper.work.join("work"), std::fs::Permissions::from_mode(0o000)).expect("rights");
        let before = upper.dir.join("deep/a").metadata().and_then(|about| about.modified()).expect("a time");
        upper.empty(&[PathBuf::from("deep/a")]).expect("emptied");
        let kept = upper.dir.join("deep/a").metadata().expect("kept");
        assert_eq!((kept.modified().expect("a time"), kept.mode() & 0o777), (before, 0o600));
        assert!(!upper.dir.join("b").exists() && !upper.work.join("work").exists());
        assert_eq!(upper.dir.join("deep").metadata().expect("a folder").mode() & 0o777, 0o750);
    }
}
