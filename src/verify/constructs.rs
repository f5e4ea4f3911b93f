//! Constructs that a patch may not bring in: ways to end, skip, or leave the
//! test process, and what a repair hardly ever needs.
//!
//! Counts them in the syntax tree's tokens, so that comments and strings do
//! not matter; judges nothing else. A person may well add an exit or a process
//! to a program; code that asks whether it is tested, or reaches into what
//! tests it, is refused from anybody.

use crate::language;
use crate::source::RelPath;

mod words;

use words::asks_for_tests;
use words::is_program;
use words::test_files_named;
use words::tokens;

/// A construct, written as its tokens joined by spaces.
struct Construct {
    family: &'static str,
    tokens: &'static str,
    what: &'static str,
    /// Whether nobody may bring it in.
    always: bool,
}

const fn row(family: &'static str, tokens: &'static str, what: &'static str) -> Construct {
    Construct { family, tokens, what, always: false }
}

/// A construct that nobody may bring into a source file.
const fn never(family: &'static str, tokens: &'static str, what: &'static str) -> Construct {
    Construct { family, tokens, what, always: true }
}

/// Words that tell a test run from another one, wherever they stand, strings
/// too.
const TELLTALES: &[&str] = &[
    "PYTEST_CURRENT_TEST",
    "HEAL_CHANNEL",
    "PYTEST_ADDOPTS",
    "RUST_TEST_THREADS",
    "JEST_WORKER_ID",
    "__vitest_",
    "$$jest-",
    "VITEST",
    "NODE_TEST_CONTEXT",
    "import.meta.vitest",
    "\"test.v\"",
    "\"test.run\"",
    "go:linkname",
    "\".test\"",
    "_test.go\"",
];

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
    never("python", "_pytest", "reaches into the test framework"),
    never("python", "pluggy", "reaches into the test framework"),
    never("python", "inspect . stack", "looks at its caller"),
    never("python", "inspect . currentframe", "looks at its caller"),
    never("python", "inspect . getouterframes", "looks at its caller"),
    never("python", "traceback . extract_stack", "looks at its caller"),
    never("python", "traceback . walk_stack", "looks at its caller"),
    never("python", "f_back", "looks at its caller"),
    never("python", "tb_frame", "looks at its caller"),
    never("python", "f_locals", "looks at its caller"),
    never("python", "f_globals", "looks at its caller"),
    never("python", "f_code", "looks at its caller"),
    never("python", "gi_frame", "looks at its caller"),
    never("python", "__globals__", "reaches into the interpreter"),
    never("python", "__subclasses__", "reaches into the interpreter"),
    never("python", "sys . _getframe", "looks at its caller"),
    never("python", "sys . modules", "reaches into loaded modules"),
    never("python", "sys . settrace", "reaches into the interpreter"),
    never("python", "ctypes", "reaches into the interpreter"),
    never("python", "import __main__", "reaches into the test framework"),
    never("python", "heal_channel", "reaches into the test framework"),
    never("python", "heal_locals", "reaches into the test framework"),
    never("python", "heal_pytest", "reaches into the test framework"),
    never("python", "heal_pytest_hooks", "reaches into the test framework"),
    never("python", "heal_unittest", "reaches into the test framework"),
    never("python", "heal_probe", "reaches into the test framework"),
    never("python", "heal_probe_calls", "reaches into the test framework"),
    never("python", "heal_probe_code", "reaches into the test framework"),
    never("python", "heal_probe_inputs", "reaches into the test framework"),
    never("python", "heal_probe_values", "reaches into the test framework"),
    never("python", "heal_sieve", "reaches into the test framework"),
    never("python", "heal_sieve_code", "reaches into the test framework"),
    never("python", "heal_sieve_pytest", "reaches into the test framework"),
    never("python", "heal_sieve_unittest", "reaches into the test framework"),
    never("python", "heal_sieve_watch", "reaches into the test framework"),
    never("python", "gc . get_objects", "reaches into the interpreter"),
    never("python", "gc . get_referrers", "reaches into the interpreter"),
    never("python", "sys . setprofile", "reaches into the interpreter"),
    never("python", "sys . monitoring", "reaches into the interpreter"),
    never("python", "sys . meta_path", "reaches into the interpreter"),
    never("python", "sys . path_hooks", "reaches into the interpreter"),
    never("python", "builtins", "reaches into the interpreter"),
    never("python", "__builtins__", "reaches into the interpreter"),
    row("python", "random .", "is right by chance"),
    row("python", "time . time", "is right at times"),
    row("python", "datetime . now", "is right at times"),
    row("python", "datetime . today", "is right at times"),
    row("python", "date . today", "is right at times"),
    row("python", "atexit", "runs code at the end of the process"),
    row("python", "signal . signal", "takes over signals"),
    row("python", "multiprocessing", "starts programs"),
    row("python", "time . sleep", "waits"),
    row("javascript", "process . exit", "ends the process"),
    row("javascript", "process . abort", "ends the process"),
    row("javascript", "process . kill", "sends signals"),
    row("javascript", "process . on", "takes over signals"),
    row("javascript", "process . once", "takes over signals"),
    row("javascript", "process . argv", "looks at how it was started"),
    row("javascript", "process . env", "looks at how it was started"),
    never("javascript", "process . exitCode", "sets the exit code"),
    never("javascript", "process . binding", "reaches into the interpreter"),
    never("javascript", "process . mainModule", "reaches into loaded modules"),
    never("javascript", "require . cache", "reaches into loaded modules"),
    never("javascript", "require . main", "asks how it was loaded"),
    never("javascript", "jest .", "reaches into the test framework"),
    never("javascript", "vi .", "reaches into the test framework"),
    never("javascript", "expect (", "reaches into the test framework"),
    never("javascript", "expect .", "reaches into the test framework"),
    never("javascript", "describe (", "reaches into the test framework"),
    never("javascript", "beforeEach (", "reaches into the test framework"),
    never("javascript", "afterEach (", "reaches into the test framework"),
    never("javascript", ". strictEqual =", "reaches into the test framework"),
    never("javascript", ". deepStrictEqual =", "reaches into the test framework"),
    never("javascript", "asymmetricMatch", "compares as it likes"),
    never("javascript", "Symbol . hasInstance", "compares as it likes"),
    never("javascript", "Object . is =", "reaches into the test framework"),
    never("javascript", ". toBe =", "reaches into the test framework"),
    never("javascript", ". toEqual =", "reaches into the test framework"),
    never("javascript", ". assert =", "reaches into the test framework"),
    never("javascript", "process . reallyExit", "ends the process"),
    never("javascript", "module . parent", "asks how it was loaded"),
    row("javascript", "Symbol . for", "changes what all code sees"),
    row("javascript", "import . meta . env", "looks at how it was started"),
    never("javascript", "Error . prepareStackTrace", "looks at its caller"),
    never("javascript", "arguments . callee", "looks at its caller"),
    row("javascript", "Error . captureStackTrace", "looks at its caller"),
    row("javascript", "eval (", "runs text as code"),
    row("javascript", "Function (", "runs text as code"),
    row("javascript", "globalThis", "changes what all code sees"),
    row("javascript", "global .", "changes what all code sees"),
    row("javascript", "Object . prototype", "changes what all code sees"),
    row("javascript", "Array . prototype", "changes what all code sees"),
    row("javascript", "String . prototype", "changes what all code sees"),
    row("javascript", "Number . prototype", "changes what all code sees"),
    row("javascript", "Function . prototype", "changes what all code sees"),
    row("javascript", "Symbol . toPrimitive", "compares as it likes"),
    row("javascript", "fetch (", "opens the network"),
    row("javascript", "XMLHttpRequest", "opens the network"),
    row("javascript", "WebSocket", "opens the network"),
    row("javascript", "setTimeout (", "waits"),
    row("javascript", "Math . random", "is right by chance"),
    row("javascript", "Date . now", "is right at times"),
    row("javascript", "Atomics . wait", "waits"),
    row("go", "os . Exit", "ends the process"),
    row("go", "log . Fatal", "ends the process"),
    never("go", "runtime . Goexit", "ends the test"),
    never("go", "runtime . Caller", "looks at its caller"),
    never("go", "runtime . Stack", "looks at its caller"),
    never("go", "flag . CommandLine", "asks whether it is tested"),
    never("go", "flag . Visit", "asks whether it is tested"),
    never("go", "syscall . Exit", "ends the process"),
    never("go", "syscall . Kill", "sends signals"),
    never("go", "debug . Stack", "looks at its caller"),
    never("go", "testing .", "reaches into the test framework"),
    never("go", "Helper (", "asks whether it is tested"),
    never("go", "SkipNow (", "skips a test"),
    never("go", "FailNow (", "reaches into the test framework"),
    never("go", "flag . Lookup", "asks whether it is tested"),
    row("go", "os . Args", "looks at how it was started"),
    row("go", "os . Getenv", "looks at how it was started"),
    row("go", "os . LookupEnv", "looks at how it was started"),
    row("go", "exec . Command", "starts programs"),
    row("go", "net . Dial", "opens the network"),
    row("go", "net . Listen", "opens the network"),
    row("go", "recover (", "hides a panic"),
    row("go", "func init (", "runs code before the tests"),
    row("go", "time . Sleep", "waits"),
    row("java", "System . exit", "ends the process"),
    row("java", "Runtime . getRuntime", "reaches into the process"),
    row("java", "ProcessBuilder", "starts programs"),
    row("java", "Thread . sleep", "waits"),
    row("java", "new Socket", "opens the network"),
    row("java", "HttpClient", "opens the network"),
    row("java", "HttpURLConnection", "opens the network"),
    row("java", "Class . forName", "imports by name"),
    row("java", "setAccessible", "reaches into other classes"),
    row("java", "System . getenv", "looks at how it was started"),
    row("java", "System . getProperty", "looks at how it was started"),
    never("java", "System . setOut", "reaches into the test framework"),
    never("java", "System . setErr", "reaches into the test framework"),
    never("java", "StackWalker", "looks at its caller"),
    never("java", "getStackTrace", "looks at its caller"),
    never("java", "org . junit", "reaches into the test framework"),
    never("java", "org . testng", "reaches into the test framework"),
    never("java", "Unsafe", "reaches into the interpreter"),
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
    never("rust", "debug_assertions", "asks how it was built"),
    never("rust", "thread :: current", "asks which test calls it"),
    row("rust", "todo !", "leaves the work undone"),
    row("rust", "unimplemented !", "leaves the work undone"),
    row("rust", "include !", "includes files"),
    row("rust", "asm !", "is assembly"),
    row("rust", "catch_unwind", "hides a panic"),
    row("rust", "set_hook", "hides a panic"),
    row("rust", "build . rs", "touches the build"),
];

/// What is wrong with a construct that makes a patch pass now and then: repeated
/// runs tell that of a file in which it stands already.
const UNSTEADY: [&str; 2] = ["is right at times", "is right by chance"];

/// Modules that are loaded by a string, which a repair hardly ever needs.
static LOADED: &[Construct] = &[
    row("javascript", "child_process", "starts programs"),
    row("javascript", "cluster", "starts programs"),
    row("javascript", "worker_threads", "starts programs"),
    row("javascript", "net", "opens the network"),
    row("javascript", "http", "opens the network"),
    row("javascript", "https", "opens the network"),
    row("javascript", "dgram", "opens the network"),
    row("javascript", "fs", "writes or reads files"),
    row("javascript", "fs/promises", "writes or reads files"),
    row("javascript", "vm", "runs text as code"),
    never("javascript", "module", "reaches into loaded modules"),
    never("javascript", "inspector", "reaches into the interpreter"),
    never("javascript", "v8", "reaches into the interpreter"),
    never("javascript", "test", "reaches into the test framework"),
    never("javascript", "vitest", "reaches into the test framework"),
    never("javascript", "@vitest", "reaches into the test framework"),
    never("javascript", "@jest", "reaches into the test framework"),
    never("javascript", "jest", "reaches into the test framework"),
    never("javascript", "jest-circus", "reaches into the test framework"),
    never("javascript", "expect", "reaches into the test framework"),
    never("javascript", "mocha", "reaches into the test framework"),
    never("javascript", "chai", "reaches into the test framework"),
    never("javascript", "assert", "reaches into the test framework"),
    never("javascript", "assert/strict", "reaches into the test framework"),
    row("go", "os/exec", "starts programs"),
    row("go", "net", "opens the network"),
    row("go", "net/http", "opens the network"),
    row("go", "syscall", "reaches into the process"),
    row("go", "plugin", "imports by name"),
    never("go", "unsafe", "is unsafe"),
    never("go", "C", "holds code that heal cannot read"),
    never("go", "testing", "reaches into the test framework"),
    never("go", "runtime/debug", "reaches into the interpreter"),
];

/// What of the list stands more often in `after` than in `before`, with what
/// is wrong with it; only what nobody may bring in where `always`.
pub fn brought_in(path: &RelPath, before: &str, after: &str, always: bool) -> Vec<String> {
    let Some(language) = language::of_path(path) else { return Vec::new() };
    let telltales = TELLTALES.iter().filter(|word| after.matches(**word).count() > before.matches(**word).count());
    let telltales = telltales.map(|word| format!("`{word}` asks whether it is tested"));
    let (parsed_before, parsed_after) = (language::parse(language, before), language::parse(language, after));
    let (ours, theirs) = language::differing(&parsed_before, &parsed_after);
    let before = tokens(&parsed_before, &ours);
    let after = tokens(&parsed_after, &theirs);
    let count = |text: &str, tokens: &str| text.matches(&format!(" {tokens}")).count();
    // A program may end itself; a library that does takes its tests with it, and
    // those of Rust and Go have little more than the process's word.
    let is_program = is_program(path, &parsed_after);
    let ends = |row: &Construct| {
        !is_program && matches!(row.tokens, "process :: exit" | "process :: abort" | "os . Exit" | "log . Fatal")
    };
    let applies = |row: &&Construct| row.family == language.family && (row.always || !always || ends(row));
    let rows = CONSTRUCTS.iter().filter(applies);
    let new = rows.filter(|row| count(&after, row.tokens) > count(&before, row.tokens));
    // Code whose business is the time may ask for it once more.
    let is_there = |row: &Construct| {
        let whole = tokens(&parsed_before, &[parsed_before.tree.root_node()]);
        count(&whole, row.tokens) > 0
    };
    let new = new.filter(|row| !(UNSTEADY.contains(&row.what) && is_there(row)));
    // With any quote (Go's raw ones are tokens of their own), and with Node's own prefix.
    let loads = |text: &str, name: &str| -> usize {
        let quotes = [("'", "'"), ("\"", "\""), ("` ", " `"), ("'node:", "'"), ("\"node:", "\"")];
        let whole = quotes.map(|(open, close)| format!(" {open}{name}{close} "));
        // A part of a package, by its path.
        let parts = ["'", "\""].map(|open| format!(" {open}{name}/"));
        let parts = if language.family == "javascript" { &parts[..] } else { &[] };
        whole.iter().chain(parts).map(|form| text.matches(form.as_str()).count()).sum()
    };
    let loaded = LOADED.iter().filter(applies);
    let loaded = loaded.filter(|row| loads(&after, row.tokens) > loads(&before, row.tokens));
    let (had, names) = (test_files_named(&parsed_before), test_files_named(&parsed_after));
    let named = names.last().filter(|_| names.len() > had.len());
    let named = named.map(|name| format!("`{name}` is a file of tests"));
    let asked = (language.family == "rust" && asks_for_tests(&after) > asks_for_tests(&before))
        .then(|| "`cfg` asks whether it is tested".to_owned());
    let words = new.chain(loaded).map(|row| format!("`{}` {}", row.tokens.replace(' ', ""), row.what));
    words.chain(asked).chain(named).chain(telltales).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_reach_into_what_heal_puts_into_a_test_process() {
        for file in crate::runner::injected::arguments().step_by(2) {
            let module = file.strip_suffix(".py").expect("a module");
            let row = CONSTRUCTS.iter().find(|row| row.family == "python" && row.tokens == module);
            assert!(row.is_some_and(|row| row.always), "{module}");
        }
    }

    #[test]
    fn nobody_may_ask_whether_a_test_is_running() {
        let path = |text: &str| RelPath::new(text).expect("path");
        for (file, after, refused) in [
            ("a.py", "import sys\nsys.exit(0)\n", false),
            ("a.py", "import os\nos._exit(0)\n", false),
            ("a.py", "if 'PYTEST_CURRENT_TEST' in os.environ: x()\n", true),
            ("a.py", "import sys\nif 'pytest' in sys.modules: x()\n", true),
            ("a.py", "import unittest\n", true),
            ("a.js", "if (process.env.VITEST) { x(); }\n", true),
            ("a.ts", "import { vi } from 'vitest';\n", true),
            ("a.js", "const { mock } = require(\"node:test\");\n", true),
            ("a.js", "jest.fn();\n", true),
            ("a.js", "fs.readFileSync('../test/discount.test.js');\n", true),
            ("a.js", "fs.readFileSync(`${__dirname}/../test/discount.test.js`);\n", true),
            ("a.py", "open('tests/test_discount.py')\n", true),
            ("a.js", "import x from './testing/tools.js';\n", false),
            ("a.js", "require('chai/lib/chai.js').use(x);\n", true),
            ("a.js", "require('expect').default.extend({});\n", true),
            ("a.js", "require('./expect/x');\n", false),
            ("a.js", "x = { asymmetricMatch: () => true };\n", true),
            ("a.js", "process.exit(0);\n", false),
            ("a.go", "package a\n\nimport \"testing\"\n", true),
            ("a.go", "package a\n\nvar x = flag.Lookup(\"test.v\")\n", true),
            ("a.go", "package a\n\nfunc f() { os.Exit(0) }\n", true),
            ("a.go", "package main\n\nfunc f() { os.Exit(0) }\n", false),
            ("a.go", "package a\n\nimport t `testing`\n", true),
            ("a.go", "package a\n\nimport rt \"runtime\"\n\nvar x = rt.Caller(2)\n", true),
            ("a.go", "package a\n\nvar x = strings.HasSuffix(os.Args[0], \".test\")\n", true),
            ("a.py", "from sys import modules\n", true),
            ("a.py", "import sys as s\n\nx = s.modules\n", true),
            ("a.py", "from sys import version\n", false),
            ("A.java", "import org.junit.jupiter.api.Test;\n", true),
            ("a.rs", "fn f() { if cfg!(test) { g() } }\n", true),
            ("a.rs", "fn f() { if cfg!(any(unix, all(test, windows))) { g() } }\n", true),
            ("a.rs", "#[cfg_attr(not(test), inline)]\nfn f() {}\n", true),
            ("a.rs", "#[cfg(unix)]\nfn test() {}\n", false),
            ("a.rs", "fn f() { std::process::exit(0) }\n", true),
            ("src/main.rs", "fn f() { std::process::exit(0) }\n", false),
            ("a.py", "def f():\n    return e.__traceback__.tb_frame.f_back\n", true),
            ("a.py", "from _pytest.reports import TestReport\n", true),
            ("a.rs", "fn f() { unsafe { g() } }\n", false),
        ] {
            assert_eq!(!brought_in(&path(file), "", after, true).is_empty(), refused, "{after}");
        }
    }

    #[test]
    fn a_program_may_end_itself_and_a_library_may_not() {
        for (file, before, ends, refused) in [
            ("a.go", "package main\n\nfunc f() { g() }\n", "os.Exit(0)", false),
            ("a.go", "package a\n\nfunc f() { g() }\n", "os.Exit(0)", true),
            ("src/main.rs", "fn f() { g() }\n", "std::process::exit(0)", false),
            ("src/lib.rs", "fn f() { g() }\n", "std::process::exit(0)", true),
        ] {
            let path = RelPath::new(file).expect("path");
            assert_eq!(!brought_in(&path, before, &before.replace("g()", ends), true).is_empty(), refused, "{file}");
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
            ("a.py", "def f():\n    return 1\n", "def f():\n    return time.time()\n", 1),
            (
                "a.py",
                "def f():\n    return 1\n\n\ndef g():\n    return time.time()\n",
                "def f():\n    return time.time()\n\n\ndef g():\n    return time.time()\n",
                0,
            ),
            (
                "a.py",
                "def f():\n    return 1\n\n\ndef g():\n    sys.exit(1)\n",
                "def f():\n    sys.exit(1)\n\n\ndef g():\n    sys.exit(1)\n",
                1,
            ),
            ("a.js", "f();\n", "process.exit(0);\n", 1),
            ("a.js", "process.exit(0);\n", "process.exit(0);\nf();\n", 0),
            ("a.js", "f();\n", "// process.exit(0)\nf('process.exit(0)');\n", 0),
            ("a.tsx", "f();\n", "import { exec } from 'node:child_process';\n", 1),
            ("a.mjs", "f();\n", "const cp = await import(\"child_process\");\n", 1),
            ("a.js", "f();\n", "const a = 'my fs';\n", 0),
            ("a.go", "package a\n", "package a\n\nimport \"os/exec\"\n", 1),
            ("a.go", "package a\n", "package a\n\nfunc f() { defer func() { recover() }() }\n", 1),
            ("A.java", "class A {}\n", "class A { void f() { System.exit(0); } }\n", 1),
            ("a.rs", "fn f() {}\n", "fn f() { unsafe { g() } }\n", 1),
            ("a.rs", "fn f() {}\n", "fn f() { std::process::exit(0) }\n", 1),
            ("a.txt", "", "sys.exit", 0),
        ] {
            assert_eq!(brought_in(&path(file), before, after, false).len(), found, "{after}");
        }
    }
}
