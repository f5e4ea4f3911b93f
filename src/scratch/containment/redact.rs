//! Configuration without its secrets: git's, cargo's.
//!
//! Works on text, line by line; knows both formats only as `key = value`
//! lines below `[headings]`.

use std::sync::LazyLock;

use regex::Regex;

/// Parts of a key that make its value a secret, or a way to one.
const SECRET: [&str; 9] =
    ["token", "password", "passwd", "secret", "extraheader", "cookie", "apikey", "credential", "helper"];

/// `user:password@` or a token in the place of a user, in an address.
static USER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"://[^/@\s"']+@"#).expect("a valid expression"));

/// `text` without lines that hold a secret and without users in addresses;
/// `None` where it has none.
pub(super) fn redacted(text: &str) -> Option<String> {
    let mut open = String::new();
    for line in text.lines().filter(|line| !is_secret(line)) {
        open.push_str(&USER.replace_all(line, "://"));
        open.push('\n');
    }
    (open.trim_end() != text.trim_end()).then_some(open)
}

fn is_secret(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = key.trim().to_ascii_lowercase();
    !key.starts_with(['#', ';', '[']) && SECRET.iter().any(|part| key.replace(['-', '_'], "").contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let text = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://ana:hunter2@example.org/x.git\n[http \"https://example.org/\"]\n\textraheader = AUTHORIZATION: basic Zm9v\n[credential]\n\thelper = store\n[user]\n\tname = Ana\n";
        let open = redacted(text).expect("it holds secrets");
        assert_eq!(
            open,
            "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://example.org/x.git\n[http \"https://example.org/\"]\n[credential]\n[user]\n\tname = Ana\n"
        );
        assert_eq!(redacted(&open), None);
        assert_eq!(redacted("[registry]\ntoken = \"x\"\n"), Some("[registry]\n".to_owned()));
        assert_eq!(redacted("[url \"https://t0k@h/\"]\n"), Some("[url \"https://h/\"]\n".to_owned()));
    }
}
