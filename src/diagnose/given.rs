//! What gave the statements on the trace the values they use: functions that
//! set an attribute, that compute one, that gave back nothing.
//!
//! A value that breaks a statement was often made long before, by a function
//! that every test runs. Goes by names and by the calls of one statement;
//! follows no value.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;

use super::calls::CONSTRUCTORS;
use super::calls::Executed;
use super::file::SourceFile;
use super::focus;
use super::frames::Standing;
use super::gather::Gathered;
use super::index::Index;
use super::index::Place;
use super::modules;
use super::resolve;
use crate::failure::Failure;
use crate::language::DefinitionKind;
use crate::language::Reference;
use crate::language::ReferenceKind;
use crate::source::Lines;

/// Each function further out on the trace.
const OUTWARD: f64 = 0.8;
/// What a statement that only feeds the failing one uses.
const FEEDS: f64 = 0.7;
/// Where no value is missing, what is given may be as it should.
const PRESENT: f64 = 0.55;
/// Frames whose statements are looked at.
const FRAMES: usize = 5;
/// What more functions give than this tells less of each.
const FEW: usize = 3;
/// Files that are searched, beside those of the trace.
const SEARCHED: usize = 40;
/// Longer statements hold others.
const LONGEST: u32 = 12;

/// A value that is not there: Python's `None`, JavaScript's `undefined`.
static MISSING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"'NoneType'|\bNoneType object|properties of (?:undefined|null)|is undefined|\bassert None\b|AssertionError: None !=|unexpectedly None")
        .expect("the pattern is valid")
});
static NO_ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"'(\w+)' object has no attribute '\w+'").expect("the pattern is valid"));

/// Notes the functions that gave the statements on the trace what they use.
pub(super) fn from_statements(
    index: &Index<'_>,
    failure: &Failure,
    standings: &[Standing],
    executed: &Executed<'_>,
    gathered: &mut HashMap<Place, Gathered>,
) {
    let is_missing = MISSING.is_match(&failure.message) || failure.actual.as_deref() == Some("None");
    let mut files: Vec<Rc<SourceFile>> = standings.iter().map(|standing| standing.file.clone()).collect();
    files.extend(executed.paths().take(SEARCHED).filter_map(|path| index.load_path(path)));
    files.sort_by_key(|file| file.id);
    files.dedup_by_key(|file| file.id);
    let mut givers: Vec<(f64, String, Vec<Place>)> = Vec::new();
    for (attribute, (weight, line)) in attributes(standings) {
        let words = format!("gives `{attribute}`, which the trace reads at line {line}");
        givers.push((weight, words, setters(&files, &attribute)));
    }
    if let Some(innermost) = standings.first().filter(|_| is_missing) {
        givers.extend(callees(index, innermost));
    }
    if let Some(found) = NO_ATTRIBUTE.captures(&failure.message) {
        let words = format!("makes the `{}` that lacks an attribute", &found[1]);
        givers.push((1.0 / PRESENT, words, constructors(index, &files, &found[1])));
    }
    let factor = if is_missing { 1.0 } else { PRESENT };
    for (weight, words, mut places) in givers {
        places.retain(|place| {
            let Some((file, definition)) = index.at(*place) else { return false };
            let in_code = !file.is_test_code(place.definition) && !file.is_foreign;
            in_code && definition.kind.is_callable() && executed.entered(&file, place.definition)
        });
        let share = factor * weight * (FEW as f64 / places.len().max(1) as f64).min(1.0);
        for place in places {
            let known = gathered.entry(place).or_default();
            if share.min(1.0) > known.gave {
                known.gave = share.min(1.0);
                known.reasons.push(words.clone());
            }
        }
    }
}

/// Statements of a frame, each with its weight: the one that failed, and those
/// that feed it.
fn statements(standing: &Standing) -> Vec<(Lines, f64)> {
    let file = &standing.file;
    let line = Lines::new(standing.line, standing.line);
    let mut found = vec![(file.statement(standing.line).filter(|lines| lines.count() <= LONGEST).unwrap_or(line), 1.0)];
    if let Some(definition) = standing.definition.filter(|at| file.definition(*at).kind.is_callable()) {
        let feeding = focus::feeding(file, definition, standing.line);
        found.extend(feeding.into_iter().filter(|lines| lines.count() <= LONGEST).map(|lines| (lines, FEEDS)));
    }
    found
}

fn references(file: &SourceFile, lines: Lines) -> impl Iterator<Item = &Reference> {
    file.outline.references.iter().filter(move |found| lines.contains(found.line))
}

/// The attributes that the statements on the trace read, each with its weight
/// and a line.
fn attributes(standings: &[Standing]) -> BTreeMap<String, (f64, u32)> {
    let mut read: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    let mut outward = 1.0;
    for standing in standings.iter().take(FRAMES) {
        for (lines, weight) in statements(standing) {
            let values = references(&standing.file, lines)
                .filter(|found| found.kind == ReferenceKind::Value && found.receiver.is_some());
            for reference in values {
                let known = read.entry(reference.name.clone()).or_insert((0.0, reference.line));
                if weight * outward > known.0 {
                    *known = (weight * outward, reference.line);
                }
            }
        }
        outward *= OUTWARD;
    }
    read
}

/// Functions that bind the attribute, or compute it where it is a property.
fn setters(files: &[Rc<SourceFile>], attribute: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for file in files {
        let bound = file
            .outline
            .bindings
            .iter()
            .filter(|binding| binding.name.rsplit_once('.').is_some_and(|(_, name)| name == attribute));
        let within = bound.filter_map(|binding| file.enclosing(binding.line));
        let properties = file.named(attribute).iter().copied();
        let properties = properties.filter(|at| file.definition(*at).kind == DefinitionKind::Method);
        places.extend(within.chain(properties).map(|definition| Place { file: file.id, definition }));
    }
    places.sort();
    places.dedup();
    places
}

/// What the failing statement of a frame calls, or what feeds it.
fn callees(index: &Index<'_>, standing: &Standing) -> Vec<(f64, String, Vec<Place>)> {
    let file = &standing.file;
    let mut found = Vec::new();
    for (lines, weight) in statements(standing) {
        let words = |reference: &Reference| format!("its value is missing at {}:{}", file.path, reference.line);
        for reference in references(file, lines) {
            let is_call = reference.kind == ReferenceKind::Call;
            let targets = certain(index, file, standing.definition, reference);
            if is_call {
                found.push((weight, words(reference), targets));
                continue;
            }
            // A constant has the value that a call gave it.
            for place in targets {
                let Some((there, constant)) = index.at(place) else { continue };
                if constant.kind != DefinitionKind::Constant || constant.lines.count() > LONGEST {
                    continue;
                }
                let calls = references(&there, constant.lines).filter(|found| found.kind == ReferenceKind::Call);
                let places = calls.flat_map(|call| certain(index, &there, constant.parent, call)).collect();
                found.push((weight * FEEDS, words(reference), places));
            }
        }
    }
    found
}

/// What the reference stands for, as far as that is likely.
fn certain(index: &Index<'_>, file: &SourceFile, within: Option<usize>, reference: &Reference) -> Vec<Place> {
    let targets = resolve::targets(index, file, within, reference, reference.kind == ReferenceKind::Call);
    targets.into_iter().filter(|(_, sure)| *sure >= 0.3).map(|(place, _)| place).collect()
}

/// The constructors of the class, inherited ones too.
fn constructors(index: &Index<'_>, files: &[Rc<SourceFile>], class: &str) -> Vec<Place> {
    let of_file = |file: &Rc<SourceFile>| {
        let classes = file.named(class).iter().filter(|at| file.definition(**at).kind == DefinitionKind::Class);
        classes.map(|definition| Place { file: file.id, definition: *definition }).collect::<Vec<_>>()
    };
    let mut open: Vec<Place> = files.iter().flat_map(of_file).collect();
    let mut places = Vec::new();
    // What a constructor leaves out, one that it should have called may have.
    for at in 0..FRAMES {
        let Some(place) = open.get(at).copied() else { break };
        places.extend(CONSTRUCTORS.iter().flat_map(|name| modules::members(index, place, name)));
        open.extend(modules::bases(index, place));
    }
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::tree::Tree;
    use crate::failure::Kind;
    use crate::source::RelPath;

    const PARSER: &str = "class Base:\n    def __init__(self):\n        self.depth = None\n        self.name = 'x'\n\n\nclass Parser(Base):\n    @property\n    def rules(self):\n        return find(self.name)\n\n    def parse(self, rows):\n        return walk(rows, self.depth, self.rules)\n\n\ndef find(name):\n    name.upper()\n\n\ndef walk(rows, most, rules):\n    return len(rows) > most\n";

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("a path")
    }

    /// Who gave the statements at `lines` what they use, with the shares.
    fn given(message: &str, lines: &[u32], ran: &[(RelPath, Vec<u32>)]) -> Vec<(String, f64)> {
        let main =
            "from parser import Parser\n\n\ndef main(parser):\n    parser.depth = 3\n    return parser.parse([])\n";
        let tree = Tree::of(&[("parser.py", PARSER), ("main.py", main)]);
        let files = tree.paths();
        let index = Index::new(&tree, &files, RelPath::root());
        let file = index.load_path(&path("parser.py")).expect("parsed");
        let standing = |line: &u32| {
            let definition = file.enclosing(*line);
            Standing { file: file.clone(), definition, line: *line, is_test: false, times: 1 }
        };
        let failure = Failure {
            id: "test".into(),
            kind: Kind::Exception,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: Vec::new(),
            output: String::new(),
        };
        let standings: Vec<Standing> = lines.iter().map(standing).collect();
        let mut gathered = HashMap::new();
        from_statements(&index, &failure, &standings, &Executed::new(ran), &mut gathered);
        let named =
            |(place, known): (&Place, &Gathered)| (index.at(*place).expect("it is there").1.qualified, known.gave);
        let mut found: Vec<(String, f64)> = gathered.iter().map(named).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.iter_mut().for_each(|(_, share)| *share = (*share * 100.0).round() / 100.0);
        found
    }

    #[test]
    fn who_set_or_computes_what_the_trace_reads_gave_it() {
        let missing = "TypeError: '>' not supported between instances of 'int' and 'NoneType'";
        let init = ("Base.__init__".to_owned(), 0.8);
        let rules = ("Parser.rules".to_owned(), 0.8);
        let parser = |lines: &[u32]| (path("parser.py"), lines.to_vec());
        let main = (path("main.py"), vec![5, 6]);
        assert_eq!(given(missing, &[21, 13], &[parser(&[3, 4, 10, 13, 21])]), [init.clone(), rules.clone()]);
        assert_eq!(
            given(missing, &[21, 13], &[parser(&[3, 10, 13, 21]), main]),
            [init, rules.clone(), ("main".to_owned(), 0.8)]
        );
        assert_eq!(given(missing, &[21, 13], &[parser(&[10, 13, 21])]), [rules]);
        let present = given("TypeError: unhashable type: 'list'", &[13], &[parser(&[3, 13])]);
        assert_eq!(present, [("Base.__init__".to_owned(), 0.55)]);
    }

    #[test]
    fn what_gave_back_nothing_and_what_left_an_attribute_out_are_told() {
        let ran = [(path("parser.py"), vec![3, 4, 10, 17])];
        let found = given("TypeError: 'NoneType' object is not iterable", &[10], &ran);
        assert_eq!(found, [("Base.__init__".to_owned(), 1.0), ("find".to_owned(), 1.0)]);
        let found = given("AttributeError: 'Parser' object has no attribute 'cost'", &[17], &ran);
        assert_eq!(found, [("Base.__init__".to_owned(), 1.0)]);
    }
}
