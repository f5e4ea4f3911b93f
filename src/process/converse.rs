//! A program that is asked: input on its standard input, output as bytes.
//!
//! For a program that the user names as a model. It runs with heal's own
//! rights, in a process group of its own that ends with the call; a heal that
//! is killed leaves it with closed pipes.

use std::process::Stdio;

use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;

use super::Command;
use super::Launcher;
use super::Output;
use super::ProcessError;
use super::capture::Capture;
use super::launch::Group;
use super::launch::cannot_start;
use super::launch::check_directory;
use super::launch::exit_of;
use super::launch::program_of;
use super::launch::while_pumping;

impl Launcher {
    /// Runs a command with `input` to its end, its time limit or the
    /// interrupt. When this returns or is dropped its process group is killed.
    ///
    /// # Errors
    /// The command cannot be started.
    pub async fn converse(&self, command: &Command, input: &[u8]) -> Result<Output, ProcessError> {
        check_directory(command)?;
        let mut process = tokio::process::Command::new(program_of(command)?);
        process.args(&command.argv[1..]).process_group(0).stdin(Stdio::piped());
        self.surround(&mut process, command);
        let mut child = process.spawn().map_err(|source| cannot_start(command, source))?;
        let group = Group(child.id().map(|id| Pid::from_raw(id as i32)));
        let (mut out, mut err) = (Capture::new(command.output_limit), Capture::new(64 << 10));
        let (stdout, stderr, stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        let tell = async {
            if let Some(mut pipe) = stdin {
                // A program that does not read its input to the end is no
                // error; it closes when the pipe is dropped here.
                let _ = pipe.write_all(input).await;
            }
            std::future::pending::<()>().await;
        };
        let control = async {
            let forced = tokio::select! {
                status = child.wait() => { group.kill(); return (None, status) }
                why = self.must_end(command) => Some(why),
                () = tell => None,
            };
            group.kill();
            (forced, child.wait().await)
        };
        let (forced, status) = while_pumping(control, stdout, stderr, &mut out, &mut err).await;
        let status = status.map_err(|source| ProcessError::Pipe { program: command.program(), source })?;
        let (stdout, dropped) = out.into_bytes();
        Ok(Output { exit: forced.unwrap_or_else(|| exit_of(status)), stdout, stderr: err.into_bytes().0, dropped })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::interrupt::Stop;
    use crate::process::Environment;
    use crate::process::Exit;

    fn launcher() -> Launcher {
        let vars = [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
        Launcher::new(None, Environment::filtered(vars), Interrupt::new())
    }

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script]).cwd("/")
    }

    #[tokio::test]
    async fn a_program_reads_all_of_a_long_input_while_it_answers() {
        let input = vec![b'x'; 3 << 20];
        let output = launcher().converse(&shell("cat; echo end; echo no >&2"), &input).await.expect("runs");
        assert_eq!((output.exit, output.stdout.len(), output.dropped), (Exit::Code(0), (3 << 20) + 4, 0));
        assert_eq!(output.stderr, b"no\n");
        let deaf = launcher().converse(&shell("echo yes"), &input).await.expect("runs");
        assert_eq!((deaf.exit, deaf.stdout.as_slice()), (Exit::Code(0), &b"yes\n"[..]));
    }

    #[tokio::test]
    async fn a_program_that_never_ends_or_never_stops_talking_is_bounded() {
        let started = Instant::now();
        let hangs = shell("sleep 60 & sleep 60").time_limit(Duration::from_millis(100));
        assert_eq!(launcher().converse(&hangs, b"").await.expect("runs").exit, Exit::TimedOut);
        let floods = shell("head -c 50000000 /dev/zero").output_limit(1 << 20);
        let output = launcher().converse(&floods, b"").await.expect("runs");
        assert!(output.dropped > 0 && output.stdout.len() < 2 << 20);
        let launcher = launcher();
        launcher.interrupt().raise(Stop::Asked);
        let stopped = launcher.converse(&shell("sleep 60"), b"").await.expect("runs");
        assert_eq!(stopped.exit, Exit::Interrupted);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
