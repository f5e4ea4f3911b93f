//! Endless or merely slow: what ran into its first deadline gets its full time
//! once, in a scratch of its own, while the rest of the run goes on.
//!
//! Tells; decides nothing. Nothing that hangs on the answer may be called
//! verified before it is there.

use std::time::Duration;

use tokio::sync::watch;

use super::PipelineError;
use super::prepare;
use crate::detect::Bench;
use crate::failure::Kind;
use crate::interrupt::Stop;
use crate::runner::Report;
use crate::runner::Selection;
use crate::scratch::Pool;

/// What the full time showed.
#[derive(Clone, Debug)]
enum Answer {
    /// They do not end.
    Endless,
    /// One of them ends.
    Slow,
    /// The run is to stop.
    Stopped(Stop),
    /// The tests could not be run.
    Stuck(String),
}

/// Tests that get their full time beside the rest of the run. Given up when
/// dropped.
pub struct Settling {
    answer: watch::Receiver<Option<Answer>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Settling {
    /// Nothing ran into a deadline.
    pub fn nothing() -> Settling {
        Settling { answer: watch::channel(Some(Answer::Endless)).1, task: None }
    }

    /// Gives the tests `ids` the time `full` each, one after the other. Of
    /// several forms of one test (parameters) the first stands for all.
    pub fn start(bench: Bench, pool: Pool, ids: &[String], full: Duration) -> Settling {
        let mut spokesmen: Vec<String> = Vec::new();
        for id in ids {
            if !spokesmen.iter().any(|other| without_parameters(other) == without_parameters(id)) {
                spokesmen.push(id.clone());
            }
        }
        let (sender, answer) = watch::channel(None);
        let task = tokio::spawn(async move {
            let answer = match settle(&bench, &pool, spokesmen, full).await {
                Ok(answer) => answer,
                Err(PipelineError::Stopped(stop)) => Answer::Stopped(stop),
                Err(error) => Answer::Stuck(error.to_string()),
            };
            // The receiver may be gone: then nobody asks.
            let _ = sender.send(Some(answer));
        });
        Settling { answer, task: Some(task) }
    }

    /// Waits for the answer: whether a test is merely slow.
    ///
    /// # Errors
    /// The run is to stop, or the tests could not be run.
    pub async fn is_slow(&self) -> Result<bool, PipelineError> {
        let mut answer = self.answer.clone();
        let given = answer.wait_for(Option::is_some).await.map(|answer| (*answer).clone());
        match given {
            Ok(Some(Answer::Endless)) => Ok(false),
            Ok(Some(Answer::Slow)) => Ok(true),
            Ok(Some(Answer::Stopped(stop))) => Err(PipelineError::Stopped(stop)),
            Ok(Some(Answer::Stuck(why))) => Err(PipelineError::Worker(why)),
            Ok(None) | Err(_) => Err(PipelineError::Worker("the endless tests were given up".into())),
        }
    }

    /// Ends it, and waits until its scratch is given back.
    pub async fn give_up(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Given up is what it was asked to be.
            let _ = task.await;
        }
    }

    /// Ends only when a test turns out to be merely slow, or the question
    /// cannot be answered.
    pub async fn surprise(&self) -> PipelineError {
        match self.is_slow().await {
            Ok(true) => PipelineError::MerelySlow,
            Ok(false) => std::future::pending().await,
            Err(error) => error,
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            // An aborted task's command dies with its launcher's guard.
            task.abort();
        }
    }
}

async fn settle(bench: &Bench, pool: &Pool, ids: Vec<String>, full: Duration) -> Result<Answer, PipelineError> {
    let mut scratch = prepare::take(pool).await?;
    for id in ids {
        scratch.restore()?;
        let mut request = bench.request(Selection::Tests(vec![id]));
        request.test_limit = full;
        if !bench.run(&*scratch, &request).await?.tests.iter().any(is_timeout) {
            return Ok(Answer::Slow);
        }
    }
    Ok(Answer::Endless)
}

/// The tests of `report` among `wanted` that ran into their deadline.
pub fn timed_out<'r>(report: &'r Report, wanted: impl Iterator<Item = &'r str>) -> Vec<String> {
    wanted.filter(|id| report.test(id).is_some_and(is_timeout)).map(str::to_owned).collect()
}

fn is_timeout(test: &crate::runner::TestResult) -> bool {
    test.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Timeout)
}

fn without_parameters(id: &str) -> &str {
    id.split('[').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(answer: Option<Answer>) -> Settling {
        Settling { answer: watch::channel(answer).1, task: None }
    }

    #[tokio::test]
    async fn only_an_answer_that_was_given_counts() {
        assert!(matches!(Settling::nothing().is_slow().await, Ok(false)));
        assert!(matches!(settled(Some(Answer::Slow)).is_slow().await, Ok(true)));
        assert!(matches!(settled(Some(Answer::Slow)).surprise().await, PipelineError::MerelySlow));
        assert!(matches!(settled(None).is_slow().await, Err(PipelineError::Worker(_))));
        let stopped = settled(Some(Answer::Stopped(Stop::Deadline)));
        assert!(matches!(stopped.surprise().await, PipelineError::Stopped(Stop::Deadline)));
    }

    #[test]
    fn the_forms_of_a_test_have_one_name() {
        assert_eq!(without_parameters("t.py::a[x[0]-1]"), without_parameters("t.py::a[2]"));
        assert_ne!(without_parameters("t.py::a[1]"), without_parameters("t.py::b[1]"));
    }
}
