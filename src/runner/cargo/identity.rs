//! Names of Rust tests, the way nextest writes them.
//!
//! ```text
//! id        = binary " " test  |  package " doc " doctest
//! binary    = package                     the library's own tests
//!           | package "::" target         tests/target.rs
//!           | package "::bin/" target     likewise example/ and bench/
//! doctest   = file [" - " item] [" #" n]  n from 2 on, in the order of lines
//! ```
//!
//! The line that rustdoc puts into a doc test's name is left out: it moves
//! when code above it changes. A harness of the project's own is one test,
//! named after its target.
//!
//! Works on words; never looks at the disk.

use crate::trace::rust::log::DoctestName;

/// A kind of target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The library's own tests.
    Lib,
    /// `tests/name.rs`.
    Test(String),
    /// `src/bin/name.rs`, `src/main.rs`.
    Bin(String),
    /// `examples/name.rs`.
    Example(String),
    /// `benches/name.rs`.
    Bench(String),
}

impl Target {
    /// From the `kind` and `name` of cargo's messages.
    pub fn of_message(kind: &str, name: &str) -> Target {
        match kind {
            "test" => Target::Test(name.to_owned()),
            "bin" => Target::Bin(name.to_owned()),
            "example" => Target::Example(name.to_owned()),
            "bench" => Target::Bench(name.to_owned()),
            // lib, rlib, dylib, cdylib, staticlib, proc-macro
            _ => Target::Lib,
        }
    }

    /// The options of `cargo test` that choose it.
    pub fn options(&self) -> Vec<String> {
        match self {
            Target::Lib => vec!["--lib".to_owned()],
            Target::Test(name) => vec!["--test".to_owned(), name.clone()],
            Target::Bin(name) => vec!["--bin".to_owned(), name.clone()],
            Target::Example(name) => vec!["--example".to_owned(), name.clone()],
            Target::Bench(name) => vec!["--bench".to_owned(), name.clone()],
        }
    }

    /// Its name; that of the package for the library.
    pub fn name<'a>(&'a self, package: &'a str) -> &'a str {
        match self {
            Target::Lib => package,
            Target::Test(name) | Target::Bin(name) | Target::Example(name) | Target::Bench(name) => name,
        }
    }
}

/// A test's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The package.
    pub package: String,
    /// Where in the package.
    pub what: What,
}

/// The part of a package that a test lives in, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A test of a binary.
    Test(Target, String),
    /// A doc test, by the name without its line.
    Doctest(String),
}

impl Identity {
    /// Takes an id apart; `None` where it is none.
    pub fn parse(id: &str) -> Option<Identity> {
        let (binary, test) = id.split_once(' ')?;
        let (package, target) = match binary.split_once("::") {
            None => (binary, Target::Lib),
            Some((package, target)) => {
                let target = match target.split_once('/') {
                    Some((kind @ ("bin" | "example" | "bench"), name)) => Target::of_message(kind, name),
                    _ => Target::Test(target.to_owned()),
                };
                (package, target)
            }
        };
        // Problems have names too (`error[E0308] in src/lib.rs`).
        let is_name = package.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        if package.is_empty() || test.is_empty() || !is_name {
            return None;
        }
        let what = match test.strip_prefix("doc ") {
            Some(doctest) if target == Target::Lib => What::Doctest(doctest.to_owned()),
            _ => What::Test(target, test.to_owned()),
        };
        Some(Identity { package: package.to_owned(), what })
    }

    /// The id.
    pub fn id(&self) -> String {
        match &self.what {
            What::Test(target, test) => format!("{} {test}", binary_id(&self.package, target)),
            What::Doctest(doctest) => format!("{} doc {doctest}", self.package),
        }
    }
}

/// nextest's name for a binary.
pub fn binary_id(package: &str, target: &Target) -> String {
    match target {
        Target::Lib => package.to_owned(),
        Target::Test(name) => format!("{package}::{name}"),
        Target::Bin(name) => format!("{package}::bin/{name}"),
        Target::Example(name) => format!("{package}::example/{name}"),
        Target::Bench(name) => format!("{package}::bench/{name}"),
    }
}

/// Whether a person who writes `wanted` means the test `id`: the id, the
/// test's name or its last segments, with or without the crate's name before
/// it; of a doc test also its item, or its name with the line.
pub fn names(id: &str, wanted: &str) -> bool {
    if id == wanted {
        return true;
    }
    let Some(identity) = Identity::parse(id) else { return false };
    let is_tail = |path: &str, wanted: &str| {
        path == wanted || path.strip_suffix(wanted).is_some_and(|before| before.ends_with("::"))
    };
    match &identity.what {
        What::Test(target, test) => {
            let root = target.name(&identity.package).replace('-', "_");
            is_tail(test, wanted)
                || wanted.strip_prefix(&root).and_then(|rest| rest.strip_prefix("::")) == Some(test.as_str())
        }
        What::Doctest(doctest) => {
            let stable = DoctestName::parse(wanted).map(|name| name.stable());
            let wanted = stable.as_deref().unwrap_or(wanted);
            let bare = doctest.split(" #").next().unwrap_or(doctest);
            doctest == wanted || bare == wanted || bare.split_once(" - ").is_some_and(|(_, item)| is_tail(item, wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn an_id_survives_being_taken_apart() {
        for id in [
            "shop tests::divide",
            "shop::it totals",
            "shop::bin/shop-cli tests::a",
            "shop::example/demo a",
            "shop::bench/speed a",
            "shop::custom custom",
            "shop doc src/lib.rs - Cart::total",
            "shop doc src/lib.rs - Cart::total #2",
            "shop doc src/lib.rs",
        ] {
            assert_eq!(Identity::parse(id).map(|identity| identity.id()).as_deref(), Some(id));
        }
        for id in ["tests::divide", "", " ", "shop ", "error[E0308] in src/lib.rs"] {
            assert_eq!(Identity::parse(id), None, "{id:?}");
        }
    }

    #[test]
    fn a_test_is_found_by_the_names_people_use() {
        for (id, wanted, found) in [
            ("shop tests::divide", "shop tests::divide", true),
            ("shop tests::divide", "tests::divide", true),
            ("shop tests::divide", "divide", true),
            ("shop tests::divide", "vide", false),
            ("shop tests::divide", "tests", false),
            ("my-shop tests::divide", "my_shop::tests::divide", true),
            ("shop::it totals", "totals", true),
            ("shop::it totals", "it::totals", true),
            ("shop::it totals", "shop::it totals", true),
            ("shop doc src/lib.rs - Cart::total", "Cart::total", true),
            ("shop doc src/lib.rs - Cart::total", "total", true),
            ("shop doc src/lib.rs - Cart::total", "src/lib.rs - Cart::total (line 18)", true),
            ("shop doc src/lib.rs - Cart::total #2", "Cart::total", true),
            ("shop doc src/lib.rs", "src/lib.rs", true),
            ("shop doc src/lib.rs - Cart::total", "tal", false),
            ("anything", "other", false),
        ] {
            assert_eq!(names(id, wanted), found, "{id} by {wanted}");
        }
    }
}
