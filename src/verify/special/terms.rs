//! The failing test's value in forms beside a plain branch for it: one for all
//! others, and a term of an answer that is a truth.

use std::collections::BTreeSet;
use std::collections::HashMap;

use tree_sitter::Node;

use super::Look;
use super::literals::is_common;
use super::literals::literal;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::mutation::syntax::Binary;

impl<'a> Look<'a> {
    /// `if len(x) == 13: return ANSWER`: one input told by what is worked out of it,
    /// and the answer that the failing test wants.
    pub(super) fn fingerprint(&self, condition: Node<'a>, branch: Node<'a>) -> Option<String> {
        let mut number = None;
        language::walk(condition, &mut |inner| {
            for binary in self.syntax.binaries(inner) {
                let sides = [(binary.left, binary.right), (binary.right, binary.left)];
                let told = sides.into_iter().find(|(call, _)| self.syntax.is_call(*call));
                let is_equality = matches!(self.parsed.text_of(binary.operator), "==" | "===" | "!=" | "!==");
                number = number.or(told.filter(|_| is_equality).and_then(|(_, value)| self.odd_number(value)));
            }
            inner.named_child_count() > 0
        });
        let (number, answer) = (number?, self.holds(branch)?);
        Some(format!("a new branch gives `{answer}` of the failing test where something is `{number}`"))
    }

    /// A number that does not stand everywhere.
    pub(super) fn odd_number(&self, node: Node<'a>) -> Option<&'a str> {
        let word = literal(self.parsed, node)?;
        (word.parse::<f64>().is_ok() && !is_common(&word)).then(|| self.parsed.text_of(node))
    }

    /// The literal that a new constant of the file stands for.
    pub(super) fn meant(&self, node: Node<'a>) -> Option<Node<'a>> {
        if !matches!(node.kind(), "identifier" | "constant") {
            return None;
        }
        let constants = self.constants.get_or_init(|| {
            let mut found = HashMap::new();
            language::walk(self.parsed.tree.root_node(), &mut |holder| {
                if self.syntax.is_function(holder) {
                    return false;
                }
                if self.is_new(holder) {
                    let of_literals = |(_, value): &(Node<'a>, Node<'a>)| literal(self.parsed, *value).is_some();
                    let pairs = named_values(holder).into_iter().filter(of_literals);
                    found.extend(pairs.map(|(name, value)| (self.parsed.text_of(name), value)));
                }
                holder.named_child_count() > 0
            });
            found
        });
        constants.get(self.parsed.text_of(node)).copied()
    }

    /// Whether `x in (11, 12, 13)` stood as `x in (11, 12)`: with one value less, of
    /// two or more.
    pub(super) fn is_one_member_more(&self, binary: &Binary<'_>) -> bool {
        let Some(before) = self.before.filter(|_| self.parsed.text_of(binary.operator) == "in") else { return false };
        let members = |parsed: &Parsed, group: Node<'_>| -> Option<BTreeSet<String>> {
            let mut cursor = group.walk();
            let is_group = matches!(group.kind(), "tuple" | "list" | "set");
            is_group.then(|| group.named_children(&mut cursor).map(|one| literal(parsed, one)).collect())?
        };
        let Some(now) = members(self.parsed, binary.right) else { return false };
        let mut found = false;
        language::walk(before.tree.root_node(), &mut |node| {
            found |= self.syntax.binaries(node).iter().any(|old| {
                before.text_of(old.operator) == "in"
                    && before.text_of(old.left) == self.parsed.text_of(binary.left)
                    && members(before, old.right)
                        .is_some_and(|old| old.len() >= 2 && now.len() == old.len() + 1 && old.is_subset(&now))
            });
            !found && node.named_child_count() > 0
        });
        found
    }

    /// Whether a condition is that something differs.
    pub(super) fn differs(&self, condition: Node<'_>) -> bool {
        let mut at = condition;
        while at.kind() == "parenthesized_expression"
            && let Some(inner) = at.named_child(0)
        {
            at = inner;
        }
        self.syntax.binaries(at).iter().any(|binary| matches!(self.parsed.text_of(binary.operator), "!=" | "!=="))
    }

    /// `… and x != LITERAL`, given back: a constant for that value too.
    pub(super) fn term(&self, node: Node<'a>) -> Option<String> {
        let is_equality = |operator: &str| matches!(operator, "==" | "===" | "!=" | "!==");
        let [binary] = self.syntax.binaries(node)[..] else { return None };
        if !is_equality(self.parsed.text_of(binary.operator)) || !self.is_new(node) || self.stood(node, &|_| true) {
            return None;
        }
        let (mut top, mut is_term) = (node, false);
        while let Some(parent) = top.parent() {
            let operators = self.syntax.binaries(parent);
            let is_logical =
                operators.iter().any(|one| matches!(self.parsed.text_of(one.operator), "and" | "or" | "&&" | "||"));
            if !is_logical && !matches!(parent.kind(), "parenthesized_expression" | "not_operator" | "unary_expression")
            {
                break;
            }
            is_term |= is_logical;
            top = parent;
        }
        let is_value = top.parent().is_some_and(|parent| {
            let is_tail = self.syntax.tail_values && self.syntax.blocks.contains(&parent.kind());
            self.syntax.returned(parent) == Some(top) || is_tail && syntax::parts(parent).last() == Some(&top)
        });
        // `(a, b)[x == LITERAL]`
        let is_key =
            top.parent().is_some_and(|parent| parent.kind() == self.syntax.index && parent.named_child(0) != Some(top));
        if !(is_key || is_term && is_value) || self.is_one_of_many(binary.left) {
            return None;
        }
        let value = self.tells(binary.right).or_else(|| self.tells(binary.left))?;
        let is_telling = is_data(value) || value.parse::<f64>().is_ok();
        (is_telling || is_key).then(|| format!("the answer for `{value}`, a value of the failing test, is a constant"))
    }
}

/// Names that a declaration gives, with the values behind them.
fn named_values(node: Node<'_>) -> Vec<(Node<'_>, Node<'_>)> {
    let (names, values) = match node.kind() {
        "assignment" => (node.child_by_field_name("left"), node.child_by_field_name("right")),
        "variable_declarator" | "const_item" | "static_item" => {
            (node.child_by_field_name("name"), node.child_by_field_name("value"))
        }
        "const_spec" | "var_spec" => {
            let mut cursor = node.walk();
            let names: Vec<Node<'_>> =
                node.children_by_field_name("name", &mut cursor).filter(Node::is_named).collect();
            let values = node.child_by_field_name("value").map(each).unwrap_or_default();
            return names.into_iter().zip(values).collect();
        }
        _ => return Vec::new(),
    };
    let (Some(names), Some(values)) = (names, values) else { return Vec::new() };
    each(names).into_iter().zip(each(values)).collect()
}

/// The members of a list of names or values, or the one.
fn each(node: Node<'_>) -> Vec<Node<'_>> {
    let is_list = matches!(node.kind(), "pattern_list" | "expression_list" | "tuple");
    if !is_list {
        return vec![node];
    }
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

/// Whether a text is what code works on, rather than a word it knows: it holds a
/// space between others.
pub(super) fn is_data(literal: &str) -> bool {
    literal.trim_matches(['"', '\'', '`']).trim().contains(' ')
}

/// Where an `if` goes whose condition does not hold.
pub(super) fn past(node: Node<'_>) -> Option<Node<'_>> {
    match node.kind() {
        "conditional_expression" => node.named_child(2),
        _ => node.child_by_field_name("alternative").or_else(|| node.next_named_sibling()),
    }
}
