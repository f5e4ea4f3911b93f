//! Gate `policy`: who may touch what (DECISIONS 17).
//!
//! Looks at the patch alone; runs nothing. How far heal may go with it, [`rules`]
//! say. What it refuses is never applied,
//! not even in a scratch.

mod added;
mod manifest;
pub mod rules;

use globset::GlobSet;

use self::rules::Applied;
use self::rules::Level;
use self::rules::Policy;
use super::Gate;
use super::Miss;
use super::constructs;
use crate::failure::Kind;
use crate::language;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::RelPath;

/// The gate.
pub const GATE: Gate = Gate {
    name: "policy",
    missed_when: "it touches what its source may not, is too large, or brings in what a repair does not need",
    runs_tests: false,
};

/// Whose patch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// A rule, a compiler or a model: existing source files only.
    Machine,
    /// A person: any file but the refused ones, and new tests.
    Person,
}

/// What a patch may touch.
#[derive(Clone, Debug)]
pub struct Config {
    /// Paths that may be touched beside the default.
    pub allow: GlobSet,
    /// Paths that may not; wins over `allow`.
    pub deny: GlobSet,
    /// Changed lines at most.
    pub max_lines: usize,
    /// Files at most.
    pub max_files: usize,
    /// How far heal may go by itself.
    pub rules: Policy,
    /// The failures that a patch is for.
    pub kinds: Vec<Kind>,
}

impl Config {
    /// What the rules say of a patch.
    pub fn applied(&self, patch: &Patch) -> Applied {
        self.rules.applied(patch.files(), &self.kinds)
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            allow: GlobSet::empty(),
            deny: GlobSet::empty(),
            max_lines: 200,
            max_files: 8,
            rules: Policy::default(),
            kinds: Vec::new(),
        }
    }
}

/// Folders of tests: what lies there is a part of them, data too.
const TESTS: &[&str] = &[
    "tests",
    "test",
    "testdata",
    "fixtures",
    "snapshots",
    "__tests__",
    "__mocks__",
    "__snapshots__",
    "__fixtures__",
    "spec",
    "e2e",
];

/// Whether a file lies in a folder of tests.
pub(super) fn is_among_tests(path: &RelPath) -> bool {
    path.as_str().split('/').any(|part| TESTS.contains(&part))
}

/// Judges a patch by its author.
pub fn judge(patch: &Patch, author: Author, config: &Config) -> Result<(), Miss> {
    let miss = |detail: String| Err(Miss::new(&GATE, detail));
    if patch.is_empty() {
        return miss("it changes nothing".into());
    }
    if author == Author::Machine {
        let (added, removed) = patch.size();
        if added + removed > config.max_lines || patch.changes().len() > config.max_files {
            return miss(format!(
                "it changes {} lines in {} files; at most {} lines in {} files are tried",
                added + removed,
                patch.changes().len(),
                config.max_lines,
                config.max_files
            ));
        }
    }
    if author == Author::Machine {
        let level = config.applied(patch).level;
        if level.value == Level::Explain {
            return miss(format!("heal is to explain failures there and to propose nothing ({})", level.by));
        }
    }
    for change in patch.changes() {
        if let Some(why) = refusal(change, author, config) {
            return miss(why);
        }
    }
    added::used_by_sources(patch).map_or(Ok(()), miss)
}

/// Why no patch of a machine's may touch `path`, as far as its name tells;
/// `None` where one may.
pub fn closed(path: &RelPath, config: &Config) -> Option<String> {
    if let Some(what) = always_refused(path) {
        return Some(format!("it is {what}"));
    }
    if config.deny.is_match(path.as_str()) {
        return Some("it is denied by the policy".to_owned());
    }
    if config.allow.is_match(path.as_str()) {
        return None;
    }
    match language::of_path(path) {
        None => Some("it is no source file of a language heal knows".to_owned()),
        Some(language) if (language.is_test_file)(path) => Some("it is a test file".to_owned()),
        Some(_) => None,
    }
}

fn refusal(change: &FileChange, author: Author, config: &Config) -> Option<String> {
    let path = &change.path;
    if let Some(what) = always_refused(path) {
        return Some(format!("`{path}` is {what}"));
    }
    if config.deny.is_match(path.as_str()) {
        return Some(format!("`{path}` is denied by the policy"));
    }
    let (before, after) = (change.before.as_deref().unwrap_or_default(), change.after.as_deref().unwrap_or_default());
    if before.contains('\0') || after.contains('\0') {
        return Some(format!("`{path}` is binary"));
    }
    let allowed = config.allow.is_match(path.as_str());
    if author == Author::Machine && !allowed {
        if change.before.is_none() || change.after.is_none() {
            return Some(format!("it creates or deletes `{path}`; only existing files may be changed"));
        }
        if language::of_path(path).is_none() {
            return Some(format!("`{path}` is no source file of a language heal knows"));
        }
    }
    let is_test = language::is_test_file(path);
    if language::of_path(path).is_some() {
        let adds_a_test = author == Author::Person && change.before.is_none();
        if is_test && !allowed && !adds_a_test {
            return Some(format!("it edits the test file `{path}`"));
        }
        if is_test && !allowed && added::is_loaded_unasked(path, after) {
            return Some(format!("`{path}` is loaded with the tests and holds none"));
        }
        if !allowed && !adds_a_test && tests_inside(path, before) != tests_inside(path, after) {
            return Some(format!("it edits tests inside `{path}`"));
        }
    }
    if let Some(what) = manifest::decides(path, before, after).filter(|_| !allowed) {
        return Some(format!("it changes {what} of `{path}`, by which tests are built or run"));
    }
    // What tests expect may lie beside them; new data come with new tests.
    if language::of_path(path).is_none() && is_among_tests(path) && change.before.is_some() && !allowed {
        return Some(format!("it edits `{path}`, which belongs to the tests"));
    }
    if change.before.is_none() && shadows(path) {
        return Some(format!("`{path}` would be loaded in place of the library of that name"));
    }
    // Tests that a person adds use the framework, of course.
    if !(is_test || allowed && author == Author::Person) {
        let new = constructs::brought_in(path, before, after, author == Author::Person);
        if let Some(construct) = new.first() {
            return Some(format!("it brings into `{path}` what was not there: {construct}"));
        }
    }
    None
}

/// Modules that every Python test run loads: a file of that name where modules
/// are looked for first would be loaded in their place.
const LIBRARY: &[&str] = &[
    "abc",
    "argparse",
    "ast",
    "asyncio",
    "atexit",
    "builtins",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "doctest",
    "encodings",
    "enum",
    "faulthandler",
    "fnmatch",
    "functools",
    "gc",
    "hypothesis",
    "importlib",
    "inspect",
    "io",
    "itertools",
    "json",
    "linecache",
    "logging",
    "math",
    "mock",
    "nose",
    "operator",
    "os",
    "pathlib",
    "pdb",
    "pickle",
    "pkgutil",
    "platform",
    "pluggy",
    "posixpath",
    "pprint",
    "pytest",
    "random",
    "re",
    "runpy",
    "shutil",
    "signal",
    "site",
    "socket",
    "string",
    "subprocess",
    "sys",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "token",
    "tokenize",
    "tox",
    "traceback",
    "types",
    "typing",
    "unittest",
    "uuid",
    "warnings",
    "weakref",
    "zoneinfo",
];

/// Whether a new Python file would be found before the library it is named as.
fn shadows(path: &RelPath) -> bool {
    let package = path.file_name() == "__init__.py";
    let (name, folder) = if package {
        (path.parent().file_name().to_owned(), path.parent().parent())
    } else {
        (path.file_name().trim_end_matches(".py").to_owned(), path.parent())
    };
    path.extension() == Some("py")
        && matches!(folder.as_str(), "" | "src" | "lib" | "tests" | "test")
        && LIBRARY.contains(&name.as_str())
}

/// The tokens of the tests inside a source file, in order.
fn tests_inside(path: &RelPath, text: &str) -> Vec<String> {
    let Some(language) = language::of_path(path) else { return Vec::new() };
    let parsed = language::parse(language, text);
    let tokens = |span: std::ops::Range<usize>| {
        let tokens = parsed.tokens_within(span.clone());
        // An example in documentation is a comment, and has no tokens.
        if tokens.trim().is_empty() { text[span].trim().to_owned() } else { tokens }
    };
    parsed.test_spans().into_iter().map(tokens).collect()
}

/// Files no patch may touch, whoever wrote it: they decide what is run.
pub(super) fn always_refused(path: &RelPath) -> Option<&'static str> {
    let text = path.as_str();
    let name = path.file_name();
    let under = |folder: &str| {
        text == folder || text.starts_with(&format!("{folder}/")) || text.contains(&format!("/{folder}/"))
    };
    if text.split('/').any(|part| part == ".git") || matches!(name, ".gitattributes" | ".gitmodules" | ".gitignore") {
        return Some("git's own");
    }
    if [".github", ".gitlab", ".forgejo", ".gitea", ".circleci", ".ci"].iter().any(|folder| under(folder))
        || matches!(name, ".gitlab-ci.yml" | "Jenkinsfile" | ".travis.yml" | "azure-pipelines.yml")
    {
        return Some("part of the pipeline");
    }
    // `jest.config.js`, `vitest.config.ts`, `babel.config.cjs` and their like.
    let configures = name
        .split_once(".config.")
        .is_some_and(|(_, ending)| matches!(ending, "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "json"));
    if configures
        || [".mocharc", ".babelrc", ".swcrc", ".nycrc", "karma.conf."].iter().any(|start| name.starts_with(start))
        || name.starts_with("vitest.workspace.")
        || matches!(name, "junit-platform.properties" | "testng.xml")
    {
        return Some("part of the tests' configuration");
    }
    if matches!(name, "go.mod" | "go.work" | "pom.xml" | "build.gradle" | "build.gradle.kts" | "settings.gradle")
        || matches!(name, "Gruntfile.js" | "gulpfile.js" | "Makefile" | "mvnw" | "gradlew" | ".npmrc" | ".yarnrc.yml")
        || name.starts_with("tsconfig") && name.ends_with(".json")
        || text.split('/').any(|part| part == "node_modules")
    {
        return Some("part of the build");
    }
    if matches!(name, "conftest.py" | "sitecustomize.py" | "usercustomize.py")
        || name.ends_with(".pth")
        || matches!(name, "pytest.ini" | "tox.ini" | "noxfile.py")
    {
        return Some("part of the tests' configuration");
    }
    if matches!(path.extension(), Some("s" | "S" | "syso")) {
        return Some("code that heal cannot read");
    }
    if name == "build.rs" || name.starts_with("rust-toolchain") || under(".cargo") {
        return Some("part of the build");
    }
    if under(".husky")
        || under(".hooks")
        || name == ".pre-commit-config.yaml"
        || name == "package.json"
        || name == "heal.toml"
        || under(".heal")
    {
        return Some("run or obeyed without being asked");
    }
    None
}

/// The glob set of the given patterns.
///
/// # Errors
/// The first pattern that is no glob.
pub fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut builder = globset::GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(globset::Glob::new(pattern)?);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Patch {
        Patch::new(vec![FileChange {
            path: RelPath::new(path).expect("path"),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }])
    }

    #[test]
    fn a_machine_may_only_change_existing_sources() {
        let rust_with_test = "fn f() -> i32 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() { assert_eq!(super::f(), 2); }\n}\n";
        for (patch, person, machine) in [
            (change("src/a.py", Some("x = 1\n"), Some("x = 2\n")), true, true),
            (change("tests/test_a.py", Some("assert 1\n"), Some("assert 2\n")), false, false),
            (change("tests/test_new.py", None, Some("assert 1\n")), true, false),
            (change("conftest.py", Some("a = 1\n"), Some("a = 2\n")), false, false),
            (change("conftest.py", None, Some("a = 2\n")), false, false),
            (change("src/new.py", None, Some("x = 1\n")), true, false),
            (change("unittest/__init__.py", None, Some("x = 1\n")), false, false),
            (change("src/json.py", None, Some("x = 1\n")), false, false),
            (change("shop/json.py", None, Some("x = 1\n")), true, false),
            (change("src/a.py", Some("x = 1\n"), Some("import unittest\nx = 1\n")), false, false),
            (change("src/a.py", Some("x = 1\n"), None), true, false),
            (change("src/a.ts", Some("f();\n"), Some("g();\n")), true, true),
            (change("src/a.test.ts", Some("f();\n"), Some("g();\n")), false, false),
            (change("src/__mocks__/a.js", Some("f();\n"), Some("g();\n")), false, false),
            (change("vitest.config.ts", Some("f();\n"), Some("g();\n")), false, false),
            (change("node_modules/x/index.js", Some("f();\n"), Some("g();\n")), false, false),
            (change("src/config.js", Some("f();\n"), Some("g();\n")), true, true),
            (
                change(
                    "src/a.js",
                    Some("f();\nif (import.meta.vitest) {\n  it('x', () => {});\n}\n"),
                    Some("f();\nif (import.meta.vitest) {\n}\n"),
                ),
                false,
                false,
            ),
            (change("a/a.go", Some("package a\n"), Some("package a\n\nvar x = 1\n")), true, true),
            (change("a/a_test.go", Some("package a\n"), Some("package a\n\nvar x = 1\n")), false, false),
            (change("go.mod", Some("module a\n"), Some("module b\n")), false, false),
            (change("src/test/java/A.java", Some("class A {}\n"), Some("class A { int a; }\n")), false, false),
            (change("README.md", Some("a\n"), Some("b\n")), true, false),
            (change("tests/__init__.py", None, Some("")), true, false),
            (change("tests/__init__.py", None, Some("import shop\nshop.f = lambda: 1\n")), false, false),
            (
                change("Cargo.toml", Some("[dependencies]\na = \"1\"\n"), Some("[dependencies]\na = \"2\"\n")),
                true,
                false,
            ),
            (
                change("Cargo.toml", Some("[dependencies]\n"), Some("[dependencies]\n[lib]\npath = \"b.rs\"\n")),
                false,
                false,
            ),
            (change("data/levels.json", Some("[1]\n"), Some("[2]\n")), true, false),
            (change("tests/expected.json", Some("[1]\n"), Some("[2]\n")), false, false),
            (change("tests/expected.json", Some("[1]\n"), None), false, false),
            (change("tests/expected.json", None, Some("[1]\n")), true, false),
            (change("src/__snapshots__/a.snap", Some("1\n"), Some("2\n")), false, false),
            (change(".github/workflows/ci.yml", Some("a\n"), Some("b\n")), false, false),
            (change("build.rs", Some("fn main() {}\n"), Some("fn main() { x() }\n")), false, false),
            (change("src/a.py", Some("x = 1\n"), Some("import sys\nsys.exit(0)\n")), true, false),
            (change("src/lib.rs", Some(rust_with_test), Some(&rust_with_test.replace("{ 1 }", "{ 2 }"))), true, true),
            (
                change("src/lib.rs", Some(rust_with_test), Some(&rust_with_test.replace("f(), 2", "f(), 1"))),
                false,
                false,
            ),
        ] {
            assert_eq!(judge(&patch, Author::Person, &Config::default()).is_ok(), person, "person: {}", patch.diff());
            assert_eq!(
                judge(&patch, Author::Machine, &Config::default()).is_ok(),
                machine,
                "machine: {}",
                patch.diff()
            );
        }
    }

    #[test]
    fn deny_wins_over_allow() {
        let config = Config {
            allow: globs(&["tests/**".into()]).expect("globs"),
            deny: globs(&["tests/slow/**".into()]).expect("globs"),
            ..Config::default()
        };
        assert!(judge(&change("tests/a.py", Some("x = 1\n"), Some("x = 2\n")), Author::Machine, &config).is_ok());
        assert!(judge(&change("tests/slow/a.py", Some("x = 1\n"), Some("x = 2\n")), Author::Machine, &config).is_err());
    }

    #[test]
    fn a_patch_that_rewrites_everything_is_not_tried() {
        let long: String = (0..300).map(|n| format!("x{n} = 1\n")).collect();
        let patch = change("a.py", Some("x = 1\n"), Some(&long));
        assert!(judge(&patch, Author::Machine, &Config::default()).is_err());
        assert!(judge(&patch, Author::Person, &Config::default()).is_ok());
    }
}
