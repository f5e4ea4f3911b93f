//! Events of error trackers that speak Sentry's format.
//!
//! ```text
//! event     = {"exception": {"values": [exception*]}}       as an SDK sends it
//!           | {"entries": [{"type": "exception", "data": {"values": …}}]}   as its API tells it
//! exception = {"type", "value", "stacktrace": {"frames": [frame*]}, "mechanism"}
//! frame     = {"filename", "abs_path", "function", "lineno", "in_app"}
//! ```
//!
//! The oldest cause comes first and the innermost frame last
//! (develop.sentry.dev, "Exception Interface"). Of a group the first branch is
//! followed. Variables of frames may hold secrets and are left out.

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;
use crate::trace::ground::trace_id;

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "type")]
    name: Option<String>,
    value: Option<String>,
    stacktrace: Option<Stack>,
    #[serde(default)]
    mechanism: Option<Mechanism>,
}

#[derive(Default, Deserialize)]
struct Mechanism {
    exception_id: Option<i64>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Stack {
    #[serde(default)]
    frames: Vec<SentryFrame>,
}

#[derive(Deserialize)]
struct SentryFrame {
    filename: Option<String>,
    abs_path: Option<String>,
    function: Option<String>,
    lineno: Option<u32>,
    in_app: Option<bool>,
}

/// The failure that an event tells; `None` where the document is no event.
pub fn failures(document: &Value, ground: Ground<'_>) -> Option<Vec<Failure>> {
    let values = document.pointer("/exception/values").or_else(|| of_api(document))?;
    let exceptions = Vec::<Exception>::deserialize(values).ok()?;
    let root = root(&exceptions)?;
    Some(vec![of(root, ground)])
}

fn of_api(document: &Value) -> Option<&Value> {
    let entries = document.get("entries")?.as_array()?;
    let entry = entries.iter().find(|entry| entry.get("type").and_then(Value::as_str) == Some("exception"))?;
    entry.pointer("/data/values")
}

/// The cause that the others follow from.
fn root(exceptions: &[Exception]) -> Option<&Exception> {
    let number = |exception: &Exception| exception.mechanism.as_ref().and_then(|mechanism| mechanism.exception_id);
    if exceptions.iter().any(|exception| number(exception).is_none()) {
        return exceptions.first();
    }
    // From the outermost on, up to the group's second branch.
    let mut ordered: Vec<&Exception> = exceptions.iter().collect();
    ordered.sort_by_key(|exception| number(exception));
    let source = |exception: &Exception| exception.mechanism.as_ref().and_then(|mechanism| mechanism.source.clone());
    let first = ordered.iter().take_while(|exception| {
        source(exception).is_none_or(|source| !source.starts_with("exceptions[") || source == "exceptions[0]")
    });
    first.last().copied()
}

fn of(exception: &Exception, ground: Ground<'_>) -> Failure {
    let name = exception.name.as_deref().unwrap_or("error");
    let value = exception.value.as_deref().unwrap_or_default().trim();
    let message = if value.is_empty() { name.to_owned() } else { format!("{name}: {value}") };
    let asserted = name.rsplit('.').next().is_some_and(|name| name.starts_with("AssertionError"));
    let kind = if asserted { Kind::Assertion } else { Kind::Exception };
    let mut failure = bare(String::new(), kind, message);
    let frames = exception.stacktrace.iter().flat_map(|stack| stack.frames.iter().rev());
    failure.frames = frames.take(200).map(|frame| frame.placed(ground)).collect();
    failure.id = trace_id(name, &failure);
    failure.output = crate::trace::bounded(&failure.message);
    failure
}

impl SentryFrame {
    fn placed(&self, ground: Ground<'_>) -> Frame {
        let written = self.abs_path.as_deref().or(self.filename.as_deref()).unwrap_or_default();
        let mut frame = ground.frame(written, self.lineno, self.function.as_deref());
        if frame.path.is_none()
            && let Some(short) = &self.filename
        {
            frame = ground.frame(short, self.lineno, self.function.as_deref());
        }
        if self.in_app == Some(false) {
            frame.path = None;
        }
        frame
    }
}
