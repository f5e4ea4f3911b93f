//! `heal ci`: what `heal fix` does, for a pipeline.
//!
//! Finds out where it runs, heals, and puts the patches where a reviewer
//! finds them. What it prints holds no workflow command but its own.

mod admission;
mod artifacts;
mod base;
mod desk;
mod given;
mod handover;
pub mod jobs;
mod orders;
mod plan;
mod publish;
mod shards;

use std::path::PathBuf;

use clap::Args;
use heal::deliver::request::ForgeKind;
use heal::git::Repository;
use heal::options::Settings;
use heal::options::ci::Ci;
use heal::options::ci::System;
use heal::options::ci::Trust;
use heal::options::shard::Shard;
use heal::pipeline;
use heal::pipeline::PipelineError;
use heal::pipeline::seen::Seen;
use heal::progress::Verbosity;
use heal::report;
use heal::report::RunReport;

use super::consent;
use super::fix;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::settings::RunFlags;
use super::setup;
use super::setup::Kit;
use given::Given;
pub use orders::message;

/// The arguments of `heal ci`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// A job of its own
    #[command(subcommand)]
    pub job: Option<jobs::Job>,
    /// What and how to heal
    #[command(flatten)]
    pub flags: RunFlags,
    /// Where requests go
    #[command(flatten)]
    pub place: PlaceFlags,
    /// What the pipeline has seen
    #[command(flatten)]
    pub given: given::GivenFlags,
    /// Heal this share of the failures only, as in 2/4; heal ci merge joins all
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// The folder for reports and patches
    #[arg(long, default_value = "heal-artifacts", value_name = "DIR")]
    pub artifacts: PathBuf,
    /// Write a report; .md, .html, .json, .sarif or .xml (JUnit) by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// Where requests go, over what the environment says.
#[derive(Clone, Debug, Args)]
pub struct PlaceFlags {
    /// Open requests as drafts, ready for review, or not at all
    #[arg(long, value_name = "HOW", default_value = "draft")]
    pub request: Requests,
    /// The branch that requests go to
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,
    /// Whose API the forge speaks
    #[arg(long, value_name = "KIND", env = "HEAL_FORGE")]
    pub forge: Option<ForgeKind>,
    /// The address of the forge's API
    #[arg(long, value_name = "URL", env = "HEAL_API_URL")]
    pub api_url: Option<String>,
    /// The repository's name on the forge
    #[arg(long, value_name = "OWNER/NAME")]
    pub project: Option<String>,
    /// Where branches are pushed to
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
}

/// How requests are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Requests {
    /// As drafts
    Draft,
    /// Ready for review
    Ready,
    /// Not at all
    None,
}

/// Runs `heal ci`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    if let Some(job) = &arguments.job {
        return jobs::run(job, look);
    }
    fix::check_reports(&arguments.reports)?;
    let repository = {
        let launcher = setup::launcher(&heal::interrupt::Interrupt::new())?;
        Repository::discover(&arguments.flags.repo, &launcher).map_err(PipelineError::from)?
    };
    let mut arguments = arguments.clone();
    if arguments.flags.offline || arguments.shard.is_some() {
        // Not even the forge is spoken to; for a shard `merge` does.
        arguments.place.request = Requests::None;
    }
    let arguments = &arguments;
    let Some((mut ci, stranger)) = admit(&arguments.place, &repository)? else { return Ok(0) };
    let base = base::Base::of(&ci, stranger, arguments.flags.offline, &repository)?;
    let settings = arguments.flags.settings_under(base.file(&arguments.flags.repo, &repository)?)?;
    if look.verbosity > Verbosity::Quiet {
        output::message(&format!("heal: in {}, {}", ci.system.name(), what_runs(&ci)));
    }
    heal(arguments, settings, &repository, &base, &mut ci, stranger, look)
}

/// Where this runs and whether its code is a stranger's; `None`, with a word,
/// where nothing is to be done.
///
/// # Errors
/// Nothing may run here, or there is no token for what is wanted.
fn admit(place: &PlaceFlags, repository: &Repository) -> Result<Option<(Ci, bool)>, Failed> {
    let ci = surroundings(place, repository);
    let stranger = match ci.trust() {
        Trust::Own => false,
        Trust::Stranger => true,
        Trust::Heals { branch } => {
            output::message(&format!("{branch} is one of heal's own branches, which heal does not heal"));
            return Ok(None);
        }
        Trust::Never { event } => {
            return Err(Failed::usage(format!(
                "`{event}` gives this job secrets although a stranger may have set it off\n  \
                 Run heal ci on push, schedule or pull_request; for strangers' code there are four jobs: \
                 heal ci reproduce, ask, verify, publish"
            )));
        }
    };
    check_token(place, &ci, stranger)?;
    Ok(Some((ci, stranger)))
}

/// Heals, delivers, reports.
fn heal(
    arguments: &Arguments,
    mut settings: Settings,
    repository: &Repository,
    base: &base::Base,
    ci: &mut Ci,
    stranger: bool,
    look: Look,
) -> Result<i32, Failed> {
    let given = Given::read(&arguments.given, repository)?;
    given.apply(&mut settings);
    let mut notes = Vec::new();
    if let Some(shard) = arguments.shard {
        settings = shards::shared(settings, shard, &mut notes);
    }
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    notes.extend(kit.notes.iter().chain(&given.notes).cloned());
    if stranger {
        ci.token = None;
        settings.offline = true;
        notes.push("the code is from a fork: no model was asked and no token was used".into());
    } else {
        settings.models = consent::models(&arguments.flags, &settings, &kit.tools, look, &mut notes)?;
    }
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        if given.is_green {
            return pipeline::nothing_to_heal(&settings, &kit.tools).map(|report| (report, Seen::default()));
        }
        match pipeline::heal_and_see(&settings, &kit.tools).await {
            // A report's writer may name tests otherwise than the runner does.
            Err(PipelineError::NoSuchTest { name, .. }) if given.names(&name) => {
                notes.push(format!("the runner knows no test `{name}` of the pipeline's report, so all were run"));
                settings.tests = arguments.flags.tests.clone();
                pipeline::heal_and_see(&settings, &kit.tools).await
            }
            outcome => outcome,
        }
    });
    let (mut report, seen) = match outcome {
        Ok(found) => found,
        Err(error) => return Err(fix::close(&kit, error.into())),
    };
    report.notes.extend(notes);
    let handover = handover::Handover {
        place: &arguments.place,
        ci,
        repository,
        base,
        settings: &settings,
        kit: &kit,
        artifacts: &arguments.artifacts,
        reports: &arguments.reports,
        json: arguments.flags.json,
        delivers: !stranger && arguments.shard.is_none(),
        look,
    };
    let whole = |id: &str| orders::recorded(id, &kit.tools, repository);
    let passed = given.passed.iter().chain(&seen.passed);
    let shown = handover.carry_out(report, passed, &whole, &runtime)?;
    match arguments.shard {
        Some(shard) => shards::hand_on(shard, &shown, seen, &given.passed, &kit, &arguments.artifacts),
        None => Ok(shown.exit),
    }
}

/// What the environment, the repository and the flags say, the later over the
/// earlier.
fn surroundings(place: &PlaceFlags, repository: &Repository) -> Ci {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ci = Ci::of(&variable, &|path| std::fs::read_to_string(path).ok());
    let branch = repository.branch().ok().flatten();
    let origin = match ci.remote {
        None => repository.setting("remote.origin.url").ok().flatten(),
        Some(_) => None,
    };
    let mut ci = ci.with_repository(branch, origin);
    ci.forge = place.forge.or(ci.forge);
    ci.api = place.api_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()).or(ci.api);
    ci.project = place.project.clone().or(ci.project);
    ci.remote = place.remote.clone().or(ci.remote);
    ci
}

/// A pipeline that is to open requests and cannot is told before it works.
fn check_token(place: &PlaceFlags, ci: &Ci, stranger: bool) -> Result<(), Failed> {
    let wanted = place.request != Requests::None && !stranger && ci.forge.is_some() && ci.system != System::Shell;
    if ci.token.is_some() || !wanted {
        return Ok(());
    }
    Err(Failed::usage(format!(
        "there is no token to open requests with in {}\n  \
         Give the job one as HEAL_TOKEN{}, or say --request none for reports and patches alone",
        ci.system.name(),
        match ci.system {
            System::GithubActions => " or GITHUB_TOKEN (env: GITHUB_TOKEN: ${{ github.token }})",
            System::ForgejoActions => " or FORGEJO_TOKEN",
            System::GitlabCi => ": a project access token; a job's own cannot open merge requests",
            _ => "",
        }
    )))
}

fn what_runs(ci: &Ci) -> String {
    let branch = ci.branch.as_deref().map_or("no branch".to_owned(), |branch| format!("branch {branch}"));
    match ci.request() {
        Some(number) => format!("request {number}, {branch}"),
        None => branch,
    }
}

/// Prints the report, with the system's own means beside it.
fn tell(json: bool, report: &RunReport, ci: &Ci, look: Look) -> Result<(), Failed> {
    if let Some(summary) = &ci.summary {
        artifacts::append(summary, &report::markdown::render(report))?;
    }
    if let Some(outputs) = &ci.outputs {
        artifacts::append(outputs, &artifacts::outputs(report))?;
    }
    if json {
        output::result(&report::annotations::defused_json(&report::json::render(report)));
    } else {
        output::result(&report::annotations::defused(&report::text::render(report, look.width, look.colour)));
    }
    for request in &report.requests {
        let words = [&request.state, &request.url, &request.why].map(|word| heal::report::clean(word));
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        output::message(&format!("heal: {}", words.join(": ")));
    }
    if ci.system.has_workflow_commands() {
        output::command(&report::annotations::render(report));
    }
    Ok(())
}

/// A run's tools, for the parts of this command.
type Tools = heal::pipeline::Tools;

impl Kit {
    /// The client that forges are spoken to through, set up as the user's own
    /// configuration says.
    fn forge_client(&self, settings: &Settings, api: &str) -> Result<heal::http::Client, Failed> {
        let usage = |error: heal::options::OptionsError| Failed::usage(error.to_string());
        let connection = settings.connections.at(api, &*self.tools.variable).map_err(usage)?;
        let mut config = heal::http::Config {
            timeout: connection.timeout.unwrap_or(desk::ATTEMPT),
            total: desk::TOTAL,
            proxy: connection.proxy.clone(),
            authorities: connection.authorities.clone(),
            interrupt: self.tools.interrupt.clone(),
            ..heal::http::Config::default()
        };
        if let Some(connect) = connection.connect_timeout {
            config.connect_timeout = connect;
        }
        heal::http::Client::new(config).map_err(|error| Failed::usage(error.to_string()))
    }
}
