//! Misspelled names: one that stands once in its file, where nothing binds it,
//! beside one that is spelled almost like it.
//!
//! Python and JavaScript find such a name when the line runs; compilers of the
//! other languages find it themselves, and suggest the right one.

use super::Operator;
use super::Replacement;
use super::Site;

/// A name that is bound nowhere becomes one that is spelled almost like it.
pub static NAME: Operator = Operator {
    name: "misspelled-name",
    what: "a name that nothing binds becomes one that is spelled almost like it",
    prior: 0.9,
    apply: misspelled,
};

/// How alike two names must be: 1 less edits (also of neighbours swapped) by
/// the longer one's length.
const ALIKE: f64 = 0.7;

/// Names offered for one.
const OFFERED: usize = 3;

fn misspelled<'a>(site: &Site<'a>, out: &mut Vec<Replacement>) {
    let text = site.text();
    let scope = site.scope;
    if !matches!(site.kind(), "identifier" | "property_identifier") || text.len() < 3 || !stands_once(site) {
        return;
    }
    let field = |name: &str| site.parent.and_then(|parent| parent.child_by_field_name(name)) == Some(site.node);
    let is_parameter = site.parent.is_some_and(|parent| parent.kind().contains("parameter"));
    let is_member = site.parent.is_some_and(|parent| {
        parent.kind() == scope.syntax.member.0 && scope.syntax.member_of(parent).is_some_and(|(_, it)| it == site.node)
    });
    if field("name") || field("alias") || is_parameter || !is_member && scope.name(text).is_some() {
        return;
    }
    let mut found: Vec<(&str, f64)> = scope
        .file
        .words
        .keys()
        .filter(|word| word.len().abs_diff(text.len()) <= 2 && **word != text)
        .map(|word| (*word, strsim::normalized_damerau_levenshtein(text, word)))
        .filter(|(_, alike)| *alike >= ALIKE)
        .collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    for (word, alike) in found.into_iter().take(OFFERED) {
        let note = format!("`{word}` is meant, not `{text}`");
        out.push(Replacement::new(site.node.byte_range(), word, note, alike));
    }
}

fn stands_once(site: &Site) -> bool {
    site.scope.file.words.get(site.text()) == Some(&1)
}
