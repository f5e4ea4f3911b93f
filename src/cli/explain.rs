//! `heal explain`, and `--show-context` of `heal fix`.
//!
//! Prints a diagnosis; asks no model.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::diagnose::Diagnosis;
use heal::options::Settings;
use heal::pipeline::explain;
use heal::report;

use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings::RunFlags;
use super::setup;

/// The arguments of `heal explain`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// What to explain
    #[command(flatten)]
    pub flags: RunFlags,
    /// Print Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Print one HTML page
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    pub html: bool,
    /// Write the diagnosis to a file too; .md, .html or .json by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// Runs `heal explain`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    let reports: Vec<(&PathBuf, Render)> =
        arguments.reports.iter().map(|path| Ok((path, by_ending(path)?))).collect::<Result<_, Failed>>()?;
    let mut settings = arguments.flags.settings()?;
    if arguments.flags.show_context {
        settings.models = arguments.flags.named_models()?.unwrap_or_default();
        return show_context(&settings, look);
    }
    let explained = explained(&settings, arguments.flags.events.as_deref(), look)?;
    let text = if arguments.flags.json {
        report::explain::json(&explained.diagnoses)
    } else if arguments.markdown {
        report::explain::markdown(&explained.diagnoses)
    } else if arguments.html {
        report::explain::html(&explained.diagnoses)
    } else {
        report::explain::text(&explained.diagnoses, look.width, look.colour)
    };
    for (path, render) in reports {
        std::fs::write(path, render(&explained.diagnoses))
            .map_err(|error| Failed::own(format!("cannot write the report `{}`: {error}", path.display())))?;
    }
    output::result(&text);
    for note in &explained.notes {
        output::message(&format!("note: {note}"));
    }
    // A log without a failure is nothing to explain; a green suite is fine.
    Ok(if explained.diagnoses.is_empty() && settings.trace.is_some() { 1 } else { 0 })
}

type Render = fn(&[Diagnosis]) -> String;

fn by_ending(path: &Path) -> Result<Render, Failed> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("md") => Ok(report::explain::markdown),
        Some("html") => Ok(report::explain::html),
        Some("json") => Ok(report::explain::json),
        _ => Err(Failed::usage(format!(
            "cannot write a report to `{}`\n  Its ending says what it is: .md, .html or .json",
            path.display()
        ))),
    }
}

/// Prints what would be sent, and sends nothing.
pub fn show_context(settings: &Settings, look: Look) -> Result<i32, Failed> {
    let settings = Settings { show_context: true, ..settings.clone() };
    let explained = explained(&settings, None, look)?;
    if explained.contexts.is_empty() {
        output::message("nothing fails, so nothing would be sent");
    }
    output::result(&explained.contexts.join("\n"));
    Ok(0)
}

fn explained(settings: &Settings, events: Option<&std::path::Path>, look: Look) -> Result<explain::Explained, Failed> {
    let at_once = settings.trace.is_some() && !settings.show_context;
    let kit = std::thread::scope(|scope| {
        if let Some(log) = settings.trace.as_ref().filter(|_| at_once) {
            scope.spawn(|| explain::rehearse(log));
        }
        setup::kit(&setup::Line::typed(), settings, events, look, at_once)
    })?;
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        explain::explain(settings, &kit.tools).await
    });
    kit.progress.finish();
    let code = outcome.as_ref().map_or_else(|error| error.exit_code(), |_| 0);
    kit.tools.ledger.finish(&kit.tools.run, code, "").map_err(Failed::ledger)?;
    Ok(outcome?)
}
