//! Rivals: patches of rules that pass every test and behave differently.
//!
//! A rule knows nothing of what the code is for: where the tests let two of
//! them through that differ, none is better than a guess. On past bugs of real
//! projects `if maxsplit == 0:` became `if maxsplit == 1:` and eleven other
//! things, all of which passed. Asks the probe and takes back what it tells
//! apart; a model may still decide.

mod names;
mod partial;
mod silenced;

use super::PipelineError;
use super::ended::Ended;
use super::hunt::Hunt;
use super::workers::MODEL;
use crate::event::Event;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::report::LeadReport;
use crate::verify;
use crate::verify::Evidence;
use crate::verify::Miss;
use crate::verify::Proved;
use crate::verify::probe::Difference;

/// The kind of a rule's candidates.
pub(super) const RULE: &str = "rule";

/// Characters of a call or an outcome that are shown.
const SHOWN: usize = 120;

/// Mutants of its own that the tests must notice.
const LEAST_KILLED: usize = 2;

/// Patches that are compared: the probe's time is shared among them.
pub(super) const MOST: usize = 6;

impl Hunt<'_> {
    /// Takes back the verified patches of rules where they differ: they become
    /// leads, with a call that would decide between them.
    ///
    /// # Errors
    /// The tests cannot be run, or the run is to stop.
    pub(super) async fn settle_rivals(&mut self) -> Result<(), PipelineError> {
        self.settled = false;
        self.take_back_rivals().await?;
        let before = self.ended.proposals.len();
        let left = self.try_unlike().await?;
        if self.ended.proposals.len() > before {
            self.take_back_rivals().await?;
        }
        if left > 0 && is_guess(&self.ended) {
            let detail = format!(
                "{left} more changes pass the failing test and behave otherwise; there was no time to try them on the suite"
            );
            self.take_back(&detail);
        }
        self.settled = true;
        Ok(())
    }

    async fn take_back_rivals(&mut self) -> Result<(), PipelineError> {
        let proposals = &self.ended.proposals;
        // With a patch of another source at hand there is more than a guess.
        if proposals.len() < 2 || proposals.iter().any(|proposal| proposal.origin.kind != RULE) {
            return Ok(());
        }
        let patches: Vec<&Patch> = proposals.iter().take(MOST).map(|proposal| &proposal.patch).collect();
        self.tools.events.emit(Event::Stage { name: "rivals".into(), what: format!("{} patches", patches.len()) });
        let compared = self.compared(&patches).await?;
        let detail = match compared.differences.first() {
            Some(difference) => Some(words(patches.len(), compared.clusters.len(), difference)),
            None => namesakes(&patches),
        };
        if let Some(detail) = detail {
            self.take_back(&detail);
        }
        Ok(())
    }

    fn take_back(&mut self, detail: &str) {
        self.tools.events.note(detail.to_owned());
        demote(&mut self.ended, detail);
        self.contested = true;
        self.enough_at = None;
        // What waits is of rules as well, and would be one rival more.
        self.crew.clear();
        self.untried.clear();
    }

    /// Brings forward what changes the same lines as a verified patch of a
    /// rule: where one change of a line passes by chance, so do others. A
    /// model's patches stay before them: one that verifies spares them.
    pub(super) fn call_rivals(&self, candidate: &Candidate) {
        if candidate.origin.kind == RULE {
            let touched = candidate.patch.touched_before();
            self.crew.bring_forward(|other| other.origin.kind == RULE && other.patch.touched_before() == touched);
            self.crew.bring_forward(|other| other.origin.kind == MODEL);
        }
    }

    /// Why a rule's verified candidate is not believed.
    pub(super) fn doubt(&self, candidate: &Candidate, proved: &Proved) -> Option<Miss> {
        if candidate.origin.kind != RULE {
            return None;
        }
        let miss = |gate: &str, detail: String| Miss { gate: gate.to_owned(), detail, output: String::new() };
        if self.contested {
            return Some(miss(verify::RIVALS, "another of several changes that pass every test".to_owned()));
        }
        let frames = self.case.aim.failures.iter().map(|one| &one.failure.frames);
        if frames.into_iter().any(|frames| silenced::is_silenced(&candidate.patch, frames)) {
            let detail = "the code raises this error on purpose, and the change only keeps it from doing so here";
            return Some(miss(verify::special::GATE.name, detail.to_owned()));
        }
        let own = self.case.aim.failures.iter().map(|one| one.failure.id.as_str());
        let cured: Vec<&str> = own.chain(proved.cured.iter().map(String::as_str)).collect();
        if let Some(left) = partial::left_failing(&proved.patch, &self.survey.reproductions, &cured) {
            let detail = format!("`{left}` fails as well, runs what the change changes, and goes on failing");
            return Some(miss(verify::RIVALS, detail));
        }
        weakness(&proved.evidence, proved.cured.len()).map(|detail| miss(verify::strength::GATE.name, detail))
    }
}

/// What is said where two of the patches differ in a name alone. Calls that
/// give the same with both do not make two names one: where all of them leave
/// two options at their defaults, either does for the other.
fn namesakes(patches: &[&Patch]) -> Option<String> {
    let pairs =
        patches.iter().enumerate().flat_map(|(at, one)| patches[at + 1..].iter().map(move |other| (one, other)));
    let (one, other) = pairs.filter_map(|(one, other)| names::differing(one, other)).next()?;
    Some(format!("with `{one}` or with `{other}`, every test passes, and nothing shows which of the two is meant"))
}

/// Whether a change differs from `best` in a name alone.
pub(super) fn is_namesake(best: &Patch, other: &Patch) -> bool {
    names::differing(best, other).is_some()
}

/// Whether all that verified are changes of rules, of which nobody knows
/// whether another one would have done as well.
pub(super) fn is_guess(ended: &Ended) -> bool {
    !ended.proposals.is_empty() && ended.proposals.iter().all(|proposal| proposal.origin.kind == RULE)
}

/// Takes back what verified where the hunt was stopped before its rivals were
/// known.
pub(super) fn demote_unsettled(ended: &mut Ended) {
    if is_guess(ended) {
        demote(ended, "the run was stopped before it was known what else passes every test");
    }
}

/// Makes leads of the verified patches of rules.
pub(super) fn demote(ended: &mut Ended, detail: &str) {
    let (guesses, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut ended.proposals).into_iter().partition(|proposal| proposal.origin.kind == RULE);
    ended.proposals = others;
    for proposal in guesses {
        ended.leads.push(LeadReport {
            source: proposal.origin,
            diff: proposal.patch.diff(),
            missed: verify::RIVALS.to_owned(),
            detail: detail.to_owned(),
        });
    }
    ended.leads.sort_by_key(|lead| lead.missed != verify::RIVALS);
    ended.counts.verified = ended.proposals.len();
}

/// Why evidence that would do for others does not for a rule, which knows
/// nothing of the code's purpose: no mutant was measured or half of them live,
/// a branch of it is taken one way only, of all tests only the failing one runs
/// what it changes, or a single mutant is all that was noticed. `cured`: tests that failed before and pass now.
fn weakness(evidence: &Evidence, cured: usize) -> Option<String> {
    let Some(strength) = &evidence.strength else {
        return Some(
            "nothing shows how strongly the tests hold it: no small change of it could be measured".to_owned(),
        );
    };
    let survivors = strength.survivors.join("; ");
    if strength.one_way > 0 {
        return Some(format!("the tests take a branch of it one way only, or both to the same end: {survivors}"));
    }
    if evidence.witnesses == Some(0) && cured < 2 {
        return Some("only the failing test runs the statement it changes; no other test speaks for it".to_owned());
    }
    if strength.killed * 2 <= strength.mutants {
        return Some(survivors);
    }
    // Of seeded and past bugs, near half of the patches that rest on a single
    // mutant were wrong, whatever the tests noticed around them.
    let around = strength.around.unwrap_or_default();
    // But where the patch is all there is of the function, and several tests
    // say so, there is nothing more to measure.
    if strength.killed >= LEAST_KILLED || around.mutants == 0 && cured > 1 {
        return None;
    }
    Some(match around.mutants {
        0 => "a single small change of it could be measured, and none of the code around it".to_owned(),
        of => format!(
            "a single small change of it could be measured, which says little; of those around it the tests notice {} \
             of {of}",
            around.killed
        ),
    })
}

/// What the probe found, and what would decide.
fn words(patches: usize, clusters: usize, difference: &Difference) -> String {
    let (one, other) = (head(&difference.outcomes.0.to_string()), head(&difference.outcomes.1.to_string()));
    let call = head(&difference.call);
    format!(
        "{patches} changes pass every test and behave in {clusters} ways: `{call}` {one} with one, {other} with another; a test of that call would decide"
    )
}

/// Values of a few hundred characters say no more than their beginning.
fn head(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ended::Proposal;
    use super::*;
    use crate::propose::Origin;
    use crate::runner::probe::Outcome;
    use crate::verify::Strength;

    fn evidence(killed: usize, mutants: usize, one_way: usize, witnesses: Option<usize>) -> Evidence {
        let survivors = vec!["`a` is ever `True`".into()];
        let strength = Some(Strength { mutants, killed, survivors, one_way, around: None });
        Evidence { strength, witnesses, agreement: 1, ..Evidence::default() }
    }

    /// One mutant of its own, noticed, and those around it.
    fn with_around(killed: usize, mutants: usize) -> Evidence {
        let mut evidence = evidence(1, 1, 0, Some(3));
        if let Some(strength) = &mut evidence.strength {
            strength.around = Some(verify::Around { mutants, killed });
        }
        evidence
    }

    #[test]
    fn of_a_rule_more_is_asked_than_of_what_knows_the_purpose() {
        for (evidence, cured, doubted) in [
            (evidence(5, 5, 0, Some(3)), 1, None),
            (evidence(5, 5, 0, None), 1, None),
            (evidence(2, 4, 0, Some(3)), 1, Some("`a` is ever `True`")),
            (evidence(5, 6, 1, Some(3)), 1, Some("one way only")),
            (evidence(5, 5, 0, Some(0)), 1, Some("only the failing test")),
            (evidence(5, 5, 0, Some(0)), 2, None),
            (Evidence { strength: None, ..evidence(0, 0, 0, Some(3)) }, 1, Some("nothing shows")),
            (evidence(1, 1, 0, Some(3)), 1, Some("none of the code around it")),
            (evidence(1, 1, 0, Some(3)), 2, None),
            (with_around(4, 4), 1, Some("notice 4 of 4")),
            (with_around(3, 4), 2, Some("notice 3 of 4")),
        ] {
            let found = weakness(&evidence, cured);
            assert_eq!(found.is_some(), doubted.is_some(), "{found:?}");
            assert!(found.unwrap_or_default().contains(doubted.unwrap_or_default()));
        }
    }

    #[test]
    fn a_rules_patch_whose_rivals_nobody_has_looked_for_is_a_lead() {
        let proposal = |kind: &str| Proposal {
            id: None,
            origin: Origin { kind: kind.into(), name: "x".into() },
            patch: Patch::default(),
            explanation: String::new(),
            evidence: evidence(5, 5, 0, Some(3)),
            prior: 1.0,
        };
        for (kinds, taken_back) in [(vec!["rule"], true), (vec!["rule", "model"], false), (vec!["model"], false)] {
            let proposals = kinds.iter().map(|kind| proposal(kind)).collect::<Vec<_>>();
            let mut ended = Ended { proposals, ..Ended::default() };
            demote_unsettled(&mut ended);
            assert_eq!(
                (ended.proposals.is_empty(), ended.leads.len()),
                (taken_back, usize::from(taken_back)),
                "{kinds:?}"
            );
        }
    }

    #[test]
    fn the_call_that_would_decide_is_named() {
        let difference = Difference {
            clusters: (0, 1),
            patches: (0, 2),
            call: "split_iter([], None, 1)".into(),
            outcomes: (Outcome::Yields("[[]]".into()), Outcome::Yields("[]".into())),
            original: Outcome::Yields("[]".into()),
        };
        assert_eq!(
            words(3, 2, &difference),
            "3 changes pass every test and behave in 2 ways: `split_iter([], None, 1)` yields [[]] with one, yields [] \
             with another; a test of that call would decide"
        );
        let long = Difference { call: format!("f('{}')", "é".repeat(500)), ..difference };
        assert!(words(3, 2, &long).chars().count() < 300, "a call is shown by its beginning");
    }
}
