//! The command line: what people type, and what they get back.
//!
//! Parses, builds the tools, calls the pipeline, prints.

pub mod apply;
pub mod audit;
pub mod checkup;
pub mod ci;
pub mod completions;
pub mod connection;
pub mod consent;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod failpoint;
pub mod fix;
pub mod init;
pub mod interactive;
pub mod log;
pub mod man;
pub mod output;
pub mod policy;
pub mod records;
pub mod replay;
pub mod resume;
pub mod settings;
pub mod setup;
pub mod show;
pub mod showcase;
pub mod stats;
#[cfg(feature = "opentelemetry")]
pub mod traces;
pub mod verify;

use std::path::PathBuf;

use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;

use output::Failed;
use records::Form;

/// Propose verified fixes for failing tests, or abstain and say why
#[derive(Debug, Parser)]
#[command(name = "heal", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing but errors and the result
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colour the output: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// Print plain lines instead of progress bars
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const EXIT_CODES: &str = "Exit codes: 0 verified or nothing fails, 1 abstained, 2 usage or configuration,\n3 not reproduced or flaky, 4 model or budget, 5 environment, 70 heal's own fault,\n130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find what fails, propose patches, keep only those that verify
    Fix(fix::Arguments),
    /// Say what fails and where the fault probably is; asks no model
    Explain(explain::Arguments),
    /// Put any patch through the same gates
    Verify(verify::Arguments),
    /// Heal in a pipeline: branches and requests, job summary, reports
    Ci(Box<ci::Arguments>),
    /// Apply a proposal to the work tree
    Apply {
        /// The proposal; the last run's best where none is named
        proposal: Option<String>,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// Take an applied proposal back
    Undo {
        /// The proposal; the last one applied where none is named
        proposal: Option<String>,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// List past runs
    Log {
        /// How many, newest first
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
        number: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Drop the texts of old runs: reports, prompts, replies, patches
        #[arg(long, conflicts_with = "json")]
        prune: bool,
        /// How old, as in 90d; what `retention` says where it is not given
        #[arg(long, value_name = "AGE", requires = "prune")]
        older_than: Option<String>,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// Show one run in full, with its evidence
    Show {
        /// The run, or the beginning of its id; the last where none is named
        run: Option<String>,
        /// Print JSON
        #[arg(long, conflicts_with = "diff")]
        json: bool,
        /// Print the best proposal's diff
        #[arg(long)]
        diff: bool,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// Run again from the record, without network, and say whether the verdicts agree
    Replay {
        /// The run, or the beginning of its id; the last where none is named
        run: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// Check that the record is as it was written
    Audit(audit::Arguments),
    /// Count fixes, abstentions, time to repair and cost over all recorded runs
    Stats(stats::Arguments),
    /// Write heal.toml and, with --ci, workflows for a pipeline
    Init(init::Arguments),
    /// Say what works here: git, runner, scratch, sandbox, model
    Doctor {
        /// Say how far heal may go with these paths, and who says so
        #[arg(long)]
        policy: bool,
        /// A path to say it of; without any the rules are listed
        #[arg(value_name = "PATH", requires = "policy")]
        paths: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        repo: PathBuf,
    },
    /// Heal two small broken projects, offline, in a temporary directory
    Demo {
        /// Keep the projects and say where they are
        #[arg(long)]
        keep: bool,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write all of them into a directory
    Man {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

/// Parses the command line and does what it says; returns the exit code.
pub fn main() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return error.exit_code();
        }
    };
    let look = output::Look::of(&cli);
    match run(&cli, look) {
        Ok(code) => code,
        Err(failed) => {
            output::error(&failed, look);
            failed.code
        }
    }
}

fn run(cli: &Cli, look: output::Look) -> Result<i32, Failed> {
    match &cli.command {
        Command::Fix(arguments) => fix::run(arguments, look),
        Command::Explain(arguments) => explain::run(arguments, look),
        Command::Verify(arguments) => verify::run(arguments, look),
        Command::Ci(arguments) => ci::run(arguments, look),
        Command::Apply { proposal, repo } => apply::apply(repo, proposal.as_deref()),
        Command::Undo { proposal, repo } => apply::undo(repo, proposal.as_deref()),
        Command::Log { prune: true, older_than, repo, .. } => records::prune(repo, older_than.as_deref()),
        Command::Log { number, json, repo, .. } => records::log(repo, *number, *json, look),
        Command::Show { run, json, diff, repo } => {
            let form = match (json, diff) {
                (true, _) => Form::Json,
                (_, true) => Form::Diff,
                _ => Form::Text,
            };
            records::show(repo, run.as_deref().unwrap_or("last"), form, look)
        }
        Command::Replay { run, json, repo } => replay::run(repo, run.as_deref().unwrap_or("last"), *json, look),
        Command::Init(arguments) => init::run(arguments),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Stats(arguments) => stats::run(arguments, look),
        Command::Doctor { policy: true, paths, json, repo } => policy::run(repo, paths, *json, look),
        Command::Doctor { json, repo, .. } => checkup::run(repo, *json, look),
        Command::Demo { keep } => showcase::run(*keep, look),
        Command::Completions { shell } => {
            output::result(&completions::render(&Cli::command(), *shell));
            Ok(0)
        }
        Command::Man { directory } => manual(directory.as_deref()),
    }
}

/// Prints the main man page, or writes all of them.
fn manual(directory: Option<&std::path::Path>) -> Result<i32, Failed> {
    let command = Cli::command();
    match directory {
        None => {
            let page = man::page(&command).map_err(Failed::own)?;
            output::result(&String::from_utf8_lossy(&page));
        }
        Some(folder) => {
            let count = man::write(&command, folder)
                .map_err(|error| Failed::own(format!("cannot write to `{}`: {error}", folder.display())))?;
            output::message(&format!("wrote {count} man pages to {}", folder.display()));
        }
    }
    Ok(0)
}
