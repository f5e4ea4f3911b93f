//! Speaks to a forge: sends what a [`Dialect`] composes and has it read the
//! answers.
//!
//! Decides nothing; the token goes to the API's own address alone.

use serde_json::Value;

use super::Call;
use super::Comment;
use super::Dialect;
use super::ForgeError;
use super::Found;
use super::Opening;
use super::Project;
use super::Tip;
use crate::http::Again;
use crate::http::Client;
use crate::http::Method;
use crate::http::Request;
use crate::http::Secret;

/// Pages of a list that are read.
const MOST_PAGES: usize = 20;

/// A repository on a forge, to speak to.
#[derive(Debug)]
pub struct Forge {
    client: Client,
    project: Project,
    dialect: Box<dyn Dialect>,
}

impl Forge {
    /// A forge that is spoken to through `client`.
    pub fn new(client: Client, project: Project) -> Forge {
        let dialect = project.kind.dialect(&project.name);
        Forge { client, project, dialect }
    }

    /// What this forge calls a request.
    pub fn noun(&self) -> &'static str {
        self.dialect.noun()
    }

    /// The value of git's `Authorization` header, where there is a token.
    pub fn push_authorization(&self) -> Option<Secret> {
        self.project.token.as_ref().map(|token| self.dialect.push_authorization(token))
    }

    /// The open requests to `base` that come from heal's branches of this
    /// repository.
    ///
    /// # Errors
    /// As every call here: the forge refuses, is down, or does not answer.
    pub async fn open_requests(&self, base: &str) -> Result<Vec<Found>, ForgeError> {
        let doing = "list the open requests";
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let answer = self.ask(doing, &self.dialect.list(Some(base), true, page), Again::Harmless).await?;
            let (requests, all) = self.dialect.read_list(&answer).ok_or(ForgeError::Unreadable { doing })?;
            found.extend(requests);
            if all < self.dialect.page_size() {
                break;
            }
        }
        found.retain(|request| request.base == base && request.branch.starts_with(super::PREFIX));
        Ok(found)
    }

    /// The request from `branch` to `base` that was closed last; of the
    /// closed ones the latest page is looked at.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn closed_request(&self, branch: &str, base: &str) -> Result<Option<Found>, ForgeError> {
        let doing = "list the closed requests";
        let answer = self.ask(doing, &self.dialect.list(Some(base), false, 1), Again::Harmless).await?;
        let (requests, _) = self.dialect.read_list(&answer).ok_or(ForgeError::Unreadable { doing })?;
        Ok(requests.into_iter().find(|request| request.branch == branch && request.base == base))
    }

    /// The state of a branch; `None` where there is none.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn branch(&self, name: &str) -> Result<Option<Tip>, ForgeError> {
        let doing = "look at the branch";
        match self.ask(doing, &self.dialect.branch(name), Again::Harmless).await {
            Ok(answer) => self.dialect.read_branch(&answer).map(Some).ok_or(ForgeError::Unreadable { doing }),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a request.
    ///
    /// # Errors
    /// See [`Forge::open_requests`]; also [`ForgeError::Exists`].
    pub async fn open(&self, opening: &Opening<'_>) -> Result<Found, ForgeError> {
        let doing = "open a request";
        let answer = self.ask(doing, &self.dialect.open(opening), Again::NotCarriedOut).await?;
        self.dialect.read_request(&answer).ok_or(ForgeError::Unreadable { doing })
    }

    /// Writes a request's text.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn rewrite(&self, number: u64, body: &str) -> Result<(), ForgeError> {
        self.ask("update the request", &self.dialect.rewrite(number, body), Again::Harmless).await.map(|_| ())
    }

    /// Closes a request.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn close(&self, number: u64, body: &str) -> Result<(), ForgeError> {
        self.ask("close the request", &self.dialect.close(number, body), Again::Harmless).await.map(|_| ())
    }

    /// A request's comments.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let doing = "list the comments";
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let answer = self.ask(doing, &self.dialect.comments(number, page), Again::Harmless).await?;
            let (comments, all) = self.dialect.read_comments(&answer).ok_or(ForgeError::Unreadable { doing })?;
            found.extend(comments);
            if all < self.dialect.page_size() {
                break;
            }
        }
        Ok(found)
    }

    /// Writes a comment; returns where it stands.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn comment(&self, number: u64, text: &str) -> Result<String, ForgeError> {
        let answer = self.ask("comment", &self.dialect.comment(number, text), Again::NotCarriedOut).await?;
        Ok(answer["html_url"].as_str().unwrap_or_default().to_owned())
    }

    /// Writes a comment anew.
    ///
    /// # Errors
    /// See [`Forge::open_requests`].
    pub async fn edit_comment(&self, number: u64, id: u64, text: &str) -> Result<(), ForgeError> {
        let call = self.dialect.edit_comment(number, id, text);
        self.ask("update the comment", &call, Again::Harmless).await.map(|_| ())
    }

    /// Asks `owners` for a review of a request; returns those who were asked.
    /// Who cannot be asked (a group on GitLab, another organisation's team) is
    /// left out, and one whom the forge refuses keeps no other from being asked.
    ///
    /// # Errors
    /// See [`Forge::open_requests`]; also where nobody could be asked.
    pub async fn request_review(&self, number: u64, owners: &[String]) -> Result<Vec<String>, ForgeError> {
        let doing = "ask for a review";
        let (mut known, mut numbers) = (Vec::new(), Vec::new());
        for owner in owners {
            let Some(call) = self.dialect.find_user(owner) else {
                if !owner.contains('/') || self.is_of_this(owner) {
                    known.push(owner.clone());
                }
                continue;
            };
            if owner.contains('/') {
                continue;
            }
            let answer = self.ask("look up an owner", &call, Again::Harmless).await?;
            if let Some(id) = self.dialect.read_user(&answer, owner) {
                known.push(owner.clone());
                numbers.push(id);
            }
        }
        if known.is_empty() {
            return Ok(known);
        }
        match self.ask(doing, &self.dialect.request_review(number, &known, &numbers), Again::Harmless).await {
            Ok(_) => return Ok(known),
            Err(ForgeError::Refused { .. } | ForgeError::NotFound { .. }) if known.len() > 1 => {}
            Err(error) => return Err(error),
        }
        let (mut asked, mut refused) = (Vec::new(), None);
        for (at, owner) in known.iter().enumerate() {
            let ids: Vec<u64> = numbers.get(at).copied().into_iter().collect();
            let call = self.dialect.request_review(number, std::slice::from_ref(owner), &ids);
            match self.ask(doing, &call, Again::Harmless).await {
                Ok(_) => asked.push(owner.clone()),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if asked.is_empty() => Err(error),
            _ => Ok(asked),
        }
    }

    /// Whether a team belongs to the repository's own organisation.
    fn is_of_this(&self, team: &str) -> bool {
        let of = |name: &str| name.split('/').next().unwrap_or_default().to_ascii_lowercase();
        of(team) == of(&self.project.name)
    }

    async fn ask(&self, doing: &'static str, call: &Call, again: Again) -> Result<Value, ForgeError> {
        let token = self.project.token.as_ref().ok_or(ForgeError::NoToken { doing })?;
        let url = format!("{}{}", self.project.api, call.path);
        // What reads may always be asked again.
        let again = if call.method == Method::Get { Again::Harmless } else { again };
        let headers = self.dialect.headers(token);
        let request = Request { method: call.method, url: &url, headers, body: call.body.as_ref(), again };
        let response = self.client.send(&request).await.map_err(|source| ForgeError::Http { doing, source })?;
        if !(200..300).contains(&response.status) {
            return Err(ForgeError::of(doing, &response, self.dialect.as_ref()));
        }
        serde_json::from_slice(&response.body).map_err(|_| ForgeError::Unreadable { doing })
    }
}
