//! Logs of `cargo test` and nextest, and of programs that panicked.
//!
//! ```text
//! test tests::divide ... FAILED              (`--quiet`: tests::divide --- FAILED)
//! ---- tests::divide stdout ----             then what the test printed
//! failures:                                  then the names, indented by four
//!         FAIL [   0.011s] ( 1/15) shop tests::expect_err        nextest; then
//!   stdout ───                                                   indented by four
//! ```
//!
//! Ids are the test's name alone from `cargo test` (its log does not say which
//! binary a name belongs to) and `binary-id name` from nextest.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::bounded;
use crate::trace::places::Places;
use crate::trace::rust;
use crate::trace::rust::Roots;
use crate::trace::rust::panics;

static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^---- (.+) stdout ----$").expect("the pattern is valid"));
static FAILED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:test (.+?)(?: - should panic)? \.\.\. FAILED|(\S.*?) --- FAILED)$").expect("the pattern is valid")
});
static NEXTEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(FAIL|SIG[A-Z0-9]+|TIMEOUT|ABORT|LEAK-FAIL|XFAIL) +\[ *[0-9.]+s\] (?:\( *\d+/\d+\) )?(\S+) (.+)$")
        .expect("the pattern is valid")
});
static NEXTEST_ANY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*[A-Z][A-Z0-9 -]* +\[ *[>0-9. ]+s\] ").expect("the pattern is valid"));
static DOCTEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\S.*?) - (?:(.*?) )?\(line (\d+)\)(?: - [a-z ]+)?$").expect("the pattern is valid")
});

/// A doc test's own name: `src/lib.rs - Cart::total (line 18)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctestName {
    /// The file, relative to the workspace's root.
    pub file: String,
    /// The item that the comment documents; empty for the crate itself.
    pub item: String,
    /// Where its code begins, 1-based.
    pub line: u32,
}

impl DoctestName {
    /// Reads the name that rustdoc gives a doc test; `None` for any other.
    pub fn parse(name: &str) -> Option<DoctestName> {
        let found = DOCTEST.captures(name)?;
        let item = found.get(2).map_or("", |item| item.as_str()).to_owned();
        Some(DoctestName { file: found[1].to_owned(), item, line: found[3].parse().ok()? })
    }

    /// The name without the line, which moves when code above it is changed.
    pub fn stable(&self) -> String {
        if self.item.is_empty() { self.file.clone() } else { format!("{} - {}", self.file, self.item) }
    }
}

/// Why a doc test failed. Of an edition-2024 doc test the panic's place is a
/// file that rustdoc made, before it is counted in the doc test's own lines;
/// the true one is only in the name.
pub fn doctest_failure(id: &str, name: &str, output: &str, places: &Places, roots: Roots<'_>) -> Failure {
    let mut failure = rust::test_failure(id, name, output, None, places, roots);
    if let Some(doctest) = DoctestName::parse(name)
        && failure.location().is_none_or(|found| is_its_own(found, &doctest, output))
    {
        let path = places.locate(&doctest.file, roots.compiled);
        let symbol = Some(doctest.item).filter(|item| !item.is_empty());
        failure.frames = vec![Frame { path, written: doctest.file, line: Some(doctest.line), symbol }];
    }
    failure
}

/// Whether the place lies in the doc test and not in the code: the stack has no
/// function for it, and names the program that rustdoc made (`rust_out`).
fn is_its_own(frame: &Frame, doctest: &DoctestName, output: &str) -> bool {
    frame.symbol.is_none() && frame.written.ends_with(&doctest.file) && output.contains(" rust_out::")
}

/// The failing tests of a log, then panics that belong to none.
pub fn failures(text: &str, places: &Places, near: &RelPath) -> Vec<Failure> {
    let roots = Roots { compiled: near, running: near };
    let mut reader = Reader { places, roots, found: Vec::new(), told: HashSet::new(), named: Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    let mut loose = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        at = match reader.section(&lines, at) {
            Some(after) => after,
            None => {
                loose.push(lines[at]);
                at + 1
            }
        };
    }
    reader.loose(&loose);
    reader.unexplained();
    reader.found
}

struct Reader<'a> {
    places: &'a Places,
    roots: Roots<'a>,
    found: Vec<Failure>,
    /// Names whose failure is in `found`.
    told: HashSet<String>,
    /// Names that failed, in order.
    named: Vec<String>,
}

impl Reader<'_> {
    /// Reads the section that begins at line `at`; returns the line after it.
    fn section(&mut self, lines: &[&str], at: usize) -> Option<usize> {
        let line = lines[at];
        if let Some(found) = NEXTEST.captures(line) {
            let id = format!("{} {}", &found[2], &found[3]);
            let (output, after) = nextest_output(lines, at + 1);
            self.nextest(&found[1], &id, &found[3], &output);
            return Some(after);
        }
        if let Some(found) = BLOCK.captures(line) {
            let end = lines[at + 1..].iter().position(|line| ends_block(line)).map_or(lines.len(), |end| at + 1 + end);
            self.block(&found[1], &lines[at + 1..end].join("\n"));
            return Some(end);
        }
        if let Some(found) = FAILED.captures(line) {
            self.named.extend(found.get(1).or_else(|| found.get(2)).map(|name| name.as_str().to_owned()));
            return Some(at + 1);
        }
        if line == "failures:" {
            let names = lines[at + 1..].iter().map_while(|line| line.strip_prefix("    "));
            let names: Vec<String> = names.filter(|name| !name.starts_with(' ')).map(str::to_owned).collect();
            let after = at + 1 + names.len();
            self.named.extend(names);
            return Some(after);
        }
        None
    }

    fn nextest(&mut self, word: &str, id: &str, name: &str, output: &str) {
        // The summary lists each again, without output.
        if !self.told.insert(id.to_owned()) {
            return;
        }
        let mut failure = rust::test_failure(id, name, output, None, self.places, self.roots);
        match word {
            "TIMEOUT" => {
                failure.kind = Kind::Timeout;
                failure.message = "timed out".to_owned();
            }
            signal if signal.starts_with("SIG") || signal == "ABORT" => {
                failure.kind = Kind::Crash;
                if failure.frames.is_empty() {
                    failure.message = format!("{signal}: {}", failure.message);
                }
            }
            _ => {}
        }
        self.found.push(failure);
    }

    fn block(&mut self, name: &str, output: &str) {
        let failure = match DoctestName::parse(name) {
            Some(doctest) => doctest_failure(&doctest.stable(), name, output, self.places, self.roots),
            None => rust::test_failure(name, name, output, None, self.places, self.roots),
        };
        self.told.insert(name.to_owned());
        self.found.push(failure);
    }

    /// Panics outside of blocks: of `--nocapture`, or of a program.
    fn loose(&mut self, lines: &[&str]) {
        let named: HashSet<&String> = self.named.iter().collect();
        let mut found: Vec<(String, Failure)> = Vec::new();
        for panic in panics::read(&lines.join("\n")) {
            if self.told.contains(&panic.thread) {
                continue;
            }
            if panic.is_relay()
                && let Some((thread, failure)) = found.last_mut()
            {
                // The one before is the cause, and this thread's the name.
                if named.contains(&panic.thread) {
                    failure.id.clone_from(&panic.thread);
                }
                thread.clone_from(&panic.thread);
                continue;
            }
            let mut failure = rust::of_panic(&panic, self.places, self.roots);
            failure.id = if named.contains(&panic.thread) {
                panic.thread.clone()
            } else {
                format!("thread '{}' of {}", panic.thread, panic.file)
            };
            let end = lines.len().min(panic.at + 80);
            failure.output = bounded(lines[panic.at..end].join("\n").trim_end());
            found.push((panic.thread, failure));
        }
        for line in lines {
            let Some(thread) = panics::overflowed(line) else { continue };
            let id = if named.contains(&thread.to_owned()) { thread.to_owned() } else { format!("thread '{thread}'") };
            let failure = crash(&id, "stack overflow", line.trim());
            found.push((thread.to_owned(), failure));
        }
        for (thread, failure) in found {
            self.told.insert(thread);
            self.found.push(failure);
        }
    }

    /// Tests that are only named: nothing was printed about them, or what was
    /// cannot be told from what others printed.
    fn unexplained(&mut self) {
        for name in std::mem::take(&mut self.named) {
            if self.told.insert(name.clone()) {
                let id = DoctestName::parse(&name).map_or(name.clone(), |doctest| doctest.stable());
                self.found.push(rust::test_failure(&id, &name, "", None, self.places, self.roots));
            }
        }
    }
}

fn crash(id: &str, message: &str, output: &str) -> Failure {
    Failure {
        id: id.to_owned(),
        kind: Kind::Crash,
        message: message.to_owned(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: output.to_owned(),
    }
}

fn ends_block(line: &str) -> bool {
    BLOCK.is_match(line) || line == "failures:" || line.starts_with("test result: ")
}

/// What nextest shows below a verdict, without its headings and indentation.
fn nextest_output(lines: &[&str], mut at: usize) -> (String, usize) {
    let mut output = String::new();
    while at < lines.len() {
        let line = lines[at];
        if line.starts_with("────") || line.starts_with("error: ") || NEXTEST_ANY.is_match(line) {
            break;
        }
        let heading = line.trim_start();
        if !(heading.starts_with("stdout ─") || heading.starts_with("stderr ─")) {
            output.push_str(line.strip_prefix("    ").unwrap_or(line));
            output.push('\n');
        }
        at += 1;
    }
    (output, at)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::trace::failures as read_log;

    fn places() -> Places {
        let path = |text: &str| RelPath::new(text).expect("path");
        Places::new(vec!["/home/dev/shop".into()], ["src/lib.rs", "src/main.rs", "tests/it.rs"].map(path))
    }

    /// Name, log, number of failures, first id, first message, its first frame.
    type Row = (&'static str, &'static [u8], usize, &'static str, &'static str, &'static str);

    const LOGS: &[Row] = &[
        (
            "cargo test",
            include_bytes!("../../../fixtures/logs/cargo-test/default.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "with backtraces",
            include_bytes!("../../../fixtures/logs/cargo-test/backtrace1.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "coloured",
            include_bytes!("../../../fixtures/logs/cargo-test/color.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "--quiet",
            include_bytes!("../../../fixtures/logs/cargo-test/quiet.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "--nocapture",
            include_bytes!("../../../fixtures/logs/cargo-test/nocapture.txt"),
            12,
            "tests::should_panic_not",
            "test did not panic as expected at src/lib.rs:95:8",
            "src/lib.rs:95",
        ),
        (
            "--no-fail-fast",
            include_bytes!("../../../fixtures/logs/cargo-test/no_fail_fast.txt"),
            15,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "doc test",
            include_bytes!("../../../fixtures/logs/cargo-test/doctest.txt"),
            1,
            "src/lib.rs - Cart::total",
            "assertion `left == right` failed\n  left: 5\n right: 10",
            "src/lib.rs:18",
        ),
        (
            "nextest",
            include_bytes!("../../../fixtures/logs/nextest/default.txt"),
            14,
            "shop tests::expect_err",
            "price must be a number: ParseIntError { kind: InvalidDigit }",
            "src/lib.rs:72",
        ),
        (
            "nextest, coloured",
            include_bytes!("../../../fixtures/logs/nextest/color.txt"),
            14,
            "shop tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "GitHub job log",
            include_bytes!("../../../fixtures/logs/github-actions/raw_job_log_cargo.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "gh run view",
            include_bytes!("../../../fixtures/logs/github-actions/gh_run_view_log_cargo.txt"),
            12,
            "tests::divide",
            "attempt to divide by zero",
            "src/lib.rs:35",
        ),
        (
            "a program",
            include_bytes!("../../../fixtures/logs/rust-panic/err.txt"),
            1,
            "thread 'main' of src/main.rs",
            "called `Result::unwrap()` on an `Err` value: Custom { kind: Other, error: \"disk on fire\" }",
            "src/main.rs:7",
        ),
        (
            "a program with a worker",
            include_bytes!("../../../fixtures/logs/rust-panic/thread_bt1.txt"),
            1,
            "thread 'w1' of src/lib.rs",
            "called `Option::unwrap()` on a `None` value",
            "src/lib.rs:31",
        ),
        (
            "a full backtrace",
            include_bytes!("../../../fixtures/logs/rust-panic/none_full.txt"),
            1,
            "thread 'main' of src/lib.rs",
            "called `Option::unwrap()` on a `None` value",
            "src/lib.rs:31",
        ),
        (
            "stack overflow",
            include_bytes!("../../../fixtures/logs/rust-panic/so.txt"),
            1,
            "thread 'main'",
            "stack overflow",
            "",
        ),
        (
            "compile errors",
            include_bytes!("../../../fixtures/logs/rustc/cargo_test_compile_error.txt"),
            5,
            "error[E0432] in src/lib.rs",
            "error[E0432]: unresolved import `std::collections::HashMapp`",
            "src/lib.rs:1",
        ),
        (
            "compile errors, coloured",
            include_bytes!("../../../fixtures/logs/rustc/check_color.txt"),
            4,
            "error[E0432] in src/lib.rs",
            "error[E0432]: unresolved import `std::collections::HashMapp`",
            "src/lib.rs:1",
        ),
        (
            "compile errors, short",
            include_bytes!("../../../fixtures/logs/rustc/check_short.txt"),
            4,
            "error[E0432] in src/lib.rs",
            "error[E0432]: unresolved import `std::collections::HashMapp`: no `HashMapp` in `collections`",
            "src/lib.rs:1",
        ),
    ];

    #[test]
    fn every_log_tells_its_failures() {
        for (name, text, count, id, message, place) in LOGS {
            let failures = read_log(text, &places(), &RelPath::root());
            let ids: Vec<_> = failures.iter().map(|failure| failure.id.as_str()).collect();
            assert_eq!(failures.len(), *count, "{name}: {ids:#?}");
            let first = &failures[0];
            assert_eq!((first.id.as_str(), first.message.as_str()), (*id, *message), "{name}");
            let place_of = |frame: &Frame| Some(format!("{}:{}", frame.path.as_ref()?, frame.line?));
            assert_eq!(first.location().and_then(place_of).unwrap_or_default(), *place, "{name}");
        }
    }

    #[test]
    fn each_failure_of_a_log_is_read_in_full() {
        let text = include_bytes!("../../../fixtures/logs/cargo-test/default.txt");
        let failures = read_log(text, &places(), &RelPath::root());
        let short = failures.iter().map(|failure| {
            let place = failure.location().and_then(|frame| frame.line).unwrap_or(0);
            format!(
                "{} {:?} {place} {} | {} != {}",
                failure.id,
                failure.kind,
                failure.message.lines().next().unwrap_or_default(),
                failure.actual.as_deref().unwrap_or("-"),
                failure.expected.as_deref().unwrap_or("-"),
            )
        });
        insta::assert_snapshot!(short.collect::<Vec<_>>().join("\n"), @r#"
        tests::divide Exception 35 attempt to divide by zero | - != -
        tests::expect_err Exception 72 price must be a number: ParseIntError { kind: InvalidDigit } | - != -
        tests::index Exception 84 index out of bounds: the len is 0 but the index is 1 | - != -
        tests::nested::deep Assertion 119 assertion `left != right` failed | 1 != -
        tests::plain_assert Assertion 61 assertion failed: cart().find("apple").is_none() | - != -
        tests::returns_err Exception 0 Error: ParseIntError { kind: InvalidDigit } | - != -
        tests::should_panic_not Assertion 95 test did not panic as expected at src/lib.rs:95:8 | - != -
        tests::should_panic_wrong Assertion 90 panic did not contain expected string | "something else" != "overflow"
        tests::thread_panics Exception 106 in worker | - != -
        tests::total_counts_quantity Assertion 49 assertion `left == right` failed | 50 != 150
        tests::unwrap_none Exception 31 called `Option::unwrap()` on a `None` value | - != -
        tests::with_message Assertion 54 assertion `left == right` failed: cart "apple" | 50 != 150
        "#);
    }

    #[test]
    fn the_log_of_nextest_tells_the_same_as_that_of_cargo_test() {
        let read = |text: &[u8]| {
            let mut all: Vec<_> = read_log(text, &places(), &RelPath::root())
                .into_iter()
                .map(|failure| (failure.id.trim_start_matches("shop ").to_owned(), failure.kind, failure.message))
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        let mut nextest = read(include_bytes!("../../../fixtures/logs/nextest/default.txt"));
        nextest.retain(|(id, ..)| !id.starts_with("shop::it"));
        assert_eq!(nextest, read(include_bytes!("../../../fixtures/logs/cargo-test/default.txt")));
    }

    #[test]
    fn names_of_doc_tests_are_taken_apart() {
        for (name, wanted) in [
            ("src/lib.rs - Cart::total (line 18)", Some(("src/lib.rs", "Cart::total", 18))),
            ("src/lib.rs - (line 1)", Some(("src/lib.rs", "", 1))),
            ("a/src/lib.rs - f (line 3) - compile fail", Some(("a/src/lib.rs", "f", 3))),
            ("my dir/lib.rs - <impl A for B>::f (line 3)", Some(("my dir/lib.rs", "<impl A for B>::f", 3))),
            ("tests::divide", None),
        ] {
            let found = DoctestName::parse(name);
            let found = found.as_ref().map(|name| (name.file.as_str(), name.item.as_str(), name.line));
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn nextest_signals_and_timeouts_are_crashes_and_timeouts() {
        let text = b"     SIGABRT [   0.1s] (1/2) shop tests::so\n  stderr \xe2\x94\x80\xe2\x94\x80\n    thread 'tests::so' (1) has overflowed its stack\n     TIMEOUT [  60.0s] (2/2) shop tests::slow\n";
        let failures = read_log(text, &places(), &RelPath::root());
        let short: Vec<_> = failures.iter().map(|failure| (failure.id.as_str(), failure.kind)).collect();
        assert_eq!(short, [("shop tests::so", Kind::Crash), ("shop tests::slow", Kind::Timeout)]);
        assert_eq!(failures[0].message, "SIGABRT: stack overflow");
    }
}
