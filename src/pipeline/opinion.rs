//! A second opinion on what rules have verified.
//!
//! A rule guesses: of its patches that every test let through, several were
//! wrong on faults whose other tests were hidden. Where a model is at hand it
//! is asked once; what it writes too is believed for two reasons, and what it
//! writes instead, if that verifies, takes the rule's place. Runs nothing.

use super::PipelineError;
use super::hunt::Hunt;
use super::reason::Reason;
use super::rivals;
use crate::propose::model::Asker;

impl Hunt<'_> {
    /// Whether to ask: nothing has verified, or only what rules guessed. A
    /// person is not bothered where there is a patch.
    pub(super) fn wants_opinion(&self, asker: &Asker) -> bool {
        !self.is_done() || (rivals::is_guess(&self.ended) && !asker.is_by_hand())
    }

    /// Whether something has verified.
    pub(super) fn is_done(&self) -> bool {
        !self.ended.proposals.is_empty()
    }

    /// Whether something has verified that is no guess of a rule's.
    pub(super) fn is_answered(&self) -> bool {
        self.is_done() && !rivals::is_guess(&self.ended)
    }

    /// Asks; what rules have verified becomes leads where a model's patch has.
    ///
    /// # Errors
    /// As for [`Hunt::ask`].
    pub(super) async fn ask_for_opinion(&mut self, asker: Asker) -> Result<Option<Reason>, PipelineError> {
        self.is_asking = true;
        let reason = self.ask(asker).await?;
        self.is_asking = false;
        if self.is_answered() {
            rivals::demote(&mut self.ended, "a model's patch is another change, and passes as well");
        }
        Ok(reason)
    }
}
