//! Runs and their events.
//!
//! Keeps the report as the text it was given; never reads it.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use super::Ledger;
use super::LedgerError;
use super::Problem;
use super::chain;
use super::id;
use super::now;
use crate::event::Event;

/// One run, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id, 26 characters.
    pub id: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// The command line, as a person would type it.
    pub command: String,
    /// HEAD's commit when it began; `None` before the first one.
    pub commit: Option<String>,
    /// Whether the work tree differed from it.
    pub dirty: bool,
    /// heal's exit code; `None` for a run that never finished.
    pub exit: Option<i32>,
    /// When it ended: RFC 3339, UTC; `None` for a run that never finished.
    pub finished: Option<String>,
    /// Its report, the JSON of the contract; `None` for a run that never
    /// finished.
    pub report: Option<String>,
    /// When its report and texts were pruned: RFC 3339, UTC; `None` where they
    /// are kept.
    pub pruned: Option<String>,
}

/// One row of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the chain, 1-based, over all runs.
    pub seq: i64,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// The event's JSON: an [`Event`], or `{"event": "kept", …}` for a
    /// document kept beside the chain.
    pub event: String,
    /// Its link of the chain: 64 hexadecimal digits.
    pub digest: String,
}

impl Ledger {
    /// Records that a run begins; returns its id. `command` is the command
    /// line as a person would type it, without secrets.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn begin(&self, command: &str, commit: Option<&str>, dirty: bool) -> Result<String, LedgerError> {
        let (id, started) = (id::new(), now());
        self.write("write", false, |transaction| {
            transaction.execute(
                "INSERT INTO runs (id, started, command, base_commit, dirty) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, started, command, commit, dirty],
            )?;
            let dirty = if dirty { "1" } else { "0" };
            let sum = chain::sum(&[&started, command, commit.unwrap_or_default(), dirty]);
            chain::seal(transaction, &id, "run", &id, &sum)
        })?;
        Ok(id)
    }

    /// Adds an event to the chain.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn append(&self, run: &str, event: &Event) -> Result<(), LedgerError> {
        self.write("write", false, |transaction| chain::append(transaction, run, &serde_json::to_string(event)?))
    }

    /// Records how a run ended; on the disk before this returns. `report` is
    /// its JSON document. A second call for the same run replaces the first.
    ///
    /// # Errors
    /// [`LedgerError::NoSuch`], or the ledger cannot be written.
    pub fn finish(&self, run: &str, exit: i32, report: &str) -> Result<(), LedgerError> {
        let finished = now();
        self.write("write", true, |transaction| {
            let changed = transaction.execute(
                "UPDATE runs SET exit = ?2, finished = ?3, report = ?4 WHERE id = ?1",
                params![run, exit, finished, report],
            )?;
            if changed == 0 {
                return Err(LedgerError::NoSuch { what: "run", given: run.to_owned() }.into());
            }
            chain::seal(transaction, run, "report", run, &chain::sum(&[&finished, &exit.to_string(), report]))
        })
    }

    /// The last `limit` runs, newest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn runs(&self, limit: usize) -> Result<Vec<RunRow>, LedgerError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare(&format!("{SELECT} ORDER BY n DESC LIMIT ?1"))?;
            let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], row_of)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The run named by its id, a beginning of it that no other run has, or
    /// `last`.
    ///
    /// # Errors
    /// [`LedgerError::NoSuch`], [`LedgerError::Ambiguous`], or the ledger
    /// cannot be read.
    pub fn run(&self, given: &str) -> Result<RunRow, LedgerError> {
        self.read("read", |connection| {
            let id = resolve(connection, given)?;
            Ok(connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id], row_of)?)
        })
    }

    /// The events of a run, oldest first. `run` is a whole id.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn events(&self, run: &str) -> Result<Vec<StoredEvent>, LedgerError> {
        self.read("read", |connection| {
            let mut statement =
                connection.prepare("SELECT seq, at, event, digest FROM events WHERE run = ?1 ORDER BY seq")?;
            let rows = statement.query_map([run], |row| {
                Ok(StoredEvent { seq: row.get(0)?, at: row.get(1)?, event: row.get(2)?, digest: row.get(3)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

const SELECT: &str = "SELECT id, started, command, base_commit, dirty, exit, finished, report, pruned FROM runs";

fn row_of(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        started: row.get(1)?,
        command: row.get(2)?,
        commit: row.get(3)?,
        dirty: row.get(4)?,
        exit: row.get(5)?,
        finished: row.get(6)?,
        report: row.get(7)?,
        pruned: row.get(8)?,
    })
}

/// The whole id of the run that `given` means.
pub(super) fn resolve(connection: &Connection, given: &str) -> Result<String, Problem> {
    if given == "last" {
        let last = connection.query_row("SELECT id FROM runs ORDER BY n DESC LIMIT 1", [], |row| row.get(0));
        return last.optional()?.ok_or_else(|| no_such("run", given));
    }
    one_of(connection, "run", "SELECT id FROM runs WHERE substr(id, 1, ?2) = ?1 ORDER BY n DESC LIMIT 4", given)
}

/// The one id that begins with `given`, in any case.
pub(super) fn one_of(connection: &Connection, what: &'static str, sql: &str, given: &str) -> Result<String, Problem> {
    let wanted = given.to_ascii_uppercase();
    if wanted.is_empty() {
        return Err(no_such(what, given));
    }
    let mut statement = connection.prepare_cached(sql)?;
    let length = wanted.chars().count() as i64;
    let found = statement.query_map(params![wanted, length], |row| row.get(0))?;
    let mut found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
    if let Some(exact) = found.iter().position(|id| *id == wanted) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        0 => Err(no_such(what, given)),
        1 => Ok(found.swap_remove(0)),
        _ => Err(LedgerError::Ambiguous { what, given: given.to_owned(), matches: found }.into()),
    }
}

pub(super) fn no_such(what: &'static str, given: &str) -> Problem {
    LedgerError::NoSuch { what, given: given.to_owned() }.into()
}
