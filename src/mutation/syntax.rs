//! What the operators need to know of a language: the kinds of its nodes and
//! the words of its expressions.
//!
//! Reads trees; makes no mutants. Kinds are those of tree-sitter-python 0.25
//! and tree-sitter-rust 0.24 (their `grammar.js`).

use std::ops::Range;

use tree_sitter::Node;

use crate::language::Language;
use crate::language::Parsed;

/// A language's node kinds and words.
#[derive(Debug)]
pub struct Syntax {
    /// Whether blocks are told by indentation.
    pub indented: bool,
    /// Definitions of functions with a body.
    pub function: &'static str,
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
    /// The literals of truth.
    pub truth: (&'static str, &'static str),
    /// What ends a statement.
    pub end: &'static str,
    /// The method that adds one element to a list.
    pub append: &'static str,
}

/// The languages that have operators.
pub fn of(language: &Language) -> Option<&'static Syntax> {
    match language.name {
        "python" => Some(&PYTHON),
        "rust" => Some(&RUST),
        _ => None,
    }
}

static PYTHON: Syntax = Syntax {
    indented: true,
    function: "function_definition",
    integer: "integer",
    string: "string",
    call: "call",
    member: ("attribute", "object", "attribute"),
    index: "subscript",
    slice: "slice",
    loops: &["for_statement", "while_statement"],
    assignment: "assignment",
    augmented: "augmented_assignment",
    binary: &["binary_operator", "comparison_operator", "boolean_operator"],
    returns: "return_statement",
    opaque: &[
        "comment",
        "type",
        "import_statement",
        "import_from_statement",
        "future_import_statement",
        "global_statement",
        "nonlocal_statement",
        "decorator",
        "line_continuation",
        "ERROR",
    ],
    atoms: &[
        "identifier",
        "integer",
        "float",
        "string",
        "true",
        "false",
        "none",
        "call",
        "attribute",
        "subscript",
        "parenthesized_expression",
        "list",
        "tuple",
        "dictionary",
        "set",
        "list_comprehension",
        "dictionary_comprehension",
        "set_comprehension",
        "generator_expression",
    ],
    and: "and",
    or: "or",
    not: "not ",
    truth: ("True", "False"),
    end: "",
    append: "append",
};

static RUST: Syntax = Syntax {
    indented: false,
    function: "function_item",
    integer: "integer_literal",
    string: "string_literal",
    call: "call_expression",
    member: ("field_expression", "value", "field"),
    index: "index_expression",
    slice: "range_expression",
    loops: &["for_expression", "while_expression", "loop_expression"],
    assignment: "assignment_expression",
    augmented: "compound_assignment_expr",
    binary: &["binary_expression"],
    returns: "return_expression",
    opaque: &[
        "line_comment",
        "block_comment",
        "attribute_item",
        "inner_attribute_item",
        "use_declaration",
        "token_tree",
        "macro_definition",
        "type_identifier",
        "generic_type",
        "reference_type",
        "primitive_type",
        "array_type",
        "tuple_type",
        "function_type",
        "type_arguments",
        "type_parameters",
        "where_clause",
        "visibility_modifier",
        "struct_item",
        "enum_item",
        "type_item",
        "lifetime",
        "ERROR",
    ],
    atoms: &[
        "identifier",
        "self",
        "integer_literal",
        "float_literal",
        "string_literal",
        "char_literal",
        "boolean_literal",
        "call_expression",
        "field_expression",
        "index_expression",
        "parenthesized_expression",
        "macro_invocation",
        "array_expression",
        "tuple_expression",
        "scoped_identifier",
        "try_expression",
        "unit_expression",
    ],
    and: "&&",
    or: "||",
    not: "!",
    truth: ("true", "false"),
    end: ";",
    append: "push",
};

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

impl Syntax {
    /// The operators of `node`, left to right; empty for other nodes.
    pub fn binaries<'a>(&self, node: Node<'a>) -> Vec<Binary<'a>> {
        if !self.binary.contains(&node.kind()) {
            return Vec::new();
        }
        let mut cursor = node.walk();
        let children: Vec<Node<'a>> = node.children(&mut cursor).filter(|child| !child.is_extra()).collect();
        children
            .windows(3)
            .step_by(2)
            .map(|window| Binary { left: window[0], operator: window[1], right: window[2] })
            .collect()
    }

    /// The single operator of `node`, where it has exactly one.
    pub fn binary<'a>(&self, node: Node<'a>) -> Option<Binary<'a>> {
        match self.binaries(node).as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// The arguments of a call, in order; empty for other nodes.
    pub fn arguments<'a>(&self, call: Node<'a>) -> Vec<Node<'a>> {
        if call.kind() != self.call {
            return Vec::new();
        }
        match call.child_by_field_name("arguments") {
            Some(list) if matches!(list.kind(), "argument_list" | "arguments") => parts(list),
            _ => Vec::new(),
        }
    }

    /// The receiver and the name of a method call, or of any member.
    pub fn member_of<'a>(&self, node: Node<'a>) -> Option<(Node<'a>, Node<'a>)> {
        let node = if node.kind() == self.call { node.child_by_field_name("function")? } else { node };
        (node.kind() == self.member.0)
            .then(|| Some((node.child_by_field_name(self.member.1)?, node.child_by_field_name(self.member.2)?)))
            .flatten()
    }

    /// The condition that `node` tests, without patterns (`if let`).
    pub fn condition_of<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        let condition = match node.kind() {
            "if_statement" | "elif_clause" | "while_statement" | "if_expression" | "while_expression" => {
                node.child_by_field_name("condition")
            }
            "conditional_expression" => node.named_child(1),
            "if_clause" => node.named_child(0),
            _ => None,
        }?;
        (!matches!(condition.kind(), "let_condition" | "let_chain")).then_some(condition)
    }

    /// What a loop goes over.
    pub fn iterable_of<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        match node.kind() {
            "for_statement" | "for_in_clause" => node.child_by_field_name("right"),
            "for_expression" => node.child_by_field_name("value"),
            _ => None,
        }
    }

    /// The value that a return gives back.
    pub fn returned<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        if node.kind() != self.returns { None } else { node.named_child(0).filter(|value| !value.is_extra()) }
    }

    /// Whether `node` needs no parentheses as an operand.
    pub fn is_atom(&self, node: Node<'_>) -> bool {
        self.atoms.contains(&node.kind())
    }

    /// Whether a comparison's operator.
    pub fn is_comparison(&self, operator: &str) -> bool {
        matches!(operator, "<" | "<=" | ">" | ">=" | "==" | "!=" | "in" | "not in" | "is" | "is not")
    }
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
        && !matches!(node.kind(), "module" | "source_file" | "block" | "declaration_list" | "function_item")
}

/// Whether `node` is a definition that is a test or compiled for tests only.
pub fn is_test(parsed: &Parsed, node: Node<'_>) -> bool {
    // Only definitions can be: asking for every node would look through the
    // siblings of each.
    let kind = node.kind();
    let defines = kind.ends_with("_item") || kind.ends_with("_definition") || kind == "macro_invocation";
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
