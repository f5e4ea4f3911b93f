//! Rust: what a failing test or a dying program printed.
//!
//! Reads text whose framing is off; never runs anything. The panics
//! themselves are read by [`panics`], logs by [`log`], the compiler's words
//! by [`compiler`].

pub mod compiler;
pub mod log;
pub mod panics;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::bounded;
use crate::trace::places::Places;

use panics::Panic;

/// Where relative paths start from: cargo runs rustc in the workspace's root
/// and the tests in their package's, so a panic's header (written by rustc)
/// and its backtrace (written by the running test) differ.
#[derive(Clone, Copy, Debug)]
pub struct Roots<'a> {
    /// For panic headers: the workspace's root.
    pub compiled: &'a RelPath,
    /// For backtraces: the folder of the package under test.
    pub running: &'a RelPath,
}

/// The failures in a log: cargo test, nextest, panics of a program, compile
/// errors. `near` is the folder that relative paths start from.
pub fn failures(text: &str, places: &Places, near: &RelPath) -> Vec<Failure> {
    let mut failures = compiler::failures(text, places, near);
    failures.extend(log::failures(text, places, near));
    failures
}

/// Why the test `id` failed, from what it printed. `message` is what libtest
/// says beside it (`test did not panic as expected at src/lib.rs:95:8`).
///
/// `left` of `assert_eq!(left, right)` is taken for the actual value and
/// `right` for the expected one, by convention: the macro itself does not say.
pub fn test_failure(
    id: &str,
    thread: &str,
    output: &str,
    message: Option<&str>,
    places: &Places,
    roots: Roots<'_>,
) -> Failure {
    let panics = panics::read(output);
    let note = message.map(str::to_owned).or_else(|| panics::should_panic_note(output));
    let mut failure = match cause(&panics, thread) {
        Some(panic) => of_panic(panic, places, roots),
        None => without_panic(output),
    };
    if let Some(note) = note {
        of_note(&mut failure, &note, !panics.is_empty(), places, roots);
    }
    failure.id = id.to_owned();
    failure.output = bounded(output.trim_matches('\n'));
    failure
}

/// The panic that the others follow from: the last of the test's own thread,
/// unless that one only passes on what a worker thread died of.
pub fn cause<'p>(panics: &'p [Panic], thread: &str) -> Option<&'p Panic> {
    let own = panics.iter().rposition(|panic| panic.thread == thread || panic.thread == "main");
    let Some(own) = own else { return panics.first() };
    if panics[own].is_relay() {
        // The first worker to die: later ones often die of its poisoned lock.
        let worker = panics[..own].iter().find(|panic| panic.thread != panics[own].thread && !panic.is_relay());
        return worker.or(Some(&panics[own]));
    }
    Some(&panics[own])
}

/// A panic as a failure, without id and output.
pub fn of_panic(panic: &Panic, places: &Places, roots: Roots<'_>) -> Failure {
    let (actual, expected) = panics::compared(&panic.message);
    Failure {
        id: String::new(),
        kind: panics::kind(&panic.message),
        message: panic.message.clone(),
        expected,
        actual,
        locals: Vec::new(),
        frames: panic.frames(places, roots),
        output: String::new(),
    }
}

/// An `Err` that a test returned has no place: `Error: ParseIntError { … }`.
fn without_panic(output: &str) -> Failure {
    let overflow = output.lines().find(|line| panics::overflowed(line).is_some());
    let error = output.lines().rev().find(|line| line.starts_with("Error: "));
    // Of a doc test that does not compile rustdoc prints what rustc says.
    let compile = output.lines().find(|line| line.starts_with("error[") || line.starts_with("error: "));
    let (kind, message) = match (overflow, error, compile) {
        (Some(_), _, _) => (Kind::Crash, "stack overflow"),
        (None, Some(line), _) => (Kind::Exception, line),
        (None, None, Some(line)) => (Kind::CompileError, line),
        (None, None, None) => {
            (Kind::Exception, output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("the test failed"))
        }
    };
    Failure {
        id: String::new(),
        kind,
        message: message.trim().to_owned(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    }
}

/// libtest's word on a `#[should_panic]` test.
fn of_note(failure: &mut Failure, note: &str, panicked: bool, places: &Places, roots: Roots<'_>) {
    let quoted = |label: &str| {
        let line = note.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(|value| value.trim().trim_end_matches(',').to_owned())
    };
    failure.kind = Kind::Assertion;
    failure.message = note.trim().to_owned();
    failure.actual = quoted("panic message:");
    failure.expected = quoted("expected substring:");
    if panicked {
        return;
    }
    let place = note.lines().next().and_then(|line| line.rsplit_once(" at ")).map(|(_, place)| place);
    if let Some((file, line)) = place.and_then(panics::place) {
        let path = places.locate(file, roots.compiled);
        failure.frames = vec![Frame { path, written: file.to_owned(), line: Some(line), symbol: None }];
    }
}
