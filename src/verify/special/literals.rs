//! The literals of code and of shown values, as words that compare.
//!
//! Reads trees and texts; judges nothing.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::source::Lines;

/// The literals of a failing test, as normalised words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals(pub(super) BTreeSet<String>);

impl Literals {
    /// Those of a test's code within `lines`.
    pub fn of_test(parsed: &Parsed, lines: Lines) -> Literals {
        let mut found = BTreeSet::new();
        language::walk(parsed.tree.root_node(), &mut |node| {
            let own = language::lines_of(node);
            if own.end < lines.start || own.start > lines.end {
                return false;
            }
            if node.kind() == "token_tree" {
                found.extend(words_of(parsed.text_of(node)));
                return false;
            }
            found.extend(literal(parsed, node));
            node.named_child_count() > 0
        });
        Literals(found)
    }

    /// One of them that stands in `text`, which is of no language.
    pub(super) fn held_by(&self, text: &str) -> Option<String> {
        words_of(text).into_iter().find(|word| !is_common(word) && self.0.contains(word))
    }

    /// Those of values as a failure shows them (`[3, 'abc']`).
    pub fn of_values<'v>(values: impl IntoIterator<Item = &'v str>) -> Literals {
        Literals(values.into_iter().flat_map(words_of).collect())
    }

    /// Both.
    pub fn and(mut self, other: Literals) -> Literals {
        self.0.extend(other.0);
        self
    }
}

/// The normalised word of a literal node.
pub(super) fn literal(parsed: &Parsed, node: Node<'_>) -> Option<String> {
    let text = parsed.text_of(node);
    match node.kind() {
        "integer"
        | "float"
        | "integer_literal"
        | "float_literal"
        | "string"
        | "string_literal"
        | "char_literal"
        | "number"
        | "int_literal"
        | "interpreted_string_literal"
        | "decimal_integer_literal"
        | "decimal_floating_point_literal"
        | "character_literal" => normal(text),
        "raw_string_literal" => normal(&text.replace('`', "\"")),
        // What Go counts as a number.
        "rune_literal" => rune(text),
        "template_string" if !text.contains("${") => normal(&text.replace('`', "\"")),
        "unary_operator" | "unary_expression" | "negative_literal" if text.starts_with('-') => {
            normal(&text.split_whitespace().collect::<String>())
        }
        _ => None,
    }
}

/// Whether a node is a truth, or nothing.
pub(super) fn is_plain(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "true"
            | "false"
            | "none"
            | "boolean_literal"
            | "unit_expression"
            | "pass_statement"
            | "null"
            | "undefined"
            | "nil"
            | "null_literal"
    )
}

/// The words of a text that are numbers or quoted.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\'' || c.is_ascii_digit()) {
        let quote = rest[at..].chars().next().unwrap_or(' ');
        let joins = rest[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let minus = rest[..at].ends_with('-');
        let tail = &rest[at..];
        let length = if quote.is_ascii_digit() {
            tail.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_')).unwrap_or(tail.len())
        } else {
            tail[1..].find(quote).map_or(1, |end| end + 2)
        };
        let closed = quote.is_ascii_digit() || length > 1;
        if closed && !(quote.is_ascii_digit() && joins) {
            let sign = if minus && quote.is_ascii_digit() { "-" } else { "" };
            words.extend(normal(&format!("{sign}{}", &tail[..length])));
        }
        rest = &tail[length..];
    }
    words
}

/// The number of a letter of Go.
fn rune(text: &str) -> Option<String> {
    let inner = text.trim_matches('\'');
    let number = match inner {
        "\\n" => '\n' as u32,
        "\\t" => '\t' as u32,
        "\\r" => '\r' as u32,
        "\\a" => 7,
        "\\b" => 8,
        "\\v" => 11,
        "\\f" => 12,
        _ => match inner.strip_prefix("\\x").or_else(|| inner.strip_prefix("\\u")) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => inner.trim_start_matches('\\').chars().next()? as u32,
        },
    };
    Some(number.to_string())
}

/// `'a'` and `"a"` are one word, and so are `1_000u32` and `1000`.
fn normal(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if bare.starts_with(['"', '\'']) && bare.len() >= 2 {
        return Some(format!("\"{}\"", bare.trim_matches(['"', '\'', '#'])));
    }
    let digits: String = text.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let lower = digits.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix(prefix).and_then(|rest| u64::from_str_radix(rest, radix).ok()) {
            return Some(number.to_string());
        }
    }
    let end = digits.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'x').unwrap_or(digits.len());
    let number = digits[..end].trim_end_matches('.');
    let number = number.strip_suffix(".0").unwrap_or(number);
    (!number.is_empty() && number != "-").then(|| number.to_owned())
}

/// Words that stand everywhere and tell nothing.
pub(super) fn is_common(word: &str) -> bool {
    match word.parse::<f64>() {
        Ok(number) => number.abs() <= 2.0,
        Err(_) => word.len() <= 3,
    }
}
