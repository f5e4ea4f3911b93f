//! Places where heal's own tests kill it: just before or after an event is
//! recorded.
//!
//! `HEAL_TEST_DIE_AT=answered` dies after the first such event, `before:asked:2`
//! before the second. A release has no such door.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use heal::event::Event;
use heal::event::Listener;

/// Who listens first, and who last.
pub type Pair = (Option<Arc<dyn Listener>>, Option<Arc<dyn Listener>>);

/// The listeners that kill, where a test asked for one.
pub fn listeners() -> Pair {
    let wanted = cfg!(debug_assertions).then(|| std::env::var("HEAL_TEST_DIE_AT").ok()).flatten();
    let Some(wanted) = wanted else { return (None, None) };
    let (is_before, wanted) = wanted.strip_prefix("before:").map_or((false, wanted.as_str()), |rest| (true, rest));
    let (kind, left) = wanted.split_once(':').unwrap_or((wanted, "1"));
    let left = AtomicUsize::new(left.parse().unwrap_or(1));
    let dies: Arc<dyn Listener> = Arc::new(Dies { kind: kind.to_owned(), left });
    if is_before { (Some(dies), None) } else { (None, Some(dies)) }
}

struct Dies {
    kind: String,
    left: AtomicUsize,
}

impl Listener for Dies {
    fn hear(&self, event: &Event) {
        let value = serde_json::to_value(event).unwrap_or_default();
        if value["event"] == self.kind.as_str() && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // As `kill -9` does: nothing is put away.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
