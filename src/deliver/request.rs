//! Pull and merge requests: one for each failure, kept up to date, closed when
//! the failure is gone.
//!
//! [`forge`] speaks to a server, a [`Dialect`] knows its words, [`place`] decides
//! what is to be done. Pushes to branches that begin with `heal/` and to no
//! other; never touches a commit that is not heal's, and never merges.

pub mod error;
pub mod forge;
mod forgejo;
mod github;
mod gitlab;
pub mod marker;
pub mod place;

use crate::http::HeaderText;
use crate::http::Method;
use crate::http::Secret;
use crate::patch::Patch;

pub use error::ForgeError;
pub use forge::Forge;
pub use marker::Marker;
pub use place::Placed;

/// What the names of heal's branches begin with.
pub const PREFIX: &str = "heal/";

/// Bytes of a request's or a comment's text that every forge takes (GitHub
/// takes 65,536 characters, GitLab 1,048,576, Forgejo 65,535 bytes where its
/// database says TEXT).
pub const MOST_TEXT: usize = 65_000;

/// The forges heal speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ForgeKind {
    /// GitHub, and GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Forgejo, and Gitea.
    Forgejo,
}

/// A repository on a forge.
#[derive(Clone, Debug)]
pub struct Project {
    /// Whose words it speaks.
    pub kind: ForgeKind,
    /// The API's address without a slash at its end
    /// (`https://api.github.com`, `https://gitlab.com/api/v4`,
    /// `https://codeberg.org/api/v1`).
    pub api: String,
    /// `owner/name`; on GitLab also `group/sub/name` or a number.
    pub name: String,
    /// What opens the door; `None` where there is none.
    pub token: Option<Secret>,
}

/// A verified patch that wants to become a request.
#[derive(Clone, Debug)]
pub struct Order {
    /// The failures it mends, by fingerprint, the first of which names the
    /// branch. Never empty.
    pub fingerprints: Vec<String>,
    /// The tests that failed.
    pub tests: Vec<String>,
    /// The request's title.
    pub title: String,
    /// Its text, without the marker.
    pub body: String,
    /// The commit's message.
    pub message: String,
    /// The patch.
    pub patch: Patch,
    /// The commit it is built on.
    pub parent: String,
}

/// A request as a forge shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number in the repository.
    pub number: u64,
    /// Where a person sees it.
    pub url: String,
    /// The branch it comes from, of the same repository.
    pub branch: String,
    /// The branch it goes to.
    pub base: String,
    /// Its text.
    pub body: String,
    /// Whether it was merged.
    pub merged: bool,
}

/// A branch as a forge shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its last commit.
    pub commit: String,
    /// That commit's message.
    pub message: String,
    /// Whether the forge protects it.
    pub protected: bool,
}

/// A comment as a forge shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number on the server.
    pub id: u64,
    /// Its text.
    pub body: String,
    /// Where a person sees it; may be empty.
    pub url: String,
}

/// A new request.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub body: &'a str,
    /// The branch it comes from.
    pub branch: &'a str,
    /// The branch it goes to.
    pub base: &'a str,
    /// Whether it is a draft.
    pub draft: bool,
}

/// One call of a forge's API, composed.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is to be done.
    pub method: Method,
    /// After the API's address, with its query.
    pub path: String,
    /// JSON; `None` for no body.
    pub body: Option<serde_json::Value>,
}

impl Call {
    fn get(path: String) -> Call {
        Call { method: Method::Get, path, body: None }
    }

    fn with(method: Method, path: String, body: serde_json::Value) -> Call {
        Call { method, path, body: Some(body) }
    }
}

/// The words of one forge: composes calls and reads answers, does neither.
///
/// Readers give `None` for an answer that is not as documented.
pub trait Dialect: std::fmt::Debug + Send + Sync {
    /// Headers of every call.
    fn headers(&self, token: &Secret) -> Vec<(String, HeaderText)>;
    /// The value of git's `Authorization` header.
    fn push_authorization(&self, token: &Secret) -> Secret;
    /// A page of the requests to `base`, or to any; from 1.
    fn list(&self, base: Option<&str>, open: bool, page: usize) -> Call;
    /// Reads a page; requests from other repositories are left out. The number
    /// is of all that stand on the page.
    fn read_list(&self, answer: &serde_json::Value) -> Option<(Vec<Found>, usize)>;
    /// The state of a branch.
    fn branch(&self, name: &str) -> Call;
    /// Reads it.
    fn read_branch(&self, answer: &serde_json::Value) -> Option<Tip>;
    /// Opens a request.
    fn open(&self, opening: &Opening<'_>) -> Call;
    /// Reads one request.
    fn read_request(&self, answer: &serde_json::Value) -> Option<Found>;
    /// Writes a request's text.
    fn rewrite(&self, number: u64, body: &str) -> Call;
    /// Closes a request and writes its text.
    fn close(&self, number: u64, body: &str) -> Call;
    /// A page of a request's comments, from 1.
    fn comments(&self, number: u64, page: usize) -> Call;
    /// Reads comments, also a page of them; the number is of all on the page.
    fn read_comments(&self, answer: &serde_json::Value) -> Option<(Vec<Comment>, usize)>;
    /// Writes a new comment.
    fn comment(&self, number: u64, text: &str) -> Call;
    /// Writes an old comment anew.
    fn edit_comment(&self, number: u64, id: u64, text: &str) -> Call;
    /// Looks a user up, where a review can be asked for by number alone.
    fn find_user(&self, _name: &str) -> Option<Call> {
        None
    }
    /// Reads that user's number.
    fn read_user(&self, _answer: &serde_json::Value, _name: &str) -> Option<u64> {
        None
    }
    /// Asks for reviews; `numbers` are those of [`Dialect::find_user`].
    fn request_review(&self, number: u64, owners: &[String], numbers: &[u64]) -> Call;
    /// How many a page holds.
    fn page_size(&self) -> usize;
    /// Whether a refusal (its status and words) means that the request is
    /// there already.
    fn means_exists(&self, status: u16, said: &str) -> bool;
    /// What this forge calls a request: `pull request`, `merge request`.
    fn noun(&self) -> &'static str;
    /// What to do where a token may not do something.
    fn permission_hint(&self, said: &str) -> String;
}

impl ForgeKind {
    pub(super) fn dialect(self, name: &str) -> Box<dyn Dialect> {
        match self {
            ForgeKind::Github => Box::new(github::Github::new(name)),
            ForgeKind::Gitlab => Box::new(gitlab::Gitlab::new(name)),
            ForgeKind::Forgejo => Box::new(forgejo::Forgejo::new(name)),
        }
    }

    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            ForgeKind::Github => "GitHub",
            ForgeKind::Gitlab => "GitLab",
            ForgeKind::Forgejo => "Forgejo",
        }
    }
}

/// The value of git's `Authorization` header for a token of this forge.
pub fn push_authorization(kind: ForgeKind, token: &Secret) -> Secret {
    kind.dialect("").push_authorization(token)
}

/// A pull request as GitHub tells it, and Forgejo after it.
fn pull(answer: &serde_json::Value, merged: bool) -> Option<Found> {
    Some(Found {
        number: answer["number"].as_u64()?,
        url: answer["html_url"].as_str()?.to_owned(),
        branch: answer["head"]["ref"].as_str()?.to_owned(),
        base: answer["base"]["ref"].as_str()?.to_owned(),
        body: answer["body"].as_str().unwrap_or_default().to_owned(),
        merged,
    })
}

/// Asks for reviews as GitHub and Forgejo want it: users, and teams of the
/// repository's own organisation by their bare names.
fn requested_reviewers(path: String, repository: &str, owners: &[String]) -> Call {
    let organisation = repository.split('/').next().unwrap_or_default();
    let own = |team: &String| {
        let (of, name) = team.split_once('/')?;
        of.eq_ignore_ascii_case(organisation).then(|| name.to_owned())
    };
    let users: Vec<&String> = owners.iter().filter(|owner| !owner.contains('/')).collect();
    let teams: Vec<String> = owners.iter().filter_map(own).collect();
    Call::with(Method::Post, path, serde_json::json!({ "reviewers": users, "team_reviewers": teams }))
}

/// A comment as those two tell it.
fn issue_comment(answer: &serde_json::Value) -> Option<Comment> {
    Some(Comment {
        id: answer["id"].as_u64()?,
        body: answer["body"].as_str()?.to_owned(),
        url: answer["html_url"].as_str().unwrap_or_default().to_owned(),
    })
}

/// A branch as GitLab and Forgejo tell it.
fn tip(answer: &serde_json::Value) -> Option<Tip> {
    Some(Tip {
        commit: answer["commit"]["id"].as_str()?.to_owned(),
        message: answer["commit"]["message"].as_str()?.to_owned(),
        protected: answer["protected"].as_bool().unwrap_or(false),
    })
}

/// `text` as one segment of an address (RFC 3986, unreserved characters stay).
fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `user:password` as the value of an `Authorization` header (RFC 7617).
fn basic(user: &str, token: &Secret) -> Secret {
    Secret::new(format!("Basic {}", base64(format!("{user}:{}", token.reveal()).as_bytes())))
}

/// Base 64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0u32, |group, at| group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { letter as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_one_segment_and_a_token_is_basic() {
        assert_eq!(segment("heal/a b~é"), "heal%2Fa%20b~%C3%A9");
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(basic("x", &Secret::new("t")).reveal(), "Basic eDp0");
    }
}
