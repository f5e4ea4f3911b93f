//! `heal doctor` on this machine and this repository.
//!
//! Asks tools for their versions and the runner table for its choice; changes
//! nothing.

use std::path::Path;
use std::time::Duration;

use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::process::Command;
use heal::process::Exit;
use heal::process::Launcher;
use heal::runner::detect;
use heal::source::RelPath;

use super::doctor;
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
    let model = configured_model(repo)?;
    let variable = model
        .as_ref()
        .and_then(|name| heal::propose::provider::ModelName::parse(name).ok())
        .and_then(|name| name.key_variable());
    let means = setup::runtime()?.block_on(launcher.means());
    let ask = |words: &[&str]| first_line(&launcher, words);
    let around = doctor::Surroundings {
        run: &ask,
        runner: chosen_runner(repo, &found),
        repository: match &found {
            Ok(repository) => Ok(doctor::Repository {
                root: repository.root().to_path_buf(),
                common_dir: repository.common_dir().to_path_buf(),
            }),
            Err(error) => Err(error.to_string()),
        },
        cache_dir: &cache_dir,
        scratch: heal::scratch::Method::Checkout.name(),
        means: &means,
        model: model.as_deref(),
        key: variable.map(|variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty())),
    };
    let checks = doctor::checks(&around);
    output::result(&if json { doctor::json(&checks) } else { doctor::text(&checks, look.width, look.colour) });
    Ok(doctor::exit(&checks))
}

fn configured_model(repo: &Path) -> Result<Option<String>, Failed> {
    let named = std::env::var("HEAL_MODEL").ok().filter(|name| !name.is_empty());
    let file = || settings::files(repo).map(|file| file.model).map_err(|error| Failed::usage(error.to_string()));
    match named {
        Some(name) => Ok(Some(name)),
        None => file(),
    }
}

fn chosen_runner(repo: &Path, found: &Result<Repository, heal::git::GitError>) -> Result<String, String> {
    let repository = found.as_ref().map_err(ToString::to_string)?;
    let at =
        std::fs::canonicalize(repo).ok().and_then(|path| RelPath::within(repository.root(), &path)).unwrap_or_default();
    let lookup = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let command = settings::files(repo).ok().and_then(|file| file.command).unwrap_or_default();
    let project = detect::detect(repository.root(), &at, &command, &lookup).map_err(|error| error.to_string())?;
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
