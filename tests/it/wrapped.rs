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
    let project = shop("#!/bin/sh\ngrep -q '(high - low) / 2' src/lib.rs\n");
    let patch = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -5,1 +5,1 @@\n-    low + (high + low) / 2\n+    low + (high - low) / 2\n";
    let file = project.root.parent().expect("a parent").join("fix.patch");
    std::fs::write(&file, patch).expect("written");
    let file = file.display().to_string();
    let json = project
        .heal(&["verify", &file, "--test", "sh run-tests.sh", "--json", "--", "sh", "run-tests.sh"])
        .code(0)
        .json();
    let evidence = &json["failures"][0]["proposals"][0]["evidence"];
    assert_eq!(evidence["suite"], serde_json::Value::Null);
}
