//! pytest's text report, in every `--tb` style.
//!
//! ```text
//! ==== ERRORS ====                          then FAILURES; others are passed over
//! ____ ERROR at setup of test_x ____        ERROR collecting PATH, at teardown of
//! ____ TestGroup.test_method ____           a long name leaves one underscore
//! ==== short test summary info ====
//! FAILED nodeid - message
//! ==== 16 failed, 2 passed in 6.21s ====
//! ```
//!
//! Ids come from the summary. With `--tb=line` the failures have no headings:
//! each ends in `/path/t.py:18: AssertionError: …`. Reads text; never judges it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::entries;
use super::raised;
use super::raised::Place;
use super::raised::Raised;
use super::summary;
use super::summary::Named;
use super::summary::Names;
use crate::failure::Failure;
use crate::source::RelPath;
use crate::trace::places::Places;

static TITLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^=+ (ERRORS|FAILURES|PASSES|XFAILURES|XPASSES|XPASS|short test summary info|test session starts|warnings summary(?: \(final\))?|rerun test summary info|slowest .*durations|tests coverage|no tests ran.*|.* in \d+(?:\.\d+)?s?.*) =+$",
    )
    .expect("the pattern is valid")
});
static QUIET_END: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d+ (?:failed|passed|skipped|errors?|xfailed|xpassed|deselected|warnings?)(?:, \d+ \w+)* in \d+\.\d+s(?: \([\d:]+\))?$")
        .expect("the pattern is valid")
});
static HEADING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(_+) (\S.*?) (_+)$").expect("the pattern is valid"));
static CRASH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^((?:[A-Za-z]:)?[^\s:="'][^:="']*\.\w{1,4}):(\d+): (\S.*)$"#).expect("the pattern is valid")
});

/// A report cut into its parts.
#[derive(Default)]
struct Parts<'a> {
    sections: Vec<Section<'a>>,
    summary: Vec<&'a str>,
    running: Vec<&'a str>,
    /// Lines of FAILURES that stand below no heading.
    headless: Vec<&'a str>,
}

struct Section<'a> {
    heading: &'a str,
    is_error: bool,
    lines: Vec<&'a str>,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Outside,
    Errors,
    Failures,
    Summary,
    Other,
}

/// The failures of the report, and the lines that are no part of one.
pub fn failures<'a>(lines: &[&'a str], places: &Places, near: &RelPath, limit: usize) -> (Vec<Failure>, Vec<&'a str>) {
    let (parts, outside) = part(lines);
    let headings: HashSet<&str> = parts.sections.iter().map(|section| bare(section.heading)).collect();
    let mut names = Names::read(&parts.summary, &parts.running, &headings);
    let mut found = Found { by_id: HashMap::new(), failures: Vec::new() };
    for section in parts.sections.iter().take(limit) {
        let (failure, is_error) = of_section(section, &mut names, places, near);
        found.push(failure, is_error);
    }
    for (failure, named) in headless(&parts.headless, &mut names, places, near) {
        found.push(failure, named);
    }
    for named in names.rest().take(limit) {
        let chain = [Raised { message: named.message.trim().to_owned(), places: Vec::new() }];
        let loading = named.is_error && !named.id.contains("::");
        found.push(raised::failure(named.id.clone(), &chain, loading, "", places, near), named.is_error);
    }
    found.failures.truncate(limit);
    (found.failures, outside)
}

/// Failures, each id once: a test that failed counts before its teardown.
struct Found {
    by_id: HashMap<String, (usize, bool)>,
    failures: Vec<Failure>,
}

impl Found {
    fn push(&mut self, failure: Failure, is_error: bool) {
        match self.by_id.get_mut(&failure.id) {
            None => {
                self.by_id.insert(failure.id.clone(), (self.failures.len(), is_error));
                self.failures.push(failure);
            }
            Some((at, was_error)) if *was_error && !is_error => {
                *was_error = false;
                self.failures[*at] = failure;
            }
            Some(_) => {}
        }
    }
}

fn part<'a>(lines: &[&'a str]) -> (Parts<'a>, Vec<&'a str>) {
    let mut parts = Parts::default();
    let mut outside = Vec::new();
    let mut part = Part::Outside;
    for line in lines {
        if line.starts_with('=')
            && let Some(title) = TITLE.captures(line.trim_end())
        {
            part = match &title[1] {
                "ERRORS" => Part::Errors,
                "FAILURES" => Part::Failures,
                "short test summary info" => Part::Summary,
                "PASSES" | "XFAILURES" | "XPASSES" | "XPASS" | "warnings summary" => Part::Other,
                _ => Part::Outside,
            };
            continue;
        }
        if matches!(part, Part::Errors | Part::Failures)
            && let Some(heading) = heading(line)
        {
            parts.sections.push(Section { heading, is_error: part == Part::Errors, lines: Vec::new() });
            continue;
        }
        // With `-q` the last line stands without a frame.
        if line.starts_with(|sign: char| sign.is_ascii_digit()) && QUIET_END.is_match(line.trim_end()) {
            part = Part::Outside;
            continue;
        }
        match (part, parts.sections.last_mut()) {
            (Part::Errors, Some(section)) => section.lines.push(line),
            (Part::Failures, Some(section)) if !section.is_error => section.lines.push(line),
            (Part::Failures, _) => parts.headless.push(line),
            (Part::Summary, _) => parts.summary.push(line),
            _ if summary::is_summary(line) => parts.summary.push(line),
            _ if summary::is_running(line) => parts.running.push(line),
            (Part::Other, _) => {}
            _ => outside.push(*line),
        }
    }
    (parts, outside)
}

/// The name in a line of underscores; the fill is the same on both sides but
/// for one more at the right.
fn heading(line: &str) -> Option<&str> {
    let line = line.trim_end();
    if !line.starts_with('_') {
        return None;
    }
    let found = HEADING.captures(line)?;
    let (left, right) = (found[1].len(), found[3].len());
    let name = found.get(2)?.as_str();
    let is_fill = name.chars().all(|sign| matches!(sign, '_' | ' '));
    (!is_fill && (right == left || right == left + 1)).then_some(name)
}

/// The heading without what it says about where in the test's life it failed.
fn bare(heading: &str) -> &str {
    ["ERROR at setup of ", "ERROR at teardown of ", "ERROR collecting ", "[doctest] "]
        .iter()
        .find_map(|start| heading.strip_prefix(start))
        .unwrap_or(heading)
}

fn of_section(section: &Section<'_>, names: &mut Names, places: &Places, near: &RelPath) -> (Failure, bool) {
    let body = entries::read(&section.lines);
    let name = bare(section.heading);
    let collecting = section.heading.starts_with("ERROR collecting ");
    let named = body.worker_died_of.as_ref().and_then(|id| {
        let below = id.split_once("::").map_or(id.as_str(), |(_, below)| below);
        names.take(&below.replace("::", "."), false)
    });
    let named = named.or_else(|| names.take(name, section.is_error));
    let id = match (&named, &body.worker_died_of) {
        (Some(named), _) => named.id.clone(),
        (None, Some(id)) => id.clone(),
        (None, None) if collecting => name.to_owned(),
        (None, None) => unnamed(name, &body.chain),
    };
    let chain = if section.heading.starts_with("[doctest] ") {
        vec![doctest(&section.lines)]
    } else {
        with_message(body.chain, named.as_ref())
    };
    let output = section.lines.join("\n");
    let mut failure = raised::failure(id, &chain, collecting || body.loading, &output, places, near);
    if section.heading.starts_with("[doctest] ") {
        let (expected, actual) = doctest_values(&section.lines);
        (failure.expected, failure.actual) = (expected, actual);
    }
    (failure, section.is_error)
}

/// The chain, or what the summary says where the section tells nothing.
fn with_message(mut chain: Vec<Raised>, named: Option<&Named>) -> Vec<Raised> {
    if chain.is_empty() {
        let message = named.map(|named| named.message.trim().to_owned()).unwrap_or_default();
        chain.push(Raised { message, places: Vec::new() });
    }
    chain
}

/// An id for a section that no summary names: the outermost place is the
/// test's own.
fn unnamed(name: &str, chain: &[Raised]) -> String {
    let own = chain.last().and_then(|last| last.places.iter().rev().find(|place| !is_absolute(&place.file)));
    let (names, parameters) = name.find('[').map_or((name, ""), |cut| name.split_at(cut));
    match own {
        Some(place) => format!("{}::{}{parameters}", place.file, names.replace('.', "::")),
        None => name.to_owned(),
    }
}

fn is_absolute(file: &str) -> bool {
    file.starts_with(['/', '<']) || file.contains(":\\")
}

/// A failed example of a doc test: `/x/mod.py:4: DocTestFailure` ends it.
fn doctest(lines: &[&str]) -> Raised {
    let own = lines.iter().take_while(|line| !entries::is_captured(line));
    let crash = own.filter_map(|line| CRASH.captures(line.trim_end())).last();
    let raised_there = lines.iter().find_map(|line| line.strip_prefix("UNEXPECTED EXCEPTION: "));
    let (expected, actual) = doctest_values(lines);
    let message = match (raised_there, expected, actual) {
        (Some(raised), ..) => raised.to_owned(),
        (None, Some(expected), Some(actual)) => format!("DocTestFailure: expected {expected}, got {actual}"),
        _ => "DocTestFailure".to_owned(),
    };
    let place = crash.map(|found| Place { file: found[1].to_owned(), line: found[2].parse().ok(), symbol: None });
    Raised { message, places: place.into_iter().collect() }
}

/// What a doc test expected and got.
fn doctest_values(lines: &[&str]) -> (Option<String>, Option<String>) {
    let below = |label: &str| {
        let start = lines.iter().position(|line| *line == label)? + 1;
        let values = lines[start..].iter().map_while(|line| line.strip_prefix("    ")).take(20);
        Some(values.collect::<Vec<_>>().join("\n"))
    };
    (below("Expected:"), below("Got:"))
}

/// The failures of `--tb=line`, and whether each is an error.
fn headless(lines: &[&str], names: &mut Names, places: &Places, near: &RelPath) -> Vec<(Failure, bool)> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut from = 0;
    for (at, line) in lines.iter().enumerate() {
        let crash = (!line.starts_with(['E', ' '])).then(|| CRASH.captures(line.trim_end())).flatten();
        let strict = line.starts_with("[XPASS(strict)]");
        if crash.is_none() && !strict {
            continue;
        }
        let own = &lines[start..at];
        start = at + 1;
        let message = crash.as_ref().map_or(line.trim(), |crash| crash.get(3).map_or("", |text| text.as_str()));
        let Some((after, named)) = names.take_by_message(message, from) else { continue };
        from = after;
        let place =
            crash.as_ref().map(|crash| Place { file: crash[1].to_owned(), line: crash[2].parse().ok(), symbol: None });
        let chain = of_line(own, message, place);
        found.push((
            raised::failure(named.id, &chain, false, &lines[at - own.len()..=at].join("\n"), places, near),
            false,
        ));
    }
    found
}

/// One failure of `--tb=line`: an exception's text begins with `E`, goes on
/// indented, and the place is told of the last alone.
fn of_line(own: &[&str], message: &str, place: Option<Place>) -> Vec<Raised> {
    let mut text: Vec<String> = Vec::new();
    let mut inside = false;
    for line in own {
        inside = line.starts_with("E   ") || (inside && line.starts_with("    "));
        let goes_on = inside && !line.starts_with('E');
        text.push(if goes_on { format!("E   {}", &line[4..]) } else { (*line).to_owned() });
    }
    let lines: Vec<&str> = text.iter().map(String::as_str).collect();
    let mut chain = entries::read(&lines).chain;
    if message.starts_with('[') || chain.is_empty() {
        chain = vec![Raised { message: message.to_owned(), places: Vec::new() }];
    }
    if let Some(last) = chain.last_mut() {
        last.places.extend(place.filter(|place| !last.places.iter().any(|known| known.line == place.line)));
    }
    chain
}
