//! The code to show for a diagnosis: the suspects, the failing test, and what
//! they use.
//!
//! Chooses spans; `layout` cuts the text. Small on purpose: it stops where
//! suspects become unlikely, not where the budget ends.

use std::collections::HashSet;
use std::rc::Rc;

use super::Role;
use super::Slice;
use super::calls;
use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use super::modules;
use super::resolve;
use super::suspect::Findings;
use super::suspect::Ranked;
use super::target::Target;
use super::types;
use crate::language::DefinitionKind;
use crate::language::ReferenceKind;
use crate::source::Lines;

mod layout;

use layout::Item;

/// Suspects with less than this share of the best score are not shown.
const SHOWN: f64 = 0.15;
/// Suspects shown, at most.
const MAX_SHOWN: usize = 10;
/// Once this many tokens are spent, only what is likely is added: code shown
/// beside the point makes a model's answers worse, not better.
const ENOUGH_TOKENS: usize = 2500;
/// Suspects with at least this share of the best score are likely.
const LIKELY: f64 = 0.75;
/// Suspects whose definitions are shown.
const EXPLAINED: usize = 3;
/// Longer functions are cut to windows around their hot lines.
const LONG: u32 = 200;
/// Lines shown on each side of a hot line of a long function.
const MARGIN: u32 = 12;
/// Hot lines of a long function that are shown.
const WINDOWS: usize = 6;
/// Definitions up to this many lines are shown whole, longer by signature.
const SHORT: u32 = 12;
/// Types up to this many lines are shown whole.
const SHORT_TYPE: u32 = 30;
/// More imports than this are cut to those in use.
const MANY_IMPORTS: u32 = 12;
/// Definitions shown, at most.
const MAX_DEFINITIONS: usize = 16;

/// Estimated tokens of a text: its characters by 3.5, rounded up. Code of the
/// languages heal knows has 3 to 4 characters a token with the tokenizers of
/// the large models; the estimate errs to the high side.
pub fn estimate_tokens(text: &str) -> usize {
    (text.chars().count() * 2).div_ceil(7)
}

/// Cuts the slice. What does not fit is dropped, least important first, and
/// named.
pub(crate) fn cut(index: &Index<'_>, findings: &Findings, budget_tokens: usize) -> Slice {
    let shown: Vec<&Ranked> =
        findings.suspects.iter().filter(|ranked| ranked.suspect.score >= SHOWN).take(MAX_SHOWN).collect();
    let mut items: Vec<Item> = Vec::new();
    if let Some(best) = shown.first() {
        items.extend(suspect_items(best));
    }
    if let Some(target) = &findings.target {
        items.extend(test_items(index, &target.file, target.function, target.line));
    }
    for ranked in shown.iter().skip(1) {
        items.extend(suspect_items(ranked));
    }
    let mut definitions = Vec::new();
    let mut seen: HashSet<Place> = HashSet::new();
    for ranked in shown.iter().take(EXPLAINED) {
        if let Some(definition) = ranked.definition {
            seen.insert(Place { file: ranked.file.id, definition });
            definitions.extend(container(index, &ranked.file, definition));
        }
    }
    for ranked in shown.iter().take(EXPLAINED) {
        if let Some(definition) = ranked.definition {
            definitions.extend(used(index, &ranked.file, definition, &mut seen));
        }
    }
    definitions.truncate(MAX_DEFINITIONS);
    let mut files: Vec<Rc<SourceFile>> = Vec::new();
    for item in items.iter() {
        if files.iter().all(|file| file.id != item.file.id) {
            files.push(item.file.clone());
        }
    }
    for file in &files {
        items.extend(import_items(file, &items));
    }
    items.extend(definitions);
    let mut slice = layout::lay(items, budget_tokens, ENOUGH_TOKENS);
    if let Some(target) = &findings.target {
        slice.dropped.extend(data_files(index, &target.file, target.function));
    }
    slice
}

/// The spans of the failing test, its fixtures and its helpers, with their
/// qualified names.
pub(super) fn test_spans(index: &Index<'_>, target: &Target) -> Vec<(Rc<SourceFile>, Lines, String)> {
    let items = test_items(index, &target.file, target.function, target.line);
    items.into_iter().filter_map(|item| Some((item.file, item.lines, item.symbol?))).collect()
}

/// A suspect whole, or the windows of a long one.
fn suspect_items(ranked: &Ranked) -> Vec<Item> {
    let suspect = &ranked.suspect;
    let role = match ranked.definition {
        Some(definition) if ranked.file.is_test_code(definition) => Role::Test,
        _ => Role::Suspect,
    };
    let item = |lines: Lines, left_out: Option<String>| Item {
        file: ranked.file.clone(),
        lines,
        role,
        symbol: Some(suspect.symbol.clone()),
        left_out,
        likely: suspect.score >= LIKELY,
    };
    if suspect.lines.count() <= LONG {
        return vec![item(suspect.lines, None)];
    }
    let hot: Vec<u32> = suspect.hot.iter().take(WINDOWS).map(|(line, _)| *line).collect();
    let name_line = ranked.definition.map_or(suspect.lines.start, |index| ranked.file.definition(index).name_line);
    windows(&ranked.file, suspect.lines, &[&[name_line], hot.as_slice()].concat(), &suspect.symbol, item)
}

/// Windows of whole statements around `lines` of a long span.
fn windows(
    file: &SourceFile,
    span: Lines,
    lines: &[u32],
    symbol: &str,
    item: impl Fn(Lines, Option<String>) -> Item,
) -> Vec<Item> {
    let mut windows: Vec<Lines> = Vec::new();
    for line in lines {
        let start = line.saturating_sub(MARGIN).max(span.start);
        let end = (line + MARGIN).min(span.end);
        windows.push(whole_statements(file, span, Lines::new(start, end)));
    }
    windows.sort();
    let mut merged: Vec<Lines> = Vec::new();
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.start <= last.end + 3 => last.end = last.end.max(window.end),
            _ => merged.push(window),
        }
    }
    let shown: u32 = merged.iter().map(Lines::count).sum();
    let words = format!(
        "`{symbol}` ({}) is long: {} of its {} lines are not shown",
        file.path,
        span.count() - shown.min(span.count()),
        span.count()
    );
    let last = merged.len();
    merged
        .into_iter()
        .enumerate()
        .map(|(order, lines)| item(lines, (order + 1 == last).then(|| words.clone())))
        .collect()
}

/// `window` grown so that it cuts no short statement.
fn whole_statements(file: &SourceFile, span: Lines, window: Lines) -> Lines {
    let grown = |line: u32| {
        let found = file.statement(line).filter(|statement| statement.count() <= 2 * MARGIN);
        found.unwrap_or(Lines::new(line, line))
    };
    let start = grown(window.start).start.max(span.start).min(window.start);
    let end = grown(window.end).end.min(span.end).max(window.end);
    Lines::new(start, end)
}

/// The failing test whole, with the header of its class, its fixtures and the
/// values of its file that it uses.
fn test_items(index: &Index<'_>, file: &Rc<SourceFile>, function: Option<usize>, line: Option<u32>) -> Vec<Item> {
    let Some(function) = function else {
        // A check at the top level of a script, or a file that does not load.
        let around = line.unwrap_or(1);
        let lines = Lines::new(around.saturating_sub(MARGIN).max(1), (around + MARGIN).min(file.line_count()));
        return vec![Item { file: file.clone(), lines, role: Role::Test, symbol: None, left_out: None, likely: true }];
    };
    let item = |file: &Rc<SourceFile>, lines: Lines, symbol: &str| Item {
        file: file.clone(),
        lines,
        role: Role::Test,
        symbol: Some(symbol.to_owned()),
        left_out: None,
        likely: true,
    };
    let definition = file.definition(function);
    let mut items = Vec::new();
    if definition.lines.count() <= LONG {
        items.push(item(file, definition.lines, &definition.qualified));
    } else {
        let lines = [definition.name_line, line.unwrap_or(definition.lines.end)];
        let make = |lines, left_out| Item { left_out, ..item(file, lines, &definition.qualified) };
        items.extend(windows(file, definition.lines, &lines, &definition.qualified, make));
    }
    let is_group = |parent: &usize| match file.definition(*parent).kind {
        DefinitionKind::Class => true,
        DefinitionKind::Module => file.language().family == "javascript",
        _ => false,
    };
    if let Some(parent) = definition.parent.filter(is_group) {
        let class = file.definition(parent);
        let header = Lines::new(class.lines.start, file.line_at(class.signature.end));
        items.push(item(file, header, &class.qualified));
        for name in calls::PREPARING {
            let own = file.named(name).iter().find(|index| file.definition(**index).parent == Some(parent));
            items.extend(own.map(|index| item(file, file.definition(*index).lines, name)));
        }
    }
    for name in &definition.parameters {
        if let Some(place) = types::fixture(index, file, name)
            && let Some((there, fixture)) = index.at(place)
        {
            items.push(item(&there, fixture.lines, &fixture.qualified));
        }
    }
    // Helpers and values of the test's own file.
    let bytes = definition.bytes.clone();
    let mut seen = HashSet::from([function]);
    for reference in file.outline.references.iter().filter(|found| bytes.contains(&found.bytes.start)) {
        for (place, _) in
            resolve::targets(index, file, Some(function), reference, reference.kind == ReferenceKind::Call)
        {
            let Some((there, used)) = index.at(place) else { continue };
            let helper = there.is_test_code(place.definition)
                && (there.id != file.id || seen.insert(place.definition))
                && used.lines.count() <= SHORT_TYPE;
            if helper && !items.iter().any(|item| item.file.id == there.id && item.lines == used.lines) {
                items.push(item(&there, used.lines, &used.qualified));
            }
        }
    }
    items
}

/// What encloses a suspect method: the class's header and fields, or the
/// impl's header and the type.
fn container(index: &Index<'_>, file: &Rc<SourceFile>, definition: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let Some(parent) = file.definition(definition).parent else { return items };
    let holder = file.definition(parent);
    if !holder.kind.holds_methods() {
        return items;
    }
    let header = Lines::new(holder.lines.start, file.line_at(holder.signature.end));
    items.push(plain(file, header, &holder.qualified));
    if holder.kind == DefinitionKind::Class {
        for child in file.children(Some(parent)) {
            let member = file.definition(child);
            let tells = member.kind == DefinitionKind::Constant || member.name == "__init__";
            if tells && member.lines.count() <= SHORT_TYPE {
                items.push(plain(file, member.lines, &member.qualified));
            }
        }
    } else if let Some(own) = modules::own_type(index, file, Some(definition))
        && let Some((there, own)) = index.at(own)
        && own.kind != DefinitionKind::Impl
        && own.lines.count() <= SHORT_TYPE
    {
        items.push(plain(&there, own.lines, &own.qualified));
    }
    items
}

fn plain(file: &Rc<SourceFile>, lines: Lines, symbol: &str) -> Item {
    Item {
        file: file.clone(),
        lines,
        role: Role::Definition,
        symbol: Some(symbol.to_owned()),
        left_out: None,
        likely: false,
    }
}

/// Definitions that the function uses: values and short ones whole, longer
/// ones by their signature.
fn used(index: &Index<'_>, file: &Rc<SourceFile>, definition: usize, seen: &mut HashSet<Place>) -> Vec<Item> {
    let bytes = file.definition(definition).bytes.clone();
    let first = file.outline.references.partition_point(|found| found.bytes.start < bytes.start);
    let mut items = Vec::new();
    for reference in file.outline.references[first..].iter().take_while(|found| found.bytes.start < bytes.end) {
        let is_call = reference.kind == ReferenceKind::Call;
        let targets = resolve::targets(index, file, Some(definition), reference, is_call);
        for (place, weight) in targets {
            if weight < 0.3 || !seen.insert(place) {
                continue;
            }
            let Some((there, used)) = index.at(place) else { continue };
            if there.is_test_code(place.definition) {
                continue;
            }
            let signature = Lines::new(there.line_at(used.signature.start), there.line_at(used.signature.end));
            let lines = match used.kind {
                DefinitionKind::Constant | DefinitionKind::TypeAlias => used.lines,
                DefinitionKind::Class if used.lines.count() > SHORT_TYPE => signature,
                kind if kind.is_type() => used.lines,
                _ if used.lines.count() <= SHORT || calls::substance(&there, place.definition) == 0 => used.lines,
                _ => signature,
            };
            // A table of a thousand rows says what it is with its first ones.
            let lines = Lines::new(lines.start, lines.end.min(lines.start + 2 * SHORT_TYPE - 1));
            items.push(plain(&there, lines, &used.qualified));
        }
    }
    items
}

/// The imports of a file that is shown; of many, those in use.
fn import_items(file: &Rc<SourceFile>, shown: &[Item]) -> Vec<Item> {
    let inside = |line: u32| shown.iter().any(|item| item.file.id == file.id && item.lines.contains(line));
    let mut spans: Vec<(Lines, Vec<&str>)> = Vec::new();
    for import in file.outline.imports.iter().filter(|import| !import.exports) {
        // Imports inside functions are shown with them; those of inner
        // modules (Rust's `tests`) only where code of theirs is shown.
        let local = file.enclosing(import.lines.start).is_some_and(|around| {
            let around = file.definition(around);
            around.kind.is_callable()
                || !shown.iter().any(|item| item.file.id == file.id && item.lines.overlaps(&around.lines))
        });
        if local || inside(import.lines.start) {
            continue;
        }
        match spans.last_mut() {
            Some((lines, locals)) if *lines == import.lines => locals.extend(import.locals()),
            _ => spans.push((import.lines, import.locals())),
        }
    }
    let total: u32 = spans.iter().map(|(lines, _)| lines.count()).sum();
    if total > MANY_IMPORTS {
        let mut used: HashSet<&str> = HashSet::new();
        for item in shown.iter().filter(|item| item.file.id == file.id) {
            let bytes = file.bytes_of(item.lines);
            let names = file.outline.references.iter().filter(|found| bytes.contains(&found.bytes.start));
            used.extend(names.map(|found| found.name.as_str()));
        }
        spans.retain(|(_, locals)| locals.iter().any(|local| used.contains(local) || *local == "*"));
    }
    let item =
        |lines| Item { file: file.clone(), lines, role: Role::Imports, symbol: None, left_out: None, likely: true };
    spans.into_iter().map(|(lines, _)| item(lines)).collect()
}

/// Endings of files that tests read their cases from.
const DATA: &[&str] = &["json", "csv", "txt", "yaml", "yml", "toml", "xml", "tsv", "jsonl"];

/// Files of data that the test names: named, not shown.
fn data_files(index: &Index<'_>, file: &SourceFile, function: Option<usize>) -> Vec<String> {
    let bytes = function.map(|index| file.definition(index).bytes.clone());
    let mut named = Vec::new();
    for literal in file.outline.literals.iter().filter(|literal| !literal.number) {
        let in_test = bytes.as_ref().is_none_or(|bytes| bytes.contains(&literal.bytes.start));
        let top = file.enclosing(literal.line).is_none_or(|around| !file.definition(around).kind.is_callable());
        let text = &file.text()[literal.bytes.clone()];
        let is_data = text.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && DATA.contains(&ending));
        if !(in_test || top) || !is_data {
            continue;
        }
        let tail = text.trim_start_matches("./");
        let found = index.files.iter().find(|path| {
            path.as_str() == tail || path.as_str().strip_suffix(tail).is_some_and(|head| head.ends_with('/'))
        });
        if let Some(path) = found {
            let words = format!("`{path}`: data that the test reads, not shown");
            if !named.contains(&words) {
                named.push(words);
            }
        }
    }
    named
}
