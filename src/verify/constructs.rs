//! Constructs that a patch may not bring in: ways to end, skip, or leave the
//! test process, and what a repair hardly ever needs.
//!
//! Counts them in the syntax tree's tokens, so that comments and strings do
//! not matter; judges nothing else.

use crate::language;
use crate::source::RelPath;

/// A construct, written as its tokens joined by spaces.
struct Construct {
    language: &'static str,
    tokens: &'static str,
    what: &'static str,
}

const fn row(language: &'static str, tokens: &'static str, what: &'static str) -> Construct {
    Construct { language, tokens, what }
}

static CONSTRUCTS: &[Construct] = &[
    row("python", "sys . exit", "ends the process"),
    row("python", "os . _exit", "ends the process"),
    row("python", "os . abort", "ends the process"),
    row("python", "os . kill", "sends signals"),
    row("python", "SystemExit", "ends the process"),
    row("python", "KeyboardInterrupt", "interrupts the process"),
    row("python", "pytest", "reaches into the test framework"),
    row("python", "unittest", "reaches into the test framework"),
    row("python", "skipTest", "skips a test"),
    row("python", "SkipTest", "skips a test"),
    row("python", "xfail", "expects a failure"),
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
    row("python", "inspect . stack", "looks at its caller"),
    row("python", "sys . _getframe", "looks at its caller"),
    row("python", "sys . modules", "reaches into loaded modules"),
    row("python", "sys . settrace", "reaches into the interpreter"),
    row("python", "ctypes", "reaches into the interpreter"),
    row("python", "PYTEST_CURRENT_TEST", "asks whether it is tested"),
    row("rust", "unsafe", "is unsafe"),
    row("rust", "process :: exit", "ends the process"),
    row("rust", "process :: abort", "ends the process"),
    row("rust", "process :: Command", "starts programs"),
    row("rust", "std :: net", "opens the network"),
    row("rust", "TcpStream", "opens the network"),
    row("rust", "UdpSocket", "opens the network"),
    row("rust", "# [ ignore", "skips a test"),
    row("rust", "should_panic", "expects a failure"),
    row("rust", "cfg ( test", "asks whether it is tested"),
    row("rust", "cfg ( not ( test", "asks whether it is tested"),
    row("rust", "cfg ! ( test", "asks whether it is tested"),
    row("rust", "todo !", "leaves the work undone"),
    row("rust", "unimplemented !", "leaves the work undone"),
    row("rust", "include !", "includes files"),
    row("rust", "asm !", "is assembly"),
    row("rust", "catch_unwind", "hides a panic"),
    row("rust", "set_hook", "hides a panic"),
    row("rust", "build . rs", "touches the build"),
];

/// What of the list stands more often in `after` than in `before`, with what
/// is wrong with it.
pub fn brought_in(path: &RelPath, before: &str, after: &str) -> Vec<String> {
    let Some(language) = language::of_path(path) else { return Vec::new() };
    let before = format!(" {} ", language::parse(language, before).tokens());
    let after = format!(" {} ", language::parse(language, after).tokens());
    let count = |text: &str, tokens: &str| text.matches(&format!(" {tokens}")).count();
    let rows = CONSTRUCTS.iter().filter(|row| row.language == language.name);
    let new = rows.filter(|row| count(&after, row.tokens) > count(&before, row.tokens));
    new.map(|row| format!("`{}` {}", row.tokens.replace(' ', ""), row.what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(brought_in(&path(file), before, after).len(), found, "{after}");
        }
    }
}
