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
use heal::options::Settings;
use heal::patch::Patch;
use heal::pipeline::PipelineError;
use heal::pipeline::jobs;
use heal::pipeline::jobs::Judged;
use heal::report::RunReport;
use heal::verify::policy;
use heal::verify::policy::Author;

use super::PlaceFlags;
use super::Requests;
use super::artifacts;
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
    let (mut report, patches) = admitted(&judged, &settings)?;
    report.base.commit = Some(judged.commit.clone());
    let whole = |id: &str| {
        let found = patches.iter().find(|(other, _)| other == id).map(|(_, patch)| patch.clone());
        found.ok_or_else(|| Failed::own(format!("the patch of {id} is not in the parcel")))
    };
    let shown = kit.tools.shown.document(&report);
    let unasked = heal::options::ci::Ci { event: heal::options::ci::Event::Branch, ..ci.clone() };
    let batches = orders::of(&shown, LABEL, &unasked, &whole)?;
    let folder = artifacts::Folder::create(&arguments.artifacts)?;
    folder.patches(&batches)?;
    let place = PlaceFlags { base: arguments.place.base.clone().or(Some(String::new())), ..arguments.place.clone() };
    let runtime = setup::runtime()?;
    let undelivered = match desk::Plan::new(&place, &unasked, &repository, &settings, &kit, &mut report)? {
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

/// The report with what the policy of this tree lets through; what it refuses
/// is abstained on, with the reason.
fn admitted(judged: &Judged, settings: &Settings) -> Result<(RunReport, Vec<(String, Patch)>), Failed> {
    let globs = |patterns: &[String]| policy::globs(patterns).map_err(|error| Failed::usage(error.to_string()));
    let config =
        policy::Config { allow: globs(&settings.allow)?, deny: globs(&settings.deny)?, ..policy::Config::default() };
    let mut report = judged.report.clone();
    let mut patches = Vec::new();
    for failure in report.failures.iter_mut().filter(|failure| failure.is_verified()) {
        let Some(proposal) = failure.proposals.first_mut() else { continue };
        let patch = judged.patches.iter().find(|(id, _)| *id == proposal.id).map(|(_, patch)| patch);
        // `Patch::new` again: a document may hold what no patch of heal's does.
        let patch = patch.map(|patch| Patch::new(patch.changes().to_vec()));
        let verdict = match &patch {
            Some(patch) => policy::judge(patch, Author::Machine, &config).map_err(|miss| miss.detail),
            None => Err("the parcel does not hold the patch".to_owned()),
        };
        match (verdict, patch) {
            (Ok(()), Some(patch)) => {
                // What is shown is what is pushed.
                proposal.diff = patch.diff();
                proposal.files = patch.files().into_iter().cloned().collect();
                patches.push((proposal.id.clone(), patch));
            }
            (Ok(()), None) => {}
            (Err(why), _) => {
                failure.outcome = "abstained".into();
                failure.reason = Some("policy".into());
                failure.reason_why = Some(format!("the patch was refused when it was to be published: {why}"));
                failure.proposals.clear();
                report.exit = report.exit.max(1);
            }
        }
    }
    Ok((report, patches))
}

#[cfg(test)]
mod tests {
    use heal::patch::FileChange;
    use heal::source::RelPath;

    use super::*;

    fn judged(path: &str, before: Option<&str>, after: &str) -> Judged {
        let change = FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: Some(after.to_owned()),
        };
        let report = include_str!("judged.json").replace("PATH", path);
        Judged {
            schema: "heal.ci.verify/1".into(),
            asked: String::new(),
            reproduced: String::new(),
            commit: "c0ffee".into(),
            report: serde_json::from_str(&report).expect("a report"),
            patches: vec![("01J.1".into(), Patch::new(vec![change]))],
            passed: Vec::new(),
        }
    }

    fn settings() -> Settings {
        use clap::Parser;
        let cli = crate::cli::Cli::try_parse_from(["heal", "fix", "--deny", "secret/**"]).expect("parsed");
        let crate::cli::Command::Fix(arguments) = cli.command else { panic!("fix") };
        arguments.flags.settings().expect("settings")
    }

    #[test]
    fn what_the_policy_of_this_tree_refuses_is_not_published() {
        for (path, before, after, wanted) in [
            ("shop.py", Some("x = 1\n"), "x = 2\n", None),
            (".github/workflows/ci.yml", Some("a\n"), "b\n", Some(".github")),
            ("tests/test_shop.py", Some("a = 1\n"), "a = 2\n", Some("test file")),
            ("secret/key.py", Some("a = 1\n"), "a = 2\n", Some("denied")),
            ("new.py", None, "a = 2\n", Some("creates")),
            ("shop.py", Some("x = 1\n"), "import os\nx = os.system('id')\n", Some("brings into")),
            ("shop.py", Some("x = 1\n"), "x = 1\n", Some("changes nothing")),
        ] {
            let (report, patches) = admitted(&judged(path, before, after), &settings()).expect("read");
            let why = report.failures[0].reason_why.clone();
            assert_eq!(patches.len(), usize::from(wanted.is_none()), "{path}: {why:?}");
            assert_eq!(report.failures[0].is_verified(), wanted.is_none());
            let told = why.unwrap_or_default();
            assert!(wanted.is_none_or(|word| told.contains(word)), "{path}: {told}");
        }
        let mut other = judged("shop.py", Some("x = 1\n"), "x = 2\n");
        other.patches[0].0 = "01J.2".into();
        assert!(admitted(&other, &settings()).expect("read").1.is_empty());
    }
}
