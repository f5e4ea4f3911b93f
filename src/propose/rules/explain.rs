//! What a candidate changes, in a sentence a person can read.

use crate::language::Parsed;
use crate::mutation::Mutant;

/// Characters of a line that are quoted.
const WIDTH: usize = 100;

/// The place, the reason, and the changed lines: ``line 5: the boundary of the
/// comparison is off: `if a < b:` becomes `if a <= b:`.``
pub fn explain(parsed: &Parsed, mutant: &Mutant) -> String {
    let text = &*parsed.text;
    let start = mutant.edits.iter().map(|(bytes, _)| bytes.start).min().unwrap_or_default();
    let end = mutant.edits.iter().map(|(bytes, _)| bytes.end).max().unwrap_or_default();
    let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let tail = if end > first && text[..end].ends_with('\n') { end - 1 } else { end };
    let last = text[tail..].find('\n').map_or(text.len(), |at| tail + at);
    let changed = mutant.apply(text);
    let grown = (last + changed.len()).saturating_sub(text.len()).max(first);
    let (before, after) = (&text[first..last], changed.get(first..grown).unwrap_or_default());
    let change = if start == end && start == first {
        let added: String = mutant.edits.iter().map(|(_, new)| new.as_str()).collect();
        format!("{} is added", quoted(&added))
    } else if after.trim().is_empty() {
        format!("{} is taken out", quoted(before))
    } else {
        format!("{} becomes {}", quoted(before), quoted(after))
    };
    format!("line {}: {}: {change}.", mutant.line, mutant.note)
}

/// The lines as one, in backticks.
fn quoted(lines: &str) -> String {
    let flat = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ⏎ ");
    if flat.chars().count() <= WIDTH {
        format!("`{flat}`")
    } else {
        format!("`{}…`", flat.chars().take(WIDTH - 1).collect::<String>())
    }
}
