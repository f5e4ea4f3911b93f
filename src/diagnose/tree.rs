//! A tree of files in memory, for tests.
//!
//! Touches no disk.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Texts;
use crate::source::RelPath;

/// Paths and their texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tree(pub(crate) BTreeMap<RelPath, String>);

impl Tree {
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| (RelPath::new(path).expect("a path"), (*text).to_owned());
        Tree(files.iter().map(file).collect())
    }

    pub(crate) fn paths(&self) -> Vec<RelPath> {
        self.0.keys().cloned().collect()
    }
}

impl Texts for Tree {
    fn text(&self, path: &RelPath, _max_bytes: u64) -> Option<String> {
        self.0.get(path).cloned()
    }
}
