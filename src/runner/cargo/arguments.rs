//! The arguments of `cargo test`, taken apart.
//!
//! ```text
//! cargo [+toolchain] [options] test|t [options] [TESTNAME] [-- ARGS…]
//! ```
//!
//! Source: `cargo test --help` and `cargo --help` of 1.95. Works on words;
//! never runs anything.

/// What becomes of an option when heal asks cargo itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Given on as it is.
    Keep,
    /// Which packages: given on unless tests are selected.
    Package,
    /// Which targets: given on unless tests are selected.
    Target,
    /// Left out: it would change where results come from or hide some.
    Drop,
}

/// Options that take a value: `--name value`, `--name=value`, `-nvalue`.
const WITH_VALUE: &[(&str, Role)] = &[
    ("--package", Role::Package),
    ("-p", Role::Package),
    ("--exclude", Role::Package),
    ("--bin", Role::Target),
    ("--example", Role::Target),
    ("--test", Role::Target),
    ("--bench", Role::Target),
    ("--features", Role::Keep),
    ("-F", Role::Keep),
    ("--jobs", Role::Keep),
    ("-j", Role::Keep),
    ("--profile", Role::Keep),
    ("--target", Role::Keep),
    ("--manifest-path", Role::Keep),
    ("--config", Role::Keep),
    ("-Z", Role::Keep),
    ("-C", Role::Keep),
    ("--lockfile-path", Role::Keep),
    ("--message-format", Role::Drop),
    ("--color", Role::Drop),
    // A scratch has its own; two trees must never share one.
    ("--target-dir", Role::Drop),
    ("--artifact-dir", Role::Drop),
];

/// Options without a value that are not simply given on.
const BARE: &[(&str, Role)] = &[
    ("--workspace", Role::Package),
    ("--all", Role::Package),
    ("--lib", Role::Target),
    ("--bins", Role::Target),
    ("--examples", Role::Target),
    ("--tests", Role::Target),
    ("--benches", Role::Target),
    ("--all-targets", Role::Target),
    ("--doc", Role::Target),
    ("--no-run", Role::Drop),
    ("--no-fail-fast", Role::Drop),
    ("--quiet", Role::Drop),
    ("-q", Role::Drop),
    ("--verbose", Role::Drop),
    ("-v", Role::Drop),
    ("-vv", Role::Drop),
    ("--unit-graph", Role::Drop),
    ("--timings", Role::Drop),
    ("--future-incompat-report", Role::Drop),
];

/// Options of the test binary that would hide results from heal or change
/// their form; those marked `true` take a value.
const BINARY_DROPS: &[(&str, bool)] = &[
    ("--nocapture", false),
    ("--no-capture", false),
    ("--show-output", false),
    ("--quiet", false),
    ("-q", false),
    ("--fail-fast", false),
    ("--format", true),
    ("--color", true),
    ("--logfile", true),
    ("-Z", true),
    ("--report-time", false),
];

/// Options of the test binary that choose tests by name.
const BINARY_CHOICES: &[(&str, bool)] = &[("--skip", true), ("--exact", false)];

/// Options of the test binary that take a value as the next word.
const BINARY_VALUES: &[&str] =
    &["--test-threads", "--shuffle-seed", "--skip", "--format", "--color", "--logfile", "-Z"];

/// A `cargo test` command, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Everything up to and with `test`: `cargo +nightly test`.
    pub program: Vec<String>,
    /// Options that are given on in any case.
    pub options: Vec<String>,
    /// `-p a`, `--workspace`, `--exclude b`.
    pub packages: Vec<String>,
    /// `--lib`, `--test it`.
    pub targets: Vec<String>,
    /// The name to filter by.
    pub filter: Option<String>,
    /// What follows `--`.
    pub binary: Vec<String>,
}

impl Arguments {
    /// Takes `command` apart; `None` where it is no plain `cargo test`.
    pub fn parse(command: &[String]) -> Option<Arguments> {
        let is_cargo = |word: &String| matches!(word.rsplit(['/', '\\']).next(), Some("cargo" | "cargo.exe"));
        if !command.first().is_some_and(is_cargo) {
            return None;
        }
        let mut arguments = Arguments { program: vec![command[0].clone()], ..Arguments::default() };
        let mut rest = command[1..].iter();
        if command.get(1).is_some_and(|word| word.starts_with('+')) {
            arguments.program.extend(rest.next().cloned());
        }
        let mut subcommand = false;
        while let Some(word) = rest.next() {
            if word == "--" {
                arguments.binary = rest.cloned().collect();
                break;
            }
            if !word.starts_with('-') {
                if subcommand {
                    arguments.filter = Some(word.clone());
                } else if matches!(word.as_str(), "test" | "t") {
                    subcommand = true;
                } else {
                    return None;
                }
                continue;
            }
            let (role, value) = role(word);
            let value = if value { rest.next() } else { None };
            let place = match role {
                Role::Keep => &mut arguments.options,
                Role::Package => &mut arguments.packages,
                Role::Target => &mut arguments.targets,
                Role::Drop => continue,
            };
            place.push(word.clone());
            place.extend(value.cloned());
        }
        if arguments.options.iter().any(|word| matches!(word.as_str(), "--help" | "-h" | "--version")) {
            return None;
        }
        subcommand.then_some(arguments)
    }

    /// The package's name as the user spelt it (`shop@0.1.0`), where the user
    /// named it.
    pub fn spelling(&self, package: &str) -> Option<&str> {
        let specs = self.packages.iter().map(|word| {
            let word = word.strip_prefix("--package=").unwrap_or(word);
            word.strip_prefix("-p").filter(|rest| !rest.is_empty() && !word.starts_with("--")).unwrap_or(word)
        });
        let name = |spec: &str| {
            let fragment = spec.rsplit(['#', '/']).next().unwrap_or(spec);
            fragment.split(['@', ':']).next().unwrap_or(fragment).to_owned()
        };
        specs.into_iter().find(|spec| name(spec) == package)
    }
}

/// What becomes of the option `word`, and whether its value is the next word.
fn role(word: &str) -> (Role, bool) {
    if let Some((_, role)) = BARE.iter().find(|(name, _)| *name == word) {
        return (*role, false);
    }
    if let Some((_, role)) = WITH_VALUE.iter().find(|(name, _)| *name == word) {
        return (*role, true);
    }
    let glued = WITH_VALUE
        .iter()
        .find(|(name, _)| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=') || !name.starts_with("--")));
    (glued.map_or(Role::Keep, |(_, role)| *role), false)
}

/// The test binary's arguments without those that would hide results from
/// heal. Filters stay.
pub fn for_libtest(arguments: &[String]) -> Vec<String> {
    without(arguments, BINARY_DROPS, false)
}

/// As [`for_libtest`], and without what chooses tests by name.
pub fn for_selection(arguments: &[String]) -> Vec<String> {
    let drops: Vec<(&str, bool)> = BINARY_DROPS.iter().chain(BINARY_CHOICES).copied().collect();
    without(arguments, &drops, true)
}

/// `arguments` with one thread, whatever they said before.
pub fn in_one_thread(arguments: &[String]) -> Vec<String> {
    let mut words = without(arguments, &[("--test-threads", true)], false);
    words.push("--test-threads=1".to_owned());
    words
}

fn without(arguments: &[String], drops: &[(&str, bool)], drop_filters: bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let name = word.split('=').next().unwrap_or(word);
        if let Some((_, value)) = drops.iter().find(|(drop, _)| *drop == name) {
            if *value && name == word {
                rest.next();
            }
            continue;
        }
        if drop_filters && !word.starts_with('-') {
            continue;
        }
        kept.push(word.clone());
        if name == word && BINARY_VALUES.contains(&name) {
            kept.extend(rest.next().cloned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_command_is_taken_apart() {
        for (command, program, options, packages, targets, filter, binary) in [
            ("cargo test", "cargo", "", "", "", "", ""),
            ("/x/bin/cargo +nightly t -q", "/x/bin/cargo +nightly", "", "", "", "", ""),
            (
                "cargo --offline test -p a --features x,y --lib --no-fail-fast total -- --test-threads 1",
                "cargo",
                "--offline --features x,y",
                "-p a",
                "--lib",
                "total",
                "--test-threads 1",
            ),
            (
                "cargo test --workspace --exclude=b -pa --test=it -Fx -j4 --target-dir /t --message-format=short -- a",
                "cargo",
                "-Fx -j4",
                "--workspace --exclude=b -pa",
                "--test=it",
                "",
                "a",
            ),
            (
                "cargo test --target x86_64-unknown-linux-musl --release --manifest-path a/Cargo.toml",
                "cargo",
                "--target x86_64-unknown-linux-musl --release --manifest-path a/Cargo.toml",
                "",
                "",
                "",
                "",
            ),
        ] {
            let wanted = Arguments {
                program: words(program),
                options: words(options),
                packages: words(packages),
                targets: words(targets),
                filter: Some(filter.to_owned()).filter(|filter| !filter.is_empty()),
                binary: words(binary),
            };
            assert_eq!(Arguments::parse(&words(command)), Some(wanted), "{command}");
        }
    }

    #[test]
    fn what_is_no_cargo_test_is_not_taken_for_it() {
        for command in ["cargo nextest run", "cargo build", "cargo", "make test", "cross test", "cargo test --help", ""]
        {
            assert_eq!(Arguments::parse(&words(command)), None, "{command}");
        }
    }

    #[test]
    fn a_package_keeps_the_spelling_of_the_user() {
        let arguments = Arguments::parse(&words("cargo test -p a@0.1.0 --package=b -pc")).expect("a command");
        for (package, wanted) in [("a", Some("a@0.1.0")), ("b", Some("b")), ("c", Some("c")), ("d", None)] {
            assert_eq!(arguments.spelling(package), wanted, "{package}");
        }
    }

    #[test]
    fn arguments_of_the_test_binary_are_sifted() {
        for (given, libtest, selection) in [
            ("total --exact --nocapture", "total --exact", ""),
            ("--skip slow --test-threads 2 -q", "--skip slow --test-threads 2", "--test-threads 2"),
            ("--format json --ignored --color=always", "--ignored", "--ignored"),
            ("-Z unstable-options --shuffle-seed=3 a b", "--shuffle-seed=3 a b", "--shuffle-seed=3"),
        ] {
            assert_eq!(for_libtest(&words(given)), words(libtest), "{given}");
            assert_eq!(for_selection(&words(given)), words(selection), "{given}");
        }
    }
}
