//! The calls that lead from the failing test into the code.
//!
//! A static graph, as far as names tell: three calls deep, each weighing less
//! than the one before, and nothing after the line that failed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use super::file::SourceFile;
use super::focus::Focus;
use super::index::Index;
use super::index::Place;
use super::resolve;
use super::target::Target;
use super::types;
use crate::language::DefinitionKind;
use crate::language::Reference;
use crate::language::ReferenceKind;
use crate::language::outline::PointKind;
use crate::source::RelPath;

/// A call of a function whose failing line is not known.
const SOMEWHERE: f64 = 0.8;
/// A fixture, `setUp` or decorator.
const PREPARES: f64 = 0.3;
/// A call from code under test into more of it.
const DEEPER: f64 = 0.6;
/// The same from a function that does nothing but call.
const THROUGH: f64 = 0.95;
/// A function that is passed on, not called.
const PASSED_ON: f64 = 0.8;
/// A constructor reached by naming its class.
const CONSTRUCTS: f64 = 0.7;
/// A constant that a function uses.
const USES: f64 = 0.5;

/// Methods and calls that prepare a test, beside fixtures (unittest, pytest,
/// JUnit, jest, mocha).
pub(super) const PREPARING: &[&str] =
    &["setUp", "setup_method", "setUpClass", "setup_class", "asyncSetUp", "before", "beforeEach", "beforeAll"];

/// How constructors are called (Python, JavaScript, and Rust by custom).
pub(super) const CONSTRUCTORS: &[&str] = &["__init__", "__new__", "__post_init__", "constructor", "new"];

const MAX_DEPTH: usize = 3;
const MAX_HELPERS: usize = 3;
const MAX_VISITED: usize = 250;
/// Weights below this lead nowhere.
const FAINT: f64 = 0.02;

/// How strongly the test leads to a definition, and why.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) weight: f64,
    pub(crate) why: String,
    /// Whether it runs while its file is loaded, which is no part of a test.
    pub(crate) loads: bool,
}

/// Lines that the failing test executed; empty where that is not known.
pub(crate) struct Executed<'a> {
    // In order: what is made of it goes into prompts.
    by_path: BTreeMap<&'a RelPath, BTreeSet<u32>>,
}

impl<'a> Executed<'a> {
    pub(crate) fn new(executed: &'a [(RelPath, Vec<u32>)]) -> Executed<'a> {
        let mut by_path: BTreeMap<&RelPath, BTreeSet<u32>> = BTreeMap::new();
        for (path, lines) in executed {
            by_path.entry(path).or_default().extend(lines);
        }
        Executed { by_path }
    }

    pub(crate) fn is_known(&self) -> bool {
        !self.by_path.is_empty()
    }

    /// Whether `line` ran; `true` where nothing is known.
    pub(crate) fn ran(&self, path: &RelPath, line: u32) -> bool {
        !self.is_known() || self.by_path.get(path).is_some_and(|lines| lines.contains(&line))
    }

    /// Whether a line of the body ran. The line of `def` runs on import.
    pub(crate) fn entered(&self, file: &SourceFile, definition: usize) -> bool {
        let definition = file.definition(definition);
        let mut lines = definition.body_lines;
        if lines.start == definition.name_line && lines.end > lines.start {
            lines.start += 1;
        }
        let ran = self.by_path.get(&file.path);
        !self.is_known() || ran.is_some_and(|ran| ran.range(lines.start..=lines.end).next().is_some())
    }

    /// Whether a line of the body ran that is no line of a function inside it.
    pub(crate) fn entered_itself(&self, file: &SourceFile, definition: usize) -> bool {
        let (this, ran) = (file.definition(definition), self.by_path.get(&file.path));
        let first = this.body_lines.start + u32::from(this.body_lines.start == this.name_line);
        let last = this.body_lines.end.max(first);
        ran.is_some_and(|ran| ran.range(first..=last).any(|line| file.enclosing(*line) == Some(definition)))
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &RelPath> + '_ {
        self.by_path.keys().copied()
    }
}

/// A function whose calls are to be followed.
struct Step {
    place: Place,
    weight: f64,
    /// Calls deep in the code under test.
    depth: usize,
    /// Calls deep in test code.
    helpers: usize,
    /// The line it failed at, where it is on the trace.
    failing: Option<u32>,
    /// Whether it runs while its file is loaded.
    loads: bool,
    /// Words for the reasons of what it calls.
    caller: String,
}

/// Follows the calls of the failing test, and of the functions on the trace.
pub(crate) struct Walk<'i, 'a> {
    index: &'i Index<'a>,
    executed: &'i Executed<'i>,
    reached: HashMap<Place, Reached>,
    followed: HashMap<Place, f64>,
    queue: Vec<Step>,
}

impl<'i, 'a> Walk<'i, 'a> {
    pub(crate) fn new(index: &'i Index<'a>, executed: &'i Executed<'i>) -> Walk<'i, 'a> {
        Walk { index, executed, reached: HashMap::new(), followed: HashMap::new(), queue: Vec::new() }
    }

    /// Begins at the failing test.
    pub(crate) fn enter_test(&mut self, target: &Target) {
        let Some(place) = target.place() else {
            return self.enter_file(&target.file);
        };
        if !target.file.is_test_code(place.definition) {
            // A doc test calls what it documents.
            return self.arrive(place, 1.0, (0, 0), false, "documented by the failing test");
        }
        self.queue.push(Step {
            place,
            weight: 1.0,
            depth: 0,
            helpers: 0,
            failing: target.line,
            loads: false,
            caller: "the failing test".into(),
        });
        self.enter_preparation(target, place);
    }

    /// Begins at a function on the trace: what it called before the failing
    /// line may have given it what it failed on.
    pub(crate) fn enter_frame(&mut self, place: Place, line: u32, weight: f64, is_test: bool) {
        let Some((_, definition)) = self.index.at(place) else { return };
        let depth = usize::from(!is_test);
        let caller = format!("`{}`, which is on the trace", definition.qualified);
        self.queue.push(Step { place, weight, depth, helpers: 0, failing: Some(line), loads: false, caller });
    }

    /// Begins at a statement outside of every function (a script, what runs
    /// while a file is loaded): what it calls, and what was called for it.
    pub(crate) fn enter_statement(&mut self, file: &SourceFile, line: u32, weight: f64) {
        let outside = |reference: &&Reference| {
            file.enclosing(reference.line).is_none_or(|around| !file.definition(around).kind.is_callable())
        };
        let all: Vec<Reference> = file.outline.references.iter().filter(outside).cloned().collect();
        let focus = Focus::new(file, 0, line, &all);
        for reference in &all {
            let Some((position, why)) = focus.position(reference) else { continue };
            let why = reason(why, "the failing statement", file, reference);
            self.follow(file, None, reference, weight * position, (0, 0), false, &why);
        }
    }

    /// Fixtures by parameter, `setUp`, and the test's own decorators.
    fn enter_preparation(&mut self, target: &Target, place: Place) {
        let file = &target.file;
        let definition = file.definition(place.definition).clone();
        let mut preparing: Vec<Place> =
            definition.parameters.iter().filter_map(|name| types::fixture(self.index, file, name)).collect();
        // Groups of tests nest, and each may prepare.
        let mut holder = definition.parent;
        while let Some(definition) = holder {
            let place = Place { file: file.id, definition };
            preparing.extend(PREPARING.iter().flat_map(|name| super::modules::members(self.index, place, name)));
            holder = file.definition(definition).parent;
        }
        for place in preparing {
            let Some((_, definition)) = self.index.at(place) else { continue };
            let caller = format!("`{}`, which prepares the test", definition.name);
            let failing = None;
            self.queue.push(Step { place, weight: PREPARES, depth: 0, helpers: 1, failing, loads: false, caller });
        }
        let decorators = definition.bytes.start..definition.signature.start;
        let references = file.outline.references.iter().filter(|found| decorators.contains(&found.bytes.start));
        for reference in references {
            self.follow(file, definition.parent, reference, PREPARES, (0, 1), false, "a decorator of the failing test");
        }
    }

    /// Without a function to begin at, every call of the file counts a little.
    fn enter_file(&mut self, file: &SourceFile) {
        for reference in file.outline.references.iter().filter(|found| found.kind == ReferenceKind::Call) {
            let within = file.enclosing(reference.line);
            self.follow(file, within, reference, PREPARES, (0, 1), false, "the test file");
        }
    }

    /// Follows everything that was entered; what was reached, tests left out.
    pub(crate) fn finish(mut self) -> HashMap<Place, Reached> {
        while let Some(best) = self.heaviest() {
            let step = self.queue.swap_remove(best);
            if self.followed.get(&step.place).is_some_and(|before| *before >= step.weight) {
                continue;
            }
            if self.followed.len() >= MAX_VISITED {
                break;
            }
            self.followed.insert(step.place, step.weight);
            self.expand(&step);
        }
        self.reached
    }

    fn heaviest(&self) -> Option<usize> {
        let by_weight =
            |a: &(usize, &Step), b: &(usize, &Step)| a.1.weight.total_cmp(&b.1.weight).then(b.1.place.cmp(&a.1.place));
        self.queue.iter().enumerate().max_by(by_weight).map(|(index, _)| index)
    }

    fn expand(&mut self, step: &Step) {
        let Some(file) = self.index.load(step.place.file) else { return };
        let definition = file.definition(step.place.definition).clone();
        let body = if definition.body.is_empty() { definition.bytes.clone() } else { definition.body.clone() };
        // Decorators and defaults are part of what a call runs.
        let whole = &definition.bytes;
        let first = file.outline.references.partition_point(|found| found.bytes.start < whole.start);
        let inside: Vec<Reference> = file.outline.references[first..]
            .iter()
            .take_while(|found| found.bytes.start < whole.end)
            .cloned()
            .collect();
        let focus = step.failing.map(|line| Focus::new(&file, body.start, line, &inside));
        let substance = substance(&file, step.place.definition);
        let pass = match (step.depth, substance) {
            (0, _) => 1.0,
            (_, 0) => THROUGH,
            _ => DEEPER,
        };
        // The value of a constant is computed when its file is loaded.
        let loads = step.loads || !definition.kind.is_callable();
        let deep = (step.depth, step.helpers);
        for reference in &inside {
            let in_body = body.contains(&reference.bytes.start);
            if in_body
                && !loads
                && !self.executed.ran(&file.path, reference.line)
                && !continues(&file, reference.line, self.executed)
            {
                continue;
            }
            let (position, why) = match &focus {
                Some(focus) => match focus.position(reference) {
                    Some(found) => found,
                    None => continue,
                },
                None if step.depth == 0 && step.helpers == 0 => (SOMEWHERE, "called by"),
                None => (1.0, "called by"),
            };
            let why = reason(why, &step.caller, &file, reference);
            let within = innermost(&file, step.place.definition, reference.line);
            self.follow(&file, within, reference, step.weight * position * pass, deep, loads, &why);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a call and the step it is made from")]
    fn follow(
        &mut self,
        file: &SourceFile,
        within: Option<usize>,
        reference: &Reference,
        weight: f64,
        (depth, helpers): (usize, usize),
        loads: bool,
        why: &str,
    ) {
        let is_call = reference.kind == ReferenceKind::Call;
        for (place, share) in resolve::targets(self.index, file, within, reference, is_call) {
            let Some((there, definition)) = self.index.at(place) else { continue };
            if there.is_foreign {
                continue;
            }
            let (place, share) = match definition.kind {
                DefinitionKind::Class | DefinitionKind::Struct | DefinitionKind::Enum if is_call => {
                    match constructor(self.index, place) {
                        Some(found) => (found, share * CONSTRUCTS),
                        None => continue,
                    }
                }
                DefinitionKind::Constant => (place, share * USES),
                kind if kind.is_callable() => (place, if is_call { share } else { share * PASSED_ON }),
                _ => continue,
            };
            let weight = weight * share;
            if weight < FAINT {
                continue;
            }
            self.arrive(place, weight, (depth, helpers), loads, why);
        }
    }

    fn arrive(&mut self, place: Place, weight: f64, (depth, helpers): (usize, usize), loads: bool, why: &str) {
        let Some((file, definition)) = self.index.at(place) else { return };
        let is_test = file.is_test_code(place.definition);
        if !is_test {
            let reached = self.reached.entry(place).or_insert(Reached { weight: 0.0, why: String::new(), loads });
            reached.loads |= loads;
            if weight > reached.weight {
                *reached = Reached { weight, why: why.to_owned(), loads: reached.loads };
            }
        }
        if !definition.kind.is_callable() && definition.kind != DefinitionKind::Constant {
            return;
        }
        let (depth, helpers) = if is_test { (depth, helpers + 1) } else { (depth + 1, helpers) };
        if depth <= MAX_DEPTH && helpers <= MAX_HELPERS {
            let caller = format!("`{}`", definition.qualified);
            self.queue.push(Step { place, weight, depth, helpers, failing: None, loads, caller });
        }
    }
}

/// How a reference is told: by who calls, or by its place.
fn reason(why: &str, caller: &str, file: &SourceFile, reference: &Reference) -> String {
    match why {
        "called by" => format!("called by {caller}"),
        why => format!("{why} at {}:{}", file.path, reference.line),
    }
}

/// Lines inside a statement of several lines are not all recorded as run.
fn continues(file: &SourceFile, line: u32, executed: &Executed<'_>) -> bool {
    file.statement(line).is_some_and(|lines| lines.start < line && executed.ran(&file.path, lines.start))
}

/// The innermost function at `line` that is `outer` or inside it.
fn innermost(file: &SourceFile, outer: usize, line: u32) -> Option<usize> {
    let lines = file.definition(outer).lines;
    file.enclosing(line)
        .filter(|found| {
            let inner = file.definition(*found);
            inner.kind.is_callable() && inner.lines.start >= lines.start && inner.lines.end <= lines.end
        })
        .or(Some(outer))
}

fn constructor(index: &Index<'_>, class: Place) -> Option<Place> {
    // Java calls a constructor as its class; `new` is a plain function.
    let own = index.at(class).map(|(_, definition)| definition.name).unwrap_or_default();
    let names = CONSTRUCTORS.iter().copied().chain([own.as_str()]);
    let mut names = names.filter(|name| *name != "new");
    names.find_map(|name| super::modules::members(index, class, name).into_iter().next())
}

/// How much a function computes or decides: its operations, conditions and
/// loops, its numbers, and half of its calls beyond the first. A function
/// without any only passes on.
pub(crate) fn substance(file: &SourceFile, definition: usize) -> usize {
    let body = &file.definition(definition).body;
    let (points, literals, uses) = (&file.outline.points, &file.outline.literals, &file.outline.references);
    let first = points.partition_point(|point| point.bytes.start < body.start);
    let inside = points[first..].iter().take_while(|point| point.bytes.start < body.end);
    let computing = inside.filter(|point| point.kind != PointKind::Result).count();
    let first = literals.partition_point(|literal| literal.bytes.start < body.start);
    let inside = literals[first..].iter().take_while(|literal| literal.bytes.start < body.end);
    let numbers = inside.filter(|literal| literal.number).count();
    let first = uses.partition_point(|found| found.bytes.start < body.start);
    let inside = uses[first..].iter().take_while(|found| found.bytes.start < body.end);
    let calls = inside.filter(|found| found.kind == ReferenceKind::Call).count();
    computing + numbers + calls.saturating_sub(1) / 2
}
