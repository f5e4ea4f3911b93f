//! One pass of a language's query over a text, sorted into what was found.
//!
//! Holds positions and names; decides nothing about what they mean.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use tree_sitter::Node;
use tree_sitter::Query;
use tree_sitter::QueryCursor;
use tree_sitter::StreamingIterator;

use super::LANGUAGES;
use super::Language;
use super::Parsed;
use super::definitions;
use super::definitions::Definition;
use super::imports::Import;
use super::references;
use super::references::Reference;
use super::scopes;
use super::scopes::Binding;
use super::scopes::Local;
use super::scopes::Outer;
use super::scopes::RawLocal;

/// Everything the query finds in a text, each list in text order.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Definitions; a parent comes before its children.
    pub definitions: Vec<Definition>,
    /// Uses of names.
    pub references: Vec<Reference>,
    /// Imports.
    pub imports: Vec<Import>,
    /// What names are bound to.
    pub bindings: Vec<Binding>,
    /// What functions say they give back: bindings of their names to types.
    pub results: Vec<Binding>,
    /// Names of functions and where they are visible.
    pub locals: Vec<Local>,
    /// Names that functions declare to be of outside.
    pub outer: Vec<Outer>,
    /// Literals.
    pub literals: Vec<Literal>,
    /// Places where faults like to sit.
    pub points: Vec<Point>,
}

/// A literal of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its bytes; of a string what stands between the quotes.
    pub bytes: Range<usize>,
    /// 1-based line of its start.
    pub line: u32,
    /// Whether it is a number.
    pub number: bool,
}

/// What sort of point of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PointKind {
    /// It gives a result back.
    Result,
    /// It decides a branch.
    Condition,
    /// It decides how often a loop runs.
    Loop,
    /// It computes or compares.
    Operation,
}

/// A place of a function where faults like to sit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// What sort.
    pub kind: PointKind,
    /// Its bytes.
    pub bytes: Range<usize>,
    /// 1-based line of its start.
    pub line: u32,
}

/// A query that is compiled when it is first asked for: for TypeScript that
/// takes longer than most diagnoses.
type Lazily = LazyLock<Query, Box<dyn FnOnce() -> Query + Send>>;

/// The queries, by the language's name.
static QUERIES: LazyLock<HashMap<&'static str, Lazily>> = LazyLock::new(|| {
    let lazily = |language: &&'static Language| -> (&'static str, Lazily) {
        let language = *language;
        let compile =
            move || Query::new(&(language.grammar)(), language.query).expect("a language's query fits its grammar");
        (language.name, LazyLock::new(Box::new(compile)))
    };
    LANGUAGES.iter().map(lazily).collect()
});

/// The nodes of one match, by the names of their captures.
pub(super) struct Found<'t> {
    /// The capture with a dot (`definition.class`), else the first.
    pub(super) kind: &'static str,
    pub(super) node: Node<'t>,
    pub(super) captures: Vec<(&'static str, Node<'t>)>,
}

impl<'t> Found<'t> {
    pub(super) fn get(&self, name: &str) -> Option<Node<'t>> {
        self.captures.iter().find(|(capture, _)| *capture == name).map(|(_, node)| *node)
    }
}

/// 1-based line of a node's start.
pub(super) fn line_of(node: Node<'_>) -> u32 {
    node.start_position().row as u32 + 1
}

impl Parsed {
    /// Everything the language's query finds. Costs one pass over the tree:
    /// keep it where more than one list is needed.
    pub fn outline(&self) -> Outline {
        let Some(query) = QUERIES.get(self.language.name).map(|query| &**query) else { return Outline::default() };
        let names = query.capture_names();
        let mut cursor = QueryCursor::new();
        let mut matches = cursor.matches(query, self.tree.root_node(), self.text.as_bytes());
        let mut raw_definitions = Vec::new();
        let mut raw_references = Vec::new();
        let mut raw_locals: Vec<RawLocal<'_>> = Vec::new();
        let mut ignored = HashSet::new();
        let mut outline = Outline::default();
        while let Some(found) = matches.next() {
            let captures: Vec<(&'static str, Node<'_>)> =
                found.captures().iter().map(|capture| (names[capture.index as usize], capture.node)).collect();
            let Some(&(kind, node)) = captures.iter().find(|(name, _)| name.contains('.')).or_else(|| captures.first())
            else {
                continue;
            };
            let found = Found { kind, node, captures };
            match kind.split_once('.').map_or(kind, |(head, _)| head) {
                "definition" => raw_definitions.push(found),
                "reference" => raw_references.push(found),
                "ignored" => _ = ignored.insert(node.start_byte()),
                "import" => outline.imports.extend((self.language.read_import)(node, &self.text)),
                "binding" => outline.bindings.extend(scopes::binding(self, &found)),
                "result" => outline.results.extend(scopes::result(self, &found)),
                "local" | "scope" => raw_locals.extend(scopes::raw_local(&found)),
                "outer" => outline.outer.push(Outer {
                    name: self.text_of(node).to_owned(),
                    at: node.start_byte(),
                    global: kind == "outer.global",
                }),
                "literal" => outline.literals.push(Literal {
                    bytes: node.byte_range(),
                    line: line_of(node),
                    number: kind == "literal.number",
                }),
                "point" => outline.points.push(Point {
                    kind: match kind {
                        "point.result" => PointKind::Result,
                        "point.condition" => PointKind::Condition,
                        "point.loop" => PointKind::Loop,
                        _ => PointKind::Operation,
                    },
                    bytes: node.byte_range(),
                    line: line_of(node),
                }),
                _ => {}
            }
        }
        outline.definitions = definitions::collect(self, raw_definitions);
        let mut no_use = ignored;
        no_use.extend(outline.definitions.iter().map(|definition| definition.name_bytes.start));
        outline.references = references::collect(self, raw_references, &no_use);
        outline.locals = scopes::collect(self, raw_locals, &outline.definitions);
        outline.imports.sort_by_key(|import| import.lines);
        outline.bindings.sort_by_key(|binding| binding.at);
        outline.literals.sort_by_key(|literal| literal.bytes.start);
        outline.points.sort_by_key(|point| point.bytes.start);
        outline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;

    #[test]
    fn every_language_has_a_query_that_fits_its_grammar() {
        for language in LANGUAGES {
            assert!(QUERIES.contains_key(language.name), "{language:?}");
            assert!(parse(language, "").outline().definitions.is_empty());
        }
    }

    #[test]
    fn broken_text_gives_what_can_be_read() {
        for (language, text) in [
            (LANGUAGES[0], "def f():\n    x = = 1\n\ndef g():\n    return 1\n"),
            (LANGUAGES[1], "fn f( { let x = ; }\nfn g() -> u8 { 1 }\n"),
        ] {
            let outline = parse(language, text).outline();
            assert!(outline.definitions.iter().any(|definition| definition.name == "g"), "{language:?}");
        }
    }
}
