//! What the operators need to know of a language: the kinds of its nodes and
//! the words of its expressions.
//!
//! Reads trees; makes no mutants. One file a language holds its row.

use std::ops::Range;

use tree_sitter::Node;

use crate::language::Language;
use crate::language::Parsed;

mod go;
mod java;
mod javascript;
mod nodes;
mod python;
mod rust;

/// A language's node kinds and words.
#[derive(Debug)]
pub struct Syntax {
    /// Whether blocks are told by indentation.
    pub indented: bool,
    /// Whether values have any type: a function may end without a result, and
    /// `a or b` gives one of the two.
    pub dynamic: bool,
    /// Whether the last expression of a block is its value.
    pub tail_values: bool,
    /// Functions with a body, also those without a name.
    pub functions: &'static [&'static str],
    /// What holds statements between its borders.
    pub blocks: &'static [&'static str],
    /// What holds statements as its children; for most the blocks.
    pub lists: &'static [&'static str],
    /// Whole numbers.
    pub integer: &'static str,
    /// Strings.
    pub string: &'static str,
    /// Calls.
    pub call: &'static str,
    /// `object.member`: the kind, the object's field, the member's field.
    pub member: (&'static str, &'static str, &'static str),
    /// `value[index]`.
    pub index: &'static str,
    /// `a:b` and `a..b`.
    pub slice: &'static str,
    /// Loops.
    pub loops: &'static [&'static str],
    /// `x = y`, without declarations.
    pub assignment: &'static str,
    /// `x += y`.
    pub augmented: &'static str,
    /// Binary expressions, also comparisons and logical ones.
    pub binary: &'static [&'static str],
    /// Returns with or without a value.
    pub returns: &'static str,
    /// Nodes that are never changed, nor anything below them: types, imports,
    /// attributes, comments, token trees of macros.
    pub opaque: &'static [&'static str],
    /// Expressions that bind tighter than every binary operator.
    pub atoms: &'static [&'static str],
    /// `and`, `or`, `not ` as written.
    pub and: &'static str,
    /// See `and`.
    pub or: &'static str,
    /// See `and`; with the space it needs.
    pub not: &'static str,
    /// How many elements `{}` has.
    pub length: &'static str,
    /// Tests whether the sequence `{}` is empty, and whether it is not.
    pub empty: Option<(&'static str, &'static str)>,
    /// Tests whether `{}` is nothing, and whether it is something.
    pub nothing: Option<(&'static str, &'static str)>,
    /// The `{w}` (min, max) of `{a}` and `{b}`.
    pub extreme: Option<&'static str>,
    /// What gives the rest of a sequence, put behind it.
    pub rests: &'static [&'static str],
    /// What a running best starts with.
    pub infinities: &'static [&'static str],
    /// What a function without types gives for a missing case, likeliest first.
    pub missing: &'static [&'static str],
    /// Whether parentheses around a condition belong to the statement.
    pub parenthesised: bool,
    /// The literals of truth.
    pub truth: (&'static str, &'static str),
    /// What ends a statement.
    pub end: &'static str,
    /// The method that adds one element to a list; empty where there is none.
    pub append: &'static str,
    /// The same of a set.
    pub insert: &'static str,
}

/// The languages that have operators.
pub fn of(language: &Language) -> Option<&'static Syntax> {
    match language.family {
        "python" => Some(&python::PYTHON),
        "rust" => Some(&rust::RUST),
        "javascript" => Some(&javascript::JAVASCRIPT),
        "go" => Some(&go::GO),
        "java" => Some(&java::JAVA),
        _ => None,
    }
}

/// One operator of a binary expression with its sides; `a < b < c` has two.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    /// The left side.
    pub left: Node<'a>,
    /// The operator's token.
    pub operator: Node<'a>,
    /// The right side.
    pub right: Node<'a>,
}

/// `name` in the place of `{}` of a template.
pub fn filled(template: &str, name: &str) -> String {
    template.replace("{}", name)
}

/// The named children of `node` that are no comments.
pub fn parts(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra() && child.kind() != "attribute_item").collect()
}

/// Walks below `root` with each node's parent; `enter` says whether to go into
/// its children. Stops after `limit` nodes, so that a generated file of a
/// million lines costs no more than a large one.
pub fn each<'a>(root: Node<'a>, limit: usize, enter: &mut dyn FnMut(Node<'a>, Option<Node<'a>>) -> bool) {
    let mut cursor = root.walk();
    let mut parents: Vec<Node<'a>> = Vec::new();
    for _ in 0..limit {
        let node = cursor.node();
        if enter(node, parents.last().copied()) && !is_wide(node) && cursor.goto_first_child() {
            parents.push(node);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
            parents.pop();
        }
    }
}

/// Whether `node` is a table of data: an expression of so many parts that
/// looking at each beside its neighbours would take quadratic time.
fn is_wide(node: Node<'_>) -> bool {
    node.child_count() > 600
        && !matches!(
            node.kind(),
            "module"
                | "source_file"
                | "block"
                | "declaration_list"
                | "function_item"
                | "program"
                | "statement_block"
                | "statement_list"
                | "class_body"
        )
}

/// Whether `node` is a definition that is a test or compiled for tests only.
pub fn is_test(parsed: &Parsed, node: Node<'_>) -> bool {
    // Only definitions can be: asking for every node would look through the
    // siblings of each.
    let kind = node.kind();
    let defines = match parsed.language.family {
        "javascript" => matches!(kind, "expression_statement" | "if_statement"),
        "go" | "java" => kind.ends_with("_declaration"),
        _ => kind.ends_with("_item") || kind.ends_with("_definition") || kind == "macro_invocation",
    };
    defines && (parsed.language.is_test_node)(node, &parsed.text)
}

/// The white space that the line of `byte` begins with.
pub fn indent_at(text: &str, byte: usize) -> &str {
    let line = line_start(text, byte);
    let rest = &text[line..];
    &rest[..rest.len() - rest.trim_start_matches([' ', '\t']).len()]
}

/// The first byte of the line of `byte`.
pub fn line_start(text: &str, byte: usize) -> usize {
    text[..byte].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The line end of the file: that of its first line.
pub fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The bytes of the whole lines that `node` stands on alone, with the last
/// line's end; `None` where something else shares its first or last line.
pub fn own_lines(parsed: &Parsed, node: Node<'_>) -> Option<Range<usize>> {
    let text = &*parsed.text;
    let start = line_start(text, node.start_byte());
    if !text[start..node.start_byte()].trim().is_empty() {
        return None;
    }
    let rest = &text[node.end_byte()..];
    let stop = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    let tail = rest[..stop].trim();
    let end = node.end_byte() + stop;
    (tail.is_empty() || tail.starts_with('#') || tail.starts_with("//") || tail == ";").then_some(start..end)
}
