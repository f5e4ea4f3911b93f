//! What is to be done with a verified patch on a forge, and doing it.
//!
//! One branch and one request for a failure: found again by the marker in the
//! request's text, updated where something changed, closed when its tests
//! pass. Leaves alone what a person did: commits on heal's branch, a request
//! that was closed with the same patch, a protected branch.

use std::collections::HashSet;

use super::Forge;
use super::ForgeError;
use super::Found;
use super::MOST_TEXT;
use super::Marker;
use super::Opening;
use super::Order;
use super::PREFIX;
use super::Tip;
use crate::git::GitError;
use crate::git::Outbox;
use crate::git::PushError;
use crate::git::Remote;

/// The trailer by which a commit is known as heal's own.
const OWN: &str = "\nHeal-Run: ";

/// First line of the comment on a failing request.
const COMMENT_MARK: &str = "<!-- heal/1 comment -->";

/// Everything that requests are made with.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The forge.
    pub forge: &'a Forge,
    /// Where branches are made and pushed from.
    pub outbox: &'a Outbox,
    /// Where they go.
    pub remote: &'a Remote,
    /// The branch that requests go to.
    pub base: &'a str,
    /// Whether new requests are drafts.
    pub draft: bool,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// A request was opened.
    Opened {
        /// Its number.
        number: u64,
        /// Where a person sees it.
        url: String,
    },
    /// A request that was open was brought up to date.
    Updated {
        /// Its number.
        number: u64,
        /// Where a person sees it.
        url: String,
        /// Whether its branch got another commit.
        pushed: bool,
    },
    /// A branch stands there, and no request: none was wanted.
    Branched {
        /// The branch.
        branch: String,
        /// Whether it got another commit.
        pushed: bool,
    },
    /// A person has done something about it; nothing was changed.
    Left {
        /// What, and where.
        why: String,
    },
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The forge refuses.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The branch cannot be pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The commit cannot be made.
    #[error("the patch does not stand on `{parent}`: {source}")]
    Commit {
        /// The commit it should stand on.
        parent: String,
        /// Why not.
        #[source]
        source: GitError,
    },
    /// The branch is there, the request is not.
    #[error("the branch `{branch}` is pushed, and {source}")]
    Half {
        /// The branch.
        branch: String,
        /// Why there is no request.
        #[source]
        source: ForgeError,
    },
}

impl PlaceError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            PlaceError::Forge(error) | PlaceError::Half { source: error, .. } => error.hint(),
            PlaceError::Push(error) => error.hint(),
            PlaceError::Commit { .. } => "The patch is among the artifacts; apply it by hand".into(),
        }
    }

    /// Whether it is about what the token may do: then a comment may still be
    /// possible.
    pub fn is_permission(&self) -> bool {
        match self {
            PlaceError::Forge(error) | PlaceError::Half { source: error, .. } => error.is_permission(),
            PlaceError::Push(PushError::Denied { .. } | PushError::Refused { .. } | PushError::Scheme { .. }) => true,
            PlaceError::Push(_) => false,
            PlaceError::Commit { .. } => true,
        }
    }
}

impl Desk<'_> {
    /// Carries out an order; `open` are the requests that are open now.
    ///
    /// # Errors
    /// The forge or git refuses, or does not answer. What was done before
    /// stays and is found again by the next run.
    pub async fn place(&self, order: &Order, open: &[Found]) -> Result<Placed, PlaceError> {
        let known = open.iter().find_map(|request| {
            let marker = Marker::read(&request.body)?;
            marker.is_about(&order.fingerprints).then_some((request, marker))
        });
        let first = order.fingerprints.first().map(String::as_str).unwrap_or("unnamed");
        let branch = known.as_ref().map_or_else(|| format!("{PREFIX}{first}"), |(request, _)| request.branch.clone());
        let tip = self.forge.branch(&branch).await?;
        if let Some(why) = self.hands_off(order, &branch, tip.as_ref(), known.is_some()).await? {
            return Ok(Placed::Left { why });
        }
        let marker = Marker::new(&order.fingerprints, &order.tests, &order.patch.digest(), &order.parent);
        let stands = known.as_ref().is_some_and(|(_, old)| old.patch == marker.patch && old.base == marker.base);
        let push = !(stands && tip.is_some());
        if push {
            self.push(order, &branch, tip.as_ref())?;
        }
        let body = cut(&marker.over(&order.body));
        match known {
            Some((request, _)) => self.update(request, &body, push).await,
            None => self.open(order, &branch, &body).await,
        }
    }

    /// Carries out an order that is to become a branch and no request. What
    /// stands there already is known by the commit's own trailers.
    ///
    /// # Errors
    /// As for [`Desk::place`].
    pub async fn branch(&self, order: &Order) -> Result<Placed, PlaceError> {
        let first = order.fingerprints.first().map(String::as_str).unwrap_or("unnamed");
        let branch = format!("{PREFIX}{first}");
        let tip = self.forge.branch(&branch).await?;
        if let Some(why) = self.hands_off(order, &branch, tip.as_ref(), true).await? {
            return Ok(Placed::Left { why });
        }
        let stamp = format!("Heal-Patch: {}\nHeal-Base: {}\n", order.patch.digest(), order.parent);
        let pushed = !tip.as_ref().is_some_and(|tip| tip.message.trim_end().ends_with(stamp.trim_end()));
        if pushed {
            let stamped = Order { message: format!("{}{stamp}", order.message), ..order.clone() };
            self.push(&stamped, &branch, tip.as_ref())?;
        }
        Ok(Placed::Branched { branch, pushed })
    }

    /// Why a person's word stands against the order.
    async fn hands_off(
        &self,
        order: &Order,
        branch: &str,
        tip: Option<&Tip>,
        is_open: bool,
    ) -> Result<Option<String>, ForgeError> {
        if let Some(tip) = tip {
            if tip.protected {
                return Ok(Some(format!("the branch {branch} is protected, and heal pushes to no protected branch")));
            }
            if !is_own(tip) {
                return Ok(Some(format!("the branch {branch} holds commits that are not heal's")));
            }
        }
        if is_open {
            return Ok(None);
        }
        let closed = self.forge.closed_request(branch, self.base).await?.filter(|request| !request.merged);
        let Some(closed) = closed else { return Ok(None) };
        let same =
            Marker::read(&closed.body).is_some_and(|marker| !marker.gone && marker.patch == order.patch.digest());
        Ok(same.then(|| format!("somebody has closed {} with the same patch", closed.url)))
    }

    fn push(&self, order: &Order, branch: &str, tip: Option<&Tip>) -> Result<(), PlaceError> {
        let parent = &order.parent;
        let cannot = |source| PlaceError::Commit { parent: parent.clone(), source };
        if !self.outbox.has(parent).map_err(cannot)? {
            self.outbox.fetch(self.remote, parent)?;
        }
        let commit = self.outbox.commit(parent, &order.patch, &order.message).map_err(cannot)?;
        Ok(self.outbox.push(self.remote, &commit, branch, tip.map(|tip| tip.commit.as_str()))?)
    }

    async fn update(&self, request: &Found, body: &str, pushed: bool) -> Result<Placed, PlaceError> {
        let half = |source| match pushed {
            true => PlaceError::Half { branch: request.branch.clone(), source },
            false => PlaceError::Forge(source),
        };
        self.forge.rewrite(request.number, body).await.map_err(half)?;
        Ok(Placed::Updated { number: request.number, url: request.url.clone(), pushed })
    }

    async fn open(&self, order: &Order, branch: &str, body: &str) -> Result<Placed, PlaceError> {
        let opening = Opening { title: &order.title, body, branch, base: self.base, draft: self.draft };
        let half = |source| PlaceError::Half { branch: branch.to_owned(), source };
        match self.forge.open(&opening).await {
            Ok(request) => Ok(Placed::Opened { number: request.number, url: request.url }),
            // Another run was faster, or the answer was lost on its way: a
            // request that is there is not opened again.
            Err(error) if error.may_be_done() => {
                let open = self.forge.open_requests(self.base).await.unwrap_or_default();
                match open.iter().find(|request| request.branch == branch) {
                    Some(request) => self.update(request, body, true).await,
                    None => Err(half(error)),
                }
            }
            Err(error) => Err(half(error)),
        }
    }

    /// Closes the requests all of whose tests passed; returns those, and for
    /// each whether its branch is gone too. `passed`: tests by
    /// [`super::marker::digest`]. `why` is written as a comment.
    ///
    /// # Errors
    /// The first request that could not be closed.
    pub async fn close_mended(
        &self,
        open: &[Found],
        passed: &HashSet<String>,
        why: &str,
    ) -> Result<Vec<Found>, PlaceError> {
        let mut closed = Vec::new();
        for request in open {
            let Some(marker) = Marker::read(&request.body).filter(|marker| marker.all_pass(passed)) else { continue };
            let gone = Marker { gone: true, ..marker };
            self.forge.close(request.number, &gone.over(&request.body)).await?;
            // The reason and the tidying are worth no failed run.
            let _ = self.forge.comment(request.number, why).await;
            if let Ok(Some(tip)) = self.forge.branch(&request.branch).await
                && is_own(&tip)
                && !tip.protected
            {
                let _ = self.outbox.remove(self.remote, &request.branch, &tip.commit);
            }
            closed.push(request.clone());
        }
        Ok(closed)
    }
}

/// Writes heal's one comment on the failing request, or writes it anew;
/// returns where it stands, where the forge says.
///
/// # Errors
/// The forge refuses or does not answer.
pub async fn comment(forge: &Forge, number: u64, text: &str) -> Result<String, ForgeError> {
    let text = cut(&format!("{COMMENT_MARK}\n{text}"));
    let known = forge.comments(number).await?;
    let own = known.iter().find(|comment| comment.body.lines().next().map(str::trim) == Some(COMMENT_MARK));
    if let Some(own) = own {
        match forge.edit_comment(number, own.id, &text).await {
            Ok(()) => return Ok(own.url.clone()),
            // Somebody else's, who copied it.
            Err(ForgeError::Forbidden { .. } | ForgeError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    forge.comment(number, &text).await
}

/// Whether the last commit of a branch is heal's.
fn is_own(tip: &Tip) -> bool {
    tip.message.contains(OWN)
}

/// `text` as long as every forge takes it; a fence that the cut leaves open is
/// closed.
fn cut(text: &str) -> String {
    if text.len() <= MOST_TEXT {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(MOST_TEXT - 200)];
    let kept = &kept[..kept.rfind('\n').unwrap_or(kept.len())];
    let fences = kept.lines().filter(|line| line.starts_with("```")).count();
    let close = if fences % 2 == 1 { "\n```" } else { "" };
    format!("{kept}{close}\n\nThe rest is in the report among the job's artifacts.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_heals_by_its_trailer_in_the_last_commit_alone() {
        let tip = |message: &str| Tip { commit: "c".into(), message: message.into(), protected: false };
        assert!(is_own(&tip("Fix t\n\nWhy.\n\nHeal-Run: 01J\nHeal-Failure: ab\n")));
        assert!(!is_own(&tip("Merge branch 'main' into heal/ab")));
    }

    #[test]
    fn a_text_too_long_is_cut_at_a_line_with_its_fence_closed() {
        let long = format!("start\n```diff\n{}```\nend", "+ line é\n".repeat(20_000));
        let cut = cut(&long);
        assert!(cut.len() <= MOST_TEXT && cut.contains("\n```\n\nThe rest is in the report"), "{}", cut.len());
    }
}
