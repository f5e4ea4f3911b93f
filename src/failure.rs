//! A failure: one failing test, crash or compile error, as data.
//!
//! Holds values only: reading them from output is the work of `runner` and
//! `trace`.

use serde::Deserialize;
use serde::Serialize;

use crate::source::RelPath;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A test's own check did not hold.
    Assertion,
    /// An exception, an error value or a panic that no check asked for.
    Exception,
    /// The code does not compile.
    CompileError,
    /// A test file could not be loaded, so that its tests did not run.
    Collection,
    /// The test was ended at its deadline.
    Timeout,
    /// The process died of a signal, ran out of stack, or exited midway.
    Crash,
    /// Only an exit code is known.
    Exit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Assertion,
        Kind::Exception,
        Kind::CompileError,
        Kind::Collection,
        Kind::Timeout,
        Kind::Crash,
        Kind::Exit,
    ];

    /// Its word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Assertion => "assertion",
            Kind::Exception => "exception",
            Kind::CompileError => "compile-error",
            Kind::Collection => "collection",
            Kind::Timeout => "timeout",
            Kind::Crash => "crash",
            Kind::Exit => "exit",
        }
    }
}

/// One line of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// The file in the repository; `None` marks a foreign frame.
    pub path: Option<RelPath>,
    /// The path as the trace wrote it.
    pub written: String,
    /// 1-based; `None` where the trace gives none.
    pub line: Option<u32>,
    /// The function as the trace names it (`Cart.total`, `shop::Cart::total`).
    pub symbol: Option<String>,
}

/// A name of a frame and what it held when the failure was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// As the source writes it.
    pub name: String,
    /// One short line; of objects at most their first attributes.
    pub value: String,
}

/// One failing test, crash or compile error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The test as the runner takes it back; for a failure without a test
    /// (a compile error, an opaque command) a name for what failed.
    pub id: String,
    /// What sort of failure it is.
    pub kind: Kind,
    /// Type and text in one: `RecursionError: maximum recursion depth
    /// exceeded`. The root of a chain of exceptions.
    pub message: String,
    /// The value the check wanted, where the output tells it.
    pub expected: Option<String>,
    /// The value the check got, where the output tells it.
    pub actual: Option<String>,
    /// Innermost (where it was raised) first.
    pub frames: Vec<Frame>,
    /// What the names of [`Failure::location`] held, where the runner tells it
    /// (pytest and unittest).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locals: Vec<Local>,
    /// What the runner printed about it, at most [`Failure::OUTPUT_LIMIT`]
    /// bytes.
    pub output: String,
}

impl Failure {
    /// Bytes of output kept with a failure.
    pub const OUTPUT_LIMIT: usize = 16 * 1024;

    /// The stable identity of the failure: kind, normalised message, project
    /// frames by file and symbol. Line numbers, addresses, times and paths
    /// outside the tree do not change it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(text.as_bytes());
            hasher.update(b"\0");
        };
        add(&format!("{:?}", self.kind));
        // An endless loop is wherever the deadline found it: where it stands
        // says nothing.
        if self.kind != Kind::Timeout {
            add(&normalise(&self.message));
            // Recursion ends at a depth that varies, so a run of the same
            // frame counts once.
            let mut last = None;
            for frame in &self.frames {
                let Some(path) = &frame.path else { continue };
                let this = (path.as_str(), frame.symbol.as_deref().unwrap_or_default());
                if last != Some(this) {
                    add(this.0);
                    add(this.1);
                }
                last = Some(this);
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// The identity without the message's values: kind, the type that was
    /// raised, and the project frames. For failures whose words are different
    /// in each run (a random number, a new name).
    pub fn outline(&self) -> String {
        let raised = self.message.split([':', ' ']).next().unwrap_or_default().to_owned();
        Failure { message: raised, ..self.clone() }.fingerprint()
    }

    /// The innermost frame inside the repository.
    pub fn location(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.path.is_some())
    }
}

/// The message without what changes from run to run: addresses, numbers of
/// threads and processes, times, temporary and absolute paths.
///
/// Of a long list pytest shows the two ends, and so the mere tail of an address
/// (`[<generator o...7f45c1ddda80>]`; `saferepr` of pytest 9).
pub fn normalise(message: &str) -> String {
    use std::sync::LazyLock;
    static VOLATILE: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(
            r"(?x)
            0x[0-9a-fA-F]+
          | (?-x:(?:\.\.\.|…)x?[0-9a-f]+>)
          | /[^\s:'\x22,)]+ (?:/[^\s:'\x22,)]+)+
          | \d{4}-\d\d-\d\d[T\ ]\d\d:\d\d:\d\d(?:\.\d+)?
          | \b(?:pid|tid|thread|process|line)\s*[=:]?\s*\d+
          | \b\d+(?:\.\d+)?\s?(?:ns|µs|us|ms|s|seconds)\b",
        )
        .expect("the pattern is valid")
    });
    VOLATILE.replace_all(message.trim(), "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str, lines: &[u32]) -> Failure {
        Failure {
            id: "t::a".into(),
            kind: Kind::Exception,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames: lines
                .iter()
                .map(|line| Frame {
                    path: RelPath::new("a.py").ok(),
                    written: "a.py".into(),
                    line: Some(*line),
                    symbol: Some("f".into()),
                })
                .collect(),
            output: String::new(),
        }
    }

    #[test]
    fn a_fingerprint_ignores_what_changes_from_run_to_run() {
        let first = failure("KeyError: <C object at 0x7f01> in /tmp/x1/y took 0.31s", &[3]);
        for (message, lines) in [
            ("KeyError: <C object at 0x8f99> in /tmp/zz/y took 0.29s", vec![4]),
            ("KeyError: <C object at 0x1> in /a/b/c took 2 s", vec![4, 4, 9]),
        ] {
            assert_eq!(first.fingerprint(), failure(message, &lines).fingerprint(), "{message}");
        }
        assert_ne!(first.fingerprint(), failure("KeyError: 'b'", &[3]).fingerprint());
    }

    #[test]
    fn an_address_that_pytest_cut_in_two_is_an_address_all_the_same() {
        let cut = |tail: &str| failure(&format!("assert [<generator o...{tail}>] == [1, 2]"), &[3]).fingerprint();
        assert_eq!(cut("7f45c1ddda80"), cut("7ffb0f3d9a80"));
        assert_eq!(cut("7f45c1ddda80"), cut("x7ffb0f3d9a8"));
        assert_ne!(cut("7f45c1ddda80"), cut("object"));
        assert_ne!(
            failure("assert [1, ...17] == 3", &[3]).fingerprint(),
            failure("assert [1, ...18] == 3", &[3]).fingerprint()
        );
    }

    #[test]
    fn the_outline_keeps_the_type_and_the_frames_and_no_value() {
        let first = failure("KeyError: 'a1'", &[3]);
        assert_eq!(first.outline(), failure("KeyError: 'b7'", &[3]).outline());
        assert_ne!(first.outline(), failure("IndexError: 'a1'", &[3]).outline());
        assert_ne!(first.outline(), failure("KeyError: 'a1'", &[]).outline());
    }

    #[test]
    fn a_fingerprint_keeps_the_values_a_check_compared() {
        assert_ne!(failure("assert 3 == 4", &[1]).fingerprint(), failure("assert 3 == 5", &[1]).fingerprint());
    }
}
