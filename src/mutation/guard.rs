//! Missing guards: for None, for empty, for zero; a base case of recursion; a
//! round of a loop that is to be skipped (PAR "null pointer checker",
//! "range checker", "collection size checker"; TBar FP2).
//!
//! A guard returns what the function already returns, or the empty value of
//! its kind. It takes behaviour out, so its prior is low, and of the places
//! where it may stand the one comes first that takes least: behind the guards
//! that are there already.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::before;
use super::place::guard_lines;
use super::place::short;
use super::place::statements;
use super::scope::Name;
use super::shape::Shape;
use super::syntax::Syntax;
use super::syntax::filled;

/// What a new guard before existing ones counts beside the same behind them.
const IN_FRONT: f64 = 0.35;

/// `if not x: return …` at the beginning of a function.
pub static GUARD: Operator = Operator {
    name: "missing-guard",
    what: "the function returns early for None, empty or zero",
    prior: 0.25,
    apply: guard,
};

/// The same where the function calls itself.
pub static BASE_CASE: Operator = Operator {
    name: "missing-base-case",
    what: "the recursion ends at None, empty or zero",
    prior: 0.4,
    apply: base_case,
};

/// `if x is None: continue` at the beginning of a loop's body, and a statement
/// only where its receiver is there.
pub static SKIP: Operator = Operator {
    name: "missing-skip",
    what: "a round of a loop or a statement is skipped for None or empty",
    prior: 0.25,
    apply: skip,
};

fn guard<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if site.scope.syntax.is_function(site.node) && !calls_itself(site) {
        guards_of_function(site, out);
    }
}

fn base_case<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if site.scope.syntax.is_function(site.node) && calls_itself(site) {
        guards_of_function(site, out);
    }
}

fn calls_itself(site: &Site<'_>) -> bool {
    let Some(body) = site.node.child_by_field_name("body") else { return false };
    let (syntax, name) = (site.scope.syntax, site.scope.name);
    let mut found = false;
    super::syntax::each(body, super::scope::NODE_LIMIT, &mut |node, _| {
        if node.kind() == syntax.call
            && let Some(callee) = syntax.callee(node)
        {
            let callee = site.parsed.text_of(callee);
            found |= callee.rsplit(['.', ':']).next() == Some(name);
        }
        !found
    });
    found
}

fn guards_of_function(site: &Site<'_>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some(body) = site.node.child_by_field_name("body").filter(|body| syntax.blocks.contains(&body.kind())) else {
        return;
    };
    let all = statements(site, body);
    let leading = all.iter().take_while(|statement| is_guard(site, **statement)).count();
    let tested: Vec<String> =
        all.iter().take(leading + 1).map(|first| site.parsed.text_of(*first).chars().take(200).collect()).collect();
    // Behind the guards that are there, a new one changes only what none of
    // them answers; before them it may take a case away from one.
    let behind = all.get(leading).and_then(|statement| before(site, *statement));
    let in_front = all.first().filter(|_| leading > 0).and_then(|statement| before(site, *statement));
    for (gap, place) in [(behind, 1.0), (in_front, IN_FRONT)] {
        let Some(gap) = gap else { continue };
        for name in site.scope.parameters().take(6) {
            for (condition, weight) in tests(site, name) {
                // Already there, or nearly.
                if tested.iter().any(|text| text.starts_with("if") && text.contains(condition.as_str())) {
                    continue;
                }
                for (value, fits) in values(site, name) {
                    let action = if value.is_empty() { "return".to_owned() } else { format!("return {value}") };
                    let note = format!("`{}` is not handled", short(&condition));
                    let text = gap.text(site, &guard_lines(site, &condition, &action));
                    out.push(Replacement::new(gap.bytes(), text, note, weight * fits * place));
                }
            }
        }
    }
}

/// Whether the statement does nothing but leave the function in one case.
fn is_guard(site: &Site<'_>, statement: Node<'_>) -> bool {
    let tested = match statement.kind() {
        "expression_statement" => statement.named_child(0).unwrap_or(statement),
        _ => statement,
    };
    if !matches!(tested.kind(), "if_statement" | "if_expression") || tested.child_by_field_name("alternative").is_some()
    {
        return false;
    }
    let Some(last) =
        tested.child_by_field_name("consequence").and_then(|block| site.scope.syntax.statements(block).pop())
    else {
        return false;
    };
    let last = if last.kind() == "expression_statement" { last.named_child(0).unwrap_or(last) } else { last };
    last.kind() == site.scope.syntax.returns || matches!(last.kind(), "raise_statement" | "throw_statement")
}

/// Whether a value of this shape may be none at all.
fn may_be_nothing(syntax: &Syntax, shape: Shape) -> bool {
    if syntax.dynamic { !shape.has(Shape::NUMBER) } else { shape.has(Shape::OBJECT) }
}

/// What a parameter may have to be tested for.
fn tests(site: &Site<'_>, name: &Name<'_>) -> Vec<(String, f64)> {
    let (text, shape) = (name.text, name.shape);
    let mut found = Vec::new();
    if site.scope.syntax.indented {
        if shape.may_be(Shape::SEQUENCE) || shape.has(Shape::TEXT) {
            found.push((format!("not {text}"), if shape == Shape::UNKNOWN { 0.7 } else { 1.0 }));
        }
        found.push((format!("{text} is None"), if shape.has(Shape::OBJECT) { 1.0 } else { 0.6 }));
        if shape.may_be(Shape::NUMBER) {
            let known = if shape.has(Shape::NUMBER) { 1.0 } else { 0.4 };
            found.push((format!("{text} == 0"), known));
            found.push((format!("{text} < 0"), known * 0.7));
            found.push((format!("{text} <= 0"), known * 0.7));
            found.push((format!("{text} <= 1"), known * 0.5));
        }
    } else {
        let syntax = site.scope.syntax;
        if let Some((empty, _)) = syntax.empty.filter(|_| shape.has(Shape::SEQUENCE) || shape.has(Shape::TEXT)) {
            found.push((filled(empty, text), 1.0));
        }
        if let Some((nothing, _)) = syntax.nothing.filter(|_| may_be_nothing(syntax, shape)) {
            found.push((filled(nothing, text), if shape.has(Shape::OBJECT) { 1.0 } else { 0.6 }));
        }
        if shape.has(Shape::NUMBER) {
            let equal = if syntax.dynamic { "===" } else { "==" };
            found.push((format!("{text} {equal} 0"), 1.0));
            if !syntax.tail_values {
                found.push((format!("{text} < 0"), 0.7));
                found.push((format!("{text} <= 0"), 0.7));
                found.push((format!("{text} <= 1"), 0.5));
            }
        }
    }
    found
}

/// What the function may return then: what it returns elsewhere first.
fn values(site: &Site<'_>, name: &Name<'_>) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    let mut push = |value: &str, weight: f64| {
        if !found.iter().any(|(known, _)| known == value) && found.len() < 8 {
            found.push((value.to_owned(), weight));
        }
    };
    for value in &site.scope.returned {
        let literal = !matches!(
            value.kind(),
            "call" | "call_expression" | "binary_operator" | "binary_expression" | "method_invocation"
        );
        let text = site.parsed.text_of(*value);
        if literal && site.scope.name(text).is_none() && text.len() < 24 && value.kind() != "macro_invocation" {
            push(text, 1.0);
        }
    }
    push(name.text, if site.scope.syntax.dynamic { 0.5 } else { 0.2 });
    if !site.scope.syntax.tail_values && !site.scope.syntax.indented {
        for (value, weight) in missing(site) {
            push(value, weight);
        }
    } else if site.scope.syntax.indented {
        for (value, weight) in
            [("0", 0.7), ("[]", 0.7), ("None", 0.6), ("False", 0.5), ("True", 0.3), ("''", 0.4), ("1", 0.4)]
        {
            push(value, weight);
        }
    } else {
        let result = site.scope.syntax.result_of(site.node).map_or("", |kind| site.parsed.text_of(kind));
        let empty: &[&str] = match result {
            "" => &[""],
            "usize" | "u8" | "u16" | "u32" | "u64" | "u128" | "isize" | "i8" | "i16" | "i32" | "i64" | "i128" => {
                &["0", "1"]
            }
            "f32" | "f64" => &["0.0"],
            "bool" => &["false", "true"],
            "String" => &["String::new()"],
            _ if result.starts_with("Option") => &["None"],
            _ if result.starts_with("Vec") => &["Vec::new()"],
            _ => &["Default::default()"],
        };
        for value in empty {
            push(value, 0.8);
        }
    }
    found
}

/// What a function of another language than Python and Rust gives for a case
/// it misses: by its type, else what is usual.
fn missing(site: &Site<'_>) -> Vec<(&'static str, f64)> {
    let syntax = site.scope.syntax;
    if syntax.dynamic {
        return syntax
            .missing
            .iter()
            .zip([0.7, 0.7, 0.6, 0.5, 0.3, 0.4, 0.4, 0.4])
            .map(|(word, weight)| (*word, weight))
            .collect();
    }
    let written = syntax.result_of(site.node).map_or("", |result| site.parsed.text_of(result));
    let usual: &[&str] = match written {
        "" | "void" => &[""],
        "bool" | "boolean" => &["false", "true"],
        "string" | "String" => &["\"\""],
        "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32" | "uint64" | "long"
        | "short" | "byte" | "float32" | "float64" | "float" | "double" => &["0", "1", "-1"],
        _ if syntax.end == ";" => &["null"],
        _ if written.starts_with(['*', '[']) || written.starts_with("map[") || written == "error" => &["nil"],
        _ => &[],
    };
    usual.iter().map(|word| (*word, 0.8)).collect()
}

fn skip<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if syntax.loops.contains(&site.kind()) {
        skip_round(site, out);
    }
    if !syntax.indented || site.kind() != "expression_statement" {
        return;
    }
    // A statement that reads a member of a name: only where the name is set.
    let Some(lines) = super::syntax::own_lines(site.parsed, site.node) else { return };
    let text = &site.parsed.text[lines.clone()];
    if text.lines().count() > 3 {
        return;
    }
    let indent = super::syntax::indent_at(&site.parsed.text, lines.start);
    let unit = super::place::unit(&site.parsed.text);
    let mut names: Vec<&str> = Vec::new();
    super::syntax::each(site.node, 100, &mut |node, _| {
        if let Some((object, _)) = syntax.member_of(node).filter(|_| node.kind() == syntax.member.0)
            && object.kind() == "identifier"
            && !matches!(site.parsed.text_of(object), "self" | "cls")
            && site.scope.name(site.parsed.text_of(object)).is_some_and(|name| name.shape.may_be(Shape::OBJECT))
            && !names.contains(&site.parsed.text_of(object))
        {
            names.push(site.parsed.text_of(object));
        }
        true
    });
    let end = super::syntax::newline(&site.parsed.text);
    for name in names.into_iter().take(2) {
        let body: String = text.lines().map(|line| format!("{unit}{line}{end}")).collect();
        let note = format!("`{name}` may be None here");
        let text = format!("{indent}if {name} is not None:{end}{body}");
        out.push(Replacement::new(lines.clone(), text, note, 0.8));
    }
}

fn skip_round(site: &Site<'_>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let fields = ["left", "pattern", "name"];
    let clause = site.node.named_child(0).filter(|clause| clause.kind() == "range_clause").unwrap_or(site.node);
    let Some(target) = fields.iter().find_map(|field| clause.child_by_field_name(field)) else { return };
    let Some(body) = site.node.child_by_field_name("body") else { return };
    let Some(first) = statements(site, body).first().copied() else { return };
    let Some(gap) = before(site, first) else { return };
    let mut names = Vec::new();
    super::syntax::each(target, 20, &mut |node, _| {
        if node.kind() == "identifier" {
            names.push(site.parsed.text_of(node));
        }
        true
    });
    for name in names {
        let shape = site.scope.shape(name);
        let mut conditions = Vec::new();
        if syntax.indented {
            if !shape.has(Shape::NUMBER) {
                conditions.push((format!("not {name}"), 0.8));
                conditions.push((format!("{name} is None"), 0.7));
            } else {
                conditions.push((format!("{name} == 0"), 0.4));
            }
            for other in site.scope.names_at(first.start_byte()) {
                if other.shape.has(Shape::SEQUENCE) && other.text != name && !other.global {
                    conditions.push((format!("{name} in {}", other.text), 0.5));
                }
            }
        } else {
            if let Some((empty, _)) = syntax.empty.filter(|_| shape.has(Shape::SEQUENCE) || shape.has(Shape::TEXT)) {
                conditions.push((filled(empty, name), 0.9));
            }
            if let Some((nothing, _)) = syntax.nothing.filter(|_| may_be_nothing(syntax, shape)) {
                conditions.push((filled(nothing, name), 0.7));
            }
        }
        for (condition, weight) in conditions {
            let note = format!("the loop has to skip the case `{condition}`");
            let text = gap.text(site, &guard_lines(site, &condition, "continue"));
            out.push(Replacement::new(gap.bytes(), text, note, weight));
        }
    }
}
