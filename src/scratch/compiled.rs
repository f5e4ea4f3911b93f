//! The bytecode that lies in the user's tree: copied into a scratch's tree a
//! folder at a time, and looked at again only where a folder of the user's has
//! changed.
//!
//! It saves time and decides nothing: only what Python would take for bytecode of
//! the very file that was laid is copied, and what cannot be read is left out.
//! Whatever else is in such a folder of the scratch is not this module's, and
//! goes.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::ScratchError;
use super::bytecode::HEADER;
use super::bytecode::MOST_BYTES;
use super::bytecode::is_bytecode_of;
use super::bytecode::source_of;
use super::disk;
use super::disk::Bytes;
use super::pin::Plan;
use super::pin::RACY;
use super::pin::nanoseconds_now;
use super::record::Reader;
use super::record::Record;
use super::record::Writer;
use crate::cores;
use crate::git::Stat;

const MAGIC: &[u8; 8] = b"healbc 1";

/// What Python calls a folder of bytecode (PEP 3147).
pub(super) const FOLDER: &str = "__pycache__";

/// Bytes that are copied at once, in total.
const MOST: u64 = 200 << 20;

/// Folders for which another thread is not worth starting.
const FEW: usize = 4;

/// What was copied into one slot.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    folders: BTreeMap<PathBuf, Folder>,
    unsaved: bool,
}

/// One folder of the user's, and what was made of it.
#[derive(Debug)]
struct Folder {
    /// The user's, when it was copied.
    user: Stat,
    /// Names and stats of the copies, as they are stored: mostly nobody asks.
    stored: Vec<u8>,
    copies: OnceLock<HashMap<OsString, Stat>>,
}

impl Folder {
    fn copies(&self) -> &HashMap<OsString, Stat> {
        self.copies.get_or_init(|| parse_copies(&self.stored).unwrap_or_default())
    }
}

impl Compiled {
    /// What an earlier run noted for the slot in `dir`.
    pub(super) fn open(dir: &Path) -> Compiled {
        let index = std::fs::read(index_in(dir)).unwrap_or_default();
        Compiled { folders: parse(&index).unwrap_or_default(), unsaved: false }
    }

    /// Whether the copies of a folder of the user's lie at `folder`.
    pub(super) fn has_folder(&self, folder: &Path) -> bool {
        self.folders.contains_key(folder)
    }

    /// Whether what is at `path` is a copy as it was made.
    pub(super) fn is_intact(&self, path: &Path, about: &Stat) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.folders.get(folder).is_some_and(|folder| folder.copies().get(name) == Some(about))
    }

    /// Copies anew what the user's tree `root` has otherwise than before. The
    /// slot in `dir` holds `tree`, laid as `records` say.
    pub(super) fn refresh(
        &mut self,
        (root, dir): (&Path, &Path),
        tree: &Path,
        plan: &Plan,
        records: &HashMap<PathBuf, Record>,
    ) -> Result<(), ScratchError> {
        let gone: Vec<PathBuf> =
            self.folders.keys().filter(|folder| !plan.compiled.contains(folder)).cloned().collect();
        for folder in gone {
            self.forget(tree, &folder)?;
        }
        let user = |folder: &Path| root.join(folder).symlink_metadata().ok().filter(|about| about.is_dir());
        let mut stale: Vec<(usize, &PathBuf, Stat)> = Vec::new();
        for (number, folder) in plan.compiled.iter().enumerate() {
            let Some(about) = user(folder) else { continue };
            let about = Stat::of(&about);
            if self.folders.get(folder).is_none_or(|known| known.user != about) {
                stale.push((number, folder, about));
            }
        }
        if stale.is_empty() {
            return self.save(dir);
        }
        for (_, folder, _) in &stale {
            self.forget(tree, folder)?;
        }
        let copied_bytes = AtomicU64::new(0);
        let copied = cores::asked(&stale, FEW, |(number, folder, _)| {
            let apart = dir.join(format!("heal-bytecode-{number}"));
            copy_folder(&root.join(folder), folder, &apart, records, &copied_bytes)
                .and_then(|copies| hang(&apart, &tree.join(folder)).map(|()| copies))
                .map_err(|source| ScratchError::cache("write", &apart, source))
        });
        let now = nanoseconds_now();
        for ((_, folder, about), copies) in stale.into_iter().zip(copied) {
            let copies = copies?;
            // What changes within a step of the clock does not show in the folder's time.
            let user = if about.changed < now - RACY { about } else { Stat { changed: 0, ..about } };
            let copies = Folder { user, stored: written_copies(&copies), copies: OnceLock::from(copies) };
            self.folders.insert(folder.clone(), copies);
            self.unsaved = true;
        }
        self.save(dir)
    }

    /// Takes the copies of one folder away.
    fn forget(&mut self, tree: &Path, folder: &Path) -> Result<(), ScratchError> {
        let full = tree.join(folder);
        // First of all: what is not noted is not trusted.
        self.unsaved |= self.folders.remove(folder).is_some();
        disk::remove_any(&full).map_err(|source| ScratchError::cache("remove", &full, source))
    }

    fn save(&mut self, dir: &Path) -> Result<(), ScratchError> {
        if !std::mem::take(&mut self.unsaved) {
            return Ok(());
        }
        let mut writer = Writer::new(MAGIC);
        writer.number(self.folders.len() as u64);
        for (path, folder) in &self.folders {
            writer.path(path);
            writer.stat(&folder.user);
            writer.bytes(&folder.stored);
        }
        let file = index_in(dir);
        disk::write_whole(&file, &writer.done()).map_err(|source| ScratchError::cache("write", &file, source))
    }
}

fn index_in(dir: &Path) -> PathBuf {
    dir.join("bytecode.index")
}

/// Copies what is bytecode of a laid file from the user's folder `from`, which
/// lies at `folder` of the tree, to `to`.
fn copy_folder(
    from: &Path,
    folder: &Path,
    to: &Path,
    records: &HashMap<PathBuf, Record>,
    copied: &AtomicU64,
) -> io::Result<HashMap<OsString, Stat>> {
    let mut copies = HashMap::new();
    disk::remove_any(to)?;
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let source = source_of(&folder.join(&name)).filter(|_| is_file && !is_of_pytest(&name));
        let Some(record) = source.and_then(|source| records.get(&source)) else { continue };
        let is_small = entry.metadata().is_ok_and(|about| about.len() <= MOST_BYTES);
        let Some(bytes) = is_small.then(|| std::fs::read(entry.path()).ok()).flatten() else { continue };
        let is_settled = record.own.modified < nanoseconds_now() - RACY;
        if !is_settled || bytes.len() < HEADER || !is_bytecode_of(&bytes[..HEADER], record) {
            continue;
        }
        if copied.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64 > MOST {
            break;
        }
        let stat = disk::write_new(&to.join(&name), &Bytes::Held(&bytes), 0o644, SystemTime::now())?;
        copies.insert(name, stat);
    }
    Ok(copies)
}

/// Whether it is a test that pytest rewrote: it names the file of which it was
/// made, in the user's tree, where Python itself puts the right name in.
fn is_of_pytest(name: &OsStr) -> bool {
    name.to_string_lossy().contains("-pytest-")
}

/// Puts a folder that is complete where it belongs. Nothing where nothing was
/// copied, or where its sources' folder is not there.
fn hang(made: &Path, at: &Path) -> io::Result<()> {
    match std::fs::rename(made, at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk::remove_any(made),
        renamed => renamed,
    }
}

fn parse(index: &[u8]) -> Option<BTreeMap<PathBuf, Folder>> {
    let mut reader = Reader::new(index, MAGIC)?;
    // A path, a stat and the copies.
    let count = reader.count(56)?;
    let folder = |reader: &mut Reader| {
        let path = reader.path()?;
        let folder = Folder { user: reader.stat()?, stored: reader.bytes()?.to_vec(), copies: OnceLock::new() };
        Some((path, folder))
    };
    (0..count).map(|_| folder(&mut reader)).collect()
}

fn written_copies(copies: &HashMap<OsString, Stat>) -> Vec<u8> {
    let mut writer = Writer::new(MAGIC);
    writer.number(copies.len() as u64);
    for (name, stat) in copies {
        writer.bytes(name.as_bytes());
        writer.stat(stat);
    }
    writer.done()
}

fn parse_copies(stored: &[u8]) -> Option<HashMap<OsString, Stat>> {
    let mut reader = Reader::new(stored, MAGIC)?;
    // A length and a stat.
    let count = reader.count(48)?;
    (0..count).map(|_| Some((OsStr::from_bytes(reader.bytes()?).to_owned(), reader.stat()?))).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    use super::*;
    use crate::git::fixture::Fixture;
    use crate::scratch::Method;
    use crate::scratch::Pool;
    use crate::scratch::Scratch;
    use crate::scratch::Snapshot;

    const CACHE: &str = "pkg/__pycache__";

    /// `pkg/a.py` and `pkg/b.py`, last changed a minute ago.
    fn fixture(ignored: &str) -> Fixture {
        let fixture = Fixture::with(&[(".gitignore", ignored), ("pkg/a.py", "a = 1\n"), ("pkg/b.py", "b = 1\n")]);
        for name in ["pkg/a.py", "pkg/b.py"] {
            let file = std::fs::File::options().append(true).open(fixture.root.join(name)).expect("file");
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("time");
        }
        fixture
    }

    /// Bytecode as Python writes it of `source`, but for the code.
    fn bytecode(fixture: &Fixture, source: &str, flags: u8, code: &str) -> String {
        let about = fixture.root.join(source).metadata().expect("source");
        let mut bytes = vec![b'h', b'e', b'\r', b'\n', flags, 0, 0, 0];
        bytes.extend((about.mtime() as u32).to_le_bytes());
        bytes.extend((about.size() as u32).to_le_bytes());
        String::from_utf8([&bytes, code.as_bytes()].concat()).expect("text")
    }

    /// A time whose bytes are all letters, so that a fixture can write them.
    fn plain_time(fixture: &Fixture, source: &str) {
        let file = std::fs::File::options().append(true).open(fixture.root.join(source)).expect("file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(0x5151_5151)).expect("time");
    }

    fn taken(fixture: &Fixture, method: Method) -> Box<dyn Scratch> {
        let repository = fixture.repository();
        let snapshot = Snapshot::take(&repository).expect("snapshot");
        let pool = Pool::open(&repository, &snapshot, &fixture.dir.path().join("cache")).expect("pool");
        pool.set_method(method);
        pool.take().expect("scratch")
    }

    fn names(scratch: &dyn Scratch) -> Vec<String> {
        let entries = std::fs::read_dir(scratch.root().join(CACHE)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_python_would_take_for_bytecode_of_the_laid_file_is_copied() {
        for ignored in ["*.pyc\n", "__pycache__/\n", ""] {
            for method in [Method::Checkout, Method::Overlay] {
                let fixture = fixture(ignored);
                plain_time(&fixture, "pkg/a.py");
                let good = bytecode(&fixture, "pkg/a.py", 0, "code");
                fixture.write("pkg/__pycache__/a.cpython-311.pyc", &good);
                fixture.write("pkg/__pycache__/a.cpython-311-pytest-9.0.pyc", &good);
                let by_digest = bytecode(&fixture, "pkg/a.py", 3, "code");
                fixture.write("pkg/__pycache__/a.cpython-313.pyc", &by_digest);
                // Of another time, not compared, cut, of nothing, not bytecode.
                fixture.write("pkg/__pycache__/b.cpython-311.pyc", &good);
                fixture.write("pkg/__pycache__/a.cpython-312.pyc", bytecode(&fixture, "pkg/a.py", 1, "code"));
                fixture.write("pkg/__pycache__/a.cpython-310.pyc", "cut");
                fixture.write("pkg/__pycache__/gone.cpython-311.pyc", &good);
                fixture.write("pkg/__pycache__/a.txt", &good);
                let link = fixture.root.join("pkg/__pycache__/a.cpython-39.pyc");
                std::os::unix::fs::symlink("a.cpython-311.pyc", link).expect("link");
                let scratch = taken(&fixture, method);
                assert_eq!(names(&*scratch), ["a.cpython-311.pyc", "a.cpython-313.pyc"], "{ignored:?}");
                let copy = std::fs::read_to_string(scratch.root().join("pkg/__pycache__/a.cpython-311.pyc"));
                assert_eq!(copy.expect("copy"), good);
            }
        }
    }

    #[test]
    fn a_folder_is_copied_again_where_the_users_has_changed_and_goes_with_it() {
        let fixture = fixture("__pycache__/\n");
        ["pkg/a.py", "pkg/b.py"].iter().for_each(|source| plain_time(&fixture, source));
        let (a, b) = ("pkg/__pycache__/a.cpython-311.pyc", "pkg/__pycache__/b.cpython-311.pyc");
        fixture.write(a, bytecode(&fixture, "pkg/a.py", 0, "code"));
        // For as long as a change might not show, the folder is copied each time.
        std::thread::sleep(Duration::from_nanos(RACY as u64 + 50_000_000));
        let scratch = taken(&fixture, Method::Overlay);
        let copy = scratch.root().join(a);
        let inode = || copy.metadata().map(|about| about.ino()).ok();
        let first = inode();
        drop(scratch);
        drop(taken(&fixture, Method::Overlay));
        assert_eq!(inode(), first, "copied again");
        fixture.write(b, bytecode(&fixture, "pkg/b.py", 0, "code"));
        let scratch = taken(&fixture, Method::Overlay);
        assert_eq!(names(&*scratch), ["a.cpython-311.pyc", "b.cpython-311.pyc"]);
        drop(scratch);
        std::fs::remove_dir_all(fixture.root.join(CACHE)).expect("removed");
        assert!(names(&*taken(&fixture, Method::Overlay)).is_empty());
    }

    #[test]
    fn what_tests_leave_among_the_copies_goes() {
        let fixture = fixture("__pycache__/\n");
        ["pkg/a.py", "pkg/b.py"].iter().for_each(|source| plain_time(&fixture, source));
        let good = bytecode(&fixture, "pkg/a.py", 0, "code");
        fixture.write("pkg/__pycache__/a.cpython-311.pyc", &good);
        fixture.write("pkg/__pycache__/b.cpython-311.pyc", bytecode(&fixture, "pkg/b.py", 0, "code"));
        let mut scratch = taken(&fixture, Method::Checkout);
        let cache = scratch.root().join(CACHE);
        // Of the right size, header and time: Python would run it.
        let forged = good.replace("code", "evil");
        let time = cache.join("a.cpython-311.pyc").metadata().expect("copy").modified().expect("time");
        std::fs::write(cache.join("a.cpython-311.pyc"), &forged).expect("forged");
        let file = std::fs::File::options().append(true).open(cache.join("a.cpython-311.pyc")).expect("file");
        file.set_modified(time).expect("time");
        std::fs::write(cache.join("b.cpython-312.pyc"), &forged).expect("forged");
        std::fs::create_dir_all(scratch.root().join("other/__pycache__")).expect("folder");
        scratch.restore().expect("restored");
        assert_eq!(names(&*scratch), ["b.cpython-311.pyc"]);
        assert!(!scratch.root().join("other").exists());
    }

    #[test]
    fn a_damaged_note_counts_as_none() {
        let fixture = fixture("__pycache__/\n");
        plain_time(&fixture, "pkg/a.py");
        fixture.write("pkg/__pycache__/a.cpython-311.pyc", bytecode(&fixture, "pkg/a.py", 0, "code"));
        let scratch = taken(&fixture, Method::Overlay);
        let dir = scratch.root().parent().expect("slot").to_owned();
        drop(scratch);
        std::fs::write(index_in(&dir), "damaged").expect("damaged");
        assert!(!Compiled::open(&dir).has_folder(Path::new(CACHE)));
        assert_eq!(names(&*taken(&fixture, Method::Overlay)), ["a.cpython-311.pyc"]);
    }
}
