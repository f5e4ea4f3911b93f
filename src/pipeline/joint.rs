//! Patches of several clusters, verified together before any is offered
//! (DECISIONS 8).
//!
//! Takes back what does not hold in company; proposes nothing.

use std::sync::Arc;

use super::PipelineError;
use super::prepare::Prepared;
use super::reason::Reason;
use super::survey::Survey;
use crate::detect::Baseline;
use crate::patch::Patch;
use crate::patch::unified;
use crate::report::FailureReport;
use crate::runner::Report;
use crate::runner::Selection;
use crate::source::RelPath;

/// A cluster that has a verified patch.
#[derive(Clone, Debug)]
pub struct Solved {
    /// Index of the cluster's first row.
    pub first: usize,
    /// How many rows the cluster has.
    pub rows: usize,
    /// Its best patch.
    pub patch: Patch,
}

/// Runs the suite with the best patches of all clusters at once; clusters
/// whose patch does not hold in company are abstained on. Returns the patch of
/// all that do, where they are several and differ.
///
/// # Errors
/// The tests cannot be run.
pub async fn check(
    prepared: &Prepared,
    survey: &Survey,
    solved: &[Solved],
    rows: &mut [FailureReport],
) -> Result<Option<Patch>, PipelineError> {
    let Some((first, others)) = solved.split_first() else { return Ok(None) };
    if others.iter().all(|other| other.patch == first.patch) {
        return Ok(None);
    }
    let all: Vec<&Solved> = solved.iter().collect();
    if let Ok(whole) = attempt(prepared, survey, &all, rows).await? {
        return Ok(Some(whole));
    }
    // One after the other: who comes first stays.
    let mut kept = vec![first];
    let mut whole = None;
    for other in others {
        kept.push(other);
        match attempt(prepared, survey, &kept, rows).await? {
            Ok(patch) => whole = Some(patch),
            Err(why) => {
                kept.pop();
                let why = format!("its patch does not hold together with the others: {why}; heal it alone with --test");
                for row in &mut rows[other.first..other.first + other.rows] {
                    abstain(row, &Reason::new("none-verified", why.clone()));
                }
            }
        }
    }
    Ok(whole.filter(|whole| *whole != first.patch))
}

fn abstain(row: &mut FailureReport, reason: &Reason) {
    row.outcome = "abstained".into();
    row.reason = Some(reason.word.into());
    row.reason_why = Some(reason.why.clone());
    row.proposals.clear();
}

/// The patch of these clusters, if the suite stands it; else why not.
async fn attempt(
    prepared: &Prepared,
    survey: &Survey,
    solved: &[&Solved],
    rows: &[FailureReport],
) -> Result<Result<Patch, String>, PipelineError> {
    let Some(patch) = combine(prepared, solved) else { return Ok(Err("they change the same lines".into())) };
    let ids: Vec<String> =
        solved.iter().flat_map(|one| &rows[one.first..one.first + one.rows]).map(|row| row.id.clone()).collect();
    Ok(hold(prepared, survey, &patch, &ids).await?.map(|()| patch))
}

/// One patch of all; `None` where they change the same lines.
fn combine(prepared: &Prepared, solved: &[&Solved]) -> Option<Patch> {
    let mut whole = Patch::default();
    for one in solved {
        whole = match whole.joined(&one.patch) {
            Ok(joined) => joined,
            Err(_) => merge(prepared, &whole, &one.patch)?,
        };
    }
    Some(whole)
}

/// The second patch's hunks on top of the first one's texts.
fn merge(prepared: &Prepared, first: &Patch, second: &Patch) -> Option<Patch> {
    let patched = |path: &RelPath| {
        first
            .changes()
            .iter()
            .find(|change| &change.path == path)
            .map_or_else(|| prepared.text(path), |change| change.after.clone())
    };
    let diffs = unified::parse(&second.diff()).ok()?;
    let on_top = unified::resolve(&diffs, &patched).ok()?;
    let mut changes = first.changes().to_vec();
    for change in on_top.changes() {
        match changes.iter_mut().find(|mine| mine.path == change.path) {
            Some(mine) => mine.after.clone_from(&change.after),
            None => changes.push(change.clone()),
        }
    }
    Some(Patch::new(changes))
}

async fn hold(
    prepared: &Prepared,
    survey: &Survey,
    patch: &Patch,
    verified: &[String],
) -> Result<Result<(), String>, PipelineError> {
    let mut scratch = prepared.scratch().await?;
    scratch.lay(patch)?;
    let report = prepared.bench.run(&*scratch, &prepared.bench.request(Selection::All)).await?;
    Ok(judge(survey.baseline.as_ref(), &report, verified))
}

fn judge(baseline: Option<&Arc<Baseline>>, report: &Report, verified: &[String]) -> Result<(), String> {
    if let Some(still) = verified.iter().find(|id| report.failures().any(|failure| &failure.id == *id)) {
        return Err(format!("{still} fails with all of them applied"));
    }
    if !report.complete && report.exit_only != Some(true) {
        return Err("the suite does not come to its end with all of them applied".into());
    }
    let Some(baseline) = baseline else { return Ok(()) };
    let difference = baseline.compare(report);
    if difference.is_clean() { Ok(()) } else { Err("another test fails with all of them applied".into()) }
}
