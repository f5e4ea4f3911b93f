//! `heal apply` and `heal undo`.
//!
//! Writes only what was verified, and takes back only what heal wrote.

use std::path::Path;

use heal::deliver;
use heal::deliver::DeliverError;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::Ledger;
use heal::pipeline::Tools;

use super::output;
use super::output::Failed;
use super::setup;

fn refused(error: DeliverError) -> Failed {
    let code = if matches!(error, DeliverError::Io { .. }) { 70 } else { 1 };
    Failed { message: error.to_string(), code }
}

/// The repository and its record.
pub fn open(repo: &Path) -> Result<(Repository, Ledger), Failed> {
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(repo, &launcher).map_err(|error| Failed::usage(error.to_string()))?;
    let ledger = Ledger::open(repository.common_dir()).map_err(Failed::own)?;
    Ok((repository, ledger))
}

/// Applies a proposal by its id; the last one where none is named.
pub fn apply(repo: &Path, proposal: Option<&str>) -> Result<i32, Failed> {
    let (repository, ledger) = open(repo)?;
    let proposal = match proposal {
        Some(id) => ledger.proposal(id),
        None => ledger.latest_proposal(),
    }
    .map_err(|error| Failed::usage(error.to_string()))?;
    write(repository.root(), &ledger, &proposal.id, &proposal.patch)?;
    output::message(&format!("applied {} to {}; heal undo takes it back", proposal.id, files(&proposal.patch)));
    Ok(0)
}

/// Applies a proposal of this very run.
pub fn apply_proposal(repo: &Path, tools: &Tools, id: &str) -> Result<(), Failed> {
    let repository = Repository::discover(repo, &tools.launcher).map_err(|error| Failed::usage(error.to_string()))?;
    let proposal = tools.ledger.proposal(id).map_err(Failed::own)?;
    write(repository.root(), &tools.ledger, &proposal.id, &proposal.patch)
}

fn write(root: &Path, ledger: &Ledger, id: &str, patch: &heal::patch::Patch) -> Result<(), Failed> {
    deliver::apply::apply(root, patch).map_err(refused)?;
    ledger.record_delivery(id, "applied", &files(patch)).map_err(Failed::own)
}

/// Takes a proposal back; the last one applied where none is named.
pub fn undo(repo: &Path, proposal: Option<&str>) -> Result<i32, Failed> {
    let (repository, ledger) = open(repo)?;
    let proposal = match proposal {
        Some(id) => ledger.proposal(id),
        None => ledger.latest_applied(),
    }
    .map_err(|error| Failed::usage(error.to_string()))?;
    if !proposal.is_applied() {
        return Err(Failed::usage(format!("{} is not applied, so there is nothing to take back", proposal.id)));
    }
    deliver::undo::undo(repository.root(), &proposal.patch).map_err(refused)?;
    ledger.record_delivery(&proposal.id, "undone", &files(&proposal.patch)).map_err(Failed::own)?;
    output::message(&format!("took {} back from {}", proposal.id, files(&proposal.patch)));
    Ok(0)
}

fn files(patch: &heal::patch::Patch) -> String {
    patch.files().iter().map(|path| path.to_string()).collect::<Vec<_>>().join(", ")
}
