//! Whether what a patch changes outside of functions is data: a table, a
//! constant, a pattern.
//!
//! Reads two texts; runs nothing. In doubt it is no data: what stands at the
//! top of a file and runs can tamper with the tests, data cannot.

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::source::Lines;

/// Kinds of statements that give a name its value, by the grammars of Python,
/// Rust, JavaScript, TypeScript, Go and Java.
const ASSIGNS: &[&str] = &[
    "assignment",
    "const_item",
    "static_item",
    "lexical_declaration",
    "variable_declaration",
    "const_declaration",
    "var_declaration",
    "field_declaration",
];

/// What a value of mere data is made of, by the same grammars.
const DATA: &[&str] = &[
    "string",
    "string_start",
    "string_content",
    "string_end",
    "string_fragment",
    "string_literal",
    "raw_string_literal",
    "interpreted_string_literal",
    "concatenated_string",
    "escape_sequence",
    "char_literal",
    "character_literal",
    "integer",
    "integer_literal",
    "int_literal",
    "decimal_integer_literal",
    "float",
    "float_literal",
    "number",
    "true",
    "false",
    "boolean_literal",
    "none",
    "null",
    "null_literal",
    "identifier",
    "property_identifier",
    "field_identifier",
    "attribute",
    "member_expression",
    "scoped_identifier",
    "tuple",
    "tuple_expression",
    "list",
    "set",
    "dictionary",
    "pair",
    "array",
    "array_expression",
    "array_initializer",
    "object",
    "expression_list",
    "parenthesized_expression",
    "reference_expression",
    "unary_operator",
    "unary_expression",
    "comment",
    "line_comment",
    "block_comment",
];

/// Whether `lines` of `after`, outside of functions, give mere data to names
/// that had a value in `before` too.
pub(super) fn is_changed_alone(before: &str, after: &Parsed, lines: Lines) -> bool {
    let mut rows: Vec<u32> = (lines.start..=lines.end).collect();
    let text: Vec<&str> = after.text.lines().collect();
    rows.retain(|row| text.get(*row as usize - 1).is_some_and(|line| !line.trim().is_empty()));
    language::walk(after.tree.root_node(), &mut |node: Node<'_>| {
        let span = language::lines_of(node);
        if ASSIGNS.contains(&node.kind()) {
            if is_data(before, after, node) {
                rows.retain(|row| !span.contains(*row));
            }
            return false;
        }
        node.named_child_count() > 0
    });
    rows.is_empty()
}

fn is_data(before: &str, after: &Parsed, statement: Node<'_>) -> bool {
    let Some(value) = value_of(statement) else { return false };
    let head = after.text.get(statement.start_byte()..value.start_byte()).unwrap_or_default().trim();
    // A name that is new may hide another, of the tests or of the language.
    let is_known = !head.is_empty() && before.lines().any(|line| line.trim_start().starts_with(head));
    let name = head.split([':', '=']).next().unwrap_or_default();
    let is_name = !name.contains(['[', '(', '.']) && !name.starts_with("__");
    let mut is_data = is_known && is_name;
    language::walk(value, &mut |node: Node<'_>| {
        // The walk goes on behind the value too.
        let inside = node.start_byte() < value.end_byte() && node.end_byte() <= value.end_byte();
        is_data &= !inside || !node.is_named() || DATA.contains(&node.kind());
        inside && is_data && node.child_count() > 0
    });
    is_data
}

/// The value of the only name that a statement sets.
fn value_of(statement: Node<'_>) -> Option<Node<'_>> {
    if let Some(value) = field_of_value(statement) {
        return Some(value);
    }
    let mut cursor = statement.walk();
    let held: Vec<Node<'_>> = statement.named_children(&mut cursor).filter_map(field_of_value).collect();
    match held[..] {
        [only] => Some(only),
        _ => None,
    }
}

fn field_of_value(node: Node<'_>) -> Option<Node<'_>> {
    node.child_by_field_name("right").or_else(|| node.child_by_field_name("value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn a_table_is_data_and_what_runs_or_is_new_is_none() {
        for (path, before, after, lines, wanted) in [
            ("a.py", "T = [\n    (r'a', K),\n]\n", "T = [\n    (r'a+', K),\n]\n", (2, 2), true),
            ("a.py", "class A:\n    M = K.W, ('A',)\n", "class A:\n    M = K.W, ('A', 'B')\n", (2, 2), true),
            ("a.py", "T = {'a': 1}\n", "T = {'a': -2}\n", (1, 1), true),
            ("a.py", "T = {'a': 1}\n", "T = {'a': f()}\n", (1, 1), false),
            ("a.py", "T = {'a': 1}\n", "T = {'a': lambda: 1}\n", (1, 1), false),
            ("a.py", "T = ['a']\n", "T = [f'{x}']\n", (1, 1), false),
            ("a.py", "T = ['a']\n", "T = ['b']\nassert_equal = None\n", (1, 2), false),
            ("a.py", "T = ['a']\n", "import b\n", (1, 1), false),
            ("a.py", "a.b = 1\n", "a.b = 2\n", (1, 1), false),
            ("a.py", "__test__ = True\n", "__test__ = False\n", (1, 1), false),
            ("a.rs", "const A: &[&str] = &[\"a\"];\n", "const A: &[&str] = &[\"a\", \"b\"];\n", (1, 1), true),
            ("a.rs", "const A: u8 = 1;\n", "const A: u8 = f();\n", (1, 1), false),
            ("a.js", "const a = ['x'];\n", "const a = ['x', 'y'];\n", (1, 1), true),
            ("a.js", "const a = ['x'];\n", "const a = [(() => 1)()];\n", (1, 1), false),
            ("a.go", "package a\n\nconst a = 1\n", "package a\n\nconst a = 2\n", (3, 3), true),
            ("A.java", "class A {\n  int a = 1;\n}\n", "class A {\n  int a = 2;\n}\n", (2, 2), true),
        ] {
            let path = RelPath::new(path).expect("a path");
            let parsed = language::parse(language::of_path(&path).expect("known"), after);
            assert_eq!(is_changed_alone(before, &parsed, Lines::new(lines.0, lines.1)), wanted, "{path} {after}");
        }
    }
}
