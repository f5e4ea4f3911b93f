//! `heal doctor`: what works here, and what to do where something does not.
//!
//! Looks, and changes nothing but a probe file in the cache directory, which
//! it removes again. Never shows a key.

use std::path::Path;
use std::path::PathBuf;

use console::Style;
use heal::ledger::Ledger;
use heal::ledger::LedgerError;
use heal::process::Level;
use heal::process::Means;
use heal::report::clean;
use heal::report::fit;
use serde_json::json;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Ok,
    /// heal works, but not all of it.
    Warn,
    /// heal cannot work here.
    Bad,
}

impl State {
    /// Its word: `ok`, `warn`, `bad`.
    pub fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it ended.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; `None` where nothing needs doing.
    pub todo: Option<String>,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its work tree.
    pub root: PathBuf,
    /// `git rev-parse --git-common-dir`, absolute.
    pub common_dir: PathBuf,
}

/// What the checks look at; the caller knows how to.
pub struct Surroundings<'a> {
    /// Runs a command to its end and gives the first line of its output;
    /// `None` where it is missing or fails.
    pub run: &'a dyn Fn(&[&str]) -> Option<String>,
    /// The repository, or why there is none.
    pub repository: Result<Repository, String>,
    /// The runner that would be used and why (`pytest: pytest -q (…)`), or why
    /// there is none.
    pub runner: Result<String, String>,
    /// Where scratches are made.
    pub cache_dir: &'a Path,
    /// The scratch method that would be used.
    pub scratch: &'a str,
    /// What there is to contain commands with.
    pub means: &'a Means,
    /// The model that is configured; `None` for none.
    pub model: Option<&'a str>,
    /// The variable of that model's key, and whether it is set; `None` where
    /// it needs none.
    pub key: Option<(&'a str, bool)>,
}

/// The oldest git that answers all that heal asks of it: `git diff
/// --output-indicator-new` is younger than 2018's spring.
const OLDEST_GIT: (u32, u32) = (2, 20);

/// A scratch of a middling project with its build output.
const ROOM: u64 = 2 << 30;

/// Looks at everything.
pub fn checks(around: &Surroundings<'_>) -> Vec<Check> {
    let mut checks = vec![git(around), repository(around), ledger(around), runner(around)];
    let has = |manifests: &[&str]| match &around.repository {
        Ok(repository) => manifests.iter().any(|name| repository.root.join(name).exists()),
        Err(_) => false,
    };
    let python = has(&["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements.txt"]);
    checks.push(tool(around, "python", &[&["python3", "--version"], &["python", "--version"]], python));
    let rust = has(&["Cargo.toml"]);
    checks.push(tool(around, "cargo", &[&["cargo", "--version"]], rust));
    checks.push(tool(around, "rustc", &[&["rustc", "--version"]], rust));
    checks.extend([scratch(around), sandbox(around), model(around.model, around.key)]);
    checks
}

/// heal's exit code: 5 where something is bad, else 0.
pub fn exit(checks: &[Check]) -> i32 {
    if checks.iter().any(|check| check.state == State::Bad) { 5 } else { 0 }
}

/// The checks, a line each, with what to do below.
pub fn text(checks: &[Check], width: usize, colour: bool) -> String {
    let mut out = String::new();
    for check in checks {
        let style = Style::new().force_styling(colour);
        let style = match check.state {
            State::Ok => style.green(),
            State::Warn => style.yellow(),
            State::Bad => style.red(),
        };
        let found = fit(&clean(&check.found), width.saturating_sub(18));
        let state = style.apply_to(format!("{:4}", check.state.name()));
        out.push_str(&format!("{state}  {:11} {found}\n", check.name));
        if let Some(todo) = &check.todo {
            out.push_str(&format!("{:18}{}\n", "", fit(&clean(todo), width.saturating_sub(18))));
        }
    }
    out
}

/// The checks as JSON (`heal.doctor/1`).
pub fn json(checks: &[Check]) -> String {
    let row = |check: &Check| json!({"name": check.name, "state": check.state.name(), "found": check.found, "todo": check.todo});
    let rows: Vec<_> = checks.iter().map(row).collect();
    format!("{:#}\n", json!({"schema": "heal.doctor/1", "exit": exit(checks), "checks": rows}))
}

fn check(name: &'static str, state: State, found: impl Into<String>, todo: Option<&str>) -> Check {
    Check { name, state, found: found.into(), todo: todo.map(str::to_owned) }
}

fn git(around: &Surroundings<'_>) -> Check {
    let Some(line) = (around.run)(&["git", "--version"]) else {
        return check("git", State::Bad, "not found", Some("Install git."));
    };
    // `git version 2.39.5 (Apple Git-154)`
    let number = line.split_whitespace().nth(2).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_GIT => check("git", State::Ok, number, None),
        (Some(_), Some(_)) => {
            let (major, minor) = OLDEST_GIT;
            let todo = format!("heal needs git {major}.{minor} or newer: upgrade it.");
            check("git", State::Warn, number, Some(&todo))
        }
        _ => check("git", State::Warn, line, Some("Its version cannot be read; heal will try.")),
    }
}

fn repository(around: &Surroundings<'_>) -> Check {
    match &around.repository {
        Ok(repository) => check("repository", State::Ok, repository.root.display().to_string(), None),
        Err(why) => check("repository", State::Bad, why, Some("Go to a git repository, or name it: --repo DIR")),
    }
}

fn ledger(around: &Surroundings<'_>) -> Check {
    let Ok(repository) = &around.repository else {
        return check("ledger", State::Warn, "no repository to keep it in", None);
    };
    match Ledger::open_read_only(&repository.common_dir).and_then(|ledger| ledger.runs(1)) {
        Ok(_) => check("ledger", State::Ok, Ledger::path_in(&repository.common_dir).display().to_string(), None),
        Err(LedgerError::Absent { .. }) => check("ledger", State::Ok, "none yet: the first run makes it", None),
        Err(error) => check("ledger", State::Bad, error.to_string(), Some(&error.hint())),
    }
}

fn runner(around: &Surroundings<'_>) -> Check {
    match &around.runner {
        Ok(found) => check("runner", State::Ok, found, None),
        Err(why) => check("runner", State::Warn, why, Some("Name the test command: heal fix -- COMMAND")),
    }
}

/// A tool that only some projects need; `needed` says whether this one does.
fn tool(around: &Surroundings<'_>, name: &'static str, commands: &[&[&str]], needed: bool) -> Check {
    if let Some(version) = commands.iter().find_map(|command| (around.run)(command)) {
        return check(name, State::Ok, version, None);
    }
    if needed {
        let todo = format!("Install {name}, or put it on PATH: this project needs it.");
        return check(name, State::Bad, "not found", Some(&todo));
    }
    check(name, State::Ok, "not found; this project does not ask for it", None)
}

fn scratch(around: &Surroundings<'_>) -> Check {
    let dir = around.cache_dir;
    let found = format!("{} in {}", around.scratch, dir.display());
    // The directory may not be there yet: then the one it would be made in.
    let Some(existing) = dir.ancestors().find(|ancestor| ancestor.is_dir()) else {
        return check("scratch", State::Bad, found, Some("Set XDG_CACHE_HOME to a directory that is there."));
    };
    if let Err(error) = tempfile::Builder::new().prefix(".heal-doctor-").tempfile_in(existing) {
        let todo = format!("Make it writable, or set XDG_CACHE_HOME: {error}");
        return check("scratch", State::Bad, found, Some(&todo));
    }
    match free_bytes(existing) {
        Some(free) => {
            let found = format!("{found}, {:.1} GB free", free as f64 / 1e9);
            let todo = (free < ROOM).then_some("Make room: a scratch holds the project and its build output.");
            check("scratch", if free < ROOM { State::Warn } else { State::Ok }, found, todo)
        }
        None => check("scratch", State::Ok, found, None),
    }
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(dir).ok()?;
    // The types differ between systems.
    #[allow(clippy::unnecessary_cast, reason = "`u32` on macOS")]
    Some((stat.blocks_available() as u64).saturating_mul(stat.fragment_size() as u64))
}

#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}

fn sandbox(around: &Surroundings<'_>) -> Check {
    let means = around.means;
    let why = means.no_namespaces.as_deref().unwrap_or_default();
    let landlock = match means.landlock {
        0 => "no Landlock".to_owned(),
        version => format!("Landlock {version}"),
    };
    match means.best() {
        Some(Level::Namespaces) if means.are_whole() => {
            let found = format!("namespaces, {landlock}, filtered system calls, loopback alone");
            check("sandbox", State::Ok, found, None)
        }
        Some(Level::Namespaces) => {
            let todo = "Tests are contained by mounts alone, and strict refuses: use a kernel with Landlock 4 (6.7).";
            check("sandbox", State::Warn, format!("namespaces, {landlock}, filtered system calls"), Some(todo))
        }
        Some(Level::Landlock) => {
            let found = format!("{landlock} and filtered system calls; no namespaces: {why}");
            let todo = "Lost: a loopback, private /tmp and processes, protection of modes and times; strict refuses. \
                        Allow user namespaces to have them.";
            check("sandbox", State::Warn, found, Some(todo))
        }
        None => {
            let found = format!("none: tests run with your rights; no namespaces: {why}; {landlock}");
            check("sandbox", State::Warn, found, Some("Heal only code that you would run yourself."))
        }
    }
}

/// What there is of a configured model, and of its key.
pub fn model(model: Option<&str>, key: Option<(&str, bool)>) -> Check {
    match (model, key) {
        (None, _) => {
            let found = "none: deterministic proposals only";
            check("model", State::Ok, found, Some("To use one: heal fix --model PROVIDER/NAME, or set HEAL_MODEL."))
        }
        (Some(model), Some((variable, false))) => {
            let todo = format!("Set {variable} to its key.");
            check("model", State::Warn, format!("{model}, its key is not set"), Some(&todo))
        }
        (Some(model), Some((_, true))) => check("model", State::Ok, format!("{model}, its key is set"), None),
        (Some(model), None) => check("model", State::Ok, model, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Means = Means { no_namespaces: None, landlock: 7 };

    fn around<'a>(run: &'a dyn Fn(&[&str]) -> Option<String>, root: &Path, cache_dir: &'a Path) -> Surroundings<'a> {
        Surroundings {
            run,
            repository: Ok(Repository { root: root.to_path_buf(), common_dir: root.join(".git") }),
            runner: Ok("unittest: python3 -m unittest (tests/ has test_*.py)".into()),
            cache_dir,
            scratch: "checkout",
            means: &WHOLE,
            model: Some("anthropic/claude-test"),
            key: Some(("ANTHROPIC_API_KEY", true)),
        }
    }

    fn all(argv: &[&str]) -> Option<String> {
        Some(match argv[0] {
            "git" => "git version 2.39.5 (Apple Git-154)".into(),
            other => format!("{other} 1.2.3"),
        })
    }

    fn state(checks: &[Check], name: &str) -> State {
        checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}")).state
    }

    #[test]
    fn where_all_is_well_nothing_is_told() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let checks = checks(&around(&all, dir.path(), &dir.path().join("cache/heal")));
        assert_eq!(exit(&checks), 0);
        let notable: Vec<&str> =
            checks.iter().filter(|check| check.state != State::Ok).map(|check| check.name).collect();
        assert!(notable.is_empty() || notable == ["scratch"], "{checks:#?}");
        let text = text(&checks, 80, false).replace(&dir.path().display().to_string(), "DIR");
        assert!(text.starts_with("ok    git         2.39.5\nok    repository  DIR\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!dir.path().join("cache").exists() && !dir.path().join(".git").exists());
        let document: serde_json::Value = serde_json::from_str(&json(&checks)).expect("JSON");
        assert_eq!(document["checks"].as_array().map(Vec::len), Some(10));
    }

    #[test]
    fn what_is_missing_is_bad_where_it_is_needed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("Cargo.toml"), "").expect("written");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("written");
        let none = |_: &[&str]| None;
        let mut around = around(&none, dir.path(), &file);
        around.runner = Err("no test runner found".into());
        around.key = Some(("ANTHROPIC_API_KEY", false));
        let found = checks(&around);
        for (name, wanted) in [
            ("git", State::Bad),
            ("cargo", State::Bad),
            ("rustc", State::Bad),
            ("python", State::Ok),
            ("runner", State::Warn),
            ("model", State::Warn),
        ] {
            assert_eq!(state(&found, name), wanted, "{name}");
        }
        assert_eq!(exit(&found), 5);
        assert!(found.iter().filter(|check| check.state != State::Ok).all(|check| check.todo.is_some()), "{found:#?}");
        around.repository = Err("not in a git repository".into());
        assert_eq!(state(&checks(&around), "repository"), State::Bad);
    }

    #[test]
    fn versions_of_git_are_told_apart() {
        for (line, wanted) in [
            ("git version 2.39.5", State::Ok),
            ("git version 2.20.0.windows.1", State::Ok),
            ("git version 2.17.1", State::Warn),
            ("git version 3.0", State::Ok),
            ("hub?", State::Warn),
        ] {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let run = |_: &[&str]| Some(line.to_owned());
            assert_eq!(git(&around(&run, dir.path(), dir.path())).state, wanted, "{line}");
        }
    }

    #[test]
    fn what_a_weaker_sandbox_loses_is_said() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let refused = Some("making namespaces: Operation not permitted (os error 1)".to_owned());
        for (means, wanted, word, lost) in [
            (WHOLE, State::Ok, "namespaces, Landlock 7", None),
            (Means { landlock: 0, ..WHOLE }, State::Warn, "namespaces, no Landlock", Some("mounts alone")),
            (Means { no_namespaces: refused.clone(), landlock: 7 }, State::Warn, "not permitted", Some("a loopback")),
            (Means { no_namespaces: refused, landlock: 0 }, State::Warn, "your rights", Some("yourself")),
        ] {
            let found = sandbox(&Surroundings { means: &means, ..around(&all, dir.path(), dir.path()) });
            assert_eq!(found.state, wanted, "{found:?}");
            assert!(found.found.contains(word), "{found:?}");
            assert_eq!(found.todo.is_some(), lost.is_some());
            assert!(lost.is_none_or(|lost| found.todo.as_ref().is_some_and(|todo| todo.contains(lost))), "{found:?}");
        }
    }

    #[test]
    fn a_damaged_ledger_is_bad() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = Ledger::path_in(&dir.path().join(".git"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, "no ledger".repeat(400)).expect("written");
        let checks = checks(&around(&all, dir.path(), dir.path()));
        assert_eq!(state(&checks, "ledger"), State::Bad);
    }
}
