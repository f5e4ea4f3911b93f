//! What is ignored by git and still needed: built extensions, generated files,
//! environments, a warm build directory.
//!
//! Decides by names and sizes; copies nothing.

use std::collections::HashMap;
use std::fs::FileType;
use std::path::Path;
use std::path::PathBuf;

use super::compiled;
use crate::git::Stat;

/// Directories that no test needs from the user's tree.
const CACHES: [&str; 11] = [
    ".git",
    ".hg",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    ".pytest_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".idea",
    ".vscode",
];

/// Caches that tests fill in a scratch and that stay there between candidates.
const STAYING: [&str; 7] =
    ["node_modules", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache", ".tox", ".nox"];

/// Bytes of ignored files that are carried, in total.
const MOST_BYTES: u64 = 200 << 20;

/// Ignored files that are carried, in total.
const MOST_FILES: usize = 20_000;

/// An ignored file or link that is carried.
#[derive(Clone, Debug)]
pub(super) struct Carry {
    /// Where, relative to the root.
    pub(super) path: PathBuf,
    /// Its stat.
    pub(super) stat: Stat,
    /// Whether it is a link.
    pub(super) symlink: bool,
}

/// What becomes of the ignored entries.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Copied.
    pub(super) files: Vec<Carry>,
    /// Directories that a link in the scratch stands for, relative.
    pub(super) links: Vec<PathBuf>,
    /// Cargo's build directory to start from, absolute.
    pub(super) seed: Option<PathBuf>,
    /// Folders of bytecode, relative and sorted.
    pub(super) compiled: Vec<PathBuf>,
    /// What a report should say of it.
    pub(super) notes: Vec<String>,
}

/// Decides what becomes of the ignored `entries` below `root`.
pub(super) fn decide(root: &Path, entries: &[PathBuf]) -> Carried {
    let mut carried = Carried::default();
    let mut groups: Vec<(u64, Vec<Carry>, &PathBuf)> = Vec::new();
    for entry in entries {
        let full = root.join(entry);
        if entry.components().any(|part| CACHES.iter().any(|cache| part.as_os_str() == *cache)) {
            continue;
        }
        // A pattern may name the folder or each file in it.
        if let Some(folder) = entry.ancestors().take(2).find(|folder| folder.ends_with(compiled::FOLDER)) {
            carried.compiled.push(folder.to_owned());
            continue;
        }
        if is_cargo_target(&full) {
            let shallower = |seed: &PathBuf| full.components().count() < seed.components().count();
            if carried.seed.as_ref().is_none_or(shallower) {
                carried.seed = Some(full);
            }
            continue;
        }
        if is_linked(&full) {
            carried.notes.push(format!("`{}` is a link to the user's own", entry.display()));
            carried.links.push(entry.clone());
            continue;
        }
        match weigh(root, entry) {
            Some((bytes, files)) => groups.push((bytes, files, entry)),
            None => carried.notes.push(left_out(entry)),
        }
    }
    // Small ones first: a generated version file matters more than a data set.
    groups.sort_by_key(|(bytes, _, _)| *bytes);
    let (mut bytes, mut count) = (0, 0);
    for (size, files, entry) in groups {
        if bytes + size > MOST_BYTES || count + files.len() > MOST_FILES {
            carried.notes.push(left_out(entry));
            continue;
        }
        bytes += size;
        count += files.len();
        carried.files.extend(files);
    }
    carried.compiled.sort();
    carried.compiled.dedup();
    carried
}

fn left_out(entry: &Path) -> String {
    format!("`{}`, which git ignores, is too large to copy and is not there", entry.display())
}

/// Files below an ignored entry and their bytes; `None` where they are too
/// much by themselves.
fn weigh(root: &Path, entry: &Path) -> Option<(u64, Vec<Carry>)> {
    let (mut bytes, mut files, mut folders) = (0, Vec::new(), Vec::new());
    let mut look = |path: PathBuf, folders: &mut Vec<PathBuf>| {
        let Ok(about) = root.join(&path).symlink_metadata() else { return Some(()) };
        let kind = about.file_type();
        if kind.is_dir() {
            folders.push(path);
        } else if kind.is_file() || kind.is_symlink() {
            bytes += about.len();
            files.push(Carry { path, stat: Stat::of(&about), symlink: kind.is_symlink() });
        }
        (bytes <= MOST_BYTES && files.len() <= MOST_FILES).then_some(())
    };
    look(entry.to_owned(), &mut folders)?;
    while let Some(folder) = folders.pop() {
        for child in std::fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            if CACHES.iter().all(|cache| child.file_name() != *cache) {
                look(folder.join(child.file_name()), &mut folders)?;
            }
        }
    }
    Some((bytes, files))
}

/// Whether a directory is cargo's build directory: it marks its own
/// (<https://bford.info/cachedir/>), older ones by `.rustc_info.json`.
fn is_cargo_target(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "target")
        && (folder.join("CACHEDIR.TAG").is_file() || folder.join(".rustc_info.json").is_file())
}

/// Whether a directory is so large and so rarely written that a link stands
/// for it: installed packages. A virtual environment has a `pyvenv.cfg`
/// (PEP 405), conda's a `conda-meta`.
fn is_linked(folder: &Path) -> bool {
    (folder.file_name().is_some_and(|name| name == "node_modules") && folder.is_dir())
        || folder.join("pyvenv.cfg").is_file()
        || folder.join("conda-meta").is_dir()
}

/// Whether a directory inside a submodule is left out.
pub(super) fn is_left_out(folder: &Path) -> bool {
    let is_cache = CACHES.iter().any(|cache| folder.file_name().is_some_and(|name| name == *cache));
    is_cache || is_cargo_target(folder) || is_linked(folder)
}

/// Whether what tests leave in this directory of a scratch may stay. `path` is
/// relative to the tree, `full` where it is.
pub(super) fn stays(path: &Path, full: &Path, kind: FileType) -> bool {
    let named = |name: &str| path.file_name().is_some_and(|this| this == name);
    kind.is_dir() && (STAYING.iter().any(|name| named(name)) || path == Path::new("target") || is_cargo_target(full))
}

/// Tells untracked files of the project from build output, packages and
/// caches that no `.gitignore` names.
pub(super) struct Judge<'a> {
    root: &'a Path,
    tracked: &'a [&'a Path],
    known: HashMap<PathBuf, bool>,
}

impl<'a> Judge<'a> {
    /// `tracked` is sorted by path.
    pub(super) fn new(root: &'a Path, tracked: &'a [&'a Path]) -> Judge<'a> {
        Judge { root, tracked, known: HashMap::new() }
    }

    /// The outermost directory around `path` that is to be treated as if it
    /// were ignored.
    pub(super) fn unlisted(&mut self, path: &Path) -> Option<PathBuf> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).filter(|one| !one.as_os_str().is_empty()).collect();
        folders.reverse();
        folders.into_iter().find(|folder| self.is_outside(folder)).map(Path::to_path_buf)
    }

    fn is_outside(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.known.get(folder) {
            return *known;
        }
        let full = self.root.join(folder);
        let named = |name: &str| folder.file_name().is_some_and(|this| this == name);
        let first = self.tracked.partition_point(|path| *path < folder);
        let holds_tracked = self.tracked.get(first).is_some_and(|path| path.starts_with(folder));
        let outside = !holds_tracked && (is_left_out(&full) || named(compiled::FOLDER));
        self.known.insert(folder.to_owned(), outside);
        outside
    }
}
