//! A verified patch as the text of a pull or merge request, or of a comment.
//!
//! Written for a person who decides in two minutes: what broke, why, what was
//! checked and what was not, where the patch comes from, how to try it and how
//! to be rid of it. Turns data into text.

use super::FailureReport;
use super::ProposalReport;
use super::RunReport;
use super::lay::clean;
use super::lay::fit;
use super::markdown;
use super::markdown::code;
use super::markdown::fenced;
use super::markdown::prose;
use super::words;

/// Columns of a title.
const TITLE: usize = 72;

/// Failures that are named.
const NAMED: usize = 20;

/// The title for what mends `failures`.
pub fn title(failures: &[&FailureReport]) -> String {
    let first = failures.first().map(|failure| failure.id.as_str()).unwrap_or("a failing test");
    let more = match failures.len() {
        0 | 1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    // What a forge acts on in a title: mentions and closing words.
    let first = clean(first).replace('@', "@\u{200b}").replace('#', "#\u{200b}");
    format!("Fix {}{more}", fit(first.trim(), TITLE - 4 - more.len()))
}

/// The text of the request, or of a comment that carries the patch itself.
pub fn body(report: &RunReport, failures: &[&FailureReport], proposal: &ProposalReport, with_diff: bool) -> String {
    let mut out = String::new();
    let Some(first) = failures.first() else { return out };
    let (verb, what) = if failures.len() == 1 { ("fails", "A test") } else { ("fail", "Several tests") };
    out.push_str(&format!(
        "{what} {verb}, and heal has a patch that passed every check below. It is a proposal: a person decides, \
         heal never merges.\n\n### What broke\n\n"
    ));
    for failure in failures.iter().take(NAMED) {
        out.push_str(&format!("- {}\n", code(&failure.id)));
    }
    if failures.len() > NAMED {
        out.push_str(&format!("- and {} more\n", failures.len() - NAMED));
    }
    out.push('\n');
    markdown::what_failed(first, &mut out);
    out.push_str(&format!("### Why, and what the patch changes\n\n{}\n\n", prose(&proposal.explanation)));
    if with_diff {
        out.push_str(&fenced("diff", &proposal.diff));
    }
    out.push_str("### What was checked\n\n");
    markdown::table(first, proposal, &mut out);
    markdown::not_checked(report, proposal, &mut out);
    out.push_str("### Where it comes from\n\n");
    out.push_str(&origin(report, proposal));
    out.push_str("### Try it, and be rid of it\n\n");
    out.push_str(&by_hand(report, with_diff));
    markdown::foot(report, &mut out);
    out
}

fn origin(report: &RunReport, proposal: &ProposalReport) -> String {
    let mut out = format!("- Source: {} {}\n", prose(&proposal.source.kind), code(&proposal.source.name));
    let cost = &report.cost;
    let sent = match cost.calls + cost.cut_off.calls {
        0 => "Nothing was sent to a model.".to_owned(),
        calls => format!(
            "A model was asked ({}): it was sent the failing test's message, the code around the suspects and what else \
             of the code it asked to see, secrets taken out; `heal fix --show-context` prints the first question.",
            words::counted(calls, "call")
        ),
    };
    out.push_str(&format!("- {sent}\n- Proposal: {}\n\n", code(&proposal.id)));
    out
}

fn by_hand(report: &RunReport, with_diff: bool) -> String {
    let command = report.command.as_deref().map(|command| fenced("sh", command));
    let run = command.map_or(String::new(), |command| format!("On this branch, the tests are run by\n\n{command}"));
    let undo = if with_diff {
        "Apply the patch with `git apply`; take it back with `git apply -R`.\n\n"
    } else {
        "Close this request and nothing is changed; heal does not propose the same patch for it again. After a merge, \
         revert its commit (`git revert`).\n\n"
    };
    format!("{run}{undo}")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn shown(report: &RunReport, with_diff: bool) -> String {
        let failures: Vec<&FailureReport> = report.failures.iter().filter(|failure| failure.is_verified()).collect();
        body(report, &failures, &failures[0].proposals[0], with_diff)
    }

    #[test]
    fn a_request_says_what_broke_why_what_is_open_and_how_to_be_rid_of_it() {
        insta::assert_snapshot!("request_body", shown(&samples::verified(), false));
    }

    #[test]
    fn nothing_hostile_comes_to_life_in_a_request_or_its_title() {
        let report = samples::hostile();
        for text in [shown(&report, false), shown(&report, true)] {
            let alive = markdown::alive(&text);
            for trick in ["<img", "](", "@everyone", "#1", "https://", "\n## heading", "</details", "<!--"] {
                assert!(!alive.contains(trick), "{trick}:\n{alive}");
            }
        }
        let failures: Vec<&FailureReport> = report.failures.iter().collect();
        let title = title(&failures);
        assert!(!title.contains("@everyone") && !title.contains("#1") && !title.contains('\n'), "{title}");
    }

    #[test]
    fn a_title_counts_what_it_does_not_name_and_fits() {
        let report = samples::several();
        let verified: Vec<&FailureReport> = report.failures.iter().filter(|failure| failure.is_verified()).collect();
        assert_eq!(title(&verified), "Fix tests/test_gcd.py::test_gcd[case1] and 1 more");
        let mut long = samples::verified();
        long.failures[0].id = "x".repeat(300);
        assert!(title(&[&long.failures[0]]).chars().count() <= TITLE);
    }
}
