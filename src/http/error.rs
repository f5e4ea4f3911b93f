//! Why a server gave no answer.
//!
//! Never holds a key, nor an address that may hold one.

use std::error::Error as _;
use std::time::Duration;

use crate::interrupt::Stop;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be used.
    #[error("`{url}` is no address of an HTTP server")]
    BadUrl {
        /// As given, without user name and password.
        url: String,
    },
    /// Plain HTTP to another machine.
    #[error("`{host}` would be spoken to over plain HTTP, which shows code and keys to the network; use https")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// A header cannot be sent.
    #[error("the header `{name}` holds a character that no header may hold")]
    BadHeader {
        /// Its name; its value may be secret.
        name: String,
    },
    /// No client can be made (certificates, TLS).
    #[error("cannot prepare HTTPS: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
    /// No connection.
    #[error("cannot reach `{host}`: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// The system's own word.
        reason: String,
    },
    /// The server's certificate is not to be trusted.
    #[error("the certificate of `{host}` is not trusted: {reason}")]
    Certificate {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No complete answer in time.
    #[error("`{host}` did not answer within {} s", after.as_secs_f64())]
    Timeout {
        /// The host.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The answer sends heal elsewhere.
    #[error("`{host}` redirects to another host, which heal does not follow")]
    Redirected {
        /// The host that was asked.
        host: String,
    },
    /// The answer is larger than the limit.
    #[error("the answer of `{host}` is larger than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke.
    #[error("the connection to `{host}` broke: {reason}")]
    Broken {
        /// The host.
        host: String,
        /// The system's own word.
        reason: String,
        /// Whether the answer had begun, so that it was computed and billed.
        midway: bool,
    },
    /// The run should end.
    #[error("interrupted")]
    Interrupted(Stop),
}

impl HttpError {
    /// Whether the request may have reached the server, so that it may have
    /// been computed and billed.
    pub fn was_sent(&self) -> bool {
        matches!(
            self,
            HttpError::Timeout { .. }
                | HttpError::TooLarge { .. }
                | HttpError::Broken { .. }
                | HttpError::Interrupted(_)
        )
    }
}

/// What a failure of the connection means; `limit` is the attempt's time.
pub(super) fn failed(host: &str, error: &reqwest::Error, limit: Duration, midway: bool) -> HttpError {
    let host = host.to_owned();
    if error.is_redirect() {
        HttpError::Redirected { host }
    } else if let Some(reason) = mistrust(error) {
        HttpError::Certificate { host, reason }
    } else if error.is_connect() {
        HttpError::Unreachable { host, reason: in_words(error) }
    } else if error.is_timeout() {
        HttpError::Timeout { host, after: limit }
    } else {
        HttpError::Broken { host, reason: in_words(error), midway }
    }
}

/// What is wrong with the server's certificate, where that is the cause.
fn mistrust(error: &reqwest::Error) -> Option<String> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(rustls::Error::InvalidCertificate(why)) = inner.downcast_ref() {
            return Some(match why {
                rustls::CertificateError::UnknownIssuer => "heal does not know who signed it".to_owned(),
                rustls::CertificateError::BadSignature => {
                    "the authority of that name which heal knows did not sign it".to_owned()
                }
                why => why.to_string(),
            });
        }
        // The source of an I/O error leaves out the error it was made from.
        let within = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        source = within.map(|within| within as &dyn std::error::Error).or_else(|| inner.source());
    }
    None
}

/// The innermost cause, without the address (it may hold a key).
pub(super) fn in_words(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut words = None;
    while let Some(inner) = source {
        words = Some(inner.to_string());
        source = inner.source();
    }
    words.unwrap_or_else(|| "it failed".to_owned())
}
