//! The slots of a run: handed out laid, taken back, kept warm.
//!
//! Starts nothing. Two pools, of one process or of two, never share a slot.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::Method;
use super::Scratch;
use super::ScratchError;
use super::Snapshot;
use super::ahead;
use super::disk;
use super::lock::Lock;
use super::pin::Plan;
use super::pin::fix;
use super::pristine::Pristine;
use super::seed::Seeded;
use super::seed::seed;
use super::slot;
use super::slot::Slot;
use crate::cores;
use crate::git::Repository;
use crate::patch::Patch;
use crate::process::Layer;
use crate::source::RelPath;

/// More slots than any machine has cores; beyond, something is wrong with the
/// locks.
const MOST_SLOTS: usize = 1024;

/// Bytes of a slot's index for which another thread is worth starting.
const LARGE_INDEX: u64 = 256 << 10;

/// What tells backup programs to leave a directory out
/// (<https://bford.info/cachedir/>).
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Scratch trees of heal; may be deleted.\n";

/// The scratches of one run. Cheap to clone; closed when the last clone and
/// the last scratch are gone.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    repository: Repository,
    commit: Option<String>,
    home: PathBuf,
    plan: Arc<Plan>,
    pristine: Arc<Pristine>,
    /// The directory of the slot that was taken first.
    first: PathBuf,
    /// Whether trees get a layer from now on.
    layered: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Slot>,
    closed: bool,
}

impl Pool {
    /// Fixes what every scratch will hold, as the user's files are now, and
    /// makes room for them below `cache` (such as `~/.cache/heal`).
    ///
    /// # Errors
    /// The cache cannot be written, or a file of the user's cannot be read.
    pub fn open(repository: &Repository, snapshot: &Snapshot, cache: &Path) -> Result<Pool, ScratchError> {
        let home = cache.join(repository.id());
        disk::make_own(&home).map_err(|source| ScratchError::cache("make", &home, source))?;
        // Through a symbolic link git and the tests would disagree on where
        // they are.
        let home = home.canonicalize().map_err(|source| ScratchError::cache("read", &home, source))?;
        let tag = cache.join("CACHEDIR.TAG");
        if !tag.exists() {
            // A courtesy to backup programs; heal works without it.
            let _ = std::fs::write(&tag, CACHE_TAG);
        }
        ahead::remove_abandoned(&home);
        let mut slot = free_slot(&home)?;
        let worth = slot::index_bytes(&slot.dir) > LARGE_INDEX;
        let (fixed, recorded) = cores::both(worth, || fix(snapshot, &slot.dir), || slot::recorded(&slot.dir));
        let (pristine, plan) = fixed?;
        slot.recall(recorded);
        if let Some(laid) = snapshot.take_laid() {
            slot.begin_with(laid);
        }
        let (pristine, plan) = (Arc::new(pristine), Arc::new(plan));
        snapshot.keep(Arc::clone(&pristine), Arc::clone(&plan));
        let first = slot.dir.clone();
        let state = Mutex::new(State { idle: vec![slot], closed: false });
        let (repository, commit) = (repository.clone(), snapshot.commit().map(str::to_owned));
        let layered = AtomicBool::new(false);
        Ok(Pool { shared: Arc::new(Shared { repository, commit, home, plan, pristine, first, layered, state }) })
    }

    /// Where its slots lie.
    pub fn home(&self) -> &Path {
        &self.shared.home
    }

    /// The user's directories that layers will lie over.
    pub fn linked(&self) -> Vec<PathBuf> {
        let plan = &self.shared.plan;
        plan.links.iter().map(|link| plan.target_of(link)).collect()
    }

    /// By which method the next scratches are made.
    pub fn method(&self) -> Method {
        if self.shared.layered.load(Ordering::Relaxed) { Method::Overlay } else { Method::Checkout }
    }

    /// Says by which method the next scratches are made: checkouts until
    /// something else is said.
    pub fn set_method(&self, method: Method) {
        self.shared.layered.store(method == Method::Overlay, Ordering::Relaxed);
    }

    /// A scratch equal to the snapshot. Dropping it gives it back.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn take(&self) -> Result<Box<dyn Scratch>, ScratchError> {
        let idle = self.shared.state().idle.pop();
        let slot = match idle {
            Some(slot) => slot,
            None => {
                let mut slot = free_slot(&self.shared.home)?;
                slot.recall(slot::recorded(&slot.dir));
                slot
            }
        };
        let mut scratch = Taken { slot: Some(slot), method: self.method(), shared: Arc::clone(&self.shared) };
        scratch.make()?;
        Ok(Box::new(scratch))
    }

    /// Removes git's entries of the slots that are not in use; those in use
    /// follow when they are given back. The trees stay warm for the next run.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        for slot in idle {
            slot.retire(&self.plan, &self.repository);
        }
    }

    fn give_back(&self, slot: Slot) {
        {
            let mut state = self.state();
            if !state.closed {
                state.idle.push(slot);
                return;
            }
        }
        slot.retire(&self.plan, &self.repository);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

/// The first slot that no other pool holds.
fn free_slot(home: &Path) -> Result<Slot, ScratchError> {
    for number in 0..MOST_SLOTS {
        if let Some(slot) = Slot::acquire(home, number)? {
            return Ok(slot);
        }
    }
    let source = std::io::Error::other("every slot is locked");
    Err(ScratchError::cache("lock", home, source))
}

/// A slot in use.
#[derive(Debug)]
struct Taken {
    /// There until it is given back.
    slot: Option<Slot>,
    method: Method,
    shared: Arc<Shared>,
}

impl Taken {
    fn slot(&mut self) -> (&mut Slot, &Shared) {
        (self.slot.as_mut().expect("a scratch has its slot until it is dropped"), &self.shared)
    }

    fn held(&self) -> &Slot {
        self.slot.as_ref().expect("a scratch has its slot until it is dropped")
    }

    /// Makes the slot a work tree with the snapshot's files.
    fn make(&mut self) -> Result<(), ScratchError> {
        let method = self.method;
        let (slot, shared) = self.slot();
        slot.register(&shared.repository, shared.commit.as_deref())?;
        match method {
            Method::Checkout => {
                slot.uncover(&shared.plan)?;
                slot.settle(&shared.plan, &shared.pristine)?;
            }
            Method::Overlay => {
                slot.lay_below(&shared.plan, &shared.pristine)?;
                slot.borrow_bytecode(&shared.first)?;
            }
        }
        let places = (shared.repository.root(), slot.dir.as_path());
        slot.compiled.refresh(places, &slot.tree, &shared.plan, &slot.records)?;
        let target = slot.tree.join("target");
        if let Some(from) = &shared.plan.seed
            && !std::mem::replace(&mut slot.asked_seed, true)
            && target.symlink_metadata().is_err()
        {
            let seeded = seed(from, &target).map_err(|source| ScratchError::cache("write", &target, source))?;
            if let Seeded::Not(why) = seeded {
                slot.notes.push(format!("`target` starts empty: of the user's, {why}"));
            }
        }
        if method == Method::Overlay && shared.plan.builds {
            std::fs::create_dir_all(&target).map_err(|source| ScratchError::cache("make", &target, source))?;
        }
        if shared.plan.has_go {
            let cache = slot.go_cache();
            std::fs::create_dir_all(&cache).map_err(|source| ScratchError::cache("make", &cache, source))?;
        }
        slot.save()
    }
}

impl Scratch for Taken {
    fn root(&self) -> &Path {
        &self.held().tree
    }

    fn method(&self) -> Method {
        self.method
    }

    fn apply(&mut self, patch: &Patch) -> Result<(), ScratchError> {
        match self.method {
            Method::Checkout => self.slot().0.apply(patch),
            Method::Overlay => self.slot().0.apply_over(patch),
        }
    }

    fn restore(&mut self) -> Result<(), ScratchError> {
        let method = self.method;
        let (slot, shared) = self.slot();
        match method {
            Method::Checkout => slot.settle(&shared.plan, &shared.pristine),
            Method::Overlay => slot.clear(&shared.plan),
        }
    }

    fn lay(&mut self, patch: &Patch) -> Result<(), ScratchError> {
        let method = self.method;
        let (slot, shared) = self.slot();
        match method {
            Method::Checkout => slot.settle_with(patch, &shared.plan, &shared.pristine),
            Method::Overlay => slot.lay_over(patch, &shared.plan),
        }
    }

    fn distrust(&mut self) {
        self.slot().0.bare = false;
    }

    fn layers(&self) -> Vec<Layer> {
        match self.method {
            Method::Checkout => Vec::new(),
            Method::Overlay => self.held().layers(&self.shared.plan),
        }
    }

    fn kept(&self) -> Vec<PathBuf> {
        let (plan, slot) = (&self.shared.plan, self.held());
        let target = (self.method == Method::Overlay && plan.builds).then(|| slot.tree.join("target"));
        target.into_iter().chain(plan.has_go.then(|| slot.go_cache())).collect()
    }

    fn written(&self) -> Option<PathBuf> {
        (self.method == Method::Overlay).then(|| self.held().upper.dir.clone())
    }

    fn leaves(&self, patch: &Patch) -> bool {
        self.method == Method::Overlay && self.held().leaves(patch)
    }

    fn strip(&mut self, files: &[RelPath]) -> Result<bool, ScratchError> {
        match self.method {
            Method::Checkout => Ok(false),
            Method::Overlay => self.slot().0.strip(files),
        }
    }

    fn left(&self, path: &RelPath) -> Option<PathBuf> {
        match self.method {
            Method::Checkout => Some(path.under(self.root())),
            Method::Overlay => self.held().upper.holds(Path::new(path.as_str())),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let slot = self.held();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        // In a layer bytecode goes with what it was made of.
        let without = if self.method == Method::Overlay { "" } else { "1" };
        let mut environment = vec![
            ("PYTHONDONTWRITEBYTECODE".to_owned(), without.to_owned()),
            // `.venv` is a link to the user's: a sync from here would point
            // their editable install at a scratch.
            ("UV_NO_SYNC".to_owned(), "1".to_owned()),
            ("CARGO_TARGET_DIR".to_owned(), text(&slot.tree.join("target"))),
        ];
        if self.shared.plan.has_go {
            environment.push(("GOCACHE".to_owned(), text(&slot.go_cache())));
        }
        if !slot.is_registered() {
            // A repository around the cache is none of the tests' business.
            environment.push(("GIT_CEILING_DIRECTORIES".to_owned(), text(&slot.dir)));
        }
        environment
    }

    fn notes(&self) -> Vec<String> {
        self.shared.plan.notes.iter().chain(&self.held().notes).cloned().collect()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.shared.give_back(slot);
        }
    }
}

/// Removes git's entries that a heal which was killed left in the repository.
/// Returns how many there were.
pub fn clean_up(repository: &Repository) -> usize {
    let entries = repository.worktree_entries("heal-");
    let dead = entries.into_iter().filter(|(name, tree)| is_abandoned(name, tree));
    dead.filter(|(name, _)| repository.remove_worktree_entry(name).is_ok()).count()
}

/// Whether an entry is heal's and nobody uses its slot: the lock is free or,
/// where the slot is gone, the process is. A worktree that the user happens
/// to have named `heal-…` is none of ours.
fn is_abandoned(name: &str, tree: &Path) -> bool {
    let Some(pid) = pid_in(name) else { return false };
    let is_gone = || kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH);
    // Killed while git made it, before it got its place in the slot.
    if tree.ends_with(name) {
        return (!tree.exists() || tree.with_file_name("lock").is_file()) && is_gone();
    }
    if !tree.ends_with("tree") {
        return false;
    }
    match tree.parent().map(|slot| Lock::is_free(&slot.join("lock"))) {
        Some(Ok(is_free)) => is_free,
        _ => is_gone(),
    }
}

/// The process of an entry named `heal-<process>-<slot>`.
fn pid_in(name: &str) -> Option<i32> {
    let (pid, slot) = name.strip_prefix("heal-")?.split_once('-')?;
    slot.parse::<u32>().ok()?;
    pid.parse().ok().filter(|pid| *pid > 0)
}
