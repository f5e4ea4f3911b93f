//! The differential probe through real test processes: rivals that pass the
//! same tests are told apart, or are not.

use std::process::Command;
use std::time::Duration;

use heal::patch::Patch;
use heal::runner::RunnerKind;
use heal::runner::Selection;
use heal::runner::probe::Outcome;
use heal::source::RelPath;
use heal::verify::probe;
use heal::verify::probe::Probe;
use heal::verify::target::Aim;
use pretty_assertions::assert_eq;

use crate::bench::Stand;
use crate::support::SHOP;
use crate::support::SHOP_TEST;

/// Compares the texts that `path` may become, with the tests of `target` and
/// `near`; asserts that scratch and user's tree are as they were.
fn compared(files: &[(&str, &str)], path: &str, texts: &[&str], target: &str, near: &[&str]) -> Probe {
    let limit = Duration::from_secs(20);
    let stand = Stand::new(files, RunnerKind::Unittest, &["python3", "-m", "unittest"], limit);
    let path = RelPath::new(path).expect("a path");
    let original = stand.text(&path);
    let patches: Vec<Patch> = texts.iter().map(|text| Patch::of_file(path.clone(), original.clone(), *text)).collect();
    let patches: Vec<&Patch> = patches.iter().collect();
    let aim = Aim {
        failures: Vec::new(),
        selection: Selection::Tests(vec![target.to_owned()]),
        literals: Default::default(),
    };
    let near: Vec<String> = near.iter().map(|id| (*id).to_owned()).collect();
    let mut scratch = stand.scratch();
    let comparing = probe::compare(&stand.bench, scratch.as_mut(), &aim, &near, &patches);
    let probe = stand.runtime.block_on(comparing).expect("compared");
    stand.close(scratch);
    probe
}

/// The shop with its faulty line replaced.
fn shop(line: &str) -> String {
    SHOP[1].1.replace("if quantity > 10:", line)
}

/// A module with one function and a test file with one test of it.
fn compared_module(original: &str, texts: &[&str], test: &str) -> Probe {
    let test = format!(
        "import os\nimport sys\nimport unittest\n\nimport code_under\nfrom code_under import *\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        {}\n",
        test.replace('\n', "\n        ")
    );
    let files = [("code_under.py", original), ("test_it.py", &test)];
    compared(&files, "code_under.py", texts, "test_it.T.test_it", &[])
}

/// Call and outcomes of the one difference there is.
fn only(probe: &Probe) -> (String, String, String) {
    assert_eq!(probe.differences.len(), 1, "{probe:#?}");
    let difference = &probe.differences[0];
    (difference.call.clone(), difference.outcomes.0.to_string(), difference.outcomes.1.to_string())
}

#[test]
fn rivals_that_behave_alike_are_one_cluster() {
    let texts = [shop("if quantity >= 10:"), shop("if quantity > 9:"), shop("if not quantity < 10:")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let near = ["tests.test_discount.RateTest.test_few", "tests.test_discount.PriceTest.test_discounted"];
    let probe = compared(SHOP, "shop/discount.py", &texts, SHOP_TEST, &near);
    assert!(probe.is_one_cluster(), "{probe:#?}");
    assert_eq!((probe.clusters, probe.calls), (vec![vec![0, 1, 2]], 3));
    assert!(probe.inputs > 10, "{}", probe.inputs);
}

#[test]
fn rivals_that_differ_are_told_apart_by_a_call_with_a_name() {
    let texts = [shop("if quantity >= 10:"), shop("if quantity == 10:"), shop("if quantity > 9:")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let probe = compared(SHOP, "shop/discount.py", &texts, SHOP_TEST, &[]);
    assert_eq!(probe.clusters, [vec![0, 2], vec![1]]);
    assert_eq!(only(&probe), ("rate(11)".to_owned(), "returns 5".to_owned(), "returns 0".to_owned()));
    assert_eq!(probe.differences[0].original, Outcome::Returns("5".into()));
}

#[test]
fn a_wrong_constant_differs_from_the_right_fix_on_another_line() {
    let split = |first: &str, second: &str| {
        format!(
            "def split(text, sep=None, most=None):\n    if most == {first}:\n        return [text]\n    parts = []\n    while sep in text{second}:\n        part, text = text.split(sep, 1)\n        parts.append(part)\n    return parts + [text]\n"
        )
    };
    let wrong = split("1", "");
    let right = split("0", " and (most is None or len(parts) < most)");
    let test = "self.assertEqual(split('ab', ',', 1), ['ab'])\nself.assertEqual(split('a,b', ','), ['a', 'b'])";
    let probe = compared_module(&split("0", " and most"), &[&wrong, &right], test);
    assert_eq!(probe.clusters, [vec![0], vec![1]]);
    let (call, ..) = only(&probe);
    assert!(call.starts_with("split('"), "{call}");
}

#[test]
fn methods_recursion_generators_and_endless_variants_are_compared() {
    let method = |rest: &str| {
        format!(
            "class Box:\n    def __init__(self, size):\n        self.size = size\n\n    def room(self, n):\n        return self.size {rest}\n"
        )
    };
    let recursion = |rest: &str| format!("def depth(n):\n    return {rest} if n <= 1 else 1 + depth(n - 1)\n");
    let generator = |rest: &str| format!("def count(n):\n    while True:\n        yield n\n        n += {rest}\n");
    let endless = |rest: &str| format!("def down(n):\n    while n {rest}:\n        n -= 2\n    return n\n");
    for (texts, test, call, outcomes) in [
        (
            [method("+ n"), method("- n"), method("- n * 1 if n > 0 else 0")],
            "Box(5).room(2)",
            "Box(size=5).room(0)",
            ("returns 5", "returns 0"),
        ),
        ([recursion("0"), recursion("1"), recursion("n")], "depth(4)", "depth(0)", ("returns 1", "returns 0")),
        (
            [generator("3"), generator("1"), generator("n")],
            "next(count(1))",
            "count(1)",
            ("yields [1, 2, 3, ", "yields [1, 2, 4, "),
        ),
        ([endless(">= 0"), endless("> 0"), endless("!= 0")], "down(4)", "down(5)", ("returns -1", "does not end")),
    ] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let probe = compared_module(texts[0], &texts[1..], test);
        assert_eq!(probe.clusters, [vec![0], vec![1]], "{}", texts[0]);
        let (named, one, other) = only(&probe);
        assert_eq!(named, call);
        assert!(one.starts_with(outcomes.0) && other.starts_with(outcomes.1), "{one} against {other}");
    }
}

#[test]
fn what_cannot_be_probed_says_why_and_is_never_called_alike() {
    let plain = |rest: &str| format!("LIMIT = 3\n\n\ndef f(n):\n    return {rest}\n");
    // A patch that stands in the others' way is left out, and they are compared.
    let texts = [plain("n"), plain("1").replace('3', "4"), plain("n + 1"), plain("n * 2")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let probe = compared_module(texts[0], &texts[1..], "f(1)");
    assert_eq!((probe.clusters.as_slice(), probe.unprobed[0].patch), ([vec![1], vec![2]].as_slice(), 0));
    for (texts, test, why) in [
        ([plain("n"), plain("1"), plain("2 - 1")], "f((x for x in 'a'))", "no call could be recorded: TypeError"),
        ([plain("n"), plain("1"), plain("2 - 1")], "pass", "the tests call none of the patched functions"),
        ([plain("n"), plain("1"), plain("open(n)")], "f(1)", "`f` calls `open`, which does more than compute"),
        (
            [plain("n"), plain("1"), plain("1").replace('3', "4")],
            "f(1)",
            "`code_under.py` changes outside of functions",
        ),
    ] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let probe = compared_module(texts[0], &texts[1..], test);
        assert!(!probe.is_one_cluster());
        let told = probe.unprobed.iter().find(|unprobed| unprobed.patch == 1).expect("unprobed");
        assert!(told.why.starts_with(why), "{}", told.why);
    }
}

#[test]
fn a_forged_answer_is_not_believed() {
    let plain = |rest: &str| format!("def f(n):\n    return {rest}\n");
    let texts = [plain("n + 9"), plain("n + 2"), plain("n * 2")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let answer = r#"{"why": "", "calls": 1, "inputs": 9, "unprobed": [], "differences": []}"#;
    // A record without the nonce is not heard, whatever file it is in.
    let guess = format!(
        "f(2)\nfolder = os.path.dirname(sys.modules['heal_channel'].__file__)\nfor kind in ('probe', 'end'):\n    with open(os.path.join(folder, 'records-0.jsonl'), 'a') as file:\n        file.write('{{\"nonce\": \"x\", \"record\": \"%s\", \"exit\": 0, \"answer\": {answer}}}\\n' % kind)"
    );
    assert_eq!(compared_module(texts[0], &texts[1..], &guess).clusters.len(), 2);
    // Of two answers in the right voice none counts.
    let voice = format!("f(2)\nsys.modules['__main__'].CHANNEL.write('probe', answer={answer})");
    // Nor does one before an end that does not come.
    let ends = format!("{voice}\nos._exit(0)");
    for test in [voice, ends] {
        let probe = compared_module(texts[0], &texts[1..], &test);
        assert_eq!((probe.clusters.len(), probe.unprobed.len()), (0, 2), "{probe:#?}");
    }
}

#[test]
fn the_python_piece_passes_its_own_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .args(["-m", "unittest", "discover", "-s", "tests/python"])
        .current_dir(root)
        .env("PYTHONPATH", root.join("src/runner"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Ran "), "{told}");
}
