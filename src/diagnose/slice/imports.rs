//! The imports of a file that is shown.
//!
//! Chooses lines; follows no import.

use std::collections::HashSet;
use std::rc::Rc;

use super::layout::Item;
use crate::diagnose::Role;
use crate::diagnose::file::SourceFile;
use crate::source::Lines;

/// More imports than this are cut to those in use.
const MANY_IMPORTS: u32 = 12;
/// Imports that are this close are shown with what is between them.
const CLOSE: u32 = 3;
/// Imports further apart are blocks of their own.
const FAR: u32 = 40;

/// The imports of a file that is shown; of many, those in use.
pub(super) fn items(file: &Rc<SourceFile>, shown: &[Item]) -> Vec<Item> {
    let inside = |line: u32| shown.iter().any(|item| item.file.id == file.id && item.lines.contains(line));
    let mut spans: Vec<(Lines, Vec<&str>)> = Vec::new();
    for import in file.outline.imports.iter().filter(|import| !import.exports) {
        // Imports inside functions are shown with them; those of inner
        // modules (Rust's `tests`) only where code of theirs is shown.
        let local = file.enclosing(import.lines.start).is_some_and(|around| {
            let around = file.definition(around);
            around.kind.is_callable()
                || !shown.iter().any(|item| item.file.id == file.id && item.lines.overlaps(&around.lines))
        });
        if local || inside(import.lines.start) {
            continue;
        }
        match spans.last_mut() {
            Some((lines, locals)) if *lines == import.lines => locals.extend(import.locals()),
            _ => spans.push((import.lines, import.locals())),
        }
    }
    let total: u32 = spans.iter().map(|(lines, _)| lines.count()).sum();
    if total > MANY_IMPORTS {
        let mut used: HashSet<&str> = HashSet::new();
        for item in shown.iter().filter(|item| item.file.id == file.id) {
            let bytes = file.bytes_of(item.lines);
            let names = file.outline.references.iter().filter(|found| bytes.contains(&found.bytes.start));
            used.extend(names.map(|found| found.name.as_str()));
        }
        spans.retain(|(_, locals)| locals.iter().any(|local| used.contains(local) || *local == "*"));
    }
    let mut items: Vec<Item> = Vec::new();
    for (lines, _) in spans {
        let taken = |from: u32| {
            shown.iter().any(|item| item.file.id == file.id && item.lines.overlaps(&Lines::new(from, lines.start)))
        };
        match items.last_mut().filter(|last| lines.start <= last.lines.end + FAR && !taken(last.lines.end)) {
            // One block: what stands between two imports is not worth a head
            // of its own.
            Some(last) => {
                if lines.start > last.lines.end + CLOSE {
                    last.elided.push(Lines::new(last.lines.end + 1, lines.start - 1));
                }
                last.lines.end = last.lines.end.max(lines.end);
            }
            None => items.push(Item {
                file: file.clone(),
                lines,
                role: Role::Imports,
                symbol: None,
                elided: Vec::new(),
                likely: true,
            }),
        }
    }
    items
}
