//! Ranks the functions that may hold the fault.
//!
//! One formula. For each function `f` outside tests:
//!
//! ```text
//! reach(f) = 1 - (1 - frame·F) (1 - call·C) (1 - ran·R) (1 - gave·G) (1 - made·M)
//! score(f) = reach(f) · substance(f) · spectrum(f) · Π boosts(f)
//! ```
//!
//! The weights are of two sets ([`Weights`]): where the lines of passing tests
//! are known, how a test leads to a function says little beside what ran, and
//! was measured to mislead to the functions that tests call themselves.
//!
//!
//! - `frame`: 1 for the innermost frame of the project, `OUTWARD` times that
//!   for each function further out; for endless recursion the share of frames;
//! - `call`: how strongly the failing statement leads there (see `calls`), the
//!   mean over the cluster's tests; less where the trace itself tells;
//! - `ran`: whether the failing test executed a line of its body. Where lines
//!   are known, what did not run is dropped, unless nothing would remain;
//! - `gave`: 1 for a function that gave the innermost frame's statement a value
//!   which is missing (see `given`), less for frames further out, for what many
//!   give, and where nothing is missing;
//! - `made`: for a function that ran before the test and made functions which
//!   that ran (a decorator, a factory), a share of their quotient below;
//! - `substance`: between `thin` for a function that only passes on and 1, and
//!   `MAKES` times that for a constructor that hardly computes;
//! - `spectrum`: `(ochiai(f) / max ochiai) ^ SPECTRUM`, where `ochiai(f)` is the
//!   highest of its lines (see `ochiai`) and `max` that of all these functions;
//!   `UNSEEN` in the place of the quotient for a function no line of which a
//!   failing test ran; `PRINTED` times that where it ran to print the failure; at
//!   least `BROKE` times `frame`, where it did not raise
//!   on purpose, `GAVE` times `gave`, and `made`: what every test runs may
//!   break for one of them; 1 where no lines of passing tests are known, and for what is
//!   no function;
//! - boosts: it changed recently; it holds a literal of the message; the
//!   message names it or something in it; it loops, where the failure is a
//!   timeout or endless recursion.
//!
//! Scores are then divided by the greatest. Every factor but `substance` is
//! told as a reason.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::rc::Rc;

use super::Config;
use super::Evidence;
use super::Sources;
use super::Suspect;
use super::calls;
use super::calls::Executed;
use super::file::SourceFile;
use super::frames;
use super::frames::Standing;
use super::gather;
use super::gather::Gathered;
use super::given;
use super::hot;
use super::index::FileId;
use super::index::Index;
use super::index::Place;
use super::makers;
use super::ochiai::Ochiai;
use super::printed;
use super::target;
use super::target::Target;
use super::values;
use super::values::Named;
use crate::detect::Spectrum;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::Definition;
use crate::language::outline::PointKind;
use crate::source::Lines;
use crate::source::RelPath;

/// How much each way that leads to a function counts.
struct Weights {
    frame: f64,
    call: f64,
    /// Of a call where the trace leads into the code.
    call_beside_frames: f64,
    executed: f64,
    /// The substance of a function that computes and decides nothing.
    thin: f64,
    /// Points at which a function has its full substance.
    full: usize,
}

/// Where only names and frames tell.
const BY_NAMES: Weights =
    Weights { frame: FRAME, call: 0.85, call_beside_frames: 0.4, executed: 0.2, thin: 0.6, full: 4 };

/// Where the lines of passing tests are known. Fitted to faults seeded into
/// four Python projects, each left out in turn (`benches/localize`).
const BY_LINES: Weights =
    Weights { frame: 0.8, call: 0.05, call_beside_frames: 0.05, executed: 0.7, thin: 0.8, full: 6 };

pub(super) const FRAME: f64 = 0.95;
/// How sharply the spectrum separates.
const SPECTRUM: f64 = 3.0;
/// The share of a function that ran by what stands in it alone.
const UNSEEN: f64 = 0.3;
/// The least such share of a function on the trace that broke, and of one that
/// gave it what it broke on.
const BROKE: f64 = 0.8;
const GAVE: f64 = 0.9;
/// How strongly what gave the trace a value counts by itself.
const GIVES: f64 = 0.5;
/// The same of what made functions that ran.
const MAKER: f64 = 0.7;
/// A constructor that no frame leads to and that hardly computes: nearly every
/// test calls one.
const MAKES: f64 = 0.6;
/// The share of its quotient that a function keeps which probably ran to print
/// the failure (see `printed`).
const PRINTED: f64 = 0.5;
/// Share of the full substance up to which a function hardly computes, and of
/// what the trace was given that says nothing.
const PLAIN: f64 = 0.25;
const RECENT: f64 = 1.6;
const HOLDS_LITERAL: f64 = 1.35;
const NAMED: f64 = 1.4;
const LOOPS: f64 = 1.5;
/// Scores below this share of the best say nothing.
const FLOOR: f64 = 0.03;

/// A suspect and where its definition is.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) suspect: Suspect,
    pub(crate) file: Rc<SourceFile>,
    /// `None` for the top level of a file.
    pub(crate) definition: Option<usize>,
}

/// Suspects and the failing test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) suspects: Vec<Ranked>,
    pub(crate) target: Option<Target>,
    /// Lines on the trace, innermost first.
    pub(crate) trace: Vec<(FileId, u32)>,
    /// Whether only the test itself is left as a suspect.
    pub(crate) only_test: bool,
    /// The files of everything that the trace, the calls and the lines that
    /// ran lead to, faint or not.
    pub(crate) reached: HashSet<FileId>,
}

/// Ranks the suspects of a cluster.
pub(crate) fn rank(index: &Index<'_>, evidence: &Evidence<'_>, config: &Config) -> Findings {
    let Some(failure) = evidence.failures.first() else { return Findings::default() };
    let sources = config.sources;
    let mut evidence = without(evidence, sources);
    gather::told_by_others(index, &mut evidence);
    let evidence = &evidence;
    let executed = Executed::new(gather::first_of(index, evidence.executed));
    let ochiai = Ochiai::new(evidence.executed, evidence.beside, evidence.passing);
    let named = if sources.values { values::read(failure) } else { Named::default() };
    let standings = if sources.frames { frames::standings(index, failure) } else { Vec::new() };
    let target = target::find(index, failure, evidence.tests);
    let mut gathered: HashMap<Place, Gathered> = HashMap::new();
    let mut loose = Vec::new();
    gather::from_frames(failure, &standings, &mut gathered, &mut loose);
    if sources.calls {
        gather::from_calls(index, evidence, &executed, &standings, &mut gathered);
    }
    if executed.is_known() {
        gather::from_executed(index, &executed, &mut gathered);
    }
    given::from_statements(index, failure, &standings, &executed, &mut gathered);
    if gathered.is_empty() && loose.is_empty() {
        gather::from_imports(index, target.as_ref(), &named, &mut gathered, &mut loose);
    }
    if gathered.is_empty() && loose.is_empty() && !executed.is_known() {
        gather::from_recent(index, evidence.recent, &mut gathered);
    }
    let reached = gathered.keys().map(|place| place.file).collect();
    let known = Known {
        failure,
        target: target.as_ref(),
        recent: evidence.recent,
        named: &named,
        executed: &executed,
        ochiai: &ochiai,
    };
    let scores = score(index, &known, gathered);
    let mut suspects: Vec<Ranked> = scores
        .into_iter()
        .filter_map(|(place, score, reasons)| ranked(index, place, score, reasons, &standings, &known))
        .collect();
    suspects.extend(loose);
    normalise(&mut suspects, config.max_suspects);
    let mut only_test = false;
    if suspects.is_empty()
        && let Some(found) = target.as_ref().and_then(|target| test_itself(target, &standings))
    {
        suspects.push(found);
        only_test = true;
    }
    let trace = standings.iter().map(|standing| (standing.file.id, standing.line)).collect();
    Findings { suspects, target, trace, only_test, reached }
}

/// The evidence that counts.
fn without<'a>(evidence: &Evidence<'a>, sources: Sources) -> Evidence<'a> {
    static NOTHING: Spectrum = Spectrum { tests: 0, lines: BTreeMap::new() };
    let mut kept = evidence.clone();
    if !sources.executed {
        kept.executed = &[];
    }
    if !sources.spectrum {
        kept.beside = &[];
        kept.passing = &NOTHING;
    }
    if !sources.history {
        kept.recent = &[];
    }
    kept
}

/// What marks functions and their lines.
struct Known<'k> {
    failure: &'k Failure,
    target: Option<&'k Target>,
    recent: &'k [(RelPath, Vec<Lines>)],
    named: &'k Named,
    executed: &'k Executed<'k>,
    ochiai: &'k Ochiai<'k>,
}

fn score(
    index: &Index<'_>,
    known: &Known<'_>,
    mut gathered: HashMap<Place, Gathered>,
) -> Vec<(Place, f64, Vec<String>)> {
    let Known { failure, target, recent, named, executed, ochiai } = *known;
    let mut scores = Vec::new();
    let mut spectra = ochiai.functions(index, gathered.keys());
    for (place, (share, counts, _)) in &mut spectra {
        let mut at = index.at(*place).into_iter().filter(|_| counts.passed == 0);
        if at.any(|(file, definition)| printed::is_telling(&file, &definition, failure, target)) {
            *share *= PRINTED;
        }
    }
    let sharpest = spectra.values().map(|(share, ..)| *share).fold(0.0, f64::max);
    if sharpest > 0.0 {
        let share = |place: &Place| spectra.get(place).map(|(share, ..)| share / sharpest);
        makers::from_made(index, executed, share, &mut gathered);
    }
    let on_trace = gathered.values().any(|known| known.frame > 0.0);
    let weights = if sharpest > 0.0 { &BY_LINES } else { &BY_NAMES };
    let call = if on_trace { weights.call_beside_frames } else { weights.call };
    for (place, mut known) in gathered {
        let Some((file, definition)) = index.at(place) else { continue };
        let reach = 1.0
            - (1.0 - weights.frame * known.frame)
                * (1.0 - call * known.call)
                * (1.0 - weights.executed * f64::from(u8::from(known.ran)))
                * (1.0 - GIVES * known.gave)
                * (1.0 - MAKER * known.made)
                * (1.0 - known.alone);
        let full = weights.full;
        let points = calls::substance(&file, place.definition).min(full) as f64 / full as f64;
        let thin = definition.kind.is_callable() && known.frame == 0.0;
        let mut score = reach * if thin { weights.thin + (1.0 - weights.thin) * points } else { 1.0 };
        if known.frame == 0.0 && known.gave < PLAIN && points <= PLAIN && is_constructor(&file, &definition) {
            score *= MAKES;
        }
        let least = (BROKE * known.broke).max(GAVE * known.gave).max(known.made);
        if let Some((share, _, words)) = spectra.get(&place) {
            score *= (share / sharpest).max(least).powf(SPECTRUM);
            known.reasons.push(words.clone());
        } else if sharpest > 0.0 && definition.kind.is_callable() && known.frame == 0.0 {
            score *= UNSEEN.max(least).powf(SPECTRUM);
        }
        let changes = recent.iter().filter(|(path, _)| *path == file.path).flat_map(|(_, lines)| lines);
        if changes.into_iter().any(|lines| lines.overlaps(&definition.lines)) {
            score *= RECENT;
            known.reasons.push("changed recently".into());
        }
        let inside = |at: usize| definition.bytes.contains(&at);
        let literal = file.outline.literals.iter().filter(|literal| inside(literal.bytes.start)).find(|literal| {
            let ran = executed.ran(&file.path, literal.line) || !definition.kind.is_callable();
            ran && named.mentions(&file.text()[literal.bytes.clone()], literal.number)
        });
        if let Some(literal) = literal {
            score *= HOLDS_LITERAL;
            let text = &file.text()[literal.bytes.clone()];
            known.reasons.push(format!("holds the literal `{}` of the message", shortened(text)));
        }
        let name = named.names.iter().find(|name| {
            definition.name == **name
                || file.outline.references.iter().any(|found| inside(found.bytes.start) && found.name == **name)
        });
        if let Some(name) = name {
            score *= NAMED;
            known.reasons.push(format!("the message names `{name}`"));
        }
        if failure.kind == Kind::Timeout || gather::is_recursion(failure) {
            let mut inner = file.outline.points.iter().filter(|point| definition.body.contains(&point.bytes.start));
            let loops = inner.any(|point| point.kind == PointKind::Loop);
            let recursive = file
                .outline
                .references
                .iter()
                .any(|found| definition.body.contains(&found.bytes.start) && found.name == definition.name);
            if recursive || (loops && failure.kind == Kind::Timeout) {
                score *= LOOPS;
                known.reasons.push(if recursive { "calls itself" } else { "loops" }.into());
            }
        }
        scores.push((place, score, known.reasons));
    }
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores
}

/// Whether the function makes an object of its type, by its name.
fn is_constructor(file: &SourceFile, definition: &Definition) -> bool {
    let of_class = definition.parent.is_some_and(|parent| file.definition(parent).name == definition.name);
    of_class || calls::CONSTRUCTORS.contains(&definition.name.as_str())
}

fn shortened(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() <= 40 { flat } else { flat.chars().take(39).chain(['…']).collect() }
}

fn ranked(
    index: &Index<'_>,
    place: Place,
    score: f64,
    reasons: Vec<String>,
    standings: &[Standing],
    known: &Known<'_>,
) -> Option<Ranked> {
    let (file, definition) = index.at(place)?;
    let trace: Vec<u32> =
        standings.iter().filter(|standing| standing.file.id == file.id).map(|standing| standing.line).collect();
    let changes: Vec<Lines> =
        known.recent.iter().filter(|(path, _)| *path == file.path).flat_map(|(_, lines)| lines).copied().collect();
    let marks = hot::Marks {
        trace: &trace,
        recent: &changes,
        named: known.named,
        executed: known.executed,
        ochiai: known.ochiai,
    };
    let suspect = Suspect {
        path: file.path.clone(),
        lines: definition.lines,
        symbol: definition.qualified,
        score,
        reasons,
        hot: hot::lines(&file, place.definition, &marks),
    };
    Some(Ranked { suspect, file, definition: Some(place.definition) })
}

/// Best first, the best at 1, the faint ones left out. The same statement is
/// named once.
fn normalise(suspects: &mut Vec<Ranked>, max: usize) {
    suspects.sort_by(|a, b| {
        let order = b.suspect.score.total_cmp(&a.suspect.score);
        order.then(a.suspect.path.cmp(&b.suspect.path)).then(a.suspect.lines.cmp(&b.suspect.lines))
    });
    let mut seen = HashSet::new();
    suspects.retain(|ranked| seen.insert((ranked.file.id, ranked.suspect.lines)));
    let Some(best) = suspects.first().map(|ranked| ranked.suspect.score).filter(|best| *best > 0.0) else {
        suspects.clear();
        return;
    };
    for ranked in suspects.iter_mut() {
        ranked.suspect.score = (ranked.suspect.score / best * 1000.0).round() / 1000.0;
    }
    suspects.retain(|ranked| ranked.suspect.score >= FLOOR);
    suspects.truncate(max);
}

fn test_itself(target: &Target, standings: &[Standing]) -> Option<Ranked> {
    let definition = target.function?;
    let this = target.file.definition(definition);
    let mut hot: Vec<(u32, f64)> = target.line.map(|line| (line, 1.0)).into_iter().collect();
    let inside = standings.iter().filter(|standing| standing.file.id == target.file.id);
    hot.extend(inside.filter(|standing| Some(standing.line) != target.line).map(|standing| (standing.line, 0.8)));
    hot.retain(|(line, _)| this.lines.contains(*line));
    let suspect = Suspect {
        path: target.file.path.clone(),
        lines: this.lines,
        symbol: this.qualified.clone(),
        score: 1.0,
        reasons: vec!["the failing test; no code of the project was found behind it".into()],
        hot,
    };
    Some(Ranked { suspect, file: target.file.clone(), definition: Some(definition) })
}
