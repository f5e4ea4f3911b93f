//! What stands around a suspect: the methods that set what it reads of its own
//! object, and the function that called it.
//!
//! A fault is seen in one of them and mended in another: a state that is not
//! reset, a result that the caller takes for something else. Chooses spans;
//! ranks nothing.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Item;
use super::SHORT_TYPE;
use super::excerpt;
use super::plain;
use crate::diagnose::calls::Executed;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::diagnose::resolve;
use crate::diagnose::suspect::Ranked;
use crate::language::Reference;
use crate::language::ReferenceKind;
use crate::source::Lines;

/// Methods shown because they set what a suspect reads.
const SETTERS: usize = 2;
/// Suspects whose callers are shown.
const CALLED: usize = 2;
/// Files that are searched for callers.
const SEARCHED: usize = 40;

/// The methods of its class that set attributes which `ranked` uses: those that
/// set most of them first.
pub(super) fn setters(ranked: &Ranked, executed: &Executed<'_>) -> Vec<Item> {
    let file = &ranked.file;
    let Some(suspect) = ranked.definition.map(|index| file.definition(index)) else { return Vec::new() };
    let Some(parent) = suspect.parent else { return Vec::new() };
    if !file.definition(parent).kind.holds_methods() {
        return Vec::new();
    }
    let used = own_names(file, &suspect.bytes);
    let mut found: Vec<(usize, usize)> = Vec::new();
    for child in file.children(Some(parent)).filter(|child| Some(*child) != ranked.definition) {
        let member = file.definition(child);
        if !member.kind.is_callable() || member.lines.count() > SHORT_TYPE || !executed.entered(file, child) {
            continue;
        }
        let bound = file.outline.bindings.iter().filter(|binding| member.bytes.contains(&binding.at));
        let set: BTreeSet<&str> = bound.filter_map(|binding| own_part(file, &binding.name)).collect();
        let count = set.iter().filter(|name| used.contains(**name)).count();
        if count > 0 {
            found.push((count, child));
        }
    }
    found.sort_by_key(|(count, child)| (std::cmp::Reverse(*count), *child));
    let item = |(_, child): (usize, usize)| {
        let member = file.definition(child);
        plain(file, member.lines, &member.qualified)
    };
    found.into_iter().take(SETTERS).map(item).collect()
}

/// Names of the own object's attributes that stand within `bytes`.
fn own_names(file: &SourceFile, bytes: &std::ops::Range<usize>) -> BTreeSet<String> {
    let first = file.outline.references.partition_point(|found| found.bytes.start < bytes.start);
    let inside = file.outline.references[first..].iter().take_while(|found| found.bytes.start < bytes.end);
    let read = inside.filter_map(|reference| {
        let receiver = reference.receiver.as_deref()?.trim_start_matches(['&', '*', ' ']);
        file.language().own.contains(&receiver).then(|| reference.name.clone())
    });
    let bound = file.outline.bindings.iter().filter(|binding| bytes.contains(&binding.at));
    read.chain(bound.filter_map(|binding| own_part(file, &binding.name)).map(str::to_owned)).collect()
}

/// `seen` of `self.seen` and of `self.seen.first`.
fn own_part<'n>(file: &SourceFile, name: &'n str) -> Option<&'n str> {
    let (own, rest) = name.split_once('.')?;
    let part = rest.split(['.', '[', '(']).next()?;
    file.language().own.contains(&own.trim_start_matches(['&', '*', ' '])).then_some(part)
}

/// The functions that call the first suspects while the failing test runs, one
/// for each, with what surrounds the call.
pub(super) fn callers(index: &Index<'_>, shown: &[&Ranked], executed: &Executed<'_>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for ranked in shown.iter().take(CALLED) {
        let Some(definition) = ranked.definition else { continue };
        let place = Place { file: ranked.file.id, definition };
        let known = |file: &SourceFile, definition: usize| {
            let lines = file.definition(definition).lines;
            let is = |id: usize, other: &Lines| id == file.id && lines.overlaps(other);
            shown.iter().any(|other| is(other.file.id, &other.suspect.lines))
                || items.iter().any(|item| is(item.file.id, &item.lines))
        };
        let elsewhere = executed.paths().filter(|path| **path != ranked.file.path).take(SEARCHED);
        let mut files = std::iter::once(ranked.file.clone()).chain(elsewhere.filter_map(|path| index.load_path(path)));
        let found = files.find_map(|file| {
            let (caller, line) = caller_in(index, &file, place, executed)?;
            (!known(&file, caller)).then_some((file, caller, line))
        });
        let Some((file, caller, line)) = found else { continue };
        let elided = excerpt::of_suspect(&file, caller, &[line], &[(line, 1.0)], executed, excerpt::WHOLE);
        let caller = file.definition(caller);
        items.push(Item { elided, ..plain(&file, caller.lines, &caller.qualified) });
    }
    items
}

/// The first function of `file` that calls `place`, and the call's line.
fn caller_in(index: &Index<'_>, file: &Rc<SourceFile>, place: Place, executed: &Executed<'_>) -> Option<(usize, u32)> {
    let (there, called) = index.at(place)?;
    let is_call = |found: &&Reference| found.kind == ReferenceKind::Call && found.name == called.name;
    file.outline.references.iter().filter(is_call).find_map(|reference| {
        let caller = file.enclosing(reference.line).filter(|caller| file.definition(*caller).kind.is_callable())?;
        let itself = file.id == there.id && caller == place.definition;
        if itself || file.is_test_code(caller) || !executed.ran(&file.path, reference.line) {
            return None;
        }
        let targets = resolve::targets(index, file, Some(caller), reference, true);
        targets.iter().any(|(target, weight)| *target == place && *weight >= 0.3).then_some((caller, reference.line))
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::Suspect;
    use crate::diagnose::tree::Tree;
    use crate::source::RelPath;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("a path")
    }

    #[test]
    fn the_caller_that_ran_is_shown_wherever_it_is() {
        let rules = "def rate(n):\n    return n // 10\n\n\ndef best(n):\n    return rate(n) + rate(n + 1)\n";
        let shop = "from rules import rate\n\n\ndef idle(n):\n    return rate(n)\n\n\ndef price(n):\n    return 100 - rate(n)\n";
        let tree = Tree::of(&[("rules.py", rules), ("shop.py", shop), ("also.py", shop)]);
        let files = tree.paths();
        let index = Index::new(&tree, &files, RelPath::root());
        let file = index.load_path(&path("rules.py")).expect("parsed");
        let definition = file.named("rate")[0];
        let suspect = Suspect {
            path: path("rules.py"),
            lines: Lines::new(1, 2),
            symbol: "rate".into(),
            score: 1.0,
            reasons: vec![],
            hot: vec![],
        };
        let ranked = Ranked { suspect, file, definition: Some(definition) };
        for (ran, caller) in [
            (vec![], Some("best")),
            (vec![(path("rules.py"), vec![2, 6])], Some("best")),
            (vec![(path("rules.py"), vec![2]), (path("shop.py"), vec![9])], Some("price")),
            (vec![(path("rules.py"), vec![2]), (path("shop.py"), vec![9]), (path("also.py"), vec![5])], Some("idle")),
            (vec![(path("rules.py"), vec![2])], None),
        ] {
            let items = callers(&index, &[&ranked], &Executed::new(&ran));
            let shown: Vec<&str> = items.iter().filter_map(|item| item.symbol.as_deref()).collect();
            assert_eq!(shown, Vec::from_iter(caller), "{ran:?}");
        }
    }
}
