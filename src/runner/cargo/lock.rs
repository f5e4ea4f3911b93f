//! Which package is meant where the lock file has several of one name.
//!
//! `textwrap`, which is tested with tools that depend on an older `textwrap`, is
//! ambiguous to cargo's `-p`; `textwrap@0.15.0` is not (Package ID
//! Specifications, the Cargo book). Reads lock files of the scratch; never
//! writes one.

use std::path::Path;

use crate::source::RelPath;

/// Bytes of a lock file that is read; the largest known have two megabytes.
const MOST_BYTES: u64 = 16 << 20;

/// The specification of the project's own package `name`; `None` where the
/// name alone says enough, or nothing tells.
pub(super) fn specification(root: &RelPath, tree: &Path, name: &str) -> Option<String> {
    let folder = root.under(tree);
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    specified(&lock_text(&folder, tree)?, &manifest, name)
}

/// The lock file of the workspace that `folder` belongs to: its own, or the
/// nearest above it inside the tree.
fn lock_text(folder: &Path, tree: &Path) -> Option<String> {
    let above = folder.ancestors().take_while(|above| above.starts_with(tree));
    let lock = above.map(|above| above.join("Cargo.lock")).find(|lock| lock.is_file())?;
    let small = lock.metadata().ok()?.len() <= MOST_BYTES;
    small.then(|| std::fs::read_to_string(lock).ok()).flatten()
}

/// A package of the workspace has no source, as have those that it finds by
/// their path: of several the one that the manifest describes is meant.
fn specified(lock: &str, manifest: &str, name: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let named = packages.iter().filter(|package| package.get("name").and_then(toml::Value::as_str) == Some(name));
    let (own, others): (Vec<_>, Vec<_>) = named.partition(|package| package.get("source").is_none());
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let described = manifest.get("package").and_then(|package| package.get("version")?.as_str());
    let versions: Vec<&str> = own.iter().filter_map(|package| package.get("version")?.as_str()).collect();
    let version = versions.iter().find(|version| Some(**version) == described).or(versions.first())?;
    (own.len() + others.len() > 1).then(|| format!("{name}@{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_several_packages_bear_needs_its_version() {
        let lock = "version = 3\n\
            [[package]]\nname = \"textwrap\"\nversion = \"0.11.0\"\nsource = \"registry+https://example.org\"\n\
            [[package]]\nname = \"textwrap\"\nversion = \"0.15.0\"\ndependencies = [\"textwrap 0.11.0\"]\n\
            [[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\nsource = \"registry+https://example.org\"\n\
            [[package]]\nname = \"cli\"\nversion = \"0.1.0\"\n";
        assert_eq!(specified(lock, "", "textwrap").as_deref(), Some("textwrap@0.15.0"));
        for name in ["cli", "itoa", "nowhere"] {
            assert_eq!(specified(lock, "", name), None, "{name}");
        }
        let both = "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n[[package]]\nname = \"a\"\nversion = \"0.2.0\"\n";
        let manifest = "[package]\nname = \"a\"\nversion = \"0.2.0\"\n";
        assert_eq!(specified(both, manifest, "a").as_deref(), Some("a@0.2.0"));
        assert_eq!(specified("no lock file", "no manifest", "textwrap"), None);
    }

    #[test]
    fn a_member_goes_by_the_lock_file_of_its_workspace() {
        let dir = tempfile::tempdir().expect("a directory");
        let member = dir.path().join("crates/a");
        std::fs::create_dir_all(&member).expect("a folder");
        std::fs::write(dir.path().join("Cargo.lock"), "lock").expect("written");
        assert_eq!(lock_text(&member, dir.path()).as_deref(), Some("lock"));
        assert_eq!(lock_text(&member, &dir.path().join("crates")), None, "never above the tree");
    }
}
