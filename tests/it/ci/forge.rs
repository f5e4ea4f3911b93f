//! A stand-in for the API of a forge, on loopback: it holds requests and
//! comments in memory and reads branches from a bare repository on disk.
//!
//! The shapes are those of the vendors' public documentation, cut to the
//! fields that matter and some that do not: GitHub's "Pulls", "Issue comments"
//! and "Branches" of version 2022-11-28; GitLab's "Merge requests", "Notes"
//! and "Branches" of version 4; Forgejo's swagger file of version 1.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;

use heal::deliver::request::ForgeKind;
use serde_json::Value;
use serde_json::json;
use wiremock::Mock;
use wiremock::MockServer;
use wiremock::Request;
use wiremock::Respond;
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

/// The token that the stand-in takes.
pub const TOKEN: &str = "tok-0123456789abcdef";

/// One request or change of the forge's state.
#[derive(Clone, Debug)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub head: String,
    pub base: String,
    pub state: String,
    pub draft: bool,
    pub merged: bool,
    pub from_fork: bool,
}

/// An answer that stands in the way of the next matching call.
#[derive(Clone)]
pub struct Obstacle {
    pub method: &'static str,
    pub part: &'static str,
    pub answer: ResponseTemplate,
    /// How often it stands there.
    pub times: usize,
    /// Whether the call is carried out all the same: the answer was lost.
    pub done: bool,
}

/// What the forge holds.
#[derive(Default)]
pub struct State {
    pub pulls: Vec<Pull>,
    /// Comments: the request, the comment's number, its text.
    pub comments: Vec<(u64, u64, String)>,
    pub obstacles: Vec<Obstacle>,
    /// Every call: method and path.
    pub calls: Vec<(String, String)>,
    pub protected: Vec<String>,
    /// Who was asked for a review of which request.
    pub reviewers: Vec<(u64, Value)>,
}

/// The stand-in, running.
pub struct StandIn {
    pub kind: ForgeKind,
    pub state: Arc<Mutex<State>>,
    pub bare: PathBuf,
    runtime: tokio::runtime::Runtime,
    server: MockServer,
}

struct Responder {
    kind: ForgeKind,
    state: Arc<Mutex<State>>,
    bare: PathBuf,
}

impl StandIn {
    /// Starts one that speaks for `bare`.
    pub fn start(kind: ForgeKind, bare: &Path) -> StandIn {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let state = Arc::new(Mutex::new(State::default()));
        let responder = Responder { kind, state: state.clone(), bare: bare.to_owned() };
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(responder).mount(&server).await;
            server
        });
        StandIn { kind, state, bare: bare.to_owned(), runtime, server }
    }

    /// The API's address.
    pub fn api(&self) -> String {
        let path = match self.kind {
            ForgeKind::Github => "",
            ForgeKind::Gitlab => "/api/v4",
            ForgeKind::Forgejo => "/api/v1",
        };
        format!("{}{path}", self.server.uri())
    }

    /// Runs something that waits.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn pulls(&self) -> Vec<Pull> {
        self.state.lock().expect("state").pulls.clone()
    }

    pub fn comments(&self) -> Vec<(u64, u64, String)> {
        self.state.lock().expect("state").comments.clone()
    }

    /// Puts an answer in the way.
    pub fn obstruct(&self, obstacle: Obstacle) {
        self.state.lock().expect("state").obstacles.push(obstacle);
    }

    /// How many calls of this method were made to a path that holds `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let state = self.state.lock().expect("state");
        state.calls.iter().filter(|(other, path)| other == method && path.contains(part)).count()
    }

    /// The commit a branch of the bare repository points at.
    pub fn tip(&self, branch: &str) -> Option<String> {
        git(&self.bare, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }
}

/// git in the bare repository; `None` where it fails.
pub fn git(bare: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--git-dir").arg(bare).args(arguments).output().expect("git runs");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let method = request.method.to_string();
        let mut state = self.state.lock().expect("state");
        state.calls.push((method.clone(), path.clone()));
        let fits =
            |obstacle: &Obstacle| obstacle.times > 0 && obstacle.method == method && path.contains(obstacle.part);
        if let Some(at) = state.obstacles.iter().position(fits) {
            state.obstacles[at].times -= 1;
            let obstacle = state.obstacles[at].clone();
            if obstacle.done {
                self.answer(&mut state, request, &method, &path);
            }
            return obstacle.answer;
        }
        if !self.is_welcome(request) {
            return ResponseTemplate::new(401).set_body_json(json!({"message": "Bad credentials"}));
        }
        self.answer(&mut state, request, &method, &path)
    }
}

impl Responder {
    fn is_welcome(&self, request: &Request) -> bool {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        match self.kind {
            ForgeKind::Github => {
                header("authorization") == Some(format!("Bearer {TOKEN}"))
                    && header("x-github-api-version").is_some()
                    && header("accept").is_some_and(|accept| accept.contains("vnd.github"))
            }
            ForgeKind::Gitlab => header("private-token").as_deref() == Some(TOKEN),
            ForgeKind::Forgejo => header("authorization") == Some(format!("token {TOKEN}")),
        }
    }

    fn answer(&self, state: &mut State, request: &Request, method: &str, path: &str) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let route = path.split('?').next().unwrap_or_default();
        let project = match self.kind {
            ForgeKind::Github => "/repos/ana/shop/",
            ForgeKind::Gitlab => "/api/v4/projects/42/",
            ForgeKind::Forgejo => "/api/v1/repos/ana/shop/",
        };
        if method == "GET" && route == "/api/v4/users" {
            let name = path.split("username=").nth(1).unwrap_or_default();
            let known = if name == "nobody" { json!([]) } else { json!([{"id": name.len() + 1000, "username": name}]) };
            return ResponseTemplate::new(200).set_body_json(known);
        }
        let Some(rest) = route.strip_prefix(project) else { return not_found() };
        let words: Vec<&str> = rest.split('/').collect();
        let (list, notes) = match self.kind {
            ForgeKind::Gitlab => ("merge_requests", "notes"),
            _ => ("pulls", "comments"),
        };
        match (method, &words[..]) {
            ("GET", [first]) if *first == list => self.list(state, path),
            ("POST", [first]) if *first == list => self.open(state, &body),
            ("POST", ["pulls", number, "requested_reviewers"]) => {
                let refused = body["reviewers"].as_array().is_some_and(|all| all.iter().any(|one| one == "nobody"));
                if refused {
                    let said = "Reviews may only be requested from collaborators.";
                    return ResponseTemplate::new(422).set_body_json(json!({ "message": said }));
                }
                state.reviewers.push((number.parse().expect("a number"), body.clone()));
                ResponseTemplate::new(201).set_body_json(json!({}))
            }
            ("PUT", ["merge_requests", number]) if body["reviewer_ids"].is_array() => {
                state.reviewers.push((number.parse().expect("a number"), body.clone()));
                ResponseTemplate::new(200).set_body_json(json!({}))
            }
            ("PATCH" | "PUT", [first, number]) if *first == list => self.change(state, number, &body),
            ("GET", [_, number, last]) if *last == notes => {
                let of = |(pull, id, text): &(u64, u64, String)| {
                    (pull.to_string() == *number).then(|| {
                        json!({"id": id, "body": text, "system": false,
                        "html_url": format!("https://forge.example/c/{id}"), "user": {"login": "heal"}})
                    })
                };
                let found: Vec<Value> = state.comments.iter().filter_map(of).collect();
                ResponseTemplate::new(200).set_body_json(found)
            }
            ("POST", [_, number, last]) if *last == notes => {
                let id = 100 + state.comments.len() as u64;
                let text = body["body"].as_str().unwrap_or_default().to_owned();
                state.comments.push((number.parse().expect("a number"), id, text));
                let answer =
                    json!({"id": id, "body": body["body"], "html_url": format!("https://forge.example/c/{id}")});
                ResponseTemplate::new(201).set_body_json(answer)
            }
            ("PATCH", ["issues", "comments", id]) | ("PUT", ["merge_requests", _, "notes", id]) => {
                let Some(found) = state.comments.iter_mut().find(|comment| comment.1.to_string() == *id) else {
                    return not_found();
                };
                found.2 = body["body"].as_str().unwrap_or_default().to_owned();
                ResponseTemplate::new(200).set_body_json(json!({"id": found.1, "body": found.2}))
            }
            ("GET", ["branches", name @ ..]) | ("GET", ["repository", "branches", name @ ..]) => {
                self.branch(state, &name.join("/").replace("%2F", "/"))
            }
            _ => not_found(),
        }
    }

    fn list(&self, state: &State, path: &str) -> ResponseTemplate {
        let query = |name: &str| {
            let pairs = path.split('?').nth(1).unwrap_or_default().split('&');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.replace("%2F", "/"))
        };
        let wanted = query("state").expect("a state");
        let base = query("base").or_else(|| query("target_branch"));
        let fits = |pull: &&Pull| {
            let state = match (wanted.as_str(), pull.state.as_str()) {
                ("all", _) => true,
                ("opened", state) => state == "open",
                (wanted, state) => wanted == state,
            };
            state && base.as_ref().is_none_or(|base| *base == pull.base)
        };
        let size: usize = query("per_page").or_else(|| query("limit")).expect("a size").parse().expect("a number");
        let page: usize = query("page").expect("a page").parse().expect("a number");
        let pulls = state.pulls.iter().rev().filter(fits).skip((page - 1) * size).take(size);
        let found: Vec<Value> = pulls.map(|pull| self.shown(pull)).collect();
        ResponseTemplate::new(200).set_body_json(found)
    }

    fn open(&self, state: &mut State, body: &Value) -> ResponseTemplate {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (title, head, base, description) = match self.kind {
            ForgeKind::Gitlab => (text("title"), text("source_branch"), text("target_branch"), text("description")),
            _ => (text("title"), text("head"), text("base"), text("body")),
        };
        let draft = body["draft"] == true || title.starts_with("Draft: ") || title.starts_with("WIP: ");
        if git(&self.bare, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{head}")]).is_none() {
            return ResponseTemplate::new(422).set_body_json(json!({"message": "Validation Failed",
                "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}]}));
        }
        if let Some(pull) = state
            .pulls
            .iter()
            .find(|pull| pull.state == "open" && !pull.from_fork && pull.head == head && pull.base == base)
        {
            return already(self.kind, pull.number);
        }
        let number = state.pulls.len() as u64 + 1;
        let pull = Pull {
            number,
            title,
            body: description,
            head,
            base,
            state: "open".into(),
            draft,
            merged: false,
            from_fork: false,
        };
        let answer = self.shown(&pull);
        state.pulls.push(pull);
        ResponseTemplate::new(201).set_body_json(answer)
    }

    fn change(&self, state: &mut State, number: &str, body: &Value) -> ResponseTemplate {
        let Some(pull) = state.pulls.iter_mut().find(|pull| pull.number.to_string() == number) else {
            return not_found();
        };
        if let Some(text) = body["body"].as_str().or_else(|| body["description"].as_str()) {
            pull.body = text.to_owned();
        }
        if body["state"] == "closed" || body["state_event"] == "close" {
            pull.state = "closed".into();
        }
        let pull = pull.clone();
        ResponseTemplate::new(200).set_body_json(self.shown(&pull))
    }

    fn branch(&self, state: &State, name: &str) -> ResponseTemplate {
        let Some(commit) = git(&self.bare, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")]) else {
            return not_found();
        };
        let message = git(&self.bare, &["log", "-1", "--format=%B", &commit]).expect("a commit");
        let protected = state.protected.iter().any(|other| other == name);
        let answer = match self.kind {
            ForgeKind::Github => json!({"name": name, "protected": protected,
                "commit": {"sha": commit, "commit": {"message": message}}}),
            _ => json!({"name": name, "protected": protected, "commit": {"id": commit, "message": message}}),
        };
        ResponseTemplate::new(200).set_body_json(answer)
    }

    fn shown(&self, pull: &Pull) -> Value {
        let url = format!("https://forge.example/ana/shop/{}", pull.number);
        let from = if pull.from_fork { "eve/shop" } else { "ana/shop" };
        let from_id = if pull.from_fork { 77 } else { 42 };
        let merged = pull.merged.then_some("2026-11-27T10:00:00Z");
        match self.kind {
            ForgeKind::Github => json!({
                "id": 1, "number": pull.number, "state": pull.state, "title": pull.title, "body": pull.body,
                "html_url": url, "draft": pull.draft, "merged_at": merged, "user": {"login": "github-actions[bot]"},
                "head": {"label": format!("ana:{}", pull.head), "ref": pull.head, "sha": "c0ffee", "repo": {"full_name": from}},
                "base": {"label": format!("ana:{}", pull.base), "ref": pull.base, "repo": {"full_name": "ana/shop"}},
            }),
            ForgeKind::Gitlab => json!({
                "id": 1, "iid": pull.number, "project_id": 42, "title": pull.title, "description": pull.body,
                "state": if pull.merged { "merged" } else if pull.state == "open" { "opened" } else { "closed" },
                "source_branch": pull.head, "target_branch": pull.base, "source_project_id": from_id,
                "target_project_id": 42, "web_url": url, "draft": pull.draft, "merged_at": merged,
            }),
            ForgeKind::Forgejo => json!({
                "id": 1, "number": pull.number, "state": pull.state, "title": pull.title, "body": pull.body,
                "html_url": url, "merged": pull.merged, "merged_at": merged,
                "head": {"label": pull.head, "ref": pull.head, "repo_id": from_id},
                "base": {"label": pull.base, "ref": pull.base, "repo_id": 42},
            }),
        }
    }
}

/// The refusal of a second request for a branch, in each forge's words.
pub fn already(kind: ForgeKind, number: u64) -> ResponseTemplate {
    match kind {
        ForgeKind::Github => ResponseTemplate::new(422).set_body_json(json!({"message": "Validation Failed",
            "errors": [{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for ana:heal."}],
            "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request", "status": "422"})),
        ForgeKind::Gitlab => ResponseTemplate::new(409).set_body_json(json!({
            "message": [format!("Another open merge request already exists for this source branch: !{number}")]})),
        ForgeKind::Forgejo => ResponseTemplate::new(409).set_body_json(json!({
            "message": format!("pull request already exists for these targets [id: {number}, issue_id: 1]"), "url": "https://forge.example/api/swagger"})),
    }
}

fn not_found() -> ResponseTemplate {
    ResponseTemplate::new(404).set_body_json(json!({"message": "Not Found"}))
}
