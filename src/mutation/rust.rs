//! Rust's own faults: unwrapping what may be missing, unchecked arithmetic,
//! the order of an iterator, borrows.

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::grouped;
use super::place::short;
use super::shape::Shape;

/// `.unwrap()` and `?`.
pub static UNWRAP: Operator = Operator {
    name: "unwrap",
    what: "a value that may be missing is passed on or replaced, not unwrapped",
    prior: 0.5,
    apply: unwrap,
};

/// Arithmetic that may overflow.
pub static CHECKED: Operator = Operator {
    name: "overflow",
    what: "a calculation saturates or wraps instead of overflowing",
    prior: 0.5,
    apply: checked,
};

/// `.iter()` and `.iter().rev()`.
pub static ORDER: Operator =
    Operator { name: "iterator-order", what: "an iterator goes the other way", prior: 0.3, apply: order };

/// `&x`, `x.clone()`.
pub static BORROW: Operator =
    Operator { name: "borrow", what: "a value is borrowed or cloned", prior: 0.15, apply: borrow };

fn is_rust(site: &Site<'_>) -> bool {
    !site.scope.syntax.indented
}

fn unwrap<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) || site.kind() != "call_expression" {
        return;
    }
    let Some((object, member)) = site.scope.syntax.member_of(site.node) else { return };
    if !matches!(site.of(member), "unwrap" | "expect") {
        return;
    }
    let tail = member.start_byte()..site.node.end_byte();
    let note = format!("`{}` may be missing", short(site.of(object)));
    out.push(Replacement::new(tail.clone(), "unwrap_or_default()", note.clone(), 1.0));
    for literal in ["0", "1"] {
        out.push(Replacement::new(tail.clone(), format!("unwrap_or({literal})"), note.clone(), 0.3));
    }
    let result = site.scope.function.child_by_field_name("return_type").map_or("", |kind| site.of(kind));
    if result.starts_with("Option") || result.contains("Result") {
        out.push(Replacement::new(object.end_byte()..site.node.end_byte(), "?", note, 1.0));
    }
}

fn checked<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) {
        return;
    }
    let (left, right, operator, whole) = if site.kind() == "compound_assignment_expr" {
        let (Some(left), Some(right), Some(operator)) = (
            site.node.child_by_field_name("left"),
            site.node.child_by_field_name("right"),
            site.node.child_by_field_name("operator"),
        ) else {
            return;
        };
        (left, right, site.of(operator).trim_end_matches('='), false)
    } else {
        let Some(binary) = site.scope.syntax.binary(site.node) else { return };
        (binary.left, binary.right, site.of(binary.operator), true)
    };
    let methods: &[(&str, f64)] = match operator {
        "-" => &[("saturating_sub", 1.0), ("wrapping_sub", 0.5), ("abs_diff", 0.5)],
        "+" => &[("saturating_add", 0.5), ("wrapping_add", 0.6)],
        "*" => &[("saturating_mul", 0.4), ("wrapping_mul", 0.6)],
        "%" => &[("rem_euclid", 0.8)],
        "/" => &[("div_ceil", 0.6), ("div_euclid", 0.3)],
        _ => return,
    };
    // A literal on the left has no type to call a method on.
    if left.kind().ends_with("_literal") {
        return;
    }
    for (method, weight) in methods {
        let call = format!("{}.{method}({})", grouped(site, left), site.of(right));
        let text = if whole { call } else { format!("{} = {call}", site.of(left)) };
        let note = format!("`{}` may leave the range of its type", short(site.text()));
        out.push(Replacement::new(site.node.byte_range(), text, note, *weight));
    }
}

fn order<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) || site.kind() != "call_expression" {
        return;
    }
    let Some((object, member)) = site.scope.syntax.member_of(site.node) else { return };
    match site.of(member) {
        "iter" | "chars" | "into_iter" | "bytes" | "enumerate" => {
            let end = site.node.end_byte();
            out.push(Replacement::new(end..end, ".rev()", "the order has to be the other one", 1.0));
        }
        "rev" => {
            let tail = object.end_byte()..site.node.end_byte();
            out.push(Replacement::new(tail, "", "the order must not be turned round", 1.0));
        }
        _ => {}
    }
}

fn borrow<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) {
        return;
    }
    let argument = site.parent.is_some_and(|parent| parent.kind() == "arguments");
    match site.kind() {
        "identifier" | "field_expression" if argument => {
            if site.scope.shape(site.text()).has(Shape::NUMBER) {
                return;
            }
            let note = format!("`{}` is used again later", short(site.text()));
            out.push(Replacement::new(site.node.byte_range(), format!("&{}", site.text()), note.clone(), 0.8));
            out.push(Replacement::new(site.node.byte_range(), format!("{}.clone()", site.text()), note, 0.8));
        }
        "reference_expression" if argument => {
            if let Some(value) = site.node.child_by_field_name("value") {
                let note = format!("`{}` is to be given away, not lent", short(site.of(value)));
                out.push(Replacement::new(site.node.byte_range(), site.of(value), note, 0.5));
            }
        }
        _ => {}
    }
}
