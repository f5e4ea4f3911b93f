//! Gemini generateContent.
//!
//! `POST {base}/models/{model}:generateContent` (streamed:
//! `:streamGenerateContent?alt=sse`), as google-genai 3.6.1 has it,
//! the key in a header and never in the address. Composes and reads; sends
//! nothing.

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

/// Composes the request; `base` ends before `/models`.
pub fn request(base: &str, key: Option<&Secret>, ask: &Ask<'_>) -> Parts {
    let mut body = json!({
        "systemInstruction": {"parts": [{"text": ask.system}]},
        "contents": [{"role": "user", "parts": [{"text": ask.user}]}],
        "generationConfig": {"maxOutputTokens": ask.max_output_tokens},
    });
    let config = &mut body["generationConfig"];
    match ask.shape.format {
        Format::Schema => {
            config["responseMimeType"] = "application/json".into();
            config["responseJsonSchema"] = ask.schema.clone();
        }
        Format::Object => config["responseMimeType"] = "application/json".into(),
        Format::Words => {}
    }
    let headers = key.map(|key| ("x-goog-api-key".to_owned(), key.clone().into()));
    let (base, model) = (base.trim_end_matches('/'), ask.model.trim_start_matches("models/"));
    let method = if ask.shape.streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    Parts { url: format!("{base}/models/{model}:{method}"), headers: headers.into_iter().collect(), body }
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
    if !value["error"].is_null() && value["candidates"].is_null() {
        let status = value["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        return Err(super::refused(status, body));
    }
    let usage = usage(&value["usageMetadata"]);
    let model = value["modelVersion"].as_str().unwrap_or_default().to_owned();
    let Some(candidate) = value["candidates"].as_array().and_then(|candidates| candidates.first()) else {
        // A prompt that the filter blocks has no candidates.
        return match value["promptFeedback"]["blockReason"].as_str() {
            Some(why) => Ok(Reply { text: why.to_owned(), stop: StopReason::Filtered, usage, model }),
            None => Err(ProviderError::Malformed { detail: "it has no `candidates`".to_owned() }),
        };
    };
    let stop = stop(candidate["finishReason"].as_str());
    Ok(Reply { text: text_of(candidate), stop, usage, model })
}

/// Takes one event of a stream, which is a piece of an answer.
pub(super) fn take(part: &mut Part, event: &Value) {
    if !event["error"].is_null() {
        let status = event["error"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        part.fail(status, event);
        return;
    }
    if let Some(model) = event["modelVersion"].as_str() {
        part.model = model.to_owned();
    }
    let candidate = &event["candidates"][0];
    part.say(Some(&text_of(candidate)));
    let parts = candidate["content"]["parts"].as_array().into_iter().flatten();
    let thoughts = parts.filter(|part| part["thought"].as_bool() == Some(true));
    thoughts.for_each(|thought| part.think(thought["text"].as_str()));
    if let Some(reason) = candidate["finishReason"].as_str() {
        part.stop = Some(stop(Some(reason)));
    }
    if let Some(why) = event["promptFeedback"]["blockReason"].as_str() {
        part.say(Some(why));
        part.stop = Some(StopReason::Filtered);
    }
    part.usage = usage(&event["usageMetadata"]).or(part.usage);
}

/// The text of a candidate, thoughts left out.
fn text_of(candidate: &Value) -> String {
    let parts = candidate["content"]["parts"].as_array().into_iter().flatten();
    parts.filter(|part| part["thought"].as_bool() != Some(true)).filter_map(|part| part["text"].as_str()).collect()
}

/// What a finish reason means.
fn stop(reason: Option<&str>) -> StopReason {
    match reason {
        Some("MAX_TOKENS") => StopReason::Length,
        Some(
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" | "MODEL_ARMOR"
            | "ESCALATION",
        ) => StopReason::Filtered,
        _ => StopReason::Done,
    }
}

/// `promptTokenCount` includes what was cached; thoughts are billed as output
/// and not among the candidates' tokens.
fn usage(value: &Value) -> Option<Usage> {
    let all = value["promptTokenCount"].as_u64()?;
    let cached = value["cachedContentTokenCount"].as_u64().unwrap_or(0).min(all);
    let count = |name: &str| value[name].as_u64().unwrap_or(0);
    let output = count("candidatesTokenCount").saturating_add(count("thoughtsTokenCount"));
    Some(Usage { input: all - cached, cached, written: 0, output })
}
