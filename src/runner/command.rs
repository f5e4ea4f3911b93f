//! The runner for any command: what a pytest or cargo inside it tells, JUnit
//! XML if it writes some, else its exit code.
//!
//! The command is run as it was given, in an environment that leads a pytest
//! (`PYTEST_ADDOPTS`, `PYTHONPATH`) and a cargo (`CARGO_TARGET_…_RUNNER`)
//! somewhere inside it to the private channel: make, tox, nox, just and scripts
//! are seen through so (DECISIONS 5). Reports are found where the command
//! names them (`--junitxml=F`, `JUNIT_XML=F`, any word that ends in `.xml`) and
//! wherever below the tree a report was written during the run. Single tests
//! cannot be asked for: the whole command is run, and tells of each test.
//!
//! Composes and reads; never starts anything.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use super::*;
use crate::failure::Kind;
use crate::process::Exit;
use crate::trace;
use crate::trace::junit;

/// Written when the command is composed: what is newer was written by it.
const BEGUN: &str = "begun";

/// Bytes of a report read; larger ones count as unreadable.
const REPORT_LIMIT: u64 = 64 * 1024 * 1024;

/// Entries of folders looked through for reports.
const ENTRY_LIMIT: usize = 300_000;

/// Bytes kept of each output.
const OUTPUT_LIMIT: usize = 4 * 1024 * 1024;

/// Composes the command as it was given.
///
/// # Errors
/// The channel's directory cannot be written.
pub fn compose(project: &Project, site: &Site, request: &Request, channel: &Channel) -> Result<Command, RunnerError> {
    let begun = channel.dir.join(BEGUN);
    std::fs::write(&begun, &channel.nonce).map_err(|source| RunnerError::Channel { path: begun, source })?;
    let mut env: Vec<(String, Option<String>)> =
        site.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let whole = Request { selection: Selection::All, fail_fast: false, ..request.clone() };
    env.extend(pytest::opaque_environment(site, &whole, channel)?);
    env.extend(cargo::opaque_environment(site, &whole, channel)?);
    if let Some(zone) = request.variation.time_zone {
        env.push(("TZ".to_owned(), Some(zone.to_owned())));
    }
    if let Some(seed) = request.variation.hash_seed {
        env.push(("PYTHONHASHSEED".to_owned(), Some(seed.to_string())));
    }
    Ok(Command {
        argv: project.command.iter().map(Into::into).collect(),
        cwd: project.root.under(&site.tree),
        env: env.into_iter().map(|(name, value)| (name.into(), value.map(Into::into))).collect(),
        time_limit: request.time_limit,
        output_limit: OUTPUT_LIMIT,
        memory_limit: None,
    })
}

/// Reads what the channel or the reports the command wrote tell, else its exit
/// code.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    let heard = [
        pytest::read_channel(project, site, channel, finished),
        cargo::read_channel(project, site, request, channel, finished),
    ];
    let heard: Vec<Report> = heard.into_iter().flatten().collect();
    if !heard.is_empty() {
        return together(heard);
    }
    let begun = std::fs::metadata(channel.dir.join(BEGUN)).and_then(|data| data.modified());
    let reports = begun.map(|begun| reports(project, site, begun)).unwrap_or_default();
    if reports.is_empty() {
        by_exit_code(project, site, finished)
    } else {
        by_reports(project, site, &reports, finished)
    }
}

/// What several runners inside one command told.
fn together(reports: Vec<Report>) -> Report {
    let mut whole = Report { complete: true, ..Report::default() };
    for report in reports {
        whole.tests.extend(report.tests);
        whole.skipped_subtests.extend(report.skipped_subtests);
        whole.problems.extend(report.problems);
        whole.modules.extend(report.modules);
        whole.suggestions.extend(report.suggestions);
        whole.complete &= report.complete;
        whole.incomplete_why = whole.incomplete_why.or(report.incomplete_why);
    }
    whole
}

/// Where the test `id` is defined, where it reads as pytest's or cargo's.
pub fn place(project: &Project, site: &Site, id: &str) -> Option<TestPlace> {
    let of_pytest = pytest::place(project, site, id).filter(|place| place.path.under(&site.tree).is_file());
    of_pytest.or_else(|| cargo::place(project, site, id))
}

fn by_reports(project: &Project, site: &Site, reports: &[PathBuf], finished: &Finished) -> Report {
    let mut report = Report::default();
    let mut doubts = Vec::new();
    for path in reports {
        let results = read_bounded(path)
            .and_then(|xml| junit::read(&xml, &site.places, &project.root).map_err(|error| error.to_string()));
        match results {
            Ok(results) => report.tests.extend(results),
            Err(error) => doubts.push(format!("`{}`: {error}", path.display())),
        }
    }
    number_apart(&mut report.tests);
    let failed = report.count(Status::Failed) > 0;
    match finished.exit {
        Exit::Code(0) if failed => doubts.push("the command succeeded although its report has failed tests".to_owned()),
        Exit::Code(0) => {}
        Exit::Code(_) if failed => {}
        _ => {
            report.problems.push(failure(project, site, finished));
            doubts.push("the command failed although its report has no failed test".to_owned());
        }
    }
    report.complete = doubts.is_empty();
    report.incomplete_why = doubts.into_iter().next();
    report
}

/// Two reports may hold one id.
fn number_apart(tests: &mut [TestResult]) {
    let mut counts: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for test in tests {
        let count = counts.entry(test.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            test.id = format!("{} #{count}", test.id);
            if let Some(failure) = &mut test.failure {
                failure.id.clone_from(&test.id);
            }
        }
    }
}

fn by_exit_code(project: &Project, site: &Site, finished: &Finished) -> Report {
    let passed = finished.exit == Exit::Code(0);
    let ended = matches!(finished.exit, Exit::Code(_) | Exit::Signal(_));
    Report {
        problems: if passed { Vec::new() } else { vec![failure(project, site, finished)] },
        complete: ended,
        incomplete_why: (!ended).then(|| format!("the command was ended {}", in_words(finished.exit))),
        exit_only: Some(passed),
        ..Report::default()
    }
}

/// The command's failure: what the innermost trace in its output tells, else
/// how it ended.
fn failure(project: &Project, site: &Site, finished: &Finished) -> Failure {
    let id = project.shown();
    let text = trace::framing::strip(format!("{}\n{}", finished.stdout.text, finished.stderr.text).as_bytes());
    let output = trace::bounded(text.trim());
    let read = trace::failures(text.as_bytes(), &site.places, &project.root);
    let told = read.iter().find(|failure| failure.location().is_some()).or(read.first());
    if let Some(told) = told {
        return Failure { id, output, ..told.clone() };
    }
    let kind = match finished.exit {
        Exit::Code(_) => Kind::Exit,
        Exit::Signal(_) => Kind::Crash,
        Exit::TimedOut | Exit::Interrupted => Kind::Timeout,
    };
    let message = format!("`{id}` ended {}", in_words(finished.exit));
    Failure { id, kind, message, expected: None, actual: None, locals: Vec::new(), frames: Vec::new(), output }
}

fn in_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("with exit code {code}"),
        Exit::Signal(signal) => format!("by signal {signal}"),
        Exit::TimedOut => "at its time limit".to_owned(),
        Exit::Interrupted => "by an interrupt".to_owned(),
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(REPORT_LIMIT + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > REPORT_LIMIT {
        return Err(format!("the report is larger than {} MB", REPORT_LIMIT >> 20));
    }
    Ok(bytes)
}

/// The reports written since `begun`, sorted.
fn reports(project: &Project, site: &Site, begun: SystemTime) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // A build directory is written in place.
    for root in std::iter::once(&site.tree).chain(&site.written) {
        let cwd = project.root.under(root);
        found.extend(named(&project.command).iter().map(|name| cwd.join(name)));
        found.extend(below(root));
    }
    found.retain(|path| is_new_report(path, begun));
    found.sort();
    found.dedup();
    found
}

/// Files that the command's words name as reports.
fn named(command: &[String]) -> Vec<&str> {
    let value = |word: &'_ str| word.rsplit('=').next().map(str::len).unwrap_or(0);
    let words = command.iter().map(|word| &word[word.len() - value(word)..]);
    words.filter(|word| word.ends_with(".xml")).collect()
}

fn is_new_report(path: &Path, begun: SystemTime) -> bool {
    let is_new = std::fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.modified().is_ok_and(|modified| modified >= begun));
    let mut beginning = Vec::new();
    is_new
        && std::fs::File::open(path).is_ok_and(|file| file.take(4096).read_to_end(&mut beginning).is_ok())
        && junit::is_report(&beginning)
}

/// Every `.xml` file below `tree`, as far as [`ENTRY_LIMIT`] reaches; without
/// what is never a report's place. Links are not followed.
fn below(tree: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > ENTRY_LIMIT {
                return found;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if kind.is_dir() {
                // cargo's own folders; reports lie beside them (`target/nextest`).
                let is_build = folder.file_name().is_some_and(|parent| parent == "target")
                    && matches!(&*name, "debug" | "release" | "doc");
                if !matches!(&*name, ".git" | "node_modules" | ".venv" | "venv" | "site-packages") && !is_build {
                    folders.push(path);
                }
            } else if kind.is_file() && name.ends_with(".xml") {
                found.push(path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::process::Captured;

    struct Run {
        _dir: tempfile::TempDir,
        site: Site,
        channel: Channel,
        project: Project,
        request: Request,
    }

    impl Run {
        fn new(command: &[&str]) -> Run {
            let dir = tempfile::tempdir().expect("a directory");
            let (tree, channel) = (dir.path().join("tree"), dir.path().join("channel"));
            for folder in [&tree, &channel] {
                std::fs::create_dir_all(folder).expect("a folder");
            }
            let places = crate::trace::places::Places::new(vec![tree.clone()], RelPath::new("src/lib.rs"));
            let site = Site {
                user_root: "/u".into(),
                tree,
                written: None,
                heal: "/heal".into(),
                env: Vec::new(),
                python: None,
                places,
            };
            let project = Project {
                root: RelPath::root(),
                kind: RunnerKind::Command,
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                given: true,
                why: String::new(),
            };
            let request = Request {
                selection: Selection::All,
                test_limit: Duration::from_secs(1),
                start_limit: Duration::from_secs(60),
                time_limit: Duration::from_secs(1),
                trace_lines: false,
                fail_fast: false,
                variation: Variation::default(),
                last: Vec::new(),
                probe: None,
                sieve: None,
            };
            Run { site, channel: Channel { dir: channel, nonce: "n".into() }, project, request, _dir: dir }
        }

        fn write(&self, file: &str, text: &str) {
            let path = self.site.tree.join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("write");
        }

        fn compose(&self) -> Result<Command, RunnerError> {
            compose(&self.project, &self.site, &self.request, &self.channel)
        }

        fn read(&self, exit: Exit, stderr: &str) -> Report {
            let stderr = Captured { text: stderr.to_owned(), dropped: 0 };
            let finished = Finished { exit, stdout: Captured::default(), stderr, took: Duration::ZERO };
            read(&self.project, &self.site, &self.request, &self.channel, &finished)
        }
    }

    const ONE_FAILED: &str = "<testsuite><testcase name='a'/><testcase name='b'><failure/></testcase></testsuite>";

    #[test]
    fn without_a_report_only_the_exit_code_is_known() {
        let run = Run::new(&["make", "check it"]);
        assert_eq!(run.compose().expect("a command").argv, ["make", "check it"]);
        let passed = run.read(Exit::Code(0), "");
        assert_eq!((passed.exit_only, passed.complete, passed.problems.len()), (Some(true), true, 0));
        let failed = run.read(Exit::Code(2), "no rule");
        assert_eq!((failed.exit_only, failed.complete), (Some(false), true));
        let failure = &failed.problems[0];
        assert_eq!((failure.id.as_str(), failure.kind), ("make 'check it'", Kind::Exit));
        assert_eq!(failure.message, "`make 'check it'` ended with exit code 2");
        assert_eq!(failure.output, "no rule");
        assert!(!run.read(Exit::TimedOut, "").complete);
    }

    #[test]
    fn a_trace_in_the_output_tells_what_failed() {
        let run = Run::new(&["./run"]);
        let report = run.read(Exit::Code(101), "\x1b[31mthread 'main' panicked at src/lib.rs:3:5:\x1b[0m\nboom\n");
        let failure = &report.problems[0];
        assert_eq!((failure.id.as_str(), failure.message.as_str()), ("./run", "boom"));
        assert_eq!(failure.location().and_then(|frame| frame.line), Some(3));
    }

    #[test]
    fn reports_written_during_the_run_are_read_and_older_ones_are_not() {
        let run = Run::new(&["make", "test"]);
        run.write("old/junit.xml", "<testsuite><testcase name='old'/></testsuite>");
        let old = std::fs::File::options().write(true).open(run.site.tree.join("old/junit.xml")).expect("the file");
        old.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a time");
        run.compose().expect("a command");
        run.write("target/nextest/ci/junit.xml", ONE_FAILED);
        run.write("build/other.xml", "<testsuite><testcase name='a'/></testsuite>");
        run.write("coverage.xml", "<coverage/>");
        let report = run.read(Exit::Code(1), "");
        let ids: Vec<_> = report.tests.iter().map(|test| (test.id.as_str(), test.status)).collect();
        assert_eq!(ids, [("a", Status::Passed), ("a #2", Status::Passed), ("b", Status::Failed)]);
        assert_eq!((report.exit_only, report.complete), (None, true));
    }

    #[test]
    fn a_report_that_disagrees_with_the_exit_code_is_not_complete() {
        let run = Run::new(&["make", "test"]);
        run.compose().expect("a command");
        run.write("junit.xml", ONE_FAILED);
        assert!(!run.read(Exit::Code(0), "").complete);
        run.write("junit.xml", "<testsuite><testcase name='a'/></testsuite>");
        let report = run.read(Exit::Code(1), "");
        assert_eq!((report.complete, report.problems.len()), (false, 1));
        run.write("junit.xml", "<testsuite><testcase name='a'>");
        let report = run.read(Exit::Code(0), "");
        let why = report.incomplete_why.expect("a reason");
        assert!(!report.complete && why.contains("ends in the middle"), "{why}");
    }

    #[test]
    fn a_report_outside_the_tree_is_found_where_the_command_names_it() {
        for word in ["--junitxml=../out.xml", "JUNIT_XML=../out.xml", "../out.xml"] {
            let run = Run::new(&["check", word]);
            run.compose().expect("a command");
            run.write("../out.xml", ONE_FAILED);
            assert_eq!(run.read(Exit::Code(1), "").tests.len(), 2, "{word}");
        }
    }

    #[test]
    fn single_tests_are_asked_for_by_the_whole_command() {
        let mut run = Run::new(&["make", "test"]);
        run.request.selection = Selection::Tests(vec!["c::a".into()]);
        assert_eq!(run.compose().expect("a command").argv, ["make", "test"]);
        run.write("junit.xml", "<testsuite><testcase classname='c' name='a'/></testsuite>");
        assert!(run.read(Exit::Code(0), "").test("c::a").is_some());
    }

    #[test]
    fn a_cargo_inside_the_command_is_led_to_the_channel() {
        let run = Run::new(&["make", "test"]);
        run.write("Cargo.toml", "[package]\nname = 'a'\n");
        let command = run.compose().expect("a command");
        let runner = command.env.iter().find(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER")
        });
        let value = runner.and_then(|(_, value)| value.clone()).expect("a runner").into_string().expect("text");
        assert!(value.contains("__target-runner"), "{value}");
        assert!(run.channel.dir.join("heal").symlink_metadata().is_ok());
    }
}
