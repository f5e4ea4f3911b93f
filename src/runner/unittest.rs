//! unittest, through heal's own runner in its place: `-m heal_unittest` for
//! `-m unittest`, with the same arguments.
//!
//! Composes and reads; starts nothing.

use super::Channel;
use super::Project;
use super::Report;
use super::Request;
use super::RunnerError;
use super::Site;
use super::TestPlace;
use super::python;
use super::wrap;
use crate::process::Command;
use crate::process::Finished;
use crate::source::RelPath;

/// Composes the command.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    let mut command = project.command.clone();
    if let Some(seen) = wrap::see(&command)
        && let Some(module) = command.get_mut(seen.at + 1)
    {
        *module = "heal_unittest".to_owned();
    }
    python::compose(project, command, site, request, channel)
}

/// Reads the channel.
pub fn read(project: &Project, site: &Site, _request: &Request, channel: &Channel, finished: &Finished) -> Report {
    python::records::read(project, site, channel, finished)
}

/// `tests.test_a.ATest.test_b`: the longest beginning that is a module of the
/// tree, from the project's root, its start directory, or `src`.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let parts: Vec<&str> = id.split('.').collect();
    let function = (*parts.last()?).to_owned();
    let starts = start_directories(project);
    for end in (1..parts.len()).rev() {
        let module = parts[..end].join("/");
        for start in &starts {
            let file = project.root.join(start).ok()?.join(&format!("{module}.py")).ok()?;
            if file.under(&site.tree).is_file() {
                return Some(TestPlace { path: file, function, lines: None });
            }
        }
    }
    None
}

/// Where discovery starts: what follows `-s`, and the root.
fn start_directories(project: &Project) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut words = project.command.iter();
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "-s" | "--start-directory")
            && let Some(start) = words.next()
            && RelPath::new(start).is_ok()
        {
            found.push(start.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::failure::Kind;
    use crate::process::Captured;
    use crate::process::Exit;
    use crate::runner::RunnerKind;
    use crate::runner::Selection;
    use crate::runner::Status;
    use crate::trace::places::Places;

    #[test]
    fn a_dotted_name_leads_to_its_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("tests/deep")).expect("folders");
        for file in ["tests/test_a.py", "tests/deep/test_b.py", "test_c.py"] {
            std::fs::write(dir.path().join(file), "").expect("written");
        }
        let words = "python3 -m unittest discover -s tests".split(' ').map(str::to_owned).collect();
        let project = Project {
            root: RelPath::root(),
            kind: super::super::RunnerKind::Unittest,
            command: words,
            given: true,
            why: String::new(),
        };
        let site = python::tests::site(dir.path().to_str().expect("text"));
        for (id, path) in [
            ("tests.test_a.A.test_x", "tests/test_a.py"),
            ("deep.test_b.B.test_y", "tests/deep/test_b.py"),
            ("test_c.C.test_z", "test_c.py"),
        ] {
            assert_eq!(
                place(&project, &site, id).map(|place| place.path.as_str().to_owned()).as_deref(),
                Some(path),
                "{id}"
            );
        }
        assert!(place(&project, &site, "nowhere.N.test_n").is_none());
    }

    /// Runs unittest with the real `python3` on `files`.
    fn ran(files: &[(&str, &str)], selection: Selection) -> Report {
        let tree = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "N".into() };
        let project = python::tests::project("python3 -m unittest discover -s tests -t .", RunnerKind::Unittest);
        let names = files.iter().map(|(path, _)| RelPath::new(path).expect("path"));
        let site = Site {
            user_root: tree.path().into(),
            places: Places::new(vec![tree.path().into()], names),
            ..python::tests::site(tree.path().to_str().expect("text"))
        };
        let request =
            Request { trace_lines: true, test_limit: Duration::from_millis(400), ..python::tests::request(selection) };
        let command = compose(&project, &site, &request, &channel).expect("composed");
        let variables = command.env.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let output = std::process::Command::new(&command.argv[0])
            .args(&command.argv[1..])
            .current_dir(&command.cwd)
            .envs(variables)
            .output()
            .expect("python3 runs");
        let captured = |bytes: &[u8]| Captured { text: String::from_utf8_lossy(bytes).into_owned(), dropped: 0 };
        let exit = output.status.code().map_or(Exit::Signal(0), Exit::Code);
        let finished =
            Finished { exit, stdout: captured(&output.stdout), stderr: captured(&output.stderr), took: Duration::ZERO };
        read(&project, &site, &request, &channel, &finished)
    }

    const CODE: &str = "def half(n):\n    return n // 3\n\n\ndef spin():\n    while True:\n        pass\n";
    const TESTS: &str = "import unittest\nfrom code_under import half, spin\n\n\nclass Half(unittest.TestCase):\n    def test_even(self):\n        self.assertEqual(half(6), 3)\n\n    def test_zero(self):\n        self.assertEqual(0, half(0))\n\n    def test_each(self):\n        for n in (0, 8):\n            with self.subTest(n=n):\n                self.assertEqual(half(n), n / 2)\n\n    def test_endless(self):\n        spin()\n\n    @unittest.skip('later')\n    def test_later(self):\n        pass\n\n    @unittest.expectedFailure\n    def test_known(self):\n        self.fail()\n\n    @unittest.expectedFailure\n    def test_mended(self):\n        pass\n\n\nclass Down(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        raise RuntimeError('db down')\n\n    def test_never(self):\n        pass\n";

    #[test]
    fn every_way_a_test_can_end_comes_through_the_channel() {
        let report = ran(
            &[
                ("code_under.py", CODE),
                ("tests/__init__.py", ""),
                ("tests/test_half.py", TESTS),
                ("tests/test_syntax.py", "def f(:\n"),
                ("tests/test_gone.py", "from code_under import gone\n"),
            ],
            Selection::All,
        );
        let ends: Vec<(&str, Status, Option<Kind>)> = report
            .tests
            .iter()
            .map(|test| {
                (
                    test.id.rsplit('.').next().unwrap_or_default(),
                    test.status,
                    test.failure.as_ref().map(|failure| failure.kind),
                )
            })
            .collect();
        assert_eq!(
            ends,
            [
                ("test_each", Status::Failed, Some(Kind::Assertion)),
                ("test_endless", Status::Failed, Some(Kind::Timeout)),
                ("test_even", Status::Failed, Some(Kind::Assertion)),
                ("test_known", Status::ExpectedFailure, None),
                ("test_later", Status::Skipped, None),
                ("test_mended", Status::Failed, Some(Kind::Assertion)),
                ("test_zero", Status::Passed, None),
            ]
        );
        assert!(report.complete, "{:?}", report.incomplete_why);
        let even =
            report.test("tests.test_half.Half.test_even").and_then(|test| test.failure.as_ref()).expect("a failure");
        assert_eq!(
            (even.message.as_str(), even.actual.as_deref(), even.expected.as_deref()),
            ("AssertionError: 2 != 3", Some("2"), Some("3"))
        );
        let each =
            report.test("tests.test_half.Half.test_each").and_then(|test| test.failure.as_ref()).expect("a failure");
        assert_eq!(each.message, "AssertionError: 2 != 4.0 (n=8)");
        let endless =
            report.test("tests.test_half.Half.test_endless").and_then(|test| test.failure.as_ref()).expect("a failure");
        assert_eq!(endless.location().and_then(|frame| frame.symbol.as_deref()), Some("spin"));
    }

    #[test]
    fn what_cannot_be_loaded_names_its_own_cause_and_place() {
        let report = ran(
            &[
                ("code_under.py", CODE),
                ("tests/__init__.py", ""),
                ("tests/test_half.py", TESTS),
                ("tests/test_syntax.py", "def f(:\n"),
                ("tests/test_gone.py", "from code_under import gone\n"),
            ],
            Selection::All,
        );
        let mut problems: Vec<(&str, &str, Option<&str>, Option<u32>)> = Vec::new();
        for problem in &report.problems {
            assert_eq!(problem.kind, Kind::Collection);
            let place = problem.location();
            let message = problem.message.split(" (").next().unwrap_or_default();
            problems.push((
                &problem.id,
                message,
                place.and_then(|frame| frame.path.as_ref()).map(RelPath::as_str),
                place.and_then(|frame| frame.line),
            ));
        }
        problems.sort();
        assert_eq!(
            problems,
            [
                ("setUpClass (tests.test_half.Down)", "RuntimeError: db down", Some("tests/test_half.py"), Some(36)),
                (
                    "tests.test_gone",
                    "ImportError: cannot import name 'gone' from 'code_under'",
                    Some("tests/test_gone.py"),
                    Some(1)
                ),
                ("tests.test_syntax", "SyntaxError: invalid syntax", Some("tests/test_syntax.py"), Some(1)),
            ]
        );
    }

    #[test]
    fn a_selection_loads_only_its_files_and_is_traced() {
        let wanted = "tests.test_half.Half.test_even".to_owned();
        let report = ran(
            &[
                ("code_under.py", CODE),
                ("tests/__init__.py", ""),
                ("tests/test_half.py", TESTS),
                ("tests/test_syntax.py", "def f(:\n"),
            ],
            Selection::Tests(vec![wanted.clone()]),
        );
        assert_eq!(report.tests.iter().map(|test| test.id.clone()).collect::<Vec<_>>(), [wanted]);
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let code = RelPath::new("code_under.py").expect("path");
        assert_eq!(
            report.tests[0].executed.iter().find(|(path, _)| *path == code).map(|(_, lines)| lines.clone()),
            Some(vec![2])
        );
    }
}
