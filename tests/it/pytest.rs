//! heal's pytest plugin against the real pytest, xdist and uv: what the runner
//! composes is run as it stands, and its report is compared.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use heal::failure::Kind;
use heal::process::Captured;
use heal::process::Exit;
use heal::process::Finished;
use heal::runner;
use heal::runner::Channel;
use heal::runner::Project;
use heal::runner::Report;
use heal::runner::Request;
use heal::runner::RunnerKind;
use heal::runner::Selection;
use heal::runner::Site;
use heal::runner::Status;
use heal::runner::Variation;
use heal::runner::interpreter;
use heal::runner::probe;
use heal::source::RelPath;
use heal::trace::places::Places;
use pretty_assertions::assert_eq;

use crate::ecosystem;

fn must(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The folder of the environment with pytest.
fn environment() -> &'static Path {
    ecosystem::python().parent().and_then(Path::parent).expect("the environment")
}

/// A project in a scratch of its own, and the user's tree where that differs.
struct Bench {
    tree: tempfile::TempDir,
    user_root: Option<PathBuf>,
    python: Option<PathBuf>,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Bench {
        let tree = tempfile::tempdir().expect("a temporary directory");
        write(tree.path(), files);
        Bench { tree, user_root: None, python: None }
    }

    fn request(&self, selection: Selection) -> Request {
        let variation = Variation::default();
        let (test_limit, time_limit) = (Duration::from_secs(1), Duration::from_secs(40));
        Request {
            selection,
            test_limit,
            start_limit: time_limit,
            time_limit,
            trace_lines: true,
            fail_fast: false,
            variation,
            last: Vec::new(),
            probe: None,
            sieve: None,
        }
    }

    /// Runs `command`; `@PY` in it stands for the environment's.
    fn run(&self, command: &str, selection: Selection) -> Report {
        self.asked(command, selection, None)
    }

    fn asked(&self, command: &str, selection: Selection, question: Option<probe::Question>) -> Report {
        let python = environment().join("bin/python");
        let words = command.split(' ').map(|word| word.replace("@PY", &python.display().to_string()));
        let request = Request { probe: question, ..self.request(selection) };
        self.run_request(words.collect(), &request)
    }

    fn run_words(&self, words: Vec<String>, selection: Selection) -> Report {
        self.run_request(words, &self.request(selection))
    }

    fn run_request(&self, words: Vec<String>, request: &Request) -> Report {
        let tree = self.tree.path().canonicalize().expect("the tree");
        let user_root = self.user_root.clone().unwrap_or_else(|| tree.clone());
        let program = self.python.clone().unwrap_or_else(|| environment().join("bin/python"));
        let probe = interpreter::probe(&program);
        let answer = must(Command::new(&probe.argv[0]).args(&probe.argv[1..]).env_remove("PYTHONPATH"));
        let python = interpreter::read_probe(&program, &answer, &user_root).expect("an interpreter");
        let kind = runner::wrap::see(&words).map_or(RunnerKind::Command, |seen| seen.kind);
        let project = Project { root: RelPath::root(), kind, command: words, given: true, why: String::new() };
        let mut names = Vec::new();
        below(&tree, &tree, &mut names);
        let site = Site {
            written: None,
            places: Places::new(vec![user_root.clone()], names),
            user_root,
            tree,
            heal: "heal".into(),
            env: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
            python: Some(python),
        };
        let dir = tempfile::tempdir().expect("a temporary directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "secret".into() };
        let mut command = runner::compose(&project, &site, request, &channel).expect("composed");
        if kind == RunnerKind::Command {
            let inside = runner::pytest::opaque_environment(&site, request, &channel).expect("composed");
            command.env.extend(inside.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))));
        }
        let finished = run(&command);
        if kind == RunnerKind::Command {
            return runner::pytest::read_channel(&project, &site, &channel, &finished).expect("pytest was overheard");
        }
        runner::read(&project, &site, request, &channel, &finished)
    }
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
}

fn below(tree: &Path, folder: &Path, names: &mut Vec<RelPath>) {
    for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            below(tree, &path, names);
        } else {
            names.extend(RelPath::within(tree, &path));
        }
    }
}

fn run(command: &heal::process::Command) -> Finished {
    use std::os::unix::process::CommandExt;
    use std::os::unix::process::ExitStatusExt;
    let mut process = Command::new(&command.argv[0]);
    process.args(&command.argv[1..]).current_dir(&command.cwd).env_remove("VIRTUAL_ENV");
    let own = std::env::var_os("PATH").unwrap_or_default();
    let uv = ecosystem::uv().parent().expect("a folder").to_path_buf();
    let folders = std::iter::once(environment().join("bin")).chain(std::env::split_paths(&own)).chain([uv]);
    process.env("PATH", std::env::join_paths(folders).expect("a path"));
    for (name, value) in &command.env {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    let file = |name: &str| std::fs::File::create(command.cwd.join(name)).expect("a file for the output");
    process.stdout(file(".stdout")).stderr(file(".stderr")).process_group(0);
    let mut child = process.spawn().expect("the command starts");
    let began = Instant::now();
    let exit = loop {
        if let Some(status) = child.try_wait().expect("the command's state") {
            break status.signal().map_or_else(|| Exit::Code(status.code().expect("a code")), Exit::Signal);
        }
        if began.elapsed() > command.time_limit {
            let group = format!("-{}", child.id());
            must(Command::new("kill").args(["-KILL", "--", &group]));
            child.wait().expect("the command's end");
            break Exit::TimedOut;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let read = |name: &str| std::fs::read(command.cwd.join(name)).expect("the output");
    let captured = |name| Captured { text: String::from_utf8_lossy(&read(name)).into_owned(), dropped: 0 };
    Finished { exit, stdout: captured(".stdout"), stderr: captured(".stderr"), took: began.elapsed() }
}

/// How each test ended, by the name of its function, sorted.
fn ends(report: &Report) -> Vec<(&str, Status, Option<Kind>)> {
    let name = |id: &'_ str| id.find("::").map_or(0, |at| at + 2);
    let row =
        |test: &'_ runner::TestResult| (name(&test.id), test.status, test.failure.as_ref().map(|failure| failure.kind));
    let mut ends: Vec<_> =
        report.tests.iter().map(|test| (&test.id[row(test).0..], row(test).1, row(test).2)).collect();
    ends.sort_by_key(|(name, ..)| *name);
    ends
}

const CODE: &str = "def half(n): return n // 3\n\n\ndef spin():\n    while True:\n        pass\n";

const WILD: &str = "import ctypes, itertools, os, time\nfrom code_under import half, spin\n\n\ndef test_bad():\n    assert half(6) == 3\n\n\ndef test_die():\n    os._exit(0)\n\n\ndef test_endless():\n    spin()\n\n\ndef test_fine():\n    assert half(0) == 0\n\n\ndef test_stubborn():\n    while True:\n        try:\n            time.sleep(1)\n        except BaseException:\n            pass\n";

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn workers_of_xdist_tell_values_and_keep_deadlines() {
    let bench = Bench::new(&[("code_under.py", CODE), ("test_wild.py", WILD)]);
    let report = bench.run("@PY -m pytest -q -n 2", Selection::All);
    assert_eq!(
        ends(&report),
        [
            ("test_bad", Status::Failed, Some(Kind::Assertion)),
            ("test_die", Status::Failed, Some(Kind::Crash)),
            ("test_endless", Status::Failed, Some(Kind::Timeout)),
            ("test_fine", Status::Passed, None),
            ("test_stubborn", Status::Failed, Some(Kind::Timeout)),
        ]
    );
    assert!(report.complete, "{:?}", report.incomplete_why);
    let bad = report.test("test_wild.py::test_bad").expect("the test");
    let failure = bad.failure.as_ref().expect("a failure");
    assert_eq!((failure.actual.as_deref(), failure.expected.as_deref()), (Some("2"), Some("3")));
    let endless = report.test("test_wild.py::test_endless").and_then(|test| test.failure.as_ref()).expect("a failure");
    assert!(endless.output.contains("code_under.py:"), "{}", endless.output);
    assert!(!endless.output.contains("def alarm"), "heal's own code is nothing to read: {}", endless.output);
    // A body on the line of its `def` counts, also on CPython 3.13.
    let code = RelPath::new("code_under.py").expect("path");
    assert_eq!(bad.executed.iter().find(|(path, _)| *path == code).map(|(_, lines)| lines.clone()), Some(vec![1]));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn what_only_tells_of_a_failure_is_no_line_that_the_test_ran() {
    let code = "class Box:\n    def __init__(self, size):\n        self.size = size\n\n    def __eq__(self, other):\n        return self.size == other.size + 1\n\n    def __repr__(self):\n        return 'Box(%d)' % self.size\n";
    let tests = "import unittest\nfrom box import Box\n\n\ndef test_equal():\n    one = Box(1)\n    assert one == Box(1)\n\n\ndef test_shown():\n    assert repr(Box(1)) == 'Box(2)'\n\n\nclass BoxTest(unittest.TestCase):\n    def test_equal(self):\n        self.assertEqual(Box(1), Box(1))\n";
    let bench = Bench::new(&[("box.py", code), ("test_box.py", tests)]);
    let path = RelPath::new("box.py").expect("path");
    for (command, of) in
        [("@PY -m pytest -q", "test_box.py::BoxTest::test_equal"), ("@PY -m unittest", "test_box.BoxTest.test_equal")]
    {
        let report = bench.run(command, Selection::All);
        let ran = |id: &str| {
            let test = report.test(id).unwrap_or_else(|| panic!("{id} in {report:#?}"));
            assert_eq!(test.status, Status::Failed, "{id}");
            let lines = test.executed.iter().find(|(other, _)| *other == path).map(|(_, lines)| lines.clone());
            lines.unwrap_or_default()
        };
        assert_eq!(ran(of), [3, 6], "{command}");
        if command.ends_with("-q") {
            assert_eq!(ran("test_box.py::test_equal"), [3, 6]);
            assert_eq!(ran("test_box.py::test_shown"), [3, 9], "the test itself asks for it");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn the_wanted_value_is_told_from_what_came_on_either_side_of_a_check() {
    let code = "import pytest\nfrom fractions import Fraction\n\n\ndef three(_):\n    return 3\n\n\n@pytest.mark.parametrize('given, row', [(1, 4)])\nclass TestTable:\n    def test_literal_last(self, given, row):\n        assert three(given) == 4\n\n    def test_literal_first(self, given, row):\n        assert 4 == three(given)\n\n    def test_row_last(self, given, row):\n        assert three(given) == row\n\n    def test_row_first(self, given, row):\n        assert row == three(given)\n\n    def test_named(self, given, row):\n        expected = row\n        assert expected == three(given)\n\n\n@pytest.fixture\ndef came():\n    return 3\n\n\ndef test_made_of_a_literal(came):\n    assert came == Fraction('4')\n\n\ndef test_local():\n    got, wanted = three(1), 4\n    assert got == max(wanted, 0)\n\n\ndef test_written_out():\n    text = ' 4 '.strip()\n    assert text == str(three(1))\n\n\ndef test_changed():\n    found = [4]\n    found[0] = three(1)\n    assert found == list((4,))\n\ndef test_filled():\n    found = []\n    found.append(three(1))\n    assert found == list((4,))\n\n\n@pytest.mark.parametrize('row, given', [('n4', 'n')])\ndef test_row_first_of_a_sum(row, given):\n    assert row == given + str(three(given))\n";
    let bench = Bench::new(&[("test_sides.py", code)]);
    let report = bench.run("@PY -m pytest -q", Selection::All);
    let sides: Vec<_> = report
        .tests
        .iter()
        .map(|test| {
            let failure = test.failure.as_ref().unwrap_or_else(|| panic!("{} failed", test.id));
            (test.id.as_str(), failure.actual.as_deref(), failure.expected.as_deref())
        })
        .collect();
    assert_eq!(sides.len(), 11, "{sides:?}");
    for (id, actual, expected) in sides {
        assert!(["3", "'3'", "[3]", "'n3'"].contains(&actual.expect("a value")), "{id}: {actual:?}");
        let wanted = ["4", "Fraction(4, 1)", "'4'", "[4]", "'n4'"];
        assert!(wanted.contains(&expected.expect("a wanted value")), "{id}: {expected:?}");
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn the_names_of_the_failing_frame_are_told_by_every_runner() {
    let code = "def first(words):\n    word = words[0]\n    return word.upper() + missing\n\n\ndef spin(turn):\n    while turn:\n        turn = [turn]\n";
    let tests = "import unittest\nfrom names import first, spin\n\n\nclass NamesTest(unittest.TestCase):\n    def test_first(self):\n        first(['ab'])\n\n    def test_check(self):\n        got = len('abc')\n        self.assertEqual(got, 4)\n\n    def test_spin(self):\n        spin(True)\n";
    let bench = Bench::new(&[("names.py", code), ("test_names.py", tests)]);
    for (command, prefix) in [
        ("@PY -m pytest -q", "test_names.py::NamesTest::"),
        ("@PY -m pytest -q -n 2", "test_names.py::NamesTest::"),
        ("@PY -m unittest", "test_names.NamesTest."),
    ] {
        let report = bench.run(command, Selection::All);
        let held = |name: &str| {
            let test = report.test(&format!("{prefix}{name}")).unwrap_or_else(|| panic!("{name} in {report:#?}"));
            let locals = test.failure.as_ref().expect("a failure").locals.iter();
            locals.map(|local| (local.name.as_str(), local.value.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(held("test_first"), [("word", "'ab'"), ("words", "['ab']")], "{command}");
        assert_eq!(held("test_check"), [("self", "NamesTest()"), ("got", "3")], "{command}");
        assert_eq!(held("test_spin"), [("turn", "[[[\u{2026}]]]")], "{command}");
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn a_selection_of_many_holds_in_every_worker() {
    let text = "import pytest\n\n\n@pytest.mark.parametrize('n', range(40))\ndef test_n(n):\n    assert n != 7\n";
    let bench = Bench::new(&[("test_n.py", text)]);
    let mut wanted: Vec<String> = (0..12).map(|n| format!("test_n.py::test_n[{n}]")).collect();
    let report = bench.run("@PY -m pytest -n 2 --maxfail=1", Selection::Tests(wanted.clone()));
    let mut ran: Vec<String> = report.tests.iter().map(|test| test.id.clone()).collect();
    ran.sort();
    wanted.sort();
    assert_eq!(ran, wanted);
    assert!(report.complete, "{:?}", report.incomplete_why);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn odd_names_are_selected_exactly_whatever_the_options_hide() {
    let text = "import pytest\n\n\nclass Box:\n    pass\n\n\n@pytest.mark.parametrize('x', ['a b::c', 'é[x]', 'q\"'])\ndef test_odd(x):\n    assert x == 'no'\n\n\n@pytest.mark.parametrize('x', [Box(), Box()], ids=repr)\ndef test_address(x):\n    assert x is None\n";
    let bench = Bench::new(&[
        ("sub dir/test_odd.py", text),
        ("pytest.ini", "[pytest]\naddopts = --strict-markers -x -k nothing\n"),
    ]);
    let all = bench.run("@PY -m pytest -o addopts=", Selection::All);
    assert_eq!(all.tests.len(), 5);
    for test in &all.tests {
        let one = bench.run("@PY -m pytest", Selection::Tests(vec![test.id.clone()]));
        assert_eq!(one.tests.iter().map(|one| &one.id).collect::<Vec<_>>(), [&test.id]);
        let prints = |test: &runner::TestResult| test.failure.as_ref().map(heal::failure::Failure::fingerprint);
        assert_eq!(prints(&one.tests[0]), prints(test), "{}", test.id);
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn a_death_says_where_the_test_stood() {
    let died = |body: &str| {
        let text = format!(
            "import ctypes, itertools, os\n\n\ndef test_first():\n    pass\n\n\ndef test_last():\n    {body}\n\n\ndef test_never():\n    pass\n"
        );
        let report = Bench::new(&[("test_death.py", &text)]).run("@PY -m pytest", Selection::All);
        assert!(!report.complete, "{body}");
        assert_eq!(report.test("test_death.py::test_first").map(|test| test.status), Some(Status::Passed), "{body}");
        let failure = report.test("test_death.py::test_last").and_then(|test| test.failure.clone()).expect("a failure");
        (failure.kind, failure.location().and_then(|frame| frame.line))
    };
    assert_eq!(died("sum(itertools.repeat(0, 10**13))"), (Kind::Timeout, Some(9)));
    assert_eq!(died("ctypes.string_at(0)"), (Kind::Crash, Some(9)));
    assert_eq!(died("os._exit(0)"), (Kind::Crash, None));
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn what_cannot_be_loaded_is_told_and_hides_nothing() {
    let files = [
        ("test_fine.py", "def test_fine():\n    pass\n"),
        ("test_syntax.py", "def f(:\n"),
        ("test_gone.py", "from nowhere import gone\n"),
    ];
    let report = Bench::new(&files).run("@PY -m pytest -x", Selection::All);
    assert_eq!(ends(&report), [("test_fine", Status::Passed, None)]);
    let mut told: Vec<_> = report
        .problems
        .iter()
        .map(|problem| {
            (
                problem.id.as_str(),
                problem.kind,
                problem.message.as_str(),
                problem.location().and_then(|frame| frame.line),
            )
        })
        .collect();
    told.sort_by_key(|(id, ..)| *id);
    assert_eq!(
        told,
        [
            ("test_gone.py", Kind::Collection, "ModuleNotFoundError: No module named 'nowhere'", Some(1)),
            ("test_syntax.py", Kind::Collection, "SyntaxError: invalid syntax", Some(1)),
        ]
    );
    let report = Bench::new(&[("conftest.py", "import nowhere\n"), files[0]]).run("@PY -m pytest", Selection::All);
    assert!(!report.complete);
    let told: Vec<_> = report.problems.iter().map(|problem| (problem.id.as_str(), problem.message.as_str())).collect();
    assert_eq!(told, [("conftest.py", "ModuleNotFoundError: No module named 'nowhere'")]);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn pytest_is_reached_through_an_env_and_inside_an_opaque_command() {
    let files = [
        ("lib/code_under.py", CODE),
        ("tests/test_a.py", "from code_under import half\n\n\ndef test_bad():\n    assert half(6) == 3\n"),
    ];
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| word.replace("@PY", &environment().join("bin/python").display().to_string()))
            .collect::<Vec<_>>()
    };
    for command in [
        words(&["env", "PYTHONPATH=lib", "PYTEST_ADDOPTS=-q", "@PY", "-m", "pytest"]),
        words(&["env", "-i", "PYTHONPATH=lib", "@PY", "-m", "pytest"]),
        words(&["sh", "-c", "PYTHONPATH=lib:$PYTHONPATH @PY -m pytest"]),
    ] {
        let report = Bench::new(&files).run_words(command.clone(), Selection::All);
        assert_eq!(ends(&report), [("test_bad", Status::Failed, Some(Kind::Assertion))], "{command:?}");
        assert!(report.complete, "{command:?}: {:?}", report.incomplete_why);
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn uv_run_tests_the_scratch_and_leaves_the_users_environment_alone() {
    let project = "[project]\nname = \"pk\"\nversion = \"0.1\"\nrequires-python = \">=3.8\"\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n";
    let files = [
        ("src/pk/__init__.py", "def f(): return 1\n"),
        ("tests/test_a.py", "import pk\n\n\ndef test_a():\n    assert pk.f() == 2\n"),
        ("pyproject.toml", project),
    ];
    let user = tempfile::tempdir().expect("a temporary directory");
    let user_root = user.path().canonicalize().expect("the tree");
    write(&user_root, &files);
    let uv = ecosystem::uv();
    must(Command::new(uv).args(["venv", "-q"]).current_dir(&user_root).env_remove("VIRTUAL_ENV"));
    must(
        Command::new(uv)
            .args(["pip", "install", "-q", "-e", ".", "pytest"])
            .current_dir(&user_root)
            .env_remove("VIRTUAL_ENV"),
    );
    let venv = user_root.join(".venv");
    let installed = || must(Command::new(venv.join("bin/python")).args(["-c", "import pk; print(pk.__file__)"]));
    let before = installed();

    let mut bench = Bench::new(&files);
    std::os::unix::fs::symlink(&venv, bench.tree.path().join(".venv")).expect("linked");
    write(bench.tree.path(), &[("src/pk/__init__.py", "def f(): return 2\n")]);
    bench.user_root = Some(user_root);
    bench.python = Some(venv.join("bin/python"));
    let report = bench.run("uv run pytest -q", Selection::All);
    assert_eq!(ends(&report), [("test_a", Status::Passed, None)], "the scratch's code is what is tested");
    assert!(report.complete, "{:?}", report.incomplete_why);
    assert_eq!(installed(), before);
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn the_probe_answers_through_pytest_whatever_its_parts_do() {
    let code = |rest: &str| format!("def f(n):\n    return n {rest}\n");
    let test = "import warnings\n\nimport pytest\n\nfrom code_under import f\n\npytestmark = pytest.mark.filterwarnings('error')\n\n\n@pytest.mark.parametrize('n', [2, 3])\ndef test_f(n, tmp_path, capsys):\n    assert f(n) > n\n";
    let bench = Bench::new(&[("code_under.py", &code("+ 2")), ("test_f.py", test)]);
    let path = RelPath::new("code_under.py").expect("path");
    let variants = [code("+ 9"), code("+ 2"), code("* 2"), code("+ 1 + 1")].map(|text| [(path.clone(), text)].into());
    let question = probe::Question { variants: variants.to_vec(), laid: 1, inputs: 400, seconds: 20.0 };
    // With xdist, too, one process records and answers.
    for command in ["@PY -m pytest", "@PY -m pytest -n 2", "@PY -m pytest --cov=code_under"] {
        let report = bench.asked(command, Selection::All, Some(question.clone()));
        let answer = report.probe.unwrap_or_else(|| panic!("{command}: {:?}", report.incomplete_why));
        assert_eq!((answer.why.as_str(), answer.calls), ("", 2), "{command}");
        let found: Vec<_> = answer.differences.iter().map(|found| (found.pair, found.call.as_str())).collect();
        // Where the original agrees with one of them.
        assert_eq!(found, [((1, 2), "f(9)"), ((2, 3), "f(9)")], "{command}");
    }
}
