//! Doc tests: rustdoc runs theirs through the target runner too (cargo 1.95).
//!
//! Of edition 2024 on, one program holds the doc tests of a crate and starts
//! itself again for each, if `RUSTDOC_DOCTEST_BIN_PATH` names it; rustdoc
//! leaves that unset where there is a runner, and then all run in one process
//! ("doctests will be run in the same process"). So it is set here, to a script
//! that comes back to heal: each doc test has its own process and its own
//! deadline.
//!
//! Their output goes to rustdoc, which judges.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::FAULT;
use super::NO_LIMIT;
use super::Order;
use crate::process::Command;
use crate::process::Exit;
use crate::process::stream;

/// Marks the run of a single doc test.
pub(super) const ONE: &str = "--one";

/// The exit code of a doc test that was ended at its deadline, as `timeout`
/// has it.
const LATE: i32 = 124;

/// What a doc test that was ended at its deadline has last in its output.
pub(in crate::runner::cargo) fn deadline_mark(nonce: &str) -> String {
    format!("ended at its deadline ({nonce})")
}

/// Whether rustdoc made this program: `/tmp/rustdoctestaUzimC/rust_out`.
pub(super) fn is_doctest(binary: &Path) -> bool {
    let folder = binary.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let name = binary.file_stem().and_then(|name| name.to_str());
    name == Some("rust_out") && folder.is_some_and(|folder| folder.starts_with("rustdoctest"))
}

/// Runs a program of rustdoc's: one doc test, or all that were merged.
pub(super) fn all(channel: &Path, binary: OsString, rest: Vec<OsString>, order: &Order) -> i32 {
    let merged = regex::bytes::Regex::new("RUSTDOC_DOCTEST_RUN_NB_TEST")
        .is_ok_and(|name| std::fs::read(&binary).is_ok_and(|program| name.is_match(&program)));
    if !merged {
        let words: Vec<OsString> = std::iter::once(binary).chain(rest).collect();
        return one(&words, order);
    }
    let Ok(script) = script(channel, Path::new(&binary)) else { return FAULT };
    let mut command = command(binary, rest, order, NO_LIMIT);
    command.env.push(("RUSTDOC_DOCTEST_BIN_PATH".into(), Some(script.into())));
    code(&command)
}

/// Runs one doc test (the program and its arguments) up to its deadline.
pub(super) fn one(words: &[OsString], order: &Order) -> i32 {
    let Some((binary, rest)) = words.split_first() else { return FAULT };
    let command = command(binary.clone(), rest.to_vec(), order, order.test_limit);
    match stream::pass_through(&command) {
        Ok(Exit::TimedOut) => {
            // The words reach the report through rustdoc, which shows them as
            // the doc test's output; nobody is there to hear of an error.
            let _ = writeln!(std::io::stderr(), "{}", deadline_mark(&order.nonce));
            LATE
        }
        Ok(exit) => code_of(exit),
        Err(_) => FAULT,
    }
}

/// Runs a program as it would run without heal.
pub(super) fn plain(binary: OsString, rest: Vec<OsString>, order: &Order, time_limit: Duration) -> i32 {
    code(&command(binary, rest, order, time_limit))
}

fn code(command: &Command) -> i32 {
    stream::pass_through(command).map_or(FAULT, code_of)
}

fn code_of(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
        Exit::TimedOut | Exit::Interrupted => LATE,
    }
}

fn command(binary: OsString, rest: Vec<OsString>, order: &Order, time_limit: Duration) -> Command {
    let env = super::environment(order);
    let argv = std::iter::once(binary).chain(rest).collect();
    Command { argv, cwd: PathBuf::from("."), env, time_limit, output_limit: super::TAIL, memory_limit: None }
}

/// Writes the program that stands for the merged one and comes back to heal.
fn script(channel: &Path, binary: &Path) -> std::io::Result<PathBuf> {
    let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"));
    let path = channel.join(format!("doctest-{}.sh", std::process::id()));
    let heal = quoted(&channel.join(super::super::LINK));
    let text =
        format!("#!/bin/sh\nexec {heal} {} {} {ONE} {} \"$@\"\n", super::super::WORD, quoted(channel), quoted(binary),);
    std::fs::write(&path, text)?;
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_rustdoc_are_known_by_their_place() {
        for (path, wanted) in [
            ("/tmp/rustdoctestaUzimC/rust_out", true),
            ("/home/a/rust_out", false),
            ("/tmp/rustdoctestaUzimC/other", false),
            ("/t/debug/deps/shop-507999230d6984fa", false),
        ] {
            assert_eq!(is_doctest(Path::new(path)), wanted, "{path}");
        }
    }
}
