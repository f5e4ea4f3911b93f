//! `heal verify`: any patch through the same gates.
//!
//! Judges a patch that was given; proposes none.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::PipelineError;
use super::Tools;
use super::case;
use super::docket;
use super::prepare;
use super::prepare::Prepared;
use super::reason::Reason;
use super::survey;
use super::survey::Survey;
use crate::detect;
use crate::detect::Baseline;
use crate::detect::Reproduction;
use crate::detect::reproduce;
use crate::event::Event;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::options::Settings;
use crate::patch::Patch;
use crate::patch::unified;
use crate::propose::Origin;
use crate::report::FailureReport;
use crate::report::LeadReport;
use crate::report::ProposalReport;
use crate::report::RunReport;
use crate::verify;
use crate::verify::Miss;
use crate::verify::Verdict;
use crate::verify::policy;
use crate::verify::target::Aim;

/// Puts the patch `text`, named `name`, through the gates.
///
/// # Errors
/// The text is no patch, or heal is stuck. A patch that misses a gate is part
/// of the report.
pub async fn verify(name: &str, text: &str, settings: &Settings, tools: &Tools) -> Result<RunReport, PipelineError> {
    let began = Instant::now();
    let no_patch = |why: String| PipelineError::NoPatch { name: name.to_owned(), why };
    let diffs = unified::parse(text).map_err(|error| no_patch(error.to_string()))?;
    let mut prepared = prepare::prepare(settings, tools).await?;
    let resolved = unified::resolve(&diffs, &|path| prepared.text(path));
    let screened = match resolved {
        Err(error) => Err((None, Miss::new(&policy::GATE, format!("the patch does not apply: {error}")))),
        Ok(patch) => match docket::refusal(&prepared, &patch, settings)? {
            Some(miss) => Err((Some(patch), miss)),
            None => Ok(patch),
        },
    };
    let mut report;
    match screened {
        Err((patch, miss)) => {
            report = prepared.report("heal.verify/1", tools);
            report.notes.push("no test was run: the patch is refused for what it is".to_owned());
            let subjects = subjects(name, settings);
            report.failures = subjects.iter().map(|failure| missed(failure, patch.as_ref(), &miss)).collect();
            tried(tools, name, &Verdict::Missed(miss), Duration::ZERO);
        }
        Ok(patch) => {
            let own = Settings { trace: None, ..settings.clone() };
            let survey = match survey::settled(&mut prepared, &own, tools, survey::Scope::Suite).await {
                // It may be one that the patch brings.
                Err(PipelineError::NoSuchTest { name: wanted, hint }) => Err((wanted, hint)),
                other => Ok(other?),
            };
            report = prepared.report("heal.verify/1", tools);
            report.failures = match survey {
                Ok(survey) => {
                    report.notes.extend(survey.notes.iter().cloned());
                    judge(name, &patch, &prepared, &survey, settings, tools).await?
                }
                Err((wanted, hint)) => {
                    let why = format!("without the patch no test is named `{wanted}`: {hint}");
                    let failure = Failure { id: wanted, ..blank(name) };
                    vec![case::abstained(&failure, &[], Reason::new("not-reproduced", why))]
                }
            };
        }
    }
    super::finish(&mut report, &prepared, tools, began);
    Ok(report)
}

/// What a patch that no test was run with claims to mend.
fn subjects(name: &str, settings: &Settings) -> Vec<Failure> {
    if settings.tests.is_empty() {
        return vec![blank(name)];
    }
    settings.tests.iter().map(|wanted| Failure { id: wanted.clone(), ..blank(name) }).collect()
}

fn tried(tools: &Tools, name: &str, verdict: &Verdict, took: Duration) {
    let (word, detail) = super::workers::words(verdict);
    tools.events.emit(Event::Tried {
        candidate: "patch".into(),
        source: format!("person {name}"),
        verdict: word,
        detail,
        seconds: took.as_secs_f64(),
    });
}

async fn judge(
    name: &str,
    patch: &Patch,
    prepared: &Prepared,
    survey: &Survey,
    settings: &Settings,
    tools: &Tools,
) -> Result<Vec<FailureReport>, PipelineError> {
    let mut aimed = Vec::new();
    for wanted in &settings.tests {
        let named = |reproduction: &&Reproduction| {
            crate::runner::names(&prepared.bench.project, &reproduction.failure.id, wanted)
        };
        match survey.reproductions.iter().find(named) {
            Some(found) if found.outcome == detect::Outcome::Reproduced => aimed.push(found.clone()),
            Some(found) => {
                return Ok(vec![case::abstained(&found.failure, &[], Reason::of_outcome(&found.outcome, found))]);
            }
            None => {
                let reason = Reason::new("not-reproduced", format!("`{wanted}` does not fail without the patch"));
                return Ok(vec![case::abstained(&Failure { id: wanted.clone(), ..blank(name) }, &[], reason)]);
            }
        }
    }
    let baseline = survey.baseline.clone().unwrap_or_else(|| Arc::new(Baseline::of(&survey.first)));
    let selection = reproduce::selection_of(&survey.first, &aimed);
    let wanted: Vec<Failure> = aimed.iter().map(|reproduction| reproduction.failure.clone()).collect();
    let literals = case::literals(prepared, survey, &wanted);
    let trials = docket::person(prepared, Aim { selection, literals, failures: aimed.clone() }, settings)?;
    tools.events.emit(Event::Stage { name: "verify".into(), what: name.to_owned() });
    let mut scratch = prepared.scratch().await?;
    let began = Instant::now();
    let verdict = if aimed.is_empty() {
        trials.harmless(&mut *scratch, patch, &baseline).await?
    } else {
        trials.attempt(&mut *scratch, patch, &baseline).await?
    };
    tried(tools, name, &verdict, began.elapsed());
    let subjects: Vec<Failure> = if aimed.is_empty() {
        vec![blank(name)]
    } else {
        aimed.into_iter().map(|reproduction| reproduction.failure).collect()
    };
    Ok(subjects.iter().map(|failure| row(failure, name, patch, &verdict, tools)).collect())
}

fn row(failure: &Failure, name: &str, patch: &Patch, verdict: &Verdict, tools: &Tools) -> FailureReport {
    match verdict {
        Verdict::Missed(miss) => missed(failure, Some(patch), miss),
        Verdict::Verified(proved) => {
            let told = if proved.cured.is_empty() {
                "Nothing that failed before passes now.".to_owned()
            } else {
                format!("From failing to passing: {}.", proved.cured.join(", "))
            };
            let mut row = case::abstained(failure, &[], Reason::new("", ""));
            row.outcome = "verified".into();
            row.reason = None;
            row.reason_why = None;
            row.candidates = crate::report::Counts { proposed: 1, tried: 1, verified: 1, ..Default::default() };
            row.proposals = vec![ProposalReport {
                id: format!("{}.1", tools.run),
                source: Origin { kind: "person".into(), name: name.to_owned() },
                diff: patch.diff(),
                files: patch.files().into_iter().cloned().collect(),
                explanation: told,
                evidence: proved.evidence.clone(),
            }];
            row
        }
    }
}

fn missed(failure: &Failure, patch: Option<&Patch>, miss: &Miss) -> FailureReport {
    let word = match miss.gate.as_str() {
        "policy" => "policy",
        gate if verify::is_weak(gate) => "only-weak",
        _ => "none-verified",
    };
    let mut row = case::abstained(failure, &[], Reason::new(word, format!("gate {}: {}", miss.gate, miss.detail)));
    row.candidates = crate::report::Counts { proposed: 1, tried: 1, ..Default::default() };
    row.leads = patch
        .map(|patch| LeadReport {
            source: Origin { kind: "person".into(), name: "patch".into() },
            diff: patch.diff(),
            missed: miss.gate.clone(),
            detail: miss.detail.clone(),
        })
        .into_iter()
        .collect();
    row
}

/// Stands for "the patch" where no failing test is named.
fn blank(name: &str) -> Failure {
    Failure {
        id: name.to_owned(),
        kind: Kind::Exit,
        message: "the patch as a whole".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: vec![],
        output: String::new(),
    }
}
