//! No secret leaves the machine or is recorded: sixty credentials of more than
//! 25 kinds, in source, in the environment, in the output of tests and in the
//! local variables of a traceback.

use std::collections::BTreeSet;

use heal::propose::model::redact::Redactor;
use serde_json::Value;
use serde_json::json;

use crate::model::chat;
use crate::model::serve;
use crate::support::Project;
use crate::support::Ran;

/// A credential: the rule that must catch it, the line it stands in, itself.
struct Seed {
    rule: &'static str,
    line: String,
    secret: String,
}

/// A seeded source of characters; the credentials are put together here, so
/// that no scanner takes this file for a leak.
struct Dice(u64);

impl Dice {
    fn word(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut pick = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            alphabet[(self.0 >> 33) as usize % alphabet.len()]
        };
        (0..count).map(|_| pick()).collect()
    }
}

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Rule, beginning, alphabet, length of the rest.
const PREFIXED: &[(&str, &[&str], &str, usize)] = &[
    ("age-key", &["AGE-SECRET", "-KEY-1"], UPPER, 58),
    ("aws-key-id", &["AK", "IA"], UPPER, 16),
    ("github-token", &["gh", "p_"], MIXED, 36),
    ("github-fine-grained", &["github", "_pat_"], MIXED, 40),
    ("gitlab-token", &["gl", "pat-"], MIXED, 20),
    ("slack-token", &["xo", "xb-"], MIXED, 24),
    ("slack-app-token", &["xa", "pp-1-"], MIXED, 24),
    ("stripe-key", &["sk", "_live_"], MIXED, 24),
    ("stripe-webhook", &["wh", "sec_"], MIXED, 32),
    ("google-key", &["AI", "za"], MIXED, 35),
    ("google-oauth", &["ya", "29."], MIXED, 40),
    ("google-client-secret", &["GOC", "SPX-"], MIXED, 28),
    ("openai-or-anthropic-key", &["s", "k-ant-api03-"], MIXED, 40),
    ("openai-or-anthropic-key", &["s", "k-proj-"], MIXED, 40),
    ("hugging-face-token", &["h", "f_"], MIXED, 34),
    ("npm-token", &["np", "m_"], MIXED, 36),
    ("pypi-token", &["py", "pi-"], MIXED, 60),
    ("crates-io-token", &["c", "io"], MIXED, 32),
    ("digitalocean-token", &["do", "p_v1_"], HEX, 64),
    ("twilio-key", &["S", "K"], HEX, 32),
    ("mailgun-key", &["ke", "y-"], LOWER, 32),
    ("telegram-token", &["12345", "6789:AA"], MIXED, 33),
    ("shopify-token", &["sh", "pat_"], HEX, 32),
    ("databricks-token", &["da", "pi"], HEX, 32),
    ("vault-token", &["hv", "s."], MIXED, 28),
    ("grafana-token", &["gl", "sa_"], MIXED, 36),
    ("linear-key", &["lin", "_api_"], MIXED, 40),
];

fn seeds() -> Vec<Seed> {
    let mut dice = Dice(0x5eed);
    let mut seeds = Vec::new();
    let mut add = |rule, line: &dyn Fn(&str) -> String, secret: String| {
        seeds.push(Seed { rule, line: line(&secret), secret });
    };
    let plain = |secret: &str| format!("x = '{secret}'");
    for (rule, start, alphabet, count) in PREFIXED {
        let secret = format!("{}{}", start.concat(), dice.word(alphabet, *count));
        add(rule, &plain, secret);
    }
    let words = |dice: &mut Dice, count| dice.word(MIXED, count);
    add("sendgrid-key", &plain, format!("S{}.{}.{}", "G", words(&mut dice, 22), words(&mut dice, 43)));
    add(
        "jwt",
        &plain,
        format!(
            "ey{}.ey{}.{}",
            "J".to_owned() + &words(&mut dice, 30),
            "J".to_owned() + &words(&mut dice, 60),
            words(&mut dice, 43)
        ),
    );
    let key = words(&mut dice, 60);
    add(
        "private-key",
        &|key| format!("-----BEGIN RSA {} KEY-----\\n{key}\\n-----END RSA PRIVATE KEY-----", "PRIVATE"),
        key,
    );
    add(
        "slack-webhook",
        &|part| format!("https://hooks.slack{}/services/{part}", ".com"),
        format!("T{}/B{}", dice.word(UPPER, 8), words(&mut dice, 24)),
    );
    add("azure-account-key", &|key| format!("AccountName=a;AccountKey={key}"), words(&mut dice, 86));
    for _ in 0..3 {
        add("url-password", &|word| format!("postgres://ana:{word}@db.internal/app"), words(&mut dice, 14));
        add("authorization", &|word| format!("Authorization: Bearer {word}"), words(&mut dice, 32));
        add("assigned", &|word| format!("'db_password': '{word}'"), words(&mut dice, 16));
        add("assigned-bare", &|word| format!("SMTP_PASSWORD={word}"), format!("aB3{}x9Q", dice.word(MIXED, 16)));
        add("entropy", &plain, format!("q7Z{}X2v9", dice.word("aB1cD2eF3gH4jK5", 32)));
    }
    for number in 0..13 {
        let secret = format!("{}-{number}-stable", dice.word("abcdefghijklmnopqrstuvwxyz", 12));
        add("environment-value", &plain, secret);
    }
    seeds
}

fn in_environment(seeds: &[Seed]) -> Vec<(String, String)> {
    let of = seeds.iter().filter(|seed| seed.rule == "environment-value");
    of.enumerate().map(|(number, seed)| (format!("APP_{number}_TOKEN"), seed.secret.clone())).collect()
}

#[test]
fn each_credential_is_caught_by_its_own_rule() {
    let seeds = seeds();
    let kinds: BTreeSet<&str> = seeds.iter().map(|seed| seed.rule).collect();
    assert!(seeds.len() >= 60 && kinds.len() >= 25, "{} of {} kinds", seeds.len(), kinds.len());
    let values: Vec<String> = in_environment(&seeds).into_iter().map(|(_, value)| value).collect();
    for seed in &seeds {
        let mut redactor = Redactor::new(&values);
        let text = redactor.redact(&seed.line);
        assert!(!text.contains(&seed.secret), "{}: {text}", seed.rule);
        assert_eq!(redactor.rules(), [seed.rule], "{}", seed.line);
    }
}

/// A project whose fault is in a file full of credentials, and whose test
/// prints more of them and shows the rest as local variables of a traceback.
fn project(seeds: &[Seed]) -> Project {
    let quoted = |line: &str| serde_json::to_string(line).expect("text").replace("\\\\n", "\\n");
    let third = |n: usize| seeds.iter().skip(n).step_by(3).map(|seed| quoted(&seed.line)).collect::<Vec<_>>();
    let source = format!(
        "\"\"\"Greetings.\"\"\"\n\nSETTINGS = [\n    {},\n]\n\n\ndef greet(name):\n    \"\"\"Says good morning.\"\"\"\n    if not SETTINGS:\n        return ''\n    return 'Good evening, ' + name\n",
        third(0).join(",\n    ")
    );
    let test = format!(
        "import json\nimport traceback\nimport unittest\nfrom greeting import greet\n\n\ndef connect():\n    with open('local.json') as file:\n        settings = json.load(file)\n    one, two, three = settings[:3]\n    raise ValueError(two)\n\n\nclass GreetingTest(unittest.TestCase):\n    def test_greet(self):\n        for line in [\n            {},\n        ]:\n            print('log:', line)\n        try:\n            connect()\n        except ValueError as error:\n            shown = traceback.TracebackException.from_exception(error, capture_locals=True)\n            print(''.join(shown.format()))\n        self.assertEqual(greet('Ana'), 'Good morning, Ana!', {})\n        self.assertEqual(greet('Bo'), 'Good morning, Bo!')\n",
        third(1).join(",\n            "),
        quoted(&seeds[1].line),
    );
    let local: Vec<&str> = seeds.iter().skip(2).step_by(3).map(|seed| seed.line.as_str()).collect();
    let local = json!(local).to_string().replace("\\\\n", "\\n");
    Project::new(&[("greeting.py", &source), ("test_greeting.py", &test), ("local.json", &local)])
}

#[test]
fn no_credential_is_in_any_request_record_report_log_or_event_file() {
    let seeds = seeds();
    let project = project(&seeds);
    let patch = |replace: &str| json!({"root_cause": "the words", "edits": [{"path": "greeting.py", "search": "    return 'Good evening, ' + name", "replace": replace}]});
    let reply = |replace: &str| chat(&json!({"no_fix": null, "patches": [patch(replace)]}));
    let replies = vec![reply("    return 'Good morning, ' + name"), reply("    return 'Good morning, ' + name + '!'")];
    let (runtime, server) = serve("/v1/chat/completions", replies);
    let folder = project.root.parent().expect("a parent").join("out");
    std::fs::create_dir(&folder).expect("made");
    let out = |name: &str| folder.join(name).display().to_string();
    let (events, json_file, markdown) = (out("events.jsonl"), out("report.json"), out("report.md"));
    let arguments = ["fix", "-v", "--json", "--apply", "--model", "openai-chat/stand-in", "--events", &events];
    let mut command =
        project.heal_command(&[&arguments[..], &["--report", &json_file, "--report", &markdown]].concat());
    command.env("HEAL_BASE_URL", format!("{}/v1", server.uri())).env("OPENAI_API_KEY", "sk-not-a-key");
    command.envs(in_environment(&seeds));
    let before = project.read("greeting.py");
    let ran = Ran::from(command.output().expect("heal runs")).code(0);
    let requests = runtime.block_on(server.received_requests()).expect("recorded");
    assert_eq!(requests.len(), 2);
    let mut places: Vec<(String, Vec<u8>)> =
        vec![("stdout".into(), ran.stdout.into_bytes()), ("log".into(), ran.stderr.into_bytes())];
    places.extend(requests.iter().enumerate().map(|(n, request)| (format!("request {n}"), request.body.clone())));
    for path in [folder.clone(), project.root.join(".git/heal")] {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            places.push((entry.path().display().to_string(), std::fs::read(entry.path()).expect("a file")));
        }
    }
    assert!(places.iter().any(|(name, _)| name.ends_with("ledger.db")), "the record is looked at");
    let prompt = String::from_utf8_lossy(&requests[0].body).into_owned();
    assert!(prompt.contains("«SECRET_"), "{prompt}");
    let mut leaks = Vec::new();
    for (name, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        leaks.extend(
            seeds.iter().filter(|seed| text.contains(&seed.secret)).map(|seed| format!("{} in {name}", seed.rule)),
        );
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    // The patch is applied to the file with its credentials, and taken back.
    assert_eq!(project.read("greeting.py"), before.replace("'Good evening, ' + name", "'Good morning, ' + name + '!'"));
    let mut undo = project.heal_command(&["undo"]);
    Ran::from(undo.envs(in_environment(&seeds)).output().expect("heal runs")).code(0);
    assert_eq!(project.read("greeting.py"), before);
    let report: Value = serde_json::from_slice(&std::fs::read(json_file).expect("a report")).expect("json");
    assert_eq!(report["failures"][0]["outcome"], "verified");
}
