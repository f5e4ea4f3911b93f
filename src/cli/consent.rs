//! Whether a model may be asked: a key in the environment is not consent
//! (DECISIONS 30).
//!
//! Asks a person at most once per repository; elsewhere heal stays offline
//! and says so.

use std::io::BufRead;

use heal::options::Settings;
use heal::pipeline::Tools;
use heal::propose::model::Config;
use heal::propose::provider::ModelName;

use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings::RunFlags;

/// The models this run may ask.
///
/// # Errors
/// A name that is none, or a model that has no key.
pub fn models(
    flags: &RunFlags,
    settings: &Settings,
    tools: &Tools,
    look: Look,
    notes: &mut Vec<String>,
) -> Result<Vec<ModelName>, Failed> {
    if settings.offline {
        return Ok(Vec::new());
    }
    if let Some(named) = flags.named_models()? {
        for name in &named {
            // Its connection is looked at before any test is run.
            check_key(&tools.model_config(name, settings)?)?;
        }
        return Ok(named);
    }
    let Some(suggested) = suggested(tools) else { return Ok(Vec::new()) };
    let file = consent_file(tools);
    let known =
        file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).map(|answer| answer.trim().to_owned());
    let agreed = match known.as_deref() {
        Some(answer) => answer == suggested.to_string(),
        None if look.interactive => ask(&suggested, tools)?,
        None => {
            notes.push(format!(
                "a key for {suggested} is set, but heal sends nothing without being told to: --model {suggested}"
            ));
            false
        }
    };
    Ok(if agreed { vec![suggested] } else { Vec::new() })
}

/// Where the answer is kept: beside the record; nowhere where there is none.
fn consent_file(tools: &Tools) -> Option<std::path::PathBuf> {
    tools.ledger.is_on_disk().then(|| tools.ledger.path().with_file_name("consent"))
}

/// The model that a key in the environment makes possible: of its provider,
/// the one with the best price for its strength when this version was made.
fn suggested(tools: &Tools) -> Option<ModelName> {
    const DEFAULTS: [&str; 3] = ["anthropic/claude-sonnet-5-5", "openai/gpt-6.1-sol", "gemini/gemini-3.8-flash"];
    let names = DEFAULTS.iter().filter_map(|name| ModelName::parse(name).ok());
    names.into_iter().find(|name| name.key_variable().is_some_and(|variable| (tools.variable)(variable).is_some()))
}

fn check_key(config: &Config) -> Result<(), Failed> {
    let Some(variable) = config.key_variable() else { return Ok(()) };
    if config.base_url.is_some() || config.key.is_some() {
        return Ok(());
    }
    Err(Failed::usage(format!(
        "`{}` needs a key, and {variable} is not set\n  Set it, or use --offline, --model manual, or --base-url for an endpoint without one",
        config.model
    )))
}

fn ask(suggested: &ModelName, tools: &Tools) -> Result<bool, Failed> {
    output::message(&format!(
        "A key for {suggested} is set. May heal send parts of this repository to {}?\n\
         Sent are the failing test, the suspect functions and the test's output, and what\n\
         of the project's code the model then asks to see; secrets are redacted (heal fix\n\
         --show-context prints the first question), at most $1.00 a run.\n\
         The answer is kept for this repository. [y/N] ",
        suggested.provider().base_url.unwrap_or("its server")
    ));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(Failed::own)?;
    let agreed = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
    let answer = if agreed { suggested.to_string() } else { "no".to_owned() };
    if let Some(file) = consent_file(tools) {
        std::fs::write(&file, format!("{answer}\n"))
            .map_err(|error| Failed::own(format!("cannot write `{}`: {error}", file.display())))?;
    }
    Ok(agreed)
}
