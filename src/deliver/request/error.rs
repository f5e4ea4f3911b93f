//! Why a forge did not do what it was asked, and what to do about it.
//!
//! Holds the server's words, never a token.

use std::time::Duration;

use super::Dialect;
use crate::http::HttpError;
use crate::http::Response;
use crate::http::is_rate_limit;
use crate::http::rate_wait;

/// Characters of a server's words that are told.
const SAID: usize = 300;

/// Why there is no request, comment or answer. [`ForgeError::hint`] says what
/// to do.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// No token was given.
    #[error("there is no token to {doing} with")]
    NoToken {
        /// What was to be done.
        doing: &'static str,
    },
    /// 401.
    #[error("the forge does not accept the token: cannot {doing} ({said})")]
    Unauthorized {
        /// What was to be done.
        doing: &'static str,
        /// The server's words.
        said: String,
    },
    /// 403, and no rate limit.
    #[error("the token may not {doing}: {said}")]
    Forbidden {
        /// What was to be done.
        doing: &'static str,
        /// The server's words.
        said: String,
        /// What to do on this forge.
        hint: String,
    },
    /// 404.
    #[error("cannot {doing}: the forge knows no such repository, or does not show it to this token")]
    NotFound {
        /// What was to be done.
        doing: &'static str,
    },
    /// It is there already.
    #[error("cannot {doing}: it is there already ({said})")]
    Exists {
        /// What was to be done.
        doing: &'static str,
        /// The server's words.
        said: String,
    },
    /// 400, 409, 422 and the like.
    #[error("cannot {doing}: the forge answers {status}: {said}")]
    Refused {
        /// What was to be done.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        said: String,
    },
    /// Asked too often, for longer than heal waits.
    #[error("cannot {doing}: the forge was asked too often, and wants {} s of rest", wait.as_secs())]
    RateLimited {
        /// What was to be done.
        doing: &'static str,
        /// How long.
        wait: Duration,
    },
    /// 5xx.
    #[error("cannot {doing}: the forge is out of order ({status})")]
    Down {
        /// What was to be done.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that is not as documented.
    #[error("cannot {doing}: the forge's answer is not as documented")]
    Unreadable {
        /// What was to be done.
        doing: &'static str,
    },
    /// No answer.
    #[error("cannot {doing}: {source}")]
    Http {
        /// What was to be done.
        doing: &'static str,
        /// Why there is none.
        #[source]
        source: HttpError,
    },
}

impl ForgeError {
    /// What a refusing answer means.
    pub(super) fn of(doing: &'static str, response: &Response, dialect: &dyn Dialect) -> ForgeError {
        let said = words(&response.body);
        match response.status {
            _ if is_rate_limit(response) => {
                ForgeError::RateLimited { doing, wait: rate_wait(response, jiff::Timestamp::now()) }
            }
            status if dialect.means_exists(status, &said) => ForgeError::Exists { doing, said },
            401 => ForgeError::Unauthorized { doing, said },
            403 => ForgeError::Forbidden { doing, hint: dialect.permission_hint(&said), said },
            404 => ForgeError::NotFound { doing },
            status @ 500..=599 => ForgeError::Down { doing, status },
            status => ForgeError::Refused { doing, status, said },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            ForgeError::NoToken { .. } => "Give the job one: HEAL_TOKEN, or the system's own token variable".into(),
            ForgeError::Unauthorized { .. } => {
                "It may have expired or be another server's: set HEAL_TOKEN to a valid one".into()
            }
            ForgeError::Forbidden { hint, .. } => hint.clone(),
            ForgeError::NotFound { .. } => {
                "Check the repository's name and the API's address (--project, --api-url), and what the token may see"
                    .into()
            }
            ForgeError::Exists { .. } => "The next run finds and updates it".into(),
            ForgeError::Refused { .. } => "The patch is among the artifacts; open the request by hand".into(),
            ForgeError::RateLimited { .. }
            | ForgeError::Down { .. }
            | ForgeError::Unreadable { .. }
            | ForgeError::Http { .. } => "Run the job again later; the patch is among the artifacts".into(),
        }
    }

    /// Whether it is about what a token may do.
    pub fn is_permission(&self) -> bool {
        matches!(
            self,
            ForgeError::NoToken { .. }
                | ForgeError::Unauthorized { .. }
                | ForgeError::Forbidden { .. }
                | ForgeError::NotFound { .. }
        )
    }

    /// Whether what was asked may have been done all the same.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            ForgeError::Exists { .. } | ForgeError::Down { .. } | ForgeError::Unreadable { .. } => true,
            ForgeError::Http { source, .. } => source.was_sent(),
            _ => false,
        }
    }
}

/// The words of an error's body: GitHub's and Forgejo's `message` with
/// `errors`, GitLab's `message` (a text, a list, or lists by field) or `error`
/// with `error_description`.
fn words(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else {
        return "no reason is given".to_owned();
    };
    let mut words = Vec::new();
    for name in ["message", "errors", "error", "error_description"] {
        gather(&body[name], &mut words);
    }
    let text = words.join("; ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no reason is given".to_owned() } else { text.chars().take(SAID).collect() }
}

fn gather(value: &serde_json::Value, words: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => words.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|value| gather(value, words)),
        serde_json::Value::Object(fields) if fields.contains_key("message") => gather(&fields["message"], words),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| gather(value, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_reason_is_found_in_the_answers_of_each_forge() {
        for (body, wanted) in [
            (
                r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}"#,
                "Bad credentials",
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for a:b."}]}"#,
                "Validation Failed; A pull request already exists for a:b.",
            ),
            (
                r#"{"message":["Another open merge request already exists for this source branch: !5"]}"#,
                "Another open merge request already exists for this source branch: !5",
            ),
            (r#"{"message":{"title":["can't be blank"]}}"#, "can't be blank"),
            (
                r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges."}"#,
                "insufficient_scope; The request requires higher privileges.",
            ),
            ("<html>", "no reason is given"),
            ("{}", "no reason is given"),
        ] {
            assert_eq!(words(body.as_bytes()), wanted);
        }
    }
}
