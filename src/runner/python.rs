//! What pytest and unittest have in common: the channel's settings, the
//! environment that leads a test process there, and its answer ([`records`]).
//!
//! Writes only into the channel's directory; starts nothing.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::Channel;
use super::Project;
use super::Request;
use super::RunnerError;
use super::Selection;
use super::Site;
use super::injected;
use super::wrap;
use crate::process::Command;
use crate::source::RelPath;

mod record;
pub mod records;
mod stack;

/// Bytes kept of what the runner prints: only its tail is ever shown.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// A variable and its value; `None` removes it.
pub type Variable = (String, Option<String>);

/// The user's own values of the variables that heal adds to, led to the
/// scratch; `None` where they are not set.
#[derive(Debug, Default)]
struct Own {
    path: Option<String>,
    options: Option<String>,
}

/// Composes the command `words` (the project's, or as many in their place) for
/// the scratch, and writes plugin and settings into the channel.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(
    project: &Project,
    words: Vec<String>,
    site: &Site,
    request: &Request,
    channel: &Channel,
) -> Result<Command, RunnerError> {
    // `words` may name heal's own runner, which is no word that is recognised.
    let seen = wrap::see(&project.command);
    let begins_with_python = seen.as_ref().is_some_and(|seen| seen.interpreter == Some(0));
    let env = seen.and_then(|seen| seen.env);
    let own = own(site, env.as_ref());
    // One process reads the settings, and nobody after it, unless the command
    // starts several (a matrix of environments, a recipe).
    let several = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or(word);
        ["tox", "nox", "hatch", "make", "just", "sh", "bash"].contains(&name)
    };
    let once = !project.command.iter().any(several);
    let variables = open(site, request, channel, &own, once)?;
    let words = match env {
        Some(env) => through_env(words, &env, &variables),
        None if begins_with_python => past_shim(words, site),
        None => words,
    };
    Ok(Command {
        argv: words.into_iter().map(Into::into).collect(),
        cwd: project.root.under(&site.tree),
        env: variables.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        time_limit: request.time_limit,
        output_limit: OUTPUT_LIMIT,
        memory_limit: None,
    })
}

/// What an opaque command (`make check`, `tox`) needs in its environment, so
/// that a pytest inside it speaks into the channel; empty where the project is
/// not known to be Python. [`records::overhear`] reads the answer.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn opaque_environment(site: &Site, request: &Request, channel: &Channel) -> Result<Vec<Variable>, RunnerError> {
    match site.python {
        Some(_) => open(site, request, channel, &own(site, None), false),
        None => Ok(Vec::new()),
    }
}

/// Writes plugin and settings into the channel's directory; returns the
/// variables that lead the test process there.
fn open(
    site: &Site,
    request: &Request,
    channel: &Channel,
    own: &Own,
    once: bool,
) -> Result<Vec<Variable>, RunnerError> {
    let bytecode = site.python.as_ref().map_or(&[][..], |python| &python.bytecode);
    for (path, bytes) in injected::files(request.probe.is_some(), request.sieve.is_some(), bytecode) {
        write(&channel.dir.join(path), bytes)?;
    }
    let candidates = channel.dir.join("candidates.jsonl");
    if let Some(question) = &request.sieve {
        write(&candidates, question.lines().as_bytes())?;
    }
    let sieve = request.sieve.as_ref().map(|question| {
        json!({
            "file": candidates,
            "expected": question.expected,
            "holds": question.holds,
            "guards": question.guards,
            "endless": question.endless,
            "limit": question.limit.as_secs_f64(),
            "seconds": question.time.as_secs_f64(),
        })
    });
    let settings = json!({
        "nonce": channel.nonce,
        "once": once,
        "tree": site.tree,
        "selection": match &request.selection {
            Selection::All => Value::Null,
            Selection::Tests(ids) => json!(ids),
        },
        "limit": request.test_limit.as_secs_f64(),
        "trace": request.trace_lines,
        "reverse": request.variation.reverse,
        "fail_fast": request.fail_fast,
        "last": request.last,
        "probe": request.probe,
        "sieve": sieve,
        // What processes that the tests start shall see again.
        "restore": {"PYTEST_ADDOPTS": own.options, "PYTHONPATH": own.path},
    });
    let file = channel.dir.join("settings.json");
    write(&file, settings.to_string().as_bytes())?;
    let before = |own: &Option<String>, added: &str, separator: &str, first: bool| match own {
        Some(own) if first => format!("{added}{separator}{own}"),
        Some(own) => format!("{own}{separator}{added}"),
        None => added.to_owned(),
    };
    let mut variables: Vec<Variable> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), Some(value)));
    set("HEAL_CHANNEL", file.display().to_string());
    set("PYTHONPATH", before(&own.path, &channel.dir.display().to_string(), ":", true));
    set("PYTEST_ADDOPTS", before(&own.options, "-p heal_pytest", " ", false));
    // Sets and dictionaries of strings in one order, so that a verdict does
    // not depend on luck.
    set("PYTHONHASHSEED", request.variation.hash_seed.unwrap_or(0).to_string());
    // `uv run` syncs first, and the scratch's `.venv` is a link to the user's:
    // their editable install would then lead to the scratch (seen, uv 0.9).
    set("UV_NO_SYNC", "1".to_owned());
    if let Some(zone) = request.variation.time_zone {
        set("TZ", zone.to_owned());
    }
    Ok(variables)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunnerError> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = folder.and_then(|()| std::fs::write(path, bytes));
    written.map_err(|source| RunnerError::Channel { path: path.to_path_buf(), source })
}

/// What the user has set: in the command's own `env A=b`, else around it.
fn own(site: &Site, env: Option<&wrap::Env>) -> Own {
    let around = site.python.as_ref().filter(|_| env.is_none_or(|env| !env.clears));
    let value = |name: &str, around: Option<String>| env.and_then(|env| env.value(name)).or(around);
    let path = value("PYTHONPATH", around.and_then(|python| python.python_path.clone()));
    Own {
        path: import_path(site, path.as_deref()),
        options: value("PYTEST_ADDOPTS", around.and_then(|python| python.pytest_options.clone())),
    }
}

/// `PYTHONPATH` for the tests: the scratch's copies of the folders that an
/// editable install names, then the user's own, led to the scratch.
fn import_path(site: &Site, own: Option<&str>) -> Option<String> {
    let editable = site.python.iter().flat_map(|python| &python.editable);
    let mut entries: Vec<PathBuf> = editable.map(|folder| folder.under(&site.tree)).collect();
    for entry in own.into_iter().flat_map(|path| path.split(':')).filter(|entry| !entry.is_empty()) {
        let entry = Path::new(entry);
        entries.push(match RelPath::within(&site.user_root, entry) {
            Some(inner) => inner.under(&site.tree),
            None => entry.to_path_buf(),
        });
    }
    let words: Vec<String> = entries.iter().map(|entry| entry.display().to_string()).collect();
    (!words.is_empty()).then(|| words.join(":"))
}

/// The words of a command that begins with the interpreter, with that itself in
/// place of a bare name. What `PATH` finds for `python3` may be a shim (pyenv,
/// asdf): a shell script that looks for the interpreter again at each start,
/// for longer than the interpreter takes to start.
fn past_shim(mut words: Vec<String>, site: &Site) -> Vec<String> {
    if let (Some(word), Some(python)) = (words.first_mut(), &site.python)
        && !word.contains('/')
        && let Some(program) = python.program.to_str()
    {
        program.clone_into(word);
    }
    words
}

/// The command with heal's variables behind the assignments of its own `env`,
/// which would undo them (`env PYTHONPATH=src`, `env -i`): the last one holds.
fn through_env(mut words: Vec<String>, env: &wrap::Env, variables: &[Variable]) -> Vec<String> {
    let ours = |name: &str| matches!(name, "HEAL_CHANNEL" | "PYTHONPATH" | "PYTEST_ADDOPTS" | "UV_NO_SYNC");
    // The rest (the hash seed) is heal's only where the user says nothing.
    let added = variables.iter().filter(|(name, _)| ours(name) || (env.clears && env.value(name).is_none()));
    let added: Vec<String> = added.filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))).collect();
    words.splice(env.end..env.end, added);
    words
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::runner::RunnerKind;
    use crate::runner::Variation;
    use crate::runner::interpreter::Interpreter;
    use crate::trace::places::Places;

    /// A site in `tree` that is the user's own.
    pub fn site(tree: &str) -> Site {
        let files = ["a.py", "test_a.py"].map(|path| RelPath::new(path).expect("path"));
        Site {
            user_root: "/home/ana/shop".into(),
            tree: tree.into(),
            written: None,
            heal: "heal".into(),
            env: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
            python: None,
            places: Places::new(vec!["/home/ana/shop".into()], files),
        }
    }

    /// `python3`, with `src` installed in editable mode.
    fn interpreter(python_path: Option<&str>, options: Option<&str>) -> Interpreter {
        Interpreter {
            program: "/opt/python/bin/python3.12".into(),
            version: (3, 12, 1),
            pytest: Some("9.2.0".into()),
            editable: vec![RelPath::new("src").expect("path")],
            python_path: python_path.map(str::to_owned),
            pytest_options: options.map(str::to_owned),
            unmapped: vec![],
            bytecode: Default::default(),
        }
    }

    /// The project with this command.
    pub fn project(command: &str, kind: RunnerKind) -> Project {
        let command = command.split(' ').map(str::to_owned).collect();
        Project { root: RelPath::root(), kind, command, given: true, why: String::new() }
    }

    /// A request for `selection`, two seconds a test.
    pub fn request(selection: Selection) -> Request {
        Request {
            selection,
            test_limit: Duration::from_secs(2),
            start_limit: Duration::from_secs(60),
            time_limit: Duration::from_secs(60),
            trace_lines: false,
            fail_fast: false,
            variation: Variation::default(),
            last: Vec::new(),
            probe: None,
            sieve: None,
        }
    }

    /// What `command` becomes: its words, `PYTHONPATH` and `PYTEST_ADDOPTS`,
    /// with `CHANNEL` for the channel's directory.
    fn composed(command: &str, python: Interpreter) -> (String, String, String) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "N".into() };
        let site = Site { python: Some(python), ..site("/scratch") };
        let project = project(command, RunnerKind::Pytest);
        let command = super::compose(&project, project.command.clone(), &site, &request(Selection::All), &channel)
            .expect("composed");
        let shown =
            |text: &std::ffi::OsStr| text.to_string_lossy().replace(&dir.path().display().to_string(), "CHANNEL");
        let words: Vec<String> = command.argv.iter().map(|word| shown(word)).collect();
        let value = |name: &str| {
            command
                .env
                .iter()
                .find(|(other, _)| other == name)
                .and_then(|(_, value)| value.as_deref().map(&shown))
                .unwrap_or_default()
        };
        (words.join(" "), value("PYTHONPATH"), value("PYTEST_ADDOPTS"))
    }

    #[test]
    fn the_users_own_variables_are_kept_and_led_to_the_scratch() {
        let (words, path, options) =
            composed("pytest -q", interpreter(Some("/home/ana/shop/lib:/opt/x:plain"), Some("-ra")));
        assert_eq!(words, "pytest -q");
        assert_eq!(path, "CHANNEL:/scratch/src:/scratch/lib:/opt/x:plain");
        assert_eq!(options, "-ra -p heal_pytest");
    }

    #[test]
    fn a_bare_name_becomes_the_interpreter_that_answered_to_it() {
        for (command, wanted) in [
            ("python3 -m pytest -q", "/opt/python/bin/python3.12 -m pytest -q"),
            (".venv/bin/python -m pytest", ".venv/bin/python -m pytest"),
            ("uv run python -m pytest", "uv run python -m pytest"),
        ] {
            assert_eq!(composed(command, interpreter(None, None)).0, wanted);
        }
    }

    #[test]
    fn an_env_in_the_command_does_not_undo_what_heal_sets() {
        for (command, wanted) in [
            (
                "env PYTHONPATH=src DEBUG=1 pytest",
                "env PYTHONPATH=src DEBUG=1 HEAL_CHANNEL=CHANNEL/settings.json PYTHONPATH=CHANNEL:/scratch/src:src PYTEST_ADDOPTS=-ra -p heal_pytest UV_NO_SYNC=1 pytest",
            ),
            (
                "env -i PYTHONHASHSEED=7 pytest",
                "env -i PYTHONHASHSEED=7 PYTHONDONTWRITEBYTECODE=1 HEAL_CHANNEL=CHANNEL/settings.json PYTHONPATH=CHANNEL:/scratch/src PYTEST_ADDOPTS=-p heal_pytest UV_NO_SYNC=1 pytest",
            ),
        ] {
            assert_eq!(composed(command, interpreter(None, Some("-ra"))).0, wanted);
        }
    }

    #[test]
    fn uv_never_syncs_the_users_environment_from_a_scratch() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "N".into() };
        let project = project("uv run pytest", RunnerKind::Pytest);
        let command =
            super::compose(&project, project.command.clone(), &site("/scratch"), &request(Selection::All), &channel)
                .expect("composed");
        assert!(command.env.contains(&("UV_NO_SYNC".into(), Some("1".into()))));
    }

    #[test]
    fn an_opaque_command_is_left_alone_where_there_is_no_python() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "N".into() };
        let variables = |python| {
            opaque_environment(&Site { python, ..site("/scratch") }, &request(Selection::All), &channel)
                .expect("composed")
        };
        assert!(variables(None).is_empty());
        assert!(variables(Some(interpreter(None, None))).iter().any(|(name, _)| name == "PYTEST_ADDOPTS"));
    }
}
