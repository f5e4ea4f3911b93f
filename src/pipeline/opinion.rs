//! A second opinion on what rules have verified.
//!
//! A rule guesses: of its patches that every test let through, several were
//! wrong on faults whose other tests were hidden. Where a model is at hand it
//! is asked once; what it writes too is believed for two reasons, and what it
//! writes instead, if that verifies, takes the rule's place. Runs nothing.

use super::PipelineError;
use super::asking::Question;
use super::hunt::Hunt;
use super::reason::Reason;
use super::rivals;
use super::workers::MODEL;
use crate::propose::model::Asker;

impl Hunt<'_> {
    /// Sends the first question on its way, unless a person would be asked,
    /// who is not bothered before rules have been tried.
    pub(super) fn ask_at_once(&mut self, asker: &mut Option<Asker>) {
        if let Some(asker) = asker.take_if(|asker| !asker.is_by_hand()) {
            self.flight = Some(self.take_off(asker, Vec::new()));
        }
    }

    /// Waits for what is on trial and no rule's guess, a change taken back or a
    /// compiler's suggestion: if it verifies, as it often does, the question is
    /// spared. What only waits in the queue spares none.
    ///
    /// # Errors
    /// As for [`Hunt::drain`].
    pub(super) async fn await_surer(&mut self) -> Result<(), PipelineError> {
        let is_surer = |kind: &str| kind != rivals::RULE && kind != MODEL;
        let before = self.tried.len();
        let pending = self.crew.on_trial(is_surer);
        let done =
            |hunt: &Self| hunt.tried[before..].iter().filter(|tried| is_surer(&tried.candidate.origin.kind)).count();
        while !self.is_done() && done(self) < pending && (self.crew.on_trial(is_surer) > 0 || self.unread()) {
            let Some(result) = self.next_result(None).await? else { break };
            self.record(result);
        }
        Ok(())
    }

    /// What is to be asked, if anything.
    pub(super) fn question(&mut self, asker: Option<Asker>) -> Option<Question> {
        let question = self.flight.take().map(Question::Asked).or(asker.map(|asker| Question::Next(Box::new(asker))));
        question.filter(|question| self.wants_opinion(question))
    }

    /// Whether to ask: nothing has verified, or only what rules guessed. A
    /// person is not bothered where there is a patch; who was asked is heard.
    fn wants_opinion(&self, question: &Question) -> bool {
        let is_bothered = match question {
            Question::Asked(_) => return true,
            Question::Next(asker) => asker.is_by_hand(),
        };
        !self.is_done() || (rivals::is_guess(&self.ended) && !is_bothered)
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
    pub(super) async fn ask_for_opinion(&mut self, question: Question) -> Result<Option<Reason>, PipelineError> {
        self.is_asking = true;
        let reason = self.ask(question).await?;
        self.is_asking = false;
        if self.is_answered() {
            rivals::demote(&mut self.ended, "a model's patch is another change, and passes as well");
        }
        Ok(reason)
    }
}
