//! Sieving: candidates of rules are tried in forks of a warm test process, so
//! that only those go on trial that may pass.
//!
//! Discards; judges nothing. What the sieve cannot tell goes on trial as if it
//! had never been there.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;

use super::PipelineError;
use super::hunt::Hunt;
use super::prepare;
use crate::event::Event;
use crate::patch::Patch;
use crate::propose::Candidate;
use crate::propose::rules;
use crate::verify::sieve;
use crate::verify::sieve::Sieved;
use crate::verify::sieve::Sifting;

/// What the rules may cost where their candidates are sieved.
pub const RULES: rules::Config = rules::Config { max_candidates: 4_000, max_suspects: 12, max_bytes: 256 << 20 };

/// Wall time for all candidates of one failure, after the tests have started.
const TIME: Duration = Duration::from_secs(30);

/// Candidates for which a second test process is worth its start.
const SHARE: usize = 40;

impl Hunt<'_> {
    /// Whether candidates of rules are sieved at all.
    pub(super) fn sieves(&self) -> bool {
        sieve::obstacle(&self.prepared.bench, &self.case.aim).is_none()
    }

    /// The candidates that are worth a trial, in their order: first those that
    /// pass in the sieve, then those it knows nothing of, as far as those
    /// would have been tried without it. Trials of other candidates go on.
    ///
    /// # Errors
    /// The tests cannot be run, or the run is to stop.
    pub(super) async fn sift(&mut self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, PipelineError> {
        if candidates.is_empty() {
            return Ok(candidates);
        }
        let began = Instant::now();
        let candidates = Arc::new(candidates);
        // What policy refuses is never run, not even in a scratch.
        let allowed: Vec<usize> =
            (0..candidates.len()).filter(|index| !self.crew.refuses(&candidates[*index].patch)).collect();
        let shares = self.jobs.min(allowed.len().div_ceil(SHARE)).max(1);
        let mut tasks = JoinSet::new();
        for share in 0..shares {
            let (bench, pool) = (self.prepared.bench.clone(), self.prepared.pool.clone());
            let (aim, candidates) = (self.case.aim.clone(), candidates.clone());
            let own: Vec<usize> = allowed.iter().copied().skip(share).step_by(shares).collect();
            tasks.spawn(async move {
                let mut scratch = prepare::take(&pool).await?;
                let patches: Vec<&Patch> = own.iter().map(|index| &candidates[*index].patch).collect();
                let sifting = sieve::sift(&bench, &mut *scratch, &aim, &patches, TIME).await?;
                Ok::<_, PipelineError>((own, sifting))
            });
        }
        let mut found = Found::new(candidates.len());
        while !tasks.is_empty() {
            tokio::select! {
                joined = tasks.join_next() => match joined {
                    Some(Ok(done)) => {
                        let (own, sifting) = done?;
                        found.take(&own, sifting);
                    }
                    Some(Err(error)) if !error.is_cancelled() => {
                        return Err(PipelineError::Worker(error.to_string()));
                    }
                    Some(Err(_)) | None => {}
                },
                result = self.next_result(self.enough_at) => match result? {
                    Some(tried) => self.record(tried),
                    // What verified is enough: the rest need not be known.
                    None => tasks.abort_all(),
                }
            }
        }
        self.ended.counts.proposed += found.discarded;
        self.ended.counts.tried += found.discarded;
        self.changed_in_the_sieve |= found.changed;
        self.tools.events.emit(Event::Sieved {
            candidates: allowed.len(),
            passed: found.passed,
            discarded: found.discarded,
            off: found.off.clone(),
            seconds: began.elapsed().as_secs_f64(),
        });
        let candidates = Arc::try_unwrap(candidates).unwrap_or_else(|shared| (*shared).clone());
        Ok(found.keep(candidates, self.rules.max_candidates))
    }
}

/// What the sieves found, all shares together.
struct Found {
    sieved: Vec<Sieved>,
    passed: usize,
    discarded: usize,
    /// Whether a candidate changed how the target fails.
    changed: bool,
    off: Option<String>,
}

impl Found {
    fn new(candidates: usize) -> Found {
        Found { sieved: vec![Sieved::Unclear; candidates], passed: 0, discarded: 0, changed: false, off: None }
    }

    fn take(&mut self, own: &[usize], sifting: Sifting) {
        self.off = self.off.take().or(sifting.off);
        for (index, (sieved, _)) in own.iter().zip(sifting.found) {
            self.sieved[*index] = sieved;
            self.passed += usize::from(sieved == Sieved::Passed);
            self.discarded += usize::from(sieved.is_discarded());
            self.changed |= matches!(sieved, Sieved::Passed | Sieved::Failed);
        }
    }

    /// Of the others only the first `most` candidates are tried.
    fn keep(&self, candidates: Vec<Candidate>, most: usize) -> Vec<Candidate> {
        let (mut passed, mut others) = (Vec::new(), Vec::new());
        for (index, candidate) in candidates.into_iter().enumerate() {
            match self.sieved[index] {
                Sieved::Passed => passed.push(candidate),
                Sieved::Same | Sieved::Failed => {}
                Sieved::Unclear | Sieved::Unsuitable if index < most => others.push(candidate),
                Sieved::Unclear | Sieved::Unsuitable => {}
            }
        }
        passed.extend(others);
        passed
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
    fn what_passes_comes_first_and_only_what_fails_is_left_out() {
        let mut found = Found::new(7);
        let word = |sieved| (sieved, String::new());
        found.take(
            &[1, 3, 5],
            Sifting { found: vec![word(Sieved::Failed), word(Sieved::Passed), word(Sieved::Same)], off: None },
        );
        found.take(&[0, 4], Sifting { found: vec![word(Sieved::Unclear), word(Sieved::Unsuitable)], off: None });
        assert_eq!((found.passed, found.discarded, found.changed), (1, 2, true));
        let candidates: Vec<Candidate> = ["a", "b", "c", "d", "e", "f", "g"].map(candidate).to_vec();
        let ids = |most| {
            let kept = found.keep(candidates.clone(), most);
            kept.iter().map(|candidate| candidate.id.clone()).collect::<Vec<_>>().join("")
        };
        // `g` was refused before it could be sieved: it goes on to be told so.
        assert_eq!(ids(7), "daceg");
        assert_eq!(ids(3), "dac");
    }

    #[test]
    fn a_sieve_that_is_off_discards_nothing() {
        let mut found = Found::new(2);
        let found_nothing = vec![(Sieved::Unclear, String::new()); 2];
        found.take(&[0, 1], Sifting { found: found_nothing, off: Some("why".into()) });
        assert_eq!(found.keep(vec![candidate("a"), candidate("b")], 400).len(), 2);
        assert_eq!(found.off.as_deref(), Some("why"));
    }
}
