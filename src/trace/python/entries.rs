//! One failure's section of a pytest report, in any of its styles.
//!
//! ```text
//! [gw0] linux -- Python 3.11.7 …          xdist
//!     def price_of(cart, name):           long, auto: the source of one entry,
//! >       return cart.find(name)          then its line, which names the
//! E       AttributeError: …               exception's type at the last entry
//!
//! shop/cart.py:34: AttributeError
//! _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _         between entries
//! shop/cart.py:34: in price_of            short
//!     return cart.find(name)
//! E   AttributeError: …
//! ---------- Captured stdout call ----------   ends it
//! ```
//!
//! Entries stand outermost first, exceptions root first. Groups, and all of
//! `--tb=native`, are CPython's tracebacks. Reads text; never judges it.

use std::sync::LazyLock;

use regex::Regex;

use super::raised::Place;
use super::raised::Raised;
use super::traceback;

static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^((?:[A-Za-z]:)?[^\s:="'][^:="']*\.\w{1,4}|<[^<>]+>):(\d+):(?: in (.+)| ([A-Za-z_][\w.<>]*)| )?$"#)
        .expect("the pattern is valid")
});
static FIXTURE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^([^\s:="'][^:="']*\.pyw?):(\d+)$"#).expect("the pattern is valid"));
static DEF: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[ >] {3,}(?:async )?def (\w+)").expect("the pattern is valid"));
static CAPTURED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^-+ (?:Captured .+|generated xml file.*) -+$").expect("the pattern is valid"));
/// The last words of an xdist worker.
static WORKER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^worker '[^']+' crashed while running '(.+)'$").expect("the pattern is valid"));

/// Lines of a message that are kept.
const MESSAGE_LINES: usize = 60;

/// What one section tells.
#[derive(Debug, Default)]
pub struct Body {
    /// The root cause first.
    pub chain: Vec<Raised>,
    /// Whether a file could not be loaded.
    pub loading: bool,
    /// The node id that an xdist worker died of.
    pub worker_died_of: Option<String>,
    /// Whether the text has pytest's own marks, so that it is no other text.
    pub is_pytest: bool,
}

/// Whether what the test printed begins at this line.
pub fn is_captured(line: &str) -> bool {
    line.starts_with('-') && CAPTURED.is_match(line.trim_end())
}

/// Reads the lines of one section, without its heading.
pub fn read(lines: &[&str]) -> Body {
    let end = lines.iter().position(|line| is_captured(line)).unwrap_or(lines.len());
    let lines = &lines[..end];
    let mut reader = Reader::default();
    for (at, line) in lines.iter().enumerate() {
        if traceback::is_header(line) && reader.errors.is_empty() {
            // Below a complete entry it was printed by the test.
            let chain = if reader.typed { None } else { traceback::chain(lines, at, true) };
            reader.close();
            reader.body.chain.extend(chain.unwrap_or_default().raised);
            break;
        }
        reader.line(line);
    }
    reader.close();
    let mut body = reader.body;
    if body.chain.is_empty() {
        body.chain.extend(plain(lines));
    }
    body
}

#[derive(Default)]
struct Reader {
    body: Body,
    /// Outermost first.
    places: Vec<Place>,
    /// What followed the `E`s of the exception being read.
    errors: Vec<String>,
    /// The function that the source above belongs to.
    function: Option<String>,
    /// Whether the last entry's line named the exception's type.
    typed: bool,
    type_name: String,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(error) = line.strip_prefix('E').filter(|rest| rest.is_empty() || rest.starts_with("   ")) {
            if self.errors.len() < MESSAGE_LINES {
                self.errors.push(error.trim_end().to_owned());
            }
        } else if traceback::is_connector(line) {
            self.close();
        } else if line.starts_with("ImportError while ") {
            self.body.loading = true;
        } else if let Some(found) = WORKER.captures(line.trim_end()) {
            self.body.worker_died_of = Some(found[1].to_owned());
            self.body.chain.push(Raised { message: line.trim_end().to_owned(), places: Vec::new() });
        } else if line.starts_with([' ', '>']) {
            if self.function.is_none()
                && let Some(found) = DEF.captures(line)
            {
                self.function = Some(found[1].to_owned());
            }
        } else if let Some(found) = ENTRY.captures(line) {
            let symbol = found.get(3).map(|symbol| symbol.as_str().to_owned());
            self.body.loading |= symbol.as_deref() == Some("importtestmodule");
            let symbol = symbol.or(self.function.take());
            self.places.push(Place { file: found[1].to_owned(), line: found[2].parse().ok(), symbol });
            if let Some(name) = found.get(4) {
                self.typed = true;
                name.as_str().clone_into(&mut self.type_name);
            }
            self.body.is_pytest |= !self.errors.is_empty();
        } else if let Some(found) = FIXTURE.captures(line.trim_end()) {
            self.places.push(Place { file: found[1].to_owned(), line: found[2].parse().ok(), symbol: None });
        }
    }

    /// Ends the exception being read.
    fn close(&mut self) {
        let mut places = std::mem::take(&mut self.places);
        let errors = std::mem::take(&mut self.errors);
        let type_name = std::mem::take(&mut self.type_name);
        self.function = None;
        self.typed = false;
        if errors.is_empty() && type_name.is_empty() {
            if let Some(last) = self.body.chain.last_mut() {
                places.reverse();
                last.places.extend(places);
            }
            return;
        }
        self.body.is_pytest |= !errors.is_empty() && !places.is_empty();
        let (message, inner) = message(&errors);
        places.extend(inner);
        places.reverse();
        let message = if message.is_empty() { type_name } else { message };
        self.body.chain.push(Raised { message, places });
    }
}

/// The text behind the `E`s, and the place that a `SyntaxError` names there.
fn message(errors: &[String]) -> (String, Option<Place>) {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let base = errors.iter().filter(|line| !line.is_empty()).map(|line| depth(line)).min().unwrap_or_default();
    // Of a file that does not compile its place and source stand first, deeper.
    let start = errors.iter().position(|line| !line.is_empty() && depth(line) == base).unwrap_or_default();
    let place = errors[..start].iter().find_map(|line| traceback::place(line));
    let text: Vec<&str> = errors[start..].iter().map(|line| line.get(base..).unwrap_or_default()).collect();
    (text.join("\n").trim_end().to_owned(), place)
}

/// A section without entries: `[XPASS(strict)] reason`, a failed doc test, the
/// words of `pytest.fail(…, pytrace=False)`.
fn plain(lines: &[&str]) -> Option<Raised> {
    let mut text = lines.iter().filter(|line| !line.trim().is_empty() && !line.starts_with("[gw"));
    let message = text.next()?.trim().to_owned();
    Some(Raised { message, places: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_fixture_is_told_with_its_place() {
        let text = "file /x/tests/test_a.py, line 3\n  def test_a(nope):\nE       fixture 'nope' not found\n\
                    >       available fixtures: cache\n\n/x/tests/test_a.py:3";
        let body = read(&text.lines().collect::<Vec<_>>());
        assert_eq!(body.chain.len(), 1);
        assert_eq!(body.chain[0].message, "fixture 'nope' not found");
        assert_eq!(body.chain[0].places[0].line, Some(3));
    }

    #[test]
    fn a_dead_worker_names_its_test() {
        let body = read(&["[gw0] linux -- Python 3.11.7 x", "worker 'gw0' crashed while running 't.py::test_a'"]);
        assert_eq!(body.worker_died_of.as_deref(), Some("t.py::test_a"));
    }
}
