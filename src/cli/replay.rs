//! `heal replay RUN`: the run again from the record, and whether the verdicts
//! agree.
//!
//! Opens no socket: the models' answers are the recorded ones.

use std::path::Path;

use heal::event::Event;
use heal::pipeline;
use heal::pipeline::record;
use heal::propose::provider::ModelName;
use heal::report;
use serde_json::Value;
use serde_json::json;

use super::fix;
use super::output;
use super::output::Failed;
use super::output::Look;
use super::records;
use super::resume;
use super::setup;

/// One failure, then and now.
#[derive(Debug, PartialEq, Eq)]
struct Compared {
    id: String,
    then: String,
    now: String,
    agrees: bool,
}

/// Runs `heal replay`; returns the exit code: 0 where all verdicts agree.
pub fn run(repo: &Path, given: &str, as_json: bool, look: Look) -> Result<i32, Failed> {
    let ledger = records::open(repo)?;
    let run = ledger.run(given).map_err(Failed::ledger)?;
    let recorded = resume::recorded(&ledger, &run)?;
    resume::refuse_pruned(&run)?;
    let Some(then) = run.report.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return Err(Failed::usage(format!(
            "the run {} never finished, so there is nothing to compare with\n  Go on with it: heal fix --resume {}",
            run.id, run.id
        )));
    };
    let mut flags = recorded.flags;
    flags.repo = repo.to_path_buf();
    let mut settings = flags.settings()?;
    let asked = record::models_of(&ledger, &run.id);
    let name = |model: &String| ModelName::parse(&format!("replay:{}@{model}", run.id));
    settings.models = asked.iter().map(name).collect::<Result<_, _>>().map_err(Failed::own)?;
    settings.offline = settings.models.is_empty();
    drop(ledger);
    let kit = setup::kit(&setup::Line::typed(), &settings, None, look, false)?;
    let runtime = setup::runtime()?;
    let outcome = runtime.block_on(async {
        setup::watch(kit.tools.interrupt.clone(), settings.timeout);
        pipeline::heal(&settings, &kit.tools).await
    });
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return Err(fix::close(&kit, error.into())),
    };
    if let (Some(then), Some(now)) = (then["base"]["commit"].as_str(), &report.base.commit)
        && then != now
    {
        kit.tools.events.emit(Event::Note { text: format!("the run was made on commit {then}, this one on {now}") });
    }
    fix::record(&kit, &report)?;
    kit.progress.finish();
    let now: Value = serde_json::from_str(&report::json::render(&report)).unwrap_or_default();
    let compared = compare(&then, &now);
    let agree = compared.iter().all(|row| row.agrees);
    output::result(&if as_json { document(&run.id, &kit.tools.run, &compared) } else { text(&run.id, &compared) });
    Ok(if agree { 0 } else { 1 })
}

/// Each failure of either run.
fn compare(then: &Value, now: &Value) -> Vec<Compared> {
    let rows = |report: &Value| report["failures"].as_array().cloned().unwrap_or_default();
    let (then, now) = (rows(then), rows(now));
    let of = |rows: &[Value], id: &str| rows.iter().find(|row| row["id"] == id).cloned();
    let ids = then.iter().chain(now.iter().filter(|row| of(&then, row["id"].as_str().unwrap_or_default()).is_none()));
    ids.map(|row| {
        let id = row["id"].as_str().unwrap_or_default().to_owned();
        let (one, other) = (of(&then, &id), of(&now, &id));
        let diff = |row: &Option<Value>| row.as_ref().map(|row| row["proposals"][0]["diff"].clone());
        let agrees = verdict(one.as_ref()) == verdict(other.as_ref()) && diff(&one) == diff(&other);
        Compared { id, then: verdict(one.as_ref()), now: verdict(other.as_ref()), agrees }
    })
    .collect()
}

/// `verified`, or `abstained (flaky)`.
fn verdict(row: Option<&Value>) -> String {
    let Some(row) = row else { return "not a failure".to_owned() };
    let outcome = row["outcome"].as_str().unwrap_or_default();
    row["reason"].as_str().map_or_else(|| outcome.to_owned(), |reason| format!("{outcome} ({reason})"))
}

fn text(run: &str, compared: &[Compared]) -> String {
    let mut out = String::new();
    for row in compared {
        let id = report::clean(&row.id);
        out.push_str(&match (row.agrees, row.then == row.now) {
            (true, _) => format!("agrees   {id}: {}\n", row.now),
            (false, true) => format!("differs  {id}: {}, by another patch\n", row.now),
            (false, false) => format!("differs  {id}: {} then, {} now\n", row.then, row.now),
        });
    }
    let agree = compared.iter().filter(|row| row.agrees).count();
    out.push_str(&format!("{agree} of {} verdicts of the run {run} agree\n", compared.len()));
    out
}

fn document(run: &str, replay: &str, compared: &[Compared]) -> String {
    let rows: Vec<Value> = compared
        .iter()
        .map(|row| json!({"id": row.id, "then": row.then, "now": row.now, "agrees": row.agrees}))
        .collect();
    let agree = compared.iter().all(|row| row.agrees);
    json!({"schema": "heal.replay/1", "run": run, "replay": replay, "agree": agree, "failures": rows}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_agree_by_outcome_reason_and_patch() {
        let row = |id: &str, outcome: &str, reason: Value, diff: &str| json!({"id": id, "outcome": outcome, "reason": reason, "proposals": [{"diff": diff}]});
        let then = json!({"failures": [row("a", "verified", Value::Null, "x"), row("b", "verified", Value::Null, "x"), row("c", "abstained", json!("flaky"), "")]});
        let now = json!({"failures": [row("a", "verified", Value::Null, "x"), row("b", "verified", Value::Null, "y"), row("d", "abstained", json!("policy"), "")]});
        insta::assert_snapshot!(text("01JD", &compare(&then, &now)), @r"
        agrees   a: verified
        differs  b: verified, by another patch
        differs  c: abstained (flaky) then, not a failure now
        differs  d: not a failure then, abstained (policy) now
        1 of 4 verdicts of the run 01JD agree
        ");
    }
}
