//! Tests of `mutation`; decide nothing else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use pretty_assertions::assert_eq;

use super::*;
use crate::language;
use crate::source::RelPath;

fn parsed(path: &str, text: &str) -> Parsed {
    let path = RelPath::new(path).expect("path");
    language::parse(language::of_path(&path).expect("a language"), text)
}

fn whole(text: &str) -> Lines {
    Lines::new(1, text.lines().count().max(1) as u32)
}

fn all(path: &str, text: &str) -> Vec<Mutant> {
    mutants(&parsed(path, text), whole(text), OPERATORS)
}

/// The texts that one operator makes of `text`.
fn by(operator: &str, path: &str, text: &str) -> Vec<String> {
    all(path, text).iter().filter(|mutant| mutant.operator == operator).map(|mutant| mutant.apply(text)).collect()
}

fn fixtures() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for language in language::LANGUAGES.iter().filter(|language| syntax::of(language).is_some()) {
        // The rest of a family shares its operators.
        let (folder, extension) = (language.name, language.extensions[0]);
        if folder == "tsx" {
            continue;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules").join(folder);
        for entry in std::fs::read_dir(root).expect("fixtures") {
            let file = entry.expect("entry").path().join(format!("buggy.{extension}"));
            found.push((format!("src/code.{extension}"), std::fs::read_to_string(file).expect("fixture")));
        }
    }
    found.sort();
    found
}

#[test]
fn every_operator_has_its_own_name_a_description_and_a_prior() {
    let names: BTreeSet<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
    assert_eq!(names.len(), OPERATORS.len());
    for operator in OPERATORS {
        assert!(operator.prior > 0.0 && operator.prior <= 1.0, "{}", operator.name);
        assert!(!operator.what.is_empty() && !operator.what.ends_with('.'), "{}", operator.name);
    }
    let classic: BTreeSet<&str> = CLASSIC.iter().map(|operator| operator.name).collect();
    assert_eq!(classic.len(), CLASSIC.len());
}

#[test]
fn every_operator_changes_something_in_the_fixtures() {
    let mut counts: BTreeMap<&str, usize> = OPERATORS.iter().map(|operator| (operator.name, 0)).collect();
    for (path, text) in fixtures() {
        for mutant in all(&path, &text) {
            *counts.get_mut(mutant.operator).expect("an operator of the table") += 1;
        }
    }
    let idle: Vec<&str> = counts.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    assert_eq!(idle, Vec::<&str>::new());
}

#[test]
fn nearly_all_mutants_parse_and_none_is_the_original() {
    let (mut broken, mut count) = (Vec::new(), 0);
    for (path, text) in fixtures() {
        for mutant in all(&path, &text) {
            let changed = mutant.apply(&text);
            assert_ne!(changed, text, "{}", mutant.operator);
            count += 1;
            if parsed(&path, &changed).errors() > 0 {
                broken.push(format!("{}: {:?}", mutant.operator, mutant.edits));
            }
        }
    }
    assert!(broken.len() * 100 <= count, "{} of {count}: {:#?}", broken.len(), &broken[..broken.len().min(10)]);
}

#[test]
fn a_tree_that_is_parsed_again_equals_one_parsed_from_the_start() {
    for (path, text) in fixtures() {
        let original = parsed(&path, &text);
        let mut parser = Parser::new();
        parser.set_language(&(original.language.grammar)()).expect("grammar");
        for mutant in all(&path, &text).iter().step_by(7) {
            let again = mutant.parse(&original, &mut parser).expect("a tree");
            let fresh = parsed(&path, &mutant.apply(&text));
            assert_eq!(again.tree.root_node().to_sexp(), fresh.tree.root_node().to_sexp(), "{:?}", mutant.edits);
        }
    }
}

#[test]
fn operators_make_these_changes_and_no_others() {
    for (operator, path, text, wanted) in [
        ("comparison-boundary", "a.py", "def f(a, b):\n    return a < b\n", vec!["def f(a, b):\n    return a <= b\n"]),
        (
            "arguments-swapped",
            "a.py",
            "def f(a, b):\n    return f(a % b, b)\n",
            vec!["def f(a, b):\n    return f(b, a % b)\n"],
        ),
        (
            "logical-operator",
            "a.rs",
            "fn f(a: bool, b: bool) -> bool { a && b }",
            vec!["fn f(a: bool, b: bool) -> bool { a || b }"],
        ),
        (
            "misspelled-name",
            "a.py",
            "def f(prices):\n    return sum(pricse) + LIMTI\n\n\nLIMIT = 3\n",
            vec![
                "def f(prices):\n    return sum(prices) + LIMTI\n\n\nLIMIT = 3\n",
                "def f(prices):\n    return sum(pricse) + LIMIT\n\n\nLIMIT = 3\n",
            ],
        ),
        (
            "misspelled-name",
            "a.js",
            "class A {\n  totl() { return this.itmes.length }\n  constructor() { this.items = [] }\n  add(x) { this.items.push(x) }\n}\n",
            vec![
                "class A {\n  totl() { return this.items.length }\n  constructor() { this.items = [] }\n  add(x) { this.items.push(x) }\n}\n",
            ],
        ),
        // What is bound, or stands there twice, is no misspelling.
        ("misspelled-name", "a.py", "def f(price, prices):\n    return lst(lst(prices))\n\n\nlist = 3\n", vec![]),
        ("yield-delegated", "a.py", "def f(x):\n    yield f(x.a)\n", vec!["def f(x):\n    yield from f(x.a)\n"]),
        (
            "statement-deleted",
            "a.py",
            "def f(x):\n    if x:\n        x.go()\n",
            vec!["def f(x):\n    pass\n", "def f(x):\n    if x:\n        pass\n"],
        ),
        (
            "unwrap",
            "a.rs",
            "fn f(x: Option<u8>) -> Option<u8> { Some(x.unwrap()) }",
            vec![
                "fn f(x: Option<u8>) -> Option<u8> { Some(x?) }",
                "fn f(x: Option<u8>) -> Option<u8> { Some(x.unwrap_or_default()) }",
                "fn f(x: Option<u8>) -> Option<u8> { Some(x.unwrap_or(0)) }",
                "fn f(x: Option<u8>) -> Option<u8> { Some(x.unwrap_or(1)) }",
            ],
        ),
        (
            "clause-dropped",
            "a.py",
            "def f(a, b):\n    while a and b:\n        pass\n",
            vec!["def f(a, b):\n    while a:\n        pass\n", "def f(a, b):\n    while b:\n        pass\n"],
        ),
    ] {
        assert_eq!(by(operator, path, text), wanted, "{operator}");
    }
}

#[test]
fn every_language_has_the_words_of_the_operators() {
    for language in language::LANGUAGES {
        let syntax = syntax::of(language).unwrap_or_else(|| panic!("{language:?} has no row"));
        let grammar = (language.grammar)();
        let lists = [syntax.functions, syntax.blocks, syntax.lists, syntax.loops, syntax.binary, syntax.atoms];
        let single = [syntax.integer, syntax.string, syntax.call, syntax.member.0, syntax.index, syntax.returns];
        let kinds = lists.into_iter().flatten().copied().chain(single);
        // The grammars of one family differ in types and elements alone.
        let unknown: Vec<&str> = kinds
            .filter(|kind| language.name == language.family && grammar.id_for_node_kind(kind, true) == 0)
            .collect();
        assert_eq!(unknown, ["non_null_expression"][..usize::from(language.name == "javascript")], "{language:?}");
    }
}

#[test]
fn tests_and_types_of_other_languages_are_left_alone_too() {
    for (path, text, first) in [
        (
            "a.ts",
            "type A = 1 | 2;\nexport const f = (a: number): number => a;\nit('x', () => { expect(1 + 1).toBe(2); });\n",
            2,
        ),
        (
            "a.go",
            "package a\n\nimport \"fmt\"\n\nfunc TestX(t *testing.T) { fmt.Println(1 + 1) }\nfunc f(a int) int { return a }\n",
            6,
        ),
        ("A.java", "import a.B;\nclass A {\n  @Test void x() { f(1 + 1); }\n  int f(int a) { return a; }\n}\n", 4),
    ] {
        let lines: BTreeSet<u32> = all(path, text).iter().map(|mutant| mutant.line).collect();
        assert_eq!(lines, BTreeSet::from([first]), "{path}");
    }
}

#[test]
fn parentheses_stand_where_the_precedence_needs_them() {
    let text = "def f(items, n):\n    return 2 * len(items)\n";
    assert!(by("off-by-one", "a.py", text).contains(&"def f(items, n):\n    return 2 * (len(items) - 1)\n".to_owned()));
    let text = "def f(items, n):\n    return items[n]\n";
    assert!(by("off-by-one", "a.py", text).contains(&"def f(items, n):\n    return items[n - 1]\n".to_owned()));
    let text = "def f(a, b):\n    return a - (b + 1)\n";
    assert_eq!(by("operands-swapped", "a.py", text), vec!["def f(a, b):\n    return (b + 1) - a\n"]);
}

#[test]
fn a_condition_never_becomes_a_constant() {
    let text = "def f(a, b):\n    if a < b and b:\n        return a\n    while a:\n        a -= 1\n    return b\n";
    for mutant in all("a.py", text) {
        let changed = mutant.apply(text);
        for constant in ["if True", "if False", "while True", "while False", "if 0", "if 1:"] {
            assert!(!changed.contains(constant), "{}: {changed}", mutant.operator);
        }
    }
}

#[test]
fn tests_types_imports_and_docstrings_are_left_alone() {
    let text = "use std::cmp::max;\nfn f(a: u8) -> u8 { max(a, 1) }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn g() { assert!(super::f(1) < 2); let x = 1 + 1; }\n}\n";
    let first_test = text.find("#[cfg").expect("tests");
    for mutant in all("src/a.rs", text) {
        assert!(mutant.edits.iter().all(|(bytes, _)| bytes.end <= first_test), "{mutant:?}");
        assert!(mutant.edits.iter().all(|(bytes, _)| bytes.start >= 19), "{mutant:?}");
    }
    let text = "import os\n\n\ndef f(a: int) -> str:\n    \"doc 1 < 2\"\n    # 3 + 4\n    return a\n";
    for mutant in all("a.py", text) {
        assert!(mutant.line >= 5, "{mutant:?}");
        assert!(mutant.apply(text).contains("doc 1 < 2"), "{mutant:?}");
    }
}

#[test]
fn mutants_begin_within_the_span_they_were_asked_for() {
    let text = "def f(a):\n    b = a + 1\n    c = b - 2\n    return c * 3\n";
    let lines: BTreeSet<u32> =
        mutants(&parsed("a.py", text), Lines::new(3, 3), CLASSIC).iter().map(|mutant| mutant.line).collect();
    assert_eq!(lines, BTreeSet::from([3]));
}

#[test]
fn windows_line_ends_and_tabs_are_kept_by_inserted_lines() {
    let text =
        "def f(items):\r\n\ttotal = 0\r\n\tfor item in items:\r\n\t\ttotal += item\r\n\treturn total / len(items)\r\n";
    let guards = by("missing-guard", "a.py", text);
    assert!(
        guards.contains(&text.replace("\ttotal = 0", "\tif not items:\r\n\t\treturn 0\r\n\ttotal = 0")),
        "{guards:#?}"
    );
}

#[test]
fn odd_texts_give_mutants_or_none_but_no_panic() {
    let deep = format!("x = {}1{}\n", "(".repeat(3000), ")".repeat(3000));
    let wide = format!("x = [{}]\n", "1, ".repeat(50_000));
    for text in
        ["", "\n", "def f(:\n  ((", "def é(ü):\n    return ü < 'ß'\n", "if x:\n", "\u{feff}x = 1\n", &deep, &wide]
    {
        for path in ["a.py", "a.rs", "a.js", "a.tsx", "a.go", "A.java"] {
            for mutant in all(path, text).iter().take(200) {
                mutant.apply(text);
            }
        }
    }
}

#[test]
fn a_very_long_file_costs_seconds_at_most_and_one_function_of_it_little() {
    let function = |n: usize| {
        format!("def f{n}(a, b):\n    c = a + {n}\n    if c < b:\n        return [a, c]\n    return b\n\n\n")
    };
    let text: String = (0..3000).map(function).collect();
    let parsed = parsed("a.py", &text);
    let start = Instant::now();
    let found = mutants(&parsed, Lines::new(8, 12), OPERATORS);
    assert!(found.len() > 20 && start.elapsed().as_secs() < 5, "{} in {:?}", found.len(), start.elapsed());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

    #[test]
    fn texts_cut_anywhere_give_no_panic(which in 0usize..64, cut in 0usize..900, odd in "[\\{\\}\\(\\)é:\\n\\r =<]{0,4}") {
        let fixtures = fixtures();
        let (path, text) = &fixtures[which % fixtures.len()];
        let mut cut = cut.min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let broken = format!("{}{odd}{}", &text[..cut], &text[(cut + 3).min(text.len())..]);
        for mutant in all(path, &broken).iter().step_by(5) {
            mutant.apply(&broken);
        }
    }
}
