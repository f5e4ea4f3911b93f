//! A model's server that fails in every way, in five dialects, plain and
//! streamed. One fault a server; counts requests and the bytes it got rid of.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

pub struct Server {
    pub address: String,
    pub requests: Arc<AtomicUsize>,
    pub written: Arc<AtomicUsize>,
}

impl Server {
    /// Answers in `dialect` with `text`, as `fault` says; `away` is where a
    /// redirect to another host leads.
    pub fn start(dialect: &'static str, fault: &'static str, text: String, away: String) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Server { address, requests: Arc::default(), written: Arc::default() };
        let (requests, written) = (server.requests.clone(), server.written.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (text, away, requests, written) = (text.clone(), away.clone(), requests.clone(), written.clone());
                std::thread::spawn(move || {
                    let mut talk = Talk { stream, written };
                    // The client may leave at any moment.
                    let _ = talk.serve(dialect, fault, &text, &away, &requests);
                });
            }
        });
        server
    }
}

struct Talk {
    stream: TcpStream,
    written: Arc<AtomicUsize>,
}

impl Talk {
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.written.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    }

    fn head(&mut self, status: u16, kind: &str, more: &str) -> std::io::Result<()> {
        self.send(format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n{more}\r\n").as_bytes())
    }

    fn whole(&mut self, status: u16, kind: &str, more: &str, body: &[u8]) -> std::io::Result<()> {
        self.head(status, kind, &format!("content-length: {}\r\n{more}", body.len()))?;
        self.send(body)
    }

    /// Reads a request; its path and body.
    fn request(&mut self) -> std::io::Result<(String, Vec<u8>)> {
        let mut seen = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            let head = seen.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = head {
                let text = String::from_utf8_lossy(&seen[..end]).to_lowercase();
                let length = text.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
                let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                if seen.len() >= end + 4 + length {
                    let path = String::from_utf8_lossy(&seen).split(' ').nth(1).unwrap_or_default().to_owned();
                    return Ok((path, seen[end + 4..].to_vec()));
                }
            }
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            seen.extend_from_slice(&buffer[..count]);
        }
    }

    fn hang(&mut self) -> std::io::Result<()> {
        // Ends when the client leaves.
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer)? > 0 {}
        Ok(())
    }

    fn serve(
        &mut self,
        dialect: &str,
        fault: &str,
        text: &str,
        away: &str,
        requests: &AtomicUsize,
    ) -> std::io::Result<()> {
        if fault == "hang_accept" {
            requests.fetch_add(1, Ordering::SeqCst);
            return self.hang();
        }
        let (path, body) = self.request()?;
        if path.ends_with("/api/show") {
            return self.whole(404, "text/plain", "", b"no such page");
        }
        let nth = requests.fetch_add(1, Ordering::SeqCst);
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let streamed = asked["stream"].as_bool().unwrap_or(path.contains(":streamGenerateContent"));
        let again = "retry-after-ms: 1\r\n";
        let (status, name) = fault.split_once('_').unwrap_or((fault, ""));
        if let Ok(status) = status.parse::<u16>() {
            let (more, error) = match name {
                "once" if nth > 0 => ("", None),
                "quota" => (again, Some(quota(dialect))),
                "never" => ("x-should-retry: false\r\n", Some(refusal(dialect, status))),
                "far" => ("retry-after: 7200\r\n", Some(refusal(dialect, status))),
                _ => (again, Some(refusal(dialect, status))),
            };
            if let Some(error) = error {
                return self.whole(status, "application/json", more, error.to_string().as_bytes());
            }
        }
        match fault {
            "close_before" => return self.stream.shutdown(Shutdown::Both),
            "hang" => return self.hang(),
            "html" => return self.whole(200, "text/html", "", b"<!doctype html><h1>Sign in</h1>"),
            "nothing" => return self.whole(200, "application/json", "", b""),
            "redirect" if !path.starts_with("/moved") => {
                return self.whole(307, "text/plain", &format!("location: /moved{path}\r\n"), b"");
            }
            "redirect_away" => return self.whole(307, "text/plain", &format!("location: {away}/\r\n"), b""),
            _ => {}
        }
        let text = match fault {
            "empty" | "null_content" | "content_filter" | "no_choices" => String::new(),
            "prose" => format!("Sure! Here it is:\n\n```json\n{text}\n```\n\nAnything else?"),
            "twice" => format!("{text}\n{text}"),
            "length" => text[..text.len() * 2 / 3].to_owned(),
            _ => text.to_owned(),
        };
        let stop = match fault {
            "length" => "length",
            "content_filter" => "filter",
            _ => "done",
        };
        if streamed && fault != "wrong_type_whole" {
            return self.stream_out(dialect, fault, &text, stop);
        }
        let mut value = whole(dialect, &text, stop, fault == "null_content");
        match fault {
            "no_choices" => {
                for name in ["choices", "candidates", "output", "content", "message"] {
                    if value.get(name).is_some() {
                        value[name] = json!([]);
                    }
                }
            }
            "no_usage" => {
                for name in ["usage", "usageMetadata", "prompt_eval_count", "eval_count"] {
                    value.as_object_mut().map(|map| map.remove(name));
                }
            }
            "extra" => value["x_unknown"] = json!({"a": [1, {"b": null}], "z": 1e308}),
            "error_amid" => value = refusal(dialect, 529),
            _ => {}
        }
        let mut body = value.to_string().into_bytes();
        match fault {
            "bom" => body.splice(..0, *b"\xef\xbb\xbf").for_each(drop),
            "bad_utf8" => {
                let at = body.windows(5).position(|window| window == b"wrong").expect("a place");
                body.splice(at..at, *b"\xff\xfe").for_each(drop);
            }
            "truncated" => body.truncate(body.len() / 2),
            "huge" | "endless" => return self.flood(b" ", "application/json"),
            "close_mid" | "hang_mid" => {
                self.head(200, "application/json", &format!("content-length: {}\r\n", body.len()))?;
                self.send(&body[..body.len() / 2])?;
                return if fault == "hang_mid" { self.hang() } else { self.stream.shutdown(Shutdown::Both) };
            }
            "drip" => {
                self.head(200, "application/json", &format!("content-length: {}\r\n", body.len()))?;
                for byte in body {
                    self.send(&[byte])?;
                    std::thread::sleep(Duration::from_micros(200));
                }
                return Ok(());
            }
            _ => {}
        }
        let kind = if fault.starts_with("wrong_type") { "text/html" } else { "application/json" };
        self.whole(200, kind, "", &body)
    }

    /// More than anyone should read.
    fn flood(&mut self, piece: &[u8], kind: &str) -> std::io::Result<()> {
        self.head(200, kind, "")?;
        let block = piece.repeat((1 << 16) / piece.len() + 1);
        for _ in 0..2000 {
            self.send(&block)?;
        }
        Ok(())
    }

    fn stream_out(&mut self, dialect: &str, fault: &str, text: &str, stop: &str) -> std::io::Result<()> {
        let kind = match (dialect, fault) {
            (_, "wrong_type") => "text/html",
            ("ollama", _) => "application/x-ndjson",
            _ => "text/event-stream",
        };
        let events = events(dialect, text, stop);
        let framed = |event: &Value| match (dialect, event["type"].as_str()) {
            ("ollama", _) => format!("{event}\n"),
            (_, Some(name)) => format!("event: {name}\ndata: {event}\n\n"),
            (_, None) => format!("data: {event}\n\n"),
        };
        let mut frames: Vec<Vec<u8>> = events.iter().map(|event| framed(event).into_bytes()).collect();
        if dialect == "openai-chat" {
            frames.push(b"data: [DONE]\n\n".to_vec());
        }
        let middle = frames.len() / 2;
        match fault {
            "no_choices" => frames = frames.split_off(frames.len() - 1),
            "no_usage" => frames.iter_mut().for_each(|frame| {
                let text = String::from_utf8_lossy(frame).into_owned();
                *frame = text.replace("usage", "usagf").replace("eval_count", "eval_counu").into_bytes();
            }),
            "extra" => frames.insert(middle, framed(&json!({"type": "mystery", "zz": 1e308})).into_bytes()),
            "bom" => frames[0].splice(..0, *b"\xef\xbb\xbf").for_each(drop),
            "bad_utf8" => {
                let frame = frames.iter_mut().find(|frame| frame.windows(5).any(|window| window == b"wrong"));
                let frame = frame.expect("a place");
                let at = frame.windows(5).position(|window| window == b"wrong").expect("a place");
                frame.splice(at..at, *b"\xff\xfe").for_each(drop);
            }
            "truncated" | "close_mid" | "hang_mid" | "no_end" | "error_amid" => {
                // The first patch has come whole by then, in the middle of the second.
                let end = frames.len() - ends(dialect);
                frames.truncate(if fault == "no_end" { end } else { end - 8 });
            }
            "junk" => {
                let mark = if dialect == "ollama" { "" } else { "data:" };
                let junk =
                    format!("garbage\n\n{mark}{{\"broken\":\n\n{mark}\n\n{mark}[1]\n\n{mark}null\r\n\r\n: word\n\n");
                frames.insert(middle, junk.into_bytes());
            }
            _ => {}
        }
        match fault {
            "huge" => return self.flood(b"\n", kind),
            "endless" => {
                let piece = frames[middle].clone();
                return self.flood(&piece, kind);
            }
            "long_line" => return self.flood(b"x", kind),
            _ => {}
        }
        let length: usize = frames.iter().map(Vec::len).sum();
        let broken = matches!(fault, "close_mid" | "hang_mid");
        let length = if broken { format!("content-length: {}\r\n", length + 9) } else { String::new() };
        self.head(200, kind, &length)?;
        for frame in &frames {
            if fault == "drip" {
                for byte in frame {
                    self.send(&[*byte])?;
                }
            } else {
                self.send(frame)?;
            }
        }
        match fault {
            "truncated" => self.send(b"data: {\"choices\": [{\"del"),
            "error_amid" => {
                let error = refusal(dialect, 529);
                let error =
                    if dialect == "openai" { json!({"type": "error", "code": "x", "message": "busy"}) } else { error };
                self.send(framed(&error).as_bytes())
            }
            "hang_mid" => self.hang(),
            _ => self.stream.shutdown(Shutdown::Both),
        }
    }
}

/// How many events end a stream.
fn ends(dialect: &str) -> usize {
    match dialect {
        "anthropic" => 2,
        "openai-chat" => 3,
        _ => 1,
    }
}

fn refusal(dialect: &str, status: u16) -> Value {
    let kind = if status == 529 { "overloaded_error" } else { "some_error" };
    match dialect {
        "anthropic" => json!({"type": "error", "error": {"type": kind, "message": "busy"}}),
        "gemini" => json!({"error": {"code": status, "message": "busy", "status": "UNAVAILABLE"}}),
        "ollama" => json!({"error": "busy"}),
        _ => json!({"error": {"message": "busy", "type": kind, "code": null}}),
    }
}

fn quota(dialect: &str) -> Value {
    match dialect {
        "gemini" => json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED",
            "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]}}),
        "anthropic" => json!({"type": "error", "error": {"type": "billing_error", "message": "m"}}),
        _ => json!({"error": {"message": "m", "type": "x", "code": "insufficient_quota"}}),
    }
}

/// The answer in one piece.
fn whole(dialect: &str, text: &str, stop: &str, null: bool) -> Value {
    let text = if null { Value::Null } else { text.into() };
    let reason = |done: &str, length: &str, filter: &str| match stop {
        "length" => length.to_owned(),
        "filter" => filter.to_owned(),
        _ => done.to_owned(),
    };
    match dialect {
        "anthropic" => json!({"type": "message", "model": "m", "content": [{"type": "text", "text": text}],
            "stop_reason": reason("end_turn", "max_tokens", "refusal"), "usage": {"input_tokens": 100, "output_tokens": 7}}),
        "openai" => {
            json!({"object": "response", "model": "m", "status": reason("completed", "incomplete", "incomplete"),
            "incomplete_details": match stop {
                "length" => json!({"reason": "max_output_tokens"}),
                "filter" => json!({"reason": "content_filter"}),
                _ => Value::Null,
            },
            "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
            "usage": {"input_tokens": 100, "output_tokens": 7}})
        }
        "gemini" => json!({"modelVersion": "m", "candidates": [{"content": {"parts": [{"text": text}]},
            "finishReason": reason("STOP", "MAX_TOKENS", "SAFETY")}],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 7}}),
        "ollama" => json!({"model": "m", "message": {"content": text}, "done": true,
            "done_reason": reason("stop", "length", "stop"), "prompt_eval_count": 100, "eval_count": 7}),
        _ => json!({"model": "m", "choices": [{"message": {"content": text},
            "finish_reason": reason("stop", "length", "content_filter")}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7}}),
    }
}

/// The answer in pieces.
fn events(dialect: &str, text: &str, stop: &str) -> Vec<Value> {
    let chars: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = chars.chunks(12).map(|piece| piece.iter().collect()).collect();
    let last = whole(dialect, "", stop, false);
    let pieces = pieces.iter();
    match dialect {
        "anthropic" => {
            let mut events = vec![
                json!({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 100, "output_tokens": 1}}}),
            ];
            events.extend(
                pieces
                    .map(|text| json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})),
            );
            events.push(json!({"type": "message_delta", "delta": {"stop_reason": last["stop_reason"]}, "usage": {"output_tokens": 7}}));
            events.push(json!({"type": "message_stop"}));
            events
        }
        "openai" => {
            let mut events = vec![json!({"type": "response.created", "response": {"model": "m"}})];
            events.extend(pieces.map(|text| json!({"type": "response.output_text.delta", "delta": text})));
            let name = if stop == "done" { "response.completed" } else { "response.incomplete" };
            events.push(json!({"type": name, "response": whole(dialect, text, stop, false)}));
            events
        }
        "gemini" => {
            let piece =
                |text: &String| json!({"modelVersion": "m", "candidates": [{"content": {"parts": [{"text": text}]}}]});
            pieces.map(piece).chain([last]).collect()
        }
        "ollama" => pieces
            .map(|text| json!({"model": "m", "message": {"content": text}, "done": false}))
            .chain([last])
            .collect(),
        _ => {
            let chunk = |delta: Value, reason: &Value| json!({"model": "m", "choices": [{"delta": delta, "finish_reason": reason}]});
            let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), &Value::Null)];
            events.extend(pieces.map(|text| chunk(json!({"content": text}), &Value::Null)));
            events.push(chunk(json!({}), &last["choices"][0]["finish_reason"]));
            events.push(json!({"choices": [], "usage": last["usage"]}));
            events
        }
    }
}
