//! Collections: the wrong way to fill them, the wrong part of them.

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;
use super::shape::Shape;
use super::syntax::parts;

/// `append` and `extend`, `update` and assignment.
pub static METHOD: Operator =
    Operator { name: "collection-method", what: "a collection is filled in another way", prior: 0.6, apply: method };

/// The bounds of a slice.
pub static SLICE: Operator =
    Operator { name: "slice-bounds", what: "a slice has other bounds", prior: 0.5, apply: slice };

/// A part of a sequence instead of all of it.
pub static PART: Operator = Operator {
    name: "part-of-sequence",
    what: "a part of a sequence is meant, not all of it",
    prior: 0.35,
    apply: part,
};

fn method<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.kind() != syntax.call {
        return;
    }
    let Some((object, member)) = syntax.member_of(site.node) else { return };
    let statement = site.parent.is_some_and(|parent| parent.kind() == "expression_statement");
    let others: &[(&str, f64)] = match site.of(member) {
        "append" if syntax.indented => &[("extend", 1.0), ("remove", 0.3)],
        "extend" => &[("append", 1.0)],
        "add" if syntax.indented => &[("update", 0.7), ("discard", 0.4)],
        "update" => &[("add", 0.7)],
        "remove" if syntax.indented => &[("discard", 0.7), ("pop", 0.4)],
        "push" if syntax.tail_values => &[("extend", 0.5), ("push_str", 0.5)],
        "push_str" => &[("push", 0.5)],
        "extend_from_slice" => &[("extend", 0.4)],
        _ => &[],
    };
    for (new, weight) in others {
        let note = format!("`{new}` is meant, not `{}`", site.of(member));
        out.push(Replacement::new(member.byte_range(), *new, note, *weight));
    }
    let arguments = syntax.arguments(site.node);
    let (object, range) = (site.of(object), site.node.byte_range());
    match (site.of(member), arguments.as_slice()) {
        // One object shared, or a copy of its content: the two are often
        // taken for each other.
        ("update" | "extend", [only]) if statement && syntax.indented => {
            let note = format!("`{object}` has to become the same object, not a copy of its content");
            out.push(Replacement::new(range.clone(), format!("{object} = {}", site.of(*only)), note, 0.6));
        }
        ("append", [only]) if statement && syntax.indented && only.kind() == "identifier" => {
            if site.scope.shape(site.of(*only)).may_be(Shape::SEQUENCE) {
                for copy in [format!("list({})", site.of(*only)), format!("{}[:]", site.of(*only))] {
                    let note = format!("a copy of `{}` is to be kept, since it changes later", site.of(*only));
                    out.push(Replacement::new(only.byte_range(), copy, note, 0.5));
                }
            }
            let note = "the element belongs at the front";
            out.push(Replacement::new(range.clone(), format!("{object}.insert(0, {})", site.of(*only)), note, 0.35));
        }
        // From the other end.
        ("pop", []) if syntax.indented => {
            let note = "the element of the other end is meant";
            out.push(Replacement::new(range.clone(), format!("{object}.pop(0)"), note, 0.8));
        }
        ("pop", [only]) if syntax.indented && site.of(*only) == "0" => {
            let note = "the element of the other end is meant";
            out.push(Replacement::new(range.clone(), format!("{object}.pop()"), note, 0.8));
        }
        ("get", [key]) if syntax.indented => {
            let key = site.of(*key);
            for default in ["0", "[]"] {
                let note = format!("a missing key has to give `{default}`");
                out.push(Replacement::new(range.clone(), format!("{object}.get({key}, {default})"), note, 0.6));
            }
        }
        _ => {}
    }
}

fn slice<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.kind() != syntax.slice || !syntax.indented && !syntax.tail_values {
        lookup(site, out);
        return;
    }
    let Some(separator) = (0..site.node.child_count())
        .filter_map(|at| site.node.child(at))
        .find(|child| matches!(site.of(*child), ":" | ".." | "..="))
    else {
        return;
    };
    let bounds = parts(site.node);
    let low = bounds.iter().find(|bound| bound.end_byte() <= separator.start_byte());
    let high = bounds.iter().find(|bound| bound.start_byte() >= separator.end_byte());
    let word = site.of(separator);
    let range = site.node.byte_range();
    let mut push = |new: String, weight: f64, note: &str| {
        if new != site.text() {
            out.push(Replacement::new(range.clone(), new, note, weight));
        }
    };
    match (low.map(|low| site.of(*low)), high.map(|high| site.of(*high))) {
        (Some(low), None) => {
            push(format!("{word}{low}"), 0.7, "the part before is meant, not the rest");
            if syntax.indented && bounds.len() == 1 {
                push(format!("{word}-{low}"), 0.2, "the end is to be left out, not the beginning");
            }
        }
        (None, Some(high)) => push(format!("{high}{word}"), 0.7, "the rest is meant, not the part before"),
        (Some(low), Some(high)) if syntax.indented && bounds.len() == 2 => {
            push(format!("{low}{word}"), 0.5, "the part goes to the end");
            push(format!("{word}{high}"), 0.5, "the part begins at the beginning");
            push(format!("{high}{word}{low}"), 0.2, "the bounds are the wrong way round");
        }
        (None, None) if syntax.indented && site.text() == ":" => {
            push("1:".to_owned(), 0.5, "the first element is to be left out");
            push(":-1".to_owned(), 0.5, "the last element is to be left out");
        }
        _ => {}
    }
    let step = site.text().ends_with("::2") || site.text().ends_with("::-1");
    if step {
        return;
    }
    match word {
        ".." if high.is_some() => {
            let at = separator.byte_range();
            out.push(Replacement::new(at, "..=", "the range has to include its end", 1.6));
        }
        "..=" => {
            let at = separator.byte_range();
            out.push(Replacement::new(at, "..", "the range must not include its end", 1.6));
        }
        _ => {}
    }
}

/// The first for the last element.
fn lookup<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    if site.kind() != syntax.index || !syntax.indented {
        return;
    }
    if let [_, index] = parts(site.node).as_slice() {
        let new = match site.of(*index) {
            "0" => "-1",
            "-1" => "0",
            _ => return,
        };
        let note = "the element of the other end is meant";
        out.push(Replacement::new(index.byte_range(), new, note, 0.8));
    }
}

fn part<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (scope, syntax) = (site.scope, site.scope.syntax);
    let Some(parent) = site.parent else { return };
    let iterated = syntax.iterable_of(parent) == Some(site.node);
    let returned = syntax.returned(parent) == Some(site.node);
    let argument = matches!(parent.kind(), "argument_list" | "arguments");
    if site.kind() != "identifier" || !(iterated || returned || argument) {
        return;
    }
    let own = scope.shape(site.text());
    if !own.has(Shape::SEQUENCE) && !own.has(Shape::TEXT) {
        return;
    }
    let text = site.text();
    let mut push = |rest: &str, weight: f64| {
        let note = format!("`{}{rest}` is meant, not all of `{text}`", short(text));
        let weight = if iterated { weight } else { weight * 0.5 };
        out.push(Replacement::new(site.node.byte_range(), format!("{text}{rest}"), note, weight));
    };
    if syntax.indented {
        push("[1:]", 0.8);
        push("[:-1]", 0.7);
        push("[::-1]", 0.5);
        for name in scope.names_at(site.node.start_byte()).filter(|name| name.shape.has(Shape::NUMBER) && !name.global)
        {
            push(&format!("[{}:]", name.text), 0.7);
            push(&format!("[:{}]", name.text), 0.6);
        }
    } else if iterated && syntax.tail_values {
        push("[1..]", 0.3);
    } else if iterated || returned {
        for rest in syntax.rests {
            push(rest, 0.5);
        }
    }
}
