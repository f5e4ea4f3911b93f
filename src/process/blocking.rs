//! Running a short tool such as git: blocking, in a process group of its own.
//!
//! Starts no helper and does not look at the interrupt; for commands that heal
//! itself composes and that end by themselves.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use nix::unistd::Pid;

use super::Command;
use super::Exit;
use super::Finished;
use super::Launcher;
use super::ProcessError;
use super::capture::Capture;
use super::launch::DRAIN;
use super::launch::Group;
use super::launch::cannot_start;
use super::launch::check_directory;
use super::launch::exit_of;
use super::launch::program_of;

/// A short command that has ended, its output as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Bytes of standard output that were dropped at the output limit.
    pub dropped: u64,
}

impl Launcher {
    /// Runs a short command, blocking; its process group is killed at its time
    /// limit. Does not look at the interrupt.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn run_now(&self, command: &Command) -> Result<Finished, ProcessError> {
        let started = Instant::now();
        let (exit, stdout, stderr) = self.run_blocking(command, None)?;
        let (stdout, stderr) = (stdout.into_captured(), stderr.into_captured());
        Ok(Finished { exit, stdout, stderr, took: started.elapsed() })
    }

    /// As [`Launcher::run_now`], with `input` on its standard input and its
    /// output as bytes.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn output_now(&self, command: &Command, input: Option<&[u8]>) -> Result<Output, ProcessError> {
        let (exit, stdout, stderr) = self.run_blocking(command, input)?;
        let (stdout, dropped) = stdout.into_bytes();
        Ok(Output { exit, stdout, stderr: stderr.into_bytes().0, dropped })
    }

    fn run_blocking(&self, command: &Command, input: Option<&[u8]>) -> Result<(Exit, Capture, Capture), ProcessError> {
        check_directory(command)?;
        let until = Instant::now() + command.time_limit;
        let (program, environment) = (program_of(command)?, self.environment().of(command));
        // Where the system would have to search, heal's memory would be copied
        // for it (fork instead of posix_spawn in std).
        let mut process = std::process::Command::new(found(program, &environment).as_deref().unwrap_or(program));
        process.arg0(program).args(&command.argv[1..]).current_dir(&command.cwd).process_group(0);
        process.env_clear().envs(environment);
        process.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().map_err(|source| cannot_start(command, source))?;
        let group = Group(Some(Pid::from_raw(child.id() as i32)));
        let broken = |source| ProcessError::Pipe { program: command.program(), source };

        let (sender, ends) = mpsc::channel();
        let limit = command.output_limit;
        let out = pump_blocking(child.stdout.take(), limit, sender.clone());
        let err = pump_blocking(child.stderr.take(), limit, sender);
        if let (Some(input), Some(pipe)) = (input, child.stdin.take()) {
            let input = input.to_vec();
            // A command that does not read its input to the end is no error.
            std::thread::spawn(move || {
                let mut pipe = pipe;
                let _ = pipe.write_all(&input);
            });
        }
        // Both outputs close when the command ends, mostly: no polling, then.
        let both_close_by =
            |until: Instant| (0..2).all(|_| ends.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok());
        let closed = both_close_by(until);
        let exit = loop {
            match child.try_wait().map_err(broken)? {
                Some(status) => break exit_of(status),
                None if Instant::now() >= until => break Exit::TimedOut,
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        };
        group.kill();
        let _ = child.wait();
        if !closed {
            both_close_by(Instant::now() + DRAIN);
        }
        Ok((exit, taken(&out), taken(&err)))
    }
}

/// Where a program that is named without its place lies, by the `PATH` of
/// `environment`; `None` where that does not say it.
fn found(program: &OsStr, environment: &BTreeMap<OsString, OsString>) -> Option<OsString> {
    if program.as_encoded_bytes().contains(&b'/') {
        return None;
    }
    let folders = std::env::split_paths(environment.get(OsStr::new("PATH"))?);
    // What a relative folder stands for is the system's to say.
    let mut places = folders.take_while(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    let is_program = |place: &PathBuf| place.metadata().is_ok_and(|about| about.is_file() && about.mode() & 0o111 != 0);
    places.find(is_program).map(PathBuf::into_os_string)
}

/// Reads one output to its end in a thread of its own, then says so.
fn pump_blocking(
    pipe: Option<impl Read + Send + 'static>,
    limit: usize,
    done: mpsc::Sender<()>,
) -> Arc<Mutex<Capture>> {
    let kept = Arc::new(Mutex::new(Capture::new(limit)));
    let into = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        if let Some(mut pipe) = pipe {
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                into.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
            }
        }
        let _ = done.send(());
    });
    kept
}

/// What a reading thread has kept by now.
fn taken(kept: &Mutex<Capture>) -> Capture {
    std::mem::replace(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), Capture::new(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::process::Environment;

    fn launcher() -> Launcher {
        let vars = [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
        Launcher::new(None, Environment::filtered(vars), Interrupt::new())
    }

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script]).cwd("/")
    }

    #[test]
    fn a_short_command_runs_now_with_its_input_and_its_exit() {
        let output = launcher().output_now(&shell("cat; echo no >&2; exit 3"), Some(b"a\xff")).expect("runs");
        assert_eq!(output.exit, Exit::Code(3));
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"a\xff".as_slice(), b"no\n".as_slice()));
    }

    #[test]
    fn a_program_that_is_not_there_is_not_exit_127() {
        let missing = launcher().run_now(&Command::new("no-such-program-here").cwd("/"));
        assert!(missing.as_ref().is_err_and(ProcessError::is_missing), "{missing:?}");
        let code = launcher().run_now(&shell("exit 127")).map(|finished| finished.exit);
        assert!(matches!(code, Ok(Exit::Code(127))), "{code:?}");
        let plain = launcher().run_now(&Command::new("/etc/passwd").cwd("/"));
        assert!(plain.as_ref().is_err_and(|error| !error.is_missing()), "{plain:?}");
        let nowhere = launcher().run_now(&shell("true").cwd("/no/such/directory"));
        assert!(matches!(nowhere, Err(ProcessError::NoDirectory { .. })), "{nowhere:?}");
    }

    #[test]
    fn a_program_is_found_where_the_system_would_find_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        for (folder, mode) in [("none", None), ("plain", Some(0o644)), ("first", Some(0o755)), ("second", Some(0o755))]
        {
            std::fs::create_dir(path(folder)).expect("a folder");
            let Some(mode) = mode else { continue };
            let file = path(folder).join("tool");
            std::fs::write(&file, "").expect("a file");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        }
        let search = |folders: &[PathBuf], name: &str| {
            let joined = std::env::join_paths(folders).expect("a PATH");
            found(OsStr::new(name), &BTreeMap::from([("PATH".into(), joined)])).map(PathBuf::from)
        };
        let all = ["none", "plain", "first", "second"].map(path);
        assert_eq!(search(&all, "tool"), Some(path("first").join("tool")));
        assert_eq!(search(&all, "first/tool"), None, "a place is looked up by nobody");
        assert_eq!(search(&all[..2], "tool"), None);
        assert_eq!(search(&[PathBuf::from("relative"), path("first")], "tool"), None);
        assert_eq!(found(OsStr::new("tool"), &BTreeMap::new()), None);
    }

    #[test]
    fn a_command_of_no_words_is_an_error() {
        let mut command = Command::new("x").cwd("/");
        command.argv.clear();
        assert!(launcher().run_now(&command).is_err());
    }

    #[test]
    fn a_short_command_ends_at_its_time_limit() {
        let started = Instant::now();
        let finished = launcher().run_now(&shell("sleep 60 & sleep 60").time_limit(Duration::from_millis(100)));
        assert_eq!(finished.expect("runs").exit, Exit::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
