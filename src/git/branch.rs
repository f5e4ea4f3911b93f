//! A patch as a commit on a branch of its own.
//!
//! Writes objects and one new ref; never the index, the work tree or HEAD.

use std::path::Path;
use std::path::PathBuf;

use super::GitError;
use super::Repository;
use super::call::line_of;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::RelPath;

/// Who commits where git's configuration names nobody.
const NOBODY: (&str, &str) = ("heal", "heal@localhost");

/// Modes of a tree's entries (gitformat-tree(5)).
const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;

/// One file as it will be stored.
struct Stored<'a> {
    path: &'a RelPath,
    mode: u32,
    /// `None` where the file goes.
    content: Option<Vec<u8>>,
}

/// Everything of the commit but its tree.
struct About<'a> {
    parent: &'a str,
    message: &'a str,
    author: (String, String),
}

impl Repository {
    /// Commits `patch` on HEAD as the new branch `branch`, and returns the
    /// commit's id.
    ///
    /// # Errors
    /// A bad or taken name, no commit to build on, or a file that is in HEAD
    /// not what the patch changes.
    pub fn commit_on_branch(&self, branch: &str, patch: &Patch, message: &str) -> Result<String, GitError> {
        self.check_branch(branch)?;
        let head = self.head()?.ok_or(GitError::NoCommit)?;
        let commit = self.commit_on(&head, patch, message, self.author()?)?;
        let full = format!("refs/heads/{branch}");
        let nothing = "0".repeat(commit.len());
        self.git.run(&self.git.command(["update-ref", "-m", "heal: created", &full, &commit, &nothing]))?;
        Ok(commit)
    }

    /// Who commits here: name and address.
    pub(super) fn author(&self) -> Result<(String, String), GitError> {
        let (name, email) = (self.setting("user.name")?, self.setting("user.email")?);
        Ok((name.unwrap_or_else(|| NOBODY.0.into()), email.unwrap_or_else(|| NOBODY.1.into())))
    }

    /// Makes the commit of `patch` on `parent`, which no ref names yet.
    pub(super) fn commit_on(
        &self,
        parent: &str,
        patch: &Patch,
        message: &str,
        author: (String, String),
    ) -> Result<String, GitError> {
        let stored: Result<Vec<Stored>, GitError> =
            patch.changes().iter().map(|change| self.stored(parent, change)).collect();
        let stored = stored?;
        let about = About { parent, message, author };
        match self.library() {
            Some(library) => commit_with_library(&library, &stored, &about)
                .map_err(|source| GitError::Library { doing: "commit the patch", source }),
            None => self.commit_with_plumbing(&stored, &about),
        }
    }

    /// Refuses names that git does not allow or that are taken.
    fn check_branch(&self, branch: &str) -> Result<(), GitError> {
        let full = format!("refs/heads/{branch}");
        let allowed = self.git.attempt(&self.git.command(["check-ref-format", &full]), None)?.exit.is_success();
        if !allowed || branch.starts_with('-') || branch == "HEAD" {
            return Err(GitError::BadBranch { branch: branch.to_owned() });
        }
        match self.git.answer(["rev-parse", "--verify", "--quiet", &full])? {
            Some(_) => Err(GitError::BranchExists { branch: branch.to_owned() }),
            None => Ok(()),
        }
    }

    /// Checks one change against HEAD and says what to store.
    fn stored<'a>(&self, head: &str, change: &'a FileChange) -> Result<Stored<'a>, GitError> {
        let path = &change.path;
        let mode = self.mode_in(head, path)?;
        let Some(before) = &change.before else {
            if mode.is_some() {
                return Err(GitError::NotBefore { path: path.clone() });
            }
            self.check_folders(head, path)?;
            return Ok(Stored { path, mode: FILE, content: change.after.clone().map(String::into_bytes) });
        };
        let mode = mode.ok_or_else(|| GitError::NotBefore { path: path.clone() })?;
        if mode != FILE && mode != EXECUTABLE {
            return Err(GitError::NotAFile { path: path.clone() });
        }
        let blob = self.show(head, path)?.unwrap_or_default();
        if before.as_bytes() == blob {
            return Ok(Stored { path, mode, content: change.after.clone().map(String::into_bytes) });
        }
        // A checkout with `core.autocrlf` has line ends that its blobs do not.
        if before.replace("\r\n", "\n").as_bytes() == blob {
            let content = change.after.as_ref().map(|after| after.replace("\r\n", "\n").into_bytes());
            return Ok(Stored { path, mode, content });
        }
        Err(GitError::NotBefore { path: path.clone() })
    }

    /// Refuses a new file below what is no folder.
    fn check_folders(&self, head: &str, path: &RelPath) -> Result<(), GitError> {
        let mut folder = path.parent();
        while !folder.is_root() {
            if self.mode_in(head, &folder)?.is_some_and(|mode| mode != 0o040_000) {
                return Err(GitError::NotAFile { path: folder });
            }
            folder = folder.parent();
        }
        Ok(())
    }

    /// The mode of `path` in a commit; `None` where it is not there.
    fn mode_in(&self, commit: &str, path: &RelPath) -> Result<Option<u32>, GitError> {
        let command = self.git.command(["ls-tree", "-z", "--full-tree", commit, "--", path.as_str()]);
        let answer = self.git.run(&command.env("GIT_LITERAL_PATHSPECS", "1"))?;
        let mode = answer.split(|byte| *byte == b' ').next().and_then(|mode| std::str::from_utf8(mode).ok());
        Ok(mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()))
    }

    /// The same without libgit2, through an index that nobody else sees.
    fn commit_with_plumbing(&self, stored: &[Stored], about: &About) -> Result<String, GitError> {
        let index = PrivateIndex(self.git_dir.join(format!("heal-index-{}", std::process::id())));
        let with_index = |args: &[&str]| self.git.command(args.iter().copied()).env("GIT_INDEX_FILE", &index.0);
        self.git.run(&with_index(&["read-tree", about.parent]))?;
        let mut entries = Vec::new();
        for one in stored {
            let (mode, blob) = match &one.content {
                Some(content) => {
                    let command = self.git.command(["hash-object", "-w", "--no-filters", "--stdin"]);
                    (one.mode, line_of(&self.git.run_with(&command, Some(content))?))
                }
                // Mode 0 takes an entry out (git-update-index(1)).
                None => (0, "0".repeat(about.parent.len())),
            };
            entries.extend_from_slice(format!("{mode:o} {blob}\t{}\0", one.path).as_bytes());
        }
        self.git.run_with(&with_index(&["update-index", "-z", "--index-info"]), Some(&entries))?;
        let tree = line_of(&self.git.run(&with_index(&["write-tree"]))?);
        let (name, email) = &about.author;
        let command = self.git.command(["commit-tree", "-p", about.parent, "-F", "-", "--no-gpg-sign", &tree]);
        let command = command.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", email);
        let command = command.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", email);
        let commit = line_of(&self.git.run_with(&command, Some(about.message.as_bytes()))?);
        Ok(commit)
    }
}

fn commit_with_library(library: &git2::Repository, stored: &[Stored], about: &About) -> Result<String, git2::Error> {
    let parent = library.find_commit(git2::Oid::from_str(about.parent)?)?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    for one in stored {
        match &one.content {
            Some(content) => {
                let mode = if one.mode == EXECUTABLE { git2::FileMode::BlobExecutable } else { git2::FileMode::Blob };
                update.upsert(one.path.as_str(), library.blob(content)?, mode);
            }
            None => {
                update.remove(one.path.as_str());
            }
        }
    }
    let tree = library.find_tree(update.create_updated(library, &parent.tree()?)?)?;
    let (name, email) = &about.author;
    let author = git2::Signature::now(name, email)?;
    let commit = library.commit(None, &author, &author, about.message, &tree, &[&parent])?;
    Ok(commit.to_string())
}

/// An index file that is gone when it is no longer used.
struct PrivateIndex(PathBuf);

impl Drop for PrivateIndex {
    fn drop(&mut self) {
        for file in [self.0.as_path(), Path::new(&format!("{}.lock", self.0.display()))] {
            let _ = std::fs::remove_file(file);
        }
    }
}
