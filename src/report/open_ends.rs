//! What the evidence for a patch leaves open, in sentences: what a reviewer
//! still has to look at.
//!
//! Turns data into text; finds nothing out.

use super::ProposalReport;
use super::RunReport;
use super::words::counted;

/// First words of a line that says how something is called, by language.
const SIGNATURES: &[&str] = &[
    "def ",
    "async def ",
    "class ",
    "fn ",
    "pub fn ",
    "pub async fn ",
    "pub struct ",
    "pub enum ",
    "func ",
    "function ",
    "export function ",
    "export default function ",
    "public ",
];

/// What was not checked, the most general first.
pub(super) fn of(report: &RunReport, proposal: &ProposalReport) -> Vec<String> {
    let evidence = &proposal.evidence;
    let mut open = vec![
        "Passing tests do not prove a patch right: it can be wrong where they do not look. Please read it.".to_owned(),
    ];
    match proposal.source.kind.as_str() {
        "model" => open.push(
            "The reason given is the model's. What was checked is the change, not the words about it.".to_owned(),
        ),
        "rule" => open.push("A rule made the patch: it knows nothing of what the code is for.".to_owned()),
        _ => {}
    }
    let which = if evidence.suite_scope == "near" { "the tests near the patch" } else { "what the test command runs" };
    match (&report.command, evidence.suite) {
        (_, None) => {
            open.push("The suite is known by its exit code alone, so what vanished from it cannot be told.".to_owned());
        }
        (Some(command), Some(_)) => open.push(format!(
            "The suite is {which} ({command}), with the versions of this machine; nothing else was run."
        )),
        (None, Some(_)) => {}
    }
    let strength = evidence.strength.as_ref().filter(|strength| strength.mutants > 0);
    match strength {
        None => open.push("How strongly the tests hold the changed lines could not be measured.".to_owned()),
        Some(strength) => {
            let own = strength.mutants.saturating_sub(strength.killed);
            if own > 0 {
                open.push(format!(
                    "{} of the patched lines would go unnoticed (listed above).",
                    counted(own, "further change")
                ));
            }
            let around = strength.around.map_or(0, |around| around.mutants.saturating_sub(around.killed));
            if around > 0 {
                open.push(format!("{} of the code around it would go unnoticed.", counted(around, "small change")));
            }
        }
    }
    match evidence.witnesses {
        Some(0) => {
            open.push("No other test runs the changed statements: the failing ones alone speak for it.".to_owned());
        }
        None => open.push("Whether other tests run the changed statements is not known.".to_owned()),
        Some(_) => {}
    }
    if let Some(line) = changed_signature(&proposal.diff) {
        open.push(format!(
            "It changes the signature of {line}: of its callers only those that the tests run were checked."
        ));
    }
    open
}

/// The name in the first signature that the diff takes away.
fn changed_signature(diff: &str) -> Option<String> {
    let removed = diff.lines().filter(|line| !line.starts_with("---")).filter_map(|line| line.strip_prefix('-'));
    let name = removed.filter_map(|line| {
        let line = line.trim_start();
        let rest = SIGNATURES.iter().find_map(|word| line.strip_prefix(word))?;
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let added = diff.lines().filter_map(|line| line.strip_prefix('+'));
        // The same line with another layout is no other signature.
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        let is_kept = added.map(bare).any(|other| other == bare(line));
        (!name.is_empty() && !is_kept).then_some(name)
    });
    name.into_iter().next()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::samples;
    use super::*;
    use crate::verify::Around;

    #[test]
    fn a_changed_signature_is_told_and_a_moved_one_is_not() {
        for (diff, wanted) in [
            ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-    def f(self, n):\n+    def f(self, n, m=1):\n", Some("f")),
            ("--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-pub fn g(n: u8) -> u8 {\n+pub fn g(n: u16) -> u8 {\n", Some("g")),
            ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-def f(n):\n+    def f(n):\n", None),
            ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-    return n\n+    return m\n", None),
        ] {
            assert_eq!(changed_signature(diff).as_deref(), wanted, "{diff}");
        }
    }

    #[test]
    fn what_the_evidence_lacks_is_told() {
        let report = samples::verified();
        let proposal = report.failures[0].proposals[0].clone();
        let of = |change: &dyn Fn(&mut ProposalReport)| {
            let mut proposal = proposal.clone();
            change(&mut proposal);
            of(&report, &proposal).join("\n")
        };
        let plain = of(&|_| {});
        assert!(plain.contains("A rule made the patch") && plain.contains("(pytest -q tests)"), "{plain}");
        for (change, wanted) in [
            (&|one: &mut ProposalReport| one.source.kind = "model".into()) as &dyn Fn(&mut ProposalReport),
            &|one| one.evidence.witnesses = None,
            &|one| one.evidence.witnesses = Some(0),
            &|one| one.evidence.suite = None,
            &|one| one.evidence.strength = None,
            &|one| {
                if let Some(strength) = &mut one.evidence.strength {
                    strength.around = Some(Around { mutants: 4, killed: 2 });
                }
            },
        ]
        .into_iter()
        .zip([
            "The reason given is the model's",
            "is not known",
            "No other test runs",
            "by its exit code alone",
            "could not be measured",
            "2 small changes of the code around it",
        ]) {
            let text = of(change);
            assert!(text.contains(wanted) && !plain.contains(wanted), "{wanted}: {text}");
        }
    }
}
