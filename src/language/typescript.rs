//! TypeScript and TSX as data.
//!
//! Holds two rows of the table of languages; decides nothing. What is not the
//! grammar's is JavaScript's.

use super::Language;
use super::javascript;

/// TypeScript.
pub static TYPESCRIPT: Language = Language {
    name: "typescript",
    family: javascript::FAMILY,
    extensions: &["ts", "mts", "cts"],
    grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    query: concat!(include_str!("ecmascript.scm"), include_str!("typescript.scm")),
    comments: &["comment"],
    separator: ".",
    wrappers: javascript::WRAPPERS,
    leading: javascript::LEADING,
    blocks: javascript::BLOCKS,
    own: javascript::OWN,
    read_import: javascript::read_import,
    doctests: |_, _| Vec::new(),
    is_test_file: javascript::is_test_file,
    is_test_node: javascript::is_test_node,
};

/// TypeScript with JSX: a grammar of its own, since `<T>x` is a cast in one
/// and an element in the other.
pub static TSX: Language = Language {
    name: "tsx",
    family: javascript::FAMILY,
    extensions: &["tsx"],
    grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
    query: concat!(include_str!("ecmascript.scm"), include_str!("typescript.scm"), include_str!("jsx.scm")),
    comments: &["comment"],
    separator: ".",
    wrappers: javascript::WRAPPERS,
    leading: javascript::LEADING,
    blocks: javascript::BLOCKS,
    own: javascript::OWN,
    read_import: javascript::read_import,
    doctests: |_, _| Vec::new(),
    is_test_file: javascript::is_test_file,
    is_test_node: javascript::is_test_node,
};
