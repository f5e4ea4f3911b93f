//! What heal and the part of heal inside cargo tell each other.
//!
//! heal writes one [`Order`]; the target runner writes a file of [`Record`]s
//! for each test binary, line by line, so that what is known survives a kill.
//! Every record carries the nonce; what does not is not ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;

const ORDER: &str = "order.json";
const PREFIX: &str = "run-";

/// What the target runner is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Goes into every record.
    pub nonce: String,
    /// Names of tests by the name of their binary's file without its hash;
    /// `None` for all tests.
    pub selection: Option<BTreeMap<String, Vec<String>>>,
    /// Deadline of one test.
    pub test_limit: Duration,
    /// Whether the first failure is enough: then there is no end record.
    pub fail_fast: bool,
    /// What the user gave the test binary.
    pub arguments: Vec<String>,
    /// Seed of a shuffled order, where the order is to be varied.
    pub shuffle: Option<u32>,
    /// Run each selected test by itself and tell the lines that it executes,
    /// for so long in each binary.
    #[serde(default)]
    pub trace: Option<Duration>,
    /// Set for the tests, not for the build.
    pub env: Vec<(String, String)>,
}

impl Order {
    /// Writes the order into the channel.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, channel: &Path) -> Result<(), (PathBuf, std::io::Error)> {
        let path = channel.join(ORDER);
        let text = serde_json::to_vec(self).map_err(std::io::Error::other);
        text.and_then(|text| std::fs::write(&path, text)).map_err(|error| (path, error))
    }

    /// Reads the order from the channel.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(channel: &Path) -> std::io::Result<Order> {
        serde_json::from_slice(&std::fs::read(channel.join(ORDER))?).map_err(Into::into)
    }
}

/// How a test of a binary ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It is ignored.
    Ignored,
    /// It was killed at its deadline.
    TimedOut,
    /// The binary died in it.
    Crashed,
}

/// One thing the target runner saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub enum Record {
    /// A binary is about to be run. First.
    Binary {
        /// Its file, as cargo named it.
        path: PathBuf,
        /// Where cargo runs it: its package's folder, absolute.
        folder: PathBuf,
    },
    /// A test has ended.
    Test {
        /// Its name in the binary.
        name: String,
        /// How.
        ended: Ended,
        /// Wall time.
        took: Duration,
        /// What it printed.
        output: String,
        /// What the harness, or heal, says about it.
        message: Option<String>,
    },
    /// The lines a test executed, by file as the compiler names it.
    Lines {
        /// Its name in the binary.
        name: String,
        /// Files and their lines, 1-based.
        files: Vec<(PathBuf, Vec<u32>)>,
    },
    /// The binary has no harness that heal knows: one test, by its exit code.
    Whole {
        /// How.
        ended: Ended,
        /// Wall time.
        took: Duration,
        /// What it printed.
        output: String,
        /// How it ended, in words.
        message: Option<String>,
    },
    /// Something that belongs to no test.
    Problem {
        /// In words.
        message: String,
        /// What the binary printed.
        output: String,
    },
    /// Every test of the binary is accounted for. Last.
    End {
        /// How many tests were recorded.
        tests: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Sealed<R> {
    nonce: String,
    #[serde(flatten)]
    record: R,
}

/// Where the target runner writes the records of one binary.
#[derive(Debug)]
pub struct Log {
    file: File,
    nonce: String,
    /// Tests recorded.
    pub tests: usize,
    /// Tests recorded that failed, and problems.
    pub failed: usize,
}

impl Log {
    /// A new file of records in the channel.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(channel: &Path, nonce: &str) -> std::io::Result<Log> {
        // Sorted by name, the files stand in the order of the runs.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = channel.join(format!("{PREFIX}{now:030}-{}.jsonl", std::process::id()));
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Log { file, nonce: nonce.to_owned(), tests: 0, failed: 0 })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, record: &Record) -> std::io::Result<()> {
        if let Record::Test { ended, .. } | Record::Whole { ended, .. } = record {
            self.tests += 1;
            self.failed += usize::from(!matches!(ended, Ended::Passed | Ended::Ignored));
        }
        self.failed += usize::from(matches!(record, Record::Problem { .. }));
        let mut line = serde_json::to_vec(&Sealed { nonce: self.nonce.clone(), record })?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// The records of each binary, in the order of the runs. A line that is cut
/// short or carries another nonce is left out.
///
/// # Errors
/// The channel's directory cannot be read.
pub fn read(channel: &Path, nonce: &str) -> std::io::Result<Vec<Vec<Record>>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(channel)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            files.push(entry.path());
        }
    }
    files.sort();
    let mut runs = Vec::new();
    for file in files {
        let text = std::fs::read(&file)?;
        let records = text.split(|byte| *byte == b'\n').filter_map(|line| {
            let sealed: Sealed<Record> = serde_json::from_slice(line).ok()?;
            (sealed.nonce == nonce).then_some(sealed.record)
        });
        runs.push(records.collect());
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn records_come_back_in_order_and_foreign_lines_do_not() {
        let channel = tempfile::tempdir().expect("a directory");
        let binary = Record::Binary { path: "/t/a-1".into(), folder: "/a".into() };
        let end = Record::End { tests: 0 };
        let mut first = Log::create(channel.path(), "n").expect("a log");
        first.write(&binary).expect("write");
        let mut second = Log::create(channel.path(), "n").expect("a log");
        second.write(&end).expect("write");
        let mut forged = Log::create(channel.path(), "other").expect("a log");
        forged.write(&end).expect("write");
        first.file.write_all(b"{\"nonce\":\"n\",\"record\":\"end\"").expect("write");
        assert_eq!(read(channel.path(), "n").expect("read"), vec![vec![binary], vec![end], vec![]]);
    }
}
