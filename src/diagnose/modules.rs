//! Which module a path in code means, and what a name means inside it.
//!
//! Knows how languages lay modules out in files; knows nothing of calls.

use super::file::SourceFile;
use super::index::FileId;
use super::index::Index;
use super::index::Place;
use crate::language::DefinitionKind;

pub(super) mod go;
mod java;
mod javascript;
mod python;
mod rust;

/// A module: a file, a folder of files, or a module written inside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its file; `None` for a folder alone.
    pub(crate) file: Option<FileId>,
    /// Where its submodules lie.
    pub(crate) folder: String,
    /// Qualified name of the module inside the file; empty for the file.
    pub(crate) inside: String,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A definition.
    Definition(Place),
    /// A module.
    Module(Module),
}

/// How often an import may lead to another before it is a circle.
const MAX_HOPS: usize = 8;

/// What the path `segments` (`["shop", "cart", "total"]`, `["Cart", "new"]`)
/// means at definition `within` of `file`. Empty where it is not the project's.
pub(crate) fn resolve(index: &Index<'_>, file: &SourceFile, within: Option<usize>, segments: &[&str]) -> Vec<Thing> {
    let key = (file.id, within, segments.join("\0"));
    if let Some(known) = index.resolved.borrow().get(&key) {
        return known.clone();
    }
    index.followed.borrow_mut().clear();
    let found = resolve_hops(index, file, within, segments, 0);
    index.resolved.borrow_mut().insert(key, found.clone());
    found
}

fn resolve_hops(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    segments: &[&str],
    hops: usize,
) -> Vec<Thing> {
    let Some((first, rest)) = segments.split_first() else { return Vec::new() };
    if hops > MAX_HOPS {
        return Vec::new();
    }
    let mut things = match file.language().family {
        "rust" => rust::first(index, file, within, first, hops),
        "javascript" => javascript::first(index, file, within, first, hops),
        "go" => go::first(index, file, within, first),
        "java" => java::first(index, file, within, first, hops),
        _ => python::first(index, file, within, segments, hops),
    };
    for segment in rest {
        // `quote::total` goes into the module `quote`, not into a function
        // that bears its name.
        things.retain(|thing| !is_callable(index, thing));
        things = things.iter().flat_map(|thing| descend(index, thing, segment, hops)).collect();
        if things.is_empty() {
            return things;
        }
    }
    things
}

fn is_callable(index: &Index<'_>, thing: &Thing) -> bool {
    match thing {
        Thing::Module(_) => false,
        Thing::Definition(place) => index.at(*place).is_some_and(|(_, definition)| definition.kind.is_callable()),
    }
}

/// The member `name` of a module or type.
fn descend(index: &Index<'_>, thing: &Thing, name: &str, hops: usize) -> Vec<Thing> {
    match thing {
        Thing::Module(module) => lookup(index, module, name, hops),
        Thing::Definition(place) => {
            members_hops(index, *place, name, hops + 1).into_iter().map(Thing::Definition).collect()
        }
    }
}

/// What `name` means in `module`: its own, or what it imports.
fn lookup(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    if hops > MAX_HOPS {
        return Vec::new();
    }
    match module.file.and_then(|id| index.load(id)).map(|file| file.language().family) {
        Some("rust") => rust::lookup(index, module, name, hops),
        Some("javascript") => javascript::lookup(index, module, name, hops),
        Some("go") => go::lookup(index, module, name),
        Some("java") => java::lookup(index, module, name),
        _ => python::lookup(index, module, name, hops),
    }
}

/// Methods and constants called `name` of the type at `place`, own before
/// inherited.
pub(crate) fn members(index: &Index<'_>, place: Place, name: &str) -> Vec<Place> {
    index.followed.borrow_mut().clear();
    members_hops(index, place, name, 0)
}

fn members_hops(index: &Index<'_>, place: Place, name: &str, hops: usize) -> Vec<Place> {
    let Some(file) = index.load(place.file) else { return Vec::new() };
    if hops > MAX_HOPS || place.definition >= file.outline.definitions.len() {
        return Vec::new();
    }
    match file.language().family {
        "rust" => rust::members(index, &file, place.definition, name, hops),
        "javascript" => javascript::members(index, &file, place.definition, name, hops),
        "go" => go::members(index, &file, place.definition, name, hops),
        "java" => java::members(index, &file, place.definition, name, hops),
        _ => python::members(index, &file, place.definition, name, hops),
    }
}

/// The types that the type at `place` inherits from or, for an impl, its trait.
pub(crate) fn bases(index: &Index<'_>, place: Place) -> Vec<Place> {
    index.followed.borrow_mut().clear();
    bases_hops(index, place, 0)
}

fn bases_hops(index: &Index<'_>, place: Place, hops: usize) -> Vec<Place> {
    let Some(file) = index.load(place.file) else { return Vec::new() };
    let Some(definition) = file.outline.definitions.get(place.definition) else { return Vec::new() };
    let separator = file.language().separator;
    let mut found = Vec::new();
    for base in &definition.bases {
        let segments: Vec<&str> = base.split(separator).collect();
        // The class itself is no base of its own, though the name is visible.
        let things = resolve_hops(index, &file, definition.parent, &segments, hops + 1);
        found.extend(things.into_iter().filter_map(|thing| match thing {
            Thing::Definition(base) if base != place => Some(base),
            _ => None,
        }));
    }
    found
}

/// The type around definition `within` of `file`: the class, or the type of
/// the impl.
pub(crate) fn own_type(index: &Index<'_>, file: &SourceFile, within: Option<usize>) -> Option<Place> {
    index.followed.borrow_mut().clear();
    own_type_hops(index, file, within, 0)
}

fn own_type_hops(index: &Index<'_>, file: &SourceFile, within: Option<usize>, hops: usize) -> Option<Place> {
    let mut at = within;
    while let Some(definition) = at {
        let this = file.definition(definition);
        if file.language().family == "go" && this.kind == DefinitionKind::Method {
            return go::owner(index, file, definition);
        }
        if matches!(this.kind, DefinitionKind::Class | DefinitionKind::Trait) {
            return Some(Place { file: file.id, definition });
        }
        if this.kind == DefinitionKind::Impl {
            let things = resolve_hops(index, file, this.parent, &[&this.name], hops + 1);
            let of_type = things.into_iter().find_map(|thing| match thing {
                Thing::Definition(place) => Some(place),
                Thing::Module(_) => None,
            });
            return of_type.or(Some(Place { file: file.id, definition }));
        }
        at = this.parent;
    }
    None
}

/// Definitions visible by `name` from inside `within`: nested in the functions
/// around it, then beside them.
fn visible_inside(file: &SourceFile, within: Option<usize>, name: &str) -> Option<Place> {
    let mut around = Vec::new();
    let mut at = within;
    while let Some(definition) = at {
        around.push(definition);
        at = file.definition(definition).parent;
    }
    let mut candidates = file.named(name).iter().filter(|index| {
        let parent = file.definition(**index).parent;
        // A class's members are not visible by name in its methods.
        parent.is_some_and(|parent| around.contains(&parent) && file.definition(parent).kind.is_callable())
    });
    candidates.next_back().map(|definition| Place { file: file.id, definition: *definition })
}
