//! The line of a text that is most like what was searched.
//!
//! For feedback only: nothing is ever replaced by likeness.

use std::collections::HashMap;

/// The line of `text` most like the first line of `search` that says
/// something: its number, 1-based, and its text, cut to 200 characters.
pub(super) fn nearest(text: &str, search: &str) -> Option<(u32, String)> {
    let wanted =
        search.lines().map(str::trim).find(|line| line.len() > 3 || line.chars().any(char::is_alphanumeric))?;
    let pairs = |line: &str| -> HashMap<(char, char), usize> {
        let mut counts = HashMap::new();
        let chars: Vec<char> = line.chars().filter(|c| !c.is_whitespace()).take(200).collect();
        chars.windows(2).for_each(|pair| *counts.entry((pair[0], pair[1])).or_insert(0) += 1);
        counts
    };
    let of_wanted = pairs(wanted);
    let size: usize = of_wanted.values().sum();
    // Dice's coefficient of the pairs of characters: linear in the text.
    let likeness = |line: &str| {
        let other = pairs(line);
        let common: usize = other.iter().map(|(pair, count)| (*count).min(*of_wanted.get(pair).unwrap_or(&0))).sum();
        2.0 * common as f64 / (size + other.values().sum::<usize>()).max(1) as f64
    };
    let mut best: Option<(f64, u32, &str)> = None;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).take(20_000) {
        let score = likeness(line);
        if best.is_none_or(|(other, ..)| score > other) {
            best = Some((score, index as u32 + 1, line));
        }
    }
    best.map(|(_, line, text)| (line, text.trim_end().chars().take(200).collect()))
}
