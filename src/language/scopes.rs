//! Names that are visible inside functions, and what they are bound to.
//!
//! Reads patterns; infers no type.

use std::ops::Range;

use tree_sitter::Node;

use super::Parsed;
use super::definitions::Definition;
use super::definitions::enclosing;
use super::outline::Found;
use super::outline::line_of;
use super::walk;

/// A name and what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name as written (`cart`, `self.cart`).
    pub name: String,
    /// Bytes of the expression it is bound to.
    pub value: Option<Range<usize>>,
    /// The type as written, where one is.
    pub written_type: Option<String>,
    /// 1-based line.
    pub line: u32,
    /// First byte of the name.
    pub at: usize,
}

/// A name that a function declares to be one of outside it (`global`,
/// `nonlocal`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer {
    /// The name.
    pub name: String,
    /// First byte of the name in its declaration.
    pub at: usize,
    /// Whether it is the file's own (`global`), not that of a function around.
    pub global: bool,
}

/// A name of a function and the bytes it is visible in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The name.
    pub name: String,
    /// Where it is visible; begins where it is bound, in Rust behind its value.
    pub visible: Range<usize>,
    /// Bytes of the pattern that binds it.
    pub pattern: Range<usize>,
    /// 1-based line where it is bound.
    pub line: u32,
}

pub(super) struct RawLocal<'t> {
    pattern: Node<'t>,
    scope: Option<Node<'t>>,
}

impl Parsed {
    /// Variables and parameters that are visible at `line` (1-based), of the
    /// functions around it: innermost and latest bound first, each once. Names
    /// of the top level are not among them.
    pub fn scope_names(&self, line: u32) -> Vec<String> {
        let outline = self.outline();
        names_at(self, &outline.definitions, &outline.locals, line)
    }
}

/// As [`Parsed::scope_names`], of an outline that is at hand.
pub fn names_at(parsed: &Parsed, definitions: &[Definition], locals: &[Local], line: u32) -> Vec<String> {
    let Some(function) = enclosing(definitions, line).filter(|index| definitions[*index].kind.is_callable()) else {
        return Vec::new();
    };
    let around = outermost(definitions, function).bytes.clone();
    let Some(bytes) = line_bytes(&parsed.text, line) else { return Vec::new() };
    let mut seen: Vec<&Local> = locals
        .iter()
        .filter(|local| local.visible.start >= around.start && local.visible.start < around.end)
        .filter(|local| local.visible.start < bytes.end && local.visible.end > bytes.start)
        .collect();
    seen.sort_by_key(|local| std::cmp::Reverse(local.visible.start));
    let mut names: Vec<String> = Vec::new();
    for local in seen {
        if !names.contains(&local.name) {
            names.push(local.name.clone());
        }
    }
    names
}

/// The outermost function around definition `index`.
fn outermost(definitions: &[Definition], index: usize) -> &Definition {
    let mut found = &definitions[index];
    let mut at = found;
    while let Some(parent) = at.parent {
        at = &definitions[parent];
        if at.kind.is_callable() {
            found = at;
        }
    }
    found
}

/// Bytes of a line, 1-based, with its end.
pub fn line_bytes(text: &str, line: u32) -> Option<Range<usize>> {
    let mut start = 0;
    for (index, piece) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line as usize {
            return Some(start..start + piece.len());
        }
        start += piece.len();
    }
    None
}

pub(super) fn binding(parsed: &Parsed, found: &Found<'_>) -> Option<Binding> {
    let name = found.get("binding.name")?;
    Some(Binding {
        name: parsed.text_of(name).to_owned(),
        value: found.get("binding.value").map(|node| node.byte_range()),
        written_type: found.get("binding.type").map(|node| parsed.text_of(node).to_owned()),
        line: line_of(name),
        at: name.start_byte(),
    })
}

/// As [`binding`], of a function's name and the type it gives back.
pub(super) fn result(parsed: &Parsed, found: &Found<'_>) -> Option<Binding> {
    let (name, written) = (found.get("result.name")?, found.get("result.type")?);
    Some(Binding {
        name: parsed.text_of(name).to_owned(),
        value: None,
        written_type: Some(parsed.text_of(written).to_owned()),
        line: line_of(name),
        at: name.start_byte(),
    })
}

pub(super) fn raw_local<'t>(found: &Found<'t>) -> Option<RawLocal<'t>> {
    Some(RawLocal { pattern: found.get("local")?, scope: found.get("scope") })
}

pub(super) fn collect(parsed: &Parsed, raw: Vec<RawLocal<'_>>, definitions: &[Definition]) -> Vec<Local> {
    let mut locals = Vec::new();
    for RawLocal { pattern, scope } in raw {
        let line = line_of(pattern);
        let end = match scope {
            Some(scope) => scope.end_byte(),
            None => match function_around(definitions, pattern.start_byte()) {
                Some(function) => function.bytes.end,
                None => continue,
            },
        };
        // A comprehension's name is visible before it is written.
        let comprehension = scope
            .is_some_and(|scope| scope.kind().ends_with("comprehension") || scope.kind() == "generator_expression");
        let start = match scope {
            Some(scope) if comprehension => scope.start_byte(),
            _ => binding_end(pattern),
        };
        // What `if let` binds is not there in its `else`.
        let end = match scope.and_then(|scope| scope.child_by_field_name("consequence")) {
            Some(consequence) => consequence.end_byte(),
            None => end,
        };
        for name in pattern_names(parsed, pattern) {
            locals.push(Local { name, visible: start..end.max(start), pattern: pattern.byte_range(), line });
        }
    }
    locals.sort_by_key(|local| local.visible.start);
    locals
}

/// Where the names of `pattern` begin to be visible. In Rust they are not yet
/// in the expression that gives their value (`let quote = quote(1);`; Rust
/// reference, "Scopes: Scopes within let statements").
fn binding_end(pattern: Node<'_>) -> usize {
    let Some(parent) = pattern.parent() else { return pattern.start_byte() };
    match parent.kind() {
        "let_declaration" | "let_condition" => parent.end_byte(),
        "for_expression" => parent.child_by_field_name("value").map_or(pattern.start_byte(), |value| value.end_byte()),
        _ => pattern.start_byte(),
    }
}

/// The innermost function whose body holds `byte`. Definitions are in text
/// order, so it is the last that begins before, or one around that.
fn function_around(definitions: &[Definition], byte: usize) -> Option<&Definition> {
    let mut at = definitions.partition_point(|definition| definition.bytes.start <= byte).checked_sub(1);
    while let Some(index) = at {
        let definition = &definitions[index];
        if definition.kind.is_callable() && definition.body.contains(&byte) {
            return Some(definition);
        }
        at = definition.parent;
    }
    None
}

/// Parts of a pattern or a list of parameters that bind no name: types,
/// defaults, paths, and places that are assigned to.
const NOT_BOUND: &[&str] = &["type", "attribute", "subscript", "scoped_identifier", "default_value"];

/// The names that a pattern or a list of parameters binds, in text order.
pub(super) fn pattern_names(parsed: &Parsed, pattern: Node<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut skip: Vec<Range<usize>> = Vec::new();
    walk(pattern, &mut |node| {
        if NOT_BOUND.contains(&node.kind()) || skip.iter().any(|range| *range == node.byte_range()) {
            return false;
        }
        let unbound: &[&str] = match node.kind() {
            // `{ a: b }` of JavaScript binds `b`.
            "pair_pattern" => &[],
            "assignment_pattern" | "object_assignment_pattern" => &["right"],
            // `Some(x)` has the field `type` too; a `match` arm's guard is a
            // condition, and a default is an expression.
            _ => &["type", "value"],
        };
        skip.extend(unbound.iter().filter_map(|field| node.child_by_field_name(field)).map(|part| part.byte_range()));
        match node.kind() {
            "identifier" | "self" | "shorthand_field_identifier" | "shorthand_property_identifier_pattern" => {
                let name = parsed.text_of(node);
                // A lone capitalised name in a Rust pattern is a constant or
                // a variant; `_` binds nothing.
                let constant = parsed.language.separator == "::" && name.starts_with(char::is_uppercase);
                if name != "_" && !constant && !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
                false
            }
            _ => true,
        }
    });
    names
}

#[cfg(test)]
mod tests {
    use crate::language::parse;
    use crate::language::python::PYTHON;
    use crate::language::rust::RUST;
    use pretty_assertions::assert_eq;

    #[test]
    fn python_names_are_visible_from_where_they_are_bound() {
        let text = "TOP = 1\ndef f(a, b=TOP, *rest):\n    total = 0\n    for i, item in enumerate(a):\n        total += item.price\n        self.x = 1\n    with open(b) as handle:\n        ys = [y for y in handle]\n    later = total\n    return later\n";
        let parsed = parse(&PYTHON, text);
        for (line, wanted) in [
            (1, vec![]),
            (3, vec!["total", "a", "b", "rest"]),
            (5, vec!["total", "i", "item", "a", "b", "rest"]),
            (8, vec!["y", "ys", "handle", "total", "i", "item", "a", "b", "rest"]),
            (10, vec!["later", "ys", "handle", "total", "i", "item", "a", "b", "rest"]),
        ] {
            assert_eq!(parsed.scope_names(line), wanted, "line {line}");
        }
    }

    #[test]
    fn rust_names_end_with_their_block() {
        let text = "fn f(&self, a: u8, (b, _): (u8, u8)) -> u8 {\n    if let Some(c) = g(a) {\n        let d = c;\n        h(d);\n    }\n    let e = |z: u8| z + 1;\n    match a {\n        n if n > 1 => n,\n        None => 0,\n    }\n}\n";
        let parsed = parse(&RUST, text);
        for (line, wanted) in [
            (4, vec!["d", "c", "self", "a", "b"]),
            (6, vec!["e", "z", "self", "a", "b"]),
            (8, vec!["n", "e", "self", "a", "b"]),
            (9, vec!["e", "self", "a", "b"]),
        ] {
            assert_eq!(parsed.scope_names(line), wanted, "line {line}");
        }
    }

    #[test]
    fn an_inner_functions_names_stay_inside_it() {
        let text = "def f(a):\n    def g(b):\n        c = b\n        return c\n    return g(a)\n";
        let parsed = parse(&PYTHON, text);
        assert_eq!(parsed.scope_names(5), ["g", "a"]);
        assert_eq!(parsed.scope_names(4), ["c", "b", "g", "a"]);
    }
}
