//! Runs a program and hands over its standard output line by line, as it comes.
//!
//! For the part of heal that runs inside cargo, so it is plain synchronous
//! code. Never lets the program's process group outlive the call, and never
//! keeps more than a bounded part of what it prints.

use std::io::Read;
use std::process::Child;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use super::Command;
use super::Exit;

/// Bytes kept of one line; the rest of a longer line is dropped.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// How often the caller is asked when nothing comes, and how soon an exit is
/// noticed while somebody else holds the output open.
const TICK: Duration = Duration::from_millis(20);

/// How long output is waited for after the program itself has ended: a
/// process it left behind may hold its output open for ever.
const GRACE: Duration = Duration::from_millis(200);

/// What the caller is told.
#[derive(Debug)]
pub enum Heard<'a> {
    /// A line of standard output, without its end; cut at [`LINE_LIMIT`].
    Line(&'a [u8]),
    /// Some time has passed.
    Tick,
}

/// What the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    GoOn,
    /// Kill the program's process group.
    Kill,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// How it ended; [`Exit::Interrupted`] where the caller wished it.
    pub exit: Exit,
    /// The last bytes of its standard error, invalid UTF-8 replaced.
    pub stderr: String,
    /// Wall time.
    pub took: Duration,
}

/// Runs `command` and tells `listen` each line and tick. Standard input is
/// empty; of standard error the last `output_limit` bytes are kept.
///
/// # Errors
/// The program cannot be started.
pub fn stream(command: &Command, listen: &mut dyn FnMut(Heard<'_>) -> Wish) -> std::io::Result<Streamed> {
    let begun = Instant::now();
    let mut child = start(command, true)?;
    let lines = read_lines(child.stdout.take());
    let tail = Arc::new(Mutex::new(Vec::new()));
    let stderr_done = read_tail(child.stderr.take(), Arc::clone(&tail), command.output_limit);

    let mut killed = None;
    let mut open = true;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    while ended.is_none() || open {
        let heard = if open { lines.recv_timeout(TICK) } else { Err(mpsc::RecvTimeoutError::Timeout) };
        let wish = match &heard {
            Ok(line) => listen(Heard::Line(line)),
            Err(mpsc::RecvTimeoutError::Timeout) => listen(Heard::Tick),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                open = false;
                Wish::GoOn
            }
        };
        if killed.is_none() && ended.is_none() {
            if begun.elapsed() >= command.time_limit {
                killed = Some(Exit::TimedOut);
            } else if wish == Wish::Kill {
                killed = Some(Exit::Interrupted);
            }
            if killed.is_some() {
                kill_group(&mut child);
            }
        }
        match ended {
            Some((_, when)) if when.elapsed() > GRACE && heard.is_err() => break,
            Some(_) => {}
            // While lines come the program lives; asking each time would cost a call a line.
            None if heard.is_err() => {
                ended = child.try_wait()?.map(|status| (status, Instant::now()));
                if ended.is_none() && !open {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            None => {}
        }
    }
    kill_group(&mut child);
    // Whoever still holds the error output may do so: what came is enough.
    let _ = stderr_done.recv_timeout(GRACE);
    let exit = match (killed, ended) {
        (Some(exit), _) => exit,
        (None, Some((status, _))) => exit_of(status),
        (None, None) => exit_of(child.wait()?),
    };
    let stderr = tail.lock().map(|tail| String::from_utf8_lossy(&tail).into_owned()).unwrap_or_default();
    Ok(Streamed { exit, stderr, took: begun.elapsed() })
}

/// Runs `command` with this process's own input and outputs, ended at its time
/// limit.
///
/// # Errors
/// The program cannot be started.
pub fn pass_through(command: &Command) -> std::io::Result<Exit> {
    let begun = Instant::now();
    let mut child = start(command, false)?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(exit_of(status));
        }
        if begun.elapsed() >= command.time_limit {
            kill_group(&mut child);
            child.wait()?;
            return Ok(Exit::TimedOut);
        }
        let pause = if begun.elapsed() < TICK { Duration::from_millis(1) } else { TICK / 4 };
        std::thread::sleep(pause);
    }
}

/// Starts the program as the leader of its own process group.
fn start(command: &Command, piped: bool) -> std::io::Result<Child> {
    let (program, arguments) =
        command.argv.split_first().ok_or_else(|| std::io::Error::other("the command line is empty"))?;
    let mut builder = std::process::Command::new(program);
    builder.args(arguments).current_dir(&command.cwd);
    if piped {
        builder.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    for (name, value) in &command.env {
        match value {
            Some(value) => builder.env(name, value),
            None => builder.env_remove(name),
        };
    }
    lead_group(&mut builder);
    builder.spawn()
}

#[cfg(unix)]
fn lead_group(builder: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    builder.process_group(0);
    // Whoever kills this process cannot kill the group it has made, so the
    // kernel is asked to.
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only `prctl` is called, which is
    // async-signal-safe and allocates nothing.
    unsafe {
        builder.pre_exec(|| nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(Into::into));
    }
}

#[cfg(not(unix))]
fn lead_group(_builder: &mut std::process::Command) {}

/// Kills the program and every process of its group that is left.
#[cfg(unix)]
fn kill_group(child: &mut Child) {
    use nix::sys::signal::Signal;
    use nix::sys::signal::killpg;
    if let Ok(id) = i32::try_from(child.id()) {
        // A group that is gone already is what is wanted.
        let _ = killpg(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    let _ = child.kill();
}

#[cfg(unix)]
fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}

#[cfg(not(unix))]
fn exit_of(status: ExitStatus) -> Exit {
    Exit::Code(status.code().unwrap_or(-1))
}

/// Reads lines in a thread of its own; the channel closes at the end.
fn read_lines(source: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        let Some(mut source) = source else { return };
        let mut chunk = vec![0; 64 * 1024];
        let mut line = Vec::new();
        while let Ok(count @ 1..) = source.read(&mut chunk) {
            let mut rest = &chunk[..count];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                keep(&mut line, &rest[..end]);
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
                rest = &rest[end + 1..];
            }
            keep(&mut line, rest);
        }
        if !line.is_empty() {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn keep(line: &mut Vec<u8>, more: &[u8]) {
    let room = LINE_LIMIT.saturating_sub(line.len());
    line.extend_from_slice(&more[..more.len().min(room)]);
}

/// Reads to the end in a thread of its own and keeps the last `limit` bytes;
/// the channel closes at the end.
fn read_tail(
    source: Option<impl Read + Send + 'static>,
    tail: Arc<Mutex<Vec<u8>>>,
    limit: usize,
) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _open = sender;
        let Some(mut source) = source else { return };
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = source.read(&mut chunk) {
            let Ok(mut tail) = tail.lock() else { return };
            tail.extend_from_slice(&chunk[..count]);
            // Twice the limit, so that bytes are moved once a limit and not once a chunk.
            if tail.len() > limit.saturating_mul(2) {
                let cut = tail.len() - limit;
                tail.drain(..cut);
            }
        }
        if let Ok(mut tail) = tail.lock() {
            let cut = tail.len().saturating_sub(limit);
            tail.drain(..cut);
        }
    });
    receiver
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command {
            argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
            cwd: "/".into(),
            env: Vec::new(),
            time_limit: Duration::from_secs(10),
            output_limit: 64,
            memory_limit: None,
        }
    }

    fn lines_of(command: &Command) -> (Vec<String>, Streamed) {
        let mut lines = Vec::new();
        let streamed = stream(command, &mut |heard| {
            if let Heard::Line(line) = heard {
                lines.push(String::from_utf8_lossy(line).into_owned());
            }
            Wish::GoOn
        });
        (lines, streamed.expect("a shell"))
    }

    #[test]
    fn lines_come_in_order_also_the_last_without_an_end() {
        let (lines, streamed) = lines_of(&shell("printf 'a\\n\\nb'; echo oops >&2; exit 3"));
        assert_eq!(lines, ["a", "", "b"]);
        assert_eq!((streamed.exit, streamed.stderr.as_str()), (Exit::Code(3), "oops\n"));
    }

    #[test]
    fn a_signal_is_told_from_an_exit_code() {
        assert_eq!(lines_of(&shell("kill -ABRT $$")).1.exit, Exit::Signal(6));
    }

    #[test]
    fn only_the_tail_of_the_error_output_is_kept() {
        let (_, streamed) = lines_of(&shell("i=0; while [ $i -lt 200 ]; do echo line $i >&2; i=$((i+1)); done"));
        assert!(streamed.stderr.len() <= 64 && streamed.stderr.ends_with("line 199\n"), "{:?}", streamed.stderr);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (lines, _) = lines_of(&shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after"));
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT, 5]);
    }

    #[test]
    fn a_kill_ends_the_children_too() {
        let begun = Instant::now();
        let mut child = None;
        let streamed = stream(&shell("sleep 60 & echo $!; wait"), &mut |heard| match heard {
            Heard::Line(line) => {
                child = String::from_utf8_lossy(line).trim().parse::<i32>().ok();
                Wish::Kill
            }
            Heard::Tick => Wish::GoOn,
        });
        assert_eq!(streamed.expect("a shell").exit, Exit::Interrupted);
        assert!(begun.elapsed() < Duration::from_secs(5));
        let child = nix::unistd::Pid::from_raw(child.expect("the child's id"));
        let gone = || nix::sys::signal::kill(child, None).is_err() || is_zombie(child);
        assert!((0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            gone()
        }));
    }

    fn is_zombie(process: nix::unistd::Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_call() {
        let begun = Instant::now();
        let (lines, streamed) = lines_of(&shell("sleep 60 & echo done"));
        assert_eq!((lines, streamed.exit), (vec!["done".to_owned()], Exit::Code(0)));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_time_limit_ends_it() {
        let command = Command { time_limit: Duration::from_millis(100), ..shell("sleep 60") };
        assert_eq!(lines_of(&command).1.exit, Exit::TimedOut);
        assert_eq!(pass_through(&command).expect("a shell"), Exit::TimedOut);
    }
}
