//! Gate `special`: the patch does not merely answer the failing test's own
//! question.
//!
//! Reads the patched code and the literals of the failing test; runs nothing.
//! What it looks for: a new equality with a literal of the test whose branch
//! gives a constant, a new table entry that maps one to another, and a
//! function that had parameters and now gives a constant of the test instead.
//! Literals that stand everywhere (0, 1, 2, empty text, truths) do not count;
//! nor does one more row of a table that was there.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::Gate;
use super::Miss;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::mutation::syntax::Syntax;
use crate::patch::Patch;
use crate::source::Lines;

/// The gate.
pub const GATE: Gate = Gate {
    name: "special",
    missed_when: "it answers the failing test's own values alone (only-weak)",
    runs_tests: false,
};

/// The literals of a failing test, as normalised words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals(BTreeSet<String>);

impl Literals {
    /// Those of a test's code within `lines`.
    pub fn of_test(parsed: &Parsed, lines: Lines) -> Literals {
        let mut found = BTreeSet::new();
        language::walk(parsed.tree.root_node(), &mut |node| {
            let own = language::lines_of(node);
            if own.end < lines.start || own.start > lines.end {
                return false;
            }
            if node.kind() == "token_tree" {
                found.extend(words_of(parsed.text_of(node)));
                return false;
            }
            found.extend(literal(parsed, node));
            node.named_child_count() > 0
        });
        Literals(found)
    }

    /// Those of values as a failure shows them (`[3, 'abc']`).
    pub fn of_values<'v>(values: impl IntoIterator<Item = &'v str>) -> Literals {
        Literals(values.into_iter().flat_map(words_of).collect())
    }

    /// Both.
    pub fn and(mut self, other: Literals) -> Literals {
        self.0.extend(other.0);
        self
    }
}

/// Judges a patch.
pub fn judge(patch: &Patch, literals: &Literals) -> Result<(), Miss> {
    for (path, hunks) in patch.touched_after() {
        let change = patch.changes().iter().find(|change| &change.path == path);
        let (Some(language), Some(change)) = (language::of_path(path), change) else { continue };
        let (Some(syntax), Some(after)) = (syntax::of(language), &change.after) else { continue };
        let before = change.before.as_deref().map(|text| language::parse(language, text));
        let parsed = language::parse(language, after);
        let look = Look { parsed: &parsed, before: before.as_ref(), syntax, hunks: &hunks, literals };
        if let Some(what) = look.special() {
            return Err(Miss::new(&GATE, format!("`{path}`: {what}")));
        }
    }
    Ok(())
}

struct Look<'a> {
    parsed: &'a Parsed,
    before: Option<&'a Parsed>,
    syntax: &'static Syntax,
    hunks: &'a [Lines],
    literals: &'a Literals,
}

impl<'a> Look<'a> {
    fn special(&self) -> Option<String> {
        let mut found = None;
        language::walk(self.parsed.tree.root_node(), &mut |node| {
            let lines = language::lines_of(node);
            if found.is_some() || !self.hunks.iter().any(|hunk| hunk.overlaps(&lines)) {
                return false;
            }
            found = self.equality(node).or_else(|| self.entry(node)).or_else(|| self.constant_function(node));
            node.named_child_count() > 0
        });
        found
    }

    fn is_new(&self, node: Node<'_>) -> bool {
        let lines = language::lines_of(node);
        self.hunks.iter().any(|hunk| hunk.overlaps(&lines))
    }

    /// Whether the unpatched file has a node of that kind and text.
    fn stood(&self, node: Node<'_>, counts: &dyn Fn(Node<'_>) -> bool) -> bool {
        let Some(before) = self.before else { return false };
        let (kind, text) = (node.kind(), self.parsed.text_of(node));
        let mut found = false;
        language::walk(before.tree.root_node(), &mut |old| {
            found |= old.kind() == kind && before.text_of(old) == text && counts(old);
            !found && old.named_child_count() > 0
        });
        found
    }

    /// The literal of the test that `node` is, or holds as a tuple or list.
    fn tells(&self, node: Node<'a>) -> Option<&'a str> {
        let mut found = None;
        let known = |node: Node<'_>| {
            literal(self.parsed, node).is_some_and(|word| !is_common(&word) && self.literals.0.contains(&word))
        };
        let bare = matches!(
            node.kind(),
            "tuple"
                | "list"
                | "set"
                | "expression_list"
                | "tuple_expression"
                | "array_expression"
                | "reference_expression"
                | "parenthesized_expression"
        ) || node.kind().ends_with("_pattern")
            || node.kind() == "case_pattern";
        if known(node) {
            found = Some(node);
        } else if bare {
            language::walk(node, &mut |inner| {
                if found.is_none() && known(inner) {
                    found = Some(inner);
                }
                inner.named_child_count() > 0 && found.is_none()
            });
        }
        found.map(|node| self.parsed.text_of(node))
    }

    /// A literal of the test anywhere in `node`.
    fn holds(&self, node: Node<'a>) -> Option<&'a str> {
        let mut found = None;
        language::walk(node, &mut |inner| {
            found = found.or_else(|| self.tells(inner));
            found.is_none() && inner.named_child_count() > 0
        });
        found
    }

    /// `if x == LITERAL: return CONSTANT`, `CONSTANT if x == LITERAL else …`,
    /// and the arms of `match`.
    fn equality(&self, node: Node<'a>) -> Option<String> {
        let (condition, branch) = match node.kind() {
            "if_statement" | "elif_clause" | "if_expression" => {
                (node.child_by_field_name("condition")?, node.child_by_field_name("consequence")?)
            }
            "conditional_expression" => (node.named_child(1)?, node.named_child(0)?),
            "case_clause" => (node.named_child(0)?, node.child_by_field_name("consequence")?),
            "match_arm" => (node.child_by_field_name("pattern")?, node.child_by_field_name("value")?),
            _ => return None,
        };
        if !self.is_new(condition) || !self.gives_constant(branch) || self.stood(condition, &|_| true) {
            return None;
        }
        let value = match node.kind() {
            "case_clause" | "match_arm" => {
                // One more row of a table is no special case.
                let rows = node.parent().map_or(0, |parent| {
                    let mut cursor = parent.walk();
                    parent
                        .named_children(&mut cursor)
                        .filter(|row| row.kind() == node.kind() && !self.is_new(*row))
                        .count()
                });
                (rows < 3).then(|| self.tells(condition)).flatten()
            }
            _ => self.compared(condition),
        }?;
        Some(format!("a new branch gives a constant for `{value}`, a value of the failing test"))
    }

    /// The test's literal that a condition compares with.
    fn compared(&self, condition: Node<'a>) -> Option<&'a str> {
        let mut found = None;
        language::walk(condition, &mut |inner| {
            for binary in self.syntax.binaries(inner) {
                let operator = self.parsed.text_of(binary.operator);
                if found.is_none() && matches!(operator, "==" | "is" | "in") && !self.is_one_of_many(binary.left) {
                    found = self.tells(binary.right).or_else(|| self.tells(binary.left));
                }
            }
            inner.named_child_count() > 0
        });
        found
    }

    /// Whether the unpatched file compares `left` with constants already, as a
    /// chain of `elif` does.
    fn is_one_of_many(&self, left: Node<'_>) -> bool {
        let Some(before) = self.before else { return false };
        let wanted = self.parsed.text_of(left);
        let mut count = 0;
        language::walk(before.tree.root_node(), &mut |node| {
            count += self
                .syntax
                .binaries(node)
                .iter()
                .filter(|binary| {
                    before.text_of(binary.operator) == "=="
                        && before.text_of(binary.left) == wanted
                        && literal(before, binary.right).is_some()
                })
                .count();
            node.named_child_count() > 0
        });
        count >= 2
    }

    /// Whether a branch is nothing but a constant that is given back or
    /// assigned.
    fn gives_constant(&self, branch: Node<'_>) -> bool {
        let mut at = branch;
        loop {
            if literal(self.parsed, at).is_some() || is_plain(at) {
                return true;
            }
            let parts = syntax::parts(at);
            at = match (at.kind(), parts.as_slice()) {
                ("assignment" | "assignment_expression", [_, value]) => *value,
                // `"a".to_owned()`
                ("call_expression", [function, arguments]) if arguments.named_child_count() == 0 => *function,
                ("field_expression", [value, _]) => *value,
                ("let_declaration" | "block" | "match_block", [.., last]) if parts.len() == 1 => *last,
                (
                    "expression_statement"
                    | "return_statement"
                    | "return_expression"
                    | "parenthesized_expression"
                    | "call_expression"
                    | "call"
                    | "arguments"
                    | "argument_list"
                    | "reference_expression"
                    | "tuple"
                    | "list"
                    | "macro_invocation",
                    [.., last],
                ) => *last,
                _ => return false,
            };
        }
    }

    /// `{LITERAL: CONSTANT}` where both are the test's.
    fn entry(&self, node: Node<'a>) -> Option<String> {
        if node.kind() != "pair" || !self.is_new(node) {
            return None;
        }
        let (key, value) = (node.child_by_field_name("key")?, node.child_by_field_name("value")?);
        let mut cursor = node.parent()?.walk();
        let others =
            node.parent()?.named_children(&mut cursor).filter(|row| row.kind() == "pair" && !self.is_new(*row));
        if others.count() >= 2 || !self.gives_constant(value) {
            return None;
        }
        // Another value for a row that was there is a change like any other.
        if self.stood(key, &|node| node.parent().is_some_and(|parent| parent.kind() == "pair")) {
            return None;
        }
        let key = self.tells(key)?;
        Some(format!("a new table maps `{key}`, a value of the failing test, to a constant"))
    }

    /// A function that used its parameters and now gives a constant.
    fn constant_function(&self, node: Node<'a>) -> Option<String> {
        if !self.syntax.is_function(node) {
            return None;
        }
        let name = self.parsed.text_of(node.child_by_field_name("name")?);
        let body = node.child_by_field_name("body")?;
        let last = *syntax::parts(body).last()?;
        let value = match last.kind() {
            "expression_statement" => self.syntax.returned(last.named_child(0)?)?,
            _ => self.syntax.returned(last).unwrap_or(last),
        };
        if !self.is_new(value) || !self.gives_constant(value) {
            return None;
        }
        let given = self.holds(value)?;
        let used = |parsed: &Parsed, function: Node<'_>| {
            let (Some(parameters), Some(body)) =
                (function.child_by_field_name("parameters"), function.child_by_field_name("body"))
            else {
                return false;
            };
            let names = identifiers(parsed, parameters);
            let uses = identifiers(parsed, body);
            names.iter().any(|name| !matches!(name.as_str(), "self" | "cls") && uses.contains(name))
        };
        let before = self.before?;
        let mut used_before = false;
        language::walk(before.tree.root_node(), &mut |old| {
            if self.syntax.is_function(old)
                && old.child_by_field_name("name").is_some_and(|other| before.text_of(other) == name)
            {
                used_before |= used(before, old);
            }
            old.named_child_count() > 0
        });
        (used_before && !used(self.parsed, node))
            .then(|| format!("`{name}` gives the constant `{given}` of the failing test, whatever it is given"))
    }
}

fn identifiers(parsed: &Parsed, node: Node<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    language::walk(node, &mut |inner| {
        if inner.kind() == "identifier" {
            names.insert(parsed.text_of(inner).to_owned());
        }
        inner.named_child_count() > 0
    });
    names
}

/// The normalised word of a literal node.
fn literal(parsed: &Parsed, node: Node<'_>) -> Option<String> {
    let text = parsed.text_of(node);
    match node.kind() {
        "integer" | "float" | "integer_literal" | "float_literal" | "string" | "string_literal" | "char_literal"
        | "raw_string_literal" => normal(text),
        "unary_operator" | "unary_expression" | "negative_literal" if text.starts_with('-') => {
            normal(&text.split_whitespace().collect::<String>())
        }
        _ => None,
    }
}

fn is_plain(node: Node<'_>) -> bool {
    matches!(node.kind(), "true" | "false" | "none" | "boolean_literal" | "unit_expression" | "pass_statement")
}

/// The words of a text that are numbers or quoted.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\'' || c.is_ascii_digit()) {
        let quote = rest[at..].chars().next().unwrap_or(' ');
        let joins = rest[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let minus = rest[..at].ends_with('-');
        let tail = &rest[at..];
        let length = if quote.is_ascii_digit() {
            tail.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_')).unwrap_or(tail.len())
        } else {
            tail[1..].find(quote).map_or(1, |end| end + 2)
        };
        let closed = quote.is_ascii_digit() || length > 1;
        if closed && !(quote.is_ascii_digit() && joins) {
            let sign = if minus && quote.is_ascii_digit() { "-" } else { "" };
            words.extend(normal(&format!("{sign}{}", &tail[..length])));
        }
        rest = &tail[length..];
    }
    words
}

/// `'a'` and `"a"` are one word, and so are `1_000u32` and `1000`.
fn normal(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if bare.starts_with(['"', '\'']) && bare.len() >= 2 {
        return Some(format!("\"{}\"", bare.trim_matches(['"', '\'', '#'])));
    }
    let digits: String = text.replace('_', "");
    let end = digits.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'x').unwrap_or(digits.len());
    let number = digits[..end].trim_end_matches('.');
    let number = number.strip_suffix(".0").unwrap_or(number);
    (!number.is_empty() && number != "-").then(|| number.to_owned())
}

/// Words that stand everywhere and tell nothing.
fn is_common(word: &str) -> bool {
    match word.parse::<f64>() {
        Ok(number) => number.abs() <= 2.0,
        Err(_) => word.len() <= 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    fn is_special(path: &str, before: &str, after: &str, test: &str) -> bool {
        let path = RelPath::new(path).expect("path");
        let language = language::of_path(&path).expect("a language");
        let literals = Literals::of_test(&language::parse(language, test), Lines::new(1, 99));
        judge(&Patch::of_file(path, before, after), &literals).is_err()
    }

    #[test]
    fn a_branch_for_the_tests_own_value_is_special() {
        let before = "def f(n):\n    return n * 2\n";
        let test = "def test_f():\n    assert f(17) == 42\n    assert g('boss') == [-5, 0]\n    assert f(0) == 1\n";
        for (after, special) in [
            ("def f(n):\n    if n == 17:\n        return 42\n    return n * 2\n", true),
            ("def f(n):\n    if n == 17:\n        return True\n    return n * 2\n", true),
            ("def f(n):\n    if n in (17, 18):\n        return 42\n    return n * 2\n", true),
            ("def f(n):\n    return 42 if n == 17 else n * 2\n", true),
            ("def f(n):\n    if n == \"boss\":\n        return [-5, 0]\n    return n * 2\n", true),
            ("def f(n):\n    match n:\n        case 17:\n            return 42\n    return n * 2\n", true),
            ("def f(n):\n    return {17: 42}.get(n, n * 2)\n", true),
            ("def f(n):\n    return 42\n", true),
            ("def f(n):\n    if n == 0:\n        return 1\n    return n * 2\n", false),
            ("def f(n):\n    if n >= 17:\n        return 42\n    return n * 2\n", false),
            ("def f(n):\n    if n == 18:\n        return 42\n    return n * 2\n", false),
            ("def f(n):\n    if n == 17:\n        n = g(n)\n    return n * 2\n", false),
            ("def f(n):\n    return n * 3\n", false),
        ] {
            assert_eq!(is_special("a.py", before, after, test), special, "{after}");
        }
    }

    #[test]
    fn rust_is_looked_at_in_the_same_way() {
        let before = "fn f(n: i32) -> i32 {\n    n * 2\n}\n";
        let test = "#[test]\nfn t() {\n    assert_eq!(f(17), 42);\n    assert_eq!(f(17), \"42\");\n}\n";
        for (after, special) in [
            ("fn f(n: i32) -> i32 {\n    if n == 17 {\n        return 42;\n    }\n    n * 2\n}\n", true),
            ("fn f(n: i32) -> i32 {\n    if 17_i32 == n { 42 } else { n * 2 }\n}\n", true),
            ("fn f(n: i32) -> i32 {\n    match n {\n        17 => 42,\n        _ => n * 2,\n    }\n}\n", true),
            ("fn f(n: i32) -> i32 {\n    42\n}\n", true),
            ("fn f(n: i32) -> String {\n    \"42\".to_owned()\n}\n", true),
            ("fn f(n: i32) -> i32 {\n    n * 2 + 8\n}\n", false),
        ] {
            assert_eq!(is_special("a.rs", before, after, test), special, "{after}");
        }
    }

    #[test]
    fn one_more_row_of_a_table_is_not_special() {
        let before = "def name(code):\n    if code == 200:\n        return 'ok'\n    if code == 500:\n        return 'broken'\n    return '?'\n";
        let after = before.replace("    return '?'", "    if code == 404:\n        return 'not found'\n    return '?'");
        assert!(!is_special("a.py", before, &after, "assert name(404) == 'not found'\n"));
        // Another value for a row that was there.
        let before = "FEES = {'near': 4, 'away': 31}\n";
        assert!(!is_special("a.py", before, &before.replace("31", "9"), "assert FEES['away'] == 9\n"));
        let before = "def f(n):\n    return 41 if n == 17 else n\n";
        assert!(!is_special("a.py", before, &before.replace("41", "42"), "assert f(17) == 42\n"));
        let before = "KINDS = {\n    'a1x': 1,\n    'b2x': 2,\n}\n";
        let after = before.replace("}\n", "    'jpeg': 3,\n}\n");
        assert!(!is_special("a.py", before, &after, "assert KINDS['jpeg'] == 3\n"));
    }
}
