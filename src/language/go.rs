//! Go as data.
//!
//! Holds a row of the table of languages and reads its imports; decides
//! nothing.

use tree_sitter::Node;

use super::Import;
use super::ImportedName;
use super::Language;
use super::lines_of;
use crate::source::RelPath;

/// Go.
pub static GO: Language = Language {
    name: "go",
    family: "go",
    extensions: &["go"],
    grammar: || tree_sitter_go::LANGUAGE.into(),
    query: include_str!("go.scm"),
    comments: &["comment"],
    separator: ".",
    wrappers: &[],
    leading: &[("comment", "//"), ("comment", "/*")],
    blocks: &["source_file", "block", "statement_list"],
    own: &[],
    read_import,
    doctests: |_, _| Vec::new(),
    is_test_file,
    is_test_node,
};

/// `go test` compiles `_test.go` files alone for tests, and leaves `testdata`
/// to them (go.dev, "go help test").
fn is_test_file(path: &RelPath) -> bool {
    path.file_name().ends_with("_test.go") || path.parent().as_str().split('/').any(|part| part == "testdata")
}

/// Functions that take a `*testing.T` (also `B`, `F`, `M`), examples of test
/// files, and subtests. By name alone nothing is a test: `TestConnection` is a
/// fine name for code.
fn is_test_node(node: Node<'_>, text: &str) -> bool {
    match node.kind() {
        "function_declaration" => {
            let parameters = node.child_by_field_name("parameters").map_or("", |list| &text[list.byte_range()]);
            ["*testing.T", "*testing.B", "*testing.F", "*testing.M"].iter().any(|kind| parameters.contains(kind))
        }
        "call_expression" => {
            let callee = node.child_by_field_name("function").map_or("", |callee| &text[callee.byte_range()]);
            callee.ends_with(".Run") && callee.len() <= "tt.Run".len()
        }
        _ => false,
    }
}

fn read_import(node: Node<'_>, text: &str) -> Vec<Import> {
    let Some(path) = node.child_by_field_name("path") else { return Vec::new() };
    let module = text[path.byte_range()].trim_matches(['"', '`']);
    let name = node.child_by_field_name("name").map(|name| &text[name.byte_range()]);
    let all = vec![ImportedName { name: "*".into(), alias: None }];
    let (names, alias) = match name {
        Some(".") => (all, None),
        Some(name) => (Vec::new(), Some(name.to_owned())),
        None => (Vec::new(), Some(package(module).to_owned())),
    };
    vec![Import { module: module.to_owned(), names, alias, level: 0, lines: lines_of(node), exports: false }]
}

/// The name that a package usually has by its path: the last part, without a
/// major version (`example.test/shop/v2`, `gopkg.in/yaml.v3`).
fn package(path: &str) -> &str {
    let is_version = |part: &str| part.len() > 1 && part[1..].bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let last = if last.starts_with('v') && is_version(last) { parts.next().unwrap_or(last) } else { last };
    let last = match last.rsplit_once('.') {
        Some((head, version)) if version.starts_with('v') && is_version(version) => head,
        _ => last,
    };
    last.strip_prefix("go-").or_else(|| last.strip_suffix("-go")).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;
    use pretty_assertions::assert_eq;

    #[test]
    fn imports_are_known_by_the_name_of_their_package() {
        let text = "package a\n\nimport (\n\t\"example.test/shop/cart\"\n\tc \"example.test/shop/coin\"\n\t. \"example.test/shop/all\"\n\t_ \"embed\"\n\t\"gopkg.in/yaml.v3\"\n\t\"example.test/x/v2\"\n)\n\nimport \"fmt\"\n";
        let found: Vec<(String, Vec<String>)> = parse(&GO, text)
            .imports()
            .iter()
            .map(|import| (import.module.clone(), import.locals().into_iter().map(str::to_owned).collect()))
            .collect();
        let wanted = [
            ("example.test/shop/cart", "cart"),
            ("example.test/shop/coin", "c"),
            ("example.test/shop/all", "*"),
            ("embed", "_"),
            ("gopkg.in/yaml.v3", "yaml"),
            ("example.test/x/v2", "x"),
            ("fmt", "fmt"),
        ];
        let wanted: Vec<(String, Vec<String>)> =
            wanted.iter().map(|(module, local)| ((*module).to_owned(), vec![(*local).to_owned()])).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn tests_are_told_by_their_parameter_and_their_file() {
        let text = "package a\n\nfunc TestConnection(url string) bool { return true }\n\nfunc TestAdd(t *testing.T) {\n\tt.Run(\"one\", func(t *testing.T) {})\n}\n";
        let parsed = parse(&GO, text);
        let tests: Vec<String> =
            parsed.definitions().into_iter().filter(|found| found.is_test).map(|found| found.qualified).collect();
        assert_eq!(tests, ["TestAdd", "TestAdd.one"]);
        for (path, wanted) in
            [("cart/cart_test.go", true), ("cart/testdata/x.go", true), ("cart/cart.go", false), ("test/x.go", false)]
        {
            assert_eq!(is_test_file(&RelPath::new(path).expect("path")), wanted, "{path}");
        }
    }
}
