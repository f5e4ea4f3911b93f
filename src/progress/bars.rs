//! Bars on a terminal: the stage with its time, the candidates tried, what
//! has been run and paid so far.
//!
//! Below them lines that stay. Draws only where it was told to.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use console::Style;
use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use crate::event::Event;
use crate::report::clean;

/// The bars of one run.
pub(super) struct Bars {
    all: MultiProgress,
    stage: ProgressBar,
    trials: ProgressBar,
    sums: ProgressBar,
    colour: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    proposed: u64,
    tried: u64,
    suites: usize,
    tests: usize,
    calls: usize,
    usd: Option<f64>,
    /// Tokens and cost of an answer under way.
    arriving: Option<(u64, Option<f64>)>,
    finished: bool,
}

impl Bars {
    /// Bars that are drawn on `target`, once there is something to show.
    pub(super) fn new(target: ProgressDrawTarget, colour: bool) -> Bars {
        let all = MultiProgress::with_draw_target(target);
        let stage = ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg} {elapsed}"));
        let trials = ProgressBar::new(0).with_style(style("  [{bar:24}] {pos}/{len} candidates tried"));
        let sums = ProgressBar::new_spinner().with_style(style("  {wide_msg}"));
        Bars { all, stage, trials, sums, colour, state: Mutex::default() }
    }

    /// Shows `event`, and `line` so that it stays.
    pub(super) fn hear(&self, event: &Event, line: Option<&str>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line {
            // Whoever has closed the terminal does not read it.
            let _ = self.all.println(self.painted(event, line));
        }
        if state.finished {
            return;
        }
        match event {
            Event::Stage { name, what } => {
                if self.stage.message().is_empty() {
                    self.all.add(self.stage.clone());
                    self.stage.enable_steady_tick(Duration::from_millis(120));
                }
                self.stage.reset_elapsed();
                self.stage.set_message(clean(&format!("{name}: {what}")));
            }
            Event::Proposed { candidates, .. } => {
                if state.proposed == 0 && *candidates > 0 {
                    self.all.add(self.trials.clone());
                }
                state.proposed += *candidates as u64;
                self.trials.set_length(state.proposed);
            }
            Event::Sieved { discarded, .. } => {
                state.proposed += *discarded as u64;
                state.tried += *discarded as u64;
                self.trials.set_length(state.proposed);
                self.trials.set_position(state.tried);
            }
            Event::Tried { .. } => {
                state.tried += 1;
                self.trials.set_length(state.proposed.max(state.tried));
                self.trials.set_position(state.tried);
            }
            Event::SuiteRan { passed, failed, .. } => {
                state.suites += 1;
                state.tests += passed + failed;
                self.sum(&state);
            }
            Event::Answering { output_tokens, usd, .. } => {
                state.arriving = Some((*output_tokens, *usd));
                self.sum(&state);
            }
            Event::Answered { usd, .. } => {
                state.arriving = None;
                state.usd = if state.calls == 0 { *usd } else { state.usd.zip(*usd).map(|(sum, usd)| sum + usd) };
                state.calls += 1;
                self.sum(&state);
            }
            Event::Unanswered { .. } => {
                state.arriving = None;
                self.sum(&state);
            }
            _ => {}
        }
    }

    fn sum(&self, state: &State) {
        if self.sums.message().is_empty() {
            self.all.add(self.sums.clone());
        }
        let mut text = format!("{} tests run", state.tests);
        if state.calls > 0 {
            let usd = state.usd.map_or("price not known".to_owned(), |usd| format!("${usd:.4}"));
            text.push_str(&format!(", {} asked of models: {usd}", state.calls));
        }
        if let Some((tokens, usd)) = state.arriving {
            let usd = usd.map(|usd| format!(", ${usd:.4}")).unwrap_or_default();
            text.push_str(&format!(", answering: {tokens} tokens{usd}"));
        }
        self.sums.set_message(text);
    }

    fn painted(&self, event: &Event, line: &str) -> String {
        let style = Style::new().force_styling(self.colour);
        let style = match event {
            Event::Outcome { outcome, .. } if outcome == "verified" => style.green(),
            Event::Tried { verdict, .. } if verdict == "verified" => style.green(),
            Event::Outcome { .. } | Event::Note { .. } => style.yellow(),
            Event::Diagnosed { .. } => style.bold(),
            _ => style.dim(),
        };
        style.apply_to(line).to_string()
    }

    /// Takes the bars away for good.
    pub(super) fn finish(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).finished = true;
        for bar in [&self.stage, &self.trials, &self.sums] {
            bar.finish_and_clear();
            self.all.remove(bar);
        }
        let _ = self.all.clear();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::super::Verbosity;
    use super::super::lines;
    use super::*;

    const COLUMNS: usize = 80;

    /// A terminal that keeps what stands on it: indicatif fills lines to the
    /// last column and counts on the next character to wrap.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<Cells>>);

    #[derive(Debug, Default)]
    struct Cells {
        rows: Vec<[char; COLUMNS]>,
        row: usize,
        column: usize,
    }

    impl Cells {
        fn line(&mut self) -> &mut [char; COLUMNS] {
            while self.rows.len() <= self.row {
                self.rows.push([' '; COLUMNS]);
            }
            &mut self.rows[self.row]
        }

        fn put(&mut self, c: char) {
            match c {
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                c => {
                    if self.column == COLUMNS {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    let column = self.column;
                    self.line()[column] = c;
                    self.column += 1;
                }
            }
        }
    }

    impl Screen {
        fn text(&self) -> String {
            let cells = self.0.lock().expect("lock");
            let rows = cells.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
            rows.collect::<Vec<_>>().join("\n").trim_end().to_owned()
        }

        fn with(&self, act: impl FnOnce(&mut Cells)) -> io::Result<()> {
            act(&mut self.0.lock().expect("lock"));
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            COLUMNS as u16
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.with(|cells| cells.row = cells.row.saturating_sub(n))
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.with(|cells| cells.row += n)
        }

        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.with(|cells| cells.column += n)
        }

        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.with(|cells| cells.column = cells.column.saturating_sub(n))
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.with(|cells| text.chars().for_each(|c| cells.put(c)))
        }

        fn clear_line(&self) -> io::Result<()> {
            self.with(|cells| {
                *cells.line() = [' '; COLUMNS];
                cells.column = 0;
            })
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn heard(bars: &Bars) {
        for event in lines::tests::run() {
            bars.hear(&event, lines::of(&event, Verbosity::Normal).as_deref());
        }
    }

    #[test]
    fn bars_are_gone_once_the_run_is_finished_and_its_lines_stay() {
        let screen = Screen::default();
        let bars = Bars::new(ProgressDrawTarget::term_like(Box::new(screen.clone())), false);
        heard(&bars);
        bars.stage.tick();
        bars.sums.tick();
        let during = screen.text();
        assert!(during.contains("852/859 candidates tried"), "{during}");
        assert!(during.contains("41 tests run, 1 asked of models: $0.0042"), "{during}");
        assert_eq!(during.matches("reproduce: tests/test_gcd.py::test_gcd").count(), 1, "{during}");
        bars.finish();
        let after = screen.text();
        assert!(
            !after.contains("candidates tried") && !after.contains("tests run") && !after.contains("reproduce: "),
            "{after}"
        );
        assert!(after.contains("reproduced tests/test_gcd.py::test_gcd (2 of 2)"), "{after}");
        bars.hear(&Event::Note { text: "late".into() }, Some("late"));
        assert!(screen.text().ends_with("late"), "{}", screen.text());
    }

    #[test]
    fn what_was_paid_is_summed_until_a_price_is_not_known() {
        let bars = Bars::new(ProgressDrawTarget::hidden(), false);
        let answered =
            |usd| Event::Answered { model: "m".into(), input_tokens: 1, output_tokens: 1, usd, reply: String::new() };
        bars.hear(&answered(Some(0.25)), None);
        bars.hear(&answered(Some(0.5)), None);
        assert_eq!(bars.sums.message(), "0 tests run, 2 asked of models: $0.7500");
        bars.hear(&answered(None), None);
        bars.hear(&answered(Some(0.5)), None);
        assert_eq!(bars.sums.message(), "0 tests run, 4 asked of models: price not known");
    }
}
