//! How the test commands of a run are contained: what they may write, what is
//! private for them, and what is hidden.
//!
//! Composes what the process door then enforces; starts nothing. Looks at the
//! user's home once, when a run begins.

mod redact;
mod toolchains;

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use crate::process::Command;
use crate::process::Confinement;
use crate::process::Environment;
use crate::process::Layer;
use crate::process::Level;
use crate::process::Means;
use crate::process::Network;
use crate::process::free_bytes;

/// Variables that lead to what is hidden, or to where nothing can be written.
const MISLEADING: [&str; 10] = [
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DOCKER_HOST",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "RUNNER_TEMP",
];

/// Variables whose names begin so are all that a command gets under `strict`,
/// beside what heal itself sets.
const NEEDED: [&str; 32] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_",
    "TZ",
    "TERM",
    "NO_COLOR",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "TMPDIR",
    "CI",
    "CARGO",
    "RUST",
    "PYTHON",
    "PYTEST",
    "PYENV",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "UV_",
    "NODE_",
    "NVM_",
    "GOROOT",
    "GOPATH",
    "GOFLAGS",
    "GOMODCACHE",
    "GOTOOLCHAIN",
    "JAVA_HOME",
    "LD_LIBRARY_PATH",
    "CC",
    "CXX",
];

/// Directories of every machine that are private for a command.
const PRIVATE: [&str; 3] = ["/tmp", "/var/tmp", "/run"];

/// Where programs share memory by name (shm_overview(7)).
const SHARED_MEMORY: &str = "/dev/shm";

/// Files of every machine that are hidden from tests run by root.
const HIDDEN: [&str; 2] = ["/etc/shadow", "/etc/gshadow"];

/// Bytes of the disk that a command must leave free, or half of what is free
/// when it begins.
const LEAST_FREE: u64 = 1 << 30;

/// What the containment of a run is made from.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The commands' environment.
    pub environment: &'a Environment,
    /// The user's tree.
    pub root: &'a Path,
    /// The repository's git directory.
    pub common_dir: &'a Path,
    /// heal's cache directory.
    pub cache: &'a Path,
    /// Programs that must stay to be seen: heal itself, the interpreter.
    pub programs: &'a [PathBuf],
}

/// How commands are contained. Shared by all scratches of a run.
#[derive(Clone, Debug, Default)]
pub struct Containment {
    /// Without what changes from command to command; `None` confines nothing.
    confinement: Option<Confinement>,
    name: String,
    strict: bool,
    home: Option<PathBuf>,
    needed: Vec<(String, PathBuf)>,
}

/// A command's confinement, and the directory that it has for itself.
#[derive(Debug)]
pub struct Contained {
    /// What it may reach; `None` for all.
    pub confinement: Option<Confinement>,
    /// Removed when the command is over.
    _private: Option<tempfile::TempDir>,
}

impl Containment {
    /// No containment but the process group, deadlines and limits.
    pub fn off() -> Containment {
        Containment { name: "off".to_owned(), ..Containment::default() }
    }

    /// The best that `means` allow. `strict` gives commands only the variables
    /// that tests need; whether the means are enough is for the caller to say.
    pub fn new(means: &Means, network: Network, strict: bool, around: &Surroundings<'_>) -> Containment {
        let Some(level) = means.best() else {
            return Containment { name: "limits".to_owned(), ..Containment::default() };
        };
        let home = home(around.environment);
        let mut confinement = Confinement {
            level,
            landlock: means.landlock > 0,
            writable: Vec::new(),
            layers: Vec::new(),
            private: private(around, home.as_deref()),
            hidden: vec![around.common_dir.join("heal")],
            shown: Vec::new(),
            replaced: Vec::new(),
            network,
            least_free: 0,
        };
        if nix::unistd::geteuid().is_root() {
            confinement.hidden.extend(HIDDEN.map(PathBuf::from));
        }
        let found = toolchains::find(around.environment, home.as_deref(), around.programs);
        confinement.hidden.extend(found.hidden);
        let texts = found.texts.into_iter().chain([around.common_dir.join("config")]);
        for path in texts {
            // What cannot be read hides itself.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            match redact::redacted(&text) {
                Some(open) => confinement.replaced.push((path, open)),
                None => confinement.shown.push(path),
            }
        }
        confinement.shown.extend(found.shown);
        confinement.shown.extend([around.root, around.common_dir].map(Path::to_path_buf));
        tidy(&mut confinement);
        let name = name(level, confinement.landlock, network);
        Containment { confinement: Some(confinement), name, strict, home, needed: found.needed }
    }

    /// Its name in evidence: `namespaces`, `landlock`, `limits` or `off`, with
    /// what of it is missing.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether commands that run at the same time see the same ports.
    pub fn shares_network(&self) -> bool {
        self.confinement.as_ref().is_none_or(|confinement| confinement.network == Network::Host)
    }

    /// What a report should say of what could not be had.
    pub fn notes(&self) -> Vec<String> {
        let landlock_only = |confinement: &Confinement| {
            confinement.level == Level::Landlock && confinement.network == Network::Loopback
        };
        match &self.confinement {
            Some(confinement) if landlock_only(confinement) => vec![
                "without namespaces here the tests have no sockets at all; if they need some, set `[sandbox] network = \
                 \"host\"` in your own configuration"
                    .to_owned(),
            ],
            None if self.name == "limits" => {
                vec!["no sandbox is to be had here: the tests ran with your rights".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// Whether commands can see layers over directories.
    pub fn has_mounts(&self) -> bool {
        self.confinement.as_ref().is_some_and(|confinement| confinement.level == Level::Namespaces)
    }

    /// Prepares `command`, which may write below `writable` and sees `layers`.
    ///
    /// # Errors
    /// A temporary directory cannot be made, or there are layers and no
    /// mounts.
    pub fn contain(
        &self,
        command: &mut Command,
        environment: &Environment,
        writable: &[&Path],
        layers: Vec<Layer>,
    ) -> std::io::Result<Contained> {
        if !layers.is_empty() && !self.has_mounts() {
            return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "no layers without namespaces"));
        }
        let Some(confinement) = &self.confinement else { return Ok(Contained { confinement: None, _private: None }) };
        let mut confinement = confinement.clone();
        confinement.layers = layers;
        confinement.writable = writable.iter().map(|path| path.to_path_buf()).collect();
        let free = writable.first().and_then(|path| free_bytes(path)).unwrap_or_default();
        confinement.least_free = LEAST_FREE.min(free / 2);
        let own: Vec<_> = command.env.iter().map(|(name, _)| name.clone()).collect();
        let mut without = |name: &OsStr| {
            if !own.iter().any(|own| own == name) {
                command.env.push((name.to_owned(), None));
            }
        };
        MISLEADING.iter().for_each(|name| without(OsStr::new(name)));
        if self.strict {
            let needed = |name: &OsStr| NEEDED.iter().any(|start| name.to_string_lossy().starts_with(start));
            environment.names().filter(|name| !needed(name)).for_each(&mut without);
        }
        if confinement.level == Level::Namespaces {
            command.env.push(("TMPDIR".into(), Some("/tmp".into())));
            return Ok(Contained { confinement: Some(confinement), _private: None });
        }
        // Nothing can be hung over `/tmp` and the home, so others are named.
        let private = tempfile::Builder::new().prefix("heal-").tempdir()?;
        let (temporary, home) = (private.path().join("tmp"), private.path().join("home"));
        std::fs::create_dir(&temporary)?;
        std::fs::create_dir(&home)?;
        self.furnish(&home, &confinement)?;
        for (name, path) in &self.needed {
            if environment.get(name).is_none() && !own.iter().any(|own| own == name.as_str()) {
                command.env.push((name.into(), Some(path.into())));
            }
        }
        command.env.push(("TMPDIR".into(), Some(temporary.clone().into())));
        command.env.push(("HOME".into(), Some(home.clone().into())));
        confinement.writable.extend([temporary, home]);
        Ok(Contained { confinement: Some(confinement), _private: Some(private) })
    }

    /// Puts into a private home what git looks for there.
    fn furnish(&self, private: &Path, confinement: &Confinement) -> std::io::Result<()> {
        let Some(home) = &self.home else { return Ok(()) };
        let path = home.join(".gitconfig");
        let replaced =
            confinement.replaced.iter().find(|(replaced, _)| *replaced == path).map(|(_, text)| text.clone());
        let text = replaced.or_else(|| std::fs::read_to_string(&path).ok());
        text.map_or(Ok(()), |text| std::fs::write(private.join(".gitconfig"), text))
    }
}

fn name(level: Level, landlock: bool, network: Network) -> String {
    let mut name = match level {
        Level::Namespaces if landlock => "namespaces".to_owned(),
        Level::Namespaces => "namespaces, no landlock".to_owned(),
        Level::Landlock => "landlock".to_owned(),
    };
    if network == Network::Host {
        name.push_str(", host network");
    }
    name
}

/// The user's home, where it is one that can be covered.
fn home(environment: &Environment) -> Option<PathBuf> {
    let home = PathBuf::from(environment.get("HOME")?).canonicalize().ok()?;
    (home.components().count() > 1).then_some(home)
}

fn private(around: &Surroundings<'_>, home: Option<&Path>) -> Vec<PathBuf> {
    let named = ["TMPDIR", "XDG_RUNTIME_DIR", "RUNNER_TEMP"].iter().filter_map(|name| around.environment.get(name));
    let fixed = PRIVATE.iter().map(PathBuf::from).chain(named.map(PathBuf::from));
    // Shared memory is the machine's without mounts: not where something of the
    // user's lies in it.
    let users = home.into_iter().chain([around.root, around.common_dir, around.cache]);
    let is_in_memory = users.filter_map(|path| path.canonicalize().ok()).any(|path| path.starts_with(SHARED_MEMORY));
    let memory = is_in_memory.then(|| PathBuf::from(SHARED_MEMORY));
    let all = fixed.chain(home.map(Path::to_path_buf)).chain([around.cache.to_path_buf()]).chain(memory);
    let mut private: Vec<PathBuf> = all
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| path.is_dir() && *path != Path::new("/"))
        .collect();
    private.sort();
    private.dedup();
    private
}

/// Keeps of what is shown what would not be seen anyway, and no path that is
/// not text, which cannot be told to the helper.
fn tidy(confinement: &mut Confinement) {
    let is_text = |path: &PathBuf| path.to_str().is_some();
    confinement.private.retain(is_text);
    confinement.hidden.retain(|path| is_text(path) && path.symlink_metadata().is_ok());
    let private = confinement.private.clone();
    let covered = |path: &PathBuf| private.iter().any(|cover| path != cover && path.starts_with(cover));
    confinement.shown.retain(|path| is_text(path) && covered(path));
    confinement.shown.sort();
    confinement.shown.dedup();
    // A directory shows what is below it, unless something covers that again.
    let shown = confinement.shown.clone();
    confinement.shown.retain(|path| {
        let cover =
            private.iter().filter(|cover| path.starts_with(cover)).map(|cover| cover.components().count()).max();
        !shown.iter().any(|above| above != path && path.starts_with(above) && Some(above.components().count()) >= cover)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_shows_what_is_below_it_only_once() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let mut confinement = Confinement {
            level: Level::Namespaces,
            landlock: true,
            writable: Vec::new(),
            layers: Vec::new(),
            private: paths(&["/h", "/h/src/cache", "/tmp"]),
            hidden: Vec::new(),
            shown: paths(&["/usr/bin", "/h", "/h/src", "/h/src/p", "/h/src/cache/x", "/tmp/v/bin", "/tmp/v"]),
            replaced: Vec::new(),
            network: Network::Loopback,
            least_free: 0,
        };
        tidy(&mut confinement);
        assert_eq!(confinement.shown, paths(&["/h/src", "/h/src/cache/x", "/tmp/v"]));
    }

    #[test]
    fn what_is_missing_stands_in_the_name() {
        assert_eq!(name(Level::Namespaces, true, Network::Loopback), "namespaces");
        assert_eq!(name(Level::Namespaces, false, Network::Host), "namespaces, no landlock, host network");
        assert_eq!(name(Level::Landlock, true, Network::Loopback), "landlock");
    }

    #[test]
    fn under_strict_only_what_tests_need_stays() {
        let vars =
            ["PATH", "LANG", "LC_ALL", "CARGO_HOME", "EDITOR", "WORK_SERVER"].map(|name| (name.into(), "/".into()));
        let environment = Environment::filtered(vars);
        let around = Surroundings {
            environment: &environment,
            root: Path::new("/r"),
            common_dir: Path::new("/r/.git"),
            cache: Path::new("/c"),
            programs: &[],
        };
        let means = Means { no_namespaces: None, landlock: 7 };
        let containment = Containment::new(&means, Network::Loopback, true, &around);
        let mut command = Command::new("x").env("EDITOR", "set by the runner");
        let contained =
            containment.contain(&mut command, &environment, &[Path::new("/t")], Vec::new()).expect("contained");
        let gone = |name: &str| command.env.contains(&(name.into(), None));
        assert!(gone("WORK_SERVER") && !gone("EDITOR") && !gone("LC_ALL") && !gone("CARGO_HOME"), "{:?}", command.env);
        assert_eq!(contained.confinement.expect("confined").writable, [PathBuf::from("/t")]);
    }
}
