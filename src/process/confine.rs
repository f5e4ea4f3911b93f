//! What a test command may reach: its confinement, and what of it is to be
//! had on this machine.
//!
//! Says what; which paths those are is the caller's knowledge. The work is
//! done by the helper, in a process of its own between it and the command:
//!
//! ```text
//! heal ── helper (watches, kills) ── init (confines itself, then starts) ── command
//! ```
//!
//! Never confines less than it was told to: what cannot be had ends the
//! command before it starts, and heal tells by a probe beforehand what can.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(target_os = "linux")]
mod rights;

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Started;
#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::start;
#[cfg(target_os = "linux")]
pub(super) use init::Started;
#[cfg(target_os = "linux")]
pub(super) use init::start;

/// The means by which a command is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A user, mount, network, process and IPC namespace of its own, system
    /// calls filtered.
    Namespaces,
    /// Landlock's access rights, system calls filtered; no sockets, since
    /// those cannot be told apart by where they lead.
    Landlock,
}

/// Which network a command sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// None but a loopback of its own.
    #[default]
    Loopback,
    /// The machine's.
    Host,
}

/// What one command may reach. All paths are absolute, without links in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// By which means.
    pub level: Level,
    /// Whether Landlock doubles the namespaces' mounts.
    pub landlock: bool,
    /// Directories it may write; each must be there.
    pub writable: Vec<PathBuf>,
    /// Directories that it sees with a layer over them; only by namespaces.
    pub layers: Vec<Layer>,
    /// Directories that are empty and private for it, such as `/tmp`.
    pub private: Vec<PathBuf>,
    /// Directories and files that are empty for it.
    pub hidden: Vec<PathBuf>,
    /// What it sees below private and hidden directories, unwritable.
    pub shown: Vec<PathBuf>,
    /// Files whose text it sees changed.
    pub replaced: Vec<(PathBuf, String)>,
    /// The network it sees.
    pub network: Network,
    /// It is ended when fewer bytes than this are free where it first writes.
    pub least_free: u64,
}

/// A directory that is never written: what a command writes there lies in
/// another one and covers what is below (overlayfs). All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Where it is seen; a directory.
    pub at: PathBuf,
    /// What is below, the uppermost first.
    pub below: Vec<PathBuf>,
    /// Where that lies which is written.
    pub upper: PathBuf,
    /// An empty directory on the same file system, for the kernel's own use.
    pub work: PathBuf,
}

/// What this machine can do to confine a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Why namespaces are not to be had; `None` where they are.
    pub no_namespaces: Option<String>,
    /// Landlock's version (its ABI) in the kernel; 0 for none.
    pub landlock: i32,
}

/// The first version of Landlock that covers truncation and the network; an
/// older one is taken for what it is, but is not enough for `strict`.
pub const WHOLE_LANDLOCK: i32 = 4;

impl Means {
    /// The best level that is to be had; `None` for none.
    pub fn best(&self) -> Option<Level> {
        match (&self.no_namespaces, self.landlock) {
            (None, _) => Some(Level::Namespaces),
            (Some(_), 1..) => Some(Level::Landlock),
            (Some(_), _) => None,
        }
    }

    /// Whether both namespaces and Landlock are to be had.
    pub fn are_whole(&self) -> bool {
        self.no_namespaces.is_none() && self.landlock >= WHOLE_LANDLOCK
    }
}

/// A step of confining, for the message where it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    /// Another operating system, or an unknown processor.
    Support,
    /// Making the process.
    Fork,
    /// Making the namespaces.
    Namespaces,
    /// Telling who is who in the user namespace.
    Owners,
    /// Bringing up the loopback.
    Loopback,
    /// Laying the mounts.
    Mounts,
    /// Going back to the working directory.
    Directory,
    /// Giving up privileges.
    Privileges,
    /// Landlock.
    Landlock,
    /// Filtering system calls.
    Calls,
}

impl Step {
    /// What is being done, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Step::Support => "confining commands on this system",
            Step::Fork => "making a process",
            Step::Namespaces => "making namespaces",
            Step::Owners => "mapping users into a namespace",
            Step::Loopback => "bringing up a loopback",
            Step::Mounts => "mounting in a namespace",
            Step::Directory => "changing into the directory",
            Step::Privileges => "giving up privileges",
            Step::Landlock => "restricting file access by Landlock",
            Step::Calls => "filtering system calls",
        }
    }
}

/// Landlock's version in this kernel; 0 where there is none.
pub(super) fn landlock_version() -> i32 {
    #[cfg(target_os = "linux")]
    return kernel::landlock_version();
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// Whether system calls can be filtered on this processor.
pub(super) fn can_filter_calls() -> bool {
    cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))
}

/// Other systems than Linux: nothing can be confined there.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::super::helper::Ended;
    use super::Confinement;
    use super::Step;

    pub(in crate::process) struct Started {
        pub(in crate::process) pid: nix::unistd::Pid,
    }

    impl Started {
        pub(in crate::process) fn told(self, otherwise: Ended) -> Ended {
            otherwise
        }
    }

    pub(in crate::process) fn start(_: &Confinement, _: &[std::ffi::OsString]) -> Result<Started, Ended> {
        Err(Ended::not_confined(Step::Support, &nix::errno::Errno::ENOSYS.into()))
    }
}
