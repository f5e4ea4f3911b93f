//! Which file a path in an import means: relative with endings and index
//! files, packages of the workspace by their `package.json`, aliases of
//! `tsconfig.json`.
//!
//! Knows the simple forms of Node's resolution (nodejs.org, "Modules: Packages")
//! and of TypeScript's (typescriptlang.org, "Modules - Reference"), and reads
//! the tree's texts alone: what is installed is not the project's.

use serde_json::Value;

use super::Module;
use crate::diagnose::index::FileId;
use crate::diagnose::index::Index;
use crate::source::RelPath;

/// Endings that are tried where an import writes none.
const ENDINGS: &[&str] = &["ts", "tsx", "js", "jsx", "mjs", "cjs", "mts", "cts", "d.ts"];

/// What the ending of compiled code stands for in the sources.
const COMPILED: &[(&str, &[&str])] =
    &[(".js", &[".ts", ".tsx", ".jsx"]), (".jsx", &[".tsx"]), (".mjs", &[".mts"]), (".cjs", &[".cts"])];

/// Configurations that extend each other, at most.
const MAX_EXTENDS: usize = 4;

/// The module that `written` means in the file `from`.
pub(super) fn module(index: &Index<'_>, from: &RelPath, written: &str) -> Option<Module> {
    let folder = from.parent();
    let id = if written.starts_with('.') {
        file(index, &joined(&folder, written)?)
    } else if written.starts_with('#') {
        of_own_package(index, &folder, written)
    } else if written.is_empty() || written.starts_with('/') || written.contains(':') {
        None
    } else {
        aliased(index, &folder, written).or_else(|| of_workspace(index, written))
    }?;
    Some(Module { file: Some(id), folder: index.files[id].parent().as_str().to_owned(), inside: String::new() })
}

/// `inner` below `folder`, with `.` and `..` gone through; `None` above the
/// tree.
fn joined(folder: &RelPath, inner: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.as_str().split('/').filter(|part| !part.is_empty()).collect();
    for part in inner.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The file at `path`, with or without its ending, or that of the folder.
fn file(index: &Index<'_>, path: &str) -> Option<FileId> {
    let exact = || index.id(path);
    let source = || {
        let (ending, others) = COMPILED.iter().find(|(ending, _)| path.ends_with(ending))?;
        let stem = path.strip_suffix(ending)?;
        others.iter().find_map(|other| index.id(&format!("{stem}{other}")))
    };
    let ended = || ENDINGS.iter().find_map(|ending| index.id(&format!("{path}.{ending}")));
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    let of_folder = || ENDINGS.iter().find_map(|ending| index.id(&inner(&format!("index.{ending}"))));
    let package = || {
        let manifest = json(index, index.id(&inner("package.json"))?)?;
        entry(index, &RelPath::new(path).ok()?, &manifest, ".")
    };
    exact().or_else(source).or_else(ended).or_else(of_folder).or_else(package)
}

/// The file that a package gives out under `subpath` (`.`, `./money`).
fn entry(index: &Index<'_>, folder: &RelPath, manifest: &Value, subpath: &str) -> Option<FileId> {
    let at = |path: &str| file(index, &joined(folder, path)?);
    let exports = &manifest["exports"];
    let exported = match exports {
        Value::String(only) if subpath == "." => Some(only.as_str()),
        Value::Object(map) if map.keys().any(|key| key.starts_with('.')) => condition(&exports[subpath]),
        Value::Object(_) if subpath == "." => condition(exports),
        _ => None,
    };
    if let Some(found) = exported.and_then(at) {
        return Some(found);
    }
    if subpath != "." {
        return at(subpath).or_else(|| at(&format!("./src/{}", subpath.trim_start_matches("./"))));
    }
    // What is built is not in the tree: then the sources are meant.
    let named = ["source", "module", "main", "types"].iter().filter_map(|key| manifest[*key].as_str());
    named.filter_map(at).next().or_else(|| ["index", "src/index", "lib/index"].iter().find_map(|path| at(path)))
}

/// The first path of a conditional export.
fn condition(value: &Value) -> Option<&str> {
    match value {
        Value::String(path) => Some(path),
        Value::Object(map) => ["source", "import", "node", "default", "require", "types"]
            .iter()
            .find_map(|key| map.get(*key).and_then(condition)),
        _ => None,
    }
}

/// A package of the same repository, by the name in its `package.json`.
fn of_workspace(index: &Index<'_>, written: &str) -> Option<FileId> {
    let scoped = usize::from(written.starts_with('@'));
    let end = written.match_indices('/').nth(scoped).map_or(written.len(), |(at, _)| at);
    let (name, rest) = written.split_at(end);
    let manifest = *index.packages().get(name)?;
    let folder = index.files[manifest].parent();
    let subpath = if rest.is_empty() { ".".to_owned() } else { format!(".{rest}") };
    entry(index, &folder, &json(index, manifest)?, &subpath)
}

/// `#money`, by the `imports` of the nearest `package.json`.
fn of_own_package(index: &Index<'_>, folder: &RelPath, written: &str) -> Option<FileId> {
    let manifest = nearest(index, folder, &["package.json"])?;
    let path = condition(&json(index, manifest)?["imports"][written])?.to_owned();
    file(index, &joined(&index.files[manifest].parent(), &path)?)
}

/// By `paths` and `baseUrl` of the nearest `tsconfig.json`.
fn aliased(index: &Index<'_>, folder: &RelPath, written: &str) -> Option<FileId> {
    let mut config = nearest(index, folder, &["tsconfig.json", "jsconfig.json"])?;
    for _ in 0..MAX_EXTENDS {
        let value = json(index, config)?;
        let own = index.files[config].parent();
        let options = &value["compilerOptions"];
        let base = joined(&own, options["baseUrl"].as_str().unwrap_or("."))?;
        let base_folder = RelPath::new(&base).ok()?;
        for (pattern, targets) in options["paths"].as_object().into_iter().flatten() {
            let (head, tail) = pattern.split_once('*').unwrap_or((pattern, ""));
            let Some(inner) = written.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)) else { continue };
            if !pattern.contains('*') && !inner.is_empty() {
                continue;
            }
            let targets = targets.as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut files =
                targets.filter_map(|target| file(index, &joined(&base_folder, &target.replacen('*', inner, 1))?));
            if let Some(found) = files.next() {
                return Some(found);
            }
        }
        if options["baseUrl"].is_string()
            && let Some(found) = file(index, &joined(&base_folder, written)?)
        {
            return Some(found);
        }
        let extended = joined(&own, value["extends"].as_str().filter(|path| path.starts_with('.'))?)?;
        config = index.id(&extended).or_else(|| index.id(&format!("{extended}.json")))?;
    }
    None
}

/// The nearest file with one of `names`, from `folder` upwards.
fn nearest(index: &Index<'_>, folder: &RelPath, names: &[&str]) -> Option<FileId> {
    let mut folder = folder.clone();
    loop {
        let found = names.iter().find_map(|name| index.id(folder.join(name).ok()?.as_str()));
        if found.is_some() || folder.is_root() {
            return found;
        }
        folder = folder.parent();
    }
}

/// A file's JSON; comments and trailing commas, which `tsconfig.json` may have,
/// are left out.
fn json(index: &Index<'_>, id: FileId) -> Option<Value> {
    let text = index.text(id)?;
    serde_json::from_str(&text).ok().or_else(|| serde_json::from_str(&without_comments(&text)).ok())
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let end = end.map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else {
            if matches!(next, '}' | ']') && out.trim_end().ends_with(',') {
                out.truncate(out.trim_end().len() - 1);
            }
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Texts;
    use pretty_assertions::assert_eq;

    #[derive(Debug)]
    struct Tree(&'static [(&'static str, &'static str)]);

    impl Texts for Tree {
        fn text(&self, path: &RelPath, _: u64) -> Option<String> {
            self.0.iter().find(|(name, _)| *name == path.as_str()).map(|(_, text)| (*text).to_owned())
        }
    }

    static TREE: Tree = Tree(&[
        ("package.json", r##"{"name": "root", "imports": {"#money": "./src/money.js"}}"##),
        (
            "tsconfig.json",
            "{\n  // Where imports start.\n  \"compilerOptions\": { \"baseUrl\": \"./src\", \"paths\": { \"@/*\": [\"gone/*\", \"*\"], \"~cart\": [\"cart/index.ts\"], } },\n}\n",
        ),
        ("src/app.ts", ""),
        ("src/money.js", ""),
        ("src/cart/index.ts", ""),
        ("src/cart/item.tsx", ""),
        (
            "packages/shop/package.json",
            r#"{"name": "@root/shop", "exports": {".": {"import": "./lib/main.js"}, "./tax": "./lib/tax.js"}}"#,
        ),
        ("packages/shop/lib/main.js", ""),
        ("packages/shop/lib/tax.js", ""),
        ("packages/built/package.json", r#"{"name": "built", "main": "dist/index.js"}"#),
        ("packages/built/src/index.ts", ""),
        ("packages/built/tsconfig.json", r#"{"extends": "../../tsconfig.json"}"#),
        ("packages/built/src/util.ts", ""),
    ]);

    #[test]
    fn a_path_means_the_file_that_node_and_typescript_would_load() {
        let files: Vec<RelPath> = TREE.0.iter().map(|(path, _)| RelPath::new(path).expect("path")).collect();
        let index = Index::new(&TREE, &files, RelPath::root());
        for (from, written, wanted) in [
            ("src/app.ts", "./money.js", "src/money.js"),
            ("src/app.ts", "./money", "src/money.js"),
            ("src/app.ts", "./cart", "src/cart/index.ts"),
            ("src/app.ts", "./cart/item.js", "src/cart/item.tsx"),
            ("src/cart/item.tsx", "..", ""),
            ("src/cart/item.tsx", "../money", "src/money.js"),
            ("src/cart/item.tsx", ".", "src/cart/index.ts"),
            ("src/app.ts", "../../../x", ""),
            ("src/app.ts", "@/cart/item", "src/cart/item.tsx"),
            ("src/app.ts", "~cart", "src/cart/index.ts"),
            ("src/app.ts", "money", "src/money.js"),
            ("packages/built/src/index.ts", "@/money", "src/money.js"),
            ("src/app.ts", "@root/shop", "packages/shop/lib/main.js"),
            ("src/app.ts", "@root/shop/tax", "packages/shop/lib/tax.js"),
            ("src/app.ts", "built", "packages/built/src/index.ts"),
            ("src/app.ts", "built/util", "packages/built/src/util.ts"),
            ("src/app.ts", "#money", "src/money.js"),
            ("src/app.ts", "lodash", ""),
            ("src/app.ts", "node:fs", ""),
        ] {
            let from = RelPath::new(from).expect("path");
            let found = module(&index, &from, written).and_then(|module| module.file);
            assert_eq!(found.map_or("", |id| files[id].as_str()), wanted, "{written} in {from}");
        }
    }

    #[test]
    fn comments_are_left_out_of_json_and_kept_in_its_strings() {
        assert_eq!(without_comments("{ /* a */ \"a//b\": 1, // c\n}"), "{  \"a//b\": 1 \n}".replace(" \n", ""));
    }
}
