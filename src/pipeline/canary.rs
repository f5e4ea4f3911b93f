//! The canary: do the tests notice at all what stands in the scratch?
//!
//! Asked only when no candidate ever changed the outcome (DECISIONS 15): the
//! suspects' files are broken on purpose; tests that do not notice run some
//! other copy of the code.

use super::PipelineError;
use super::case::Case;
use super::prepare::Prepared;
use crate::detect::reproduce;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::RelPath;

/// Suspect files that are broken at once.
const FILES: usize = 3;

/// A sentence that says what was not noticed; `None` where the tests did
/// notice, or there is no suspect to break.
///
/// # Errors
/// The tests cannot be run.
pub async fn unheard(prepared: &Prepared, case: &Case) -> Result<Option<String>, PipelineError> {
    let mut paths: Vec<&RelPath> = Vec::new();
    for suspect in &case.diagnosis.suspects {
        if !paths.contains(&&suspect.path) && paths.len() < FILES {
            paths.push(&suspect.path);
        }
    }
    let changes: Vec<FileChange> = paths.iter().filter_map(|path| broken(prepared, path)).collect();
    if changes.is_empty() {
        return Ok(None);
    }
    let mut scratch = prepared.scratch().await?;
    scratch.lay(&Patch::new(changes))?;
    let report = prepared.bench.run(&*scratch, &prepared.bench.request(case.aim.selection.clone())).await?;
    let unmoved = case.aim.failures.iter().all(|reproduction| {
        reproduce::find(&report, &reproduction.failure.id).is_some_and(|failure| reproduction.is_same(failure))
    });
    let names: Vec<&str> = paths.iter().map(|path| path.as_str()).collect();
    Ok(unmoved.then(|| {
        format!(
            "breaking {} on purpose changed nothing: the tests run another copy of that code, or none of it",
            names.join(", ")
        )
    }))
}

/// The file's text with a fault at its top level that no test can miss.
fn broken(prepared: &Prepared, path: &RelPath) -> Option<FileChange> {
    let before = prepared.text(path)?;
    let fault = match path.extension()? {
        "py" | "pyi" => "\nraise RuntimeError('planted by heal to see whether this file is loaded')\n",
        "rs" => "\ncompile_error!(\"planted by heal to see whether this file is compiled\");\n",
        _ => return None,
    };
    let after = format!("{before}{fault}");
    Some(FileChange { path: path.clone(), before: Some(before), after: Some(after) })
}
