//! Comparing a scratch with what it must hold, and removing what must not be
//! there.
//!
//! Looks at names and stats; reads no file.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::ScratchError;
use super::carried;
use super::compiled::Compiled;
use super::disk;
use super::pin::Plan;
use super::record::Record;
use crate::git::Stat;

/// One way through a scratch tree.
pub(super) struct Sweep<'a> {
    tree: &'a Path,
    plan: &'a Plan,
    records: &'a HashMap<PathBuf, Record>,
    compiled: &'a Compiled,
    /// For each of the plan's wanted paths whether it is there as it was laid.
    intact: Vec<bool>,
}

impl<'a> Sweep<'a> {
    /// Goes through `tree`, removes what does not belong there and says of
    /// each wanted path whether it is intact. After it, every folder on the
    /// way to a wanted path is a real one or not there: nothing that is
    /// written then goes through a link.
    pub(super) fn go(
        tree: &'a Path,
        plan: &'a Plan,
        records: &'a HashMap<PathBuf, Record>,
        compiled: &'a Compiled,
    ) -> Result<Vec<bool>, ScratchError> {
        let mut sweep = Sweep { tree, plan, records, compiled, intact: vec![false; plan.wanted.len()] };
        sweep.folder(Path::new(""), false)?;
        Ok(sweep.intact)
    }

    /// Goes through one folder; in one of the caches what is unknown stays.
    fn folder(&mut self, folder: &Path, in_cache: bool) -> Result<(), ScratchError> {
        let full = self.tree.join(folder);
        let entries = read_folder(&full).map_err(|source| ScratchError::cache("read", &full, source))?;
        for entry in entries {
            let (path, full) = (folder.join(entry.file_name()), entry.path());
            let kind = entry.file_type().map_err(|source| ScratchError::cache("read", &full, source))?;
            if let Some(at) = self.plan.at(&path) {
                self.intact[at] = self.is_intact(at, &entry);
            } else if self.plan.folders.contains(&path) && kind.is_dir() {
                let stays = in_cache || carried::stays(&path, &full, kind);
                self.folder(&path, stays)?;
            } else if self.compiled.has_folder(&path) && kind.is_dir() {
                self.folder(&path, false)?;
            } else if entry.metadata().is_ok_and(|about| self.compiled.is_intact(&path, &Stat::of(&about))) {
                // Bytecode, as it was copied.
            } else if path == Path::new(".git") {
                // The worktree's own affair.
            } else if self.plan.folders.contains(&path) || !(in_cache || carried::stays(&path, &full, kind)) {
                disk::remove_any(&full).map_err(|source| ScratchError::cache("remove", &full, source))?;
            }
        }
        Ok(())
    }

    fn is_intact(&self, at: usize, entry: &std::fs::DirEntry) -> bool {
        let wanted = &self.plan.wanted[at];
        let Some(record) = self.records.get(&wanted.path) else { return false };
        record.content == wanted.content && entry.metadata().is_ok_and(|about| Stat::of(&about) == record.own)
    }
}

/// A folder's entries, also where a test took its rights away.
fn read_folder(folder: &Path) -> io::Result<Vec<std::fs::DirEntry>> {
    disk::open_up(folder)?;
    std::fs::read_dir(folder)?.collect()
}
