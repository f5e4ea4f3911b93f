//! Names: the wrong variable, the wrong member (PAR "expression replacer";
//! TBar FP13; the commonest simple fault in ManySStuBs4J, Karampatsis and
//! Sutton 2020: "change identifier used").

use super::Operator;
use super::Replacement;
use super::Site;

/// A variable becomes another one in scope.
pub static VARIABLE: Operator =
    Operator { name: "wrong-variable", what: "a variable becomes another in scope", prior: 0.55, apply: variable };

/// A member becomes another that the file uses.
pub static MEMBER: Operator =
    Operator { name: "wrong-member", what: "a member becomes another that the file uses", prior: 0.5, apply: member };

fn variable<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    if !matches!(site.kind(), "identifier" | "shorthand_field_identifier") {
        return;
    }
    let Some(parent) = site.parent else { return };
    let text = site.text();
    let field = |name: &str| parent.child_by_field_name(name) == Some(site.node);
    let defines = field("name") || field("pattern") || field("alias") || field("macro") || field("attribute");
    let called = parent.kind() == syntax.call && field("function");
    if defines
        || called
        || matches!(
            parent.kind(),
            "scoped_identifier" | "keyword_argument" | "let_declaration" | "tuple_struct_pattern"
        ) && !field("value")
        || matches!(parent.kind(), "for_statement" | "for_in_clause" | "as_pattern_target") && !field("right")
    {
        return;
    }
    let Some(own) = scope.name(text) else { return };
    let target = (parent.kind() == syntax.assignment || parent.kind() == syntax.augmented) && field("left")
        || matches!(parent.kind(), "pattern_list" | "tuple_pattern");
    let same_statement = statement_text(site);
    for name in scope.names_at(site.node.start_byte()) {
        if name.text == text {
            continue;
        }
        let mut weight = own.shape.fit(name.shape);
        if target {
            weight *= 0.5;
        }
        if name.global {
            weight *= 0.3;
        }
        // A name that the statement has already explains less.
        if !same_statement.contains(name.text) {
            weight *= 0.9;
        }
        if weight > 0.2 || syntax.indented && weight > 0.1 {
            let note = format!("`{}` is meant, not `{text}`", name.text);
            out.push(Replacement::new(site.node.byte_range(), name.text, note, weight));
        }
    }
}

fn statement_text<'a>(site: &Site<'a>) -> &'a str {
    let text = &*site.parsed.text;
    let start = super::syntax::line_start(text, site.node.start_byte());
    let stop = text[site.node.end_byte()..].find('\n').map_or(text.len(), |at| site.node.end_byte() + at);
    &text[start..stop]
}

fn member<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.kind() != syntax.member.0 {
        return;
    }
    let Some((object, member)) = syntax.member_of(site.node) else { return };
    let called =
        site.parent.is_some_and(|parent| parent.kind() == syntax.call && syntax.callee(parent) == Some(site.node));
    let text = site.of(member);
    let facts = site.scope.file;
    let on_same = facts.members.get(site.of(object)).map(Vec::as_slice).unwrap_or_default();
    let mut push = |name: &str, weight: f64| {
        // Nobody calls `__eq__` where another name was meant.
        let special = name.starts_with("__") && !text.starts_with("__");
        if name != text && !special {
            let note = format!("`{name}` is meant, not `{text}`");
            out.push(Replacement::new(member.byte_range(), name, note, weight));
        }
    };
    for (name, is_called) in on_same {
        push(name, if *is_called == called { 1.0 } else { 0.2 });
    }
    for (name, is_called) in facts.all_members.iter().take(24) {
        if !on_same.contains(&(name, *is_called)) && *is_called == called {
            // Names that share a part (`first_name`, `last_name`) are siblings.
            let related = name.split('_').any(|part| part.len() > 3 && text.split('_').any(|own| own == part));
            push(name, if related { 0.8 } else { 0.35 });
        }
    }
}
