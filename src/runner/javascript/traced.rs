//! Lines of JavaScript tests: heal's recorder is laid into the channel and
//! loaded into the processes that run tests (`NODE_OPTIONS`; mocha's reporter
//! loads it itself), and what it told is given to the tests.
//!
//! Composes and reads; runs nothing. A test that nothing was recorded of has no
//! lines.

use std::collections::HashMap;

use crate::outcome::TestResult;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::RunnerError;
use crate::runner::RunnerKind;
use crate::runner::Site;
use crate::runner::lines;
use crate::runner::lines::Record;
use crate::trace::javascript::SEPARATOR;

/// The recorder's files.
const FILES: &[(&str, &str)] = &[
    ("heal_lines.cjs", include_str!("../heal_lines.cjs")),
    ("heal_lines_recorder.cjs", include_str!("../heal_lines_recorder.cjs")),
];

/// The variable with options for every node process (nodejs.org/api/cli.html).
pub const OPTIONS: &str = "NODE_OPTIONS";

/// Lays the recorder into the channel; returns the option of node that loads it,
/// where the reporter does not.
///
/// # Errors
/// The channel's directory cannot be written.
pub(super) fn lay(project: &Project, site: &Site, channel: &Channel) -> Result<Option<String>, RunnerError> {
    let write = |name: &str, text: &[u8]| {
        let path = channel.dir.join(name);
        std::fs::write(&path, text).map_err(|source| RunnerError::Channel { path, source })
    };
    let about = serde_json::json!({
        "nonce": channel.nonce,
        "root": site.tree,
        "runner": project.kind.name(),
    });
    write("heal_lines.json", about.to_string().as_bytes())?;
    for (name, text) in FILES {
        write(name, text.as_bytes())?;
    }
    if project.kind == RunnerKind::Mocha {
        return Ok(None);
    }
    let option = format!("--require={}", channel.dir.join(FILES[0].0).display());
    // As node takes words apart (nodejs.org/api/cli.html, NODE_OPTIONS).
    let plain = !option.contains([' ', '"', '\\']);
    Ok(Some(if plain { option } else { format!("\"{}\"", option.replace('\\', "\\\\").replace('"', "\\\"")) }))
}

/// Adds node's option `load` to those of the environment, and to those that the
/// command sets itself (`env NODE_OPTIONS=… jest`).
pub(super) fn add(load: &str, env: &mut Vec<(String, Option<String>)>, argv: &mut [String]) {
    let before = env.iter().rev().find(|(name, _)| name == OPTIONS).and_then(|(_, value)| value.as_deref());
    let options = before.map_or(load.to_owned(), |before| format!("{before} {load}"));
    env.push((OPTIONS.to_owned(), Some(options)));
    for word in argv.iter_mut().take_while(|word| *word == "env" || word.contains('=')) {
        if word.split_once('=').is_some_and(|(name, _)| name == OPTIONS) {
            word.push_str(&format!(" {load}"));
        }
    }
}

/// Gives the tests of a report the lines that were recorded; `tests` are all
/// that it told of.
pub(super) fn tell(channel: &Channel, tests: &mut [TestResult]) {
    let mut told: HashMap<(String, String), Vec<Record>> = HashMap::new();
    for record in lines::read(&channel.dir, &channel.nonce) {
        told.entry((record.file.clone(), flat(&record.title))).or_default().push(record);
    }
    for ((file, title), mut records) in told {
        let of_title: Vec<usize> = (0..tests.len()).filter(|at| is_of(&tests[*at].id, &file, &title)).collect();
        if of_title.len() != records.len() {
            // Of a test that was tried again the last time counts; which one of
            // several a record is of cannot be told.
            if of_title.len() != 1 {
                continue;
            }
            records.drain(..records.len() - 1);
        }
        for (at, record) in of_title.into_iter().zip(records) {
            tests[at].executed = record.covered();
        }
    }
}

/// Whether the record of `title` in `file`, absolute, is of the test `id`.
fn is_of(id: &str, file: &str, title: &str) -> bool {
    let Some((of, titles)) = id.split_once(SEPARATOR) else { return false };
    if !file.strip_suffix(of).is_some_and(|before| before.ends_with('/')) {
        return false;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = titles.rsplit_once(" #").filter(|(_, number)| is_number(number)).map(|(plain, _)| plain);
    [Some(titles), plain].into_iter().flatten().any(|titles| flat(titles) == title)
}

/// Titles as the recorder joins them.
fn flat(titles: &str) -> String {
    titles.replace(SEPARATOR, " ")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::outcome::Status;
    use crate::source::RelPath;

    #[test]
    fn the_recorder_is_added_to_the_options_that_are_there() {
        let load = "--require=/ch/heal_lines.cjs";
        for (before, command, wanted, shown) in [
            (None, "jest", load.to_owned(), "jest".to_owned()),
            (
                Some("--max-old-space-size=4096"),
                "env CI=1 NODE_OPTIONS=--experimental-vm-modules jest NODE_OPTIONS=x",
                format!("--max-old-space-size=4096 {load}"),
                format!("env CI=1 NODE_OPTIONS=--experimental-vm-modules {load} jest NODE_OPTIONS=x"),
            ),
        ] {
            let mut env: Vec<_> =
                before.map(|value: &str| (OPTIONS.to_owned(), Some(value.to_owned()))).into_iter().collect();
            let mut argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
            add(load, &mut env, &mut argv);
            assert_eq!(env.last(), Some(&(OPTIONS.to_owned(), Some(wanted))));
            assert_eq!(argv.join(" "), shown);
        }
    }

    #[test]
    fn a_channel_with_a_blank_in_its_path_is_one_word_of_nodes() {
        let folder = tempfile::Builder::new().prefix("a b").tempdir().expect("a folder");
        let channel = Channel { dir: folder.path().to_owned(), nonce: "N".into() };
        let project = |kind| Project { root: RelPath::root(), kind, command: vec![], given: true, why: String::new() };
        let site = crate::runner::python::tests::site("/tree");
        let load = lay(&project(RunnerKind::Jest), &site, &channel).expect("laid").expect("an option");
        assert_eq!(load, format!("\"--require={}/heal_lines.cjs\"", folder.path().display()));
        // mocha's reporter loads it itself.
        assert_eq!(lay(&project(RunnerKind::Mocha), &site, &channel).expect("laid"), None);
        assert!(folder.path().join("heal_lines.cjs").exists());
    }

    #[test]
    fn records_are_given_to_the_tests_they_are_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let channel = Channel { dir: folder.path().to_owned(), nonce: "N".into() };
        let record = |title: &str, line: u32| {
            serde_json::json!({"nonce": "N", "file": "/tree/web/src/a.test.js", "title": title,
                "files": {"web/src/a.js": [line]}})
            .to_string()
                + "\n"
        };
        let text = [
            record("Cart adds", 1),
            record("Cart adds", 2),
            record("Cart flaky", 3),
            record("Cart flaky", 4),
            record("Cart a > b inner", 5),
            record("other", 6),
        ];
        std::fs::write(folder.path().join("lines-1-0.jsonl"), text.concat()).expect("written");
        let ids = [
            "src/a.test.js > Cart > adds",
            "src/a.test.js > Cart > adds #2",
            "src/a.test.js > Cart > flaky",
            "src/a.test.js > Cart > a > b > inner",
            "src/a.test.js > Bag > adds",
            "src/b.test.js > other",
        ];
        let test = |id: &&str| TestResult {
            id: (*id).to_owned(),
            status: Status::Passed,
            took: std::time::Duration::ZERO,
            failure: None,
            executed: Vec::new(),
        };
        let mut tests: Vec<TestResult> = ids.iter().map(test).collect();
        tell(&channel, &mut tests);
        let path = RelPath::new("web/src/a.js").expect("a path");
        let told: Vec<Option<u32>> = tests
            .iter()
            .map(|test| test.executed.iter().find(|(file, _)| *file == path).map(|(_, lines)| lines[0]))
            .collect();
        assert_eq!(told, [Some(1), Some(2), Some(4), Some(5), None, None]);
    }
}
