//! A log of any size, made small enough to be read at once: the same format,
//! without what tells of no failure.
//!
//! | log | what is kept |
//! |---|---|
//! | up to [`WHOLE`] | all of it |
//! | JUnit XML | cases with a failure or an error |
//! | `go test -json` | events of tests that failed or did not end |
//! | any other text | the lines around those that may begin a failure: of these the first half of [`KEPT`] and the last |
//!
//! Reads in a stream and never holds more than [`RETAINED`] bytes. A JSON
//! document larger than [`WHOLE`] cannot be cut, and tells nothing.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io::BufRead;
use std::io::Read;
use std::sync::LazyLock;

use regex::bytes::Regex;
use serde::Deserialize;

/// Bytes of a log that is kept as it is.
pub const WHOLE: usize = 12 * 1024 * 1024;
/// Bytes kept of a larger one.
pub const KEPT: usize = 12 * 1024 * 1024;
/// Bytes held at any time while a log is read, the reader's own buffer apart.
pub const RETAINED: usize = WHOLE + KEPT + 2 * LINE;
/// Bytes of one line, of one case's text, and of what one test printed.
const LINE: usize = 256 * 1024;
/// Lines kept before one that may begin a failure, and after it.
const AROUND: (usize, usize) = (40, 300);

/// What may begin a failure in any format that is read; colours and frames may
/// stand around it.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "FAIL|ERROR|panicked at|panic: |fatal |Fatal |Traceback|Error|Exception|not ok |✖|●|×|▶|failing|failures:",
        "|error\\[|error: |Assertion|Sanitizer|overflowed its stack|E   |Caused by|imed out|imeout|::error|____|SIG[A-Z]|ABORT",
        "|# Subtest: |=== RUN|\\.js:|\\.ts:|Uncaught |ended with"
    ))
    .expect("the pattern is valid")
});

/// Reads a log and returns as much of it as can tell of failures.
///
/// # Errors
/// The input cannot be read.
pub fn read(input: impl BufRead) -> std::io::Result<Vec<u8>> {
    read_beyond(WHOLE, input)
}

fn read_beyond(whole: usize, mut input: impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    (&mut input).take(whole as u64 + 1).read_to_end(&mut start)?;
    if start.len() <= whole {
        return Ok(start);
    }
    let input = std::io::BufReader::new(std::io::Cursor::new(start)).chain(input);
    condensed(input)
}

fn condensed(mut input: impl BufRead) -> std::io::Result<Vec<u8>> {
    let beginning = input.fill_buf()?;
    let beginning = &beginning[..beginning.len().min(4096)];
    let text = beginning.strip_prefix("\u{feff}".as_bytes()).unwrap_or(beginning).trim_ascii_start();
    if text.starts_with(b"<") && super::junit::is_report(beginning) {
        return report(input);
    }
    if text.starts_with(b"{") && text.windows(10).any(|window| window == b"\"Action\":\"") {
        return events(input);
    }
    let mut window = Window::default();
    let mut line = Vec::new();
    while piece(&mut input, b'\n', &mut line)? {
        window.line(&line);
    }
    Ok(window.finish())
}

/// Reads up to and with `end`, at most [`LINE`] bytes: the rest is skipped.
fn piece(input: &mut impl BufRead, end: u8, piece: &mut Vec<u8>) -> std::io::Result<bool> {
    piece.clear();
    input.take(LINE as u64).read_until(end, piece)?;
    if piece.len() == LINE && piece.last() != Some(&end) {
        loop {
            let buffer = input.fill_buf()?;
            let found = buffer.iter().position(|byte| *byte == end);
            let (used, is_end) = found.map_or((buffer.len(), buffer.is_empty()), |at| (at + 1, true));
            input.consume(used);
            if is_end {
                break;
            }
        }
        piece.push(end);
    }
    Ok(!piece.is_empty())
}

/// The lines around those that may begin a failure.
#[derive(Default)]
struct Window {
    head: Vec<u8>,
    tail: VecDeque<Vec<u8>>,
    tail_bytes: usize,
    /// Lines that are kept if one that counts follows soon.
    before: VecDeque<Vec<u8>>,
    before_bytes: usize,
    /// Lines that are kept whatever they are.
    after: usize,
    dropped: u64,
}

impl Window {
    fn line(&mut self, line: &[u8]) {
        if MARK.is_match(line) {
            self.after = AROUND.1;
            if self.dropped > 0 {
                self.keep(format!("\n… {} lines left out …\n\n", self.dropped).into_bytes());
                self.dropped = 0;
            }
            while let Some(before) = self.before.pop_front() {
                self.before_bytes -= before.len();
                self.keep(before);
            }
            self.keep(line.to_vec());
        } else if self.after > 0 {
            self.after -= 1;
            self.keep(line.to_vec());
        } else {
            self.before_bytes += line.len();
            self.before.push_back(line.to_vec());
            while self.before.len() > AROUND.0 || self.before_bytes > LINE {
                let Some(first) = self.before.pop_front() else { break };
                self.before_bytes -= first.len();
                self.dropped += 1;
            }
        }
    }

    fn keep(&mut self, line: Vec<u8>) {
        if self.tail.is_empty() && self.head.len() + line.len() <= KEPT / 2 {
            self.head.extend(line);
            return;
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail_bytes > KEPT / 2 {
            let Some(first) = self.tail.pop_front() else { break };
            self.tail_bytes -= first.len();
        }
    }

    #[cfg(test)]
    fn retained(&self) -> usize {
        self.head.len() + self.tail_bytes + self.before_bytes
    }

    fn finish(self) -> Vec<u8> {
        let mut kept = self.head;
        for line in self.tail {
            kept.extend(line);
        }
        kept
    }
}

/// A JUnit report's cases that failed.
///
/// Pieces end with `>`: text and the tag behind it. What a case prints beyond
/// [`LINE`] bytes is left out, its tags are not.
fn report(mut input: impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut case: Option<(Vec<u8>, bool)> = None;
    let mut in_text = false;
    let mut read = Vec::new();
    while piece(&mut input, b'>', &mut read)? {
        let tag =
            if in_text { &[] } else { read.iter().rposition(|byte| *byte == b'<').map_or(&[][..], |at| &read[at..]) };
        let opens = !in_text && contains(&read, b"<![CDATA[");
        let is_over = case.as_ref().is_some_and(|(text, _)| text.len() + read.len() > LINE);
        if (opens || in_text) && read.ends_with(b"]]>") {
            in_text = false;
        } else if opens {
            in_text = true;
        }
        if tag.starts_with(b"<testcase") {
            if tag.ends_with(b"/>") {
                continue;
            }
            case = Some((tag.to_vec(), false));
            continue;
        }
        match &mut case {
            Some((text, failed)) => {
                *failed |= tag.starts_with(b"<failure") || tag.starts_with(b"<error");
                if !is_over {
                    text.extend(&read);
                } else if !opens && !in_text {
                    text.extend(tag);
                } else if in_text && read.ends_with(b"]]>") {
                    text.extend(b"]]>");
                }
                if tag == b"</testcase>" {
                    let (text, failed) = case.take().unwrap_or_default();
                    if failed && kept.len() + text.len() <= KEPT {
                        kept.extend(text);
                    }
                }
            }
            // Headings and what suites print outside of cases.
            None if tag.starts_with(b"<testsuite") || tag.starts_with(b"</testsuite") => kept.extend(tag),
            None => {}
        }
    }
    if let Some((text, true)) = case {
        kept.extend(text);
    }
    Ok(kept)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'l> {
    #[serde(borrow)]
    action: std::borrow::Cow<'l, str>,
    #[serde(borrow, default)]
    package: std::borrow::Cow<'l, str>,
    #[serde(borrow, default)]
    test: std::borrow::Cow<'l, str>,
}

/// The events of tests that failed or did not end, in whole lines.
fn events(mut input: impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut running: HashMap<(String, String), Vec<u8>> = HashMap::new();
    let mut held = 0;
    let mut line = Vec::new();
    while piece(&mut input, b'\n', &mut line)? {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&line) else {
            if kept.len() + line.len() <= KEPT {
                kept.extend(&line);
            }
            continue;
        };
        let key = (event.package.into_owned(), event.test.into_owned());
        let ends = matches!(&*event.action, "pass" | "fail" | "skip");
        let passed = ends && event.action != "fail";
        let lines = running.entry(key.clone()).or_default();
        if ends || lines.len() + line.len() <= LINE && held + line.len() <= KEPT {
            lines.extend(&line);
            held += line.len();
        }
        if ends {
            let lines = running.remove(&key).unwrap_or_default();
            held -= lines.len();
            // A package's own end counts, whatever it says.
            if !passed && kept.len() + lines.len() <= KEPT {
                kept.extend(lines);
            }
        }
    }
    let mut left: Vec<_> = running.into_iter().collect();
    left.sort();
    for (_, lines) in left {
        if kept.len() + lines.len() <= KEPT {
            kept.extend(lines);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes `count` copies of `unit` between `first` and `last`, as it is read.
    fn long(first: &'static [u8], unit: &'static [u8], count: usize, last: &'static [u8]) -> impl BufRead {
        let mut left = count;
        let middle = std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            Some(unit)
        });
        let parts = std::iter::once(first).chain(middle).chain(std::iter::once(last));
        std::io::BufReader::with_capacity(1 << 20, Parts { parts, rest: &[] })
    }

    struct Parts<I> {
        parts: I,
        rest: &'static [u8],
    }

    impl<I: Iterator<Item = &'static [u8]>> Read for Parts<I> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut filled = 0;
            while filled < buffer.len() {
                if self.rest.is_empty() {
                    let Some(part) = self.parts.next() else { break };
                    self.rest = part;
                }
                let count = self.rest.len().min(buffer.len() - filled);
                buffer[filled..filled + count].copy_from_slice(&self.rest[..count]);
                self.rest = &self.rest[count..];
                filled += count;
            }
            Ok(filled)
        }
    }

    const NOISE: &[u8] = b"2026-11-23T20:00:00.0130000Z compiling the next of very many small packages, all is well\n";

    #[test]
    fn of_a_long_log_only_what_may_tell_of_a_failure_is_kept() {
        let log = include_bytes!("../../fixtures/logs/pytest/default.txt");
        let kept = read(long(NOISE, NOISE, 600_000, log)).expect("read");
        assert!(kept.len() < 100_000, "{}", kept.len());
        assert!(contains(&kept, b"FAILED tests/test_cart.py::test_total"));
        let kept = read(long(log, NOISE, 600_000, NOISE)).expect("read");
        assert!(kept.len() < 100_000 && contains(&kept, b"FAILED tests/test_cart.py::test_total"), "{}", kept.len());
    }

    #[test]
    fn what_is_held_stays_bounded_whatever_comes() {
        for unit in [NOISE, b"ERROR everything is wrong and this line is long enough to count for something here\n"] {
            let mut window = Window::default();
            let mut most = 0;
            for _ in 0..400_000 {
                window.line(unit);
                most = most.max(window.retained());
            }
            assert!(most <= KEPT + LINE, "{most}");
            assert!(window.finish().len() <= KEPT);
        }
        // One line without an end.
        let kept = read(long(b"", b"Error Error Error Error Error Error Error Error ", 700_000, b"")).expect("read");
        assert!(kept.len() <= KEPT, "{}", kept.len());
    }

    #[test]
    fn of_a_long_report_the_failed_cases_are_kept() {
        let passed =
            b"<testcase classname='c' name='a'><system-out><![CDATA[<testcase> > is text]]></system-out></testcase>\n";
        let last = b"<testcase classname='c' name='b'><failure message='no'>x > y</failure></testcase></testsuite></testsuites>";
        let kept =
            read(long(b"<?xml version='1.0'?><testsuites><testsuite name='s'>", passed, 200_000, last)).expect("read");
        let text = String::from_utf8(kept).expect("text");
        assert_eq!(
            text,
            "<testsuites><testsuite name='s'><testcase classname='c' name='b'><failure message='no'>x > y</failure></testcase></testsuite></testsuites>"
        );
    }

    #[test]
    fn of_many_events_those_of_failed_tests_are_kept() {
        let passed = b"{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"TestA\"}\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"TestA\"}\n";
        let last = b"{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"TestB\"}\n{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"TestB\"}\n";
        let kept = read(long(b"", passed, 150_000, last)).expect("read");
        assert_eq!(kept, last);
    }

    #[test]
    fn a_condensed_log_tells_the_same_failures() {
        let places = crate::trace::places::Places::default();
        let near = crate::source::RelPath::root();
        let ids = |bytes: &[u8]| -> Vec<String> {
            crate::trace::failures(bytes, &places, &near).into_iter().map(|failure| failure.id).collect()
        };
        let logs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs");
        let mut seen = 0;
        for folder in std::fs::read_dir(&logs).expect("the logs").flatten().filter(|entry| entry.path().is_dir()) {
            for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
                let bytes = std::fs::read(entry.path()).expect("a log");
                // A document of JSON is kept whole or not at all.
                if bytes.starts_with(b"{\n") || entry.path().extension().is_some_and(|end| end == "json") {
                    continue;
                }
                let kept = read_beyond(0, bytes.as_slice()).expect("read");
                assert_eq!(ids(&kept), ids(&bytes), "{}", entry.path().display());
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }
}
