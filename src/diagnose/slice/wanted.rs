//! Code that a model asks to see, by its name.
//!
//! Finds definitions of the project in its code files; reads nothing else, and
//! follows no path out of the tree.

use std::rc::Rc;

use super::excerpt;
use super::layout;
use super::layout::Item;
use crate::diagnose::Role;
use crate::diagnose::Slice;
use crate::diagnose::file::SourceFile;
use crate::diagnose::index::FileId;
use crate::diagnose::index::Index;
use crate::language;
use crate::source::Lines;
use crate::source::RelPath;

/// Tokens of what is shown for one answer.
const BUDGET_TOKENS: usize = 4000;
/// Definitions shown for one name.
const PER_NAME: usize = 2;
/// Files that are searched for a name.
const SEARCHED: usize = 20;
/// Classes and files up to this many lines are shown whole, of longer ones the
/// signatures.
const SHORT: u32 = 100;

/// The definitions that `names` mean, as [`crate::diagnose::look_up`] tells.
pub(in crate::diagnose) fn cut(index: &Index<'_>, names: &[String], shown: &[&Slice]) -> Slice {
    let mut items: Vec<Item> = Vec::new();
    let mut dropped = Vec::new();
    let near: Vec<&RelPath> = shown.iter().flat_map(|slice| slice.parts.iter().map(|part| &part.path)).collect();
    let is_shown = |item: &Item| {
        let parts = shown.iter().flat_map(|slice| &slice.parts).filter(|part| part.path == item.file.path);
        let lines: Vec<Lines> = parts.flat_map(|part| part.shown()).collect();
        let open = |line: &u32| !item.elided.iter().any(|gap| gap.contains(*line));
        (item.lines.start..=item.lines.end).filter(open).all(|line| lines.iter().any(|lines| lines.contains(line)))
    };
    for name in names {
        let found = Wanted::read(index, name).found(index, &near);
        if found.is_empty() {
            dropped.push(format!("{name}: no such definition"));
        }
        for item in found {
            match is_shown(&item) {
                true => dropped.push(format!("{name}: is shown above")),
                false => items.push(item),
            }
        }
    }
    let mut slice = layout::lay(items, BUDGET_TOKENS, BUDGET_TOKENS);
    slice.dropped.splice(0..0, dropped);
    slice
}

/// A name as a model writes it: `path:Class.method`, `module.function`, `path`.
struct Wanted<'n> {
    /// The files that its first part names; empty where none is named.
    files: Vec<FileId>,
    /// What the definition is called, and what stands before that.
    name: &'n str,
    around: Option<&'n str>,
}

impl<'n> Wanted<'n> {
    fn read(index: &Index<'_>, text: &'n str) -> Wanted<'n> {
        let text = text.trim_matches(['`', ' ', '\'', '"']);
        let (path, rest) = text.split_once(':').unwrap_or((text, ""));
        let files = files_at(index, path);
        let rest = if files.is_empty() { text } else { rest };
        // `name(self, x)`, and the line number that some add.
        let rest = rest.split(['(', ' ', '<']).next().unwrap_or_default().trim_matches(':');
        let (around, name) = rest.rsplit_once(['.', ':', '#', '/']).map_or((None, rest), |(around, name)| {
            (around.rsplit(['.', ':', '#', '/']).find(|part| !part.is_empty()), name)
        });
        Wanted { files, name, around }
    }

    fn found(&self, index: &Index<'_>, near: &[&RelPath]) -> Vec<Item> {
        if self.name.is_empty() || self.name.parse::<u32>().is_ok() {
            return self.files.iter().take(1).filter_map(|id| index.load(*id)).map(|file| whole(&file)).collect();
        }
        let mut files = self.files.clone();
        if files.is_empty() {
            files.extend(near.iter().filter_map(|path| index.id(path.as_str())));
            if let Some((path, language)) = near.first().and_then(|path| Some((*path, language::of_path(path)?))) {
                files.extend(index.search(&[self.name], language, &index.root, path).into_iter().take(SEARCHED));
            }
        }
        let mut found: Vec<(bool, Item)> = Vec::new();
        for file in files.iter().filter_map(|id| index.load(*id)).filter(|file| !file.is_foreign) {
            for definition in file.named(self.name) {
                let item = shown_of(&file, *definition);
                let is_known = found.iter().any(|(_, other)| other.file.id == file.id && other.lines == item.lines);
                if !is_known {
                    found.push((self.is_around(&file, *definition), item));
                }
            }
        }
        let is_exact = found.iter().any(|(fits, _)| *fits);
        found.into_iter().filter(|(fits, _)| *fits || !is_exact).map(|(_, item)| item).take(PER_NAME).collect()
    }

    /// Whether the definition stands in what the name says: a class, a module.
    fn is_around(&self, file: &SourceFile, definition: usize) -> bool {
        let Some(around) = self.around else { return true };
        let qualified = &file.definition(definition).qualified;
        let stem = file.path.file_name().split('.').next().unwrap_or_default();
        stem == around || qualified.rsplit(['.', ':']).any(|part| part == around)
    }
}

/// The file with this path, else those whose path ends in it.
fn files_at(index: &Index<'_>, path: &str) -> Vec<FileId> {
    let path = path.trim_start_matches("./");
    index.id(path).map_or_else(|| index.ending_in(path).collect(), |id| vec![id])
}

/// A definition: whole, or of a long class the signatures of its members.
fn shown_of(file: &Rc<SourceFile>, definition: usize) -> Item {
    let this = file.definition(definition);
    let mut item = super::plain(file, this.lines, &this.qualified);
    if this.kind.holds_methods() && this.lines.count() > SHORT {
        item.elided = excerpt::bodies(file, this.lines);
    }
    Item { likely: true, ..item }
}

/// A file: whole, or of a long one the signatures.
fn whole(file: &Rc<SourceFile>) -> Item {
    let lines = Lines::new(1, file.line_count().max(1));
    let elided = if lines.count() > SHORT { excerpt::bodies(file, lines) } else { Vec::new() };
    Item { file: file.clone(), lines, role: Role::Definition, symbol: None, elided, likely: true }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::Part;
    use crate::diagnose::tree::Tree;

    const LEXER: &str = "import rules\n\n\nclass Lexer:\n    def scan(self, text):\n        return [rule(text) for rule in rules.TABLE]\n\n\ndef scan(text):\n    return Lexer().scan(text)\n";

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("a path")
    }

    fn shown() -> Slice {
        let text = "def parse(text):\n    return scan(text)\n".to_owned();
        let lines = Lines::new(1, 2);
        let (role, symbol, elided) = (Role::Suspect, None, Vec::new());
        Slice {
            parts: vec![Part { path: path("app/parse.py"), lines, role, symbol, elided, text }],
            ..Slice::default()
        }
    }

    fn tree() -> Tree {
        let body: String = (0..60)
            .map(|n| format!("\n    def part{n}(self):\n        one()\n        two()\n        return {n}\n"))
            .collect();
        Tree::of(&[
            ("app/parse.py", "def parse(text):\n    return scan(text)\n"),
            ("app/lexer.py", LEXER),
            ("app/rules.py", "TABLE = [\n    str.upper,\n    str.lower,\n]\n"),
            ("app/long.py", &format!("class Long:\n    \"\"\"Has many parts.\"\"\"\n{body}")),
            ("app/vendor/scan.py", "def scan(text):\n    return None\n"),
            ("README.md", "scan\n"),
            (".env", "TOKEN = 'secret'\n"),
        ])
    }

    fn cut_of(names: &[&str]) -> Slice {
        let tree = tree();
        let files = tree.paths();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        cut(&Index::new(&tree, &files, RelPath::root()), &names, &[&shown()])
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let method = ("app/lexer.py", "Lexer.scan");
        let function = ("app/lexer.py", "scan");
        let table = ("app/rules.py", "TABLE");
        for (name, wanted) in [
            ("app/lexer.py:Lexer.scan", vec![method]),
            ("./app/lexer.py:Lexer.scan", vec![method]),
            ("lexer.py::Lexer::scan", vec![method]),
            ("`Lexer.scan(self, text)`", vec![method]),
            ("Lexer#scan", vec![method]),
            // Both are in the module.
            ("lexer.scan", vec![method, function]),
            ("app.rules.TABLE", vec![table]),
            ("rules.TABLE", vec![table]),
            ("TABLE", vec![table]),
            ("app/rules.py", vec![("app/rules.py", "")]),
            ("app/lexer.py:5", vec![("app/lexer.py", "")]),
        ] {
            let slice = cut_of(&[name]);
            let parts = slice.parts.iter().map(|part| (part.path.as_str(), part.symbol.as_deref().unwrap_or_default()));
            assert_eq!(parts.collect::<Vec<_>>(), wanted, "{name} {:?}", slice.dropped);
        }
    }

    #[test]
    fn what_is_no_definition_of_the_project_is_told_and_not_shown() {
        for (name, why) in [
            ("nothing", "nothing: no such definition"),
            ("", ": no such definition"),
            (".env", ".env: no such definition"),
            (".env:TOKEN", ".env:TOKEN: no such definition"),
            ("README.md", "README.md: no such definition"),
            ("../outside.py:f", "../outside.py:f: no such definition"),
            ("/etc/passwd", "/etc/passwd: no such definition"),
            ("app/vendor/scan.py:scan", "app/vendor/scan.py:scan: no such definition"),
            ("app/parse.py:parse", "app/parse.py:parse: is shown above"),
        ] {
            let slice = cut_of(&[name]);
            assert_eq!((slice.parts.len(), &slice.dropped[..]), (0, &[why.to_owned()][..]));
        }
    }

    #[test]
    fn a_long_class_is_shown_by_its_signatures() {
        let slice = cut_of(&["Long"]);
        let text = &slice.parts[0].text;
        assert!(text.contains("def part59(self):") && !text.contains("one()"), "{text}");
        assert!(slice.tokens < BUDGET_TOKENS, "{}", slice.tokens);
        let member = cut_of(&["Long.part7"]);
        assert!(member.parts[0].text.contains("return 7"), "{}", member.parts[0].text);
    }
}
