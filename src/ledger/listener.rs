//! Writes the events of a run into the ledger as they happen.
//!
//! Cannot fail the run: the first error is kept for whoever asks.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::Ledger;
use super::LedgerError;
use crate::event::Event;
use crate::event::Listener;

/// A listener that records one run.
#[derive(Debug)]
pub struct LedgerListener {
    ledger: Arc<Ledger>,
    run: String,
    error: Mutex<Option<LedgerError>>,
}

impl LedgerListener {
    /// Records the events of `run`, a whole id that [`Ledger::begin`] gave.
    pub fn new(ledger: Arc<Ledger>, run: impl Into<String>) -> LedgerListener {
        LedgerListener { ledger, run: run.into(), error: Mutex::new(None) }
    }

    /// The first error since the last time this was asked: some event after
    /// it may be missing from the record.
    pub fn take_error(&self) -> Option<LedgerError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Listener for LedgerListener {
    fn hear(&self, event: &Event) {
        // How far an answer has come is nothing to look up later.
        if matches!(event, Event::Answering { .. }) {
            return;
        }
        if let Err(error) = self.ledger.append(&self.run, event) {
            self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}
