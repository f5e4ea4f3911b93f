//! What a slice shows of trees that are made for it.

use insta::assert_snapshot;

use crate::detect::Spectrum;
use crate::diagnose;
use crate::diagnose::Config;
use crate::diagnose::Diagnosis;
use crate::diagnose::Evidence;
use crate::diagnose::Part;
use crate::diagnose::Role;
use crate::diagnose::tree::Tree;
use crate::failure::Failure;
use crate::failure::Frame;
use crate::failure::Kind;
use crate::source::RelPath;

/// The diagnosis of checks that did not hold at `lines` of `test_app.py`.
fn diagnosed(files: &[(&str, &str)], failing: &[(&str, u32)], config: &Config) -> Diagnosis {
    let failure = |(name, line): &(&str, u32)| Failure {
        id: format!("test_app.py::{name}"),
        kind: Kind::Assertion,
        message: "assert 1 == 2".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: vec![frame("test_app.py", *line, name)],
        output: String::new(),
    };
    of_failures(files, &failing.iter().map(failure).collect::<Vec<_>>(), &[], config)
}

fn frame(path: &str, line: u32, symbol: &str) -> Frame {
    Frame { path: RelPath::new(path).ok(), written: path.into(), line: Some(line), symbol: Some(symbol.into()) }
}

/// The diagnosis of `failures`, whose first test ran the lines `executed`.
fn of_failures(
    files: &[(&str, &str)],
    failures: &[Failure],
    executed: &[Vec<(RelPath, Vec<u32>)>],
    config: &Config,
) -> Diagnosis {
    let tree = Tree::of(files);
    let evidence = Evidence {
        texts: &tree,
        files: &tree.paths(),
        failures,
        executed,
        beside: &[],
        passing: &Spectrum::default(),
        tests: &[],
        recent: &[],
        earlier: None,
        rerun: None,
        root: RelPath::root(),
    };
    diagnose::diagnose(&evidence, config).expect("there is a failure")
}

/// The slice as a model would read it.
fn rendered(diagnosis: &Diagnosis) -> String {
    let part = |part: &Part| {
        let (start, end) = (part.lines.start, part.lines.end);
        format!(
            "[{}:{start}-{end} {:?} {}]\n{}",
            part.path,
            part.role,
            part.symbol.as_deref().unwrap_or("-"),
            part.text
        )
    };
    let mut text: String = diagnosis.slice.parts.iter().map(part).collect();
    for dropped in &diagnosis.slice.dropped {
        text.push_str(&format!("dropped: {dropped}\n"));
    }
    text
}

/// A function of `count` blocks, of which only the first and the last line
/// make the result.
fn long_function(count: usize) -> String {
    let block = |at: usize| {
        format!(
            "    label_{at} = names[{at}]\n    if label_{at}:\n        seen[{at}] = [\n            label_{at},\n        ]\n"
        )
    };
    let blocks: String = (0..count).map(block).collect();
    format!("def f(x, names, seen):\n    base = x + 1\n{blocks}    result = base * 2\n    return result\n")
}

const TEST_APP: &str = "from app import f\n\n\ndef test_app():\n    assert f(1, [], {}) == 2\n";

#[test]
fn of_a_long_function_what_can_reach_the_result_is_shown() {
    let text = long_function(20);
    let files = [("test_app.py", TEST_APP), ("app.py", text.as_str())];
    let diagnosis = diagnosed(&files, &[("test_app", 5)], &Config::default());
    assert_snapshot!(rendered(&diagnosis), @r##"
    [app.py:1-104 Suspect f]
    def f(x, names, seen):
        base = x + 1
        ⟦… lines 3-102 are not shown …⟧
        result = base * 2
        return result
    [test_app.py:1-1 Imports -]
    from app import f
    [test_app.py:4-5 Test test_app]
    def test_app():
        assert f(1, [], {}) == 2
    dropped: `f` (app.py) is long: 100 of its 104 lines are not shown
    "##);
    // A short one is shown whole, beside the point or not.
    let text = long_function(3);
    let files = [("test_app.py", TEST_APP), ("app.py", text.as_str())];
    let diagnosis = diagnosed(&files, &[("test_app", 5)], &Config::default());
    assert!(diagnosis.slice.parts.iter().any(|part| part.text == text), "{}", rendered(&diagnosis));
}

#[test]
fn what_is_left_out_at_the_end_of_a_function_is_marked_too() {
    let text = long_function(20);
    let files = [("test_app.py", TEST_APP), ("app.py", text.as_str())];
    let failure = Failure {
        id: "test_app.py::test_app".into(),
        kind: Kind::Exception,
        message: "IndexError: list index out of range".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: vec![frame("app.py", 3, "f"), frame("test_app.py", 5, "test_app")],
        output: String::new(),
    };
    let ran = vec![(RelPath::new("app.py").expect("a path"), vec![2, 3])];
    let diagnosis = of_failures(&files, &[failure], &[ran], &Config::default());
    let part = diagnosis.slice.parts.iter().find(|part| part.role == Role::Suspect).expect("a suspect");
    assert_snapshot!(part.text, @r"
    def f(x, names, seen):
        base = x + 1
        label_0 = names[0]
        if label_0:
            ⟦… lines 5-104 are not shown …⟧
    ");
    assert_eq!((part.lines.end, part.numbered().last().and_then(|(number, _)| number)), (104, None));
}

#[test]
fn long_documentation_is_cut_and_a_suspects_less() {
    let lines: String = (1..=30).map(|line| format!("    Line {line}.\n")).collect();
    let app = format!(
        "def f(x):\n    \"\"\"Doubles.\n\n{lines}    \"\"\"\n    return g(x)\n\n\nclass Rate:\n    \"\"\"A rate.\n\n{lines}    \"\"\"\n\n    def __init__(self):\n        self.per_cent = 3\n\n    def of(self, x):\n        return x * self.per_cent\n\n\ndef g(x):\n    return Rate().of(x)\n"
    );
    let test = "from app import f\n\n\ndef test_app():\n    assert f(1) == 2\n";
    let diagnosis = diagnosed(&[("test_app.py", test), ("app.py", &app)], &[("test_app", 5)], &Config::default());
    assert_snapshot!(rendered(&diagnosis), @r##"
    [app.py:1-35 Suspect f]
    def f(x):
        """Doubles.

        Line 1.
        Line 2.
        Line 3.
        Line 4.
        Line 5.
        Line 6.
        Line 7.
        Line 8.
        Line 9.
        Line 10.
        ⟦… lines 14-33 are not shown …⟧
        """
        return g(x)
    [app.py:38-38 Definition Rate]
    class Rate:
    [app.py:73-74 Suspect Rate.__init__]
        def __init__(self):
            self.per_cent = 3
    [app.py:76-77 Suspect Rate.of]
        def of(self, x):
            return x * self.per_cent
    [app.py:80-81 Suspect g]
    def g(x):
        return Rate().of(x)
    [test_app.py:1-1 Imports -]
    from app import f
    [test_app.py:4-5 Test test_app]
    def test_app():
        assert f(1) == 2
    dropped: `f` (app.py) is long: 20 of its 35 lines are not shown
    "##);
}

#[test]
fn the_method_that_the_failing_line_calls_is_shown_though_it_is_no_suspect() {
    let app = "class Table:\n    def __init__(self, rows):\n        self.rows = rows\n\n    def to_text(self):\n        return '\\n'.join(self.rows)\n\n\ndef load(text):\n    rows = []\n    for row in text.split(';'):\n        if len(row) > 3 and row[0] != '#':\n            rows.append(row[1:] + row[:1])\n    return Table(rows)\n";
    let test = "from app import load\n\n\nclass Report:\n    def __init__(self, text):\n        self.table = load(text)\n\n\ndef report(text):\n    return Report(text)\n\n\ndef test_one():\n    table = report('abcd').table\n    assert table.to_text() == 'abcd'\n\n\ndef test_two():\n    assert load('efgh').to_text() == 'efgh'\n";
    let files = [("test_app.py", test), ("app.py", app)];
    let diagnosis = diagnosed(&files, &[("test_one", 15), ("test_two", 19)], &Config::default());
    // The second failing test is shown too, and what serves a test is not
    // called the failing test.
    assert_snapshot!(rendered(&diagnosis), @r##"
    [app.py:1-1 Definition Table]
    class Table:
    [app.py:2-3 Suspect Table.__init__]
        def __init__(self, rows):
            self.rows = rows
    [app.py:5-6 Suspect Table.to_text]
        def to_text(self):
            return '\n'.join(self.rows)
    [app.py:9-14 Suspect load]
    def load(text):
        rows = []
        for row in text.split(';'):
            if len(row) > 3 and row[0] != '#':
                rows.append(row[1:] + row[:1])
        return Table(rows)
    [test_app.py:1-1 Imports -]
    from app import load
    [test_app.py:9-10 Helper report]
    def report(text):
        return Report(text)
    [test_app.py:13-15 Test test_one]
    def test_one():
        table = report('abcd').table
        assert table.to_text() == 'abcd'
    [test_app.py:18-19 Test test_two]
    def test_two():
        assert load('efgh').to_text() == 'efgh'
    "##);
}

#[test]
fn imports_stand_together_under_one_head() {
    let app = "import os\n\n# for the rates\nimport json\n\ntry:\n    import fast\nexcept ImportError:\n    fast = None\n\nimport re\n\n\ndef f(x):\n    return json.loads(os.path.basename(re.escape(x))) + fast\n";
    let test = "from app import f\n\n\ndef test_app():\n    assert f(1) == 2\n";
    let diagnosis = diagnosed(&[("test_app.py", test), ("app.py", app)], &[("test_app", 5)], &Config::default());
    let heads =
        diagnosis.slice.parts.iter().filter(|part| part.role == Role::Imports && part.path.as_str() == "app.py");
    assert_eq!(heads.count(), 1, "{}", rendered(&diagnosis));
}

#[test]
fn over_the_budget_what_scores_least_is_dropped_and_named() {
    let callee = |name: &str| format!("def {name}(x):\n{}    return x\n\n\n", "    x = x * 2 + 1\n".repeat(25));
    let app = format!("{}{}def f(x):\n    y = first(x)\n    return second(y) + 1\n", callee("first"), callee("second"));
    let test = "from app import f\n\n\ndef test_app():\n    assert f(1) == 2\n";
    let files = [("test_app.py", test), ("app.py", app.as_str())];
    for budget_tokens in [60, 200, 330, 1000] {
        let config = Config { budget_tokens, ..Config::default() };
        let diagnosis = diagnosed(&files, &[("test_app", 5)], &config);
        assert!(diagnosis.slice.tokens <= budget_tokens, "{budget_tokens}: {}", diagnosis.slice.tokens);
        let shown: Vec<&str> = diagnosis
            .suspects
            .iter()
            .map(|suspect| suspect.symbol.as_str())
            .filter(|symbol| diagnosis.slice.parts.iter().any(|part| part.text.contains(&format!("def {symbol}("))))
            .collect();
        let best: Vec<&str> =
            diagnosis.suspects.iter().take(shown.len()).map(|suspect| suspect.symbol.as_str()).collect();
        assert_eq!(shown, best, "{budget_tokens}: a lesser suspect is shown before a better one");
        for suspect in diagnosis.suspects.iter().skip(shown.len()) {
            let named = diagnosis.slice.dropped.iter().any(|words| words.contains(&format!("`{}`", suspect.symbol)));
            assert!(named, "{budget_tokens}: {} is not named in {:?}", suspect.symbol, diagnosis.slice.dropped);
        }
    }
}

#[test]
fn around_a_suspect_stand_what_sets_its_state_and_what_calls_it() {
    let split = "class Splitter:\n    def __init__(self):\n        self._reset()\n\n    def _reset(self):\n        self.depth = 0\n        self.parts = []\n\n    def name(self):\n        return 'splitter'\n\n    def _depth_of(self, word):\n        if word == 'end':\n            self.depth = 0\n            return -1\n        return 1 if word == 'begin' else 0\n\n    def process(self, words):\n        self._reset()\n        for word in words:\n            self.depth += self._depth_of(word)\n            self.parts.append(word)\n        return self.depth\n";
    let test =
        "from split import Splitter\n\n\ndef test_depth():\n    assert Splitter().process(['begin', 'end']) == 0\n";
    let ran = vec![(RelPath::new("split.py").expect("path"), vec![3, 6, 7, 13, 14, 15, 16, 19, 20, 21, 22, 23])];
    let failure = Failure {
        id: "test_app.py::test_depth".into(),
        kind: Kind::Exception,
        message: "ValueError".into(),
        expected: None,
        actual: None,
        locals: Vec::new(),
        frames: vec![frame("split.py", 13, "_depth_of"), frame("test_app.py", 5, "test_depth")],
        output: String::new(),
    };
    let files = [("split.py", split), ("test_app.py", test)];
    let diagnosis = of_failures(&files, &[failure], &[ran], &Config::default());
    assert_snapshot!(rendered(&diagnosis));
}

#[test]
fn what_room_is_left_the_fainter_suspects_have() {
    let callee =
        |at: usize| format!("def part_{at}(x):\n{}    return x - {at}\n\n\n", "    x = x * 2 + 1\n".repeat(13));
    let parts: String = (0..14).map(callee).collect();
    let sum = (0..14).map(|at| format!("part_{at}(x)")).collect::<Vec<_>>().join(" + ");
    let app = format!("{parts}def f(x):\n    return {sum}\n");
    let test = "from app import f\n\n\ndef test_app():\n    assert f(1) == 2\n";
    let files = [("test_app.py", test), ("app.py", app.as_str())];
    let diagnosis = diagnosed(&files, &[("test_app", 5)], &Config::default());
    let text: String = diagnosis.slice.parts.iter().map(|part| part.text.as_str()).collect();
    let hidden: Vec<usize> = (0..14).filter(|at| !text.contains(&format!("return x - {at}\n"))).collect();
    assert_eq!(hidden, Vec::<usize>::new(), "{}", diagnosis.slice.tokens);
    assert!(diagnosis.slice.tokens < 3000, "{}", diagnosis.slice.tokens);
}
