//! A slot with a patch in it, told from one that tests have changed since.
//!
//! Writes a file only where it is not already as the patch has it: a build
//! that nothing changed for is then not done again.

use std::path::PathBuf;

use super::ScratchError;
use super::pin::Plan;
use super::pristine::Pristine;
use super::record::Record;
use super::slot::Slot;
use crate::git::Stat;
use crate::patch::FileChange;
use crate::patch::Patch;

/// The patch that a slot holds.
#[derive(Debug, Default)]
pub(super) struct Patched {
    /// The patch's.
    pub(super) digest: String,
    /// How the disk showed each changed file right after; a deleted file is
    /// not among them.
    pub(super) stats: Vec<(PathBuf, Stat)>,
}

impl Slot {
    /// Makes the tree hold what the plan says with `patch` on top.
    pub(super) fn settle_with(&mut self, patch: &Patch, plan: &Plan, pristine: &Pristine) -> Result<(), ScratchError> {
        if self.patched.digest != patch.digest() || !self.still_as_patched(patch) {
            self.settle(plan, pristine)?;
            self.apply(patch)?;
            let stats = patch.changes().iter().filter(|change| change.after.is_some());
            let stats = stats.filter_map(|change| self.stat_of(change)).collect();
            self.patched = Patched { digest: patch.digest(), stats };
            return Ok(());
        }
        // The patched files pass for laid ones while the rest is put right.
        let set_aside: Vec<(PathBuf, Option<Record>)> = self
            .patched
            .stats
            .iter()
            .filter_map(|(path, stat)| {
                let content = plan.content(path)?.clone();
                Some((path.clone(), self.records.insert(path.clone(), Record { content, own: *stat })))
            })
            .collect();
        let settled = self.settle(plan, pristine);
        for (path, record) in set_aside {
            match record {
                Some(record) => self.records.insert(path, record),
                None => self.records.remove(&path),
            };
        }
        settled
    }

    /// Whether every file of the patch, all of them changed in place, is still
    /// as it was written.
    fn still_as_patched(&self, patch: &Patch) -> bool {
        let in_place = patch.changes().iter().all(|change| change.before.is_some() && change.after.is_some());
        in_place
            && patch
                .changes()
                .iter()
                .all(|change| self.stat_of(change).is_some_and(|now| self.patched.stats.contains(&now)))
    }

    fn stat_of(&self, change: &FileChange) -> Option<(PathBuf, Stat)> {
        let about = change.path.under(&self.tree).symlink_metadata().ok()?;
        Some((PathBuf::from(change.path.as_str()), Stat::of(&about)))
    }
}
