//! One exchange with a model, whatever its kind: sends a prompt, lowers the
//! request's shape where the server asks for that, reads the answer.
//!
//! Knows nothing of budgets or patches.

use std::path::Path;

use super::Config;
use super::prompt::Prompt;
use super::reply;
use crate::event::Events;
use crate::http::Client;
use crate::interrupt::Interrupt;
use crate::propose::provider;
use crate::propose::provider::Ask;
use crate::propose::provider::ProviderError;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Reply;
use crate::propose::provider::Shape;
use crate::propose::provider::StopReason;
use crate::propose::provider::manual;

/// A way to a model.
pub(super) struct Wire {
    client: Client,
    schema: serde_json::Value,
    /// What the server was found to take.
    shape: Shape,
    interrupt: Interrupt,
    events: Events,
}

impl Wire {
    pub(super) fn new(config: &Config, interrupt: Interrupt, events: Events) -> Result<Wire, ProviderError> {
        let client = Client::new(crate::http::Config {
            timeout: config.timeout,
            allow_plain_http: config.allow_plain_http,
            interrupt: interrupt.clone(),
            ..crate::http::Config::default()
        })?;
        Ok(Wire { client, schema: reply::schema(), shape: Shape::default(), interrupt, events })
    }

    /// Sends `prompt` and waits for the answer.
    pub(super) async fn exchange(&mut self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        match config.model.kind() {
            ProviderKind::Anthropic | ProviderKind::OpenAiChat => self.over_http(config, prompt).await,
            ProviderKind::Manual => self.by_hand(config, prompt).await,
            ProviderKind::Replay | ProviderKind::None => {
                Err(ProviderError::NotRecorded { digest: prompt.digest.clone() })
            }
        }
    }

    async fn over_http(&mut self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        let kind = config.model.kind();
        let address = config.address().unwrap_or_default();
        if config.key.is_none() && Some(address) == config.model.provider().base_url {
            let detail = "no key is set".to_owned();
            return Err(ProviderError::Auth { variable: config.model.key_variable(), detail });
        }
        loop {
            let ask = Ask {
                model: config.model.name(),
                system: &prompt.system,
                user: &prompt.user,
                schema: &self.schema,
                max_output_tokens: config.max_output_tokens,
                shape: self.shape,
            };
            let parts = provider::request(kind, address, config.key.as_ref(), &ask);
            let response = self.client.post(&parts.url, parts.headers, &parts.body).await?;
            // Each turn lowers the shape, so that there are few.
            if let Some(lower) = provider::relaxed(kind, self.shape, response.status, &response.body) {
                self.shape = lower;
                continue;
            }
            return provider::answer(kind, response.status, &response.body).map_err(|error| error.about(&config.model));
        }
    }

    async fn by_hand(&self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        let files = manual::Files::of(Path::new(&config.manual_folder), &prompt.digest);
        manual::write_prompt(&files, &prompt.whole())?;
        let (from, to) = (files.prompt.display(), files.answer.display());
        self.events.note(format!("the prompt is in {from}; heal waits for the answer in {to}"));
        let text = manual::wait_for_answer(&files, config.timeout, &self.interrupt).await?;
        Ok(Reply { text, stop: StopReason::Done, usage: Some(Default::default()), model: "manual".to_owned() })
    }
}
