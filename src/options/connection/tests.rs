//! Tests of `options::connection`; decide nothing else.

use std::time::Duration;

use crate::http::HeaderText;
use crate::options::files::File;

use super::*;

const AZURE: &str = "https://ana.openai.azure.com/openai/deployments/d";

/// A file of the user's, in a folder of its own.
fn read(text: &str) -> (tempfile::TempDir, Result<Connections, OptionsError>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).expect("written");
    let file = File::read(&path).map(|file| file.connection.unwrap_or_default());
    (dir, file)
}

fn lookup(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/ana".into()),
        "GATE_KEY" => Some("s3cret".into()),
        "PROXY" => Some("http://ana:s3cret@proxy:3128".into()),
        "TWO_LINES" => Some("a\nb".into()),
        _ => None,
    }
}

fn of(connections: &Connections, model: &str, address: &str) -> Result<Connection, OptionsError> {
    connections.of(&ModelName::parse(model).expect("a model"), address, &lookup)
}

#[test]
fn of_several_tables_the_narrower_one_wins_key_by_key() {
    let text = format!(
        r#"
[connection.all]
proxy = "http://wide:1"
timeout = "5m"
idle-timeout = "1m"
headers = {{ X-Team = "wide", X-All = "yes" }}
[connection.openai-chat]
timeout = "4m"
headers = {{ x-team = {{ env = "GATE_KEY" }} }}
[connection."https://ana.openai.azure.com"]
auth-header = "api-key"
key-variable = "AZURE_KEY"
timeout = "3m"
[connection."{AZURE}/"]
api-version = "2026-05-01-preview"
proxy = {{ env = "PROXY" }}
[connection."https://ana.openai.azure.co"]
timeout = "1s"
"#
    );
    let (_dir, connections) = read(&text);
    let connections = connections.expect("read");
    let azure = of(&connections, "openai-chat/gpt", AZURE).expect("settings");
    assert_eq!(azure.api_version.as_deref(), Some("2026-05-01-preview"));
    assert_eq!((azure.auth_header.as_deref(), azure.key_variable.as_deref()), (Some("api-key"), Some("AZURE_KEY")));
    assert_eq!((azure.timeout, azure.idle_timeout), (Some(Duration::from_secs(180)), Some(Duration::from_secs(60))));
    assert_eq!(azure.proxy, Proxy::parse("http://ana:s3cret@proxy:3128").expect("a proxy"));
    let secret = HeaderText::from(Secret::new("s3cret"));
    assert_eq!(azure.headers, [("X-All".to_owned(), "yes".into()), ("x-team".to_owned(), secret)]);
    let other = of(&connections, "anthropic/claude", "https://api.anthropic.com").expect("settings");
    assert_eq!((other.timeout, other.auth_header), (Some(Duration::from_secs(300)), None));
    let mut named = connections.variables();
    named.sort();
    assert_eq!(named, ["AZURE_KEY", "GATE_KEY", "PROXY"]);
}

#[test]
fn what_cannot_be_used_is_named_with_its_key_and_what_to_do() {
    for (text, words) in [
        ("[connection.azure]", "`connection.azure` is no server heal knows\n  Write all, anthropic, openai,"),
        ("[connection.all]\nproxi = 'x'", "proxi"),
        ("[connection.all]\nproxy = 'ana:s3cret@proxy'", "`connection.all.proxy` is no address of a proxy: write http"),
        ("[connection.all]\ntimeout = 'soon'", "`connection.all.timeout`: `soon` is no duration; write for example"),
        ("[connection.all]\nidle-timeout = '0'", "`connection.all.idle-timeout`"),
        ("[connection.all]\nconnect-timeout = 5", "connect-timeout"),
        ("[connection.all]\napi-version = '1'", "`connection.all.api-version` means nothing there\n  Set it for"),
        ("[connection.gemini]\napi-version = 'v1'", "`connection.gemini.api-version` means nothing there"),
        ("[connection.openai]\napi-version = 'a&b=c'", "`connection.openai.api-version` is no version: write it as"),
        ("[connection.openai]\nauth-header = 'api key'", "`connection.openai.auth-header`: `api key` is no name"),
        ("[connection.openai]\nheaders = {'X Y' = ''}", "`connection.openai.headers.\"X Y\"`: `X Y` is no name"),
        (
            "[connection.openai]\nheaders = {Host = 'x'}",
            "`connection.openai.headers.Host`: `Host` is a header that heal",
        ),
        ("[connection.openai]\nheaders = {X = \"a\\nb\"}", "`connection.openai.headers.X` holds a character"),
        ("[connection.openai]\nheaders = {X = {file = 'x'}}", "headers"),
    ] {
        let (dir, read) = read(text);
        let error = read.expect_err(text).to_string();
        let file = dir.path().join("config.toml").display().to_string();
        assert!(error.contains(words) && error.contains(&file), "{text}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn what_is_missing_when_it_is_needed_is_named() {
    for (text, words) in [
        (
            "headers = {X = {env = 'NOT_SET'}}",
            "`connection.all.headers.X` is what NOT_SET holds, and NOT_SET is not set",
        ),
        ("headers = {X = {env = 'TWO_LINES'}}", "`connection.all.headers.X` holds a character that no header may hold"),
        ("proxy = {env = 'NOT_SET'}", "`connection.all.proxy` is what NOT_SET holds"),
        ("proxy = {env = 'GATE_KEY'}", "`connection.all.proxy` is no address of a proxy"),
        ("ca-file = 'none.pem'", "`connection.all.ca-file` names `DIR/none.pem`, which cannot be used: No such file"),
        ("ca-file = '~/none.pem'", "names `/home/ana/none.pem`, which cannot be used: No such file"),
        ("ca-file = 'config.toml'", "names `DIR/config.toml`, which cannot be used: it holds no PEM certificate"),
        ("ca-file = 'broken.pem'", "`DIR/broken.pem`, which cannot be used: certificate 1 of it cannot be read: "),
    ] {
        let (dir, connections) = read(&format!("[connection.all]\n{text}"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(dir.path().join("broken.pem"), broken).expect("written");
        let connections = connections.expect("read");
        let error = of(&connections, "gemini/g", "https://g").expect_err(text).to_string();
        let words = words.replace("DIR", &dir.path().display().to_string());
        assert!(error.contains(&words), "{text}: {error}");
        assert!(error.contains("\n  ") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn an_address_covers_what_lies_below_it() {
    for (name, address, wanted) in [
        ("https://h/v1", "https://h/v1", true),
        ("https://h/", "https://h/v1", true),
        ("https://h/v1", "https://h/v10", false),
        ("https://h", "https://h.evil/v1", false),
        ("https://h:8080", "https://h", false),
        ("openai", "openai/v1", false),
    ] {
        assert_eq!(covers(name, address), wanted, "{name} {address}");
    }
}

#[test]
fn the_readmes_example_is_understood() {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let example = blocks.into_iter().find(|block| block.contains("[connection.all]")).expect("an example");
    let (dir, connections) = read(example);
    std::fs::write(dir.path().join("house.pem"), "").expect("written");
    let connections = connections.expect("read");
    let error = of(&connections, "openai-chat/m", "https://h/v1").expect_err("the file is empty").to_string();
    assert!(error.contains("it holds no PEM certificate"), "{error}");
    assert_eq!(connections.variables(), ["TEAM_ID", "AZURE_OPENAI_KEY"]);
}
