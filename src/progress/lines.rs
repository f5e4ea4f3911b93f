//! An event as one line of words; what tests wrote is cleaned.
//!
//! Says nothing about events that a person does not wait for.

use super::Verbosity;
use crate::event::Event;
use crate::event::Undecided;
use crate::report::clean;
use crate::report::fit;

/// Columns of a line that somebody else's text fills.
const WIDTH: usize = 200;

/// The line for `event`; `None` where it is not worth one.
pub(super) fn of(event: &Event, verbosity: Verbosity) -> Option<String> {
    let line = if verbosity == Verbosity::Quiet { None } else { normal(event) };
    let line = line.or_else(|| (verbosity >= Verbosity::Verbose).then(|| verbose(event)).flatten())?;
    Some(fit(&clean(&line), WIDTH))
}

fn normal(event: &Event) -> Option<String> {
    match event {
        Event::RunnerChosen { runner, command, why } => Some(format!("{runner}: {command} ({why})")),
        Event::SuiteRan { passed, failed, skipped, seconds } => {
            let skipped = if *skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
            Some(format!("tests: {passed} passed, {failed} failed{skipped} in {seconds:.1} s"))
        }
        Event::Reproduced { id, failed, runs, message } if failed == runs => {
            Some(format!("reproduced {id} ({failed} of {runs}): {message}"))
        }
        Event::Reproduced { id, failed, runs, .. } => {
            Some(format!("not reproduced: {id} failed in the same way {failed} of {runs} times"))
        }
        Event::Diagnosed { id, suspect: Some(suspect), suspects, .. } => {
            let others = if *suspects > 1 { format!(", {} more", suspects - 1) } else { String::new() };
            Some(format!("suspect of {id}: {suspect}{others}"))
        }
        Event::Diagnosed { id, .. } => Some(format!("no suspect of {id}")),
        Event::Answered { model, input_tokens, output_tokens, usd, .. } => {
            let usd = usd.map_or("price not known".to_owned(), |usd| format!("${usd:.4}"));
            Some(format!("{model} answered: {input_tokens} tokens in, {output_tokens} out, {usd}"))
        }
        Event::Unanswered { model, why, .. } => Some(format!("{model} gave no answer: {why}")),
        Event::Tried { source, verdict, detail, .. } if verdict == "verified" => {
            Some(format!("verified a patch by {source}{}", detail_of(detail)))
        }
        Event::Outcome { id, outcome, reason, .. } => {
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            Some(format!("{outcome}{reason}: {id}"))
        }
        Event::Delivered { proposal, what } => Some(format!("{proposal}: {what}")),
        Event::Note { text } => Some(format!("note: {text}")),
        _ => None,
    }
}

fn verbose(event: &Event) -> Option<String> {
    match event {
        Event::Started { run, repo, command, .. } => Some(format!("run {run}: {command} in {repo}")),
        Event::Stage { name, what } => Some(format!("{name}: {what}")),
        Event::Proposed { source, candidates } => Some(format!("{source} proposed {candidates}")),
        Event::Sieved { off: Some(why), discarded: 0, .. } => Some(format!("not sieved: {why}")),
        Event::Sieved { candidates, passed, discarded, seconds, undecided, .. } => Some(format!(
            "sieved {candidates}: {discarded} still fail the test, {passed} pass it, {} undecided{} in {seconds:.1} s",
            candidates.saturating_sub(passed + discarded),
            reasons(undecided),
        )),
        Event::Asked { model, call, input_tokens, .. } => {
            Some(format!("asking {model}, call {call}, about {input_tokens} tokens"))
        }
        Event::Answering { model, output_tokens, usd } => {
            let usd = usd.map_or(String::new(), |usd| format!(", ${usd:.4}"));
            Some(format!("{model} is answering: {output_tokens} tokens so far{usd}"))
        }
        Event::Tried { candidate, source, verdict, detail, seconds } => {
            Some(format!("tried {candidate} by {source}: {verdict}{} in {seconds:.1} s", detail_of(detail)))
        }
        Event::Finished { exit, seconds } => Some(format!("ended with exit code {exit} after {seconds:.1} s")),
        _ => None,
    }
}

fn reasons(undecided: &[Undecided]) -> String {
    let words: Vec<String> = undecided.iter().map(|one| format!("{} {}", one.candidates, one.why)).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join("; ")) }
}

fn detail_of(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn undecided() -> Vec<Undecided> {
        let one = |why: &str, candidates| Undecided { why: why.into(), candidates };
        vec![one("`table` ran when the tests were collected", 40), one("it reads `gcd.py`", 3)]
    }

    /// A run, every event of it.
    fn outcome(id: &str, outcome: &str, reason: Option<&str>) -> Event {
        let (fingerprint, proposal, source) = (String::new(), None, None);
        let (id, outcome, reason) = (id.to_owned(), outcome.to_owned(), reason.map(str::to_owned));
        Event::Outcome { id, outcome, reason, fingerprint, proposal, source }
    }

    pub(crate) fn run() -> Vec<Event> {
        let id = "tests/test_gcd.py::test_gcd".to_owned();
        let tried = |candidate: &str, verdict: &str, detail: &str| Event::Tried {
            candidate: candidate.into(),
            source: "rule swap-arguments".into(),
            verdict: verdict.into(),
            detail: detail.into(),
            seconds: 0.41,
        };
        vec![
            Event::Started {
                run: "01JD".into(),
                repo: "/home/ana/app".into(),
                command: "fix".into(),
                arguments: Vec::new(),
                resumes: None,
            },
            Event::RunnerChosen {
                runner: "pytest".into(),
                command: "pytest -q".into(),
                why: "pyproject.toml has [tool.pytest]".into(),
            },
            Event::Stage { name: "run".into(), what: "the suite".into() },
            Event::SuiteRan { passed: 40, failed: 1, skipped: 2, seconds: 1.24 },
            Event::Stage { name: "reproduce".into(), what: id.clone() },
            Event::Reproduced {
                id: id.clone(),
                failed: 2,
                runs: 2,
                message: "RecursionError:\u{1b}[31m maximum\nrecursion depth".into(),
            },
            Event::Reproduced { id: "t::b".into(), failed: 1, runs: 5, message: String::new() },
            Event::Diagnosed { id: id.clone(), suspect: Some("gcd.py:5 gcd".into()), suspects: 3, slice_tokens: 84 },
            Event::Diagnosed { id: "t::b".into(), suspect: None, suspects: 0, slice_tokens: 0 },
            Event::Proposed { source: "rules".into(), candidates: 9 },
            Event::Sieved {
                candidates: 900,
                passed: 3,
                discarded: 850,
                off: None,
                undecided: undecided(),
                seconds: 7.5,
            },
            Event::Sieved {
                candidates: 90,
                passed: 0,
                discarded: 0,
                off: Some("the tests start threads when they are collected".into()),
                undecided: vec![],
                seconds: 0.5,
            },
            tried("c1", "target", "still fails"),
            Event::Asked {
                model: "openai/x".into(),
                call: 1,
                input_tokens: 900,
                prompt: String::new(),
                worst_tokens: 0,
                worst_usd: None,
            },
            Event::Answering { model: "openai/x".into(), output_tokens: 200, usd: Some(0.0021) },
            Event::Answered {
                model: "openai/x".into(),
                input_tokens: 912,
                output_tokens: 310,
                usd: Some(0.0042),
                reply: "d1".into(),
            },
            Event::Unanswered {
                model: "openai/x".into(),
                why: "the server limits the rate".into(),
                may_be_billed: false,
            },
            tried("c2", "verified", ""),
            outcome(&id, "verified", None),
            outcome("t::b", "abstained", Some("flaky")),
            Event::Delivered { proposal: "01JD.1".into(), what: "applied".into() },
            Event::Note { text: "the work tree was not touched".into() },
            Event::Finished { exit: 0, seconds: 1.9 },
        ]
    }

    #[test]
    fn every_event_is_worth_a_line_when_asked_for_all() {
        for event in run() {
            let line = of(&event, Verbosity::Verbose).unwrap_or_else(|| panic!("{event:?}"));
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
