//! The rules by which a text is taken for a secret: a table.
//!
//! Shapes of well-known secrets, from the vendors' own prefixes as secret
//! scanners list them; texts that are assigned to a name that says what they
//! are; and texts that look random, whatever stands around them. Looks; never
//! changes a text.

use std::sync::LazyLock;

use regex::Regex;

/// The name of what was found by its exact value.
pub(super) const VALUE: &str = "environment-value";

/// A rule; the pattern's first group, where there is one, is the secret
/// itself.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) pattern: Regex,
    /// Whether a match counts, by the text before it and itself.
    pub(super) holds: fn(&str, &str) -> bool,
}

/// All rules, in the order they are tried. A text that looks like a placeholder
/// comes first: it stands for itself.
pub(super) fn all() -> &'static [Rule] {
    &RULES
}

const SHAPES: &[(&str, &str)] = &[
    ("placeholder", r"«SECRET_\d+»"),
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"),
    ("age-key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    ("aws-key-id", r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"),
    ("github-token", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    ("github-fine-grained", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("gitlab-token", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_\-]{20,}"),
    ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}"),
    ("slack-app-token", r"\bxapp-\d-[A-Za-z0-9\-]{10,}"),
    ("slack-webhook", r"https://hooks\.slack\.com/services/([A-Za-z0-9/]{20,})"),
    ("stripe-key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("stripe-webhook", r"\bwhsec_[A-Za-z0-9]{24,}"),
    ("google-key", r"\bAIza[0-9A-Za-z_\-]{35}"),
    ("google-oauth", r"\bya29\.[0-9A-Za-z_\-]{20,}"),
    ("google-client-secret", r"\bGOCSPX-[0-9A-Za-z_\-]{20,}"),
    ("openai-or-anthropic-key", r"\bsk-[A-Za-z0-9_\-]{20,}"),
    ("hugging-face-token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("npm-token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-token", r"\bpypi-[A-Za-z0-9_\-]{50,}"),
    ("crates-io-token", r"\bcio[A-Za-z0-9]{32}\b"),
    ("digitalocean-token", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    ("sendgrid-key", r"\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}"),
    ("twilio-key", r"\bSK[0-9a-f]{32}\b"),
    ("mailgun-key", r"\bkey-[0-9a-z]{32}\b"),
    ("telegram-token", r"\b\d{8,10}:AA[A-Za-z0-9_\-]{33}"),
    ("shopify-token", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("databricks-token", r"\bdapi[a-f0-9]{32}\b"),
    ("vault-token", r"\bhvs\.[A-Za-z0-9_\-]{24,}"),
    ("grafana-token", r"\bglsa_[A-Za-z0-9_]{32,}"),
    ("linear-key", r"\blin_api_[A-Za-z0-9]{40}"),
    ("azure-account-key", r"\bAccountKey=([A-Za-z0-9+/=]{40,})"),
    ("jwt", r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"),
    ("url-password", r#"://[^\s:/@"']+:([^\s/@"'{}$]+)@"#),
    ("authorization", r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/_\-.=]{20,})"),
];

/// An assignment of a text to a name that says what it is; only texts that
/// look random count, since tests are full of `password = "secret"`.
const ASSIGNED: &str = r#"(?i)(?:secret|token|passw(?:or)?d|passphrase|api_?key|access_?key|private_?key|credential)[\w\-]*["']?\s*(?::=|=>|[:=])\s*[bru]?["']([^"'\s]{12,})["']"#;
/// The same without quotes, as in `.env` files, logs and shells.
const ASSIGNED_BARE: &str = r#"(?i)(?:secret|token|passw(?:or)?d|passphrase|api_?key|access_?key)[A-Z0-9_\-]*\s?[:=]\s?([A-Za-z0-9+/_\-.~!@#$%^&*=]{12,})"#;
/// Bytes of a certificate's block, at most.
const LONGEST_BLOCK: usize = 16 << 10;
/// A word that may be random.
const WORD: &str = r"[A-Za-z0-9+/_\-]{24,}={0,2}";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let compiled = |shape: &str| Regex::new(shape).expect("the table's patterns are valid");
    let always: fn(&str, &str) -> bool = |_, _| true;
    let shape = |(name, shape): &(&'static str, &str)| Rule { name, pattern: compiled(shape), holds: always };
    let mut rules: Vec<Rule> = SHAPES.iter().map(shape).collect();
    let assigned: fn(&str, &str) -> bool = |_, secret| looks_random(secret);
    rules.push(Rule { name: "assigned", pattern: compiled(ASSIGNED), holds: assigned });
    rules.push(Rule { name: "assigned-bare", pattern: compiled(ASSIGNED_BARE), holds: |_, secret| is_mixed(secret) });
    rules.push(Rule {
        name: "entropy",
        pattern: compiled(WORD),
        holds: |before, word| !is_open(before) && is_random(unpathed(word)),
    });
    rules
});

/// Letters and digits with at least three bits of entropy a character: enough
/// where the name beside it says that it is a secret.
fn looks_random(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.bytes().any(|byte| test(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && entropy(text) >= 3.0
}

/// The same where no quotes tell a text from a name in code: all three classes
/// of characters as well.
fn is_mixed(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.bytes().any(|byte| test(&byte));
    let mixed = [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase].iter().all(|test| has(*test));
    mixed && changes(text) >= 0.35 && entropy(text) >= 3.2
}

/// Random whatever stands beside it: all three classes of characters, well
/// mixed, as no word, path or name in code is.
fn is_random(text: &str) -> bool {
    let count = |test: fn(&u8) -> bool| text.bytes().filter(test).count();
    let mixed =
        [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase].iter().all(|test| count(*test) >= 2);
    mixed && changes(text) >= 0.45 && entropy(text) >= 3.9
}

/// How often neighbours are of different classes, as a share of all
/// neighbours.
fn changes(text: &str) -> f64 {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let pairs = text.as_bytes().windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count();
    pairs as f64 / (text.len().max(2) - 1) as f64
}

/// Whether the word that follows is in the open: a digest that lock files print
/// (`sha512-…`, `sha256:…`, `h1:…`), inline data, or the body of a certificate.
fn is_open(before: &str) -> bool {
    if ["sha1-", "sha256-", "sha384-", "sha512-", "sha256:", "h1:", "base64,"].iter().any(|mark| before.ends_with(mark))
    {
        return true;
    }
    let mut near = before.len().saturating_sub(LONGEST_BLOCK);
    while !before.is_char_boundary(near) {
        near += 1;
    }
    // Private keys are gone by now.
    let near = &before[near..];
    near.rfind("-----BEGIN ").is_some_and(|begin| !near[begin..].contains("-----END "))
}

/// The longest part of what may be a path (`…/commit/7f5c07…`); the whole of
/// anything else.
fn unpathed(word: &str) -> &str {
    if word.matches('/').count() < 2 {
        return word;
    }
    word.split('/').max_by_key(|part| part.len()).filter(|part| part.len() >= 20).unwrap_or_default()
}

fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[byte as usize] += 1);
    let size = text.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / size);
    shares.map(|share| -share * share.log2()).sum::<f64>()
}
