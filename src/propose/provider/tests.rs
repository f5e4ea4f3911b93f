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
    let shape = Shape { format, old_limit: false, streamed: true };
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

/// The stream of a server of `kind` that says `pieces` and is then done.
fn streamed(kind: ProviderKind, pieces: &[&str]) -> String {
    let mut events: Vec<Value> = Vec::new();
    match kind {
        ProviderKind::Anthropic => {
            let usage = json!({"input_tokens": 50, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20, "output_tokens": 1});
            events.push(json!({"type": "message_start", "message": {"model": "served", "usage": usage}}));
            events.push(json!({"type": "ping"}));
            let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
            events.push(delta(json!({"type": "thinking_delta", "thinking": "hm"})));
            events.extend(pieces.iter().map(|text| delta(json!({"type": "text_delta", "text": text}))));
            events.push(
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
            );
            events.push(json!({"type": "message_stop"}));
        }
        ProviderKind::OpenAi => {
            events.push(json!({"type": "response.created", "response": {"model": "served"}}));
            events.push(json!({"type": "response.reasoning_text.delta", "delta": "hm"}));
            events.extend(pieces.iter().map(|text| json!({"type": "response.output_text.delta", "delta": text})));
            let whole = said(kind, &pieces.concat(), StopReason::Done);
            events.push(json!({"type": "response.completed", "response": whole}));
        }
        ProviderKind::Gemini => {
            let piece = |text: &str, thought| json!({"modelVersion": "served", "candidates": [{"content": {"parts": [{"text": text, "thought": thought}]}}]});
            events.push(piece("hm", true));
            events.extend(pieces.iter().map(|text| piece(text, false)));
            events.push(said(kind, "", StopReason::Done));
        }
        ProviderKind::Ollama => {
            events.extend(
                pieces.iter().map(|text| json!({"model": "served", "message": {"content": text}, "done": false})),
            );
            events.push(said(kind, "", StopReason::Done));
        }
        _ => {
            let chunk = |delta: Value, reason: Value| json!({"model": "served", "choices": [{"delta": delta, "finish_reason": reason}]});
            events.push(chunk(json!({"role": "assistant", "content": "", "reasoning_content": "hm"}), Value::Null));
            events.extend(pieces.iter().map(|text| chunk(json!({"content": text}), Value::Null)));
            events.push(chunk(json!({}), json!("stop")));
            events.push(json!({"choices": [], "usage": said(kind, "", StopReason::Done)["usage"]}));
        }
    }
    let framed = |event: &Value| match (kind, event["type"].as_str()) {
        (ProviderKind::Ollama, _) => format!("{event}\n"),
        (_, Some(name)) => format!("event: {name}\ndata: {event}\n\n"),
        (_, None) => format!("data: {event}\n\n"),
    };
    let end = if kind == ProviderKind::OpenAiChat { "data: [DONE]\n\n" } else { "" };
    events.iter().map(framed).collect::<String>() + end
}

fn heard(kind: ProviderKind, body: &str) -> Result<Reply, Box<Unfinished>> {
    let mut incoming = Incoming::new(kind);
    for line in body.split('\n') {
        if incoming.take(line.trim_end_matches('\r').as_bytes()) == crate::http::Wish::Enough {
            break;
        }
    }
    incoming.finish(200, None)
}

#[test]
fn a_streamed_answer_is_the_whole_one_in_every_dialect() {
    for kind in OVER_HTTP {
        let reply = heard(kind, &streamed(kind, &["a ", "te", "xt «é»"])).expect("whole");
        assert_eq!((reply.text.as_str(), reply.stop, reply.model.as_str()), ("a text «é»", StopReason::Done, "served"));
        let usage = reply.usage.expect("usage");
        assert_eq!((usage.all_input(), usage.output), (100, 7), "{kind:?}");
        assert_eq!(heard(kind, &streamed(kind, &[])).expect("whole").stop, StopReason::Empty, "{kind:?}");
    }
}

#[test]
fn comments_junk_broken_events_and_other_line_ends_are_passed_over() {
    for kind in OVER_HTTP {
        let body = streamed(kind, &["a ", "text"]);
        let mark = if kind == ProviderKind::Ollama { "" } else { "data: " };
        let junk = format!("\u{feff}: comment\nretry: 3\ngarbage\n{mark}{{\"broken\": \n\n{mark}[1]\n\n{body}");
        for body in [junk.clone(), junk.replace('\n', "\r\n"), body.replace("data: ", "data:")] {
            assert_eq!(heard(kind, &body).expect("whole").text, "a text", "{kind:?}\n{body}");
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_told_from_a_whole_one() {
    for kind in OVER_HTTP {
        let body = streamed(kind, &["a ", "text"]);
        let mut whole = 0;
        for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)) {
            match heard(kind, &body[..end]) {
                Ok(reply) => {
                    whole += 1;
                    assert_eq!(reply.text, "a text", "{kind:?} at {end}");
                }
                Err(unfinished) => {
                    assert!(unfinished.error.may_be_billed(), "{kind:?} at {end}: {}", unfinished.error);
                    let came = unfinished.reply.map(|reply| (reply.stop, reply.text));
                    assert!(
                        came.as_ref()
                            .is_none_or(|(stop, text)| *stop == StopReason::CutOff && "a text".starts_with(text)),
                        "{came:?}"
                    );
                }
            }
        }
        assert!(whole < body.len() / 2, "{kind:?}: {whole} of {}", body.len());
    }
}

#[test]
fn an_error_amid_a_stream_is_the_servers_word_and_what_came_is_kept() {
    for kind in OVER_HTTP {
        let body = streamed(kind, &["a ", "text"]);
        let error = match kind {
            ProviderKind::Anthropic => {
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
            }
            ProviderKind::OpenAi => json!({"type": "error", "code": "server_error", "message": "busy"}),
            ProviderKind::Ollama => json!({"error": "busy"}),
            _ => json!({"error": {"code": 503, "message": "busy"}}),
        };
        let mark = if kind == ProviderKind::Ollama { "" } else { "data: " };
        let middle = body.find("a ").expect("a piece");
        let middle = middle + body[middle..].find('\n').expect("its end") + 1;
        let unfinished = heard(kind, &format!("{}{mark}{error}\n\n", &body[..middle])).expect_err("an error");
        assert!(unfinished.error.to_string().contains("busy"), "{kind:?}: {}", unfinished.error);
        assert!(matches!(unfinished.error, ProviderError::Overloaded { .. }), "{kind:?}");
        assert_eq!(unfinished.reply.map(|reply| reply.text).as_deref(), Some("a "), "{kind:?}");
    }
}

#[test]
fn what_came_before_a_refusal_is_kept_with_it() {
    let chunk = |delta: Value| format!("data: {}\n\n", json!({"model": "m", "choices": [{"delta": delta}]}));
    let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
    for (before, wanted) in [("{\"a\": 1}", "{\"a\": 1}\nI will not"), ("", "I will not")] {
        let text = [
            chunk(json!({"content": before})),
            chunk(json!({"refusal": "I will "})),
            chunk(json!({"refusal": "not"})),
            format!("data: {end}\n\ndata: [DONE]\n\n"),
        ]
        .concat();
        let reply = heard(ProviderKind::OpenAiChat, &text).expect("whole");
        assert_eq!((reply.text.as_str(), reply.stop), (wanted, StopReason::Refusal));
    }
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    for kind in OVER_HTTP {
        let whole = said(kind, "a text", StopReason::Done);
        for body in [whole.to_string(), serde_json::to_string_pretty(&whole).expect("json"), format!("\u{feff}{whole}")]
        {
            assert_eq!(heard(kind, &body).expect("whole").text, "a text", "{kind:?}");
        }
    }
    let events = format!(
        "[{}]",
        [said(ProviderKind::Gemini, "a ", StopReason::Done), said(ProviderKind::Gemini, "text", StopReason::Done)]
            .map(|event| event.to_string())
            .join(",\n")
    );
    assert_eq!(heard(ProviderKind::Gemini, &events).expect("whole").text, "a text");
}

#[test]
fn an_endless_answer_ends_at_its_bound() {
    for kind in OVER_HTTP {
        let body = streamed(kind, &[&"x".repeat(100_000)]);
        let piece = body.split_inclusive('\n').find(|line| line.len() > 100_000).expect("the piece").trim_end();
        let mut incoming = Incoming::new(kind);
        let taken = (0..1000).take_while(|_| incoming.take(piece.as_bytes()) == crate::http::Wish::More).count();
        assert!(taken < 25, "{kind:?}: {taken}");
        assert!(incoming.finish(200, None).is_err(), "{kind:?}");
    }
}
