//! Which names a node binds, and where each can be read.
//!
//! Reads patterns; knows nothing of what the names hold.

use std::ops::Range;

use tree_sitter::Node;

use super::scope::Name;
use super::scope::Scope;
use super::shape::Shape;
use super::syntax;
use super::syntax::Syntax;
use super::syntax::parts;
use crate::language::Parsed;

/// Kinds of nodes that give names a meaning or a value.
const BINDING: &[&str] = &[
    "parameters",
    "lambda_parameters",
    "closure_parameters",
    "assignment",
    "augmented_assignment",
    "assignment_expression",
    "compound_assignment_expr",
    "for_statement",
    "for_in_clause",
    "named_expression",
    "as_pattern",
    "let_declaration",
    "for_expression",
    "match_arm",
    "let_condition",
    "formal_parameters",
    "parameter_list",
    "inferred_parameters",
    "arrow_function",
    "variable_declarator",
    "for_in_statement",
    "catch_clause",
    "short_var_declaration",
    "var_spec",
    "range_clause",
    "assignment_statement",
    "augmented_assignment_expression",
    "enhanced_for_statement",
];

impl<'a> Scope<'a> {
    /// Notes the variables that `node` binds.
    pub(super) fn bind(&mut self, parsed: &'a Parsed, node: Node<'a>) {
        if !BINDING.contains(&node.kind()) {
            return;
        }
        let function = enclosing(node, self.syntax).unwrap_or(self.function);
        match node.kind() {
            "parameters" | "formal_parameters" | "parameter_list" | "inferred_parameters" => {
                // A list of Go is also what a function gives back, or a type's.
                let Some(owner) = node.parent().filter(|owner| self.syntax.is_function(*owner)) else { return };
                if owner.child_by_field_name("parameters") == Some(node)
                    || owner.child_by_field_name("receiver") == Some(node)
                {
                    self.bind_parameters(parsed, node, owner);
                }
            }
            "arrow_function" => {
                if let Some(only) = node.child_by_field_name("parameter") {
                    self.bind_pattern(parsed, only, node.byte_range(), node == self.function);
                }
            }
            "variable_declarator" | "short_var_declaration" | "var_spec" => {
                let target = node.child_by_field_name("name").or_else(|| node.child_by_field_name("left"));
                if let Some(target) = target {
                    let block = block_around(node, self.syntax).unwrap_or(function);
                    self.bind_pattern(parsed, target, node.end_byte()..block.end_byte(), false);
                    self.note_assigned(parsed, target, node);
                }
            }
            "for_in_statement" | "range_clause" | "enhanced_for_statement" => {
                let target = node.child_by_field_name("left").or_else(|| node.child_by_field_name("name"));
                let holder = if node.kind() == "range_clause" { node.parent().unwrap_or(node) } else { node };
                if let (Some(target), Some(body)) = (target, holder.child_by_field_name("body")) {
                    self.bind_pattern(parsed, target, body.byte_range(), false);
                    self.note_assigned(parsed, target, node);
                }
            }
            "catch_clause" => {
                if let (Some(target), Some(body)) =
                    (node.child_by_field_name("parameter"), node.child_by_field_name("body"))
                {
                    self.bind_pattern(parsed, target, body.byte_range(), false);
                }
            }
            "lambda_parameters" | "closure_parameters" => {
                let visible = node.parent().unwrap_or(node).byte_range();
                self.bind_pattern(parsed, node, visible, false);
            }
            "assignment" => {
                if let Some(left) = node.child_by_field_name("left").filter(|left| is_pattern(left.kind())) {
                    // Inside a loop the value of the last round can be read
                    // above the assignment too.
                    let start = outermost_loop(node, function, self.syntax).unwrap_or(node).start_byte();
                    self.bind_pattern(parsed, left, start..function.end_byte(), false);
                    self.note_assigned(parsed, left, node);
                }
            }
            "for_statement" => {
                if let Some(left) = node.child_by_field_name("left") {
                    let start = node.child_by_field_name("body").unwrap_or(node).start_byte();
                    self.bind_pattern(parsed, left, start..function.end_byte(), false);
                    self.note_assigned(parsed, left, node);
                }
            }
            "for_in_clause" => {
                if let Some(left) = node.child_by_field_name("left") {
                    self.bind_pattern(parsed, left, node.parent().unwrap_or(node).byte_range(), false);
                }
            }
            "named_expression" | "as_pattern" => {
                let target = node.child_by_field_name("name").or_else(|| node.child_by_field_name("alias"));
                if let Some(target) = target {
                    self.bind_pattern(parsed, target, node.start_byte()..function.end_byte(), false);
                }
            }
            "let_declaration" => {
                if let Some(pattern) = node.child_by_field_name("pattern") {
                    let end = node.parent().unwrap_or(function).end_byte();
                    self.bind_pattern(parsed, pattern, node.end_byte()..end, false);
                    self.note_assigned(parsed, pattern, node);
                }
            }
            "for_expression" => {
                if let (Some(pattern), Some(body)) =
                    (node.child_by_field_name("pattern"), node.child_by_field_name("body"))
                {
                    self.bind_pattern(parsed, pattern, body.byte_range(), false);
                    self.note_assigned(parsed, pattern, node);
                }
            }
            "match_arm" | "let_condition" => {
                let holder = if node.kind() == "match_arm" { Some(node) } else { node.parent() };
                if let (Some(pattern), Some(holder)) = (node.child_by_field_name("pattern"), holder) {
                    self.bind_pattern(parsed, pattern, pattern.end_byte()..holder.end_byte(), false);
                }
            }
            kind if kind == self.syntax.assignment || kind == self.syntax.augmented => {
                if let Some(left) = node.child_by_field_name("left") {
                    self.note_assigned(parsed, left, node);
                }
            }
            _ => {}
        }
    }

    /// Binds the parameters of the function `owner`: those of the scope's own
    /// function count as its parameters.
    fn bind_parameters(&mut self, parsed: &'a Parsed, list: Node<'a>, owner: Node<'a>) {
        for parameter in parts(list) {
            let fields = ["name", "pattern", "left"];
            let named = fields.iter().find_map(|field| parameter.child_by_field_name(field)).unwrap_or(parameter);
            let mut cursor = parameter.walk();
            // `a, b int` of Go.
            let all: Vec<Node<'a>> = parameter.children_by_field_name("name", &mut cursor).collect();
            for name in if all.len() > 1 { all } else { vec![named] } {
                self.bind_pattern(parsed, name, owner.byte_range(), owner == self.function);
            }
        }
    }

    fn note_assigned(&mut self, parsed: &'a Parsed, target: Node<'a>, by: Node<'a>) {
        for identifier in identifiers(target) {
            self.assigned.push((parsed.text_of(identifier), by));
        }
    }

    fn bind_pattern(&mut self, parsed: &'a Parsed, pattern: Node<'a>, visible: Range<usize>, parameter: bool) {
        for identifier in identifiers(pattern) {
            let text = parsed.text_of(identifier);
            // In Rust's patterns a capital is a variant or a constant.
            let variant = self.syntax.tail_values && text.starts_with(char::is_uppercase);
            if variant || matches!(text, "self" | "cls" | "_") {
                continue;
            }
            match self.names.iter_mut().find(|name| name.text == text) {
                Some(known) if known.visible.contains(&visible.start) => {
                    known.visible.end = known.visible.end.max(visible.end);
                }
                Some(known) if self.syntax.indented => {
                    known.visible = known.visible.start.min(visible.start)..known.visible.end.max(visible.end);
                }
                _ => self.names.push(Name {
                    text,
                    visible: visible.clone(),
                    parameter,
                    global: false,
                    shape: Shape::UNKNOWN,
                }),
            }
        }
    }
}

fn is_pattern(kind: &str) -> bool {
    matches!(kind, "identifier" | "pattern_list" | "tuple_pattern" | "list_pattern")
}

/// The innermost function around `node`, itself left out.
pub fn enclosing<'a>(node: Node<'a>, syntax: &Syntax) -> Option<Node<'a>> {
    let mut up = node.parent();
    while let Some(parent) = up {
        if syntax.is_function(parent) {
            return Some(parent);
        }
        up = parent.parent();
    }
    None
}

/// What a declaration's names are visible in.
fn block_around<'a>(node: Node<'a>, syntax: &Syntax) -> Option<Node<'a>> {
    let mut up = node.parent();
    while let Some(parent) = up {
        let holds = syntax.lists.contains(&parent.kind()) || syntax.loops.contains(&parent.kind());
        if holds || matches!(parent.kind(), "if_statement" | "program" | "source_file") {
            return Some(parent);
        }
        up = parent.parent();
    }
    None
}

/// The outermost loop around `node` inside `function`.
fn outermost_loop<'a>(node: Node<'a>, function: Node<'a>, syntax: &Syntax) -> Option<Node<'a>> {
    let (mut found, mut up) = (None, node.parent());
    while let Some(parent) = up.filter(|parent| *parent != function) {
        if syntax.loops.contains(&parent.kind()) {
            found = Some(parent);
        }
        up = parent.parent();
    }
    found
}

/// The variables in a pattern; types and field names are none.
fn identifiers(pattern: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    syntax::each(pattern, 200, &mut |node, parent| match node.kind() {
        "identifier" | "shorthand_field_identifier" | "shorthand_property_identifier_pattern" => {
            if parent.and_then(|parent| parent.child_by_field_name("type")) != Some(node) {
                found.push(node);
            }
            false
        }
        "subscript"
        | "attribute"
        | "index_expression"
        | "field_expression"
        | "type"
        | "scoped_identifier"
        | "default_value"
        | "member_expression"
        | "subscript_expression"
        | "selector_expression"
        | "type_annotation"
        | "field_access"
        | "array_access" => false,
        _ => true,
    });
    found
}
