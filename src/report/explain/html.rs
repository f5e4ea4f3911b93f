//! The diagnosis as one HTML file: light and dark, without script, usable by
//! keyboard alone.
//!
//! What tests wrote is text in it and never mark-up: every text goes through
//! [`text`], and the policy in its head forbids whatever else might load.

use super::FRAMES;
use super::folded;
use super::frame_in_words;
use super::held_at;
use super::span;
use super::title;
use crate::diagnose::Diagnosis;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::report::lay::escaped;
use crate::report::words::counted;

pub(in crate::report) const STYLE: &str = include_str!("page.css");

/// The diagnoses as a page.
pub fn html(diagnoses: &[Diagnosis]) -> String {
    let head = match diagnoses {
        [] => "No failure was found".to_owned(),
        [one] => format!("Why {} fails", one.failure.id),
        more => counted(more.len(), "failure"),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · heal</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the failures</a>\n<header><h1>{title}</h1></header>\n",
        title = text(&head),
    );
    if diagnoses.len() > 1 {
        out.push_str("<nav aria-label=\"Failures\"><ol>\n");
        for (number, diagnosis) in diagnoses.iter().enumerate() {
            let id = text(&diagnosis.failure.id);
            out.push_str(&format!("<li><a href=\"#failure-{}\">{id}</a></li>\n", number + 1));
        }
        out.push_str("</ol></nav>\n");
    }
    out.push_str("<main id=\"main\">\n");
    for (number, diagnosis) in diagnoses.iter().enumerate() {
        out.push_str(&article(diagnosis, number + 1));
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn article(diagnosis: &Diagnosis, number: usize) -> String {
    let failure = &diagnosis.failure;
    let mut out = format!(
        "<article id=\"failure-{number}\" aria-labelledby=\"name-{number}\">\n<h2 id=\"name-{number}\"><code>{}</code></h2>\n\
         <p class=\"message\">{}</p>\n<dl>\n",
        text(&failure.id),
        lines(&failure.message),
    );
    for (label, value) in [("Expected", &failure.expected), ("Got", &failure.actual)] {
        if let Some(value) = value {
            out.push_str(&format!("<dt>{label}</dt><dd><code>{}</code></dd>\n", lines(value)));
        }
    }
    let class = format!("{}: {}", diagnosis.class.in_words(), diagnosis.class_why);
    out.push_str(&format!("<dt>Class</dt><dd>{}</dd>\n", text(&class)));
    if !diagnosis.also.is_empty() {
        let also: Vec<String> = diagnosis.also.iter().map(|id| format!("<code>{}</code>", text(id))).collect();
        out.push_str(&format!("<dt>Same root</dt><dd>{}</dd>\n", also.join(", ")));
    }
    out.push_str("</dl>\n");
    out.push_str(&frames(diagnosis));
    out.push_str(&locals(diagnosis));
    out.push_str(&suspects(diagnosis));
    out.push_str(&recent(diagnosis));
    out.push_str(&slice(diagnosis));
    out.push_str("</article>\n");
    out
}

fn frames(diagnosis: &Diagnosis) -> String {
    let frames = folded(&diagnosis.failure.frames);
    if frames.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h3>Raised, innermost first</h3>\n<ol>\n");
    for (frame, times) in frames.iter().take(FRAMES) {
        let class = if frame.path.is_some() { "" } else { " class=\"dim\"" };
        out.push_str(&format!("<li{class}><code>{}</code></li>\n", text(&frame_in_words(frame, *times))));
    }
    out.push_str("</ol>\n");
    if frames.len() > FRAMES {
        out.push_str(&format!("<p class=\"dim\">{} more</p>\n", counted(frames.len() - FRAMES, "frame")));
    }
    out
}

/// What the names of the failing frame held.
fn locals(diagnosis: &Diagnosis) -> String {
    let Some(place) = held_at(&diagnosis.failure) else { return String::new() };
    let mut out = format!("<h3>Held at <code>{}</code></h3>\n<dl>\n", text(&place));
    for local in &diagnosis.failure.locals {
        let (name, value) = (text(&local.name), text(&local.value));
        out.push_str(&format!("<dt><code>{name}</code></dt><dd><code>{value}</code></dd>\n"));
    }
    out.push_str("</dl>\n");
    out
}

fn suspects(diagnosis: &Diagnosis) -> String {
    let mut out = String::from("<h3>Suspects</h3>\n");
    if diagnosis.suspects.is_empty() {
        out.push_str("<p>None: nothing of the project is in the trace.</p>\n");
        return out;
    }
    out.push_str("<ol class=\"suspects\">\n");
    for suspect in &diagnosis.suspects {
        let place = format!("{}:{}", suspect.path, span(suspect.lines));
        let share = (suspect.score.clamp(0.0, 1.0) * 100.0).round();
        out.push_str(&format!(
            "<li><code>{}</code> <span class=\"dim\">{}</span> <span class=\"score\" role=\"img\" \
             aria-label=\"score {:.2}\"><span style=\"width:{share}%\"></span></span>\n<ul>\n",
            text(&suspect.symbol),
            text(&place),
            suspect.score,
        ));
        for reason in &suspect.reasons {
            out.push_str(&format!("<li>{}</li>\n", text(reason)));
        }
        out.push_str("</ul></li>\n");
    }
    out.push_str("</ol>\n");
    out
}

fn recent(diagnosis: &Diagnosis) -> String {
    if diagnosis.recent.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h3>Changed recently</h3>\n<ul>\n");
    for change in super::changes(diagnosis) {
        out.push_str(&format!("<li><code>{}</code></li>\n", text(&change)));
    }
    out.push_str("</ul>\n");
    out
}

fn slice(diagnosis: &Diagnosis) -> String {
    let slice = &diagnosis.slice;
    if slice.parts.is_empty() {
        return String::new();
    }
    let mut out =
        format!("<h3>What a model would be shown <span class=\"dim\">(about {} tokens)</span></h3>\n", slice.tokens);
    for part in &slice.parts {
        // What is beside the point can be opened.
        let open = if matches!(part.role, Role::Suspect | Role::Test) { " open" } else { "" };
        let place = format!("{}:{}", part.path, span(part.lines));
        out.push_str(&format!(
            "<details{open}><summary><code>{place}</code> <span class=\"dim\">{}</span></summary>\n\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{place}\"><table class=\"code\">\n",
            text(&title(part)),
            place = text(&place),
        ));
        let hot = hot_lines(diagnosis, part);
        for (number, line) in part.numbered() {
            let class = match number {
                None => " class=\"gap\"",
                Some(number) if hot.contains(&number) => " class=\"hot\"",
                Some(_) => "",
            };
            let number = number.map(|number| number.to_string()).unwrap_or_default();
            out.push_str(&format!("<tr{class}><td>{number}</td><td>{}</td></tr>\n", text(line)));
        }
        out.push_str("</table></div></details>\n");
    }
    for dropped in &slice.dropped {
        out.push_str(&format!("<p class=\"dim\">Left out: {}</p>\n", text(dropped)));
    }
    out
}

/// The hottest lines of each suspect that stand in the part.
fn hot_lines(diagnosis: &Diagnosis, part: &Part) -> Vec<u32> {
    let of_part = diagnosis.suspects.iter().filter(|suspect| suspect.path == part.path);
    let hot = of_part.flat_map(|suspect| suspect.hot.iter().take(2).map(|(line, _)| *line));
    hot.filter(|line| part.role == Role::Suspect && part.lines.contains(*line)).collect()
}

/// A text of several lines, each cleaned.
fn lines(written: &str) -> String {
    written.lines().map(text).collect::<Vec<_>>().join("\n")
}

/// A line as HTML text, also inside an attribute's quotes; control characters
/// and those that turn the direction of text do not come through.
pub(in crate::report) fn text(written: &str) -> String {
    escaped(written).replace('\'', "&#39;")
}
