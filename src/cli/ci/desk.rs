//! Hands verified patches to the forge: requests where that is permitted, a
//! comment on the failing request where it is not, and a word where neither
//! is.
//!
//! What cannot be delivered is told with what to do about it; the patch is
//! among the artifacts before anything here begins.

use std::collections::HashSet;
use std::time::Duration;

use heal::deliver::owners::Owners;
use heal::deliver::request::Forge;
use heal::deliver::request::ForgeError;
use heal::deliver::request::Found;
use heal::deliver::request::Placed;
use heal::deliver::request::Project;
use heal::deliver::request::marker;
use heal::deliver::request::place;
use heal::deliver::request::place::Desk;
use heal::deliver::request::place::PlaceError;
use heal::git::Outbox;
use heal::git::Remote;
use heal::git::Repository;
use heal::ledger::DeliveryKind;
use heal::options::Settings;
use heal::options::ci::Ci;
use heal::options::ci::Event;
use heal::report::RequestReport;
use heal::report::RunReport;
use heal::verify::policy::rules::Level;

use super::Failed;
use super::Kit;
use super::PlaceFlags;
use super::Requests;
use super::Tools;
use super::base::Base;
use super::orders::Batch;

/// How long one call of the forge may take, and all attempts of it.
pub const ATTEMPT: Duration = Duration::from_secs(30);
pub const TOTAL: Duration = Duration::from_secs(150);

/// Owners that are asked for a review at most (GitHub takes 15).
const MOST_REVIEWERS: usize = 10;

/// Where and how patches are handed over.
pub struct Plan {
    forge: Forge,
    outbox: Outbox,
    remote: Remote,
    base: String,
    draft: bool,
    /// Who reviews what.
    owners: Owners,
    /// The failing request, to comment on.
    pub request: Option<u64>,
    /// What closes a request that is done with.
    why_closed: String,
}

impl Plan {
    /// The plan that the surroundings allow; `None`, with a note, where there
    /// is no forge to speak to or none is wanted.
    ///
    /// # Errors
    /// The connection's settings cannot be used, or git refuses.
    pub fn new(
        place: &PlaceFlags,
        ci: &Ci,
        repository: &Repository,
        settings: &Settings,
        kit: &Kit,
        tree: &Base,
        report: &mut RunReport,
    ) -> Result<Option<Plan>, Failed> {
        if place.request == Requests::None {
            return Ok(None);
        }
        let mut none = |why: &str| {
            report.notes.push(format!("no request was opened: {why}"));
            Ok(None)
        };
        let (Some(kind), Some(api), Some(name)) = (ci.forge, &ci.api, &ci.project) else {
            return none("the forge is not known here; name it with --forge, --api-url and --project");
        };
        let Some(url) = &ci.remote else {
            return none("nothing says where to push; name it with --remote");
        };
        if ci.token.is_none() {
            return none("there is no token; give one in HEAL_TOKEN");
        }
        let base = match (&place.base, &ci.branch, &ci.event) {
            (Some(base), ..) => base.clone(),
            (None, Some(branch), _) => branch.clone(),
            (None, None, Event::Other { .. } | Event::Branch | _) => {
                return none("no branch is checked out; name the one that requests go to with --base");
            }
        };
        let project = Project { kind, api: api.clone(), name: name.clone(), token: ci.token.clone() };
        let forge = Forge::new(kit.forge_client(settings, api)?, project);
        let remote = Remote { url: url.clone(), authorization: forge.push_authorization() };
        let outbox = repository.outbox().map_err(|error| Failed::own(error.to_string()))?;
        let at = ci.run_url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
        let why_closed = format!("The failing tests pass on {base} now{at}, so heal has closed this.");
        let draft = place.request == Requests::Draft;
        let owners = tree.owners(kind)?;
        Ok(Some(Plan { forge, outbox, remote, base, draft, owners, request: ci.request(), why_closed }))
    }

    /// Hands over; adds to the report what became of each patch, and returns
    /// the exit code where one could not be delivered.
    pub async fn carry_out(
        &self,
        batches: &[Batch],
        passed: impl Iterator<Item = &String>,
        report: &mut RunReport,
        tools: &Tools,
    ) -> Option<i32> {
        let mut passed: HashSet<String> = passed.map(|test| marker::digest(test)).collect();
        for failure in &report.failures {
            passed.remove(&marker::digest(&failure.id));
        }
        if batches.is_empty() && passed.is_empty() {
            return None;
        }
        let open = match self.forge.open_requests(&self.base).await {
            Ok(open) => open,
            Err(error) => {
                let all: Vec<&Batch> = batches.iter().collect();
                return self.instead(&all, error.into(), report).await;
            }
        };
        let mut worst = self.close(&open, &passed, report).await;
        let mut refused: Vec<&Batch> = Vec::new();
        let mut reason = None;
        for batch in batches {
            let Some(order) = &batch.order else { continue };
            let placed = match batch.applied.level.value {
                Level::Explain | Level::Diff => {
                    report.requests.push(withheld(batch));
                    continue;
                }
                Level::Branch => self.desk().branch(order).await,
                Level::Request => self.desk().place(order, &open).await,
            };
            match placed {
                Ok(placed) => report.requests.push(self.placed(batch, placed, tools).await),
                Err(error) if error.is_permission() => {
                    refused.push(batch);
                    reason = Some(error);
                }
                Err(error) => {
                    report.requests.push(failed(&batch.tests, &error));
                    worst = Some(worst.unwrap_or(0).max(code(&error)));
                }
            }
        }
        match reason {
            Some(reason) => self.instead(&refused, reason, report).await.max(worst),
            None => worst,
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk { forge: &self.forge, outbox: &self.outbox, remote: &self.remote, base: &self.base, draft: self.draft }
    }

    async fn close(&self, open: &[Found], passed: &HashSet<String>, report: &mut RunReport) -> Option<i32> {
        match self.desk().close_mended(open, passed, &self.why_closed).await {
            Ok(closed) => {
                report.requests.extend(closed.into_iter().map(|request| RequestReport {
                    state: "closed".into(),
                    failures: Vec::new(),
                    number: Some(request.number),
                    url: request.url,
                    why: "its tests pass now".into(),
                }));
                None
            }
            Err(error) => {
                report.requests.push(failed(&[], &error));
                Some(code(&error))
            }
        }
    }

    /// Where requests are not permitted: one comment on the failing request
    /// that carries the patches.
    async fn instead(&self, batches: &[&Batch], reason: PlaceError, report: &mut RunReport) -> Option<i32> {
        let tests: Vec<String> = batches.iter().flat_map(|batch| batch.tests.clone()).collect();
        let number = self.request.filter(|_| reason.is_permission() && !batches.is_empty());
        let Some(number) = number else {
            report.requests.push(failed(&tests, &reason));
            return Some(code(&reason));
        };
        match self.comment(number, batches).await {
            Ok(request) => {
                let why = format!("a {} was not possible: {reason}. {}", self.forge.noun(), reason.hint());
                report.requests.push(RequestReport { why, ..request });
                None
            }
            Err(second) => {
                let error = PlaceError::from(second);
                report.requests.push(failed(&tests, &reason));
                report.notes.push(format!("a comment was not possible either: {error}"));
                Some(code(&reason))
            }
        }
    }

    /// Says it in a comment on request `number` alone; returns the exit code
    /// where that is not possible.
    pub async fn say(&self, number: u64, batches: &[Batch], report: &mut RunReport) -> Option<i32> {
        let batches: Vec<&Batch> = batches.iter().collect();
        if batches.is_empty() {
            return None;
        }
        match self.comment(number, &batches).await {
            Ok(request) => {
                report.requests.push(request);
                None
            }
            Err(error) => {
                let error = PlaceError::from(error);
                report.requests.push(failed(&[], &error));
                Some(code(&error))
            }
        }
    }

    /// Asks the owners of what was changed for a review of a new request; says
    /// who was asked, or why nobody was. It is worth no failed run.
    async fn ask_owners(&self, batch: &Batch, number: u64) -> String {
        let mut owners = self.owners.of(&batch.files);
        owners.truncate(MOST_REVIEWERS);
        if owners.is_empty() || !batch.applied.reviewers.value {
            return String::new();
        }
        match self.forge.request_review(number, &owners).await {
            Ok(asked) if asked.is_empty() => String::new(),
            Ok(asked) => format!("asked for a review: {}", asked.join(", ")),
            Err(error) => format!("nobody could be asked for a review: {error}"),
        }
    }

    async fn comment(&self, number: u64, batches: &[&Batch]) -> Result<RequestReport, ForgeError> {
        let text: Vec<&str> = batches.iter().map(|batch| batch.comment.as_str()).collect();
        let url = place::comment(&self.forge, number, &text.join("\n\n---\n\n")).await?;
        let failures = batches.iter().flat_map(|batch| batch.tests.clone()).collect();
        Ok(RequestReport { state: "commented".into(), failures, number: Some(number), url, why: String::new() })
    }

    async fn placed(&self, batch: &Batch, placed: Placed, tools: &Tools) -> RequestReport {
        let (state, number, url, why) = match placed {
            Placed::Opened { number, url } => {
                let why = self.ask_owners(batch, number).await;
                ("opened", Some(number), url, why)
            }
            Placed::Branched { branch, pushed } => {
                let what = if pushed { "is pushed" } else { "stands there already" };
                let by = &batch.applied.level.by;
                ("branched", None, String::new(), format!("{branch} {what}; heal may open no request for it ({by})"))
            }
            Placed::Updated { number, url, pushed: true } => ("updated", Some(number), url, String::new()),
            Placed::Updated { number, url, pushed: false } => {
                ("unchanged", Some(number), url, "the same patch stands there already".to_owned())
            }
            Placed::Left { why } => ("left", None, String::new(), why),
        };
        if matches!(state, "opened" | "updated" | "branched") {
            // The record of where a patch went is worth no lost request.
            let what = if url.is_empty() { &why } else { &url };
            let _ = tools.ledger.record_delivery(&batch.proposal, DeliveryKind::Branch, what, &[]);
            tools.events.emit(heal::event::Event::Delivered { proposal: batch.proposal.clone(), what: what.clone() });
        }
        RequestReport { state: state.into(), failures: batch.tests.clone(), number, url, why }
    }
}

/// What the policy keeps among the artifacts.
fn withheld(batch: &Batch) -> RequestReport {
    let level = &batch.applied.level;
    RequestReport {
        state: "withheld".into(),
        failures: batch.tests.clone(),
        number: None,
        url: String::new(),
        why: format!("the patch is among the artifacts; heal may push nothing for it ({})", level.by),
    }
}

fn failed(tests: &[String], error: &PlaceError) -> RequestReport {
    RequestReport {
        state: "failed".into(),
        failures: tests.to_vec(),
        number: None,
        url: String::new(),
        why: format!("{error}. {}", error.hint()),
    }
}

/// 2 where the user has to permit or set something, 70 where the forge is out
/// of order.
fn code(error: &PlaceError) -> i32 {
    let (PlaceError::Forge(source) | PlaceError::Half { source, .. }) = error else {
        return if error.is_permission() { 2 } else { 70 };
    };
    if source.is_permission() || matches!(source, ForgeError::Refused { .. }) { 2 } else { 70 }
}
