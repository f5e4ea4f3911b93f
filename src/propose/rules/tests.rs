//! Tests of `rules`; decide nothing else.

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use pretty_assertions::assert_eq;

use super::*;
use crate::diagnose::Class;
use crate::diagnose::Slice;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::Language;
use crate::source::Lines;

/// A diagnosis whose one suspect is the function called `name`, or the whole
/// text where there is none.
pub fn diagnosis_of(path: &str, text: &str, name: &str) -> Diagnosis {
    let path = RelPath::new(path).expect("path");
    let parsed = language::parse(language::of_path(&path).expect("language"), text);
    let mut lines = Lines::new(1, text.lines().count() as u32);
    let definitions = parsed.definitions();
    if let Some(found) = definitions.iter().rfind(|found| found.name == name && found.kind.is_callable()) {
        lines = found.lines;
    }
    let suspect = Suspect { path, lines, symbol: name.to_owned(), score: 1.0, reasons: Vec::new(), hot: Vec::new() };
    let failure = Failure {
        id: "t".into(),
        kind: Kind::Assertion,
        message: String::new(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    };
    let (class, slice) = (Class::Code, Slice::default());
    Diagnosis {
        failure,
        also: Vec::new(),
        class,
        class_why: String::new(),
        suspects: vec![suspect],
        recent: Vec::new(),
        slice,
    }
}

fn rules_for(path: &str, text: &str, name: &str) -> Vec<Candidate> {
    propose(&|_| Some(text.to_owned()), &diagnosis_of(path, text, name), &Config::default())
}

fn after(candidate: &Candidate) -> &str {
    candidate.patch.changes()[0].after.as_deref().expect("text")
}

#[derive(serde::Deserialize)]
struct Case {
    function: String,
    operator: String,
}

fn cases() -> Vec<(PathBuf, Case, &'static Language)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
    let mut found = Vec::new();
    for language in language::LANGUAGES {
        let Ok(folder) = std::fs::read_dir(root.join(language.name)) else { continue };
        for entry in folder {
            let path = entry.expect("entry").path();
            let text = std::fs::read_to_string(path.join("case.toml")).expect("case.toml");
            found.push((path, toml::from_str(&text).expect("a case"), *language));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn all_of(parsed: &Parsed) -> String {
    parsed.tokens()
}

#[test]
fn the_fix_of_most_fixtures_is_among_the_first_candidates() {
    let mut table = String::new();
    let (mut near, mut missing, mut count) = (0, Vec::new(), 0);
    for (path, case, language) in cases() {
        let file = |name: &str| {
            let name = format!("{name}.{}", language.extensions[0]);
            std::fs::read_to_string(path.join(name)).expect("fixture")
        };
        let fixed = all_of(&language::parse(language, &file("fixed")));
        let name = format!("src/code.{}", language.extensions[0]);
        let candidates = rules_for(&name, &file("buggy"), &case.function);
        let rank =
            candidates.iter().position(|candidate| all_of(&language::parse(language, after(candidate))) == fixed);
        let by = rank.map_or("-", |rank| candidates[rank].origin.name.as_str());
        let shown = rank.map_or("none".to_owned(), |rank| (rank + 1).to_string());
        let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line =
            format!("{:10} {title:18} {shown:>4} of {:3} {by} ({})\n", language.name, candidates.len(), case.operator);
        table.push_str(&line);
        count += 1;
        near += usize::from(rank.is_some_and(|rank| rank < 150));
        if rank.is_none() {
            missing.push(title);
        }
    }
    println!("{table}");
    assert!(count >= 72, "{count} fixtures were found");
    assert_eq!(missing, Vec::<String>::new(), "never proposed:\n{table}");
    assert!(near * 10 >= count * 9, "{near} of {count} within the first 150:\n{table}");
}

#[test]
fn no_candidate_is_the_original_broken_or_there_twice() {
    let text = "def f(a, b):\n    if a < b:\n        return a - 1\n    return f(a - 1, b)\n";
    let candidates = rules_for("a.py", text, "f");
    let original = all_of(&language::parse(&language::python::PYTHON, text));
    let mut seen = HashSet::new();
    assert!(candidates.len() > 40, "{}", candidates.len());
    for candidate in &candidates {
        let parsed = language::parse(&language::python::PYTHON, after(candidate));
        assert_eq!(parsed.errors(), 0, "{}", candidate.explanation);
        assert_ne!(all_of(&parsed), original);
        assert!(seen.insert(all_of(&parsed)), "{}", candidate.explanation);
        assert_eq!(candidate.origin.kind, "rule");
    }
}

#[test]
fn the_same_input_gives_the_same_list() {
    let text = "def f(a, b):\n    c = {}\n    for x in a:\n        c[x] = b.get(x) + 1\n    return c\n";
    assert_eq!(rules_for("a.py", text, "f"), rules_for("a.py", text, "f"));
}

#[test]
fn a_statement_that_moves_out_of_a_block_is_another_text() {
    let text = "def f(a):\n    for x in a:\n        x.go()\n        x.stop()\n";
    let moved = "def f(a):\n    for x in a:\n        x.go()\n    x.stop()\n";
    assert!(rules_for("a.py", text, "f").iter().any(|candidate| after(candidate) == moved));
}

#[test]
fn a_new_guard_is_tried_behind_those_that_are_there_before_it_is_tried_in_front_of_them() {
    for (name, text, guard) in [
        (
            "a.py",
            include_str!("../../../fixtures/rules/python/reaches_goal/buggy.py"),
            "if not weights:\n        return False\n    ",
        ),
        (
            "src/a.rs",
            include_str!("../../../fixtures/rules/rust/slices_each/buggy.rs"),
            "if people == 0 {\n        return 0;\n    }\n    ",
        ),
    ] {
        let function = text.split(['(', ' ']).find(|word| ["reaches", "slices"].contains(word)).expect("a name");
        let candidates = rules_for(name, text, function);
        let at = |wanted: &str| candidates.iter().position(|candidate| after(candidate) == wanted);
        let last = ["last =", "cut /"].iter().find_map(|start| text.find(start)).expect("the work");
        let behind = format!("{}{guard}{}", &text[..last], &text[last..]);
        let first = text.find("if ").expect("a guard");
        let in_front = format!("{}{guard}{}", &text[..first], &text[first..]);
        let (behind, in_front) = (at(&behind).expect("behind"), at(&in_front).expect("in front"));
        assert!(behind < in_front, "{name}: {behind} and {in_front}");
    }
}

#[test]
fn explanations_name_the_line_the_reason_and_the_change() {
    let text = "def gcd(a, b):\n    if b == 0:\n        return a\n    return gcd(a % b, b)\n";
    let candidates = rules_for("a.py", text, "gcd");
    let of = |operator: &str| {
        let found = candidates.iter().find(|candidate| candidate.origin.name == operator);
        found.map_or("none", |candidate| candidate.explanation.as_str()).to_owned()
    };
    insta::assert_snapshot!([of("arguments-swapped"), of("missing-base-case"), of("statement-deleted")].join("\n"), @r"
    line 4: the arguments of the recursive call are in the wrong order: `return gcd(a % b, b)` becomes `return gcd(b, a % b)`.
    line 4: `not a` is not handled: `if not a: ⏎ return 0` is added.
    line 2: `if b == 0: return a` is one statement too many: `if b == 0: ⏎ return a` is taken out.
    ");
}

#[test]
fn hot_lines_come_first_and_better_suspects_before_worse() {
    let text = "def f(a, b):\n    c = a < b\n    d = a > b\n    return c, d\n";
    let mut diagnosis = diagnosis_of("a.py", text, "f");
    diagnosis.suspects[0].hot = vec![(3, 1.0)];
    let candidates = propose(&|_| Some(text.to_owned()), &diagnosis, &Config::default());
    assert!(candidates[0].explanation.starts_with("line 3: "), "{}", candidates[0].explanation);
    let mut other = diagnosis.suspects[0].clone();
    other.path = RelPath::new("b.py").expect("path");
    other.score = 0.2;
    diagnosis.suspects.push(other);
    let candidates = propose(&|_| Some(text.to_owned()), &diagnosis, &Config::default());
    let first_of = |name: &str| {
        candidates.iter().position(|candidate| candidate.patch.files()[0].as_str() == name).unwrap_or(usize::MAX)
    };
    assert!(first_of("a.py") == 0 && first_of("b.py") > 3 && first_of("b.py") < 400);
}

#[test]
fn neither_an_operator_nor_a_line_fills_the_head_of_the_list() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules/python/fewest_stamps/buggy.py"),
    )
    .expect("fixture");
    let candidates = rules_for("a.py", &text, "fewest");
    let mut operators: HashMap<&str, usize> = HashMap::new();
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for candidate in candidates.iter().take(60) {
        *operators.entry(&candidate.origin.name).or_default() += 1;
        *lines.entry(candidate.explanation.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    assert!(operators.len() >= 10, "{operators:?}");
    assert!(lines.len() >= 6 && lines.values().all(|count| *count <= 25), "{lines:?}");
}

#[test]
fn tests_and_special_files_have_no_candidates() {
    let text = "def f(a, b):\n    return a < b\n";
    for path in ["tests/test_a.py", "test_a.py", "conftest.py", "sitecustomize.py"] {
        assert_eq!(rules_for(path, text, "f"), [], "{path}");
    }
    assert_eq!(rules_for("build.rs", "fn f(a: u8) -> u8 { a + 1 }", "f"), []);
}

#[test]
fn limits_on_number_and_bytes_hold_and_missing_files_are_passed_over() {
    let text = "def f(a, b):\n    return a < b or a > b + 1\n";
    let diagnosis = diagnosis_of("a.py", text, "f");
    let read = |_: &RelPath| Some(text.to_owned());
    let few = propose(&read, &diagnosis, &Config { max_candidates: 3, ..Config::default() });
    assert_eq!(few.len(), 3);
    let small = propose(&read, &diagnosis, &Config { max_bytes: 10 * text.len(), ..Config::default() });
    assert_eq!(small.len(), 5);
    assert_eq!(propose(&|_| None, &diagnosis, &Config::default()), []);
    let mut beyond = diagnosis;
    beyond.suspects[0].lines = Lines::new(900, 950);
    assert_eq!(propose(&read, &beyond, &Config::default()), []);
}

#[test]
fn a_file_of_five_hundred_lines_takes_a_moment() {
    let function = |n: usize| {
        format!("def f{n}(a, b):\n    c = a + {n}\n    if c < b:\n        return [a, c]\n    return b\n\n\n")
    };
    let text: String = (0..72).map(function).collect();
    let start = Instant::now();
    let candidates = rules_for("a.py", &text, "f40");
    let took = start.elapsed();
    println!("{} candidates in {took:?}", candidates.len());
    // A wide margin: this runs unoptimised, beside other tests.
    assert!(candidates.len() > 30 && took.as_millis() < 2000, "{took:?}");
}
