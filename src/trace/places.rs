//! Paths as a trace writes them, mapped to files of the repository.
//!
//! Compares names; never looks at the disk.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use crate::source::RelPath;

/// The files of the repository and the absolute places a copy of it may be
/// seen at. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Places {
    roots: Vec<PathBuf>,
    by_name: std::sync::Arc<HashMap<String, Vec<RelPath>>>,
}

/// Parts of a path that mark it as a library's own, wherever it lies.
const FOREIGN: &[&str] = &[
    "site-packages",
    "dist-packages",
    "node_modules",
    ".cargo/registry",
    ".cargo/git",
    "/rustc/",
    "lib/python",
    "/usr/lib/",
    ".rustup/",
    "<frozen ",
];

impl Places {
    /// `roots`: where the repository's root stands, absolute, also in copies.
    pub fn new(roots: Vec<PathBuf>, files: impl IntoIterator<Item = RelPath>) -> Places {
        let mut by_name: HashMap<String, Vec<RelPath>> = HashMap::new();
        for file in files {
            by_name.entry(file.file_name().to_owned()).or_default().push(file);
        }
        Places { roots, by_name: by_name.into() }
    }

    /// These, where a copy of the repository also stands at `root`.
    pub fn also_at(&self, root: &Path) -> Places {
        let mut roots = self.roots.clone();
        roots.extend([Some(root.to_path_buf()), root.canonicalize().ok()].into_iter().flatten());
        Places { roots, by_name: self.by_name.clone() }
    }

    /// The path below a root that `written` names, whether it is one of the
    /// repository's files or not.
    pub fn inside(&self, written: &str) -> Option<RelPath> {
        let path = Path::new(written.strip_prefix("file://").unwrap_or(written));
        self.roots.iter().find_map(|root| RelPath::within(root, path))
    }

    /// Whether it is a file of the repository.
    pub fn holds(&self, path: &RelPath) -> bool {
        self.by_name.get(path.file_name()).is_some_and(|files| files.contains(path))
    }

    /// The file of the repository that `written` means; `None` for a foreign
    /// one. `near` is the folder that relative paths start from.
    ///
    /// A path of another machine (a CI log) is matched by its longest suffix,
    /// at least two components or a name the repository has once.
    pub fn locate(&self, written: &str, near: &RelPath) -> Option<RelPath> {
        let written = written.strip_prefix("file://").unwrap_or(written);
        let path = Path::new(written);
        for root in &self.roots {
            if let Some(inside) = RelPath::within(root, path) {
                return self.known(inside);
            }
        }
        if FOREIGN.iter().any(|part| written.contains(part)) {
            return None;
        }
        if path.is_relative() {
            let from_near = RelPath::new(written).ok().and_then(|inner| near.join(inner.as_str()).ok());
            if let Some(found) = from_near.and_then(|path| self.known(path)) {
                return Some(found);
            }
            if let Some(found) = RelPath::new(written).ok().and_then(|path| self.known(path)) {
                return Some(found);
            }
        }
        self.by_suffix(written)
    }

    fn known(&self, path: RelPath) -> Option<RelPath> {
        self.by_name.get(path.file_name())?.contains(&path).then_some(path)
    }

    fn by_suffix(&self, written: &str) -> Option<RelPath> {
        let slashed = written.replace('\\', "/");
        let parts: Vec<&str> = slashed.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let candidates = self.by_name.get(*parts.last()?)?;
        let common =
            |file: &RelPath| file.as_str().rsplit('/').zip(parts.iter().rev()).take_while(|(a, b)| a == *b).count();
        let best = candidates.iter().map(common).max()?;
        let mut longest = candidates.iter().filter(|file| common(file) == best);
        let found = longest.next()?;
        // One bare name may be anyone's file: an absolute path elsewhere that
        // shares nothing but `utils.py` is foreign.
        let enough = best >= 2 || parts.len() == 1 || found.as_str() == *parts.last()?;
        (longest.next().is_none() && enough).then(|| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_traces_are_mapped_to_the_repository() {
        let path = |text: &str| RelPath::new(text).expect("path");
        let places = Places::new(
            vec!["/home/a/shop".into(), "/cache/1".into()],
            ["src/shop/cart.py", "tests/test_cart.py", "lib/cart.py", "core/src/lib.rs", "gcd.py"].map(path),
        );
        for (written, near, wanted) in [
            ("/home/a/shop/src/shop/cart.py", "", Some("src/shop/cart.py")),
            ("/cache/1/lib/cart.py", "", Some("lib/cart.py")),
            ("/builds/x/shop/src/shop/cart.py", "", Some("src/shop/cart.py")),
            ("/usr/lib/python3.11/lib/cart.py", "", None),
            ("/venv/site-packages/shop/cart.py", "", None),
            ("src/lib.rs", "core", Some("core/src/lib.rs")),
            ("tests/test_cart.py", "", Some("tests/test_cart.py")),
            ("cart.py", "", None),
            ("/ci/gcd.py", "", Some("gcd.py")),
            ("/home/a/shop/new.py", "", None),
        ] {
            assert_eq!(places.locate(written, &path(near)), wanted.map(path), "{written}");
        }
    }
}
