//! `heal fix` on Python projects that need nothing but python3.

use crate::support::Project;
use crate::support::SHOP;
use crate::support::SHOP_RIGHT;
use crate::support::SHOP_TEST;
use crate::support::is_shop_right;

#[test]
fn a_failing_unittest_project_is_healed_offline() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline"]).code(0);
    assert!(is_shop_right(&ran.stdout), "{}", ran.stdout);
    assert!(ran.stderr.contains("verified"), "{}", ran.stderr);
}

#[test]
fn the_printed_patch_applies_with_git_and_makes_the_suite_pass() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "-q"]).code(0);
    std::fs::write(project.root.join("fix.patch"), &ran.stdout).expect("written");
    project.git(&["apply", "fix.patch"]);
    assert!(is_shop_right(&project.read("shop/discount.py")));
    let tests = project.command("python3").args(["-m", "unittest", "-q"]).output().expect("python3 runs");
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stderr));
}

#[test]
fn the_json_document_is_the_contract() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--json"]).code(0);
    let json = ran.json();
    assert_eq!(json["schema"], "heal.fix/1");
    assert_eq!(json["exit"], 0);
    assert_eq!(json["runner"], "unittest");
    assert_eq!(json["base"]["dirty"], false);
    let failure = &json["failures"][0];
    assert_eq!(failure["id"], SHOP_TEST);
    assert_eq!(failure["kind"], "assertion");
    assert_eq!(failure["outcome"], "verified");
    assert!(failure["reason"].is_null());
    let proposal = &failure["proposals"][0];
    assert_eq!(proposal["source"]["kind"], "rule");
    assert_eq!(proposal["files"][0], "shop/discount.py");
    let evidence = &proposal["evidence"];
    assert_eq!(evidence["target"], serde_json::json!({"passed": 3, "runs": 3}));
    assert_eq!(evidence["cause"], "fails-passes-fails");
    assert_eq!(evidence["suite"]["passed"], 6);
    assert_eq!(evidence["suite"]["newly_failing"], 0);
    assert_eq!(json["cost"]["calls"], 0);
    assert!(json["ledger"]["head"].as_str().is_some_and(|head| head.len() >= 16));
    let total = json["time"]["total_s"].as_f64().expect("a number");
    assert!(json["time"]["tests_s"].as_f64().expect("a number") <= total);
}

#[test]
fn apply_writes_the_patch_and_undo_takes_it_back() {
    let project = Project::new(SHOP);
    let before = project.read("shop/discount.py");
    project.heal(&["fix", "--offline", "--apply"]).code(0);
    assert!(is_shop_right(&project.read("shop/discount.py")));
    project.heal(&["undo"]).code(0);
    assert_eq!(project.read("shop/discount.py"), before);
    project.heal(&["undo"]).code(2);
    project.heal(&["apply"]).code(0);
    assert!(is_shop_right(&project.read("shop/discount.py")));
}

#[test]
fn a_branch_holds_the_patch_and_the_work_tree_does_not() {
    let project = Project::new(SHOP);
    let head = project.git(&["rev-parse", "HEAD"]);
    project.heal(&["fix", "--offline", "--branch", "heal/ten"]).code(0);
    assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(project.git(&["rev-parse", "heal/ten^"]), head);
    assert!(is_shop_right(&project.git(&["show", "heal/ten:shop/discount.py"])));
    let message = project.git(&["log", "-1", "--format=%B", "heal/ten"]);
    for trailer in ["Heal-Run:", "Heal-Failure:", "Heal-Source: rule", "Heal-Evidence:", "Heal-Ledger:"] {
        assert!(message.contains(trailer), "{message}");
    }
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    project.heal(&["fix", "--offline", "--branch", "heal/ten"]).code(2);
}

#[test]
fn reports_are_written_by_their_ending() {
    let project = Project::new(SHOP);
    let out = project.root.parent().expect("a parent");
    let (markdown, json) = (out.join("r.md"), out.join("r.json"));
    project
        .heal(&[
            "fix",
            "--offline",
            "--report",
            markdown.to_str().expect("text"),
            "--report",
            json.to_str().expect("text"),
            "-o",
            out.join("p.patch").to_str().expect("text"),
        ])
        .code(0);
    assert!(std::fs::read_to_string(markdown).expect("a report").contains("```diff"));
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).expect("a report")).expect("JSON");
    assert_eq!(report["schema"], "heal.fix/1");
    assert!(std::fs::read_to_string(out.join("p.patch")).expect("a patch").starts_with("diff --git"));
    project.heal(&["fix", "--offline", "--report", "r.docx"]).code(2);
}

#[test]
fn a_green_suite_exits_with_success_and_says_so() {
    let project = Project::new(SHOP);
    project.write(&[("shop/discount.py", &project.read("shop/discount.py").replace("if quantity > 10:", SHOP_RIGHT))]);
    let ran = project.heal(&["fix", "--offline"]).code(0);
    assert!(ran.stderr.contains("nothing fails"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn the_dirty_tree_is_what_is_healed() {
    let project = Project::new(SHOP);
    project.write(&[("shop/discount.py", &project.read("shop/discount.py").replace("if quantity > 10:", SHOP_RIGHT))]);
    project.commit("right");
    // The fault is there only as an uncommitted change, and an untracked file
    // is needed to see it.
    let broken = project
        .read("shop/discount.py")
        .replace("quantity >= 100", "quantity > limit()")
        .replace("def rate", "from shop.limits import limit\n\n\ndef rate");
    project.write(&[("shop/discount.py", &broken), ("shop/limits.py", "def limit():\n    return 100\n")]);
    let ran = project.heal(&["fix", "--offline", "--json"]).code(0);
    let json = ran.json();
    assert_eq!(json["base"]["dirty"], true);
    assert_eq!(json["failures"][0]["outcome"], "verified");
}

#[test]
fn an_endless_loop_is_ended_and_healed() {
    let project = Project::new(&[
        (
            "find.py",
            "def find(values, wanted):\n    low, high = 0, len(values) - 1\n    while low <= high:\n        middle = (low + high) // 2\n        if values[middle] == wanted:\n            return middle\n        if values[middle] < wanted:\n            low = middle\n        else:\n            high = middle - 1\n    return -1\n",
        ),
        (
            "test_find.py",
            "import unittest\nfrom find import find\n\n\nclass FindTest(unittest.TestCase):\n    def test_first(self):\n        self.assertEqual(find([1, 2, 4, 8], 1), 0)\n\n    def test_low(self):\n        self.assertEqual(find([1, 2, 4, 8], 0), -1)\n\n    def test_middle(self):\n        self.assertEqual(find([1, 2, 4, 8, 9], 4), 2)\n\n    def test_later(self):\n        self.assertEqual(find(range(9), 7), 7)\n\n    def test_high(self):\n        self.assertEqual(find([1, 2, 4, 8], 8), 3)\n        self.assertEqual(find([1, 2, 4, 8], 5), -1)\n        self.assertEqual(find([1, 2, 4, 8], 9), -1)\n        self.assertEqual(find([7], 7), 0)\n        self.assertEqual(find([], 7), -1)\n",
        ),
    ]);
    let ran = project.heal(&["fix", "--offline", "--json", "--test-timeout", "1s", "--", "python3", "-m", "unittest"]);
    let json = ran.code(0).json();
    assert_eq!(json["failures"][0]["kind"], "timeout", "{json:#}");
    let diff = json["failures"][0]["proposals"][0]["diff"].as_str().expect("a diff");
    assert!(diff.contains("+            low = middle + 1"), "{diff}");
}

#[test]
fn a_test_that_fails_one_time_in_three_is_flaky() {
    let project = Project::new(&[(
        "test_luck.py",
        "import os\nimport pathlib\nimport unittest\n\n\nclass LuckTest(unittest.TestCase):\n    def test_luck(self):\n        counter = pathlib.Path(os.environ['LUCK'])\n        count = int(counter.read_text()) if counter.exists() else 0\n        counter.write_text(str(count + 1))\n        self.assertNotEqual(count % 3, 0)\n",
    )]);
    let counter = project.root.parent().expect("a parent").join("luck");
    // In a sandbox no run would find what the one before it left.
    let mut heal = project.heal_command(&["fix", "--offline", "--json", "--sandbox", "off"]);
    let ran: crate::support::Ran = heal.env("LUCK", &counter).output().expect("heal runs").into();
    let ran = ran.code(3);
    assert_eq!(ran.json()["failures"][0]["reason"], "flaky");
}

#[test]
fn a_test_that_fails_only_in_company_is_order_dependent() {
    let project = Project::new(&[
        ("state.py", "SEEN = []\n"),
        (
            "test_a.py",
            "import unittest\nimport state\n\n\nclass ATest(unittest.TestCase):\n    def test_a(self):\n        state.SEEN.append('a')\n",
        ),
        (
            "test_b.py",
            "import unittest\nimport state\n\n\nclass BTest(unittest.TestCase):\n    def test_b(self):\n        self.assertEqual(state.SEEN, [])\n",
        ),
    ]);
    let ran = project.heal(&["fix", "--offline", "--json"]).code(1);
    assert_eq!(ran.json()["failures"][0]["reason"], "order-dependent");
}

#[test]
fn a_named_test_that_passes_is_not_reproduced() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--json", "--test", "tests.test_discount.RateTest.test_few"]).code(3);
    assert_eq!(ran.json()["failures"][0]["reason"], "not-reproduced");
    let ran = project.heal(&["fix", "--offline", "--test", "tests.test_discount.RateTest.test_none"]).code(2);
    assert!(ran.stderr.contains("test_none"), "{}", ran.stderr);
}

#[test]
fn one_named_test_is_healed_against_the_whole_suite() {
    let project = Project::new(SHOP);
    let json = project.heal(&["fix", "--offline", "--json", "--test", SHOP_TEST]).code(0).json();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["failures"][0]["proposals"][0]["evidence"]["suite"]["passed"], 6);
}

#[test]
fn a_saved_traceback_names_the_test_to_heal() {
    let project = Project::new(SHOP);
    let log = project.command("python3").args(["-m", "unittest"]).output().expect("python3 runs");
    let path = project.root.parent().expect("a parent").join("log.txt");
    std::fs::write(&path, &log.stderr).expect("written");
    let json = project.heal(&["fix", "--offline", "--json", "--trace", path.to_str().expect("text")]).code(0).json();
    assert_eq!(json["failures"][0]["id"], SHOP_TEST);
    assert_eq!(json["failures"][0]["outcome"], "verified");
}

#[test]
fn explain_shows_the_fault_without_running_anything_when_given_a_log() {
    let project = Project::new(SHOP);
    let log = project.command("python3").args(["-m", "unittest"]).output().expect("python3 runs");
    let path = project.root.parent().expect("a parent").join("log.txt");
    std::fs::write(&path, &log.stderr).expect("written");
    let json = project.heal(&["explain", "--json", "--trace", path.to_str().expect("text")]).code(0).json();
    assert_eq!(json["schema"], "heal.explain/1");
    assert_eq!(json["failures"][0]["suspects"][0]["path"], "shop/discount.py");
    // At most what git said of the tree is kept.
    let made = std::fs::read_dir(project.cache()).into_iter().flatten().flatten();
    let made = made.flat_map(|home| std::fs::read_dir(home.path()).expect("a folder").flatten());
    let made: Vec<_> = made.map(|entry| entry.file_name()).filter(|name| name != "listing").collect();
    assert!(made.is_empty(), "a scratch was made: {made:?}");
    assert_eq!(json["failures"][0]["locals"], serde_json::json!([]), "a log tells no values");
    let ran = project.heal(&["explain"]).code(0);
    assert!(ran.stdout.contains("shop/discount.py"), "{}", ran.stdout);
    assert!(ran.stdout.contains("held:     at tests/test_discount.py:"), "{}", ran.stdout);
}

#[test]
fn two_faults_are_healed_and_hold_together() {
    let project = Project::new(SHOP);
    let broken = format!("{}\n\ndef last(items):\n    return items[len(items)]\n", project.read("shop/discount.py"));
    let tests = project.read("tests/test_discount.py").replace("import price, rate", "import last, price, rate").replace(
        "class PriceTest",
        "class LastTest(unittest.TestCase):\n    def test_last(self):\n        self.assertEqual(last([1, 2, 3]), 3)\n        self.assertEqual(last([4]), 4)\n\n    def test_last_of_two(self):\n        self.assertEqual(last([4, 5]), 5)\n\n\nclass PriceTest",
    );
    project.write(&[("shop/discount.py", &broken), ("tests/test_discount.py", &tests)]);
    project.commit("two faults");
    let json = project.heal(&["fix", "--offline", "--json", "--apply"]).code(0).json();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(3));
    let tests = project.command("python3").args(["-m", "unittest", "-q"]).output().expect("python3 runs");
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stderr));
}

#[test]
fn the_runs_are_listed_and_shown() {
    let project = Project::new(SHOP);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let run = json["run"].as_str().expect("an id");
    assert!(project.heal(&["log"]).code(0).stdout.contains(&run[..10]));
    assert!(project.heal(&["show"]).code(0).stdout.contains(SHOP_TEST));
    assert!(project.heal(&["show", run, "--diff"]).code(0).stdout.starts_with("diff --git"));
    assert_eq!(project.heal(&["show", run, "--json"]).code(0).json()["run"], run);
    project.heal(&["show", "ZZZZ"]).code(2);
}

#[test]
fn a_fix_is_found_whose_test_takes_longer_than_a_first_trial_waits() {
    let test = "import time\nimport unittest\n\nfrom rates import rate\n\n\nclass RateTest(unittest.TestCase):\n    def test_ten(self):\n        self.assertEqual(rate(10), 5)\n        time.sleep(0.8)\n        self.assertEqual([rate(9), rate(11)], [0, 5])\n\n    def test_more(self):\n        self.assertEqual(rate(11), 5)\n";
    let project = Project::new(&[
        ("rates.py", "def rate(quantity):\n    if quantity > 10:\n        return 5\n    return 0\n"),
        ("test_rates.py", test),
    ]);
    // Which of the two right patches is the first is for the machine's load to
    // say.
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let diff = json["failures"][0]["proposals"][0]["diff"].as_str().expect("a diff");
    assert!(is_shop_right(diff), "{diff}");
}

#[test]
fn a_test_that_is_merely_slow_is_no_failure() {
    let test = "import time\nimport unittest\n\n\nclass SlowTest(unittest.TestCase):\n    def test_slow(self):\n        time.sleep(10.5)\n\n    def test_quick(self):\n        self.assertEqual(1, 1)\n";
    let project = Project::new(&[("test_slow.py", test)]);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    assert_eq!(json["failures"], serde_json::json!([]), "{json:#}");
    assert!(json["notes"].to_string().contains("some tests are slow"), "{json:#}");
}

#[test]
fn a_patch_that_cures_several_failures_takes_the_place_of_one_that_was_fitted_to_the_first() {
    let test = "import unittest\n\nfrom pages import pages\n\n\nclass PagesTest(unittest.TestCase):\n    def test_a_rest(self):\n        self.assertEqual(pages(25, 10), 3)\n\n    def test_full(self):\n        self.assertEqual(pages(20, 10), 2)\n        self.assertEqual(pages(31, 10), 4)\n        self.assertEqual(pages(0, 10), 0)\n";
    let code = "def pages(items, size):\n    return (items + size) // size\n";
    let project = Project::new(&[("pages.py", code), ("test_pages.py", &test.replace("25, 10), 3", "30, 10), 3"))]);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let failures = json["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 2);
    let diff = |at: usize| failures[at]["proposals"][0]["diff"].as_str().expect("a diff").to_owned();
    assert_eq!(diff(0), diff(1));
}

/// One of two flags is meant; no call near those of the tests has either in it.
pub const FLAGS: &[(&str, &str)] = &[
    (
        "flags.py",
        "class Options:\n    def __init__(self, words):\n        self.text = words[0]\n        self.entities = '--no-entities' not in words\n        self.hexadecimal = '--no-hexadecimal' not in words\n\n\ndef told(words):\n    options = Options(words)\n    count = len(words) + 1\n    return dict(\n        text=options.text,\n        count=count,\n        entities=options.entities,\n        decimal=options.decimal,\n        hexadecimal=options.hexadecimal,\n    )\n",
    ),
    (
        "test_flags.py",
        "import unittest\n\nfrom flags import told\n\n\nclass FlagsTest(unittest.TestCase):\n    def test_text(self):\n        self.assertEqual(told(['a']), dict(text='a', count=2, entities=True, decimal=True, hexadecimal=True))\n\n    def test_decimal(self):\n        self.assertIs(told(['b'])['decimal'], True)\n",
    ),
];

#[test]
fn of_two_names_that_no_test_tells_apart_neither_is_verified() {
    let project = Project::new(FLAGS);
    let json = project.heal(&["fix", "--offline", "--json"]).code(1).json();
    let failures = json["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 2);
    for failure in failures {
        assert_eq!(failure["proposals"], serde_json::json!([]));
        let why = failure["reason_why"].as_str().expect("why");
        assert!(why.contains("nothing shows which of the two is meant") && why.contains("`hexadecimal`"), "{why}");
    }
}

#[test]
fn a_failing_test_that_keeps_its_process_from_ending_is_healed() {
    // Like a pool of workers that a failed test did not close. The test's own
    // limit does not count here: the test has ended.
    let test = "import atexit\nimport time\nimport unittest\n\nfrom rates import rate\n\n\nclass RateTest(unittest.TestCase):\n    def test_ten(self):\n        if rate(10) != 5:\n            atexit.register(time.sleep, 900)\n        self.assertEqual([rate(9), rate(10), rate(11)], [0, 5, 5])\n\n    def test_more(self):\n        self.assertEqual(rate(11), 5)\n";
    let code = "def rate(quantity):\n    if quantity > 10:\n        return 5\n    return 0\n";
    let project = Project::new(&[("rates.py", code), ("test_rates.py", test)]);
    let json = project.heal(&["explain", "--json", "--timeout", "5m"]).code(0).json();
    assert_eq!(json["failures"][0]["message"], "AssertionError: Lists differ: [0, 0, 5] != [0, 5, 5]", "{json:#}");
}

#[test]
fn what_the_code_cannot_mend_waits_for_what_it_can() {
    let project = Project::new(SHOP);
    // First by its name, and no patch of the project can bring the module.
    let absent = "import unittest\n\n\nclass AbsentTest(unittest.TestCase):\n    def test_absent(self):\n        import absent_distribution\n";
    project.write(&[("tests/test_absent.py", absent)]);
    project.commit("a test of what is not there");
    let json = project.heal(&["fix", "--offline", "--json"]).json();
    let failures = json["failures"].as_array().expect("failures");
    let told: Vec<(&str, &str)> = failures
        .iter()
        .map(|failure| (failure["id"].as_str().unwrap_or_default(), failure["outcome"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(told, [(SHOP_TEST, "verified"), ("tests.test_absent.AbsentTest.test_absent", "abstained")]);
}
