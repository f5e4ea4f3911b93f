//! One slot: a tree at a fixed path, guarded by a lock, laid and laid again.
//!
//! Writes below its own directory only, and git's entry for its tree.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use super::ScratchError;
use super::ahead::Laid;
use super::bytecode::Bytecode;
use super::bytecode::remove_bytecode;
use super::compiled::Compiled;
use super::disk;
use super::disk::Bytes;
use super::lock::Lock;
use super::patched::Patched;
use super::pin::Plan;
use super::pin::Wanted;
use super::pin::nanoseconds_now;
use super::pristine::Kept;
use super::pristine::Pristine;
use super::record::Content;
use super::record::Reader;
use super::record::Record;
use super::record::Writer;
use super::sweep::Sweep;
use super::upper::Upper;
use crate::cores;
use crate::git::Repository;
use crate::git::Stat;
use crate::git::Worktree;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::RelPath;

const MAGIC: &[u8; 8] = b"healtr 1";

/// A millisecond, in nanoseconds: the least by which times differ that must.
const STEP: i64 = 1_000_000;

/// Files for which another thread is not worth starting.
const FEW: usize = 16;

/// How far ahead a file's time may be and still count as now.
const SKEW: i64 = 10_000_000_000;

/// A slot that this process holds.
#[derive(Debug)]
pub(super) struct Slot {
    /// The slot's directory.
    pub(super) dir: PathBuf,
    /// The scratch tree.
    pub(super) tree: PathBuf,
    number: usize,
    /// Over the tree.
    pub(super) upper: Upper,
    /// Held as long as the slot is.
    _lock: Lock,
    pub(super) records: HashMap<PathBuf, Record>,
    /// The patch that is in it.
    pub(super) patched: Patched,
    /// What Python compiled of the snapshot.
    pub(super) bytecode: Bytecode,
    /// What lies in the tree of the user's bytecode.
    pub(super) compiled: Compiled,
    /// Whether the layer was emptied and holds nothing since but what commands
    /// wrote that ran the snapshot alone.
    pub(super) bare: bool,
    /// Digests of patches with which commands left something in the layer.
    pub(super) leaving: HashSet<String>,
    /// The latest modification time given, in nanoseconds since 1970.
    pub(super) clock: i64,
    /// Whether the tree was made by this process and nothing was built in it.
    new: bool,
    /// Whether the index on disk says less than `records`.
    pub(super) unsaved: bool,
    pub(super) worktree: Option<Worktree>,
    /// Whether git was asked to register the tree.
    asked_git: bool,
    /// Whether a build directory was looked for.
    pub(super) asked_seed: bool,
    /// What a report should say of this slot.
    pub(super) notes: Vec<String>,
}

impl Slot {
    /// Takes slot `number` below `home`; `None` where another pool has it. What lies
    /// in it is not known before [`Slot::recall`].
    pub(super) fn acquire(home: &Path, number: usize) -> Result<Option<Slot>, ScratchError> {
        let dir = home.join(number.to_string());
        let tree = dir.join("tree");
        let cannot = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| ScratchError::Cache { doing, path, source }
        };
        std::fs::create_dir_all(&dir).map_err(cannot("make", &dir))?;
        let lock_file = dir.join("lock");
        let Some(lock) = Lock::take(&lock_file).map_err(cannot("lock", &lock_file))? else { return Ok(None) };
        remove_leftovers(&dir).map_err(cannot("clean", &dir))?;
        let new = !tree.exists();
        std::fs::create_dir_all(&tree).map_err(cannot("make", &tree))?;
        let upper = Upper::over(&tree, &dir);
        let bytecode = Bytecode::of(&tree, &dir).map_err(cannot("empty", &dir))?;
        Ok(Some(Slot {
            bytecode,
            compiled: Compiled::open(&dir),
            bare: false,
            dir,
            tree,
            upper,
            number,
            _lock: lock,
            records: HashMap::new(),
            patched: Patched::default(),
            leaving: HashSet::new(),
            clock: 0,
            new,
            unsaved: false,
            worktree: None,
            asked_git: false,
            asked_seed: false,
            notes: Vec::new(),
        }))
    }

    /// Knows again what lies in it: [`recorded`] of its directory.
    pub(super) fn recall(&mut self, recorded: (i64, HashMap<PathBuf, Record>)) {
        (self.clock, self.records) = recorded;
    }

    /// Takes over what was laid already, where nothing is in the tree yet.
    pub(super) fn begin_with(&mut self, laid: Laid) {
        if self.new && self.records.is_empty() {
            self.records = laid.become_tree(&self.tree);
            self.unsaved |= !self.records.is_empty();
        }
    }

    /// Registers the tree with git, once. A repository whose git directory
    /// cannot be written still gets a scratch: one that is no work tree.
    pub(super) fn register(&mut self, repository: &Repository, commit: Option<&str>) -> Result<(), ScratchError> {
        if std::mem::replace(&mut self.asked_git, true) {
            return Ok(());
        }
        let name = format!("heal-{}-{}", std::process::id(), self.number);
        match repository.register_worktree(&self.tree, &name, commit) {
            Ok(worktree) => self.worktree = Some(worktree),
            Err(error) => {
                let link = self.tree.join(".git");
                disk::remove_any(&link).map_err(|source| ScratchError::cache("remove", &link, source))?;
                self.notes.push(format!("the scratch is no git work tree, tests see no repository: {error}"));
            }
        }
        Ok(())
    }

    /// Where Go keeps what it built in this slot.
    pub(super) fn go_cache(&self) -> PathBuf {
        self.dir.join("go-build")
    }

    /// Whether git knows the tree.
    pub(super) fn is_registered(&self) -> bool {
        self.worktree.is_some()
    }

    /// Makes the tree hold exactly what the plan says, caches aside. Files
    /// that are as they were laid stay untouched; a rewritten one is newer
    /// than every other, except in a tree that has just been made, whose files
    /// have the user's times.
    pub(super) fn settle(&mut self, plan: &Plan, pristine: &Pristine) -> Result<(), ScratchError> {
        self.reset_worktree()?;
        let intact = Sweep::go(&self.tree, plan, &self.records, &self.compiled)?;
        self.lay_all(plan, pristine, &intact)
    }

    /// Puts git's own files of the tree right.
    pub(super) fn reset_worktree(&self) -> Result<(), ScratchError> {
        self.worktree.as_ref().map_or(Ok(()), |worktree| Ok(worktree.reset()?))
    }

    /// Lays what is not `intact`, and forgets what the plan no longer has.
    pub(super) fn lay_all(&mut self, plan: &Plan, pristine: &Pristine, intact: &[bool]) -> Result<(), ScratchError> {
        let latest = plan.wanted.iter().map(|wanted| wanted.modified).filter(|time| *time < nanoseconds_now() + SKEW);
        self.clock = self.clock.max(latest.max().unwrap_or_default());
        let fresh = self.fresh();
        let missing: Vec<&Wanted> =
            plan.wanted.iter().zip(intact).filter(|(_, intact)| !**intact).map(|(wanted, _)| wanted).collect();
        let laid = cores::asked(&missing, FEW, |wanted| {
            self.lay(wanted, if self.new { wanted.modified } else { fresh }, pristine)
        });
        for (wanted, own) in missing.into_iter().zip(laid) {
            self.records.insert(wanted.path.clone(), Record { content: wanted.content.clone(), own: own? });
            self.unsaved = true;
        }
        self.make_folders(plan)?;
        let before = self.records.len();
        self.records.retain(|path, _| plan.at(path).is_some());
        self.unsaved |= before != self.records.len();
        self.new = false;
        Ok(())
    }

    /// Makes the folders that hold no file.
    pub(super) fn make_folders(&self, plan: &Plan) -> Result<(), ScratchError> {
        for folder in &plan.empty {
            let folder = self.tree.join(folder);
            std::fs::create_dir_all(&folder).map_err(|source| ScratchError::cache("make", &folder, source))?;
        }
        Ok(())
    }

    /// Lays one file or link anew; returns how the disk shows it then.
    fn lay(&self, wanted: &Wanted, modified: i64, pristine: &Pristine) -> Result<Stat, ScratchError> {
        let path = self.tree.join(&wanted.path);
        let cannot = |source| ScratchError::cache("write", &path, source);
        let own = match &wanted.content {
            Content::Symlink(target) => lay_link(&path, target).map_err(cannot)?,
            Content::File { digest, mode } => {
                let lost = || ScratchError::Lost { path: wanted.path.clone() };
                let kept = pristine.get(digest).map_err(|_| lost())?.ok_or_else(lost)?;
                let bytes = match &kept {
                    Kept::Held(bytes) => Bytes::Held(bytes),
                    Kept::In(file) => Bytes::In(file),
                };
                disk::write_new(&path, &bytes, *mode, time(modified)).map_err(cannot)?
            }
        };
        if !self.new {
            remove_bytecode(&self.tree, &wanted.path).map_err(cannot)?;
        }
        Ok(own)
    }

    /// Writes a patch; nothing where any `before` is not what is there.
    pub(super) fn apply(&mut self, patch: &Patch) -> Result<(), ScratchError> {
        let mut writes = Vec::new();
        for change in patch.changes() {
            let path = change.path.under(&self.tree);
            let about = |path: &RelPath| path.under(&self.tree).symlink_metadata().ok();
            check_way(&change.path, about)?;
            let mode = mode_for(change, about(&change.path), &path)?;
            writes.push((change, path, mode));
        }
        let fresh = time(self.fresh());
        for (change, path, mode) in writes {
            let written = match &change.after {
                Some(text) => disk::write_new(&path, &Bytes::Held(text.as_bytes()), mode, fresh).map(|_| ()),
                None => disk::remove_any(&path),
            };
            let written = written.and_then(|()| remove_bytecode(&self.tree, Path::new(change.path.as_str())));
            written.map_err(|source| ScratchError::cache("write", &path, source))?;
        }
        Ok(())
    }

    /// A modification time of now that is later than any given before.
    pub(super) fn fresh(&mut self) -> i64 {
        self.clock = nanoseconds_now().max(self.clock + STEP);
        self.clock
    }

    /// Writes down what was laid, so that the next run finds it.
    pub(super) fn save(&mut self) -> Result<(), ScratchError> {
        if !self.unsaved {
            return Ok(());
        }
        let mut writer = Writer::new(MAGIC);
        writer.number(self.clock as u64);
        writer.number(self.records.len() as u64);
        for (path, record) in &self.records {
            writer.path(path);
            writer.content(&record.content);
            writer.stat(&record.own);
        }
        let file = index_in(&self.dir);
        disk::write_whole(&file, &writer.done()).map_err(|source| ScratchError::cache("write", &file, source))?;
        self.unsaved = false;
        Ok(())
    }

    /// Takes git's entry away; the tree stays warm for the next run.
    pub(super) fn retire(mut self, plan: &Plan, repository: &Repository) {
        // What cannot be written or removed now, the next run does again.
        let _ = self.clear_layer(plan, &[]);
        let _ = self.bytecode.clear();
        let _ = self.save();
        if let Some(worktree) = self.worktree.take() {
            let _ = repository.unregister_worktree(&worktree);
        }
    }
}

/// Bytes of a slot's index.
pub(super) fn index_bytes(dir: &Path) -> u64 {
    index_in(dir).metadata().map_or(0, |about| about.len())
}

/// The clock of the slot in `dir`, and what lies in its tree, by its index.
pub(super) fn recorded(dir: &Path) -> (i64, HashMap<PathBuf, Record>) {
    let index = std::fs::read(index_in(dir)).unwrap_or_default();
    parse(&index).unwrap_or_default()
}

fn index_in(dir: &Path) -> PathBuf {
    dir.join("tree.index")
}

fn parse(index: &[u8]) -> Option<(i64, HashMap<PathBuf, Record>)> {
    let mut reader = Reader::new(index, MAGIC)?;
    let clock = reader.number()? as i64;
    // A stat and more.
    let count = reader.count(40)?;
    let mut records = HashMap::with_capacity(count);
    for _ in 0..count {
        records.insert(reader.path()?, Record { content: reader.content()?, own: reader.stat()? });
    }
    Some((clock, records))
}

/// Removes what a heal that was killed left beside the tree.
fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("heal-") {
            disk::remove_any(&entry.path())?;
        }
    }
    Ok(())
}

fn lay_link(path: &Path, target: &Path) -> io::Result<Stat> {
    disk::remove_any(path)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::os::unix::fs::symlink(target, path)?;
    Ok(Stat::of(&path.symlink_metadata()?))
}

/// The mode of what a change writes: that of the file which it changes, whose
/// text is at `there`. Refused where that is not the change's `before`. `about`:
/// what is there.
pub(super) fn mode_for(change: &FileChange, about: Option<Metadata>, there: &Path) -> Result<u32, ScratchError> {
    let text = match &about {
        None => None,
        Some(about) if about.is_file() => std::fs::read_to_string(there).ok(),
        Some(_) => return Err(ScratchError::NotBefore { path: change.path.clone() }),
    };
    if text != change.before || about.is_some() != change.before.is_some() {
        return Err(ScratchError::NotBefore { path: change.path.clone() });
    }
    Ok(about.map_or(0o644, |about| Stat::of(&about).mode))
}

/// Refuses a path whose folders are not all real ones, by what `about` tells of
/// each that is there.
pub(super) fn check_way(path: &RelPath, about: impl Fn(&RelPath) -> Option<Metadata>) -> Result<(), ScratchError> {
    let mut folder = path.parent();
    while !folder.is_root() {
        if about(&folder).is_some_and(|about| !about.is_dir()) {
            return Err(ScratchError::Escapes { path: path.clone() });
        }
        folder = folder.parent();
    }
    Ok(())
}

/// A time from nanoseconds since 1970.
pub(super) fn time(nanoseconds: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    let time = if nanoseconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
