//! What the trials of one case have in common: the failures that are to be
//! cured, the policy in force, what is watched while tests run.
//!
//! Gathers; tries nothing.

use std::sync::Arc;

use super::PipelineError;
use super::case::Case;
use super::prepare::Prepared;
use super::reason::Reason;
use crate::failure::Kind;
use crate::options::Settings;
use crate::patch::Patch;
use crate::runner::Selection;
use crate::verify::Miss;
use crate::verify::Trials;
use crate::verify::integrity::Guard;
use crate::verify::policy;
use crate::verify::policy::Author;
use crate::verify::policy::rules::Level;
use crate::verify::special::Literals;
use crate::verify::target::Aim;

/// Trials of patches that a machine made for `case`: no gate is left out.
///
/// # Errors
/// A glob of the user's that is none.
pub fn machine(prepared: &Prepared, case: &Case, settings: &Settings) -> Result<Trials, PipelineError> {
    trials(prepared, case.aim.clone(), Author::Machine, settings)
}

/// Trials of a person's patch, which claims to cure `aim`.
///
/// # Errors
/// A glob of the user's that is none.
pub fn person(prepared: &Prepared, aim: Aim, settings: &Settings) -> Result<Trials, PipelineError> {
    let trials = trials(prepared, Arc::new(aim), Author::Person, settings)?;
    Ok(Trials { without: settings.without_gate.clone(), ..trials })
}

/// What the gates that run nothing say against a person's patch, whatever it
/// is to cure.
///
/// # Errors
/// A glob of the user's that is none.
pub fn refusal(prepared: &Prepared, patch: &Patch, settings: &Settings) -> Result<Option<Miss>, PipelineError> {
    let nothing = Aim { failures: Vec::new(), selection: Selection::All, literals: Literals::default() };
    Ok(person(prepared, nothing, settings)?.screen(patch, false).err())
}

fn trials(prepared: &Prepared, aim: Arc<Aim>, author: Author, settings: &Settings) -> Result<Trials, PipelineError> {
    let kinds: Vec<Kind> = aim.failures.iter().map(|one| one.failure.kind).collect();
    Ok(Trials {
        bench: prepared.bench.clone(),
        aim,
        policy: Arc::new(policy_of(settings, &kinds)?),
        author,
        seen: Arc::default(),
        guard: Guard::of(&prepared.snapshot.files()),
        recall: prepared.recall.clone(),
        suite_scope: prepared.suite.name().to_owned(),
        sandbox: prepared.sandbox.clone(),
        without: None,
    })
}

/// The reason not to look for a patch at all: wherever the fault may be, the
/// policy lets heal only explain.
pub fn closed(case: &Case, settings: &Settings) -> Option<Reason> {
    let kinds: Vec<Kind> = case.aim.failures.iter().map(|one| one.failure.kind).collect();
    let levels = case.diagnosis.suspects.iter().map(|suspect| settings.policy.applied([&suspect.path], &kinds).level);
    let levels: Vec<_> = levels.collect();
    let first = levels.first().filter(|_| levels.iter().all(|level| level.value == Level::Explain))?;
    let why = format!("heal is to explain failures there and to propose nothing ({})", first.by);
    Some(Reason::new("policy", why))
}

/// The user's policy, for failures of these kinds.
fn policy_of(settings: &Settings, kinds: &[Kind]) -> Result<policy::Config, PipelineError> {
    let globs = |patterns: &[String]| {
        policy::globs(patterns).map_err(|error| PipelineError::Usage {
            what: format!("not a glob: {error}"),
            hint: "Patterns look like src/** or *.py".into(),
        })
    };
    Ok(policy::Config {
        allow: globs(&settings.allow)?,
        deny: globs(&settings.deny)?,
        rules: settings.policy.clone(),
        kinds: kinds.to_vec(),
        ..policy::Config::default()
    })
}
