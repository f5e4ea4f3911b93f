//! Reports before those who read them: machines by their schemas, people by a
//! browser and by what renders Markdown.

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
        let python = environment(&dir.path().join("venv"), &["jsonschema", "lxml", "html5lib", "markdown-it-py"]);
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

/// Renders as a forge does: nothing of the report's own markup is left as text,
/// nothing of a test's becomes markup, and what it opens it closes.
const MARKDOWN: &str = "import re, sys, html5lib
from markdown_it import MarkdownIt
source = open(sys.argv[1], encoding='utf-8').read()
shown = MarkdownIt('commonmark', {'html': True}).enable(['table', 'strikethrough']).render(source)
html5lib.HTMLParser(strict=True).parse('<!doctype html><title>x</title>' + shown)
text = re.sub(r'<(pre|code)\\b.*?</\\1>', '', shown, flags=re.S)
wrong = [line for line in text.splitlines() if re.search(r'\\*\\*|^\\s*\\||^#+ |```|<script', line)]
if '<h' not in shown: wrong.append('no heading')
if len(re.findall(r'^\\|[-: |]+\\|$', source, re.M)) != shown.count('<table>'): wrong.append('a table is not shown as one')
if source.count('```diff') != shown.count('class=\"language-diff\"'): wrong.append('a diff is not shown as one')
sys.exit('\\n'.join(wrong + [shown]) if wrong else 0)";

/// A folder with what drives the browser, and the rules of axe.
fn driver() -> &'static Path {
    static NPM: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = NPM.get_or_init(|| {
        let dir = tempfile::Builder::new().prefix("heal-npm-").tempdir().expect("a temporary directory");
        let install = ["install", "--silent", "--no-audit", "--no-fund", "axe-core@4", "playwright-core@1"];
        let output = Command::new("npm").args(install).current_dir(dir.path()).output();
        let output = output.expect("npm is needed: install Node 20 or newer");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        dir
    });
    dir.path()
}

/// Opens pages as a person does.
fn are_good_to_read(pages: &[PathBuf]) {
    let browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let browser = browsers.into_iter().find(|path| Path::new(path).exists());
    let browser = browser.expect("Chromium is needed: install it (Debian: apt-get install chromium)");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/browser.mjs");
    let mut command = Command::new("node");
    command.arg(script).args(pages).current_dir(driver()).env("CHROMIUM", browser);
    let output = command.output().expect("node runs");
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
}

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
#[cfg_attr(
    not(feature = "ecosystem"),
    ignore = "needs Chromium, npm, jsonschema, lxml and others: --features ecosystem"
)]
fn reports_are_valid_for_machines_and_good_to_read_for_people() {
    let mut kept = Vec::new();
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
        is_valid(MARKDOWN, &name("md"), "");
        let page = beside.join("explained.html");
        let explained = project.heal(&["explain", "--report", page.to_str().expect("text")]);
        assert!(page.exists(), "{}", explained.stderr);
        kept.push((project, [name("html"), page]));
    }
    let pages: Vec<PathBuf> = kept.iter().flat_map(|(_, pages)| pages.clone()).collect();
    are_good_to_read(&pages);
}
