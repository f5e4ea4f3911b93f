//! The words of JavaScript's runners: what is added to a command, and what
//! `package.json` says it is.
//!
//! Looks at words and at `package.json`; runs nothing.

use std::path::Path;

use serde_json::Value;

use super::REPORT;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::Request;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::wrap;
use crate::trace::javascript::SEPARATOR;

/// Selected tests that are named one by one; more are chosen by their files.
const NAMED: usize = 200;

/// The command with what makes it answer.
pub fn argv(project: &Project, request: &Request, channel: &Channel) -> Vec<String> {
    let report = channel.dir.join(REPORT).display().to_string();
    let ids = match &request.selection {
        Selection::All => &[],
        Selection::Tests(ids) => ids.as_slice(),
    };
    let mut added: Vec<String> = match project.kind {
        RunnerKind::Jest => {
            vec![
                "--json".into(),
                format!("--outputFile={report}"),
                "--testLocationInResults".into(),
                "--ci".into(),
                "--coverage=false".into(),
            ]
        }
        RunnerKind::Vitest => {
            vec![
                "--run".into(),
                "--reporter=json".into(),
                format!("--outputFile={report}"),
                "--coverage.enabled=false".into(),
            ]
        }
        RunnerKind::Mocha => {
            vec!["--reporter".into(), channel.dir.join("heal_mocha.cjs").display().to_string()]
        }
        _ => return node(project, ids, channel),
    };
    if project.kind == RunnerKind::Vitest && request.variation.reverse {
        added.extend(["--sequence.shuffle.tests".into(), "--sequence.seed=20070".into()]);
    }
    if !ids.is_empty() {
        if ids.len() <= NAMED {
            let option = if project.kind == RunnerKind::Mocha { "--grep" } else { "-t" };
            added.extend([option.to_owned(), names(ids)]);
        }
        // Beside files of the command's own these change nothing for mocha; in
        // place of its default they spare it to load the others.
        let has_file = |id: &String| id.contains(SEPARATOR);
        if project.kind != RunnerKind::Mocha || ids.iter().all(has_file) {
            added.extend(files(ids).into_iter().map(|file| pattern(project.kind, file)));
        }
    }
    with_added(&project.command, added)
}

/// A file as jest (a regular expression), vitest (a part of a path) and mocha (a
/// path) take it.
fn pattern(kind: RunnerKind, file: &str) -> String {
    if kind == RunnerKind::Jest { regex::escape(file) } else { file.to_owned() }
}

/// A regular expression of the tests' full names: blocks and title with blanks
/// between them, as all three match them.
fn names(ids: &[String]) -> String {
    let full = ids.iter().map(|id| {
        let titles = id.split_once(SEPARATOR).map_or(id.as_str(), |(_, titles)| titles);
        escaped(&unnumbered(titles).replace(SEPARATOR, " "))
    });
    format!("^(?:{})$", full.collect::<Vec<_>>().join("|"))
}

/// A regular expression of how the tests' full names end: Node 20 matches a
/// test's own name alone, later ones also with those of its blocks before it
/// (its documentation, "Filtering tests by name"). More tests than those asked
/// for may match.
fn last_names(ids: &[String]) -> String {
    let own = ids.iter().map(|id| escaped(unnumbered(id.rsplit(SEPARATOR).next().unwrap_or(id))));
    format!("(?:^|\\s)(?:{})$", own.collect::<Vec<_>>().join("|"))
}

/// Without the number that tells a second test of one name: it is chosen with
/// the first.
fn unnumbered(name: &str) -> &str {
    name.rsplit_once(" #").filter(|(_, number)| number.parse::<u32>().is_ok()).map_or(name, |(name, _)| name)
}

/// As `regex::escape`, without what JavaScript does not know (`\ `, `\#`). Control
/// characters by their numbers: no argument can hold a zero byte, and mocha
/// takes a pattern to its first line end.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_control() {
            escaped.push_str(&format!("\\x{:02x}", u32::from(character)));
            continue;
        }
        if r"\^$.|?*+()[]{}/".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn files(ids: &[String]) -> Vec<&str> {
    let mut files: Vec<&str> = ids.iter().map(|id| id.split(SEPARATOR).next().unwrap_or(id)).collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// node's options stand before its files.
fn node(project: &Project, ids: &[String], channel: &Channel) -> Vec<String> {
    let reporter = format!("file://{}/heal_node.mjs?nonce={}", channel.dir.display(), channel.nonce);
    let added = [
        format!("--test-reporter={reporter}"),
        format!("--test-reporter-destination={}", channel.dir.join(REPORT).display()),
    ];
    let Some(at) = project.command.iter().position(|word| word == "--test") else {
        return with_added(&project.command, added.to_vec());
    };
    let mut words = project.command[..=at].to_vec();
    words.extend(added);
    let rest = &project.command[at + 1..];
    if ids.is_empty() {
        words.extend_from_slice(rest);
    } else {
        // A file that fails as a whole has no name inside itself.
        if ids.len() <= NAMED && ids.iter().all(|id| id.contains(SEPARATOR)) {
            words.push(format!("--test-name-pattern={}", last_names(ids)));
        }
        words.extend(rest.iter().filter(|word| word.starts_with('-')).cloned());
        words.extend(files(ids).into_iter().map(str::to_owned));
    }
    words
}

/// The command with more arguments for the runner at its end; npm gives its
/// script only what follows `--`.
fn with_added(command: &[String], added: Vec<String>) -> Vec<String> {
    let mut words = command.to_vec();
    let is_npm = command.first().is_some_and(|word| wrap::program(word) == "npm");
    if is_npm && !command.iter().any(|word| word == "--") {
        words.push("--".to_owned());
    }
    words.extend(added);
    words
}

/// The script's name that a command of a package manager starts.
fn script_name(command: &[String]) -> Option<&str> {
    let manager = wrap::program(command.first()?);
    if !matches!(manager, "npm" | "pnpm" | "yarn" | "bun") {
        return None;
    }
    match command.get(1).map(String::as_str)? {
        "run" | "run-script" => command.get(2).map(String::as_str),
        "t" | "tst" if manager != "yarn" => Some("test"),
        name if !name.starts_with('-') => Some(name),
        _ => None,
    }
}

fn package(folder: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(folder.join("package.json")).ok()?).ok()
}

/// A script's words, where it needs no shell.
fn script(package: &Value, name: &str) -> Option<Vec<String>> {
    let text = package.get("scripts")?.get(name)?.as_str()?;
    let needs_shell = text.contains(['|', '&', ';', '<', '>', '$', '`', '"', '\'', '\\', '*', '(', '\n']);
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    (!needs_shell && !words.is_empty()).then_some(words)
}

/// Words that may begin with assignments, as `env` takes them.
fn with_env(words: Vec<String>) -> Vec<String> {
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.starts_with('-') && !name.contains('/'))
    };
    match words.first() {
        Some(first) if is_assignment(first) => std::iter::once("env".to_owned()).chain(words).collect(),
        Some(first) if first == "cross-env" => {
            std::iter::once("env".to_owned()).chain(words.into_iter().skip(1)).collect()
        }
        _ => words,
    }
}

/// See [`super::of_script`].
pub fn of_script(folder: &Path, command: &[String]) -> Option<RunnerKind> {
    let words = with_env(script(&package(folder)?, script_name(command)?)?);
    wrap::see(&words).map(|seen| seen.kind).filter(|kind| kind.runs_javascript())
}

/// See [`super::of_package`].
pub fn of_package(folder: &Path) -> Option<(RunnerKind, Vec<String>, String)> {
    let package = package(folder)?;
    if let Some(mut words) = script(&package, "test").map(with_env)
        && let Some(seen) = wrap::see(&words)
        && seen.kind.runs_javascript()
    {
        // The program as the package manager would find it, without the manager.
        let own = folder.join("node_modules/.bin").join(&words[seen.at]);
        if !words[seen.at].contains('/') && own.exists() {
            words[seen.at] = format!("node_modules/.bin/{}", words[seen.at]);
        } else if seen.kind != RunnerKind::Node {
            words = vec!["npm".into(), "test".into()];
        }
        return Some((seen.kind, words, format!("the test script of package.json is {}", seen.kind.name())));
    }
    let has = |name: &str| {
        ["devDependencies", "dependencies"]
            .iter()
            .any(|list| package.get(list).is_some_and(|list| list.get(name).is_some()))
    };
    for (name, kind, arguments) in [
        ("vitest", RunnerKind::Vitest, &["run"][..]),
        ("jest", RunnerKind::Jest, &[]),
        ("mocha", RunnerKind::Mocha, &[]),
    ] {
        if has(name) {
            let program = format!("node_modules/.bin/{name}");
            let program =
                if folder.join(&program).exists() { vec![program] } else { vec!["npx".to_owned(), name.to_owned()] };
            let words = program.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect();
            return Some((kind, words, format!("package.json depends on {name}")));
        }
    }
    let text = package.get("scripts").and_then(|scripts| scripts.get("test")).and_then(Value::as_str);
    match text {
        Some(text) if !text.contains("no test specified") => Some((
            RunnerKind::Command,
            vec!["npm".into(), "test".into()],
            "the test script of package.json is none that heal can read results from: its exit code counts".into(),
        )),
        _ if has_node_tests(folder) => {
            Some((RunnerKind::Node, vec!["node".into(), "--test".into()], "its test files use node:test".into()))
        }
        _ => None,
    }
}

/// Whether a test file at the usual places uses node's own runner.
fn has_node_tests(folder: &Path) -> bool {
    ["", "test", "tests"].iter().any(|place| {
        let entries = std::fs::read_dir(folder.join(place)).into_iter().flatten().flatten().take(500);
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| matches!(end.to_str(), Some("js" | "mjs" | "cjs"))))
            .any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("node:test")))
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn composed(kind: RunnerKind, command: &str, ids: &[&str]) -> String {
        let project = Project {
            root: crate::source::RelPath::root(),
            kind,
            command: words(command),
            given: true,
            why: String::new(),
        };
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let selection = if ids.is_empty() { Selection::All } else { Selection::Tests(ids) };
        let request = crate::runner::python::tests::request(selection);
        argv(&project, &request, &Channel { dir: "/ch".into(), nonce: "N".into() }).join(" ")
    }

    #[test]
    fn what_is_added_goes_where_each_runner_takes_it() {
        use RunnerKind::*;
        let id = "a.test.js > Cart > adds (1+1)";
        for (kind, command, ids, wanted) in [
            (
                Jest,
                "npx jest",
                &[][..],
                "npx jest --json --outputFile=/ch/report.json --testLocationInResults --ci --coverage=false",
            ),
            (
                Jest,
                "npm test",
                &[id],
                r"npm test -- --json --outputFile=/ch/report.json --testLocationInResults --ci --coverage=false -t ^(?:Cart adds \(1\+1\))$ a\.test\.js",
            ),
            (
                Vitest,
                "vitest run",
                &[id, "b.test.ts > x"],
                r"vitest run --run --reporter=json --outputFile=/ch/report.json --coverage.enabled=false -t ^(?:Cart adds \(1\+1\)|x)$ a.test.js b.test.ts",
            ),
            (
                Mocha,
                "mocha -r ts-node/register",
                &["a.js > Cart\u{0}\nadds"],
                "mocha -r ts-node/register --reporter /ch/heal_mocha.cjs --grep ^(?:Cart\\x00\\x0aadds)$ a.js",
            ),
            (
                Node,
                "node --test --test-timeout=500 test/",
                &["test/a.js > x"],
                r"node --test --test-reporter=file:///ch/heal_node.mjs?nonce=N --test-reporter-destination=/ch/report.json --test-name-pattern=(?:^|\s)(?:x)$ --test-timeout=500 test/a.js",
            ),
            (
                Node,
                "node --test",
                &["test/a.js > x > y (z) #2", "test/b.js"],
                "node --test --test-reporter=file:///ch/heal_node.mjs?nonce=N --test-reporter-destination=/ch/report.json test/a.js test/b.js",
            ),
            (
                Node,
                "node --test",
                &["test/a.js > x > y (z) #2", "test/a.js > w"],
                r"node --test --test-reporter=file:///ch/heal_node.mjs?nonce=N --test-reporter-destination=/ch/report.json --test-name-pattern=(?:^|\s)(?:y \(z\)|w)$ test/a.js",
            ),
        ] {
            assert_eq!(composed(kind, command, ids), wanted);
        }
    }

    #[test]
    fn package_json_tells_the_runner() {
        for (json, wanted) in [
            (r#"{"scripts": {"test": "jest --config a.js"}}"#, Some((RunnerKind::Jest, "npm test"))),
            (r#"{"scripts": {"test": "vitest"}}"#, Some((RunnerKind::Vitest, "npm test"))),
            (
                r#"{"scripts": {"test": "NODE_ENV=test node --test test/"}}"#,
                Some((RunnerKind::Node, "env NODE_ENV=test node --test test/")),
            ),
            (
                r#"{"scripts": {"test": "tsc && mocha"}, "devDependencies": {"mocha": "12"}}"#,
                Some((RunnerKind::Mocha, "npx mocha")),
            ),
            (r#"{"devDependencies": {"vitest": "4"}}"#, Some((RunnerKind::Vitest, "npx vitest run"))),
            (r#"{"scripts": {"test": "ava"}}"#, Some((RunnerKind::Command, "npm test"))),
            (r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#, None),
            ("no json", None),
        ] {
            let dir = tempfile::tempdir().expect("a folder");
            std::fs::write(dir.path().join("package.json"), json).expect("written");
            let found = of_package(dir.path()).map(|(kind, words, _)| (kind, words.join(" ")));
            assert_eq!(found, wanted.map(|(kind, words)| (kind, words.to_owned())), "{json}");
        }
    }
}
