//! The report as one HTML file: light and dark, without script, usable by
//! keyboard alone.
//!
//! What tests and models wrote is text in it and never mark-up: every text
//! goes through [`text`], and the policy in its head forbids whatever else
//! might load.

use super::FailureReport;
use super::ProposalReport;
use super::RunReport;
use super::explain::html::STYLE;
use super::explain::html::text;
use super::reason;
use super::words;
use super::words::counted;

/// What this page has beyond the other's style.
const OWN_STYLE: &str = include_str!("html.css");

/// The report as a page.
pub fn render(report: &RunReport) -> String {
    let head = match report.failures.as_slice() {
        [] if report.exit == 0 => "Nothing fails".to_owned(),
        [] => "heal stopped before it found a failure to mend".to_owned(),
        [one] if one.is_verified() => format!("A verified patch for {}", one.id),
        [one] => format!("heal abstained on {}", one.id),
        _ => words::summary(report),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · heal</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the failures</a>\n<header><h1>{title}</h1></header>\n",
        title = text(&head),
    );
    if report.failures.len() > 1 {
        out.push_str("<nav aria-label=\"Failures\"><ol>\n");
        for (number, failure) in report.failures.iter().enumerate() {
            let (id, verdict) = (text(&failure.id), text(&verdict(failure)));
            out.push_str(&format!("<li><a href=\"#failure-{}\">{id}</a> {verdict}</li>\n", number + 1));
        }
        out.push_str("</ol></nav>\n");
    }
    out.push_str("<main id=\"main\">\n");
    let mut shown: Vec<&str> = Vec::new();
    for (number, failure) in report.failures.iter().enumerate() {
        article(failure, number + 1, report, &mut shown, &mut out);
    }
    requests(report, &mut out);
    out.push_str("</main>\n");
    foot(report, &mut out);
    out.push_str("</body>\n</html>\n");
    out
}

fn verdict(failure: &FailureReport) -> String {
    match (failure.is_verified(), &failure.reason) {
        (true, _) => "has a verified patch".to_owned(),
        (false, Some(reason)) => format!("abstained: {reason}"),
        (false, None) => "abstained".to_owned(),
    }
}

fn article<'r>(
    failure: &'r FailureReport,
    number: usize,
    report: &RunReport,
    shown: &mut Vec<&'r str>,
    out: &mut String,
) {
    let good = if failure.is_verified() { "good" } else { "bad" };
    out.push_str(&format!(
        "<article id=\"failure-{number}\" aria-labelledby=\"name-{number}\">\n<h2 id=\"name-{number}\"><code>{}</code></h2>\n\
         <p class=\"verdict {good}\">{}</p>\n<h3>What failed</h3>\n<p class=\"message\">{}</p>\n<dl>\n",
        text(&failure.id),
        text(&verdict(failure)),
        lines(&failure.message),
    ));
    let place = failure.location.as_ref().map(words::place);
    for (label, value) in [("Expected", &failure.expected), ("Got", &failure.actual), ("Seen at", &place)] {
        if let Some(value) = value {
            out.push_str(&format!("<dt>{label}</dt><dd><code>{}</code></dd>\n", lines(value)));
        }
    }
    out.push_str("</dl>\n");
    match failure.proposals.first().filter(|_| failure.is_verified()) {
        Some(proposal) if shown.contains(&proposal.id.as_str()) => {
            out.push_str(&format!("<p>Mended by the patch {} above.</p>\n", text(&proposal.id)));
        }
        Some(proposal) => {
            shown.push(&proposal.id);
            proposed(failure, proposal, number, report, out);
        }
        None => abstained(failure, number, out),
    }
    out.push_str("</article>\n");
}

fn proposed(failure: &FailureReport, proposal: &ProposalReport, number: usize, report: &RunReport, out: &mut String) {
    out.push_str(&format!("<h3>Why, and what the patch changes</h3>\n<p>{}</p>\n", text(&proposal.explanation)));
    diff(&proposal.diff, &format!("The patch of failure {number}"), out);
    out.push_str("<h3>What was checked</h3>\n<table class=\"evidence\">\n");
    for (name, value) in words::evidence_rows(failure, proposal) {
        out.push_str(&format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", text(&value)));
    }
    out.push_str("</table>\n");
    let survivors = proposal.evidence.strength.iter().flat_map(|strength| &strength.survivors);
    let survivors: String = survivors.take(20).map(|line| format!("<li><code>{}</code></li>\n", text(line))).collect();
    if !survivors.is_empty() {
        out.push_str(&format!(
            "<p>The tests would not notice these changes of the patched lines:</p>\n<ul>\n{survivors}</ul>\n"
        ));
    }
    out.push_str("<h3>What was not checked</h3>\n<ul>\n");
    for line in super::open_ends::of(report, proposal) {
        out.push_str(&format!("<li>{}</li>\n", text(&line)));
    }
    out.push_str("</ul>\n<h3>Try it, and be rid of it</h3>\n<ul>\n");
    if let Some(commit) = &report.base.commit {
        let dirty = if report.base.dirty { ", with what was not committed" } else { "" };
        out.push_str(&format!("<li>It is for commit <code>{}</code>{dirty}.</li>\n", text(commit)));
    }
    if let Some(command) = &report.command {
        out.push_str(&format!("<li>The tests are run by <code>{}</code>.</li>\n", text(command)));
    }
    out.push_str(&format!(
        "<li>Where heal made it, <code>heal apply {id}</code> puts the patch into the work tree and \
         <code>heal undo {id}</code> takes it back; neither commits anything. Elsewhere <code>git apply</code> and \
         <code>git apply -R</code> do the same with the diff above.</li>\n</ul>\n",
        id = text(&proposal.id)
    ));
}

fn abstained(failure: &FailureReport, number: usize, out: &mut String) {
    let known = failure.reason.as_deref().and_then(reason::of);
    let why = failure.reason_why.as_deref().or(known.map(|reason| reason.meaning));
    out.push_str("<h3>Why there is no patch</h3>\n");
    for line in [why, words::tried(failure).as_deref(), known.map(|reason| reason.advice)].into_iter().flatten() {
        out.push_str(&format!("<p>{}</p>\n", text(line)));
    }
    if !failure.suspects.is_empty() {
        out.push_str("<h3>Suspects</h3>\n<ol>\n");
        for suspect in failure.suspects.iter().take(5) {
            out.push_str(&format!("<li><code>{}</code></li>\n", text(suspect)));
        }
        out.push_str("</ol>\n");
    }
    for (at, lead) in failure.leads.iter().take(3).enumerate() {
        let line = format!("{} {} missed {}: {}", lead.source.kind, lead.source.name, lead.missed, lead.detail);
        out.push_str(&format!("<details><summary>A lead, not verified</summary>\n<p>{}</p>\n", text(&line)));
        diff(&lead.diff, &format!("Lead {} of failure {number}", at + 1), out);
        out.push_str("</details>\n");
    }
}

fn requests(report: &RunReport, out: &mut String) {
    if report.requests.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"requests\">\n<h2 id=\"requests\">Requests</h2>\n<ul>\n");
    for request in &report.requests {
        // Only an address of the web is a link.
        let place = match request.url.starts_with("https://") {
            true => format!("<a href=\"{0}\" rel=\"noreferrer\">{0}</a>", text(&request.url)),
            false => text(&request.url),
        };
        out.push_str(&format!("<li>{} {place} {}</li>\n", text(&request.state), text(&request.why)));
    }
    out.push_str("</ul>\n</section>\n");
}

fn foot(report: &RunReport, out: &mut String) {
    out.push_str("<footer>\n");
    for note in &report.notes {
        out.push_str(&format!("<p>Note: {}</p>\n", text(note)));
    }
    let head = if report.ledger.head.is_empty() { "not recorded" } else { &report.ledger.head };
    out.push_str(&format!(
        "<p class=\"dim\">{}; heal run <code>{}</code>, ledger <code>{}</code>; {}</p>\n</footer>\n",
        counted(report.failures.len(), "failure"),
        text(&report.run),
        text(head),
        text(&words::bill(&report.time, &report.cost).join("; ")),
    ));
}

/// A unified diff as a table that scrolls by keyboard.
fn diff(diff: &str, label: &str, out: &mut String) {
    out.push_str(&format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><pre class=\"diff\">",
        text(label)
    ));
    for line in diff.lines() {
        let class = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'd', b'i', b'f', b'f', ..] => "name",
            [b'@', b'@', ..] => "at",
            [b'+', ..] => "new",
            [b'-', ..] => "old",
            _ => "",
        };
        out.push_str(&format!("<span class=\"{class}\">{}</span>\n", text(line)));
    }
    out.push_str("</pre></div>\n");
}

/// A text of several lines, each cleaned.
fn lines(written: &str) -> String {
    written.lines().map(text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_page_says_what_the_reviewer_asks() {
        let page = render(&samples::verified());
        insta::assert_snapshot!("html_verified", page.replace(&format!("{STYLE}{OWN_STYLE}"), "…"));
        for heading in ["What failed", "Why, and what", "What was checked", "What was not checked", "be rid of it"] {
            assert!(page.contains(heading), "{heading}");
        }
        assert!(render(&samples::abstained("only-weak")).contains("<summary>A lead, not verified</summary>"));
        assert_eq!(render(&samples::several()).matches("<h3>What was checked</h3>").count(), 1);
    }

    #[test]
    fn nothing_hostile_is_mark_up() {
        let page = render(&samples::hostile());
        let body = page.split("</style>").nth(1).expect("a body");
        for tag in body.split('<').skip(1) {
            let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || "/!".contains(*c)).collect();
            let name = name.trim_start_matches('/');
            let known = "body html head main header footer nav article section h1 h2 h3 p dl dt dd ol ul li a code pre span div \
                         table tr th td details summary";
            assert!(known.split(' ').any(|known| known == name), "<{name}");
        }
        assert!(!body.contains("onerror=") || body.contains("onerror=alert(1)&gt;"));
        assert!(!page.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    }
}
