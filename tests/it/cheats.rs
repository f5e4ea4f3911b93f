//! The corpus of cheats: hostile and lazy patches, and a few honest ones, each
//! through `heal verify`. Only the honest ones are verified, and each verdict
//! names the gate.
//!
//! `fixtures/cheats/<language>/project` is the tree they are made for, every
//! other folder there one case: `change.patch`, and `case.toml` with a line
//! that says what it does, `gate` (which one refuses it; `verified`; `none`
//! for what is no patch at all), `test` (what it claims to mend), and `author
//! = "machine"` where only the rules for machines refuse it, so that it is
//! never run; `alone = true` where it spoils the scratch for others; `or`, another
//! gate that may be the first to refuse it, by how fast the machine is.
//!
//! Python, Rust and `node --test` are run whole. The corpora of Go, jest, mocha
//! and vitest take half an hour together: of them a test runs what is refused
//! before anything is started and what says `always = true`, and with
//! `HEAL_TEST_CORPORA=whole` in the environment all.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;

use heal::patch::Patch;
use heal::patch::unified;
use heal::verify;
use heal::verify::policy;
use serde_json::Value;

use crate::support::Project;

/// A case of the corpus.
struct Case {
    name: String,
    patch: PathBuf,
    gate: String,
    /// Another one that may be first.
    or: Option<String>,
    test: Option<String>,
    machine: bool,
    alone: bool,
    always: bool,
}

impl Case {
    /// Whether nothing is started for it, or it says that it is run anyway.
    fn is_quick(&self) -> bool {
        const AT_ONCE: [&str; 5] = ["policy", "distinct", "syntax", "scan", "none"];
        self.machine || self.always || AT_ONCE.contains(&self.gate.as_str())
    }
}

fn folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cheats").join(language)
}

fn cases(language: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for entry in std::fs::read_dir(folder(language)).expect("the corpus").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "project" {
            continue;
        }
        let text = std::fs::read_to_string(entry.path().join("case.toml")).expect("case.toml");
        assert!(text.starts_with("# "), "{name} does not say what it does");
        let values: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
            .collect();
        cases.push(Case {
            patch: entry.path().join("change.patch"),
            gate: values.get("gate").unwrap_or_else(|| panic!("{name} names no gate")).clone(),
            or: values.get("or").cloned(),
            test: values.get("test").cloned(),
            machine: values.get("author").is_some_and(|author| author == "machine"),
            alone: values.get("alone").is_some_and(|alone| alone == "true"),
            always: values.get("always").is_some_and(|always| always == "true"),
            name,
        });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The files of the project that the cases are made for.
fn files(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(entry.file_name().to_str(), Some("__pycache__" | "target" | "node_modules")) {
                files(root, &path, found);
            }
        } else {
            found.push((name, std::fs::read_to_string(path).expect("text")));
        }
    }
}

fn project(language: &str) -> Project {
    let root = folder(language).join("project");
    let mut found = Vec::new();
    files(&root, &root, &mut found);
    let package = found.iter().find(|(path, _)| path == "package.json");
    let packages = package.and_then(|(_, text)| serde_json::from_str::<Value>(text).ok());
    let packages = packages.map(|json| json["devDependencies"].clone()).filter(Value::is_object);
    let found: Vec<(&str, &str)> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let project = Project::new(&found);
    if let Some(packages) = packages {
        let folder = crate::javascript::installed(&format!("cheats-{language}"), &packages.to_string());
        let link = project.root.join("node_modules");
        std::os::unix::fs::symlink(folder.join("node_modules"), link).expect("a link");
    }
    project
}

/// What became of a case: `verified`, the gate that was missed, or `none`,
/// with the whole answer.
fn outcome(project: &Project, case: &Case, without: Option<&str>) -> (String, String) {
    if case.machine {
        let text = std::fs::read_to_string(&case.patch).expect("a patch");
        let read = |path: &heal::source::RelPath| Some(project.read(path.as_str()));
        let patch: Patch =
            unified::resolve(&unified::parse(&text).expect("a patch"), &read).expect("the patch applies");
        return match policy::judge(&patch, policy::Author::Machine, &policy::Config::default()) {
            Err(miss) => (miss.gate, miss.detail),
            Ok(()) => ("verified".into(), String::new()),
        };
    }
    let patch = case.patch.display().to_string();
    let mut arguments = vec!["verify", &patch, "--json", "--jobs", "1"];
    if let Some(test) = &case.test {
        arguments.extend(["--test", test]);
    }
    let mut command = project.heal_command(&arguments);
    if let Some(gate) = without {
        command.env("HEAL_TEST_WITHOUT_GATE", gate);
    }
    let ran: crate::support::Ran = command.output().expect("heal runs").into();
    if ran.code == 2 {
        return ("none".into(), ran.stderr);
    }
    let json: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let failure = &json["failures"][0];
    let told = format!("exit {}: {failure:#}\n{}", ran.code, ran.stderr);
    match failure["outcome"].as_str() {
        Some("verified") if ran.code == 0 => ("verified".into(), told),
        _ => {
            let why = failure["reason_why"].as_str().unwrap_or_default();
            let gate = why.strip_prefix("gate ").and_then(|rest| rest.split(':').next()).unwrap_or("none");
            let weak = verify::is_weak(gate) == (failure["reason"] == "only-weak");
            (if weak { gate.to_owned() } else { format!("{gate} with another reason") }, told)
        }
    }
}

/// Every case of a language, two at a time.
fn check(language: &str) {
    check_those(language, cases(language));
}

/// Those cases of a language that are quick, or all where that is asked for.
fn check_some(language: &str) {
    let is_whole = std::env::var("HEAL_TEST_CORPORA").is_ok_and(|value| value == "whole");
    let some: Vec<Case> = cases(language).into_iter().filter(|case| is_whole || case.is_quick()).collect();
    assert!(some.iter().any(|case| case.always && case.gate == "verified"), "an honest one is among them");
    check_those(language, some);
}

fn check_those(language: &str, cases: Vec<Case>) {
    let project = project(language);
    let (queue, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().expect("the queue").next() else { return };
                    let own = case.alone.then(|| self::project(language));
                    let (got, told) = outcome(own.as_ref().unwrap_or(&project), case, None);
                    if got != case.gate && Some(&got) != case.or.as_ref() {
                        let line = format!("{}: wanted {}, got {got}\n{told}", case.name, case.gate);
                        wrong.lock().expect("the list").push(line);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the list");
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn no_cheat_in_python_is_verified_and_each_verdict_names_the_gate() {
    check("python");
}

#[test]
fn no_cheat_in_rust_is_verified_and_each_verdict_names_the_gate() {
    check("rust");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node: --features ecosystem")]
fn no_cheat_in_javascript_is_verified_and_each_verdict_names_the_gate() {
    check("javascript");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs Go: --features ecosystem")]
fn no_cheat_in_go_is_verified() {
    check_some("go");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node and npm: --features ecosystem")]
fn no_cheat_is_verified_by_jest() {
    check_some("jest");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node and npm: --features ecosystem")]
fn no_cheat_is_verified_by_mocha() {
    check_some("mocha");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs node and npm: --features ecosystem")]
fn no_cheat_is_verified_by_vitest() {
    check_some("vitest");
}

#[test]
fn the_readme_counts_the_corpus() {
    let all: Vec<Case> =
        ["python", "rust", "javascript", "go", "jest", "mocha", "vitest"].into_iter().flat_map(cases).collect();
    let honest = all.iter().filter(|case| case.gate == "verified").count();
    let readme = include_str!("../../README.md");
    let told = format!("holds {} hostile and lazy patches", all.len() - honest);
    assert!(readme.contains(&told) && readme.contains(&format!("and {honest} honest ones")), "{told}, {honest}");
}

#[test]
fn each_gate_alone_catches_a_patch_that_gets_through_without_it() {
    // `build` and `target` are not here: they say early and clearly what
    // `suite` would say later; `near` is a part of `suite`; `minimal` mends.
    let cases = cases("python");
    let alone = [
        ("policy", "asks-its-caller"),
        ("distinct", "comment-alone"),
        ("syntax", "breaks-what-is-not-tested"),
        ("scan", "check-silenced"),
        ("integrity", "test-data-written"),
        ("suite", "breaks-a-neighbour"),
        ("special", "answer-hard-coded"),
        ("stable", "right-by-hash"),
        ("cause", "cured-by-a-leftover"),
        ("control", "one-test-not-called"),
        ("strength", "framework-patched-in-hiding"),
    ];
    let wrong: Vec<String> = alone
        .iter()
        .filter_map(|(gate, name)| {
            let case = cases.iter().find(|case| case.name == *name).expect("a case");
            assert_eq!(case.gate, *gate, "{name}");
            let (got, told) = outcome(&project("python"), case, Some(gate));
            (got != "verified").then(|| format!("{name} without {gate}: {got}\n{told}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
