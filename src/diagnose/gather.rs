//! Gathers what leads to functions of the project: frames, calls, lines that
//! ran, imports, changes.
//!
//! Collects; the formula is in `suspect`.

use std::collections::HashMap;

use super::Evidence;
use super::Suspect;
use super::calls::Executed;
use super::calls::Reached;
use super::calls::Walk;
use super::frames;
use super::frames::Standing;
use super::index::Index;
use super::index::Place;
use super::suspect::FRAME;
use super::suspect::Ranked;
use super::target;
use super::target::Target;
use super::values::Named;
use crate::detect::spectrum::Covered;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::DefinitionKind;
use crate::source::Lines;
use crate::source::RelPath;

/// Each function further out on the trace.
const OUTWARD: f64 = 0.7;
/// What a function on the trace called may have given it the bad value.
const FROM_FRAME: f64 = 0.6;
/// Changed, but nothing leads there and nothing tells what ran.
const RECENT_ALONE: f64 = 0.1;
/// How statements begin that fail on purpose.
const RAISING: &[&str] = &["raise", "throw", "panic", "assert", "unreachable!"];
/// Tests of a cluster that are walked.
const MAX_TESTS: usize = 5;
/// Functions that are added because they ran.
const MAX_EXECUTED: usize = 400;

/// What has been gathered about one function.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    pub(super) frame: f64,
    /// The same where it was no `raise` that failed: code that meets what it
    /// did not expect, and not code that looks for it.
    pub(super) broke: f64,
    /// How strongly it gave the statements on the trace what they use.
    pub(super) gave: f64,
    /// How suspect what it made before the test is.
    pub(super) made: f64,
    pub(super) call: f64,
    pub(super) ran: bool,
    /// Whether it runs while its file is loaded.
    pub(super) loads: bool,
    pub(super) alone: f64,
    pub(super) reasons: Vec<String>,
}

/// Where the failing tests ran no line of the code itself (it runs in another
/// process), what other failing tests ran stands for it.
pub(super) fn told_by_others(index: &Index<'_>, evidence: &mut Evidence<'_>) {
    let tells = |tests: &[Covered]| tests.iter().any(|covered| runs_code(index, covered));
    if evidence.executed.iter().any(|covered| !covered.is_empty())
        && !tells(evidence.executed)
        && tells(evidence.beside)
    {
        evidence.executed = std::mem::take(&mut evidence.beside);
    }
}

/// The lines of the first failing test that ran some of the code, else of any.
pub(super) fn first_of<'e>(index: &Index<'_>, executed: &'e [Covered]) -> &'e [(RelPath, Vec<u32>)] {
    let telling = executed.iter().find(|covered| runs_code(index, covered));
    telling.or_else(|| executed.iter().find(|covered| !covered.is_empty())).map_or(&[], Vec::as_slice)
}

fn runs_code(index: &Index<'_>, covered: &Covered) -> bool {
    covered.iter().any(|(path, _)| index.load_path(path).is_some_and(|file| !file.is_test && !file.is_foreign))
}

/// Functions on the trace; statements outside every function go to `loose`.
pub(super) fn from_frames(
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
                if order > 0 || !is_raise(standing) {
                    known.broke = known.broke.max(share);
                }
            }
            // A class's body or the top level: the statement alone.
            None => {
                loose.push(top_level(standing, FRAME * share, words));
                weight *= OUTWARD;
            }
        }
    }
}

/// Whether the statement at a frame fails on purpose.
fn is_raise(standing: &Standing) -> bool {
    let text = standing.file.lines_text(Lines::new(standing.line, standing.line)).trim_start();
    RAISING.iter().any(|word| text.starts_with(word))
}

/// Whether the failure is endless recursion.
pub(super) fn is_recursion(failure: &Failure) -> bool {
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

/// What the failing tests and the functions on the trace call.
pub(super) fn from_calls(
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
        // Of a file that cannot be loaded no test has run.
        let runs = failure.kind != Kind::Collection || standings.iter().all(|standing| standing.is_test);
        if let Some(target) = target.as_ref().filter(|_| runs) {
            walk.enter_test(target);
        }
        let mut weight = 1.0;
        for standing in standings.iter().take(12) {
            let Some(place) = standing.place() else {
                walk.enter_statement(&standing.file, standing.line, weight);
                continue;
            };
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
            let none = Reached { weight: 0.0, why: reached.why.clone(), loads: false };
            let sum = sums.entry(place).or_insert(none);
            sum.weight += reached.weight;
            sum.loads |= reached.loads;
        }
    }
    for (place, sum) in sums {
        let known = gathered.entry(place).or_default();
        known.call = sum.weight / walked.max(1) as f64;
        known.loads = sum.loads;
        known.reasons.push(sum.why);
    }
}

/// Functions that ran, though no name leads there.
pub(super) fn from_executed(index: &Index<'_>, executed: &Executed<'_>, gathered: &mut HashMap<Place, Gathered>) {
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
        known.frame > 0.0 || known.loads || !definition.kind.is_callable() || executed.entered(&file, place.definition)
    };
    let callable_remains = gathered.iter().any(|(place, known)| {
        entered(place, known) && index.at(*place).is_some_and(|(_, definition)| definition.kind.is_callable())
    });
    if callable_remains {
        gathered.retain(|place, known| entered(place, known));
    }
}

/// Where neither trace nor calls lead anywhere: what the test file imports.
pub(super) fn from_imports(
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
pub(super) fn from_recent(
    index: &Index<'_>,
    recent: &[(RelPath, Vec<Lines>)],
    gathered: &mut HashMap<Place, Gathered>,
) {
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

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::detect::Spectrum;
    use crate::diagnose::tree::Tree;

    #[test]
    fn of_a_test_whose_code_runs_in_another_process_others_tell() {
        let tree = Tree::of(&[("app.py", "def f():\n    return 1\n"), ("test_app.py", "def test_f():\n    run()\n")]);
        let files = tree.paths();
        let index = Index::new(&tree, &files, RelPath::root());
        let of = |path: &str| vec![(RelPath::new(path).expect("a path"), vec![2])];
        let (test, code) = (vec![of("test_app.py")], vec![of("test_app.py"), of("app.py")]);
        for (executed, beside, wanted) in [
            (&test, &code, (&code, "app.py")),
            (&code, &test, (&code, "app.py")),
            (&test, &test, (&test, "test_app.py")),
        ] {
            let mut evidence = Evidence {
                texts: &tree,
                files: &files,
                failures: &[],
                executed,
                beside,
                passing: &Spectrum::default(),
                tests: &[],
                recent: &[],
                earlier: None,
                rerun: None,
                root: RelPath::root(),
            };
            told_by_others(&index, &mut evidence);
            assert_eq!(evidence.executed, wanted.0.as_slice());
            assert_eq!(first_of(&index, evidence.executed)[0].0.as_str(), wanted.1);
        }
    }
}
