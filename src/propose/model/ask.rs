//! Asks a model about one failure, call by call.
//!
//! Keeps every reply before it uses it; never sends a prompt whose answer is
//! kept; never sends a call whose worst case passes a cap.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::Answer;
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
use super::resolve::resolved;
use super::resolve::written;
use super::strategy::Brought;
use super::strategy::Step;
use super::strategy::Strategy;
use super::wire::Wire;
use crate::diagnose::Diagnosis;
use crate::event::Event;
use crate::event::Events;
use crate::interrupt::Interrupt;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::propose::Origin;
use crate::propose::provider::Incoming;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Reply;
use crate::propose::provider::StopReason;
use crate::propose::provider::Usage;
use crate::propose::provider::replay;
use crate::propose::provider::replay::ReplyStore;
use crate::source::RelPath;

/// Tokens of an answer between two words on its progress.
const EVERY: u64 = 200;

/// Asks about one failure; a new one is made for each.
pub struct Asker {
    config: Config,
    events: Events,
    store: Arc<dyn ReplyStore>,
    budget: Budget,
    wire: Wire,
    strategy: Strategy,
    /// What the last replies held that could not be tried.
    unusable: Vec<Unusable>,
    /// Digests of the patches proposed so far.
    proposed: HashSet<String>,
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
        if config.model.kind() == ProviderKind::None {
            return Err(AskError::NoModel);
        }
        let wire = Wire::new(&config, interrupt, events.clone())?;
        let strategy = Strategy::new(config.rounds);
        let (unusable, proposed) = (Vec::new(), HashSet::new());
        Ok(Asker { config, events, store, budget, wire, strategy, unusable, proposed })
    }

    /// The call that [`Asker::ask`] would make with this feedback.
    pub fn next_step(&self, feedback: &[Feedback]) -> Step {
        self.strategy.next_step(!feedback.is_empty() || !self.unusable.is_empty())
    }

    /// Makes the next call. `read` gives a file of the snapshot; `feedback` is
    /// what became of the candidates of *all* earlier calls for this failure.
    ///
    /// # Errors
    /// No call is left, a cap would be passed, or there was no answer; a later
    /// call makes the same step again.
    pub async fn ask(
        &mut self,
        diagnosis: &Diagnosis,
        read: &(dyn Fn(&RelPath) -> Option<String> + Sync),
        feedback: &[Feedback],
    ) -> Result<Answer, AskError> {
        let step = self.next_step(feedback);
        if step == Step::Stop {
            return Err(AskError::Exhausted);
        }
        let mut redactor = Redactor::new(&self.config.secrets);
        let prompt = self.prompt(diagnosis, step, feedback, &mut redactor)?;
        let (reply, paid) = match self.store.find(&prompt.digest) {
            Some(kept) => (replay::from_stored(&kept), None),
            None => {
                let (reply, usage, usd) = self.paid_reply(&prompt).await?;
                (reply, Some((usage, usd)))
            }
        };
        let (usage, usd) = paid.unwrap_or((Usage::default(), Some(0.0)));
        let mut answer = Answer {
            step,
            candidates: Vec::new(),
            unusable: Vec::new(),
            no_fix: None,
            stop: reply.stop,
            usage,
            usd,
            model: reply.model.clone(),
            reply_digest: prompt::digest_of(&[&reply.text]),
            from_record: paid.is_none(),
        };
        self.events.emit(Event::Answered {
            model: self.config.model.to_string(),
            input_tokens: usage.all_input(),
            output_tokens: usage.output,
            usd,
            reply: answer.reply_digest.clone(),
        });
        self.take(&reply, diagnosis, read, &redactor, &prompt, &mut answer);
        let brought = Brought {
            candidates: answer.candidates.len(),
            unusable: answer.unusable.len(),
            says_no_fix: answer.no_fix.is_some(),
        };
        self.strategy.record(step, brought);
        self.unusable.extend(answer.unusable.iter().cloned());
        Ok(answer)
    }

    /// Every byte of text that the first call would send, where to, and what it
    /// costs at most.
    ///
    /// # Errors
    /// A template of the user's own that does not render.
    pub fn preview(&self, diagnosis: &Diagnosis) -> Result<String, AskError> {
        let mut redactor = Redactor::new(&self.config.secrets);
        let prompt = self.prompt(diagnosis, Step::First, &[], &mut redactor)?;
        let estimate = self.estimate_of(&prompt);
        let to = self
            .config
            .address()
            .map_or_else(|| self.config.model.to_string(), |url| format!("{} at {url}", self.config.model));
        let cost = estimate.usd.map_or_else(|| "unknown price".to_owned(), |usd| format!("at most {usd:.4} USD"));
        let dropped: String = diagnosis.slice.dropped.iter().map(|what| format!("left out: {what}\n")).collect();
        let headers: String =
            self.config.connection.headers.iter().map(|(name, value)| format!("with: {name}: {value}\n")).collect();
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
        let prompt = self.prompt(diagnosis, Step::First, &[], &mut Redactor::new(&self.config.secrets))?;
        Ok(self.estimate_of(&prompt))
    }

    fn prompt(
        &self,
        diagnosis: &Diagnosis,
        step: Step,
        feedback: &[Feedback],
        redactor: &mut Redactor,
    ) -> Result<Prompt, AskError> {
        let tried = feedback.iter().map(|feedback| Attempt {
            idea: feedback.candidate.explanation.clone(),
            change: feedback.candidate.patch.diff(),
            missed: format!("missed the gate `{}`: {}", feedback.gate, feedback.detail),
            output: feedback.output.clone(),
        });
        let unusable = self.unusable.iter().map(|unusable| Attempt {
            idea: unusable.root_cause.clone(),
            change: unusable.change.clone(),
            missed: format!("could not be used: {}", unusable.reason),
            output: String::new(),
        });
        let attempts: Vec<Attempt> = unusable.chain(tried).collect();
        let named = self.config.model.to_string();
        let request = prompt::Request {
            diagnosis,
            step,
            candidates: self.config.candidates,
            attempts: &attempts,
            asked: self.config.recorded_as.as_deref().unwrap_or(&named),
        };
        Ok(prompt::render(&self.config.templates, &request, redactor, &self.config.nonce_key)?)
    }

    fn estimate_of(&self, prompt: &Prompt) -> Estimate {
        let bytes = (prompt.system.len() + prompt.user.len() + reply::schema().to_string().len()) as u64;
        let max_output_tokens = self.config.max_output_tokens;
        Estimate { input_tokens: bytes / 4, max_output_tokens, usd: self.worst(prompt).usd }
    }

    /// A token of dense code is two bytes at least; the whole input may be
    /// written to a cache.
    fn worst(&self, prompt: &Prompt) -> Worst {
        let bytes = (prompt.system.len() + prompt.user.len() + reply::schema().to_string().len()) as u64;
        let usage = Usage { written: bytes / 2, output: self.config.max_output_tokens, ..Usage::default() };
        Worst { tokens: usage.total(), usd: usd(&self.config, &usage) }
    }

    /// Sends the prompt within the caps and keeps the reply.
    async fn paid_reply(&mut self, prompt: &Prompt) -> Result<(Reply, Usage, Option<f64>), AskError> {
        let named = self.config.model.to_string();
        self.config.breaker.check(&named, Instant::now())?;
        let counts = self.config.model.uses_network() || self.config.model.may_cost();
        let worst = if counts { self.worst(prompt) } else { Worst::NOTHING };
        let hold = self.budget.hold(worst)?;
        if worst.usd.is_none() && !self.budget.spent().has_unpriced {
            let name = self.config.model.name();
            self.events
                .note(format!("the price of `{name}` is not known: --max-cost cannot hold, only --max-tokens does"));
        }
        self.events.emit(Event::Asked {
            model: self.config.model.to_string(),
            call: self.budget.spent().calls + 1,
            input_tokens: self.estimate_of(prompt).input_tokens as usize,
            prompt: prompt.digest.clone(),
            worst_tokens: worst.tokens,
            worst_usd: worst.usd,
        });
        let (input_tokens, mut told) = (self.estimate_of(prompt).input_tokens, 0);
        let (config, events) = (&self.config, &self.events);
        let mut heard = |incoming: &Incoming| {
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

    /// Reads the reply into `answer`.
    fn take(
        &mut self,
        reply: &Reply,
        diagnosis: &Diagnosis,
        read: &dyn Fn(&RelPath) -> Option<String>,
        redactor: &Redactor,
        prompt: &Prompt,
        answer: &mut Answer,
    ) {
        let ended = match reply.stop {
            StopReason::Refusal => Some("the model refused to answer"),
            StopReason::Filtered => Some("the provider's filter took the answer"),
            StopReason::Empty => Some("the reply is empty"),
            StopReason::Length | StopReason::CutOff | StopReason::Done => None,
        };
        if let Some(why) = ended {
            let said: String = reply.text.chars().take(200).collect();
            let reason = if said.trim().is_empty() { why.to_owned() } else { format!("{why}: {}", said.trim()) };
            answer.unusable.push(Unusable { root_cause: String::new(), change: String::new(), reason });
            return;
        }
        let said = reply::read(&reply.text);
        answer.no_fix = said.no_fix;
        for (root_cause, reason) in said.unreadable {
            let reason = match reply.stop {
                StopReason::Length => {
                    format!("{reason}; the answer reached its limit of tokens: give fewer, shorter fixes")
                }
                StopReason::CutOff => format!("{reason}; the connection ended in the middle of the answer"),
                _ => reason,
            };
            answer.unusable.push(Unusable { root_cause, change: String::new(), reason });
        }
        for patch in said.patches {
            match resolved(&patch, diagnosis, read, redactor) {
                // Proposed before, here or in an earlier call: known already.
                Ok(resolved) if !self.proposed.insert(resolved.digest()) => {}
                Ok(resolved) => {
                    let index = answer.candidates.len();
                    answer.candidates.push(self.candidate(resolved, &patch.root_cause, index, prompt));
                }
                Err(reason) => {
                    let (root_cause, change) = (patch.root_cause.clone(), written(&patch.change));
                    answer.unusable.push(Unusable { root_cause, change, reason });
                }
            }
        }
    }

    fn candidate(&self, patch: Patch, root_cause: &str, index: usize, prompt: &Prompt) -> Candidate {
        Candidate {
            id: format!("m{}.{}", &prompt.digest[..8], index + 1),
            origin: Origin { kind: "model".to_owned(), name: self.config.model.to_string() },
            patch,
            explanation: root_cause.chars().take(600).collect(),
            prior: 0.6 - 0.01 * (index.min(50) as f64),
        }
    }
}

/// What `usage` costs; `None` where the price is not known.
fn usd(config: &Config, usage: &Usage) -> Option<f64> {
    match config.model.may_cost() {
        true => config.prices.usd(config.model.name(), usage),
        false => Some(0.0),
    }
}
