//! The one door to the network: posts JSON, bounds the answer, tries again.
//!
//! Knows nothing of models. Never follows a redirect to another host, never
//! speaks plain HTTP to another machine unless told to, never writes a secret
//! into an error. Proxies are the system's, but never for this machine itself.

mod retry;
mod secret;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;

pub use self::retry::quota_is_spent;
pub use self::secret::HeaderText;
pub use self::secret::Secret;
use crate::interrupt::Interrupt;
use crate::interrupt::Stop;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// For one attempt, from its start to the last byte of the answer.
    pub timeout: Duration,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// Bytes of an answer, decompressed; more is an error.
    pub max_response_bytes: usize,
    /// Attempts after the first.
    pub retries: usize,
    /// The longest wait between attempts; a server that asks for more gets no
    /// further attempt.
    pub max_wait: Duration,
    /// Whether plain HTTP may leave this machine.
    pub allow_plain_http: bool,
    /// Ends every wait.
    pub interrupt: Interrupt,
}

impl Default for Config {
    /// The vendors' own defaults (10 minutes, 5 seconds, 2 retries; anthropic
    /// 2.12.0 and openai 2.54.0), an answer of 16 MB, a wait of a minute.
    fn default() -> Config {
        Config {
            timeout: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(5),
            max_response_bytes: 16 << 20,
            retries: 2,
            max_wait: Duration::from_secs(60),
            allow_plain_http: false,
            interrupt: Interrupt::new(),
        }
    }
}

/// An answer, of any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

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

/// Posts JSON to servers. Opens nothing before the first post.
#[derive(Debug)]
pub struct Client {
    config: Config,
    /// For this machine: no proxy.
    near: OnceLock<reqwest::Client>,
    /// For all others.
    far: OnceLock<reqwest::Client>,
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// A configuration that can never get an answer.
    pub fn new(config: Config) -> Result<Client, HttpError> {
        if config.timeout.is_zero() || config.max_response_bytes == 0 {
            return Err(HttpError::Setup { reason: "the time or size limit is zero".to_owned() });
        }
        // The first of several calls wins, and all install the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        Ok(Client { config, near: OnceLock::new(), far: OnceLock::new() })
    }

    /// Posts `body` to `url` and returns the answer, whatever its status; tries
    /// again where the server's word or the situation allows it (`retry.rs` has
    /// the rules).
    ///
    /// # Errors
    /// Where there is no answer; then it may still have been computed and
    /// billed, unless the error is [`HttpError::was_sent`]` == false`.
    pub async fn post(
        &self,
        url: &str,
        headers: Vec<(String, HeaderText)>,
        body: &serde_json::Value,
    ) -> Result<Response, HttpError> {
        let url = self.checked(url)?;
        let headers = composed(&headers)?;
        let client = self.client(&url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut attempt = 0;
        loop {
            let request = client.post(url.clone()).headers(headers.clone()).json(body);
            let once = tokio::select! {
                biased;
                stop = self.config.interrupt.wait() => return Err(HttpError::Interrupted(stop)),
                once = self.once(request, &host) => once,
            };
            let wait = match &once {
                _ if attempt >= self.config.retries => None,
                Ok(response) => retry::after_answer(response, attempt, jiff::Timestamp::now()),
                Err(error) => retry::after_error(error, attempt),
            };
            let Some(wait) = wait.filter(|wait| *wait <= self.config.max_wait) else { return once };
            attempt += 1;
            tokio::select! {
                stop = self.config.interrupt.wait() => return Err(HttpError::Interrupted(stop)),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn checked(&self, text: &str) -> Result<Url, HttpError> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            let shown = text.rsplit('@').next().unwrap_or_default().to_owned();
            return Err(HttpError::BadUrl { url: shown });
        };
        if url.scheme() == "http" && !is_loopback(&url) && !self.config.allow_plain_http {
            return Err(HttpError::PlainHttp { host: url.host_str().unwrap_or_default().to_owned() });
        }
        Ok(url)
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        let slot = if is_loopback(url) { &self.near } else { &self.far };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("heal/", env!("CARGO_PKG_VERSION")))
            .timeout(self.config.timeout)
            .connect_timeout(self.config.connect_timeout)
            .redirect(reqwest::redirect::Policy::custom(same_server_only));
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| HttpError::Setup { reason: in_words(&error) })?;
        Ok(slot.get_or_init(|| client))
    }

    async fn once(&self, request: reqwest::RequestBuilder, host: &str) -> Result<Response, HttpError> {
        let fails = |midway| move |error: reqwest::Error| self.failed(host, &error, midway);
        let mut response = request.send().await.map_err(fails(false))?;
        let limit = self.config.max_response_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fails(true))? {
            if body.len() + chunk.len() > limit {
                return Err(HttpError::TooLarge { host: host.to_owned(), limit });
            }
            body.extend_from_slice(&chunk);
        }
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = response.headers().iter().filter_map(text).collect();
        Ok(Response { status: response.status().as_u16(), headers, body })
    }

    fn failed(&self, host: &str, error: &reqwest::Error, midway: bool) -> HttpError {
        let host = host.to_owned();
        if error.is_redirect() {
            HttpError::Redirected { host }
        } else if error.is_connect() {
            HttpError::Unreachable { host, reason: in_words(error) }
        } else if error.is_timeout() {
            HttpError::Timeout { host, after: self.config.timeout }
        } else {
            HttpError::Broken { host, reason: in_words(error), midway }
        }
    }
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

impl Response {
    /// The first header named `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Whether the address is this machine's own.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Redirects are followed only where they keep method, body and server: a
/// key must not go to another host, nor a prompt.
fn same_server_only(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let keeps_body = matches!(attempt.status().as_u16(), 307 | 308);
    let first = attempt.previous().first().map(Url::origin);
    if keeps_body && first == Some(attempt.url().origin()) && attempt.previous().len() <= 3 {
        attempt.follow()
    } else {
        attempt.error("another host")
    }
}

fn composed(headers: &[(String, HeaderText)]) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let bad = || HttpError::BadHeader { name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut text = HeaderValue::from_str(value.text()).map_err(|_| bad())?;
        text.set_sensitive(value.is_secret());
        map.append(key, text);
    }
    Ok(map)
}

/// The innermost cause, without the address (it may hold a key).
fn in_words(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut words = None;
    while let Some(inner) = source {
        words = Some(inner.to_string());
        source = inner.source();
    }
    words.unwrap_or_else(|| "it failed".to_owned())
}

#[cfg(test)]
mod tests;
