//! The bench: everything that is needed to run a project's tests in a scratch
//! and read what they say.
//!
//! One call is one command; what the results mean is for others to say.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use super::baseline::Baseline;
use crate::interrupt::Interrupt;
use crate::interrupt::Stop;
use crate::process::Exit;
use crate::process::Launcher;
use crate::process::ProcessError;
use crate::runner;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::Report;
use crate::runner::Request;
use crate::runner::RunnerError;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::Site;
use crate::runner::Variation;
use crate::runner::interpreter::Interpreter;
use crate::runner::javascript::NODE_OPTIONS;
use crate::scratch::Containment;
use crate::scratch::Scratch;
use crate::trace::places::Places;

/// Deadlines for tests and for whole commands.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At most this for one test.
    pub test: Duration,
    /// At most this for a test that is expected to run into it.
    pub brief: Duration,
    /// What a command with the failing tests was seen to need, all in all.
    pub start: Duration,
    /// What the suite was seen to need; no test's file can take longer to load.
    pub whole: Duration,
    /// At most this for one run of the suite.
    pub suite: Duration,
}

impl Limits {
    /// Longest that a start is waited for: what nobody has measured yet.
    pub const LONGEST_START: Duration = Duration::from_secs(120);
    /// A start is waited for this long, however fast it was.
    const SHORTEST_START: Duration = Duration::from_secs(5);
    /// A run of the suite may take this long, however fast it was.
    const SHORTEST_SUITE: Duration = Duration::from_secs(60);
    /// How many times as long as before something may take.
    const SLOWER: u32 = 10;

    /// What may pass beside the failing tests of a command.
    pub fn beside_target(&self) -> Duration {
        self.start.saturating_mul(Limits::SLOWER).clamp(Limits::SHORTEST_START, Limits::LONGEST_START)
    }

    /// What may pass beside any tests of a command.
    pub fn beside_tests(&self) -> Duration {
        self.whole.saturating_mul(2).clamp(self.beside_target(), Limits::LONGEST_START)
    }

    /// At most this for the suite with a patch, where without it took `usual`:
    /// what a patch makes endless outside of any test would else end with the
    /// whole run. Where a patch has code compiled, it may take any time.
    pub fn patched_suite(&self, kind: RunnerKind, usual: Option<Duration>) -> Duration {
        let builds = matches!(kind, RunnerKind::Cargo | RunnerKind::Go | RunnerKind::Command);
        let Some(usual) = usual.filter(|_| !builds) else { return self.suite };
        usual.saturating_mul(Limits::SLOWER).max(Limits::SHORTEST_SUITE).min(self.suite)
    }
}

/// A project and the means to run its tests.
#[derive(Clone)]
pub struct Bench {
    /// The project.
    pub project: Project,
    /// Starts the commands.
    pub launcher: Launcher,
    /// Raised when the run should stop.
    pub interrupt: Interrupt,
    /// The repository's root in the user's tree.
    pub user_root: PathBuf,
    /// heal's own executable.
    pub heal: PathBuf,
    /// The interpreter, for a Python project.
    pub python: Option<Interpreter>,
    /// Files of the repository by the names traces give them.
    pub places: Places,
    /// Deadlines.
    pub limits: Limits,
    /// How the commands are contained.
    pub containment: Arc<Containment>,
    /// Time spent in test commands; side by side counts once.
    pub clock: TestClock,
}

/// Why a test command told nothing at all.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The command cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The runner cannot be asked.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The private channel could not be made.
    #[error("cannot make a temporary directory: {0}")]
    Channel(#[source] std::io::Error),
    /// The run is to stop.
    #[error("the run was interrupted")]
    Stopped(Stop),
}

impl Bench {
    /// The request for `selection` under the default deadlines.
    pub fn request(&self, selection: Selection) -> Request {
        Request {
            selection,
            test_limit: self.limits.test,
            start_limit: self.limits.beside_tests(),
            time_limit: self.limits.suite,
            trace_lines: false,
            fail_fast: false,
            variation: Variation::default(),
            last: Vec::new(),
            probe: None,
            sieve: None,
        }
    }

    /// The request for the suite with a patch in, within what `baseline` says it
    /// may take.
    pub fn patched_suite(&self, baseline: &Baseline) -> Request {
        let time_limit = self.limits.patched_suite(self.project.kind, baseline.usual());
        Request { time_limit, ..self.request(Selection::All) }
    }

    /// Where the project stands in `scratch`.
    pub fn site(&self, scratch: &dyn Scratch) -> Site {
        let mut env = scratch.environment();
        // What heal adds to a variable is added to what it holds.
        let options = self.launcher.environment().get(NODE_OPTIONS).and_then(std::ffi::OsStr::to_str);
        env.extend(options.map(|options| (NODE_OPTIONS.to_owned(), options.to_owned())));
        Site {
            user_root: self.user_root.clone(),
            tree: scratch.root().to_path_buf(),
            written: scratch.written(),
            heal: self.heal.clone(),
            env,
            python: self.python.clone(),
            places: self.places.clone(),
        }
    }

    /// Runs one request in `scratch` and reads what it told.
    ///
    /// # Errors
    /// Only where there is nothing to read: the command cannot be started, or
    /// the run is to stop. A failing suite is a report.
    pub async fn run(&self, scratch: &dyn Scratch, request: &Request) -> Result<Report, BenchError> {
        let dir = tempfile::Builder::new().prefix("heal-").tempdir().map_err(BenchError::Channel)?;
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: nonce(dir.path()) };
        let site = self.site(scratch);
        let mut command = runner::compose(&self.project, &site, request, &channel)?;
        let kept = scratch.kept();
        let kept = kept.iter().map(PathBuf::as_path);
        let writable: Vec<&Path> = [site.tree.as_path(), dir.path()].into_iter().chain(kept).collect();
        let contained =
            self.containment.contain(&mut command, self.launcher.environment(), &writable, scratch.layers());
        let contained = contained.map_err(BenchError::Channel)?;
        let finished = {
            let _running = self.clock.start();
            self.launcher.run_confined(&command, contained.confinement.as_ref()).await?
        };
        if finished.exit == Exit::Interrupted {
            return Err(BenchError::Stopped(self.interrupt.raised().unwrap_or(Stop::Asked)));
        }
        let mut report = runner::read(&self.project, &site, request, &channel, &finished);
        report.lasted = finished.took;
        at_home(&mut report, &site);
        Ok(report)
    }
}

/// Paths of the scratch become paths from the repository's root: which slot a
/// test ran in is nobody's business, and must not change what is compared or
/// what a model is told.
fn at_home(report: &mut Report, site: &Site) {
    let tree = site.tree.display().to_string();
    let inside = format!("{tree}/");
    let home = |text: &mut String| {
        if text.contains(&tree) {
            *text = text.replace(&inside, "").replace(&tree, ".");
        }
    };
    let of_tests = report.tests.iter_mut().filter_map(|test| test.failure.as_mut());
    let sieved = report.sieve.iter_mut().flat_map(|answer| &mut answer.failures);
    for failure in of_tests.chain(&mut report.problems).chain(sieved) {
        home(&mut failure.message);
        home(&mut failure.output);
        for text in [&mut failure.expected, &mut failure.actual].into_iter().flatten() {
            home(text);
        }
        for frame in &mut failure.frames {
            home(&mut frame.written);
        }
    }
}

/// A word that no test can know beforehand: the directory's name is random.
fn nonce(dir: &std::path::Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dir.as_os_str().as_encoded_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(format!("{:?}", std::time::SystemTime::now()).as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Sums the time in which at least one test command runs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TestClock {
    state: Arc<Mutex<ClockState>>,
}

#[derive(Debug, Default)]
struct ClockState {
    running: usize,
    since: Option<Instant>,
    total: Duration,
}

/// One command's time; ends when dropped.
pub struct Running {
    clock: TestClock,
}

impl TestClock {
    fn start(&self) -> Running {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.running += 1;
        if state.running == 1 {
            state.since = Some(Instant::now());
        }
        Running { clock: self.clone() }
    }

    /// The time so far.
    pub fn total(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.total + state.since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.clock.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.running -= 1;
        if state.running == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_a_moment_is_not_waited_for_as_if_nobody_knew() {
        let seconds = |number: f64| Duration::from_secs_f64(number);
        let limits = |start, whole| {
            let (start, whole, suite) = (seconds(start), seconds(whole), seconds(1200.0));
            Limits { test: seconds(2.0), brief: seconds(0.5), start, whole, suite }
        };
        for (start, whole, target, tests) in [
            (0.3, 1.0, 5.0, 5.0),
            (0.3, 8.0, 5.0, 16.0),
            (2.0, 8.0, 20.0, 20.0),
            (2.0, 90.0, 20.0, 120.0),
            (30.0, 1.0, 120.0, 120.0),
            (1e9, 1e9, 120.0, 120.0),
        ] {
            let limits = limits(start, whole);
            assert_eq!(
                (limits.beside_target(), limits.beside_tests()),
                (seconds(target), seconds(tests)),
                "{start} {whole}"
            );
        }
        for (kind, lasted, suite) in [
            (RunnerKind::Node, Some(0.5), 60.0),
            (RunnerKind::Pytest, Some(20.0), 200.0),
            (RunnerKind::Jest, Some(500.0), 1200.0),
            (RunnerKind::Vitest, None, 1200.0),
            (RunnerKind::Cargo, Some(20.0), 1200.0),
            (RunnerKind::Command, Some(20.0), 1200.0),
        ] {
            let usual = lasted.map(seconds);
            assert_eq!(limits(1.0, 1.0).patched_suite(kind, usual), seconds(suite), "{kind:?} {lasted:?}");
        }
    }

    #[test]
    fn commands_side_by_side_count_once() {
        let clock = TestClock::default();
        let began = Instant::now();
        let first = clock.start();
        let second = clock.start();
        std::thread::sleep(Duration::from_millis(20));
        drop(first);
        drop(second);
        let total = clock.total();
        // However slow the machine: counted twice, it is more than has passed.
        assert!(total >= Duration::from_millis(20) && total <= began.elapsed(), "{total:?}");
    }
}
