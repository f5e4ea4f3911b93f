//! Reports against the schemas of those who read them.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::ecosystem::environment;
use crate::model::GREETING_BY_UNITTEST;
use crate::support::Project;
use crate::support::SHOP;

/// An interpreter with the validators.
fn validators() -> &'static Path {
    static PYTHON: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, python) = PYTHON.get_or_init(|| {
        let dir = tempfile::Builder::new().prefix("heal-venv-").tempdir().expect("a temporary directory");
        let python = environment(&dir.path().join("venv"), &["jsonschema", "lxml", "html5lib"]);
        (dir, python)
    });
    python
}

/// Runs a script on a report and its schema; it prints what is wrong.
fn is_valid(script: &str, report: &Path, schema: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemas").join(schema);
    let output =
        Command::new(validators()).arg("-c").arg(script).arg(report).arg(schema).output().expect("python runs");
    assert!(
        output.status.success(),
        "{}{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        std::fs::read_to_string(report).unwrap_or_default()
    );
}

const SARIF: &str = "import json, sys, jsonschema
schema = json.load(open(sys.argv[2]))
errors = list(jsonschema.validators.validator_for(schema)(schema).iter_errors(json.load(open(sys.argv[1]))))
sys.exit('\\n'.join(f'{list(e.absolute_path)}: {e.message}' for e in errors) or 0)";

const JUNIT: &str = "import sys
from lxml import etree
etree.XMLSchema(etree.parse(sys.argv[2])).assertValid(etree.parse(sys.argv[1]))";

const HTML: &str = "import sys, html5lib
html5lib.HTMLParser(strict=True).parse(open(sys.argv[1], 'rb').read())";

/// A test whose name and message try to get out of every report.
const HOSTILE: &[(&str, &str)] = &[
    ("calc.py", "def double(n):\n    return n * 3\n"),
    (
        "test_calc.py",
        "import unittest\nfrom calc import double\n\n\nclass CalcTest(unittest.TestCase):\n    def test_double(self):\n        \
         print('\\n::error::x\\n##[error]y')\n        self.assertEqual(double(2), 4, '</system-out>]]><script>&\\x1b[2J\\x00\\uffff\\u202e')\n",
    ),
];

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs jsonschema, lxml and html5lib: --features ecosystem")]
fn reports_are_valid_by_the_schemas_of_those_who_read_them() {
    for (files, code) in [(SHOP, 0), (GREETING_BY_UNITTEST, 1), (HOSTILE, 1)] {
        let project = Project::new(files);
        let beside = project.root.parent().expect("a parent").to_owned();
        let name = |ending: &str| beside.join(format!("report.{ending}"));
        let mut arguments = vec!["fix".to_owned(), "--offline".to_owned()];
        for ending in ["sarif", "xml", "html", "md", "json"] {
            arguments.extend(["--report".to_owned(), name(ending).display().to_string()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = project.heal(&arguments);
        assert!(ran.code == code || ran.code == 0, "{}", ran.stderr);
        is_valid(SARIF, &name("sarif"), "sarif-schema-2.1.0.json");
        is_valid(JUNIT, &name("xml"), "junit-10.xsd");
        is_valid(HTML, &name("html"), "");
    }
}
