//! Failures that have one fault, found before the code is read.
//!
//! Compares failures; reads no file but knows test files by their names.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::language;
use crate::trace::go;

/// Groups failures that have the same root: the same exception raised through
/// the same functions outside tests. Indices into `failures`; groups and their
/// members keep the order given.
///
/// A failure with no such frame (a check that did not hold in the test itself)
/// says nothing about its root, so it is joined only to failures of the same
/// test function with other parameters: two faults healed as one would hide
/// one of them, while one fault healed twice costs only time. A test that fails
/// for its subtests alone is told by them, and in no group.
pub fn clusters(failures: &[Failure]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut by_root: HashMap<String, usize> = HashMap::new();
    let holding = go::blocks(failures.iter().map(|failure| failure.id.as_str()));
    let is_told =
        |outer: &Failure| holding.contains(outer.id.as_str()) && failures.iter().any(|inner| fails_for(outer, inner));
    for (index, failure) in failures.iter().enumerate().filter(|(_, failure)| !is_told(failure)) {
        match by_root.entry(root(failure)) {
            std::collections::hash_map::Entry::Occupied(group) => groups[*group.get()].push(index),
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(groups.len());
                groups.push(vec![index]);
            }
        }
    }
    groups
}

/// Whether `outer` is a test that fails as its subtest `inner` does (Go).
fn fails_for(outer: &Failure, inner: &Failure) -> bool {
    go::is_subtest(&inner.id, &outer.id) && outer.message == inner.message
}

/// What two failures of one fault share; the same in every run of one tree.
pub fn root(failure: &Failure) -> String {
    let frames: Vec<&Frame> = failure.frames.iter().filter(|frame| is_code(failure, frame)).collect();
    let exception = failure.message.split([':', '\n', '(']).next().unwrap_or_default().trim();
    if frames.is_empty() || failure.kind == Kind::Timeout {
        // Compile and collection errors are told apart by their text, tests by
        // their function.
        return match failure.kind {
            Kind::CompileError | Kind::Collection => format!("{:?}|{}|{}", failure.kind, failure.id, failure.message),
            kind => format!("{kind:?}|{}", function_of(&failure.id)),
        };
    }
    // Where the exception was raised, and by whom it was called; further out
    // the paths of different tests part.
    let mut key = format!("{:?}|{exception}", failure.kind);
    let mut last = String::new();
    let mut kept = 0;
    for frame in frames {
        let path = frame.path.as_ref().map(|path| path.as_str()).unwrap_or_default();
        let place = match &frame.symbol {
            Some(symbol) => format!("{path}|{symbol}"),
            None => format!("{path}|{}", frame.line.unwrap_or_default()),
        };
        if place != last {
            // The same function may fail at two lines for two reasons.
            let line = if kept == 0 { frame.line.unwrap_or_default() } else { 0 };
            key.push_str(&format!("|{place}|{line}"));
            kept += 1;
        }
        if kept == 2 {
            break;
        }
        last = place;
    }
    key
}

/// Whether the frame is the project's and, as far as its file's name and its
/// symbol tell, no test.
fn is_code(failure: &Failure, frame: &Frame) -> bool {
    let Some(path) = &frame.path else { return false };
    let Some(language) = language::of_path(path) else { return false };
    if (language.is_test_file)(path) {
        return false;
    }
    let symbol = frame.symbol.as_deref().unwrap_or_default();
    let in_tests = symbol.split("::").any(|part| part == "tests" || part == "test");
    // A Rust panic in the test itself: the trace names no symbol, and only the
    // frame's place inside a test module would tell. One lone frame is then
    // as likely the test's own.
    let lone = language.name == "rust" && symbol.is_empty() && failure.frames.len() == 1;
    !in_tests && !lone
}

/// A test's id without its parameters.
fn function_of(id: &str) -> &str {
    id.split('[').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;
    use pretty_assertions::assert_eq;

    fn failure(id: &str, kind: Kind, message: &str, frames: &[(&str, u32, &str)]) -> Failure {
        let frame = |(path, line, symbol): &(&str, u32, &str)| Frame {
            path: RelPath::new(path).ok(),
            written: (*path).to_owned(),
            line: Some(*line),
            symbol: (!symbol.is_empty()).then(|| (*symbol).to_owned()),
        };
        Failure {
            id: id.into(),
            kind,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: frames.iter().map(frame).collect(),
            output: String::new(),
        }
    }

    #[test]
    fn failures_of_one_root_are_one_cluster_and_checks_of_two_tests_are_two() {
        let deep = [("shop/money.py", 3, "parse"), ("shop/cart.py", 9, "total")];
        let with = |test: (&'static str, u32, &'static str)| deep.iter().copied().chain([test]).collect::<Vec<_>>();
        let failures = [
            failure("t.py::a", Kind::Exception, "ValueError: 'x'", &with(("tests/test_a.py", 1, "a"))),
            failure("t.py::b[1]", Kind::Assertion, "assert 1 == 2", &[("tests/test_a.py", 9, "b")]),
            failure("t.py::c", Kind::Exception, "ValueError: 'y'", &with(("tests/test_b.py", 4, "c"))),
            failure("t.py::b[2]", Kind::Assertion, "assert 2 == 3", &[("tests/test_a.py", 9, "b")]),
            failure("t.py::d", Kind::Assertion, "assert 2 == 3", &[("tests/test_a.py", 19, "d")]),
            failure("t.py::e", Kind::Exception, "KeyError: 'y'", &with(("tests/test_b.py", 4, "e"))),
            failure("t.py::f", Kind::Exception, "ValueError: 'y'", &[("shop/money.py", 7, "parse")]),
        ];
        assert_eq!(clusters(&failures), vec![vec![0, 2], vec![1, 3], vec![4], vec![5], vec![6]]);
    }

    #[test]
    fn a_test_that_fails_for_its_subtests_alone_is_told_by_them() {
        let of = |id: &str, message: &str| failure(id, Kind::Assertion, message, &[("cart/cart_test.go", 9, "")]);
        let failures = [
            of("e.t/s/cart TestTotal/two", "got 1"),
            of("e.t/s/cart TestTotal/ten", "got 2"),
            of("e.t/s/cart TestTotal", "got 1"),
            of("e.t/s/cart TestTotals", "got 1"),
            of("e.t/s/cart TestOwn/a", "got 3"),
            of("e.t/s/cart TestOwn", "left open"),
        ];
        assert_eq!(clusters(&failures), vec![vec![0], vec![1], vec![3], vec![4], vec![5]]);
        // Asked for by its own name it is what is to be healed.
        assert_eq!(clusters(&failures[2..3]), vec![vec![0]]);
    }

    #[test]
    fn no_failures_are_no_clusters() {
        assert_eq!(clusters(&[]), Vec::<Vec<usize>>::new());
    }
}
