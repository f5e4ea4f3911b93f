//! Whether two patches differ in one name alone.
//!
//! Compares texts and their trees; a name is what the grammar calls an
//! identifier of some kind. Judges neither of them.

use std::ops::Range;

use crate::language;
use crate::patch::Patch;

/// The two names, where the patched texts differ in nothing else.
pub(super) fn differing<'a>(one: &'a Patch, other: &'a Patch) -> Option<(&'a str, &'a str)> {
    let ([one], [other]) = (one.changes(), other.changes()) else { return None };
    if one.path != other.path || one.before != other.before {
        return None;
    }
    let (a, b) = (one.after.as_deref()?, other.after.as_deref()?);
    let (start, end) = ends_of_what_is_alike(a, b);
    let (one_name, other_name) = (word_around(a, start, end)?, word_around(b, start, end)?);
    let language = language::of_path(&one.path)?;
    let is_name = |text: &str, word: &Range<usize>| {
        let parsed = language::parse(language, text);
        let node = parsed.tree.root_node().descendant_for_byte_range(word.start, word.end);
        node.is_some_and(|node| node.kind().ends_with("identifier") && node.byte_range() == *word)
    };
    (is_name(a, &one_name) && is_name(b, &other_name)).then(|| (&a[one_name], &b[other_name]))
}

/// Bytes that both begin with, and bytes that both end with behind those.
fn ends_of_what_is_alike(a: &str, b: &str) -> (usize, usize) {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - start;
    let end = a.bytes().rev().zip(b.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
    (start, end)
}

/// The word that holds all between `start` and `end` (bytes from the text's
/// end). `None` where that is no word.
fn word_around(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let bytes = text.as_bytes();
    let from = start - bytes[..start].iter().rev().take_while(|byte| is_part(byte)).count();
    let last = bytes.len() - end;
    let to = last + bytes[last..].iter().take_while(|byte| is_part(byte)).count();
    let word = bytes.get(from..to)?;
    let is_word = word.first().is_some_and(|first| !first.is_ascii_digit()) && word.iter().all(is_part);
    is_word.then_some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn two_patches_differ_in_one_name_or_in_something_else() {
        let before = "def f(args, size):\n    return dict(a=args.b, n=size)\n";
        for (one, other, names) in [
            ("args.entities", "args.hexadecimal", Some(("entities", "hexadecimal"))),
            ("args.decimal", "args.hexadecimal", Some(("decimal", "hexadecimal"))),
            ("args.b1", "args.b12", Some(("b1", "b12"))),
            ("size", "args", Some(("size", "args"))),
            ("größe", "größte", Some(("größe", "größte"))),
            ("args.b + 1", "args.b + 2", None),
            ("args.b", "args.b()", None),
            ("args.a.b", "args.b.b.c", None),
            ("'red'", "'read'", None),
            ("not size", "size", None),
            ("size", "None", None),
            ("None", "size", None),
            ("size", "size", None),
        ] {
            let of = |text: &str| {
                let path = RelPath::new("a.py").expect("path");
                Patch::of_file(path, before, before.replace("args.b", text))
            };
            assert_eq!(differing(&of(one), &of(other)), names, "{one} {other}");
            assert_eq!(differing(&of(other), &of(one)), names.map(|(one, other)| (other, one)), "{other} {one}");
        }
    }

    #[test]
    fn patches_of_other_files_or_places_are_no_namesakes() {
        let of = |path: &str, after: &str| Patch::of_file(RelPath::new(path).expect("path"), "a = b\nc = b\n", after);
        assert_eq!(differing(&of("a.py", "a = x\nc = b\n"), &of("a.py", "a = b\nc = x\n")), None);
        assert_eq!(differing(&of("a.py", "a = x\nc = b\n"), &of("b.py", "a = y\nc = b\n")), None);
        assert_eq!(differing(&of("a.txt", "a = x\nc = b\n"), &of("a.txt", "a = y\nc = b\n")), None);
    }
}
