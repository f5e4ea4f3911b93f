//! A case: one cluster of failures with its diagnosis, and the rows of the
//! report it ends as.
//!
//! Joins data of the stages; runs nothing.

use std::sync::Arc;

use super::Tools;
use super::ended::Ended;
use super::prepare::Past;
use super::prepare::Prepared;
use super::prepare::recent_changes;
use super::reason::Reason;
use super::survey::Survey;
use crate::detect::Reproduction;
use crate::detect::reproduce;
use crate::diagnose;
use crate::diagnose::Diagnosis;
use crate::diagnose::Suspect;
use crate::event::Event;
use crate::failure::Failure;
use crate::language;
use crate::report::Counts;
use crate::report::FailureReport;
use crate::report::Location;
use crate::report::ProposalReport;
use crate::report::Reproduced;
use crate::runner;
use crate::source::Lines;
use crate::source::RelPath;
use crate::verify::special::Literals;
use crate::verify::target::Aim;

/// A cluster of failures and where its fault probably is.
pub struct Case {
    /// What a patch must cure.
    pub aim: Arc<Aim>,
    /// Where the fault probably is.
    pub diagnosis: Diagnosis,
    /// Where its failing tests are defined, where that is known.
    pub tests: Vec<runner::TestPlace>,
    /// What the compiler would change.
    pub suggestions: Vec<runner::Suggestion>,
}

impl Case {
    /// Diagnoses the cluster of `members`; `None` for no members.
    pub fn diagnose(prepared: &Prepared, survey: &Survey, members: Vec<Reproduction>) -> Option<Case> {
        let failures: Vec<Failure> = members.iter().map(|member| member.failure.clone()).collect();
        let selection = reproduce::selection_of(&survey.first, &members);
        let places = failures.iter().filter_map(|failure| survey.places.get(&failure.id));
        let tests: Vec<_> = places.cloned().collect();
        let executed: Vec<_> = members.iter().map(|member| member.executed.clone()).collect();
        let is_member = |id: &str| failures.iter().any(|failure| failure.id == id);
        let others = survey.reproductions.iter().filter(|other| !is_member(&other.failure.id));
        let beside: Vec<_> = others.map(|other| other.executed.clone()).collect();
        let files = prepared.snapshot.files();
        let recent = recent_changes(&prepared.repository, &prepared.snapshot);
        let past = Past::before_recent(&prepared.repository, &prepared.snapshot);
        let evidence = diagnose::Evidence {
            texts: &*prepared.snapshot,
            files: &files,
            failures: &failures,
            executed: &executed,
            beside: &beside,
            passing: &survey.spectrum,
            tests: &tests,
            recent: &recent,
            earlier: past.as_ref().map(|past| past as &dyn diagnose::Texts),
            rerun: members.first().map(Into::into),
            root: prepared.bench.project.root.clone(),
        };
        let diagnosis = diagnose::diagnose(&evidence, &diagnose::Config::default())?;
        Some(Case {
            aim: Arc::new(Aim { literals: literals(prepared, survey, &failures), failures: members, selection }),
            diagnosis,
            tests,
            suggestions: survey.first.suggestions.clone(),
        })
    }

    /// The suspect that comes first: its file and its lines.
    pub fn place(&self) -> Option<(RelPath, Lines)> {
        self.diagnosis.suspects.first().map(|suspect| (suspect.path.clone(), suspect.lines))
    }

    /// What progress shows of it.
    pub fn diagnosed_event(&self) -> Event {
        Event::Diagnosed {
            id: self.diagnosis.failure.id.clone(),
            suspect: self.diagnosis.suspects.first().map(describe),
            suspects: self.diagnosis.suspects.len(),
            slice_tokens: self.diagnosis.slice.tokens,
        }
    }

    /// The rows of the report, one for each failure of the cluster; proposals
    /// stand with the first.
    pub fn rows(&self, ended: &Ended, tools: &Tools) -> Vec<FailureReport> {
        let mut rows = Vec::new();
        for (index, reproduction) in self.aim.failures.iter().enumerate() {
            let mut row = base_row(&reproduction.failure, &self.diagnosis.suspects);
            row.reproduced = Some(Reproduced { failed: reproduction.failed, runs: reproduction.runs });
            row.leads.clone_from(&ended.leads);
            row.candidates = ended.counts;
            let numbered = ended.proposals.iter().enumerate();
            row.proposals = numbered
                .map(|(n, proposal)| ProposalReport {
                    id: proposal.id.clone().unwrap_or_else(|| format!("{}.{}", tools.run, n + 1)),
                    source: proposal.origin.clone(),
                    diff: proposal.patch.diff(),
                    files: proposal.patch.files().into_iter().cloned().collect(),
                    explanation: proposal.explanation.clone(),
                    evidence: proposal.evidence.clone(),
                })
                .collect();
            match &ended.reason {
                None => row.outcome = "verified".into(),
                Some(reason) => {
                    row.outcome = "abstained".into();
                    row.reason = Some(reason.word.into());
                    row.reason_why = Some(reason.why.clone());
                }
            }
            if index > 0 {
                row.leads.clear();
            }
            rows.push(row);
        }
        rows
    }
}

/// What the failing tests give and want, as far as their code and the
/// failures show it.
pub fn literals(prepared: &Prepared, survey: &Survey, failures: &[Failure]) -> Literals {
    let mut all = Literals::default();
    for failure in failures {
        let shown =
            [failure.expected.as_deref(), failure.actual.as_deref(), failure.id.split_once('[').map(|(_, p)| p)];
        all = all.and(Literals::of_values(shown.into_iter().flatten()));
        let Some(place) = survey.places.get(&failure.id) else { continue };
        let (Some(text), Some(language)) = (prepared.text(&place.path), language::of_path(&place.path)) else {
            continue;
        };
        let parsed = language::parse(language, &text);
        let named = parsed.definitions().into_iter().find(|definition| definition.name == place.function);
        // A title that is computed is not found: then those of the whole file
        // count, which is a file of tests.
        let whole = || Lines::new(1, text.lines().count() as u32);
        let whole = (language.is_test_file)(&place.path).then(whole);
        if let Some(lines) = named.map(|definition| definition.lines).or(place.lines).or(whole) {
            all = all.and(Literals::of_test(&parsed, lines));
        }
    }
    all
}

/// A suspect in a line: `path:line symbol (reason)`.
pub fn describe(suspect: &Suspect) -> String {
    let line = suspect.hot.first().map_or(suspect.lines.start, |(line, _)| *line);
    let why = suspect.reasons.first().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}:{line} {}{why}", suspect.path, suspect.symbol)
}

/// The row of a failure that heal abstains on before any proposal.
pub fn abstained(failure: &Failure, suspects: &[Suspect], reason: Reason) -> FailureReport {
    FailureReport {
        outcome: "abstained".into(),
        reason: Some(reason.word.into()),
        reason_why: Some(reason.why),
        ..base_row(failure, suspects)
    }
}

fn base_row(failure: &Failure, suspects: &[Suspect]) -> FailureReport {
    let from_suspect = |suspect: &Suspect| Location {
        path: suspect.path.clone(),
        line: Some(suspect.hot.first().map_or(suspect.lines.start, |(line, _)| *line)),
        symbol: Some(suspect.symbol.clone()),
    };
    let from_frame = || {
        let frame = failure.location()?;
        Some(Location { path: frame.path.clone()?, line: frame.line, symbol: frame.symbol.clone() })
    };
    FailureReport {
        id: failure.id.clone(),
        kind: failure.kind,
        message: failure.message.clone(),
        expected: failure.expected.clone(),
        actual: failure.actual.clone(),
        fingerprint: failure.fingerprint(),
        location: suspects.first().map(from_suspect).or_else(from_frame),
        outcome: String::new(),
        reason: None,
        reason_why: None,
        proposals: Vec::new(),
        leads: Vec::new(),
        candidates: Counts::default(),
        suspects: suspects.iter().take(5).map(describe).collect(),
        reproduced: None,
    }
}
