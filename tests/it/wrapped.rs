//! `heal fix` with a command that hides its test runner: a script around cargo.

use crate::fix_rust::LIB;
use crate::fix_rust::MANIFEST;
use crate::support::Project;

fn shop(script: &str) -> Project {
    Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", LIB),
        (".gitignore", "/target\nCargo.lock\n"),
        ("run-tests.sh", script),
    ])
}

#[test]
fn a_cargo_inside_a_script_is_healed_test_by_test() {
    let project = shop("#!/bin/sh\nset -e\necho testing\ncargo test --quiet\n");
    let json = project.heal(&["fix", "--offline", "--json", "--", "sh", "run-tests.sh"]).code(0).json();
    assert_eq!(json["runner"], "command");
    let failure = &json["failures"][0];
    assert_eq!(failure["id"], "shop tests::middle_of_a_span");
    assert_eq!(failure["location"]["path"], "src/lib.rs");
    let evidence = &failure["proposals"][0]["evidence"];
    assert_eq!((&evidence["suite"]["passed"], &evidence["cause"]), (&3.into(), &"fails-passes-fails".into()));
}

#[test]
fn of_a_silent_command_only_the_exit_code_is_known() {
    let patch = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -5,1 +5,1 @@\n-    low + (high + low) / 2\n+    low + (high - low) / 2\n";
    let runs = "rustc --edition 2021 --test src/lib.rs -o /tmp/shop && /tmp/shop";
    // What only looks at the text runs nothing that could be measured.
    for (line, code) in [(runs, 0), ("grep -q '(high - low) / 2' src/lib.rs", 1)] {
        let project = shop(&format!("#!/bin/sh\n{{ {line}; }} >/dev/null 2>&1\n"));
        let file = project.root.parent().expect("a parent").join("fix.patch");
        std::fs::write(&file, patch).expect("written");
        let file = file.display().to_string();
        let arguments = ["verify", &file, "--test", "sh run-tests.sh", "--json", "--", "sh", "run-tests.sh"];
        let json = project.heal(&arguments).code(code).json();
        let failure = &json["failures"][0];
        if code == 0 {
            let evidence = &failure["proposals"][0]["evidence"];
            assert_eq!((&evidence["suite"], &evidence["control"]), (&serde_json::Value::Null, &"red".into()));
        } else {
            let why = failure["reason_why"].as_str().unwrap_or_default();
            assert!(failure["reason"] == "only-weak" && why.contains("nothing of it could be measured"), "{why}");
        }
    }
}

/// A script of one's own that writes a JUnit report.
const CHECK: &str = r#"import sys
import traceback
from xml.sax.saxutils import quoteattr

from bag import last


def test_list():
    assert last([7, 8]) == 8


def test_table():
    assert last({0: 'a', 1: 'b'}) == 'b'


def test_one():
    assert last.__name__ == 'last'


rows = []
for test in (test_list, test_table, test_one):
    failure = ''
    try:
        test()
    except Exception as error:
        told = quoteattr('%s: %s' % (type(error).__name__, error))
        failure = '<failure message=%s><![CDATA[%s]]></failure>' % (told, traceback.format_exc())
    rows.append('<testcase classname="check" name="%s" time="0.01">%s</testcase>' % (test.__name__, failure))
with open('report.xml', 'w') as file:
    file.write('<testsuite name="check" tests="%d">%s</testsuite>' % (len(rows), ''.join(rows)))
sys.exit(any('<failure' in row for row in rows))
"#;

#[test]
fn what_cured_one_failure_is_tried_alone_on_the_next_where_nothing_is_sieved() {
    let project = Project::new(&[
        ("bag.py", "def last(items):\n    return items[len(items)]\n"),
        ("check.py", CHECK),
        (".gitignore", "report.xml\n__pycache__\n"),
    ]);
    let file = project.root.parent().expect("a parent").join("events.jsonl");
    let arguments =
        ["fix", "--offline", "--json", "--events", file.to_str().expect("text"), "--", "python3", "check.py"];
    let json = project.heal(&arguments).code(0).json();
    let failures = json["failures"].as_array().expect("failures");
    // Another exception: heal cannot know beforehand that it has the same fault.
    let messages: Vec<&str> = failures.iter().filter_map(|failure| failure["message"].as_str()).collect();
    assert!(messages[0].starts_with("IndexError") && messages[1].starts_with("KeyError"), "{messages:?}");
    let diffs: Vec<&serde_json::Value> = failures.iter().map(|failure| &failure["proposals"][0]["diff"]).collect();
    assert_eq!(diffs[0], diffs[1]);
    let events = std::fs::read_to_string(file).expect("events");
    let events: Vec<serde_json::Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let second = events.iter().rposition(|event| event["name"] == "propose").expect("a second hunt");
    let proposed: Vec<&serde_json::Value> = events[second..]
        .iter()
        .filter(|event| event["event"] == "proposed")
        .map(|event| &event["candidates"])
        .collect();
    assert_eq!(proposed, [1], "{events:?}");
}

#[test]
fn a_mutant_that_a_test_noticed_is_not_run_again_for_another_failure_of_the_same_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("ran");
    let told = format!("open({log:?}, 'a').write(repr(open('bag.py').read()) + '\\n')\nrows = []");
    let project = Project::new(&[
        ("bag.py", "def last(items):\n    return items[len(items)]\n"),
        ("check.py", &CHECK.replace("rows = []", &told)),
        (".gitignore", "report.xml\n__pycache__\n"),
    ]);
    // In the sandbox the script could tell nobody.
    let arguments = ["fix", "--offline", "--json", "--sandbox", "off", "--", "python3", "check.py"];
    let json = project.heal(&arguments).code(0).json();
    let strengths: Vec<&serde_json::Value> = json["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| &failure["proposals"][0]["evidence"]["strength"])
        .collect();
    assert_eq!(strengths.len(), 2);
    assert!(strengths[0]["killed"].as_u64() > Some(0), "{strengths:?}");
    assert_eq!(strengths[0], strengths[1]);
    let ran = std::fs::read_to_string(log).expect("a log");
    assert_eq!(ran.matches("return None").count(), 1, "{ran}");
}
