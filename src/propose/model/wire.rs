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
use crate::process::Command;
use crate::process::Exit;
use crate::propose::provider;
use crate::propose::provider::Ask;
use crate::propose::provider::ProviderError;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Reply;
use crate::propose::provider::Shape;
use crate::propose::provider::StopReason;
use crate::propose::provider::exec;
use crate::propose::provider::manual;
use crate::propose::provider::ollama;

/// Bytes of a program's answer; a larger one is none.
const MOST_OF_A_PROGRAM: usize = 4 << 20;

/// A way to a model.
pub(super) struct Wire {
    client: Client,
    schema: serde_json::Value,
    /// What the server was found to take.
    shape: Shape,
    /// What the model can hold, once Ollama was asked.
    context: Option<Option<u64>>,
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
        Ok(Wire { client, schema: reply::schema(), shape: Shape::default(), context: None, interrupt, events })
    }

    /// Sends `prompt` and waits for the answer.
    pub(super) async fn exchange(&mut self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        match config.model.kind() {
            ProviderKind::Exec => self.by_program(config, prompt).await,
            ProviderKind::Manual => self.by_hand(config, prompt).await,
            ProviderKind::Replay | ProviderKind::None => {
                Err(ProviderError::NotRecorded { digest: prompt.digest.clone() })
            }
            _ => self.over_http(config, prompt).await,
        }
    }

    async fn over_http(&mut self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        let kind = config.model.kind();
        let address = config.address().unwrap_or_default();
        let needs_key = config.model.key_variable().is_some();
        if needs_key && config.key.is_none() && Some(address) == config.model.provider().base_url {
            let detail = "no key is set".to_owned();
            return Err(ProviderError::Auth { variable: config.model.key_variable(), detail });
        }
        let key = config.key.as_ref();
        if kind == ProviderKind::Ollama && self.context.is_none() {
            let parts = ollama::show_request(address, key, config.model.name());
            let response = self.client.post(&parts.url, parts.headers, &parts.body).await?;
            let context = ollama::context(response.status, &response.body);
            self.context = Some(context.map_err(|error| error.about(&config.model))?);
        }
        let context = self.context.flatten();
        loop {
            let ask = self.asked(config, prompt);
            if kind == ProviderKind::Ollama {
                ollama::check_fit(&ask, context)?;
            }
            let parts = provider::request(kind, address, key, &ask, context);
            let response = self.client.post(&parts.url, parts.headers, &parts.body).await?;
            // Each turn lowers the shape, so that there are few.
            if let Some(lower) = provider::relaxed(kind, self.shape, response.status, &response.body) {
                self.shape = lower;
                continue;
            }
            return provider::answer(kind, response.status, &response.body).map_err(|error| error.about(&config.model));
        }
    }

    fn asked<'a>(&'a self, config: &'a Config, prompt: &'a Prompt) -> Ask<'a> {
        Ask {
            model: config.model.name(),
            system: &prompt.system,
            user: &prompt.user,
            schema: &self.schema,
            max_output_tokens: config.max_output_tokens,
            shape: self.shape,
        }
    }

    async fn by_program(&self, config: &Config, prompt: &Prompt) -> Result<Reply, ProviderError> {
        let program = config.model.name();
        let fails = |detail: String| ProviderError::Program { program: program.to_owned(), detail };
        let launcher = config.launcher.as_ref().ok_or_else(|| fails("heal may not start it here".to_owned()))?;
        let mut command = Command::new(program).time_limit(config.timeout).output_limit(MOST_OF_A_PROGRAM);
        for (name, value) in &config.program_environment {
            command = command.env(name, value);
        }
        let input = exec::request(&self.asked(config, prompt));
        let output = launcher.converse(&command, &input).await.map_err(|error| fails(error.to_string()))?;
        if let (Exit::Interrupted, Some(stop)) = (output.exit, self.interrupt.raised()) {
            return Err(ProviderError::Interrupted(stop));
        }
        exec::answer(program, output.exit, &output.stdout, &output.stderr, output.dropped)
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
