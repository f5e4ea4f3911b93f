//! What decides on a listing beside the tree's own files and folders: HEAD, the
//! index, and the files that say what is ignored.
//!
//! Reads them and calls no git; says nothing where it cannot know them all.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::Repository;
use super::Stat;

/// Variables by which git finds its settings and files of its own.
const NAMED: [&str; 5] = ["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// Files of settings, and of attributes, where git has them for all users.
const SYSTEM: [&str; 2] = ["/etc/gitconfig", "/etc/gitattributes"];

/// Below the directory of a user's settings.
const OF_USER: [&str; 3] = ["config", "ignore", "attributes"];

/// Below the git directory, and below the one that all work trees share.
const OF_REPOSITORY: [&str; 5] =
    ["config", "config.worktree", "info/exclude", "info/attributes", "info/sparse-checkout"];

/// Settings that name a file which has a say in it.
const FILES: [&str; 2] = ["core.excludesFile", "core.attributesFile"];

/// What a listing stood on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Of everything that has a say in it.
    pub digest: [u8; 32],
    /// When the index was last written, in nanoseconds since 1970.
    pub changed: i64,
}

impl Repository {
    /// The files that git takes this repository's settings from, absolute.
    /// `None` where one of them names another, which may not be there yet.
    pub fn settings_files(&self) -> Option<Vec<PathBuf>> {
        let settings = self.git.settings().ok().filter(|settings| !settings.includes)?;
        Some(settings.files.iter().map(|file| self.root.join(file)).collect())
    }

    /// What a listing stands on now, where its settings are in `settings_files`.
    /// Two listings on the same ground differ only by what is in the tree.
    /// `None` where libgit2 cannot tell.
    pub fn ground(&self, settings_files: &[PathBuf]) -> Option<Ground> {
        let library = self.library()?;
        let head = match library.head() {
            Ok(head) => head.peel_to_commit().ok()?.id().to_string(),
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => String::new(),
            Err(_) => return None,
        };
        let mut digest = blake3::Hasher::new();
        digest.update(head.as_bytes());
        let index = self.git_dir.join("index");
        let index = index.symlink_metadata().map(|about| Stat::of(&about)).unwrap_or_default();
        for number in [index.size, index.modified as u64, index.changed as u64, index.inode] {
            digest.update(&number.to_le_bytes());
        }
        for value in NAMED.iter().map(|name| self.git.variable(name)) {
            part(&mut digest, value.map(|value| value.as_encoded_bytes()));
        }
        if self.git.settings_in_environment() > 0 {
            return None;
        }
        let mut files = self.files_of_rules(&library)?;
        files.extend(settings_files.iter().cloned());
        for file in files {
            // Beside a relative path there is no telling what it is relative to.
            if !file.is_absolute() {
                return None;
            }
            part(&mut digest, std::fs::read(&file).ok().as_deref());
        }
        Some(Ground { digest: *digest.finalize().as_bytes(), changed: index.changed })
    }

    /// Files outside the tree that have a say, where they are or would be.
    fn files_of_rules(&self, library: &git2::Repository) -> Option<BTreeSet<PathBuf>> {
        let mut files: BTreeSet<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        files.extend(self.folder_of_user().into_iter().flat_map(|folder| OF_USER.map(|name| folder.join(name))));
        files.extend(self.git.variable("HOME").map(|home| Path::new(home).join(".gitconfig")));
        let given = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"].map(|name| self.git.variable(name));
        files.extend(given.into_iter().flatten().map(PathBuf::from));
        for folder in [&self.git_dir, &self.common_dir] {
            files.extend(OF_REPOSITORY.map(|name| folder.join(name)));
        }
        let config = library.config().and_then(|mut config| config.snapshot()).ok()?;
        for name in FILES {
            match config.get_path(name) {
                Ok(file) => {
                    files.insert(file);
                }
                Err(error) if error.code() == git2::ErrorCode::NotFound => {}
                Err(_) => return None,
            }
        }
        Some(files)
    }

    /// Where git looks for a user's own settings beside `~/.gitconfig`.
    fn folder_of_user(&self) -> Option<PathBuf> {
        let named = self.git.variable("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty());
        let default = || self.git.variable("HOME").map(|home| Path::new(home).join(".config"));
        Some(named.map(PathBuf::from).or_else(default)?.join("git"))
    }
}

/// One more part, told from one that is not there and from the next.
fn part(digest: &mut blake3::Hasher, bytes: Option<&[u8]>) {
    digest.update(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
    digest.update(bytes.unwrap_or_default());
}
