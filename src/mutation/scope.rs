//! What can be named, and what is already written, around a place: the stuff
//! that repairs are made of.
//!
//! Most repairs reuse what the same file already says (the plastic surgery
//! hypothesis, Barr et al. 2014), so operators take names, literals and
//! expressions from here and invent almost nothing.

use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::Node;

use super::shape;
use super::shape::Shape;
use super::syntax;
use super::syntax::Syntax;
use super::syntax::parts;
use crate::language::Parsed;

/// Nodes looked at in one function or file.
pub const NODE_LIMIT: usize = 20_000;

/// A variable.
#[derive(Clone, Debug)]
pub struct Name<'a> {
    /// As written.
    pub text: &'a str,
    /// Bytes where it can be read.
    pub visible: Range<usize>,
    /// Whether it is a parameter of the function itself.
    pub parameter: bool,
    /// Whether it is bound outside every function.
    pub global: bool,
    /// What it may hold.
    pub shape: Shape,
}

/// What the whole file says.
#[derive(Debug, Default)]
pub struct FileFacts<'a> {
    /// Members used, by the receiver's text, in order: name and whether it is
    /// called.
    pub members: HashMap<&'a str, Vec<(&'a str, bool)>>,
    /// Every member used on anything, in order.
    pub all_members: Vec<(&'a str, bool)>,
    /// Functions defined: name and number of parameters.
    pub functions: Vec<(&'a str, usize)>,
    /// Variants and constants by their type's name, those of Rust.
    pub variants: HashMap<&'a str, Vec<&'a str>>,
    /// How often each word of three letters or more stands in it.
    pub words: HashMap<&'a str, usize>,
    /// Variables bound at the top level.
    globals: Vec<Name<'a>>,
}

/// A function (or the top level) and what its code can use.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The language's kinds.
    pub syntax: &'static Syntax,
    /// The function, or the root of the tree.
    pub function: Node<'a>,
    /// Its name; empty at the top level.
    pub name: &'a str,
    /// Variables, innermost function first, each once.
    pub names: Vec<Name<'a>>,
    /// Whole numbers written in the function, each once.
    pub integers: Vec<&'a str>,
    /// Strings written in the function, each once.
    pub strings: Vec<&'a str>,
    /// Comparisons written in the function, each text once.
    pub comparisons: Vec<Node<'a>>,
    /// Values returned, each text once.
    pub returned: Vec<Node<'a>>,
    /// Subscripts, members, calls and calculations, each text once.
    pub expressions: Vec<Node<'a>>,
    /// Method calls that stand as statements of their own: receiver, method,
    /// arguments.
    pub updates: Vec<(&'a str, &'a str, &'a str)>,
    /// Places where a name is given a value: name, the assigning node.
    pub assigned: Vec<(&'a str, Node<'a>)>,
    /// What the whole file says.
    pub file: &'a FileFacts<'a>,
}

impl<'a> FileFacts<'a> {
    /// Reads the file.
    pub fn read(parsed: &'a Parsed, syntax: &'static Syntax) -> FileFacts<'a> {
        let mut facts = FileFacts::default();
        let words = parsed.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.len() >= 3 && !word.starts_with(|first: char| first.is_ascii_digit())) {
            *facts.words.entry(word).or_default() += 1;
        }
        syntax::each(parsed.tree.root_node(), 10 * NODE_LIMIT, &mut |node, parent| {
            if let Some((object, member)) = syntax.member_of(node).filter(|_| node.kind() == syntax.member.0) {
                let called = parent.is_some_and(|parent| parent.kind() == syntax.call);
                let use_ = (parsed.text_of(member), called);
                push_once(facts.members.entry(parsed.text_of(object)).or_default(), use_);
                push_once(&mut facts.all_members, use_);
            }
            facts.note_variants(parsed, node);
            if syntax.is_function(node)
                && let Some(name) = syntax.name_of(node)
            {
                let count = node.child_by_field_name("parameters").map_or(0, |list| parts(list).len());
                push_once(&mut facts.functions, (parsed.text_of(name), count));
            }
            facts.all_members.len() < 400 && !syntax.opaque.contains(&node.kind())
        });
        for statement in parts(parsed.tree.root_node()).into_iter().take(NODE_LIMIT) {
            let target = match statement.kind() {
                "const_item" | "static_item" => statement.child_by_field_name("name"),
                "lexical_declaration" | "const_declaration" | "var_declaration" => statement
                    .named_child(0)
                    .filter(|inner| inner.child_by_field_name("value").is_none_or(|value| !syntax.is_function(value)))
                    .and_then(|inner| inner.child_by_field_name("name"))
                    .filter(|name| name.kind() == "identifier"),
                "expression_statement" => statement
                    .named_child(0)
                    .filter(|inner| inner.kind() == "assignment")
                    .and_then(|inner| inner.child_by_field_name("left"))
                    .filter(|left| left.kind() == "identifier"),
                _ => None,
            };
            if let Some(target) = target
                && facts.globals.len() < 12
            {
                let text = parsed.text_of(target);
                let visible = 0..parsed.text.len();
                facts.globals.push(Name { text, visible, parameter: false, global: true, shape: Shape::UNKNOWN });
            }
        }
        facts
    }
}

impl<'a> FileFacts<'a> {
    /// Notes the variants that an enum defines, and those that are named.
    fn note_variants(&mut self, parsed: &'a Parsed, node: Node<'a>) {
        let is_type = |text: &str| text.starts_with(char::is_uppercase);
        match node.kind() {
            "enum_item" => {
                let (Some(name), Some(body)) = (node.child_by_field_name("name"), node.child_by_field_name("body"))
                else {
                    return;
                };
                for variant in parts(body).into_iter().take(64) {
                    // With a payload it stands for nothing else.
                    if variant.child_by_field_name("body").is_none()
                        && let Some(own) = variant.child_by_field_name("name")
                    {
                        push_once(self.variants.entry(parsed.text_of(name)).or_default(), parsed.text_of(own));
                    }
                }
            }
            "scoped_identifier" => {
                if let (Some(path), Some(name)) = (node.child_by_field_name("path"), node.child_by_field_name("name"))
                    && is_type(parsed.text_of(path))
                    && is_type(parsed.text_of(name))
                    && !node
                        .parent()
                        .is_some_and(|parent| matches!(parent.kind(), "call_expression" | "tuple_struct_pattern"))
                {
                    push_once(self.variants.entry(parsed.text_of(path)).or_default(), parsed.text_of(name));
                }
            }
            _ => {}
        }
    }
}

fn push_once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

impl<'a> Scope<'a> {
    /// Reads `function` and what surrounds it.
    pub fn read(parsed: &'a Parsed, syntax: &'static Syntax, function: Node<'a>, file: &'a FileFacts<'a>) -> Scope<'a> {
        let name = syntax.name_of(function).map_or("", |name| parsed.text_of(name));
        let mut scope = Scope {
            syntax,
            function,
            name,
            names: Vec::new(),
            integers: Vec::new(),
            strings: Vec::new(),
            comparisons: Vec::new(),
            returned: Vec::new(),
            expressions: Vec::new(),
            updates: Vec::new(),
            assigned: Vec::new(),
            file,
        };
        let mut nodes = Vec::new();
        let mut texts = std::collections::HashSet::new();
        syntax::each(function, NODE_LIMIT, &mut |node, parent| {
            if let Some(parent) = parent.or_else(|| function.parent()) {
                nodes.push((node, parent));
            }
            scope.bind(parsed, node);
            scope.collect(parsed, node, &mut texts);
            !syntax.opaque.contains(&node.kind())
        });
        let mut outer = function.parent();
        while let Some(node) = outer {
            if syntax.is_function(node) {
                syntax::each(node, NODE_LIMIT, &mut |inner, parent| {
                    if let Some(parent) = parent {
                        nodes.push((inner, parent));
                    }
                    if inner == function {
                        return false;
                    }
                    scope.bind(parsed, inner);
                    !syntax.opaque.contains(&inner.kind())
                });
            }
            outer = node.parent();
        }
        for global in &file.globals {
            if scope.names.iter().all(|known| known.text != global.text) {
                scope.names.push(global.clone());
            }
        }
        let shapes = shape::guess(parsed, syntax, &nodes);
        for name in &mut scope.names {
            name.shape = shapes.get(name.text).copied().unwrap_or_default();
        }
        scope
    }

    /// The variables that can be read at `byte`, in order of their binding.
    pub fn names_at(&self, byte: usize) -> impl Iterator<Item = &Name<'a>> {
        self.names.iter().filter(move |name| name.visible.contains(&byte))
    }

    /// The variable called `text`.
    pub fn name(&self, text: &str) -> Option<&Name<'a>> {
        self.names.iter().find(|name| name.text == text)
    }

    /// What the variable called `text` may hold.
    pub fn shape(&self, text: &str) -> Shape {
        self.name(text).map_or(Shape::UNKNOWN, |name| name.shape)
    }

    /// The parameters, without the receiver.
    pub fn parameters(&self) -> impl Iterator<Item = &Name<'a>> {
        self.names.iter().filter(|name| name.parameter)
    }

    /// Notes what `node` says.
    fn collect(&mut self, parsed: &'a Parsed, node: Node<'a>, texts: &mut std::collections::HashSet<&'a str>) {
        let (syntax, kind) = (self.syntax, node.kind());
        let text = || parsed.text_of(node);
        if kind == syntax.integer {
            push_once(&mut self.integers, text());
        } else if kind == syntax.string && text().len() < 40 && !text().starts_with("\"\"\"") {
            push_once(&mut self.strings, text());
        } else if let Some(value) = syntax.returned(node) {
            self.note_returned(parsed, value);
        } else if kind == "block" && node.parent() == Some(self.function) && syntax.tail_values {
            // The last expression of a Rust body is its value.
            if let Some(last) = parts(node).pop().filter(|last| is_expression(last.kind())) {
                self.note_returned(parsed, last);
            }
        } else if kind == "expression_statement"
            && let Some(call) = node.named_child(0).filter(|inner| inner.kind() == syntax.call)
            && let (Some((object, member)), Some(list)) =
                (syntax.member_of(call), call.child_by_field_name("arguments"))
        {
            let inside = parsed.text_of(list);
            let inside = inside.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(inside);
            push_once(&mut self.updates, (parsed.text_of(object), parsed.text_of(member), inside));
        }
        let comparison = syntax.binaries(node).iter().any(|one| syntax.is_comparison(parsed.text_of(one.operator)));
        if comparison && self.comparisons.len() < 24 && texts.insert(text()) {
            self.comparisons.push(node);
        } else if (kind == syntax.call
            || kind == syntax.index
            || kind == syntax.member.0
            || syntax.binary.contains(&kind))
            && self.expressions.len() < 48
            && node.end_byte() - node.start_byte() < 60
            && texts.insert(text())
        {
            self.expressions.push(node);
        }
    }

    fn note_returned(&mut self, parsed: &'a Parsed, value: Node<'a>) {
        let text = parsed.text_of(value);
        if text.len() < 60 && self.returned.iter().all(|known| parsed.text_of(*known) != text) {
            self.returned.push(value);
        }
    }
}

/// Whether a Rust node at the end of a block is a value.
fn is_expression(kind: &str) -> bool {
    let block = matches!(kind, "if_expression" | "match_expression" | "while_expression" | "for_expression");
    !(block || kind.ends_with("_statement") || kind.ends_with("_declaration") || kind.ends_with("_item"))
}
