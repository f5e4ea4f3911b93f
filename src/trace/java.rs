//! Java: stack traces, and what javac says.
//!
//! ```text
//! trace  = ["Exception in thread \"" name "\" "] type [": " message]  frame*  ("Caused by: " …)*
//! frame  = "\tat " [module "/"] class "." method "(" file [":" line] ")"
//!        | "\t... " n " more" | "\tSuppressed: " …                  indented deeper
//! javac  = file ".java:" line ": error: " text  source caret
//! ```
//!
//! A frame names its file without the folder, which its class's package gives.
//! Of a chain of causes the last is told, then the frames around it.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::bounded;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;
use crate::trace::ground::numbered;
use crate::trace::ground::trace_id;

static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:\s*|.*?Exception in thread ".*?" )((?:[a-zA-Z_$][\w$]*\.)+[A-Z_$][\w$]*)(?:: (.*))?$"#)
        .expect("the pattern is valid")
});
static CAUSE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^Caused by: ([\w.$]+)(?:: (.*))?$").expect("the pattern is valid"));
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s+at (?:[\w.@-]+/+)*([\w.$<>]+)\(([^():]+)(?::(\d+))?\)(?: ~?\[.*\])?$")
        .expect("the pattern is valid")
});
static JAVAC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\[ERROR\] )?(\S+\.java):(?:\[)?(\d+)(?:,\d+\])?:? error: (.+)$").expect("the pattern is valid")
});

/// Frames kept of one trace.
const FRAME_LIMIT: usize = 200;

/// The failures in a text.
pub fn failures(text: &str, ground: Ground<'_>) -> Vec<Failure> {
    if !text.contains("\tat ") && !text.contains(" at ") && !text.contains(".java:") {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut taken = std::collections::HashMap::new();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some((failure, end)) = trace(&lines, at, ground) {
            found.push(failure);
            at = end;
            continue;
        }
        if let Some(error) = JAVAC.captures(lines[at]) {
            let id = numbered(&format!("error[build] in {}", &error[1]), &mut taken);
            let mut failure = bare(id, Kind::CompileError, error[3].to_owned());
            failure.frames = vec![ground.frame(&error[1], error[2].parse().ok(), None)];
            failure.output = lines[at..lines.len().min(at + 3)].join("\n");
            found.push(failure);
        }
        at += 1;
    }
    found
}

fn trace(lines: &[&str], at: usize, ground: Ground<'_>) -> Option<(Failure, usize)> {
    let head = HEAD.captures(lines[at])?;
    // A message may have several lines; a trace has a frame soon.
    let first = at + 1 + lines[at + 1..].iter().take(10).position(|line| FRAME.is_match(line))?;
    let name = |found: &regex::Captures<'_>| found[1].to_owned();
    let mut message: Vec<&str> = head.get(2).map(|text| text.as_str()).into_iter().collect();
    message.extend(&lines[at + 1..first]);
    let mut links: Vec<(String, String, Vec<Frame>)> = vec![(name(&head), message.join("\n"), Vec::new())];
    let mut end = first;
    while end < lines.len() {
        let line = lines[end];
        if let Some(cause) = CAUSE.captures(line) {
            let text = cause.get(2).map_or("", |text| text.as_str()).to_owned();
            links.push((name(&cause), text, Vec::new()));
        } else if line.starts_with("\t\t")
            || line.trim_start().starts_with("Suppressed: ")
            || line.trim_start().starts_with("... ")
        {
            // What went wrong beside it, and frames that were told above.
        } else if let Some(frame) = FRAME.captures(line) {
            if let Some((_, _, frames)) = links.last_mut()
                && frames.len() < FRAME_LIMIT
            {
                frames.push(placed(&frame, ground));
            }
        } else {
            break;
        }
        end += 1;
    }
    let (kind_name, message, mut frames) = links.pop()?;
    for (_, _, outer) in links.into_iter().rev() {
        let rest: Vec<Frame> = outer.into_iter().filter(|frame| !frames.contains(frame)).collect();
        frames.extend(rest);
    }
    frames.truncate(FRAME_LIMIT);
    let short = kind_name.rsplit('.').next().unwrap_or(&kind_name);
    let kind = match short {
        "AssertionError" | "AssertionFailedError" | "ComparisonFailure" | "AssertionFailure" => Kind::Assertion,
        "TestTimedOutException" => Kind::Timeout,
        _ => Kind::Exception,
    };
    let text = if message.is_empty() { short.to_owned() } else { format!("{short}: {message}") };
    let mut failure = bare(String::new(), kind, text);
    (failure.expected, failure.actual) = compared(&message);
    failure.frames = frames;
    failure.output = bounded(&lines[at..end].join("\n"));
    failure.id = trace_id(short, &failure);
    Some((failure, end))
}

/// `com.shop.Main$Cart.priceOf` of `Main.java` lies in `com/shop/Main.java`.
fn placed(found: &regex::Captures<'_>, ground: Ground<'_>) -> Frame {
    let function = &found[1];
    let (class, method) = function.rsplit_once('.').unwrap_or(("", function));
    let package = class.rsplit_once('.').map(|(package, _)| package.replace('.', "/"));
    let file = &found[2];
    let written = package.map_or_else(|| file.to_owned(), |package| format!("{package}/{file}"));
    let line = found.get(3).and_then(|line| line.as_str().parse().ok());
    let short = class.rsplit('.').next().unwrap_or(class).replace('$', ".");
    let symbol = if short.is_empty() { method.to_owned() } else { format!("{short}.{method}") };
    Frame { written: file.to_owned(), ..ground.frame(&written, line, Some(&symbol)) }
}

/// JUnit's `expected:<10> but was:<5>` and `expected: <10> but was: <5>`.
fn compared(message: &str) -> (Option<String>, Option<String>) {
    static WAS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"expected: ?<(.*?)> but was: ?<(.*?)>").expect("the pattern is valid"));
    WAS.captures(message).map_or((None, None), |found| (Some(found[1].to_owned()), Some(found[2].to_owned())))
}
