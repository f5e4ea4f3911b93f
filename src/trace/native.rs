//! C and C++: the sanitizers' reports and `assert`.
//!
//! ```text
//! report  = "==" pid "==" ("ERROR" | "WARNING") ": " tool ": " what  (access | stack | …)*
//! race    = "WARNING: ThreadSanitizer: " what " (pid=" n ")"
//! stack   = "    #" n " 0x… in " function " " file [":" line [":" column]]
//! ub      = file ":" line ":" column ": runtime error: " text
//! assert  = [program ": "] file ":" line ": " function ": Assertion `" text "' failed."
//! ```
//!
//! The first stack of a report is where it happened; those of the allocation
//! and of the free are left to its output. An undefined behaviour that a crash
//! at the same line follows is that crash.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::bounded;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;
use crate::trace::ground::trace_id;

static REPORT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:==\d+==)?(?:ERROR|WARNING): (\w+Sanitizer): (.+)$").expect("the pattern is valid")
});
static ACCESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\s*)((?:READ|WRITE|Read|Write) of size \d+|.*caused by a (?:READ|WRITE) memory access|(?:Direct|Indirect) leak of \d+ byte\(s\) in \d+ object\(s\))")
        .expect("the pattern is valid")
});
static STACK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s+#(\d+) (?:0x[0-9a-f]+ )?(?:in )?(.+?) (\S+?)(?::(\d+))?(?::\d+)?(?: \(.*\))?$")
        .expect("the pattern is valid")
});
static UNDEFINED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\S[^:]*):(\d+):\d+: runtime error: (.+)$").expect("the pattern is valid"));
static ASSERT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[^:\s]+: )?([^:\s]+):(\d+): (.+?): Assertion [`'](.+)' failed\.$").expect("the pattern is valid")
});

/// Lines of one report.
const REPORT_LIMIT: usize = 400;

/// The failures in a text.
pub fn failures(text: &str, ground: Ground<'_>) -> Vec<Failure> {
    if !["Sanitizer: ", "runtime error: ", "Assertion "].iter().any(|mark| text.contains(mark)) {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Failure> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(head) = REPORT.captures(line) {
            let (failure, end) = report(&lines, at, &head, ground);
            let is_same = |other: &Failure| other.message.starts_with("runtime error: ") && same_place(other, &failure);
            if found.last().is_some_and(is_same) {
                found.pop();
            }
            found.push(failure);
            at = end;
            continue;
        }
        if let Some(head) = UNDEFINED.captures(line) {
            let message = format!("runtime error: {}", &head[3]);
            found.push(at_line("undefined-behavior", Kind::Exception, message, &head, None, line, ground));
        } else if let Some(head) = ASSERT.captures(line) {
            let message = format!("Assertion `{}' failed", &head[4]);
            found.push(at_line("assert", Kind::Assertion, message, &head, Some(&head[3]), line, ground));
        }
        at += 1;
    }
    found
}

fn same_place(one: &Failure, other: &Failure) -> bool {
    let place = |failure: &Failure| failure.location().map(|frame| (frame.path.clone(), frame.line));
    place(one).is_some() && place(one) == place(other)
}

fn at_line(
    name: &str,
    kind: Kind,
    message: String,
    head: &regex::Captures<'_>,
    symbol: Option<&str>,
    line: &str,
    ground: Ground<'_>,
) -> Failure {
    let mut failure = bare(String::new(), kind, message);
    failure.frames = vec![ground.frame(&head[1], head[2].parse().ok(), symbol)];
    failure.output = line.to_owned();
    failure.id = trace_id(name, &failure);
    failure
}

fn report(lines: &[&str], at: usize, head: &regex::Captures<'_>, ground: Ground<'_>) -> (Failure, usize) {
    let tool = &head[1];
    // `heap-use-after-free on address 0x…`: what, without where in memory.
    let what = head[2].split(" on ").next().unwrap_or_default().split(" (pid=").next().unwrap_or_default();
    let what = what.strip_prefix("attempting ").unwrap_or(what);
    let mut access = None;
    let mut frames: Vec<Frame> = Vec::new();
    let mut first_stack = true;
    let mut end = at + 1;
    while end < lines.len() && end < at + REPORT_LIMIT {
        let line = lines[end];
        end += 1;
        if line.starts_with("SUMMARY: ") {
            break;
        }
        if let Some(found) = STACK.captures(line) {
            if &found[1] == "0" && !frames.is_empty() {
                first_stack = false;
            }
            if first_stack {
                let number = found.get(4).and_then(|line| line.as_str().parse().ok());
                frames.push(ground.frame(&found[3], number, Some(&found[2])));
            }
        } else if access.is_none() && frames.is_empty() {
            access = ACCESS.captures(line).map(|found| found[1].trim().to_owned());
        }
    }
    let access = access.map(|access| match access.rsplit_once("caused by a ") {
        Some((_, access)) => access.to_owned(),
        None => access,
    });
    let message = match access {
        Some(access) => format!("{tool}: {what}: {access}"),
        None => format!("{tool}: {what}"),
    };
    let mut failure = bare(String::new(), Kind::Crash, message);
    failure.frames = frames;
    failure.output = bounded(&lines[at..end].join("\n"));
    failure.id = trace_id(what.split(':').next().unwrap_or(what), &failure);
    (failure, end)
}
