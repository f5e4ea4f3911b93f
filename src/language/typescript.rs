//! TypeScript and TSX as data.
//!
//! Holds two rows of the table of languages; decides nothing. What is not the
//! grammar's is JavaScript's.

use super::Language;
use super::javascript::ECMASCRIPT;

/// TypeScript.
pub static TYPESCRIPT: Language = Language {
    name: "typescript",
    extensions: &["ts", "mts", "cts"],
    grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    query: concat!(include_str!("ecmascript.scm"), include_str!("typescript.scm")),
    ..ECMASCRIPT
};

/// TypeScript with JSX: a grammar of its own, since `<T>x` is a cast in one
/// and an element in the other.
pub static TSX: Language = Language {
    name: "tsx",
    extensions: &["tsx"],
    grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
    query: concat!(include_str!("ecmascript.scm"), include_str!("typescript.scm"), include_str!("jsx.scm")),
    ..ECMASCRIPT
};
