//! Go's packages: the files of one folder, found by the module's path.
//!
//! Knows `go.mod` and the layout of packages (go.dev, "Go Modules Reference");
//! reads no `replace`, no build tags and nothing that is vendored.

use std::rc::Rc;

use super::Module;
use super::Thing;
use super::bases_hops;
use super::members_hops;
use super::visible_inside;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::language::DefinitionKind;
use crate::source::RelPath;

/// Files of a package that are read in search of a name.
const MAX_FILES: usize = 40;

/// What the first name of a path means at `within` of `file`.
pub(super) fn first(index: &Index<'_>, file: &SourceFile, within: Option<usize>, name: &str) -> Vec<Thing> {
    if let Some(place) = visible_inside(file, within, name) {
        return vec![Thing::Definition(place)];
    }
    let own = in_package(index, file.path.parent().as_str(), name, file.is_test);
    if !own.is_empty() {
        return own;
    }
    let named = |alias: &str| file.outline.imports.iter().find(|import| import.alias.as_deref() == Some(alias));
    if let Some(folder) = named(name).and_then(|import| folder_of(index, &import.module)) {
        return package(index, folder).into_iter().collect();
    }
    let all = file.outline.imports.iter().filter(|import| import.names.first().is_some_and(|first| first.name == "*"));
    let mut folders = all.filter_map(|import| folder_of(index, &import.module));
    folders
        .find_map(|folder| Some(in_package(index, &folder, name, false)).filter(|found| !found.is_empty()))
        .unwrap_or_default()
}

/// The package in `folder`; any of its files stands for it.
fn package(index: &Index<'_>, folder: String) -> Option<Thing> {
    let is_code =
        |id: &&usize| index.files[**id].extension() == Some("go") && !index.files[**id].as_str().ends_with("_test.go");
    let file = index.in_folder(&folder).iter().find(is_code).copied();
    file.map(|id| Thing::Module(Module { file: Some(id), folder, inside: String::new() }))
}

/// What `name` means in a package.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str) -> Vec<Thing> {
    in_package(index, &module.folder, name, false)
}

/// The folder of the package that is imported as `path`: below the module whose
/// path it begins with, the longest first.
fn folder_of(index: &Index<'_>, path: &str) -> Option<String> {
    let inner = |module: &str| path.strip_prefix(module).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let modules = index.go_modules().iter();
    let (module, folder) =
        modules.filter(|(module, _)| inner(module).is_some()).max_by_key(|(module, _)| module.len())?;
    let rest = inner(module)?.trim_start_matches('/');
    let found = match (folder.is_root(), rest.is_empty()) {
        (_, true) => folder.as_str().to_owned(),
        (true, false) => rest.to_owned(),
        (false, false) => format!("{folder}/{rest}"),
    };
    index.is_folder(&found).then_some(found)
}

/// Files of the package in `folder` whose text holds `needle`.
fn files(index: &Index<'_>, folder: &str, needle: &str, tests: bool) -> Vec<Rc<SourceFile>> {
    let of_package = index.in_folder(folder).iter().filter(|id| {
        let name = index.files[**id].file_name();
        name.ends_with(".go") && (tests || !name.ends_with("_test.go"))
    });
    let holding = of_package.filter(|id| index.text(**id).is_some_and(|text| text.contains(needle)));
    holding.take(MAX_FILES).filter_map(|id| index.load(*id)).collect()
}

/// What `name` means at the top level of the package in `folder`.
fn in_package(index: &Index<'_>, folder: &str, name: &str, tests: bool) -> Vec<Thing> {
    let mut found = Vec::new();
    for file in files(index, folder, name, tests) {
        let own = file.named(name).iter().filter(|definition| {
            let this = file.definition(**definition);
            this.parent.is_none() && this.kind != DefinitionKind::Method
        });
        found.extend(own.map(|definition| Thing::Definition(Place { file: file.id, definition: *definition })));
    }
    found
}

/// Methods of a type, which stand anywhere in its package; of an interface, of
/// whatever has a method of that name; then of what is embedded.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, of: usize, name: &str, hops: usize) -> Vec<Place> {
    let this = file.definition(of);
    let method = format!(") {name}(");
    let is_interface = this.kind == DefinitionKind::Trait;
    let candidates = if is_interface {
        let ids = index.search(&["func (", &method], file.language(), &index.root, &file.path);
        ids.into_iter().take(MAX_FILES).filter_map(|id| index.load(id)).collect()
    } else {
        files(index, file.path.parent().as_str(), &method, file.is_test)
    };
    let qualified = format!("{}.{name}", this.name);
    let mut found = Vec::new();
    for there in &candidates {
        let methods = there.named(name).iter().filter(|definition| {
            let method = there.definition(**definition);
            method.kind == DefinitionKind::Method && (is_interface || method.qualified == qualified)
        });
        found.extend(methods.map(|definition| Place { file: there.id, definition: *definition }));
    }
    if found.is_empty() {
        let bases = bases_hops(index, Place { file: file.id, definition: of }, hops);
        found = bases.into_iter().flat_map(|base| members_hops(index, base, name, hops + 1)).collect();
    }
    found
}

/// The type that a method belongs to, by its receiver.
pub(super) fn owner(index: &Index<'_>, file: &SourceFile, method: usize) -> Option<Place> {
    let this = file.definition(method);
    let (owner, _) = this.qualified.rsplit_once('.').filter(|_| this.kind == DefinitionKind::Method)?;
    in_package(index, file.path.parent().as_str(), owner, file.is_test).into_iter().find_map(|thing| match thing {
        Thing::Definition(place) => Some(place),
        Thing::Module(_) => None,
    })
}

/// The modules of the tree: their paths and folders.
pub(in crate::diagnose) fn modules(index: &Index<'_>) -> Vec<(String, RelPath)> {
    let read = |id: &usize| {
        let text = index.text(*id)?;
        let path = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
        let path = path.split("//").next().unwrap_or(path).trim().trim_matches('"');
        Some((path.to_owned(), index.files[*id].parent()))
    };
    index.named("go.mod").iter().take(100).filter_map(read).collect()
}
