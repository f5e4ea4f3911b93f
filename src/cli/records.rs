//! `heal log` and `heal show` against the repository's record.
//!
//! Reads the record, and drops texts of old runs where that is asked for;
//! changes nothing else.

use std::path::Path;

use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::Ledger;
use heal::options::age;
use heal::pipeline::PipelineError;
use jiff::Timestamp;

use super::log;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings;
use super::setup;
use super::show;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    Text,
    /// The JSON document.
    Json,
    /// The best proposals' diffs.
    Diff,
}

/// Opens the repository's record for reading.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn open(repo: &Path) -> Result<Ledger, Failed> {
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(repo, &launcher).map_err(PipelineError::from)?;
    Ledger::open_read_only(repository.common_dir()).map_err(Failed::ledger)
}

/// Lists past runs.
pub fn log(repo: &Path, number: usize, json: bool, look: Look) -> Result<i32, Failed> {
    let runs = open(repo)?.runs(number).map_err(Failed::ledger)?;
    let text = if json { log::json(&runs) } else { log::text(&runs, look.width, &jiff::tz::TimeZone::system()) };
    output::result(&text);
    Ok(0)
}

/// A moment as the ledger writes times.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Drops the texts of runs that are older than said, or than `retention` says.
pub fn prune(repo: &Path, older_than: Option<&str>) -> Result<i32, Failed> {
    let before = match older_than {
        Some(text) => Some(age::ago(text, Timestamp::now()).map_err(Failed::usage)?),
        None => settings::retention(repo).map_err(|error| Failed::usage(error.to_string()))?.before,
    };
    let Some(before) = before else {
        return Err(Failed::usage(
            "nothing says how old a run must be\n  Say it (--older-than 90d), or set `retention` in your configuration \
             (~/.config/heal/config.toml)",
        ));
    };
    // Looked for first: a record is not made to be pruned.
    open(repo)?;
    let (_, ledger) = super::apply::open(repo)?;
    let pruned = ledger.prune(&moment(before), None, true).map_err(Failed::ledger)?;
    output::message(&match pruned.runs {
        0 => format!("no run is older than {}", moment(before)),
        runs => format!(
            "dropped {} bytes of text of the runs before {}: {runs}; the chain is whole (heal audit)",
            pruned.bytes,
            moment(before)
        ),
    });
    Ok(0)
}

/// Shows one run.
pub fn show(repo: &Path, run: &str, form: Form, look: Look) -> Result<i32, Failed> {
    let ledger = open(repo)?;
    let run = ledger.run(run).map_err(Failed::ledger)?;
    let text = match form {
        Form::Json => show::json(&run),
        Form::Diff => show::diff(&run),
        Form::Text => {
            let events = ledger.events(&run.id).map_err(Failed::ledger)?;
            show::text(&run, &events, look.width, look.colour)
        }
    };
    let text = text.map_err(|error| Failed { message: format!("{error}\n  {}", error.hint()), code: 1 })?;
    output::result(&text);
    Ok(0)
}
