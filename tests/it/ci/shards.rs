//! One tree healed by several jobs: the same proposals as one run, delivered
//! once by the job that joins them.

use heal::deliver::request::ForgeKind;
use pretty_assertions::assert_eq;
use serde_json::Value;

use super::Hosted;
use super::states;

/// Four faults, each with three failing tests that meet in one function.
const BAG: &[(&str, &str)] = &[
    ("heal.toml", "command = ['python3', '-S', '-m', 'unittest', '-q']\n"),
    (
        "bag.py",
        "def last(items):\n    return items[len(items)]\n\n\ndef third(items):\n    return items[3]\n\n\n\
         def tail(items, n):\n    return items[len(items) + n]\n\n\ndef after(rows, i):\n    return rows[i + 2]\n",
    ),
    (
        "test_bag.py",
        "import unittest\n\nfrom bag import after, last, tail, third\n\n\nclass BagTest(unittest.TestCase):\n\
         \x20   def test_last_of_one(self):\n        self.assertEqual(last([7]), 7)\n\n\
         \x20   def test_last_of_two(self):\n        self.assertEqual(last([7, 8]), 8)\n\n\
         \x20   def test_last_of_text(self):\n        self.assertEqual(last('abc'), 'c')\n\n\
         \x20   def test_third_of_numbers(self):\n        self.assertEqual(third([1, 2, 3]), 3)\n\n\
         \x20   def test_third_of_text(self):\n        self.assertEqual(third('xyz'), 'z')\n\n\
         \x20   def test_third_of_rows(self):\n        self.assertEqual(third([[], [1], [2, 3]]), [2, 3])\n\n\
         \x20   def test_tail_one(self):\n        self.assertEqual(tail([1, 2, 3], 1), 3)\n\n\
         \x20   def test_tail_two(self):\n        self.assertEqual(tail([1, 2, 3], 2), 2)\n\n\
         \x20   def test_tail_all(self):\n        self.assertEqual(tail('abcd', 4), 'a')\n\n\
         \x20   def test_after_first(self):\n        self.assertEqual(after([1, 2], 0), 2)\n\n\
         \x20   def test_after_second(self):\n        self.assertEqual(after([1, 2, 3], 1), 3)\n\n\
         \x20   def test_after_text(self):\n        self.assertEqual(after('ab', 0), 'b')\n",
    ),
];

/// Each failure in order, with the patch that mends it.
fn proposals(report: &Value) -> Vec<(String, String)> {
    let rows = report["failures"].as_array().expect("rows");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(&row["id"]), text(&row["proposals"][0]["diff"]))).collect()
}

#[test]
fn four_shards_over_twelve_failures_give_the_proposals_of_one_run() {
    let hosted = Hosted::of(ForgeKind::Github, BAG);
    let one = hosted.heal(&["ci", "--json", "--request", "none"]).code(0).json();
    assert_eq!(proposals(&one).len(), 12);
    assert!(proposals(&one).iter().all(|(_, diff)| diff.contains("+    return ")), "{one}");
    let folders: Vec<String> =
        (1..=4).map(|index| hosted.beside(&format!("shard-{index}")).display().to_string()).collect();
    for (index, folder) in (1..).zip(&folders) {
        let ran = hosted.heal(&["ci", "--shard", &format!("{index}/4"), "--artifacts", folder, "--json"]).code(0);
        assert!(ran.json()["failures"].as_array().is_some_and(|rows| rows.len() % 3 == 0), "one root, one shard");
    }
    assert!(hosted.forge.state.lock().expect("state").calls.is_empty(), "a shard speaks to no forge");

    let words: Vec<&str> = ["ci", "merge", "--json"].into_iter().chain(folders.iter().map(String::as_str)).collect();
    let missing = hosted.heal(&[&words[..6], &["--request", "none"]].concat()).code(5);
    assert!(missing.json()["notes"].to_string().contains("the shard 4 of 4 left no parcel"), "{}", missing.stdout);
    let merged = hosted.heal(&words).code(0);
    assert_eq!(proposals(&merged.json()), proposals(&one));
    assert_eq!(states(&merged), ["opened"; 4]);
    assert_eq!(hosted.forge.pulls().len(), 4);
    // What is told can be done: the proposals are in the record of the merge.
    let id = merged.json()["failures"][0]["proposals"][0]["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with(merged.json()["run"].as_str().expect("a run")), "{id}");
    hosted.heal(&["apply", &id]).code(0);
    hosted.heal(&["undo"]).code(0);

    // Nothing in a parcel is believed: what the policy here refuses is not pushed.
    let strict = [&words[..], &["--request", "none", "--deny", "bag.py"]].concat();
    let refused = hosted.heal(&strict).code(1).json();
    assert!(refused["failures"].as_array().is_some_and(|rows| rows.iter().all(|row| row["reason"] == "policy")));
    // A folder that is named twice counts once.
    let twice = hosted.heal(&[&words[..4], &[words[3], "--request", "none"]].concat()).code(5);
    assert!(twice.json()["notes"].to_string().contains("shards 2, 3, 4 of 4"), "{}", twice.stdout);
    hosted.project.commit("another");
    let other = hosted.heal(&words).code(2);
    assert!(other.stderr.contains("Check out the same commit"), "{}", other.stderr);
}

#[test]
fn a_plan_is_in_the_words_of_its_system() {
    let hosted = Hosted::of(ForgeKind::Github, BAG);
    let plan = |words: &[&str]| hosted.heal(&[&["ci", "plan"], words].concat());
    assert_eq!(plan(&["--shards", "3"]).code(0).stdout, "{\"shard\":[\"1/3\",\"2/3\",\"3/3\"]}\n");
    let outputs = std::fs::read_to_string(hosted.beside("output")).expect("outputs");
    assert_eq!(outputs, "matrix={\"shard\":[\"1/3\",\"2/3\",\"3/3\"]}\n");
    assert!(plan(&["--shards", "3", "--for", "gitlab"]).code(0).stdout.contains("  parallel: 3\n"));
    let file = hosted.beside("junit.xml");
    let case = "<testcase classname=\"test_bag.BagTest\" name=\"test_tail_one\"><failure message=\"x\"/></testcase>";
    std::fs::write(&file, format!("<?xml version=\"1.0\"?>\n<testsuite name=\"x\">{case}</testsuite>"))
        .expect("written");
    let few = plan(&["--shards", "8", "--junit", file.to_str().expect("text")]).code(0);
    assert_eq!(few.stdout, "{\"shard\":[\"1/1\"]}\n", "no more jobs than failures");
    for (words, told) in [
        (&["plan", "--shards", "0"][..], "--shards 0 is no number of jobs"),
        (&["--shard", "5/4"], "`5/4` is no shard"),
        (&["merge", "nothing"], "cannot read the parcel `nothing`"),
        (&["merge", "."], "there is no shard-I-of-N.json"),
    ] {
        let ran = hosted.heal(&[&["ci"], words].concat()).code(2);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
}
