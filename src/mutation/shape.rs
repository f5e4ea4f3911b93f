//! Guesses of what a name holds (a number, a sequence, a text …), from how it
//! is used and, where they are written, from types.
//!
//! A guess ranks mutants; it never proves anything.

use std::collections::HashMap;

use tree_sitter::Node;

use super::syntax::Syntax;
use crate::language::Parsed;

/// A set of guesses; empty where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape(u8);

impl Shape {
    /// Nothing is known.
    pub const UNKNOWN: Shape = Shape(0);
    /// Counted or calculated with.
    pub const NUMBER: Shape = Shape(1);
    /// Indexed, measured or iterated: lists, sets, maps.
    pub const SEQUENCE: Shape = Shape(2);
    /// A string.
    pub const TEXT: Shape = Shape(4);
    /// Truth.
    pub const BOOL: Shape = Shape(8);
    /// Called.
    pub const CALLABLE: Shape = Shape(16);
    /// Has members of its own.
    pub const OBJECT: Shape = Shape(32);

    /// Both guesses.
    pub fn and(self, other: Shape) -> Shape {
        Shape(self.0 | other.0)
    }

    /// Whether all of `other` is among the guesses.
    pub fn has(self, other: Shape) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it may be `other`: guessed, or nothing is known.
    pub fn may_be(self, other: Shape) -> bool {
        self.0 == 0 || self.0 & other.0 != 0
    }

    /// How well one name may stand for another, between 0 and 1.
    pub fn fit(self, other: Shape) -> f64 {
        match (self.0, other.0) {
            (0, 0) => 0.8,
            (0, _) | (_, 0) => 0.6,
            (mine, its) if mine & its != 0 => 1.0,
            _ => 0.15,
        }
    }
}

/// Guesses for every name used in `nodes` (each with its parent).
pub fn guess<'a>(parsed: &'a Parsed, syntax: &Syntax, nodes: &[(Node<'a>, Node<'a>)]) -> HashMap<&'a str, Shape> {
    let mut shapes: HashMap<&'a str, Shape> = HashMap::new();
    let mut alike: Vec<(&'a str, &'a str)> = Vec::new();
    for &(node, parent) in nodes {
        if node.kind() == "identifier" {
            let shape = by_use(parsed, syntax, node, parent);
            let entry = shapes.entry(parsed.text_of(node)).or_default();
            *entry = entry.and(shape);
        }
        for (left, right) in peers(parsed, syntax, node) {
            alike.push((parsed.text_of(left), parsed.text_of(right)));
        }
    }
    // Names that are compared, added or assigned to each other are alike; two
    // rounds carry that through a name in between.
    for _ in 0..2 {
        for &(one, other) in &alike {
            let both = shapes.get(one).copied().unwrap_or_default().and(shapes.get(other).copied().unwrap_or_default());
            for name in [one, other] {
                if shapes.get(name).is_none_or(|shape| *shape == Shape::UNKNOWN) {
                    shapes.insert(name, both);
                }
            }
        }
    }
    shapes
}

/// Pairs of plain names that `node` compares, calculates or assigns.
fn peers<'a>(parsed: &Parsed, syntax: &Syntax, node: Node<'a>) -> Vec<(Node<'a>, Node<'a>)> {
    let mut pairs: Vec<(Node<'a>, Node<'a>)> = Vec::new();
    for binary in syntax.binaries(node) {
        if !matches!(parsed.text_of(binary.operator), "in" | "not in" | "*" | "%" | "and" | "or" | "&&" | "||") {
            pairs.push((binary.left, binary.right));
        }
    }
    if let Some(pair) = syntax.assigned(node).filter(|_| syntax.is_assignment(node)) {
        pairs.push(pair);
    }
    pairs.retain(|(left, right)| left.kind() == "identifier" && right.kind() == "identifier");
    pairs
}

fn by_use(parsed: &Parsed, syntax: &Syntax, node: Node<'_>, parent: Node<'_>) -> Shape {
    let kind = parent.kind();
    if kind == syntax.index {
        return if parent.named_child(0) == Some(node) { Shape::SEQUENCE } else { Shape::UNKNOWN };
    }
    if kind == syntax.slice {
        let sliced = parent.child_by_field_name("operand") == Some(node);
        return if sliced { Shape::SEQUENCE } else { Shape::NUMBER };
    }
    if kind == syntax.call {
        return Shape::CALLABLE;
    }
    if matches!(kind, "argument_list" | "arguments") {
        let callee = parent.parent().and_then(|call| syntax.callee(call));
        return callee.map_or(Shape::UNKNOWN, |callee| of_argument(parsed.text_of(callee)));
    }
    if syntax.iterable_of(parent) == Some(node) {
        return Shape::SEQUENCE;
    }
    if matches!(
        kind,
        "for_statement" | "for_in_clause" | "for_expression" | "for_in_statement" | "enhanced_for_statement"
    ) {
        return syntax.iterable_of(parent).map_or(Shape::UNKNOWN, |over| of_elements(parsed, over));
    }
    if let Some((object, member)) = syntax.member_of(parent)
        && kind == syntax.member.0
        && object == node
    {
        return of_receiver(parsed.text_of(member));
    }
    for binary in syntax.binaries(parent) {
        let other = if binary.left == node { binary.right } else { binary.left };
        let operator = parsed.text_of(binary.operator);
        if matches!(operator, "in" | "not in") {
            return if binary.right == node { Shape::SEQUENCE } else { Shape::UNKNOWN };
        }
        let by_other = of_value(parsed, syntax, other);
        if by_other != Shape::UNKNOWN && !matches!(operator, "*" | "%" | "and" | "or" | "&&" | "||") {
            return by_other;
        }
        if matches!(operator, "-" | "/" | "//" | "**" | "<<" | ">>") {
            return Shape::NUMBER;
        }
    }
    if kind == syntax.assignment
        || kind == syntax.augmented
        || matches!(kind, "let_declaration" | "variable_declarator" | "var_spec")
    {
        let value = parent.child_by_field_name("right").or_else(|| parent.child_by_field_name("value"));
        let declared = parent.child_by_field_name("type").map_or(Shape::UNKNOWN, |kind| of_type(parsed.text_of(kind)));
        return match value {
            Some(value) if value != node => of_value(parsed, syntax, value).and(declared),
            _ => declared,
        };
    }
    // `total := 0` of Go: both sides are lists.
    if kind == "expression_list"
        && let Some((target, value)) = parent.parent().and_then(|statement| syntax.assigned(statement))
        && target == node
    {
        return of_value(parsed, syntax, value);
    }
    if matches!(kind, "update_expression" | "inc_statement" | "dec_statement") {
        return Shape::NUMBER;
    }
    if matches!(
        kind,
        "parameter"
            | "typed_parameter"
            | "typed_default_parameter"
            | "required_parameter"
            | "optional_parameter"
            | "parameter_declaration"
            | "formal_parameter"
    ) {
        return parent.child_by_field_name("type").map_or(Shape::UNKNOWN, |kind| of_type(parsed.text_of(kind)));
    }
    Shape::UNKNOWN
}

/// What an expression gives, as far as its own form tells.
pub fn of_value(parsed: &Parsed, syntax: &Syntax, value: Node<'_>) -> Shape {
    match value.kind() {
        "integer"
        | "float"
        | "integer_literal"
        | "float_literal"
        | "number"
        | "int_literal"
        | "decimal_integer_literal"
        | "decimal_floating_point_literal" => Shape::NUMBER,
        "string"
        | "string_literal"
        | "concatenated_string"
        | "template_string"
        | "interpreted_string_literal"
        | "raw_string_literal" => Shape::TEXT,
        "true" | "false" | "boolean_literal" | "not_operator" | "comparison_operator" => Shape::BOOL,
        "list"
        | "set"
        | "dictionary"
        | "list_comprehension"
        | "set_comprehension"
        | "dictionary_comprehension"
        | "tuple"
        | "array_expression"
        | "array" => Shape::SEQUENCE,
        "composite_literal" if parsed.text_of(value).starts_with(['[', 'm']) => Shape::SEQUENCE,
        "unary_expression" if parsed.text_of(value).starts_with('!') => Shape::BOOL,
        kind if kind == syntax.member.0 && parsed.text_of(value).ends_with(".length") => Shape::NUMBER,
        "macro_invocation" if parsed.text_of(value).starts_with("vec!") => Shape::SEQUENCE,
        "macro_invocation" if parsed.text_of(value).starts_with("format!") => Shape::TEXT,
        "subscript" if value.child_by_field_name("subscript").is_some_and(|index| index.kind() == "slice") => {
            Shape::SEQUENCE
        }
        kind if kind == syntax.call => {
            let callee = syntax.callee(value).map_or("", |callee| parsed.text_of(callee));
            of_call(callee.rsplit('.').next().unwrap_or(callee))
        }
        kind if syntax.binary.contains(&kind) => match syntax.binary(value) {
            Some(binary) if matches!(parsed.text_of(binary.operator), "-" | "/" | "//") => Shape::NUMBER,
            Some(binary) if syntax.is_comparison(parsed.text_of(binary.operator)) => Shape::BOOL,
            Some(binary) => {
                let left = of_value(parsed, syntax, binary.left);
                if left == Shape::UNKNOWN { of_value(parsed, syntax, binary.right) } else { left }
            }
            None => Shape::UNKNOWN,
        },
        "unary_operator" => Shape::NUMBER,
        _ => Shape::UNKNOWN,
    }
}

fn of_call(callee: &str) -> Shape {
    match callee {
        "indexOf" | "floor" | "ceil" | "parseInt" | "parseFloat" | "Number" | "Index" => Shape::NUMBER,
        "filter" | "map" | "slice" | "concat" | "Fields" | "Split" | "append" => Shape::SEQUENCE,
        "toLowerCase" | "toUpperCase" | "toFixed" | "String" | "Sprintf" | "ToLower" | "ToUpper" | "TrimSpace" => {
            Shape::TEXT
        }
        "includes" | "startsWith" | "endsWith" | "some" | "every" | "isArray" | "HasPrefix" | "HasSuffix"
        | "Contains" | "isEmpty" => Shape::BOOL,
        "len" | "int" | "float" | "abs" | "sum" | "ord" | "round" | "count" | "index" | "find" => Shape::NUMBER,
        "list" | "set" | "dict" | "sorted" | "split" | "keys" | "values" | "items" | "deque" | "Vec::new"
        | "HashMap::new" | "HashSet::new" | "BTreeMap::new" | "VecDeque::new" | "collect" | "to_vec"
        | "defaultdict" | "splitlines" => Shape::SEQUENCE,
        "str" | "join" | "strip" | "lower" | "upper" | "replace" | "to_string" | "String::new" | "String::from"
        | "trim" => Shape::TEXT,
        "any" | "all" | "isinstance" | "startswith" | "endswith" | "contains" | "is_empty" => Shape::BOOL,
        _ => Shape::UNKNOWN,
    }
}

fn of_argument(callee: &str) -> Shape {
    match callee {
        "len" | "enumerate" | "sorted" | "sum" | "reversed" | "list" | "set" | "any" | "all" | "zip" | "iter"
        | "tuple" => Shape::SEQUENCE,
        "range" | "abs" | "chr" | "pow" | "divmod" => Shape::NUMBER,
        "ord" => Shape::TEXT,
        _ => Shape::UNKNOWN,
    }
}

fn of_receiver(member: &str) -> Shape {
    match member {
        "length" | "forEach" | "filter" | "map" | "reduce" | "slice" | "concat" | "unshift" | "shift" | "some"
        | "every" | "find" | "size" | "isEmpty" => Shape::SEQUENCE,
        "toLowerCase" | "toUpperCase" | "charAt" | "charCodeAt" | "padStart" | "padEnd" | "substring" | "toString" => {
            Shape::TEXT
        }
        "toFixed" => Shape::NUMBER,
        "append" | "extend" | "pop" | "add" | "push" | "insert" | "remove" | "popleft" | "appendleft" | "iter"
        | "len" | "is_empty" | "keys" | "values" | "items" | "update" | "get" | "sort" | "reverse" | "contains"
        | "contains_key" | "push_back" | "pop_front" | "discard" | "setdefault" | "entry" | "clear" | "last"
        | "first" => Shape::SEQUENCE,
        "strip" | "split" | "lower" | "upper" | "join" | "chars" | "trim" | "startswith" | "endswith" | "isdigit"
        | "isalpha" | "bytes" | "format" | "replace" | "push_str" => Shape::TEXT,
        "abs" | "pow" | "saturating_sub" | "checked_sub" | "wrapping_add" | "min" | "max" => Shape::NUMBER,
        _ => Shape::OBJECT,
    }
}

fn of_elements(parsed: &Parsed, over: Node<'_>) -> Shape {
    let text = parsed.text_of(over);
    if text.starts_with("range(") || over.kind() == "range_expression" || text.starts_with('(') && text.contains("..") {
        Shape::NUMBER
    } else {
        Shape::UNKNOWN
    }
}

fn of_type(written: &str) -> Shape {
    let bare = written.trim_start_matches(['&', ':', ' ']).trim_start_matches("mut ");
    match bare {
        "usize" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128" | "f32"
        | "f64" | "int" | "float" | "number" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16"
        | "uint32" | "uint64" | "float32" | "float64" | "long" | "double" => Shape::NUMBER,
        "str" | "String" | "string" => Shape::TEXT,
        "bool" | "boolean" => Shape::BOOL,
        _ if bare.ends_with("[]") || bare.starts_with("Array<") || bare.starts_with("map[") => Shape::SEQUENCE,
        _ if bare.starts_with('*') => Shape::OBJECT,
        _ if bare.starts_with('[')
            || ["Vec", "list", "List", "dict", "Dict", "set", "Set", "HashMap", "HashSet", "BTree", "VecDeque"]
                .iter()
                .any(|prefix| bare.starts_with(prefix)) =>
        {
            Shape::SEQUENCE
        }
        _ => Shape::UNKNOWN,
    }
}
