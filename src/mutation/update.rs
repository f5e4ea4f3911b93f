//! Statements that are missing: an element that is never recorded, a variable
//! that never moves on (GenProg's insert, restricted to the two forms whose
//! absence can be seen: TBar FP4 "insert missed statement").

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::Gap;
use super::place::after;
use super::place::before;
use super::place::statements;
use super::shape::Shape;

/// A collection of the function gets an element.
pub static RECORD: Operator = Operator {
    name: "missing-record",
    what: "an element is added to a collection that is tested, returned or filled elsewhere",
    prior: 0.4,
    apply: record,
};

/// A variable that a loop reads is moved on at the end of the round.
pub static ADVANCE: Operator = Operator {
    name: "missing-advance",
    what: "a variable that a loop reads and never changes is moved on",
    prior: 0.6,
    apply: advance,
};

/// A collection, and the ways to add to it: call before and after the element.
struct Collection<'a> {
    name: &'a str,
    methods: Vec<(&'a str, f64)>,
    /// Whether membership in it is tested.
    tested: bool,
    /// What is added to it elsewhere.
    known: Vec<&'a str>,
    /// It begins empty, something is taken out of it, nothing ever added: the
    /// addition is missing for sure.
    starves: bool,
}

/// What an addition counts to a collection that starves.
const STARVING: f64 = 2.0;

fn collections<'a>(site: &Site<'a>) -> Vec<Collection<'a>> {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    let mut found = Vec::new();
    for name in scope.names.iter().filter(|name| !name.global && name.shape.has(Shape::SEQUENCE)) {
        let mut methods: Vec<(&'a str, f64)> = Vec::new();
        let known: Vec<&'a str> = scope
            .updates
            .iter()
            .filter(|(object, method, _)| *object == name.text && is_adding(method))
            .map(|(_, _, element)| *element)
            .collect();
        for (object, method, _) in &scope.updates {
            if *object == name.text && is_adding(method) && !methods.iter().any(|(seen, _)| seen == method) {
                methods.push((method, 1.0));
            }
        }
        let tested =
            scope.comparisons.iter().any(|node| {
                syntax.binaries(*node).iter().any(|binary| {
                    site.of(binary.right) == name.text && matches!(site.of(binary.operator), "in" | "not in")
                })
            }) || scope.expressions.iter().any(|node| site.of(*node).starts_with(&format!("{}.contains(", name.text)));
        let value = scope.assigned.iter().find(|(other, _)| *other == name.text).and_then(|(_, by)| {
            by.child_by_field_name("right").or_else(|| by.child_by_field_name("value")).map(|value| site.of(value))
        });
        if methods.is_empty() {
            let set = value.is_some_and(|value| {
                value.starts_with("set(") || value.contains("Set::") || value.starts_with("new Set")
            });
            let list = value.is_some_and(|value| {
                value.starts_with('[')
                    || value.starts_with("list(")
                    || value.contains("Vec")
                    || value.starts_with("vec!")
            });
            match (set, list) {
                (true, _) if !syntax.insert.is_empty() => methods.push((syntax.insert, 1.0)),
                (_, true) if !syntax.append.is_empty() => methods.push((syntax.append, 1.0)),
                _ if tested && syntax.indented => methods.extend([("add", 0.9), ("append", 0.8)]),
                _ => {}
            }
        }
        let returned = scope.returned.iter().any(|node| site.of(*node) == name.text);
        let taken =
            scope.expressions.iter().any(|node| {
                let rest = site.of(*node).strip_prefix(name.text).unwrap_or_default();
                rest.starts_with('[') || rest.starts_with(".pop")
            }) || scope.updates.iter().any(|(object, method, _)| *object == name.text && method.starts_with("pop"));
        let starves = known.is_empty() && taken && value.is_some_and(is_empty);
        if !methods.is_empty() && (tested || returned || !known.is_empty() || value.is_some()) {
            found.push(Collection { name: name.text, methods, tested, known, starves });
        }
    }
    found
}

fn is_empty(value: &str) -> bool {
    matches!(value, "[]" | "list()" | "set()" | "deque()" | "vec![]") || value.ends_with("::new()")
}

fn is_adding(method: &str) -> bool {
    matches!(method, "append" | "add" | "push" | "insert" | "push_back" | "appendleft" | "push_str")
}

/// The gaps of a block where an addition may be missing, with a weight.
fn gaps<'a>(site: &Site<'a>, block: Node<'a>) -> Vec<(Gap, f64)> {
    let all = statements(site, block);
    let mut found = Vec::new();
    let leaves = |node: &Node<'a>| {
        let inner = if node.kind() == "expression_statement" { node.named_child(0).unwrap_or(*node) } else { *node };
        inner.kind().starts_with("return")
            || inner.kind().starts_with("break")
            || inner.kind().starts_with("continue")
            || inner.kind().starts_with("raise")
            || inner.kind().starts_with("throw")
            || site.scope.syntax.tail_values
                && *node == all[all.len() - 1]
                && !node.kind().ends_with("statement")
                && !node.kind().ends_with("declaration")
    };
    if let Some(last) = all.last() {
        let gap = if leaves(last) { before(site, *last) } else { after(site, *last) };
        found.extend(gap.map(|gap| (gap, 1.0)));
    }
    if let Some(first) = all.first() {
        found.extend(before(site, *first).map(|gap| (gap, 0.7)));
    }
    found
}

fn record<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !site.scope.syntax.blocks.contains(&site.kind()) {
        return;
    }
    let scope = site.scope;
    let here = site.text();
    let whole = site.parent == Some(scope.function);
    for collection in collections(site) {
        // A block that already adds to it does not miss that.
        if collection.methods.iter().any(|(method, _)| directly_adds(site, collection.name, method)) {
            continue;
        }
        for (gap, place) in gaps(site, site.node) {
            let mut elements: Vec<(&str, f64)> = Vec::new();
            for known in &collection.known {
                elements.push((known, 1.0));
            }
            for name in scope.names_at(gap.byte.saturating_sub(1).max(site.node.start_byte())) {
                if name.text == collection.name || name.global || name.shape.has(Shape::CALLABLE) {
                    continue;
                }
                let used = here.contains(name.text);
                let likely = if name.shape.has(Shape::SEQUENCE) { 0.4 } else { 0.9 };
                if !elements.iter().any(|(known, _)| *known == name.text) {
                    elements.push((name.text, if used { likely } else { likely * 0.6 }));
                }
            }
            // Where membership decides, the mark comes first.
            let place = match (collection.tested, place < 1.0) {
                (true, true) => 1.0,
                (false, true) => 0.45,
                (_, false) => place,
            };
            for (element, weight) in elements.into_iter().take(6) {
                for (method, likely) in &collection.methods {
                    let line = format!("{}.{method}({element}){}", collection.name, scope.syntax.end);
                    let note = format!("`{element}` is never recorded in `{}`", collection.name);
                    let sure = if collection.starves { STARVING } else { 1.0 };
                    let weight = weight * place * likely * sure * if whole { 0.8 } else { 1.0 };
                    out.push(Replacement::new(gap.bytes(), gap.text(site, &[line]), note, weight));
                }
            }
        }
    }
}

fn directly_adds(site: &Site<'_>, collection: &str, method: &str) -> bool {
    let call = format!("{collection}.{method}(");
    statements(site, site.node).iter().any(|statement| {
        statement.kind() == "expression_statement" && site.parsed.text_of(*statement).starts_with(&call)
    })
}

fn advance<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    if !syntax.loops.contains(&site.kind()) {
        return;
    }
    let body = site.node.child_by_field_name("body").filter(|body| syntax.blocks.contains(&body.kind()));
    let Some(body) = body else { return };
    let Some((gap, _)) = gaps(site, body).into_iter().next() else { return };
    let within =
        |node: &Node<'a>| site.node.start_byte() <= node.start_byte() && node.end_byte() <= site.node.end_byte();
    let mut read: Vec<&str> = Vec::new();
    super::syntax::each(site.node, super::scope::NODE_LIMIT, &mut |node, _| {
        if node.kind() == "identifier" && !read.contains(&site.parsed.text_of(node)) {
            read.push(site.parsed.text_of(node));
        }
        true
    });
    let tested = syntax.condition_of(site.node).map_or("", |condition| site.of(condition));
    for name in scope.names_at(site.node.start_byte()).filter(|name| !name.global) {
        let set_outside = scope.assigned.iter().any(|(other, by)| *other == name.text && !within(by));
        let set_inside = scope.assigned.iter().any(|(other, by)| *other == name.text && within(by));
        let is_tested = tested.contains(name.text);
        // What is set before the loop and read in it, or given back after it.
        let given_back = scope.returned.iter().any(|value| site.of(*value) == name.text);
        let in_use = read.contains(&name.text) || given_back;
        if set_inside || !in_use || !(set_outside || is_tested) {
            continue;
        }
        if name.shape.may_be(Shape::NUMBER) && (is_tested || name.shape.has(Shape::NUMBER)) {
            for (step, weight) in [("+=", 0.9), ("-=", 0.6)] {
                let line = format!("{} {step} 1{}", name.text, syntax.end);
                let note = format!("`{}` never changes in the loop", name.text);
                let weight = if is_tested || given_back { weight } else { weight * 0.5 };
                out.push(Replacement::new(gap.bytes(), gap.text(site, &[line]), note, weight));
            }
        }
        for other in scope.names_at(gap.byte.saturating_sub(1)).filter(|other| !other.global) {
            let fit = name.shape.fit(other.shape);
            let moving = scope.assigned.iter().any(|(assigned, by)| *assigned == other.text && within(by));
            if other.text == name.text || fit < 0.5 || !moving {
                continue;
            }
            let line = [format!("{} = {}{}", name.text, other.text, syntax.end)];
            let note = format!("`{}` never moves on in the loop", name.text);
            // What is overwritten in the round has to be kept before that.
            for statement in statements(site, body) {
                let overwrites = scope.assigned.iter().any(|(assigned, by)| {
                    *assigned == other.text
                        && statement.start_byte() <= by.start_byte()
                        && by.end_byte() <= statement.end_byte()
                });
                if let Some(gap) = before(site, statement).filter(|_| overwrites) {
                    out.push(Replacement::new(gap.bytes(), gap.text(site, &line), note.clone(), 0.75 * fit));
                }
            }
            out.push(Replacement::new(gap.bytes(), gap.text(site, &line), note, 0.8 * fit));
        }
    }
}
