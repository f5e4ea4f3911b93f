//! The one door to the network: sends JSON, bounds the answer, tries again.
//!
//! Knows nothing of models and forges. Never follows a redirect to another host, never
//! speaks plain HTTP to another machine unless told to, never writes a secret
//! into an error. A proxy is never used for this machine itself.

mod error;
mod lines;
mod proxy;
mod request;
mod retry;
mod secret;
mod trust;

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;

pub use self::error::HttpError;
use self::error::failed;
use self::error::in_words;
use self::lines::Lines;
use self::lines::Listen;
pub use self::lines::Wish;
pub use self::proxy::Proxy;
pub use self::proxy::without_user;
pub use self::request::Again;
pub use self::request::Method;
pub use self::request::Request;
pub use self::retry::is_rate_limit;
pub use self::retry::quota_is_spent;
pub use self::retry::rate_wait;
pub use self::secret::HeaderText;
pub use self::secret::Secret;
pub use self::trust::Authorities;
use crate::interrupt::Interrupt;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// For one attempt, from its start to the last byte of the answer.
    pub timeout: Duration,
    /// For all attempts and the waits between them.
    pub total: Duration,
    /// Between two pieces of an answer that has begun.
    pub idle: Duration,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// Bytes of an answer, decompressed; more is an error.
    pub max_response_bytes: usize,
    /// Bytes of one line of a streamed answer; more is an error.
    pub max_line_bytes: usize,
    /// Attempts after the first.
    pub retries: usize,
    /// The longest wait between attempts; a server that asks for more gets no
    /// further attempt.
    pub max_wait: Duration,
    /// Whether plain HTTP may leave this machine.
    pub allow_plain_http: bool,
    /// The way to servers other than this machine.
    pub proxy: Proxy,
    /// Who may sign a server's certificate, beside those the system trusts.
    pub authorities: Authorities,
    /// Ends every wait.
    pub interrupt: Interrupt,
}

impl Default for Config {
    /// The vendors' own defaults (10 minutes, 5 seconds, 2 retries; anthropic
    /// 2.12.0 and openai 2.54.0), an answer of 16 MB, a wait of a minute,
    /// and a quarter of an hour for all of it.
    fn default() -> Config {
        Config {
            timeout: Duration::from_secs(600),
            total: Duration::from_secs(900),
            idle: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(5),
            max_response_bytes: 16 << 20,
            max_line_bytes: 4 << 20,
            retries: 2,
            max_wait: Duration::from_secs(60),
            allow_plain_http: false,
            proxy: Proxy::System,
            authorities: Authorities::default(),
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

/// Makes TLS to be had for every client in this process.
pub fn provide_tls() {
    // The first of several calls wins, and all install the same.
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// Sends JSON to servers. Opens nothing before the first request.
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
        provide_tls();
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
        let request = Request { method: Method::Post, url, headers, body: Some(body), again: Again::AsModels };
        self.attempts(&request, None).await
    }

    /// Sends `request` and returns the answer, whatever its status; tries again
    /// as the request allows.
    ///
    /// # Errors
    /// Where there is no answer; then it may still have been carried out,
    /// unless the error is [`HttpError::was_sent`]` == false`.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        self.attempts(request, None).await
    }

    /// As [`Client::post`], but a good answer (2xx) is told to `listen` line by
    /// line while it arrives, and the body returned is empty then. Once a line
    /// was told there is no further attempt.
    ///
    /// # Errors
    /// As for [`Client::post`]; lines may have been told before.
    pub async fn post_for_lines(
        &self,
        url: &str,
        headers: Vec<(String, HeaderText)>,
        body: &serde_json::Value,
        listen: &mut Listen<'_>,
    ) -> Result<Response, HttpError> {
        let request = Request { method: Method::Post, url, headers, body: Some(body), again: Again::AsModels };
        self.attempts(&request, Some(listen)).await
    }

    async fn attempts(&self, asked: &Request<'_>, mut listen: Option<&mut Listen<'_>>) -> Result<Response, HttpError> {
        let url = self.checked(asked.url)?;
        let headers = composed(&asked.headers)?;
        let client = self.client(&url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let until = tokio::time::Instant::now() + self.config.total;
        let mut attempt = 0;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let limit = self.config.timeout.min(left);
            let request = client.request(asked.method.name(), url.clone()).headers(headers.clone()).timeout(limit);
            let request = asked.body.iter().fold(request, |request, body| request.json(body));
            let once = tokio::select! {
                biased;
                stop = self.config.interrupt.wait() => return Err(HttpError::Interrupted(stop)),
                once = self.once(request, &host, limit, &mut listen) => once,
            };
            let wait = match &once {
                _ if attempt >= self.config.retries => None,
                Ok(response) => retry::after_answer(asked.again, response, attempt, jiff::Timestamp::now()),
                Err(error) => retry::after_error(asked.again, error, attempt),
            };
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let Some(wait) = wait.filter(|wait| *wait <= self.config.max_wait && *wait < left) else { return once };
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
        let builder = reqwest::Client::builder()
            .user_agent(concat!("heal/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.config.connect_timeout)
            .tls_certs_merge(self.config.authorities.certificates())
            .redirect(reqwest::redirect::Policy::custom(same_server_only));
        let setup = |error: reqwest::Error| HttpError::Setup { reason: in_words(&error) };
        let proxy = if is_loopback(url) { &Proxy::Never } else { &self.config.proxy };
        let client = proxy.used_by(builder).and_then(reqwest::ClientBuilder::build).map_err(setup)?;
        Ok(slot.get_or_init(|| client))
    }

    async fn once(
        &self,
        request: reqwest::RequestBuilder,
        host: &str,
        limit: Duration,
        listen: &mut Option<&mut Listen<'_>>,
    ) -> Result<Response, HttpError> {
        let mut response = request.send().await.map_err(|error| failed(host, &error, limit, false))?;
        let mut listen = listen.as_deref_mut().filter(|_| response.status().is_success());
        let (mut lines, mut size, mut body) = (Lines::default(), 0, Vec::new());
        let too_large = |limit| HttpError::TooLarge { host: host.to_owned(), limit };
        loop {
            let idle = self.config.idle;
            let chunk = match tokio::time::timeout(idle, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| failed(host, &error, limit, true))?,
                Err(_) => return Err(HttpError::Timeout { host: host.to_owned(), after: idle }),
            };
            let Some(chunk) = chunk else { break };
            size += chunk.len();
            if size > self.config.max_response_bytes {
                return Err(too_large(self.config.max_response_bytes));
            }
            let Some(listen) = listen.as_deref_mut() else {
                body.extend_from_slice(&chunk);
                continue;
            };
            let most_bytes = self.config.max_line_bytes;
            match lines.push(&chunk, most_bytes, listen).map_err(|_| too_large(most_bytes))? {
                Wish::More => {}
                Wish::Enough => {
                    lines = Lines::default();
                    break;
                }
            }
        }
        if let Some(listen) = listen {
            lines.end(listen);
        }
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = response.headers().iter().filter_map(text).collect();
        Ok(Response { status: response.status().as_u16(), headers, body })
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

/// Whether an address is this machine's own; nothing else is spoken to without
/// a proxy where one is set.
pub fn is_this_machine(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| is_loopback(&url))
}

/// Whether a header can have this name and, where one is given, this value.
pub fn is_header(name: &str, value: Option<&str>) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok() && value.is_none_or(|value| HeaderValue::from_str(value).is_ok())
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

#[cfg(test)]
mod tests;
