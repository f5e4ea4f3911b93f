//! `heal ci publish`: the job that holds the forge's token.
//!
//! Runs none of the code it speaks of, and believes nothing of the parcel: the
//! policy of the tree that is checked out here is applied again, patches stand
//! on the commit that this job was told of, and every text is marked as the
//! word of a job that ran untrusted code.

use std::path::PathBuf;

use clap::Args;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::pipeline::PipelineError;
use heal::pipeline::jobs;
use heal::pipeline::jobs::Judged;

use super::PlaceFlags;
use super::Requests;
use super::admission::admitted;
use super::artifacts;
use super::base::Base;
use super::desk;
use super::jobs::not_usable;
use super::orders;
use crate::cli::fix;
use crate::cli::output::Failed;
use crate::cli::output::Look;
use crate::cli::settings::RunFlags;
use crate::cli::setup;

/// What stands before every text.
const LABEL: &str = "> The checks below ran in a job that ran this code, untrusted and without secrets: they are that \
                     job's word. heal has checked the policy again here, and has run nothing.\n\n";

/// The arguments of `heal ci publish`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The policy
    #[command(flatten)]
    pub flags: RunFlags,
    /// Where requests go
    #[command(flatten)]
    pub place: PlaceFlags,
    /// The parcel of heal ci verify
    #[arg(long, value_name = "FILE", default_value = "heal-verified.json")]
    pub verified: PathBuf,
    /// The digest that heal ci verify printed
    #[arg(long, value_name = "DIGEST")]
    pub verified_digest: Option<String>,
    /// The commit that was to be tested, as the event names it
    #[arg(long, value_name = "SHA")]
    pub commit: String,
    /// Comment on this request, and open none
    #[arg(long, value_name = "NUMBER", conflicts_with = "base")]
    pub pull: Option<u64>,
    /// The folder for reports and patches
    #[arg(long, default_value = "heal-artifacts", value_name = "DIR")]
    pub artifacts: PathBuf,
}

/// Runs `heal ci publish`; returns the exit code.
pub fn run(arguments: &Arguments, look: Look) -> Result<i32, Failed> {
    let settings = arguments.flags.settings()?;
    let (judged, _) =
        jobs::read::<Judged>(&arguments.verified, arguments.verified_digest.as_deref()).map_err(not_usable)?;
    if judged.commit != arguments.commit {
        return Err(Failed::usage(format!(
            "the parcel speaks of another commit than `{}`\n  Hand on the parcel of this event's own jobs",
            arguments.commit
        )));
    }
    if arguments.pull.is_none() && arguments.place.base.is_none() {
        return Err(Failed::usage(
            "nothing says where the patches go\n  Name the request to comment on (--pull NUMBER) or the branch that \
             requests go to (--base BRANCH)",
        ));
    }
    let launcher = setup::launcher(&Interrupt::new())?;
    let repository = Repository::discover(&settings.repo, &launcher).map_err(PipelineError::from)?;
    let ci = super::surroundings(&arguments.place, &repository);
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let (mut report, patches) = admitted(&judged.report, &judged.patches, &settings)?;
    report.base.commit = Some(judged.commit.clone());
    let whole = |id: &str| {
        let found = patches.iter().find(|(other, _)| other == id).map(|(_, patch)| patch.clone());
        found.ok_or_else(|| Failed::own(format!("the patch of {id} is not in the parcel")))
    };
    let shown = kit.tools.shown.document(&report);
    let unasked = heal::options::ci::Ci { event: heal::options::ci::Event::Branch, ..ci.clone() };
    let batches = orders::of(&shown, LABEL, &unasked, &settings.policy, &whole)?;
    let folder = artifacts::Folder::create(&arguments.artifacts)?;
    folder.patches(&batches)?;
    let base = Base::checked_out(&repository);
    let place = PlaceFlags { base: arguments.place.base.clone().or(Some(String::new())), ..arguments.place.clone() };
    let runtime = setup::runtime()?;
    let undelivered = match desk::Plan::new(&place, &unasked, &repository, &settings, &kit, &base, &mut report)? {
        Some(plan) => runtime.block_on(async {
            match arguments.pull {
                Some(number) => plan.say(number, &batches, &mut report).await,
                None => plan.carry_out(&batches, judged.passed.iter(), &mut report, &kit.tools).await,
            }
        }),
        None if arguments.place.request == Requests::None => None,
        None => Some(2),
    };
    if let Some(code) = undelivered {
        report.exit = code;
    }
    let shown = fix::record(&kit, &report)?;
    kit.progress.finish();
    folder.reports(&shown)?;
    super::tell(arguments.flags.json, &shown, &ci, look)?;
    Ok(report.exit)
}
