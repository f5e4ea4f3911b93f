//! Scratches with a layer over their tree: what tests write is gone
//! afterwards, what cargo built from it is not believed, and nothing of it
//! reaches the tree below or the user's packages.
//!
//! Every command is a real one in heal's sandbox. Where this machine cannot
//! mount layers, heal must say so, and there is nothing more to see.

use std::path::Path;
use std::path::PathBuf;

use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::patch::FileChange;
use heal::patch::Patch;
use heal::process::Command;
use heal::process::Environment;
use heal::process::Finished;
use heal::process::Launcher;
use heal::process::Network;
use heal::scratch::Containment;
use heal::scratch::Method;
use heal::scratch::Pool;
use heal::scratch::Scratch;
use heal::scratch::Snapshot;
use heal::scratch::Surroundings;
use heal::source::RelPath;
use pretty_assertions::assert_eq;

use crate::support::HEAL;
use crate::support::Project;
use crate::support::SHOP;

/// Tells every path below the working directory but git's own and `target`'s.
const LIST: &str = r#"
import os, stat
for folder, folders, files in os.walk("."):
    folders[:] = [name for name in sorted(folders) if os.path.join(folder, name) not in ("./target", "./.git")]
    for name in sorted(folders + files):
        path = os.path.join(folder, name)
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            print(path, "->", os.readlink(path))
        elif stat.S_ISDIR(about.st_mode):
            print(path, oct(about.st_mode & 0o777))
        elif name != ".git":
            print(path, oct(about.st_mode & 0o777), repr(open(path, "rb").read()))
"#;

/// A project whose scratches are overlays.
struct Stand {
    project: Project,
    launcher: Launcher,
    environment: Environment,
    containment: Containment,
    repository: Repository,
    runtime: tokio::runtime::Runtime,
}

impl Stand {
    /// `None` where layers are not to be had, which heal then says.
    fn new(files: &[(&str, &str)]) -> Option<Stand> {
        let project = Project::new(files);
        let kept = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "PYENV_ROOT"];
        let vars = std::env::vars_os().filter(|(name, _)| kept.iter().any(|kept| name == *kept));
        let environment = Environment::filtered(vars);
        let launcher = Launcher::new(Some(HEAL.into()), environment.clone(), Interrupt::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let means = runtime.block_on(launcher.means());
        std::fs::create_dir_all(project.cache()).expect("a cache");
        let why = runtime.block_on(launcher.no_layers(&project.cache(), &[]));
        if means.no_namespaces.is_some() || why.is_some() {
            let told = project.heal(&["doctor"]).stdout;
            assert!(told.contains("no overlay"), "{told}");
            return None;
        }
        let repository = Repository::discover(&project.root, &launcher).expect("a repository");
        let containment = Containment::new(
            &means,
            Network::Loopback,
            false,
            &Surroundings {
                environment: &environment,
                root: &project.root,
                common_dir: repository.common_dir(),
                cache: &project.cache(),
                programs: &[HEAL.into()],
            },
        );
        Some(Stand { project, launcher, environment, containment, repository, runtime })
    }

    fn pool(&self) -> Pool {
        let snapshot = Snapshot::take(&self.repository).expect("a snapshot");
        let pool = Pool::open(&self.repository, &snapshot, &self.project.cache()).expect("a pool");
        pool.set_method(Method::Overlay);
        pool
    }

    /// Runs `command` in the scratch, as a test command is run.
    fn run(&self, scratch: &dyn Scratch, command: Command) -> Finished {
        let mut command = command.cwd(scratch.root());
        for (name, value) in scratch.environment() {
            command = command.env(name, value);
        }
        let kept = scratch.kept();
        let writable: Vec<&Path> = std::iter::once(scratch.root()).chain(kept.iter().map(PathBuf::as_path)).collect();
        let contained = self.containment.contain(&mut command, &self.environment, &writable, scratch.layers());
        let contained = contained.expect("contained");
        let run = self.launcher.run_confined(&command, contained.confinement.as_ref());
        self.runtime.block_on(run).expect("runs")
    }

    fn python(&self, scratch: &dyn Scratch, script: &str) -> String {
        let finished = self.run(scratch, Command::new("python3").args(["-c", script]));
        assert!(finished.exit.is_success(), "{}", finished.stderr.text);
        finished.stdout.text
    }

    fn list(&self, scratch: &dyn Scratch) -> String {
        self.python(scratch, LIST)
    }

    fn patch(&self, path: &str, before: &str, after: &str) -> Patch {
        Patch::of_file(RelPath::new(path).expect("a path"), before, after)
    }
}

fn modified(path: &Path) -> std::time::SystemTime {
    path.metadata().and_then(|about| about.modified()).expect("a time")
}

#[test]
fn whatever_a_command_did_is_gone_and_the_tree_below_never_saw_it() {
    let files = [("a.py", "a\n"), ("b.py", "b\n"), ("deep/er/c.py", "c\n"), ("bin/run.sh", "r\n")];
    let Some(stand) = Stand::new(&files) else { return };
    std::os::unix::fs::symlink("a.py", stand.project.root.join("link")).expect("a link");
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    assert_eq!(scratch.method().name(), "overlay");
    let before = stand.list(&*scratch);
    let below = stand.project.root.join("a.py");
    let times: Vec<_> = files.iter().map(|(path, _)| modified(&scratch.root().join(path))).collect();
    let ruin = "
import os, shutil
open('a.py', 'w').write('ruined'); os.chmod('b.py', 0o400); os.chmod('bin', 0o500)
shutil.rmtree('deep'); open('deep', 'w').write('now a file')
os.remove('link'); os.symlink('/etc/passwd', 'link')
os.makedirs('made/folder'); os.chmod('made/folder', 0)
shutil.rmtree('bin') if os.path.exists('bin') else None
os.makedirs('bin/other'); os.link('a.py', 'hard')
";
    stand.python(&*scratch, ruin);
    assert_ne!(stand.list(&*scratch), before, "one command sees what another one wrote");
    assert_eq!(std::fs::read_to_string(scratch.root().join("a.py")).expect("below"), "a\n");
    scratch.restore().expect("restored");
    assert_eq!(stand.list(&*scratch), before);
    // Nothing was built, so no file had to be made newer.
    let now: Vec<_> = files.iter().map(|(path, _)| modified(&scratch.root().join(path))).collect();
    assert_eq!(now, times);
    assert_eq!(std::fs::read_to_string(below).expect("the user's"), "a\n");
}

#[test]
fn a_patch_is_seen_by_commands_alone_and_goes_again() {
    let files = [("a.py", "a\n"), ("b.py", "b\n"), ("pkg/c.py", "c\n")];
    let Some(stand) = Stand::new(&files) else { return };
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    let before = stand.list(&*scratch);
    let change = |path: &str, before: Option<&str>, after: Option<&str>| FileChange {
        path: RelPath::new(path).expect("a path"),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let patch = Patch::new(vec![
        change("a.py", Some("a\n"), Some("A\n")),
        change("b.py", Some("b\n"), None),
        change("new/n.py", None, Some("n\n")),
    ]);
    scratch.lay(&patch).expect("laid");
    let patched = stand.list(&*scratch);
    for (text, is_there) in [("./a.py 0o644 b'A\\n'", true), ("./b.py", false), ("./new/n.py 0o644 b'n\\n'", true)] {
        assert_eq!(patched.contains(text), is_there, "{text}: {patched}");
    }
    for (path, text) in files {
        assert_eq!(std::fs::read_to_string(scratch.root().join(path)).expect("below"), text);
        let left = scratch.left(&RelPath::new(path).expect("a path"));
        assert_eq!(left.is_some(), path != "pkg/c.py", "{path}");
    }
    scratch.lay(&patch).expect("laid again");
    assert_eq!(stand.list(&*scratch), patched);
    scratch.restore().expect("restored");
    assert_eq!(stand.list(&*scratch), before);
    // Of another text, or through a file, nothing is laid.
    for bad in [change("b.py", Some("other\n"), Some("x")), change("a.py/x.py", None, Some("x"))] {
        scratch.lay(&Patch::new(vec![change("a.py", Some("a\n"), Some("A\n")), bad])).expect_err("refused");
        assert_eq!(stand.list(&*scratch), before);
    }
}

#[test]
fn what_stays_as_it_was_laid_keeps_its_time() {
    let Some(stand) = Stand::new(&[("a.py", "a\n"), ("b.py", "b\n")]) else { return };
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    let patch = stand.patch("a.py", "a\n", "A\n");
    let path = RelPath::new("a.py").expect("a path");
    scratch.lay(&patch).expect("laid");
    let laid = modified(&scratch.left(&path).expect("in the layer"));
    stand.python(&*scratch, "open('b.py', 'w').write('ruined')");
    scratch.lay(&patch).expect("laid again");
    assert_eq!(modified(&scratch.left(&path).expect("in the layer")), laid, "nothing is built twice for it");
    assert!(stand.list(&*scratch).contains("b'b\\n'"), "the rest is put right");
    stand.python(&*scratch, "import os; os.utime('a.py'); open('a.py', 'w').write('Z\\n')");
    scratch.lay(&patch).expect("laid again");
    assert!(stand.list(&*scratch).contains("b'A\\n'"), "what a command changed of it is put right");
}

/// A crate whose only test fails.
const CRATE: [(&str, &str); 3] = [
    ("Cargo.toml", "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
    ("src/lib.rs", WRONG),
    (".gitignore", "target\nCargo.lock\n"),
];
const WRONG: &str = "pub fn one() -> u32 { 2 }\n#[test] fn is_one() { assert_eq!(one(), 1) }\n";
const RIGHT: &str = "pub fn one() -> u32 { 1 }\n#[test] fn is_one() { assert_eq!(one(), 1) }\n";

impl Stand {
    fn crate_passes(&self, scratch: &dyn Scratch) -> bool {
        let finished = self.run(scratch, Command::new("cargo").args(["test", "--offline", "-q", "--lib"]));
        assert!(finished.stdout.text.contains("running 1 test"), "{}", finished.stderr.text);
        finished.exit.is_success()
    }
}

#[test]
fn cargo_never_judges_a_candidate_by_a_stale_binary() {
    let Some(stand) = Stand::new(&CRATE) else { return };
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    let patch = stand.patch("src/lib.rs", WRONG, RIGHT);
    let mut seen = vec![stand.crate_passes(&*scratch)];
    scratch.lay(&patch).expect("laid");
    seen.push(stand.crate_passes(&*scratch));
    scratch.restore().expect("restored");
    seen.push(stand.crate_passes(&*scratch));
    assert_eq!(seen, [false, true, false]);
    // Nor one that heal, killed, left behind: the build outlives the layer.
    scratch.lay(&patch).expect("laid");
    assert!(stand.crate_passes(&*scratch));
    std::mem::forget(scratch);
    let slot = stand.project.cache().join(stand.repository.id()).join("0");
    let pool = after_a_kill(&stand, pool, &slot);
    let scratch = pool.take().expect("a scratch");
    assert!(scratch.root().starts_with(&slot), "the same slot");
    assert!(!stand.crate_passes(&*scratch));
}

/// The pool of a heal that starts after one that was killed: with its lock
/// gone, and all else as it was.
fn after_a_kill(stand: &Stand, killed: Pool, slot: &Path) -> Pool {
    std::mem::forget(killed);
    // The lock of a process that is gone is gone with it; here it is another
    // file.
    std::fs::remove_file(slot.join("lock")).expect("the lock");
    stand.pool()
}

#[test]
fn the_next_run_lays_what_changed_in_the_users_tree() {
    let files = [("a.py", "a\n"), ("b.py", "b\n"), ("deep/er/c.py", "c\n"), ("d.py", "d\n")];
    let Some(stand) = Stand::new(&files) else { return };
    let pool = stand.pool();
    drop(pool.take().expect("a scratch"));
    drop(pool);
    let slot = stand.project.cache().join(stand.repository.id()).join("0");
    assert!(slot.join("sealed").exists());
    stand.project.write(&[("a.py", "A\n"), ("new/n.py", "n\n")]);
    std::fs::remove_dir_all(stand.project.root.join("deep")).expect("removed");
    stand.project.write(&[("deep", "now a file\n")]);
    std::fs::remove_file(stand.project.root.join("d.py")).expect("removed");
    stand.project.write(&[("d.py/e.py", "e\n")]);
    let pool = stand.pool();
    let scratch = pool.take().expect("a scratch");
    let theirs = Command::new("python3").args(["-c", LIST]).cwd(&stand.project.root);
    let theirs = stand.runtime.block_on(stand.launcher.run(&theirs)).expect("listed").stdout.text;
    assert_eq!(stand.list(&*scratch), theirs);
    drop((scratch, pool));
    // A tree that was laid when the machine was last started is looked at
    // again, and so is one that commands could write.
    for (seal, method) in [(Some("another start\n"), Method::Overlay), (None, Method::Checkout)] {
        if let Some(seal) = seal {
            std::fs::write(slot.join("sealed"), seal).expect("a seal");
            std::fs::write(slot.join("tree/a.py"), "lost\n").expect("lost");
        } else {
            let pool = stand.pool();
            pool.set_method(method);
            let scratch = pool.take().expect("a scratch");
            assert!(!slot.join("sealed").exists() && !slot.join("upper").exists());
            std::fs::write(scratch.root().join("a.py"), "by a test\n").expect("written");
            drop((scratch, pool));
        }
        let pool = stand.pool();
        let scratch = pool.take().expect("a scratch");
        assert_eq!(stand.list(&*scratch), theirs);
    }
}

#[test]
fn installed_packages_are_real_folders_whose_changes_stay_in_the_scratch() {
    let Some(stand) = Stand::new(&[(".gitignore", "node_modules\nenv\n"), ("packages/own/index.js", "own\n")]) else {
        return;
    };
    stand.project.write(&[
        ("node_modules/other/index.js", "other\n"),
        ("env/pyvenv.cfg", "home = /usr\n"),
        ("packages/own/node_modules/inner.js", "inner\n"),
    ]);
    // As npm and pnpm link the packages of one repository to each other.
    let link = stand.project.root.join("node_modules/own");
    std::os::unix::fs::symlink("../packages/own", &link).expect("a link");
    // Another's file: root may write it, so it must in a layer (a copy there needs an owner that the namespace knows).
    // Nobody else can make one, nor write it.
    let theirs = stand.project.root.join("node_modules/other/index.js");
    let is_root = std::os::unix::fs::chown(&theirs, Some(1000), Some(1000)).is_ok();
    assert_eq!(is_root, nix::unistd::geteuid().is_root());
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    scratch.lay(&stand.patch("packages/own/index.js", "own\n", "patched\n")).expect("laid");
    let told = stand.python(
        &*scratch,
        "
import os
print(open('node_modules/own/index.js').read(), open('packages/own/node_modules/inner.js').read(), end='')
print(os.path.realpath('node_modules/own/index.js') == os.path.realpath('packages/own/index.js'))
print(os.path.islink('node_modules'), os.path.exists('env/pyvenv.cfg'))
open('node_modules/.cache', 'w').write('x'); open('node_modules/other/index.js', 'w').write('ruined')
",
    );
    assert_eq!(told, "patched\n inner\nTrue\nFalse True\n", "a package of the repository is the scratch's");
    assert_eq!(stand.project.read("node_modules/other/index.js"), "other\n");
    assert!(!stand.project.root.join("node_modules/.cache").exists());
    scratch.restore().expect("restored");
    let told = stand.python(&*scratch, "print(open('node_modules/other/index.js').read(), end='')");
    assert_eq!(told, "other\n");
}

#[test]
fn the_tree_below_is_out_of_a_commands_reach() {
    let Some(stand) = Stand::new(&[("a.py", "a\n")]) else { return };
    let pool = stand.pool();
    let scratch = pool.take().expect("a scratch");
    let upper: PathBuf = scratch.layers()[0].upper.clone();
    std::fs::write(upper.join("mark"), "x").expect("a mark in the layer");
    let told = stand.python(
        &*scratch,
        &format!(
            "
import os
print(os.path.exists('mark'), os.path.exists({upper:?}), os.listdir(os.path.dirname(os.getcwd())))
"
        ),
    );
    assert_eq!(told, "True False ['tree']\n");
}

/// A test that renames a directory of the tree and back.
const RENAMING: (&str, &str) = (
    "tests/test_move.py",
    "import os\nimport unittest\n\nHERE = os.path.dirname(__file__)\n\n\nclass MoveTest(unittest.TestCase):\n    def \
     test_move(self):\n        os.rename(HERE + \"/data\", HERE + \"/moved\")\n        os.rename(HERE + \"/moved\", HERE + \
     \"/data\")\n",
);

#[test]
fn the_evidence_names_the_method_and_tests_that_rename_directories_get_checkouts() {
    let renames = [SHOP, &[RENAMING, ("tests/data/a.txt", "a\n")]].concat();
    for (files, flags, wanted) in
        [(SHOP, [].as_slice(), "overlay"), (SHOP, &["--scratch", "checkout"], "checkout"), (&renames, &[], "checkout")]
    {
        let Some(stand) = Stand::new(files) else { return };
        let ran = stand.project.heal(&[&["fix", "--offline", "--json"], flags].concat());
        let report = ran.code(0).json();
        let failure = &report["failures"][0];
        assert_eq!(failure["outcome"], "verified", "{report:#}");
        assert_eq!(failure["proposals"][0]["evidence"]["scratch"], wanted, "{flags:?}");
        let notes = report["notes"].to_string();
        assert_eq!(notes.contains("rename directories"), files.len() > SHOP.len(), "{notes}");
    }
}

#[test]
fn an_overlay_that_was_asked_for_and_is_not_to_be_had_ends_the_run() {
    let project = Project::new(SHOP);
    let ran = project.heal(&["fix", "--offline", "--scratch", "overlay", "--sandbox", "off"]).code(5);
    assert!(ran.stderr.contains("scratches cannot be overlays here: it needs the sandbox"), "{}", ran.stderr);
}

#[test]
fn taking_files_out_of_the_layer_never_goes_through_a_link() {
    let Some(stand) = Stand::new(&[("tests/a.py", "a\n"), ("b.py", "b\n")]) else { return };
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    let before = stand.list(&*scratch);
    let patch = stand.patch("b.py", "b\n", "B\n");
    scratch.lay(&patch).expect("laid");
    let users = stand.project.root.join("tests");
    let script =
        format!("import os, shutil; shutil.rmtree('tests'); os.symlink({users:?}, 'tests'); open('left', 'w')");
    stand.python(&*scratch, &script);
    assert!(scratch.leaves(&patch));
    let files = ["tests/a.py", "b.py"].map(|path| RelPath::new(path).expect("a path"));
    assert!(scratch.strip(&files).expect("stripped"), "something is left");
    assert_eq!(stand.project.read("tests/a.py"), "a\n", "the user's file is there");
    let now = stand.list(&*scratch);
    assert_eq!(now.replace("./left 0o644 b''\n", ""), before);
    assert!(scratch.strip(&[RelPath::new("left").expect("a path")]).is_ok_and(|left| !left));
}

#[test]
fn bytecode_of_the_snapshot_is_kept_and_no_candidate_runs_from_it() {
    let text = "def f():\n    return 1\n";
    let Some(stand) = Stand::new(&[("pkg/a.py", text), ("pkg/__init__.py", "")]) else { return };
    // One second tells times of sources apart: nothing is kept of a file that has just been written.
    for file in ["pkg/a.py", "pkg/__init__.py"] {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        let file = std::fs::File::options().write(true).open(stand.project.root.join(file)).expect("a file");
        file.set_modified(old).expect("an older file");
    }
    let pool = stand.pool();
    let mut scratch = pool.take().expect("a scratch");
    let kept = scratch.root().with_file_name("bytecode");
    // Whether the module came from bytecode, as Python itself tells it.
    let is_loaded = |scratch: &dyn Scratch| {
        let finished = stand.run(scratch, Command::new("python3").args(["-v", "-c", "import pkg.a"]));
        finished.stderr.text.lines().any(|line| line.contains("pkg/__pycache__/a.") && line.contains(" matches "))
    };
    let value = "import os, pkg.a; print(pkg.a.f(), pkg.a.f.__code__.co_filename.startswith(os.getcwd()))";
    // Of a command in which candidates run that no file holds, nothing is kept.
    scratch.distrust();
    assert!(!is_loaded(&*scratch));
    scratch.restore().expect("restored");
    assert!(!is_loaded(&*scratch) && !kept.exists());
    scratch.restore().expect("restored");
    assert!(is_loaded(&*scratch) && kept.exists());
    assert_eq!(stand.python(&*scratch, value), "1 True\n");

    // A candidate of the same size, and were it of the same time: its own text runs.
    let patch = stand.patch("pkg/a.py", text, "def f():\n    return 2\n");
    let same_time = format!("import os\nos.utime('pkg/a.py', (TIME, TIME))\n{value}");
    let seconds = modified(&stand.project.root.join("pkg/a.py")).duration_since(std::time::UNIX_EPOCH).expect("a time");
    let same_time = same_time.replace("TIME", &seconds.as_secs().to_string());
    for _ in 0..2 {
        scratch.lay(&patch).expect("laid");
        assert_eq!(stand.python(&*scratch, &same_time), "2 True\n");
        // Its own bytecode goes with it.
        assert!(is_loaded(&*scratch));
    }
    scratch.restore().expect("restored");
    assert_eq!(stand.python(&*scratch, value), "1 True\n");

    // A second scratch has it too, at its own path.
    let other = pool.take().expect("a scratch");
    assert!(is_loaded(&*other));
    assert_eq!(stand.python(&*other, value), "1 True\n");

    // The tree itself has none, and the next run none of this one's.
    assert!(!scratch.root().join("pkg/__pycache__").exists());
    drop((scratch, other));
    pool.close();
    assert!(!kept.exists());
}
