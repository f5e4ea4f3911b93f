//! What a call, a value or a receiver in the code stands for.
//!
//! Guesses types from constructors and annotations only; where it cannot tell,
//! every method of that name is possible, and the more there are the less each
//! weighs.

use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use super::modules;
use super::modules::Thing;
use super::shadow;
use super::types;
use crate::language::DefinitionKind;
use crate::language::Reference;
use crate::language::definitions::type_name;

/// A call whose target is one of several by name: their weights together.
const BY_NAME: f64 = 0.6;
/// A method that only says that subclasses must have it.
const ABSTRACT: f64 = 0.3;
/// More methods of one name than this say nothing.
const MAX_BY_NAME: usize = 8;
/// Methods that built-in types have as well: a call by name alone is seldom
/// the project's.
const COMMON: &[&str] = &[
    "append",
    "add",
    "as_ref",
    "as_str",
    "clear",
    "clone",
    "close",
    "collect",
    "copy",
    "count",
    "decode",
    "encode",
    "expect",
    "extend",
    "find",
    "format",
    "get",
    "index",
    "insert",
    "into",
    "into_iter",
    "is_empty",
    "items",
    "iter",
    "join",
    "keys",
    "len",
    "lower",
    "map",
    "new",
    "next",
    "open",
    "pop",
    "push",
    "push_str",
    "read",
    "remove",
    "replace",
    "sort",
    "split",
    "strip",
    "to_owned",
    "to_string",
    "trim",
    "unwrap",
    "update",
    "upper",
    "values",
    "write",
];

/// What `reference` at definition `within` of `file` may stand for, each with
/// a weight between 0 and 1.
pub(crate) fn targets(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    reference: &Reference,
    is_call: bool,
) -> Vec<(Place, f64)> {
    targets_steps(index, file, within, reference, is_call, 0)
}

/// As [`targets`], `steps` into following types.
pub(super) fn targets_steps(
    index: &Index<'_>,
    file: &SourceFile,
    within: Option<usize>,
    reference: &Reference,
    is_call: bool,
    steps: usize,
) -> Vec<(Place, f64)> {
    let separator = file.language().separator;
    let Some(receiver) = &reference.receiver else {
        if is_variable(file, within, reference, &reference.name) {
            return Vec::new();
        }
        return certain(modules::resolve(index, file, within, &[&reference.name]));
    };
    if is_path(receiver, separator) {
        let mut segments: Vec<&str> = receiver.split(separator).collect();
        let own = file.language().own.contains(&segments[0]) && separator == ".";
        let value = match separator {
            "." => is_variable(file, within, reference, segments[0]),
            _ => is_field(file, reference),
        };
        if !own && !value {
            segments.push(&reference.name);
            let found = certain(modules::resolve(index, file, within, &segments));
            if !found.is_empty() {
                return found;
            }
        }
    }
    let types = types::of_expression(index, file, within, receiver, reference.line, steps);
    let members: Vec<Place> = types.iter().flat_map(|place| modules::members(index, *place, &reference.name)).collect();
    if !members.is_empty() {
        return shared(index, file, &types, members, &reference.name);
    }
    // A known type without such a member: inherited from a library, no guess.
    if !types.is_empty() || !is_call {
        return Vec::new();
    }
    by_name(index, file, &reference.name)
}

/// Whether `name` at `reference` is a variable of the function around it.
fn is_variable(file: &SourceFile, within: Option<usize>, reference: &Reference, name: &str) -> bool {
    if reference.bytes.is_empty() {
        // Of an expression that was followed from elsewhere: no place is known.
        let parameters = within.map(|function| &file.definition(function).parameters);
        return parameters.is_some_and(|parameters| parameters.iter().any(|parameter| parameter == name));
    }
    shadow::is_variable(file, name, reference.bytes.start)
}

/// Whether a Rust reference is joined to its receiver by a dot: `quote.total()`
/// asks a value, `quote::total()` a module or a type.
fn is_field(file: &SourceFile, reference: &Reference) -> bool {
    file.text()[..reference.bytes.start].trim_end().ends_with('.')
}

/// Those things that are definitions; several share one weight.
pub(super) fn certain(things: Vec<Thing>) -> Vec<(Place, f64)> {
    let places = things.into_iter().filter_map(|thing| match thing {
        Thing::Definition(place) => Some(place),
        Thing::Module(_) => None,
    });
    let places: Vec<Place> = places.collect();
    let each = 1.0 / places.len().max(1) as f64;
    places.into_iter().map(|place| (place, each.max(0.3))).collect()
}

/// The members found, and what subclasses put in their place: an object of a
/// base class may be any of them. Those share one weight.
fn shared(index: &Index<'_>, file: &SourceFile, types: &[Place], members: Vec<Place>, name: &str) -> Vec<(Place, f64)> {
    let each = (1.0 / members.len() as f64).max(0.3);
    let mut found: Vec<(Place, f64)> = members.into_iter().map(|place| (place, each)).collect();
    let overriding = overriding(index, file, types, name);
    let share = (1.0 / overriding.len().max(1) as f64).max(0.3);
    for (place, weight) in &mut found {
        let abstract_ = index.at(*place).is_some_and(|(there, definition)| {
            let is_bare = definition.body.is_empty() && there.language().family != "rust";
            is_bare || there.text()[definition.body.clone()].contains("NotImplementedError")
        });
        if !overriding.is_empty() && abstract_ {
            *weight *= ABSTRACT;
        }
    }
    found.extend(overriding.into_iter().map(|place| (place, share)));
    found
}

/// Methods `name` of the classes, in files at hand, that name one of `types`
/// as their base.
fn overriding(index: &Index<'_>, file: &SourceFile, types: &[Place], name: &str) -> Vec<Place> {
    let names: Vec<String> =
        types.iter().filter_map(|place| index.at(*place)).map(|(_, definition)| definition.name).collect();
    let mut found = index.members_named(name);
    found.retain(|place| {
        let Some((there, definition)) = index.at(*place) else { return false };
        let Some(parent) = definition.parent.filter(|_| there.language() == file.language()) else { return false };
        let class = there.definition(parent);
        class.kind == DefinitionKind::Class
            && class.bases.iter().any(|base| names.iter().any(|name| type_name(base) == name))
            && !there.is_test_code(place.definition)
    });
    if found.len() > MAX_BY_NAME { Vec::new() } else { found }
}

/// Methods called `name` outside tests: of the files at hand, else of those
/// that a search finds.
fn by_name(index: &Index<'_>, file: &SourceFile, name: &str) -> Vec<(Place, f64)> {
    let methods = || {
        let known = index.members_named(name).into_iter().filter(|place| {
            index.at(*place).is_some_and(|(there, definition)| {
                there.language() == file.language()
                    && !there.is_foreign
                    && definition.kind == DefinitionKind::Method
                    && !there.is_test_code(place.definition)
            })
        });
        known.collect::<Vec<Place>>()
    };
    let mut found = methods();
    let common = COMMON.contains(&name);
    if found.is_empty() && !common {
        let written = match file.language().family {
            "rust" => format!("fn {name}("),
            "python" => format!("def {name}("),
            "go" => format!(") {name}("),
            _ => format!("{name}("),
        };
        let files = index.search(&[&written], file.language(), &index.root, &file.path);
        for id in files.into_iter().take(MAX_BY_NAME) {
            index.load(id);
        }
        found = methods();
    }
    if found.len() > MAX_BY_NAME {
        return Vec::new();
    }
    let each = BY_NAME / found.len().max(1) as f64 * if common { 0.3 } else { 1.0 };
    found.into_iter().map(|place| (place, each)).collect()
}

/// Whether `text` is only names joined by the language's separator.
pub(super) fn is_path(text: &str, separator: &str) -> bool {
    !text.is_empty()
        && text.split(separator).all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !part.starts_with(|c: char| c.is_ascii_digit())
        })
}
