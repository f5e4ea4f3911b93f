//! The hunt for one case: rules first, then the model, until something
//! verifies or everything is spent.
//!
//! Decides who proposes when; what a trial is worth is for the gates to say.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::watch;

use super::PipelineError;
use super::Tools;
use super::canary;
use super::case::Case;
use super::docket;
use super::ended::Ended;
use super::ended::Proposal;
use super::flight::Flight;
use super::leads;
use super::prepare::Prepared;
use super::reason::Reason;
use super::rivals;
use super::survey::Survey;
use super::workers;
use super::workers::Crew;
use super::workers::Tried;
use crate::detect::Baseline;
use crate::event::Event;
use crate::ledger::NewProposal;
use crate::options::Settings;
use crate::propose;
use crate::propose::Candidate;
use crate::propose::model::redact::concealed;
use crate::runner::Selection;
use crate::verify;
use crate::verify::Evidence;
use crate::verify::Verdict;
use crate::verify::rank;

/// How long the rules have the tests for themselves before a model is asked, or
/// its answer is read.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// After the first verified patch: how much longer other patches may be tried,
/// as a part of the time spent so far. A second, different patch that passes
/// everything tells that the tests leave the choice open.
const AFTERTHOUGHT: f64 = 0.5;

/// The same where the tests killed every mutant of it: they leave little open.
const STRONG_AFTERTHOUGHT: f64 = 0.2;

/// The same, at most.
const LONGEST_AFTERTHOUGHT: Duration = Duration::from_secs(15);

/// Hunts for patches of one case; `rules` bounds what the rules propose.
///
/// # Errors
/// heal is stuck; never a candidate's fault.
pub async fn hunt(
    prepared: &Prepared,
    survey: &Survey,
    case: &Case,
    known: &[Proposal],
    rules: &propose::rules::Config,
    settings: &Settings,
    tools: &Tools,
) -> Result<Ended, PipelineError> {
    if let Some(reason) = Reason::of_hopeless(&case.diagnosis) {
        return Ok(Ended { reason: Some(reason), ..Ended::default() });
    }
    if let Some(reason) = docket::closed(case, settings) {
        return Ok(Ended { reason: Some(reason), ..Ended::default() });
    }
    let (sender, receiver) = watch::channel(survey.baseline.clone());
    let late_baseline = run_baseline(prepared, survey, settings, tools, sender);
    let trials = docket::machine(prepared, case, settings)?;
    let jobs = prepared.jobs(settings);
    let crew = Crew::start(trials, prepared.pool.clone(), receiver, jobs);
    let mut hunt = Hunt {
        prepared,
        case,
        survey,
        settings,
        tools,
        known,
        rules,
        crew,
        ended: Ended::default(),
        tried: Vec::new(),
        next_id: 0,
        began: Instant::now(),
        enough_at: None,
        is_asking: false,
        flight: None,
        contested: false,
        settled: false,
        jobs,
        changed_in_the_sieve: false,
        passers: HashSet::new(),
        untried: Vec::new(),
    };
    let mut outcome = tokio::select! {
        outcome = hunt.run() => outcome,
        error = late_baseline => Err(error),
        error = survey.settling.surprise() => Err(error),
    };
    hunt.pay_for_flight().await;
    let Hunt { crew, mut ended, tried, changed_in_the_sieve, settled, .. } = hunt;
    crew.stop().await;
    if case.aim.is_endless() {
        // What hangs on a failure that may be none is not verified.
        match survey.settling.is_slow().await {
            Ok(false) => {}
            Ok(true) => return Err(PipelineError::MerelySlow),
            Err(error) => {
                ended.proposals.clear();
                outcome = Err(error);
            }
        }
    }
    match outcome {
        Ok(reason) => ended.reason = reason,
        Err(PipelineError::Stopped(stop)) => {
            ended.reason = Some(Reason::of_stop(stop));
            if !settled {
                rivals::demote_unsettled(&mut ended);
            }
        }
        Err(error) => return Err(error),
    }
    if !ended.proposals.is_empty() {
        ended.reason = None;
        Proposal::unhurried(&mut ended.proposals);
        rank::order(&mut ended.proposals, |proposal| (&proposal.patch, &proposal.evidence));
        keep(&mut ended, known, case, tools)?;
    } else if matches!(&ended.reason, Some(reason) if matches!(reason.word, "none-verified" | "no-candidate"))
        && !changed_in_the_sieve
        && !tried.iter().any(changed_the_outcome)
        && let Some(what) = canary::unheard(prepared, case).await?
    {
        ended.reason = Some(Reason::new("scratch-not-exercised", what));
    }
    Ok(ended)
}

/// Runs the baseline where it is not there yet, in a scratch of its own; ends
/// only with an error.
async fn run_baseline(
    prepared: &Prepared,
    survey: &Survey,
    settings: &Settings,
    tools: &Tools,
    sender: watch::Sender<Option<Arc<Baseline>>>,
) -> PipelineError {
    if survey.baseline.is_none() {
        tools.events.emit(Event::Stage { name: "baseline".into(), what: "the whole suite, unpatched".into() });
        let run = async {
            let scratch = prepared.scratch().await?;
            let mut request = prepared.bench.request(Selection::All);
            request.test_limit = settings.test_timeout.unwrap_or(Settings::LONGEST_TEST);
            Ok::<_, PipelineError>(prepared.bench.run(&*scratch, &request).await?)
        };
        match run.await {
            Ok(report) => {
                let _ = sender.send(Some(Arc::new(Baseline::of(&report))));
            }
            Err(error) => return error,
        }
    }
    // The sender must live as long as someone may wait for the baseline.
    let _sender = sender;
    std::future::pending().await
}

/// Whether a trial showed that the tests run what is in the scratch.
fn changed_the_outcome(tried: &Tried) -> bool {
    match &tried.verdict {
        Verdict::Verified(_) => true,
        Verdict::Missed(miss) => {
            matches!(miss.gate.as_str(), "build" | "near" | "suite" | "stable")
                || verify::is_weak(&miss.gate)
                || (miss.gate == "target" && miss.detail.contains("fails in another way"))
        }
    }
}

/// Puts the proposals into the record.
fn keep(ended: &mut Ended, known: &[Proposal], case: &Case, tools: &Tools) -> Result<(), PipelineError> {
    let failure = &case.diagnosis.failure;
    for proposal in &mut ended.proposals {
        if let Some(same) = known.iter().find(|other| other.patch == proposal.patch) {
            proposal.id.clone_from(&same.id);
            continue;
        }
        let evidence = tools.shown.document(&proposal.evidence);
        let evidence = serde_json::to_string(&evidence).unwrap_or_default();
        let patch = concealed(&proposal.patch, &tools.secrets);
        let new = NewProposal { failure: &tools.shown.text(&failure.id), patch: &patch, evidence: &evidence };
        proposal.id = Some(tools.ledger.keep_proposal(&tools.run, &new)?);
    }
    Ok(())
}

/// One hunt under way.
pub(super) struct Hunt<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) case: &'a Case,
    pub(super) survey: &'a Survey,
    pub(super) settings: &'a Settings,
    pub(super) tools: &'a Tools,
    /// Verified patches of earlier cases: one cause often has several faces.
    pub(super) known: &'a [Proposal],
    /// What the rules may cost.
    pub(super) rules: &'a propose::rules::Config,
    pub(super) crew: Crew,
    pub(super) ended: Ended,
    pub(super) tried: Vec<Tried>,
    pub(super) next_id: usize,
    began: Instant,
    pub(super) enough_at: Option<Instant>,
    /// Whether no patch of a rule is believed any more (see `rivals`).
    pub(super) contested: bool,
    /// Whether it is known which rivals the verified patches have.
    pub(super) settled: bool,
    /// Whether a model is asked, whose patches are to be tried whatever verifies.
    pub(super) is_asking: bool,
    /// The first question to a model, where it is on its way.
    pub(super) flight: Option<Flight>,
    /// Trials side by side.
    pub(super) jobs: usize,
    /// Whether a candidate changed in the sieve how the target fails: the
    /// tests run what is in the scratch.
    pub(super) changed_in_the_sieve: bool,
    /// Ids of the candidates that passed the sieve.
    pub(super) passers: HashSet<String>,
    /// Those of them that were taken out of the queue.
    pub(super) untried: Vec<Candidate>,
}

impl Hunt<'_> {
    /// Rules, then the model; returns why nothing verified.
    async fn run(&mut self) -> Result<Option<Reason>, PipelineError> {
        let mut asker = if self.settings.offline { None } else { self.tools.asker(self.settings)? };
        let none_yet = self.propose_without_model(&mut asker).await?;
        let asks = asker.is_some() || self.flight.is_some();
        let patience = if asks && !none_yet { Some(GRACE.saturating_sub(self.began.elapsed())) } else { None };
        self.drain(patience).await?;
        if asks {
            self.await_surer().await?;
        }
        // A model's patch for another failure, known to this hunt, may spare
        // the question.
        self.drain_of_model().await?;
        self.settle_rivals().await?;
        let question = self.question(asker);
        if self.is_done() && question.is_none() {
            return Ok(None);
        }
        let mut reason = None;
        if let Some(question) = question {
            reason = self.ask_for_opinion(question).await?;
            if self.is_done() {
                // What verified while the model thought may be a rule's.
                self.drain(None).await?;
                self.settle_rivals().await?;
            }
            if self.is_done() {
                return Ok(None);
            }
        }
        self.drain(None).await?;
        self.settle_rivals().await?;
        Ok(if self.is_done() { None } else { Some(reason.unwrap_or_else(|| self.why_nothing())) })
    }

    pub(super) fn propose(&mut self, source: &str, mut candidates: Vec<Candidate>) {
        if candidates.is_empty() {
            return;
        }
        for candidate in &mut candidates {
            self.next_id += 1;
            candidate.id = format!("c{}", self.next_id);
        }
        self.tools.events.emit(Event::Proposed { source: source.to_owned(), candidates: candidates.len() });
        self.ended.counts.proposed += candidates.len();
        let candidates = self.without_twins(candidates);
        self.crew.enqueue(candidates, false);
    }

    /// Takes results until the queue is empty, the patience is over, or what
    /// verified is enough.
    pub(super) async fn drain(&mut self, patience: Option<Duration>) -> Result<(), PipelineError> {
        let until = patience.map(|patience| Instant::now() + patience);
        while !self.crew.is_idle() || self.unread() {
            let limit = [until, self.enough_at].into_iter().flatten().min();
            let Some(result) = self.next_result(limit).await? else { break };
            self.record(result);
        }
        Ok(())
    }

    /// Results that workers have sent and nobody has read.
    pub(super) fn unread(&self) -> bool {
        self.crew.has_results()
    }

    pub(super) async fn next_result(&mut self, limit: Option<Instant>) -> Result<Option<Tried>, PipelineError> {
        let interrupt = self.tools.interrupt.clone();
        let sleep = async {
            match limit {
                Some(limit) => tokio::time::sleep_until(limit.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            stop = interrupt.wait() => Err(PipelineError::Stopped(stop)),
            result = self.crew.next() => result.transpose(),
            () = sleep => Ok(None),
        }
    }

    pub(super) fn record(&mut self, tried: Tried) {
        let is_verified = matches!(tried.verdict, Verdict::Verified(_));
        self.note(tried);
        if is_verified {
            self.spare_twins();
            self.crew.go_on();
        }
    }

    /// Notes what came of a trial, or of that of a twin.
    pub(super) fn note(&mut self, tried: Tried) {
        let tried = self.with_twin(tried);
        let (verdict, detail) = workers::words(&tried.verdict);
        self.tools.events.emit(Event::Tried {
            candidate: tried.candidate.id.clone(),
            source: format!("{} {}", tried.candidate.origin.kind, tried.candidate.origin.name),
            verdict,
            detail,
            seconds: tried.took.as_secs_f64(),
        });
        let counts = &mut self.ended.counts;
        match &tried.verdict {
            Verdict::Missed(miss) => match miss.gate.as_str() {
                "policy" | "syntax" | "scan" => counts.refused += 1,
                "distinct" => counts.duplicate += 1,
                _ => counts.tried += 1,
            },
            Verdict::Verified(proved) => {
                counts.tried += 1;
                match self.doubt(&tried.candidate, proved) {
                    Some(miss) => leads::note(&mut self.ended.leads, &tried.candidate, &miss),
                    None => self.verified(&tried.candidate, &proved.evidence),
                }
            }
        }
        if let Verdict::Missed(miss) = &tried.verdict {
            leads::note(&mut self.ended.leads, &tried.candidate, miss);
        }
        self.tried.push(tried);
    }

    fn verified(&mut self, candidate: &Candidate, evidence: &Evidence) {
        if !self.forget_twin(candidate) {
            return;
        }
        self.ended.counts.verified += 1;
        self.ended.proposals.push(Proposal {
            id: None,
            origin: candidate.origin.clone(),
            patch: candidate.patch.clone(),
            explanation: candidate.explanation.clone(),
            evidence: evidence.clone(),
            prior: candidate.prior,
        });
        let part = if evidence.is_strong() { STRONG_AFTERTHOUGHT } else { AFTERTHOUGHT };
        let until = Instant::now() + self.began.elapsed().mul_f64(part).min(LONGEST_AFTERTHOUGHT);
        let first = self.enough_at.map_or(until, |at| at.min(until));
        self.crew.leave_late();
        self.call_rivals(candidate);
        if candidate.origin.kind == rivals::RULE {
            // Many of them behave as this one does: comparing costs one run of
            // the tests, a trial a dozen.
            self.keep_passers();
        }
        if self.ended.proposals.len() >= 3 && !self.is_asking {
            self.crew.clear();
        }
        self.enough_at = Some(first);
    }

    fn why_nothing(&self) -> Reason {
        let has_model = !self.settings.models.is_empty() && !self.settings.offline;
        Reason::of_nothing(&self.ended, &self.case.diagnosis, has_model)
    }
}
