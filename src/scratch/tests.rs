//! Scratches of real repositories.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use pretty_assertions::assert_eq;

use super::*;
use crate::git::fixture::Fixture;
use crate::patch::FileChange;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn cache(fixture: &Fixture) -> PathBuf {
    fixture.dir.path().join("cache")
}

fn pool(fixture: &Fixture) -> Pool {
    let repository = fixture.repository();
    let snapshot = Snapshot::take(&repository).expect("snapshot");
    Pool::open(&repository, &snapshot, &cache(fixture)).expect("pool")
}

fn text(scratch: &dyn Scratch, name: &str) -> String {
    std::fs::read_to_string(scratch.root().join(name)).unwrap_or_else(|error| format!("({error})"))
}

fn modified(file: impl AsRef<Path>) -> (i64, i64) {
    let about = file.as_ref().symlink_metadata().expect("metadata");
    (about.mtime(), about.mtime_nsec())
}

/// Every path below `root` but git's own, with what it holds.
fn holds(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder").flatten() {
            let (path, about) = (entry.path(), entry.metadata().expect("metadata"));
            if entry.file_name() == ".git" {
                continue;
            }
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            if about.is_dir() {
                folders.push(path);
            } else if about.is_symlink() {
                found.push((name, format!("-> {}", path.read_link().expect("link").display())));
            } else {
                let bytes = std::fs::read(&path).expect("file");
                found.push((name, format!("{:o} {}", about.mode() & 0o777, String::from_utf8_lossy(&bytes))));
            }
        }
    }
    found.sort();
    found
}

fn age(file: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    std::fs::File::options().append(true).open(file).expect("file").set_modified(time).expect("time");
}

#[test]
fn a_scratch_is_exactly_the_users_tree() {
    let fixture =
        Fixture::with(&[("a.py", "a\n"), ("staged.py", "1\n"), ("gone.py", "g\n"), ("crlf.txt", "x\r\ny\r\n")]);
    fixture.git(&["config", "core.autocrlf", "input"]);
    fixture.write("staged.py", "2\n");
    fixture.git(&["add", "staged.py"]);
    fixture.write("a.py", "unstaged\n");
    fixture.write("ünd neu/x y.sh", "#!/bin/sh\n");
    let script = fixture.root.join("ünd neu/x y.sh");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750)).expect("mode");
    std::fs::remove_file(fixture.root.join("gone.py")).expect("removed");
    std::fs::write(fixture.root.join(std::ffi::OsStr::from_bytes(b"odd\xff.txt")), "odd\n").expect("odd name");
    std::os::unix::fs::symlink("../outside/it", fixture.root.join("link")).expect("link");
    std::os::unix::fs::symlink("ünd neu", fixture.root.join("folder link")).expect("link");
    age(&fixture.root.join("a.py"), 5000);

    let before = fixture.fingerprint();
    let pool = pool(&fixture);
    let scratch = pool.take().expect("scratch");
    assert_eq!(holds(scratch.root()), holds(&fixture.root));
    for name in ["a.py", "staged.py", "crlf.txt", "ünd neu/x y.sh"] {
        let (ours, theirs) = (scratch.root().join(name), fixture.root.join(name));
        assert_eq!(modified(&ours), modified(&theirs), "{name}");
        assert_eq!(ours.metadata().expect("metadata").nlink(), 1);
    }
    assert_eq!(fixture.git_in(scratch.root(), &["rev-parse", "HEAD"]), fixture.git(&["rev-parse", "HEAD"]));
    assert_eq!(fixture.git_in(scratch.root(), &["branch", "--show-current"]), "");
    let environment = scratch.environment();
    let target = scratch.root().join("target").to_string_lossy().into_owned();
    assert!(environment.contains(&("CARGO_TARGET_DIR".into(), target)));
    assert!(environment.contains(&("PYTHONDONTWRITEBYTECODE".into(), "1".into())));
    assert_eq!(scratch.notes(), Vec::<String>::new());
    drop(scratch);
    pool.close();
    assert_eq!(fixture.fingerprint(), before);
}

#[test]
fn what_is_known_of_a_tree_is_written_down_where_it_differs_and_only_there() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n"), ("c/d.py", "d\n")]);
    // So long that a stat tells of every change.
    std::thread::sleep(Duration::from_nanos(pin::RACY as u64) + Duration::from_millis(100));
    // Written whole, by another file in its place.
    let seen = || {
        let pool = pool(&fixture);
        let scratch = pool.take().expect("scratch");
        let index = scratch.root().with_file_name("pristine.index");
        (index.metadata().expect("an index").ino(), holds(scratch.root()))
    };
    let first = seen();
    assert_eq!(first.1, holds(&fixture.root));
    assert_eq!(seen(), first);
    std::fs::remove_file(fixture.root.join("a.py")).expect("removed");
    let less = seen();
    assert_ne!(less.0, first.0);
    assert_eq!(less.1, holds(&fixture.root));
    assert_eq!(seen(), less);
    fixture.write("c/d.py", "D\n");
    let other = seen();
    assert_ne!(other.0, less.0);
    assert_eq!(other.1, holds(&fixture.root));
    // Nothing is known of what is a link by now.
    fixture.write("c/d.py", "d\n");
    std::fs::remove_file(fixture.root.join("b.py")).expect("removed");
    std::os::unix::fs::symlink("c/d.py", fixture.root.join("b.py")).expect("link");
    std::thread::sleep(Duration::from_nanos(pin::RACY as u64) + Duration::from_millis(100));
    let linked = seen();
    assert_eq!(linked.1, holds(&fixture.root));
    assert_eq!(seen(), linked);
}

#[test]
fn nothing_of_the_users_is_touched_by_a_whole_run() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n")]);
    fixture.write("a.py", "stashed\n");
    fixture.git(&["stash", "-q"]);
    fixture.write("b.py", "edited\n");
    let before = fixture.fingerprint();
    {
        let pool = pool(&fixture);
        let mut one = pool.take().expect("one");
        let mut two = pool.take().expect("two");
        one.apply(&Patch::of_file(path("a.py"), "a\n", "A\n")).expect("applied");
        std::fs::remove_file(two.root().join("b.py")).expect("removed");
        one.restore().expect("restored");
        two.restore().expect("restored");
        assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 3);
    }
    assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(fixture.fingerprint(), before);
}

#[test]
fn a_snapshot_reads_text_as_it_was() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("bin.dat", "x"), ("link.py", "")]);
    fixture.write("bin.dat", b"\xff\xfe");
    std::fs::remove_file(fixture.root.join("link.py")).expect("removed");
    std::os::unix::fs::symlink("a.py", fixture.root.join("link.py")).expect("link");
    let repository = fixture.repository();
    let snapshot = Snapshot::take(&repository).expect("snapshot");
    assert_eq!(snapshot.files(), [path("a.py"), path("bin.dat")]);
    assert!(snapshot.is_dirty());
    assert_eq!(snapshot.commit(), Some(fixture.git(&["rev-parse", "HEAD"]).as_str()));
    assert_eq!(snapshot.read(&path("a.py")), Some("a\n".into()));
    fixture.write("a.py", "saved\n");
    assert_eq!(snapshot.read(&path("a.py")), Some("a\n".into()));
    let pool = Pool::open(&repository, &snapshot, &cache(&fixture)).expect("pool");
    assert_eq!(snapshot.read(&path("a.py")), Some("a\n".into()));
    assert_eq!(text(&*pool.take().expect("scratch"), "a.py"), "a\n");
    for name in ["bin.dat", "link.py", "none.py"] {
        assert_eq!(snapshot.read(&path(name)), None, "{name}");
    }
}

#[test]
fn every_scratch_holds_the_same_snapshot_whatever_is_saved() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n")]);
    let pool = pool(&fixture);
    fixture.write("a.py", "saved before the first\n");
    let mut one = pool.take().expect("one");
    assert_eq!(text(&*one, "a.py"), "a\n");
    fixture.write("b.py", "saved between the two\n");
    fixture.write("new.py", "new\n");
    let two = pool.take().expect("two");
    assert_eq!(holds(two.root()), [("a.py".into(), "644 a\n".into()), ("b.py".into(), "644 b\n".into())]);
    std::fs::write(one.root().join("b.py"), "ruined\n").expect("ruined");
    std::fs::remove_file(fixture.root.join("a.py")).expect("removed");
    std::fs::remove_file(one.root().join("a.py")).expect("removed");
    one.restore().expect("restored");
    assert_eq!(holds(one.root()), holds(two.root()));
}

#[test]
fn the_next_run_sees_what_was_saved_and_rewrites_only_that() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n"), ("gone/c.py", "c\n")]);
    for name in ["a.py", "b.py", "gone/c.py"] {
        age(&fixture.root.join(name), 3600);
    }
    let root = {
        let pool = pool(&fixture);
        pool.take().expect("scratch").root().to_owned()
    };
    let inode = |name: &str| root.join(name).metadata().expect("metadata").ino();
    let (kept, rewritten) = (inode("b.py"), modified(root.join("a.py")));
    fixture.write("a.py", "A\n");
    age(&fixture.root.join("a.py"), 1800);
    std::fs::remove_dir_all(fixture.root.join("gone")).expect("removed");
    let pool = pool(&fixture);
    let scratch = pool.take().expect("scratch");
    assert_eq!(scratch.root(), root);
    assert_eq!(holds(&root), [("a.py".into(), "644 A\n".into()), ("b.py".into(), "644 b\n".into())]);
    assert!(!root.join("gone").exists());
    assert_eq!(inode("b.py"), kept);
    assert_eq!(modified(root.join("b.py")), modified(fixture.root.join("b.py")));
    // Later than the user's own time for it: a build in the scratch may be
    // younger than that.
    assert!(modified(root.join("a.py")) > rewritten);
    assert!(modified(root.join("a.py")) > modified(fixture.root.join("a.py")));
}

#[test]
fn a_change_of_same_size_and_time_is_still_seen() {
    let fixture = Fixture::with(&[("a.py", "1\n")]);
    let file = fixture.root.join("a.py");
    let time = file.metadata().and_then(|about| about.modified()).expect("time");
    drop(pool(&fixture).take().expect("scratch"));
    std::fs::write(&file, "2\n").expect("saved");
    std::fs::File::options().append(true).open(&file).and_then(|file| file.set_modified(time)).expect("time");
    let pool = pool(&fixture);
    assert_eq!(text(&*pool.take().expect("scratch"), "a.py"), "2\n");
}

#[test]
fn a_patch_is_applied_with_times_later_than_any_before() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n"), ("run.sh", "r\n")]);
    std::fs::set_permissions(fixture.root.join("run.sh"), std::fs::Permissions::from_mode(0o755)).expect("mode");
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let root = scratch.root().to_owned();
    let newest = |root: &Path| ["a.py", "b.py", "run.sh"].map(|name| modified(root.join(name))).into_iter().max();
    for round in 0..3 {
        let before = newest(&root);
        scratch.apply(&Patch::of_file(path("a.py"), "a\n", "b\n")).expect("applied");
        assert!(Some(modified(root.join("a.py"))) > before, "round {round}");
        let patched = newest(&root);
        scratch.restore().expect("restored");
        assert_eq!(text(&*scratch, "a.py"), "a\n");
        assert!(Some(modified(root.join("a.py"))) > patched, "round {round}");
    }
    let change = |path: &str, before: Option<&str>, after: Option<&str>| FileChange {
        path: RelPath::new(path).expect("path"),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let patch = Patch::new(vec![
        change("run.sh", Some("r\n"), Some("R\n")),
        change("new/n.py", None, Some("n\n")),
        change("b.py", Some("b\n"), None),
    ]);
    scratch.apply(&patch).expect("applied");
    let wanted = [("a.py", "644 a\n"), ("new/n.py", "644 n\n"), ("run.sh", "755 R\n")];
    assert_eq!(holds(&root), wanted.map(|(name, text)| (name.to_owned(), text.to_owned())));
    scratch.restore().expect("restored");
    assert_eq!(holds(&root), holds(&fixture.root));
    assert!(!root.join("new").exists());
}

#[test]
fn a_patch_of_another_text_changes_nothing() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n"), ("folder/c.py", "c\n")]);
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let before = holds(scratch.root());
    let change = |path: &str, before: Option<&str>| FileChange {
        path: RelPath::new(path).expect("path"),
        before: before.map(str::to_owned),
        after: Some("new\n".to_owned()),
    };
    for bad in
        [change("b.py", Some("other\n")), change("b.py", None), change("none.py", Some("x")), change("folder", None)]
    {
        let name = bad.path.clone();
        let error = scratch.apply(&Patch::new(vec![change("a.py", Some("a\n")), bad])).expect_err("refused");
        assert!(matches!(&error, ScratchError::NotBefore { path } if *path == name), "{error}");
        assert_eq!(holds(scratch.root()), before);
    }
}

#[test]
fn a_patch_never_writes_through_a_link() {
    let fixture = Fixture::with(&[("src/a.py", "a\n")]);
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let outside = fixture.dir.path().join("outside");
    std::fs::create_dir(&outside).expect("folder");
    std::fs::write(outside.join("a.py"), "a\n").expect("file");
    std::fs::remove_dir_all(scratch.root().join("src")).expect("removed");
    std::os::unix::fs::symlink(&outside, scratch.root().join("src")).expect("link");
    let error = scratch.apply(&Patch::of_file(path("src/a.py"), "a\n", "b\n")).expect_err("refused");
    assert!(matches!(error, ScratchError::Escapes { .. }), "{error}");
    scratch.restore().expect("restored");
    assert_eq!(holds(scratch.root()), holds(&fixture.root));
    assert_eq!(std::fs::read_to_string(outside.join("a.py")).expect("outside"), "a\n");
    // A hard link that a test made is not written through either.
    std::fs::hard_link(scratch.root().join("src/a.py"), outside.join("hard")).expect("hard link");
    scratch.apply(&Patch::of_file(path("src/a.py"), "a\n", "b\n")).expect("applied");
    assert_eq!(std::fs::read_to_string(outside.join("hard")).expect("hard"), "a\n");
}

#[test]
fn whatever_a_test_did_is_undone() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n"), ("deep/er/c.py", "c\n"), ("link", "")]);
    std::fs::remove_file(fixture.root.join("link")).expect("removed");
    std::os::unix::fs::symlink("a.py", fixture.root.join("link")).expect("link");
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let root = scratch.root().to_owned();
    let head = fixture.git_in(&root, &["rev-parse", "HEAD"]);
    std::fs::write(root.join("made.txt"), "x").expect("file");
    std::fs::create_dir_all(root.join("made/folder")).expect("folders");
    std::fs::set_permissions(root.join("made/folder"), std::fs::Permissions::from_mode(0o000)).expect("mode");
    std::fs::remove_file(root.join("a.py")).expect("removed");
    std::fs::create_dir_all(root.join("a.py/now/a/folder")).expect("folder");
    std::fs::set_permissions(root.join("b.py"), std::fs::Permissions::from_mode(0o400)).expect("mode");
    std::fs::remove_dir_all(root.join("deep")).expect("removed");
    std::fs::write(root.join("deep"), "now a file").expect("file");
    std::fs::remove_file(root.join("link")).expect("removed");
    std::os::unix::fs::symlink("/etc/passwd", root.join("link")).expect("link");
    std::fs::create_dir_all(root.join("__pycache__")).expect("cache");
    std::fs::write(root.join("__pycache__/x.pyc"), "may be forged").expect("cache");
    std::fs::create_dir_all(root.join("target/debug")).expect("cache");
    std::fs::write(root.join("target/debug/lib"), "kept").expect("cache");
    fixture.git_in(&root, &["add", "made.txt"]);
    fixture.git_in(&root, &["commit", "-q", "-m", "by a test"]);
    scratch.restore().expect("restored");
    let mut wanted = holds(&fixture.root);
    wanted.push(("target/debug/lib".into(), "644 kept".into()));
    wanted.sort();
    assert_eq!(holds(&root), wanted);
    assert_eq!(fixture.git_in(&root, &["rev-parse", "HEAD"]), head);
    assert_eq!(fixture.git_in(&root, &["diff", "--cached", "--name-only"]), "");
}

#[test]
fn stale_bytecode_of_a_patched_file_goes() {
    let fixture = Fixture::with(&[("pkg/a.py", "a\n"), ("pkg/ab.py", "b\n")]);
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let pycache = scratch.root().join("pkg/__pycache__");
    std::fs::create_dir_all(&pycache).expect("folder");
    let (stale, other) = (pycache.join("a.cpython-311.opt-1.pyc"), pycache.join("ab.cpython-311.pyc"));
    std::fs::write(&stale, "x").expect("bytecode");
    std::fs::write(&other, "x").expect("bytecode");
    scratch.apply(&Patch::of_file(path("pkg/a.py"), "a\n", "b\n")).expect("applied");
    assert!(!stale.exists());
    assert!(other.exists());
}

#[test]
fn what_git_ignores_is_carried_linked_or_left_by_what_it_is() {
    let fixture = Fixture::with(&[(
        ".gitignore",
        "*.so\n.env\n.venv/\nnode_modules/\ntarget/\n.mypy_cache/\n_version.py\nbuild/\n",
    )]);
    fixture.write("pkg/fast.so", "elf");
    fixture.write("pkg/_version.py", "v = 1\n");
    fixture.write(".env", "KEY=1\n");
    fixture.write(".venv/pyvenv.cfg", "home = /usr\n");
    fixture.write("web/node_modules/x/index.js", "x");
    fixture.write(".mypy_cache/x.json", "{}");
    fixture.write("build/lib/a.py", "a\n");
    fixture.write("target/CACHEDIR.TAG", "tag");
    fixture.write("target/debug/deps/x.rlib", "rlib");
    fixture.write("target/debug/incremental/big", "big");
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let user = fixture.root.display();
    let wanted = [
        (".env".into(), "644 KEY=1\n".into()),
        (".gitignore".into(), format!("644 {}", fixture.read(".gitignore"))),
        (".venv".into(), format!("-> {user}/.venv")),
        ("build/lib/a.py".into(), "644 a\n".into()),
        ("pkg/_version.py".into(), "644 v = 1\n".into()),
        ("pkg/fast.so".into(), "644 elf".into()),
        ("target/CACHEDIR.TAG".into(), "644 tag".into()),
        ("target/debug/deps/x.rlib".into(), "644 rlib".into()),
        ("web/node_modules".into(), format!("-> {user}/web/node_modules")),
    ];
    assert_eq!(holds(scratch.root()), wanted);
    assert_eq!(scratch.notes().len(), 2);
    // The user's own build goes on; the scratch's directory is not it.
    std::fs::write(scratch.root().join("target/debug/deps/x.rlib"), "candidate").expect("built");
    assert_eq!(fixture.read("target/debug/deps/x.rlib"), "rlib");
    std::fs::remove_file(scratch.root().join(".env")).expect("removed");
    scratch.restore().expect("restored");
    assert_eq!(text(&*scratch, ".env"), "KEY=1\n");
    assert_eq!(text(&*scratch, "target/debug/deps/x.rlib"), "candidate");
    assert_eq!(Snapshot::take(&fixture.repository()).expect("snapshot").files(), [path(".gitignore")]);
}

#[test]
fn build_output_that_nobody_ignored_is_no_part_of_the_snapshot() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("target/tracked.txt", "t\n")]);
    fixture.write("__pycache__/a.cpython-311.pyc", "x");
    fixture.write(".pytest_cache/v/x", "x");
    fixture.write("env/pyvenv.cfg", "home\n");
    fixture.write("rust/target/CACHEDIR.TAG", "tag");
    fixture.write("target/new.txt", "n\n");
    let snapshot = Snapshot::take(&fixture.repository()).expect("snapshot");
    assert_eq!(snapshot.files(), [path("a.py"), path("target/new.txt"), path("target/tracked.txt")]);
    let pool = pool(&fixture);
    let scratch = pool.take().expect("scratch");
    assert!(scratch.root().join("env").is_symlink() && !scratch.root().join("__pycache__").exists());
    assert!(!scratch.root().join(".pytest_cache").exists());
}

#[test]
fn ignored_data_beyond_measure_is_left_out_and_said() {
    let fixture = Fixture::with(&[(".gitignore", "data/\nsmall.bin\n")]);
    fixture.write("small.bin", "s");
    fixture.write("data/x", "");
    let sparse = std::fs::File::create(fixture.root.join("data/huge")).expect("file");
    sparse.set_len(300 << 20).expect("size");
    let pool = pool(&fixture);
    let scratch = pool.take().expect("scratch");
    assert!(!scratch.root().join("data").exists() && scratch.root().join("small.bin").exists());
    assert!(scratch.notes()[0].contains("`data`"), "{:?}", scratch.notes());
}

#[test]
fn a_repository_without_a_commit_has_a_scratch() {
    let fixture = Fixture::empty();
    fixture.write("a.py", "a\n");
    fixture.git(&["add", "a.py"]);
    let before = fixture.fingerprint();
    {
        let pool = pool(&fixture);
        let mut scratch = pool.take().expect("scratch");
        assert_eq!(text(&*scratch, "a.py"), "a\n");
        assert_eq!(fixture.git_in(scratch.root(), &["status", "--porcelain"]), "?? a.py");
        scratch.apply(&Patch::of_file(path("a.py"), "a\n", "b\n")).expect("applied");
        scratch.restore().expect("restored");
        assert_eq!(text(&*scratch, "a.py"), "a\n");
    }
    assert_eq!(fixture.fingerprint(), before);
    assert!(fixture.git(&["count-objects"]).starts_with("1 "));
}

#[test]
fn detached_sparse_and_oddly_named_repositories_have_scratches() {
    let fixture = Fixture::named("mit Leerzeichen é");
    fixture.write("in/a.py", "a\n");
    fixture.write("out/b.py", "b\n");
    fixture.commit("first");
    fixture.git(&["sparse-checkout", "set", "--sparse-index", "in"]);
    fixture.git(&["checkout", "-q", "--detach"]);
    let before = fixture.fingerprint();
    {
        let pool = pool(&fixture);
        let mut scratch = pool.take().expect("scratch");
        assert_eq!(holds(scratch.root()), [("in/a.py".into(), "644 a\n".into())]);
        scratch.apply(&Patch::of_file(path("in/a.py"), "a\n", "b\n")).expect("applied");
        scratch.restore().expect("restored");
        assert_eq!(holds(scratch.root()), [("in/a.py".into(), "644 a\n".into())]);
        assert_eq!(scratch.notes(), Vec::<String>::new());
    }
    assert_eq!(fixture.fingerprint(), before);
}

#[test]
fn a_submodule_is_copied_as_plain_files() {
    let library = Fixture::with(&[("lib.py", "l\n"), ("deep/x.py", "x\n")]);
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    fixture.git(&["submodule", "--quiet", "add", library.root.to_str().expect("path"), "vendor/lib"]);
    fixture.git(&["submodule", "--quiet", "add", library.root.to_str().expect("path"), "vendor/absent"]);
    fixture.commit("submodules");
    fixture.git(&["submodule", "--quiet", "deinit", "-f", "vendor/absent"]);
    fixture.write("vendor/lib/lib.py", "edited\n");
    let before = fixture.fingerprint();
    {
        let pool = pool(&fixture);
        let mut scratch = pool.take().expect("scratch");
        assert_eq!(text(&*scratch, "vendor/lib/lib.py"), "edited\n");
        assert_eq!(text(&*scratch, "vendor/lib/deep/x.py"), "x\n");
        assert!(!scratch.root().join("vendor/lib/.git").exists());
        assert!(scratch.root().join("vendor/absent").is_dir());
        std::fs::remove_dir_all(scratch.root().join("vendor")).expect("removed");
        scratch.restore().expect("restored");
        assert_eq!(text(&*scratch, "vendor/lib/lib.py"), "edited\n");
        assert!(scratch.root().join("vendor/absent").is_dir());
    }
    assert_eq!(fixture.fingerprint(), before);
    let snapshot = Snapshot::take(&fixture.repository()).expect("snapshot");
    assert_eq!(snapshot.files(), [path(".gitmodules"), path("a.py")]);
}

#[test]
fn a_hostile_configuration_runs_nothing_in_a_scratch() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("x.bin", "\0\n")]);
    crate::git::tests::make_hostile(&fixture);
    fixture.write("a.py", "b\n");
    {
        let pool = pool(&fixture);
        let mut scratch = pool.take().expect("scratch");
        scratch.apply(&Patch::of_file(path("a.py"), "b\n", "c\n")).expect("applied");
        scratch.restore().expect("restored");
    }
    assert_eq!(clean_up(&fixture.repository()), 0);
    assert_eq!(std::fs::read_to_string(fixture.marker()).unwrap_or_default(), "", "a configured program ran");
}

#[test]
fn what_the_first_run_reads_while_git_looks_is_what_counts() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("link.py", "l\n")]);
    fixture.write("new.py", "n\n");
    std::fs::remove_file(fixture.root.join("link.py")).expect("removed");
    std::os::unix::fs::symlink("a.py", fixture.root.join("link.py")).expect("link");
    let repository = fixture.repository();
    for (saved, kept) in [("saved\n", "a\n"), ("again\n", "saved\n")] {
        let snapshot = Snapshot::take_again(&repository, &cache(&fixture)).expect("snapshot");
        // The second run reads no more than what changed, and when it is asked.
        let read_ahead = kept == "a\n";
        assert_eq!(snapshot.held_reading(Path::new("a.py")).is_some(), read_ahead);
        assert!(snapshot.held_reading(Path::new("link.py")).is_none());
        if read_ahead {
            fixture.write("a.py", saved);
        }
        let pool = Pool::open(&repository, &snapshot, &cache(&fixture)).expect("pool");
        let scratch = pool.take().expect("scratch");
        assert_eq!((text(&*scratch, "a.py"), text(&*scratch, "new.py")), (kept.to_owned(), "n\n".to_owned()));
    }
}

#[test]
fn two_pools_never_share_a_slot() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let (one, two) = (pool(&fixture), pool(&fixture));
    let (a, b, c) = (one.take().expect("a"), two.take().expect("b"), one.clone().take().expect("c"));
    assert!(a.root() != b.root() && b.root() != c.root() && a.root() != c.root());
    for scratch in [&a, &b, &c] {
        assert_eq!(text(&**scratch, "a.py"), "a\n");
    }
}

#[test]
fn a_scratch_given_back_is_clean_when_it_is_taken_again() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let pool = pool(&fixture);
    let root = {
        let mut scratch = pool.take().expect("scratch");
        scratch.apply(&Patch::of_file(path("a.py"), "a\n", "b\n")).expect("applied");
        scratch.root().to_owned()
    };
    let scratch = pool.take().expect("again");
    assert_eq!((scratch.root(), text(&*scratch, "a.py").as_str()), (root.as_path(), "a\n"));
}

#[test]
fn scratches_can_be_taken_side_by_side() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let pool = pool(&fixture);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(text(&*pool.take().expect("scratch"), "a.py"), "a\n"));
        }
    });
    drop(pool);
    assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn what_a_killed_heal_left_is_cleaned_up_and_what_a_living_one_uses_is_not() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let repository = fixture.repository();
    let head = repository.head().expect("head");
    // As left by `kill -9`: an entry and a lock file that nobody holds; and
    // one whose slot is gone with the cache.
    for (name, slot) in [("heal-4194301-7", "7"), ("heal-4194302-8", "8")] {
        let tree = cache(&fixture).join(repository.id()).join(slot).join("tree");
        std::fs::create_dir_all(&tree).expect("tree");
        std::fs::write(tree.with_file_name("lock"), "").expect("lock");
        repository.register_worktree(&tree, name, head.as_deref()).expect("registered");
    }
    std::fs::remove_dir_all(cache(&fixture).join(repository.id()).join("8")).expect("removed");
    fixture.git(&["worktree", "add", "-q", "--detach", "../heal-of-the-users"]);
    let pool = pool(&fixture);
    let scratch = pool.take().expect("scratch");
    assert_eq!(fixture.git(&["worktree", "list"]).lines().count(), 5);
    assert_eq!(clean_up(&repository), 2);
    let left = fixture.git(&["worktree", "list"]);
    assert!(left.contains("heal-of-the-users"), "{left}");
    assert!(left.contains(&*scratch.root().to_string_lossy()), "{left}");
    assert_eq!(left.lines().count(), 3);
}

#[test]
fn an_entry_that_a_kill_left_before_its_tree_got_its_name_is_cleaned_up() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let repository = fixture.repository();
    let slots = cache(&fixture).join(repository.id());
    let add = |slot: &str, name: &str| {
        let first = slots.join(slot).join(name);
        std::fs::create_dir_all(slots.join(slot)).expect("slot");
        fixture.git(&["worktree", "add", "-q", "--detach", &first.to_string_lossy()]);
        first
    };
    let (there, gone) = (add("7", "heal-4194301-7"), add("8", "heal-4194302-8"));
    std::fs::write(there.with_file_name("lock"), "").expect("lock");
    std::fs::remove_dir_all(gone).expect("removed");
    // Somebody's own, with such a name.
    fixture.git(&["worktree", "add", "-q", "--detach", "../heal-4194303-9"]);
    assert_eq!(clean_up(&repository), 2);
    let left = fixture.git(&["worktree", "list"]);
    assert!(left.contains("heal-4194303-9") && left.lines().count() == 2, "{left}");
}

#[test]
fn a_slot_that_was_laid_half_is_laid_whole() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("b.py", "b\n")]);
    let root = pool(&fixture).take().expect("scratch").root().to_owned();
    let index = root.with_file_name("tree.index");
    for damage in ["half", "gone"] {
        std::fs::write(root.join("a.py"), "patched\n").expect("patched");
        std::fs::write(root.join("left.py"), "left\n").expect("left");
        match damage {
            "half" => std::fs::write(&index, &std::fs::read(&index).expect("index")[..40]).expect("cut"),
            _ => std::fs::remove_file(&index).expect("removed"),
        }
        std::fs::create_dir_all(root.with_file_name("heal-1-0")).expect("leftover");
        let pool = pool(&fixture);
        let scratch = pool.take().expect("scratch");
        assert_eq!(holds(scratch.root()), holds(&fixture.root), "{damage}");
        assert!(!root.with_file_name("heal-1-0").exists());
    }
}

#[test]
fn a_git_directory_that_cannot_be_written_is_said_and_does_not_stop_a_run() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    std::fs::write(fixture.root.join(".git/worktrees"), "in the way").expect("file");
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    assert!(scratch.notes()[0].contains("no git work tree"), "{:?}", scratch.notes());
    assert!(!scratch.root().join(".git").exists());
    assert!(scratch.environment().iter().any(|(name, _)| name == "GIT_CEILING_DIRECTORIES"));
    scratch.apply(&Patch::of_file(path("a.py"), "a\n", "b\n")).expect("applied");
    scratch.restore().expect("restored");
    assert_eq!(text(&*scratch, "a.py"), "a\n");
}

#[test]
fn a_cache_that_cannot_be_written_is_named_with_a_hint() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let file = fixture.dir.path().join("file");
    std::fs::write(&file, "").expect("file");
    let repository = fixture.repository();
    let snapshot = Snapshot::take(&repository).expect("snapshot");
    let error = Pool::open(&repository, &snapshot, &file).expect_err("not a folder");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("XDG_CACHE_HOME")));
}

#[test]
fn a_file_larger_than_memory_should_hold_is_true_as_well() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let mut bytes = vec![7; 17 << 20];
    fixture.write("data.bin", &bytes);
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    fixture.write("data.bin", "saved");
    std::fs::write(scratch.root().join("data.bin"), "ruined").expect("ruined");
    scratch.restore().expect("restored");
    assert!(std::fs::read(scratch.root().join("data.bin")).expect("data") == bytes);
    bytes.clear();
}

#[test]
fn cargo_never_judges_a_candidate_by_a_stale_binary() {
    let fixture = Fixture::with(&[
        ("Cargo.toml", "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
        ("src/lib.rs", "pub fn one() -> u32 { 2 }\n#[test] fn is_one() { assert_eq!(one(), 1) }\n"),
        (".gitignore", "target\nCargo.lock\n"),
    ]);
    let pool = pool(&fixture);
    let mut scratch = pool.take().expect("scratch");
    let passes = |scratch: &dyn Scratch| {
        let mut command = crate::process::Command::new("cargo");
        command = command.args(["test", "--offline", "-q", "--lib"]).cwd(scratch.root());
        for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            command.env.push((name.into(), std::env::var_os(name)));
        }
        for (name, value) in scratch.environment() {
            command = command.env(name, value);
        }
        fixture.launcher.run_now(&command).expect("cargo").exit.is_success()
    };
    let right = "pub fn one() -> u32 { 1 }\n#[test] fn is_one() { assert_eq!(one(), 1) }\n";
    let patch = Patch::of_file(path("src/lib.rs"), fixture.read("src/lib.rs"), right);
    let mut seen = vec![passes(&*scratch)];
    scratch.apply(&patch).expect("applied");
    seen.push(passes(&*scratch));
    scratch.restore().expect("restored");
    seen.push(passes(&*scratch));
    assert_eq!(seen, [false, true, false]);
}
