//! What a command loses beside paths: capabilities, core dumps, files without
//! end, and, where its namespace counts for itself, processes without end.
//!
//! Acts on its own process; what is lost stays lost for all that it starts.

use std::io;

use nix::libc;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;

/// Capabilities (capabilities(7)) that tests run by root keep: over owners,
/// modes and ids of what they can reach, signals, and low ports. By number:
/// CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID,
/// NET_BIND_SERVICE, SYS_CHROOT.
const KEPT: [libc::c_ulong; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 10, 18];

/// Bytes that one file may have.
const LARGEST_FILE: u64 = 16 << 30;

/// Processes that one namespace may have; the helper's own limit is lower.
pub(super) const MOST_PROCESSES: u64 = 8192;

/// Gives up what no test needs. `own_users` says that the process has a user
/// namespace, in which processes are counted apart from the user's others.
pub(super) fn give_up(own_users: bool) -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    for capability in (0..64).filter(|one| !KEPT.contains(one)) {
        // SAFETY: changes this process alone.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        // EINVAL is the end of the list; EPERM is an ordinary user's, who has
        // no capability to lose.
        if dropped != 0 {
            break;
        }
    }
    limit(Resource::RLIMIT_CORE, 0)?;
    limit(Resource::RLIMIT_FSIZE, LARGEST_FILE)?;
    if own_users {
        limit(Resource::RLIMIT_NPROC, MOST_PROCESSES)?;
    }
    Ok(())
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, soft.min(most), hard.min(most))?)
}
