//! The differential probe: whether patches that pass the same tests behave
//! alike on calls near those that the tests make (DECISIONS 21).
//!
//! No gate: it judges no patch, it compares several. Says of each pair that
//! differs one call that shows it; says nothing of patches it cannot bind.
//! The calls are made in children of the test process, in the scratch.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::near::file_part;
use super::target::Aim;
use super::trial::TrialError;
use crate::detect::Bench;
use crate::language;
use crate::patch::Patch;
use crate::runner::RunnerKind;
use crate::runner::Selection;
use crate::runner::probe::Answer;
use crate::runner::probe::Outcome;
use crate::runner::probe::Question;
use crate::scratch::Scratch;
use crate::source::RelPath;

/// The variant that is laid in the scratch: the first patch, so that the
/// target's tests make all their calls and do not stop at the fault.
const LAID: usize = 1;

/// Calls tried at most.
const MOST_INPUTS: usize = 400;

/// Seconds of wall time at most for all calls of all patches, after the tests;
/// half of it again for proofs. Most probes take less than a second.
const SECONDS: f64 = 20.0;

/// Other tests whose calls are recorded too.
const MOST_NEAR: usize = 24;

/// What was found out about several patches. Patches are counted as they were
/// given, from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Patches that behave alike on every call that was tried, in order of
    /// their first; a patch that could not be probed stands in none.
    pub clusters: Vec<Vec<usize>>,
    /// One for each pair of clusters.
    pub differences: Vec<Difference>,
    /// Patches that could not be probed.
    pub unprobed: Vec<Unprobed>,
    /// Calls of the patched functions that the tests made.
    pub calls: usize,
    /// Calls that were tried with every patch that was probed.
    pub inputs: usize,
}

/// A call on which the patches of two clusters differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The clusters, the earlier first.
    pub clusters: (usize, usize),
    /// The patch of each that was called.
    pub patches: (usize, usize),
    /// The call, as source text: `split_iter(['a', 'b'], None, 1)`.
    pub call: String,
    /// What it comes to with either patch.
    pub outcomes: (Outcome, Outcome),
    /// What it comes to without any.
    pub original: Outcome,
}

/// A patch that could not be probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unprobed {
    /// The patch.
    pub patch: usize,
    /// Why, in words.
    pub why: String,
}

impl Probe {
    /// Whether every patch was probed and all behave alike.
    pub fn is_one_cluster(&self) -> bool {
        self.unprobed.is_empty() && self.clusters.len() == 1
    }

    /// Nothing known of any of `patches`.
    fn unknown(patches: usize, why: &str) -> Probe {
        Probe {
            unprobed: (0..patches).map(|patch| Unprobed { patch, why: why.to_owned() }).collect(),
            ..Probe::default()
        }
    }
}

/// Compares patches of one failure that pass the same tests. Runs the target's
/// tests and those of `near` once, with the first patch laid, then the probe in
/// the same process; leaves the scratch equal to the snapshot.
///
/// Without two patches that can be probed nothing is run.
///
/// # Errors
/// Only where the tests cannot be run.
pub async fn compare(
    bench: &Bench,
    scratch: &mut dyn Scratch,
    aim: &Aim,
    near: &[String],
    patches: &[&Patch],
) -> Result<Probe, TrialError> {
    if !matches!(bench.project.kind, RunnerKind::Pytest | RunnerKind::Unittest) {
        let why = format!("tests of {} cannot be asked", bench.project.kind.name());
        return Ok(Probe::unknown(patches.len(), &why));
    }
    let mut plan = Plan::of(patches);
    let mut request = bench.request(selection(aim, near));
    // A short limit for the suite is one for the probe too.
    let seconds = SECONDS.min(bench.limits.suite.as_secs_f64() / 4.0);
    while let Some(question) = plan.question(patches, seconds) {
        request.probe = Some(question);
        scratch.lay(patches[plan.kept[0]])?;
        let report = bench.run(scratch, &request).await;
        scratch.restore()?;
        let report = report?;
        let Some(answer) = report.probe else {
            let why = report.incomplete_why.unwrap_or_else(|| "the test process gave no answer".to_owned());
            return Ok(Probe::unknown(patches.len(), &why));
        };
        match in_the_way(&answer) {
            // Of another patch the variants may well be made.
            Some(why) => plan.leave_out_the_laid(why),
            None => return Ok(plan.read(patches.len(), &answer)),
        }
    }
    Ok(plan.unasked(patches.len()))
}

/// Why no variant could be made of the patch that was laid, where that is all
/// that was found out.
fn in_the_way(answer: &Answer) -> Option<String> {
    match answer.unprobed.as_slice() {
        [(LAID, why)] if answer.why.is_empty() && answer.calls == 0 => Some(why.clone()),
        _ => None,
    }
}

/// Of the tests `known`, those that most likely make calls of their own of what
/// the target's tests call: the ones of the same class, then of the same file.
pub fn near<'t>(aim: &Aim, known: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let Selection::Tests(wanted) = &aim.selection else { return Vec::new() };
    let alike = |id: &str, target: &str| id.bytes().zip(target.bytes()).take_while(|(one, other)| one == other).count();
    let beside = |id: &'t str| {
        let targets = wanted.iter().filter(|target| file_part(target) == file_part(id));
        targets.map(|target| alike(id, target)).max().map(|alike| (alike, id))
    };
    let known = known.into_iter().filter(|id| !wanted.iter().any(|other| other == id));
    let mut found: Vec<(usize, &str)> = known.filter_map(beside).collect();
    found.sort_by_key(|(alike, _)| std::cmp::Reverse(*alike));
    found.into_iter().take(MOST_NEAR).map(|(_, id)| id.to_owned()).collect()
}

/// The selection of the target with the tests `near` it.
pub(super) fn selection(aim: &Aim, near: &[String]) -> Selection {
    match &aim.selection {
        Selection::All => Selection::All,
        Selection::Tests(ids) => {
            let more = near.iter().filter(|id| !ids.contains(id));
            Selection::Tests(ids.iter().chain(more).cloned().collect())
        }
    }
}

/// Which patches are asked about; the variant of `kept[n]` is `n + 1`.
struct Plan {
    kept: Vec<usize>,
    unprobed: Vec<Unprobed>,
}

impl Plan {
    fn of(patches: &[&Patch]) -> Plan {
        let mut plan = Plan { kept: Vec::new(), unprobed: Vec::new() };
        for (patch, changes) in patches.iter().enumerate() {
            match obstacle(changes) {
                None => plan.kept.push(patch),
                Some(why) => plan.unprobed.push(Unprobed { patch, why }),
            }
        }
        plan
    }

    fn leave_out_the_laid(&mut self, why: String) {
        let patch = self.kept.remove(0);
        self.unprobed.push(Unprobed { patch, why });
    }

    /// `None` where there are not two to compare.
    fn question(&self, patches: &[&Patch], seconds: f64) -> Option<Question> {
        if self.kept.len() < 2 {
            return None;
        }
        let mut original: BTreeMap<RelPath, String> = BTreeMap::new();
        for patch in &self.kept {
            for change in patches[*patch].changes() {
                original.entry(change.path.clone()).or_insert_with(|| change.before.clone().unwrap_or_default());
            }
        }
        let with = |patch: &usize| {
            let mut texts = original.clone();
            for change in patches[*patch].changes() {
                texts.insert(change.path.clone(), change.after.clone().unwrap_or_default());
            }
            texts
        };
        let variants = std::iter::once(original.clone()).chain(self.kept.iter().map(with)).collect();
        Some(Question { variants, laid: LAID, inputs: MOST_INPUTS, seconds })
    }

    /// What is known where nothing can be asked: one patch alone is a cluster.
    fn unasked(self, patches: usize) -> Probe {
        if patches == 1 {
            return Probe { clusters: vec![vec![0]], ..Probe::default() };
        }
        let alone = self
            .kept
            .iter()
            .map(|patch| Unprobed { patch: *patch, why: "there is no other patch that can be probed".to_owned() });
        let mut unprobed: Vec<Unprobed> = alone.chain(self.unprobed.iter().cloned()).collect();
        unprobed.sort_by_key(|unprobed| unprobed.patch);
        Probe { unprobed, ..Probe::default() }
    }

    /// Reads an answer; what it says of variants that nobody asked about is
    /// not heard.
    fn read(mut self, patches: usize, answer: &Answer) -> Probe {
        if !answer.why.is_empty() {
            return Probe::unknown(patches, &answer.why);
        }
        let patch_of = |variant: usize| variant.checked_sub(1).and_then(|index| self.kept.get(index).copied());
        let silent: BTreeSet<usize> = answer.unprobed.iter().filter_map(|(variant, _)| patch_of(*variant)).collect();
        let told: Vec<Unprobed> = answer
            .unprobed
            .iter()
            .filter_map(|(variant, why)| Some(Unprobed { patch: patch_of(*variant)?, why: why.clone() }))
            .collect();
        let mut found = BTreeMap::new();
        for difference in &answer.differences {
            let (Some(one), Some(other)) = (patch_of(difference.pair.0), patch_of(difference.pair.1)) else { continue };
            if one < other {
                found.insert((one, other), difference);
            }
        }
        let mut clusters: Vec<Vec<usize>> = Vec::new();
        for patch in self.kept.iter().copied().filter(|patch| !silent.contains(patch)) {
            let alike = |cluster: &&mut Vec<usize>| !cluster.iter().any(|one| found.contains_key(&(*one, patch)));
            match clusters.iter_mut().find(alike) {
                Some(cluster) => cluster.push(patch),
                None => clusters.push(vec![patch]),
            }
        }
        let mut differences = Vec::new();
        for (second, cluster) in clusters.iter().enumerate() {
            for (first, earlier) in clusters[..second].iter().enumerate() {
                let pairs = earlier.iter().flat_map(|one| cluster.iter().map(move |other| (*one, *other)));
                let shown = pairs.filter_map(|(one, other)| {
                    let (patches, swap) = if one < other { ((one, other), false) } else { ((other, one), true) };
                    found.get(&patches).map(|found| {
                        let (mine, theirs, original) = found.outcomes.clone();
                        Difference {
                            clusters: (first, second),
                            patches: (one, other),
                            call: found.call.clone(),
                            outcomes: if swap { (theirs, mine) } else { (mine, theirs) },
                            original,
                        }
                    })
                });
                differences.extend(shown.min_by_key(|difference| difference.call.chars().count()));
            }
        }
        self.unprobed.extend(told);
        self.unprobed.sort_by_key(|unprobed| unprobed.patch);
        Probe { clusters, differences, unprobed: self.unprobed, calls: answer.calls, inputs: answer.inputs }
    }
}

/// What of a patch no variant can be made of.
fn obstacle(patch: &Patch) -> Option<String> {
    patch.changes().iter().find_map(|change| {
        let path = &change.path;
        if change.before.is_none() || change.after.is_none() {
            return Some(format!("it adds or removes `{path}`"));
        }
        match language::of_path(path) {
            Some(language) if language.name == "python" => None,
            _ => Some(format!("`{path}` is not Python")),
        }
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::runner::probe::Found;

    fn patch(path: &str, after: &str) -> Patch {
        Patch::of_file(RelPath::new(path).expect("path"), "before\n", after)
    }

    fn found(pair: (usize, usize), call: &str) -> Found {
        let returns = |number: usize| Outcome::Returns(number.to_string());
        Found { pair, call: call.to_owned(), outcomes: (returns(pair.0), returns(pair.1), Outcome::Endless) }
    }

    fn answer(differences: Vec<Found>) -> Answer {
        Answer { calls: 1, inputs: 9, differences, ..Answer::default() }
    }

    #[test]
    fn a_question_holds_every_file_in_every_variant() {
        let patches = [patch("a.py", "1\n"), patch("x.rs", "x\n"), patch("b.py", "2\n")];
        let patches: Vec<&Patch> = patches.iter().collect();
        let plan = Plan::of(&patches);
        assert_eq!(plan.unprobed, [Unprobed { patch: 1, why: "`x.rs` is not Python".into() }]);
        let question = plan.question(&patches, 1.0).expect("two are left");
        let texts: Vec<Vec<&str>> =
            question.variants.iter().map(|variant| variant.values().map(String::as_str).collect()).collect();
        assert_eq!(texts, [["before\n", "before\n"], ["1\n", "before\n"], ["before\n", "2\n"]]);
        let left = Plan::of(&patches[..2]);
        assert!(left.question(&patches[..2], 1.0).is_none());
        assert_eq!(left.unasked(2).unprobed.len(), 2);
        assert_eq!(Plan::of(&patches[..1]).unasked(1).clusters, [[0]]);
    }

    #[test]
    fn patches_without_a_difference_are_one_cluster() {
        let plan = || Plan { kept: vec![0, 2, 3], unprobed: vec![Unprobed { patch: 1, why: "r".into() }] };
        let probe = plan().read(4, &answer(vec![]));
        assert_eq!((probe.clusters, probe.differences), (vec![vec![0, 2, 3]], vec![]));
        let probe =
            plan().read(4, &answer(vec![found((1, 2), "f(1, 2)"), found((2, 3), "f(3)"), found((9, 1), "f(0)")]));
        assert_eq!(probe.clusters, [vec![0, 3], vec![2]]);
        // The shorter call is shown, the earlier cluster first.
        let wanted = Difference {
            clusters: (0, 1),
            patches: (3, 2),
            call: "f(3)".into(),
            outcomes: (Outcome::Returns("3".into()), Outcome::Returns("2".into())),
            original: Outcome::Endless,
        };
        assert_eq!(probe.differences, [wanted]);
        assert_eq!(probe.unprobed.len(), 1);
    }

    #[test]
    fn what_could_not_be_probed_is_never_alike() {
        let plan = || Plan { kept: vec![0, 1], unprobed: vec![] };
        let probe = plan().read(2, &Answer { unprobed: vec![(2, "`f` calls `open`".into())], ..answer(vec![]) });
        assert!(!probe.is_one_cluster());
        assert_eq!((probe.clusters, probe.unprobed[0].patch), (vec![vec![0]], 1));
        let probe = plan().read(2, &Answer { why: "no call".into(), ..Answer::default() });
        assert_eq!((probe.clusters.len(), probe.unprobed.len()), (0, 2));
    }

    #[test]
    fn tests_of_the_same_class_are_nearest_then_those_of_the_file() {
        let aim = |id: &str| Aim {
            failures: vec![],
            selection: Selection::Tests(vec![id.to_owned()]),
            literals: Default::default(),
        };
        for (id, known, wanted) in [
            (
                "t/test_a.py::T::test_x[1]",
                vec![
                    "t/test_a.py::test_y",
                    "t/test_b.py::T::test_x",
                    "t/test_a.py::T::test_x[2]",
                    "t/test_a.py::T::test_x[1]",
                ],
                vec!["t/test_a.py::T::test_x[2]", "t/test_a.py::test_y"],
            ),
            (
                "tests.test_a.T.test_x",
                vec!["tests.test_b.T.test_x", "tests.test_a.S.test_y", "tests.test_a.T.test_z"],
                vec!["tests.test_a.T.test_z", "tests.test_a.S.test_y"],
            ),
        ] {
            assert_eq!(near(&aim(id), known), wanted);
        }
    }
}
