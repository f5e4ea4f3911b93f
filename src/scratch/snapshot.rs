//! The user's tree at one moment: what it holds, and what its texts were.
//!
//! Reads the user's tree; never writes. A file is fixed when it is first read,
//! here or when a pool opens; from then on a save changes nothing.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use super::ScratchError;
use super::ahead::Ahead;
use super::ahead::Laid;
use super::carried;
use super::disk;
use super::disk::Reading;
use super::pin::Plan;
use super::pristine::Kept;
use super::pristine::Pristine;
use super::record::Content;
use super::record::Digest;
use super::seen;
use crate::git::Kind;
use crate::git::Listed;
use crate::git::Listing;
use crate::git::Repository;
use crate::git::Stat;
use crate::source::RelPath;

/// Bytes of texts that are held in memory until a pool opens.
const MOST_HELD: usize = 64 << 20;

/// The user's tree at one moment. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Snapshot {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    root: PathBuf,
    commit: Option<String>,
    dirty: bool,
    entries: BTreeMap<PathBuf, Entry>,
    /// Directories without files that must be there: submodules not checked
    /// out.
    empty: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    held: Mutex<Held>,
    kept: OnceLock<(Arc<Pristine>, Arc<Plan>)>,
}

/// A file or link of the snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its stat when the tree was listed.
    pub(super) stat: Stat,
    /// Whether it is a link.
    pub(super) symlink: bool,
    /// Whether it lies in a submodule.
    pub(super) foreign: bool,
    /// Whether it differed from the commit when the tree was listed.
    changed: bool,
}

/// Texts that were read before a pool opened.
#[derive(Debug, Default)]
struct Held {
    readings: HashMap<PathBuf, Arc<Reading>>,
    bytes: usize,
    /// What was laid before a pool opened.
    laid: Option<Laid>,
}

impl Snapshot {
    /// Lists the tree: tracked and untracked files as they stand, without what
    /// is ignored.
    ///
    /// # Errors
    /// git fails, or a directory of a submodule cannot be read.
    pub fn take(repository: &Repository) -> Result<Snapshot, ScratchError> {
        Snapshot::of(repository, repository.listing()?)
    }

    /// The same; git is not asked where what it said last is kept below `cache`
    /// (such as `~/.cache/heal`) and nothing has changed since.
    ///
    /// # Errors
    /// As [`Snapshot::take`].
    pub fn take_again(repository: &Repository, cache: &Path) -> Result<Snapshot, ScratchError> {
        let home = cache.join(repository.id());
        // Later runs need few of them.
        let is_first = home.symlink_metadata().is_err();
        let ahead = Mutex::new(Ahead::default());
        let read = |tracked: &[Listed]| {
            if is_first {
                *ahead.lock().unwrap_or_else(PoisonError::into_inner) = Ahead::of(repository.root(), &home, tracked);
            }
        };
        let listing = seen::listing(repository, &home, &read)?;
        let snapshot = Snapshot::of(repository, listing)?;
        let Ahead { readings, laid } = ahead.into_inner().unwrap_or_else(PoisonError::into_inner);
        let bytes = readings.values().map(|reading| reading.bytes.len()).sum();
        *snapshot.held() = Held { readings, bytes, laid };
        Ok(snapshot)
    }

    fn of(repository: &Repository, listing: Listing) -> Result<Snapshot, ScratchError> {
        let root = repository.root().to_owned();
        let (is_left_out, outside) = left_out(&root, &listing.entries);
        let mut entries = Vec::with_capacity(listing.entries.len());
        let mut empty = Vec::new();
        let kept = listing.entries.into_iter().zip(is_left_out).filter(|(_, is_left_out)| !is_left_out);
        for (one, _) in kept {
            match one.kind {
                Kind::Submodule => {
                    let before = entries.len();
                    take_folder(&root, &one.path, &mut entries)?;
                    if entries.len() == before {
                        empty.push(one.path);
                    }
                }
                Kind::File | Kind::Symlink => {
                    let symlink = one.kind == Kind::Symlink;
                    let entry = Entry { stat: one.stat, symlink, foreign: false, changed: one.changed };
                    entries.push((one.path, entry));
                }
            }
        }
        let mut ignored = listing.ignored;
        ignored.extend(outside);
        ignored.sort();
        let entries = entries.into_iter().collect();
        let (held, kept) = (Mutex::default(), OnceLock::new());
        let (commit, dirty) = (listing.commit, listing.dirty);
        Ok(Snapshot { parts: Arc::new(Parts { root, commit, dirty, entries, empty, ignored, held, kept }) })
    }

    /// The commit that was checked out; `None` before the first.
    pub fn commit(&self) -> Option<&str> {
        self.parts.commit.as_deref()
    }

    /// Whether the tree differed from the commit.
    pub fn is_dirty(&self) -> bool {
        self.parts.dirty
    }

    /// The repository's own regular files, sorted. Left out are submodules'
    /// and those whose names no [`RelPath`] can hold.
    pub fn files(&self) -> Vec<RelPath> {
        let own = self.parts.entries.iter().filter(|(_, entry)| !entry.symlink && !entry.foreign);
        own.filter_map(|(path, _)| rel_path(path)).collect()
    }

    /// Those of [`Snapshot::files`] that differed from the commit, untracked
    /// ones included.
    pub fn changed_files(&self) -> Vec<RelPath> {
        let own = self.parts.entries.iter().filter(|(_, entry)| !entry.symlink && !entry.foreign && entry.changed);
        own.filter_map(|(path, _)| rel_path(path)).collect()
    }

    /// Those of [`Snapshot::files`] that are gone by now or hold something else,
    /// once a pool has opened. Reads only what the system says was written.
    pub fn changed_since(&self) -> Vec<RelPath> {
        if self.parts.kept.get().is_none() {
            return Vec::new();
        }
        let own = self.parts.entries.iter().filter(|(_, entry)| !entry.symlink && !entry.foreign);
        let changed = own.filter(|(path, entry)| {
            let full = self.parts.root.join(path);
            let Ok(about) = full.symlink_metadata() else { return true };
            Stat::of(&about) != entry.stat
                && !std::fs::read(&full).is_ok_and(|bytes| self.digest(path) == Some(*blake3::hash(&bytes).as_bytes()))
        });
        changed.filter_map(|(path, _)| rel_path(path)).collect()
    }

    /// Bytes of a file when the tree was listed; `None` where there is none.
    pub fn size(&self, path: &RelPath) -> Option<u64> {
        self.parts.entries.get(Path::new(path.as_str())).map(|entry| entry.stat.size)
    }

    /// The text of a regular file; `None` where there is none of that name or
    /// it is not UTF-8.
    pub fn read(&self, path: &RelPath) -> Option<String> {
        let name = Path::new(path.as_str());
        if self.parts.entries.get(name).is_none_or(|entry| entry.symlink) {
            return None;
        }
        if let Some((pristine, _)) = self.parts.kept.get() {
            return match pristine.get(&self.digest(name)?).ok()?? {
                Kept::Held(bytes) => String::from_utf8(bytes).ok(),
                Kept::In(file) => std::fs::read_to_string(file).ok(),
            };
        }
        let reading = self.reading(name)?;
        std::str::from_utf8(&reading.bytes).ok().map(str::to_owned)
    }

    /// Reads a file and, within bounds, remembers what it was.
    fn reading(&self, name: &Path) -> Option<Arc<Reading>> {
        if let Some(reading) = self.held().readings.get(name) {
            return Some(Arc::clone(reading));
        }
        let reading = Arc::new(disk::read_still(&self.parts.root.join(name)).ok()?);
        let mut held = self.held();
        if held.bytes + reading.bytes.len() <= MOST_HELD {
            held.bytes += reading.bytes.len();
            held.readings.insert(name.to_owned(), Arc::clone(&reading));
        }
        Some(reading)
    }

    /// What was read of `name` before; it is what counts.
    pub(super) fn held_reading(&self, name: &Path) -> Option<Arc<Reading>> {
        let held = self.held();
        // Nobody has read anything, mostly: then no name need be looked up.
        if held.readings.is_empty() { None } else { held.readings.get(name).map(Arc::clone) }
    }

    /// What was laid of it ahead; to be had once.
    pub(super) fn take_laid(&self) -> Option<Laid> {
        self.held().laid.take()
    }

    /// From now on texts come from the store.
    pub(super) fn keep(&self, pristine: Arc<Pristine>, plan: Arc<Plan>) {
        // Another pool of the same snapshot may have been first; both are true.
        let _ = self.parts.kept.set((pristine, plan));
        *self.held() = Held::default();
    }

    /// The digest that another pool of this snapshot fixed for `name`, and the
    /// store that has its bytes.
    pub(super) fn kept(&self, name: &Path) -> Option<(&Pristine, Digest)> {
        let (pristine, _) = self.parts.kept.get()?;
        Some((pristine, self.digest(name)?))
    }

    /// The digest that a pool fixed for `name`.
    fn digest(&self, name: &Path) -> Option<Digest> {
        match self.parts.kept.get()?.1.content(name)? {
            Content::File { digest, .. } => Some(*digest),
            Content::Symlink(_) => None,
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.parts.root
    }

    pub(super) fn entries(&self) -> &BTreeMap<PathBuf, Entry> {
        &self.parts.entries
    }

    pub(super) fn empty_folders(&self) -> &[PathBuf] {
        &self.parts.empty
    }

    pub(super) fn ignored(&self) -> &[PathBuf] {
        &self.parts.ignored
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.parts.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path as the rest of heal names it.
fn rel_path(path: &Path) -> Option<RelPath> {
    RelPath::new(path.to_str()?).ok()
}

/// Which entries are build output or an environment that nobody cared to
/// ignore, and the folders they lie in.
fn left_out(root: &Path, entries: &[Listed]) -> (Vec<bool>, HashSet<PathBuf>) {
    let tracked: Vec<&Path> = entries.iter().filter(|one| one.tracked).map(|one| one.path.as_path()).collect();
    let mut judge = carried::Judge::new(root, &tracked);
    let mut folders = HashSet::new();
    let mut is_left_out = |one: &Listed| {
        let folder = if one.tracked { None } else { judge.unlisted(&one.path) };
        let is_left_out = folder.is_some();
        folders.extend(folder);
        is_left_out
    };
    (entries.iter().map(&mut is_left_out).collect(), folders)
}

/// Takes the files of a submodule's work tree, which its own git lists and
/// ignores by rules of its own: all but git's and the caches.
fn take_folder(root: &Path, folder: &Path, entries: &mut Vec<(PathBuf, Entry)>) -> Result<(), ScratchError> {
    let full = root.join(folder);
    let error = |source| ScratchError::Io { doing: "read", path: full.clone(), source };
    for entry in std::fs::read_dir(&full).map_err(error)? {
        let entry = entry.map_err(error)?;
        let (kind, path) = (entry.file_type().map_err(error)?, folder.join(entry.file_name()));
        if entry.file_name() == ".git" || (kind.is_dir() && carried::is_left_out(&entry.path())) {
            continue;
        }
        if kind.is_dir() {
            take_folder(root, &path, entries)?;
        } else if kind.is_file() || kind.is_symlink() {
            let stat = Stat::of(&entry.metadata().map_err(error)?);
            entries.push((path, Entry { stat, symlink: kind.is_symlink(), foreign: true, changed: false }));
        }
    }
    Ok(())
}
