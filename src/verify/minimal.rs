//! Gate `minimal`: not a miss but a mend. Hunks that change only layout or
//! comments, and hunks that no test executes, are taken out of a patch
//! (DECISIONS 18).
//!
//! Makes texts; runs nothing. Code that tests merely do not miss stays: that
//! would delete guards that are right and untested.

use super::Gate;
use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::patch::by_lines;
use crate::runner::Report;
use crate::source::Lines;

/// The gate.
pub const GATE: Gate = Gate {
    name: "minimal",
    missed_when: "never: layout, comments and hunks that no test executes are taken out, and the rest is verified",
    runs_tests: false,
};

/// The patch without hunks that change nothing but layout and comments;
/// `None` where there are none.
pub fn without_layout(patch: &Patch) -> Option<Patch> {
    reduced(patch, &|change, without| {
        let Some(language) = language::of_path(&change.path) else { return false };
        let after = change.after.as_deref().unwrap_or_default();
        language::parse(language, without).tokens() == language::parse(language, after).tokens()
    })
}

/// The patch without hunks inside functions of which no test of `report` (the
/// whole suite with the patch, its lines traced) executes a line; `None` where
/// there are none, where nothing would be left, or where lines are not known.
pub fn without_unexecuted(patch: &Patch, report: &Report) -> Option<Patch> {
    if report.tests.iter().all(|test| test.executed.is_empty()) {
        return None;
    }
    let executed = |change: &FileChange, lines: Lines| {
        let of_file = report.tests.iter().flat_map(|test| &test.executed).filter(|(path, _)| *path == change.path);
        of_file.flat_map(|(_, executed)| executed).any(|line| lines.contains(*line))
    };
    let hunks: usize = patch.touched_after().iter().map(|(_, hunks)| hunks.len()).sum();
    let left = reduced_hunks(patch, &|change, _, lines| {
        let (Some(language), Some(after)) = (language::of_path(&change.path), &change.after) else { return false };
        let parsed = language::parse(language, after);
        statement_of(&parsed, lines).is_some_and(|lines| !executed(change, lines))
    });
    left.filter(|left| hunks > 1 && !left.is_empty())
}

/// The lines of a hunk inside a function, widened to the statement that it is
/// a part of: of a statement over several lines not every one leaves a trace.
/// `None` outside functions, whose lines run before any test.
fn statement_of(parsed: &Parsed, hunk: Lines) -> Option<Lines> {
    let syntax = syntax::of(parsed.language)?;
    let (mut function, mut widened) = (false, hunk);
    language::walk(parsed.tree.root_node(), &mut |node| {
        let lines = language::lines_of(node);
        if !lines.overlaps(&hunk) {
            return false;
        }
        let body = node.child_by_field_name("body").filter(|_| syntax.is_function(node));
        function |= body.map(language::lines_of).is_some_and(|body| body.start <= hunk.start && hunk.end <= body.end);
        let simple = syntax.is_in_list(node) && node.child_by_field_name("body").is_none();
        let compound = matches!(
            node.kind(),
            "if_statement"
                | "try_statement"
                | "match_statement"
                | "with_statement"
                | "switch_statement"
                | "switch_expression"
                | "expression_switch_statement"
                | "type_switch_statement"
                | "select_statement"
                | "labeled_statement"
                | "for_statement"
        );
        if simple && !compound {
            widened = Lines::new(widened.start.min(lines.start), widened.end.max(lines.end));
        }
        node.named_child_count() > 0
    });
    function.then_some(widened)
}

fn reduced(patch: &Patch, takes_out: &dyn Fn(&FileChange, &str) -> bool) -> Option<Patch> {
    reduced_hunks(patch, &|change, without, _| takes_out(change, without))
}

/// The patch without the hunks for which `takes_out` says so, given the file's
/// text without that hunk and the hunk's lines with the patch.
fn reduced_hunks(patch: &Patch, takes_out: &dyn Fn(&FileChange, &str, Lines) -> bool) -> Option<Patch> {
    let mut changes = Vec::new();
    let mut less = false;
    for change in patch.changes() {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            changes.push(change.clone());
            continue;
        };
        let hunks = hunks(before, after);
        let out: Vec<bool> = (0..hunks.len())
            .map(|index| {
                let keep: Vec<bool> = (0..hunks.len()).map(|other| other != index).collect();
                takes_out(change, &rebuilt(before, after, &hunks, &keep), hunks[index].lines)
            })
            .collect();
        less |= out.contains(&true);
        let keep: Vec<bool> = out.iter().map(|out| !out).collect();
        changes.push(FileChange { after: Some(rebuilt(before, after, &hunks, &keep)), ..change.clone() });
    }
    less.then(|| Patch::new(changes)).filter(|patch| !patch.is_empty())
}

/// One changed stretch: lines of either text, 0-based, end exclusive.
struct Hunk {
    old: std::ops::Range<usize>,
    new: std::ops::Range<usize>,
    /// Its lines in the new text as [`Patch::touched_after`] counts them.
    lines: Lines,
}

fn hunks(before: &str, after: &str) -> Vec<Hunk> {
    let diff = by_lines(before, after);
    let changed = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    changed
        .map(|op| {
            let (old, new) = (op.old_range(), op.new_range());
            let lines = if new.is_empty() {
                Lines::new((new.start as u32).max(1), (new.start as u32).max(1))
            } else {
                Lines::new(new.start as u32 + 1, new.end as u32)
            };
            Hunk { old, new, lines }
        })
        .collect()
}

/// The old text with the hunks that are kept.
fn rebuilt(before: &str, after: &str, hunks: &[Hunk], keep: &[bool]) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let mut out = String::with_capacity(after.len());
    let mut at = 0;
    for (hunk, keep) in hunks.iter().zip(keep) {
        out.extend(old[at..hunk.old.start].iter().copied());
        let lines = if *keep { &new[hunk.new.clone()] } else { &old[hunk.old.clone()] };
        out.extend(lines.iter().copied());
        at = hunk.old.end;
    }
    out.extend(old[at..].iter().copied());
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::runner::Status;
    use crate::runner::TestResult;
    use crate::source::RelPath;

    const BEFORE: &str =
        "import a\n\ndef f(x):\n    # old\n    y = x\n    return y\n\n\ndef g(x):\n    z = x+1\n    return z\n";

    fn patch(after: &str) -> Patch {
        Patch::of_file(RelPath::new("a.py").expect("path"), BEFORE, after)
    }

    fn text(patch: Option<Patch>) -> Option<String> {
        patch.and_then(|patch| patch.changes()[0].after.clone())
    }

    #[test]
    fn layout_and_comments_are_taken_out() {
        let after =
            BEFORE.replace("# old", "# new").replace("return y", "return y + 1").replace("z = x+1", "z = x + 1");
        // The comment's hunk and the code's are apart, and so is the layout's.
        assert_eq!(text(without_layout(&patch(&after))), Some(BEFORE.replace("return y", "return y + 1")));
        assert_eq!(without_layout(&patch(&BEFORE.replace("return y", "return y + 1"))), None);
    }

    #[test]
    fn hunks_that_no_test_executes_are_taken_out() {
        let report = |lines: &[u32]| Report {
            tests: vec![TestResult {
                id: "t".into(),
                status: Status::Passed,
                took: Duration::ZERO,
                failure: None,
                executed: vec![(RelPath::new("a.py").expect("path"), lines.to_vec())],
            }],
            ..Report::default()
        };
        let after = BEFORE.replace("return y", "return y + 1").replace("return z", "return (\n        z\n        - 1)");
        let only_f = BEFORE.replace("return y", "return y + 1");
        assert_eq!(text(without_unexecuted(&patch(&after), &report(&[5, 6]))), Some(only_f.clone()));
        assert_eq!(without_unexecuted(&patch(&after), &report(&[5, 6, 10, 11])), None);
        // Nothing is known, or nothing would be left.
        assert_eq!(without_unexecuted(&patch(&after), &Report::default()), None);
        assert_eq!(without_unexecuted(&patch(&only_f), &report(&[10])), None);
        // An import runs before any test.
        let import = after.replace("import a", "import b");
        assert_eq!(
            text(without_unexecuted(&patch(&import), &report(&[5, 6]))),
            Some(only_f.replace("import a", "import b"))
        );
    }
}
