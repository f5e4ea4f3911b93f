//! Gate `special`: the patch does not merely answer the failing test's own
//! question.
//!
//! Reads the patched code and the literals of the failing test; runs nothing.
//! What it looks for: a new equality with a literal of the test whose branch
//! gives a constant, a new table entry that maps one to another, and a
//! function that had parameters and now gives a constant of the test instead.
//! Literals that stand everywhere (0, 1, 2, empty text, truths) do not count;
//! nor does one more row of a table that was there, or one more member of a
//! group of values that was asked for.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::collections::HashMap;

use tree_sitter::Node;

use super::Gate;
use super::Miss;
use super::policy::is_among_tests;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::mutation::syntax::Syntax;
use crate::patch::Patch;
use crate::source::Lines;
use crate::source::RelPath;

mod literals;
mod terms;

pub use literals::Literals;
use literals::is_common;
use literals::is_plain;
use literals::literal;
use terms::is_data;
use terms::past;

/// The gate.
pub const GATE: Gate = Gate {
    name: "special",
    missed_when: "it answers the failing test's own values alone, or silences its error (only-weak)",
    runs_tests: false,
};

/// Judges a patch.
pub fn judge(patch: &Patch, literals: &Literals) -> Result<(), Miss> {
    // Where code can read an answer from; what tests expect lies among them, and
    // what is told to people tells of the same values.
    let is_prose = |path: &RelPath| matches!(path.extension(), Some("md" | "rst" | "adoc"));
    let could_be_read = |path: &RelPath| language::of_path(path).is_none() && !is_among_tests(path) && !is_prose(path);
    for change in patch.changes().iter().filter(|one| one.before.is_none() && could_be_read(&one.path)) {
        let held = change.after.as_deref().and_then(|text| literals.held_by(text));
        if let Some(value) = held {
            return Err(Miss::new(&GATE, format!("`{}` is new and holds {value} of the failing test", change.path)));
        }
    }
    for (path, hunks) in patch.touched_after() {
        let change = patch.changes().iter().find(|change| &change.path == path);
        let (Some(language), Some(change)) = (language::of_path(path), change) else { continue };
        let (Some(syntax), Some(after)) = (syntax::of(language), &change.after) else { continue };
        let before = change.before.as_deref().map(|text| language::parse(language, text));
        let parsed = language::parse(language, after);
        let look = Look {
            parsed: &parsed,
            before: before.as_ref(),
            syntax,
            hunks: &hunks,
            literals,
            constants: OnceCell::new(),
        };
        if let Some(what) = look.special() {
            return Err(Miss::new(&GATE, format!("`{path}`: {what}")));
        }
    }
    Ok(())
}

/// Rows of a `match` or a `switch`.
const IS_ROW: &[&str] =
    &["case_clause", "match_arm", "switch_case", "expression_case", "switch_rule", "switch_block_statement_group"];

/// Methods that compare as an operator does.
const COMPARING: &[&str] =
    &["equals", "equalsIgnoreCase", "includes", "contains", "is", "EqualFold", "Contains", "Equal"];

struct Look<'a> {
    parsed: &'a Parsed,
    before: Option<&'a Parsed>,
    syntax: &'static Syntax,
    hunks: &'a [Lines],
    literals: &'a Literals,
    /// Literals of the constants that the patch brings, once somebody asks.
    constants: OnceCell<HashMap<&'a str, Node<'a>>>,
}

impl<'a> Look<'a> {
    fn special(&self) -> Option<String> {
        let mut found = None;
        language::walk(self.parsed.tree.root_node(), &mut |node| {
            let lines = language::lines_of(node);
            if found.is_some() || !self.hunks.iter().any(|hunk| hunk.overlaps(&lines)) {
                return false;
            }
            found = self
                .equality(node)
                .or_else(|| self.term(node))
                .or_else(|| self.entry(node))
                .or_else(|| self.constant_function(node));
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
                | "array"
                | "literal_element"
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
        let found = found.or_else(|| self.meant(node).filter(|value| known(*value)));
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
            "ternary_expression" => (node.child_by_field_name("condition")?, node.child_by_field_name("consequence")?),
            "switch_case" => (node.child_by_field_name("value")?, node.child_by_field_name("body")?),
            "expression_case" => (node.child_by_field_name("value")?, node.named_child(1)?),
            "switch_rule" | "switch_block_statement_group" => (node.named_child(0)?, node.named_child(1)?),
            "conditional_expression" => (node.named_child(1)?, node.named_child(0)?),
            "case_clause" => (node.named_child(0)?, node.child_by_field_name("consequence")?),
            "match_arm" => (node.child_by_field_name("pattern")?, node.child_by_field_name("value")?),
            _ => return None,
        };
        if !self.is_new(condition) || self.stood(condition, &|old| stands_as(old, node)) {
            return None;
        }
        // Who differs from the value goes past the branch.
        let branch = if self.differs(condition) { past(node)? } else { branch };
        let is_constant = self.gives_constant(branch);
        let value = match node.kind() {
            kind if IS_ROW.contains(&kind) => {
                // One more row of a table is no special case.
                let rows = node.parent().map_or(0, |parent| {
                    let mut cursor = parent.walk();
                    parent
                        .named_children(&mut cursor)
                        .filter(|row| row.kind() == node.kind() && !self.is_new(*row))
                        .count()
                });
                (rows < 3).then(|| self.holds(condition)).flatten()
            }
            _ => self.compared(condition),
        }
        .filter(|value| is_constant || is_data(value));
        let Some(value) = value else {
            return self.fingerprint(condition, branch).filter(|_| is_constant);
        };
        let what = if is_constant { "gives a constant" } else { "is" };
        Some(format!("a new branch {what} for `{value}`, a value of the failing test"))
    }

    /// The test's literal that a condition compares with.
    fn compared(&self, condition: Node<'a>) -> Option<&'a str> {
        let mut found = None;
        language::walk(condition, &mut |inner| {
            for binary in &self.syntax.binaries(inner) {
                let operator = self.parsed.text_of(binary.operator);
                if found.is_none()
                    && matches!(operator, "==" | "===" | "!=" | "!==" | "is" | "in")
                    && !self.is_one_of_many(binary.left)
                    && !self.is_one_member_more(binary)
                {
                    found = self.tells(binary.right).or_else(|| self.tells(binary.left));
                }
            }
            if found.is_none()
                && let Some((object, member)) = self.syntax.member_of(inner).filter(|_| self.syntax.is_call(inner))
                && COMPARING.contains(&self.parsed.text_of(member))
            {
                let sides = std::iter::once(object).chain(self.syntax.arguments(inner));
                found = sides.into_iter().find_map(|side| self.tells(side));
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
                    matches!(before.text_of(binary.operator), "==" | "===")
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
    fn gives_constant(&self, branch: Node<'a>) -> bool {
        let mut at = branch;
        loop {
            if literal(self.parsed, at).is_some() || is_plain(at) || self.meant(at).is_some() {
                return true;
            }
            let parts = syntax::parts(at);
            at = match (at.kind(), parts.as_slice()) {
                (
                    "assignment" | "assignment_expression" | "assignment_statement" | "short_var_declaration",
                    [_, value],
                ) => *value,
                // `"a".to_owned()`
                ("call_expression", [function, arguments]) if arguments.named_child_count() == 0 => *function,
                ("field_expression", [value, _]) => *value,
                (
                    "let_declaration" | "block" | "match_block" | "statement_block" | "statement_list"
                    | "expression_list",
                    [.., last],
                ) if parts.len() == 1 => *last,
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
                    | "array"
                    | "else_clause"
                    | "literal_element"
                    | "macro_invocation",
                    [.., last],
                ) => *last,
                _ => return false,
            };
        }
    }

    /// `{LITERAL: CONSTANT}` where both are the test's.
    fn entry(&self, node: Node<'a>) -> Option<String> {
        if !matches!(node.kind(), "pair" | "keyed_element") || !self.is_new(node) {
            return None;
        }
        let (key, value) = (node.child_by_field_name("key")?, node.child_by_field_name("value")?);
        let mut cursor = node.parent()?.walk();
        let others =
            node.parent()?.named_children(&mut cursor).filter(|row| row.kind() == node.kind() && !self.is_new(*row));
        if others.count() >= 2 || !self.gives_constant(value) {
            return None;
        }
        // Another value for a row that was there is a change like any other.
        if self
            .stood(key, &|node| node.parent().is_some_and(|parent| matches!(parent.kind(), "pair" | "keyed_element")))
        {
            return None;
        }
        let numbered = || self.odd_number(key).filter(|_| self.tells(value).is_some());
        let key = self.tells(key).or_else(numbered)?;
        Some(format!("a new table maps `{key}`, a value of the failing test, to a constant"))
    }

    /// A function that used its parameters and now gives a constant.
    fn constant_function(&self, node: Node<'a>) -> Option<String> {
        if !self.syntax.is_function(node) {
            return None;
        }
        let name = self.parsed.text_of(self.syntax.name_of(node)?);
        let body = node.child_by_field_name("body")?;
        let of_statement = |last: Node<'a>| match last.kind() {
            "expression_statement" => self.syntax.returned(last.named_child(0)?),
            _ => Some(self.syntax.returned(last).unwrap_or(last)),
        };
        let last = || self.syntax.statements(body).last().copied().and_then(of_statement);
        let value = self.syntax.returned(node).or_else(last)?;
        if !self.is_new(value) || !self.gives_constant(value) {
            return None;
        }
        let given = self.holds(value)?;
        let used = |parsed: &Parsed, function: Node<'_>| {
            let parameters =
                function.child_by_field_name("parameters").or_else(|| function.child_by_field_name("parameter"));
            let (Some(parameters), Some(body)) = (parameters, function.child_by_field_name("body")) else {
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
                && self.syntax.name_of(old).is_some_and(|other| before.text_of(other) == name)
            {
                used_before |= used(before, old);
            }
            old.named_child_count() > 0
        });
        (used_before && !used(self.parsed, node))
            .then(|| format!("`{name}` gives the constant `{given}` of the failing test, whatever it is given"))
    }
}

/// Whether an old node is to its parent what the condition of `new` is to it: in a
/// row of a table, or anywhere else.
fn stands_as(old: Node<'_>, new: Node<'_>) -> bool {
    let in_row = |node: Node<'_>| IS_ROW.contains(&node.kind());
    !in_row(new) || old.parent().is_some_and(in_row)
}

fn identifiers(parsed: &Parsed, node: Node<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    language::walk(node, &mut |inner| {
        if matches!(
            inner.kind(),
            "identifier" | "shorthand_property_identifier_pattern" | "shorthand_property_identifier"
        ) {
            names.insert(parsed.text_of(inner).to_owned());
        }
        inner.named_child_count() > 0
    });
    names
}

#[cfg(test)]
mod tests;
