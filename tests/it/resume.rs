//! `heal fix --resume` and `heal replay`: no answered prompt is sent again,
//! however heal died, and nothing in the record is torn.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use heal::event::Event;
use heal::ledger::ChainState;
use heal::ledger::Ledger;
use serde_json::Value;
use wiremock::MockServer;

use crate::model::GREETING;
use crate::model::chat;
use crate::model::heal;
use crate::model::messages;
use crate::model::right;
use crate::model::serve;
use crate::model::wrong;
use crate::support::Project;
use crate::support::Ran;
use crate::support::State;

const MODEL: &str = "openai-chat/stand-in";

/// The prompts that runs of this project have asked, in order, and which of
/// them are answered; the chain is whole.
fn asked(project: &Project) -> Vec<(String, bool)> {
    let ledger = Ledger::open_read_only(&project.root.join(".git")).expect("a record");
    assert!(matches!(ledger.verify().expect("checked"), ChainState::Intact { .. }));
    let mut runs = ledger.runs(99).expect("runs");
    runs.reverse();
    let events = runs.iter().flat_map(|run| ledger.events(&run.id).expect("events"));
    let prompts = events.filter_map(|stored| match serde_json::from_str(&stored.event) {
        Ok(Event::Asked { prompt, .. }) => Some(prompt),
        _ => None,
    });
    let is_answered = |prompt: &str| ledger.find_reply(prompt, MODEL).expect("read").is_some();
    prompts.map(|prompt| (prompt.clone(), is_answered(&prompt))).collect()
}

/// Goes on with a run that died, and shows that nothing was paid twice.
fn go_on(project: &Project, server: &MockServer, state: &State, how: &str) {
    let before = asked(project);
    let ran = heal(project, server, "/v1", &["fix", "--resume"]).code(0);
    assert!(ran.stdout.contains("Good morning, "), "{how}: {}", ran.stdout);
    let after = asked(project);
    let answered: BTreeSet<&String> = before.iter().filter(|(_, is)| *is).map(|(prompt, _)| prompt).collect();
    let again: Vec<&String> = after[before.len()..].iter().map(|(prompt, _)| prompt).collect();
    assert!(again.iter().all(|prompt| !answered.contains(prompt)), "{how}: {before:?} {after:?}");
    let differences = project.state().differences(state);
    assert!(differences.is_empty(), "{how}: {differences:?} of the user's was touched, or is left of heal");
}

fn command(project: &Project, server: &MockServer, extra: &[&str]) -> std::process::Command {
    let mut command = project.heal_command(&["fix", "--model", MODEL]);
    command.args(extra);
    command.env("HEAL_BASE_URL", format!("{}/v1", server.uri())).env("OPENAI_API_KEY", "sk-not-a-key");
    command
}

/// Does every piece of work, two at a time.
fn two_at_a_time<T: Send + Sync>(work: &[T], act: impl Fn(&T) + Sync) {
    let next = Mutex::new(work.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let piece = next.lock().expect("lock").next();
                    let Some(piece) = piece else { return };
                    act(piece);
                }
            });
        }
    });
}

#[test]
fn a_run_that_is_killed_at_any_event_goes_on_without_paying_twice() {
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
    let project = Project::new(GREETING);
    let file = project.root.parent().expect("a parent").join("events.jsonl");
    let mut whole = command(&project, &server, &["--events", file.to_str().expect("text")]);
    Ran::from(whole.output().expect("heal runs")).code(0);
    assert_eq!(runtime.block_on(server.received_requests()).expect("recorded").len(), 2);
    let text = std::fs::read_to_string(&file).expect("events");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("json"));
    let kinds: BTreeSet<String> = events.filter_map(|event| event["event"].as_str().map(str::to_owned)).collect();
    for kind in ["started", "stage", "reproduced", "diagnosed", "proposed", "asked", "answered", "tried", "finished"] {
        assert!(kinds.contains(kind), "{kind} is missing of {kinds:?}");
    }
    let mut points: Vec<String> = kinds.into_iter().collect();
    points.extend(["before:started", "before:answered", "before:asked:2", "answered:2"].map(str::to_owned));
    two_at_a_time(&points, |point| {
        let (_runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
        let project = Project::new(GREETING);
        let state = project.state();
        let died = command(&project, &server, &[]).env("HEAL_TEST_DIE_AT", point).output().expect("heal runs");
        assert_eq!(died.status.signal(), Some(9), "{point}: {}", String::from_utf8_lossy(&died.stderr));
        go_on(&project, &server, &state, point);
    });
}

#[test]
fn a_run_that_is_killed_at_a_random_moment_goes_on_without_paying_twice() {
    let (_runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
    let project = Project::new(GREETING);
    let began = Instant::now();
    Ran::from(command(&project, &server, &[]).output().expect("heal runs")).code(0);
    let whole = began.elapsed();
    // Seeded: the parts of the run's time are the same on every machine.
    let mut seed = 0x5eed_u64;
    let moments: Vec<Duration> = (0..10)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            whole.mul_f64((seed >> 40) as f64 / (1_u64 << 24) as f64)
        })
        .collect();
    two_at_a_time(&moments, |moment| {
        let (_runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
        let project = Project::new(GREETING);
        let state = project.state();
        let mut command = command(&project, &server, &[]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("heal starts");
        std::thread::sleep(*moment);
        child.kill().expect("killed");
        let status = child.wait().expect("ended");
        let has_begun =
            Ledger::open_read_only(&project.root.join(".git")).is_ok_and(|ledger| ledger.run("last").is_ok());
        // Before its first word in the record there is nothing to go on with,
        // and one that was quicker has ended by itself.
        if status.signal() == Some(9) && has_begun {
            go_on(&project, &server, &state, &format!("after {moment:?} of {whole:?}"));
        }
    });
}

#[test]
fn a_run_out_of_budget_goes_on_with_more() {
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
    let project = Project::new(GREETING);
    let arguments = ["fix", "--json", "--model", MODEL, "--max-tokens", "17500"];
    let json = heal(&project, &server, "/v1", &arguments).code(4).json();
    assert_eq!((&json["failures"][0]["reason"], &json["cost"]["calls"]), (&"budget".into(), &1.into()));
    let json = heal(&project, &server, "/v1", &["fix", "--resume", "--max-tokens", "100000"]).code(0).json();
    assert_eq!(json["cost"]["calls"], 1, "the first answer was paid for before");
    let earlier = &json["cost"]["earlier"];
    assert_eq!((&earlier["calls"], &earlier["tokens"], &earlier["usd"]), (&1.into(), &1100.into(), &Value::Null));
    assert_eq!(runtime.block_on(server.received_requests()).expect("recorded").len(), 2);
    let ran = heal(&project, &server, "/v1", &["fix", "--resume"]).code(2);
    assert!(ran.stderr.contains("no run is left to go on with"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_interrupted_while_a_model_thinks_says_that_the_call_was_cut_off() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let project = Project::new(GREETING);
    let mut command = project.heal_command(&["fix", "--model", MODEL]);
    command.env("HEAL_BASE_URL", format!("http://{}/v1", listener.local_addr().expect("an address")));
    command.env("OPENAI_API_KEY", "sk-not-a-key");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("heal starts");
    // The request is here, and is never answered.
    let (mut connection, _) = listener.accept().expect("a connection");
    std::io::Read::read_exact(&mut connection, &mut [0; 64]).expect("a request");
    let heal = nix::unistd::Pid::from_raw(child.id().try_into().expect("a process id"));
    nix::sys::signal::kill(heal, nix::sys::signal::Signal::SIGINT).expect("interrupted");
    let ran = Ran::from(child.wait_with_output().expect("ended")).code(130);
    let bill = "1 model call cut off: cost not known, counted at worst as 1";
    assert!(ran.stderr.contains(bill) && !ran.stderr.contains("no model was asked"), "{}", ran.stderr);
    let json = project.heal(&["show", "last", "--json"]).code(0).json();
    assert_eq!((&json["cost"]["calls"], &json["cost"]["cut_off"]["calls"]), (&0.into(), &1.into()));
    assert!(json["cost"]["cut_off"]["worst_usd"].is_null(), "the price of an unknown model is not known");
}

#[test]
fn a_cap_holds_for_a_run_and_those_that_go_on_with_it() {
    let route = "/v1/messages";
    let (runtime, server) = serve(route, vec![messages(&wrong()), messages(&right())]);
    let project = Project::new(GREETING);
    let anthropic = ["--model", "anthropic/claude-sonnet-5-5"];
    let first = [&["fix"], &anthropic[..]].concat();
    let mut command = project.heal_command(&first);
    command.env("HEAL_BASE_URL", server.uri()).env("ANTHROPIC_API_KEY", "sk-x").env("HEAL_TEST_DIE_AT", "answered");
    assert_eq!(command.output().expect("heal runs").status.signal(), Some(9));
    heal(&project, &server, "", &["fix", "--resume", "--max-cost", "0.003"]).code(4);
    let json = project.heal(&["show", "last", "--json"]).code(0).json();
    let why = json["failures"][0]["reason_why"].as_str().expect("a reason");
    assert!(why.contains("and 0.0000 USD are left of --max-cost 0.003"), "{why}");
    assert_eq!(runtime.block_on(server.received_requests()).expect("recorded").len(), 1);
    let ran = heal(&project, &server, "", &["fix", "--resume", "--max-cost", "1"]).code(0);
    let told = "in all $0.0060 of --max-cost, $0.0030 of it by the interrupted run";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert_eq!(runtime.block_on(server.received_requests()).expect("recorded").len(), 2);
}

#[test]
fn a_replay_needs_no_network_and_says_whether_the_verdicts_agree() {
    let (runtime, server) = serve("/v1/chat/completions", vec![chat(&wrong()), chat(&right())]);
    let project = Project::new(GREETING);
    let first = heal(&project, &server, "/v1", &["fix", "--json", "--model", MODEL]).code(0).json();
    let run = first["run"].as_str().expect("an id");
    drop(server);
    runtime.shutdown_background();
    let ran = project.heal(&["replay", run]).code(0);
    assert!(ran.stdout.contains("1 of 1 verdicts") && ran.stdout.contains("agrees"), "{}", ran.stdout);
    let mended = GREETING[0].1.replace("'Good evening, ' + name", "'Good morning, ' + name + '!'");
    project.write(&[("greeting.py", &mended)]);
    project.commit("mended");
    let json = project.heal(&["replay", run, "--json"]).code(1).json();
    assert_eq!((&json["agree"], &json["failures"][0]["now"]), (&false.into(), &"not a failure".into()));
}
