//! Asks models about one failure, call by call.
//!
//! Keeps every reply before it uses it; never sends a prompt whose answer is
//! kept; never sends a call whose worst case passes a cap.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::Answer;
use super::AskError;
use super::Config;
use super::Estimate;
use super::Feedback;
use super::Unusable;
use super::budget::Budget;
use super::prompt;
use super::reading::Reading;
use super::redact::Redactor;
use super::reply;
use super::reply::Arriving;
use super::strategy::Brought;
use super::strategy::Call;
use super::strategy::Step;
use super::strategy::Strategy;
use super::voice::Told;
use super::voice::Voice;
use crate::diagnose::Diagnosis;
use crate::diagnose::Slice;
use crate::event::Event;
use crate::event::Events;
use crate::interrupt::Interrupt;
use crate::propose::Candidate;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Usage;
use crate::propose::provider::replay;
use crate::propose::provider::replay::ReplyStore;
use crate::source::RelPath;

/// Asks about one failure; a new one is made for each.
pub struct Asker {
    /// The models, in the order they were named.
    voices: Vec<Voice>,
    events: Events,
    strategy: Strategy,
    /// Whom the last call asked.
    asked: usize,
    /// What the last replies held that could not be tried.
    unusable: Vec<Unusable>,
    /// Digests of the patches proposed so far.
    proposed: HashSet<String>,
    /// What the models asked to see beside the slice.
    seen: Slice,
    /// Who gets candidates of a reply that is still arriving.
    early: Option<UnboundedSender<Candidate>>,
}

impl Asker {
    /// Makes an asker for one failure. `budget` is the run's: its clones are
    /// one account.
    ///
    /// # Errors
    /// The model is `none`, or its client cannot be made.
    pub fn new(
        config: Config,
        events: Events,
        interrupt: Interrupt,
        store: Arc<dyn ReplyStore>,
        budget: Budget,
    ) -> Result<Asker, AskError> {
        let strategy = Strategy::new(config.rounds);
        let voices = vec![Voice::new(config, events.clone(), interrupt, store, budget)?];
        let (unusable, proposed) = (Vec::new(), HashSet::new());
        Ok(Asker { voices, events, strategy, asked: 0, unusable, proposed, seen: Slice::default(), early: None })
    }

    /// Adds a model, to be asked where those before it did not help.
    ///
    /// # Errors
    /// As for [`Asker::new`].
    pub fn and(mut self, config: Config, store: Arc<dyn ReplyStore>) -> Result<Asker, AskError> {
        let voice = self.voices[0].beside(config, store)?;
        self.voices.push(voice);
        self.strategy.add_model();
        Ok(self)
    }

    /// Whether a person answers.
    pub fn is_by_hand(&self) -> bool {
        self.voices[0].config.model.kind() == ProviderKind::Manual
    }

    /// Hands candidates over as soon as they are whole, while the rest of the
    /// reply is on its way; they are not among the answer's. They may be put on
    /// trial, but nothing is to be concluded from them before [`Asker::ask`]
    /// has returned: only then the reply is in the record.
    pub fn tell(&mut self, early: UnboundedSender<Candidate>) {
        self.early = Some(early);
    }

    /// Shows in all further calls what the last answer asked to see.
    pub fn show(&mut self, asked_for: Slice) {
        self.strategy.show(asked_for.parts.len());
        self.seen.parts.extend(asked_for.parts);
        self.seen.dropped.extend(asked_for.dropped);
    }

    /// What has been shown beside the slice.
    pub fn seen(&self) -> &Slice {
        &self.seen
    }

    /// The step of the call that [`Asker::ask`] would make with this feedback.
    pub fn next_step(&self, feedback: &[Feedback]) -> Step {
        self.next_call(feedback).map_or(Step::Stop, |call| call.step)
    }

    fn next_call(&self, feedback: &[Feedback]) -> Option<Call> {
        let has_passing = feedback.iter().any(Feedback::passes);
        self.strategy.next_call(!feedback.is_empty() || !self.unusable.is_empty(), has_passing)
    }

    /// Passes over the model of the last call, which gave no answer; returns
    /// its name.
    pub fn pass_over(&mut self) -> String {
        self.strategy.pass_over(self.asked);
        self.voices[self.asked].config.model.to_string()
    }

    /// Makes the next call. `read` gives a file of the snapshot; `feedback` is
    /// what became of the candidates of *all* earlier calls for this failure.
    ///
    /// # Errors
    /// No call is left, a cap would be passed, or there was no answer; a later
    /// call makes the same step again, unless the model is passed over.
    pub async fn ask(
        &mut self,
        diagnosis: &Diagnosis,
        read: &(dyn Fn(&RelPath) -> Option<String> + Sync),
        feedback: &[Feedback],
    ) -> Result<Answer, AskError> {
        let call = self.next_call(feedback).ok_or(AskError::Exhausted)?;
        self.asked = call.model;
        let voice = &mut self.voices[call.model];
        let mut redactor = Redactor::new(&voice.config.secrets);
        let told = Told { feedback, unusable: &self.unusable, seen: Some(&self.seen) };
        let prompt = voice.prompt(diagnosis, call.step, &told, &mut redactor)?;
        let named = voice.config.model.to_string();
        let mut reading = Reading {
            named: &named,
            digest: &prompt.digest,
            diagnosis,
            seen: &self.seen,
            read,
            redactor: &redactor,
            proposed: &mut self.proposed,
            count: 0,
        };
        let (reply, paid) = match voice.store.find(&prompt.digest) {
            Some(kept) => (replay::from_stored(&kept), None),
            None => {
                let mut arriving = Arriving::default();
                let mut hear = |text: &str| {
                    let Some(early) = &self.early else { return };
                    for said in arriving.more(text) {
                        // What cannot be used is told of when all of it is here.
                        if let Ok(Some(candidate)) = reading.candidate(&said) {
                            // Whoever listened has gone away: so will this call.
                            let _ = early.send(candidate);
                        }
                    }
                };
                let (reply, usage, usd) = voice.paid_reply(&prompt, &mut hear).await?;
                (reply, Some((usage, usd)))
            }
        };
        let (usage, usd) = paid.unwrap_or((Usage::default(), Some(0.0)));
        let mut answer = Answer {
            step: call.step,
            candidates: Vec::new(),
            unusable: Vec::new(),
            wanted: Vec::new(),
            no_fix: None,
            stop: reply.stop,
            usage,
            usd,
            model: reply.model.clone(),
            reply_digest: prompt::digest_of(&[&reply.text]),
            from_record: paid.is_none(),
        };
        self.events.emit(Event::Answered {
            model: named.clone(),
            input_tokens: usage.all_input(),
            output_tokens: usage.output,
            usd,
            reply: answer.reply_digest.clone(),
        });
        reading.take(&reply, &mut answer);
        let brought = Brought {
            candidates: reading.count,
            unusable: answer.unusable.len(),
            seen: 0,
            says_no_fix: answer.no_fix.is_some(),
        };
        self.strategy.record(call, brought);
        self.unusable.extend(answer.unusable.iter().cloned());
        Ok(answer)
    }

    /// Every byte of text that the first call would send, where to, and what it
    /// costs at most.
    ///
    /// # Errors
    /// A template of the user's own that does not render.
    pub fn preview(&self, diagnosis: &Diagnosis) -> Result<String, AskError> {
        let voice = &self.voices[0];
        let config = &voice.config;
        let mut redactor = Redactor::new(&config.secrets);
        let prompt = voice.prompt(diagnosis, Step::First, &Told::default(), &mut redactor)?;
        let estimate = voice.estimate_of(&prompt);
        let to = config.address().map_or_else(|| config.model.to_string(), |url| format!("{} at {url}", config.model));
        let cost = estimate.usd.map_or_else(|| "unknown price".to_owned(), |usd| format!("at most {usd:.4} USD"));
        let dropped: String = diagnosis.slice.dropped.iter().map(|what| format!("left out: {what}\n")).collect();
        let headers: String =
            config.connection.headers.iter().map(|(name, value)| format!("with: {name}: {value}\n")).collect();
        Ok(format!(
            "to: {to}\n{headers}size: about {} tokens, {} bytes; answer at most {} tokens; {cost}\nsecrets redacted: {}\n{dropped}\n--- system\n{}\n--- user\n{}\n--- form of the answer\n{}\n",
            estimate.input_tokens,
            prompt.system.len() + prompt.user.len(),
            estimate.max_output_tokens,
            redactor.count(),
            prompt.system,
            prompt.user,
            reply::schema(),
        ))
    }

    /// What the first call takes at worst.
    ///
    /// # Errors
    /// As for [`Asker::preview`].
    pub fn estimate(&self, diagnosis: &Diagnosis) -> Result<Estimate, AskError> {
        let voice = &self.voices[0];
        let mut redactor = Redactor::new(&voice.config.secrets);
        Ok(voice.estimate_of(&voice.prompt(diagnosis, Step::First, &Told::default(), &mut redactor)?))
    }
}
