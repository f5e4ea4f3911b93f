//! Functions that work as before and give something else back.
//!
//! Makes texts; runs nothing. What a value is worked out by stays, so that
//! whatever it does beside is still done.

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;

/// What functions give in the place of their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing, which counts as false.
    Nothing,
    /// Something that is true and like nothing else.
    Something,
    /// They end the process: who does not notice that does not get there.
    TheEnd,
}

/// The text of `parsed` in which each of `functions` gives something else where it
/// gave a value; `None` where none does, or where a value has to have a type.
pub(super) fn giving(parsed: &Parsed, functions: &[Node<'_>], instead: Instead) -> Option<String> {
    let syntax = syntax::of(parsed.language).filter(|syntax| syntax.dynamic)?;
    let mut values = Vec::new();
    for function in functions {
        language::walk(*function, &mut |node| {
            if node != *function && syntax.is_function(node) {
                return false;
            }
            let yielded = matches!(node.kind(), "yield" | "yield_expression").then(|| node.named_child(0)).flatten();
            values.extend(syntax.returned(node).or(yielded).filter(|value| !is_nothing(parsed, *value)));
            node.named_child_count() > 0
        });
    }
    let mut text = parsed.text.to_string();
    // A value may stand in another one: the inner goes with the outer.
    values.sort_by_key(|value| (value.start_byte(), std::cmp::Reverse(value.end_byte())));
    let mut outer: Vec<Node<'_>> = Vec::new();
    for value in values {
        if outer.last().is_none_or(|last| last.end_byte() <= value.start_byte()) {
            outer.push(value);
        }
    }
    for value in outer.iter().rev() {
        let old = parsed.text_of(*value);
        let new = match (syntax.indented, instead) {
            (true, Instead::Nothing) => format!("(({old}), None)[1]"),
            (true, Instead::Something) => format!("(({old}), object())[1]"),
            (true, Instead::TheEnd) => format!("(({old}), __import__('os')._exit(97))[1]"),
            (false, Instead::Nothing) => format!("(({old}), undefined)"),
            (false, Instead::Something) => format!("(({old}), Symbol())"),
            (false, Instead::TheEnd) => format!("(({old}), process.exit(97))"),
        };
        text.replace_range(value.byte_range(), &new);
    }
    (!outer.is_empty()).then_some(text)
}

/// Whether a value is nothing already, or comes from elsewhere by turns.
fn is_nothing(parsed: &Parsed, value: Node<'_>) -> bool {
    matches!(parsed.text_of(value), "None" | "null" | "undefined" | "void 0")
        || value.parent().is_some_and(|parent| parsed.text_of(parent).starts_with("yield from"))
        || value.parent().is_some_and(|parent| parsed.text_of(parent).starts_with("yield*"))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::File;
    use crate::patch::Patch;
    use crate::source::Lines;
    use crate::source::RelPath;

    fn given(path: &str, text: &str, lines: Lines) -> Option<String> {
        let path = RelPath::new(path).expect("path");
        let patch = Patch::of_file(path.clone(), "", text);
        let file = File::of(&patch, &path, vec![lines])?;
        super::giving(&file.parsed, &file.around(), super::Instead::Nothing)
    }

    #[test]
    fn what_a_function_gives_is_gone_and_what_it_does_is_not() {
        for (path, text, lines, wanted) in [
            ("a.py", "def f(x):\n    return g(x)\n", (2, 2), Some("def f(x):\n    return ((g(x)), None)[1]\n")),
            ("a.py", "def f(x):\n    return x, 1\n", (2, 2), Some("def f(x):\n    return ((x, 1), None)[1]\n")),
            ("a.py", "def f(x):\n    if x:\n        return None\n    x.go()\n", (2, 2), None),
            (
                "a.py",
                "def f(x):\n    yield x\n    yield from x\n",
                (2, 2),
                Some("def f(x):\n    yield ((x), None)[1]\n    yield from x\n"),
            ),
            // A function in the hunk is the patch's own; the one around it gives the value.
            (
                "a.py",
                "def f(x):\n    def g():\n        return 1\n    return g()\n",
                (2, 3),
                Some("def f(x):\n    def g():\n        return 1\n    return ((g()), None)[1]\n"),
            ),
            (
                "a.py",
                "def f():\n    return 1\n\n\ndef g():\n    return 2\n",
                (1, 6),
                Some("def f():\n    return ((1), None)[1]\n\n\ndef g():\n    return ((2), None)[1]\n"),
            ),
            ("a.js", "const f = (x) => x + 1;\n", (1, 1), Some("const f = (x) => ((x + 1), undefined);\n")),
            (
                "a.js",
                "function f(x) {\n  return { a: x };\n}\n",
                (2, 2),
                Some("function f(x) {\n  return (({ a: x }), undefined);\n}\n"),
            ),
            ("a.py", "A = 1\n", (1, 1), None),
            ("a.rs", "fn f() -> i32 {\n    1\n}\n", (2, 2), None),
            ("a.go", "package a\n\nfunc f() int {\n\treturn 1\n}\n", (4, 4), None),
        ] {
            assert_eq!(given(path, text, Lines::new(lines.0, lines.1)).as_deref(), wanted, "{text}");
        }
    }
}
