//! System calls that no library of heal's wraps: the mount interface by file
//! descriptors, clone into namespaces, Landlock's version, the loopback.
//!
//! Thin: one call a function, errors as the system gives them.

use std::ffi::CStr;
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;

// <linux/mount.h>, <linux/fcntl.h>; kernel 5.12.
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
const MOUNT_ATTR_RDONLY: u64 = 1;
const MOUNT_ATTR_NOSUID: libc::c_uint = 2;
const MOUNT_ATTR_NODEV: libc::c_uint = 4;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// The system's word on a call that returned `result`.
fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A path as the kernel takes it.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// A mount that hangs nowhere yet: what is seen at `path` with all that is
/// mounted below it, or without where `whole` is false (open_tree(2)).
pub(super) fn copy_of(path: &Path, whole: bool) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | if whole { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string that outlives the call.
    let fd = checked(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A new file system of kind `kind` that hangs nowhere yet, with these
/// settings; one without a value is a flag (fsopen(2), fsconfig(2),
/// fsmount(2); kernel 5.2).
pub(super) fn made(kind: &CStr, settings: &[(&CStr, Option<CString>)]) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string that outlives the call.
    let fd = checked(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    let context = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let null: *const libc::c_char = std::ptr::null();
    let configure = |command: libc::c_uint, name: *const libc::c_char, value: *const libc::c_char| {
        // SAFETY: name and value are null or C strings that outlive the call.
        checked(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, name, value, 0) })
    };
    for (name, value) in settings {
        match value {
            Some(value) => configure(FSCONFIG_SET_STRING, name.as_ptr(), value.as_ptr())?,
            None => configure(FSCONFIG_SET_FLAG, name.as_ptr(), null)?,
        };
    }
    configure(FSCONFIG_CMD_CREATE, null, null)?;
    let flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    // SAFETY: takes numbers only.
    let fd = checked(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, flags) })?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Hangs a copy at `path`, over what is there (move_mount(2)).
pub(super) fn hang(mount: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: both paths are C strings that outlive the call.
    checked(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// Makes a copy that hangs nowhere yet, and all below it, unwritable.
pub(super) fn forbid_writes(mount: &OwnedFd) -> io::Result<()> {
    set_read_only(mount.as_raw_fd(), c"".to_owned(), libc::AT_EMPTY_PATH as libc::c_uint | AT_RECURSIVE)
}

/// Makes what is mounted at `path`, and all below it, unwritable.
pub(super) fn forbid_writes_at(path: &Path) -> io::Result<()> {
    set_read_only(libc::AT_FDCWD, c_path(path)?, AT_RECURSIVE)
}

fn set_read_only(at: i32, path: CString, flags: libc::c_uint) -> io::Result<()> {
    let attr = MountAttr { attr_set: MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    // SAFETY: path and structure outlive the call; the size is the structure's.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at,
            path.as_ptr(),
            flags,
            &raw const attr,
            std::mem::size_of::<MountAttr>(),
        )
    })?;
    Ok(())
}

/// fork(2) into namespaces of its own (`flags` of clone(2)); 0 is the child.
/// The caller must have one thread.
pub(super) fn fork_into(flags: libc::c_int) -> io::Result<i32> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM this is a fork: the child has a copy of all
    // memory, and with one thread no lock in it is held by another.
    #[cfg(not(target_arch = "s390x"))]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    // The first two arguments are the other way round there, clone(2).
    #[cfg(target_arch = "s390x")]
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, flags, 0, 0, 0) };
    Ok(checked(pid)? as i32)
}

/// Landlock's ABI version; 0 where the kernel has none or has it switched off.
pub(super) fn landlock_version() -> i32 {
    const CREATE_RULESET_VERSION: libc::c_uint = 1;
    let nothing: *const libc::c_void = std::ptr::null();
    // SAFETY: with this flag the kernel reads no structure.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, CREATE_RULESET_VERSION) };
    version.max(0) as i32
}

/// Brings up `lo` in the network namespace (netdevice(7)).
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: makes a socket.
    let socket = checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into())?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket as i32) };
    // SAFETY: plain numbers and pointers: all zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the structure is the one that this request takes, and outlives it.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }.into())?;
    Ok(())
}
