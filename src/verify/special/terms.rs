//! The failing test's value in forms beside a plain branch for it: one for all
//! others, and a term of an answer that is a truth.

use tree_sitter::Node;

use super::Look;

impl<'a> Look<'a> {
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
        let is_value =
            top.parent().is_some_and(|parent| self.syntax.returned(parent).is_some_and(|value| value == top));
        if !is_term || !is_value || self.is_one_of_many(binary.left) {
            return None;
        }
        let value = self.tells(binary.right).or_else(|| self.tells(binary.left))?;
        let is_telling = is_data(value) || value.parse::<f64>().is_ok();
        is_telling.then(|| format!("the answer for `{value}`, a value of the failing test, is a constant"))
    }
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
