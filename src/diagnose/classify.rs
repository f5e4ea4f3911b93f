//! What sort of fault a failure points to, and why.
//!
//! Judges by message, kind and frames; in doubt the code is at fault.

use std::sync::LazyLock;

use regex::Regex;

use super::Class;
use super::frames;
use super::index::Index;
use super::target;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::ReferenceKind;
use crate::source::RelPath;

static NO_MODULE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"No module named '?([\w.]+)|can't find crate for `(\w+)`|unresolved import `(\w+)|use of unresolved module or unlinked crate `(\w+)`|(?:Cannot find module|Failed to resolve import) ['"]([^'"./][^'"]*)['"]|no required module provides package ([\w./-]+)|package ([\w./-]+) is not in (?:GOROOT|std)"#)
        .expect("the pattern is valid")
});

/// Errors that come from outside the code, and the words for them.
const OUTSIDE: &[(&str, &str)] = &[
    ("ConnectionRefusedError", "a service refused the connection"),
    ("Connection refused", "a service refused the connection"),
    ("ConnectionError", "a service could not be reached"),
    ("gaierror", "a host's name was not found"),
    ("Name or service not known", "a host's name was not found"),
    ("failed to lookup address", "a host's name was not found"),
    ("Temporary failure in name resolution", "a host's name was not found"),
    ("Network is unreachable", "there is no network"),
    ("No space left on device", "the disk is full"),
    ("Too many open files", "the system's limit of open files was reached"),
    ("Cannot allocate memory", "memory ran out"),
    ("MemoryError", "memory ran out"),
    ("error while loading shared libraries", "a system library is missing"),
    ("linker `cc` not found", "no C compiler is installed"),
];

/// Classifies a failure by what it says alone; `files` are the repository's.
pub fn classify(failure: &Failure, files: &[RelPath]) -> (Class, String) {
    let message = failure.message.as_str();
    // `assert "Connection refused" in text` compares texts: no error was met.
    let is_error = failure.kind != Kind::Assertion;
    if is_error && let Some(found) = missing_module(failure, files) {
        return found;
    }
    if is_error && let Some((_, why)) = OUTSIDE.iter().find(|(mark, _)| message.contains(mark)) {
        return (Class::Environment, (*why).to_owned());
    }
    if is_error && let Some(why) = environment(failure, files) {
        return (Class::Environment, why);
    }
    match failure.kind {
        Kind::CompileError => (Class::CompileError, "the compiler refused it".into()),
        Kind::Collection if is_syntax(message) => {
            (Class::CompileError, format!("the interpreter refused it: {}", first_line(message)))
        }
        Kind::Timeout => (Class::Timeout, "the test did not end before its deadline".into()),
        Kind::Crash if failure.frames.iter().all(|frame| frame.path.is_none()) && !message.contains("overflow") => {
            (Class::RunnerCrash, "the process died, and no frame is the project's".into())
        }
        Kind::Assertion => (Class::Code, "a check of the test did not hold".into()),
        Kind::Exit => (Class::Code, "only an exit code is known".into()),
        _ => (Class::Code, format!("the code raised {}", first_line(message))),
    }
}

/// As [`classify`], with a look at the code around the frames: whether the
/// test's own line raised.
pub(crate) fn in_index(index: &Index<'_>, failure: &Failure) -> (Class, String) {
    let (class, why) = classify(failure, index.files);
    if class == Class::Code
        && failure.kind == Kind::Exception
        && let Some(why) = raised_by_test(index, failure)
    {
        return (Class::TestSuspected, why);
    }
    (class, why)
}

fn is_syntax(message: &str) -> bool {
    ["SyntaxError", "IndentationError", "TabError", "error TS"].iter().any(|name| message.starts_with(name))
}

fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 { line.to_owned() } else { line.chars().take(79).chain(['…']).collect() }
}

fn missing_module(failure: &Failure, files: &[RelPath]) -> Option<(Class, String)> {
    let found = NO_MODULE.captures(&failure.message)?;
    let module = found.iter().skip(1).flatten().next()?.as_str();
    // A path of Go is a host first.
    let first = if module.contains('/') { module } else { module.split('.').next().unwrap_or(module) };
    // A module of the repository that is not found is the code's own fault
    // (a renamed file, a wrong path); a crate may write `-` for `_`.
    let dashed = first.replace('_', "-");
    let ours = files.iter().any(|file| {
        let stem = file.file_name().rsplit_once('.').map_or(file.file_name(), |(stem, _)| stem);
        stem == first || file.parent().as_str().split('/').any(|folder| folder == first || folder == dashed)
    });
    if ours || matches!(first, "crate" | "super" | "self") {
        return None;
    }
    Some((Class::MissingDependency, format!("`{first}` is neither installed nor a module of the repository")))
}

static NO_FILE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(FileNotFoundError|PermissionError): \[Errno \d+\] [^:]+: '([^']+)'").expect("the pattern is valid")
});
static NO_VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"KeyError: '([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOME|PATH|USER)'").expect("the pattern is valid")
});

fn environment(failure: &Failure, files: &[RelPath]) -> Option<String> {
    let message = failure.message.as_str();
    let through = |part: &str| failure.frames.iter().any(|frame| frame.written.ends_with(part));
    if let Some(found) = NO_FILE.captures(message) {
        let (error, path) = (&found[1], &found[2]);
        let known = files.iter().any(|file| path.ends_with(file.as_str()));
        let program = through("subprocess.py") && !path.contains('/');
        if error == "FileNotFoundError" && program {
            return Some(format!("the program `{path}` is not installed"));
        }
        let outside = ["/etc/", "/root/", "/proc/", "/sys/", "/dev/", "/var/", "/usr/", "/run/"];
        if error == "PermissionError" && !known && outside.iter().any(|folder| path.starts_with(folder)) {
            return Some(format!("no permission for `{path}`"));
        }
    }
    if let Some(found) = NO_VARIABLE.captures(message)
        && (through("os.py") || through("<frozen os>") || failure.output.contains("os.environ"))
    {
        return Some(format!("the environment variable `{}` is not set", &found[1]));
    }
    if message.contains("NotPresent") && failure.output.contains("env::var") {
        return Some("an environment variable is not set".into());
    }
    None
}

/// Why the test itself is suspected: it raised on a line of its own that calls
/// nothing of the project. Errors that a changed project causes (a name it no
/// longer has) are the code's.
fn raised_by_test(index: &Index<'_>, failure: &Failure) -> Option<String> {
    let own =
        ["NameError", "UnboundLocalError", "SyntaxError", "IndexError", "ZeroDivisionError", "TypeError", "fixture '"];
    if !own.iter().any(|name| failure.message.starts_with(name)) {
        return None;
    }
    let standings = frames::standings(index, failure);
    let innermost = standings.first()?;
    // A foreign frame further in may have been called with the project's data.
    let raised_there = failure.frames.first()?.path.is_some();
    if !raised_there || standings.iter().any(|standing| !standing.is_test) {
        return None;
    }
    let file = &innermost.file;
    let lines = file.statement(innermost.line)?;
    let target = target::find(index, failure, &[])?;
    let within = target.function;
    let mut names = Vec::new();
    for reference in file.outline.references.iter().filter(|found| lines.contains(found.line)) {
        let is_call = reference.kind == ReferenceKind::Call;
        if !super::resolve::targets(index, file, within, reference, is_call).is_empty() {
            return None;
        }
        // A value that an earlier call of the project may have given.
        let fed = file.outline.bindings.iter().any(|binding| binding.name == reference.name && binding.value.is_some());
        if fed {
            return None;
        }
        names.push(&reference.name);
    }
    let line = innermost.line;
    Some(format!(
        "{} was raised by the test's own line {line}, which calls nothing of the project",
        first_line(&failure.message)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn failures_are_classified_by_what_they_say() {
        use Class::*;
        let files = [RelPath::new("shop/cart.py").expect("path")];
        for (kind, message, frame, wanted) in [
            (Kind::Collection, "ModuleNotFoundError: No module named 'numpy'", "", MissingDependency),
            (Kind::Collection, "ModuleNotFoundError: No module named 'shop.money'", "", Code),
            (Kind::CompileError, "error[E0463]: can't find crate for `serde`", "", MissingDependency),
            (Kind::CompileError, "error[E0308]: mismatched types", "", CompileError),
            (Kind::Collection, "SyntaxError: invalid syntax", "", CompileError),
            (Kind::Collection, "SyntaxError: Unexpected token '}'", "", CompileError),
            (Kind::Collection, "error TS2322: Type 'string' is not assignable to type 'number'.", "", CompileError),
            (
                Kind::CompileError,
                "error TS2307: Cannot find module 'left-pad' or its corresponding type declarations.",
                "",
                MissingDependency,
            ),
            (
                Kind::CompileError,
                "error TS2307: Cannot find module './cart' or its corresponding type declarations.",
                "",
                CompileError,
            ),
            (Kind::Collection, "Error: Cannot find module 'left-pad'", "", MissingDependency),
            (Kind::Collection, "Error: Cannot find module './cart'", "", Code),
            (Kind::CompileError, "undefined: Totl", "", CompileError),
            (
                Kind::CompileError,
                "no required module provides package example.test/x/y; to add it:",
                "",
                MissingDependency,
            ),
            (
                Kind::CompileError,
                "package example.test/nope is not in std (/usr/lib/go/src/example.test/nope)",
                "",
                MissingDependency,
            ),
            (Kind::Collection, "ImportError: cannot import name 'totl' from 'shop.cart' (/a/shop/cart.py)", "", Code),
            (Kind::CompileError, "incompatible types: String cannot be converted to int", "", CompileError),
            (Kind::Exception, "ConnectionRefusedError: [Errno 111] Connection refused", "", Environment),
            (Kind::Assertion, "assert 'Connection refused' in ''", "", Code),
            (
                Kind::Exception,
                "FileNotFoundError: [Errno 2] No such file or directory: 'pandoc'",
                "/usr/lib/python3.11/subprocess.py",
                Environment,
            ),
            (
                Kind::Exception,
                "FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'",
                "shop/cart.py",
                Code,
            ),
            (Kind::Exception, "PermissionError: [Errno 13] Permission denied: '/etc/x'", "", Environment),
            (Kind::Exception, "KeyError: 'DATABASE_URL'", "<frozen os>", Environment),
            (Kind::Exception, "KeyError: 'DATABASE_URL'", "shop/cart.py", Code),
            (Kind::Timeout, "", "", Timeout),
            (Kind::Crash, "signal: 11, SIGSEGV", "", RunnerCrash),
            (Kind::Assertion, "assert 1 == 2", "", Code),
        ] {
            let frames = vec![crate::failure::Frame {
                path: files.iter().find(|file| file.as_str() == frame).cloned(),
                written: frame.into(),
                line: Some(1),
                symbol: None,
            }];
            let failure = Failure {
                id: "t".into(),
                kind,
                message: message.into(),
                expected: None,
                actual: None,
                frames,
                output: String::new(),
            };
            assert_eq!(classify(&failure, &files).0, wanted, "{kind:?} {message}");
        }
    }
}
