//! Text: white space that is still on it, its length in the wrong unit, a cut
//! inside a character, words parted by one space only.
//!
//! The commonest slips of code that reads lines; each form is one call.

use tree_sitter::Node;

use super::Operator;
use super::Replacement;
use super::Site;
use super::place::short;
use super::shape::Shape;
use super::syntax::parts;

/// Text in another form.
pub static FORM: Operator = Operator {
    name: "text-form",
    what: "a text is trimmed, counted in characters, cut between them, or parted into words",
    prior: 0.45,
    apply: form,
};

fn form<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    // Its forms are methods of Python and of Rust.
    if !syntax.indented && !syntax.tail_values {
        return;
    }
    if site.kind() == "identifier" {
        trimmed(site, out);
    } else if site.kind() == syntax.call {
        of_call(site, out);
    } else if site.kind() == syntax.index && !syntax.indented {
        cut(site, out);
    }
}

/// `x` becomes `x.trim()` where its characters matter.
fn trimmed<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let (syntax, shape) = (site.scope.syntax, site.scope.shape(site.text()));
    if site.scope.name(site.text()).is_none() || !shape.may_be(Shape::TEXT) {
        return;
    }
    let Some(weight) = weight_of_place(site) else { return };
    let known = shape.has(Shape::TEXT) || gives_text(site);
    let weight = weight * if known { 1.0 } else { 0.4 };
    let method = if syntax.indented { "strip" } else { "trim" };
    let note = format!("white space is still around `{}`", site.text());
    out.push(Replacement::new(site.node.byte_range(), format!("{}.{method}()", site.text()), note, weight));
}

/// How much the characters of a name matter where it stands; `None` where they
/// do not.
fn weight_of_place(site: &Site<'_>) -> Option<f64> {
    let (syntax, parent) = (site.scope.syntax, site.parent?);
    if let Some((object, member)) = syntax.member_of(parent).filter(|_| parent.kind() == syntax.member.0) {
        let matters = ["parse", "is_empty", "starts_with", "startswith", "split", "isdigit", "to_owned", "to_string"];
        return (object == site.node && matters.contains(&site.of(member))).then_some(0.8);
    }
    if syntax.binaries(parent).iter().any(|binary| matches!(site.of(binary.operator), "==" | "!=" | "in" | "not in")) {
        return Some(0.5);
    }
    if matches!(parent.kind(), "arguments" | "argument_list") {
        let callee = parent.parent().and_then(|call| syntax.callee(call))?;
        return match site.parsed.text_of(callee) {
            "int" | "float" => Some(0.3),
            "Some" | "Ok" => Some(0.8),
            name if name.ends_with("append") || name.ends_with("push") => Some(0.5),
            _ => None,
        };
    }
    let tail = !syntax.indented && parent.kind() == "block" && site.node.next_named_sibling().is_none();
    (syntax.returned(parent) == Some(site.node) || tail).then_some(0.8)
}

/// Whether the function says that it gives back text.
fn gives_text(site: &Site<'_>) -> bool {
    let result = site.scope.syntax.result_of(site.scope.function).map_or("", |kind| site.parsed.text_of(kind));
    result.contains("str") || result.contains("String")
}

fn of_call<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let syntax = site.scope.syntax;
    let Some((object, member)) = syntax.member_of(site.node) else { return };
    let arguments = syntax.arguments(site.node);
    let tail = object.end_byte()..site.node.end_byte();
    let mut push = |new: &str, note: String, weight: f64| {
        out.push(Replacement::new(tail.clone(), new, note, weight));
    };
    let text = short(site.of(object));
    match (site.of(member), arguments.as_slice()) {
        ("split", [only]) if matches!(site.of(*only), "' '" | "\" \"") => {
            let new = if syntax.indented { ".split()" } else { ".split_whitespace()" };
            push(new, format!("`{text}` may hold more than one space between words"), 0.9);
        }
        ("split", []) if syntax.indented => push(".split(' ')", "every space parts".to_owned(), 0.4),
        ("split_whitespace", []) => push(".split(' ')", "every space parts".to_owned(), 0.4),
        ("trim" | "strip", []) => push("", format!("the white space of `{text}` counts"), 0.4),
        ("len", []) if !syntax.indented => {
            let shape = shape_of(site, object);
            if shape.may_be(Shape::TEXT) {
                let weight = if shape.has(Shape::TEXT) { 1.0 } else { 0.15 };
                push(".chars().count()", format!("characters of `{text}` are to be counted, not bytes"), weight);
            }
        }
        ("count", []) if site.of(object).ends_with(".chars()") => {
            let whole = site.of(object);
            let inner = &whole[..whole.len() - ".chars()".len()];
            let note = format!("bytes of `{}` are to be counted, not characters", short(inner));
            out.push(Replacement::new(site.node.byte_range(), format!("{inner}.len()"), note, 0.4));
        }
        _ => {}
    }
}

fn shape_of<'a>(site: &Site<'a>, node: Node<'a>) -> Shape {
    if node.kind() == "identifier" { site.scope.shape(site.of(node)) } else { Shape::UNKNOWN }
}

/// `text[..n]` becomes `text[..text.floor_char_boundary(n)]` (Rust 1.91).
fn cut<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let [value, range] = parts(site.node)[..] else { return };
    if range.kind() != site.scope.syntax.slice || !shape_of(site, value).has(Shape::TEXT) {
        return;
    }
    let name = site.of(value);
    for bound in parts(range) {
        if bound.kind() == "integer_literal" && site.of(bound) == "0" || site.of(bound).contains("boundary") {
            continue;
        }
        let note = format!("`{}` may be inside a character of `{name}`", short(site.of(bound)));
        let new = format!("{name}.floor_char_boundary({})", site.of(bound));
        out.push(Replacement::new(bound.byte_range(), new, note, 0.7));
    }
}
