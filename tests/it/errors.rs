//! Wrong places and wrong words: each works or gets a clear error.

use crate::support::HEAL;
use crate::support::Project;
use crate::support::Ran;
use crate::support::SHOP;
use crate::support::is_shop_right;

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
    assert!(is_shop_right(&project.read("shop/discount.py")));
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
    let whole = project.heal(&["doctor", "--json"]).json()["checks"]
        .as_array()
        .is_some_and(|checks| checks.iter().any(|check| check["name"] == "sandbox" && check["state"] == "ok"));
    let ran = project.heal(&["fix", "--offline", "--sandbox", "strict"]);
    if whole {
        ran.code(0);
    } else {
        let ran = ran.code(5);
        assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
    }
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
    let ran: Ran = project
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
    // Where tests see it: not below `/tmp`, which is private for them.
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    let other = place.path().join("elsewhere");
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

#[test]
fn a_tree_that_cannot_be_written_is_healed() {
    let project = Project::new(SHOP);
    // A read-only mount holds for root as well; where none may be made, the
    // modes must do.
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && cd \"$0\" && ! touch probe 2>/dev/null && exec \"$@\"";
    let root = project.root.to_str().expect("text");
    let mounted = |words: &[&str]| -> Ran {
        let mut command = project.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, root]).args(words);
        command.stdin(std::process::Stdio::null()).output().expect("unshare runs").into()
    };
    let ran = if mounted(&["true"]).code == 0 {
        mounted(&[HEAL, "fix", "--offline", "--json"])
    } else {
        std::process::Command::new("chmod").args(["-R", "a-w", root]).status().expect("chmod");
        let ran = project.heal(&["fix", "--offline", "--json"]);
        std::process::Command::new("chmod").args(["-R", "u+w", root]).status().expect("chmod");
        ran
    };
    let json = ran.code(0).json();
    assert_eq!(json["failures"][0]["outcome"], "verified");
}

#[test]
fn a_missing_interpreter_is_the_environments_fault() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--", "/nowhere/bin/python3", "-m", "unittest"]).code(5);
    assert!(ran.stderr.contains("/nowhere/bin/python3"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Os {"), "{}", ran.stderr);
}

#[test]
fn pointers_line_ends_and_a_sparse_tree_are_healed_as_they_stand() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let project = Project::new(SHOP);
    project.write(&[
        (".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n*.py text eol=crlf\n"),
        ("data/large.bin", pointer),
        ("left/out.txt", "not checked out\n"),
        ("shop/discount.py", &project.read("shop/discount.py").replace('\n', "\r\n")),
    ]);
    project.commit("filters");
    project.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/left"]);
    assert!(!project.root.join("left").exists(), "the tree is sparse");
    // As after a clone without git-lfs: the pointer is what stands there, and
    // the filters, were anyone to run them, fail.
    project.git(&["config", "filter.lfs.smudge", "false"]);
    project.git(&["config", "filter.lfs.clean", "false"]);
    project.git(&["config", "filter.lfs.required", "true"]);
    project.heal(&["fix", "--offline", "--apply"]).code(0);
    let healed = project.read("shop/discount.py");
    assert!(is_shop_right(&healed), "{healed}");
    assert_eq!(healed.matches('\n').count(), healed.matches("\r\n").count(), "line ends stay as they were");
    assert_eq!(project.read("data/large.bin"), pointer);
    assert!(!project.root.join("left").exists());
}
