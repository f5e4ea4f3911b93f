//! A parsed file of the tree, with its lines and definitions at hand.
//!
//! Works on text it is given; never opens a file.

use std::collections::HashMap;

use super::index::FileId;
use crate::language;
use crate::language::Definition;
use crate::language::DefinitionKind;
use crate::language::Language;
use crate::language::Outline;
use crate::language::Parsed;
use crate::source::Lines;
use crate::source::RelPath;

/// Folders of code that others wrote.
pub(super) const VENDORED: &[&str] = &[
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
    /// For each import, the module written in the file that it stands in.
    pub(crate) import_modules: Vec<Option<usize>>,
}

impl SourceFile {
    pub(super) fn new(id: FileId, path: RelPath, language: &'static Language, text: &str) -> SourceFile {
        let parsed = language::parse(language, text);
        let outline = parsed.outline();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut name_to_definitions: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, definition) in outline.definitions.iter().enumerate() {
            name_to_definitions.entry(definition.name.clone()).or_default().push(index);
        }
        let module_at = |line: u32| {
            let mut at = language::definitions::enclosing(&outline.definitions, line);
            while let Some(definition) = at.map(|index| &outline.definitions[index]) {
                if definition.kind == DefinitionKind::Module {
                    break;
                }
                at = definition.parent;
            }
            at
        };
        let import_modules = outline.imports.iter().map(|import| module_at(import.lines.start)).collect();
        let is_test = (language.is_test_file)(&path);
        let is_foreign = is_foreign(&path, text);
        SourceFile { id, path, parsed, outline, starts, is_test, is_foreign, name_to_definitions, import_modules }
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

    /// The imports that stand in the module `within` (`None`: the file's own).
    pub(crate) fn imports_in(&self, within: Option<usize>) -> impl Iterator<Item = &language::Import> + '_ {
        let all = self.outline.imports.iter().zip(&self.import_modules);
        all.filter(move |(_, module)| **module == within).map(|(import, _)| import)
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
        || ["_pb2.py", "_pb2_grpc.py", ".pb.rs", ".pb.go", "_pb.js", "_pb.d.ts", ".min.js"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        || head.contains("@generated")
        || (head.contains("DO NOT EDIT") && head.to_lowercase().contains("generated"))
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
