//! The files of the tree, read and parsed when they are asked for.
//!
//! Reads files inside the tree; never all of them, and none over a megabyte.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

use crate::language;
use crate::language::Definition;
use crate::language::Language;
use crate::language::Outline;
use crate::language::Parsed;
use crate::source::Lines;
use crate::source::RelPath;

/// Larger files are not code a person wrote.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Files parsed for one diagnosis.
const MAX_PARSED: usize = 300;
/// Files and bytes read in search of a name.
const MAX_SEARCHED: usize = 3000;
const MAX_SEARCHED_BYTES: usize = 24 * 1024 * 1024;

/// Folders of code that others wrote.
const VENDORED: &[&str] = &[
    "vendor",
    "vendored",
    "_vendor",
    "third_party",
    "third-party",
    "node_modules",
    "site-packages",
    ".venv",
    "venv",
    "target",
    ".tox",
    ".eggs",
];

/// A file's place in [`Index::files`].
pub(crate) type FileId = usize;

/// A definition of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: FileId,
    /// Index in the file's list of definitions.
    pub(crate) definition: usize,
}

/// A parsed file of the tree.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) id: FileId,
    pub(crate) path: RelPath,
    pub(crate) parsed: Parsed,
    pub(crate) outline: Outline,
    /// Byte at which each line starts.
    starts: Vec<usize>,
    /// Whether the whole file is a test or serves tests.
    pub(crate) is_test: bool,
    /// Whether a program or somebody else wrote it.
    pub(crate) is_foreign: bool,
    name_to_definitions: HashMap<String, Vec<usize>>,
}

impl SourceFile {
    fn new(id: FileId, path: RelPath, language: &'static Language, text: &str) -> SourceFile {
        let parsed = language::parse(language, text);
        let outline = parsed.outline();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut name_to_definitions: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, definition) in outline.definitions.iter().enumerate() {
            name_to_definitions.entry(definition.name.clone()).or_default().push(index);
        }
        let is_test = (language.is_test_file)(&path);
        let is_foreign = is_foreign(&path, text);
        SourceFile { id, path, parsed, outline, starts, is_test, is_foreign, name_to_definitions }
    }

    pub(crate) fn language(&self) -> &'static Language {
        self.parsed.language
    }

    pub(crate) fn text(&self) -> &str {
        &self.parsed.text
    }

    /// Definitions called `name`, in text order.
    pub(crate) fn named(&self, name: &str) -> &[usize] {
        self.name_to_definitions.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn definition(&self, index: usize) -> &Definition {
        &self.outline.definitions[index]
    }

    /// The innermost function around `line`, else another definition.
    pub(crate) fn enclosing(&self, line: u32) -> Option<usize> {
        language::definitions::enclosing(&self.outline.definitions, line)
    }

    /// Whether the definition is a test or only serves tests.
    pub(crate) fn is_test_code(&self, definition: usize) -> bool {
        self.is_test || self.definition(definition).is_test
    }

    /// 1-based line of a byte.
    pub(crate) fn line_at(&self, byte: usize) -> u32 {
        self.starts.partition_point(|start| *start <= byte).max(1) as u32
    }

    /// How many lines the text has; a last line without an end counts.
    pub(crate) fn line_count(&self) -> u32 {
        let open = self.starts.last().is_some_and(|start| *start < self.text().len());
        (self.starts.len() - usize::from(!open)) as u32
    }

    /// The text of exactly these lines, with their ends.
    pub(crate) fn lines_text(&self, lines: Lines) -> &str {
        let at = |line: u32| self.starts.get(line as usize).copied().unwrap_or(self.text().len());
        let start = at(lines.start.saturating_sub(1));
        &self.text()[start..at(lines.end).max(start)]
    }

    /// The bytes of these lines.
    pub(crate) fn bytes_of(&self, lines: Lines) -> std::ops::Range<usize> {
        let at = |line: u32| self.starts.get(line as usize).copied().unwrap_or(self.text().len());
        let start = at(lines.start.saturating_sub(1));
        start..at(lines.end).max(start)
    }

    /// The lines of the smallest whole statement at `line`, with the blocks it
    /// holds; `None` where no statement is.
    pub(crate) fn statement(&self, line: u32) -> Option<Lines> {
        let text = self.lines_text(Lines::new(line, line));
        let start = self.starts.get(line as usize - 1)? + (text.len() - text.trim_start().len());
        let mut node = self.parsed.tree.root_node().descendant_for_byte_range(start, start + 1)?;
        loop {
            let parent = node.parent()?;
            if self.language().holds_items(parent.kind()) {
                return Some(language::lines_of(node));
            }
            node = parent;
        }
    }

    /// Definitions directly inside `parent`; at the top level for `None`.
    pub(crate) fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let all = self.outline.definitions.iter().enumerate();
        all.filter(move |(_, definition)| definition.parent == parent).map(|(index, _)| index)
    }
}

fn is_foreign(path: &RelPath, text: &str) -> bool {
    let name = path.file_name();
    let vendored = path.parent().as_str().split('/').any(|part| VENDORED.contains(&part));
    // Marks of generators: protoc's suffixes, and the words of the Go
    // convention (https://go.dev/s/generatedcode) and of rustfmt.
    let mut end = text.len().min(600);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    vendored
        || ["_pb2.py", "_pb2_grpc.py", ".pb.rs"].iter().any(|suffix| name.ends_with(suffix))
        || head.contains("@generated")
        || (head.contains("DO NOT EDIT") && head.to_lowercase().contains("generated"))
}

/// The files of the tree, by path and name, and those that have been parsed.
pub(crate) struct Index<'a> {
    tree: &'a Path,
    pub(crate) files: &'a [RelPath],
    /// The project's root: where imports and relative paths start.
    pub(crate) root: RelPath,
    by_path: HashMap<&'a str, FileId>,
    by_name: HashMap<&'a str, Vec<FileId>>,
    folders: HashSet<&'a str>,
    parsed: RefCell<HashMap<FileId, Option<Rc<SourceFile>>>>,
    texts: RefCell<HashMap<FileId, Option<Rc<str>>>>,
    searched_bytes: Cell<usize>,
    crates: std::cell::OnceCell<HashMap<String, RelPath>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(tree: &'a Path, files: &'a [RelPath], root: RelPath) -> Index<'a> {
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
            tree,
            files,
            root,
            by_path,
            by_name,
            folders,
            parsed: RefCell::default(),
            texts: RefCell::default(),
            searched_bytes: Cell::new(0),
            crates: std::cell::OnceCell::new(),
        }
    }

    pub(crate) fn id(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// Files with this name, anywhere.
    pub(crate) fn named(&self, name: &str) -> &[FileId] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.folders.contains(path)
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
        self.parsed.borrow_mut().insert(id, loaded.clone());
        loaded
    }

    /// As [`Index::load`], by path.
    pub(crate) fn load_path(&self, path: &RelPath) -> Option<Rc<SourceFile>> {
        self.load(self.id(path.as_str())?)
    }

    /// Files parsed so far, in the order of the list of files.
    pub(crate) fn loaded(&self) -> Vec<Rc<SourceFile>> {
        let mut files: Vec<Rc<SourceFile>> = self.parsed.borrow().values().flatten().cloned().collect();
        files.sort_by_key(|file| file.id);
        files
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
        let path = self.files.get(id)?.under(self.tree);
        // A link may lead out of the tree: what it shows is not the project's.
        let metadata = std::fs::symlink_metadata(&path).ok();
        let small = metadata.is_some_and(|data| data.is_file() && data.len() <= MAX_FILE_BYTES);
        let text: Option<Rc<str>> = if small { std::fs::read_to_string(&path).ok().map(Into::into) } else { None };
        self.texts.borrow_mut().insert(id, text.clone());
        text
    }

    /// Files of `language` in the project, outside tests, whose text holds
    /// `needle`; nearest to `near` first. Bounded in files and bytes.
    pub(crate) fn search(&self, needle: &str, language: &'static Language, near: &RelPath) -> Vec<FileId> {
        let candidates = self.files.iter().enumerate().filter(|(_, path)| {
            path.is_within(&self.root)
                && language::of_path(path) == Some(language)
                && !(language.is_test_file)(path)
                && !path.as_str().split('/').any(|part| VENDORED.contains(&part))
        });
        let mut candidates: Vec<(usize, FileId)> =
            candidates.map(|(id, path)| (usize::MAX - common_folders(path, near), id)).collect();
        candidates.sort_unstable();
        let mut found = Vec::new();
        for (_, id) in candidates.into_iter().take(MAX_SEARCHED) {
            let read_before = self.texts.borrow().contains_key(&id);
            if !read_before && self.searched_bytes.get() > MAX_SEARCHED_BYTES {
                continue;
            }
            let Some(text) = self.text(id) else { continue };
            if !read_before {
                self.searched_bytes.set(self.searched_bytes.get() + text.len());
            }
            if text.contains(needle) {
                found.push(id);
            }
        }
        found
    }

    /// The crates of the workspace: name in code to the crate's root file.
    pub(crate) fn crates(&self) -> &HashMap<String, RelPath> {
        self.crates
            .get_or_init(|| self.named("Cargo.toml").iter().take(300).filter_map(|id| self.crate_at(*id)).collect())
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

/// How many leading folders two paths share.
fn common_folders(a: &RelPath, b: &RelPath) -> usize {
    let (a, b) = (a.parent(), b.parent());
    a.as_str().split('/').zip(b.as_str().split('/')).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn file(text: &str) -> SourceFile {
        SourceFile::new(0, RelPath::new("a.py").expect("path"), &language::python::PYTHON, text)
    }

    #[test]
    fn lines_are_cut_exactly_with_their_ends() {
        let source = file("a = 1\r\nb = (2,\n  3)\nlast");
        for (start, end, wanted) in [(1, 1, "a = 1\r\n"), (2, 3, "b = (2,\n  3)\n"), (4, 9, "last"), (9, 9, "")] {
            assert_eq!(source.lines_text(Lines::new(start, end)), wanted);
        }
        assert_eq!(source.line_count(), 4);
        assert_eq!(file("a\n").line_count(), 1);
    }

    #[test]
    fn a_statement_is_found_by_any_of_its_lines() {
        let source = file("def f():\n    x = g(\n        1,\n    )\n    with a:\n        b()\n    return x\n");
        for (line, wanted) in [(2, (2, 4)), (3, (2, 4)), (5, (5, 6)), (6, (6, 6)), (7, (7, 7))] {
            assert_eq!(source.statement(line), Some(Lines::new(wanted.0, wanted.1)), "line {line}");
        }
    }

    #[test]
    fn generated_and_vendored_files_are_foreign() {
        for (path, text, foreign) in [
            ("a/x_pb2.py", "", true),
            ("vendor/x.py", "", true),
            ("x.py", "# Generated by protoc. DO NOT EDIT!", true),
            ("x.py", "# do not edit lightly", false),
        ] {
            assert_eq!(is_foreign(&RelPath::new(path).expect("path"), text), foreign, "{path}");
        }
    }
}
