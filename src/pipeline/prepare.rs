//! Prepare: the repository, its snapshot, its runner, and a first scratch.
//!
//! Runs none of the user's tests; asks the interpreter where it imports from.

use std::sync::Arc;
use std::time::Duration;

use super::PipelineError;
use super::Tools;
use crate::detect::Bench;
use crate::detect::bench::Limits;
use crate::diagnose::Texts;
use crate::event::Event;
use crate::git::Repository;
use crate::options::Sandbox;
use crate::options::ScratchMethod;
use crate::options::Settings;
use crate::options::SuiteScope;
use crate::report::Base;
use crate::report::Cost;
use crate::report::LedgerHead;
use crate::report::RunReport;
use crate::report::Time;
use crate::runner;
use crate::runner::Project;
use crate::runner::RunnerKind;
use crate::runner::interpreter;
use crate::scratch;
use crate::scratch::Containment;
use crate::scratch::Method;
use crate::scratch::Pool;
use crate::scratch::Scratch;
use crate::scratch::Snapshot;
use crate::scratch::Surroundings;
use crate::source::Lines;
use crate::source::RelPath;
use crate::trace::places::Places;
use crate::verify::recall::Recall;

/// What every later step needs.
pub struct Prepared {
    /// The repository.
    pub repository: Repository,
    /// The user's tree as it stood.
    pub snapshot: Arc<Snapshot>,
    /// The scratches.
    pub pool: Pool,
    /// Runs the tests.
    pub bench: Bench,
    /// Containment in force, as evidence names it.
    pub sandbox: String,
    /// The suite that must not break.
    pub suite: SuiteScope,
    /// What trials have shown, for those of other failures.
    pub recall: Arc<Recall>,
}

/// First deadline of a test whose normal time is not known yet; what is still
/// running then is given its full time once before it counts as endless.
const FIRST_TEST_LIMIT: Duration = Duration::from_secs(10);

/// Prepares a run.
///
/// # Errors
/// No repository, no runner, no interpreter, no place for a scratch.
pub async fn prepare(settings: &Settings, tools: &Tools) -> Result<Prepared, PipelineError> {
    let repository = Repository::discover(&settings.repo, &tools.launcher)?;
    let at = std::fs::canonicalize(&settings.repo)
        .ok()
        .and_then(|path| RelPath::within(repository.root(), &path))
        .unwrap_or_default();
    tools.events.emit(Event::Stage { name: "snapshot".into(), what: "the work tree".into() });
    let snapshot = Arc::new(Snapshot::take_again(&repository, &tools.cache)?);
    let variable = tools.variable.clone();
    let lookup = move |name: &str| variable(name);
    let project = runner::detect::detect(repository.root(), &at, &settings.command, &lookup)?;
    let project = widen(project, settings.suite, &repository, &at, &lookup)?;
    tools.events.emit(Event::RunnerChosen {
        runner: project.kind.name().into(),
        command: project.shown(),
        why: project.why.clone(),
    });
    scratch::clean_up(&repository);
    let pool = Pool::open(&repository, &snapshot, &tools.cache)?;
    let python = match project.kind {
        RunnerKind::Pytest | RunnerKind::Unittest => {
            Some(find_interpreter(&project, &repository, &lookup, tools).await?)
        }
        // A pytest may be inside: it is heard where an interpreter answers.
        RunnerKind::Command if snapshot.files().iter().any(|path| path.extension() == Some("py")) => {
            find_interpreter(&project, &repository, &lookup, tools).await.ok()
        }
        RunnerKind::Cargo
        | RunnerKind::Jest
        | RunnerKind::Vitest
        | RunnerKind::Mocha
        | RunnerKind::Node
        | RunnerKind::Go
        | RunnerKind::Command => None,
    };
    let containment = contain(settings, tools, &repository, python.as_ref()).await?;
    choose_method(settings, tools, &pool, &containment).await?;
    let places = Places::new(vec![repository.root().to_path_buf()], snapshot.files());
    let bench = Bench {
        project,
        launcher: tools.launcher.clone(),
        interrupt: tools.interrupt.clone(),
        user_root: repository.root().to_path_buf(),
        heal: tools.heal.clone(),
        python,
        places,
        limits: Limits {
            test: settings.test_timeout.unwrap_or(FIRST_TEST_LIMIT),
            brief: settings.test_timeout.unwrap_or(FIRST_TEST_LIMIT),
            start: Limits::LONGEST_START,
            whole: Limits::LONGEST_START,
            suite: settings.timeout,
        },
        containment: Arc::new(containment),
        clock: Default::default(),
    };
    let sandbox = bench.containment.name().to_owned();
    Ok(Prepared { repository, snapshot, pool, bench, sandbox, suite: settings.suite, recall: Arc::default() })
}

/// The best containment that is to be had; under `strict` nothing less than
/// all of it.
async fn contain(
    settings: &Settings,
    tools: &Tools,
    repository: &Repository,
    python: Option<&interpreter::Interpreter>,
) -> Result<Containment, PipelineError> {
    if settings.sandbox == Sandbox::Off {
        return Ok(Containment::off());
    }
    let means = tools.launcher.means().await;
    let strict = settings.sandbox == Sandbox::Strict;
    if strict && !means.are_whole() {
        let why = means.no_namespaces.unwrap_or_else(|| "this kernel has no Landlock, or too old a one".to_owned());
        return Err(PipelineError::NoSandbox { why });
    }
    let programs: Vec<_> =
        python.map(|python| python.program.clone()).into_iter().chain([tools.heal.clone()]).collect();
    let around = Surroundings {
        environment: tools.launcher.environment(),
        root: repository.root(),
        common_dir: repository.common_dir(),
        cache: &tools.cache,
        programs: &programs,
    };
    Ok(Containment::new(&means, settings.network, strict, &around))
}

/// Scratches get a layer where that works and nothing else was asked for.
async fn choose_method(
    settings: &Settings,
    tools: &Tools,
    pool: &Pool,
    containment: &Containment,
) -> Result<(), PipelineError> {
    if settings.scratch == ScratchMethod::Checkout {
        return Ok(());
    }
    let why = if containment.has_mounts() {
        tools.launcher.no_layers(pool.home(), &pool.linked()).await
    } else {
        Some("it needs the sandbox, by namespaces".to_owned())
    };
    match why {
        None => pool.set_method(Method::Overlay),
        Some(why) if settings.scratch == ScratchMethod::Overlay => return Err(PipelineError::NoOverlay { why }),
        Some(_) => {}
    }
    Ok(())
}

/// `--suite all`: the runner's default set instead of the command given.
fn widen(
    project: Project,
    suite: SuiteScope,
    repository: &Repository,
    at: &RelPath,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Project, PipelineError> {
    if suite == SuiteScope::Given || !project.given {
        return Ok(project);
    }
    let whole = runner::detect::detect(repository.root(), at, &[], lookup)?;
    if whole.kind == project.kind { Ok(whole) } else { Ok(project) }
}

/// The first interpreter that answers the probe.
async fn find_interpreter(
    project: &Project,
    repository: &Repository,
    lookup: &dyn Fn(&str) -> Option<String>,
    tools: &Tools,
) -> Result<interpreter::Interpreter, PipelineError> {
    let mut tried = Vec::new();
    for program in interpreter::candidates(project, repository.root(), lookup) {
        let command = interpreter::probe(&program);
        let Ok(finished) = tools.launcher.run(&command).await else {
            tried.push(program);
            continue;
        };
        match interpreter::read_probe(&program, &finished.stdout.text, repository.root()) {
            Ok(found) => {
                interpreter::check(&found, project)?;
                return Ok(found);
            }
            Err(_) => tried.push(program),
        }
    }
    Err(interpreter::InterpreterError::NoneFound { tried }.into())
}

impl Prepared {
    /// A scratch equal to the snapshot. Blocks while files are copied.
    ///
    /// # Errors
    /// The scratch cannot be made.
    pub async fn scratch(&self) -> Result<Box<dyn Scratch>, PipelineError> {
        take(&self.pool).await
    }

    /// How many scratches are used side by side: one where tests share a
    /// network, since fixed ports collide.
    pub fn jobs(&self, settings: &Settings) -> usize {
        if self.bench.containment.shares_network() { 1 } else { settings.jobs }
    }

    /// A file's text in the snapshot.
    pub fn text(&self, path: &RelPath) -> Option<String> {
        self.snapshot.read(path)
    }

    /// An empty report of this run.
    pub fn report(&self, schema: &str, tools: &Tools) -> RunReport {
        RunReport {
            schema: schema.into(),
            run: tools.run.clone(),
            exit: 0,
            base: Base { commit: self.snapshot.commit().map(str::to_owned), dirty: self.snapshot.is_dirty() },
            runner: Some(self.bench.project.kind.name().into()),
            command: Some(self.bench.project.shown()),
            runner_why: Some(self.bench.project.why.clone()),
            failures: Vec::new(),
            cost: Cost::default(),
            time: Time::default(),
            ledger: LedgerHead::default(),
            notes: self.bench.containment.notes(),
            together: None,
            requests: Vec::new(),
        }
    }
}

/// Lines changed lately in the snapshot. They only add to a suspicion: where git
/// cannot tell there are none.
pub fn recent_changes(repository: &Repository, snapshot: &Snapshot) -> Vec<(RelPath, Vec<Lines>)> {
    let read = |path: &RelPath| snapshot.read(path);
    repository.recent_changes(snapshot.commit(), &snapshot.changed_files(), &read).unwrap_or_default()
}

/// The repository at an earlier revision.
#[derive(Debug)]
pub struct Past<'a> {
    repository: &'a Repository,
    revision: String,
}

impl Past<'_> {
    /// Before the changes that [`recent_changes`] lists: at HEAD, or at its
    /// parent where the tree is HEAD's. `None` before the first commit.
    pub fn before_recent<'a>(repository: &'a Repository, snapshot: &Snapshot) -> Option<Past<'a>> {
        let commit = snapshot.commit()?;
        let revision = if snapshot.changed_files().is_empty() { format!("{commit}^1") } else { commit.to_owned() };
        Some(Past { repository, revision })
    }
}

impl Texts for Past<'_> {
    fn text(&self, path: &RelPath, max_bytes: u64) -> Option<String> {
        let bytes = self.repository.show(&self.revision, path).ok()??;
        if bytes.len() as u64 <= max_bytes { String::from_utf8(bytes).ok() } else { None }
    }
}

/// A scratch from the pool; copying files does not block the runtime.
pub async fn take(pool: &Pool) -> Result<Box<dyn Scratch>, PipelineError> {
    let pool = pool.clone();
    let taken = tokio::task::spawn_blocking(move || pool.take()).await;
    Ok(taken.map_err(|error| PipelineError::Worker(error.to_string()))??)
}
