//! What a test harness says as text: doc tests, and binaries of a target that
//! heal cannot run itself.
//!
//! ```text
//! running 2 tests
//! test src/lib.rs - Cart::total (line 18) ... FAILED
//! test src/lib.rs - (line 1) - compile ... ok
//!
//! failures:
//! ---- src/lib.rs - Cart::total (line 18) stdout ----
//! Test executable failed (exit status: 101).
//!
//! failures:
//!     src/lib.rs - Cart::total (line 18)
//!
//! test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.05s
//! ```
//!
//! Reads text; never looks at the disk.

use std::collections::HashMap;
use std::time::Duration;

use crate::trace::rust::log::DoctestName;

/// One `running N tests` up to its `test result:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Name as printed and end, in order.
    pub tests: Vec<(String, Verdict)>,
    /// What each failing test printed, by name as printed.
    pub outputs: HashMap<String, String>,
    /// Whether its result came and as many tests as it had announced.
    pub whole: bool,
    announced: usize,
}

/// How a line of text says that a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `ok`
    Passed,
    /// `FAILED`
    Failed,
    /// `ignored`
    Ignored,
}

/// The blocks of a text.
pub fn blocks<'t>(lines: impl IntoIterator<Item = &'t str>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    // The test whose output is being read; `Some(None)` below `failures:`.
    let mut output: Option<Option<String>> = None;
    for line in lines {
        if output.is_none()
            && let Some(announced) = announced(line)
        {
            blocks.extend(open.take());
            open = Some(Block { announced, ..Block::default() });
            continue;
        }
        let Some(block) = &mut open else { continue };
        if line.starts_with("test result: ") {
            block.whole = block.tests.len() == block.announced;
            blocks.extend(open.take());
            output = None;
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            if output.is_some() && block.tests.iter().any(|(known, _)| known == name) {
                output = Some(Some(name.to_owned()));
            }
        } else if line == "failures:" {
            output = Some(None);
        } else if let Some(output) = &output {
            if let Some(name) = output {
                let text = block.outputs.entry(name.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        } else {
            block.tests.extend(verdict(line));
        }
    }
    blocks.extend(open);
    blocks
}

fn announced(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test"))?.parse().ok()
}

fn verdict(line: &str) -> Option<(String, Verdict)> {
    let (name, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let verdict = match word.split([' ', ',']).next()? {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed,
        "ignored" => Verdict::Ignored,
        _ => return None,
    };
    Some((name.to_owned(), verdict))
}

/// Names that do not move with the lines, for all doc tests of one crate: the
/// name without its line, and from the second of a name on `#n`, by line.
pub fn stable_names(names: &[DoctestName]) -> Vec<String> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|index| names[*index].line);
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut stable = vec![String::new(); names.len()];
    for index in order {
        let name = names[index].stable();
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        stable[index] = if *count == 1 { name } else { format!("{name} #{count}") };
    }
    stable
}

/// The word that chooses a doc test by its stable name, and perhaps more:
/// rustdoc splits its arguments at spaces and matches parts of names.
pub fn filter(stable: &str) -> &str {
    let bare = bare(stable);
    let item = bare.rsplit_once(" - ").map_or(bare, |(_, item)| item);
    item.rsplit(' ').next().unwrap_or(item)
}

/// A stable name without its number.
pub fn bare(stable: &str) -> &str {
    match stable.rsplit_once(" #") {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => stable,
    }
}

/// The time of a doc test is not told.
pub const UNKNOWN_TIME: Duration = Duration::ZERO;

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_block_tells_each_test_and_what_it_printed() {
        let text = include_str!("../../../fixtures/logs/cargo-test/doctest.txt");
        let blocks = blocks(text.lines());
        let name = "src/lib.rs - Cart::total (line 18)".to_owned();
        assert_eq!(blocks[0].tests, [(name.clone(), Verdict::Failed)]);
        assert!(blocks[0].whole && blocks[0].outputs[&name].contains("panicked at"), "{blocks:?}");
    }

    #[test]
    fn what_a_test_prints_is_no_result() {
        let text = "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\ntest b ... ok\nrunning 1 test\n---- c stdout ----\nx\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed\n";
        let blocks = blocks(text.lines());
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0].tests, [("a".to_owned(), Verdict::Failed)]);
    }

    #[test]
    fn a_block_that_is_cut_is_not_whole() {
        for text in ["running 2 tests\ntest a ... ok\n", "running 2 tests\ntest a ... ok\ntest result: ok.\n"] {
            assert!(!blocks(text.lines())[0].whole, "{text}");
        }
        assert!(blocks("running 0 tests\n\ntest result: ok. 0 passed\n".lines())[0].whole);
    }

    #[test]
    fn names_do_not_move_with_lines() {
        let names = ["src/lib.rs - f (line 8)", "src/lib.rs - f (line 5)", "src/lib.rs - (line 1) - compile"]
            .map(|name| DoctestName::parse(name).expect("a name"));
        let stable = stable_names(&names);
        assert_eq!(stable, ["src/lib.rs - f #2", "src/lib.rs - f", "src/lib.rs"]);
        let filters: Vec<_> = stable.iter().map(|name| filter(name)).collect();
        assert_eq!(filters, ["f", "f", "src/lib.rs"]);
    }
}
