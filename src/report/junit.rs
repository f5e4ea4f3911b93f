//! The report as JUnit XML: a case for each failing test, passed where a patch
//! verified, failed with heal's reason where none did.
//!
//! ```text
//! testsuites > testsuite > properties, testcase* > failure? , system-out?
//! ```
//!
//! The dialect is Jenkins' (`junit-10.xsd` of its xunit plugin), which GitLab
//! reads as well. Turns data into text.

use super::FailureReport;
use super::RunReport;
use super::evidence_line;
use super::lay::escaped as text;

/// The report as XML.
pub fn render(report: &RunReport) -> String {
    let failed = report.failures.iter().filter(|failure| !failure.is_verified()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\"",
        report.failures.len(),
        report.time.total_s
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"heal\" {counts}>\n\
         <testsuite name=\"heal\" {counts} skipped=\"0\">\n<properties>\n"
    );
    for (name, value) in [("run", &report.run), ("ledger", &report.ledger.head), ("exit", &report.exit.to_string())] {
        out.push_str(&format!("<property name=\"{name}\" value=\"{}\"/>\n", text(value)));
    }
    out.push_str("</properties>\n");
    for failure in &report.failures {
        case(failure, &mut out);
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn case(failure: &FailureReport, out: &mut String) {
    out.push_str(&format!("<testcase classname=\"heal\" name=\"{}\" time=\"0\">\n", text(&failure.id)));
    match failure.proposals.first().filter(|_| failure.is_verified()) {
        Some(proposal) => {
            let told = [
                &format!("verified patch {}: {}", proposal.id, proposal.explanation),
                &evidence_line(&proposal.evidence),
            ];
            let told: Vec<String> = told.iter().map(|line| text(line)).collect();
            out.push_str(&format!("<system-out>{}\n{}</system-out>\n", told.join("\n"), lines(&proposal.diff)));
        }
        None => {
            let reason = failure.reason.as_deref().unwrap_or("no-reason");
            let why = failure.reason_why.as_deref().unwrap_or_default();
            out.push_str(&format!(
                "<failure type=\"{}\" message=\"{}\">{}</failure>\n",
                text(reason),
                text(why),
                text(&failure.message)
            ));
        }
    }
    out.push_str("</testcase>\n");
}

/// A text of several lines.
fn lines(written: &str) -> String {
    written.lines().map(text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::samples;
    use super::*;
    use crate::outcome::Status;
    use crate::source::RelPath;
    use crate::trace::junit;
    use crate::trace::places::Places;

    fn read(report: &RunReport) -> Vec<(String, Status)> {
        let places = Places::new(Vec::new(), Vec::new());
        let tests = junit::read(render(report).as_bytes(), &places, &RelPath::root()).expect("well-formed");
        tests.into_iter().map(|test| (test.id, test.status)).collect()
    }

    #[test]
    fn what_verified_passes_and_what_did_not_fails() {
        let found = read(&samples::several());
        let statuses: Vec<Status> = found.iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, [Status::Passed, Status::Passed, Status::Failed]);
        assert_eq!(found[0].0, "heal::tests/test_gcd.py::test_gcd[case1]");
        insta::assert_snapshot!("junit_abstained", render(&samples::abstained("only-weak")));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut report = samples::hostile();
        report.failures[0].id = "a\"><x/>&\u{ffff}\u{0}".into();
        assert_eq!(read(&report).len(), 1);
        assert!(!render(&report).contains("<x/>") && !render(&report).contains('\u{ffff}'));
    }
}
