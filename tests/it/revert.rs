//! Reverts: the change that broke an older test is taken back, what it brought
//! along stays.

use crate::model::chat;
use crate::model::heal;
use crate::model::right;
use crate::model::serve;
use crate::support::Project;

const RIGHT: &str = r#"def shipping(weight, zone):
    fees = {"near": 4, "far": 9}
    return fees[zone] + 2 * weight
"#;

/// The change: another way to look the fee up, wrong for one zone, and a
/// function that was not there before.
const WRONG: &str = r#"def shipping(weight, zone):
    fees = {"near": 4, "far": 31}
    return fees[zone] + 2 * weight


def parcels(weights, most):
    return sum(1 for weight in weights if weight <= most)
"#;

const TESTS: &str = r#"import unittest

from shipping import shipping


class ShippingTest(unittest.TestCase):
    def test_far(self):
        self.assertEqual([shipping(weight, "far") for weight in (1, 3, 8)], [11, 15, 25])

    def test_near(self):
        self.assertEqual([shipping(weight, "near") for weight in (1, 3, 8)], [6, 10, 20])
"#;

/// A project whose last commit broke `test_far`.
fn broken(first: &[(&str, &str)], then: &[(&str, &str)]) -> Project {
    let project = Project::new(first);
    project.write(then);
    project
}

#[test]
fn the_commit_that_broke_an_older_test_is_taken_back_without_what_it_brought_along() {
    let project = broken(&[("shipping.py", RIGHT), ("test_shipping.py", TESTS)], &[("shipping.py", WRONG)]);
    project.commit("Count parcels");
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let proposal = &json["failures"][0]["proposals"][0];
    assert_eq!(proposal["source"]["kind"], "revert", "{proposal:#}");
    let explanation = proposal["explanation"].as_str().expect("a text");
    assert!(explanation.contains("commit ") && explanation.contains("(`Count parcels`) broke it"), "{explanation}");
    let diff = proposal["diff"].as_str().expect("a diff");
    assert!(diff.contains("-    fees = {\"near\": 4, \"far\": 31}\n+    fees = {\"near\": 4, \"far\": 9}\n"), "{diff}");
    assert!(!diff.contains("-def parcels"), "{diff}");
}

#[test]
fn where_a_change_is_taken_back_no_model_is_asked() {
    let project = broken(&[("shipping.py", RIGHT), ("test_shipping.py", TESTS)], &[("shipping.py", WRONG)]);
    project.commit("Count parcels");
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&right())]);
    let json = heal(&project, &server, "/v1", &["fix", "--json", "--model", "openai-chat/stand-in"]).code(0).json();
    assert_eq!(json["failures"][0]["proposals"][0]["source"]["kind"], "revert");
    assert!(runtime.block_on(server.received_requests()).expect("recorded").is_empty());
}

#[test]
fn a_change_that_is_not_committed_is_taken_back_and_named_so() {
    let project = broken(&[("shipping.py", RIGHT), ("test_shipping.py", TESTS)], &[("shipping.py", WRONG)]);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let proposal = &json["failures"][0]["proposals"][0];
    assert_eq!(proposal["source"]["kind"], "revert", "{proposal:#}");
    assert!(proposal["explanation"].as_str().is_some_and(|text| text.starts_with("a change that is not committed")));
}

#[test]
fn a_change_that_came_with_the_failing_test_is_never_taken_back() {
    let older = TESTS.replace("(1, 3, 8)], [11, 15, 25]", "(1, 3)], [11, 15]");
    let later = RIGHT
        .replace("2 * weight", "2 * weight + far")
        .replace("    return", "    far = 1 if zone == \"far\" else 0\n    return");
    let project = broken(
        &[("shipping.py", RIGHT), ("test_shipping.py", &older)],
        &[("shipping.py", &later), ("test_shipping.py", TESTS)],
    );
    project.commit("New fees");
    let ran = project.heal(&["fix", "--offline", "--json", "-v"]).code(0);
    let json = ran.json();
    let proposals = json["failures"][0]["proposals"].as_array().cloned().unwrap_or_default();
    assert!(!proposals.is_empty());
    assert!(proposals.iter().all(|proposal| proposal["source"]["kind"] == "rule"), "{json:#}");
    assert!(ran.stderr.contains("by rule") && !ran.stderr.contains("by revert"), "{}", ran.stderr);
}

#[test]
fn what_cured_one_failure_has_to_pass_in_the_whole_suite_for_the_next_one_too() {
    let first = TESTS.replace("import shipping\n", "import shipping\nfrom seen import calls\n").replace(
        "(self):\n        self.assertEqual([shipping(weight, \"far\")",
        "(self):\n        calls.append(1)\n        self.assertEqual([shipping(weight, \"far\")",
    );
    // Alone it passes with the change taken back, and after the other it does not.
    let then = "import unittest\n\nfrom shipping import shipping\nfrom seen import calls\n\n\nclass Twice(unittest.TestCase):\n    \
                def test_twice(self):\n        if shipping(2, \"far\") > 20:\n            raise ValueError(\"too dear\")\n        \
                self.assertEqual(calls, [])\n";
    let project = broken(
        &[("shipping.py", RIGHT), ("seen.py", "calls = []\n"), ("test_shipping.py", &first), ("test_twice.py", then)],
        &[("shipping.py", WRONG)],
    );
    project.commit("Count parcels");
    let json = project.heal(&["fix", "--offline", "--json"]).code(1).json();
    let outcomes: Vec<(&str, &str)> = json["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| (failure["id"].as_str().expect("an id"), failure["outcome"].as_str().expect("an outcome")))
        .collect();
    let expected = [("test_shipping.ShippingTest.test_far", "verified"), ("test_twice.Twice.test_twice", "abstained")];
    assert_eq!(outcomes, expected);
    assert!(json.to_string().contains("in the whole suite"), "{json:#}");
}
