//! Whether a patch cures one failing test and leaves another that runs what it
//! changes.
//!
//! Compares lines; runs nothing. One fault has many faces: what is fitted to
//! one of them cures that one alone. On a past bug of a real project a rule
//! looked at the other end of a list, which made both sides of one test's
//! equation wrong in the same way; five mutants of five were noticed, 19 tests
//! ran the statement, and the fix's other test went on failing there.

use crate::detect::Outcome;
use crate::detect::Reproduction;
use crate::patch::Patch;

/// The first of the tests `failing` without the patch that executes a line
/// which the patch changes, and is not among those that are `cured`.
pub(super) fn left_failing<'r>(patch: &Patch, failing: &'r [Reproduction], cured: &[&str]) -> Option<&'r str> {
    let touched = patch.touched_before();
    let runs = |reproduction: &Reproduction| {
        reproduction.executed.iter().any(|(path, lines)| {
            let spans = touched.iter().filter(|(changed, _)| *changed == path).flat_map(|(_, spans)| spans);
            spans.into_iter().any(|span| lines.iter().any(|line| span.contains(*line)))
        })
    };
    let is_left = |reproduction: &&Reproduction| {
        reproduction.outcome == Outcome::Reproduced && !cured.contains(&reproduction.failure.id.as_str())
    };
    failing.iter().filter(is_left).find(|left| runs(left)).map(|left| left.failure.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::failure::Kind;
    use crate::source::RelPath;

    fn failing(id: &str, path: &str, lines: &[u32], outcome: Outcome) -> Reproduction {
        Reproduction {
            failure: Failure {
                id: id.into(),
                kind: Kind::Assertion,
                message: String::new(),
                expected: None,
                actual: None,
                locals: Vec::new(),
                frames: Vec::new(),
                output: String::new(),
            },
            outcome,
            failed: 2,
            runs: 2,
            fingerprints: Default::default(),
            executed: vec![(RelPath::new(path).expect("path"), lines.to_vec())],
            by_itself: true,
            in_company: false,
        }
    }

    #[test]
    fn a_failing_test_that_runs_the_changed_line_and_is_not_cured_is_left() {
        let text = "def f(a):\n    if a[0]:\n        return 1\n    return 2\n";
        let path = RelPath::new("a.py").expect("path");
        let patch = Patch::of_file(path, text, text.replace("a[0]", "a[-1]"));
        let own = || failing("own", "a.py", &[2, 3], Outcome::Reproduced);
        for (other, cured, left) in [
            (failing("other", "a.py", &[2, 4], Outcome::Reproduced), vec!["own"], Some("other")),
            (failing("other", "a.py", &[2, 4], Outcome::Reproduced), vec!["own", "other"], None),
            (failing("other", "a.py", &[4], Outcome::Reproduced), vec!["own"], None),
            (failing("other", "b.py", &[2, 4], Outcome::Reproduced), vec!["own"], None),
            (failing("other", "a.py", &[2, 4], Outcome::Flaky), vec!["own"], None),
        ] {
            assert_eq!(left_failing(&patch, &[own(), other], &cured), left, "{cured:?}");
        }
        assert_eq!(left_failing(&Patch::default(), &[own()], &[]), None);
    }
}
