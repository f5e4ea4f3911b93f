//! Whether a target has a harness of its own (`harness = false`).
//!
//! Such a program may take any argument for a reason to do anything, so it is
//! told from the manifest, not by trying.

use std::path::Path;

/// Whether the manifest says so of the target whose binary is named `stem`
/// (`-` written as `_`). `false` where there is no manifest to be read.
pub(super) fn is_own(manifest: &Path, stem: &str) -> bool {
    std::fs::read_to_string(manifest).is_ok_and(|text| says_own(&text, stem))
}

fn says_own(manifest: &str, stem: &str) -> bool {
    let Ok(manifest) = manifest.parse::<toml::Table>() else { return false };
    let lists = ["test", "bench", "example", "bin"];
    let named = lists.iter().filter_map(|list| manifest.get(*list)?.as_array()).flatten();
    let is_own = |target: &toml::Value, default: Option<&str>| {
        let name = target.get("name").and_then(toml::Value::as_str).or(default);
        target.get("harness").and_then(toml::Value::as_bool) == Some(false)
            && name.is_some_and(|name| name.replace('-', "_") == stem.replace('-', "_"))
    };
    let package = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    named.into_iter().any(|target| is_own(target, None)) || manifest.get("lib").is_some_and(|lib| is_own(lib, package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_own_harness_where_the_manifest_says_so() {
        let manifest = "[package]\nname = 'my-lib'\n[lib]\nharness = false\n[[test]]\nname = 'my-ui'\nharness = false\n[[test]]\nname = 'plain'\n[[bench]]\nname = 'speed'\nharness = false\n";
        for (stem, own) in [("my_ui", true), ("plain", false), ("speed", true), ("my_lib", true), ("other", false)] {
            assert_eq!(says_own(manifest, stem), own, "{stem}");
        }
        assert!(!says_own("not toml [", "x"));
    }
}
