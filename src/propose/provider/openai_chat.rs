//! OpenAI Chat Completions, the dialect that most servers copy.
//!
//! `POST {base}/chat/completions`, as openai 2.54.0 has it; also OpenRouter,
//! vLLM, llama.cpp, LM Studio, Ollama's `/v1` and others, which may lack
//! `response_format` or know only `max_tokens` (see [`super::relaxed`]).
//! Composes and reads; sends nothing.

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
use crate::http::HeaderText;
use crate::http::Secret;

/// Composes the request; `base` ends before `/chat/completions`.
pub fn request(base: &str, key: Option<&Secret>, ask: &Ask<'_>) -> Parts {
    let limit = if ask.shape.old_limit { "max_tokens" } else { "max_completion_tokens" };
    let mut body = json!({
        "model": ask.model,
        "messages": [
            {"role": "system", "content": ask.system},
            {"role": "user", "content": ask.user},
        ],
    });
    body[limit] = ask.max_output_tokens.into();
    if ask.shape.streamed {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    match ask.shape.format {
        Format::Schema => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "patches", "strict": true, "schema": ask.schema},
            });
        }
        Format::Object => body["response_format"] = json!({"type": "json_object"}),
        Format::Words => {}
    }
    let base = base.trim_end_matches('/');
    Parts { url: format!("{base}/chat/completions"), headers: bearer(key), body }
}

/// The key as a header, where there is one.
pub(super) fn bearer(key: Option<&Secret>) -> Vec<(String, HeaderText)> {
    let bearer = |key: &Secret| Secret::new(format!("Bearer {}", key.reveal())).into();
    key.map(|key| ("authorization".to_owned(), bearer(key))).into_iter().collect()
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
    // OpenRouter answers 200 with an error where a provider behind it fails.
    if !value["error"].is_null() && value["choices"].is_null() {
        let status = value["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        return Err(super::refused(status, body));
    }
    let Some(choice) = value["choices"].as_array().and_then(|choices| choices.first()) else {
        return Err(ProviderError::Malformed { detail: "it has no `choices`".to_owned() });
    };
    let message = &choice["message"];
    let refusal = message["refusal"].as_str().filter(|text| !text.is_empty());
    let stop = if refusal.is_some() { StopReason::Refusal } else { stop(choice["finish_reason"].as_str()) };
    let text = refusal.map(str::to_owned).unwrap_or_else(|| text_of(&message["content"]));
    let model = value["model"].as_str().unwrap_or_default().to_owned();
    Ok(Reply { text, stop, usage: usage(&value["usage"]), model })
}

fn stop(reason: Option<&str>) -> StopReason {
    match reason {
        Some("length") => StopReason::Length,
        Some("content_filter") => StopReason::Filtered,
        _ => StopReason::Done,
    }
}

/// Takes one chunk of a stream; the last ones hold the finish reason and,
/// without a choice, the usage.
pub(super) fn take(part: &mut Part, event: &Value) {
    if !event["error"].is_null() {
        let status = event["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        part.fail(status, event);
        return;
    }
    if let Some(model) = event["model"].as_str() {
        part.model = model.to_owned();
    }
    let choice = &event["choices"][0];
    let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
    part.say(Some(&text_of(&delta["content"])));
    part.refusal(delta["refusal"].as_str());
    // Servers name what a model thinks in two ways.
    part.think(delta["reasoning_content"].as_str().or(delta["reasoning"].as_str()));
    if let Some(reason) = choice["finish_reason"].as_str() {
        part.stop = Some(stop(Some(reason)));
    }
    part.usage = usage(&event["usage"]).or(part.usage);
}

/// A content is a text or, on some servers, parts with texts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// `prompt_tokens` includes what was read from and written to a cache.
fn usage(value: &Value) -> Option<Usage> {
    let all = value["prompt_tokens"].as_u64()?;
    let details = &value["prompt_tokens_details"];
    let cached = details["cached_tokens"].as_u64().unwrap_or(0).min(all);
    let written = details["cache_write_tokens"].as_u64().unwrap_or(0).min(all - cached);
    let output = value["completion_tokens"].as_u64().unwrap_or(0);
    Some(Usage { input: all - cached - written, cached, written, output })
}
