//! `heal ci --shard` and `heal ci merge`: one tree healed by several jobs.
//!
//! A shard hands its parcel on and speaks to no forge; `merge` runs no code,
//! applies the policy again and delivers all.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::git::Repository;
use heal::interrupt::Interrupt;
use heal::ledger::NewProposal;
use heal::options::Settings;
use heal::options::shard::Shard;
use heal::patch::Patch;
use heal::pipeline;
use heal::pipeline::PipelineError;
use heal::pipeline::jobs;
use heal::pipeline::jobs::Share;
use heal::pipeline::seen::Seen;
use heal::report::FailureReport;
use heal::report::RunReport;

use super::Failed;
use super::Kit;
use super::PlaceFlags;
use super::Requests;
use super::admission::admitted;
use super::base::Base;
use super::handover::Handover;
use super::jobs::not_usable;
use crate::cli::apply;
use crate::cli::output;
use crate::cli::output::Look;
use crate::cli::settings::RunFlags;
use crate::cli::setup;

/// The arguments of `heal ci merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArguments {
    /// The shards' parcels, or folders that hold them
    #[arg(value_name = "PARCEL", required = true)]
    pub parcels: Vec<PathBuf>,
    /// The policy
    #[command(flatten)]
    pub flags: RunFlags,
    /// Where requests go
    #[command(flatten)]
    pub place: PlaceFlags,
    /// The folder for reports and patches
    #[arg(long, default_value = "heal-artifacts", value_name = "DIR")]
    pub artifacts: PathBuf,
    /// Write a report; .md, .html, .json, .sarif or .xml (JUnit) by its ending
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
}

/// The settings of a shard: its share of the failures and of the caps.
pub fn shared(mut settings: Settings, shard: Shard, notes: &mut Vec<String>) -> Settings {
    settings.shard = Some(shard);
    match shard.caps(settings.caps) {
        Some(caps) => settings.caps = caps,
        None => {
            settings.offline = true;
            notes.push(format!("shard {shard}: the cap on calls leaves none for it, so no model was asked"));
        }
    }
    settings
}

/// Writes a shard's parcel into the folder of artifacts; returns the job's
/// exit code: 0 where the share was seen to, whatever came of it, for the
/// verdict is `merge`'s.
pub fn hand_on(
    shard: Shard,
    report: &RunReport,
    seen: Seen,
    passed: &[String],
    kit: &Kit,
    artifacts: &Path,
) -> Result<i32, Failed> {
    let proposals = report.failures.iter().filter(|row| row.is_verified()).filter_map(|row| row.proposals.first());
    let mut patches: Vec<(String, Patch)> = Vec::new();
    for proposal in proposals.filter(|proposal| !proposal.id.is_empty()) {
        let stored = kit.tools.ledger.proposal(&proposal.id).map_err(Failed::ledger)?;
        patches.push((proposal.id.clone(), stored.patch));
    }
    let share = Share {
        schema: jobs::SHARED.to_owned(),
        shard,
        failing: seen.failing,
        report: report.clone(),
        patches,
        passed: passed.iter().cloned().chain(seen.passed).collect(),
    };
    let path = artifacts.join(format!("shard-{}-of-{}.json", shard.index, shard.of));
    // Whatever the tests could find out, no secret of this machine leaves it.
    jobs::write(&path, &kit.tools.shown.document(&share)).map_err(|error| Failed::own(error.to_string()))?;
    output::message(&format!("heal: shard {shard} is in {}; heal ci merge joins all", path.display()));
    Ok(if report.exit == 130 { 130 } else { 0 })
}

/// Runs `heal ci merge`; returns the exit code.
pub fn merge(arguments: &MergeArguments, look: Look) -> Result<i32, Failed> {
    crate::cli::fix::check_reports(&arguments.reports)?;
    let repository = {
        let launcher = setup::launcher(&Interrupt::new())?;
        Repository::discover(&arguments.flags.repo, &launcher).map_err(PipelineError::from)?
    };
    let mut place = arguments.place.clone();
    if arguments.flags.offline {
        place.request = Requests::None;
    }
    let Some((mut ci, stranger)) = super::admit(&place, &repository)? else { return Ok(0) };
    let base = Base::of(&ci, stranger, arguments.flags.offline, &repository)?;
    let settings = arguments.flags.settings_under(base.file(&arguments.flags.repo, &repository)?)?;
    let mut shares = Vec::new();
    for path in parcels(&arguments.parcels)? {
        shares.push(jobs::read::<Share>(&path, None).map_err(not_usable)?.0);
    }
    let joined = jobs::join(shares).map_err(|error| Failed::usage(error.to_string()))?;
    let head = repository.head().map_err(PipelineError::from)?;
    if joined.report.base.commit != head {
        let name = |commit: Option<String>| commit.unwrap_or_else(|| "no commit".into());
        return Err(Failed::usage(format!(
            "the shards are of {}, and {} is checked out\n  Check out the same commit in every job",
            name(joined.report.base.commit),
            name(head)
        )));
    }
    let kit = setup::kit(&setup::Line::typed(), &settings, arguments.flags.events.as_deref(), look, false)?;
    let (mut report, patches) = admitted(&joined.report, &joined.patches, &settings)?;
    report.run.clone_from(&kit.tools.run);
    let patches = kept(&mut report, patches, &kit)?;
    report.ledger.head = kit.tools.ledger.head().unwrap_or_default();
    report.notes.extend(kit.notes.iter().cloned());
    pipeline::tell_outcomes(&report.failures, &kit.tools);
    if stranger {
        ci.token = None;
    }
    let whole = |id: &str| {
        let found = patches.iter().find(|(other, _)| other == id).map(|(_, patch)| patch);
        let patch = found.ok_or_else(|| Failed::own(format!("the patch of {id} is in no parcel")))?;
        apply::whole(repository.root(), patch)
    };
    let handover = Handover {
        place: &place,
        ci: &ci,
        repository: &repository,
        base: &base,
        settings: &settings,
        kit: &kit,
        artifacts: &arguments.artifacts,
        reports: &arguments.reports,
        json: arguments.flags.json,
        delivers: !stranger,
        look,
    };
    Ok(handover.carry_out(report, joined.passed.iter(), &whole, &setup::runtime()?)?.exit)
}

/// Puts the patches into this run's own record, so that what the report says
/// to do with them can be done here; returns them by their new ids.
fn kept(report: &mut RunReport, patches: Vec<(String, Patch)>, kit: &Kit) -> Result<Vec<(String, Patch)>, Failed> {
    let mut kept = Vec::new();
    for (old, patch) in patches {
        let is_of = |row: &&mut FailureReport| row.proposals.first().is_some_and(|first| first.id == old);
        let mut id = None;
        for row in report.failures.iter_mut().filter(is_of) {
            let Some(first) = row.proposals.first_mut() else { continue };
            let new = match &id {
                Some(id) => String::clone(id),
                None => {
                    let evidence = serde_json::to_string(&first.evidence).map_err(Failed::own)?;
                    let new = NewProposal { failure: &row.id, patch: &patch, evidence: &evidence };
                    kit.tools.ledger.keep_proposal(&kit.tools.run, &new).map_err(Failed::ledger)?
                }
            };
            first.id.clone_from(&new);
            id = Some(new);
        }
        kept.extend(id.map(|id| (id, patch)));
    }
    Ok(kept)
}

/// The files that are named; of a folder those in it and in its own folders,
/// as systems lay out artifacts of several jobs.
fn parcels(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        within(path, 2, &mut found)?;
        if found.len() == before {
            return Err(Failed::usage(format!(
                "there is no shard-I-of-N.json in `{}`\n  Hand the artifacts of heal ci --shard to this job",
                path.display()
            )));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn within(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let cannot = |error| Failed::usage(format!("cannot read `{}`: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link is followed nowhere: artifacts hold none.
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() && depth > 0 {
            within(&entry.path(), depth - 1, found)?;
        } else if kind.is_file() && name.starts_with("shard-") && name.ends_with(".json") {
            found.push(entry.path());
        }
    }
    Ok(())
}
