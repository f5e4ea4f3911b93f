//! Python's modules: files and packages, found from the importing file and the
//! usual roots.
//!
//! Follows imports as written; runs no import.

use super::MAX_HOPS;
use super::Module;
use super::Thing;
use super::bases;
use super::members_hops;
use super::visible_inside;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::diagnose::index::SourceFile;
use crate::language::Import;
use crate::source::RelPath;

/// Folders below the project's root that hold packages.
const ROOTS: &[&str] = &["", "src", "lib", "python"];

/// What the first of `segments` means in `file`.
pub(super) fn first(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    segments: &[&str],
    hops: usize,
) -> Vec<Thing> {
    let name = segments[0];
    if let Some(place) = visible_inside(file, within, name) {
        return vec![Thing::Definition(place)];
    }
    in_file(index, file, name, hops)
}

/// What `name` means at the top level of `file`: defined there, or imported
/// (also inside functions: a local import is near enough).
fn in_file(index: &Index<'_>, file: &SourceFile, name: &str, hops: usize) -> Vec<Thing> {
    let own = file.named(name).iter().rev().find(|definition| file.definition(**definition).parent.is_none());
    if let Some(definition) = own {
        return vec![Thing::Definition(Place { file: file.id, definition: *definition })];
    }
    if hops > MAX_HOPS {
        return Vec::new();
    }
    let named = file.outline.imports.iter().filter(|import| import.locals().contains(&name));
    for import in named {
        let found = imported(index, file, import, name, hops);
        if !found.is_empty() {
            return found;
        }
    }
    let all = file.outline.imports.iter().filter(|import| import.names.first().is_some_and(|first| first.name == "*"));
    for import in all {
        let Some(module) = module(index, &file.path, &import.module, import.level) else { continue };
        let found = lookup(index, &module, name, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn imported(index: &Index<'_>, file: &SourceFile, import: &Import, name: &str, hops: usize) -> Vec<Thing> {
    if import.names.is_empty() {
        // `import a.b` binds `a`; `import a.b as c` binds the whole path.
        let path = match import.alias {
            Some(_) => import.module.as_str(),
            None => import.module.split('.').next().unwrap_or_default(),
        };
        return module(index, &file.path, path, 0).map(Thing::Module).into_iter().collect();
    }
    let Some(source) = import.names.iter().find(|imported| imported.local() == name) else { return Vec::new() };
    let Some(module) = module(index, &file.path, &import.module, import.level) else { return Vec::new() };
    // A package that imports from itself (`from . import x` in `__init__`)
    // means its submodule.
    if module.file == Some(file.id) {
        return submodule(index, &module, &source.name).map(Thing::Module).into_iter().collect();
    }
    lookup(index, &module, &source.name, hops + 1)
}

/// What `name` means in `module`.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    if hops > MAX_HOPS {
        return Vec::new();
    }
    if let Some(file) = module.file.and_then(|id| index.load(id)) {
        let found = in_file(index, &file, name, hops);
        if !found.is_empty() {
            return found;
        }
    }
    submodule(index, module, name).map(Thing::Module).into_iter().collect()
}

fn submodule(index: &Index<'_>, module: &Module, name: &str) -> Option<Module> {
    (!module.folder.is_empty()).then(|| at(index, &format!("{}/{name}", module.folder))).flatten()
}

/// The module that `import <path>` means in the file `from`.
pub(super) fn module(index: &Index<'_>, from: &RelPath, path: &str, level: u32) -> Option<Module> {
    let inner = path.replace('.', "/");
    if level > 0 {
        let mut folder = from.parent();
        for _ in 1..level {
            folder = folder.parent();
        }
        return at(index, folder.join(&inner).ok()?.as_str());
    }
    let roots = ROOTS.iter().filter_map(|root| index.root.join(root).ok());
    let mut above = vec![from.parent()];
    while let Some(last) = above.last().filter(|folder| !folder.is_root()) {
        above.push(last.parent());
    }
    for folder in roots.chain(above) {
        if let Some(found) = folder.join(&inner).ok().and_then(|path| at(index, path.as_str())) {
            return Some(found);
        }
    }
    by_suffix(index, &inner)
}

/// The module at a path without extension.
fn at(index: &Index<'_>, path: &str) -> Option<Module> {
    let module = |file| Module { file, folder: path.to_owned(), inside: String::new() };
    let package = index.id(&format!("{path}/__init__.py"));
    if let Some(file) = package.or_else(|| index.id(&format!("{path}.py"))) {
        return Some(module(Some(file)));
    }
    (!path.is_empty() && index.is_folder(path)).then(|| module(None))
}

/// The only file whose path ends in `inner`, where roots did not help.
fn by_suffix(index: &Index<'_>, inner: &str) -> Option<Module> {
    let last = inner.rsplit('/').next()?;
    let ends = [format!("/{inner}.py"), format!("/{inner}/__init__.py")];
    let candidates = index.named(&format!("{last}.py")).iter().chain(index.named("__init__.py"));
    let mut found = candidates.filter(|id| ends.iter().any(|end| index.files[**id].as_str().ends_with(end)));
    let only = *found.next()?;
    if found.next().is_some() {
        return None;
    }
    let path = index.files[only].as_str();
    let folder = path.strip_suffix("/__init__.py").or_else(|| path.strip_suffix(".py"))?;
    Some(Module { file: Some(only), folder: folder.to_owned(), inside: String::new() })
}

/// Members of a class, then of its bases in order.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, class: usize, name: &str, hops: usize) -> Vec<Place> {
    let own = file.named(name).iter().rev().find(|member| file.definition(**member).parent == Some(class));
    if let Some(definition) = own {
        return vec![Place { file: file.id, definition: *definition }];
    }
    for base in bases(index, Place { file: file.id, definition: class }) {
        let found = members_hops(index, base, name, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}
