//! The Python interpreter a project's tests run under, and the folders of the
//! repository that it imports from.
//!
//! Composes the probe and reads its answer; never starts it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::Project;
use super::RunnerKind;
use super::injected;
use super::injected::Bytecode;
use super::wrap;
use crate::process::Command;
use crate::source::RelPath;

/// A Python interpreter and what an editable install put on its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable.
    pub program: PathBuf,
    /// Its version (3, 11, 7).
    pub version: (u32, u32, u32),
    /// pytest's version, where it can be imported.
    pub pytest: Option<String>,
    /// Folders of the repository that editable installs (`.pth` lines,
    /// setuptools finders) put on the import path; the scratch's copies of
    /// them go first on `PYTHONPATH`.
    pub editable: Vec<RelPath>,
    /// `PYTHONPATH` as the user has it.
    pub python_path: Option<String>,
    /// `PYTEST_ADDOPTS` as the user has it.
    pub pytest_options: Option<String>,
    /// Packages that an editable install maps to a folder of another name:
    /// those cannot be led to the scratch by a path.
    pub unmapped: Vec<String>,
    /// heal's own modules, compiled by it.
    pub bytecode: Arc<[Bytecode]>,
}

/// Why no interpreter can be used. Exit code 5.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// None of the candidates answers.
    #[error(
        "no Python interpreter was found{}\n  Install Python 3.8 or newer, activate the project's environment, or name the interpreter: heal fix -- PYTHON -m pytest",
        tried_words(tried)
    )]
    NoneFound {
        /// What was tried.
        tried: Vec<PathBuf>,
    },
    /// It does not answer as one.
    #[error("`{program}` is no Python interpreter that heal can ask: {said}")]
    Strange {
        /// The program.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// pytest is asked for and not there.
    #[error(
        "`{program}` cannot import pytest\n  Install it there ({program} -m pip install pytest), or activate the project's environment"
    )]
    NoPytest {
        /// The interpreter.
        program: PathBuf,
    },
}

fn tried_words(tried: &[PathBuf]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let names: Vec<String> = tried.iter().map(|path| format!("`{}`", path.display())).collect();
    format!(": {} cannot be started", names.join(", "))
}

/// Interpreters to ask, best first: the command's own; else the active or the
/// project's environment, then what `PATH` has (DECISIONS 6).
pub fn candidates(project: &Project, user_root: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let root = project.root.under(user_root);
    if let Some(seen) = wrap::see(&project.command) {
        if let Some(index) = seen.interpreter {
            return vec![absolute(&project.command[index], &root)];
        }
        // `…/bin/pytest` has its interpreter beside it.
        let word = &project.command[seen.at];
        if word.contains('/') {
            let beside = absolute(word, &root).with_file_name("python");
            if beside.exists() {
                return vec![beside];
            }
        }
    }
    let mut found: Vec<PathBuf> =
        environment("VIRTUAL_ENV").into_iter().map(|active| PathBuf::from(active).join("bin/python")).collect();
    for base in [root.as_path(), user_root] {
        found.extend([".venv", "venv"].map(|name| base.join(name).join("bin/python")));
    }
    found.extend(environment("CONDA_PREFIX").map(|prefix| PathBuf::from(prefix).join("bin/python")));
    found.retain(|python| python.exists());
    found.extend(["python3", "python"].map(PathBuf::from));
    found.dedup();
    found
}

/// A relative path of several components is meant from the project's root; a
/// bare name is looked up on `PATH`.
fn absolute(word: &str, root: &Path) -> PathBuf {
    if word.contains('/') { root.join(word) } else { PathBuf::from(word) }
}

/// Prints what heal needs to know in one line of JSON. Python 3.6 and newer.
const PROBE: &str = r##"
import json, os, site, sys, sysconfig
found = {"version": list(sys.version_info[:3]), "program": sys.executable, "pytest": None, "paths": [], "mapped": {}, "bytecode": [], "python_path": os.environ.get("PYTHONPATH") or None, "pytest_options": os.environ.get("PYTEST_ADDOPTS") or None}
try:
    import pytest
    found["pytest"] = pytest.__version__
except Exception:
    pass
dirs = set()
for get in (lambda: site.getsitepackages(), lambda: [site.getusersitepackages()], lambda: [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]):
    try:
        dirs.update(get())
    except Exception:
        pass
for folder in sorted(dirs):
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        continue
    for name in names:
        if not name.endswith(".pth"):
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            line = line.strip()
            if line and not line.startswith(("#", "import ", "import\t")):
                found["paths"].append(os.path.normpath(os.path.join(folder, line)))
for name, module in sorted(sys.modules.items()):
    if name.startswith("__editable__"):
        for key in ("MAPPING", "NAMESPACES"):
            for package, where in (getattr(module, key, None) or {}).items():
                for path in ([where] if isinstance(where, str) else list(where)):
                    found["mapped"].setdefault(package, []).append(path)
try:
    from importlib import import_module
    for finder in sys.meta_path:
        known = getattr(finder, "known_source_files", None) or getattr(finder, "_known_source_files", None)
        for package, path in (known or {}).items() if isinstance(known, dict) else []:
            found["mapped"].setdefault(package, []).append(path)
except Exception:
    pass
"##;

const TELL: &str = r##"
print("heal:" + json.dumps(found))
"##;

/// The command that asks an interpreter.
pub fn probe(program: &Path) -> Command {
    let script = [PROBE, injected::COMPILE, TELL].concat();
    Command::new(program)
        .arg("-c")
        .arg(script)
        .args(injected::arguments())
        .time_limit(Duration::from_secs(30))
        .output_limit(1 << 20)
}

#[derive(Deserialize)]
struct Answer {
    version: (u32, u32, u32),
    program: PathBuf,
    pytest: Option<String>,
    paths: Vec<PathBuf>,
    mapped: std::collections::BTreeMap<String, Vec<PathBuf>>,
    #[serde(default)]
    python_path: Option<String>,
    #[serde(default)]
    pytest_options: Option<String>,
    #[serde(default)]
    bytecode: Vec<(String, String)>,
}

/// Reads the probe's answer; folders count where they lie in `user_root`.
///
/// # Errors
/// The output is not the probe's.
pub fn read_probe(program: &Path, stdout: &str, user_root: &Path) -> Result<Interpreter, InterpreterError> {
    let strange = |said: &str| InterpreterError::Strange {
        program: program.to_path_buf(),
        said: said.chars().take(200).collect(),
    };
    let line =
        stdout.lines().rev().find_map(|line| line.strip_prefix("heal:")).ok_or_else(|| strange(stdout.trim()))?;
    let answer: Answer = serde_json::from_str(line).map_err(|error| strange(&error.to_string()))?;
    let mut editable: Vec<RelPath> = answer.paths.iter().filter_map(|path| inside(user_root, path)).collect();
    let mut unmapped = Vec::new();
    for (package, places) in &answer.mapped {
        for place in places {
            let Some(own) = inside(user_root, place) else { continue };
            let last = package.rsplit('.').next().unwrap_or(package);
            let stem = own.file_name().strip_suffix(".py").unwrap_or(own.file_name());
            // `a.b` at `src/a/b` is found from `src`.
            let depth = package.split('.').count();
            let root = (0..depth).fold(own.clone(), |path, _| path.parent());
            if stem == last { editable.push(root) } else { unmapped.push(package.clone()) }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    editable.retain(|path| seen.insert(path.clone()));
    let program = if answer.program.as_os_str().is_empty() { program.to_path_buf() } else { answer.program };
    Ok(Interpreter {
        program,
        version: answer.version,
        pytest: answer.pytest,
        editable,
        python_path: answer.python_path,
        pytest_options: answer.pytest_options,
        unmapped,
        bytecode: injected::read(answer.bytecode),
    })
}

fn inside(user_root: &Path, path: &Path) -> Option<RelPath> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    RelPath::within(user_root, &real).or_else(|| RelPath::within(user_root, path))
}

/// Whether the interpreter has what the project's runner needs.
///
/// # Errors
/// pytest is missing.
pub fn check(interpreter: &Interpreter, project: &Project) -> Result<(), InterpreterError> {
    // Under a wrapper (`uv run`) the environment may be made only when the
    // command runs.
    let wrapped = wrap::see(&project.command).is_some_and(|seen| !seen.through.is_empty() && seen.through != "env");
    if project.kind == RunnerKind::Pytest && interpreter.pytest.is_none() && !wrapped {
        return Err(InterpreterError::NoPytest { program: interpreter.program.clone() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editable_folders_inside_the_repository_are_found() {
        let line = r#"noise
heal:{"version": [3, 12, 1], "program": "/v/bin/python", "pytest": "9.2.0", "paths": ["/proj/src", "/elsewhere"], "mapped": {"pkg": ["/proj/lib/pkg"], "a.b": ["/proj/x/a/b"], "odd": ["/proj/src/other"], "single": ["/proj/single.py"], "far": ["/opt/far"]}}
"#;
        let interpreter = read_probe(Path::new("python3"), line, Path::new("/proj")).expect("an interpreter");
        let editable: Vec<&str> = interpreter.editable.iter().map(RelPath::as_str).collect();
        assert_eq!(editable, ["src", "x", "lib", ""]);
        assert_eq!(interpreter.unmapped, ["odd"]);
        assert_eq!(interpreter.version, (3, 12, 1));
    }

    #[test]
    fn what_is_no_interpreter_is_told() {
        for said in ["", "hello", "heal:{", "heal:{}"] {
            assert!(read_probe(Path::new("x"), said, Path::new("/proj")).is_err(), "{said}");
        }
    }

    #[test]
    fn the_real_interpreter_answers_the_probe() {
        let command = probe(Path::new("python3"));
        let output = std::process::Command::new("python3").args(&command.argv[1..]).output().expect("python3 runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let interpreter = read_probe(Path::new("python3"), &text, Path::new("/nowhere")).expect("an interpreter");
        assert_eq!(interpreter.version.0, 3);
        assert!(interpreter.editable.is_empty());
        let modules = injected::arguments().count() / 2;
        assert_eq!(interpreter.bytecode.len(), if interpreter.version >= (3, 7, 0) { modules } else { 0 });
    }
}
