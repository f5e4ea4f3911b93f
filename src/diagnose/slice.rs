//! The code to show for a diagnosis: the suspects, the failing test, and what
//! they use.
//!
//! Chooses spans; `layout` cuts the text. Small on purpose: it stops where
//! suspects become unlikely, not where the budget ends.

use std::collections::HashSet;
use std::rc::Rc;

use super::Config;
use super::Evidence;
use super::Role;
use super::Slice;
use super::calls;
use super::calls::Executed;
use super::file::SourceFile;
use super::index::Index;
use super::index::Place;
use super::modules;
use super::resolve;
use super::suspect::Findings;
use super::suspect::Ranked;
use crate::language::DefinitionKind;
use crate::language::ReferenceKind;
use crate::source::Lines;

mod around;
mod beside;
mod excerpt;
mod flow;
mod imports;
mod layout;
pub(super) mod test_code;
pub(super) mod wanted;

use excerpt::Cut;
use layout::Item;

/// Suspects with less than this share of the best score are not shown.
const SHOWN: f64 = 0.15;
/// Suspects shown before anything else, at most.
const MAX_SHOWN: usize = 10;
/// Once this many tokens are spent, only what is likely is added: code shown
/// beside the point makes a model's answers worse, not better.
const ENOUGH_TOKENS: usize = 2500;
/// Suspects with at least this share of the best score are likely.
const LIKELY: f64 = 0.75;
/// Suspects whose definitions are shown.
const EXPLAINED: usize = 3;
/// Definitions up to this many lines are shown whole, longer by signature.
const SHORT: u32 = 12;
/// Types up to this many lines are shown whole.
const SHORT_TYPE: u32 = 30;
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
pub(crate) fn cut(index: &Index<'_>, evidence: &Evidence<'_>, findings: &Findings, config: &Config) -> Slice {
    let executed = match config.sources.executed {
        true => Executed::new(evidence.executed.iter().find(|lines| !lines.is_empty()).map_or(&[], Vec::as_slice)),
        false => Executed::new(&[]),
    };
    let shown: Vec<&Ranked> =
        findings.suspects.iter().filter(|ranked| ranked.suspect.score >= SHOWN).take(MAX_SHOWN).collect();
    // Where passing tests tell, the hottest lines are so by what ran.
    let told = |cut: Cut| if evidence.passing.tests > 0 { Cut { told: 0.0, ..cut } } else { cut };
    let suspect = |ranked: &Ranked| suspect_item(findings, ranked, &executed, told(excerpt::WHOLE));
    let mut items: Vec<Item> = Vec::new();
    items.extend(shown.first().map(|best| suspect(best)));
    if let Some(target) = &findings.target {
        items.extend(test_code::items(index, target));
    }
    items.extend(shown.iter().skip(1).map(|ranked| suspect(ranked)));
    if let Some(target) = &findings.target {
        items.extend(test_code::called(index, target, &items));
        items.extend(test_code::others(index, evidence, target));
    }
    items.extend(around::callers(index, &shown, &executed));
    for ranked in shown.iter().take(EXPLAINED) {
        items.extend(around::setters(ranked, &executed));
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
        items.extend(imports::items(file, &items));
    }
    items.extend(definitions);
    // What room is left the fainter suspects have: the fault is oftener in one
    // of them than beside them all.
    let is_shown = |ranked: &Ranked| shown.iter().any(|other| std::ptr::eq(*other, ranked));
    let faint = findings.suspects.iter().filter(|ranked| !is_shown(ranked));
    items.extend(faint.map(|ranked| suspect_item(findings, ranked, &executed, told(excerpt::BRIEF))));
    let mut slice = layout::lay(items, config.budget_tokens, ENOUGH_TOKENS);
    slice.beside = beside::names(index, &slice, &findings.suspects, &executed);
    if let Some(target) = &findings.target {
        slice.dropped.extend(data_files(index, &target.file, target.function));
    }
    slice
}

/// A suspect; of a long one what can reach the failing value.
fn suspect_item(findings: &Findings, ranked: &Ranked, executed: &Executed<'_>, cut: Cut) -> Item {
    let (suspect, file) = (&ranked.suspect, &ranked.file);
    let is_target = |definition| {
        findings.target.as_ref().is_some_and(|target| target.place() == Some(Place { file: file.id, definition }))
    };
    let role = match ranked.definition {
        Some(definition) if is_target(definition) => Role::Test,
        Some(definition) if file.is_test_code(definition) => Role::Helper,
        _ => Role::Suspect,
    };
    let elided = ranked.definition.map(|definition| {
        let trace: Vec<u32> = findings.trace.iter().filter(|(id, _)| *id == file.id).map(|(_, line)| *line).collect();
        excerpt::of_suspect(file, definition, &trace, &suspect.hot, executed, cut)
    });
    Item {
        file: file.clone(),
        lines: suspect.lines,
        role,
        symbol: Some(suspect.symbol.clone()),
        elided: elided.unwrap_or_default(),
        likely: suspect.score >= LIKELY,
    }
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
        elided: excerpt::of_other(file, lines),
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
        if let Some(id) = index.ending_in(tail).next() {
            let path = &index.files[id];
            let words = format!("`{path}`: data that the test reads, not shown");
            if !named.contains(&words) {
                named.push(words);
            }
        }
    }
    named
}

#[cfg(test)]
mod tests;
