//! The diagnosis alone, as text, Markdown, HTML and JSON (`heal.explain/1`).
//!
//! Turns data into text; prints nothing and reads nothing.

pub(in crate::report) mod html;

pub use html::html;

use serde_json::Value;
use serde_json::json;

use super::lay::Ink;
use super::lay::Page;
use super::markdown::code;
use super::markdown::fenced;
use super::markdown::prose;
use super::words::counted;
use crate::diagnose::Diagnosis;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::diagnose::Suspect;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::source::Lines;
use crate::source::RelPath;

/// Frames that are shown of one failure; the rest is counted.
const FRAMES: usize = 12;

/// Changed files that are shown, and spans of each.
const CHANGES: usize = 8;
const SPANS: usize = 6;

/// The diagnoses in `width` columns, with colour or without.
pub fn text(diagnoses: &[Diagnosis], width: usize, colour: bool) -> String {
    let mut whole = Page::new(width, colour);
    if diagnoses.is_empty() {
        whole.line(0, Ink::Plain, "no failure was found");
    }
    for diagnosis in diagnoses {
        let mut page = Page::new(width, colour);
        failure_of(diagnosis, &mut page);
        suspects_of(diagnosis, &mut page);
        recent_of(diagnosis, &mut page);
        slice_of(diagnosis, &mut page);
        whole.append(page);
    }
    whole.text()
}

fn failure_of(diagnosis: &Diagnosis, page: &mut Page) {
    let failure = &diagnosis.failure;
    page.pair(0, (Ink::Bad, "failure  "), (Ink::Bold, &failure.id));
    page.note(2, "", Ink::Plain, &failure.message, 6);
    for (label, value) in [("expected: ", &failure.expected), ("got:      ", &failure.actual)] {
        if let Some(value) = value {
            page.note(2, label, Ink::Plain, value, 3);
        }
    }
    let class = format!("{}: {}", diagnosis.class.in_words(), diagnosis.class_why);
    page.note(2, "class:    ", Ink::Plain, &class, 3);
    if !diagnosis.also.is_empty() {
        let also =
            format!("{} with the same root: {}", counted(diagnosis.also.len(), "test"), diagnosis.also.join(", "));
        page.note(2, "also:     ", Ink::Plain, &also, 3);
    }
    let frames = folded(&failure.frames);
    for (number, (frame, times)) in frames.iter().take(FRAMES).enumerate() {
        let label = if number == 0 { "raised:   " } else { "from:     " };
        let ink = if frame.path.is_some() { Ink::Place } else { Ink::Dim };
        page.note(2, label, ink, &frame_in_words(frame, *times), 1);
    }
    if frames.len() > FRAMES {
        page.line(12, Ink::Dim, &format!("… {} more", counted(frames.len() - FRAMES, "frame")));
    }
    if let Some(place) = held_at(failure) {
        page.note(2, "held:     ", Ink::Plain, &format!("at {place}"), 1);
        for local in &failure.locals {
            page.note(12, "", Ink::Plain, &format!("{} = {}", local.name, local.value), 2);
        }
    }
}

/// Where the names stood whose values are known.
fn held_at(failure: &Failure) -> Option<String> {
    failure.location().filter(|_| !failure.locals.is_empty()).map(|frame| frame_in_words(frame, 1))
}

fn suspects_of(diagnosis: &Diagnosis, page: &mut Page) {
    if diagnosis.suspects.is_empty() {
        page.line(2, Ink::Warn, "no suspect: nothing of the project is in the trace");
        return;
    }
    page.blank();
    page.line(2, Ink::Bold, "suspects");
    for (number, suspect) in diagnosis.suspects.iter().enumerate() {
        let place = format!("{}:{} {}", suspect.path, span(suspect.lines), suspect.symbol);
        let lead = format!("{:>2}. {:.2}  ", number + 1, suspect.score);
        page.pair(2, (Ink::Plain, &lead), (Ink::Place, &place));
        for reason in &suspect.reasons {
            page.note(12, "- ", Ink::Plain, reason, 2);
        }
    }
}

fn recent_of(diagnosis: &Diagnosis, page: &mut Page) {
    if diagnosis.recent.is_empty() {
        return;
    }
    page.blank();
    page.line(2, Ink::Bold, "changed recently");
    for change in changes(diagnosis) {
        page.line(6, Ink::Place, &change);
    }
}

/// The files that changed recently and the lines of each, suspects' first.
fn changes(diagnosis: &Diagnosis) -> Vec<String> {
    let suspect = |path: &RelPath, lines: &[Lines]| {
        let of_file = diagnosis.suspects.iter().filter(|suspect| suspect.path == *path);
        of_file.into_iter().any(|suspect| lines.iter().any(|lines| lines.overlaps(&suspect.lines)))
    };
    let mut files: Vec<_> = diagnosis.recent.iter().map(|(path, lines)| (!suspect(path, lines), path, lines)).collect();
    files.sort_by_key(|(other, ..)| *other);
    let row = |(_, path, lines): &(bool, &RelPath, &Vec<Lines>)| {
        let spans: Vec<String> = lines.iter().take(SPANS).map(|lines| span(*lines)).collect();
        let more = if lines.len() > SPANS { ", …" } else { "" };
        format!("{path}:{}{more}", spans.join(", "))
    };
    let mut rows: Vec<String> = files.iter().take(CHANGES).map(row).collect();
    if files.len() > CHANGES {
        rows.push(format!("… {} more", counted(files.len() - CHANGES, "file")));
    }
    rows
}

fn slice_of(diagnosis: &Diagnosis, page: &mut Page) {
    let slice = &diagnosis.slice;
    if slice.parts.is_empty() {
        return;
    }
    page.blank();
    page.pair(
        2,
        (Ink::Bold, "what a model would be shown"),
        (Ink::Plain, &format!(" (about {} tokens)", slice.tokens)),
    );
    for part in &slice.parts {
        page.blank();
        page.pair(2, (Ink::Place, &format!("{}:{}  ", part.path, span(part.lines))), (Ink::Dim, &title(part)));
        for (number, line) in part.numbered() {
            match number {
                Some(number) => page.pair(2, (Ink::Dim, &format!("{number:>5} ")), (Ink::Plain, line)),
                None => page.pair(2, (Ink::Dim, "      "), (Ink::Dim, line)),
            }
        }
    }
    for dropped in &slice.dropped {
        page.note(2, "left out: ", Ink::Dim, dropped, 2);
    }
}

/// The diagnoses as Markdown; what tests wrote is harmless in it.
pub fn markdown(diagnoses: &[Diagnosis]) -> String {
    let mut out = String::new();
    if diagnoses.is_empty() {
        out.push_str("No failure was found.\n");
    }
    for diagnosis in diagnoses {
        let failure = &diagnosis.failure;
        out.push_str(&format!("## {}\n\n{}\n\n", code(&failure.id), code(&failure.message)));
        for (label, value) in [("Expected", &failure.expected), ("Got", &failure.actual)] {
            if let Some(value) = value {
                out.push_str(&format!("**{label}:** {}\n\n", code(value)));
            }
        }
        out.push_str(&format!("**Class:** {}: {}\n\n", diagnosis.class.in_words(), prose(&diagnosis.class_why)));
        if !diagnosis.also.is_empty() {
            let also: Vec<String> = diagnosis.also.iter().map(|id| code(id)).collect();
            out.push_str(&format!("**Same root:** {}\n\n", also.join(", ")));
        }
        if let Some(place) = held_at(failure) {
            out.push_str(&format!("**Held at {}:**\n\n", prose(&place)));
            for local in &failure.locals {
                out.push_str(&format!("- {}\n", code(&format!("{} = {}", local.name, local.value))));
            }
            out.push('\n');
        }
        out.push_str("| suspect | place | score | reasons |\n|---|---|---|---|\n");
        for suspect in &diagnosis.suspects {
            let place = prose(&format!("{}:{}", suspect.path, span(suspect.lines)));
            let (symbol, reasons) = (prose(&suspect.symbol), prose(&suspect.reasons.join("; ")));
            out.push_str(&format!("| {symbol} | {place} | {:.2} | {reasons} |\n", suspect.score));
        }
        out.push('\n');
        if !diagnosis.recent.is_empty() {
            let changes: Vec<String> = changes(diagnosis).iter().map(|change| code(change)).collect();
            out.push_str(&format!("**Changed recently:** {}\n\n", changes.join("; ")));
        }
        for part in &diagnosis.slice.parts {
            let language = part.path.extension().filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            out.push_str(&format!(
                "{} {}\n\n",
                code(&format!("{}:{}", part.path, span(part.lines))),
                prose(&title(part))
            ));
            out.push_str(&fenced(language.unwrap_or_default(), &part.text));
        }
    }
    out
}

/// The diagnoses as the contract's JSON, one line end at its end.
pub fn json(diagnoses: &[Diagnosis]) -> String {
    let failures: Vec<Value> = diagnoses.iter().map(failure_json).collect();
    let document = json!({"schema": "heal.explain/1", "failures": failures});
    format!("{document:#}\n")
}

fn failure_json(diagnosis: &Diagnosis) -> Value {
    let failure = &diagnosis.failure;
    json!({
        "id": failure.id,
        "kind": failure.kind,
        "message": failure.message,
        "expected": failure.expected,
        "actual": failure.actual,
        "frames": failure.frames,
        "locals": failure.locals,
        "suspects": diagnosis.suspects.iter().map(suspect_json).collect::<Vec<_>>(),
        "slice": diagnosis.slice.parts.iter().map(part_json).collect::<Vec<_>>(),
        "fingerprint": failure.fingerprint(),
        "class": diagnosis.class,
        "class_why": diagnosis.class_why,
        "also": diagnosis.also,
        "slice_tokens": diagnosis.slice.tokens,
        "left_out": diagnosis.slice.dropped,
        "recent": diagnosis.recent.iter().map(recent_json).collect::<Vec<_>>(),
    })
}

fn suspect_json(suspect: &Suspect) -> Value {
    json!({
        "path": suspect.path,
        "line": suspect.lines.start,
        "end_line": suspect.lines.end,
        "symbol": suspect.symbol,
        "score": suspect.score,
        "reasons": suspect.reasons,
    })
}

fn recent_json((path, lines): &(RelPath, Vec<Lines>)) -> Value {
    json!({
        "path": path,
        "lines": lines.iter().map(|lines| json!([lines.start, lines.end])).collect::<Vec<_>>(),
    })
}

fn part_json(part: &Part) -> Value {
    json!({
        "path": part.path,
        "line": part.lines.start,
        "end_line": part.lines.end,
        "role": part.role,
        "text": part.text,
        "elided": part.elided.iter().map(|gap| json!([gap.start, gap.end])).collect::<Vec<_>>(),
    })
}

fn span(lines: Lines) -> String {
    if lines.start == lines.end { lines.start.to_string() } else { format!("{}-{}", lines.start, lines.end) }
}

fn title(part: &Part) -> String {
    let role = match part.role {
        Role::Suspect => "suspect",
        Role::Test => "the failing test",
        Role::Helper => "used by the failing test",
        Role::Definition => "used by them",
        Role::Imports => "imports and constants",
    };
    part.symbol.as_ref().map_or(role.to_owned(), |symbol| format!("{symbol}, {role}"))
}

fn frame_in_words(frame: &Frame, times: usize) -> String {
    let mut text = frame.path.as_ref().map_or_else(|| frame.written.clone(), ToString::to_string);
    if let Some(line) = frame.line {
        text.push_str(&format!(":{line}"));
    }
    if let Some(symbol) = &frame.symbol {
        text.push_str(&format!(" in {symbol}"));
    }
    if times > 1 {
        text.push_str(&format!(", {times} times"));
    }
    text
}

/// Runs of one frame (recursion) counted once.
fn folded(frames: &[Frame]) -> Vec<(&Frame, usize)> {
    let mut folded: Vec<(&Frame, usize)> = Vec::new();
    for frame in frames {
        match folded.last_mut() {
            Some((last, times)) if *last == frame => *times += 1,
            _ => folded.push((frame, 1)),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::diagnose::Class;
    use crate::diagnose::Slice;
    use crate::failure::Kind;
    use crate::failure::Local;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("path")
    }

    fn frame(file: &str, line: u32, symbol: &str, ours: bool) -> Frame {
        Frame { path: ours.then(|| path(file)), written: file.into(), line: Some(line), symbol: Some(symbol.into()) }
    }

    fn diagnosis() -> Diagnosis {
        let mut frames = vec![frame("gcd.py", 5, "gcd", true); 970];
        frames.push(frame("tests/test_gcd.py", 8, "test_gcd", true));
        frames.push(frame("/usr/lib/python3/site-packages/_pytest/python.py", 159, "pytest_pyfunc_call", false));
        let gcd = "def gcd(a, b):\n    if b == 0:\n        return a\n    else:\n        return gcd(a % b, b)\n";
        Diagnosis {
            failure: Failure {
                id: "tests/test_gcd.py::test_gcd[case1]".into(),
                kind: Kind::Exception,
                message: "RecursionError: maximum recursion depth exceeded in comparison".into(),
                expected: Some("6".into()),
                actual: Some("漢字".repeat(200)),
                locals: [("a", "35"), ("b", "21")]
                    .map(|(name, value)| Local { name: name.into(), value: value.into() })
                    .into(),
                frames,
                output: String::new(),
            },
            also: vec!["tests/test_gcd.py::test_gcd[case2]".into()],
            class: Class::Code,
            class_why: "the innermost frame is the project's own".into(),
            suspects: vec![Suspect {
                path: path("gcd.py"),
                lines: Lines::new(1, 5),
                symbol: "gcd".into(),
                score: 0.93,
                reasons: vec!["innermost frame".into(), "all 2 failing tests run it, 0 of 39 passing do".into()],
                hot: vec![(5, 1.0)],
            }],
            recent: vec![
                (path("docs/other.py"), vec![Lines::new(4, 4)]),
                (path("gcd.py"), vec![Lines::new(5, 5), Lines::new(9, 12)]),
            ],
            slice: Slice {
                parts: vec![
                    Part {
                        path: path("gcd.py"),
                        lines: Lines::new(1, 5),
                        role: Role::Suspect,
                        symbol: Some("gcd".into()),
                        elided: Vec::new(),
                        text: gcd.into(),
                    },
                    Part {
                        path: path("tests/test_gcd.py"),
                        lines: Lines::new(7, 8),
                        role: Role::Test,
                        symbol: Some("test_gcd".into()),
                        elided: Vec::new(),
                        text: format!("def test_gcd(a, b, want):\n    # {}\n", "```\u{1b}[31m".repeat(20)),
                    },
                ],
                tokens: 84,
                beside: Vec::new(),
                dropped: vec!["fraction.py: Fraction.reduced (over the budget)".into()],
            },
        }
    }

    #[test]
    fn a_diagnosis_is_shown_as_text() {
        insta::assert_snapshot!("explain_text", text(&[diagnosis()], 80, false));
        insta::assert_snapshot!("explain_in_colour", text(&[diagnosis()], 80, true).replace('\u{1b}', "␛"));
        assert_eq!(text(&[], 80, false), "no failure was found\n");
        for width in [40, 80, 100] {
            for line in text(&[diagnosis()], width, true).lines() {
                assert!(measure_text_width(line) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn a_diagnosis_is_shown_as_markdown() {
        insta::assert_snapshot!("explain_markdown", markdown(&[diagnosis()]));
    }

    #[test]
    fn a_diagnosis_is_one_page_of_html() {
        let page = html(&[diagnosis()]);
        // The style is reviewed where it is written.
        let (head, rest) = page.split_once("<style>").expect("a style");
        let (_, body) = rest.split_once("</style>").expect("its end");
        insta::assert_snapshot!("explain_html", format!("{head}<style>…</style>{body}"));
    }

    #[test]
    fn what_tests_wrote_is_no_mark_up_of_the_page() {
        let mut hostile = diagnosis();
        let evil = "</code><script>alert(1)</script><img src=x onerror=\"alert(1)\">&amp;\u{1b}[31m\u{202e}'";
        hostile.failure.id = evil.into();
        hostile.failure.message = format!("{evil}\n{evil}");
        hostile.failure.expected = Some(evil.into());
        hostile.failure.frames[0].symbol = Some(evil.into());
        hostile.failure.locals[0] = Local { name: evil.into(), value: evil.into() };
        hostile.class_why = evil.into();
        hostile.also = vec![evil.into()];
        hostile.suspects[0].symbol = evil.into();
        hostile.suspects[0].reasons = vec![evil.into()];
        hostile.slice.parts[0].text = evil.into();
        hostile.slice.parts[0].symbol = Some(evil.into());
        hostile.slice.dropped = vec![evil.into()];
        let page = html(&[hostile, diagnosis()]);
        for mark in ["<script", "<img", "\u{1b}", "\u{202e}"] {
            assert!(!page.contains(mark), "{mark}");
        }
        assert!(!page.contains("onerror=\""), "an attribute came to life");
        assert_eq!(page.matches("<article").count(), 2);
        // Nothing is loaded from elsewhere, and nothing runs.
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("javascript:"));
    }

    #[test]
    fn a_diagnosis_is_the_contracts_json() {
        let document: Value = serde_json::from_str(&json(&[diagnosis()])).expect("JSON");
        assert_eq!(document["schema"], "heal.explain/1");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let failure = &document["failures"][0];
        let wanted = ["id", "kind", "message", "expected", "actual", "frames", "locals", "suspects", "slice"];
        assert_eq!(keys(failure)[..9], wanted);
        assert_eq!(failure["locals"], json!([{"name": "a", "value": "35"}, {"name": "b", "value": "21"}]));
        assert_eq!(keys(&failure["suspects"][0]), ["path", "line", "end_line", "symbol", "score", "reasons"]);
        assert_eq!(keys(&failure["slice"][0]), ["path", "line", "end_line", "role", "text", "elided"]);
        assert_eq!(failure["frames"].as_array().map(Vec::len), Some(972));
    }

    #[test]
    fn a_failure_without_suspects_says_so() {
        let mut diagnosis = diagnosis();
        diagnosis.suspects.clear();
        diagnosis.slice = Slice::default();
        assert!(text(&[diagnosis], 80, false).contains("no suspect"));
    }
}
