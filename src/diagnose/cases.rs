//! Walks `fixtures/diagnose`: one folder is one case.

use std::path::Path;
use std::path::PathBuf;

use insta::assert_snapshot;
use pretty_assertions::assert_eq;
use serde::Deserialize;

use super::*;
use crate::failure::Frame;
use crate::failure::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    shows: String,
    /// Symbols that must be among the first suspects.
    #[serde(default)]
    top: Vec<String>,
    /// How many suspects are the first; as many as `top` has, else.
    within: Option<usize>,
    /// Symbols that must be no suspects.
    #[serde(default)]
    absent: Vec<String>,
    class: Class,
    /// The files of all suspects, where the case names them.
    paths: Option<Vec<String>>,
    #[serde(default)]
    dropped: Vec<String>,
    #[serde(default)]
    executed: Covered,
    /// Lines of passing tests.
    #[serde(default)]
    passing: Vec<Covered>,
    #[serde(default)]
    recent: Vec<(RelPath, (u32, u32))>,
    /// Files before that change.
    earlier: Option<tree::Tree>,
    failure: CaseFailure,
    #[serde(default)]
    tests: Vec<CaseTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFailure {
    id: String,
    kind: Kind,
    message: String,
    expected: Option<String>,
    actual: Option<String>,
    frames: Vec<(String, u32, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTest {
    path: RelPath,
    function: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/diagnose")
}

/// All files below `tree`, sorted.
fn files_of(tree: &Path) -> Vec<RelPath> {
    let mut files = Vec::new();
    let mut open = vec![tree.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the case") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.extend(RelPath::within(tree, &path));
            }
        }
    }
    files.sort();
    files
}

fn run(name: &str) -> (Case, Diagnosis) {
    let tree = folder().join(name);
    let text = std::fs::read_to_string(tree.join("case.toml")).expect("case.toml");
    let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}/case.toml: {error}"));
    let files = files_of(&tree);
    let frame = |(path, line, symbol): &(String, u32, String)| Frame {
        path: RelPath::new(path).ok(),
        written: path.clone(),
        line: Some(*line),
        symbol: (!symbol.is_empty()).then(|| symbol.clone()),
    };
    let failure = Failure {
        id: case.failure.id.clone(),
        kind: case.failure.kind,
        message: case.failure.message.clone(),
        expected: case.failure.expected.clone(),
        actual: case.failure.actual.clone(),
        locals: Vec::new(),
        frames: case.failure.frames.iter().map(frame).collect(),
        output: String::new(),
    };
    let place = |test: &CaseTest| TestPlace { path: test.path.clone(), function: test.function.clone(), lines: None };
    let tests: Vec<TestPlace> = case.tests.iter().map(place).collect();
    let recent: Vec<(RelPath, Vec<Lines>)> =
        case.recent.iter().map(|(path, (start, end))| (path.clone(), vec![Lines::new(*start, *end)])).collect();
    let evidence = Evidence {
        texts: &Folder(tree),
        files: &files,
        failures: std::slice::from_ref(&failure),
        executed: std::slice::from_ref(&case.executed),
        beside: &[],
        passing: &Spectrum::of(&case.passing),
        tests: &tests,
        recent: &recent,
        earlier: case.earlier.as_ref().map(|earlier| earlier as &dyn Texts),
        rerun: None,
        root: RelPath::root(),
    };
    let diagnosis = diagnose(&evidence, &Config::default()).expect("there is a failure");
    (case, diagnosis)
}

/// The diagnosis as a person would read it.
fn rendered(diagnosis: &Diagnosis) -> String {
    let mut out = format!("{:?}: {}\n", diagnosis.class, diagnosis.class_why);
    for suspect in &diagnosis.suspects {
        let place = format!("{}:{}-{}", suspect.path, suspect.lines.start, suspect.lines.end);
        out += &format!("\n{:.3} {} {place}\n", suspect.score, suspect.symbol);
        out += &format!("  because: {}\n  hot: {:?}\n", suspect.reasons.join("; "), suspect.hot);
    }
    out += &format!("\nslice of {} tokens\n", diagnosis.slice.tokens);
    for part in &diagnosis.slice.parts {
        let symbol = part.symbol.as_deref().unwrap_or("-");
        out += &format!("--- {:?} {}:{}-{} {symbol}\n", part.role, part.path, part.lines.start, part.lines.end);
        out += &part.text;
    }
    for dropped in &diagnosis.slice.dropped {
        out += &format!("dropped: {dropped}\n");
    }
    out
}

/// Parts of one file are in order, do not overlap, and hold the file's text.
fn check_slice(name: &str, slice: &Slice) {
    let mut last: Option<&Part> = None;
    for part in &slice.parts {
        if let Some(last) = last.filter(|last| last.path == part.path) {
            assert!(last.lines.end < part.lines.start, "{name}: {last:?} and {part:?} overlap");
        }
        let text = std::fs::read_to_string(part.path.under(&folder().join(name))).expect("the part's file");
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in part.numbered() {
            match number {
                Some(number) => assert_eq!(lines.get(number as usize - 1), Some(&line), "{name}: {}", part.path),
                None => assert!(line.contains("are not shown"), "{name}: {line}"),
            }
        }
        assert_eq!(part.numbered().filter_map(|(number, _)| number).last(), Some(part.lines.end), "{name}");
        last = Some(part);
    }
    assert!(slice.tokens <= Config::default().budget_tokens, "{name}");
}

#[test]
fn every_case_has_its_fault_among_the_first_suspects() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("fixtures/diagnose")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    let mut wrong = Vec::new();
    for name in &names {
        let (case, diagnosis) = run(name);
        let mut problems = Vec::new();
        let symbols: Vec<&str> = diagnosis.suspects.iter().map(|suspect| suspect.symbol.as_str()).collect();
        let first: Vec<&&str> = symbols.iter().take(case.within.unwrap_or(case.top.len())).collect();
        if !case.top.iter().all(|wanted| first.iter().any(|symbol| **symbol == wanted)) {
            problems.push(format!("{:?} are not the first of {symbols:?}", case.top));
        }
        if let Some(found) = case.absent.iter().find(|absent| symbols.contains(&absent.as_str())) {
            problems.push(format!("`{found}` is a suspect in\n{}", rendered(&diagnosis)));
        }
        let paths = diagnosis.suspects.iter().map(|suspect| suspect.path.as_str().to_owned()).collect::<Vec<_>>();
        if case.paths.as_ref().is_some_and(|wanted| *wanted != paths) {
            problems.push(format!("suspects in {paths:?}"));
        }
        if diagnosis.class != case.class {
            problems.push(format!("class {:?}: {}", diagnosis.class, diagnosis.class_why));
        }
        if let Some(missing) = case.dropped.iter().find(|words| !diagnosis.slice.dropped.contains(words)) {
            problems.push(format!("`{missing}` is not among {:?}", diagnosis.slice.dropped));
        }
        let shows = |wanted: &&String| {
            diagnosis.slice.parts.iter().any(|part| {
                part.symbol.as_ref().is_some_and(|symbol| symbol.split(", ").any(|one| one == *wanted))
                    && matches!(part.role, Role::Suspect | Role::Test)
            })
        };
        if let Some(hidden) = case.top.iter().find(|wanted| !shows(wanted)) {
            problems.push(format!("the slice does not show `{hidden}`"));
        }
        if !case.top.is_empty() && !diagnosis.slice.parts.iter().any(|part| part.role == Role::Suspect) {
            problems.push("no suspect is shown".into());
        }
        if diagnosis.slice.tokens > 1000 {
            problems.push(format!("{} tokens for a toy", diagnosis.slice.tokens));
        }
        check_slice(name, &diagnosis.slice);
        if !problems.is_empty() {
            wrong.push(format!("{name} ({}): {}", case.shows, problems.join("; ")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_python_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("method-through-constructor").1));
}

#[test]
fn a_diagnosis_by_passing_tests_reads_like_this() {
    assert_snapshot!(rendered(&run("passing-tests").1));
}

#[test]
fn a_rust_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("rust-inline-tests").1));
}

#[test]
fn a_javascript_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("js-module-method-of-a-class").1));
}

#[test]
fn a_typescript_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("ts-alias-and-workspace").1));
}

#[test]
fn a_go_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("go-package-and-method").1));
}

#[test]
fn a_java_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("java-class-and-package").1));
}

/// A tree made for one test, and the diagnosis of a check that did not hold at
/// line `line` of `test_app.py`.
fn diagnosed(files: &[(&str, &[u8])], line: u32, config: &Config) -> Diagnosis {
    let tree = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the file is written");
    }
    // A file that is listed and gone must not matter.
    let mut files: Vec<RelPath> = files.iter().filter_map(|(path, _)| RelPath::new(path).ok()).collect();
    files.extend(RelPath::new("app/gone.py"));
    let path = RelPath::new("test_app.py").expect("a path");
    let failure = Failure {
        id: "test_app.py::test_app".into(),
        kind: Kind::Assertion,
        message: "assert 1 == 2".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: vec![Frame { path: Some(path), written: "test_app.py".into(), line: Some(line), symbol: None }],
        output: String::new(),
    };
    let evidence = Evidence {
        texts: &Folder(tree.path().to_path_buf()),
        files: &files,
        failures: &[failure.clone(), Failure { id: "another".into(), ..failure.clone() }],
        executed: &[],
        beside: &[],
        passing: &Spectrum::default(),
        tests: &[],
        recent: &[],
        earlier: None,
        rerun: None,
        root: RelPath::root(),
    };
    diagnose(&evidence, config).expect("there is a failure")
}

const TEST_APP: &[u8] = b"from app import f\n\n\ndef test_app():\n    assert f(1) == 2\n";

/// A function of `count` statements that calls `inner`.
fn long_function(count: usize) -> Vec<u8> {
    let mut text = String::from("def inner(x):\n    return x + 1\n\n\ndef f(x):\n");
    for number in 0..count {
        text += &format!("    value_{number} = [\n        x,\n    ]\n");
    }
    text += "    return inner(x) - 1\n";
    text.into_bytes()
}

#[test]
fn a_small_budget_keeps_the_best_suspect_and_names_what_it_drops() {
    let files: &[(&str, &[u8])] = &[("test_app.py", TEST_APP), ("app.py", &long_function(20))];
    let config = Config { budget_tokens: 400, ..Config::default() };
    let diagnosis = diagnosed(files, 5, &config);
    assert!(diagnosis.slice.tokens <= 400);
    assert!(diagnosis.slice.parts.iter().any(|part| part.symbol.as_deref() == Some("f")), "{:?}", diagnosis.slice);
    let tiny = diagnosed(files, 5, &Config { budget_tokens: 1, ..config });
    assert_eq!(tiny.slice.parts, []);
    assert!(tiny.slice.dropped.iter().any(|words| words.starts_with("`f` (app.py:5-")), "{:?}", tiny.slice.dropped);
    let one = diagnosed(files, 5, &Config { max_suspects: 1, ..config });
    assert_eq!(one.suspects.len(), 1);
}

#[test]
fn files_that_are_no_code_or_end_lines_otherwise_do_no_harm() {
    let crlf = b"from .broken import g\r\n\r\ndef f(x):\r\n    return g(x)\r\n";
    let diagnosis = diagnosed(
        &[
            ("test_app.py", TEST_APP),
            ("app/__init__.py", crlf),
            ("app/broken.py", b"def g(x): return \xff\xfe\n"),
            ("app/deep.py", &[b'('; 5000]),
        ],
        5,
        &Config::default(),
    );
    assert_eq!(diagnosis.suspects[0].symbol, "f");
    let part = diagnosis.slice.parts.iter().find(|part| part.role == Role::Suspect).expect("a suspect is shown");
    assert_eq!(part.text, "def f(x):\r\n    return g(x)\r\n");
}

#[test]
fn a_line_outside_the_file_and_an_import_circle_end_well() {
    let diagnosis = diagnosed(
        &[
            ("test_app.py", b"from app import f, nothing\n\n\ndef test_app():\n    assert nothing.at(f.all)\n"),
            ("app.py", b"from other import *\nclass A(B.C):\n    def m(self): return self.m()\n"),
            ("other.py", b"from app import *\nfrom app import f\nclass B(A.D): pass\nx = x.next()\n"),
        ],
        900,
        &Config::default(),
    );
    assert!(diagnosis.suspects.len() <= 20);
}

#[test]
fn a_repository_of_ten_thousand_files_is_not_read_as_a_whole() {
    let tree = tempfile::tempdir().expect("a folder");
    std::fs::write(tree.path().join("test_app.py"), TEST_APP).expect("written");
    std::fs::write(tree.path().join("app.py"), "def f(x):\n    return x\n").expect("written");
    // Only listed: reading any of them would find nothing.
    let listed = (0..10_000).map(|number| format!("package_{}/module_{number}.py", number % 100));
    let files: Vec<RelPath> = ["test_app.py".to_owned(), "app.py".to_owned()]
        .into_iter()
        .chain(listed)
        .flat_map(|path| RelPath::new(&path))
        .collect();
    let failure = Failure {
        id: "test_app.py::test_app".into(),
        kind: Kind::Assertion,
        message: String::new(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    };
    let started = std::time::Instant::now();
    let evidence = Evidence {
        texts: &Folder(tree.path().to_path_buf()),
        files: &files,
        failures: &[failure],
        executed: &[],
        beside: &[],
        passing: &Spectrum::default(),
        tests: &[],
        recent: &[],
        earlier: None,
        rerun: None,
        root: RelPath::root(),
    };
    let diagnosis = diagnose(&evidence, &Config::default()).expect("there is a failure");
    assert_eq!(diagnosis.suspects[0].symbol, "f");
    assert!(started.elapsed().as_secs_f64() < 2.0, "{:?}", started.elapsed());
}
