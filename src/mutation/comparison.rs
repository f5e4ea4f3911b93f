//! Comparisons: the boundary, the direction, the operator itself, a base case
//! that is too narrow (Offutt's ROR; TBar FP11.1).

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;

/// `<` and `<=`, `>` and `>=`.
pub static BOUNDARY: Operator = Operator {
    name: "comparison-boundary",
    what: "a comparison includes or excludes its boundary",
    prior: 0.9,
    apply: boundary,
};

/// Any other comparison of the same kind.
pub static OPERATOR: Operator =
    Operator { name: "comparison-operator", what: "a comparison uses another operator", prior: 0.6, apply: operator };

/// `len(x) == 0` becomes `len(x) <= 1`: operator and bound change together,
/// since either alone means the same as before or nothing.
pub static WIDENED: Operator = Operator {
    name: "base-case-widened",
    what: "an equality becomes a bound that takes in the next value",
    prior: 0.45,
    apply: widened,
};

fn boundary<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    for binary in site.scope.syntax.binaries(site.node) {
        let new = match site.of(binary.operator) {
            "<" => "<=",
            "<=" => "<",
            ">" => ">=",
            ">=" => ">",
            _ => continue,
        };
        out.push(Replacement::new(binary.operator.byte_range(), new, "the boundary of the comparison is off", 1.0));
    }
}

fn operator<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let python = site.scope.syntax.indented;
    for binary in site.scope.syntax.binaries(site.node) {
        let others: &[(&str, f64)] = match site.of(binary.operator) {
            "<" => &[(">", 1.0), (">=", 0.7), ("!=", 0.4), ("==", 0.2)],
            "<=" => &[(">=", 1.0), (">", 0.7), ("==", 0.3), ("!=", 0.2)],
            ">" => &[("<", 1.0), ("<=", 0.7), ("!=", 0.4), ("==", 0.2)],
            ">=" => &[("<=", 1.0), ("<", 0.7), ("==", 0.3), ("!=", 0.2)],
            "==" => &[("!=", 1.0), ("<=", 0.7), (">=", 0.7)],
            "!=" => &[("==", 1.0), ("<", 0.6), (">", 0.6)],
            "===" => &[("!==", 1.0), ("<=", 0.7), (">=", 0.7)],
            "!==" => &[("===", 1.0), ("<", 0.6), (">", 0.6)],
            "in" if python => &[("not in", 1.0)],
            "not in" => &[("in", 1.0)],
            "is" => &[("is not", 1.0), ("==", 0.8)],
            "is not" => &[("is", 1.0), ("!=", 0.8)],
            _ => continue,
        };
        for (new, weight) in others {
            let note = "the comparison uses the wrong operator";
            out.push(Replacement::new(binary.operator.byte_range(), *new, note, *weight));
        }
    }
}

fn widened<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if let Some(binary) = syntax.binary(site.node)
        && matches!(site.of(binary.operator), "==" | "===" | "<" | "<=")
        && binary.right.kind() == syntax.integer
        && let Ok(bound) = site.of(binary.right).parse::<i64>()
    {
        let next = match site.of(binary.operator) {
            "==" | "===" => format!("{} <= {}", site.of(binary.left), bound + 1),
            // `<` and `<=` with another number: off by one does that.
            _ => return,
        };
        let note = format!("the case of one more than `{}` is missed", short(site.text()));
        out.push(Replacement::new(site.node.byte_range(), next, note, 1.0));
    }
    // `not x` and `x == []` miss the sequence of one element.
    if matches!(site.kind(), "not_operator")
        && let Some(name) = site.node.child_by_field_name("argument").filter(|inner| inner.kind() == "identifier")
        && site.scope.shape(site.of(name)).has(super::shape::Shape::SEQUENCE)
    {
        let text = format!("len({}) <= 1", site.of(name));
        out.push(Replacement::new(site.node.byte_range(), text, "the sequence of one element is missed", 0.5));
    }
}
