//! Scratch worktrees: copies of the user's tree that candidates may ruin.
//!
//! Writes only below the user's cache directory, and git's own entry for a
//! worktree, which it removes again; never to the user's tree, index, refs,
//! stash or configuration.

use std::path::Path;

use crate::patch::Patch;

/// How a scratch gets its files and where it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A worktree at its own path, files copied byte for byte.
    Checkout,
}

impl Method {
    /// The name used in evidence and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Checkout => "checkout",
        }
    }
}

/// A tree equal to the snapshot, until a candidate or a test changes it.
pub trait Scratch: Send {
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

    /// Environment that a command in this scratch needs, beside the runner's
    /// own: its own build directory, no bytecode.
    fn environment(&self) -> Vec<(String, String)>;
}

/// Why a scratch could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// A file operation failed.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// What was being done (`read`, `write`, `remove`).
        doing: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
}
