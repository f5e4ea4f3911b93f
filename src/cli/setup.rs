//! Builds a run's tools: launcher, ledger, listeners, signals.
//!
//! Reads the environment once; starts nothing of the user's.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use heal::event::Event;
use heal::event::Events;
use heal::event::Listener;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::interrupt::Stop;
use heal::ledger::Ledger;
use heal::ledger::LedgerListener;
use heal::options::Settings;
use heal::pipeline::PipelineError;
use heal::pipeline::Tools;
use heal::pipeline::paid;
use heal::process::Environment;
use heal::process::Launcher;
use heal::progress::Progress;
use heal::progress::Style;
use heal::propose::model::breaker::Breaker;
use heal::propose::model::budget::Budget;
use heal::propose::model::redact::Shown;
use heal::scratch::Snapshot;

use super::failpoint;
use super::output::Failed;
use super::output::Look;

/// A run's tools, and what must be asked of them at its end.
pub struct Kit {
    /// The tools.
    pub tools: Tools,
    /// Draws the progress.
    pub progress: Arc<Progress>,
    /// Writes the record.
    pub listener: Arc<LedgerListener>,
    /// What a person should know of the preparations.
    pub notes: Vec<String>,
    /// The texts of runs that began before are dropped when this one ends.
    pub keep_since: Option<jiff::Timestamp>,
    /// Tells a collector of the run.
    #[cfg(feature = "opentelemetry")]
    traces: Option<Arc<super::traces::Traces>>,
}

impl Kit {
    /// Hands what is told of the run to whom it is told. `failed`: heal itself
    /// was stuck.
    #[cfg_attr(not(feature = "opentelemetry"), expect(clippy::unused_self, reason = "nobody listens"))]
    pub fn tell(&self, exit: i32, failed: bool) {
        #[cfg(feature = "opentelemetry")]
        if let Some(Err(why)) = self.traces.as_ref().map(|traces| traces.end(exit, failed)) {
            super::output::message(&format!("note: the collector has no trace of this run: {why}"));
        }
        #[cfg(not(feature = "opentelemetry"))]
        let _ = (exit, failed);
    }
}

/// heal's own executable.
pub fn own_executable() -> Result<PathBuf, Failed> {
    std::env::current_exe().map_err(|error| Failed::own(format!("cannot find heal's own executable: {error}")))
}

/// A launcher for commands of the user's, and for git.
pub fn launcher(interrupt: &Interrupt) -> Result<Launcher, Failed> {
    Ok(Launcher::new(Some(own_executable()?), environment(), interrupt.clone()))
}

/// The environment without what is secret by its name or by the user's word.
fn environment() -> Environment {
    Environment::filtered(std::env::vars_os()).without(&super::settings::named_variables())
}

/// Where heal keeps its scratches.
pub fn cache_directory() -> Result<PathBuf, Failed> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("heal"))
        .ok_or_else(|| Failed { message: "there is no cache directory\n  Set XDG_CACHE_HOME or HOME".into(), code: 5 })
}

/// What was typed, for the record.
#[derive(Clone, Debug)]
pub struct Line {
    /// The words after `heal`.
    pub arguments: Vec<String>,
    /// The run that this one goes on with.
    pub resumes: Option<String>,
}

impl Line {
    /// This process's own.
    pub fn typed() -> Line {
        let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        Line { arguments: words.collect(), resumes: None }
    }

    /// As a person would type it.
    fn shown(&self) -> String {
        format!("heal {}", self.arguments.join(" "))
    }
}

/// Builds the tools for one run of what was typed, under `settings`.
///
/// `at_once` looks at the tree now, once for the record and the work: where
/// neither a question nor a run stands between the two.
///
/// # Errors
/// No repository, or a record that cannot be read.
pub fn kit(line: &Line, settings: &Settings, events: Option<&Path>, look: Look, at_once: bool) -> Result<Kit, Failed> {
    let interrupt = Interrupt::new();
    let launcher = launcher(&interrupt)?;
    let repository = Repository::discover(&settings.repo, &launcher).map_err(PipelineError::from)?;
    let mut notes = Vec::new();
    let ledger = Arc::new(open_ledger(&repository, &mut notes)?);
    let cache = cache_directory()?;
    let tree = match at_once {
        true => Snapshot::take_again(&repository, &cache).ok().map(|snapshot| (repository.clone(), snapshot)),
        false => None,
    };
    let (head, dirty) = match &tree {
        Some((_, snapshot)) => (snapshot.commit().map(str::to_owned), snapshot.is_dirty()),
        None => (repository.head().ok().flatten(), repository.is_dirty().unwrap_or(false)),
    };
    let secrets = secret_values();
    let shown = Shown::new(&secrets);
    let run = ledger.begin(&shown.text(&line.shown()), head.as_deref(), dirty).map_err(Failed::ledger)?;
    let progress =
        Arc::new(Progress::new(Style { terminal: look.bars, colour: look.colour_err, verbosity: look.verbosity }));
    let listener = Arc::new(LedgerListener::new(ledger.clone(), &run));
    let (before, after) = failpoint::listeners();
    let listeners = before.into_iter().fold(Events::none(), Events::with).with(listener.clone());
    let mut listeners = listeners.with(progress.clone());
    if let Some(path) = events {
        listeners = listeners.with(Arc::new(EventFile::create(path)?));
    }
    #[cfg(feature = "opentelemetry")]
    let traces = super::traces::Traces::named().unwrap_or_else(|why| {
        notes.push(format!("this run is not traced: {why}"));
        None
    });
    #[cfg(feature = "opentelemetry")]
    if let Some(traces) = &traces {
        listeners = listeners.with(traces.clone());
    }
    listeners = after.into_iter().fold(listeners, Events::with);
    // Nobody hears a secret: neither the record nor a log.
    let listeners = Events::none().with(Arc::new(Concealing { shown: shown.clone(), listeners }));
    listeners.emit(Event::Started {
        run: run.clone(),
        repo: repository.root().display().to_string(),
        command: line.shown(),
        arguments: line.arguments.clone(),
        resumes: line.resumes.clone(),
    });
    let nonce_key = nonce_key(&ledger);
    let retention = super::settings::retention(&settings.repo).map_err(|error| Failed::usage(error.to_string()))?;
    let earlier = line
        .resumes
        .as_deref()
        .map(|run| paid::by(&ledger, run, &settings.prices))
        .transpose()
        .map_err(Failed::ledger)?;
    let earlier = earlier.unwrap_or_default();
    let tools = Tools {
        run,
        events: listeners,
        interrupt,
        launcher,
        heal: own_executable()?,
        cache,
        ledger,
        variable: Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty())),
        budget: Budget::going_on(settings.caps, earlier),
        breaker: Breaker::default(),
        secrets: Arc::new(secrets),
        shown,
        nonce_key,
        tree,
    };
    let keep_since = retention.before.filter(|_| retention.by_itself);
    Ok(Kit {
        tools,
        progress,
        listener,
        notes,
        keep_since,
        #[cfg(feature = "opentelemetry")]
        traces,
    })
}

/// The repository's ledger; in memory where the repository cannot be written.
fn open_ledger(repository: &Repository, notes: &mut Vec<String>) -> Result<Ledger, Failed> {
    match Ledger::open(repository.common_dir()) {
        Ok(ledger) => Ok(ledger),
        Err(error) if error.is_unwritable() => {
            notes.push(format!("this run is not recorded: {error}"));
            Ledger::in_memory().map_err(Failed::ledger)
        }
        Err(error) => Err(Failed::ledger(error)),
    }
}

/// The repository's own random secret, made at the first run. Where it cannot
/// be kept it lasts for this run.
fn nonce_key(ledger: &Ledger) -> [u8; 32] {
    let file = ledger.is_on_disk().then(|| ledger.path().with_file_name("nonce"));
    let kept =
        file.as_ref().and_then(|file| std::fs::read(file).ok()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    kept.unwrap_or_else(|| {
        let key = random();
        if let Some(file) = file {
            // Without it prompts differ from run to run, and are paid again.
            let _ = std::fs::write(file, key);
        }
        key
    })
}

/// Thirty-two bytes that nobody can guess: what the standard library seeds its
/// hash maps with comes from the system's random numbers.
fn random() -> [u8; 32] {
    use std::hash::BuildHasher;
    use std::hash::Hasher;
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        let seeded = std::hash::RandomState::new().build_hasher().finish();
        chunk.copy_from_slice(&seeded.to_le_bytes());
    }
    blake3::hash(&bytes).into()
}

/// Values of variables whose names look secret: they must not leave the
/// machine, whatever text they turn up in.
pub fn secret_values() -> Vec<String> {
    let environment = environment();
    let values = environment.dropped().iter().filter_map(|name| std::env::var(name).ok());
    values.filter(|value| value.len() >= 6).collect()
}

/// Raises the interrupt at Ctrl-C, SIGTERM, SIGHUP, or when the time is over.
pub fn watch(interrupt: Interrupt, timeout: std::time::Duration) {
    tokio::spawn(async move {
        let stop = tokio::select! {
            () = signals() => Stop::Asked,
            () = tokio::time::sleep(timeout) => Stop::Deadline,
        };
        interrupt.raise(stop);
        // A second Ctrl-C does not wait for anything to be put away.
        signals().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn signals() {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signals() {
    let _ = tokio::signal::ctrl_c().await;
}

/// A runtime for the pipeline.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failed::own)
}

/// Hands events on without secrets.
struct Concealing {
    shown: Shown,
    listeners: Events,
}

impl Listener for Concealing {
    fn hear(&self, event: &Event) {
        self.listeners.emit(self.shown.document(event));
    }
}

/// Writes events as JSON lines.
struct EventFile {
    file: std::sync::Mutex<std::fs::File>,
}

impl EventFile {
    fn create(path: &Path) -> Result<EventFile, Failed> {
        let file = std::fs::File::create(path)
            .map_err(|error| Failed::usage(format!("cannot write the events to `{}`: {error}", path.display())))?;
        Ok(EventFile { file: std::sync::Mutex::new(file) })
    }
}

impl Listener for EventFile {
    fn hear(&self, event: &Event) {
        use std::io::Write;
        let Ok(line) = serde_json::to_string(event) else { return };
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A full disk must not end the run: the ledger has the events too.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
