//! `heal explain`: the diagnosis alone.
//!
//! Calls no model; with a saved log it runs nothing at all.

use super::PipelineError;
use super::Tools;
use super::case::Case;
use super::prepare;
use super::prepare::Past;
use super::prepare::recent_changes;
use super::survey;
use crate::detect::Spectrum;
use crate::diagnose;
use crate::diagnose::Diagnosis;
use crate::git::Repository;
use crate::language;
use crate::options::Settings;
use crate::scratch::Snapshot;
use crate::source::RelPath;
use crate::trace;
use crate::trace::places::Places;

/// What `heal explain` found.
pub struct Explained {
    /// One diagnosis for each cluster of failures.
    pub diagnoses: Vec<Diagnosis>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What a model would be sent for each, where that was asked for.
    pub contexts: Vec<String>,
}

/// Diagnoses what fails, or what the saved log says failed.
///
/// # Errors
/// No repository or runner, or the tests cannot be run.
pub async fn explain(settings: &Settings, tools: &Tools) -> Result<Explained, PipelineError> {
    let mut explained = match &settings.trace {
        Some(text) if !settings.show_context => from_log(text, settings, tools)?,
        _ => from_run(settings, tools).await?,
    };
    if settings.show_context {
        explained.contexts = contexts(&explained, settings, tools)?;
    }
    Ok(explained)
}

/// Bytes of a log that tell what reading it takes.
const BEGINNING: usize = 64 << 10;

/// Reads the beginning of a saved log and throws away what it finds: patterns
/// and queries are made when they are first needed, which takes longer than to
/// use them. Worth a thread while git is asked.
pub fn rehearse(log: &[u8]) {
    let beginning = &log[..log.len().min(BEGINNING)];
    let text = String::from_utf8_lossy(beginning);
    for language in language::LANGUAGES {
        if language.extensions.iter().any(|extension| text.contains(&format!(".{extension}"))) {
            language::parse(language, "").outline();
        }
    }
    trace::failures(beginning, &Places::default(), &RelPath::default());
}

fn contexts(explained: &Explained, settings: &Settings, tools: &Tools) -> Result<Vec<String>, PipelineError> {
    let Some(asker) = tools.asker(settings)? else {
        return Err(PipelineError::Usage {
            what: "no model is named, so nothing would be sent".into(),
            hint: "Name one: heal fix --show-context --model PROVIDER/NAME".into(),
        });
    };
    let previews = explained.diagnoses.iter().map(|diagnosis| asker.preview(diagnosis));
    previews.collect::<Result<_, _>>().map_err(|error| PipelineError::Usage {
        what: error.to_string(),
        hint: "Check the templates in .heal/prompts".into(),
    })
}

async fn from_run(settings: &Settings, tools: &Tools) -> Result<Explained, PipelineError> {
    let mut prepared = prepare::prepare(settings, tools).await?;
    let survey = survey::settled(&mut prepared, settings, tools, survey::Scope::Asked).await?;
    let failures: Vec<_> = survey.reproductions.iter().map(|reproduction| reproduction.failure.clone()).collect();
    let mut diagnoses = Vec::new();
    for cluster in diagnose::clusters(&failures) {
        let members = cluster.iter().map(|index| survey.reproductions[*index].clone()).collect();
        let Some(case) = Case::diagnose(&prepared, &survey, members) else { continue };
        tools.events.emit(case.diagnosed_event());
        diagnoses.push(case.diagnosis);
    }
    Ok(Explained { diagnoses, notes: survey.notes, contexts: Vec::new() })
}

fn from_log(text: &[u8], settings: &Settings, tools: &Tools) -> Result<Explained, PipelineError> {
    let (repository, snapshot) = match &tools.tree {
        Some(tree) => tree.clone(),
        None => {
            let repository = Repository::discover(&settings.repo, &tools.launcher)?;
            let snapshot = Snapshot::take_again(&repository, &tools.cache)?;
            (repository, snapshot)
        }
    };
    let at = std::fs::canonicalize(&settings.repo)
        .ok()
        .and_then(|path| RelPath::within(repository.root(), &path))
        .unwrap_or_default();
    let files = snapshot.files();
    let places = Places::new(vec![repository.root().to_path_buf()], files.iter().cloned());
    let failures = trace::failures(text, &places, &at);
    let recent = recent_changes(&repository, &snapshot);
    let past = Past::before_recent(&repository, &snapshot);
    let mut diagnoses = Vec::new();
    for cluster in diagnose::clusters(&failures) {
        let members: Vec<_> = cluster.iter().map(|index| failures[*index].clone()).collect();
        let evidence = diagnose::Evidence {
            texts: &snapshot,
            files: &files,
            failures: &members,
            executed: &[],
            beside: &[],
            passing: &Spectrum::default(),
            tests: &[],
            recent: &recent,
            earlier: past.as_ref().map(|past| past as &dyn diagnose::Texts),
            rerun: None,
            root: at.clone(),
        };
        diagnoses.extend(diagnose::diagnose(&evidence, &diagnose::Config::default()));
    }
    Ok(Explained { diagnoses, notes: Vec::new(), contexts: Vec::new() })
}
