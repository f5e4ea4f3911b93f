//! Asking a model: round after round, while trials go on.
//!
//! Carries evidence one way and candidates the other; what they are worth is
//! for the gates to say.

use std::time::Instant;

use super::PipelineError;
use super::flight::Flight;
use super::hunt::Hunt;
use super::prepare::Prepared;
use super::reason::Reason;
use super::workers::MODEL;
use crate::diagnose;
use crate::diagnose::Slice;
use crate::propose::Candidate;
use crate::propose::model::Answer;
use crate::propose::model::AskError;
use crate::propose::model::Asker;
use crate::propose::model::Feedback;
use crate::propose::model::strategy::Step;
use crate::report::Cost;
use crate::verify::Verdict;

/// What a model is asked.
pub(super) enum Question {
    /// It is on its way.
    Asked(Flight),
    /// What `Asker` has next.
    Next(Box<Asker>),
}

impl Hunt<'_> {
    /// Asks the models, round after round, while the crew goes on with what it
    /// has. The first question may be on its way.
    pub(super) async fn ask(&mut self, question: Question) -> Result<Option<Reason>, PipelineError> {
        let mut feedback: Vec<Feedback> = Vec::new();
        let before = self.tried.len();
        let mut reason = None;
        let mut next = question;
        loop {
            let mut flight = match next {
                Question::Asked(flight) => flight,
                Question::Next(asker) => {
                    if asker.next_step(&feedback) == Step::Stop {
                        return Ok(reason);
                    }
                    // A call that an interrupt has ended may have brought an
                    // answer: it is paid for and kept, and no other question
                    // follows it.
                    if let Some(stop) = self.tools.interrupt.raised() {
                        return Err(PipelineError::Stopped(stop));
                    }
                    self.take_off(*asker, feedback.clone())
                }
            };
            let waits = Instant::now();
            // Candidates on trial of a reply that is still arriving. Nothing is
            // concluded before all of it is in the record.
            let mut early = 0;
            let (mut asker, answer) = loop {
                let limit = if self.has_enough() { None } else { self.limit() };
                tokio::select! {
                    landed = &mut flight.task => break Flight::landed(landed),
                    Some(candidate) = flight.arriving.recv() => {
                        early += 1;
                        if !self.has_enough() {
                            self.propose_arrived(candidate);
                        }
                    }
                    result = self.next_result(limit) => match result {
                        Err(PipelineError::Stopped(stop)) if early > 0 => {
                            // The call ends as well, and keeps what came.
                            if let (_, Ok(answer)) = Flight::landed((&mut flight.task).await) {
                                self.ended.cost = super::add_cost(self.ended.cost, cost_of(&answer));
                            }
                            return Err(PipelineError::Stopped(stop));
                        }
                        Err(error) => return Err(error),
                        Ok(tried) => {
                            tried.into_iter().for_each(|tried| self.record(tried));
                            if self.is_answered() && early == 0 { return Ok(None); }
                            if self.has_enough() {
                                self.keep_passers();
                                self.crew.clear();
                            }
                        }
                    },
                }
            };
            while let Ok(candidate) = flight.arriving.try_recv() {
                self.propose_arrived(candidate);
            }
            self.ended.model_time += waits.elapsed();
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    // Why a model that was asked gave no answer is told already.
                    let is_told = matches!(error, AskError::Provider(_));
                    let why = self.unanswered(error)?;
                    let passed_over = asker.pass_over();
                    if !is_told && asker.next_step(&feedback) != Step::Stop {
                        self.tools.events.note(format!("{passed_over} is passed over: {}", why.why));
                    }
                    reason = Some(why);
                    next = Question::Next(Box::new(asker));
                    continue;
                }
            };
            reason = None;
            self.ended.cost = super::add_cost(self.ended.cost, cost_of(&answer));
            if let Some(why) = &answer.no_fix {
                self.tools.events.note(format!("{} proposes nothing: {why}", answer.model));
            }
            self.ended.counts.refused += answer.unusable.len();
            self.propose_of_model(&answer.model, answer.candidates);
            self.drain_of_model().await?;
            // On what a rule has verified one answer is enough.
            if self.is_answered() || (self.is_done() && answer.wanted.is_empty()) {
                return Ok(None);
            }
            if !answer.wanted.is_empty() {
                self.tools.events.note(format!("{} asks to see {}", answer.model, answer.wanted.join(", ")));
                let seen = self.look_up(&answer.wanted, asker.seen());
                asker.show(seen);
            }
            feedback = self.feedback(before);
            next = Question::Next(Box::new(asker));
        }
    }

    /// Counts an answer, or what of it has come, that nobody has read when the
    /// hunt is stopped.
    pub(super) async fn pay_for_flight(&mut self) {
        let is_stopped = self.tools.interrupt.raised().is_some();
        if let Some(mut flight) =
            self.flight.take_if(|flight| flight.has_landed() || is_stopped && flight.has_brought())
            && let (_, Ok(answer)) = Flight::landed((&mut flight.task).await)
        {
            self.ended.cost = super::add_cost(self.ended.cost, cost_of(&answer));
        }
    }

    /// Sends a question on its way.
    pub(super) fn take_off(&self, asker: Asker, feedback: Vec<Feedback>) -> Flight {
        Flight::begin(asker, self.case.diagnosis.clone(), self.prepared.snapshot.clone(), feedback)
    }

    /// Takes results until the model's candidates are all tried, or what
    /// verified is enough; those of rules stay where they are.
    pub(super) async fn drain_of_model(&mut self) -> Result<(), PipelineError> {
        while self.crew.has_of_model() || self.unread() {
            let Some(result) = self.next_result(self.limit()).await? else { break };
            self.record(result);
        }
        Ok(())
    }

    /// Whether something has verified that is worth an answer, and the time for
    /// others is over.
    fn has_enough(&self) -> bool {
        self.limit().is_some_and(|at| at <= Instant::now())
    }

    /// When the time for others is over; what a rule has verified sets no limit
    /// to what a model may bring.
    fn limit(&self) -> Option<Instant> {
        self.enough_at.filter(|_| self.is_answered())
    }

    /// Puts a candidate on trial of a reply that is still arriving.
    fn propose_arrived(&mut self, candidate: Candidate) {
        let source = candidate.origin.name.clone();
        self.propose_of_model(&source, vec![candidate]);
    }

    /// Puts candidates of a model before those of rules, and behind its own.
    fn propose_of_model(&mut self, source: &str, candidates: Vec<Candidate>) {
        self.propose(source, candidates);
        self.crew.bring_forward(|candidate| candidate.origin.kind == MODEL);
    }

    /// Why a call brought nothing, as a reason to abstain.
    fn unanswered(&self, error: AskError) -> Result<Reason, PipelineError> {
        if let Some(stop) = self.tools.interrupt.raised() {
            return Err(PipelineError::Stopped(stop));
        }
        let hint = match &error {
            AskError::Provider(error) => error.hint(),
            _ => None,
        };
        let word = match &error {
            AskError::Budget(_) => "budget",
            AskError::Provider(_) | AskError::Resting(_) | AskError::NoModel | AskError::Exhausted => "provider",
            AskError::Prompt(_) | AskError::NotKept { .. } => {
                return Err(PipelineError::Environment {
                    what: error.to_string(),
                    hint: "heal uses no reply that it could not record first".into(),
                });
            }
        };
        Ok(Reason::new(word, format!("{error}{}", hint.map(|hint| format!("; {hint}")).unwrap_or_default())))
    }

    /// The code that the model asks to see beside the slice and `seen`.
    fn look_up(&self, names: &[String], seen: &Slice) -> Slice {
        let Prepared { snapshot, bench, .. } = self.prepared;
        let shown = [&self.case.diagnosis.slice, seen];
        diagnose::look_up(&**snapshot, &snapshot.files(), &bench.project.root, names, &shown)
    }

    /// What the model should know of its answers so far.
    fn feedback(&self, before: usize) -> Vec<Feedback> {
        // In the order they were proposed, however the trials overtook each
        // other: an answered prompt must be found again.
        let mut tried: Vec<_> = self.tried[before..].iter().collect();
        tried.sort_by_key(|tried| tried.candidate.id.trim_start_matches('c').parse::<usize>().unwrap_or_default());
        let of_model = tried.into_iter().filter(|tried| tried.candidate.origin.kind == MODEL);
        let missed = of_model.filter_map(|tried| match &tried.verdict {
            Verdict::Missed(miss) => Some(Feedback {
                candidate: tried.candidate.clone(),
                gate: miss.gate.clone(),
                detail: miss.detail.clone(),
                output: miss.output.clone(),
            }),
            Verdict::Verified(_) => None,
        });
        missed.collect()
    }
}

/// What an answer cost; nothing where it was already kept.
fn cost_of(answer: &Answer) -> Cost {
    Cost {
        calls: usize::from(!answer.from_record),
        input_tokens: answer.usage.input + answer.usage.written,
        cached_tokens: answer.usage.cached,
        output_tokens: answer.usage.output,
        usd: answer.usd,
        ..Cost::default()
    }
}
