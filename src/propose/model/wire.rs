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
use crate::propose::provider::Incoming;
use crate::propose::provider::ProviderError;
use crate::propose::provider::ProviderKind;
use crate::propose::provider::Reply;
use crate::propose::provider::Shape;
use crate::propose::provider::StopReason;
use crate::propose::provider::Unfinished;
use crate::propose::provider::exec;
use crate::propose::provider::manual;
use crate::propose::provider::ollama;

/// Bytes of a program's answer; a larger one is none.
const MOST_OF_A_PROGRAM: usize = 4 << 20;

/// Hears of an answer while it arrives.
pub(super) type Heard<'a> = dyn FnMut(&Incoming) + Send + 'a;

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
        let (set, usual) = (&config.connection, crate::http::Config::default());
        let timeout = set.timeout.unwrap_or(config.timeout);
        let client = Client::new(crate::http::Config {
            timeout,
            total: timeout.mul_f64(1.5),
            idle: set.idle_timeout.unwrap_or(usual.idle).min(timeout),
            connect_timeout: set.connect_timeout.unwrap_or(usual.connect_timeout),
            allow_plain_http: config.allow_plain_http,
            proxy: set.proxy.clone(),
            authorities: set.authorities.clone(),
            interrupt: interrupt.clone(),
            ..usual
        })?;
        let shape = Shape { streamed: config.streamed, ..Shape::default() };
        Ok(Wire { client, schema: reply::schema(), shape, context: None, interrupt, events })
    }

    /// Sends `prompt` and waits for the answer; `heard` is told of one that
    /// comes piece by piece.
    pub(super) async fn exchange(
        &mut self,
        config: &Config,
        prompt: &Prompt,
        heard: &mut Heard<'_>,
    ) -> Result<Reply, ProviderError> {
        match config.model.kind() {
            ProviderKind::Exec => self.by_program(config, prompt).await,
            ProviderKind::Manual => self.by_hand(config, prompt).await,
            ProviderKind::Replay | ProviderKind::None => {
                Err(ProviderError::NotRecorded { digest: prompt.digest.clone() })
            }
            _ => self.over_http(config, prompt, heard).await,
        }
    }

    async fn over_http(
        &mut self,
        config: &Config,
        prompt: &Prompt,
        heard: &mut Heard<'_>,
    ) -> Result<Reply, ProviderError> {
        let kind = config.model.kind();
        let address = config.address().unwrap_or_default();
        let needs_key = config.key_variable().is_some();
        if needs_key && config.key.is_none() && Some(address) == config.model.provider().base_url {
            let detail = "no key is set".to_owned();
            return Err(ProviderError::Auth { variable: config.key_variable().map(str::to_owned), detail });
        }
        let key = config.key.as_ref();
        if kind == ProviderKind::Ollama && self.context.is_none() {
            let parts = ollama::show_request(address, key, config.model.name());
            let parts = config.connection.dress(kind, parts, key);
            let response = self.client.post(&parts.url, parts.headers, &parts.body).await?;
            let context = ollama::context(response.status, &response.body);
            self.context = Some(context.map_err(|error| error.about(&config.model, config.key_variable()))?);
        }
        let context = self.context.flatten();
        loop {
            let ask = self.asked(config, prompt);
            if kind == ProviderKind::Ollama {
                ollama::check_fit(&ask, context)?;
            }
            let parts = provider::request(kind, address, key, &ask, context);
            let parts = config.connection.dress(kind, parts, key);
            let mut incoming = Incoming::new(kind);
            let mut listen = |line: &[u8]| {
                let wish = incoming.take(line);
                heard(&incoming);
                wish
            };
            let response = self.client.post_for_lines(&parts.url, parts.headers, &parts.body, &mut listen).await;
            let response = match response {
                Ok(response) => response,
                Err(error) => return unfinished(incoming.finish(200, Some(error)), config),
            };
            // Each turn lowers the shape, so that there are few.
            if let Some(lower) = provider::relaxed(kind, self.shape, response.status, &response.body) {
                self.shape = lower;
                continue;
            }
            if !(200..300).contains(&response.status) {
                let answer = provider::answer(kind, response.status, &response.body);
                return answer.map_err(|error| error.about(&config.model, config.key_variable()));
            }
            return unfinished(incoming.finish(response.status, None), config);
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

/// The reply; of one that did not come whole, what came if it holds a whole
/// patch: it is paid for, and may be on trial already.
fn unfinished(finished: Result<Reply, Box<Unfinished>>, config: &Config) -> Result<Reply, ProviderError> {
    let Unfinished { error, reply } = match finished {
        Ok(reply) => return Ok(reply),
        Err(unfinished) => *unfinished,
    };
    match reply.filter(|reply| !reply::read(&reply.text).patches.is_empty()) {
        Some(reply) => Ok(reply),
        None => Err(error.about(&config.model, config.key_variable())),
    }
}
