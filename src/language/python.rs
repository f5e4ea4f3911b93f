//! Python as data.
//!
//! Holds a row of the table of languages; decides nothing.

use std::ops::Range;

use tree_sitter::Node;

use super::Import;
use super::ImportedName;
use super::Language;
use super::lines_of;
use super::walk;
use crate::source::RelPath;

/// Python 3.
pub static PYTHON: Language = Language {
    name: "python",
    family: "python",
    extensions: &["py", "pyi"],
    grammar: || tree_sitter_python::LANGUAGE.into(),
    query: include_str!("python.scm"),
    comments: &["comment"],
    separator: ".",
    wrappers: &["decorated_definition"],
    leading: &[],
    blocks: &["module", "block"],
    own: &["self", "cls", "super()"],
    read_import,
    doctests,
    is_test_file,
    is_test_node,
};

/// pytest's and unittest's default names, `conftest.py`, and whatever lies in
/// a folder of tests (pytest documentation, "Conventions for Python test
/// discovery").
///
/// A folder `testing` is not among them: it is how libraries name what they
/// offer to *other* people's tests (`numpy/testing`, `pandas/testing`), and
/// that is code to be healed. Tests inside such a folder are found by name.
fn is_test_file(path: &RelPath) -> bool {
    let name = path.file_name();
    let in_folder = path.parent().as_str().split('/').any(|part| matches!(part, "tests" | "test"));
    in_folder
        || name.starts_with("test_")
        || name.ends_with("_test.py")
        || matches!(name, "conftest.py" | "tests.py" | "test.py")
}

/// Classes of unittest, wherever they stand. Names (`test_x`, `TestX`) say
/// nothing outside test files: `test_connection` is a fine name for code.
fn is_test_node(node: Node<'_>, text: &str) -> bool {
    if node.kind() != "class_definition" {
        return false;
    }
    let Some(bases) = node.child_by_field_name("superclasses") else { return false };
    let mut cursor = bases.walk();
    bases
        .named_children(&mut cursor)
        .any(|base| matches!(base.kind(), "identifier" | "attribute") && text[base.byte_range()].ends_with("TestCase"))
}

fn read_import(node: Node<'_>, text: &str) -> Vec<Import> {
    let lines = lines_of(node);
    let text_of = |node: Node<'_>| text[node.byte_range()].split_whitespace().collect::<String>();
    let named = |node: Node<'_>| match node.kind() {
        "aliased_import" => ImportedName {
            name: node.child_by_field_name("name").map(text_of).unwrap_or_default(),
            alias: node.child_by_field_name("alias").map(text_of),
        },
        _ => ImportedName { name: text_of(node), alias: None },
    };
    let mut cursor = node.walk();
    let names: Vec<ImportedName> = node.children_by_field_name("name", &mut cursor).map(named).collect();
    if node.kind() == "import_statement" {
        let import = |name: ImportedName| Import {
            module: name.name,
            names: Vec::new(),
            alias: name.alias,
            level: 0,
            lines,
            exports: false,
        };
        return names.into_iter().map(import).collect();
    }
    let module = node.child_by_field_name("module_name").map(text_of).unwrap_or_default();
    let level = module.len() - module.trim_start_matches('.').len();
    let mut cursor = node.walk();
    let all = node.children(&mut cursor).any(|child| child.kind() == "wildcard_import");
    let names = if all { vec![ImportedName { name: "*".into(), alias: None }] } else { names };
    if names.is_empty() {
        return Vec::new();
    }
    vec![Import { module: module[level..].to_owned(), names, alias: None, level: level as u32, lines, exports: false }]
}

/// Examples in documentation strings: from `>>>` to the next blank line
/// (Python documentation, "doctest: How are Docstring Examples Recognized?").
fn doctests(root: Node<'_>, text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    walk(root, &mut |node| {
        if node.kind() != "string" {
            return node.named_child_count() > 0;
        }
        let documentation = node.parent().is_some_and(|parent| parent.kind() == "expression_statement");
        if documentation && text[node.byte_range()].contains(">>>") {
            spans.extend(examples(&text[node.byte_range()], node.start_byte()));
        }
        false
    });
    spans
}

fn examples(string: &str, offset: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut at = offset;
    for line in string.split_inclusive('\n') {
        let inner = line.trim_start();
        let closes = inner.trim_end().is_empty() || matches!(inner.trim_end(), "\"\"\"" | "'''");
        match &mut open {
            Some(_) if closes => spans.extend(open.take()),
            Some(span) => span.end = at + line.len(),
            None => {
                if let Some(column) = line.find(">>>") {
                    open = Some(at + column..at + line.len());
                }
            }
        }
        at += line.len();
    }
    spans.extend(open);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use pretty_assertions::assert_eq;

    fn import(module: &str, level: u32, alias: Option<&str>, names: &[(&str, Option<&str>)]) -> Import {
        let named = |(name, alias): &(&str, Option<&str>)| ImportedName {
            name: (*name).to_owned(),
            alias: alias.map(str::to_owned),
        };
        Import {
            module: module.into(),
            names: names.iter().map(named).collect(),
            alias: alias.map(str::to_owned),
            level,
            exports: false,
            lines: crate::source::Lines::new(1, 1),
        }
    }

    #[test]
    fn imports_are_read_as_written() {
        for (text, wanted) in [
            ("import a.b as c, d", vec![import("a.b", 0, Some("c"), &[]), import("d", 0, None, &[])]),
            ("from a.b import c as d, e", vec![import("a.b", 0, None, &[("c", Some("d")), ("e", None)])]),
            ("from . import x", vec![import("", 1, None, &[("x", None)])]),
            ("from ..a import *", vec![import("a", 2, None, &[("*", None)])]),
            ("from a import (b, c)", vec![import("a", 0, None, &[("b", None), ("c", None)])]),
            ("from", vec![]),
        ] {
            assert_eq!(parse(&PYTHON, text).imports(), wanted, "{text}");
        }
    }
}
