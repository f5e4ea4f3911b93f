//! Gate `syntax`: the patched files still parse.
//!
//! Reads texts; runs nothing.

use super::Gate;
use super::Miss;
use crate::language;
use crate::patch::Patch;

/// The gate.
pub const GATE: Gate = Gate { name: "syntax", missed_when: "it adds parse errors", runs_tests: false };

/// Judges a patch: no file of it may have more parse errors than before.
pub fn judge(patch: &Patch) -> Result<(), Miss> {
    for change in patch.changes() {
        let (Some(language), Some(after)) = (language::of_path(&change.path), &change.after) else { continue };
        let errors = |text: &str| language::parse(language, text).errors();
        let before = change.before.as_deref().map(errors).unwrap_or_default();
        let now = errors(after);
        if now > before {
            return Err(Miss::new(&GATE, format!("`{}` no longer parses ({} new errors)", change.path, now - before)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    #[test]
    fn a_patch_that_breaks_the_syntax_is_missed() {
        for (name, before, after, held) in [
            ("a.py", "x = 1\n", "x = (1\n", false),
            ("a.py", "x = (1\n", "x = (2\n", true),
            ("a.py", "x = (1\n", "x = 1\n", true),
            ("a.rs", "fn f() {}\n", "fn f() {\n", false),
            ("a.toml", "x\n", "[[[\n", true),
        ] {
            let patch = Patch::of_file(RelPath::new(name).expect("path"), before, after);
            assert_eq!(judge(&patch).is_ok(), held, "{after}");
        }
    }
}
