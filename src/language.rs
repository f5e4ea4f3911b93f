//! Programming languages as data: a grammar, its queries, and what counts as a
//! test.
//!
//! Reads text it is given; never opens a file.

use std::sync::Arc;

use tree_sitter::Node;
use tree_sitter::Parser;
use tree_sitter::Tree;

use crate::source::Lines;
use crate::source::RelPath;

pub mod definitions;
pub mod go;
pub mod imports;
pub mod java;
pub mod javascript;
pub mod outline;
pub mod python;
pub mod references;
pub mod rust;
pub mod scopes;
pub mod spans;
pub mod typescript;

pub use definitions::Definition;
pub use definitions::DefinitionKind;
pub use imports::Import;
pub use imports::ImportedName;
pub use outline::Outline;
pub use references::Reference;
pub use references::ReferenceKind;

/// A language heal knows.
pub struct Language {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Languages of one family share their modules, and most of their syntax:
    /// the name of the first of them.
    pub family: &'static str,
    /// File name extensions, without the dot.
    pub extensions: &'static [&'static str],
    /// Its tree-sitter grammar.
    pub grammar: fn() -> tree_sitter::Language,
    /// Tree-sitter query. Its captures, each kind in patterns of its own:
    ///
    /// - `@definition.<kind>` around a definition, with `@name`, and where they
    ///   exist `@parameters`, `@body`, `@bases` (superclasses, the trait of an
    ///   impl) and `@owner` (the receiver of a method that stands outside its
    ///   type); the kinds are those of [`DefinitionKind::of_capture`];
    /// - `@reference.call|type|value|macro|token` around a use, with `@name`
    ///   and for `a.b` `@receiver`; `token` is a name before a bracket where
    ///   the grammar knows only tokens, with `@arguments`; `@ignored` marks
    ///   names that are no use (keywords of arguments);
    /// - `@import` around an import statement;
    /// - `@result.name` with `@result.type`, what a function says it gives back;
    /// - `@binding.name` with `@binding.value` or `@binding.type`;
    /// - `@local` around a pattern that binds names, with the `@scope` they
    ///   are visible in, else the enclosing function;
    /// - `@outer.global|function` around a name that a function declares to be
    ///   the file's, or that of a function around it;
    /// - `@literal.string|number`, and `@point.result|condition|loop|operation`
    ///   for the places of a function where faults like to sit.
    pub query: &'static str,
    /// Kinds of nodes that wrap a definition and belong to it
    /// (`decorated_definition`).
    pub wrappers: &'static [&'static str],
    /// Kinds of the siblings before a definition that belong to it, with how
    /// their text begins (attributes, documentation).
    pub leading: &'static [(&'static str, &'static str)],
    /// Kinds of nodes that are whole statements or hold them as a list.
    pub blocks: &'static [&'static str],
    /// Names by which a method calls its own object or type.
    pub own: &'static [&'static str],
    /// Reads an import statement; one statement may give several imports.
    pub read_import: fn(Node<'_>, &str) -> Vec<Import>,
    /// Byte spans of tests that are written in documentation.
    pub doctests: fn(Node<'_>, &str) -> Vec<std::ops::Range<usize>>,
    /// Kinds of nodes that are comments (also documentation).
    pub comments: &'static [&'static str],
    /// What joins the names of nested definitions (`.`, `::`).
    pub separator: &'static str,
    /// Whether the file is a test file by its place or name.
    pub is_test_file: fn(&RelPath) -> bool,
    /// Whether the definition at this node is a test, or is only compiled for
    /// tests.
    pub is_test_node: fn(Node<'_>, &str) -> bool,
}

/// All languages, in order of age in heal.
pub static LANGUAGES: &[&Language] = &[
    &python::PYTHON,
    &rust::RUST,
    &javascript::JAVASCRIPT,
    &typescript::TYPESCRIPT,
    &typescript::TSX,
    &go::GO,
    &java::JAVA,
];

impl Language {
    /// Whether nodes of this kind hold definitions or statements as a list.
    pub fn holds_items(&self, kind: &str) -> bool {
        self.blocks.contains(&kind) || self.wrappers.contains(&kind)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Language) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The language of a file, by its extension.
pub fn of_path(path: &RelPath) -> Option<&'static Language> {
    let extension = path.extension()?;
    LANGUAGES.iter().copied().find(|language| language.extensions.contains(&extension))
}

/// Whether a file is one of tests, by its path.
pub fn is_test_file(path: &RelPath) -> bool {
    of_path(path).is_some_and(|language| (language.is_test_file)(path))
}

/// A parsed text. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Its language.
    pub language: &'static Language,
    /// The text.
    pub text: Arc<str>,
    /// Its syntax tree.
    pub tree: Tree,
}

/// Texts whose trees are kept: of hundreds of patches of one file each is looked
/// at by several checks, beside the same unpatched text.
const KEPT: usize = 3;

thread_local! {
    static LATELY: std::cell::RefCell<Vec<Parsed>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Parses `text`; texts with errors give a tree with error nodes. What the
/// thread parsed lately is not parsed again.
pub fn parse(language: &'static Language, text: &str) -> Parsed {
    LATELY.with_borrow_mut(|lately| {
        let known = lately.iter().position(|one| std::ptr::eq(one.language, language) && *one.text == *text);
        let parsed = match known {
            Some(at) => lately.remove(at),
            None => parse_anew(language, text),
        };
        lately.insert(0, parsed.clone());
        lately.truncate(KEPT);
        parsed
    })
}

fn parse_anew(language: &'static Language, text: &str) -> Parsed {
    let mut parser = Parser::new();
    parser.set_language(&(language.grammar)()).expect("the grammar's version is one the runtime reads");
    let tree = parser.parse(text, None).expect("a parser with a language and no time limit gives a tree");
    Parsed { language, text: text.into(), tree }
}

/// What may differ between two texts: the functions and classes of the top
/// level that do, where nothing else does; else both whole trees. Whoever looks
/// at nodes and what is in them need not look at the rest, which is alike.
pub fn differing<'p>(before: &'p Parsed, after: &'p Parsed) -> (Vec<Node<'p>>, Vec<Node<'p>>) {
    let (old, new) = (before.tree.root_node(), after.tree.root_node());
    let items = |root: Node<'p>| -> Vec<Node<'p>> {
        let mut cursor = root.walk();
        root.children(&mut cursor).collect()
    };
    let (mut ours, mut theirs) = (items(old), items(new));
    let same =
        |one: &Node<'_>, other: &Node<'_>| one.kind() == other.kind() && before.text_of(*one) == after.text_of(*other);
    let first = ours.iter().zip(&theirs).take_while(|(one, other)| same(one, other)).count();
    ours.drain(..first);
    theirs.drain(..first);
    let last = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(one, other)| same(one, other)).count();
    ours.truncate(ours.len() - last);
    theirs.truncate(theirs.len() - last);
    let holds = |node: &Node<'_>| {
        !node.has_error()
            && matches!(
                node.kind(),
                "function_definition" | "class_definition" | "decorated_definition" | "function_item" | "impl_item"
            )
    };
    let alone = ours.len() == theirs.len() && ours.iter().chain(&theirs).all(holds);
    if alone && !old.has_error() && !new.has_error() { (ours, theirs) } else { (vec![old], vec![new]) }
}

impl Parsed {
    /// Error and missing nodes in the tree.
    pub fn errors(&self) -> usize {
        let mut count = 0;
        walk(self.tree.root_node(), &mut |node| {
            count += usize::from(node.is_error() || node.is_missing());
            node.has_error()
        });
        count
    }

    /// The text of `node`.
    pub fn text_of(&self, node: Node<'_>) -> &str {
        &self.text[node.byte_range()]
    }

    /// The tokens of the text, comments and layout left out, joined by spaces:
    /// equal for texts that differ only in those. Python's layout tokens count.
    pub fn tokens(&self) -> String {
        self.tokens_within(0..self.text.len())
    }

    /// As [`Parsed::tokens`], of the leaves inside the byte range.
    pub fn tokens_within(&self, range: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        let mut open: Vec<usize> = Vec::new();
        walk(self.tree.root_node(), &mut |node| {
            let outside = node.end_byte() < range.start || node.start_byte() > range.end;
            if outside || self.language.comments.contains(&node.kind()) {
                return false;
            }
            // A block's indentation is meaning in Python, and no token of the
            // tree shows where it begins and ends.
            while open.last().is_some_and(|end| *end <= node.start_byte()) {
                open.pop();
                out.push_str("} ");
            }
            if node.kind() == "block" && node.start_byte() < node.end_byte() {
                out.push_str("{ ");
                open.push(node.end_byte());
            }
            // Where a line ends, the statement may end: `return` above `x` gives
            // nothing back.
            if node.kind() == "return_statement" && node.named_child_count() == 0 {
                out.push_str("; ");
            }
            let leaf = node.child_count() == 0
                || matches!(node.kind(), "string" | "string_literal" | "interpreted_string_literal");
            if leaf && node.start_byte() >= range.start && node.end_byte() <= range.end {
                out.push_str(self.text_of(node));
                out.push(' ');
            }
            !leaf
        });
        out
    }
}

/// The lines of a node, 1-based.
pub fn lines_of(node: Node<'_>) -> Lines {
    let end = node.end_position();
    // A node that ends at column 0 ends with the line before.
    let last = if end.column == 0 && end.row > node.start_position().row { end.row } else { end.row + 1 };
    Lines::new(node.start_position().row as u32 + 1, last as u32)
}

/// Walks the tree in text order without recursion; `enter` says whether to go
/// into the node's children.
pub fn walk<'t>(root: Node<'t>, enter: &mut dyn FnMut(Node<'t>) -> bool) {
    let mut cursor = root.walk();
    loop {
        if enter(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
