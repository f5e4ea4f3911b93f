//! JUnit XML, in whatever dialect a tool writes it.
//!
//! ```text
//! testsuites > testsuite* > testcase(name, classname, file, line, time)
//!     > failure | error (type, message; text) | skipped | system-out | system-err
//! ```
//!
//! Root and nesting of suites vary (mocha has a lone `testsuite`, node puts
//! cases right below `testsuites`); types, messages and files may be missing;
//! Surefire adds `flakyFailure` (it passed in the end) and `rerunFailure`.
//!
//! An id is as the runner behind the report takes it back ([`dialect`]); where
//! that is not known `classname::name`, the name alone where there is no class
//! or the name begins with it (jest); and from the second of an id on with ` #2`.
//!
//! Reads bytes; expands no entity but XML's own five, so that a hostile file
//! stays as small as it is.

mod dialect;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use quick_xml::Reader;
use quick_xml::events::BytesStart;
use quick_xml::events::Event;
use regex::Regex;

use dialect::Dialect;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::outcome::Status;
use crate::outcome::TestResult;
use crate::source::RelPath;
use crate::trace;
use crate::trace::ground::Ground;
use crate::trace::ground::numbered;
use crate::trace::places::Places;

/// Bytes of text kept of one element.
const TEXT_LIMIT: usize = 256 * 1024;

/// What pytest says of a file that it could not load.
const COLLECTION: &str = "collection failure";

/// Why a file is no JUnit report.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// The XML is broken.
    #[error("the XML is broken at byte {at}: {source}")]
    Broken {
        /// Bytes read before it.
        at: u64,
        /// The reader's own word.
        #[source]
        source: quick_xml::Error,
    },
    /// It ends before its root does.
    #[error("the report ends in the middle of `{element}`")]
    CutShort {
        /// The innermost element that is open.
        element: String,
    },
    /// Its root is no `testsuites` or `testsuite`.
    #[error("the root is `{root}`, not a list of test suites")]
    Other {
        /// What it is.
        root: String,
    },
}

/// Whether the beginning of a file looks like a report.
pub fn is_report(beginning: &[u8]) -> bool {
    static ROOT: LazyLock<regex::bytes::Regex> =
        LazyLock::new(|| regex::bytes::Regex::new(r"<(?:testsuites?)[\s/>]").expect("the pattern is valid"));
    ROOT.is_match(&beginning[..beginning.len().min(4096)])
}

/// Reads a report. `near` is the folder that relative paths start from.
///
/// # Errors
/// As [`JunitError`] says.
pub fn read(xml: &[u8], places: &Places, near: &RelPath) -> Result<Vec<TestResult>, JunitError> {
    let mut cases = Vec::new();
    each_case(&String::from_utf8_lossy(xml), &mut |case| cases.push(case))?;
    Ok(named(cases, places, near))
}

fn named(cases: Vec<Case>, places: &Places, near: &RelPath) -> Vec<TestResult> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let results = cases.into_iter().map(|case| {
        let id = case.dialect.id(&case.class, &case.name, Ground { places, near });
        let id = numbered(&id, &mut taken);
        case.result(id, places, near)
    });
    results.collect()
}

/// The failures of a report; of one that is cut off, those that came before.
pub fn failures(xml: &str, places: &Places, near: &RelPath) -> Vec<Failure> {
    let mut found = Vec::new();
    // Why it ends is nothing to a reader of a saved report.
    let _ = each_case(xml, &mut |case| found.push(case));
    named(found, places, near).into_iter().filter_map(|test| test.failure).collect()
}

/// One `testcase`.
#[derive(Debug, Default)]
struct Case {
    dialect: Dialect,
    class: String,
    name: String,
    file: Option<String>,
    line: Option<u32>,
    took: Duration,
    failures: Vec<Fault>,
    /// `type` of the `skipped` element.
    skipped: Option<String>,
    output: String,
}

/// One `failure` or `error`.
#[derive(Debug, Default)]
struct Fault {
    error: bool,
    type_name: String,
    message: String,
    text: String,
}

/// Gives each case to `take` as soon as it has come to its end; the last one
/// of a report that is cut off as far as it goes.
fn each_case(xml: &str, take: &mut dyn FnMut(Case)) -> Result<(), JunitError> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<String> = Vec::new();
    let mut case: Option<Case> = None;
    let mut dialect = Dialect::default();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(source) => {
                case.take().into_iter().for_each(take);
                return Err(JunitError::Broken { at: reader.error_position(), source });
            }
        };
        match event {
            Event::Start(element) => {
                let name = local_name(&element);
                begin(&element, &name, open.is_empty(), &mut dialect, &mut case)?;
                open.push(name);
            }
            Event::Empty(element) => {
                let name = local_name(&element);
                begin(&element, &name, open.is_empty(), &mut dialect, &mut case)?;
                if name == "testcase" {
                    case.take().into_iter().for_each(&mut *take);
                }
            }
            Event::End(_) => {
                if open.pop().as_deref() == Some("testcase") {
                    case.take().into_iter().for_each(&mut *take);
                }
            }
            Event::Text(text) => add(&mut case, &open, text.as_ref()),
            Event::CData(text) => add(&mut case, &open, text.as_ref()),
            Event::GeneralRef(name) => {
                let name: &str = name.as_ref();
                add(&mut case, &open, &unescaped(&format!("&{name};")));
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
    case.take().into_iter().for_each(take);
    match open.pop() {
        Some(element) => Err(JunitError::CutShort { element }),
        None if xml.trim().is_empty() => Err(JunitError::CutShort { element: "an empty file".to_owned() }),
        None => Ok(()),
    }
}

/// The element's name without a namespace.
fn local_name(element: &BytesStart<'_>) -> String {
    element.local_name().as_ref().to_owned()
}

fn begin(
    element: &BytesStart<'_>,
    name: &str,
    is_root: bool,
    dialect: &mut Dialect,
    case: &mut Option<Case>,
) -> Result<(), JunitError> {
    if is_root && !matches!(name, "testsuites" | "testsuite") {
        return Err(JunitError::Other { root: name.to_owned() });
    }
    match (name, case) {
        ("testsuites" | "testsuite", _) => {
            let attribute = |name| attribute(element, name).unwrap_or_default();
            *dialect = Dialect::of_suite(&attribute("name"), &attribute("package")).unwrap_or(*dialect);
        }
        ("testcase", case) => {
            let attribute = |name| attribute(element, name);
            *case = Some(Case {
                dialect: *dialect,
                class: attribute("classname").unwrap_or_default(),
                name: attribute("name").unwrap_or_default(),
                file: attribute("file"),
                line: attribute("line").and_then(|line| line.parse().ok()),
                took: attribute("time").map(|time| seconds(&time)).unwrap_or_default(),
                // googletest's words for what was not run.
                skipped: attribute("status").filter(|status| matches!(status.as_str(), "notrun" | "disabled")),
                ..Case::default()
            });
        }
        ("failure" | "error", Some(case)) => case.failures.push(Fault {
            error: name == "error",
            type_name: attribute(element, "type").unwrap_or_default(),
            message: attribute(element, "message").unwrap_or_default(),
            text: String::new(),
        }),
        ("skipped", Some(case)) => case.skipped = Some(attribute(element, "type").unwrap_or_default()),
        _ => {}
    }
    Ok(())
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut found =
        attributes.with_checks(false).flatten().filter(|attribute| AsRef::<str>::as_ref(&attribute.key) == name);
    found.next().map(|attribute| unescaped(attribute.value.as_ref()))
}

/// Adds text to what is open: a failure's own, or the test's output.
fn add(case: &mut Option<Case>, open: &[String], text: &str) {
    let Some(case) = case else { return };
    let place = match open.last().map(String::as_str) {
        Some("failure" | "error") => case.failures.last_mut().map(|fault| &mut fault.text),
        Some("system-out" | "system-err") => Some(&mut case.output),
        _ => None,
    };
    if let Some(place) = place
        && place.len() < TEXT_LIMIT
    {
        place.push_str(text);
    }
}

/// Text with XML's own references read; any other stays as it stands.
fn unescaped(text: &str) -> String {
    static REFERENCE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));").expect("the pattern is valid"));
    let replaced = REFERENCE.replace_all(text, |found: &regex::Captures<'_>| {
        let number = found.get(1).and_then(|digits| digits.as_str().parse().ok());
        let number = number.or_else(|| found.get(2).and_then(|digits| u32::from_str_radix(digits.as_str(), 16).ok()));
        let character = match found.get(3).map(|name| name.as_str()) {
            Some("lt") => Some('<'),
            Some("gt") => Some('>'),
            Some("amp") => Some('&'),
            Some("quot") => Some('"'),
            Some("apos") => Some('\''),
            Some(_) => None,
            None => number.and_then(char::from_u32),
        };
        character.map_or_else(|| found[0].to_owned(), String::from)
    });
    replaced.into_owned()
}

/// `1,234.5` and `1.2345` alike; what is no time is none.
fn seconds(text: &str) -> Duration {
    let seconds: f64 = text.replace(',', "").trim().parse().unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Case {
    fn result(self, id: String, places: &Places, near: &RelPath) -> TestResult {
        let status = match &self.skipped {
            // pytest's word for a failure that its author expects.
            Some(kind) if kind == "pytest.xfail" => Status::ExpectedFailure,
            Some(_) => Status::Skipped,
            None if self.failures.is_empty() => Status::Passed,
            None => Status::Failed,
        };
        let failure = (status == Status::Failed).then(|| self.failure(id.clone(), places, near));
        TestResult { id, status, took: self.took, failure, executed: Vec::new() }
    }

    fn failure(&self, id: String, places: &Places, near: &RelPath) -> Failure {
        // An error of the test's own surroundings comes second.
        let fault = &self.failures[0];
        let text = trace::framing::strip(format!("{}\n{}", fault.text, self.output).as_bytes());
        let own = trace::framing::strip(fault.text.as_bytes());
        let message = fault.message(&own);
        let output = trace::bounded(text.trim());
        let ground = Ground { places, near };
        if let Some(told) = self.dialect.failure(&id, &self.name, &text, &own, ground) {
            return Failure { id, output, ..told };
        }
        let read = trace::of_text(&text, ground);
        let told = read.iter().find(|failure| failure.location().is_some()).or(read.first());
        if let Some(told) = told {
            return Failure { id, output, ..told.clone() };
        }
        let mut frames = frames(&own, places, near);
        if frames.iter().all(|frame| frame.path.is_none())
            && let Some(file) = &self.file
        {
            frames.push(Frame {
                path: places.locate(file, near),
                written: file.clone(),
                line: self.line,
                symbol: None,
            });
        }
        Failure {
            id,
            kind: fault.kind(&message),
            message,
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames,
            output,
        }
    }
}

impl Fault {
    /// Type and text in one: `KeyError: 'a'`.
    fn message(&self, text: &str) -> String {
        let first = || text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        let message = trace::framing::without_escapes(self.message.trim());
        let marked = || text.lines().find_map(|line| line.strip_prefix("E   ")).map(|line| line.trim().to_owned());
        let message = match message.as_str() {
            "" => first(),
            // pytest's word for any file it could not load.
            COLLECTION => marked().unwrap_or(message),
            _ => message,
        };
        let name = self.type_name.rsplit(['.', ':']).next().unwrap_or_default();
        let is_exception = ["Error", "Exception", "Failure"].iter().any(|end| name.ends_with(end));
        if is_exception && !message.contains(name) && !name.contains(' ') && name != "testCodeFailure" {
            return format!("{name}: {message}");
        }
        message
    }

    fn kind(&self, message: &str) -> Kind {
        let lower = message.to_lowercase();
        if self.message == COLLECTION {
            return Kind::Collection;
        }
        if lower.contains("timeout of ") && lower.contains("exceeded")
            || lower.contains("timed out")
            || lower.contains("exceeded timeout")
        {
            return Kind::Timeout;
        }
        let asserted = self.type_name.contains("Assert")
            || ["assert", "expect", "error: expect("].iter().any(|start| lower.starts_with(start));
        match (asserted, self.error, self.type_name.is_empty()) {
            (true, ..) => Kind::Assertion,
            (false, false, true) if !message.contains("Error") && !message.contains("Exception") => Kind::Assertion,
            _ => Kind::Exception,
        }
    }
}

/// Frames of any language that writes `file:line`: innermost first, which is
/// the order of all but Python.
fn frames(text: &str, places: &Places, near: &RelPath) -> Vec<Frame> {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?:at (?:async )?(?P<symbol>[\w.$<>\[\] ]+?) \(|❯ (?:(?P<name>[\w.$]+) )?)?(?P<file>(?:file://)?[\w./\\@-][\w./\\@ -]*\.[A-Za-z]{1,4}):(?P<line>\d+)",
        )
        .expect("the pattern is valid")
    });
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().take(2000) {
        let Some(found) = PLACE.captures(line) else { continue };
        let written = found["file"].trim().trim_start_matches("at ").to_owned();
        let Some(path) = places.locate(&written, near) else { continue };
        let symbol = found.name("symbol").or_else(|| found.name("name")).map(|symbol| symbol.as_str().to_owned());
        frames.push(Frame { path: Some(path), written, line: found["line"].parse().ok(), symbol });
    }
    let newest_last = text.contains("Traceback (most recent call last)") || text.contains("\nE   ");
    if newest_last {
        frames.reverse();
    }
    frames
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn places() -> Places {
        let path = |text: &str| RelPath::new(text).expect("path");
        let files = [
            "src/lib.rs",
            "tests/it.rs",
            "tests/test_cart.py",
            "tests/test_broken_import.py",
            "shop/cart.py",
            "jt/cart.test.js",
            "vt/cart.test.ts",
            "src/cart.js",
            "mt/cart.spec.js",
            "cart.test.js",
            "cart.js",
        ];
        Places::new(vec!["/home/dev/shop".into()], files.map(path))
    }

    fn report(xml: &str) -> Vec<TestResult> {
        read(xml.as_bytes(), &places(), &RelPath::root()).expect("a report")
    }

    /// File, tests, failed, skipped, the first failure's id, message and place.
    type Row = (&'static str, &'static str, usize, usize, usize, &'static str, &'static str, &'static str);

    const REPORTS: &[Row] = &[
        (
            "pytest",
            include_str!("../../fixtures/logs/pytest/junit.xml"),
            21,
            17,
            1,
            "tests/test_cart.py::test_total",
            "AssertionError: assert 130 == 230",
            "tests/test_cart.py:18",
        ),
        (
            "pytest, xunit1",
            include_str!("../../fixtures/logs/pytest/junit_xunit1.xml"),
            21,
            17,
            1,
            "tests/test_cart.py::test_total",
            "AssertionError: assert 130 == 230",
            "tests/test_cart.py:18",
        ),
        (
            "pytest, collection",
            include_str!("../../fixtures/logs/pytest/junit_collection.xml"),
            2,
            2,
            0,
            "tests/test_broken_import.py",
            "ImportError: cannot import name 'does_not_exist' from 'shop.cart' (/home/dev/shop/shop/cart.py)",
            "tests/test_broken_import.py:1",
        ),
        (
            "jest",
            include_str!("../../fixtures/logs/jest/junit.xml"),
            12,
            10,
            1,
            "Cart total counts quantity",
            "expect(received).toBe(expected) // Object.is equality",
            "jt/cart.test.js:3",
        ),
        (
            "vitest",
            include_str!("../../fixtures/logs/vitest/junit.xml"),
            8,
            6,
            1,
            "vt/cart.test.ts > Cart > total counts quantity",
            "AssertionError: expected 5 to be 10 // Object.is equality",
            "vt/cart.test.ts:4",
        ),
        (
            "mocha",
            include_str!("../../fixtures/logs/mocha/xunit.xml"),
            7,
            5,
            1,
            "Cart::total counts quantity",
            "AssertionError: Expected values to be strictly equal:",
            "mt/cart.spec.js:4",
        ),
        (
            "node",
            include_str!("../../fixtures/logs/node-test/junit.xml"),
            10,
            6,
            2,
            "test::total counts quantity",
            "AssertionError: Expected values to be strictly equal:",
            "cart.test.js:6",
        ),
        (
            "nextest",
            include_str!("../../fixtures/logs/nextest/junit.xml"),
            15,
            14,
            0,
            "shop tests::expect_err",
            "price must be a number: ParseIntError { kind: InvalidDigit }",
            "src/lib.rs:72",
        ),
    ];

    #[test]
    fn every_dialect_tells_its_tests() {
        for (name, xml, tests, failed, skipped, id, message, place) in REPORTS {
            let results = report(xml);
            let count = |status| results.iter().filter(|test| test.status == status).count();
            let counts = (results.len(), count(Status::Failed), count(Status::Skipped));
            assert_eq!(counts, (*tests, *failed, *skipped), "{name}");
            let first = results.iter().find_map(|test| test.failure.as_ref()).expect("a failure");
            let head = first.message.lines().next().unwrap_or_default();
            assert_eq!((first.id.as_str(), head), (*id, *message), "{name}");
            let place_of = |frame: &Frame| {
                let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
                Some(format!("{}{line}", frame.path.as_ref()?))
            };
            let found = first.location().and_then(place_of).unwrap_or_default();
            assert!(found.starts_with(place), "{name}: {found}");
        }
    }

    #[test]
    fn dialects_differ_and_are_read_alike() {
        for (xml, wanted) in [
            ("<testsuite><testcase name='a'/></testsuite>", vec![("a", Status::Passed)]),
            ("<testsuites><testcase classname='c' name='a'><error/></testcase></testsuites>", {
                vec![("c::a", Status::Failed)]
            }),
            ("<testsuite><testcase name='a'><flakyFailure>x</flakyFailure></testcase></testsuite>", {
                vec![("a", Status::Passed)]
            }),
            ("<testsuite><testcase name='a'><failure/><rerunFailure/></testcase></testsuite>", {
                vec![("a", Status::Failed)]
            }),
            ("<testsuite><testcase name='a' status='notrun'/></testsuite>", vec![("a", Status::Skipped)]),
            ("<testsuite><testcase name='a'/><testcase name='a'/></testsuite>", {
                vec![("a", Status::Passed), ("a #2", Status::Passed)]
            }),
            ("<testsuites/>", vec![]),
        ] {
            let results = report(xml);
            let short: Vec<_> = results.iter().map(|test| (test.id.as_str(), test.status)).collect();
            assert_eq!(short, wanted, "{xml}");
        }
    }

    #[test]
    fn hostile_and_broken_reports_are_errors_or_harmless() {
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><testsuite><testcase name='&b;'><failure message='&b;'>&b;&lt;\u{1}&#x41;</failure></testcase></testsuite>";
        let results = report(bomb);
        assert_eq!(results[0].id, "&b;");
        assert_eq!(results[0].failure.as_ref().map(|failure| failure.output.as_str()), Some("&b;<\u{1}A"));
        for (xml, wanted) in [
            ("", "the report ends in the middle of `an empty file`"),
            ("<testsuite><testcase name='a'><failure>x", "the report ends in the middle of `failure`"),
            ("<coverage/>", "the root is `coverage`, not a list of test suites"),
            ("<testsuite><a></b></testsuite>", "the XML is broken at byte"),
        ] {
            let error = read(xml.as_bytes(), &places(), &RelPath::root()).expect_err(xml).to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
        // libtest leaves its report as it was when the process died.
        let libtest = include_bytes!("../../fixtures/logs/cargo-test/libtest_junit_bootstrap.xml");
        let error = read(libtest, &places(), &RelPath::root()).expect_err("it is cut");
        assert_eq!(error.to_string(), "the report ends in the middle of `testcase`");
        let open = "<testsuite>".repeat(100_000);
        assert!(read(open.as_bytes(), &places(), &RelPath::root()).is_err());
    }

    #[test]
    fn only_reports_look_like_reports() {
        for (text, wanted) in [
            ("<?xml version='1.0'?>\n<testsuites name='x'>", true),
            ("<testsuite>", true),
            ("<coverage version='1'>", false),
            ("<project><testsuitesX/></project>", false),
            ("", false),
        ] {
            assert_eq!(is_report(text.as_bytes()), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(middle: Vec<u8>) {
            let xml = [b"<testsuite><testcase name='a'><failure>".as_slice(), &middle, b"</failure></testcase></testsuite>"];
            let _ = read(&xml.concat(), &places(), &RelPath::root());
        }
    }
}
