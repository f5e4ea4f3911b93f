//! git on real repositories.

use pretty_assertions::assert_eq;

use super::fixture::Fixture;
use super::*;
use crate::interrupt::Interrupt;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::process::Environment;
use crate::source::Lines;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn names(listing: &Listing) -> Vec<String> {
    listing.entries.iter().map(|entry| entry.path.to_string_lossy().into_owned()).collect()
}

/// The commit, the files that differ from it, and their texts now.
fn tree(repository: &Repository) -> (Option<String>, Vec<RelPath>, impl Fn(&RelPath) -> Option<String>) {
    let listing = repository.listing().expect("listing");
    let changed: Vec<RelPath> = listing
        .entries
        .iter()
        .filter(|entry| entry.changed)
        .filter_map(|entry| RelPath::new(entry.path.to_str()?).ok())
        .collect();
    let root = repository.root().to_owned();
    (listing.commit, changed, move |path| std::fs::read_to_string(path.under(&root)).ok())
}

fn changes(repository: &Repository) -> Vec<(String, Vec<Lines>)> {
    let (commit, changed, read) = tree(repository);
    let changes = repository.recent_changes(commit.as_deref(), &changed, &read).expect("changes");
    changes.into_iter().map(|(path, lines)| (path.as_str().to_owned(), lines)).collect()
}

fn last_changes(repository: &Repository) -> Vec<Change> {
    let (commit, changed, read) = tree(repository);
    repository.last_changes(commit.as_deref(), &changed, &read, 3).expect("changes")
}

#[test]
fn a_repository_is_found_from_a_folder_or_file_inside() {
    let fixture = Fixture::with(&[("src/a.py", "x\n")]);
    for start in ["", "src", "src/a.py"] {
        let repository = Repository::discover(&fixture.root.join(start), &fixture.launcher).expect(start);
        assert_eq!(repository.root(), fixture.root);
        assert_eq!(repository.common_dir(), fixture.root.join(".git"));
    }
    assert_eq!(fixture.repository().branch().expect("branch"), Some("main".into()));
    assert_eq!(fixture.repository().head().expect("head"), Some(fixture.git(&["rev-parse", "HEAD"])));
}

#[test]
fn what_is_no_usable_repository_is_told_apart() {
    let fixture = Fixture::empty();
    let outside = fixture.dir.path().join("outside");
    std::fs::create_dir(&outside).expect("folder");
    let error = Repository::discover(&outside, &fixture.launcher).expect_err("outside");
    assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("git init")));

    let error = Repository::discover(&outside.join("gone"), &fixture.launcher).expect_err("gone");
    assert!(matches!(error, GitError::NoSuchPath { .. }), "{error}");

    fixture.git(&["init", "-q", "--bare", "../bare"]);
    let error = Repository::discover(&fixture.dir.path().join("bare"), &fixture.launcher).expect_err("bare");
    assert!(matches!(error, GitError::Bare { .. }), "{error}");

    let error = Repository::discover(&fixture.root.join(".git"), &fixture.launcher).expect_err("inside .git");
    assert!(matches!(error, GitError::NotARepository { .. }), "{error}");

    let nowhere = Environment::filtered([("PATH".into(), outside.clone().into())]);
    let launcher = Launcher::new(None, nowhere, Interrupt::new());
    let error = Repository::discover(&outside, &launcher).expect_err("no git");
    assert!(matches!(error, GitError::NoGit { .. }), "{error}");
    // Found without git, it still cannot be worked with.
    let error = Repository::discover(&fixture.root, &launcher).expect("found").listing().expect_err("no git");
    assert!(matches!(error, GitError::NoGit { .. }), "{error}");
}

#[test]
fn a_repository_is_found_where_git_finds_it() {
    let fixture = Fixture::with(&[("src/a.py", "x\n")]);
    let outer = fixture.root.parent().expect("folder").to_owned();
    fixture.git(&["worktree", "add", "-q", "../linked"]);
    fixture.git(&["worktree", "add", "-q", "inside/other"]);
    fixture.git(&["clone", "-q", "--separate-git-dir", "../apart.git", ".", "../apart"]);
    fixture.git(&["init", "-q", "../module"]);
    fixture.git_in(&outer.join("module"), &["commit", "-q", "--allow-empty", "-m", "m"]);
    fixture.git(&["submodule", "--quiet", "add", "../module", "module"]);
    fixture.git(&["clone", "-q", ".", "../elsewhere"]);
    std::fs::create_dir_all(outer.join("tree/deep")).expect("folder");
    fixture.git_in(&outer.join("elsewhere"), &["config", "core.worktree", "../../tree"]);
    std::os::unix::fs::symlink(&fixture.root, outer.join("link")).expect("link");
    for (start, found) in [
        ("project", true),
        ("project/src", true),
        ("link/src", true),
        ("linked", true),
        ("project/inside/other", true),
        ("project/module", true),
        ("apart", true),
        // git goes by the directory that it finds, and then finds it elsewhere.
        ("elsewhere", false),
        ("tree/deep", false),
        ("project/.git", false),
        ("project/.git/refs", false),
        ("apart.git", false),
        (".", false),
    ] {
        let start = outer.join(start).canonicalize().expect("a folder");
        let ours = super::around(&start, &fixture.launcher);
        assert_eq!(ours.is_some(), found, "{}", start.display());
        let gits = super::asked_around(&start, &fixture.launcher).ok();
        assert!(ours.is_none() || ours == gits, "{}: {ours:?} {gits:?}", start.display());
    }
}

#[test]
fn nothing_is_called_where_the_programs_of_its_settings_are_not_known() {
    let fixture = Fixture::with(&[("a.py", "x\n")]);
    let repository = fixture.repository();
    // Broken after it was found, before git is first called.
    std::fs::write(fixture.root.join(".git/config"), "[core\n").expect("settings");
    for answer in [repository.head().map(drop), repository.listing().map(drop), repository.branch().map(drop)] {
        let error = answer.expect_err("called");
        assert!(matches!(error, GitError::Failed { .. }) && error.to_string().contains("config"), "{error}");
    }
}

#[test]
fn a_repository_of_somebody_else_is_told_apart() {
    if !nix::unistd::geteuid().is_root() {
        // git itself offers the means to ordinary users.
        let fixture = Fixture::empty();
        let vars = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/")].map(|(k, v)| (k.into(), v.into()));
        let launcher = Launcher::new(None, Environment::filtered(vars), Interrupt::new());
        assert!(Repository::discover(&fixture.root, &launcher).is_ok());
        return;
    }
    let fixture = Fixture::empty();
    for path in [fixture.root.clone(), fixture.root.join(".git")] {
        nix::unistd::chown(&path, Some(nix::unistd::Uid::from_raw(4321)), None).expect("chown");
    }
    let error = Repository::discover(&fixture.root, &fixture.launcher).expect_err("distrusted");
    assert!(matches!(error, GitError::DubiousOwnership { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("safe.directory")));
}

#[test]
fn a_listing_is_the_tree_as_it_stands() {
    let fixture =
        Fixture::with(&[("a.py", "a\n"), ("gone.py", "g\n"), ("moved.py", "m\n"), (".gitignore", "*.log\nbuild/\n")]);
    let repository = fixture.repository();
    assert!(!repository.is_dirty().expect("status") && !repository.listing().expect("listing").dirty);
    std::fs::remove_file(fixture.root.join("gone.py")).expect("removed");
    fixture.git(&["mv", "moved.py", "ünd er.py"]);
    fixture.write("new/n.py", "n\n");
    fixture.write("x.log", "");
    fixture.write("build/deep/o.bin", "");
    std::os::unix::fs::symlink("a.py", fixture.root.join("link")).expect("link");
    let listing = repository.listing().expect("listing");
    assert_eq!(names(&listing), [".gitignore", "a.py", "link", "new/n.py", "ünd er.py"]);
    assert_eq!(listing.entries[2].kind, Kind::Symlink);
    assert_eq!(listing.entries.iter().map(|one| one.tracked).collect::<Vec<_>>(), [true, true, false, false, true]);
    assert_eq!(listing.ignored, [PathBuf::from("build"), PathBuf::from("x.log")]);
    assert!(listing.dirty && repository.is_dirty().expect("status"));
    assert_eq!(listing.commit, repository.head().expect("head"));
}

#[test]
fn a_name_that_is_not_utf_8_is_listed() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::empty();
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff\n.txt");
    std::fs::write(fixture.root.join(odd), "x").expect("file");
    let listing = fixture.repository().listing().expect("listing");
    assert_eq!(listing.entries.len(), 1);
    assert_eq!(listing.entries[0].path.as_os_str(), odd);
    assert_eq!(listing.commit, None);
}

#[test]
fn a_sparse_checkout_lists_what_is_there() {
    let fixture = Fixture::with(&[("in/a.py", "a\n"), ("out/b.py", "b\n")]);
    fixture.git(&["sparse-checkout", "set", "--sparse-index", "in"]);
    let repository = fixture.repository();
    let listing = repository.listing().expect("listing");
    assert_eq!(names(&listing), ["in/a.py"]);
    assert!(!listing.dirty);
    let patch = Patch::of_file(path("in/a.py"), "a\n", "A\n");
    repository.commit_on_branch("fix", &patch, "m").expect("commit");
    assert_eq!(fixture.git(&["ls-tree", "-r", "--name-only", "fix"]), "in/a.py\nout/b.py");
    assert_eq!(changes(&repository), []);
}

#[test]
fn an_index_in_several_files_or_with_conflicts_is_read_all_the_same() {
    let fixture = Fixture::with(&[("a-b.py", "1\n"), ("a/b.py", "2\n"), ("a.py", "3\n")]);
    let wanted = ["a/b.py", "a-b.py", "a.py"];
    assert_eq!(names(&fixture.repository().listing().expect("listing")), wanted);
    fixture.git(&["checkout", "-q", "-b", "other"]);
    fixture.write("a.py", "theirs\n");
    fixture.commit("theirs");
    fixture.git(&["checkout", "-q", "-"]);
    fixture.write("a.py", "ours\n");
    fixture.commit("ours");
    let merge = std::process::Command::new("git").args(["merge", "-q", "other"]).current_dir(&fixture.root).output();
    assert!(!merge.expect("git runs").status.success(), "a conflict");
    for split in [false, true] {
        if split {
            fixture.git(&["update-index", "--split-index"]);
            assert!(git2::Index::open(&fixture.root.join(".git/index")).is_err(), "libgit2 reads it by now");
        }
        let listing = fixture.repository().listing().expect("listing");
        assert_eq!(names(&listing), wanted, "split: {split}");
        let changed: Vec<bool> = listing.entries.iter().map(|one| one.changed).collect();
        assert_eq!(changed, [false, false, true], "split: {split}");
    }
}

#[test]
fn an_index_that_somebody_made_up_names_nothing_outside_the_tree() {
    for (tracked, made_up) in
        [("aa/x.py", "../x.py"), ("aaaa/x", ".git/x"), ("aaaa/x", ".GIT/x"), ("aa/b/x", "aa/../x")]
    {
        let fixture = Fixture::with(&[("a.py", "a\n"), (tracked, "x\n")]);
        std::fs::write(fixture.dir.path().join("x.py"), "of somebody else\n").expect("file");
        std::fs::write(fixture.root.join(".git/x"), "git's own\n").expect("file");
        let path = fixture.root.join(".git/index");
        let index = std::fs::read(&path).expect("index");
        let (body, _) = index.split_at(index.len() - 20);
        let at = body.windows(tracked.len()).position(|window| window == tracked.as_bytes()).expect("the entry");
        let body = [&body[..at], made_up.as_bytes(), &body[at + made_up.len()..]].concat();
        std::fs::write(&path, body).expect("index");
        let sign =
            "import hashlib, sys; index = open(sys.argv[1], 'rb+'); index.write(hashlib.sha1(index.read()).digest())";
        let signed = std::process::Command::new("python3").args(["-c", sign]).arg(&path).status();
        assert!(signed.expect("python3 runs").success());
        let seen = std::sync::Mutex::new(Vec::new());
        let note = |tracked: &[Listed]| seen.lock().expect("lock").extend(tracked.iter().map(|one| one.path.clone()));
        let listing = fixture.repository().listing_while(&note);
        assert_eq!(seen.into_inner().expect("lock"), [Path::new("a.py")], "{made_up}");
        // The file that it was made of is still there.
        let names = names(&listing.expect("a listing")).join(" ");
        assert!(["a.py".to_owned(), format!("a.py {tracked}")].contains(&names), "{made_up}: {names}");
    }
}

#[test]
fn other_work_trees_of_the_repository_are_not_listed_but_submodules_are() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let library = Fixture::with(&[("lib.py", "l\n")]);
    fixture.git(&["submodule", "--quiet", "add", library.root.to_str().expect("path"), "vendor/lib"]);
    fixture.commit("submodule");
    fixture.git(&["worktree", "add", "-q", "trees/other", "-b", "other"]);
    let listing = fixture.repository().listing().expect("listing");
    assert_eq!(names(&listing), [".gitmodules", "a.py", "vendor/lib"]);
    assert_eq!(listing.entries[2].kind, Kind::Submodule);
}

#[test]
fn recent_changes_are_those_of_the_tree_or_of_the_last_commit() {
    let fixture = Fixture::empty();
    fixture.write("a.py", "1\n2\n3\n");
    assert_eq!(changes(&fixture.repository()), [("a.py".to_owned(), vec![Lines::new(1, 3)])]);
    fixture.commit("first");
    assert_eq!(changes(&fixture.repository()), []);
    fixture.write("a.py", "1\ntwo\n3\n4\n5\n");
    fixture.commit("second");
    let by_commit = [("a.py".to_owned(), vec![Lines::new(2, 2), Lines::new(4, 5)])];
    assert_eq!(changes(&fixture.repository()), by_commit);
    fixture.write("a.py", "1\n3\n4\n5\n");
    fixture.write("b b é.py", "x\ny\n");
    fixture.write("image.bin", b"\0\x01\xff");
    let wanted = [("a.py".to_owned(), vec![Lines::new(1, 1)]), ("b b é.py".to_owned(), vec![Lines::new(1, 2)])];
    assert_eq!(changes(&fixture.repository()), wanted);
    fixture.git(&["add", "b b é.py"]);
    assert_eq!(changes(&fixture.repository()), wanted);
}

#[test]
fn the_last_changes_are_told_apart_and_a_file_counts_for_the_latest() {
    let fixture = Fixture::empty();
    assert_eq!(last_changes(&fixture.repository()), []);
    fixture.write("a.py", "1\n");
    fixture.write("b.py", "1\n");
    fixture.commit("first");
    fixture.write("a.py", "1\n2\n");
    fixture.write("b.py", "1\n2\n");
    fixture.commit("second");
    fixture.write("a.py", "1\n2\n3\n");
    fixture.commit("third");
    fixture.write("c.py", "1\n");
    let changes = last_changes(&fixture.repository());
    let told: Vec<(Option<&str>, Vec<&str>)> = changes
        .iter()
        .map(|change| {
            let subject = change.commit.as_ref().map(|(_, subject)| subject.as_str());
            (subject, change.files.iter().map(|(path, _)| path.as_str()).collect())
        })
        .collect();
    let wanted = [(None, vec!["c.py"]), (Some("third"), vec!["a.py"]), (Some("second"), vec!["b.py"])];
    assert_eq!(told, wanted);
    assert_eq!(changes[1].files[0].1, [Lines::new(3, 3)]);
    assert_eq!(fixture.git(&["rev-parse", "HEAD^"]), changes[1].before);
}

#[test]
fn a_blob_is_shown_as_it_is_stored() {
    let fixture = Fixture::with(&[("a.py", "a\r\n")]);
    let repository = fixture.repository();
    assert_eq!(repository.show("HEAD", &path("a.py")).expect("show"), Some(b"a\r\n".to_vec()));
    assert_eq!(repository.show("HEAD", &path("b.py")).expect("show"), None);
    assert_eq!(repository.show("nothing", &path("a.py")).expect("show"), None);
}

/// The patch that the branch tests commit: one file changed, one made, one gone.
fn a_patch() -> Patch {
    let change = |path: &str, before: Option<&str>, after: Option<&str>| FileChange {
        path: RelPath::new(path).expect("path"),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    Patch::new(vec![
        change("run.sh", Some("a\n"), Some("b\n")),
        change("new/made.py", None, Some("n\n")),
        change("gone.py", Some("g\n"), None),
    ])
}

fn to_patch() -> Fixture {
    let fixture = Fixture::empty();
    fixture.write("run.sh", "a\n");
    fixture.write("gone.py", "g\n");
    fixture.write("kept/k.py", "k\n");
    fixture.git(&["add", "-A"]);
    fixture.git(&["update-index", "--chmod=+x", "run.sh"]);
    fixture.git(&["commit", "-q", "-m", "first"]);
    fixture.git(&["checkout", "-q", "--", "."]);
    fixture
}

fn check_branch(fixture: &Fixture, commit: &str) {
    assert_eq!(fixture.git(&["rev-parse", "heal/fix"]), commit);
    assert_eq!(fixture.git(&["rev-parse", "heal/fix^"]), fixture.git(&["rev-parse", "HEAD"]));
    let listed = fixture.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "heal/fix"]);
    assert_eq!(listed, "100644 kept/k.py\n100644 new/made.py\n100755 run.sh");
    assert_eq!(fixture.git(&["show", "heal/fix:run.sh"]), "b");
    let about = fixture.git(&["log", "-1", "--format=%an <%ae>|%B", "heal/fix"]);
    assert_eq!(about, "heal <heal@localhost>|Mend it\n\nHeal-Run: 1");
}

#[test]
fn a_patch_becomes_a_branch_and_nothing_else_changes() {
    let fixture = to_patch();
    fixture.write("kept/k.py", "edited\n");
    fixture.git(&["stash", "-q"]);
    fixture.write("staged.py", "s\n");
    fixture.git(&["add", "staged.py"]);
    let before = fixture.fingerprint();
    let commit = fixture.repository().commit_on_branch("heal/fix", &a_patch(), "Mend it\n\nHeal-Run: 1\n").expect("ok");
    let mut after = fixture.fingerprint();
    after.retain(|path, _| !path.to_string_lossy().contains("heads/heal"));
    assert_eq!(after, before);
    check_branch(&fixture, &commit);
    let again = fixture.repository().commit_on_branch("heal/fix", &a_patch(), "again");
    assert!(matches!(again, Err(GitError::BranchExists { .. })), "{again:?}");
}

#[test]
fn a_repository_that_libgit2_cannot_open_is_committed_to_as_well() {
    let fixture = Fixture::empty();
    std::fs::remove_dir_all(fixture.root.join(".git")).expect("removed");
    fixture.git(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    for (file, text) in [("run.sh", "a\n"), ("gone.py", "g\n"), ("kept/k.py", "k\n")] {
        fixture.write(file, text);
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["update-index", "--chmod=+x", "run.sh"]);
    fixture.git(&["commit", "-q", "-m", "first"]);
    let repository = fixture.repository();
    assert!(repository.library().is_none());
    let commit = repository.commit_on_branch("heal/fix", &a_patch(), "Mend it\n\nHeal-Run: 1\n").expect("commit");
    assert_eq!(commit.len(), 64);
    check_branch(&fixture, &commit);
    assert_eq!(repository.show("heal/fix", &path("run.sh")).expect("show"), Some(b"b\n".to_vec()));
    let left = std::fs::read_dir(repository.git_dir()).expect("git dir").flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("heal-index")));
}

#[test]
fn a_patch_of_other_text_than_heads_is_refused_by_name() {
    let fixture = to_patch();
    std::os::unix::fs::symlink("run.sh", fixture.root.join("link")).expect("link");
    fixture.commit("link");
    let repository = fixture.repository();
    let refused = |path: &str, before: Option<&str>, after: Option<&str>| {
        let change = FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        repository.commit_on_branch("x", &Patch::new(vec![change]), "m").expect_err(path)
    };
    for (path, before) in [("run.sh", Some("other\n")), ("none.py", Some("x\n")), ("run.sh", None)] {
        let error = refused(path, before, Some("new\n"));
        assert!(matches!(&error, GitError::NotBefore { path: named } if named.as_str() == path), "{error}");
    }
    for (path, before) in [("link", Some("run.sh")), ("run.sh/below.py", None)] {
        let error = refused(path, before, Some("new\n"));
        assert!(matches!(&error, GitError::NotAFile { .. }), "{error}");
    }
    assert_eq!(fixture.git(&["branch", "--list", "x"]), "");
}

#[test]
fn a_branch_name_that_git_forbids_is_refused() {
    let fixture = to_patch();
    for name in ["", "a b", "-x", "HEAD", "a..b", "a.lock", "refs/heads/", "~1"] {
        let error = fixture.repository().commit_on_branch(name, &a_patch(), "m").expect_err(name);
        assert!(matches!(error, GitError::BadBranch { .. }), "{name}: {error}");
    }
    let empty = Fixture::empty();
    let error = empty.repository().commit_on_branch("x", &a_patch(), "m").expect_err("no commit");
    assert!(matches!(error, GitError::NoCommit), "{error}");
}

#[test]
fn line_ends_that_a_checkout_added_do_not_hide_the_text() {
    let fixture = Fixture::empty();
    fixture.git(&["config", "core.autocrlf", "true"]);
    fixture.write("a.py", "a\r\nb\r\n");
    fixture.commit("first");
    assert_eq!(fixture.git(&["cat-file", "-s", "HEAD:a.py"]), "4");
    let patch = Patch::of_file(path("a.py"), "a\r\nb\r\n", "a\r\nB\r\n");
    fixture.repository().commit_on_branch("x", &patch, "m").expect("commit");
    assert_eq!(fixture.git(&["cat-file", "-s", "x:a.py"]), "4");
}

#[test]
fn the_users_name_signs_the_commit() {
    let fixture = to_patch();
    fixture.git(&["config", "user.name", "Ana é"]);
    fixture.git(&["config", "user.email", "ana@example.org"]);
    fixture.repository().commit_on_branch("x", &a_patch(), "m").expect("commit");
    assert_eq!(fixture.git(&["log", "-1", "--format=%an <%ae> %cn", "x"]), "Ana é <ana@example.org> Ana é");
}

/// Every setting that makes git run a program, pointing at a trap.
pub(crate) fn make_hostile(fixture: &Fixture) {
    let trap = fixture.trap();
    let settings = [
        "core.fsmonitor",
        "filter.lfs.clean",
        "filter.lfs.smudge",
        "filter.a=b.c.clean",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "credential.helper",
        "gpg.program",
        "hook.evil.command",
        "merge.evil.driver",
    ];
    for setting in settings {
        fixture.git(&["config", setting, &trap]);
    }
    for (name, value) in [
        ("filter.lfs.required", "true"),
        ("hook.evil.event", "post-checkout"),
        ("alias.status", &format!("!{trap}")),
        ("alias.worktree", &format!("!{trap}")),
        ("commit.gpgSign", "true"),
    ] {
        fixture.git(&["config", name, value]);
    }
    let hooks = fixture.root.join(".git/hooks");
    std::fs::create_dir_all(&hooks).expect("hooks");
    for hook in ["post-checkout", "pre-commit", "post-commit", "reference-transaction", "post-index-change"] {
        std::fs::copy(&trap, hooks.join(hook)).expect("hook");
    }
    fixture.write(".gitattributes", "*.py filter=lfs diff=evil merge=evil\n*.bin filter=a=b.c diff=evil\n");
    let _ = std::fs::remove_file(fixture.marker());
}

#[test]
fn a_hostile_configuration_runs_nothing() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("x.bin", "\0\n")]);
    make_hostile(&fixture);
    fixture.write("a.py", "aa\n");
    // Same size and an older time: git must look at the content.
    fixture.write("x.bin", "\x01\n");
    let repository = fixture.repository();
    assert!(repository.listing().expect("listing").dirty);
    assert!(repository.is_dirty().expect("status"));
    assert_eq!(changes(&repository).len(), 2);
    repository.show("HEAD", &path("a.py")).expect("show");
    repository.commit_on_branch("x", &Patch::of_file(path("a.py"), "a\n", "b\n"), "m").expect("commit");
    let tree = fixture.dir.path().join("tree");
    std::fs::create_dir(&tree).expect("tree");
    let head = repository.head().expect("head");
    let worktree = repository.register_worktree(&tree, "heal-1-0", head.as_deref()).expect("registered");
    worktree.reset().expect("reset");
    repository.unregister_worktree(&worktree).expect("unregistered");
    let seen = std::fs::read_to_string(fixture.marker()).unwrap_or_default();
    assert_eq!(seen, "", "a configured program ran");
    fixture.git(&["diff"]);
    assert!(fixture.marker().exists(), "the trap itself does not work");
}

#[test]
fn a_worktree_is_registered_with_its_files_and_leaves_no_trace() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    let before = fixture.fingerprint();
    let repository = fixture.repository();
    let tree = fixture.dir.path().join("a tree é");
    std::fs::create_dir(&tree).expect("tree");
    let head = repository.head().expect("head");
    // By git, and by what was kept of that.
    for _ in 0..2 {
        std::fs::write(tree.join("a.py"), "changed\n").expect("file");
        let worktree = repository.register_worktree(&tree, "heal-1-0", head.as_deref()).expect("registered");
        assert_eq!(fixture.git_in(&tree, &["status", "--porcelain"]), " M a.py");
        assert_eq!(Some(fixture.git_in(&tree, &["rev-parse", "HEAD"])), head);
        assert!(fixture.git(&["worktree", "list"]).contains("a tree é"));
        assert_eq!(fixture.git(&["worktree", "prune", "-v", "--expire=now"]), "");
        assert_eq!(repository.worktree_entries("heal-"), [("heal-1-0".to_owned(), tree.clone())]);

        fixture.git_in(&tree, &["commit", "-q", "-a", "-m", "by a test"]);
        std::fs::write(tree.join(".git"), "gitdir: /nowhere\n").expect("ruined");
        std::fs::write(fixture.root.join(".git/worktrees/heal-1-0/MERGE_HEAD"), "x").expect("merge");
        worktree.reset().expect("reset");
        assert_eq!(fixture.git_in(&tree, &["status", "--porcelain", "--branch"]), "## HEAD (no branch)\n M a.py");
        assert_eq!(Some(fixture.git_in(&tree, &["rev-parse", "HEAD"])), head);

        repository.unregister_worktree(&worktree).expect("unregistered");
        assert_eq!(std::fs::read_to_string(tree.join("a.py")).expect("kept"), "changed\n");
        assert_eq!(fixture.fingerprint(), before);
    }
}

#[test]
fn an_index_that_was_kept_is_believed_for_its_commit_alone_and_only_whole() {
    let fixture = Fixture::with(&[("a.py", "a\n"), ("deep/b.py", "b\n")]);
    let tree = fixture.dir.path().join("tree");
    std::fs::create_dir(&tree).expect("tree");
    let registered = |files: &[&str]| {
        let repository = fixture.repository();
        let head = repository.head().expect("head");
        let worktree = repository.register_worktree(&tree, "heal-1-0", head.as_deref()).expect("registered");
        assert_eq!(fixture.git_in(&tree, &["ls-files"]).lines().collect::<Vec<_>>(), files);
        let logged = fixture.root.join(".git/worktrees/heal-1-0/logs").exists();
        repository.unregister_worktree(&worktree).expect("unregistered");
        let kept = std::fs::read_dir(fixture.dir.path()).expect("read").flatten().map(|entry| entry.path());
        let is_kept =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index-"));
        let kept: Vec<PathBuf> = kept.filter(is_kept).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        // What git itself makes has a log of its HEAD.
        (logged, kept[0].clone())
    };
    let (logged, first) = registered(&["a.py", "deep/b.py"]);
    assert!(!logged, "git is not asked");
    let made = first.metadata().and_then(|about| about.modified()).expect("a time");
    assert_eq!(registered(&["a.py", "deep/b.py"]), (false, first.clone()));
    assert_eq!(first.metadata().and_then(|about| about.modified()).expect("a time"), made, "it is used again");
    std::fs::write(&first, "no index").expect("damaged");
    assert_eq!(registered(&["a.py", "deep/b.py"]), (false, first.clone()));
    assert_ne!(std::fs::read(&first).expect("kept"), b"no index");
    fixture.write("c.py", "c\n");
    fixture.commit("another");
    let (_, second) = registered(&["a.py", "c.py", "deep/b.py"]);
    assert_ne!(second, first);
    fixture.git(&["config", "extensions.worktreeConfig", "true"]);
    let (logged, _) = registered(&["a.py", "c.py", "deep/b.py"]);
    assert!(logged, "a newer format is git's own business");
}

#[test]
fn a_repository_without_a_commit_has_worktrees_too() {
    let fixture = Fixture::empty();
    fixture.write("a.py", "a\n");
    let before = fixture.fingerprint();
    let repository = fixture.repository();
    let tree = fixture.dir.path().join("tree");
    std::fs::create_dir(&tree).expect("tree");
    std::fs::write(tree.join("a.py"), "a\n").expect("file");
    let worktree = repository.register_worktree(&tree, "heal-1-0", None).expect("registered");
    assert_eq!(fixture.git_in(&tree, &["status", "--porcelain"]), "?? a.py");
    assert!(!fixture.git(&["count-objects"]).starts_with('0'));
    repository.unregister_worktree(&worktree).expect("unregistered");
    assert!(fixture.git(&["count-objects"]).starts_with('0'));
    assert_eq!(fixture.fingerprint(), before);
}

#[test]
fn an_entry_that_cannot_be_made_is_a_typed_error() {
    let fixture = Fixture::with(&[("a.py", "a\n")]);
    std::fs::write(fixture.root.join(".git/worktrees"), "in the way").expect("file");
    let tree = fixture.dir.path().join("tree");
    std::fs::create_dir(&tree).expect("tree");
    let repository = fixture.repository();
    let head = repository.head().expect("head");
    let error = repository.register_worktree(&tree, "heal-1-0", head.as_deref()).expect_err("in the way");
    assert!(matches!(error, GitError::Failed { .. }), "{error}");
    assert!(!fixture.dir.path().join("heal-1-0").exists());
}
