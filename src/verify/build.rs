//! Gate `build`: the patched tree compiles and its test files load.
//!
//! Reads a report; runs nothing.

use super::Gate;
use super::Miss;
use crate::detect::Baseline;
use crate::failure::Kind;
use crate::runner::Report;

/// The gate.
pub const GATE: Gate =
    Gate { name: "build", missed_when: "it does not compile, or a test file no longer loads", runs_tests: true };

/// Judges the first run with the patch in: a compile error or a file that
/// cannot be loaded, unless the unpatched tree has it too.
pub fn judge(report: &Report, baseline: Option<&Baseline>) -> Result<(), Miss> {
    let known = |id: &str| baseline.is_some_and(|baseline| baseline.problems.contains(id));
    let broken = report.problems.iter().find(|problem| {
        problem.kind == Kind::CompileError || (problem.kind == Kind::Collection && !known(&problem.id))
    });
    match broken {
        Some(problem) => Err(Miss::new(&GATE, problem.message.clone()).with_output(problem.output.clone())),
        None => Ok(()),
    }
}
