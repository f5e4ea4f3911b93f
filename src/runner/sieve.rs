//! The sieve's question and its answer, as they go through the channel into a
//! Python test process and back (`heal_sieve.py`).
//!
//! Holds values; what the answer means for candidates is read in `verify`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::failure::Failure;
use crate::patch::Patch;
use crate::source::RelPath;

/// What a test process is asked to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The candidates, in the order they are tried; none is empty.
    pub candidates: Vec<Vec<Edit>>,
    /// The tests that fail, by id; a candidate passes when all of them do.
    pub expected: Vec<String>,
    /// Whether they pass instead, and what is asked is which candidates they
    /// notice; the word on one that fails is then the failure's kind.
    pub holds: bool,
    /// Tests of the same files that passed: whoever makes one of them fail is
    /// discarded as well. The likeliest first; as many as the time allows.
    pub guards: Vec<String>,
    /// Whether they are expected not to end, and not merely to fail.
    pub endless: bool,
    /// Time of the processor for one candidate at most.
    pub limit: Duration,
    /// Wall time at most for all of them, after the tests are collected.
    pub time: Duration,
}

/// One file's part of a candidate: these bytes of it become this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: RelPath,
    /// Where the bytes begin, and where they end.
    pub bytes: std::ops::Range<usize>,
    /// What stands there then.
    pub text: String,
}

/// What the test process answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Why nothing was tried; empty where something was.
    pub why: String,
    /// The failures without any candidate.
    pub failures: Vec<Failure>,
    /// What became of the candidates, as far as the time went: by their place
    /// in the question, with a word on it.
    pub verdicts: Vec<(usize, Sieved, String)>,
}

/// What became of a candidate in the sieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sieved {
    /// The failing tests pass, and so do the guards.
    Passed,
    /// One fails as it does without the candidate.
    Same,
    /// One fails in another way, or a guard does.
    Failed,
    /// What was seen may come of the sieve itself.
    Unclear,
    /// It cannot be made of the functions of a running process.
    Unsuitable,
}

impl Edit {
    /// The edits that a patch makes; `None` where it adds or removes a file.
    pub fn of(patch: &Patch) -> Option<Vec<Edit>> {
        let edit = |change: &crate::patch::FileChange| {
            let (before, after) = (change.before.as_deref()?, change.after.as_deref()?);
            let alike = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
            let start = (0..=alike).rev().find(|at| before.is_char_boundary(*at) && after.is_char_boundary(*at))?;
            let (old, new) = (&before[start..], &after[start..]);
            let alike = old.bytes().rev().zip(new.bytes().rev()).take_while(|(one, other)| one == other).count();
            let end = (0..=alike)
                .rev()
                .find(|at| old.is_char_boundary(old.len() - at) && new.is_char_boundary(new.len() - at))?;
            Some(Edit {
                path: change.path.clone(),
                bytes: start..before.len() - end,
                text: new[..new.len() - end].to_owned(),
            })
        };
        patch.changes().iter().map(edit).collect()
    }
}

impl Question {
    /// The candidates as the test process reads them: one line each, a list of
    /// `[path, start, end, text]`.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        for edits in &self.candidates {
            let edit = |edit: &Edit| json!([edit.path.as_str(), edit.bytes.start, edit.bytes.end, edit.text]);
            let edits: Vec<_> = edits.iter().map(edit).collect();
            let _ = writeln!(out, "{}", json!(edits));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn an_edit_is_the_least_that_differs() {
        let path = || RelPath::new("a.py").expect("path");
        for (before, after, bytes, text) in [
            ("if a < b:\n", "if a <= b:\n", 6..6, "="),
            ("a = 1\n", "a = 1\nb = 2\n", 6..6, "b = 2\n"),
            ("aaa", "aa", 2..3, ""),
            // The first byte of either letter is the same.
            ("x = 'é'\n", "x = 'è'\n", 5..7, "è"),
            // So is the last byte of these.
            ("é", "©", 0..2, "©"),
            ("", "a", 0..0, "a"),
        ] {
            let edits = Edit::of(&Patch::of_file(path(), before, after)).expect("edits");
            assert_eq!(edits, [Edit { path: path(), bytes, text: text.into() }], "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_patch_that_adds_a_file_has_no_edits() {
        let change = crate::patch::FileChange {
            path: RelPath::new("a.py").expect("path"),
            before: None,
            after: Some("x = 1\n".into()),
        };
        assert_eq!(Edit::of(&Patch::new(vec![change])), None);
    }

    #[test]
    fn the_test_process_reads_one_line_a_candidate() {
        let edit = Edit { path: RelPath::new("a.py").expect("path"), bytes: 3..4, text: "\"\n".into() };
        let question = Question {
            candidates: vec![vec![edit.clone()], vec![edit.clone(), edit]],
            expected: vec![],
            holds: false,
            guards: vec![],
            endless: false,
            limit: Duration::from_secs(1),
            time: Duration::from_secs(1),
        };
        assert_eq!(
            question.lines(),
            "[[\"a.py\",3,4,\"\\\"\\n\"]]\n[[\"a.py\",3,4,\"\\\"\\n\"],[\"a.py\",3,4,\"\\\"\\n\"]]\n"
        );
    }
}
