//! What a confined command sees of the file system, laid in a mount namespace
//! of its own.
//!
//! Everything is unwritable; private directories are empty ones of a memory
//! file system of limited size; what must be seen below them, and what may be
//! written, is hung over that, outermost first. Changes nothing outside of the
//! namespace.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use nix::mount::MsFlags;
use nix::mount::mount;

use super::Confinement;
use super::Layer;
use super::kernel;
use super::privileges::MOST_PROCESSES;

/// Devices that a program may expect; those that are not there are left out.
/// The last are graphics and compute devices.
const DEVICES: [&str; 9] = ["null", "zero", "full", "random", "urandom", "tty", "fuse", "dri", "nvidiactl"];

/// Links that `/dev` has everywhere.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Where the memory file system is first mounted, for as long as its parts are
/// taken from it.
const STAGE: &str = "/tmp";

/// How much all private directories and shared memory hold together: a quarter
/// of the machine's memory, a million files (tmpfs(5)).
const ROOM: &str = "mode=0755,size=25%,nr_inodes=1m";

/// One thing to hang, and where.
struct Part {
    at: PathBuf,
    mount: OwnedFd,
    /// Whether the place must be a directory.
    folder: bool,
}

/// Lays everything. The process has a mount namespace of its own.
pub(super) fn lay(confinement: &Confinement) -> io::Result<()> {
    let root = Path::new("/");
    mount(None::<&str>, root, None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    let mut parts = Vec::new();
    for layer in &confinement.layers {
        parts.push(Part { at: layer.at.clone(), mount: layered(layer)?, folder: true });
    }
    let is_layered = |path: &PathBuf| confinement.layers.iter().any(|layer| layer.at == *path);
    for path in confinement.writable.iter().filter(|path| !is_layered(path)) {
        parts.push(Part { at: path.clone(), mount: kernel::copy_of(path, true)?, folder: true });
    }
    for path in &confinement.shown {
        // What has gone since is not seen.
        let (Ok(mount), Ok(about)) = (kernel::copy_of(path, true), path.metadata()) else { continue };
        kernel::forbid_writes(&mount)?;
        parts.push(Part { at: path.clone(), mount, folder: about.is_dir() });
    }
    let devices: Vec<Part> = DEVICES.iter().filter_map(|name| device(name)).collect();
    // Looked at before anything covers it.
    let covered = Covered::look(confinement);
    kernel::forbid_writes_at(root)?;

    let stage = Path::new(STAGE);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("heal"), stage, Some("tmpfs"), flags, Some(ROOM))?;
    parts.extend(private_parts(stage, &covered, &confinement.replaced)?);
    // Before the parts: some machines keep caches below `/dev/shm`.
    kernel::hang(&dev_of(stage)?, Path::new("/dev"))?;
    fill_dev(&devices)?;
    parts.sort_by_key(|part| part.at.components().count());
    for part in &parts {
        make_place(&part.at, part.folder)?;
        kernel::hang(&part.mount, &part.at)?;
    }
    own_proc()
}

/// An overlay that hangs nowhere yet. `userxattr`, since it is made without
/// rights outside of the namespace; with an index a layer could not be used
/// again by the next command; `volatile`, since else all that the machine has
/// still to write to that disk is waited for when the namespace ends, and a layer
/// is for nothing after a crash (kernel documentation, overlayfs; 5.11).
fn layered(layer: &Layer) -> io::Result<OwnedFd> {
    // Between these the kernel looks for several paths.
    let is_plain = |path: &Path| !path.as_os_str().as_encoded_bytes().iter().any(|byte| b":,\\".contains(byte));
    if !layer.below.iter().chain([&layer.upper, &layer.work]).all(|path| is_plain(path)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path with `:`, `,` or a backslash"));
    }
    let below = layer.below.iter().map(|path| path.as_os_str()).collect::<Vec<_>>().join(OsStr::new(":"));
    let settings = [
        (c"lowerdir", Some(kernel::c_path(Path::new(&below))?)),
        (c"upperdir", Some(kernel::c_path(&layer.upper)?)),
        (c"workdir", Some(kernel::c_path(&layer.work)?)),
        (c"index", Some(c"off".to_owned())),
        (c"userxattr", None),
        (c"volatile", None),
    ];
    forget_last(&layer.work)?;
    kernel::made(c"overlay", &settings)
}

/// Takes away the mark by which the kernel refuses a layer that was in use, as
/// it may have been cut off in the middle: what heal goes on with was not.
fn forget_last(work: &Path) -> io::Result<()> {
    let own = work.join("work");
    if own.symlink_metadata().is_err() {
        return Ok(());
    }
    // The kernel's own folder has no rights.
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o700))?;
    match std::fs::remove_dir_all(own.join("incompat")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn device(name: &str) -> Option<Part> {
    let at = Path::new("/dev").join(name);
    let folder = at.metadata().ok()?.is_dir();
    Some(Part { mount: kernel::copy_of(&at, true).ok()?, at, folder })
}

/// What is to be covered and is there, as it is.
struct Covered<'a> {
    /// Private directories with their modes: `/tmp` is everybody's, a home is
    /// not.
    private: Vec<(&'a Path, u32)>,
    /// What is hidden, and whether it is a directory.
    hidden: Vec<(&'a Path, bool)>,
}

impl Covered<'_> {
    fn look(confinement: &Confinement) -> Covered<'_> {
        let private = confinement.private.iter().filter_map(|at| Some((at.as_path(), at.metadata().ok()?)));
        let hidden = confinement.hidden.iter().filter_map(|at| Some((at.as_path(), at.symlink_metadata().ok()?)));
        Covered {
            private: private.map(|(at, about)| (at, about.permissions().mode())).collect(),
            hidden: hidden.map(|(at, about)| (at, about.is_dir())).collect(),
        }
    }
}

/// Empty directories and files for what is private, hidden or replaced.
fn private_parts(stage: &Path, covered: &Covered<'_>, replaced: &[(PathBuf, String)]) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (number, (at, mode)) in covered.private.iter().enumerate() {
        let folder = stage.join(format!("private{number}"));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(*mode))?;
        parts.push(Part { at: at.to_path_buf(), mount: kernel::copy_of(&folder, false)?, folder: true });
    }
    let (folder, file) = (stage.join("nothing"), stage.join("empty"));
    std::fs::create_dir(&folder)?;
    std::fs::write(&file, "")?;
    for (at, is_folder) in &covered.hidden {
        let mount = kernel::copy_of(if *is_folder { &folder } else { &file }, false)?;
        kernel::forbid_writes(&mount)?;
        parts.push(Part { at: at.to_path_buf(), mount, folder: *is_folder });
    }
    for (number, (at, text)) in replaced.iter().enumerate() {
        let file = stage.join(format!("replaced{number}"));
        std::fs::write(&file, text)?;
        let mount = kernel::copy_of(&file, false)?;
        kernel::forbid_writes(&mount)?;
        parts.push(Part { at: at.clone(), mount, folder: false });
    }
    Ok(parts)
}

/// Makes a place to hang something at, where it is missing below a private
/// directory.
fn make_place(at: &Path, folder: bool) -> io::Result<()> {
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    if folder {
        return std::fs::create_dir_all(at);
    }
    if let Some(parent) = at.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(at, "")
}

fn dev_of(stage: &Path) -> io::Result<OwnedFd> {
    let folder = stage.join("dev");
    std::fs::create_dir(&folder)?;
    kernel::copy_of(&folder, false)
}

/// Fills the empty `/dev`.
fn fill_dev(devices: &[Part]) -> io::Result<()> {
    let dev = Path::new("/dev");
    for part in devices {
        make_place(&part.at, part.folder)?;
        kernel::hang(&part.mount, &part.at)?;
    }
    for (target, name) in DEVICE_LINKS {
        std::os::unix::fs::symlink(target, dev.join(name))?;
    }
    let shm = dev.join("shm");
    std::fs::create_dir(&shm)?;
    std::fs::set_permissions(&shm, std::fs::Permissions::from_mode(0o1777))?;
    let pts = dev.join("pts");
    std::fs::create_dir(&pts)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    // Without it there are no terminals, which few tests want.
    let _ = mount(Some("devpts"), &pts, Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=0620"));
    Ok(())
}

/// Shows the namespace's own processes and no others. A container whose
/// `/proc` is partly covered allows no other one; then the outer is seen, of
/// which nothing can be written, nor read what is another's.
fn own_proc() -> io::Result<()> {
    let (proc, flags) = (Path::new("/proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC);
    if mount(Some("proc"), proc, Some("proc"), flags, None::<&str>).is_ok() {
        if counts_processes() {
            // Who watches looks four times a second: time for a fork bomb to take
            // every number that the machine has.
            let _ = std::fs::write(proc.join("sys/kernel/pid_max"), MOST_PROCESSES.to_string());
        }
        let closed = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, proc, None::<&str>, closed, None::<&str>)?;
    }
    Ok(())
}

/// Whether a process namespace has a `pid_max` of its own: since Linux 6.14; the
/// file was the whole machine's before.
fn counts_processes() -> bool {
    let release = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
    release.is_ok_and(|release| is_at_least(&release, (6, 14)))
}

fn is_at_least(release: &str, least: (u32, u32)) -> bool {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse().ok());
    let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) else { return false };
    (major, minor) >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kernel_that_is_known_to_be_new_enough_counts_processes_by_namespace() {
        for (release, holds) in [
            ("6.14.0-37-generic", true),
            ("6.18.44-fc-v657", true),
            ("7.0", true),
            ("6.13.9", false),
            ("5.15.0", false),
            ("6", false),
            ("v6.14", false),
            ("", false),
        ] {
            assert_eq!(is_at_least(release, (6, 14)), holds, "{release}");
        }
    }
}
