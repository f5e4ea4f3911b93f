//! Anthropic Messages, version 2026-10-21.
//!
//! `POST {base}/v1/messages`, as anthropic 2.12.0 has it. That version answers
//! 400 to `temperature`, `top_p` and `top_k`, and its newest models to a
//! prefilled answer and a forced tool: the form of the answer is asked for with
//! `output_config.format`. Composes and reads; sends nothing.

use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Format;
use super::Parts;
use super::ProviderError;
use super::Reply;
use super::StopReason;
use super::Usage;
use super::stream::Part;
use crate::http::Secret;

/// The version of the API that is spoken.
pub const VERSION: &str = "2026-10-21";

/// Composes the request; `base` ends before `/v1/messages`.
pub fn request(base: &str, key: Option<&Secret>, ask: &Ask<'_>) -> Parts {
    let mut body = json!({
        "model": ask.model,
        "max_tokens": ask.max_output_tokens,
        "system": [{"type": "text", "text": ask.system, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": ask.user}],
    });
    if ask.shape.streamed {
        body["stream"] = true.into();
    }
    if ask.shape.format == Format::Schema {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": ask.schema}});
    }
    let mut headers = vec![("anthropic-version".to_owned(), VERSION.into())];
    headers.extend(key.map(|key| ("x-api-key".to_owned(), key.clone().into())));
    // Users write the address with `/v1` or without.
    let base = base.trim_end_matches('/').trim_end_matches("/v1");
    Parts { url: format!("{base}/v1/messages"), headers, body }
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
    if value["type"].as_str() == Some("error") {
        return Err(super::refused(500, body));
    }
    let Some(content) = value["content"].as_array() else {
        return Err(ProviderError::Malformed { detail: "it has no `content`".to_owned() });
    };
    let texts = content.iter().filter(|block| block["type"].as_str() == Some("text"));
    let mut text: String = texts.filter_map(|block| block["text"].as_str()).collect();
    let stop = stop(value["stop_reason"].as_str());
    if let (StopReason::Refusal, Some(why)) = (stop, value["stop_details"]["explanation"].as_str()) {
        text = why.to_owned();
    }
    let model = value["model"].as_str().unwrap_or_default().to_owned();
    Ok(Reply { text, stop, usage: usage(&value["usage"]), model })
}

fn stop(reason: Option<&str>) -> StopReason {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => StopReason::Length,
        Some("refusal") => StopReason::Refusal,
        _ => StopReason::Done,
    }
}

/// Takes one event of a stream (`message_start`, `content_block_delta`,
/// `message_delta`, `message_stop`, `error`; others say nothing of use).
pub(super) fn take(part: &mut Part, event: &Value) {
    match event["type"].as_str() {
        Some("message_start") => {
            part.model = event["message"]["model"].as_str().unwrap_or_default().to_owned();
            part.usage = usage(&event["message"]["usage"]);
        }
        Some("content_block_delta") => {
            part.say(event["delta"]["text"].as_str());
            part.think(event["delta"]["thinking"].as_str());
        }
        Some("message_delta") => {
            part.stop = event["delta"]["stop_reason"].as_str().map(|reason| stop(Some(reason)));
            part.refusal(event["delta"]["stop_details"]["explanation"].as_str());
            // Counts are cumulative; those left out stay as they were.
            if let Some(used) = &mut part.usage {
                let count = |name: &str, before: u64| event["usage"][name].as_u64().unwrap_or(before);
                used.input = count("input_tokens", used.input);
                used.cached = count("cache_read_input_tokens", used.cached);
                used.written = count("cache_creation_input_tokens", used.written);
                used.output = count("output_tokens", used.output);
            }
        }
        Some("message_stop") => part.done = true,
        Some("error") => {
            let status = match event["error"]["type"].as_str() {
                Some("overloaded_error") => 529,
                Some("rate_limit_error") => 429,
                _ => 500,
            };
            part.fail(status, event);
        }
        _ => {}
    }
}

/// `input_tokens` leaves out what was read from and written to the cache.
fn usage(value: &Value) -> Option<Usage> {
    let count = |name: &str| value[name].as_u64();
    Some(Usage {
        input: count("input_tokens")?,
        cached: count("cache_read_input_tokens").unwrap_or(0),
        written: count("cache_creation_input_tokens").unwrap_or(0),
        output: count("output_tokens").unwrap_or(0),
    })
}
