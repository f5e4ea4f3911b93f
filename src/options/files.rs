//! `heal.toml` of a repository and `config.toml` of the user.
//!
//! A repository may say how it is tested and what a patch may touch; where
//! its code is sent and what that may cost is the user's alone (DECISIONS 29).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::OptionsError;
use super::Sandbox;
use super::SuiteScope;
use super::connection::Connections;
use crate::process::Network;
use crate::propose::model::price::Price;
use crate::propose::model::price::Prices;
use crate::verify::policy::rules::Policy;
use crate::verify::policy::rules::Says;

/// What either file may hold. Every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct File {
    /// The test command, as words.
    pub command: Option<Vec<String>>,
    /// What must not break.
    pub suite: Option<SuiteScope>,
    /// Patches to ask for.
    pub candidates: Option<usize>,
    /// Feedback rounds.
    pub rounds: Option<usize>,
    /// Time for the whole run.
    pub timeout: Option<String>,
    /// Time for one test.
    pub test_timeout: Option<String>,
    /// Paths a patch may touch.
    pub allow: Option<Vec<String>>,
    /// Paths it may not.
    pub deny: Option<Vec<String>>,
    /// US dollars at most; in a repository it can only lower the user's.
    pub max_cost: Option<f64>,
    /// Tokens at most; in a repository it can only lower the user's.
    pub max_tokens: Option<u64>,
    /// Model calls at most; in a repository it can only lower the user's.
    pub max_calls: Option<usize>,
    /// Scratches side by side.
    pub jobs: Option<usize>,
    /// The model, or several in the order they are asked; the user's file
    /// only.
    #[serde(deserialize_with = "models")]
    pub model: Option<Vec<String>>,
    /// Its endpoint; the user's file only.
    pub base_url: Option<String>,
    /// How models' servers are reached; the user's file only.
    pub connection: Option<Connections>,
    /// What models cost; the user's file only.
    pub price: Option<BTreeMap<String, PriceFile>>,
    /// How far heal may go by itself. A repository's counts beside the user's:
    /// the stricter of both.
    pub policy: Option<Says>,
    /// The policies of this file and those it was laid over, with the file's
    /// name.
    #[serde(skip)]
    pub policies: Vec<(String, Says)>,
    /// How long the texts of a run are kept (`90d`). By the user's file they
    /// are dropped then; a repository's can only keep them longer.
    pub retention: Option<String>,
    /// Containment: a word, or a table. A repository may only ask for
    /// `strict`.
    #[serde(deserialize_with = "sandbox")]
    pub sandbox: SandboxFile,
}

/// `[price."NAME"]`: what a model costs, by the name after the provider's
/// slash, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PriceFile {
    /// Input.
    pub input: f64,
    /// Output, thinking included.
    pub output: f64,
    /// Input read from a cache; as any input where it is not given.
    pub cached: Option<f64>,
    /// Input written to a cache; as any input where it is not given.
    pub written: Option<f64>,
}

impl PriceFile {
    /// The price, where every sum is one.
    fn price(self) -> Option<Price> {
        let (cached, written) = (self.cached.unwrap_or(self.input), self.written.unwrap_or(self.input));
        let sums = [self.input, self.output, cached, written];
        let is_sum = |sum: &f64| sum.is_finite() && *sum >= 0.0;
        let price = Price { input: self.input, output: self.output, written, cached, doubles_above: None };
        sums.iter().all(is_sum).then_some(price)
    }
}

/// `sandbox = "strict"`, or a table `[sandbox]` with `mode` and `network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SandboxFile {
    /// How much containment.
    pub mode: Option<Sandbox>,
    /// The network that tests see.
    pub network: Option<Network>,
}

fn models<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let read = match value {
        toml::Value::String(one) => Ok(vec![one]),
        toml::Value::Array(_) => value.try_into(),
        _ => return Err(serde::de::Error::custom("write a model, or several in brackets, as in [\"openai/NAME\"]")),
    };
    read.map(Some).map_err(serde::de::Error::custom)
}

fn sandbox<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SandboxFile, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let read = match value {
        toml::Value::String(_) => value.try_into().map(|mode| SandboxFile { mode: Some(mode), network: None }),
        other => other.try_into(),
    };
    read.map_err(serde::de::Error::custom)
}

impl File {
    /// Reads the file at `path`; no file is an empty one.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or holds an unknown key.
    pub fn read(path: &Path) -> Result<File, OptionsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => File::parse(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
            Err(source) => Err(OptionsError::Read { path: path.to_path_buf(), source }),
        }
    }

    /// The file that `text` is; `path` says where it is from.
    ///
    /// # Errors
    /// It is no TOML, or holds an unknown key.
    fn parse(text: &str, path: &Path) -> Result<File, OptionsError> {
        let invalid = |message: String| OptionsError::Invalid { path: path.to_path_buf(), message };
        let mut file: File = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        for text in [&file.timeout, &file.test_timeout].into_iter().flatten() {
            super::duration::parse(text).map_err(invalid)?;
        }
        if let Some(text) = &file.retention {
            super::age::ago(text, jiff::Timestamp::now()).map_err(invalid)?;
        }
        for (name, price) in file.price.iter().flatten() {
            if price.price().is_none() {
                return Err(invalid(format!(
                    "`price.\"{name}\"` holds what is no amount of money: write dollars, as in 0.50"
                )));
            }
        }
        if let Some(policy) = file.policy.take() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Policy::default().with(&name, &policy).map_err(invalid)?;
            file.policies.push((name, policy));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        file.connection =
            file.connection.map(|connections| connections.checked(folder)).transpose().map_err(invalid)?;
        Ok(file)
    }

    /// As [`File::read`], for a repository's own file.
    ///
    /// # Errors
    /// Also where it sets what only the user may.
    pub fn read_repository(path: &Path) -> Result<File, OptionsError> {
        File::read(path)?.of_repository(path)
    }

    /// As [`File::read_repository`], of a file that is not on the disk.
    ///
    /// # Errors
    /// As for [`File::read_repository`].
    pub fn parse_repository(text: &str, path: &Path) -> Result<File, OptionsError> {
        File::parse(text, path)?.of_repository(path)
    }

    fn of_repository(self, path: &Path) -> Result<File, OptionsError> {
        let file = self;
        let refuse = |key: &str| OptionsError::NotAllowed { path: path.to_path_buf(), key: key.to_owned() };
        if file.model.is_some() {
            return Err(refuse("model"));
        }
        if file.base_url.is_some() {
            return Err(refuse("base-url"));
        }
        if file.connection.is_some() {
            return Err(refuse("connection"));
        }
        if file.price.is_some() {
            return Err(refuse("price"));
        }
        if matches!(file.sandbox.mode, Some(Sandbox::Off | Sandbox::Auto)) {
            return Err(refuse("sandbox"));
        }
        if file.sandbox.network == Some(Network::Host) {
            return Err(refuse("sandbox.network"));
        }
        Ok(file)
    }

    /// A request's own file under that of the branch it goes to: it may say how
    /// its code is tested; what heal may do is the other's to say, and this one
    /// can only lower it.
    #[must_use]
    pub fn under(self, base: File) -> File {
        let allow = base.allow.clone();
        let below = File { retention: None, ..base };
        File { allow, ..self.over(below) }
    }

    /// This file's word, and the other's where it has none; caps are the
    /// lower of the two, denials those of both.
    pub fn over(self, other: File) -> File {
        let lower = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let both = |a: Option<Vec<String>>, b: Option<Vec<String>>| match (a, b) {
            (Some(mut a), Some(b)) => {
                a.extend(b);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        File {
            command: self.command.or(other.command),
            suite: self.suite.or(other.suite),
            candidates: self.candidates.or(other.candidates),
            rounds: self.rounds.or(other.rounds),
            timeout: self.timeout.or(other.timeout),
            test_timeout: self.test_timeout.or(other.test_timeout),
            allow: self.allow.or(other.allow),
            deny: both(self.deny, other.deny),
            max_cost: lower(self.max_cost, other.max_cost),
            max_tokens: self.max_tokens.into_iter().chain(other.max_tokens).min(),
            max_calls: self.max_calls.into_iter().chain(other.max_calls).min(),
            jobs: self.jobs.or(other.jobs),
            model: self.model.or(other.model),
            base_url: self.base_url.or(other.base_url),
            connection: self.connection.or(other.connection),
            price: self.price.or(other.price),
            // Of two, see `settings::retention`.
            retention: self.retention.or(other.retention),
            policy: None,
            policies: self.policies.into_iter().chain(other.policies).collect(),
            sandbox: SandboxFile {
                mode: match self.sandbox.mode {
                    Some(Sandbox::Strict) => self.sandbox.mode,
                    mode => other.sandbox.mode.or(mode),
                },
                network: self.sandbox.network.or(other.sandbox.network),
            },
        }
    }

    /// The built-in prices, and those of this file over them.
    pub fn prices(&self) -> Prices {
        let own = self.price.iter().flatten().filter_map(|(name, price)| Some((name, price.price()?)));
        own.fold(Prices::built_in(), |prices, (name, price)| prices.with(name, price))
    }

    /// The whole run's time, where it is set.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.as_deref().and_then(|text| super::duration::parse(text).ok())
    }

    /// One test's time, where it is set.
    pub fn test_timeout(&self) -> Option<Duration> {
        self.test_timeout.as_deref().and_then(|text| super::duration::parse(text).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, OptionsError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("heal.toml");
        std::fs::write(&path, text).expect("written");
        File::read_repository(&path)
    }

    #[test]
    fn a_repository_may_not_say_where_its_code_is_sent() {
        for text in [
            "model = 'openai/x'",
            "base-url = 'http://evil'",
            "model = 'exec:./steal.sh'",
            "model = 'manual'",
            "model = []",
            "model = ['openai/x']",
            "[connection]",
            "[price.'gpt-6-sol']\ninput = 0\noutput = 0",
            "[connection.all]\nproxy = 'http://evil'",
            "[connection.openai]\nca-file = 'ca.pem'",
            "sandbox = 'off'",
            "[sandbox]\nmode = 'off'",
            "[sandbox]\nnetwork = 'host'",
        ] {
            assert!(matches!(read(text), Err(OptionsError::NotAllowed { .. })), "{text}");
        }
        assert!(read("sandbox = 'strict'\ncommand = ['make', 'check']\n").is_ok());
        let both = read("[sandbox]\nmode = 'strict'\nnetwork = 'loopback'\n").expect("allowed").sandbox;
        assert_eq!(both, SandboxFile { mode: Some(Sandbox::Strict), network: Some(Network::Loopback) });
    }

    #[test]
    fn an_unknown_key_or_a_bad_value_is_named() {
        for (text, word) in [
            ("modle = 'x'", "modle"),
            ("timeout = 'soon'", "soon"),
            ("model = 3", "write a model, or several in brackets"),
            ("model = [3]", "string"),
            ("[price.'z/glm-5']\ninput = -1\noutput = 1", "`price.\"z/glm-5\"` holds what is no amount of money"),
            ("[price.m]\ninput = inf\noutput = 1", "no amount of money"),
            ("[price.m]\ninput = 1", "output"),
            ("[price.m]\ninput = 1\noutput = 1\nper = 'k'", "per"),
            ("jobs = 'many'", "jobs"),
            ("sandbox = 'none'", "none"),
            ("[sandbox]\nnet = 1", "net"),
            ("[", "heal.toml"),
        ] {
            let error = read(text).expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_users_price_stands_over_the_tables_and_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("config.toml");
        let text =
            "[price.'gpt-6-sol']\ninput = 1\noutput = 2\n[price.'z/glm-5']\ninput = 3\noutput = 4\ncached = 0.5\n";
        std::fs::write(&path, text).expect("written");
        let prices = File::read(&path).expect("read").prices();
        let price =
            |input, output, cached, written| Some(Price { input, output, written, cached, doubles_above: None });
        assert_eq!(prices.of("gpt-6-sol"), price(1.0, 2.0, 1.0, 1.0));
        assert_eq!(prices.of("z/glm-5"), price(3.0, 4.0, 0.5, 3.0));
        assert_eq!(prices.of("gpt-6-luna"), Prices::built_in().of("gpt-6-luna"));
    }

    #[test]
    fn a_user_names_one_model_or_several() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("config.toml");
        for (text, wanted) in
            [("model = 'a/b'", Some(vec!["a/b"])), ("model = ['a/b', 'c/d']", Some(vec!["a/b", "c/d"])), ("", None)]
        {
            std::fs::write(&path, text).expect("written");
            let named = File::read(&path).expect("read").model;
            assert_eq!(named, wanted.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>()), "{text}");
        }
    }

    #[test]
    fn a_repository_can_only_lower_a_cap() {
        let repository = File { max_cost: Some(5.0), ..File::default() };
        let user = File { max_cost: Some(1.0), ..File::default() };
        assert_eq!(repository.over(user).max_cost, Some(1.0));
    }

    #[test]
    fn no_file_is_an_empty_one() {
        assert_eq!(File::read(Path::new("/nowhere/heal.toml")).expect("empty"), File::default());
    }
}
