//! The Go runner: `go test -json`.
//!
//! Ids are a package's path and a test's name, subtests included, with a space
//! between them: `example.test/shop TestTable/two_items`. A test that only
//! fails for its subtests shares the first one's failure, so that both count as
//! one.
//!
//! Decided here:
//! - `-count=1`: a result from Go's cache is none of this tree.
//! - Selected tests replace the packages given; subtests are chosen by the
//!   test that holds them, and the others' rows left out.
//! - The binary's own `-timeout` ends an endless test, and names it.
//! - `-json` comes before the packages, and what follows `-args` is kept.
//! - Where lines are asked for, heal stands in for the test binaries by `-exec`
//!   ([`traced`]); a command with an `-exec` of its own tells none.
//!
//! Composes and reads; never starts anything.

mod coverage;
mod traced;

use std::collections::BTreeSet;
use std::collections::HashSet;

use super::*;
use crate::failure::Kind;
use crate::process::Exit;
use crate::trace::go::events::Events;
use crate::trace::go::events::Told;
use crate::trace::ground::Ground;
use crate::trace::ground::bare;

pub use traced::WORD;
pub use traced::stand_in_main;

/// Bytes kept of the events.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// The most that a package's other work may take beside its tests: it is built
/// before its deadline begins.
const START: Duration = Duration::from_secs(20);

/// Options of `go test` that take a value as a word of their own.
const VALUES: &[&str] = &[
    "-run",
    "-skip",
    "-bench",
    "-count",
    "-cpu",
    "-timeout",
    "-tags",
    "-p",
    "-parallel",
    "-mod",
    "-modfile",
    "-ldflags",
    "-gcflags",
    "-coverprofile",
    "-covermode",
    "-coverpkg",
    "-exec",
    "-o",
    "-vet",
    "-shuffle",
    "-benchtime",
    "-fuzz",
    "-fuzztime",
];

/// Options that heal sets itself, or that hide results.
const OURS: &[&str] = &["-json", "-v", "-count", "-failfast", "-timeout", "-shuffle"];

/// What would stand in the way of lines that heal asks for.
const COVERAGE: &[&str] = &["-cover", "-coverprofile", "-coverpkg", "-covermode"];

/// A module as `go.mod` declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Module {
    /// Its path, the beginning of its packages' names.
    path: String,
    /// Its folder.
    root: RelPath,
}

impl Module {
    /// The module that `project` is in: the nearest `go.mod` at its folder or
    /// above, in the repository.
    fn of(project: &Project, site: &Site) -> Option<Module> {
        let mut root = project.root.clone();
        loop {
            if let Ok(text) = std::fs::read_to_string(root.under(&site.tree).join("go.mod")) {
                let path = text.lines().find_map(|line| line.strip_prefix("module "))?;
                let path = path.split("//").next().unwrap_or(path).trim().trim_matches('"');
                return Some(Module { path: path.to_owned(), root });
            }
            if root.is_root() {
                return None;
            }
            root = root.parent();
        }
    }

    /// The folder or file of the repository that Go calls `name`.
    fn inside(&self, name: &str) -> Option<RelPath> {
        let rest = name.strip_prefix(&self.path)?;
        match rest.strip_prefix('/') {
            Some(inner) => self.root.join(inner).ok(),
            None => rest.is_empty().then(|| self.root.clone()),
        }
    }
}

/// Composes the command.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    let mut env: Vec<(String, Option<String>)> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    if let Some(zone) = request.variation.time_zone {
        env.push(("TZ".to_owned(), Some(zone.to_owned())));
    }
    let traced = traced::words(project, site, request, channel)?;
    Ok(Command {
        argv: argv(&project.command, request, &traced).into_iter().map(Into::into).collect(),
        cwd: project.root.under(&site.tree),
        env: env.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        time_limit: request.time_limit,
        output_limit: OUTPUT_LIMIT,
        memory_limit: None,
    })
}

/// The command's words; `traced` are those that ask for lines, if any.
fn argv(command: &[String], request: &Request, traced: &[String]) -> Vec<String> {
    let verb = command.iter().position(|word| word == "test").unwrap_or(command.len().saturating_sub(1));
    let (head, rest) = command.split_at((verb + 1).min(command.len()));
    let mut words = head.to_vec();
    words.extend(["-json", "-count=1"].map(str::to_owned));
    if request.variation.reverse {
        words.push("-shuffle=20070".to_owned());
    }
    // The rows of one table run together: one that fails before would end the
    // selected one.
    let has_rows = matches!(&request.selection, Selection::Tests(ids) if ids.iter().any(|id| is_row(id)));
    if request.fail_fast && !has_rows {
        words.push("-failfast".to_owned());
    }
    let (options, packages, arguments) = sorted_out(rest);
    let ids = match &request.selection {
        Selection::All => {
            words.extend(options);
            words.extend(packages);
            words.extend(arguments);
            return words;
        }
        Selection::Tests(ids) => ids,
    };
    let limit = request.limit_of(ids.len(), request.start_limit.min(START));
    words.push(format!("-timeout={}s", limit.as_secs().max(1)));
    words.extend_from_slice(traced);
    let in_the_way = |word: &String| {
        let name = word.split('=').next().unwrap_or(word);
        ["-run", "-skip"].contains(&name) || (!traced.is_empty() && COVERAGE.contains(&name))
    };
    words.extend(options.into_iter().filter(|word| !in_the_way(word)));
    let parts: Vec<(&str, &str)> =
        ids.iter().filter(|id| !id.starts_with("error[")).filter_map(|id| id.split_once(' ')).collect();
    let tests: BTreeSet<&str> = parts.iter().map(|(_, test)| test.split('/').next().unwrap_or(test)).collect();
    if tests.is_empty() {
        // What failed belongs to no test: the packages as they are.
        words.extend(packages);
    } else {
        words.push(format!("-run=^({})$", tests.into_iter().map(regex::escape).collect::<Vec<_>>().join("|")));
        words.extend(parts.iter().map(|(package, _)| *package).collect::<BTreeSet<_>>().into_iter().map(str::to_owned));
    }
    words.extend(arguments);
    words
}

/// Whether a test is a row of another one (`t.Run`).
fn is_row(id: &str) -> bool {
    id.split_once(' ').is_some_and(|(_, test)| test.contains('/'))
}

/// Options in the form `-name=value`, packages, and what follows `-args`;
/// without heal's own options.
fn sorted_out(rest: &[String]) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (mut options, mut packages) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < rest.len() {
        let word = &rest[at];
        at += 1;
        if matches!(word.as_str(), "-args" | "--args") {
            return (options, packages, rest[at - 1..].to_vec());
        }
        let Some(name) = word.strip_prefix('-').map(|name| name.trim_start_matches('-')) else {
            packages.push(word.clone());
            continue;
        };
        let (name, mut value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let dashed = format!("-{name}");
        if value.is_none() && VALUES.contains(&dashed.as_str()) {
            value = rest.get(at).cloned();
            at += 1;
        }
        if !OURS.contains(&dashed.as_str()) {
            options.push(value.map_or(dashed.clone(), |value| format!("{dashed}={value}")));
        }
    }
    (options, packages, Vec::new())
}

/// Reads the events.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    let places = site.places.also_at(&site.tree);
    let ground = Ground { places: &places, near: &project.root };
    let mut events = Events::new(ground);
    let mut heard = false;
    for line in finished.stdout.text.lines() {
        if events.line(line) {
            heard = true;
        } else {
            events.other(line);
        }
    }
    // Before Go 1.24 the compiler speaks on standard error.
    finished.stderr.text.lines().for_each(|line| events.other(line));
    let told = events.finish();
    let doubt = doubt(&told, heard, finished);
    let mut report = Report { tests: told.tests, problems: told.problems, ..Report::default() };
    share_with_blocks(&mut report.tests);
    if !heard && report.problems.is_empty() && finished.exit != Exit::Code(0) {
        let text = format!("{}\n{}", finished.stdout.text, finished.stderr.text);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("go test told nothing");
        let mut failure = bare(project.shown(), Kind::Collection, last.to_owned());
        failure.output = crate::trace::bounded(text.trim());
        report.problems.push(failure);
    }
    if let Selection::Tests(ids) = &request.selection {
        let wanted: HashSet<&String> = ids.iter().collect();
        report.tests.retain(|test| wanted.contains(&test.id));
    }
    if request.records_selected() {
        traced::tell(channel, &mut report.tests);
    }
    report.incomplete_why = doubt;
    report.complete = report.incomplete_why.is_none();
    report
}

fn doubt(told: &Told, heard: bool, finished: &Finished) -> Option<String> {
    let failed = !told.problems.is_empty() || told.tests.iter().any(|test| test.status == Status::Failed);
    if finished.stdout.dropped > 0 {
        return Some("go test printed more than is kept".to_owned());
    }
    if let Some(id) = told.unfinished.first() {
        return Some(format!("the process ended while {id} ran"));
    }
    if let Some(package) = told.unexplained.first() {
        return Some(format!("{package} failed although none of its tests did"));
    }
    match finished.exit {
        Exit::Code(0) if failed => Some("go test succeeded although a test failed".to_owned()),
        Exit::Code(0) if !heard => Some("go test told nothing".to_owned()),
        Exit::Code(0) => None,
        Exit::Code(_) if failed || !told.packages.values().all(|passed| *passed) => None,
        Exit::Code(code) => Some(format!("go test ended with code {code} although no test failed")),
        exit => Some(format!("go test was ended: {exit:?}")),
    }
}

/// A test that only fails for its subtests fails as the first of them.
fn share_with_blocks(tests: &mut [TestResult]) {
    let mut first: std::collections::HashMap<String, Failure> = std::collections::HashMap::new();
    for test in tests.iter() {
        let Some(failure) = test.failure.as_ref().filter(|failure| !failure.frames.is_empty()) else { continue };
        for (end, _) in test.id.match_indices('/').filter(|(end, _)| test.id[..*end].contains(' ')) {
            first.entry(test.id[..end].to_owned()).or_insert_with(|| failure.clone());
        }
    }
    for test in tests.iter_mut() {
        let Some(failure) = test.failure.as_mut().filter(|failure| failure.frames.is_empty()) else { continue };
        if let Some(inner) = first.get(&test.id) {
            *failure = Failure { id: test.id.clone(), ..inner.clone() };
        }
    }
}

/// The test's function, in the package's folder where a file of it defines it.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let (package, test) = id.split_once(' ')?;
    let function = test.split('/').next()?;
    let folder = Module::of(project, site)?.inside(package)?;
    let wanted = format!("func {function}(");
    let mut entries: Vec<_> =
        std::fs::read_dir(folder.under(&site.tree)).ok()?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let file = entries.into_iter().find(|path| {
        path.to_string_lossy().ends_with("_test.go")
            && std::fs::read_to_string(path).is_ok_and(|text| text.contains(&wanted))
    })?;
    let path = folder.join(file.file_name()?.to_str()?).ok()?;
    Some(TestPlace { path, function: function.to_owned(), lines: None })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn composed(command: &str, ids: &[&str]) -> String {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let selection = if ids.is_empty() { Selection::All } else { Selection::Tests(ids) };
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        argv(&words, &python::tests::request(selection), &[]).join(" ")
    }

    #[test]
    fn options_are_kept_and_packages_chosen_by_the_tests() {
        for (command, ids, wanted) in [
            ("go test ./...", &[][..], "go test -json -count=1 ./..."),
            ("go test -v -race -failfast ./a -args -x", &[], "go test -json -count=1 -race ./a -args -x"),
            (
                "go test -tags integration -run TestA ./...",
                &["e.t/s/a TestA", "e.t/s/a TestTable/two_items"],
                "go test -json -count=1 -timeout=24s -tags=integration -run=^(TestA|TestTable)$ e.t/s/a",
            ),
            ("go test ./...", &["error[build] in a.go"], "go test -json -count=1 -timeout=22s ./..."),
        ] {
            assert_eq!(composed(command, ids), wanted, "{command}");
        }
    }
}
