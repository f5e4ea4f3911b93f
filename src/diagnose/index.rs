//! The files of the tree, read and parsed when they are asked for.
//!
//! Reads never all of them, and none over a megabyte.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::HashSet;
use std::rc::Rc;

use super::Texts;
use super::file;
use super::file::SourceFile;
use super::modules::Thing;
use crate::language;
use crate::language::Definition;
use crate::language::DefinitionKind;
use crate::language::Language;
use crate::source::RelPath;

/// Larger files are not code a person wrote.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Files parsed for one diagnosis.
const MAX_PARSED: usize = 300;
/// Files looked at in one search for a name.
const MAX_SEARCHED: usize = 3000;
/// Bytes looked at in all searches together, the same file each time anew.
const MAX_SEARCHED_BYTES: usize = 64 * 1024 * 1024;

/// A file's place in [`Index::files`].
pub(crate) type FileId = usize;

/// What is asked of a name: the file, the definition it is written in, the path.
pub(crate) type Question = (FileId, Option<usize>, String);

/// A definition of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: FileId,
    /// Index in the file's list of definitions.
    pub(crate) definition: usize,
}

/// The files of the tree, by path and name, and those that have been parsed.
pub(crate) struct Index<'a> {
    reader: &'a dyn Texts,
    pub(crate) files: &'a [RelPath],
    /// The project's root: where imports and relative paths start.
    pub(crate) root: RelPath,
    by_path: HashMap<&'a str, FileId>,
    by_name: HashMap<&'a str, Vec<FileId>>,
    folders: HashSet<&'a str>,
    parsed: RefCell<HashMap<FileId, Option<Rc<SourceFile>>>>,
    texts: RefCell<HashMap<FileId, Option<Rc<str>>>>,
    searched_bytes: Cell<usize>,
    found: RefCell<HashMap<String, Vec<FileId>>>,
    /// What paths were found to mean; see `modules`.
    pub(crate) resolved: RefCell<HashMap<Question, Vec<Thing>>>,
    /// Names whose imports the question at hand has already followed.
    pub(crate) followed: RefCell<HashSet<Question>>,
    /// Methods and macros of the parsed files, by name.
    members: RefCell<HashMap<String, Vec<Place>>>,
    crates: std::cell::OnceCell<HashMap<String, RelPath>>,
    packages: std::cell::OnceCell<HashMap<String, FileId>>,
    go_modules: std::cell::OnceCell<Vec<(String, RelPath)>>,
    by_folder: std::cell::OnceCell<HashMap<&'a str, Vec<FileId>>>,
    folders_by_last: std::cell::OnceCell<HashMap<&'a str, Vec<&'a str>>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(reader: &'a dyn Texts, files: &'a [RelPath], root: RelPath) -> Index<'a> {
        let mut by_name: HashMap<&str, Vec<FileId>> = HashMap::new();
        let mut by_path = HashMap::with_capacity(files.len());
        let mut folders = HashSet::new();
        for (id, path) in files.iter().enumerate() {
            by_path.insert(path.as_str(), id);
            by_name.entry(path.file_name()).or_default().push(id);
            let mut at = path.as_str();
            while let Some((folder, _)) = at.rsplit_once('/') {
                if !folders.insert(folder) {
                    break;
                }
                at = folder;
            }
        }
        Index {
            reader,
            files,
            root,
            by_path,
            by_name,
            folders,
            parsed: RefCell::default(),
            texts: RefCell::default(),
            searched_bytes: Cell::new(0),
            found: RefCell::default(),
            resolved: RefCell::default(),
            followed: RefCell::default(),
            members: RefCell::default(),
            crates: std::cell::OnceCell::new(),
            packages: std::cell::OnceCell::new(),
            go_modules: std::cell::OnceCell::new(),
            by_folder: std::cell::OnceCell::new(),
            folders_by_last: std::cell::OnceCell::new(),
        }
    }

    pub(crate) fn id(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// Files with this name, anywhere.
    pub(crate) fn named(&self, name: &str) -> &[FileId] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Files whose path is `tail`, or ends in it.
    pub(crate) fn ending_in<'t>(&'t self, tail: &'t str) -> impl Iterator<Item = FileId> + 't {
        let name = tail.rsplit('/').next().unwrap_or(tail);
        self.named(name).iter().copied().filter(move |id| ends_in(self.files[*id].as_str(), tail))
    }

    pub(crate) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.folders.contains(path)
    }

    /// Whether the path of some folder is `tail`, or ends in it.
    pub(crate) fn has_folder_ending_in(&self, tail: &str) -> bool {
        let by_last = self.folders_by_last.get_or_init(|| {
            let mut found: HashMap<&str, Vec<&str>> = HashMap::new();
            for folder in &self.folders {
                found.entry(folder.rsplit('/').next().unwrap_or(folder)).or_default().push(folder);
            }
            found
        });
        let last = tail.rsplit('/').next().unwrap_or(tail);
        by_last.get(last).is_some_and(|folders| folders.iter().any(|folder| ends_in(folder, tail)))
    }

    /// The files that lie in `folder` itself.
    pub(crate) fn in_folder(&self, folder: &str) -> &[FileId] {
        let by_folder = self.by_folder.get_or_init(|| {
            let mut found: HashMap<&str, Vec<FileId>> = HashMap::new();
            for (id, path) in self.files.iter().enumerate() {
                let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
                found.entry(folder).or_default().push(id);
            }
            found
        });
        by_folder.get(folder).map_or(&[], Vec::as_slice)
    }

    /// The file, parsed; `None` for what is no code, too large or unreadable.
    pub(crate) fn load(&self, id: FileId) -> Option<Rc<SourceFile>> {
        if let Some(known) = self.parsed.borrow().get(&id) {
            return known.clone();
        }
        let path = self.files.get(id)?;
        let full = self.parsed.borrow().len() >= MAX_PARSED;
        let loaded = language::of_path(path).filter(|_| !full).and_then(|language| {
            let text = self.text(id)?;
            Some(Rc::new(SourceFile::new(id, path.clone(), language, &text)))
        });
        if let Some(file) = &loaded {
            let mut members = self.members.borrow_mut();
            for (definition, this) in file.outline.definitions.iter().enumerate() {
                if matches!(this.kind, DefinitionKind::Method | DefinitionKind::Macro) {
                    members.entry(this.name.clone()).or_default().push(Place { file: id, definition });
                }
            }
        }
        self.parsed.borrow_mut().insert(id, loaded.clone());
        loaded
    }

    /// Whether the imports of `name` are followed for the first time since the
    /// question was asked: star imports may lead in circles, and by many ways
    /// to one place.
    pub(crate) fn follows(&self, file: FileId, within: Option<usize>, name: &str) -> bool {
        self.followed.borrow_mut().insert((file, within, name.to_owned()))
    }

    /// Methods and macros called `name` of the files parsed so far.
    pub(crate) fn members_named(&self, name: &str) -> Vec<Place> {
        self.members.borrow().get(name).cloned().unwrap_or_default()
    }

    /// As [`Index::load`], by path.
    pub(crate) fn load_path(&self, path: &RelPath) -> Option<Rc<SourceFile>> {
        self.load(self.id(path.as_str())?)
    }

    /// The definition at `place`, with its file.
    pub(crate) fn at(&self, place: Place) -> Option<(Rc<SourceFile>, Definition)> {
        let file = self.load(place.file)?;
        let definition = file.outline.definitions.get(place.definition)?.clone();
        Some((file, definition))
    }

    /// A file's text; invalid UTF-8 is no code.
    pub(crate) fn text(&self, id: FileId) -> Option<Rc<str>> {
        if let Some(known) = self.texts.borrow().get(&id) {
            return known.clone();
        }
        let text: Option<Rc<str>> = self.reader.text(self.files.get(id)?, MAX_FILE_BYTES).map(Into::into);
        self.texts.borrow_mut().insert(id, text.clone());
        text
    }

    /// Files of `language` below `folder`, outside tests, whose text holds all
    /// of `needles`; nearest to `near` first. Bounded in files and bytes.
    pub(crate) fn search(
        &self,
        needles: &[&str],
        language: &'static Language,
        folder: &RelPath,
        near: &RelPath,
    ) -> Vec<FileId> {
        let key = format!("{}\0{folder}\0{}", language.name, needles.join("\0"));
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let candidates = self.files.iter().enumerate().filter(|(_, path)| {
            path.is_within(folder)
                && language::of_path(path) == Some(language)
                && !(language.is_test_file)(path)
                && !path.as_str().split('/').any(|part| file::VENDORED.contains(&part))
        });
        let mut candidates: Vec<(usize, FileId)> =
            candidates.map(|(id, path)| (usize::MAX - common_folders(path, near), id)).collect();
        candidates.sort_unstable();
        let mut found = Vec::new();
        for (_, id) in candidates.into_iter().take(MAX_SEARCHED) {
            if self.searched_bytes.get() > MAX_SEARCHED_BYTES {
                break;
            }
            let Some(text) = self.text(id) else { continue };
            self.searched_bytes.set(self.searched_bytes.get() + text.len());
            if needles.iter().all(|needle| text.contains(needle)) {
                found.push(id);
            }
        }
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    /// The crates of the workspace: name in code to the crate's root file.
    pub(crate) fn crates(&self) -> &HashMap<String, RelPath> {
        self.crates
            .get_or_init(|| self.named("Cargo.toml").iter().take(300).filter_map(|id| self.crate_at(*id)).collect())
    }

    /// The packages of JavaScript: the name that each `package.json` gives
    /// itself, to that file.
    pub(crate) fn packages(&self) -> &HashMap<String, FileId> {
        self.packages.get_or_init(|| {
            let read = |id: &FileId| {
                let value: serde_json::Value = serde_json::from_str(&self.text(*id)?).ok()?;
                Some((value["name"].as_str()?.to_owned(), *id))
            };
            self.named("package.json").iter().take(300).filter_map(read).collect()
        })
    }

    /// The modules of Go: their paths and folders.
    pub(crate) fn go_modules(&self) -> &[(String, RelPath)] {
        self.go_modules.get_or_init(|| super::modules::go::modules(self))
    }

    fn crate_at(&self, manifest: FileId) -> Option<(String, RelPath)> {
        let table: toml::Table = self.text(manifest)?.parse().ok()?;
        let text = |section: &str, key: &str| table.get(section)?.get(key)?.as_str().map(str::to_owned);
        let name = text("lib", "name").or_else(|| text("package", "name"))?.replace('-', "_");
        let folder = self.files[manifest].parent();
        let root = folder.join(&text("lib", "path").unwrap_or_else(|| "src/lib.rs".into())).ok()?;
        self.id(root.as_str()).map(|_| (name, root))
    }
}

/// Whether `path` is `tail`, or ends in it after a slash.
fn ends_in(path: &str, tail: &str) -> bool {
    path.strip_suffix(tail).is_some_and(|head| head.is_empty() || head.ends_with('/'))
}

/// How many leading folders two paths share.
fn common_folders(a: &RelPath, b: &RelPath) -> usize {
    let (a, b) = (a.parent(), b.parent());
    a.as_str().split('/').zip(b.as_str().split('/')).take_while(|(a, b)| a == b).count()
}
