//! Putting expressions and statements in place: parentheses where they are
//! needed and nowhere else, indentation, line ends.
//!
//! Makes text; decides nothing about what is worth trying.

use std::ops::Range;

use tree_sitter::Node;

use super::Site;
use super::syntax;
use super::syntax::indent_at;
use super::syntax::line_start;
use super::syntax::newline;

/// The text of `node` as an operand: in parentheses unless it binds tightly.
pub fn grouped<'a>(site: &Site<'a>, node: Node<'a>) -> String {
    let text = site.of(node);
    if site.scope.syntax.is_atom(node) { text.to_owned() } else { format!("({text})") }
}

/// `text`, a sum or difference that replaces `node` below `parent`: in
/// parentheses where the surrounding operator binds tighter.
pub fn sum_in_place(site: &Site<'_>, node: Node<'_>, parent: Option<Node<'_>>, text: String) -> String {
    let Some(parent) = parent else { return text };
    let syntax = site.scope.syntax;
    let tight = syntax.binaries(parent).iter().any(|binary| match site.parsed.text_of(binary.operator) {
        "*" | "/" | "//" | "%" | "**" | "@" => true,
        "-" => binary.right == node,
        "<<" | ">>" | "&" | "|" | "^" => !syntax.indented,
        _ => false,
    });
    let unary = matches!(
        parent.kind(),
        "unary_operator" | "unary_expression" | "reference_expression" | "type_cast_expression" | "try_expression"
    );
    let object = parent.kind() == syntax.member.0
        || (parent.kind() == syntax.index && parent.named_child(0) == Some(node))
        || (parent.kind() == syntax.call && syntax.callee(parent) == Some(node));
    if tight || unary || object { format!("({text})") } else { text }
}

/// `condition` joined to `more` by the language's `and` or `or`, in
/// parentheses where the condition mixes words or is a conditional.
pub fn joined(site: &Site<'_>, condition: Node<'_>, word: &str, more: &str, first: bool) -> String {
    let text = site.parsed.text_of(condition);
    let syntax = site.scope.syntax;
    let mixes = syntax.binary(condition).is_some_and(|binary| {
        let own = site.parsed.text_of(binary.operator);
        (own == syntax.and || own == syntax.or) && own != word
    });
    let loose = matches!(
        condition.kind(),
        "conditional_expression"
            | "lambda"
            | "named_expression"
            | "range_expression"
            | "ternary_expression"
            | "assignment_expression"
    );
    let text = if mixes || loose { format!("({text})") } else { text.to_owned() };
    if first { format!("{more} {word} {text}") } else { format!("{text} {word} {more}") }
}

/// A place between statements of a block: the byte before which whole lines
/// are put, and their indentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the lines go; the start of a line.
    pub byte: usize,
    /// What each line begins with.
    pub indent: String,
}

impl Gap {
    /// The empty span of bytes at the gap.
    pub fn bytes(&self) -> Range<usize> {
        self.byte..self.byte
    }

    /// `lines` as text for the gap, each with indentation and line end.
    pub fn text(&self, site: &Site<'_>, lines: &[String]) -> String {
        let end = newline(&site.parsed.text);
        lines.iter().map(|line| format!("{}{line}{end}", self.indent)).collect()
    }
}

/// The gap before `statement`, where it begins its line.
pub fn before(site: &Site<'_>, statement: Node<'_>) -> Option<Gap> {
    let text = &*site.parsed.text;
    let byte = line_start(text, statement.start_byte());
    let alone = text[byte..statement.start_byte()].trim().is_empty();
    alone.then(|| Gap { byte, indent: indent_at(text, byte).to_owned() })
}

/// The gap after `statement`, where it ends its line and a line follows or
/// the text ends in a line end.
pub fn after(site: &Site<'_>, statement: Node<'_>) -> Option<Gap> {
    let lines = syntax::own_lines(site.parsed, statement)?;
    let text = &*site.parsed.text;
    text[..lines.end].ends_with('\n').then(|| Gap { byte: lines.end, indent: indent_at(text, lines.start).to_owned() })
}

/// The statements of a block, a docstring left out.
pub fn statements<'a>(site: &Site<'a>, block: Node<'a>) -> Vec<Node<'a>> {
    let mut all = site.scope.syntax.statements(block);
    let is_doc = |first: &Node<'a>| {
        first.kind() == "expression_statement" && first.named_child(0).is_some_and(|inner| inner.kind() == "string")
    };
    if site.scope.syntax.indented && all.first().is_some_and(is_doc) {
        all.remove(0);
    }
    all
}

/// An `if` that does one thing, in the language's form.
pub fn guard_lines(site: &Site<'_>, condition: &str, action: &str) -> Vec<String> {
    if site.scope.syntax.indented {
        vec![format!("if {condition}:"), format!("{}{action}", unit(&site.parsed.text))]
    } else {
        let syntax = site.scope.syntax;
        let unit = if syntax.tail_values { "    " } else { unit(&site.parsed.text) };
        let condition = if syntax.parenthesised { format!("({condition})") } else { condition.to_owned() };
        vec![format!("if {condition} {{"), format!("{unit}{action}{}", syntax.end), "}".to_owned()]
    }
}

/// One level of indentation as the file has it; four spaces where none is
/// seen.
pub fn unit(text: &str) -> &str {
    let first = text.lines().take(2000).map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]);
    let first = first.filter(|indent| !indent.is_empty()).min_by_key(|indent| indent.len());
    match first {
        Some(indent) if indent.starts_with('\t') => "\t",
        Some(indent) if (2..=8).contains(&indent.len()) => indent,
        _ => "    ",
    }
}

/// A text for a note: one line, at most 60 characters.
pub fn short(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= 60 { flat } else { format!("{}…", flat.chars().take(59).collect::<String>()) }
}
