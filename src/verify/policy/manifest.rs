//! Manifests: which of their tables decide how tests are built, found and run. The
//! others (dependencies, names, descriptions) a person may change.
//!
//! Reads texts; decides nothing of other files.

use std::collections::BTreeMap;

use toml::Table;
use toml::Value;

use crate::source::RelPath;

/// Tables of `Cargo.toml` (<https://doc.rust-lang.org/cargo/reference/manifest.html>).
const CARGO: &[&[&str]] = &[
    &["lib"],
    &["bin"],
    &["test"],
    &["bench"],
    &["example"],
    &["profile"],
    &["patch"],
    &["replace"],
    &["workspace", "members"],
    &["workspace", "exclude"],
    &["workspace", "default-members"],
    &["package", "autotests"],
    &["package", "autobins"],
    &["package", "autoexamples"],
    &["package", "build"],
    &["package", "links"],
];

/// Tables of `pyproject.toml`.
const PYTHON: &[&[&str]] = &[
    &["tool", "pytest"],
    &["tool", "tox"],
    &["tool", "nox"],
    &["tool", "hatch", "envs"],
    &["tool", "pdm", "scripts"],
    &["tool", "coverage"],
    &["project", "entry-points"],
    &["build-system"],
];

/// Sections of `setup.cfg`, by how their names begin.
const SECTIONS: &[&str] = &["tool:pytest", "pytest", "tox", "testenv", "aliases", "options.entry_points"];

/// Which part of a manifest differs that decides how tests are run; `None` for
/// any other file, and where nothing of that sort differs.
pub(super) fn decides(path: &RelPath, before: &str, after: &str) -> Option<String> {
    let tables = match path.file_name() {
        "Cargo.toml" => CARGO,
        "pyproject.toml" => PYTHON,
        "setup.cfg" => return section(before, after),
        _ => return None,
    };
    let (Ok(before), Ok(after)) = (before.parse::<Table>(), after.parse::<Table>()) else {
        // What cannot be read may say anything.
        return Some("what cannot be read".to_owned());
    };
    let differs = |keys: &&&[&str]| at(&before, keys) != at(&after, keys);
    tables.iter().find(differs).map(|keys| format!("`{}`", keys.join(".")))
}

fn at<'t>(table: &'t Table, keys: &[&str]) -> Option<&'t Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn section(before: &str, after: &str) -> Option<String> {
    let (before, after) = (sections(before), sections(after));
    let decides = |name: &str| SECTIONS.iter().any(|start| name.starts_with(start));
    let names = before.keys().chain(after.keys()).copied().filter(|name| decides(name));
    names.into_iter().find(|name| before.get(name) != after.get(name)).map(|name| format!("`[{name}]`"))
}

/// The lines of each section.
fn sections(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(section) => name = section.trim(),
            None => found.entry(name).or_default().push(line),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_decides_how_tests_run_is_told() {
        let cargo = "[package]\nname = \"a\"\n\n[dependencies]\nb = \"1\"\n";
        let python = "[project]\nname = \"a\"\n\n[tool.pytest.ini_options]\naddopts = \"-q\"\n";
        let setup = "[metadata]\nname = a\n\n[tool:pytest]\naddopts = -q\n";
        for (path, before, old, new, told) in [
            ("Cargo.toml", cargo, "b = \"1\"", "b = \"2\"", None),
            ("Cargo.toml", cargo, "[dep", "[lib]\npath = \"b.rs\"\n[dep", Some("`lib`")),
            ("Cargo.toml", cargo, "[dep", "[profile.test]\ndebug-assertions = false\n[dep", Some("`profile`")),
            ("Cargo.toml", cargo, "name = \"a\"", "name = \"a\"\nautotests = false", Some("`package.autotests`")),
            ("a/Cargo.toml", cargo, "[dep", "[[test]]\nname = \"x\"\n[dep", Some("`test`")),
            ("Cargo.toml", cargo, "[dep", "[dep[", Some("what cannot be read")),
            ("pyproject.toml", python, "-q", "-q -p kit.ready", Some("`tool.pytest`")),
            ("pyproject.toml", python, "\"a\"", "\"b\"", None),
            ("pyproject.toml", python, "# no", "# no", None),
            ("setup.cfg", setup, "name = a", "name = b", None),
            ("setup.cfg", setup, "-q", "-p x", Some("`[tool:pytest]`")),
            ("other.toml", cargo, "[dep", "[lib]\n[dep", None),
        ] {
            let path = RelPath::new(path).expect("path");
            assert_eq!(decides(&path, before, &before.replace(old, new)).as_deref(), told, "{path} {new}");
        }
    }
}
