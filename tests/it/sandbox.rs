//! What a test command cannot do in heal's sandbox, by namespaces and, as where
//! those are refused, by Landlock alone.
//!
//! Every attempt is made by a real process; what counts is what is seen from
//! outside afterwards.

use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use heal::interrupt::Interrupt;
use heal::process::Command;
use heal::process::Confinement;
use heal::process::Environment;
use heal::process::Exit;
use heal::process::Finished;
use heal::process::Launcher;
use heal::process::Means;
use heal::process::Network;
use heal::process::ProcessError;
use heal::scratch::Containment;
use heal::scratch::Surroundings;
use serde_json::Value;

use crate::support::HEAL;
use crate::support::Project;
use crate::support::SHOP;
use crate::support::is_shop_right;
use crate::support::processes_of;

/// A secret that must not be read, whatever holds it.
const SECRET: &str = "t0p-s3cret-value";

/// A user with a home, a repository, two scratches, and much to steal.
struct World {
    _dir: tempfile::TempDir,
    base: PathBuf,
    environment: Environment,
    launcher: Launcher,
}

impl World {
    fn new() -> World {
        World::below(&std::env::temp_dir())
    }

    fn below(place: &Path) -> World {
        let dir = tempfile::Builder::new().prefix("heal-it-").tempdir_in(place).expect("a temporary directory");
        let base = dir.path().canonicalize().expect("a real path");
        for (path, text) in [
            ("home/.ssh/id_ed25519", SECRET),
            ("home/.netrc", SECRET),
            ("home/.aws/credentials", SECRET),
            ("home/.cargo/credentials.toml", SECRET),
            ("home/.cargo/config.toml", "[net]\noffline = true\n"),
            ("home/.unknown/token", SECRET),
            ("home/src/other/lib.py", "other\n"),
            ("home/src/project/a.py", "a\n"),
            ("home/src/project/.git/hooks/pre-commit.sample", "exit 0\n"),
            ("home/src/project/.git/heal/ledger.db", SECRET),
            ("home/src/project/.git/config", "[remote \"o\"]\n\turl = https://t0p-s3cret-value@example.org/x\n"),
            ("home/.cache/heal/id/0/tree/a.py", "a\n"),
            ("home/.cache/heal/id/1/tree/a.py", "a\n"),
            ("channel/nonce", "n"),
        ] {
            let path = base.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("files");
        }
        let real = |name: &str| std::env::var_os(name).map(|value| (name.into(), value));
        let mut vars: Vec<_> = ["PATH", "PYENV_ROOT"].iter().filter_map(|name| real(name)).collect();
        vars.push(("HOME".into(), base.join("home").into()));
        vars.push(("MY_TOKEN".into(), SECRET.into()));
        let environment = Environment::filtered(vars);
        let launcher = Launcher::new(Some(HEAL.into()), environment.clone(), Interrupt::new());
        World { _dir: dir, base, environment, launcher }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    fn containment(&self, means: &Means) -> Containment {
        let around = Surroundings {
            environment: &self.environment,
            root: &self.at("home/src/project"),
            common_dir: &self.at("home/src/project/.git"),
            cache: &self.at("home/.cache/heal"),
            programs: &[PathBuf::from(HEAL)],
        };
        Containment::new(means, Network::Loopback, false, &around)
    }

    /// Runs `command` in the first scratch, as a test command is run.
    async fn run(&self, means: &Means, command: Command) -> Finished {
        let writable = [self.at("home/.cache/heal/id/0/tree"), self.at("channel")];
        let mut command = command.cwd(&writable[0]).env("BASE", &self.base).time_limit(Duration::from_secs(120));
        let containment = self.containment(means);
        let writable: Vec<&Path> = writable.iter().map(PathBuf::as_path).collect();
        let contained = containment.contain(&mut command, &self.environment, &writable, Vec::new()).expect("contained");
        assert!(contained.confinement.is_some(), "{means:?}");
        self.launcher.run_confined(&command, contained.confinement.as_ref()).await.expect("runs")
    }

    async fn python(&self, means: &Means, script: &str) -> Finished {
        self.run(means, Command::new("python3").args(["-c", &format!("{ATTEMPT}{script}")])).await
    }

    /// Every file of the world but the first scratch and the channel: content,
    /// mode and time.
    fn fingerprint(&self) -> Vec<(PathBuf, u32, i64, Vec<u8>)> {
        use std::os::unix::fs::MetadataExt;
        let mut found = Vec::new();
        let mut folders = vec![self.base.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let (path, about) = (entry.path(), entry.metadata().expect("metadata"));
                if path == self.at("home/.cache/heal/id/0") || path == self.at("channel") {
                    continue;
                }
                if about.is_dir() {
                    folders.push(path.clone());
                }
                let bytes = if about.is_file() { std::fs::read(&path).expect("a file") } else { Vec::new() };
                found.push((path, about.mode(), about.mtime_nsec(), bytes));
            }
        }
        found.sort();
        found
    }
}

/// What every script begins with: attempts that fail are told, and end nothing.
const ATTEMPT: &str = r#"
import os, signal, socket, subprocess, sys, time
base = os.environ["BASE"]
def attempt(name, what):
    try:
        print(name, "done", what())
    except Exception as error:
        print(name, "refused", type(error).__name__)
def write(path, text="x"):
    def go():
        with open(path, "a") as file:
            file.write(text)
    return go
def read(path):
    return lambda: open(path).read()
"#;

/// The means of this machine, and those that are left where namespaces are
/// refused; each only where it is to be had, and one always is.
async fn means() -> Vec<Means> {
    let launcher = Launcher::new(Some(HEAL.into()), Environment::default(), Interrupt::new());
    let here = launcher.means().await;
    let mut all = Vec::new();
    if here.no_namespaces.is_none() {
        all.push(here.clone());
    }
    if here.landlock > 0 {
        all.push(Means { no_namespaces: Some("refused for this test".to_owned()), landlock: here.landlock });
    }
    if all.is_empty() {
        let world = World::new();
        assert_eq!(world.containment(&here).name(), "limits");
    }
    all
}

fn has_namespaces(means: &Means) -> bool {
    means.no_namespaces.is_none()
}

#[tokio::test]
async fn nothing_outside_is_written() {
    for means in means().await {
        // Below /tmp and /dev, which commands have of their own, and elsewhere.
        for place in [std::env::temp_dir(), PathBuf::from("/dev/shm"), PathBuf::from(env!("CARGO_TARGET_TMPDIR"))] {
            let world = World::below(&place);
            let before = world.fingerprint();
            let host = std::env::temp_dir().join(format!("heal-it-cheat-{}", std::process::id()));
            let script = format!(
                r#"
home = base + "/home"
for path in ["/src/project/a.py", "/src/project/new.py", "/src/other/lib.py", "/.bashrc", "/.cargo/config.toml",
             "/src/project/.git/hooks/pre-commit", "/src/project/.git/hooks/pre-commit.sample",
             "/.cache/heal/id/1/tree/a.py", "/.cache/heal/id/1/tree/new.py", "/.cache/heal/id/0/lock"]:
    attempt(path, write(home + path))
attempt("tmp", write({host:?}))
attempt("etc", write("/etc/heal-it-cheat"))
attempt("link", lambda: os.symlink(home + "/src/project/a.py", "through"))
attempt("through", write("through"))
attempt("hard", lambda: os.link(home + "/src/project/a.py", "hard"))
attempt("hard write", write("hard"))
attempt("remove", lambda: os.remove(home + "/src/project/a.py"))
attempt("rename", lambda: os.rename(home + "/src/project/a.py", home + "/src/project/b.py"))
attempt("own", write("own"))
attempt("channel", write(base + "/channel/record"))
if {modes}:
    attempt("mode", lambda: os.chmod(home + "/src/project/a.py", 0o777))
    attempt("time", lambda: os.utime(home + "/src/project/a.py", (1, 1)))
"#,
                host = host.display().to_string(),
                modes = if has_namespaces(&means) { "True" } else { "False" },
            );
            let finished = world.python(&means, &script).await;
            assert_eq!(finished.exit, Exit::Code(0), "{finished:?}");
            let told = &finished.stdout.text;
            assert!(told.contains("\nown done") && told.contains("\nchannel done"), "{told}");
            assert_eq!(world.fingerprint(), before, "{means:?}\n{told}");
            assert!(!host.exists() && !Path::new("/etc/heal-it-cheat").exists(), "{told}");
            assert!(world.at("home/.cache/heal/id/0/tree/own").exists());
        }
    }
}

#[tokio::test]
async fn a_test_has_a_home_and_a_temporary_directory_for_itself() {
    for means in means().await {
        let world = World::new();
        let script = r#"
import tempfile
home = os.path.expanduser("~")
attempt("home", write(home + "/.config-of-a-test"))
attempt("temporary", lambda: tempfile.mkdtemp())
attempt("left", lambda: os.listdir(home))
"#;
        for _ in 0..2 {
            let told = world.python(&means, script).await.stdout.text;
            assert!(told.contains("home done") && told.contains("temporary done"), "{means:?}\n{told}");
            // What the first run left is not there for the second.
            assert!(!told.contains("-of-a-test', '.config"), "{told}");
        }
        assert!(!world.at("home/.config-of-a-test").exists());
    }
}

#[tokio::test]
async fn secrets_are_not_read() {
    for means in means().await {
        let world = World::new();
        let mut outside = sleeper(&[("MY_TOKEN", SECRET)]);
        let script = r#"
home = base + "/home"
for path in ["/.ssh/id_ed25519", "/.netrc", "/.aws/credentials", "/.cargo/credentials.toml", "/.unknown/token",
             "/src/project/.git/heal/ledger.db", "/src/project/.git/config"]:
    attempt(path, read(home + path))
print(dict(os.environ))
for name in os.listdir("/proc"):
    if name.isdigit():
        try:
            print(open(f"/proc/{name}/environ").read())
        except OSError:
            pass
attempt("config", read(home + "/.cargo/config.toml"))
attempt("source", read(home + "/src/project/a.py"))
attempt("sibling", read(home + "/src/other/lib.py"))
"#;
        let finished = world.python(&means, script).await;
        outside.kill().expect("killed");
        outside.wait().expect("reaped");
        let told = finished.stdout.text;
        assert!(!told.contains(SECRET), "{means:?}\n{told}");
        for seen in ["config done [net]", "source done a", "sibling done other"] {
            assert!(told.contains(seen), "{means:?}: {seen}\n{told}");
        }
    }
}

#[tokio::test]
async fn no_socket_leads_out() {
    for means in means().await {
        let world = World::new();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        // In the user's tree, where no directory hides it, and in `/tmp`.
        let unix = UnixListener::bind(world.at("home/src/project/socket")).expect("a socket");
        let nearby = UnixListener::bind(world.at("socket")).expect("a socket");
        tcp.set_nonblocking(true).expect("set");
        udp.set_nonblocking(true).expect("set");
        unix.set_nonblocking(true).expect("set");
        nearby.set_nonblocking(true).expect("set");
        let script = format!(
            r#"
def to(family, kind, address):
    def go():
        with socket.socket(family, kind) as one:
            one.settimeout(2)
            one.connect(address)
            one.send(b"hello")
    return go
attempt("tcp", to(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {tcp})))
attempt("udp", to(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", {udp})))
attempt("far", to(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)))
attempt("unix", to(socket.AF_UNIX, socket.SOCK_STREAM, base + "/home/src/project/socket"))
attempt("nearby", to(socket.AF_UNIX, socket.SOCK_STREAM, base + "/socket"))
def talk():
    one, other = socket.socketpair()
    one.send(b"x")
attempt("pair", talk)
def loopback():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), 5) as client:
            client.send(b"x")
attempt("loopback", loopback)
"#,
            tcp = tcp.local_addr().expect("an address").port(),
            udp = udp.local_addr().expect("an address").port(),
        );
        let told = world.python(&means, &script).await.stdout.text;
        assert!(tcp.accept().is_err() && unix.accept().is_err() && nearby.accept().is_err(), "{means:?}\n{told}");
        assert!(udp.recv(&mut [0; 8]).is_err(), "{means:?}\n{told}");
        for refused in ["tcp refused", "far refused", "unix refused", "nearby refused"] {
            assert!(told.contains(refused), "{means:?}: {refused}\n{told}");
        }
        assert!(told.contains("pair done"), "{told}");
        assert_eq!(told.contains("loopback done"), has_namespaces(&means), "{means:?}\n{told}");
    }
}

#[tokio::test]
async fn the_sandbox_is_not_taken_apart_from_within() {
    for means in means().await {
        let world = World::new();
        let mut outside = sleeper(&[]);
        let script = format!(
            r#"
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    def go():
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)
    return go
attempt("kill", lambda: os.kill({outside}, signal.SIGKILL))
attempt("kill all", lambda: [os.kill(int(name), signal.SIGKILL) for name in os.listdir("/proc") if name.isdigit() and int(name) == {outside}][0])
attempt("umount", call("umount2", os.path.expanduser("~").encode(), 2))
attempt("mount", call("mount", b"x", b"/tmp", b"tmpfs", 0, None))
attempt("unshare", call("unshare", 0x10000000))
attempt("sysctl", write("/proc/sys/kernel/core_pattern", "|/bin/false"))
attempt("disk", lambda: os.open("/dev/vda", os.O_RDONLY))
attempt("init", lambda: open("/proc/1/mem", "rb").read(1))
"#,
            outside = outside.id()
        );
        let told = world.python(&means, &script).await.stdout.text;
        assert!(outside.try_wait().expect("asked").is_none(), "{means:?}\n{told}");
        outside.kill().expect("killed");
        outside.wait().expect("reaped");
        for name in ["kill", "kill all", "umount", "mount", "unshare", "sysctl", "disk", "init"] {
            assert!(told.contains(&format!("{name} refused")), "{means:?}: {name}\n{told}");
        }
    }
}

#[tokio::test]
async fn whatever_a_test_does_to_the_machine_ends_with_a_verdict() {
    for means in means().await {
        let world = World::new();
        // A daemon.
        let daemon = r#"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        os.chdir(base + "/channel")
        time.sleep(600)
    os._exit(0)
time.sleep(0.2)
print("end")
"#;
        let finished = world.python(&means, daemon).await;
        assert_eq!((finished.exit, finished.stdout.text.as_str()), (Exit::Code(0), "end\n"), "{finished:?}");
        assert!(ends_within(&world.at("channel"), Duration::from_secs(1)), "{:?}", processes_of(&world.at("channel")));
        // Endless sleep.
        let sleep = Command::new("sleep").arg("600").cwd("/");
        let finished = ended(&world, &means, sleep.time_limit(Duration::from_millis(300)), |_| {}).await;
        assert_eq!(finished.exit, Exit::TimedOut);
        // Endless output.
        let output = Command::new("sh").args(["-c", "yes | head -c 300000000"]).cwd("/").output_limit(1000);
        let finished = ended(&world, &means, output, |_| {}).await;
        assert_eq!(finished.exit, Exit::Code(0));
        assert!(finished.stdout.text.len() < 1100 && finished.stdout.dropped > 0);
        // Endless memory.
        let append = Command::new("python3").args(["-c", "x = []\nwhile True: x.append(bytearray(1 << 16))"]).cwd("/");
        let finished = ended(&world, &means, append.memory_limit(200 << 20), |_| {}).await;
        assert_eq!(finished.exit, Exit::Signal(9));
        assert!(finished.stderr.text.contains("memory limit"), "{finished:?}");
        // A full disk: one of which nothing more may be filled, whatever else
        // goes on there.
        let fill = "i=0; while [ $i -lt 600 ]; do head -c 100000 /dev/zero > fill; i=$((i+1)); sleep 0.1; done";
        let fill = Command::new("sh").args(["-c", fill]).cwd(world.at("channel"));
        let finished = ended(&world, &means, fill, |confinement| confinement.least_free = u64::MAX).await;
        assert_eq!(finished.exit, Exit::Signal(9), "{finished:?}");
        assert!(finished.stderr.text.contains("of the disk free"), "{finished:?}");
    }
}

/// Runs a command with its limits, its confinement changed.
async fn ended(world: &World, means: &Means, mut command: Command, change: impl Fn(&mut Confinement)) -> Finished {
    let writable = [world.at("home/.cache/heal/id/0/tree"), world.at("channel")];
    let writable: Vec<&Path> = writable.iter().map(PathBuf::as_path).collect();
    let contained =
        world.containment(means).contain(&mut command, &world.environment, &writable, Vec::new()).expect("contained");
    let mut confinement = contained.confinement.clone().expect("confined");
    change(&mut confinement);
    let started = Instant::now();
    let finished = world.launcher.run_confined(&command, Some(&confinement)).await.expect("runs");
    assert!(started.elapsed() < Duration::from_secs(60));
    finished
}

#[tokio::test]
async fn a_fork_bomb_ends() {
    for means in means().await {
        let world = World::new();
        // Bounded, so that a failure of heal harms nobody.
        let bomb = "import os, time\nfor _ in range(4600):\n    if os.fork() == 0:\n        break\ntime.sleep(600)";
        let bomb = Command::new("python3").args(["-S", "-c", bomb]).cwd(world.at("channel"));
        let finished = ended(&world, &means, bomb.time_limit(Duration::from_secs(50)), |_| {}).await;
        assert!(matches!(finished.exit, Exit::Signal(9) | Exit::TimedOut), "{finished:?}");
        assert!(ends_within(&world.at("channel"), Duration::from_secs(1)));
    }
}

#[tokio::test]
async fn a_namespace_has_fewer_process_numbers_than_the_machine_where_the_kernel_counts_by_namespace() {
    const FILE: &str = "/proc/sys/kernel/pid_max";
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or_default());
    let counts = (numbers.next(), numbers.next()) >= (Some(6), Some(14));
    let before = std::fs::read_to_string(FILE).expect("a number");
    for means in means().await {
        let world = World::new();
        let show = "cat /proc/sys/kernel/pid_max; echo 99999 > /proc/sys/kernel/pid_max; cat /proc/sys/kernel/pid_max";
        let finished = ended(&world, &means, Command::new("sh").args(["-c", show]).cwd("/"), |_| {}).await;
        let inside = if counts && has_namespaces(&means) { "8192\n" } else { &before };
        assert_eq!(finished.stdout.text, inside.repeat(2), "{release}");
    }
    assert_eq!(std::fs::read_to_string(FILE).expect("a number"), before, "the machine's own is as it was");
}

#[tokio::test]
async fn a_confinement_that_cannot_be_had_is_not_replaced_by_less() {
    let world = World::new();
    for means in means().await {
        let contained = world
            .containment(&means)
            .contain(&mut Command::new("true"), &world.environment, &[&world.at("no-such-place")], Vec::new())
            .expect("contained");
        let command = Command::new("touch").arg(world.at("channel/touched")).cwd("/");
        let ran = world.launcher.run_confined(&command, contained.confinement.as_ref()).await;
        if has_namespaces(&means) {
            assert!(matches!(ran, Err(ProcessError::NotConfined { .. })), "{ran:?}");
        }
        assert!(!world.at("channel/touched").exists());
    }
    let mut fake = world.containment(&Means { no_namespaces: None, landlock: 1 });
    let contained = fake.contain(&mut Command::new("true"), &world.environment, &[], Vec::new()).expect("contained");
    let bare = Launcher::new(None, Environment::default(), Interrupt::new());
    let ran = bare.run_confined(&Command::new("true").cwd("/"), contained.confinement.as_ref()).await;
    assert!(matches!(ran, Err(ProcessError::NotConfined { .. })), "{ran:?}");
    fake = Containment::off();
    assert_eq!(fake.name(), "off");
}

/// A process outside of every sandbox.
fn sleeper(env: &[(&str, &str)]) -> Child {
    let mut command = std::process::Command::new("sleep");
    command.arg("600").envs(env.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("starts")
}

fn ends_within(place: &Path, time: Duration) -> bool {
    let until = Instant::now() + time;
    loop {
        if processes_of(place).is_empty() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// heal where namespaces are refused, as in most containers.
fn without_namespaces(project: &Project, arguments: &[&str]) -> crate::support::Ran {
    let mut command = project.heal_command(arguments);
    // SAFETY: the child makes two system calls for itself alone; what they
    // need is made beforehand.
    unsafe {
        let program = refusing_namespaces();
        command.pre_exec(move || {
            nix::sys::prctl::set_no_new_privs()?;
            seccompiler::apply_filter(&program).map_err(std::io::Error::other)
        });
    }
    command.output().expect("heal runs").into()
}

fn refusing_namespaces() -> seccompiler::BpfProgram {
    use seccompiler::SeccompAction;
    use seccompiler::SeccompCmpArgLen;
    use seccompiler::SeccompCmpOp;
    use seccompiler::SeccompCondition;
    use seccompiler::SeccompRule;
    let new_user = nix::libc::CLONE_NEWUSER as u64;
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(new_user), new_user)
        .expect("a condition");
    let rule = SeccompRule::new(vec![condition]).expect("a rule");
    let rules = [nix::libc::SYS_unshare, nix::libc::SYS_clone].map(|call| (call, vec![rule.clone()]));
    let refused = SeccompAction::Errno(nix::libc::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into().expect("a known processor");
    let filter = seccompiler::SeccompFilter::new(rules.into_iter().collect(), SeccompAction::Allow, refused, arch);
    filter.expect("a filter").try_into().expect("a program")
}

fn sandbox_check(document: &Value) -> Value {
    let checks = document["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == "sandbox").expect("a check").clone()
}

#[test]
fn where_namespaces_are_refused_heal_says_so_and_works_with_what_is_left() {
    let project = Project::new(SHOP);
    let check = sandbox_check(&without_namespaces(&project, &["doctor", "--json"]).json());
    assert_eq!(check["state"], "warn", "{check}");
    assert!(check["found"].to_string().contains("no namespaces"), "{check}");
    let has_landlock = !check["found"].to_string().contains("no Landlock");
    let strict = without_namespaces(&project, &["fix", "--offline", "--sandbox", "strict"]).code(5);
    assert!(strict.stderr.contains("making namespaces"), "{}", strict.stderr);
    let fixed = without_namespaces(&project, &["fix", "--offline", "--json"]).code(0).json();
    let proposal = &fixed["failures"][0]["proposals"][0];
    assert_eq!(proposal["evidence"]["sandbox"], if has_landlock { "landlock" } else { "limits" });
    assert!(is_shop_right(&proposal["diff"].to_string()), "{proposal}");
    assert!(fixed["notes"].as_array().is_some_and(|notes| !notes.is_empty()), "{fixed}");
}

#[test]
fn the_evidence_says_what_doctor_says() {
    let project = Project::new(SHOP);
    let check = sandbox_check(&project.heal(&["doctor", "--json"]).json());
    let fixed = project.heal(&["fix", "--offline", "--json"]).code(0).json();
    let sandbox = fixed["failures"][0]["proposals"][0]["evidence"]["sandbox"].clone();
    let found = check["found"].as_str().expect("text").to_owned();
    let wanted = match (check["state"] == "ok", found.starts_with("namespaces"), found.starts_with("none")) {
        (true, _, _) => "namespaces",
        (_, true, _) => "namespaces, no landlock",
        (_, _, true) => "limits",
        _ => "landlock",
    };
    assert_eq!(sandbox, wanted, "{check}");
    let off = project.heal(&["fix", "--offline", "--json", "--sandbox", "off"]).code(0).json();
    assert_eq!(off["failures"][0]["proposals"][0]["evidence"]["sandbox"], "off");
}

#[test]
fn a_repository_may_not_switch_the_sandbox_off() {
    for text in ["sandbox = \"off\"\n", "[sandbox]\nnetwork = \"host\"\n"] {
        let project = Project::new(SHOP);
        project.write(&[("heal.toml", text)]);
        let ran = project.heal(&["fix", "--offline"]).code(2);
        assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
    }
}

#[test]
fn what_the_sandbox_can_do_does_not_hang_on_where_heal_lies() {
    let project = Project::new(&[("a.py", "x = 1\n")]);
    let heal = tempfile::Builder::new().prefix("heal-in-tmp-").tempfile_in("/tmp").expect("a file");
    let heal = heal.into_temp_path();
    std::fs::copy(env!("CARGO_BIN_EXE_heal"), &heal).expect("copied");
    let line = |text: &str| text.lines().find(|line| line.contains("sandbox")).map(str::to_owned);
    let here = line(&project.heal(&["doctor"]).stdout);
    let output = project.command(heal.to_str().expect("text")).arg("doctor").output().expect("runs");
    let there = line(&String::from_utf8_lossy(&output.stdout));
    assert!(here.is_some());
    assert_eq!(there, here);
}
