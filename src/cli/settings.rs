//! The flags of a run, joined with the environment and the configuration
//! files into [`Settings`].
//!
//! Reads the environment and files; runs nothing.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use heal::options::OptionsError;
use heal::options::Sandbox;
use heal::options::ScratchMethod;
use heal::options::Settings;
use heal::options::SuiteScope;
use heal::options::age;
use heal::options::duration;
use heal::options::files::File;
use heal::propose::model::budget::Caps;
use heal::propose::provider::ModelName;
use heal::propose::provider::ProviderKind;
use heal::trace::condense;
use heal::verify::policy::rules::Policy;

use super::output::Failed;

/// The flags that `fix`, `explain` and `verify` share.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// The repository, or a folder of it
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    /// Heal only this failing test, named as the runner names it
    #[arg(long = "test", value_name = "ID")]
    pub tests: Vec<String>,
    /// Start from a saved failure (- is stdin)
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Ask this model: anthropic/NAME, openai/NAME, openai-chat/NAME, gemini/NAME, ollama/NAME,
    /// openrouter/NAME, exec:PROGRAM, manual, replay:RUN or none
    #[arg(long = "model", value_name = "PROVIDER/NAME")]
    pub models: Vec<String>,
    /// Endpoint of the model API
    #[arg(long, value_name = "URL", env = "HEAL_BASE_URL")]
    pub base_url: Option<String>,
    /// Make deterministic proposals only; open no socket
    #[arg(long)]
    pub offline: bool,
    /// What must not break: the command given, or all of the runner's tests
    #[arg(long, value_name = "WHICH")]
    pub suite: Option<SuiteScope>,
    /// Patches to ask for per failure and call
    #[arg(long, value_name = "N")]
    pub candidates: Option<usize>,
    /// Feedback rounds per failure
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,
    /// US dollars at most
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<f64>,
    /// Tokens at most
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// Model calls at most
    #[arg(long, value_name = "N")]
    pub max_calls: Option<usize>,
    /// Time for the whole run, as in 10m
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// Time for one test at most
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub test_timeout: Option<Duration>,
    /// Scratch trees verified side by side
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// A path that a patch may touch
    #[arg(long, value_name = "GLOB")]
    pub allow: Vec<String>,
    /// A path that a patch may not touch; wins over --allow
    #[arg(long, value_name = "GLOB")]
    pub deny: Vec<String>,
    /// Containment: auto, strict (refuse to run without) or off
    #[arg(long, value_name = "HOW")]
    pub sandbox: Option<Sandbox>,
    /// How a scratch worktree gets its files
    #[arg(long, value_name = "HOW")]
    pub scratch: Option<ScratchMethod>,
    /// Print one JSON document on stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Write the run's events as JSON lines, as they happen
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Print every byte that the first call would send to a model, and stop
    #[arg(long)]
    pub show_context: bool,
    /// The test command; found out where it is not given
    #[arg(last = true, value_name = "TEST_COMMAND")]
    pub command: Vec<String>,
}

/// Seconds a whole run may take, and dollars, when nothing says otherwise.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);
const MAX_COST: f64 = 1.0;
const MAX_TOKENS: u64 = 400_000;

impl RunFlags {
    /// The flags of a command that takes none of them but where it is.
    pub fn of(repo: &Path) -> RunFlags {
        RunFlags {
            repo: repo.to_owned(),
            tests: Vec::new(),
            trace: None,
            models: Vec::new(),
            base_url: None,
            offline: false,
            suite: None,
            candidates: None,
            rounds: None,
            max_cost: None,
            max_tokens: None,
            max_calls: None,
            timeout: None,
            test_timeout: None,
            jobs: None,
            allow: Vec::new(),
            deny: Vec::new(),
            sandbox: None,
            scratch: None,
            json: false,
            events: None,
            show_context: false,
            command: Vec::new(),
        }
    }

    /// The settings of the run, without the models: those need consent.
    ///
    /// # Errors
    /// A file that cannot be read, or a value that makes no sense.
    pub fn settings(&self) -> Result<Settings, Failed> {
        self.settings_under(None)
    }

    /// The same for a request's tree, where what heal may do is for `base` to
    /// say, the file of the branch that it goes to.
    ///
    /// # Errors
    /// As for [`RunFlags::settings`].
    pub fn settings_under(&self, base: Option<File>) -> Result<Settings, Failed> {
        let usage = |error: OptionsError| Failed::usage(error.to_string());
        let files = files_under(&self.repo, base).map_err(usage)?;
        let mut policy = Policy::default();
        for (file, written) in &files.policies {
            policy = policy.with(file, written).map_err(Failed::usage)?;
        }
        let jobs =
            self.jobs.or(files.jobs).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let positive = |value: usize, flag: &str| {
            if value == 0 { Err(Failed::usage(format!("{flag} must be at least 1"))) } else { Ok(value) }
        };
        let max_cost_usd = self.max_cost.or(files.max_cost).unwrap_or(MAX_COST);
        if !max_cost_usd.is_finite() || max_cost_usd < 0.0 {
            return Err(Failed::usage(format!(
                "--max-cost {max_cost_usd} is no amount of money\n  Write dollars, as in 0.50"
            )));
        }
        let mut deny = self.deny.clone();
        deny.extend(files.deny.clone().unwrap_or_default());
        for pattern in self.allow.iter().chain(&deny) {
            heal::verify::policy::globs(std::slice::from_ref(pattern))
                .map_err(|error| Failed::usage(format!("`{pattern}` is no glob: {error}")))?;
        }
        Ok(Settings {
            repo: self.repo.clone(),
            command: if self.command.is_empty() {
                files.command.clone().unwrap_or_default()
            } else {
                self.command.clone()
            },
            tests: self.tests.clone(),
            trace: self.trace.as_deref().map(read_trace).transpose()?,
            models: Vec::new(),
            base_url: self.base_url.clone().or(files.base_url.clone()),
            connections: files.connection.clone().unwrap_or_default(),
            prices: files.prices(),
            offline: self.offline,
            suite: self.suite.or(files.suite).unwrap_or_default(),
            candidates: positive(self.candidates.or(files.candidates).unwrap_or(6), "--candidates")?,
            rounds: self.rounds.or(files.rounds).unwrap_or(2),
            caps: Caps {
                usd: max_cost_usd,
                tokens: self.max_tokens.or(files.max_tokens).unwrap_or(MAX_TOKENS),
                calls: self.max_calls.or(files.max_calls).unwrap_or(0),
            },
            timeout: self.timeout.or(files.timeout()).unwrap_or(TIMEOUT),
            test_timeout: self.test_timeout.or(files.test_timeout()),
            jobs: positive(jobs, "--jobs")?,
            allow: if self.allow.is_empty() { files.allow.clone().unwrap_or_default() } else { self.allow.clone() },
            deny,
            policy,
            sandbox: match (self.sandbox, files.sandbox.mode) {
                (_, Some(Sandbox::Strict)) => Sandbox::Strict,
                (flag, file) => flag.or(file).unwrap_or_default(),
            },
            network: files.sandbox.network.unwrap_or_default(),
            scratch: self.scratch.unwrap_or_default(),
            shard: None,
            show_context: self.show_context,
            // For heal's own tests; a release has no such door.
            without_gate: cfg!(debug_assertions).then(|| std::env::var("HEAL_TEST_WITHOUT_GATE").ok()).flatten(),
        })
    }

    /// The models that were named: by flag, else `HEAL_MODEL`, else the user's
    /// configuration; `None` where nobody named one.
    ///
    /// # Errors
    /// A name that is none.
    pub fn named_models(&self) -> Result<Option<Vec<ModelName>>, Failed> {
        let mut names = self.models.clone();
        if names.is_empty() {
            names.extend(std::env::var("HEAL_MODEL").ok().filter(|name| !name.is_empty()));
        }
        if names.is_empty() {
            let files = files(&self.repo).map_err(|error| Failed::usage(error.to_string()))?;
            names.extend(files.model.unwrap_or_default());
        }
        if names.is_empty() {
            return Ok(None);
        }
        let parsed: Result<Vec<ModelName>, Failed> = names
            .iter()
            .map(|name| ModelName::parse(name).map_err(|error| Failed::usage(format!("{error}\n  {}", error.hint()))))
            .collect();
        Ok(Some(parsed?.into_iter().filter(|name| name.kind() != ProviderKind::None).collect()))
    }
}

/// The repository's file over the user's.
///
/// # Errors
/// A file that cannot be read, or sets what it may not.
pub fn files(repo: &Path) -> Result<File, OptionsError> {
    files_under(repo, None)
}

/// The same, the repository's file under that of a base.
fn files_under(repo: &Path, base: Option<File>) -> Result<File, OptionsError> {
    let user = user_file().map(|path| File::read(&path)).transpose()?.unwrap_or_default();
    let repository = repository_file(repo).map(|path| File::read_repository(&path)).transpose()?.unwrap_or_default();
    let repository = match base {
        Some(base) => repository.under(base),
        None => repository,
    };
    Ok(repository.over(user))
}

/// How long the texts of runs are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those of runs that began before may go; `None` where nothing says so.
    pub before: Option<jiff::Timestamp>,
    /// Whether the user's own file says so: then they go by themselves.
    pub by_itself: bool,
}

/// What the user's file and the repository's say of it: of two ages the
/// longer, for a repository must not have a record dropped that its user
/// keeps.
///
/// # Errors
/// As for [`files`].
pub fn retention(repo: &Path) -> Result<Retention, OptionsError> {
    let user = user_file().map(|path| File::read(&path)).transpose()?.unwrap_or_default();
    let repository = repository_file(repo).map(|path| File::read_repository(&path)).transpose()?.unwrap_or_default();
    let now = jiff::Timestamp::now();
    let before = |file: &File| file.retention.as_deref().and_then(|text| age::ago(text, now).ok());
    let by_itself = user.retention.is_some();
    Ok(Retention { before: before(&user).into_iter().chain(before(&repository)).min(), by_itself })
}

/// The environment variables that the user's own configuration names for its
/// connections: what they hold is secret, whatever they are called.
pub fn named_variables() -> Vec<String> {
    // A file that cannot be read is told of where it is needed.
    let file = user_file().and_then(|path| File::read(&path).ok());
    file.and_then(|file| file.connection).map(|connections| connections.variables()).unwrap_or_default()
}

/// Where the user's own configuration lies.
pub fn user_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(base.join("heal/config.toml"))
}

/// `heal.toml` in the folder or above it, up to the repository's root.
fn repository_file(start: &Path) -> Option<PathBuf> {
    let start = std::fs::canonicalize(start).ok()?;
    for folder in start.ancestors() {
        let file = folder.join("heal.toml");
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads a saved log of any size in a stream, as much of it as can tell of
/// failures.
fn read_trace(path: &Path) -> Result<Vec<u8>, Failed> {
    let cannot = |error: std::io::Error| Failed::usage(format!("cannot read the trace `{}`: {error}", path.display()));
    if path == Path::new("-") {
        return condense::read(std::io::stdin().lock()).map_err(cannot);
    }
    let file = std::fs::File::open(path).map_err(cannot)?;
    condense::read(std::io::BufReader::with_capacity(1 << 20, file)).map_err(cannot)
}
