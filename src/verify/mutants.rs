//! Mutants of a patch: the few changes of its lines that show most about what
//! the tests notice (DECISIONS 19).
//!
//! Makes texts; runs nothing. Dropped are mutants that do not parse, that mean
//! the same by their tokens, and that are the unpatched code again.

use std::collections::HashSet;

use tree_sitter::Node;
use tree_sitter::Parser;

use super::bound;
use super::data;
use super::plant;
use super::plant::Executed;
use crate::language;
use crate::language::Definition;
use crate::language::DefinitionKind;
use crate::language::Parsed;
use crate::language::definitions;
use crate::mutation;
use crate::mutation::syntax;
use crate::patch::Patch;
use crate::source::Lines;
use crate::source::RelPath;

/// Mutants of one hunk that are looked at.
const PER_HUNK: usize = 60;

/// A hunk with fewer of its own gets those of the code around it too: one
/// mutant that is noticed says little.
const LEAST: usize = 2;

/// Parts of the names of what makes an error.
const ERRORS: &[&str] = &["Error", "Exception", "errors.New", "Errorf", "panic"];

/// A patch with one more change in it.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchMutant {
    /// The mutated patch.
    pub patch: Patch,
    /// Index of the hunk it belongs to.
    pub hunk: usize,
    /// What nothing checks where it survives: `` `<` is not `<=` ``.
    pub words: String,
    /// Whether it makes a decision always the same: where that survives, the
    /// tests know one answer only.
    pub decides: bool,
    /// Where it makes a condition always the same: the patch with a fault on
    /// the way that is never gone then. Where neither is noticed, no test goes
    /// that way; where only the fault is, both ways come to the same.
    pub other_way: Option<Patch>,
    /// Whether it makes a condition of the patch always the same that asks nothing
    /// of what its function is given: such a one asks where it runs.
    pub is_blind: bool,
    /// Whether it changes lines that the patch itself writes, and not those
    /// around them.
    pub of_patch: bool,
    /// Whether it changes a text that the patch did not bring, or that an error
    /// carries: tests seldom look at those, and where it survives, that says
    /// nothing against the patch.
    pub slight: bool,
    /// Whether only a failing check counts as noticing it, and no exception:
    /// it stands in for code that may have taken the checks away.
    pub needs_check: bool,
    /// The file.
    pub path: RelPath,
    /// Its line in the patched text, 1-based.
    pub line: u32,
}

/// At most `most` mutants of `patch`: by turns from each hunk, places before
/// variations of one place, the most telling first. A hunk with fewer than two
/// gets those of the statement, then of the function around it. What stands outside
/// functions and is no mere data can tamper with the tests themselves, so that its
/// own mutants say little: the functions of its file that the test is known to enter
/// (`executed`, of the unpatched tree) count as one more hunk.
pub fn choose(patch: &Patch, executed: &Executed, most: usize) -> Vec<PatchMutant> {
    let mut of_hunks: Vec<Vec<PatchMutant>> = Vec::new();
    let mut seen = HashSet::new();
    for (path, spans) in patch.touched_after() {
        let change = patch.changes().iter().find(|change| &change.path == path);
        let (Some(language), Some(change)) = (language::of_path(path), change) else { continue };
        let Some(after) = &change.after else { continue };
        if (language.is_test_file)(path) {
            continue;
        }
        let parsed = language::parse(language, after);
        seen.insert(parsed.tokens());
        if let Some(before) = &change.before {
            seen.insert(language::parse(language, before).tokens());
        }
        let before = change.before.as_deref().unwrap_or_default();
        let tampers = |span: &Lines| !is_in_function(&parsed, *span) && !data::is_changed_alone(before, &parsed, *span);
        let outside = spans.iter().any(tampers);
        for span in spans.iter().copied() {
            let hunk = of_hunks.len();
            of_hunks.push(of_hunk(patch, path, &parsed, &widened(&parsed, span), hunk, &mut seen));
        }
        let entered = if outside { plant::entered(patch, path, &spans, executed) } else { Vec::new() };
        if !entered.is_empty() {
            let hunk = of_hunks.len();
            let each = entered.into_iter().map(|lines| of_hunk(patch, path, &parsed, &[lines], hunk, &mut seen));
            let mut mutants = in_turn(each.collect());
            for mutant in &mut mutants {
                (mutant.needs_check, mutant.decides, mutant.other_way) = (true, false, None);
            }
            of_hunks.push(mutants);
        }
    }
    let mut chosen = in_turn(of_hunks);
    chosen.truncate(most);
    chosen
}

/// At most `most` mutants that leave the lines of the patch alone: of what else is
/// in the functions around them, and of other functions of the same files that the
/// test is known to enter. Only a check that fails counts as noticing them.
pub fn beside(patch: &Patch, executed: &Executed, most: usize) -> Vec<PatchMutant> {
    let mut lists: Vec<Vec<PatchMutant>> = Vec::new();
    let mut seen = HashSet::new();
    for (path, spans) in patch.touched_after() {
        let change = patch.changes().iter().find(|change| &change.path == path);
        let (Some(language), Some(after)) = (language::of_path(path), change.and_then(|one| one.after.as_ref())) else {
            continue;
        };
        let parsed = language::parse(language, after);
        seen.insert(parsed.tokens());
        let around = plant::around(patch, path, &spans);
        let entered = plant::entered(patch, path, &spans, executed);
        let others = entered.into_iter().filter(|lines| !around.iter().any(|one| one.overlaps(lines)));
        for lines in around.iter().copied().chain(others) {
            let rest = (lines.start..=lines.end).filter(|line| !spans.iter().any(|span| span.contains(*line)));
            let each = rest.map(|line| of_hunk(patch, path, &parsed, &[Lines::new(line, line)], 0, &mut seen));
            lists.push(in_turn(each.collect()).into_iter().filter(|mutant| !mutant.slight).take(most).collect());
        }
    }
    let mut found = in_turn(lists);
    found.truncate(most);
    for mutant in &mut found {
        (mutant.needs_check, mutant.decides, mutant.other_way) = (true, false, None);
    }
    found
}

/// The first of each list, then the second ones.
fn in_turn(lists: Vec<Vec<PatchMutant>>) -> Vec<PatchMutant> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).flat_map(|turn| lists.iter().filter_map(move |list| list.get(turn)).cloned()).collect()
}

fn is_in_function(parsed: &Parsed, span: Lines) -> bool {
    let definitions = parsed.definitions();
    let held = |line: u32| {
        let innermost = definitions::enclosing(&definitions, line).map(|index| &definitions[index]);
        innermost.is_some_and(|one| one.kind.is_callable() && !sets_anothers(parsed, &definitions, one, line))
    };
    let code = |line: u32| parsed.text.lines().nth(line as usize - 1).is_some_and(|text| !text.trim().is_empty());
    (span.start..=span.end).all(|line| held(line) || !code(line))
}

/// Whether `line` gives a function to an object that is none of the file's own
/// functions and classes, when the file is loaded: `assert.equal = () => {}`.
fn sets_anothers(parsed: &Parsed, all: &[Definition], one: &Definition, line: u32) -> bool {
    let mut around = one.parent;
    while let Some(index) = around {
        if all[index].kind.is_callable() {
            return false;
        }
        around = all[index].parent;
    }
    let start = one.signature.start;
    let first = parsed.tree.root_node().descendant_for_byte_range(start, start + 1);
    let mut at = first.filter(|_| line <= one.body_lines.start);
    while let Some(node) = at.filter(|node| node.start_byte() == start) {
        if node.kind() == "assignment_expression" {
            let left = node.child_by_field_name("left");
            let object = left.and_then(|left| parsed.text.get(left.byte_range())).unwrap_or_default();
            let name = object.split(['.', '[']).next().unwrap_or_default().trim();
            let is_named = |other: &Definition| other.parent.is_none() && other.name == name;
            let is_own = || all.iter().any(|other| is_named(other) && other.kind != DefinitionKind::Constant);
            return !matches!(name, "module" | "exports" | "this") && !is_own();
        }
        at = node.parent();
    }
    false
}

fn of_hunk(
    patch: &Patch,
    path: &RelPath,
    parsed: &Parsed,
    spans: &[Lines],
    hunk: usize,
    seen: &mut HashSet<String>,
) -> Vec<PatchMutant> {
    let mut parser = Parser::new();
    if parser.set_language(&(parsed.language.grammar)()).is_err() {
        return Vec::new();
    }
    let errors = parsed.errors();
    let mut all: Vec<PatchMutant> = Vec::new();
    for (width, lines) in spans.iter().enumerate() {
        let has_own = all.iter().any(|mutant| !mutant.slight);
        let mut found = Vec::new();
        for mutant in by_place(mutation::mutants(parsed, *lines, mutation::CLASSIC)).into_iter().take(PER_HUNK) {
            let Some(mutated) = mutant.parse(parsed, &mut parser) else { continue };
            if mutated.errors() > errors || !seen.insert(mutated.tokens()) {
                continue;
            }
            // Of what stands around mutants of its own, no decision is the patch's.
            let other_way = if has_own { None } else { other_way(parsed, &mutant) };
            let other_way = other_way.map(|text| with(patch, path, text));
            let slight = is_slight(patch, parsed, path, &mutant);
            let is_branch = width == 0 && mutant.operator == "classic-branch";
            let is_blind =
                is_branch && mutant.edits.first().is_some_and(|(bytes, _)| bound::is_blind(parsed, bytes.clone()));
            let (path, words) = (path.clone(), mutant.note.clone());
            let decides = mutant.operator == "classic-truth" && !has_own;
            found.push(PatchMutant {
                patch: with(patch, &path, mutated.text.to_string()),
                hunk,
                words,
                decides,
                other_way,
                is_blind,
                of_patch: width == 0,
                slight,
                needs_check: false,
                path,
                line: mutant.line,
            });
        }
        all.append(&mut found);
        if all.iter().filter(|mutant| !mutant.slight).count() >= LEAST {
            break;
        }
    }
    all
}

/// Whether `mutant` changes a text that stands in the unpatched file too, or
/// in what makes an error.
fn is_slight(patch: &Patch, parsed: &Parsed, path: &RelPath, mutant: &mutation::Mutant) -> bool {
    let Some((bytes, _)) = mutant.edits.first().filter(|_| mutant.operator == "classic-constant") else { return false };
    let text = parsed.text.get(bytes.clone()).unwrap_or_default();
    if !text.ends_with(['"', '\'', '`']) {
        return false;
    }
    let before = patch.changes().iter().find(|change| &change.path == path).and_then(|change| change.before.as_deref());
    let mut around = parsed.tree.root_node().descendant_for_byte_range(bytes.start, bytes.end);
    let mut is_of_error = false;
    while let Some(node) = around.filter(|_| !is_of_error) {
        let callee = node.child_by_field_name("function").or_else(|| node.child_by_field_name("constructor"));
        let callee = callee.filter(|callee| callee.end_byte() <= bytes.start);
        is_of_error = matches!(node.kind(), "raise_statement" | "throw_statement")
            || callee.is_some_and(|callee| ERRORS.iter().any(|word| parsed.text_of(callee).contains(word)));
        around = node.parent();
    }
    is_of_error || before.is_some_and(|before| before.contains(text))
}

/// `patch` with another text for one of its files.
fn with(patch: &Patch, path: &RelPath, text: String) -> Patch {
    let mut changes = patch.changes().to_vec();
    if let Some(change) = changes.iter_mut().find(|change| &change.path == path) {
        change.after = Some(text);
    }
    Patch::new(changes)
}

/// The text with a fault on the way that a mutant of a branch never goes.
fn other_way(parsed: &Parsed, mutant: &mutation::Mutant) -> Option<String> {
    let (bytes, new) = mutant.edits.first().filter(|_| mutant.operator == "classic-branch")?;
    let always = syntax::of(parsed.language)?.truth.0 == new.as_str();
    plant::on_way(parsed, bytes.clone(), !always)
}

/// The hunk, the statement around it, the function around it.
fn widened(parsed: &Parsed, span: Lines) -> Vec<Lines> {
    let mut all = vec![span];
    let Some(syntax) = syntax::of(parsed.language) else { return all };
    let (mut statement, mut function) = (None, None);
    language::walk(parsed.tree.root_node(), &mut |node: Node<'_>| {
        let lines = language::lines_of(node);
        if !(lines.start <= span.start && span.end <= lines.end) {
            return false;
        }
        // One inside another that is no more than the hunk (`a.equal = () => {}`)
        // has nothing of its own to look at.
        if syntax.is_function(node) && (lines != span || function.is_none()) {
            (function, statement) = (Some(lines), None);
        } else if syntax.is_in_list(node) {
            statement = Some(lines);
        }
        node.named_child_count() > 0
    });
    all.extend(statement);
    all.extend(function);
    all.dedup();
    all
}

/// The most telling change of each place first, then the second ones. Both
/// ways of a branch are one question.
fn by_place(mut mutants: Vec<mutation::Mutant>) -> Vec<mutation::Mutant> {
    mutants.sort_by(|a, b| b.prior.total_cmp(&a.prior).then(start(a).cmp(&start(b))));
    let mut turns: Vec<(usize, mutation::Mutant)> = Vec::new();
    for mutant in mutants {
        let before = if mutant.operator == "classic-branch" {
            0
        } else {
            turns.iter().filter(|(_, other)| start(other) == start(&mutant)).count()
        };
        turns.push((before, mutant));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, mutant)| mutant).collect()
}

fn start(mutant: &mutation::Mutant) -> usize {
    mutant.edits.first().map_or(0, |(bytes, _)| bytes.start)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn words(path: &str, before: &str, after: &str) -> Vec<String> {
        let patch = Patch::of_file(RelPath::new(path).expect("path"), before, after);
        choose(&patch, &[], 12)
            .iter()
            .map(|mutant| format!("{} {} {}", mutant.hunk, mutant.line, mutant.words))
            .collect()
    }

    #[test]
    fn the_unpatched_code_is_no_mutant() {
        assert_eq!(
            words("a.py", "def f(n):\n    return n > 10\n", "def f(n):\n    return n >= 10\n"),
            [
                "0 2 `n >= 10` is ever `False`",
                "0 2 `>=` is not `<`",
                "0 2 `10` is not `11`",
                "0 2 `n >= 10` is ever `True`",
                "0 2 `10` is not `9`"
            ]
        );
    }

    #[test]
    fn what_gives_functions_to_others_when_it_is_loaded_is_outside_of_functions() {
        for (text, first, inside) in [
            ("require('assert').equal = () => {};\n", 1, false),
            ("const a = require('assert');\na.strict.equal = function () {};\n", 2, false),
            ("const a = require('assert');\na['equal'] =\n  (x) => {\n    return x;\n  };\n", 2, false),
            ("expect = () => {};\n", 1, false),
            ("module.exports.f = () => {\n  return 1;\n};\n", 1, true),
            ("exports.f = () => 1;\n", 1, true),
            ("function F() {}\nF.prototype.f = function () {\n  return 1;\n};\n", 1, true),
            ("class F {}\nF.of = () => new F();\n", 2, true),
            ("const f = () => 1;\n", 1, true),
            ("function f() {\n  this.g = () => 1;\n  other.g = () => 1;\n}\n", 1, true),
            // In the body of such a function nothing is given to anybody.
            ("other.f = () => {\n  return 1;\n};\n", 1, false),
            ("other.f = () => {\n  return 1;\n};\n", 2, true),
        ] {
            let path = RelPath::new("a.js").expect("path");
            let parsed = language::parse(language::of_path(&path).expect("a language"), text);
            let lines = text.lines().count() as u32;
            assert_eq!(is_in_function(&parsed, Lines::new(first, lines)), inside, "{text} from line {first}");
        }
    }

    #[test]
    fn a_fault_stands_on_the_way_that_a_mutant_of_a_branch_never_goes() {
        for (path, before, after, always, never) in [
            (
                "a.py",
                "def f(n):\n    return g(n)\n",
                "def f(n):\n    return g(n) if n or m else 0\n",
                "return g(n) if (n or m) or (_ for _ in ()).throw(BaseException('planted by heal')) else 0",
                "return g(n) if (n or m) and (_ for _ in ()).throw(BaseException('planted by heal')) else 0",
            ),
            (
                "a.rs",
                "fn f(n: u8) -> u8 {\n    n\n}\n",
                "fn f(n: u8) -> u8 {\n    if g(n) { n } else { 0 }\n}\n",
                "if (g(n)) || panic!(\"planted by heal\") { n }",
                "if (g(n)) && panic!(\"planted by heal\") { n }",
            ),
            (
                "a.js",
                "function f(n) {\n  return n;\n}\n",
                "function f(n) {\n  if (g(n)) return 0;\n  return n;\n}\n",
                "if ((g(n)) || (() => { throw new Error('planted by heal'); })()) return 0;",
                "if ((g(n)) && (() => { throw new Error('planted by heal'); })()) return 0;",
            ),
            (
                "a.go",
                "package a\n\nfunc f(n int) int {\n\treturn n\n}\n",
                "package a\n\nfunc f(n int) int {\n\tif g(n) {\n\t\treturn 0\n\t}\n\treturn n\n}\n",
                "if (g(n)) || func() bool { panic(\"planted by heal\") }() {",
                "if (g(n)) && func() bool { panic(\"planted by heal\") }() {",
            ),
        ] {
            let patch = Patch::of_file(RelPath::new(path).expect("path"), before, after);
            let found: Vec<(bool, String)> = choose(&patch, &[], 12)
                .iter()
                .filter_map(|mutant| {
                    let text = mutant.other_way.as_ref()?.changes()[0].after.clone()?;
                    Some((mutant.words.contains("ever `F") || mutant.words.contains("ever `f"), text))
                })
                .collect();
            for (holds, wanted) in [(true, always), (false, never)] {
                let texts: Vec<&String> =
                    found.iter().filter(|(side, _)| *side == holds).map(|(_, text)| text).collect();
                assert!(texts.iter().any(|text| text.contains(wanted)), "{path}: {wanted} in {texts:#?}");
            }
        }
    }

    #[test]
    fn each_hunk_has_its_turn_and_a_deletion_the_function_around_it() {
        let before = "def f(n):\n    n += 1\n    log(n)\n    return n\n\n\ndef g(n):\n    return n < 1\n";
        let after = "def f(n):\n    n += 1\n    return n\n\n\ndef g(n):\n    return n < 2\n";
        let found = words("a.py", before, after);
        assert_eq!(found[..2], ["0 2 `+=` is not `-=`", "1 7 `n < 2` is ever `False`"], "{found:#?}");
    }

    #[test]
    fn what_holds_no_code_has_no_mutants() {
        for (path, before, after) in [
            ("a.py", "import a\n", "import b\n"),
            ("a.rs", "use a;\n", "use b;\n"),
            ("a.toml", "a = 1\n", "a = 2\n"),
            ("tests/test_a.py", "a = 1\n", "a = 2\n"),
        ] {
            assert!(words(path, before, after).is_empty(), "{path} {after}");
        }
    }
}
