//! Where the true fault ranks in a diagnosis, and the table of many.
//!
//! Counts; runs nothing.

use std::collections::BTreeMap;

use heal::detect::Spectrum;
use heal::detect::spectrum::Covered;
use heal::diagnose::Diagnosis;
use heal::failure::Failure;
use heal::runner::TestPlace;
use heal::source::RelPath;
use serde::Deserialize;
use serde::Serialize;

use crate::noted::Fault;

/// How one diagnosis did on one fault. Ranks are 1-based; `None` where the
/// fault is not among the suspects at all.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Score {
    /// The faulty function among the suspects.
    pub function: Option<usize>,
    /// A line of the faulty statement among all lines told as suspect.
    pub statement: Option<usize>,
    /// Whether the slice shows the faulty statement.
    pub in_slice: bool,
    /// Estimated tokens of the slice.
    pub tokens: usize,
}

/// Scores a diagnosis of `fault` in `path`.
pub fn score(diagnosis: &Diagnosis, path: &RelPath, fault: &Fault) -> Score {
    let is_it = |at: &RelPath, line: u32| at == path && (fault.lines.0..=fault.lines.1).contains(&line);
    let function =
        diagnosis.suspects.iter().position(|suspect| suspect.path == *path && suspect.symbol == fault.function);
    let mut lines: Vec<(&RelPath, u32, f64)> = diagnosis
        .suspects
        .iter()
        .flat_map(|suspect| suspect.hot.iter().map(|(line, weight)| (&suspect.path, *line, suspect.score * weight)))
        .collect();
    lines.sort_by(|a, b| b.2.total_cmp(&a.2));
    let statement = lines.iter().position(|(at, line, _)| is_it(at, *line));
    let shown = |line: u32| {
        diagnosis
            .slice
            .parts
            .iter()
            .any(|part| part.path == *path && part.shown().iter().any(|lines| lines.contains(line)))
    };
    Score {
        function: function.map(|at| at + 1),
        statement: statement.map(|at| at + 1),
        in_slice: (fault.lines.0..=fault.lines.1).any(shown),
        tokens: diagnosis.slice.tokens,
    }
}

/// One line of the record: a seeded fault and how each variant did; no scores
/// where no test failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The checkout's folder name.
    pub project: String,
    /// `path:byte:kind`, the fault's name in this checkout.
    pub id: String,
    /// What sort of fault.
    pub kind: String,
    /// The faulty function.
    pub function: String,
    /// First and last line of the fault.
    pub lines: (u32, u32),
    /// Failing tests.
    pub failing: usize,
    /// Seconds of the whole survey and of the diagnosis alone.
    pub seconds: (f64, f64),
    /// By the name of the variant.
    pub scores: BTreeMap<String, Score>,
    /// The first suspects, for reading.
    pub suspects: Vec<String>,
    /// What the diagnosis was made from.
    pub seen: Option<Seen>,
}

/// What running the tests told, kept so that another version of the diagnosis
/// can be scored without running them again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// The failures of the first cluster.
    pub failures: Vec<Failure>,
    /// The lines of each.
    pub executed: Vec<Covered>,
    /// The lines of failing tests of other clusters.
    #[serde(default)]
    pub beside: Vec<Covered>,
    /// The lines of passing tests.
    pub passing: Spectrum,
    /// Where the failing tests are defined.
    pub tests: Vec<TestPlace>,
}

/// A table in Markdown: for each variant, how many faults rank where.
pub fn table(rows: &[Row]) -> String {
    let scored: Vec<&Row> = rows.iter().filter(|row| !row.scores.is_empty()).collect();
    let mut out = format!("{} faults seeded, {} that a test shows\n\n", rows.len(), scored.len());
    out += "| evidence | function top 1 | top 3 | top 5 | statement top 1 | top 3 | top 5 | in slice | tokens |\n";
    out += "|---|---|---|---|---|---|---|---|---|\n";
    let mut names: Vec<&String> = scored.iter().flat_map(|row| row.scores.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let scores: Vec<Score> = scored.iter().filter_map(|row| row.scores.get(name)).copied().collect();
        let share = |count: usize| format!("{:.0} %", 100.0 * count as f64 / scores.len().max(1) as f64);
        let within = |rank: &dyn Fn(&Score) -> Option<usize>, most: usize| {
            share(scores.iter().filter(|score| rank(score).is_some_and(|at| at <= most)).count())
        };
        let cells: Vec<String> = [1, 3, 5]
            .iter()
            .map(|most| within(&|score| score.function, *most))
            .chain([1, 3, 5].iter().map(|most| within(&|score| score.statement, *most)))
            .chain([share(scores.iter().filter(|score| score.in_slice).count()), median(&scores).to_string()])
            .collect();
        out += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    out
}

fn median(scores: &[Score]) -> usize {
    let mut tokens: Vec<usize> = scores.iter().map(|score| score.tokens).collect();
    tokens.sort_unstable();
    tokens.get(tokens.len() / 2).copied().unwrap_or(0)
}
