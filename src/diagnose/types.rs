//! Which of the project's types an expression may have.
//!
//! Knows constructors, annotations, returned values and fixtures; infers
//! nothing else.

use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use super::modules;
use super::resolve::certain;
use super::resolve::is_path;
use super::resolve::targets_steps;
use crate::language::Reference;
use crate::language::definitions::type_name;
use crate::language::outline::PointKind;

/// How far types are followed through assignments and returned values.
const MAX_STEPS: usize = 6;

/// Types that hand their methods' calls to what they hold (Rust), and types
/// that say nothing of it but hold it (Python).
const WRAPPERS: &[&str] = &[
    "Box",
    "Rc",
    "Arc",
    "RefCell",
    "Mutex",
    "RwLock",
    "Option",
    "Result",
    "Cell",
    "Ref",
    "RefMut",
    "Optional",
    "Pin",
    "Promise",
    "CompletableFuture",
    "Readonly",
    "Partial",
];

/// The project's types that the expression `text` may have.
pub(crate) fn of_expression(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    text: &str,
    line: u32,
    steps: usize,
) -> Vec<Place> {
    if steps > MAX_STEPS {
        return Vec::new();
    }
    let text = bare(text);
    if file.language().own.contains(&text) {
        let own = modules::own_type(index, file, within);
        return match (text, own) {
            ("super()", Some(own)) => modules::bases(index, own),
            (_, own) => own.into_iter().collect(),
        };
    }
    let separator = file.language().separator;
    if let Some(callee) = called(text) {
        return returned(index, file, within, callee, line, steps);
    }
    if let Some((head, _)) = text.split_once('{') {
        return named_types(index, file, within, head.trim());
    }
    if !is_path(&text.replace('.', separator), separator) {
        return Vec::new();
    }
    // A class itself, as in `Cart.create`.
    let direct = named_types(index, file, within, text);
    if !direct.is_empty() {
        return direct;
    }
    bound(index, file, within, text, line, steps)
}

/// An expression without what does not change the type that methods are
/// looked up in.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let before = text;
        for prefix in ["await ", "new ", "&mut ", "&", "*", "mut "] {
            text = text.strip_prefix(prefix).unwrap_or(text).trim_start();
        }
        for suffix in
            ["?", ".await", ".unwrap()", ".clone()", ".as_ref()", ".as_mut()", ".borrow()", ".borrow_mut()", ".lock()"]
        {
            text = text.strip_suffix(suffix).unwrap_or(text);
        }
        if let Some((head, argument)) = text.rsplit_once(".expect(").filter(|(_, rest)| rest.ends_with(')'))
            && !argument[..argument.len() - 1].contains(')')
        {
            text = head;
        }
        if text == before {
            return text;
        }
    }
}

/// The callee of an expression that is a call as a whole: `a.b(c)` gives `a.b`.
fn called(text: &str) -> Option<&str> {
    let inner = text.strip_suffix(')')?;
    let mut depth = 0usize;
    for (at, byte) in inner.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth == 0 => return Some(text[..at].trim_end()).filter(|callee| !callee.is_empty()),
            b'(' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Types that a call of `callee` gives back.
fn returned(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    callee: &str,
    line: u32,
    steps: usize,
) -> Vec<Place> {
    let separator = file.language().separator;
    let callee = callee.split("::<").next().unwrap_or(callee);
    let direct = named_types(index, file, within, callee);
    if !direct.is_empty() {
        return direct;
    }
    let (head, name) = match callee.rsplit_once(['.', ':']) {
        Some((head, name)) => (Some(head.trim_end_matches(':')), name),
        None => (None, callee),
    };
    let reference = Reference {
        name: name.to_owned(),
        kind: crate::language::ReferenceKind::Call,
        line,
        bytes: 0..0,
        receiver: head.map(str::to_owned),
    };
    let functions = match head {
        Some(head) if !is_path(head, separator) => {
            let types = of_expression(index, file, within, head, line, steps + 1);
            types.iter().flat_map(|place| modules::members(index, *place, name)).collect()
        }
        _ => targets_steps(index, file, within, &reference, false, steps + 1)
            .into_iter()
            .map(|(place, _)| place)
            .collect::<Vec<_>>(),
    };
    let found: Vec<Place> =
        functions.iter().take(3).flat_map(|function| result_types(index, *function, steps + 1)).collect();
    if !found.is_empty() {
        return found;
    }
    // `Cart::with(…)` without a signature to read: most likely a `Cart`.
    head.map(|head| named_types(index, file, within, head)).unwrap_or_default()
}

/// Types that a function gives back: by its annotation, else by what it
/// returns.
fn result_types(index: &Index<'_>, function: Place, steps: usize) -> Vec<Place> {
    let Some((file, definition)) = index.at(function) else { return Vec::new() };
    let given = file.outline.results.iter().find(|result| result.at == definition.name_bytes.start);
    if let Some(written) = given.and_then(|result| result.written_type.as_deref()) {
        // Of several results of Go the first is what is called on.
        return annotated(index, &file, Some(function.definition), written.trim_start_matches('('));
    }
    let signature = &file.text()[definition.signature.clone()];
    if let Some((_, written)) = signature.rsplit_once("->") {
        let written = written.split(" where ").next().unwrap_or(written).trim().trim_end_matches(':');
        return annotated(index, &file, Some(function.definition), written);
    }
    if file.language().separator == "::" || steps > MAX_STEPS {
        return Vec::new();
    }
    let results = file
        .outline
        .points
        .iter()
        .filter(|point| point.kind == PointKind::Result && definition.body.contains(&point.bytes.start));
    let mut found = Vec::new();
    for point in results.take(4) {
        let text = &file.text()[point.bytes.clone()];
        let value = text.trim_start_matches("return").trim_start_matches("yield").trim();
        found.extend(of_expression(index, &file, Some(function.definition), value, point.line, steps + 1));
    }
    found
}

/// The types of a written annotation, out of the wrappers around it.
fn annotated(index: &Index<'_>, file: &SourceFile, within: Option<usize>, written: &str) -> Vec<Place> {
    let mut written = written.trim();
    for _ in 0..MAX_STEPS {
        let name = type_name(written);
        if name == "Self" {
            return modules::own_type(index, file, within).into_iter().collect();
        }
        let Some(open) = written.find(['<', '[']).filter(|_| WRAPPERS.contains(&name)) else { break };
        written = written[open + 1..].split(',').next().unwrap_or_default().trim();
    }
    let start = written.trim_start_matches(['&', '*', '"', '\'']).trim_start_matches("mut ");
    let start = start.trim_start_matches("dyn ").trim_start_matches("impl ");
    let end = start.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':'))).unwrap_or(start.len());
    named_types(index, file, within, start[..end].trim_end_matches(':'))
}

/// The types that a path names.
fn named_types(index: &Index<'_>, file: &SourceFile, within: Option<usize>, path: &str) -> Vec<Place> {
    if !is_path(path, file.language().separator) {
        return Vec::new();
    }
    let segments: Vec<&str> = path.split(file.language().separator).collect();
    let found = certain(modules::resolve(index, file, within, &segments)).into_iter().map(|(place, _)| place);
    found.filter(|place| index.at(*place).is_some_and(|(_, definition)| definition.kind.is_type())).collect()
}

/// Types of a variable, an attribute of the own object, or a test's fixture.
fn bound(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    name: &str,
    line: u32,
    steps: usize,
) -> Vec<Place> {
    let around = |at: usize| within.is_some_and(|function| file.definition(function).bytes.contains(&at));
    let of_own = file.language().own.iter().any(|own| name.strip_prefix(own).is_some_and(|rest| rest.starts_with('.')));
    // The last binding before the line in the function; else one of the class
    // (for attributes) or of the top level.
    let attribute = if of_own { name.split_once('.').map_or(name, |(_, rest)| rest) } else { name };
    let same = |written: &str| written == name || (of_own && written == attribute);
    let bindings = || file.outline.bindings.iter().filter(|binding| same(&binding.name));
    let inner = bindings().rfind(|binding| around(binding.at) && binding.line <= line);
    let outer = || {
        bindings().find(|binding| {
            let holder = file.enclosing(binding.line);
            of_own || holder.is_none_or(|holder| !file.definition(holder).kind.is_callable())
        })
    };
    if let Some(binding) = inner.or_else(outer) {
        let place = file.enclosing(binding.line).filter(|_| of_own).or(within);
        if let Some(written) = &binding.written_type {
            return annotated(index, file, place, written);
        }
        if let Some(value) = &binding.value {
            let value = &file.text()[value.clone()];
            return if value == name {
                Vec::new()
            } else {
                of_expression(
                    index,
                    file,
                    place,
                    value,
                    binding.line.saturating_sub(u32::from(!of_own && binding.line == line)),
                    steps + 1,
                )
            };
        }
    }
    let is_parameter = within.is_some_and(|function| file.definition(function).parameters.iter().any(|p| p == name));
    if is_parameter && file.is_test {
        return fixture(index, file, name)
            .into_iter()
            .flat_map(|place| result_types(index, place, steps + 1))
            .collect();
    }
    Vec::new()
}

/// The fixture `name` of a Python test file: in the file, else in the nearest
/// `conftest.py` (pytest documentation, "conftest.py: sharing fixtures").
pub(crate) fn fixture(index: &Index<'_>, file: &SourceFile, name: &str) -> Option<Place> {
    if file.language().name != "python" {
        return None;
    }
    let of_file = |file: &SourceFile| {
        let found = file.named(name).iter().find(|definition| file.definition(**definition).kind.is_callable());
        found.map(|definition| Place { file: file.id, definition: *definition })
    };
    if let Some(found) = of_file(file) {
        return Some(found);
    }
    let mut folder = file.path.parent();
    loop {
        let conftest = folder.join("conftest.py").ok().and_then(|path| index.load_path(&path));
        if let Some(found) = conftest.and_then(|conftest| of_file(&conftest)) {
            return Some(found);
        }
        if folder.is_root() {
            return None;
        }
        folder = folder.parent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn the_callee_of_a_call_is_cut_at_its_own_bracket() {
        for (text, callee) in [
            ("Cart(1, f(2))", Some("Cart")),
            ("a(b).c(d)", Some("a(b).c")),
            ("(a)", None),
            ("a + b", None),
            (")", None),
        ] {
            assert_eq!(called(text), callee, "{text}");
        }
    }

    #[test]
    fn what_keeps_the_type_is_taken_off() {
        for (text, wanted) in [
            ("&mut Cart::new().unwrap()", "Cart::new()"),
            ("await load()", "load()"),
            ("cart.expect(\"one\")", "cart"),
            ("x", "x"),
        ] {
            assert_eq!(bare(text), wanted);
        }
    }
}
