//! Tests of `model`; decide nothing else.

use std::sync::Arc;
use std::sync::Mutex;

use pretty_assertions::assert_eq;
use serde_json::Value;
use serde_json::json;
use wiremock::Match;
use wiremock::Mock;
use wiremock::MockServer;
use wiremock::Request;
use wiremock::ResponseTemplate;
use wiremock::matchers::header;
use wiremock::matchers::method;
use wiremock::matchers::path as at_path;

use super::budget::Budget;
use super::budget::Caps;
use super::prompt::tests::toy;
use super::*;
use crate::diagnose::Diagnosis;
use crate::event::Event;
use crate::event::Events;
use crate::event::Listener;
use crate::interrupt::Interrupt;
use crate::interrupt::Stop;
use crate::patch::Patch;
use crate::propose::Origin;
use crate::propose::provider::replay::ReplyStore;
use crate::source::RelPath;

const GCD: &str = "def gcd(a, b):\n    if b == 0:\n        return a\n    else:\n        return gcd(a % b, b)\n";

/// A store in memory: digest, model, prompt, reply.
#[derive(Default)]
struct Kept(Mutex<Vec<[String; 4]>>);

impl ReplyStore for Kept {
    fn find(&self, digest: &str) -> Option<String> {
        self.0.lock().expect("lock").iter().find(|row| row[0] == digest).map(|row| row[3].clone())
    }

    fn keep(&self, digest: &str, model: &str, prompt: &str, reply: &str) -> Result<String, String> {
        self.0.lock().expect("lock").push([digest, model, prompt, reply].map(str::to_owned));
        Ok(digest.to_owned())
    }
}

/// Cannot keep anything.
struct Full;

impl ReplyStore for Full {
    fn find(&self, _: &str) -> Option<String> {
        None
    }

    fn keep(&self, _: &str, _: &str, _: &str, _: &str) -> Result<String, String> {
        Err("the disk is full".to_owned())
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Listener for Heard {
    fn hear(&self, event: &Event) {
        self.0.lock().expect("lock").push(event.clone());
    }
}

fn config(model: &str, server: Option<&MockServer>) -> Config {
    let mut config = Config::new(ModelName::parse(model).expect("model"));
    config.base_url = server.map(MockServer::uri);
    config.key = Some(Secret::new("the-key"));
    config.timeout = Duration::from_secs(5);
    config
}

fn asker_with(config: Config, store: Arc<dyn ReplyStore>, caps: Caps) -> Asker {
    Asker::new(config, Events::none(), Interrupt::new(), store, Budget::new(caps)).expect("asker")
}

const CAPS: Caps = Caps { usd: 10.0, tokens: 0, calls: 0 };

fn asker(config: Config) -> Asker {
    asker_with(config, Arc::new(Kept::default()), CAPS)
}

fn read(path: &RelPath) -> Option<String> {
    (path.as_str() == "gcd.py").then(|| GCD.to_owned())
}

/// A reply with one patch for each replacement of the last line.
fn patches(replacements: &[&str]) -> String {
    let patch = |replace: &&str| json!({"root_cause": format!("it should be {replace}"), "edits": [{"path": "gcd.py", "search": "return gcd(a % b, b)", "replace": replace}]});
    json!({"patches": replacements.iter().map(patch).collect::<Vec<_>>(), "no_fix": null}).to_string()
}

fn chat(text: &str) -> Value {
    json!({"model": "served", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "model": "served", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 500, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 100, "output_tokens": 100}})
}

async fn serving(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(template).mount(&server).await;
    server
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.expect("recorded").len()
}

/// Whether the body at a JSON pointer is a value.
struct Has(&'static str, Value);

impl Match for Has {
    fn matches(&self, request: &Request) -> bool {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        body.pointer(self.0).unwrap_or(&Value::Null) == &self.1
    }
}

#[tokio::test]
async fn anthropic_is_asked_in_its_newest_version() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(at_path("/v1/messages"))
        .and(header("x-api-key", "the-key"))
        .and(header("anthropic-version", "2026-10-21"))
        .and(Has("/model", json!("claude-opus-5-5")))
        .and(Has("/system/0/cache_control/type", json!("ephemeral")))
        .and(Has("/output_config/format/type", json!("json_schema")))
        .and(Has("/max_tokens", json!(16_000)))
        .and(Has("/temperature", Value::Null))
        .and(Has("/messages/0/role", json!("user")))
        .respond_with(ResponseTemplate::new(200).set_body_json(message(&patches(&["return gcd(b, a % b)"]))))
        .expect(1)
        .mount(&server)
        .await;
    let answer =
        asker(config("anthropic/claude-opus-5-5", Some(&server))).ask(&toy(), &read, &[]).await.expect("answer");
    assert_eq!(answer.usage, Usage { input: 500, cached: 400, written: 100, output: 100 });
    assert_eq!(answer.usd.map(|usd| (usd * 1e6).round()), Some(4580.0));
    let wanted = Patch::of_file(RelPath::new("gcd.py").expect("path"), GCD, GCD.replace("a % b, b", "b, a % b"));
    assert_eq!(answer.candidates[0].patch, wanted);
    assert_eq!(answer.candidates[0].origin, Origin { kind: "model".into(), name: "anthropic/claude-opus-5-5".into() });
    assert_eq!(answer.candidates[0].explanation, "it should be return gcd(b, a % b)");
}

#[tokio::test]
async fn chat_completions_are_asked_with_a_schema() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(at_path("/chat/completions"))
        .and(header("authorization", "Bearer the-key"))
        .and(Has("/response_format/json_schema/strict", json!(true)))
        .and(Has("/max_completion_tokens", json!(16_000)))
        .and(Has("/temperature", Value::Null))
        .respond_with(ResponseTemplate::new(200).set_body_json(chat(&patches(&[
            "return gcd(b, a % b)",
            "return gcd(b % a, a)",
            "return gcd(b, a % b)",
        ]))))
        .expect(1)
        .mount(&server)
        .await;
    let answer = asker(config("openai-chat/gpt-6-sol", Some(&server))).ask(&toy(), &read, &[]).await.expect("answer");
    assert_eq!((answer.candidates.len(), answer.unusable.len()), (2, 0), "the same patch counts once");
    assert_eq!(answer.usage, Usage { input: 600, cached: 400, written: 0, output: 100 });
    assert!(answer.candidates[0].prior > answer.candidates[1].prior);
    assert_ne!(answer.candidates[0].id, answer.candidates[1].id);
}

#[tokio::test]
async fn a_server_without_schemas_or_the_new_limit_is_asked_in_older_words() {
    let server = MockServer::start().await;
    let refuse = |message: &str| ResponseTemplate::new(400).set_body_json(json!({"error": {"message": message}}));
    let ok = ResponseTemplate::new(200).set_body_json(chat(&patches(&["return gcd(b, a % b)"])));
    for (pointer, value, answer) in [
        ("/response_format/type", json!("json_schema"), refuse("Unsupported response_format json_schema")),
        ("/response_format/type", json!("json_object"), refuse("response_format is not supported")),
        ("/max_tokens", Value::Null, refuse("unknown field max_completion_tokens")),
        ("/max_tokens", json!(16_000), ok),
    ] {
        Mock::given(Has(pointer, value)).respond_with(answer).mount(&server).await;
    }
    let mut asker = asker(config("openai-chat/local", Some(&server)));
    assert_eq!(asker.ask(&toy(), &read, &[]).await.expect("answer").candidates.len(), 1);
    assert_eq!(calls(&server).await, 4);
    asker.ask(&toy(), &read, &[]).await.expect("the fresh call");
    assert_eq!(calls(&server).await, 5, "what the server takes is remembered");
}

#[tokio::test]
async fn refusals_of_servers_are_told_apart() {
    let error = |code: &str, text: &str| json!({"error": {"message": text, "type": code, "code": code}});
    for (status, body, wanted, hint) in [
        (
            401,
            error("authentication_error", "invalid x-api-key"),
            "the server refuses the key: invalid x-api-key (authentication_error)",
            "Set ANTHROPIC_API_KEY to a key that may use this model.",
        ),
        (
            403,
            error("permission_error", "no"),
            "the server refuses the key: no (permission_error)",
            "Set ANTHROPIC_API_KEY to a key that may use this model.",
        ),
        (
            404,
            error("not_found_error", "model: m"),
            "the server knows no model `m`: model: m (not_found_error)",
            "Check the name after the slash in --model, and --base-url.",
        ),
        (
            402,
            error("billing_error", "pay"),
            "the account's quota is spent: pay (billing_error)",
            "Check the account's plan and billing, or choose another --model.",
        ),
        (
            429,
            error("insufficient_quota", "pay"),
            "the account's quota is spent: pay (insufficient_quota)",
            "Check the account's plan and billing, or choose another --model.",
        ),
        (
            429,
            error("rate_limit_error", "slow"),
            "the server limits the rate: slow (rate_limit_error)",
            "Wait a little, then go on with --resume.",
        ),
        (529, error("overloaded_error", "busy"), "the server fails (HTTP 529): busy (overloaded_error)", ""),
        (
            400,
            error("invalid_request_error", "prompt is too long: 9 tokens"),
            "the prompt is too long for the model: prompt is too long: 9 tokens (invalid_request_error)",
            "Choose a model with a larger context.",
        ),
        (
            400,
            error("invalid_request_error", "what"),
            "the server refuses the request (HTTP 400): what (invalid_request_error)",
            "",
        ),
        (502, json!("<html>"), "the server fails (HTTP 502): \"<html>\"", ""),
        (200, error("overloaded_error", "busy"), "the answer cannot be read: it has no `content`", ""),
        (
            200,
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
            "the server fails (HTTP 500): busy (overloaded_error)",
            "",
        ),
        (200, json!({"content": null}), "the answer cannot be read: it has no `content`", ""),
    ] {
        let template = ResponseTemplate::new(status).insert_header("x-should-retry", "false").set_body_json(body);
        let server = serving(template).await;
        let failed = asker(config("anthropic/m", Some(&server))).ask(&toy(), &read, &[]).await.expect_err(wanted);
        let AskError::Provider(failed) = failed else { panic!("{failed}") };
        assert_eq!((failed.to_string().as_str(), failed.hint().unwrap_or_default().as_str()), (wanted, hint));
        assert_eq!(calls(&server).await, 1);
    }
}

#[tokio::test]
async fn a_busy_server_is_waited_for() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429)
        .insert_header("retry-after-ms", "5")
        .set_body_json(json!({"error": {"message": "slow"}}));
    Mock::given(method("POST")).respond_with(busy).up_to_n_times(2).mount(&server).await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(chat(&patches(&["x"]))))
        .mount(&server)
        .await;
    let answer = asker(config("openai-chat/m", Some(&server))).ask(&toy(), &read, &[]).await.expect("answer");
    assert_eq!((answer.candidates.len(), answer.usd), (1, None));
}

#[tokio::test]
async fn broken_bodies_are_errors_and_broken_texts_are_told() {
    for body in ["", "<html>busy</html>", "{\"choices\":[{\"mess", "{\"choices\":[]}", "null"] {
        let server = serving(ResponseTemplate::new(200).set_body_string(body)).await;
        let failed = asker(config("openai-chat/m", Some(&server))).ask(&toy(), &read, &[]).await.expect_err(body);
        assert!(matches!(failed, AskError::Provider(ProviderError::Malformed { .. })), "{failed}");
    }
    let cut = &patches(&["x", "return gcd(b, a % b)"])[..150];
    let mut length = chat(cut);
    length["choices"][0]["finish_reason"] = json!("length");
    let mut refusal = chat("");
    refusal["choices"][0]["message"] = json!({"role": "assistant", "content": null, "refusal": "I will not"});
    let mut filtered = chat("");
    filtered["choices"][0]["finish_reason"] = json!("content_filter");
    let mut broken_off = chat(cut);
    broken_off["choices"][0]["finish_reason"] = json!("content_filter");
    for (body, stop, candidates, reason) in [
        (
            length,
            StopReason::Length,
            1,
            "the reply was cut off in this patch; the answer reached its limit of tokens: give fewer, shorter fixes",
        ),
        (refusal, StopReason::Refusal, 0, "the model refused to answer: I will not"),
        (filtered, StopReason::Filtered, 0, "the provider's filter took the answer"),
        (
            broken_off,
            StopReason::Filtered,
            1,
            "the reply was cut off in this patch; the provider's filter took the rest",
        ),
        (chat(""), StopReason::Empty, 0, "the reply is empty"),
        (chat("I cannot."), StopReason::Done, 0, "the reply holds no patch: `I cannot.`"),
    ] {
        let server = serving(ResponseTemplate::new(200).set_body_json(body)).await;
        let answer = asker(config("openai-chat/m", Some(&server))).ask(&toy(), &read, &[]).await.expect("answer");
        assert_eq!((answer.stop, answer.candidates.len()), (stop, candidates), "{reason}");
        assert_eq!(answer.unusable[0].reason, reason);
    }
}

#[tokio::test]
async fn a_huge_body_and_a_hang_are_errors_that_may_have_cost() {
    let server = serving(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 17 << 20])).await;
    let budget = Budget::new(CAPS);
    let mut asker = Asker::new(
        config("anthropic/claude-opus-5-5", Some(&server)),
        Events::none(),
        Interrupt::new(),
        Arc::new(Kept::default()),
        budget.clone(),
    )
    .expect("asker");
    let failed = asker.ask(&toy(), &read, &[]).await.expect_err("huge");
    assert!(matches!(failed, AskError::Provider(ProviderError::Http(HttpError::TooLarge { .. }))), "{failed}");
    assert!(budget.spent().usd > 0.3, "the worst case is booked");
    let server = serving(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let mut config = config("openai-chat/m", Some(&server));
    config.timeout = Duration::from_millis(200);
    let failed = asker_with(config, Arc::new(Kept::default()), CAPS).ask(&toy(), &read, &[]).await.expect_err("hangs");
    assert!(matches!(failed, AskError::Provider(ProviderError::Http(HttpError::Timeout { .. }))), "{failed}");
    assert_eq!(calls(&server).await, 1, "a hang is not asked again");
}

#[tokio::test]
async fn an_interrupt_ends_a_call() {
    let server = serving(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let interrupt = Interrupt::new();
    interrupt.raise(Stop::Deadline);
    let mut asker = Asker::new(
        config("openai-chat/m", Some(&server)),
        Events::none(),
        interrupt,
        Arc::new(Kept::default()),
        Budget::new(CAPS),
    )
    .expect("asker");
    let failed = asker.ask(&toy(), &read, &[]).await.expect_err("interrupted");
    assert!(matches!(failed, AskError::Provider(ProviderError::Interrupted(Stop::Deadline))), "{failed}");
}

#[tokio::test]
async fn an_answered_prompt_is_never_sent_again() {
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&patches(&["x"])))).await;
    let store = Arc::new(Kept::default());
    let first = asker_with(config("openai-chat/gpt-6-sol", Some(&server)), store.clone(), CAPS)
        .ask(&toy(), &read, &[])
        .await
        .expect("answer");
    assert!(!first.from_record && first.usd > Some(0.0));
    let mut broke = asker_with(
        config("openai-chat/gpt-6-sol", Some(&server)),
        store.clone(),
        Caps { usd: 0.0, tokens: 0, calls: 0 },
    );
    let second = broke.ask(&toy(), &read, &[]).await.expect("kept");
    assert!(second.from_record);
    assert_eq!((second.usd, second.usage, second.candidates), (Some(0.0), Usage::default(), first.candidates.clone()));
    assert_eq!(calls(&server).await, 1);
    // The run can be replayed without server, key or fence key.
    let mut replay = config("replay:01JD", None);
    (replay.key, replay.nonce_key, replay.recorded_as) = (None, [9; 32], Some("openai-chat/gpt-6-sol".into()));
    let again = asker_with(replay, store.clone(), CAPS).ask(&toy(), &read, &[]).await.expect("replayed");
    assert_eq!(
        again.candidates.iter().map(|candidate| &candidate.patch).collect::<Vec<_>>(),
        first.candidates.iter().map(|candidate| &candidate.patch).collect::<Vec<_>>()
    );
    // Another model is asked anew.
    asker_with(config("openai-chat/gpt-6-luna", Some(&server)), store, CAPS)
        .ask(&toy(), &read, &[])
        .await
        .expect("answer");
    assert_eq!(calls(&server).await, 2);
    let unknown = asker(config("replay:01JD", None)).ask(&toy(), &read, &[]).await.expect_err("not recorded");
    assert!(matches!(unknown, AskError::Provider(ProviderError::NotRecorded { .. })));
}

#[tokio::test]
async fn a_reply_that_cannot_be_kept_is_not_used() {
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&patches(&["x"])))).await;
    let failed = asker_with(config("openai-chat/m", Some(&server)), Arc::new(Full), CAPS)
        .ask(&toy(), &read, &[])
        .await
        .expect_err("full");
    assert_eq!(failed.to_string(), "the reply could not be kept: the disk is full");
}

#[tokio::test]
async fn caps_are_checked_before_the_call() {
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&patches(&["x"])))).await;
    for caps in [Caps { usd: 0.01, tokens: 0, calls: 0 }, Caps { usd: 10.0, tokens: 10_000, calls: 0 }] {
        let failed = asker_with(config("openai-chat/gpt-6-sol", Some(&server)), Arc::new(Kept::default()), caps)
            .ask(&toy(), &read, &[])
            .await;
        assert!(matches!(failed, Err(AskError::Budget(_))));
    }
    assert_eq!(calls(&server).await, 0);
    let heard = Arc::new(Heard::default());
    let events = Events::none().with(heard.clone());
    let mut asker = Asker::new(
        config("openai-chat/unknown", Some(&server)),
        events,
        Interrupt::new(),
        Arc::new(Kept::default()),
        Budget::new(Caps { usd: 0.01, tokens: 0, calls: 0 }),
    )
    .expect("asker");
    asker.ask(&toy(), &read, &[]).await.expect("the price is not known");
    let heard = heard.0.lock().expect("lock");
    assert!(matches!(&heard[0], Event::Note { text } if text.contains("the price of `unknown` is not known")));
    assert!(matches!(&heard[1], Event::Asked { call: 1, .. }));
    assert!(matches!(&heard[2], Event::Answered { input_tokens: 1000, output_tokens: 100, usd: None, .. }));
}

#[tokio::test]
async fn a_failure_is_asked_about_at_most_four_times_with_feedback() {
    let server = MockServer::start().await;
    for (n, reply) in
        [patches(&["x", "return gcd(b % a, a)"]), patches(&["y"]), patches(&["z"]), patches(&["q"])].iter().enumerate()
    {
        let ok = ResponseTemplate::new(200).set_body_json(chat(reply));
        Mock::given(method("POST")).respond_with(ok).up_to_n_times(1).with_priority(n as u8 + 1).mount(&server).await;
    }
    let mut asker = asker(config("openai-chat/m", Some(&server)));
    let mut feedback = Vec::new();
    let mut steps = Vec::new();
    loop {
        match asker.ask(&toy(), &read, &feedback).await {
            Ok(answer) => {
                steps.push(answer.step);
                feedback.extend(answer.candidates.into_iter().map(|candidate| Feedback {
                    candidate,
                    gate: "target".into(),
                    detail: "still fails".into(),
                    output: "E   RecursionError\n".into(),
                }));
            }
            Err(AskError::Exhausted) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(steps, [Step::First, Step::Feedback { round: 1 }, Step::Feedback { round: 2 }, Step::Fresh]);
    assert_eq!(feedback.len(), 5);
    let sent = server.received_requests().await.expect("recorded");
    let second = String::from_utf8(sent[1].body.clone()).expect("text");
    assert!(
        second.contains("missed the gate `target`: still fails") && second.contains("+        return gcd(b % a, a)")
    );
}

#[tokio::test]
async fn edits_that_do_not_apply_are_told_with_the_nearest_line() {
    let reply = json!({"patches": [
        {"root_cause": "far", "edits": [{"path": "gcd.py", "search": "return gcd(b, b) + nothing here", "replace": "x"}]},
        {"root_cause": "out", "edits": [{"path": "../x.py", "search": "a", "replace": "b"}]},
        {"root_cause": "secret", "edits": [{"path": "gcd.py", "search": "return a", "replace": "return '«SECRET_1»'"}]},
    ], "no_fix": null});
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&reply.to_string()))).await;
    let mut asker = asker(config("openai-chat/m", Some(&server)));
    let answer = asker.ask(&toy(), &read, &[]).await.expect("answer");
    let reasons: Vec<&str> = answer.unusable.iter().map(|unusable| unusable.reason.as_str()).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    edit 1: its search text is not in `gcd.py`; the nearest is line 5: `        return gcd(a % b, b)`
    `../x.py` is not a path inside the repository: it climbs out with `..`
    it moves, copies or removes the secret `«SECRET_1»`
    ");
    assert_eq!(asker.next_step(&[]), Step::Feedback { round: 1 });
    asker.ask(&toy(), &read, &[]).await.expect("feedback");
    let sent = server.received_requests().await.expect("recorded");
    let second: Value = serde_json::from_slice(&sent[1].body).expect("json");
    assert!(second["messages"][1]["content"].as_str().expect("text").contains("the nearest is line 5"));
}

#[tokio::test]
async fn secrets_leave_neither_in_the_request_nor_in_the_record_and_come_back_in_the_patch() {
    let secret = "hunter2-is-it";
    let code = format!("def f():\n    return g('{secret}')\n");
    let mut diagnosis: Diagnosis = toy();
    diagnosis.slice.parts[0].text = code.clone();
    let reply = json!({"patches": [{"root_cause": "h", "edits": [{"path": "gcd.py", "search": "    return g('«SECRET_1»')", "replace": "    return h('«SECRET_1»')"}]}], "no_fix": null});
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&reply.to_string()))).await;
    let mut config = config("openai-chat/m", Some(&server));
    config.secrets = vec![secret.to_owned()];
    let store = Arc::new(Kept::default());
    let mut asker = asker_with(config, store.clone(), CAPS);
    assert!(!asker.preview(&diagnosis).expect("preview").contains(secret));
    let answer = asker.ask(&diagnosis, &|_: &RelPath| Some(code.clone()), &[]).await.expect("answer");
    assert_eq!(answer.candidates[0].patch.changes()[0].after, Some(code.replace("g(", "h(")));
    let sent = server.received_requests().await.expect("recorded");
    assert!(!String::from_utf8_lossy(&sent[0].body).contains(secret));
    assert!(!store.0.lock().expect("lock").iter().flatten().any(|text| text.contains(secret)));
}

#[tokio::test]
async fn a_person_can_answer_through_files() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut config = config("manual", None);
    config.manual_folder = dir.path().to_path_buf();
    let mut asker = asker_with(config, Arc::new(Kept::default()), Caps { usd: 0.0, tokens: 1, calls: 0 });
    let folder = dir.path().to_path_buf();
    let person = async {
        let prompt = loop {
            let mut names = std::fs::read_dir(&folder).expect("folder").map(|entry| entry.expect("entry").path());
            if let Some(path) = names.find(|path| path.to_string_lossy().ends_with(".prompt.md")) {
                break path;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(std::fs::read_to_string(&prompt).expect("prompt").contains("RecursionError"));
        let answer = prompt.to_string_lossy().replace(".prompt.md", ".answer.txt");
        std::fs::write(answer, patches(&["return gcd(b, a % b)"])).expect("write");
    };
    let diagnosis = toy();
    let (answer, ()) = tokio::join!(asker.ask(&diagnosis, &read, &[]), person);
    let answer = answer.expect("answer");
    assert_eq!((answer.candidates.len(), answer.usd), (1, Some(0.0)));
}

#[tokio::test]
async fn without_a_key_the_vendor_is_not_asked_and_the_variable_is_named() {
    let mut config = config("anthropic/m", None);
    config.key = None;
    let failed = asker(config).ask(&toy(), &read, &[]).await.expect_err("no key");
    let AskError::Provider(failed) = failed else { panic!("{failed}") };
    assert_eq!(failed.hint().as_deref(), Some("Set ANTHROPIC_API_KEY to a key that may use this model."));
    assert!(matches!(
        Asker::new(
            Config::new(ModelName::parse("none").expect("none")),
            Events::none(),
            Interrupt::new(),
            Arc::new(Kept::default()),
            Budget::new(CAPS)
        ),
        Err(AskError::NoModel)
    ));
}

#[tokio::test]
async fn the_preview_is_what_is_sent() {
    let server = serving(ResponseTemplate::new(200).set_body_json(chat(&patches(&["x"])))).await;
    let mut asker = asker(config("openai-chat/gpt-6-sol", Some(&server)));
    let preview = asker.preview(&toy()).expect("preview");
    asker.ask(&toy(), &read, &[]).await.expect("answer");
    let body: Value =
        serde_json::from_slice(&server.received_requests().await.expect("recorded")[0].body).expect("json");
    for message in body["messages"].as_array().expect("messages") {
        assert!(preview.contains(message["content"].as_str().expect("text")));
    }
    assert!(preview.contains(&body["response_format"]["json_schema"]["schema"].to_string()));
    assert!(preview.contains("at most 0.16"), "{preview}");
}

#[test]
fn asking_can_run_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let mut asker = asker(config("openai-chat/m", None));
    is_send(&asker.ask(&toy(), &read, &[]));
}
