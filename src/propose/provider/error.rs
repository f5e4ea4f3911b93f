//! Why a model gave no answer, and how a server's word becomes that reason.
//!
//! Never holds a key.

use serde_json::Value;

use super::ModelName;
use crate::http::HttpError;
use crate::interrupt::Stop;

/// Why a model gave no answer. `detail` is the server's own word, cut to a few
/// hundred characters.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No key, or one that does not open the door (401, 403).
    #[error("the server refuses the key: {detail}")]
    Auth {
        /// The environment variable that holds it.
        variable: Option<String>,
        /// The server's word.
        detail: String,
    },
    /// The server knows no such model or path (404).
    #[error("the server knows no model `{model}`: {detail}")]
    NoModel {
        /// The model.
        model: String,
        /// The server's word.
        detail: String,
    },
    /// Too many requests or tokens at once, also after waiting.
    #[error("the server limits the rate: {detail}")]
    Rate {
        /// The server's word.
        detail: String,
    },
    /// The account has no money or quota left.
    #[error("the account's quota is spent: {detail}")]
    Quota {
        /// The server's word.
        detail: String,
    },
    /// The server fails or is overloaded (5xx), also after waiting.
    #[error("the server fails (HTTP {status}): {detail}")]
    Overloaded {
        /// The HTTP status.
        status: u16,
        /// The server's word.
        detail: String,
    },
    /// The prompt is longer than the model can read.
    #[error("the prompt is too long for the model: {detail}")]
    ContextTooLong {
        /// The server's word.
        detail: String,
    },
    /// The server refuses the request for another reason (4xx).
    #[error("the server refuses the request (HTTP {status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's word.
        detail: String,
    },
    /// An answer that is none of the dialect's.
    #[error("the answer cannot be read: {detail}")]
    Malformed {
        /// What is wrong.
        detail: String,
    },
    /// The stream ended before the answer did.
    #[error("the answer was cut off: {detail}")]
    CutOff {
        /// How much of it came.
        detail: String,
    },
    /// No answer over the network.
    #[error(transparent)]
    Http(HttpError),
    /// A file of the `manual` provider.
    #[error("cannot {doing} `{path}`: {source}")]
    File {
        /// What was being done (`write`, `read`).
        doing: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The system's own word.
        #[source]
        source: std::io::Error,
    },
    /// No person answered in time.
    #[error("no answer was written to `{path}` within {seconds} s")]
    NoAnswer {
        /// The file.
        path: std::path::PathBuf,
        /// The limit.
        seconds: u64,
    },
    /// A program that should answer.
    #[error("`{program}` gave no answer: {detail}")]
    Program {
        /// The program, as it was named.
        program: String,
        /// How it ended, and its last words.
        detail: String,
    },
    /// The record holds no reply to this prompt.
    #[error("the record holds no reply to this prompt ({digest})")]
    NotRecorded {
        /// The prompt's digest.
        digest: String,
    },
    /// The run should end.
    #[error("interrupted")]
    Interrupted(Stop),
}

impl ProviderError {
    /// What a person can do, as a sentence; `None` where nothing but waiting
    /// helps.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            ProviderError::Auth { variable: Some(variable), .. } => {
                return Some(format!("Set {variable} to a key that may use this model."));
            }
            ProviderError::Auth { .. } => "Give a key that the server takes.",
            ProviderError::NoModel { .. } => "Check the name after the slash in --model, and --base-url.",
            ProviderError::Rate { .. } => "Wait a little, then go on with --resume.",
            ProviderError::Quota { .. } => "Check the account's plan and billing, or choose another --model.",
            ProviderError::ContextTooLong { .. } => "Choose a model with a larger context.",
            ProviderError::Http(HttpError::Unreachable { .. }) => "Check the network, the proxy and --base-url.",
            ProviderError::Http(HttpError::Setup { .. }) => {
                "Install the system's certificates (the package ca-certificates)."
            }
            ProviderError::Http(HttpError::Certificate { .. }) => {
                "Name your own authority's file: ca-file in [connection.all] of ~/.config/heal/config.toml."
            }
            ProviderError::Program { .. } => "Try the program by hand: it reads one JSON object and writes another.",
            ProviderError::Http(HttpError::PlainHttp { .. }) => "Use an https address for --base-url.",
            ProviderError::NotRecorded { .. } => "The code, the failure or heal's prompts have changed since the run.",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// This error with the model's name and the variable of its key.
    pub fn about(self, asked: &ModelName, key_variable: Option<&str>) -> ProviderError {
        match self {
            ProviderError::Auth { detail, .. } => {
                ProviderError::Auth { variable: key_variable.map(str::to_owned), detail }
            }
            ProviderError::NoModel { detail, .. } => ProviderError::NoModel { model: asked.name().to_owned(), detail },
            other => other,
        }
    }

    /// Whether the call may have been billed although nothing came of it.
    pub fn may_be_billed(&self) -> bool {
        match self {
            ProviderError::Malformed { .. } | ProviderError::CutOff { .. } | ProviderError::Program { .. } => true,
            ProviderError::Http(error) => error.was_sent(),
            ProviderError::Interrupted(_) => true,
            _ => false,
        }
    }
}

impl From<HttpError> for ProviderError {
    fn from(error: HttpError) -> ProviderError {
        match error {
            HttpError::Interrupted(stop) => ProviderError::Interrupted(stop),
            error => ProviderError::Http(error),
        }
    }
}

/// The JSON of an answer, whatever surrounds it.
pub(super) fn json(body: &[u8]) -> Result<Value, ProviderError> {
    let text = String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    serde_json::from_str(text.trim()).map_err(|error| {
        let start: String = text.trim().chars().take(120).collect();
        ProviderError::Malformed { detail: format!("it is no JSON ({error}); it starts `{}`", one_line(&start)) }
    })
}

/// What a server says of an error: its `message`, or the start of the body.
pub(super) fn detail(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let error = &value["error"];
    let message =
        error["message"].as_str().or(error.as_str()).or(value["message"].as_str()).or(value["detail"].as_str());
    // Gemini's code is the HTTP status, and its word the `status`.
    let code = error["code"].as_str().or(error["type"].as_str()).or(error["status"].as_str());
    let start: String = message.unwrap_or(&text).chars().take(300).collect();
    match code {
        Some(code) if message.is_some() => format!("{} ({})", one_line(&start), one_line(code)),
        _ if start.trim().is_empty() => "it says nothing".to_owned(),
        _ => one_line(&start),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, "")
}

/// The error that a status other than 2xx stands for; [`ProviderError::about`]
/// adds whose it is.
pub(super) fn refused(status: u16, body: &[u8]) -> ProviderError {
    let detail = detail(body);
    let text = detail.to_lowercase();
    let too_long = [
        "context_length",
        "context length",
        "context window",
        "prompt is too long",
        "too many tokens",
        "maximum context",
    ];
    match status {
        // Gemini answers 400 to a key that is none.
        400 if text.contains("api key not valid") || text.contains("api_key_invalid") => {
            ProviderError::Auth { variable: None, detail }
        }
        401 | 403 => ProviderError::Auth { variable: None, detail },
        402 => ProviderError::Quota { detail },
        404 => ProviderError::NoModel { model: String::new(), detail },
        413 => ProviderError::ContextTooLong { detail },
        429 if crate::http::quota_is_spent(body) || text.contains("billing") => ProviderError::Quota { detail },
        429 => ProviderError::Rate { detail },
        _ if too_long.iter().any(|words| text.contains(words)) => ProviderError::ContextTooLong { detail },
        500.. => ProviderError::Overloaded { status, detail },
        // Vendors answer 400 for an account without credit.
        400 if text.contains("credit balance") => ProviderError::Quota { detail },
        _ => ProviderError::Refused { status, detail },
    }
}
