//! How a planted fault is written in each language, and where it stands in a
//! function.
//!
//! Makes texts; runs nothing.

use tree_sitter::Node;

use super::Manner;
use crate::language::Language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::mutation::syntax::Syntax;

/// A place in a text where a fault can be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the function.
    pub(super) name: String,
    pub(super) byte: usize,
    pub(super) form: Form,
}

/// What stands around a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It gets a line of its own, with this indentation.
    Line(String),
    /// It shares a line with the statement behind it.
    Inline,
    /// It stands behind an opening brace.
    Braces,
    /// It goes before an expression, which ends at this byte.
    Expression(usize),
}

/// A language's faults, as statements.
pub(super) struct Fault {
    /// Raises what tests do not expect.
    raises: &'static str,
    /// Ends the process at once.
    ends: &'static str,
    /// A declaration that `ends` needs, behind the node of this kind.
    needs: Option<(&'static str, &'static str)>,
    /// The same as `raises`, as an operand of `and` and `or`.
    operand: &'static str,
    /// Whether functions are told by braces.
    pub(super) in_braces: bool,
    /// Whether a statement may stand outside of functions, and is run on being
    /// loaded.
    pub(super) stands_anywhere: bool,
}

/// No `Exception`: a handler for those must not hide it.
static PYTHON: Fault = Fault {
    raises: "raise BaseException('planted by heal')",
    ends: "__import__('os')._exit(97)",
    needs: None,
    operand: "(_ for _ in ()).throw(BaseException('planted by heal'))",
    in_braces: false,
    stands_anywhere: true,
};

/// `if true` keeps the compiler from calling the rest unreachable.
static RUST: Fault = Fault {
    raises: "if true { panic!(\"planted by heal\"); }",
    ends: "if true { ::std::process::exit(97); }",
    needs: None,
    operand: "panic!(\"planted by heal\")",
    in_braces: true,
    stands_anywhere: false,
};

/// The condition is none that TypeScript could decide.
static JAVASCRIPT: Fault = Fault {
    raises: "if ([0].length) { throw new Error('planted by heal'); }",
    ends: "if ([0].length) { process.exit(97); }",
    needs: None,
    operand: "(() => { throw new Error('planted by heal'); })()",
    in_braces: true,
    stands_anywhere: true,
};

/// `recover` holds back every panic, so that only an exit cannot be swallowed.
static GO: Fault = Fault {
    raises: "if true { panic(\"planted by heal\") }",
    ends: "if true { healEnds.Exit(97) }",
    needs: Some(("package_clause", "import healEnds \"os\"")),
    operand: "func() bool { panic(\"planted by heal\") }()",
    in_braces: true,
    stands_anywhere: false,
};

/// An `Error`: a handler for exceptions must not hide it.
static JAVA: Fault = Fault {
    raises: "if (true) { throw new Error(\"planted by heal\"); }",
    ends: "if (true) { Runtime.getRuntime().halt(97); }",
    needs: None,
    operand: "((java.util.function.BooleanSupplier) () -> { throw new Error(\"planted by heal\"); }).getAsBoolean()",
    in_braces: true,
    stands_anywhere: false,
};

impl Fault {
    /// That of a language.
    pub(super) fn of(language: &Language) -> &'static Fault {
        match language.family {
            "rust" => &RUST,
            "javascript" => &JAVASCRIPT,
            "go" => &GO,
            "java" => &JAVA,
            _ => &PYTHON,
        }
    }

    /// Puts the fault into `text`; places are put in from the last to the
    /// first.
    pub(super) fn put(&self, text: &mut String, place: &Place, manner: Manner) {
        let fault = match manner {
            Manner::Raises => self.raises,
            Manner::Ends => self.ends,
        };
        let newline = syntax::newline(text);
        let statement = match &place.form {
            Form::Line(indent) if place.byte > 0 && !text[..place.byte].ends_with('\n') => {
                format!("{newline}{indent}{fault}{newline}")
            }
            Form::Line(indent) => format!("{indent}{fault}{newline}"),
            Form::Inline => format!("{fault}; "),
            Form::Braces => format!("{newline}{fault}{newline}"),
            Form::Expression(end) => {
                text.insert(*end, ')');
                format!("((() => {{ {fault} }})(), ")
            }
        };
        text.insert_str(place.byte, &statement);
    }

    /// `condition` with a fault on one of its ways: it raises where it holds
    /// (`way` is true), or where it does not.
    pub(super) fn on_way(&self, syntax: &Syntax, condition: &str, way: bool) -> String {
        let connective = if way { syntax.and } else { syntax.or };
        format!("({condition}) {connective} {}", self.operand)
    }

    /// Adds what `ends` needs; `text` is that of `parsed` with faults behind.
    pub(super) fn bring_in(&self, parsed: &Parsed, text: &mut String) {
        let Some((kind, declaration)) = self.needs else { return };
        let root = parsed.tree.root_node();
        let mut cursor = root.walk();
        if let Some(before) = root.named_children(&mut cursor).find(|child| child.kind() == kind) {
            let newline = syntax::newline(&parsed.text);
            text.insert_str(before.end_byte(), &format!("{newline}{declaration}{newline}"));
        }
    }
}

/// The first place in a function's body, behind its documentation and inner
/// attributes.
pub(super) fn body_place(parsed: &Parsed, function: Node<'_>) -> Option<Place> {
    let text = &*parsed.text;
    let name = super::name(parsed, function);
    let body = function.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let fault = Fault::of(parsed.language);
    if fault.in_braces && !text[body.byte_range()].starts_with('{') {
        // A function that is nothing but an expression.
        let form = Form::Expression(body.end_byte());
        return Some(Place { name, byte: body.start_byte(), form });
    }
    if fault.in_braces {
        let byte = behind_what_comes_first(parsed, body);
        return Some(Place { name, byte, form: Form::Braces });
    }
    let statements: Vec<Node<'_>> =
        body.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
    let is_doc = |node: &Node<'_>| {
        node.kind() == "string"
            || node.kind() == "expression_statement"
                && node.named_child(0).is_some_and(|inner| inner.kind() == "string")
    };
    let (first, rest) = statements.split_first()?;
    if !is_doc(first) {
        return Some(before(text, name, *first));
    }
    match rest.first() {
        Some(next) => Some(before(text, name, *next)),
        // Nothing but documentation.
        None => {
            let end = text[first.end_byte()..].find('\n').map_or(text.len(), |at| first.end_byte() + at + 1);
            let form = Form::Line(syntax::indent_at(text, first.start_byte()).to_owned());
            let inline = text[syntax::line_start(text, first.start_byte())..first.start_byte()].trim().is_empty();
            inline.then_some(Place { name, byte: end, form })
        }
    }
}

/// The place before a statement.
pub(super) fn before(text: &str, name: String, statement: Node<'_>) -> Place {
    let start = statement.start_byte();
    let line = syntax::line_start(text, start);
    let alone = text[line..start].trim().is_empty();
    Place {
        name,
        byte: if alone { line } else { start },
        form: if alone { Form::Line(text[line..start].to_owned()) } else { Form::Inline },
    }
}

/// Where statements may begin in a body in braces: behind inner attributes of
/// Rust, directives of JavaScript, and the call of another constructor.
fn behind_what_comes_first(parsed: &Parsed, body: Node<'_>) -> usize {
    let mut byte = body.start_byte() + 1;
    let mut cursor = body.walk();
    for child in body.named_children(&mut cursor) {
        let text = parsed.text_of(child);
        let comes_first = match parsed.language.family {
            "rust" => child.kind() == "inner_attribute_item" || text.starts_with("//!") || text.starts_with("/*!"),
            "javascript" => {
                text.starts_with("super(")
                    || child.kind() == "expression_statement"
                        && child.named_child(0).is_some_and(|inner| inner.kind() == "string")
            }
            "java" => child.kind() == "explicit_constructor_invocation",
            _ => false,
        };
        if !comes_first {
            break;
        }
        byte = child.end_byte();
    }
    byte
}
