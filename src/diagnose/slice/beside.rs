//! The names of what a slice does not show: what else the failing test ran,
//! so that a model can ask to see it.
//!
//! Names functions; shows no code of theirs.

use std::collections::HashSet;

use crate::diagnose::Slice;
use crate::diagnose::calls::Executed;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::diagnose::suspect::Ranked;
use crate::source::RelPath;

/// Files told of, and names of each, at most.
const FILES: usize = 12;
const PER_FILE: usize = 8;

/// Functions that `slice` shows nothing of, by file: suspects first, then what
/// the failing test ran.
pub(super) fn names(
    index: &Index<'_>,
    slice: &Slice,
    suspects: &[Ranked],
    executed: &Executed<'_>,
) -> Vec<(RelPath, Vec<String>)> {
    let suspects = suspects
        .iter()
        .filter_map(|ranked| ranked.definition.map(|definition| Place { file: ranked.file.id, definition }));
    let ran = executed.paths().filter_map(|path| index.load_path(path)).flat_map(|file| {
        let callable = |at: &usize| file.definition(*at).kind.is_callable() && executed.entered(&file, *at);
        let places: Vec<usize> = (0..file.outline.definitions.len()).filter(callable).collect();
        places.into_iter().map(move |definition| Place { file: file.id, definition })
    });
    let mut known: HashSet<Place> = HashSet::new();
    let mut names: Vec<(RelPath, Vec<String>)> = Vec::new();
    for place in suspects.chain(ran).filter(|place| known.insert(*place)) {
        let Some((file, definition)) = index.at(place) else { continue };
        let is_shown = slice.parts.iter().any(|part| part.path == file.path && part.lines.overlaps(&definition.lines));
        if is_shown || file.is_foreign || file.is_test_code(place.definition) {
            continue;
        }
        let name = definition.qualified.clone();
        match names.iter().position(|(path, _)| *path == file.path) {
            Some(at) if names[at].1.len() < PER_FILE => names[at].1.push(name),
            None if names.len() < FILES => names.push((file.path.clone(), vec![name])),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::tree::Tree;

    #[test]
    fn what_the_test_ran_is_named_by_file_and_few_of_each() {
        let path = |text: &str| RelPath::new(text).expect("a path");
        let many: String = (0..20).map(|n| format!("def part{n}():\n    return {n}\n\n\n")).collect();
        let tree = Tree::of(&[
            ("shop.py", "def price(n):\n    return rate(n)\n\n\ndef idle(n):\n    return n\n"),
            ("many.py", &many),
            ("test_shop.py", "def test_price():\n    assert price(1) == 1\n"),
        ]);
        let files = tree.paths();
        let index = Index::new(&tree, &files, RelPath::root());
        let ran = [
            (path("many.py"), (0..20).map(|n| 4 * n + 2).collect()),
            (path("shop.py"), vec![1, 2, 5]),
            (path("test_shop.py"), vec![1, 2]),
        ];
        let found = names(&index, &Slice::default(), &[], &Executed::new(&ran));
        let listed: Vec<String> = (0..PER_FILE).map(|n| format!("part{n}")).collect();
        assert_eq!(found, [(path("many.py"), listed), (path("shop.py"), vec!["price".to_owned()])]);
    }
}
