use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use pretty_assertions::assert_eq;

use super::*;
use crate::diagnose::Class;
use crate::diagnose::Slice;
use crate::failure::Failure;
use crate::failure::Kind;
use crate::language::Language;
use crate::language::lines_of;
use crate::source::Lines;

/// A diagnosis whose one suspect is the function called `name`, or the whole
/// text where there is none.
pub fn diagnosis_of(path: &str, text: &str, name: &str) -> Diagnosis {
    let path = RelPath::new(path).expect("path");
    let parsed = language::parse(language::of_path(&path).expect("language"), text);
    let mut lines = Lines::new(1, text.lines().count() as u32);
    language::walk(parsed.tree.root_node(), &mut |node| {
        let named = node.child_by_field_name("name").is_some_and(|found| parsed.text_of(found) == name);
        if named && node.kind().starts_with("function") {
            lines = lines_of(node);
        }
        true
    });
    let suspect =
        Suspect { path, lines, symbol: name.to_owned(), score: 1.0, reasons: Vec::new(), hot: Vec::new() };
    let failure = Failure {
        id: "t".into(),
        kind: Kind::Assertion,
        message: String::new(),
        expected: None,
        actual: None,
        frames: Vec::new(),
        output: String::new(),
    };
    let (class, slice) = (Class::Code, Slice::default());
    Diagnosis { failure, also: Vec::new(), class, class_why: String::new(), suspects: vec![suspect], slice }
}

fn rules_for(path: &str, text: &str, name: &str) -> Vec<Candidate> {
    propose(&|_| Some(text.to_owned()), &diagnosis_of(path, text, name), &Config::default())
}

fn after(candidate: &Candidate) -> &str {
    candidate.patch.changes()[0].after.as_deref().expect("text")
}

#[derive(serde::Deserialize)]
struct Case {
    function: String,
    operator: String,
}

fn cases() -> Vec<(PathBuf, Case, &'static Language)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
    let mut found = Vec::new();
    for language in language::LANGUAGES {
        let Ok(folder) = std::fs::read_dir(root.join(language.name)) else { continue };
        for entry in folder {
            let path = entry.expect("entry").path();
            let text = std::fs::read_to_string(path.join("case.toml")).expect("case.toml");
            found.push((path, toml::from_str(&text).expect("a case"), *language));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn all_of(parsed: &Parsed) -> String {
    normal(parsed, &(0..parsed.text.len()))
}

#[test]
fn the_fix_of_most_fixtures_is_among_the_first_candidates() {
    let mut table = String::new();
    let (mut near, mut missing, mut count) = (0, Vec::new(), 0);
    for (path, case, language) in cases() {
        let file = |name: &str| {
            let name = format!("{name}.{}", language.extensions[0]);
            std::fs::read_to_string(path.join(name)).expect("fixture")
        };
        let fixed = all_of(&language::parse(language, &file("fixed")));
        let name = format!("src/code.{}", language.extensions[0]);
        let candidates = rules_for(&name, &file("buggy"), &case.function);
        let rank = candidates.iter().position(|candidate| all_of(&language::parse(language, after(candidate))) == fixed);
        let by = rank.map_or("-", |rank| candidates[rank].origin.name.as_str());
        let shown = rank.map_or("none".to_owned(), |rank| (rank + 1).to_string());
        let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line = format!("{:7} {title:18} {shown:>4} of {:3} {by} ({})\n", language.name, candidates.len(), case.operator);
        table.push_str(&line);
        count += 1;
        near += usize::from(rank.is_some_and(|rank| rank < 150));
        if rank.is_none() {
            missing.push(title);
        }
    }
    println!("{table}");
    assert!(count >= 45, "{count} fixtures were found");
    assert_eq!(missing, Vec::<String>::new(), "never proposed:\n{table}");
    assert!(near * 10 >= count * 9, "{near} of {count} within the first 150:\n{table}");
}
