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
    prior: 1.0,
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
    if site.kind() == syntax.augmented
        && let Some(token) = site.node.child_by_field_name("operator")
        && let Some(new) = inverse(site.of(token).trim_end_matches('='))
    {
        let note = format!("`{}` is not `{new}=`", site.of(token));
        out.push(Replacement::new(token.byte_range(), format!("{new}="), note, 1.0));
        return;
    }
    let Some(binary) = syntax.binary(site.node) else { return };
    // Texts and lists are only ever joined: `-` between them tells nothing.
    let joined = [binary.left, binary.right]
        .iter()
        .any(|side| matches!(side.kind(), "string" | "string_literal" | "list" | "tuple" | "concatenated_string"));
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
        "float" | "float_literal" => {
            if let Ok(value) = text.parse::<f64>() {
                push(format!("{:?}", value + 1.0), 1.0);
            }
        }
        kind if kind == syntax.string => {
            let plain = text.len() > 2 && text.starts_with(['"', '\'']) && !text.starts_with("\"\"\"");
            if plain && !text.contains('{') {
                push(text[..1].to_owned() + &text[..1], 0.7);
            }
        }
        _ => {}
    }
}

fn result<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let value = match syntax.returned(site.node) {
        Some(value) => value,
        // The last expression of a Rust function is its result.
        None if !syntax.indented && is_tail(site) => site.node,
        None => return,
    };
    let text = site.of(value);
    let new = if syntax.indented { "None" } else { "Default::default()" };
    if is_decision(site, value)
        || text == new
        || matches!(text, "None" | "()" | "self")
        || value.kind().starts_with("if")
    {
        return;
    }
    // Other types than the plain ones often have no default.
    let weight = if syntax.indented { 1.0 } else { 0.4 };
    let note = format!("the result is `{}`", short(text));
    out.push(Replacement::new(value.byte_range(), new, note, weight));
}

/// The result of a comparison, of `and`, `or` or `not` becomes a constant.
fn truth<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let value = match syntax.returned(site.node) {
        Some(value) => value,
        None if !syntax.indented && is_tail(site) => site.node,
        None => return,
    };
    if !is_decision(site, value) {
        return;
    }
    for (new, never) in [(syntax.truth.0, syntax.truth.1), (syntax.truth.1, syntax.truth.0)] {
        let note = format!("`{}` is ever `{never}`", short(site.of(value)));
        out.push(Replacement::new(value.byte_range(), new, note, 1.0));
    }
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
                || sides && (!syntax.indented || is_decision(site, binary.left) && is_decision(site, binary.right))
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
        && site.scope.function.child_by_field_name("return_type").is_some()
}

fn deleted<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.kind() != "expression_statement" || site.parent.is_none_or(|parent| parent.kind() != "block") {
        return;
    }
    let Some(inner) = site.node.named_child(0) else { return };
    // Without its first assignment a name is unknown: that tells nothing, and
    // a step of a loop that goes makes the loop endless, which costs time.
    let weight = match inner.kind() {
        kind if kind == syntax.call => 1.0,
        kind if kind == syntax.augmented => 0.7,
        "assignment" if inner.child_by_field_name("left").is_some_and(|left| !is_first(site, left)) => 0.8,
        "assignment_expression" => 0.8,
        "yield" | "await" | "macro_invocation" => 0.8,
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
mod tests {
    use super::super::CLASSIC;
    use super::super::mutants;
    use crate::language;
    use crate::source::Lines;
    use crate::source::RelPath;

    fn of(path: &str, text: &str, line: u32) -> Vec<String> {
        let language = language::of_path(&RelPath::new(path).expect("path")).expect("a language");
        let parsed = language::parse(language, text);
        let found = mutants(&parsed, Lines::new(line, line), CLASSIC);
        found
            .iter()
            .map(|mutant| mutant.apply(text).lines().nth(line as usize - 1).unwrap_or("").trim().into())
            .collect()
    }

    #[test]
    fn each_place_gets_the_few_changes_a_test_should_notice() {
        let python = "def f(a, b):\n    if a < b and b:\n        log(a)\n        return a + 10\n    a += 1\n    a = b\n    return \"x y\"\n";
        for (line, wanted) in [
            (2, vec!["if a >= b and b:", "if a <= b and b:", "if a < b or b:", "if not (a < b and b):"]),
            (3, vec!["pass"]),
            (4, vec!["return None", "return a - 10", "return a + 11", "return a + 9"]),
            (5, vec!["pass", "a -= 1", "a += 2", "a += 0"]),
            (7, vec!["return None", "return \"\""]),
        ] {
            let mut found = of("a.py", python, line);
            let mut wanted = wanted;
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "line {line}");
        }
        let rust = "fn f(a: i32, b: i32) -> i32 {\n    if a < b && ok(a) {\n        log(a);\n        return 10u8;\n    }\n    a + b\n}\n";
        for (line, wanted) in [
            (2, vec!["if a >= b && ok(a) {", "if a <= b && ok(a) {", "if a < b || ok(a) {", "if !(a < b && ok(a)) {"]),
            (3, vec![";"]),
            (4, vec![";", "return Default::default();", "return 11u8;", "return 9u8;"]),
            (6, vec!["Default::default()", "a - b"]),
        ] {
            let mut found = of("a.rs", rust, line);
            let mut wanted = wanted;
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "line {line}");
        }
    }
}
