//! What the nodes of a tree are to the operators, by the language's row: calls,
//! conditions, results, assignments.
//!
//! Reads trees; makes no mutants.

use tree_sitter::Node;

use super::Binary;
use super::Syntax;
use super::parts;

impl Syntax {
    /// The operators of `node`, left to right; empty for other nodes.
    pub fn binaries<'a>(&self, node: Node<'a>) -> Vec<Binary<'a>> {
        if !self.binary.contains(&node.kind()) {
            return Vec::new();
        }
        let mut cursor = node.walk();
        let children: Vec<Node<'a>> = node.children(&mut cursor).filter(|child| !child.is_extra()).collect();
        children
            .windows(3)
            .step_by(2)
            .map(|window| Binary { left: window[0], operator: window[1], right: window[2] })
            .collect()
    }

    /// The single operator of `node`, where it has exactly one.
    pub fn binary<'a>(&self, node: Node<'a>) -> Option<Binary<'a>> {
        match self.binaries(node).as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// The arguments of a call, in order; empty for other nodes.
    pub fn arguments<'a>(&self, call: Node<'a>) -> Vec<Node<'a>> {
        if call.kind() != self.call {
            return Vec::new();
        }
        match call.child_by_field_name("arguments") {
            Some(list) if matches!(list.kind(), "argument_list" | "arguments") => parts(list),
            _ => Vec::new(),
        }
    }

    /// What a call calls: the expression, or the method's name alone.
    pub fn callee<'a>(&self, call: Node<'a>) -> Option<Node<'a>> {
        call.child_by_field_name("function").or_else(|| call.child_by_field_name("name").filter(|_| self.is_call(call)))
    }

    /// Whether `node` is a call.
    pub fn is_call(&self, node: Node<'_>) -> bool {
        node.kind() == self.call
    }

    /// Whether `node` is a function with a body.
    pub fn is_function(&self, node: Node<'_>) -> bool {
        self.functions.contains(&node.kind())
    }

    /// Whether `node` is a statement of a block.
    pub fn is_in_list(&self, node: Node<'_>) -> bool {
        node.parent().is_some_and(|parent| self.lists.contains(&parent.kind()))
    }

    /// The name of a function, also of one that is bound to a name.
    pub fn name_of<'a>(&self, function: Node<'a>) -> Option<Node<'a>> {
        function.child_by_field_name("name").or_else(|| {
            let holder = function.parent()?;
            match holder.kind() {
                "variable_declarator" | "public_field_definition" => holder.child_by_field_name("name"),
                "pair" => holder.child_by_field_name("key"),
                "field_definition" => holder.child_by_field_name("property"),
                _ => None,
            }
        })
    }

    /// What a function says it gives back.
    pub fn result_of<'a>(&self, function: Node<'a>) -> Option<Node<'a>> {
        let written = ["return_type", "result"].iter().find_map(|field| function.child_by_field_name(field));
        written.or_else(|| function.child_by_field_name("type").filter(|_| function.kind() == "method_declaration"))
    }

    /// The receiver and the name of a method call, or of any member.
    pub fn member_of<'a>(&self, node: Node<'a>) -> Option<(Node<'a>, Node<'a>)> {
        if self.is_call(node) && node.child_by_field_name("function").is_none() {
            return Some((node.child_by_field_name("object")?, node.child_by_field_name("name")?));
        }
        let node = if self.is_call(node) { node.child_by_field_name("function")? } else { node };
        (node.kind() == self.member.0)
            .then(|| Some((node.child_by_field_name(self.member.1)?, node.child_by_field_name(self.member.2)?)))
            .flatten()
    }

    /// The condition that `node` tests, without patterns (`if let`); `node` is
    /// the statement, or the parentheses that belong to it.
    pub fn condition_of<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        if self.parenthesised && node.kind() == "parenthesized_expression" {
            let statement = node.parent()?;
            return (self.tested(statement)? == node).then(|| node.named_child(0)).flatten();
        }
        let condition = self.tested(node)?;
        if self.parenthesised && condition.kind() == "parenthesized_expression" {
            return condition.named_child(0);
        }
        (!matches!(condition.kind(), "let_condition" | "let_chain")).then_some(condition)
    }

    fn tested<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        match node.kind() {
            "if_statement" | "elif_clause" | "while_statement" | "if_expression" | "while_expression"
            | "do_statement" | "ternary_expression" | "for_clause" => node.child_by_field_name("condition"),
            "for_statement" => {
                let plain = node.child_by_field_name("condition").filter(|condition| condition.is_named());
                // `for cond { … }` of Go.
                plain.filter(|condition| condition.kind() != "empty_statement").or_else(|| {
                    node.named_child(0).filter(|first| {
                        self.lists.contains(&"statement_list")
                            && !matches!(first.kind(), "for_clause" | "range_clause" | "block")
                    })
                })
            }
            "conditional_expression" => node.named_child(1),
            "if_clause" => node.named_child(0),
            _ => None,
        }
    }

    /// What a loop goes over.
    pub fn iterable_of<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        match node.kind() {
            "for_statement" | "for_in_clause" | "for_in_statement" | "range_clause" => {
                node.child_by_field_name("right")
            }
            "for_expression" | "enhanced_for_statement" => node.child_by_field_name("value"),
            _ => None,
        }
    }

    /// The value that a return gives back, or a function that is nothing but an
    /// expression.
    pub fn returned<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        if self.is_function(node) {
            let body = node.child_by_field_name("body")?;
            return (!self.blocks.contains(&body.kind())).then_some(body);
        }
        let is_list = |node: Node<'a>| node.kind() == "expression_list" && !self.indented;
        let holds = node.kind() == self.returns
            || is_list(node) && node.parent().is_some_and(|parent| parent.kind() == self.returns);
        let value = node.named_child(0).filter(|value| holds && !value.is_extra())?;
        if is_list(value) {
            only(value)
        } else if is_list(node) {
            only(node)
        } else {
            Some(value)
        }
    }

    /// The target and the value of `x = y` and `x += y`, also where a name is
    /// declared; of lists (`a, b = b, a`) only those of one element.
    pub fn assigned<'a>(&self, node: Node<'a>) -> Option<(Node<'a>, Node<'a>)> {
        let (target, value) = match node.kind() {
            "let_declaration" => ("pattern", "value"),
            "variable_declarator" | "var_spec" | "const_spec" => ("name", "value"),
            "short_var_declaration" => ("left", "right"),
            kind if kind == self.assignment || kind == self.augmented => ("left", "right"),
            _ => return None,
        };
        let (target, value) = (node.child_by_field_name(target)?, node.child_by_field_name(value)?);
        let bare =
            |node: Node<'a>| if self.indented || node.kind() != "expression_list" { Some(node) } else { only(node) };
        Some((bare(target)?, bare(value)?))
    }

    /// The operator of `x += y`; `None` for `x = y`.
    pub fn augmentation<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        let operator = node.child_by_field_name("operator").filter(|_| node.kind() == self.augmented)?;
        (operator.kind() != "=").then_some(operator)
    }

    /// Whether `node` is `x = y`, no declaration.
    pub fn is_assignment(&self, node: Node<'_>) -> bool {
        node.kind() == self.assignment && self.augmentation(node).is_none()
    }

    /// What a statement does: the expression in it, or itself.
    pub fn inner<'a>(&self, statement: Node<'a>) -> Option<Node<'a>> {
        match statement.kind() {
            "expression_statement" => statement.named_child(0),
            "assignment_statement" | "inc_statement" | "dec_statement" => Some(statement),
            _ => None,
        }
    }

    /// The statements of a block.
    pub fn statements<'a>(&self, block: Node<'a>) -> Vec<Node<'a>> {
        match parts(block).as_slice() {
            [only] if only.kind() == "statement_list" => parts(*only),
            all => all.to_vec(),
        }
    }

    /// Whether `node` needs no parentheses as an operand.
    pub fn is_atom(&self, node: Node<'_>) -> bool {
        self.atoms.contains(&node.kind())
    }

    /// Whether a comparison's operator.
    pub fn is_comparison(&self, operator: &str) -> bool {
        matches!(
            operator,
            "<" | "<=" | ">" | ">=" | "==" | "!=" | "===" | "!==" | "in" | "not in" | "is" | "is not" | "instanceof"
        )
    }
}

/// The one named child.
fn only(node: Node<'_>) -> Option<Node<'_>> {
    (node.named_child_count() == 1).then(|| node.named_child(0)).flatten()
}
