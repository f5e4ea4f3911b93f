//! Definitions: functions, types, constants and what encloses them.
//!
//! Reads a syntax tree; resolves no name.

use std::ops::Range;

use tree_sitter::Node;

use super::Parsed;
use super::lines_of;
use super::outline::Found;
use super::outline::line_of;
use super::scopes::pattern_names;
use crate::source::Lines;

/// What sort of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefinitionKind {
    /// A function outside any type.
    Function,
    /// A function of a class, trait or impl.
    Method,
    /// A class.
    Class,
    /// A struct or union.
    Struct,
    /// An enum.
    Enum,
    /// A trait, or an interface.
    Trait,
    /// A block of methods for a type; named as the type.
    Impl,
    /// A module written inside a file, or a group of tests.
    Module,
    /// A constant, a static, or a variable at the top level of a file or class.
    Constant,
    /// Another name for a type.
    TypeAlias,
    /// A macro.
    Macro,
}

impl DefinitionKind {
    /// The kind a query's `@definition.<name>` stands for.
    pub fn of_capture(name: &str) -> Option<DefinitionKind> {
        Some(match name.strip_prefix("definition.")? {
            "function" => DefinitionKind::Function,
            "class" => DefinitionKind::Class,
            "struct" => DefinitionKind::Struct,
            "enum" => DefinitionKind::Enum,
            "trait" => DefinitionKind::Trait,
            "impl" => DefinitionKind::Impl,
            "module" => DefinitionKind::Module,
            "constant" => DefinitionKind::Constant,
            "alias" => DefinitionKind::TypeAlias,
            "macro" => DefinitionKind::Macro,
            _ => return None,
        })
    }

    /// Whether it has statements that run when it is called.
    pub fn is_callable(self) -> bool {
        matches!(self, DefinitionKind::Function | DefinitionKind::Method | DefinitionKind::Macro)
    }

    /// Whether functions inside it are methods.
    pub fn holds_methods(self) -> bool {
        matches!(self, DefinitionKind::Class | DefinitionKind::Trait | DefinitionKind::Impl)
    }

    /// Whether it names a type.
    pub fn is_type(self) -> bool {
        matches!(
            self,
            DefinitionKind::Class
                | DefinitionKind::Struct
                | DefinitionKind::Enum
                | DefinitionKind::Trait
                | DefinitionKind::TypeAlias
        )
    }
}

/// One definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What sort.
    pub kind: DefinitionKind,
    /// Its own name; of an impl the type's, without parameters.
    pub name: String,
    /// Its name with what encloses it (`Cart.total`, `tests::helper`).
    pub qualified: String,
    /// Its lines with decorators, attributes and documentation before it.
    pub lines: Lines,
    /// 1-based line of its name.
    pub name_line: u32,
    /// Bytes of its name.
    pub name_bytes: Range<usize>,
    /// Bytes of the whole, with what [`Definition::lines`] includes.
    pub bytes: Range<usize>,
    /// Bytes of the body; empty at the end where there is none.
    pub body: Range<usize>,
    /// Lines of the body.
    pub body_lines: Lines,
    /// Bytes from the definition's first word to its body, without decorators.
    pub signature: Range<usize>,
    /// Names of its parameters, `self` included.
    pub parameters: Vec<String>,
    /// Superclasses, or the trait of an impl, as written, without parameters.
    pub bases: Vec<String>,
    /// Index of the enclosing definition in the same list.
    pub parent: Option<usize>,
    /// Whether it, or what encloses it, is a test or only compiled for tests.
    pub is_test: bool,
}

impl Parsed {
    /// All definitions, in text order; a parent comes before its children.
    pub fn definitions(&self) -> Vec<Definition> {
        self.outline().definitions
    }

    /// The innermost function around `line` (1-based), else the innermost
    /// class, impl or other definition.
    pub fn enclosing(&self, line: u32) -> Option<Definition> {
        let definitions = self.definitions();
        enclosing(&definitions, line).map(|index| definitions[index].clone())
    }
}

/// Index of the innermost function around `line`, else of the innermost other
/// definition.
pub fn enclosing(definitions: &[Definition], line: u32) -> Option<usize> {
    // Definitions are in text order and nest, so that whatever is around the
    // line is the last that begins before it, or around that one.
    let mut at = definitions.partition_point(|definition| definition.lines.start <= line).checked_sub(1);
    let mut innermost = None;
    while let Some(index) = at {
        let definition = &definitions[index];
        if definition.lines.contains(line) {
            if definition.kind.is_callable() {
                return Some(index);
            }
            innermost = innermost.or(Some(index));
        }
        at = definition.parent;
    }
    innermost
}

/// The last name of a type as written: `Box<shop::Cart>` gives `Box`,
/// `&mut shop::Cart<T>` gives `Cart`.
pub fn type_name(written: &str) -> &str {
    let start = written.trim_start_matches(['&', '*', '(', ' ', '"', '\'']);
    let start = start.strip_prefix("mut ").or_else(|| start.strip_prefix("dyn ")).unwrap_or(start);
    let start = start.strip_prefix("impl ").unwrap_or(start);
    let end = start.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':'))).unwrap_or(start.len());
    let path = start[..end].trim_end_matches([':', '.']);
    path.rsplit(['.', ':']).next().unwrap_or(path)
}

pub(super) fn collect(parsed: &Parsed, found: Vec<Found<'_>>) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = found.iter().filter_map(|found| definition(parsed, found)).collect();
    // Of one name that fits several patterns the more telling one is kept: what
    // is bound to a function is no mere constant.
    let plain = |kind: DefinitionKind| matches!(kind, DefinitionKind::Constant | DefinitionKind::TypeAlias);
    definitions.sort_by(|a, b| {
        let order = a.bytes.start.cmp(&b.bytes.start).then(b.bytes.end.cmp(&a.bytes.end));
        order.then(a.name_bytes.start.cmp(&b.name_bytes.start)).then(plain(a.kind).cmp(&plain(b.kind)))
    });
    definitions.dedup_by(|again, kept| {
        let same = again.name_bytes == kept.name_bytes && again.bytes == kept.bytes;
        if same {
            // Each base of several is a match of its own.
            let new = again.bases.iter().filter(|base| !kept.bases.contains(base)).cloned();
            let new: Vec<String> = new.collect();
            kept.bases.extend(new);
        }
        same
    });
    let mut open: Vec<usize> = Vec::new();
    for index in 0..definitions.len() {
        let bytes = definitions[index].bytes.clone();
        // Two names of one statement (`A, B = 1, 2`) do not enclose each other.
        while open.last().is_some_and(|outer| {
            definitions[*outer].bytes.end < bytes.end
                || definitions[*outer].bytes == bytes
                || definitions[*outer].kind == DefinitionKind::Constant
        }) {
            open.pop();
        }
        if let Some(&outer) = open.last() {
            let holder = &definitions[outer];
            let qualified = format!("{}{}{}", holder.qualified, parsed.language.separator, definitions[index].name);
            let (is_test, methods) = (holder.is_test, holder.kind.holds_methods());
            let this = &mut definitions[index];
            this.parent = Some(outer);
            if this.kind != DefinitionKind::Method {
                this.qualified = qualified;
            }
            this.is_test |= is_test;
            if this.kind == DefinitionKind::Function && methods {
                this.kind = DefinitionKind::Method;
            }
        }
        open.push(index);
    }
    definitions
}

fn definition(parsed: &Parsed, found: &Found<'_>) -> Option<Definition> {
    let mut kind = DefinitionKind::of_capture(found.kind)?;
    let (node, name_node) = (found.node, found.get("name")?);
    let name = match kind {
        DefinitionKind::Impl => type_name(parsed.text_of(name_node)).to_owned(),
        _ => parsed.text_of(name_node).to_owned(),
    };
    let mut qualified = name.clone();
    if let Some(owner) = found.get("owner").and_then(|owner| owner_name(parsed, owner)) {
        kind = DefinitionKind::Method;
        qualified = format!("{owner}{}{name}", parsed.language.separator);
    }
    let outer = wrapped(parsed, node);
    let first = first_leading(parsed, outer);
    let mut lines = lines_of(outer);
    lines.start = lines.start.min(line_of(first));
    let body = found.get("body");
    let end = node.end_byte();
    let body_bytes = body.map_or(end..end, |body| body.byte_range());
    let signature_end = body.map_or(end, |body| body.start_byte());
    let signature =
        node.start_byte()..node.start_byte() + parsed.text[node.start_byte()..signature_end].trim_end().len();
    Some(Definition {
        kind,
        qualified,
        name,
        lines,
        name_line: line_of(name_node),
        name_bytes: name_node.byte_range(),
        bytes: first.start_byte()..outer.end_byte(),
        body: body_bytes,
        body_lines: body.map_or_else(|| lines_of(node), lines_of),
        signature,
        parameters: found.get("parameters").map(|node| pattern_names(parsed, node)).unwrap_or_default(),
        bases: found.get("bases").map(|node| bases(parsed, node)).unwrap_or_default(),
        parent: None,
        is_test: (parsed.language.is_test_node)(node, &parsed.text),
    })
}

/// The type of a receiver: `(c *Cart[T])` gives `Cart`.
fn owner_name<'p>(parsed: &'p Parsed, receiver: Node<'_>) -> Option<&'p str> {
    let written = receiver.named_child(0)?.child_by_field_name("type")?;
    Some(type_name(parsed.text_of(written))).filter(|name| !name.is_empty())
}

/// The node with the wrapper (`decorated_definition`) around it.
fn wrapped<'t>(parsed: &Parsed, node: Node<'t>) -> Node<'t> {
    node.parent().filter(|parent| parsed.language.wrappers.contains(&parent.kind())).unwrap_or(node)
}

/// The first of the siblings before `node` that belong to it.
pub(super) fn first_leading<'t>(parsed: &Parsed, node: Node<'t>) -> Node<'t> {
    let mut first = node;
    while !parsed.language.leading.is_empty() {
        let Some(before) = first.prev_sibling() else { break };
        let belongs = parsed
            .language
            .leading
            .iter()
            .any(|(kind, start)| before.kind() == *kind && parsed.text_of(before).starts_with(start));
        // What is said some lines above is not said of this.
        let apart =
            parsed.language.comments.contains(&before.kind()) && lines_of(before).end + 1 < lines_of(first).start;
        if !belongs || apart {
            break;
        }
        first = before;
    }
    first
}

fn bases(parsed: &Parsed, node: Node<'_>) -> Vec<String> {
    // Python gives a list in brackets, Rust a single trait.
    if node.kind() != "argument_list" {
        return vec![type_name(parsed.text_of(node)).to_owned()];
    }
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| matches!(child.kind(), "identifier" | "attribute" | "subscript"))
        .map(|child| {
            let text = parsed.text_of(child);
            text.split('[').next().unwrap_or(text).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use crate::language::python::PYTHON;
    use crate::language::rust::RUST;
    use insta::assert_snapshot;

    fn table(parsed: &Parsed) -> String {
        let row = |d: &Definition| {
            let test = if d.is_test { " test" } else { "" };
            let (signature, parameters) = (&parsed.text[d.signature.clone()], d.parameters.join(","));
            format!(
                "{:?} {} {}-{} at {} [{parameters}] <{}>{test} | {}",
                d.kind,
                d.qualified,
                d.lines.start,
                d.lines.end,
                d.name_line,
                d.bases.join(","),
                signature.lines().next().unwrap_or_default()
            )
        };
        parsed.definitions().iter().map(row).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn python_definitions_carry_decorators_parents_and_parameters() {
        let text = "RATE = 0.2\nA, B = 1, 2\n\n@cache\ndef f(a, b: int, c=1, d: str = 's', *args, **kw) -> int:\n    def inner(x):\n        return x\n    return inner(a)\n\nclass Cart(Base, shop.Mixin[int], metaclass=M):\n    limit = 3\n\n    @property\n    async def total(self):\n        return 1\n\nclass T(unittest.TestCase):\n    def test_x(self):\n        pass\n";
        assert_snapshot!(table(&parse(&PYTHON, text)), @r"
        Constant RATE 1-1 at 1 [] <> | RATE = 0.2
        Constant A 2-2 at 2 [] <> | A, B = 1, 2
        Constant B 2-2 at 2 [] <> | A, B = 1, 2
        Function f 4-8 at 5 [a,b,c,d,args,kw] <> | def f(a, b: int, c=1, d: str = 's', *args, **kw) -> int:
        Function f.inner 6-7 at 6 [x] <> | def inner(x):
        Class Cart 10-15 at 10 [] <Base,shop.Mixin> | class Cart(Base, shop.Mixin[int], metaclass=M):
        Constant Cart.limit 11-11 at 11 [] <> | limit = 3
        Method Cart.total 13-15 at 14 [self] <> | async def total(self):
        Class T 17-19 at 17 [] <unittest.TestCase> test | class T(unittest.TestCase):
        Method T.test_x 18-19 at 18 [self] <> test | def test_x(self):
        ");
    }

    #[test]
    fn rust_definitions_carry_attributes_documentation_and_impls() {
        let text = "/// Doc.\n#[derive(Debug)]\npub struct Cart<T> { items: Vec<T> }\n\n// no documentation\nimpl<T: Ord> shop::Total for Cart<T> {\n    const MAX: u8 = 3;\n    /// Sums.\n    fn total(&self, (a, b): (u8, u8), mut n: usize) -> u8 { a }\n}\ntrait Shape { fn area(&self) -> f64; fn twice(&self) -> f64 { 2.0 * self.area() } }\nmacro_rules! m { ($x:expr) => { f($x) }; }\nenum E { A, B }\ntype X = u8;\nunit!();\nstruct U;\n#[cfg(test)]\nmod tests {\n    fn helper() {}\n    #[test]\n    fn works() { helper() }\n}\n";
        assert_snapshot!(table(&parse(&RUST, text)), @r"
        Struct Cart 1-3 at 3 [] <> | pub struct Cart<T>
        Impl Cart 6-10 at 6 [] <Total> | impl<T: Ord> shop::Total for Cart<T>
        Constant Cart::MAX 7-7 at 7 [] <> | const MAX: u8 = 3;
        Method Cart::total 8-9 at 9 [self,a,b,n] <> | fn total(&self, (a, b): (u8, u8), mut n: usize) -> u8
        Trait Shape 11-11 at 11 [] <> | trait Shape
        Method Shape::area 11-11 at 11 [self] <> | fn area(&self) -> f64;
        Method Shape::twice 11-11 at 11 [self] <> | fn twice(&self) -> f64
        Macro m 12-12 at 12 [] <> | macro_rules! m { ($x:expr) => { f($x) }; }
        Enum E 13-13 at 13 [] <> | enum E
        TypeAlias X 14-14 at 14 [] <> | type X = u8;
        Struct U 16-16 at 16 [] <> | struct U;
        Module tests 17-22 at 18 [] <> test | mod tests
        Function tests::helper 19-19 at 19 [] <> test | fn helper()
        Function tests::works 20-21 at 21 [] <> test | fn works()
        ");
    }

    #[test]
    fn the_innermost_function_encloses_a_line_else_its_class() {
        let text = "class A:\n    x = 1\n    def f(self):\n        def g():\n            return 1\n        return g\n\ny = 2\n\nz = [\n  1]\n\nprint(y)\n";
        let parsed = parse(&PYTHON, text);
        for (line, wanted) in
            [(2, Some("A.x")), (3, Some("A.f")), (5, Some("A.f.g")), (6, Some("A.f")), (8, Some("y")), (13, None)]
        {
            assert_eq!(parsed.enclosing(line).map(|d| d.qualified).as_deref(), wanted, "line {line}");
        }
    }

    #[test]
    fn types_as_written_are_cut_to_their_name() {
        for (written, name) in
            [("&mut shop::Cart<T>", "Cart"), ("Box<Cart>", "Box"), ("shop.Cart", "Cart"), ("'Cart'", "Cart"), ("", "")]
        {
            assert_eq!(type_name(written), name, "{written}");
        }
    }
}
