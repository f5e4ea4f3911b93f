//! Whose report it is: names and failures as the runner behind it gives them.
//!
//! | dialect | told by | id |
//! |---|---|---|
//! | pytest | `testsuites name="pytest tests"` or `testsuite name="pytest"` | `tests/test_a.py::TestB::test_c`, where the file is known |
//! | nextest | `testsuites name="nextest-run"` | `shop::it integration` |
//! | libtest | `testsuite name="test" package="test"` | `tests::divide` |
//! | vitest | a script for a class | `a.test.ts > Cart > adds` |
//!
//! Compares words; reads no file.

use crate::failure::Failure;
use crate::failure::Kind;
use crate::trace::ground::Ground;
use crate::trace::javascript;
use crate::trace::javascript::error;
use crate::trace::rust;
use crate::trace::rust::Roots;

/// The runner that wrote the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// pytest.
    Pytest,
    /// nextest.
    Nextest,
    /// libtest's own (unstable).
    Libtest,
    /// Any other.
    #[default]
    Other,
}

impl Dialect {
    /// By the names of a suite, or of the root; `None` where they say nothing.
    pub fn of_suite(name: &str, package: &str) -> Option<Dialect> {
        match (name, package) {
            ("pytest tests" | "pytest", _) => Some(Dialect::Pytest),
            ("nextest-run", _) => Some(Dialect::Nextest),
            ("test", "test") => Some(Dialect::Libtest),
            _ => None,
        }
    }

    /// The id of a case.
    pub fn id(self, class: &str, name: &str, ground: Ground<'_>) -> String {
        match self {
            Dialect::Pytest => {
                if let Some(id) = node_id(class, name, ground) {
                    return id;
                }
            }
            Dialect::Nextest => return format!("{class} {name}"),
            Dialect::Libtest | Dialect::Other => {}
        }
        if javascript::tap::is_file(class) {
            let file = ground.shown(class);
            return if name == class { file } else { format!("{file}{}{name}", javascript::SEPARATOR) };
        }
        let name = if class.is_empty() { name.trim_start() } else { name };
        if class.is_empty() || name.starts_with(class) { name.trim().to_owned() } else { format!("{class}::{name}") }
    }

    /// The failure as the runner's own reader tells it; `text` is everything
    /// the case printed, `own` what stands in the failure itself.
    pub fn failure(self, id: &str, name: &str, text: &str, own: &str, ground: Ground<'_>) -> Option<Failure> {
        match self {
            Dialect::Nextest | Dialect::Libtest => {
                let roots = Roots { compiled: ground.near, running: ground.near };
                let thread = if self == Dialect::Nextest { name } else { id };
                Some(rust::test_failure(id, thread, text, None, ground.places, roots))
            }
            Dialect::Pytest | Dialect::Other => of_script(id, own, ground),
        }
    }
}

/// Parts of a dotted name that are looked at.
const DEPTH_LIMIT: usize = 40;

/// `tests.test_cart.TestGroup` and `test_method` as pytest takes them back.
fn node_id(class: &str, name: &str, ground: Ground<'_>) -> Option<String> {
    let (class, last) = if class.is_empty() { (name, None) } else { (class, Some(name)) };
    let parts: Vec<&str> = class.split('.').collect();
    if parts.len() > DEPTH_LIMIT {
        return None;
    }
    for end in (1..=parts.len()).rev() {
        let file = format!("{}.py", parts[..end].join("/"));
        if ground.places.locate(&file, ground.near).is_some() {
            let rest = parts[end..].iter().copied().chain(last);
            return Some(std::iter::once(file.as_str()).chain(rest).collect::<Vec<_>>().join("::"));
        }
    }
    None
}

/// A failure of JavaScript, told by its stack.
fn of_script(id: &str, own: &str, ground: Ground<'_>) -> Option<Failure> {
    static STACK: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(r"(?m)^\s*(?:at|❯) .*:\d+:\d+\)?[,;]?(?: \{)?\s*$").expect("the pattern is valid")
    });
    if !STACK.is_match(own) {
        return None;
    }
    // mocha tells the message first, and then the error with its type.
    let lines: Vec<&str> = own.trim_matches('\n').lines().collect();
    let typed = |line: &&str| line.split([':', ' ']).next().is_some_and(|name| name.trim().ends_with("Error"));
    let start = lines
        .iter()
        .position(typed)
        .filter(|start| lines.first().is_some_and(|first| *start > 0 && lines[*start].ends_with(first.trim())));
    let thrown = error::read(lines[start.unwrap_or(0)..].iter().copied(), ground);
    if thrown.message.is_empty() {
        return None;
    }
    let mut failure = javascript::of_thrown(id.to_owned(), thrown, own);
    if javascript::tap::is_file(id) {
        failure.kind = Kind::Collection;
    }
    Some(failure)
}
