//! Rust's own faults: unwrapping what may be missing, unchecked arithmetic and
//! indices, the order and the part of an iterator, the wrong variant, borrows.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::grouped;
use super::place::short;
use super::shape::Shape;
use super::syntax::parts;

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

/// `.skip(1)`, `.take(n)`, and away with them.
pub static PART: Operator =
    Operator { name: "iterator-part", what: "an iterator gives a part, or all", prior: 0.3, apply: part };

/// `xs[i]` and `xs.get(i)`.
pub static LOOKUP: Operator = Operator {
    name: "checked-index",
    what: "an index that may be out of range gives nothing instead of a panic",
    prior: 0.45,
    apply: lookup,
};

/// `Light::Red` and `Light::Green`.
pub static VARIANT: Operator = Operator {
    name: "wrong-variant",
    what: "a variant or constant becomes another of the same type",
    prior: 0.5,
    apply: variant,
};

/// `&x`, `x.clone()`.
pub static BORROW: Operator =
    Operator { name: "borrow", what: "a value is borrowed or cloned", prior: 0.15, apply: borrow };

fn is_rust(site: &Site<'_>) -> bool {
    site.scope.syntax.tail_values
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
    let result = site.scope.syntax.result_of(site.scope.function).map_or("", |kind| site.of(kind));
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
    if whole {
        may_fail(site, left, right, operator, out);
    }
    for (method, weight) in methods {
        let call = format!("{}.{method}({})", grouped(site, left), site.of(right));
        let text = if whole { call } else { format!("{} = {call}", site.of(left)) };
        let note = format!("`{}` may leave the range of its type", short(site.text()));
        out.push(Replacement::new(site.node.byte_range(), text, note, *weight));
    }
}

/// In a function that may give nothing: nothing where the value leaves its
/// range.
fn may_fail<'a>(site: &Site<'a>, left: Node<'a>, right: Node<'a>, operator: &str, out: &mut Vec<Replacement>) {
    let method = match operator {
        "-" => "checked_sub",
        "+" => "checked_add",
        "*" => "checked_mul",
        "/" => "checked_div",
        "%" => "checked_rem",
        _ => return,
    };
    if !gives_option(site) {
        return;
    }
    let note = format!("`{}` may have no value", short(site.text()));
    let call = format!("{}.{method}({})", grouped(site, left), site.of(right));
    if let Some(whole) = wrapped_in_some(site, site.node) {
        out.push(Replacement::new(whole.byte_range(), call, note, 1.0));
    } else {
        out.push(Replacement::new(site.node.byte_range(), format!("{call}?"), note, 0.9));
    }
}

fn gives_option(site: &Site<'_>) -> bool {
    let result = site.scope.syntax.result_of(site.scope.function);
    result.is_some_and(|kind| site.parsed.text_of(kind).starts_with("Option"))
}

/// The call `Some(value)` around `value`.
fn wrapped_in_some<'a>(site: &Site<'a>, value: Node<'a>) -> Option<Node<'a>> {
    let call = value.parent()?.parent()?;
    let callee = site.scope.syntax.callee(call).filter(|_| call.kind() == "call_expression")?;
    let alone = site.scope.syntax.arguments(call).as_slice() == [value];
    (alone && site.of(callee) == "Some").then_some(call)
}

fn lookup<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) || site.kind() != "index_expression" || !gives_option(site) {
        return;
    }
    let [value, index] = parts(site.node)[..] else { return };
    let get = format!("{}.get({})", grouped(site, value), site.of(index));
    let note = format!("`{}` may be out of range", short(site.of(index)));
    let lent = site.parent.filter(|parent| parent.kind() == "reference_expression");
    let outer = lent.unwrap_or(site.node);
    let by_value = lent.is_none() && index.kind() != "range_expression";
    match wrapped_in_some(site, outer) {
        Some(whole) if by_value => {
            for copy in ["copied", "cloned"] {
                out.push(Replacement::new(whole.byte_range(), format!("{get}.{copy}()"), note.clone(), 0.9));
            }
        }
        Some(whole) => out.push(Replacement::new(whole.byte_range(), get, note, 1.0)),
        None if by_value => out.push(Replacement::new(outer.byte_range(), format!("*{get}?"), note, 0.8)),
        None => out.push(Replacement::new(outer.byte_range(), format!("{get}?"), note, 0.8)),
    }
}

fn part<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) || site.kind() != "call_expression" {
        return;
    }
    let Some((object, member)) = site.scope.syntax.member_of(site.node) else { return };
    let end = site.node.end_byte();
    match site.of(member) {
        "iter" | "into_iter" | "lines" | "chars" | "bytes" | "split" | "split_whitespace" | "rev" => {
            out.push(Replacement::new(end..end, ".skip(1)", "the first element is to be left out", 0.9));
            if site.of(member) == "split" || site.of(member) == "lines" {
                let filter = ".filter(|part| !part.is_empty())";
                out.push(Replacement::new(end..end, filter, "empty parts are to be left out", 0.7));
            }
        }
        "skip" | "take" | "step_by" => {
            let tail = object.end_byte()..end;
            out.push(Replacement::new(tail, "", "no element is to be left out", 0.8));
        }
        _ => {}
    }
}

fn variant<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_rust(site) || site.kind() != "scoped_identifier" {
        return;
    }
    let (Some(path), Some(name)) = (site.node.child_by_field_name("path"), site.node.child_by_field_name("name"))
    else {
        return;
    };
    let called = site.parent.is_some_and(|parent| parent.kind() == "call_expression");
    let pattern = site.parent.is_some_and(|parent| {
        parent.kind().ends_with("_pattern") || parent.child_by_field_name("pattern") == Some(site.node)
    });
    if pattern || called {
        return;
    }
    let known = site.scope.file.variants.get(site.of(path)).map(Vec::as_slice).unwrap_or_default();
    for other in known.iter().take(12).filter(|other| **other != site.of(name)) {
        let note = format!("`{other}` is meant, not `{}`", site.of(name));
        out.push(Replacement::new(name.byte_range(), *other, note, 1.0));
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
        "cmp" | "partial_cmp" | "total_cmp" => {
            if let [other] = site.scope.syntax.arguments(site.node)[..]
                && let Some(value) =
                    other.child_by_field_name("value").filter(|_| other.kind() == "reference_expression")
            {
                let new = format!("{}.{}(&{})", grouped(site, value), site.of(member), site.of(object));
                let note = "the order has to be the other one";
                out.push(Replacement::new(site.node.byte_range(), new, note, 1.6));
            }
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
