//! Passers: candidates of rules that passed the sieve and still wait for their
//! trial when enough has verified.
//!
//! Any of them may be a rival. Those that behave as the verified patch does
//! need no trial; the others get one, so that no rival is missed for lack of
//! time. Judges nothing: a rival is what verifies as well.

use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use super::PipelineError;
use super::hunt::Hunt;
use super::rivals::MOST;
use super::rivals::RULE;
use super::rivals::is_namesake;
use crate::detect::Baseline;
use crate::event::Event;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::runner::Report;
use crate::runner::Status;
use crate::verify::Verdict;
use crate::verify::probe;
use crate::verify::probe::Probe;

/// Passers that are looked at, the likeliest first.
const LOOKED_AT: usize = 30;

/// Wall time for comparing them and for the trials that follow from it: what
/// the longest trial of a verified patch took, so many times, within bounds.
const TRIALS: u32 = 4;
const LEAST: Duration = Duration::from_secs(40);
const LONGEST: Duration = Duration::from_secs(300);

impl Hunt<'_> {
    /// Takes what passed the sieve out of the crew's queue, before that is
    /// thrown away; and what differs from a verified patch in a name alone,
    /// sieved or not: not every runner has a sieve.
    pub(super) fn keep_passers(&mut self) {
        let (passers, proposals) = (&self.passers, &self.ended.proposals);
        let is_rival = |patch: &Patch| proposals.iter().any(|proposal| is_namesake(&proposal.patch, patch));
        let waiting = self.crew.take_waiting(|candidate| {
            passers.contains(&candidate.id) || candidate.origin.kind == RULE && is_rival(&candidate.patch)
        });
        self.untried.extend(waiting);
    }

    /// Tries the passers that behave otherwise than the first verified patch;
    /// how many there was no time for.
    ///
    /// # Errors
    /// The tests cannot be run, or the run is to stop.
    pub(super) async fn try_unlike(&mut self) -> Result<usize, PipelineError> {
        self.keep_passers();
        let Some(best) = self.ended.proposals.first() else { return Ok(0) };
        if self.contested || self.ended.proposals.iter().any(|proposal| proposal.origin.kind != RULE) {
            return Ok(0);
        }
        let best = best.patch.clone();
        let took = self.tried.iter().filter(|tried| matches!(tried.verdict, Verdict::Verified(_)));
        let took = took.map(|tried| tried.took).max().unwrap_or_default();
        let until = Instant::now() + (took * TRIALS).clamp(LEAST, LONGEST);
        // What is on trial already may be a rival as well.
        self.crew.clear();
        self.enough_at = Some(until);
        self.drain(None).await?;
        let mut untried = std::mem::take(&mut self.untried);
        untried.truncate(LOOKED_AT);
        let mut unlike = Vec::new();
        let looked_at = untried.len();
        while !untried.is_empty() && Instant::now() < until {
            let rest = untried.split_off(untried.len().min(MOST - 1));
            let patches: Vec<&Patch> =
                std::iter::once(&best).chain(untried.iter().map(|candidate| &candidate.patch)).collect();
            let probe = self.compared(&patches).await?;
            unlike.extend(differing(&best, untried, &probe));
            untried = rest;
        }
        if unlike.is_empty() {
            return Ok(self.crew.left() + untried.len());
        }
        let what = format!("{} of {looked_at} more that pass behave otherwise", unlike.len());
        self.tools.events.emit(Event::Stage { name: "rivals".into(), what });
        self.crew.clear();
        self.crew.enqueue(unlike, true);
        self.enough_at = Some(until);
        self.drain(None).await?;
        let verified_more = self.ended.proposals.len() > 1;
        // With a rival at hand it is known what there is to know.
        Ok(if verified_more { 0 } else { self.crew.left() + untried.len() })
    }

    /// Compares patches on calls near those of the tests.
    pub(super) async fn compared(&self, patches: &[&Patch]) -> Result<Probe, PipelineError> {
        let near = self.beside_target(|_| true);
        let mut scratch = self.prepared.scratch().await?;
        Ok(probe::compare(&self.prepared.bench, &mut *scratch, &self.case.aim, &near, patches).await?)
    }

    /// The tests next to the target that end in a way that `counts` without a
    /// patch: what they call tells more than the target's own calls.
    pub(super) fn beside_target(&self, counts: impl Fn(Status) -> bool) -> Vec<String> {
        let baseline = self.crew.baseline();
        let known = known(&self.survey.first, baseline.as_deref()).into_iter();
        probe::near(&self.case.aim, known.filter(|(_, status)| counts(*status)).map(|(id, _)| id))
    }
}

/// Every test that was run without a patch: where only some were asked for, the
/// first run shows those alone, and the baseline all others.
fn known<'t>(first: &'t Report, baseline: Option<&'t Baseline>) -> Vec<(&'t str, Status)> {
    let mut tests: Vec<(&str, Status)> = first.tests.iter().map(|test| (test.id.as_str(), test.status)).collect();
    let run: HashSet<&str> = tests.iter().map(|(id, _)| *id).collect();
    let others = baseline.into_iter().flat_map(|baseline| &baseline.tests);
    tests.extend(others.map(|(id, status)| (id.as_str(), *status)).filter(|(id, _)| !run.contains(id)));
    tests
}

/// Of `candidates`, which were compared with `best`, those that are not known
/// to behave as it does, and those that differ in a name alone.
fn differing(best: &Patch, candidates: Vec<Candidate>, probe: &Probe) -> impl Iterator<Item = Candidate> {
    let alike: Vec<usize> = probe.clusters.iter().find(|cluster| cluster.contains(&0)).cloned().unwrap_or_default();
    let is_open = move |index: usize, one: &Candidate| !alike.contains(&(index + 1)) || is_namesake(best, &one.patch);
    candidates.into_iter().enumerate().filter(move |(index, one)| is_open(*index, one)).map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::Origin;
    use crate::runner::TestResult;

    #[test]
    fn beside_a_test_that_was_asked_for_stand_those_that_the_baseline_knows() {
        let test = |id: &str, status: Status| TestResult {
            id: id.into(),
            status,
            took: Duration::ZERO,
            failure: None,
            executed: vec![],
        };
        let asked_for = Report { tests: vec![test("t", Status::Failed)], ..Report::default() };
        let all = Report {
            tests: vec![test("t", Status::Failed), test("b", Status::Passed), test("a", Status::Passed)],
            ..Report::default()
        };
        let mut baseline = Baseline::default();
        for (id, status) in [("a", Status::Passed), ("b", Status::Passed), ("c", Status::Failed), ("t", Status::Failed)]
        {
            baseline.tests.insert(id.into(), status);
        }
        for (first, baseline, wanted) in [
            (&asked_for, Some(&baseline), "tabc"),
            (&asked_for, None, "t"),
            (&all, Some(&baseline), "tbac"),
            (&all, None, "tba"),
        ] {
            let ids: String = known(first, baseline).into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, wanted);
        }
    }

    #[test]
    fn only_what_is_known_to_be_alike_is_spared_a_trial() {
        let candidate = |id: &str| Candidate {
            id: id.into(),
            origin: Origin { kind: RULE.into(), name: "r".into() },
            patch: Patch::default(),
            explanation: String::new(),
            prior: 1.0,
        };
        let candidates = || ["a", "b", "c", "d"].map(candidate).to_vec();
        let ids = |probe: &Probe| {
            differing(&Patch::default(), candidates(), probe).map(|candidate| candidate.id).collect::<String>()
        };
        // The third could not be probed.
        let probe = Probe { clusters: vec![vec![0, 1], vec![2, 4]], ..Probe::default() };
        assert_eq!(ids(&probe), "bcd");
        let probe = Probe { clusters: vec![vec![0, 1, 2, 3, 4]], ..Probe::default() };
        assert_eq!(ids(&probe), "");
        // Where nothing could be compared all are tried.
        assert_eq!(ids(&Probe::default()), "abcd");
        // Another name is another thing, whatever the calls show.
        let of = |name: &str| {
            let path = crate::source::RelPath::new("a.py").expect("path");
            Patch::of_file(path, "def f(a):\n    return a\n", format!("def f(a):\n    return {name}\n"))
        };
        let named = Candidate { patch: of("c"), ..candidate("e") };
        let probe = Probe { clusters: vec![vec![0, 1, 2]], ..Probe::default() };
        let open: Vec<String> =
            differing(&of("b"), vec![candidate("a"), named], &probe).map(|candidate| candidate.id).collect();
        assert_eq!(open, ["e"]);
    }
}
