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
    #[serde(default)]
    dropped: Vec<String>,
    #[serde(default)]
    executed: Vec<(RelPath, Vec<u32>)>,
    #[serde(default)]
    recent: Vec<(RelPath, (u32, u32))>,
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
        frames: case.failure.frames.iter().map(frame).collect(),
        output: String::new(),
    };
    let place = |test: &CaseTest| TestPlace { path: test.path.clone(), function: test.function.clone(), lines: None };
    let tests: Vec<TestPlace> = case.tests.iter().map(place).collect();
    let recent: Vec<(RelPath, Vec<Lines>)> =
        case.recent.iter().map(|(path, (start, end))| (path.clone(), vec![Lines::new(*start, *end)])).collect();
    let evidence = Evidence {
        tree: &tree,
        files: &files,
        failures: std::slice::from_ref(&failure),
        executed: &case.executed,
        tests: &tests,
        recent: &recent,
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
        let lines: String =
            text.split_inclusive('\n').skip(part.lines.start as usize - 1).take(part.lines.count() as usize).collect();
        assert_eq!(part.text, lines, "{name}: {}", part.path);
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
            problems.push(format!("`{found}` is a suspect"));
        }
        if diagnosis.class != case.class {
            problems.push(format!("class {:?}: {}", diagnosis.class, diagnosis.class_why));
        }
        if let Some(missing) = case.dropped.iter().find(|words| !diagnosis.slice.dropped.contains(words)) {
            problems.push(format!("`{missing}` is not among {:?}", diagnosis.slice.dropped));
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
fn a_rust_diagnosis_reads_like_this() {
    assert_snapshot!(rendered(&run("rust-inline-tests").1));
}
