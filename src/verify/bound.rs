//! What a condition looks at: a branch of a patch that asks nothing of what its
//! function is given decides by where it runs.
//!
//! Reads syntax; runs nothing.

use std::ops::Range;

use crate::language;
use crate::language::Parsed;
use crate::mutation::scope::FileFacts;
use crate::mutation::scope::Scope;
use crate::mutation::syntax;

/// Whether the condition at `bytes`, in a function, reads none of the parameters
/// and variables of the functions around it.
pub(super) fn is_blind(parsed: &Parsed, bytes: Range<usize>) -> bool {
    let Some(syntax) = syntax::of(parsed.language) else { return false };
    let root = parsed.tree.root_node();
    let Some(condition) = root.descendant_for_byte_range(bytes.start, bytes.end) else { return false };
    let mut around = std::iter::successors(condition.parent(), |node| node.parent());
    let Some(function) = around.find(|node| syntax.is_function(*node)) else { return false };
    // What the file binds outside of functions is given to none.
    let nothing = FileFacts::default();
    let scope = Scope::read(parsed, syntax, function, &nothing);
    let mut reads = false;
    language::walk(condition, &mut |node| {
        let text = parsed.text_of(node);
        // A part of a member's name is none.
        let is_member = node.parent().is_some_and(|parent| {
            syntax.member_of(parent).is_some_and(|(_, member)| member == node && !syntax.is_call(parent))
        });
        let is_given = || scope.name(text).is_some() || matches!(text, "this" | "self");
        reads |= node.named_child_count() == 0 && !is_member && is_given();
        node.named_child_count() > 0 && !reads
    });
    !reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn a_condition_that_asks_nothing_of_what_is_given_is_blind() {
        for (path, text, condition, blind) in [
            (
                "a.js",
                "function f(n) {\n  return n > (typeof it === 'function' ? 1 : 2);\n}\n",
                "typeof it === 'function'",
                true,
            ),
            (
                "a.js",
                "function f(n) {\n  return new Error().stack.includes('.test.') ? 1 : n;\n}\n",
                "new Error().stack.includes('.test.')",
                true,
            ),
            ("a.js", "function f(n) {\n  return n > 2 ? 1 : 2;\n}\n", "n > 2", false),
            ("a.js", "const f = ({ n }) => (n ? 1 : 2);\n", "n", false),
            ("a.js", "function f() {\n  const m = g();\n  if (m.n) {\n    return 1;\n  }\n}\n", "m.n", false),
            ("a.js", "class A {\n  f() {\n    return this.n ? 1 : 2;\n  }\n}\n", "this.n", false),
            ("a.py", "def f(n):\n    return 1 if os.name == 'nt' else 2\n", "os.name == 'nt'", true),
            ("a.py", "def f(n):\n    return 1 if os.n == 'nt' else 2\n", "os.n == 'nt'", true),
            ("a.py", "def f(n):\n    for a, b in n:\n        if b:\n            return a\n", "b", false),
            ("a.py", "def f(self):\n    return 1 if self.n else 2\n", "self.n", false),
            ("a.py", "def f(n):\n    with g(n) as h:\n        return 1 if h else 2\n", "h", false),
            ("a.py", "def f(n):\n    return [1 for k in n if k]\n", "k", false),
            ("a.py", "import os\nX = 1 if os.name == 'nt' else 2\n", "os.name == 'nt'", false),
            ("a.rs", "fn f(n: u32) -> u32 {\n    if cfg!(unix) { 1 } else { n }\n}\n", "cfg!(unix)", true),
            (
                "a.rs",
                "fn f(n: Option<u32>) -> u32 {\n    if let Some(m) = n { if m > 1 { 1 } else { 2 } } else { 3 }\n}\n",
                "m > 1",
                false,
            ),
            (
                "a.go",
                "package a\n\nfunc f(n int) int {\n\tif ok := g(n); ok {\n\t\treturn 1\n\t}\n\treturn 2\n}\n",
                "ok {",
                false,
            ),
        ] {
            let path = RelPath::new(path).expect("path");
            let parsed = language::parse(language::of_path(&path).expect("a language"), text);
            let condition = condition.trim_end_matches(" {");
            let start = text.rfind(condition).expect("a condition");
            let start = if text[start..].starts_with("ok") { text.find("; ok").expect("ok") + 2 } else { start };
            assert_eq!(is_blind(&parsed, start..start + condition.len()), blind, "{text}");
        }
    }
}
