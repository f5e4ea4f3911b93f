//! Ranks the functions that may hold the fault.
//!
//! One formula. For each function `f` outside tests:
//!
//! ```text
//! reach(f) = 1 - (1 - FRAME·frame) (1 - CALL·call) (1 - EXECUTED·ran)
//! score(f) = reach(f) · substance(f) · Π boosts(f)
//! ```
//!
//! - `frame`: 1 for the innermost frame of the project, `OUTWARD` times that
//!   for each function further out; for endless recursion the share of frames;
//! - `call`: how strongly the failing statement leads there (see `calls`), the
//!   mean over the cluster's tests;
//! - `ran`: whether the failing test executed a line of its body. Where lines
//!   are known, what did not run is dropped, unless nothing would remain;
//! - `substance`: between `THIN` for a function that only passes on and 1;
//! - boosts: it changed recently; it holds a literal of the message; the
//!   message names it or something in it; it loops, where the failure is a
//!   timeout or endless recursion.
//!
//! Scores are then divided by the greatest.

use std::collections::HashMap;
use std::rc::Rc;

use super::Config;
use super::Evidence;
use super::Suspect;
use super::calls;
use super::calls::Executed;
use super::calls::Reached;
use super::calls::Walk;
use super::frames;
use super::frames::Standing;
use super::hot;
use super::index::Index;
use super::index::Place;
use super::index::SourceFile;
use super::target;
use super::target::Target;
use super::values;
use super::values::Named;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::DefinitionKind;
use crate::language::outline::PointKind;
use crate::source::Lines;
use crate::source::RelPath;

const FRAME: f64 = 0.95;
const CALL: f64 = 0.85;
const EXECUTED: f64 = 0.12;
/// Each function further out on the trace.
const OUTWARD: f64 = 0.7;
/// What a function on the trace called may have given it the bad value.
const FROM_FRAME: f64 = 0.6;
/// A function that computes and decides nothing.
const THIN: f64 = 0.6;
/// Points at which a function has its full substance.
const FULL: usize = 4;
const RECENT: f64 = 1.6;
/// Changed, but nothing leads there and nothing tells what ran.
const RECENT_ALONE: f64 = 0.1;
const HOLDS_LITERAL: f64 = 1.35;
const NAMED: f64 = 1.4;
const LOOPS: f64 = 1.5;
/// Scores below this share of the best say nothing.
const FLOOR: f64 = 0.03;
/// Tests of a cluster that are walked.
const MAX_TESTS: usize = 5;
/// Functions that are added because they ran.
const MAX_EXECUTED: usize = 400;

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
    /// Set where only the test itself is left as a suspect: why.
    pub(crate) only_test: Option<String>,
}

/// What has been gathered about one function.
#[derive(Clone, Debug, Default)]
struct Gathered {
    frame: f64,
    call: f64,
    ran: bool,
    alone: f64,
    reasons: Vec<String>,
}

/// Ranks the suspects of a cluster.
pub(crate) fn rank(index: &Index<'_>, evidence: &Evidence<'_>, config: &Config) -> Findings {
    let Some(failure) = evidence.failures.first() else { return Findings::default() };
    let executed = Executed::new(evidence.executed);
    let named = values::read(failure);
    let standings = frames::standings(index, failure);
    let target = target::find(index, failure, evidence.tests);
    let mut gathered: HashMap<Place, Gathered> = HashMap::new();
    let mut loose = Vec::new();
    from_frames(failure, &standings, &mut gathered, &mut loose);
    from_calls(index, evidence, &executed, &standings, &mut gathered);
    if executed.is_known() {
        from_executed(index, &executed, &mut gathered);
    }
    if gathered.is_empty() && loose.is_empty() {
        from_imports(index, target.as_ref(), &named, &mut gathered, &mut loose);
    }
    if gathered.is_empty() && loose.is_empty() && !executed.is_known() {
        from_recent(index, evidence.recent, &mut gathered);
    }
    let scores = score(index, failure, evidence.recent, &named, &executed, gathered);
    let mut suspects: Vec<Ranked> = scores
        .into_iter()
        .filter_map(|(place, score, reasons)| {
            ranked(index, place, score, reasons, &standings, evidence.recent, &named, &executed)
        })
        .collect();
    suspects.extend(loose);
    normalise(&mut suspects, config.max_suspects);
    let mut only_test = None;
    if suspects.is_empty()
        && let Some(found) = target.as_ref().and_then(|target| test_itself(target, &standings))
    {
        suspects.push(found);
        only_test = Some("nothing but the test itself leads to the failure".to_owned());
    }
    Findings { suspects, target, only_test }
}

fn from_frames(
    failure: &Failure,
    standings: &[Standing],
    gathered: &mut HashMap<Place, Gathered>,
    loose: &mut Vec<Ranked>,
) {
    let in_code: Vec<&Standing> = standings.iter().filter(|standing| !standing.is_test).collect();
    let most = in_code.iter().map(|standing| standing.times).max().unwrap_or(1);
    let recursion = is_recursion(failure) && most > 2;
    let mut weight = 1.0;
    for (order, standing) in in_code.iter().enumerate() {
        let words = match (order, failure.kind) {
            _ if recursion && standing.times > 2 => format!("on the trace {} times", standing.times),
            (0, Kind::Timeout) => format!("it stood at line {} at the deadline", standing.line),
            (0, Kind::CompileError) => format!("does not compile at line {}", standing.line),
            (0, _) => format!("raised here, at line {}", standing.line),
            _ => format!("on the trace at line {}", standing.line),
        };
        let share = if recursion { standing.times as f64 / most as f64 } else { weight };
        let function = standing.place().filter(|place| {
            let kind = standing.file.definition(place.definition).kind;
            kind.is_callable() || kind == DefinitionKind::Constant
        });
        match function {
            Some(place) => {
                let known = gathered.entry(place).or_default();
                if known.frame == 0.0 {
                    known.reasons.push(words);
                    weight *= OUTWARD;
                }
                known.frame = known.frame.max(share);
            }
            // A class's body or the top level: the statement alone.
            None => {
                loose.push(top_level(standing, FRAME * share, words));
                weight *= OUTWARD;
            }
        }
    }
}

fn is_recursion(failure: &Failure) -> bool {
    failure.message.starts_with("RecursionError") || failure.message.contains("stack overflow")
}

/// The statement at a frame outside every function.
fn top_level(standing: &Standing, score: f64, reason: String) -> Ranked {
    let lines = standing.file.statement(standing.line).unwrap_or(Lines::new(standing.line, standing.line));
    let suspect = Suspect {
        path: standing.file.path.clone(),
        // A class or function cannot be a statement's whole: its header is.
        lines: if lines.count() > 40 { Lines::new(standing.line, standing.line) } else { lines },
        symbol: standing.file.path.file_name().to_owned(),
        score,
        reasons: vec![reason],
        hot: vec![(standing.line, 1.0)],
    };
    Ranked { suspect, file: standing.file.clone(), definition: None }
}

fn from_calls(
    index: &Index<'_>,
    evidence: &Evidence<'_>,
    executed: &Executed<'_>,
    standings: &[Standing],
    gathered: &mut HashMap<Place, Gathered>,
) {
    let failures: Vec<&Failure> = evidence.failures.iter().take(MAX_TESTS).collect();
    let mut sums: HashMap<Place, Reached> = HashMap::new();
    let mut walked = 0;
    let everything = Executed::new(&[]);
    for (order, failure) in failures.iter().enumerate() {
        let own = if order == 0 { Some(standings.to_vec()) } else { None };
        let standings = own.unwrap_or_else(|| frames::standings(index, failure));
        // Executed lines are the first test's.
        let mut walk = Walk::new(index, if order == 0 { executed } else { &everything });
        let target = target::find(index, failure, evidence.tests);
        if let Some(target) = &target {
            walk.enter_test(target);
        }
        let mut weight = 1.0;
        for standing in standings.iter().take(12) {
            let Some(place) = standing.place() else { continue };
            let is_target = target.as_ref().is_some_and(|target| target.place() == Some(place));
            if !is_target {
                walk.enter_frame(
                    place,
                    standing.line,
                    if standing.is_test { 1.0 } else { FROM_FRAME * weight },
                    standing.is_test,
                );
            }
            if !standing.is_test {
                weight *= OUTWARD;
            }
        }
        let found = walk.finish();
        walked += usize::from(!found.is_empty());
        for (place, reached) in found {
            let sum = sums.entry(place).or_insert(Reached { weight: 0.0, why: reached.why.clone() });
            sum.weight += reached.weight;
        }
    }
    for (place, sum) in sums {
        let known = gathered.entry(place).or_default();
        known.call = sum.weight / walked.max(1) as f64;
        known.reasons.push(sum.why);
    }
}

/// Functions that ran, though no name leads there.
fn from_executed(index: &Index<'_>, executed: &Executed<'_>, gathered: &mut HashMap<Place, Gathered>) {
    let mut paths: Vec<&RelPath> = executed.paths().collect();
    paths.sort();
    let mut added = 0;
    for path in paths {
        let Some(file) = index.load_path(path).filter(|file| !file.is_test && !file.is_foreign) else { continue };
        for definition in 0..file.outline.definitions.len() {
            let this = file.definition(definition);
            if !this.kind.is_callable() || file.is_test_code(definition) || !executed.entered(&file, definition) {
                continue;
            }
            let place = Place { file: file.id, definition };
            if !gathered.contains_key(&place) {
                added += 1;
                if added > MAX_EXECUTED {
                    return;
                }
            }
            let known = gathered.entry(place).or_default();
            known.ran = true;
            if known.reasons.is_empty() {
                known.reasons.push("executed by the failing test".into());
            }
        }
    }
    let entered = |place: &Place, known: &Gathered| {
        let Some((file, definition)) = index.at(*place) else { return false };
        known.frame > 0.0 || !definition.kind.is_callable() || executed.entered(&file, place.definition)
    };
    let callable_remains = gathered.iter().any(|(place, known)| {
        entered(place, known) && index.at(*place).is_some_and(|(_, definition)| definition.kind.is_callable())
    });
    if callable_remains {
        gathered.retain(|place, known| entered(place, known));
    }
}

/// Where neither trace nor calls lead anywhere: what the test file imports.
fn from_imports(
    index: &Index<'_>,
    target: Option<&Target>,
    named: &Named,
    gathered: &mut HashMap<Place, Gathered>,
    loose: &mut Vec<Ranked>,
) {
    let Some(target) = target else { return };
    let file = &target.file;
    let imports = &file.outline.imports;
    let locals = imports.iter().flat_map(|import| import.locals());
    let separator = file.language().separator;
    let modules = imports.iter().map(|import| import.module.as_str()).filter(|module| !module.is_empty());
    for path in modules.chain(locals).filter(|name| *name != "*") {
        let segments: Vec<&str> = path.split(separator).collect();
        for thing in super::modules::resolve(index, file, target.function, &segments) {
            let module = match thing {
                super::modules::Thing::Module(module) => module.file,
                super::modules::Thing::Definition(place) => Some(place.file),
            };
            let Some(found) = module.and_then(|id| index.load(id)).filter(|found| !found.is_test && !found.is_foreign)
            else {
                continue;
            };
            let reason = "in a file that the test imports".to_owned();
            let functions = found.outline.definitions.iter().enumerate();
            for (definition, this) in functions.filter(|(_, this)| this.kind.is_callable() && !this.is_test) {
                let known = gathered.entry(Place { file: found.id, definition }).or_default();
                let is_named = named.names.contains(&this.name);
                known.alone = if is_named { 0.4 } else { 0.2 };
                known.reasons = vec![reason.clone()];
            }
            if gathered.is_empty() && loose.iter().all(|known| known.file.id != found.id) && found.line_count() > 0 {
                let standing = Standing { file: found, definition: None, line: 1, is_test: false, times: 1 };
                loose.push(top_level(&standing, 0.2, reason));
            }
        }
    }
}

/// Where nothing else leads anywhere: functions that changed.
fn from_recent(index: &Index<'_>, recent: &[(RelPath, Vec<Lines>)], gathered: &mut HashMap<Place, Gathered>) {
    for (path, changes) in recent.iter().take(100) {
        let Some(file) = index.load_path(path).filter(|file| !file.is_test && !file.is_foreign) else { continue };
        for (definition, this) in file.outline.definitions.iter().enumerate() {
            let changed = changes.iter().any(|lines| lines.overlaps(&this.lines));
            if changed && this.kind.is_callable() && !this.is_test {
                gathered.entry(Place { file: file.id, definition }).or_default().alone = RECENT_ALONE;
            }
        }
    }
}

fn score(
    index: &Index<'_>,
    failure: &Failure,
    recent: &[(RelPath, Vec<Lines>)],
    named: &Named,
    executed: &Executed<'_>,
    gathered: HashMap<Place, Gathered>,
) -> Vec<(Place, f64, Vec<String>)> {
    let mut scores = Vec::new();
    for (place, mut known) in gathered {
        let Some((file, definition)) = index.at(place) else { continue };
        let reach = 1.0
            - (1.0 - FRAME * known.frame)
                * (1.0 - CALL * known.call)
                * (1.0 - EXECUTED * f64::from(u8::from(known.ran)))
                * (1.0 - known.alone);
        let points = calls::substance(&file, place.definition).min(FULL) as f64 / FULL as f64;
        let thin = definition.kind.is_callable() && known.frame == 0.0;
        let mut score = reach * if thin { THIN + (1.0 - THIN) * points } else { 1.0 };
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
        if failure.kind == Kind::Timeout || is_recursion(failure) {
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

fn shortened(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() <= 40 { flat } else { flat.chars().take(39).chain(['…']).collect() }
}

#[expect(clippy::too_many_arguments, reason = "everything that marks lines")]
fn ranked(
    index: &Index<'_>,
    place: Place,
    score: f64,
    reasons: Vec<String>,
    standings: &[Standing],
    recent: &[(RelPath, Vec<Lines>)],
    named: &Named,
    executed: &Executed<'_>,
) -> Option<Ranked> {
    let (file, definition) = index.at(place)?;
    let trace: Vec<u32> =
        standings.iter().filter(|standing| standing.file.id == file.id).map(|standing| standing.line).collect();
    let changes: Vec<Lines> =
        recent.iter().filter(|(path, _)| *path == file.path).flat_map(|(_, lines)| lines).copied().collect();
    let marks = hot::Marks { trace: &trace, recent: &changes, named, executed };
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
    let mut seen = std::collections::HashSet::new();
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
