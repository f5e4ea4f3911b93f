//! Tests of `provider`; decide nothing else.

use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;

/// The dialects that go over HTTP.
const OVER_HTTP: [ProviderKind; 5] = [
    ProviderKind::Anthropic,
    ProviderKind::OpenAi,
    ProviderKind::OpenAiChat,
    ProviderKind::Gemini,
    ProviderKind::Ollama,
];

fn ask(schema: &Value, format: Format) -> Ask<'_> {
    let shape = Shape { format, old_limit: false };
    Ask { model: "m-1", system: "S", user: "U", schema, max_output_tokens: 1000, shape }
}

#[test]
fn every_dialect_asks_for_the_schema_in_its_own_way() {
    let schema = json!({"type": "object"});
    let key = Secret::new("k");
    let mut out = String::new();
    for kind in OVER_HTTP {
        let parts = request(kind, "https://h/v1", Some(&key), &ask(&schema, Format::Schema), Some(8192));
        let headers: Vec<String> = parts.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        out.push_str(&format!("POST {}\n{}\n{}\n\n", parts.url, headers.join("\n"), parts.body));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_lower_shape_asks_for_less_and_never_for_nothing() {
    let schema = json!({"type": "object", "title": "the schema"});
    for kind in OVER_HTTP {
        let body = |format| request(kind, "https://h", None, &ask(&schema, format), None).body.to_string();
        assert!(body(Format::Schema).contains("the schema"), "{kind:?}");
        assert!(!body(Format::Object).contains("the schema"), "{kind:?}");
        assert!(body(Format::Words).len() <= body(Format::Object).len(), "{kind:?}");
        let refusal = br#"{"error": {"message": "response schema is not supported"}}"#;
        let mut shape = Shape::default();
        let mut turns = 0;
        while let Some(lower) = relaxed(kind, shape, 400, refusal) {
            shape = lower;
            turns += 1;
        }
        assert_eq!(shape.format, Format::Words, "{kind:?}");
        assert!(turns <= 2, "{kind:?}");
        assert_eq!(relaxed(kind, Shape::default(), 500, refusal), None);
    }
}

/// What a server of `kind` says: `text`, ended by `stop`.
fn said(kind: ProviderKind, text: &str, stop: StopReason) -> Value {
    let reason = |names: [&'static str; 4]| match stop {
        StopReason::Length => names[1],
        StopReason::Refusal => names[2],
        StopReason::Filtered => names[3],
        _ => names[0],
    };
    match kind {
        ProviderKind::Anthropic => json!({
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}], "model": "served",
            "stop_reason": reason(["end_turn", "max_tokens", "refusal", "refusal"]),
            "usage": {"input_tokens": 50, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20, "output_tokens": 7},
        }),
        ProviderKind::OpenAi => {
            let part = match stop {
                StopReason::Refusal => json!({"type": "refusal", "refusal": text}),
                _ => json!({"type": "output_text", "text": text, "annotations": []}),
            };
            let why = reason(["", "max_output_tokens", "", "content_filter"]);
            json!({
                "model": "served", "status": if why.is_empty() { "completed" } else { "incomplete" },
                "incomplete_details": if why.is_empty() { Value::Null } else { json!({"reason": why}) },
                "output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": [part]}],
                "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20}, "output_tokens": 7},
            })
        }
        ProviderKind::Gemini => json!({
            "candidates": [{
                "content": {"parts": [{"text": "hm", "thought": true}, {"text": text}]},
                "finishReason": reason(["STOP", "MAX_TOKENS", "PROHIBITED_CONTENT", "SAFETY"]),
            }],
            "modelVersion": "served",
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 30, "candidatesTokenCount": 4, "thoughtsTokenCount": 3},
        }),
        ProviderKind::Ollama => json!({
            "model": "served", "message": {"role": "assistant", "content": text, "thinking": "hm"}, "done": true,
            "done_reason": reason(["stop", "length", "stop", "stop"]), "prompt_eval_count": 100, "eval_count": 7,
        }),
        _ => json!({
            "model": "served",
            "choices": [{
                "finish_reason": reason(["stop", "length", "stop", "content_filter"]),
                "message": match stop {
                    StopReason::Refusal => json!({"content": null, "refusal": text}),
                    _ => json!({"content": text, "refusal": null}),
                },
            }],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20}},
        }),
    }
}

#[test]
fn every_dialect_tells_done_cut_off_refused_filtered_and_empty_apart() {
    for kind in OVER_HTTP {
        for stop in [StopReason::Done, StopReason::Length, StopReason::Refusal, StopReason::Filtered, StopReason::Empty]
        {
            let text = if stop == StopReason::Empty { "" } else { "a text" };
            let reply = answer(kind, 200, said(kind, text, stop).to_string().as_bytes()).expect("an answer");
            let wanted = match (kind, stop) {
                // These have one word for both, or none for a refusal.
                (ProviderKind::Anthropic, StopReason::Filtered) => StopReason::Refusal,
                (ProviderKind::Gemini, StopReason::Refusal) => StopReason::Filtered,
                (ProviderKind::Ollama, StopReason::Refusal | StopReason::Filtered) => StopReason::Done,
                _ => stop,
            };
            assert_eq!((reply.stop, reply.text.as_str(), reply.model.as_str()), (wanted, text, "served"), "{kind:?}");
            let usage = reply.usage.expect("usage");
            assert_eq!((usage.all_input(), usage.output), (100, 7), "{kind:?}");
        }
    }
}

#[test]
fn a_blocked_prompt_is_no_malformed_answer() {
    let body =
        br#"{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 9}}"#;
    let reply = answer(ProviderKind::Gemini, 200, body).expect("an answer");
    assert_eq!((reply.stop, reply.text.as_str()), (StopReason::Filtered, "PROHIBITED_CONTENT"));
}

#[test]
fn what_is_no_answer_of_the_dialect_is_said_to_be_none() {
    for kind in OVER_HTTP {
        for body in
            ["", "<html>", "{", "null", "[]", "{}", "\"x\"", "{\"error\": {\"message\": \"busy\", \"code\": 503}}"]
        {
            let error = answer(kind, 200, body.as_bytes()).expect_err(body);
            let is_told = matches!(error, ProviderError::Malformed { .. } | ProviderError::Overloaded { .. });
            assert!(is_told, "{kind:?} {body}: {error}");
        }
    }
}
