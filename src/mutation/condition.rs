//! Conditions: logical operators, negation, a clause too few or too many
//! (PAR "expression adder, remover, replacer"; Prophet "tighten" and "loosen";
//! TBar FP6). A condition never becomes a constant: that takes behaviour out.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::joined;
use super::place::short;
use super::shape::Shape;
use super::syntax::filled;
use super::syntax::parts;

/// `and` and `or`.
pub static LOGICAL: Operator =
    Operator { name: "logical-operator", what: "`and` and `or` change places", prior: 0.7, apply: logical };

/// A condition is turned into its opposite.
pub static NEGATED: Operator =
    Operator { name: "condition-negated", what: "a condition becomes its opposite", prior: 0.5, apply: negated };

/// A clause of a condition goes.
pub static CLAUSE_DROPPED: Operator =
    Operator { name: "clause-dropped", what: "one clause of a condition goes", prior: 0.35, apply: clause_dropped };

/// A condition gets a clause more, or takes the place of a constant.
pub static EXTENDED: Operator = Operator {
    name: "condition-extended",
    what: "a condition gets one more clause, made of what the function knows",
    prior: 0.45,
    apply: extended,
};

fn logical<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(binary) = syntax.binary(site.node) else { return };
    let operator = site.of(binary.operator);
    let new = match operator {
        _ if operator == syntax.and => syntax.or,
        _ if operator == syntax.or => syntax.and,
        _ => return,
    };
    out.push(Replacement::new(binary.operator.byte_range(), new, format!("`{new}` is meant, not `{operator}`"), 1.0));
}

fn negated<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let inner = match site.kind() {
        "not_operator" => site.node.child_by_field_name("argument"),
        "unary_expression" if site.text().starts_with('!') => site.node.named_child(0),
        _ => None,
    };
    if let Some(inner) = inner {
        let inner =
            if inner.kind() == "parenthesized_expression" { inner.named_child(0).unwrap_or(inner) } else { inner };
        out.push(Replacement::new(site.node.byte_range(), site.of(inner), "the negation is wrong", 1.0));
        return;
    }
    let tested = site.parent.and_then(|parent| syntax.condition_of(parent)) == Some(site.node);
    let clause = site.parent.and_then(|parent| syntax.binary(parent)).is_some_and(|binary| {
        let operator = site.of(binary.operator);
        operator == syntax.and || operator == syntax.or
    });
    let returned = site.parent.and_then(|parent| syntax.returned(parent)) == Some(site.node);
    // Comparisons have opposites of their own.
    let comparison = syntax.binary(site.node).is_some_and(|binary| syntax.is_comparison(site.of(binary.operator)));
    let boolean = site.kind() == syntax.call || site.kind() == "identifier" || site.kind() == syntax.member.0;
    let literal = matches!(site.kind(), "true" | "false" | "boolean_literal");
    if comparison || literal || !(tested || (clause || returned) && boolean) {
        return;
    }
    let text = if syntax.is_atom(site.node) { site.text().to_owned() } else { format!("({})", site.text()) };
    let weight = if tested { 1.0 } else { 0.4 };
    let note = format!("`{}` is tested the wrong way round", short(site.text()));
    out.push(Replacement::new(site.node.byte_range(), format!("{}{text}", syntax.not), note, weight));
}

fn clause_dropped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(binary) = syntax.binary(site.node) else { return };
    let operator = site.of(binary.operator);
    if operator != syntax.and && operator != syntax.or {
        return;
    }
    for (kept, dropped) in [(binary.left, binary.right), (binary.right, binary.left)] {
        let note = format!("the clause `{}` is wrong", short(site.of(dropped)));
        out.push(Replacement::new(site.node.byte_range(), site.of(kept), note, 1.0));
    }
}

fn extended<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.parent.and_then(|parent| syntax.condition_of(parent)) != Some(site.node) {
        return;
    }
    let range = site.node.byte_range();
    let constant = matches!(site.text(), "True" | "true" | "1");
    if constant {
        for (clause, weight) in clauses(site) {
            let note = format!("`{clause}` is to be tested");
            out.push(Replacement::new(range.clone(), clause, note, weight));
        }
        return;
    }
    for (guard, weight) in guards(site) {
        for (word, guard, weight) in [(syntax.and, &guard.0, weight), (syntax.or, &guard.1, weight * 0.9)] {
            let note = format!("`{guard}` has to be tested first");
            out.push(Replacement::new(range.clone(), joined(site, site.node, word, guard, true), note, weight));
        }
    }
    for (clause, weight) in bounds(site).into_iter().chain(clauses(site)) {
        for (word, weight) in [(syntax.and, weight), (syntax.or, weight * 0.9)] {
            let note = format!("the condition misses `{word} {clause}`");
            out.push(Replacement::new(range.clone(), joined(site, site.node, word, &clause, false), note, weight));
        }
    }
}

/// Tests without which the condition itself can fail: (for `and`, for `or`).
fn guards(site: &Site<'_>) -> Vec<((String, String), f64)> {
    let syntax = site.scope.syntax;
    let mut found: Vec<((String, String), f64)> = Vec::new();
    let mut push = |pair: (String, String), weight: f64| {
        if !found.iter().any(|(known, _)| *known == pair) && found.len() < 4 {
            found.push((pair, weight));
        }
    };
    super::syntax::each(site.node, 200, &mut |node, _| {
        if let Some((nothing, something)) = syntax.nothing
            && let Some((object, _)) = syntax.member_of(node).filter(|_| node.kind() == syntax.member.0)
        {
            let object = site.parsed.text_of(object);
            if matches!(object.split('.').next(), Some(root) if !matches!(root, "self" | "this") || object.contains('.'))
                && !object.contains('(')
            {
                let weight = if syntax.dynamic { 1.0 } else { 0.4 };
                push((filled(something, object), filled(nothing, object)), weight);
            }
        }
        if node.kind() == syntax.index
            && let [value, index] = parts(node).as_slice()
            && index.kind() == "identifier"
        {
            let (value, index) = (site.parsed.text_of(*value), site.parsed.text_of(*index));
            let length = filled(syntax.length, value);
            push((format!("{index} < {length}"), format!("{index} >= {length}")), 0.9);
        }
        if let Some(binary) = syntax.binary(node)
            && matches!(site.parsed.text_of(binary.operator), "/" | "//" | "%")
            && binary.right.kind() == "identifier"
        {
            let divisor = site.parsed.text_of(binary.right);
            push((format!("{divisor} != 0"), format!("{divisor} == 0")), 0.8);
        }
        true
    });
    found
}

/// Bounds of sequences that the body indexes by a name of the condition (PAR's
/// range checker).
fn bounds(site: &Site<'_>) -> Vec<(String, f64)> {
    let syntax = site.scope.syntax;
    let mut found: Vec<(String, f64)> = Vec::new();
    let Some(holder) = site.parent else { return found };
    let text = site.text();
    super::syntax::each(holder, 2_000, &mut |node, _| {
        if node.kind() == syntax.index
            && let [value, index] = parts(node).as_slice()
            && value.kind() == "identifier"
            && index.kind() == "identifier"
        {
            let (value, index) = (site.parsed.text_of(*value), site.parsed.text_of(*index));
            let length = filled(syntax.length, value);
            let clause = format!("{index} < {length}");
            let about = text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == index);
            if about && !text.contains(&clause) && found.iter().all(|(known, _)| *known != clause) && found.len() < 4 {
                found.push((clause, 0.9));
            }
        }
        true
    });
    found
}

/// Clauses a condition may miss, the likeliest first: comparisons of the same
/// function, and the truth of names in scope.
pub fn clauses(site: &Site<'_>) -> Vec<(String, f64)> {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    let inside = |node: &Node<'_>| node.start_byte() < site.node.end_byte() && node.end_byte() > site.node.start_byte();
    let mut found: Vec<(String, f64)> = Vec::new();
    for name in scope.names_at(site.node.start_byte()).filter(|name| !name.global) {
        let text = name.text;
        if syntax.indented && name.shape.may_be(Shape::SEQUENCE) && !name.shape.has(Shape::CALLABLE) {
            let weight = if name.shape.has(Shape::SEQUENCE) { 0.9 } else { 0.45 };
            found.push((text.to_owned(), weight));
            found.push((format!("not {text}"), weight));
        } else if let Some((nothing, something)) = syntax.nothing.filter(|_| {
            let fits = if syntax.dynamic { name.shape.may_be(Shape::OBJECT) } else { name.shape.has(Shape::OBJECT) };
            fits && !name.shape.has(Shape::CALLABLE)
        }) {
            found.push((filled(something, text), 0.6));
            found.push((filled(nothing, text), 0.6));
        } else if !syntax.indented && name.shape.has(Shape::BOOL) {
            found.push((text.to_owned(), 0.8));
            found.push((format!("!{text}"), 0.8));
        } else if !syntax.indented
            && (name.shape.has(Shape::SEQUENCE) || name.shape.has(Shape::TEXT))
            && let Some((empty, full)) = syntax.empty
        {
            found.push((filled(empty, text), 0.7));
            found.push((filled(full, text), 0.7));
        }
        if name.shape.has(Shape::NUMBER) {
            found.push((format!("{text} > 0"), 0.45));
            found.push((format!("{text} == 0"), 0.4));
        }
        if name.shape.has(Shape::BOOL) && syntax.indented {
            found.push((text.to_owned(), 0.8));
            found.push((format!("not {text}"), 0.8));
        }
    }
    for comparison in scope.comparisons.iter().filter(|node| !inside(node)) {
        // A comparison in the body of this condition does not explain it.
        found.push((site.parsed.text_of(*comparison).to_owned(), 0.6));
    }
    let mut kept: Vec<(String, f64)> = Vec::new();
    for (clause, weight) in found {
        if clause != site.text() && !kept.iter().any(|(known, _)| *known == clause) && kept.len() < 16 {
            kept.push((clause, weight));
        }
    }
    kept
}
