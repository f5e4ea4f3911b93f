//! Verified patches, and where they were put.
//!
//! Keeps what an undo needs; applies and undoes nothing.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use serde::Deserialize;
use serde::Serialize;

use super::Ledger;
use super::LedgerError;
use super::Problem;
use super::chain;
use super::now;
use super::replies::is_pruned;
use super::replies::keep_blob;
use super::replies::text_of;
use super::runs;
use crate::patch::Patch;
use crate::source::RelPath;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalState {
    /// Offered, and no more.
    Proposed,
    /// In the work tree.
    Applied,
    /// Was in the work tree, and was taken back.
    Undone,
    /// Committed on a branch of its own.
    Branched,
}

/// What was done with a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// Written to the work tree.
    Applied,
    /// Taken back from the work tree.
    Undone,
    /// Committed on a branch.
    Branch,
    /// Written to a patch file.
    File,
}

/// A verified patch, to be kept.
#[derive(Clone, Debug)]
pub struct NewProposal<'a> {
    /// The failing test it mends; several are joined with line ends.
    pub failure: &'a str,
    /// The patch.
    pub patch: &'a Patch,
    /// The evidence, as JSON.
    pub evidence: &'a str,
}

/// A verified patch, as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposalRow {
    /// Its id, `<run>.<n>`, `n` from 1.
    pub id: String,
    /// The run that made it.
    pub run: String,
    /// The failing test it mends.
    pub failure: String,
    /// The patch.
    pub patch: Patch,
    /// Its unified diff.
    pub diff: String,
    /// The evidence, as JSON.
    pub evidence: String,
    /// Where it stands.
    pub state: ProposalState,
}

/// Something that was done with a proposal, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its number, over all proposals.
    pub n: i64,
    /// The proposal's id.
    pub proposal: String,
    /// What was done.
    pub kind: DeliveryKind,
    /// Where to (a branch, a file), in words.
    pub detail: String,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// The files as they were before, `None` for one that was not there.
    pub before: Vec<(RelPath, Option<Vec<u8>>)>,
}

/// The stored form of a file as it was.
#[derive(Serialize, Deserialize)]
struct Before {
    path: RelPath,
    blob: Option<String>,
}

/// The words the tables use.
const STATES: &[(ProposalState, &str)] = &[
    (ProposalState::Proposed, "proposed"),
    (ProposalState::Applied, "applied"),
    (ProposalState::Undone, "undone"),
    (ProposalState::Branched, "branched"),
];

/// The words the tables use, and the state each leaves a proposal in.
const KINDS: &[(DeliveryKind, &str, Option<ProposalState>)] = &[
    (DeliveryKind::Applied, "applied", Some(ProposalState::Applied)),
    (DeliveryKind::Undone, "undone", Some(ProposalState::Undone)),
    (DeliveryKind::Branch, "branch", Some(ProposalState::Branched)),
    (DeliveryKind::File, "file", None),
];

impl ProposalState {
    /// Its word: `proposed`, `applied`, `undone`, `branched`.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

impl DeliveryKind {
    /// Its word, as in [`crate::event::Event::Delivered`].
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }
}

impl Ledger {
    /// Keeps a verified patch; returns its id, `<run>.<n>`. On the disk
    /// before this returns.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn keep_proposal(&self, run: &str, proposal: &NewProposal<'_>) -> Result<String, LedgerError> {
        self.write("write", true, |transaction| {
            let patch = keep_blob(transaction, serde_json::to_string(proposal.patch)?.as_bytes())?;
            let diff = proposal.patch.diff();
            let taken: i64 =
                transaction.query_row("SELECT count(*) FROM proposals WHERE run = ?1", [run], |row| row.get(0))?;
            let id = format!("{run}.{}", taken + 1);
            transaction.execute(
                "INSERT INTO proposals (id, run, failure, patch, diff, evidence, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, run, proposal.failure, patch, diff, proposal.evidence, ProposalState::Proposed.name()],
            )?;
            let sum = chain::sum(&[run, proposal.failure, &patch, &diff, proposal.evidence]);
            chain::seal(transaction, run, "proposal", &id, &sum)?;
            Ok(id)
        })
    }

    /// The proposal named by its id; by a beginning of it that no other has;
    /// by a run (or the beginning of one) that made only one; or `last`: the
    /// first of the newest run that made any.
    ///
    /// # Errors
    /// [`LedgerError::NoSuch`], [`LedgerError::Ambiguous`], or the ledger
    /// cannot be read.
    pub fn proposal(&self, given: &str) -> Result<ProposalRow, LedgerError> {
        self.read("read", |connection| {
            let id = resolve(connection, given)?;
            let row = connection.query_row(&format!("{SELECT} WHERE proposals.id = ?1"), [id], stored)?;
            row_of(row)
        })
    }

    /// The proposals of a run in the order they were kept. `run` is a whole id.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn proposals(&self, run: &str) -> Result<Vec<ProposalRow>, LedgerError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare(&format!("{SELECT} WHERE run = ?1 ORDER BY n"))?;
            let rows = statement.query_map([run], stored)?;
            rows.map(|row| row_of(row?)).collect()
        })
    }

    /// Records what was done with a proposal, and its new state; on the disk
    /// before this returns. `before` holds the files as they were. To be
    /// called *before* a work tree is written, so that it can be undone
    /// whatever happens.
    ///
    /// # Errors
    /// [`LedgerError::NoSuch`], or the ledger cannot be written.
    pub fn record_delivery(
        &self,
        proposal: &str,
        kind: DeliveryKind,
        detail: &str,
        before: &[(RelPath, Option<&[u8]>)],
    ) -> Result<(), LedgerError> {
        self.write("write", true, |transaction| {
            let run: Option<String> = transaction
                .query_row("SELECT run FROM proposals WHERE id = ?1", [proposal], |row| row.get(0))
                .optional()?;
            let run = run.ok_or_else(|| runs::no_such("proposal", proposal))?;
            let mut files = Vec::new();
            for (path, bytes) in before {
                let blob = bytes.map(|bytes| keep_blob(transaction, bytes)).transpose()?;
                files.push(Before { path: path.clone(), blob });
            }
            let files = serde_json::to_string(&files)?;
            transaction.execute(
                "INSERT INTO deliveries (proposal, kind, detail, at, before) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![proposal, kind.name(), detail, now(), files],
            )?;
            let n = transaction.last_insert_rowid().to_string();
            let state = KINDS.iter().find(|(other, ..)| *other == kind).and_then(|(.., state)| *state);
            if let Some(state) = state {
                transaction.execute("UPDATE proposals SET state = ?2 WHERE id = ?1", [proposal, state.name()])?;
            }
            chain::seal(transaction, &run, "delivery", &n, &chain::sum(&[proposal, kind.name(), detail, &files]))
        })
    }

    /// What was done with a proposal, oldest first. `proposal` is a whole id.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn deliveries(&self, proposal: &str) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT n, proposal, kind, detail, at, before FROM deliveries WHERE proposal = ?1 ORDER BY n";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([proposal])?;
            let mut deliveries = Vec::new();
            while let Some(row) = rows.next()? {
                deliveries.push(delivery_of(connection, row)?);
            }
            Ok(deliveries)
        })
    }

    /// The proposal that was applied last and not taken back since; what
    /// `heal undo` means without a name.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn last_applied(&self) -> Result<Option<ProposalRow>, LedgerError> {
        let id = self.read("read", |connection| {
            let sql = "SELECT proposals.id FROM deliveries JOIN proposals ON proposals.id = deliveries.proposal \
                       WHERE kind = 'applied' AND state = 'applied' ORDER BY deliveries.n DESC LIMIT 1";
            Ok(connection.query_row(sql, [], |row| row.get::<_, String>(0)).optional()?)
        })?;
        id.map(|id| self.proposal(&id)).transpose()
    }
}

const SELECT: &str = "SELECT proposals.id, run, failure, blobs.bytes, diff, evidence, state, proposals.patch \
                      FROM proposals JOIN blobs ON blobs.digest = proposals.patch";

type Stored = (String, String, String, Vec<u8>, String, String, String, String);

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
}

fn row_of((id, run, failure, patch, diff, evidence, state, name): Stored) -> Result<ProposalRow, Problem> {
    if is_pruned(&name, &patch) {
        return Err(LedgerError::Pruned { run }.into());
    }
    let patch = serde_json::from_str(&text_of(patch)?)?;
    let state = STATES.iter().find(|(_, name)| *name == state).map(|(state, _)| *state);
    let state = state.ok_or_else(|| Problem::Damaged(format!("proposal {id} is in no known state")))?;
    Ok(ProposalRow { id, run, failure, patch, diff, evidence, state })
}

fn delivery_of(connection: &Connection, row: &Row<'_>) -> Result<DeliveryRow, Problem> {
    let (n, kind, files): (i64, String, String) = (row.get(0)?, row.get(2)?, row.get(5)?);
    let kind = KINDS.iter().find(|(_, name, _)| *name == kind).map(|(kind, ..)| *kind);
    let kind = kind.ok_or_else(|| Problem::Damaged(format!("delivery {n} is of no known kind")))?;
    let mut before = Vec::new();
    for file in serde_json::from_str::<Vec<Before>>(&files)? {
        let bytes = match file.blob {
            Some(blob) => {
                let sql = "SELECT bytes FROM blobs WHERE digest = ?1";
                let bytes: Vec<u8> = connection.query_row(sql, [&blob], |row| row.get(0))?;
                if is_pruned(&blob, &bytes) {
                    let run = row.get::<_, String>(1)?;
                    let run = run.rsplit_once('.').map_or(run.as_str(), |(run, _)| run).to_owned();
                    return Err(LedgerError::Pruned { run }.into());
                }
                Some(bytes)
            }
            None => None,
        };
        before.push((file.path, bytes));
    }
    Ok(DeliveryRow { n, proposal: row.get(1)?, kind, detail: row.get(3)?, at: row.get(4)?, before })
}

/// The whole id of the proposal that `given` means.
fn resolve(connection: &Connection, given: &str) -> Result<String, Problem> {
    if given == "last" {
        let sql = "SELECT proposals.id FROM proposals JOIN runs ON runs.id = proposals.run \
                   ORDER BY runs.n DESC, proposals.n LIMIT 1";
        return connection
            .query_row(sql, [], |row| row.get(0))
            .optional()?
            .ok_or_else(|| runs::no_such("proposal", given));
    }
    // `01JD.2`: the beginning of a run, and a number.
    if let Some((run, number)) = given.rsplit_once('.')
        && number.parse::<u32>().is_ok()
    {
        let id = format!("{}.{number}", runs::resolve(connection, run)?);
        let sql = "SELECT id FROM proposals WHERE id = ?1";
        return connection
            .query_row(sql, [id], |row| row.get(0))
            .optional()?
            .ok_or_else(|| runs::no_such("proposal", given));
    }
    let sql = "SELECT id FROM proposals WHERE substr(id, 1, ?2) = ?1 ORDER BY n LIMIT 4";
    runs::one_of(connection, "proposal", sql, given)
}
