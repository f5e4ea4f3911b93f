//! An error as V8 and the runners on it print it.
//!
//! ```text
//! error    = message frame* tail
//! message  = line+                          up to a frame, a code frame or the tail
//! frame    = "at " ["async "] [symbol " ("] place [")"]
//!          | "❯ " [symbol " "] place        vitest
//! place    = file ":" line [":" column]     a file:// address in modules
//! tail     = " {" field* "}"                util.inspect: actual, expected, [cause], [errors]
//! field    = name ": " value ","
//! ```
//!
//! Of a chain of causes the last is told, and of several errors the first.
//! Reads lines; each is looked at once.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::ground::Ground;

/// Frames kept of one error.
const FRAME_LIMIT: usize = 200;

/// What an error tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// Type and text.
    pub message: String,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// The value the check wanted.
    pub expected: Option<String>,
    /// The value the check got.
    pub actual: Option<String>,
}

static AT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*at (?:async )?(?:(.+?) \()?((?:file://)?[^()\s][^()]*?):(\d+)(?::\d+)?\)?[,;]?(?: \{)?$")
        .expect("the pattern is valid")
});
static ARROW: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*❯ (?:([^\s/]+) )?((?:file://)?\S[^:]*):(\d+):\d+$").expect("the pattern is valid")
});
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:\[?cause\]?|Cause|Caused by|Details):(?: (.*))?$").expect("the pattern is valid")
});
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(expected|actual): (.+?),?$").expect("the pattern is valid"));
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*>?\s*\d*\s*\|").expect("the pattern is valid"));
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\w*(?:Error|Exception)) \[(?:ERR_ASSERTION|Error)\]").expect("the pattern is valid")
});

/// A frame of the stack, where the line is one.
pub fn frame(line: &str, ground: Ground<'_>) -> Option<Frame> {
    if !(line.contains("at ") || line.contains('❯')) {
        return None;
    }
    let found = AT.captures(line).or_else(|| ARROW.captures(line))?;
    let line = found[3].parse().ok()?;
    let symbol = found.get(1).map(|symbol| symbol.as_str().trim_start_matches("new "));
    Some(ground.frame(&found[2], Some(line), symbol))
}

/// Whether the line belongs to a stack at all: also native and cut frames.
pub fn is_stack(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") && (line.ends_with(')') || line.ends_with('{') || line.contains(':'))
        || line.starts_with("... ") && line.contains("lines matching cause")
}

/// What part of an error a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Message,
    Stack,
}

/// Reads the lines of one error, whatever they are indented by.
pub fn read<'l>(lines: impl IntoIterator<Item = &'l str>, ground: Ground<'_>) -> Thrown {
    let mut thrown = Thrown::default();
    let mut message: Vec<&str> = Vec::new();
    let mut part = Part::Message;
    let mut several = false;
    for line in lines {
        if let Some(label) = LABEL.captures(line) {
            thrown = Thrown { expected: thrown.expected, actual: thrown.actual, ..Thrown::default() };
            message = label.get(1).map(|rest| rest.as_str()).into_iter().collect();
            part = Part::Message;
        } else if line.trim() == "[errors]: [" && !several {
            (thrown, message, part, several) = (Thrown::default(), Vec::new(), Part::Message, true);
        } else if let Some(frame) = frame(line, ground) {
            part = Part::Stack;
            if thrown.frames.len() < FRAME_LIMIT {
                thrown.frames.push(frame);
            }
        } else if is_stack(line) || CODE.is_match(line) && !message.is_empty() {
            part = Part::Stack;
        } else if part == Part::Stack {
            if let Some(field) = FIELD.captures(line) {
                let value = Some(field[2].trim_end_matches(',').to_owned());
                if &field[1] == "expected" { thrown.expected = value } else { thrown.actual = value }
            }
        } else {
            message.push(line);
        }
        if several && part == Part::Stack && line.trim_end().ends_with(',') {
            // The first of several errors is told; the others follow.
            break;
        }
    }
    thrown.message = tidy(&message);
    if !thrown.frames.iter().any(|frame| frame.path.is_some()) {
        thrown.frames.extend(named_file(&thrown.message, ground));
    }
    let (expected, actual) = compared(&thrown.message);
    thrown.expected = thrown.expected.filter(|value| is_whole(value)).or(expected);
    thrown.actual = thrown.actual.filter(|value| is_whole(value)).or(actual);
    thrown
}

/// The file that a message itself names: babel's `SyntaxError: FILE: text
/// (1:24)`, mocha's `Timeout of 30ms exceeded. … (FILE)`.
fn named_file(message: &str, ground: Ground<'_>) -> Option<Frame> {
    static SYNTAX: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^SyntaxError: (\S+?): .* \((\d+):\d+\)").expect("the pattern is valid"));
    static LAST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"Timeout of .* exceeded.* \(([^()]+)\)$").expect("the pattern is valid"));
    let first = message.lines().next().unwrap_or_default();
    let found = match (SYNTAX.captures(first), LAST.captures(first)) {
        (Some(found), _) => ground.frame(&found[1], found[2].parse().ok(), None),
        (None, Some(found)) => ground.frame(&found[1], None, None),
        (None, None) => return None,
    };
    found.path.is_some().then_some(found)
}

/// Whether a value stands on its line as a whole.
fn is_whole(value: &str) -> bool {
    let cut = ["[Array]", "[Object]"].iter().any(|part| value.contains(part));
    !cut && !matches!(value, "{" | "[" | "'") && !value.starts_with('`')
}

/// The message without what indents it and node's codes.
pub fn tidy(lines: &[&str]) -> String {
    let text = |line: &&&str| !line.trim().is_empty();
    let first = lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(first, |last| last + 1);
    let lines = &lines[first..last.max(first)];
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(text).map(indent).min().unwrap_or(0);
    let rest = lines.iter().skip(1).filter(text).map(indent).min().unwrap_or(0);
    let cut: Vec<&str> = lines
        .iter()
        .enumerate()
        // A message begins behind its label, and the rest below it.
        .map(|(index, line)| {
            let by = if index == 0 {
                indent(line)
            } else if common == indent(&lines[0]) {
                common
            } else {
                rest
            };
            line.get(by..).unwrap_or_default().trim_end()
        })
        .collect();
    let message = cut.join("\n");
    let message = message
        .strip_prefix("Error: ")
        .filter(|rest| rest.starts_with("expect(") || rest.starts_with("thrown: "))
        .unwrap_or(&message);
    MARK.replace(message.trim(), "$1").into_owned()
}

/// The sort of failure an error with this message is.
pub fn kind(message: &str) -> Kind {
    let first = message.lines().next().unwrap_or_default();
    let timed_out = ["timed out after ", "Exceeded timeout of ", "Test timed out in ", "Hook timed out in "];
    if timed_out.iter().any(|words| first.contains(words))
        || first.contains("Timeout of ") && first.contains("exceeded")
    {
        return Kind::Timeout;
    }
    let name = first.split(':').next().unwrap_or_default();
    let asserted = name.starts_with("AssertionError") || name.starts_with("JestAssertionError");
    let expects = first.starts_with("expect(")
        || first.starts_with("assert")
        || first.starts_with("expected ") && first.contains(" to ");
    if asserted || expects || first.contains("Snapshot `") {
        return Kind::Assertion;
    }
    Kind::Exception
}

/// What was expected and what came, as the runners' messages say it.
///
/// - jest: `Expected: 10`, `Received: 5`; a diff below `- Expected`, `+ Received`;
/// - chai and vitest: `expected 5 to be 10`;
/// - node's assert: `5 !== 10` (actual first); under jest `Expected value to be
///   equal to:` and `Received:` with the value below.
pub fn compared(message: &str) -> (Option<String>, Option<String>) {
    static VALUE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(Expected|Received)(?: (?:value|substring|pattern|length|message|number of calls))?:\s+(.+)$")
            .expect("the pattern is valid")
    });
    static CHAI: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"expected (.+?) to (?:(?:strictly|deeply|loosely) )?(?:be|equal|eql|deep equal)(?: to)? (.+?)(?: // .*)?$",
        )
        .expect("the pattern is valid")
    });
    static UNEQUAL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(.+) (?:!==|!=|not equal to) (.+)$").expect("the pattern is valid"));
    let (mut expected, mut actual) = (None, None);
    let mut lines = message.lines().peekable();
    while let Some(line) = lines.next() {
        let below = lines.peek().and_then(|next| next.strip_prefix("  ")).map(str::to_owned);
        if line.starts_with("Expected value ") && line.ends_with(':') {
            expected = expected.or(below);
        } else if line == "Received:" {
            actual = actual.or(below);
        } else if let Some(found) = VALUE.captures(line) {
            let value = Some(found[2].to_owned());
            if &found[1] == "Expected" { expected = expected.or(value) } else { actual = actual.or(value) }
        }
    }
    if expected.is_some() || actual.is_some() {
        return (expected, actual);
    }
    if let Some((expected, actual)) = diff(message) {
        return (Some(expected), Some(actual));
    }
    let first = message.lines().next().unwrap_or_default();
    if let Some(found) = CHAI.captures(first).filter(|found| !found[2].starts_with("called ")) {
        return (Some(found[2].to_owned()), Some(found[1].to_owned()));
    }
    if first.contains("Expected values to be") || first.contains("custom message") {
        let unequal = message.lines().skip(1).find_map(|line| UNEQUAL.captures(line));
        if let Some(found) = unequal {
            return (Some(found[2].to_owned()), Some(found[1].to_owned()));
        }
    }
    (None, None)
}

/// The two sides of a diff below `- Expected` and `+ Received`, or node's
/// `+ actual - expected`, where it is told in full.
fn diff(message: &str) -> Option<(String, String)> {
    let begins = |line: &&str| {
        line.starts_with("- Expected") || line.starts_with("- Snapshot") || *line == "+ actual - expected"
    };
    let mut lines = message.lines().skip_while(|line| !begins(line));
    if lines.next()? != "+ actual - expected" {
        lines.next().filter(|line| line.starts_with("+ Received"))?;
    }
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    for line in lines.skip_while(|line| line.trim().is_empty()) {
        if line.starts_with("@@") || line.trim().is_empty() && expected.is_empty() && actual.is_empty() {
            return None;
        }
        match line.as_bytes().first() {
            Some(b'-') => expected.push(side(line)),
            Some(b'+') => actual.push(side(line)),
            Some(b' ') => {
                expected.push(side(line));
                actual.push(side(line));
            }
            _ => break,
        }
    }
    (!expected.is_empty() || !actual.is_empty()).then(|| (expected.join("\n"), actual.join("\n")))
}

/// A line of a diff without its sign.
fn side(line: &str) -> &str {
    line.get(2..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::source::RelPath;
    use crate::trace::places::Places;

    #[test]
    fn frames_are_read_in_every_form() {
        let places =
            Places::new(vec!["/p".into()], ["src/a.js", "b c.ts"].map(|path| RelPath::new(path).expect("path")));
        let near = RelPath::root();
        let ground = Ground { places: &places, near: &near };
        for (line, wanted) in [
            ("    at Cart.priceOf (/p/src/a.js:4:63)", Some(("src/a.js", 4, Some("Cart.priceOf")))),
            ("    at async Promise.all (/p/src/a.js:4:63)", Some(("src/a.js", 4, Some("Promise.all")))),
            ("    at /p/src/a.js:6:103", Some(("src/a.js", 6, None))),
            ("    at file:///p/src/a.js:1:2", Some(("src/a.js", 1, None))),
            ("    at new Cart (/p/src/a.js:2:9) {", Some(("src/a.js", 2, Some("Cart")))),
            ("    at f (/p/b c.ts:7:1),", Some(("b c.ts", 7, Some("f")))),
            (" ❯ Cart.priceOf src/a.js:4:63", Some(("src/a.js", 4, Some("Cart.priceOf")))),
            (" ❯ src/a.js:4:108", Some(("src/a.js", 4, None))),
            ("    at Array.map (<anonymous>)", None),
            ("look at this", None),
        ] {
            let found = frame(line, ground);
            let short = found.as_ref().map(|frame| {
                (frame.path.as_ref().map_or("", RelPath::as_str), frame.line.unwrap_or(0), frame.symbol.as_deref())
            });
            assert_eq!(short, wanted, "{line}");
        }
    }

    #[test]
    fn what_was_expected_is_read_from_every_runners_words() {
        for (message, wanted) in [
            ("expect(a).toBe(b)\n\nExpected: 10\nReceived: 5", ("10", "5")),
            ("assert.equal(received, expected)\n\nExpected value to be equal to:\n  10\nReceived:\n  5", ("10", "5")),
            ("AssertionError: expected 5 to be 10 // Object.is equality", ("10", "5")),
            ("AssertionError: Expected values to be strictly equal:\n\n5 !== 10", ("10", "5")),
            ("e\n\n- Expected\n+ Received\n\n  {\n-   a: 1,\n+   a: 2,\n  }", ("{\n  a: 1,\n}", "{\n  a: 2,\n}")),
        ] {
            let (expected, actual) = compared(message);
            assert_eq!((expected.as_deref(), actual.as_deref()), (Some(wanted.0), Some(wanted.1)), "{message}");
        }
    }
}
