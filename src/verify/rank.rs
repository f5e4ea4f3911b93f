//! Which of several verified patches comes first: executed evidence and size,
//! nothing a proposer says of itself.
//!
//! Orders data; runs nothing.

use std::cmp::Ordering;

use super::Evidence;
use crate::patch::Patch;

/// Orders two verified patches, the better one first.
pub fn compare(one: (&Patch, &Evidence), other: (&Patch, &Evidence)) -> Ordering {
    let key = |(patch, evidence): (&Patch, &Evidence)| {
        let strength = evidence.strength.as_ref().map_or(0.0, |strength| {
            if strength.mutants == 0 { 0.0 } else { strength.killed as f64 / strength.mutants as f64 }
        });
        let (added, removed) = patch.size();
        // What only takes code away most often takes behaviour away (Qi et
        // al. 2015, "patch plausibility").
        let only_removes = added == 0;
        (strength, evidence.agreement, only_removes, added + removed)
    };
    let (a, b) = (key(one), key(other));
    b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)).then(a.3.cmp(&b.3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;
    use crate::verify::Strength;
    use crate::verify::Target;

    fn evidence(strength: Option<(usize, usize)>, agreement: usize) -> Evidence {
        Evidence {
            target: Target { passed: 3, runs: 3 },
            suite: None,
            cause: String::new(),
            control: None,
            strength: strength.map(|(killed, mutants)| Strength { mutants, killed, survivors: vec![] }),
            integrity: String::new(),
            scratch: String::new(),
            sandbox: String::new(),
            suite_scope: String::new(),
            agreement,
            taken_out: 0,
        }
    }

    fn patch(after: &str) -> Patch {
        Patch::of_file(RelPath::new("a.py").expect("path"), "a\nb\n", after)
    }

    #[test]
    fn evidence_comes_before_size() {
        let small = patch("a\nB\n");
        let large = patch("A\nB\nC\n");
        let deletion = patch("a\n");
        assert_eq!(compare((&large, &evidence(Some((4, 4)), 1)), (&small, &evidence(Some((1, 4)), 1))), Ordering::Less);
        assert_eq!(compare((&large, &evidence(None, 2)), (&small, &evidence(None, 1))), Ordering::Less);
        assert_eq!(compare((&small, &evidence(None, 1)), (&large, &evidence(None, 1))), Ordering::Less);
        assert_eq!(compare((&small, &evidence(None, 1)), (&deletion, &evidence(None, 1))), Ordering::Less);
    }
}
