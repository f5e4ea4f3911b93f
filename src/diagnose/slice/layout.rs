//! Spans that were chosen, laid out as parts that never overlap.
//!
//! Keeps the budget; chooses nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::estimate_tokens;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::diagnose::Slice;
use crate::diagnose::index::SourceFile;
use crate::source::Lines;

/// A span to show.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) file: Rc<SourceFile>,
    pub(super) lines: Lines,
    pub(super) role: Role,
    pub(super) symbol: Option<String>,
    /// What of it is not shown, in words.
    pub(super) left_out: Option<String>,
}

/// Lays out `items`, most important first: each is taken if it fits. Lines
/// that two items want belong to the first.
pub(super) fn lay(items: Vec<Item>, budget_tokens: usize) -> Slice {
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
        let new: Vec<u32> = lines.filter(|line| !owners[at].contains_key(line)).collect();
        // Each piece is rounded up by itself later: one token more at most.
        let cost: usize = new.iter().map(|line| estimate_tokens(item.file.lines_text(Lines::new(*line, *line)))).sum();
        if spent + cost > budget_tokens {
            slice.dropped.push(format!("{}: over the budget", named(item)));
            continue;
        }
        spent += cost;
        owners[at].extend(new.into_iter().map(|line| (line, order)));
        slice.dropped.extend(item.left_out.clone());
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

/// Runs of neighbouring lines with one role, as parts.
fn parts(file: &SourceFile, owners: &BTreeMap<u32, usize>, items: &[Item]) -> Vec<Part> {
    let mut runs: Vec<(Lines, Role, Vec<&str>)> = Vec::new();
    for (line, owner) in owners {
        let item = &items[*owner];
        let symbol = item.symbol.as_deref();
        match runs.last_mut() {
            Some((lines, role, symbols)) if lines.end + 1 == *line && *role == item.role => {
                lines.end = *line;
                if let Some(symbol) = symbol.filter(|symbol| !symbols.contains(symbol)) {
                    symbols.push(symbol);
                }
            }
            _ => runs.push((Lines::new(*line, *line), item.role, symbol.into_iter().collect())),
        }
    }
    // A run of blank lines alone shows nothing.
    let shown = runs.into_iter().filter(|(lines, ..)| !file.lines_text(*lines).trim().is_empty());
    let part = |(lines, role, symbols): (Lines, Role, Vec<&str>)| Part {
        path: file.path.clone(),
        lines,
        role,
        symbol: (!symbols.is_empty()).then(|| symbols.join(", ")),
        text: file.lines_text(lines).to_owned(),
    };
    shown.map(part).collect()
}
