//! Whether one patch changes a part of the behaviour that another changes.
//!
//! Compares texts and their trees; answers only where the form of the two
//! changes tells for sure, and else `false`.

use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::Patch;
use crate::source::RelPath;

/// Conditions of which each holds in a part of the cases in which those to its
/// right hold, with `_` for the name that is tested.
const CHAINS: &[&[&str]] = &[
    &["_ is None", "not _"],
    &["_ == 0", "not _"],
    &["_ == 0", "_ <= 0", "_ <= 1", "_ < 2"],
    &["_ < 0", "_ <= 0", "_ <= 1", "_ < 2"],
];

/// Lines that a patch of one file adds in one place, nothing else.
struct Addition<'a> {
    path: &'a RelPath,
    before: &'a str,
    /// 0-based; they stand before this line of the old text.
    line: usize,
    lines: Vec<&'a str>,
}

/// Whether the new behaviour of `one` is surely a part of that of `other`: the
/// same statements later in the same block, where some of its cases are
/// answered already, or under a condition that holds more rarely.
pub fn is_narrower(one: &Patch, other: &Patch) -> bool {
    let (Some(one), Some(other)) = (Addition::of(one), Addition::of(other)) else { return false };
    if one.path != other.path || one.before != other.before {
        return false;
    }
    let comes_later = one.line > other.line && same_block(&one, &other);
    let in_place = one.line == other.line;
    if one.lines == other.lines {
        return comes_later;
    }
    let (Some((first, rest)), Some((wide, same))) = (one.lines.split_first(), other.lines.split_first()) else {
        return false;
    };
    (comes_later || in_place) && rest == same && holds_more_rarely(first, wide)
}

impl<'a> Addition<'a> {
    fn of(patch: &'a Patch) -> Option<Addition<'a>> {
        let [change] = patch.changes() else { return None };
        let (before, after) = (change.before.as_deref()?, change.after.as_deref()?);
        let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let added = new.len().checked_sub(old.len()).filter(|added| *added > 0)?;
        // The last place where it fits: `if` after `if` could be either.
        let line = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        (old[line..] == new[line + added..]).then(|| Addition {
            path: &change.path,
            before,
            line,
            lines: new[line..line + added].to_vec(),
        })
    }
}

/// Whether both stand between statements of one block.
fn same_block(one: &Addition<'_>, other: &Addition<'_>) -> bool {
    let Some(language) = language::of_path(one.path) else { return false };
    let parsed = language::parse(language, one.before);
    let blocks = [one.line, other.line].map(|line| block_at(&parsed, line));
    matches!(blocks, [Some(a), Some(b)] if a == b)
}

/// The block of the statement that begins on the line (0-based), by its id.
fn block_at(parsed: &Parsed, line: usize) -> Option<usize> {
    let lists = syntax::of(parsed.language)?.lists;
    let mut found = None;
    language::walk(parsed.tree.root_node(), &mut |node| {
        let (start, end) = (node.start_position().row, node.end_position().row);
        if found.is_some() || end < line || start > line {
            return false;
        }
        if start == line
            && let Some(parent) = node.parent().filter(|parent| lists.contains(&parent.kind()))
        {
            found = Some(parent.id());
        }
        true
    });
    found
}

fn holds_more_rarely(one: &str, other: &str) -> bool {
    let form = |line: &str| {
        let condition = line.trim().strip_prefix("if ")?.trim_end_matches([':', '{', ' ']);
        // JavaScript and Java write parentheses, and JavaScript three signs.
        let inner = condition.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(condition);
        let condition = inner.replace("===", "==");
        let is_word = |word: &&str| !matches!(*word, "not" | "is" | "None" | "0" | "1" | "2" | "");
        let name = condition.split(|c: char| !c.is_alphanumeric() && c != '_').find(is_word)?.to_owned();
        let pattern: Vec<&str> = condition.split(' ').map(|word| if word == name { "_" } else { word }).collect();
        Some((name, pattern.join(" ")))
    };
    let (Some((name, narrow)), Some((same, wide))) = (form(one), form(other)) else { return false };
    let place = |chain: &[&str], pattern: &str| chain.iter().position(|known| *known == pattern);
    let below = |chain: &&[&str]| matches!((place(chain, &narrow), place(chain, &wide)), (Some(a), Some(b)) if a < b);
    name == same && CHAINS.iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fn f(n: i32) -> i32 {\n    if n == 5 {\n        return 1;\n    }\n    n * 2\n}\n";

    fn with(at: &str, condition: &str) -> Patch {
        let guard = format!("    if {condition} {{\n        return 0;\n    }}\n");
        let after = TEXT.replacen(at, &format!("{guard}{at}"), 1);
        Patch::of_file(RelPath::new("src/a.rs").expect("path"), TEXT, after.as_str())
    }

    #[test]
    fn later_in_the_same_block_or_under_a_rarer_condition_is_narrower() {
        let (front, behind, inside) = ("    if n == 5", "    n * 2", "        return 1");
        for (one, other, narrower) in [
            ((behind, "n == 0"), (front, "n == 0"), true),
            ((front, "n == 0"), (behind, "n == 0"), false),
            ((behind, "n == 0"), (behind, "n == 0"), false),
            ((front, "n == 0"), (front, "n <= 0"), true),
            ((front, "n < 0"), (front, "n == 0"), false),
            ((behind, "n < 0"), (front, "n <= 1"), true),
            ((front, "n < 0"), (behind, "n <= 1"), false),
            ((front, "m < 0"), (front, "n <= 1"), false),
            ((inside, "n == 0"), (front, "n == 0"), false),
        ] {
            assert_eq!(is_narrower(&with(one.0, one.1), &with(other.0, other.1)), narrower, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_patch_that_changes_lines_is_never_compared() {
        let changed = Patch::of_file(RelPath::new("src/a.rs").expect("path"), TEXT, TEXT.replace('5', "6"));
        let front = with("    if n == 5", "n == 0");
        assert!(!is_narrower(&changed, &front) && !is_narrower(&front, &changed));
    }
}
