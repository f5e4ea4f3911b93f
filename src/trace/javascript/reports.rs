//! The JSON reports of JavaScript's runners.
//!
//! | who | shape |
//! |---|---|
//! | jest, vitest | `testResults[].assertionResults[]`, `ancestorTitles`, `title`, `status`, `failureMessages[]`, `failureDetails[].matcherResult` |
//! | mocha | `stats`, `tests[]`, `failures[]`, `pending[]`: `fullTitle`, `file`, `err.{message, stack, expected, actual}` |
//! | mocha json-stream | a line each: `["fail", {…}]`, `["pass", {…}]`, `["end", {…}]` |
//!
//! Sources: jestjs.io/docs/configuration#testresultsprocessor-string, vitest's
//! `--reporter=json`, mocha's lib/reporters/json.js; samples of 30.5, 4.1, 12.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::SEPARATOR;
use super::error;
use super::error::Thrown;
use crate::failure::Kind;
use crate::outcome::Status;
use crate::outcome::TestResult;
use crate::trace::framing;
use crate::trace::ground::Ground;
use crate::trace::ground::numbered;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestReport {
    test_results: Vec<JestFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestFile {
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    assertion_results: Vec<JestTest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestTest {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    duration: Option<f64>,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
    #[serde(default)]
    failure_details: Vec<Value>,
    location: Option<JestPlace>,
}

#[derive(Deserialize)]
struct JestPlace {
    line: u32,
}

/// What jest or vitest tells; `None` where the document is none of theirs. A
/// file that could not be loaded is a failed row of kind `Collection`.
pub fn jest(document: &Value, ground: Ground<'_>) -> Option<Vec<TestResult>> {
    document.get("testResults")?;
    let report = JestReport::deserialize(document).ok()?;
    let mut found = Vec::new();
    let mut taken = HashMap::new();
    for file in &report.test_results {
        let name = ground.shown(&file.name);
        if file.assertion_results.is_empty() && file.status == "failed" {
            found.push(not_loaded(&name, file, ground));
        }
        for test in &file.assertion_results {
            let titles = test.ancestor_titles.iter().chain([&test.title]).filter(|title| !title.is_empty());
            let path: Vec<&str> = std::iter::once(name.as_str()).chain(titles.map(String::as_str)).collect();
            found.push(test.result(numbered(&path.join(SEPARATOR), &mut taken), &file.name, ground));
        }
    }
    Some(found)
}

fn not_loaded(name: &str, file: &JestFile, ground: Ground<'_>) -> TestResult {
    let text = framing::strip(file.message.as_bytes());
    let body = text.lines().filter(|line| line.trim() != "● Test suite failed to run");
    let mut thrown = error::read(body, ground);
    // ts-jest passes on what the compiler says.
    let lines: Vec<&str> = text.lines().collect();
    if let Some(refused) = super::tsc::failures(&lines, ground).into_iter().next() {
        thrown.frames = refused.frames;
        thrown.message = refused.message;
    }
    if thrown.frames.is_empty() {
        thrown.frames.push(ground.frame(&file.name, None, None));
    }
    failed(name.to_owned(), Duration::ZERO, super::not_loaded(name, thrown, &text))
}

impl JestTest {
    fn result(&self, id: String, file: &str, ground: Ground<'_>) -> TestResult {
        let took = Duration::try_from_secs_f64(self.duration.unwrap_or_default() / 1000.0).unwrap_or_default();
        let status = match self.status.as_str() {
            "passed" => Status::Passed,
            "failed" => Status::Failed,
            _ => Status::Skipped,
        };
        if status != Status::Failed {
            return TestResult { id, status, took, failure: None, executed: Vec::new() };
        }
        let messages = self.failure_messages.as_deref().unwrap_or_default();
        let text = framing::strip(messages.first().map_or("", String::as_str).as_bytes());
        let mut thrown = error::read(text.lines(), ground);
        // vitest's word for a time-out, whose message it keeps to itself.
        if thrown.message == "Error: STACK_TRACE_ERROR" {
            thrown.message = "Error: Test timed out".to_owned();
        }
        if !thrown.frames.iter().any(|frame| frame.path.is_some()) {
            let line = self.location.as_ref().map(|place| place.line);
            thrown.frames.push(ground.frame(file, line, None));
        }
        let matcher = self.failure_details.first().and_then(|detail| detail.get("matcherResult"));
        let value = |key: &str| matcher.and_then(|matcher| matcher.get(key)).map(shown);
        thrown.expected = value("expected").or(thrown.expected);
        thrown.actual = value("actual").or(thrown.actual);
        let mut failure = super::of_thrown(id.clone(), thrown, &text);
        if failure.message == "Error: Test timed out" {
            failure.kind = Kind::Timeout;
        }
        failed(id, took, failure)
    }
}

fn failed(id: String, took: Duration, failure: crate::failure::Failure) -> TestResult {
    TestResult { id, status: Status::Failed, took, failure: Some(failure), executed: Vec::new() }
}

/// A value as a person writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MochaTest {
    #[serde(default)]
    full_title: String,
    #[serde(default)]
    file: String,
    duration: Option<f64>,
    #[serde(default)]
    err: Value,
    stack: Option<String>,
}

/// What mocha's `json` reporter tells; `None` where it is not its document.
pub fn mocha(document: &Value, ground: Ground<'_>) -> Option<Vec<TestResult>> {
    document.get("stats")?.get("suites")?;
    let rows = |key: &str| {
        let rows = document.get(key).and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(|row| MochaTest::deserialize(row).ok())
    };
    let mut found = Vec::new();
    let mut taken = HashMap::new();
    let skipped: Vec<(String, String)> = rows("pending").map(|test| (test.file, test.full_title)).collect();
    for test in rows("tests") {
        let is_failed = test.err.get("message").is_some() || test.err.get("stack").is_some();
        let status = match is_failed {
            true => Status::Failed,
            false if skipped.contains(&(test.file.clone(), test.full_title.clone())) => Status::Skipped,
            false => Status::Passed,
        };
        found.push(test.result(status, &mut taken, ground));
    }
    // Hooks fail without a row among the tests.
    let known: std::collections::HashSet<String> = found.iter().map(|test| test.id.clone()).collect();
    let hooks = rows("failures").filter(|test| !known.contains(&test.id(ground)));
    let hooks: Vec<TestResult> = hooks.map(|test| test.result(Status::Failed, &mut taken, ground)).collect();
    found.extend(hooks);
    Some(found)
}

/// One line of mocha's `json-stream`; `None` for a line that is none.
pub fn mocha_event(line: &str, taken: &mut HashMap<String, usize>, ground: Ground<'_>) -> Option<Option<TestResult>> {
    let (event, body): (String, Value) = serde_json::from_str(line).ok()?;
    let status = match event.as_str() {
        "pass" => Status::Passed,
        "fail" => Status::Failed,
        "pending" => Status::Skipped,
        "start" | "end" => return Some(None),
        _ => return None,
    };
    let test = MochaTest::deserialize(body).ok()?;
    Some(Some(test.result(status, taken, ground)))
}

impl MochaTest {
    fn id(&self, ground: Ground<'_>) -> String {
        match self.file.as_str() {
            "" => self.full_title.clone(),
            file => format!("{}{SEPARATOR}{}", ground.shown(file), self.full_title),
        }
    }

    fn result(&self, status: Status, taken: &mut HashMap<String, usize>, ground: Ground<'_>) -> TestResult {
        let id = numbered(&self.id(ground), taken);
        let took = Duration::try_from_secs_f64(self.duration.unwrap_or_default() / 1000.0).unwrap_or_default();
        if status != Status::Failed {
            return TestResult { id, status, took, failure: None, executed: Vec::new() };
        }
        let text = |key: &str| self.err.get(key).and_then(Value::as_str);
        let stack = self.stack.as_deref().or_else(|| text("stack")).or_else(|| text("message"));
        let stack = framing::strip(stack.or(self.err.as_str()).unwrap_or_default().as_bytes());
        let mut thrown: Thrown = error::read(stack.lines(), ground);
        if !thrown.frames.iter().any(|frame| frame.path.is_some()) && !self.file.is_empty() {
            thrown.frames.push(ground.frame(&self.file, None, None));
        }
        thrown.expected = self.err.get("expected").map(shown).or(thrown.expected);
        thrown.actual = self.err.get("actual").map(shown).or(thrown.actual);
        failed(id.clone(), took, super::of_thrown(id, thrown, &stack))
    }
}
