//! The failing test in the code: its function, and the line it failed at.
//!
//! Finds it by the runner's place, else by the trace and the name.

use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;

use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use crate::failure::Failure;
use crate::runner::TestPlace;
use crate::source::RelPath;
use crate::trace::javascript;

/// A failing test in the code.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) file: Rc<SourceFile>,
    /// Its function; `None` where only the file is known.
    pub(crate) function: Option<usize>,
    /// The line of the function at which it failed, 1-based; `None` where the
    /// failure does not tell.
    pub(crate) line: Option<u32>,
}

impl Target {
    pub(crate) fn place(&self) -> Option<Place> {
        self.function.map(|definition| Place { file: self.file.id, definition })
    }
}

/// `src/lib.rs - Cart::total (line 18)`: how rustdoc names its tests.
static DOCTEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\S+\.rs) - (?:(\S+) )?\(line (\d+)\)").expect("the pattern is valid"));

/// Finds the test of `failure`.
pub(crate) fn find(index: &Index<'_>, failure: &Failure, tests: &[TestPlace]) -> Option<Target> {
    let named = tests.iter().find(|test| !test.function.is_empty() && failure.id.contains(&test.function));
    let place = named.or(tests.first().filter(|_| tests.len() == 1));
    if let Some(found) = place.and_then(|test| of_place(index, failure, test)) {
        return Some(found);
    }
    of_doctest(index, failure).or_else(|| of_id(index, failure)).or_else(|| of_frames(index, failure))
}

fn of_place(index: &Index<'_>, failure: &Failure, test: &TestPlace) -> Option<Target> {
    let file = index.load_path(&test.path)?;
    let by_line = || file.enclosing(test.lines?.start);
    let function = function(&file, &test.function, failure).or_else(by_line).or_else(|| on_trace(&file, failure));
    Some(with_line(file, function, failure))
}

/// The function `name` of the file that is this failure's: the one on the
/// trace, else the one whose class the id names, else the last (a later
/// definition shadows).
fn function(file: &SourceFile, name: &str, failure: &Failure) -> Option<usize> {
    // A title of JavaScript may hold anything.
    let last = if file.named(name).is_empty() { name.rsplit(['.', ':']).next().unwrap_or(name) } else { name };
    let callable: Vec<usize> =
        file.named(last).iter().copied().filter(|index| file.definition(*index).kind.is_callable()).collect();
    let on_trace = callable.iter().find(|index| {
        failure.frames.iter().any(|frame| {
            frame.path.as_ref() == Some(&file.path)
                && frame.line.is_some_and(|line| file.definition(**index).lines.contains(line))
        })
    });
    let by_class = || {
        let mut named = callable.iter().filter(|index| {
            file.definition(**index).parent.is_some_and(|parent| failure.id.contains(&file.definition(parent).name))
        });
        named.next_back()
    };
    on_trace.or_else(by_class).or(callable.last()).copied()
}

/// The function of the test's own file that the trace comes through first: a
/// title that is computed is not found by name.
fn on_trace(file: &SourceFile, failure: &Failure) -> Option<usize> {
    let outermost = failure.frames.iter().rev().find(|frame| frame.path.as_ref() == Some(&file.path))?;
    file.enclosing(outermost.line?).filter(|found| file.definition(*found).kind.is_callable())
}

fn with_line(file: Rc<SourceFile>, function: Option<usize>, failure: &Failure) -> Target {
    let lines = function.map(|index| file.definition(index).lines);
    let here = failure.frames.iter().find_map(|frame| {
        let line = frame.line.filter(|_| frame.path.as_ref() == Some(&file.path))?;
        lines.is_some_and(|lines| lines.contains(line)).then_some(line)
    });
    Target { file, function, line: here }
}

fn of_doctest(index: &Index<'_>, failure: &Failure) -> Option<Target> {
    let found = DOCTEST.captures(failure.id.rsplit(": ").next().unwrap_or(&failure.id))?;
    let written = &found[1];
    let path = RelPath::new(written).ok()?;
    let below = index.root.join(path.as_str()).ok()?;
    let file = index.load_path(&below).or_else(|| index.load_path(&path))?;
    let line: u32 = found[3].parse().ok()?;
    let function = file.enclosing(line);
    Some(Target { file, function, line: None })
}

/// `tests/test_cart.py::TestCart::test_total[a]`: the file is in the id.
fn of_id(index: &Index<'_>, failure: &Failure) -> Option<Target> {
    let (path, rest) = match failure.id.split_once(javascript::SEPARATOR) {
        Some((path, rest)) => (path, rest.rsplit(javascript::SEPARATOR).next().unwrap_or(rest)),
        None => failure.id.split_once("::")?,
    };
    let path = RelPath::new(path).ok()?;
    let file = index.root.join(path.as_str()).ok().and_then(|path| index.load_path(&path));
    let file = file.or_else(|| index.load_path(&path))?;
    let name = rest.split('[').next().unwrap_or(rest);
    let function = function(&file, name, failure);
    Some(with_line(file, function, failure))
}

/// The outermost frame that is test code.
fn of_frames(index: &Index<'_>, failure: &Failure) -> Option<Target> {
    for frame in failure.frames.iter().rev() {
        let (Some(path), Some(line)) = (&frame.path, frame.line) else { continue };
        let Some(file) = index.load_path(path) else { continue };
        let function = file.enclosing(line);
        if file.is_test || function.is_some_and(|index| file.is_test_code(index)) {
            return Some(Target { file, function, line: Some(line) });
        }
    }
    None
}
