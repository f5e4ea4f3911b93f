//! Rust as data.
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

/// Rust, any edition.
pub static RUST: Language = Language {
    name: "rust",
    family: "rust",
    extensions: &["rs"],
    grammar: || tree_sitter_rust::LANGUAGE.into(),
    query: include_str!("rust.scm"),
    comments: &["line_comment", "block_comment"],
    separator: "::",
    wrappers: &[],
    leading: &[("attribute_item", "#"), ("line_comment", "///"), ("block_comment", "/**")],
    blocks: &["source_file", "block", "declaration_list"],
    own: &["self", "Self"],
    read_import,
    doctests,
    is_test_file,
    is_test_node,
};

/// Integration tests, benches and examples have their own folders (Cargo
/// book, "Package layout"); `tests.rs` is the usual name of a test module.
fn is_test_file(path: &RelPath) -> bool {
    let in_folder = path.parent().as_str().split('/').any(|part| matches!(part, "tests" | "benches"));
    in_folder || matches!(path.file_name(), "tests.rs" | "test.rs")
}

/// Items under `#[test]`, `#[cfg(test)]` or an attribute that ends in
/// `::test` (`#[tokio::test]`), and calls of macros that hold tests.
/// Attributes are earlier siblings in the grammar.
fn is_test_node(node: Node<'_>, text: &str) -> bool {
    if node.kind() == "expression_statement" || node.kind() == "macro_invocation" {
        let call = text[node.byte_range()].trim_start_matches("proptest::");
        return ["proptest!", "quickcheck!"].iter().any(|name| call.starts_with(name));
    }
    let mut before = node.prev_sibling();
    while let Some(sibling) = before {
        match sibling.kind() {
            "attribute_item" => {
                let attribute: String = text[sibling.byte_range()].chars().filter(|c| !c.is_whitespace()).collect();
                let inner = attribute.trim_start_matches("#[").trim_end_matches(']');
                let name = inner.split(['(', '=']).next().unwrap_or_default();
                if name == "test"
                    || name.ends_with("::test")
                    || matches!(name, "rstest" | "test_case" | "proptest" | "quickcheck")
                {
                    return true;
                }
                if name == "cfg" && cfg_is_test(inner) {
                    return true;
                }
            }
            "line_comment" | "block_comment" => {}
            _ => return false,
        }
        before = sibling.prev_sibling();
    }
    false
}

fn cfg_is_test(attribute: &str) -> bool {
    attribute == "cfg(test)"
        || attribute.starts_with("cfg(all(test,")
        || (attribute.starts_with("cfg(all(") && (attribute.contains(",test)") || attribute.contains(",test,")))
}

/// `use` trees, flattened: one import for each module that names are taken
/// from. `self` in a list is the module itself.
fn read_import(node: Node<'_>, text: &str) -> Vec<Import> {
    let mut leaves = Vec::new();
    if let Some(argument) = node.child_by_field_name("argument") {
        flatten(argument, text, "", 0, &mut leaves);
    }
    let lines = lines_of(node);
    let mut imports: Vec<Import> = Vec::new();
    for (module, name) in leaves {
        match imports.iter_mut().find(|import| import.module == module) {
            Some(import) => import.names.push(name),
            None => imports.push(Import { module, names: vec![name], alias: None, level: 0, lines, exports: false }),
        }
    }
    imports
}

/// Lists of `use` trees are nested by hand, never this deep.
const USE_DEPTH: usize = 64;

fn flatten(node: Node<'_>, text: &str, prefix: &str, depth: usize, leaves: &mut Vec<(String, ImportedName)>) {
    if depth > USE_DEPTH {
        return;
    }
    let text_of = |node: Node<'_>| text[node.byte_range()].split_whitespace().collect::<String>();
    let joined = |path: &str| if prefix.is_empty() { path.to_owned() } else { format!("{prefix}::{path}") };
    match node.kind() {
        "scoped_use_list" => {
            let path = node.child_by_field_name("path").map(text_of).unwrap_or_default();
            if let Some(list) = node.child_by_field_name("list") {
                flatten(list, text, &joined(&path), depth + 1, leaves);
            }
        }
        "use_list" => {
            let mut cursor = node.walk();
            for child in node.named_children(&mut cursor) {
                flatten(child, text, prefix, depth + 1, leaves);
            }
        }
        "use_wildcard" => {
            let path = node.named_child(0).map(text_of).unwrap_or_default();
            leaves.push((joined(&path), ImportedName { name: "*".into(), alias: None }));
        }
        "use_as_clause" => {
            let path = node.child_by_field_name("path").map(text_of).unwrap_or_default();
            let alias = node.child_by_field_name("alias").map(text_of);
            leaves.push(leaf(&joined(&path), alias));
        }
        "identifier" | "scoped_identifier" | "self" | "crate" | "super" => {
            leaves.push(leaf(&joined(&text_of(node)), None))
        }
        _ => {}
    }
}

fn leaf(path: &str, alias: Option<String>) -> (String, ImportedName) {
    let path = path.strip_suffix("::self").unwrap_or(path);
    let (module, name) = path.rsplit_once("::").unwrap_or(("", path));
    (module.to_owned(), ImportedName { name: name.to_owned(), alias })
}

/// Fenced code in documentation that rustdoc would compile (rustdoc book,
/// "Documentation tests"): no info string, or only rustdoc's own words.
fn doctests(root: Node<'_>, text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    // A run of `///` lines is many nodes, a `/** */` comment is one.
    let mut open: Option<(usize, bool)> = None;
    let mut last_end = 0;
    walk(root, &mut |node| {
        let kind = node.kind();
        if !matches!(kind, "line_comment" | "block_comment") {
            return node.named_child_count() > 0;
        }
        let comment = &text[node.byte_range()];
        if !["///", "//!", "/**", "/*!"].iter().any(|start| comment.starts_with(start)) {
            return false;
        }
        if !text[last_end.min(node.start_byte())..node.start_byte()].trim().is_empty() {
            open = None;
        }
        last_end = node.end_byte();
        let mut at = node.start_byte();
        for line in comment.split_inclusive('\n') {
            let inner = line.trim_start().trim_start_matches(['/', '!', '*']).trim();
            if let Some(info) = inner.strip_prefix("```") {
                match open.take() {
                    Some((start, true)) => spans.push(start..at + line.len()),
                    Some((_, false)) => {}
                    None => open = Some((at, is_rust(info))),
                }
            }
            at += line.len();
        }
        false
    });
    spans
}

fn is_rust(info: &str) -> bool {
    info.split([',', ' ']).filter(|word| !word.is_empty()).all(|word| {
        matches!(word, "rust" | "should_panic" | "no_run" | "compile_fail" | "ignore" | "standalone_crate")
            || word.starts_with("edition")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use pretty_assertions::assert_eq;

    #[test]
    fn use_trees_are_flattened() {
        let flat = |text: &str| {
            let imports = parse(&RUST, text).imports();
            let row = |import: &Import, name: &ImportedName| match &name.alias {
                Some(alias) => format!("{}|{} as {alias}", import.module, name.name),
                None => format!("{}|{}", import.module, name.name),
            };
            imports.iter().flat_map(|import| import.names.iter().map(|name| row(import, name))).collect::<Vec<_>>()
        };
        for (text, wanted) in [
            ("use a::b::{c, d as e, f::*, self};", vec!["a::b|c", "a::b|d as e", "a::b::f|*", "a|b"]),
            ("use super::*;", vec!["super|*"]),
            ("pub use crate::x::Y;", vec!["crate::x|Y"]),
            ("use serde;", vec!["|serde"]),
            ("use {a::b, c};", vec!["a|b", "|c"]),
        ] {
            let mut flat = flat(text);
            let mut wanted = wanted;
            flat.sort();
            wanted.sort();
            assert_eq!(flat, wanted, "{text}");
        }
    }
}
