//! The report as annotations of a workflow run, and text that no workflow
//! command can hide in.
//!
//! ```text
//! annotation = "::" ("notice" | "warning" | "error") " " property { "," property } "::" data
//! property   = ("file" | "line" | "title") "=" value
//! ```
//!
//! A runner takes a line that begins with `::` for a command, white space
//! before it left out, and `##[` wherever it stands (`ActionCommand.cs` of
//! actions/runner; Forgejo's and Gitea's runners follow it). Composes text;
//! prints nothing.

use super::FailureReport;
use super::RunReport;
use super::lay::clean;
use super::lay::fit;

/// Annotations of one sort that are shown for a step
/// (<https://docs.github.com/actions/reference/limits>).
const MOST: usize = 10;

/// Columns of an annotation's text.
const WIDTH: usize = 400;

/// What begins a command in the middle of a line: GitHub's, Azure's,
/// TeamCity's.
const WITHIN: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// One line for each failure, at most ten of a sort.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    let (mut notices, mut warnings) = (0, 0);
    for failure in &report.failures {
        let count = if failure.is_verified() { &mut notices } else { &mut warnings };
        *count += 1;
        if *count <= MOST {
            out.push_str(&line(failure, report));
        }
    }
    out
}

fn line(failure: &FailureReport, report: &RunReport) -> String {
    let request = report.requests.iter().find(|request| request.failures.contains(&failure.id));
    let (level, title, text) = match failure.proposals.first().filter(|_| failure.is_verified()) {
        Some(proposal) => {
            let place = request.map_or("see the job's artifacts".to_owned(), |request| {
                let url = if request.url.is_empty() { &request.why } else { &request.url };
                format!("{}: {url}", request.state)
            });
            (
                "notice",
                format!("heal has a verified patch for {}", failure.id),
                format!("{} ({place})", proposal.explanation),
            )
        }
        None => {
            let reason = failure.reason.as_deref().unwrap_or("no reason recorded");
            let why = failure.reason_why.as_deref().unwrap_or(&failure.message);
            ("warning", format!("heal abstained on {}: {reason}", failure.id), why.to_owned())
        }
    };
    let place = failure.location.as_ref().map_or(String::new(), |location| {
        let line = location.line.map(|line| format!(",line={line}")).unwrap_or_default();
        format!("file={}{line},", property(location.path.as_str()))
    });
    format!("::{level} {place}title={}::{}\n", property(&fit(&clean(&title), 200)), data(&fit(&clean(&text), WIDTH)))
}

/// A command's text, escaped as the toolkit does it
/// (`packages/core/src/command.ts` of actions/toolkit).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a command's property, escaped.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `text` for a log that obeys commands: none in it is obeyed. An invisible
/// space breaks what would begin one.
pub fn defused(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let start = line.len() - line.trim_start().len();
        let (blank, rest) = line.split_at(start);
        out.push_str(blank);
        let rest = match rest.strip_prefix("::") {
            Some(after) => format!(":\u{200b}:{after}"),
            None => rest.to_owned(),
        };
        out.push_str(&rest);
    }
    for start in WITHIN {
        if out.contains(start) {
            out = out.replace(start, &format!("#\u{200b}{}", &start[1..]));
        }
    }
    out
}

/// The same for JSON, which stays the same document.
pub fn defused_json(text: &str) -> String {
    let mut out = text.to_owned();
    for start in WITHIN {
        out = out.replace(start, &format!("#\\u0023{}", &start[2..]));
    }
    out
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::samples;
    use super::*;

    /// The commands that a runner would find, by the rules of
    /// `ActionCommand.cs`.
    fn commands(log: &str) -> Vec<String> {
        let lines = log.split(['\n', '\r']).map(str::trim);
        lines.filter(|line| line.starts_with("::") || line.contains("##[")).map(str::to_owned).collect()
    }

    #[test]
    fn a_patch_is_a_notice_and_an_abstention_a_warning_at_its_place() {
        assert_eq!(
            render(&samples::verified()),
            "::notice file=gcd.py,line=5,title=heal has a verified patch for tests/test_gcd.py%3A%3Atest_gcd[case1]::\
             The arguments of the recursive call are swapped: b never shrinks, so the recursion does not end. \
             (see the job's artifacts)\n"
        );
        let abstained = render(&samples::abstained("only-weak"));
        assert!(abstained.starts_with("::warning file=gcd.py,line=5,title=heal abstained on "), "{abstained}");
    }

    #[test]
    fn nothing_hostile_becomes_a_command_of_its_own() {
        let mut report = samples::hostile();
        let trick = "x\n::set-env name=PATH::/evil\r\n  ::add-mask::y\n##[add-path]/evil\r::error::z,line=1::";
        report.failures[0].id = trick.into();
        report.failures[0].message = trick.into();
        report.failures[0].proposals[0].explanation = trick.into();
        let rendered = defused(&render(&report));
        assert_eq!(rendered.lines().count(), 1, "{rendered}");
        let text = super::super::text::render(&report, 80, false);
        for log in [defused(trick), defused(&text), defused(&super::super::markdown::render(&report))] {
            assert_eq!(commands(&log), Vec::<String>::new(), "{log}");
        }
    }

    #[test]
    fn what_is_defused_is_the_same_json_and_the_same_words() {
        let document = serde_json::json!({"a": "##[error]x ##vso[task]", "b": "::x\n::y"});
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        let harmless = defused_json(&text);
        assert_eq!(commands(&harmless), Vec::<String>::new());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).expect("JSON"), document);
        proptest::proptest!(|(text in "[:# a\\[\n\r\t]{0,24}")| {
            let harmless = defused(&text);
            proptest::prop_assert_eq!(commands(&harmless), Vec::<String>::new());
            proptest::prop_assert_eq!(harmless.replace('\u{200b}', ""), text);
        });
    }

    #[test]
    fn no_more_is_written_than_is_shown() {
        let mut report = samples::verified();
        report.failures = vec![report.failures[0].clone(); 40];
        assert_eq!(render(&report).lines().count(), MOST);
    }
}
