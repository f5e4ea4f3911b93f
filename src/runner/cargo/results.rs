//! What a finished `cargo test` told, from three sources: the target runner's
//! records, the compiler's messages, and rustdoc's text.
//!
//! Never counts a run as complete that does not add up: each binary that cargo
//! built as a test has its end record, each doc test its result, and cargo's
//! exit code agrees.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use super::arguments::Arguments;
use super::artifacts;
use super::artifacts::Artifact;
use super::artifacts::Messages;
use super::channel;
use super::channel::Ended;
use super::channel::Record;
use super::doctests;
use super::doctests::Block;
use super::doctests::Verdict;
use super::identity::Identity;
use super::identity::Target;
use super::identity::binary_id;
use super::place;
use super::target;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::process::Exit;
use crate::process::Finished;
use crate::runner::Channel;
use crate::runner::Project;
use crate::runner::Report;
use crate::runner::Request;
use crate::runner::Selection;
use crate::runner::Site;
use crate::runner::Status;
use crate::runner::TestResult;
use crate::source::RelPath;
use crate::trace;
use crate::trace::rust;
use crate::trace::rust::Roots;
use crate::trace::rust::compiler;
use crate::trace::rust::log::DoctestName;

/// Reads everything.
pub fn read(project: &Project, site: &Site, request: &Request, channel: &Channel, finished: &Finished) -> Report {
    let messages = artifacts::read(&finished.stdout.text);
    let plain = Arguments::parse(&project.command).is_some();
    let mut reader =
        Reader { project, site, messages: &messages, plain, report: Report::default(), doubts: Vec::new() };
    match channel::read(&channel.dir, &channel.nonce) {
        Ok(runs) => reader.runs(&runs, &finished.stderr.text),
        Err(error) => reader.doubt(format!("the channel cannot be read: {error}")),
    }
    reader.doctests(&doctests::blocks(messages.text.iter().copied()), &finished.stderr.text, channel);
    reader.compiler();
    reader.exit(finished);
    let Reader { mut report, doubts, .. } = reader;
    if let Selection::Tests(ids) = &request.selection {
        // rustdoc chooses by parts of names, and binaries of two packages may share a name.
        let wanted: HashSet<&String> = ids.iter().collect();
        report.tests.retain(|test| wanted.contains(&test.id));
    }
    report.complete = doubts.is_empty();
    report.incomplete_why = doubts.into_iter().next();
    report
}

mod documented;

struct Reader<'a> {
    project: &'a Project,
    site: &'a Site,
    messages: &'a Messages<'a>,
    /// Whether the command is a plain `cargo test`, which tells what it builds.
    plain: bool,
    report: Report,
    /// Why the run is not complete; the first is the reason that is told.
    doubts: Vec<String>,
}

/// A test binary as the report names it.
struct Binary {
    package: String,
    target: Target,
    /// The package's folder in the repository.
    folder: RelPath,
}

impl Reader<'_> {
    fn doubt(&mut self, why: impl Into<String>) {
        self.doubts.push(why.into());
    }

    /// The records of every binary.
    fn runs(&mut self, runs: &[Vec<Record>], stderr: &str) {
        let mut started: HashSet<&PathBuf> = HashSet::new();
        for run in runs {
            let Some(Record::Binary { path, folder }) = run.first() else {
                self.doubt("a test binary's records have no beginning");
                continue;
            };
            started.insert(path);
            let count =
                run.iter().filter(|record| matches!(record, Record::Test { .. } | Record::Whole { .. })).count();
            if run.last() != Some(&Record::End { tests: count }) {
                self.doubt(format!("`{}` was not run to its end", target::stem(path)));
            }
            let binary = self.binary(path, folder);
            for record in run {
                self.record(&binary, record);
            }
        }
        if !self.plain && runs.is_empty() {
            self.doubt("no test binary was started by heal");
        }
        let built = self.messages.artifacts.iter().filter(|artifact| artifact.test);
        let missing: Vec<&Artifact> =
            built.filter(|artifact| artifact.executable.as_ref().is_some_and(|path| !started.contains(path))).collect();
        if runs.is_empty() && !missing.is_empty() {
            self.read_text(stderr);
        }
        for artifact in missing {
            self.doubt(format!("`{}` was built and not run", binary_id(&artifact.package, &artifact.target)));
        }
    }

    /// Which package and target a binary belongs to, by cargo's messages; where
    /// there are none, by its name and the folder it ran in.
    fn binary(&self, path: &Path, ran_in: &Path) -> Binary {
        let same = |artifact: &&Artifact| artifact.executable.as_deref() == Some(path);
        let named = |artifact: &&Artifact| artifact.executable.as_deref().and_then(Path::file_name) == path.file_name();
        let artifacts = &self.messages.artifacts;
        match artifacts.iter().find(same).or_else(|| artifacts.iter().find(named)) {
            Some(artifact) => Binary {
                package: artifact.package.clone(),
                target: artifact.target.clone(),
                folder: self.folder(&artifact.folder),
            },
            None => {
                let folder = self.folder(ran_in);
                let stem = target::stem(path);
                let found = place::target_of(self.site, &folder, &stem);
                let (package, target) = found.unwrap_or((stem, Target::Lib));
                Binary { package, target, folder }
            }
        }
    }

    /// A package's folder; the project's root where it lies elsewhere.
    fn folder(&self, absolute: &Path) -> RelPath {
        self.inside(absolute).unwrap_or_else(|| self.project.root.clone())
    }

    /// A folder of the repository, in the scratch or seen in the user's tree.
    fn inside(&self, absolute: &Path) -> Option<RelPath> {
        let real = || RelPath::within(&self.site.tree.canonicalize().ok()?, absolute);
        let inside = RelPath::within(&self.site.tree, absolute).or_else(real);
        inside.or_else(|| RelPath::within(&self.site.user_root, absolute))
    }

    fn record(&mut self, binary: &Binary, record: &Record) {
        match record {
            Record::Test { name, ended, took, output, message } => {
                let id = format!("{} {name}", binary_id(&binary.package, &binary.target));
                let failure = self.failure(&id, name, *ended, output, message.as_deref(), binary);
                self.report.tests.push(result(id, status(*ended), *took, failure));
            }
            Record::Whole { ended, took, output, message } => {
                let name = binary.target.name(&binary.package);
                let id = format!("{} {name}", binary_id(&binary.package, &binary.target));
                // Only a harness's own word goes with a test's output.
                let word = message.as_deref().filter(|_| *ended != Ended::Failed);
                let failure = self.failure(&id, name, *ended, output, word, binary).map(|mut failure| {
                    if failure.frames.is_empty() && failure.kind == Kind::Exception {
                        failure.kind = Kind::Exit;
                        failure.message = message.clone().unwrap_or_default();
                    }
                    failure
                });
                self.report.tests.push(result(id, status(*ended), *took, failure));
            }
            Record::Problem { message, output } => {
                let id = format!("error[binary] {}", binary_id(&binary.package, &binary.target));
                self.report
                    .problems
                    .push(Failure { output: trace::bounded(output), ..bare(&id, Kind::Crash, message) });
            }
            Record::Lines { name, files } => {
                let id = format!("{} {name}", binary_id(&binary.package, &binary.target));
                let own = files.iter().filter_map(|(path, lines)| Some((self.inside(path)?, lines.clone())));
                let executed: Vec<_> = own.filter(|(path, _)| self.site.places.holds(path)).collect();
                if let Some(test) = self.report.tests.iter_mut().rev().find(|test| test.id == id) {
                    test.executed = executed;
                }
            }
            Record::Binary { .. } | Record::End { .. } => {}
        }
    }

    fn failure(
        &self,
        id: &str,
        name: &str,
        ended: Ended,
        output: &str,
        message: Option<&str>,
        binary: &Binary,
    ) -> Option<Failure> {
        let compiled = place::workspace(&self.site.tree, &binary.folder);
        let roots = Roots { compiled: &compiled, running: &binary.folder };
        let places = &self.site.places;
        let mut failure = match ended {
            Ended::Passed | Ended::Ignored => return None,
            Ended::Failed => return Some(rust::test_failure(id, name, output, message, places, roots)),
            Ended::TimedOut => bare(id, Kind::Timeout, message.unwrap_or("timed out")),
            Ended::Crashed => {
                let read = rust::test_failure(id, name, output, None, places, roots);
                let signal = message.unwrap_or("died");
                let told = read.kind == Kind::Crash || !read.frames.is_empty();
                let message = if told { format!("{signal}: {}", read.message) } else { signal.to_owned() };
                Failure { kind: Kind::Crash, message, ..read }
            }
        };
        if failure.frames.is_empty() {
            failure.frames.extend(self.frame_of(id));
        }
        Some(failure)
    }

    /// The test itself, where nothing else is known of the place.
    fn frame_of(&self, id: &str) -> Option<Frame> {
        let place = place::of(self.project, self.site, &Identity::parse(id)?)?;
        let written = place.path.as_str().to_owned();
        Some(Frame { path: Some(place.path), written, line: None, symbol: Some(place.function) })
    }

    /// Results as text, of binaries that cargo ran without heal: a foreign
    /// target, or a project's runner that cannot be replaced.
    fn read_text(&mut self, stderr: &str) {
        let paths: Vec<PathBuf> = stderr.lines().filter_map(announced).collect();
        let blocks = doctests::blocks(self.messages.text.iter().copied());
        let binaries: Vec<Binary> = paths.iter().map(|path| self.binary(path, Path::new(""))).collect();
        for (binary, block) in binaries.iter().zip(blocks.iter().filter(|block| !is_doctests(block))) {
            for (name, verdict) in &block.tests {
                let name = name.strip_suffix(" - should panic").unwrap_or(name);
                let output = block.outputs.get(name).cloned().unwrap_or_default();
                let ended = match verdict {
                    Verdict::Passed => Ended::Passed,
                    Verdict::Failed => Ended::Failed,
                    Verdict::Ignored => Ended::Ignored,
                };
                let (name, took) = (name.to_owned(), doctests::UNKNOWN_TIME);
                self.record(binary, &Record::Test { name, ended, took, output, message: None });
            }
        }
    }

    fn compiler(&mut self) {
        let (site, messages) = (self.site, self.messages);
        let base = |folder: &Path| place::workspace(&site.tree, &self.folder(folder));
        let diagnostics = messages.errors.iter().map(|error| error.diagnostic(&site.places, &base));
        let problems = compiler::of_diagnostics(diagnostics.collect::<Vec<_>>(), &site.places, &self.project.root);
        let mut suggestions = Vec::new();
        for error in &messages.errors {
            for suggestion in error.suggestions(&site.places, &base, &site.tree) {
                if !suggestions.contains(&suggestion) {
                    suggestions.push(suggestion);
                }
            }
        }
        self.report.problems.extend(problems);
        self.report.suggestions = suggestions;
    }

    /// Whether cargo's own end agrees with what was read.
    fn exit(&mut self, finished: &Finished) {
        let failed = self.report.failures().next().is_some();
        match finished.exit {
            Exit::Code(0) if failed => self.doubt("cargo succeeded although a test failed"),
            Exit::Code(0) => {
                if self.plain && self.messages.built != Some(true) {
                    self.doubt("cargo does not say that the build succeeded");
                }
            }
            Exit::Code(code) => {
                if !failed {
                    self.report.problems.push(cargo_error(&finished.stderr.text, code));
                }
                if self.plain && self.messages.built != Some(true) {
                    self.doubt("the build did not succeed");
                } else if !failed {
                    self.doubt(format!("cargo failed with code {code} although no test failed"));
                }
            }
            Exit::Signal(signal) => self.doubt(format!("cargo was killed by signal {signal}")),
            Exit::TimedOut => self.doubt("cargo was ended at the time limit"),
            Exit::Interrupted => self.doubt("cargo was interrupted"),
        }
    }
}

/// Blocks of nothing are rustdoc's: a binary without tests says so in the channel.
fn is_doctests(block: &Block) -> bool {
    block.tests.iter().all(|(name, _)| DoctestName::parse(name).is_some())
}

/// `     Running unittests src/lib.rs (target/debug/deps/shop-507999230d6984fa)`
fn announced(line: &str) -> Option<PathBuf> {
    let rest = line.trim_start().strip_prefix("Running ")?;
    Some(PathBuf::from(rest.strip_suffix(')')?.rsplit_once(" (")?.1))
}

/// What cargo itself says, where nothing else explains why it failed: a bad
/// manifest, an unknown feature, a missing toolchain, a dependency it cannot
/// reach, a build script that failed.
fn cargo_error(stderr: &str, code: i32) -> Failure {
    let lines: Vec<&str> = stderr.lines().collect();
    let start = lines.iter().position(|line| line.starts_with("error"));
    let message = start.map_or_else(
        || format!("cargo failed with exit code {code}"),
        |start| {
            let cause = lines[start..].iter().skip_while(|line| line.trim() != "Caused by:").nth(1);
            let first = lines[start].strip_prefix("error: ").unwrap_or(lines[start]);
            cause.map_or_else(|| first.to_owned(), |cause| format!("{first}: {}", cause.trim()))
        },
    );
    let output = trace::bounded(&lines[start.unwrap_or(0)..].join("\n"));
    Failure { output, ..bare("error[cargo]", Kind::Exit, &message) }
}

fn bare(id: &str, kind: Kind, message: &str) -> Failure {
    Failure {
        id: id.to_owned(),
        kind,
        message: message.to_owned(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: Vec::new(),
        output: String::new(),
    }
}

fn status(ended: Ended) -> Status {
    match ended {
        Ended::Passed => Status::Passed,
        Ended::Ignored => Status::Skipped,
        Ended::Failed | Ended::TimedOut | Ended::Crashed => Status::Failed,
    }
}

fn result(id: String, status: Status, took: std::time::Duration, failure: Option<Failure>) -> TestResult {
    TestResult { id, status, took, failure, executed: Vec::new() }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn an_announced_binary_is_read_from_cargos_words() {
        for (line, wanted) in [
            (
                "     Running unittests src/lib.rs (/t/debug/deps/shop-507999230d6984fa)",
                Some("/t/debug/deps/shop-507999230d6984fa"),
            ),
            ("     Running tests/it.rs (target/my dir/it-1)", Some("target/my dir/it-1")),
            ("   Compiling shop v0.1.0 (/home/a)", None),
        ] {
            assert_eq!(announced(line), wanted.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn cargos_own_error_is_its_first_sentence_and_cause() {
        let stderr = "    Updating crates.io index\nerror: failed to parse manifest at `/x/Cargo.toml`\n\nCaused by:\n  no targets specified in the manifest\n";
        let failure = cargo_error(stderr, 101);
        assert_eq!(
            failure.message,
            "failed to parse manifest at `/x/Cargo.toml`: no targets specified in the manifest"
        );
        assert!(failure.output.starts_with("error: failed"));
        assert_eq!(cargo_error("", 3).message, "cargo failed with exit code 3");
    }
}
