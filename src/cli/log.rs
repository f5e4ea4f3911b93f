//! `heal log`: past runs, newest first.
//!
//! Turns the ledger's rows into text; opens nothing.

use heal::ledger::RunRow;
use heal::report::RunReport;
use heal::report::clean;
use heal::report::fit;
use jiff::tz::TimeZone;
use serde_json::json;

/// The runs as a table of at most `width` columns, times in `zone`.
pub fn text(runs: &[RunRow], width: usize, zone: &TimeZone) -> String {
    if runs.is_empty() {
        return "no run is recorded yet: heal fix\n".to_owned();
    }
    let outcomes: Vec<String> = runs.iter().map(outcome).collect();
    let broad = outcomes.iter().map(|outcome| outcome.chars().count()).max().unwrap_or_default().clamp(7, 24);
    let mut out = fit(&format!("{:26}  {:16}  {:broad$}  command", "run", "when", "outcome"), width) + "\n";
    for (run, outcome) in runs.iter().zip(&outcomes) {
        let (when, outcome) = (when(&run.started, zone), fit(outcome, broad));
        let line = format!("{:26}  {when:16}  {outcome:broad$}  {}", clean(&run.id), clean(&run.command));
        out.push_str(fit(&line, width).trim_end());
        out.push('\n');
    }
    out
}

/// The runs as JSON (`heal.log/1`).
pub fn json(runs: &[RunRow]) -> String {
    let row = |run: &RunRow| {
        json!({
            "run": run.id,
            "started": run.started,
            "finished": run.finished,
            "command": run.command,
            "base": {"commit": run.commit, "dirty": run.dirty},
            "exit": run.exit,
            "pruned": run.pruned,
            "outcome": outcome(run),
        })
    };
    format!("{:#}\n", json!({"schema": "heal.log/1", "runs": runs.iter().map(row).collect::<Vec<_>>()}))
}

/// How a run ended, in a few words.
fn outcome(run: &RunRow) -> String {
    let Some(exit) = run.exit else { return "not finished".to_owned() };
    if run.pruned.is_some() {
        return format!("exit {exit}, pruned");
    }
    let report = run.report.as_deref().and_then(|report| serde_json::from_str::<RunReport>(report).ok());
    // A report of another heal, or of a command that writes none.
    let Some(report) = report else { return format!("exit {exit}") };
    let verified = report.failures.iter().filter(|failure| failure.is_verified()).count();
    let reason = report.failures.iter().find_map(|failure| failure.reason.clone());
    match (report.failures.len(), reason) {
        (0, _) if exit == 0 => "nothing fails".to_owned(),
        (0, _) => format!("exit {exit}"),
        (1, Some(reason)) => reason,
        (all, Some(reason)) if verified == 0 => format!("0 of {all}, {reason}"),
        (all, _) => format!("verified {verified} of {all}"),
    }
}

fn when(started: &str, zone: &TimeZone) -> String {
    match started.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => clean(started),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, exit: Option<i32>, report: Option<&str>) -> RunRow {
        RunRow {
            id: format!("01JDXQ3N6V8Z0RTK5M2W7YHB{id}"),
            started: "2026-11-24T02:48:35.120Z".into(),
            command: "heal fix -- pytest -q tests/\u{1b}[31mtest_漢字.py".into(),
            commit: Some("3f1c2d4e".into()),
            dirty: false,
            exit,
            finished: exit.map(|_| "2026-11-24T02:48:37.000Z".into()),
            report: report.map(str::to_owned),
            pruned: None,
        }
    }

    fn report(failures: &str) -> String {
        format!(
            r#"{{"schema":"heal.fix/1","run":"r","exit":0,"base":{{"commit":null,"dirty":false}},"runner":null,
            "command":null,"runner_why":null,"failures":[{failures}],
            "cost":{{"calls":0,"input_tokens":0,"cached_tokens":0,"output_tokens":0,"usd":0.0}},
            "time":{{"total_s":0.0,"model_s":0.0,"tests_s":0.0,"heal_s":0.0}},"ledger":{{"head":""}},"notes":[]}}"#
        )
    }

    const ABSTAINED: &str = r#"{"id":"t","kind":"exit","message":"","expected":null,"actual":null,"fingerprint":"",
        "location":null,"outcome":"abstained","reason":"none-verified","reason_why":null,"proposals":[],"leads":[],
        "candidates":{"proposed":0,"duplicate":0,"refused":0,"tried":0,"verified":0},"suspects":[]}"#;

    fn runs() -> Vec<RunRow> {
        vec![
            run("4C", None, None),
            run("4D", Some(0), Some(&report(""))),
            run("4E", Some(1), Some(&report(ABSTAINED))),
            run("4F", Some(70), Some("{}")),
        ]
    }

    #[test]
    fn runs_are_a_table_that_fits() {
        let table = text(&runs(), 80, &TimeZone::fixed(jiff::tz::offset(1)));
        assert!(table.lines().all(|line| console::measure_text_width(line) <= 80), "{table}");
        insta::assert_snapshot!("log", table);
        assert!(text(&[], 80, &TimeZone::UTC).contains("heal fix"));
    }

    #[test]
    fn runs_are_json_for_scripts() {
        let document: serde_json::Value = serde_json::from_str(&json(&runs())).expect("JSON");
        assert_eq!(document["schema"], "heal.log/1");
        let outcomes: Vec<&str> =
            document["runs"].as_array().expect("runs").iter().filter_map(|run| run["outcome"].as_str()).collect();
        assert_eq!(outcomes, ["not finished", "nothing fails", "none-verified", "exit 70"]);
    }
}
