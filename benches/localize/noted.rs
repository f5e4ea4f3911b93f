//! A fault that is seeded, and the list that a seeder makes of them. Works on
//! text; writes no file.

use std::ops::Range;

use heal::language::Parsed;
use heal::language::definitions::enclosing;
use heal::language::lines_of;
use heal::language::outline::Outline;
use tree_sitter::Node;

/// A fault that can be put into one file.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What sort of change (`else-dropped`).
    pub kind: &'static str,
    /// Bytes that are replaced.
    pub bytes: Range<usize>,
    /// What stands there instead.
    pub replacement: String,
    /// Qualified name of the function it lies in.
    pub function: String,
    /// First and last line, of the text with the fault, where a person would
    /// say that it is: what was changed, or what stands beside what is gone.
    pub lines: (u32, u32),
}

impl Fault {
    /// The file's text with the fault.
    pub fn put_into(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.bytes.start], self.replacement, &text[self.bytes.end..])
    }
}

/// The faults found so far in one text.
pub struct Noted<'p> {
    /// The text.
    pub parsed: &'p Parsed,
    /// Its functions.
    pub outline: &'p Outline,
    /// The faults.
    pub found: Vec<Fault>,
}

impl<'p> Noted<'p> {
    /// None yet.
    pub fn new(parsed: &'p Parsed, outline: &'p Outline) -> Noted<'p> {
        Noted { parsed, outline, found: Vec::new() }
    }

    /// Those that change the text.
    pub fn faults(self) -> Vec<Fault> {
        let text = &self.parsed.text;
        self.found.into_iter().filter(|fault| text[fault.bytes.clone()] != fault.replacement).collect()
    }

    /// Adds a fault; `lines` are those of the text as it is.
    pub fn add(&mut self, kind: &'static str, bytes: Range<usize>, replacement: &str, lines: (u32, u32)) {
        let line = lines.0.max(1);
        let Some(function) = enclosing(&self.outline.definitions, line) else { return };
        let definition = &self.outline.definitions[function];
        if !definition.kind.is_callable() || definition.is_test {
            return;
        }
        let last = self.parsed.text[..bytes.start].lines().count() as u32 + replacement.lines().count() as u32;
        let lines = (line, lines.1.min(last.max(line)));
        let function = definition.qualified.clone();
        self.found.push(Fault { kind, bytes, replacement: replacement.to_owned(), function, lines });
    }

    /// `node` with the white space before it goes; what is beside it is told.
    pub fn gone(&mut self, kind: &'static str, node: Node<'_>) {
        let start = self.parsed.text[..node.start_byte()].trim_end().len();
        let line = lines_of(node).start;
        self.add(kind, start..node.end_byte(), "", (line.saturating_sub(1), line));
    }
}
