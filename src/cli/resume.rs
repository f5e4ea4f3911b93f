//! `heal fix --resume`: going on with a run that was killed, interrupted, or
//! ran out of budget or patience with its model.
//!
//! The run is asked for again with the words of its command line, and with
//! those given now over them; what models have answered is in the record and
//! is not asked again. Reads the record; runs nothing.

use clap::Parser;
use heal::event::Event;
use heal::ledger::Ledger;
use heal::ledger::LedgerError;
use heal::ledger::RunRow;

use super::Cli;
use super::Command;
use super::fix::Arguments;
use super::output::Failed;
use super::records;
use super::settings::RunFlags;

/// Runs that are looked at for one that can go on.
const LOOK_BACK: usize = 100;

/// The exit codes of runs that ended before their time: model or budget, and
/// interrupted.
const UNFINISHED: [i32; 2] = [4, 130];

/// The arguments to go on with, and the run's id.
///
/// # Errors
/// There is no such run, or its command line cannot be read again.
pub fn resumed(now: &Arguments, given: &str) -> Result<(Arguments, String), Failed> {
    let ledger = records::open(&now.flags.repo)?;
    let run = match given {
        "" | "last" => last_unfinished(&ledger)?,
        given => ledger.run(given).map_err(Failed::ledger)?,
    };
    if run.exit.is_some_and(|exit| !UNFINISHED.contains(&exit)) {
        return Err(Failed::usage(format!(
            "the run {} has ended by itself (exit code {})\n  Start another: heal fix; what models have answered is not paid for again",
            run.id,
            run.exit.unwrap_or_default()
        )));
    }
    let recorded = recorded(&ledger, &run)?;
    refuse_pruned(&run)?;
    let mut arguments = now.clone();
    arguments.flags = now.flags.clone().over(recorded.flags);
    arguments.apply |= recorded.apply;
    arguments.branch = now.branch.clone().or(recorded.branch);
    arguments.output = now.output.clone().or(recorded.output);
    if arguments.reports.is_empty() {
        arguments.reports = recorded.reports;
    }
    Ok((arguments, run.id))
}

/// Refuses a run whose answers are not kept any more: they would be paid for
/// again.
///
/// # Errors
/// It was pruned.
pub fn refuse_pruned(run: &RunRow) -> Result<(), Failed> {
    match run.pruned {
        Some(_) => Err(Failed::ledger(LedgerError::Pruned { run: run.id.clone() })),
        None => Ok(()),
    }
}

fn last_unfinished(ledger: &Ledger) -> Result<RunRow, Failed> {
    let runs = ledger.runs(LOOK_BACK).map_err(Failed::ledger)?;
    let is_fix = |run: &RunRow| run.command == "heal fix" || run.command.starts_with("heal fix ");
    let last = runs.into_iter().find(is_fix);
    last.filter(|run| run.exit.is_none_or(|exit| UNFINISHED.contains(&exit))).ok_or_else(|| {
        Failed::usage("no run is left to go on with: the last heal fix has ended by itself\n  heal log lists the runs")
    })
}

/// The arguments of a recorded `heal fix`, those of the run that it went on
/// with included.
///
/// # Errors
/// It was no `heal fix`, or was recorded by an older heal.
pub fn recorded(ledger: &Ledger, run: &RunRow) -> Result<Arguments, Failed> {
    let (mut run, mut merged) = (run.clone(), None::<Arguments>);
    loop {
        let (words, resumes) = started(ledger, &run)?;
        let parsed = Cli::try_parse_from(std::iter::once("heal".to_owned()).chain(words));
        let Ok(Cli { command: Command::Fix(arguments), .. }) = parsed else {
            return Err(Failed::usage(format!("the run {} was no heal fix\n  heal log lists the runs", run.id)));
        };
        let arguments = match merged {
            None => arguments,
            Some(later) => Arguments { flags: later.flags.clone().over(arguments.flags), ..later },
        };
        match resumes {
            Some(earlier) => run = ledger.run(&earlier).map_err(Failed::ledger)?,
            None => return Ok(arguments),
        }
        merged = Some(arguments);
    }
}

/// The words of a run's command line, and the run that it went on with.
fn started(ledger: &Ledger, run: &RunRow) -> Result<(Vec<String>, Option<String>), Failed> {
    let events = ledger.events(&run.id).map_err(Failed::ledger)?;
    let found = events.iter().find_map(|stored| match serde_json::from_str(&stored.event) {
        Ok(Event::Started { arguments, resumes, .. }) => Some((arguments, resumes)),
        _ => None,
    });
    // A run that was killed before its first event has only its line.
    let found = found.filter(|(words, _)| !words.is_empty());
    let words = || run.command.split(' ').skip(1).map(str::to_owned).collect();
    let (words, resumes) = found.unwrap_or_else(|| (words(), None));
    if words.iter().any(|word| word.contains('«')) {
        return Err(Failed::usage(format!(
            "the command line of the run {} held a secret, which is not recorded\n  Give the command again: heal fix …; what models have answered is not paid for again",
            run.id
        )));
    }
    Ok((words, resumes))
}

impl RunFlags {
    /// These flags, and `recorded` ones where nothing was given now. The
    /// repository is where the user stands now.
    fn over(self, recorded: RunFlags) -> RunFlags {
        fn some<T>(now: Vec<T>, recorded: Vec<T>) -> Vec<T> {
            if now.is_empty() { recorded } else { now }
        }
        RunFlags {
            repo: self.repo,
            tests: some(self.tests, recorded.tests),
            trace: self.trace.or(recorded.trace),
            models: some(self.models, recorded.models),
            base_url: self.base_url.or(recorded.base_url),
            offline: self.offline || recorded.offline,
            suite: self.suite.or(recorded.suite),
            candidates: self.candidates.or(recorded.candidates),
            rounds: self.rounds.or(recorded.rounds),
            max_cost: self.max_cost.or(recorded.max_cost),
            max_tokens: self.max_tokens.or(recorded.max_tokens),
            max_calls: self.max_calls.or(recorded.max_calls),
            timeout: self.timeout.or(recorded.timeout),
            test_timeout: self.test_timeout.or(recorded.test_timeout),
            jobs: self.jobs.or(recorded.jobs),
            allow: some(self.allow, recorded.allow),
            deny: [self.deny, recorded.deny].concat(),
            sandbox: self.sandbox.or(recorded.sandbox),
            scratch: self.scratch.or(recorded.scratch),
            json: self.json || recorded.json,
            events: self.events.or(recorded.events),
            show_context: self.show_context,
            command: some(self.command, recorded.command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(words: &[&str]) -> Arguments {
        match Cli::try_parse_from(["heal", "fix"].iter().chain(words)).expect("arguments").command {
            Command::Fix(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_given_now_wins_over_what_was_recorded() {
        let recorded = fix(&["--model", "manual", "--max-cost", "0.5", "--json", "--test", "a", "--", "pytest", "-q"]);
        let now = fix(&["--resume", "--max-cost", "2", "--test", "b"]);
        assert_eq!(now.resume.as_deref(), Some("last"));
        let flags = now.flags.over(recorded.flags);
        assert_eq!((flags.max_cost, flags.json, flags.models), (Some(2.0), true, vec!["manual".to_owned()]));
        assert_eq!((flags.tests, flags.command), (vec!["b".to_owned()], vec!["pytest".to_owned(), "-q".to_owned()]));
    }

    #[test]
    fn a_run_that_went_on_with_another_has_the_arguments_of_both() {
        let ledger = Ledger::in_memory().expect("a ledger");
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let begin = |line: &[&str], resumes: Option<String>| {
            let run = ledger.begin(&format!("heal {}", line.join(" ")), None, false).expect("begun");
            let (repo, command) = (String::new(), String::new());
            let started = Event::Started { run: run.clone(), repo, command, arguments: words(line), resumes };
            ledger.append(&run, &started).expect("kept");
            run
        };
        let first = begin(&["fix", "--rounds", "1", "--max-cost", "3", "--", "make", "check it"], None);
        let second = begin(&["fix", "--resume", "--max-cost", "4"], Some(first));
        let row = ledger.run(&second).expect("recorded");
        let flags = recorded(&ledger, &row).expect("arguments").flags;
        assert_eq!((flags.rounds, flags.max_cost, flags.command), (Some(1), Some(4.0), words(&["make", "check it"])));
        let other = begin(&["explain"], None);
        let row = ledger.run(&other).expect("recorded");
        assert_eq!(recorded(&ledger, &row).expect_err("no fix").code, 2);
        let secret = begin(&["fix", "--", "pytest", "--token=«SECRET_1»"], None);
        let row = ledger.run(&secret).expect("recorded");
        assert!(recorded(&ledger, &row).expect_err("a secret").message.contains("held a secret"));
    }
}
