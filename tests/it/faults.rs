//! Every fault of a model's server, in every dialect, plain and streamed: the
//! outcome, the attempts, and the bounds of time and memory.

mod server;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use heal::diagnose::Class;
use heal::diagnose::Diagnosis;
use heal::diagnose::Part;
use heal::diagnose::Role;
use heal::diagnose::Slice;
use heal::event::Events;
use heal::failure::Failure;
use heal::failure::Kind;
use heal::http::HttpError;
use heal::http::Secret;
use heal::interrupt::Interrupt;
use heal::propose::model::Answer;
use heal::propose::model::AskError;
use heal::propose::model::Asker;
use heal::propose::model::Config;
use heal::propose::model::budget::Budget;
use heal::propose::model::budget::Caps;
use heal::propose::provider::ModelName;
use heal::propose::provider::ProviderError;
use heal::propose::provider::StopReason;
use heal::propose::provider::replay::ReplyStore;
use heal::source::Lines;
use heal::source::RelPath;
use serde_json::json;

use server::Server;

const DIALECTS: [&str; 5] = ["anthropic", "openai", "openai-chat", "gemini", "ollama"];

/// A fault; the outcome where the answer is plain and where it is streamed;
/// requests that are sent. A patch is "patch", two are "patches"; the word
/// after a comma is how the reply ended.
const TABLE: &[(&str, &str, &str, usize)] = &[
    ("ok", "patches", "patches", 1),
    // The server's word decides whether it is asked again, and when.
    ("429", "rate", "rate", 3),
    ("429_once", "patches", "patches", 2),
    ("429_quota", "quota", "quota", 1),
    ("429_never", "rate", "rate", 1),
    ("429_far", "rate", "rate", 1),
    ("500", "overloaded", "overloaded", 3),
    ("500_once", "patches", "patches", 2),
    ("502", "overloaded", "overloaded", 3),
    ("503_far", "overloaded", "overloaded", 1),
    ("529", "overloaded", "overloaded", 3),
    ("400", "refused request", "refused request", 1),
    ("401", "auth", "auth", 1),
    ("403", "auth", "auth", 1),
    ("404", "no model", "no model", 1),
    ("413", "too long", "too long", 1),
    // Connections: only what cannot have been billed is tried again.
    ("close_before", "broken", "broken", 3),
    ("close_mid", "broken", "patch, cut off", 1),
    ("hang", "timeout", "timeout", 1),
    ("hang_mid", "timeout", "patch, cut off", 1),
    ("hang_accept", "timeout", "timeout", 1),
    ("drip", "patches", "patches", 1),
    ("redirect", "patches", "patches", 2),
    ("redirect_away", "redirected", "redirected", 1),
    // Bodies that are none.
    ("html", "malformed", "malformed", 1),
    ("nothing", "malformed", "malformed", 1),
    ("truncated", "malformed", "patch, cut off", 1),
    ("no_choices", "malformed", "empty", 1),
    ("no_end", "patches", "patches, cut off", 1),
    ("error_amid", "overloaded", "patch, cut off", 1),
    // Bodies without a bound.
    ("huge", "too large", "too large", 1),
    ("endless", "too large", "malformed", 1),
    ("long_line", "patches", "too large", 1),
    // Answers that are ones, and odd.
    ("empty", "empty", "empty", 1),
    ("null_content", "empty", "empty", 1),
    ("content_filter", "filtered", "filtered", 1),
    ("length", "patch, length", "patch, length", 1),
    ("no_usage", "patches", "patches", 1),
    ("wrong_type", "patches", "patches", 1),
    ("wrong_type_whole", "patches", "patches", 1),
    ("bad_utf8", "patches", "patches", 1),
    ("bom", "patches", "patches", 1),
    ("junk", "patches", "patches", 1),
    ("extra", "patches", "patches", 1),
    ("prose", "patches", "patches", 1),
    ("twice", "patches", "patches", 1),
];

/// Where a dialect differs from the table: fault, dialect, plain, streamed.
const EXCEPT: &[(&str, &str, &str, &str)] = &[
    ("content_filter", "anthropic", "model refused", "model refused"),
    // Ollama has no word for a filter.
    ("content_filter", "ollama", "empty", "empty"),
    // A list of nothing is an answer of nothing where it holds the text.
    ("no_choices", "anthropic", "empty", "empty"),
    ("no_choices", "openai", "empty", "empty"),
    ("no_choices", "ollama", "empty", "empty"),
    // Their events are so large that the limit of the body comes first.
    ("endless", "anthropic", "too large", "too large"),
    ("endless", "openai", "too large", "too large"),
];

/// Bytes a client may take off a server that never stops: its limit for an
/// answer, and what lies in buffers.
const MOST_BYTES: usize = 40 << 20;

fn text() -> String {
    let patch = |replace: &str| json!({"root_cause": "the wrong order", "edits": [{"path": "gcd.py", "search": "return gcd(a % b, b)", "replace": replace}]});
    json!({"patches": [patch("return gcd(b, a % b)"), patch("return gcd(b % a, a)")], "no_fix": null}).to_string()
}

const GCD: &str = "def gcd(a, b):\n    if b == 0:\n        return a\n    return gcd(a % b, b)\n";

fn path() -> RelPath {
    RelPath::new("gcd.py").expect("a path")
}

fn diagnosis() -> Diagnosis {
    let failure = Failure {
        id: "test_gcd.py::test_gcd".into(),
        kind: Kind::Exception,
        message: "RecursionError".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    };
    let part = Part {
        path: path(),
        lines: Lines::new(1, 4),
        role: Role::Suspect,
        symbol: None,
        text: GCD.into(),
        elided: Vec::new(),
    };
    let slice = Slice { parts: vec![part], tokens: 30, beside: Vec::new(), dropped: Vec::new() };
    let (also, suspects, class_why) = (Vec::new(), Vec::new(), String::new());
    Diagnosis { failure, also, class: Class::Code, class_why, suspects, slice, recent: Vec::new() }
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl ReplyStore for Kept {
    fn find(&self, _: &str) -> Option<String> {
        None
    }

    fn keep(&self, digest: &str, _: &str, _: &str, reply: &str) -> Result<String, String> {
        self.0.lock().expect("lock").push(reply.to_owned());
        Ok(digest.to_owned())
    }
}

fn word(outcome: &Result<Answer, AskError>) -> String {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(AskError::Provider(error)) => {
            return match error {
                ProviderError::Auth { .. } => "auth",
                ProviderError::NoModel { .. } => "no model",
                ProviderError::Rate { .. } => "rate",
                ProviderError::Quota { .. } => "quota",
                ProviderError::Overloaded { .. } => "overloaded",
                ProviderError::ContextTooLong { .. } => "too long",
                ProviderError::Refused { .. } => "refused request",
                ProviderError::Malformed { .. } => "malformed",
                ProviderError::CutOff { .. } => "cut off",
                ProviderError::Http(HttpError::Timeout { .. }) => "timeout",
                ProviderError::Http(HttpError::TooLarge { .. }) => "too large",
                ProviderError::Http(HttpError::Redirected { .. }) => "redirected",
                ProviderError::Http(HttpError::Broken { .. } | HttpError::Unreachable { .. }) => "broken",
                other => return other.to_string(),
            }
            .to_owned();
        }
        Err(other) => return other.to_string(),
    };
    let what = match answer.candidates.len() {
        0 => "",
        1 => "patch",
        _ => "patches",
    };
    let end = match answer.stop {
        StopReason::Done => "",
        StopReason::Length => "length",
        StopReason::Refusal => "model refused",
        StopReason::Filtered => "filtered",
        StopReason::Empty => "empty",
        StopReason::CutOff => "cut off",
    };
    [what, end].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Asks a server with this fault; what came of it, against the table.
async fn case(dialect: &'static str, fault: &'static str, streamed: bool) -> (String, usize, usize, Duration) {
    let away = Server::start(dialect, "ok", text(), String::new());
    let server = Server::start(dialect, fault, text(), away.address.clone());
    let name = ModelName::parse(&format!("{dialect}/m")).expect("a model");
    let timeout = Duration::from_secs(if fault.starts_with("hang") { 1 } else { 60 });
    let key = Some(Secret::new("k"));
    let base_url = Some(server.address.clone());
    let config = Config { base_url, key, timeout, streamed, ..Config::new(name) };
    let kept = Arc::new(Kept::default());
    let caps = Caps { usd: 1.0, tokens: 0, calls: 0 };
    let asker = Asker::new(config, Events::none(), Interrupt::new(), kept.clone(), Budget::new(caps));
    let mut asker = asker.expect("an asker");
    let began = Instant::now();
    let read = |asked: &RelPath| (*asked == path()).then(|| GCD.to_owned());
    let outcome = asker.ask(&diagnosis(), &read, &[]).await;
    let took = began.elapsed();
    assert_eq!(kept.0.lock().expect("lock").len(), usize::from(outcome.is_ok()), "a reply is kept if it is used");
    assert_eq!(away.requests.load(Ordering::SeqCst), 0, "{dialect} {fault}: nothing goes to another host");
    let (requests, written) = (server.requests.load(Ordering::SeqCst), server.written.load(Ordering::SeqCst));
    (word(&outcome), requests, written, took)
}

#[test]
fn every_fault_in_every_dialect_has_the_outcome_the_attempts_and_the_bounds_of_the_table() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let wrong: Vec<String> = runtime.block_on(async {
        let side_by_side = Arc::new(tokio::sync::Semaphore::new(12));
        let mut cases = tokio::task::JoinSet::new();
        for (fault, plain, stream, attempts) in TABLE {
            for dialect in DIALECTS {
                let except = EXCEPT.iter().find(|(other, whose, ..)| other == fault && *whose == dialect);
                let (plain, stream) = except.map_or((*plain, *stream), |(_, _, plain, stream)| (*plain, *stream));
                for (streamed, wanted) in [(false, plain), (true, stream)] {
                    let side_by_side = side_by_side.clone();
                    cases.spawn(async move {
                        let _turn = side_by_side.acquire().await.expect("open");
                        let (outcome, requests, written, took) = case(dialect, fault, streamed).await;
                        let how = if streamed { "streamed" } else { "plain" };
                        let mut wrong = Vec::new();
                        if (outcome.as_str(), requests) != (wanted, *attempts) {
                            wrong.push(format!(
                                "{fault} {dialect} {how}: `{outcome}` after {requests}, not `{wanted}` after {attempts}"
                            ));
                        }
                        if written > MOST_BYTES || took > Duration::from_secs(100) {
                            wrong.push(format!("{fault} {dialect} {how}: {written} bytes in {took:?}"));
                        }
                        wrong
                    });
                }
            }
        }
        cases.join_all().await.into_iter().flatten().collect()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), TABLE.len() * 10, wrong.join("\n"));
}
