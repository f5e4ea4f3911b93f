//! Go's coverage profile.
//!
//! ```text
//! profile = "mode: " ("set" | "count" | "atomic") {block}
//! block   = file ":" line "." column "," line "." column " " statements " " count
//! ```
//!
//! A file is named by its package's path; columns and lines are 1-based, the end
//! included (golang.org/x/tools/cover; seen with Go 1.19). Reads text; what is
//! no block says nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// A block of more lines is none that a person wrote.
const LONGEST: u32 = 20_000;

/// The lines of blocks that ran, by file as Go names it, 1-based and in order.
/// A block begins on the line of what leads into it (`if x {`), which has run
/// where the block has.
pub(super) fn executed(profile: &str) -> BTreeMap<String, Vec<u32>> {
    let mut files: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (file, first, last) in profile.lines().filter_map(ran) {
        files.entry(file).or_default().extend(first..=last);
    }
    files.into_iter().map(|(file, lines)| (file.to_owned(), lines.into_iter().collect())).collect()
}

/// File and lines of a block that ran.
fn ran(line: &str) -> Option<(&str, u32, u32)> {
    let (block, count) = line.rsplit_once(' ')?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) || count.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let (block, _statements) = block.rsplit_once(' ')?;
    let (file, span) = block.rsplit_once(':')?;
    let (start, end) = span.split_once(',')?;
    let line_of = |place: &str| place.split_once('.')?.0.parse::<u32>().ok();
    let (first, last) = (line_of(start)?, line_of(end)?);
    (0 < first && first <= last && last - first <= LONGEST).then_some((file, first, last))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_lines_of_blocks_that_ran_are_told() {
        // The branch of line 4 is not taken; its condition ran all the same.
        let profile = "mode: set\n\
            e.t/s/a.go:3.20,4.10 1 1\n\
            e.t/s/a.go:4.10,6.3 1 0\n\
            e.t/s/a.go:7.2,7.10 1 1\n\
            e.t/s/b.go:1.1,2.2 2 00\n\
            e.t/s/c.go:9.1,9.8 1 12\n";
        let wanted = [("e.t/s/a.go", vec![3, 4, 7]), ("e.t/s/c.go", vec![9])];
        assert_eq!(executed(profile), wanted.map(|(file, lines)| (file.to_owned(), lines)).into());
    }

    #[test]
    fn what_is_no_block_says_nothing() {
        for text in [
            "",
            "mode: set",
            "a.go:1.1,2.2 1",
            "a.go:1.1,2.2 1 -1",
            "a.go:3.1,2.2 1 1",
            "a.go:1,2 1 1",
            "a.go:0.1,2.2 1 1",
            "a.go:1.1,4294967295.2 1 1",
            "a.go:1.1,99999999999.2 1 1",
            "\u{fffd} 1 1",
            ":,. 1 1",
        ] {
            assert_eq!(executed(text), BTreeMap::new(), "{text}");
        }
    }
}
