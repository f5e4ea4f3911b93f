//! The classic operators of mutation testing, small and sure to change what
//! the code does: relational, arithmetic, logical, constants, conditions,
//! statements, results (Offutt et al. 1996, "an experimental determination of
//! sufficient mutant operators"; DeMillo's deletion).
//!
//! They ask whether tests notice; repairs are made by the other files, whose
//! changes are chosen for being likely right. Here each place gets the few
//! changes that are most likely to be noticed by a test that looks at all.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;
use super::syntax::parts;

/// `<` becomes `<=` and `>=`, `==` becomes `!=`.
pub static RELATIONAL: Operator = Operator {
    name: "classic-relational",
    what: "a comparison moves its boundary or turns round",
    prior: 0.98,
    apply: relational,
};

/// `+` becomes `-`, `*` becomes a division.
pub static ARITHMETIC: Operator =
    Operator { name: "classic-arithmetic", what: "a calculation uses the inverse", prior: 0.95, apply: arithmetic };

/// `and` becomes `or`.
pub static LOGICAL: Operator =
    Operator { name: "classic-logical", what: "`and` and `or` change places", prior: 0.9, apply: logical };

/// A condition that is no comparison is negated.
pub static CONDITION: Operator =
    Operator { name: "classic-condition", what: "a condition becomes its opposite", prior: 0.9, apply: condition };

/// A condition is always the same: one way of the branch is never taken.
pub static BRANCH: Operator =
    Operator { name: "classic-branch", what: "a branch always goes one way", prior: 1.0, apply: branch };

/// A number is one more, a truth its opposite, a text another one.
pub static CONSTANT: Operator =
    Operator { name: "classic-constant", what: "a constant becomes another one", prior: 0.8, apply: constant };

/// A function gives back another value.
pub static RESULT: Operator =
    Operator { name: "classic-result", what: "a function gives nothing back", prior: 0.7, apply: result };

/// A function that decides decides always in the same way.
pub static TRUTH: Operator =
    Operator { name: "classic-truth", what: "a decision is always the same", prior: 1.0, apply: truth };

/// A statement goes.
pub static DELETED: Operator =
    Operator { name: "classic-deleted", what: "a statement is left out", prior: 0.85, apply: deleted };

fn relational<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    for binary in site.scope.syntax.binaries(site.node) {
        let old = site.of(binary.operator);
        let others: &[&str] = match old {
            "<" => &[">=", "<="],
            "<=" => &[">", "<"],
            ">" => &["<=", ">="],
            ">=" => &["<", ">"],
            "==" => &["!="],
            "!=" => &["=="],
            "===" => &["!=="],
            "!==" => &["==="],
            "in" => &["not in"],
            "not in" => &["in"],
            "is" => &["is not"],
            "is not" => &["is"],
            _ => continue,
        };
        for (new, weight) in others.iter().zip([1.0, 0.85]) {
            out.push(Replacement::new(binary.operator.byte_range(), *new, format!("`{old}` is not `{new}`"), weight));
        }
    }
}

fn inverse(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "+" => "-",
        "-" => "+",
        "*" => "/",
        "/" | "//" | "%" | "**" => "*",
        "&" => "|",
        "|" => "&",
        "^" => "&",
        "<<" => ">>",
        ">>" => "<<",
        _ => return None,
    })
}

fn arithmetic<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if let Some(token) = syntax.augmentation(site.node)
        && let Some(new) = inverse(site.of(token).trim_end_matches('='))
    {
        let note = format!("`{}` is not `{new}=`", site.of(token));
        out.push(Replacement::new(token.byte_range(), format!("{new}="), note, 1.0));
        return;
    }
    let Some(binary) = syntax.binary(site.node) else { return };
    // Texts and lists are only ever joined: `-` between them tells nothing.
    let joined = [binary.left, binary.right].iter().any(|side| {
        matches!(
            side.kind(),
            "string"
                | "string_literal"
                | "list"
                | "tuple"
                | "concatenated_string"
                | "template_string"
                | "interpreted_string_literal"
                | "raw_string_literal"
        )
    });
    if let Some(new) = inverse(site.of(binary.operator)).filter(|_| !joined) {
        let note = format!("`{}` is not `{new}` in `{}`", site.of(binary.operator), short(site.text()));
        out.push(Replacement::new(binary.operator.byte_range(), new, note, 1.0));
    }
}

fn logical<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(binary) = syntax.binary(site.node) else { return };
    let old = site.of(binary.operator);
    let new = match old {
        _ if old == syntax.and => syntax.or,
        _ if old == syntax.or => syntax.and,
        _ => return,
    };
    out.push(Replacement::new(binary.operator.byte_range(), new, format!("`{old}` is not `{new}`"), 1.0));
}

fn condition<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let tested = site.parent.and_then(|parent| syntax.condition_of(parent)) == Some(site.node);
    // Comparisons have opposites of their own; an endless loop tells little.
    let compared = syntax.binaries(site.node).iter().any(|binary| syntax.is_comparison(site.of(binary.operator)));
    let truth = matches!(site.text(), "True" | "False" | "true" | "false");
    if !tested || compared || truth {
        return;
    }
    let note = format!("`{}` is not its opposite", short(site.text()));
    out.push(Replacement::new(site.node.byte_range(), format!("{}({})", syntax.not, site.text()), note, 1.0));
}

fn branch<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(parent) = site.parent.filter(|parent| syntax.condition_of(*parent) == Some(site.node)) else { return };
    let statement = if syntax.parenthesised && parent.kind() == "parenthesized_expression" {
        parent.parent().unwrap_or(parent)
    } else {
        parent
    };
    if [syntax.truth.0, syntax.truth.1].contains(&site.text()) {
        return;
    }
    // A loop that never ends tells little, and late.
    let repeats = syntax.loops.contains(&statement.kind()) || statement.kind() == "for_clause";
    for (new, never) in [(syntax.truth.0, syntax.truth.1), (syntax.truth.1, syntax.truth.0)] {
        if repeats && new == syntax.truth.0 {
            continue;
        }
        let note = format!("`{}` is ever `{never}`", short(site.text()));
        out.push(Replacement::new(site.node.byte_range(), new, note, 1.0));
    }
}

fn constant<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (syntax, text) = (site.scope.syntax, site.text());
    let mut push = |new: String, weight: f64| {
        let note = format!("`{}` is not `{}`", short(text), short(&new));
        out.push(Replacement::new(site.node.byte_range(), new, note, weight));
    };
    match site.kind() {
        "true" | "false" | "boolean_literal" => {
            let new = if text == syntax.truth.0 { syntax.truth.1 } else { syntax.truth.0 };
            push(new.to_owned(), 1.0);
        }
        kind if kind == syntax.integer => {
            let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
            let (number, suffix) = text.split_at(digits);
            let Ok(value) = number.replace('_', "").parse::<u64>() else { return };
            push(format!("{}{suffix}", value.saturating_add(1)), 1.0);
            if value > 0 {
                push(format!("{}{suffix}", value - 1), 0.6);
            }
        }
        "float" | "float_literal" | "decimal_floating_point_literal" => {
            if let Ok(value) = text.parse::<f64>() {
                push(format!("{:?}", value + 1.0), 1.0);
            }
        }
        kind if kind == syntax.string => {
            let plain = text.len() > 2 && text.starts_with(['"', '\'']) && !text.starts_with("\"\"\"");
            if plain && !text.contains('{') {
                push(text[..1].to_owned() + &text[..1], 0.7);
            } else if let Some(pattern) = raw(text) {
                // An empty pattern would match everywhere, and without an end.
                let quote = &pattern[..1];
                push(format!("{}~{quote}", &text[..text.len() - 1]), 0.7);
            }
        }
        _ => {}
    }
}

/// Python's `r'…'` behind its `r`, unless empty or of three quotes.
fn raw(text: &str) -> Option<&str> {
    let quoted = text.strip_prefix(['r', 'R'])?;
    let quote = quoted.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let plain = quoted.len() > 2 && quoted.ends_with(quote) && !quoted[1..].starts_with(quote);
    plain.then_some(quoted)
}

fn result<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let value = match returned(site) {
        Some(value) => value,
        // The last expression of a Rust function is its result.
        None if syntax.tail_values && is_tail(site) => site.node,
        None => return,
    };
    let text = site.of(value);
    let Some(new) = nothing(site) else { return };
    if is_decision(site, value)
        || text == new
        || matches!(text, "None" | "()" | "self" | "null" | "nil" | "undefined" | "this")
        || value.kind().starts_with("if")
    {
        return;
    }
    // Other types than the plain ones often have no default.
    let weight = if syntax.tail_values { 0.4 } else { 1.0 };
    let note = format!("the result is `{}`", short(text));
    out.push(Replacement::new(value.byte_range(), new, note, weight));
}

/// The value of a return; the list that Go has around it is no other place.
fn returned<'a>(site: &Site<'a>) -> Option<Node<'a>> {
    site.scope.syntax.returned(site.node).filter(|_| site.kind() != "expression_list")
}

/// What a function gives that gives nothing, by what it says of its result;
/// `None` where that is a truth, or not known.
fn nothing(site: &Site<'_>) -> Option<&'static str> {
    let syntax = site.scope.syntax;
    if syntax.indented {
        return Some("None");
    }
    if syntax.tail_values {
        return Some("Default::default()");
    }
    if syntax.dynamic {
        return Some("undefined");
    }
    let written = syntax.result_of(site.scope.function).map(|result| site.parsed.text_of(result))?;
    Some(match written {
        "bool" | "boolean" | "void" => return None,
        "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32" | "uint64" | "byte"
        | "rune" | "long" | "short" | "float" | "float32" | "float64" | "double" | "char" => "0",
        "string" => "\"\"",
        // In Java every other type has no value too; in Go these do.
        _ if syntax.end == ";" => "null",
        _ if written.starts_with(['*', '[']) || written.starts_with("map[") || written == "error" => "nil",
        _ => return None,
    })
}

/// The result of a comparison, of `and`, `or` or `not` becomes a constant.
fn truth<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let value = match returned(site) {
        Some(value) => value,
        None if syntax.tail_values && is_tail(site) => site.node,
        None => return,
    };
    if !is_decision(site, value) && !is_comparing(site) {
        return;
    }
    for (new, never) in [(syntax.truth.0, syntax.truth.1), (syntax.truth.1, syntax.truth.0)] {
        let note = format!("`{}` is ever `{never}`", short(site.of(value)));
        out.push(Replacement::new(value.byte_range(), new, note, 1.0));
    }
}

/// Methods by which values are compared: whatever they give is a truth.
const COMPARING: &[&str] = &["__eq__", "__ne__", "__contains__", "eq", "ne", "equals", "Equal", "Equals"];

fn is_comparing(site: &Site<'_>) -> bool {
    let name = site.scope.syntax.name_of(site.scope.function);
    name.is_some_and(|name| COMPARING.contains(&site.of(name)))
}

/// Whether an expression gives a truth. `a or b` of Python gives a value.
fn is_decision<'a>(site: &Site<'a>, value: Node<'a>) -> bool {
    let syntax = site.scope.syntax;
    match value.kind() {
        "not_operator" => true,
        "unary_expression" => site.of(value).starts_with('!'),
        "parenthesized_expression" => value.named_child(0).is_some_and(|inner| is_decision(site, inner)),
        _ => syntax.binaries(value).iter().any(|binary| {
            let operator = site.of(binary.operator);
            let sides = operator == syntax.and || operator == syntax.or;
            syntax.is_comparison(operator)
                || sides && (!syntax.dynamic || is_decision(site, binary.left) && is_decision(site, binary.right))
        }),
    }
}

fn is_tail(site: &Site<'_>) -> bool {
    let Some(body) = site.scope.function.child_by_field_name("body") else { return false };
    site.parent == Some(body)
        && parts(body).last() == Some(&site.node)
        && !site.kind().ends_with("_statement")
        && !site.kind().ends_with("_item")
        && !matches!(site.kind(), "match_expression" | "loop_expression" | "while_expression" | "for_expression")
        && site.scope.syntax.result_of(site.scope.function).is_some()
}

fn deleted<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if !syntax.is_in_list(site.node) {
        return;
    }
    let Some(inner) = syntax.inner(site.node) else { return };
    // Without its first assignment a name is unknown: that tells nothing, and
    // a step of a loop that goes makes the loop endless, which costs time.
    let weight = match inner.kind() {
        kind if kind == syntax.call => 1.0,
        _ if syntax.augmentation(inner).is_some() => 0.7,
        "update_expression" | "inc_statement" | "dec_statement" => 0.7,
        "assignment" if inner.child_by_field_name("left").is_some_and(|left| !is_first(site, left)) => 0.8,
        "assignment_expression" | "assignment_statement" => 0.8,
        "yield" | "await" | "macro_invocation" | "await_expression" | "yield_expression" => 0.8,
        "return_expression" if inner.named_child_count() > 0 => 0.9,
        _ => return,
    };
    let new = if syntax.indented { "pass" } else { ";" };
    let note = format!("`{}` is there", short(site.text()));
    out.push(Replacement::new(site.node.byte_range(), new, note, weight));
}

fn is_first(site: &Site<'_>, left: Node<'_>) -> bool {
    let name = site.parsed.text_of(left);
    left.kind() == "identifier" && site.scope.assigned.iter().filter(|(other, _)| *other == name).count() < 2
}

#[cfg(test)]
mod tests;
