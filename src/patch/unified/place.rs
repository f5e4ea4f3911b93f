//! Lays hunks on a text.
//!
//! Works on text; never reads a file, and never guesses between two places.

use std::ops::Range;

use super::Hunk;
use super::Side;
use super::UnifiedError;
use crate::patch::edit::runs_in;
use crate::source::RelPath;

/// `text` with all of `hunks`, which may come in any order.
pub(super) fn apply(path: &RelPath, text: &str, hunks: &[Hunk]) -> Result<String, UnifiedError> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut placed: Vec<(Range<usize>, String, usize)> = Vec::new();
    // How far the hunks before were from where they said.
    let mut drift: i64 = 0;
    for hunk in hunks {
        let (range, exact) = find(path, &lines, hunk, drift)?;
        if let (Some(start), false) = (hunk.old_start, range.is_empty()) {
            drift = range.start as i64 - (i64::from(start) - 1);
        }
        let new = written(&lines, text, &range, hunk, exact);
        placed.push((range, new, hunk.at));
    }
    placed.sort_by_key(|(range, ..)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new, line) in placed {
        if range.start < at {
            return Err(UnifiedError::Overlaps { path: path.clone(), line });
        }
        out.extend(lines[at..range.start].iter().copied());
        // Lines after a last line without an end would run into it.
        if !out.is_empty() && !out.ends_with('\n') && !new.is_empty() {
            out.push('\n');
        }
        out.push_str(&new);
        at = range.end;
    }
    out.extend(lines[at..].iter().copied());
    Ok(out)
}

/// The lines of the file the hunk stands for, and whether they are equal to
/// its own also in white space at their ends.
fn find(path: &RelPath, lines: &[&str], hunk: &Hunk, drift: i64) -> Result<(Range<usize>, bool), UnifiedError> {
    let old: Vec<&str> =
        hunk.lines.iter().filter(|line| line.side != Side::New).map(|line| line.text.as_str()).collect();
    let fails = |near| UnifiedError::DoesNotApply { path: path.clone(), line: hunk.at, near };
    if old.is_empty() {
        // A pure insertion stands after the line its header names.
        let after = hunk.old_start.map_or(usize::from(!lines.is_empty()) * usize::MAX, |start| start as usize);
        return if after <= lines.len() { Ok((after..after, true)) } else { Err(fails(None)) };
    }
    let expected = hunk.old_start.map(|start| i64::from(start).max(1) - 1 + drift);
    let as_written: fn(&str) -> &str = |line| line;
    for (key, exact) in [(as_written, true), (str::trim_end as fn(&str) -> &str, false)] {
        let hay: Vec<&str> = lines.iter().map(|line| key(line)).collect();
        let needle: Vec<&str> = old.iter().map(|line| key(line)).collect();
        let found = runs_in(&hay, &needle);
        let here = found.iter().copied().find(|first| Some(*first as i64) == expected);
        let only = if let [only] = found.as_slice() { Some(*only) } else { None };
        match here.or(only) {
            Some(first) => return Ok((first..first + old.len(), exact)),
            None if found.is_empty() => {}
            None => return Err(UnifiedError::Ambiguous { path: path.clone(), line: hunk.at, count: found.len() }),
        }
    }
    Err(fails(nearest(lines, &old)))
}

/// What the hunk makes of `lines[range]`: context lines stay as the file has
/// them.
fn written(lines: &[&str], text: &str, range: &Range<usize>, hunk: &Hunk, exact: bool) -> String {
    let crlf = !exact && text.matches("\r\n").count() * 2 > lines.len();
    let mut out = String::new();
    let mut at = range.start;
    for line in &hunk.lines {
        match line.side {
            Side::Both => {
                out.push_str(lines[at]);
                at += 1;
            }
            Side::Old => at += 1,
            Side::New if exact => out.push_str(&line.text),
            Side::New => {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(line.text.trim_end_matches(['\r', '\n']));
                out.push_str(if crlf { "\r\n" } else { "\n" });
            }
        }
    }
    let open_end = range.end == lines.len() && !text.is_empty() && !text.ends_with('\n');
    if !exact && open_end {
        out.truncate(out.trim_end_matches(['\r', '\n']).len());
    }
    out
}

/// The line, 1-based, where the hunk would start by the first of its lines
/// that the file has.
fn nearest(lines: &[&str], old: &[&str]) -> Option<u32> {
    let wanted = old.iter().map(|line| line.trim()).enumerate().filter(|(_, line)| !line.is_empty()).take(20);
    let place = |(offset, wanted): (usize, &str)| {
        let at = lines.iter().position(|line| line.trim() == wanted)?;
        Some(at.saturating_sub(offset) as u32 + 1)
    };
    wanted.into_iter().find_map(place)
}
