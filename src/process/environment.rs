//! The environment that commands get: the user's, without what looks secret
//! and without what heal's own parents left behind.
//!
//! Works on variables it is given; never reads heal's own environment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;

use super::Command;

/// Words of a name that make it a secret's, wherever they stand.
const SECRET_WORDS: [&str; 14] = [
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "APIKEY",
    "APIKEYS",
    "CREDENTIAL",
    "CREDENTIALS",
    "PAT",
    "JWT",
];

/// Endings of a name's words that make it a secret's (`GITHUBTOKEN`).
const SECRET_ENDINGS: [&str; 5] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "APIKEY"];

/// Whole names, and beginnings of names (with `*`), of agents and providers.
const SECRET_NAMES: [&str; 18] = [
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "GPG_KEY*",
    "ANTHROPIC_*",
    "OPENAI_*",
    "GEMINI_*",
    "OPENROUTER_*",
    "AWS_SESSION*",
    "AZURE_CLIENT_*",
    "MYSQL_PWD",
    "PGPASS*",
    "REDISCLI_AUTH",
    "NETRC",
    "DOCKER_AUTH*",
    "KUBECONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GIT_ASKPASS",
];

/// First words of names ending in `_KEY` that hold no secret.
const OPEN_KEYS: [&str; 6] = ["CACHE", "PUBLIC", "PRIMARY", "SORT", "FOREIGN", "HOT"];

/// What a parent `cargo run`, `cargo test`, git hook or forced colour leaves
/// for its children and would mislead a user's command. The list of git's is
/// `git rev-parse --local-env-vars` without `GIT_CONFIG_COUNT`; cargo's is
/// <https://doc.rust-lang.org/cargo/reference/environment-variables.html>.
const MISLEADING: [&str; 44] = [
    "CARGO",
    "CARGO_MANIFEST_*",
    "CARGO_PKG_*",
    "CARGO_BIN_*",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "CARGO_TERM_COLOR",
    "CARGO_MAKEFLAGS",
    "OUT_DIR",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_RECURSION_COUNT",
    "NEXTEST*",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "PY_COLORS",
    "OLDPWD",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
    // Files by which a job's later steps are told what to do, and doors to the
    // runner's own services.
    "GITHUB_ENV",
    "GITHUB_PATH",
    "GITHUB_OUTPUT",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "FORGEJO_ENV",
    "FORGEJO_PATH",
    "FORGEJO_OUTPUT",
    "FORGEJO_STATE",
    "FORGEJO_STEP_SUMMARY",
    "ACTIONS_*",
];

/// The base environment of every command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
    dropped: Vec<String>,
}

impl Environment {
    /// Keeps of `vars` what a command may see, and turns colour off.
    pub fn filtered(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in vars {
            let text = name.to_string_lossy().into_owned();
            if is_secret(&text) {
                environment.dropped.push(text);
            } else if !MISLEADING.iter().any(|pattern| fits(pattern, &text)) {
                environment.vars.insert(name, value);
            }
        }
        environment.dropped.sort();
        environment.vars.insert("NO_COLOR".into(), "1".into());
        environment.vars.insert("TERM".into(), "dumb".into());
        environment
    }

    /// Leaves out these as well: someone said that they are secret.
    pub fn without(mut self, names: &[String]) -> Environment {
        for name in names {
            if self.vars.remove(OsStr::new(name)).is_some() {
                self.dropped.push(name.clone());
            }
        }
        self.dropped.sort();
        self
    }

    /// Names that were left out because they look secret, sorted.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The value of `name`.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.vars.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// The names it holds, sorted.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.vars.keys().map(OsString::as_os_str)
    }

    /// The whole environment of `command`. `PWD` follows the command's
    /// directory: one that still names the user's tree would lead a script
    /// back there.
    pub(super) fn of(&self, command: &Command) -> BTreeMap<OsString, OsString> {
        let mut vars = self.vars.clone();
        vars.insert("PWD".into(), command.cwd.clone().into());
        for (name, value) in &command.env {
            match value {
                Some(value) => vars.insert(name.clone(), value.clone()),
                None => vars.remove(name),
            };
        }
        vars
    }
}

/// Whether a variable of this name probably holds a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let ends_in_key = words.len() > 1
        && words.last().is_some_and(|last| *last == "KEY" || *last == "KEYS")
        && !words[..words.len() - 1].iter().any(|word| OPEN_KEYS.contains(word));
    ends_in_key
        || words.windows(2).any(|pair| matches!(pair, ["API" | "PRIVATE" | "ACCESS", "KEY"]))
        || words.iter().any(|word| SECRET_WORDS.contains(word))
        || words.iter().any(|word| SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending)))
        || SECRET_NAMES.iter().any(|pattern| fits(pattern, &name))
}

/// Whether `name` is `pattern`, or begins with it where it ends in `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(names: &[&str]) -> Environment {
        Environment::filtered(names.iter().map(|name| (name.into(), "x".into())))
    }

    #[test]
    fn names_that_look_secret_are_dropped_and_said() {
        let secret = [
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "ANTHROPIC_API_KEY",
            "OPENAI_BASE_URL",
            "DB_PASSWORD",
            "db_passwd",
            "MY_PRIVATE_KEY",
            "STRIPE_KEY",
            "SSH_AUTH_SOCK",
            "GPG_AGENT_INFO",
            "NPMTOKEN",
            "CARGO_REGISTRY_TOKEN",
            "SERVICE_APIKEY",
            "AZURE_CREDENTIALS",
            "MYSQL_PWD",
        ];
        let environment = filtered(&secret);
        let mut wanted: Vec<&str> = secret.to_vec();
        wanted.sort_unstable();
        assert_eq!(environment.dropped(), wanted);
        assert_eq!(environment.names().collect::<Vec<_>>(), ["NO_COLOR", "TERM"]);
    }

    #[test]
    fn ordinary_names_stay() {
        let open = [
            "PATH",
            "HOME",
            "LANG",
            "CI",
            "PWD",
            "TOKENIZERS_PARALLELISM",
            "KEYBOARD",
            "CACHE_KEY",
            "CARGO_HOME",
            "CARGO_INCREMENTAL",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "LD_LIBRARY_PATH",
            "GIT_CONFIG_KEY_0",
            "GIT_CONFIG_COUNT",
            "DATABASE_URL",
        ];
        let environment = filtered(&open);
        assert!(environment.dropped().is_empty(), "{:?}", environment.dropped());
        for name in open {
            assert!(environment.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_a_parent_cargo_or_git_left_is_taken_out_silently() {
        let environment = filtered(&["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUST_BACKTRACE", "GIT_DIR"]);
        assert_eq!(environment.names().collect::<Vec<_>>(), ["NO_COLOR", "TERM"]);
        assert!(environment.dropped().is_empty());
    }

    #[test]
    fn a_command_sets_and_removes_on_top() {
        let environment = filtered(&["A", "B"]);
        let command = Command::new("x").cwd("/there").env("A", "1").without_env("B").env("C", "2");
        let vars = environment.of(&command);
        let get = |name: &str| vars.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned());
        assert_eq!((get("A"), get("B"), get("C")), (Some("1".into()), None, Some("2".into())));
        assert_eq!(get("PWD"), Some("/there".into()));
    }
}
