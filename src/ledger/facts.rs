//! What happened in all runs, for whoever counts it.
//!
//! Reads what pruning leaves: events and deliveries; no text of a run.

use rusqlite::params_from_iter;

use super::Ledger;
use super::LedgerError;

/// An event of some run, as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The run.
    pub run: String,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// The event's JSON.
    pub event: String,
}

impl Ledger {
    /// Hands over the events that have one of these names (`outcome`), of all
    /// runs, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn facts(&self, names: &[&str], take: &mut dyn FnMut(Fact)) -> Result<(), LedgerError> {
        self.read("read", |connection| {
            let marks = vec!["?"; names.len()].join(", ");
            let sql = format!(
                "SELECT run, at, event FROM events WHERE json_extract(event, '$.event') IN ({marks}) ORDER BY seq"
            );
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map(params_from_iter(names), |row| {
                Ok(Fact { run: row.get(0)?, at: row.get(1)?, event: row.get(2)? })
            })?;
            for row in rows {
                take(row?);
            }
            Ok(())
        })
    }

    /// What was done with proposals, oldest first: the proposal's id, what
    /// (`applied`, `undone`, …) and when.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn delivered(&self) -> Result<Vec<(String, String, String)>, LedgerError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare("SELECT proposal, kind, at FROM deliveries ORDER BY n")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}
