//! The failing test and what serves it: fixtures, helpers, the methods it
//! calls, and other tests that fail with it.
//!
//! Chooses spans; ranks nothing.

use std::collections::HashSet;
use std::rc::Rc;

use super::SHORT_TYPE;
use super::excerpt;
use super::layout::Item;
use crate::diagnose::Evidence;
use crate::diagnose::Role;
use crate::diagnose::calls;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::diagnose::resolve;
use crate::diagnose::target;
use crate::diagnose::target::Target;
use crate::diagnose::types;
use crate::language::DefinitionKind;
use crate::language::ReferenceKind;
use crate::source::Lines;

/// Lines shown on each side of a failing line outside every function.
const MARGIN: u32 = 12;
/// Other failing tests that are shown.
const OTHERS: usize = 2;
/// They are, up to this many lines.
const SHORT_TEST: u32 = 40;
/// Functions shown because the failing line calls them.
const CALLED: usize = 4;

/// The spans of the failing test, its fixtures and its helpers, with their
/// qualified names.
pub(in crate::diagnose) fn spans(index: &Index<'_>, target: &Target) -> Vec<(Rc<SourceFile>, Lines, String)> {
    items(index, target).into_iter().filter_map(|item| Some((item.file, item.lines, item.symbol?))).collect()
}

/// The failing test, with the header of its class, its fixtures and the values
/// of its file that it uses.
pub(super) fn items(index: &Index<'_>, target: &Target) -> Vec<Item> {
    let Target { file, function, line } = target;
    let Some(function) = *function else {
        // A check at the top level of a script, or a file that does not load.
        let around = line.unwrap_or(1);
        let lines = Lines::new(around.saturating_sub(MARGIN).max(1), (around + MARGIN).min(file.line_count()));
        return vec![Item { symbol: None, ..item(file, lines, Role::Test, "") }];
    };
    let definition = file.definition(function);
    let whole = item(file, definition.lines, Role::Test, &definition.qualified);
    let mut items = vec![Item { elided: excerpt::of_test(file, function, *line), ..whole }];
    let is_group = |parent: &usize| match file.definition(*parent).kind {
        DefinitionKind::Class => true,
        DefinitionKind::Module => file.language().family == "javascript",
        _ => false,
    };
    if let Some(parent) = definition.parent.filter(is_group) {
        let class = file.definition(parent);
        let header = Lines::new(class.lines.start, file.line_at(class.signature.end));
        items.push(item(file, header, Role::Test, &class.qualified));
        for name in calls::PREPARING {
            let own = file.named(name).iter().find(|index| file.definition(**index).parent == Some(parent));
            items.extend(own.map(|index| item(file, file.definition(*index).lines, Role::Helper, name)));
        }
    }
    for name in &definition.parameters {
        if let Some(place) = types::fixture(index, file, name)
            && let Some((there, fixture)) = index.at(place)
        {
            items.push(item(&there, fixture.lines, Role::Helper, &fixture.qualified));
        }
    }
    // Helpers and values of the test's own file.
    let mut seen = HashSet::from([function]);
    for (place, _) in uses(index, target, |_| true) {
        let Some((there, used)) = index.at(place) else { continue };
        let helper = there.is_test_code(place.definition)
            && (there.id != file.id || seen.insert(place.definition))
            && used.lines.count() <= SHORT_TYPE;
        if helper && !items.iter().any(|item| item.file.id == there.id && item.lines == used.lines) {
            items.push(item(&there, used.lines, Role::Helper, &used.qualified));
        }
    }
    items
}

/// Functions of the project that the failing line calls and that are not shown
/// yet: what has too little weight to be a suspect may still be the missing
/// piece.
pub(super) fn called(index: &Index<'_>, target: &Target, shown: &[Item]) -> Vec<Item> {
    let line = target.line;
    let at_line = |at: u32| line.is_none_or(|line| target.file.statement(line).is_some_and(|lines| lines.contains(at)));
    let mut items: Vec<Item> = Vec::new();
    for (place, weight) in uses(index, target, at_line) {
        let Some((there, used)) = index.at(place) else { continue };
        let known = |item: &Item| item.file.id == there.id && item.lines.overlaps(&used.lines);
        let wanted = weight >= 0.3 && used.kind.is_callable() && !there.is_test_code(place.definition);
        if !wanted || there.is_foreign || shown.iter().chain(&items).any(known) {
            continue;
        }
        let elided = excerpt::of_test(&there, place.definition, None);
        items.push(Item { elided, ..item(&there, used.lines, Role::Suspect, &used.qualified) });
    }
    items.truncate(CALLED);
    items
}

/// Other tests that fail with the same root: how they differ from the first
/// says what the fault depends on.
pub(super) fn others(index: &Index<'_>, evidence: &Evidence<'_>, first: &Target) -> Vec<Item> {
    let mut seen: HashSet<Place> = first.place().into_iter().collect();
    let mut items = Vec::new();
    for failure in evidence.failures.iter().skip(1).take(4 * OTHERS) {
        let found = target::find(index, failure, evidence.tests).and_then(|target| target.place());
        let Some(place) = found.filter(|place| seen.insert(*place)) else { continue };
        let Some((file, test)) = index.at(place) else { continue };
        if test.lines.count() <= SHORT_TEST && file.is_test_code(place.definition) {
            items.push(Item { likely: false, ..item(&file, test.lines, Role::Test, &test.qualified) });
        }
    }
    items.truncate(OTHERS);
    items
}

/// What the test's function uses on the lines `at`, each with its weight.
fn uses(index: &Index<'_>, target: &Target, at: impl Fn(u32) -> bool) -> Vec<(Place, f64)> {
    let Some(function) = target.function else { return Vec::new() };
    let file = &target.file;
    let bytes = file.definition(function).bytes.clone();
    let inside = file.outline.references.iter().filter(|found| bytes.contains(&found.bytes.start) && at(found.line));
    inside
        .flat_map(|reference| {
            resolve::targets(index, file, Some(function), reference, reference.kind == ReferenceKind::Call)
        })
        .collect()
}

fn item(file: &Rc<SourceFile>, lines: Lines, role: Role, symbol: &str) -> Item {
    Item {
        file: file.clone(),
        lines,
        role,
        symbol: Some(symbol.to_owned()),
        elided: excerpt::of_other(file, lines),
        likely: true,
    }
}
