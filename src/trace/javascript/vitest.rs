//! vitest's reports as text (4.1): default, verbose, GitHub's commands.
//!
//! ```text
//! block   = " FAIL  " ["|" project "| "] file (" > " title)* ["[ " file " ]"]
//!           error  "⎯⎯⎯[2/6]⎯"
//! verbose = " × " file (" > " title)+ [time "ms"]  ["   → " message]
//! command = "::error file=" path ",title=" file (" > " title)* ",line=" n … "::" error
//! ```
//!
//! Verbose lines count only where there is no block for the test: they go to
//! standard output, the blocks to standard error.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::SEPARATOR;
use super::error;
use crate::failure::Failure;
use crate::trace::ground::Ground;

static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*FAIL  (?:\|[^|]+\| )?(\S.*?\.[cm]?[jt]sx?)( > .+|\s*\[.*\])$").expect("the pattern is valid")
});
static VERBOSE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^ [×✗] (?:\|[^|]+\| )?(\S.*?\.[cm]?[jt]sx?)( > .+?)(?: \d+ms)?$").expect("the pattern is valid")
});
static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^::error ([^:]*(?::[^:]+)*?)::(.*)$").expect("the pattern is valid"));

/// The failing tests and files of a report.
pub fn failures(lines: &[&str], ground: Ground<'_>) -> Vec<Failure> {
    let mut found = Vec::new();
    let mut told: HashSet<String> = HashSet::new();
    let mut brief = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        let failure = if let Some(head) = BLOCK.captures(line) {
            let end = lines[at..].iter().position(|line| ends(line)).map_or(lines.len(), |end| at + end);
            let body = &lines[at..end];
            at = end;
            of(&head[1], head.get(2).map_or("", |titles| titles.as_str()), body, ground)
        } else if line.starts_with("::error ") {
            let Some(failure) = command(line, ground) else { continue };
            failure
        } else if let Some(head) = VERBOSE.captures(line) {
            let end = lines[at..].iter().position(|line| ends_brief(line)).map_or(lines.len(), |end| at + end);
            let message = lines[at..end].iter().map(|line| line.strip_prefix("   → ").unwrap_or(line));
            let message: Vec<&str> = message.collect();
            brief.push(of(&head[1], &head[2], &message, ground));
            continue;
        } else {
            continue;
        };
        if told.insert(failure.id.clone()) {
            found.push(failure);
        }
    }
    found.extend(brief.into_iter().filter(|failure| told.insert(failure.id.clone())));
    found
}

fn of(file: &str, titles: &str, body: &[&str], ground: Ground<'_>) -> Failure {
    let file = ground.shown(file);
    let mut thrown = error::read(body.iter().copied().filter(|line| !line.starts_with('⎯')), ground);
    let output = body.join("\n");
    match titles.strip_prefix(SEPARATOR) {
        Some(titles) => {
            if thrown.frames.is_empty() {
                thrown.frames.push(ground.frame(&file, None, None));
            }
            super::of_thrown(format!("{file}{SEPARATOR}{titles}"), thrown, &output)
        }
        None => super::not_loaded(&file, thrown, &output),
    }
}

/// One of GitHub's workflow commands, as the github-actions reporter writes it.
fn command(line: &str, ground: Ground<'_>) -> Option<Failure> {
    let found = COMMAND.captures(line)?;
    let title = found[1].split(',').find_map(|property| property.strip_prefix("title="))?;
    let text = found[2].replace("%0A", "\n").replace("%0D", "").replace("%25", "%");
    let body: Vec<&str> = text.lines().collect();
    let (file, titles) = match title.split_once(SEPARATOR) {
        Some((file, titles)) => (file, format!("{SEPARATOR}{titles}")),
        None => (title, String::new()),
    };
    let name = file.rsplit('.').next().unwrap_or_default();
    let is_script = matches!(name, "js" | "ts" | "jsx" | "tsx" | "mjs" | "cjs" | "mts" | "cts");
    is_script.then(|| of(file, &titles, &body, ground))
}

fn ends(line: &str) -> bool {
    line.starts_with('⎯') && line.contains('[') || line.starts_with(" Test Files ") || BLOCK.is_match(line)
}

fn ends_brief(line: &str) -> bool {
    [" ×", " ✓", " ↓", " ❯", " Test Files ", " FAIL "].iter().any(|start| line.starts_with(start))
}
