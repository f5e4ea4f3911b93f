//! Which runner a project uses, and why.
//!
//! Looks at the command's words and at manifests; runs nothing.

use std::path::Path;

use super::Project;
use super::RunnerKind;
use super::javascript;
use super::wrap;
use crate::source::RelPath;

/// Why no runner was chosen.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// Nothing heal knows was found.
    #[error(
        "no test runner found in {place}\n  heal looked for Cargo.toml, pyproject.toml, package.json and go.mod. Name the command: heal fix -- make check"
    )]
    Nothing {
        /// Where it was looked for.
        place: String,
    },
    /// The manifest names no test runner.
    #[error("{what} in {place} names no tests that heal can run\n  Name the command: heal fix -- {example}")]
    NoTests {
        /// The manifest.
        what: &'static str,
        /// Where it is.
        place: String,
        /// What the command may be.
        example: &'static str,
    },
    /// Several projects below the root, none at it.
    #[error("several projects in {place}: {}\n  Choose one with --repo {place}/{}, or name the command after --", found.join(", "), found[0])]
    Several {
        /// Where it was looked for.
        place: String,
        /// Their folders, below it.
        found: Vec<String>,
    },
}

/// How deep a project may lie below the place where heal was started.
const DEPTH: usize = 2;

/// Folders that hold no project of the user's.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "venv",
    "env",
    "build",
    "dist",
    "vendor",
    "third_party",
    "fixtures",
    "examples",
    "site-packages",
];

/// Chooses the runner for `command`, or for what stands at `at` below the
/// repository `tree`; `environment` gives variables.
///
/// # Errors
/// No runner was found, or several.
pub fn detect(
    tree: &Path,
    at: &RelPath,
    command: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Project, DetectError> {
    if !command.is_empty() {
        return Ok(given(tree, at, command));
    }
    for root in [at.clone(), RelPath::root()] {
        if let Some(project) = at_folder(tree, &root, environment)? {
            return Ok(project);
        }
    }
    let place = at.under(tree).display().to_string();
    let found = below(tree, at);
    match found.as_slice() {
        [] => Err(DetectError::Nothing { place }),
        [only] => at_folder(tree, only, environment)?.ok_or(DetectError::Nothing { place }),
        several => {
            let names = several.iter().map(|folder| {
                folder.as_str().strip_prefix(at.as_str()).unwrap_or(folder.as_str()).trim_start_matches('/').to_owned()
            });
            Err(DetectError::Several { place, found: names.collect() })
        }
    }
}

/// The runner that a given command shows by its words.
fn given(tree: &Path, at: &RelPath, command: &[String]) -> Project {
    let (kind, why) = match wrap::see(command) {
        None if let Some(kind) = javascript::of_script(&at.under(tree), command) => {
            (kind, format!("the command's script in package.json is {}", kind.name()))
        }
        Some(seen) if seen.through.is_empty() => (seen.kind, format!("the command is {}", seen.kind.name())),
        Some(seen) => (seen.kind, format!("the command is {}, through {}", seen.kind.name(), seen.through)),
        None if wrap::is_nextest(command) => {
            (RunnerKind::Command, "cargo nextest is not asked for single tests yet: its exit code counts".to_owned())
        }
        None => (
            RunnerKind::Command,
            "the command is none heal knows: a pytest or cargo inside it is heard, else its exit code counts"
                .to_owned(),
        ),
    };
    Project { root: at.clone(), kind, command: command.to_vec(), given: true, why }
}

/// The project whose manifest lies in `root`; `None` for no manifest.
fn at_folder(
    tree: &Path,
    root: &RelPath,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Project>, DetectError> {
    let folder = root.under(tree);
    let has = |name: &str| folder.join(name).is_file();
    let project = |kind, command: &[&str], why: String| {
        Some(Project {
            root: root.clone(),
            kind,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            given: false,
            why,
        })
    };
    if has("Cargo.toml") {
        return Ok(project(RunnerKind::Cargo, &["cargo", "test"], "there is a Cargo.toml".into()));
    }
    if let Some(python) = python(tree, root, environment) {
        return Ok(Some(python));
    }
    let place = folder.display().to_string();
    if has("go.mod") {
        return Ok(project(RunnerKind::Go, &["go", "test", "./..."], "there is a go.mod".into()));
    }
    if has("package.json") {
        return match javascript::of_package(&folder) {
            Some((kind, command, why)) => Ok(Some(Project { root: root.clone(), kind, command, given: false, why })),
            None => Err(DetectError::NoTests { what: "package.json", place, example: "npm test" }),
        };
    }
    Ok(None)
}

/// A Python project: pytest where it is configured, used by the tests, or the
/// only thing that would find them; else unittest.
fn python(tree: &Path, root: &RelPath, environment: &dyn Fn(&str) -> Option<String>) -> Option<Project> {
    let folder = root.under(tree);
    let tests = tests_of(&folder);
    let manifest =
        ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "pytest.ini", "conftest.py"]
            .into_iter()
            .find(|name| folder.join(name).is_file());
    if manifest.is_none() && tests.files.is_empty() {
        return None;
    }
    let interpreter = interpreter_word(&folder, tree, environment);
    let project = |kind, words: &[&str], why: String| {
        let command = std::iter::once(interpreter.as_str()).chain(words.iter().copied()).map(str::to_owned).collect();
        Some(Project { root: root.clone(), kind, command, given: false, why })
    };
    if let Some(why) = pytest_configured(&folder).or_else(|| tests.wants_pytest.clone()) {
        return project(RunnerKind::Pytest, &["-m", "pytest"], why);
    }
    if tests.uses_unittest {
        let why = "its tests use unittest, and nothing asks for pytest".to_owned();
        return match tests.start.as_deref() {
            None | Some(".") => project(RunnerKind::Unittest, &["-m", "unittest", "discover"], why),
            Some(start) if folder.join(start).join("__init__.py").is_file() => {
                project(RunnerKind::Unittest, &["-m", "unittest", "discover", "-s", start, "-t", "."], why)
            }
            Some(start) => project(RunnerKind::Unittest, &["-m", "unittest", "discover", "-s", start], why),
        };
    }
    manifest.filter(|_| !tests.files.is_empty()).and_then(|manifest| {
        project(
            RunnerKind::Pytest,
            &["-m", "pytest"],
            format!("there is a {manifest}, and test files without unittest"),
        )
    })
}

/// The file whose settings ask for pytest (pytest documentation, "Configuration
/// file formats").
fn pytest_configured(folder: &Path) -> Option<String> {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    if folder.join("pytest.ini").is_file() {
        return Some("there is a pytest.ini".into());
    }
    for (file, section) in [("pyproject.toml", "[tool.pytest"), ("setup.cfg", "[tool:pytest]"), ("tox.ini", "[pytest]")]
    {
        if text(file).lines().any(|line| line.trim_start().starts_with(section)) {
            return Some(format!("{file} has {section}{}", if section.ends_with(']') { "" } else { ".…]" }));
        }
    }
    folder.join("conftest.py").is_file().then(|| "there is a conftest.py".into())
}

/// The interpreter as the command names it: the project's own environment by
/// its relative path, so that the scratch's copy of the link is meant too.
fn interpreter_word(folder: &Path, tree: &Path, environment: &dyn Fn(&str) -> Option<String>) -> String {
    if let Some(active) = environment("VIRTUAL_ENV") {
        let python = Path::new(&active).join("bin/python");
        if python.exists() {
            return python.display().to_string();
        }
    }
    let own =
        [folder, tree].into_iter().flat_map(|base| [".venv", "venv"].map(|name| base.join(name).join("bin/python")));
    own.into_iter()
        .find(|python| python.exists())
        .map_or_else(|| "python3".to_owned(), |python| python.display().to_string())
}

/// What the test files of a folder show.
#[derive(Debug, Default)]
struct Tests {
    files: Vec<std::path::PathBuf>,
    wants_pytest: Option<String>,
    uses_unittest: bool,
    /// The folder that holds them, where it is not the root.
    start: Option<String>,
}

/// Test files that are looked at: enough to see what they use.
const LOOKED_AT: usize = 50;

fn tests_of(folder: &Path) -> Tests {
    let mut tests = Tests::default();
    for (start, depth) in [(".", 0), ("tests", 2), ("test", 2)] {
        let before = tests.files.len();
        collect(&folder.join(start), depth, &mut tests.files);
        if tests.files.len() > before && tests.start.is_none() {
            tests.start = Some(start.to_owned());
        }
    }
    for file in &tests.files {
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        let imports = |module: &str| {
            text.lines().any(|line| {
                line.split_whitespace().take(2).eq(["import", module])
                    || line.starts_with(&format!("from {module} "))
                    || line.starts_with(&format!("from {module}."))
            })
        };
        let name = file.strip_prefix(folder).unwrap_or(file).display();
        if imports("pytest") {
            tests.wants_pytest = Some(format!("{name} imports pytest"));
        } else if imports("unittest") || text.contains("TestCase)") {
            tests.uses_unittest = true;
        } else if text.lines().any(|line| line.starts_with("def test_") || line.starts_with("async def test_")) {
            tests.wants_pytest.get_or_insert_with(|| format!("{name} has test functions"));
        }
    }
    tests
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if files.len() >= LOOKED_AT {
            return;
        }
        let is_test = name.ends_with(".py") && (name.starts_with("test") || name.ends_with("_test.py"));
        if is_test && path.is_file() {
            files.push(path);
        } else if depth > 0 && path.is_dir() && !name.starts_with(['.', '_']) {
            collect(&path, depth - 1, files);
        }
    }
}

/// Folders below `at` that hold a manifest of their own.
fn below(tree: &Path, at: &RelPath) -> Vec<RelPath> {
    let mut found = Vec::new();
    let mut level = vec![at.clone()];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for folder in &level {
            let Ok(entries) = std::fs::read_dir(folder.under(tree)) else { continue };
            let mut names: Vec<String> = entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            for name in names.iter().filter(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str())) {
                let Ok(inner) = folder.join(name) else { continue };
                let has = |manifest: &str| inner.under(tree).join(manifest).is_file();
                if ["Cargo.toml", "pyproject.toml", "setup.py", "pytest.ini", "go.mod", "package.json"]
                    .iter()
                    .any(|manifest| has(manifest))
                {
                    found.push(inner);
                } else {
                    next.push(inner);
                }
            }
        }
        level = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[(&str, &str)]) -> Result<(RunnerKind, String), String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        let project = detect(dir.path(), &RelPath::root(), &[], &|_| None).map_err(|error| error.to_string())?;
        Ok((project.kind, format!("{}: {}", project.root, project.command.join(" "))))
    }

    #[test]
    fn the_runner_is_chosen_by_what_lies_there() {
        use RunnerKind::*;
        let case = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n";
        for (files, wanted) in [
            (vec![("Cargo.toml", "")], Some((Cargo, ".: cargo test"))),
            (vec![("pytest.ini", ""), ("test_a.py", case)], Some((Pytest, ".: python3 -m pytest"))),
            (vec![("pyproject.toml", "[tool.pytest.ini_options]\n")], Some((Pytest, ".: python3 -m pytest"))),
            (vec![("test_a.py", case)], Some((Unittest, ".: python3 -m unittest discover"))),
            (
                vec![("tests/__init__.py", ""), ("tests/test_a.py", case)],
                Some((Unittest, ".: python3 -m unittest discover -s tests -t .")),
            ),
            (
                vec![("tests/test_a.py", case), ("setup.py", "")],
                Some((Unittest, ".: python3 -m unittest discover -s tests")),
            ),
            (vec![("tests/test_a.py", "def test_a(): pass\n")], Some((Pytest, ".: python3 -m pytest"))),
            (vec![("core/Cargo.toml", "")], Some((Cargo, "core: cargo test"))),
            (vec![("go.mod", "module a\n")], Some((Go, ".: go test ./..."))),
            (vec![("package.json", "{\"devDependencies\": {\"mocha\": \"12\"}}")], Some((Mocha, ".: npx mocha"))),
            (vec![("README", "")], None),
        ] {
            let found = chosen(&files).ok();
            assert_eq!(found.as_ref().map(|(kind, words)| (*kind, words.as_str())), wanted, "{files:?}");
        }
    }

    #[test]
    fn what_cannot_be_chosen_says_what_to_do() {
        for (files, words) in [
            (vec![("README", "")], vec!["no test runner found", "heal fix -- make check"]),
            (vec![("package.json", "{}")], vec!["package.json", "heal fix -- npm test"]),
            (vec![("a/Cargo.toml", ""), ("b/pyproject.toml", "")], vec!["several projects", "a, b"]),
        ] {
            let error = chosen(&files).expect_err("no choice");
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn a_given_command_is_kept_as_it_is() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (text, kind) in [
            ("uv run pytest -q", RunnerKind::Pytest),
            ("make check", RunnerKind::Command),
            ("cargo nextest run", RunnerKind::Command),
        ] {
            let project = detect(Path::new("/nowhere"), &RelPath::root(), &words(text), &|_| None).expect("a project");
            assert_eq!((project.kind, project.command, project.given), (kind, words(text), true));
        }
    }
}
