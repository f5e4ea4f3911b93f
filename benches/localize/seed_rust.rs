//! Seeds faults into Rust functions: as `seed` does for Python, and as little
//! related to the repair rules. Many do not compile; who runs them finds out.
//! Works on text; writes no file.

use heal::language;
use heal::language::lines_of;
use heal::language::rust::RUST;
use heal::language::walk;
use tree_sitter::Node;

use super::noted::Fault;
use super::noted::Noted;

/// Every fault that can be seeded into `text`.
pub fn faults(text: &str) -> Vec<Fault> {
    let parsed = language::parse(&RUST, text);
    let outline = parsed.outline();
    let mut seeder = Seeder { noted: Noted::new(&parsed, &outline) };
    walk(parsed.tree.root_node(), &mut |node| {
        seeder.at(node);
        // What a macro is given is no syntax.
        node.kind() != "token_tree"
    });
    seeder.noted.faults()
}

/// Whether the text with the fault is Rust as far as `text` is.
pub fn parses(fault: &Fault, text: &str) -> bool {
    language::parse(&RUST, &fault.put_into(text)).errors() <= language::parse(&RUST, text).errors()
}

struct Seeder<'p> {
    noted: Noted<'p>,
}

impl Seeder<'_> {
    fn at(&mut self, node: Node<'_>) {
        match node.kind() {
            "else_clause" => self.noted.gone("else-dropped", node),
            "if_expression" => self.emptied("body-emptied", node, "consequence"),
            "for_expression" | "while_expression" | "loop_expression" => self.cut_loop(node),
            "return_expression" => self.forgotten_return(node),
            "let_declaration" => self.forgotten_value(node),
            "assignment_expression" => self.forgotten_assignment(node),
            "match_arm" => self.dropped_arm(node),
            "array_expression" => self.dropped_element(node),
            "call_expression" => self.dropped_link(node),
            "block" => {
                self.early_return(node);
                self.dropped_pair(node);
            }
            _ => {}
        }
    }

    fn emptied(&mut self, kind: &'static str, node: Node<'_>, field: &str) {
        if let Some(block) = node.child_by_field_name(field).filter(|block| block.named_child_count() > 0) {
            let line = lines_of(node).start;
            self.noted.add(kind, block.byte_range(), "{}", (line, lines_of(block).start));
        }
    }

    /// The loop ends after its first round.
    fn cut_loop(&mut self, node: Node<'_>) {
        let Some(body) = node.child_by_field_name("body").filter(|body| body.named_child_count() > 0) else { return };
        let (line, end) = (lines_of(node).start, body.end_byte() - 1);
        self.noted.add("loop-cut", end..end, " break; ", (line, lines_of(body).end));
    }

    fn forgotten_return(&mut self, node: Node<'_>) {
        let Some(value) = node.named_child(0) else { return };
        let line = lines_of(node);
        self.noted.add("return-forgotten", node.start_byte()..value.start_byte(), "let _ = ", (line.start, line.end));
    }

    fn forgotten_value(&mut self, node: Node<'_>) {
        let Some(value) = node.child_by_field_name("value") else { return };
        let plain = matches!(value.kind(), "integer_literal" | "string_literal" | "boolean_literal" | "float_literal");
        if !plain && node.child_by_field_name("alternative").is_none() {
            let line = lines_of(node).start;
            self.noted.add("value-forgotten", value.byte_range(), "Default::default()", (line, line));
        }
    }

    fn forgotten_assignment(&mut self, node: Node<'_>) {
        if let Some(value) = node.child_by_field_name("right") {
            let line = lines_of(node).start;
            self.noted.add("value-forgotten", value.byte_range(), "Default::default()", (line, line));
        }
    }

    /// What it is there for is left to the arms behind it.
    fn dropped_arm(&mut self, node: Node<'_>) {
        if node.next_named_sibling().is_some() {
            self.noted.gone("arm-dropped", node);
        }
    }

    fn dropped_element(&mut self, node: Node<'_>) {
        let count = node.named_child_count();
        let (Some(last), Some(before)) =
            (node.named_child(count.saturating_sub(1) as u32), node.named_child(count.saturating_sub(2) as u32))
        else {
            return;
        };
        if count >= 3 {
            let line = lines_of(last).start;
            self.noted.add("element-dropped", before.end_byte()..last.end_byte(), "", (lines_of(before).start, line));
        }
    }

    /// `a.filter(…).map(…)` loses a link that leaves the type as it is.
    fn dropped_link(&mut self, node: Node<'_>) {
        let Some(function) = node.child_by_field_name("function").filter(|node| node.kind() == "field_expression")
        else {
            return;
        };
        let (Some(value), Some(field)) = (function.child_by_field_name("value"), function.child_by_field_name("field"))
        else {
            return;
        };
        let kept = ["filter", "skip", "take", "rev", "trim", "skip_while", "take_while", "trim_start", "trim_end"];
        if kept.contains(&self.noted.parsed.text_of(field)) {
            let line = lines_of(field).start;
            self.noted.add(
                "link-dropped",
                value.end_byte()..node.end_byte(),
                "",
                (lines_of(value).end.min(line), line),
            );
        }
    }

    /// The function ends half way.
    fn early_return(&mut self, block: Node<'_>) {
        let is_function = block.parent().is_some_and(|parent| parent.kind() == "function_item");
        let count = block.named_child_count();
        if !is_function || count < 3 {
            return;
        }
        let Some(at) = block.named_child((count / 2) as u32) else { return };
        let line = lines_of(at).start;
        // Said so that the compiler does not know that nothing follows.
        let text = "if true { return Default::default(); }\n";
        self.noted.add("early-return", at.start_byte()..at.start_byte(), text, (line, line));
    }

    /// Two statements beside each other go.
    fn dropped_pair(&mut self, block: Node<'_>) {
        let mut cursor = block.walk();
        let statements: Vec<Node<'_>> = block.named_children(&mut cursor).collect();
        let plain = |node: Node<'_>| node.kind() == "expression_statement";
        for pair in statements.windows(2).filter(|pair| plain(pair[0]) && plain(pair[1])) {
            let line = lines_of(pair[0]).start;
            let bytes = pair[0].start_byte()..pair[1].end_byte();
            self.noted.add("statements-dropped", bytes, "", (line.saturating_sub(1), line + 1));
        }
    }
}
