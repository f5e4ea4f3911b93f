//! unittest's text report.
//!
//! ```text
//! ======…                                        70 of them
//! FAIL: test_sub (test_unit.CartTest.test_sub) (name='pear')
//! the first line of its docstring
//! ------…                                        70 of them
//! Traceback (most recent call last): …
//! ```
//!
//! Up to 3.10 the parentheses hold the class alone. Ids are dotted names; of
//! subtests, the test's. Reads text; never judges it.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::raised;
use super::raised::Raised;
use super::traceback;
use crate::failure::Failure;
use crate::source::RelPath;
use crate::trace::places::Places;

static TITLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(FAIL|ERROR|UNEXPECTED SUCCESS): (\S+)(?: \(([^()\s]+)\))?(?: .*)?$").expect("the pattern is valid")
});

/// The failures of the report; empty where the text holds none.
pub fn failures(lines: &[&str], places: &Places, near: &RelPath, limit: usize) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    let mut told = HashSet::new();
    let mut at = 0;
    while at + 1 < lines.len() && found.len() < limit {
        let title = is_rule(lines[at], '=').then(|| TITLE.captures(lines[at + 1].trim_end())).flatten();
        let Some(title) = title else {
            at += 1;
            continue;
        };
        let (body, end) = section(lines, at + 2);
        let (id, loading) = id(&title[2], title.get(3).map(|inside| inside.as_str()));
        if told.insert(id.clone()) {
            let output = lines[at + 1..end].join("\n");
            let chain = chain(&title[1], body);
            found.push(raised::failure(id, &chain, loading, &output, places, near));
        }
        at = end;
    }
    found
}

/// The lines of a section's body, and the line after it.
fn section<'a>(lines: &'a [&'a str], start: usize) -> (&'a [&'a str], usize) {
    let ends = |at: usize| {
        let next_is = |what: &dyn Fn(&str) -> bool| lines.get(at + 1).is_some_and(|line| what(line));
        is_rule(lines[at], '=') && next_is(&|line| TITLE.is_match(line.trim_end()))
            || is_rule(lines[at], '-') && next_is(&|line| line.starts_with("Ran "))
    };
    let end = (start..lines.len()).find(|at| ends(*at)).unwrap_or(lines.len());
    // The docstring's line stands above the rule.
    let rule = (start..end.min(start + 3)).find(|at| is_rule(lines[*at], '-'));
    (&lines[rule.map_or(start, |rule| rule + 1)..end], end)
}

fn chain(word: &str, body: &[&str]) -> Vec<Raised> {
    // With `--buffer` what the test printed follows.
    let printed = body.windows(2).position(|pair| pair[0].is_empty() && matches!(pair[1], "Stdout:" | "Stderr:"));
    let body = &body[..printed.unwrap_or(body.len())];
    let header = body.iter().position(|line| traceback::is_header(line));
    if let Some(chain) = header.and_then(|header| traceback::chain(body, header, true))
        && !chain.raised.is_empty()
    {
        return chain.raised;
    }
    let message = match word {
        "UNEXPECTED SUCCESS" => "unexpected success".to_owned(),
        _ => body.iter().take(60).copied().collect::<Vec<_>>().join("\n").trim().to_owned(),
    };
    vec![Raised { message, places: Vec::new() }]
}

/// The dotted name, and whether a module could not be loaded.
fn id(name: &str, inside: Option<&str>) -> (String, bool) {
    let Some(inside) = inside else { return (name.to_owned(), false) };
    if inside.contains("unittest.loader._FailedTest") || inside.contains("unittest.loader.ModuleImportFailure") {
        return (name.to_owned(), true);
    }
    if matches!(name, "setUpClass" | "tearDownClass" | "setUpModule" | "tearDownModule") {
        return (inside.to_owned(), false);
    }
    let full = inside.rsplit('.').next() == Some(name);
    (if full { inside.to_owned() } else { format!("{inside}.{name}") }, false)
}

fn is_rule(line: &str, of: char) -> bool {
    let line = line.trim_end();
    line.len() >= 70 && line.chars().all(|sign| sign == of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dotted_name_is_found_in_every_title() {
        for (name, inside, wanted) in [
            ("test_dict", Some("test_unit.CartTest.test_dict"), ("test_unit.CartTest.test_dict", false)),
            ("test_dict", Some("test_unit.CartTest"), ("test_unit.CartTest.test_dict", false)),
            ("setUpClass", Some("test_unit.CartTest"), ("test_unit.CartTest", false)),
            ("setUpModule", Some("test_unit"), ("test_unit", false)),
            ("nosuch", Some("unittest.loader._FailedTest.nosuch"), ("nosuch", true)),
            ("a.nosuch", Some("unittest.loader._FailedTest"), ("a.nosuch", true)),
            ("a.b.C.test_x", None, ("a.b.C.test_x", false)),
        ] {
            assert_eq!(id(name, inside), (wanted.0.to_owned(), wanted.1), "{name} {inside:?}");
        }
    }

    #[test]
    fn docstrings_subtests_and_printed_text_are_told_apart() {
        let (double, single) = ("=".repeat(70), "-".repeat(70));
        let text = format!(
            "{double}\nFAIL: test_a (m.C) (i=1)\nA docstring.\n{single}\nTraceback (most recent call last):\n  \
             File \"m.py\", line 3, in test_a\n    self.fail()\nAssertionError: 3 != 4\n\nStdout:\nhello\n\n\
             {double}\nFAIL: test_a (m.C) (i=2)\n{single}\nAssertionError: 5 != 6\n\n{single}\nRan 1 test in 0.1s"
        );
        let lines: Vec<&str> = text.lines().collect();
        let found = failures(&lines, &Places::default(), &RelPath::root(), 9);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!((found[0].id.as_str(), found[0].message.as_str()), ("m.C.test_a", "AssertionError: 3 != 4"));
        assert_eq!((found[0].actual.as_deref(), found[0].expected.as_deref()), (Some("3"), Some("4")));
    }
}
