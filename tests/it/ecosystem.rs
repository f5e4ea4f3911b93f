//! What needs pytest and the packaging tools; a virtual environment with them
//! is made once for all of these tests.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::gates::PARTS;
use crate::support::Project;
use crate::support::Ran;

/// uv, which makes an environment in a tenth of the time that pip takes; kept
/// for the next run.
pub fn uv() -> &'static Path {
    static UV: OnceLock<PathBuf> = OnceLock::new();
    UV.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv");
        let program = folder.join("bin/uv");
        if !Command::new(&program).arg("--version").output().is_ok_and(|ran| ran.status.success()) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
            let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "uv"];
            run(Command::new(folder.join("bin/python")).args(pip));
        }
        program
    })
}

fn run(command: &mut Command) {
    let output = command.output().expect("python3 is needed: install Python 3.8 or newer");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A virtual environment with `packages`; its interpreter.
pub fn environment(dir: &Path, packages: &[&str]) -> PathBuf {
    run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(dir));
    let python = dir.join("bin/python");
    if !packages.is_empty() {
        install(&python, packages);
    }
    python
}

/// Installs into the environment of `python`.
pub fn install(python: &Path, arguments: &[&str]) {
    let pip = ["pip", "install", "-q", "--link-mode", "copy", "--python"];
    run(Command::new(uv()).args(pip).arg(python).args(arguments).env_remove("VIRTUAL_ENV"));
}

/// The interpreter with pytest, xdist and pytest-cov.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, python) = PYTHON.get_or_init(|| {
        let dir = tempfile::Builder::new().prefix("heal-venv-").tempdir().expect("a temporary directory");
        let python = environment(&dir.path().join("venv"), &["pytest", "pytest-xdist", "pytest-cov", "setuptools"]);
        (dir, python)
    });
    python
}

fn heal(project: &Project, arguments: &[&str]) -> Ran {
    let python = python();
    let mut command = project.heal_command(arguments);
    command.env("VIRTUAL_ENV", python.parent().and_then(Path::parent).expect("the environment"));
    command.output().expect("heal runs").into()
}

const STACK: &[(&str, &str)] = &[
    (
        "stack.py",
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        self.items.append(item)\n\n    def pop(self):\n        if len(self.items) > 1:\n            return self.items.pop()\n        raise IndexError('no item')\n\n    def __len__(self):\n        return len(self.items)\n",
    ),
    (
        "test_stack.py",
        "import pytest\nfrom stack import Stack\n\n\n@pytest.fixture\ndef stack():\n    return Stack()\n\n\ndef test_empty(stack):\n    with pytest.raises(IndexError, match='no item'):\n        stack.pop()\n\n\n@pytest.mark.parametrize('items', [[1], [1, 2], ['a b', 'c::d']])\ndef test_last_in_first_out(stack, items):\n    for item in items:\n        stack.push(item)\n    assert [stack.pop() for _ in items] == items[::-1]\n    assert len(stack) == 0\n\n\n@pytest.mark.skip(reason='later')\ndef test_later():\n    assert False\n\n\n@pytest.mark.xfail\ndef test_known():\n    assert False\n",
    ),
];

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn a_pytest_project_is_healed_through_the_injected_plugin() {
    let project = Project::new(STACK);
    let json = heal(&project, &["fix", "--offline", "--json"]).code(0).json();
    assert_eq!(json["runner"], "pytest");
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(3));
    let proposal = &json["failures"][0]["proposals"][0];
    assert_eq!(proposal["evidence"]["suite"]["passed"], 4);
    assert!(proposal["diff"].as_str().is_some_and(|diff| diff.contains("stack.py")));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn a_pytest_inside_make_is_healed_test_by_test() {
    let project = Project::new(STACK);
    project.write(&[("Makefile", "test:\n\t@echo testing\n\t$(VIRTUAL_ENV)/bin/python -m pytest -q\n")]);
    project.commit("make");
    let json = heal(&project, &["fix", "--offline", "--json", "--", "make", "test"]).code(0).json();
    assert_eq!(json["runner"], "command");
    let ids: Vec<&str> =
        json["failures"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids[0].starts_with("test_stack.py::test_last_in_first_out["), "{ids:?}");
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["passed"], 4);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn options_that_hide_failures_do_not() {
    let project = Project::new(STACK);
    project.write(&[("pytest.ini", "[pytest]\naddopts = -x --maxfail=1 -q -n 2\n")]);
    project.commit("options");
    let python = python().to_str().expect("text");
    let json = heal(&project, &["fix", "--offline", "--json", "--", python, "-m", "pytest", "-x"]).code(0).json();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(3));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn a_subtest_that_pytest_skips_does_not_skip_its_test() {
    let project = Project::new(PARTS);
    project.write(&[("calc.py", "def double(n):\n    return n * 2\n")]);
    let diff = project.git(&["diff"]);
    project.git(&["checkout", "-q", "calc.py"]);
    let patch = project.root.parent().expect("a parent").join("right.patch");
    std::fs::write(&patch, diff).expect("written");
    let patch = patch.to_str().expect("text");
    let test = "test_calc.py::CalcTest::test_double";
    let command = ["--", python().to_str().expect("text"), "-m", "pytest"];
    let json = heal(&project, &[&["verify", patch, "--json", "--test", test], &command[..]].concat()).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["passed"], 2);
}

/// A `src` layout that is installed in editable mode by `backend`.
fn editable(backend: &str) {
    let project = Project::new(&[
        ("src/stacked/__init__.py", "from .stack import Stack\n"),
        ("src/stacked/stack.py", STACK[0].1),
        ("tests/test_stack.py", &STACK[1].1.replace("from stack import", "from stacked import")),
        (
            "pyproject.toml",
            &format!(
                "[project]\nname = \"stacked\"\nversion = \"0.1\"\n\n{backend}\n[tool.pytest.ini_options]\ntestpaths = [\"tests\"]\n"
            ),
        ),
    ]);
    let venv = project.root.parent().expect("a parent").join("venv");
    let python = environment(&venv, &["pytest", "setuptools", "wheel", "hatchling", "editables"]);
    install(&python, &["--no-build-isolation", "-e", project.root.to_str().expect("text")]);
    project.commit("installed");
    let mut command = project.heal_command(&["fix", "--offline", "--json", "--apply"]);
    command.env("VIRTUAL_ENV", &venv);
    let ran: Ran = command.output().expect("heal runs").into();
    let json = ran.code(0).json();
    assert_eq!(json["failures"][0]["outcome"], "verified");
    let tests =
        Command::new(&python).args(["-m", "pytest", "-q"]).current_dir(&project.root).output().expect("pytest runs");
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stdout));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn an_editable_install_by_setuptools_is_healed() {
    editable("[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n");
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn an_editable_install_by_a_setuptools_finder_is_healed() {
    // A package whose folder lies beside others makes setuptools write a
    // finder instead of a path.
    editable(
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\n[tool.setuptools]\npackages = [\"stacked\"]\npackage-dir = {\"stacked\" = \"src/stacked\"}\n",
    );
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn an_editable_install_by_hatch_is_healed() {
    editable(
        "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\n[tool.hatch.build.targets.wheel]\npackages = [\"src/stacked\"]\n",
    );
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn an_installed_copy_of_the_package_is_found_out() {
    let project = Project::new(&[
        ("src/stacked/__init__.py", "from .stack import Stack\n"),
        ("src/stacked/stack.py", STACK[0].1),
        ("tests/test_stack.py", &STACK[1].1.replace("from stack import", "from stacked import")),
        (
            "pyproject.toml",
            "[project]\nname = \"stacked\"\nversion = \"0.1\"\n\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
        ),
        (".gitignore", "build\n*.egg-info\n"),
    ]);
    let venv = project.root.parent().expect("a parent").join("venv");
    let python = environment(&venv, &["pytest", "setuptools", "wheel"]);
    install(&python, &["--no-build-isolation", project.root.to_str().expect("text")]);
    let mut command = project.heal_command(&["fix", "--offline"]);
    command.env("VIRTUAL_ENV", &venv);
    let ran: Ran = command.output().expect("heal runs").into();
    let ran = ran.code(5);
    assert!(ran.stderr.contains("site-packages"), "{}", ran.stderr);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest, make and node: --features ecosystem")]
fn a_missing_pytest_is_the_environments_fault() {
    let project = Project::new(STACK);
    project.write(&[("pytest.ini", "[pytest]\n")]);
    project.commit("pytest is configured");
    let venv = project.root.parent().expect("a parent").join("venv");
    environment(&venv, &[]);
    let mut command = project.heal_command(&["fix", "--offline"]);
    command.env("VIRTUAL_ENV", &venv);
    let ran: Ran = command.output().expect("heal runs").into();
    let ran = ran.code(5);
    assert!(ran.stderr.contains("pytest"), "{}", ran.stderr);
}
