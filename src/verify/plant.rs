//! Faults planted on purpose in the functions that a patch changes.
//!
//! Makes texts; runs nothing. What is planted either raises what nothing but a
//! bare `except` holds back, or ends the process at once.

use tree_sitter::Node;

use crate::language;
use crate::language::Parsed;
use crate::mutation::syntax;
use crate::patch::FileChange;
use crate::patch::Patch;
use crate::source::Lines;
use crate::source::RelPath;

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
    let mut changes = patch.changes().to_vec();
    let mut any = false;
    for file in files(patch) {
        let Some(text) = file.with(&file.places(way, executed), manner) else { continue };
        if let Some(change) = changes.iter_mut().find(|change| change.path == file.path) {
            change.after = Some(text);
            any = true;
        }
    }
    any.then(|| Patch::new(changes))
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

/// A place in a text where a statement can be put.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Name of the function.
    name: String,
    byte: usize,
    /// Whether the statement gets a line of its own, with this indentation.
    own_line: Option<String>,
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

    fn is_rust(&self) -> bool {
        self.parsed.language.name == "rust"
    }

    fn places(&self, way: Way, executed: &Executed) -> Vec<Place> {
        if way == Way::Functions {
            return self.innermost();
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
            Way::Everywhere if self.is_rust() => all().collect(),
            Way::Everywhere | Way::Functions => Vec::new(),
        }
    }

    /// Hunks with a line that no function holds.
    fn outside(&self) -> Vec<Lines> {
        let functions: Vec<Lines> = functions_of(&self.parsed).into_iter().map(own_lines).collect();
        let held = |hunk: &Lines| functions.iter().any(|lines| covers(*lines, *hunk));
        self.hunks.iter().filter(|hunk| !held(hunk)).copied().collect()
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
        if self.is_rust() {
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
                places.push(Place { name: String::new(), byte: end, own_line: Some(indent) });
            }
        }
        places
    }

    /// The text with a fault at each place; `None` where there is no place.
    fn with(&self, places: &[Place], manner: Manner) -> Option<String> {
        let mut places = places.to_vec();
        places.sort_by_key(|place| place.byte);
        places.dedup_by_key(|place| place.byte);
        let fault = match (self.is_rust(), manner) {
            // `if true` keeps the compiler from calling the rest unreachable.
            (true, Manner::Raises) => format!("if true {{ panic!(\"{MARK}\"); }}"),
            (true, Manner::Ends) => "if true { ::std::process::exit(97); }".to_owned(),
            // No `Exception`: a handler for those must not hide it.
            (false, Manner::Raises) => format!("raise BaseException('{MARK}')"),
            (false, Manner::Ends) => "__import__('os')._exit(97)".to_owned(),
        };
        let newline = syntax::newline(&self.parsed.text);
        let mut text = self.parsed.text.to_string();
        for place in places.iter().rev() {
            let statement = match &place.own_line {
                Some(indent) if place.byte > 0 && !text[..place.byte].ends_with('\n') => {
                    format!("{newline}{indent}{fault}{newline}")
                }
                Some(indent) => format!("{indent}{fault}{newline}"),
                None if self.is_rust() => format!("{newline}{fault}{newline}"),
                None => format!("{fault}; "),
            };
            text.insert_str(place.byte, &statement);
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
    function.child_by_field_name("name").map(|name| parsed.text_of(name).to_owned()).unwrap_or_default()
}

/// The first place in a function's body, behind its documentation and inner
/// attributes.
fn body_place(parsed: &Parsed, function: Node<'_>) -> Option<Place> {
    let text = &*parsed.text;
    let name = name(parsed, function);
    let body = function.child_by_field_name("body")?;
    let mut cursor = body.walk();
    if parsed.language.name == "rust" {
        let mut byte = body.start_byte() + 1;
        for child in body.named_children(&mut cursor) {
            let inner = child.kind() == "inner_attribute_item"
                || matches!(text.get(child.start_byte()..child.start_byte() + 3), Some("//!" | "/*!"));
            if !inner {
                break;
            }
            byte = child.end_byte();
        }
        return Some(Place { name, byte, own_line: None });
    }
    let statements: Vec<Node<'_>> =
        body.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect();
    let is_doc = |node: &Node<'_>| {
        node.kind() == "string"
            || node.kind() == "expression_statement"
                && node.named_child(0).is_some_and(|inner| inner.kind() == "string")
    };
    let (first, rest) = statements.split_first()?;
    let place = |node: &Node<'_>| {
        let line = syntax::line_start(text, node.start_byte());
        let alone = text[line..node.start_byte()].trim().is_empty();
        Place {
            name: name.clone(),
            byte: if alone { line } else { node.start_byte() },
            own_line: alone.then(|| text[line..node.start_byte()].to_owned()),
        }
    };
    if !is_doc(first) {
        return Some(place(first));
    }
    match rest.first() {
        Some(next) => Some(place(next)),
        // Nothing but documentation.
        None => {
            let end = text[first.end_byte()..].find('\n').map_or(text.len(), |at| first.end_byte() + at + 1);
            let own_line = Some(syntax::indent_at(text, first.start_byte()).to_owned());
            let inline = text[syntax::line_start(text, first.start_byte())..first.start_byte()].trim().is_empty();
            inline.then_some(Place { name, byte: end, own_line })
        }
    }
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
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn planted(path: &str, before: &str, after: &str, executed: &[u32]) -> Option<(String, Way)> {
        let path = RelPath::new(path).expect("path");
        let patch = Patch::of_file(path.clone(), before, after);
        let executed = [(path, executed.to_vec())];
        let way = *ways(&patch, &executed).first()?;
        let found = plant(&patch, &executed, way, Manner::Raises)?;
        let text = found.changes()[0].after.clone().expect("text");
        let text = text.replace("raise BaseException('planted by heal')", "!!");
        Some((text.replace("if true { panic!(\"planted by heal\"); }", "!!"), way))
    }

    #[test]
    fn a_fault_stands_at_the_start_of_each_patched_function() {
        for (path, before, after, wanted) in [
            (
                "a.py",
                "def f(x):\n    \"doc\"\n    return x\n",
                "def f(x):\n    \"doc\"\n    return x + 1\n",
                "def f(x):\n    \"doc\"\n    !!\n    return x + 1\n",
            ),
            ("a.py", "def f(x): return x\n", "def f(x): return x + 1\n", "def f(x): !!; return x + 1\n"),
            ("a.py", "def f(x):\n    pass\n", "def f(x):\n    \"doc\"\n", "def f(x):\n    \"doc\"\n    !!\n"),
            (
                "a.py",
                "class A:\n    @p\n    async def f(x):\n        yield 1\n\n    def g(x):\n        return 2\n",
                "class A:\n    @p\n    async def f(x):\n        yield 2\n\n    def g(x):\n        return 2\n",
                "class A:\n    @p\n    async def f(x):\n        !!\n        yield 2\n\n    def g(x):\n        return 2\n",
            ),
            // The innermost function, and not the one around it.
            (
                "a.py",
                "def f():\n    def g():\n        return 1\n    return g\n",
                "def f():\n    def g():\n        return 2\n    return g\n",
                "def f():\n    def g():\n        !!\n        return 2\n    return g\n",
            ),
            // A lambda belongs to the function around it.
            (
                "a.py",
                "def f():\n    return lambda: 1\n",
                "def f():\n    return lambda: 2\n",
                "def f():\n    !!\n    return lambda: 2\n",
            ),
            // The module itself, behind the statement.
            (
                "a.py",
                "from __future__ import annotations\nA = 1\nB = 2\n",
                "from __future__ import annotations\nA = 3\nB = 2\n",
                "from __future__ import annotations\nA = 3\n!!\nB = 2\n",
            ),
            (
                "a.py",
                "class A:\n    x = 1\n    y = 2\n",
                "class A:\n    x = 3\n    y = 2\n",
                "class A:\n    x = 3\n    !!\n    y = 2\n",
            ),
            ("a.py", "k = lambda: 1", "k = lambda: 2", "k = lambda: 2\n!!\n"),
            ("a.rs", "fn f() -> u8 { 1 }\n", "fn f() -> u8 { 2 }\n", "fn f() -> u8 {\n!!\n 2 }\n"),
            (
                "a.rs",
                "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n        1\n    }\n    fn g() {}\n}\n",
                "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n        2\n    }\n    fn g() {}\n}\n",
                "impl A {\n    const fn f(&self) -> u8 {\n        #![allow(x)]\n!!\n\n        2\n    }\n    fn g() {}\n}\n",
            ),
        ] {
            let (text, way) = planted(path, before, after, &[]).expect("planted");
            assert_eq!(text, wanted);
            assert!(matches!(way, Way::Functions | Way::Statements));
        }
    }

    #[test]
    fn what_no_function_holds_is_tried_by_the_functions_the_test_enters() {
        let before = "RATE = 1\n\ndef f():\n    return RATE\n\ndef g():\n    return 0\n";
        let after = before.replace("RATE = 1", "RATE = 2");
        assert_eq!(
            planted("a.py", before, &after, &[4]),
            Some((after.replace("    return RATE", "    !!\n    return RATE"), Way::Entered))
        );
        assert_eq!(
            planted("a.rs", "const A: u8 = 1;\nfn f() {}\n", "const A: u8 = 2;\nfn f() {}\n", &[]),
            Some(("const A: u8 = 2;\nfn f() {\n!!\n}\n".to_owned(), Way::Everywhere))
        );
        assert_eq!(planted("a.rs", "const A: u8 = 1;\n", "const A: u8 = 2;\n", &[]), None);
        assert_eq!(planted("a.toml", "a = 1\n", "a = 2\n", &[]), None);
    }

    #[test]
    fn hunks_inside_and_outside_of_functions_are_asked_apart() {
        let before = "RATE = 1\n\ndef f():\n    return RATE\n\ndef g():\n    return 0\n";
        let after = before.replace("RATE = 1", "RATE = 2").replace("return 0", "return 1");
        let path = RelPath::new("a.py").expect("path");
        let patch = Patch::of_file(path.clone(), before, after);
        assert_eq!(ways(&patch, &[]), [Way::Functions, Way::Statements]);
        assert_eq!(ways(&patch, &[(path, vec![4])]), [Way::Functions, Way::Entered]);
    }

    #[test]
    fn tests_inside_sources_get_no_fault() {
        let before = "fn f() -> u8 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() { super::f(); }\n}\n";
        let (text, _) = planted("a.rs", before, &before.replace("{ 1 }", "{ 2 }"), &[]).expect("planted");
        assert_eq!(text.matches("!!").count(), 1);
    }
}
