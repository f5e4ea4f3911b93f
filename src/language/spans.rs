//! Spans of a text that are tests, so that a patch must leave them alone.
//!
//! Judges by syntax and by the file's place; runs nothing.

use std::ops::Range;

use super::Parsed;
use super::definitions;
use super::walk;
use crate::source::RelPath;

impl Parsed {
    /// Byte spans that are tests or only compiled for tests, whatever the file
    /// is called: test modules and functions, classes of unittest, tests in
    /// documentation. In text order, not overlapping.
    pub fn test_spans(&self) -> Vec<Range<usize>> {
        let root = self.tree.root_node();
        let mut spans = (self.language.doctests)(root, &self.text);
        walk(root, &mut |node| {
            // Only items of a file, module or class can be tests by themselves.
            let item = node.is_named() && node.parent().is_none_or(|parent| self.language.holds_items(parent.kind()));
            if !item || !(self.language.is_test_node)(node, &self.text) {
                return node.named_child_count() > 0;
            }
            spans.push(definitions::first_leading(self, node).start_byte()..node.end_byte());
            false
        });
        merged(spans)
    }

    /// As [`Parsed::test_spans`]; the whole text where `path` is a test file.
    pub fn test_spans_in(&self, path: &RelPath) -> Vec<Range<usize>> {
        if (self.language.is_test_file)(path) {
            std::iter::once(0..self.text.len()).collect()
        } else {
            self.test_spans()
        }
    }
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut out: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use crate::language::python::PYTHON;
    use crate::language::rust::RUST;
    use pretty_assertions::assert_eq;

    fn texts(parsed: &Parsed) -> Vec<&str> {
        parsed.test_spans().into_iter().map(|span| &parsed.text[span]).collect()
    }

    #[test]
    fn rust_tests_and_doc_tests_are_spans() {
        let text = "/// Adds.\n///\n/// ```\n/// assert_eq!(add(1), 2);\n/// ```\n///\n/// ```text\n/// not code\n/// ```\npub fn add(n: u8) -> u8 { n + 1 }\n\n#[cfg(all(unix, test))]\nmod tests {\n    #[test]\n    fn t() {}\n}\n\n#[test]\n#[ignore]\nfn top() {}\n\n#[cfg(not(test))]\nfn real() {}\n";
        assert_eq!(
            texts(&parse(&RUST, text)),
            [
                "/// ```\n/// assert_eq!(add(1), 2);\n/// ```\n",
                "#[cfg(all(unix, test))]\nmod tests {\n    #[test]\n    fn t() {}\n}",
                "#[test]\n#[ignore]\nfn top() {}",
            ]
        );
    }

    #[test]
    fn python_doctests_and_unittest_classes_are_spans() {
        let text = "def add(n):\n    \"\"\"Adds.\n\n    >>> add(1)\n    2\n\n    More.\n    \"\"\"\n    return n + 1\n\nclass T(unittest.TestCase):\n    def test_add(self):\n        pass\n\nclass TestRunner:\n    def test_connection(self):\n        pass\n";
        assert_eq!(
            texts(&parse(&PYTHON, text)),
            [">>> add(1)\n    2\n", "class T(unittest.TestCase):\n    def test_add(self):\n        pass"]
        );
    }

    #[test]
    fn a_test_file_is_one_span() {
        let parsed = parse(&PYTHON, "x = 1\n");
        for (path, whole) in [
            ("tests/test_cart.py", true),
            ("tests/data.py", true),
            ("test_gcd.py", true),
            ("conftest.py", true),
            ("numpy/testing/utils.py", false),
            ("click/testing.py", false),
            ("numpy/testing/tests/test_utils.py", true),
            ("src/latest/x.py", false),
        ] {
            let path = RelPath::new(path).expect("path");
            assert_eq!(!parsed.test_spans_in(&path).is_empty(), whole, "{path}");
        }
    }
}
