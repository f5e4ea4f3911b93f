//! Small real repositories, heal run on them, and everything of the user's
//! that a run might touch.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;

/// `PATH` with an interpreter before the machine's own that has no packages:
/// nothing that is installed here decides a test, and none of it is loaded
/// some thousand times. `None` where `venv` is not to be had.
fn bare_python() -> Option<&'static OsString> {
    static FOUND: LazyLock<Option<OsString>> = LazyLock::new(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = place.join("python");
        let works = |python: &Path| Command::new(python).args(["-c", ""]).output().is_ok_and(|it| it.status.success());
        if !works(&folder.join("bin/python3")) {
            let new = tempfile::Builder::new().prefix("python-").tempdir_in(place).ok()?;
            let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(new.path()).output().ok()?;
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::rename(new.path(), &folder).ok().filter(|()| made.status.success())?;
        }
        let path = std::env::var_os("PATH")?;
        std::env::join_paths(std::iter::once(folder.join("bin")).chain(std::env::split_paths(&path))).ok()
    });
    FOUND.as_ref()
}

/// heal's binary.
pub const HEAL: &str = env!("CARGO_BIN_EXE_heal");

/// A git repository in a temporary directory, with a home of its own.
pub struct Project {
    _dir: tempfile::TempDir,
    /// The work tree.
    pub root: PathBuf,
    home: PathBuf,
}

/// What heal printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts the exit code; shows everything when it is another.
    #[track_caller]
    pub fn code(self, wanted: i32) -> Ran {
        assert_eq!(self.code, wanted, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Project {
    /// A repository without a commit, in a folder of the given name.
    pub fn bare_folder(name: &str) -> Project {
        let dir = tempfile::Builder::new().prefix("heal-it-").tempdir().expect("a temporary directory");
        let base = std::fs::canonicalize(dir.path()).expect("a real path");
        let root = base.join(name);
        let home = base.join("home");
        std::fs::create_dir_all(&root).expect("the folder");
        std::fs::create_dir_all(&home).expect("a home");
        Project { _dir: dir, root, home }
    }

    /// A repository with one commit of `files`.
    pub fn new(files: &[(&str, &str)]) -> Project {
        Project::named("project", files)
    }

    /// As [`Project::new`], in a folder of that name.
    pub fn named(name: &str, files: &[(&str, &str)]) -> Project {
        let project = Project::bare_folder(name);
        project.git(&["init", "-q", "-b", "main"]);
        project.write(files);
        project.commit("first");
        project
    }

    /// Writes files of the work tree.
    pub fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folder");
            std::fs::write(path, text).expect("written");
        }
    }

    /// A file's text.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).expect("a text file")
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Runs git in the work tree; returns its output.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git").args(arguments).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command in the work tree, with this project's home and nothing that
    /// depends on the machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for name in [
            "HEAL_MODEL",
            "HEAL_BASE_URL",
            "CARGO_TARGET_DIR",
            "VIRTUAL_ENV",
            "CI",
            "NO_COLOR",
            "PYTHONPATH",
            "PYTEST_ADDOPTS",
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "OPENROUTER_API_KEY",
            "GEMINI_API_KEY",
            "OLLAMA_HOST",
        ] {
            command.env_remove(name);
        }
        if let Some(path) = bare_python() {
            command.env("PATH", path);
        }
        command.env("XDG_CACHE_HOME", self.home.join("cache")).env("XDG_CONFIG_HOME", self.home.join("config"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"));
        command
            .env("GIT_AUTHOR_NAME", "Ana")
            .env("GIT_AUTHOR_EMAIL", "ana@example.org")
            .env("GIT_COMMITTER_NAME", "Ana")
            .env("GIT_COMMITTER_EMAIL", "ana@example.org");
        command.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z").env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
        command
    }

    /// heal with these arguments, in the work tree.
    pub fn heal_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(HEAL);
        command.args(arguments).stdin(std::process::Stdio::null());
        command
    }

    /// Runs heal.
    pub fn heal(&self, arguments: &[&str]) -> Ran {
        self.heal_command(arguments).output().expect("heal runs").into()
    }

    /// Where heal keeps its scratches for this project.
    pub fn cache(&self) -> PathBuf {
        self.home.join("cache/heal")
    }

    /// Everything of the user's that a run might touch.
    pub fn state(&self) -> State {
        let mut files = BTreeMap::new();
        collect(&self.root, &self.root, &mut files);
        let refs = self.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let worktrees = self.git(&["worktree", "list", "--porcelain"]);
        State { files, refs, worktrees }
    }
}

/// Files with content and time, refs, worktrees. `.git` counts by HEAD, index,
/// configuration, stash and everything else but objects and heal's own folder.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    files: BTreeMap<String, (u128, u64, String)>,
    refs: String,
    worktrees: String,
}

impl State {
    /// What is not as it was in `before`: files by name, refs, worktrees.
    pub fn differences(&self, before: &State) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> = self.files.keys().chain(before.files.keys()).collect();
        let files = names.into_iter().filter(|name| self.files.get(*name) != before.files.get(*name)).cloned();
        let told = |now: &str, before: &str| (now != before).then(|| format!("{before} -> {now}"));
        let rest = [told(&self.refs, &before.refs), told(&self.worktrees, &before.worktrees)];
        files.chain(rest.into_iter().flatten()).collect()
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, (u128, u64, String)>) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
        if name.starts_with(".git/") && (name.ends_with("/objects") || name.ends_with("/heal")) {
            continue;
        }
        let metadata = std::fs::symlink_metadata(&path).expect("metadata");
        if metadata.is_dir() {
            // git removes and makes its empty folder of worktrees as it likes.
            if !(name.starts_with(".git/") && name.ends_with("/worktrees")) {
                collect(root, &path, files);
            }
            continue;
        }
        let content = if metadata.is_symlink() {
            std::fs::read_link(&path).expect("a link").to_string_lossy().into_owned()
        } else {
            format!("{:x}", hash(&std::fs::read(&path).expect("a file")))
        };
        let time = (metadata.mtime() as u128) * 1_000_000_000 + metadata.mtime_nsec() as u128;
        files.insert(name, (time, u64::from(metadata.mode()), content));
    }
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Processes whose command line or directory holds `needle`, this one left
/// out.
pub fn processes_of(needle: &Path) -> Vec<String> {
    let needle = needle.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_err() || name == std::process::id().to_string() {
            continue;
        }
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if line.contains(&needle) || cwd.to_string_lossy().contains(&needle) {
            found.push(format!("{name} {line}"));
        }
    }
    found
}

/// The shop: a small Python project on unittest with one fault, a boundary
/// that a rule can mend and that the tests hold from both sides.
pub const SHOP: &[(&str, &str)] = &[
    ("shop/__init__.py", ""),
    (
        "shop/discount.py",
        "\"\"\"Discounts by quantity.\"\"\"\n\n\ndef rate(quantity):\n    \"\"\"Ten or more items get five percent off, a hundred or more ten.\"\"\"\n    if quantity >= 100:\n        return 10\n    if quantity > 10:\n        return 5\n    return 0\n\n\ndef price(unit, quantity):\n    whole = unit * quantity\n    return whole - whole * rate(quantity) // 100\n",
    ),
    ("tests/__init__.py", ""),
    (
        "tests/test_discount.py",
        "import unittest\n\nfrom shop.discount import price, rate\n\n\nclass RateTest(unittest.TestCase):\n    def test_few(self):\n        self.assertEqual(rate(9), 0)\n\n    def test_ten(self):\n        self.assertEqual(rate(10), 5)\n\n    def test_eleven(self):\n        self.assertEqual(rate(11), 5)\n\n    def test_many(self):\n        self.assertEqual(rate(99), 5)\n        self.assertEqual(rate(100), 10)\n\n\nclass PriceTest(unittest.TestCase):\n    def test_plain(self):\n        self.assertEqual(price(100, 2), 200)\n\n    def test_discounted(self):\n        self.assertEqual(price(100, 20), 1900)\n\n\nif __name__ == '__main__':\n    unittest.main()\n",
    ),
];

/// The right text of the shop's faulty line.
pub const SHOP_RIGHT: &str = "if quantity >= 10:";

/// Whether the shop is mended in `text`. Two rules mend it, and which of them
/// is through its gates first is for the machine's load to say.
pub fn is_shop_right(text: &str) -> bool {
    [SHOP_RIGHT, "if quantity > 9:"].iter().any(|right| text.contains(right))
}

/// The shop's failing test.
pub const SHOP_TEST: &str = "tests.test_discount.RateTest.test_ten";
