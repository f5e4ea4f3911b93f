//! Bytecode that Python wrote while a scratch was equal to the snapshot: kept
//! for the commands that follow, so that not each of them compiles the project
//! and rewrites its tests again.
//!
//! It lies in a directory of its own between the tree and the layer over it,
//! and goes when the run ends: no later run loads what an earlier one's tests
//! could write. Of a file that a candidate changes none is ever seen.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use super::disk;
use super::pin::RACY;
use super::pin::nanoseconds_now;
use super::record::Content;
use super::record::Record;
use super::upper::Upper;

/// Bytes of a header: a number for the interpreter, flags, and of the source the
/// time of its last change in whole seconds and its size, 32 bits each (PEP 552).
pub(super) const HEADER: usize = 16;

/// More is no module's.
pub(super) const MOST_BYTES: u64 = 32 << 20;

/// What is kept of one slot.
#[derive(Debug)]
pub(super) struct Bytecode {
    /// The slot's tree.
    tree: PathBuf,
    /// Where the bytecode lies, by paths as in the tree.
    pub(super) dir: PathBuf,
}

impl Bytecode {
    /// That of the slot in `dir`; whatever an earlier process left is gone.
    pub(super) fn of(tree: &Path, dir: &Path) -> io::Result<Bytecode> {
        let bytecode = Bytecode { tree: tree.to_owned(), dir: dir.join("bytecode") };
        bytecode.clear()?;
        Ok(bytecode)
    }

    /// Forgets everything.
    pub(super) fn clear(&self) -> io::Result<()> {
        disk::remove_any(&self.dir)
    }

    /// Whether anything is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.dir.symlink_metadata().is_ok()
    }

    /// Takes out of a layer that holds nothing but what commands wrote the
    /// bytecode of files that are as `records` say.
    pub(super) fn gather(&self, upper: &Upper, records: &HashMap<PathBuf, Record>) -> io::Result<()> {
        let over = self.over();
        for path in upper.files()? {
            let Some(source) = source_of(&path) else { continue };
            let Some(record) = records.get(&source).filter(|_| upper.holds(&source).is_none()) else { continue };
            let from = upper.dir.join(&path);
            // Of a source that changes within a second it is not told from what it was.
            if is_of(&from, record)? && record.own.modified < nanoseconds_now() - RACY {
                self.make_home()?;
                over.make_way(&path)?;
                std::fs::rename(from, self.dir.join(&path))?;
            }
        }
        Ok(())
    }

    /// Takes over what another slot with the same files keeps: with the times
    /// that the files have here, and where it names the other tree, this one.
    pub(super) fn borrow(&self, other: &Path, other_tree: &Path, records: &HashMap<PathBuf, Record>) -> io::Result<()> {
        let over = self.over();
        for path in Upper::at(other_tree, other).files()? {
            let Some(record) = source_of(&path).and_then(|source| records.get(&source)) else { continue };
            let mut bytes = std::fs::read(other.join(&path))?;
            if bytes.len() < HEADER || !led(&mut bytes, other_tree, &self.tree) {
                continue;
            }
            if is_told_by_time(&bytes) {
                bytes[8..HEADER].copy_from_slice(&told_by(record));
            }
            self.make_home()?;
            over.write(&path, &bytes, 0o644, std::time::SystemTime::now())?;
        }
        Ok(())
    }

    /// Makes the directory, as the tree's root is: it stands for it.
    fn make_home(&self) -> io::Result<()> {
        if self.is_kept() {
            return Ok(());
        }
        std::fs::create_dir(&self.dir)?;
        std::fs::set_permissions(&self.dir, self.tree.metadata()?.permissions())
    }

    /// The directory as what it is: a layer over the tree.
    fn over(&self) -> Upper {
        Upper::at(&self.tree, &self.dir)
    }
}

/// Removes the bytecode that Python keeps of a source file of `root` (PEP 3147): it
/// is told stale by size and whole seconds alone.
pub(super) fn remove_bytecode(root: &Path, source: &Path) -> io::Result<()> {
    bytecode_of(root, source)?.iter().try_for_each(|bytecode| disk::remove_any(&root.join(bytecode)))
}

/// Where the bytecode of a source file lies; paths are below `root`.
pub(super) fn bytecode_of(root: &Path, source: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(stem), Some(folder)) = (source.file_stem(), source.parent()) else { return Ok(Vec::new()) };
    if source.extension().is_none_or(|extension| extension != "py") {
        return Ok(Vec::new());
    }
    let prefix = [stem.as_encoded_bytes(), b"."].concat();
    let caches = folder.join("__pycache__");
    let Ok(entries) = std::fs::read_dir(root.join(&caches)) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(&prefix) && name.as_encoded_bytes().ends_with(b".pyc") {
            found.push(caches.join(name));
        }
    }
    Ok(found)
}

/// The source that bytecode at this path is of.
pub(super) fn source_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| folder.ends_with("__pycache__"))?;
    let name = path.file_name()?.to_str().filter(|name| name.ends_with(".pyc"))?;
    let (stem, _) = name.split_once('.')?;
    Some(folder.parent()?.join(format!("{stem}.py")))
}

/// What a header says of a source.
fn told_by(record: &Record) -> [u8; 8] {
    let mut told = [0; 8];
    told[..4].copy_from_slice(&(record.own.modified.div_euclid(1_000_000_000) as u32).to_le_bytes());
    told[4..].copy_from_slice(&(record.own.size as u32).to_le_bytes());
    told
}

/// Whether the file is bytecode of that very source.
fn is_of(file: &Path, record: &Record) -> io::Result<bool> {
    let about = file.symlink_metadata()?;
    if !about.is_file() || about.len() > MOST_BYTES || !matches!(record.content, Content::File { .. }) {
        return Ok(false);
    }
    let mut header = Vec::with_capacity(HEADER);
    File::open(file)?.take(HEADER as u64).read_to_end(&mut header)?;
    Ok(is_bytecode_of(&header, record))
}

/// Whether a header is that of bytecode of that very source.
pub(super) fn is_bytecode_of(header: &[u8], record: &Record) -> bool {
    if header.len() != HEADER {
        return false;
    }
    // By its digest, which whoever loads it compares: so does pytest from 9.2 on.
    // Where nothing is compared it is not known of which text it is.
    if is_told_by_time(header) { header[8..] == told_by(record) } else { header[4..8] == [3, 0, 0, 0] }
}

/// Whether a header tells the source by time and size (PEP 552).
fn is_told_by_time(header: &[u8]) -> bool {
    header[4..8] == [0; 4]
}

/// Puts `to` in place of the path `from`; `false` where it stands there and is
/// of another length, which stands before it.
fn led(bytes: &mut [u8], from: &Path, to: &Path) -> bool {
    let (from, to) = (from.as_os_str().as_encoded_bytes(), to.as_os_str().as_encoded_bytes());
    let windows = bytes.windows(from.len()).enumerate();
    let places: Vec<usize> = windows.filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    if from.len() != to.len() {
        return places.is_empty();
    }
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::git::Stat;

    /// A slot's tree with `a.py` and `b.py`, last changed at second 1000, and an
    /// empty layer over it.
    fn slot(name: &str) -> (tempfile::TempDir, Bytecode, Upper, HashMap<PathBuf, Record>) {
        let dir = tempfile::tempdir().expect("a folder");
        let slot = dir.path().join(name);
        let tree = slot.join("tree");
        std::fs::create_dir_all(&tree).expect("folders");
        let mut records = HashMap::new();
        for name in ["a.py", "b.py"] {
            let content = Content::File { digest: [0; 32], mode: 0o644 };
            let own = Stat { size: 9, modified: 1_000_500_000_000, ..Stat::default() };
            std::fs::write(tree.join(name), "x = 'one'").expect("a file");
            records.insert(PathBuf::from(name), Record { content, own });
        }
        let upper = Upper::over(&tree, &slot);
        upper.empty(&[]).expect("a layer");
        (dir, Bytecode::of(&tree, &slot).expect("none yet"), upper, records)
    }

    fn bytecode(flags: u8, seconds: u32, size: u32, code: &str) -> Vec<u8> {
        let head = [&[1, 2, 3, 4, flags, 0, 0, 0][..], &seconds.to_le_bytes(), &size.to_le_bytes()].concat();
        [head, code.into()].concat()
    }

    #[test]
    fn only_bytecode_of_files_as_they_were_laid_is_kept() {
        let now = std::time::SystemTime::now();
        for (path, bytes, covered, kept) in [
            ("__pycache__/a.cpython-311.pyc", bytecode(0, 1000, 9, "code"), None, true),
            ("__pycache__/a.cpython-311-pytest-9.0.pyc", bytecode(0, 1000, 9, "code"), None, true),
            ("__pycache__/a.cpython-311-pytest-9.2.0.pyc", bytecode(3, 7, 7, "code"), None, true),
            ("__pycache__/a.cpython-311.pyc", bytecode(0, 1000, 9, "code"), Some("b.py"), true),
            // A test wrote the source anew: it is not known of which text this is.
            ("__pycache__/a.cpython-311.pyc", bytecode(0, 1000, 9, "code"), Some("a.py"), false),
            ("__pycache__/a.cpython-311.pyc", bytecode(0, 1001, 9, "code"), None, false),
            ("__pycache__/a.cpython-311.pyc", bytecode(0, 1000, 8, "code"), None, false),
            // Whoever loads it does not look at the source.
            ("__pycache__/a.cpython-311.pyc", bytecode(1, 1000, 9, "code"), None, false),
            ("__pycache__/a.cpython-311.pyc", vec![1, 2, 3], None, false),
            ("__pycache__/c.cpython-311.pyc", bytecode(0, 1000, 9, "code"), None, false),
            ("a.pyc", bytecode(0, 1000, 9, "code"), None, false),
        ] {
            let (_dir, bytecode, upper, records) = slot("0");
            upper.write(Path::new(path), &bytes, 0o644, now).expect("written");
            if let Some(source) = covered {
                upper.write(Path::new(source), b"x = 'two'", 0o644, now).expect("written");
            }
            bytecode.gather(&upper, &records).expect("gathered");
            assert_eq!(bytecode.dir.join(path).exists(), kept, "{path} {covered:?} {bytes:?}");
        }
    }

    #[test]
    fn nothing_is_kept_of_a_file_that_was_just_written() {
        let (_dir, bytecode, upper, mut records) = slot("0");
        let seconds = (nanoseconds_now() / 1_000_000_000) as u32;
        let record = records.get_mut(Path::new("a.py")).expect("a record");
        record.own.modified = i64::from(seconds) * 1_000_000_000;
        let path = Path::new("__pycache__/a.cpython-311.pyc");
        let bytes = self::bytecode(0, seconds, 9, "code");
        upper.write(path, &bytes, 0o644, std::time::SystemTime::now()).expect("written");
        bytecode.gather(&upper, &records).expect("gathered");
        assert!(!bytecode.is_kept());
    }

    #[test]
    fn another_slots_bytecode_gets_this_ones_times_and_paths() {
        let path = Path::new("__pycache__/a.cpython-311-pytest-9.0.pyc");
        // What is told by a digest has the same one here.
        for (name, (flags, seconds, size), told, borrowed) in [
            ("1", (0, 1000, 9), (2000, 9), true),
            ("1", (3, 7, 7), (7, 7), true),
            ("10", (0, 1000, 9), (2000, 9), false),
        ] {
            let (_first, theirs, upper, records) = slot("0");
            let code = format!("..{}/a.py..", theirs.tree.display());
            let bytes = bytecode(flags, seconds, size, &code);
            upper.write(path, &bytes, 0o644, std::time::SystemTime::now()).expect("written");
            theirs.gather(&upper, &records).expect("gathered");
            let (_second, ours, _, mut records) = slot(name);
            records.get_mut(Path::new("a.py")).expect("a record").own.modified = 2_000_000_000_000;
            ours.borrow(&theirs.dir, &theirs.tree, &records).expect("borrowed");
            let wanted = bytecode(flags, told.0, told.1, &format!("..{}/a.py..", ours.tree.display()));
            assert_eq!(std::fs::read(ours.dir.join(path)).ok(), borrowed.then_some(wanted), "{name} {flags}");
        }
    }
}
