//! Jenkins, with its git and multibranch plugins
//! (<https://www.jenkins.io/doc/book/pipeline/multibranch/>,
//! <https://plugins.jenkins.io/git/>).
//!
//! Reads variables; nothing else. Jenkins does not know its forge: that is
//! told by the address it fetched from.

use super::Ci;
use super::Event;
use super::Lookup;
use super::System;
use super::place;
use super::token;

pub(super) fn is(variable: &Lookup<'_>) -> bool {
    variable("JENKINS_URL").is_some()
}

pub(super) fn read(variable: &Lookup<'_>, _read: &Lookup<'_>) -> Ci {
    let place = place(&variable("GIT_URL").unwrap_or_default());
    let change = variable("CHANGE_ID").and_then(|number| number.parse().ok());
    let branch = match change {
        Some(_) => variable("CHANGE_BRANCH"),
        // The git plugin writes `origin/main`, the multibranch one `main`.
        None => variable("BRANCH_NAME").or_else(|| {
            variable("GIT_LOCAL_BRANCH").or_else(|| Some(variable("GIT_BRANCH")?.strip_prefix("origin/")?.to_owned()))
        }),
    };
    let event = match (change, &branch) {
        // Set where a change comes from a fork.
        (Some(number), _) => Event::Request { number, from_fork: variable("CHANGE_FORK").is_some() },
        (None, Some(_)) => Event::Branch,
        (None, None) => Event::Other { name: "a build without a branch".to_owned() },
    };
    Ci {
        system: System::Jenkins,
        event,
        branch,
        commit: variable("GIT_COMMIT"),
        target: change.and_then(|_| variable("CHANGE_TARGET")),
        forge: place.forge,
        api: place.api,
        project: place.project,
        remote: place.remote,
        token: token(variable, &["HEAL_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "FORGEJO_TOKEN"]),
        run_url: variable("BUILD_URL"),
        summary: None,
        outputs: None,
    }
}
