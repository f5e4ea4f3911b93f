//! Tests of `unified`; decide nothing else.

use std::collections::BTreeMap;
use std::process::Command;
use std::process::Stdio;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

type Tree = BTreeMap<String, String>;

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

fn applied(before: &Tree, diff: &str) -> Result<Tree, UnifiedError> {
    let patch = resolve(&parse(diff)?, &|path| before.get(path.as_str()).cloned())?;
    let mut after = before.clone();
    for change in patch.changes() {
        match &change.after {
            Some(text) => after.insert(change.path.as_str().to_owned(), text.clone()),
            None => after.remove(change.path.as_str()),
        };
    }
    Ok(after)
}

/// What `git apply` makes of the same; `None` where it refuses.
fn applied_by_git(before: &Tree, diff: &str) -> Option<Tree> {
    let dir = tempfile::tempdir().expect("tempdir");
    for (name, text) in before {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
        std::fs::write(file, text).expect("write");
    }
    let mut git = Command::new("git")
        .args(["-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"])
        .current_dir(&dir)
        .env("GIT_CEILING_DIRECTORIES", dir.path().parent().expect("parent"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git starts");
    std::io::Write::write_all(&mut git.stdin.take().expect("stdin"), diff.as_bytes()).expect("git reads");
    if !git.wait().expect("git ends").success() {
        return None;
    }
    let mut after = Tree::new();
    let mut folders = vec![dir.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let entry = entry.expect("entry").path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(&dir).expect("below").to_str().expect("utf-8").to_owned();
                after.insert(name, std::fs::read_to_string(&entry).expect("text"));
            }
        }
    }
    Some(after)
}

const GCD: &str = "def gcd(a, b):\n    if b == 0:\n        return a\n    else:\n        return gcd(a % b, b)\n";
const FIXED: &str = "def gcd(a, b):\n    if b == 0:\n        return a\n    else:\n        return gcd(b, a % b)\n";
const HUNK: &str = "@@ -2,4 +2,4 @@ def gcd(a, b):\n     if b == 0:\n         return a\n     else:\n-        return gcd(a % b, b)\n+        return gcd(b, a % b)\n";

#[test]
fn diffs_are_read_however_they_are_headed() {
    let from = tree(&[("gcd.py", GCD)]);
    for (why, head) in [
        ("git", "diff --git a/gcd.py b/gcd.py\nindex 2c0b1f3..77e1a2c 100644\n--- a/gcd.py\n+++ b/gcd.py\n"),
        ("no prefix", "--- gcd.py\n+++ gcd.py\n"),
        ("time stamps", "--- gcd.py.orig\t2024-01-01 10:00:00 +0000\n+++ gcd.py\t2024-01-02 10:00:00 +0000\n"),
        ("mnemonic prefixes", "--- i/gcd.py\n+++ w/gcd.py\n"),
        ("quoted", "--- \"a/gcd.py\"\n+++ \"b/\\147cd.py\"\n"),
        ("prose before", "Here is the fix:\n\n--- a/gcd.py\n+++ b/gcd.py\n"),
        ("carriage returns in headers", "--- a/gcd.py\r\n+++ b/gcd.py\r\n"),
        (
            "a mail",
            "From 0123 Mon Sep 17 00:00:00 2001\nFrom: Ana <ana@example.org>\nDate: Tue, 3 Nov 2026 10:00:00 +0000\nSubject: [PATCH] gcd\n\nWhy.\n---\n gcd.py | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\ndiff --git a/gcd.py b/gcd.py\nindex 1..2 100644\n--- a/gcd.py\n+++ b/gcd.py\n",
        ),
    ] {
        for tail in ["", "-- \n2.39.5\n\n", "\nThat swaps the arguments.\n"] {
            let wanted = tree(&[("gcd.py", FIXED)]);
            assert_eq!(applied(&from, &format!("{head}{HUNK}{tail}")), Ok(wanted), "{why}, {tail:?}");
        }
    }
}

#[test]
fn wrong_numbers_are_tolerated_where_the_lines_are_found_once() {
    let from = tree(&[("gcd.py", GCD)]);
    let body = HUNK.split_once('\n').expect("header").1;
    for header in
        ["@@ -1,4 +1,4 @@", "@@ -90,4 +90,4 @@", "@@ -2,9 +2,9 @@", "@@ -2,1 +2,1 @@", "@@ ... @@", "@@", "@@ -2 +2 @@"]
    {
        let diff = format!("--- a/gcd.py\n+++ b/gcd.py\n{header}\n{body}");
        assert_eq!(applied(&from, &diff), Ok(tree(&[("gcd.py", FIXED)])), "{header}");
    }
    let twice = tree(&[("a.py", "x = 1\ny\nx = 1\n")]);
    let diff = |header: &str| format!("--- a/a.py\n+++ b/a.py\n{header}\n-x = 1\n+x = 2\n");
    assert_eq!(applied(&twice, &diff("@@ -3 +3 @@")), Ok(tree(&[("a.py", "x = 1\ny\nx = 2\n")])));
    assert!(matches!(applied(&twice, &diff("@@ -2 +2 @@")), Err(UnifiedError::Ambiguous { count: 2, .. })));
}

#[test]
fn a_removed_line_that_looks_like_a_header_stays_a_line() {
    let from = tree(&[("a.sql", "-- old\n-- \nselect 1\n")]);
    let diff = "--- a/a.sql\n+++ b/a.sql\n@@ -1,3 +1,2 @@\n--- old\n--- \n+++ new\n select 1\n";
    assert_eq!(applied(&from, diff), Ok(tree(&[("a.sql", "++ new\nselect 1\n")])));
    let two = "--- a/a.py\n+++ b/a.py\n@@ -1,9 +1,9 @@\n-a\n+b\n--- a/c.py\n+++ b/c.py\n@@ -1 +1 @@\n-c\n+d\n";
    assert_eq!(applied(&tree(&[("a.py", "a\n"), ("c.py", "c\n")]), two), Ok(tree(&[("a.py", "b\n"), ("c.py", "d\n")])));
}

#[test]
fn files_are_created_deleted_renamed_and_copied() {
    let from = tree(&[("a.py", "x\n"), ("b.py", "y\n")]);
    let diff = "diff --git a/new.py b/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n\
        diff --git a/b.py b/b.py\ndeleted file mode 100644\n--- a/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n\
        diff --git a/a.py b/d/a.py\nsimilarity index 100%\nrename from a.py\nrename to d/a.py\n";
    assert_eq!(applied(&from, diff), Ok(tree(&[("new.py", "one\ntwo"), ("d/a.py", "x\n")])));
    let copy = "diff --git a/a.py b/c.py\nsimilarity index 50%\ncopy from a.py\ncopy to c.py\n--- a/a.py\n+++ b/c.py\n@@ -1 +1 @@\n-x\n+z\n";
    assert_eq!(applied(&from, copy), Ok(tree(&[("a.py", "x\n"), ("b.py", "y\n"), ("c.py", "z\n")])));
    let empty = "diff --git a/e.py b/e.py\nnew file mode 100644\nindex 0000000..e69de29\n";
    assert_eq!(applied(&from, empty).expect("creates")["e.py"], "");
    let exists = "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+q\n";
    assert_eq!(applied(&from, exists), Err(UnifiedError::Exists { path: path("a.py") }));
    let half = "--- a/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
    assert!(matches!(applied(&tree(&[("a.py", "x\ny\n")]), half), Err(UnifiedError::DoesNotApply { .. })));
}

#[test]
fn a_folder_named_like_a_prefix_is_found() {
    let from = tree(&[("a/x.py", "1\n")]);
    let diff = "--- a/x.py\n+++ a/x.py\n@@ -1 +1 @@\n-1\n+2\n";
    assert_eq!(applied(&from, diff), Ok(tree(&[("a/x.py", "2\n")])));
}

#[test]
fn a_series_of_mails_builds_on_itself() {
    let from = tree(&[("a.py", "1\n")]);
    let one = "Subject: [PATCH 1/2]\n---\ndiff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-1\n+2\n-- \n2.39.5\n\n";
    let two = "Subject: [PATCH 2/2]\n---\ndiff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-2\n+3\n-- \n2.39.5\n\n";
    let patch = resolve(&parse(&format!("{one}{two}")).expect("diffs"), &|_| from.get("a.py").cloned()).expect("patch");
    assert_eq!(patch, Patch::of_file(path("a.py"), "1\n", "3\n"));
}

#[test]
fn line_ends_of_the_file_are_kept_where_the_diff_lost_them() {
    let from = tree(&[("a.py", "x = 1\r\ny = 2\r\n")]);
    let wanted = Ok(tree(&[("a.py", "x = 1\r\ny = 3\r\n")]));
    let raw = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x = 1\r\n-y = 2\r\n+y = 3\r\n";
    assert_eq!(applied(&from, raw), wanted);
    assert_eq!(applied(&from, &raw.replace("\r\n", "\n")), wanted);
    let open = tree(&[("a.py", "x = 1\ny = 2")]);
    let unmarked = raw.replace("\r\n", "\n");
    assert_eq!(applied(&open, &unmarked), Ok(tree(&[("a.py", "x = 1\ny = 3")])));
    let to_lf = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-x = 1\r\n-y = 2\r\n+x = 1\n+y = 2\n";
    assert_eq!(applied(&from, to_lf), Ok(tree(&[("a.py", "x = 1\ny = 2\n")])));
}

#[test]
fn hostile_and_unsupported_diffs_are_refused() {
    let from = tree(&[("a.py", "x\n")]);
    let hunk = "@@ -1 +1 @@\n-x\n+y\n";
    for (diff, wanted) in [
        (
            format!("--- a/../../etc/passwd\n+++ b/../../etc/passwd\n{hunk}"),
            "line 1: `a/../../etc/passwd` is not a path inside the repository: it climbs out with `..`",
        ),
        (
            format!("--- /etc/passwd\n+++ /etc/passwd\n{hunk}"),
            "line 1: `/etc/passwd` is not a path inside the repository: it is absolute",
        ),
        (
            format!("--- a//etc/passwd\n+++ b//etc/passwd\n{hunk}"),
            "line 1: `/etc/passwd` is not a path inside the repository: it is absolute",
        ),
        (
            format!("--- \"a/x\\000y\"\n+++ \"b/x\\000y\"\n{hunk}"),
            "line 1: `a/x\u{fffd}y` is not a path inside the repository: it holds a control character",
        ),
        (format!("--- a/a.py\n+++ b/a.py\n{hunk}\0"), "line 6 holds a NUL byte"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n".into(),
            "line 2: a symbolic link cannot be checked; leave it out of the patch",
        ),
        (
            format!("diff --git a/l b/l\nindex 1..2 120000\n--- a/l\n+++ b/l\n{hunk}"),
            "line 2: a symbolic link cannot be checked; leave it out of the patch",
        ),
        (
            "diff --git a/m b/m\nnew file mode 160000\n".into(),
            "line 2: a submodule cannot be checked; leave it out of the patch",
        ),
        (
            "diff --git a/a.py b/a.py\nold mode 100644\nnew mode 100755\n".into(),
            "line 2: a change of a file's mode cannot be checked; leave it out of the patch",
        ),
        (
            "diff --git a/i.png b/i.png\nindex 1..2 100644\nBinary files a/i.png and b/i.png differ\n".into(),
            "line 3: a binary file cannot be checked; leave it out of the patch",
        ),
        (
            "diff --git a/i.png b/i.png\nindex 1..2\nGIT binary patch\nliteral 3\n".into(),
            "line 3: a binary file cannot be checked; leave it out of the patch",
        ),
        (
            "--- a/a.py\n+++ b/a.py\n@@ -1,99999999999999999999 +1 @@\n-x\n".into(),
            "line 3: this hunk cannot be read: `99999999999999999999` is no number of lines",
        ),
        (
            "--- a/a.py\n+++ b/a.py\n@@ -1,4000000000 +1,4000000000 @@\n-x\n+y\n".into(),
            "line 3: this hunk cannot be read: `4000000000` is no number of lines",
        ),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n".into(), "line 3: this hunk cannot be read: it has no lines"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-x\n".into(), "line 1: both names are `/dev/null`"),
        (
            "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-x\n+y\n z\n".into(),
            "line 3: this hunk does not apply to `a.py`; the nearest place is line 1",
        ),
        (format!("--- a/b.py\n+++ b/b.py\n{hunk}"), "there is no file `b.py`"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+x\n".into(), "the patch changes nothing"),
        (format!("--- a/a.py\n+++ b/a.py\n{hunk}{hunk}"), "line 6: this hunk overlaps another one of `a.py`"),
        ("nothing here".into(), "the text holds no unified diff"),
        ("--- a/\n+++ b/\n@@ -1 +1 @@\n-x\n+y\n".into(), "line 1: `a/` names no file"),
    ] {
        assert_eq!(applied(&from, &diff).expect_err(&diff).to_string(), wanted, "{diff}");
    }
}

#[test]
fn git_agrees_on_diffs_it_takes() {
    let from = tree(&[("gcd.py", GCD), ("a b.py", "x = 1\ny = 2"), ("é.py", "x\n"), ("crlf.py", "x\r\ny\r\n")]);
    for (name, after) in [
        ("gcd.py", FIXED),
        ("gcd.py", ""),
        ("gcd.py", "def gcd(a, b):\n"),
        ("a b.py", "x = 1\ny = 3\n"),
        ("a b.py", "x = 2\ny = 2"),
        ("é.py", "y\nx\n"),
        ("crlf.py", "x\r\nz\r\n"),
        ("crlf.py", "x\ny\n"),
        ("neu/ä.py", "new\n"),
    ] {
        let patch = Patch::new(vec![FileChange {
            path: path(name),
            before: from.get(name).cloned(),
            after: Some(after.into()),
        }]);
        let ours = applied(&from, &patch.diff());
        assert_eq!(Ok(applied_by_git(&from, &patch.diff()).expect(name)), ours, "{name}");
        assert_eq!(ours.expect(name)[name], after);
    }
    let gone = Patch::new(vec![FileChange { path: path("gcd.py"), before: Some(GCD.into()), after: None }]).diff();
    assert_eq!(applied(&from, &gone).ok(), applied_by_git(&from, &gone));
}

#[test]
fn git_takes_what_a_random_patch_shows() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 24, ..ProptestConfig::default() });
    runner
        .run(&(texts(), texts()), |(before, after)| {
            let from = tree(&[("x.py", &before)]);
            let diff = Patch::of_file(path("x.py"), before.clone(), after.clone()).diff();
            if before != after {
                prop_assert_eq!(applied_by_git(&from, &diff), Some(tree(&[("x.py", &after)])));
            }
            Ok(())
        })
        .expect("git agrees");
}

/// Texts of lines that look like parts of diffs.
fn texts() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-c ]{0,3}",
        Just("-- x".to_owned()),
        Just("++ y".to_owned()),
        Just("-- ".to_owned()),
        Just("@@ -1 +1 @@".to_owned()),
        Just("c\r".to_owned())
    ];
    (proptest::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, end)| {
        let mut text = lines.join("\n");
        if end && !text.is_empty() {
            text.push('\n');
        }
        // A lone `\r` at the end of the text is no line end.
        text.trim_end_matches('\r').to_owned()
    })
}

proptest! {
    #[test]
    fn a_patch_reads_its_own_diff_back(one in texts(), two in texts(), three in texts(), four in texts()) {
        let patch = Patch::new(vec![
            FileChange { path: path("a.py"), before: Some(one.clone()), after: Some(two) },
            FileChange { path: path("d/b c.py"), before: Some(three.clone()), after: Some(four.clone()) },
            FileChange { path: path("n.py"), before: None, after: Some(format!("{four}\n")) },
            FileChange { path: path("o.py"), before: Some(format!("{one}\n")), after: None },
        ]);
        let before = tree(&[("a.py", &one), ("d/b c.py", &three), ("o.py", &format!("{one}\n"))]);
        let diffs = parse(&patch.diff()).expect("reads");
        prop_assert_eq!(resolve(&diffs, &|path| before.get(path.as_str()).cloned()).expect("applies"), patch);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(diff --git |--- |\\+\\+\\+ |@@ |-1|,|\\+2|a/x|\"|\\\\|/dev/null|\n| |-|\\+|rename from |\0|é){0,40}") {
        if let Ok(diffs) = parse(&text) {
            let _ = resolve(&diffs, &|_| Some("a\nb\n".to_owned()));
        }
    }
}
