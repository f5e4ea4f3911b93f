//! `heal fix`.
//!
//! Runs the pipeline and puts its result where it was asked for.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::deliver;
use heal::ledger::DeliveryKind;
use heal::pipeline;
use heal::pipeline::PipelineError;
use heal::pipeline::Tools;
use heal::progress::Verbosity;
use heal::report;
use heal::report::RunReport;

use super::consent;
use super::interactive;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::records;
use super::resume;
use super::settings::RunFlags;
use super::setup;
use super::setup::Kit;

/// The arguments of `heal fix`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// What and how to heal
    #[command(flatten)]
    pub flags: RunFlags,
    /// Apply the best proposal to the work tree
    #[arg(long)]
    pub apply: bool,
    /// Commit the best proposal on a new branch
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Write the best patch to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Go on with a run that did not end by itself: the last, or this one
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "last")]
    pub resume: Option<String>,
    /// Write a report; .md, .html, .json, .sarif or .xml (JUnit) by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// Runs `heal fix`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    let Some(given) = &arguments.resume else { return run_as(arguments, setup::Line::typed(), look) };
    let (arguments, run) = resume::resumed(arguments, given)?;
    if look.verbosity > Verbosity::Quiet {
        output::message(&format!("heal: going on with the run {run}"));
    }
    run_as(&arguments, setup::Line { resumes: Some(run), ..setup::Line::typed() }, look)
}

fn run_as(arguments: &Arguments, line: setup::Line, look: Look) -> Result<i32, Failed> {
    check_reports(&arguments.reports)?;
    let mut settings = arguments.flags.settings()?;
    if arguments.flags.show_context {
        settings.models = arguments.flags.named_models()?.unwrap_or_default();
        return super::explain::show_context(&settings, look);
    }
    let kit = setup::kit(&line, &settings, arguments.flags.events.as_deref(), look, false)?;
    let mut notes = kit.notes.clone();
    settings.models = consent::models(&arguments.flags, &settings, &kit.tools, look, &mut notes)?;
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        pipeline::heal(&settings, &kit.tools).await
    });
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => {
            let failed: Failed = error.into();
            return Err(close(&kit, failed));
        }
    };
    report.notes.extend(notes);
    deliver_all(arguments, &kit.tools, &mut report)?;
    let shown = record(&kit, &report)?;
    kit.progress.finish();
    for path in &arguments.reports {
        write_report(path, &shown)?;
    }
    // A patch must apply, secrets around it or not: it alone is whole.
    print(arguments, &shown, offered(&report).map(|(_, diff)| diff).unwrap_or_default(), look);
    if look.interactive && look.terminal && !arguments.flags.json && !arguments.apply && report.exit == 0 {
        interactive::offer(&report, &kit.tools, &settings.repo)?;
    }
    Ok(report.exit)
}

/// Ends the record of a run that failed.
pub fn close(kit: &Kit, failed: Failed) -> Failed {
    kit.progress.finish();
    // The run's own error is the one to report.
    let _ = kit.tools.ledger.finish(&kit.tools.run, failed.code, "");
    kit.tell(failed.code, true);
    failed
}

/// Ends the record of a run; returns its report without secrets, as it is
/// recorded.
pub fn record(kit: &Kit, report: &RunReport) -> Result<RunReport, Failed> {
    let report = kit.tools.shown.document(report);
    kit.tools.events.emit(heal::event::Event::Finished { exit: report.exit, seconds: report.time.total_s });
    let recorded = kit.tools.ledger.finish(&kit.tools.run, report.exit, &report::json::render(&report));
    // A collector may be slow: the record is whole before it is told.
    kit.tell(report.exit, false);
    recorded.map_err(Failed::ledger)?;
    if let Some(before) = kit.keep_since
        && let Err(error) = kit.tools.ledger.prune(&records::moment(before), Some(&kit.tools.run), false)
    {
        // Worth no lost run; the next one tries again.
        output::message(&format!("note: texts of old runs were not dropped: {error}"));
    }
    match kit.listener.take_error() {
        Some(error) => Err(Failed::ledger(error)),
        None => Ok(report),
    }
}

/// Refuses a report whose ending says nothing.
pub fn check_reports(paths: &[PathBuf]) -> Result<(), Failed> {
    paths.iter().try_for_each(|path| by_ending(path).map(|_| ()))
}

/// How a report of this ending is written.
fn by_ending(path: &Path) -> Result<fn(&RunReport) -> String, Failed> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("md") => Ok(report::markdown::render),
        Some("html") => Ok(report::html::render),
        Some("json") => Ok(report::json::render),
        Some("sarif") => Ok(report::sarif::render),
        Some("xml") => Ok(report::junit::render),
        _ => Err(Failed::usage(format!(
            "cannot write a report to `{}`\n  Its ending says what it is: .md, .html, .json, .sarif or .xml (JUnit)",
            path.display()
        ))),
    }
}

/// Writes a report by its ending.
pub fn write_report(path: &Path, report: &RunReport) -> Result<(), Failed> {
    std::fs::write(path, by_ending(path)?(report))
        .map_err(|error| Failed::own(format!("cannot write the report `{}`: {error}", path.display())))
}

/// The id and the diff of the patch that is offered: that of all failures
/// together, or the one that mends them.
fn offered(report: &RunReport) -> Option<(String, String)> {
    if let Some(together) = &report.together {
        return Some((together.id.clone(), together.diff.clone()));
    }
    let best = report.failures.iter().find_map(|row| row.proposals.first())?;
    Some((best.id.clone(), best.diff.clone()))
}

fn deliver_all(arguments: &Arguments, tools: &Tools, report: &mut RunReport) -> Result<(), Failed> {
    let Some((id, diff)) = offered(report) else { return Ok(()) };
    if let Some(path) = &arguments.output {
        std::fs::write(path, diff)
            .map_err(|error| Failed::own(format!("cannot write `{}`: {error}", path.display())))?;
    }
    let repo = &arguments.flags.repo;
    if arguments.apply {
        super::apply::apply_proposal(repo, tools, &id)?;
        report.notes.push("applied to the work tree; heal undo takes it back".into());
    }
    if let Some(branch) = &arguments.branch {
        let commit = commit(branch, &id, tools, report, repo)?;
        report.notes.push(format!("committed on branch {branch} as {}", &commit[..commit.len().min(12)]));
    }
    Ok(())
}

fn commit(branch: &str, id: &str, tools: &Tools, report: &RunReport, repo: &Path) -> Result<String, Failed> {
    let repository = heal::git::Repository::discover(repo, &tools.launcher).map_err(PipelineError::from)?;
    let stored = tools.ledger.proposal(id).map_err(Failed::ledger)?;
    let patch = super::apply::whole(repository.root(), &stored.patch)?;
    let row = report.failures.iter().find(|row| row.is_verified());
    let Some((row, first)) = row.and_then(|row| Some((row, row.proposals.first()?))) else {
        return Err(Failed::own("a proposal without a verified failure"));
    };
    let message = super::ci::message(report, &[row], first);
    let commit = deliver::branch::commit(&repository, branch, &patch, &message)
        .map_err(|error| Failed { message: error.to_string(), code: 2 })?;
    tools.ledger.record_delivery(id, DeliveryKind::Branch, branch, &[]).map_err(Failed::ledger)?;
    Ok(commit)
}

/// stdout carries the patch, the JSON, or on a terminal the report.
fn print(arguments: &Arguments, report: &RunReport, patch: String, look: Look) {
    if arguments.flags.json {
        output::result(&report::json::render(report));
        return;
    }
    if look.terminal {
        output::result(&report::text::render(report, look.width, look.colour));
        return;
    }
    if arguments.output.is_none() {
        output::result(&patch);
    }
    if look.verbosity > Verbosity::Quiet {
        output::message(&report::text::render(report, look.width, look.colour_err));
    }
}
