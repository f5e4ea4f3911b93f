//! Seeds the faults of mutation testing into Python functions: one operator,
//! constant, condition, statement or pair of arguments is another; of what an
//! operator can do at one place, the first. Works on text; writes no file.

use std::collections::BTreeSet;

use heal::language;
use heal::language::definitions::enclosing;
use heal::language::python::PYTHON;
use heal::mutation;
use heal::source::Lines;

use super::noted::Fault;

/// Every fault that can be seeded into `text`; some do not parse.
pub fn faults(text: &str) -> Vec<Fault> {
    let parsed = language::parse(&PYTHON, text);
    let outline = parsed.outline();
    let whole = Lines::new(1, text.lines().count() as u32);
    let mutants = mutation::mutants(&parsed, whole, mutation::CLASSIC);
    let mut seen = BTreeSet::new();
    let found = mutants.into_iter().filter_map(|mutant| {
        let definition = &outline.definitions[enclosing(&outline.definitions, mutant.line)?];
        let [(bytes, replacement)] = &mutant.edits[..] else { return None };
        let function = definition.qualified.clone();
        if !seen.insert((bytes.start, mutant.operator)) {
            return None;
        }
        (definition.kind.is_callable() && !definition.is_test).then(|| Fault {
            kind: mutant.operator,
            bytes: bytes.clone(),
            replacement: replacement.clone(),
            function,
            lines: (mutant.line, mutant.line),
        })
    });
    found.collect()
}
