//! Panics: header, message, backtrace.
//!
//! ```text
//! thread 'tests::divide' (9472) panicked at src/lib.rs:35:9:     since 1.73; the id since 1.91
//! attempt to divide by zero                                      message, may be many lines
//! stack backtrace:                                               with RUST_BACKTRACE
//!    3: shop::Cart::average
//!              at ./src/lib.rs:35:9
//! note: …                                                        ends the panic
//!
//! thread 'main' panicked at 'a message', src/lib.rs:35:9         before 1.73
//! ```
//!
//! Reads text; never looks at the disk.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::places::Places;
use crate::trace::rust::Roots;

/// One panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The thread's name; `<unnamed>` where it has none.
    pub thread: String,
    /// The file as rustc saw it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// The payload, without trailing blank lines.
    pub message: String,
    /// Innermost first: function, file, line.
    pub backtrace: Vec<(String, Option<(String, u32)>)>,
    /// The number of its header's line in the text, 0-based.
    pub at: usize,
}

/// Lines of a message kept; a panic may print a whole document.
const MESSAGE_LINES: usize = 60;

static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    // A test without `--nocapture`'s newline may stand before it on the line.
    Regex::new(r"^(?:test .* \.\.\. )?\s*thread '(.*?)'(?: \(\d+\))? panicked at (.+?):(\d+):\d+:$")
        .expect("the pattern is valid")
});
static OLD_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:test .* \.\.\. )?\s*thread '(.*?)' panicked at '(.*)$").expect("the pattern is valid")
});
static OLD_END: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(.*)', (\S.*?):(\d+):\d+$").expect("the pattern is valid"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(.+?):(\d+):\d+$").expect("the pattern is valid"));
static FUNCTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(\S.*)$").expect("the pattern is valid"));

/// The panics of a text, in order.
pub fn read(text: &str) -> Vec<Panic> {
    let lines: Vec<&str> = text.lines().collect();
    let mut panics = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        match header(&lines, at) {
            Some((mut panic, after)) => {
                at = body(&lines, after, &mut panic);
                panics.push(panic);
            }
            None => at += 1,
        }
    }
    panics
}

/// The panic whose header stands at line `at`, and the line after the header.
fn header(lines: &[&str], at: usize) -> Option<(Panic, usize)> {
    let line = lines[at];
    if !line.contains("panicked at ") {
        return None;
    }
    let panic = |thread: &str, file: &str, number: &str, message: String| {
        let line = number.parse().ok()?;
        Some(Panic { thread: thread.to_owned(), file: file.to_owned(), line, message, backtrace: Vec::new(), at })
    };
    if let Some(found) = HEADER.captures(line) {
        return Some((panic(&found[1], &found[2], &found[3], String::new())?, at + 1));
    }
    let found = OLD_HEADER.captures(line)?;
    let mut message = found[2].to_owned();
    for (after, line) in lines.iter().enumerate().skip(at).take(MESSAGE_LINES) {
        let end = if after == at { &line[line.len() - found[2].len()..] } else { line };
        if after > at {
            message.push('\n');
            message.push_str(line);
        }
        if let Some(place) = OLD_END.captures(end) {
            message.truncate(message.len() - end.len() + place[1].len());
            return Some((panic(&found[1], &place[2], &place[3], message)?, after + 1));
        }
    }
    None
}

/// Reads message and backtrace from line `at` on; returns the line after them.
fn body(lines: &[&str], mut at: usize, panic: &mut Panic) -> usize {
    let indent = lines[panic.at].len() - lines[panic.at].trim_start().len();
    let mut message: Vec<&str> = Vec::new();
    while at < lines.len() && !ends_message(lines, at) {
        message.push(dedent(lines[at], indent));
        at += 1;
    }
    if panic.message.is_empty() {
        while message.last().is_some_and(|line| line.trim().is_empty()) {
            message.pop();
        }
        message.truncate(MESSAGE_LINES);
        panic.message = message.join("\n");
    }
    if at < lines.len() && lines[at].trim() == "stack backtrace:" {
        at = backtrace(lines, at + 1, panic);
    }
    at
}

/// Whether the message is over at line `at`. Messages may hold blank lines, so
/// a blank line ends one only where something that is no message follows.
fn ends_message(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    let begins_other = |line: &str| {
        line == "stack backtrace:"
            || line == "failures:"
            || line == "FAILED"
            || line.starts_with("note: run with `RUST_BACKTRACE")
            || line.starts_with("note: test did not panic")
            || line.starts_with("note: panic did not contain")
            || (line.starts_with("---- ") && line.ends_with(" ----"))
            || (line.starts_with("thread '") && line.contains("panicked at "))
            || (line.starts_with("test ") && line.contains(" ... "))
            || line.starts_with("test result: ")
            || line.starts_with("error: test failed")
            || line.starts_with("fatal runtime error: ")
            || line.starts_with("thread caused non-unwinding panic")
            || (line.ends_with(']') && is_verdict(line))
    };
    if !line.is_empty() {
        return begins_other(line) || is_verdict(line);
    }
    // Bounded, so that a run of blank lines is not read again from each of them.
    let next = lines[at..].iter().take(40).map(|line| line.trim()).find(|line| !line.is_empty());
    next.is_none_or(|next| begins_other(next) || is_verdict(next))
}

/// `FAIL [   0.011s] ( 1/15) shop tests::expect_err`, as nextest prints it.
fn is_verdict(line: &str) -> bool {
    line.split_once(" [").is_some_and(|(word, rest)| {
        word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit())
            && rest.trim_start().starts_with(|c: char| c.is_ascii_digit())
            && rest.contains("s] ")
    }) || line.starts_with("────")
}

fn dedent(line: &str, indent: usize) -> &str {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    &line[indent.min(spaces)..]
}

/// Reads the backtrace from line `at` on; returns the line after it.
fn backtrace(lines: &[&str], mut at: usize, panic: &mut Panic) -> usize {
    while at < lines.len() {
        let line = lines[at];
        if let Some(place) = line.trim_start().strip_prefix("at ").and_then(place) {
            if let Some((_, at @ None)) = panic.backtrace.last_mut() {
                *at = Some((place.0.to_owned(), place.1));
            }
        } else if let Some(found) = FUNCTION.captures(line) {
            panic.backtrace.push((symbol(&found[1]), None));
        } else {
            return at;
        }
        at += 1;
    }
    at
}

/// `src/lib.rs:35:9` as file and line.
pub fn place(text: &str) -> Option<(&str, u32)> {
    let found = PLACE.captures(text.trim())?;
    Some((found.get(1)?.as_str(), found[2].parse().ok()?))
}

/// A function's name without what differs between manglings: crate
/// disambiguators, hashes, the brackets of inherent methods.
fn symbol(written: &str) -> String {
    static HASHES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[[0-9a-f]{12,16}\]|::h[0-9a-f]{16}$").expect("the pattern is valid"));
    static INHERENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^<([A-Za-z_][\w:]*)>::").expect("the pattern is valid"));
    static CLOSURE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\{closure#\d+\}|\{\{closure\}\}").expect("the pattern is valid"));
    let name = HASHES.replace_all(written.trim(), "");
    let name = INHERENT.replace(&name, "$1::");
    CLOSURE.replace_all(&name, "{closure}").into_owned()
}

impl Panic {
    /// Whether it only tells that another thread has panicked.
    pub fn is_relay(&self) -> bool {
        self.message.ends_with("Any { .. }")
            || self.message.contains("PoisonError { .. }")
            || self.message == "a scoped thread panicked"
            || self.message.contains("JoinError::Panic(")
    }

    /// The frames of the repository, innermost first; the place of the panic
    /// itself where there is none.
    pub fn frames(&self, places: &Places, roots: Roots<'_>) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for (symbol, place) in &self.backtrace {
            let Some((file, line)) = place else { continue };
            let Some(path) = locate(places, file, roots.running) else { continue };
            // `#[test]` wraps the function in a closure of the same name.
            let wraps = |last: &Frame| {
                last.symbol.as_ref().is_some_and(|last| symbol.strip_suffix("::{closure}") == Some(last))
                    && last.path.as_ref() == Some(&path)
            };
            if !frames.last().is_some_and(wraps) {
                let symbol = Some(symbol.clone());
                frames.push(Frame { path: Some(path), written: file.clone(), line: Some(*line), symbol });
            }
        }
        let here = locate(places, &self.file, roots.compiled);
        let known = frames.first().is_some_and(|first| first.path == here && first.line == Some(self.line));
        if (here.is_some() || frames.is_empty()) && !known {
            frames.insert(0, Frame { path: here, written: self.file.clone(), line: Some(self.line), symbol: None });
        }
        frames
    }
}

/// The file, unless it is one of rustdoc's own making, whose base name may
/// happen to be one of the repository's.
fn locate(places: &Places, file: &str, near: &crate::source::RelPath) -> Option<crate::source::RelPath> {
    if file.contains("/rustdoctest") || file.starts_with("/rustc/") {
        return None;
    }
    places.locate(file, near)
}

/// `thread 'main' (8282) has overflowed its stack`: the thread's name.
pub fn overflowed(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("thread '")?;
    rest.contains("has overflowed its stack").then(|| rest.split('\'').next().unwrap_or_default())
}

/// What libtest notes below the output of a `#[should_panic]` test.
pub fn should_panic_note(output: &str) -> Option<String> {
    let marks = ["note: test did not panic as expected", "note: panic did not contain expected string"];
    let start = marks.iter().filter_map(|mark| output.rfind(mark)).max()?;
    let lines = output[start + "note: ".len()..].lines().take_while(|line| !line.trim().is_empty());
    Some(lines.take(4).collect::<Vec<_>>().join("\n").trim_end().to_owned())
}

/// An assertion, or anything else that panicked.
pub fn kind(message: &str) -> Kind {
    let asserted = message.starts_with("assertion ") || message.starts_with("snapshot assertion for ");
    if asserted { Kind::Assertion } else { Kind::Exception }
}

/// What an assertion compared: `left` as the actual value, `right` as the
/// expected one; of `!=` the actual value alone, as none is expected.
///
/// The lines are `  left: V` and ` right: V`; before 1.73 `` `V`, `` and
/// `` `V` ``; pretty_assertions marks a line each with `<` and `>`.
pub fn compared(message: &str) -> (Option<String>, Option<String>) {
    if !message.starts_with("assertion ") {
        return (None, None);
    }
    let unequal = message.lines().next().is_some_and(|first| first.contains("left != right"));
    let bare = |value: &str| {
        let value = value.trim_end().trim_end_matches(',');
        let unquoted = value.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(value);
        unquoted.to_owned()
    };
    let (left, right) = if let Some(left) = message.find("\n  left: ") {
        let rest = &message[left + "\n  left: ".len()..];
        let (left, right) = rest.split_once("\n right: ").unwrap_or((rest, ""));
        // Before 1.73 a custom message follows the value: `` `3`: why ``.
        let right = right.find("`: ").filter(|_| right.starts_with('`')).map_or(right, |end| &right[..=end]);
        (Some(bare(left)), Some(bare(right)).filter(|right| !right.is_empty()))
    } else {
        let marked = |mark: char| {
            let lines: Vec<&str> = message.lines().filter_map(|line| line.strip_prefix(mark)).collect();
            (message.contains("\nDiff < left / right >") && lines.len() == 1).then(|| lines[0].to_owned())
        };
        (marked('<'), marked('>'))
    };
    (left, right.filter(|_| !unequal))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn messages(text: &str) -> Vec<(String, String, u32, String)> {
        let one = |panic: Panic| (panic.thread, panic.file, panic.line, panic.message);
        read(text).into_iter().map(one).collect()
    }

    #[test]
    fn headers_of_every_age_are_read() {
        for (text, thread, file, line, message) in [
            ("thread 'a' (1) panicked at src/lib.rs:35:9:\nboom", "a", "src/lib.rs", 35, "boom"),
            ("thread 'a' panicked at src/lib.rs:35:9:\nboom", "a", "src/lib.rs", 35, "boom"),
            ("thread 'a' panicked at 'boom', src/lib.rs:35:9", "a", "src/lib.rs", 35, "boom"),
            ("thread 'a' panicked at 'it's', 'two', src/lib.rs:35:9", "a", "src/lib.rs", 35, "it's', 'two"),
            (
                "thread 'a' panicked at 'assertion failed: `(left == right)`\n  left: `1`,\n right: `2`', src/a b.rs:3:5",
                "a",
                "src/a b.rs",
                3,
                "assertion failed: `(left == right)`\n  left: `1`,\n right: `2`",
            ),
            ("thread '<unnamed>' panicked at C:\\x\\lib.rs:1:2:\nno", "<unnamed>", "C:\\x\\lib.rs", 1, "no"),
            ("test t ... thread 't' panicked at a.rs:1:2:\nno\nFAILED", "t", "a.rs", 1, "no"),
        ] {
            let wanted = vec![(thread.to_owned(), file.to_owned(), line, message.to_owned())];
            assert_eq!(messages(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_message_keeps_its_blank_lines_and_ends_where_something_else_begins() {
        for (after, wanted) in [
            ("one\n\ntwo\nnote: run with `RUST_BACKTRACE=1` environment", "one\n\ntwo"),
            ("one\n\n\nfailures:\n    a", "one"),
            ("one\n\n---- b stdout ----\n", "one"),
            ("one\n\nthread 'b' panicked at x.rs:1:1:\ntwo", "one"),
            ("one\n  left: 1\n right: 2\nstack backtrace:\n", "one\n  left: 1\n right: 2"),
            ("one\ntest b ... ok", "one"),
            ("\nnote: run with `RUST_BACKTRACE=1` environment", ""),
            ("", ""),
        ] {
            let text = format!("thread 'a' panicked at src/lib.rs:1:1:\n{after}");
            assert_eq!(messages(&text)[0].3, wanted, "{after:?}");
        }
    }

    #[test]
    fn compared_values_are_read_in_every_dialect() {
        let both = |left: &str, right: &str| (Some(left.to_owned()), Some(right.to_owned()));
        for (message, wanted) in [
            ("assertion `left == right` failed\n  left: 50\n right: 150", both("50", "150")),
            ("assertion `left == right` failed: why\nso\n  left: \"a\"\n right: \"b\"", both("\"a\"", "\"b\"")),
            ("assertion `left == right` failed\n  left: P {\n    x: 1,\n}\n right: P {\n    x: 2,\n}", {
                both("P {\n    x: 1,\n}", "P {\n    x: 2,\n}")
            }),
            ("assertion failed: `(left == right)`\n  left: `1`,\n right: `2`", both("1", "2")),
            ("assertion failed: `(left == right)`\n  left: `1`,\n right: `2`: why", both("1", "2")),
            ("assertion failed: `(left == right)`\n\nDiff < left / right > :\n<1\n>2\n", both("1", "2")),
            ("assertion `left != right` failed\n  left: 1\n right: 1", (Some("1".into()), None)),
            ("assertion failed: x.is_none()", (None, None)),
            ("it says\n  left: 1\n right: 2", (None, None)),
        ] {
            assert_eq!(compared(message), wanted, "{message}");
        }
    }

    #[test]
    fn symbols_are_equal_across_manglings() {
        for (written, wanted) in [
            ("shop::Cart::average", "shop::Cart::average"),
            ("<shop::Cart>::average", "shop::Cart::average"),
            ("shop[e28293b1aa0f68bd]::Cart::average", "shop::Cart::average"),
            ("shop::Cart::average::h54ee4c9402ddc222", "shop::Cart::average"),
            ("shop::main::{{closure}}", "shop::main::{closure}"),
            ("shop::main::{closure#0}", "shop::main::{closure}"),
            ("<shop::Cart as core::fmt::Display>::fmt", "<shop::Cart as core::fmt::Display>::fmt"),
        ] {
            assert_eq!(symbol(written), wanted);
        }
    }

    #[test]
    fn the_frames_of_the_project_are_kept_innermost_first() {
        let path = |text: &str| crate::source::RelPath::new(text).expect("path");
        let places = Places::new(vec!["/home/dev/shop".into()], ["src/lib.rs", "src/main.rs"].map(path));
        let root = path("");
        let roots = Roots { compiled: &root, running: &root };
        for text in [
            include_str!("../../../fixtures/logs/rust-panic/none_bt1.txt"),
            include_str!("../../../fixtures/logs/rust-panic/none_full.txt"),
        ] {
            let panics = read(text);
            let frames = panics[0].frames(&places, roots);
            let short: Vec<_> =
                frames.iter().map(|frame| (frame.symbol.as_deref().unwrap_or("-"), frame.line.unwrap_or(0))).collect();
            let wanted = [("shop::Cart::price_of", 31), ("shop::level2", 1), ("shop::level1", 2), ("shop::main", 10)];
            assert_eq!(short, wanted);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(thread '[a-z']{0,3}' panicked at |'?[a-z]{0,3}:?[0-9]{0,2}:[0-9]:?|\n|  left: `| right: |stack backtrace:|é|   1: ){0,30}") {
            for panic in read(&text) {
                compared(&panic.message);
            }
        }
    }
}
