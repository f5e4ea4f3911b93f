//! Single files: reading the user's without being caught by a save, and
//! writing heal's so that nothing else is written through.
//!
//! Knows paths and bytes; nothing of slots or snapshots.

use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use super::record::Digest;
use crate::git::Stat;

/// How often a file is read again that changes while it is read.
const TRIES: usize = 4;

/// What one reading of a file gave.
#[derive(Debug)]
pub(super) struct Reading {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// The file's stat while they were read.
    pub(super) stat: Stat,
    /// Whether it held still; a log that is always written never does.
    pub(super) still: bool,
}

/// Reads a regular file as it is at one moment.
pub(super) fn read_still(path: &Path) -> io::Result<Reading> {
    for attempt in 1.. {
        let mut file = File::open(path)?;
        let before = Stat::of(&regular(&file)?);
        let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or_default());
        file.read_to_end(&mut bytes)?;
        let after = Stat::of(&file.metadata()?);
        let still = before == after && after.size == bytes.len() as u64;
        if still || attempt == TRIES {
            return Ok(Reading { bytes, stat: after, still });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(io::Error::other("unreachable"))
}

/// Copies a large regular file as it is at one moment; by reflink where the
/// file system can, which `std::fs::copy` has from copy_file_range(2).
pub(super) fn copy_still(from: &Path, to: &Path) -> io::Result<(Stat, bool)> {
    for attempt in 1.. {
        let before = Stat::of(&regular(&File::open(from)?)?);
        remove_any(to)?;
        std::fs::copy(from, to)?;
        let after = Stat::of(&from.metadata()?);
        if before == after || attempt == TRIES {
            return Ok((after, before == after));
        }
    }
    Err(io::Error::other("unreachable"))
}

fn regular(file: &File) -> io::Result<Metadata> {
    let about = file.metadata()?;
    if about.is_file() { Ok(about) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
}

/// The digest of a file, read in pieces.
pub(super) fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(*hasher.finalize().as_bytes())
}

/// Where the bytes of a new file come from.
pub(super) enum Bytes<'a> {
    /// From memory.
    Held(&'a [u8]),
    /// From another file of heal's own.
    In(&'a Path),
}

/// Makes a new file in place of whatever is at `path`; never writes into an
/// existing one, which may be a link or have other names.
pub(super) fn write_new(path: &Path, bytes: &Bytes, mode: u32, modified: SystemTime) -> io::Result<Stat> {
    let mode = mode & 0o777;
    let file = match bytes {
        Bytes::Held(bytes) => {
            let create = || File::options().write(true).create_new(true).mode(mode).open(path);
            // Mostly nothing is in the way, and the way is there.
            let mut file = create().or_else(|_| clear(path).and_then(|()| create()))?;
            file.write_all(bytes)?;
            file
        }
        Bytes::In(from) => {
            clear(path)?;
            std::fs::copy(from, path)?;
            // A file that nobody may write can still be given mode and time.
            File::open(path)?
        }
    };
    file.set_modified(modified)?;
    let about = file.metadata()?;
    if about.permissions().mode() & 0o777 == mode {
        return Ok(Stat::of(&about));
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(Stat::of(&file.metadata()?))
}

/// Makes room at `path`, and the folders above it.
fn clear(path: &Path) -> io::Result<()> {
    remove_any(path)?;
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

/// Makes a directory of heal's own: copies of the user's files are nobody
/// else's business.
pub(super) fn make_own(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file of heal's own whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(&new, path)
}

/// Removes a file, a link or a whole directory, also one that was made
/// unreadable; nothing there is no error.
pub(super) fn remove_any(path: &Path) -> io::Result<()> {
    let about = match path.symlink_metadata() {
        Ok(about) => about,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    let remove = || if about.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    let removed = remove().or_else(|error| {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Err(error);
        }
        path.parent().map_or(Ok(()), open_up)?;
        if about.is_dir() {
            open_up_below(path)?;
        }
        remove()
    });
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Makes a directory readable and writable for its owner.
pub(super) fn open_up(folder: &Path) -> io::Result<()> {
    let mode = folder.symlink_metadata()?.permissions().mode();
    if mode & 0o700 == 0o700 {
        return Ok(());
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode & 0o7777 | 0o700))
}

fn open_up_below(folder: &Path) -> io::Result<()> {
    open_up(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up_below(&entry.path())?;
        }
    }
    Ok(())
}
