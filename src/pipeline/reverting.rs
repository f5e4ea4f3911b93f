//! Which changes may be taken back for a case: the latest ones that touch its
//! suspects, where the failing test is older than they are.
//!
//! Reads git; makes no patch itself. A test that a change brought along or
//! edited asks for what the change does: taking that back could only remove
//! what was meant.

use std::collections::HashMap;

use super::case::Case;
use super::prepare::Prepared;
use crate::git::Change;
use crate::language;
use crate::propose::Candidate;
use crate::propose::revert;
use crate::source::RelPath;

/// Commits that are looked at. What broke a test that is run often is new.
const COMMITS: usize = 5;

/// What an older change counts beside the one after it.
const OLDER: f64 = 0.8;

/// Characters of a commit's subject that are shown.
const SUBJECT: usize = 60;

/// The reverts for `case`, the likeliest first. None where git cannot tell.
pub fn candidates(prepared: &Prepared, case: &Case) -> Vec<Candidate> {
    let suspected = |path: &RelPath| case.diagnosis.suspects.iter().any(|suspect| suspect.path == *path);
    let (snapshot, read) = (&prepared.snapshot, |path: &RelPath| prepared.text(path));
    let changed = snapshot.changed_files();
    let changes = prepared.repository.last_changes(snapshot.commit(), &changed, &read, COMMITS).unwrap_or_default();
    let mut found: Vec<Candidate> = Vec::new();
    let mut weight = 1.0;
    for change in changes {
        if !change.files.iter().any(|(path, _)| suspected(path)) {
            continue;
        }
        let past: HashMap<&RelPath, String> = change
            .files
            .iter()
            .map(|(path, _)| path)
            .chain(case.tests.iter().map(|test| &test.path))
            .filter_map(|path| {
                let bytes = prepared.repository.show(&change.before, path).ok()??;
                Some((path, String::from_utf8(bytes).ok()?))
            })
            .collect();
        let old = |path: &RelPath| past.get(path).cloned();
        if !is_older_test(prepared, case, &change, &old) {
            continue;
        }
        let made = revert::propose(&read, &old, &change.files, &case.diagnosis, &name(&change));
        found.extend(made.into_iter().map(|candidate| Candidate { prior: candidate.prior * weight, ..candidate }));
        weight *= OLDER;
    }
    found
}

/// Whether every failing test was there before the change, as it is now.
fn is_older_test(prepared: &Prepared, case: &Case, change: &Change, old: &dyn Fn(&RelPath) -> Option<String>) -> bool {
    if case.tests.is_empty() {
        // Where they are is not known: then no test may have changed.
        return !change.files.iter().any(|(path, _)| language::is_test_file(path));
    }
    case.tests.iter().all(|test| {
        let (Some(now), Some(before)) = (prepared.text(&test.path), old(&test.path)) else { return false };
        let definition = |text: &str| definition_of(&test.path, text, &test.function);
        now == before || matches!((definition(&now), definition(&before)), (Some(now), Some(before)) if now == before)
    })
}

/// The text of every function called `name`.
fn definition_of(path: &RelPath, text: &str, name: &str) -> Option<String> {
    let parsed = language::parse(language::of_path(path)?, text);
    let last = name.rsplit(['.', ':']).next().unwrap_or(name);
    let named = parsed.definitions().into_iter().filter(|found| found.kind.is_callable() && found.name == last);
    let texts: Vec<&str> = named.filter_map(|found| parsed.text.get(found.bytes)).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

/// The change in words.
fn name(change: &Change) -> String {
    match &change.commit {
        None => "a change that is not committed".to_owned(),
        Some((id, subject)) => {
            let shown: String = subject.chars().filter(|c| !c.is_control() && *c != '`').take(SUBJECT).collect();
            format!("commit {} (`{shown}`)", &id[..id.len().min(10)])
        }
    }
}
