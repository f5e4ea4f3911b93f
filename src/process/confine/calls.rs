//! System calls that no test makes for a good reason, refused by seccomp.
//!
//! A list of what is refused, not of what is allowed: tests of the user's own
//! may make any other call.

use std::collections::BTreeMap;
use std::io;

use nix::libc;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;
use seccompiler::TargetArch;

use super::Confinement;
use super::Level;
use super::Network;

/// Calls that change what the mounts hide, load code into the kernel, reach
/// other users' keys or the machine's clock.
const REFUSED: [libc::c_long; 32] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
];

/// Calls that programs do without where the kernel is too old for them:
/// io_uring passes every filter by, and the flags of clone3 cannot be seen by
/// one, while libraries fall back to clone.
const UNKNOWN: [libc::c_long; 4] =
    [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_clone3];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Filters this process's calls and those of all that it starts. Needs
/// `no_new_privs`.
pub(super) fn filter(confinement: &Confinement) -> io::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let mut refused: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let new_user = libc::CLONE_NEWUSER as u64;
    for call in [libc::SYS_unshare, libc::SYS_clone] {
        refused.insert(call, vec![rule(SeccompCmpOp::MaskedEq(new_user), new_user)?]);
    }
    let families = refused_families(confinement);
    if !families.is_empty() {
        let rules = families.iter().map(|family| rule(SeccompCmpOp::Eq, *family as u64));
        refused.insert(libc::SYS_socket, rules.collect::<io::Result<_>>()?);
    }
    let unknown: Rules = UNKNOWN.iter().map(|call| (*call, Vec::new())).collect();
    apply(unknown, libc::ENOSYS, arch)?;
    apply(refused, libc::EPERM, arch)
}

/// Kinds of sockets that may not be made. In a network namespace every one
/// may: it leads nowhere. Without, none may that leads out of the sandbox;
/// pairs of sockets are no such, and are made by another call.
fn refused_families(confinement: &Confinement) -> Vec<libc::c_int> {
    let mut refused = vec![libc::AF_VSOCK];
    if confinement.level == Level::Landlock {
        refused.push(libc::AF_UNIX);
        if confinement.network == Network::Loopback {
            refused.extend([libc::AF_INET, libc::AF_INET6, libc::AF_PACKET, libc::AF_BLUETOOTH, libc::AF_NETLINK]);
        }
    }
    refused
}

/// Applies where the first argument compares so.
fn rule(how: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, how, value).map_err(io::Error::other)?;
    SeccompRule::new(vec![condition]).map_err(io::Error::other)
}

fn apply(rules: Rules, error: libc::c_int, arch: TargetArch) -> io::Result<()> {
    let answer = SeccompAction::Errno(error as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
