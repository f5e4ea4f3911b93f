//! The cargo runner: exact results of `cargo test` on stable Rust.
//!
//! One command a request: `cargo test --no-fail-fast --message-format=json`
//! with the user's own options. heal is the runner that cargo starts for each
//! test binary ([`target`]), so results come test by test through the private
//! channel; cargo's standard output carries the compiler's messages and, as
//! text, what rustdoc says of doc tests.
//!
//! Decided here:
//! - Neither `--locked` nor `--offline` is added: without a lock file the first
//!   fails, and the second is the user's or the sandbox's to say.
//! - Selected tests are asked for by package and target, so that other targets
//!   are not built; the user's own package options are then replaced.
//! - The build directory is the site's alone, whatever is configured.
//! - `RUST_BACKTRACE=1` is set for tests (the first backtrace of a binary takes
//!   some 50 ms, each further one 0.2 ms: measured with 300 panicking tests),
//!   `RUST_LIB_BACKTRACE=0` so that error values stay cheap.
//! - `RUSTFLAGS` is left alone: another value rebuilds everything.
//! - `trace_lines` builds the workspace's own crates again, instrumented, and
//!   runs each selected test by itself ([`coverage`]); without a selection it
//!   is ignored. The hash seed is not for cargo; a reversed order is a shuffled
//!   one.
//! - A command that is no plain `cargo test` (`cargo nextest run`, a wrapper)
//!   is run as given with the same environment.
//!
//! Composes and reads; never starts anything, apart from [`target`], which
//! runs inside cargo.

mod arguments;
mod artifacts;
mod channel;
mod coverage;
mod doctests;
pub mod identity;
mod libtest;
mod lock;
mod place;
mod results;
mod target;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;

use super::*;
use arguments::Arguments;
use identity::Identity;
use identity::Target;
use identity::What;

pub use coverage::WRAPPER;
pub use coverage::wrapper_main;
pub use target::target_runner_main;

/// The word after which heal's executable acts as the target runner.
pub const WORD: &str = "__target-runner";

/// heal's executable in the channel's directory.
const LINK: &str = "heal";

/// Time for the tests of one binary whose lines are to be known: what a small
/// crate's take together; in a large one the nearest come first.
const TRACED: Duration = Duration::from_secs(4);

/// Bytes kept of cargo's outputs: a message is about a kilobyte, and a large
/// workspace has thousands.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// Composes `cargo test` for `request`; writes the order for the target runner
/// into the channel.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    let arguments = Arguments::parse(&project.command);
    let wanted = match &request.selection {
        Selection::All => None,
        Selection::Tests(ids) => Some(ids.as_slice()),
    };
    let selected = wanted.map(|ids| by_binary(ids, &|package| place::library_name(project, site, package)));
    let arguments_of_binary = arguments.as_ref().map(|arguments| arguments.binary.clone()).unwrap_or_default();
    let order = order(selected, arguments_of_binary, request, channel);
    order.write(&channel.dir).map_err(|(path, source)| RunnerError::Channel { path, source })?;
    link(site, channel)?;
    let argv = match &arguments {
        Some(arguments) => {
            let specify = |package: &str| lock::specification(&project.root, &site.tree, package);
            words(arguments, wanted, request, channel, &specify)
        }
        None => project.command.clone(),
    };
    Ok(Command {
        argv: argv.into_iter().map(OsString::from).collect(),
        cwd: project.root.under(&site.tree),
        env: environment(project, site, request, channel),
        time_limit: request.time_limit,
        output_limit: OUTPUT_LIMIT,
        memory_limit: None,
    })
}

/// What an opaque command (`make test`, a script) needs in its environment, so
/// that the test binaries of a cargo somewhere inside it are run by heal; empty
/// where the tree is no Rust, or a path cannot be handed over so.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn opaque_environment(
    site: &Site,
    request: &Request,
    channel: &Channel,
) -> Result<Vec<(String, Option<String>)>, RunnerError> {
    if needs_option(channel) || !holds_rust(&site.tree) {
        return Ok(Vec::new());
    }
    order(None, Vec::new(), request, channel)
        .write(&channel.dir)
        .map_err(|(path, source)| RunnerError::Channel { path, source })?;
    link(site, channel)?;
    let mut env: Vec<(String, Option<String>)> = vec![("RUST_TEST_NOCAPTURE".to_owned(), None)];
    env.extend(runner_variables(channel).map(|(name, value)| (name, Some(value))));
    Ok(env)
}

/// Reads what a cargo inside an opaque command told; `None` where none spoke.
pub fn read_channel(
    project: &Project,
    site: &Site,
    request: &Request,
    channel: &Channel,
    finished: &Finished,
) -> Option<Report> {
    let spoke = channel::read(&channel.dir, &channel.nonce).is_ok_and(|runs| runs.iter().any(|run| !run.is_empty()));
    let whole = Request { selection: Selection::All, ..request.clone() };
    spoke.then(|| results::read(project, site, &whole, channel, finished))
}

/// Whether there is a manifest at the top of the tree, or in a folder of it.
fn holds_rust(tree: &std::path::Path) -> bool {
    let has = |folder: &std::path::Path| folder.join("Cargo.toml").is_file();
    has(tree) || std::fs::read_dir(tree).into_iter().flatten().flatten().any(|entry| has(&entry.path()))
}

/// Reads what a finished `cargo test` told.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    results::read(project, site, request, channel, finished)
}

/// Where the test `id` is defined, as far as its name and the files of the
/// scratch tell. The function of a test that a macro made is the macro's input
/// where that can be told.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    place::of(project, site, &Identity::parse(id)?)
}

/// Whether a person who writes `wanted` means the test `id`.
pub fn names(id: &str, wanted: &str) -> bool {
    identity::names(id, wanted)
}

/// The order for the target runner: the tests `selected` of each binary, and
/// the user's own `arguments` for it.
fn order(
    selected: Option<BTreeMap<String, Vec<String>>>,
    arguments: Vec<String>,
    request: &Request,
    channel: &Channel,
) -> channel::Order {
    let selected_any = selected.is_some();
    channel::Order {
        nonce: channel.nonce.clone(),
        selection: selected,
        test_limit: request.test_limit,
        fail_fast: request.fail_fast,
        arguments,
        shuffle: request.variation.reverse.then_some(20_070),
        trace: (request.trace_lines && selected_any).then_some(TRACED),
        env: [("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    }
}

/// Names by the file name of their binary, as the target runner sees it.
/// `library` gives the name of a package's library where it is another.
fn by_binary(ids: &[String], library: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for identity in ids.iter().filter_map(|id| Identity::parse(id)) {
        if let What::Test(target, test) = identity.what {
            let renamed = if target == Target::Lib { library(&identity.package) } else { None };
            let binary = renamed.unwrap_or_else(|| target.name(&identity.package).to_owned());
            // cargo writes the names of files with `_`.
            names.entry(binary.replace('-', "_")).or_default().push(test);
        }
    }
    names
}

/// The words of the command.
fn words(
    arguments: &Arguments,
    wanted: Option<&[String]>,
    request: &Request,
    channel: &Channel,
    specify: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut words = arguments.program.clone();
    words.push("test".to_owned());
    if !request.fail_fast {
        words.push("--no-fail-fast".to_owned());
    }
    words.push("--message-format=json".to_owned());
    words.extend(runner_options(channel));
    words.extend_from_slice(&arguments.options);
    let identities = wanted.map(|ids| ids.iter().map(|id| Identity::parse(id)).collect::<Option<Vec<_>>>());
    match identities {
        // Everything; or a compile error, which only the whole build shows.
        None | Some(None) => {
            words.extend_from_slice(&arguments.packages);
            words.extend_from_slice(&arguments.targets);
            words.extend(arguments.filter.iter().filter(|_| wanted.is_none()).cloned());
            if !arguments.binary.is_empty() {
                words.push("--".to_owned());
                words.extend(match wanted {
                    None => arguments.binary.clone(),
                    Some(_) => arguments::for_selection(&arguments.binary),
                });
            }
        }
        Some(Some(identities)) => words.extend(selecting(arguments, &identities, specify)),
    }
    words
}

/// The words that choose the packages, targets and doc tests of `identities`;
/// `specify` says which package an ambiguous name means.
fn selecting(arguments: &Arguments, identities: &[Identity], specify: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let packages: BTreeSet<&str> = identities.iter().map(|identity| identity.package.as_str()).collect();
    let mut targets: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut documents: BTreeSet<&str> = BTreeSet::new();
    for identity in identities {
        match &identity.what {
            What::Test(target, _) => {
                targets.insert(target.options());
            }
            What::Doctest(doctest) => {
                documents.insert(doctests::filter(doctest));
            }
        }
    }
    let mut words = Vec::new();
    for package in packages {
        let given = arguments.spelling(package).map(str::to_owned).filter(|given| given != package);
        let spelling = given.or_else(|| specify(package)).unwrap_or_else(|| package.to_owned());
        words.extend(["-p".to_owned(), spelling]);
    }
    // cargo refuses `--doc` beside other targets: a mixture builds them all.
    match (targets.is_empty(), documents.is_empty()) {
        (false, true) => words.extend(targets.into_iter().flatten()),
        (true, false) => words.push("--doc".to_owned()),
        _ => {}
    }
    let rest: Vec<String> = arguments::for_selection(&arguments.binary);
    if !rest.is_empty() || !documents.is_empty() {
        words.push("--".to_owned());
        words.extend(rest);
        words.extend(documents.into_iter().map(str::to_owned));
    }
    words
}

/// The targets that may be this machine's own. A foreign one (`--target
/// wasm32-wasip1`) has a runner of its own, which heal cannot replace: then
/// results are read from text and never count as complete.
fn triples() -> Vec<String> {
    use std::env::consts::ARCH;
    use std::env::consts::OS;
    let archs: &[&str] = match ARCH {
        "x86_64" => &["x86_64", "i686"],
        "aarch64" => &["aarch64"],
        "riscv64" => &["riscv64gc"],
        "powerpc64" => &["powerpc64le", "powerpc64"],
        other => &[other],
    };
    let systems: &[&str] = match OS {
        "macos" => &["apple-darwin"],
        "windows" => &["pc-windows-msvc", "pc-windows-gnu"],
        "freebsd" => &["unknown-freebsd"],
        _ => &["unknown-linux-gnu", "unknown-linux-musl", "unknown-linux-gnueabihf", "unknown-linux-musleabihf"],
    };
    archs.iter().flat_map(|arch| systems.iter().map(move |system| format!("{arch}-{system}"))).collect()
}

/// heal's executable, the word, the channel: what cargo puts before a binary.
fn runner(channel: &Channel) -> [String; 3] {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    [text(&channel.dir.join(LINK)), WORD.to_owned(), text(&channel.dir)]
}

/// cargo splits the runner's variable at white space; where the channel's path
/// holds some, a list is given as an option instead. (The variable is preferred:
/// it replaces a runner that the project configures, in whatever form.)
fn needs_option(channel: &Channel) -> bool {
    channel.dir.to_string_lossy().contains(char::is_whitespace)
}

/// cargo's variables that make heal the runner of every target of this machine.
fn runner_variables(channel: &Channel) -> impl Iterator<Item = (String, String)> {
    let value = runner(channel).join(" ");
    runner_names().map(move |name| (name, value.clone()))
}

/// The names of those variables.
fn runner_names() -> impl Iterator<Item = String> {
    let name = |triple: String| format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"));
    triples().into_iter().map(name)
}

fn runner_options(channel: &Channel) -> Vec<String> {
    if !needs_option(channel) {
        return Vec::new();
    }
    let list = toml::Value::from(runner(channel).to_vec());
    triples().iter().flat_map(|triple| ["--config".to_owned(), format!("target.{triple}.runner={list}")]).collect()
}

/// What cargo's environment must have, on top of the base.
fn environment(
    project: &Project,
    site: &Site,
    request: &Request,
    channel: &Channel,
) -> Vec<(OsString, Option<OsString>)> {
    let mut env: Vec<(String, Option<String>)> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let mut set = |name: &str, value: &str| env.push((name.to_owned(), Some(value.to_owned())));
    set("CARGO_TERM_COLOR", "never");
    set("CARGO_TERM_PROGRESS_WHEN", "never");
    set("CARGO_TERM_VERBOSE", "false");
    set("CARGO_TERM_QUIET", "false");
    // The crate hash does not depend on the path: with a shared directory a
    // wrong candidate passes with nothing compiled.
    let own = project.root.under(&site.tree).join("target").to_string_lossy().into_owned();
    let given = site.env.iter().find(|(name, _)| name == "CARGO_TARGET_DIR");
    let build = given.map_or(own, |(_, value)| value.clone());
    set("CARGO_TARGET_DIR", &build);
    set("CARGO_BUILD_BUILD_DIR", &build);
    if request.records_selected() {
        // Under one path each time, or cargo would compile each time anew.
        let wrapper = std::path::Path::new(&build).join(coverage::WRAPPER);
        if link_to(site, &wrapper).is_ok() {
            set("RUSTC_WORKSPACE_WRAPPER", &wrapper.to_string_lossy());
            // What runs beside the tests writes its counters nowhere.
            set(target::PROFILE, "/dev/null");
        }
    }
    if !needs_option(channel) {
        for (name, value) in runner_variables(channel) {
            set(&name, &value);
        }
    }
    if let Some(zone) = request.variation.time_zone {
        set("TZ", zone);
    }
    env.push(("RUST_TEST_NOCAPTURE".to_owned(), None));
    env.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect()
}

/// Puts heal's executable into the channel, under a path of its own.
fn link(site: &Site, channel: &Channel) -> Result<(), RunnerError> {
    let path = channel.dir.join(LINK);
    link_to(site, &path).map_err(|source| RunnerError::Channel { path, source })
}

/// Makes `path` heal's executable, and the folders above it.
fn link_to(site: &Site, path: &std::path::Path) -> std::io::Result<()> {
    if std::fs::read_link(path).is_ok_and(|target| target == site.heal) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path)?;
    }
    std::os::unix::fs::symlink(&site.heal, path)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn site(tree: &str, env: &[(&str, &str)]) -> Site {
        Site {
            user_root: "/home/a/shop".into(),
            tree: tree.into(),
            written: None,
            heal: "/usr/bin/heal".into(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            python: None,
            places: crate::trace::places::Places::default(),
        }
    }

    fn project(command: &str) -> Project {
        Project {
            root: RelPath::new("rust").expect("path"),
            kind: RunnerKind::Cargo,
            command: command.split_whitespace().map(str::to_owned).collect(),
            given: true,
            why: String::new(),
        }
    }

    fn request(ids: &[&str]) -> Request {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        Request {
            selection: if ids.is_empty() { Selection::All } else { Selection::Tests(ids) },
            test_limit: Duration::from_secs(2),
            start_limit: Duration::from_secs(60),
            time_limit: Duration::from_secs(60),
            trace_lines: false,
            fail_fast: false,
            variation: Variation::default(),
            last: Vec::new(),
            probe: None,
            sieve: None,
        }
    }

    fn composed(command: &str, ids: &[&str]) -> (String, Command) {
        let dir = tempfile::tempdir().expect("a directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "n".into() };
        let composed = compose(&project(command), &site("/s", &[]), &request(ids), &channel).expect("a command");
        let words: Vec<_> = composed.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        (words.join(" "), composed)
    }

    #[test]
    fn the_users_options_are_kept_and_those_that_hide_results_are_not() {
        let json = "test --no-fail-fast --message-format=json";
        for (command, ids, wanted) in [
            ("cargo test", &[][..], format!("cargo {json}")),
            (
                "cargo +1.95 test -q -p a --features x total -- --skip slow",
                &[],
                format!("cargo +1.95 {json} --features x -p a total -- --skip slow"),
            ),
            (
                "cargo test --workspace --all-targets -r total -- --test-threads=2 --skip slow",
                &["a tests::x", "b-c::it y"],
                format!("cargo {json} -r -p a -p b-c --lib --test it -- --test-threads=2"),
            ),
            ("cargo test -p a@1.0.0", &["a tests::x"], format!("cargo {json} -p a@1.0.0 --lib")),
            ("cargo test", &["a::bin/c x", "a::bench/d y"], format!("cargo {json} -p a --bench d --bin c")),
            (
                "cargo test",
                &["a doc src/lib.rs - Cart::total", "a doc src/a b.rs"],
                format!("cargo {json} -p a --doc -- Cart::total b.rs"),
            ),
            ("cargo test", &["a doc src/lib.rs - f", "a x"], format!("cargo {json} -p a -- f")),
            ("cargo test -p a", &["error[E0308] in src/lib.rs"], format!("cargo {json} -p a")),
            ("cargo nextest run", &["a x"], "cargo nextest run".to_owned()),
        ] {
            assert_eq!(composed(command, ids).0, wanted, "{command} {ids:?}");
        }
    }

    #[test]
    fn a_scratch_builds_in_a_directory_of_its_own() {
        let of = |site: &Site| {
            let channel = Channel { dir: "/c".into(), nonce: String::new() };
            environment(&project("cargo test"), site, &request(&[]), &channel)
        };
        let last = |env: &[(OsString, Option<OsString>)], name: &str| {
            env.iter().rev().find(|(other, _)| other == name).and_then(|(_, value)| value.clone())
        };
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"] {
            assert_eq!(last(&of(&site("/s", &[])), name), Some("/s/rust/target".into()));
            assert_eq!(last(&of(&site("/s", &[("CARGO_TARGET_DIR", "/t")])), name), Some("/t".into()));
        }
    }

    #[test]
    fn the_runner_survives_a_path_with_spaces() {
        let channel = |dir: &str| Channel { dir: dir.into(), nonce: String::new() };
        assert!(runner_options(&channel("/tmp/x")).is_empty());
        let options = runner_options(&channel("/tmp/my \"x\""));
        assert!(options[1].starts_with("target.") && options[1].contains(".runner=["), "{options:?}");
        let parsed: toml::Table = options[1].parse().expect("TOML");
        let text = parsed.to_string();
        assert!(text.contains("__target-runner") && text.contains("my"), "{text}");
    }

    #[test]
    fn the_order_names_tests_by_their_binary() {
        let ids = ["my-shop tests::a", "my-shop::it b", "other::it c", "renamed d", "my-shop doc src/lib.rs - f"]
            .map(str::to_owned);
        let wanted = [("inner", vec!["d"]), ("it", vec!["b", "c"]), ("my_shop", vec!["tests::a"])];
        let wanted: BTreeMap<String, Vec<String>> = wanted
            .into_iter()
            .map(|(name, tests)| (name.to_owned(), tests.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(by_binary(&ids, &|package| (package == "renamed").then(|| "inner".to_owned())), wanted);
    }
}
