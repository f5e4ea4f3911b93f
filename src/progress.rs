//! What happens, on standard error, while it happens.
//!
//! Bars on a terminal, plain lines elsewhere, nothing under `-q`. Shows and
//! forgets: the result is another's to print, after [`Progress::finish`].
//! A closed standard error is no reason to stop.

mod bars;
mod lines;

use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::event::Event;
use crate::event::Listener;
use bars::Bars;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing (`-q`).
    Quiet,
    /// What a person waits for.
    #[default]
    Normal,
    /// Every step (`-v`).
    Verbose,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether standard error is a terminal that takes cursor movements.
    pub terminal: bool,
    /// Whether colours are wanted.
    pub colour: bool,
    /// How much is said.
    pub verbosity: Verbosity,
}

/// A listener that shows a run.
pub struct Progress {
    style: Style,
    out: Out,
}

enum Out {
    Nothing,
    Lines(Mutex<Box<dyn Write + Send>>),
    Bars(Box<Bars>),
}

impl Progress {
    /// Shows a run on standard error.
    pub fn new(style: Style) -> Progress {
        let out = match style {
            Style { verbosity: Verbosity::Quiet, .. } => Out::Nothing,
            Style { terminal: true, .. } => {
                Out::Bars(Box::new(Bars::new(indicatif::ProgressDrawTarget::stderr(), style.colour)))
            }
            _ => Out::Lines(Mutex::new(Box::new(std::io::stderr()))),
        };
        Progress { style, out }
    }

    /// Takes the bars away, so that the result has the terminal for itself.
    /// What is heard afterwards is shown as plain lines.
    pub fn finish(&self) {
        if let Out::Bars(bars) = &self.out {
            bars.finish();
        }
    }
}

/// `event` in a line of words, cleaned; `None` for one that says nothing to a
/// person.
pub fn describe(event: &Event) -> Option<String> {
    lines::of(event, Verbosity::Verbose)
}

impl Listener for Progress {
    fn hear(&self, event: &Event) {
        let line = lines::of(event, self.style.verbosity);
        match &self.out {
            Out::Nothing => {}
            Out::Lines(out) => {
                let Some(line) = line else { return };
                let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody may be reading any more.
                let _ = writeln!(out, "heal: {line}").and_then(|()| out.flush());
            }
            Out::Bars(bars) => bars.hear(event, line.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lock").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    fn plain(verbosity: Verbosity) -> String {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let style = Style { verbosity, ..Style::default() };
        let progress = Progress { style, out: Out::Lines(Mutex::new(Box::new(Shared(bytes.clone())))) };
        lines::tests::run().iter().for_each(|event| progress.hear(event));
        progress.finish();
        String::from_utf8(bytes.lock().expect("lock").clone()).expect("text")
    }

    #[test]
    fn without_a_terminal_a_run_is_told_in_plain_lines() {
        insta::assert_snapshot!("plain", plain(Verbosity::Normal));
        insta::assert_snapshot!("verbose", plain(Verbosity::Verbose));
    }

    #[test]
    fn a_quiet_run_says_nothing() {
        let progress = Progress::new(Style { terminal: true, colour: true, verbosity: Verbosity::Quiet });
        assert!(matches!(progress.out, Out::Nothing));
        assert_eq!(plain(Verbosity::Quiet), "");
    }

    #[test]
    fn a_closed_standard_error_stops_nothing() {
        let progress = Progress { style: Style::default(), out: Out::Lines(Mutex::new(Box::new(Closed))) };
        lines::tests::run().iter().for_each(|event| progress.hear(event));
        progress.finish();
    }
}
