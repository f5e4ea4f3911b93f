//! Secrets out of prompts, and back into patches.
//!
//! Each distinct secret becomes `«SECRET_1»`, `«SECRET_2»`, … in the order of
//! appearance, so that the same text always reads the same. The map lives in
//! memory alone and is made anew from the same texts; it is never stored.

mod document;
mod patch;
mod rules;

use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;

pub use self::document::Shown;
pub use self::patch::NotRevealed;
pub use self::patch::concealed;
pub use self::patch::revealed;

/// Shorter values of the environment are words, not secrets (`1`, `true`).
const SHORTEST_VALUE: usize = 6;

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"«SECRET_(\d+)»").expect("the pattern is valid"));

/// Takes secrets out of texts and puts them back.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Known values, longest first.
    values: Vec<String>,
    /// Secret `n` is `«SECRET_n+1»`.
    found: Vec<Found>,
}

#[derive(Clone, Debug)]
struct Found {
    secret: String,
    rule: &'static str,
}

/// A patch that moves, copies or removes a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it moves, copies or removes the secret `{placeholder}`")]
pub struct TouchesSecret {
    placeholder: String,
}

impl Redactor {
    /// `values`: exact texts that are secret, such as the values of variables
    /// whose names say so; short ones are left alone.
    pub fn new(values: &[String]) -> Redactor {
        let mut values: Vec<String> =
            values.iter().map(|value| value.trim().to_owned()).filter(|value| value.len() >= SHORTEST_VALUE).collect();
        // A value that is part of a placeholder would break them.
        values.retain(|value| !"«SECRET_»".contains(value.as_str()));
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Redactor { values, found: Vec::new() }
    }

    /// `text` with placeholders for its secrets.
    pub fn redact(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (index, rule) in rules::all().iter().enumerate() {
            // Known values go first, whatever their shape, but after what
            // only looks like a placeholder.
            if index == 1 {
                text = self.without_values(text);
            }
            if !rule.pattern.is_match(&text) {
                continue;
            }
            let found = &mut self.found;
            let replaced = rule.pattern.replace_all(&text, |captures: &Captures<'_>| {
                let whole = captures.get(0).expect("group 0 is the match");
                let secret = captures.get(1).unwrap_or(whole);
                let inside = PLACEHOLDER.is_match(secret.as_str()) && secret.as_str() != whole.as_str();
                let before = &text[..secret.start()];
                if inside || !(rule.holds)(before, secret.as_str()) {
                    return whole.as_str().to_owned();
                }
                let (start, end) = (secret.start() - whole.start(), secret.end() - whole.start());
                let placeholder = placeholder(found, secret.as_str(), rule.name);
                format!("{}{placeholder}{}", &whole.as_str()[..start], &whole.as_str()[end..])
            });
            text = replaced.into_owned();
        }
        text
    }

    fn without_values(&mut self, mut text: String) -> String {
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), &placeholder(&mut self.found, value, rules::VALUE));
            }
        }
        text
    }

    /// The names of the rules that found something so far, in the order of the
    /// placeholders.
    pub fn rules(&self) -> Vec<&'static str> {
        self.found.iter().map(|found| found.rule).collect()
    }

    /// How many distinct secrets were found so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// What an edit's author meant: both texts with the secrets back in.
    ///
    /// # Errors
    /// The edit does not leave each secret as it was.
    pub fn restored(&self, search: &str, replace: &str) -> Result<(String, String), TouchesSecret> {
        let sorted = |text: &str| {
            let mut all: Vec<String> = PLACEHOLDER.find_iter(text).map(|found| found.as_str().to_owned()).collect();
            all.sort();
            all
        };
        let (before, after) = (sorted(search), sorted(replace));
        if before != after {
            let odd = before.iter().chain(&after).find(|name| {
                let count = |all: &[String]| all.iter().filter(|other| other == name).count();
                count(&before) != count(&after)
            });
            return Err(TouchesSecret { placeholder: odd.cloned().unwrap_or_default() });
        }
        Ok((self.revealed(search), self.revealed(replace)))
    }

    fn revealed(&self, text: &str) -> String {
        let secret = |captures: &Captures<'_>| {
            let number = captures[1].parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let found = number.and_then(|number| self.found.get(number));
            found.map_or_else(|| captures[0].to_owned(), |found| found.secret.clone())
        };
        PLACEHOLDER.replace_all(text, secret).into_owned()
    }
}

fn placeholder(found: &mut Vec<Found>, secret: &str, rule: &'static str) -> String {
    let known = found.iter().position(|other| other.secret == secret);
    let index = known.unwrap_or_else(|| {
        found.push(Found { secret: secret.to_owned(), rule });
        found.len() - 1
    });
    format!("«SECRET_{}»", index + 1)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn well_known_shapes_become_placeholders() {
        // Put together here, so that no scanner takes them for real ones.
        let a = |count: usize| "a1B2c3D4e5F6g7H8".repeat(8)[..count].to_owned();
        let hex = |count: usize| "0a1b2c3d".repeat(16)[..count].to_owned();
        for secret in [
            format!("AK{}", "IAIOSFODNN7EXAMPLE"),
            format!("gh{}_{}", "p", a(36)),
            format!("github{}_{}", "_pat", a(30)),
            format!("gl{}-{}", "pat", a(20)),
            format!("xo{}-{}", "xb", a(20)),
            format!("sk{}_{}", "_live", a(24)),
            format!("AI{}{}", "za", a(35)),
            format!("s{}-{}", "k-ant", a(40)),
            format!("s{}-{}", "k", a(40)),
            format!("h{}_{}", "f", a(34)),
            format!("np{}_{}", "m", a(36)),
            format!("pyp{}-{}", "i", a(60)),
            format!("do{}_{}", "p_v1", hex(64)),
            format!("S{}.{}.{}", "G", a(22), a(43)),
            format!("ey{}.eyJ{}.{}", format_args!("J{}", a(20)), a(20), a(20)),
            format!("-----BEGIN RSA {} KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "PRIVATE"),
            format!("-----BEGIN {} KEY-----\nabc", "PRIVATE"),
        ] {
            let mut redactor = Redactor::new(&[]);
            let text = redactor.redact(&format!("x = {secret}"));
            assert_eq!(text, "x = «SECRET_1»", "{secret}");
            assert_eq!(redactor.restored(&text, &text).expect("same").0, format!("x = {secret}"));
        }
    }

    #[test]
    fn parts_of_a_line_are_kept_around_a_secret() {
        for (given, wanted) in [
            ("https://ana:hunter2@example.org/x", "https://ana:«SECRET_1»@example.org/x"),
            ("Authorization: Bearer abcdefghijklmnopqrstuv", "Authorization: Bearer «SECRET_1»"),
            (r#"API_KEY = "q8Zx71LmPo09vTr5""#, r#"API_KEY = "«SECRET_1»""#),
            (r#"{"token": "q8Zx71LmPo09vTr5"}"#, r#"{"token": "«SECRET_1»"}"#),
            ("q8Z-value and q8Z-value", "«SECRET_1» and «SECRET_1»"),
            ("a literal «SECRET_7»", "a literal «SECRET_1»"),
        ] {
            assert_eq!(Redactor::new(&["q8Z-value".into()]).redact(given), wanted);
        }
    }

    #[test]
    fn ordinary_code_is_left_alone() {
        for code in [
            "password = \"correct horse\"",
            "token = tokens[index + 1]",
            "assert token == 'abcdefghijkl'",
            "url = 'https://example.org:8080/a@b'",
            "f\"https://{user}:{password}@{host}\"",
            "sk-short",
            "x = 1",
        ] {
            assert_eq!(Redactor::new(&["1".into(), "x = ".into()]).redact(code), code);
        }
    }

    #[test]
    fn a_patch_may_carry_a_secret_along_and_no_more() {
        let mut redactor = Redactor::new(&["hunter2-is-it".into()]);
        assert_eq!(redactor.redact("a hunter2-is-it"), "a «SECRET_1»");
        assert_eq!(
            redactor.restored("a «SECRET_1»", "b «SECRET_1»"),
            Ok(("a hunter2-is-it".to_owned(), "b hunter2-is-it".to_owned()))
        );
        for (search, replace) in [("a", "«SECRET_1»"), ("«SECRET_1»", "b"), ("«SECRET_1»", "«SECRET_1» «SECRET_1»")]
        {
            let error = redactor.restored(search, replace).expect_err("refused");
            assert_eq!(error.to_string(), "it moves, copies or removes the secret `«SECRET_1»`");
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_out_can_be_put_back(text in "([a-z =\"':@/«»]|hunter2-is-it|«SECRET_1»|://a:b@){0,12}") {
            let mut redactor = Redactor::new(&["hunter2-is-it".into()]);
            let redacted = redactor.redact(&text);
            prop_assert!(!redacted.contains("hunter2-is-it"));
            prop_assert_eq!(redactor.restored(&redacted, &redacted).expect("same").1, text);
        }
    }
}
