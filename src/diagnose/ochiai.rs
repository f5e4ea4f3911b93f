//! How much more a line belongs to failing tests than to passing ones.
//!
//! Ochiai's coefficient (Abreu, Zoeteweij, van Gemund: "An Evaluation of
//! Similarity Coefficients for Software Fault Localization", 2006):
//!
//! ```text
//! ochiai(line) = failed(line) / sqrt(failed · (failed(line) + passed(line)))
//! ```
//!
//! Failing tests of other clusters count for `BESIDE` each: one fault may show
//! in many ways, and then what all of them run holds it; or they have faults of
//! their own.
//!
//! Counts tests; knows nothing of traces or calls.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use crate::detect::spectrum::Covered;
use crate::detect::spectrum::Spectrum;
use crate::source::RelPath;

/// What a failing test of another cluster counts for.
const BESIDE: f64 = 0.5;

/// Tests that executed a line or a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) failed: usize,
    /// Failing tests of other clusters.
    pub(super) beside: usize,
    pub(super) passed: usize,
}

/// How many tests executed each line, by file.
type Lines<'a> = HashMap<&'a RelPath, BTreeMap<u32, usize>>;

/// The lines of the failing tests against those of the passing ones.
pub(crate) struct Ochiai<'a> {
    /// Failing tests whose lines are known.
    pub(super) failing: usize,
    /// Such tests of other clusters.
    pub(super) beside: usize,
    passing: &'a Spectrum,
    failed: Lines<'a>,
    also_failed: Lines<'a>,
}

impl<'a> Ochiai<'a> {
    /// `executed`: the lines of the cluster's failing tests; `beside`: of the
    /// other ones.
    pub(crate) fn new(executed: &'a [Covered], beside: &'a [Covered], passing: &'a Spectrum) -> Ochiai<'a> {
        let (failing, failed) = counted(executed);
        let (beside, also_failed) = counted(beside);
        Ochiai { failing, beside, passing, failed, also_failed }
    }

    /// Whether there is anything to compare.
    pub(crate) fn is_known(&self) -> bool {
        self.failing > 0 && self.passing.tests > 0
    }

    /// Passing tests whose lines are known.
    pub(super) fn passing(&self) -> usize {
        self.passing.tests
    }

    /// The coefficient of a line, between 0 and 1.
    pub(super) fn line(&self, path: &RelPath, line: u32) -> f64 {
        self.of(self.counts(path, line))
    }

    fn counts(&self, path: &RelPath, line: u32) -> Counts {
        let of = |tests: &Lines<'_>| tests.get(path).and_then(|lines| lines.get(&line)).copied().unwrap_or(0);
        Counts { failed: of(&self.failed), beside: of(&self.also_failed), passed: self.passing.count(path, line) }
    }

    fn of(&self, counts: Counts) -> f64 {
        if counts.failed == 0 {
            return 0.0;
        }
        let failed = counts.failed as f64 + BESIDE * counts.beside as f64;
        let all = self.failing as f64 + BESIDE * self.beside as f64;
        failed / (all * (failed + counts.passed as f64)).sqrt()
    }

    /// The highest coefficient of the lines of a function's body, and who runs
    /// that line; `None` where no failing test runs one. Lines of a function
    /// inside it are that one's.
    pub(super) fn function(&self, file: &SourceFile, index: usize) -> Option<(f64, Counts)> {
        let definition = file.definition(index);
        let mut lines = definition.body_lines;
        // The line of `def` runs on import.
        if lines.start == definition.name_line && lines.end > lines.start {
            lines.start += 1;
        }
        let ran = self.failed.get(&file.path)?.range(lines.start..=lines.end);
        let own = |line: u32| {
            file.enclosing(line).is_none_or(|around| around == index || !file.definition(around).kind.is_callable())
        };
        ran.filter(|(line, _)| own(**line))
            .map(|(line, _)| {
                let counts = self.counts(&file.path, *line);
                (self.of(counts), counts)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The coefficients of the functions that failing tests ran, with who runs the
    /// line and the words for it; none where there is nothing to compare.
    pub(super) fn functions<'p>(
        &self,
        index: &Index<'_>,
        places: impl Iterator<Item = &'p Place>,
    ) -> HashMap<Place, (f64, Counts, String)> {
        if !self.is_known() {
            return HashMap::new();
        }
        let spectrum = |place: &Place| {
            let file = index.load(place.file)?;
            let (share, counts) = self.function(&file, place.definition)?;
            let (failing, passing) = (self.failing, self.passing());
            let beside = match self.beside {
                0 => String::new(),
                beside => format!(", {} of {beside} others that fail", counts.beside),
            };
            let words = format!(
                "run by {} of {failing} failing{beside} and {} of {passing} passing tests",
                counts.failed, counts.passed
            );
            Some((*place, (share, counts, words)))
        };
        places.filter_map(spectrum).collect()
    }
}

/// How many of the tests have known lines, and how many execute each.
fn counted(tests: &[Covered]) -> (usize, Lines<'_>) {
    let mut counted: Lines<'_> = HashMap::new();
    let known = tests.iter().filter(|covered| !covered.is_empty());
    for (path, lines) in known.clone().flatten() {
        let counts = counted.entry(path).or_default();
        for line in lines {
            *counts.entry(*line).or_default() += 1;
        }
    }
    (known.count(), counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_is_that_of_the_paper() {
        let path = RelPath::new("a.py").expect("a path");
        let failing = [vec![(path.clone(), vec![1, 2])], vec![(path.clone(), vec![1])], vec![]];
        let passing = Spectrum::of(&[vec![(path.clone(), vec![1, 3])], vec![(path.clone(), vec![1])]]);
        let ochiai = Ochiai::new(&failing, &[], &passing);
        assert!(ochiai.is_known());
        for (line, wanted) in [(1, 2.0 / 8f64.sqrt()), (2, 1.0 / 2f64.sqrt()), (3, 0.0), (4, 0.0)] {
            assert!((ochiai.line(&path, line) - wanted).abs() < 1e-9, "line {line}: {}", ochiai.line(&path, line));
        }
        assert!(!Ochiai::new(&failing, &[], &Spectrum::default()).is_known());
        assert!(!Ochiai::new(&[], &[], &passing).is_known());
    }

    #[test]
    fn what_failing_tests_of_other_clusters_run_as_well_is_more_suspect() {
        let path = RelPath::new("a.py").expect("a path");
        let of = |lines: &[u32]| vec![(path.clone(), lines.to_vec())];
        let (failing, passing) = ([of(&[1, 2])], Spectrum::of(&[of(&[1, 2])]));
        let alone = Ochiai::new(&failing, &[], &passing);
        assert!((alone.line(&path, 1) - alone.line(&path, 2)).abs() < 1e-9);
        let beside = [of(&[1, 3]), of(&[1, 3])];
        let among = Ochiai::new(&failing, &beside, &passing);
        assert!(among.line(&path, 1) > among.line(&path, 2));
        assert!(among.line(&path, 3) < 1e-9, "the cluster itself does not run it");
    }

    #[test]
    fn lines_of_a_nested_function_do_not_speak_for_the_one_around_it() {
        let path = RelPath::new("a.py").expect("a path");
        let text = "def outer(a):\n    def inner(b):\n        return b\n    return inner(a)\n";
        let file = SourceFile::new(0, path.clone(), &crate::language::python::PYTHON, text);
        let failing = [vec![(path.clone(), vec![2, 3, 4])]];
        let passing = Spectrum::of(&[vec![(path.clone(), vec![2, 4])]]);
        let ochiai = Ochiai::new(&failing, &[], &passing);
        let counts = |definition| ochiai.function(&file, definition).map(|(_, counts)| (counts.failed, counts.passed));
        assert_eq!((counts(0), counts(1)), (Some((1, 1)), Some((1, 0))));
    }
}
