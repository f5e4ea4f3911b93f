//! What the outside world lends a run.
//!
//! Carries; does nothing by itself.

use std::path::PathBuf;
use std::sync::Arc;

use crate::event::Events;
use crate::interrupt::Interrupt;
use crate::ledger::Ledger;
use crate::process::Launcher;
use crate::propose::provider::Secret;

/// The tools of one run. Cheap to clone.
#[derive(Clone)]
pub struct Tools {
    /// The run's id.
    pub run: String,
    /// Who listens.
    pub events: Events,
    /// Raised when the run should stop.
    pub interrupt: Interrupt,
    /// Starts the user's commands.
    pub launcher: Launcher,
    /// heal's own executable.
    pub heal: PathBuf,
    /// The user's cache directory for heal.
    pub cache: PathBuf,
    /// The record.
    pub ledger: Arc<Ledger>,
    /// Reads an environment variable.
    pub variable: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// The key of each provider that has one, by provider.
    pub key: Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>,
    /// Values that must never leave the machine.
    pub secrets: Arc<Vec<String>>,
}

impl Tools {
    /// Someone who can ask the model `name`.
    pub fn asker(&self, name: &ModelName, settings: &Settings) -> Option<Asker> {
        let config = model::Config {
            model: name.clone(),
            base_url: settings.base_url.clone(),
            key: name.key_variable().and_then(|variable| (self.key)(variable)),
            candidates: settings.candidates,
            rounds: settings.rounds,
            caps: settings.caps,
            secrets: self.secrets.to_vec(),
            ..model::Config::default()
        };
        Some(Asker::new(config, self.events.clone(), self.interrupt.clone(), self.ledger.clone()))
    }
}
