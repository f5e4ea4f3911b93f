//! The report for a terminal: what failed, why, the patch, the evidence, and
//! what to do next.
//!
//! On a screen one failure takes at most [`LINES`] lines with all that
//! surrounds it; in full, whatever it needs.
//! Diffs are indented here, so that nobody applies one by accident; a patch
//! file is written elsewhere.

use super::FailureReport;
use super::LeadReport;
use super::ProposalReport;
use super::RunReport;
use super::lay::Ink;
use super::lay::Page;
use super::reason;
use super::words;
use crate::propose::Origin;

/// Lines of a report of one failure.
pub const LINES: usize = 30;

/// Lines of the diff where several failures share the screen.
const DIFF_OF_MANY: usize = 10;

/// Lines of the diff of a patch that is not verified.
const DIFF_OF_LEAD: usize = 8;

/// Lines of notes below the report.
const NOTES: usize = 2;

/// Fewer lines than this of a diff show nothing.
const DIFF_AT_LEAST: usize = 6;

/// The report for one screen of `width` columns, with colour or without.
pub fn render(report: &RunReport, width: usize, colour: bool) -> String {
    laid_out(report, width, colour, false)
}

/// All of the report: every line of every patch, every lead and note.
pub fn in_full(report: &RunReport, width: usize, colour: bool) -> String {
    laid_out(report, width, colour, true)
}

fn laid_out(report: &RunReport, width: usize, colour: bool, full: bool) -> String {
    let page = || Page::new(width, colour);
    let mut foot = page();
    foot_of(report, full, &mut foot);
    let mut whole = page();
    if report.failures.is_empty() {
        nothing(report, &mut whole);
    }
    let mut shown: Vec<&str> = Vec::new();
    for failure in &report.failures {
        let (mut block, mut tail) = (page(), page());
        head_of(failure, lines_of_message(report, full), &mut block);
        let (mut diff, mut rest) = (None, full);
        match failure.proposals.first().filter(|_| failure.is_verified()) {
            Some(proposal) if shown.contains(&proposal.id.as_str()) => {
                block.line(2, Ink::Plain, &format!("mended by the same patch, {}", proposal.id));
                rest = false;
            }
            Some(proposal) => {
                shown.push(&proposal.id);
                block.note(2, "cause:    ", Ink::Plain, &proposal.explanation, if full { usize::MAX } else { 2 });
                // Whoever had a patch verified has it before them.
                if report.schema != "heal.verify/1" {
                    diff = Some((2, &proposal.diff, usize::MAX));
                }
                proof_of(report, failure, proposal, &mut tail);
            }
            None => {
                doubt_of(failure, suspects_shown(report, full), &mut block);
                // Only a patch that passes the test is worth the room.
                if failure.reason.as_deref() == Some("only-weak") {
                    diff = failure.leads.first().map(|lead| (4, &lead.diff, DIFF_OF_LEAD));
                }
                advice_of(report, failure, &mut tail);
            }
        }
        if let Some((indent, diff, most)) = diff {
            let room = LINES.saturating_sub(block.len() + tail.len() + foot.len() + 3).max(DIFF_AT_LEAST);
            let room = if single(report) { room } else { DIFF_OF_MANY };
            let most = if full { usize::MAX } else { most.min(room) };
            block.blank();
            block.diff(indent, diff, most, &format!("heal show {}", report.run));
            block.blank();
        }
        block.extend(tail);
        if rest {
            rest_of(failure, &mut block);
        }
        whole.append(block);
    }
    whole.append(foot);
    whole.text()
}

fn single(report: &RunReport) -> bool {
    report.failures.len() == 1
}

fn nothing(report: &RunReport, page: &mut Page) {
    let runner = report.runner.as_deref().unwrap_or("no runner");
    if report.exit == 0 {
        page.pair(0, (Ink::Good, "nothing fails"), (Ink::Plain, &format!(" ({runner})")));
    } else {
        page.pair(0, (Ink::Warn, "heal stopped"), (Ink::Plain, " before it found a failure to mend"));
    }
    if let Some(command) = &report.command {
        page.note(2, "command:  ", Ink::Plain, command, 2);
    }
}

fn lines_of_message(report: &RunReport, full: bool) -> usize {
    match (full, single(report)) {
        (true, _) => 20,
        (false, true) => 2,
        (false, false) => 1,
    }
}

fn suspects_shown(report: &RunReport, full: bool) -> usize {
    match (full, single(report)) {
        (true, _) => usize::MAX,
        (false, true) => 3,
        (false, false) => 1,
    }
}

fn head_of(failure: &FailureReport, lines: usize, page: &mut Page) {
    if failure.is_verified() {
        page.pair(0, (Ink::Good, "verified  "), (Ink::Bold, &failure.id));
    } else {
        let reason = failure.reason.as_deref().unwrap_or("no reason recorded");
        page.pair(0, (Ink::Warn, &format!("abstained ({reason})  ")), (Ink::Bold, &failure.id));
    }
    page.note(2, "", Ink::Plain, &failure.message, lines);
    if let (Some(expected), Some(actual)) = (&failure.expected, &failure.actual) {
        page.note(2, "expected: ", Ink::Plain, expected, lines.div_ceil(2));
        page.note(2, "got:      ", Ink::Plain, actual, lines.div_ceil(2));
    }
    if let Some(location) = &failure.location {
        page.note(2, "at:       ", Ink::Place, &words::place(location), 1);
    }
}

fn proof_of(report: &RunReport, failure: &FailureReport, proposal: &ProposalReport, page: &mut Page) {
    page.note(2, "evidence: ", Ink::Plain, &words::evidence(failure, &proposal.evidence), 4);
    let others = failure.proposals.len() - 1;
    let more = match others {
        0 => String::new(),
        others => format!("; {} verified as well", words::counted(others, "alternative")),
    };
    let source = format!("{} {}{more}", proposal.source.kind, proposal.source.name);
    page.note(2, "source:   ", Ink::Plain, &source, 1);
    page.pair(2, (Ink::Dim, "next:     "), (Ink::Bold, &format!("heal apply {}", proposal.id)));
    if single(report) {
        page.line(12, Ink::Plain, &format!("heal show {} --diff | git apply", report.run));
    }
}

fn doubt_of(failure: &FailureReport, suspects: usize, page: &mut Page) {
    let known = failure.reason.as_deref().and_then(reason::of);
    if let Some(why) = failure.reason_why.as_deref().or(known.map(|reason| reason.meaning)) {
        page.note(2, "why:      ", Ink::Plain, why, 3);
    }
    if let Some(tried) = words::tried(failure) {
        page.note(2, "tried:    ", Ink::Plain, &tried, 2);
    }
    for (number, suspect) in failure.suspects.iter().take(suspects).enumerate() {
        page.note(2, if number == 0 { "suspects: " } else { "          " }, Ink::Plain, suspect, 1);
    }
    if let Some(lead) = failure.leads.first() {
        page.note(2, "lead:     ", Ink::Warn, &lead_line(lead), 2);
    }
}

fn advice_of(report: &RunReport, failure: &FailureReport, page: &mut Page) {
    if let Some(reason) = failure.reason.as_deref().and_then(reason::of) {
        page.note(2, "next:     ", Ink::Bold, reason.advice, 2);
    }
    if single(report) {
        page.line(12, Ink::Plain, &format!("heal show {}", report.run));
    }
}

/// What a screen has no room for.
fn rest_of(failure: &FailureReport, page: &mut Page) {
    let proofs = failure.proposals.first().filter(|_| failure.is_verified());
    for evidence in proofs.iter().map(|proposal| &proposal.evidence) {
        let where_it_ran = format!("scratch {}, sandbox {}", evidence.scratch, evidence.sandbox);
        page.note(2, "ran in:   ", Ink::Plain, &where_it_ran, 2);
        page.note(2, "runs it: ", Ink::Plain, &words::witnesses(evidence.witnesses), 2);
        for survivor in evidence.strength.iter().flat_map(|strength| &strength.survivors) {
            page.note(2, "survivor: ", Ink::Warn, survivor, 2);
        }
    }
    for other in failure.proposals.iter().skip(1) {
        page.blank();
        page.line(
            2,
            Ink::Bold,
            &format!("verified as well: {}, {} {}", other.id, other.source.kind, other.source.name),
        );
        page.note(4, "", Ink::Plain, &words::evidence(failure, &other.evidence), usize::MAX);
        page.diff(4, &other.diff, usize::MAX, "");
    }
    // The first of an `only-weak` failure stands above.
    let above = usize::from(failure.reason.as_deref() == Some("only-weak"));
    for (number, lead) in failure.leads.iter().enumerate() {
        page.blank();
        page.note(2, "lead:     ", Ink::Warn, &lead_line(lead), usize::MAX);
        if number >= above {
            page.diff(4, &lead.diff, usize::MAX, "");
        }
    }
}

fn lead_line(lead: &LeadReport) -> String {
    let Origin { kind, name } = &lead.source;
    format!("not verified: {kind} {name} missed the gate `{}`: {}", lead.missed, lead.detail)
}

fn foot_of(report: &RunReport, full: bool, page: &mut Page) {
    let all = full || report.notes.len() <= NOTES;
    let shown = if all { report.notes.len() } else { NOTES - 1 };
    for note in &report.notes[..shown] {
        page.note(0, "note: ", Ink::Plain, note, if full { usize::MAX } else { 1 });
    }
    let more = report.notes.len() - shown;
    if more > 0 {
        page.line(0, Ink::Dim, &format!("… {more} more notes: heal show {}", report.run));
    }
    if report.failures.len() > 1 {
        page.line(0, Ink::Bold, &words::summary(report));
    }
    for clause in words::bill(&report.time, &report.cost) {
        page.line(0, Ink::Dim, &clause);
    }
    let head: String = report.ledger.head.chars().take(12).collect();
    let ledger = if head.is_empty() { "not recorded".to_owned() } else { format!("ledger {head}") };
    page.line(0, Ink::Dim, &format!("run {}, {ledger}", report.run));
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::super::reason::REASONS;
    use super::super::samples;
    use super::*;

    fn shown(report: &RunReport) -> String {
        render(report, 80, false)
    }

    #[test]
    fn a_verified_failure_is_shown_with_its_patch_and_evidence() {
        insta::assert_snapshot!("verified", shown(&samples::verified()));
        insta::assert_snapshot!("verified_in_colour", render(&samples::verified(), 80, true).replace('\u{1b}', "␛"));
    }

    #[test]
    fn an_abstention_says_what_was_tried_and_what_to_do() {
        let all: Vec<String> = REASONS.iter().map(|reason| shown(&samples::abstained(reason.word))).collect();
        insta::assert_snapshot!("abstained", all.join("\n────────\n\n"));
        insta::assert_snapshot!(
            "abstained_in_colour",
            render(&samples::abstained("only-weak"), 80, true).replace('\u{1b}', "␛")
        );
    }

    #[test]
    fn several_failures_are_shown_in_compact_blocks() {
        insta::assert_snapshot!("several", shown(&samples::several()));
    }

    #[test]
    fn a_long_diff_is_cut_and_says_where_the_rest_is() {
        let text = shown(&samples::long());
        assert_eq!(text.lines().count(), LINES, "{text}");
        insta::assert_snapshot!("long", text);
    }

    #[test]
    fn in_full_nothing_is_cut() {
        let text = in_full(&samples::long(), 80, false);
        assert!(text.contains("step_three") && text.contains("step_40") && !text.contains("more line"), "{text}");
        assert!(text.contains("note number 5"), "{text}");
        insta::assert_snapshot!("in_full", in_full(&samples::several(), 80, false));
    }

    #[test]
    fn wide_characters_and_hostile_output_stay_in_their_lines() {
        insta::assert_snapshot!("wide", shown(&samples::wide()));
        insta::assert_snapshot!("hostile", shown(&samples::hostile()));
    }

    #[test]
    fn a_run_without_failures_says_so() {
        insta::assert_snapshot!("nothing_fails", shown(&samples::nothing()));
        let mut stopped = samples::nothing();
        stopped.exit = 5;
        stopped.notes = vec!["no test runner found".into()];
        insta::assert_snapshot!("stopped", shown(&stopped));
    }

    #[test]
    fn no_report_is_wider_than_the_terminal_or_longer_than_a_screen() {
        let mut reports = vec![
            samples::verified(),
            samples::long(),
            samples::wide(),
            samples::hostile(),
            samples::several(),
            samples::nothing(),
        ];
        reports.extend(REASONS.iter().map(|reason| samples::abstained(reason.word)));
        for report in reports {
            for (width, colour) in [(80, false), (80, true), (40, false), (120, false)] {
                let text = render(&report, width, colour);
                for line in text.lines() {
                    assert!(measure_text_width(line) <= width, "{width}: {line:?}");
                }
                if colour {
                    continue;
                }
                assert!(!text.contains('\u{1b}'), "{text:?}");
                let blocks = report.failures.len().max(1);
                if width >= 80 {
                    assert!(text.lines().count() <= LINES * blocks, "{} lines:\n{text}", text.lines().count());
                }
            }
        }
    }

    #[test]
    fn what_is_shown_is_no_patch_that_git_would_take() {
        for report in [samples::verified(), samples::abstained("only-weak")] {
            assert!(!shown(&report).lines().any(|line| line.starts_with("--- ") || line.starts_with("diff ")));
        }
    }
}
