//! GitHub's REST API, version 2022-11-28
//! (<https://docs.github.com/rest/pulls/pulls>,
//! <https://docs.github.com/rest/issues/comments>,
//! <https://docs.github.com/rest/branches/branches>).
//!
//! Composes and reads; sends nothing.

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
use crate::http::HeaderText;
use crate::http::Method;
use crate::http::Secret;

/// A repository on GitHub.
#[derive(Debug)]
pub(super) struct Github {
    /// `owner/name`.
    name: String,
}

impl Github {
    pub(super) fn new(name: &str) -> Github {
        Github { name: name.to_owned() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.name)
    }
}

impl Dialect for Github {
    fn headers(&self, token: &Secret) -> Vec<(String, HeaderText)> {
        vec![
            ("accept".into(), "application/vnd.github+json".into()),
            ("x-github-api-version".into(), "2022-11-28".into()),
            ("authorization".into(), Secret::new(format!("Bearer {}", token.reveal())).into()),
        ]
    }

    fn push_authorization(&self, token: &Secret) -> Secret {
        basic("x-access-token", token)
    }

    fn list(&self, base: Option<&str>, open: bool, page: usize) -> Call {
        let state = if open { "open" } else { "closed" };
        let base = base.map(|base| format!("&base={}", segment(base))).unwrap_or_default();
        let order = "&sort=updated&direction=desc";
        Call::get(self.path(&format!("pulls?state={state}{base}{order}&per_page={}&page={page}", self.page_size())))
    }

    fn read_list(&self, answer: &Value) -> Option<(Vec<Found>, usize)> {
        let all = answer.as_array()?;
        // A deleted fork has no repository.
        let own = all.iter().filter(|pull| {
            let from = pull["head"]["repo"]["full_name"].as_str();
            from.is_some_and(|from| from.eq_ignore_ascii_case(&self.name))
        });
        Some((own.filter_map(|pull| self.read_request(pull)).collect(), all.len()))
    }

    fn branch(&self, name: &str) -> Call {
        Call::get(self.path(&format!("branches/{}", segment(name))))
    }

    fn read_branch(&self, answer: &Value) -> Option<Tip> {
        Some(Tip {
            commit: answer["commit"]["sha"].as_str()?.to_owned(),
            message: answer["commit"]["commit"]["message"].as_str()?.to_owned(),
            protected: answer["protected"].as_bool().unwrap_or(false),
        })
    }

    fn open(&self, opening: &Opening<'_>) -> Call {
        let body = json!({
            "title": opening.title,
            "body": opening.body,
            "head": opening.branch,
            "base": opening.base,
            "draft": opening.draft,
            "maintainer_can_modify": true,
        });
        Call::with(Method::Post, self.path("pulls"), body)
    }

    fn read_request(&self, answer: &Value) -> Option<Found> {
        pull(answer, answer["merged_at"].is_string())
    }

    fn rewrite(&self, number: u64, body: &str) -> Call {
        Call::with(Method::Patch, self.path(&format!("pulls/{number}")), json!({ "body": body }))
    }

    fn close(&self, number: u64, body: &str) -> Call {
        let body = json!({ "state": "closed", "body": body });
        Call::with(Method::Patch, self.path(&format!("pulls/{number}")), body)
    }

    fn comments(&self, number: u64, page: usize) -> Call {
        Call::get(self.path(&format!("issues/{number}/comments?per_page={}&page={page}", self.page_size())))
    }

    fn read_comments(&self, answer: &Value) -> Option<(Vec<Comment>, usize)> {
        let all = answer.as_array()?;
        Some((all.iter().filter_map(issue_comment).collect(), all.len()))
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
        100
    }

    fn means_exists(&self, status: u16, said: &str) -> bool {
        status == 422 && said.contains("already exists")
    }

    fn noun(&self) -> &'static str {
        "pull request"
    }

    fn permission_hint(&self, said: &str) -> String {
        if said.contains("not permitted to create") {
            return "Tick \"Allow GitHub Actions to create and approve pull requests\" (Settings, Actions, General), \
                    or give the token of an app in HEAL_TOKEN"
                .to_owned();
        }
        "Give the job `permissions: contents: write` and `pull-requests: write`, or another token in HEAL_TOKEN"
            .to_owned()
    }
}
