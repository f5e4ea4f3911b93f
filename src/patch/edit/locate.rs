//! Finds the one place in a text that a search means.
//!
//! In this order, the first step that finds a place wins:
//!
//! 1. **exact**: the search as it is, not cutting a word in two. Found several
//!    times, the one inside the spans that were shown.
//! 2. **trailing white space**: whole lines, equal but for it.
//! 3. **indentation**: whole lines, equal but for white space at either end,
//!    where the indentation differs in one consistent way; the replacement
//!    gets the file's indentation.
//! 4. **fuzzy**: inside a span that was shown, the only run of lines whose
//!    similarity is at least [`SIMILAR`]: the mean of the lines' similarities
//!    (edit ratio of their characters, white space at the ends ignored),
//!    weighted by length, with at least half of the lines equal (all but one
//!    may differ only where there are one or two).
//!
//! A search with an elision marker (`...`, `# unchanged`) takes part in the
//! first two only. Works on text; never reads a file.

use std::collections::HashMap;
use std::ops::Range;

use similar::TextDiff;

use super::elision::elision_in;

/// Least similarity of a fuzzy match.
const SIMILAR: f64 = 0.9;
/// Longer lines must be equal: the ratio's cost grows with the square.
const LONGEST_LINE: usize = 400;
/// Shorter searches are too little to go by in a fuzzy match, in bytes.
const SHORTEST: usize = 8;

/// Where to look.
pub(super) struct Place<'t> {
    pub text: &'t str,
    pub line_end: &'t str,
    pub shown: &'t [Range<usize>],
    pub taken: &'t [Range<usize>],
}

/// What to replace by what.
#[derive(Debug)]
pub(super) struct Found {
    pub bytes: Range<usize>,
    pub replacement: String,
}

/// Why there is no one place.
#[derive(Debug)]
pub(super) enum Miss {
    Nowhere,
    /// Equal places, by their first byte.
    Several(Vec<usize>),
    /// Only in what an earlier edit wrote.
    Taken,
    Elided(String),
}

/// A line of the text without its end.
struct Line<'t> {
    bytes: Range<usize>,
    text: &'t str,
}

fn lines_of(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|whole| {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let bytes = start..start + line.len();
        start += whole.len();
        Line { bytes, text: line }
    });
    lines.collect()
}

/// The search's lines without blank ones at its ends, and the replacement's
/// with as many of those gone.
struct Block<'t> {
    search: Vec<&'t str>,
    replace: Vec<&'t str>,
}

impl<'t> Block<'t> {
    fn new(search: &'t str, replace: &'t str) -> Option<Block<'t>> {
        let blank = |line: &&str| line.trim().is_empty();
        let mut search: Vec<&str> = search.lines().collect();
        let mut replace: Vec<&str> = replace.lines().collect();
        let lead = search.iter().take_while(|line| blank(line)).count();
        if lead == search.len() {
            return None;
        }
        let trail = search.iter().rev().take_while(|line| blank(line)).count();
        search.truncate(search.len() - trail);
        search.drain(..lead);
        let drop = replace.iter().take(lead).take_while(|line| blank(line)).count();
        replace.drain(..drop);
        let drop = replace.iter().rev().take(trail).take_while(|line| blank(line)).count();
        replace.truncate(replace.len() - drop);
        Some(Block { search, replace })
    }
}

impl Place<'_> {
    /// Finds the one place for `search`; `replace` is adapted to it.
    pub fn find(&self, search: &str, replace: &str) -> Result<Found, Miss> {
        if let Some(bytes) = self.exact(search)? {
            return Ok(self.tidied(bytes, search, replace));
        }
        let Some(block) = Block::new(search, replace) else { return Err(Miss::Nowhere) };
        let lines = lines_of(self.text);
        if let Some(first) = self.by_lines(&lines, &block, str::trim_end, &|_| true)? {
            return Ok(self.replaced(&lines, first, block.search.len(), block.replace.iter().map(ToString::to_string)));
        }
        if let Some(marker) = elision_in(search) {
            return Err(Miss::Elided(marker));
        }
        let consistent = |first: usize| Indents::new(&block.search, &lines[first..], false).is_some();
        let mut first = self.by_lines(&lines, &block, str::trim, &consistent)?;
        if first.is_none() {
            first = self.fuzzy(&lines, &block)?;
        }
        let Some(first) = first else { return Err(Miss::Nowhere) };
        let indents = Indents::new(&block.search, &lines[first..], true).unwrap_or_default();
        let replacement = block.replace.iter().map(|line| indents.applied(line));
        Ok(self.replaced(&lines, first, block.search.len(), replacement))
    }

    fn exact(&self, search: &str) -> Result<Option<Range<usize>>, Miss> {
        let places = self.text.match_indices(search).map(|(at, found)| at..at + found.len());
        let places = places.filter(|bytes| !cuts_a_word(self.text, bytes)).collect();
        self.the_one(places)
    }

    /// The first line of the one place where whole lines are equal by `key`.
    fn by_lines(
        &self,
        lines: &[Line<'_>],
        block: &Block<'_>,
        key: fn(&str) -> &str,
        accept: &dyn Fn(usize) -> bool,
    ) -> Result<Option<usize>, Miss> {
        let hay: Vec<&str> = lines.iter().map(|line| key(line.text)).collect();
        let needle: Vec<&str> = block.search.iter().map(|line| key(line)).collect();
        let firsts: Vec<usize> = runs_in(&hay, &needle).into_iter().filter(|first| accept(*first)).collect();
        self.the_one_of_lines(lines, firsts, needle.len())
    }

    fn fuzzy(&self, lines: &[Line<'_>], block: &Block<'_>) -> Result<Option<usize>, Miss> {
        let count = block.search.len();
        let size: usize = block.search.iter().map(|line| line.trim().len()).sum();
        if size < SHORTEST {
            return Ok(None);
        }
        let mut firsts: Vec<usize> = Vec::new();
        for span in self.shown {
            let first = lines.partition_point(|line| line.bytes.start < span.start);
            let last = lines.partition_point(|line| line.bytes.end <= span.end);
            let windows = (first..last.saturating_sub(count - 1)).filter(|at| !firsts.contains(at));
            let found: Vec<usize> =
                windows.filter(|at| similarity(&block.search, &lines[*at..*at + count]) >= SIMILAR).collect();
            firsts.extend(found);
        }
        self.the_one_of_lines(lines, firsts, count)
    }

    fn the_one_of_lines(&self, lines: &[Line<'_>], firsts: Vec<usize>, count: usize) -> Result<Option<usize>, Miss> {
        let bytes_of = |first: usize| lines[first].bytes.start..lines[first + count - 1].bytes.end;
        let one = self.the_one(firsts.iter().map(|first| bytes_of(*first)).collect())?;
        Ok(one.and_then(|bytes| firsts.into_iter().find(|first| bytes_of(*first) == bytes)))
    }

    /// The only place; of several, the only one that was shown.
    fn the_one(&self, places: Vec<Range<usize>>) -> Result<Option<Range<usize>>, Miss> {
        let any = !places.is_empty();
        let mut free: Vec<Range<usize>> = places.into_iter().filter(|place| !self.is_taken(place)).collect();
        match free.len() {
            0 if any => Err(Miss::Taken),
            0 => Ok(None),
            1 => Ok(free.pop()),
            _ => {
                let starts = free.iter().map(|place| place.start).collect();
                free.retain(|place| self.shown.iter().any(|span| span.start <= place.start && place.end <= span.end));
                if free.len() == 1 { Ok(free.pop()) } else { Err(Miss::Several(starts)) }
            }
        }
    }

    fn is_taken(&self, place: &Range<usize>) -> bool {
        self.taken.iter().any(|taken| place.start < taken.end && taken.start < place.end)
    }

    /// An exact match with the line ends that were meant: `search` and
    /// `replace` that differ only in a last line end are of whole lines, and
    /// lines that are deleted leave no empty one behind.
    fn tidied(&self, mut bytes: Range<usize>, search: &str, replace: &str) -> Found {
        let mut replacement = replace.to_owned();
        let whole_start = bytes.start == 0 || self.text[..bytes.start].ends_with('\n');
        let rest = &self.text[bytes.end..];
        let at_line_end = rest.is_empty() || rest.starts_with(self.line_end);
        match (search.ends_with('\n'), replace.ends_with('\n')) {
            (true, false) if !replace.is_empty() => replacement.push_str(self.line_end),
            (false, true) if at_line_end => {
                replacement.truncate(replace.len() - self.line_end.len().min(replace.len()))
            }
            (false, false) if replace.is_empty() && whole_start && at_line_end && !rest.is_empty() => {
                bytes.end += self.line_end.len();
            }
            _ => {}
        }
        Found { bytes, replacement }
    }

    /// `count` whole lines from `first` replaced by others.
    fn replaced(
        &self,
        lines: &[Line<'_>],
        first: usize,
        count: usize,
        replacement: impl Iterator<Item = String>,
    ) -> Found {
        let replacement: Vec<String> = replacement.collect();
        let mut bytes = lines[first].bytes.start..lines[first + count - 1].bytes.end;
        if replacement.is_empty() {
            bytes.end = lines.get(first + count).map_or(self.text.len(), |next| next.bytes.start);
        }
        Found { bytes, replacement: replacement.join(self.line_end) }
    }
}

fn cuts_a_word(text: &str, bytes: &Range<usize>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let found = &text[bytes.clone()];
    (is_word(text[..bytes.start].chars().next_back()) && is_word(found.chars().next()))
        || (is_word(found.chars().next_back()) && is_word(text[bytes.end..].chars().next()))
}

/// Every index at which `needle` is in `hay`, also overlapping; linear (Knuth,
/// Morris and Pratt), since a file of equal lines is easily had.
pub(in crate::patch) fn runs_in(hay: &[&str], needle: &[&str]) -> Vec<usize> {
    if needle.is_empty() {
        return Vec::new();
    }
    let mut borders = vec![0; needle.len()];
    let mut length = 0;
    for at in 1..needle.len() {
        while length > 0 && needle[at] != needle[length] {
            length = borders[length - 1];
        }
        length += usize::from(needle[at] == needle[length]);
        borders[at] = length;
    }
    let mut found = Vec::new();
    let mut matched = 0;
    for (at, line) in hay.iter().enumerate() {
        while matched > 0 && *line != needle[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(*line == needle[matched]);
        if matched == needle.len() {
            found.push(at + 1 - matched);
            matched = borders[matched - 1];
        }
    }
    found
}

fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// How the indentation of a search becomes the file's.
#[derive(Default)]
struct Indents<'t> {
    /// The search's to the file's.
    known: HashMap<&'t str, &'t str>,
}

impl<'t> Indents<'t> {
    /// `None` where one indentation of the search stands for two of the file;
    /// `lenient` keeps the first of them.
    fn new(search: &[&'t str], lines: &[Line<'t>], lenient: bool) -> Option<Indents<'t>> {
        let mut known = HashMap::new();
        for (wanted, line) in search.iter().zip(lines).filter(|(wanted, _)| !wanted.trim().is_empty()) {
            let file = *known.entry(indent_of(wanted)).or_insert(indent_of(line.text));
            if file != indent_of(line.text) && !lenient {
                return None;
            }
        }
        Some(Indents { known })
    }

    /// `line` with the file's indentation: a known one as it is in the file,
    /// any other by its difference to the nearest known one.
    fn applied(&self, line: &str) -> String {
        if line.trim().is_empty() {
            return String::new();
        }
        let indent = indent_of(line);
        let rest = &line[indent.len()..];
        if let Some(file) = self.known.get(indent) {
            return format!("{file}{rest}");
        }
        let shorter = self.known.iter().filter(|(known, _)| indent.starts_with(**known));
        if let Some((known, file)) = shorter.max_by_key(|(known, _)| known.len()) {
            return format!("{file}{}{rest}", &indent[known.len()..]);
        }
        let longer = self.known.iter().filter(|(known, _)| known.starts_with(indent));
        if let Some((known, file)) = longer.min_by_key(|(known, _)| known.len()) {
            let less = known.len() - indent.len();
            return format!("{}{rest}", file.get(..file.len().saturating_sub(less)).unwrap_or_default());
        }
        line.to_owned()
    }
}

fn similarity(search: &[&str], lines: &[Line<'_>]) -> f64 {
    let pairs = || search.iter().zip(lines).map(|(wanted, line)| (wanted.trim(), line.text.trim()));
    let equal = pairs().filter(|(wanted, line)| wanted == line).count();
    if equal * 2 < search.len() && search.len() > 2 {
        return 0.0;
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for (wanted, line) in pairs() {
        let size = wanted.len().max(line.len()) as f64;
        weight += size;
        sum += size * line_similarity(wanted, line);
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

fn line_similarity(one: &str, other: &str) -> f64 {
    if one == other {
        return 1.0;
    }
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    // A ratio of at least 0.8 is out of reach for lines of such lengths.
    if long > LONGEST_LINE || short * 2 < long {
        return 0.0;
    }
    f64::from(TextDiff::from_chars(one, other).ratio())
}
