//! `heal explain --trace` on saved logs of any origin: nothing is run.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::Project;
use crate::support::Ran;

/// Log, failures told, the first one's id.
const LOGS: &[(&str, usize, &str)] = &[
    ("jest/default.txt", 12, "jt/cart.test.js > Cart > total counts quantity"),
    ("vitest/tap.txt", 6, "vt/cart.test.ts > Cart > total counts quantity"),
    ("mocha/report.json", 5, "mt/cart.spec.js > Cart total counts quantity"),
    ("go/test_panic.jsonl", 4, "example.test/shop/shop TestTotal"),
    ("java-trace/wrap.txt", 1, "trace:NullPointerException at Main.java:9"),
    ("sanitizers/gcc_overflow.txt", 1, "trace:heap-buffer-overflow at bug.c:7"),
    ("sentry/event_chained.json", 1, "trace:AttributeError at app.py:9"),
    ("nextest/junit.xml", 14, "shop tests::expect_err"),
];

fn project() -> Project {
    Project::new(&[
        ("jt/cart.test.js", "// 1\n"),
        ("vt/cart.test.ts", "// 1\n"),
        ("mt/cart.spec.js", "// 1\n"),
        ("src/cart.js", "// 1\n"),
        ("shop/cart_test.go", "package shop\n"),
        ("Main.java", "class Main {}\n"),
        ("bug.c", "int main(void) { return 0; }\n"),
        ("app.py", "x = 1\n"),
        ("src/lib.rs", "pub fn f() {}\n"),
    ])
}

fn log(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(name)
}

#[test]
fn a_log_of_any_runner_is_explained_without_running_anything() {
    let project = project();
    for (name, count, id) in LOGS {
        let path = log(name).display().to_string();
        let ran = project.heal(&["explain", "--trace", &path, "--json"]).code(0);
        let json = ran.json();
        let rows = json["failures"].as_array().expect("failures");
        let told: usize = rows.iter().map(|row| 1 + row["also"].as_array().map_or(0, Vec::len)).sum();
        assert_eq!(told, *count, "{name}: {}", ran.stdout);
        let ids = rows.iter().flat_map(|row| {
            let also = row["also"].as_array().into_iter().flatten();
            std::iter::once(&row["id"]).chain(also).filter_map(|id| id.as_str())
        });
        assert!(ids.into_iter().any(|told| told == *id), "{name}: {}", ran.stdout);
    }
}

#[test]
fn a_log_without_a_failure_is_an_exit_code_of_one() {
    let project = project();
    for name in ["nextest/list.json", "bandit.json", "git/format-patch.patch", "pytest/no_tests.txt"] {
        project.heal(&["explain", "--trace", &log(name).display().to_string()]).code(1);
    }
}

#[test]
fn a_log_comes_from_standard_input_as_well() {
    let project = project();
    let mut command = project.heal_command(&["explain", "--trace", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("heal");
    let text = std::fs::read(log("go/test_v.txt")).expect("a log");
    child.stdin.take().expect("a pipe").write_all(&text).expect("written");
    let ran: Ran = child.wait_with_output().expect("heal runs").into();
    assert!(ran.code(0).stdout.contains("example.test/shop/shop TestTable/two_items"));
}
