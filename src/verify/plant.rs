//! Faults planted on purpose in the functions that a patch changes.
//!
//! Makes texts; runs nothing. What is planted either raises what nothing but a
//! bare `except` holds back, or ends the process at once.

use std::ops::Range;

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::Lines;
use crate::source::RelPath;

mod fault;
mod given;

use fault::Fault;
use fault::Form;
use fault::Place;
use fault::body_place;
pub use given::Instead;

/// What a planted fault says of itself, so that it is told from others.
pub const MARK: &str = "planted by heal";

/// How a planted fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It raises, or panics.
    Raises,
    /// It ends the process: nothing can swallow that.
    Ends,
}

/// Where faults are planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Before the innermost statement of each changed hunk, in functions.
    Hunks,
    /// In the innermost function of each changed hunk.
    Functions,
    /// For hunks outside functions: in the functions of the patched files that
    /// the test is known to enter.
    Entered,
    /// For hunks outside functions: behind the changed statement itself.
    Statements,
    /// For hunks outside functions: in every function of the file. A test that
    /// does not notice these need not have anything to do with them.
    Everywhere,
}

/// Lines that a test executed, by file, on the unpatched tree.
pub type Executed = [(RelPath, Vec<u32>)];

/// The ways to plant a fault in `patch`, the most telling first.
pub fn ways(patch: &Patch, executed: &Executed) -> Vec<Way> {
    let files = files(patch);
    let mut ways = Vec::new();
    let has = |way: Way| files.iter().any(|file| !file.places(way, executed).is_empty());
    if has(Way::Functions) {
        ways.push(Way::Functions);
    }
    ways.extend([Way::Entered, Way::Statements, Way::Everywhere].into_iter().find(|way| has(*way)));
    ways
}

/// The patch with a fault at each place of `way`; `None` where there is none.
pub fn plant(patch: &Patch, executed: &Executed, way: Way, manner: Manner) -> Option<Patch> {
    with_texts(patch, &|file| file.with(&file.places(way, executed), manner))
}

/// The patch with other texts for those of its files that `text` gives one for;
/// `None` where it gives none.
fn with_texts(patch: &Patch, text: &dyn Fn(&File) -> Option<String>) -> Option<Patch> {
    let mut changes = patch.changes().to_vec();
    let mut any = false;
    for file in files(patch) {
        let Some(text) = text(&file) else { continue };
        if let Some(change) = changes.iter_mut().find(|change| change.path == file.path) {
            change.after = Some(text);
            any = true;
        }
    }
    any.then(|| Patch::new(changes))
}

/// The text of `parsed` with a fault on one way of the condition at `bytes`:
/// it raises where the condition holds (`way` is true), or where it does not.
/// Who turns red has gone that way. `None` for a language without operators.
pub fn on_way(parsed: &Parsed, bytes: Range<usize>, way: bool) -> Option<String> {
    let syntax = syntax::of(parsed.language)?;
    let text = &*parsed.text;
    let condition = Fault::of(parsed.language).on_way(syntax, text.get(bytes.clone())?, way);
    Some(format!("{}{condition}{}", &text[..bytes.start], &text[bytes.end..]))
}

fn files(patch: &Patch) -> Vec<File> {
    patch.touched_after().into_iter().filter_map(|(path, hunks)| File::of(patch, path, hunks)).collect()
}

/// Lines, in the patched text, of the functions of `path` that the test is
/// known to enter; of all its functions where `hunks` define a macro, which
/// changes what each of them means.
pub fn entered(patch: &Patch, path: &RelPath, hunks: &[Lines], executed: &Executed) -> Vec<Lines> {
    let Some(file) = File::of(patch, path, Vec::new()) else { return Vec::new() };
    if defines_macro(&file.parsed, hunks) {
        return functions_of(&file.parsed).into_iter().map(language::lines_of).collect();
    }
    let lines = executed.iter().filter(|(other, _)| other == path).flat_map(|(_, lines)| lines.iter().copied());
    let names = file.entered(&lines.collect::<Vec<u32>>());
    let functions = functions_of(&file.parsed).into_iter();
    functions.filter(|function| names.contains(&name(&file.parsed, *function))).map(language::lines_of).collect()
}

/// Lines, in the patched text, of the functions that hold the hunks of `path`:
/// of each hunk the innermost one around it, else the outermost ones in it.
pub fn around(patch: &Patch, path: &RelPath, hunks: &[Lines]) -> Vec<Lines> {
    let Some(file) = File::of(patch, path, hunks.to_vec()) else { return Vec::new() };
    file.around().into_iter().map(own_lines).collect()
}

/// The patch with something else for every value that the functions around its
/// hunks give, once it has been worked out; `None` where they give none, or where
/// values have types.
pub fn giving(patch: &Patch, instead: Instead) -> Option<Patch> {
    with_texts(patch, &|file| given::giving(&file.parsed, &file.around(), instead))
}

fn defines_macro(parsed: &Parsed, hunks: &[Lines]) -> bool {
    let mut found = false;
    language::walk(parsed.tree.root_node(), &mut |node| {
        let lines = language::lines_of(node);
        found |= node.kind() == "macro_definition" && hunks.iter().any(|hunk| hunk.overlaps(&lines));
        node.named_child_count() > 0
    });
    found
}

/// A patched file.
struct File {
    path: RelPath,
    before: Option<Parsed>,
    parsed: Parsed,
    hunks: Vec<Lines>,
}

impl File {
    fn of(patch: &Patch, path: &RelPath, hunks: Vec<Lines>) -> Option<File> {
        let change: &FileChange = patch.changes().iter().find(|change| &change.path == path)?;
        let language = language::of_path(path)?;
        let after = change.after.as_deref()?;
        if path.extension() == Some("pyi") || (language.is_test_file)(path) {
            return None;
        }
        let before = change.before.as_deref().map(|text| language::parse(language, text));
        Some(File { path: path.clone(), before, parsed: language::parse(language, after), hunks })
    }

    fn places(&self, way: Way, executed: &Executed) -> Vec<Place> {
        match way {
            Way::Functions => return self.innermost(),
            Way::Hunks => return self.before_hunks(),
            Way::Entered | Way::Statements | Way::Everywhere => {}
        }
        let outside = self.outside();
        if outside.is_empty() {
            return Vec::new();
        }
        let all = || functions_of(&self.parsed).into_iter().filter_map(|function| body_place(&self.parsed, function));
        match way {
            Way::Entered => {
                let lines = executed.iter().filter(|(path, _)| path == &self.path).flat_map(|(_, lines)| lines);
                // Lines of the unpatched text: names decide, not numbers.
                let names = self.entered(&lines.copied().collect::<Vec<u32>>());
                all().filter(|place| names.contains(&place.name)).collect()
            }
            Way::Statements => self.at_hunks(&outside),
            Way::Everywhere if !Fault::of(self.parsed.language).stands_anywhere => all().collect(),
            Way::Everywhere | Way::Functions | Way::Hunks => Vec::new(),
        }
    }

    /// Hunks with a line that no function holds.
    fn outside(&self) -> Vec<Lines> {
        let functions: Vec<Lines> = functions_of(&self.parsed).into_iter().map(own_lines).collect();
        let held = |hunk: &Lines| functions.iter().any(|lines| covers(*lines, *hunk));
        self.hunks.iter().filter(|hunk| !held(hunk)).copied().collect()
    }

    /// Of each hunk the innermost function around it, which is more than the hunk
    /// where there is such a one; else the outermost ones that it meets.
    fn around(&self) -> Vec<Node<'_>> {
        let functions = functions_of(&self.parsed);
        let mut found: Vec<Node<'_>> = Vec::new();
        for hunk in &self.hunks {
            let held = functions.iter().filter(|function| covers(own_lines(**function), *hunk));
            match held.max_by_key(|function| (own_lines(**function) != *hunk, function.start_byte())) {
                Some(function) => found.push(*function),
                None => {
                    let met: Vec<_> = functions.iter().filter(|one| own_lines(**one).overlaps(hunk)).collect();
                    let is_within = |one: &Node<'_>, other: &Node<'_>| {
                        one != other && other.start_byte() <= one.start_byte() && one.end_byte() <= other.end_byte()
                    };
                    found.extend(met.iter().copied().filter(|one| !met.iter().any(|other| is_within(one, other))));
                }
            }
        }
        found.sort_by_key(Node::start_byte);
        found.dedup();
        found
    }

    /// Places in the innermost functions of the hunks.
    fn innermost(&self) -> Vec<Place> {
        let functions = functions_of(&self.parsed);
        let mut places: Vec<Place> = Vec::new();
        for hunk in &self.hunks {
            let met: Vec<Node<'_>> =
                functions.iter().copied().filter(|function| own_lines(*function).overlaps(hunk)).collect();
            for function in &met {
                // Of two that hold the whole hunk the inner one is meant.
                let holds_another = met.iter().any(|other| {
                    other != function
                        && function.start_byte() <= other.start_byte()
                        && other.end_byte() <= function.end_byte()
                        && covers(own_lines(*other), *hunk)
                });
                if !holds_another {
                    places.extend(body_place(&self.parsed, *function));
                }
            }
        }
        places
    }

    /// A place before the innermost statement that holds the first code of each
    /// hunk; hunks outside functions have none.
    fn before_hunks(&self) -> Vec<Place> {
        let Some(syntax) = syntax::of(self.parsed.language) else { return Vec::new() };
        let functions = functions_of(&self.parsed);
        let text = &*self.parsed.text;
        let mut places: Vec<Place> = Vec::new();
        for hunk in &self.hunks {
            let held = functions.iter().filter(|function| covers(own_lines(**function), *hunk));
            let Some(function) = held.max_by_key(|function| function.start_byte()) else { continue };
            let has_code =
                |line: &u32| text.lines().nth(*line as usize - 1).is_some_and(|code| !code.trim().is_empty());
            let line = (hunk.start..=hunk.end).find(has_code).unwrap_or(hunk.start);
            let mut statement = None;
            language::walk(*function, &mut |node| {
                let inside =
                    language::lines_of(node).contains(line) && (node == *function || !syntax.is_function(node));
                if inside && node != *function && syntax.is_in_list(node) {
                    statement = Some(node);
                }
                inside && node.named_child_count() > 0
            });
            let body = function.child_by_field_name("body");
            let statement = statement.filter(|statement| {
                body.is_some_and(|body| body.start_byte() <= statement.start_byte() && *statement != body)
            });
            places.extend(match statement {
                Some(statement) => Some(fault::before(text, name(&self.parsed, *function), statement)),
                None => body_place(&self.parsed, *function),
            });
        }
        places
    }

    /// Names of the functions of the unpatched text with an executed line in
    /// their body.
    fn entered(&self, lines: &[u32]) -> Vec<String> {
        let Some(before) = &self.before else { return Vec::new() };
        let in_body = |function: &Node<'_>| {
            let body = function.child_by_field_name("body").map(language::lines_of);
            body.is_some_and(|body| lines.iter().any(|line| body.contains(*line)))
        };
        functions_of(before)
            .iter()
            .filter(|function| in_body(function))
            .map(|function| name(before, *function))
            .collect()
    }

    /// Behind the statement of a module or class that each hunk is in. Behind,
    /// so that whatever the statement does on being loaded is done first.
    fn at_hunks(&self, hunks: &[Lines]) -> Vec<Place> {
        if !Fault::of(self.parsed.language).stands_anywhere {
            return Vec::new();
        }
        let root = self.parsed.tree.root_node();
        let text = &*self.parsed.text;
        let mut future = 0;
        let mut cursor = root.walk();
        for child in root.children(&mut cursor) {
            if child.kind() == "future_import_statement" {
                future = child.end_byte();
            }
        }
        let mut places: Vec<Place> = Vec::new();
        for hunk in hunks {
            let Some(statement) = statement_at(root, *hunk) else { continue };
            let (byte, indent) = if statement.end_byte() < future {
                (future, String::new())
            } else {
                (statement.end_byte(), syntax::indent_at(text, statement.start_byte()).to_owned())
            };
            let end = text[byte..].find('\n').map_or(text.len(), |at| byte + at + 1);
            if places.iter().all(|place| place.byte != end) {
                places.push(Place { name: String::new(), byte: end, form: Form::Line(indent) });
            }
        }
        places
    }

    /// The text with a fault at each place; `None` where there is no place.
    fn with(&self, places: &[Place], manner: Manner) -> Option<String> {
        let mut places = places.to_vec();
        places.sort_by_key(|place| place.byte);
        places.dedup_by_key(|place| place.byte);
        let fault = Fault::of(self.parsed.language);
        let mut text = self.parsed.text.to_string();
        for place in places.iter().rev() {
            fault.put(&mut text, place, manner);
        }
        if manner == Manner::Ends {
            fault.bring_in(&self.parsed, &mut text);
        }
        (!places.is_empty()).then_some(text)
    }
}

fn covers(outer: Lines, inner: Lines) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// All functions that are no tests, in text order.
fn functions_of(parsed: &Parsed) -> Vec<Node<'_>> {
    let Some(syntax) = syntax::of(parsed.language) else { return Vec::new() };
    let mut found = Vec::new();
    language::walk(parsed.tree.root_node(), &mut |node| {
        if syntax::is_test(parsed, node) {
            return false;
        }
        if syntax.is_function(node) && node.child_by_field_name("body").is_some() {
            found.push(node);
        }
        node.named_child_count() > 0
    });
    found
}

/// A function's lines with its decorators.
fn own_lines(function: Node<'_>) -> Lines {
    match function.parent().filter(|parent| parent.kind() == "decorated_definition") {
        Some(parent) => language::lines_of(parent),
        None => language::lines_of(function),
    }
}

fn name(parsed: &Parsed, function: Node<'_>) -> String {
    let named = syntax::of(parsed.language).and_then(|syntax| syntax.name_of(function));
    named.map(|name| parsed.text_of(name).to_owned()).unwrap_or_default()
}

/// The statement of a module or class that holds the hunk's first line with
/// code, or the last one before it.
fn statement_at(root: Node<'_>, hunk: Lines) -> Option<Node<'_>> {
    let mut holder = root;
    loop {
        let mut cursor = holder.walk();
        let children: Vec<Node<'_>> =
            holder.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
        let over = children.iter().find(|child| language::lines_of(**child).overlaps(&hunk));
        let statement = over.or_else(|| children.iter().rfind(|child| language::lines_of(**child).end < hunk.start))?;
        let definition = match statement.kind() {
            "decorated_definition" => statement.child_by_field_name("definition").unwrap_or(*statement),
            _ => *statement,
        };
        let inside = definition
            .child_by_field_name("body")
            .filter(|body| definition.kind() == "class_definition" && language::lines_of(*body).overlaps(&hunk));
        match inside {
            Some(body) => holder = body,
            None => return Some(*statement),
        }
    }
}

#[cfg(test)]
mod tests;
