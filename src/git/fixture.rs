//! Real repositories in temporary directories, for tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::Repository;
use crate::interrupt::Interrupt;
use crate::process::Command;
use crate::process::Environment;
use crate::process::Launcher;

/// A repository that is gone with the test.
pub(crate) struct Fixture {
    /// Holds everything; `root` is a directory in it.
    pub(crate) dir: tempfile::TempDir,
    /// The work tree.
    pub(crate) root: PathBuf,
    /// A launcher whose git reads no configuration but the repository's.
    pub(crate) launcher: Launcher,
}

impl Fixture {
    /// A repository without a commit.
    pub(crate) fn empty() -> Fixture {
        Fixture::named("project")
    }

    /// The same, in a directory of this name.
    pub(crate) fn named(name: &str) -> Fixture {
        let dir = tempfile::tempdir().expect("temporary directory");
        let home = dir.path().canonicalize().expect("real path");
        let vars: [(OsString, OsString); 5] = [
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("HOME".into(), home.clone().into()),
            ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            ("GIT_CEILING_DIRECTORIES".into(), home.clone().into()),
        ];
        let launcher = Launcher::new(None, Environment::filtered(vars), Interrupt::new());
        let root = home.join(name);
        std::fs::create_dir(&root).expect("directory");
        let fixture = Fixture { dir, root, launcher };
        fixture.git(&["init", "-q", "-b", "main"]);
        fixture
    }

    /// A repository with `files` in its one commit.
    pub(crate) fn with(files: &[(&str, &str)]) -> Fixture {
        let fixture = Fixture::empty();
        for (path, text) in files {
            fixture.write(path, text);
        }
        fixture.commit("first");
        fixture
    }

    /// The repository as heal sees it.
    pub(crate) fn repository(&self) -> Repository {
        Repository::discover(&self.root, &self.launcher).expect("repository")
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folders");
        std::fs::write(path, text).expect("file");
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).expect("text")
    }

    /// Makes a program that leaves `<dir>/marker` when it runs.
    pub(crate) fn trap(&self) -> String {
        let program = self.dir.path().join("trap.sh");
        let marker = self.marker();
        std::fs::write(&program, format!("#!/bin/sh\necho \"$0 $@\" >> '{}'\ncat\n", marker.display())).expect("trap");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        program.to_str().expect("UTF-8").to_owned()
    }

    /// What a trap leaves.
    pub(crate) fn marker(&self) -> PathBuf {
        self.dir.path().join("marker")
    }

    /// Runs git as the user would.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root, args)
    }

    /// Runs git in another directory.
    pub(crate) fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let command = Command::new("git")
            .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "protocol.file.allow=always"])
            .args(args.iter().copied())
            .env("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
            .env("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z")
            .cwd(dir);
        let finished = self.launcher.run_now(&command).expect("git");
        assert!(finished.exit.is_success(), "git {args:?}: {}", finished.stderr.text);
        finished.stdout.text.trim_end().to_owned()
    }

    /// Commits everything.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Everything of the user's that heal must not touch: every file of the
    /// work tree and of `.git` with its bytes, mode and time. Of `.git`, the
    /// loose objects (heal adds some on purpose) are left out.
    pub(crate) fn fingerprint(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("folder").flatten() {
                let (path, about) = (entry.path(), entry.metadata().expect("metadata"));
                if path.ends_with(".git/objects") {
                    continue;
                }
                if about.is_dir() {
                    found.insert(path.clone(), "folder".to_owned());
                    folders.push(path);
                    continue;
                }
                let bytes = if about.is_symlink() {
                    path.read_link().expect("link").into_os_string().into_encoded_bytes()
                } else {
                    std::fs::read(&path).expect("file")
                };
                let digest = blake3::hash(&bytes).to_hex();
                let times = (about.mtime(), about.mtime_nsec(), about.ino());
                found.insert(path, format!("{digest} {:o} {times:?}", about.mode()));
            }
        }
        found
    }
}
