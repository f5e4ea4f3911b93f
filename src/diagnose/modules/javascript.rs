//! Modules of JavaScript and TypeScript: one file, one module.
//!
//! Follows imports, `require`, re-exports and what `module.exports` gives out,
//! as written; runs none of them. Which file a path means is the work of
//! `paths`.

mod paths;

use super::MAX_HOPS;
use super::Module;
use super::Thing;
use super::bases_hops;
use super::members_hops;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::language::DefinitionKind;
use crate::language::Import;
use crate::language::javascript::DEFAULT;

/// What the first name of a path means at `within` of `file`.
pub(super) fn first(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    name: &str,
    hops: usize,
) -> Vec<Thing> {
    match visible(file, within, name) {
        Some(place) => vec![Thing::Definition(place)],
        None => in_file(index, file, name, hops),
    }
}

/// A definition inside a function or a group of tests around `within`.
fn visible(file: &SourceFile, within: Option<usize>, name: &str) -> Option<Place> {
    let mut at = within;
    while let Some(around) = at {
        let holder = file.definition(around);
        if holder.kind.is_callable() || holder.kind == DefinitionKind::Module {
            let inner = file.named(name).iter().rfind(|found| file.definition(**found).parent == Some(around));
            if let Some(definition) = inner {
                return Some(Place { file: file.id, definition: *definition });
            }
        }
        at = holder.parent;
    }
    None
}

/// What `name` means at the top level of `file`: defined there, or imported.
/// `const x = require('./x')` is an import before it is a constant.
fn in_file(index: &Index<'_>, file: &SourceFile, name: &str, hops: usize) -> Vec<Thing> {
    let own = own(file, name);
    if let Some(place) = own.filter(|place| file.definition(place.definition).kind != DefinitionKind::Constant) {
        return vec![Thing::Definition(place)];
    }
    if hops <= MAX_HOPS && index.follows(file.id, None, name) {
        let imports = file.outline.imports.iter().filter(|import| !import.exports);
        for import in imports.filter(|import| import.locals().contains(&name)) {
            let found = imported(index, file, import, name, hops);
            if !found.is_empty() {
                return found;
            }
        }
    }
    own.map(Thing::Definition).into_iter().collect()
}

/// The definition `name` at the top level.
fn own(file: &SourceFile, name: &str) -> Option<Place> {
    let own = file.named(name).iter().rfind(|definition| file.definition(**definition).parent.is_none());
    own.map(|definition| Place { file: file.id, definition: *definition })
}

fn imported(index: &Index<'_>, file: &SourceFile, import: &Import, name: &str, hops: usize) -> Vec<Thing> {
    let Some(module) = paths::module(index, &file.path, &import.module) else { return Vec::new() };
    if import.names.is_empty() {
        // `require` gives what the file assigns to `module.exports`: the one
        // thing, or the names.
        let mut found = given_by(index, &module, DEFAULT, hops + 1);
        found.retain(|thing| matches!(thing, Thing::Definition(_)));
        found.push(Thing::Module(module));
        return found;
    }
    let Some(source) = import.names.iter().find(|imported| imported.local() == name) else { return Vec::new() };
    given_by(index, &module, &source.name, hops + 1)
}

/// What `name` of `module` means in other files.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    given_by(index, module, name, hops)
}

fn given_by(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    let Some(file) = module.file.and_then(|id| index.load(id)) else { return Vec::new() };
    if hops > MAX_HOPS {
        return Vec::new();
    }
    let gives = || file.outline.imports.iter().filter(|import| import.exports);
    for import in gives().filter(|import| import.locals().contains(&name)) {
        let found = if import.module.is_empty() {
            let source = import.names.iter().find(|given| given.local() == name);
            source.map(|given| in_file(index, &file, &given.name, hops + 1)).unwrap_or_default()
        } else {
            imported(index, &file, import, name, hops)
        };
        if !found.is_empty() {
            return found;
        }
    }
    if let Some(place) = own(&file, name) {
        return vec![Thing::Definition(place)];
    }
    for import in gives().filter(|import| import.names.first().is_some_and(|first| first.name == "*")) {
        let Some(module) = paths::module(index, &file.path, &import.module) else { continue };
        let found = given_by(index, &module, name, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    // A default import of a file without one is all that it gives out.
    if name == DEFAULT { vec![Thing::Module(module.clone())] } else { Vec::new() }
}

/// Members of a class, an object or a namespace, then of what it extends.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, of: usize, name: &str, hops: usize) -> Vec<Place> {
    let own = file.named(name).iter().rev().find(|member| file.definition(**member).parent == Some(of));
    if let Some(definition) = own {
        return vec![Place { file: file.id, definition: *definition }];
    }
    let assigned = on_prototype(file, of, name);
    if assigned.is_some() {
        return assigned.into_iter().collect();
    }
    for base in bases_hops(index, Place { file: file.id, definition: of }, hops) {
        let found = members_hops(index, base, name, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// `Cart.prototype.total = function …` and `Cart.of = …`.
fn on_prototype(file: &SourceFile, of: usize, name: &str) -> Option<Place> {
    let holder = &file.definition(of).name;
    let found = file.named(name).iter().find(|member| {
        let text = &file.text()[file.definition(**member).bytes.clone()];
        text.starts_with(&format!("{holder}.prototype.{name}")) || text.starts_with(&format!("{holder}.{name}"))
    })?;
    Some(Place { file: file.id, definition: *found })
}
