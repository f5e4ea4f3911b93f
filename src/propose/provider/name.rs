//! Models by name: which providers there are, and what `--model` means.
//!
//! A table; opens no connection and reads no environment variable.

use std::fmt;

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// A person, through files.
    Manual,
    /// The record of an earlier run.
    Replay,
    /// No model.
    None,
}

/// A row of [`PROVIDERS`].
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// What stands before the slash.
    pub prefix: &'static str,
    /// Its dialect.
    pub kind: ProviderKind,
    /// Its own address; `None` where `--base-url` must name one, or where
    /// there is none.
    pub base_url: Option<&'static str>,
    /// The environment variable that holds its key.
    pub key_variable: Option<&'static str>,
    /// How it is written, for messages.
    pub example: &'static str,
}

/// Every provider that works.
pub static PROVIDERS: &[Provider] = &[
    Provider {
        prefix: "anthropic",
        kind: ProviderKind::Anthropic,
        base_url: Some("https://api.anthropic.com"),
        key_variable: Some("ANTHROPIC_API_KEY"),
        example: "anthropic/MODEL",
    },
    Provider {
        prefix: "openai-chat",
        kind: ProviderKind::OpenAiChat,
        base_url: Some("https://api.openai.com/v1"),
        key_variable: Some("OPENAI_API_KEY"),
        example: "openai-chat/MODEL",
    },
    Provider {
        prefix: "openrouter",
        kind: ProviderKind::OpenAiChat,
        base_url: Some("https://openrouter.ai/api/v1"),
        key_variable: Some("OPENROUTER_API_KEY"),
        example: "openrouter/VENDOR/MODEL",
    },
    Provider { prefix: "manual", kind: ProviderKind::Manual, base_url: None, key_variable: None, example: "manual" },
    Provider {
        prefix: "replay",
        kind: ProviderKind::Replay,
        base_url: None,
        key_variable: None,
        example: "replay:RUN",
    },
    Provider { prefix: "none", kind: ProviderKind::None, base_url: None, key_variable: None, example: "none" },
];

/// A model, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    provider: &'static Provider,
    name: String,
}

/// Why a text names no model.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{given}` is no model heal can ask: {reason}")]
pub struct BadModel {
    given: String,
    reason: String,
}

impl BadModel {
    /// What to write instead.
    pub fn hint(&self) -> String {
        let examples: Vec<&str> = PROVIDERS.iter().map(|provider| provider.example).collect();
        format!("Name one of {}; openai-chat also speaks to any server given with --base-url.", examples.join(", "))
    }
}

impl ModelName {
    /// Reads the value of `--model`.
    ///
    /// # Errors
    /// An unknown provider, or no name after the slash.
    pub fn parse(text: &str) -> Result<ModelName, BadModel> {
        let text = text.trim();
        let bad = |reason: &str| BadModel { given: text.chars().take(100).collect(), reason: reason.to_owned() };
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("a name holds no white space"));
        }
        let (prefix, name) = match text.split_once('/') {
            Some((prefix, name)) => (prefix, name),
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let Some(provider) = PROVIDERS.iter().find(|provider| provider.prefix == prefix) else {
            return Err(bad(match prefix {
                "openai" => "the Responses API is not supported yet; write openai-chat/… for Chat Completions",
                "gemini" | "ollama" => {
                    "this API is not supported yet; write openai-chat/… with --base-url for its compatible one"
                }
                "exec" => "a program as a model is not supported yet",
                "" => "the provider is missing",
                _ => "the provider is not known",
            }));
        };
        match provider.kind {
            ProviderKind::Manual | ProviderKind::None if text != provider.prefix => {
                Err(bad("nothing follows this word"))
            }
            ProviderKind::Replay if name.is_empty() || !text.starts_with("replay:") => {
                Err(bad("the run to replay is missing; write replay:RUN"))
            }
            ProviderKind::Anthropic | ProviderKind::OpenAiChat if name.is_empty() || !text.contains('/') => {
                Err(bad("the model's name is missing after the slash"))
            }
            _ => Ok(ModelName { provider, name: name.to_owned() }),
        }
    }

    /// Its provider's row.
    pub fn provider(&self) -> &'static Provider {
        self.provider
    }

    /// The dialect.
    pub fn kind(&self) -> ProviderKind {
        self.provider.kind
    }

    /// The name after the slash; the run of a replay; empty for the others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The environment variable that holds the key.
    pub fn key_variable(&self) -> Option<&'static str> {
        self.provider.key_variable
    }

    /// Whether asking it opens a connection.
    pub fn uses_network(&self) -> bool {
        matches!(self.provider.kind, ProviderKind::Anthropic | ProviderKind::OpenAiChat)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.provider.kind {
            ProviderKind::Replay => write!(f, "replay:{}", self.name),
            _ if self.name.is_empty() => f.write_str(self.provider.prefix),
            _ => write!(f, "{}/{}", self.provider.prefix, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_by_provider_and_name() {
        for (text, kind, name, variable) in [
            ("anthropic/claude-opus-5-5", ProviderKind::Anthropic, "claude-opus-5-5", Some("ANTHROPIC_API_KEY")),
            ("openai-chat/gpt-6-sol", ProviderKind::OpenAiChat, "gpt-6-sol", Some("OPENAI_API_KEY")),
            ("openai-chat/qwen3:8b", ProviderKind::OpenAiChat, "qwen3:8b", Some("OPENAI_API_KEY")),
            ("openrouter/z/glm-5", ProviderKind::OpenAiChat, "z/glm-5", Some("OPENROUTER_API_KEY")),
            ("manual", ProviderKind::Manual, "", None),
            ("replay:01JD", ProviderKind::Replay, "01JD", None),
            ("none", ProviderKind::None, "", None),
        ] {
            let model = ModelName::parse(text).expect(text);
            assert_eq!((model.kind(), model.name(), model.key_variable()), (kind, name, variable), "{text}");
            assert_eq!(model.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_model_is_refused_with_what_works() {
        let errors: Vec<String> =
            ["openai/gpt-6", "gemini/x", "anthropic/", "anthropic", "claude", "manual/x", "replay:", "a b", ""]
                .iter()
                .map(|text| ModelName::parse(text).expect_err(text).to_string())
                .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        `openai/gpt-6` is no model heal can ask: the Responses API is not supported yet; write openai-chat/… for Chat Completions
        `gemini/x` is no model heal can ask: this API is not supported yet; write openai-chat/… with --base-url for its compatible one
        `anthropic/` is no model heal can ask: the model's name is missing after the slash
        `anthropic` is no model heal can ask: the model's name is missing after the slash
        `claude` is no model heal can ask: the provider is not known
        `manual/x` is no model heal can ask: nothing follows this word
        `replay:` is no model heal can ask: the run to replay is missing; write replay:RUN
        `a b` is no model heal can ask: a name holds no white space
        `` is no model heal can ask: the provider is missing
        ");
        insta::assert_snapshot!(ModelName::parse("x").expect_err("x").hint(), @"Name one of anthropic/MODEL, openai-chat/MODEL, openrouter/VENDOR/MODEL, manual, replay:RUN, none; openai-chat also speaks to any server given with --base-url.");
    }
}
