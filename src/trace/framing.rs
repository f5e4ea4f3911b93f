//! What terminals and continuous integration put around a program's output,
//! taken off again.
//!
//! Knows the frames, not what is inside; never drops a line of the output.
//!
//! | frame | looks like |
//! |---|---|
//! | colours, links | `ESC [ 31 m`, `ESC ] 8 ; ; URL BEL`, `ESC ( B` |
//! | GitHub job log | byte order mark, `2026-11-23T20:00:00.0130000Z text`, `##[group]text` |
//! | `gh run view --log` | `job TAB step TAB 2026-…Z text` |
//! | GitLab | `2026-11-23T20:00:00.000000Z 00O text`, `section_start:1700000000:name CR ESC [0K text` |
//!
//! A carriage return in the middle of a line is a progress bar writing over
//! itself: what a terminal would show last is kept.

use std::sync::LazyLock;

use regex::Regex;

/// The output inside `bytes`: invalid UTF-8 replaced, line ends `\n`.
pub fn strip(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in lines(bytes) {
        text.push_str(&line);
        text.push('\n');
    }
    if !bytes.ends_with(b"\n") {
        text.pop();
    }
    text
}

/// The lines of the output inside `bytes`, without their ends.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(strip_line(line))
    })
}

/// One line (without its end) of the output.
pub fn strip_line(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = if text.contains('\x1b') || text.contains('\u{9b}') { without_escapes(text) } else { text.to_owned() };
    let text = text.trim_start_matches('\u{feff}');
    without_frame(text).to_owned()
}

/// The text without control sequences: CSI (ECMA-48 5.4), OSC (5.6) ended by
/// BEL or ST, and two- and three-byte escapes such as `ESC ( B`.
pub fn without_escapes(text: &str) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            "(?:\x1b\\[|\u{9b})[0-?]*[ -/]*[@-~]",
            "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\|$)",
            "|\x1b[ -/]+[0-~]",
            "|\x1b[0-Z\\\\^_`a-~]?",
        ))
        .expect("the pattern is valid")
    });
    ESCAPE.replace_all(text, "").into_owned()
}

fn without_frame(line: &str) -> &str {
    // `gh run view --log` puts job and step before the time.
    static STEP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[^\t]*\t[^\t]*\t\u{feff}?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ?").expect("the pattern is valid")
    });
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z(?: [0-9a-f]{2}[OE][ +]| |$)").expect("the pattern is valid")
    });
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^##\[(?:group|endgroup|error|warning|notice|debug|command|section)\]")
            .expect("the pattern is valid")
    });
    static SECTION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"section_(?:start|end):\d+:[\w.-]+(?:\[[^\]]*\])?\r?").expect("the pattern is valid")
    });
    let line = STEP.find(line).or_else(|| TIME.find(line)).map_or(line, |found| &line[found.end()..]);
    let line = MARK.find(line).map_or(line, |found| &line[found.end()..]);
    let line = SECTION.find_iter(line).last().map_or(line, |found| &line[found.end()..]);
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn frames_are_taken_off_and_the_text_is_kept() {
        for (framed, wanted) in [
            ("plain", "plain"),
            ("\u{feff}2026-11-23T20:00:00.0000000Z ##[group]Run pytest -q", "Run pytest -q"),
            ("2026-11-23T20:00:00.0130000Z \x1b[36;1mpytest -q\x1b[0m\r", "pytest -q"),
            ("2026-11-23T20:00:00.0130000Z\r", ""),
            ("2026-11-23T20:00:00.0130000Z     indented", "    indented"),
            ("build\tcargo test\t2026-11-23T20:00:00.1Z test a ... \x1b[31mFAILED\x1b(B\x1b[m", "test a ... FAILED"),
            ("build\tcargo test\t\u{feff}2026-11-23T20:00:00.1Z ##[error]Process completed", "Process completed"),
            ("2026-11-23T20:00:00.000000Z 00O $ make", "$ make"),
            ("2026-11-23T20:00:00.000000Z 01E+oops", "oops"),
            ("section_start:1700000000:step_script\r\x1b[0K$ make test", "$ make test"),
            ("section_end:1700000001:step\r\x1b[0Ksection_start:1700000002:after[collapsed=true]\r\x1b[0Khi", "hi"),
            ("\x1b]8;;https://a.b/c\x07a link\x1b]8;;\x07", "a link"),
            ("\x1b]8;;https://a.b/c\x1b\\a link\x1b]8;;\x1b\\", "a link"),
            ("10%\r20%\r100%", "100%"),
            ("it was 2026-11-23T20:00:00.0Z then", "it was 2026-11-23T20:00:00.0Z then"),
            ("a\tb\tc", "a\tb\tc"),
        ] {
            assert_eq!(strip_line(framed.as_bytes()), wanted, "{framed:?}");
        }
    }

    #[test]
    fn line_ends_and_broken_bytes_are_made_regular() {
        assert_eq!(strip(b"a\r\nb\xff\r\n\r\nc"), "a\nb\u{fffd}\n\nc");
        assert_eq!(strip(b""), "");
        assert_eq!(strip(b"\n"), "\n");
    }

    #[test]
    fn a_log_of_a_job_reads_as_the_program_wrote_it() {
        let bare = include_bytes!("../../fixtures/logs/cargo-test/color.txt");
        let wanted = strip(bare);
        for framed in [
            include_bytes!("../../fixtures/logs/github-actions/raw_job_log_cargo.txt").as_slice(),
            include_bytes!("../../fixtures/logs/github-actions/gh_run_view_log_cargo.txt").as_slice(),
        ] {
            let text = strip(framed);
            let body = &text[text.find("    Finished").expect("the program's first line")..];
            let end = wanted.trim_end().len();
            assert_eq!(&body[..end], wanted.trim_end());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_stripped_without_panic_and_lines_are_kept(bytes: Vec<u8>) {
            let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
            let text = strip(&bytes);
            proptest::prop_assert_eq!(text.bytes().filter(|byte| *byte == b'\n').count(), ends);
        }
    }
}
