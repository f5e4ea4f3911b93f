//! JavaScript: what its test runners and a dying Node process print.
//!
//! Reads text whose framing is off; never runs anything. One file a format.
//!
//! A test is named as vitest writes it, for every runner: its file, the blocks
//! around it and its title, ` > ` between them (`src/a.test.js > Cart > adds`).
//! mocha's reports join blocks and title with blanks, so its ids are
//! `FILE > FULL TITLE`, and the full title alone where a text names no file.

pub mod error;
pub mod jest;
pub mod mocha;
pub mod node_test;
pub mod reports;
pub mod tap;
pub mod tsc;
pub mod uncaught;
pub mod vitest;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::trace::bounded;
use crate::trace::ground::Ground;

use error::Thrown;

/// Between a file, its blocks and a title.
pub const SEPARATOR: &str = " > ";

/// The failures in a text. Tests print errors that they expect, so where a
/// runner reported a failing test, loose traces are not counted.
pub fn failures(text: &str, ground: Ground<'_>) -> Vec<Failure> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = jest::failures(&lines, ground);
    found.extend(vitest::failures(&lines, ground));
    found.extend(mocha::failures(&lines, ground));
    found.extend(node_test::failures(&lines, ground));
    found.extend(tap::failures(&lines, ground));
    if found.is_empty() {
        found = tsc::failures(&lines, ground);
    }
    if found.is_empty() {
        found = uncaught::failures(&lines, ground);
    }
    found
}

/// The failure of the test `id`, by its error.
pub fn of_thrown(id: String, thrown: Thrown, output: &str) -> Failure {
    Failure {
        id,
        kind: error::kind(&thrown.message),
        message: thrown.message,
        expected: thrown.expected,
        actual: thrown.actual,
        locals: Vec::new(),
        frames: thrown.frames,
        output: bounded(output.trim_matches('\n').trim_end()),
    }
}

/// A file that could not be loaded, so that its tests did not run.
pub fn not_loaded(file: &str, thrown: Thrown, output: &str) -> Failure {
    Failure { kind: Kind::Collection, ..of_thrown(file.to_owned(), thrown, output) }
}
