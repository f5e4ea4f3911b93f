//! Java's packages: folders below source roots, one public type a file.
//!
//! Knows the layout of Maven and Gradle by the ends of paths, so that any root
//! will do; reads no build file and no library.

use super::MAX_HOPS;
use super::Module;
use super::Thing;
use super::bases_hops;
use super::members_hops;
use super::visible_inside;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::FileId;
use crate::diagnose::index::Index;
use crate::diagnose::index::Place;
use crate::source::RelPath;

/// What the first name of a path means at `within` of `file`.
pub(super) fn first(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    name: &str,
    hops: usize,
) -> Vec<Thing> {
    if let Some(place) = visible_inside(file, within, name) {
        return vec![Thing::Definition(place)];
    }
    if hops > MAX_HOPS {
        return Vec::new();
    }
    // Members of the classes around, also inherited, need no receiver.
    let mut at = within;
    while let Some(around) = at {
        let holder = file.definition(around);
        if !holder.kind.is_callable() {
            if holder.name == name {
                return vec![Thing::Definition(Place { file: file.id, definition: around })];
            }
            let place = Place { file: file.id, definition: around };
            let found: Vec<Thing> =
                members_hops(index, place, name, hops + 1).into_iter().map(Thing::Definition).collect();
            if !found.is_empty() {
                return found;
            }
        }
        at = holder.parent;
    }
    of_file(index, file, name, hops)
}

/// Types of the file, of its imports, and of its package.
fn of_file(index: &Index<'_>, file: &SourceFile, name: &str, hops: usize) -> Vec<Thing> {
    let own = file.named(name).iter().find(|definition| file.definition(**definition).parent.is_none());
    if let Some(definition) = own {
        return vec![Thing::Definition(Place { file: file.id, definition: *definition })];
    }
    if !index.follows(file.id, None, name) {
        return Vec::new();
    }
    let named = |wanted: &str| {
        let imports = file.outline.imports.iter();
        imports.filter(|import| import.names.iter().any(|imported| imported.name == wanted)).collect::<Vec<_>>()
    };
    for import in named(name).into_iter().chain(named("*")) {
        let found = inside(index, file, &import.module, name, hops);
        if !found.is_empty() {
            return found;
        }
    }
    let found = inside(index, file, &package_of(file), name, hops);
    if !found.is_empty() {
        return found;
    }
    // A path written out: `shop.Cart`.
    if name.starts_with(char::is_lowercase) { package(index, name).into_iter().collect() } else { Vec::new() }
}

/// The package whose folder's path ends in `folder`, below any root; the first
/// file in it or below stands for it.
fn package(index: &Index<'_>, folder: &str) -> Option<Thing> {
    // Most lower-case names are variables, and a tree has many files.
    if !index.has_folder_ending_in(folder) {
        return None;
    }
    let (start, inner) = (format!("{folder}/"), format!("/{folder}/"));
    let within = |path: &&RelPath| {
        path.extension() == Some("java") && (path.as_str().starts_with(&start) || path.as_str().contains(&inner))
    };
    let file = index.files.iter().find(within).and_then(|path| index.id(path.as_str()));
    file.map(|id| Thing::Module(Module { file: Some(id), folder: folder.to_owned(), inside: String::new() }))
}

/// `name` inside the package or type that `path` means.
fn inside(index: &Index<'_>, near: &SourceFile, path: &str, name: &str, hops: usize) -> Vec<Thing> {
    let folder = path.replace('.', "/");
    let mut found: Vec<Thing> = of_package(index, near, &folder, name).into_iter().map(Thing::Definition).collect();
    if found.is_empty()
        && let Some((package, outer)) = folder.rsplit_once('/').or(Some(("", folder.as_str())))
    {
        // A static import, or a type inside another.
        let holders = of_package(index, near, package, outer);
        found = holders
            .into_iter()
            .flat_map(|place| members_hops(index, place, name, hops + 1))
            .map(Thing::Definition)
            .collect();
    }
    found
}

/// The type `name` of the package whose folder's path ends in `folder`: in the
/// file that is called so, the nearest to `near` first.
fn of_package(index: &Index<'_>, near: &SourceFile, folder: &str, name: &str) -> Option<Place> {
    let end = if folder.is_empty() { format!("{name}.java") } else { format!("{folder}/{name}.java") };
    let fits = |id: &&FileId| {
        let path = index.files[**id].as_str();
        path == end || path.strip_suffix(&end).is_some_and(|root| root.ends_with('/'))
    };
    let shared = |id: &FileId| {
        let (one, other) = (index.files[*id].as_str(), near.path.as_str());
        one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other).count()
    };
    let id = index.named(&format!("{name}.java")).iter().filter(fits).max_by_key(|id| shared(id))?;
    let file = index.load(*id)?;
    let own = file.named(name).iter().find(|definition| file.definition(**definition).parent.is_none())?;
    Some(Place { file: file.id, definition: *own })
}

/// The package that a file says it is in.
fn package_of(file: &SourceFile) -> String {
    let root = file.parsed.tree.root_node();
    let mut cursor = root.walk();
    let declaration = root.named_children(&mut cursor).find(|child| child.kind() == "package_declaration");
    let name = declaration.and_then(|declaration| {
        let mut cursor = declaration.walk();
        declaration.named_children(&mut cursor).find(|child| matches!(child.kind(), "scoped_identifier" | "identifier"))
    });
    name.map(|name| file.parsed.text_of(name).split_whitespace().collect()).unwrap_or_default()
}

/// What `name` means in a package: a type, or a package inside it.
pub(super) fn lookup(index: &Index<'_>, module: &Module, name: &str) -> Vec<Thing> {
    let end = format!("{}/{name}", module.folder);
    let ids = index.named(&format!("{name}.java")).iter();
    let path = format!("{end}.java");
    for id in ids.filter(|id| index.files[**id].as_str().ends_with(&path)) {
        let Some(file) = index.load(*id) else { continue };
        let own = file.named(name).iter().find(|definition| file.definition(**definition).parent.is_none());
        if let Some(definition) = own {
            return vec![Thing::Definition(Place { file: file.id, definition: *definition })];
        }
    }
    package(index, &end).into_iter().collect()
}

/// Members of a class, all of one name, then of what it extends.
pub(super) fn members(index: &Index<'_>, file: &SourceFile, class: usize, name: &str, hops: usize) -> Vec<Place> {
    let own = file.named(name).iter().filter(|member| file.definition(**member).parent == Some(class));
    let own: Vec<Place> = own.map(|definition| Place { file: file.id, definition: *definition }).collect();
    if !own.is_empty() {
        return own;
    }
    for base in bases_hops(index, Place { file: file.id, definition: class }, hops) {
        let found = members_hops(index, base, name, hops + 1);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}
