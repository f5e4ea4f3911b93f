//! GitLab CI (<https://docs.gitlab.com/ci/variables/predefined_variables/>).
//!
//! Reads variables; nothing else. `CI_JOB_TOKEN` is no token for this: it may
//! open no merge request.

use super::Ci;
use super::Event;
use super::Lookup;
use super::System;
use super::token;
use crate::deliver::request::ForgeKind;

pub(super) fn is(variable: &Lookup<'_>) -> bool {
    variable("GITLAB_CI").as_deref() == Some("true")
}

pub(super) fn read(variable: &Lookup<'_>, _read: &Lookup<'_>) -> Ci {
    let request = variable("CI_MERGE_REQUEST_IID").and_then(|number| number.parse().ok());
    let branch = match request {
        Some(_) => variable("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        None => variable("CI_COMMIT_BRANCH"),
    };
    let event = match (request, &branch) {
        (Some(number), _) => {
            let from = variable("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
            // What does not say where it comes from, comes from a stranger.
            let same =
                from.is_some() && from == variable("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| variable("CI_PROJECT_ID"));
            Event::Request { number, from_fork: !same }
        }
        (None, Some(_)) => Event::Branch,
        (None, None) => Event::Other { name: variable("CI_PIPELINE_SOURCE").unwrap_or_default() },
    };
    let server = variable("CI_SERVER_URL");
    let path = variable("CI_PROJECT_PATH");
    Ci {
        system: System::GitlabCi,
        event,
        branch,
        // A pipeline of merged results checks out a commit that is on no
        // branch, and names the branch's own.
        commit: variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| variable("CI_COMMIT_SHA")),
        target: request.and_then(|_| variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")),
        forge: Some(ForgeKind::Gitlab),
        api: variable("CI_API_V4_URL").map(|api| api.trim_end_matches('/').to_owned()),
        project: variable("CI_PROJECT_ID").or_else(|| path.clone()),
        remote: server.zip(path).map(|(server, path)| format!("{server}/{path}.git")),
        token: token(variable, &["HEAL_TOKEN", "GITLAB_TOKEN"]),
        run_url: variable("CI_JOB_URL"),
        summary: None,
        outputs: None,
    }
}
