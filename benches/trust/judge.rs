//! Judges a patch by what it was made without: the hidden tests, and calls on
//! which it differs from the code before the fault. Decides by execution alone.

use std::collections::BTreeSet;

use anyhow::Result;
use heal::patch::Patch;
use heal::pipeline::prepare::Prepared;
use heal::runner::Report;
use heal::runner::Selection;
use heal::runner::Status;
use heal::verify::probe;
use heal::verify::special::Literals;
use heal::verify::target::Aim;
use serde::Deserialize;
use serde::Serialize;

/// What became of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// All tests pass, and no call was found that tells it from the code
    /// before the fault.
    Right,
    /// A test that it was made without fails.
    FailsHidden,
    /// All tests pass, and a call near those of the tests behaves otherwise
    /// than before the fault.
    Differs,
}

/// The tests that pass.
pub fn passing(report: &Report) -> BTreeSet<String> {
    let passing = report.tests.iter().filter(|test| test.status == Status::Passed);
    passing.map(|test| test.id.clone()).collect()
}

/// Judges `patch` in the tree with the fault and all tests. `clean`: what
/// passes without the fault; `original`: the patch that takes the fault out.
pub async fn judge(
    prepared: &Prepared,
    patch: &Patch,
    original: &Patch,
    clean: &BTreeSet<String>,
    failing: &BTreeSet<String>,
) -> Result<(Judgement, String)> {
    let mut scratch = prepared.scratch().await?;
    scratch.lay(patch)?;
    let report = prepared.bench.run(&*scratch, &prepared.bench.request(Selection::All)).await?;
    scratch.restore()?;
    let passes = passing(&report);
    if let Some(broken) = clean.iter().find(|id| !passes.contains(*id)) {
        return Ok((Judgement::FailsHidden, broken.clone()));
    }
    let aim = Aim {
        failures: Vec::new(),
        selection: Selection::Tests(failing.iter().cloned().collect()),
        literals: Literals::default(),
    };
    let near = probe::near(&aim, clean.iter().map(String::as_str));
    let compared = probe::compare(&prepared.bench, &mut *scratch, &aim, &near, &[original, patch]).await?;
    Ok(match compared.differences.first() {
        Some(found) => {
            let told = format!("`{}`: {} before the fault, {} now", found.call, found.outcomes.0, found.outcomes.1);
            (Judgement::Differs, told)
        }
        None => (Judgement::Right, format!("{} calls alike", compared.inputs)),
    })
}
