//! Walks `fixtures/classify`: a folder is a class, a file in it a log with the
//! tree it came from.

use std::collections::BTreeMap;
use std::path::Path;

use pretty_assertions::assert_eq;
use serde::Deserialize;

use crate::detect::Outcome;
use crate::detect::Spectrum;
use crate::diagnose;
use crate::diagnose::Class;
use crate::diagnose::Evidence;
use crate::diagnose::Rerun;
use crate::diagnose::Texts;
use crate::diagnose::tree::Tree;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::Lines;
use crate::source::RelPath;
use crate::trace;
use crate::trace::places::Places;

/// Every class that must have five cases or more.
const CLASSES: &[&str] = &[
    "code",
    "compile-error",
    "missing-dependency",
    "environment",
    "timeout",
    "runner-crash",
    "test-suspected",
    "flaky",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the evidence must say.
    why: String,
    /// What a runner wrote.
    log: String,
    /// How it came back: the outcome, runs that failed, runs.
    rerun: Option<(String, usize, usize)>,
    files: Tree,
    /// Files as they were before the latest change; empty for no history.
    #[serde(default)]
    earlier: Tree,
}

impl Case {
    /// The lines that differ from the earlier texts.
    fn recent(&self) -> Vec<(RelPath, Vec<Lines>)> {
        let changed = |(path, before): (&RelPath, &String)| {
            let diff = similar::TextDiff::from_lines(before, &self.files.0[path]);
            let spans = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal).map(|op| {
                let new = op.new_range();
                Lines::new(new.start as u32 + 1, (new.end as u32).max(new.start as u32 + 1))
            });
            (path.clone(), spans.collect())
        };
        self.earlier.0.iter().map(changed).collect()
    }

    fn rerun(&self) -> Option<Rerun> {
        let (word, failed, runs) = self.rerun.as_ref()?;
        let outcome = match word.as_str() {
            "flaky" => Outcome::Flaky,
            "order-dependent" => Outcome::OrderDependent,
            other => panic!("`{other}` is no outcome"),
        };
        Some(Rerun { outcome, failed: *failed, runs: *runs })
    }

    /// The class and the evidence of the log's first failure.
    fn classified(&self) -> Option<(Class, String)> {
        let files = self.files.paths();
        let places = Places::new(vec!["/home/ana/shop".into()], files.iter().cloned());
        let failures = trace::failures(self.log.as_bytes(), &places, &RelPath::root());
        let recent = self.recent();
        let evidence = Evidence {
            texts: &self.files,
            files: &files,
            failures: failures.get(..1)?,
            executed: &[],
            beside: &[],
            passing: &Spectrum::default(),
            tests: &[],
            recent: &recent,
            earlier: (!self.earlier.0.is_empty()).then_some(&self.earlier as &dyn Texts),
            rerun: self.rerun(),
            root: RelPath::root(),
        };
        let diagnosis = diagnose::diagnose(&evidence, &diagnose::Config::default())?;
        Some((diagnosis.class, diagnosis.class_why))
    }
}

#[test]
fn every_case_of_every_class_is_told_with_its_evidence() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/classify");
    for class in std::fs::read_dir(folder).expect("fixtures/classify") {
        let class = class.expect("an entry");
        let name = class.file_name().into_string().expect("a name");
        for entry in std::fs::read_dir(class.path()).expect("a folder of a class") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("the case");
            let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            *counts.entry(name.clone()).or_default() += 1;
            let told = case.classified().map(|(class, why)| {
                let word = serde_json::to_value(class).expect("a class is a word");
                (word.as_str().unwrap_or_default().to_owned(), why)
            });
            if !told.as_ref().is_some_and(|(class, why)| *class == name && why.contains(&case.why)) {
                wrong.push(format!("{}: {told:?}, not {name} with `{}`", path.display(), case.why));
            }
        }
    }
    wrong.sort();
    assert_eq!(wrong, Vec::<String>::new());
    for class in CLASSES {
        assert!(counts.get(*class).is_some_and(|count| *count >= 5), "{class}: {counts:?}");
    }
}

#[test]
fn failures_are_classified_by_what_they_say() {
    use Class::*;
    let files = [RelPath::new("shop/cart.py").expect("path")];
    for (kind, message, frame, wanted) in [
        (Kind::Collection, "ModuleNotFoundError: No module named 'numpy'", "", MissingDependency),
        (Kind::Collection, "ModuleNotFoundError: No module named 'shop.money'", "", Code),
        (Kind::CompileError, "error[E0463]: can't find crate for `serde`", "", MissingDependency),
        (Kind::CompileError, "error[E0308]: mismatched types", "", CompileError),
        (Kind::Collection, "SyntaxError: invalid syntax", "", CompileError),
        (Kind::Collection, "SyntaxError: Unexpected token '}'", "", CompileError),
        (Kind::Collection, "error TS2322: Type 'string' is not assignable to type 'number'.", "", CompileError),
        (
            Kind::CompileError,
            "error TS2307: Cannot find module 'left-pad' or its corresponding type declarations.",
            "",
            MissingDependency,
        ),
        (
            Kind::CompileError,
            "error TS2307: Cannot find module './cart' or its corresponding type declarations.",
            "",
            CompileError,
        ),
        (Kind::Collection, "Error: Cannot find module 'left-pad'", "", MissingDependency),
        (Kind::Collection, "Error: Cannot find module './cart'", "", Code),
        (Kind::CompileError, "undefined: Totl", "", CompileError),
        (Kind::CompileError, "no required module provides package example.test/x/y; to add it:", "", MissingDependency),
        (
            Kind::CompileError,
            "package example.test/nope is not in std (/usr/lib/go/src/example.test/nope)",
            "",
            MissingDependency,
        ),
        (Kind::Collection, "ImportError: cannot import name 'totl' from 'shop.cart' (/a/shop/cart.py)", "", Code),
        (Kind::CompileError, "incompatible types: String cannot be converted to int", "", CompileError),
        (Kind::Exception, "ConnectionRefusedError: [Errno 111] Connection refused", "", Environment),
        (Kind::Assertion, "assert 'Connection refused' in ''", "", Code),
        (
            Kind::Exception,
            "FileNotFoundError: [Errno 2] No such file or directory: 'pandoc'",
            "/usr/lib/python3.11/subprocess.py",
            Environment,
        ),
        (Kind::Exception, "FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'", "shop/cart.py", Code),
        (Kind::Exception, "PermissionError: [Errno 13] Permission denied: '/etc/x'", "", Environment),
        (Kind::Exception, "KeyError: 'DATABASE_URL'", "<frozen os>", Environment),
        (Kind::Exception, "KeyError: 'DATABASE_URL'", "shop/cart.py", Code),
        (Kind::Timeout, "", "", Timeout),
        (Kind::Crash, "signal: 11, SIGSEGV", "", RunnerCrash),
        (Kind::Assertion, "assert 1 == 2", "", Code),
    ] {
        let frames = vec![Frame {
            path: files.iter().find(|file| file.as_str() == frame).cloned(),
            written: frame.into(),
            line: Some(1),
            symbol: None,
        }];
        let failure = Failure {
            id: "t".into(),
            kind,
            message: message.into(),
            expected: None,
            actual: None,
            locals: Vec::new(),
            frames,
            output: String::new(),
        };
        assert_eq!(super::classify(&failure, &files).0, wanted, "{kind:?} {message}");
    }
}
