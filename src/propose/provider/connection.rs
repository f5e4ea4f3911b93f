//! What the user has set for the connection to a model's server: over what a
//! dialect composes by itself.
//!
//! Changes a composed request; sends nothing and reads no file.

use std::time::Duration;

use super::Parts;
use super::ProviderKind;
use crate::http::Authorities;
use crate::http::HeaderText;
use crate::http::Proxy;
use crate::http::Secret;

/// The settings of one connection; by default those of the dialect.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The version of the API: Anthropic's header, Azure's query parameter.
    pub api_version: Option<String>,
    /// The header that carries the key.
    pub auth_header: Option<String>,
    /// The environment variable that holds the key.
    pub key_variable: Option<String>,
    /// Headers beside those of the dialect, or in place of them.
    pub headers: Vec<(String, HeaderText)>,
    /// The way to the server.
    pub proxy: Proxy,
    /// Who may sign its certificate, beside those the system trusts.
    pub authorities: Authorities,
    /// For the connection alone.
    pub connect_timeout: Option<Duration>,
    /// Between two pieces of an answer.
    pub idle_timeout: Option<Duration>,
    /// For one attempt, from its start to the end of the answer.
    pub timeout: Option<Duration>,
}

impl Connection {
    /// The request as these settings want it.
    pub fn dress(&self, kind: ProviderKind, mut parts: Parts, key: Option<&Secret>) -> Parts {
        let headers = &mut parts.headers;
        if let Some(name) = &self.auth_header {
            // Of a dialect's own headers the key alone is secret.
            headers.retain(|(_, value)| matches!(value, HeaderText::Plain(_)));
            if let Some(key) = key {
                let value = match name.eq_ignore_ascii_case("authorization") {
                    true => Secret::new(format!("Bearer {}", key.reveal())),
                    false => key.clone(),
                };
                set(headers, name, value.into());
            }
        }
        match &self.api_version {
            Some(version) if kind == ProviderKind::Anthropic => {
                set(headers, "anthropic-version", version.as_str().into());
            }
            Some(version) => {
                let mark = if parts.url.contains('?') { '&' } else { '?' };
                parts.url.push_str(&format!("{mark}api-version={version}"));
            }
            None => {}
        }
        for (name, value) in &self.headers {
            set(headers, name, value.clone());
        }
        parts
    }
}

/// Sets a header in place of one of the same name.
fn set(headers: &mut Vec<(String, HeaderText)>, name: &str, value: HeaderText) {
    headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    headers.push((name.to_ascii_lowercase(), value));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Ask;
    use super::super::Shape;
    use super::super::request;
    use super::*;

    fn dressed(kind: ProviderKind, connection: &Connection) -> (String, Vec<(String, HeaderText)>) {
        let schema = json!({});
        let shape = Shape::default();
        let ask = Ask { model: "m", system: "s", user: "u", schema: &schema, max_output_tokens: 9, shape };
        let key = Secret::new("k");
        let parts = connection.dress(kind, request(kind, "https://h/v1", Some(&key), &ask, None), Some(&key));
        (parts.url, parts.headers)
    }

    #[test]
    fn azure_gets_its_version_in_the_address_and_its_key_bare() {
        let azure = Connection {
            api_version: Some("2026-05-01-preview".into()),
            auth_header: Some("Api-Key".into()),
            ..Connection::default()
        };
        let wanted = vec![("api-key".to_owned(), Secret::new("k").into())];
        let query = "?api-version=2026-05-01-preview";
        for (kind, url) in [
            (ProviderKind::OpenAiChat, format!("https://h/v1/chat/completions{query}")),
            (ProviderKind::OpenAi, format!("https://h/v1/responses{query}")),
        ] {
            assert_eq!(dressed(kind, &azure), (url, wanted.clone()));
        }
    }

    #[test]
    fn a_header_of_the_users_stands_in_place_of_the_dialects() {
        let set = Connection {
            api_version: Some("2027-01-01".into()),
            auth_header: Some("Authorization".into()),
            headers: vec![
                ("X-Title".into(), "heal".into()),
                ("X-Team".into(), Secret::new("t").into()),
                ("x-title".into(), "later".into()),
            ],
            ..Connection::default()
        };
        let (url, headers) = dressed(ProviderKind::Anthropic, &set);
        let wanted: [(&str, HeaderText); 4] = [
            ("authorization", Secret::new("Bearer k").into()),
            ("anthropic-version", "2027-01-01".into()),
            ("x-team", Secret::new("t").into()),
            ("x-title", "later".into()),
        ];
        assert_eq!(
            (url.as_str(), headers),
            ("https://h/v1/messages", wanted.map(|(name, value)| (name.to_owned(), value)).to_vec())
        );
    }

    #[test]
    fn without_settings_nothing_changes() {
        for kind in [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Gemini, ProviderKind::Ollama] {
            let (_, headers) = dressed(kind, &Connection::default());
            assert!(headers.iter().any(|(_, value)| matches!(value, HeaderText::Secret(_))), "{kind:?}");
        }
    }
}
