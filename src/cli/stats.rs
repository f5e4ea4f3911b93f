//! `heal stats`: what all recorded runs come to.
//!
//! Reads the record; changes nothing.

use std::path::PathBuf;

use clap::Args;
use heal::options::age;
use heal::report::stats;
use jiff::Timestamp;

use super::output;
use super::output::Failed;
use super::output::Look;
use super::records;

/// The arguments of `heal stats`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Count only runs that began since then, as in 30d or 2026-11-01
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "openmetrics")]
    pub json: bool,
    /// Print OpenMetrics text, for a dashboard
    #[arg(long)]
    pub openmetrics: bool,
    /// The repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
}

/// Runs `heal stats`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    let since = arguments.since.as_deref().map(|text| age::since(text, Timestamp::now()));
    let since = since.transpose().map_err(Failed::usage)?.map(records::moment);
    let ledger = records::open(&arguments.repo)?;
    let mut facts = Vec::new();
    ledger.facts(stats::EVENTS, &mut |fact| facts.push(fact)).map_err(Failed::ledger)?;
    let delivered = ledger.delivered().map_err(Failed::ledger)?;
    let counted = stats::of(&facts, &delivered, since.as_deref());
    output::result(&match (arguments.json, arguments.openmetrics) {
        (true, _) => stats::json(&counted),
        (_, true) => stats::openmetrics::render(&counted),
        _ => stats::text::render(&counted, look.width, look.colour),
    });
    Ok(0)
}
