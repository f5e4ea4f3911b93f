//! Faults that people made: a file with its fault, and as it should be.
//!
//! Reads a list in JSON lines; finds no faults itself.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use heal::language;
use heal::language::definitions::enclosing;
use heal::source::RelPath;
use serde::Deserialize;

use super::noted::Fault;

/// A line of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Its name.
    pub id: String,
    /// The commit to check out; the checkout's own where none is named.
    pub revision: Option<String>,
    /// The file.
    pub path: RelPath,
    /// Its text with the fault.
    pub wrong: String,
    /// Its text without.
    pub right: String,
    /// The test command, where this fault has one of its own.
    #[serde(default)]
    pub command: Vec<String>,
}

/// Reads a list.
pub fn read(path: &Path) -> Result<Vec<Known>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

impl Known {
    /// The fault as it is put into `present`, the file's text in the checkout;
    /// `None` where it lies in no function.
    pub fn fault(&self, present: &str) -> Option<Fault> {
        let lines = self.lines()?;
        let language = language::of_path(&self.path)?;
        let outline = language::parse(language, &self.wrong).outline();
        let within = (lines.0..=lines.1).find_map(|line| enclosing(&outline.definitions, line));
        let function = outline.definitions.get(within?).filter(|definition| definition.kind.is_callable())?;
        Some(Fault {
            kind: "known",
            bytes: 0..present.len(),
            replacement: self.wrong.clone(),
            function: function.qualified.clone(),
            lines,
        })
    }

    /// The lines of the wrong text that differ; where lines are missing, those
    /// around the gap. Comments and blank lines are no fault.
    fn lines(&self) -> Option<(u32, u32)> {
        let diff = similar::TextDiff::from_lines(&self.wrong, &self.right);
        let telling = |line: &str| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#') && !line.starts_with("//")
        };
        let (wrong, right): (Vec<&str>, Vec<&str>) = (self.wrong.lines().collect(), self.right.lines().collect());
        let mut found: Option<(u32, u32)> = None;
        for op in diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal) {
            let (old, new) = (op.old_range(), op.new_range());
            let tells = old.clone().any(|at| wrong.get(at).is_some_and(|line| telling(line)))
                || new.clone().any(|at| right.get(at).is_some_and(|line| telling(line)));
            if !tells {
                continue;
            }
            let lines = match old.is_empty() {
                true => (old.start.max(1) as u32, old.start as u32 + 1),
                false => (old.start as u32 + 1, old.end as u32),
            };
            found = Some(found.map_or(lines, |(start, end)| (start.min(lines.0), end.max(lines.1))));
        }
        found
    }
}
