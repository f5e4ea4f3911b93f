//! A slot with a layer over its tree: the tree holds the snapshot and is never
//! written by candidates or tests, so that to go back costs what they wrote and
//! not what the tree holds.
//!
//! The tree is *sealed* while nothing but what the slot's index says can be in
//! it; then it is not looked at again. What was built from a file that the
//! layer covered is newer than the file below, so that file gets a new time
//! when the layer goes: else cargo would take the candidate's build for its own.

use std::path::Path;
use std::path::PathBuf;

use nix::sys::stat::UtimensatFlags;
use nix::sys::stat::utimensat;
use nix::sys::time::TimeSpec;

use super::ScratchError;
use super::bytecode::bytecode_of;
use super::bytecode::remove_bytecode;
use super::disk;
use super::patched::Patched;
use super::pin::Plan;
use super::pristine::Pristine;
use super::slot::Slot;
use super::slot::check_way;
use super::slot::mode_for;
use super::slot::time;
use super::upper::Upper;
use super::upper::is_whiteout;
use crate::git::Stat;
use crate::patch::Patch;
use crate::process::Layer;
use crate::source::RelPath;

/// Changes at every start of the machine: a seal from before it, when files
/// may have been lost, is none.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Bytes that the kernel takes for all directories below a layer (`fsconfig`, a
/// value of 256).
const MOST_BELOW: usize = 254;

/// What pytest writes at the end of every run (its cacheprovider, 9.0).
const PYTEST: &[&str] = &[
    ".pytest_cache/.gitignore",
    ".pytest_cache/CACHEDIR.TAG",
    ".pytest_cache/README.md",
    ".pytest_cache/v/cache/lastfailed",
    ".pytest_cache/v/cache/nodeids",
    ".pytest_cache/v/cache/stepwise",
];

/// Whether a tool writes this file by itself, whatever the code does.
fn is_of_a_tool(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pyc")
        || path.file_name().is_some_and(|name| name == "Cargo.lock")
        || PYTEST.iter().any(|file| path.ends_with(file))
}

impl Slot {
    /// Makes the tree hold what the plan says, with an empty layer over it.
    pub(super) fn lay_below(&mut self, plan: &Plan, pristine: &Pristine) -> Result<(), ScratchError> {
        self.clear(plan)?;
        if !self.is_sealed() {
            self.settle(plan, pristine)?;
        } else {
            let intact: Vec<bool> = plan
                .wanted
                .iter()
                .map(|wanted| self.records.get(&wanted.path).is_some_and(|record| record.content == wanted.content))
                .collect();
            // Each wanted path is laid, and nothing else.
            if intact.iter().all(|intact| *intact) && self.records.len() == intact.len() {
                return self.make_folders(plan);
            }
            let gone: Vec<PathBuf> = self.records.keys().filter(|path| plan.at(path).is_none()).cloned().collect();
            self.unseal()?;
            self.remove(&gone, plan)?;
            for (wanted, _) in plan.wanted.iter().zip(&intact).filter(|(_, intact)| !**intact) {
                self.clear_way(&wanted.path)?;
            }
            self.lay_all(plan, pristine, &intact)?;
        }
        self.save()?;
        self.seal()
    }

    /// Takes the layer away, and the seal: commands will write the tree.
    pub(super) fn uncover(&mut self, plan: &Plan) -> Result<(), ScratchError> {
        self.clear_layer(plan, &[])?;
        self.upper.remove().map_err(|source| ScratchError::cache("remove", &self.upper.dir, source))?;
        self.unseal()
    }

    /// Makes the scratch equal to the snapshot.
    pub(super) fn clear(&mut self, plan: &Plan) -> Result<(), ScratchError> {
        self.reset_worktree()?;
        self.clear_layer(plan, &[])?;
        self.cover(plan)
    }

    /// Makes the scratch equal to the snapshot with `patch` on top. A file that
    /// is so already stays untouched.
    pub(super) fn lay_over(&mut self, patch: &Patch, plan: &Plan) -> Result<(), ScratchError> {
        if self.patched.digest != patch.digest() || !self.holds_patched(patch) {
            self.clear(plan)?;
            return self.apply_over(patch);
        }
        self.reset_worktree()?;
        let keep: Vec<PathBuf> = self.patched.stats.iter().map(|(path, _)| path.clone()).collect();
        self.clear_layer(plan, &keep)?;
        self.cover(plan)?;
        for path in &keep {
            self.hide_bytecode(path)?;
        }
        // To move a file changes when its inode was last changed.
        self.patched.stats = self.stats_of(patch);
        Ok(())
    }

    /// Takes over the bytecode that the slot in `first` keeps, where this one
    /// has none.
    pub(super) fn borrow_bytecode(&self, first: &Path) -> Result<(), ScratchError> {
        let theirs = first.join("bytecode");
        if self.dir == first || self.bytecode.is_kept() || !theirs.is_dir() {
            return Ok(());
        }
        let borrowed = self.bytecode.borrow(&theirs, &first.join("tree"), &self.records);
        borrowed.map_err(|source| ScratchError::cache("read", &theirs, source))
    }

    /// Lays a patch over the tree; nothing where any `before` is not what is
    /// seen.
    pub(super) fn apply_over(&mut self, patch: &Patch) -> Result<(), ScratchError> {
        self.bare &= patch.changes().is_empty();
        let mut modes = Vec::new();
        for change in patch.changes() {
            let about = |path: &RelPath| self.seen(path).symlink_metadata().ok().filter(|about| !is_whiteout(about));
            check_way(&change.path, about)?;
            modes.push(mode_for(change, about(&change.path), &self.seen(&change.path))?);
        }
        let fresh = time(self.fresh());
        for (change, mode) in patch.changes().iter().zip(modes) {
            let path = Path::new(change.path.as_str());
            let written = match &change.after {
                Some(text) => self.upper.write(path, text.as_bytes(), mode, fresh),
                None => self.upper.hide(path),
            };
            written.map_err(|source| ScratchError::cache("write", &self.upper.dir.join(path), source))?;
            self.hide_bytecode(path)?;
        }
        self.patched = Patched { digest: patch.digest(), stats: self.stats_of(patch) };
        Ok(())
    }

    /// Whether anything was left in the layer with `patch` in it.
    pub(super) fn leaves(&self, patch: &Patch) -> bool {
        let digest = patch.digest();
        self.leaving.contains(&digest) || (self.patched.digest == digest && self.has_leftovers())
    }

    /// Whether the layer holds more than its patch and what tools write.
    fn has_leftovers(&self) -> bool {
        let own = |path: &Path| self.patched.stats.iter().any(|(patched, _)| patched == path);
        // What cannot be looked at may be anything.
        self.upper.files().map_or(true, |files| files.iter().any(|path| !own(path) && !is_of_a_tool(path)))
    }

    /// Takes these files out of the layer and nothing else.
    pub(super) fn strip(&mut self, files: &[RelPath]) -> Result<bool, ScratchError> {
        self.bare = false;
        let fresh = self.fresh();
        for path in files.iter().map(|path| Path::new(path.as_str())) {
            // Never through a link that a command laid in place of a folder:
            // that is taken away itself.
            let Some(own) = self.upper.holds(path) else { continue };
            let removed = disk::remove_any(&own).and_then(|()| remove_bytecode(&self.upper.dir, path));
            removed.map_err(|source| ScratchError::cache("remove", &own, source))?;
            if self.tree.join(path).symlink_metadata().is_ok_and(|about| about.is_file()) {
                self.touch(path, fresh)?;
            }
        }
        self.patched = Patched::default();
        Ok(self.has_leftovers())
    }

    /// What a command has to see: the layer over the tree, and one over each
    /// directory of installed packages.
    pub(super) fn layers(&self, plan: &Plan) -> Vec<Layer> {
        let tree = Layer {
            at: self.tree.clone(),
            below: self.below(),
            upper: self.upper.dir.clone(),
            work: self.upper.work.clone(),
        };
        let links = plan.links.iter().enumerate().map(|(number, link)| {
            let upper = self.over_link(number, plan);
            Layer { at: self.tree.join(link), below: vec![plan.target_of(link)], upper: upper.dir, work: upper.work }
        });
        std::iter::once(tree).chain(links).collect()
    }

    /// The tree, and what lies on it.
    fn below(&self) -> Vec<PathBuf> {
        let lengths = self.bytecode.dir.as_os_str().len() + self.tree.as_os_str().len();
        let kept = self.bytecode.is_kept() && lengths < MOST_BELOW;
        [kept.then(|| self.bytecode.dir.clone()), Some(self.tree.clone())].into_iter().flatten().collect()
    }

    /// Empties the layer but for `keep`. Files of the tree that it covered get
    /// a new time where something was built from them.
    pub(super) fn clear_layer(&mut self, plan: &Plan, keep: &[PathBuf]) -> Result<(), ScratchError> {
        if self.upper.dir.symlink_metadata().is_err() {
            self.bare = true;
            return Ok(());
        }
        if !self.patched.digest.is_empty() && self.has_leftovers() {
            self.leaving.insert(self.patched.digest.clone());
        }
        let digest = std::mem::take(&mut self.patched).digest;
        if !keep.is_empty() {
            self.patched.digest = digest;
        }
        let cannot = |source| ScratchError::cache("empty", &self.upper.dir, source);
        if std::mem::replace(&mut self.bare, keep.is_empty()) {
            self.bytecode.gather(&self.upper, &self.records).map_err(cannot)?;
        }
        let covered = if plan.builds { self.upper.covered().map_err(cannot)? } else { Vec::new() };
        let fresh = self.fresh();
        for path in covered.iter().filter(|path| !keep.contains(path)) {
            self.touch(path, fresh)?;
        }
        self.upper.empty(keep).map_err(|source| ScratchError::cache("empty", &self.upper.dir, source))
    }

    /// Makes the layers ready, where they are not.
    fn cover(&mut self, plan: &Plan) -> Result<(), ScratchError> {
        let cannot = |source| ScratchError::cache("make", &self.upper.dir, source);
        if self.upper.dir.symlink_metadata().is_err() {
            self.upper.empty(&[]).map_err(cannot)?;
        }
        for (number, link) in plan.links.iter().enumerate() {
            self.upper.make_folder(link).map_err(cannot)?;
            let over = self.over_link(number, plan);
            over.make_home().and_then(|()| over.empty(&[])).map_err(cannot)?;
        }
        Ok(())
    }

    fn over_link(&self, number: usize, plan: &Plan) -> Upper {
        Upper::over(&plan.target_of(&plan.links[number]), &self.dir.join("links").join(number.to_string()))
    }

    /// Where what is seen at `path` lies.
    fn seen(&self, path: &RelPath) -> PathBuf {
        self.upper.holds(Path::new(path.as_str())).unwrap_or_else(|| path.under(&self.tree))
    }

    /// Hides the bytecode of a source file: it is told stale by size and whole
    /// seconds alone.
    fn hide_bytecode(&self, path: &Path) -> Result<(), ScratchError> {
        let hide = || {
            remove_bytecode(&self.upper.dir, path)?;
            let both = [&self.bytecode.dir, &self.tree].map(|below| bytecode_of(below, path));
            both.into_iter().try_for_each(|found| found?.iter().try_for_each(|bytecode| self.upper.mark(bytecode)))
        };
        hide().map_err(|source| ScratchError::cache("hide the bytecode of", &self.tree.join(path), source))
    }

    /// Whether every file of the patch, all of them changed in place, is still
    /// as it was written.
    fn holds_patched(&self, patch: &Patch) -> bool {
        let in_place = patch.changes().iter().all(|change| change.before.is_some() && change.after.is_some());
        let now = self.stats_of(patch);
        in_place && now.len() == patch.changes().len() && now == self.patched.stats
    }

    fn stats_of(&self, patch: &Patch) -> Vec<(PathBuf, Stat)> {
        let written = patch.changes().iter().filter(|change| change.after.is_some());
        let stat = |path: &Path| self.upper.dir.join(path).symlink_metadata().ok().map(|about| Stat::of(&about));
        written
            .filter_map(|change| {
                let path = Path::new(change.path.as_str());
                Some((path.to_owned(), stat(path)?))
            })
            .collect()
    }

    /// Gives a file of the tree another time.
    fn touch(&mut self, path: &Path, modified: i64) -> Result<(), ScratchError> {
        let full = self.tree.join(path);
        let spec = TimeSpec::new(modified.div_euclid(1_000_000_000), modified.rem_euclid(1_000_000_000));
        let cannot = |source| ScratchError::cache("touch", &full, source);
        utimensat(nix::fcntl::AT_FDCWD, &full, &spec, &spec, UtimensatFlags::NoFollowSymlink)
            .map_err(|error| cannot(error.into()))?;
        if let Some(record) = self.records.get_mut(path) {
            record.own = Stat::of(&full.symlink_metadata().map_err(cannot)?);
            self.unsaved = true;
        }
        Ok(())
    }

    /// Removes files that the plan no longer has, and folders that held
    /// nothing else.
    fn remove(&mut self, gone: &[PathBuf], plan: &Plan) -> Result<(), ScratchError> {
        for path in gone {
            let full = self.tree.join(path);
            disk::remove_any(&full).map_err(|source| ScratchError::cache("remove", &full, source))?;
            for folder in path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty()) {
                // One that still holds something stays.
                if plan.folders.contains(folder) || std::fs::remove_dir(self.tree.join(folder)).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes every folder above `path` a real one or none: nothing is written
    /// through a link.
    fn clear_way(&self, path: &Path) -> Result<(), ScratchError> {
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            let full = self.tree.join(folder);
            if full.symlink_metadata().is_ok_and(|about| !about.is_dir()) {
                disk::remove_any(&full).map_err(|source| ScratchError::cache("remove", &full, source))?;
            }
        }
        Ok(())
    }

    fn seal_file(&self) -> PathBuf {
        self.dir.join("sealed")
    }

    fn is_sealed(&self) -> bool {
        let boot = std::fs::read(BOOT).unwrap_or_default();
        std::fs::read(self.seal_file()).is_ok_and(|sealed| sealed == boot)
    }

    fn seal(&self) -> Result<(), ScratchError> {
        let boot = std::fs::read(BOOT).unwrap_or_default();
        let file = self.seal_file();
        disk::write_whole(&file, &boot).map_err(|source| ScratchError::cache("write", &file, source))
    }

    fn unseal(&self) -> Result<(), ScratchError> {
        let file = self.seal_file();
        disk::remove_any(&file).map_err(|source| ScratchError::cache("remove", &file, source))
    }
}
