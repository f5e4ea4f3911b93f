//! `heal show RUN`: one run in full, as it was recorded.
//!
//! Turns the ledger's rows into text; opens nothing.

use heal::event::Event;
use heal::ledger::RunRow;
use heal::ledger::StoredEvent;
use heal::progress;
use heal::report;
use heal::report::RunReport;
use heal::report::clean;

/// Why a run cannot be shown in the form asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ShowError {
    /// It has no verified patch.
    #[error("run {run} has no verified patch")]
    NoPatch {
        /// Its id.
        run: String,
    },
    /// It left no report: it never finished, failed, or was one that makes
    /// none (`heal explain`).
    #[error("run {run} has no report")]
    NoReport {
        /// Its id.
        run: String,
        /// Its exit code; `None` where it never finished.
        exit: Option<i32>,
    },
    /// Its report is not kept any more.
    #[error("the report of run {run} was pruned on {at}")]
    Pruned {
        /// Its id.
        run: String,
        /// When.
        at: String,
    },
    /// Its report cannot be read by this heal.
    #[error("the report of run {run} cannot be read: {detail}")]
    Unreadable {
        /// Its id.
        run: String,
        /// Why.
        detail: String,
    },
}

impl ShowError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            ShowError::NoPatch { run } => format!("See why with `heal show {run}`."),
            ShowError::NoReport { run, exit: None } => {
                format!("It did not finish. Go on with it: heal fix --resume {run}")
            }
            ShowError::NoReport { run, exit: Some(exit) } => {
                format!("It ended with exit code {exit}. See what happened: heal show {run}")
            }
            ShowError::Pruned { run, .. } => format!("What is left of it: heal show {run}"),
            ShowError::Unreadable { run, .. } => format!("See it as it is with `heal show {run} --json`."),
        }
    }
}

/// The run for a person: its report, then what happened, with times.
///
/// # Errors
/// [`ShowError::Unreadable`]; a run that never finished is shown by its
/// events alone.
pub fn text(run: &RunRow, events: &[StoredEvent], width: usize, colour: bool) -> Result<String, ShowError> {
    let mut out = format!("{}\n", report::fit(&clean(&format!("$ {}", run.command)), width));
    let commit = run.commit.as_deref().map_or("no commit yet", |commit| commit.get(..12).unwrap_or(commit));
    let dirty = if run.dirty { ", with changes" } else { "" };
    out.push_str(&format!("{} on {}{dirty}\n\n", clean(&run.started), clean(commit)));
    match report_of(run) {
        Ok(report) => out.push_str(&report::text::in_full(&report, width, colour)),
        Err(error @ ShowError::Pruned { .. }) => out.push_str(&format!("{error}\n")),
        Err(error @ ShowError::NoReport { .. }) => out.push_str(&format!("{error}\n{}\n", error.hint())),
        Err(error) => return Err(error),
    }
    out.push_str("\nwhat happened\n");
    for event in events {
        let known = serde_json::from_str::<Event>(&event.event).ok();
        let Some(line) = known.as_ref().and_then(progress::describe) else { continue };
        let time = event.at.get(11..23).unwrap_or(&event.at);
        out.push_str(&report::fit(&format!("  {} {line}", clean(time)), width));
        out.push('\n');
    }
    Ok(out)
}

/// The run's report as it was recorded.
///
/// # Errors
/// [`ShowError::NoReport`].
pub fn json(run: &RunRow) -> Result<String, ShowError> {
    Ok(format!("{}\n", recorded(run)?.trim_end()))
}

/// The best verified patch of each failure, as `git apply` takes it.
///
/// # Errors
/// [`ShowError::NoReport`], [`ShowError::Unreadable`], [`ShowError::NoPatch`].
pub fn diff(run: &RunRow) -> Result<String, ShowError> {
    let report = report_of(run)?;
    let mut shown: Vec<&str> = Vec::new();
    let mut out = String::new();
    for proposal in report.failures.iter().filter_map(|failure| failure.proposals.first()) {
        // One patch may mend several failures.
        if !shown.contains(&proposal.diff.as_str()) {
            shown.push(&proposal.diff);
            out.push_str(&proposal.diff);
        }
    }
    if out.is_empty() { Err(ShowError::NoPatch { run: run.id.clone() }) } else { Ok(out) }
}

fn recorded(run: &RunRow) -> Result<&str, ShowError> {
    if let Some(at) = &run.pruned {
        let day = clean(at.get(..10).unwrap_or(at));
        return Err(ShowError::Pruned { run: run.id.clone(), at: day });
    }
    let report = run.report.as_deref().filter(|report| !report.trim().is_empty());
    report.ok_or_else(|| ShowError::NoReport { run: run.id.clone(), exit: run.exit })
}

fn report_of(run: &RunRow) -> Result<RunReport, ShowError> {
    serde_json::from_str(recorded(run)?)
        .map_err(|error| ShowError::Unreadable { run: run.id.clone(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as it was recorded: the library's own pinned document.
    fn pinned() -> String {
        let snapshot = include_str!("../report/snapshots/heal__report__json__tests__a_document_is_pinned.snap");
        snapshot.splitn(3, "---\n").nth(2).expect("a snapshot's body").to_owned()
    }

    fn run(report: Option<String>) -> RunRow {
        RunRow {
            id: "01JDXQ3N6V8Z0RTK5M2W7YHB4C".into(),
            started: "2026-11-24T02:48:35.120Z".into(),
            command: "heal fix".into(),
            commit: Some("3f1c2d4e5a6b7c8d".into()),
            dirty: true,
            exit: report.as_ref().map(|_| 0),
            finished: None,
            report,
            pruned: None,
        }
    }

    fn event(text: &str) -> StoredEvent {
        StoredEvent { seq: 1, at: "2026-11-24T02:48:35.120Z".into(), event: text.into(), digest: String::new() }
    }

    #[test]
    fn a_run_is_shown_with_its_report_and_its_events() {
        let events = [
            event(r#"{"event":"kept","kept":"run","id":"x","digest":"y"}"#),
            event(r#"{"event":"suite-ran","passed":40,"failed":1,"skipped":0,"seconds":1.2}"#),
            event(r#"{"event":"of-a-newer-heal"}"#),
        ];
        let text = text(&run(Some(pinned())), &events, 80, false).expect("shown");
        assert!(text.starts_with("$ heal fix\n2026-11-24T02:48:35.120Z on 3f1c2d4e5a6b, with changes\n"), "{text}");
        assert!(text.contains("verified  tests/test_gcd.py::test_gcd[case1]"), "{text}");
        assert!(text.ends_with("what happened\n  02:48:35.120 tests: 40 passed, 1 failed in 1.2 s\n"), "{text}");
    }

    #[test]
    fn the_patch_is_shown_as_git_takes_it() {
        let diff = diff(&run(Some(pinned()))).expect("a patch");
        assert!(diff.starts_with("diff --git a/gcd.py b/gcd.py\n--- a/gcd.py\n"), "{diff}");
        assert!(diff.ends_with("+        return gcd(b, a % b)\n"), "{diff}");
    }

    #[test]
    fn a_run_without_a_report_or_a_patch_says_what_to_do() {
        let unfinished = run(None);
        assert!(text(&unfinished, &[], 80, false).expect("shown").contains("heal fix --resume 01JD"));
        let pruned = RunRow { pruned: Some("2026-12-24T02:48:35.120Z".into()), ..run(Some(String::new())) };
        assert!(text(&pruned, &[], 80, false).expect("shown").contains("was pruned on 2026-12-24\n"));
        assert!(matches!(diff(&pruned), Err(ShowError::Pruned { .. })));
        let mut failed = run(Some(String::new()));
        failed.exit = Some(70);
        assert!(text(&failed, &[], 80, false).expect("shown").contains("exit code 70"));
        assert!(matches!(json(&unfinished), Err(ShowError::NoReport { .. })));
        assert!(matches!(diff(&unfinished), Err(ShowError::NoReport { .. })));
        let mut document: serde_json::Value = serde_json::from_str(&pinned()).expect("JSON");
        document["failures"] = serde_json::json!([]);
        let error = diff(&run(Some(document.to_string()))).expect_err("no patch");
        assert_eq!(error.hint(), "See why with `heal show 01JDXQ3N6V8Z0RTK5M2W7YHB4C`.");
        assert!(matches!(text(&run(Some("{}".into())), &[], 80, false), Err(ShowError::Unreadable { .. })));
    }
}
