//! Requests through the library: what a forge may answer, and what stands
//! there afterwards. No test is run for it.

use std::collections::HashSet;
use std::time::Duration;

use heal::deliver::request::Forge;
use heal::deliver::request::ForgeKind;
use heal::deliver::request::Marker;
use heal::deliver::request::Order;
use heal::deliver::request::Placed;
use heal::deliver::request::Project;
use heal::deliver::request::marker;
use heal::deliver::request::place;
use heal::deliver::request::place::Desk;
use heal::deliver::request::place::PlaceError;
use heal::git::Outbox;
use heal::git::Remote;
use heal::git::Repository;
use heal::http::Client;
use heal::http::Config;
use heal::http::Secret;
use heal::interrupt::Interrupt;
use heal::patch::Patch;
use heal::process::Environment;
use heal::process::Launcher;
use heal::source::RelPath;
use pretty_assertions::assert_eq;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::FORGES;
use super::Hosted;
use super::forge;
use super::forge::Obstacle;
use super::forge::Pull;
use super::forge::TOKEN;

/// A hosted repository with an outbox, and one order.
struct Ready {
    hosted: Hosted,
    outbox: Outbox,
    remote: Remote,
    order: Order,
    token: Option<Secret>,
}

impl Ready {
    fn new(kind: ForgeKind) -> Ready {
        let hosted = Hosted::new(kind);
        let launcher = Launcher::new(None, Environment::filtered(std::env::vars_os()), Interrupt::new());
        let repository = Repository::discover(&hosted.project.root, &launcher).expect("repository");
        let before = hosted.project.read("shop/discount.py");
        let after = before.replace("quantity > 10", "quantity >= 10");
        let order = Order {
            fingerprints: vec!["9f2c41d07ab35e18".into()],
            tests: vec!["t::a".into()],
            title: "Fix t::a".into(),
            body: "Text.\n".into(),
            message: "Fix t::a\n\nWhy.\n\nHeal-Run: 01J\nHeal-Failure: 9f2c41d07ab35e18\n".into(),
            patch: Patch::of_file(RelPath::new("shop/discount.py").expect("path"), before, after),
            parent: repository.head().expect("head").expect("a commit"),
        };
        let outbox = repository.outbox().expect("outbox");
        let remote = Remote { url: hosted.remote(), authorization: None };
        Ready { hosted, outbox, remote, order, token: Some(Secret::new(TOKEN)) }
    }

    fn forge(&self) -> Forge {
        let name = if self.hosted.forge.kind == ForgeKind::Gitlab { "42" } else { "ana/shop" };
        let project = Project {
            kind: self.hosted.forge.kind,
            api: self.hosted.forge.api(),
            name: name.into(),
            token: self.token.clone(),
        };
        let config = Config {
            timeout: Duration::from_millis(1500),
            total: Duration::from_secs(20),
            max_wait: Duration::from_secs(2),
            retries: 1,
            ..Config::default()
        };
        Forge::new(Client::new(config).expect("client"), project)
    }

    /// Finds the open requests and places the order.
    fn place(&self) -> Result<Placed, PlaceError> {
        self.hosted.forge.block_on(async {
            let forge = self.forge();
            let open = forge.open_requests("main").await?;
            let desk = Desk { forge: &forge, outbox: &self.outbox, remote: &self.remote, base: "main", draft: true };
            desk.place(&self.order, &open).await
        })
    }

    fn obstruct(&self, method: &'static str, part: &'static str, answer: ResponseTemplate, times: usize) {
        self.hosted.forge.obstruct(Obstacle { method, part, answer, times, done: false });
    }

    fn branch(&self) -> Option<String> {
        self.hosted.forge.tip("heal/9f2c41d07ab35e18")
    }

    fn list(&self) -> &'static str {
        if self.hosted.forge.kind == ForgeKind::Gitlab { "/merge_requests" } else { "/pulls" }
    }
}

fn refused(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "message": message }))
}

/// What a person is told: the error and what to do.
fn told(error: &PlaceError) -> String {
    format!("{error}. {}", error.hint())
}

#[test]
fn every_refusal_says_what_to_do_and_the_next_run_goes_on_from_there() {
    for kind in FORGES {
        let cases: Vec<(ResponseTemplate, &[&str])> = vec![
            (refused(401, "Bad credentials"), &["does not accept the token", "HEAL_TOKEN"]),
            (refused(403, "Resource not accessible by integration"), &["may not open a request", "write"]),
            (refused(404, "Not Found"), &["knows no such repository", "--project"]),
            (refused(409, "Conflict of another sort"), &["answers 409", "by hand"]),
            (refused(422, "No commits between main and heal"), &["answers 422: No commits between", "by hand"]),
            (refused(400, "title is too long"), &["answers 400: title is too long"]),
            (ResponseTemplate::new(429).insert_header("retry-after", "3600"), &["asked too often", "3600 s"]),
            (ResponseTemplate::new(500), &["out of order (500)", "later"]),
            (ResponseTemplate::new(200).set_body_string("<html>"), &["not as documented"]),
            (ResponseTemplate::new(201).set_delay(Duration::from_secs(4)), &["did not answer within 1.5 s"]),
        ];
        let ready = Ready::new(kind);
        for (answer, words) in cases {
            ready.obstruct("POST", ready.list(), answer, 1);
            let error = ready.place().expect_err("refused");
            for word in words {
                assert!(told(&error).contains(word), "{kind:?}: {word}: {}", told(&error));
            }
            assert!(told(&error).contains("is pushed"), "{}", told(&error));
            assert!(!told(&error).contains(TOKEN));
            assert!(ready.branch().is_some(), "the branch stays");
            assert!(ready.hosted.forge.pulls().is_empty());
        }
        assert!(matches!(ready.place(), Ok(Placed::Opened { number: 1, .. })), "{kind:?}");
    }
}

#[test]
fn github_names_the_setting_that_lets_actions_open_requests() {
    let ready = Ready::new(ForgeKind::Github);
    let said = "GitHub Actions is not permitted to create or approve pull requests.";
    ready.obstruct("POST", "/pulls", refused(403, said), 1);
    let error = ready.place().expect_err("refused");
    assert!(
        error.is_permission() && told(&error).contains("Allow GitHub Actions to create and approve"),
        "{}",
        told(&error)
    );
}

#[test]
fn a_request_that_is_there_already_is_updated_not_repeated() {
    for kind in FORGES {
        // Another run opens it between the list and the call.
        let ready = Ready::new(kind);
        let answer = forge::already(kind, 1);
        ready.hosted.forge.obstruct(Obstacle { method: "POST", part: ready.list(), answer, times: 1, done: true });
        assert!(matches!(ready.place(), Ok(Placed::Updated { number: 1, .. })), "{kind:?}");
        // The forge did it, and its answer was lost.
        for answer in [ResponseTemplate::new(502), ResponseTemplate::new(201).set_delay(Duration::from_secs(4))] {
            let ready = Ready::new(kind);
            ready.hosted.forge.obstruct(Obstacle { method: "POST", part: ready.list(), answer, times: 1, done: true });
            assert!(matches!(ready.place(), Ok(Placed::Updated { number: 1, .. })), "{kind:?}");
            assert_eq!((ready.hosted.forge.pulls().len(), ready.hosted.forge.count("POST", ready.list())), (1, 1));
        }
    }
}

#[test]
fn a_forge_that_wants_a_rest_or_is_down_for_a_moment_is_asked_again() {
    for kind in FORGES {
        let ready = Ready::new(kind);
        ready.obstruct("POST", ready.list(), ResponseTemplate::new(429).insert_header("retry-after", "1"), 1);
        ready.obstruct("GET", ready.list(), ResponseTemplate::new(503), 1);
        ready.obstruct("GET", "/branches/", ResponseTemplate::new(502), 1);
        assert!(matches!(ready.place(), Ok(Placed::Opened { .. })), "{kind:?}");
    }
    let ready = Ready::new(ForgeKind::Github);
    let later = (jiff::Timestamp::now().as_second() + 1).to_string();
    let answer = refused(403, "API rate limit exceeded")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", later.as_str());
    ready.obstruct("POST", "/pulls", answer, 1);
    assert!(matches!(ready.place(), Ok(Placed::Opened { .. })));
}

#[test]
fn what_a_person_did_is_left_alone() {
    for kind in FORGES {
        // Commits of somebody else on the branch.
        let ready = Ready::new(kind);
        assert!(matches!(ready.place(), Ok(Placed::Opened { .. })));
        let project = &ready.hosted.project;
        project.git(&["fetch", "-q", "origin", "heal/9f2c41d07ab35e18"]);
        project.git(&["checkout", "-q", "FETCH_HEAD"]);
        project.write(&[("README", "mine\n")]);
        project.commit("mine");
        ready.hosted.push("heal/9f2c41d07ab35e18");
        let (tip, body) = (ready.branch(), ready.hosted.forge.pulls()[0].body.clone());
        let Ok(Placed::Left { why }) = ready.place() else { panic!("{kind:?}") };
        assert!(why.contains("commits that are not heal's"), "{why}");
        assert_eq!((ready.branch(), ready.hosted.forge.pulls()[0].body.clone()), (tip, body));

        // A request that was closed is not opened again for the same patch,
        // but for another.
        let mut ready = Ready::new(kind);
        assert!(matches!(ready.place(), Ok(Placed::Opened { .. })));
        ready.hosted.forge.state.lock().expect("state").pulls[0].state = "closed".into();
        let Ok(Placed::Left { why }) = ready.place() else { panic!("{kind:?}") };
        assert!(why.contains("somebody has closed https://forge.example/ana/shop/1"), "{why}");
        let before = ready.hosted.project.read("shop/discount.py");
        let other = before.replace("quantity > 10", "quantity > 9");
        ready.order.patch = Patch::of_file(RelPath::new("shop/discount.py").expect("path"), before, other);
        assert!(matches!(ready.place(), Ok(Placed::Opened { number: 2, .. })), "{kind:?}");

        // A protected branch.
        let ready = Ready::new(kind);
        assert!(matches!(ready.place(), Ok(Placed::Opened { .. })));
        let tip = ready.branch();
        ready.hosted.forge.state.lock().expect("state").protected.push("heal/9f2c41d07ab35e18".into());
        let Ok(Placed::Left { why }) = ready.place() else { panic!("{kind:?}") };
        assert!(why.contains("is protected") && ready.branch() == tip, "{why}");
    }
}

#[test]
fn a_failure_that_came_back_after_heal_closed_its_request_gets_a_new_one() {
    for kind in FORGES {
        let ready = Ready::new(kind);
        assert!(matches!(ready.place(), Ok(Placed::Opened { .. })));
        let close = |passed: &[&str]| {
            let passed: HashSet<String> = passed.iter().map(|test| marker::digest(test)).collect();
            ready.hosted.forge.block_on(async {
                let forge = ready.forge();
                let open = forge.open_requests("main").await.expect("listed");
                let desk =
                    Desk { forge: &forge, outbox: &ready.outbox, remote: &ready.remote, base: "main", draft: true };
                desk.close_mended(&open, &passed, "Gone.").await.expect("closed").len()
            })
        };
        assert_eq!(close(&["t::b"]), 0, "its own test did not run");
        assert_eq!(close(&["t::a", "t::b"]), 1);
        assert_eq!(ready.branch(), None);
        assert!(matches!(ready.place(), Ok(Placed::Opened { number: 2, .. })), "{kind:?}");
    }
}

#[test]
fn requests_of_forks_and_of_other_branches_are_not_heals() {
    for kind in FORGES {
        let ready = Ready::new(kind);
        let marked = Marker::new(&ready.order.fingerprints, &ready.order.tests, "aa", "bb").over("Text.\n");
        let pull = |number, head: &str, base: &str, from_fork| Pull {
            number,
            title: "x".into(),
            body: marked.clone(),
            head: head.into(),
            base: base.into(),
            state: "open".into(),
            draft: false,
            merged: false,
            from_fork,
        };
        ready.hosted.forge.state.lock().expect("state").pulls = vec![
            pull(1, "heal/9f2c41d07ab35e18", "main", true),
            pull(2, "feature", "main", false),
            pull(3, "heal/9f2c41d07ab35e18", "next", false),
        ];
        assert!(matches!(ready.place(), Ok(Placed::Opened { number: 4, .. })), "{kind:?}");
        let bodies: Vec<String> = ready.hosted.forge.pulls().into_iter().take(3).map(|pull| pull.body).collect();
        assert!(bodies.iter().all(|body| *body == marked), "{kind:?}");
    }
}

#[test]
fn a_request_is_found_on_a_later_page_and_by_any_of_its_failures() {
    for kind in FORGES {
        let mut ready = Ready::new(kind);
        ready.order.fingerprints.push("ab12".into());
        assert!(matches!(ready.place(), Ok(Placed::Opened { number: 1, .. })));
        let filler = |number| Pull {
            number,
            title: "x".into(),
            body: String::new(),
            head: format!("feature-{number}"),
            base: "main".into(),
            state: "open".into(),
            draft: false,
            merged: false,
            from_fork: false,
        };
        ready.hosted.forge.state.lock().expect("state").pulls.extend((2..=130).map(filler));
        ready.order.fingerprints = vec!["ab12".into()];
        assert!(matches!(ready.place(), Ok(Placed::Updated { number: 1, pushed: false, .. })), "{kind:?}");
    }
}

#[test]
fn a_push_that_is_refused_opens_nothing_and_is_told() {
    let mut ready = Ready::new(ForgeKind::Github);
    ready.remote.url = "ssh://git@forge.example/ana/shop.git".into();
    let error = ready.place().expect_err("refused");
    assert!(told(&error).contains("cannot be pushed to with a token") && error.is_permission(), "{}", told(&error));
    let hook = ready.hosted.forge.bare.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().expect("a parent")).expect("the folder");
    std::fs::write(&hook, "#!/bin/sh\necho 'GL-HOOK-ERR: no such branches here' >&2\nexit 1\n").expect("written");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    ready.remote.url = ready.hosted.remote();
    let error = ready.place().expect_err("refused");
    assert!(
        told(&error).contains("no such branches here") && told(&error).contains("begin with heal/"),
        "{}",
        told(&error)
    );
    assert!(ready.hosted.forge.pulls().is_empty() && ready.branch().is_none());
    ready.remote.url = "file:///nowhere/shop.git".into();
    assert!(told(&ready.place().expect_err("refused")).contains("cannot be reached"));
}

#[test]
fn without_a_token_no_call_is_made() {
    let mut ready = Ready::new(ForgeKind::Gitlab);
    ready.token = None;
    assert!(told(&ready.place().expect_err("refused")).contains("no token"));
    assert!(ready.hosted.forge.state.lock().expect("state").calls.is_empty());
}

#[test]
fn one_comment_is_written_anew_and_somebody_elses_copy_of_it_is_left() {
    for kind in FORGES {
        let ready = Ready::new(kind);
        let write = |text: &str| ready.hosted.forge.block_on(async { place::comment(&ready.forge(), 9, text).await });
        write("one").expect("written");
        write("two").expect("written");
        assert_eq!(ready.hosted.forge.comments().len(), 1);
        assert!(ready.hosted.forge.comments()[0].2.ends_with("\ntwo"));
        let method = if kind == ForgeKind::Gitlab { "PUT" } else { "PATCH" };
        let part = if kind == ForgeKind::Gitlab { "/notes/" } else { "/comments/" };
        ready.obstruct(method, part, refused(403, "Forbidden"), 1);
        write("three").expect("written");
        assert_eq!(ready.hosted.forge.comments().len(), 2, "{kind:?}");
    }
}
