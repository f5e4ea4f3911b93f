//! Tests whose lines are to be known: each in a process of its own, with its
//! counters in a file of its own.
//!
//! Writes the files into the channel and takes them away again; judges nothing.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::Drive;
use super::Record;
use crate::runner::cargo::coverage;

impl Drive<'_> {
    /// Runs `names` one after another until `time` is over; who is not asked by
    /// then is not in the records.
    pub(super) fn traced(&mut self, names: Vec<String>, time: Duration) -> std::io::Result<()> {
        let until = Instant::now() + time;
        let mut told = HashSet::new();
        for (number, name) in names.into_iter().enumerate() {
            if Instant::now() > until {
                break;
            }
            // `%p`: programs that the test starts write files of their own.
            let beginning = format!("lines-{}-{number}-", std::process::id());
            self.profile = Some(self.channel.join(format!("{beginning}%p.profraw")));
            self.alone(vec![name.clone()], &mut told)?;
            let profiles = beginning_with(&self.channel, &beginning);
            let files = coverage::lines(Path::new(&self.binary), &profiles);
            for profile in profiles {
                std::fs::remove_file(profile)?;
            }
            self.log.write(&Record::Lines { name, files })?;
        }
        self.profile = None;
        Ok(())
    }
}

fn beginning_with(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        path.file_name().and_then(std::ffi::OsStr::to_str).is_some_and(|name| name.starts_with(beginning))
    };
    let mut found: Vec<PathBuf> = files.filter(is_one).collect();
    found.sort();
    found
}
