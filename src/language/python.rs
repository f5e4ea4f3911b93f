//! Python as data.
//!
//! Holds a row of the table of languages; decides nothing.

use tree_sitter::Node;

use super::Language;
use crate::source::RelPath;

/// Python 3.
pub static PYTHON: Language = Language {
    name: "python",
    extensions: &["py", "pyi"],
    grammar: || tree_sitter_python::LANGUAGE.into(),
    query: include_str!("python.scm"),
    comments: &["comment"],
    separator: ".",
    is_test_file,
    is_test_node,
};

/// pytest's and unittest's default names, `conftest.py`, and whatever lies in
/// a folder of tests (pytest documentation, "Conventions for Python test
/// discovery").
fn is_test_file(path: &RelPath) -> bool {
    let name = path.file_name();
    let in_folder = path.parent().as_str().split('/').any(|part| matches!(part, "tests" | "test" | "testing"));
    in_folder
        || name.starts_with("test_")
        || name.ends_with("_test.py")
        || matches!(name, "conftest.py" | "tests.py" | "test.py")
}

fn is_test_node(_node: Node<'_>, _text: &str) -> bool {
    false
}
