//! From recorded events to numbers.
//!
//! Works in memory; an event that this heal does not know counts for nothing.

use std::collections::BTreeMap;
use std::collections::HashMap;

use super::Bill;
use super::ModelRow;
use super::ReasonRow;
use super::RunnerRow;
use super::Runs;
use super::SourceRow;
use super::Stats;
use super::Times;
use crate::event::Event;
use crate::ledger::Fact;

/// The events that are counted, by their names.
pub const EVENTS: &[&str] = &["started", "runner-chosen", "asked", "answered", "unanswered", "outcome", "finished"];

/// One run that heals.
#[derive(Default)]
struct Run {
    began: String,
    runner: Option<String>,
    ended: bool,
    cost: Bill,
    models: BTreeMap<String, Bill>,
    /// The model of a call that has no end yet.
    open: Option<String>,
}

/// How a failure ended in one run.
struct Ending {
    run: String,
    at: String,
    failure: (String, String),
    reason: Option<String>,
    proposal: Option<String>,
    source: Option<String>,
}

/// One distinct failure.
#[derive(Default)]
struct Seen<'a> {
    /// When the first run began that saw it, also before the window.
    first: String,
    /// In the window.
    last: Option<&'a Ending>,
    fixed: Option<&'a Ending>,
}

/// The numbers of these events, oldest first, and deliveries (see
/// [`crate::ledger::Ledger::delivered`]). `since`: RFC 3339 in UTC, as the
/// ledger writes times.
pub fn of(facts: &[Fact], delivered: &[(String, String, String)], since: Option<&str>) -> Stats {
    let (runs, endings) = read(facts);
    let counts = |began: &str| since.is_none_or(|since| began >= since);
    let mut seen: BTreeMap<&(String, String), Seen<'_>> = BTreeMap::new();
    for ending in &endings {
        let Some(run) = runs.get(&ending.run) else { continue };
        let entry = seen.entry(&ending.failure).or_insert_with(|| Seen { first: run.began.clone(), ..Seen::default() });
        if counts(&run.began) {
            entry.last = Some(ending);
            if ending.reason.is_none() && entry.fixed.is_none() {
                entry.fixed = Some(ending);
            }
        }
    }
    let seen: Vec<&Seen<'_>> = seen.values().filter(|seen| seen.last.is_some()).collect();
    let runs_within: Vec<&Run> = runs.values().filter(|run| counts(&run.began)).collect();
    let fixed = seen.iter().filter(|seen| seen.fixed.is_some()).count();
    let cost = sum(runs_within.iter().map(|run| run.cost));
    let times = seen.iter().filter_map(|seen| seconds(&seen.first, &seen.fixed?.at)).collect();
    let sources = sources(&seen, &endings, delivered, &counts);
    let (applied, undone) = (put(delivered, "applied", &counts), put(delivered, "undone", &counts));
    Stats {
        schema: "heal.stats/1",
        since: since.map(str::to_owned),
        runs: Runs { all: runs_within.len(), unfinished: runs_within.iter().filter(|run| !run.ended).count() },
        failures: seen.len(),
        fixed,
        abstained: seen.len() - fixed,
        fix_rate: rate(fixed, seen.len()),
        abstention_rate: rate(seen.len() - fixed, seen.len()),
        applied: applied.len(),
        undone: undone.len(),
        revert_rate: rate(undone.len().min(applied.len()), applied.len()),
        time_to_repair: of_times(times),
        cost,
        usd_per_fix: cost.usd.filter(|_| fixed > 0).map(|usd| usd / fixed as f64),
        reasons: reasons(&seen),
        runners: runners(&seen, &runs, &runs_within),
        sources,
        models: models(&runs_within),
    }
}

/// The runs that heal, by id, and how failures ended in them.
fn read(facts: &[Fact]) -> (BTreeMap<String, Run>, Vec<Ending>) {
    let (mut runs, mut endings): (BTreeMap<String, Run>, Vec<Ending>) = Default::default();
    for fact in facts {
        let Ok(event) = serde_json::from_str::<Event>(&fact.event) else { continue };
        if let Event::Started { arguments, .. } = &event
            && heals(arguments)
        {
            runs.insert(fact.run.clone(), Run { began: fact.at.clone(), ..Run::default() });
        }
        let Some(run) = runs.get_mut(&fact.run) else { continue };
        match event {
            Event::RunnerChosen { runner, .. } => run.runner = Some(runner),
            Event::Asked { model, .. } => run.open = Some(model),
            // An answer that was found in the record has no open call.
            Event::Answered { model, input_tokens, output_tokens, usd, .. } if run.open.take().is_some() => {
                let bill = Bill { calls: 1, cut_off: 0, input_tokens, output_tokens, usd };
                run.pay(model, bill);
            }
            Event::Unanswered { model, may_be_billed, .. } => {
                run.open = None;
                run.pay(model, Bill { cut_off: usize::from(may_be_billed), ..Bill::default() });
            }
            Event::Outcome { id, reason, fingerprint, proposal, source, .. } => endings.push(Ending {
                run: fact.run.clone(),
                at: fact.at.clone(),
                failure: (id, fingerprint),
                reason,
                proposal,
                source,
            }),
            Event::Finished { .. } => run.ended = true,
            _ => {}
        }
    }
    // A call that nothing follows was cut off.
    for run in runs.values_mut() {
        if let Some(model) = run.open.take() {
            run.pay(model, Bill { cut_off: 1, ..Bill::default() });
        }
    }
    (runs, endings)
}

impl Run {
    fn pay(&mut self, model: String, bill: Bill) {
        self.cost = sum([self.cost, bill].into_iter());
        let of_model = self.models.entry(model).or_default();
        *of_model = sum([*of_model, bill].into_iter());
    }
}

/// Whether the words after `heal` ask for a run that heals: a replay repeats
/// one, and `verify` judges what somebody else made.
fn heals(arguments: &[String]) -> bool {
    let known = ["fix", "ci", "verify", "explain", "replay"];
    arguments.iter().find(|word| known.contains(&word.as_str())).is_some_and(|word| word == "fix" || word == "ci")
}

fn sum(bills: impl Iterator<Item = Bill>) -> Bill {
    bills.fold(Bill::default(), |all, one| Bill {
        calls: all.calls + one.calls,
        cut_off: all.cut_off + one.cut_off,
        input_tokens: all.input_tokens + one.input_tokens,
        output_tokens: all.output_tokens + one.output_tokens,
        usd: all.usd.zip(one.usd).map(|(all, one)| all + one),
    })
}

fn rate(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(from: &str, to: &str) -> Option<f64> {
    let (from, to): (jiff::Timestamp, jiff::Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    Some(to.duration_since(from).as_secs_f64().max(0.0))
}

fn of_times(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    // The nearest rank: a time that was measured, not one between two.
    let at = |part: usize| times.get((times.len() * part).div_ceil(10).saturating_sub(1)).copied().unwrap_or_default();
    Times { count: times.len(), median_s: at(5), p90_s: at(9), sum_s: times.iter().sum() }
}

fn reasons(seen: &[&Seen<'_>]) -> Vec<ReasonRow> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.fixed.is_none()) {
        let reason = seen.last.and_then(|ending| ending.reason.as_deref()).unwrap_or("unknown");
        *counts.entry(reason).or_default() += 1;
    }
    let mut rows: Vec<ReasonRow> =
        counts.into_iter().map(|(reason, failures)| ReasonRow { reason: reason.to_owned(), failures }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.failures));
    rows
}

fn runners(seen: &[&Seen<'_>], runs: &BTreeMap<String, Run>, within: &[&Run]) -> Vec<RunnerRow> {
    let name = |run: Option<&Run>| run.and_then(|run| run.runner.clone()).unwrap_or_else(|| "unknown".to_owned());
    let mut rows: BTreeMap<String, RunnerRow> = BTreeMap::new();
    let empty = |runner: &str| RunnerRow { runner: runner.into(), failures: 0, fixed: 0, abstained: 0, usd: Some(0.0) };
    for seen in seen {
        let runner = name(seen.last.and_then(|ending| runs.get(&ending.run)));
        let row = rows.entry(runner.clone()).or_insert_with(|| empty(&runner));
        row.failures += 1;
        row.fixed += usize::from(seen.fixed.is_some());
        row.abstained += usize::from(seen.fixed.is_none());
    }
    for run in within.iter().filter(|run| run.cost != Bill::default()) {
        let runner = name(Some(run));
        let row = rows.entry(runner.clone()).or_insert_with(|| empty(&runner));
        row.usd = row.usd.zip(run.cost.usd).map(|(all, one)| all + one);
    }
    let mut rows: Vec<RunnerRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.failures));
    rows
}

fn sources(
    seen: &[&Seen<'_>],
    endings: &[Ending],
    delivered: &[(String, String, String)],
    counts: &dyn Fn(&str) -> bool,
) -> Vec<SourceRow> {
    let mut rows: BTreeMap<String, SourceRow> = BTreeMap::new();
    let mut add = |source: &str, with: &dyn Fn(&mut SourceRow)| {
        let empty = SourceRow { source: source.to_owned(), fixed: 0, applied: 0, undone: 0 };
        with(rows.entry(source.to_owned()).or_insert(empty));
    };
    for ending in seen.iter().filter_map(|seen| seen.fixed) {
        add(source_of(ending), &|row| row.fixed += 1);
    }
    let of_proposal: HashMap<&str, &str> =
        endings.iter().filter_map(|ending| Some((ending.proposal.as_deref()?, source_of(ending)))).collect();
    for proposal in put(delivered, "applied", counts) {
        // The patch of several failures has several sources.
        add(of_proposal.get(proposal).copied().unwrap_or("several"), &|row| row.applied += 1);
    }
    for proposal in put(delivered, "undone", counts) {
        add(of_proposal.get(proposal).copied().unwrap_or("several"), &|row| row.undone += 1);
    }
    let mut rows: Vec<SourceRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.fixed));
    rows
}

/// The kind of a source, or the model's name.
fn source_of(ending: &Ending) -> &str {
    let source = ending.source.as_deref().unwrap_or("unknown");
    match source.split_once(' ') {
        Some(("model", name)) => name,
        Some((kind, _)) => kind,
        None => source,
    }
}

/// The proposals that this was done with, each once.
fn put<'a>(delivered: &'a [(String, String, String)], what: &str, counts: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    let fitting = delivered.iter().filter(|(_, kind, at)| kind == what && counts(at));
    let mut proposals: Vec<&str> = fitting.map(|(proposal, ..)| proposal.as_str()).collect();
    proposals.sort_unstable();
    proposals.dedup();
    proposals
}

fn models(within: &[&Run]) -> Vec<ModelRow> {
    let mut bills: BTreeMap<&str, Bill> = BTreeMap::new();
    for (model, bill) in within.iter().flat_map(|run| &run.models) {
        let all = bills.entry(model).or_default();
        *all = sum([*all, *bill].into_iter());
    }
    let mut rows: Vec<ModelRow> =
        bills.into_iter().map(|(model, cost)| ModelRow { model: model.to_owned(), cost }).collect();
    rows.sort_by(|a, b| b.cost.usd.unwrap_or(f64::MAX).total_cmp(&a.cost.usd.unwrap_or(f64::MAX)));
    rows
}

#[cfg(test)]
pub(super) mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn fact(run: &str, at: &str, event: serde_json::Value) -> Fact {
        Fact { run: run.into(), at: format!("2026-11-{at}.000Z"), event: event.to_string() }
    }

    fn started(run: &str, at: &str, words: &[&str]) -> Fact {
        fact(run, at, json!({"event": "started", "run": run, "repo": "/", "command": "heal", "arguments": words}))
    }

    fn chosen(run: &str, runner: &str) -> Fact {
        fact(run, "01T00:00:00", json!({"event": "runner-chosen", "runner": runner, "command": "", "why": ""}))
    }

    fn ended(run: &str, at: &str, id: &str, reason: Option<&str>, source: Option<&str>) -> Fact {
        let outcome = if reason.is_none() { "verified" } else { "abstained" };
        let proposal = source.map(|_| format!("{run}.1"));
        fact(
            run,
            at,
            json!({"event": "outcome", "id": id, "outcome": outcome, "reason": reason, "fingerprint": "f",
                   "proposal": proposal, "source": source}),
        )
    }

    fn asked(run: &str) -> Fact {
        let model = "openai/gpt \"x\"";
        fact(run, "01T00:00:00", json!({"event": "asked", "model": model, "call": 1, "input_tokens": 9}))
    }

    fn answered(run: &str, usd: f64) -> Fact {
        let model = "openai/gpt \"x\"";
        let event = json!({"event": "answered", "model": model, "input_tokens": 1200, "output_tokens": 80, "usd": usd,
                           "reply": "d"});
        fact(run, "01T00:00:00", event)
    }

    /// A week of runs: one failure that the second run fixes by a model, one
    /// that a rule fixes at once, one that stays.
    pub(in crate::report::stats) fn week() -> (Vec<Fact>, Vec<(String, String, String)>) {
        let finished = |run: &str, at: &str| fact(run, at, json!({"event": "finished", "exit": 1, "seconds": 1.0}));
        let facts = vec![
            started("A", "01T10:00:00", &["-q", "fix", "--offline"]),
            chosen("A", "pytest"),
            ended("A", "01T10:00:40", "t::a", Some("none-verified"), None),
            ended("A", "01T10:00:40", "t::b", None, Some("rule swap-arguments")),
            ended("A", "01T10:00:40", "t::c", Some("flaky"), None),
            finished("A", "01T10:00:41"),
            fact("A", "01T10:00:42", json!({"event": "of-a-newer-heal"})),
            started("B", "03T10:00:00", &["ci"]),
            chosen("B", "cargo"),
            asked("B"),
            answered("B", 0.25),
            // Found in the record, and not paid.
            answered("B", 0.25),
            ended("B", "03T10:05:00", "t::a", None, Some("model openai/gpt \"x\"")),
            ended("B", "03T10:05:00", "t::c", Some("no-candidate"), None),
            finished("B", "03T10:05:01"),
            // A replay is no run of its own, nor is what verify judges.
            started("C", "04T10:00:00", &["replay"]),
            ended("C", "04T10:05:00", "t::z", None, Some("rule x")),
            started("D", "05T10:00:00", &["fix"]),
            asked("D"),
        ];
        let at = |at: &str| format!("2026-11-{at}.000Z");
        let delivered = vec![
            ("A.1".into(), "applied".into(), at("01T11:00:00")),
            ("B.1".into(), "applied".into(), at("03T11:00:00")),
            ("B.1".into(), "undone".into(), at("03T12:00:00")),
            ("B.1".into(), "applied".into(), at("03T13:00:00")),
            ("A.1".into(), "file".into(), at("03T13:00:00")),
        ];
        (facts, delivered)
    }

    #[test]
    fn a_failure_counts_once_however_many_runs_saw_it() {
        let (facts, delivered) = week();
        let stats = of(&facts, &delivered, None);
        assert_eq!((stats.runs, stats.failures, stats.fixed), (Runs { all: 3, unfinished: 1 }, 3, 2));
        assert_eq!((stats.abstained, stats.applied, stats.undone, stats.revert_rate), (1, 2, 1, Some(0.5)));
        let two_days = 2.0 * 86_400.0 + 300.0;
        let times = Times { count: 2, median_s: 40.0, p90_s: two_days, sum_s: two_days + 40.0 };
        assert_eq!(stats.time_to_repair, times);
        let bill = Bill { calls: 1, cut_off: 1, input_tokens: 1200, output_tokens: 80, usd: Some(0.25) };
        assert_eq!((stats.cost, stats.usd_per_fix), (bill, Some(0.125)));
        assert_eq!(stats.reasons, [ReasonRow { reason: "no-candidate".into(), failures: 1 }]);
    }

    #[test]
    fn what_was_before_counts_for_nothing_but_the_time_since_it_was_first_seen() {
        let (facts, delivered) = week();
        let stats = of(&facts, &delivered, Some("2026-11-02T00:00:00.000Z"));
        assert_eq!((stats.runs.all, stats.failures, stats.fixed, stats.applied), (2, 2, 1, 1));
        assert_eq!(stats.time_to_repair.median_s, 2.0 * 86_400.0 + 300.0);
        assert_eq!(stats.sources[0].source, "openai/gpt \"x\"");
        let none = of(&facts, &delivered, Some("2027"));
        assert_eq!((none.failures, none.fix_rate, none.revert_rate, none.usd_per_fix), (0, None, None, None));
    }
}
