//! GitLab's REST API, version 4
//! (<https://docs.gitlab.com/api/merge_requests/>,
//! <https://docs.gitlab.com/api/notes/>,
//! <https://docs.gitlab.com/api/branches/>).
//!
//! Composes and reads; sends nothing. A draft is a request whose title begins
//! with `Draft: `. A job's own token may not open requests
//! (<https://docs.gitlab.com/ci/jobs/ci_job_token/>).

use serde_json::Value;
use serde_json::json;

use super::Call;
use super::Comment;
use super::Dialect;
use super::Found;
use super::Opening;
use super::Tip;
use super::basic;
use super::segment;
use super::tip;
use crate::http::HeaderText;
use crate::http::Method;
use crate::http::Secret;

/// A project on GitLab.
#[derive(Debug)]
pub(super) struct Gitlab {
    /// Its number or its path, as one segment.
    id: String,
}

impl Gitlab {
    pub(super) fn new(name: &str) -> Gitlab {
        Gitlab { id: segment(name) }
    }

    fn path(&self, rest: &str) -> String {
        format!("/projects/{}/{rest}", self.id)
    }
}

impl Dialect for Gitlab {
    fn headers(&self, token: &Secret) -> Vec<(String, HeaderText)> {
        vec![("private-token".into(), token.clone().into())]
    }

    fn push_authorization(&self, token: &Secret) -> Secret {
        basic("oauth2", token)
    }

    fn list(&self, base: Option<&str>, open: bool, page: usize) -> Call {
        let state = if open { "opened" } else { "all" };
        let base = base.map(|base| format!("&target_branch={}", segment(base))).unwrap_or_default();
        let order = "&order_by=updated_at&sort=desc";
        let size = self.page_size();
        Call::get(self.path(&format!("merge_requests?state={state}{base}{order}&per_page={size}&page={page}")))
    }

    fn read_list(&self, answer: &Value) -> Option<(Vec<Found>, usize)> {
        let all = answer.as_array()?;
        let own = all.iter().filter(|request| {
            let (from, to) = (request["source_project_id"].as_u64(), request["target_project_id"].as_u64());
            from.is_some() && from == to
        });
        Some((own.filter_map(|request| self.read_request(request)).collect(), all.len()))
    }

    fn branch(&self, name: &str) -> Call {
        Call::get(self.path(&format!("repository/branches/{}", segment(name))))
    }

    fn read_branch(&self, answer: &Value) -> Option<Tip> {
        tip(answer)
    }

    fn open(&self, opening: &Opening<'_>) -> Call {
        let title = if opening.draft { format!("Draft: {}", opening.title) } else { opening.title.to_owned() };
        let body = json!({
            "title": title,
            "description": opening.body,
            "source_branch": opening.branch,
            "target_branch": opening.base,
            "remove_source_branch": true,
        });
        Call::with(Method::Post, self.path("merge_requests"), body)
    }

    fn read_request(&self, answer: &Value) -> Option<Found> {
        Some(Found {
            number: answer["iid"].as_u64()?,
            url: answer["web_url"].as_str()?.to_owned(),
            branch: answer["source_branch"].as_str()?.to_owned(),
            base: answer["target_branch"].as_str()?.to_owned(),
            body: answer["description"].as_str().unwrap_or_default().to_owned(),
            merged: answer["state"] == "merged",
        })
    }

    fn rewrite(&self, number: u64, body: &str) -> Call {
        Call::with(Method::Put, self.path(&format!("merge_requests/{number}")), json!({ "description": body }))
    }

    fn close(&self, number: u64, body: &str) -> Call {
        let body = json!({ "state_event": "close", "description": body });
        Call::with(Method::Put, self.path(&format!("merge_requests/{number}")), body)
    }

    fn comments(&self, number: u64, page: usize) -> Call {
        let size = self.page_size();
        let rest = format!("merge_requests/{number}/notes?sort=asc&order_by=created_at&per_page={size}&page={page}");
        Call::get(self.path(&rest))
    }

    fn read_comments(&self, answer: &Value) -> Option<(Vec<Comment>, usize)> {
        let all = answer.as_array()?;
        let comment = |note: &Value| {
            Some(Comment { id: note["id"].as_u64()?, body: note["body"].as_str()?.to_owned(), url: String::new() })
        };
        Some((all.iter().filter(|note| note["system"] != true).filter_map(comment).collect(), all.len()))
    }

    fn comment(&self, number: u64, text: &str) -> Call {
        Call::with(Method::Post, self.path(&format!("merge_requests/{number}/notes")), json!({ "body": text }))
    }

    fn edit_comment(&self, number: u64, id: u64, text: &str) -> Call {
        Call::with(Method::Put, self.path(&format!("merge_requests/{number}/notes/{id}")), json!({ "body": text }))
    }

    fn find_user(&self, name: &str) -> Option<Call> {
        Some(Call::get(format!("/users?username={}", segment(name))))
    }

    fn read_user(&self, answer: &Value, name: &str) -> Option<u64> {
        let named = |user: &&Value| user["username"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name));
        answer.as_array()?.iter().find(named)?["id"].as_u64()
    }

    /// A group is nobody that could be asked.
    fn request_review(&self, number: u64, _owners: &[String], numbers: &[u64]) -> Call {
        let body = json!({ "reviewer_ids": numbers });
        Call::with(Method::Put, self.path(&format!("merge_requests/{number}")), body)
    }

    fn page_size(&self) -> usize {
        100
    }

    fn means_exists(&self, status: u16, said: &str) -> bool {
        status == 409 && said.contains("already exists")
    }

    fn noun(&self) -> &'static str {
        "merge request"
    }

    fn permission_hint(&self, _said: &str) -> String {
        "Give HEAL_TOKEN a project access token with the role Developer and the scopes `api` and `write_repository`; \
         a job's own token cannot open merge requests"
            .to_owned()
    }
}
