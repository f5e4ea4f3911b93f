//! How each model is spoken to: one wire dialect a file, as two pure functions
//! (`request` composes, `answer` reads).
//!
//! Knows nothing of failures or patches, reads no environment variable, and
//! never puts a key into an error.

pub mod anthropic;
mod connection;
mod error;
pub mod exec;
pub mod gemini;
pub mod manual;
pub mod name;
pub mod ollama;
pub mod openai;
pub mod openai_chat;
pub mod replay;
mod stream;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

pub use self::connection::Connection;
pub use self::error::ProviderError;
use self::error::detail;
use self::error::json;
use self::error::refused;
pub use self::name::BadModel;
pub use self::name::ModelName;
pub use self::name::PROVIDERS;
pub use self::name::Provider;
pub use self::name::ProviderKind;
pub use self::stream::Incoming;
pub use self::stream::Unfinished;
use crate::http::HeaderText;
use crate::http::Secret;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The model, as the provider calls it.
    pub model: &'a str,
    /// The part that is the same in every call; cached where the provider can.
    pub system: &'a str,
    /// The rest.
    pub user: &'a str,
    /// The JSON schema of the answer.
    pub schema: &'a Value,
    /// The most tokens of an answer, thinking included.
    pub max_output_tokens: u64,
    /// What this server is known not to take.
    pub shape: Shape,
}

/// What a server takes; starts with the newest dialect and is lowered by
/// `relaxed` where the server refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How the answer's form is asked for.
    pub format: Format,
    /// Whether the limit is called by its older name, `max_tokens`.
    pub old_limit: bool,
    /// Whether the answer comes piece by piece.
    pub streamed: bool,
}

/// How the answer's form is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// By a JSON schema, strictly.
    Schema,
    /// As any JSON object.
    Object,
    /// By the prompt's words alone.
    Words,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { format: Format::Schema, old_limit: false, streamed: true }
    }
}

/// A composed request.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// The address.
    pub url: String,
    /// Headers beside those every request has.
    pub headers: Vec<(String, HeaderText)>,
    /// The body.
    pub body: Value,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The model was done.
    Done,
    /// At the limit of tokens.
    Length,
    /// The model refused.
    Refusal,
    /// The provider's filter took the answer.
    Filtered,
    /// The model was done and said nothing.
    Empty,
    /// The connection ended in the middle of the answer; what came before
    /// holds a whole patch.
    CutOff,
}

/// What an answer took, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input neither read from nor written to a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache.
    #[serde(default)]
    pub written: u64,
    /// Output, thinking included.
    pub output: u64,
}

impl Usage {
    /// All tokens.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.cached).saturating_add(self.written).saturating_add(self.output)
    }

    /// All input tokens.
    pub fn all_input(&self) -> u64 {
        self.input.saturating_add(self.cached).saturating_add(self.written)
    }
}

/// An answer, the same for all providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub stop: StopReason,
    /// What it took; `None` where the server does not say.
    pub usage: Option<Usage>,
    /// The model that answered, as the server names it.
    pub model: String,
}

impl Reply {
    /// This reply, where an answer of nothing is told from one that is done.
    fn with_its_end(mut self) -> Reply {
        if self.stop == StopReason::Done && self.text.trim().is_empty() {
            self.stop = StopReason::Empty;
        }
        self
    }
}

/// Composes the request for `ask`. `context` is the most tokens that the model
/// can hold, where the dialect must be told.
pub fn request(kind: ProviderKind, base: &str, key: Option<&Secret>, ask: &Ask<'_>, context: Option<u64>) -> Parts {
    match kind {
        ProviderKind::Anthropic => anthropic::request(base, key, ask),
        ProviderKind::OpenAi => openai::request(base, key, ask),
        ProviderKind::Gemini => gemini::request(base, key, ask),
        ProviderKind::Ollama => ollama::request(base, key, ask, context),
        _ => openai_chat::request(base, key, ask),
    }
}

/// Reads the answer.
///
/// # Errors
/// The server's refusals, typed, and answers that cannot be read.
pub fn answer(kind: ProviderKind, status: u16, body: &[u8]) -> Result<Reply, ProviderError> {
    let reply = match kind {
        ProviderKind::Anthropic => anthropic::answer(status, body),
        ProviderKind::OpenAi => openai::answer(status, body),
        ProviderKind::Gemini => gemini::answer(status, body),
        ProviderKind::Ollama => ollama::answer(status, body),
        _ => openai_chat::answer(status, body),
    };
    reply.map(Reply::with_its_end)
}

/// The next lower shape, where the server refused this one for its form.
pub fn relaxed(kind: ProviderKind, shape: Shape, status: u16, body: &[u8]) -> Option<Shape> {
    if !matches!(status, 400 | 415 | 422 | 501) {
        return None;
    }
    let text = detail(body).to_lowercase();
    let lower = match shape.format {
        Format::Schema if kind != ProviderKind::Anthropic => Some(Format::Object),
        Format::Schema | Format::Object => Some(Format::Words),
        Format::Words => None,
    };
    if text.contains("max_completion_tokens") && !shape.old_limit && kind == ProviderKind::OpenAiChat {
        return Some(Shape { old_limit: true, ..shape });
    }
    if text.contains("stream") && shape.streamed {
        return Some(Shape { streamed: false, ..shape });
    }
    let of_format = [
        "response_format",
        "json_schema",
        "json_object",
        "output_config",
        "responsejsonschema",
        "responsemimetype",
        "schema",
        "format",
        "structured",
    ];
    let named = of_format.iter().any(|word| text.contains(word));
    lower.filter(|_| named).map(|format| Shape { format, ..shape })
}

#[cfg(test)]
mod tests;
