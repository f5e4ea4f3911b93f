//! The cargo runner against the real cargo, on crates without dependencies.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use std::time::Instant;

use heal::failure::Kind;
use heal::process::Captured;
use heal::process::Exit;
use heal::process::Finished;
use heal::runner;
use heal::runner::Channel;
use heal::runner::Project;
use heal::runner::Report;
use heal::runner::Request;
use heal::runner::RunnerKind;
use heal::runner::Selection;
use heal::runner::Site;
use heal::runner::Variation;
use heal::source::RelPath;
use heal::trace::places::Places;
use pretty_assertions::assert_eq;

/// A small tree with its own build directory.
struct Tree {
    /// Removed at the end, unless the tree is kept.
    _dir: Option<tempfile::TempDir>,
    root: PathBuf,
    channels: PathBuf,
    files: Vec<RelPath>,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        Tree::at("tree", "channels", files)
    }

    fn at(name: &str, channels: &str, files: &[(&str, &str)]) -> Tree {
        let dir = tempfile::tempdir().expect("a directory");
        let base = dir.path().canonicalize().expect("a directory");
        Tree { _dir: Some(dir), ..Tree::within(&base, name, channels, files) }
    }

    /// A tree that several tests share, kept in cargo's own folder for what
    /// tests write, so that nothing is left elsewhere.
    fn kept(name: &str, files: &[(&str, &str)]) -> Tree {
        Tree::within(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), "tree", "channels", files)
    }

    fn within(base: &Path, name: &str, channels: &str, files: &[(&str, &str)]) -> Tree {
        let (root, channels) = (base.join(name), base.join(channels));
        std::fs::create_dir_all(&channels).expect("a folder");
        for (file, text) in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            if std::fs::read_to_string(&path).ok().as_deref() != Some(*text) {
                std::fs::write(path, text).expect("write");
            }
        }
        let files = files.iter().map(|(file, _)| RelPath::new(file).expect("path")).collect();
        Tree { _dir: None, root, channels, files }
    }

    fn site(&self) -> Site {
        Site {
            written: None,
            user_root: "/nowhere".into(),
            tree: self.root.clone(),
            heal: env!("CARGO_BIN_EXE_heal").into(),
            env: Vec::new(),
            python: None,
            places: Places::new(vec![self.root.clone()], self.files.iter().cloned()),
        }
    }

    fn run(&self, command: &str, ids: Option<&[&str]>, test_limit: Duration) -> Report {
        self.run_until(command, ids, test_limit, false)
    }

    fn run_until(&self, command: &str, ids: Option<&[&str]>, test_limit: Duration, fail_fast: bool) -> Report {
        let project = project(command);
        let request = Request {
            selection: match ids {
                None => Selection::All,
                Some(ids) => Selection::Tests(ids.iter().map(|id| (*id).to_owned()).collect()),
            },
            test_limit,
            start_limit: Duration::from_secs(60),
            time_limit: Duration::from_secs(120),
            trace_lines: false,
            fail_fast,
            variation: Variation::default(),
            last: Vec::new(),
            probe: None,
            sieve: None,
        };
        let dir = tempfile::tempdir_in(&self.channels).expect("a directory");
        let channel = Channel { dir: dir.path().to_path_buf(), nonce: "0123".into() };
        let site = self.site();
        let command = runner::compose(&project, &site, &request, &channel).expect("a command");
        let finished = finish(&command);
        let report = runner::read(&project, &site, &request, &channel, &finished);
        if !report.complete {
            eprintln!("{:?}\n{}\n{}", report.incomplete_why, finished.stdout.text, finished.stderr.text);
        }
        report
    }

    fn all(&self) -> Report {
        self.run("cargo test", None, LONG)
    }
}

const LONG: Duration = Duration::from_secs(20);

fn project(command: &str) -> Project {
    Project {
        root: RelPath::root(),
        kind: RunnerKind::Cargo,
        command: command.split_whitespace().map(str::to_owned).collect(),
        given: true,
        why: String::new(),
    }
}

fn finish(command: &heal::process::Command) -> Finished {
    let begun = Instant::now();
    let mut builder = std::process::Command::new(&command.argv[0]);
    builder.args(&command.argv[1..]).current_dir(&command.cwd).stdin(Stdio::null());
    // What the cargo that runs these tests has set must not reach the inner one.
    for name in ["RUSTFLAGS", "CARGO_MANIFEST_DIR", "RUST_BACKTRACE", "RUSTC_BOOTSTRAP"] {
        builder.env_remove(name);
    }
    for (name, value) in &command.env {
        match value {
            Some(value) => builder.env(name, value),
            None => builder.env_remove(name),
        };
    }
    let output = builder.output().expect("cargo");
    let captured = |bytes: Vec<u8>| Captured { text: String::from_utf8_lossy(&bytes).into_owned(), dropped: 0 };
    Finished {
        exit: Exit::Code(output.status.code().expect("an exit code")),
        stdout: captured(output.stdout),
        stderr: captured(output.stderr),
        took: begun.elapsed(),
    }
}

/// `id status`, sorted.
fn ends(report: &Report) -> Vec<String> {
    let mut ends: Vec<String> = report.tests.iter().map(|test| format!("{} {:?}", test.id, test.status)).collect();
    ends.sort();
    ends
}

const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

/// Tests of every ending, in one crate that is built once.
static SHOP: LazyLock<Tree> = LazyLock::new(|| {
    Tree::kept(
        "shop",
        &[
            ("Cargo.toml", &format!("{MANIFEST}[[test]]\nname = \"own-harness\"\nharness = false\n")),
            (
                "src/lib.rs",
                r#"//! A shop.
//!
//! ```
//! assert_eq!(shop::total(&[1, 2]), 3);
//! ```

/// The sum.
///
/// ```
/// assert_eq!(shop::total(&[1]), 1);
/// ```
///
/// ```
/// assert_eq!(shop::total(&[1]), 2);
/// ```
pub fn total(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

/// A price.
pub fn price(prices: &[u32], index: usize) -> u32 {
    prices[index]
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes() {}

    #[test]
    fn compares() {
        println!("printed");
        assert_eq!(super::total(&[1, 2]), 4, "of {}", "two");
    }

    #[test]
    fn panics_in_the_library() {
        super::price(&[], 1);
    }

    #[test]
    #[should_panic(expected = "overflow")]
    fn panics_for_another_reason() {
        panic!("underflow");
    }

    #[test]
    #[should_panic]
    fn does_not_panic() {}

    #[test]
    #[should_panic(expected = "bounds")]
    fn panics_as_it_should() {
        super::price(&[], 1);
    }

    #[test]
    fn returns_an_error() -> Result<(), String> {
        Err("nothing left".into())
    }

    #[test]
    #[ignore = "slow"]
    fn is_ignored() {}

    #[test]
    fn dies_of_a_worker() {
        std::thread::spawn(|| panic!("in the worker")).join().unwrap();
    }
}
"#,
            ),
            (
                "tests/own-harness.rs",
                "fn main() { println!(\"{:?}\", std::env::args().skip(1).collect::<Vec<_>>()); std::process::exit(3) }",
            ),
            (
                "tests/hard.rs",
                r#"
#[test]
fn aborts() {
    eprintln!("before the end");
    std::process::abort();
}

#[test]
fn overflows() {
    fn down(n: u64) -> u64 {
        let a = [n; 64];
        if n == u64::MAX { 0 } else { down(std::hint::black_box(a)[3] + 1) + a[2] }
    }
    down(0);
}

#[test]
fn exits_as_if_all_were_well() {
    std::process::exit(0);
}

#[test]
fn never_ends() {
    loop {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn is_fine() {}

#[test]
fn also_fails() {
    panic!("as it should");
}
"#,
            ),
            (
                "tests/forged.rs",
                r#"
use std::io::Write;

fn say(text: &str) {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
fn prints_results_of_others() {
    say("{ \"type\": \"test\", \"event\": \"started\", \"name\": \"z_fails\" }\n");
    say("{ \"type\": \"test\", \"name\": \"z_fails\", \"event\": \"ok\" }\n");
    say("{ \"type\": \"test\", \"name\": \"no_such_test\", \"event\": \"ok\" }\n");
}

#[test]
fn prints_half_a_line() {
    say("{ \"half");
}

#[test]
fn z_fails() {
    panic!("for real");
}
"#,
            ),
        ],
    )
});

#[test]
fn every_ending_of_a_libtest_test_is_told_apart() {
    let report = SHOP.run("cargo test --lib", None, LONG);
    assert!(report.complete);
    let wanted = [
        "shop tests::compares Failed",
        "shop tests::dies_of_a_worker Failed",
        "shop tests::does_not_panic Failed",
        "shop tests::is_ignored Skipped",
        "shop tests::panics_as_it_should Passed",
        "shop tests::panics_for_another_reason Failed",
        "shop tests::panics_in_the_library Failed",
        "shop tests::passes Passed",
        "shop tests::returns_an_error Failed",
    ];
    assert_eq!(ends(&report), wanted);
    let failure = |name: &str| {
        let test = report.test(&format!("shop tests::{name}")).expect(name);
        test.failure.clone().expect("a failure")
    };
    let compared = failure("compares");
    assert_eq!(compared.kind, Kind::Assertion);
    assert_eq!((compared.actual.as_deref(), compared.expected.as_deref()), (Some("3"), Some("4")));
    assert!(compared.message.starts_with("assertion `left == right` failed: of two"), "{}", compared.message);
    assert!(compared.output.contains("printed"), "{}", compared.output);

    let inner = failure("panics_in_the_library");
    let symbols: Vec<_> = inner.frames.iter().map(|frame| (frame.symbol.as_deref(), frame.line)).collect();
    assert_eq!(symbols, [(Some("shop::price"), Some(22)), (Some("shop::tests::panics_in_the_library"), Some(38))]);
    assert_eq!(inner.kind, Kind::Exception);

    assert_eq!(failure("panics_for_another_reason").expected.as_deref(), Some("\"overflow\""));
    assert!(failure("does_not_panic").message.starts_with("test did not panic as expected"));
    assert_eq!(failure("returns_an_error").message, "Error: \"nothing left\"");
    assert_eq!(failure("dies_of_a_worker").message, "in the worker");
}

#[test]
fn what_kills_the_process_or_never_ends_hides_nothing() {
    let report = SHOP.run("cargo test --test hard", None, Duration::from_secs(3));
    assert!(report.complete);
    let wanted = [
        "shop::hard aborts Failed",
        "shop::hard also_fails Failed",
        "shop::hard exits_as_if_all_were_well Failed",
        "shop::hard is_fine Passed",
        "shop::hard never_ends Failed",
        "shop::hard overflows Failed",
    ];
    assert_eq!(ends(&report), wanted);
    let short = |name: &str| {
        let test = report.test(&format!("shop::hard {name}")).expect(name);
        let failure = test.failure.as_ref().expect("a failure");
        (failure.kind, failure.message.clone())
    };
    assert_eq!(short("aborts").0, Kind::Crash);
    assert!(short("aborts").1.starts_with("SIGABRT"), "{:?}", short("aborts"));
    assert_eq!(short("overflows"), (Kind::Crash, "SIGABRT: stack overflow".to_owned()));
    assert_eq!(short("exits_as_if_all_were_well").0, Kind::Crash);
    assert_eq!(short("never_ends"), (Kind::Timeout, "timed out after 3s".to_owned()));
    assert_eq!(short("also_fails").1, "as it should");
    let never = report.test("shop::hard never_ends").and_then(|test| test.failure.as_ref()).expect("a failure");
    assert_eq!(never.location().and_then(|frame| frame.symbol.as_deref()), Some("never_ends"));
}

#[test]
fn a_test_that_prints_results_of_others_is_not_believed() {
    let report = SHOP.run("cargo test --test forged", None, LONG);
    assert!(report.complete);
    let wanted = [
        "shop::forged prints_half_a_line Passed",
        "shop::forged prints_results_of_others Passed",
        "shop::forged z_fails Failed",
    ];
    assert_eq!(ends(&report), wanted);
}

#[test]
fn a_harness_of_the_projects_own_is_one_test_by_its_exit_code() {
    let report = SHOP.run("cargo test --test own-harness -- --mine", None, LONG);
    assert!(report.complete);
    assert_eq!(ends(&report), ["shop::own-harness own-harness Failed"]);
    let failure = report.tests[0].failure.as_ref().expect("a failure");
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::Exit, "exit code 3"));
    assert!(failure.output.contains("[\"--mine\"]"), "{}", failure.output);
    let selected = SHOP.run("cargo test -- --mine too", Some(&["shop::own-harness own-harness"]), LONG);
    let failure = selected.tests[0].failure.as_ref().expect("a failure");
    assert!(failure.output.contains("[\"--mine\", \"too\"]"), "{}", failure.output);
}

/// As assert_cmd 2.1 does: the project's program is started by the runner of
/// cargo's variable, if there is one.
const THROUGH_THE_RUNNER: &str = r#"
#[test]
fn says() {
    let runner = std::env::vars().find(|(name, _)| name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER"));
    let mut words: Vec<String> = runner.iter().flat_map(|(_, words)| words.split(' ').map(str::to_owned)).collect();
    words.push(env!("CARGO_BIN_EXE_shop").to_owned());
    let output = std::process::Command::new(&words[0]).args(&words[1..]).output().unwrap();
    assert_eq!((output.stdout, output.stderr, output.status.code()), (b"out\n".to_vec(), b"err\n".to_vec(), Some(3)));
}
"#;

#[test]
fn a_test_that_starts_the_projects_program_gets_that_program() {
    let main = "fn main() { println!(\"out\"); eprintln!(\"err\"); std::process::exit(3) }\n";
    let lib = "//! ```\n//! assert!(std::env::vars().all(|(name, _)| !name.ends_with(\"_RUNNER\")));\n//! ```\n";
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/main.rs", main),
        ("src/lib.rs", lib),
        ("tests/cli.rs", THROUGH_THE_RUNNER),
    ]);
    assert_eq!(ends(&tree.all()), ["shop doc src/lib.rs Passed", "shop::cli says Passed"]);
}

#[test]
fn doc_tests_have_names_that_do_not_move() {
    let report = SHOP.run("cargo test --doc", None, LONG);
    assert!(report.complete);
    let wanted =
        ["shop doc src/lib.rs - total #2 Failed", "shop doc src/lib.rs - total Passed", "shop doc src/lib.rs Passed"];
    assert_eq!(ends(&report), wanted);
    let failing = report.test("shop doc src/lib.rs - total #2").and_then(|test| test.failure.as_ref());
    let failing = failing.expect("a failure");
    assert_eq!((failing.actual.as_deref(), failing.expected.as_deref()), (Some("1"), Some("2")));
    let place = failing.location().map(|frame| (frame.written.as_str(), frame.line, frame.symbol.as_deref()));
    assert_eq!(place, Some(("src/lib.rs", Some(13), Some("total"))));
}

#[test]
fn only_selected_tests_are_run() {
    for ids in [
        &["shop tests::compares", "shop tests::passes"][..],
        &["shop::hard is_fine"],
        &["shop doc src/lib.rs - total #2"],
        &["shop doc src/lib.rs", "shop::hard also_fails"],
        &["shop::own-harness own-harness"],
    ] {
        let report = SHOP.run("cargo test --workspace", Some(ids), LONG);
        assert!(report.complete, "{ids:?}");
        let mut found: Vec<&str> = report.tests.iter().map(|test| test.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ids);
    }
    let report = SHOP.run("cargo test", Some(&["shop tests::no_such_test"]), LONG);
    assert!(report.complete && report.tests.is_empty());
}

#[test]
fn a_run_that_stops_at_the_first_failure_is_not_complete() {
    let report = SHOP.run_until("cargo test --workspace -- --test-threads=1", None, LONG, true);
    assert!(!report.complete);
    // How many more come before the process is ended is for the machine's load
    // to say; the next test program is not started.
    assert!(report.failures().next().is_some(), "{:?}", ends(&report));
    assert!(!report.tests.iter().any(|test| test.id.starts_with("shop::hard")), "{:?}", ends(&report));
}

#[test]
fn a_command_that_starts_cargo_itself_is_read_through_the_channel() {
    // A wrapper that heal cannot look into, as `make test` is.
    let report = SHOP.run("env A=b cargo test --lib --test hard --test own-harness -- passes fine", None, LONG);
    let wanted = ["shop tests::passes Passed", "shop::hard is_fine Passed", "shop::own-harness own-harness Failed"];
    assert_eq!(ends(&report), wanted);
}

#[test]
fn compile_errors_are_problems_with_places_and_suggestions() {
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        (
            "src/lib.rs",
            "macro_rules! add { ($a:expr) => { $a + \"x\" } }\npub fn f() -> String {\n    let x: String = \"a\";\n    x\n}\npub fn g() -> u32 { add!(1u32) }\n",
        ),
    ]);
    let report = tree.all();
    assert!(!report.complete && report.tests.is_empty());
    let mut short: Vec<_> = report
        .problems
        .iter()
        .map(|failure| (failure.id.as_str(), failure.kind, failure.location().and_then(|frame| frame.line)))
        .collect();
    short.sort_by_key(|(id, ..)| *id);
    let wanted = [
        ("error[E0277] in src/lib.rs", Kind::CompileError, Some(1)),
        ("error[E0308] in src/lib.rs", Kind::CompileError, Some(3)),
    ];
    assert_eq!(short, wanted);
    let owned = report.suggestions.iter().find(|suggestion| suggestion.replacement.contains("to_string"));
    let owned = owned.expect("a suggestion");
    let mut text = std::fs::read_to_string(tree.root.join("src/lib.rs")).expect("the file");
    text.replace_range(owned.bytes.clone(), &owned.replacement);
    assert!(text.contains("let x: String = \"a\".to_string();"), "{text}");

    // A selected compile error is asked for by a build, and is gone when mended.
    std::fs::write(tree.root.join("src/lib.rs"), text.replace("+ \"x\"", "+ 1")).expect("write");
    let report = tree.run("cargo test", Some(&["error[E0308] in src/lib.rs"]), LONG);
    assert!(report.complete && report.failures().next().is_none());
}

#[test]
fn an_error_of_cargo_itself_is_a_problem() {
    let tree = Tree::new(&[("Cargo.toml", "[package]\nname = \"shop\"\n"), ("src/main.txt", "")]);
    for (command, wanted) in [("cargo test", "no targets specified"), ("cargo test --no-such-option", "no-such-option")]
    {
        let report = tree.run(command, None, LONG);
        assert!(!report.complete);
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        assert!(report.problems[0].message.contains(wanted), "{}", report.problems[0].message);
    }
}

#[test]
fn a_workspace_under_a_strange_path_is_read_package_by_package() {
    let package = |name: &str, edition: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n")
    };
    let tree = Tree::at(
        "a träe with 'spaces'",
        "chän nels",
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n"),
            (".cargo/config.toml", "[build]\ntarget-dir = \"/nowhere/shared\"\n"),
            ("crates/core/Cargo.toml", &(package("shop-core", "2021") + "[lib]\nname = \"shop\"\n")),
            (
                "crates/core/src/lib.rs",
                "mod cart;\npub use cart::price;\n/// ```\n/// loop { std::thread::sleep(std::time::Duration::from_millis(9)); }\n/// ```\npub fn slow() {}\n",
            ),
            (
                "crates/core/src/cart.rs",
                "pub fn price(all: &[u32]) -> u32 {\n    all[0]\n}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn same() {\n        super::price(&[]);\n    }\n}\n",
            ),
            (
                "crates/cli/Cargo.toml",
                &(package("shop-cli", "2024") + "[dependencies]\nshop-core = { path = \"../core\" }\n"),
            ),
            ("crates/cli/src/main.rs", "fn main() {}\n#[test]\nfn same() {\n    shop::price(&[]);\n}\n"),
        ],
    );
    let report = tree.run("cargo test", None, Duration::from_secs(2));
    assert!(report.complete);
    let wanted = ["shop-cli::bin/shop-cli same Failed", "shop-core cart::tests::same Failed", {
        "shop-core doc crates/core/src/lib.rs - slow Failed"
    }];
    assert_eq!(ends(&report), wanted);
    let places = |id: &str| {
        let failure = report.test(id).and_then(|test| test.failure.as_ref()).expect("a failure");
        let place = |frame: &heal::failure::Frame| Some(format!("{}:{}", frame.path.as_ref()?, frame.line?));
        failure.frames.iter().filter_map(place).collect::<Vec<_>>()
    };
    assert_eq!(places("shop-core cart::tests::same"), ["crates/core/src/cart.rs:2", "crates/core/src/cart.rs:8"]);
    let outer = ["crates/core/src/cart.rs:2", "crates/cli/src/main.rs:4"];
    assert_eq!(places("shop-cli::bin/shop-cli same"), outer);
    let slow = report.test("shop-core doc crates/core/src/lib.rs - slow").and_then(|test| test.failure.as_ref());
    assert_eq!(slow.map(|failure| failure.kind), Some(Kind::Timeout));

    let selected = tree.run("cargo test --workspace", Some(&["shop-core cart::tests::same"]), LONG);
    assert!(selected.complete);
    assert_eq!(ends(&selected), ["shop-core cart::tests::same Failed"]);
    assert_eq!(
        selected.tests[0].failure.as_ref().map(|failure| failure.fingerprint()),
        report.test("shop-core cart::tests::same").and_then(|test| test.failure.as_ref()).map(|f| f.fingerprint()),
    );
    assert!(!Path::new("/nowhere/shared").exists());
    let place = runner::place(&project("cargo test"), &tree.site(), "shop-core cart::tests::same").expect("a place");
    assert_eq!((place.path.as_str(), place.function.as_str()), ("crates/core/src/cart.rs", "same"));
}
