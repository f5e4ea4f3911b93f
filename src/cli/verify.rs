//! `heal verify PATCH`.
//!
//! Reads a patch, runs the gates, prints their word.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::pipeline::verify_patch;
use heal::report;

use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings::RunFlags;
use super::setup;

/// The arguments of `heal verify`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// A unified diff or a git format-patch mail; - is stdin
    #[arg(value_name = "PATCH")]
    pub patch: PathBuf,
    /// What the patch claims to mend, and how to test it
    #[command(flatten)]
    pub flags: RunFlags,
    /// Write a report; .md, .html, .json, .sarif or .xml (JUnit) by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// Bytes of a patch that are read.
const PATCH_LIMIT: u64 = 16 << 20;

/// Runs `heal verify`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    super::fix::check_reports(&arguments.reports)?;
    let settings = arguments.flags.settings()?;
    let (name, text) = read(&arguments.patch)?;
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        verify_patch::verify(&name, &text, &settings, &kit.tools).await
    });
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => return Err(super::fix::close(&kit, error.into())),
    };
    report.notes.extend(kit.notes.iter().cloned());
    let report = super::fix::record(&kit, &report)?;
    kit.progress.finish();
    for path in &arguments.reports {
        super::fix::write_report(path, &report)?;
    }
    let text = if arguments.flags.json {
        report::json::render(&report)
    } else {
        report::text::render(&report, look.width, look.colour)
    };
    output::result(&text);
    Ok(report.exit)
}

fn read(path: &Path) -> Result<(String, String), Failed> {
    let cannot = |error: std::io::Error| Failed::usage(format!("cannot read the patch `{}`: {error}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(PATCH_LIMIT).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        std::fs::File::open(path).map_err(cannot)?.take(PATCH_LIMIT).read_to_end(&mut bytes).map_err(cannot)?;
    }
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let text =
        String::from_utf8(bytes).map_err(|_| Failed::usage(format!("`{name}` is no patch: it is not UTF-8 text")))?;
    Ok((name, text))
}
