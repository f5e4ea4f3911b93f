//! The numbers for a person, in columns that fit a terminal.
//!
//! Turns data into text; prints nothing.

use super::super::lay::Ink;
use super::super::lay::Page;
use super::super::lay::fit;
use super::super::words::counted;
use super::Stats;

/// The numbers in at most `width` columns.
pub fn render(stats: &Stats, width: usize, colour: bool) -> String {
    let mut page = Page::new(width, colour);
    let since = stats.since.as_deref().map(|at| format!(" since {}", at.get(..10).unwrap_or(at)));
    let unfinished = match stats.runs.unfinished {
        0 => String::new(),
        count => format!(", {count} of them without an end"),
    };
    let runs = format!("{}{}{unfinished}", counted(stats.runs.all, "run"), since.unwrap_or_default());
    page.line(0, Ink::Bold, &runs);
    page.blank();
    page.pair(2, (Ink::Dim, "failures        "), (Ink::Plain, &stats.failures.to_string()));
    page.pair(2, (Ink::Dim, "fixed           "), (Ink::Good, &part(stats.fixed, stats.fix_rate)));
    page.pair(2, (Ink::Dim, "abstained       "), (Ink::Warn, &part(stats.abstained, stats.abstention_rate)));
    let undone = match stats.revert_rate {
        Some(rate) => format!("{} of {} applied, {:.0} %", stats.undone, stats.applied, rate * 100.0),
        None => "none was applied".to_owned(),
    };
    page.pair(2, (Ink::Dim, "taken back      "), (Ink::Plain, &undone));
    let times = stats.time_to_repair;
    if times.count > 0 {
        let (median, most) = (duration(times.median_s), duration(times.p90_s));
        page.pair(2, (Ink::Dim, "time to repair  "), (Ink::Plain, &format!("median {median}, nine in ten {most}")));
    }
    page.pair(2, (Ink::Dim, "models          "), (Ink::Plain, &bill(stats)));
    let count = |count: usize| count.to_string();
    table(
        &mut page,
        &["abstained because", "failures"],
        stats.reasons.iter().map(|row| (row.reason.clone(), vec![count(row.failures)])),
    );
    table(
        &mut page,
        &["runner", "failures", "fixed", "abstained", "USD"],
        stats.runners.iter().map(|row| {
            (row.runner.clone(), vec![count(row.failures), count(row.fixed), count(row.abstained), usd(row.usd)])
        }),
    );
    table(
        &mut page,
        &["source", "fixed", "applied", "taken back"],
        stats
            .sources
            .iter()
            .map(|row| (row.source.clone(), vec![count(row.fixed), count(row.applied), count(row.undone)])),
    );
    table(
        &mut page,
        &["model", "calls", "tokens", "USD"],
        stats.models.iter().map(|row| {
            let tokens = row.cost.input_tokens + row.cost.output_tokens;
            (row.model.clone(), vec![count(row.cost.calls), tokens.to_string(), usd(row.cost.usd)])
        }),
    );
    page.text()
}

/// A heading and rows: a name, then numbers flush right.
fn table(page: &mut Page, heads: &[&str], rows: impl Iterator<Item = (String, Vec<String>)>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let line = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>11}")).collect();
        let name = fit(name, 30);
        let gap = 30 - console::measure_text_width(&name);
        format!("{name}{:gap$}{cells}", "")
    };
    page.blank();
    let heading: Vec<String> = heads[1..].iter().map(|head| (*head).to_owned()).collect();
    page.line(2, Ink::Dim, &line(heads[0], &heading));
    for (name, cells) in rows {
        page.line(2, Ink::Plain, &line(&super::super::clean(&name), &cells));
    }
}

fn part(count: usize, rate: Option<f64>) -> String {
    match rate {
        Some(rate) => format!("{count}, {:.0} %", rate * 100.0),
        None => count.to_string(),
    }
}

fn bill(stats: &Stats) -> String {
    let cost = &stats.cost;
    if cost.calls == 0 && cost.cut_off == 0 {
        return "none was asked".to_owned();
    }
    let cut_off = match cost.cut_off {
        0 => String::new(),
        count => format!(" and {count} cut off"),
    };
    let each = stats.usd_per_fix.map(|usd| format!(", {usd:.4} a fix")).unwrap_or_default();
    let money = cost.usd.map_or("price not known".to_owned(), |usd| format!("{usd:.4} USD"));
    let tokens = cost.input_tokens + cost.output_tokens;
    format!("{}{cut_off}, {tokens} tokens, {money}{each}", counted(cost.calls, "call"))
}

fn usd(usd: Option<f64>) -> String {
    usd.map_or("?".to_owned(), |usd| format!("{usd:.4}"))
}

/// `40 s`, `5 min`, `3 h`, `2 d`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::count::tests::week;
    use super::*;

    #[test]
    fn the_numbers_fit_a_terminal() {
        let (facts, delivered) = week();
        let text = render(&super::super::of(&facts, &delivered, Some("2026-11-01T00:00:00.000Z")), 80, false);
        assert!(text.lines().all(|line| console::measure_text_width(line) <= 80), "{text}");
        insta::assert_snapshot!(text);
        let none = render(&super::super::of(&[], &[], None), 80, false);
        assert!(none.starts_with("0 runs\n") && none.contains("none was applied"), "{none}");
    }
}
