//! The statements of a long function that can reach its failing value.
//!
//! A backward slice (Weiser 1981) by names: from the lines the value is seen
//! at to whatever binds or changes what they use, with the conditions around
//! it and the ways out of the function. It looks at no order, so that a loop
//! needs no second thought, and it keeps too much rather than too little.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::VecDeque;

use crate::diagnose::calls::Executed;
use crate::diagnose::file::SourceFile;
use crate::language;
use crate::language::Reference;
use crate::language::outline::PointKind;
use crate::source::Lines;

/// How statements begin that leave the function, or the loop around them.
const EXITS: &[&str] = &["return", "raise", "throw", "break", "continue", "yield", "panic!", "assert"];
/// What is only told to a person reaches no value.
const TELLING: &[&str] = &["log", "logger", "logging", "print", "println", "eprintln", "console", "debug", "trace"];

/// A statement, without the statements inside it.
struct Unit {
    lines: Lines,
    /// The statement around it.
    parent: Option<usize>,
    /// Whether statements stand inside it.
    holds: bool,
    /// What it uses.
    uses: HashSet<String>,
    /// What it binds or may change.
    gives: HashSet<String>,
    exits: bool,
}

/// The lines of the function that are kept: what can reach the lines `ends`,
/// or the results where there are none. Statements that the failing test did
/// not run are not among them, where that is known.
pub(super) fn kept(file: &SourceFile, definition: usize, ends: &[u32], executed: &Executed<'_>) -> BTreeSet<u32> {
    let lines = file.definition(definition).lines;
    let (mut units, owners) = units(file, definition);
    describe(file, definition, &mut units, &owners);
    let owner = |line: u32| owners.get((line - lines.start) as usize).copied().flatten();
    let mut ends: Vec<usize> =
        ends.iter().filter(|line| lines.contains(**line)).filter_map(|line| owner(*line)).collect();
    if ends.is_empty() {
        // What is given back, or changed of what was given.
        ends.extend((0..units.len()).filter(|unit| units[*unit].exits || units[*unit].parent.is_none()));
        let last = (0..units.len()).rfind(|unit| units[*unit].parent.is_none());
        ends.retain(|unit| units[*unit].exits || Some(*unit) == last || changes_own(file, &units[*unit]));
    }
    let kept = closure(&units, &ends);
    let ran = |unit: usize| {
        let Unit { lines, holds, .. } = &units[unit];
        let shown = if *holds { Lines::new(lines.start, lines.start) } else { *lines };
        (shown.start..=shown.end).any(|line| executed.ran(&file.path, line))
    };
    let entered = executed.is_known() && executed.entered(file, definition);
    let shown: HashSet<usize> = kept.into_iter().filter(|unit| !entered || ran(*unit) || ends.contains(unit)).collect();
    let own = |line: &u32| owner(*line).is_none_or(|unit| shown.contains(&unit));
    (lines.start..=lines.end).filter(own).collect()
}

/// The statements of the function's body, and for each of its lines the
/// innermost one.
fn units(file: &SourceFile, definition: usize) -> (Vec<Unit>, Vec<Option<usize>>) {
    let this = file.definition(definition);
    let (body, lines) = (this.body.clone(), this.lines);
    let mut units: Vec<Unit> = Vec::new();
    let mut owners = vec![None; lines.count() as usize];
    let mut open: Vec<(usize, usize)> = Vec::new();
    let root = file.parsed.tree.root_node();
    language::walk(root, &mut |node| {
        if node.end_byte() <= body.start || node.start_byte() >= body.end {
            return false;
        }
        let inside = node.start_byte() >= body.start && node.end_byte() <= body.end;
        let listed = node.parent().is_some_and(|parent| {
            file.language().holds_items(parent.kind()) && parent.start_byte() >= body.start.saturating_sub(1)
        });
        // A comment belongs to nothing and is kept where its neighbours are.
        let is_statement = inside && listed && node.is_named() && !file.language().holds_items(node.kind());
        if is_statement && !file.language().comments.contains(&node.kind()) {
            while open.last().is_some_and(|(end, _)| *end <= node.start_byte()) {
                open.pop();
            }
            let parent = open.last().map(|(_, unit)| *unit);
            if let Some(parent) = parent {
                units[parent].holds = true;
            }
            let span = language::lines_of(node);
            for line in span.start.max(lines.start)..=span.end.min(lines.end) {
                owners[(line - lines.start) as usize] = Some(units.len());
            }
            open.push((node.end_byte(), units.len()));
            let (uses, gives) = Default::default();
            units.push(Unit { lines: span, parent, holds: false, uses, gives, exits: false });
        }
        node.named_child_count() > 0
    });
    comments(file, lines, &mut owners);
    (units, owners)
}

/// Gives comments and blank lines to the statement that follows them.
fn comments(file: &SourceFile, lines: Lines, owners: &mut [Option<usize>]) {
    let marks = ["#", "//", "/*", "*"];
    for at in (0..owners.len().saturating_sub(1)).rev() {
        let line = lines.start + at as u32;
        let text = file.lines_text(Lines::new(line, line)).trim();
        let says_nothing =
            text.is_empty() || marks.iter().any(|mark| text.starts_with(mark) && !text.starts_with("#["));
        if says_nothing && owners[at + 1].is_some() {
            owners[at] = owners[at + 1];
        }
    }
}

fn describe(file: &SourceFile, definition: usize, units: &mut [Unit], owners: &[Option<usize>]) {
    let this = file.definition(definition);
    let owner =
        |line: u32| line.checked_sub(this.lines.start).and_then(|at| owners.get(at as usize).copied().flatten());
    let references = &file.outline.references;
    let first = references.partition_point(|found| found.bytes.start < this.body.start);
    for reference in references[first..].iter().take_while(|found| found.bytes.start < this.body.end) {
        if let Some(unit) = owner(reference.line) {
            units[unit].uses.insert(key(file, reference));
        }
    }
    let within = |at: usize| this.bytes.contains(&at);
    for local in file.outline.locals.iter().filter(|local| within(local.pattern.start)) {
        if let Some(unit) = owner(local.line) {
            units[unit].gives.insert(local.name.clone());
        }
    }
    for binding in file.outline.bindings.iter().filter(|binding| within(binding.at)) {
        if let Some(unit) = owner(binding.line) {
            units[unit].gives.insert(own_key(file, &binding.name));
        }
    }
    for point in file.outline.points.iter().filter(|point| point.kind == PointKind::Result && within(point.bytes.start))
    {
        if let Some(unit) = owner(point.line) {
            units[unit].exits = true;
        }
    }
    for unit in units.iter_mut() {
        let text = file.lines_text(Lines::new(unit.lines.start, unit.lines.start)).trim_start();
        unit.exits |= !unit.holds && EXITS.iter().any(|word| text.starts_with(word));
        // A call for its effect may change whatever it is given.
        let tells = unit.uses.iter().any(|name| TELLING.contains(&name.as_str()));
        if unit.gives.is_empty() && !unit.holds && !unit.exits && !tells {
            unit.gives = unit.uses.clone();
        }
    }
}

/// What a use is a use of: a variable, or an attribute of the own object.
fn key(file: &SourceFile, reference: &Reference) -> String {
    match &reference.receiver {
        None => reference.name.clone(),
        Some(receiver) => own_key(file, &format!("{receiver}.{}", reference.name)),
    }
}

fn own_key(file: &SourceFile, path: &str) -> String {
    let mut parts = path.split(['.', ':', '(', '[', '?']).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or(path).trim_start_matches(['&', '*', ' ']);
    match parts.next() {
        Some(second) if file.language().own.contains(&first) => format!("{first}.{second}"),
        _ => first.to_owned(),
    }
}

/// Whether a statement changes the own object: what a method without a result
/// is called for.
fn changes_own(file: &SourceFile, unit: &Unit) -> bool {
    let own = |name: &String| {
        file.language().own.iter().any(|own| name.strip_prefix(own).is_some_and(|rest| rest.starts_with('.')))
    };
    unit.gives.iter().any(own)
}

/// `ends` and all that can reach them.
fn closure(units: &[Unit], ends: &[usize]) -> HashSet<usize> {
    let mut open: VecDeque<usize> = ends.iter().copied().collect();
    // Ways out decide what is reached, whatever they give back.
    let exits = || (0..units.len()).filter(|at| units[*at].exits);
    open.extend(exits().filter_map(|at| units[at].parent));
    let mut kept = HashSet::new();
    let mut wanted: HashSet<&str> = HashSet::new();
    loop {
        while let Some(at) = open.pop_front() {
            if kept.insert(at) {
                wanted.extend(units[at].uses.iter().map(String::as_str));
                open.extend(units[at].parent);
            }
        }
        let giving = |unit: &Unit| unit.gives.iter().any(|name| wanted.contains(name.as_str()));
        open.extend((0..units.len()).filter(|at| !kept.contains(at) && giving(&units[*at])));
        if open.is_empty() {
            kept.extend(exits());
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::language::Language;
    use crate::language::python::PYTHON;
    use crate::language::rust::RUST;
    use crate::source::RelPath;

    /// The text with `~` before each line that is left out.
    fn cut(language: &'static Language, text: &str, ends: &[u32], ran: &[u32]) -> String {
        let path = RelPath::new("a").expect("a path");
        let file = SourceFile::new(0, path.clone(), language, text);
        let covered = [(path, ran.to_vec())];
        let executed = Executed::new(if ran.is_empty() { &[] } else { &covered });
        let kept = kept(&file, 0, ends, &executed);
        let line = |(at, line): (usize, &str)| match kept.contains(&(at as u32 + 1)) {
            true => line.to_owned(),
            false => format!("~{line}"),
        };
        text.lines().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_reaches_the_result_is_kept_with_the_conditions_around_it() {
        let text = "def f(rows, name):\n    title = name.upper()\n    total = 0\n    for row in rows:\n        if row.cents < 0:\n            continue\n        total += row.cents\n        seen = title + row.name\n        logger.info(total)\n    # by the hundred\n    size = total / 100\n    return size\n";
        let wanted = "def f(rows, name):\n~    title = name.upper()\n    total = 0\n    for row in rows:\n        if row.cents < 0:\n            continue\n        total += row.cents\n~        seen = title + row.name\n~        logger.info(total)\n    # by the hundred\n    size = total / 100\n    return size";
        assert_eq!(cut(&PYTHON, text, &[], &[]), wanted);
    }

    #[test]
    fn what_reaches_the_failing_line_is_kept_and_what_comes_of_it_is_not() {
        let text = "def f(a, b):\n    x = a + 1\n    y = b + 1\n    items = []\n    items.append(x)\n    z = items[3]\n    return [\n        z,\n        y,\n    ]\n";
        let wanted = "def f(a, b):\n    x = a + 1\n~    y = b + 1\n    items = []\n    items.append(x)\n    z = items[3]\n    return [\n        z,\n        y,\n    ]";
        assert_eq!(cut(&PYTHON, text, &[6], &[]), wanted);
    }

    #[test]
    fn a_branch_that_did_not_run_is_left_out_and_its_condition_is_not() {
        let text = "def f(a):\n    if a:\n        b = a\n        b += 1\n    else:\n        b = 2\n    return b\n";
        let wanted = "def f(a):\n    if a:\n~        b = a\n~        b += 1\n    else:\n        b = 2\n    return b";
        assert_eq!(cut(&PYTHON, text, &[], &[2, 6, 7]), wanted);
    }

    #[test]
    fn attributes_of_the_own_object_are_told_apart() {
        let text = "class A:\n    def f(self, a):\n        self.seen = a\n        self.total = self.total + a\n        return self.total\n";
        let path = RelPath::new("a").expect("a path");
        let file = SourceFile::new(0, path, &PYTHON, text);
        let kept = kept(&file, 1, &[5], &Executed::new(&[]));
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [2, 4, 5]);
    }

    #[test]
    fn the_last_expression_of_rust_is_its_result() {
        let text = "fn f(rows: &[u32]) -> u32 {\n    let name = title();\n    let mut sum = 0;\n    for row in rows {\n        sum += row;\n        println!(\"{name}\");\n    }\n    sum\n}\n";
        let wanted = "fn f(rows: &[u32]) -> u32 {\n~    let name = title();\n    let mut sum = 0;\n    for row in rows {\n        sum += row;\n~        println!(\"{name}\");\n    }\n    sum\n}";
        assert_eq!(cut(&RUST, text, &[], &[]), wanted);
    }
}
