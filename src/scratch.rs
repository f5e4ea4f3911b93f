//! Scratch worktrees: copies of the user's tree that candidates may ruin.
//!
//! Writes only below the user's cache directory, and git's own entry for a
//! worktree, which it removes again; never to the user's tree, index, refs,
//! stash or configuration.
//!
//! A [`Snapshot`] says what the tree held at one moment. A [`Pool`] keeps
//! slots below the cache directory, each a tree at a fixed path that stays
//! warm between candidates and runs:
//!
//! ```text
//! <cache>/<repository id>/listing        what git last said of the user's tree
//! <cache>/<repository id>/<slot>/lock            held while a heal uses the slot
//!                               /tree            the scratch
//!                               /tree.index      what was laid in it
//!                               /sealed          there while that is all of it
//!                               /upper, /work    the layer over it
//!                               /bytecode        between the two, while heal runs
//!                               /links           layers over installed packages
//!                               /pristine.pack   texts of the snapshot, so that
//!                               /pristine.index  a later save changes no scratch
//! ```

mod ahead;
mod bytecode;
mod carried;
mod compiled;
mod containment;
mod disk;
mod layered;
mod lock;
mod patched;
mod pin;
mod pool;
mod pristine;
mod record;
mod seed;
mod seen;
mod slot;
mod snapshot;
mod sweep;
#[cfg(test)]
mod tests;
mod upper;
mod watch;

use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::git::GitError;
use crate::patch::Patch;
use crate::process::Layer;
use crate::source::RelPath;
pub use containment::Contained;
pub use containment::Containment;
pub use containment::Surroundings;
pub use pool::Pool;
pub use pool::clean_up;
pub use snapshot::Snapshot;

/// How a scratch gets its files and where it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A worktree at its own path, files copied byte for byte.
    Checkout,
    /// The same, never written: candidates and what tests write lie in a layer
    /// over it, which is thrown away (overlayfs).
    Overlay,
}

impl Method {
    /// The name used in evidence and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Checkout => "checkout",
            Method::Overlay => "overlay",
        }
    }
}

/// A tree equal to the snapshot, until a candidate or a test changes it.
pub trait Scratch: Send + Sync {
    /// Where the repository's root is, absolute.
    fn root(&self) -> &Path;

    /// How it was made.
    fn method(&self) -> Method;

    /// Writes the patch's texts. Fresh modification times, and stale bytecode
    /// of the files goes.
    ///
    /// # Errors
    /// A file that cannot be written, or a `before` that is not what is there.
    fn apply(&mut self, patch: &Patch) -> Result<(), ScratchError>;

    /// Makes the tree equal to the snapshot again, build caches aside,
    /// whatever was done to it.
    ///
    /// # Errors
    /// A file that cannot be written or removed.
    fn restore(&mut self) -> Result<(), ScratchError>;

    /// Makes the tree equal to the snapshot with `patch`, build caches aside;
    /// files that are so already are not written, so that nothing is built
    /// twice.
    ///
    /// # Errors
    /// As for [`Scratch::apply`] and [`Scratch::restore`].
    fn lay(&mut self, patch: &Patch) -> Result<(), ScratchError>;

    /// Says that code of candidates will run in it although no patch is laid:
    /// nothing is kept of what commands write until it is laid again.
    fn distrust(&mut self) {}

    /// What its commands must see over directories.
    fn layers(&self) -> Vec<Layer> {
        Vec::new()
    }

    /// Directories that its commands write although they are outside of the
    /// root or the root lies below a layer: what is built, which stays warm.
    fn kept(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The directory that holds what commands write below the root, by the same
    /// paths; `None` where that is the root itself.
    fn written(&self) -> Option<PathBuf> {
        None
    }

    /// Where a file lies as the last command left it; `None` where nothing can
    /// have changed it since the scratch was laid.
    fn left(&self, path: &RelPath) -> Option<PathBuf> {
        Some(path.under(self.root()))
    }

    /// Whether commands wrote something, while `patch` was in, that going back
    /// throws away. A checkout does not know.
    fn leaves(&self, patch: &Patch) -> bool {
        let _ = patch;
        false
    }

    /// Makes these files the snapshot's, and leaves whatever else commands
    /// wrote; `false` where that is nothing.
    ///
    /// # Errors
    /// A file that cannot be removed.
    fn strip(&mut self, files: &[RelPath]) -> Result<bool, ScratchError> {
        let _ = files;
        Ok(false)
    }

    /// Environment that a command in this scratch needs, beside the runner's
    /// own: its own build directory, and no bytecode where that would outlive
    /// its source.
    fn environment(&self) -> Vec<(String, String)>;

    /// In what the scratch differs from the user's tree, in words for the
    /// report: what was linked, left out, or could not be had.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a scratch could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// A file of the user's could not be read.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// What was being done (`read`, `write`, `remove`).
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: io::Error,
    },
    /// heal's own directory could not be written.
    #[error("cannot {doing} `{path}` in heal's cache: {source}")]
    Cache {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own word.
        #[source]
        source: io::Error,
    },
    /// git could not say what the tree holds.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A patch was made for another text than is there.
    #[error("`{path}` is not the text that the patch changes")]
    NotBefore {
        /// The file.
        path: RelPath,
    },
    /// A patch would write through a symbolic link.
    #[error("`{path}` lies behind a symbolic link")]
    Escapes {
        /// The file.
        path: RelPath,
    },
    /// The kept text of a file is gone or damaged.
    #[error("the text of `{path}` at the start of the run is lost from heal's cache")]
    Lost {
        /// The file.
        path: PathBuf,
    },
}

impl ScratchError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            ScratchError::Cache { .. } => {
                Some("set XDG_CACHE_HOME to a directory with room that you may write".to_owned())
            }
            ScratchError::Lost { .. } => Some("run heal again".to_owned()),
            ScratchError::Git(error) => error.hint(),
            _ => None,
        }
    }

    fn cache(doing: &'static str, path: &Path, source: io::Error) -> ScratchError {
        ScratchError::Cache { doing, path: path.to_owned(), source }
    }
}
