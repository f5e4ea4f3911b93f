//! The folders that git looked into, and whether their times can be relied on.
//!
//! Looks at names and stats; reads no file.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::git::Stat;

/// Files by which git decides what is ignored and what has changed.
const RULES: [&str; 2] = [".gitignore", ".gitattributes"];

/// File systems that note in a folder's time, at once and in fine steps, what
/// comes and goes in it: ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs
/// (`linux/magic.h`; that of ZFS in its own `zfs_vfsops.h`).
#[cfg(target_os = "linux")]
const FINE: [u32; 8] =
    [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E];

/// Looks into the folders that git looked into.
pub(super) struct Watch<'a> {
    root: &'a Path,
    ignored: HashSet<&'a Path>,
    device: u64,
    found: Vec<(PathBuf, Stat)>,
}

impl Watch<'_> {
    /// Those folders, and files of rules that are ignored. `None` where another
    /// file system begins, or another repository.
    pub(super) fn over(root: &Path, ignored: &[PathBuf]) -> io::Result<Option<Vec<(PathBuf, Stat)>>> {
        let about = root.symlink_metadata()?;
        let ignored = ignored.iter().map(PathBuf::as_path).collect();
        let mut watch = Watch { root, ignored, device: about.dev(), found: Vec::new() };
        let is_whole = watch.look(Path::new(""), &about)?;
        Ok(is_whole.then_some(watch.found))
    }

    fn look(&mut self, folder: &Path, about: &Metadata) -> io::Result<bool> {
        self.found.push((folder.to_owned(), Stat::of(about)));
        if about.dev() != self.device {
            return Ok(false);
        }
        for entry in std::fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let (name, path, kind) = (entry.file_name(), folder.join(entry.file_name()), entry.file_type()?);
            let is_ignored = self.ignored.contains(path.as_path());
            if name == ".git" {
                if !folder.as_os_str().is_empty() {
                    return Ok(false);
                }
            } else if kind.is_dir() && !is_ignored {
                if !self.look(&path, &entry.metadata()?)? {
                    return Ok(false);
                }
            } else if is_ignored && RULES.iter().any(|rules| name == *rules) {
                self.found.push((path, Stat::of(&entry.metadata()?)));
            }
        }
        Ok(true)
    }
}

/// Whether a folder's time can be relied on.
#[cfg(target_os = "linux")]
pub(super) fn is_fine(root: &Path) -> bool {
    rustix::fs::statfs(root).is_ok_and(|about| FINE.contains(&(about.f_type as u32)))
}

/// Whether a folder's time can be relied on: nobody has tried.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_fine(_root: &Path) -> bool {
    false
}
