//! The target runner: what cargo runs in place of each test binary
//! (`CARGO_TARGET_<TRIPLE>_RUNNER`, `heal __target-runner CHANNEL BINARY ARGS…`).
//!
//! Runs the binary with libtest's JSON format, which a stable toolchain gives
//! where `RUSTC_BOOTSTRAP=1` is set (seen with 1.95), ends each test at its
//! deadline, finds the test that the binary died in, and runs the rest again,
//! so that one endless or dying test hides nothing. Nothing that a test prints
//! reaches cargo's standard output.
//!
//! Writes only into the channel; never reads the environment. What it costs:
//! a test that itself runs rustc sees `RUSTC_BOOTSTRAP=1` too.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::arguments;
use super::channel::Ended;
use super::channel::Log;
use super::channel::Order;
use super::channel::Record;
use super::libtest;
use super::libtest::Outcome;
use super::libtest::Tally;
use super::runner_names;
use crate::process::Command;
use crate::process::Exit;
use crate::process::stream;
use crate::process::stream::Heard;
use crate::process::stream::Streamed;
use crate::process::stream::Wish;
use crate::trace;

mod doctest;
mod harness;
mod mend;
mod traced;

pub(super) use doctest::deadline_mark;

/// The exit code for a fault of heal's own: cargo takes it for a failure, and
/// the missing end record tells why.
pub(super) const FAULT: i32 = 125;

/// libtest's exit code for failed tests.
const TESTS_FAILED: i32 = 101;

/// The whole command has a deadline of its own, which heal keeps.
const NO_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Bytes kept of what a binary prints outside of libtest's lines.
const TAIL: usize = 64 * 1024;

/// The variable that says where an instrumented program writes its counters
/// (clang documentation, "Source-based Code Coverage").
pub(super) const PROFILE: &str = "LLVM_PROFILE_FILE";

/// Bytes of names given to one run of a binary: far below what any system
/// takes as arguments.
const NAMES_LIMIT: usize = 64 * 1024;

/// Runs one test binary as cargo asks; `arguments` are those after
/// `__target-runner`. Returns the exit code.
pub fn target_runner_main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let mut words = arguments.into_iter();
    let (Some(channel), Some(binary)) = (words.next().map(PathBuf::from), words.next()) else { return FAULT };
    let Ok(order) = Order::read(&channel) else { return FAULT };
    let rest: Vec<OsString> = words.collect();
    if binary == doctest::ONE {
        return doctest::one(&rest, &order);
    }
    if doctest::is_doctest(Path::new(&binary)) {
        return doctest::all(&channel, binary, rest, &order);
    }
    if rest.iter().any(|word| word == "--list") {
        return doctest::plain(binary, rest, &order, NO_LIMIT);
    }
    let given: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let run = Log::create(&channel, &order.nonce).and_then(|log| {
        let (channel, profile) = (channel.clone(), None);
        Drive { binary, given, order: &order, log, channel, profile }.run()
    });
    run.unwrap_or(FAULT)
}

/// The name of a binary's file without the hash that cargo puts behind it.
pub(super) fn stem(binary: &Path) -> String {
    let stem = binary.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name.to_owned(),
        _ => stem,
    }
}

/// What a test has on top of cargo's environment: all that was ordered, and no
/// runner. Tests that start the project's own program through the runner that
/// cargo's variable names, as assert_cmd 2.1 does, would get heal in its place.
fn environment(order: &Order) -> Vec<(OsString, Option<OsString>)> {
    let ordered = order.env.iter().map(|(name, value)| (name.into(), Some(value.into())));
    ordered.chain(runner_names().map(|name| (name.into(), None))).collect()
}

/// One test binary on its way.
struct Drive<'o> {
    binary: OsString,
    /// The arguments cargo gives.
    given: Vec<String>,
    order: &'o Order,
    log: Log,
    channel: PathBuf,
    /// Where the tests' counters go, if anywhere.
    profile: Option<PathBuf>,
}

/// One run of the binary.
struct Pass {
    tally: Tally,
    streamed: Streamed,
    /// The tests for whose sake it was killed.
    overdue: Vec<(String, Duration)>,
}

impl Pass {
    fn code(&self) -> Option<i32> {
        match self.streamed.exit {
            Exit::Code(code) => Some(code),
            _ => None,
        }
    }
}

impl Drive<'_> {
    fn run(mut self) -> std::io::Result<i32> {
        let folder = std::env::current_dir().unwrap_or_default();
        self.log.write(&Record::Binary { path: PathBuf::from(&self.binary), folder })?;
        let stem = stem(Path::new(&self.binary));
        let chosen = self.order.selection.as_ref().map(|selection| selection.get(&stem).cloned().unwrap_or_default());
        if chosen.as_ref().is_none_or(|names| !names.is_empty()) {
            let own = harness::is_own(Path::new("Cargo.toml"), &stem);
            match (chosen, self.order.trace) {
                _ if own => self.whole()?,
                (Some(names), Some(time)) => self.traced(names, time)?,
                (chosen, _) => self.tests(chosen)?,
            }
        }
        // Without its end record a binary never counts as run in full.
        if !self.is_enough() {
            self.log.write(&Record::End { tests: self.log.tests })?;
        }
        Ok(if self.log.failed > 0 { TESTS_FAILED } else { 0 })
    }

    /// Whether one failure is all that is wanted, and is there.
    fn is_enough(&self) -> bool {
        self.order.fail_fast && self.log.failed > 0
    }

    /// Runs the tests until each has one end: `chosen`, or all that the
    /// arguments ask for.
    fn tests(&mut self, chosen: Option<Vec<String>>) -> std::io::Result<()> {
        let mut open = chosen;
        let mut told = HashSet::new();
        let mut serial = false;
        let mut begun = false;
        while open.as_ref().is_none_or(|names| !names.is_empty()) {
            let batch = open.as_deref().map(batch);
            let pass = self.pass(batch, serial)?;
            if !pass.tally.has_begun() && !begun {
                return self.without_events(&pass);
            }
            begun = true;
            if self.order.fail_fast && pass.tally.has_failed() && !pass.tally.is_odd() {
                return self.outcomes(&mut told, pass.tally);
            }
            if !pass.tally.doubt(pass.code()) {
                let asked = batch.map(<[String]>::len);
                self.outcomes(&mut told, pass.tally)?;
                // A name that the binary does not have is not asked for again.
                open = open.map(|mut names| names.split_off(asked.unwrap_or(0)));
                if asked.is_none() {
                    break;
                }
                continue;
            }
            let names = match open.take() {
                Some(names) => names,
                None => self.list()?,
            };
            match self.mend(pass, names, &mut told, serial)? {
                Some((names, next)) => (open, serial) = (Some(names), next),
                None => break,
            }
            if self.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// One run: all tests, or `names`; in one thread where `serial`.
    fn pass(&self, names: Option<&[String]>, serial: bool) -> std::io::Result<Pass> {
        let mut words = match names {
            None => arguments::for_libtest(&self.given),
            Some(_) => arguments::for_selection(&self.given),
        };
        if serial {
            words = arguments::in_one_thread(&words);
        }
        words.extend(["-Z", "unstable-options", "--format", "json"].map(str::to_owned));
        if let Some(seed) = self.order.shuffle.filter(|_| !words.iter().any(|word| word.starts_with("--shuffle"))) {
            words.push(format!("--shuffle-seed={seed}"));
        }
        if let Some(names) = names {
            words.push("--exact".to_owned());
            words.extend_from_slice(names);
        }
        let limit = self.order.test_limit;
        let begun = Instant::now();
        let mut tally = Tally::default();
        let mut overdue = Vec::new();
        let streamed = stream::stream(&self.command(words, true, NO_LIMIT), &mut |heard| {
            let now = Instant::now();
            if let Heard::Line(line) = heard {
                tally.take(line, now);
            }
            if overdue.is_empty() {
                overdue = tally.overdue(limit, now);
            }
            // A program that is no libtest need not end at these arguments.
            let mute = !tally.has_begun() && begun.elapsed() > limit;
            let enough = self.order.fail_fast && tally.has_failed() && !tally.is_odd();
            if overdue.is_empty() && !mute && !enough { Wish::GoOn } else { Wish::Kill }
        })?;
        if streamed.exit != Exit::Interrupted {
            overdue.clear();
        }
        Ok(Pass { tally, streamed, overdue })
    }

    fn command(&self, words: Vec<String>, libtest: bool, time_limit: Duration) -> Command {
        let mut env = environment(self.order);
        if libtest {
            env.push(("RUSTC_BOOTSTRAP".into(), Some("1".into())));
        }
        if let Some(profile) = &self.profile {
            env.push((PROFILE.into(), Some(profile.into())));
        }
        let argv = std::iter::once(self.binary.clone()).chain(words.into_iter().map(OsString::from)).collect();
        Command { argv, cwd: PathBuf::from("."), env, time_limit, output_limit: TAIL, memory_limit: None }
    }

    /// The tests that the arguments ask for.
    fn list(&self) -> std::io::Result<Vec<String>> {
        let mut words = arguments::for_libtest(&self.given);
        words.extend(["--list", "--format", "terse"].map(str::to_owned));
        let mut text = String::new();
        stream::stream(
            &self.command(words, false, self.order.test_limit.max(Duration::from_secs(10))),
            &mut |heard| {
                if let Heard::Line(line) = heard {
                    text.push_str(&String::from_utf8_lossy(line));
                    text.push('\n');
                }
                Wish::GoOn
            },
        )?;
        Ok(libtest::listed(&text))
    }

    /// A binary whose manifest promises libtest and that says nothing of it:
    /// it died before its first test, or something stands in between.
    fn without_events(&mut self, pass: &Pass) -> std::io::Result<()> {
        match pass.streamed.exit {
            Exit::Signal(_) => {
                let message =
                    format!("the test binary ended by {} before its first test", in_words(pass.streamed.exit));
                self.log.write(&Record::Problem { message, output: pass.streamed.stderr.clone() })
            }
            _ => self.whole(),
        }
    }

    /// Runs a program with a harness of its own: its exit code is one test.
    fn whole(&mut self) -> std::io::Result<()> {
        // With a selection cargo's arguments are heal's own.
        let given = if self.order.selection.is_some() { &self.order.arguments } else { &self.given };
        let mut output = String::new();
        let streamed = stream::stream(&self.command(given.clone(), false, self.order.test_limit), &mut |heard| {
            if let Heard::Line(line) = heard
                && output.len() < TAIL
            {
                output.push_str(&String::from_utf8_lossy(line));
                output.push('\n');
            }
            Wish::GoOn
        })?;
        output.push_str(&streamed.stderr);
        let ended = match streamed.exit {
            Exit::Code(0) => Ended::Passed,
            Exit::Code(_) => Ended::Failed,
            Exit::Signal(_) => Ended::Crashed,
            Exit::TimedOut | Exit::Interrupted => Ended::TimedOut,
        };
        let message = (ended != Ended::Passed).then(|| in_words(streamed.exit));
        self.log.write(&Record::Whole { ended, took: streamed.took, output, message })
    }

    fn outcomes(&mut self, told: &mut HashSet<String>, tally: Tally) -> std::io::Result<()> {
        tally.into_outcomes().into_iter().try_for_each(|(name, outcome)| self.outcome(told, name, outcome))
    }

    fn outcome(&mut self, told: &mut HashSet<String>, name: String, outcome: Outcome) -> std::io::Result<()> {
        let ended = match outcome.passed {
            Some(true) => Ended::Passed,
            Some(false) => Ended::Failed,
            None => Ended::Ignored,
        };
        let Outcome { took, output, message, .. } = outcome;
        // A thousand tests may fail, each with a megabyte to say.
        let output = trace::bounded_to(&output, TAIL);
        self.test(told, Record::Test { name, ended, took, output, message })
    }

    fn late(&mut self, told: &mut HashSet<String>, name: &str, took: Duration) -> std::io::Result<()> {
        let message = Some(format!("timed out after {:?}", self.order.test_limit));
        let (name, output) = (name.to_owned(), String::new());
        self.test(told, Record::Test { name, ended: Ended::TimedOut, took, output, message })
    }

    fn test(&mut self, told: &mut HashSet<String>, record: Record) -> std::io::Result<()> {
        if let Record::Test { name, .. } = &record
            && told.insert(name.clone())
        {
            self.log.write(&record)?;
        }
        Ok(())
    }
}

/// The first names that fit into one command line.
fn batch(names: &[String]) -> &[String] {
    let mut bytes = 0;
    let fits = names.iter().take_while(|name| {
        bytes += name.len() + 1;
        bytes <= NAMES_LIMIT
    });
    let count = fits.count().max(1).min(names.len());
    &names[..count]
}

/// `exit code 3`, `SIGABRT`.
fn in_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => {
            let name = match signal {
                4 => "SIGILL",
                6 => "SIGABRT",
                8 => "SIGFPE",
                9 => "SIGKILL",
                11 => "SIGSEGV",
                15 => "SIGTERM",
                _ => return format!("signal {signal}"),
            };
            name.to_owned()
        }
        Exit::TimedOut | Exit::Interrupted => "its deadline".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_hash_behind_a_binarys_name_is_taken_off() {
        for (path, wanted) in [
            ("/t/debug/deps/shop-507999230d6984fa", "shop"),
            ("/t/debug/deps/my_test-507999230d6984fa.exe", "my_test"),
            ("/t/debug/examples/demo", "demo"),
            ("/t/a-b", "a-b"),
        ] {
            assert_eq!(stem(Path::new(path)), wanted);
        }
    }

    #[test]
    fn names_are_given_in_batches_that_fit() {
        let names: Vec<String> = (0..10).map(|number| format!("{number}{}", "x".repeat(NAMES_LIMIT / 4))).collect();
        assert_eq!(batch(&names).len(), 3);
        assert_eq!(batch(&["x".repeat(2 * NAMES_LIMIT)]).len(), 1);
        assert!(batch(&[]).is_empty());
    }
}
