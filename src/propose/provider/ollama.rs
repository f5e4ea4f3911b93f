//! Ollama's own chat.
//!
//! `POST {base}/api/chat`, as ollama 0.6.3 (Python) has it. Ollama cuts a
//! prompt that is longer than `num_ctx` without a word, and `num_ctx` to what
//! the model was trained for: so it is always set, from the prompt's size, and
//! a model that cannot hold the prompt is not asked. Composes and reads; sends
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
use super::openai_chat::bearer;
use super::stream::Part;
use crate::http::Secret;

/// The context is asked for in steps, so that a prompt that is a little longer
/// does not make Ollama load the model anew.
const STEP: u64 = 4096;
/// An answer needs at least this many tokens.
const LEAST_ANSWER: u64 = 1024;

/// Composes the request; `base` ends before `/api/chat`. `context` is the
/// most tokens that the model can hold, where that is known.
pub fn request(base: &str, key: Option<&Secret>, ask: &Ask<'_>, context: Option<u64>) -> Parts {
    let prompt = prompt_tokens(ask);
    let wanted = (prompt + ask.max_output_tokens).next_multiple_of(STEP);
    let num_ctx = context.map_or(wanted, |most| wanted.min(most));
    let num_predict = ask.max_output_tokens.min(num_ctx.saturating_sub(prompt)).max(1);
    let mut body = json!({
        "model": ask.model,
        "messages": [
            {"role": "system", "content": ask.system},
            {"role": "user", "content": ask.user},
        ],
        "options": {"num_ctx": num_ctx, "num_predict": num_predict},
        "stream": ask.shape.streamed,
    });
    match ask.shape.format {
        Format::Schema => body["format"] = ask.schema.clone(),
        Format::Object => body["format"] = "json".into(),
        Format::Words => {}
    }
    Parts { url: format!("{}/api/chat", root(base)), headers: bearer(key), body }
}

/// Composes the question how much the model can hold.
pub fn show_request(base: &str, key: Option<&Secret>, model: &str) -> Parts {
    Parts { url: format!("{}/api/show", root(base)), headers: bearer(key), body: json!({"model": model}) }
}

/// The most tokens that the model can hold, out of the answer to
/// [`show_request`]; `None` where the server does not say.
///
/// # Errors
/// The server does not have the model.
pub fn context(status: u16, body: &[u8]) -> Result<Option<u64>, ProviderError> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match status {
        404 if value["error"].is_string() => Err(super::refused(status, body)),
        200..=299 => {
            let info = value["model_info"].as_object();
            // `llama.context_length`, by the model's architecture.
            let found = info.and_then(|info| info.iter().find(|(name, _)| name.ends_with(".context_length")));
            Ok(found.and_then(|(_, length)| length.as_u64()))
        }
        // An older or another server: the answer will tell.
        _ => Ok(None),
    }
}

/// Whether a model that holds `context` tokens can read the prompt and answer.
///
/// # Errors
/// It cannot, and would be shown a part of it.
pub fn check_fit(ask: &Ask<'_>, context: Option<u64>) -> Result<(), ProviderError> {
    let needed = prompt_tokens(ask) + LEAST_ANSWER;
    match context {
        Some(most) if needed > most => {
            let detail = format!("it may take {needed} tokens with its answer, and the model holds {most}");
            Err(ProviderError::ContextTooLong { detail })
        }
        _ => Ok(()),
    }
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
    if !value["error"].is_null() {
        return Err(super::refused(500, body));
    }
    let Some(message) = value["message"].as_object() else {
        return Err(ProviderError::Malformed { detail: "it has no `message`".to_owned() });
    };
    let text = message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
    let stop = stop(value["done_reason"].as_str());
    let model = value["model"].as_str().unwrap_or_default().to_owned();
    Ok(Reply { text, stop, usage: usage(&value), model })
}

/// Takes one line of a stream.
pub(super) fn take(part: &mut Part, event: &Value) {
    if !event["error"].is_null() {
        part.fail(500, event);
        return;
    }
    if let Some(model) = event["model"].as_str() {
        part.model = model.to_owned();
    }
    part.say(event["message"]["content"].as_str());
    part.think(event["message"]["thinking"].as_str());
    if event["done"].as_bool() == Some(true) {
        part.stop = Some(stop(event["done_reason"].as_str()));
        part.usage = usage(event);
        part.done = true;
    }
}

/// What a reason to be done means.
fn stop(reason: Option<&str>) -> StopReason {
    if reason == Some("length") { StopReason::Length } else { StopReason::Done }
}

/// `prompt_eval_count` is left out where the whole prompt was cached.
fn usage(value: &Value) -> Option<Usage> {
    let output = value["eval_count"].as_u64()?;
    Some(Usage { input: value["prompt_eval_count"].as_u64().unwrap_or(0), output, ..Usage::default() })
}

/// Tokens of the prompt at most: dense code has two bytes a token at least.
fn prompt_tokens(ask: &Ask<'_>) -> u64 {
    (ask.system.len() + ask.user.len()) as u64 / 2 + 64
}

/// Users write the address with `/v1` (its compatible dialect) or without.
fn root(base: &str) -> &str {
    base.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/api").trim_end_matches('/')
}

/// The address in the form of `OLLAMA_HOST`: a host, a port or both, with a
/// scheme or without (`_parse_host` of the Python client).
pub fn address_of(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, Some(port)),
        _ => (rest, None),
    };
    // A server that listens everywhere is spoken to here.
    let name = if matches!(name, "" | "0.0.0.0" | "[::]") { "127.0.0.1" } else { name };
    match (port, scheme) {
        (Some(port), _) => format!("{scheme}://{name}:{port}"),
        (None, "https") => format!("{scheme}://{name}"),
        (None, _) => format!("{scheme}://{name}:11434"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn ask<'a>(user: &'a str, schema: &'a Value) -> Ask<'a> {
        Ask { model: "q", system: "", user, schema, max_output_tokens: 16_000, shape: Shape::default() }
    }

    #[test]
    fn the_context_holds_the_prompt_and_the_answer_or_nothing_is_asked() {
        let (schema, long) = (json!({}), "x = 1\n".repeat(4000));
        for (user, context, num_ctx, num_predict, fits) in [
            ("short", None, 16_384, 16_000, true),
            ("short", Some(8192), 8192, 8126, true),
            (&long, None, 28_672, 16_000, true),
            (&long, Some(131_072), 28_672, 16_000, true),
            (&long, Some(14_000), 14_000, 1936, true),
            (&long, Some(8192), 8192, 1, false),
        ] {
            let ask = ask(user, &schema);
            let options = request("http://h", None, &ask, context).body["options"].clone();
            assert_eq!(options, json!({"num_ctx": num_ctx, "num_predict": num_predict}), "{context:?}");
            assert_eq!(check_fit(&ask, context).is_ok(), fits, "{context:?}");
        }
    }

    #[test]
    fn the_host_is_read_as_ollama_reads_it() {
        for (given, wanted) in [
            ("", "http://127.0.0.1:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            (":9000", "http://127.0.0.1:9000"),
            ("box", "http://box:11434"),
            ("box:9000/", "http://box:9000"),
            ("https://box", "https://box"),
            ("http://box:80", "http://box:80"),
        ] {
            assert_eq!(address_of(given), wanted, "{given}");
        }
    }

    #[test]
    fn a_model_says_what_it_can_hold() {
        let body = br#"{"model_info": {"general.architecture": "x", "x.context_length": 40960}}"#;
        assert_eq!(context(200, body).expect("known"), Some(40_960));
        assert_eq!(context(200, b"{}").expect("unknown"), None);
        for status in [404, 500] {
            assert_eq!(context(status, b"").expect("another server"), None);
        }
        let missing = context(404, br#"{"error": "model 'q' not found"}"#);
        assert!(matches!(missing, Err(ProviderError::NoModel { .. })), "{missing:?}");
    }
}
