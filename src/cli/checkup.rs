//! `heal doctor` on this machine and this repository.
//!
//! Asks tools for their versions and the runner table for its choice; changes
//! nothing.

use std::path::Path;
use std::time::Duration;

use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::options::files::File;
use heal::process::Command;
use heal::process::Exit;
use heal::process::Launcher;
use heal::process::Means;
use heal::propose::model::Config;
use heal::propose::provider::ModelName;
use heal::propose::provider::ProviderKind;
use heal::propose::provider::ollama;
use heal::runner::detect;
use heal::scratch::Method;
use heal::source::RelPath;

use super::connection;
use super::doctor;
use super::doctor::Check;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings;
use super::setup;

/// Runs `heal doctor`; returns the exit code.
pub fn run(repo: &Path, json: bool, look: Look) -> Result<i32, Failed> {
    let launcher = setup::launcher(&Interrupt::new())?;
    let found = Repository::discover(repo, &launcher);
    let cache_dir = setup::cache_directory()?;
    let files = settings::files(repo).map_err(|error| Failed::usage(error.to_string()))?;
    let named: Vec<String> = match variable("HEAL_MODEL") {
        Some(name) => vec![name],
        None => files.model.clone().unwrap_or_default(),
    };
    let looked_at: Vec<(Option<Key>, Vec<Check>)> = named.iter().map(|name| reached(name, &files)).collect();
    let (means, scratch) = setup::runtime()?.block_on(async {
        let means = launcher.means().await;
        let scratch = method(&launcher, &means, &cache_dir).await;
        (means, scratch)
    });
    let ask = |words: &[&str]| first_line(&launcher, words);
    let around = doctor::Surroundings {
        run: &ask,
        runner: chosen_runner(repo, &found, &files),
        repository: match &found {
            Ok(repository) => Ok(doctor::Repository {
                root: repository.root().to_path_buf(),
                common_dir: repository.common_dir().to_path_buf(),
            }),
            Err(error) => Err(error.to_string()),
        },
        cache_dir: &cache_dir,
        scratch: &scratch,
        means: &means,
        model: named.first().map(String::as_str),
        key: looked_at.first().and_then(|(key, _)| key.as_ref().map(of_key)),
    };
    let mut checks = doctor::checks(&around);
    for (index, (key, reached)) in looked_at.into_iter().enumerate() {
        checks.extend((index > 0).then(|| doctor::model(Some(&named[index]), key.as_ref().map(of_key))));
        checks.extend(reached);
    }
    output::result(&if json { doctor::json(&checks) } else { doctor::text(&checks, look.width, look.colour) });
    Ok(doctor::exit(&checks))
}

/// The scratch method that would be used, and why not the other.
async fn method(launcher: &Launcher, means: &Means, cache: &Path) -> String {
    let why = match &means.no_namespaces {
        Some(_) => Some("no namespaces".to_owned()),
        None => match cache.ancestors().find(|ancestor| ancestor.is_dir()) {
            Some(place) => launcher.no_layers(place, &[]).await,
            None => Some("no cache directory".to_owned()),
        },
    };
    match why {
        None => Method::Overlay.name().to_owned(),
        Some(why) => format!("{} (no overlay: {why}; a candidate costs a look at every file)", Method::Checkout.name()),
    }
}

/// An environment variable; `None` where it is unset or empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variable of a model's key, and whether it is set.
type Key = (String, bool);

fn of_key((variable, is_set): &Key) -> (&str, bool) {
    (variable, *is_set)
}

/// The model's key, `None` where it needs none, and how the model is reached.
fn reached(name: &str, files: &File) -> (Option<Key>, Vec<Check>) {
    let Ok(model) = ModelName::parse(name) else { return (None, Vec::new()) };
    let local = || (model.kind() == ProviderKind::Ollama).then(|| variable("OLLAMA_HOST")).flatten();
    let base_url = variable("HEAL_BASE_URL").or_else(|| files.base_url.clone());
    let base_url = base_url.or_else(|| local().map(|host| ollama::address_of(&host)));
    let mut config = Config { base_url, ..Config::new(model) };
    let Some(address) = config.address().map(str::to_owned) else { return (None, Vec::new()) };
    let connections = files.connection.clone().unwrap_or_default();
    match connection::of(&connections, &config.model, &address, &variable) {
        Ok(found) => {
            let checks = connection::checks(&found, &config.model, &address, &variable);
            config.connection = found;
            (config.key_variable().map(|name| (name.to_owned(), variable(name).is_some())), checks)
        }
        Err(check) => (None, vec![check]),
    }
}

fn chosen_runner(repo: &Path, found: &Result<Repository, heal::git::GitError>, files: &File) -> Result<String, String> {
    let repository = found.as_ref().map_err(ToString::to_string)?;
    let at =
        std::fs::canonicalize(repo).ok().and_then(|path| RelPath::within(repository.root(), &path)).unwrap_or_default();
    let command = files.command.clone().unwrap_or_default();
    let project = detect::detect(repository.root(), &at, &command, &variable).map_err(|error| error.to_string())?;
    Ok(format!("{}: {} ({})", project.kind.name(), project.shown(), project.why))
}

/// The first line that a command prints; `None` where it is missing or fails.
fn first_line(launcher: &Launcher, words: &[&str]) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let command = Command::new(program).args(arguments).time_limit(Duration::from_secs(10));
    let finished = launcher.run_now(&command).ok()?;
    let text = if finished.stdout.text.trim().is_empty() { &finished.stderr.text } else { &finished.stdout.text };
    (finished.exit == Exit::Code(0)).then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}
