//! Uses of names: calls, types and values.
//!
//! Says what is written; resolves no name.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;

use super::Parsed;
use super::outline::Found;
use super::outline::line_of;

/// What sort of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// It is read, or passed on.
    Value,
    /// It stands for a type.
    Type,
    /// It is called (macros too).
    Call,
}

/// One use of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// What sort of use.
    pub kind: ReferenceKind,
    /// 1-based line of the name.
    pub line: u32,
    /// Bytes of the name.
    pub bytes: Range<usize>,
    /// What stands before the dot or the `::`, as written.
    pub receiver: Option<String>,
}

impl Parsed {
    /// All uses of names, in text order. Names in imports are no uses.
    pub fn references(&self) -> Vec<Reference> {
        self.outline().references
    }
}

/// Longest receiver that is kept: a chain of calls over many lines says no
/// more about a type than its first steps.
const RECEIVER_LIMIT: usize = 200;

pub(super) fn collect(parsed: &Parsed, found: Vec<Found<'_>>, no_use: &HashSet<usize>) -> Vec<Reference> {
    let mut by_start: HashMap<usize, Reference> = HashMap::with_capacity(found.len());
    for found in found {
        let Some(reference) = reference(parsed, &found) else { continue };
        if no_use.contains(&reference.bytes.start) {
            continue;
        }
        match by_start.entry(reference.bytes.start) {
            std::collections::hash_map::Entry::Vacant(slot) => _ = slot.insert(reference),
            std::collections::hash_map::Entry::Occupied(mut slot) => {
                let kept = slot.get_mut();
                kept.kind = kept.kind.max(reference.kind);
                kept.receiver = kept.receiver.take().or(reference.receiver);
            }
        }
    }
    let imports = import_bytes(parsed);
    let mut references: Vec<Reference> = by_start.into_values().collect();
    references.sort_by_key(|reference| reference.bytes.start);
    let mut next = 0;
    references.retain(|reference| {
        while imports.get(next).is_some_and(|import| import.end <= reference.bytes.start) {
            next += 1;
        }
        !imports.get(next).is_some_and(|import| import.contains(&reference.bytes.start))
    });
    references
}

fn reference(parsed: &Parsed, found: &Found<'_>) -> Option<Reference> {
    let name = found.get("name")?;
    let kind = match found.kind {
        "reference.call" | "reference.macro" => ReferenceKind::Call,
        "reference.type" => ReferenceKind::Type,
        "reference.token" => match parsed.text_of(found.get("arguments")?).as_bytes().first() {
            Some(b'(') => ReferenceKind::Call,
            Some(b'{') => ReferenceKind::Type,
            _ => ReferenceKind::Value,
        },
        _ => ReferenceKind::Value,
    };
    let receiver = match found.get("receiver") {
        Some(node) => Some(parsed.text_of(node).to_owned()),
        None if name.parent().is_some_and(|parent| parent.kind() == "token_tree") => {
            receiver_before(&parsed.text, name.start_byte())
        }
        None => None,
    };
    Some(Reference {
        name: parsed.text_of(name).to_owned(),
        kind,
        line: line_of(name),
        bytes: name.byte_range(),
        receiver: receiver.map(|text| tail(text.trim())),
    })
}

/// The last [`RECEIVER_LIMIT`] bytes of `text`, at a character's border.
fn tail(text: &str) -> String {
    let mut start = text.len().saturating_sub(RECEIVER_LIMIT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// What stands before the dot or `::` in front of byte `at`, read backwards
/// over names and balanced brackets: the tokens of a macro's arguments have no
/// tree.
fn receiver_before(text: &str, at: usize) -> Option<String> {
    let before = text[..at].trim_end();
    let end = before.strip_suffix("::").or_else(|| before.strip_suffix('.'))?.len();
    let bytes = text.as_bytes();
    let (mut start, mut depth) = (end, 0usize);
    let floor = end.saturating_sub(RECEIVER_LIMIT);
    while start > floor {
        let byte = bytes[start - 1];
        match byte {
            b')' | b']' => depth += 1,
            b'(' | b'[' if depth == 0 => break,
            b'(' | b'[' => depth -= 1,
            _ if depth > 0 => {}
            b'_' | b'.' | b':' | b'?' => {}
            byte if byte.is_ascii_alphanumeric() || byte >= 0x80 => {}
            _ => break,
        }
        start -= 1;
    }
    while !text.is_char_boundary(start) {
        start += 1;
    }
    (start < end).then(|| text[start..end].to_owned())
}

/// Bytes of import statements, in text order.
fn import_bytes(parsed: &Parsed) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    super::walk(parsed.tree.root_node(), &mut |node| {
        let import = matches!(
            node.kind(),
            "import_statement" | "import_from_statement" | "use_declaration" | "import_declaration"
        );
        if import {
            spans.push(node.byte_range());
        }
        !import && node.named_child_count() > 0
    });
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use crate::language::python::PYTHON;
    use crate::language::rust::RUST;
    use pretty_assertions::assert_eq;

    fn calls(parsed: &Parsed) -> Vec<(String, Option<String>, u32)> {
        let calls = parsed.references().into_iter().filter(|reference| reference.kind == ReferenceKind::Call);
        calls.map(|call| (call.name, call.receiver, call.line)).collect()
    }

    fn row(name: &str, receiver: Option<&str>, line: u32) -> (String, Option<String>, u32) {
        (name.into(), receiver.map(Into::into), line)
    }

    #[test]
    fn python_calls_carry_their_receivers() {
        let text = "from a import f\nf(x.y(1), key=2)\nshop.cart.total()\n@deco\ndef g(): pass\n";
        assert_eq!(
            calls(&parse(&PYTHON, text)),
            [row("f", None, 2), row("y", Some("x"), 2), row("total", Some("shop.cart"), 3), row("deco", None, 4)]
        );
    }

    #[test]
    fn rust_calls_inside_the_tokens_of_a_macro_are_seen() {
        let text = "use a::b;\nfn t() {\n    assert_eq!(shop::gcd(3, cart(1).total()), Cart::new(vec![1]).len(), \"x\");\n    b::c::<u8>(1);\n}\n";
        assert_eq!(
            calls(&parse(&RUST, text)),
            [
                row("assert_eq", None, 3),
                row("gcd", Some("shop"), 3),
                row("cart", None, 3),
                row("total", Some("cart(1)"), 3),
                row("new", Some("Cart"), 3),
                row("len", Some("Cart::new(vec![1])"), 3),
                row("c", Some("b"), 4),
            ]
        );
    }

    #[test]
    fn keywords_of_arguments_and_imported_names_are_no_uses() {
        let names: Vec<String> =
            parse(&PYTHON, "import os\nf(key=value)\n").references().into_iter().map(|r| r.name).collect();
        assert_eq!(names, ["f", "value"]);
    }
}
