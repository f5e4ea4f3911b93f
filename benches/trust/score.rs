//! Rows and their table: how many verified patches were wrong. Counts; runs
//! nothing.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::judge::Judgement;

/// A patch that heal proposed or showed as a lead, and what it is worth.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// Whether heal calls it verified.
    pub verified: bool,
    /// The gate that a lead missed, and how.
    pub missed: Option<String>,
    /// The diff.
    pub diff: String,
    /// heal's evidence, for reading.
    pub evidence: Value,
    /// What it is worth.
    pub judgement: Judgement,
    /// Why.
    pub why: String,
}

/// One line of the record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The checkout's folder name.
    pub project: String,
    /// `path:byte:kind`.
    pub id: String,
    /// What sort of fault.
    pub kind: String,
    /// The faulty function.
    pub function: String,
    /// Tests that the fault turns red, of all and of those that heal saw; 0
    /// where no test shows it.
    pub failing: (usize, usize),
    /// Test functions that were hidden.
    pub hidden: usize,
    /// `verified`, or why not.
    pub outcome: String,
    /// Seconds that heal took.
    pub seconds: f64,
    /// The first proposal, and leads.
    pub patches: Vec<Judged>,
}

/// A table in Markdown, by project and over all.
pub fn table(rows: &[Row]) -> String {
    let shown: Vec<&Row> = rows.iter().filter(|row| row.failing.1 > 0).collect();
    let mut out = format!("{} faults seeded, {} that a visible test shows\n\n", rows.len(), shown.len());
    out += "| project | faults | verified | wrong: hidden test fails | wrong: a call differs | right |\n|---|---|---|---|---|---|\n";
    let mut projects: Vec<&str> = shown.iter().map(|row| row.project.as_str()).collect();
    projects.sort_unstable();
    projects.dedup();
    for project in projects.iter().copied().map(Some).chain([None]) {
        let of: Vec<&Row> =
            shown.iter().copied().filter(|row| project.is_none_or(|name| row.project == name)).collect();
        out += &line(project.unwrap_or("all"), &of);
    }
    let verified: Vec<&Judged> = shown.iter().flat_map(|row| &row.patches).filter(|patch| patch.verified).collect();
    let wrong = verified.iter().filter(|patch| patch.judgement != Judgement::Right).count();
    let (low, high) = interval(wrong, verified.len());
    out += &format!(
        "\nwrong of verified: {wrong}/{}, 95 % interval {:.1} % to {:.1} %\n\n",
        verified.len(),
        100.0 * low,
        100.0 * high
    );
    out += "| leads that missed | right | wrong |\n|---|---|---|\n";
    let leads: Vec<&Judged> = shown.iter().flat_map(|row| &row.patches).filter(|patch| !patch.verified).collect();
    let mut gates: Vec<String> = leads.iter().map(|lead| reason(lead)).collect();
    gates.sort();
    gates.dedup();
    for gate in gates {
        let of: Vec<&&Judged> = leads.iter().filter(|lead| reason(lead) == gate).collect();
        let right = of.iter().filter(|lead| lead.judgement == Judgement::Right).count();
        out += &format!("| {gate} | {right} | {} |\n", of.len() - right);
    }
    out
}

fn line(name: &str, rows: &[&Row]) -> String {
    let count = |judgement: Judgement| {
        let patches = rows.iter().flat_map(|row| &row.patches);
        patches.filter(|patch| patch.verified && patch.judgement == judgement).count()
    };
    let (hidden, differs, right) = (count(Judgement::FailsHidden), count(Judgement::Differs), count(Judgement::Right));
    format!("| {name} | {} | {} | {hidden} | {differs} | {right} |\n", rows.len(), hidden + differs + right)
}

/// The beginning of why a lead is none to apply, without what is of one case.
fn reason(lead: &Judged) -> String {
    let missed = lead.missed.clone().unwrap_or_default();
    for known in ["one way only", "only the failing test", "rivals", "could be measured", "same change"] {
        if missed.contains(known) {
            return known.to_owned();
        }
    }
    missed.split(':').next().unwrap_or_default().to_owned()
}

/// The 95 % interval of a share (Wilson 1927).
pub fn interval(hits: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (of as f64, 1.96_f64);
    let p = hits as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0))
}
