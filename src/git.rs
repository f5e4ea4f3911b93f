//! The one door to git: what the repository holds, and heal's own worktrees
//! and branches in it.
//!
//! Runs the `git` executable with everything switched off that a repository's
//! own configuration could make it execute (hooks, filters, file system
//! monitors, external diffs, transports), and libgit2 for objects. Never
//! changes the user's work tree, index, stash, configuration or current
//! branch.

mod branch;
mod call;
mod changes;
#[cfg(test)]
pub(crate) mod fixture;
mod ground;
mod listing;
mod outbox;
mod trailers;
mod worktree;

use std::path::Path;
use std::path::PathBuf;

use crate::process::Launcher;
use crate::process::ProcessError;
use crate::source::RelPath;
use call::Git;
pub use changes::Change;
pub use ground::Ground;
pub use listing::Kind;
pub use listing::Listed;
pub use listing::Listing;
pub use listing::Stat;
pub use outbox::Outbox;
pub use outbox::PushError;
pub use outbox::Remote;
pub use trailers::Marked;
pub use worktree::Worktree;

/// A git repository with a work tree. Cheap to clone; holds no open handle.
#[derive(Clone, Debug)]
pub struct Repository {
    root: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    git: Git,
}

impl Repository {
    /// Finds the repository that `start` lies in.
    ///
    /// # Errors
    /// No repository, a bare one, one that git distrusts, no such path, or no
    /// git.
    pub fn discover(start: &Path, launcher: &Launcher) -> Result<Repository, GitError> {
        let start = start.canonicalize().map_err(|_| GitError::NoSuchPath { path: start.to_owned() })?;
        let start = if start.is_dir() { start } else { start.parent().unwrap_or(&start).to_owned() };
        let [root, git_dir, common_dir] = match around(&start, launcher) {
            Some(places) => places,
            None => asked_around(&start, launcher)?,
        };
        Ok(Repository { git: Git::within(launcher.clone(), root.clone()), root, git_dir, common_dir })
    }

    /// The work tree's root, absolute, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The git directory of this work tree, absolute.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all work trees of the repository share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Stable name of this work tree: 16 hexadecimal digits of its path.
    pub fn id(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        blake3::hash(self.root.as_os_str().as_bytes()).to_hex()[..16].to_owned()
    }

    /// The commit that is checked out; `None` before the first commit.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        self.git.answer(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    }

    /// Whether `revision` is a commit that is there.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn has(&self, revision: &str) -> Result<bool, GitError> {
        let name = format!("{revision}^{{commit}}");
        Ok(self.git.answer(["rev-parse", "--verify", "--quiet", &name])?.is_some())
    }

    /// The branch that is checked out; `None` where HEAD is detached.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn branch(&self) -> Result<Option<String>, GitError> {
        self.git.answer(["symbolic-ref", "--short", "--quiet", "HEAD"])
    }

    /// A setting of the repository's or the user's; `None` where it is not set.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn setting(&self, name: &str) -> Result<Option<String>, GitError> {
        Ok(self.git.answer(["config", "--get", name])?.filter(|value| !value.trim().is_empty()))
    }

    /// Whether a header for servers is set, as a checkout leaves one that holds
    /// its token.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn has_stored_header(&self) -> Result<bool, GitError> {
        let pattern = r"^http\.(.*\.)?extraheader$";
        Ok(self.git.answer(["config", "--name-only", "--get-regexp", pattern])?.is_some())
    }

    /// The bytes of `path` in `revision`, as they are stored; `None` where
    /// there is no such revision or no such file in it.
    ///
    /// # Errors
    /// git cannot be run.
    pub fn show(&self, revision: &str, path: &RelPath) -> Result<Option<Vec<u8>>, GitError> {
        let name = format!("{revision}:{path}");
        if let Some(library) = self.library() {
            let blob = library.revparse_single(&name).and_then(|object| object.peel_to_blob());
            if let Ok(blob) = blob {
                return Ok(Some(blob.content().to_vec()));
            }
        }
        let command = self.git.command(["cat-file", "blob", &name]);
        let output = self.git.attempt(&command, None)?;
        Ok(output.exit.is_success().then_some(output.stdout))
    }

    /// Whether it has extensions, of worktrees or of refs, that only git itself
    /// knows how to write, or is of a format that libgit2 does not know.
    fn is_extended(&self) -> bool {
        let told = self.library().and_then(|library| {
            let config = library.config().and_then(|mut config| config.snapshot()).ok()?;
            let mut entries = config.entries(Some(r"^extensions\.")).ok()?;
            let mut is_extended = false;
            while let Some(entry) = entries.next() {
                // The hash alone changes nothing of what files mean.
                is_extended |= entry.ok()?.name().ok()? != "extensions.objectformat";
            }
            Some(is_extended)
        });
        told.unwrap_or(true)
    }

    /// libgit2's view of it; `None` where libgit2 cannot open it (SHA-256 and
    /// reftable repositories, ownership that only git's environment excuses):
    /// the caller then takes git's plumbing.
    fn library(&self) -> Option<git2::Repository> {
        git2::Repository::open(&self.root).ok()
    }
}

/// The root, the git directory and the shared one of the repository around
/// `start`, where libgit2 finds it and nothing tells git to look elsewhere.
fn around(start: &Path, launcher: &Launcher) -> Option<[PathBuf; 3]> {
    let variable = |name: &str| launcher.environment().get(name);
    if variable("GIT_DISCOVERY_ACROSS_FILESYSTEM").is_some() {
        return None;
    }
    let ceilings: Vec<PathBuf> =
        variable("GIT_CEILING_DIRECTORIES").map(|all| std::env::split_paths(all).collect()).unwrap_or_default();
    let found = git2::Repository::open_ext(start, git2::RepositoryOpenFlags::empty(), ceilings).ok()?;
    let places = [found.workdir()?, found.path(), found.commondir()].map(Path::canonicalize);
    let [Ok(root), Ok(git_dir), Ok(common_dir)] = places else { return None };
    // Inside the git directory there is no work tree, git says.
    let is_inside = start.starts_with(&root) && !start.starts_with(&git_dir) && !start.starts_with(&common_dir);
    is_inside.then_some([root, git_dir, common_dir])
}

/// The same, as git tells it.
fn asked_around(start: &Path, launcher: &Launcher) -> Result<[PathBuf; 3], GitError> {
    let git = Git::new(launcher.clone(), start.to_owned());
    let asked = ["rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-toplevel"];
    let output = git.attempt(&git.command(asked), None)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&[u8]> = output.stdout.split(|byte| *byte == b'\n').collect();
    if !output.exit.is_success() {
        let path = start.to_owned();
        return Err(match lines.first() {
            _ if stderr.contains("dubious ownership") => GitError::DubiousOwnership { path },
            Some(&b"true") => GitError::Bare { path },
            _ if stderr.contains("not a git repository") || stderr.contains("must be run in a work tree") => {
                GitError::NotARepository { path }
            }
            _ => GitError::failed(&git.command(asked), &stderr),
        });
    }
    // One line each; a line break inside a path would add one.
    let [_, git_dir, common_dir, root, b""] = lines[..] else {
        return Err(GitError::Unreadable { command: git.command(asked).shown() });
    };
    let absolute = |bytes: &[u8]| {
        let path = start.join(call::path_of(bytes));
        path.canonicalize().unwrap_or(path)
    };
    Ok([absolute(root), absolute(git_dir), absolute(common_dir)])
}

/// Why git could not answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The place to start from is not there.
    #[error("`{path}` does not exist")]
    NoSuchPath {
        /// The path as it was given.
        path: PathBuf,
    },
    /// No repository there.
    #[error("`{path}` is not in a git repository")]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A repository without a work tree.
    #[error("`{path}` is a bare git repository: it has no files to work on")]
    Bare {
        /// Where it is.
        path: PathBuf,
    },
    /// Somebody else owns it, and git will not read it.
    #[error("git does not trust `{path}`: somebody else owns it")]
    DubiousOwnership {
        /// Where it is.
        path: PathBuf,
    },
    /// There is no git.
    #[error("git cannot be started: {source}")]
    NoGit {
        /// The system's own word.
        #[source]
        source: ProcessError,
    },
    /// git failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The command as typed.
        command: String,
        /// The last line of its standard error.
        said: String,
    },
    /// git answered something else than documented.
    #[error("cannot read the answer of `{command}`")]
    Unreadable {
        /// The command as typed.
        command: String,
    },
    /// libgit2 failed.
    #[error("cannot {doing}: {source}")]
    Library {
        /// What was being done.
        doing: &'static str,
        /// libgit2's own word.
        #[source]
        source: git2::Error,
    },
    /// A file of git's own could not be written.
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
    /// There is nothing to commit on.
    #[error("the repository has no commit yet")]
    NoCommit,
    /// HEAD holds another text than the patch was made for.
    #[error("`{path}` in the last commit is not the text that the patch changes")]
    NotBefore {
        /// The file.
        path: RelPath,
    },
    /// The patch names what is no ordinary file in HEAD.
    #[error("`{path}` is no ordinary file in the last commit")]
    NotAFile {
        /// The path.
        path: RelPath,
    },
    /// The branch is there already.
    #[error("there is already a branch `{branch}`")]
    BranchExists {
        /// Its name.
        branch: String,
    },
    /// git does not allow this name.
    #[error("`{branch}` is not a name for a branch")]
    BadBranch {
        /// The name.
        branch: String,
    },
}

impl GitError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            GitError::NotARepository { path } => {
                let shown = path.display();
                Some(format!("run `git init && git add -A` in `{shown}`, or name the repository with --repo"))
            }
            GitError::Bare { .. } => Some("run heal in a clone or a worktree of it".to_owned()),
            GitError::DubiousOwnership { path } => {
                Some(format!("git config --global --add safe.directory {}", path.display()))
            }
            GitError::NoGit { .. } => Some("install git, or put it on PATH".to_owned()),
            GitError::NoCommit => Some("commit something first, or take the patch from stdout".to_owned()),
            GitError::NotBefore { path } => Some(format!("commit or stash your changes to `{path}` first")),
            GitError::BranchExists { .. } => Some("choose another name".to_owned()),
            _ => None,
        }
    }

    fn failed(command: &crate::process::Command, stderr: &str) -> GitError {
        let said = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        GitError::Failed { command: call::shown(command), said: said.trim().to_owned() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
