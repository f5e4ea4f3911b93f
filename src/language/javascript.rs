//! JavaScript as data: scripts and modules, with JSX.
//!
//! Holds a row of the table of languages and reads its imports; decides
//! nothing. TypeScript shares all of it but the grammar.

use tree_sitter::Node;

use super::Import;
use super::ImportedName;
use super::Language;
use super::lines_of;
use crate::source::RelPath;

/// The family of JavaScript, TypeScript and TSX.
const FAMILY: &str = "javascript";

/// JavaScript, with JSX.
pub static JAVASCRIPT: Language = ECMASCRIPT;

/// The row that JavaScript, TypeScript and TSX share: the latter two have a name,
/// extensions, a grammar and a query of their own.
pub(super) const ECMASCRIPT: Language = Language {
    name: "javascript",
    family: FAMILY,
    extensions: &["js", "mjs", "cjs", "jsx"],
    grammar: || tree_sitter_javascript::LANGUAGE.into(),
    query: concat!(include_str!("ecmascript.scm"), include_str!("javascript.scm"), include_str!("jsx.scm")),
    comments: &["comment"],
    separator: ".",
    wrappers: &["export_statement"],
    leading: &[("comment", "/**"), ("decorator", "@")],
    blocks: &["program", "statement_block", "class_body", "interface_body", "switch_case", "switch_default"],
    own: &["this", "super"],
    read_import,
    doctests: |_, _| Vec::new(),
    is_test_file,
    is_test_node,
};

/// What an import calls the one value that a file gives out without a name.
pub const DEFAULT: &str = "default";

/// Folders and names that jest, vitest, mocha and node:test look for by
/// default (jestjs.io `testMatch`, vitest.dev `include`, mocha `spec`,
/// nodejs.org "Running tests from the command line"), and what they load with
/// them.
fn is_test_file(path: &RelPath) -> bool {
    let name = path.file_name();
    let stem = name.split('.').next().unwrap_or(name);
    let marked = name.split('.').skip(1).any(|part| matches!(part, "test" | "spec" | "tests" | "specs" | "cy" | "e2e"));
    let folder = |part: &str| matches!(part, "test" | "tests" | "__tests__" | "__mocks__" | "__fixtures__" | "e2e");
    let set_up = ["jest.setup", "jest-setup", "vitest.setup", "setupTests", "setup-tests", "test-setup"];
    path.parent().as_str().split('/').any(folder)
        || marked
        || matches!(stem, "test" | "tests")
        || stem.starts_with("test-")
        || ["-test", "_test", "-spec", "_spec"].iter().any(|end| stem.ends_with(end))
        || set_up.iter().any(|start| name.starts_with(start))
}

/// Words that begin a test, a group of tests, or what is done around them.
const TEST_WORDS: &[&str] = &[
    "it",
    "test",
    "specify",
    "fit",
    "xit",
    "xtest",
    "bench",
    "describe",
    "suite",
    "context",
    "fdescribe",
    "xdescribe",
];
const HOOKS: &[&str] = &["before", "after", "beforeEach", "afterEach", "beforeAll", "afterAll", "setup", "teardown"];

/// Calls that make a test: `it("adds", () => …)`, `describe.each(…)("…", …)`,
/// `beforeEach(() => …)`, and vitest's tests inside sources
/// (`if (import.meta.vitest)`).
fn is_test_node(node: Node<'_>, text: &str) -> bool {
    let call = match node.kind() {
        "if_statement" => {
            let condition = node.child_by_field_name("condition");
            return condition.is_some_and(|condition| text[condition.byte_range()].contains("import.meta.vitest"));
        }
        "expression_statement" => match node.named_child(0) {
            Some(inner) => inner,
            None => return false,
        },
        _ => node,
    };
    if call.kind() != "call_expression" {
        return false;
    }
    let (Some(callee), Some(list)) = (call.child_by_field_name("function"), call.child_by_field_name("arguments"))
    else {
        return false;
    };
    let Some(first) = list.named_child(0) else { return false };
    let is_function = |node: Node<'_>| matches!(node.kind(), "arrow_function" | "function_expression");
    let mut cursor = list.walk();
    let acts = list.named_children(&mut cursor).any(is_function);
    let word = text[callee.byte_range()].split(['.', '(', '`']).next().unwrap_or_default().trim();
    let titled = matches!(first.kind(), "string" | "template_string");
    (titled && acts && TEST_WORDS.contains(&word)) || (is_function(first) && HOOKS.contains(&word))
}

/// Imports (`import`, `require`, `import()`), what is passed on
/// (`export … from`), and what is given out under another name than its own.
fn read_import(node: Node<'_>, text: &str) -> Vec<Import> {
    match node.kind() {
        "import_statement" => of_statement(node, text),
        "export_statement" => of_export(node, text),
        "variable_declarator" => of_declarator(node, text),
        "expression_statement" => of_assignment(node, text),
        _ => Vec::new(),
    }
}

fn import(node: Node<'_>, module: &str, names: Vec<ImportedName>, alias: Option<String>) -> Import {
    Import { module: module.to_owned(), names, alias, level: 0, lines: lines_of(node), exports: false }
}

fn name(name: &str, alias: Option<&str>) -> ImportedName {
    let alias = alias.filter(|alias| *alias != name).map(str::to_owned);
    ImportedName { name: name.to_owned(), alias }
}

/// What stands between the quotes of a string.
fn unquoted<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text[node.byte_range()].trim_matches(['"', '\'', '`'])
}

fn of_statement(node: Node<'_>, text: &str) -> Vec<Import> {
    let Some(clause) = node.named_child(0) else { return Vec::new() };
    // `import x = require('./x')`
    if clause.kind() == "import_require_clause" {
        let (Some(alias), Some(source)) = (clause.named_child(0), clause.child_by_field_name("source")) else {
            return Vec::new();
        };
        return vec![import(node, unquoted(source, text), Vec::new(), Some(text[alias.byte_range()].to_owned()))];
    }
    let Some(source) = node.child_by_field_name("source") else { return Vec::new() };
    let module = unquoted(source, text);
    if clause.kind() != "import_clause" {
        return vec![import(node, module, Vec::new(), None)];
    }
    let mut found = Vec::new();
    let mut names = Vec::new();
    let mut cursor = clause.walk();
    for part in clause.named_children(&mut cursor) {
        match part.kind() {
            "identifier" => names.push(name(DEFAULT, Some(&text[part.byte_range()]))),
            "named_imports" => names.extend(specifiers(part, text)),
            "namespace_import" => {
                let alias = part.named_child(0).map(|alias| text[alias.byte_range()].to_owned());
                found.push(import(node, module, Vec::new(), alias));
            }
            _ => {}
        }
    }
    if !names.is_empty() {
        found.push(import(node, module, names, None));
    }
    found
}

/// `{ a, b as c }`
fn specifiers(list: Node<'_>, text: &str) -> Vec<ImportedName> {
    let mut cursor = list.walk();
    let read = |part: Node<'_>| {
        let own = part.child_by_field_name("name")?;
        let alias = part.child_by_field_name("alias").map(|alias| unquoted(alias, text));
        Some(name(unquoted(own, text), alias))
    };
    list.named_children(&mut cursor).filter_map(read).collect()
}

fn of_export(node: Node<'_>, text: &str) -> Vec<Import> {
    let module = node.child_by_field_name("source").map_or("", |source| unquoted(source, text));
    let mut found = Vec::new();
    let mut cursor = node.walk();
    for part in node.children(&mut cursor) {
        match part.kind() {
            "export_clause" => found.push(import(node, module, specifiers(part, text), None)),
            "namespace_export" => {
                let alias = part.named_child(0).map(|alias| text[alias.byte_range()].to_owned());
                found.push(import(node, module, Vec::new(), alias));
            }
            "*" => found.push(import(node, module, vec![name("*", None)], None)),
            _ => {}
        }
    }
    let is_default = {
        let mut cursor = node.walk();
        node.children(&mut cursor).any(|child| child.kind() == "default")
    };
    let given = node
        .child_by_field_name("value")
        .filter(|value| value.kind() == "identifier")
        .or_else(|| node.child_by_field_name("declaration").and_then(|inner| inner.child_by_field_name("name")));
    if let Some(given) = given.filter(|_| is_default) {
        found.push(import(node, "", vec![name(&text[given.byte_range()], Some(DEFAULT))], None));
    }
    for import in &mut found {
        import.exports = true;
    }
    found
}

/// The module of `require('…')`, `import('…')`, also awaited, and the member
/// taken from it.
fn required<'t>(value: Node<'_>, text: &'t str) -> Option<(&'t str, Option<&'t str>)> {
    match value.kind() {
        "await_expression" | "parenthesized_expression" => required(value.named_child(0)?, text),
        "member_expression" => {
            let (module, _) = required(value.child_by_field_name("object")?, text)?;
            Some((module, Some(&text[value.child_by_field_name("property")?.byte_range()])))
        }
        "call_expression" => {
            let callee = value.child_by_field_name("function")?;
            let source = value.child_by_field_name("arguments")?.named_child(0)?;
            let loads = callee.kind() == "import" || &text[callee.byte_range()] == "require";
            (loads && matches!(source.kind(), "string" | "template_string")).then(|| (unquoted(source, text), None))
        }
        _ => None,
    }
}

fn of_declarator(node: Node<'_>, text: &str) -> Vec<Import> {
    let found = node.child_by_field_name("value").and_then(|value| required(value, text));
    let (Some((module, member)), Some(target)) = (found, node.child_by_field_name("name")) else { return Vec::new() };
    let statement = node.parent().unwrap_or(node);
    match (target.kind(), member) {
        ("identifier", None) => {
            vec![import(statement, module, Vec::new(), Some(text[target.byte_range()].to_owned()))]
        }
        ("identifier", Some(member)) => {
            vec![import(statement, module, vec![name(member, Some(&text[target.byte_range()]))], None)]
        }
        ("object_pattern", None) => {
            let mut cursor = target.walk();
            let names = target.named_children(&mut cursor).filter_map(|part| destructured(part, text)).collect();
            vec![import(statement, module, names, None)]
        }
        _ => Vec::new(),
    }
}

fn destructured(part: Node<'_>, text: &str) -> Option<ImportedName> {
    match part.kind() {
        "shorthand_property_identifier_pattern" => Some(name(&text[part.byte_range()], None)),
        "pair_pattern" => {
            let value = part.child_by_field_name("value").filter(|value| value.kind() == "identifier")?;
            Some(name(unquoted(part.child_by_field_name("key")?, text), Some(&text[value.byte_range()])))
        }
        _ => None,
    }
}

/// `module.exports = Cart`, `module.exports = { total, sum: add }`,
/// `exports.sum = add`: names that this file gives out.
fn of_assignment(node: Node<'_>, text: &str) -> Vec<Import> {
    let Some(assignment) = node.named_child(0).filter(|inner| inner.kind() == "assignment_expression") else {
        return Vec::new();
    };
    let (Some(left), Some(right)) = (assignment.child_by_field_name("left"), assignment.child_by_field_name("right"))
    else {
        return Vec::new();
    };
    let target: String = text[left.byte_range()].split_whitespace().collect();
    let member = target.strip_prefix("module.exports.").or_else(|| target.strip_prefix("exports."));
    let (module, names) = match (right.kind(), member) {
        _ if target == "module.exports" && required(right, text).is_some() => {
            (required(right, text).map_or("", |(module, _)| module), vec![name("*", None)])
        }
        ("identifier", None) if target == "module.exports" => {
            ("", vec![name(&text[right.byte_range()], Some(DEFAULT))])
        }
        ("new_expression" | "function_expression" | "arrow_function" | "class", None) if target == "module.exports" => {
            // What has no name of its own is found by that of its place.
            let own = right.child_by_field_name("name").map_or("exports", |own| &text[own.byte_range()]);
            ("", vec![name(own, Some(DEFAULT))])
        }
        ("object", None) if target == "module.exports" => {
            let mut cursor = right.walk();
            ("", right.named_children(&mut cursor).filter_map(|part| given(part, text)).collect())
        }
        ("identifier", Some(member)) => ("", vec![name(&text[right.byte_range()], Some(member))]),
        _ => return Vec::new(),
    };
    let mut found = import(node, module, names, None);
    found.exports = true;
    if found.names.is_empty() { Vec::new() } else { vec![found] }
}

fn given(part: Node<'_>, text: &str) -> Option<ImportedName> {
    match part.kind() {
        "shorthand_property_identifier" => Some(name(&text[part.byte_range()], None)),
        "pair" => {
            let value = part.child_by_field_name("value").filter(|value| value.kind() == "identifier")?;
            Some(name(&text[value.byte_range()], Some(unquoted(part.child_by_field_name("key")?, text))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use crate::language::typescript::TYPESCRIPT;
    use pretty_assertions::assert_eq;

    /// `module|names`, with `as`; `module` alone binds the module itself.
    fn imports(language: &'static Language, text: &str) -> Vec<String> {
        let row = |import: &Import| {
            let names = import.names.iter().map(|name| match &name.alias {
                Some(alias) => format!("{} as {alias}", name.name),
                None => name.name.clone(),
            });
            let names = names.collect::<Vec<_>>().join(",");
            let arrow = if import.exports { "> " } else { "" };
            format!("{arrow}{}|{names}|{}", import.module, import.alias.as_deref().unwrap_or_default())
        };
        parse(language, text).imports().iter().map(row).collect()
    }

    #[test]
    fn imports_are_read_in_all_their_forms() {
        for (text, wanted) in [
            ("import cart from './cart.js';", vec!["./cart.js|default as cart|"]),
            ("import { a, b as c } from 'x';", vec!["x|a,b as c|"]),
            ("import cart, { a } from './x';", vec!["./x|default as cart,a|"]),
            ("import * as all from '../x';", vec!["../x||all"]),
            ("import './x';", vec!["./x||"]),
            ("const cart = require('./cart');", vec!["./cart||cart"]),
            ("const { a, b: c } = require(\"./x\");", vec!["./x|a,b as c|"]),
            ("const total = require('./x').total;", vec!["./x|total|"]),
            ("const { a } = await import('./x');", vec!["./x|a|"]),
            ("export { a as b } from './x';", vec!["> ./x|a as b|"]),
            ("export * from './x';", vec!["> ./x|*|"]),
            ("export * as ns from './x';", vec!["> ./x||ns"]),
            ("export { a as b };", vec!["> |a as b|"]),
            ("export default Cart;", vec!["> |Cart as default|"]),
            ("export default function total() {}", vec!["> |total as default|"]),
            ("export function total() {}", vec![]),
            ("module.exports = { total, sum: add };", vec!["> |total,add as sum|"]),
            ("module.exports = Cart;", vec!["> |Cart as default|"]),
            ("module.exports = function (a) { return a; };", vec!["> |exports as default|"]),
            ("module.exports = require('./lib');", vec!["> ./lib|*|"]),
            ("exports.sum = add;", vec!["> |add as sum|"]),
            ("const x = f('./cart');", vec![]),
        ] {
            assert_eq!(imports(&JAVASCRIPT, text), wanted, "{text}");
        }
        for (text, wanted) in [
            ("import type { Cart } from './cart';", vec!["./cart|Cart|"]),
            ("import cart = require('./cart');", vec!["./cart||cart"]),
        ] {
            assert_eq!(imports(&TYPESCRIPT, text), wanted, "{text}");
        }
    }

    #[test]
    fn test_files_are_those_that_the_runners_look_for() {
        for (path, wanted) in [
            ("src/cart.test.ts", true),
            ("src/cart.spec.jsx", true),
            ("src/__tests__/cart.js", true),
            ("test/cart.js", true),
            ("cart-test.mjs", true),
            ("cart_test.js", true),
            ("test.js", true),
            ("test-cart.js", true),
            ("__mocks__/fs.js", true),
            ("jest.setup.js", true),
            ("src/cart.js", false),
            ("src/contest.js", false),
            ("src/latest/x.js", false),
            ("src/testing.js", false),
        ] {
            assert_eq!(is_test_file(&RelPath::new(path).expect("path")), wanted, "{path}");
        }
    }

    #[test]
    fn a_test_is_a_call_with_a_title_and_a_function() {
        let text = "import { it } from 'vitest';\nexport const f = (a) => a;\nit('adds', () => {});\ndescribe.each([1])('of %i', () => {\n  beforeEach(() => {});\n  test(`is ${'x'}`, async function () {});\n});\ntest(list);\nit('has no function');\nif (import.meta.vitest) {\n  g();\n}\n";
        let parsed = parse(&JAVASCRIPT, text);
        let spans: Vec<&str> = parsed.test_spans().into_iter().map(|span| &text[span]).collect();
        assert_eq!(spans.len(), 3, "{spans:?}");
        assert!(spans[0].starts_with("it('adds'") && spans[1].starts_with("describe.each"), "{spans:?}");
        assert!(spans[2].starts_with("if (import.meta.vitest)"), "{spans:?}");
    }
}
