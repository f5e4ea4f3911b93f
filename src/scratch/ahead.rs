//! What the first run in a small tree does while git still looks through it: reads
//! the tracked files, and lays them where the first scratch will be.
//!
//! A guess: what of it the plan wants otherwise, or not at all, is put right when
//! the scratch is laid. Of what cannot be read or written nothing is said here;
//! whoever needs it meets the error again.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::disk;
use super::disk::Bytes;
use super::disk::Reading;
use super::record::Content;
use super::record::Record;
use super::slot::time;
use crate::cores;
use crate::git::Kind;
use crate::git::Listed;

/// In a tree of so few files, with so few bytes, all of them are read.
const FEW_FILES: usize = 2000;
const FEW_BYTES: u64 = 16 << 20;

/// Files for which another thread is not worth starting.
const FEW: usize = 16;

/// Begins the name of a tree that is not a slot's yet; the process follows.
const NAME: &str = "heal-ahead-";

/// What was read and laid.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// What each file held.
    pub(super) readings: HashMap<PathBuf, Arc<Reading>>,
    /// The files, laid; `None` where that failed.
    pub(super) laid: Option<Laid>,
}

/// A tree that waits for its slot; goes with this where nobody takes it.
#[derive(Debug)]
pub(super) struct Laid {
    dir: PathBuf,
    records: HashMap<PathBuf, Record>,
}

impl Ahead {
    /// Of the files among `tracked`, below `home`; nothing where those are many.
    pub(super) fn of(root: &Path, home: &Path, tracked: &[Listed]) -> Ahead {
        let files: Vec<&Listed> = tracked.iter().filter(|one| one.kind == Kind::File).collect();
        let bytes: u64 = files.iter().map(|one| one.stat.size).sum();
        if tracked.len() > FEW_FILES || bytes > FEW_BYTES {
            return Ahead::default();
        }
        let dir = home.join(format!("{NAME}{}", std::process::id()));
        let mut laid = disk::make_own(home)
            .and_then(|()| std::fs::create_dir(&dir))
            .is_ok()
            .then(|| Laid { dir: dir.clone(), records: HashMap::new() });
        let may_lay = laid.is_some();
        let done = cores::asked(&files, FEW, |one| {
            // What cannot be read is somebody else's to tell.
            let reading = disk::read_still(&root.join(&one.path)).ok()?;
            let record = if may_lay && reading.still { lay(&dir.join(&one.path), &reading) } else { None };
            Some((one.path.clone(), Arc::new(reading), record))
        });
        let mut readings = HashMap::with_capacity(done.len());
        for (path, reading, record) in done.into_iter().flatten() {
            if let (Some(laid), Some(record)) = (&mut laid, record) {
                laid.records.insert(path.clone(), record);
            }
            readings.insert(path, reading);
        }
        Ahead { readings, laid }
    }
}

/// Lays one file, as a scratch has it.
fn lay(path: &Path, reading: &Reading) -> Option<Record> {
    let (mode, bytes) = (reading.stat.mode & 0o777, Bytes::Held(&reading.bytes));
    let own = disk::write_new(path, &bytes, mode, time(reading.stat.modified)).ok()?;
    Some(Record { content: Content::File { digest: *blake3::hash(&reading.bytes).as_bytes(), mode }, own })
}

impl Laid {
    /// Makes it the tree of a slot that has an empty one; what is in it then.
    pub(super) fn become_tree(mut self, tree: &Path) -> HashMap<PathBuf, Record> {
        match std::fs::rename(&self.dir, tree) {
            Ok(()) => std::mem::take(&mut self.records),
            Err(_) => HashMap::new(),
        }
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        // What stays is removed by a later run.
        let _ = disk::remove_any(&self.dir);
    }
}

/// Removes what a heal that was killed laid below `home`.
pub(super) fn remove_abandoned(home: &Path) {
    for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse().ok()).filter(|pid: &i32| *pid > 0);
        if pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)) {
            let _ = disk::remove_any(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::fixture::Fixture;
    use crate::scratch::Pool;
    use crate::scratch::Snapshot;

    fn homes(cache: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(cache).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// Trees that wait for a slot.
    fn waiting(cache: &Path) -> Vec<PathBuf> {
        let below = homes(cache).into_iter().flat_map(|home| homes(&home));
        below
            .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"heal-")))
            .collect()
    }

    #[test]
    fn what_was_laid_ahead_becomes_the_first_scratch_and_what_was_wrong_of_it_is_put_right() {
        let fixture = Fixture::with(&[("a.py", "a\n"), ("deep/b.py", "b\n"), ("gone.py", "g\n")]);
        let (repository, cache) = (fixture.repository(), fixture.dir.path().join("cache"));
        let snapshot = Snapshot::take_again(&repository, &cache).expect("snapshot");
        let waiting_one = waiting(&cache);
        let [tree] = waiting_one.as_slice() else { panic!("{waiting_one:?}") };
        let inode = |file: &Path| std::os::unix::fs::MetadataExt::ino(&file.metadata().expect("file"));
        let laid = inode(&tree.join("a.py"));
        std::fs::write(tree.join("deep/b.py"), "something else\n").expect("written");
        std::fs::write(tree.join("stray.py"), "s\n").expect("written");
        std::fs::remove_file(tree.join("gone.py")).expect("removed");
        let pool = Pool::open(&repository, &snapshot, &cache).expect("pool");
        let scratch = pool.take().expect("scratch");
        let text = |name: &str| std::fs::read_to_string(scratch.root().join(name)).ok();
        assert_eq!(inode(&scratch.root().join("a.py")), laid);
        assert_eq!([text("a.py"), text("deep/b.py"), text("gone.py")].map(Option::unwrap), ["a\n", "b\n", "g\n"]);
        assert_eq!(text("stray.py"), None);
        assert!(waiting(&cache).is_empty());
    }

    #[test]
    fn what_nobody_takes_goes_and_what_a_kill_left_goes_with_the_next_run() {
        let fixture = Fixture::with(&[("a.py", "a\n")]);
        let (repository, cache) = (fixture.repository(), fixture.dir.path().join("cache"));
        drop(Snapshot::take_again(&repository, &cache).expect("snapshot"));
        assert!(waiting(&cache).is_empty());
        let home = cache.join(repository.id());
        // No process has this number (proc(5), `pid_max`).
        let (left, other) = (home.join(format!("{NAME}{}", i32::MAX)), home.join("heal-ahead-mine"));
        std::fs::create_dir_all(left.join("deep")).expect("folder");
        std::fs::create_dir(&other).expect("folder");
        let snapshot = Snapshot::take_again(&repository, &cache).expect("snapshot");
        drop(Pool::open(&repository, &snapshot, &cache).expect("pool"));
        assert!(!left.exists() && other.exists());
    }

    #[test]
    fn where_nothing_can_be_laid_files_are_read_all_the_same() {
        let fixture = Fixture::with(&[("a.py", "a\n")]);
        let in_the_way = fixture.dir.path().join("file");
        std::fs::write(&in_the_way, "").expect("file");
        let listing = fixture.repository().listing().expect("a listing");
        let ahead = Ahead::of(&fixture.root, &in_the_way, &listing.entries);
        assert!(ahead.laid.is_none());
        assert_eq!(ahead.readings[Path::new("a.py")].bytes, b"a\n");
    }
}
