//! What sort of fault a failure points to, and why.
//!
//! Judges by message, kind and frames; in doubt the code is at fault.

use std::sync::LazyLock;

use regex::Regex;

use super::Class;
use super::Evidence;
use super::Rerun;
use super::Sources;
use super::changed_test;
use super::frames;
use super::index::Index;
use super::suspect::Findings;
use super::target;
use crate::detect::Outcome;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::language::ReferenceKind;
use crate::source::RelPath;

static NO_MODULE: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        // Python: import, and what asks for an installed distribution.
        r"No module named '?([\w.]+)",
        r"No package metadata was found for ([\w-]+)",
        r"The '([\w-]+)[^']*' distribution was not found",
        // rustc and cargo
        r"can't find crate for `(\w+)`",
        r"unresolved import `(\w+)",
        r"use of unresolved module or unlinked crate `(\w+)`",
        r"no matching package named `([\w-]+)`",
        // Node, jest, vite, tsc
        r#"(?:Cannot find (?:module|package)|Failed to resolve import) ['"]([^'"./][^'"]*)['"]"#,
        // go
        r"no required module provides package ([\w./-]+)",
        r"package ([\w./-]+) is not in (?:GOROOT|std)",
        // javac
        r"^package ([\w.]+) does not exist",
    ];
    Regex::new(&forms.join("|")).expect("the pattern is valid")
});

/// Errors that come from outside the code, in lower case, and the words for
/// them. Names of errors are Python's, Node's and Java's; texts are those of
/// strerror(3), of the resolver and of the tools.
const OUTSIDE: &[(&str, &str)] = &[
    ("connectionrefusederror", "a service refused the connection"),
    ("connection refused", "a service refused the connection"),
    ("econnrefused", "a service refused the connection"),
    ("connectionerror", "a service could not be reached"),
    ("gaierror", "a host's name was not found"),
    ("name or service not known", "a host's name was not found"),
    ("failed to lookup address", "a host's name was not found"),
    ("temporary failure in name resolution", "a host's name was not found"),
    ("unknownhostexception", "a host's name was not found"),
    ("getaddrinfo enotfound", "a host's name was not found"),
    ("network is unreachable", "there is no network"),
    ("address already in use", "another program listens on the port"),
    ("no space left on device", "the disk is full"),
    ("read-only file system", "the disk cannot be written"),
    ("too many open files", "the system's limit of open files was reached"),
    ("cannot allocate memory", "memory ran out"),
    ("memoryerror", "memory ran out"),
    ("error while loading shared libraries", "a system library is missing"),
    ("cannot open shared object file", "a system library is missing"),
    ("certificate_verify_failed", "a server's certificate is not trusted"),
    ("cannot connect to the docker daemon", "docker does not run"),
    ("unsupported locale setting", "the system lacks a locale"),
    ("executable file not found in $path", "a program is not installed"),
    ("linker `cc` not found", "no C compiler is installed"),
];

/// How an error of the network reads in Go, where tests hand it on as their
/// own message: `dial tcp 127.0.0.1:5432: connect: connection refused`.
static HANDED_ON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\S+\.go:\d+: )?(?:[\w ]+: )?(?:dial|listen) (?:tcp|udp|unix)\S* |^lookup \S+.*: no such host")
        .expect("the pattern is valid")
});

/// Where the code of runners lies.
const RUNNERS: &[&str] = &[
    "/_pytest/",
    "/pluggy/",
    "/xdist/",
    "/execnet/",
    "/node_modules/jest",
    "/node_modules/@jest/",
    "/node_modules/vitest/",
    "/node_modules/@vitest/",
    "/node_modules/tinypool/",
    "/node_modules/mocha/",
];

/// Classifies a failure by what it says alone; `files` are the repository's.
pub fn classify(failure: &Failure, files: &[RelPath]) -> (Class, String) {
    let message = failure.message.as_str();
    // `assert "Connection refused" in text` compares texts: no error was met.
    let is_error = failure.kind != Kind::Assertion || HANDED_ON.is_match(message);
    if is_error && let Some(found) = missing_module(failure, files) {
        return found;
    }
    if is_error && let Some(why) = outside(message) {
        return (Class::Environment, why);
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
        Kind::Exception | Kind::Collection if in_runner(failure) => {
            (Class::RunnerCrash, format!("the runner's own code raised {}", first_line(message)))
        }
        Kind::Assertion => (Class::Code, "a check of the test did not hold".into()),
        Kind::Exit => (Class::Code, "only an exit code is known".into()),
        _ => (Class::Code, format!("the code raised {}", first_line(message))),
    }
}

/// As [`classify`], with what is known beside the failure's own words: how it
/// came back, the code around its frames, and what changed.
pub(super) fn in_index(
    index: &Index<'_>,
    evidence: &Evidence<'_>,
    findings: &Findings,
    sources: Sources,
) -> (Class, String) {
    let Some(failure) = evidence.failures.first() else { return (Class::Code, String::new()) };
    if let Some(found) = evidence.rerun.as_ref().and_then(by_rerun) {
        return found;
    }
    let (class, why) = classify(failure, index.files);
    if class != Class::Code || failure.kind == Kind::Collection {
        return (class, why);
    }
    let only = || findings.only_test.then(|| "nothing but the test itself leads to the failure".to_owned());
    let own = raised_by_test(index, failure).or_else(only);
    let changed = if sources.history { changed_test::alone(index, evidence, findings) } else { None };
    match (changed, own) {
        (Some(changed), Some(own)) => (Class::TestSuspected, format!("{own}; {changed}")),
        (Some(changed), None) => (Class::TestSuspected, changed),
        (None, Some(own)) => (class, format!("{own}, but nothing shows that the test changed since it passed")),
        (None, None) => (class, why),
    }
}

fn by_rerun(rerun: &Rerun) -> Option<(Class, String)> {
    let Rerun { outcome, failed, runs } = rerun;
    match outcome {
        Outcome::Flaky => Some((Class::Flaky, format!("it failed {failed} times of {runs} on the same tree"))),
        Outcome::OrderDependent => Some((Class::OrderDependent, "it fails in the suite and passes alone".to_owned())),
        Outcome::Reproduced | Outcome::NotReproduced => None,
    }
}

fn outside(message: &str) -> Option<String> {
    let lower = message.to_lowercase();
    let (mark, why) = OUTSIDE.iter().find(|(mark, _)| lower.contains(mark))?;
    let line = message.lines().find(|line| line.to_lowercase().contains(mark)).unwrap_or(message);
    Some(format!("{why}: {}", first_line(line)))
}

/// Whether every frame is the runner's.
fn in_runner(failure: &Failure) -> bool {
    let of_runner = |frame: &Frame| {
        let written = format!("/{}", frame.written.replace('\\', "/"));
        frame.path.is_none() && RUNNERS.iter().any(|part| written.contains(part))
    };
    !failure.frames.is_empty() && failure.frames.iter().all(of_runner)
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
    // A path of Go is a host first, a package of Java one name.
    let first = if module.contains('/') || failure.message.starts_with("package ") {
        module
    } else {
        module.split('.').next().unwrap_or(module)
    };
    // A module of the repository that is not found is the code's own fault
    // (a renamed file, a wrong path); a crate may write `-` for `_`.
    let dashed = first.replace('_', "-");
    let package = module.replace('.', "/");
    let ours = files.iter().any(|file| {
        let stem = file.file_name().rsplit_once('.').map_or(file.file_name(), |(stem, _)| stem);
        stem == first
            || file.parent().as_str().strip_suffix(&package).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
            || file.parent().as_str().split('/').any(|folder| folder == first || folder == dashed)
    });
    if ours || matches!(first, "crate" | "super" | "self" | "std" | "core" | "alloc") {
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
mod tests;
