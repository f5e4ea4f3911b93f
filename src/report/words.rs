//! Evidence, counts and costs in words.
//!
//! Says only what was executed: what was not measured is called so.

use super::Cost;
use super::Counts;
use super::CutOff;
use super::FailureReport;
use super::Location;
use super::ProposalReport;
use super::Reproduced;
use super::RunReport;
use super::Time;
use crate::verify::Evidence;
use crate::verify::Strength;
use crate::verify::SuiteCounts;

/// The evidence in one line of clauses.
pub(super) fn evidence(failure: &FailureReport, evidence: &Evidence) -> String {
    let mut clauses = Vec::new();
    if let Some(reproduced) = failure.reproduced {
        clauses.push(format!("reproduced {} of {}", reproduced.failed, reproduced.runs));
    }
    clauses.push(format!("with the patch {} of {} pass", evidence.target.passed, evidence.target.runs));
    clauses.push(cause(&evidence.cause));
    match evidence.control.as_deref() {
        Some("red") => clauses.push("a fault planted there turns it red".to_owned()),
        Some(other) => clauses.push(format!("control: {other}")),
        None => {}
    }
    clauses.push(format!("{}: {}", suite_name(evidence), suite(evidence.suite)));
    let strength = strength(evidence.strength.as_ref());
    let link = if strength.starts_with("not") { "" } else { ":" };
    clauses.push(format!("strength{link} {strength}"));
    if evidence.witnesses == Some(0) {
        clauses.push("only the failing test runs what it changes".to_owned());
    }
    if evidence.integrity != "held" {
        clauses.push(format!("integrity: {}", evidence.integrity));
    }
    if evidence.agreement > 1 {
        clauses.push(format!("{} sources agree", evidence.agreement));
    }
    clauses.join("; ")
}

/// The evidence as rows of a table: what was looked at, and what was found.
pub(super) fn evidence_rows(failure: &FailureReport, proposal: &ProposalReport) -> Vec<(&'static str, String)> {
    let evidence = &proposal.evidence;
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    if let Some(reproduced) = failure.reproduced {
        rows.push((
            "without the patch",
            format!("{} of {} runs fail in the same way", reproduced.failed, reproduced.runs),
        ));
    }
    rows.push(("with the patch", format!("{} of {} runs pass", evidence.target.passed, evidence.target.runs)));
    let cause = if evidence.cause == "fails-passes-fails" { "fails as before" } else { &evidence.cause };
    rows.push(("patch taken out again", cause.to_owned()));
    if let Some(control) = &evidence.control {
        let shows = if control == "red" { ": it runs that code" } else { "" };
        rows.push(("patched code made to fail", format!("the failing test turned {control}{shows}")));
    }
    let name = match suite_name(evidence) {
        "suite" => "suite (what the test command runs)",
        other => other,
    };
    rows.push((name, suite(evidence.suite)));
    rows.push(("small changes of the patched lines (mutants)", strength(evidence.strength.as_ref())));
    rows.push(("other tests that run the changed statements", witnesses(evidence.witnesses)));
    let integrity = if evidence.integrity == "held" { "untouched" } else { &evidence.integrity };
    rows.push(("tests, CI and build files", integrity.to_owned()));
    if evidence.agreement > 1 {
        rows.push(("sources that wrote this patch on their own", evidence.agreement.to_string()));
    }
    let sandbox = match evidence.sandbox.as_str() {
        "none" | "off" => "not sandboxed".to_owned(),
        by => format!("sandboxed by {by}"),
    };
    rows.push(("where it ran", format!("a copy of the tree ({}), {sandbox}", evidence.scratch)));
    rows.push(("written by", format!("{} {}", proposal.source.kind, proposal.source.name)));
    rows.push(("its id in heal's record", proposal.id.clone()));
    rows
}

fn cause(cause: &str) -> String {
    match cause {
        "fails-passes-fails" => "taken out again it fails as before".to_owned(),
        other => format!("cause: {other}"),
    }
}

/// `suite`, and which one where it is not the user's own.
pub(super) fn suite_name(evidence: &Evidence) -> &'static str {
    match evidence.suite_scope.as_str() {
        "near" => "tests near the patch",
        "all" => "whole suite",
        _ => "suite",
    }
}

pub(super) fn suite(suite: Option<SuiteCounts>) -> String {
    let Some(suite) = suite else { return "only its exit code is known".to_owned() };
    let mut clauses = vec![format!("{} passed", suite.passed)];
    if suite.already_failing > 0 {
        clauses.push(format!("{} failed before and still fail", suite.already_failing));
    }
    let worse: Vec<String> =
        [(suite.newly_failing, "newly failing"), (suite.missing, "missing"), (suite.newly_skipped, "newly skipped")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
    if worse.is_empty() {
        clauses.push("nothing newly fails".to_owned());
    }
    clauses.extend(worse);
    clauses.join(", ")
}

pub(super) fn strength(strength: Option<&Strength>) -> String {
    match strength {
        Some(Strength { mutants: 0, .. }) => "not measured (no mutants of these lines)".to_owned(),
        Some(strength) => {
            let own = format!("{} of {} mutants killed", strength.killed, strength.mutants);
            match strength.around {
                Some(around) => format!("{own}, and {} of {} of the code around", around.killed, around.mutants),
                None => own,
            }
        }
        None => "not measured".to_owned(),
    }
}

/// Who speaks for the changed statements beside the failing test.
pub(super) fn witnesses(witnesses: Option<usize>) -> String {
    match witnesses {
        Some(0) => "none".to_owned(),
        Some(count) => format!("{count}, which passed before and still pass"),
        None => "not known".to_owned(),
    }
}

/// The other failures of the run that `proposal` mends.
pub(super) fn mended_too<'r>(
    report: &'r RunReport,
    first: &FailureReport,
    proposal: &ProposalReport,
) -> Vec<&'r FailureReport> {
    let mends = |failure: &&FailureReport| {
        let is_it = failure.proposals.first().is_some_and(|other| other.id == proposal.id);
        failure.id != first.id && failure.is_verified() && is_it
    };
    report.failures.iter().filter(mends).collect()
}

/// What was tried where heal abstained; `None` where nothing was.
pub(super) fn tried(failure: &FailureReport) -> Option<String> {
    match failure.reproduced {
        Some(Reproduced { failed, runs }) if failed < runs => {
            Some(format!("{}, of which {failed} failed in the same way", counted(runs, "run")))
        }
        _ if failure.candidates == Counts::default() => None,
        _ => Some(counts(&failure.candidates)),
    }
}

fn counts(counts: &Counts) -> String {
    let mut clauses = Vec::new();
    if counts.duplicate > 0 {
        clauses.push(counted(counts.duplicate, "duplicate"));
    }
    if counts.refused > 0 {
        clauses.push(format!("{} against policy", counts.refused));
    }
    clauses.push(format!("{} tried", counts.tried));
    clauses.push(format!("{} verified", counts.verified));
    format!("{}: {}", counted(counts.proposed, "candidate"), clauses.join(", "))
}

/// `1 call`, `2 calls`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn place(location: &Location) -> String {
    let mut text = location.path.to_string();
    if let Some(line) = location.line {
        text.push_str(&format!(":{line}"));
    }
    if let Some(symbol) = &location.symbol {
        text.push_str(&format!(" in {symbol}"));
    }
    text
}

/// What the run took and cost, in clauses.
pub(super) fn bill(time: &Time, cost: &Cost) -> Vec<String> {
    let took = format!("{:.1} s (tests {:.1} s)", time.total_s, time.tests_s);
    let mut clauses = Vec::new();
    if cost.calls > 0 {
        let usd = cost.usd.map_or("price not known".to_owned(), |usd| format!("${usd:.4}"));
        let (input, output) =
            (tokens(cost.input_tokens.saturating_add(cost.cached_tokens)), tokens(cost.output_tokens));
        let calls = counted(cost.calls, "model call");
        clauses.push(format!("{took}; {calls}: {input} tokens in, {output} out, {usd}"));
    } else if cost.cut_off.calls > 0 {
        clauses.push(took);
    } else {
        clauses.push(format!("{took}; no model was asked"));
    }
    if cost.cut_off.calls > 0 {
        clauses.push(cut_off(&cost.cut_off));
    }
    if cost.earlier.calls > 0 {
        clauses.push(in_all(cost));
    }
    clauses
}

/// What counts against the caps where a run goes on with another.
fn in_all(cost: &Cost) -> String {
    let by = "of it by the interrupted run";
    if let (Some(usd), Some(lost), Some(earlier)) = (cost.usd, cost.cut_off.worst_usd, cost.earlier.usd) {
        return format!("in all ${:.4} of --max-cost, ${earlier:.4} {by}", usd + lost + earlier);
    }
    let own = [cost.input_tokens, cost.cached_tokens, cost.output_tokens, cost.cut_off.worst_tokens];
    let earlier = cost.earlier.tokens;
    let all = own.iter().fold(earlier, |sum, tokens| sum.saturating_add(*tokens));
    format!("in all {} tokens of --max-tokens, {} {by}", tokens(all), tokens(earlier))
}

/// Calls of which nobody knows what they cost.
fn cut_off(cut_off: &CutOff) -> String {
    let calls = format!("{} cut off", counted(cut_off.calls, "model call"));
    if cut_off.worst_tokens == 0 {
        return calls;
    }
    let usd = cut_off.worst_usd.map(|usd| format!("${usd:.4}"));
    let worst = usd.unwrap_or_else(|| format!("{} tokens", tokens(cut_off.worst_tokens)));
    format!("{calls}: cost not known, counted at worst as {worst}")
}

fn tokens(count: u64) -> String {
    if count < 10_000 { count.to_string() } else { format!("{:.1}k", count as f64 / 1000.0) }
}

/// `2 of 3 failures have a verified patch; abstained: 1 none-verified`.
pub(super) fn summary(report: &RunReport) -> String {
    let (all, verified) =
        (report.failures.len(), report.failures.iter().filter(|failure| failure.is_verified()).count());
    let mut text = match (all, verified) {
        (1, 1) => "the failure has a verified patch".to_owned(),
        (1, _) => "heal abstained".to_owned(),
        _ => format!("{verified} of {all} failures have a verified patch"),
    };
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for failure in report.failures.iter().filter(|failure| !failure.is_verified()) {
        let reason = failure.reason.as_deref().unwrap_or("no reason recorded");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    if !reasons.is_empty() && all > 1 {
        let reasons: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        text.push_str(&format!("; abstained: {}", reasons.join(", ")));
    } else if let Some((reason, _)) = reasons.first() {
        text.push_str(&format!(": {reason}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Earlier;
    use super::*;

    #[test]
    fn mutants_of_the_code_around_are_told_beside_those_of_the_patch() {
        let one = Strength { mutants: 1, killed: 1, ..Strength::default() };
        let around = Some(crate::verify::Around { mutants: 4, killed: 3 });
        assert_eq!(strength(Some(&one)), "1 of 1 mutants killed");
        let told = strength(Some(&Strength { around, ..one }));
        assert_eq!(told, "1 of 1 mutants killed, and 3 of 4 of the code around");
    }

    #[test]
    fn what_was_cut_off_or_paid_before_is_told_beside_what_was_paid() {
        let answered = Cost { calls: 1, input_tokens: 1000, output_tokens: 100, usd: Some(0.003), ..Cost::default() };
        let cut = |calls, worst_tokens, worst_usd| CutOff { calls, worst_tokens, worst_usd };
        for (cost, wanted) in [
            (Cost::default(), vec!["0.0 s (tests 0.0 s); no model was asked"]),
            (answered, vec!["0.0 s (tests 0.0 s); 1 model call: 1000 tokens in, 100 out, $0.0030"]),
            (
                Cost { cut_off: cut(1, 17_000, Some(0.24)), ..Cost::default() },
                vec!["0.0 s (tests 0.0 s)", "1 model call cut off: cost not known, counted at worst as $0.2400"],
            ),
            (
                Cost { cut_off: cut(2, 34_000, None), ..answered },
                vec![
                    "0.0 s (tests 0.0 s); 1 model call: 1000 tokens in, 100 out, $0.0030",
                    "2 model calls cut off: cost not known, counted at worst as 34.0k tokens",
                ],
            ),
            (
                Cost { cut_off: cut(1, 0, Some(0.0)), ..Cost::default() },
                vec!["0.0 s (tests 0.0 s)", "1 model call cut off"],
            ),
            (
                Cost { earlier: Earlier { calls: 1, tokens: 900, usd: Some(0.12) }, ..answered },
                vec![
                    "0.0 s (tests 0.0 s); 1 model call: 1000 tokens in, 100 out, $0.0030",
                    "in all $0.1230 of --max-cost, $0.1200 of it by the interrupted run",
                ],
            ),
            (
                Cost { earlier: Earlier { calls: 1, tokens: 900, usd: None }, ..answered },
                vec![
                    "0.0 s (tests 0.0 s); 1 model call: 1000 tokens in, 100 out, $0.0030",
                    "in all 2000 tokens of --max-tokens, 900 of it by the interrupted run",
                ],
            ),
        ] {
            assert_eq!(bill(&Time::default(), &cost), wanted);
        }
    }
}
