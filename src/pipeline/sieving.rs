//! Sieving: candidates of rules are tried in forks of a warm test process, so
//! that only those go on trial that may pass.
//!
//! Discards; judges nothing. What the sieve cannot tell goes on trial as if it
//! had never been there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;

use super::PipelineError;
use super::hunt::GRACE;
use super::hunt::Hunt;
use super::prepare;
use crate::event::Event;
use crate::event::Undecided;
use crate::outcome::Status;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::propose::rules;
use crate::verify::Trials;
use crate::verify::sieve;
use crate::verify::sieve::Sieved;
use crate::verify::sieve::Sifting;

/// What the rules may cost where their candidates are sieved.
pub const RULES: rules::Config = rules::Config { max_candidates: 4_000, max_suspects: 12, max_bytes: 256 << 20 };

/// Wall time for all candidates of one failure, after the tests have started.
const TIME: Duration = Duration::from_secs(30);

/// Wall time for the gates that run nothing: of a large file each candidate
/// costs some milliseconds to read.
const SCREENING: Duration = Duration::from_secs(6);

/// The likeliest candidates are sieved first, so that their trials begin.
const FIRST: usize = 120;

/// Reasons told of why candidates were not decided.
const REASONS: usize = 3;

/// Candidates for which a second test process is worth its start.
const SHARE: usize = 40;

impl Hunt<'_> {
    /// Whether candidates of rules are sieved at all.
    pub(super) fn sieves(&self) -> bool {
        sieve::obstacle(&self.prepared.bench, &self.case.aim).is_none()
    }

    /// Sieves `candidates` and proposes those that are worth a trial: what
    /// passes as soon as it is known, then what the sieve knows nothing of, as
    /// far as that would have been tried without it. Trials go on meanwhile.
    ///
    /// # Errors
    /// The tests cannot be run, or the run is to stop.
    pub(super) async fn propose_sieved(&mut self, mut candidates: Vec<Candidate>) -> Result<(), PipelineError> {
        let began = Instant::now();
        let mut found = Found::default();
        let mut open = Vec::new();
        let (mut ranked, mut off) = (0, false);
        while !candidates.is_empty() {
            let rest = if ranked == 0 { candidates.split_off(candidates.len().min(FIRST)) } else { Vec::new() };
            let most = self.rules.max_candidates.saturating_sub(ranked);
            ranked += candidates.len();
            if off {
                // What kept the first ones from being sieved keeps these too.
                open.extend(candidates.into_iter().take(most));
            } else {
                let some = self.sift(Arc::new(candidates), &mut found).await?;
                off = found.off.is_some();
                let Worth { passed, others } = some;
                let before = self.next_id;
                self.propose("rules", passed);
                self.passers.extend((before + 1..=self.next_id).map(|number| format!("c{number}")));
                open.extend(others.into_iter().filter(|(rank, _)| *rank < most).map(|(_, candidate)| candidate));
            }
            candidates = rest;
        }
        self.ended.counts.proposed += found.discarded;
        self.ended.counts.tried += found.discarded;
        self.changed_in_the_sieve |= found.changed;
        self.tools.events.emit(Event::Sieved {
            candidates: found.sieved,
            passed: found.passed,
            discarded: found.discarded,
            undecided: found.reasons(),
            off: found.off,
            seconds: began.elapsed().as_secs_f64(),
        });
        self.propose("rules", open);
        Ok(())
    }

    async fn sift(&mut self, candidates: Arc<Vec<Candidate>>, found: &mut Found) -> Result<Worth, PipelineError> {
        let shares = self.jobs.min(candidates.len().div_ceil(SHARE)).max(1);
        // A model that may know more does not wait for long.
        let time = if self.settings.offline || self.settings.models.is_empty() { TIME } else { GRACE };
        let near = Arc::new(self.beside_target(|status| status == Status::Passed));
        let mut tasks = JoinSet::new();
        for share in 0..shares {
            let (bench, pool, trials) = (self.prepared.bench.clone(), self.prepared.pool.clone(), self.crew.trials());
            let (aim, near, candidates) = (self.case.aim.clone(), near.clone(), candidates.clone());
            tasks.spawn(async move {
                let mut scratch = prepare::take(&pool).await?;
                let screened = candidates.clone();
                let own = tokio::task::spawn_blocking(move || allowed(&trials, &screened, share, shares)).await;
                let own = own.map_err(|error| PipelineError::Worker(error.to_string()))?;
                let patches: Vec<&Patch> = own.iter().map(|index| &candidates[*index].patch).collect();
                let sifting = sieve::sift(&bench, &mut *scratch, &aim, &near, &patches, time).await?;
                Ok::<_, PipelineError>((own, sifting))
            });
        }
        let mut sieved = vec![Sieved::Unclear; candidates.len()];
        while !tasks.is_empty() {
            // Also where a patch has verified: its rivals are to be known.
            tokio::select! {
                joined = tasks.join_next() => if let Some(joined) = joined {
                    let (own, sifting) = joined.map_err(|error| PipelineError::Worker(error.to_string()))??;
                    found.take(&own, sifting, &mut sieved);
                },
                result = self.next_result(None) => if let Some(tried) = result? {
                    self.record(tried);
                }
            }
        }
        Ok(Worth::of(Arc::unwrap_or_clone(candidates), &sieved))
    }
}

/// The candidates of a share that may be run at all: what policy refuses is
/// never run, not even in a scratch. Who is not looked at in time is not
/// sieved.
fn allowed(trials: &Trials, candidates: &[Candidate], share: usize, shares: usize) -> Vec<usize> {
    let until = Instant::now() + SCREENING;
    let own = (share..candidates.len()).step_by(shares).take_while(|_| Instant::now() < until);
    own.filter(|index| !trials.refuses(&candidates[*index].patch)).collect()
}

/// What the sieves found, all shares together.
#[derive(Default)]
struct Found {
    sieved: usize,
    passed: usize,
    discarded: usize,
    /// Whether a candidate changed how the target fails.
    changed: bool,
    off: Option<String>,
    /// Candidates that were not decided, by the reason.
    undecided: BTreeMap<String, usize>,
}

impl Found {
    /// Takes in what is known of the candidates `own`.
    fn take(&mut self, own: &[usize], sifting: Sifting, all: &mut [Sieved]) {
        self.off = self.off.take().or(sifting.off);
        for (index, (sieved, word)) in own.iter().zip(sifting.found) {
            all[*index] = sieved;
            self.sieved += 1;
            self.passed += usize::from(sieved == Sieved::Passed);
            self.discarded += usize::from(sieved.is_discarded());
            self.changed |= matches!(sieved, Sieved::Passed | Sieved::Failed);
            if matches!(sieved, Sieved::Unclear | Sieved::Unsuitable) && !word.is_empty() {
                *self.undecided.entry(word).or_default() += 1;
            }
        }
    }

    /// The commonest reasons.
    fn reasons(&self) -> Vec<Undecided> {
        let mut reasons: Vec<Undecided> =
            self.undecided.iter().map(|(why, count)| Undecided { why: why.clone(), candidates: *count }).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.candidates));
        reasons.truncate(REASONS);
        reasons
    }
}

/// The candidates that are worth a trial, in their order.
struct Worth {
    passed: Vec<Candidate>,
    /// Those that the sieve could not tell, with their place among all.
    others: Vec<(usize, Candidate)>,
}

impl Worth {
    fn of(candidates: Vec<Candidate>, sieved: &[Sieved]) -> Worth {
        let mut worth = Worth { passed: Vec::new(), others: Vec::new() };
        for (rank, (candidate, sieved)) in candidates.into_iter().zip(sieved).enumerate() {
            match sieved {
                Sieved::Passed => worth.passed.push(candidate),
                Sieved::Same | Sieved::Failed => {}
                Sieved::Unclear | Sieved::Unsuitable => worth.others.push((rank, candidate)),
            }
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::Origin;

    fn candidate(id: &str) -> Candidate {
        Candidate {
            id: id.into(),
            origin: Origin { kind: "rule".into(), name: "r".into() },
            patch: Patch::default(),
            explanation: String::new(),
            prior: 1.0,
        }
    }

    #[test]
    fn only_what_fails_is_left_out() {
        let mut found = Found::default();
        let mut sieved = vec![Sieved::Unclear; 7];
        let word = |sieved| (sieved, format!("{sieved:?}"));
        let some = vec![word(Sieved::Failed), word(Sieved::Passed), word(Sieved::Same)];
        found.take(&[1, 3, 5], Sifting { found: some, off: None }, &mut sieved);
        assert!(found.changed);
        let some = vec![word(Sieved::Unsuitable), word(Sieved::Unclear)];
        found.take(&[4, 0], Sifting { found: some, off: Some("why".into()) }, &mut sieved);
        assert_eq!((found.sieved, found.passed, found.discarded, found.off.as_deref()), (5, 1, 2, Some("why")));
        found.take(&[0], Sifting { found: vec![word(Sieved::Unclear)], off: None }, &mut sieved);
        let told: Vec<(String, usize)> =
            found.reasons().into_iter().map(|reason| (reason.why, reason.candidates)).collect();
        assert_eq!(told, [("Unclear".to_owned(), 2), ("Unsuitable".to_owned(), 1)]);
        let candidates = ["a", "b", "c", "d", "e", "f", "g"].map(candidate).to_vec();
        let worth = Worth::of(candidates, &sieved);
        let passed: Vec<&str> = worth.passed.iter().map(|candidate| candidate.id.as_str()).collect();
        let others: Vec<(usize, &str)> =
            worth.others.iter().map(|(rank, candidate)| (*rank, candidate.id.as_str())).collect();
        // `c` and `g` were refused before they could be sieved: they go on to
        // be told so.
        assert_eq!((passed, others), (vec!["d"], vec![(0, "a"), (2, "c"), (4, "e"), (6, "g")]));
    }
}
