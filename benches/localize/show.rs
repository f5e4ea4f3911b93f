//! A diagnosis as a person reads it who wants to know why a fault was missed.
//!
//! Renders; scores nothing.

use heal::diagnose::Diagnosis;

use crate::score::Row;

/// The fault, every suspect with its reasons, and the slice.
pub fn text(row: &Row, diagnosis: &Diagnosis) -> String {
    let mut out = format!("== {} {} {:?}: {}\n", row.id, row.function, row.lines, diagnosis.failure.message);
    for suspect in &diagnosis.suspects {
        let (lines, hot) = (suspect.lines, &suspect.hot[..suspect.hot.len().min(8)]);
        out += &format!("{:.3} {} {}:{}-{}\n", suspect.score, suspect.symbol, suspect.path, lines.start, lines.end);
        out += &format!("      {}\n      {hot:?}\n", suspect.reasons.join("; "));
    }
    for part in &diagnosis.slice.parts {
        let (role, symbol) = (part.role, part.symbol.as_deref().unwrap_or("-"));
        out += &format!("--- {role:?} {}:{}-{} {symbol}\n", part.path, part.lines.start, part.lines.end);
        out += &part.text;
    }
    for dropped in &diagnosis.slice.dropped {
        out += &format!("dropped: {dropped}\n");
    }
    out
}
