//! The commands of `heal ci`: `reproduce`, `ask` and `verify`, three of the four
//! jobs for untrusted code, of which `publish` is the fourth; `plan` and `merge`,
//! which stand before and behind the jobs of one tree.
//!
//! What runs a stranger's code refuses to start beside a secret; what holds
//! one runs no code.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use heal::git::Repository;
use heal::pipeline::PipelineError;
use heal::pipeline::jobs;
use heal::pipeline::jobs::Asked;
use heal::pipeline::jobs::ParcelError;
use heal::pipeline::jobs::Reproduced;

use super::artifacts;
use super::given::Given;
use super::given::GivenFlags;
use super::plan;
use super::publish;
use super::shards;
use crate::cli::consent;
use crate::cli::fix;
use crate::cli::output;
use crate::cli::output::Failed;
use crate::cli::output::Look;
use crate::cli::settings::RunFlags;
use crate::cli::setup;

/// What a job does.
#[derive(Clone, Debug, Subcommand)]
pub enum Job {
    /// Run untrusted code: reproduce, diagnose, try the rules; holds no secret
    Reproduce(Box<ReproduceArguments>),
    /// Ask a model about what is open; runs no code
    Ask(Box<AskArguments>),
    /// Run untrusted code: put the model's patches through the gates; holds no secret
    Verify(Box<VerifyArguments>),
    /// Check the policy again and hand patches to the forge; runs no code
    Publish(Box<publish::Arguments>),
    /// Say which jobs heal one tree together, as a matrix or a child pipeline
    Plan(plan::Arguments),
    /// Join what the shards of one tree found, and deliver it; runs no code
    Merge(Box<shards::MergeArguments>),
}

/// The arguments of `heal ci reproduce`.
#[derive(Clone, Debug, Args)]
pub struct ReproduceArguments {
    /// What and how to heal
    #[command(flatten)]
    pub flags: RunFlags,
    /// What the pipeline has seen
    #[command(flatten)]
    pub given: GivenFlags,
    /// Where the parcel for the next job goes
    #[arg(short, long, value_name = "FILE", default_value = "heal-reproduced.json")]
    pub output: PathBuf,
}

/// A parcel of the job before.
#[derive(Clone, Debug, Args)]
pub struct FromReproduced {
    /// The parcel of heal ci reproduce
    #[arg(long, value_name = "FILE", default_value = "heal-reproduced.json")]
    pub reproduced: PathBuf,
    /// The digest that heal ci reproduce printed
    #[arg(long, value_name = "DIGEST")]
    pub reproduced_digest: Option<String>,
}

/// The arguments of `heal ci ask`.
#[derive(Clone, Debug, Args)]
pub struct AskArguments {
    /// Whom to ask, and what it may cost
    #[command(flatten)]
    pub flags: RunFlags,
    /// What is asked about
    #[command(flatten)]
    pub from: FromReproduced,
    /// Where the parcel for the next job goes
    #[arg(short, long, value_name = "FILE", default_value = "heal-asked.json")]
    pub output: PathBuf,
}

/// The arguments of `heal ci verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// How to test
    #[command(flatten)]
    pub flags: RunFlags,
    /// What was reproduced
    #[command(flatten)]
    pub from: FromReproduced,
    /// The parcel of heal ci ask; without it the rules' patches alone are handed on
    #[arg(long, value_name = "FILE")]
    pub asked: Option<PathBuf>,
    /// The digest that heal ci ask printed
    #[arg(long, value_name = "DIGEST", requires = "asked")]
    pub asked_digest: Option<String>,
    /// Where the parcel for the next job goes
    #[arg(short, long, value_name = "FILE", default_value = "heal-verified.json")]
    pub output: PathBuf,
}

/// Tokens and keys that a job which runs a stranger's code must not have: a
/// pipeline gives them only where somebody wrote so. What systems set by
/// themselves (`CI_JOB_TOKEN`) is kept from the tests instead.
const NEVER: [&str; 13] = [
    "HEAL_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITLAB_TOKEN",
    "FORGEJO_TOKEN",
    "GITEA_TOKEN",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "OPENROUTER_API_KEY",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
];

/// Runs one job; returns the exit code.
pub fn run(job: &Job, look: Look) -> Result<i32, Failed> {
    match job {
        Job::Reproduce(arguments) => reproduce(arguments, look),
        Job::Ask(arguments) => ask(arguments, look),
        Job::Verify(arguments) => verify(arguments, look),
        Job::Publish(arguments) => publish::run(arguments, look),
        Job::Plan(arguments) => plan::run(arguments),
        Job::Merge(arguments) => shards::merge(arguments, look),
    }
}

fn reproduce(arguments: &ReproduceArguments, look: Look) -> Result<i32, Failed> {
    let mut settings = arguments.flags.settings()?;
    let repository = beside_no_secret("reproduce", &settings.repo)?;
    settings.offline = true;
    let given = Given::read(&arguments.given, &repository)?;
    given.apply(&mut settings);
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let outcome = setup::runtime()?.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        jobs::reproduce(&settings, &kit.tools).await
    });
    let mut parcel = outcome.map_err(|error| fix::close(&kit, error.into()))?;
    parcel.report.notes.extend(kit.notes.iter().chain(&given.notes).cloned());
    parcel.report = fix::record(&kit, &parcel.report)?;
    // Whatever the tests could find out, no secret of this machine leaves it.
    let parcel = kit.tools.shown.document(&parcel);
    kit.progress.finish();
    hand_on(&arguments.output, &parcel)?;
    output::message(&heal::report::text::render(&parcel.report, look.width, look.colour_err));
    // What is open is for the next jobs: this one has done its own.
    Ok(if parcel.report.exit == 1 { 0 } else { parcel.report.exit })
}

fn ask(arguments: &AskArguments, look: Look) -> Result<i32, Failed> {
    let mut settings = arguments.flags.settings()?;
    let (parcel, digest) =
        jobs::read::<Reproduced>(&arguments.from.reproduced, digest_of(&arguments.from)).map_err(not_usable)?;
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let mut notes = kit.notes.clone();
    settings.models = consent::models(&arguments.flags, &settings, &kit.tools, look, &mut notes)?;
    let outcome = setup::runtime()?.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        jobs::ask(&parcel, &digest, &settings, &kit.tools).await
    });
    let mut asked = outcome.map_err(|error| fix::close(&kit, error.into()))?;
    asked.notes.extend(notes);
    kit.progress.finish();
    kit.tools.ledger.finish(&kit.tools.run, 0, "").map_err(Failed::ledger)?;
    for note in &asked.notes {
        output::message(&format!("note: {note}"));
    }
    hand_on(&arguments.output, &asked)?;
    Ok(0)
}

fn verify(arguments: &VerifyArguments, look: Look) -> Result<i32, Failed> {
    let mut settings = arguments.flags.settings()?;
    beside_no_secret("verify", &settings.repo)?;
    settings.offline = true;
    let (reproduced, digest) =
        jobs::read::<Reproduced>(&arguments.from.reproduced, digest_of(&arguments.from)).map_err(not_usable)?;
    let asked = arguments.asked.as_ref();
    let asked = asked.map(|path| jobs::read::<Asked>(path, arguments.asked_digest.as_deref())).transpose();
    let asked = asked.map_err(not_usable)?;
    if let Some((asked, _)) = asked.as_ref().filter(|(asked, _)| asked.reproduced != digest) {
        return Err(Failed::usage(format!(
            "the answers are to another parcel: they are to {}, and this is {digest}\n  Run the jobs again, in order",
            asked.reproduced
        )));
    }
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let outcome = setup::runtime()?.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        let asked = asked.as_ref().map(|(asked, digest)| (asked, digest.as_str()));
        jobs::verify((&reproduced, &digest), asked, &settings, &kit.tools).await
    });
    let mut judged = outcome.map_err(|error| fix::close(&kit, error.into()))?;
    judged.report = fix::record(&kit, &judged.report)?;
    kit.progress.finish();
    hand_on(&arguments.output, &judged)?;
    output::message(&heal::report::text::render(&judged.report, look.width, look.colour_err));
    Ok(judged.report.exit)
}

fn digest_of(from: &FromReproduced) -> Option<&str> {
    from.reproduced_digest.as_deref()
}

/// The repository, where nothing secret lies beside it.
fn beside_no_secret(job: &str, repo: &Path) -> Result<Repository, Failed> {
    let set = NEVER.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if let Some(name) = set {
        return Err(Failed::usage(format!(
            "heal ci {job} runs untrusted code and was given `{name}`\n  \
             Give it to the job that needs it alone: a model's key to heal ci ask, a forge's token to heal ci publish"
        )));
    }
    let launcher = setup::launcher(&heal::interrupt::Interrupt::new())?;
    let repository = Repository::discover(repo, &launcher).map_err(PipelineError::from)?;
    if repository.has_stored_header().map_err(PipelineError::from)? {
        return Err(Failed::usage(format!(
            "heal ci {job} runs untrusted code, and git's configuration holds a token that the checkout left there\n  \
             Check out with `persist-credentials: false`"
        )));
    }
    Ok(repository)
}

/// Writes the parcel and tells its digest: on stdout, and as the step's output
/// `digest`.
fn hand_on<P: jobs::Parcel>(path: &Path, parcel: &P) -> Result<(), Failed> {
    let digest = jobs::write(path, parcel).map_err(|error| Failed::own(error.to_string()))?;
    if let Some(file) = std::env::var_os("GITHUB_OUTPUT").filter(|file| !file.is_empty()) {
        artifacts::append(Path::new(&file), &format!("digest={digest}\n"))?;
    }
    output::result(&digest);
    Ok(())
}

/// What a parcel that cannot be used means for the job.
pub fn not_usable(error: ParcelError) -> Failed {
    Failed::usage(error.to_string())
}
