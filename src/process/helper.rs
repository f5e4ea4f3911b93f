//! The helper between heal and a command: `heal __helper PROGRAM ARGS`.
//!
//! Starts the command in a process group of its own, confined where it is told
//! to, watches memory, processes and the disk, and leaves no descendant alive
//! when the command ends or heal goes away. Speaks
//! to heal through the socket that is its standard input; never writes to the
//! standard output and error, which are the command's. Synchronous.

use std::ffi::OsString;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::wait;
use nix::unistd::Pid;
use serde::Deserialize;
use serde::Serialize;

use super::confine;
use super::confine::Confinement;
use super::confine::Step;
use super::descendants::descendants;
use super::descendants::kill_descendants;
use super::descendants::proportional;

/// How often memory is looked at. A program that appends without end takes
/// about a gigabyte a second.
const WATCH: Duration = Duration::from_millis(250);

/// More processes than any build or test needs; a fork bomb passes it at once.
const MOST_PROCESSES: usize = 4096;

/// From so many on it may be a fork bomb.
const MANY: usize = 256;

/// How long killing may take before the helper gives up on what is left
/// (a process in uninterruptible sleep, or another user's).
const KILLING: Duration = Duration::from_secs(10);

/// How a command ended, as the helper tells heal: one line of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was killed above this many bytes of memory.
    Memory(u64),
    /// It was killed above this many processes.
    Processes(usize),
    /// It was killed because it had all but filled the disk: less than this
    /// many bytes were free.
    Disk(u64),
    /// It was killed because heal closed the socket.
    Stopped,
    /// It never started; the system's error number.
    NotStarted(i32),
    /// It never started, because it could not be confined; the step, and the
    /// system's error number.
    NotConfined(Step, i32),
}

impl Ended {
    /// Confining failed at `step`.
    pub(super) fn not_confined(step: Step, error: &std::io::Error) -> Ended {
        Ended::NotConfined(step, error.raw_os_error().unwrap_or(Errno::EIO as i32))
    }
}

/// What heal tells the helper, in one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Bytes of memory that the command may hold; 0 for no limit.
    pub(super) memory: u64,
    /// What it may reach; `None` for all that heal may.
    pub(super) confinement: Option<Confinement>,
}

/// The helper's one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// How the command ended.
    pub(super) ended: Ended,
    /// Wall time of the command, in microseconds.
    pub(super) took: u64,
}

/// What the threads of the helper tell its main one.
enum Event {
    /// heal closed its end, or is gone.
    HealGone,
    /// The command itself ended.
    CommandEnded(Ended),
    /// No descendant is left.
    NobodyLeft,
}

/// Serves `heal __helper`; the arguments after it are the program and its
/// arguments, the orders come through the socket. Returns the exit code, which
/// says only whether the helper itself worked.
pub fn helper_main() -> i32 {
    let argv: Vec<OsString> = std::env::args_os().skip_while(|arg| arg != super::HELPER).skip(1).collect();
    let Some(mut socket) = socket().filter(|_| !argv.is_empty()) else { return 2 };
    match orders(&mut socket) {
        Some(orders) => serve(&orders, &argv, socket),
        None => 2,
    }
}

/// The first line that heal sends.
fn orders(socket: &mut UnixStream) -> Option<Orders> {
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    while line.last() != Some(&b'\n') {
        match socket.read(&mut piece) {
            Ok(count @ 1..) => line.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
    serde_json::from_slice(&line).ok()
}

/// The socket to heal: standard input, moved to a descriptor that the command
/// does not inherit. `None` where this was not started by heal.
fn socket() -> Option<UnixStream> {
    let owned = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let file = std::fs::File::from(owned);
    let is_socket = file.metadata().is_ok_and(|about| about.file_type().is_socket());
    is_socket.then(|| UnixStream::from(std::os::fd::OwnedFd::from(file)))
}

/// Runs the command to its end and tells heal how it ended.
fn serve(orders: &Orders, argv: &[OsString], mut socket: UnixStream) -> i32 {
    detach();
    let started = Instant::now();
    let (command, confined) = match begin(orders, argv) {
        Ok(child) => child,
        Err(ended) => return tell(&mut socket, ended, started.elapsed()),
    };
    let events = listen(command, &socket);
    let (ended, alone) = watch(&events, orders);
    let ended = match (confined, ended) {
        // The process above the command knows better how that ended.
        (Some(child), Ended::Code(_) | Ended::Signal(_)) => child.told(ended),
        (_, ended) => ended,
    };
    let took = started.elapsed();
    if !alone {
        kill_all(command, &events);
    }
    tell(&mut socket, ended, took)
}

/// Starts the command, confined where that is asked for.
fn begin(orders: &Orders, argv: &[OsString]) -> Result<(Pid, Option<confine::Started>), Ended> {
    if let Some(confinement) = &orders.confinement {
        let started = confine::start(confinement, argv)?;
        return Ok((started.pid, Some(started)));
    }
    match start(argv) {
        Ok(pid) => Ok((pid, None)),
        Err(error) => Err(Ended::NotStarted(error.raw_os_error().unwrap_or(Errno::EIO as i32))),
    }
}

/// Leaves heal's session, so that a Ctrl-C in the terminal reaches heal alone;
/// becomes the parent of every orphan below; and hears no signal that a person
/// might send to "heal", since the socket says when to stop.
fn detach() {
    let _ = nix::unistd::setsid();
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let mut deaf = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        deaf.add(signal);
    }
    let _ = deaf.thread_block();
}

/// Starts the command with an empty standard input and the helper's outputs.
pub(super) fn start(argv: &[OsString]) -> std::io::Result<Pid> {
    let mut command = std::process::Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null()).process_group(0);
    // SAFETY: the caller has one thread here, so the child may do what any
    // process may; it makes one system call and writes one file.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// In the command's process before it becomes the command: it dies with the
/// helper, and is the first to go when the machine runs out of memory.
fn prepare() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        let _ = std::fs::write("/proc/self/oom_score_adj", "800");
    }
    Ok(())
}

/// Threads that wait: one for the socket to close, one for processes to end.
fn listen(command: Pid, socket: &UnixStream) -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel();
    if let Ok(mut heal) = socket.try_clone() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(heal.read(&mut byte), Ok(1)) {}
            let _ = sender.send(Event::HealGone);
        });
    }
    std::thread::spawn(move || {
        loop {
            let event = match wait() {
                Ok(WaitStatus::Exited(pid, code)) if pid == command => Event::CommandEnded(Ended::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                    Event::CommandEnded(Ended::Signal(signal as i32))
                }
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => Event::NobodyLeft,
            };
            let last = matches!(event, Event::NobodyLeft);
            if sender.send(event).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// Waits until the command ends or must be ended; the flag says that nobody is
/// left already.
fn watch(events: &mpsc::Receiver<Event>, orders: &Orders) -> (Ended, bool) {
    let me = std::process::id() as i32;
    let limit = orders.memory;
    let (disk, least_free) = match &orders.confinement {
        Some(confinement) => (confinement.writable.first(), confinement.least_free),
        None => (None, 0),
    };
    let mut pause = WATCH;
    loop {
        match events.recv_timeout(pause) {
            Ok(Event::CommandEnded(ended)) => return (ended, false),
            Ok(Event::HealGone) | Err(RecvTimeoutError::Disconnected) => return (Ended::Stopped, false),
            Ok(Event::NobodyLeft) => return (Ended::Stopped, true),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let looked = Instant::now();
        let alive = descendants(me);
        if alive.len() > MOST_PROCESSES {
            return (Ended::Processes(MOST_PROCESSES), false);
        }
        let sum: u64 = alive.iter().map(|one| one.resident).sum();
        if limit > 0 && sum > limit && proportional(&alive) > limit {
            return (Ended::Memory(limit), false);
        }
        if disk.and_then(|path| free_bytes(path)).is_some_and(|bytes| bytes < least_free) {
            return (Ended::Disk(least_free), false);
        }
        // Two hundredths of the time go into watching at most; but to look at
        // the many of a fork bomb takes long, and it must not have the longer
        // for that.
        let share = if alive.len() > MANY { 2 } else { 50 };
        pause = WATCH.max(looked.elapsed() * share);
    }
}

/// Bytes that are free where `path` lies.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let about = nix::sys::statvfs::statvfs(path).ok()?;
    // The types differ between systems.
    #[allow(clippy::unnecessary_cast, reason = "`u32` on macOS")]
    Some((about.blocks_available() as u64).saturating_mul(about.fragment_size() as u64))
}

/// Kills until nobody is left; new processes may be born meanwhile.
fn kill_all(command: Pid, events: &mpsc::Receiver<Event>) {
    let me = std::process::id() as i32;
    let until = Instant::now() + KILLING;
    // Mostly nobody is left: with a process namespace never. To look at every
    // process of the machine would cost more than all the rest.
    if matches!(events.recv_timeout(Duration::from_millis(1)), Ok(Event::NobodyLeft)) {
        return;
    }
    while Instant::now() < until {
        let _ = killpg(command, Signal::SIGKILL);
        let found = kill_descendants(me);
        let pause = if found > 0 { Duration::from_millis(2) } else { Duration::from_millis(20) };
        match events.recv_timeout(pause) {
            Ok(Event::NobodyLeft) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Sends the one message. Where heal is gone there is nobody to tell.
fn tell(socket: &mut UnixStream, ended: Ended, took: Duration) -> i32 {
    let told = Told { ended, took: u64::try_from(took.as_micros()).unwrap_or(u64::MAX) };
    let Ok(line) = serde_json::to_vec(&told) else { return 1 };
    i32::from(socket.write_all(&line).is_err())
}
