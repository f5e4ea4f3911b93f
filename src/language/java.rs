//! Java as data.
//!
//! Holds a row of the table of languages and reads its imports; decides
//! nothing.

use tree_sitter::Node;

use super::Import;
use super::ImportedName;
use super::Language;
use super::lines_of;
use crate::source::RelPath;

/// Java.
pub static JAVA: Language = Language {
    name: "java",
    family: "java",
    extensions: &["java"],
    grammar: || tree_sitter_java::LANGUAGE.into(),
    query: include_str!("java.scm"),
    comments: &["line_comment", "block_comment"],
    separator: ".",
    wrappers: &[],
    leading: &[("block_comment", "/**")],
    blocks: &[
        "program",
        "block",
        "class_body",
        "interface_body",
        "enum_body",
        "enum_body_declarations",
        "constructor_body",
        "switch_block_statement_group",
    ],
    own: &["this", "super"],
    read_import,
    doctests: |_, _| Vec::new(),
    is_test_file,
    is_test_node,
};

/// Maven's and Gradle's folder of tests, and Surefire's and Failsafe's default
/// names (maven.apache.org, "Inclusions and Exclusions of Tests").
fn is_test_file(path: &RelPath) -> bool {
    let stem = path.file_name().trim_end_matches(".java");
    let folder = path.parent();
    let mut parts = folder.as_str().split('/');
    parts.any(|part| matches!(part, "test" | "tests" | "androidTest" | "integrationTest" | "testFixtures"))
        || ["Test", "Tests", "TestCase", "IT", "ITCase"].iter().any(|end| stem.ends_with(end) && stem != *end)
        || stem.starts_with("Test") && stem[4..].starts_with(char::is_uppercase)
}

/// Annotations of JUnit 4 and 5 and TestNG that make a method a test or a part
/// of one.
const ANNOTATIONS: &[&str] = &[
    "Test",
    "ParameterizedTest",
    "RepeatedTest",
    "TestFactory",
    "TestTemplate",
    "Before",
    "After",
    "BeforeEach",
    "AfterEach",
    "BeforeAll",
    "AfterAll",
    "BeforeClass",
    "AfterClass",
    "BeforeMethod",
    "AfterMethod",
    "Nested",
];

/// Methods and classes with an annotation of a test framework, and classes of
/// JUnit 3.
fn is_test_node(node: Node<'_>, text: &str) -> bool {
    if !matches!(node.kind(), "method_declaration" | "class_declaration") {
        return false;
    }
    let of_junit3 = node
        .child_by_field_name("superclass")
        .is_some_and(|base| text[base.byte_range()].trim_end().ends_with("TestCase"));
    let mut cursor = node.walk();
    let modifiers = node.children(&mut cursor).find(|child| child.kind() == "modifiers");
    let annotated = modifiers.is_some_and(|modifiers| {
        let mut cursor = modifiers.walk();
        modifiers.named_children(&mut cursor).any(|child| {
            let name = child.child_by_field_name("name").map_or("", |name| &text[name.byte_range()]);
            ANNOTATIONS.contains(&name.rsplit('.').next().unwrap_or(name))
        })
    });
    of_junit3 || annotated
}

fn read_import(node: Node<'_>, text: &str) -> Vec<Import> {
    let mut cursor = node.walk();
    let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
    let Some(path) = children.iter().find(|child| matches!(child.kind(), "scoped_identifier" | "identifier")) else {
        return Vec::new();
    };
    let path: String = text[path.byte_range()].split_whitespace().collect();
    let all = children.iter().any(|child| child.kind() == "asterisk");
    let (module, name) = if all { (path.as_str(), "*") } else { path.rsplit_once('.').unwrap_or(("", &path)) };
    let names = vec![ImportedName { name: name.to_owned(), alias: None }];
    vec![Import { module: module.to_owned(), names, alias: None, level: 0, lines: lines_of(node), exports: false }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use pretty_assertions::assert_eq;

    #[test]
    fn imports_are_read_as_written() {
        let text = "import a.b.Cart;\nimport a.c.*;\nimport static a.Money.round;\nimport static a.Money.*;\n";
        let found: Vec<(String, String)> = parse(&JAVA, text)
            .imports()
            .into_iter()
            .map(|import| (import.module, import.names.into_iter().map(|name| name.name).collect()))
            .collect();
        let wanted = [("a.b", "Cart"), ("a.c", "*"), ("a.Money", "round"), ("a.Money", "*")];
        assert_eq!(found, wanted.map(|(module, name)| (module.to_owned(), name.to_owned())));
    }

    #[test]
    fn tests_are_told_by_annotation_and_by_place() {
        let text = "class CartChecks {\n  @Test void adds() {}\n  @org.junit.jupiter.api.BeforeEach void setUp() {}\n  void helper() {}\n}\nclass Old extends TestCase { void testX() {} }\n";
        let tests: Vec<String> = parse(&JAVA, text)
            .definitions()
            .into_iter()
            .filter(|found| found.is_test)
            .map(|found| found.qualified)
            .collect();
        assert_eq!(tests, ["CartChecks.adds", "CartChecks.setUp", "Old", "Old.testX"]);
        for (path, wanted) in [
            ("src/test/java/shop/Helper.java", true),
            ("src/main/java/shop/CartTest.java", true),
            ("TestCart.java", true),
            ("src/main/java/shop/Testing.java", false),
            ("src/main/java/shop/Contest.java", false),
            ("src/main/java/shop/Audit.java", false),
        ] {
            assert_eq!(is_test_file(&RelPath::new(path).expect("path")), wanted, "{path}");
        }
    }
}
