//! Gate `near`, and the tests near a patch: those that execute it, where that
//! is known, else those that stand beside the target.
//!
//! Before a long suite the tests beside the target are asked alone: most of
//! what a bad patch breaks is there. The suite itself is the judge of the rest.

use std::time::Duration;

use super::Gate;
use super::Miss;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::language;
use crate::mutation::syntax;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;
use crate::runner::TestResult;
use crate::scratch::Scratch;
use crate::source::Lines;
use crate::source::RelPath;

/// The gate.
pub const GATE: Gate = Gate {
    name: "near",
    missed_when: "a test beside the target now fails (asked before a long suite)",
    runs_tests: true,
};

/// A suite whose tests take so long together is long.
const LONG: Duration = Duration::from_secs(10);

/// Tests chosen at most, beside the targets.
const MOST: usize = 200;

/// Time that the chosen tests take at most, by the suite's clock.
const LONGEST: Duration = Duration::from_secs(5);

/// Runs the tests beside the target where the suite is long. The patch is in
/// `scratch`.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
    baseline: &Baseline,
) -> Result<Result<(), Miss>, TrialError> {
    let beside = beside(baseline, aim);
    if beside.is_empty() {
        return Ok(Ok(()));
    }
    scratch.lay(patch)?;
    let mut request = bench.request(Selection::Tests(beside.clone()));
    request.fail_fast = true;
    let report = bench.run(scratch, &request).await?;
    let fails = beside.iter().find(|id| report.test(id).is_some_and(|test| test.status == Status::Failed));
    let Some(id) = fails else { return Ok(Ok(())) };
    // Perhaps it fails now and then: only the unpatched tree can tell.
    scratch.restore()?;
    let before = bench.run(scratch, &bench.request(Selection::Tests(vec![id.clone()]))).await?;
    if before.test(id).is_none_or(|test| test.status != Status::Passed) {
        return Ok(Ok(()));
    }
    let failure = report.failures().find(|failure| &failure.id == id);
    let output = failure.map(|failure| format!("{}\n{}", failure.message, failure.output)).unwrap_or_default();
    Ok(Err(Miss::new(&GATE, format!("{id} newly fails")).with_output(output)))
}

/// The tests of the targets' files that pass on the unpatched tree, where
/// running them first may save a long suite.
fn beside(baseline: &Baseline, aim: &Aim) -> Vec<String> {
    if baseline.took < LONG {
        return Vec::new();
    }
    let files: Vec<&str> = aim.failures.iter().map(|failure| file_part(&failure.failure.id)).collect();
    let passing = baseline.tests.iter().filter(|(id, status)| {
        **status == Status::Passed && !baseline.flaky.contains(*id) && files.contains(&file_part(id)) && !is_doctest(id)
    });
    let beside: Vec<String> = passing.map(|(id, _)| id.clone()).collect();
    if beside.len() * 2 > baseline.tests.len() || beside.len() > MOST { Vec::new() } else { beside }
}

/// The tests near a patch, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// The targets and what is built or loaded with them anyway.
    pub first: Vec<String>,
    /// More tests that may reach the patch.
    pub rest: Vec<String>,
    /// Longest time that one of them took.
    pub slowest: Duration,
    /// Whether it is known that these execute the patch.
    pub covers: bool,
    /// Whether tests were left out for want of time.
    pub cut: bool,
}

/// Chooses from `report`, a run of the suite with the patch in.
pub fn of(report: &Report, aim: &Aim, patch: &Patch, baseline: &Baseline) -> Near {
    let targets: Vec<&str> = match &aim.selection {
        Selection::Tests(ids) => ids.iter().map(String::as_str).collect(),
        Selection::All if aim.needs_company() => aim.failures.iter().map(|one| one.failure.id.as_str()).collect(),
        Selection::All => Vec::new(),
    };
    let mut passing: Vec<&TestResult> =
        report.tests.iter().filter(|test| test.status == Status::Passed && !is_doctest(&test.id)).collect();
    // What fails without the patch and is not the target is no witness: a patch
    // that weakens the tests themselves makes such tests pass as well.
    passing.retain(|test| {
        let before = baseline.tests.get(&test.id);
        let witness = targets.contains(&test.id.as_str()) || before.is_none_or(|before| *before == Status::Passed);
        witness && !baseline.flaky.contains(&test.id)
    });
    let in_order = passing.clone();
    passing.sort_by_key(|test| (!targets.contains(&test.id.as_str()), test.took));
    let spans = spans(patch);
    let covering: Vec<&TestResult> = passing.iter().copied().filter(|test| executes(test, &spans)).collect();
    let mut near = Near { covers: !covering.is_empty(), ..Near::default() };
    let mut spent = Duration::ZERO;
    let files: Vec<&str> = aim.failures.iter().map(|failure| file_part(&failure.failure.id)).collect();
    for test in if near.covers { covering } else { passing } {
        let target = targets.contains(&test.id.as_str());
        spent += test.took;
        if !target && (near.first.len() + near.rest.len() >= MOST || spent > LONGEST) {
            near.cut = true;
            continue;
        }
        near.slowest = near.slowest.max(test.took);
        let beside = near.covers || target || files.contains(&file_part(&test.id));
        (if beside { &mut near.first } else { &mut near.rest }).push(test.id.clone());
    }
    if aim.needs_company() { in_company(near, in_order, &files) } else { near }
}

/// The same for a target that needs what the tests before it leave: all of its
/// file that are witnesses, in the suite's order.
fn in_company(near: Near, mut own: Vec<&TestResult>, files: &[&str]) -> Near {
    own.retain(|test| files.contains(&file_part(&test.id)));
    let slowest = own.iter().map(|test| test.took).max().unwrap_or_default();
    Near { first: own.iter().map(|test| test.id.clone()).collect(), rest: Vec::new(), slowest, ..near }
}

/// The changed lines of each file, widened to the function they are in where
/// a hunk itself leaves no trace (a deletion, a comment).
fn spans(patch: &Patch) -> Vec<(&RelPath, Vec<Lines>)> {
    let mut all = patch.touched_after();
    for (path, spans) in &mut all {
        let change = patch.changes().iter().find(|change| &change.path == *path);
        let (Some(language), Some(text)) = (language::of_path(path), change.and_then(|change| change.after.as_deref()))
        else {
            continue;
        };
        let parsed = language::parse(language, text);
        let Some(syntax) = syntax::of(language) else { continue };
        let mut functions = Vec::new();
        language::walk(parsed.tree.root_node(), &mut |node| {
            if syntax.is_function(node) {
                functions.push(language::lines_of(node));
            }
            node.named_child_count() > 0
        });
        for span in spans.iter_mut() {
            let around = functions.iter().filter(|lines| lines.start < span.start && span.end <= lines.end);
            // The body: the line of the signature is executed at the import.
            if let Some(around) = around.max_by_key(|lines| lines.start) {
                *span = Lines::new(around.start + 1, around.end);
            }
        }
    }
    all
}

fn executes(test: &TestResult, spans: &[(&RelPath, Vec<Lines>)]) -> bool {
    test.executed.iter().any(|(file, lines)| {
        let spans = spans.iter().find(|(path, _)| *path == file).map(|(_, spans)| spans.as_slice());
        spans.unwrap_or_default().iter().any(|span| lines.iter().any(|line| span.contains(*line)))
    })
}

/// Whether a cargo test's name is that of an example in documentation: each
/// takes a compilation of its own.
fn is_doctest(id: &str) -> bool {
    use crate::runner::cargo::identity::Identity;
    use crate::runner::cargo::identity::What;
    Identity::parse(id).is_some_and(|identity| !matches!(identity.what, What::Test(..)))
}

/// What tests of one file share in their ids: up to the first `::` or space,
/// or the module of a dotted name.
pub fn file_part(id: &str) -> &str {
    // cargo writes `package::target test`, pytest `file.py::test[a b]`.
    match (id.find(' '), id.find("::")) {
        (Some(space), Some(colons)) if id[..colons].ends_with(".py") && colons < space => &id[..colons],
        (Some(space), _) => &id[..space],
        (None, Some(colons)) => &id[..colons],
        (None, None) => id.rsplitn(3, '.').last().unwrap_or(id),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::detect::Outcome;
    use crate::detect::Reproduction;
    use crate::failure::Failure;
    use crate::failure::Kind;
    use crate::verify::special::Literals;

    fn test(id: &str, millis: u64, status: Status, executed: &[u32]) -> TestResult {
        let path = RelPath::new("a.py").expect("path");
        let executed = if executed.is_empty() { vec![] } else { vec![(path, executed.to_vec())] };
        TestResult { id: id.into(), status, took: Duration::from_millis(millis), failure: None, executed }
    }

    fn near(tests: Vec<TestResult>) -> Near {
        let report = Report { tests, complete: true, ..Report::default() };
        let before = "def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    return x\n";
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), before, before.replace("y = x", "y = x + 1"));
        let selection = Selection::Tests(vec!["m.A.target".into()]);
        let aim = Aim { failures: vec![], selection, literals: Literals::default() };
        of(&report, &aim, &patch, &Baseline::default())
    }

    #[test]
    fn tests_that_execute_the_patched_function_are_near_where_that_is_known() {
        let found = near(vec![
            test("m.A.other", 1, Status::Passed, &[7]),
            test("m.B.slow", 900, Status::Passed, &[2, 3]),
            test("m.A.target", 30, Status::Passed, &[2, 3]),
            test("m.B.broken", 1, Status::Failed, &[2]),
        ]);
        assert_eq!(found.first, ["m.A.target", "m.B.slow"]);
        assert_eq!((found.rest.len(), found.covers, found.slowest), (0, true, Duration::from_millis(900)));
    }

    #[test]
    fn else_the_quick_ones_are_and_never_an_hour_of_them() {
        let found = near(vec![
            test("m.A.target", 30, Status::Passed, &[]),
            test("shop doc src/lib.rs - f", 1, Status::Passed, &[]),
            test("m.B.slow", 6_000, Status::Passed, &[]),
            test("m.B.quick", 1, Status::Passed, &[]),
        ]);
        assert_eq!((found.first, found.rest), (vec!["m.A.target".to_owned()], vec!["m.B.quick".to_owned()]));
    }

    #[test]
    fn in_company_all_of_the_file_are_near_in_their_order_but_what_is_no_witness() {
        let failure = Failure {
            id: "m.A.target".into(),
            kind: Kind::Assertion,
            message: String::new(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        };
        let reproduction = Reproduction {
            outcome: Outcome::Reproduced,
            failed: 2,
            runs: 2,
            fingerprints: [failure.fingerprint()].into(),
            failure,
            executed: vec![],
            by_itself: false,
            in_company: true,
        };
        let aim = Aim { failures: vec![reproduction], selection: Selection::All, literals: Literals::default() };
        let tests = ["m.A.leaves", "m.A.weakened", "m.A.target", "n.B.other"];
        let tests = tests.map(|id| test(id, 5, Status::Passed, &[]));
        let report = Report { tests: tests.into(), complete: true, ..Report::default() };
        let baseline = Baseline {
            tests: [("m.A.weakened", Status::Failed), ("m.A.target", Status::Failed)]
                .map(|(id, status)| (id.to_owned(), status))
                .into(),
            ..Baseline::default()
        };
        let found = of(&report, &aim, &Patch::default(), &baseline);
        assert_eq!((found.first, found.rest), (vec!["m.A.leaves".to_owned(), "m.A.target".to_owned()], vec![]));
    }

    #[test]
    fn tests_of_one_file_share_a_part() {
        for (id, part) in [
            ("tests/test_a.py::T::a[x y]", "tests/test_a.py"),
            ("shop tests::divide", "shop"),
            ("shop::quotes divide", "shop::quotes"),
            ("tests.test_a.Cart.test_x", "tests.test_a"),
        ] {
            assert_eq!(file_part(id), part, "{id}");
        }
    }
}
