//! What the pipeline has just seen: its JUnit reports, or its log.
//!
//! Reads files; runs nothing.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use heal::failure::Kind;
use heal::git::Repository;
use heal::options::Settings;
use heal::outcome::Status;
use heal::outcome::TestResult;
use heal::pipeline::PipelineError;
use heal::source::RelPath;
use heal::trace;
use heal::trace::condense;
use heal::trace::junit;
use heal::trace::places::Places;

use super::Failed;

/// What the pipeline has seen.
#[derive(Clone, Debug, Args)]
pub struct GivenFlags {
    /// Heal what this JUnit report of the pipeline says failed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "trace"])]
    pub junit: Vec<PathBuf>,
    /// Heal what this log of the pipeline says failed
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    pub log: Option<PathBuf>,
}

/// Bytes of a JUnit report that are read.
const MOST: u64 = 256 << 20;

/// What was given, read.
#[derive(Debug, Default)]
pub struct Given {
    /// Tests that failed, as the runner names them.
    failed: Vec<String>,
    /// The text of a log.
    log: Option<Vec<u8>>,
    /// Tests that passed.
    pub passed: Vec<String>,
    /// Whether reports were given and nothing in them failed.
    pub is_green: bool,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

impl Given {
    /// Reads what the arguments name; nothing where they name nothing.
    ///
    /// # Errors
    /// A file that cannot be read or is no report.
    pub fn read(arguments: &GivenFlags, repository: &Repository) -> Result<Given, Failed> {
        if let Some(log) = &arguments.log {
            return read_log(log, &places(repository)?);
        }
        if arguments.junit.is_empty() {
            return Ok(Given::default());
        }
        let places = places(repository)?;
        let mut tests = Vec::new();
        for path in &arguments.junit {
            tests.extend(read_report(path, &places)?);
        }
        Ok(of(&tests))
    }

    /// How many tests are to be healed; `None` where that is not known yet.
    pub fn failing(&self) -> Option<usize> {
        (self.is_green || !self.failed.is_empty()).then_some(self.failed.len())
    }

    /// Whether a test that failed has this name.
    pub fn names(&self, test: &str) -> bool {
        self.failed.iter().any(|failed| failed == test)
    }

    /// Says in the settings what is to be healed.
    pub fn apply(&self, settings: &mut Settings) {
        settings.tests.extend(self.failed.iter().cloned());
        if let Some(log) = &self.log {
            settings.trace = Some(log.clone());
        }
    }
}

fn of(tests: &[TestResult]) -> Given {
    let mut given = Given::default();
    let mut unnamed = 0;
    for test in tests {
        match (test.status, &test.failure) {
            (Status::Passed, _) => given.passed.push(test.id.clone()),
            // What does not compile is no test that could be named.
            (Status::Failed, Some(failure)) if matches!(failure.kind, Kind::CompileError | Kind::Collection) => {
                unnamed += 1;
            }
            (Status::Failed, _) => given.failed.push(test.id.clone()),
            _ => {}
        }
    }
    // A test that was repeated until it passed has failed.
    given.passed.retain(|test| !given.failed.contains(test));
    given.failed.sort();
    given.failed.dedup();
    given.is_green = given.failed.is_empty() && unnamed == 0 && !given.passed.is_empty();
    if tests.is_empty() {
        given.notes.push("the JUnit reports hold no test, so the tests were run".into());
    }
    if unnamed > 0 {
        // Then all is run: the names alone would leave it out.
        given.failed.clear();
    }
    given
}

fn read_report(path: &Path, places: &Places) -> Result<Vec<TestResult>, Failed> {
    let cannot = |why: String| Failed::usage(format!("cannot read the JUnit report `{}`: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?.len();
    if size > MOST {
        return Err(cannot(format!("it has {size} bytes, more than {MOST}")));
    }
    let xml = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    junit::read(&xml, places, &RelPath::root()).map_err(|error| cannot(error.to_string()))
}

fn read_log(path: &Path, places: &Places) -> Result<Given, Failed> {
    let cannot = |error: std::io::Error| Failed::usage(format!("cannot read the log `{}`: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let log = condense::read(std::io::BufReader::with_capacity(1 << 20, file)).map_err(cannot)?;
    if trace::failures(&log, places, &RelPath::root()).is_empty() {
        let note = format!("`{}` holds no failure heal can read, so the tests were run", path.display());
        return Ok(Given { notes: vec![note], ..Given::default() });
    }
    Ok(Given { log: Some(log), ..Given::default() })
}

fn places(repository: &Repository) -> Result<Places, Failed> {
    let listing = repository.listing().map_err(PipelineError::from)?;
    let files = listing.entries.iter().filter_map(|entry| RelPath::new(entry.path.to_str()?).ok());
    Ok(Places::new(vec![repository.root().to_owned()], files))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heal::failure::Failure;

    use super::*;

    fn test(id: &str, status: Status, kind: Kind) -> TestResult {
        let failure = (status == Status::Failed).then(|| Failure {
            id: id.into(),
            kind,
            message: "m".into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: vec![],
            output: String::new(),
        });
        TestResult { id: id.into(), status, took: Duration::ZERO, failure, executed: vec![] }
    }

    #[test]
    fn what_failed_is_healed_and_what_passed_is_known() {
        let passed = |id| test(id, Status::Passed, Kind::Exit);
        let failed = |id| test(id, Status::Failed, Kind::Assertion);
        let given = of(&[passed("a"), failed("b"), passed("b"), failed("b")]);
        assert_eq!((given.failed, given.passed, given.is_green), (vec!["b".into()], vec!["a".into()], false));
        assert!(of(&[passed("a"), test("s", Status::Skipped, Kind::Exit)]).is_green);
        let empty = of(&[]);
        assert!(!empty.is_green && empty.notes.len() == 1);
        assert!(!of(&[test("s", Status::Skipped, Kind::Exit)]).is_green, "nothing ran");
    }

    #[test]
    fn where_a_file_did_not_load_all_is_run() {
        let broken = test("f", Status::Failed, Kind::Collection);
        let given = of(&[broken, test("b", Status::Failed, Kind::Assertion)]);
        assert_eq!((given.failed.len(), given.is_green), (0, false));
    }
}
