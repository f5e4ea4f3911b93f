//! Tests whose lines are to be known: `go test` is told to start heal in the
//! place of each package's test binary (`-exec`), which runs each of the tests
//! in a process of its own and keeps what it covered.
//!
//! The tests' output goes to `go test` as it would without. Writes only into
//! the channel; judges nothing. A test that takes the whole process down (a
//! panic, `os.Exit`) leaves no profile, so it has no lines.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde::Serialize;

use super::Module;
use super::coverage;
use crate::outcome::TestResult;
use crate::process::Command;
use crate::process::Exit;
use crate::process::stream;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::Request;
use crate::runner::RunnerError;
use crate::runner::Selection;
use crate::runner::Site;
use crate::runner::lines;

/// The word by which heal's own executable knows that it stands in.
pub const WORD: &str = "__go-stand-in";

/// The exit code for a fault of heal's own.
const FAULT: i32 = 125;

/// Time for the tests of one package.
const TRACED: Duration = Duration::from_secs(4);

/// Tests of which lines are asked for at once: more are no sample.
const MOST: usize = 1_000;

const ORDER: &str = "order.json";

/// What the stand-in is to do.
#[derive(Serialize, Deserialize)]
struct Order {
    nonce: String,
    /// The repository's root.
    tree: PathBuf,
    module: Module,
    /// Ids of tests.
    tests: Vec<String>,
    test_limit: Duration,
}

/// The words that ask for lines; none where they are not wanted or cannot be
/// had. Writes the order into the channel.
///
/// # Errors
/// The channel's directory cannot be written.
pub(super) fn words(
    project: &Project,
    site: &Site,
    request: &Request,
    channel: &Channel,
) -> Result<Vec<String>, RunnerError> {
    let Selection::Tests(tests) = &request.selection else { return Ok(Vec::new()) };
    let is_exec = |word: &String| word.trim_start_matches('-').split('=').next() == Some("exec");
    if !request.trace_lines || project.command.iter().any(is_exec) {
        return Ok(Vec::new());
    }
    let stand_in = [quoted(&site.heal), Some(WORD.to_owned()), quoted(&channel.dir)];
    let (Some(module), [Some(heal), Some(word), Some(dir)]) = (Module::of(project, site), stand_in) else {
        return Ok(Vec::new());
    };
    let order = Order {
        nonce: channel.nonce.clone(),
        tree: site.tree.clone(),
        module,
        tests: tests.iter().take(MOST).cloned().collect(),
        test_limit: request.test_limit,
    };
    let path = channel.dir.join(ORDER);
    let text = serde_json::to_vec(&order).map_err(std::io::Error::other);
    text.and_then(|text| std::fs::write(&path, text)).map_err(|source| RunnerError::Channel { path, source })?;
    Ok(vec!["-cover".to_owned(), "-coverpkg=./...".to_owned(), format!("-exec={heal} {word} {dir}")])
}

/// A path as `-exec` takes it: words in quotes, in which nothing is escaped
/// (`cmd/internal/quoted`). `None` for what cannot be written so.
fn quoted(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    if !text.contains([' ', '\t', '\n', '\r', '\'', '"']) {
        return Some(text.to_owned());
    }
    ['\'', '"'].into_iter().find(|quote| !text.contains(*quote)).map(|quote| format!("{quote}{text}{quote}"))
}

/// Gives the tests the lines that were kept, and keeps one row of each test:
/// one that holds others ran with each of them.
pub(super) fn tell(channel: &Channel, tests: &mut Vec<TestResult>) {
    let mut told: BTreeMap<String, lines::Record> =
        lines::read(&channel.dir, &channel.nonce).into_iter().map(|record| (record.title.clone(), record)).collect();
    tests.retain_mut(|test| match told.remove(&test.id) {
        Some(record) => {
            test.executed = record.covered();
            true
        }
        None => false,
    });
}

/// Stands in for one package's test binary; `arguments` are those after
/// [`WORD`]. Returns the exit code.
pub fn stand_in_main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let mut words = arguments.into_iter();
    let (Some(channel), Some(binary)) = (words.next().map(PathBuf::from), words.next()) else { return FAULT };
    let order = std::fs::read(channel.join(ORDER)).ok().and_then(|text| serde_json::from_slice::<Order>(&text).ok());
    let Some(order) = order else { return FAULT };
    let given: Vec<OsString> = words.filter(|word| !is_replaced(word)).collect();
    run(&channel, &binary, &given, &order).unwrap_or(FAULT)
}

/// Whether heal gives the binary such an argument of its own.
fn is_replaced(word: &OsString) -> bool {
    let name = word.to_str().and_then(|word| word.split('=').next()).unwrap_or_default();
    ["-test.run", "-test.skip", "-test.coverprofile", "-test.gocoverdir"].contains(&name)
}

/// Runs the package's tests one after another until the time is over.
fn run(channel: &Path, binary: &OsString, given: &[OsString], order: &Order) -> std::io::Result<i32> {
    let Some(package) = package(order) else { return Ok(FAULT) };
    let mine = order.tests.iter().filter_map(|id| Some((id, id.split_once(' ')?)));
    let mine = mine.filter(|(_, (of, _))| *of == package).map(|(id, (_, name))| (id, name));
    let process = std::process::id();
    let file = channel.join(format!("{}{process}.jsonl", lines::PREFIX));
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    let until = Instant::now() + TRACED;
    let mut failed = false;
    for (number, (id, name)) in mine.enumerate() {
        if Instant::now() > until {
            break;
        }
        let profile = channel.join(format!("profile-{process}-{number}.out"));
        let mut coverprofile = OsString::from("-test.coverprofile=");
        coverprofile.push(&profile);
        let command = Command::new(binary.clone())
            .args(given.iter().cloned())
            .arg(format!("-test.run={}", pattern(name)))
            .arg(coverprofile)
            .time_limit(order.test_limit);
        failed |= stream::pass_through(&command)? != Exit::Code(0);
        let Ok(text) = std::fs::read_to_string(&profile) else { continue };
        std::fs::remove_file(&profile)?;
        let files = coverage::executed(&text).into_iter();
        let files = files.filter_map(|(name, lines)| Some((order.module.inside(&name)?.as_str().to_owned(), lines)));
        let record = lines::Record {
            nonce: order.nonce.clone(),
            file: String::new(),
            title: id.clone(),
            files: files.collect(),
        };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        log.write_all(&line)?;
    }
    Ok(i32::from(failed))
}

/// The package's name: `go test` starts its binary in its folder.
fn package(order: &Order) -> Option<String> {
    let root = order.module.root.under(&order.tree).canonicalize().ok()?;
    let folder = std::env::current_dir().ok()?.canonicalize().ok()?;
    let inner = folder.strip_prefix(root).ok()?.to_str()?;
    let path = &order.module.path;
    Some(if inner.is_empty() { path.clone() } else { format!("{path}/{inner}") })
}

/// A test alone among its siblings: a pattern for each level (`go doc
/// cmd/go`, "Testing flags").
fn pattern(name: &str) -> String {
    name.split('/').map(|part| format!("^{}$", regex::escape(part))).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn one_test_is_asked_for_by_a_pattern_of_each_level() {
        for (name, wanted) in
            [("TestA", "^TestA$"), ("TestA/two_items/1+1", r"^TestA$/^two_items$/^1\+1$"), ("TestA/", "^TestA$/^$")]
        {
            assert_eq!(pattern(name), wanted);
        }
    }

    #[test]
    fn a_path_is_quoted_as_go_takes_it() {
        for (path, wanted) in
            [("/a/b", Some("/a/b")), ("/a b/c", Some("'/a b/c'")), ("/it's", Some("\"/it's\"")), ("/it's \"so\"", None)]
        {
            assert_eq!(quoted(Path::new(path)).as_deref(), wanted);
        }
    }
}
