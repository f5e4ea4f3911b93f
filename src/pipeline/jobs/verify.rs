//! The job that puts a model's answers through the gates: runs the stranger's
//! code, and holds no secret.
//!
//! What the rules had verified before is handed on as it is.

use std::sync::Arc;
use std::time::Instant;

use super::Asked;
use super::Judged;
use super::Reproduced;
use super::parcel;
use crate::detect;
use crate::detect::Baseline;
use crate::diagnose;
use crate::event::Event;
use crate::options::Settings;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::patch::unified;
use crate::pipeline;
use crate::pipeline::PipelineError;
use crate::pipeline::Tools;
use crate::pipeline::case::Case;
use crate::pipeline::docket;
use crate::pipeline::ended::Ended;
use crate::pipeline::ended::Proposal;
use crate::pipeline::leads;
use crate::pipeline::prepare;
use crate::pipeline::prepare::Prepared;
use crate::pipeline::reason::Reason;
use crate::pipeline::survey;
use crate::pipeline::workers;
use crate::propose::Candidate;
use crate::report::FailureReport;
use crate::verify::Verdict;

/// Judges the answers, and returns the whole run.
///
/// # Errors
/// Another commit is checked out, or heal is stuck. A candidate that misses a
/// gate is part of the report.
pub async fn verify(
    (reproduced, reproduced_digest): (&Reproduced, &str),
    asked: Option<(&Asked, &str)>,
    settings: &Settings,
    tools: &Tools,
) -> Result<Judged, PipelineError> {
    let began = Instant::now();
    let mut prepared = prepare::prepare(settings, tools).await?;
    let head = prepared.snapshot.commit().unwrap_or_default().to_owned();
    if head != reproduced.commit {
        return Err(PipelineError::Usage {
            what: format!("`{head}` is checked out, and `{}` was reproduced", reproduced.commit),
            hint: "Check out the same commit in both jobs".into(),
        });
    }
    let mut report = reproduced.report.clone();
    report.run.clone_from(&tools.run);
    let answers = asked.map(|(asked, _)| asked.candidates.as_slice()).unwrap_or_default();
    if let Some((asked, _)) = asked {
        report.cost = pipeline::add_cost(report.cost, asked.cost);
        report.notes.extend(asked.notes.iter().cloned());
    }
    if !answers.is_empty() {
        let rows = judge(answers, &mut prepared, settings, tools).await?;
        for row in &mut report.failures {
            if let Some(better) = rows.iter().find(|better| better.id == row.id && !row.is_verified()) {
                *row = better.clone();
            }
        }
    }
    pipeline::tell_outcomes(&report.failures, tools);
    pipeline::finish(&mut report, &prepared, tools, began);
    let patches = patches(&report, &prepared);
    Ok(Judged {
        schema: parcel::JUDGED.to_owned(),
        asked: asked.map(|(_, digest)| digest.to_owned()).unwrap_or_default(),
        reproduced: reproduced_digest.to_owned(),
        commit: head,
        report,
        patches,
        passed: reproduced.passed.clone(),
    })
}

/// The rows of the failures that answers are for.
async fn judge(
    answers: &[(String, Candidate)],
    prepared: &mut Prepared,
    settings: &Settings,
    tools: &Tools,
) -> Result<Vec<FailureReport>, PipelineError> {
    let survey = survey::settled(prepared, settings, tools, survey::Scope::Asked).await?;
    let baseline = survey.baseline.clone().unwrap_or_else(|| Arc::new(Baseline::of(&survey.first)));
    let reproduced = |outcome: &detect::Outcome| *outcome == detect::Outcome::Reproduced;
    let failing: Vec<_> = survey.reproductions.iter().filter(|one| reproduced(&one.outcome)).cloned().collect();
    let failures: Vec<_> = failing.iter().map(|one| one.failure.clone()).collect();
    let (mut rows, mut count) = (Vec::new(), 0);
    for cluster in diagnose::clusters(&failures) {
        let members: Vec<_> = cluster.iter().map(|index| failing[*index].clone()).collect();
        let Some(case) = Case::diagnose(prepared, &survey, members) else { continue };
        let is_for = |id: &str| case.aim.failures.iter().any(|one| one.failure.id == id);
        let candidates: Vec<&Candidate> =
            answers.iter().filter(|(id, _)| is_for(id)).map(|(_, candidate)| candidate).collect();
        if candidates.is_empty() {
            continue;
        }
        let trials = docket::machine(prepared, &case, settings)?;
        let mut scratch = prepared.scratch().await?;
        let mut ended = Ended::default();
        for candidate in candidates {
            ended.counts.proposed += 1;
            let Some(patch) = relaid(&candidate.patch, prepared) else {
                ended.counts.refused += 1;
                continue;
            };
            let began = Instant::now();
            let verdict = trials.attempt(&mut *scratch, &patch, &baseline).await?;
            let (word, detail) = workers::words(&verdict);
            tools.events.emit(Event::Tried {
                candidate: candidate.id.clone(),
                source: format!("{} {}", candidate.origin.kind, candidate.origin.name),
                verdict: word,
                detail,
                seconds: began.elapsed().as_secs_f64(),
            });
            ended.counts.tried += 1;
            match verdict {
                Verdict::Missed(miss) => leads::note(&mut ended.leads, candidate, &miss),
                Verdict::Verified(proved) => {
                    ended.counts.verified += 1;
                    count += 1;
                    ended.proposals.push(Proposal {
                        id: Some(format!("{}.{count}", tools.run)),
                        origin: candidate.origin.clone(),
                        patch: proved.patch.clone(),
                        explanation: candidate.explanation.clone(),
                        evidence: proved.evidence.clone(),
                        prior: candidate.prior,
                    });
                    if proved.evidence.is_strong() {
                        break;
                    }
                }
            }
        }
        if ended.proposals.is_empty() {
            ended.reason = Some(Reason::new("none-verified", "no patch of the model's passed every gate"));
        }
        rows.extend(case.rows(&ended, tools));
    }
    Ok(rows)
}

/// The candidate on the files as they are here; `None` where it was made for
/// others.
fn relaid(patch: &Patch, prepared: &Prepared) -> Option<Patch> {
    let same = |change: &FileChange| prepared.text(&change.path) == change.before;
    patch.changes().iter().all(same).then(|| patch.clone())
}

/// The verified patches, whole.
fn patches(report: &crate::report::RunReport, prepared: &Prepared) -> Vec<(String, Patch)> {
    let best = report.failures.iter().filter(|row| row.is_verified()).filter_map(|row| row.proposals.first());
    let whole = best.filter_map(|proposal| {
        let diffs = unified::parse(&proposal.diff).ok()?;
        Some((proposal.id.clone(), unified::resolve(&diffs, &|path| prepared.text(path)).ok()?))
    });
    whole.collect()
}
