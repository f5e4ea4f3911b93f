//! A question that is on its way to a model, in a task of its own: the hunt
//! goes on meanwhile, with the sieve or with trials.
//!
//! Asks what it is given to ask; whether and what is for the hunt to say. A
//! flight that is dropped is broken off.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinError;
use tokio::task::JoinHandle;

use crate::diagnose::Diagnosis;
use crate::propose::Candidate;
use crate::propose::model::Answer;
use crate::propose::model::AskError;
use crate::propose::model::Asker;
use crate::propose::model::Feedback;
use crate::scratch::Snapshot;
use crate::source::RelPath;

/// Who was asked, and what came of it.
pub(super) type Landed = (Asker, Result<Answer, AskError>);

/// One call under way.
pub(super) struct Flight {
    /// Ends with the answer.
    pub(super) task: JoinHandle<Landed>,
    /// Candidates of a reply that is still arriving.
    pub(super) arriving: UnboundedReceiver<Candidate>,
}

impl Flight {
    /// Asks about `diagnosis` of `snapshot`, with what became of earlier
    /// answers.
    pub(super) fn begin(
        mut asker: Asker,
        diagnosis: Diagnosis,
        snapshot: Arc<Snapshot>,
        feedback: Vec<Feedback>,
    ) -> Flight {
        let (sender, arriving) = mpsc::unbounded_channel();
        asker.tell(sender);
        let task = tokio::spawn(async move {
            let read = |path: &RelPath| snapshot.read(path);
            let answer = asker.ask(&diagnosis, &read, &feedback).await;
            (asker, answer)
        });
        Flight { task, arriving }
    }

    /// Whether the answer is here.
    pub(super) fn has_landed(&self) -> bool {
        self.task.is_finished()
    }

    /// Whether a candidate is here, of an answer that may still be arriving.
    pub(super) fn has_brought(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// Who was asked, and the answer. A panic in the call goes on here.
    pub(super) fn landed(joined: Result<Landed, JoinError>) -> Landed {
        joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}
