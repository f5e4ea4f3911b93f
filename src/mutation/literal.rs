//! Literals: the wrong constant, the wrong first value (TBar FP9).

use super::Operator;
use super::Replacement;
use super::Site;
use super::shape::Shape;
use super::syntax::filled;

/// A literal becomes another one.
pub static LITERAL: Operator = Operator {
    name: "wrong-literal",
    what: "a literal becomes its opposite, or another of the same function",
    prior: 0.4,
    apply: literal,
};

/// What a variable starts with.
pub static INITIAL: Operator =
    Operator { name: "initial-value", what: "a variable starts with another value", prior: 0.45, apply: initial };

fn literal<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (syntax, text) = (site.scope.syntax, site.text());
    let mut push = |new: &str, weight: f64| {
        if new != text {
            out.push(Replacement::new(site.node.byte_range(), new, format!("`{text}` is the wrong value"), weight));
        }
    };
    match site.kind() {
        kind if kind == syntax.integer => {
            match text {
                "0" => push("1", 0.6),
                "1" => push("0", 0.6),
                _ => {}
            }
            for other in &site.scope.integers {
                push(other, 0.4);
            }
            if text != "0" && text != "1" {
                for usual in ["0", "1", "2"] {
                    push(usual, 0.3);
                }
            }
        }
        "true" | "false" | "boolean_literal" => {
            let (yes, no) = syntax.truth;
            push(if text == yes { no } else { yes }, 1.0);
        }
        kind if kind == syntax.string => {
            for other in site.scope.strings.iter().take(10) {
                push(other, 0.5);
            }
            if text.len() > 2 && text.len() < 8 {
                push(if text.starts_with('\'') { "''" } else { "\"\"" }, 0.3);
            } else if matches!(text, "\"\"" | "''") {
                push(if text == "''" { "' '" } else { "\" \"" }, 0.6);
            }
            // A wrong case or a stray space.
            let lower = text.to_lowercase();
            if lower != text && text.len() < 24 {
                push(&lower, 0.3);
            }
        }
        "none" => {
            for usual in ["[]", "0", "''"] {
                push(usual, 0.25);
            }
        }
        "list" if text == "[]" => push("None", 0.2),
        _ => {}
    }
}

fn initial<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    if syntax.augmentation(site.node).is_some() {
        return;
    }
    let Some((target, value)) = syntax.assigned(site.node) else { return };
    if target.kind() != "identifier" || !is_plain(value.kind()) {
        return;
    }
    let (name, old) = (site.of(target), site.of(value));
    // A first value is one that is built on later.
    let built_on = scope.assigned.iter().filter(|(other, _)| *other == name).count() > 1;
    if !built_on && scope.assigned.iter().any(|(other, _)| *other == name) && !old.starts_with(['[', '{']) {
        return;
    }
    let mut push = |new: &str, weight: f64| {
        if new != old && new != name {
            let note = format!("`{name}` has to start with `{new}`");
            out.push(Replacement::new(value.byte_range(), new, note, weight));
        }
    };
    if matches!(
        value.kind(),
        "integer"
            | "float"
            | "integer_literal"
            | "float_literal"
            | "unary_operator"
            | "number"
            | "int_literal"
            | "decimal_integer_literal"
            | "unary_expression"
    ) {
        for sequence in scope.names_at(site.node.start_byte()).filter(|other| other.shape.has(Shape::SEQUENCE)) {
            push(&format!("{}[0]", sequence.text), 0.8);
            let length = filled(syntax.length, sequence.text);
            push(&length, 0.5);
            push(&format!("{length} - 1"), 0.5);
        }
        for (infinity, weight) in syntax.infinities.iter().zip([0.6, 0.6, 0.4]) {
            push(infinity, weight);
        }
        push("1", 0.8);
        push("0", 0.8);
    }
    for other in scope.names_at(site.node.start_byte()).filter(|other| !other.global) {
        let own = super::shape::of_value(site.parsed, syntax, value);
        let fit = own.fit(other.shape);
        if fit > 0.5 {
            push(other.text, 0.7 * fit);
            if other.shape.has(Shape::NUMBER) {
                push(&format!("{} - 1", other.text), 0.25);
            }
            if old == "[]" && other.parameter && syntax.indented {
                push(&format!("[{}]", other.text), 0.5);
            }
        } else if old == "[]" && syntax.indented && other.parameter {
            push(&format!("[{}]", other.text), 0.6);
        }
    }
    if old == "[]" && syntax.indented {
        push("[[]]", 0.4);
        push("[0]", 0.4);
    }
}

fn is_plain(kind: &str) -> bool {
    matches!(
        kind,
        "integer"
            | "float"
            | "integer_literal"
            | "float_literal"
            | "string"
            | "string_literal"
            | "none"
            | "true"
            | "false"
            | "boolean_literal"
            | "list"
            | "dictionary"
            | "identifier"
            | "unary_operator"
            | "number"
            | "int_literal"
            | "decimal_integer_literal"
            | "interpreted_string_literal"
            | "null"
            | "nil"
            | "null_literal"
            | "array"
            | "object"
    )
}
