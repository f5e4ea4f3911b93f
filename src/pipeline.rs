//! The whole way from a failing command to verified patches.
//!
//! The only place that knows all five stages. Returns data; prints nothing.

pub mod agree;
pub mod asking;
pub mod canary;
pub mod case;
pub mod docket;
pub mod ended;
pub mod endless;
pub mod error;
pub mod explain;
mod flight;
pub mod hunt;
pub mod jobs;
pub mod joint;
pub mod leads;
pub mod opinion;
pub mod paid;
mod passers;
pub mod prepare;
pub mod reason;
pub mod record;
pub mod reverting;
pub mod rivals;
pub mod seen;
pub mod sieving;
pub mod survey;
pub mod tools;
pub mod twin;
mod unasked;
pub mod verify_patch;
pub mod workers;

use std::time::Instant;

use crate::detect;
use crate::diagnose;
use crate::event::Event;
use crate::failure::Failure;
use crate::ledger::NewProposal;
use crate::options::Settings;
use crate::patch::Patch;
use crate::propose;
use crate::propose::model::redact::concealed;
use crate::report::Base;
use crate::report::Cost;
use crate::report::CutOff;
use crate::report::Earlier;
use crate::report::FailureReport;
use crate::report::LedgerHead;
use crate::report::RunReport;
use crate::report::Time;
use crate::report::Together;
use crate::source::RelPath;

pub use error::PipelineError;
pub use tools::Tools;

use case::Case;
use ended::Ended;
use ended::Proposal;
use joint::Solved;
use prepare::Prepared;
use reason::Reason;
use seen::Seen;
use survey::Survey;

/// One fault often has several faces. Where all that the rules know failed on
/// one, the next at the same suspect gets the likelier candidates only.
const FURTHER_FACE: propose::rules::Config =
    propose::rules::Config { max_candidates: 120, max_suspects: 12, max_bytes: 64 << 20 };

/// Heals what fails: reproduces, diagnoses, proposes, verifies.
///
/// # Errors
/// Only where heal itself is stuck or was asked for the impossible; a failure
/// that cannot be healed is part of the report.
pub async fn heal(settings: &Settings, tools: &Tools) -> Result<RunReport, PipelineError> {
    Ok(heal_and_see(settings, tools).await?.0)
}

/// As [`heal`], with what was seen of the tests that do not fail.
///
/// # Errors
/// As for [`heal`].
pub async fn heal_and_see(settings: &Settings, tools: &Tools) -> Result<(RunReport, Seen), PipelineError> {
    let (report, seen, _) = heal_prepared(settings, tools).await?;
    Ok((report, seen))
}

/// The same, with the snapshot that it was done on.
async fn heal_prepared(settings: &Settings, tools: &Tools) -> Result<(RunReport, Seen, Prepared), PipelineError> {
    let began = Instant::now();
    let mut prepared = prepare::prepare(settings, tools).await?;
    let mut survey = survey::survey(&mut prepared, settings, tools, survey::Scope::Asked).await?;
    let mut report = prepared.report("heal.fix/1", tools);
    let mut open = Vec::new();
    let mut healed = heal_failures(&prepared, &survey, settings, tools, &mut report, &mut open).await;
    if matches!(healed, Err(PipelineError::MerelySlow)) {
        survey = survey::patient(&mut prepared, settings, tools, survey::Scope::Asked).await?;
        healed = heal_failures(&prepared, &survey, settings, tools, &mut report, &mut open).await;
    }
    let seen = Seen::of(&survey, open);
    survey.settling.give_up().await;
    report.failures = healed?;
    report.notes.extend(survey.notes);
    finish(&mut report, &prepared, tools, began);
    Ok((report, seen, prepared))
}

/// The report of a run that has nothing to heal: a pipeline's own reports say
/// that all passes, and nothing is run.
///
/// # Errors
/// The repository cannot be read.
pub fn nothing_to_heal(settings: &Settings, tools: &Tools) -> Result<RunReport, PipelineError> {
    let repository = crate::git::Repository::discover(&settings.repo, &tools.launcher)?;
    let base = Base { commit: repository.head()?, dirty: repository.is_dirty()? };
    let ledger = LedgerHead { head: tools.ledger.head().unwrap_or_default() };
    Ok(RunReport {
        schema: "heal.fix/1".into(),
        run: tools.run.clone(),
        exit: 0,
        base,
        runner: None,
        command: None,
        runner_why: None,
        failures: Vec::new(),
        cost: Cost::default(),
        time: Time::default(),
        ledger,
        notes: vec!["the pipeline's own reports hold no failure, so no test was run".into()],
        together: None,
        requests: Vec::new(),
    })
}

/// Goes from cluster to cluster; then makes sure that the patches of several
/// hold together. What nothing mends is left `open`.
async fn heal_failures(
    prepared: &Prepared,
    survey: &Survey,
    settings: &Settings,
    tools: &Tools,
    report: &mut RunReport,
    open: &mut Vec<diagnose::Diagnosis>,
) -> Result<Vec<FailureReport>, PipelineError> {
    let mut rows = Vec::new();
    let mut healable = Vec::new();
    // The others are run and seen as well: a diagnosis is the same in every shard.
    let is_own = |failure: &Failure| settings.shard.is_none_or(|shard| shard.takes(&diagnose::root(failure)));
    for reproduction in survey.reproductions.iter().filter(|one| is_own(&one.failure)) {
        match &reproduction.outcome {
            detect::Outcome::Reproduced => healable.push(reproduction.clone()),
            other => rows.push(case::abstained(&reproduction.failure, &[], Reason::of_outcome(other, reproduction))),
        }
    }
    let failures: Vec<_> = healable.iter().map(|reproduction| reproduction.failure.clone()).collect();
    let mut cases: Vec<(Case, Ended)> = Vec::new();
    let mut known: Vec<Proposal> = Vec::new();
    let mut unsolved = Vec::new();
    for case in diagnosed(prepared, survey, &failures, &healable, tools) {
        tools.events.emit(case.diagnosed_event());
        let rules = if unsolved.contains(&case.place()) { FURTHER_FACE } else { propose::rules::Config::default() };
        tools.events.emit(Event::Stage { name: "propose".into(), what: case.diagnosis.failure.id.clone() });
        let ended = hunt::hunt(prepared, survey, &case, &known, &rules, settings, tools).await?;
        report.cost = add_cost(report.cost, ended.cost);
        report.time.model_s += ended.model_time.as_secs_f64();
        if let Some(best) = ended.proposals.first()
            && !known.iter().any(|proposal| proposal.patch == best.patch)
        {
            known.push(best.clone());
        }
        if ended.proposals.is_empty() {
            unsolved.push(case.place());
        }
        cases.push((case, ended));
        if tools.interrupt.raised().is_some() {
            break;
        }
    }
    agree::look_back(prepared, survey, &mut cases, settings, tools).await?;
    agree::prefer_shared(&mut cases);
    let mut solved = Vec::new();
    for (case, ended) in &cases {
        if let Some(best) = ended.proposals.first() {
            solved.push(Solved { first: rows.len(), rows: case.aim.failures.len(), patch: best.patch.clone() });
        }
        rows.extend(case.rows(ended, tools));
    }
    if let Some(whole) = joint::check(prepared, survey, &solved, &mut rows).await? {
        report.together = Some(together(&whole, &rows, tools)?);
    }
    // What the policy keeps from the rules it keeps from a model too.
    let is_open = |ended: &Ended| ended.reason.as_ref().is_none_or(|reason| reason.word != "policy");
    let unmended = cases.into_iter().filter(|(_, ended)| ended.proposals.is_empty() && is_open(ended));
    *open = unmended.map(|(case, _)| case.diagnosis).collect();
    tell_outcomes(&rows, tools);
    Ok(rows)
}

/// The clusters of `failures`, diagnosed. What no change of the code is likely
/// to mend comes last: it would use up the run's time.
fn diagnosed(
    prepared: &Prepared,
    survey: &Survey,
    failures: &[Failure],
    healable: &[detect::Reproduction],
    tools: &Tools,
) -> Vec<Case> {
    tools.events.emit(Event::Stage { name: "diagnose".into(), what: format!("{} failing", failures.len()) });
    let mut cases = Vec::new();
    for cluster in diagnose::clusters(failures) {
        if tools.interrupt.raised().is_some() {
            break;
        }
        let members: Vec<_> = cluster.iter().map(|index| healable[*index].clone()).collect();
        cases.extend(Case::diagnose(prepared, survey, members));
    }
    cases.sort_by_key(|case| case.diagnosis.class.is_outside());
    cases
}

/// Tells how each failure ended.
pub fn tell_outcomes(rows: &[FailureReport], tools: &Tools) {
    for row in rows {
        let best = row.proposals.first().filter(|_| row.is_verified());
        tools.events.emit(Event::Outcome {
            id: row.id.clone(),
            outcome: row.outcome.clone(),
            reason: row.reason.clone(),
            fingerprint: row.fingerprint.clone(),
            proposal: best.map(|proposal| proposal.id.clone()),
            source: best.map(|proposal| format!("{} {}", proposal.source.kind, proposal.source.name)),
        });
    }
}

/// Keeps the patch of several failures as a proposal of its own.
fn together(whole: &Patch, rows: &[FailureReport], tools: &Tools) -> Result<Together, PipelineError> {
    let verified = rows.iter().filter(|row| row.is_verified());
    let ids: Vec<&str> = verified.clone().map(|row| row.id.as_str()).collect();
    let parts: Vec<&str> =
        verified.filter_map(|row| row.proposals.first()).map(|proposal| proposal.id.as_str()).collect();
    let evidence = serde_json::json!({ "together": parts }).to_string();
    let (failure, patch) = (tools.shown.text(&ids.join("\n")), concealed(whole, &tools.secrets));
    let new = NewProposal { failure: &failure, patch: &patch, evidence: &evidence };
    let id = tools.ledger.keep_proposal(&tools.run, &new)?;
    Ok(Together { id, diff: whole.diff(), files: whole.files().into_iter().cloned().collect() })
}

fn add_cost(a: Cost, b: Cost) -> Cost {
    Cost {
        calls: a.calls + b.calls,
        input_tokens: a.input_tokens + b.input_tokens,
        cached_tokens: a.cached_tokens + b.cached_tokens,
        output_tokens: a.output_tokens + b.output_tokens,
        usd: a.usd.zip(b.usd).map(|(a, b)| a + b),
        ..a
    }
}

/// Fills in what is known only at the end.
fn finish(report: &mut RunReport, prepared: &Prepared, tools: &Tools, began: Instant) {
    let lost = tools.budget.spent().lost;
    let earlier = tools.budget.earlier();
    let usd = (!earlier.has_unpriced).then_some(earlier.usd);
    report.cost.earlier = Earlier { calls: earlier.calls + earlier.lost.calls, tokens: earlier.usage.total(), usd };
    report.cost.cut_off = CutOff { calls: lost.calls, worst_tokens: lost.tokens, worst_usd: lost.usd };
    report.exit = reason::exit_code(report, tools.interrupt.raised());
    report.time.total_s = began.elapsed().as_secs_f64();
    report.time.tests_s = prepared.bench.clock.total().as_secs_f64();
    report.time.heal_s = (report.time.total_s - report.time.tests_s - report.time.model_s).max(0.0);
    report.ledger.head = tools.ledger.head().unwrap_or_default();
    report.notes.extend(moved_on(&prepared.snapshot.changed_since()));
}

/// What to say of files that were saved while heal ran.
fn moved_on(changed: &[RelPath]) -> Option<String> {
    const NAMED: usize = 3;
    let named: Vec<String> = changed.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    let others = match changed.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let is = if changed.len() == 1 { "is" } else { "are" };
    let told = format!(
        "{}{others} {is} no longer what heal looked at: all it says is of the tree as it was when it began",
        named.join(", ")
    );
    (!changed.is_empty()).then_some(told)
}
