//! Processes that died before any runner could tell of a test.
//!
//! | who | told by |
//! |---|---|
//! | cargo | ``process didn't exit successfully: `…/deps/shop-0a1b` (signal: 11, SIGSEGV: …)`` |
//! | go | `signal: killed`, then `FAIL` and the package |
//! | Node | `FATAL ERROR: … - JavaScript heap out of memory` |
//! | vitest | `Error: Worker exited unexpectedly`, `[vitest-pool]: Worker forks emitted error` |
//! | a shell, make | `line 1: 4161 Killed   pytest`, `Segmentation fault (core dumped)`, `Error 137` |
//!
//! Reads text in which nobody found a failure; where a test is told, that is
//! the failure, and what died with it is not.

use std::sync::LazyLock;

use regex::Captures;
use regex::Regex;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::trace::bounded;

/// A pattern of one line, and the id and the message that it gives.
type Sign = (LazyLock<Regex>, fn(&Captures<'_>, &str) -> (String, String));

/// Fatal signals as a C library and a shell name them (strsignal(3)).
macro_rules! signals {
    () => {
        "Killed|Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception"
    };
}

static SIGNS: [Sign; 6] = [
    (
        LazyLock::new(|| {
            Regex::new(r"process didn't exit successfully: `([^ `]+)[^`]*` \((signal: .+)\)$")
                .expect("the pattern is valid")
        }),
        |found, _| (binary(&found[1]), found[2].to_owned()),
    ),
    (
        LazyLock::new(|| Regex::new(r"^signal: [a-z][a-z ]+(?:\(core dumped\))?$").expect("the pattern is valid")),
        |found, rest| {
            let package = rest.lines().next().and_then(|line| line.strip_prefix("FAIL\t")?.split('\t').next());
            (package.unwrap_or("go test").to_owned(), found[0].to_owned())
        },
    ),
    (
        LazyLock::new(|| {
            Regex::new(r"^(?:\[[^\]]*\] )*(FATAL ERROR: .+ - JavaScript heap out of memory)$")
                .expect("the pattern is valid")
        }),
        |found, _| ("node".to_owned(), found[1].to_owned()),
    ),
    (
        LazyLock::new(|| {
            Regex::new(
                r"^(?:\w*Error: )?((?:\[vitest-pool\]: )?Worker (?:\w+ )?(?:exited unexpectedly|emitted error).*)$",
            )
            .expect("the pattern is valid")
        }),
        |found, _| ("vitest".to_owned(), found[1].to_owned()),
    ),
    (
        LazyLock::new(|| {
            Regex::new(concat!(
                r"^(?:\S+: (?:line )?\d+: +\d+ )?(",
                signals!(),
                r")(?: \(core dumped\))?(?: {2,}(\S.*))?$"
            ))
            .expect("the pattern is valid")
        }),
        |found, _| (found.get(2).map_or("command", |command| command.as_str()).to_owned(), found[1].to_owned()),
    ),
    (
        LazyLock::new(|| {
            Regex::new(concat!(
                r"^g?make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?([^\]:]+)\] (",
                signals!(),
                r"|Error 13[0-9]).*$"
            ))
            .expect("the pattern is valid")
        }),
        |found, _| (found[1].to_owned(), found[2].to_owned()),
    ),
];

/// The processes that a log says were killed, in order, each id once.
pub fn failures(text: &str) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim_end();
        let told = SIGNS.iter().find_map(|(pattern, read)| Some(read(&pattern.captures(line)?, rest)));
        let Some((id, message)) = told else { continue };
        if found.iter().all(|other| other.id != id) {
            found.push(Failure {
                id,
                kind: Kind::Crash,
                message,
                expected: None,
                actual: None,
                locals: Vec::new(),
                frames: Vec::new(),
                output: bounded(text),
            });
        }
    }
    found
}

/// The name of a binary without its folder and the hash that cargo adds.
fn binary(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_process_that_died_is_named_with_its_signal() {
        for (text, wanted) in [
            (
                "running 2 tests\nerror: test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: `/t/debug/deps/shop-0123456789abcdef --quiet` (signal: 11, SIGSEGV: invalid memory reference)\n",
                &[("shop", "signal: 11, SIGSEGV: invalid memory reference")][..],
            ),
            (
                "ok  \texample.test/a\t0.1s\nsignal: killed\nFAIL\texample.test/shop/cart\t12.304s\nFAIL\n",
                &[("example.test/shop/cart", "signal: killed")],
            ),
            (
                "<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n",
                &[("node", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory")],
            ),
            (
                "⎯⎯⎯⎯⎯⎯ Unhandled Errors ⎯⎯⎯⎯⎯⎯\n\nError: Worker exited unexpectedly\n ❯ ChildProcess.<anonymous> node_modules/tinypool/dist/index.js:118:30\n",
                &[("vitest", "Worker exited unexpectedly")],
            ),
            (
                "/bin/sh: line 1:  4161 Killed                  python -m pytest\nmake: *** [Makefile:2: test] Error 137\n",
                &[("python -m pytest", "Killed"), ("test", "Error 137")],
            ),
            ("Segmentation fault (core dumped)\n", &[("command", "Segmentation fault")]),
            // Words of a text, and ends that are none.
            ("Killed by the reaper\nsignal: 11\nmake: *** [Makefile:2: test] Error 1\nAborted the upload\n", &[]),
        ] {
            let found = failures(text);
            let told: Vec<(&str, &str)> = found.iter().map(|one| (one.id.as_str(), one.message.as_str())).collect();
            assert_eq!(told, wanted, "{text}");
            assert!(found.iter().all(|one| one.kind == Kind::Crash && one.frames.is_empty()));
        }
    }
}
