//! The ledger as the place where models' replies are kept and found again.
//!
//! Joins two layers; decides nothing.

use std::sync::Arc;

use crate::event::Event;
use crate::ledger::Ledger;
use crate::propose::provider::replay::ReplyStore;

/// The replies of one model, for one run.
pub struct Record {
    /// The record.
    pub ledger: Arc<Ledger>,
    /// The run that asks.
    pub run: String,
    /// The model as its replies were kept.
    pub model: String,
}

impl ReplyStore for Record {
    fn find(&self, prompt_digest: &str) -> Option<String> {
        // A record that cannot be read costs a call, not the run.
        self.ledger.find_reply(prompt_digest, &self.model).ok().flatten().map(|reply| reply.text)
    }

    fn keep(&self, prompt_digest: &str, model: &str, prompt: &str, reply: &str) -> Result<String, String> {
        self.ledger.keep_reply(&self.run, prompt_digest, model, prompt, reply).map_err(|error| error.to_string())
    }
}

/// The models that a recorded run asked, in the order they were first asked.
pub fn models_of(ledger: &Ledger, run: &str) -> Vec<String> {
    let mut models = Vec::new();
    let events = ledger.run(run).and_then(|run| ledger.events(&run.id)).unwrap_or_default();
    for stored in events {
        if let Ok(Event::Asked { model, .. }) = serde_json::from_str(&stored.event)
            && !models.contains(&model)
        {
            models.push(model);
        }
    }
    models
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_found_again_under_its_prompt_and_model() {
        let ledger = Arc::new(Ledger::in_memory().expect("a ledger"));
        let run = ledger.begin("heal fix", None, false).expect("a run");
        let record = Record { ledger: ledger.clone(), run: run.clone(), model: "openai-chat/m".into() };
        assert_eq!(record.find("d1"), None);
        record.keep("d1", "openai-chat/m", "prompt", "reply").expect("kept");
        assert_eq!(record.find("d1").as_deref(), Some("reply"));
        let other = Record { model: "openai-chat/n".into(), ..record };
        assert_eq!(other.find("d1"), None);
    }

    #[test]
    fn a_recorded_run_names_its_model() {
        let ledger = Ledger::in_memory().expect("a ledger");
        let run = ledger.begin("heal fix", None, false).expect("a run");
        assert!(models_of(&ledger, &run).is_empty());
        ledger
            .append(
                &run,
                &Event::Asked {
                    model: "openai-chat/m".into(),
                    call: 1,
                    input_tokens: 9,
                    prompt: "d".into(),
                    worst_tokens: 99,
                    worst_usd: None,
                },
            )
            .expect("kept");
        assert_eq!(models_of(&ledger, &run), ["openai-chat/m"]);
    }
}
