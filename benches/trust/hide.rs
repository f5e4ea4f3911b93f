//! Takes half of the tests out of a checkout, so that they can judge what was
//! made without them. Works on text; writes no file.

use std::collections::BTreeSet;

use heal::language;
use heal::language::Language;
use heal::source::RelPath;

/// A test function by its file and qualified name: what all its forms share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestFunction {
    /// The file.
    pub path: RelPath,
    /// `Class.test_x` or `test_x`.
    pub name: String,
}

impl TestFunction {
    /// That of a pytest id; `None` for others (doctests).
    pub fn of_id(id: &str) -> Option<TestFunction> {
        let (path, name) = id.split('[').next()?.split_once("::")?;
        Some(TestFunction { path: RelPath::new(path).ok()?, name: name.replace("::", ".") })
    }
}

/// Half of the functions, as `order` (a digest) says, but never all of those
/// in `failing`: something must be left that shows the fault.
pub fn half(
    all: &BTreeSet<TestFunction>,
    failing: &BTreeSet<TestFunction>,
    order: &dyn Fn(&TestFunction) -> u64,
) -> BTreeSet<TestFunction> {
    let hides = |function: &&TestFunction| order(function).is_multiple_of(2);
    let mut hidden: BTreeSet<TestFunction> = all.iter().filter(hides).cloned().collect();
    if failing.iter().all(|function| hidden.contains(function))
        && let Some(kept) = failing.iter().max_by_key(|function| order(function))
    {
        hidden.remove(kept);
    }
    hidden
}

/// The text of a test file without the functions `names`: each becomes one that
/// does nothing and that no runner collects, unless another calls it. `None`
/// where one is not found.
pub fn without(language: &'static Language, text: &str, names: &[&str]) -> Option<String> {
    let parsed = language::parse(language, text);
    let outline = parsed.outline();
    let mut spans = Vec::new();
    for name in names {
        let found: Vec<_> = outline.definitions.iter().filter(|definition| definition.qualified == *name).collect();
        if found.is_empty() {
            return None;
        }
        let is_called = |definition: &&&heal::language::Definition| {
            let mut uses = outline.references.iter().filter(|one| one.name == definition.name);
            uses.any(|one| !definition.bytes.contains(&one.bytes.start))
        };
        spans.extend(found.iter().filter(|one| !is_called(one)).map(|definition| definition.bytes.clone()));
    }
    spans.sort_by_key(|span| span.start);
    let mut out = text.to_owned();
    for span in spans.into_iter().rev() {
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let indent: String = text[start..].chars().take_while(|letter| letter.is_whitespace()).collect();
        out.replace_range(start..span.end, &format!("{indent}def hidden(self=None): pass"));
    }
    Some(out)
}
