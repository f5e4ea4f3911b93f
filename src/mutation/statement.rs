//! Whole statements: a return that is missing, the wrong order, the wrong
//! block, one too many (GenProg's delete and swap; TBar FP14 and FP15).
//!
//! Deletion takes behaviour out and passes weak tests (Qi et al. 2015, "an
//! analysis of patch plausibility"), so it is tried last.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;
use super::place::unit;
use super::syntax::indent_at;
use super::syntax::newline;
use super::syntax::own_lines;
use super::syntax::parts;

/// `f(x)` becomes `return f(x)`.
pub static RETURN_MISSING: Operator = Operator {
    name: "missing-return",
    what: "a value that is computed is also returned",
    prior: 0.7,
    apply: return_missing,
};

/// `yield f(x)` becomes `yield from f(x)`, and the other way.
pub static YIELD: Operator =
    Operator { name: "yield-delegated", what: "a generator's values are passed on", prior: 0.7, apply: yielded };

/// A statement and the next change places.
pub static SWAPPED: Operator = Operator {
    name: "statements-swapped",
    what: "two neighbouring statements change places",
    prior: 0.35,
    apply: swapped,
};

/// The last statement of a block moves out, or the one after it moves in.
pub static MOVED: Operator = Operator {
    name: "statement-moved",
    what: "a statement moves out of its block or into the one before it",
    prior: 0.45,
    apply: moved,
};

/// A statement goes.
pub static DELETED: Operator =
    Operator { name: "statement-deleted", what: "a statement goes", prior: 0.1, apply: deleted };

fn return_missing<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.scope.name.is_empty() || site.scope.name.starts_with("__init__") || site.kind() != "expression_statement" {
        return;
    }
    let Some(inner) = site.node.named_child(0) else { return };
    if syntax.dynamic {
        let recursive = inner.kind() == syntax.call
            && syntax.callee(inner).is_some_and(|callee| site.of(callee).rsplit('.').next() == Some(site.scope.name));
        let last = site.node.next_named_sibling().is_none();
        let computes = !matches!(
            inner.kind(),
            "assignment"
                | "augmented_assignment"
                | "yield"
                | "await"
                | "string"
                | "assignment_expression"
                | "augmented_assignment_expression"
                | "update_expression"
                | "yield_expression"
                | "await_expression"
        );
        if computes && (recursive || last) {
            let weight = match (recursive, inner.kind() == syntax.call) {
                (true, _) => 1.0,
                (false, true) => 0.25,
                (false, false) => 0.9,
            };
            let note = format!("`{}` is computed and thrown away", short(site.of(inner)));
            let text = format!("return {}", site.of(inner));
            out.push(Replacement::new(inner.byte_range(), text, note, weight));
        }
    } else if !matches!(inner.kind(), "assignment_expression" | "compound_assignment_expr" | "return_expression")
        && !inner.kind().starts_with("if")
        && !inner.kind().starts_with("while")
        && !inner.kind().starts_with("for")
        && !inner.kind().starts_with("break")
        && !inner.kind().starts_with("continue")
        && site.scope.syntax.result_of(site.scope.function).is_some()
    {
        let note = format!("`{}` is computed and thrown away", short(site.of(inner)));
        out.push(Replacement::new(inner.byte_range(), format!("return {}", site.of(inner)), note, 0.6));
    }
    // A function that ends without a value, and holds one name it built.
    if syntax.dynamic && site.node.next_named_sibling().is_none() && site.scope.returned.is_empty() {
        let body = site.parent.filter(|parent| parent.parent() == Some(site.scope.function));
        if let (Some(_), Some(gap)) = (body, super::place::after(site, site.node)) {
            end_with_return(site, &gap, out);
        }
    }
}

fn end_with_return(site: &Site<'_>, gap: &super::place::Gap, out: &mut Vec<Replacement>) {
    let first = |name: &str| site.scope.assigned.iter().any(|(other, _)| *other == name);
    for name in site.scope.names.iter().filter(|name| first(name.text)) {
        let note = format!("`{}` is built and never returned", name.text);
        out.push(Replacement::new(
            gap.bytes(),
            gap.text(site, &[format!("return {}{}", name.text, site.scope.syntax.end)]),
            note,
            0.7,
        ));
    }
}

fn yielded<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if site.kind() != "yield" {
        return;
    }
    let Some(value) = site.node.named_child(0) else { return };
    let delegates = site.text()[..value.start_byte() - site.node.start_byte()].contains("from");
    let (text, note, weight) = if delegates {
        (format!("yield {}", site.of(value)), "one value is to be yielded, not what it holds", 0.7)
    } else {
        let call = value.kind() == site.scope.syntax.call;
        let text = format!("yield from {}", site.of(value));
        (text, "what it holds is to be yielded, not the thing itself", if call { 1.0 } else { 0.4 })
    };
    out.push(Replacement::new(site.node.byte_range(), text, note, weight));
}

fn is_statement(site: &Site<'_>) -> bool {
    let kind = site.kind();
    site.scope.syntax.is_in_list(site.node)
        && !matches!(kind, "function_definition" | "class_definition" | "decorated_definition" | "function_item")
        && !kind.ends_with("_item")
        && !matches!(kind, "function_declaration" | "class_declaration")
}

fn swapped<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_statement(site) {
        return;
    }
    let Some(next) = site.node.next_named_sibling().filter(|next| !next.is_extra()) else { return };
    if next.kind().contains("definition") || next.kind().ends_with("_item") {
        return;
    }
    let (Some(first), Some(second)) = (own_lines(site.parsed, site.node), own_lines(site.parsed, next)) else { return };
    let text = &site.parsed.text;
    if first.end > second.start || first.len() + second.len() > 2000 {
        return;
    }
    let end = newline(text);
    let mut moved = text[second.clone()].to_owned();
    if !moved.ends_with('\n') {
        moved.push_str(end);
    }
    moved.push_str(&text[first.end..second.start]);
    moved.push_str(&text[first.clone()]);
    // Nothing follows a return or a jump.
    let leaves = |node: Node<'a>| {
        matches!(node.kind(), "return_statement" | "raise_statement" | "break_statement" | "continue_statement")
    };
    let touches = shares_names(site, site.node, next);
    if leaves(site.node) || leaves(next) || !touches && !spans_blocks(site.node, next) {
        return;
    }
    let simple = site.kind() == next.kind();
    let note = format!("`{}` has to come first", short(site.of(next)));
    out.push(Replacement::new(first.start..second.end, moved, note, if simple { 1.0 } else { 0.6 }));
}

/// Whether the order of two statements can matter: one assigns what the other
/// names.
fn shares_names(site: &Site<'_>, one: Node<'_>, other: Node<'_>) -> bool {
    let names = |node: Node<'_>| {
        let mut found = std::collections::HashSet::new();
        super::syntax::each(node, 400, &mut |inner, _| {
            if matches!(inner.kind(), "identifier" | "self") {
                found.insert(inner.byte_range());
            }
            true
        });
        found.into_iter().map(|bytes| &site.parsed.text[bytes]).collect::<std::collections::HashSet<_>>()
    };
    !names(one).is_disjoint(&names(other))
}

fn spans_blocks(one: Node<'_>, other: Node<'_>) -> bool {
    [one, other].iter().any(|node| node.child_by_field_name("body").is_some() || node.kind() == "if_statement")
}

fn moved<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !site.scope.syntax.blocks.contains(&site.kind())
        || site.parent.is_none_or(|parent| site.scope.syntax.is_function(parent))
    {
        return;
    }
    if site.scope.syntax.indented { moved_by_indentation(site, out) } else { moved_by_braces(site, out) }
}

/// Python: the last statements of a block move out, the statement after the
/// block moves in.
fn moved_by_indentation(site: &Site<'_>, out: &mut Vec<Replacement>) {
    let text = &*site.parsed.text;
    let Some(holder) = site.parent else { return };
    let all = parts(site.node);
    let outer = if matches!(holder.kind(), "elif_clause" | "else_clause" | "except_clause" | "finally_clause") {
        holder.parent().unwrap_or(holder)
    } else {
        holder
    };
    let indent = indent_at(text, outer.start_byte()).to_owned();
    // Out: only where nothing of the same compound follows the block.
    if all.len() > 1
        && outer.end_byte() == site.node.end_byte()
        && let Some(last) = all.last()
        && let Some(lines) = own_lines(site.parsed, *last)
    {
        let new = reindented(&text[lines.clone()], indent_at(text, lines.start), &indent);
        let note = format!("`{}` belongs after the block", short(site.parsed.text_of(*last)));
        out.push(Replacement::new(lines, new, note, 1.0));
    }
    // In: the statement after the compound.
    if outer.end_byte() == site.node.end_byte()
        && let Some(next) = outer.next_named_sibling().filter(|next| !next.is_extra())
        && let Some(lines) = own_lines(site.parsed, next)
        && let Some(last) = all.last()
    {
        let inner = indent_at(text, last.start_byte()).to_owned();
        let new = reindented(&text[lines.clone()], indent_at(text, lines.start), &inner);
        let note = format!("`{}` belongs inside the block", short(site.parsed.text_of(next)));
        let weight = if next.kind() == "return_statement" { 0.4 } else { 0.8 };
        out.push(Replacement::new(lines, new, note, weight));
    }
    // Out at the front: the first statement is done once, before the loop.
    if all.len() > 1
        && site.scope.syntax.loops.contains(&holder.kind())
        && let Some(lines) = all.first().and_then(|first| own_lines(site.parsed, *first))
    {
        let start = super::syntax::line_start(text, holder.start_byte());
        if text[start..holder.start_byte()].trim().is_empty() {
            let first = reindented(&text[lines.clone()], indent_at(text, lines.start), &indent);
            let new = format!("{first}{}", &text[start..lines.start]);
            let note = "the first statement of the loop has to be done once, before it";
            out.push(Replacement::new(start..lines.end, new, note, 0.7));
        }
    }
}

fn reindented(lines: &str, old: &str, new: &str) -> String {
    lines
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix(old) {
            Some(rest) => format!("{new}{rest}"),
            None => line.to_owned(),
        })
        .collect()
}

/// Rust: the last statement of a block moves behind its brace, the statement
/// after it moves in.
fn moved_by_braces(site: &Site<'_>, out: &mut Vec<Replacement>) {
    let text = &*site.parsed.text;
    let Some(holder) = site.parent.filter(|holder| {
        site.scope.syntax.loops.contains(&holder.kind()) || matches!(holder.kind(), "if_expression" | "if_statement")
    }) else {
        return;
    };
    let Some(closing) = (holder.end_byte() == site.node.end_byte()).then(|| site.node.end_byte() - 1) else { return };
    let all = site.scope.syntax.statements(site.node);
    let line = super::syntax::line_start(text, closing);
    let indent = indent_at(text, closing).to_owned();
    let after = text[closing..].find('\n').map_or(text.len(), |at| closing + at + 1);
    if !text[line..closing].trim().is_empty() || !matches!(text[closing + 1..after].trim(), "" | ";") {
        return;
    }
    let Some(last) = all.last() else { return };
    let Some(lines) = own_lines(site.parsed, *last) else { return };
    if all.len() > 1 && site.scope.syntax.inner(*last).is_some() {
        let out_of = reindented(&text[lines.clone()], indent_at(text, lines.start), &indent);
        let new = format!("{}{out_of}", &text[lines.end..after]);
        let note = format!("`{}` belongs after the block", short(site.parsed.text_of(*last)));
        out.push(Replacement::new(lines.start..after, new, note, 1.0));
    }
    let statement = holder.parent().filter(|up| up.kind() == "expression_statement").unwrap_or(holder);
    if let Some(next) = statement.next_named_sibling().filter(|next| site.scope.syntax.inner(*next).is_some())
        && let Some(following) = own_lines(site.parsed, next)
        && following.start == after
    {
        let inner = format!("{indent}{}", unit(text));
        let into = reindented(&text[following.clone()], indent_at(text, following.start), &inner);
        let note = format!("`{}` belongs inside the block", short(site.parsed.text_of(next)));
        out.push(Replacement::new(line..following.end, format!("{into}{}", &text[line..after]), note, 0.8));
    }
}

fn deleted<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    if !is_statement(site)
        || site.kind() == "pass_statement"
        || matches!(site.kind(), "let_declaration" | "lexical_declaration" | "short_var_declaration")
    {
        return;
    }
    let Some(lines) = own_lines(site.parsed, site.node) else { return };
    let only = site.parent.is_some_and(|block| parts(block).len() == 1);
    let text = match (only, site.scope.syntax.indented) {
        (true, true) => format!("{}pass{}", indent_at(&site.parsed.text, lines.start), newline(&site.parsed.text)),
        _ => String::new(),
    };
    // A return that goes usually only takes the result away.
    let weight = if site.kind() == site.scope.syntax.returns { 0.3 } else { 1.0 };
    let note = format!("`{}` is one statement too many", short(site.text()));
    out.push(Replacement::new(lines, text, note, weight));
}
