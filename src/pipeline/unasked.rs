//! What is proposed before any model is asked: patches of earlier cases, of the
//! compiler, of the history, and of the rules.
//!
//! Decides their order; tries none.

use super::PipelineError;
use super::ended::Proposal;
use super::hunt::Hunt;
use super::reverting;
use super::sieving;
use crate::propose;
use crate::propose::Candidate;
use crate::propose::model::Asker;
use crate::source::RelPath;

impl Hunt<'_> {
    /// Proposes what can be had without a model; says whether that is nothing.
    /// Where that is rules' alone, `asker` is asked at once: whatever they
    /// verify, a model will be.
    ///
    /// # Errors
    /// The tests cannot be run, or the run is to stop.
    pub(super) async fn propose_without_model(&mut self, asker: &mut Option<Asker>) -> Result<bool, PipelineError> {
        let read = |path: &RelPath| self.prepared.text(path);
        let sieves = self.sieves();
        let mut first: Vec<Candidate> = self.known.iter().map(again).collect();
        if !sieves && !first.is_empty() {
            // Where each candidate costs a trial, those of rules wait for what
            // has cured another failure: they would take its time.
            self.propose("rules", std::mem::take(&mut first));
            self.drain(None).await?;
            if self.is_done() {
                return Ok(false);
            }
        }
        first.extend(propose::compiler::propose(&read, &self.case.suggestions));
        let reverts = reverting::candidates(self.prepared, self.case);
        if first.is_empty() && reverts.is_empty() {
            self.ask_at_once(asker);
        }
        let bounds = if sieves { &sieving::RULES } else { self.rules };
        let mut rules = propose::rules::propose(&read, &self.case.diagnosis, bounds);
        if sieves {
            first.extend(reverts);
            let none = first.is_empty() && rules.is_empty();
            self.propose("rules", first);
            self.propose_sieved(rules).await?;
            return Ok(none);
        }
        // The sort is stable: of equals the revert comes first.
        rules.splice(0..0, reverts);
        rules.sort_by(|one, other| other.prior.total_cmp(&one.prior));
        first.extend(rules);
        let none = first.is_empty();
        self.propose("rules", first);
        Ok(none)
    }
}

/// A verified patch of another case, to be tried on this one.
fn again(proposal: &Proposal) -> Candidate {
    Candidate {
        id: String::new(),
        origin: proposal.origin.clone(),
        patch: proposal.patch.clone(),
        explanation: proposal.explanation.clone(),
        prior: 1.0,
    }
}
