//! git's own entries for heal's scratch trees.
//!
//! Writes below `worktrees/` in the git directory and the `.git` file of the
//! scratch tree; never checks a file out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use super::GitError;
use super::Repository;
use super::call::line_of;
use super::call::path_of;
use super::listing::Stat;

/// How the file is called, beside the tree, that keeps the index of a commit;
/// the commit's name follows, and the file's digest, so that none that was cut
/// when the machine stopped is believed.
const KEPT_INDEX: &str = "index-";

/// A registered scratch tree.
#[derive(Clone, Debug)]
pub struct Worktree {
    /// git's name for it.
    name: String,
    /// `<common dir>/worktrees/<name>`.
    admin: PathBuf,
    /// The tree.
    tree: PathBuf,
    /// What its HEAD is detached at.
    commit: String,
    /// Whether the commit is the repository's own, and not made for the tree.
    has_history: bool,
    /// The index as it was made.
    pristine: PathBuf,
    /// Of the index, when it was made.
    index: Stat,
    /// What the entry holds when nothing is under way in the tree.
    files: BTreeSet<OsString>,
}

impl Repository {
    /// Makes `tree`, which exists and keeps its files, a work tree of the
    /// repository: HEAD detached at `commit`, the index that of the commit. No
    /// file is checked out. Where there is no commit yet, the tree gets one
    /// of its own, without files, that no ref names. The index is kept beside
    /// the tree for the next call at the same commit. git itself is asked where
    /// its format is more than the oldest.
    ///
    /// # Errors
    /// git fails, or its directory cannot be written.
    pub fn register_worktree(&self, tree: &Path, name: &str, commit: Option<&str>) -> Result<Worktree, GitError> {
        let (commit, has_history) = match commit {
            Some(commit) => (commit.to_owned(), true),
            None => (self.empty_commit()?, false),
        };
        let admin = self.common_dir.join("worktrees").join(name);
        let (index, files) = (Stat::default(), BTreeSet::new());
        let mut worktree = Worktree {
            name: name.to_owned(),
            admin,
            tree: tree.to_owned(),
            commit,
            has_history,
            pristine: PathBuf::new(),
            index,
            files,
        };
        if self.is_extended() || self.enter_at_once(&mut worktree).is_none() {
            self.enter(&mut worktree)?;
        }
        Ok(worktree)
    }

    /// Makes the entry without git. `None` where that cannot be.
    fn enter_at_once(&self, worktree: &mut Worktree) -> Option<()> {
        worktree.pristine = match worktree.kept_index() {
            Some(kept) => kept,
            None => {
                let made = worktree.beside("heal-index");
                remove_any(&made).ok()?;
                let library = self.library()?;
                let commit = library.find_commit(git2::Oid::from_str(&worktree.commit).ok()?).ok()?;
                let mut index = git2::Index::open(&made).ok()?;
                index.read_tree(&commit.tree().ok()?).and_then(|()| index.write()).ok()?;
                let kept = worktree.keep_index(&made);
                let _ = remove_any(&made);
                kept.ok()?
            }
        };
        worktree.enter().ok()
    }

    /// Has git make the entry.
    fn enter(&self, worktree: &mut Worktree) -> Result<(), GitError> {
        // git wants a new directory: its entry is then moved to the tree.
        let fresh = worktree.tree.with_file_name(&worktree.name);
        remove_any(&fresh).map_err(|source| io_error("remove", &fresh, source))?;
        let mut add = self.git.command(["worktree", "add", "--quiet", "--detach", "--no-checkout"]);
        add.argv.push(fresh.clone().into());
        self.git.run(&add.arg(&worktree.commit))?;
        let moved = self.move_entry(&fresh, &worktree.tree);
        let _ = remove_any(&fresh);
        worktree.admin = moved?;
        worktree.name = worktree.admin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let made = self.fill_index(worktree);
        if made.is_err() {
            let _ = self.unregister_worktree(worktree);
        }
        made
    }

    /// Takes git's entry away again; the tree keeps its files.
    ///
    /// # Errors
    /// The entry cannot be removed.
    pub fn unregister_worktree(&self, worktree: &Worktree) -> Result<(), GitError> {
        let _ = std::fs::remove_file(worktree.tree.join(".git"));
        self.remove_entry(&worktree.name, worktree.has_history)
    }

    /// Removes the entry `name`, and what heal put among git's objects once
    /// no entry is left.
    ///
    /// # Errors
    /// The entry cannot be removed.
    pub fn remove_worktree_entry(&self, name: &str) -> Result<(), GitError> {
        self.remove_entry(name, false)
    }

    fn remove_entry(&self, name: &str, has_history: bool) -> Result<(), GitError> {
        let all = self.common_dir.join("worktrees");
        let entry = all.join(name);
        remove_any(&entry).map_err(|source| io_error("remove", &entry, source))?;
        // Fails, as it should, while there is another entry.
        let last = std::fs::remove_dir(&all).is_ok();
        if last && !has_history && self.head()?.is_none() {
            let object = self.loose_object(&self.empty_commit_id(false)?);
            let _ = std::fs::remove_file(&object);
            if let Some(folder) = object.parent() {
                let _ = std::fs::remove_dir(folder);
            }
        }
        Ok(())
    }

    /// Names of worktree entries that begin with `prefix`, and the trees they
    /// stand for.
    pub fn worktree_entries(&self, prefix: &str) -> Vec<(String, PathBuf)> {
        let Ok(entries) = std::fs::read_dir(self.common_dir.join("worktrees")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let named = names.filter(|name| name.starts_with(prefix)).map(|name| {
            let gitdir = self.common_dir.join("worktrees").join(&name).join("gitdir");
            let bytes = std::fs::read(gitdir).unwrap_or_default();
            let tree = path_of(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
            (name, tree.parent().map(Path::to_path_buf).unwrap_or_default())
        });
        named.collect()
    }

    /// Points the entry that git made for `fresh` to `tree`, and returns it.
    fn move_entry(&self, fresh: &Path, tree: &Path) -> Result<PathBuf, GitError> {
        let (from, to) = (fresh.join(".git"), tree.join(".git"));
        let bytes = std::fs::read(&from).map_err(|source| io_error("read", &from, source))?;
        let admin = bytes.strip_prefix(b"gitdir: ").map(|rest| path_of(rest.strip_suffix(b"\n").unwrap_or(rest)));
        let admin = admin.ok_or_else(|| GitError::Unreadable { command: "git worktree add".to_owned() })?;
        let gitdir = admin.join("gitdir");
        std::fs::write(&gitdir, line_to(&to)).map_err(|source| io_error("write", &gitdir, source))?;
        remove_any(&to).map_err(|source| io_error("remove", &to, source))?;
        std::fs::rename(&from, &to).map_err(|source| io_error("write", &to, source))?;
        Ok(admin)
    }

    /// Fills the index from the commit, and keeps a copy of it.
    fn fill_index(&self, worktree: &mut Worktree) -> Result<(), GitError> {
        let command = self.git.at(&worktree.tree).command(["read-tree", &worktree.commit]);
        let command = command.env("GIT_DIR", &worktree.admin).env("GIT_WORK_TREE", &worktree.tree);
        self.git.run(&command)?;
        let made = worktree.admin.join("index");
        worktree.pristine = worktree.keep_index(&made).map_err(|source| io_error("keep", &made, source))?;
        worktree.look().map_err(|source| io_error("read", &worktree.admin, source))
    }

    /// A commit without parents and files, the same in every repository of
    /// one hash.
    fn empty_commit(&self) -> Result<String, GitError> {
        self.empty_commit_id(true)
    }

    fn empty_commit_id(&self, write: bool) -> Result<String, GitError> {
        // git knows the empty tree without having it stored.
        let tree = line_of(&self.git.run(&self.git.command(["hash-object", "-t", "tree", "/dev/null"]))?);
        let who = "heal <heal@localhost> 0 +0000";
        let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nBefore the first commit\n");
        let mut args = vec!["hash-object", "-t", "commit", "--stdin"];
        if write {
            args.push("-w");
        }
        Ok(line_of(&self.git.run_with(&self.git.command(args), Some(text.as_bytes()))?))
    }

    fn loose_object(&self, id: &str) -> PathBuf {
        let (folder, rest) = id.split_at(id.len().min(2));
        self.common_dir.join("objects").join(folder).join(rest)
    }
}

impl Worktree {
    /// The tree.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// Makes the entry as git does (`builtin/worktree.c`, `add_worktree`), with
    /// the index that was kept. What it holds is part of git's format
    /// (gitrepository-layout). Leaves nothing where it cannot.
    fn enter(&mut self) -> io::Result<()> {
        std::fs::create_dir_all(self.admin.parent().unwrap_or(&self.admin))?;
        std::fs::create_dir(&self.admin)?;
        let made = self.fill().and_then(|()| self.look());
        if made.is_err() {
            let _ = std::fs::remove_dir_all(&self.admin);
            let _ = remove_any(&self.tree.join(".git"));
        }
        made
    }

    fn fill(&self) -> io::Result<()> {
        let lock = self.admin.join("locked");
        // An entry that is locked is not pruned.
        std::fs::write(&lock, "initializing\n")?;
        std::fs::write(self.admin.join("gitdir"), line_to(&self.tree.join(".git")))?;
        std::fs::write(self.admin.join("commondir"), "../..\n")?;
        std::fs::create_dir(self.admin.join("refs"))?;
        std::fs::copy(&self.pristine, self.admin.join("index"))?;
        self.point().map_err(io::Error::other)?;
        std::fs::remove_file(&lock)
    }

    /// Notes what the entry holds.
    fn look(&mut self) -> io::Result<()> {
        self.index = Stat::of(&self.admin.join("index").symlink_metadata()?);
        self.files = names_in(&self.admin)?;
        Ok(())
    }

    /// The index that is kept for the commit, where it is whole.
    fn kept_index(&self) -> Option<PathBuf> {
        let wanted = format!("{KEPT_INDEX}{}-", self.commit);
        let names = names_in(self.tree.parent()?).ok()?;
        let name = names.iter().filter_map(|name| name.to_str()).find(|name| name.starts_with(&wanted))?;
        let kept = self.beside(name);
        let digest = blake3::hash(&std::fs::read(&kept).ok()?);
        (name[wanted.len()..] == *digest.to_hex()).then_some(kept)
    }

    /// Keeps the index in `made`, instead of any that was kept before.
    fn keep_index(&self, made: &Path) -> io::Result<PathBuf> {
        let bytes = std::fs::read(made)?;
        let folder = self.tree.parent().unwrap_or(&self.tree);
        for name in names_in(folder)? {
            if name.as_bytes().starts_with(KEPT_INDEX.as_bytes()) {
                remove_any(&folder.join(name))?;
            }
        }
        let kept = self.beside(&format!("{KEPT_INDEX}{}-{}", self.commit, blake3::hash(&bytes).to_hex()));
        std::fs::write(&kept, bytes)?;
        Ok(kept)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.tree.with_file_name(name)
    }

    /// Makes HEAD, the index and the `.git` file what they were, whatever was
    /// committed, staged or begun in the tree.
    ///
    /// # Errors
    /// git's directory cannot be written.
    pub fn reset(&self) -> Result<(), GitError> {
        self.point()?;
        let names = names_in(&self.admin).map_err(|source| io_error("read", &self.admin, source))?;
        for name in names.difference(&self.files) {
            let path = self.admin.join(name);
            remove_any(&path).map_err(|source| io_error("remove", &path, source))?;
        }
        let index = self.admin.join("index");
        if index.symlink_metadata().ok().map(|metadata| Stat::of(&metadata)) != Some(self.index) {
            let pristine = &self.pristine;
            let bytes = std::fs::read(pristine).map_err(|source| io_error("read", pristine, source))?;
            self.lay(&index, &bytes)?;
        }
        Ok(())
    }

    /// Points the tree to its entry, and the entry to its commit.
    fn point(&self) -> Result<(), GitError> {
        self.lay(&self.tree.join(".git"), &[b"gitdir: ", &line_to(&self.admin)[..]].concat())?;
        self.lay(&self.admin.join("HEAD"), format!("{}\n", self.commit).as_bytes())
    }

    /// Writes `file` where it is not `bytes` already.
    fn lay(&self, file: &Path, bytes: &[u8]) -> Result<(), GitError> {
        let is_file = file.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file && std::fs::read(file).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        remove_any(file).map_err(|source| io_error("remove", file, source))?;
        std::fs::write(file, bytes).map_err(|source| io_error("write", file, source))
    }
}

/// A path as git's own files hold it: the line it is on.
fn line_to(path: &Path) -> Vec<u8> {
    [path.as_os_str().as_bytes(), b"\n"].concat()
}

fn names_in(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// Removes a file, a link or a whole directory; nothing there is no error.
fn remove_any(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> GitError {
    GitError::Io { doing, path: path.to_owned(), source }
}
