//! What is never offered, and what `heal verify` says of patches.

use crate::support::Project;
use crate::support::SHOP;
use crate::support::SHOP_TEST;

/// The diff between the project and the same with one replacement.
fn diff_of(project: &Project, path: &str, from: &str, to: &str) -> String {
    let before = project.read(path);
    assert!(before.contains(from), "{path} has no `{from}`");
    project.write(&[(path, &before.replacen(from, to, 1))]);
    let diff = project.git(&["diff"]);
    project.write(&[(path, &before)]);
    project.git(&["status"]);
    diff
}

fn verify(project: &Project, diff: &str, more: &[&str]) -> crate::support::Ran {
    let path = project.root.parent().expect("a parent").join("candidate.patch");
    std::fs::write(&path, diff).expect("written");
    let mut arguments = vec!["verify", path.to_str().expect("text"), "--json"];
    arguments.extend(more);
    project.heal(&arguments)
}

#[test]
fn the_right_patch_verifies() {
    let project = Project::new(SHOP);
    let diff = diff_of(&project, "shop/discount.py", "quantity > 10:", "quantity >= 10:");
    let json = verify(&project, &diff, &["--test", SHOP_TEST]).code(0).json();
    assert_eq!(json["schema"], "heal.verify/1");
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["cause"], "fails-passes-fails");
    let evidence = &json["failures"][0]["proposals"][0]["evidence"];
    assert_eq!(evidence["control"], "red");
    assert_eq!(evidence["strength"]["killed"], evidence["strength"]["mutants"]);
    assert_ne!(evidence["strength"]["killed"], 0);
    let told = json["failures"][0]["proposals"][0]["explanation"].as_str().expect("text");
    assert!(told.contains(SHOP_TEST), "{told}");
}

#[test]
fn patches_that_miss_a_gate_are_refused_and_say_which() {
    let project = Project::new(SHOP);
    let test_file = "tests/test_discount.py";
    for (path, from, to, gate, reason) in [
        // Edits the test instead of the code.
        (test_file, "rate(10), 5", "rate(10), 0", "policy", "policy"),
        // Skips it.
        (test_file, "    def test_ten", "    @unittest.skip('later')\n    def test_ten", "policy", "policy"),
        // Mends the target and breaks another test.
        ("shop/discount.py", "quantity > 10:", "quantity > 8:", "suite", "none-verified"),
        // Does not mend it.
        ("shop/discount.py", "return 5", "return 6", "target", "none-verified"),
        // Does not parse.
        ("shop/discount.py", "return 5", "return (5", "syntax", "none-verified"),
        // Ends the process with success.
        (
            "shop/discount.py",
            "    if quantity >= 100:",
            "    import os\n    os._exit(0)\n    if quantity >= 100:",
            "target",
            "none-verified",
        ),
    ] {
        let diff = diff_of(&project, path, from, to);
        let ran = verify(&project, &diff, &["--test", SHOP_TEST]).code(1);
        let failure = &ran.json()["failures"][0];
        assert_eq!(failure["reason"], reason, "{diff}");
        assert_eq!(failure["leads"][0]["missed"], gate, "{diff}\n{failure}");
        assert_eq!(failure["proposals"].as_array().map(Vec::len), Some(0));
    }
}

/// A test that goes on where one of its subtests is skipped.
pub const PARTS: &[(&str, &str)] = &[
    ("calc.py", "def double(n):\n    return n * 3\n"),
    (
        "test_calc.py",
        "import unittest\nfrom calc import double\n\n\nclass CalcTest(unittest.TestCase):\n    def test_nothing(self):\n        \
         self.assertEqual(double(0), 0)\n\n    def test_double(self):\n        for n in (1, 2, 3):\n            with \
         self.subTest(n=n):\n                if n == 2:\n                    self.skipTest('not here')\n                \
         self.assertEqual(double(n), n + n)\n",
    ),
];

#[test]
fn a_test_that_skips_a_subtest_is_no_skipped_test() {
    let project = Project::new(PARTS);
    let diff = diff_of(&project, "calc.py", "n * 3", "n * 2");
    let json = verify(&project, &diff, &["--test", "test_calc.CalcTest.test_double"]).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["passed"], 2);
    // As it stands among its forks.
    let events = project.root.parent().expect("a parent").join("events.jsonl");
    project.heal(&["fix", "--offline", "--json", "--events", events.to_str().expect("text")]);
    let text = std::fs::read_to_string(&events).expect("events");
    let sieved = text.lines().find(|line| line.contains("\"sieved\"")).expect("a sieve");
    let sieved: serde_json::Value = serde_json::from_str(sieved).expect("JSON");
    assert!(sieved["passed"].as_u64().is_some_and(|passed| passed > 0), "{sieved}");
}

#[test]
fn a_test_that_needs_what_others_leave_is_run_with_them() {
    let project = Project::new(&[
        ("calc.py", "def double(n):\n    return n * 3\n"),
        (
            "test_calc.py",
            "import unittest\nfrom calc import double\n\n\nclass CalcTest(unittest.TestCase):\n    def test_a(self):\n        \
             CalcTest.wanted = 4\n        self.assertEqual(double(0), 0)\n\n    def test_b(self):\n        \
             self.assertEqual(double(2), CalcTest.wanted)\n",
        ),
    ]);
    let diff = diff_of(&project, "calc.py", "n * 3", "n * 2");
    let json = verify(&project, &diff, &["--test", "test_calc.CalcTest.test_b"]).code(0).json();
    let failure = &json["failures"][0];
    assert_eq!(failure["message"], "AssertionError: 6 != 4", "{failure:#}");
    assert_eq!(failure["proposals"][0]["evidence"]["suite"]["passed"], 2);
}

#[test]
fn a_test_that_fails_in_another_way_each_time_still_shows_the_cause() {
    let steps: String =
        (0..200).map(|n| format!("def step_{n}():\n    assert double(2) == 4, double(2)\n\n\n")).collect();
    let project = Project::new(&[
        ("calc.py", "def double(n):\n    return n * 3\n"),
        ("steps.py", &format!("from calc import double\n\n\n{steps}")),
        (
            "test_calc.py",
            "import os\nimport unittest\nimport steps\n\n\nclass CalcTest(unittest.TestCase):\n    def test_any(self):\n        \
             getattr(steps, 'step_%d' % (os.urandom(1)[0] % 200))()\n",
        ),
    ]);
    let diff = diff_of(&project, "calc.py", "n * 3", "n * 2");
    let json = verify(&project, &diff, &["--test", "test_calc.CalcTest.test_any"]).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["cause"], "fails-passes-fails");
}

#[test]
fn only_the_failure_that_is_claimed_is_shown_again_and_an_unknown_test_is_told() {
    let project = Project::new(SHOP);
    let tests = project.read("tests/test_discount.py");
    project.write(&[("tests/test_other.py", &tests.replace("10), 5", "10), 7"))]);
    let diff = diff_of(&project, "shop/discount.py", "quantity > 10:", "quantity >= 10:");
    let ran = verify(&project, &diff, &["--test", SHOP_TEST]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("reproduced").count(), 1, "{}", ran.stderr);
    let failure = &verify(&project, &diff, &["--test", "tests.test_none.NoTest"]).code(3).json()["failures"][0];
    assert_eq!(failure["reason"], "not-reproduced");
    let why = failure["reason_why"].as_str().expect("text");
    assert!(why.starts_with("without the patch no test is named `tests.test_none.NoTest`"), "{why}");
}

#[test]
fn a_test_that_is_late_with_the_patch_is_given_more_time() {
    let project = Project::new(&[
        ("calc.py", "def double(n):\n    return n * 3\n"),
        (
            "test_calc.py",
            "import time\nimport unittest\nfrom calc import double\n\n\nclass CalcTest(unittest.TestCase):\n    company = \
             False\n\n    def test_a(self):\n        CalcTest.company = True\n        self.assertEqual(double(0), 0)\n\n    \
             def test_b(self):\n        self.assertEqual(double(2), 4)\n\n    def test_late(self):\n        if \
             CalcTest.company and double(2) == 4:\n            time.sleep(3)\n",
        ),
    ]);
    let diff = diff_of(&project, "calc.py", "n * 3", "n * 2");
    let json = verify(&project, &diff, &["--test", "test_calc.CalcTest.test_b"]).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["passed"], 3);
}

#[test]
fn a_patch_without_a_claim_must_merely_break_nothing() {
    let project = Project::new(SHOP);
    let harmless = diff_of(&project, "shop/discount.py", "whole = unit * quantity", "whole = quantity * unit");
    verify(&project, &harmless, &[]).code(0);
    let harmful = diff_of(&project, "shop/discount.py", "whole = unit * quantity", "whole = unit + quantity");
    verify(&project, &harmful, &[]).code(1);
}

#[test]
fn what_is_no_patch_or_does_not_apply_is_told_apart() {
    let project = Project::new(SHOP);
    verify(&project, "hello\n", &[]).code(2);
    verify(&project, "--- a/shop/discount.py\n+++ b/shop/discount.py\n@@ -1,2 +1,2 @@\n-nothing like it\n+x\n", &[])
        .code(1);
    let escaping = "--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-root\n+toor\n";
    let ran = verify(&project, escaping, &[]);
    assert!(matches!(ran.code, 1 | 2), "{}", ran.stderr);
    let right = diff_of(&project, "shop/discount.py", "quantity > 10:", "quantity >= 10:");
    verify(&project, &right, &["--test", "tests.test_discount.RateTest.test_few"]).code(3);
}
