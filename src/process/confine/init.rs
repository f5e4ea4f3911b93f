//! The process between the helper and a confined command.
//!
//! Confines itself step by step, starts the command, and tells the helper
//! how it ended. In a process namespace it is the first process: when it ends,
//! the kernel ends every other one there.

use std::ffi::OsString;
use std::io;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::wait;
use nix::unistd::Pid;

use super::super::helper;
use super::super::helper::Ended;
use super::Confinement;
use super::Level;
use super::Network;
use super::Step;
use super::calls;
use super::kernel;
use super::mounts;
use super::privileges;
use super::rights;

/// A confined command: the process above it, and what that has to tell.
pub(in crate::process) struct Started {
    /// The process to watch and to kill.
    pub(in crate::process) pid: Pid,
    report: PipeReader,
}

impl Started {
    /// What the process told before it ended; `otherwise` where it was killed.
    pub(in crate::process) fn told(mut self, otherwise: Ended) -> Ended {
        let mut said = Vec::new();
        let read = self.report.read_to_end(&mut said);
        read.ok().and_then(|_| serde_json::from_slice(&said).ok()).unwrap_or(otherwise)
    }
}

/// Where confining fails, and the system's error number.
type Failed = (Step, io::Error);

fn at(step: Step) -> impl Fn(io::Error) -> Failed {
    move |error| (step, error)
}

/// Starts `argv` confined. The caller has one thread.
pub(in crate::process) fn start(confinement: &Confinement, argv: &[OsString]) -> Result<Started, Ended> {
    let failed = |(step, error): Failed| Ended::not_confined(step, &error);
    let sockets = if confinement.level == Level::Namespaces { bound_sockets() } else { Vec::new() };
    let cwd = std::env::current_dir().map_err(at(Step::Directory)).map_err(failed)?;
    let pipes = || Ok::<_, io::Error>((std::io::pipe()?, std::io::pipe()?));
    let ((report, reporter), (gate, opener)) = pipes().map_err(at(Step::Fork)).map_err(failed)?;
    let mut flags = 0;
    if confinement.level == Level::Namespaces {
        flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
        if confinement.network == Network::Loopback {
            flags |= libc::CLONE_NEWNET;
        }
    }
    let step = if flags == 0 { Step::Fork } else { Step::Namespaces };
    let pid = kernel::fork_into(flags).map_err(at(step)).map_err(failed)?;
    if pid == 0 {
        drop((report, opener));
        let confinement = Confinement { hidden: hidden(confinement, sockets), ..confinement.clone() };
        run(&confinement, argv, &cwd, gate, reporter);
    }
    drop((reporter, gate));
    let started = Started { pid: Pid::from_raw(pid), report };
    if flags != 0
        && let Err(error) = map_owners(pid)
    {
        // Without its word the child ends.
        drop(opener);
        return Err(started.told(Ended::not_confined(Step::Owners, &error)));
    }
    let mut opener = opener;
    // A child that is gone already has told why.
    let _ = opener.write_all(b"!");
    Ok(started)
}

/// What is hidden, with the sockets that others listen at: those can be
/// connected to even where nothing can be written.
fn hidden(confinement: &Confinement, sockets: Vec<std::path::PathBuf>) -> Vec<std::path::PathBuf> {
    let gone = |path: &Path| {
        let mut covers = confinement.private.iter().chain(&confinement.hidden);
        covers.any(|cover| path.starts_with(cover)) && !confinement.shown.iter().any(|shown| path.starts_with(shown))
    };
    let mut hidden = confinement.hidden.clone();
    hidden.extend(sockets.into_iter().filter(|path| !gone(path)));
    hidden
}

/// Paths of the sockets that are bound in this network namespace (unix(7)).
fn bound_sockets() -> Vec<std::path::PathBuf> {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let paths = table.lines().skip(1).filter_map(|line| line.split_once(" /").map(|(_, path)| format!("/{path}")));
    let mut paths: Vec<_> = paths.map(std::path::PathBuf::from).filter(|path| path.exists()).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Every user and group is itself inside, as far as this process may say so:
/// root all that it knows of, others themselves. (user_namespaces(7))
fn map_owners(child: i32) -> io::Result<()> {
    let write = |file: &str, text: &str| std::fs::write(format!("/proc/{child}/{file}"), text);
    if nix::unistd::geteuid().is_root() {
        let whole = |file: &str| -> io::Result<()> {
            write(file, &identity(&std::fs::read_to_string(format!("/proc/self/{file}"))?))
        };
        if whole("uid_map").is_ok() && whole("gid_map").is_ok() {
            return Ok(());
        }
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    write("uid_map", &format!("{user} {user} 1\n"))?;
    write("setgroups", "deny")?;
    write("gid_map", &format!("{group} {group} 1\n"))
}

/// A map of every id in `map` to itself: its first and third columns.
fn identity(map: &str) -> String {
    let mut text = String::new();
    for line in map.lines() {
        let mut columns = line.split_whitespace();
        if let (Some(first), Some(count)) = (columns.next(), columns.nth(1)) {
            text.push_str(&format!("{first} {first} {count}\n"));
        }
    }
    text
}

/// The child: never returns.
fn run(confinement: &Confinement, argv: &[OsString], cwd: &Path, mut gate: PipeReader, mut reporter: PipeWriter) -> ! {
    let ended = match gate.read_exact(&mut [0]) {
        Err(error) => Ended::not_confined(Step::Owners, &error),
        Ok(()) => match confine(confinement, cwd) {
            Err((step, error)) => Ended::not_confined(step, &error),
            Ok(()) => attend(argv),
        },
    };
    if let Ok(line) = serde_json::to_vec(&ended) {
        let _ = reporter.write_all(&line);
    }
    // SAFETY: ends this process without what its parent's copy of the memory
    // has still to do at an exit.
    unsafe { libc::_exit(0) }
}

/// All the steps, in the only order that works: each forbids what those before
/// it need.
fn confine(confinement: &Confinement, cwd: &Path) -> Result<(), Failed> {
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    if nix::unistd::setsid().is_err() {
        return Err((Step::Fork, io::Error::last_os_error()));
    }
    let _ = std::fs::write("/proc/self/oom_score_adj", "800");
    let own = confinement.level == Level::Namespaces;
    if own {
        if confinement.network == Network::Loopback {
            kernel::loopback_up().map_err(at(Step::Loopback))?;
        }
        mounts::lay(confinement).map_err(at(Step::Mounts))?;
        // The directory that was is below what was hung over it.
        std::env::set_current_dir(cwd).map_err(at(Step::Directory))?;
    }
    // What it knows and holds is none of the command's business.
    nix::sys::prctl::set_dumpable(false).map_err(|error| (Step::Privileges, error.into()))?;
    privileges::give_up(own).map_err(at(Step::Privileges))?;
    if confinement.landlock {
        rights::restrict(confinement).map_err(at(Step::Landlock))?;
    }
    if super::can_filter_calls() {
        calls::filter(confinement).map_err(at(Step::Calls))?;
    }
    Ok(())
}

/// Starts the command and waits for it, and for whatever else ends meanwhile.
fn attend(argv: &[OsString]) -> Ended {
    let command = match helper::start(argv) {
        Ok(command) => command,
        Err(error) => return Ended::NotStarted(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    };
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return Ended::Code(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => return Ended::Signal(signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Ended::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_id_is_mapped_to_itself() {
        assert_eq!(identity("         0          0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(identity("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
        assert_eq!(identity("nonsense"), "");
    }
}
