//! Where heal runs: the CI system, the event, the branches, the forge, told
//! from the environment.
//!
//! Reads variables and the event's file as they are given; asks no server.
//! The systems are a table, the first that knows itself again counts.

mod github;
mod gitlab;
mod jenkins;
mod plain;

use std::path::PathBuf;

use crate::deliver::request::ForgeKind;
use crate::deliver::request::PREFIX;
use crate::http::Secret;

/// Gives an environment variable; `None` where it is unset or empty.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The system a pipeline runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// GitHub Actions.
    GithubActions,
    /// Forgejo or Gitea Actions.
    ForgejoActions,
    /// GitLab CI.
    GitlabCi,
    /// Jenkins.
    Jenkins,
    /// No system heal knows.
    Shell,
}

/// What set the pipeline off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A branch: a push, a schedule, a person.
    Branch,
    /// A pull or merge request.
    Request {
        /// Its number.
        number: u64,
        /// Whether it comes from another repository, or may.
        from_fork: bool,
    },
    /// An event whose jobs hold secrets although a stranger may have set it
    /// off (`pull_request_target`, `workflow_run`, `issue_comment`).
    Privileged {
        /// Its name.
        name: String,
    },
    /// A tag, or another that has no branch.
    Other {
        /// Its name.
        name: String,
    },
}

/// Where heal runs.
#[derive(Clone, Debug)]
pub struct Ci {
    /// The system.
    pub system: System,
    /// What set it off.
    pub event: Event,
    /// The branch whose code runs: a request's own branch, not what it goes
    /// to. `None` where there is none.
    pub branch: Option<String>,
    /// That branch's commit, where the system says so; of a request its own
    /// last commit, which need not be the one that is checked out.
    pub commit: Option<String>,
    /// Where a request goes to.
    pub target: Option<String>,
    /// Whose API it is.
    pub forge: Option<ForgeKind>,
    /// The API's address.
    pub api: Option<String>,
    /// The repository's name on the forge.
    pub project: Option<String>,
    /// Where git pushes to.
    pub remote: Option<String>,
    /// What opens the doors.
    pub token: Option<Secret>,
    /// Where a person sees this run.
    pub run_url: Option<String>,
    /// A file that takes the job's summary, as Markdown.
    pub summary: Option<PathBuf>,
    /// A file that takes the step's outputs, `name=value` lines.
    pub outputs: Option<PathBuf>,
}

/// Whose code runs, and what it may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The repository's own.
    Own,
    /// A stranger's: no token, no model, no request.
    Stranger,
    /// heal's own branch: nothing is to be done.
    Heals {
        /// The branch.
        branch: String,
    },
    /// A stranger's, in a job that holds secrets: nothing may run.
    Never {
        /// The event.
        event: String,
    },
}

/// How one system is told, and what it says.
struct Known {
    is: fn(&Lookup<'_>) -> bool,
    read: fn(&Lookup<'_>, &Lookup<'_>) -> Ci,
}

/// Forgejo's and Gitea's runners set GitHub's variables as well, and come
/// before it.
const SYSTEMS: &[Known] = &[
    Known { is: github::is_forgejo, read: github::forgejo },
    Known { is: github::is_github, read: github::github },
    Known { is: gitlab::is, read: gitlab::read },
    Known { is: jenkins::is, read: jenkins::read },
];

impl Ci {
    /// What the environment says; `read` gives the text of a file.
    pub fn of(variable: &Lookup<'_>, read: &Lookup<'_>) -> Ci {
        let known = SYSTEMS.iter().find(|known| (known.is)(variable));
        known.map_or_else(|| plain::read(variable), |known| (known.read)(variable, read))
    }

    /// Whose code runs here.
    pub fn trust(&self) -> Trust {
        if let Some(branch) = self.branch.as_ref().filter(|branch| branch.starts_with(PREFIX)) {
            return Trust::Heals { branch: branch.clone() };
        }
        match &self.event {
            Event::Request { from_fork: true, .. } => Trust::Stranger,
            Event::Privileged { name } => Trust::Never { event: name.clone() },
            _ => Trust::Own,
        }
    }

    /// The number of the request that set it off.
    pub fn request(&self) -> Option<u64> {
        match self.event {
            Event::Request { number, .. } => Some(number),
            _ => None,
        }
    }
}

impl System {
    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            System::GithubActions => "GitHub Actions",
            System::ForgejoActions => "Forgejo Actions",
            System::GitlabCi => "GitLab CI",
            System::Jenkins => "Jenkins",
            System::Shell => "a shell",
        }
    }

    /// Whether its log obeys lines that begin with `::`.
    pub fn has_workflow_commands(self) -> bool {
        matches!(self, System::GithubActions | System::ForgejoActions)
    }
}

/// The first of these variables that is set, as a token.
fn token(variable: &Lookup<'_>, names: &[&str]) -> Option<Secret> {
    names.iter().find_map(|name| variable(name)).map(Secret::new)
}

/// The forge, API and repository of an address that git pushes to.
struct Place {
    forge: Option<ForgeKind>,
    api: Option<String>,
    project: Option<String>,
    remote: Option<String>,
}

/// Reads `https://host/owner/name.git`, `git@host:owner/name.git` and
/// `ssh://git@host/owner/name.git`; a path on this machine names no forge.
/// Hosts by their names alone: `github.com`, `codeberg.org`, and those that
/// begin with `gitlab.`, `forgejo.` or `gitea.`.
fn place(url: &str) -> Place {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("ssh://"));
    let split = match rest {
        Some(rest) => rest.split_once('/'),
        None if url.contains("://") || url.starts_with('/') => None,
        None => url.split_once(':'),
    };
    let Some((host, path)) = split else {
        return Place { forge: None, api: None, project: None, remote: Some(url.to_owned()) };
    };
    let host = host.rsplit('@').next().unwrap_or(host).to_owned();
    let project = path.trim_matches('/').trim_end_matches(".git").to_owned();
    let forge = match host.as_str() {
        "github.com" => Some(ForgeKind::Github),
        "codeberg.org" => Some(ForgeKind::Forgejo),
        host if host.starts_with("gitlab.") => Some(ForgeKind::Gitlab),
        host if host.starts_with("forgejo.") || host.starts_with("gitea.") => Some(ForgeKind::Forgejo),
        _ => None,
    };
    // A port of ssh is none of the web's.
    let web = if url.starts_with("https://") { host.as_str() } else { host.split(':').next().unwrap_or(&host) };
    let api = forge.map(|forge| match forge {
        ForgeKind::Github => "https://api.github.com".to_owned(),
        ForgeKind::Gitlab => format!("https://{web}/api/v4"),
        ForgeKind::Forgejo => format!("https://{web}/api/v1"),
    });
    let remote = Some(format!("https://{web}/{project}.git"));
    Place { forge, api, project: Some(project), remote }
}

#[cfg(test)]
mod tests;
