//! OpenAI Responses.
//!
//! `POST {base}/responses`, as openai 3.57.0 has it. Nothing is stored at the
//! server (`store: false`). Composes and reads; sends nothing.

use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Format;
use super::Parts;
use super::ProviderError;
use super::Reply;
use super::StopReason;
use super::Usage;
use super::openai_chat::bearer;
use super::stream::Part;
use crate::http::Secret;

/// Composes the request; `base` ends before `/responses`.
pub fn request(base: &str, key: Option<&Secret>, ask: &Ask<'_>) -> Parts {
    let mut body = json!({
        "model": ask.model,
        "instructions": ask.system,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": ask.user}]}],
        "max_output_tokens": ask.max_output_tokens,
        "store": false,
    });
    if ask.shape.streamed {
        body["stream"] = true.into();
    }
    match ask.shape.format {
        Format::Schema => {
            body["text"] = json!({
                "format": {"type": "json_schema", "name": "patches", "strict": true, "schema": ask.schema},
            });
        }
        Format::Object => body["text"] = json!({"format": {"type": "json_object"}}),
        Format::Words => {}
    }
    let base = base.trim_end_matches('/');
    Parts { url: format!("{base}/responses"), headers: bearer(key), body }
}

/// Reads the answer.
///
/// # Errors
/// The server's refusals, and answers that are none of this dialect.
pub fn answer(status: u16, body: &[u8]) -> Result<Reply, ProviderError> {
    if !(200..300).contains(&status) {
        return Err(super::refused(status, body));
    }
    let value = super::json(body)?;
    if value["output"].is_null() && !value["error"].is_null() {
        return Err(super::refused(500, body));
    }
    response(&value)
}

/// Reads a `response` object.
fn response(value: &Value) -> Result<Reply, ProviderError> {
    if value["status"].as_str() == Some("failed") {
        return Err(super::refused(500, value.to_string().as_bytes()));
    }
    let Some(output) = value["output"].as_array() else {
        return Err(ProviderError::Malformed { detail: "it has no `output`".to_owned() });
    };
    let parts = || {
        let messages = output.iter().filter(|item| item["type"].as_str() == Some("message"));
        messages.filter_map(|item| item["content"].as_array()).flatten()
    };
    let texts = |kind: &str, field: &str| -> String {
        parts().filter(|part| part["type"].as_str() == Some(kind)).filter_map(|part| part[field].as_str()).collect()
    };
    let refusal = texts("refusal", "refusal");
    let stop = match value["incomplete_details"]["reason"].as_str() {
        _ if !refusal.is_empty() => StopReason::Refusal,
        Some("content_filter") => StopReason::Filtered,
        Some(_) => StopReason::Length,
        None if value["status"].as_str() == Some("incomplete") => StopReason::Length,
        None => StopReason::Done,
    };
    let text = if refusal.is_empty() { texts("output_text", "text") } else { refusal };
    let model = value["model"].as_str().unwrap_or_default().to_owned();
    Ok(Reply { text, stop, usage: usage(&value["usage"]), model })
}

/// Takes one event of a stream: deltas, then the whole response.
pub(super) fn take(part: &mut Part, event: &Value) {
    match event["type"].as_str() {
        Some("response.output_text.delta") => part.say(event["delta"].as_str()),
        Some("response.refusal.delta") => part.refusal(event["delta"].as_str()),
        Some("response.reasoning_summary_text.delta" | "response.reasoning_text.delta") => {
            part.think(event["delta"].as_str());
        }
        Some("response.created") => {
            part.model = event["response"]["model"].as_str().unwrap_or_default().to_owned();
        }
        Some("response.completed" | "response.incomplete" | "response.failed") => match response(&event["response"]) {
            Ok(reply) => part.whole(reply),
            Err(error) => part.error = Some(error),
        },
        Some("error") => {
            let status = if event["code"].as_str() == Some("rate_limit_exceeded") { 429 } else { 500 };
            // The words stand beside the type, or below `error` as elsewhere.
            part.fail(status, event);
        }
        _ if !event["error"].is_null() => part.fail(500, event),
        _ => {}
    }
}

/// `input_tokens` includes what was read from and written to a cache.
fn usage(value: &Value) -> Option<Usage> {
    let all = value["input_tokens"].as_u64()?;
    let details = &value["input_tokens_details"];
    let cached = details["cached_tokens"].as_u64().unwrap_or(0).min(all);
    let written = details["cache_write_tokens"].as_u64().unwrap_or(0).min(all - cached);
    let output = value["output_tokens"].as_u64().unwrap_or(0);
    Some(Usage { input: all - cached - written, cached, written, output })
}
