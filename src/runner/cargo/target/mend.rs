//! After a run that did not end as it should: what of it to believe, which
//! test to blame, and what to run again.
//!
//! Believes no line that contradicts another; then each test is asked alone,
//! where its exit code speaks too.

use std::collections::HashSet;

use super::Drive;
use super::Ended;
use super::Exit;
use super::Heard;
use super::Outcome;
use super::Pass;
use super::Record;
use super::Streamed;
use super::TAIL;
use super::TESTS_FAILED;
use super::Wish;
use super::arguments;
use super::in_words;
use crate::process::stream;

impl Drive<'_> {
    /// Takes what can be trusted from a run that did not end as it should, and
    /// says which tests to run again and whether one by one in one thread.
    pub(super) fn mend(
        &mut self,
        pass: Pass,
        mut names: Vec<String>,
        told: &mut HashSet<String>,
        serial: bool,
    ) -> std::io::Result<Option<(Vec<String>, bool)>> {
        let before = told.len();
        let (code, odd, running) = (pass.code(), pass.tally.is_odd(), pass.tally.running());
        let listed: HashSet<&String> = names.iter().collect();
        let overdue: Vec<_> = pass.overdue.into_iter().filter(|(name, _)| listed.contains(name)).collect();
        if !odd {
            let known: Vec<_> =
                pass.tally.into_outcomes().into_iter().filter(|(name, _)| listed.contains(name)).collect();
            for (name, outcome) in known {
                self.outcome(told, name, outcome)?;
            }
        }
        for (name, took) in &overdue {
            self.late(told, name, *took)?;
        }
        names.retain(|name| !told.contains(name));
        if odd {
            self.alone(names, told)?;
            return Ok(None);
        }
        if !overdue.is_empty() {
            return Ok(Some((names, serial)));
        }
        if let Some(name) = culprit(&pass.streamed.stderr, &running, &names) {
            self.crash(told, &name, &pass.streamed)?;
            names.retain(|other| *other != name);
            return Ok(Some((names, serial)));
        }
        let ended_itself = matches!(code, Some(0 | TESTS_FAILED));
        if names.is_empty() {
            if !ended_itself {
                let message = format!("the test binary ended by {} after its tests", in_words(pass.streamed.exit));
                self.log.write(&Record::Problem { message, output: pass.streamed.stderr })?;
            }
            return Ok(None);
        }
        // One thread makes it certain which test a binary dies in.
        if !serial && !running.is_empty() {
            return Ok(Some((names, true)));
        }
        if !ended_itself && told.len() > before {
            return Ok(Some((names, true)));
        }
        self.alone(names, told)?;
        Ok(None)
    }

    /// Runs each test in a process of its own, where its exit code speaks too.
    pub(super) fn alone(&mut self, names: Vec<String>, told: &mut HashSet<String>) -> std::io::Result<()> {
        for name in names {
            let pass = self.pass(Some(std::slice::from_ref(&name)), true)?;
            if let Some((_, took)) = pass.overdue.iter().find(|(other, _)| *other == name) {
                self.late(told, &name, *took)?;
                continue;
            }
            let (code, finished) = (pass.code(), pass.tally.has_finished());
            let mut ends: Vec<Outcome> = Vec::new();
            for (_, outcome) in pass.tally.into_outcomes().into_iter().filter(|(other, _)| *other == name) {
                ends.push(outcome);
            }
            // What libtest writes comes after all that the test could write.
            let last = ends.pop();
            let blank = |passed| Outcome { passed, took: pass.streamed.took, output: String::new(), message: None };
            let outcome = match (code, last) {
                (Some(0), Some(outcome)) if finished => outcome,
                (Some(0), None) if finished => blank(Some(true)),
                (Some(TESTS_FAILED), Some(outcome)) if outcome.passed == Some(false) => outcome,
                (Some(TESTS_FAILED), _) => Outcome { output: pass.streamed.stderr.clone(), ..blank(Some(false)) },
                _ => {
                    self.crash(told, &name, &pass.streamed)?;
                    continue;
                }
            };
            self.outcome(told, name, outcome)?;
        }
        Ok(())
    }

    /// Records the test that the binary died in. What it printed was captured
    /// and died with it, so it is run once more, alone and uncaptured.
    fn crash(&mut self, told: &mut HashSet<String>, name: &str, died: &Streamed) -> std::io::Result<()> {
        let mut words = arguments::in_one_thread(&arguments::for_selection(&self.given));
        words.extend(["--nocapture", "--exact", name].map(str::to_owned));
        let mut output = String::new();
        let again = stream::stream(&self.command(words, true, self.order.test_limit), &mut |heard| {
            if let Heard::Line(line) = heard
                && output.len() < TAIL
            {
                output.push_str(&String::from_utf8_lossy(line));
                output.push('\n');
            }
            Wish::GoOn
        })?;
        let same = again.exit == died.exit;
        output = if same { output + &again.stderr } else { died.stderr.clone() };
        let message = Some(match died.exit {
            Exit::Code(_) => format!("the test ended the whole process by {}", in_words(died.exit)),
            _ => in_words(died.exit),
        });
        let name = name.to_owned();
        self.test(told, Record::Test { name, ended: Ended::Crashed, took: again.took, output, message })
    }
}

/// The test that a binary died in: the only one running, or the one whose
/// thread the runtime names as it dies.
fn culprit(stderr: &str, running: &[String], open: &[String]) -> Option<String> {
    let running: Vec<&String> = running.iter().filter(|name| open.contains(name)).collect();
    if let [only] = running[..] {
        return Some(only.clone());
    }
    let named = stderr.lines().rev().find_map(crate::trace::rust::panics::overflowed)?;
    running.into_iter().find(|name| *name == named).cloned()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_test_a_binary_died_in_is_the_only_one_running_or_the_one_the_runtime_names() {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let overflow = "\nthread 'b' (12) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        for (stderr, running, wanted) in [
            ("", "a", Some("a")),
            ("", "a b", None),
            (overflow, "a b", Some("b")),
            (overflow, "a c", None),
            ("", "", None),
        ] {
            assert_eq!(culprit(stderr, &names(running), &names("a b c")).as_deref(), wanted, "{running}");
        }
    }
}
