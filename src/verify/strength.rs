//! Gate `strength`: how strongly the tests hold the patched code (DECISIONS
//! 19). Mutants of the patch are run against the tests near it.
//!
//! A patch below the floor passes everything and is `only-weak`: any other
//! change would have passed as well.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use super::Around;
use super::Gate;
use super::Miss;
use super::Strength;
use super::build;
use super::checks;
use super::mutants;
use super::mutants::PatchMutant;
use super::near::Near;
use super::policy::rules::Applied;
use super::recall::Recall;
use super::sieve;
use super::sieve::Noticed;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Baseline;
use crate::detect::Bench;
use crate::failure::Kind;
use crate::language;
use crate::language::DefinitionKind;
use crate::patch::Patch;
use crate::runner::Report;
use crate::runner::Selection;
use crate::runner::Status;
use crate::scratch::Scratch;

/// The gate.
pub const GATE: Gate = Gate {
    name: "strength",
    missed_when: "the tests do not notice when the patched code is changed again (only-weak)",
    runs_tests: true,
};

/// Mutants that are measured at most.
const MOST: usize = 12;

/// After so many, all of them killed and one in each hunk, no more are made:
/// a thirteenth says no more than a seventh.
const ENOUGH: usize = 5;

/// After so many that all survived, none is made any more.
const HOPELESS: usize = 4;

/// Mutants tried at most; those that do not compile are not measured.
const TRIES: usize = 18;

/// Mutants that one test process is asked about at first, and those for which
/// it is worth its start.
const TOGETHER: usize = ENOUGH + 1;
const WORTH: usize = 2;

/// Time for the mutants: a multiple of what the suite takes, within bounds. The
/// least is enough for a dozen runs of a small suite on a busy machine: what is
/// cut short after three of seven mutants says too much good of the patch.
const SUITES: u32 = 4;
const LEAST: Duration = Duration::from_secs(40);
const LONGEST: Duration = Duration::from_secs(120);

/// A mutant that runs ten times as long as the tests took is endless.
const SLOWER: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(2);

/// What a mutant's run showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    Survived,
    /// It does not build, or it was noticed in a way that tells nothing.
    Unknown,
}

/// How much is to be found out.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What one run of the suite takes.
    pub suite_took: Duration,
    /// What the policy asks for.
    pub floor: &'a Applied,
    /// What trials of other failures have shown.
    pub recall: &'a Recall,
}

/// Measures the strength of `patch`; `None` where no mutant could be made or
/// measured.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn judge(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    aim: &Aim,
    near: &Near,
    baseline: &Baseline,
    asked: Asked<'_>,
) -> Result<Result<Option<Strength>, Miss>, TrialError> {
    let floor = asked.floor;
    let until = Instant::now() + (asked.suite_took * SUITES).clamp(LEAST, LONGEST);
    let mut tally = Tally::default();
    let executed: Vec<_> = aim.failures.iter().flat_map(|failure| failure.executed.iter().cloned()).collect();
    let chosen = mutants::choose(patch, &executed, TRIES);
    let (mut noticed, mut is_believed) = (HashMap::new(), false);
    // A check that fails notices any mutant; an exception need not do for each
    // target.
    let is_known = |mutant: &PatchMutant| !mutant.needs_check && asked.recall.is_killed(&mutant.patch);
    // What the tests of its file leave may not be all that the target needs.
    let near = match aim.needs_company() && !stands(bench, scratch, patch, near).await? {
        true => &Near::default(),
        false => near,
    };
    for (at, mutant) in chosen.iter().enumerate() {
        if tally.is_enough(floor.min_killed.value) || Instant::now() > until || near.first.is_empty() {
            break;
        }
        if is_known(mutant) {
            tally.killed.push(mutant.clone());
            continue;
        }
        if !mutant.needs_check && !noticed.contains_key(&at) {
            // Not all at once: a few are enough as a rule.
            let most = if noticed.is_empty() { TOGETHER } else { TRIES };
            let open = (at..chosen.len())
                .filter(|at| !is_known(&chosen[*at]) && !chosen[*at].needs_check)
                .take(most)
                .collect::<Vec<_>>();
            let some: Vec<&Patch> = open.iter().map(|at| &chosen[*at].patch).collect();
            let told = at_once(bench, scratch, patch, &some, near, until).await?;
            noticed.extend(open.into_iter().zip(told));
        }
        // Where a check counts, it is the failing test's own: what tells of others
        // may have been left alone.
        let is_killed = noticed.get(&at).is_some_and(Option::is_some);
        let fate = match is_killed && is_believed {
            true => Fate::Killed,
            false => fate(bench, scratch, mutant, aim, near, baseline).await?,
        };
        if is_killed && !is_believed {
            // Code that forges results could forge all of that answer at once;
            // in a run of its own it has to notice the mutant.
            is_believed = fate == Fate::Killed;
            if !is_believed {
                noticed = (0..chosen.len()).map(|at| (at, None)).collect();
            }
        }
        let mutant = mutant.clone();
        match fate {
            Fate::Killed => {
                asked.recall.note_killed(&mutant.patch);
                tally.killed.push(mutant);
            }
            Fate::Survived => tally.survived.push(mutant),
            Fate::Unknown => {}
        }
    }
    // Equal results on both ways are no reason to doubt that both are gone;
    // but a decision that the patch itself makes has to matter to somebody.
    for survivor in &tally.survived {
        let Some(other_way) = survivor.other_way.clone() else { continue };
        if survivor.of_patch {
            tally.one_way += 1;
            continue;
        }
        let fault = PatchMutant { patch: other_way, ..survivor.clone() };
        let in_time = Instant::now() <= until;
        if !in_time || fate(bench, scratch, &fault, aim, near, baseline).await? != Fate::Killed {
            tally.one_way += 1;
        }
    }
    let verdict = tally.verdict(patch, floor);
    if verdict.is_ok()
        && let Err(miss) = checks::judge(bench, scratch, patch, aim).await?
    {
        return Ok(Err(miss));
    }
    Ok(verdict)
}

/// Which of the mutants the tests nearest to the patch notice, as far as one
/// test process can tell for all of them.
async fn at_once(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    patch: &Patch,
    mutants: &[&Patch],
    near: &Near,
    until: Instant,
) -> Result<Vec<Option<Noticed>>, TrialError> {
    if mutants.len() < WORTH {
        return Ok(vec![None; mutants.len()]);
    }
    let time = until.saturating_duration_since(Instant::now());
    sieve::noticed(bench, scratch, patch, &near.first, mutants, time).await
}

/// Whether the tests nearest to the patch pass with it when they are run by
/// themselves.
async fn stands(bench: &Bench, scratch: &mut dyn Scratch, patch: &Patch, near: &Near) -> Result<bool, TrialError> {
    scratch.lay(patch)?;
    let report = bench.run(scratch, &bench.request(Selection::Tests(near.first.clone()))).await?;
    Ok(!is_noticed(&report, &near.first))
}

async fn fate(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    mutant: &PatchMutant,
    aim: &Aim,
    near: &Near,
    baseline: &Baseline,
) -> Result<Fate, TrialError> {
    // What is not built or loaded for the target costs more: only survivors
    // are asked there too.
    let both = [near.first.as_slice(), near.rest.as_slice()].concat();
    for tests in [&near.first, &both].into_iter().take(if near.rest.is_empty() { 1 } else { 2 }) {
        scratch.lay(&mutant.patch)?;
        let mut request = bench.request(Selection::Tests(tests.clone()));
        // A run that stops early is never complete, and who forges results
        // could hide behind that.
        request.fail_fast = !mutant.needs_check;
        request.test_limit = (near.slowest * SLOWER).max(SHORTEST).min(request.test_limit);
        let report = bench.run(scratch, &request).await?;
        if build::judge(&report, Some(baseline)).is_err_and(|_| is_compile_error(&report)) {
            return Ok(Fate::Unknown);
        }
        if is_noticed(&report, tests) {
            let by_check = fails_by_check(aim, &report);
            return Ok(if by_check || !mutant.needs_check || !is_checked(aim) { Fate::Killed } else { Fate::Unknown });
        }
    }
    Ok(Fate::Survived)
}

/// Whether a target fails by a check.
pub(super) fn fails_by_check(aim: &Aim, report: &Report) -> bool {
    let is_target = |id: &str| aim.failures.iter().any(|reproduction| reproduction.failure.id == id);
    report.failures().any(|failure| failure.kind == Kind::Assertion && is_target(&failure.id))
}

/// Whether the targets fail by checks of their own, and not by exceptions.
pub(super) fn is_checked(aim: &Aim) -> bool {
    aim.failures.iter().all(|reproduction| reproduction.failure.kind == Kind::Assertion)
}

fn is_compile_error(report: &Report) -> bool {
    report.problems.iter().any(|problem| problem.kind == Kind::CompileError)
}

/// Whether a test told that it failed, or the run died. Tests that are merely
/// not there are no answer: a forged report is short of them too.
fn is_noticed(report: &Report, tests: &[String]) -> bool {
    !report.complete
        || !report.problems.is_empty()
        || tests.iter().any(|id| report.test(id).is_some_and(|test| test.status != Status::Passed))
}

/// What became of the mutants.
#[derive(Debug, Default)]
struct Tally {
    killed: Vec<PatchMutant>,
    survived: Vec<PatchMutant>,
    /// Survivors of a condition that no test takes the other way.
    one_way: usize,
}

impl Tally {
    fn made(&self) -> usize {
        self.killed.len() + self.telling()
    }

    /// Survivors that say something.
    fn telling(&self) -> usize {
        self.survived.iter().filter(|mutant| !mutant.slight).count()
    }

    /// `wanted`: kills that the policy asks for.
    fn is_enough(&self, wanted: usize) -> bool {
        let (killed, survived) = (self.killed.len(), self.telling());
        let sure = survived == 0 && killed >= ENOUGH.max(wanted);
        let hopeless = killed == 0 && survived >= HOPELESS || survived > MOST / 2;
        self.made() >= MOST || sure || hopeless
    }

    /// Whether a mutant is of the code around a patch that has mutants of its
    /// own in the same place.
    fn is_around(&self, mutant: &PatchMutant) -> bool {
        let own = |other: &PatchMutant| other.of_patch && !other.slight && other.hunk == mutant.hunk;
        !mutant.of_patch && self.killed.iter().chain(&self.survived).any(own)
    }

    /// What the code around the patch adds, and the rest alone.
    fn split(&self) -> (Option<Around>, Vec<&PatchMutant>, Vec<&PatchMutant>) {
        let (around, own): (Vec<_>, Vec<_>) = self.killed.iter().partition(|one| self.is_around(one));
        let (killed_around, killed) = (around.len(), own);
        let telling = self.survived.iter().filter(|one| !one.slight);
        let (around, survived): (Vec<_>, Vec<_>) = telling.partition(|one| self.is_around(one));
        let around = Around { mutants: killed_around + around.len(), killed: killed_around };
        ((around.mutants > 0).then_some(around), killed, survived)
    }

    /// The floor: one kill in each hunk that has mutants, half of all, and no
    /// decision that could as well be a constant. A
    /// patch that only takes code away and cannot be measured is below it.
    fn verdict(&self, patch: &Patch, floor: &Applied) -> Result<Option<Strength>, Miss> {
        let (around, killed, survived) = self.split();
        let mutants = killed.len() + survived.len();
        if mutants == 0 {
            let (added, _) = patch.size();
            return if let Some(why) = floor.weakness(None) {
                Err(Miss::new(&GATE, why))
            } else if added == 0 || takes_functions_away(patch) {
                Err(Miss::new(&GATE, "it takes code away, and nothing shows that the tests would notice"))
            } else {
                Ok(None)
            };
        }
        let strength = Strength {
            mutants,
            killed: killed.len(),
            survivors: survived.iter().map(|mutant| words(mutant)).collect(),
            one_way: self.one_way,
            around,
        };
        let bare = survived
            .iter()
            .find(|mutant| !killed.iter().any(|killed| killed.hunk == mutant.hunk))
            .filter(|_| !killed.is_empty());
        let undecided = survived.iter().find(|mutant| mutant.decides);
        let blind = self.survived.iter().find(|mutant| mutant.is_blind && mutant.other_way.is_some());
        let weak = if let Some(PatchMutant { line, .. }) = blind {
            Some(format!("line {line} decides by nothing that its function is given, and the tests know one way only"))
        } else if let Some(mutant) = undecided {
            Some(format!("no test knows more than one answer of line {} of `{}`", mutant.line, mutant.path))
        } else if let Some(mutant) = bare {
            Some(format!("no test notices when line {} of `{}` is changed", mutant.line, mutant.path))
        } else if strength.killed * 2 < mutants {
            Some(format!("the tests notice {} of {mutants} small changes of the patched code", strength.killed))
        } else {
            floor.weakness(Some((strength.killed, mutants)))
        };
        match weak {
            Some(why) => {
                let examples = strength.survivors.iter().take(2).cloned().collect::<Vec<_>>().join("; ");
                let examples = if examples.is_empty() { examples } else { format!(": {examples}") };
                Err(Miss::new(&GATE, format!("{why}{examples}")).with_output(strength.survivors.join("\n")))
            }
            None => Ok(Some(strength)),
        }
    }
}

/// Whether a file has fewer functions and classes after a patch.
fn takes_functions_away(patch: &Patch) -> bool {
    patch.changes().iter().any(|change| {
        let Some(language) = language::of_path(&change.path) else { return false };
        let count = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            language::parse(language, text)
                .definitions()
                .iter()
                .filter(|one| one.kind != DefinitionKind::Constant)
                .count()
        };
        count(&change.after) < count(&change.before)
    })
}

/// A survivor in words.
fn words(mutant: &PatchMutant) -> String {
    format!("{}:{}: nothing checks that {}", mutant.path, mutant.line, mutant.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    fn mutant(hunk: usize) -> PatchMutant {
        PatchMutant {
            patch: Patch::default(),
            hunk,
            words: "`<` is not `<=`".into(),
            decides: false,
            other_way: None,
            is_blind: false,
            of_patch: true,
            slight: false,
            needs_check: false,
            path: RelPath::new("a.py").expect("path"),
            line: 12,
        }
    }

    #[test]
    fn the_floor_is_one_kill_in_each_hunk_and_half_of_all() {
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "a\n", "b\n");
        for (killed, survived, holds) in [
            (vec![0, 0], vec![], true),
            (vec![0, 0], vec![0, 0], true),
            (vec![0], vec![0, 0], false),
            (vec![0, 0, 0], vec![1], false),
            (vec![0, 0, 1], vec![1], true),
            (vec![], vec![0], false),
            (vec![], vec![], true),
        ] {
            let of = |hunks: &[usize]| hunks.iter().map(|hunk| mutant(*hunk)).collect();
            let tally = Tally { killed: of(&killed), survived: of(&survived), one_way: 0 };
            assert_eq!(tally.verdict(&patch, &Applied::default()).is_ok(), holds, "{killed:?} {survived:?}");
        }
        let none = Applied::default();
        let wide = |hunk| PatchMutant { of_patch: false, ..mutant(hunk) };
        let tally = Tally { killed: vec![mutant(0), wide(0)], survived: vec![wide(0), wide(0)], one_way: 0 };
        let strength = tally.verdict(&patch, &none).expect("what stands around is no part of it").expect("measured");
        assert_eq!((strength.mutants, strength.killed), (1, 1));
        assert_eq!(strength.around, Some(Around { mutants: 3, killed: 1 }));
        let text = PatchMutant { slight: true, ..mutant(0) };
        let texts = Tally { killed: vec![mutant(0)], survived: vec![text.clone(), text.clone()], one_way: 0 };
        let strength = texts.verdict(&patch, &none).expect("a text that no test checks says little").expect("measured");
        assert_eq!((strength.mutants, strength.killed, strength.survivors.len()), (1, 1, 0));
        let instead = Tally { killed: vec![wide(0)], survived: vec![text, wide(0), wide(0)], one_way: 0 };
        assert!(instead.verdict(&patch, &none).is_err(), "what stands around is measured in its place");
        let none_of_its_own = Tally { killed: vec![wide(0)], survived: vec![wide(0), wide(0)], one_way: 0 };
        assert!(none_of_its_own.verdict(&patch, &none).is_err());
        let mut strict = Applied::default();
        strict.min_killed.value = 3;
        let two = Tally { killed: vec![mutant(0), mutant(0)], survived: vec![], one_way: 0 };
        let few = two.verdict(&patch, &strict).expect_err("below the floor").detail;
        assert!(few.contains("notice 2 small changes") && two.verdict(&patch, &none).is_ok(), "{few}");
        assert!(Tally::default().verdict(&patch, &strict).is_err(), "nothing was measured");
        let alone = Tally { killed: vec![], survived: vec![mutant(0)], one_way: 0 };
        let weak = alone.verdict(&patch, &none).expect_err("weak");
        assert_eq!(
            weak.detail,
            "the tests notice 0 of 1 small changes of the patched code: a.py:12: nothing checks that `<` is not `<=`"
        );
    }

    #[test]
    fn a_deletion_that_cannot_be_measured_is_weak() {
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), "import a\nb\n", "b\n");
        assert!(Tally::default().verdict(&patch, &Applied::default()).is_err());
        assert_eq!(Tally::default().verdict(&patch.inverse(), &Applied::default()), Ok(None));
    }
}
