//! The wish to stop: Ctrl-C, SIGTERM or the run's deadline, as one flag.
//!
//! Only says that the run should end; whoever waits must look.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a run should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The user asked (SIGINT, SIGTERM, SIGHUP).
    Asked,
    /// The run's own time is over.
    Deadline,
}

/// A flag that is raised once and heard by all. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupt {
    sender: Arc<watch::Sender<Option<Stop>>>,
}

impl Default for Interrupt {
    fn default() -> Interrupt {
        Interrupt { sender: Arc::new(watch::channel(None).0) }
    }
}

impl Interrupt {
    /// A flag that is down.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Raises the flag; the first reason stays.
    pub fn raise(&self, stop: Stop) {
        self.sender.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(stop);
            first
        });
    }

    /// Why the run should stop, if it should.
    pub fn raised(&self) -> Option<Stop> {
        *self.sender.borrow()
    }

    /// Waits until the flag is raised.
    pub async fn wait(&self) -> Stop {
        let mut receiver = self.sender.subscribe();
        loop {
            if let Some(stop) = *receiver.borrow_and_update() {
                return stop;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_to_stop_is_the_one_that_counts() {
        let interrupt = Interrupt::new();
        assert_eq!(interrupt.raised(), None);
        interrupt.raise(Stop::Deadline);
        interrupt.raise(Stop::Asked);
        assert_eq!(interrupt.clone().raised(), Some(Stop::Deadline));
    }
}
