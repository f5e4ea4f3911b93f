//! Parcels on the disk: written whole, read with a limit, known by digest.
//!
//! Reads and writes one file; believes nothing in it.

use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Asked;
use super::Judged;
use super::Reproduced;
use super::Share;

pub(super) const REPRODUCED: &str = "heal.ci.reproduce/1";
pub(super) const ASKED: &str = "heal.ci.ask/1";
pub(super) const JUDGED: &str = "heal.ci.verify/1";
/// The schema of a shard's parcel.
pub const SHARED: &str = "heal.ci.shard/1";

/// Bytes of a parcel that are read.
const MOST: u64 = 64 << 20;

/// A document that one job hands to the next.
pub trait Parcel: Serialize + DeserializeOwned {
    /// Its schema.
    const SCHEMA: &'static str;
    /// The schema that it says it has.
    fn schema(&self) -> &str;
}

impl Parcel for Reproduced {
    const SCHEMA: &'static str = REPRODUCED;
    fn schema(&self) -> &str {
        &self.schema
    }
}

impl Parcel for Asked {
    const SCHEMA: &'static str = ASKED;
    fn schema(&self) -> &str {
        &self.schema
    }
}

impl Parcel for Judged {
    const SCHEMA: &'static str = JUDGED;
    fn schema(&self) -> &str {
        &self.schema
    }
}

impl Parcel for Share {
    const SCHEMA: &'static str = SHARED;
    fn schema(&self) -> &str {
        &self.schema
    }
}

/// Why a parcel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParcelError {
    /// It cannot be read or written.
    #[error("cannot {doing} the parcel `{path}`: {source}\n  Hand the job before's artifact to this one")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// It is too large.
    #[error("the parcel `{path}` has {size} bytes, more than {MOST}\n  A job of heal's writes none that large")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// It is another document.
    #[error("`{path}` is no parcel of the job before: {why}\n  This job takes a {wanted}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// The schema that was wanted.
        wanted: &'static str,
    },
    /// It is not the one that was handed on.
    #[error(
        "the parcel `{path}` is not the one that was handed on: its digest is {found}, not {wanted}\n  Something changed it between the jobs; run all of them again"
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The digest that was handed on.
        wanted: String,
    },
}

/// Writes a parcel; returns its digest.
///
/// # Errors
/// The file cannot be written.
pub fn write<P: Parcel>(path: &Path, parcel: &P) -> Result<String, ParcelError> {
    let io = |source| ParcelError::Io { doing: "write", path: path.to_owned(), source };
    let mut text = serde_json::to_vec_pretty(parcel).map_err(|error| io(error.into()))?;
    text.push(b'\n');
    std::fs::write(path, &text).map_err(io)?;
    Ok(blake3::hash(&text).to_hex().to_string())
}

/// Reads a parcel, which must have the digest `expected` where one is given;
/// returns it with its digest.
///
/// # Errors
/// It cannot be read, is too large, another document, or another one.
pub fn read<P: Parcel>(path: &Path, expected: Option<&str>) -> Result<(P, String), ParcelError> {
    let io = |source| ParcelError::Io { doing: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MOST {
        return Err(ParcelError::TooLarge { path: path.to_owned(), size });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let found = blake3::hash(&bytes).to_hex().to_string();
    if let Some(wanted) = expected.filter(|wanted| *wanted != found) {
        return Err(ParcelError::Digest { path: path.to_owned(), found, wanted: wanted.to_owned() });
    }
    let other = |why: String| ParcelError::Other { path: path.to_owned(), why, wanted: P::SCHEMA };
    let parcel: P = serde_json::from_slice(&bytes).map_err(|error| other(error.to_string()))?;
    if parcel.schema() != P::SCHEMA {
        return Err(other(format!("it says `{}`", parcel.schema().chars().take(40).collect::<String>())));
    }
    Ok((parcel, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cost;

    fn asked() -> Asked {
        let (reproduced, candidates, notes) = ("ab".into(), Vec::new(), Vec::new());
        Asked { schema: ASKED.into(), reproduced, candidates, cost: Cost::default(), notes }
    }

    #[test]
    fn a_parcel_is_read_back_and_any_change_of_it_shows() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("asked.json");
        let digest = write(&path, &asked()).expect("written");
        assert_eq!(read::<Asked>(&path, Some(&digest)).expect("read"), (asked(), digest.clone()));
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replace("\"ab\"", "\"ac\"")).expect("written");
        assert!(matches!(read::<Asked>(&path, Some(&digest)), Err(ParcelError::Digest { .. })));
        assert!(read::<Asked>(&path, None).is_ok());
        assert!(matches!(read::<Reproduced>(&path, None), Err(ParcelError::Other { .. })));
        std::fs::write(&path, text.replace(ASKED, JUDGED)).expect("written");
        assert!(matches!(read::<Asked>(&path, None), Err(ParcelError::Other { .. })));
        assert!(matches!(read::<Asked>(&dir.path().join("none"), None), Err(ParcelError::Io { .. })));
        let large = std::fs::File::create(&path).expect("made");
        large.set_len(MOST + 1).expect("sized");
        assert!(matches!(read::<Asked>(&path, None), Err(ParcelError::TooLarge { .. })));
    }
}
