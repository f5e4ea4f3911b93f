//! Workers: trials side by side, one scratch each, best candidate first.
//!
//! Moves candidates through the gates; decides neither what is proposed nor
//! when to stop.

mod queue;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;

use queue::Late;
pub(super) use queue::MODEL;
use queue::Queue;
use queue::Work;

use super::PipelineError;
use super::prepare;
use crate::detect::Baseline;
use crate::propose::Candidate;
use crate::scratch::Pool;
use crate::verify::Evidence;
use crate::verify::Miss;
use crate::verify::Trials;
use crate::verify::Verdict;
use crate::verify::trial::Cure;

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

    /// What the trials have in common.
    pub fn trials(&self) -> Trials {
        self.shared.trials.clone()
    }

    /// What every test does without a patch, once that is known.
    pub fn baseline(&self) -> Option<Arc<Baseline>> {
        self.shared.baseline.borrow().clone()
    }

    /// Whether nothing waits and nothing is on trial.
    pub fn is_idle(&self) -> bool {
        self.left() == 0
    }

    /// Candidates that wait or are on trial.
    pub fn left(&self) -> usize {
        let queue = self.shared.lock();
        queue.waiting.len() + queue.late.len() + queue.on_trial.len()
    }

    /// Whether candidates of a model wait or are on trial.
    pub fn has_of_model(&self) -> bool {
        let queue = self.shared.lock();
        let mut pending = queue.waiting.iter().chain(queue.late.iter().map(|late| &late.candidate));
        pending.any(|candidate| candidate.origin.kind == MODEL) || queue.on_trial.iter().any(|kind| kind == MODEL)
    }

    /// How many candidates are on trial whose kind is wanted.
    pub fn on_trial(&self, is_wanted: impl Fn(&str) -> bool) -> usize {
        self.shared.lock().on_trial.iter().filter(|kind| is_wanted(kind)).count()
    }

    /// Whether results wait to be read.
    pub fn has_results(&self) -> bool {
        !self.results.is_empty()
    }

    /// Moves what is wanted before all that waits; the order stays otherwise.
    pub fn bring_forward(&self, is_wanted: impl Fn(&Candidate) -> bool) {
        let waiting = &mut self.shared.lock().waiting;
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(waiting).into_iter().partition(is_wanted);
        waiting.extend(wanted.into_iter().chain(others));
    }

    /// Takes what is wanted out of what waits.
    pub fn take_waiting(&self, is_wanted: impl Fn(&Candidate) -> bool) -> Vec<Candidate> {
        let waiting = &mut self.shared.lock().waiting;
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(waiting).into_iter().partition(is_wanted);
        waiting.extend(others);
        wanted
    }

    /// Throws away what waits; what is on trial goes on.
    pub fn clear(&self) {
        let mut queue = self.shared.lock();
        queue.waiting.clear();
        queue.late.clear();
    }

    /// Goes on after a verified patch: what waits is what is to be tried.
    pub fn go_on(&self) {
        let mut queue = self.shared.lock();
        queue.unseen = queue.unseen.saturating_sub(1);
        drop(queue);
        self.shared.changed.notify_waiters();
    }

    /// Throws away what ran out of its first, brief time.
    pub fn leave_late(&self) {
        self.shared.lock().late.clear();
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
            queue.late.clear();
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

    /// What is to be done next; `None` when the crew is closed.
    async fn take(&self) -> Option<Work> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut queue = self.lock();
                if queue.closed {
                    return None;
                }
                if queue.unseen == 0
                    && let Some(work) = queue.next()
                {
                    queue.on_trial.push(work.kind());
                    return Some(work);
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
    while let Some(work) = shared.take().await {
        let began = Instant::now();
        let kind = work.kind();
        let done = match work {
            Work::Leave(late) => Ok(Done::Ended(Tried {
                candidate: late.candidate,
                verdict: Verdict::Missed(late.miss),
                took: late.took,
            })),
            Work::Try(candidate) => {
                let done = attempt(&shared, &mut scratch, candidate, Duration::ZERO, true).await;
                shared.lock().first_trials += began.elapsed();
                done
            }
            Work::TryAgain(late) => {
                let done = attempt(&shared, &mut scratch, late.candidate, late.took, false).await;
                shared.lock().late_trials += began.elapsed();
                done
            }
        };
        let mut queue = shared.lock();
        if let Some(at) = queue.on_trial.iter().position(|other| *other == kind) {
            queue.on_trial.swap_remove(at);
        }
        let message = match done {
            Ok(Done::RanOut(late)) => {
                queue.late.push_back(late);
                drop(queue);
                shared.changed.notify_waiters();
                continue;
            }
            Ok(Done::Ended(mut tried)) => {
                if let Verdict::Verified(proved) = &tried.verdict {
                    tried.candidate.patch = proved.patch.clone();
                    queue.unseen += 1;
                }
                Ok(tried)
            }
            Err(error) => Err(error),
        };
        let failed = message.is_err();
        // Sent before the lock is given back: an idle crew without results is
        // one that has told everything.
        if sender.send(message).is_err() || failed {
            return;
        }
    }
}

/// How a trial ended for now.
enum Done {
    Ended(Tried),
    RanOut(Late),
}

/// One candidate through the gates, `before` the time it took so far. In its
/// first trial (`brief`) a test that is still running after the brief deadline
/// decides nothing: the candidate comes again. What is screened out needs no
/// scratch.
async fn attempt(
    shared: &Shared,
    scratch: &mut Option<Box<dyn crate::scratch::Scratch>>,
    mut candidate: Candidate,
    before: Duration,
    brief: bool,
) -> Result<Done, PipelineError> {
    let began = Instant::now();
    let verdict = match judge(shared, scratch, &candidate, brief).await? {
        Ok(verdict) => verdict,
        Err(miss) => return Ok(Done::RanOut(Late { candidate, miss, took: before + began.elapsed() })),
    };
    if let Verdict::Verified(proved) = &verdict {
        candidate.patch = proved.patch.clone();
    }
    Ok(Done::Ended(Tried { candidate, verdict, took: before + began.elapsed() }))
}

/// The verdict, or the miss of a target that was ended at its brief deadline.
async fn judge(
    shared: &Shared,
    scratch: &mut Option<Box<dyn crate::scratch::Scratch>>,
    candidate: &Candidate,
    brief: bool,
) -> Result<Result<Verdict, Miss>, PipelineError> {
    // Seen before is who comes a second time.
    if brief && let Err(miss) = shared.trials.screen(&candidate.patch, candidate.origin.kind == MODEL) {
        return Ok(Ok(Verdict::Missed(miss)));
    }
    let scratch = match scratch {
        Some(scratch) => scratch,
        empty => empty.insert(prepare::take(&shared.pool).await?),
    };
    let known = shared.baseline.borrow().clone();
    let limits = shared.trials.bench.limits;
    let limit = if brief { limits.brief } else { limits.test };
    match shared.trials.cure(&mut **scratch, &candidate.patch, known.as_deref(), limit).await? {
        Cure::Works => {}
        Cure::RanOut(miss) if limit < limits.test => return Ok(Err(miss)),
        Cure::Missed(miss) | Cure::RanOut(miss) => return Ok(Ok(Verdict::Missed(miss))),
    }
    let baseline = shared.baseline().await?;
    Ok(Ok(match shared.trials.prove(&mut **scratch, &candidate.patch, &baseline).await? {
        Ok(proved) => Verdict::Verified(proved),
        Err(miss) => Verdict::Missed(miss),
    }))
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
