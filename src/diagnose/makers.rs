//! Who made the functions that ran: functions around them or that handed them
//! on, and what called those, where that was before the test.
//!
//! A decorator or a plugin runs while a file is loaded, and what it gives back
//! or registers runs in the test: a fault in the one shows in the other. Goes by
//! what stands inside what, and by names.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::calls::Executed;
use super::gather::Gathered;
use super::index::Index;
use super::index::Place;
use super::resolve;
use crate::language::Reference;
use crate::language::ReferenceKind;

/// The share of what a function makes that is its own, and of each that calls it.
const MADE: f64 = 0.8;
/// Calls that are followed out of a maker.
const OUTWARD: usize = 2;
/// Functions that call one maker, at most.
const CALLERS: usize = 3;

/// Makers, each with its share and the words for it.
type Made = BTreeMap<Place, (f64, String)>;

/// Adds functions that the failing test did not run and that made functions it
/// ran, each with its share of those's coefficient (`share`, between 0 and 1).
pub(super) fn from_made(
    index: &Index<'_>,
    executed: &Executed<'_>,
    share: impl Fn(&Place) -> Option<f64>,
    gathered: &mut HashMap<Place, Gathered>,
) {
    if !executed.is_known() {
        return;
    }
    let mut made = Made::new();
    let mut found: Vec<Place> = Vec::new();
    let mut ran: Vec<(Place, f64)> = gathered.keys().filter_map(|place| Some((*place, share(place)?))).collect();
    ran.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (place, share) in ran {
        let Some((file, definition)) = index.at(place) else { continue };
        let mut around = definition.parent;
        while let Some(at) = around {
            let outer = file.definition(at);
            if outer.kind.is_callable() && !executed.entered_itself(&file, at) && !file.is_test_code(at) {
                let why = format!("makes `{}`, which the failing test ran", definition.name);
                note(&mut made, Place { file: file.id, definition: at }, MADE * share, why, &mut found);
            }
            around = outer.parent;
        }
        // A plugin registers it, a table of handlers is filled with it. One inside
        // a function is handed on by that alone.
        let handed = |found: &&Reference| {
            found.name == definition.name && found.kind == ReferenceKind::Value && found.receiver.is_none()
        };
        let is_inner = definition.parent.is_some_and(|parent| file.definition(parent).kind.is_callable());
        for reference in file.outline.references.iter().filter(handed).filter(|_| !is_inner) {
            let Some(at) = file.enclosing(reference.line) else { continue };
            let idle = file.definition(at).kind.is_callable() && !executed.entered_itself(&file, at);
            if idle && at != place.definition && !file.is_test_code(at) {
                let why = format!("hands on `{}`, which the failing test ran", definition.name);
                note(&mut made, Place { file: file.id, definition: at }, MADE * share, why, &mut found);
            }
        }
    }
    for _ in 0..OUTWARD {
        for place in std::mem::take(&mut found) {
            let Some((_, called)) = index.at(place) else { continue };
            let share = MADE * made.get(&place).map_or(0.0, |(share, _)| *share);
            for caller in callers(index, executed, place) {
                let why = format!("calls `{}`, which makes what the failing test ran", called.name);
                note(&mut made, caller, share, why, &mut found);
            }
        }
    }
    for (place, (share, why)) in made {
        let known = gathered.entry(place).or_default();
        known.made = known.made.max(share);
        known.reasons.push(why);
    }
}

/// Notes the greater share, and the place where it is new.
fn note(made: &mut Made, place: Place, share: f64, why: String, found: &mut Vec<Place>) {
    let known = made.entry(place).or_insert_with(|| (0.0, String::new()));
    if share > known.0 {
        *known = (share, why);
        found.push(place);
    }
}

/// Functions that call `place` and did not run in the test.
fn callers(index: &Index<'_>, executed: &Executed<'_>, place: Place) -> Vec<Place> {
    let Some((there, called)) = index.at(place) else { return Vec::new() };
    let mut found = Vec::new();
    let beside = executed.paths().filter(|path| **path != there.path).filter_map(|path| index.load_path(path));
    for file in std::iter::once(there.clone()).chain(beside).filter(|file| !file.is_test && !file.is_foreign) {
        let is_call = |found: &&Reference| found.kind == ReferenceKind::Call && found.name == called.name;
        for reference in file.outline.references.iter().filter(is_call) {
            let Some(caller) = file.enclosing(reference.line).filter(|at| file.definition(*at).kind.is_callable())
            else {
                continue;
            };
            let this = Place { file: file.id, definition: caller };
            let idle = !executed.entered_itself(&file, caller) && !file.is_test_code(caller);
            if this == place || !idle || found.contains(&this) {
                continue;
            }
            let targets = resolve::targets(index, &file, Some(caller), reference, true);
            if targets.iter().any(|(target, weight)| *target == place && *weight >= 0.3) {
                found.push(this);
            }
        }
    }
    found.truncate(CALLERS);
    found
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::tree::Tree;
    use crate::source::RelPath;

    #[test]
    fn what_made_a_function_before_the_test_is_suspect_and_what_chose_it() {
        let cached = "def plain(f):\n    def call(x):\n        return f(x)\n    return call\n\n\ndef locked(f):\n    def call(x):\n        return f(x) + 1\n    return call\n\n\ndef choose(f, lock):\n    if lock:\n        return plain(f)\n    return locked(f)\n\n\ndef cached(f):\n    return choose(f, None)\n\n\ndef clear(x):\n    return x\n\n\ndef register(table):\n    table.add('clear', clear)\n";
        let tree = Tree::of(&[("cached.py", cached)]);
        let files = tree.paths();
        let index = Index::new(&tree, &files, RelPath::root());
        let path = RelPath::new("cached.py").expect("a path");
        let file = index.load_path(&path).expect("parsed");
        let place = |line: u32| Place { file: file.id, definition: file.enclosing(line).expect("a function") };
        for (ran, wanted) in [
            // `locked` and the others ran while the file of the tests was loaded.
            (vec![9], vec![("cached", 0.512), ("choose", 0.64), ("locked", 0.8)]),
            (vec![8, 9, 10, 13, 16], vec![]),
            (vec![8, 9, 10, 13, 16, 24], vec![("register", 0.8)]),
        ] {
            let ran = [(path.clone(), ran)];
            let mut gathered: HashMap<Place, Gathered> = HashMap::new();
            for line in [9, 24].into_iter().filter(|line| ran[0].1.contains(line)) {
                gathered.insert(place(line), Gathered::default());
            }
            from_made(&index, &Executed::new(&ran), |_| Some(1.0), &mut gathered);
            let mut found: Vec<(String, f64)> = gathered
                .iter()
                .filter(|(_, known)| known.made > 0.0)
                .map(|(place, known)| (index.at(*place).expect("it is there").1.qualified, known.made))
                .collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let wanted: Vec<(String, f64)> = wanted.into_iter().map(|(name, share)| (name.to_owned(), share)).collect();
            assert_eq!(found.len(), wanted.len(), "{found:?}");
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(found.0, wanted.0);
                assert!((found.1 - wanted.1).abs() < 1e-9, "{found:?} {wanted:?}");
            }
        }
    }
}
