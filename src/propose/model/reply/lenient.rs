//! JSON as models write it: inside prose, with single quotes, trailing commas,
//! raw line ends in strings, or cut off.
//!
//! ```text
//! value  = object | array | string | number | word
//! object = "{" { (string | name) ":" value [","] } "}"
//! array  = "[" { value [","] } "]"
//! string = any of ", ' and ` around characters and escapes
//! ```
//!
//! Linear in the text: what has been read is never read again, but for a few
//! false starts. Reads text; decides nothing about its meaning.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Map;
use serde_json::Value;

/// Deeper nesting is no reply.
const DEEPEST: usize = 48;
/// Objects that have no end and were not meant as JSON, before heal gives up.
const FALSE_STARTS: usize = 16;
/// The key that marks an object which the text's end cut off.
pub(super) const CUT: &str = "\u{0}cut";

/// Where an object, or a list of them, may start.
static START: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:\[\s*)?\{\s*["'][A-Za-z_]\w*["']\s*:"#).expect("the pattern is valid"));

/// Every JSON object or list of objects in `text`, in order, that `is_meant`.
pub(super) fn values_in(text: &str, is_meant: &dyn Fn(&Value) -> bool) -> Vec<Value> {
    let mut values = Vec::new();
    let mut false_starts = 0;
    let mut at = 0;
    while let Some(start) = START.find_at(text, at) {
        let mut reader = Reader { text, bytes: text.as_bytes(), at: start.start(), cut: false };
        let value = reader.value(0);
        at = reader.at.max(start.start() + 1);
        match value {
            Some(value) if is_meant(&value) => values.push(value),
            // A quote in prose has swallowed the rest of the text.
            _ if reader.cut && false_starts < FALSE_STARTS => {
                false_starts += 1;
                at = start.start() + 1;
            }
            _ => {}
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    values
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Whether the text ended inside a value.
    cut: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, also: u8) {
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() || byte == also {
                self.at += 1;
            } else if self.bytes[self.at..].starts_with(b"//") {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    /// The value here; `None` where there is none. A value that the text's
    /// end cuts off is given as far as it goes, and sets `cut`.
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.skip(b' ');
        match self.peek() {
            None => {
                self.cut = true;
                None
            }
            Some(_) if depth > DEEPEST => None,
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(quote @ (b'"' | b'\'' | b'`')) => Some(Value::String(self.string(quote))),
            Some(_) => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut map = Map::new();
        loop {
            self.skip(b',');
            let key = match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Some(Value::Object(map));
                }
                Some(quote @ (b'"' | b'\'')) => self.string(quote),
                Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => self.name(),
                Some(_) => return None,
                None => {
                    self.cut = true;
                    String::new()
                }
            };
            self.skip(b' ');
            if !self.cut && self.peek().is_some() {
                if self.peek() != Some(b':') {
                    return None;
                }
                self.at += 1;
                let value = self.value(depth + 1);
                match value {
                    Some(value) => map.insert(key, value),
                    None if self.cut => None,
                    None => return None,
                };
            } else {
                self.cut = true;
            }
            if self.cut {
                map.insert(CUT.to_owned(), Value::Bool(true));
                return Some(Value::Object(map));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip(b',');
            if self.peek() == Some(b']') {
                self.at += 1;
                return Some(Value::Array(items));
            }
            match self.value(depth + 1) {
                Some(item) => items.push(item),
                None if self.cut => {}
                None => return None,
            }
            if self.cut {
                return Some(Value::Array(items));
            }
        }
    }

    fn string(&mut self, quote: u8) -> String {
        self.at += 1;
        let mut out = String::new();
        let mut from = self.at;
        loop {
            match self.peek() {
                None => {
                    self.cut = true;
                    out.push_str(&self.text[from..]);
                    return out;
                }
                Some(byte) if byte == quote => {
                    out.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    return out;
                }
                Some(b'\\') => {
                    out.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    self.escape(&mut out);
                    from = self.at;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// Reads what follows a backslash; one that escapes nothing stays (`\d`).
    fn escape(&mut self, out: &mut String) {
        let Some(next) = self.text[self.at..].chars().next() else { return };
        self.at += next.len_utf8();
        match next {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            '"' | '\'' | '\\' | '/' | '`' => out.push(next),
            '\n' => {}
            'u' => {
                let first = self.hex();
                let second = first.filter(|unit| (0xd800..0xdc00).contains(unit)).and_then(|_| {
                    self.bytes[self.at..].starts_with(b"\\u").then(|| self.at += 2)?;
                    self.hex()
                });
                let units: Vec<u16> = first.into_iter().chain(second).collect();
                match units.as_slice() {
                    [] => out.push_str("\\u"),
                    units => out.push_str(&String::from_utf16_lossy(units)),
                }
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }

    fn hex(&mut self) -> Option<u16> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(unit)
    }

    fn name(&mut self) -> String {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        self.text[from..self.at].to_owned()
    }

    /// A number, `true`, `null`, or Python's `True` and `None`.
    fn word(&mut self) -> Option<Value> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')) {
            self.at += 1;
        }
        self.cut |= self.at == self.bytes.len();
        match &self.text[from..self.at] {
            "true" | "True" => Some(Value::Bool(true)),
            "false" | "False" => Some(Value::Bool(false)),
            "null" | "None" | "undefined" => Some(Value::Null),
            number => number.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        }
    }
}
