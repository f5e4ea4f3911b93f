//! The failing statement of a function, and the statements that feed it.
//!
//! Goes by names and the order of lines; follows no call.

use std::collections::HashSet;

use super::file::SourceFile;
use crate::language::Reference;
use crate::source::Lines;

/// How much a call weighs by where it stands in the failing function.
const IN_FAILING_STATEMENT: f64 = 1.0;
/// It gave a value that the failing statement uses.
const FEEDS_FAILING_STATEMENT: f64 = 0.9;
/// It acted on an object that the failing statement uses.
const ACTS_ON_ITS_OBJECT: f64 = 0.7;
/// Any other call before the failing line.
const BEFORE: f64 = 0.35;
/// The statements that give the statement at `line` of `definition` what it
/// uses, the nearest first.
pub(super) fn feeding(file: &SourceFile, definition: usize, line: u32) -> Vec<Lines> {
    let body = file.definition(definition).body.clone();
    let inside = file.outline.references.iter().filter(|found| body.contains(&found.bytes.start));
    Focus::new(file, body.start, line, &inside.cloned().collect::<Vec<_>>()).feeding
}

/// The failing statement of a function and what feeds it.
pub(super) struct Focus {
    statement: Lines,
    /// Statements before that bind what it uses.
    feeding: Vec<Lines>,
    /// Names it uses, also through what feeds it.
    names: HashSet<String>,
}

impl Focus {
    pub(super) fn new(file: &SourceFile, body: usize, line: u32, inside: &[Reference]) -> Focus {
        let statement = file.statement(line).unwrap_or(Lines::new(line, line));
        let used = |lines: Lines| {
            let names = inside.iter().filter(move |reference| lines.contains(reference.line));
            names.map(|reference| reference.name.clone())
        };
        let mut names: HashSet<String> = used(statement).collect();
        let mut feeding = Vec::new();
        // Bindings from the last to the first, so that what feeds a feeder is
        // seen after it.
        let before = file.outline.locals.iter().rev();
        for local in before.filter(|local| local.line < statement.start && local.visible.start >= body) {
            if names.contains(&local.name) {
                let lines = file.statement(local.line).unwrap_or(Lines::new(local.line, local.line));
                // A loop's header binds; its whole body is not what it gives.
                let lines = if lines.overlaps(&statement) { Lines::new(local.line, local.line) } else { lines };
                names.extend(used(lines));
                feeding.push(lines);
            }
        }
        Focus { statement, feeding, names }
    }

    /// How much a call in this place weighs, and the words for it; `None`
    /// after the failing statement.
    pub(super) fn position(&self, reference: &Reference) -> Option<(f64, &'static str)> {
        let line = reference.line;
        if self.statement.contains(line) {
            return Some((IN_FAILING_STATEMENT, "called by the failing line"));
        }
        if line > self.statement.end {
            return None;
        }
        if self.feeding.iter().any(|lines| lines.contains(line)) {
            return Some((FEEDS_FAILING_STATEMENT, "gives a value to the failing line,"));
        }
        let object = reference.receiver.as_deref().and_then(|receiver| receiver.split(['.', ':', '(']).next());
        if object.is_some_and(|object| self.names.contains(object)) {
            return Some((ACTS_ON_ITS_OBJECT, "acts on what the failing line uses,"));
        }
        Some((BEFORE, "called before the failing line,"))
    }
}
