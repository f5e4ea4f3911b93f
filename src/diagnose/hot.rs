//! Lines of a suspect function that are more suspect than the rest.
//!
//! Weighs lines; ranks no function.

use std::collections::BTreeMap;

use super::calls::Executed;
use super::file::SourceFile;
use super::focus;
use super::ochiai::Ochiai;
use super::values::Named;
use crate::language::outline::PointKind;
use crate::source::Lines;

/// It stands on the trace.
const ON_TRACE: f64 = 1.0;
/// It gives a line on the trace what that uses; each one further up less.
const FEEDS: f64 = 0.85;
const FURTHER: f64 = 0.85;
/// It holds a literal or a name of the message.
const NAMED: f64 = 0.8;
/// It changed recently.
const RECENT: f64 = 0.7;
/// It gives the result, or decides on it.
const RESULT: f64 = 0.55;
const CONDITION: f64 = 0.55;
const LOOP: f64 = 0.5;
/// It computes something.
const OPERATION: f64 = 0.4;
/// Any other line that uses a name.
const PLAIN: f64 = 0.25;
/// More than one of these on a line adds this much of the smaller weight.
const AGAIN: f64 = 0.3;
/// What is left of a line's weight where only passing tests run it; the rest
/// is by its share of failing ones (see `ochiai`).
const BLUNT: f64 = 0.3;

/// What is known about the lines of a file.
pub(crate) struct Marks<'a> {
    /// Lines on the trace.
    pub(crate) trace: &'a [u32],
    pub(crate) recent: &'a [Lines],
    pub(crate) named: &'a Named,
    pub(crate) executed: &'a Executed<'a>,
    pub(crate) ochiai: &'a Ochiai<'a>,
}

/// The hot lines of `definition`, hottest first, each with a weight between 0
/// and 1. Lines that the failing test did not run are left out.
pub(crate) fn lines(file: &SourceFile, index: usize, marks: &Marks<'_>) -> Vec<(u32, f64)> {
    let definition = file.definition(index);
    let body = if definition.body.is_empty() { definition.bytes.clone() } else { definition.body.clone() };
    let mut weights: BTreeMap<u32, f64> = BTreeMap::new();
    let mut add = |line: u32, weight: f64| {
        let known = weights.entry(line).or_insert(0.0);
        *known = known.max(weight) + AGAIN * known.min(weight);
    };
    for line in marks.trace.iter().filter(|line| definition.lines.contains(**line)) {
        add(*line, ON_TRACE);
        let mut weight = FEEDS;
        for statement in focus::feeding(file, index, *line) {
            add(statement.start, weight);
            weight *= FURTHER;
        }
    }
    for point in file.outline.points.iter().filter(|point| body.contains(&point.bytes.start)) {
        let weight = match point.kind {
            PointKind::Result => RESULT,
            PointKind::Condition => CONDITION,
            PointKind::Loop => LOOP,
            PointKind::Operation => OPERATION,
        };
        add(point.line, weight);
    }
    for literal in file.outline.literals.iter().filter(|literal| body.contains(&literal.bytes.start)) {
        if marks.named.mentions(&file.text()[literal.bytes.clone()], literal.number) {
            add(literal.line, NAMED);
        }
    }
    for reference in file.outline.references.iter().filter(|found| body.contains(&found.bytes.start)) {
        if marks.named.names.contains(&reference.name) {
            add(reference.line, NAMED);
        }
    }
    for changed in marks.recent.iter().filter(|lines| lines.overlaps(&definition.lines)) {
        for line in changed.start.max(definition.lines.start)..=changed.end.min(definition.lines.end) {
            add(line, RECENT);
        }
    }
    for reference in file.outline.references.iter().filter(|found| body.contains(&found.bytes.start)) {
        weights.entry(reference.line).or_insert(PLAIN);
    }
    // A default may be the fault; its line runs when the file is loaded.
    if file.text()[definition.signature.clone()].contains('=') {
        weights.entry(definition.name_line).or_insert(PLAIN);
    }
    let always = |line: u32| marks.trace.contains(&line) || line == definition.name_line;
    let ran = |line: u32| marks.executed.ran(&file.path, line) || always(line);
    let any_ran = weights.keys().any(|line| *line != definition.name_line && ran(*line));
    let mut hot: Vec<(u32, f64)> = weights
        .into_iter()
        .filter(|(line, _)| !any_ran || ran(*line))
        .map(|(line, weight)| (line, weight.min(1.0)))
        .collect();
    if marks.ochiai.is_known() {
        let share = |line: u32| marks.ochiai.line(&file.path, line);
        let most = hot.iter().map(|(line, _)| share(*line)).fold(0.0, f64::max);
        for (line, weight) in hot.iter_mut().filter(|_| most > 0.0) {
            let sharp = *weight * (BLUNT + (1.0 - BLUNT) * share(*line) / most);
            *weight = (sharp * 1000.0).round() / 1000.0;
        }
    }
    hot.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    hot
}
