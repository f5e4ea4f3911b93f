//! `heal fix` on small crates without dependencies.

use crate::support::Project;

pub const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";

pub const LIB: &str = "//! A shop.\n\n/// The middle of a span.\npub fn middle(low: usize, high: usize) -> usize {\n    low + (high + low) / 2\n}\n\n/// The greatest value.\npub fn greatest(values: &[i32]) -> Option<i32> {\n    let mut best = *values.first()?;\n    for value in values {\n        if *value > best {\n            best = *value;\n        }\n    }\n    Some(best)\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn middle_of_a_span() {\n        assert_eq!(middle(2, 6), 4);\n        assert_eq!(middle(0, 9), 4);\n        assert_eq!(middle(5, 5), 5);\n    }\n\n    #[test]\n    fn middle_of_a_span_from_nothing() {\n        assert_eq!(middle(0, 9), 4);\n    }\n\n    #[test]\n    fn the_greatest_value() {\n        assert_eq!(greatest(&[1, 3, 2]), Some(3));\n        assert_eq!(greatest(&[]), None);\n    }\n}\n";

fn shop() -> Project {
    Project::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB), (".gitignore", "/target\nCargo.lock\n")])
}

#[test]
fn a_failing_crate_is_healed_offline() {
    let project = shop();
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    assert_eq!(json["runner"], "cargo");
    let failure = &json["failures"][0];
    assert!(failure["id"].as_str().is_some_and(|id| id.ends_with("tests::middle_of_a_span")), "{failure}");
    assert_eq!(failure["outcome"], "verified");
    let diff = failure["proposals"][0]["diff"].as_str().expect("a diff");
    assert!(diff.contains("(high - low) / 2"), "{diff}");
    assert_eq!(failure["proposals"][0]["evidence"]["cause"], "fails-passes-fails");
}

#[test]
fn a_test_is_named_by_its_bare_name() {
    let project = shop();
    let json = project
        .heal(&["fix", "--offline", "--json", "--test", "middle_of_a_span", "--", "cargo", "test", "--lib"])
        .code(0)
        .json();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_shared_target_directory_is_not_shared_with_scratches() {
    let project = shop();
    let shared = project.root.parent().expect("a parent").join("shared-target");
    let ran: crate::support::Ran = project
        .heal_command(&["fix", "--offline", "--json"])
        .env("CARGO_TARGET_DIR", &shared)
        .output()
        .expect("heal runs")
        .into();
    ran.code(0);
    assert!(!shared.exists(), "a scratch built into the user's target directory");
}

#[test]
fn a_crate_whose_tools_use_an_older_crate_of_its_name_is_healed() {
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.2.0\"\nedition = \"2021\"\n\n[dev-dependencies]\nolder = { path = \"older\", package = \"shop\" }\n\n[workspace]\nexclude = [\"older\"]\n";
    let older = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";
    let project = Project::new(&[
        ("Cargo.toml", manifest),
        ("src/lib.rs", LIB),
        ("older/Cargo.toml", older),
        ("older/src/lib.rs", "pub fn price() -> u32 {\n    1\n}\n"),
        (".gitignore", "target\nCargo.lock\n"),
    ]);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    assert_eq!(json["failures"][0]["outcome"], "verified", "{json}");
}
