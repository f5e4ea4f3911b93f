//! `heal apply` and `heal undo`.
//!
//! Writes only what was verified, and takes back only what heal wrote.

use std::path::Path;

use heal::deliver;
use heal::deliver::DeliverError;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::DeliveryKind;
use heal::ledger::Ledger;
use heal::ledger::ProposalState;
use heal::patch::Patch;
use heal::pipeline::PipelineError;
use heal::pipeline::Tools;
use heal::propose::model::redact;
use heal::source::RelPath;

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
    let repository = Repository::discover(repo, &launcher).map_err(PipelineError::from)?;
    let ledger = Ledger::open(repository.common_dir()).map_err(Failed::ledger)?;
    Ok((repository, ledger))
}

/// Applies a proposal by its id; the last one where none is named.
pub fn apply(repo: &Path, proposal: Option<&str>) -> Result<i32, Failed> {
    let (repository, ledger) = open(repo)?;
    let proposal = ledger.proposal(proposal.unwrap_or("last")).map_err(Failed::ledger)?;
    write(repository.root(), &ledger, &proposal.id, &proposal.patch)?;
    output::message(&format!("applied {} to {}; heal undo takes it back", proposal.id, files(&proposal.patch)));
    Ok(0)
}

/// Applies a proposal of this very run.
pub fn apply_proposal(repo: &Path, tools: &Tools, id: &str) -> Result<(), Failed> {
    let repository = Repository::discover(repo, &tools.launcher).map_err(PipelineError::from)?;
    let proposal = tools.ledger.proposal(id).map_err(Failed::ledger)?;
    write(repository.root(), &tools.ledger, &proposal.id, &proposal.patch)
}

/// A recorded patch with the secrets of the files it touches.
pub fn whole(root: &Path, recorded: &Patch) -> Result<Patch, Failed> {
    let read = |path: &RelPath| std::fs::read_to_string(path.under(root)).ok();
    let whole = redact::revealed(recorded, &setup::secret_values(), &read);
    whole.map_err(|error| Failed {
        message: format!("{error}\n  Run heal fix again for a patch of the file as it is"),
        code: 1,
    })
}

fn write(root: &Path, ledger: &Ledger, id: &str, recorded: &Patch) -> Result<(), Failed> {
    let patch = &whole(root, recorded)?;
    // The record comes first: whatever happens then, it can be undone.
    let texts: Vec<_> = recorded
        .changes()
        .iter()
        .map(|change| (change.path.clone(), change.before.as_deref().map(str::as_bytes)))
        .collect();
    deliver::apply::check(root, patch).map_err(refused)?;
    ledger.record_delivery(id, DeliveryKind::Applied, &files(patch), &texts).map_err(Failed::ledger)?;
    deliver::apply::apply(root, patch).map_err(refused)
}

/// Takes a proposal back; the last one applied where none is named.
pub fn undo(repo: &Path, proposal: Option<&str>) -> Result<i32, Failed> {
    let (repository, ledger) = open(repo)?;
    let nothing = |what: &str| Failed::usage(format!("{what}, so there is nothing to take back"));
    let proposal = match proposal {
        Some(id) => ledger.proposal(id).map_err(Failed::ledger)?,
        None => ledger.last_applied().map_err(Failed::ledger)?.ok_or_else(|| nothing("no proposal is applied"))?,
    };
    if proposal.state != ProposalState::Applied {
        return Err(nothing(&format!("{} is {}", proposal.id, proposal.state.name())));
    }
    let patch = whole(repository.root(), &proposal.patch)?;
    deliver::undo::undo(repository.root(), &patch).map_err(refused)?;
    ledger.record_delivery(&proposal.id, DeliveryKind::Undone, &files(&proposal.patch), &[]).map_err(Failed::ledger)?;
    output::message(&format!("took {} back from {}", proposal.id, files(&proposal.patch)));
    Ok(0)
}

fn files(patch: &Patch) -> String {
    patch.files().iter().map(|path| path.to_string()).collect::<Vec<_>>().join(", ")
}
