//! The whole chain, row by row, for auditors.
//!
//! Reads; changes nothing.

use serde::Serialize;

use super::Ledger;
use super::LedgerError;
use super::runs::StoredEvent;

/// One row of the chain with the run it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its place, 1-based.
    pub seq: i64,
    /// The run.
    pub run: String,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// The event's JSON, as the digest covers it.
    pub event: String,
    /// Its link of the chain: BLAKE3 over the digest before it and the other
    /// fields, each with its length.
    pub digest: String,
}

impl Ledger {
    /// Hands every row of the chain over, in order.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn rows(&self, take: &mut dyn FnMut(Row)) -> Result<(), LedgerError> {
        self.read("read", |connection| {
            let mut statement = connection.prepare("SELECT seq, run, at, event, digest FROM events ORDER BY seq")?;
            let rows = statement.query_map([], |row| {
                let stored = StoredEvent { seq: row.get(0)?, at: row.get(2)?, event: row.get(3)?, digest: row.get(4)? };
                Ok((row.get::<_, String>(1)?, stored))
            })?;
            for row in rows {
                let (run, StoredEvent { seq, at, event, digest }) = row?;
                take(Row { seq, run, at, event, digest });
            }
            Ok(())
        })
    }
}
