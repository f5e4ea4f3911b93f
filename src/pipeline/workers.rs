//! Workers: trials side by side, one scratch each, best candidate first.
//!
//! Moves candidates through the gates; decides neither what is proposed nor
//! when to stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::PipelineError;
use super::prepare;
use crate::detect::Baseline;
use crate::propose::Candidate;
use crate::scratch::Pool;
use crate::verify::Evidence;
use crate::verify::Miss;
use crate::verify::Trials;
use crate::verify::Verdict;

/// A candidate that has been tried.
pub struct Tried {
    /// The candidate.
    pub candidate: Candidate,
    /// How its trial ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What workers share.
struct Shared {
    trials: Trials,
    pool: Pool,
    baseline: watch::Receiver<Option<Arc<Baseline>>>,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Candidate>,
    in_trial: usize,
    closed: bool,
}

/// A crew of workers and its queue.
pub struct Crew {
    shared: Arc<Shared>,
    results: mpsc::UnboundedReceiver<Result<Tried, PipelineError>>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Crew {
    /// Starts `jobs` workers. They take their scratch when the first
    /// candidate comes.
    pub fn start(trials: Trials, pool: Pool, baseline: watch::Receiver<Option<Arc<Baseline>>>, jobs: usize) -> Crew {
        let shared = Arc::new(Shared { trials, pool, baseline, queue: Mutex::default(), changed: Notify::new() });
        let (sender, results) = mpsc::unbounded_channel();
        let workers = (0..jobs.max(1)).map(|_| tokio::spawn(work(shared.clone(), sender.clone()))).collect();
        Crew { shared, results, workers }
    }

    /// Puts candidates in the queue: before all others, or behind.
    pub fn enqueue(&self, candidates: Vec<Candidate>, first: bool) {
        let mut queue = self.shared.lock();
        if first {
            for candidate in candidates.into_iter().rev() {
                queue.waiting.push_front(candidate);
            }
        } else {
            queue.waiting.extend(candidates);
        }
        drop(queue);
        self.shared.changed.notify_waiters();
    }

    /// Whether nothing waits and nothing is on trial.
    pub fn is_idle(&self) -> bool {
        let queue = self.shared.lock();
        queue.waiting.is_empty() && queue.in_trial == 0
    }

    /// Whether results wait to be read.
    pub fn has_results(&self) -> bool {
        !self.results.is_empty()
    }

    /// Throws away what waits; what is on trial goes on.
    pub fn clear(&self) {
        self.shared.lock().waiting.clear();
    }

    /// The next trial that ends.
    pub async fn next(&mut self) -> Option<Result<Tried, PipelineError>> {
        self.results.recv().await
    }

    /// Ends the crew; trials that are under way are given up.
    pub async fn stop(self) {
        {
            let mut queue = self.shared.lock();
            queue.closed = true;
            queue.waiting.clear();
        }
        self.shared.changed.notify_waiters();
        for worker in self.workers {
            worker.abort();
            // An aborted worker's command dies with its launcher's guard.
            let _ = worker.await;
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The next candidate; `None` when the crew is closed.
    async fn take(&self) -> Option<Candidate> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut queue = self.lock();
                if queue.closed {
                    return None;
                }
                if let Some(candidate) = queue.waiting.pop_front() {
                    queue.in_trial += 1;
                    return Some(candidate);
                }
            }
            changed.await;
        }
    }

    async fn baseline(&self) -> Result<Arc<Baseline>, PipelineError> {
        let mut receiver = self.baseline.clone();
        let ready = receiver
            .wait_for(Option::is_some)
            .await
            .map_err(|_| PipelineError::Worker("the baseline was given up".into()))?;
        ready.clone().ok_or_else(|| PipelineError::Worker("the baseline is missing".into()))
    }
}

async fn work(shared: Arc<Shared>, sender: mpsc::UnboundedSender<Result<Tried, PipelineError>>) {
    let mut scratch = None;
    while let Some(mut candidate) = shared.take().await {
        let began = Instant::now();
        let result = attempt(&shared, &mut scratch, &candidate).await;
        if let Ok(Verdict::Verified(proved)) = &result {
            candidate.patch = proved.patch.clone();
        }
        shared.lock().in_trial -= 1;
        let message = result.map(|verdict| Tried { candidate, verdict, took: began.elapsed() });
        let failed = message.is_err();
        if sender.send(message).is_err() || failed {
            return;
        }
    }
}

/// One candidate through the gates. What is screened out needs no scratch.
async fn attempt(
    shared: &Shared,
    scratch: &mut Option<Box<dyn crate::scratch::Scratch>>,
    candidate: &Candidate,
) -> Result<Verdict, PipelineError> {
    if let Err(miss) = shared.trials.screen(&candidate.patch) {
        return Ok(Verdict::Missed(miss));
    }
    let scratch = match scratch {
        Some(scratch) => scratch,
        empty => empty.insert(prepare::take(&shared.pool).await?),
    };
    let known = shared.baseline.borrow().clone();
    if let Err(miss) = shared.trials.cure(&mut **scratch, &candidate.patch, known.as_deref()).await? {
        return Ok(Verdict::Missed(miss));
    }
    let baseline = shared.baseline().await?;
    Ok(match shared.trials.prove(&mut **scratch, &candidate.patch, &baseline).await? {
        Ok(proved) => Verdict::Verified(proved),
        Err(miss) => Verdict::Missed(miss),
    })
}

/// What a verdict says in a word and a line.
pub fn words(verdict: &Verdict) -> (String, String) {
    match verdict {
        Verdict::Verified(proved) => ("verified".into(), passed(&proved.evidence)),
        Verdict::Missed(Miss { gate, detail, .. }) => (gate.clone(), detail.clone()),
    }
}

fn passed(evidence: &Evidence) -> String {
    let suite = evidence.suite.map(|suite| format!(", suite {} passed", suite.passed)).unwrap_or_default();
    let strength = evidence.strength.as_ref();
    let strength = strength.map(|strength| format!(", mutants {}/{}", strength.killed, strength.mutants));
    format!("target {}/{}{suite}{}", evidence.target.passed, evidence.target.runs, strength.unwrap_or_default())
}
