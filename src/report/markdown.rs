//! The report for a pull request or a job summary, as GitHub-flavoured
//! Markdown.
//!
//! What tests and models wrote is shown as text: no HTML, image, link,
//! mention, reference to an issue or closing word of theirs comes to life.

use super::FailureReport;
use super::ProposalReport;
use super::RunReport;
use super::lay::clean;
use super::reason;
use super::words;

/// Lines of a diff that are shown.
const DIFF_LINES: usize = 400;

/// Bytes of a diff that are shown: GitHub takes 65,536 characters a text
/// (seen in its API's error: "body is too long (maximum is 65536 characters)").
const DIFF_BYTES: usize = 24 * 1024;

/// Characters of a message that are shown.
const MESSAGE: usize = 400;

/// The report as Markdown.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    if report.failures.is_empty() {
        let what = if report.exit == 0 { "Nothing fails" } else { "heal stopped before it found a failure to mend" };
        out.push_str(&format!("## {what}\n\n"));
    } else if report.failures.len() > 1 {
        out.push_str(&format!("{}\n\n", prose(&words::summary(report))));
    }
    let mut shown: Vec<&str> = Vec::new();
    for failure in &report.failures {
        match failure.proposals.first().filter(|_| failure.is_verified()) {
            // It stands with the patch.
            Some(proposal) if shown.contains(&proposal.id.as_str()) => {}
            Some(proposal) => {
                shown.push(&proposal.id);
                let others = words::mended_too(report, failure, proposal);
                let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
                out.push_str(&format!("## A verified patch for {}{more}\n\n", code(&failure.id)));
                what_failed(failure, &mut out);
                mended_too(&others, &mut out);
                out.push_str(&format!("**Cause and change:** {}\n\n", prose(&proposal.explanation)));
                out.push_str(&fenced("diff", &proposal.diff));
                table(failure, proposal, &mut out);
                not_checked(report, proposal, &mut out);
                by_hand(report, proposal, &mut out);
            }
            None => {
                let reason = failure.reason.as_deref().unwrap_or("no reason recorded");
                out.push_str(&format!("## heal abstained on {}: {}\n\n", code(&failure.id), prose(reason)));
                what_failed(failure, &mut out);
                abstention(failure, &mut out);
            }
        }
    }
    for request in &report.requests {
        let words = [&request.state, &request.url, &request.why];
        let words: Vec<String> = words.iter().filter(|word| !word.is_empty()).map(|word| address(word)).collect();
        out.push_str(&format!("- {}\n", words.join(": ")));
    }
    if !report.requests.is_empty() {
        out.push('\n');
    }
    for note in &report.notes {
        out.push_str(&format!("> note: {}\n\n", prose(note)));
    }
    foot(report, &mut out);
    out
}

/// An address of a forge's own, which may come to life; anything else as
/// prose.
fn address(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?=&%".contains(c);
    let is_address = text.starts_with("https://") && text.chars().all(plain);
    if is_address { format!("<{text}>") } else { prose(text) }
}

/// Which run it was, and what it took.
pub(super) fn foot(report: &RunReport, out: &mut String) {
    out.push_str(&format!(
        "<sub>heal run {}, ledger {}; {}</sub>\n",
        prose(&report.run),
        prose(if report.ledger.head.is_empty() { "not recorded" } else { &report.ledger.head }),
        words::bill(&report.time, &report.cost).join("; "),
    ));
}

pub(super) fn what_failed(failure: &FailureReport, out: &mut String) {
    out.push_str(&format!("**Failure:** {}\n\n", code(&failure.message)));
    if let (Some(expected), Some(actual)) = (&failure.expected, &failure.actual) {
        out.push_str(&format!("**Expected:** {}, **got:** {}\n\n", code(expected), code(actual)));
    }
    if let Some(location) = &failure.location {
        out.push_str(&format!(
            "**Seen at:** {} (where the failing run was last; the cause may be elsewhere)\n\n",
            code(&words::place(location))
        ));
    }
}

pub(super) fn table(failure: &FailureReport, proposal: &ProposalReport, out: &mut String) {
    let evidence = &proposal.evidence;
    out.push_str("| evidence | result |\n|---|---|\n");
    for (name, value) in words::evidence_rows(failure, proposal) {
        out.push_str(&format!("| {name} | {} |\n", prose(&value)));
    }
    out.push('\n');
    let survivors = evidence.strength.iter().flat_map(|strength| &strength.survivors);
    let survivors: String = survivors.take(20).map(|survivor| format!("- {}\n", code(survivor))).collect();
    if !survivors.is_empty() {
        out.push_str(&format!("The tests would not notice these changes of the patched lines:\n\n{survivors}\n"));
    }
}

/// The other failures that the same patch mends.
fn mended_too(others: &[&FailureReport], out: &mut String) {
    if others.is_empty() {
        return;
    }
    out.push_str("**Mended by the same patch:**\n\n");
    for other in others {
        out.push_str(&format!("- {}: {}\n", code(&other.id), code(&other.message)));
    }
    out.push('\n');
}

/// What the evidence leaves open.
pub(super) fn not_checked(report: &RunReport, proposal: &ProposalReport, out: &mut String) {
    out.push_str("### What was not checked\n\n");
    let open = super::open_ends::of(report, proposal);
    out.push_str(&open.iter().map(|line| format!("- {}\n", prose(line))).collect::<String>());
    out.push('\n');
}

/// How to try the patch, and to take it back.
fn by_hand(report: &RunReport, proposal: &ProposalReport, out: &mut String) {
    out.push_str("### Try it, and be rid of it\n\n");
    if let Some(commit) = &report.base.commit {
        let dirty = if report.base.dirty { ", with what was not committed" } else { "" };
        out.push_str(&format!("- It is for commit {}{dirty}.\n", code(commit)));
    }
    if let Some(command) = &report.command {
        out.push_str(&format!("- The tests are run by {}.\n", code(command)));
    }
    let (apply, undo) = (format!("heal apply {}", proposal.id), format!("heal undo {}", proposal.id));
    out.push_str(&format!(
        "- Where heal made it, {} puts the patch into the work tree and {} takes it back; neither commits anything. \
         Elsewhere {} and {} do the same with the diff above.\n\n",
        code(&apply),
        code(&undo),
        code("git apply"),
        code("git apply -R"),
    ));
}

fn abstention(failure: &FailureReport, out: &mut String) {
    let known = failure.reason.as_deref().and_then(reason::of);
    if let Some(why) = failure.reason_why.as_deref().or(known.map(|reason| reason.meaning)) {
        out.push_str(&format!("**Why:** {}\n\n", prose(why)));
    }
    if let Some(tried) = words::tried(failure) {
        out.push_str(&format!("**Tried:** {}\n\n", prose(&tried)));
    }
    if !failure.suspects.is_empty() {
        out.push_str("**Suspects:**\n\n");
        for suspect in failure.suspects.iter().take(5) {
            out.push_str(&format!("- {}\n", code(suspect)));
        }
        out.push('\n');
    }
    for lead in failure.leads.iter().take(3) {
        let (kind, name) = (&lead.source.kind, &lead.source.name);
        let line = format!("{kind} {name} missed {}: {}", lead.missed, lead.detail);
        out.push_str(&format!("<details><summary>A lead, not verified</summary>\n\n{}\n\n", prose(&line)));
        out.push_str(&fenced("diff", &lead.diff));
        out.push_str("</details>\n\n");
    }
    if let Some(reason) = known {
        out.push_str(&format!("**Next:** {}\n\n", prose(reason.advice)));
    }
}

/// `text` as a code span on one line, nothing in it interpreted: fenced by a
/// run of backticks that it does not hold (CommonMark 0.31, 6.1).
pub(super) fn code(text: &str) -> String {
    let mut text: String = clean(text).trim().to_owned();
    if text.chars().count() > MESSAGE {
        text = text.chars().take(MESSAGE).chain(['…']).collect();
    }
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// `text` as words on one line, every mark-up character of it made harmless.
/// An invisible space breaks what forges act on in rendered text: mentions,
/// numbers of issues, addresses
/// (<https://docs.github.com/en/get-started/writing-on-github>).
pub(super) fn prose(text: &str) -> String {
    let text = clean(text);
    let text: String = text.trim().chars().take(2000).collect();
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
        let acts = match c {
            '@' | '#' | '!' | '%' | '~' | '$' => after.starts_with(char::is_alphanumeric),
            ':' => after.starts_with("//"),
            '.' => ends_with(before, "www"),
            '-' => ends_with(before, "gh"),
            _ => false,
        };
        if acts {
            out.push('\u{200b}');
        }
    }
    out
}

fn ends_with(text: &str, end: &str) -> bool {
    text.len() >= end.len() && text.as_bytes()[text.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

/// `text` as a fenced block, the fence longer than any inside.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let mut body = String::new();
    let mut lines = text.lines();
    for line in lines.by_ref().take(DIFF_LINES) {
        if body.len() + line.len() > DIFF_BYTES {
            body.push_str("… cut: the line or the text is too long\n");
            break;
        }
        // Tabs are part of a text that is shown whole.
        body.push_str(&line.split('\t').map(clean).collect::<Vec<_>>().join("\t"));
        body.push('\n');
    }
    let more = lines.count();
    if more > 0 {
        body.push_str(&format!("… {} more\n", words::counted(more, "line")));
    }
    let fence = "`".repeat(longest_run(&body, '`').max(2) + 1);
    format!("{fence}{language}\n{body}{fence}\n\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
pub(super) use tests::alive;

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::reason::REASONS;
    use super::super::samples;
    use super::*;

    #[test]
    fn a_verified_patch_is_shown_with_a_table_of_evidence() {
        insta::assert_snapshot!("markdown_verified", render(&samples::verified()));
    }

    #[test]
    fn an_abstention_is_shown_with_its_leads() {
        insta::assert_snapshot!("markdown_abstained", render(&samples::abstained("only-weak")));
        for reason in REASONS {
            assert!(render(&samples::abstained(reason.word)).contains("**Next:**"), "{}", reason.word);
        }
    }

    #[test]
    fn several_failures_share_a_document() {
        insta::assert_snapshot!("markdown_several", render(&samples::several()));
    }

    /// The text outside fences and code spans, as a renderer would see it.
    pub(in super::super) fn alive(markdown: &str) -> String {
        let mut out = String::new();
        let mut fence: Option<String> = None;
        for line in markdown.lines() {
            let ticks: String = line.chars().take_while(|c| *c == '`').collect();
            match &fence {
                Some(open) if line.trim_end() == ticks && ticks.len() >= open.len() => fence = None,
                Some(_) => {}
                None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
                None => out.push_str(&without_spans(line)),
            }
            out.push('\n');
        }
        assert_eq!(fence, None, "a fence is left open:\n{markdown}");
        out
    }

    fn without_spans(line: &str) -> String {
        let (mut out, mut rest) = (String::new(), line);
        while let Some(c) = rest.chars().next() {
            if c == '\\' {
                let escaped: usize = rest.chars().take(2).map(char::len_utf8).sum();
                out.push('·');
                rest = &rest[escaped..];
            } else if c == '`' {
                let open = rest.chars().take_while(|c| *c == '`').count();
                rest = &rest[open..];
                let mut at = 0;
                loop {
                    let found = rest[at..].find('`').expect("a span is left open") + at;
                    let run = rest[found..].chars().take_while(|c| *c == '`').count();
                    at = found + run;
                    if run == open {
                        break;
                    }
                }
                rest = &rest[at..];
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        out
    }

    #[test]
    fn nothing_hostile_comes_to_life() {
        let markdown = render(&samples::hostile());
        assert!(!markdown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        let alive = alive(&markdown);
        for trick in ["<img", "](", "@everyone", "#1", "https://", "\n## heading", "\n- [", "</details"] {
            assert!(!alive.contains(trick), "{trick}:\n{alive}");
        }
        for line in alive.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.matches('|').count(), 3, "{line}");
        }
        insta::assert_snapshot!("markdown_hostile", markdown);
    }

    #[test]
    fn any_text_stays_where_it_is_put() {
        proptest::proptest!(|(text in "[`\\\\a@#<|\n ]{0,24}")| {
            let line = format!("x {} y {} z", code(&text), prose(&text));
            proptest::prop_assert!(!line.contains('\n'));
            let alive = without_spans(&line);
            proptest::prop_assert!(alive.starts_with("x  y ") || alive.starts_with("x (empty) y "), "{alive}");
            proptest::prop_assert!(alive.ends_with(" z"));
            alive_block(&fenced("diff", &text));
        });
    }

    fn alive_block(block: &str) {
        assert_eq!(alive(block).trim(), "");
    }

    #[test]
    fn a_text_of_any_size_is_cut_for_the_forge() {
        let mut report = samples::verified();
        report.failures[0].message = "x".repeat(100_000);
        report.failures[0].proposals[0].explanation = "y".repeat(100_000);
        report.failures[0].proposals[0].diff = "+z\n".repeat(100_000);
        let markdown = render(&report);
        assert!(markdown.len() < 60_000 && markdown.contains("… 99600 lines more"), "{}", markdown.len());
    }
}
