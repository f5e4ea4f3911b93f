//! A listing that was kept, so that git is not asked again for what cannot have
//! changed: the ground it stood on, and every folder and file that has a say in
//! it, by stat.
//!
//! A folder's time tells what came and went in it, on file systems that are
//! known to keep it. Whatever is in doubt is not kept, and git is asked.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::disk;
use super::pin::RACY;
use super::pin::nanoseconds_now;
use super::record::Reader;
use super::record::Writer;
use super::watch::Watch;
use super::watch::is_fine;
use crate::cores;
use crate::git::GitError;
use crate::git::Kind;
use crate::git::Listed;
use crate::git::Listing;
use crate::git::Repository;
use crate::git::Stat;

const MAGIC: &[u8; 8] = b"healls 1";

/// Bytes that an entry has at least: the length of its path.
const LEAST: usize = 8;

/// Things for which another thread is not worth starting.
const FEW: usize = 2000;

/// No system's clock goes on in longer steps, in nanoseconds.
const STEP: i64 = 100_000_000;

/// A listing, and what it holds by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    listing: Listing,
    /// Of what is outside the tree.
    ground: [u8; 32],
    /// Where the settings were.
    settings: Vec<PathBuf>,
    /// Every folder that git looked into, and every file of rules that is
    /// itself ignored.
    others: Vec<(PathBuf, Stat)>,
}

/// Lists the tree; by what is kept in the folder `home`, where that still holds,
/// else as [`Repository::listing_while`].
///
/// # Errors
/// As [`Repository::listing`].
pub(super) fn listing(
    repository: &Repository,
    home: &Path,
    meanwhile: &(dyn Fn(&[Listed]) + Sync),
) -> Result<Listing, GitError> {
    let file = home.join("listing");
    let seen = std::fs::read(&file).ok().and_then(|kept| Seen::parse(&kept));
    if let Some(seen) = seen.filter(|seen| seen.holds(repository)) {
        return Ok(seen.listing);
    }
    let began = nanoseconds_now();
    let listing = repository.listing_while(meanwhile)?;
    // What cannot be kept, or taken away, is found out to hold no more.
    match Seen::of(repository, &listing, began) {
        Some(seen) => {
            let _ = disk::make_own(home).and_then(|()| disk::write_whole(&file, &seen.written()));
        }
        None => {
            let _ = disk::remove_any(&file);
        }
    }
    Ok(listing)
}

impl Seen {
    /// Of a listing that was begun at `began`; `None` where something could
    /// change, or did, and nothing would tell.
    fn of(repository: &Repository, listing: &Listing, began: i64) -> Option<Seen> {
        let root = repository.root();
        let settings = repository.settings_files()?;
        let ground = repository.ground(&settings)?;
        // A repository inside has a state of its own.
        if !is_fine(root) || listing.entries.iter().any(|one| one.kind == Kind::Submodule) {
            return None;
        }
        let others = Watch::over(root, &listing.ignored).ok()??;
        let mut stats = others.iter().map(|(_, stat)| stat).chain(listing.entries.iter().map(|one| &one.stat));
        let is_settled = is_settled(ground.changed, began)
            && stats.all(|stat| is_settled(stat.changed, began) && is_settled(stat.modified, began));
        let (listing, ground) = (listing.clone(), ground.digest);
        is_settled.then_some(Seen { listing, ground, settings, others })
    }

    /// Whether git would say the same again.
    fn holds(&self, repository: &Repository) -> bool {
        let Ok(root) = File::open(repository.root()) else { return false };
        repository.ground(&self.settings).is_some_and(|ground| ground.digest == self.ground)
            && self.others.iter().all(|(path, stat)| is_still(&root, path, stat))
            && are_still(&root, &self.listing.entries)
    }

    fn written(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC);
        writer.bytes(&self.ground);
        writer.paths(&self.settings);
        writer.number(self.others.len() as u64);
        for (path, stat) in &self.others {
            writer.path(path);
            writer.stat(stat);
        }
        writer.bytes(self.listing.commit.as_deref().unwrap_or_default().as_bytes());
        writer.number(u64::from(self.listing.dirty));
        writer.paths(&self.listing.ignored);
        writer.number(self.listing.entries.len() as u64);
        for one in &self.listing.entries {
            writer.path(&one.path);
            writer.stat(&one.stat);
            let is_link = one.kind == Kind::Symlink;
            writer.number(u64::from(is_link) | u64::from(one.tracked) << 1 | u64::from(one.changed) << 2);
        }
        writer.done()
    }

    fn parse(kept: &[u8]) -> Option<Seen> {
        let mut reader = Reader::new(kept, MAGIC)?;
        let (ground, settings) = (reader.digest()?, reader.paths()?);
        let count = reader.count(LEAST)?;
        let others = (0..count).map(|_| Some((reader.path()?, reader.stat()?))).collect::<Option<_>>()?;
        let commit = String::from_utf8(reader.bytes()?.to_vec()).ok()?;
        let (dirty, ignored, count) = (reader.number()? == 1, reader.paths()?, reader.count(LEAST)?);
        let entry = |reader: &mut Reader| {
            let (path, stat, flags) = (reader.path()?, reader.stat()?, reader.number()?);
            let kind = if flags & 1 == 1 { Kind::Symlink } else { Kind::File };
            Some(Listed { path, kind, tracked: flags & 2 == 2, changed: flags & 4 == 4, stat })
        };
        let entries = (0..count).map(|_| entry(&mut reader)).collect::<Option<_>>()?;
        let commit = Some(commit).filter(|commit| !commit.is_empty());
        Some(Seen { listing: Listing { commit, dirty, entries, ignored }, ground, settings, others })
    }
}

/// Whether whatever changed at `time` is not changed again after `began` in the
/// same step of the clock by which the file system counts.
fn is_settled(time: i64, began: i64) -> bool {
    // A part of a second tells that it counts in parts of seconds.
    let step = if time % 1_000_000_000 == 0 { RACY } else { STEP };
    time < began - step
}

/// Whether what is at `path` below `root` is what it was.
fn is_still(root: &File, path: &Path, was: &Stat) -> bool {
    // The root itself has no name below it.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Stat::at(root, path).is_ok_and(|about| about == *was)
}

/// The same of all; after one that is not, no other is asked for.
fn are_still(root: &File, entries: &[Listed]) -> bool {
    let so_far = AtomicBool::new(true);
    cores::asked(entries, FEW, |one| {
        if so_far.load(Ordering::Relaxed) && !is_still(root, &one.path, &one.stat) {
            so_far.store(false, Ordering::Relaxed);
        }
    });
    so_far.into_inner()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::git::fixture::Fixture;

    /// A tree with something of everything.
    fn fixture() -> Fixture {
        let fixture = Fixture::with(&[
            (".gitignore", "*.log\nbuild/\n"),
            ("a.py", "one\n"),
            ("deep/er/b.py", "b\n"),
            ("deep/c.py", "c\n"),
        ]);
        for (path, text) in [
            ("a.log", "log\n"),
            ("build/out", "out\n"),
            (".cache/.gitignore", "*\n"),
            (".cache/v/nodes", "nodes\n"),
            ("untracked/u.py", "u\n"),
            (".git/info/exclude", "# nothing\n"),
        ] {
            fixture.write(path, text);
        }
        std::fs::create_dir(fixture.root.join("empty")).expect("folder");
        std::os::unix::fs::symlink("a.py", fixture.root.join("link")).expect("link");
        fixture
    }

    /// What is known of it, as if it had been so for long.
    fn seen(fixture: &Fixture) -> Option<Seen> {
        let repository = fixture.repository();
        let listing = repository.listing().expect("a listing");
        Seen::of(&repository, &listing, nanoseconds_now() + 2 * RACY)
    }

    #[test]
    fn what_is_kept_is_what_git_said() {
        let fixture = fixture();
        let seen = seen(&fixture).expect("seen");
        assert_eq!(seen.listing, fixture.repository().listing().expect("a listing"));
        assert_eq!(Seen::parse(&seen.written()).as_ref(), Some(&seen));
        assert!(seen.holds(&fixture.repository()));
    }

    #[test]
    fn every_change_that_git_would_tell_is_noticed() {
        type Change = fn(&Fixture);
        let changes: [(&str, Change); 21] = [
            ("a file edited", |fixture| fixture.write("a.py", "two\n")),
            ("a deep file edited", |fixture| fixture.write("deep/er/b.py", "B\n")),
            ("an untracked file edited", |fixture| fixture.write("untracked/u.py", "U\n")),
            ("a new file", |fixture| fixture.write("new.py", "")),
            ("a new file in a folder", |fixture| fixture.write("deep/er/new.py", "")),
            ("a new file in an empty folder", |fixture| fixture.write("empty/new.py", "")),
            ("a new file beside untracked ones", |fixture| fixture.write("untracked/new.py", "")),
            ("a new folder", |fixture| fixture.write("deep/new/n.py", "")),
            ("a new ignored file", |fixture| fixture.write("deep/b.log", "")),
            ("a file gone", |fixture| std::fs::remove_file(fixture.root.join("deep/c.py")).expect("removed")),
            ("a mode", |fixture| {
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(fixture.root.join("a.py"), mode).expect("mode");
            }),
            ("another target of a link", |fixture| {
                std::fs::remove_file(fixture.root.join("link")).expect("removed");
                std::os::unix::fs::symlink("b.py", fixture.root.join("link")).expect("link");
            }),
            ("something staged", |fixture| drop(fixture.git(&["add", "untracked"]))),
            ("a commit", |fixture| fixture.commit("second")),
            ("another commit checked out", |fixture| {
                fixture.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
            }),
            ("a rule", |fixture| fixture.write(".gitignore", "*.log\n")),
            ("a rule in an ignored file", |fixture| fixture.write(".cache/.gitignore", "nodes\n")),
            ("a rule of this clone", |fixture| fixture.write(".git/info/exclude", "untracked\n")),
            ("a setting", |fixture| drop(fixture.git(&["config", "core.excludesFile", "/nowhere"]))),
            ("a rule of the user", |fixture| {
                let folder = fixture.dir.path().join(".config/git");
                std::fs::create_dir_all(&folder).expect("folder");
                std::fs::write(folder.join("ignore"), "u.py\n").expect("rules");
            }),
            ("a folder that is another's", |fixture| drop(fixture.git(&["init", "-q", "empty"]))),
        ];
        for (what, change) in changes {
            let fixture = fixture();
            let seen = seen(&fixture).expect("seen");
            // Longer than a step of the system's clock.
            std::thread::sleep(Duration::from_millis(20));
            change(&fixture);
            assert!(!seen.holds(&fixture.repository()), "{what}");
        }
    }

    #[test]
    fn what_git_does_not_look_at_may_change() {
        let fixture = fixture();
        let seen = seen(&fixture).expect("seen");
        std::thread::sleep(Duration::from_millis(20));
        for (path, text) in [("build/more", "more"), ("a.log", "more"), (".cache/v/nodes", "more"), (".git/x", "")] {
            fixture.write(path, text);
        }
        assert!(seen.holds(&fixture.repository()));
        assert_eq!(seen.listing, fixture.repository().listing().expect("a listing"));
    }

    #[test]
    fn what_was_just_written_is_not_kept() {
        let fixture = fixture();
        let repository = fixture.repository();
        let listing = repository.listing().expect("a listing");
        let changed = listing.entries.iter().map(|one| one.stat.changed).max().expect("an entry");
        for (began, is_kept) in [(changed, false), (changed + STEP / 2, false), (changed + 2 * RACY, true)] {
            assert_eq!(Seen::of(&repository, &listing, began).is_some(), is_kept, "{began}");
        }
        for (time, began, wanted) in [
            (5_000_000_001, 5_000_000_001 + STEP, false),
            (5_000_000_001, 5_000_000_002 + STEP, true),
            // Whole seconds: the file system may know no less.
            (5_000_000_000, 5_000_000_001 + STEP, false),
            (5_000_000_000, 5_000_000_001 + RACY, true),
        ] {
            assert_eq!(is_settled(time, began), wanted, "{time} {began}");
        }
    }

    #[test]
    fn a_tree_is_not_kept_where_something_could_change_unseen() {
        type Change = fn(&Fixture);
        let changes: [(&str, Change); 4] = [
            ("a repository inside", |fixture| {
                fixture.git(&["init", "-q", "inner"]);
                fixture.write("inner/i.py", "");
            }),
            ("an empty repository inside", |fixture| drop(fixture.git(&["init", "-q", "inner"]))),
            ("settings from a file that may appear", |fixture| {
                fixture.git(&["config", "include.path", "more"]);
            }),
            ("rules relative to who knows what", |fixture| {
                fixture.git(&["config", "core.excludesFile", "rules"]);
            }),
        ];
        for (what, change) in changes {
            let fixture = fixture();
            assert!(seen(&fixture).is_some(), "{what}");
            change(&fixture);
            assert_eq!(seen(&fixture), None, "{what}");
        }
    }

    #[test]
    fn a_listing_that_is_kept_is_used_until_it_fails() {
        let fixture = fixture();
        let (repository, home) = (fixture.repository(), fixture.dir.path().join("home"));
        let kept = Seen {
            listing: Listing { dirty: false, ..seen(&fixture).expect("seen").listing },
            ..seen(&fixture).expect("seen")
        };
        std::fs::create_dir(&home).expect("folder");
        std::fs::write(home.join("listing"), kept.written()).expect("kept");
        // It says what only what is kept says.
        assert!(!listing(&repository, &home, &|_| {}).expect("a listing").dirty);
        // A time that is still to come never settles.
        let to_come = std::time::SystemTime::now() + Duration::from_secs(3600);
        let file = std::fs::File::options().append(true).open(fixture.root.join("a.py")).expect("a file");
        file.set_modified(to_come).expect("a time");
        assert!(listing(&repository, &home, &|_| {}).expect("a listing").dirty);
        assert!(!home.join("listing").exists());
        std::fs::write(home.join("listing"), b"damaged").expect("damaged");
        assert!(listing(&repository, &home, &|_| {}).expect("a listing").dirty);
    }
}
