//! The user's own settings for the connection to a model: what a server and a
//! proxy see of them, and that a repository cannot make them.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;

use crate::model::GREETING;
use crate::model::chat;
use crate::model::right;
use crate::model::serve;
use crate::support::Project;
use crate::support::Ran;

/// The user's own configuration.
fn configure(project: &Project, text: &str) -> std::path::PathBuf {
    let folder = project.root.parent().expect("a parent").join("home/config/heal");
    std::fs::create_dir_all(&folder).expect("the folder");
    std::fs::write(folder.join("config.toml"), text).expect("written");
    folder
}

/// heal with a model at `base`, and variables.
fn heal(project: &Project, base: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = project.heal_command(arguments);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command.env("HEAL_BASE_URL", base).env("HEAL_MODEL", "openai-chat/stand-in").envs(variables.iter().copied());
    command.output().expect("heal runs").into()
}

/// A proxy that leads nowhere: its address, and the first lines of what it is
/// asked.
fn proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).expect("a line");
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").expect("written");
            if sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

#[test]
fn a_server_sees_the_version_the_header_of_the_key_and_the_headers_that_the_user_has_set() {
    let (runtime, server) = serve("/azure/v1/chat/completions", vec![chat(&right())]);
    let project = Project::new(GREETING);
    let base = format!("{}/azure/v1", server.uri());
    configure(
        &project,
        &format!(
            "[connection.all.headers]\nX-Title = 'heal'\n[connection.'{base}']\napi-version = '2026-05-01-preview'\nauth-header = 'api-key'\nkey-variable = 'AZURE_GATE'\nheaders = {{ X-Team = {{ env = 'TEAM' }} }}\n"
        ),
    );
    let variables = [("AZURE_GATE", "for-azure-alone"), ("TEAM", "the-team-s-own"), ("OPENAI_API_KEY", "sk-another")];
    heal(&project, &base, &["fix", "--json"], &variables).code(0);
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    let request = requests.first().expect("a request");
    assert_eq!(request.url.query(), Some("api-version=2026-05-01-preview"));
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((header("api-key"), header("authorization")), (Some("for-azure-alone"), None));
    assert_eq!((header("x-title"), header("x-team")), (Some("heal"), Some("the-team-s-own")));
    let doctor = heal(&project, &base, &["doctor", "--json"], &variables).code(0);
    for secret in ["for-azure-alone", "the-team-s-own"] {
        assert!(!doctor.stdout.contains(secret), "{}", doctor.stdout);
    }
    let context = heal(&project, &base, &["fix", "--show-context"], &variables).code(0);
    assert!(context.stdout.contains("with: X-Title: heal\nwith: X-Team: ***\n"), "{}", context.stdout);
    let checks = doctor.json()["checks"].clone();
    let found = |name: &str| {
        let check = checks.as_array().into_iter().flatten().find(|check| check["name"] == name);
        check.and_then(|check| check["found"].as_str()).unwrap_or_default().to_owned()
    };
    assert_eq!(
        ["endpoint", "api-version", "auth-header"].map(found),
        [base.as_str(), "2026-05-01-preview", "api-key"].map(str::to_owned)
    );
    assert_eq!(
        (found("headers").as_str(), found("model").as_str()),
        ("X-Title, X-Team", "openai-chat/stand-in, its key is set")
    );
}

#[test]
fn several_models_of_the_users_configuration_are_asked_in_their_order_and_looked_at() {
    let busy = wiremock::ResponseTemplate::new(529).insert_header("x-should-retry", "false");
    let (runtime, server) = serve("/v1/chat/completions", vec![busy, chat(&right())]);
    let project = Project::new(GREETING);
    let base = format!("{}/v1", server.uri());
    configure(&project, "model = ['openai-chat/cheap', 'openai-chat/strong']\n");
    let run = |arguments: &[&str]| {
        let mut command = project.heal_command(arguments);
        Ran::from(command.env("HEAL_BASE_URL", &base).output().expect("heal runs"))
    };
    run(&["fix", "--json"]).code(0);
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    let bodies =
        requests.iter().map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).expect("json"));
    let asked: Vec<String> = bodies.map(|body| body["model"].as_str().expect("a model").to_owned()).collect();
    assert_eq!(asked, ["cheap", "strong"]);
    let checks = run(&["doctor", "--json"]).code(0).json()["checks"].clone();
    let models = checks.as_array().into_iter().flatten().filter(|check| check["name"] == "model");
    let models: Vec<&str> = models.filter_map(|check| check["found"].as_str()).collect();
    assert_eq!(models, ["openai-chat/cheap, its key is not set", "openai-chat/strong, its key is not set"]);
}

#[test]
fn a_price_of_the_users_makes_the_cap_in_money_hold() {
    let (_runtime, server) = serve("/v1/chat/completions", vec![chat(&right())]);
    let base = format!("{}/v1", server.uri());
    for (output, code, usd) in [("10", 0, Some(0.002)), ("1000", 4, Some(0.0))] {
        let project = Project::new(GREETING);
        configure(&project, &format!("[price.stand-in]\ninput = 1.0\noutput = {output}.0\n"));
        let json = heal(&project, &base, &["fix", "--json"], &[]).code(code).json();
        assert_eq!(json["cost"]["usd"].as_f64(), usd, "{output}");
        let why = json["failures"][0]["reason_why"].as_str().unwrap_or_default();
        assert_eq!(why.contains("USD are left of --max-cost 1"), code == 4, "{why}");
    }
}

#[test]
fn what_a_header_takes_from_a_variable_is_kept_from_tests_and_prompts() {
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&right())]);
    let test = format!("import os\n{}assert 'TEAM' not in os.environ\n", GREETING[1].1);
    let source = GREETING[0].1.replace("Says good morning.", "Says good morning to the-team-s-own.");
    let project = Project::new(&[("greeting.py", &source), ("test_greeting.py", &test), GREETING[2]]);
    configure(&project, "[connection.openai-chat.headers]\nX-Team = { env = 'TEAM' }\n");
    let json = heal(&project, &format!("{}/v1", server.uri()), &["fix", "--json"], &[("TEAM", "the-team-s-own")])
        .code(0)
        .json();
    assert_eq!(json["failures"].as_array().map(Vec::len), Some(1));
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    let body = String::from_utf8_lossy(&requests[0].body).into_owned();
    assert!(body.contains("Says good morning to") && !body.contains("the-team-s-own"), "{body}");
}

#[test]
fn a_proxy_is_the_users_or_the_environments_and_none_where_either_says_so() {
    let (address, asked) = proxy();
    let base = "https://model.invalid/v1";
    let own = format!("[connection.openai-chat]\nproxy = '{address}'\n");
    for (file, variables, is_asked) in [
        (own.as_str(), vec![], true),
        ("", vec![("HTTPS_PROXY", address.as_str())], true),
        ("[connection.all]\nproxy = { env = 'MY_PROXY' }\n", vec![("MY_PROXY", address.as_str())], true),
        ("[connection.all]\nproxy = 'none'\n", vec![("HTTPS_PROXY", address.as_str())], false),
        ("", vec![("HTTPS_PROXY", address.as_str()), ("NO_PROXY", "model.invalid")], false),
        (own.as_str(), vec![("NO_PROXY", "model.invalid")], false),
    ] {
        let project = Project::new(GREETING);
        configure(&project, file);
        let ran = heal(&project, base, &["fix", "--json"], &[&variables[..], &[("OPENAI_API_KEY", "sk-x")]].concat());
        let json = ran.code(4).json();
        assert_eq!(json["failures"][0]["reason"], "provider", "{json}");
        let told: Vec<String> = asked.try_iter().collect();
        assert_eq!(!told.is_empty(), is_asked, "{file} {variables:?}");
        assert!(told.iter().all(|line| line == "CONNECT model.invalid:443 HTTP/1.1"), "{told:?}");
    }
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_ends_heal_before_any_test_is_run() {
    let project = Project::new(GREETING);
    let folder = configure(&project, "[connection.all]\nca-file = 'house.pem'\n");
    let file = folder.join("house.pem");
    for (text, why) in [(None, "No such file or directory"), (Some("no certificate"), "it holds no PEM certificate")] {
        if let Some(text) = text {
            std::fs::write(&file, text).expect("written");
        }
        let ran = heal(&project, "https://model.invalid/v1", &["fix"], &[]).code(2);
        let words = format!("`connection.all.ca-file` names `{}`, which cannot be used: {why}", file.display());
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
        assert!(ran.stderr.contains("\n  Give the path of a PEM file"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("tests:"), "{}", ran.stderr);
    }
    let doctor = heal(&project, "https://model.invalid/v1", &["doctor"], &[]).code(5);
    assert!(doctor.stdout.contains("bad   endpoint"), "{}", doctor.stdout);
}

#[test]
fn a_repository_sets_nothing_of_a_connection() {
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&right())]);
    let url = server.uri();
    for table in ["all", "openai-chat", "'https://api.openai.com'"] {
        for line in [
            "api-version = '1'".to_owned(),
            "auth-header = 'x-stolen'".to_owned(),
            "key-variable = 'GITHUB_TOKEN'".to_owned(),
            "headers = { X-Stolen = { env = 'GITHUB_TOKEN' } }".to_owned(),
            format!("proxy = '{url}'"),
            "ca-file = 'ca.pem'".to_owned(),
            "connect-timeout = '1ms'".to_owned(),
            "idle-timeout = '1ms'".to_owned(),
            "timeout = '1ms'".to_owned(),
        ] {
            let project = Project::new(GREETING);
            project.write(&[("heal.toml", &format!("[connection.{table}]\n{line}\n")), ("ca.pem", "")]);
            let ran =
                heal(&project, &format!("{url}/v1"), &["fix"], &[("OPENAI_API_KEY", "sk-x"), ("GITHUB_TOKEN", "t")]);
            let ran = ran.code(2);
            assert!(ran.stderr.contains("heal.toml") && ran.stderr.contains("connection"), "{line}: {}", ran.stderr);
        }
    }
    assert!(runtime.block_on(server.received_requests()).expect("recorded").is_empty());
}
