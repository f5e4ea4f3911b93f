//! `heal demo`: heals the built-in projects in a temporary directory.
//!
//! Runs this very program on them; touches nothing else and opens no socket.

use std::path::Path;

use heal::interrupt::Interrupt;
use heal::process::Command;
use heal::process::Exit;
use heal::process::Launcher;

use super::demo;
use super::demo::Project;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::setup;

/// Runs `heal demo`; returns the exit code: 0 where every project was healed.
pub fn run(keep: bool, look: Look) -> Result<i32, Failed> {
    let dir = tempfile::Builder::new()
        .prefix("heal-demo-")
        .tempdir()
        .map_err(|error| Failed::own(format!("cannot make a temporary directory: {error}")))?;
    let launcher = setup::launcher(&Interrupt::new())?;
    output::result(&demo::intro(demo::PROJECTS));
    let mut code = 0;
    for (index, project) in demo::PROJECTS.iter().enumerate() {
        let folder = dir.path().join(project.name);
        output::result(&demo::before(project, index + 1, demo::PROJECTS.len(), &folder));
        if !is_installed(project, &launcher) {
            output::result(&demo::skipped(project, project.command[0]));
            code = 5;
            continue;
        }
        prepare(project, &folder, &launcher)?;
        let ended = heal(project, &folder, dir.path(), look)?;
        output::result(&demo::after(project, ended == 0));
        code = code.max(ended);
    }
    let kept = if keep { Some(dir.keep()) } else { None };
    output::result(&demo::outro(kept.as_deref()));
    Ok(code)
}

fn is_installed(project: &Project, launcher: &Launcher) -> bool {
    let command = Command::new(project.command[0]).arg("--version");
    launcher.run_now(&command).is_ok_and(|finished| finished.exit == Exit::Code(0))
}

/// Writes the project and commits it, as a user's repository would be.
fn prepare(project: &Project, folder: &Path, launcher: &Launcher) -> Result<(), Failed> {
    demo::write(project, folder)
        .map_err(|error| Failed::own(format!("cannot write `{}`: {error}", folder.display())))?;
    for words in [
        &["init", "-q"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=heal demo",
            "-c",
            "user.email=demo@localhost",
            "commit",
            "-q",
            "-m",
            "A project with one bug",
        ],
    ] {
        let command = Command::new("git").args(words).cwd(folder);
        let finished = launcher.run_now(&command).map_err(|error| Failed {
            message: format!("{error}\n  heal needs git: install it, or put it on PATH"),
            code: 5,
        })?;
        if finished.exit != Exit::Code(0) {
            return Err(Failed::own(format!("git {} failed: {}", words[0], finished.stderr.text.trim())));
        }
    }
    Ok(())
}

/// Runs `heal fix --offline` there, its scratches in the same temporary
/// directory, so that nothing is left behind.
fn heal(project: &Project, folder: &Path, base: &Path, look: Look) -> Result<i32, Failed> {
    let mut words = vec!["fix".to_owned(), "--offline".to_owned()];
    words.push(if look.colour { "--color=always".into() } else { "--color=never".into() });
    words.push("--".to_owned());
    words.extend(project.command.iter().map(|word| (*word).to_owned()));
    let environment = [("XDG_CACHE_HOME", base.join("cache")), ("XDG_CONFIG_HOME", base.join("config"))];
    heal::process::foreground(&setup::own_executable()?, &words, folder, &environment).map_err(Failed::own)
}
