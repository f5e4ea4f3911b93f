//! Which lines of a definition are not shown: long documentation, and in a
//! long function what cannot reach the failing value.
//!
//! Chooses lines; `layout` cuts the text.

use std::collections::BTreeSet;

use super::flow;
use crate::diagnose::calls::Executed;
use crate::diagnose::file::SourceFile;
use crate::language::DefinitionKind;
use crate::source::Lines;

/// How much of a long function is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// One with more lines, documentation apart, is cut by what can reach the
    /// value.
    pub(super) long: u32,
    /// Hot lines of this weight are shown whatever they reach.
    pub(super) told: f64,
}

/// Where weights are by the trace, the message or a change: nothing else is told.
pub(super) const WHOLE: Cut = Cut { long: 60, told: 0.7 };
/// For what is shown only because there is room.
pub(super) const BRIEF: Cut = Cut { long: 20, told: 0.7 };
/// Lines of a function that are shown; beyond that what is near its hot lines.
const MOST: usize = 250;
/// How near.
const NEAR: u32 = 25;
/// Hot lines of a very long function that are shown with what is near them.
const HOT: usize = 6;
/// Lines on each side of a hot line, which is shown whatever it reaches.
const BESIDE: u32 = 1;
/// A shorter run of lines takes no less room than its marker.
const WORTH: u32 = 3;
/// Lines of documentation shown: a suspect's says what it should do.
const OF_SUSPECT: u32 = 12;
const OF_OTHERS: u32 = 3;

/// What of a suspect's lines is left out, where they are many.
pub(super) fn of_suspect(
    file: &SourceFile,
    definition: usize,
    trace: &[u32],
    hot: &[(u32, f64)],
    executed: &Executed<'_>,
    cut: Cut,
) -> Vec<Lines> {
    let span = file.definition(definition).lines;
    let mut left: BTreeSet<u32> = documentation(file, span, OF_SUSPECT).into_iter().flat_map(all).collect();
    if span.count().saturating_sub(left.len() as u32) > cut.long {
        let mut kept = flow::kept(file, definition, trace, executed);
        kept.retain(|line| !left.contains(line));
        let told = hot
            .iter()
            .take(HOT)
            .filter(|(_, weight)| *weight >= cut.told)
            .flat_map(|(line, _)| line.saturating_sub(BESIDE)..=line + BESIDE);
        kept.extend(told.filter(|line| span.contains(*line) && !left.contains(line)));
        if kept.len() > MOST {
            let name = file.definition(definition).name_line;
            let near = |line: &u32| {
                line.abs_diff(name) <= WORTH || hot.iter().take(HOT).any(|(hot, _)| line.abs_diff(*hot) <= NEAR)
            };
            kept.retain(near);
        }
        left.extend((span.start..=span.end).filter(|line| !kept.contains(line)));
    }
    runs(&left)
}

/// What of the lines of any other code is left out.
pub(super) fn of_other(file: &SourceFile, span: Lines) -> Vec<Lines> {
    runs(&documentation(file, span, OF_OTHERS).into_iter().flat_map(all).collect())
}

/// What of a failing test is left out: as of a suspect, from the line it
/// failed at.
pub(super) fn of_test(file: &SourceFile, definition: usize, line: Option<u32>) -> Vec<Lines> {
    let ends: Vec<u32> = line.into_iter().collect();
    let hot: Vec<(u32, f64)> = ends.iter().map(|line| (*line, 1.0)).collect();
    of_suspect(file, definition, &ends, &hot, &Executed::new(&[]), WHOLE)
}

/// The bodies of the functions in `span`: what is left out of an outline.
pub(super) fn bodies(file: &SourceFile, span: Lines) -> Vec<Lines> {
    let mut left: BTreeSet<u32> = BTreeSet::new();
    for definition in file.outline.definitions.iter().filter(|this| this.kind.is_callable()) {
        let first = file.line_at(definition.signature.end) + 1;
        let body = Lines::new(first, definition.lines.end.max(first));
        if body.count() >= WORTH && span.contains(body.start) && span.contains(body.end) {
            left.extend(all(body));
        }
    }
    runs(&left)
}

fn all(lines: Lines) -> std::ops::RangeInclusive<u32> {
    lines.start..=lines.end
}

/// The lines of the documentation in `span` beyond the first `most` of each.
fn documentation(file: &SourceFile, span: Lines, most: u32) -> Vec<Lines> {
    let mut found = Vec::new();
    for definition in file.outline.definitions.iter().filter(|this| this.lines.overlaps(&span)) {
        if definition.kind == DefinitionKind::Constant {
            continue;
        }
        let leading = (definition.lines.start..definition.name_line).filter(|line| is_comment(file, *line));
        let leading: BTreeSet<u32> = leading.collect();
        found.extend(runs(&leading));
        found.extend(docstring(file, definition.body.start));
    }
    let beyond = |lines: Lines| {
        // The line with the closing quotes stays.
        let (start, end) = (lines.start + most, lines.end.saturating_sub(1));
        (start.max(span.start) <= end.min(span.end)).then(|| Lines::new(start.max(span.start), end.min(span.end)))
    };
    found.into_iter().filter_map(beyond).collect()
}

fn is_comment(file: &SourceFile, line: u32) -> bool {
    let text = file.lines_text(Lines::new(line, line)).trim();
    ["///", "//", "/**", "*", "#!["].iter().any(|mark| text.starts_with(mark))
        || (text.starts_with('#') && file.language().family == "python")
}

/// The docstring that a Python body begins with.
fn docstring(file: &SourceFile, body: usize) -> Option<Lines> {
    if file.language().family != "python" {
        return None;
    }
    let text = &file.text()[body..];
    let start = body + (text.len() - text.trim_start().len());
    let node = file.parsed.tree.root_node().descendant_for_byte_range(start, start + 1)?;
    let node = std::iter::successors(Some(node), |node| node.parent()).find(|node| node.kind() == "string")?;
    let alone = node.parent().is_some_and(|parent| parent.kind() == "expression_statement");
    (alone && node.start_byte() == start).then(|| crate::language::lines_of(node))
}

/// Runs of lines that are worth a marker.
fn runs(lines: &BTreeSet<u32>) -> Vec<Lines> {
    let mut found: Vec<Lines> = Vec::new();
    for line in lines {
        match found.last_mut() {
            Some(last) if last.end + 1 == *line => last.end = *line,
            _ => found.push(Lines::new(*line, *line)),
        }
    }
    found.retain(|lines| lines.count() >= WORTH);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::python::PYTHON;
    use crate::source::RelPath;

    #[test]
    fn the_hottest_lines_of_a_long_function_are_shown_whatever_they_reach() {
        let aside = "    label = names[0]\n    seen.add(label)\n".repeat(40);
        let text = format!("def f(x, names, seen):\n    base = x + 1\n{aside}    return base\n");
        let file = SourceFile::new(0, RelPath::new("a.py").expect("a path"), &PYTHON, &text);
        let hidden = |hot: &[(u32, f64)], told: f64| {
            let gaps = of_suspect(&file, 0, &[], hot, &Executed::new(&[]), Cut { told, ..WHOLE });
            gaps.iter().any(|gap| gap.contains(41))
        };
        for (hot, told, wanted) in
            [(vec![], 0.0, true), (vec![(41, 0.2)], 0.0, false), (vec![(41, 0.2)], WHOLE.told, true)]
        {
            assert_eq!(hidden(&hot, told), wanted, "{hot:?} {told}");
        }
    }
}
