//! The four jobs: a stranger's code and what it prints get no token, no
//! command, no workflow command and no network.

use heal::deliver::request::ForgeKind;
use pretty_assertions::assert_eq;
use wiremock::MockServer;

use super::Hosted;
use super::forge::TOKEN;
use crate::model::GREETING;
use crate::model::chat;
use crate::model::right;
use crate::model::serve;
use crate::support::Ran;

const KEY: &str = "sk-model-0123456789abcdef";

/// A pull request whose tests try whatever there is to be had.
struct Hostile {
    hosted: Hosted,
    model: (tokio::runtime::Runtime, MockServer),
    commit: String,
}

impl Hostile {
    fn new() -> Hostile {
        let hosted = Hosted::new(ForgeKind::Github);
        let model = serve("/v1/chat/completions", vec![chat(&right())]);
        let port = |address: &str| address.rsplit(':').next().expect("a port").trim_end_matches('/').to_owned();
        let attack = format!(
            "import os, socket, unittest\nfrom greeting import greet, leave\n\n\
             print('\\n::set-env name=PATH::/evil\\n::add-mask::x\\n##[error]owned')\n\
             for name, value in os.environ.items():\n    if 'tok-0123' in value or 'sk-model' in value:\n        print('LE' + 'AK', name)\n\
             for name in ('GITHUB_ENV', 'GITHUB_OUTPUT', 'GITHUB_STEP_SUMMARY'):\n    \
             if name in os.environ:\n        print('LE' + 'AK', name)\n        open(os.environ[name], 'a').write('EVIL=1\\n')\n\
             for port in ({}, {}):\n    try:\n        peer = socket.create_connection(('127.0.0.1', port), 2)\n        \
             peer.sendall(b'GET /leak HTTP/1.0\\r\\n\\r\\n')\n        print('LE' + 'AK connected', peer.recv(9))\n    except OSError:\n        pass\n\
             try:\n    open({:?}, 'a').write('EVIL=1\\n')\nexcept OSError:\n    pass\n\n\n\
             class GreetingTest(unittest.TestCase):\n    def test_greet(self):\n        \
             self.assertEqual(greet('Ana'), 'Good morning, Ana!', '\\n::error::owned\\n##[add-path]/evil')\n        \
             self.assertEqual(greet('Bo'), 'Good morning, Bo!')\n\n    def test_leave(self):\n        \
             self.assertEqual(leave('Ana'), 'Bye, Ana')\n",
            port(&hosted.forge.api()),
            port(&model.1.uri()),
            hosted.beside("output").display().to_string(),
        );
        hosted.project.git(&["rm", "-q", "-r", "shop", "tests"]);
        hosted.project.write(&[GREETING[0], ("test_greeting.py", &attack)]);
        hosted.project.commit("hostile");
        let commit = hosted.project.git(&["rev-parse", "HEAD"]).trim().to_owned();
        Hostile { hosted, model, commit }
    }

    /// A job with these variables beside those of a fork's pull request.
    fn job(&self, arguments: &[&str], secrets: &[(&str, &str)]) -> Ran {
        let mut set = self.hosted.requested("feature", "eve/shop");
        set.push(("GITHUB_TOKEN", String::new()));
        set.push(("GITHUB_ENV", self.hosted.beside("env").display().to_string()));
        set.push(("HEAL_BASE_URL", format!("{}/v1", self.model.1.uri())));
        set.extend(secrets.iter().map(|(name, value)| (*name, (*value).to_owned())).map(|(name, value)| {
            // The names live as long as the test.
            let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
            (name, value)
        }));
        self.hosted.heal_with(&[&["ci"], arguments].concat(), &set)
    }

    fn asked(&self) -> Vec<String> {
        let requests = self.model.0.block_on(self.model.1.received_requests()).expect("recorded");
        requests.iter().map(|request| format!("{} {}", request.url, String::from_utf8_lossy(&request.body))).collect()
    }

    fn parcel(&self, name: &str) -> String {
        self.hosted.project.read(name)
    }
}

/// Lines that a runner would obey (`ActionCommand.cs` of actions/runner).
fn commands(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.lines().chain(ran.stderr.lines()).flat_map(|line| line.split('\r'));
    let obeyed = lines.filter(|line| line.trim().starts_with("::") || line.contains("##["));
    // heal's own annotations are the only ones.
    obeyed.filter(|line| !line.starts_with("::notice ") && !line.starts_with("::warning ")).map(str::to_owned).collect()
}

fn digest(ran: &Ran) -> String {
    ran.stdout.trim().to_owned()
}

#[test]
fn a_strangers_code_goes_through_four_jobs_and_gets_nothing() {
    let hostile = Hostile::new();
    let reproduced = hostile.job(&["reproduce"], &[]).code(0);
    assert!(hostile.asked().is_empty());
    let first = digest(&reproduced);
    let model = ["--model", "openai-chat/stand-in"];
    let ask = [&["ask", "--reproduced-digest", &first][..], &model].concat();
    let asked = hostile.job(&ask, &[("OPENAI_API_KEY", KEY)]).code(0);
    assert_eq!(hostile.asked().len(), 1, "{}", asked.stderr);
    let second = digest(&asked);
    let verify = ["verify", "--reproduced-digest", &first, "--asked", "heal-asked.json", "--asked-digest", &second];
    let verified = hostile.job(&verify, &[]).code(0);
    assert!(hostile.hosted.forge.state.lock().expect("state").calls.is_empty(), "no call before publish");
    let third = digest(&verified);

    // Published from the base branch's tree: none of the stranger's is here.
    hostile.hosted.project.git(&["checkout", "-q", "HEAD~1"]);
    let publish = ["publish", "--verified-digest", &third, "--commit", &hostile.commit, "--pull", "9"];
    let published = hostile.job(&publish, &[("GITHUB_TOKEN", TOKEN)]).code(0);
    let comments = hostile.hosted.forge.comments();
    assert_eq!((comments.len(), comments[0].0), (1, 9));
    let text = &comments[0].2;
    assert!(text.contains("The checks below ran in a job that ran this code, untrusted"), "{text}");
    assert!(text.contains("+    return 'Good morning, ' + name + '!'"), "{text}");
    assert!(hostile.hosted.forge.pulls().is_empty());

    for (name, ran) in [("reproduce", &reproduced), ("ask", &asked), ("verify", &verified), ("publish", &published)] {
        assert_eq!(commands(ran), Vec::<String>::new(), "{name}");
        for secret in [TOKEN, KEY, "LEAK"] {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{name}: {secret}");
        }
    }
    for name in ["heal-reproduced.json", "heal-asked.json", "heal-verified.json"] {
        let parcel = hostile.parcel(name);
        for secret in [TOKEN, KEY, "LEAK"] {
            assert!(!parcel.contains(secret), "{name}: {secret}");
        }
    }
    assert!(hostile.asked().iter().all(|call| !call.contains("/leak") && !call.contains(TOKEN) && !call.contains(KEY)));
    assert_eq!(hostile.hosted.forge.count("GET", "/leak"), 0);
    for name in ["env", "output", "summary.md"] {
        let text = std::fs::read_to_string(hostile.hosted.beside(name)).unwrap_or_default();
        assert!(!text.contains("EVIL"), "{name}: {text}");
    }
}

#[test]
fn a_forks_pull_request_in_one_job_gets_no_model_and_no_request() {
    let hostile = Hostile::new();
    let secrets = [("GITHUB_TOKEN", TOKEN), ("OPENAI_API_KEY", KEY), ("HEAL_MODEL", "openai-chat/stand-in")];
    let ran = hostile.job(&["--json"], &secrets).code(1);
    assert!(ran.stdout.contains("the code is from a fork"), "{}", ran.stdout);
    assert!(hostile.asked().is_empty() && hostile.hosted.forge.state.lock().expect("state").calls.is_empty());
    assert_eq!(commands(&ran), Vec::<String>::new());
    assert!(!ran.stdout.contains("LEAK") && !ran.stdout.contains(KEY) && !ran.stderr.contains(KEY));
    let folder = hostile.hosted.project.root.join("heal-artifacts");
    assert!(folder.join("report.html").exists() && folder.join("report.sarif").exists());
}

#[test]
fn jobs_that_run_code_refuse_to_start_beside_a_secret() {
    let hostile = Hostile::new();
    for job in ["reproduce", "verify"] {
        for name in ["GITHUB_TOKEN", "HEAL_TOKEN", "OPENAI_API_KEY", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
            let ran = hostile.job(&[job], &[(name, "tok-of-somebody")]).code(2);
            assert!(ran.stderr.contains(name) && !ran.stderr.contains("tok-of"), "{}", ran.stderr);
        }
    }
    hostile.hosted.project.git(&["config", "http.https://github.com/.extraheader", "AUTHORIZATION: basic eDp0b2s="]);
    for job in ["reproduce", "verify"] {
        let ran = hostile.job(&[job], &[]).code(2);
        assert!(ran.stderr.contains("persist-credentials: false") && !ran.stderr.contains("eDp0b2s"), "{}", ran.stderr);
    }
    let ran = hostile.job(&["ask", "--model", "exec:./steal.sh"], &[]).code(2);
    assert!(ran.stderr.contains("heal-reproduced.json"), "{}", ran.stderr);
}

#[test]
fn a_parcel_that_was_changed_on_its_way_is_refused() {
    let hostile = Hostile::new();
    let digest = digest(&hostile.job(&["reproduce"], &[]).code(0));
    let ask = ["ask", "--model", "exec:./steal.sh", "--reproduced-digest", &digest];
    let ran = hostile.job(&ask, &[]).code(2);
    assert!(ran.stderr.contains("runs no program"), "{}", ran.stderr);
    let parcel = hostile.parcel("heal-reproduced.json").replace("Good evening", "Good night");
    hostile.hosted.project.write(&[("heal-reproduced.json", &parcel)]);
    let ran = hostile.job(&["verify", "--reproduced-digest", &digest], &[]).code(2);
    assert!(ran.stderr.contains("is not the one that was handed on"), "{}", ran.stderr);
    // Without a digest it is what it says it is, and no more: of this commit.
    hostile.job(&["verify"], &[]).code(1);
    let publish = ["publish", "--pull", "9", "--commit", "0000000000000000000000000000000000000000"];
    let ran = hostile.job(&publish, &[("GITHUB_TOKEN", TOKEN)]).code(2);
    assert!(ran.stderr.contains("speaks of another commit"), "{}", ran.stderr);
    let ran = hostile.job(&publish[..1], &[("GITHUB_TOKEN", TOKEN)]).code(2);
    assert!(ran.stderr.contains("--commit"), "{}", ran.stderr);
}
