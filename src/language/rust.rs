//! Rust as data.
//!
//! Holds a row of the table of languages; decides nothing.

use tree_sitter::Node;

use super::Language;
use crate::source::RelPath;

/// Rust, any edition.
pub static RUST: Language = Language {
    name: "rust",
    extensions: &["rs"],
    grammar: || tree_sitter_rust::LANGUAGE.into(),
    query: include_str!("rust.scm"),
    comments: &["line_comment", "block_comment"],
    separator: "::",
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
/// `::test` (`#[tokio::test]`). Attributes are earlier siblings in the grammar.
fn is_test_node(node: Node<'_>, text: &str) -> bool {
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
