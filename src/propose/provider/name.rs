//! Models by name: which providers there are, and what `--model` means.
//!
//! A table; opens no connection and reads no environment variable.

use std::fmt;

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Responses.
    OpenAi,
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// Gemini generateContent.
    Gemini,
    /// Ollama chat.
    Ollama,
    /// A program of the user's.
    Exec,
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
        prefix: "openai",
        kind: ProviderKind::OpenAi,
        base_url: Some("https://api.openai.com/v1"),
        key_variable: Some("OPENAI_API_KEY"),
        example: "openai/MODEL",
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
    Provider {
        prefix: "gemini",
        kind: ProviderKind::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        key_variable: Some("GEMINI_API_KEY"),
        example: "gemini/MODEL",
    },
    Provider {
        prefix: "ollama",
        kind: ProviderKind::Ollama,
        base_url: Some("http://127.0.0.1:11434"),
        key_variable: None,
        example: "ollama/MODEL",
    },
    Provider { prefix: "exec", kind: ProviderKind::Exec, base_url: None, key_variable: None, example: "exec:PROGRAM" },
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
        // The name of a program may hold spaces, as any path.
        let is_odd = |c: char| c.is_control() || c.is_whitespace() && !text.starts_with("exec:");
        if text.chars().any(is_odd) {
            return Err(bad("a name holds no white space"));
        }
        let at = text.find(['/', ':']).unwrap_or(text.len());
        let (prefix, name) = (&text[..at], text.get(at + 1..).unwrap_or_default());
        let mark = text[at..].chars().next();
        let Some(provider) = PROVIDERS.iter().find(|provider| provider.prefix == prefix) else {
            return Err(bad(if prefix.is_empty() { "the provider is missing" } else { "the provider is not known" }));
        };
        let needs = |wanted: char, reason: &str| {
            if name.is_empty() || mark != Some(wanted) {
                return Err(bad(reason));
            }
            Ok(ModelName { provider, name: name.to_owned() })
        };
        match provider.kind {
            ProviderKind::Manual | ProviderKind::None if text != provider.prefix => {
                Err(bad("nothing follows this word"))
            }
            ProviderKind::Manual | ProviderKind::None => Ok(ModelName { provider, name: String::new() }),
            ProviderKind::Replay => needs(':', "the run to replay is missing; write replay:RUN"),
            ProviderKind::Exec => needs(':', "the program is missing; write exec:PROGRAM"),
            _ => needs('/', "the model's name is missing after the slash"),
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
        use ProviderKind::{Anthropic, Gemini, Ollama, OpenAi, OpenAiChat};
        matches!(self.provider.kind, Anthropic | OpenAi | OpenAiChat | Gemini | Ollama)
    }

    /// Whether asking it may cost money: not a person, a record or a model on
    /// the user's own machine.
    pub fn may_cost(&self) -> bool {
        self.provider.kind == ProviderKind::Exec || self.uses_network() && self.provider.kind != ProviderKind::Ollama
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.provider.kind {
            ProviderKind::Replay | ProviderKind::Exec => write!(f, "{}:{}", self.provider.prefix, self.name),
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
            ("openai/gpt-6-sol", ProviderKind::OpenAi, "gpt-6-sol", Some("OPENAI_API_KEY")),
            ("gemini/gemini-3.8-flash", ProviderKind::Gemini, "gemini-3.8-flash", Some("GEMINI_API_KEY")),
            ("ollama/qwen3:8b", ProviderKind::Ollama, "qwen3:8b", None),
            ("exec:/opt/my tools/ask.py", ProviderKind::Exec, "/opt/my tools/ask.py", None),
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
            ["openai:gpt-6", "exec", "exec/x", "anthropic/", "anthropic", "claude", "manual/x", "replay:", "a b", ""]
                .iter()
                .map(|text| ModelName::parse(text).expect_err(text).to_string())
                .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        `openai:gpt-6` is no model heal can ask: the model's name is missing after the slash
        `exec` is no model heal can ask: the program is missing; write exec:PROGRAM
        `exec/x` is no model heal can ask: the program is missing; write exec:PROGRAM
        `anthropic/` is no model heal can ask: the model's name is missing after the slash
        `anthropic` is no model heal can ask: the model's name is missing after the slash
        `claude` is no model heal can ask: the provider is not known
        `manual/x` is no model heal can ask: nothing follows this word
        `replay:` is no model heal can ask: the run to replay is missing; write replay:RUN
        `a b` is no model heal can ask: a name holds no white space
        `` is no model heal can ask: the provider is missing
        ");
        insta::assert_snapshot!(ModelName::parse("x").expect_err("x").hint(), @"Name one of anthropic/MODEL, openai/MODEL, openai-chat/MODEL, openrouter/VENDOR/MODEL, gemini/MODEL, ollama/MODEL, exec:PROGRAM, manual, replay:RUN, none; openai-chat also speaks to any server given with --base-url.");
    }
}
