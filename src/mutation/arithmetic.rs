//! Calculations: operators, augmented assignments, order and number of
//! operands (Offutt's AOR, LOR, SOR; TBar FP11.2 and FP11.3).

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::grouped;
use super::place::sum_in_place;
use super::shape;
use super::shape::Shape;

/// Another operator between the same operands.
pub static OPERATOR: Operator =
    Operator { name: "arithmetic-operator", what: "a calculation uses another operator", prior: 0.65, apply: operator };

/// Another operator of an assignment, or plain assignment.
pub static AUGMENTED: Operator = Operator {
    name: "augmented-assignment",
    what: "an assignment accumulates in another way, or not at all",
    prior: 0.7,
    apply: augmented,
};

/// `a - b` becomes `b - a`.
pub static OPERANDS_SWAPPED: Operator = Operator {
    name: "operands-swapped",
    what: "the sides of an operator change places",
    prior: 0.5,
    apply: operands_swapped,
};

/// `a + b` becomes `a` or `b`.
pub static OPERAND_DROPPED: Operator =
    Operator { name: "operand-dropped", what: "one side of a calculation goes", prior: 0.4, apply: operand_dropped };

/// `a` becomes `a * b`.
pub static OPERAND_MISSING: Operator = Operator {
    name: "operand-missing",
    what: "a number of a calculation or comparison is multiplied, raised or reduced by another",
    prior: 0.2,
    apply: operand_missing,
};

/// The others of an operator, the likeliest first.
fn others(operator: &str, python: bool) -> &'static [(&'static str, f64)] {
    match operator {
        "+" => &[("-", 1.0), ("*", 0.5)],
        "-" => &[("+", 1.0), ("*", 0.2)],
        "*" if python => &[("+", 0.6), ("/", 0.6), ("**", 0.7), ("//", 0.4)],
        "*" => &[("+", 0.7), ("/", 0.7)],
        "/" if python => &[("//", 1.0), ("*", 0.7), ("%", 0.4)],
        "/" => &[("%", 0.8), ("*", 0.8)],
        "//" => &[("/", 1.0), ("%", 0.7), ("*", 0.5)],
        "%" if python => &[("//", 0.8), ("/", 0.4), ("*", 0.3)],
        "%" => &[("/", 0.9), ("*", 0.3)],
        "**" => &[("*", 1.0)],
        "^" if python => &[("&", 1.0), ("|", 0.8), ("**", 0.8)],
        "^" => &[("&", 1.0), ("|", 0.9)],
        "&" => &[("|", 1.0), ("^", 0.9)],
        "|" => &[("&", 1.0), ("^", 0.9)],
        "<<" => &[(">>", 1.0)],
        ">>" => &[("<<", 1.0)],
        _ => &[],
    }
}

fn operator<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(binary) = syntax.binary(site.node) else { return };
    let texts =
        [binary.left, binary.right].iter().any(|side| shape::of_value(site.parsed, syntax, *side).has(Shape::TEXT));
    for (new, weight) in others(site.of(binary.operator), syntax.indented) {
        // Strings are only ever joined.
        if !texts {
            let note = "the calculation uses the wrong operator";
            out.push(Replacement::new(binary.operator.byte_range(), *new, note, *weight));
        }
    }
}

fn augmented<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if !matches!(site.kind(), kind if kind == syntax.assignment || kind == syntax.augmented) {
        return;
    }
    let Some((left, right)) = syntax.assigned(site.node) else { return };
    let gap = left.end_byte()..right.start_byte();
    if let Some(token) = syntax.augmentation(site.node) {
        for (new, weight) in others(site.of(token).trim_end_matches('='), syntax.indented) {
            let note = "the assignment accumulates with the wrong operator";
            out.push(Replacement::new(token.byte_range(), format!("{new}="), note, *weight));
        }
        out.push(Replacement::new(token.byte_range(), "=", "the value is replaced, not accumulated", 0.4));
    } else if site.kind() == syntax.assignment
        && site.node.child_by_field_name("type").is_none()
        && site.of(gap_node(site, left, right).unwrap_or(left)) == "="
    {
        // An accumulator that is overwritten: it is assigned elsewhere too.
        let name = site.of(left);
        let again = site.scope.assigned.iter().filter(|(other, _)| *other == name).count() > 1;
        if again || left.kind() != "identifier" {
            let weight = if again { 0.7 } else { 0.3 };
            out.push(Replacement::new(gap.clone(), " += ", "the value is accumulated, not replaced", weight));
            out.push(Replacement::new(gap, " -= ", "the value is counted down, not replaced", weight * 0.4));
        }
    }
}

fn gap_node<'a>(
    site: &Site<'a>,
    left: tree_sitter::Node<'a>,
    right: tree_sitter::Node<'a>,
) -> Option<tree_sitter::Node<'a>> {
    let mut cursor = site.node.walk();
    site.node
        .children(&mut cursor)
        .find(|child| child.start_byte() >= left.end_byte() && child.end_byte() <= right.start_byte())
}

fn operands_swapped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    // The parts of a key `table[i, j]` are operands too.
    if site.kind() == syntax.index || site.kind() == "tuple" {
        let parts = super::syntax::parts(site.node);
        let parts = if site.kind() == syntax.index { parts.get(1..).unwrap_or_default() } else { &parts[..] };
        if let [first, second] = parts
            && first.kind() != syntax.slice
        {
            let text = format!("{}, {}", site.of(*second), site.of(*first));
            let note = "the two parts are the wrong way round";
            out.push(Replacement::new(first.start_byte()..second.end_byte(), text, note, 0.8));
        }
    }
    let Some(binary) = syntax.binary(site.node) else { return };
    let operator = site.of(binary.operator);
    let weight = match operator {
        "-" | "/" | "//" | "%" | "**" | "<<" | ">>" => 1.0,
        "in" | "not in" => 0.2,
        // Addition is commutative for numbers only.
        "+" if [binary.left, binary.right].iter().any(|side| {
            let own = shape::of_value(site.parsed, syntax, *side);
            own.has(Shape::NUMBER) || site.scope.shape(site.of(*side)).has(Shape::NUMBER)
        }) =>
        {
            return;
        }
        "+" => 0.8,
        _ => return,
    };
    let (left, right) = (grouped(site, binary.left), grouped(site, binary.right));
    let note = format!("the sides of `{operator}` are the wrong way round");
    out.push(Replacement::new(site.node.byte_range(), format!("{right} {operator} {left}"), note, weight));
}

fn operand_dropped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let Some(binary) = site.scope.syntax.binary(site.node) else { return };
    if !matches!(site.of(binary.operator), "+" | "-" | "*" | "/" | "//" | "%" | "**" | "&" | "|" | "^" | "<<" | ">>") {
        return;
    }
    for (kept, dropped) in [(binary.left, binary.right), (binary.right, binary.left)] {
        if kept == binary.right && matches!(site.of(binary.operator), "-" | "/" | "//" | "%" | "**" | "<<" | ">>") {
            continue;
        }
        // A lone literal is hardly ever what was meant.
        let literal = matches!(
            kept.kind(),
            "integer"
                | "integer_literal"
                | "string"
                | "string_literal"
                | "float"
                | "number"
                | "int_literal"
                | "decimal_integer_literal"
                | "interpreted_string_literal"
        );
        let weight = if literal { 0.2 } else { 0.9 };
        let note = format!("`{}` does not belong here", super::place::short(site.of(dropped)));
        out.push(Replacement::new(site.node.byte_range(), site.of(kept), note, weight));
    }
}

fn operand_missing<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    let Some(parent) = site.parent.filter(|_| site.kind() == "identifier") else { return };
    let calculated = |operator: &str| matches!(operator, "+" | "-" | "<" | "<=" | ">" | ">=");
    let operand = syntax.binaries(parent).iter().any(|binary| calculated(site.of(binary.operator)));
    let shape = scope.shape(site.text());
    if !operand || !shape.may_be(Shape::NUMBER) || scope.name(site.text()).is_none() {
        return;
    }
    let sure = if shape.has(Shape::NUMBER) { 1.0 } else { 0.7 };
    let numbers = scope.names_at(site.node.start_byte()).filter(|name| !name.global && name.shape.has(Shape::NUMBER));
    for name in numbers.take(6) {
        let own = name.text == site.text();
        let ways: &[(&str, f64)] = if own { &[("*", 0.5)] } else { &[("*", 1.0), ("-", 0.6), ("+", 0.6)] };
        for (operator, weight) in ways {
            let text = format!("{} {operator} {}", site.text(), name.text);
            let note = format!("`{}` is left out of the calculation", name.text);
            let new = sum_in_place(site, site.node, site.parent, text);
            out.push(Replacement::new(site.node.byte_range(), new, note, weight * sure));
        }
    }
}
