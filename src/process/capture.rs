//! Bounded keeping of one output: its beginning and its end.
//!
//! Works in memory that does not grow with the output; never reads a pipe.

use std::collections::VecDeque;

use super::Captured;

/// The first quarter and the last three quarters of what was pushed.
#[derive(Debug)]
pub(super) struct Capture {
    head_limit: usize,
    tail_limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    seen: u64,
}

impl Capture {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Capture {
        let head_limit = limit / 4;
        Capture { head_limit, tail_limit: limit - head_limit, head: Vec::new(), tail: VecDeque::new(), seen: 0 }
    }

    /// Takes the next bytes of the output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(self.head_limit - self.head.len()));
        self.head.extend_from_slice(first);
        let rest = &rest[rest.len().saturating_sub(self.tail_limit)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.tail_limit);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// Everything as bytes, and how many were dropped from the middle.
    pub(super) fn into_bytes(self) -> (Vec<u8>, u64) {
        let dropped = self.dropped();
        let mut bytes = self.head;
        bytes.extend(self.tail);
        (bytes, dropped)
    }

    /// Everything as text, with a line where bytes were dropped.
    pub(super) fn into_captured(self) -> Captured {
        let dropped = self.dropped();
        if dropped == 0 {
            let (bytes, _) = self.into_bytes();
            return Captured { text: lossy(bytes), dropped };
        }
        let tail: Vec<u8> = self.tail.into();
        let (head, tail) = (whole_end(&self.head), whole_start(&tail));
        let text = format!(
            "{}\n[heal: {dropped} bytes dropped here]\n{}",
            String::from_utf8_lossy(head),
            String::from_utf8_lossy(tail)
        );
        Captured { text, dropped }
    }

    fn dropped(&self) -> u64 {
        self.seen - self.head.len() as u64 - self.tail.len() as u64
    }
}

/// Text of `bytes`, copied only where they are not UTF-8.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Without a character that was cut off at the end.
fn whole_end(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

/// Without the rest of a character whose beginning was dropped.
fn whole_start(bytes: &[u8]) -> &[u8] {
    let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    &bytes[cut..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(limit: usize, pieces: &[&[u8]]) -> Captured {
        let mut capture = Capture::new(limit);
        pieces.iter().for_each(|piece| capture.push(piece));
        capture.into_captured()
    }

    #[test]
    fn an_output_within_the_limit_is_kept_whole() {
        assert_eq!(captured(8, &[b"abcd", b"efgh"]), Captured { text: "abcdefgh".into(), dropped: 0 });
        assert_eq!(captured(8, &[b"a\xff"]).text, "a\u{fffd}");
    }

    #[test]
    fn beginning_and_end_of_a_long_output_are_kept() {
        let pieces: Vec<Vec<u8>> = (0..1000).map(|n| format!("{n:04}").into_bytes()).collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let wanted = "0000\n[heal: 3984 bytes dropped here]\n099709980999";
        assert_eq!(captured(16, &pieces), Captured { text: wanted.into(), dropped: 3984 });
    }

    #[test]
    fn a_cut_does_not_tear_a_character() {
        let text = captured(8, &["aé".repeat(9).as_bytes()]).text;
        assert!(!text.contains('\u{fffd}'), "{text}");
    }

    #[test]
    fn no_limit_at_all_keeps_nothing() {
        assert_eq!(captured(0, &[b"abc"]).dropped, 3);
    }
}
