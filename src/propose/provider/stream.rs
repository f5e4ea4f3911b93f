//! An answer while it arrives: server-sent events, or Ollama's JSON lines.
//!
//! ```text
//! stream = { [field] line-end }
//! field  = "data:" [" "] json | "data: [DONE]" | "event:" … | ":" comment
//! ```
//!
//! A server that was asked for a stream and answers in one piece is understood
//! as well; lines that are neither are passed over. Bounded: an answer beyond
//! the limit is an error. Reads lines; opens nothing.

use serde_json::Value;

use super::ProviderError;
use super::ProviderKind;
use super::Reply;
use super::StopReason;
use super::Usage;
use super::anthropic;
use super::gemini;
use super::ollama;
use super::openai;
use super::openai_chat;
use super::refused;
use crate::http::HttpError;
use crate::http::Wish;

/// Bytes of an answer, what the model thinks included; more is no answer.
const MOST_BYTES: usize = 2 << 20;

/// What has been understood of a stream so far.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) text: String,
    refusal: String,
    /// Bytes of what the model thinks, which is not kept.
    thought: usize,
    pub(super) stop: Option<StopReason>,
    pub(super) usage: Option<Usage>,
    pub(super) model: String,
    /// Whether the server said that nothing follows.
    pub(super) done: bool,
    pub(super) error: Option<ProviderError>,
}

impl Part {
    /// Adds to the text.
    pub(super) fn say(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
        self.bound();
    }

    /// Adds to what the model thinks.
    pub(super) fn think(&mut self, text: Option<&str>) {
        self.thought += text.unwrap_or_default().len();
        self.bound();
    }

    /// Adds to the words of a refusal.
    pub(super) fn refusal(&mut self, text: Option<&str>) {
        self.refusal.push_str(text.unwrap_or_default());
        self.bound();
    }

    /// Takes a whole reply that repeats what came piece by piece.
    pub(super) fn whole(&mut self, reply: Reply) {
        if !reply.text.is_empty() || reply.stop == StopReason::Refusal {
            self.text = reply.text;
        }
        self.refusal.clear();
        self.stop = Some(reply.stop);
        self.usage = reply.usage;
        self.model = reply.model;
        self.done = true;
        self.bound();
    }

    /// Takes an error in the middle of the stream.
    pub(super) fn fail(&mut self, status: u16, event: &Value) {
        self.error = Some(refused(status, event.to_string().as_bytes()));
    }

    fn bound(&mut self) {
        if self.text.len() + self.thought + self.refusal.len() > MOST_BYTES {
            let detail = format!("it is longer than {MOST_BYTES} bytes");
            self.error = Some(ProviderError::Malformed { detail });
        }
    }
}

/// An answer that is arriving.
#[derive(Debug)]
pub struct Incoming {
    kind: ProviderKind,
    part: Part,
    /// Whether any line was an event.
    is_stream: bool,
    /// Lines of an event's data that has not ended yet.
    data: Vec<u8>,
    /// All lines, as long as none was an event.
    plain: Vec<u8>,
}

/// An answer that did not come to its end.
#[derive(Debug)]
pub struct Unfinished {
    /// Why.
    pub error: ProviderError,
    /// What came before, where there is any.
    pub reply: Option<Reply>,
}

impl Incoming {
    /// An answer of a server of `kind`, of which nothing has come yet.
    pub fn new(kind: ProviderKind) -> Incoming {
        Incoming { kind, part: Part::default(), is_stream: false, data: Vec::new(), plain: Vec::new() }
    }

    /// Takes the next line, without its end.
    pub fn take(&mut self, line: &[u8]) -> Wish {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if self.kind == ProviderKind::Ollama {
            self.json_line(line);
        } else {
            self.event_line(line);
        }
        if !self.is_stream {
            self.plain.extend_from_slice(line);
            self.plain.push(b'\n');
        }
        if self.part.done || self.part.error.is_some() { Wish::Enough } else { Wish::More }
    }

    fn json_line(&mut self, line: &[u8]) {
        let line = line.strip_prefix(b"data:").unwrap_or(line);
        if let Some(event) = object(line) {
            // A whole answer in one line is an event as well.
            self.is_stream = true;
            ollama::take(&mut self.part, &event);
        }
    }

    /// Data of one event may stand in several lines; an empty one ends it.
    fn event_line(&mut self, line: &[u8]) {
        if let Some(data) = line.strip_prefix(b"data:") {
            self.is_stream = true;
            self.plain = Vec::new();
            let data = data.strip_prefix(b" ").unwrap_or(data);
            if object(data).is_some() || data == b"[DONE]" {
                self.dispatch();
            }
            let is_first = self.data.is_empty();
            self.data.extend_from_slice(data);
            self.data.push(b'\n');
            if self.data.len() > MOST_BYTES {
                let detail = format!("an event is longer than {MOST_BYTES} bytes");
                self.part.error = Some(ProviderError::Malformed { detail });
            }
            // One line is nearly always a whole event: what it brings need
            // not wait for the next line. Parsing at every further line would
            // take quadratic time.
            if is_first && object(&self.data).is_some() || data == b"[DONE]" {
                self.dispatch();
            }
        } else if line.is_empty() {
            self.dispatch();
        } else if line.starts_with(b"event:") {
            self.is_stream = true;
            self.dispatch();
        }
    }

    fn dispatch(&mut self) {
        let data = std::mem::take(&mut self.data);
        if data.trim_ascii() == b"[DONE]" {
            self.part.done = true;
            return;
        }
        let Some(event) = object(&data) else { return };
        match self.kind {
            ProviderKind::Anthropic => anthropic::take(&mut self.part, &event),
            ProviderKind::OpenAi => openai::take(&mut self.part, &event),
            ProviderKind::Gemini => gemini::take(&mut self.part, &event),
            _ => openai_chat::take(&mut self.part, &event),
        }
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.part.text
    }

    /// Tokens of output so far, thinking included: as the server says, or as
    /// a mean guess.
    pub fn output_tokens(&self) -> u64 {
        let said = self.part.usage.map_or(0, |usage| usage.output);
        said.max(((self.part.text.len() + self.part.thought + self.part.refusal.len()) / 4) as u64)
    }

    /// The reply, where it came whole. `broke` is why the connection ended, if
    /// not by the server's wish; what it cuts off behind the end is no loss.
    ///
    /// # Errors
    /// Why it did not come whole, and what came.
    pub fn finish(mut self, status: u16, broke: Option<HttpError>) -> Result<Reply, Box<Unfinished>> {
        self.dispatch();
        if !self.is_stream {
            let error = match broke {
                Some(broke) => broke.into(),
                None => match self.whole(status) {
                    Ok(reply) => return Ok(reply),
                    Err(error) => error,
                },
            };
            return Err(Box::new(Unfinished { error, reply: None }));
        }
        let Part { mut text, refusal, stop, usage, model, done, error, .. } = self.part;
        let is_whole = error.is_none() && (done || stop.is_some());
        // What came before a refusal may hold a whole patch, on trial already.
        if !refusal.is_empty() {
            text = if text.trim().is_empty() { refusal.clone() } else { format!("{text}\n{refusal}") };
        }
        let stop = match stop {
            _ if !is_whole => StopReason::CutOff,
            _ if !refusal.is_empty() => StopReason::Refusal,
            stop => stop.unwrap_or(StopReason::Done),
        };
        let reply = Reply { text, stop, usage: usage.filter(|_| is_whole), model };
        if is_whole {
            return Ok(reply.with_its_end());
        }
        let came = reply.text.len();
        let cut = || ProviderError::CutOff { detail: format!("the stream ended after {came} bytes of text") };
        let error = error.or(broke.map(ProviderError::from)).unwrap_or_else(cut);
        Err(Box::new(Unfinished { error, reply: Some(reply).filter(|reply| !reply.text.is_empty()) }))
    }

    /// The reply of a server that answered in one piece.
    fn whole(&self, status: u16) -> Result<Reply, ProviderError> {
        // Gemini streams a list where the wish for events was lost on the way.
        if let (ProviderKind::Gemini, Ok(Value::Array(events))) = (self.kind, serde_json::from_slice(&self.plain)) {
            let mut part = Part::default();
            events.iter().for_each(|event| gemini::take(&mut part, event));
            if let (None, Some(stop)) = (&part.error, part.stop) {
                return Ok(Reply { text: part.text, stop, usage: part.usage, model: part.model }.with_its_end());
            }
        }
        super::answer(self.kind, status, &self.plain)
    }
}

/// The JSON object that `bytes` are, invalid UTF-8 replaced.
fn object(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.trim_ascii();
    if bytes.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_str(&String::from_utf8_lossy(bytes)).ok()
}
