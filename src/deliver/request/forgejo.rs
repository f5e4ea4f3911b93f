//! The REST API of Forgejo and Gitea, version 1
//! (<https://codeberg.org/api/swagger>: `repository` and `issue`).
//!
//! Composes and reads; sends nothing. A draft is a request whose title begins
//! with `WIP: `.

use serde_json::Value;
use serde_json::json;

use super::Call;
use super::Comment;
use super::Dialect;
use super::Found;
use super::Opening;
use super::Tip;
use super::basic;
use super::issue_comment;
use super::pull;
use super::requested_reviewers;
use super::segment;
use super::tip;
use crate::http::HeaderText;
use crate::http::Method;
use crate::http::Secret;

/// A repository on Forgejo.
#[derive(Debug)]
pub(super) struct Forgejo {
    /// `owner/name`.
    name: String,
}

impl Forgejo {
    pub(super) fn new(name: &str) -> Forgejo {
        Forgejo { name: name.to_owned() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.name)
    }
}

impl Dialect for Forgejo {
    fn headers(&self, token: &Secret) -> Vec<(String, HeaderText)> {
        vec![("authorization".into(), Secret::new(format!("token {}", token.reveal())).into())]
    }

    fn push_authorization(&self, token: &Secret) -> Secret {
        basic("heal", token)
    }

    /// The API knows no filter by the base branch that every version has: it
    /// is left to the reader.
    fn list(&self, _base: Option<&str>, open: bool, page: usize) -> Call {
        let state = if open { "open" } else { "closed" };
        let size = self.page_size();
        Call::get(self.path(&format!("pulls?state={state}&sort=recentupdate&limit={size}&page={page}")))
    }

    fn read_list(&self, answer: &Value) -> Option<(Vec<Found>, usize)> {
        let all = answer.as_array()?;
        let own = all.iter().filter(|pull| {
            let (from, to) = (pull["head"]["repo_id"].as_u64(), pull["base"]["repo_id"].as_u64());
            from.is_some() && from == to
        });
        Some((own.filter_map(|pull| self.read_request(pull)).collect(), all.len()))
    }

    fn branch(&self, name: &str) -> Call {
        // Its router takes a branch's slashes as they are.
        let name: Vec<String> = name.split('/').map(segment).collect();
        Call::get(self.path(&format!("branches/{}", name.join("/"))))
    }

    fn read_branch(&self, answer: &Value) -> Option<Tip> {
        tip(answer)
    }

    fn open(&self, opening: &Opening<'_>) -> Call {
        let title = if opening.draft { format!("WIP: {}", opening.title) } else { opening.title.to_owned() };
        let body = json!({ "title": title, "body": opening.body, "head": opening.branch, "base": opening.base });
        Call::with(Method::Post, self.path("pulls"), body)
    }

    fn read_request(&self, answer: &Value) -> Option<Found> {
        pull(answer, answer["merged"].as_bool().unwrap_or(false))
    }

    fn rewrite(&self, number: u64, body: &str) -> Call {
        Call::with(Method::Patch, self.path(&format!("pulls/{number}")), json!({ "body": body }))
    }

    fn close(&self, number: u64, body: &str) -> Call {
        let body = json!({ "state": "closed", "body": body });
        Call::with(Method::Patch, self.path(&format!("pulls/{number}")), body)
    }

    fn comments(&self, number: u64, page: usize) -> Call {
        // All in one: this list has no pages.
        let _ = page;
        Call::get(self.path(&format!("issues/{number}/comments")))
    }

    fn read_comments(&self, answer: &Value) -> Option<(Vec<Comment>, usize)> {
        let all = answer.as_array()?;
        // It ends where a page is not full.
        Some((all.iter().filter_map(issue_comment).collect(), 0))
    }

    fn comment(&self, number: u64, text: &str) -> Call {
        Call::with(Method::Post, self.path(&format!("issues/{number}/comments")), json!({ "body": text }))
    }

    fn edit_comment(&self, _number: u64, id: u64, text: &str) -> Call {
        Call::with(Method::Patch, self.path(&format!("issues/comments/{id}")), json!({ "body": text }))
    }

    fn request_review(&self, number: u64, owners: &[String], _numbers: &[u64]) -> Call {
        requested_reviewers(self.path(&format!("pulls/{number}/requested_reviewers")), &self.name, owners)
    }

    fn page_size(&self) -> usize {
        50
    }

    fn means_exists(&self, status: u16, said: &str) -> bool {
        status == 409 && said.contains("already exists")
    }

    fn noun(&self) -> &'static str {
        "pull request"
    }

    fn permission_hint(&self, _said: &str) -> String {
        "Give HEAL_TOKEN an access token with the scopes `write:repository` and `write:issue`".to_owned()
    }
}
