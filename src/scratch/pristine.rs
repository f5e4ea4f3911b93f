//! The texts of the snapshot, kept by digest in one append-only file, so that
//! a restore or a later slot never sees what the user saved since.
//!
//! Belongs to the slot that a pool took first, whose lock guards it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::disk;
use super::record::Digest;
use super::record::Reader;
use super::record::Writer;
use crate::git::Stat;

const MAGIC: &[u8; 8] = b"healpr 1";

/// Files above this are kept as files of their own, copied without passing
/// through memory.
pub(super) const LARGE: u64 = 16 << 20;

/// Bytes nobody needs any more that may stay in the pack, beside as many as
/// are needed.
const SLACK: u64 = 64 << 20;

/// Bytes that an entry of the index has at least: a digest.
const LEAST: usize = 32;

/// What is known of a file of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its stat when it was read.
    pub(super) user: Stat,
    /// Of its bytes then.
    pub(super) digest: Digest,
    /// Whether an equal stat later means equal bytes: not where it was read
    /// within moments of its last change (git's "racy" entries).
    pub(super) settled: bool,
}

/// Bytes by digest.
#[derive(Debug)]
pub(super) struct Pristine {
    folder: PathBuf,
    pack: File,
    places: Mutex<Places>,
    /// Held while a large file is copied.
    copying: Mutex<()>,
}

#[derive(Debug, Default)]
struct Places {
    /// Offset and length in the pack.
    at: HashMap<Digest, (u64, u64)>,
    /// Where the pack ends.
    end: u64,
}

/// Where kept bytes are.
pub(super) enum Kept {
    /// Here.
    Held(Vec<u8>),
    /// In a file of heal's own.
    In(PathBuf),
}

impl Pristine {
    /// Opens the store in `folder`, and what it knows of the user's files.
    pub(super) fn open(folder: &Path) -> io::Result<(Pristine, HashMap<OsString, Known>)> {
        std::fs::create_dir_all(folder.join("large"))?;
        let pack = File::options().read(true).write(true).create(true).truncate(false).open(pack_in(folder))?;
        let index = std::fs::read(folder.join("pristine.index")).unwrap_or_default();
        let there = pack.metadata()?.len();
        let (places, known) = parse(&index).filter(|(places, _)| places.end <= there).unwrap_or_default();
        // What lies behind the end was being written when heal was killed.
        pack.set_len(places.end)?;
        Ok((Pristine { folder: folder.to_owned(), pack, places: Mutex::new(places), copying: Mutex::default() }, known))
    }

    /// Whether bytes of this digest are kept.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.places().at.contains_key(digest) || self.large(digest).exists()
    }

    /// Keeps bytes.
    pub(super) fn add(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        let at = {
            let mut places = self.places();
            if places.at.contains_key(digest) {
                return Ok(());
            }
            let at = places.end;
            places.at.insert(*digest, (at, length));
            places.end += length;
            at
        };
        // Whoever keeps the same bytes meanwhile need not wait: nobody asks for
        // any before all are kept, and an error ends the run.
        self.pack.write_all_at(bytes, at)
    }

    /// Keeps a large file of the user's; returns its digest, its stat and
    /// whether it held still.
    pub(super) fn add_large(&self, file: &Path) -> io::Result<(Digest, Stat, bool)> {
        // One after another: the place is one, and so is the disk.
        let _alone = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = self.folder.join("large/new");
        let (stat, still) = disk::copy_still(file, &copy)?;
        let digest = disk::digest_of(&copy)?;
        std::fs::rename(&copy, self.large(&digest))?;
        Ok((digest, stat, still))
    }

    /// The bytes of this digest, checked; `None` where they are not kept or
    /// damaged.
    pub(super) fn get(&self, digest: &Digest) -> io::Result<Option<Kept>> {
        let place = self.places().at.get(digest).copied();
        let Some((at, length)) = place else {
            let large = self.large(digest);
            return Ok(large.exists().then_some(Kept::In(large)));
        };
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.pack.read_exact_at(&mut bytes, at)?;
        Ok((blake3::hash(&bytes).as_bytes() == digest).then_some(Kept::Held(bytes)))
    }

    /// Writes down what is known for the next run, and lets go of what no
    /// path in `known` needs once that is much.
    pub(super) fn save(&self, known: &HashMap<OsString, Known>) -> io::Result<()> {
        let needed: HashSet<Digest> = known.values().map(|known| known.digest).collect();
        self.drop_large(&needed)?;
        let places = self.places();
        let live: u64 = places.at.iter().filter(|(digest, _)| needed.contains(*digest)).map(|(_, at)| at.1).sum();
        if places.end > 2 * live + SLACK {
            // The next run begins the pack anew: rare, and simpler than to
            // move bytes that another slot may be reading.
            return disk::write_whole(&self.folder.join("pristine.index"), &[]);
        }
        disk::write_whole(&self.folder.join("pristine.index"), &written(&places, known))
    }

    fn drop_large(&self, needed: &HashSet<Digest>) -> io::Result<()> {
        for entry in std::fs::read_dir(self.folder.join("large"))? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(|name| blake3::Hash::from_hex(name).ok());
            if !digest.is_some_and(|digest| needed.contains(digest.as_bytes())) {
                disk::remove_any(&entry.path())?;
            }
        }
        Ok(())
    }

    fn large(&self, digest: &Digest) -> PathBuf {
        self.folder.join("large").join(blake3::Hash::from_bytes(*digest).to_hex().as_str())
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pack_in(folder: &Path) -> PathBuf {
    folder.join("pristine.pack")
}

fn written(places: &Places, known: &HashMap<OsString, Known>) -> Vec<u8> {
    let mut writer = Writer::new(MAGIC);
    writer.number(places.end);
    writer.number(places.at.len() as u64);
    for (digest, (at, length)) in &places.at {
        writer.bytes(digest);
        writer.number(*at);
        writer.number(*length);
    }
    writer.number(known.len() as u64);
    for (path, known) in known {
        writer.path(Path::new(path));
        writer.stat(&known.user);
        writer.bytes(&known.digest);
        writer.number(u64::from(known.settled));
    }
    writer.done()
}

fn parse(index: &[u8]) -> Option<(Places, HashMap<OsString, Known>)> {
    let mut reader = Reader::new(index, MAGIC)?;
    let (end, count) = (reader.number()?, reader.count(LEAST)?);
    let mut places = Places { at: HashMap::with_capacity(count), end };
    for _ in 0..count {
        places.at.insert(reader.digest()?, (reader.number()?, reader.number()?));
    }
    let count = reader.count(LEAST)?;
    let mut known = HashMap::with_capacity(count);
    for _ in 0..count {
        let (path, user, digest) = (reader.path()?.into_os_string(), reader.stat()?, reader.digest()?);
        known.insert(path, Known { user, digest, settled: reader.number()? == 1 });
    }
    Some((places, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_of(digest: Digest) -> HashMap<OsString, Known> {
        HashMap::from([("a".into(), Known { user: Stat::default(), digest, settled: true })])
    }

    fn bytes_of(store: &Pristine, digest: &Digest) -> Option<Vec<u8>> {
        match store.get(digest).expect("read") {
            Some(Kept::Held(bytes)) => Some(bytes),
            Some(Kept::In(path)) => Some(std::fs::read(path).expect("large")),
            None => None,
        }
    }

    #[test]
    fn what_is_kept_is_there_in_the_next_run() {
        let dir = tempfile::tempdir().expect("folder");
        let digest = *blake3::hash(b"text").as_bytes();
        let (store, known) = Pristine::open(dir.path()).expect("open");
        assert!(known.is_empty() && !store.has(&digest));
        store.add(&digest, b"text").expect("add");
        store.save(&known_of(digest)).expect("save");
        store.add(&[1; 32], b"killed before saving").expect("add");
        let (store, known) = Pristine::open(dir.path()).expect("open");
        assert_eq!(known, known_of(digest));
        assert_eq!((bytes_of(&store, &digest), store.has(&[1; 32])), (Some(b"text".to_vec()), false));
    }

    #[test]
    fn damaged_bytes_are_never_given_out() {
        let dir = tempfile::tempdir().expect("folder");
        let digest = *blake3::hash(b"text").as_bytes();
        let (store, _) = Pristine::open(dir.path()).expect("open");
        store.add(&digest, b"text").expect("add");
        std::fs::write(dir.path().join("pristine.pack"), b"tExt").expect("damaged");
        assert_eq!(bytes_of(&store, &digest), None);
    }

    #[test]
    fn a_pack_that_was_cut_begins_anew() {
        let dir = tempfile::tempdir().expect("folder");
        let digest = *blake3::hash(b"text").as_bytes();
        let (store, _) = Pristine::open(dir.path()).expect("open");
        store.add(&digest, b"text").expect("add");
        store.save(&known_of(digest)).expect("save");
        std::fs::write(dir.path().join("pristine.pack"), b"te").expect("cut");
        let (store, known) = Pristine::open(dir.path()).expect("open");
        assert!(known.is_empty() && !store.has(&digest));
    }

    #[test]
    fn large_files_are_kept_apart_and_let_go_when_nobody_needs_them() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("data");
        std::fs::write(&file, b"large").expect("file");
        let (store, _) = Pristine::open(dir.path()).expect("open");
        let (digest, _, still) = store.add_large(&file).expect("kept");
        assert!(still && store.has(&digest));
        assert_eq!(bytes_of(&store, &digest), Some(b"large".to_vec()));
        store.save(&HashMap::new()).expect("save");
        assert!(!store.has(&digest));
    }
}
