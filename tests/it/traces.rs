//! A run as an OpenTelemetry trace, taken by a collector on loopback.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use wiremock::MockServer;
use wiremock::ResponseTemplate;

use crate::model::GREETING;
use crate::model::chat;
use crate::model::right;
use crate::model::serve;
use crate::model::wrong;
use crate::support::Project;
use crate::support::Ran;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// `heal fix` within a trace, which tells the collector at `endpoint`.
fn command(project: &Project, model: &MockServer, endpoint: &str) -> Command {
    let mut command = project.heal_command(&["fix", "--json", "--model", "openai-chat/stand-in"]);
    command
        .env("HEAL_BASE_URL", format!("{}/v1", model.uri()))
        .env("OPENAI_API_KEY", "sk-not-a-key")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("TRACEPARENT", format!("00-{TRACE}-{PARENT}-01"));
    command
}

/// The same in JSON.
fn heal(project: &Project, model: &MockServer, endpoint: &str) -> Ran {
    let mut command = command(project, model, endpoint);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json").output().expect("heal runs").into()
}

/// The collector, and what it was sent.
fn collector() -> (tokio::runtime::Runtime, MockServer) {
    serve("/v1/traces", vec![ResponseTemplate::new(200).set_body_json(serde_json::json!({}))])
}

/// Every span that the collector has, and all that it was sent as text.
fn taken(runtime: &tokio::runtime::Runtime, server: &MockServer) -> (Vec<Value>, String) {
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    let bodies: Vec<String> = requests.iter().map(|request| String::from_utf8_lossy(&request.body).into()).collect();
    let mut spans = Vec::new();
    for body in &bodies {
        let json: Value = serde_json::from_str(body).expect("JSON");
        for resource in json["resourceSpans"].as_array().expect("resources") {
            let about = attributes(&resource["resource"]);
            assert_eq!(about["service.name"], "heal", "{body}");
            for scope in resource["scopeSpans"].as_array().expect("scopes") {
                spans.extend(scope["spans"].as_array().expect("spans").iter().cloned());
            }
        }
    }
    (spans, bodies.concat())
}

/// The attributes of a span, an event or a resource; numbers as text.
fn attributes(of: &Value) -> BTreeMap<String, String> {
    let plain = |value: &Value| {
        let value = value.as_object().and_then(|value| value.values().next()).expect("a value");
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    let all = of["attributes"].as_array().into_iter().flatten();
    all.map(|one| (one["key"].as_str().expect("a key").to_owned(), plain(&one["value"]))).collect()
}

fn named<'s>(spans: &'s [Value], name: &str) -> Vec<&'s Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

#[test]
fn a_run_is_one_trace_with_its_stages_calls_and_trials_and_nothing_of_the_code() {
    let (_model_runtime, model) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
    let (runtime, server) = collector();
    let project = Project::new(GREETING);
    let json = heal(&project, &model, &server.uri()).code(0).json();
    let (spans, text) = taken(&runtime, &server);
    let ids: BTreeSet<&str> = spans.iter().filter_map(|span| span["spanId"].as_str()).collect();
    assert!(spans.iter().all(|span| span["traceId"] == TRACE), "{text}");
    let run = named(&spans, "heal fix")[0];
    assert_eq!(run["parentSpanId"], PARENT);
    let about = attributes(run);
    assert_eq!(
        (about["heal.run"].as_str(), about["process.exit.code"].as_str()),
        (json["run"].as_str().expect("an id"), "0")
    );
    for span in spans.iter().filter(|span| **span != *run) {
        assert!(ids.contains(span["parentSpanId"].as_str().expect("a parent")), "{span:#}");
        let moment = |key: &str| span[key].as_str().expect("a time").parse::<u64>().expect("nanoseconds");
        assert!(moment("startTimeUnixNano") <= moment("endTimeUnixNano"), "{span:#}");
    }
    let stages: BTreeSet<&str> = spans
        .iter()
        .filter(|span| span["parentSpanId"] == run["spanId"])
        .filter_map(|span| span["name"].as_str())
        .collect();
    for stage in ["snapshot", "run", "reproduce", "diagnose", "propose"] {
        assert!(stages.contains(stage), "{stage} is missing of {stages:?}");
    }
    let calls = named(&spans, "chat openai-chat/stand-in");
    assert_eq!(calls.len(), 2, "{text}");
    for call in calls {
        let about = attributes(call);
        let tokens = [&about["gen_ai.usage.input_tokens"], &about["gen_ai.usage.output_tokens"]];
        assert_eq!(
            (tokens, about["gen_ai.request.model"].as_str()),
            ([&"1000".to_owned(), &"100".to_owned()], "openai-chat/stand-in")
        );
    }
    let verdicts: Vec<String> =
        named(&spans, "trial").iter().map(|span| attributes(span)["heal.verdict"].clone()).collect();
    assert!(verdicts.contains(&"verified".to_owned()) && verdicts.len() > 1, "{verdicts:?}");
    let outcome = run["events"].as_array().expect("events").iter().find(|event| event["name"] == "outcome");
    assert_eq!(attributes(outcome.expect("an outcome"))["heal.outcome"], "verified");
    // What the code, the test and the model say stays here.
    for word in ["Good", "greet(", "sk-not-a-key", "AssertionError"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_run_that_is_stuck_is_an_error_in_its_trace() {
    let (_model_runtime, model) = serve("/v1/chat/completions", vec![chat(&right())]);
    let (runtime, server) = collector();
    let project = Project::new(&[GREETING[0], GREETING[1], ("heal.toml", "command = ['no-such-program']\n")]);
    let ran = heal(&project, &model, &server.uri());
    let (spans, text) = taken(&runtime, &server);
    let run = named(&spans, "heal fix")[0];
    assert_eq!(attributes(run)["process.exit.code"], ran.code.to_string());
    assert_eq!(run["status"]["code"], 2, "{text}");
}

#[test]
fn a_collector_that_is_gone_costs_a_note_and_no_patch() {
    let (_model_runtime, model) = serve("/v1/chat/completions", vec![chat(&right())]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let project = Project::new(GREETING);
    let ran = heal(&project, &model, &format!("http://{closed}")).code(0);
    assert!(ran.stderr.contains("note: the collector has no trace of this run"), "{}", ran.stderr);
    let ran = heal(&project, &model, "no address").code(0);
    assert!(ran.json()["notes"].to_string().contains("this run is not traced"), "{}", ran.stdout);
}

#[test]
fn a_collector_is_told_in_protobuf_where_nothing_else_is_said() {
    let (_model_runtime, model) = serve("/v1/chat/completions", vec![chat(&right())]);
    let (runtime, server) = collector();
    let project = Project::new(&[GREETING[0], GREETING[1], ("heal.toml", "command = ['no-such-program']\n")]);
    command(&project, &model, &server.uri()).output().expect("heal runs");
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    assert_eq!(requests[0].headers["content-type"], "application/x-protobuf");
}
