//! Small changes of code over its syntax tree: used to propose (repair
//! templates) and to verify (do the tests notice?).
//!
//! Works on text it is given; reads no file and judges no mutant. The
//! operators are the general templates of the literature: GenProg (delete,
//! move, reuse of statements; Le Goues et al. 2012), PAR (guards, arguments,
//! receivers; Kim et al. 2013), Prophet (conditions; Long and Rinard 2016),
//! TBar (which collects them all; Liu et al. 2019) and the mutation operators
//! of Offutt et al. 1996. Each file names its own. None knows a program.

use std::ops::Range;

use tree_sitter::InputEdit;
use tree_sitter::Node;
use tree_sitter::Parser;
use tree_sitter::Point;

use crate::language::Parsed;
use crate::source::Lines;

mod arithmetic;
mod binding;
mod call;
mod classic;
mod collection;
mod comparison;
mod condition;
mod guard;
mod literal;
mod name;
mod number;
mod place;
mod rust;
pub mod scope;
pub mod shape;
mod spelling;
mod statement;
pub mod syntax;
mod text;
mod update;
mod value;

use scope::FileFacts;
use scope::Scope;

/// A way to change code.
#[derive(Debug)]
pub struct Operator {
    /// Its name, for tables and origins.
    pub name: &'static str,
    /// What it changes, in one line.
    pub what: &'static str,
    /// How often a fault of its kind is repaired by it, between 0 and 1,
    /// beside the other operators. Set by judgement: high where a site has few
    /// alternatives and the change keeps the behaviour's outline; low where it
    /// takes behaviour out (deletion, a guard that returns a constant), since
    /// such patches pass weak tests and are wrong (Qi et al. 2015).
    pub prior: f64,
    /// Adds the changes of one node.
    pub apply: for<'a> fn(&Site<'a>, &mut Vec<Replacement>),
}

/// A node that operators look at.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The text and its tree.
    pub parsed: &'a Parsed,
    /// The node.
    pub node: Node<'a>,
    /// Its parent; `None` for the root.
    pub parent: Option<Node<'a>>,
    /// The function it is in.
    pub scope: &'a Scope<'a>,
}

/// One change of one span of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacement {
    /// The bytes of the text that go.
    pub bytes: Range<usize>,
    /// What comes in their place.
    pub text: String,
    /// What it means, in words (`the arguments are swapped`).
    pub note: String,
    /// How likely beside the operator's other changes, between 0 and 1.
    pub weight: f64,
}

/// A changed text, as edits of the original.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutant {
    /// The operator's name.
    pub operator: &'static str,
    /// Byte ranges of the original and what replaces them, in order, apart
    /// from each other.
    pub edits: Vec<(Range<usize>, String)>,
    /// The line of the first edit, 1-based.
    pub line: u32,
    /// What it means, in words.
    pub note: String,
    /// The operator's prior times the change's own weight.
    pub prior: f64,
}

/// All operators.
pub static OPERATORS: &[&Operator] = &[
    &comparison::BOUNDARY,
    &comparison::OPERATOR,
    &comparison::WIDENED,
    &number::OFF_BY_ONE,
    &arithmetic::OPERATOR,
    &arithmetic::AUGMENTED,
    &arithmetic::OPERANDS_SWAPPED,
    &arithmetic::OPERAND_DROPPED,
    &arithmetic::OPERAND_MISSING,
    &condition::LOGICAL,
    &condition::NEGATED,
    &condition::CLAUSE_DROPPED,
    &condition::EXTENDED,
    &call::ARGUMENTS_SWAPPED,
    &call::ARGUMENT,
    &call::ADJUSTED,
    &call::UNWRAPPED,
    &call::FUNCTION,
    &name::VARIABLE,
    &name::MEMBER,
    &spelling::NAME,
    &literal::LITERAL,
    &literal::INITIAL,
    &guard::GUARD,
    &guard::BASE_CASE,
    &guard::SKIP,
    &statement::RETURN_MISSING,
    &statement::YIELD,
    &statement::SWAPPED,
    &statement::MOVED,
    &statement::DELETED,
    &update::RECORD,
    &update::ADVANCE,
    &value::RETURNED,
    &value::BEST,
    &value::CONVERSION,
    &value::REUSED,
    &collection::METHOD,
    &collection::SLICE,
    &collection::PART,
    &rust::UNWRAP,
    &rust::CHECKED,
    &rust::ORDER,
    &rust::PART,
    &rust::LOOKUP,
    &rust::VARIANT,
    &text::FORM,
    &rust::BORROW,
];

/// The operators whose mutants show whether tests notice a change: the classic
/// ones of mutation testing, and two arguments that change places.
pub static CLASSIC: &[&Operator] = &[
    &classic::TRUTH,
    &classic::RELATIONAL,
    &classic::ARITHMETIC,
    &classic::LOGICAL,
    &classic::CONDITION,
    &classic::BRANCH,
    &classic::CONSTANT,
    &classic::DELETED,
    &classic::RESULT,
    &call::ARGUMENTS_SWAPPED,
];

/// Mutants made of one span; more come only from generated code.
const MUTANT_LIMIT: usize = 20_000;

/// Every mutant of the code that begins within `span`, in text order. Test
/// code, types, imports and macro bodies are left alone; an unknown language
/// has none. Mutants are not parsed again here: some may not compile.
pub fn mutants(parsed: &Parsed, span: Lines, operators: &[&Operator]) -> Vec<Mutant> {
    let Some(syntax) = syntax::of(parsed.language) else { return Vec::new() };
    let facts = FileFacts::read(parsed, syntax);
    let root = parsed.tree.root_node();
    let mut functions = vec![root];
    syntax::each(root, 10 * scope::NODE_LIMIT, &mut |node, _| {
        if syntax::is_test(parsed, node) || !meets(node, span) {
            return false;
        }
        if syntax.is_function(node) {
            functions.push(node);
        }
        !syntax.opaque.contains(&node.kind())
    });
    let mut out: Vec<Mutant> = Vec::new();
    let mut found = Vec::new();
    for function in functions {
        let scope = Scope::read(parsed, syntax, function, &facts);
        syntax::each(function, scope::NODE_LIMIT, &mut |node, parent| {
            let nested = node != function && syntax.is_function(node);
            if nested || out.len() > MUTANT_LIMIT || !meets(node, span) || is_left_alone(parsed, syntax, node, parent) {
                return false;
            }
            if !node.is_named() || !span.contains(node.start_position().row as u32 + 1) {
                return true;
            }
            let parent = parent.or_else(|| node.parent());
            let site = Site { parsed, node, parent, scope: &scope };
            for operator in operators {
                (operator.apply)(&site, &mut found);
                out.extend(found.drain(..).filter_map(|change| Mutant::of(parsed, operator, change)));
            }
            true
        });
    }
    out.sort_by_key(|mutant| mutant.edits.first().map_or(0, |edit| edit.0.start));
    out
}

fn meets(node: Node<'_>, span: Lines) -> bool {
    let (first, last) = (node.start_position().row as u32, node.end_position().row as u32);
    first < span.end && last + 1 >= span.start
}

fn is_left_alone(parsed: &Parsed, syntax: &syntax::Syntax, node: Node<'_>, parent: Option<Node<'_>>) -> bool {
    let kind = node.kind();
    let alone = kind == "expression_statement" && node.named_child(0).is_some_and(|inner| inner.kind() == "string");
    let docstring = alone || kind == "string" && parent.is_some_and(|parent| parent.kind() == "expression_statement");
    docstring
        || syntax.opaque.contains(&kind)
        || matches!(kind, "parameters" | "formal_parameters" | "parameter_list")
        || syntax::is_test(parsed, node)
}

impl<'a> Site<'a> {
    /// The node's text.
    pub fn text(&self) -> &'a str {
        self.parsed.text_of(self.node)
    }

    /// The text of another node.
    pub fn of(&self, node: Node<'a>) -> &'a str {
        self.parsed.text_of(node)
    }

    /// The node's kind.
    pub fn kind(&self) -> &'a str {
        self.node.kind()
    }
}

impl Replacement {
    /// A change of `bytes` into `text`.
    pub fn new(bytes: Range<usize>, text: impl Into<String>, note: impl Into<String>, weight: f64) -> Replacement {
        Replacement { bytes, text: text.into(), note: note.into(), weight }
    }
}

impl Mutant {
    fn of(parsed: &Parsed, operator: &Operator, change: Replacement) -> Option<Mutant> {
        let old = parsed.text.get(change.bytes.clone())?;
        if old == change.text {
            return None;
        }
        // An insertion of whole lines stands at the first of them.
        let line = parsed.text[..change.bytes.start].matches('\n').count() as u32 + 1;
        Some(Mutant {
            operator: operator.name,
            line,
            prior: operator.prior * change.weight,
            edits: vec![(change.bytes, change.text)],
            note: change.note,
        })
    }

    /// The text with the edits made. Edits that do not fit `text` are left
    /// out.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut at = 0;
        for (bytes, new) in &self.edits {
            if let Some(kept) = text.get(at..bytes.start)
                && bytes.end <= text.len()
            {
                out.push_str(kept);
                out.push_str(new);
                at = bytes.end;
            }
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// The changed text, parsed with what is still right of the old tree, which
    /// takes a small part of the time. `None` where the parser gives up.
    pub fn parse(&self, parsed: &Parsed, parser: &mut Parser) -> Option<Parsed> {
        let text = self.apply(&parsed.text);
        let mut tree = parsed.tree.clone();
        // From the last to the first, so that earlier positions stay right.
        for (bytes, new) in self.edits.iter().rev() {
            let start = point_at(&parsed.text, bytes.start);
            tree.edit(&InputEdit {
                start_byte: bytes.start,
                old_end_byte: bytes.end,
                new_end_byte: bytes.start + new.len(),
                start_position: start,
                old_end_position: point_at(&parsed.text, bytes.end),
                new_end_position: moved(start, new),
            });
        }
        let tree = parser.parse(&text, Some(&tree))?;
        Some(Parsed { language: parsed.language, text: text.into(), tree })
    }
}

fn point_at(text: &str, byte: usize) -> Point {
    moved(Point::new(0, 0), &text[..byte])
}

fn moved(from: Point, over: &str) -> Point {
    match over.rfind('\n') {
        None => Point::new(from.row, from.column + over.len()),
        Some(last) => Point::new(from.row + over.bytes().filter(|byte| *byte == b'\n').count(), over.len() - last - 1),
    }
}

#[cfg(test)]
mod tests;
