//! Spans that were chosen, laid out as parts that never overlap.
//!
//! Keeps the budget; chooses nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::estimate_tokens;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::diagnose::Slice;
use crate::diagnose::file::SourceFile;
use crate::patch::edit;
use crate::source::Lines;

/// A span to show.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) file: Rc<SourceFile>,
    pub(super) lines: Lines,
    pub(super) role: Role,
    pub(super) symbol: Option<String>,
    /// Lines of it that are not shown, in order.
    pub(super) elided: Vec<Lines>,
    /// Whether it is worth its place in a slice that says enough already.
    pub(super) likely: bool,
}

/// Lays out `items`, most important first: each is taken if it fits, and after
/// `enough_tokens` only what is likely. Lines that two items want belong to the
/// first.
pub(super) fn lay(items: Vec<Item>, budget_tokens: usize, enough_tokens: usize) -> Slice {
    let mut files: Vec<Rc<SourceFile>> = Vec::new();
    // For each file, the item each line belongs to.
    let mut owners: Vec<BTreeMap<u32, usize>> = Vec::new();
    let mut slice = Slice::default();
    let mut spent = 0;
    for (order, item) in items.iter().enumerate() {
        let at = files.iter().position(|file| file.id == item.file.id).unwrap_or_else(|| {
            files.push(item.file.clone());
            owners.push(BTreeMap::new());
            files.len() - 1
        });
        let lines = item.lines.start.max(1)..=item.lines.end.min(item.file.line_count());
        let hidden = |line: &u32| item.elided.iter().any(|gap| gap.contains(*line));
        let new: Vec<u32> = lines.filter(|line| !owners[at].contains_key(line) && !hidden(line)).collect();
        // Each piece is rounded up by itself later: one token more at most.
        let of_line = |line: &u32| estimate_tokens(item.file.lines_text(Lines::new(*line, *line)));
        let markers: usize = item.elided.iter().map(|gap| estimate_tokens(&marked(&item.file, *gap))).sum();
        let cost = new.iter().map(of_line).sum::<usize>() + markers;
        if spent + cost > budget_tokens {
            slice.dropped.push(format!("{}: over the budget", named(item)));
            continue;
        }
        if spent + cost > enough_tokens && !item.likely {
            slice.dropped.push(format!("{}: enough is shown", named(item)));
            continue;
        }
        spent += cost;
        owners[at].extend(new.into_iter().map(|line| (line, order)));
        slice.dropped.extend(left_out(item));
    }
    for (file, owners) in files.iter().zip(&owners) {
        slice.parts.extend(parts(file, owners, &items));
    }
    slice.tokens = slice.parts.iter().map(|part| estimate_tokens(&part.text)).sum();
    slice
}

fn named(item: &Item) -> String {
    let place = format!("{}:{}-{}", item.file.path, item.lines.start, item.lines.end);
    match &item.symbol {
        Some(symbol) => format!("`{symbol}` ({place})"),
        None => format!("`{place}`"),
    }
}

/// What of a function is not shown, in words.
fn left_out(item: &Item) -> Option<String> {
    let hidden: u32 = item.elided.iter().map(Lines::count).sum();
    let symbol = item.symbol.as_ref().filter(|_| hidden > 0)?;
    let (path, count) = (&item.file.path, item.lines.count());
    Some(format!("`{symbol}` ({path}) is long: {hidden} of its {count} lines are not shown"))
}

/// The line that stands for lines that are not shown, as deep as they are.
fn marked(file: &SourceFile, gap: Lines) -> String {
    let first = file.lines_text(Lines::new(gap.start, gap.start));
    let indentation = &first[..first.len() - first.trim_start_matches([' ', '\t']).len()];
    let end = if first.ends_with("\r\n") { "\r\n" } else { "\n" };
    format!("{indentation}{}{end}", edit::marker(gap))
}

/// Lines that are shown together.
struct Run<'i> {
    lines: Lines,
    role: Role,
    symbols: Vec<&'i str>,
    elided: Vec<Lines>,
}

/// Runs of lines with one role, next to each other or with a marker between
/// them, as parts.
fn parts(file: &SourceFile, owners: &BTreeMap<u32, usize>, items: &[Item]) -> Vec<Part> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (line, owner) in owners {
        let item = &items[*owner];
        let symbol = item.symbol.as_deref();
        let joined = runs.last_mut().filter(|run| run.role == item.role);
        let gap = |run: &Run<'_>| (run.lines.end + 1 < *line).then(|| Lines::new(run.lines.end + 1, *line - 1));
        let hidden = |gap: Lines| item.elided.iter().any(|hidden| hidden.start <= gap.start && gap.end <= hidden.end);
        match joined.filter(|run| gap(run).is_none_or(hidden)) {
            Some(run) => {
                run.elided.extend(gap(run));
                run.lines.end = *line;
                if let Some(symbol) = symbol.filter(|symbol| !run.symbols.contains(symbol)) {
                    run.symbols.push(symbol);
                }
            }
            None => runs.push(Run {
                lines: Lines::new(*line, *line),
                role: item.role,
                symbols: symbol.into_iter().collect(),
                elided: Vec::new(),
            }),
        }
    }
    // What looks like the end of a function must be its end.
    for run in &mut runs {
        let hidden = owners.get(&run.lines.end).map_or(&[][..], |owner| &items[*owner].elided);
        let rest = hidden.iter().find(|gap| gap.start == run.lines.end + 1);
        if let Some(rest) = rest.filter(|rest| owners.range(rest.start..=rest.end).next().is_none()) {
            run.elided.push(*rest);
            run.lines.end = rest.end;
        }
    }
    // A run of blank lines alone shows nothing.
    let shown = runs.into_iter().filter(|run| !file.lines_text(run.lines).trim().is_empty());
    shown.map(|run| part(file, run)).collect()
}

fn part(file: &SourceFile, run: Run<'_>) -> Part {
    let mut part = Part {
        path: file.path.clone(),
        lines: run.lines,
        role: run.role,
        symbol: (!run.symbols.is_empty()).then(|| run.symbols.join(", ")),
        elided: run.elided,
        text: String::new(),
    };
    let mut gaps = part.elided.iter();
    for shown in part.shown() {
        part.text.push_str(file.lines_text(shown));
        if let Some(gap) = gaps.next() {
            part.text.push_str(&marked(file, *gap));
        }
    }
    part
}
