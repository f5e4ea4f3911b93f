//! Nothing of the user's is touched: not by success, failure, Ctrl-C or
//! `kill -9`; and no process of a run outlives it.

use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::support::Project;
use crate::support::SHOP;
use crate::support::processes_of;

#[test]
fn no_kind_of_run_touches_the_users_tree() {
    let project = Project::new(SHOP);
    // Something staged, unstaged, untracked and stashed.
    project.write(&[("notes.txt", "one\n")]);
    project.git(&["add", "notes.txt"]);
    project.git(&["stash", "-q"]);
    project.write(&[("staged.txt", "s\n"), ("shop/extra.py", "X = 1\n")]);
    project.git(&["add", "staged.txt"]);
    project.write(&[("staged.txt", "s and more\n")]);
    project.git(&["status"]);
    let before = project.state();
    for arguments in [
        &["fix", "--offline"][..],
        &["fix", "--offline", "--json", "--test", "tests.test_discount.RateTest.test_few"],
        &["fix", "--offline", "--", "python3", "-m", "unittest", "tests.test_discount.PriceTest"],
        &["fix", "--offline", "--", "sh", "-c", "exit 3"],
        &["fix", "--offline", "--", "no-such-program"],
        &["explain"],
        &["doctor"],
        &["log"],
    ] {
        project.heal(arguments);
        assert_eq!(project.state(), before, "heal {arguments:?}");
    }
}

#[test]
fn a_save_during_the_run_changes_no_verdict_and_is_told() {
    let project = Project::new(SHOP);
    let (saved, rewritten) = (project.root.join("shop/discount.py"), project.root.join("tests/test_discount.py"));
    let saves = format!(
        "import unittest\n\n\nclass Saves(unittest.TestCase):\n    def test_saves(self):\n        \
         open({saved:?}, 'a').write('# saved\\n')\n        text = open({rewritten:?}).read()\n        \
         open({rewritten:?}, 'w').write(text)\n"
    );
    project.write(&[("tests/test_saves.py", &saves)]);
    project.commit("saves");
    // In the sandbox no test can write there at all.
    let json = project.heal(&["fix", "--offline", "--json", "--sandbox", "off"]).code(0).json();
    assert!(project.read("shop/discount.py").ends_with("# saved\n"), "the test saved nothing");
    let diff = json["failures"][0]["proposals"][0]["diff"].as_str().expect("a diff");
    assert!(!diff.contains("saved"), "{diff}");
    let notes: Vec<&str> = json["notes"].as_array().expect("notes").iter().filter_map(|note| note.as_str()).collect();
    let told =
        "`shop/discount.py` is no longer what heal looked at: all it says is of the tree as it was when it began";
    assert!(notes.contains(&told), "{notes:?}");
    // It was verified as it stood, and is not written over what stands there now.
    assert!(project.heal(&["apply"]).code(1).stderr.contains("has changed since the patch was verified"));
}

/// A test that never ends, with a grandchild that detaches itself.
fn endless() -> Project {
    Project::new(&[(
        "test_endless.py",
        "import subprocess\nimport sys\nimport time\nimport unittest\n\n\nclass EndlessTest(unittest.TestCase):\n    def test_endless(self):\n        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n        time.sleep(600)\n",
    )])
}

fn start(project: &Project) -> Child {
    let child = project
        .heal_command(&["fix", "--offline", "--test-timeout", "60s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("heal starts");
    let scratch = project.cache();
    let began = Instant::now();
    // Until both the test and its grandchild run in the scratch.
    while processes_of(&scratch).len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(60), "the test did not start: {:?}", processes_of(&scratch));
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

#[track_caller]
fn assert_nothing_runs(project: &Project) {
    let began = Instant::now();
    while !processes_of(&project.cache()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(1), "still running: {:#?}", processes_of(&project.cache()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn ctrl_c_ends_the_run_and_leaves_nothing_behind() {
    let project = endless();
    project.git(&["status"]);
    let before = project.state();
    let mut child = start(&project);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("signalled");
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(130));
    assert_nothing_runs(&project);
    assert_eq!(project.state(), before);
}

#[test]
fn kill_9_leaves_no_process_and_the_next_run_cleans_up() {
    let project = endless();
    let mut child = start(&project);
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_nothing_runs(&project);
    project.write(&[(
        "test_endless.py",
        "import unittest\n\n\nclass QuickTest(unittest.TestCase):\n    def test_quick(self):\n        pass\n",
    )]);
    project.git(&["add", "-A"]);
    project.heal(&["fix", "--offline"]).code(0);
    let worktrees = project.git(&["worktree", "list"]);
    assert_eq!(worktrees.lines().count(), 1, "{worktrees}");
}
