//! What heal notes of files between runs, and how it is stored.
//!
//! A small binary form with a digest at its end; what cannot be read back
//! whole counts as not there, since everything in it can be found out again.
//!
//! ```text
//! index  = magic payload blake3(magic payload)
//! number = 8 bytes, little endian
//! bytes  = number (how many) bytes
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use crate::git::Stat;

/// BLAKE3 of a file's bytes.
pub(super) type Digest = [u8; 32];

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A regular file.
    File {
        /// Of its bytes.
        digest: Digest,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link and where it points, as it is written.
    Symlink(PathBuf),
}

/// What was laid at a path, and how the disk showed it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// What was laid.
    pub(super) content: Content,
    /// Its stat right after.
    pub(super) own: Stat,
}

/// Writes an index.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(magic: &[u8; 8]) -> Writer {
        Writer(magic.to_vec())
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
    }

    pub(super) fn paths(&mut self, paths: &[PathBuf]) {
        self.number(paths.len() as u64);
        paths.iter().for_each(|path| self.path(path));
    }

    pub(super) fn stat(&mut self, stat: &Stat) {
        for number in [stat.size, stat.modified as u64, stat.changed as u64, stat.inode, u64::from(stat.mode)] {
            self.number(number);
        }
    }

    pub(super) fn content(&mut self, content: &Content) {
        match content {
            Content::File { digest, mode } => {
                self.number(u64::from(*mode));
                self.bytes(digest);
            }
            Content::Symlink(target) => {
                self.number(u64::MAX);
                self.path(target);
            }
        }
    }

    /// The whole, with its digest.
    pub(super) fn done(mut self) -> Vec<u8> {
        let digest = blake3::hash(&self.0);
        self.0.extend_from_slice(digest.as_bytes());
        self.0
    }
}

/// Reads an index; every method is `None` where it holds something else.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader behind the magic, where the digest is right.
    pub(super) fn new(index: &'a [u8], magic: &[u8; 8]) -> Option<Reader<'a>> {
        let (payload, digest) = index.split_at_checked(index.len().checked_sub(32)?)?;
        let right = blake3::hash(payload).as_bytes() == digest;
        right.then_some(Reader(payload.strip_prefix(magic)?))
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// How many things of at least `least` bytes each follow.
    pub(super) fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len() / least).then_some(count)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn path(&mut self) -> Option<PathBuf> {
        Some(PathBuf::from(OsStr::from_bytes(self.bytes()?)))
    }

    pub(super) fn paths(&mut self) -> Option<Vec<PathBuf>> {
        // A length each, at least.
        let count = self.count(8)?;
        (0..count).map(|_| self.path()).collect()
    }

    pub(super) fn digest(&mut self) -> Option<Digest> {
        self.bytes()?.try_into().ok()
    }

    pub(super) fn stat(&mut self) -> Option<Stat> {
        Some(Stat {
            size: self.number()?,
            modified: self.number()? as i64,
            changed: self.number()? as i64,
            inode: self.number()?,
            mode: u32::try_from(self.number()?).ok()?,
        })
    }

    pub(super) fn content(&mut self) -> Option<Content> {
        match self.number()? {
            u64::MAX => Some(Content::Symlink(self.path()?)),
            mode => Some(Content::File { mode: u32::try_from(mode).ok()?, digest: self.digest()? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &[u8; 8] = b"test   1";

    #[test]
    fn what_is_written_is_read_back() {
        let stat = Stat { size: 1, modified: -5, changed: 7, inode: u64::MAX, mode: 0o100_644 };
        let contents = [
            Content::File { digest: [7; 32], mode: 0o755 },
            Content::Symlink(PathBuf::from(OsStr::from_bytes(b"\xff"))),
        ];
        let mut writer = Writer::new(MAGIC);
        writer.stat(&stat);
        contents.iter().for_each(|content| writer.content(content));
        let index = writer.done();
        let mut reader = Reader::new(&index, MAGIC).expect("whole");
        assert_eq!(reader.stat(), Some(stat));
        assert_eq!([reader.content(), reader.content()], contents.map(Some));
        assert_eq!(reader.number(), None);
    }

    #[test]
    fn a_damaged_index_counts_as_none() {
        let mut writer = Writer::new(MAGIC);
        writer.bytes(b"abc");
        let index = writer.done();
        assert!(Reader::new(&index, MAGIC).is_some());
        for cut in 0..index.len() {
            assert!(Reader::new(&index[..cut], MAGIC).is_none(), "{cut}");
        }
        let mut flipped = index.clone();
        flipped[10] ^= 1;
        assert!(Reader::new(&flipped, MAGIC).is_none());
        assert!(Reader::new(&index, b"other  1").is_none());
    }
}
