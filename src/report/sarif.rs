//! The report as SARIF 2.1.0, for code scanning and editors: a result for each
//! failure, with a fix where a patch verified
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).
//!
//! Turns data into text; columns are 1-based and count UTF-16 code units.

use serde_json::Value;
use serde_json::json;

use super::FailureReport;
use super::ProposalReport;
use super::RunReport;
use super::evidence_line;
use super::lay::clean;
use crate::failure::Kind;
use crate::patch::unified;
use crate::patch::unified::FileDiff;
use crate::patch::unified::Hunk;
use crate::patch::unified::HunkLine;
use crate::patch::unified::Side;

/// The rules: one for each kind of failure, with its word and its meaning.
const RULES: &[(Kind, &str, &str)] = &[
    (Kind::Assertion, "assertion", "A test's own check does not hold"),
    (Kind::Exception, "exception", "Code that a test runs raises what no check asked for"),
    (Kind::CompileError, "compile-error", "The code does not compile"),
    (Kind::Collection, "collection", "A test file cannot be loaded"),
    (Kind::Timeout, "timeout", "A test does not end"),
    (Kind::Crash, "crash", "The process of a test dies"),
    (Kind::Exit, "exit", "The test command fails"),
];

/// The report as a SARIF log.
pub fn render(report: &RunReport) -> String {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(_, word, meaning)| {
            json!({"id": word, "shortDescription": {"text": meaning}, "defaultConfiguration": {"level": "error"}})
        })
        .collect();
    let results: Vec<Value> = report.failures.iter().map(result).collect();
    let mut text = format!(
        "{:#}",
        json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "heal",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }},
                "automationDetails": {"id": "heal/"},
                "columnKind": "utf16CodeUnits",
                "invocations": [{"executionSuccessful": report.exit != 70, "exitCode": report.exit}],
                "results": results,
                "properties": {"run": report.run, "ledger": report.ledger.head},
            }],
        })
    );
    text.push('\n');
    text
}

fn result(failure: &FailureReport) -> Value {
    let (at, (_, rule, _)) = RULES
        .iter()
        .enumerate()
        .find(|(_, (kind, ..))| *kind == failure.kind)
        .unwrap_or((RULES.len() - 1, &RULES[RULES.len() - 1]));
    let verdict = match (&failure.reason, failure.is_verified()) {
        (_, true) => "heal has a verified patch".to_owned(),
        (Some(reason), _) => format!("heal abstained: {reason}"),
        (None, _) => "heal abstained".to_owned(),
    };
    let text = format!("{} fails: {}. {verdict}.", clean(&failure.id), clean(&failure.message).trim_end_matches('.'));
    let mut result = json!({
        "ruleId": rule,
        "ruleIndex": at,
        "level": "error",
        "message": {"text": text},
        "partialFingerprints": {"healFailure/v1": failure.fingerprint},
        "properties": {"test": failure.id, "outcome": failure.outcome, "reason": failure.reason},
    });
    if let Some(location) = &failure.location {
        let mut physical = json!({"artifactLocation": artifact(location.path.as_str())});
        if let Some(line) = location.line.filter(|line| *line > 0) {
            physical["region"] = json!({ "startLine": line });
        }
        let mut place = json!({ "physicalLocation": physical });
        if let Some(symbol) = &location.symbol {
            place["logicalLocations"] = json!([{ "fullyQualifiedName": symbol, "kind": "function" }]);
        }
        result["locations"] = json!([place]);
    }
    if failure.is_verified() {
        let fixes: Vec<Value> = failure.proposals.iter().filter_map(fix).collect();
        if !fixes.is_empty() {
            result["fixes"] = json!(fixes);
        }
    }
    result
}

/// The patch as replacements; `None` where it creates or deletes a file, which
/// a fix cannot say.
fn fix(proposal: &ProposalReport) -> Option<Value> {
    let diffs = unified::parse(&proposal.diff).ok()?;
    let changes: Option<Vec<Value>> = diffs.iter().map(change).collect();
    let text = format!("{} ({})", clean(&proposal.explanation), evidence_line(&proposal.evidence));
    Some(json!({"description": {"text": text}, "artifactChanges": changes?}))
}

fn change(diff: &FileDiff) -> Option<Value> {
    let (old, new) = (diff.old.as_ref()?, diff.new.as_ref()?);
    if old.path != new.path {
        return None;
    }
    let replacements: Vec<Value> = diff.hunks.iter().map(replacements).collect::<Option<Vec<_>>>()?.concat();
    Some(json!({"artifactLocation": artifact(old.path.as_str()), "replacements": replacements}))
}

/// The changed runs of lines of a hunk.
fn replacements(hunk: &Hunk) -> Option<Vec<Value>> {
    let mut out = Vec::new();
    let mut line = hunk.old_start?.max(1);
    let mut rest = hunk.lines.as_slice();
    while let Some(first) = rest.first() {
        if first.side == Side::Both {
            line += 1;
            rest = &rest[1..];
            continue;
        }
        let count = rest.iter().take_while(|line| line.side != Side::Both).count();
        let (run, after) = rest.split_at(count);
        let side = |side: Side| run.iter().filter(move |line| line.side == side);
        let removed = side(Side::Old).count() as u32;
        let added: String = side(Side::New).map(|line| line.text.as_str()).collect();
        out.push(json!({
            "deletedRegion": region(line, removed, side(Side::Old).next_back()),
            "insertedContent": {"text": added},
        }));
        line += removed;
        rest = after;
    }
    Some(out)
}

/// Whole lines from `line` on, to the beginning of the next; a last line that
/// does not end, to its own end. No lines are the place before `line`.
fn region(line: u32, count: u32, last: Option<&HunkLine>) -> Value {
    match last {
        Some(last) if !last.text.ends_with('\n') => json!({
            "startLine": line, "startColumn": 1,
            "endLine": line + count - 1, "endColumn": last.text.encode_utf16().count() + 1,
        }),
        _ => json!({"startLine": line, "startColumn": 1, "endLine": line + count, "endColumn": 1}),
    }
}

/// A file of the repository, its path as an address.
fn artifact(path: &str) -> Value {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte as char),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    json!({"uri": uri, "uriBaseId": "%SRCROOT%"})
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::super::samples;
    use super::*;
    use crate::patch::Patch;
    use crate::source::RelPath;

    /// `before` with the replacements of a fix, from the last to the first.
    fn applied(before: &str, replacements: &[Value]) -> String {
        let offset = |line: &Value, column: &Value| {
            let line = line.as_u64().expect("a line") as usize - 1;
            let start: usize = before.split_inclusive('\n').take(line).map(str::len).sum();
            let units = column.as_u64().expect("a column") as usize - 1;
            let rest: String = before[start..].to_owned();
            let bytes: usize =
                String::from_utf16(&rest.encode_utf16().take(units).collect::<Vec<_>>()).expect("text").len();
            start + bytes
        };
        let mut text = before.to_owned();
        for replacement in replacements.iter().rev() {
            let region = &replacement["deletedRegion"];
            let (from, to) = (
                offset(&region["startLine"], &region["startColumn"]),
                offset(&region["endLine"], &region["endColumn"]),
            );
            text.replace_range(from..to, replacement["insertedContent"]["text"].as_str().expect("text"));
        }
        text
    }

    #[test]
    fn a_fix_does_what_the_patch_does() {
        let lines: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        for (before, after) in [
            ("a\nb\nc\n".to_owned(), "a\nB\nB2\nc\n".to_owned()),
            ("a\nb\nc\n".to_owned(), "a\nc\n".to_owned()),
            ("a\nb\n".to_owned(), "new\na\nb\n".to_owned()),
            ("a\nb".to_owned(), "a\nc".to_owned()),
            ("a\né🦀".to_owned(), "a\né🦀\nmore\n".to_owned()),
            (lines.clone(), lines.replace("line 4\n", "").replace("line 20\n", "zwanzig\nmore\n")),
        ] {
            let patch = Patch::of_file(RelPath::new("a b.py").expect("path"), before.clone(), after.clone());
            let change = change(&unified::parse(&patch.diff()).expect("a diff")[0]).expect("a change");
            assert_eq!(change["artifactLocation"]["uri"], "a%20b.py");
            assert_eq!(applied(&before, change["replacements"].as_array().expect("some")), after);
        }
    }

    #[test]
    fn a_patch_that_makes_a_file_has_no_fix() {
        let file = crate::patch::FileChange {
            path: RelPath::new("a.py").expect("path"),
            before: None,
            after: Some("x\n".into()),
        };
        let mut report = samples::verified();
        report.failures[0].proposals[0].diff = Patch::new(vec![file]).diff();
        let log: Value = serde_json::from_str(&render(&report)).expect("JSON");
        assert!(log["runs"][0]["results"][0].get("fixes").is_none());
    }

    #[test]
    fn a_log_is_pinned() {
        insta::assert_snapshot!(
            "sarif_verified",
            render(&samples::verified()).replace(env!("CARGO_PKG_VERSION"), "VERSION")
        );
        let log: Value = serde_json::from_str(&render(&samples::several())).expect("JSON");
        assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(3));
    }
}
