//! How much more a line belongs to failing tests than to passing ones.
//!
//! Ochiai's coefficient (Abreu, Zoeteweij, van Gemund: "An Evaluation of
//! Similarity Coefficients for Software Fault Localization", 2006):
//!
//! ```text
//! ochiai(line) = failed(line) / sqrt(failed · (failed(line) + passed(line)))
//! ```
//!
//! Counts tests; knows nothing of traces or calls.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::file::SourceFile;
use crate::detect::spectrum::Covered;
use crate::detect::spectrum::Spectrum;
use crate::source::RelPath;

/// Tests that executed a line or a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) failed: usize,
    pub(super) passed: usize,
}

/// The lines of the failing tests against those of the passing ones.
pub(crate) struct Ochiai<'a> {
    /// Failing tests whose lines are known.
    pub(super) failing: usize,
    passing: &'a Spectrum,
    failed: HashMap<&'a RelPath, BTreeMap<u32, usize>>,
}

impl<'a> Ochiai<'a> {
    pub(crate) fn new(executed: &'a [Covered], passing: &'a Spectrum) -> Ochiai<'a> {
        let mut failed: HashMap<&RelPath, BTreeMap<u32, usize>> = HashMap::new();
        let known = executed.iter().filter(|covered| !covered.is_empty());
        for (path, lines) in known.clone().flatten() {
            let counts = failed.entry(path).or_default();
            for line in lines {
                *counts.entry(*line).or_default() += 1;
            }
        }
        Ochiai { failing: known.count(), passing, failed }
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
        let failed = self.failed.get(path).and_then(|lines| lines.get(&line)).copied().unwrap_or(0);
        self.of(Counts { failed, passed: self.passing.count(path, line) })
    }

    fn of(&self, counts: Counts) -> f64 {
        let both = (self.failing * (counts.failed + counts.passed)) as f64;
        if both > 0.0 { counts.failed as f64 / both.sqrt() } else { 0.0 }
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
            .map(|(line, failed)| {
                let counts = Counts { failed: *failed, passed: self.passing.count(&file.path, *line) };
                (self.of(counts), counts)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_is_that_of_the_paper() {
        let path = RelPath::new("a.py").expect("a path");
        let failing = [vec![(path.clone(), vec![1, 2])], vec![(path.clone(), vec![1])], vec![]];
        let passing = Spectrum::of(&[vec![(path.clone(), vec![1, 3])], vec![(path.clone(), vec![1])]]);
        let ochiai = Ochiai::new(&failing, &passing);
        assert!(ochiai.is_known());
        for (line, wanted) in [(1, 2.0 / 8f64.sqrt()), (2, 1.0 / 2f64.sqrt()), (3, 0.0), (4, 0.0)] {
            assert!((ochiai.line(&path, line) - wanted).abs() < 1e-9, "line {line}: {}", ochiai.line(&path, line));
        }
        assert!(!Ochiai::new(&failing, &Spectrum::default()).is_known());
        assert!(!Ochiai::new(&[], &passing).is_known());
    }

    #[test]
    fn lines_of_a_nested_function_do_not_speak_for_the_one_around_it() {
        let path = RelPath::new("a.py").expect("a path");
        let text = "def outer(a):\n    def inner(b):\n        return b\n    return inner(a)\n";
        let file = SourceFile::new(0, path.clone(), &crate::language::python::PYTHON, text);
        let failing = [vec![(path.clone(), vec![2, 3, 4])]];
        let passing = Spectrum::of(&[vec![(path.clone(), vec![2, 4])]]);
        let ochiai = Ochiai::new(&failing, &passing);
        let counts = |definition| ochiai.function(&file, definition).map(|(_, counts)| (counts.failed, counts.passed));
        assert_eq!((counts(0), counts(1)), (Some((1, 1)), Some((1, 0))));
    }
}
