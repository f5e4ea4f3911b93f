//! The shape of the code, checked: layers, circles, doors, sizes, names.
//!
//! The layers are read from the table in `src/lib.rs`; what may be imported
//! inside a layer stands here. All violations are told at once.

mod source;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use source::Line;
use source::Source;

/// Imports inside one layer, `(who, whom)`. Together they must stay free of
/// circles, which is checked as well.
const INSIDE: &[(&str, &str)] = &[
    // Layer 0.
    ("patch", "source"),
    ("failure", "source"),
    ("outcome", "failure"),
    ("outcome", "source"),
    ("process", "interrupt"),
    ("http", "interrupt"),
    ("git", "cores"),
    ("git", "process"),
    ("git", "patch"),
    ("git", "source"),
    // A token, which is never shown.
    ("git", "http"),
    // Layer 1.
    ("runner", "trace"),
    ("runner", "language"),
    ("mutation", "language"),
    // Layer 2.
    ("diagnose", "detect"),
    // Layer 6.
    ("pipeline", "report"),
    ("pipeline", "options"),
    ("pipeline", "progress"),
    ("progress", "report"),
];

/// What only some modules may name: a macro or the beginning of a path (with
/// `=`, a whole one), who may, and what it is.
const DOORS: &[(&str, &[&str], &str)] = &[
    ("std::process::Command", &["process"], "subprocesses start in process"),
    ("=std::process", &["process"], "subprocesses start in process: import what is needed of it"),
    ("std::process::Child", &["process"], "subprocesses start in process"),
    ("std::os::unix::process", &["process"], "subprocesses start in process"),
    ("tokio::process", &["process"], "subprocesses start in process"),
    ("nix::unistd::fork", &["process"], "subprocesses start in process"),
    ("nix::unistd::exec", &["process"], "subprocesses start in process"),
    ("git2", &["git"], "libgit2 is named in git"),
    ("reqwest", &["http"], "HTTP is spoken in http"),
    ("rusqlite", &["ledger"], "SQLite is named in ledger"),
    ("print!", &["main", "cli", "progress"], "the terminal belongs to cli and progress"),
    ("println!", &["main", "cli", "progress"], "the terminal belongs to cli and progress"),
    ("eprint!", &["main", "cli", "progress"], "the terminal belongs to cli and progress"),
    ("eprintln!", &["main", "cli", "progress"], "the terminal belongs to cli and progress"),
    ("dbg!", &[], "left over from debugging"),
    ("env::var", &["main", "cli", "options"], "the environment is read in cli and options"),
    ("env::var_os", &["main", "cli", "options"], "the environment is read in cli and options"),
    ("std::env::var", &["main", "cli", "options"], "the environment is read in cli and options"),
    ("std::env::var_os", &["main", "cli", "options"], "the environment is read in cli and options"),
    ("std::env::vars", &["main", "cli", "options"], "the environment is read in cli and options"),
    ("std::env::vars_os", &["main", "cli", "options"], "the environment is read in cli and options"),
];

/// Names that say nothing of what a file holds.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "common", "manager", "misc", "imp"];

/// Lines of a file before its tests.
const MOST_LINES: usize = 400;

#[test]
fn the_code_keeps_its_shape() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = Source::read_all(&src);
    assert!(sources.len() > 20, "only {} files found below {}", sources.len(), src.display());
    let found = violations(&sources);
    assert!(found.is_empty(), "{} violations:\n{}\n", found.len(), found.join("\n"));
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let layers = layers(sources, &mut found);
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let mut tell = |line: usize, what: String| found.push(format!("{}:{line}: {what}", source.path));
        if !source.text.starts_with("//!") {
            tell(1, "does not begin with `//!`: what is it for?".to_owned());
        }
        if source.code_lines > MOST_LINES {
            let what = format!("{} lines before its tests, more than {MOST_LINES}", source.code_lines);
            tell(source.code_lines, what);
        }
        for name in source.path.trim_end_matches(".rs").split('/') {
            if EMPTY_NAMES.contains(&name) {
                tell(1, format!("`{name}` says nothing of what it holds"));
            }
        }
        let module = source.module();
        for (line, path) in source.paths() {
            for (door, keepers, why) in DOORS {
                if is_within(&path, door) && !keepers.contains(&module) {
                    tell(line, format!("names `{path}`: {why}"));
                }
            }
            let Some(target) = source.target(&path) else { continue };
            if target == module || source.path == "src/lib.rs" || module == "main" {
                continue;
            }
            let (Some(from), Some(to)) = (layers.get(module), layers.get(target.as_str())) else { continue };
            if to > from {
                tell(line, format!("layer {from} `{module}` imports layer {to} `{target}`"));
            } else if to == from && !INSIDE.contains(&(module, target.as_str())) {
                tell(line, format!("`{module}` imports `{target}` inside layer {from}, which is not in the list"));
            }
            edges.entry(module.to_owned()).or_default().insert(target);
        }
    }
    if let Some(circle) = circle(&edges) {
        found.push(format!("src/lib.rs:1: the modules import each other in a circle: {}", circle.join(" → ")));
    }
    found
}

/// The layer of each top module, from the table in `src/lib.rs`; tells what
/// the table leaves out or invents.
fn layers(sources: &[Source], found: &mut Vec<String>) -> BTreeMap<String, u32> {
    let mut layers = BTreeMap::new();
    let Some(map) = sources.iter().find(|source| source.path == "src/lib.rs") else {
        found.push("src/lib.rs:1: is missing".to_owned());
        return layers;
    };
    let mut lines = BTreeMap::new();
    for (number, line) in (1..).zip(map.text.lines()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [doc, layer, modules, ..] = cells[..] else { continue };
        let (true, Ok(layer)) = (doc == "//!", layer.parse::<u32>()) else { continue };
        for name in modules.split('`').skip(1).step_by(2) {
            if layers.insert(name.to_owned(), layer).is_some() {
                found.push(format!("src/lib.rs:{number}: `{name}` stands twice on the map"));
            }
            lines.insert(name.to_owned(), number);
        }
    }
    let modules: BTreeSet<&str> = sources.iter().map(Source::module).filter(|name| *name != "lib").collect();
    for name in &modules {
        if !layers.contains_key(*name) {
            found.push(format!("src/lib.rs:1: the map does not name `{name}`"));
        }
    }
    for (name, number) in lines {
        if !modules.contains(name.as_str()) {
            found.push(format!("src/lib.rs:{number}: the map names `{name}`, which is not there"));
        }
    }
    layers
}

/// Whether `path` is `door` or lies below it; a last part `name_` of a door
/// does not match `name_more`, but functions of one family do (`exec`, `execv`).
fn is_within(path: &str, door: &str) -> bool {
    if let Some(whole) = door.strip_prefix('=') {
        return path == whole;
    }
    match path.strip_prefix(door) {
        Some(rest) => rest.is_empty() || rest.starts_with("::") || (door.ends_with("::exec") && !rest.contains("::")),
        None => false,
    }
}

/// A circle of the graph, its first module repeated at its end.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'e>(
        at: &'e str,
        edges: &'e BTreeMap<String, BTreeSet<String>>,
        trail: &mut Vec<&'e str>,
        done: &mut BTreeSet<&'e str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = trail.iter().position(|name| *name == at) {
            return Some(trail[start..].iter().chain([&at]).map(|name| (*name).to_owned()).collect());
        }
        if !done.insert(at) {
            return None;
        }
        trail.push(at);
        for next in edges.get(at).into_iter().flatten() {
            if let Some(circle) = visit(next, edges, trail, done) {
                return Some(circle);
            }
        }
        trail.pop();
        None
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| visit(start, edges, &mut Vec::new(), &mut done))
}

#[test]
fn every_sort_of_violation_is_found() {
    let map = "//! | layer | modules |\n//! |---|---|\n//! | 7 | `main` |\n//! | 1 | [`low`], [`other`], [`ghost`] |\n\
               //! | 0 | [`base`] |\npub mod low;\n";
    let mut sources = [
        Source::new("src/lib.rs", map),
        Source::new(
            "src/main.rs",
            "//! Main.\nuse heal::low;\nfn main() { println!(\"x\"); }\n#[cfg(test)]\nmod proof;\n",
        ),
        Source::new("src/base.rs", "//! Base.\nuse crate::low::Low;\n"),
        Source::new("src/low.rs", "//! Low.\npub mod part;\nuse crate::{base, other::{A, B}};\n"),
        Source::new("src/low/part.rs", "//! Part.\nfn f() {\n    super::super::other::g();\n    println!();\n}\n"),
        Source::new("src/low/utils.rs", "fn no_doc() { let x = git2::Repository::open(); }\n"),
        Source::new("src/other.rs", "//! Other.\nuse super::low::x;\nuse std::process::{Command, Stdio};\n"),
        Source::new("src/unlisted.rs", &format!("//! Un.\n{}", "fn f() {}\n".repeat(400))),
        Source::new("src/main/proof.rs", &format!("//! Tests alone.\n{}", "fn f() { dbg!(1) }\n".repeat(400))),
        Source::new("src/main/proof/more.rs", "//! As well.\nuse git2::Repository;\n"),
    ];
    Source::forget_tests(&mut sources);
    let found = violations(&sources);
    let wanted = [
        "src/lib.rs:1: the map does not name `unlisted`",
        "src/lib.rs:4: the map names `ghost`, which is not there",
        "src/base.rs:2: layer 0 `base` imports layer 1 `low`",
        "src/low.rs:3: `low` imports `other` inside layer 1, which is not in the list",
        "src/low.rs:3: `low` imports `other` inside layer 1, which is not in the list",
        "src/low/part.rs:3: `low` imports `other` inside layer 1, which is not in the list",
        "src/low/part.rs:4: names `println!`: the terminal belongs to cli and progress",
        "src/low/utils.rs:1: does not begin with `//!`: what is it for?",
        "src/low/utils.rs:1: `utils` says nothing of what it holds",
        "src/low/utils.rs:1: names `git2::Repository::open`: libgit2 is named in git",
        "src/other.rs:2: `other` imports `low` inside layer 1, which is not in the list",
        "src/other.rs:3: names `std::process::Command`: subprocesses start in process",
        "src/unlisted.rs:401: 401 lines before its tests, more than 400",
        "src/lib.rs:1: the modules import each other in a circle: base → low → base",
    ];
    assert_eq!(found, wanted, "{found:#?}");
}

#[test]
fn imports_are_read_from_code_alone() {
    let text = r###"//! Doc with crate::no::path.
/* crate::no /* crate::no */ crate::no */
use crate::a::{self, b::C as D, e::*};
pub(crate) use crate::f;
const S: &str = "crate::no \" println!";
const R: &str = r#"crate::no " "#;
const C: char = '"';
fn g<'a>(x: &'a str) -> crate::h::I { std::env::var("X"); eprintln!("{x}"); x.split::<crate::j::K>() }
#[cfg(test)]
mod samples;
use crate::l;
#[cfg(test)]
mod tests { use crate::no; }
"###;
    let source = Source::new("src/m.rs", text);
    let found: Vec<(Line, String)> = source.paths().collect();
    let wanted = [
        (3, "crate::a"),
        (3, "crate::a::b::C"),
        (3, "crate::a::e"),
        (4, "crate::f"),
        (8, "crate::h::I"),
        (8, "std::env::var"),
        (8, "eprintln!"),
        (8, "crate::j::K"),
        (11, "crate::l"),
    ];
    let wanted: Vec<(Line, String)> = wanted.iter().map(|(line, path)| (*line, (*path).to_owned())).collect();
    assert_eq!(found, wanted);
}
