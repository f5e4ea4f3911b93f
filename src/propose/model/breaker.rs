//! Which models rest because they fail: a circuit breaker for each.
//!
//! A model that can never answer (no key, no such model, no money) is not
//! asked again in the run; one that fails twice in a row rests for a minute,
//! and is then asked once more. Counts; asks nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::http::HttpError;
use crate::propose::provider::ProviderError;

/// Failures in a row after which a model rests.
const MOST_FAILURES: u32 = 2;
/// How long it rests.
const REST: Duration = Duration::from_secs(60);

/// A model that is not asked just now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{model}` is not asked again for now: {why}")]
pub struct Resting {
    /// The model.
    pub model: String,
    /// What it failed with.
    pub why: String,
}

/// The breakers of a run's models. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    states: Arc<Mutex<HashMap<String, State>>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    failures: u32,
    /// Until when it rests; `None` with `for_good` for the rest of the run.
    until: Option<Instant>,
    for_good: bool,
    why: String,
}

impl Breaker {
    /// Whether `model` may be asked now.
    ///
    /// # Errors
    /// It rests.
    pub fn check(&self, model: &str, now: Instant) -> Result<(), Resting> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        match states.get(model) {
            Some(state) if state.for_good || state.until.is_some_and(|until| now < until) => {
                Err(Resting { model: model.to_owned(), why: state.why.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Takes note of how a call ended.
    pub fn record(&self, model: &str, outcome: Result<(), &ProviderError>, now: Instant) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = outcome else {
            states.remove(model);
            return;
        };
        let Some(for_good) = counts(error) else { return };
        let state = states.entry(model.to_owned()).or_default();
        state.failures += 1;
        state.for_good |= for_good;
        state.why = error.to_string();
        if state.failures >= MOST_FAILURES {
            state.until = Some(now + REST);
        }
    }
}

/// Whether an error speaks against asking again: for good, for now, or
/// (`None`) not at all, since another prompt may be answered.
fn counts(error: &ProviderError) -> Option<bool> {
    match error {
        ProviderError::Auth { .. } | ProviderError::NoModel { .. } | ProviderError::Quota { .. } => Some(true),
        ProviderError::Http(
            HttpError::BadUrl { .. }
            | HttpError::PlainHttp { .. }
            | HttpError::BadHeader { .. }
            | HttpError::Setup { .. }
            | HttpError::Certificate { .. }
            | HttpError::Redirected { .. },
        ) => Some(true),
        ProviderError::Rate { .. }
        | ProviderError::Overloaded { .. }
        | ProviderError::Malformed { .. }
        | ProviderError::CutOff { .. }
        | ProviderError::Program { .. }
        | ProviderError::Http(_) => Some(false),
        ProviderError::ContextTooLong { .. }
        | ProviderError::Refused { .. }
        | ProviderError::File { .. }
        | ProviderError::NoAnswer { .. }
        | ProviderError::NotRecorded { .. }
        | ProviderError::Interrupted(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> ProviderError {
        ProviderError::Overloaded { status: 529, detail: "busy".into() }
    }

    #[test]
    fn a_model_that_fails_twice_in_a_row_rests_for_a_minute() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.record("m", Err(&busy()), now);
        breaker.record("m", Ok(()), now);
        breaker.record("m", Err(&busy()), now);
        assert_eq!(breaker.check("m", now), Ok(()));
        breaker.clone().record("m", Err(&busy()), now);
        let resting = breaker.check("m", now + Duration::from_secs(59)).expect_err("rests");
        assert_eq!(resting.to_string(), "`m` is not asked again for now: the server fails (HTTP 529): busy");
        assert_eq!(breaker.check("n", now), Ok(()), "another model does not rest");
        let later = now + Duration::from_secs(61);
        assert_eq!(breaker.check("m", later), Ok(()), "it is tried once more");
        breaker.record("m", Err(&busy()), later);
        assert!(breaker.check("m", later).is_err(), "and rests again");
    }

    #[test]
    fn a_model_that_can_never_answer_is_not_asked_again() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for error in [
            ProviderError::Auth { variable: None, detail: String::new() },
            ProviderError::Quota { detail: String::new() },
            ProviderError::Http(HttpError::Redirected { host: String::new() }),
        ] {
            let model = error.to_string();
            breaker.record(&model, Err(&error), now);
            assert!(breaker.check(&model, now + Duration::from_secs(3600)).is_err(), "{model}");
        }
    }

    #[test]
    fn a_prompt_that_is_refused_says_nothing_of_the_next() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..5 {
            breaker.record("m", Err(&ProviderError::ContextTooLong { detail: String::new() }), now);
        }
        assert_eq!(breaker.check("m", now), Ok(()));
    }
}
