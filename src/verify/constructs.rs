//! Constructs that a patch may not bring in: ways to end, skip, or leave the
//! test process, and what a repair hardly ever needs.
//!
//! Counts them in the syntax tree's tokens, so that comments and strings do
//! not matter; judges nothing else. A person may well add an exit or a process
//! to a program; code that asks whether it is tested, or reaches into what
//! tests it, is refused from anybody.

use crate::language;
use crate::source::RelPath;

/// A construct, written as its tokens joined by spaces.
struct Construct {
    language: &'static str,
    tokens: &'static str,
    what: &'static str,
    /// Whether nobody may bring it in.
    always: bool,
}

const fn row(language: &'static str, tokens: &'static str, what: &'static str) -> Construct {
    Construct { language, tokens, what, always: false }
}

/// A construct that nobody may bring into a source file.
const fn never(language: &'static str, tokens: &'static str, what: &'static str) -> Construct {
    Construct { language, tokens, what, always: true }
}

/// Words that tell a test run from another one, wherever they stand, strings
/// too.
const TELLTALES: &[&str] = &["PYTEST_CURRENT_TEST", "HEAL_CHANNEL", "PYTEST_ADDOPTS", "RUST_TEST_THREADS"];

static CONSTRUCTS: &[Construct] = &[
    row("python", "sys . exit", "ends the process"),
    row("python", "os . _exit", "ends the process"),
    row("python", "os . abort", "ends the process"),
    row("python", "os . kill", "sends signals"),
    row("python", "SystemExit", "ends the process"),
    row("python", "KeyboardInterrupt", "interrupts the process"),
    never("python", "pytest", "reaches into the test framework"),
    never("python", "unittest", "reaches into the test framework"),
    never("python", "skipTest", "skips a test"),
    never("python", "SkipTest", "skips a test"),
    never("python", "xfail", "expects a failure"),
    row("python", "subprocess", "starts programs"),
    row("python", "os . system", "starts programs"),
    row("python", "os . popen", "starts programs"),
    row("python", "os . exec", "starts programs"),
    row("python", "os . fork", "starts programs"),
    row("python", "socket", "opens the network"),
    row("python", "urllib", "opens the network"),
    row("python", "requests", "opens the network"),
    row("python", "http . client", "opens the network"),
    row("python", "eval (", "runs text as code"),
    row("python", "exec (", "runs text as code"),
    row("python", "__import__", "imports by name"),
    row("python", "importlib", "imports by name"),
    never("python", "inspect . stack", "looks at its caller"),
    never("python", "sys . _getframe", "looks at its caller"),
    never("python", "sys . modules", "reaches into loaded modules"),
    never("python", "sys . settrace", "reaches into the interpreter"),
    never("python", "ctypes", "reaches into the interpreter"),
    never("python", "import __main__", "reaches into the test framework"),
    never("python", "heal_channel", "reaches into the test framework"),
    never("python", "heal_pytest", "reaches into the test framework"),
    never("python", "heal_unittest", "reaches into the test framework"),
    never("python", "gc . get_objects", "reaches into the interpreter"),
    never("python", "gc . get_referrers", "reaches into the interpreter"),
    never("python", "sys . setprofile", "reaches into the interpreter"),
    never("python", "sys . monitoring", "reaches into the interpreter"),
    never("python", "sys . meta_path", "reaches into the interpreter"),
    never("python", "sys . path_hooks", "reaches into the interpreter"),
    never("python", "builtins", "reaches into the interpreter"),
    never("python", "__builtins__", "reaches into the interpreter"),
    row("python", "atexit", "runs code at the end of the process"),
    row("python", "signal . signal", "takes over signals"),
    row("python", "multiprocessing", "starts programs"),
    row("python", "time . sleep", "waits"),
    row("rust", "unsafe", "is unsafe"),
    row("rust", "process :: exit", "ends the process"),
    row("rust", "process :: abort", "ends the process"),
    row("rust", "process :: Command", "starts programs"),
    row("rust", "std :: net", "opens the network"),
    row("rust", "TcpStream", "opens the network"),
    row("rust", "UdpSocket", "opens the network"),
    never("rust", "# [ ignore", "skips a test"),
    never("rust", "macro_rules! assert", "reaches into the test framework"),
    never("rust", "macro_rules! panic", "reaches into the test framework"),
    row("rust", "thread :: sleep", "waits"),
    row("rust", "std :: fs", "writes or reads files"),
    row("rust", "env :: args", "looks at how it was started"),
    never("rust", "should_panic", "expects a failure"),
    never("rust", "cfg ( test", "asks whether it is tested"),
    never("rust", "cfg ( not ( test", "asks whether it is tested"),
    never("rust", "cfg ! ( test", "asks whether it is tested"),
    row("rust", "todo !", "leaves the work undone"),
    row("rust", "unimplemented !", "leaves the work undone"),
    row("rust", "include !", "includes files"),
    row("rust", "asm !", "is assembly"),
    row("rust", "catch_unwind", "hides a panic"),
    row("rust", "set_hook", "hides a panic"),
    row("rust", "build . rs", "touches the build"),
];

/// What of the list stands more often in `after` than in `before`, with what
/// is wrong with it; only what nobody may bring in where `always`.
pub fn brought_in(path: &RelPath, before: &str, after: &str, always: bool) -> Vec<String> {
    let Some(language) = language::of_path(path) else { return Vec::new() };
    let telltales = TELLTALES.iter().filter(|word| after.matches(**word).count() > before.matches(**word).count());
    let telltales = telltales.map(|word| format!("`{word}` asks whether it is tested"));
    let before = format!(" {} ", language::parse(language, before).tokens());
    let after = format!(" {} ", language::parse(language, after).tokens());
    let count = |text: &str, tokens: &str| text.matches(&format!(" {tokens}")).count();
    let rows = CONSTRUCTS.iter().filter(|row| row.language == language.name && (row.always || !always));
    let new = rows.filter(|row| count(&after, row.tokens) > count(&before, row.tokens));
    new.map(|row| format!("`{}` {}", row.tokens.replace(' ', ""), row.what)).chain(telltales).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_ask_whether_a_test_is_running() {
        let path = |text: &str| RelPath::new(text).expect("path");
        for (file, after, refused) in [
            ("a.py", "import sys\nsys.exit(0)\n", false),
            ("a.py", "import os\nos._exit(0)\n", false),
            ("a.py", "if 'PYTEST_CURRENT_TEST' in os.environ: x()\n", true),
            ("a.py", "import sys\nif 'pytest' in sys.modules: x()\n", true),
            ("a.py", "import unittest\n", true),
            ("a.rs", "fn f() { if cfg!(test) { g() } }\n", true),
            ("a.rs", "fn f() { unsafe { g() } }\n", false),
        ] {
            assert_eq!(!brought_in(&path(file), "", after, true).is_empty(), refused, "{after}");
        }
    }

    #[test]
    fn only_constructs_that_were_not_there_count() {
        let path = |text: &str| RelPath::new(text).expect("path");
        for (file, before, after, found) in [
            ("a.py", "x = 1\n", "import sys\nsys.exit(0)\n", 1),
            ("a.py", "import sys\nsys.exit(0)\n", "import sys\nsys.exit(0)\nx = 1\n", 0),
            ("a.py", "x = 1\n", "# sys.exit(0)\nx = 'sys.exit(0)'\n", 0),
            ("a.py", "x = 1\n", "import pytest\npytest.skip('x')\n", 1),
            ("a.rs", "fn f() {}\n", "fn f() { unsafe { g() } }\n", 1),
            ("a.rs", "fn f() {}\n", "fn f() { std::process::exit(0) }\n", 1),
            ("a.txt", "", "sys.exit", 0),
        ] {
            assert_eq!(brought_in(&path(file), before, after, false).len(), found, "{after}");
        }
    }
}
