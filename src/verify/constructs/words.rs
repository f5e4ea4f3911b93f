//! The words of a text by which constructs are counted: its tokens, with modules by
//! their own names.

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::source::RelPath;

/// Texts of a file that name a file of tests by its path.
pub(super) fn test_files_named(parsed: &Parsed) -> Vec<String> {
    let mut found = Vec::new();
    language::walk(parsed.tree.root_node(), &mut |node| {
        let text = parsed.text_of(node);
        if node.is_named() && node.named_child_count() <= 3 && text.len() < 200 && text.starts_with(['"', '\'', '`']) {
            let inner = text.trim_matches(['"', '\'', '`']).trim_start_matches(['.', '/']);
            // Of one that is put together the file's name.
            let last = inner.rsplit('/').next().unwrap_or_default();
            let paths = [inner, last].map(|name| RelPath::new(name).ok().filter(|_| name.contains('.')));
            let is_closed = inner.len() + 2 <= text.len();
            found.extend(
                paths
                    .into_iter()
                    .flatten()
                    .find(|path| is_closed && language::is_test_file(path))
                    .map(|path| path.as_str().to_owned()),
            );
        }
        node.named_child_count() > 0
    });
    found
}

/// Whether a file of Rust or Go is a program's own.
pub(super) fn is_program(path: &RelPath, parsed: &Parsed) -> bool {
    match parsed.language.family {
        "go" => parsed.text.lines().any(|line| line.trim_end() == "package main"),
        _ => path.file_name() == "main.rs" || path.as_str().split('/').any(|part| matches!(part, "bin" | "examples")),
    }
}

/// How many conditions of a build hold `test`, however deep.
pub(super) fn asks_for_tests(tokens: &str) -> usize {
    let words: Vec<&str> = tokens.split(' ').collect();
    let is_test = |at: usize| {
        let mut depth = 0;
        for word in &words[at..] {
            depth += i32::from(word.ends_with('(')) - i32::from(*word == ")");
            if matches!(*word, "test" | "doctest") {
                return true;
            }
            if depth == 0 && *word == ")" {
                break;
            }
        }
        false
    };
    let begins = (0..words.len()).filter(|at| matches!(words[*at], "cfg" | "cfg_attr"));
    begins.filter(|at| is_test(*at + 1)).count()
}

pub(super) fn tokens(parsed: &Parsed, items: &[Node<'_>]) -> String {
    let each = items.iter().map(|item| parsed.tokens_within(item.byte_range()));
    spelled_out(parsed, format!(" {} ", each.collect::<Vec<_>>().join(" ")))
}

/// The same with names of modules as they are, where the file gives them others,
/// and with `M . N` for what it takes from a module by name.
fn spelled_out(parsed: &Parsed, tokens: String) -> String {
    let mut spelled = tokens;
    let mut rename = |alias: &str, name: &str| {
        if alias != name {
            spelled = spelled.replace(&format!(" {alias} . "), &format!(" {name} . "));
        }
    };
    let mut taken = String::new();
    let text = |node: Node<'_>, field: &str| node.child_by_field_name(field).map(|one| parsed.text_of(one));
    language::walk(parsed.tree.root_node(), &mut |node| {
        match (parsed.language.family, node.kind()) {
            ("go", "import_spec") => {
                let path = text(node, "path").unwrap_or_default().trim_matches(['"', '`']);
                let name = path.rsplit('/').next().unwrap_or_default();
                text(node, "name").into_iter().for_each(|alias| rename(alias, name));
            }
            ("python", "aliased_import") if node.parent().is_some_and(|parent| parent.kind() == "import_statement") => {
                let name = text(node, "name").unwrap_or_default().replace('.', " . ");
                text(node, "alias").into_iter().for_each(|alias| rename(alias, &name));
            }
            ("python", "import_from_statement") => {
                let module = text(node, "module_name").unwrap_or_default().replace('.', " . ");
                let mut cursor = node.walk();
                for name in node.children_by_field_name("name", &mut cursor) {
                    let name = name.child_by_field_name("name").unwrap_or(name);
                    taken += &format!("{module} . {} ", parsed.text_of(name));
                }
            }
            _ => {}
        }
        node.named_child_count() > 0
    });
    spelled + &taken
}
