//! GitHub Actions, and the runners of Forgejo and Gitea that follow it
//! (<https://docs.github.com/actions/reference/workflows-and-actions/variables>,
//! <https://forgejo.org/docs/latest/user/actions/>).
//!
//! Reads variables and the event's document; nothing else.

use serde_json::Value;

use super::Ci;
use super::Event;
use super::Lookup;
use super::System;
use super::token;
use crate::deliver::request::ForgeKind;

/// Events that run with the base repository's secrets and may be set off by
/// anyone (<https://docs.github.com/actions/reference/security/secure-use>).
const PRIVILEGED: [&str; 7] = [
    "pull_request_target",
    "workflow_run",
    "issue_comment",
    "issues",
    "pull_request_review",
    "pull_request_review_comment",
    "discussion_comment",
];

pub(super) fn is_github(variable: &Lookup<'_>) -> bool {
    variable("GITHUB_ACTIONS").as_deref() == Some("true")
}

pub(super) fn is_forgejo(variable: &Lookup<'_>) -> bool {
    ["FORGEJO_ACTIONS", "GITEA_ACTIONS"].iter().any(|name| variable(name).as_deref() == Some("true"))
}

pub(super) fn github(variable: &Lookup<'_>, read: &Lookup<'_>) -> Ci {
    let tokens = ["HEAL_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];
    of(System::GithubActions, ForgeKind::Github, &tokens, variable, read)
}

pub(super) fn forgejo(variable: &Lookup<'_>, read: &Lookup<'_>) -> Ci {
    let tokens = ["HEAL_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN"];
    of(System::ForgejoActions, ForgeKind::Forgejo, &tokens, variable, read)
}

fn of(system: System, forge: ForgeKind, tokens: &[&str], variable: &Lookup<'_>, read: &Lookup<'_>) -> Ci {
    let document = variable("GITHUB_EVENT_PATH").and_then(|path| read(&path));
    let document: Value = document.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let name = variable("GITHUB_EVENT_NAME").unwrap_or_default();
    let project = variable("GITHUB_REPOSITORY");
    let event = event(&name, &document, project.as_deref(), variable);
    let pull = &document["pull_request"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_request = matches!(event, Event::Request { .. });
    let server = variable("GITHUB_SERVER_URL");
    let run = variable("GITHUB_RUN_ID").map(|run| format!("/actions/runs/{run}"));
    Ci {
        system,
        branch: if is_request {
            variable("GITHUB_HEAD_REF").or_else(|| text(&pull["head"]["ref"]))
        } else {
            branch(variable)
        },
        // Of a request GITHUB_SHA is a merge that is on no branch.
        commit: if is_request { text(&pull["head"]["sha"]) } else { variable("GITHUB_SHA") },
        target: variable("GITHUB_BASE_REF").or_else(|| text(&pull["base"]["ref"])).filter(|_| is_request),
        event,
        forge: Some(forge),
        api: variable("GITHUB_API_URL").map(|api| api.trim_end_matches('/').to_owned()),
        remote: server.as_ref().zip(project.as_ref()).map(|(server, project)| format!("{server}/{project}.git")),
        run_url: server
            .zip(project.as_ref())
            .zip(run)
            .map(|((server, project), run)| format!("{server}/{project}{run}")),
        project,
        token: token(variable, tokens),
        summary: variable("GITHUB_STEP_SUMMARY").map(Into::into),
        outputs: variable("GITHUB_OUTPUT").map(Into::into),
    }
}

fn event(name: &str, document: &Value, project: Option<&str>, variable: &Lookup<'_>) -> Event {
    if PRIVILEGED.contains(&name) {
        return Event::Privileged { name: name.to_owned() };
    }
    if name == "pull_request" {
        let pull = &document["pull_request"];
        let from = pull["head"]["repo"]["full_name"].as_str();
        // What does not say where it comes from, comes from a stranger.
        let same = from.zip(project).is_some_and(|(from, project)| from.eq_ignore_ascii_case(project));
        let number = pull["number"].as_u64().or_else(|| document["number"].as_u64());
        return match number {
            Some(number) => Event::Request { number, from_fork: !same },
            None => Event::Other { name: "pull_request without its document".to_owned() },
        };
    }
    match branch(variable) {
        Some(_) => Event::Branch,
        None => Event::Other { name: name.to_owned() },
    }
}

/// The branch of an event that has one.
fn branch(variable: &Lookup<'_>) -> Option<String> {
    let reference = variable("GITHUB_REF")?;
    reference.strip_prefix("refs/heads/").map(str::to_owned)
}
