//! Wrong places and wrong words: each works or gets a clear error.

use crate::support::Project;
use crate::support::SHOP;
use crate::support::SHOP_RIGHT;

#[test]
fn a_folder_without_git_gets_a_clear_error() {
    let project = Project::bare_folder("plain");
    let ran = project.heal(&["fix", "--offline"]).code(2);
    assert!(ran.stderr.contains("git"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Os {"), "{}", ran.stderr);
}

#[test]
fn a_bare_repository_gets_a_clear_error() {
    let project = Project::bare_folder("bare");
    project.git(&["init", "-q", "--bare"]);
    let ran = project.heal(&["fix", "--offline"]).code(2);
    assert!(ran.stderr.contains("bare"), "{}", ran.stderr);
}

#[test]
fn a_repository_without_a_commit_is_healed() {
    let project = Project::bare_folder("fresh");
    project.git(&["init", "-q"]);
    project.write(SHOP);
    let json = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    assert!(json["base"]["commit"].is_null());
    assert_eq!(json["failures"][0]["outcome"], "verified");
}

#[test]
fn a_path_with_spaces_and_letters_beyond_ascii_is_healed() {
    let project = Project::named("mein täglicher Laden", SHOP);
    project.heal(&["fix", "--offline", "--apply"]).code(0);
    assert!(project.read("shop/discount.py").contains(SHOP_RIGHT));
}

#[test]
fn a_detached_head_and_a_linked_worktree_are_healed() {
    let project = Project::new(SHOP);
    project.git(&["checkout", "-q", "--detach"]);
    project.heal(&["fix", "--offline"]).code(0);
    let linked = project.root.parent().expect("a parent").join("linked");
    project.git(&["worktree", "add", "-q", linked.to_str().expect("text"), "HEAD"]);
    project.heal(&["fix", "--offline", "--repo", linked.to_str().expect("text")]).code(0);
    assert_eq!(project.git(&["worktree", "list"]).lines().count(), 2);
}

#[test]
fn a_submodule_is_healed_from_inside() {
    let inner = Project::new(SHOP);
    let outer = Project::new(&[("README", "outer\n")]);
    outer.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner.root.to_str().expect("text"),
        "inner",
    ]);
    outer.commit("with a submodule");
    let inside = outer.root.join("inner");
    let before = outer.state();
    outer.heal(&["fix", "--offline", "--repo", inside.to_str().expect("text")]).code(0);
    assert_eq!(outer.state(), before);
}

#[test]
fn no_runner_is_an_error_that_says_what_was_looked_for() {
    let project = Project::new(&[("README", "nothing to test\n")]);
    let ran = project.heal(&["fix", "--offline"]).code(2);
    assert!(ran.stderr.contains("no test runner found") && ran.stderr.contains("heal fix -- "), "{}", ran.stderr);
}

#[test]
fn a_command_that_cannot_be_started_is_the_environments_fault() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--", "no-such-program", "--x"]).code(5);
    assert!(ran.stderr.contains("no-such-program"), "{}", ran.stderr);
    let ran = project.heal(&["fix", "--offline", "--", "/no/such/python", "-m", "unittest"]).code(5);
    assert!(ran.stderr.contains("/no/such/python"), "{}", ran.stderr);
}

#[test]
fn words_that_make_no_sense_are_refused_before_anything_runs() {
    let project = Project::new(SHOP);
    for arguments in [
        &["fix", "--timeout", "soon"][..],
        &["fix", "--jobs", "0"],
        &["fix", "--max-cost", "-1"],
        &["fix", "--allow", "[x"],
        &["fix", "--model", "nobody/knows"],
        &["fix", "--trace", "no-such-file"],
        &["frobnicate"],
    ] {
        let ran = project.heal(arguments).code(2);
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!project.cache().exists());
}

#[test]
fn a_sandbox_that_is_not_to_be_had_is_not_pretended() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--sandbox", "strict"]).code(5);
    assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
}

#[test]
fn a_hostile_git_configuration_runs_nothing() {
    let project = Project::new(SHOP);
    let marker = project.root.parent().expect("a parent").join("ran");
    let script = project.root.parent().expect("a parent").join("evil.sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch '{}'\nexit 0\n", marker.display())).expect("written");
    std::process::Command::new("chmod").arg("+x").arg(&script).status().expect("chmod");
    let evil = script.to_str().expect("text");
    project.write(&[(".gitattributes", "*.py filter=evil diff=evil\n")]);
    project.commit("attributes");
    for (key, value) in [
        ("core.fsmonitor", evil),
        ("core.hooksPath", project.root.parent().expect("a parent").to_str().expect("text")),
        ("filter.evil.clean", evil),
        ("filter.evil.smudge", evil),
        ("filter.evil.process", evil),
        ("diff.evil.command", evil),
        ("diff.external", evil),
        ("core.sshCommand", evil),
        ("core.pager", evil),
        ("core.editor", evil),
        ("alias.worktree", &format!("!{evil}")),
    ] {
        project.git(&["config", key, value]);
    }
    std::fs::copy(&script, project.root.parent().expect("a parent").join("post-checkout")).expect("a hook");
    let _ = std::fs::remove_file(&marker);
    project.heal(&["fix", "--offline"]).code(0);
    assert!(!marker.exists(), "heal ran a program named by the repository's configuration");
}

#[test]
fn a_model_is_not_asked_without_consent() {
    let project = Project::new(&[
        ("odd.py", "def secret():\n    return 'a'\n"),
        (
            "test_odd.py",
            "import unittest\nfrom odd import secret\n\n\nclass OddTest(unittest.TestCase):\n    def test_odd(self):\n        self.assertEqual(secret(), 'quite another text')\n",
        ),
    ]);
    let ran: crate::support::Ran = project
        .heal_command(&["fix", "--json"])
        .env("ANTHROPIC_API_KEY", "sk-ant-none")
        .env("HEAL_BASE_URL", "http://127.0.0.1:9")
        .output()
        .expect("heal runs")
        .into();
    let json = ran.code(1).json();
    assert_eq!(json["cost"]["calls"], 0);
    assert!(json["notes"].to_string().contains("--model"), "{}", json["notes"]);
}

#[test]
fn a_test_of_another_copy_of_the_code_is_found_out() {
    let project = Project::new(SHOP);
    let other = project.root.parent().expect("a parent").join("elsewhere");
    std::fs::create_dir_all(other.join("shop")).expect("a folder");
    for name in ["__init__.py", "discount.py"] {
        std::fs::copy(project.root.join("shop").join(name), other.join("shop").join(name)).expect("a copy");
    }
    let tests = project.read("tests/test_discount.py");
    project.write(&[(
        "tests/test_discount.py",
        &format!("import sys\nsys.path.insert(0, '{}')\n{tests}", other.display()),
    )]);
    project.commit("tests another copy");
    let ran = project.heal(&["fix", "--offline"]).code(5);
    assert!(ran.stderr.contains("elsewhere"), "{}", ran.stderr);
}
