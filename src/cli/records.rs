//! `heal log` and `heal show` against the repository's record.
//!
//! Reads the record; changes nothing.

use std::path::Path;

use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::Ledger;
use heal::pipeline::PipelineError;

use super::log;
use super::output;
use super::output::Failed;
use super::output::Look;
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
