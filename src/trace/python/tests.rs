//! The reader against every sample, against texts made for it, and against noise.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace;
use crate::trace::places::Places;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn shop() -> Places {
    let files = ["app.py", "conftest.py", "shop/cart.py", "tests/test_cart.py", "test_unit.py", "tests/test_syntax.py"]
        .map(path);
    Places::new(vec!["/home/dev/shop".into()], files)
}

fn read(text: &str) -> Vec<Failure> {
    trace::failures(text.as_bytes(), &shop(), &RelPath::root())
}

fn fixture(name: &str) -> Vec<Failure> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(name);
    trace::failures(&std::fs::read(file).expect(name), &shop(), &RelPath::root())
}

/// A fixture, the number of failures, and of the first: id, kind and the first
/// line of its message.
type Row = (&'static str, usize, &'static str, Kind, &'static str);

const FIXTURE: &str = "tests/test_cart.py::test_fixture_error";
const OS_ERROR: &str = "OSError: fixture failed";
const TOTAL: &str = "tests/test_cart.py::test_total";
const TOTAL_WRONG: &str = "AssertionError: assert 130 == 230";
const NO_NAME: &str = "ImportError: cannot import name 'does_not_exist' from 'shop.cart' (/home/dev/shop/shop/cart.py)";
const DIVISION: &str = "ZeroDivisionError: division by zero";
const UPPER: &str = "AttributeError: 'NoneType' object has no attribute 'upper'";
const NO_PACKAGE: &str = "ModuleNotFoundError: No module named 'nosuchpkg'";
const DEPTH: &str = "RecursionError: maximum recursion depth exceeded";
const SYNTAX: &str = "SyntaxError: invalid syntax";
const SEGV: &str = "Fatal Python error: Segmentation fault";
const SEGV_ID: &str =
    "trace:Fatal Python error: Segmentation fault at /usr/local/python-3.11.7/lib/python3.11/ctypes/__init__.py:519";

const TABLE: &[Row] = &[
    ("pytest/collection_errors.txt", 2, "tests/test_broken_import.py", Kind::Collection, NO_NAME),
    ("pytest/color_ra.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/default.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/no_tests.txt", 0, "", Kind::Exit, ""),
    ("pytest/quiet.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/showlocals.txt", 2, TOTAL, Kind::Assertion, TOTAL_WRONG),
    ("pytest/tb_line.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/tb_long.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/tb_native.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/tb_no.txt", 17, TOTAL, Kind::Assertion, TOTAL_WRONG),
    ("pytest/tb_short.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/usage_error.txt", 0, "", Kind::Exit, ""),
    ("pytest/vv.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/xdist_n2.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("pytest/xdist_v.txt", 17, FIXTURE, Kind::Exception, OS_ERROR),
    ("unittest/import_error.txt", 7, "test_unit.CartTest.test_error", Kind::Exception, DIVISION),
    ("unittest/plain.txt", 6, "test_unit.CartTest.test_error", Kind::Exception, DIVISION),
    ("unittest/verbose.txt", 6, "test_unit.CartTest.test_error", Kind::Exception, DIVISION),
    ("python-trace/py3.8_caret.txt", 1, "trace:ZeroDivisionError at app.py:52", Kind::Exception, DIVISION),
    ("python-trace/py3.8_chained.txt", 1, "trace:AttributeError at app.py:9", Kind::Exception, UPPER),
    ("python-trace/py3.8_context.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
    ("python-trace/py3.8_exit.txt", 0, "", Kind::Exit, ""),
    ("python-trace/py3.8_imp.txt", 1, "trace:ModuleNotFoundError at app.py:53", Kind::Exception, NO_PACKAGE),
    ("python-trace/py3.8_recurse.txt", 1, "trace:RecursionError at app.py:42", Kind::Exception, DEPTH),
    ("python-trace/py3.8_syntax.txt", 1, "trace:SyntaxError at app.py:46", Kind::Exception, SYNTAX),
    ("python-trace/py3.8_thread.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
    ("python-trace/py3.11_caret.txt", 1, "trace:ZeroDivisionError at app.py:52", Kind::Exception, DIVISION),
    ("python-trace/py3.11_chained.txt", 1, "trace:AttributeError at app.py:9", Kind::Exception, UPPER),
    ("python-trace/py3.11_context.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
    ("python-trace/py3.11_exit.txt", 0, "", Kind::Exit, ""),
    ("python-trace/py3.11_faulthandler_segv.txt", 1, SEGV_ID, Kind::Crash, SEGV),
    ("python-trace/py3.11_group.txt", 1, "trace:AttributeError at app.py:9", Kind::Exception, UPPER),
    ("python-trace/py3.11_imp.txt", 1, "trace:ModuleNotFoundError at app.py:53", Kind::Exception, NO_PACKAGE),
    ("python-trace/py3.11_recurse.txt", 1, "trace:RecursionError at app.py:42", Kind::Exception, DEPTH),
    ("python-trace/py3.11_syntax.txt", 1, "trace:SyntaxError at app.py:46", Kind::Exception, SYNTAX),
    ("python-trace/py3.11_thread.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
    ("python-trace/py3.13_caret.txt", 1, "trace:ZeroDivisionError at app.py:52", Kind::Exception, DIVISION),
    ("python-trace/py3.13_caret_color.txt", 1, "trace:ZeroDivisionError at app.py:52", Kind::Exception, DIVISION),
    ("python-trace/py3.13_chained.txt", 1, "trace:AttributeError at app.py:9", Kind::Exception, UPPER),
    ("python-trace/py3.13_context.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
    ("python-trace/py3.13_exit.txt", 0, "", Kind::Exit, ""),
    ("python-trace/py3.13_group.txt", 1, "trace:AttributeError at app.py:9", Kind::Exception, UPPER),
    ("python-trace/py3.13_imp.txt", 1, "trace:ModuleNotFoundError at app.py:53", Kind::Exception, NO_PACKAGE),
    ("python-trace/py3.13_recurse.txt", 1, "trace:RecursionError at app.py:42", Kind::Exception, DEPTH),
    ("python-trace/py3.13_syntax.txt", 1, "trace:SyntaxError at app.py:46", Kind::Exception, SYNTAX),
    ("python-trace/py3.13_thread.txt", 1, "trace:KeyError at app.py:25", Kind::Exception, "KeyError: 'missing'"),
];

#[test]
fn every_sample_reads_as_a_person_reads_it() {
    for (name, count, id, kind, message) in TABLE {
        let found = fixture(name);
        assert_eq!(found.len(), *count, "{name}");
        let Some(first) = found.first() else { continue };
        let told = (first.id.as_str(), first.kind, first.message.lines().next().unwrap_or_default());
        assert_eq!(told, (*id, *kind, *message), "{name}");
    }
}

#[test]
fn every_sample_is_in_the_table() {
    for folder in ["pytest", "unittest", "python-trace"] {
        let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(folder);
        for entry in std::fs::read_dir(place).expect(folder) {
            let name = format!("{folder}/{}", entry.expect(folder).file_name().to_string_lossy());
            if !name.ends_with(".txt") {
                continue;
            }
            assert!(TABLE.iter().any(|row| row.0 == name), "{name}");
        }
    }
}

/// The failures' ids, sorted.
fn ids(failures: &[Failure]) -> Vec<&str> {
    let mut ids: Vec<&str> = failures.iter().map(|failure| failure.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn every_style_of_pytest_tells_of_the_same_tests() {
    let wanted = fixture("pytest/tb_no.txt");
    assert!(ids(&wanted).contains(&"tests/test_cart.py::TestGroup::test_method"));
    for style in
        ["default", "color_ra", "quiet", "tb_line", "tb_long", "tb_native", "tb_short", "vv", "xdist_n2", "xdist_v"]
    {
        assert_eq!(ids(&fixture(&format!("pytest/{style}.txt"))), ids(&wanted), "{style}");
    }
    for job in ["raw_job_log_pytest.txt", "gh_run_view_log_pytest.txt"] {
        assert_eq!(ids(&fixture(&format!("github-actions/{job}"))), ids(&wanted), "{job}");
    }
}

fn frames(failure: &Failure) -> Vec<String> {
    let told = failure.frames.iter().filter(|frame| frame.path.is_some());
    told.map(|frame| {
        format!(
            "{}:{} {}",
            frame.written.trim_start_matches("/home/dev/shop/"),
            frame.line.unwrap_or(0),
            frame.symbol.as_deref().unwrap_or("?")
        )
    })
    .collect()
}

#[test]
fn frames_go_from_the_root_cause_to_the_test_in_every_style() {
    for style in ["default", "color_ra", "tb_long", "tb_native", "tb_short", "vv", "xdist_v", "showlocals"] {
        let found = fixture(&format!("pytest/{style}.txt"));
        let chained = found.iter().find(|failure| failure.id.ends_with("::test_chained")).expect(style);
        assert_eq!(chained.message, "ValueError: invalid literal for int() with base 10: '12x'", "{style}");
        let wanted =
            ["shop/cart.py:39 parse_price", "shop/cart.py:41 parse_price", "tests/test_cart.py:39 test_chained"];
        assert_eq!(frames(chained), wanted, "{style}");
    }
}

#[test]
fn the_values_of_a_check_are_kept() {
    for (name, id, actual, expected) in [
        ("pytest/tb_short.txt", "tests/test_cart.py::TestGroup::test_method", "3", "4"),
        ("pytest/tb_line.txt", "tests/test_cart.py::test_discount[ten]", "117", "207"),
        ("pytest/tb_native.txt", TOTAL, "130", "230"),
        ("unittest/plain.txt", "test_unit.CartTest.test_total", "50", "150"),
        ("unittest/plain.txt", "test_unit.CartTest.test_dict", "{'a': 1}", "{'a': 2}"),
    ] {
        let found = fixture(name);
        let failure = found.iter().find(|failure| failure.id == id).expect(id);
        assert_eq!(
            (failure.actual.as_deref(), failure.expected.as_deref()),
            (Some(actual), Some(expected)),
            "{name} {id}"
        );
        assert_eq!(failure.kind, Kind::Assertion);
    }
}

#[test]
fn a_module_that_unittest_cannot_import_is_a_collection_failure() {
    let found = fixture("unittest/import_error.txt");
    let failure = found.iter().find(|failure| failure.id == "nosuchmod").expect("nosuchmod");
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Collection, "ModuleNotFoundError: No module named 'nosuchmod'")
    );
}

#[test]
fn texts_without_a_report_are_read_too() {
    let trace = |before: &str, prefix: &str| {
        format!(
            "{before}{prefix}Traceback (most recent call last):\n{prefix}  File \"/home/dev/shop/app.py\", line 3, in f\n\
             {prefix}    g()\n{prefix}KeyError: 'a'\nmake: *** [test] Error 1\n"
        )
    };
    for (text, wanted) in [
        (trace("", ""), vec![("trace:KeyError at app.py:3", Kind::Exception, "KeyError: 'a'")]),
        (trace("started\n", "web-1  | "), vec![("trace:KeyError at app.py:3", Kind::Exception, "KeyError: 'a'")]),
        (trace("", "INTERNALERROR> "), vec![("trace:KeyError at app.py:3", Kind::Exception, "KeyError: 'a'")]),
        (trace("Exception ignored in: <function A.__del__ at 0x1>\n", ""), vec![]),
        (
            "  File \"/home/dev/shop/app.py\", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n".to_owned(),
            vec![("trace:SyntaxError at app.py:1", Kind::Collection, SYNTAX)],
        ),
        (
            "ImportError while loading conftest '/home/dev/shop/conftest.py'.\nconftest.py:1: in <module>\n    \
             import nosuch\nE   ModuleNotFoundError: No module named 'nosuch'\n"
                .to_owned(),
            vec![("trace:ModuleNotFoundError at conftest.py:1", Kind::Collection, "ModuleNotFoundError: No module named 'nosuch'")],
        ),
        (
            "FAILED tests/test_cart.py::test_a - KeyError: 'x'".to_owned(),
            vec![("tests/test_cart.py::test_a", Kind::Exception, "KeyError: 'x'")],
        ),
        (
            "tests/test_cart.py::test_a FAILED     [ 50%]\ntests/test_cart.py::test_b PASSED   [100%]".to_owned(),
            vec![("tests/test_cart.py::test_a", Kind::Exception, "")],
        ),
        (
            "tests/test_cart.py::test_a Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call \
             first):\n  File \"/home/dev/shop/app.py\", line 9 in f\n"
                .to_owned(),
            vec![("tests/test_cart.py::test_a", Kind::Crash, SEGV)],
        ),
        ("Traceback (most recent call last):\n".to_owned(), vec![]),
        ("the last word\n".to_owned(), vec![]),
    ] {
        let found = read(&text);
        let told: Vec<_> =
            found.iter().map(|failure| (failure.id.as_str(), failure.kind, failure.message.as_str())).collect();
        assert_eq!(told, wanted, "{text}");
    }
}

#[test]
fn sections_find_their_ids_by_the_order_of_the_summary() {
    let long = "test_".to_owned() + &"x".repeat(90);
    let section = |name: &str, file: &str| {
        format!(
            "_ {name} _\n\n    def t():\n>       assert 1 == 2\nE       assert 1 == 2\n\n{file}:2: AssertionError\n"
        )
    };
    let text = format!(
        "=== FAILURES ===\n{}{}{}{}=== short test summary info ===\nFAILED a/test_s.py::test_same - assert 1 == 2\n\
         FAILED b/test_s.py::test_same - assert 1 == 2\nFAILED a/test_s.py::{long}\n\
         FAILED a/test_s.py::T::test_p[a - b::c] - assert 1 == 2\n=== 4 failed in 0.10s ===\n",
        section("test_same", "a/test_s.py"),
        section("test_same", "b/test_s.py"),
        section(&long, "a/test_s.py"),
        section("T.test_p[a - b::c]", "a/test_s.py"),
    );
    let found = read(&text);
    let ids: Vec<&str> = found.iter().map(|failure| failure.id.as_str()).collect();
    let long = format!("a/test_s.py::{long}");
    assert_eq!(ids, ["a/test_s.py::test_same", "b/test_s.py::test_same", &long, "a/test_s.py::T::test_p[a - b::c]"]);
    assert!(found.iter().all(|failure| failure.frames.len() == 1 && failure.kind == Kind::Assertion), "{found:#?}");
}

#[test]
fn a_doc_test_tells_what_it_wanted_and_got() {
    let found = read(
        "=== FAILURES ===\n_ [doctest] shop.cart.add _\n001 \n002     >>> add(1, 2)\nExpected:\n    4\nGot:\n    3\n\n\
         /home/dev/shop/shop/cart.py:2: DocTestFailure\n=== short test summary info ===\n\
         FAILED shop/cart.py::shop.cart.add\n=== 1 failed in 0.10s ===\n",
    );
    assert_eq!(ids(&found), ["shop/cart.py::shop.cart.add"]);
    let told = (found[0].kind, found[0].actual.as_deref(), found[0].expected.as_deref());
    assert_eq!(told, (Kind::Assertion, Some("3"), Some("4")));
    assert_eq!(frames(&found[0]), ["shop/cart.py:2 ?"]);
}

#[test]
fn notes_and_the_rest_of_a_message_are_kept_and_the_log_below_is_not() {
    let found = read(
        "Traceback (most recent call last):\n  File \"app.py\", line 3, in f\n    g()\n  [Previous line repeated 9 more \
         times]\npydantic_core.ValidationError: 1 validation error for Item\nname\n  Field required [type=missing]\n\
         Error: Process completed with exit code 1.\n",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].message,
        "pydantic_core.ValidationError: 1 validation error for Item\nname\n  Field required [type=missing]"
    );
    assert_eq!(found[0].id, "trace:ValidationError at app.py:3");
}

const PIECES: &[&str] = &[
    "Traceback (most recent call last):",
    "  + Exception Group Traceback (most recent call last):",
    "  |   File \"/home/dev/shop/app.py\", line 3, in f",
    "  +-+---------------- 1 ----------------",
    "    | Traceback (most recent call last):",
    "    +---------------- 2 ----------------",
    "  File \"/home/dev/shop/app.py\", line 3, in f",
    "  File \"app.py\", line 99999999999",
    "    return é",
    "KeyError: 'a'",
    "SyntaxError: é",
    "",
    "During handling of the above exception, another exception occurred:",
    "=== FAILURES ===",
    "=== ERRORS ===",
    "=== short test summary info ===",
    "=== 1 failed in 0.1s ===",
    "_ test_a _",
    "_ ERROR collecting tests/test_cart.py _",
    "_ [doctest] shop.cart _",
    "_ _ _ _",
    "E   ",
    "E       é: b",
    "E",
    ">       assert 1 == 2",
    "tests/test_cart.py:3: KeyError",
    "tests/test_cart.py:3: in f",
    "/home/dev/shop/tests/test_cart.py:3: KeyError: 'a'",
    "FAILED tests/test_cart.py::test_a[é - b] - KeyError: 'a'",
    "ERROR tests/test_cart.py",
    "[gw0] [  4%] FAILED tests/test_cart.py::test_a",
    "worker 'gw0' crashed while running 'tests/test_cart.py::test_a'",
    "----- Captured stdout call -----",
    "======================================================================",
    "----------------------------------------------------------------------",
    "FAIL: test_a (m.C.test_a) (i='é')",
    "Ran 1 test in 0.1s",
    "Fatal Python error: Aborted",
    "Current thread 0x1 (most recent call first):",
    "+++++ Timeout +++++",
    "~~~~ Stack of MainThread (1) ~~~~",
];

proptest! {
    #[test]
    fn any_mixture_of_lines_is_read_without_panic(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: Vec<&str> = picks.iter().map(|pick| PIECES[*pick]).collect();
        prop_assert!(read(&text.join("\n")).len() <= super::LIMIT);
    }

    #[test]
    fn any_text_is_read_without_panic(text: String) {
        read(&text);
    }
}

#[test]
fn long_texts_give_a_bounded_number_of_failures() {
    let read = |text: &str| super::failures(text, &shop(), &RelPath::root());
    for piece in PIECES {
        for below in ["", "\nDuring handling of the above exception, another exception occurred:\n", "\nKeyError: 'a'"]
        {
            let text = format!("=== FAILURES ===\n{}", format!("{piece}{below}\n").repeat(2_500));
            assert!(read(&text).len() <= super::LIMIT, "{piece}");
            assert!(read(&text[17..]).len() <= super::LIMIT, "{piece}");
        }
    }
}
