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
use heal::report::ProposalReport;
use heal::report::RunReport;

use super::consent;
use super::interactive;
use super::output;
use super::output::Failed;
use super::output::Look;
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
    /// Write a report; .md or .json by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// Runs `heal fix`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    check_reports(&arguments.reports)?;
    let mut settings = arguments.flags.settings()?;
    if arguments.flags.show_context {
        settings.models = arguments.flags.named_models()?.unwrap_or_default();
        return super::explain::show_context(&settings, look);
    }
    let kit = setup::kit(&command_line(), &settings, arguments.flags.events.as_deref(), look)?;
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
    record(&kit, &report)?;
    kit.progress.finish();
    for path in &arguments.reports {
        write_report(path, &report)?;
    }
    print(arguments, &report, look);
    if look.interactive && look.terminal && !arguments.flags.json && !arguments.apply && report.exit == 0 {
        interactive::offer(&report, &kit.tools, &settings.repo)?;
    }
    Ok(report.exit)
}

/// What was typed, for the record.
pub fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("heal {}", words.join(" "))
}

/// Ends the record of a run that failed.
pub fn close(kit: &Kit, failed: Failed) -> Failed {
    kit.progress.finish();
    // The run's own error is the one to report.
    let _ = kit.tools.ledger.finish(&kit.tools.run, failed.code, "");
    failed
}

/// Ends the record of a run.
pub fn record(kit: &Kit, report: &RunReport) -> Result<(), Failed> {
    kit.tools.events.emit(heal::event::Event::Finished { exit: report.exit, seconds: report.time.total_s });
    kit.tools.ledger.finish(&kit.tools.run, report.exit, &report::json::render(report)).map_err(Failed::ledger)?;
    match kit.listener.take_error() {
        Some(error) => Err(Failed::ledger(error)),
        None => Ok(()),
    }
}

fn check_reports(paths: &[PathBuf]) -> Result<(), Failed> {
    for path in paths {
        let known = path.extension().is_some_and(|ending| ending == "md" || ending == "json");
        if !known {
            return Err(Failed::usage(format!("cannot write a report to `{}`\n  Its ending says what it is: .md or .json", path.display())));
        }
    }
    Ok(())
}

/// Writes a report by its ending.
pub fn write_report(path: &Path, report: &RunReport) -> Result<(), Failed> {
    let markdown = path.extension().is_some_and(|ending| ending == "md");
    let text = if markdown { report::markdown::render(report) } else { report::json::render(report) };
    std::fs::write(path, text).map_err(|error| Failed::own(format!("cannot write the report `{}`: {error}", path.display())))
}

/// The best proposal of each cluster: rows of one cluster share theirs.
pub fn best(report: &RunReport) -> Vec<&ProposalReport> {
    let mut found: Vec<&ProposalReport> = Vec::new();
    for proposal in report.failures.iter().filter_map(|row| row.proposals.first()) {
        if !found.iter().any(|known| known.id == proposal.id) {
            found.push(proposal);
        }
    }
    found
}

fn deliver_all(arguments: &Arguments, tools: &Tools, report: &mut RunReport) -> Result<(), Failed> {
    let proposals: Vec<ProposalReport> = best(report).into_iter().cloned().collect();
    if proposals.is_empty() {
        return Ok(());
    }
    if let Some(path) = &arguments.output {
        let text: String = proposals.iter().map(|proposal| proposal.diff.as_str()).collect();
        std::fs::write(path, text).map_err(|error| Failed::own(format!("cannot write `{}`: {error}", path.display())))?;
    }
    let repo = &arguments.flags.repo;
    if arguments.apply {
        for proposal in &proposals {
            super::apply::apply_proposal(repo, tools, &proposal.id)?;
        }
        report.notes.push("applied to the work tree; heal undo takes it back".into());
    }
    if let Some(branch) = &arguments.branch {
        let commit = commit(branch, &proposals, tools, report, repo)?;
        report.notes.push(format!("committed on branch {branch} as {}", &commit[..commit.len().min(12)]));
    }
    Ok(())
}

fn commit(branch: &str, proposals: &[ProposalReport], tools: &Tools, report: &RunReport, repo: &Path) -> Result<String, Failed> {
    let repository = heal::git::Repository::discover(repo, &tools.launcher).map_err(PipelineError::from)?;
    let mut whole = heal::patch::Patch::default();
    for proposal in proposals {
        let stored = tools.ledger.proposal(&proposal.id).map_err(Failed::ledger)?;
        whole = whole.joined(&stored.patch).map_err(|path| Failed { message: format!("two proposals change `{path}`\n  Heal one failure at a time: heal fix --test ID --branch NAME"), code: 1 })?;
    }
    let first = &proposals[0];
    let row = report.failures.iter().find(|row| row.proposals.iter().any(|proposal| proposal.id == first.id));
    let message = deliver::branch::Message {
        failure: row.map(|row| row.id.clone()).unwrap_or_default(),
        fingerprint: row.map(|row| row.fingerprint.clone()).unwrap_or_default(),
        explanation: first.explanation.clone(),
        run: tools.run.clone(),
        source: format!("{} {}", first.source.kind, first.source.name),
        evidence: report::evidence_line(&first.evidence),
        ledger: report.ledger.head.clone(),
    };
    let commit = deliver::branch::commit(&repository, branch, &whole, &message).map_err(|error| Failed { message: error.to_string(), code: 2 })?;
    for proposal in proposals {
        tools.ledger.record_delivery(&proposal.id, DeliveryKind::Branch, branch, &[]).map_err(Failed::ledger)?;
    }
    Ok(commit)
}

/// stdout carries the patch, the JSON, or on a terminal the report.
fn print(arguments: &Arguments, report: &RunReport, look: Look) {
    if arguments.flags.json {
        output::result(&report::json::render(report));
        return;
    }
    if look.terminal {
        output::result(&report::text::render(report, look.width, look.colour));
        return;
    }
    if arguments.output.is_none() {
        let diffs: String = best(report).into_iter().map(|proposal| proposal.diff.as_str()).collect();
        output::result(&diffs);
    }
    if look.verbosity > Verbosity::Quiet {
        output::message(&report::text::render(report, look.width, look.colour_err));
    }
}
