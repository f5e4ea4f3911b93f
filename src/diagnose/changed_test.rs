//! Whether a failure came with a change of its test alone: the test is not
//! what it was, and no code that it can reach has changed.
//!
//! In doubt the code has: a file whose way to the test cannot be told counts
//! as reached. A test that is new never passed, and says nothing.

use std::collections::HashSet;
use std::rc::Rc;

use super::Evidence;
use super::Texts;
use super::file::SourceFile;
use super::index::FileId;
use super::index::Index;
use super::modules;
use super::modules::Thing;
use super::slice::test_code;
use super::suspect::Findings;
use super::target::Target;
use crate::language;
use crate::language::DefinitionKind;
use crate::source::Lines;
use crate::source::RelPath;

/// Files that are followed from the test; more are not told apart.
const MAX_FOLLOWED: usize = 200;
/// An earlier text that is longer is not compared.
const MAX_BYTES: u64 = 1024 * 1024;
/// Endings of files that no test depends on.
const PROSE: &[&str] = &["md", "rst", "adoc", "txt"];

/// Where the failing test changed, in words; `None` where it did not, is new,
/// or code that it may reach changed with it.
pub(super) fn alone(index: &Index<'_>, evidence: &Evidence<'_>, findings: &Findings) -> Option<String> {
    let earlier = evidence.earlier?;
    let target = findings.target.as_ref()?;
    let (path, lines, name) = changed(index, evidence, target, earlier)?;
    let reach = Reach::of(index, evidence, findings, target);
    if evidence.recent.iter().any(|(path, lines)| reach.holds(index, path, lines)) {
        return None;
    }
    Some(format!(
        "the latest change is to the test (`{name}`, {path}:{}-{}), and to no code that it reaches",
        lines.start, lines.end
    ))
}

/// The part of the failing test, its fixtures or helpers that was there before
/// and reads otherwise now.
fn changed(
    index: &Index<'_>,
    evidence: &Evidence<'_>,
    target: &Target,
    earlier: &dyn Texts,
) -> Option<(RelPath, Lines, String)> {
    for (file, lines, name) in test_code::spans(index, target) {
        let spans = evidence.recent.iter().filter(|(path, _)| *path == file.path).flat_map(|(_, spans)| spans);
        if !spans.into_iter().any(|span| span.overlaps(&lines)) {
            continue;
        }
        let Some(before) = earlier.text(&file.path, MAX_BYTES) else { continue };
        let before = language::parse(file.language(), &before);
        let old = before.definitions().into_iter().find(|definition| definition.qualified == name);
        // Of a group of tests the header alone is a span.
        let Some(old) = old.filter(|old| old.kind.is_callable() || old.kind == DefinitionKind::Constant) else {
            continue;
        };
        // An edit of white space changes no test.
        if squeezed(&before.text[old.bytes.clone()]) != squeezed(file.lines_text(lines)) {
            return Some((file.path.clone(), lines, name));
        }
    }
    None
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The files of code that the test may run.
struct Reach {
    /// `None` where every file may be.
    files: Option<HashSet<FileId>>,
    family: &'static str,
}

impl Reach {
    fn of(index: &Index<'_>, evidence: &Evidence<'_>, findings: &Findings, target: &Target) -> Reach {
        let family = target.file.language().family;
        // In the others a file sees its whole package without an import.
        if !matches!(family, "python" | "javascript") {
            return Reach { files: None, family };
        }
        let ran = evidence.executed.iter().flatten().filter_map(|(path, _)| index.id(path.as_str()));
        let mut files: HashSet<FileId> = findings.reached.iter().copied().chain(ran).collect();
        files.extend(preparing(index, &target.file));
        let mut open: Vec<FileId> = files.iter().copied().collect();
        while let Some(file) = open.pop().and_then(|id| index.load(id)) {
            for found in imported(index, &file) {
                if files.insert(found) {
                    open.push(found);
                }
            }
            if files.len() > MAX_FOLLOWED {
                return Reach { files: None, family };
            }
        }
        Reach { files: Some(files), family }
    }

    /// Whether `lines` of the file at `path` are code outside tests that may
    /// have run, or something else that a test may depend on.
    fn holds(&self, index: &Index<'_>, path: &RelPath, lines: &[Lines]) -> bool {
        let Some(language) = language::of_path(path) else {
            return !path.extension().is_some_and(|ending| PROSE.contains(&ending.to_lowercase().as_str()));
        };
        if (language.is_test_file)(path) {
            return false;
        }
        let in_reach = match (&self.files, index.id(path.as_str())) {
            (Some(files), Some(id)) if language.family == self.family => files.contains(&id),
            _ => true,
        };
        let in_test = |file: &SourceFile, line| file.enclosing(line).is_some_and(|at| file.is_test_code(at));
        in_reach
            && index
                .load_path(path)
                .is_none_or(|file| lines.iter().any(|span| !(in_test(&file, span.start) && in_test(&file, span.end))))
    }
}

/// The test's own file, and every `conftest.py` that prepares it.
fn preparing(index: &Index<'_>, file: &SourceFile) -> Vec<FileId> {
    let mut found = vec![file.id];
    let mut folder = file.path.parent();
    loop {
        found.extend(folder.join("conftest.py").ok().and_then(|path| index.id(path.as_str())));
        if folder.is_root() {
            return found;
        }
        folder = folder.parent();
    }
}

/// The files that a file imports, and those that run on the way there.
fn imported(index: &Index<'_>, file: &Rc<SourceFile>) -> Vec<FileId> {
    let mut found = Vec::new();
    let separator = file.language().separator;
    for import in &file.outline.imports {
        let within = file.enclosing(import.lines.start);
        let module = Some(import.module.as_str()).filter(|module| !module.is_empty());
        for path in module.into_iter().chain(import.locals()).filter(|path| *path != "*") {
            let segments: Vec<&str> = path.split(separator).collect();
            for thing in modules::resolve(index, file, within, &segments) {
                let id = match thing {
                    Thing::Module(module) => module.file,
                    Thing::Definition(place) => Some(place.file),
                };
                let Some(id) = id else { continue };
                found.push(id);
                let mut folder = index.files[id].parent();
                while !folder.is_root() {
                    found.extend(folder.join("__init__.py").ok().and_then(|path| index.id(path.as_str())));
                    folder = folder.parent();
                }
            }
        }
    }
    found
}
