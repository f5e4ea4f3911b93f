//! Stack traces and logs that come without a runner's machine format.
//!
//! Reads text; never runs anything.

pub mod condense;
pub mod documents;
pub mod framing;
pub mod go;
pub mod ground;
pub mod java;
pub mod javascript;
pub mod junit;
pub mod killed;
pub mod native;
pub mod places;
pub mod python;
pub mod rust;
pub mod sentry;
#[cfg(test)]
mod table;
#[cfg(test)]
mod work;

use crate::failure::Failure;
use crate::source::RelPath;
use crate::trace::ground::Ground;
use crate::trace::places::Places;

/// A reader of one language's traces: text without framing, and where it
/// stands.
type Reader = fn(&str, Ground<'_>) -> Vec<Failure>;

/// The readers of text; each takes what it knows and leaves the rest.
const READERS: &[Reader] = &[
    |text, ground| rust::failures(text, ground.places, ground.near),
    |text, ground| python::failures(text, ground.places, ground.near),
    javascript::failures,
    go::failures,
    java::failures,
    native::failures,
];

/// The failures that a log, a trace or a report tells of, colours and CI
/// framing taken off first. `near` is the folder that relative paths start
/// from.
pub fn failures(text: &[u8], places: &Places, near: &RelPath) -> Vec<Failure> {
    let text = framing::strip(text);
    let ground = Ground { places, near };
    if text.trim_start().starts_with('<') && junit::is_report(text.as_bytes()) {
        return junit::failures(&text, places, near);
    }
    if let Some(found) = documents::whole(&text, ground) {
        return found;
    }
    let found = of_text(&text, ground);
    if found.is_empty() { killed::failures(&text) } else { found }
}

/// The failures of a text that is no report as a whole: its lines of JSON, and
/// what every reader of text finds in the rest.
pub(crate) fn of_text(text: &str, ground: Ground<'_>) -> Vec<Failure> {
    let (mut found, rest) = documents::lines(text, ground);
    found.extend(READERS.iter().flat_map(|read| read(&rest, ground)));
    found
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
