//! Tests of `classic`; decide nothing else.

use super::super::CLASSIC;
use super::super::mutants;
use crate::language;
use crate::source::Lines;
use crate::source::RelPath;

fn of(path: &str, text: &str, line: u32) -> Vec<String> {
    let language = language::of_path(&RelPath::new(path).expect("path")).expect("a language");
    let parsed = language::parse(language, text);
    let found = mutants(&parsed, Lines::new(line, line), CLASSIC);
    found.iter().map(|mutant| mutant.apply(text).lines().nth(line as usize - 1).unwrap_or("").trim().into()).collect()
}

fn assert_changes(path: &str, text: &str, line: u32, mut wanted: Vec<&str>) {
    let mut found = of(path, text, line);
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{path}:{line}");
}

#[test]
fn each_place_gets_the_few_changes_a_test_should_notice() {
    let python = "def f(a, b):\n    if a < b and b:\n        log(a)\n        return a + 10\n    a += 1\n    a = b\n    return \"x y\"\n";
    for (line, wanted) in [
        (
            2,
            vec![
                "if True:",
                "if False:",
                "if a >= b and b:",
                "if a <= b and b:",
                "if a < b or b:",
                "if not (a < b and b):",
            ],
        ),
        (3, vec!["pass"]),
        (4, vec!["return None", "return a - 10", "return a + 11", "return a + 9"]),
        (5, vec!["pass", "a -= 1", "a += 2", "a += 0"]),
        (7, vec!["return None", "return \"\""]),
    ] {
        assert_changes("a.py", python, line, wanted);
    }
    let javascript = "function f(a, b) {\n  if (a < b && b) {\n    log(a);\n    return a + 10;\n  }\n  a += 1;\n  a = b;\n  return a === b || !a;\n}\n";
    for (line, wanted) in [
        (
            2,
            vec![
                "if (true) {",
                "if (false) {",
                "if (a >= b && b) {",
                "if (a <= b && b) {",
                "if (a < b || b) {",
                "if (!(a < b && b)) {",
            ],
        ),
        (3, vec![";"]),
        (4, vec!["return undefined;", "return a - 10;", "return a + 11;", "return a + 9;"]),
        (6, vec![";", "a -= 1;", "a += 2;", "a += 0;"]),
        (8, vec!["return a !== b || !a;", "return a === b && !a;", "return true;", "return false;"]),
    ] {
        assert_changes("a.js", javascript, line, wanted);
    }
    let go = "package a\n\nfunc f(a, b int) (int, error) {\n\tif a < b {\n\t\tlog(a)\n\t\ta += 2\n\t}\n\treturn a, nil\n}\n\nfunc g(a int) int {\n\treturn a * 3\n}\n";
    for (line, wanted) in [
        (4, vec!["if true {", "if false {", "if a >= b {", "if a <= b {"]),
        (5, vec![";"]),
        (6, vec![";", "a -= 2", "a += 3", "a += 1"]),
        (12, vec!["return 0", "return a / 3", "return a * 4", "return a * 2"]),
    ] {
        assert_changes("a.go", go, line, wanted);
    }
    let java = "class A {\n  int f(int a, boolean b) {\n    if (a <= 1 || b) { log(a); }\n    return a - 1;\n  }\n}\n";
    for (line, wanted) in [
        (
            3,
            vec![
                "if (true) { log(a); }",
                "if (false) { log(a); }",
                "if (a > 1 || b) { log(a); }",
                "if (a < 1 || b) { log(a); }",
                "if (a <= 1 && b) { log(a); }",
                "if (!(a <= 1 || b)) { log(a); }",
                "if (a <= 2 || b) { log(a); }",
                "if (a <= 0 || b) { log(a); }",
                "if (a <= 1 || b) { ; }",
            ],
        ),
        (4, vec!["return 0;", "return a + 1;", "return a - 2;", "return a - 0;"]),
    ] {
        assert_changes("A.java", java, line, wanted);
    }
    let rust = "fn f(a: i32, b: i32) -> i32 {\n    if a < b && ok(a) {\n        log(a);\n        return 10u8;\n    }\n    a + b\n}\n";
    for (line, wanted) in [
        (
            2,
            vec![
                "if true {",
                "if false {",
                "if a >= b && ok(a) {",
                "if a <= b && ok(a) {",
                "if a < b || ok(a) {",
                "if !(a < b && ok(a)) {",
            ],
        ),
        (3, vec![";"]),
        (4, vec![";", "return Default::default();", "return 11u8;", "return 9u8;"]),
        (6, vec!["Default::default()", "a - b"]),
    ] {
        assert_changes("a.rs", rust, line, wanted);
    }
}

#[test]
fn a_loop_is_never_made_endless() {
    for (path, text, line, never, endless) in [
        ("a.py", "def f(a):\n    while a:\n        a -= 1\n", 2, "while False:", "while True:"),
        ("a.rs", "fn f(a: bool) {\n    while a {\n    }\n}\n", 2, "while false {", "while true {"),
        ("a.go", "package a\n\nfunc f(a bool) {\n\tfor a {\n\t}\n}\n", 4, "for false {", "for true {"),
        ("a.js", "function f(a) {\n  while (a) {\n  }\n}\n", 2, "while (false) {", "while (true) {"),
    ] {
        let found = of(path, text, line);
        assert!(found.iter().any(|change| change == never), "{path}: {found:?}");
        assert!(!found.iter().any(|change| change == endless), "{path}: {found:?}");
    }
}

#[test]
fn a_pattern_gets_one_character_more_and_is_never_empty() {
    for (text, wanted) in [
        ("RULES = [(r'[+-]+', OP)]\n", vec!["RULES = [(r'[+-]+~', OP)]"]),
        ("RULE = r\"a\"\n", vec!["RULE = r\"a~\""]),
        ("RULE = r''\n", vec![]),
        ("RULE = r'''a'''\n", vec![]),
        ("WORDS = ('ORDER',)\n", vec!["WORDS = ('',)"]),
    ] {
        assert_changes("a.py", text, 1, wanted);
    }
}
