//! What the work tree holds, as git sees it and as the disk has it.
//!
//! Reads names and file metadata; never a file's content.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::GitError;
use super::Repository;
use super::call::path_of;
use crate::cores;

/// Files for which another thread is not worth starting.
const FEW: usize = 2000;

/// What an entry is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory with a repository of its own: a submodule, or one that was
    /// cloned inside.
    Submodule,
}

/// What tells whether a file was changed: all times in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Last change of the content.
    pub modified: i64,
    /// Last change of content or metadata; no program can set it.
    pub changed: i64,
    /// Inode.
    pub inode: u64,
    /// Type and permission bits.
    pub mode: u32,
}

impl Stat {
    /// The stat in `metadata`.
    pub fn of(metadata: &Metadata) -> Stat {
        Stat {
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            mode: metadata.mode(),
        }
    }

    /// The stat of what is at `path` below an open `folder`, not of what a link
    /// leads to. Where `folder` lies deep, that is faster than by the whole path.
    ///
    /// # Errors
    /// The system's.
    pub fn at(folder: impl AsFd, path: &Path) -> io::Result<Stat> {
        let about = rustix::fs::statat(folder, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Stat {
            size: about.st_size as u64,
            modified: nanoseconds(about.st_mtime as i64, about.st_mtime_nsec as i64),
            changed: nanoseconds(about.st_ctime as i64, about.st_ctime_nsec as i64),
            inode: about.st_ino,
            mode: about.st_mode as u32,
        })
    }

    /// Whether the owner may execute it.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }
}

/// A time as the system gives it, in nanoseconds alone.
fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// One entry that belongs to the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where, relative to the root; any bytes.
    pub path: PathBuf,
    /// What it is on disk.
    pub kind: Kind,
    /// Whether git tracks it.
    pub tracked: bool,
    /// Whether it differs from the commit; all that is untracked does.
    pub changed: bool,
    /// Its metadata, of the link itself for a symbolic link.
    pub stat: Stat,
}

/// What the work tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The commit that is checked out; `None` before the first.
    pub commit: Option<String>,
    /// Whether anything differs from the commit, untracked files included.
    pub dirty: bool,
    /// Tracked files that are there (deleted ones, and those outside a sparse
    /// checkout, are not) and untracked ones that are not ignored; by path.
    pub entries: Vec<Listed>,
    /// What is ignored, whole directories as one entry, relative to the root.
    pub ignored: Vec<PathBuf>,
}

impl Repository {
    /// Lists the work tree.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn listing(&self) -> Result<Listing, GitError> {
        self.listing_while(&|_| {})
    }

    /// The same. What is tracked is known before git has looked through the tree:
    /// `meanwhile` is called with it, and what it does takes no time of its own.
    ///
    /// # Errors
    /// As [`Repository::listing`].
    pub fn listing_while(&self, meanwhile: &(dyn Fn(&[Listed]) + Sync)) -> Result<Listing, GitError> {
        // Two walks, side by side: in a large tree both take their time.
        let (status, tracked) = std::thread::scope(|scope| {
            let tracked = scope.spawn(|| {
                let tracked = self.entries(&self.tracked()?, true);
                meanwhile(&tracked);
                Ok(tracked)
            });
            let status = self.git.run(&self.git.command([
                "status",
                "--porcelain=v2",
                "--branch",
                "-z",
                "--untracked-files=all",
                "--ignored=matching",
                "--ignore-submodules=dirty",
                "--no-renames",
            ]));
            (status, tracked.join().expect("listing the index does not panic"))
        });
        let status = status?;
        let mut listing = Listing { entries: tracked?, ..Listing::default() };
        let mut changed: BTreeSet<PathBuf> = BTreeSet::new();
        let mut untracked = Vec::new();
        for record in status.split(|byte| *byte == 0) {
            match record {
                [b'#', ..] => {
                    let oid = record.strip_prefix(b"# branch.oid ").filter(|oid| *oid != b"(initial)");
                    listing.commit = oid.map(|oid| String::from_utf8_lossy(oid).into_owned()).or(listing.commit);
                }
                [b'?', b' ', path @ ..] => {
                    listing.dirty = true;
                    untracked.push(path_of(path));
                }
                [b'!', b' ', path @ ..] => listing.ignored.push(path_of(trimmed(path))),
                [kind @ (b'1' | b'2' | b'u'), ..] => {
                    listing.dirty = true;
                    changed.extend(changed_path(*kind, record).map(path_of));
                }
                _ => {}
            }
        }
        if !changed.is_empty() {
            listing.entries.iter_mut().for_each(|one| one.changed = changed.contains(&one.path));
        }
        listing.entries.extend(self.entries(&untracked, false));
        // git sorts by bytes, where `a-b` is before `a/b`.
        listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// The entries at `found`, all of them tracked or none.
    fn entries(&self, found: &[PathBuf], tracked: bool) -> Vec<Listed> {
        cores::asked(found, FEW, |path| self.listed(path, tracked)).into_iter().flatten().collect()
    }

    /// Whether anything differs from the commit, untracked files included.
    ///
    /// # Errors
    /// git cannot be run or fails.
    pub fn is_dirty(&self) -> Result<bool, GitError> {
        let status = ["status", "--porcelain=v2", "-z", "--ignore-submodules=dirty", "--no-renames"];
        Ok(!self.git.run(&self.git.command(status))?.is_empty())
    }

    /// Paths in the index; entries in conflict come once.
    fn tracked(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut paths: Vec<PathBuf> = match git2::Index::open(&self.git_dir.join("index")) {
            Ok(index) => index.iter().map(|entry| path_of(&entry.path)).collect(),
            // Sparse, split or of SHA-256: git alone reads it.
            Err(_) => {
                let stages = self.git.run(&self.git.command(["ls-files", "-z", "--cached"]))?;
                stages.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(path_of).collect()
            }
        };
        paths.dedup();
        Ok(paths)
    }

    /// The entry at `path` as the disk has it; `None` where there is nothing,
    /// or something git does not track (a socket).
    fn listed(&self, path: &Path, tracked: bool) -> Option<Listed> {
        // A directory's path ends with a slash, which a file's path has none of.
        let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
        let path: PathBuf = if is_folder { path.components().collect() } else { path.to_owned() };
        // An index that somebody made up may hold any path; git refuses these (`verify_path`).
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_bytes().eq_ignore_ascii_case(b".git"));
        if !path.components().all(is_plain) {
            return None;
        }
        let metadata = self.root.join(&path).symlink_metadata().ok()?;
        let kind = match metadata.file_type() {
            kind if kind.is_symlink() => Kind::Symlink,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() && !self.is_own_worktree(&path) => Kind::Submodule,
            _ => return None,
        };
        Some(Listed { path, kind, tracked, changed: !tracked, stat: Stat::of(&metadata) })
    }

    /// Whether the directory `path` is another work tree of this repository,
    /// which is no part of the project.
    fn is_own_worktree(&self, path: &Path) -> bool {
        let Ok(text) = std::fs::read_to_string(self.root.join(path).join(".git")) else { return false };
        let Some(dir) = text.strip_prefix("gitdir: ") else { return false };
        self.root.join(path).join(dir.trim_end()).starts_with(self.common_dir.join("worktrees"))
    }
}

/// The path of a changed entry: behind eight fields, in a conflict ten
/// (git-status, "Porcelain Format Version 2").
fn changed_path(kind: u8, record: &[u8]) -> Option<&[u8]> {
    let fields = if kind == b'u' { 10 } else { 8 };
    record.splitn(fields + 1, |byte| *byte == b' ').nth(fields)
}

/// Without the slash that marks a directory.
fn trimmed(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}
