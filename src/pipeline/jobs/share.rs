//! What a shard hands on, and all shards' parcels as one run.
//!
//! Joins data; runs nothing. A shard that is missing or a failure that no
//! shard took is told, and keeps the run from being called a success.

use std::collections::BTreeSet;
use std::collections::HashSet;

use serde::Deserialize;
use serde::Serialize;

use crate::options::shard::Shard;
use crate::patch::Patch;
use crate::pipeline;
use crate::pipeline::reason;
use crate::report::CutOff;
use crate::report::FailureReport;
use crate::report::RunReport;

/// The exit codes of a run that a shard is missing in, and of one with a
/// failure that only some shards saw.
const MISSING: i32 = 5;
const LOST: i32 = 3;

/// What one shard hands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// `heal.ci.shard/1`.
    pub schema: String,
    /// Which.
    pub shard: Shard,
    /// Everything that it saw fail, in the order of the suite.
    pub failing: Vec<String>,
    /// Its run.
    pub report: RunReport,
    /// Its verified patches, as they are recorded, by proposal.
    pub patches: Vec<(String, Patch)>,
    /// Tests that passed, as the runner names them.
    pub passed: Vec<String>,
}

/// All shards' work, as if it were one run's.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The report; its run and its record are still the first shard's.
    pub report: RunReport,
    /// The verified patches, as they are recorded, by proposal.
    pub patches: Vec<(String, Patch)>,
    /// Tests that passed in some shard and failed in none.
    pub passed: Vec<String>,
    /// Whether every shard is there.
    pub is_whole: bool,
}

/// Why parcels are not those of one run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JoinError {
    /// There is none.
    #[error("there is no shard's parcel to merge\n  Name the files that heal ci --shard wrote, or their folder")]
    None,
    /// One is there twice.
    #[error("the shard {shard} was given twice\n  Give the parcels of one pipeline, each once")]
    Twice {
        /// Which.
        shard: Shard,
    },
    /// They are of several runs.
    #[error("the shards are not of one run: {what}\n  Give the parcels of one pipeline")]
    Differ {
        /// How.
        what: String,
    },
}

/// Joins the shards of one run.
///
/// # Errors
/// They are not of one run.
pub fn join(mut shares: Vec<Share>) -> Result<Joined, JoinError> {
    shares.sort_by_key(|share| share.shard.index);
    check(&shares)?;
    let mut failing: Vec<String> = Vec::new();
    for id in shares.iter().flat_map(|share| &share.failing) {
        if !failing.contains(id) {
            failing.push(id.clone());
        }
    }
    let of = shares.first().map_or(1, |share| share.shard.of);
    let there: BTreeSet<usize> = shares.iter().map(|share| share.shard.index).collect();
    let missing: Vec<String> = (1..=of).filter(|index| !there.contains(index)).map(|index| index.to_string()).collect();
    let mut passed: BTreeSet<String> = shares.iter().flat_map(|share| share.passed.iter().cloned()).collect();
    passed.retain(|test| !failing.contains(test));
    let mut patches: Vec<(String, Patch)> = Vec::new();
    let mut report: Option<RunReport> = None;
    for share in shares {
        patches.extend(share.patches);
        report = Some(match report {
            None => share.report,
            Some(report) => added(report, share.report),
        });
    }
    let mut report = report.ok_or(JoinError::None)?;
    report.together = None;
    report.requests.clear();
    report.failures = ordered(std::mem::take(&mut report.failures), &failing);
    report.exit = reason::exit_code(&report, None);
    if !missing.is_empty() {
        let word = if missing.len() == 1 { "shard" } else { "shards" };
        report.notes.push(format!(
            "the {word} {} of {of} left no parcel: what was theirs is not healed, see their jobs",
            missing.join(", ")
        ));
        report.exit = report.exit.max(MISSING);
    }
    let told: HashSet<&str> = report.failures.iter().map(|row| row.id.as_str()).collect();
    let lost: Vec<&str> = failing.iter().map(String::as_str).filter(|id| !told.contains(id)).collect();
    if missing.is_empty() && !lost.is_empty() {
        report.notes.push(format!("failed in some shards only, and was taken by none: {}", lost.join(", ")));
        report.exit = report.exit.max(LOST);
    }
    if of > 1 && patches.len() > 1 {
        report.notes.push("patches of different shards were not run together".into());
    }
    Ok(Joined { report, patches, passed: passed.into_iter().collect(), is_whole: missing.is_empty() })
}

fn check(shares: &[Share]) -> Result<(), JoinError> {
    let Some(first) = shares.first() else { return Err(JoinError::None) };
    for pair in shares.windows(2) {
        if let [one, other] = pair
            && one.shard == other.shard
        {
            return Err(JoinError::Twice { shard: one.shard });
        }
    }
    for share in shares {
        let differ = |what: String| Err(JoinError::Differ { what });
        if !share.shard.is_sound() {
            return differ(format!("`{}` is no shard", share.shard));
        }
        if share.shard.of != first.shard.of {
            return differ(format!("one is {}, another {}", first.shard, share.shard));
        }
        let (one, other) = (&first.report.base.commit, &share.report.base.commit);
        if one != other {
            let name = |commit: &Option<String>| commit.clone().unwrap_or_else(|| "no commit".into());
            return differ(format!("{} is of {}, {} of {}", first.shard, name(one), share.shard, name(other)));
        }
    }
    Ok(())
}

/// Two reports as one; the work was done side by side.
fn added(mut report: RunReport, other: RunReport) -> RunReport {
    report.failures.extend(other.failures);
    for note in other.notes {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
    let (cut_off, more) = (report.cost.cut_off, other.cost.cut_off);
    report.cost = pipeline::add_cost(report.cost, other.cost);
    report.cost.cut_off = CutOff {
        calls: cut_off.calls + more.calls,
        worst_tokens: cut_off.worst_tokens.saturating_add(more.worst_tokens),
        worst_usd: cut_off.worst_usd.zip(more.worst_usd).map(|(one, other)| one + other),
    };
    report.time.total_s = report.time.total_s.max(other.time.total_s);
    report.time.model_s += other.time.model_s;
    report.time.tests_s += other.time.tests_s;
    report.time.heal_s += other.time.heal_s;
    report.runner = report.runner.or(other.runner);
    report.command = report.command.or(other.command);
    report.runner_why = report.runner_why.or(other.runner_why);
    report
}

/// The rows in the order of the suite, one for each failure: where two shards
/// took one, the verified row.
fn ordered(mut rows: Vec<FailureReport>, failing: &[String]) -> Vec<FailureReport> {
    rows.sort_by_key(|row| (failing.iter().position(|id| *id == row.id), !row.is_verified()));
    rows.dedup_by(|later, first| later.id == first.id);
    rows
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::report::Base;
    use crate::report::samples;

    /// A shard that saw `failing` and has rows for those of `own`.
    fn share(shard: &str, failing: &[&str], own: &[(&str, bool)]) -> Share {
        let mut report = samples::verified();
        let row = report.failures.remove(0);
        report.failures = own
            .iter()
            .map(|(id, verified)| {
                let mut row = FailureReport { id: (*id).to_owned(), ..row.clone() };
                if !verified {
                    row.outcome = "abstained".into();
                    row.reason = Some("none-verified".into());
                    row.proposals.clear();
                }
                row
            })
            .collect();
        let shard: Shard = shard.parse().expect("a shard");
        report.notes = vec!["said by all".into(), format!("said by {shard}")];
        Share {
            schema: "heal.ci.shard/1".into(),
            shard,
            failing: failing.iter().map(|id| (*id).to_owned()).collect(),
            report,
            patches: Vec::new(),
            passed: vec!["p".into(), "b".into()],
        }
    }

    #[test]
    fn shards_are_joined_in_the_order_of_the_suite() {
        let all = ["a", "b", "c"];
        let joined = join(vec![share("2/2", &all, &[("b", false)]), share("1/2", &all, &[("c", true), ("a", true)])])
            .expect("joined");
        let ids: Vec<&str> = joined.report.failures.iter().map(|row| row.id.as_str()).collect();
        assert_eq!((ids, joined.report.exit, joined.is_whole), (vec!["a", "b", "c"], 1, true));
        assert_eq!(joined.passed, ["p"], "what failed anywhere has not passed");
        assert_eq!(joined.report.notes, ["said by all", "said by 1/2", "said by 2/2"]);
        let one = samples::verified().cost;
        assert_eq!(joined.report.cost.calls, one.calls * 2);
    }

    #[test]
    fn what_is_missing_is_told_and_is_no_success() {
        let joined = join(vec![share("1/3", &["a"], &[("a", true)])]).expect("joined");
        assert_eq!((joined.report.exit, joined.is_whole), (5, false));
        assert!(joined.report.notes.iter().any(|note| note.contains("shards 2, 3 of 3 left no parcel")));
        let flaky = join(vec![share("1/2", &["a", "x"], &[("a", true)]), share("2/2", &["a"], &[])]).expect("joined");
        assert_eq!(flaky.report.exit, 3);
        assert!(flaky.report.notes.iter().any(|note| note.contains("taken by none: x")), "{:?}", flaky.report.notes);
    }

    #[test]
    fn a_failure_that_two_shards_took_is_told_once() {
        let joined = join(vec![share("1/2", &["a"], &[("a", false)]), share("2/2", &["a"], &[("a", true)])]);
        let report = joined.expect("joined").report;
        assert_eq!((report.failures.len(), report.failures[0].is_verified(), report.exit), (1, true, 0));
    }

    #[test]
    fn parcels_of_several_runs_are_refused() {
        let one = || share("1/2", &[], &[]);
        assert_eq!(join(Vec::new()), Err(JoinError::None));
        assert!(matches!(join(vec![one(), one()]), Err(JoinError::Twice { .. })));
        let mut other = share("2/2", &[], &[]);
        other.report.base = Base { commit: Some("beef".into()), dirty: false };
        assert!(matches!(join(vec![one(), other]), Err(JoinError::Differ { what }) if what.contains("beef")));
        assert!(matches!(join(vec![one(), share("2/3", &[], &[])]), Err(JoinError::Differ { .. })));
        let mut wild = one();
        wild.shard.index = 9;
        assert!(matches!(join(vec![wild]), Err(JoinError::Differ { .. })));
    }
}
