//! The job that holds the model's key: asks once for each open diagnosis.
//!
//! Runs nothing, and reads no file of the tree that was tested: what it shows
//! a model is what the parcel holds. There are no feedback rounds, since the
//! tests run elsewhere.

use super::Asked;
use super::Reproduced;
use super::parcel;
use crate::options::Settings;
use crate::pipeline::PipelineError;
use crate::pipeline::Tools;
use crate::propose::model::redact::Redactor;
use crate::propose::provider::ProviderKind;
use crate::report::Cost;
use crate::source::RelPath;

/// Diagnoses that are asked about.
const MOST: usize = 20;

/// Bytes of one diagnosis's slice; a slice of heal's own has a tenth of it.
const MOST_SLICE: usize = 400 << 10;

/// Asks the models of `settings` about what is open.
///
/// # Errors
/// No model, or one that would run a program.
pub async fn ask(
    parcel: &Reproduced,
    digest: &str,
    settings: &Settings,
    tools: &Tools,
) -> Result<Asked, PipelineError> {
    let local = |kind| matches!(kind, ProviderKind::Exec | ProviderKind::Manual | ProviderKind::Replay);
    if let Some(name) = settings.models.iter().find(|name| local(name.kind())) {
        return Err(PipelineError::Usage {
            what: format!("`{name}` is no model for this job, which runs no program"),
            hint: "Name one that a provider serves, as in anthropic/NAME".into(),
        });
    }
    let mut asked = Asked {
        schema: parcel::ASKED.to_owned(),
        reproduced: digest.to_owned(),
        candidates: Vec::new(),
        cost: Cost::default(),
        notes: Vec::new(),
    };
    let read = |path: &RelPath| parcel.texts.iter().find(|(known, _)| known == path).map(|(_, text)| text.clone());
    for diagnosis in parcel.open.iter().take(MOST) {
        let id = &diagnosis.failure.id;
        let bytes: usize = diagnosis.slice.parts.iter().map(|part| part.text.len()).sum();
        if bytes > MOST_SLICE {
            asked.notes.push(format!("{id}: its parcel shows {bytes} bytes of code, more than a job of heal's does"));
            continue;
        }
        let Some(mut asker) = tools.asker(settings)? else {
            return Err(PipelineError::Usage {
                what: "no model is named, so there is nobody to ask".into(),
                hint: "Name one: heal ci ask --model PROVIDER/NAME".into(),
            });
        };
        match asker.ask(diagnosis, &read, &[]).await {
            Ok(answer) => {
                let cost = Cost {
                    calls: 1,
                    input_tokens: answer.usage.input.saturating_add(answer.usage.written),
                    cached_tokens: answer.usage.cached,
                    output_tokens: answer.usage.output,
                    usd: answer.usd,
                    ..Cost::default()
                };
                asked.cost = crate::pipeline::add_cost(asked.cost, cost);
                asked.candidates.extend(answer.candidates.into_iter().map(|candidate| (id.clone(), candidate)));
            }
            Err(error) => asked.notes.push(format!("{id}: no answer: {error}")),
        }
    }
    // What a model was not shown must not leave through its answer either.
    let mut redactor = Redactor::new(&tools.secrets);
    for note in &mut asked.notes {
        *note = redactor.redact(note);
    }
    Ok(asked)
}
