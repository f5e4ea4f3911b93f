//! Reports that are one JSON document or one JSON object a line.
//!
//! | who | told by |
//! |---|---|
//! | jest, vitest, mocha, Sentry | see their files |
//! | pytest-json-report | `tests[].nodeid`, `collectors[]` |
//! | gcc `-fdiagnostics-format=json` | an array of `{kind, locations, message}` |
//! | `go test -json`, mocha `json-stream` | see their files |
//! | libtest, nextest | `{"type": "test", "event": "failed", "name", "stdout"}` |
//! | rustc, cargo | `{"reason": "compiler-message", "message": {"rendered"}}` |
//!
//! Reads text; lines that are none of these stay text for the other readers.

use std::collections::HashMap;

use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Kind;
use crate::outcome::TestResult;
use crate::trace::framing;
use crate::trace::go::events::Events;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;
use crate::trace::ground::numbered;
use crate::trace::javascript::reports;
use crate::trace::python;
use crate::trace::rust;
use crate::trace::rust::Roots;
use crate::trace::sentry;

/// Bytes of a document that is read as one.
const DOCUMENT_LIMIT: usize = 32 * 1024 * 1024;

/// The failures of one JSON document; `None` where the text is none that is
/// known.
pub fn whole(text: &str, ground: Ground<'_>) -> Option<Vec<Failure>> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) || text.len() > DOCUMENT_LIMIT {
        return None;
    }
    let document: Value = serde_json::from_str(trimmed).ok()?;
    let failed = |tests: Vec<TestResult>| tests.into_iter().filter_map(|test| test.failure).collect();
    reports::jest(&document, ground)
        .map(failed)
        .or_else(|| reports::mocha(&document, ground).map(failed))
        .or_else(|| sentry::failures(&document, ground))
        .or_else(|| pytest(&document, ground))
        .or_else(|| gcc(&document, ground))
}

/// The failures told by lines of JSON, and the rest of the text.
pub fn lines(text: &str, ground: Ground<'_>) -> (Vec<Failure>, String) {
    let mut go = Events::new(ground);
    let mut heard_go = false;
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut taken = HashMap::new();
    for line in text.lines() {
        if line.starts_with("[\"")
            && let Some(event) = reports::mocha_event(line, &mut taken, ground)
        {
            found.extend(event.and_then(|test| test.failure));
            continue;
        }
        if line.starts_with("{\"") || line.starts_with("{ \"") {
            if go.line(line) {
                heard_go = true;
                continue;
            }
            match object(line, ground) {
                Line::Failed(failure) => found.push(*failure),
                Line::Rendered(text) => {
                    rest.push_str(&text);
                    rest.push('\n');
                }
                Line::Known => {}
                Line::Text => {
                    rest.push_str(line);
                    rest.push('\n');
                }
            }
            continue;
        }
        // Compile errors that go test prints beside its events are text.
        rest.push_str(line);
        rest.push('\n');
    }
    if heard_go {
        found.extend(go.finish().failures());
    }
    (found, rest)
}

enum Line {
    Failed(Box<Failure>),
    /// Text inside an object.
    Rendered(String),
    /// An object that tells no failure.
    Known,
    Text,
}

fn object(line: &str, ground: Ground<'_>) -> Line {
    let is_known = [
        "\"reason\":",
        "\"$message_type\":",
        "\"type\":\"test\"",
        "\"type\":\"suite\"",
        "\"type\": \"test\"",
        "\"type\": \"suite\"",
    ];
    if !is_known.iter().any(|word| line.contains(word)) {
        return Line::Text;
    }
    let Ok(value) = serde_json::from_str::<Value>(line) else { return Line::Text };
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    if text("reason").is_some() || text("$message_type").is_some() {
        let message = value.get("message").filter(|message| message.is_object()).unwrap_or(&value);
        let level = message.get("level").and_then(Value::as_str);
        let rendered = message.get("rendered").and_then(Value::as_str);
        return match (level, rendered) {
            // Warnings are no failures; a blank line ends each.
            (Some(level), Some(rendered)) if level.starts_with("error") => {
                Line::Rendered(format!("{}\n", framing::without_escapes(rendered)))
            }
            _ => Line::Known,
        };
    }
    match (text("type"), text("event"), text("name")) {
        (Some("test"), Some("failed" | "timeout"), Some(name)) => {
            let roots = Roots { compiled: ground.near, running: ground.near };
            let (id, short) = libtest_id(name);
            let output = text("stdout").unwrap_or_default();
            let failure = rust::test_failure(&id, short, output, text("message"), ground.places, roots);
            Line::Failed(Box::new(failure))
        }
        (Some("test" | "suite"), ..) => Line::Known,
        _ => Line::Text,
    }
}

/// nextest names `package::binary$test`; libtest the test alone.
fn libtest_id(name: &str) -> (String, &str) {
    let Some((binary, test)) = name.split_once('$') else { return (name.to_owned(), name) };
    let binary = match binary.split_once("::") {
        Some((package, own)) if package == own => package,
        _ => binary,
    };
    (format!("{binary} {test}"), test)
}

/// pytest-json-report (1.5): the sections of a report stand in `longrepr`.
fn pytest(document: &Value, ground: Ground<'_>) -> Option<Vec<Failure>> {
    document.get("exitcode")?;
    let rows = |key: &str| document.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut found = Vec::new();
    let told = |id: &str, longrepr: &str, crash: Option<&Value>, kind: Option<Kind>| {
        let read = python::failures(longrepr, ground.places, ground.near).into_iter().next();
        let said = crash.and_then(|crash| crash.get("message")).and_then(Value::as_str).unwrap_or(longrepr);
        // `[XPASS(strict)]` has no trace: a check of pytest's own.
        let mut failure = read.unwrap_or_else(|| bare(String::new(), Kind::Assertion, said.trim().to_owned()));
        failure.id = id.to_owned();
        failure.kind = kind.unwrap_or(failure.kind);
        failure
    };
    for row in rows("collectors").filter(|row| row.get("outcome").and_then(Value::as_str) == Some("failed")) {
        let id = row.get("nodeid").and_then(Value::as_str).unwrap_or_default();
        let longrepr = row.get("longrepr").and_then(Value::as_str).unwrap_or_default();
        found.push(told(id, longrepr, None, Some(Kind::Collection)));
    }
    for row in rows("tests") {
        let id = row.get("nodeid").and_then(Value::as_str)?;
        let phases = ["setup", "call", "teardown"].iter().filter_map(|phase| row.get(*phase));
        let failed = phases.filter(|phase| phase.get("outcome").and_then(Value::as_str) == Some("failed"));
        if let Some(phase) = failed.into_iter().next() {
            let longrepr = phase.get("longrepr").and_then(Value::as_str).unwrap_or_default();
            found.push(told(id, longrepr, phase.get("crash"), None));
        }
    }
    Some(found)
}

/// gcc's diagnostics (GCC 9 to 14).
fn gcc(document: &Value, ground: Ground<'_>) -> Option<Vec<Failure>> {
    let rows = document.as_array()?;
    let is_diagnostic = |row: &Value| row.get("kind").is_some() && row.get("locations").is_some();
    if rows.is_empty() || !rows.iter().all(is_diagnostic) {
        return None;
    }
    let mut taken = HashMap::new();
    let errors = rows.iter().filter(|row| row["kind"].as_str().is_some_and(|kind| kind.ends_with("error")));
    let found = errors.map(|row| {
        let caret = row.pointer("/locations/0/caret");
        let file = caret.and_then(|caret| caret.get("file")).and_then(Value::as_str).unwrap_or_default();
        let line =
            caret.and_then(|caret| caret.get("line")).and_then(Value::as_u64).and_then(|line| line.try_into().ok());
        let message = row.get("message").and_then(Value::as_str).unwrap_or_default();
        let id = numbered(&format!("error[build] in {file}"), &mut taken);
        let mut failure = bare(id, Kind::CompileError, format!("error: {message}"));
        failure.frames = vec![ground.frame(file, line, None)];
        failure.output = format!("{file}: {message}");
        failure
    });
    Some(found.collect())
}
