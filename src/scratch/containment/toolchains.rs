//! What commands need from the user's home and from other private places:
//! toolchains, installed packages, the projects beside this one.
//!
//! Looks at names; reads no file. What stands in no list here and in no
//! variable is not seen by a confined command.

use std::path::Path;
use std::path::PathBuf;

use crate::process::Environment;

/// Hidden entries of a home that hold toolchains, packages or browsers and no
/// secrets. All others stay hidden; those that are not hidden are shown.
const TOOLS: [&str; 47] = [
    ".cargo",
    ".rustup",
    ".pyenv",
    ".rbenv",
    ".rvm",
    ".nvm",
    ".nodenv",
    ".n",
    ".fnm",
    ".volta",
    ".asdf",
    ".mise",
    ".rye",
    ".sdkman",
    ".jenv",
    ".bun",
    ".deno",
    ".ghcup",
    ".cabal",
    ".opam",
    ".juliaup",
    ".julia",
    ".conda",
    ".miniconda3",
    ".virtualenvs",
    ".nix-profile",
    ".npm-global",
    ".npm/_npx",
    ".yarn",
    ".m2/repository",
    ".local/bin",
    ".local/lib",
    ".local/pipx",
    ".local/state/nix",
    ".local/share/uv",
    ".local/share/pipx",
    ".local/share/hatch",
    ".local/share/virtualenvs",
    ".local/share/pdm",
    ".local/share/mise",
    ".local/share/fnm",
    ".local/share/pnpm",
    ".cache/pypoetry/virtualenvs",
    ".cache/ms-playwright",
    ".cache/puppeteer",
    ".cache/selenium",
    ".cache/huggingface/hub",
];

/// Entries of a home whose text is shown without its secrets.
const TEXTS: [&str; 2] = [".gitconfig", ".config/git/config"];

/// Variables that name one place.
const PLACES: [&str; 15] = [
    "CARGO_HOME",
    "RUSTUP_HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYENV_ROOT",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "NVM_DIR",
    "GOROOT",
    "GOPATH",
    "GOMODCACHE",
    "JAVA_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
];

/// Variables that name several places, `PATH` apart.
const LISTS: [&str; 3] = ["PYTHONPATH", "LD_LIBRARY_PATH", "NODE_PATH"];

/// What of the system lies in a private directory: NixOS has its programs there.
const SYSTEM: [&str; 2] = ["/run/current-system", "/run/opengl-driver"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// To be seen.
    pub(super) shown: Vec<PathBuf>,
    /// To be hidden although it is below something that is seen.
    pub(super) hidden: Vec<PathBuf>,
    /// Configuration to be seen without its secrets.
    pub(super) texts: Vec<PathBuf>,
    /// Variables that name what is otherwise found in the home.
    pub(super) needed: Vec<(String, PathBuf)>,
}

/// Finds what commands need.
pub(super) fn find(environment: &Environment, home: Option<&Path>, programs: &[PathBuf]) -> Found {
    let mut found = Found::default();
    found.shown.extend(SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists()));
    let set = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    found.shown.extend(PLACES.iter().filter_map(|name| set(name)));
    for name in LISTS {
        found.shown.extend(environment.get(name).into_iter().flat_map(std::env::split_paths));
    }
    let path = environment.get("PATH").into_iter().flat_map(std::env::split_paths);
    found.shown.extend(path.flat_map(|folder| around_program(&folder.join("program"), home)));
    found.shown.extend(programs.iter().flat_map(|program| around_program(program, home)));
    // One that lies in a private directory itself, such as `/tmp`.
    found.shown.extend(programs.iter().cloned());
    if let Some(home) = home {
        in_home(home, &mut found);
    }
    let cargo = set("CARGO_HOME").or_else(|| Some(home?.join(".cargo")));
    if let Some(cargo) = cargo {
        found.hidden.extend(["credentials", "credentials.toml"].map(|name| cargo.join(name)));
        found.texts.extend(["config", "config.toml"].map(|name| cargo.join(name)));
    }
    found.shown.retain(|path| path.is_absolute() && path.exists());
    found.shown = found
        .shown
        .iter()
        .filter_map(|path| path.parent()?.canonicalize().ok()?.join(path.file_name()?).into())
        .collect();
    // Through links things are found at both names.
    let targets: Vec<PathBuf> = found.shown.iter().filter_map(|path| path.canonicalize().ok()).collect();
    found.shown.extend(targets);
    found.hidden.retain(|path| path.exists());
    found.texts.retain(|path| path.is_file());
    found
}

fn in_home(home: &Path, found: &mut Found) {
    for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_dir() {
            found.shown.push(entry.path());
        }
    }
    found.shown.extend(TOOLS.iter().map(|name| home.join(name)).filter(|path| path.exists()));
    found.texts.extend(TEXTS.iter().map(|name| home.join(name)));
    let needed = [
        ("CARGO_HOME", ".cargo"),
        ("RUSTUP_HOME", ".rustup"),
        ("PYENV_ROOT", ".pyenv"),
        ("PYTHONUSERBASE", ".local"),
        ("NVM_DIR", ".nvm"),
        ("GOPATH", "go"),
    ];
    let there = needed.iter().map(|(name, folder)| ((*name).to_owned(), home.join(folder)));
    found.needed.extend(there.filter(|(_, folder)| folder.exists()));
}

/// The folder of a program and, where that is a `bin`, the prefix with its
/// libraries; not where the prefix would be the home or `~/.local`.
fn around_program(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut around = Vec::new();
    for program in [Some(program.to_path_buf()), program.canonicalize().ok()].into_iter().flatten() {
        let Some(folder) = program.parent() else { continue };
        around.push(folder.to_path_buf());
        let is_bin = folder.file_name().is_some_and(|name| name == "bin" || name == "Scripts");
        if let Some(prefix) = folder.parent().filter(|prefix| is_bin && prefix.components().count() > 2) {
            let is_home =
                home.is_some_and(|home| prefix == home || prefix == home.join(".local") || home.starts_with(prefix));
            if !is_home {
                around.push(prefix.to_path_buf());
            }
        }
    }
    around
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_home_toolchains_and_projects_are_shown_and_no_secrets() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path().canonicalize().expect("a real path");
        for path in
            [".ssh", ".aws", ".cargo/bin", ".rustup", ".local/share/uv", ".local/share/keyrings", "src/x", ".cache/pip"]
        {
            std::fs::create_dir_all(home.join(path)).expect("folders");
        }
        for path in [".cargo/credentials.toml", ".netrc", ".gitconfig", "notes.txt"] {
            std::fs::write(home.join(path), "").expect("files");
        }
        let environment = Environment::filtered([
            ("PATH".into(), format!("{0}/.cargo/bin:/usr/bin:{0}/.local/bin", home.display()).into()),
            ("HOME".into(), home.clone().into()),
        ]);
        let found = find(&environment, Some(&home), &[home.join(".tool/venv/bin/python")]);
        let below = |paths: &[PathBuf]| -> Vec<String> {
            let mut names: Vec<String> =
                paths.iter().filter_map(|path| Some(path.strip_prefix(&home).ok()?.display().to_string())).collect();
            names.sort();
            names.dedup();
            names
        };
        assert_eq!(below(&found.shown), [".cargo", ".cargo/bin", ".local/share/uv", ".rustup", "src"]);
        assert_eq!(below(&found.hidden), [".cargo/credentials.toml"]);
        assert_eq!(below(&found.texts), [".gitconfig"]);
    }

    #[test]
    fn a_program_brings_its_prefix_but_never_the_home() {
        let home = Path::new("/home/ana");
        let around = |program: &str| around_program(Path::new(program), Some(home));
        assert_eq!(around("/tmp/venv/bin/python"), [PathBuf::from("/tmp/venv/bin"), "/tmp/venv".into()]);
        assert_eq!(around("/home/ana/bin/x"), [PathBuf::from("/home/ana/bin")]);
        assert_eq!(around("/home/ana/.local/bin/x"), [PathBuf::from("/home/ana/.local/bin")]);
    }
}
