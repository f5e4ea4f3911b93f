//! Deliver: what was verified, put where the user asked for it.
//!
//! The only stage that writes where the user can see it, and only verified
//! patches; it runs nothing and decides nothing about a patch.

pub mod apply;
pub mod branch;
pub mod mail;
pub mod owners;
pub mod request;
pub mod undo;

use std::path::PathBuf;

use crate::git::GitError;
use crate::source::RelPath;

/// Why a patch could not be put where it was wanted.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The file is not what the patch was verified on.
    #[error(
        "`{path}` has changed since the patch was verified\n  Run heal fix again, or merge by hand: heal show --diff"
    )]
    Changed {
        /// The file.
        path: RelPath,
    },
    /// The file lies behind a symbolic link that leaves the repository.
    #[error("`{path}` lies outside the repository, behind a symbolic link\n  heal writes only inside it")]
    Outside {
        /// The file.
        path: RelPath,
    },
    /// A file cannot be written.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// The commit could not be made.
    #[error(transparent)]
    Git(#[from] GitError),
}
