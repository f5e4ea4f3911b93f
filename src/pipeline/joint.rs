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

/// Runs the suite with the best patches of all clusters at once. `solved`
/// gives for each the index of its cluster's first row.
///
/// # Errors
/// The tests cannot be run.
pub async fn check(prepared: &Prepared, survey: &Survey, solved: &[(usize, Patch)], rows: &mut [FailureReport]) -> Result<(), PipelineError> {
    if solved.len() < 2 {
        return Ok(());
    }
    let verified: Vec<String> = rows.iter().filter(|row| row.outcome == "verified").map(|row| row.id.clone()).collect();
    let held = match combine(prepared, solved) {
        Some(patch) => hold(prepared, survey, &patch, &verified).await?,
        None => Err("they change the same lines".to_owned()),
    };
    if let Err(why) = held {
        let reason = Reason::new("none-verified", format!("the patches of several failures do not hold together: {why}; heal one at a time with --test"));
        for row in rows.iter_mut().filter(|row| row.outcome == "verified") {
            row.outcome = "abstained".into();
            row.reason = Some(reason.word.into());
            row.reason_why = Some(reason.why.clone());
            row.proposals.clear();
        }
    }
    Ok(())
}

/// One patch of all; `None` where they change the same lines.
pub fn combine(prepared: &Prepared, solved: &[(usize, Patch)]) -> Option<Patch> {
    let mut whole = Patch::default();
    for (_, patch) in solved {
        whole = match whole.joined(patch) {
            Ok(joined) => joined,
            Err(_) => merge(prepared, &whole, patch)?,
        };
    }
    Some(whole)
}

/// The second patch's hunks on top of the first one's texts.
fn merge(prepared: &Prepared, first: &Patch, second: &Patch) -> Option<Patch> {
    let patched = |path: &RelPath| first.changes().iter().find(|change| &change.path == path).map_or_else(|| prepared.text(path), |change| change.after.clone());
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

async fn hold(prepared: &Prepared, survey: &Survey, patch: &Patch, verified: &[String]) -> Result<Result<(), String>, PipelineError> {
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
