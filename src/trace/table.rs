//! Every saved log against the failures a person names in it.
//!
//! Tests only.

use std::collections::BTreeMap;
use std::path::Path;

use pretty_assertions::assert_eq;
use serde::Deserialize;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::failures;
use crate::trace::places::Places;

/// One failure as `fixtures/logs/expected.toml` writes it down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    kind: Kind,
    /// The message's first line.
    message: String,
    expected: Option<String>,
    actual: Option<String>,
    /// `file:line` of the deepest frame in the project.
    at: Option<String>,
}

fn row(failure: Failure) -> Row {
    let at = failure.location().and_then(|frame| {
        let path = frame.path.as_ref()?;
        Some(frame.line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}")))
    });
    let message = failure.message.lines().next().unwrap_or_default().trim_end().to_owned();
    Row { id: failure.id, kind: failure.kind, message, expected: failure.expected, actual: failure.actual, at }
}

/// The projects that the logs come from.
pub(super) fn places() -> Places {
    let files = [
        "src/lib.rs",
        "src/main.rs",
        "tests/it.rs",
        "shop/cart.py",
        "tests/test_cart.py",
        "tests/test_unit.py",
        "tests/test_broken_import.py",
        "tests/test_syntax.py",
        "test_unit.py",
        "app.py",
        "sentry_gen.py",
        "src/cart.js",
        "jt/cart.test.js",
        "jt/syntax.test.js",
        "jt/missing.test.js",
        "vt/cart.test.ts",
        "vt/missing.test.ts",
        "mt/cart.spec.js",
        "cart.js",
        "cart.test.js",
        "run.js",
        "esm.mjs",
        "syn.js",
        "shop/cart.go",
        "shop/cart_test.go",
        "shop/panic_test.go",
        "bad/bad_test.go",
        "cmd/main.go",
        "Main.java",
        "B.java",
        "bug.c",
        "err.c",
    ];
    Places::new(vec!["/home/dev/shop".into()], files.map(|path| RelPath::new(path).expect("path")))
}

fn logs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs")
}

/// What `fixtures/logs/expected.toml` says of one log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    failures: Option<Vec<Row>>,
    like: Option<String>,
}

/// Every log's name.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![logs()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "expected.toml") {
                names.push(path.strip_prefix(logs()).expect("inside").display().to_string());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn every_saved_log_tells_the_failures_a_person_names() {
    let text = std::fs::read_to_string(logs().join("expected.toml")).expect("the table");
    let table: BTreeMap<String, Expected> = toml::from_str(&text).expect("the table");
    let names = names();
    assert_eq!(names, table.keys().cloned().collect::<Vec<_>>(), "the logs, and those in the table");
    for name in names {
        let mut expected = &table[&name];
        while let Some(like) = &expected.like {
            expected = &table[like];
        }
        let bytes = std::fs::read(logs().join(&name)).expect("a log");
        let found: Vec<Row> = failures(&bytes, &places(), &RelPath::root()).into_iter().map(row).collect();
        assert_eq!(found, expected.failures.clone().unwrap_or_default(), "{name}");
    }
}

/// Puts a frame around a line.
type Frame = fn(&str) -> String;

/// What continuous integration makes of a line: its name, and the line framed.
const FRAMES: &[(&str, Frame)] = &[
    ("a GitHub job's log", |line| format!("2026-11-23T20:00:00.0130000Z {line}\r\n")),
    ("gh run view --log", |line| format!("build\tRun tests\t2026-11-23T20:00:00.0130000Z {line}\n")),
    ("a GitLab job's log", |line| format!("2026-11-23T20:00:00.000000Z 01O {line}\n")),
    ("Windows, in colours", |line| format!("\x1b[2m{line}\x1b[0m\x1b[K\r\n")),
];

#[test]
fn every_saved_log_reads_the_same_out_of_a_jobs_log() {
    let read =
        |bytes: &[u8]| -> Vec<Row> { failures(bytes, &places(), &RelPath::root()).into_iter().map(row).collect() };
    for name in names() {
        let bytes = std::fs::read(logs().join(&name)).expect("a log");
        // A report is a file of its own; these two pairs are framed already.
        if !(name.ends_with(".txt") || name.ends_with(".jsonl")) || name.starts_with("github-actions/") {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let plain = read(&bytes);
        for (frame, framed) in FRAMES {
            let log = text.lines().fold("\u{feff}".to_owned(), |log, line| log + &framed(line));
            assert_eq!(read(log.as_bytes()), plain, "{name} as {frame}");
        }
    }
}

/// All logs of all folders, cut into lines, by folder.
pub(super) fn lines_by_folder() -> &'static BTreeMap<String, Vec<String>> {
    static LINES: std::sync::LazyLock<BTreeMap<String, Vec<String>>> = std::sync::LazyLock::new(|| {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in names() {
            let folder = name.split('/').next().unwrap_or_default().to_owned();
            let bytes = std::fs::read(logs().join(&name)).expect("a log");
            let text = crate::trace::framing::strip(&bytes);
            lines.entry(folder).or_default().extend(text.lines().map(str::to_owned));
        }
        lines
    });
    &LINES
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    /// Logs of parallel runners are mixed, and a log may be cut at either end.
    #[test]
    fn any_mixture_of_any_runners_lines_is_read_without_panic(
        folder in 0usize..64,
        picks in proptest::collection::vec((0usize..100_000, 1usize..12), 0..40),
    ) {
        let folders = lines_by_folder();
        let lines = folders.values().nth(folder % folders.len()).expect("a folder");
        let mut text = String::new();
        for (start, count) in picks {
            for line in lines.iter().cycle().skip(start % lines.len()).take(count) {
                text.push_str(line);
                text.push('\n');
            }
        }
        let found = failures(text.as_bytes(), &places(), &RelPath::root());
        proptest::prop_assert!(found.len() <= text.lines().count());
    }

    #[test]
    fn any_part_of_a_log_is_read_without_panic(pick in 0usize..1000, from in 0usize..100_000, to in 0usize..100_000) {
        let names = names();
        let bytes = std::fs::read(logs().join(&names[pick % names.len()])).expect("a log");
        let (from, to) = (from % (bytes.len() + 1), to % (bytes.len() + 1));
        failures(&bytes[from.min(to)..from.max(to)], &places(), &RelPath::root());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        failures(&bytes, &places(), &RelPath::root());
    }
}
