//! Values: what is returned, a best value that is overwritten, a conversion, an
//! expression that the function has elsewhere (TBar FP12 and FP13; the reuse is
//! GenProg's and the plastic surgery hypothesis').

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::grouped;
use super::place::short;
use super::shape;
use super::shape::Shape;
use super::syntax::Syntax;
use super::syntax::filled;

/// Another value is returned.
pub static RETURNED: Operator = Operator {
    name: "return-value",
    what: "another value is returned: a name, a test, what was left out",
    prior: 0.4,
    apply: returned,
};

/// `best = x` becomes `best = max(best, x)`.
pub static BEST: Operator = Operator {
    name: "best-value",
    what: "a running best or bound is kept instead of overwritten",
    prior: 0.45,
    apply: best,
};

/// Conversions: `int(x)`, `str(x)`, and away with them.
pub static CONVERSION: Operator =
    Operator { name: "conversion", what: "a value is converted, or no longer", prior: 0.3, apply: conversion };

/// An expression becomes another one of the same function.
pub static REUSED: Operator = Operator {
    name: "expression-reused",
    what: "an expression becomes another of the same function",
    prior: 0.3,
    apply: reused,
};

/// Whether the node is what a function gives back.
fn is_result<'a>(site: &Site<'a>) -> bool {
    let syntax = site.scope.syntax;
    let Some(parent) = site.parent else { return false };
    let tail = syntax.tail_values
        && parent.kind() == "block"
        && parent.parent() == Some(site.scope.function)
        && site.node.next_named_sibling().is_none()
        && !site.kind().ends_with("_statement")
        && !site.kind().ends_with("_declaration");
    syntax.returned(parent) == Some(site.node) || tail
}

fn returned<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_result(site) {
        return;
    }
    let (scope, syntax, text) = (site.scope, site.scope.syntax, site.text());
    let at = site.node.start_byte();
    let own =
        if site.kind() == "identifier" { scope.shape(text) } else { shape::of_value(site.parsed, syntax, site.node) };
    let mut push = |new: String, weight: f64, note: String| {
        if new != text {
            out.push(Replacement::new(site.node.byte_range(), new, note, weight));
        }
    };
    let plain = |new: &str| format!("`{new}` is to be returned");
    // Names are `wrong-variable`'s work where a name stands already.
    for name in scope.names_at(at).filter(|name| !name.global) {
        if site.kind() != "identifier" && own.fit(name.shape) > 0.5 {
            push(name.text.to_owned(), 0.6 * own.fit(name.shape), plain(name.text));
        }
        if matches!(site.kind(), "true" | "false" | "boolean_literal") {
            if name.shape.has(Shape::NUMBER) {
                for test in [format!("{} == 0", name.text), format!("{} > 0", name.text)] {
                    let note = plain(&test);
                    push(test, 0.8, note);
                }
            }
            let known = name.shape.has(Shape::SEQUENCE) || syntax.indented && name.shape.may_be(Shape::SEQUENCE);
            if let Some((empty, _)) = syntax.empty.filter(|_| known) {
                let test = filled(empty, name.text);
                let note = plain(&test);
                push(test, 0.7, note);
            }
        }
        let empty = matches!(text, "[]" | "()" | "set()" | "{}");
        if syntax.indented && empty && name.parameter {
            push(format!("[{}]", name.text), 0.8, plain(&format!("[{}]", name.text)));
        }
        // Something was left out: what the function built before.
        let sequence = own.has(Shape::SEQUENCE) && !empty || own == Shape::UNKNOWN && site.kind() == syntax.binary[0];
        if syntax.indented && sequence && name.shape.may_be(Shape::SEQUENCE) && !name.parameter {
            for new in [
                format!("{} + {}", name.text, grouped(site, site.node)),
                format!("{} + {}", grouped(site, site.node), name.text),
            ] {
                let note = format!("`{}` is left out of the result", name.text);
                push(new, 0.7, note);
            }
        }
        if own.may_be(Shape::NUMBER)
            && name.shape.has(Shape::NUMBER)
            && name.text != text
            && !matches!(own, Shape::BOOL)
        {
            let known = if own.has(Shape::NUMBER) { 0.4 } else { 0.15 };
            for (sign, weight) in [("+", known), ("-", known * 0.8), ("*", known * 0.5)] {
                let note = format!("`{}` is left out of the result", name.text);
                push(format!("{} {sign} {}", grouped(site, site.node), name.text), weight, note);
            }
        }
    }
    for other in &scope.returned {
        let other = site.of(*other);
        push(other.to_owned(), 0.3, plain(other));
    }
    for comparison in scope.comparisons.iter().take(8) {
        if matches!(site.kind(), "true" | "false" | "boolean_literal") {
            push(site.of(*comparison).to_owned(), 0.4, plain(site.of(*comparison)));
        }
    }
    if syntax.indented {
        let wrap = if matches!(text, "[]" | "()") { 0.8 } else { 0.35 };
        push(format!("[{text}]"), wrap, "the result has to be a list of it".to_owned());
        if own.has(Shape::SEQUENCE) && !text.starts_with('[') {
            push(format!("{text}[::-1]"), 0.3, "the result is in reverse order".to_owned());
        }
        if own.may_be(Shape::TEXT) && own != Shape::UNKNOWN && site.kind() == "identifier" {
            push(format!("''.join({text})"), 0.25, "the result has to be one text".to_owned());
        }
    } else if syntax.tail_values {
        let result = syntax.result_of(scope.function).map_or("", |kind| site.of(kind));
        for (prefix, wrapper) in [("Option", "Some"), ("Result", "Ok")] {
            if result.starts_with(prefix)
                && !text.starts_with(wrapper)
                && !text.starts_with("None")
                && !text.starts_with("Err")
            {
                push(format!("{wrapper}({text})"), 0.4, format!("the result has to be a `{wrapper}`"));
            }
        }
    }
}

fn best<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    if !syntax.is_assignment(site.node) {
        return;
    }
    let Some((target, value)) = syntax.assigned(site.node) else { return };
    if matches!(target.kind(), "pattern_list" | "tuple_pattern")
        || !matches!(value.kind(), "identifier" | "integer")
            && !shape::of_value(site.parsed, syntax, value).may_be(Shape::NUMBER)
        || value.kind() == "expression_list"
    {
        return;
    }
    let mut up = site.parent;
    let mut looped = false;
    while let Some(node) = up.filter(|node| *node != scope.function) {
        looped |= syntax.loops.contains(&node.kind());
        up = node.parent();
    }
    let (name, text) = (site.of(target), site.of(value));
    let before = scope.assigned.iter().any(|(other, by)| *other == name && by.start_byte() < site.node.start_byte());
    if !looped || text.starts_with("max(") || text.starts_with("min(") || text == name {
        return;
    }
    let mut push = |new: String, weight: f64, note: String| {
        out.push(Replacement::new(value.byte_range(), new, note, weight));
    };
    let group = |node: Node<'a>| grouped(site, node);
    if before && target.kind() == "identifier" && value.kind() != "integer" {
        for (word, weight) in [("max", 1.0), ("min", 0.9)] {
            let note = format!("the {word}imum so far is overwritten");
            let other = if syntax.tail_values { group(value) } else { text.to_owned() };
            if let Some(new) = extreme(syntax, word, name, &other) {
                push(new, weight, note);
            }
        }
    }
    if value.kind() != "identifier" && value.kind() != "integer" && scope.shape(name).may_be(Shape::NUMBER) {
        for (word, weight) in [("max", 0.7), ("min", 0.3)] {
            let note = format!("the value has to be bounded by 0 ({word}imum)");
            let (one, other) = if syntax.tail_values { (format!("({text})"), "0") } else { ("0".to_owned(), text) };
            if let Some(new) = extreme(syntax, word, &one, other) {
                push(new, weight, note);
            }
        }
        // Start again with one of the parts: `best ending here`.
        if let Some(binary) = syntax.binary(value)
            && syntax.indented
        {
            let part = site.of(binary.right);
            push(format!("max({part}, {text})"), 0.6, "starting again may be better than going on".to_owned());
        }
    }
}

/// The greater or the smaller of two, in the language's form.
fn extreme(syntax: &Syntax, word: &str, one: &str, other: &str) -> Option<String> {
    syntax.extreme.map(|form| form.replace("{w}", word).replace("{a}", one).replace("{b}", other))
}

fn conversion<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if !syntax.indented {
        return;
    }
    if site.kind() == syntax.call {
        // `str(x)` becomes `x`: `call-unwrapped`. One conversion to another:
        let Some(callee) = site.scope.syntax.callee(site.node) else { return };
        let others: &[&str] = match site.of(callee) {
            "int" => &["float", "str", "math.floor"],
            "float" => &["int"],
            "str" => &["int", "repr", "list"],
            "set" => &["sorted", "list"],
            "list" => &["sorted", "set"],
            _ => &[],
        };
        for other in
            others.iter().filter(|other| !other.starts_with("math") || site.parsed.text.contains("import math"))
        {
            let note = format!("`{other}` is the right conversion");
            out.push(Replacement::new(callee.byte_range(), *other, note, 0.5));
        }
        return;
    }
    let place = site.parent.map_or("", |parent| parent.kind());
    let key = place == syntax.index || place == "argument_list" || place == syntax.returns;
    let operand = syntax.binary.contains(&place);
    let value = place == syntax.assignment
        && site.parent.and_then(|parent| parent.child_by_field_name("right")) == Some(site.node);
    let is_value = matches!(site.kind(), "identifier" | "subscript" | "attribute" | "binary_operator");
    if !is_value || !(key || operand || value) || place == "argument_list" && site.kind() != "identifier" {
        return;
    }
    if place == syntax.index && site.parent.and_then(|parent| parent.named_child(0)) == Some(site.node) {
        return;
    }
    let own = if site.kind() == "identifier" {
        site.scope.shape(site.text())
    } else {
        shape::of_value(site.parsed, syntax, site.node)
    };
    if own.has(Shape::CALLABLE) || own.has(Shape::OBJECT) {
        return;
    }
    // `str` where text is joined, `int` elsewhere.
    let beside_text = site.parent.and_then(|parent| syntax.binary(parent)).is_some_and(|binary| {
        [binary.left, binary.right].iter().any(|side| shape::of_value(site.parsed, syntax, *side).has(Shape::TEXT))
    });
    let conversions: &[(&str, f64)] = match () {
        () if beside_text => &[("str", 1.0)],
        () if own.has(Shape::SEQUENCE) && (place == syntax.returns || value) => &[("sorted", 0.4), ("list", 0.5)],
        () if own.has(Shape::SEQUENCE) => &[("list", 0.2)],
        () if own.has(Shape::TEXT) => &[("int", 0.7)],
        () => &[("int", 0.4), ("abs", 0.35), ("str", 0.2)],
    };
    for (word, weight) in conversions {
        let note = format!("`{}` has to go through `{word}`", short(site.text()));
        out.push(Replacement::new(site.node.byte_range(), format!("{word}({})", site.text()), note, *weight));
    }
}

fn reused<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    let kind = site.kind();
    let calculation = syntax.binary.contains(&kind);
    let class = kind == syntax.call || kind == syntax.index || kind == syntax.member.0 || calculation;
    let callee =
        site.parent.is_some_and(|parent| parent.kind() == syntax.call && syntax.callee(parent) == Some(site.node));
    let statement = site.parent.is_some_and(|parent| parent.kind() == "expression_statement");
    if !class || callee || statement || site.text().len() > 60 {
        return;
    }
    let range = site.node.byte_range();
    let overlaps = |node: &Node<'a>| node.start_byte() < range.end && range.start < node.end_byte();
    let own_base = base(site, site.node);
    let pool = scope.expressions.iter().chain(&scope.comparisons);
    for other in pool.filter(|other| other.kind() == kind && !overlaps(other)) {
        let text = site.of(*other);
        if text == site.text() || !readable(site, *other) {
            continue;
        }
        let same = base(site, *other) == own_base;
        let weight = match (same, kind == syntax.index) {
            (true, _) => 0.8,
            (false, true) => 0.6,
            (false, false) => 0.4,
        };
        let note = format!("`{}` is meant, not `{}`", short(text), short(site.text()));
        out.push(Replacement::new(range.clone(), text, note, weight));
    }
    // A whole calculation that is a plain name.
    if calculation || kind == syntax.index || kind == syntax.call {
        let own = match shape::of_value(site.parsed, syntax, site.node) {
            // What is calculated with is a number, whatever gives it.
            Shape::UNKNOWN if is_operand(site) => Shape::NUMBER,
            known => known,
        };
        let argument = site.parent.is_some_and(|parent| matches!(parent.kind(), "argument_list" | "arguments"));
        if argument || own == Shape::BOOL {
            return;
        }
        for name in scope.names_at(range.start).filter(|name| !name.global) {
            let fit = own.fit(name.shape);
            if fit > 0.5 {
                let note = format!("`{}` is meant, not `{}`", name.text, short(site.text()));
                out.push(Replacement::new(range.clone(), name.text, note, 0.5 * fit));
            }
        }
    }
}

/// Whether the node is a side of a difference, product or quotient.
fn is_operand(site: &Site<'_>) -> bool {
    let arithmetic = |operator: &str| matches!(operator, "+" | "-" | "*" | "/" | "//" | "**");
    site.parent.is_some_and(|parent| {
        let binaries = site.scope.syntax.binaries(parent);
        binaries.iter().any(|binary| arithmetic(site.parsed.text_of(binary.operator)))
    })
}

/// What an expression is built on: the indexed value, the callee, the object.
fn base<'a>(site: &Site<'a>, node: Node<'a>) -> &'a str {
    let first = node.named_child(0).unwrap_or(node);
    site.of(first)
}

/// Whether every variable of the expression can be read at the site.
fn readable<'a>(site: &Site<'a>, expression: Node<'a>) -> bool {
    let mut all = true;
    super::syntax::each(expression, 100, &mut |node, _| {
        if node.kind() == "identifier"
            && let Some(name) = site.scope.name(site.parsed.text_of(node))
        {
            all &= name.visible.contains(&site.node.start_byte());
        }
        all
    });
    all
}
