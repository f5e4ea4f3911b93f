//! What the runs that this one goes on with have paid their models, out of the
//! record: the caps hold for all of them together.
//!
//! Adds up; asks nobody and writes nothing.

use crate::event::Event;
use crate::ledger::Ledger;
use crate::ledger::LedgerError;
use crate::propose::model::budget::Spent;
use crate::propose::model::budget::Worst;
use crate::propose::model::price::Prices;
use crate::propose::provider::ModelName;
use crate::propose::provider::Usage;
use crate::propose::provider::replay;

/// A call whose end was not read yet.
struct Open {
    model: String,
    prompt: String,
    worst: Worst,
    /// Whether its reply is in the record.
    is_kept: bool,
}

/// What `run` has spent, and the runs that it went on with.
///
/// # Errors
/// The record cannot be read.
pub fn by(ledger: &Ledger, run: &str, prices: &Prices) -> Result<Spent, LedgerError> {
    let (mut spent, mut next) = (Spent::default(), Some(run.to_owned()));
    while let Some(run) = next.take() {
        let mut open: Option<Open> = None;
        for stored in ledger.events(&run)? {
            if is_reply(&stored.event) {
                open.iter_mut().for_each(|open| open.is_kept = true);
            }
            match serde_json::from_str::<Event>(&stored.event) {
                Ok(Event::Started { resumes, .. }) => next = resumes,
                Ok(Event::Asked { model, prompt, worst_tokens, worst_usd, .. }) => {
                    let worst = Worst { tokens: worst_tokens, usd: worst_usd };
                    let before = open.replace(Open { model, prompt, worst, is_kept: false });
                    before.into_iter().for_each(|open| spent.add_lost(open.worst));
                }
                // An answer that was found in the record has no open call.
                Ok(Event::Answered { input_tokens, output_tokens, usd, .. }) if open.take().is_some() => {
                    spent.add(Usage { input: input_tokens, output: output_tokens, ..Usage::default() }, usd);
                }
                Ok(Event::Unanswered { may_be_billed, .. }) => {
                    let lost = open.take().filter(|_| may_be_billed);
                    lost.into_iter().for_each(|open| spent.add_lost(open.worst));
                }
                _ => {}
            }
        }
        match open.map(|open| (kept_usage(ledger, &open, prices), open)) {
            Some((Some((usage, usd)), _)) => spent.add(usage, usd),
            Some((None, open)) => spent.add_lost(open.worst),
            None => {}
        }
    }
    Ok(spent)
}

/// Whether a row of the chain says that a reply was kept.
fn is_reply(event: &str) -> bool {
    let row: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
    row["event"] == "kept" && row["kept"] == "reply"
}

/// What a call took whose reply was kept when its run died.
fn kept_usage(ledger: &Ledger, open: &Open, prices: &Prices) -> Option<(Usage, Option<f64>)> {
    let kept = ledger.find_reply(&open.prompt, &open.model).ok().flatten().filter(|_| open.is_kept)?;
    let usage = replay::from_stored(&kept.text).usage?;
    let name = ModelName::parse(&open.model).ok()?;
    let usd = if name.may_cost() { prices.usd(name.name(), &usage) } else { Some(0.0) };
    Some((usage, usd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::model::budget::Lost;
    use crate::propose::provider::Reply;
    use crate::propose::provider::StopReason;

    const MODEL: &str = "anthropic/claude-sonnet-5-5";

    fn asked(prompt: &str) -> Event {
        let (model, prompt) = (MODEL.to_owned(), prompt.to_owned());
        Event::Asked { model, call: 1, input_tokens: 9, prompt, worst_tokens: 1000, worst_usd: Some(0.5) }
    }

    fn answered(input_tokens: u64, usd: Option<f64>) -> Event {
        let (model, reply) = (MODEL.to_owned(), String::new());
        Event::Answered { model, input_tokens, output_tokens: 10, usd, reply }
    }

    fn unanswered(may_be_billed: bool) -> Event {
        Event::Unanswered { model: MODEL.to_owned(), why: String::new(), may_be_billed }
    }

    fn begin(ledger: &Ledger, resumes: Option<&str>, events: &[Event]) -> String {
        let run = ledger.begin("heal fix", None, false).expect("begun");
        let (repo, command, resumes) = (String::new(), String::new(), resumes.map(str::to_owned));
        let started = Event::Started { run: run.clone(), repo, command, arguments: Vec::new(), resumes };
        std::iter::once(&started).chain(events).for_each(|event| ledger.append(&run, event).expect("kept"));
        run
    }

    #[test]
    fn what_was_paid_is_read_off_the_record() {
        let spent = |calls, input, usd, has_unpriced, lost| {
            let output = 10 * calls as u64;
            Spent { calls, usage: Usage { input, output, ..Usage::default() }, usd, has_unpriced, lost }
        };
        let none = Lost::default();
        let one = Lost { calls: 1, tokens: 1000, usd: Some(0.5) };
        for (events, wanted) in [
            (vec![], Spent::default()),
            (vec![asked("a"), answered(100, Some(0.25))], spent(1, 100, 0.25, false, none)),
            (vec![asked("a"), answered(100, None)], spent(1, 100, 0.0, true, none)),
            // Found in the record: no call.
            (vec![answered(0, Some(0.0))], Spent::default()),
            (vec![asked("a"), unanswered(false)], Spent::default()),
            (vec![asked("a"), unanswered(true)], spent(0, 1000, 0.5, false, one)),
            (vec![asked("a")], spent(0, 1000, 0.5, false, one)),
            (vec![asked("a"), asked("b"), answered(100, Some(0.25))], spent(1, 1100, 0.75, false, one)),
        ] {
            let ledger = Ledger::in_memory().expect("a ledger");
            let run = begin(&ledger, None, &events);
            assert_eq!(by(&ledger, &run, &Prices::built_in()).expect("read"), wanted, "{events:?}");
        }
    }

    #[test]
    fn a_run_that_went_on_with_another_counts_with_it() {
        let ledger = Ledger::in_memory().expect("a ledger");
        let first = begin(&ledger, None, &[asked("a"), answered(100, Some(0.25)), asked("b")]);
        let second = begin(&ledger, Some(&first), &[answered(0, Some(0.0)), asked("b"), answered(100, Some(0.25))]);
        let spent = by(&ledger, &second, &Prices::built_in()).expect("read");
        assert_eq!((spent.calls, spent.usd, spent.lost.calls), (2, 1.0, 1));
    }

    #[test]
    fn a_reply_that_was_kept_when_its_run_died_is_paid_at_its_price() {
        let ledger = Ledger::in_memory().expect("a ledger");
        let run = begin(&ledger, None, &[asked("a")]);
        let usage = Some(Usage { input: 1_000_000, ..Usage::default() });
        let reply = Reply { text: "x".into(), stop: StopReason::Done, usage, model: "m".into() };
        ledger.keep_reply(&run, "a", MODEL, "prompt", &replay::to_stored(&reply)).expect("kept");
        let spent = by(&ledger, &run, &Prices::built_in()).expect("read");
        assert_eq!((spent.calls, spent.usd, spent.lost.calls), (1, 2.0, 0));
        // Another run's reply to the same prompt is not this one's.
        let other = begin(&ledger, None, &[asked("a")]);
        assert_eq!(by(&ledger, &other, &Prices::built_in()).expect("read").lost.calls, 1);
    }
}
