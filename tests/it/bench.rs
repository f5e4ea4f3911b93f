//! A bench on a small real project, as the pipeline would set it up: snapshot,
//! scratches, containment, and a test command that is asked through its
//! channel.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use heal::detect::Bench;
use heal::detect::bench::Limits;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::process::Environment;
use heal::process::Launcher;
use heal::process::Network;
use heal::runner;
use heal::runner::RunnerKind;
use heal::scratch::Containment;
use heal::scratch::Pool;
use heal::scratch::Scratch;
use heal::scratch::Snapshot;
use heal::scratch::Surroundings;
use heal::source::RelPath;
use heal::trace::places::Places;
use pretty_assertions::assert_eq;

use crate::support::HEAL;
use crate::support::Project;
use crate::support::State;

/// A project and all that is needed to run its tests.
pub struct Stand {
    project: Project,
    before: State,
    pub runtime: tokio::runtime::Runtime,
    pub snapshot: Snapshot,
    pub pool: Pool,
    pub bench: Bench,
}

impl Stand {
    /// `files` committed, their tests run by `command`.
    pub fn new(files: &[(&str, &str)], kind: RunnerKind, command: &[&str], limit: Duration) -> Stand {
        let project = Project::new(files);
        let before = project.state();
        let environment = Environment::filtered(
            project
                .command("git")
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .chain(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME")),
        );
        let interrupt = Interrupt::new();
        let launcher = Launcher::new(Some(PathBuf::from(HEAL)), environment, interrupt.clone());
        let repository = Repository::discover(&project.root, &launcher).expect("a repository");
        let snapshot = Snapshot::take(&repository).expect("a snapshot");
        let pool = Pool::open(&repository, &snapshot, &project.cache()).expect("a pool");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // As a test run is contained: what forks, and ends what it forked.
        let containment = Containment::new(
            &runtime.block_on(launcher.means()),
            Network::Loopback,
            false,
            &Surroundings {
                environment: launcher.environment(),
                root: &project.root,
                common_dir: repository.common_dir(),
                cache: &project.cache(),
                programs: &[HEAL.into(), command[0].into()],
            },
        );
        let bench = Bench {
            project: runner::Project {
                root: RelPath::root(),
                kind,
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                given: true,
                why: String::new(),
            },
            launcher,
            interrupt,
            user_root: project.root.clone(),
            heal: HEAL.into(),
            python: None,
            places: Places::new(vec![project.root.clone()], snapshot.files()),
            limits: Limits { test: limit, brief: limit, start: limit, whole: limit, suite: Duration::from_secs(120) },
            containment: containment.into(),
            clock: Default::default(),
        };
        Stand { project, before, runtime, snapshot, pool, bench }
    }

    /// The text of a file.
    pub fn text(&self, path: &RelPath) -> String {
        self.snapshot.read(path).expect("the file")
    }

    pub fn scratch(&self) -> Box<dyn Scratch> {
        self.pool.take().expect("a scratch")
    }

    /// Asserts that the scratch and the user's tree are as they were.
    pub fn close(self, scratch: Box<dyn Scratch>) {
        let mut git = Command::new("git");
        let status = git.args(["status", "--porcelain"]).current_dir(scratch.root()).output().expect("git");
        assert_eq!(String::from_utf8_lossy(&status.stdout), "", "the scratch is as it was");
        drop(scratch);
        self.pool.close();
        assert_eq!(self.project.state(), self.before, "the user's tree is as it was");
    }
}
