//! One model that can be asked: its prompts, the caps on its calls, and the
//! way to it.
//!
//! Sends what it is told to, and keeps the reply before it hands it on; never
//! decides which model is asked, nor reads patches.

use std::sync::Arc;
use std::time::Instant;

use super::AskError;
use super::Config;
use super::Estimate;
use super::Feedback;
use super::Unusable;
use super::budget::Budget;
use super::budget::Worst;
use super::prompt;
use super::prompt::Attempt;
use super::prompt::Prompt;
use super::redact::Redactor;
use super::reply;
use super::strategy::Step;
use super::wire::Wire;
use crate::diagnose::Diagnosis;
use crate::diagnose::Slice;
use crate::event::Event;
use crate::event::Events;
use crate::interrupt::Interrupt;
use crate::propose::provider::Incoming;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Reply;
use crate::propose::provider::Usage;
use crate::propose::provider::replay;
use crate::propose::provider::replay::ReplyStore;

/// Tokens of an answer between two words on its progress.
const EVERY: u64 = 200;

/// Hears the text of a reply, all that has come of it.
pub(super) type Arriving<'a> = dyn FnMut(&str) + Send + 'a;

/// Bytes of all that is sent for a prompt.
fn bytes_of(prompt: &Prompt) -> u64 {
    (prompt.system.len() + prompt.user.len() + reply::schema().to_string().len()) as u64
}

/// A model that can be asked.
pub(super) struct Voice {
    pub(super) config: Config,
    pub(super) store: Arc<dyn ReplyStore>,
    events: Events,
    interrupt: Interrupt,
    budget: Budget,
    wire: Wire,
}

/// What a later call tells beside the diagnosis.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    /// What became of the candidates of all earlier calls.
    pub(super) feedback: &'a [Feedback],
    /// What earlier replies held that could not be tried.
    pub(super) unusable: &'a [Unusable],
    /// What the models asked to see.
    pub(super) seen: Option<&'a Slice>,
}

impl Voice {
    pub(super) fn new(
        config: Config,
        events: Events,
        interrupt: Interrupt,
        store: Arc<dyn ReplyStore>,
        budget: Budget,
    ) -> Result<Voice, AskError> {
        if config.model.kind() == ProviderKind::None {
            return Err(AskError::NoModel);
        }
        let wire = Wire::new(&config, interrupt.clone(), events.clone())?;
        Ok(Voice { config, store, events, interrupt, budget, wire })
    }

    /// Another model, on the same account.
    pub(super) fn beside(&self, config: Config, store: Arc<dyn ReplyStore>) -> Result<Voice, AskError> {
        Voice::new(config, self.events.clone(), self.interrupt.clone(), store, self.budget.clone())
    }

    /// The prompt of a step.
    pub(super) fn prompt(
        &self,
        diagnosis: &Diagnosis,
        step: Step,
        told: &Told<'_>,
        redactor: &mut Redactor,
    ) -> Result<Prompt, AskError> {
        let tried = told.feedback.iter().map(attempt);
        let unusable = told.unusable.iter().map(|unusable| Attempt {
            idea: unusable.root_cause.clone(),
            change: unusable.change.clone(),
            missed: format!("could not be used: {}", unusable.reason),
            output: String::new(),
            passes: false,
        });
        let attempts: Vec<Attempt> = unusable.chain(tried).collect();
        let named = self.config.model.to_string();
        let request = prompt::Request {
            diagnosis,
            step,
            candidates: self.config.candidates,
            attempts: &attempts,
            seen: told.seen,
            asked: self.config.recorded_as.as_deref().unwrap_or(&named),
        };
        Ok(prompt::render(&self.config.templates, &request, redactor, &self.config.nonce_key)?)
    }

    pub(super) fn estimate_of(&self, prompt: &Prompt) -> Estimate {
        let max_output_tokens = self.config.max_output_tokens;
        Estimate { input_tokens: bytes_of(prompt) / 4, max_output_tokens, usd: self.worst(prompt).usd }
    }

    /// A token of dense code is two bytes at least; the whole input may be
    /// written to a cache.
    fn worst(&self, prompt: &Prompt) -> Worst {
        let usage = Usage { written: bytes_of(prompt) / 2, output: self.config.max_output_tokens, ..Usage::default() };
        Worst { tokens: usage.total(), usd: usd(&self.config, &usage) }
    }

    /// Sends the prompt within the caps and keeps the reply; `arriving` is told
    /// the text that has come so far.
    pub(super) async fn paid_reply(
        &mut self,
        prompt: &Prompt,
        arriving: &mut Arriving<'_>,
    ) -> Result<(Reply, Usage, Option<f64>), AskError> {
        let named = self.config.model.to_string();
        self.config.breaker.check(&named, Instant::now())?;
        let counts = self.config.model.uses_network() || self.config.model.may_cost();
        let worst = if counts { self.worst(prompt) } else { Worst::NOTHING };
        let hold = self.budget.hold(worst)?;
        if worst.usd.is_none() && !self.budget.spent().has_unpriced {
            let name = self.config.model.name();
            self.events
                .note(format!("the price of `{name}` is not known (set it: [price] in config.toml): --max-cost cannot hold, only --max-tokens does"));
        }
        let input_tokens = self.estimate_of(prompt).input_tokens;
        self.events.emit(Event::Asked {
            model: named.clone(),
            call: self.budget.spent().calls + 1,
            input_tokens: input_tokens as usize,
            prompt: prompt.digest.clone(),
            worst_tokens: worst.tokens,
            worst_usd: worst.usd,
        });
        let mut told = 0;
        let (config, events) = (&self.config, &self.events);
        let mut heard = |incoming: &Incoming| {
            arriving(incoming.text());
            let output_tokens = incoming.output_tokens();
            if output_tokens < told + EVERY {
                return;
            }
            told = output_tokens;
            let usd = usd(config, &Usage { input: input_tokens, output: output_tokens, ..Usage::default() });
            events.emit(Event::Answering { model: config.model.to_string(), output_tokens, usd });
        };
        let exchanged = self.wire.exchange(config, prompt, &mut heard).await;
        config.breaker.record(&named, exchanged.as_ref().map(|_| ()), Instant::now());
        let reply = match exchanged {
            Ok(reply) => reply,
            Err(error) => {
                let may_be_billed = error.may_be_billed();
                match may_be_billed {
                    true => hold.settle_lost(),
                    false => hold.release(),
                }
                events.emit(Event::Unanswered { model: named, why: error.to_string(), may_be_billed });
                return Err(error.into());
            }
        };
        // A server that does not say is taken to have used what was estimated.
        let usage = reply.usage.unwrap_or_else(|| Usage {
            input: self.estimate_of(prompt).input_tokens,
            output: reply.text.len() as u64 / 4,
            ..Usage::default()
        });
        let usd = usd(&self.config, &usage);
        hold.settle(usage, usd);
        let asked = self.config.model.to_string();
        let kept = self.store.keep(&prompt.digest, &asked, &prompt.whole(), &replay::to_stored(&reply));
        kept.map_err(|reason| AskError::NotKept { reason })?;
        Ok((reply, usage, usd))
    }
}

/// What `usage` costs; `None` where the price is not known.
fn usd(config: &Config, usage: &Usage) -> Option<f64> {
    match config.model.may_cost() {
        true => config.prices.usd(config.model.name(), usage),
        false => Some(0.0),
    }
}

/// What became of a candidate, as the model is told. Of one that the tests
/// check too little nothing more is said: a model that knows which mutants
/// survived writes a patch that they would not survive in, not a better one.
fn attempt(feedback: &Feedback) -> Attempt {
    let passes = feedback.passes();
    Attempt {
        idea: feedback.candidate.explanation.clone(),
        change: feedback.candidate.patch.diff(),
        missed: match passes {
            true => "the tests pass with it, but check it too little".to_owned(),
            false => format!("missed the gate `{}`: {}", feedback.gate, feedback.detail),
        },
        output: if passes { String::new() } else { feedback.output.clone() },
        passes,
    }
}
