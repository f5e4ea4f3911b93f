//! Opens a checkout as `heal fix --offline` would. Runs no test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use heal::event::Events;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::Ledger;
use heal::options::Sandbox;
use heal::options::ScratchMethod;
use heal::options::Settings;
use heal::options::SuiteScope;
use heal::pipeline::Tools;
use heal::process::Environment;
use heal::process::Launcher;
use heal::propose::model::breaker::Breaker;
use heal::propose::model::budget::Budget;
use heal::propose::model::budget::Caps;
use heal::propose::model::redact::Shown;

/// Settings of a run on `tree` that asks no model.
pub fn settings(tree: &Path, command: &[String]) -> Settings {
    Settings {
        repo: tree.to_path_buf(),
        command: command.to_vec(),
        tests: Vec::new(),
        trace: None,
        models: Vec::new(),
        base_url: None,
        connections: Default::default(),
        prices: Default::default(),
        offline: true,
        suite: SuiteScope::Given,
        candidates: 1,
        rounds: 1,
        caps: Caps { usd: 0.0, tokens: 0, calls: 0 },
        timeout: Duration::from_secs(300),
        test_timeout: Some(Duration::from_secs(6)),
        jobs: 1,
        allow: Vec::new(),
        deny: Vec::new(),
        policy: Default::default(),
        sandbox: Sandbox::Auto,
        network: Default::default(),
        scratch: ScratchMethod::Auto,
        show_context: false,
        shard: None,
        without_gate: None,
    }
}

/// The tools of a run that is named `run`.
pub fn tools(run: &str, tree: &Path, cache: &Path, settings: &Settings) -> Result<Tools> {
    let interrupt = Interrupt::new();
    let launcher = Launcher::new(None, Environment::filtered(std::env::vars_os()), interrupt.clone());
    Repository::discover(tree, &launcher)?;
    Ok(Tools {
        run: run.to_owned(),
        events: Events::none(),
        interrupt,
        launcher,
        // A part of it runs inside cargo.
        heal: env!("CARGO_BIN_EXE_heal").into(),
        cache: cache.to_path_buf(),
        ledger: Arc::new(Ledger::in_memory()?),
        budget: Budget::new(settings.caps),
        breaker: Breaker::default(),
        variable: Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        secrets: Arc::default(),
        shown: Shown::default(),
        nonce_key: [0; 32],
        tree: None,
    })
}
