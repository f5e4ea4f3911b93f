//! The Test Anything Protocol as node:test, vitest and mocha write it.
//!
//! ```text
//! stream  = (opening | result)*
//! opening = indent "# Subtest: " name                              node
//! result  = indent ["not "] "ok " number [" -"] " " name [" # " directive] [" {"]
//!           (yaml | text)?
//! yaml    = indent+2 "---"  (key ":" value)*  "..."                 node, vitest
//! text    = lines indented by two: message, error, stack            mocha
//! ```
//!
//! vitest opens a block with `{` and quotes texts of several lines, unindented;
//! node closes a block with its result. A block is no test, and what is marked
//! `TODO` or `SKIP` no failure.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::SEPARATOR;
use super::error;
use super::error::Thrown;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::outcome::Status;
use crate::outcome::TestResult;
use crate::trace::ground::Ground;
use crate::trace::ground::numbered;

static RESULT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^( *)(not )?ok \d+(?: -)? (.*)$").expect("the pattern is valid"));
static DIRECTIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(.*?) # (SKIP|TODO|time=[\d.]+m?s)(.*)$").expect("the pattern is valid"));

/// Lines of one description.
const DESCRIPTION_LIMIT: usize = 2_000;

/// The failing tests of a stream.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    results(lines, ground).into_iter().filter_map(|test| test.failure).collect()
}

/// Whether a name is a script's: node names a file that it could not run so.
pub fn is_file(name: &str) -> bool {
    let end = name.rsplit('.').next().unwrap_or_default();
    matches!(end, "js" | "ts" | "mjs" | "cjs" | "mts" | "cts" | "jsx" | "tsx") && !name.contains(SEPARATOR)
}

/// Every test of a stream.
pub fn results(lines: &[&str], ground: Ground<'_>) -> Vec<TestResult> {
    let mut found = Vec::new();
    let mut taken = HashMap::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if let Some((indent, name)) = opening(line) {
            open.retain(|(outer, _)| *outer < indent);
            open.push((indent, name));
            continue;
        }
        let Some(head) = RESULT.captures(line) else { continue };
        let indent = head[1].len();
        open.retain(|(outer, _)| *outer < indent);
        let rest = head.get(3).map_or("", |rest| rest.as_str());
        let (rest, is_block) = rest.strip_suffix(" {").map_or((rest, false), |rest| (rest, true));
        let directive = DIRECTIVE.captures(rest);
        let (name, word) = match &directive {
            Some(found) => {
                (found.get(1).map_or("", |name| name.as_str()), found.get(2).map_or("", |word| word.as_str()))
            }
            None => (rest, ""),
        };
        if is_block {
            open.push((indent, name));
            continue;
        }
        let (told, end) = description(lines, at, indent);
        let body = &lines[at..end];
        at = end;
        if told.is_block() {
            continue;
        }
        let path: Vec<&str> = open.iter().map(|(_, name)| *name).chain([name]).collect();
        let status = match (word, head.get(2)) {
            ("SKIP", _) => Status::Skipped,
            ("TODO", Some(_)) => Status::ExpectedFailure,
            (_, Some(_)) => Status::Failed,
            (_, None) => Status::Passed,
        };
        let mut failure = (status == Status::Failed).then(|| told.failure(&path, &body.join("\n"), ground));
        let id = match &failure {
            Some(failure) => failure.id.clone(),
            None => told.id(&path, ground),
        };
        let id = numbered(&id, &mut taken);
        if let Some(failure) = &mut failure {
            failure.id.clone_from(&id);
        }
        let took = told.took.or_else(|| word.strip_prefix("time=").and_then(milliseconds)).unwrap_or_default();
        found.push(TestResult { id, status, took, failure, executed: Vec::new() });
    }
    found
}

fn opening(line: &str) -> Option<(usize, &str)> {
    let name = line.trim_start().strip_prefix("# Subtest: ")?;
    Some((line.len() - line.trim_start().len(), name))
}

fn milliseconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

/// What stands below a result.
#[derive(Default)]
struct Description {
    fields: Vec<(String, String)>,
    text: Option<String>,
    took: Option<Duration>,
}

fn description(lines: &[&str], at: usize, indent: usize) -> (Description, usize) {
    let deeper = |line: &str| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
    let limit = lines.len().min(at + DESCRIPTION_LIMIT);
    if lines.get(at).is_some_and(|line| line.trim() == "---") {
        let (fields, end) = yaml(lines, at + 1, limit);
        let took = fields
            .iter()
            .find(|(key, _)| key == "duration_ms")
            .and_then(|(_, value)| milliseconds(&format!("{value}ms")));
        return (Description { fields, text: None, took }, end);
    }
    let is_text = |line: &&&str| deeper(line) && !RESULT.is_match(line) && opening(line).is_none();
    let end = at + lines[at..limit].iter().take_while(is_text).count();
    let has_text = lines[at..end].iter().any(|line| !line.trim().is_empty());
    (Description { text: has_text.then(|| lines[at..end].join("\n")), ..Description::default() }, end)
}

/// The keys of a block and their values, nested ones as text. Returns the line
/// behind its end.
fn yaml(lines: &[&str], mut at: usize, limit: usize) -> (Vec<(String, String)>, usize) {
    let mut fields = Vec::new();
    while at < limit {
        let line = lines[at];
        let inside = line.trim_start();
        let indent = line.len() - inside.len();
        at += 1;
        if inside.trim_end() == "..." {
            return (fields, at);
        }
        let Some((key, value)) = inside.split_once(':') else { continue };
        let value = value.trim();
        let below = |at: usize| {
            lines[at..limit]
                .iter()
                .take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > indent)
                .count()
        };
        let value = match value {
            "|-" | "|" | ">" => {
                let start = at;
                at += below(at);
                error::tidy(&lines[start..at])
            }
            "" => {
                // A map: vitest's `error` has its own name and message.
                let nested = below(at);
                if key == "error" {
                    continue;
                }
                let start = at;
                at += nested;
                error::tidy(&lines[start..at])
            }
            _ if value.starts_with('"') => {
                let mut text = value[1..].to_owned();
                while !closes(&text) && at < limit {
                    text.push('\n');
                    text.push_str(lines[at]);
                    at += 1;
                }
                unquoted(&text)
            }
            _ => value
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''))
                .map_or(value.to_owned(), |text| text.replace("''", "'")),
        };
        fields.push((key.to_owned(), value));
    }
    (fields, at)
}

/// Whether a text in double quotes ends here.
fn closes(text: &str) -> bool {
    let text = text.trim_end();
    let Some(inner) = text.strip_suffix('"') else { return false };
    let slashes = inner.len() - inner.trim_end_matches('\\').len();
    slashes % 2 == 0
}

fn unquoted(text: &str) -> String {
    let text = text.trim_end();
    let text = text.strip_suffix('"').unwrap_or(text);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => {}
            },
            (character, false) => plain.push(character),
        }
    }
    plain
}

impl Description {
    fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A block that failed or passed as its tests did.
    fn is_block(&self) -> bool {
        self.field("failureType") == Some("subtestsFailed") || self.field("type") == Some("suite")
    }

    /// Where node says the test is defined.
    fn location(&self) -> Option<(&str, u32)> {
        let (rest, _column) = self.field("location").or_else(|| self.field("at"))?.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file, line.parse().ok()?))
    }

    fn id(&self, path: &[&str], ground: Ground<'_>) -> String {
        let name = path.join(SEPARATOR);
        // vitest's outermost block is the file.
        if path.first().is_some_and(|first| is_file(first.split(SEPARATOR).next().unwrap_or(first))) {
            return match name.split_once(SEPARATOR) {
                Some((file, rest)) => format!("{}{SEPARATOR}{rest}", ground.shown(file)),
                None => ground.shown(&name),
            };
        }
        match self.field("location").and(self.location()) {
            Some((file, _)) => format!("{}{SEPARATOR}{name}", ground.shown(file)),
            None => name,
        }
    }

    fn failure(&self, path: &[&str], output: &str, ground: Ground<'_>) -> Failure {
        let id = self.id(path, ground);
        let mut thrown = match &self.text {
            Some(text) => mocha(text, ground),
            None => self.thrown(ground),
        };
        if !thrown.frames.iter().any(|frame| frame.path.is_some())
            && let Some((file, line)) = self.location()
        {
            thrown.frames.push(ground.frame(file, Some(line), None));
        }
        let mut failure = super::of_thrown(id.clone(), thrown, output);
        match self.field("failureType") {
            Some("testTimeoutFailure") => failure.kind = Kind::Timeout,
            _ if is_file(&id) => failure.kind = Kind::Collection,
            _ => {}
        }
        failure
    }

    fn thrown(&self, ground: Ground<'_>) -> Thrown {
        let text = self.field("error").or_else(|| self.field("message")).unwrap_or("it failed");
        let name = self.field("name").filter(|name| *name != "Error" && !text.starts_with(*name));
        let message = name.map_or(text.to_owned(), |name| format!("{name}: {text}"));
        let message = crate::trace::framing::without_escapes(&message);
        let stack = self.field("stack").unwrap_or_default();
        let frames = stack.lines().filter_map(|line| error::frame(&format!("at {line}"), ground));
        let (expected, actual) = error::compared(&message);
        let own = |key: &str| self.field(key).map(str::to_owned);
        Thrown {
            frames: frames.collect(),
            expected: own("expected").or(expected),
            actual: own("actual").or(actual),
            message: message.trim().to_owned(),
        }
    }
}

/// mocha tells the message, and then the error with its type and stack.
fn mocha(text: &str, ground: Ground<'_>) -> Thrown {
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let whole = error::read(lines.iter().copied(), ground);
    let typed = lines.iter().skip(1).position(|line| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.ends_with("Error") && line.contains(lines[0])
    });
    match typed {
        Some(start) => error::read(lines[start + 1..].iter().copied(), ground),
        None => whole,
    }
}
