//! The work for untrusted code, in jobs that never hold a secret and run the
//! code at once (DECISIONS 35).
//!
//! ```text
//! reproduce ──Reproduced──▶ ask ──Asked──▶ verify ──Judged──▶ publish
//! runs code                 model's key    runs code          forge's token
//! no secret                 runs none      no secret          runs none
//! ```
//!
//! What a job hands on is a parcel: a document with a digest, and with the
//! digest of the one before. A parcel of a job that ran a stranger's code is a
//! stranger's word: it is read with limits, its texts are shown as text, and
//! what it says of a patch counts as said by that job, not as known.

mod ask;
mod parcel;
mod share;
mod verify;

use serde::Deserialize;
use serde::Serialize;

use crate::diagnose::Diagnosis;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::report::Cost;
use crate::report::RunReport;
use crate::source::RelPath;

pub use ask::ask;
pub use parcel::Parcel;
pub use parcel::ParcelError;
pub use parcel::SHARED;
pub use parcel::read;
pub use parcel::write;
pub use share::JoinError;
pub use share::Joined;
pub use share::Share;
pub use share::join;
pub use verify::verify;

use super::PipelineError;
use super::Tools;
use crate::options::Settings;

/// What `reproduce` hands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproduced {
    /// `heal.ci.reproduce/1`.
    pub schema: String,
    /// The commit that was tested.
    pub commit: String,
    /// The run without a model.
    pub report: RunReport,
    /// What no rule mends, diagnosed.
    pub open: Vec<Diagnosis>,
    /// The files that those diagnoses show, so that an answer can be laid on
    /// them without the tree.
    pub texts: Vec<(RelPath, String)>,
    /// Tests that passed, as the runner names them.
    pub passed: Vec<String>,
}

/// What `ask` hands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// `heal.ci.ask/1`.
    pub schema: String,
    /// The digest of the parcel it answers.
    pub reproduced: String,
    /// Patches to try, for the failing test that stands for each diagnosis.
    pub candidates: Vec<(String, Candidate)>,
    /// What the model cost.
    pub cost: Cost,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// What `verify` hands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// `heal.ci.verify/1`.
    pub schema: String,
    /// The digest of the answers it judged; empty where there were none.
    pub asked: String,
    /// The digest of the parcel before them.
    pub reproduced: String,
    /// The commit that was tested.
    pub commit: String,
    /// The whole run.
    pub report: RunReport,
    /// The verified patches, whole, by proposal.
    pub patches: Vec<(String, Patch)>,
    /// Tests that passed, as the runner names them.
    pub passed: Vec<String>,
}

/// Bytes of one file that a parcel carries, and files.
const MOST_TEXT: usize = 512 << 10;
const MOST_FILES: usize = 80;

/// Heals without a model, and collects what a model would be shown of the
/// rest.
///
/// # Errors
/// As for [`super::heal`]; also where there is no commit.
pub async fn reproduce(settings: &Settings, tools: &Tools) -> Result<Reproduced, PipelineError> {
    let (report, seen, prepared) = super::heal_prepared(settings, tools).await?;
    let commit = report.base.commit.clone().ok_or(crate::git::GitError::NoCommit)?;
    let mut texts: Vec<(RelPath, String)> = Vec::new();
    for diagnosis in &seen.open {
        let shown = diagnosis.slice.parts.iter().map(|part| &part.path);
        for path in shown.chain(diagnosis.suspects.iter().map(|suspect| &suspect.path)) {
            if texts.len() < MOST_FILES
                && !texts.iter().any(|(known, _)| known == path)
                && let Some(text) = prepared.text(path).filter(|text| text.len() <= MOST_TEXT)
            {
                texts.push((path.clone(), text));
            }
        }
    }
    let schema = parcel::REPRODUCED.to_owned();
    Ok(Reproduced { schema, commit, report, open: seen.open, texts, passed: seen.passed })
}
