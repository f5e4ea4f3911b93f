//! What each system says, in the words of its documentation.

use pretty_assertions::assert_eq;

use super::*;

fn ci(set: &[(&str, &str)], event: &str) -> Ci {
    let variable = |name: &str| {
        let found = set.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
    };
    Ci::of(&variable, &|path| (path == "/event.json").then(|| event.to_owned()))
}

const GITHUB: &[(&str, &str)] = &[
    ("CI", "true"),
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_API_URL", "https://api.github.com"),
    ("GITHUB_SERVER_URL", "https://github.com"),
    ("GITHUB_REPOSITORY", "ana/shop"),
    ("GITHUB_SHA", "c0ffee"),
    ("GITHUB_EVENT_PATH", "/event.json"),
    ("GITHUB_RUN_ID", "7"),
    ("GITHUB_STEP_SUMMARY", "/summary"),
    ("GITHUB_TOKEN", "ghs_secret"),
];

fn github(more: &[(&str, &str)], event: &str) -> Ci {
    ci(&[GITHUB, more].concat(), event)
}

fn pull(from: &str) -> String {
    let head = serde_json::json!({"ref": "feature", "sha": "feed", "repo": {"full_name": from}});
    serde_json::json!({"number": 5, "pull_request": {"number": 5, "head": head, "base": {"ref": "main"}}}).to_string()
}

#[test]
fn a_push_on_github_names_branch_commit_and_address() {
    let ci = github(&[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/main")], "{}");
    assert_eq!((ci.system, &ci.event, ci.trust()), (System::GithubActions, &Event::Branch, Trust::Own));
    assert_eq!((ci.branch.as_deref(), ci.commit.as_deref(), ci.target), (Some("main"), Some("c0ffee"), None));
    assert_eq!((ci.forge, ci.api.as_deref()), (Some(ForgeKind::Github), Some("https://api.github.com")));
    assert_eq!(ci.remote.as_deref(), Some("https://github.com/ana/shop.git"));
    assert_eq!(ci.run_url.as_deref(), Some("https://github.com/ana/shop/actions/runs/7"));
    assert_eq!(format!("{:?}", ci.token), "Some(***)");
}

#[test]
fn a_pull_request_counts_by_its_own_branch_and_a_fork_is_a_strangers() {
    let set = [
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_REF", "refs/pull/5/merge"),
        ("GITHUB_HEAD_REF", "feature"),
        ("GITHUB_BASE_REF", "main"),
    ];
    let own = github(&set, &pull("ana/shop"));
    assert_eq!((own.branch.as_deref(), own.commit.as_deref()), (Some("feature"), Some("feed")));
    assert_eq!((own.target.as_deref(), own.request(), own.trust()), (Some("main"), Some(5), Trust::Own));
    for event in [pull("eve/shop"), pull("eve/shop").replace("\"full_name\"", "\"x\"")] {
        assert_eq!(github(&set, &event).trust(), Trust::Stranger);
    }
    assert!(matches!(github(&set, "").event, Event::Other { .. }));
}

#[test]
fn jobs_that_hold_secrets_on_a_strangers_word_run_nothing() {
    for name in ["pull_request_target", "workflow_run", "issue_comment"] {
        let ci = github(&[("GITHUB_EVENT_NAME", name), ("GITHUB_REF", "refs/heads/main")], &pull("ana/shop"));
        assert_eq!(ci.trust(), Trust::Never { event: name.to_owned() });
    }
}

#[test]
fn heals_own_branches_are_left_alone() {
    let push = github(&[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/heads/heal/9f2c")], "{}");
    assert_eq!(push.trust(), Trust::Heals { branch: "heal/9f2c".into() });
    let tag = github(&[("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF", "refs/tags/v1")], "{}");
    assert_eq!((tag.branch, tag.event), (None, Event::Other { name: "push".into() }));
}

#[test]
fn forgejos_runner_is_told_from_githubs_whose_variables_it_sets() {
    for name in ["FORGEJO_ACTIONS", "GITEA_ACTIONS"] {
        let set = [
            (name, "true"),
            ("GITHUB_API_URL", ""),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_REF", "refs/heads/main"),
            ("FORGEJO_TOKEN", "other"),
        ];
        let ci = github(&set, "{}");
        assert_eq!((ci.system, ci.forge), (System::ForgejoActions, Some(ForgeKind::Forgejo)));
        assert_eq!(ci.token, Some(Secret::new("other")));
    }
}

const GITLAB: &[(&str, &str)] = &[
    ("GITLAB_CI", "true"),
    ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
    ("CI_SERVER_URL", "https://gitlab.example"),
    ("CI_PROJECT_ID", "42"),
    ("CI_PROJECT_PATH", "group/sub/shop"),
    ("CI_COMMIT_SHA", "c0ffee"),
    ("CI_JOB_TOKEN", "jobs-own"),
];

#[test]
fn gitlab_names_branch_and_project_and_its_jobs_own_token_is_none() {
    let ci = ci(&[GITLAB, &[("CI_COMMIT_BRANCH", "main"), ("CI_PIPELINE_SOURCE", "push")]].concat(), "");
    assert_eq!((ci.system, &ci.event, ci.trust()), (System::GitlabCi, &Event::Branch, Trust::Own));
    assert_eq!((ci.project.as_deref(), ci.branch.as_deref()), (Some("42"), Some("main")));
    assert_eq!(ci.remote.as_deref(), Some("https://gitlab.example/group/sub/shop.git"));
    assert_eq!(ci.token, None);
}

#[test]
fn a_merge_request_from_another_project_is_a_strangers() {
    let set = [
        ("CI_MERGE_REQUEST_IID", "3"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "42"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "feed"),
    ];
    for (from, trust) in [("42", Trust::Own), ("77", Trust::Stranger), ("", Trust::Stranger)] {
        let ci = ci(&[GITLAB, &set, &[("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", from)]].concat(), "");
        assert_eq!((ci.trust(), ci.request()), (trust, Some(3)));
        assert_eq!((ci.branch.as_deref(), ci.commit.as_deref()), (Some("feature"), Some("feed")));
    }
}

#[test]
fn jenkins_tells_its_forge_by_the_address_it_fetched_from() {
    let set = [("JENKINS_URL", "https://ci.example/"), ("GIT_COMMIT", "c0ffee"), ("GIT_BRANCH", "origin/main")];
    for (url, forge, api, project) in [
        ("https://github.com/ana/shop.git", ForgeKind::Github, "https://api.github.com", "ana/shop"),
        ("git@gitlab.com:ana/sub/shop.git", ForgeKind::Gitlab, "https://gitlab.com/api/v4", "ana/sub/shop"),
        ("ssh://git@codeberg.org/ana/shop.git", ForgeKind::Forgejo, "https://codeberg.org/api/v1", "ana/shop"),
        (
            "https://bot:pass@gitea.example:3000/ana/shop",
            ForgeKind::Forgejo,
            "https://gitea.example:3000/api/v1",
            "ana/shop",
        ),
    ] {
        let ci = ci(&[&set[..], &[("GIT_URL", url)]].concat(), "");
        assert_eq!((ci.branch.as_deref(), ci.forge), (Some("main"), Some(forge)), "{url}");
        assert_eq!((ci.api.as_deref(), ci.project.as_deref()), (Some(api), Some(project)), "{url}");
        assert!(ci.remote.is_some_and(|remote| remote.starts_with("https://") && !remote.contains('@')), "{url}");
    }
    let change = [("CHANGE_ID", "9"), ("CHANGE_BRANCH", "feature"), ("CHANGE_TARGET", "main"), ("CHANGE_FORK", "eve")];
    assert_eq!(ci(&[&set[..], &change].concat(), "").trust(), Trust::Stranger);
    assert_eq!(ci(&[&set[..], &change[..3]].concat(), "").trust(), Trust::Own);
}

#[test]
fn a_shell_is_told_by_its_repository() {
    let ci = ci(&[("HEAL_TOKEN", "t")], "");
    assert_eq!((ci.system, ci.forge, ci.branch.as_deref()), (System::Shell, None, None));
    let ci = ci.with_repository(Some("main".into()), Some("git@github.com:ana/shop.git".into()));
    assert_eq!((ci.forge, ci.branch.as_deref()), (Some(ForgeKind::Github), Some("main")));
    assert_eq!(ci.remote.as_deref(), Some("https://github.com/ana/shop.git"));
    let ci = super::plain::read(&|_| None).with_repository(None, Some("/srv/shop.git".into()));
    assert_eq!((ci.forge, ci.remote.as_deref()), (None, Some("/srv/shop.git")));
}
