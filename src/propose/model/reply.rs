//! A model's reply, read leniently: patches, what cannot be used and why, or
//! the word that there is no fix.
//!
//! Understood are the JSON that was asked for, that JSON amid prose or cut off
//! (whole patches are kept), a few other names for its fields, and unified
//! diffs. Reads text; looks at no file.

mod arriving;
mod lenient;

pub use self::arriving::Arriving;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// More patches than this are not read.
const MOST_PATCHES: usize = 50;
/// More names of code to see are not read.
const MOST_WANTED: usize = 8;

/// The JSON schema of a reply: the smallest subset that all vendors take
/// strictly (every property required, no further ones, optional is nullable).
pub fn schema() -> Value {
    let text = || json!({"type": "string"});
    let object = |properties: Value| {
        let names: Vec<&str> =
            properties.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        json!({"type": "object", "required": names, "additionalProperties": false, "properties": properties})
    };
    let edit = object(json!({"path": text(), "search": text(), "replace": text()}));
    let patch = object(json!({"root_cause": text(), "edits": {"type": "array", "items": edit}}));
    object(json!({
        "patches": {"type": "array", "items": patch},
        "see": {"type": "array", "items": text()},
        "no_fix": {"type": ["string", "null"]},
    }))
}

/// What a reply says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Patches, in the reply's order.
    pub patches: Vec<SaidPatch>,
    /// Patches that cannot be read: root cause, where there is one, and why.
    pub unreadable: Vec<(String, String)>,
    /// Names of code that the model asks to see.
    pub wanted: Vec<String>,
    /// Why there is no fix, where the model says so.
    pub no_fix: Option<String>,
}

/// A patch as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidPatch {
    /// In the model's words; may be empty.
    pub root_cause: String,
    /// What it changes.
    pub change: SaidChange,
}

/// What a patch changes, as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaidChange {
    /// Search and replace.
    Edits(Vec<SaidEdit>),
    /// A unified diff.
    Diff(String),
}

/// One edit as the model wrote it; the path is not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidEdit {
    /// The file.
    pub path: String,
    /// What to search.
    pub search: String,
    /// What to write instead.
    pub replace: String,
}

/// Reads a reply.
pub fn read(text: &str) -> Said {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut said = Said::default();
    let values = match serde_json::from_str::<Value>(text) {
        Ok(value) if is_meant(&value) => vec![value],
        _ => lenient::values_in(text, &is_meant),
    };
    for value in &values {
        said.take(value);
    }
    if said.patches.is_empty() && said.unreadable.is_empty() {
        said.patches = diffs_in(text);
    }
    said.wanted.truncate(MOST_WANTED);
    let says_nothing = said.patches.is_empty() && said.unreadable.is_empty() && said.wanted.is_empty();
    if says_nothing && said.no_fix.is_none() && values.iter().any(gives_none) {
        said.no_fix = Some("it does not say why".to_owned());
    }
    if says_nothing && said.no_fix.is_none() {
        let start: String = text.chars().take(80).collect();
        let why =
            if start.is_empty() { "the reply is empty".into() } else { format!("the reply holds no patch: `{start}`") };
        said.unreadable.push((String::new(), why));
    }
    let extra = said.patches.len().saturating_sub(MOST_PATCHES);
    said.patches.truncate(MOST_PATCHES);
    said.unreadable.truncate(MOST_PATCHES);
    if extra > 0 {
        said.unreadable.push((String::new(), format!("{extra} patches too many were left out")));
    }
    said
}

const PATCHES: &[&str] = &["patches", "fixes", "candidates"];
const EDITS: &[&str] = &["edits", "changes", "replacements"];
const CAUSE: &[&str] = &["root_cause", "cause", "hypothesis", "explanation", "reason"];
const PATH: &[&str] = &["path", "file", "filename", "file_path"];
const SEARCH: &[&str] = &["search", "find", "old", "old_str", "original"];
const REPLACE: &[&str] = &["replace", "new", "new_str", "replacement"];
const DIFF: &[&str] = &["diff", "patch"];
const WANTED: &[&str] = &["see"];

fn field<'v>(map: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| map.get(*name)).filter(|value| !value.is_null())
}

fn text_field<'v>(map: &'v Map<String, Value>, names: &[&str]) -> Option<&'v str> {
    field(map, names).and_then(Value::as_str)
}

/// Whether a value speaks of patches at all.
fn is_meant(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_meant),
        Value::Object(map) => [PATCHES, EDITS, SEARCH, DIFF, WANTED, &["no_fix"]]
            .iter()
            .any(|names| names.iter().any(|name| map.contains_key(*name))),
        _ => false,
    }
}

impl Said {
    fn take(&mut self, value: &Value) {
        match value {
            // A list of bare edits is one patch; any other list is of patches.
            Value::Array(items) if items.iter().any(|item| item.as_object().is_some_and(is_edit)) => {
                self.take_patch(&json!({"edits": items}));
            }
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            Value::Object(map) => {
                if let Some(why) = text_field(map, &["no_fix"]).filter(|why| !why.trim().is_empty()) {
                    self.no_fix = Some(why.trim().to_owned());
                }
                let wanted = field(map, WANTED).and_then(Value::as_array).into_iter().flatten();
                let wanted = wanted.filter_map(Value::as_str).map(str::trim).filter(|name| !name.is_empty());
                self.wanted.extend(wanted.map(str::to_owned));
                match field(map, PATCHES) {
                    Some(Value::Array(items)) => items.iter().for_each(|item| self.take_patch(item)),
                    Some(item) => self.take_patch(item),
                    None if is_patch(map) => self.take_patch(value),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn take_patch(&mut self, value: &Value) {
        let cause = value.as_object().and_then(|map| text_field(map, CAUSE)).unwrap_or_default().trim().to_owned();
        match change(value) {
            Ok(change) => self.patches.push(SaidPatch { root_cause: cause, change }),
            Err(why) => self.unreadable.push((cause, why)),
        }
    }
}

/// Whether it is the form that was asked for, without a patch.
fn gives_none(value: &Value) -> bool {
    let patches = value.as_object().and_then(|map| field(map, PATCHES));
    patches.and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Whether the reply is one patch and says nothing else.
fn is_patch(map: &Map<String, Value>) -> bool {
    let holds = |names: &[&str]| names.iter().any(|name| map.contains_key(*name));
    !holds(&["no_fix"]) && [EDITS, SEARCH, DIFF].iter().any(|names| holds(names))
}

fn is_edit(map: &Map<String, Value>) -> bool {
    field(map, SEARCH).is_some() && field(map, EDITS).is_none()
}

fn change(value: &Value) -> Result<SaidChange, String> {
    let Some(map) = value.as_object() else {
        // Some put the diff where an object was asked for.
        let diff = value.as_str().filter(|text| looks_like_a_diff(text));
        return diff.map(|text| SaidChange::Diff(text.to_owned())).ok_or_else(|| "the patch is no object".to_owned());
    };
    if map.contains_key(lenient::CUT) {
        return Err("the reply was cut off in this patch".to_owned());
    }
    if let Some(edits) = field(map, EDITS) {
        let items = match edits {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if items.is_empty() {
            return Err("it has no edits".to_owned());
        }
        return items.iter().map(edit).collect::<Result<_, _>>().map(SaidChange::Edits);
    }
    if is_edit(map) {
        return Ok(SaidChange::Edits(vec![edit(value)?]));
    }
    match text_field(map, DIFF) {
        Some(diff) => Ok(SaidChange::Diff(diff.to_owned())),
        None => Err("it has no edits".to_owned()),
    }
}

fn edit(value: &Value) -> Result<SaidEdit, String> {
    let map = value.as_object().ok_or("an edit is no object")?;
    let text = |names: &[&str]| {
        text_field(map, names).map(str::to_owned).ok_or_else(|| format!("an edit has no `{}`", names[0]))
    };
    Ok(SaidEdit { path: text(PATH)?, search: text(SEARCH)?, replace: text(REPLACE)? })
}

fn looks_like_a_diff(text: &str) -> bool {
    let starts = |mark: &str| text.starts_with(mark) || text.contains(&format!("\n{mark}"));
    starts("diff --git ") || (starts("--- ") && starts("+++ "))
}

/// Unified diffs in a text: each fenced block that is one, else the whole
/// text if it holds one.
fn diffs_in(text: &str) -> Vec<SaidPatch> {
    let patch = |diff: String| SaidPatch { root_cause: String::new(), change: SaidChange::Diff(diff) };
    let mut blocks: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        match (&mut open, is_fence) {
            (Some(_), true) => blocks.extend(open.take()),
            (Some(block), false) => block.push_str(line),
            (None, true) => open = Some(String::new()),
            (None, false) => {}
        }
    }
    blocks.extend(open);
    blocks.retain(|block| looks_like_a_diff(block));
    if blocks.is_empty() && looks_like_a_diff(text) {
        blocks.push(text.to_owned());
    }
    blocks.into_iter().map(patch).collect()
}

#[cfg(test)]
mod tests;
