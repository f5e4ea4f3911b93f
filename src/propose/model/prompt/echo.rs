//! Source lines that a runner repeats in its output, and that the slice shows.
//!
//! Cuts lines; never one that says something of its own.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::diagnose::Slice;

/// What a runner writes before a line of source: pytest's mark of the failing
/// line, the gutter of jest and vitest.
static GUTTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:>\s{2,}|\s*[>❯]?\s*\d+\s?\|\s?|\s+)").expect("the pattern is valid"));
/// Marks below a line of source (Python's carets, jest's).
static BELOW: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[\s|]*[\^~]+\s*$").expect("the pattern is valid"));

/// Shorter lines (`}`, `else:`) are no echo by themselves.
const TELLING: usize = 5;

/// The output without lines of source that the slice shows. A line counts as
/// source where it is set in from the margin, as runners do it.
pub(super) fn cut(output: &str, slice: &Slice) -> String {
    let shown: HashSet<&str> = slice.parts.iter().flat_map(|part| part.text.lines()).map(str::trim).collect();
    let mut kept = Vec::new();
    let mut echoes = false;
    for line in output.lines() {
        let source = GUTTER.find(line).map(|gutter| line[gutter.end()..].trim());
        let short = source.is_none_or(|source| source.len() < TELLING);
        let echo = match source {
            // Of what is short only what follows an echo.
            Some(source) => shown.contains(source) && (!short || echoes),
            None => false,
        };
        let below = echoes && (BELOW.is_match(line) || line.trim().is_empty());
        echoes = echo || below;
        if !echo && !below {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::Part;
    use crate::diagnose::Role;
    use crate::source::Lines;
    use crate::source::RelPath;

    fn slice(text: &str) -> Slice {
        let path = RelPath::new("test_shop.py").expect("a path");
        let lines = Lines::new(1, text.lines().count() as u32);
        let part = Part { path, lines, role: Role::Test, symbol: None, elided: Vec::new(), text: text.to_owned() };
        Slice { parts: vec![part], ..Slice::default() }
    }

    #[test]
    fn the_source_that_a_runner_repeats_is_cut_and_what_it_says_stays() {
        let slice =
            slice("def test_total():\n    cart = Cart()\n    if cart:\n        assert cart.total() == 3\n    }\n");
        for (output, wanted) in [
            // pytest
            (
                "    def test_total():\n        cart = Cart()\n        if cart:\n>           assert cart.total() == 3\nE           assert 2 == 3\n\ntest_shop.py:4: AssertionError",
                "E           assert 2 == 3\n\ntest_shop.py:4: AssertionError",
            ),
            // a Python traceback
            (
                "  File \"test_shop.py\", line 4, in test_total\n    assert cart.total() == 3\n           ^^^^^^^^^^^^\nValueError",
                "  File \"test_shop.py\", line 4, in test_total\nValueError",
            ),
            // jest
            ("  > 4 |   assert cart.total() == 3\n      |          ^\n\n  at test", "  at test"),
            // What a program prints at the margin is its own.
            ("cart = Cart()\n    other()", "cart = Cart()\n    other()"),
            ("    }", "    }"),
        ] {
            assert_eq!(cut(output, &slice), wanted, "{output}");
        }
    }
}
