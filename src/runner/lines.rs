//! Which lines each test executed, as the parts of heal that run inside test
//! commands leave it in the channel: `lines-*.jsonl`, one [`Record`] a line.
//!
//! Reads what is whole and carries the nonce; the rest is no record. Judges
//! nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use crate::source::RelPath;

/// How the files' names begin.
pub(super) const PREFIX: &str = "lines-";

/// The lines of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The channel's nonce.
    pub nonce: String,
    /// The file that defines the test, absolute, where the runner tells it.
    #[serde(default)]
    pub file: String,
    /// The test's name, as the runner's own part of heal writes it.
    pub title: String,
    /// Lines, 1-based, by the file's path from the repository's root.
    pub files: BTreeMap<String, Vec<u32>>,
}

impl Record {
    /// The lines by file; a path that is none of a repository's is left out.
    pub fn covered(&self) -> Vec<(RelPath, Vec<u32>)> {
        let one = |(path, lines): (&String, &Vec<u32>)| Some((RelPath::new(path).ok()?, lines.clone()));
        self.files.iter().filter_map(one).collect()
    }
}

/// The records in the channel, in the order in which each file's were written.
pub(super) fn read(channel: &Path, nonce: &str) -> Vec<Record> {
    let files = std::fs::read_dir(channel).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &std::path::PathBuf| {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str);
        name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(".jsonl"))
    };
    let mut files: Vec<_> = files.filter(is_one).collect();
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read(file).ok());
    let of = |text: Vec<u8>| -> Vec<Record> {
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    };
    texts.flat_map(of).filter(|record| record.nonce == nonce).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn what_is_cut_short_or_not_sealed_is_no_record() {
        let channel = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(channel.path().join(name), text).expect("written");
        let record = |nonce: &str, title: &str| {
            format!(
                "{{\"nonce\": \"{nonce}\", \"title\": \"{title}\", \"files\": {{\"a.js\": [1, 2], \"../b.js\": [3]}}}}\n"
            )
        };
        write("lines-2.jsonl", &format!("{}{}", record("N", "c"), &record("N", "d")[..30]));
        write("lines-1.jsonl", &format!("{}\u{0}{}{}", record("N", "a"), record("X", "x"), record("N", "b")));
        write("other.jsonl", &record("N", "y"));
        let records = read(channel.path(), "N");
        assert_eq!(records.iter().map(|record| record.title.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(records[0].covered(), [(RelPath::new("a.js").expect("a path"), vec![1, 2])]);
    }
}
