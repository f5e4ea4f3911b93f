//! Seeds faults into Python functions.
//!
//! None of these changes is one that a repair rule of heal's makes (they are in
//! `src/mutation`): what is measured must not be what the rules were made for.
//! Works on text; writes no file.

use heal::language::lines_of;
use heal::language::python::PYTHON;
use heal::language::walk;
use heal::language::{self};
use tree_sitter::Node;

use super::noted::Fault;
use super::noted::Noted;

/// Whether the text with the fault is Python as far as `text` is.
pub fn parses(fault: &Fault, text: &str) -> bool {
    language::parse(&PYTHON, &fault.put_into(text)).errors() <= language::parse(&PYTHON, text).errors()
}

/// Every fault that can be seeded into `text`; some do not parse.
pub fn faults(text: &str) -> Vec<Fault> {
    let parsed = language::parse(&PYTHON, text);
    let outline = parsed.outline();
    let mut seeder = Seeder { noted: Noted::new(&parsed, &outline) };
    walk(parsed.tree.root_node(), &mut |node| {
        seeder.at(node);
        true
    });
    seeder.noted.faults()
}

struct Seeder<'p> {
    noted: Noted<'p>,
}

impl Seeder<'_> {
    fn at(&mut self, node: Node<'_>) {
        match node.kind() {
            "else_clause" | "elif_clause" => self.noted.gone("else-dropped", node),
            "if_statement" => self.emptied("body-emptied", node, "consequence"),
            "except_clause" => {
                let last = node.named_child(node.named_child_count().saturating_sub(1) as u32);
                if let Some(block) = last.filter(|block| block.kind() == "block") {
                    self.passes("handler-emptied", node, block);
                }
            }
            "for_statement" | "while_statement" => self.cut_loop(node),
            "return_statement" => self.forgotten_return(node),
            "assignment" => self.forgotten_value(node),
            "dictionary" | "list" | "tuple" | "set" => self.dropped_element("element-dropped", node, |_| true),
            "argument_list" => {
                self.dropped_element("keyword-dropped", node, |child| child.kind() == "keyword_argument");
                self.dropped_star(node);
            }
            "list_comprehension" | "generator_expression" | "set_comprehension" | "dictionary_comprehension" => {
                self.dropped_filter(node)
            }
            "default_parameter" | "typed_default_parameter" => self.forgotten_default(node),
            "decorated_definition" => self.dropped_decorator(node),
            "block" => {
                self.early_return(node);
                self.dropped_pair(node);
            }
            _ => {}
        }
    }

    fn emptied(&mut self, kind: &'static str, node: Node<'_>, field: &str) {
        if let Some(block) = node.child_by_field_name(field) {
            self.passes(kind, node, block);
        }
    }

    fn passes(&mut self, kind: &'static str, node: Node<'_>, block: Node<'_>) {
        if self.noted.parsed.text_of(block).trim() != "pass" {
            let line = lines_of(node).start;
            self.noted.add(kind, block.byte_range(), "pass", (line, lines_of(block).start));
        }
    }

    /// What stands before the node on its line: tabs in some projects.
    fn indent(&self, node: Node<'_>) -> String {
        let (text, start) = (&self.noted.parsed.text, node.start_byte());
        let before = text[start - node.start_position().column..start].chars();
        before.map(|c| if c.is_whitespace() { c } else { ' ' }).collect()
    }

    /// The loop ends after its first round.
    fn cut_loop(&mut self, node: Node<'_>) {
        let Some(block) =
            node.child_by_field_name("body").filter(|body| body.start_position().row > node.start_position().row)
        else {
            return;
        };
        let Some(last) = block.named_child(block.named_child_count().saturating_sub(1) as u32) else { return };
        if matches!(last.kind(), "return_statement" | "break_statement" | "continue_statement" | "raise_statement") {
            return;
        }
        let indent = self.indent(block);
        let line = lines_of(node).start;
        let end = lines_of(block).end;
        self.noted.add("loop-cut", block.end_byte()..block.end_byte(), &format!("\n{indent}break"), (line, line));
        if let Some(fault) = self.noted.found.last_mut().filter(|fault| fault.kind == "loop-cut") {
            fault.lines.1 = end + 1;
        }
    }

    fn forgotten_return(&mut self, node: Node<'_>) {
        if let Some(value) = node.named_child(0) {
            let line = lines_of(node);
            self.noted.add("return-forgotten", node.start_byte()..value.start_byte(), "", (line.start, line.end));
        }
    }

    fn forgotten_value(&mut self, node: Node<'_>) {
        let Some(value) = node.child_by_field_name("right") else { return };
        let plain = matches!(value.kind(), "none" | "integer" | "string" | "true" | "false" | "float");
        let one =
            node.child_by_field_name("left").is_some_and(|left| matches!(left.kind(), "identifier" | "attribute"));
        if !plain && one {
            let line = lines_of(node).start;
            self.noted.add("value-forgotten", value.byte_range(), "None", (line, line));
        }
    }

    fn dropped_element(&mut self, kind: &'static str, node: Node<'_>, is_it: impl Fn(Node<'_>) -> bool) {
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> =
            node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
        // A pair that loses one is no pair any more: other code would break at once.
        let enough = if node.kind() == "tuple" { 3 } else { 2 };
        if children.len() < enough && node.kind() != "argument_list" {
            return;
        }
        let Some(at) = children.iter().rposition(|child| is_it(*child)) else { return };
        let line = lines_of(children[at]).start;
        let bytes = match children.get(at + 1) {
            Some(next) => children[at].start_byte()..next.start_byte(),
            None if at > 0 => children[at - 1].end_byte()..children[at].end_byte(),
            None => children[at].byte_range(),
        };
        self.noted.add(kind, bytes, "", (line.saturating_sub(1).max(lines_of(node).start), line));
    }

    fn dropped_star(&mut self, node: Node<'_>) {
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor).filter(|child| child.kind() == "list_splat") {
            let line = lines_of(child).start;
            self.noted.add("star-dropped", child.start_byte()..child.start_byte() + 1, "", (line, line));
        }
    }

    fn dropped_filter(&mut self, node: Node<'_>) {
        let mut cursor = node.walk();
        if let Some(filter) = node.named_children(&mut cursor).find(|child| child.kind() == "if_clause") {
            let start = self.noted.parsed.text[..filter.start_byte()].trim_end().len();
            let line = self.noted.parsed.text[..start].lines().count() as u32;
            self.noted.add("filter-dropped", start..filter.end_byte(), "", (line, line));
        }
    }

    fn forgotten_default(&mut self, node: Node<'_>) {
        let Some(value) = node.child_by_field_name("value").filter(|value| value.kind() != "none") else { return };
        let line = lines_of(node).start;
        self.noted.add("default-forgotten", value.byte_range(), "None", (line, line));
    }

    fn dropped_decorator(&mut self, node: Node<'_>) {
        let Some(decorator) = node.named_child(0).filter(|child| child.kind() == "decorator") else { return };
        let Some(next) = node.named_child(1) else { return };
        let line = lines_of(decorator).start;
        self.noted.add("decorator-dropped", decorator.start_byte()..next.start_byte(), "", (line, line));
    }

    /// The function ends half way, with the variable bound last.
    fn early_return(&mut self, block: Node<'_>) {
        let is_function = block.parent().is_some_and(|parent| parent.kind() == "function_definition");
        let count = block.named_child_count();
        if !is_function || count < 3 {
            return;
        }
        let Some(at) = block.named_child((count / 2) as u32) else { return };
        let before = self.noted.outline.bindings.iter().rev().find(|binding| {
            binding.at >= block.start_byte()
                && binding.at < at.start_byte()
                && binding.name.chars().all(char::is_alphanumeric)
        });
        let value = before.map_or("None", |binding| binding.name.as_str());
        // A line of an inner function's `def` would be taken for that function's.
        if matches!(at.kind(), "function_definition" | "class_definition" | "decorated_definition") {
            return;
        }
        let indent = self.indent(at);
        let line = lines_of(at).start;
        self.noted.add(
            "early-return",
            at.start_byte()..at.start_byte(),
            &format!("return {value}\n{indent}"),
            (line, line),
        );
    }

    /// Two statements beside each other go.
    fn dropped_pair(&mut self, block: Node<'_>) {
        let mut cursor = block.walk();
        let statements: Vec<Node<'_>> = block.named_children(&mut cursor).collect();
        let plain = |node: Node<'_>| {
            node.kind() == "expression_statement" && node.named_child(0).is_some_and(|inner| inner.kind() != "string")
        };
        for pair in statements.windows(2).filter(|pair| plain(pair[0]) && plain(pair[1])) {
            let line = lines_of(pair[0]).start;
            let bytes = pair[0].start_byte()..pair[1].end_byte();
            self.noted.add("statements-dropped", bytes, "pass", (line.saturating_sub(1), line + 1));
        }
    }
}
