//! A raised exception as the text tells of it, and what follows from its words.
//!
//! Judges words alone; never looks at a file.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::bounded;
use crate::trace::places::Places;

/// Frames kept of a failure: half of them from each end.
const FRAME_LIMIT: usize = 200;

/// A line of code that a traceback names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path as written.
    pub file: String,
    /// 1-based.
    pub line: Option<u32>,
    /// The function; `None` for a file that does not compile.
    pub symbol: Option<String>,
}

/// One exception of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raised {
    /// Type and text, with the lines that follow.
    pub message: String,
    /// Innermost first.
    pub places: Vec<Place>,
}

/// The failure that a chain (root first) tells of.
pub fn failure(id: String, chain: &[Raised], loading: bool, output: &str, places: &Places, near: &RelPath) -> Failure {
    let message = chain.first().map(|root| root.message.clone()).unwrap_or_default();
    let (actual, expected) =
        compared(&message).map_or((None, None), |(actual, expected)| (Some(actual), Some(expected)));
    let mut all: Vec<&Place> = chain.iter().flat_map(|raised| &raised.places).collect();
    if all.len() > FRAME_LIMIT {
        all.drain(FRAME_LIMIT / 2..all.len() - FRAME_LIMIT / 2);
    }
    let frame = |place: &Place| Frame {
        path: places.locate(&place.file, near),
        written: place.file.clone(),
        line: place.line,
        symbol: place.symbol.clone(),
    };
    let loading = loading || chain.first().is_some_and(while_loading);
    Failure {
        id,
        kind: kind(&message, loading),
        message: bounded(&message),
        expected,
        actual,
        locals: Vec::new(),
        frames: all.into_iter().map(frame).collect(),
        output: bounded(output.trim_matches('\n')),
    }
}

/// The exception's type without its module: `KeyError`.
pub fn type_name(message: &str) -> &str {
    let name = message.split([':', '\n']).next().unwrap_or_default().trim();
    name.rsplit('.').next().unwrap_or(name)
}

/// What sort of failure an exception is; `loading` where a file of tests was
/// being loaded.
fn kind(message: &str, loading: bool) -> Kind {
    let name = type_name(message);
    if message.starts_with("Fatal Python error") || message.starts_with("worker '") {
        return Kind::Crash;
    }
    // pytest-timeout writes `Timeout >1.0s`, since 2.4 `Timeout (>1.0s)`.
    if message.contains("Timeout >") || message.contains("Timeout (>") || message.starts_with("Timeout (") {
        return Kind::Timeout;
    }
    if loading {
        return Kind::Collection;
    }
    let asserted = matches!(name, "AssertionError" | "Failed" | "failureException" | "DocTestFailure")
        || name.starts_with("assert ")
        || name == "assert"
        || message.starts_with("[XPASS(strict)]")
        || message == "unexpected success";
    if asserted { Kind::Assertion } else { Kind::Exception }
}

/// Whether a file could not be loaded: it does not compile, and an `import`
/// or the interpreter itself had asked for it.
fn while_loading(root: &Raised) -> bool {
    if !matches!(type_name(&root.message), "SyntaxError" | "IndentationError" | "TabError") {
        return false;
    }
    let caller = root
        .places
        .iter()
        .filter(|place| !place.file.starts_with("<frozen "))
        .find_map(|place| place.symbol.as_deref());
    caller.is_none_or(|symbol| symbol == "<module>")
}

/// The actual and the expected value of a check for equality: of pytest's
/// `assert a == b` the left is the actual one, of unittest's `a != b` the first.
pub fn compared(message: &str) -> Option<(String, String)> {
    static TAIL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r" within \S+ (?:places|delta)(?: \(.*\))?$").expect("the pattern is valid"));
    // A test's own words come first, pytest's below.
    for line in message.lines().take(20) {
        let text = line.strip_prefix("AssertionError: ").unwrap_or(line);
        if let Some(check) = text.strip_prefix("assert ") {
            return split(check, " == ");
        }
    }
    let text = message.lines().next()?.strip_prefix("AssertionError: ")?;
    let text = ["Lists", "Tuples", "Sequences", "Sets"]
        .iter()
        .find_map(|what| text.strip_prefix(what)?.strip_prefix(" differ: "))
        .unwrap_or(text);
    let (actual, expected) = split(text, " != ")?;
    let expected = split(&expected, " : ").map_or(expected, |(value, _)| value);
    let expected = TAIL.replace(&expected, "").into_owned();
    Some((actual, expected))
}

/// The sides of the only `sign` outside of quotes and brackets. `None` where
/// a side was shortened: it is not the value.
fn split(text: &str, sign: &str) -> Option<(String, String)> {
    let at = outside(text, sign).or_else(|| {
        let at = text.find(sign)?;
        text[at + sign.len()..].find(sign).is_none().then_some(at)
    })?;
    let (left, right) = (text[..at].trim(), text[at + sign.len()..].trim());
    let shortened = |side: &str| side.is_empty() || side.contains("...") || side.contains(" chars]");
    (!shortened(left) && !shortened(right)).then(|| (left.to_owned(), right.to_owned()))
}

fn outside(text: &str, sign: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut quote, mut at, mut found) = (0_i32, None, 0, None);
    while at < bytes.len() {
        let byte = bytes[at];
        let is_sign = quote.is_none() && depth == 0 && bytes[at..].starts_with(sign.as_bytes());
        if is_sign && found.replace(at).is_some() {
            return None;
        }
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None if matches!(byte, b'(' | b'[' | b'{') => depth += 1,
            None if matches!(byte, b')' | b']' | b'}') => depth -= 1,
            None => {}
        }
        at += 1;
    }
    found.filter(|_| quote.is_none() && depth == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_of_a_check_are_told_apart() {
        for (message, wanted) in [
            ("AssertionError: assert 130 == 230\n +  where 130 = total()", Some(("130", "230"))),
            ("assert 'a == b' == [1, (2 == 3)]", Some(("'a == b'", "[1, (2 == 3)]"))),
            ("AssertionError: with words\nassert 3 == 4", Some(("3", "4"))),
            ("AssertionError: assert {'a':... 'x'} == {}", None),
            ("assert 1 in [2]", None),
            ("assert 1 == 1 == 2", None),
            ("AssertionError: 50 != 150", Some(("50", "150"))),
            ("AssertionError: 'a : b' != 'c' : the words", Some(("'a : b'", "'c'"))),
            ("AssertionError: Lists differ: [1] != [2]", Some(("[1]", "[2]"))),
            ("AssertionError: 1.0 != 2.0 within 7 places (1.0 difference)", Some(("1.0", "2.0"))),
            ("AssertionError: 'aaa[20 chars]b' != 'c'", None),
            ("ValueError: 1 != 2", None),
        ] {
            let wanted = wanted.map(|(actual, expected): (&str, &str)| (actual.to_owned(), expected.to_owned()));
            assert_eq!(compared(message), wanted, "{message}");
        }
    }

    #[test]
    fn the_kind_follows_from_the_words() {
        for (message, loading, wanted) in [
            ("AssertionError: x", false, Kind::Assertion),
            ("assert 1 == 2", false, Kind::Assertion),
            ("Failed: DID NOT RAISE ValueError", false, Kind::Assertion),
            ("Failed: Timeout (>1.0s) from pytest-timeout.", false, Kind::Timeout),
            ("Failed: Timeout >1.0s", false, Kind::Timeout),
            ("TimeoutError: slow", false, Kind::Exception),
            ("RecursionError: maximum recursion depth exceeded", false, Kind::Exception),
            ("ImportError: no", false, Kind::Exception),
            ("ImportError: no", true, Kind::Collection),
            ("Fatal Python error: Aborted", false, Kind::Crash),
        ] {
            assert_eq!(kind(message, loading), wanted, "{message}");
        }
    }
}
