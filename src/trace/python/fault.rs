//! What a dying or hanging interpreter writes: faulthandler and pytest-timeout.
//!
//! ```text
//! Fatal Python error: Segmentation fault          or: Timeout (0:00:05)!
//!
//! Current thread 0x00007f… (most recent call first):
//!   File "/x/app.py", line 5 in f                 newest first, no comma
//!
//! +++++++++++++++ Timeout +++++++++++++++         pytest-timeout, thread method
//! ~~~~~~~ Stack of MainThread (1401) ~~~~~~~
//!   File "/x/app.py", line 5, in f                newest last
//! ```
//!
//! Reads text; never judges it.

use std::sync::LazyLock;

use regex::Regex;

use super::raised::Raised;
use super::traceback;

static DEATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:(\S+::.+?) +)?(?:.*?)(Fatal Python error: .+|Timeout \(\d+:\d\d:\d\d(?:\.\d+)?\)!)$")
        .expect("the pattern is valid")
});
static HUNG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\++ Timeout \++$").expect("the pattern is valid"));

/// A process's death.
#[derive(Debug)]
pub struct Death {
    /// The pytest node id before it on the same line (`-v` prints it first).
    pub test: Option<String>,
    /// What was said, and where the thread stood.
    pub raised: Raised,
    /// The line after its last, 0-based.
    pub end: usize,
}

/// Reads the death that begins at line `at`.
pub fn death(lines: &[&str], at: usize) -> Option<Death> {
    let line = lines[at].trim_end();
    if line.starts_with('+') && HUNG.is_match(line) {
        return Some(hung(lines, at));
    }
    if !line.contains("Fatal Python error: ") && !line.contains("Timeout (") {
        return None;
    }
    let found = DEATH.captures(line)?;
    let mut raised = Raised { message: found[2].to_owned(), places: Vec::new() };
    let mut stack = false;
    let mut next = at + 1;
    while let Some(line) = lines.get(next) {
        if line.ends_with("(most recent call first):") {
            // The current thread is told last; the others only wait.
            if line.starts_with("Current thread") || raised.places.is_empty() {
                raised.places.clear();
                stack = true;
            } else {
                stack = false;
            }
        } else if let Some(place) = traceback::place(line) {
            if stack {
                raised.places.push(place);
            }
        } else if !(line.trim().is_empty()
            || line.starts_with("  ")
            || line.starts_with("Python runtime state:")
            || line.starts_with("Extension modules:"))
        {
            break;
        }
        next += 1;
    }
    Some(Death { test: found.get(1).map(|test| test.as_str().to_owned()), raised, end: next })
}

fn hung(lines: &[&str], at: usize) -> Death {
    let mut raised = Raised { message: "Timeout (pytest-timeout)".to_owned(), places: Vec::new() };
    let mut main = false;
    let mut next = at + 1;
    while let Some(line) = lines.get(next) {
        if line.starts_with("~~") {
            main = line.contains("Stack of MainThread");
        } else if let Some(place) = traceback::place(line).filter(|_| main) {
            raised.places.push(place);
        } else if line.starts_with("++") {
            next += 1;
            break;
        }
        next += 1;
    }
    raised.places.reverse();
    Death { test: None, raised, end: next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_thread_of_a_dump_is_taken_newest_first() {
        let text = "tests/t.py::test_a Fatal Python error: Aborted\n\nThread 0x1 (most recent call first):\n  \
                    File \"w.py\", line 1 in wait\n\nCurrent thread 0x2 (most recent call first):\n  \
                    File \"a.py\", line 2 in f\n  File \"b.py\", line 3 in g\n\nmore";
        let death = death(&text.lines().collect::<Vec<_>>(), 0).expect("a death");
        assert_eq!(death.test.as_deref(), Some("tests/t.py::test_a"));
        let files: Vec<&str> = death.raised.places.iter().map(|place| place.file.as_str()).collect();
        assert_eq!((files, death.end), (vec!["a.py", "b.py"], 9));
    }

    #[test]
    fn a_stack_of_pytest_timeout_is_turned_around() {
        let text = "+++++ Timeout +++++\n~~~~ Stack of MainThread (1) ~~~~\n  File \"a.py\", line 2, in f\n    g()\n  \
                    File \"b.py\", line 3, in g\n    wait()\n+++++ Timeout +++++";
        let death = death(&text.lines().collect::<Vec<_>>(), 0).expect("a death");
        let files: Vec<&str> = death.raised.places.iter().map(|place| place.file.as_str()).collect();
        assert_eq!(files, ["b.py", "a.py"]);
    }
}
