//! What the outside world lends a run.
//!
//! Carries; does nothing by itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::PipelineError;
use super::record;
use super::record::Record;
use crate::event::Events;
use crate::git::Repository;
use crate::http::Secret;
use crate::interrupt::Interrupt;
use crate::ledger::Ledger;
use crate::options::Settings;
use crate::process::Launcher;
use crate::propose::model::Asker;
use crate::propose::model::Config;
use crate::propose::model::breaker::Breaker;
use crate::propose::model::budget::Budget;
use crate::propose::model::redact::Shown;
use crate::propose::provider::ModelName;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::ollama;
use crate::scratch::Snapshot;

/// Gives an environment variable; `None` where it is unset or empty.
pub type Variable = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

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
    /// What models may still cost.
    pub budget: Budget,
    /// Which models rest because they fail.
    pub breaker: Breaker,
    /// Reads an environment variable; `None` where it is unset or empty.
    pub variable: Variable,
    /// Values that must never leave the machine.
    pub secrets: Arc<Vec<String>>,
    /// Takes secrets out of what is recorded and reported.
    pub shown: Shown,
    /// The repository's own random secret: prompts' fences are made from it.
    pub nonce_key: [u8; 32],
    /// The repository and its tree, where they were looked at already.
    pub tree: Option<(Repository, Snapshot)>,
}

impl Tools {
    /// How the model `name` is asked.
    ///
    /// # Errors
    /// A run to replay that is not recorded, or a connection that cannot be
    /// set up as the user wants it.
    pub fn model_config(&self, name: &ModelName, settings: &Settings) -> Result<Config, PipelineError> {
        let recorded_as = match name.kind() {
            ProviderKind::Replay => Some(self.recorded_model(name.name())?),
            _ => None,
        };
        let is_program = name.kind() == ProviderKind::Exec;
        let of_user = self.launcher.environment().dropped().iter();
        let of_user = of_user.filter_map(|name| Some((name.clone(), (self.variable)(name)?)));
        let mut config = Config {
            base_url: settings.base_url.clone().or_else(|| self.local_address(name)),
            launcher: is_program.then(|| self.launcher.clone()),
            program_environment: if is_program { of_user.collect() } else { Vec::new() },
            candidates: settings.candidates,
            rounds: settings.rounds,
            breaker: self.breaker.clone(),
            secrets: self.secrets.to_vec(),
            nonce_key: self.nonce_key,
            manual_folder: self.ledger.path().with_file_name("manual"),
            recorded_as,
            prices: settings.prices.clone(),
            ..Config::new(name.clone())
        };
        if let Some(address) = config.address() {
            config.connection = settings.connections.of(name, address, &*self.variable)?;
            config.key = config.key_variable().and_then(|variable| (self.variable)(variable)).map(Secret::new);
        }
        Ok(config)
    }

    /// Someone who can ask the models of `settings` about one failure; `None`
    /// where there are none.
    ///
    /// # Errors
    /// As for [`Tools::model_config`], or a client that cannot be made.
    pub fn asker(&self, settings: &Settings) -> Result<Option<Asker>, PipelineError> {
        let mut asker: Option<Asker> = None;
        for name in &settings.models {
            let config = self.model_config(name, settings)?;
            let model = config.recorded_as.clone().unwrap_or_else(|| name.to_string());
            let store = Arc::new(Record { ledger: self.ledger.clone(), run: self.run.clone(), model });
            let (events, interrupt) = (self.events.clone(), self.interrupt.clone());
            let more = match asker {
                Some(asker) => asker.and(config, store),
                None => Asker::new(config, events, interrupt, store, self.budget.clone()),
            };
            asker = Some(more.map_err(|error| PipelineError::Usage {
                what: format!("`{name}` cannot be asked: {error}"),
                hint: "heal doctor says what is set up".into(),
            })?);
        }
        Ok(asker)
    }

    /// Where the user's own Ollama listens, if not where Ollama itself says.
    fn local_address(&self, name: &ModelName) -> Option<String> {
        let host = (name.kind() == ProviderKind::Ollama).then(|| (self.variable)("OLLAMA_HOST")).flatten();
        host.map(|host| ollama::address_of(&host))
    }

    /// The model that a run asked: `RUN`, the first; `RUN@MODEL`, that one.
    fn recorded_model(&self, name: &str) -> Result<String, PipelineError> {
        let (run, model) = name.split_once('@').map_or((name, None), |(run, model)| (run, Some(model)));
        self.ledger.run(run)?;
        let mut asked = record::models_of(&self.ledger, run).into_iter();
        asked.find(|other| model.is_none_or(|model| other == model)).ok_or_else(|| PipelineError::Usage {
            what: format!("the run `{run}` asked no model, so there is nothing to replay"),
            hint: "List the runs with heal log".into(),
        })
    }
}
