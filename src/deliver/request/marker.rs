//! The first line of a request's text, by which heal knows its own again.
//!
//! ```text
//! marker = "<!-- heal/1 " state " failures=" words " tests=" words " patch=" word " base=" word " -->"
//! state  = "open" | "gone"              gone: heal closed it itself
//! words  = word { "," word }            hexadecimal digits alone
//! ```
//!
//! Read from the first line only: what tests and models wrote stands below,
//! and can forge none. Reads and writes text; knows no forge.

/// Digits of a test's digest.
const TEST_DIGITS: usize = 12;

/// Failures and tests that a marker names.
const MOST: usize = 60;

/// What a marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whether heal closed the request, since the failure was gone.
    pub gone: bool,
    /// The failures that the request mends, by fingerprint.
    pub failures: Vec<String>,
    /// The tests that failed, by digest.
    pub tests: Vec<String>,
    /// The patch's digest.
    pub patch: String,
    /// The commit that it is built on.
    pub base: String,
}

impl Marker {
    /// The marker of an open request. Of many failures the first are named.
    pub fn new(failures: &[String], tests: &[String], patch: &str, base: &str) -> Marker {
        Marker {
            gone: false,
            failures: failures.iter().take(MOST).cloned().collect(),
            tests: tests.iter().take(MOST).map(|test| digest(test)).collect(),
            patch: patch.to_owned(),
            base: base.to_owned(),
        }
    }

    /// Reads the marker of a request's text; `None` where it has none.
    pub fn read(body: &str) -> Option<Marker> {
        let line = body.lines().next()?.trim();
        let inner = line.strip_prefix("<!-- heal/1 ")?.strip_suffix(" -->")?;
        let mut words = inner.split(' ');
        let gone = match words.next()? {
            "open" => false,
            "gone" => true,
            _ => return None,
        };
        let mut named = |name: &str| {
            let value = words.next()?.strip_prefix(name)?.strip_prefix('=')?;
            let hex = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let all: Vec<&str> = value.split(',').collect();
            all.iter().all(hex).then(|| all.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let (failures, tests) = (named("failures")?, named("tests")?);
        let (patch, base) = (named("patch")?.pop()?, named("base")?.pop()?);
        Some(Marker { gone, failures, tests, patch, base })
    }

    /// `body` with this marker before it, in the place of any other.
    pub fn over(&self, body: &str) -> String {
        let body = match Marker::read(body) {
            Some(_) => body.split_once('\n').map_or("", |(_, rest)| rest),
            None => body,
        };
        let state = if self.gone { "gone" } else { "open" };
        let (failures, tests) = (self.failures.join(","), self.tests.join(","));
        format!(
            "<!-- heal/1 {state} failures={failures} tests={tests} patch={} base={} -->\n{body}",
            self.patch, self.base
        )
    }

    /// Whether it is about one of these failures.
    pub fn is_about(&self, failures: &[String]) -> bool {
        self.failures.iter().any(|failure| failures.contains(failure))
    }

    /// Whether all of its tests are among those that passed, by digest.
    pub fn all_pass(&self, passed: &std::collections::HashSet<String>) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| passed.contains(test))
    }
}

/// A test's name as a marker holds it. Runners and the writers of reports put
/// the same words together in their own ways (`a/test_b.py::C::d`, `a.test_b.C.d`,
/// `a.test_b.C::d`), so the words alone count.
pub fn digest(test: &str) -> String {
    let test = test.replace(".py::", "::");
    let words: Vec<&str> = test.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    blake3::hash(words.join(".").as_bytes()).to_hex()[..TEST_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn marker() -> Marker {
        Marker::new(&["9f2c41d0".into(), "ab".into()], &["t::a".into()], "77aa", "c0ffee")
    }

    #[test]
    fn a_marker_is_read_back_and_replaced() {
        let body = marker().over("Text\n<!-- heal/1 open failures=dead tests=aa patch=1 base=1 -->\n");
        assert_eq!(Marker::read(&body), Some(marker()));
        let gone = Marker { gone: true, ..marker() }.over(&body);
        assert_eq!(Marker::read(&gone), Some(Marker { gone: true, ..marker() }));
        assert_eq!(gone.lines().count(), body.lines().count());
        assert_eq!(Marker::read(&body.replace('\n', "\r\n")), Some(marker()), "a forge may turn line ends");
    }

    #[test]
    fn what_only_looks_like_a_marker_is_none() {
        let whole = marker().over("");
        for body in [
            "",
            "Text",
            &format!("\n{whole}"),
            &format!("x {whole}"),
            &whole.replace("9f2c", "../x"),
            &whole.replace("open", "shut"),
            &whole.replace(" base=c0ffee", ""),
            &whole.replace("failures=9f2c41d0,ab", "failures="),
        ] {
            assert_eq!(Marker::read(body), None, "{body}");
        }
    }

    #[test]
    fn a_test_is_the_same_however_its_words_are_put_together() {
        let same = ["tests/test_a.py::B::test_c", "tests.test_a.B.test_c", "tests.test_a.B::test_c"];
        assert!(same.iter().all(|test| digest(test) == digest(same[0])));
        assert_ne!(digest("tests/test_a.py::test_c[1]"), digest("tests/test_a.py::test_c[2]"));
    }

    #[test]
    fn a_request_is_done_with_only_when_each_of_its_tests_passed() {
        let two = Marker::new(&["a".into()], &["t::a".into(), "t::b".into()], "1", "1");
        let passed = |tests: &[&str]| tests.iter().map(|test| digest(test)).collect();
        assert!(two.all_pass(&passed(&["t::a", "t::b", "t::c"])));
        assert!(!two.all_pass(&passed(&["t::a"])));
        assert!(!Marker { tests: Vec::new(), ..two }.all_pass(&passed(&["t::a"])));
    }
}
