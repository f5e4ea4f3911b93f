//! A reply that arrives slowly: its first patches are on trial before its end,
//! and nothing is concluded, nor paid twice, before all of it is recorded.
//! The server waits for heal's own events, so that no time decides a test.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use heal::ledger::Ledger;
use serde_json::Value;
use serde_json::json;

use crate::model::GREETING;
use crate::model::patch;
use crate::support::Project;
use crate::support::Ran;

const MODEL: &str = "openai-chat/stand-in";
const FAULT: &str = "    return 'Good evening, ' + name";
const RIGHT: &str = "    return 'Good morning, ' + name + '!'";
/// Passes no test.
const WRONG: &str = "    return 'Good morning, ' + name";

/// A server that sends the first of two patches, waits until a model's patch
/// has been tried (as `events` tells), and then sends the rest; nothing more in
/// the first `hangs` answers.
struct Slow {
    base: String,
    requests: Arc<AtomicUsize>,
}

fn slow(patches: [&'static str; 2], events: PathBuf, hangs: usize) -> Slow {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                length =
                    line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().expect("a length"));
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).expect("a body");
            let ends = count.fetch_add(1, Ordering::SeqCst) >= hangs;
            let text = json!({"patches": patches.map(|replace| patch("The greeting is wrong.", FAULT, replace)), "no_fix": null});
            let text = text.to_string();
            // The comma behind the first patch has not come yet.
            let first = text.find(",{\"root_cause\"").expect("a second patch");
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let mut send = |bytes: &str| stream.get_mut().write_all(bytes.as_bytes());
            if send(head)
                .and_then(|()| send(&chunk(&text[..40])))
                .and_then(|()| send(&chunk(&text[40..first])))
                .is_err()
            {
                continue;
            }
            wait_for_a_trial(&events);
            // heal may be gone by now.
            if ends {
                let _ = send(&chunk(&text[first..])).and_then(|()| send(&last()));
            } else {
                let _ = stream.read(&mut [0]);
            }
        }
    });
    Slow { base, requests }
}

fn chunk(text: &str) -> String {
    format!("data: {}\n\n", json!({"model": "served", "choices": [{"index": 0, "delta": {"content": text}}]}))
}

fn last() -> String {
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 100});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage});
    format!("data: {end}\n\ndata: [DONE]\n\n")
}

fn wait_for_a_trial(events: &Path) {
    let began = Instant::now();
    while !lines(events).iter().any(of_a_model) {
        // A heal that waits for the answer's end fails the test by its order.
        if began.elapsed() > Duration::from_secs(60) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lines(events: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(events).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn of_a_model(event: &Value) -> bool {
    event["event"] == "tried" && event["source"].as_str().is_some_and(|source| source.starts_with("model "))
}

fn events_of(project: &Project) -> PathBuf {
    project.root.parent().expect("a parent").join("events.jsonl")
}

fn fix(project: &Project, slow: &Slow, more: &[&str]) -> std::process::Command {
    let mut command = project.heal_command(&[&["fix"], more].concat());
    command.arg("--events").arg(events_of(project));
    command.env("HEAL_BASE_URL", &slow.base).env("HEAL_MODEL", MODEL).env("OPENAI_API_KEY", "sk-not-a-key");
    command
}

/// The texts of the replies in the record to the prompts that were asked.
fn kept(project: &Project, events: &[Value]) -> Vec<Option<String>> {
    let ledger = Ledger::open_read_only(&project.root.join(".git")).expect("a record");
    let asked = events.iter().filter(|event| event["event"] == "asked");
    let prompts = asked.filter_map(|event| event["prompt"].as_str());
    prompts.map(|prompt| ledger.find_reply(prompt, MODEL).expect("read").map(|reply| reply.text)).collect()
}

#[test]
fn the_first_patch_is_on_trial_before_the_answer_has_ended() {
    let project = Project::new(GREETING);
    let events = events_of(&project);
    let slow = slow([WRONG, RIGHT], events.clone(), 0);
    let ran = Ran::from(fix(&project, &slow, &["--json"]).output().expect("heal runs")).code(0);
    let json = ran.json();
    assert!(json["failures"][0]["proposals"][0]["diff"].as_str().is_some_and(|diff| diff.contains(RIGHT.trim())));
    assert_eq!(json["cost"]["calls"], 1);
    let events = lines(&events);
    let tried = events.iter().position(of_a_model).expect("a trial");
    let answered = events.iter().position(|event| event["event"] == "answered").expect("an answer");
    assert!(tried < answered, "{tried} {answered}");
    assert_eq!(slow.requests.load(Ordering::SeqCst), 1);
    // What comes out of the record comes out alike.
    project.heal(&["replay", json["run"].as_str().expect("an id")]).code(0);
}

#[test]
fn a_patch_that_verifies_early_concludes_nothing_before_the_reply_is_recorded() {
    let project = Project::new(GREETING);
    let events = events_of(&project);
    let slow = slow([RIGHT, WRONG], events.clone(), 0);
    let json = Ran::from(fix(&project, &slow, &["--json"]).output().expect("heal runs")).code(0).json();
    assert_eq!(json["cost"]["cut_off"]["calls"], 0);
    let events = lines(&events);
    let place = |name: &str| events.iter().position(|event| event["event"] == name).expect(name);
    assert!(events.iter().position(of_a_model).expect("a trial") < place("answered"));
    assert!(place("answered") < place("outcome"));
    let replies = kept(&project, &events);
    assert!(matches!(&replies[..], [Some(text)] if text.contains(WRONG) && text.contains(RIGHT)), "{replies:?}");
}

#[test]
fn a_run_that_is_interrupted_amid_an_answer_keeps_what_came_and_does_not_pay_for_it_again() {
    let project = Project::new(GREETING);
    let events = events_of(&project);
    let slow = slow([WRONG, RIGHT], events.clone(), 1);
    let mut command = fix(&project, &slow, &["--rounds", "0"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("heal starts");
    wait_for_a_trial(&events);
    let heal = nix::unistd::Pid::from_raw(child.id().try_into().expect("a process id"));
    nix::sys::signal::kill(heal, nix::sys::signal::Signal::SIGINT).expect("interrupted");
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    let report = project.heal(&["show", "last", "--json"]).code(0).json();
    assert_eq!((&report["cost"]["calls"], &report["cost"]["cut_off"]["calls"]), (&1.into(), &0.into()));
    let interrupted = lines(&events);
    let replies = kept(&project, &interrupted);
    assert!(matches!(&replies[..], [Some(text)] if text.contains(WRONG) && text.contains("cut-off")), "{replies:?}");
    let resumed = Ran::from(fix(&project, &slow, &["--resume"]).output().expect("heal runs")).code(0);
    let prompt = |events: &[Value]| {
        events.iter().filter_map(|event| event["prompt"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let (before, after) = (prompt(&interrupted), prompt(&lines(&events)));
    assert!(after.iter().all(|prompt| !before.contains(prompt)), "{before:?} {after:?} {}", resumed.stderr);
}

#[test]
fn a_run_that_is_killed_amid_an_answer_asks_again_and_once() {
    let project = Project::new(GREETING);
    let events = events_of(&project);
    let slow = slow([RIGHT, WRONG], events.clone(), 1);
    let mut command = fix(&project, &slow, &[]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("heal starts");
    wait_for_a_trial(&events);
    child.kill().expect("killed");
    assert_eq!(child.wait().expect("ended").signal(), Some(9));
    assert_eq!(kept(&project, &lines(&events)), [None], "the reply was not whole");
    let ran = Ran::from(fix(&project, &slow, &["--resume"]).output().expect("heal runs")).code(0);
    assert!(ran.stdout.contains("Good morning, "), "{}", ran.stdout);
    assert_eq!(slow.requests.load(Ordering::SeqCst), 2);
    Ran::from(fix(&project, &slow, &[]).output().expect("heal runs")).code(0);
    assert_eq!(slow.requests.load(Ordering::SeqCst), 2, "now it is answered");
}
