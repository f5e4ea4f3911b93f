//! Frames of the trace, as functions of the project.
//!
//! Maps lines to definitions; ranks nothing beyond their order.

use std::collections::HashMap;
use std::rc::Rc;

use super::index::Index;
use super::index::Place;
use super::index::SourceFile;
use crate::failure::Failure;

/// A frame in a file of the project.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) file: Rc<SourceFile>,
    /// The function, or what else is around the line.
    pub(crate) definition: Option<usize>,
    pub(crate) line: u32,
    /// Whether it is test code.
    pub(crate) is_test: bool,
    /// How often the trace stands here.
    pub(crate) times: usize,
}

impl Standing {
    pub(crate) fn place(&self) -> Option<Place> {
        self.definition.map(|definition| Place { file: self.file.id, definition })
    }
}

/// The frames of `failure` in the project, innermost first, each line once.
/// Frames in generated and vendored files are foreign.
pub(crate) fn standings(index: &Index<'_>, failure: &Failure) -> Vec<Standing> {
    let mut found: Vec<Standing> = Vec::new();
    let mut seen: HashMap<(usize, u32), usize> = HashMap::new();
    for frame in &failure.frames {
        let (Some(path), Some(line)) = (&frame.path, frame.line) else { continue };
        let Some(file) = index.load_path(path).filter(|file| !file.is_foreign) else { continue };
        if let Some(known) = seen.get(&(file.id, line)) {
            found[*known].times += 1;
            continue;
        }
        seen.insert((file.id, line), found.len());
        let line = line.clamp(1, file.line_count().max(1));
        let definition = file.enclosing(line).or_else(|| by_symbol(&file, frame.symbol.as_deref()));
        let is_test = file.is_test || definition.is_some_and(|index| file.is_test_code(index));
        found.push(Standing { file, definition, line, is_test, times: 1 });
    }
    found
}

/// A line of another revision may be outside every function: the name helps.
fn by_symbol(file: &SourceFile, symbol: Option<&str>) -> Option<usize> {
    let name = symbol?.rsplit(['.', ':']).next()?;
    let found = file.named(name);
    (found.len() == 1).then(|| found[0])
}
