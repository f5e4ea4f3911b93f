//! `go test -json`: one event a line (`go doc test2json`).
//!
//! ```text
//! event  = {"Action": action, "Package": p, "Test": t?, "Output": text?, "Elapsed": s?}
//! action = "start" | "run" | "pause" | "cont" | "output" | "pass" | "fail" | "skip" | "bench"
//!        | "build-output" | "build-fail"        (ImportPath instead of Package; Go 1.24)
//! ```
//!
//! Lines that are no event are the compiler's (before Go 1.24). A block that
//! failed for its subtests alone counts as failed, and is told by them.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;

use super::panics;
use super::text;
use crate::failure::Failure;
use crate::outcome::Status;
use crate::outcome::TestResult;
use crate::trace::bounded;
use crate::trace::ground::Ground;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    test: String,
    #[serde(default)]
    output: String,
    elapsed: Option<f64>,
}

/// Bytes of output kept of one test.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// Reads events one by one; keeps output of running tests only.
pub struct Events<'a> {
    ground: Ground<'a>,
    bodies: HashMap<(String, String), String>,
    tests: Vec<TestResult>,
    problems: Vec<Failure>,
    /// Tests of which the runner said in their own output that they passed.
    passed: HashSet<(String, String)>,
    /// How each package ended.
    packages: HashMap<String, bool>,
    /// Packages with a failed test.
    failed: HashSet<String>,
    building: bool,
    taken: HashMap<String, usize>,
}

/// What a stream of events told.
#[derive(Debug, Default)]
pub struct Told {
    /// Every test and subtest.
    pub tests: Vec<TestResult>,
    /// Compile errors, and packages that ended for no test.
    pub problems: Vec<Failure>,
    /// The packages that came to their end, and whether they passed.
    pub packages: HashMap<String, bool>,
    /// Tests that began and did not end, and packages that did not although
    /// tests of theirs did.
    pub unfinished: Vec<String>,
    /// Packages that failed without a test that did.
    pub unexplained: Vec<String>,
}

impl<'a> Events<'a> {
    /// No event yet.
    pub fn new(ground: Ground<'a>) -> Events<'a> {
        Events {
            ground,
            bodies: HashMap::new(),
            tests: Vec::new(),
            problems: Vec::new(),
            passed: HashSet::new(),
            packages: HashMap::new(),
            failed: HashSet::new(),
            building: false,
            taken: HashMap::new(),
        }
    }

    /// Takes one line; returns whether it was an event.
    pub fn line(&mut self, line: &str) -> bool {
        if !line.starts_with("{\"") || !line.contains("\"Action\":\"") {
            return false;
        }
        let Ok(event) = serde_json::from_str::<Event>(line) else { return false };
        self.event(event);
        true
    }

    /// Takes a line that is no event.
    pub fn other(&mut self, line: &str) {
        if line.starts_with("# ") {
            self.building = true;
        } else if self.building {
            self.problems.extend(super::compile_error(line, &mut self.taken, self.ground));
        }
    }

    fn event(&mut self, event: Event) {
        let key = (event.package, event.test);
        match event.action.as_str() {
            "run" => {
                self.bodies.entry(key).or_default();
            }
            "output" => {
                // Also behind what is kept of the output.
                if event.output.contains(&format!("--- PASS: {} ", key.1)) {
                    self.passed.insert(key.clone());
                }
                let body = self.bodies.entry(key).or_default();
                if body.len() < OUTPUT_LIMIT {
                    body.push_str(&event.output);
                }
            }
            "build-output" => {
                let line = event.output.trim_end();
                self.problems.extend(super::compile_error(line, &mut self.taken, self.ground));
            }
            "pass" | "fail" | "skip" if key.1.is_empty() => self.package(&key.0, event.action != "fail"),
            // Before Go 1.20 who ran when the process ended counts as passed.
            "pass" if !key.1.is_empty() && !self.passed.contains(&key) => {}
            "pass" | "fail" | "skip" => {
                let body = self.bodies.remove(&key).unwrap_or_default();
                let took = Duration::try_from_secs_f64(event.elapsed.unwrap_or_default()).unwrap_or_default();
                self.test(key, &event.action, &body, took);
            }
            _ => {}
        }
    }

    fn test(&mut self, (package, test): (String, String), action: &str, body: &str, took: Duration) {
        let id = super::id(&package, &test);
        let status = match action {
            "pass" => Status::Passed,
            "skip" => Status::Skipped,
            _ => Status::Failed,
        };
        if status == Status::Failed {
            self.failed.insert(package.clone());
        }
        let lines: Vec<&str> = body.lines().filter(|line| !is_frame(line)).collect();
        let failure = (status == Status::Failed).then(|| {
            super::of_test(&package, &test, &lines, self.ground)
                .unwrap_or_else(|| text::unsaid(&package, &test, &lines))
        });
        self.tests.push(TestResult { id, status, took, failure, executed: Vec::new() });
    }

    /// A package ended; where it failed and no test of it did, it says why.
    fn package(&mut self, package: &str, passed: bool) {
        self.packages.insert(package.to_owned(), passed);
        let body = self.bodies.remove(&(package.to_owned(), String::new())).unwrap_or_default();
        let told = self.failed.contains(package)
            || self.problems.iter().any(|problem| problem.id.starts_with("error[build] in "));
        if passed || told {
            return;
        }
        let lines: Vec<&str> = body.lines().collect();
        let mut failure = match panics::read(&lines, self.ground) {
            Some(panic) => panic.failure,
            None => text::unsaid("", package, &lines),
        };
        failure.id = package.to_owned();
        failure.output = bounded(&body);
        self.problems.push(failure);
    }

    /// What the stream told.
    pub fn finish(self) -> Told {
        let running = self.bodies.into_keys().filter(|(_, test)| !test.is_empty());
        let mut unfinished: Vec<String> = running.map(|(package, test)| super::id(&package, &test)).collect();
        // A package whose tests ran says at last how it ended.
        let silent = self.tests.iter().filter_map(|test| test.id.split_once(' ')).map(|(package, _)| package);
        unfinished.extend(silent.filter(|one| !self.packages.contains_key(*one)).map(str::to_owned));
        unfinished.sort();
        unfinished.dedup();
        let ran = |name: &str| self.tests.iter().any(|test| test.id.split_once(' ').is_some_and(|(of, _)| of == name));
        let unexplained = self.packages.iter().filter(|(name, passed)| !**passed && !self.failed.contains(*name));
        let unexplained = unexplained.filter(|(name, _)| ran(name));
        let mut unexplained: Vec<String> = unexplained.map(|(name, _)| name.clone()).collect();
        unexplained.sort();
        Told { tests: self.tests, problems: self.problems, packages: self.packages, unfinished, unexplained }
    }
}

impl Told {
    /// The failures, blocks that failed for their subtests alone left out.
    pub fn failures(self) -> Vec<Failure> {
        let failed: Vec<String> =
            self.tests.iter().filter(|test| test.status == Status::Failed).map(|test| test.id.clone()).collect();
        let blocks = super::blocks(failed.iter().map(String::as_str));
        let is_block = |failure: &Failure| failure.frames.is_empty() && blocks.contains(failure.id.as_str());
        let of_tests = self.tests.into_iter().filter_map(|test| test.failure);
        of_tests.filter(|failure| !is_block(failure)).chain(self.problems).collect()
    }
}

/// The frame that go test puts around a test's own words.
fn is_frame(line: &str) -> bool {
    line.starts_with("=== ") || line.trim_start().starts_with("--- ")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::source::RelPath;
    use crate::trace::Places;

    fn told(lines: &[&str]) -> Told {
        let near = RelPath::new("").unwrap_or_else(|_| RelPath::new("a").expect("path"));
        let places = Places::default();
        let mut events = Events::new(Ground { places: &places, near: &near });
        for line in lines {
            assert!(events.line(line), "{line}");
        }
        events.finish()
    }

    const RUN: &str = r#"{"Action":"run","Package":"p","Test":"TestA"}"#;
    const LINE: &str = r#"{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}"#;
    const PASS: &str = r#"{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}"#;
    const END: &str = r#"{"Action":"pass","Package":"p","Elapsed":0}"#;
    const FAIL: &str = r#"{"Action":"fail","Package":"p","Elapsed":0}"#;

    #[test]
    fn a_test_passes_by_the_line_that_says_so_and_its_package_comes_to_an_end() {
        for (lines, passed, unfinished, unexplained) in [
            (&[RUN, LINE, PASS, END][..], 1, &[][..], &[][..]),
            // The process ended itself; before Go 1.20 that counted as passed.
            (&[RUN, PASS], 0, &["p TestA"], &[]),
            (&[RUN, LINE, PASS], 1, &["p"], &[]),
            (&[RUN, LINE, PASS, FAIL], 1, &[], &["p"]),
            // It does not build.
            (&[FAIL], 0, &[], &[]),
        ] {
            let told = told(lines);
            assert_eq!(
                (told.tests.len(), &*told.unfinished, &*told.unexplained),
                (passed, &own(unfinished)[..], &own(unexplained)[..])
            );
        }
    }

    #[test]
    fn a_test_that_prints_more_than_is_kept_has_passed_as_well() {
        let flood =
            RUN.replace("run\"", "output\"").replace('}', ",\"Output\":\"") + &"x".repeat(OUTPUT_LIMIT) + "\\n\"}";
        let told = told(&[RUN, &flood, &flood, LINE, PASS, END]);
        assert_eq!((told.tests.len(), told.unfinished.len()), (1, 0));
    }

    fn own(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
