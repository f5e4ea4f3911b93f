//! The sieve: which of many candidates are worth a trial.
//!
//! No gate, and proves nothing: a warm test process tries each candidate in a
//! fork, with its code put into the live functions. What fails there cleanly
//! is discarded; whatever passes, or cannot be told, goes its way through the
//! gates as if there were no sieve. A sieve that does not see the failure as
//! it was reproduced discards nothing.

use std::sync::Arc;
use std::time::Duration;

use super::probe;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::failure::Kind;
use crate::language;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::sieve::Answer;
use crate::runner::sieve::Edit;
use crate::runner::sieve::Question;
use crate::scratch::Scratch;

pub use crate::runner::sieve::Sieved;

/// What a sieve found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifting {
    /// What became of each patch, in the order given, with a word on it; those
    /// that nothing is known of are `Unclear`.
    pub found: Vec<(Sieved, String)>,
    /// Why nothing was sieved at all.
    pub off: Option<String>,
}

impl Sifting {
    fn off(patches: usize, why: impl Into<String>) -> Sifting {
        let why = why.into();
        Sifting { found: vec![(Sieved::Unclear, String::new()); patches], off: Some(why) }
    }
}

impl Sieved {
    /// Whether a candidate of which this is known is not worth a trial.
    pub fn is_discarded(self) -> bool {
        matches!(self, Sieved::Same | Sieved::Failed)
    }
}

fn has_sieve(bench: &Bench) -> bool {
    matches!(bench.project.kind, RunnerKind::Pytest | RunnerKind::Unittest)
}

/// Why this failure cannot be sieved, whatever the candidates; `None` where
/// it is worth trying.
pub fn obstacle(bench: &Bench, aim: &Aim) -> Option<String> {
    if !has_sieve(bench) {
        return Some(format!("tests of {} are not sieved", bench.project.kind.name()));
    }
    let Selection::Tests(ids) = &aim.selection else {
        return Some("only the whole suite shows the failure".to_owned());
    };
    let of_kind = |wanted: &[Kind]| aim.failures.iter().all(|reproduction| wanted.contains(&reproduction.failure.kind));
    let asked_for = aim.failures.iter().all(|reproduction| ids.contains(&reproduction.failure.id));
    if !asked_for || !(of_kind(&[Kind::Assertion, Kind::Exception]) || of_kind(&[Kind::Timeout])) {
        return Some("the failure is none of a test's own".to_owned());
    }
    None
}

/// Tries `patches` in one warm test process in `scratch`, which must be equal
/// to the snapshot, and is left so; takes `time` at most after the start of
/// the tests. What passes the target is tried on the tests `near` it too,
/// which are known to pass.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn sift(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    aim: &Aim,
    near: &[String],
    patches: &[&Patch],
    time: Duration,
) -> Result<Sifting, TrialError> {
    if let Some(why) = obstacle(bench, aim) {
        return Ok(Sifting::off(patches.len(), why));
    }
    let suited: Vec<(usize, Vec<Edit>)> =
        patches.iter().enumerate().filter_map(|(number, patch)| Some((number, edits(patch)?))).collect();
    if suited.is_empty() {
        // Nothing is known of any, and nothing stands in the others' way.
        return Ok(Sifting { found: vec![(Sieved::Unsuitable, String::new()); patches.len()], off: None });
    }
    let (numbers, candidates): (Vec<usize>, Vec<Vec<Edit>>) = suited.into_iter().unzip();
    let question = Question {
        candidates,
        expected: aim.failures.iter().map(|reproduction| reproduction.failure.id.clone()).collect(),
        holds: false,
        guards: near.to_vec(),
        endless: aim.is_endless(),
        limit: bench.limits.brief,
        time,
    };
    let report = asked(bench, scratch, probe::selection(aim, near), question).await?;
    let Some(answer) = report.sieve else {
        let why = report.incomplete_why.unwrap_or_else(|| "the test process gave no answer".to_owned());
        return Ok(Sifting::off(patches.len(), why));
    };
    Ok(read(aim, patches.len(), &numbers, answer))
}

/// How tests notice a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// By a check that fails.
    ByCheck,
    /// By an exception.
    Otherwise,
}

/// Which of `mutants` the tests `tests` notice, which pass with the patch
/// `laid`; in one warm test process in `scratch`, within `time` after the start
/// of the tests. `None` says nothing: a mutant that no test notices here may
/// still be noticed by an ordinary run.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn noticed(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    laid: &Patch,
    tests: &[String],
    mutants: &[&Patch],
    time: Duration,
) -> Result<Vec<Option<Noticed>>, TrialError> {
    let mut found = vec![None; mutants.len()];
    let suited = mutants.iter().enumerate();
    let suited = suited.filter_map(|(number, mutant)| Some((number, edits(&mutant.after(laid)?)?)));
    let (numbers, candidates): (Vec<usize>, Vec<Vec<Edit>>) = suited.unzip();
    if !has_sieve(bench) || candidates.is_empty() {
        return Ok(found);
    }
    let question = Question {
        candidates,
        expected: tests.to_vec(),
        holds: true,
        guards: Vec::new(),
        endless: false,
        limit: bench.limits.brief,
        time,
    };
    scratch.lay(laid)?;
    let report = asked(bench, scratch, Selection::Tests(tests.to_vec()), question).await?;
    let answer = report.sieve.unwrap_or_default();
    for (number, sieved, kind) in answer.verdicts {
        if let (Some(mutant), Sieved::Failed) = (numbers.get(number), sieved) {
            let by_check = kind == "assertion";
            found[*mutant] = Some(if by_check { Noticed::ByCheck } else { Noticed::Otherwise });
        }
    }
    Ok(found)
}

/// Runs the tests with a question to the sieve, and leaves the scratch equal
/// to the snapshot.
async fn asked(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    selection: Selection,
    question: Question,
) -> Result<Report, TrialError> {
    let mut request = bench.request(selection);
    request.sieve = Some(Arc::new(question));
    scratch.distrust();
    let report = bench.run(scratch, &request).await;
    scratch.restore()?;
    Ok(report?)
}

fn edits(patch: &Patch) -> Option<Vec<Edit>> {
    let edits = Edit::of(patch)?;
    let python = |edit: &Edit| language::of_path(&edit.path).is_some_and(|language| language.name == "python");
    (!edits.is_empty() && edits.iter().all(python)).then_some(edits)
}

/// Reads an answer about the patches `numbers` of `patches`.
fn read(aim: &Aim, patches: usize, numbers: &[usize], answer: Answer) -> Sifting {
    if !answer.why.is_empty() {
        return Sifting::off(patches, answer.why);
    }
    // That it does not end without a candidate the test process has seen itself.
    for reproduction in aim.failures.iter().filter(|_| !aim.is_endless()) {
        let id = &reproduction.failure.id;
        match answer.failures.iter().find(|failure| failure.id == *id) {
            Some(failure) if reproduction.is_same(failure) => {}
            Some(failure) => return Sifting::off(patches, format!("{id} fails in another way: {}", failure.message)),
            None => return Sifting::off(patches, format!("{id} does not fail")),
        }
    }
    let mut found = vec![(Sieved::Unclear, "there was no time".to_owned()); patches];
    for patch in (0..patches).filter(|patch| !numbers.contains(patch)) {
        found[patch] = (Sieved::Unsuitable, "it changes more than Python".to_owned());
    }
    for (number, sieved, word) in answer.verdicts {
        if let Some(patch) = numbers.get(number) {
            found[*patch] = (sieved, word);
        }
    }
    Sifting { found, off: None }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::detect::Outcome;
    use crate::detect::Reproduction;
    use crate::failure::Failure;
    use crate::source::RelPath;

    fn failure(message: &str) -> Failure {
        Failure {
            id: "t.py::a".into(),
            kind: Kind::Assertion,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        }
    }

    fn aim() -> Aim {
        let reproduction = Reproduction {
            fingerprints: [failure("assert 1 == 2").fingerprint()].into(),
            failure: failure("assert 1 == 2"),
            outcome: Outcome::Reproduced,
            failed: 2,
            runs: 2,
            executed: vec![],
            by_itself: true,
            in_company: false,
        };
        Aim {
            failures: vec![reproduction],
            selection: Selection::Tests(vec!["t.py::a".into()]),
            literals: Default::default(),
        }
    }

    #[test]
    fn a_sieve_that_sees_another_failure_discards_nothing() {
        let verdicts = vec![(0, Sieved::Failed, String::new())];
        for (why, failures, off) in [
            ("", vec![failure("assert 1 == 2")], None),
            ("", vec![failure("assert 1 == 3")], Some("t.py::a fails in another way: assert 1 == 3")),
            ("", vec![], Some("t.py::a does not fail")),
            ("a thread", vec![failure("assert 1 == 2")], Some("a thread")),
        ] {
            let answer = Answer { why: why.into(), failures, verdicts: verdicts.clone() };
            let sifting = read(&aim(), 1, &[0], answer);
            assert_eq!(sifting.off.as_deref(), off);
            assert_eq!(sifting.found[0].0.is_discarded(), off.is_none());
        }
    }

    #[test]
    fn what_the_answer_does_not_tell_is_not_discarded() {
        let word = |number, sieved| (number, sieved, String::new());
        let answer = Answer {
            why: String::new(),
            failures: vec![failure("assert 1 == 2")],
            // Nobody asked about a candidate 7.
            verdicts: vec![word(0, Sieved::Same), word(1, Sieved::Passed), word(7, Sieved::Failed)],
        };
        let sifting = read(&aim(), 4, &[1, 2, 3], answer);
        let found: Vec<Sieved> = sifting.found.iter().map(|(sieved, _)| *sieved).collect();
        assert_eq!(found, [Sieved::Unsuitable, Sieved::Same, Sieved::Passed, Sieved::Unclear]);
    }

    #[test]
    fn only_python_is_sieved() {
        let patch = |path: &str| Patch::of_file(RelPath::new(path).expect("path"), "a", "b");
        assert!(edits(&patch("a.py")).is_some());
        assert_eq!(edits(&patch("a.txt")), None);
        assert_eq!(edits(&Patch::default()), None);
    }
}
