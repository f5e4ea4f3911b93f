//! Rust's modules: the tree of a crate's files, and `use` as written.
//!
//! Knows the layout of packages (Cargo book, "Package layout"); expands no
//! macro and reads no `#[path]`.

use super::MAX_HOPS;
use super::Module;
use super::Thing;
use super::bases;
use super::members_hops;
use super::own_type;
use super::resolve_hops;
use super::visible_inside;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::diagnose::index::SourceFile;
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
        "Self" => return own_type(index, file, within).map(Thing::Definition).into_iter().collect(),
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
    let of_file = |file: &SourceFile| {
        let found = file.named(name).iter().find(|index| file.definition(**index).kind == DefinitionKind::Macro);
        found.map(|definition| Thing::Definition(Place { file: file.id, definition: *definition }))
    };
    let known = of_file(file).or_else(|| index.loaded().iter().find_map(|file| of_file(file)));
    known.into_iter().collect()
}

/// What `name` means in `module`: an item, a file, or a `use`.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str, hops: usize) -> Vec<Thing> {
    let Some(file) = module.file.and_then(|id| index.load(id)) else { return Vec::new() };
    let within = inside(&file, &module.inside);
    for definition in file.named(name) {
        let this = file.definition(*definition);
        if this.parent != within || this.kind == DefinitionKind::Impl {
            continue;
        }
        if this.kind == DefinitionKind::Module {
            let folder = format!("{}/{name}", module.folder);
            return vec![Thing::Module(Module { file: Some(file.id), folder, inside: this.qualified.clone() })];
        }
        return vec![Thing::Definition(Place { file: file.id, definition: *definition })];
    }
    if let Some(found) = child(index, module, name) {
        return vec![Thing::Module(found)];
    }
    if hops >= MAX_HOPS {
        return Vec::new();
    }
    imported(index, &file, within, name, hops)
}

fn imported(index: &Index<'_>, file: &SourceFile, within: Option<usize>, name: &str, hops: usize) -> Vec<Thing> {
    let of_module = |line: u32| {
        let around = file.enclosing(line);
        around.map_or(within.is_none(), |at| module_of(file, Some(at)) == within)
    };
    let mut globs = Vec::new();
    for import in file.outline.imports.iter().filter(|import| of_module(import.lines.start)) {
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

/// Methods and constants of a type: in its impls (its file first, then files
/// that name it), in the trait itself, and the defaults of its traits.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, of: usize, name: &str, hops: usize) -> Vec<Place> {
    let this = file.definition(of);
    let type_name = this.name.clone();
    let is_trait = this.kind == DefinitionKind::Trait;
    let mut files = vec![index.load(file.id)];
    let mut searched = false;
    let mut next = 0;
    let mut traits = Vec::new();
    let mut found = Vec::new();
    loop {
        while let Some(Some(file)) = files.get(next) {
            for definition in file.named(name) {
                let Some(parent) = file.definition(*definition).parent else { continue };
                let holder = file.definition(parent);
                let of_impl = holder.kind == DefinitionKind::Impl
                    && (holder.name == type_name || (is_trait && holder.bases.iter().any(|base| *base == type_name)));
                let of_trait = is_trait && holder.kind == DefinitionKind::Trait && holder.name == type_name;
                if of_impl || of_trait {
                    found.push(Place { file: file.id, definition: *definition });
                }
            }
            for impl_ in file.named(&type_name) {
                let definition = file.definition(*impl_);
                if definition.kind == DefinitionKind::Impl && !definition.bases.is_empty() {
                    traits.push(Place { file: file.id, definition: *impl_ });
                }
            }
            next += 1;
        }
        if !found.is_empty() && !is_trait || searched {
            break;
        }
        searched = true;
        for id in index.search(&type_name, file.language(), &file.path).into_iter().take(40) {
            let names = index.text(id).is_some_and(|text| text.contains("impl"));
            if names && id != file.id {
                files.extend(index.load(id).map(Some));
            }
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
        for impl_ in traits {
            for base in bases(index, impl_) {
                let inherited = members_hops(index, base, name, hops + 1);
                let declared = |place: &Place| {
                    index.at(*place).is_some_and(|(file, definition)| {
                        definition.parent.is_some_and(|parent| file.definition(parent).kind == DefinitionKind::Trait)
                    })
                };
                found.extend(inherited.into_iter().filter(declared));
            }
        }
    }
    found.dedup();
    found
}
