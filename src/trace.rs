//! Stack traces and logs that come without a runner's machine format.
//!
//! Reads text; never runs anything.

pub mod framing;
pub mod places;
pub mod python;
pub mod rust;

use crate::failure::Failure;
use crate::source::RelPath;
use crate::trace::places::Places;

/// A reader of one language's traces: text without framing, the repository's
/// files, and the folder that relative paths start from.
type Reader = fn(&str, &Places, &RelPath) -> Vec<Failure>;

/// The readers; each takes what it knows and leaves the rest.
const READERS: &[Reader] = &[rust::failures, python::failures];

/// The failures that a log or a trace tells of, colours and CI framing taken
/// off first. `near` is the folder that relative paths start from.
pub fn failures(text: &[u8], places: &Places, near: &RelPath) -> Vec<Failure> {
    let text = framing::strip(text);
    READERS.iter().flat_map(|read| read(&text, places, near)).collect()
}

/// `text` cut to what a failure keeps of its output: the first quarter and the
/// last three.
pub(crate) fn bounded(text: &str) -> String {
    bounded_to(text, Failure::OUTPUT_LIMIT)
}

/// `text` cut to `limit` bytes: the first quarter and the last three.
pub(crate) fn bounded_to(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let note = format!("\n… {} bytes left out …\n", text.len() - limit);
    let room = limit - note.len().min(limit);
    let head = &text[..text.floor_char_boundary(room / 4)];
    let tail = &text[text.ceil_char_boundary(text.len() - (room - room / 4))..];
    format!("{head}{note}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_is_cut_in_the_middle_at_whole_characters() {
        let text = "é".repeat(Failure::OUTPUT_LIMIT);
        let cut = bounded(&text);
        assert!(cut.len() <= Failure::OUTPUT_LIMIT && cut.starts_with('é') && cut.ends_with('é'), "{}", cut.len());
        assert!(cut.contains("bytes left out"));
    }
}
