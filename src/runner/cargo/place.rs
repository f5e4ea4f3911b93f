//! Where a Rust test is defined: package, target and module path to a file.
//!
//! Reads manifests and sources in the scratch; follows the layout that cargo
//! and rustc define (cargo book, "Package layout"; Rust reference, "Modules").
//! `#[path]` is not followed.

use std::path::Path;

use regex::Regex;

use super::identity::Identity;
use super::identity::Target;
use super::identity::What;
use crate::runner::Project;
use crate::runner::Site;
use crate::runner::TestPlace;
use crate::source::RelPath;

/// Folders looked into for a package's manifest.
const FOLDER_LIMIT: usize = 20_000;

/// Where the test is defined. Its lines are left to who parses the file.
pub fn of(project: &Project, site: &Site, identity: &Identity) -> Option<TestPlace> {
    match &identity.what {
        What::Doctest(doctest) => {
            let bare = super::doctests::bare(doctest);
            let (file, item) = bare.split_once(" - ").unwrap_or((bare, ""));
            let path = site.places.locate(file, &project.root).or_else(|| existing(site, &project.root, file))?;
            let function = item.rsplit("::").next().unwrap_or(item).to_owned();
            Some(TestPlace { path, function, lines: None })
        }
        What::Test(target, test) => {
            let (folder, manifest) = package(project, site, &identity.package)?;
            let root = root_file(site, &folder, &manifest, target)?;
            Some(in_modules(site, &root, test))
        }
    }
}

/// The name of a package's library, where its manifest gives one.
pub fn library_name(project: &Project, site: &Site, package_name: &str) -> Option<String> {
    let (_, manifest) = package(project, site, package_name)?;
    Some(manifest.get("lib")?.get("name")?.as_str()?.to_owned())
}

/// The package in `folder` and which of its targets has a binary named `stem`
/// (`-` written as `_`). Of several the library, then a test.
pub fn target_of(site: &Site, folder: &RelPath, stem: &str) -> Option<(String, Target)> {
    let manifest = manifest(&folder.under(&site.tree))?;
    let package = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let library = manifest.get("lib").and_then(|lib| lib.get("name")).and_then(toml::Value::as_str);
    if library.unwrap_or(&package).replace('-', "_") == stem {
        let lib = root_file(site, folder, &manifest, &Target::Lib).map(|_| Target::Lib);
        return Some((package.clone(), lib.unwrap_or(Target::Bin(package))));
    }
    let names = [stem.to_owned(), stem.replace('_', "-")];
    let targets = [Target::Test, Target::Example, Target::Bench, Target::Bin]
        .into_iter()
        .flat_map(|target| names.iter().map(move |name| target(name.clone())));
    let found = targets.into_iter().find(|target| root_file(site, folder, &manifest, target).is_some())?;
    Some((package, found))
}

/// The root of the workspace that holds `folder`, in the scratch: the nearest
/// manifest upward with a `[workspace]`, else `folder` itself.
pub fn workspace(tree: &Path, folder: &RelPath) -> RelPath {
    let mut at = folder.clone();
    loop {
        if manifest(&at.under(tree)).is_some_and(|manifest| manifest.contains_key("workspace")) {
            return at;
        }
        if at.is_root() {
            return folder.clone();
        }
        at = at.parent();
    }
}

fn manifest(folder: &Path) -> Option<toml::Table> {
    std::fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()
}

/// The folder and manifest of the package named `name`.
fn package(project: &Project, site: &Site, name: &str) -> Option<(RelPath, toml::Table)> {
    let is_it = |manifest: &toml::Table| {
        manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str) == Some(name)
    };
    let at_root = manifest(&project.root.under(&site.tree)).filter(is_it);
    if let Some(manifest) = at_root {
        return Some((project.root.clone(), manifest));
    }
    let mut folders = std::collections::VecDeque::from([RelPath::root()]);
    let mut seen = 0;
    while let Some(folder) = folders.pop_front() {
        seen += 1;
        if seen > FOLDER_LIMIT {
            return None;
        }
        if let Some(manifest) = manifest(&folder.under(&site.tree)).filter(is_it) {
            return Some((folder, manifest));
        }
        let Ok(entries) = std::fs::read_dir(folder.under(&site.tree)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !matches!(name, "target" | "node_modules") {
                folders.extend(folder.join(name).ok());
            }
        }
    }
    None
}

/// `file` below `folder`, where it is a file of the scratch.
fn existing(site: &Site, folder: &RelPath, file: &str) -> Option<RelPath> {
    let path = folder.join(file).ok()?;
    path.under(&site.tree).is_file().then_some(path)
}

/// The file that a target begins with.
fn root_file(site: &Site, folder: &RelPath, manifest: &toml::Table, target: &Target) -> Option<RelPath> {
    let (list, name, defaults) = match target {
        Target::Lib => ("lib", None, vec!["src/lib.rs".to_owned()]),
        Target::Bin(name) => (
            "bin",
            Some(name),
            vec![format!("src/bin/{name}.rs"), format!("src/bin/{name}/main.rs"), "src/main.rs".into()],
        ),
        Target::Test(name) => ("test", Some(name), vec![format!("tests/{name}.rs"), format!("tests/{name}/main.rs")]),
        Target::Example(name) => {
            ("example", Some(name), vec![format!("examples/{name}.rs"), format!("examples/{name}/main.rs")])
        }
        Target::Bench(name) => {
            ("bench", Some(name), vec![format!("benches/{name}.rs"), format!("benches/{name}/main.rs")])
        }
    };
    let own = manifest.get(list);
    let own = match name {
        None => own,
        Some(name) => own.and_then(toml::Value::as_array).and_then(|targets| {
            targets.iter().find(|target| target.get("name").and_then(toml::Value::as_str) == Some(name))
        }),
    };
    let own = own.and_then(|target| target.get("path")).and_then(toml::Value::as_str);
    own.map(str::to_owned).into_iter().chain(defaults).find_map(|file| existing(site, folder, &file))
}

/// Follows the module path of `test` from the target's first file, as far as
/// files go; what is left are modules inside the file, or a macro's making.
fn in_modules(site: &Site, root: &RelPath, test: &str) -> TestPlace {
    let mut parts: Vec<&str> = test.split("::").collect();
    let mut function = parts.pop().unwrap_or(test);
    let mut file = root.clone();
    // Children of `src/lib.rs` and `a/mod.rs` lie beside it, those of `a.rs` in `a/`.
    let mut folder = root.parent();
    for (index, part) in parts.iter().enumerate() {
        let next = [format!("{part}.rs"), format!("{part}/mod.rs")];
        if let Some(found) = next.iter().find_map(|name| existing(site, &folder, name)) {
            file = found;
        }
        match folder.join(part) {
            Ok(inner) => folder = inner,
            Err(_) => break,
        }
        // `tests::adds::case_1` of a parametrised `fn adds`.
        if index + 1 == parts.len() && !defines(site, &file, function) && defines(site, &file, part) {
            function = part;
        }
    }
    TestPlace { path: file, function: function.to_owned(), lines: None }
}

fn defines(site: &Site, file: &RelPath, function: &str) -> bool {
    let pattern = Regex::new(&format!(r"\bfn\s+{}\b", regex::escape(function)));
    let text = std::fs::read_to_string(file.under(&site.tree));
    pattern.is_ok_and(|pattern| text.is_ok_and(|text| pattern.is_match(&text)))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::runner::RunnerKind;
    use crate::trace::places::Places;

    const FILES: &[(&str, &str)] = &[
        ("Cargo.toml", "[workspace]\nmembers = ['core', 'cli']\n"),
        (
            "core/Cargo.toml",
            "[package]\nname = 'shop-core'\n[lib]\nname = 'shop'\n[[test]]\nname = 'odd'\npath = 'odd/it.rs'\n",
        ),
        ("core/src/lib.rs", "mod cart;\nmod tests { fn a() {} }"),
        ("core/src/cart.rs", "mod price;\nmod tests { fn b() {} fn adds() {} }"),
        ("core/src/cart/price.rs", "mod tests { fn c() {} }"),
        ("core/src/cart/price/deep/mod.rs", "fn d() {}"),
        ("core/tests/it/main.rs", "mod totals;"),
        ("core/tests/it/totals.rs", "fn e() {}"),
        ("core/odd/it.rs", "fn f() {}"),
        ("cli/Cargo.toml", "[package]\nname = 'cli'\n"),
        ("cli/src/main.rs", "fn g() {}"),
        ("cli/src/bin/other.rs", "fn h() {}"),
    ];

    #[test]
    fn a_test_is_found_by_its_module_path() {
        let tree = tempfile::tempdir().expect("a directory");
        for (file, text) in FILES {
            let path = tree.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("write");
        }
        let path = |text: &str| RelPath::new(text).expect("path");
        let site = Site {
            user_root: "/u".into(),
            tree: tree.path().to_path_buf(),
            written: None,
            heal: "/heal".into(),
            env: Vec::new(),
            python: None,
            places: Places::new(vec![], FILES.iter().map(|(file, _)| path(file))),
        };
        let project = Project {
            root: RelPath::root(),
            kind: RunnerKind::Cargo,
            command: Vec::new(),
            given: false,
            why: String::new(),
        };
        for (id, wanted) in [
            ("shop-core tests::a", Some(("core/src/lib.rs", "a"))),
            ("shop-core cart::tests::b", Some(("core/src/cart.rs", "b"))),
            ("shop-core cart::tests::adds::case_1", Some(("core/src/cart.rs", "adds"))),
            ("shop-core cart::price::tests::c", Some(("core/src/cart/price.rs", "c"))),
            ("shop-core cart::price::deep::d", Some(("core/src/cart/price/deep/mod.rs", "d"))),
            ("shop-core::it totals::e", Some(("core/tests/it/totals.rs", "e"))),
            ("shop-core::odd f", Some(("core/odd/it.rs", "f"))),
            ("cli::bin/cli g", Some(("cli/src/main.rs", "g"))),
            ("cli::bin/other h", Some(("cli/src/bin/other.rs", "h"))),
            ("shop-core doc core/src/cart.rs - Cart::total #2", Some(("core/src/cart.rs", "total"))),
            ("nobody a", None),
        ] {
            let found = of(&project, &site, &Identity::parse(id).expect("an id"));
            let found = found.as_ref().map(|place| (place.path.as_str(), place.function.as_str()));
            assert_eq!(found, wanted, "{id}");
        }
        for (folder, stem, wanted) in [
            ("core", "shop", Some(("shop-core", Target::Lib))),
            ("core", "it", Some(("shop-core", Target::Test("it".into())))),
            ("cli", "cli", Some(("cli", Target::Bin("cli".into())))),
            ("cli", "other", Some(("cli", Target::Bin("other".into())))),
            ("", "cli", None),
        ] {
            let wanted = wanted.map(|(package, target)| (package.to_owned(), target));
            assert_eq!(target_of(&site, &path(folder), stem), wanted, "{stem}");
        }
        assert_eq!(library_name(&project, &site, "shop-core").as_deref(), Some("shop"));
        assert_eq!(workspace(tree.path(), &path("core")), RelPath::root());
    }
}
