//! A reply becomes candidates: what it says, resolved against the files.
//!
//! Reads texts; keeps nothing but what it was given, and asks nobody.

use std::collections::HashSet;

use super::Answer;
use super::Unusable;
use super::redact::Redactor;
use super::reply;
use super::reply::SaidPatch;
use super::resolve::resolved;
use super::resolve::written;
use crate::diagnose::Diagnosis;
use crate::diagnose::Slice;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::propose::Origin;
use crate::propose::provider::Reply;
use crate::propose::provider::StopReason;
use crate::source::RelPath;

/// What the patches of one reply are read with.
pub(super) struct Reading<'a> {
    /// The model, as its candidates name it.
    pub(super) named: &'a str,
    /// The digest of the prompt.
    pub(super) digest: &'a str,
    pub(super) diagnosis: &'a Diagnosis,
    /// What is shown beside the slice.
    pub(super) seen: &'a Slice,
    /// Gives a file of the snapshot.
    pub(super) read: &'a (dyn Fn(&RelPath) -> Option<String> + Sync),
    pub(super) redactor: &'a Redactor,
    /// Digests of all patches proposed so far for the failure.
    pub(super) proposed: &'a mut HashSet<String>,
    /// Candidates read so far.
    pub(super) count: usize,
}

impl Reading<'_> {
    /// Reads the reply into `answer`.
    pub(super) fn take(&mut self, reply: &Reply, answer: &mut Answer) {
        let ended = match reply.stop {
            StopReason::Refusal => Some("the model refused to answer"),
            StopReason::Filtered => Some("the provider's filter took the answer"),
            StopReason::Empty => Some("the reply is empty"),
            StopReason::Length | StopReason::CutOff | StopReason::Done => None,
        };
        let said = reply::read(&reply.text);
        // Whole patches of an answer that a filter broke off may be on trial.
        if let Some(why) = ended.filter(|_| said.patches.is_empty()) {
            let said: String = reply.text.chars().take(200).collect();
            let reason = if said.trim().is_empty() { why.to_owned() } else { format!("{why}: {}", said.trim()) };
            answer.unusable.push(Unusable { root_cause: String::new(), change: String::new(), reason });
            return;
        }
        answer.no_fix = said.no_fix;
        answer.wanted = said.wanted;
        for (root_cause, reason) in said.unreadable {
            let reason = match reply.stop {
                StopReason::Length => {
                    format!("{reason}; the answer reached its limit of tokens: give fewer, shorter fixes")
                }
                StopReason::Filtered => format!("{reason}; the provider's filter took the rest"),
                StopReason::CutOff => format!("{reason}; the connection ended in the middle of the answer"),
                _ => reason,
            };
            answer.unusable.push(Unusable { root_cause, change: String::new(), reason });
        }
        for patch in said.patches {
            match self.candidate(&patch) {
                Ok(candidate) => answer.candidates.extend(candidate),
                Err(reason) => {
                    let (root_cause, change) = (patch.root_cause.clone(), written(&patch.change));
                    answer.unusable.push(Unusable { root_cause, change, reason });
                }
            }
        }
    }

    /// The patch as a candidate; `None` where it was proposed before, here or
    /// in an earlier call.
    pub(super) fn candidate(&mut self, said: &SaidPatch) -> Result<Option<Candidate>, String> {
        let patch: Patch = resolved(said, &[&self.diagnosis.slice, self.seen], self.read, self.redactor)?;
        if !self.proposed.insert(patch.digest()) {
            return Ok(None);
        }
        self.count += 1;
        Ok(Some(Candidate {
            id: format!("m{}.{}", &self.digest[..8], self.count),
            origin: Origin { kind: "model".to_owned(), name: self.named.to_owned() },
            patch,
            explanation: said.root_cause.chars().take(600).collect(),
            prior: 0.6 - 0.01 * (self.count.min(51) - 1) as f64,
        }))
    }
}
