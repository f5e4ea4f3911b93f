//! Gate `distinct`: nothing is tried twice, and nothing that changes nothing.
//!
//! Compares texts; runs nothing.

use std::collections::HashSet;
use std::sync::Mutex;

use super::Gate;
use super::Miss;
use crate::language;
use crate::patch::FileChange;
use crate::patch::Patch;

/// The gate.
pub const GATE: Gate =
    Gate { name: "distinct", missed_when: "its syntax equals one already tried, or the original", runs_tests: false };

/// The patches tried so far, by their normalised text, and whether each was
/// reasoned.
#[derive(Debug, Default)]
pub struct Seen {
    digests: Mutex<HashSet<(String, bool)>>,
}

impl Seen {
    /// Judges a patch and remembers it. One that is `reasoned` (a model's) is
    /// distinct from the same that is none (a rule's guess): less is asked of
    /// it, and the other's trial may never have come to its end.
    pub fn judge(&self, patch: &Patch, reasoned: bool) -> Result<(), Miss> {
        let changes_code = patch.changes().iter().any(|change| normalised(change, true) != normalised(change, false));
        if !changes_code {
            return Err(Miss::new(&GATE, "it changes nothing but layout or comments"));
        }
        let mut digests = self.digests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let digest = digest(patch);
        let is_known = digests.contains(&(digest.clone(), true)) || !digests.insert((digest, reasoned));
        if !is_known { Ok(()) } else { Err(Miss::new(&GATE, "the same change was already tried")) }
    }
}

/// Digest of what a patch makes of its files, layout and comments left out.
pub fn digest(patch: &Patch) -> String {
    let mut hasher = blake3::Hasher::new();
    for change in patch.changes() {
        hasher.update(change.path.as_str().as_bytes());
        hasher.update(b"\0");
        hasher.update(normalised(change, true).as_bytes());
        hasher.update(b"\0");
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn normalised(change: &FileChange, after: bool) -> String {
    let Some(text) = (if after { &change.after } else { &change.before }) else { return "absent".to_owned() };
    match language::of_path(&change.path) {
        Some(language) => language::parse(language, text).tokens() + &directives(language.family, text),
        None => text.clone(),
    }
}

/// Comments of Go that a compiler obeys (`go doc cmd/compile`, `go help buildconstraint`).
fn directives(family: &str, text: &str) -> String {
    let is_one =
        |line: &&str| line.starts_with("//go:") && !line.starts_with("//go:generate") || line.starts_with("// +build");
    match family {
        "go" => text.lines().map(str::trim).filter(is_one).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;

    fn patch(after: &str) -> Patch {
        Patch::of_file(RelPath::new("a.py").expect("path"), "def f(x):\n    return x\n", after)
    }

    #[test]
    fn a_comment_that_the_compiler_obeys_is_code() {
        let judged = |after: &str| {
            let path = RelPath::new("a.go").expect("path");
            let before = "package a\n\n// go:embed a.txt\nvar a string\n";
            Seen::default().judge(&Patch::of_file(path, before, after), false).is_ok()
        };
        assert!(judged("package a\n\n//go:embed a.txt\nvar a string\n"));
        assert!(judged("//go:build linux\n\npackage a\n\n// go:embed a.txt\nvar a string\n"));
        assert!(!judged("package a\n\n// a.txt\nvar a string\n"));
    }

    #[test]
    fn a_change_is_tried_once_whatever_its_layout() {
        let seen = Seen::default();
        assert!(seen.judge(&patch("def f(x):\n    return x + 1\n"), false).is_ok());
        assert!(seen.judge(&patch("def f(x):\n    # more\n    return x+1\n"), false).is_err());
        assert!(seen.judge(&patch("def f(x):\n    return x + 2\n"), false).is_ok());
    }

    #[test]
    fn what_a_model_writes_is_tried_although_a_rule_guessed_it_and_not_the_other_way_round() {
        let (seen, change) = (Seen::default(), patch("def f(x):\n    return x + 1\n"));
        let asked: Vec<bool> = [false, true, true, false].map(|reasoned| seen.judge(&change, reasoned).is_ok()).into();
        assert_eq!(asked, [true, true, false, false]);
        let seen = Seen::default();
        assert!(seen.judge(&change, true).is_ok() && seen.judge(&change, false).is_err());
    }

    #[test]
    fn a_comment_is_no_repair() {
        assert!(Seen::default().judge(&patch("def f(x):\n    # fixed\n    return x\n"), false).is_err());
    }

    #[test]
    fn python_indentation_is_no_layout() {
        let before = "def f(x):\n    if x:\n        a()\n        b()\n";
        let after = "def f(x):\n    if x:\n        a()\n    b()\n";
        let patch = Patch::of_file(RelPath::new("a.py").expect("path"), before, after);
        assert!(Seen::default().judge(&patch, false).is_ok());
    }
}
