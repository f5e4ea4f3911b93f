//! `heal ci` from a bare repository on disk and a stand-in for each forge's
//! API on loopback: what stands there afterwards.

mod forge;
mod policy;
mod requests;
mod shards;
mod untrusted;

use std::path::PathBuf;

use heal::deliver::request::ForgeKind;
use pretty_assertions::assert_eq;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::Project;
use crate::support::Ran;
use crate::support::SHOP;
use crate::support::is_shop_right;
use forge::Obstacle;
use forge::StandIn;
use forge::TOKEN;

pub const FORGES: [ForgeKind; 3] = [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Forgejo];

/// The shop, cloned from a bare repository that a forge serves.
pub struct Hosted {
    pub project: Project,
    pub forge: StandIn,
}

impl Hosted {
    pub fn new(kind: ForgeKind) -> Hosted {
        Hosted::of(kind, SHOP)
    }

    /// A repository of these files instead.
    pub fn of(kind: ForgeKind, files: &[(&str, &str)]) -> Hosted {
        let project = Project::new(files);
        let bare = project.root.parent().expect("a parent").join("srv/ana/shop.git");
        std::fs::create_dir_all(bare.parent().expect("a parent")).expect("the folder");
        project.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("text")]);
        project.git(&["remote", "add", "origin", bare.to_str().expect("text")]);
        Hosted { project, forge: StandIn::start(kind, &bare) }
    }

    /// The address that a checkout of this repository has.
    pub fn remote(&self) -> String {
        format!("file://{}", self.forge.bare.display())
    }

    /// Pushes what is checked out.
    pub fn push(&self, branch: &str) {
        self.project.git(&["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
    }

    /// The variables of a push to `branch`.
    fn pushed(&self, branch: &str) -> Vec<(&'static str, String)> {
        let server =
            format!("file://{}", self.forge.bare.parent().and_then(|ana| ana.parent()).expect("srv").display());
        let head = self.project.git(&["rev-parse", "HEAD"]).trim().to_owned();
        let api = self.forge.api();
        match self.forge.kind {
            ForgeKind::Gitlab => vec![
                ("GITLAB_CI", "true".into()),
                ("CI_API_V4_URL", api),
                ("CI_SERVER_URL", server),
                ("CI_PROJECT_ID", "42".into()),
                ("CI_PROJECT_PATH", "ana/shop".into()),
                ("CI_COMMIT_SHA", head),
                ("CI_COMMIT_BRANCH", branch.into()),
                ("HEAL_TOKEN", TOKEN.into()),
            ],
            kind => {
                let mut set = vec![
                    ("GITHUB_ACTIONS", "true".into()),
                    ("GITHUB_API_URL", api),
                    ("GITHUB_SERVER_URL", server),
                    ("GITHUB_REPOSITORY", "ana/shop".into()),
                    ("GITHUB_EVENT_NAME", "push".into()),
                    ("GITHUB_REF", format!("refs/heads/{branch}")),
                    ("GITHUB_SHA", head),
                    ("GITHUB_STEP_SUMMARY", self.beside("summary.md").display().to_string()),
                    ("GITHUB_OUTPUT", self.beside("output").display().to_string()),
                ];
                if kind == ForgeKind::Forgejo {
                    set.push(("FORGEJO_ACTIONS", "true".into()));
                    set.push(("FORGEJO_TOKEN", TOKEN.into()));
                } else {
                    set.push(("GITHUB_TOKEN", TOKEN.into()));
                }
                set
            }
        }
    }

    /// A file beside the work tree.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.project.root.parent().expect("a parent").join(name)
    }

    /// `heal ci` with these variables over those of a push to main.
    pub fn heal_with(&self, arguments: &[&str], more: &[(&str, String)]) -> Ran {
        let mut command = self.project.heal_command(arguments);
        for name in [
            "GITLAB_CI",
            "JENKINS_URL",
            "FORGEJO_ACTIONS",
            "GITEA_ACTIONS",
            "HEAL_TOKEN",
            "GITLAB_TOKEN",
            "GITEA_TOKEN",
        ] {
            command.env_remove(name);
        }
        for name in [
            "GITHUB_ACTIONS",
            "GITHUB_TOKEN",
            "GH_TOKEN",
            "GITHUB_HEAD_REF",
            "GITHUB_BASE_REF",
            "GITHUB_EVENT_PATH",
            "GITHUB_RUN_ID",
        ] {
            command.env_remove(name);
        }
        command.env("CI", "true").envs(self.pushed("main")).envs(more.iter().map(|(name, value)| (*name, value)));
        command.output().expect("heal runs").into()
    }

    pub fn heal(&self, arguments: &[&str]) -> Ran {
        self.heal_with(arguments, &[])
    }

    /// The variables of a pull request from `head` to main, of this repository
    /// or another.
    fn requested(&self, head: &str, from: &str) -> Vec<(&'static str, String)> {
        let sha = self.project.git(&["rev-parse", "HEAD"]).trim().to_owned();
        let event = json!({"number": 9, "pull_request": {"number": 9, "base": {"ref": "main"},
            "head": {"ref": head, "sha": sha, "repo": {"full_name": from}}}});
        std::fs::write(self.beside("event.json"), event.to_string()).expect("written");
        vec![
            ("GITHUB_EVENT_NAME", "pull_request".into()),
            ("GITHUB_EVENT_PATH", self.beside("event.json").display().to_string()),
            ("GITHUB_REF", "refs/pull/9/merge".into()),
            ("GITHUB_HEAD_REF", head.into()),
            ("GITHUB_BASE_REF", "main".into()),
        ]
    }
}

fn states(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let requests = json["requests"].as_array().cloned().unwrap_or_default();
    requests.iter().filter_map(|request| request["state"].as_str().map(str::to_owned)).collect()
}

/// The whole life of a request: opened, found as it is, moved on with its base,
/// closed.
fn life_of_a_request(kind: ForgeKind) {
    let hosted = Hosted::new(kind);
    let (project, forge) = (&hosted.project, &hosted.forge);
    let ci = ["ci", "--json"];

    let first = hosted.heal(&ci).code(0);
    assert_eq!(states(&first), ["opened"], "{}", first.stdout);
    let pull = forge.pulls().remove(0);
    assert!(pull.draft && pull.base == "main" && pull.head.starts_with("heal/"), "{pull:?}");
    assert!(pull.title.contains("Fix tests.test_discount.RateTest.test_ten"), "{}", pull.title);
    assert!(pull.body.starts_with("<!-- heal/1 open failures=") && pull.body.contains("### What was checked"));
    let tip = forge.tip(&pull.head).expect("the branch is there");
    let git = |arguments: &[&str]| forge::git(&forge.bare, arguments).expect("git");
    assert_eq!(git(&["rev-parse", &format!("{tip}^")]), git(&["rev-parse", "main"]));
    assert_eq!(git(&["diff", "--name-only", "main", &tip]), "shop/discount.py");
    assert!(is_shop_right(&git(&["show", &format!("{tip}:shop/discount.py")])));
    let message = git(&["log", "-1", "--format=%B", &tip]);
    for trailer in ["Heal-Run: ", "Heal-Failure: ", "Heal-Source: ", "Heal-Evidence: ", "Heal-Ledger: "] {
        assert!(message.contains(trailer), "{message}");
    }
    both_take_the_patch(&hosted);
    assert_eq!(project.git(&["for-each-ref", "refs/heads"]).lines().count(), 1, "no branch in the clone");

    assert_eq!(states(&hosted.heal(&ci).code(0)), ["unchanged"]);
    assert_eq!((forge.pulls().len(), forge.tip(&pull.head)), (1, Some(tip.clone())));

    project.write(&[("README", "more\n")]);
    project.commit("more");
    hosted.push("main");
    assert_eq!(states(&hosted.heal(&ci).code(0)), ["updated"]);
    let moved = forge.tip(&pull.head).expect("the branch is there");
    assert_eq!(git(&["rev-parse", &format!("{moved}^")]), git(&["rev-parse", "main"]));
    assert_eq!(forge.pulls().len(), 1);

    let right = project.read("shop/discount.py").replace("quantity > 10", "quantity >= 10");
    project.write(&[("shop/discount.py", &right)]);
    project.commit("mended by hand");
    hosted.push("main");
    assert_eq!(states(&hosted.heal(&ci).code(0)), ["closed"]);
    let pull = forge.pulls().remove(0);
    assert_eq!((pull.state.as_str(), forge.tip(&pull.head)), ("closed", None));
    assert!(pull.body.starts_with("<!-- heal/1 gone "), "{}", pull.body);
    assert!(forge.comments()[0].2.contains("pass on main now"), "{:?}", forge.comments());
}

#[test]
fn a_request_is_opened_updated_and_closed_on_github() {
    life_of_a_request(ForgeKind::Github);
}

#[test]
fn a_request_is_opened_updated_and_closed_on_gitlab() {
    life_of_a_request(ForgeKind::Gitlab);
}

#[test]
fn a_request_is_opened_updated_and_closed_on_forgejo() {
    life_of_a_request(ForgeKind::Forgejo);
}

/// `git apply` and `git am` take the patch among the artifacts.
fn both_take_the_patch(hosted: &Hosted) {
    let folder = hosted.project.root.join("heal-artifacts/patches");
    let patch = std::fs::read_dir(folder).expect("the folder").next().expect("a patch").expect("an entry").path();
    let patch = patch.to_str().expect("text");
    let clone = hosted.beside("clone");
    hosted.project.git(&["clone", "-q", "--branch", "main", &hosted.remote(), clone.to_str().expect("text")]);
    let clone = clone.to_str().expect("text");
    hosted.project.git(&["-C", clone, "apply", "--check", patch]);
    hosted.project.git(&["-C", clone, "am", "-q", patch]);
    let log = hosted.project.git(&["-C", clone, "log", "-1", "--format=%an <%ae>%n%B"]);
    assert!(log.starts_with("heal <heal@localhost>\nFix tests.test_discount"), "{log}");
    assert!(log.contains("\nHeal-Run: ") && log.contains("\nHeal-Ledger: "), "{log}");
    hosted.project.git(&["-C", clone, "diff", "--exit-code", "HEAD~1", "HEAD", "--", "tests"]);
    std::fs::remove_dir_all(clone).expect("removed");
}

#[test]
fn a_job_has_its_summary_outputs_and_annotations() {
    let hosted = Hosted::new(ForgeKind::Github);
    let ran = hosted.heal(&["ci"]).code(0);
    let summary = std::fs::read_to_string(hosted.beside("summary.md")).expect("a summary");
    assert!(summary.contains("## A verified patch for `tests.test_discount.RateTest.test_ten`"), "{summary}");
    assert!(summary.contains("- opened: <https://forge.example/ana/shop/1>"), "{summary}");
    let outputs = std::fs::read_to_string(hosted.beside("output")).expect("outputs");
    assert_eq!(outputs, "exit=0\nfailures=1\nverified=1\nrequests=https://forge.example/ana/shop/1\n");
    let notice = "::notice file=shop/discount.py,line=";
    assert!(ran.stderr.lines().any(|line| line.starts_with(notice)), "{}", ran.stderr);
    assert!(!ran.stderr.contains(TOKEN) && !ran.stdout.contains(TOKEN) && !summary.contains(TOKEN));
}

#[test]
fn what_the_pipelines_own_report_says_is_healed_and_a_green_one_closes() {
    let hosted = Hosted::new(ForgeKind::Github);
    let case = |name: &str, inner: &str| {
        format!("<testcase classname=\"tests.test_discount.RateTest\" name=\"{name}\" time=\"0\">{inner}</testcase>")
    };
    let report = |inner: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<testsuite name=\"x\">{}{}</testsuite>",
            case("test_few", ""),
            case("test_ten", inner)
        )
    };
    let file = hosted.beside("junit.xml");
    let name = file.to_str().expect("text").to_owned();
    std::fs::write(&file, report("<failure type=\"AssertionError\" message=\"0 != 5\">0 != 5</failure>"))
        .expect("written");
    let red = hosted.heal(&["ci", "--json", "--junit", &name]).code(0);
    assert_eq!(red.json()["failures"].as_array().map(Vec::len), Some(1));
    assert_eq!(states(&red), ["opened"]);
    std::fs::write(&file, report("")).expect("written");
    let green = hosted.heal(&["ci", "--json", "--junit", &name]).code(0);
    assert!(green.json()["runner"].is_null(), "nothing was run");
    assert_eq!(states(&green), ["closed"]);
    std::fs::write(&file, "<html/>").expect("written");
    let broken = hosted.heal(&["ci", "--junit", &name]).code(2);
    assert!(broken.stderr.contains("junit.xml"), "{}", broken.stderr);
}

#[test]
fn a_failing_pull_request_gets_a_request_of_its_own_or_a_comment() {
    let hosted = Hosted::new(ForgeKind::Github);
    hosted.project.git(&["checkout", "-q", "-b", "feature"]);
    hosted.push("feature");
    let set = hosted.requested("feature", "ana/shop");
    let ran = hosted.heal_with(&["ci", "--json", "--request", "ready"], &set).code(0);
    assert_eq!(states(&ran), ["opened"]);
    let pull = hosted.forge.pulls().remove(0);
    assert_eq!((pull.base.as_str(), pull.draft), ("feature", false));

    // Where requests are not permitted the patch is in a comment, and that is
    // written anew rather than repeated.
    let hosted = Hosted::new(ForgeKind::Github);
    hosted.project.git(&["checkout", "-q", "-b", "feature"]);
    let set = hosted.requested("feature", "ana/shop");
    let refusal =
        json!({"message": "GitHub Actions is not permitted to create or approve pull requests.", "status": "403"});
    hosted.forge.obstruct(Obstacle {
        method: "POST",
        part: "/pulls",
        answer: ResponseTemplate::new(403).set_body_json(refusal),
        times: 2,
        done: false,
    });
    for _ in 0..2 {
        let ran = hosted.heal_with(&["ci", "--json"], &set).code(0);
        assert_eq!(states(&ran), ["commented"], "{}", ran.stdout);
        let why = ran.json()["requests"][0]["why"].as_str().expect("why").to_owned();
        assert!(why.contains("not permitted to create") && why.contains("Allow GitHub Actions to create"), "{why}");
    }
    let comments = hosted.forge.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].0 == 9 && comments[0].2.contains("```diff\n"), "{comments:?}");
}

#[test]
fn a_token_that_is_refused_loses_nothing_and_says_what_to_do() {
    let hosted = Hosted::new(ForgeKind::Github);
    let wrong = [("GITHUB_TOKEN", "tok-of-somebody-else".to_owned())];
    let ran = hosted.heal_with(&["ci", "--json"], &wrong).code(2);
    assert_eq!(states(&ran), ["failed"]);
    let json = ran.json();
    assert!(
        json["requests"][0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("Bad credentials") && why.contains("HEAL_TOKEN"))
    );
    assert_eq!(json["failures"][0]["outcome"], "verified");
    both_take_the_patch(&hosted);
    assert!(!ran.stdout.contains("somebody-else") && !ran.stderr.contains("somebody-else"));
    let shown = hosted.heal_with(&["ci"], &wrong).code(2);
    assert!(shown.stderr.contains("heal: failed: the forge does not accept the token"), "{}", shown.stderr);
    let without = hosted.heal_with(&["ci"], &[("GITHUB_TOKEN", String::new())]).code(2);
    assert!(without.stderr.contains("no token") && without.stderr.contains("--request none"), "{}", without.stderr);
    let reports = [("GITHUB_TOKEN", String::new())];
    hosted.heal_with(&["ci", "--request", "none"], &reports).code(0);
    let calls = hosted.forge.state.lock().expect("state").calls.len();
    hosted.heal(&["ci", "--offline"]).code(0);
    assert_eq!(hosted.forge.state.lock().expect("state").calls.len(), calls, "--offline opens no socket");
}

#[test]
fn heals_own_branches_and_privileged_events_run_nothing() {
    let hosted = Hosted::new(ForgeKind::Github);
    let own = hosted.heal_with(&["ci"], &[("GITHUB_REF", "refs/heads/heal/9f2c".into())]).code(0);
    assert!(own.stderr.contains("heal/9f2c is one of heal's own branches"), "{}", own.stderr);
    let event = [("GITHUB_EVENT_NAME", "pull_request_target".to_owned())];
    let ran = hosted.heal_with(&["ci"], &event).code(2);
    assert!(ran.stderr.contains("pull_request_target") && ran.stderr.contains("four jobs"), "{}", ran.stderr);
    assert!(hosted.forge.state.lock().expect("state").calls.is_empty());
    assert!(!hosted.project.root.join("heal-artifacts").exists());
}
