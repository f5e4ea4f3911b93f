//! Places in source text: paths inside the project and spans of lines.
//!
//! Holds values only; never reads a file.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// A path inside the repository: UTF-8, forward slashes, relative, without
/// `.`, `..` or empty components. The empty path is the repository's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelPath(String);

/// Why a text is no [`RelPath`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` is not a path inside the repository: {reason}")]
pub struct BadPath {
    path: String,
    reason: &'static str,
}

impl RelPath {
    /// Checks and normalises `path`; `./a//b` becomes `a/b`.
    ///
    /// # Errors
    /// Absolute paths, `..`, backslashes and control characters are refused.
    pub fn new(path: &str) -> Result<RelPath, BadPath> {
        let bad = |reason| BadPath { path: path.to_owned(), reason };
        if path.starts_with('/') {
            return Err(bad("it is absolute"));
        }
        if path.chars().any(char::is_control) {
            return Err(bad("it holds a control character"));
        }
        if path.contains('\\') {
            return Err(bad("it holds a backslash"));
        }
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        if path.split('/').all(is_plain) {
            return Ok(RelPath(path.to_owned()));
        }
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(bad("it climbs out with `..`")),
                part => parts.push(part),
            }
        }
        Ok(RelPath(parts.join("/")))
    }

    /// The repository's root.
    pub fn root() -> RelPath {
        RelPath::default()
    }

    /// The path of `inner` below `tree`, where it is below it and UTF-8.
    pub fn within(tree: &Path, inner: &Path) -> Option<RelPath> {
        RelPath::new(inner.strip_prefix(tree).ok()?.to_str()?).ok()
    }

    /// The path as text, with forward slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the repository's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The absolute path below `tree`.
    pub fn under(&self, tree: &Path) -> PathBuf {
        if self.is_root() { tree.to_path_buf() } else { tree.join(&self.0) }
    }

    /// This directory's entry `name`.
    ///
    /// # Errors
    /// As for [`RelPath::new`].
    pub fn join(&self, name: &str) -> Result<RelPath, BadPath> {
        if self.is_root() { RelPath::new(name) } else { RelPath::new(&format!("{}/{name}", self.0)) }
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The directory that holds it; the root for a top-level name.
    pub fn parent(&self) -> RelPath {
        RelPath(self.0.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default())
    }

    /// What follows the last dot of the file name, without the dot.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name().rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    /// Whether it is `folder` or lies below it.
    pub fn is_within(&self, folder: &RelPath) -> bool {
        folder.is_root() || self == folder || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RelPath, D::Error> {
        let text = String::deserialize(deserializer)?;
        RelPath::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A span of lines, 1-based, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lines {
    /// First line, 1-based.
    pub start: u32,
    /// Last line, 1-based, inclusive.
    pub end: u32,
}

impl Lines {
    /// The span from `start` to `end`, 1-based, inclusive.
    pub fn new(start: u32, end: u32) -> Lines {
        Lines { start, end: end.max(start) }
    }

    /// Whether `line` (1-based) is in the span.
    pub fn contains(&self, line: u32) -> bool {
        (self.start..=self.end).contains(&line)
    }

    /// Whether the two share a line.
    pub fn overlaps(&self, other: &Lines) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// How many lines it spans.
    pub fn count(&self) -> u32 {
        self.end - self.start + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_or_refused() {
        for (given, wanted) in [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("", Some("")),
            ("/a", None),
            ("a/../b", None),
            ("a\\b", None),
            ("a\nb", None),
        ] {
            assert_eq!(RelPath::new(given).ok().as_ref().map(RelPath::as_str), wanted, "{given:?}");
        }
    }

    #[test]
    fn a_folder_holds_only_what_is_below_it() {
        let folder = RelPath::new("src").expect("path");
        for (path, inside) in [("src/a.py", true), ("src", true), ("srcs/a.py", false), ("a.py", false)] {
            assert_eq!(RelPath::new(path).expect("path").is_within(&folder), inside, "{path}");
        }
    }
}
