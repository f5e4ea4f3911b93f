//! The part of `heal doctor` that tells how the configured model is reached.
//!
//! Looks at settings and the environment; opens no connection, and never shows
//! a key, a header's value or a proxy's password.

use std::time::Duration;

use heal::http;
use heal::http::Proxy;
use heal::options::OptionsError;
use heal::options::connection::Connections;
use heal::propose::model::Config;
use heal::propose::provider::Connection;
use heal::propose::provider::ModelName;
use heal::propose::provider::ProviderKind;
use heal::propose::provider::anthropic;

use super::doctor::Check;
use super::doctor::State;

/// Gives an environment variable; `None` where it is unset or empty.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What is in force for `model` at `address`.
///
/// # Errors
/// The check that failed.
pub fn of(
    connections: &Connections,
    model: &ModelName,
    address: &str,
    lookup: &Lookup<'_>,
) -> Result<Connection, Check> {
    connections.of(model, address, lookup).map_err(|error| {
        let (found, todo) = match error {
            OptionsError::Value { what, hint } => (what, hint),
            other => (other.to_string(), "Mend it in your own configuration.".to_owned()),
        };
        Check { name: "endpoint", state: State::Bad, found, todo: Some(todo) }
    })
}

/// The rows on a connection: always the endpoint, the proxy and the times,
/// the rest where something is set.
pub fn checks(connection: &Connection, model: &ModelName, address: &str, lookup: &Lookup<'_>) -> Vec<Check> {
    let ok = |name: &'static str, found: String| Check { name, state: State::Ok, found, todo: None };
    let mut checks = vec![ok("endpoint", http::without_user(address))];
    let version = connection.api_version.as_deref();
    let version = version.or((model.kind() == ProviderKind::Anthropic).then_some(anthropic::VERSION));
    checks.extend(version.map(|version| ok("api-version", version.to_owned())));
    checks.extend(connection.auth_header.as_ref().map(|name| ok("auth-header", name.clone())));
    checks.push(ok("proxy", proxy(connection, address, lookup)));
    match connection.authorities.count() {
        0 => {}
        1 => checks.push(ok("ca-file", "1 certificate beside the system's".to_owned())),
        count => checks.push(ok("ca-file", format!("{count} certificates beside the system's"))),
    }
    if !connection.headers.is_empty() {
        let names: Vec<&str> = connection.headers.iter().map(|(name, _)| name.as_str()).collect();
        checks.push(ok("headers", names.join(", ")));
    }
    let usual = http::Config::default();
    let shown = |set: Option<Duration>, usual: Duration| format!("{} s", set.unwrap_or(usual).as_secs_f64());
    let connect = shown(connection.connect_timeout, usual.connect_timeout);
    let idle = shown(connection.idle_timeout, usual.idle);
    let whole = shown(connection.timeout, Config::new(model.clone()).timeout);
    checks.push(ok("time-outs", format!("connect {connect}, idle {idle}, answer {whole}")));
    checks
}

/// The proxy that requests to `address` take; the order is reqwest's.
fn proxy(connection: &Connection, address: &str, lookup: &Lookup<'_>) -> String {
    let not_for = ["NO_PROXY", "no_proxy"].iter().find_map(|name| Some((name, lookup(name)?)));
    let not_for = not_for.map(|(name, hosts)| format!(", not for {hosts} ({name})")).unwrap_or_default();
    match &connection.proxy {
        _ if http::is_this_machine(address) => "none: it is this machine".to_owned(),
        Proxy::Never => "none, as config.toml says".to_owned(),
        Proxy::Through(proxy) => format!("{proxy} (config.toml){not_for}"),
        Proxy::System => {
            let names = match address.starts_with("http:") {
                true => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
                false => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
            };
            let found = names.iter().find_map(|name| Some((name, lookup(name)?)));
            found.map_or("none".to_owned(), |(name, url)| format!("{} ({name}){not_for}", http::without_user(&url)))
        }
    }
}

#[cfg(test)]
mod tests {
    use heal::http::HeaderText;
    use heal::http::Secret;

    use super::*;

    fn rows(connection: &Connection, model: &str, address: &str, set: &[(&str, &str)]) -> Vec<String> {
        let lookup = |name: &str| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        let model = ModelName::parse(model).expect("a model");
        let checks = checks(connection, &model, address, &lookup);
        checks.into_iter().map(|check| format!("{}: {}", check.name, check.found)).collect()
    }

    #[test]
    fn what_is_in_force_is_told_without_a_secret() {
        let set = Connection {
            api_version: Some("2026-05-01-preview".into()),
            auth_header: Some("api-key".into()),
            headers: vec![
                ("X-Title".into(), "heal".into()),
                ("X-Team".into(), HeaderText::from(Secret::new("s3cret"))),
            ],
            proxy: Proxy::parse("http://ana:s3cret@proxy:3128").expect("a proxy"),
            idle_timeout: Some(Duration::from_millis(1500)),
            ..Connection::default()
        };
        let address = "https://ana:s3cret@gate.example/v1";
        assert_eq!(
            rows(&set, "openai-chat/m", address, &[("no_proxy", "internal")]),
            [
                "endpoint: https://gate.example/v1",
                "api-version: 2026-05-01-preview",
                "auth-header: api-key",
                "proxy: http://proxy:3128 (config.toml), not for internal (no_proxy)",
                "headers: X-Title, X-Team",
                "time-outs: connect 5 s, idle 1.5 s, answer 600 s",
            ]
        );
    }

    #[test]
    fn the_proxy_is_the_one_that_a_request_would_take() {
        let (https, plain) = ("https://h/v1", "http://10.0.0.1/v1");
        let both = [("HTTPS_PROXY", "http://ana:s3cret@p:1"), ("all_proxy", "socks5://q:2")];
        let never = Connection { proxy: Proxy::Never, ..Connection::default() };
        for (connection, address, set, wanted) in [
            (Connection::default(), https, &both[..0], "none"),
            (Connection::default(), https, &both[..], "http://p:1 (HTTPS_PROXY)"),
            (Connection::default(), plain, &both[..], "socks5://q:2 (all_proxy)"),
            (Connection::default(), "http://127.0.0.1:8080", &both[..], "none: it is this machine"),
            (never, https, &both[..], "none, as config.toml says"),
        ] {
            let rows = rows(&connection, "anthropic/m", address, set);
            assert_eq!(rows[2], format!("proxy: {wanted}"), "{address} {set:?}");
            assert_eq!(rows[..2], [format!("endpoint: {address}"), "api-version: 2026-10-21".to_owned()]);
        }
    }
}
