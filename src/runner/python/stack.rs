//! The stack that a test process leaves behind where it is ended in code that is
//! not Python's.
//!
//! Reads one file; writes none.

use std::path::Path;

/// The frames that `faulthandler` wrote: `  File "a.py", line 3 in f`, the
/// innermost first (CPython, `Python/traceback.c`, `dump_frame`).
pub fn stack(file: &Path) -> Vec<(String, Option<u32>, Option<String>)> {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned();
    let frame = |line: &str| {
        let (path, rest) = line.trim_start().strip_prefix("File \"")?.rsplit_once("\", line ")?;
        let (number, symbol) = rest.split_once(" in ")?;
        Some((path.to_owned(), number.parse().ok(), Some(symbol.to_owned())))
    };
    text.lines().filter_map(frame).take(200).collect()
}
