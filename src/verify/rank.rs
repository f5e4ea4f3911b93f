//! Which of several verified patches comes first: executed evidence, how much
//! behaviour is changed, and size; nothing a proposer says of itself.
//!
//! Orders data; runs nothing.

mod narrower;

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

/// Orders verified patches, the best first. Of two of which one changes the
/// behaviour in a part of the cases only in which the other does, that one is
/// the better, whatever their tests say of the rest: nothing asked for more.
pub fn order<T>(items: &mut [T], of: impl Fn(&T) -> (&Patch, &Evidence)) {
    items.sort_by(|one, other| compare(of(one), of(other)));
    for at in 1..items.len() {
        // Before the first that it is narrower than.
        let to = (0..at).find(|before| narrower::is_narrower(of(&items[at]).0, of(&items[*before]).0));
        if let Some(to) = to {
            items[to..=at].rotate_right(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RelPath;
    use crate::verify::Strength;

    fn evidence(strength: Option<(usize, usize)>, agreement: usize) -> Evidence {
        let of = |(killed, mutants)| Strength { mutants, killed, survivors: vec![], ..Strength::default() };
        Evidence { strength: strength.map(of), agreement, ..Evidence::default() }
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

    #[test]
    fn a_patch_that_changes_the_behaviour_in_fewer_cases_comes_first() {
        let text = "def f(xs, n):\n    if n == 0:\n        return 1\n    return xs[n]\n";
        let of = |after: &str| Patch::of_file(RelPath::new("a.py").expect("path"), text, after);
        let guard = "    if not xs:\n        return 0\n";
        let in_front = of(&text.replacen("    if", &format!("{guard}    if"), 1));
        let behind = of(&text.replace("    return xs", &format!("{guard}    return xs")));
        let none = of(&text.replace("    return xs", "    if xs is None:\n        return 0\n    return xs"));
        let other = of(&text.replace("xs[n]", "xs[n:]"));
        let weak = evidence(None, 1);
        let mut items = vec![&in_front, &behind, &other, &none];
        order(&mut items, |patch| (patch, &weak));
        assert_eq!(items, vec![&none, &behind, &in_front, &other]);
    }
}
