//! Commands through the real helper: what they leave behind, and when.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use heal::interrupt::Interrupt;
use heal::interrupt::Stop;
use heal::process::Command;
use heal::process::Environment;
use heal::process::Exit;
use heal::process::Launcher;
use heal::process::ProcessError;

fn launcher() -> Launcher {
    let vars = [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
    Launcher::new(Some(env!("CARGO_BIN_EXE_heal").into()), Environment::filtered(vars), Interrupt::new())
}

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).cwd("/")
}

/// Python that forks twice with a new session in between, as a daemon does,
/// and writes the daemon's process id; `$1` is where.
const DAEMON: &str = r#"
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        for fd in (0, 1, 2):
            os.close(fd)
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        time.sleep(600)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"#;

fn daemon(pid_file: &Path, then: &str) -> Command {
    let script = format!("{DAEMON}\n{then}\n");
    Command::new("python3").args(["-c", &script]).arg(pid_file).cwd("/")
}

/// The process id in `file`, as soon as it is there.
fn pid_in(file: &Path) -> i32 {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok(text) = std::fs::read_to_string(file) {
            return text.trim().parse().expect("a process id");
        }
        assert!(Instant::now() < until, "no process id in {}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}

fn dies_within(pid: i32, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while is_alive(pid) {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn pid_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("pid");
    (dir, file)
}

#[tokio::test]
async fn output_exit_code_directory_and_arguments_pass_through_the_helper() {
    let command = shell(r#"pwd; printf '%s|' "$@"; echo err >&2; exit 7"#).args(["sh", "a b", "é", ""]);
    let finished = launcher().run(&command.cwd("/usr")).await.expect("runs");
    assert_eq!(finished.exit, Exit::Code(7));
    assert_eq!((finished.stdout.text.as_str(), finished.stderr.text.as_str()), ("/usr\na b|é||", "err\n"));
}

#[tokio::test]
async fn a_signal_of_the_commands_own_is_told_from_an_exit() {
    let finished = launcher().run(&shell("kill -SEGV $$")).await.expect("runs");
    assert_eq!(finished.exit, Exit::Signal(11));
}

#[tokio::test]
async fn standard_input_is_empty_and_the_helpers_socket_is_hidden() {
    let finished = launcher().run(&shell("cat; ls -l /proc/self/fd | grep -c socket")).await.expect("runs");
    assert_eq!(finished.stdout.text, "0\n");
}

#[tokio::test]
async fn a_program_that_cannot_start_is_an_error_of_its_own() {
    let error = launcher().run(&Command::new("no-such-program-here").cwd("/")).await.expect_err("missing");
    assert!(error.is_missing(), "{error}");
    let error = launcher().run(&Command::new("/etc/passwd").cwd("/")).await.expect_err("not executable");
    assert!(matches!(error, ProcessError::CannotStart { .. }) && !error.is_missing(), "{error}");
    let finished = launcher().run(&shell("exit 127")).await.expect("runs");
    assert_eq!(finished.exit, Exit::Code(127));
}

#[tokio::test]
async fn a_daemon_does_not_outlive_its_command() {
    let (_dir, file) = pid_file();
    let finished = launcher().run(&daemon(&file, "print('done')")).await.expect("runs");
    assert_eq!((finished.exit, finished.stdout.text.as_str()), (Exit::Code(0), "done\n"));
    assert!(!is_alive(pid_in(&file)));
}

#[tokio::test]
async fn a_daemon_does_not_outlive_the_time_limit() {
    let (_dir, file) = pid_file();
    let command = daemon(&file, "time.sleep(600)").time_limit(Duration::from_secs(1));
    let finished = launcher().run(&command).await.expect("runs");
    assert_eq!(finished.exit, Exit::TimedOut);
    assert!(!is_alive(pid_in(&file)));
}

#[tokio::test]
async fn an_interrupt_ends_a_daemon_too() {
    let (_dir, file) = pid_file();
    let launcher = launcher();
    let interrupt = launcher.interrupt().clone();
    let command = daemon(&file, "time.sleep(600)");
    let (finished, ()) = tokio::join!(launcher.run(&command), async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        interrupt.raise(Stop::Asked);
    });
    assert_eq!(finished.expect("runs").exit, Exit::Interrupted);
    assert!(!is_alive(pid_in(&file)));
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_any_more_is_ended() {
    let (_dir, file) = pid_file();
    let command = daemon(&file, "time.sleep(600)");
    let launcher = launcher();
    tokio::select! {
        _ = launcher.run(&command) => panic!("it sleeps"),
        () = async { while !file.exists() { tokio::time::sleep(Duration::from_millis(5)).await; } } => {}
    }
    assert!(dies_within(pid_in(&file), Duration::from_secs(2)));
}

#[tokio::test]
async fn a_command_that_kills_the_helper_gains_nothing() {
    let (_dir, file) = pid_file();
    let command = shell(r#"sleep 600 & echo $! > "$1.new"; mv "$1.new" "$1"; kill -9 $PPID; sleep 600"#);
    let ended = launcher().run(&command.arg("sh").arg(&file)).await;
    assert!(matches!(ended, Err(ProcessError::HelperLost { .. })), "{ended:?}");
    assert!(dies_within(pid_in(&file), Duration::from_secs(1)));
}

#[test]
fn a_daemon_dies_when_heal_is_killed() {
    let (_dir, file) = pid_file();
    // This very test program stands in for heal: it is started again to run
    // only the test below, and killed.
    let mut heal = std::process::Command::new(std::env::current_exe().expect("own path"))
        .args(["--exact", "process::stand_in_for_a_heal_that_is_killed", "--nocapture"])
        .env("HEAL_TEST_PID_FILE", &file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let pid = pid_in(&file);
    assert!(is_alive(pid));
    heal.kill().expect("kill -9");
    assert!(dies_within(pid, Duration::from_secs(1)));
    heal.wait().expect("reaped");
}

/// Runs a command that never ends, where the test above asks for it.
#[tokio::test]
async fn stand_in_for_a_heal_that_is_killed() {
    let Some(file) = std::env::var_os("HEAL_TEST_PID_FILE") else { return };
    let _ = launcher().run(&daemon(Path::new(&file), "time.sleep(600)")).await;
}

#[tokio::test]
async fn an_endless_append_ends_at_its_memory_limit() {
    let command = Command::new("python3").args(["-c", "x = []\nwhile True: x.append(bytearray(1 << 16))"]).cwd("/");
    let finished = launcher().run(&command.memory_limit(200 << 20)).await.expect("runs");
    assert_eq!(finished.exit, Exit::Signal(9));
    assert_eq!(finished.stderr.text, "heal: ended at its memory limit of 200 MiB\n");
}

#[tokio::test]
async fn memory_that_forks_share_is_counted_once() {
    let script = "import os, time\nx = b'x' * (100 << 20)\nkids = [os.fork() for _ in range(1)]\ntime.sleep(0.8)\n";
    let command = Command::new("python3").args(["-c", script]).cwd("/").memory_limit(180 << 20);
    assert_eq!(launcher().run(&command).await.expect("runs").exit, Exit::Code(0));
}

#[tokio::test]
async fn a_flood_of_forks_is_ended() {
    // Bounded at 300 processes, so that a failure of heal harms nobody.
    let script =
        "import os, time\nfor _ in range(300):\n    if os.fork() == 0:\n        os.setsid(); time.sleep(600)\n";
    let command = Command::new("python3").args(["-c", script]).cwd("/");
    let started = Instant::now();
    assert_eq!(launcher().run(&command).await.expect("runs").exit, Exit::Code(0));
    // The flood sleeps for ten minutes; nobody waits for it.
    assert!(started.elapsed() < Duration::from_secs(300));
}

#[tokio::test]
async fn the_command_is_the_first_to_go_when_memory_runs_out() {
    let finished = launcher().run(&shell("cat /proc/self/oom_score_adj")).await.expect("runs");
    assert_eq!(finished.stdout.text, "800\n");
}

#[test]
fn the_helper_refuses_to_work_for_a_person() {
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_heal"))
        .args(["__helper", "0", "true"])
        .stdin(std::process::Stdio::null())
        .status()
        .expect("starts");
    assert_eq!(status.code(), Some(2));
}
