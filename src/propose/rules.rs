//! Repair templates at suspect spans: every mutant of the suspects, ranked,
//! checked to parse, each once.
//!
//! Free, instant and the same every time. It knows nothing of the failure but
//! where it may lie: whether a candidate is right is for the gates to say.
//!
//! The order is suspicion × heat of the line × prior of the operator, and each
//! further candidate of one line and operator counts less, so that neither a
//! busy line nor a fertile operator fills the list.

mod explain;

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;

use tree_sitter::Parser;

use super::Candidate;
use super::Origin;
use super::open_to_change;
use crate::diagnose::Diagnosis;
use crate::diagnose::Suspect;
use crate::language;
use crate::language::Parsed;
use crate::mutation;
use crate::mutation::Mutant;
use crate::patch::Patch;
use crate::source::RelPath;

/// What the rules may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Candidates given at most.
    pub max_candidates: usize,
    /// Suspects looked at, most suspect first.
    pub max_suspects: usize,
    /// Bytes that all candidates' texts may take together: each holds its file
    /// twice, so a large file has fewer candidates.
    pub max_bytes: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_candidates: 400, max_suspects: 12, max_bytes: 64 << 20 }
    }
}

/// How much less each further candidate of the same line and operator counts.
const REPETITION: f64 = 0.3;

/// What a line counts that the diagnosis does not name, where it names others.
const COLD: f64 = 0.35;

/// A mutant with its place in the order.
struct Ranked {
    file: usize,
    span: Range<usize>,
    mutant: Mutant,
    score: f64,
}

/// The candidates for `diagnosis`, the most likely first; `read` gives the text
/// of a file in the snapshot. The same input gives the same list.
pub fn propose(read: &dyn Fn(&RelPath) -> Option<String>, diagnosis: &Diagnosis, config: &Config) -> Vec<Candidate> {
    let mut files: Vec<(RelPath, Parsed)> = Vec::new();
    let mut ranked = Vec::new();
    for suspect in diagnosis.suspects.iter().take(config.max_suspects) {
        let Some(file) = file_of(read, &mut files, suspect) else { continue };
        let parsed = &files[file].1;
        let span = bytes_of(parsed, suspect);
        let mutants = mutation::mutants(parsed, suspect.lines, mutation::OPERATORS);
        ranked.extend(rank(mutants, suspect).into_iter().map(|(mutant, score)| Ranked {
            file,
            span: span.clone(),
            mutant,
            score,
        }));
    }
    // The sort is stable, so that equal scores keep the order of the text.
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    select(&files, ranked, config)
}

fn file_of(
    read: &dyn Fn(&RelPath) -> Option<String>,
    files: &mut Vec<(RelPath, Parsed)>,
    suspect: &Suspect,
) -> Option<usize> {
    if let Some(known) = files.iter().position(|(path, _)| *path == suspect.path) {
        return Some(known);
    }
    let language = open_to_change(&suspect.path)?;
    files.push((suspect.path.clone(), language::parse(language, &read(&suspect.path)?)));
    Some(files.len() - 1)
}

/// The bytes of the suspect's lines.
fn bytes_of(parsed: &Parsed, suspect: &Suspect) -> Range<usize> {
    let mut starts = std::iter::once(0).chain(parsed.text.match_indices('\n').map(|(at, _)| at + 1));
    let first = starts.nth(suspect.lines.start.saturating_sub(1) as usize).unwrap_or(parsed.text.len());
    let after = starts.nth(suspect.lines.end.saturating_sub(suspect.lines.start) as usize);
    first..after.unwrap_or(parsed.text.len())
}

/// Scores of one suspect's mutants: suspicion, heat and prior, less for each
/// of the same line and operator that is more likely.
fn rank(mut mutants: Vec<Mutant>, suspect: &Suspect) -> Vec<(Mutant, f64)> {
    mutants.sort_by(|one, other| other.prior.total_cmp(&one.prior));
    let mut seen: HashMap<(u32, &'static str), u32> = HashMap::new();
    let score = |mutant: Mutant| {
        let before = seen.entry((mutant.line, mutant.operator)).or_default();
        let score = suspect.score * heat(suspect, mutant.line) * mutant.prior / (1.0 + REPETITION * f64::from(*before));
        *before += 1;
        (mutant, score)
    };
    mutants.into_iter().map(score).collect()
}

/// Between [`COLD`] and 1; 1 everywhere where no line is hotter than others.
fn heat(suspect: &Suspect, line: u32) -> f64 {
    if suspect.hot.is_empty() {
        return 1.0;
    }
    // A line may be put before or after a hot one.
    let near = |hot: u32| hot == line || hot + 1 == line;
    let hottest = suspect.hot.iter().filter(|(hot, _)| near(*hot)).map(|(_, weight)| *weight).fold(0.0, f64::max);
    COLD + (1.0 - COLD) * hottest.clamp(0.0, 1.0)
}

/// The first of the ranked that parse and say something new.
fn select(files: &[(RelPath, Parsed)], ranked: Vec<Ranked>, config: &Config) -> Vec<Candidate> {
    let mut parsers: Vec<Option<Parser>> = files.iter().map(|(_, parsed)| parser_of(parsed)).collect();
    let errors: Vec<usize> =
        files.iter().map(|(_, parsed)| if parsed.tree.root_node().has_error() { parsed.errors() } else { 0 }).collect();
    // What each suspect says, as it is and with every candidate so far.
    let mut seen: HashMap<(usize, usize), HashSet<String>> = HashMap::new();
    let mut edits: HashSet<(usize, usize, usize, String)> = HashSet::new();
    let (mut candidates, mut bytes) = (Vec::new(), 0);
    for Ranked { file, span, mutant, score } in ranked {
        if candidates.len() >= config.max_candidates {
            break;
        }
        let (path, parsed) = &files[file];
        let Some(first) = mutant.edits.first() else { continue };
        if !edits.insert((file, first.0.start, first.0.end, first.1.clone())) {
            continue;
        }
        if bytes + 2 * parsed.text.len() > config.max_bytes {
            continue;
        }
        let Some(changed) = parsers[file].as_mut().and_then(|parser| mutant.parse(parsed, parser)) else { continue };
        if changed.tree.root_node().has_error() && (errors[file] == 0 || changed.errors() > errors[file]) {
            continue;
        }
        let known =
            seen.entry((file, span.start)).or_insert_with(|| HashSet::from([parsed.tokens_within(span.clone())]));
        let end = (span.end + changed.text.len()).saturating_sub(parsed.text.len());
        if !known.insert(changed.tokens_within(span.start..end)) {
            continue;
        }
        bytes += 2 * parsed.text.len();
        candidates.push(Candidate {
            id: format!("r{}", candidates.len() + 1),
            origin: Origin { kind: "rule".to_owned(), name: mutant.operator.to_owned() },
            explanation: explain::explain(parsed, &mutant),
            patch: Patch::of_file(path.clone(), &*parsed.text, &*changed.text),
            prior: score,
        });
    }
    candidates
}

fn parser_of(parsed: &Parsed) -> Option<Parser> {
    let mut parser = Parser::new();
    parser.set_language(&(parsed.language.grammar)()).ok()?;
    Some(parser)
}

#[cfg(test)]
pub mod tests;
