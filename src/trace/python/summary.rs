//! The lines of a pytest report that name tests, and which of them a section
//! of the report belongs to.
//!
//! ```text
//! FAILED tests/test_cart.py::TestGroup::test_method - AssertionError: asse...
//! ERROR tests/test_broken.py                        a file that was not loaded
//! [gw1] [  4%] FAILED tests/test_cart.py::test_a    while it runs, -v and xdist
//! tests/test_cart.py::test_a FAILED        [  4%]   while it runs, -v
//! ```
//!
//! Headings write `TestGroup.test_method` where ids use `::`. Compares names;
//! never looks at the disk.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(FAILED|ERROR|SUBFAIL(?:ED)?(?:\[[^\]]*\])?(?: ?\([^)]*\))?) ([^\s:-][^\n]*)$")
        .expect("the pattern is valid")
});
static RUNNING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\[gw\d+\] \[ *\d+%\] (FAILED|ERROR) (\S.*?)|(\S+\.py::.*?) (FAILED|ERROR)(?: +\[ *\d+%\])?) *$")
        .expect("the pattern is valid")
});

/// A test that the report names as failed.
#[derive(Clone, Debug)]
pub struct Named {
    /// The node id.
    pub id: String,
    /// The message, which may be cut short with `...`.
    pub message: String,
    /// Whether the test's surroundings failed, not the test.
    pub is_error: bool,
}

/// The named tests, each given away once.
#[derive(Debug, Default)]
pub struct Names {
    /// In the order of the report.
    pub all: Vec<Named>,
    taken: Vec<bool>,
    waiting: HashMap<(bool, String), VecDeque<usize>>,
}

impl Names {
    /// `summary`: lines of the short summary; `running`: lines from while it
    /// ran, which count where there is no summary. `headings` are those of
    /// the report's sections.
    pub fn read(summary: &[&str], running: &[&str], headings: &HashSet<&str>) -> Names {
        let mut names = Names::default();
        for line in summary {
            let Some(found) = LINE.captures(line.trim_end()) else { continue };
            let (id, message) = cut(&found[2], headings);
            if looks_like_id(id) {
                let is_error = &found[1] == "ERROR";
                names.push(Named { id: id.to_owned(), message: message.to_owned(), is_error });
            }
        }
        if !names.all.is_empty() {
            return names;
        }
        for line in running {
            let Some(found) = RUNNING.captures(line) else { continue };
            let (word, id) = (found.get(1).or(found.get(4)), found.get(2).or(found.get(3)));
            if let (Some(word), Some(id)) = (word, id) {
                let (id, is_error) = (id.as_str().to_owned(), word.as_str() == "ERROR");
                names.push(Named { id, message: String::new(), is_error });
            }
        }
        names
    }

    fn push(&mut self, named: Named) {
        let key = (named.is_error, heading(&named.id));
        self.waiting.entry(key).or_default().push_back(self.all.len());
        self.all.push(named);
        self.taken.push(false);
    }

    /// The next test that a section with this heading can mean.
    pub fn take(&mut self, heading: &str, is_error: bool) -> Option<Named> {
        let mut at = self.next(heading, is_error);
        if at.is_none() {
            // Subtests write ` [message] (i=1)` behind the name.
            let bare = heading.find(" [").or_else(|| heading.find(" (")).map(|cut| &heading[..cut]);
            at = bare.and_then(|bare| self.next(bare, is_error));
        }
        let at = at?;
        self.taken[at] = true;
        Some(self.all[at].clone())
    }

    fn next(&mut self, heading: &str, is_error: bool) -> Option<usize> {
        self.waiting.get_mut(&(is_error, heading.to_owned()))?.pop_front()
    }

    /// The next test after `from` whose message `message` begins with, and its
    /// index: for reports whose sections have no headings.
    pub fn take_by_message(&mut self, message: &str, from: usize) -> Option<(usize, Named)> {
        // The order is the same; the bound keeps foreign text from costing more.
        let near = from..self.all.len().min(from.saturating_add(64));
        let first = message.lines().next().unwrap_or_default();
        let fits = |named: &Named| {
            let start = named.message.strip_suffix("...").unwrap_or(&named.message).lines().next().unwrap_or_default();
            !named.is_error && first.trim_end().starts_with(start.trim_end())
        };
        let at = near.into_iter().find(|at| !self.taken[*at] && fits(&self.all[*at]))?;
        self.taken[at] = true;
        Some((at + 1, self.all[at].clone()))
    }

    /// Those that no section belongs to.
    pub fn rest(&self) -> impl Iterator<Item = &Named> {
        self.all.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(named, _)| named)
    }
}

/// Whether the line names a failed test while it runs.
pub fn is_running(line: &str) -> bool {
    (line.starts_with("[gw") || line.contains(".py::")) && RUNNING.is_match(line)
}

/// Whether the line is one of the summary, also without its heading.
pub fn is_summary(line: &str) -> bool {
    LINE.captures(line.trim_end()).is_some_and(|found| {
        let id = found[2].split(" - ").next().unwrap_or_default();
        id.contains(".py::") || (id.ends_with(".py") && !id.contains(' '))
    })
}

/// What the heading of the test's section says: the names below the file with
/// dots; the path of a file that was not loaded.
fn heading(id: &str) -> String {
    let (path, names) = id.split_once("::").unwrap_or(("", id));
    if path.is_empty() {
        return id.to_owned();
    }
    let (names, parameters) = names.find('[').map_or((names, ""), |cut| names.split_at(cut));
    format!("{}{parameters}", names.replace("::", "."))
}

/// A summary's line cut into id and message. Parameters may hold ` - ` too, so
/// a cut that gives the heading of a section is preferred.
fn cut<'a>(text: &'a str, headings: &HashSet<&str>) -> (&'a str, &'a str) {
    let cuts = || text.match_indices(" - ").take(8).map(|(at, sign)| (&text[..at], &text[at + sign.len()..]));
    let named = |id: &str| headings.contains(heading(id).as_str());
    let whole = |id: &str| !id.contains('[') || id.ends_with(']');
    cuts()
        .find(|(id, _)| named(id))
        .or_else(|| named(text).then_some((text, "")))
        .or_else(|| cuts().find(|(id, _)| whole(id)))
        .or_else(|| cuts().next())
        .unwrap_or((text, ""))
}

fn looks_like_id(id: &str) -> bool {
    id.contains("::") || (!id.contains(' ') && (id.contains('.') || id.contains('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cut_from_its_message() {
        let headings = HashSet::from(["test_a[x - y]", "T.test_b"]);
        for (line, id, message) in [
            ("FAILED t.py::test_a[x - y] - KeyError: 'a - b'", "t.py::test_a[x - y]", "KeyError: 'a - b'"),
            ("FAILED t.py::test_c[x - y] - KeyError", "t.py::test_c[x - y]", "KeyError"),
            ("FAILED t.py::T::test_b - a - b", "t.py::T::test_b", "a - b"),
            ("FAILED t.py::test_d", "t.py::test_d", ""),
            ("ERROR tests/test_x.py - ImportError: no", "tests/test_x.py", "ImportError: no"),
            ("SUBFAILED[words] t.py::test_e - assert 0", "t.py::test_e", "assert 0"),
        ] {
            let names = Names::read(&[line], &[], &headings);
            let named = names.all.first().expect(line);
            assert_eq!((named.id.as_str(), named.message.as_str()), (id, message), "{line}");
        }
        assert!(Names::read(&["ERROR: file or directory not found: nosuch"], &[], &headings).all.is_empty());
    }
}
