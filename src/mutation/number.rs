//! Off by one: literals, indices, bounds, arguments, lengths (TBar FP9 and
//! FP11; the commonest single-number faults).

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::sum_in_place;
use super::shape;
use super::shape::Shape;

/// One more or one less.
pub static OFF_BY_ONE: Operator = Operator {
    name: "off-by-one",
    what: "a number, index, bound or length is one more or one less",
    prior: 0.8,
    apply: off_by_one,
};

fn off_by_one<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if site.kind() == site.scope.syntax.integer {
        literal(site, out);
        return;
    }
    dropped_one(site, out);
    let Some(weight) = weight_of_place(site) else { return };
    let text = site.text();
    for (sign, direction) in [("-", "less"), ("+", "more")] {
        let note = format!("one {direction} than `{}` is meant", super::place::short(text));
        let new = sum_in_place(site, site.node, site.parent, format!("{text} {sign} 1"));
        out.push(Replacement::new(site.node.byte_range(), new, note, weight));
    }
}

fn literal<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let Ok(value) = site.text().parse::<i64>() else { return };
    let syntax = site.scope.syntax;
    let parent = site.parent.map_or("", |parent| parent.kind());
    let counted = parent == syntax.index
        || parent == syntax.slice
        || syntax.binary.contains(&parent)
        || matches!(parent, "argument_list" | "arguments");
    let minus = parent == "unary_operator" || parent == "unary_expression";
    let weight = if counted { 1.0 } else { 0.5 };
    for (step, weight) in [(-1, weight), (1, weight)] {
        let Some(new) = value.checked_add(step) else { continue };
        if new < 0 && (minus || syntax.tail_values) {
            continue;
        }
        let note = format!("{value} is off by one");
        out.push(Replacement::new(site.node.byte_range(), new.to_string(), note, weight));
    }
}

/// `x + 1` and `x - 1` become `x`.
fn dropped_one<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if let Some(binary) = site.scope.syntax.binary(site.node)
        && matches!(site.of(binary.operator), "+" | "-")
        && site.of(binary.right) == "1"
    {
        let note = format!("`{} 1` is one too far", site.of(binary.operator));
        out.push(Replacement::new(site.node.byte_range(), site.of(binary.left), note, 1.0));
    }
}

/// How likely the expression is off by one, by where it stands; `None` where
/// it cannot be.
fn weight_of_place(site: &Site<'_>) -> Option<f64> {
    let (syntax, node, parent) = (site.scope.syntax, site.node, site.parent?);
    let kind = node.kind();
    let length = kind == syntax.call
        && (site.text().starts_with("len(")
            || site.text().ends_with(".len()")
            || site.text().ends_with(".count()")
            || site.text().ends_with(".size()"))
        || kind == syntax.member.0 && site.text().ends_with(".length");
    let number = match kind {
        "identifier" => site.scope.shape(site.text()).may_be(Shape::NUMBER) && site.scope.name(site.text()).is_some(),
        _ if length => true,
        _ if kind == syntax.member.0 => site.scope.shape(site.text()) == Shape::UNKNOWN,
        _ if syntax.binary.contains(&kind) => {
            shape::of_value(site.parsed, syntax, node) == Shape::NUMBER && !ends_in_one(site)
        }
        _ => false,
    };
    if !number {
        return None;
    }
    let known = kind != "identifier" || site.scope.shape(site.text()).has(Shape::NUMBER);
    let sure = if known { 1.0 } else { 0.5 };
    let is_step = syntax.binaries(parent).iter().any(|binary| {
        matches!(site.of(binary.operator), "+" | "-") && binary.left == node && site.of(binary.right) == "1"
    });
    if is_step {
        return None;
    }
    let place = match parent.kind() {
        kind if kind == syntax.index => (parent.named_child(0) != Some(node)).then_some(0.9),
        kind if kind == syntax.slice => Some(0.9),
        "argument_list" | "arguments" => {
            let call = parent.parent()?;
            let callee = syntax.callee(call).map_or("", |callee| site.parsed.text_of(callee));
            match callee {
                "range" => Some(1.0),
                "len" | "str" | "print" | "isinstance" | "Some" | "Ok" | "String" | "append" => None,
                _ if callee.ends_with(site.scope.name) && !site.scope.name.is_empty() => Some(0.9),
                _ => Some(0.4),
            }
        }
        kind if syntax.binary.contains(&kind) => {
            let operator = syntax.binary(parent).map_or("", |binary| site.of(binary.operator));
            match operator {
                "<" | "<=" | ">" | ">=" => Some(0.6),
                "==" | "!=" => Some(0.5),
                _ if length => Some(0.7),
                _ => Some(0.25),
            }
        }
        _ if syntax.augmentation(parent).is_none()
            && let Some((_, value)) = syntax.assigned(parent) =>
        {
            (value == node).then_some(if length { 0.8 } else { 0.5 })
        }
        _ if syntax.returned(parent) == Some(node) => Some(0.5),
        "parenthesized_expression" | "expression_list" if length => Some(0.7),
        "block" if syntax.tail_values => Some(0.4),
        _ if length && parent.kind() != "expression_statement" => Some(0.4),
        _ => None,
    }?;
    Some(place * sure)
}

fn ends_in_one(site: &Site<'_>) -> bool {
    site.scope.syntax.binary(site.node).is_some_and(|binary| site.parsed.text_of(binary.right) == "1")
}
