//! From verified patches to what a forge is asked for.
//!
//! Composes; sends nothing.

use heal::deliver::branch::Message;
use heal::deliver::mail;
use heal::deliver::request::Order;
use heal::failure::Kind;
use heal::git::Repository;
use heal::options::ci::Ci;
use heal::patch::Patch;
use heal::report;
use heal::report::FailureReport;
use heal::report::ProposalReport;
use heal::report::RunReport;
use heal::source::RelPath;
use heal::verify::policy::rules::Applied;
use heal::verify::policy::rules::Policy;

use super::Failed;
use super::Tools;
use crate::cli::apply;

/// One verified patch and the failures it mends.
pub struct Batch {
    /// The proposal's id.
    pub proposal: String,
    /// The failing tests.
    pub tests: Vec<String>,
    /// What a forge is asked for; `None` where there is no commit to build on.
    pub order: Option<Order>,
    /// The text of a comment that carries the patch itself.
    pub comment: String,
    /// The patch as a mail for `git am`.
    pub mail: String,
    /// What names the patch's file.
    pub fingerprint: String,
    /// The files it touches.
    pub files: Vec<RelPath>,
    /// How far heal may go with it.
    pub applied: Applied,
}

/// The whole patch of a proposal, by its id.
pub type Whole<'a> = dyn Fn(&str) -> Result<Patch, Failed> + 'a;

/// The patches of a run, one for all failures that the same patch mends.
/// `shown` is the report without secrets; `label` stands before every text.
pub fn of(shown: &RunReport, label: &str, ci: &Ci, rules: &Policy, whole: &Whole<'_>) -> Result<Vec<Batch>, Failed> {
    let mut groups: Vec<(Vec<&FailureReport>, &ProposalReport)> = Vec::new();
    for failure in shown.failures.iter().filter(|failure| failure.is_verified()) {
        let Some(best) = failure.proposals.first() else { continue };
        match groups.iter_mut().find(|(_, proposal)| proposal.diff == best.diff) {
            Some((failures, _)) => failures.push(failure),
            None => groups.push((vec![failure], best)),
        }
    }
    groups.iter().map(|(failures, proposal)| batch(shown, label, failures, proposal, ci, rules, whole)).collect()
}

fn batch(
    report: &RunReport,
    label: &str,
    failures: &[&FailureReport],
    proposal: &ProposalReport,
    ci: &Ci,
    rules: &Policy,
    whole: &Whole<'_>,
) -> Result<Batch, Failed> {
    let patch = whole(&proposal.id)?;
    let kinds: Vec<Kind> = failures.iter().map(|failure| failure.kind).collect();
    let message = message(report, failures, proposal);
    let mut fingerprints: Vec<String> = failures.iter().map(|failure| failure.fingerprint.clone()).collect();
    // They name a branch and a file.
    fingerprints.retain(|one| !one.is_empty() && one.len() <= 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    fingerprints.dedup();
    let fingerprint = fingerprints.first().cloned().unwrap_or_else(|| patch.digest());
    let tests: Vec<String> = failures.iter().map(|failure| failure.id.clone()).collect();
    // A request's own last commit: what is checked out may be a merge that is
    // on no branch.
    let parent = ci.request().and(ci.commit.clone()).or_else(|| report.base.commit.clone());
    let date = jiff::fmt::rfc2822::to_string(&jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC));
    let text = |with_diff| format!("{label}{}", report::request::body(report, failures, proposal, with_diff));
    Ok(Batch {
        proposal: proposal.id.clone(),
        mail: mail::compose(&patch, &message, &date.map_err(Failed::own)?),
        comment: text(true),
        applied: rules.applied(patch.files(), &kinds),
        files: patch.files().into_iter().cloned().collect(),
        order: parent.filter(|_| !fingerprints.is_empty()).map(|parent| Order {
            fingerprints,
            tests: tests.clone(),
            title: report::request::title(failures),
            body: text(false),
            message: message.render(),
            patch,
            parent,
        }),
        fingerprint,
        tests,
    })
}

/// The whole patch of a proposal of this run, from its record.
pub fn recorded(id: &str, tools: &Tools, repository: &Repository) -> Result<Patch, Failed> {
    let stored = tools.ledger.proposal(id).map_err(Failed::ledger)?;
    apply::whole(repository.root(), &stored.patch)
}

/// What the commit of a proposal says.
pub fn message(report: &RunReport, failures: &[&FailureReport], proposal: &ProposalReport) -> Message {
    let first = failures.first();
    Message {
        failure: first.map(|failure| failure.id.clone()).unwrap_or_default(),
        fingerprint: first.map(|failure| failure.fingerprint.clone()).unwrap_or_default(),
        explanation: proposal.explanation.clone(),
        run: report.run.clone(),
        source: format!("{} {}", proposal.source.kind, proposal.source.name),
        evidence: report::evidence_line(&proposal.evidence),
        ledger: report.ledger.head.clone(),
    }
}
