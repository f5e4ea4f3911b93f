//! Where a reader stands: the repository's files and the folder that relative
//! paths start from.
//!
//! Maps names; never looks at the disk.

use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;
use crate::trace::places::Places;

/// What every reader needs to place what it reads.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The repository's files.
    pub places: &'a Places,
    /// The folder that relative paths start from.
    pub near: &'a RelPath,
}

impl Ground<'_> {
    /// A frame at `written`, 1-based `line`.
    pub fn frame(&self, written: &str, line: Option<u32>, symbol: Option<&str>) -> Frame {
        let symbol = symbol.filter(|symbol| !symbol.is_empty()).map(str::to_owned);
        Frame { path: self.places.locate(written, self.near), written: written.to_owned(), line, symbol }
    }

    /// A file as a test's id names it: from the project's root where it lies in
    /// the repository, else as written.
    pub fn shown(&self, written: &str) -> String {
        // Also a file that git does not know: which copy it lies in is no part
        // of a test's name.
        let found = self.places.locate(written, self.near).or_else(|| self.places.inside(written));
        let Some(path) = found else { return written.to_owned() };
        let inside = path.as_str().strip_prefix(self.near.as_str()).filter(|_| path.is_within(self.near));
        inside.map_or(path.as_str(), |inside| inside.trim_start_matches('/')).to_owned()
    }
}

/// `trace:TYPE at FILE:LINE`, the id of a failure without a test.
pub fn trace_id(name: &str, failure: &Failure) -> String {
    let place = failure.location().or(failure.frames.first()).map(|frame| {
        let path = frame.path.as_ref().map_or(frame.written.as_str(), RelPath::as_str);
        frame.line.map_or_else(|| format!(" at {path}"), |line| format!(" at {path}:{line}"))
    });
    format!("trace:{name}{}", place.unwrap_or_default())
}

/// `base`, from the second of its name on with ` #2`.
pub fn numbered(base: &str, taken: &mut std::collections::HashMap<String, usize>) -> String {
    let count = taken.entry(base.to_owned()).or_default();
    *count += 1;
    if *count == 1 { base.to_owned() } else { format!("{base} #{count}") }
}

/// A failure with neither values nor frames.
pub fn bare(id: String, kind: Kind, message: String) -> Failure {
    Failure {
        id,
        kind,
        message,
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    }
}
