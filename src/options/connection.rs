//! `[connection.…]` of the user's configuration: how models' servers are
//! reached.
//!
//! A table is for all servers (`all`), a provider (`openrouter`) or an address
//! (`"https://gate.example/v1"`); of several that fit a server the narrower
//! one wins, key by key. Never part of a repository's file: it would say where
//! code and keys go (DECISIONS 29). Reads the certificates' file of the
//! connection that is asked for, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use super::OptionsError;
use super::duration;
use crate::http::Authorities;
use crate::http::HeaderText;
use crate::http::Proxy;
use crate::http::Secret;
use crate::http::is_header;
use crate::propose::provider::Connection;
use crate::propose::provider::ModelName;
use crate::propose::provider::PROVIDERS;
use crate::propose::provider::ProviderKind;

/// The table for every server.
const ALL: &str = "all";

/// Headers that heal composes itself, and that would break the request.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "user-agent"];

/// All tables, by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Connections {
    tables: BTreeMap<String, Table>,
    /// Where relative paths start: the folder of the file they stand in.
    #[serde(skip)]
    folder: PathBuf,
}

/// One table. Every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Table {
    api_version: Option<String>,
    auth_header: Option<String>,
    key_variable: Option<String>,
    headers: BTreeMap<String, Text>,
    proxy: Option<Text>,
    ca_file: Option<PathBuf>,
    connect_timeout: Option<String>,
    idle_timeout: Option<String>,
    timeout: Option<String>,
}

/// A text, or the environment variable that holds it: `{ env = "NAME" }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Variable(Variable),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    env: String,
}

/// Gives an environment variable; `None` where it is unset or empty.
type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Connections {
    /// These, as a file in `folder` has them, once every value was looked at
    /// that can be judged without the environment and other files.
    ///
    /// # Errors
    /// The key, what is wrong with its value, and what to write instead.
    pub(super) fn checked(mut self, folder: &Path) -> Result<Connections, String> {
        for (name, table) in &self.tables {
            let key = |key: &str| format!("`connection.{}.{key}`", quoted(name));
            let networked = PROVIDERS.iter().filter(|provider| provider.base_url.is_some());
            let provider = networked.clone().find(|provider| provider.prefix == name);
            if name != ALL && provider.is_none() && !name.contains("://") {
                let known: Vec<&str> = networked.map(|provider| provider.prefix).collect();
                let known = known.join(", ");
                return Err(format!(
                    "`connection.{name}` is no server heal knows\n  Write all, {known}, or an address in quotes"
                ));
            }
            table.check(&key)?;
            let kind = provider.map(|provider| provider.kind);
            let has_no_version = name == ALL || matches!(kind, Some(ProviderKind::Gemini | ProviderKind::Ollama));
            if table.api_version.is_some() && has_no_version {
                return Err(format!(
                    "{} means nothing there\n  Set it for anthropic, for an OpenAI dialect or for an address; Gemini's stands in --base-url",
                    key("api-version")
                ));
            }
        }
        self.folder = folder.to_path_buf();
        Ok(self)
    }

    /// The settings for `model` at `address`.
    ///
    /// # Errors
    /// A variable that is not set, or a file of certificates that cannot be
    /// used.
    pub fn of(&self, model: &ModelName, address: &str, variable: &Lookup<'_>) -> Result<Connection, OptionsError> {
        let mut connection = Connection::default();
        for (name, table) in self.fitting(model, address) {
            table.over(&mut connection, &quoted(name), &self.folder, variable)?;
        }
        Ok(connection)
    }

    /// The settings for a server that is no model's.
    ///
    /// # Errors
    /// As for [`Connections::of`].
    pub fn at(&self, address: &str, variable: &Lookup<'_>) -> Result<Connection, OptionsError> {
        let mut connection = Connection::default();
        let fits = |name: &str| name == ALL || covers(name, address);
        let mut tables: Vec<(&String, &Table)> = self.tables.iter().filter(|(name, _)| fits(name)).collect();
        tables.sort_by_key(|(name, _)| if *name == ALL { 0 } else { name.len() });
        for (name, table) in tables {
            table.over(&mut connection, &quoted(name), &self.folder, variable)?;
        }
        Ok(connection)
    }

    /// The tables that fit, the widest first.
    fn fitting<'a>(&'a self, model: &ModelName, address: &str) -> Vec<(&'a str, &'a Table)> {
        let rank = |name: &str| match name {
            ALL => Some(0),
            name if name == model.provider().prefix => Some(1),
            name => covers(name, address).then(|| 1 + name.len()),
        };
        let tables = self.tables.iter().filter_map(|(name, table)| Some((rank(name)?, name.as_str(), table)));
        let mut fitting: Vec<_> = tables.collect();
        fitting.sort_by_key(|(rank, ..)| *rank);
        fitting.into_iter().map(|(_, name, table)| (name, table)).collect()
    }

    /// The environment variables that are named: what they hold is secret.
    pub fn variables(&self) -> Vec<String> {
        let of_table = |table: &Table| {
            let texts = table.headers.values().chain(&table.proxy);
            let named = texts.filter_map(|text| match text {
                Text::Variable(variable) => Some(variable.env.clone()),
                Text::Plain(_) => None,
            });
            named.chain(table.key_variable.clone()).collect::<Vec<_>>()
        };
        self.tables.values().flat_map(of_table).collect()
    }
}

impl Table {
    fn check(&self, key: &dyn Fn(&str) -> String) -> Result<(), String> {
        let lasts = [
            ("connect-timeout", &self.connect_timeout),
            ("idle-timeout", &self.idle_timeout),
            ("timeout", &self.timeout),
        ];
        for (name, text) in lasts {
            if let Some(text) = text {
                duration::parse(text).map_err(|error| format!("{}: {error}", key(name)))?;
            }
        }
        if let Some(Text::Plain(text)) = &self.proxy {
            Proxy::parse(text).map_err(|todo| format!("{} is no address of a proxy: {todo}", key("proxy")))?;
        }
        let is_odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_');
        if let Some(version) = &self.api_version
            && (version.is_empty() || version.contains(is_odd))
        {
            return Err(format!("{} is no version: write it as its vendor does, as in 2026-10-21", key("api-version")));
        }
        if let Some(name) = &self.auth_header {
            check_header(&key("auth-header"), name, None)?;
        }
        for (name, text) in &self.headers {
            let value = match text {
                Text::Plain(value) => Some(value.as_str()),
                Text::Variable(_) => None,
            };
            check_header(&key(&format!("headers.{}", quoted(name))), name, value)?;
        }
        Ok(())
    }

    /// Puts these settings over wider ones.
    fn over(
        &self,
        wider: &mut Connection,
        name: &str,
        folder: &Path,
        variable: &Lookup<'_>,
    ) -> Result<(), OptionsError> {
        let key = |key: &str| format!("`connection.{name}.{key}`");
        let texts = [
            (&self.api_version, &mut wider.api_version),
            (&self.auth_header, &mut wider.auth_header),
            (&self.key_variable, &mut wider.key_variable),
        ];
        for (own, wide) in texts {
            *wide = own.clone().or(wide.take());
        }
        let lasts = [
            (&self.connect_timeout, &mut wider.connect_timeout),
            (&self.idle_timeout, &mut wider.idle_timeout),
            (&self.timeout, &mut wider.timeout),
        ];
        for (own, wide) in lasts {
            *wide = own.as_deref().and_then(|text| duration::parse(text).ok()).or(*wide);
        }
        for (header, text) in &self.headers {
            let named = key(&format!("headers.{}", quoted(header)));
            let value = text.read(&named, variable)?;
            let bad = || wrong(format!("{named} holds a character that no header may hold"), "Check its value.");
            if !is_header(header, Some(value.reveal())) {
                return Err(bad());
            }
            let value = match text {
                Text::Plain(plain) => HeaderText::from(plain.trim()),
                Text::Variable(_) => value.into(),
            };
            wider.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(header));
            wider.headers.push((header.clone(), value));
        }
        if let Some(text) = &self.proxy {
            let address = text.read(&key("proxy"), variable)?;
            let no = |todo: &str| wrong(format!("{} is no address of a proxy", key("proxy")), todo);
            wider.proxy = Proxy::parse(address.reveal()).map_err(no)?;
        }
        if let Some(file) = &self.ca_file {
            let path = at(file, folder, variable);
            let no = |why: String| {
                let what = format!("{} names `{}`, which cannot be used: {why}", key("ca-file"), path.display());
                wrong(what, "Give the path of a PEM file that holds the certificates of your authority.")
            };
            let pem = std::fs::read(&path).map_err(|error| no(error.to_string()))?;
            wider.authorities = Authorities::read(&pem).map_err(no)?;
        }
        Ok(())
    }
}

impl Text {
    /// The text itself; whether it is secret is for the caller to know.
    fn read(&self, key: &str, variable: &Lookup<'_>) -> Result<Secret, OptionsError> {
        match self {
            Text::Plain(text) => Ok(Secret::new(text)),
            Text::Variable(Variable { env }) => variable(env).map(Secret::new).ok_or_else(|| {
                wrong(format!("{key} is what {env} holds, and {env} is not set"), "Set it, or take the key out.")
            }),
        }
    }
}

fn wrong(what: String, hint: impl Into<String>) -> OptionsError {
    OptionsError::Value { what, hint: hint.into() }
}

fn check_header(key: &str, name: &str, value: Option<&str>) -> Result<(), String> {
    if !is_header(name, None) {
        return Err(format!("{key}: `{}` is no name of a header: write letters, digits and hyphens", name.trim()));
    }
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(format!("{key}: `{name}` is a header that heal sets itself: take it out"));
    }
    if !is_header(name, value) {
        return Err(format!("{key} holds a character that no header may hold: write plain text in one line"));
    }
    Ok(())
}

/// Whether `address` is the one that a table names, or lies below it.
fn covers(name: &str, address: &str) -> bool {
    let name = name.trim_end_matches('/');
    let rest = name.contains("://").then(|| address.strip_prefix(name)).flatten();
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A key as TOML wants it written.
fn quoted(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { format!("\"{name}\"") }
}

/// The path that is meant: relative ones start in `folder`, `~` is `HOME`.
fn at(file: &Path, folder: &Path, variable: &Lookup<'_>) -> PathBuf {
    match (file.strip_prefix("~"), variable("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => folder.join(file),
    }
}

#[cfg(test)]
mod tests;
