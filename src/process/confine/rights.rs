//! Landlock: which files may be read, and which written.
//!
//! In a mount namespace it says a second time what the mounts say; without
//! one it is all there is, and reads are allowed path by path around what is
//! hidden.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::BitFlags;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreated;
use landlock::RulesetCreatedAttr;
use landlock::Scope;

use super::Confinement;
use super::Level;

/// The newest version whose rights are known here.
const KNOWN: ABI = ABI::V6;

/// Devices that may be written without a mount namespace; in one, `/dev` holds
/// no others.
const DEVICES: [&str; 9] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
];

/// Restricts this process and all that it starts.
pub(super) fn restrict(confinement: &Confinement) -> io::Result<()> {
    let own_mounts = confinement.level == Level::Namespaces;
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(AccessFs::from_all(KNOWN)).map_err(io::Error::other)?;
    let ruleset = ruleset.scope(Scope::from_all(KNOWN)).map_err(io::Error::other)?;
    let mut ruleset = ruleset.create().map_err(io::Error::other)?;
    let reading = AccessFs::from_read(KNOWN) | AccessFs::IoctlDev;
    let all = AccessFs::from_all(KNOWN);
    if own_mounts {
        ruleset = allow(ruleset, Path::new("/"), reading)?;
        ruleset = allow(ruleset, Path::new("/dev"), all)?;
        for path in &confinement.private {
            ruleset = allow(ruleset, path, all)?;
        }
    } else {
        // Names may be listed everywhere; what a hidden file says may not be
        // read.
        ruleset = allow(ruleset, Path::new("/"), AccessFs::ReadDir.into())?;
        let mut open = Vec::new();
        around(Path::new("/"), confinement, &mut open);
        for path in &confinement.shown {
            around(path, confinement, &mut open);
        }
        for path in &open {
            ruleset = allow(ruleset, path, reading)?;
        }
        for path in DEVICES.map(Path::new).into_iter().filter(|path| confinement.private.iter().all(|it| it != path)) {
            ruleset = allow(ruleset, path, all)?;
        }
    }
    for path in &confinement.writable {
        ruleset = allow(ruleset, path, all)?;
    }
    ruleset.restrict_self().map_err(io::Error::other)?;
    Ok(())
}

/// Allows `access` below `path`; what is not there needs no right. A file has
/// no rights of a directory's.
fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let Ok(about) = path.metadata() else { return Ok(ruleset) };
    let access = if about.is_dir() { access } else { access & AccessFs::from_file(KNOWN) };
    let Ok(fd) = PathFd::new(path) else { return Ok(ruleset) };
    ruleset.add_rule(PathBeneath::new(fd, access)).map_err(io::Error::other)
}

/// Finds the outermost paths below `path`, itself counted, that hold nothing
/// hidden.
fn around(path: &Path, confinement: &Confinement, open: &mut Vec<PathBuf>) {
    let replaced = confinement.replaced.iter().map(|(path, _)| path);
    let mut closed = confinement.private.iter().chain(&confinement.hidden).chain(replaced);
    if closed.clone().any(|closed| closed == path) {
        return;
    }
    if !closed.any(|closed| closed.starts_with(path)) {
        open.push(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        // Through a link only the way to its target counts.
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            around(&entry.path(), confinement, open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::*;

    #[test]
    fn what_is_hidden_is_left_out_and_its_neighbours_stay_open() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path().canonicalize().expect("a real path");
        for path in ["a/open", "a/secret/key", "b", "tmp/x"] {
            std::fs::create_dir_all(home.join(path)).expect("folders");
        }
        std::fs::write(home.join("a/token"), "t").expect("a file");
        std::fs::create_dir_all(home.join("tmp/shown/heal")).expect("folders");
        std::fs::create_dir_all(home.join("tmp/shown/hooks")).expect("folders");
        std::os::unix::fs::symlink("a/secret", home.join("link")).expect("a link");
        let confinement = Confinement {
            level: Level::Landlock,
            landlock: true,
            writable: Vec::new(),
            layers: Vec::new(),
            private: vec![home.join("tmp")],
            hidden: vec![home.join("a/secret"), home.join("a/token"), home.join("tmp/shown/heal")],
            shown: Vec::new(),
            replaced: Vec::new(),
            network: Network::Loopback,
            least_free: 0,
        };
        let mut open = Vec::new();
        around(&home, &confinement, &mut open);
        open.sort();
        assert_eq!(open, [home.join("a/open"), home.join("b")]);
        // What is shown although it lies in a private place is no less closed
        // where something is hidden in it.
        let mut open = Vec::new();
        around(&home.join("tmp/shown"), &confinement, &mut open);
        assert_eq!(open, [home.join("tmp/shown/hooks")]);
    }
}
