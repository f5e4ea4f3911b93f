//! Running a command: start, collect its output, end it in time.
//!
//! Goes through the helper and waits as tokio does.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

use super::Command;
use super::Environment;
use super::Exit;
use super::Finished;
use super::HELPER;
use super::ProcessError;
use super::capture::Capture;
use super::confine::Confinement;
use super::descendants::kill_session;
use super::descendants::machine_memory;
use super::helper::Ended;
use super::helper::Orders;
use super::helper::Told;
use crate::interrupt::Interrupt;

/// How long output may still trickle in after everything was killed; a process
/// that could not be killed would hold the pipe open for ever.
pub(super) const DRAIN: Duration = Duration::from_secs(2);

/// How long the helper may take to end everything before it is killed itself.
const HELPER_GRACE: Duration = Duration::from_secs(12);

/// Starts commands. Cheap to clone; all clones share environment and
/// interrupt.
#[derive(Clone, Debug)]
pub struct Launcher {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    helper: Option<PathBuf>,
    environment: Environment,
    interrupt: Interrupt,
}

impl Launcher {
    /// A launcher that starts commands through `helper` (heal's own
    /// executable), or directly where there is none.
    pub fn new(helper: Option<PathBuf>, environment: Environment, interrupt: Interrupt) -> Launcher {
        Launcher { parts: Arc::new(Parts { helper, environment, interrupt }) }
    }

    /// The base environment of every command.
    pub fn environment(&self) -> &Environment {
        &self.parts.environment
    }

    /// The flag that ends every running command.
    pub fn interrupt(&self) -> &Interrupt {
        &self.parts.interrupt
    }

    /// heal's own executable, where commands are started through it.
    pub(super) fn helper(&self) -> Option<&Path> {
        self.parts.helper.as_deref()
    }

    /// Runs a command to its end, its limits or the interrupt. When this
    /// returns, none of its processes is alive; nor when the future is
    /// dropped before, within a second.
    ///
    /// # Errors
    /// The command cannot be started, or heal's helper fails.
    pub async fn run(&self, command: &Command) -> Result<Finished, ProcessError> {
        self.run_confined(command, None).await
    }

    /// As [`Launcher::run`], for a command that may reach what `confinement`
    /// says and nothing else.
    ///
    /// # Errors
    /// Also where it cannot be confined so.
    pub async fn run_confined(
        &self,
        command: &Command,
        confinement: Option<&Confinement>,
    ) -> Result<Finished, ProcessError> {
        check_directory(command)?;
        match &self.parts.helper {
            Some(helper) => self.run_helped(helper, command, confinement).await,
            None if confinement.is_some() => {
                let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
                Err(ProcessError::NotConfined { program: command.program(), doing: "asking for a helper", source })
            }
            None => self.run_directly(command).await,
        }
    }

    async fn run_helped(
        &self,
        helper: &PathBuf,
        command: &Command,
        confinement: Option<&Confinement>,
    ) -> Result<Finished, ProcessError> {
        let started = Instant::now();
        let no_helper = |source| ProcessError::Helper { helper: helper.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(no_helper)?;
        let limit = command.memory_limit.unwrap_or_else(default_memory_limit);
        let mut process = tokio::process::Command::new(helper);
        let orders = Orders { memory: limit, confinement: confinement.cloned() };
        // A path that is no text is the only thing that cannot be written.
        let mut orders = serde_json::to_vec(&orders).map_err(|error| no_helper(std::io::Error::other(error)))?;
        orders.push(b'\n');
        process.arg(HELPER).args(&command.argv);
        process.stdin(Stdio::from(OwnedFd::from(theirs)));
        self.surround(&mut process, command);
        let mut child = process.spawn().map_err(no_helper)?;
        // heal's copy of the helper's end closes here, so that a dead helper
        // is heard.
        drop(process);
        // A helper that is gone already is noticed when it tells nothing.
        let _ = (&ours).write_all(&orders);

        let lifeline = Lifeline(ours.try_clone().map_err(no_helper)?);
        let telling = tokio::task::spawn_blocking(move || hear(ours));
        let (mut out, mut err) = (Capture::new(command.output_limit), Capture::new(command.output_limit));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let control = async {
            let mut telling = pin!(telling);
            let forced = tokio::select! {
                told = &mut telling => return (None, told.ok().flatten()),
                forced = self.must_end(command) => forced,
            };
            lifeline.cut();
            let told = tokio::time::timeout(HELPER_GRACE, telling).await;
            (Some(forced), told.ok().and_then(Result::ok).flatten())
        };
        let (forced, told) = while_pumping(control, stdout, stderr, &mut out, &mut err).await;
        if told.is_none() {
            let helper = child.id();
            let _ = child.start_kill();
            helper.into_iter().for_each(|helper| kill_session(helper as i32));
        }
        let _ = child.wait().await;

        let took = told.map_or(started.elapsed(), |told| Duration::from_micros(told.took));
        let (stdout, mut stderr) = (out.into_captured(), err.into_captured());
        let exit = match (forced, told.map(|told| told.ended)) {
            (_, Some(Ended::NotStarted(number))) => {
                let source = std::io::Error::from_raw_os_error(number);
                return Err(ProcessError::CannotStart { program: command.program(), source });
            }
            (_, Some(Ended::NotConfined(step, number))) => {
                let source = std::io::Error::from_raw_os_error(number);
                return Err(ProcessError::NotConfined { program: command.program(), doing: step.words(), source });
            }
            (_, Some(Ended::Code(code))) => Exit::Code(code),
            (None, Some(Ended::Signal(signal))) => Exit::Signal(signal),
            (_, Some(Ended::Memory(limit))) => {
                note(&mut stderr.text, &format!("heal: ended at its memory limit of {} MiB", limit >> 20));
                Exit::Signal(9)
            }
            (_, Some(Ended::Processes(limit))) => {
                note(&mut stderr.text, &format!("heal: ended at its limit of {limit} processes"));
                Exit::Signal(9)
            }
            (_, Some(Ended::Disk(limit))) => {
                let line = format!("heal: ended because it left less than {} MiB of the disk free", limit >> 20);
                note(&mut stderr.text, &line);
                Exit::Signal(9)
            }
            (Some(forced), _) => forced,
            (None, _) => return Err(ProcessError::HelperLost { program: command.program() }),
        };
        Ok(Finished { exit, stdout, stderr, took })
    }

    async fn run_directly(&self, command: &Command) -> Result<Finished, ProcessError> {
        let started = Instant::now();
        let mut process = tokio::process::Command::new(program_of(command)?);
        process.args(&command.argv[1..]).stdin(Stdio::null()).process_group(0);
        self.surround(&mut process, command);
        let mut child = process.spawn().map_err(|source| cannot_start(command, source))?;
        let group = Group(child.id().map(|id| Pid::from_raw(id as i32)));
        let (mut out, mut err) = (Capture::new(command.output_limit), Capture::new(command.output_limit));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let control = async {
            let mut forced = None;
            tokio::select! {
                status = child.wait() => { group.kill(); return (forced, status) }
                why = self.must_end(command) => forced = Some(why),
            }
            group.kill();
            (forced, child.wait().await)
        };
        let (forced, status) = while_pumping(control, stdout, stderr, &mut out, &mut err).await;
        let status = status.map_err(|source| ProcessError::Pipe { program: command.program(), source })?;
        let exit = forced.unwrap_or_else(|| exit_of(status));
        Ok(Finished { exit, stdout: out.into_captured(), stderr: err.into_captured(), took: started.elapsed() })
    }

    /// Waits for the time limit or the interrupt, and says which it was.
    pub(super) async fn must_end(&self, command: &Command) -> Exit {
        tokio::select! {
            _ = tokio::time::sleep(command.time_limit) => Exit::TimedOut,
            _ = self.parts.interrupt.wait() => Exit::Interrupted,
        }
    }

    /// Directory, environment and piped outputs of `command`.
    pub(super) fn surround(&self, process: &mut tokio::process::Command, command: &Command) {
        process.current_dir(&command.cwd).env_clear().envs(self.parts.environment.of(command));
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
}

/// Makes this process one whose memory and environment no other process of the
/// same user may read (prctl(2), `PR_SET_DUMPABLE`): it holds keys.
pub fn conceal() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// heal's end of the socket to a helper; cut when the command must end, and
/// when nobody waits for it any more.
struct Lifeline(UnixStream);

impl Lifeline {
    fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.cut();
    }
}

/// The process group of a command that has no helper.
pub(super) struct Group(pub(super) Option<Pid>);

impl Group {
    pub(super) fn kill(&self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the helper says before it ends; `None` where it died without a word.
fn hear(mut socket: UnixStream) -> Option<Told> {
    let mut said = Vec::new();
    socket.read_to_end(&mut said).ok()?;
    serde_json::from_slice(&said).ok()
}

/// Drives `control` to its end while both outputs are read, then reads what is
/// left for a short time.
pub(super) async fn while_pumping<T>(
    control: impl Future<Output = T>,
    stdout: Option<tokio::process::ChildStdout>,
    stderr: Option<tokio::process::ChildStderr>,
    out: &mut Capture,
    err: &mut Capture,
) -> T {
    let mut control = pin!(control);
    let mut pumps = pin!(async {
        tokio::join!(pump(stdout, out), pump(stderr, err));
    });
    let mut dry = false;
    loop {
        tokio::select! {
            ended = &mut control => {
                if !dry {
                    let _ = tokio::time::timeout(DRAIN, pumps).await;
                }
                return ended;
            }
            () = &mut pumps, if !dry => dry = true,
        }
    }
}

/// Reads one output to its end.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, into: &mut Capture) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        into.push(&buffer[..count]);
    }
}

pub(super) fn check_directory(command: &Command) -> Result<(), ProcessError> {
    if command.cwd.is_dir() {
        return Ok(());
    }
    Err(ProcessError::NoDirectory { program: command.program(), path: command.cwd.clone() })
}

pub(super) fn program_of(command: &Command) -> Result<&std::ffi::OsString, ProcessError> {
    let nothing = || cannot_start(command, std::io::Error::from(std::io::ErrorKind::NotFound));
    command.argv.first().ok_or_else(nothing)
}

pub(super) fn cannot_start(command: &Command, source: std::io::Error) -> ProcessError {
    ProcessError::CannotStart { program: command.program(), source }
}

pub(super) fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Half of the machine's memory, at most 4 GiB.
fn default_memory_limit() -> u64 {
    machine_memory().map_or(4 << 30, |bytes| (bytes / 2).min(4 << 30))
}

/// Adds a line of heal's own to an output.
fn note(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Stop;

    fn launcher() -> Launcher {
        let vars = [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
        Launcher::new(None, Environment::filtered(vars), Interrupt::new())
    }

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script]).cwd("/")
    }

    #[tokio::test]
    async fn gigabytes_of_output_neither_block_nor_grow() {
        let command = shell("head -c 200000000 /dev/zero; echo end").output_limit(1000);
        let finished = launcher().run(&command).await.expect("runs");
        assert_eq!(finished.exit, Exit::Code(0));
        assert_eq!(finished.stdout.dropped, 200_000_004 - 1000);
        assert!(finished.stdout.text.len() < 1100 && finished.stdout.text.ends_with("end\n"));
    }

    #[tokio::test]
    async fn an_interrupt_ends_a_command() {
        let launcher = launcher();
        let interrupt = launcher.interrupt().clone();
        let command = shell("sleep 60");
        let (finished, ()) = tokio::join!(launcher.run(&command), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            interrupt.raise(Stop::Asked);
        });
        assert_eq!(finished.expect("runs").exit, Exit::Interrupted);
    }

    #[tokio::test]
    async fn secrets_do_not_reach_a_command() {
        let vars = [("PATH", "/usr/bin:/bin"), ("MY_TOKEN", "t0p"), ("OPEN", "yes")].map(|(k, v)| (k.into(), v.into()));
        let launcher = Launcher::new(None, Environment::filtered(vars), Interrupt::new());
        let text = launcher.run(&Command::new("env").cwd("/")).await.expect("runs").stdout.text;
        assert!(text.contains("OPEN=yes") && !text.contains("t0p"), "{text}");
    }
}
