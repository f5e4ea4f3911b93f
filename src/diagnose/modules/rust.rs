//! Rust's modules: the tree of a crate's files, and `use` as written.
//!
//! Knows the layout of packages (Cargo book, "Package layout"); expands no
//! macro and reads no `#[path]`.

use std::rc::Rc;

use super::MAX_HOPS;
use super::Module;
use super::Thing;
use super::bases_hops;
use super::own_type_hops;
use super::resolve_hops;
use super::visible_inside;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::language::DefinitionKind;
use crate::source::RelPath;

/// What the first segment of a path means at `within` of `file`.
pub(super) fn first(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    name: &str,
    hops: usize,
) -> Vec<Thing> {
    let here = current(index, file, within);
    match name {
        "crate" => return vec![Thing::Module(crate_root(index, &file.path))],
        "self" => return vec![Thing::Module(here)],
        "super" => return parent(index, file, &here).map(Thing::Module).into_iter().collect(),
        "Self" => return own_type_hops(index, file, within, hops).map(Thing::Definition).into_iter().collect(),
        _ => {}
    }
    if let Some(place) = visible_inside(file, within, name) {
        return vec![Thing::Definition(place)];
    }
    let found = lookup(index, &here, name, hops);
    if !found.is_empty() {
        return found;
    }
    let root = index.crates().get(name).and_then(|path| index.id(path.as_str()).map(|id| (id, path)));
    if let Some((id, path)) = root {
        let folder = path.parent().as_str().to_owned();
        return vec![Thing::Module(Module { file: Some(id), folder, inside: String::new() })];
    }
    macros(index, file, name)
}

/// Macros are visible by name after their text, whatever the module.
fn macros(index: &Index<'_>, file: &SourceFile, name: &str) -> Vec<Thing> {
    let is_macro = |place: &Place| index.at(*place).is_some_and(|(_, found)| found.kind == DefinitionKind::Macro);
    let known: Vec<Place> = index.members_named(name).into_iter().filter(is_macro).collect();
    let own = known.iter().find(|place| place.file == file.id).or(known.first());
    own.map(|place| Thing::Definition(*place)).into_iter().collect()
}

/// What `name` means in `module`: an item, a file, or a `use`. Modules and types
/// have names of their own beside those of functions and values (Rust reference,
/// "Namespaces"): `mod quote; pub use quote::quote;` gives both.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    let Some(file) = module.file.and_then(|id| index.load(id)) else { return Vec::new() };
    let within = inside(&file, &module.inside);
    let mut as_module = None;
    for definition in file.named(name) {
        let this = file.definition(*definition);
        if this.parent != within || this.kind == DefinitionKind::Impl {
            continue;
        }
        if this.kind == DefinitionKind::Module {
            let folder = format!("{}/{name}", module.folder);
            as_module.get_or_insert(Module { file: Some(file.id), folder, inside: this.qualified.clone() });
            continue;
        }
        let found = Thing::Definition(Place { file: file.id, definition: *definition });
        let beside = as_module.or_else(|| child(index, module, name)).filter(|_| !this.kind.is_type());
        return std::iter::once(found).chain(beside.map(Thing::Module)).collect();
    }
    let mut found: Vec<Thing> =
        as_module.or_else(|| child(index, module, name)).map(Thing::Module).into_iter().collect();
    if hops < MAX_HOPS {
        // Beside a module of the name only a value can be imported.
        let taken = !found.is_empty();
        let imported = imported(index, &file, within, name, hops);
        found.extend(imported.into_iter().filter(|thing| !taken || is_value(index, thing)));
    }
    found
}

fn is_value(index: &Index<'_>, thing: &Thing) -> bool {
    match thing {
        Thing::Module(_) => false,
        Thing::Definition(place) => index.at(*place).is_some_and(|(_, found)| !found.kind.is_type()),
    }
}

fn imported(index: &Index<'_>, file: &SourceFile, within: Option<usize>, name: &str, hops: usize) -> Vec<Thing> {
    if !index.follows(file.id, within, name) {
        return Vec::new();
    }
    let mut globs = Vec::new();
    for import in file.imports_in(within) {
        let module: Vec<&str> = import.module.split("::").filter(|part| !part.is_empty()).collect();
        for imported in &import.names {
            if imported.name == "*" {
                globs.push(module.clone());
            } else if imported.local() == name {
                let mut path = module.clone();
                path.push(&imported.name);
                // `use serde;` says nothing about a file of its own name.
                if path.len() == 1 && path[0] == name {
                    continue;
                }
                let found = resolve_hops(index, file, within, &path, hops + 1);
                if !found.is_empty() {
                    return found;
                }
            }
        }
    }
    for mut path in globs {
        path.push(name);
        let found = resolve_hops(index, file, within, &path, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The definition of the module written inside a file.
fn inside(file: &SourceFile, qualified: &str) -> Option<usize> {
    let name = qualified.rsplit("::").next().filter(|name| !name.is_empty())?;
    let is_it = |index: &&usize| {
        let definition = file.definition(**index);
        definition.kind == DefinitionKind::Module && definition.qualified == qualified
    };
    file.named(name).iter().find(is_it).copied()
}

/// The innermost module written in the file around `within`.
fn module_of(file: &SourceFile, within: Option<usize>) -> Option<usize> {
    let mut at = within;
    while let Some(index) = at {
        if file.definition(index).kind == DefinitionKind::Module {
            return Some(index);
        }
        at = file.definition(index).parent;
    }
    None
}

/// The module that the code at `within` belongs to.
fn current(index: &Index<'_>, file: &SourceFile, within: Option<usize>) -> Module {
    let folder = child_folder(index, &file.path);
    match module_of(file, within) {
        None => Module { file: Some(file.id), folder, inside: String::new() },
        Some(module) => {
            let qualified = file.definition(module).qualified.clone();
            let folder = format!("{folder}/{}", qualified.replace("::", "/"));
            Module { file: Some(file.id), folder, inside: qualified }
        }
    }
}

fn parent(index: &Index<'_>, file: &SourceFile, module: &Module) -> Option<Module> {
    if !module.inside.is_empty() {
        let up = module.inside.rsplit_once("::").map_or("", |(up, _)| up);
        return Some(current(index, file, inside(file, up)));
    }
    let folder = child_folder(index, &file.path);
    let up = RelPath::new(&folder).ok()?.parent();
    let id = file_of_folder(index, up.as_str())?;
    Some(Module { file: Some(id), folder: up.as_str().to_owned(), inside: String::new() })
}

/// The submodule `name` in its own file.
fn child(index: &Index<'_>, module: &Module, name: &str) -> Option<Module> {
    let folder = if module.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", module.folder) };
    let file = index.id(&format!("{folder}.rs")).or_else(|| index.id(&format!("{folder}/mod.rs")))?;
    Some(Module { file: Some(file), folder, inside: String::new() })
}

/// The file whose submodules lie in `folder`.
fn file_of_folder(index: &Index<'_>, folder: &str) -> Option<usize> {
    let inner = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let roots = ["lib.rs", "main.rs", "mod.rs"].map(inner);
    roots.iter().find_map(|path| index.id(path)).or_else(|| index.id(&format!("{folder}.rs")))
}

/// Where the submodules of the file at `path` lie.
fn child_folder(index: &Index<'_>, path: &RelPath) -> String {
    let folder = path.parent();
    let is_root = matches!(path.file_name(), "lib.rs" | "main.rs" | "mod.rs")
        || (matches!(folder.file_name(), "tests" | "benches" | "examples" | "bin") && is_package(index, &folder));
    if is_root {
        return folder.as_str().to_owned();
    }
    path.as_str().strip_suffix(".rs").unwrap_or(path.as_str()).to_owned()
}

/// Whether `folder` is one of a package's folders of targets.
fn is_package(index: &Index<'_>, folder: &RelPath) -> bool {
    let above = if folder.file_name() == "bin" { folder.parent().parent() } else { folder.parent() };
    above.join("Cargo.toml").is_ok_and(|manifest| index.id(manifest.as_str()).is_some())
}

/// The root module of the crate that the file at `path` belongs to.
fn crate_root(index: &Index<'_>, path: &RelPath) -> Module {
    let module =
        |id, folder: &RelPath| Module { file: Some(id), folder: folder.as_str().to_owned(), inside: String::new() };
    let mut folder = path.parent();
    loop {
        // The lib target is what other files mean by `crate`, except main.rs.
        let names = if path.file_name() == "main.rs" { ["main.rs", "lib.rs"] } else { ["lib.rs", "main.rs"] };
        let root = names.iter().find_map(|name| index.id(folder.join(name).ok()?.as_str()));
        if let Some(id) = root {
            return module(id, &folder);
        }
        if folder.is_root() {
            let own = RelPath::new(&child_folder(index, path)).unwrap_or_default();
            return Module { file: index.id(path.as_str()), folder: own.as_str().to_owned(), inside: String::new() };
        }
        folder = folder.parent();
    }
}

/// Files of a crate that are read in search of a type's impls.
const MAX_IMPL_FILES: usize = 12;

/// Methods and constants of a type: in its impls (its file first, then files
/// of the crate that name both), in the trait itself, and the defaults of its
/// traits.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, of: usize, name: &str, hops: usize) -> Vec<Place> {
    let this = file.definition(of);
    let is_trait = this.kind == DefinitionKind::Trait;
    let mut found = own_members(file, &this.name, is_trait, name);
    if found.is_empty() || is_trait {
        let function = format!("fn {name}");
        for other in impl_files(index, file, &[&this.name, "impl", &function]) {
            found.extend(own_members(&other, &this.name, is_trait, name));
        }
    }
    if is_trait {
        // What implements the method is more than its declaration.
        let implemented = |place: &Place| index.at(*place).is_some_and(|(_, definition)| !definition.body.is_empty());
        if found.iter().any(implemented) {
            found.retain(implemented);
        }
    }
    if found.is_empty() && !is_trait {
        found = inherited(index, file, &this.name, name, hops);
    }
    found.dedup();
    found
}

/// Other files of the crate that hold all of `needles`, parsed.
fn impl_files(index: &Index<'_>, file: &SourceFile, needles: &[&str]) -> Vec<Rc<SourceFile>> {
    let folder = RelPath::new(&crate_root(index, &file.path).folder).unwrap_or_default();
    let ids = index.search(needles, file.language(), &folder, &file.path);
    ids.into_iter().filter(|id| *id != file.id).take(MAX_IMPL_FILES).filter_map(|id| index.load(id)).collect()
}

/// Members called `name` in one file's impls of the type (of a trait: also in
/// itself and in impls of it).
fn own_members(file: &SourceFile, type_name: &str, is_trait: bool, name: &str) -> Vec<Place> {
    let belongs = |definition: &&usize| {
        let Some(parent) = file.definition(**definition).parent else { return false };
        let holder = file.definition(parent);
        match holder.kind {
            DefinitionKind::Impl => {
                holder.name == type_name || (is_trait && holder.bases.iter().any(|base| base == type_name))
            }
            DefinitionKind::Trait => is_trait && holder.name == type_name,
            _ => false,
        }
    };
    let found = file.named(name).iter().filter(belongs);
    found.map(|definition| Place { file: file.id, definition: *definition }).collect()
}

/// Default methods of the traits that the type implements.
fn inherited(index: &Index<'_>, file: &SourceFile, type_name: &str, name: &str, hops: usize) -> Vec<Place> {
    let for_type = format!("for {type_name}");
    let mut files = impl_files(index, file, &[&for_type]);
    files.extend(index.load(file.id));
    let mut found = Vec::new();
    for file in &files {
        for definition in file.named(type_name) {
            let impl_ = file.definition(*definition);
            if impl_.kind != DefinitionKind::Impl || impl_.bases.is_empty() {
                continue;
            }
            for base in bases_hops(index, Place { file: file.id, definition: *definition }, hops) {
                let Some((there, trait_)) = index.at(base) else { continue };
                let inside = there.named(name).iter().filter(|method| {
                    there.definition(**method).parent == Some(base.definition) && trait_.kind == DefinitionKind::Trait
                });
                found.extend(inside.map(|method| Place { file: there.id, definition: *method }));
            }
        }
    }
    found
}
