//! Fixing what every scratch of a run holds: each file's digest, its bytes
//! kept, so that a save during the run changes nothing.
//!
//! Reads the user's files; writes only to the store.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::SystemTime;

use super::ScratchError;
use super::Snapshot;
use super::carried;
use super::disk;
use super::pristine::Known;
use super::pristine::LARGE;
use super::pristine::Pristine;
use super::record::Content;
use super::record::Digest;
use crate::cores;
use crate::git::Stat;

/// A file read so soon after its last change may have changed again without
/// its stat telling; file systems count in steps of up to two seconds (FAT).
pub(super) const RACY: i64 = 2_000_000_000;

/// Files for which another thread is not worth starting.
const FEW: usize = 16;

/// One path that every scratch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Where, relative to the root.
    pub(super) path: PathBuf,
    /// What.
    pub(super) content: Content,
    /// The user's modification time, in nanoseconds since 1970.
    pub(super) modified: i64,
}

/// All that every scratch of a run holds.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files and links, sorted by path.
    pub(super) wanted: Vec<Wanted>,
    /// Where each is in `wanted`, once somebody asks.
    at: OnceLock<HashMap<PathBuf, usize>>,
    /// Every folder above one of them.
    pub(super) folders: HashSet<PathBuf>,
    /// Folders that are there without a file in them.
    pub(super) empty: Vec<PathBuf>,
    /// Directories of installed packages that a link stands for, relative.
    pub(super) links: Vec<PathBuf>,
    /// Cargo's build directory to start from.
    pub(super) seed: Option<PathBuf>,
    /// Folders of the user's bytecode, relative and sorted.
    pub(super) compiled: Vec<PathBuf>,
    /// Whether cargo builds in `target`, which then stays between candidates.
    pub(super) builds: bool,
    /// Whether go builds, with a cache that stays between candidates.
    pub(super) has_go: bool,
    /// What a report should say.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Where `path` is in `wanted`.
    pub(super) fn at(&self, path: &Path) -> Option<usize> {
        let at = || self.wanted.iter().enumerate().map(|(at, wanted)| (wanted.path.clone(), at)).collect();
        self.at.get_or_init(at).get(path).copied()
    }

    /// What is wanted at `path`.
    pub(super) fn content(&self, path: &Path) -> Option<&Content> {
        self.at(path).map(|at| &self.wanted[at].content)
    }

    /// Where one of the `links` leads.
    pub(super) fn target_of(&self, link: &Path) -> PathBuf {
        match self.content(link) {
            Some(Content::Symlink(target)) => target.clone(),
            _ => link.to_owned(),
        }
    }
}

/// Opens the store in the slot's `dir`, and fixes there what every scratch of a run
/// holds.
pub(super) fn fix(snapshot: &Snapshot, dir: &Path) -> Result<(Pristine, Plan), ScratchError> {
    let store = |source| ScratchError::cache("write", dir, source);
    let (pristine, known) = Pristine::open(dir).map_err(store)?;
    let (plan, known) = pin(snapshot, &pristine, known)?;
    if let Some(known) = known {
        pristine.save(&known).map_err(store)?;
    }
    Ok((pristine, plan))
}

/// Reads what is not known yet. Returns the plan and, where that is more or
/// less than before, all that is known then of the user's files.
fn pin(
    snapshot: &Snapshot,
    pristine: &Pristine,
    known: HashMap<OsString, Known>,
) -> Result<(Plan, Option<HashMap<OsString, Known>>), ScratchError> {
    let carried = carried::decide(snapshot.root(), snapshot.ignored());
    let plan = Plan { wanted: Vec::with_capacity(snapshot.entries().len()), ..Plan::default() };
    let mut pinning = Pinning { snapshot, pristine, known, new: Vec::new(), plan };
    let listed = snapshot.entries().iter().map(|(path, entry)| (path, &entry.stat, entry.symlink));
    let carried_files = carried.files.iter().map(|carry| (&carry.path, &carry.stat, carry.symlink));
    let mut unknown = Vec::new();
    for (path, stat, symlink) in listed.chain(carried_files) {
        match pinning.known_digest(path, stat).filter(|_| !symlink) {
            Some(digest) => pinning.want(path, file_content(digest, stat), stat),
            None => unknown.push((path, stat, symlink)),
        }
    }
    // The listing is sorted, and names nothing twice.
    let is_sorted = unknown.is_empty() && carried.files.is_empty() && carried.links.is_empty();
    // Read on all cores, looked at in turn.
    let read = cores::asked(&unknown, FEW, |(path, stat, symlink)| pinning.read(path, stat, *symlink));
    for ((path, stat, _), read) in unknown.into_iter().zip(read) {
        pinning.take(path, stat, read?)?;
    }
    for link in &carried.links {
        let target = snapshot.root().join(link);
        pinning.plan.wanted.push(Wanted { path: link.clone(), content: Content::Symlink(target), modified: 0 });
    }
    let Pinning { mut known, new, mut plan, .. } = pinning;
    if !is_sorted {
        plan.wanted.sort_by(|a, b| a.path.cmp(&b.path));
        plan.wanted.dedup_by(|a, b| a.path == b.path);
    }
    plan.empty = snapshot.empty_folders().to_vec();
    // Files of one folder follow each other.
    let mut above: Vec<&Path> = plan.wanted.iter().filter_map(|wanted| wanted.path.parent()).collect();
    above.dedup_by(|a, b| a.as_os_str() == b.as_os_str());
    let folders = above.into_iter().chain(plan.empty.iter().map(PathBuf::as_path)).flat_map(Path::ancestors);
    plan.folders = folders.filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_path_buf).collect();
    plan.links = carried.links;
    plan.seed = carried.seed;
    plan.compiled = carried.compiled;
    let has = |name: &str| {
        // The name itself is looked for last: it takes longer.
        let ends = |path: &Path| path.as_os_str().as_encoded_bytes().ends_with(name.as_bytes());
        plan.wanted.iter().any(|it| ends(&it.path) && it.path.file_name().is_some_and(|its| its == name))
    };
    plan.has_go = has("go.mod");
    plan.builds = (has("Cargo.toml") || plan.seed.is_some()) && !plan.folders.contains(Path::new("target"));
    plan.notes.extend(carried.notes);
    let files = plan.wanted.iter().filter(|wanted| matches!(wanted.content, Content::File { .. })).count();
    // Every file that is not new is known.
    if new.is_empty() && files == known.len() {
        return Ok((plan, None));
    }
    known.retain(|path, _| matches!(plan.content(Path::new(path)), Some(Content::File { .. })));
    known.extend(new);
    Ok((plan, Some(known)))
}

/// The work under way.
struct Pinning<'a> {
    snapshot: &'a Snapshot,
    pristine: &'a Pristine,
    known: HashMap<OsString, Known>,
    /// What was not known, or is something else by now.
    new: Vec<(OsString, Known)>,
    plan: Plan,
}

/// What reading one path gave.
enum Read {
    /// A link, and where it points.
    Link(PathBuf),
    /// A file that another pool of the same snapshot has fixed.
    Fixed(Digest),
    /// A file, and whether it held still.
    File { digest: Digest, stat: Stat, still: bool },
}

impl Pinning<'_> {
    /// The digest of a file that an earlier run read and nobody wrote since,
    /// unless this one has fixed or read it already.
    fn known_digest(&self, path: &Path, listed: &Stat) -> Option<Digest> {
        let known = self.known.get(path.as_os_str()).filter(|known| known.settled && known.user == *listed)?;
        let is_fixed = self.snapshot.kept(path).is_some() || self.snapshot.held_reading(path).is_some();
        (!is_fixed && self.pristine.has(&known.digest)).then_some(known.digest)
    }

    /// Reads a path and keeps its bytes. The outer error is of the store, the
    /// inner of the user's file.
    fn read(&self, path: &Path, listed: &Stat, symlink: bool) -> Result<io::Result<Read>, ScratchError> {
        let full = self.snapshot.root().join(path);
        let store = |source| ScratchError::cache("keep", &full, source);
        if symlink {
            return Ok(std::fs::read_link(full).map(Read::Link));
        }
        if let Some((digest, bytes)) = self.fixed_before(path)? {
            self.pristine.add(&digest, &bytes).map_err(store)?;
            return Ok(Ok(Read::Fixed(digest)));
        }
        let reading = match self.snapshot.held_reading(path) {
            Some(reading) => reading,
            None if listed.size > LARGE => {
                // Whose fault an error is cannot be told apart here; the text is
                // the system's either way.
                return match self.pristine.add_large(&full) {
                    Ok((digest, stat, still)) => Ok(Ok(Read::File { digest, stat, still })),
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(store(error)),
                    Err(error) => Ok(Err(error)),
                };
            }
            None => match disk::read_still(&full) {
                Ok(reading) => Arc::new(reading),
                Err(error) => return Ok(Err(error)),
            },
        };
        let digest = *blake3::hash(&reading.bytes).as_bytes();
        self.pristine.add(&digest, &reading.bytes).map_err(store)?;
        Ok(Ok(Read::File { digest, stat: reading.stat, still: reading.still }))
    }

    /// Fixes one path by what reading it gave. What is gone by now was never
    /// there.
    fn take(&mut self, path: &Path, listed: &Stat, read: io::Result<Read>) -> Result<(), ScratchError> {
        match read {
            Ok(Read::Link(target)) => self.want(path, Content::Symlink(target), listed),
            Ok(Read::Fixed(digest)) => {
                self.new.push((path.into(), Known { user: *listed, digest, settled: false }));
                self.want(path, file_content(digest, listed), listed);
            }
            Ok(Read::File { digest, stat, still }) => {
                let settled = still && nanoseconds_now() - stat.changed.max(stat.modified) > RACY;
                self.new.push((path.into(), Known { user: stat, digest, settled }));
                if !still {
                    self.plan.notes.push(format!("`{}` was being written while it was copied", path.display()));
                }
                self.want(path, file_content(digest, &stat), &stat);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.plan.notes.push(format!("`{}` may not be read and is not there", path.display()));
            }
            Err(source) => {
                return Err(ScratchError::Io { doing: "read", path: self.snapshot.root().join(path), source });
            }
        }
        Ok(())
    }

    /// Every scratch holds this.
    fn want(&mut self, path: &Path, content: Content, user: &Stat) {
        self.plan.wanted.push(Wanted { path: path.to_owned(), content, modified: user.modified });
    }

    /// The bytes that another pool of the same snapshot fixed.
    fn fixed_before(&self, path: &Path) -> Result<Option<(Digest, Vec<u8>)>, ScratchError> {
        let Some((pristine, digest)) = self.snapshot.kept(path) else { return Ok(None) };
        let lost = || ScratchError::Lost { path: path.to_owned() };
        let bytes = match pristine.get(&digest).map_err(|_| lost())?.ok_or_else(lost)? {
            super::pristine::Kept::Held(bytes) => bytes,
            super::pristine::Kept::In(file) => std::fs::read(file).map_err(|_| lost())?,
        };
        Ok(Some((digest, bytes)))
    }
}

fn file_content(digest: Digest, stat: &Stat) -> Content {
    Content::File { digest, mode: stat.mode & 0o777 }
}

/// Now, in nanoseconds since 1970.
pub(super) fn nanoseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
