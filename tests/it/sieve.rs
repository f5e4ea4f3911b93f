//! The sieve against ordinary trials, through the real pytest and unittest:
//! what it discards fails on its own as well, what it passes passes, and the
//! rest it leaves open.

use std::time::Duration;

use heal::detect::Outcome;
use heal::detect::reproduce;
use heal::outcome::Status;
use heal::patch::Patch;
use heal::runner::RunnerKind;
use heal::runner::Selection;
use heal::source::RelPath;
use heal::verify::sieve;
use heal::verify::sieve::Noticed;
use heal::verify::sieve::Sieved;
use heal::verify::sieve::Sifting;
use heal::verify::target;
use heal::verify::target::Aim;

use crate::bench::Stand;
use crate::ecosystem;

/// What the sieve is to say of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Passes,
    Fails,
    /// It cannot tell: the candidate goes on trial.
    Open,
    /// What an ordinary trial says, whichever that is.
    AsItIs,
}
use Says::AsItIs;
use Says::Fails;
use Says::Open;
use Says::Passes;

/// A module `m.py`, the body of `test_m.py` with the failing test `test_it` of
/// pytest or, as its id says, of unittest,
/// and candidates: what of the module they replace, by what.
struct Table {
    what: &'static str,
    module: &'static str,
    tests: &'static str,
    target: &'static str,
    candidates: &'static [(&'static str, &'static str, Says)],
}

const IT: &str = "test_m.py::test_it";

/// The same by unittest, whose process starts ten times as fast: an id without
/// `::` is one of its own. A case is made of the function where there is none.
const CASE: &str = "test_m.T.test_it";

/// Sifts the table's candidates, and tries each as an ordinary trial would;
/// asserts that the two agree.
fn sifted(table: &Table) -> Sifting {
    let what = table.what;
    let by_unittest = !table.target.contains("::");
    let mut tests = table.tests.to_owned();
    if by_unittest && !tests.contains("import unittest") {
        tests += "\n\nimport unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        test_it()\n";
    }
    let files = [("m.py", table.module), ("test_m.py", tests.as_str())];
    let (python, kind) = match by_unittest {
        true => ("python3".to_owned(), RunnerKind::Unittest),
        false => (ecosystem::python().display().to_string(), RunnerKind::Pytest),
    };
    let command = [python.as_str(), "-m", kind.name()];
    let stand = Stand::new(&files, kind, &command, Duration::from_secs(5));
    let (bench, mut scratch) = (&stand.bench, stand.scratch());
    let selection = Selection::Tests(vec![table.target.to_owned()]);
    let run = |scratch: &dyn heal::scratch::Scratch, selection: &Selection| {
        let mut request = bench.request(selection.clone());
        request.test_limit = Duration::from_secs(2);
        stand.runtime.block_on(bench.run(scratch, &request)).expect("run")
    };
    let first = run(&*scratch, &selection);
    let failures: Vec<_> = first.failures().collect();
    assert_eq!(failures.len(), 1, "{what}: {first:#?}");
    let reproducing = reproduce::reproduce(bench, &mut *scratch, &first, &failures, false);
    let failures = stand.runtime.block_on(reproducing).expect("reproduced");
    assert_eq!(failures[0].outcome, Outcome::Reproduced, "{what}");
    let aim = Aim { failures, selection: selection.clone(), literals: Default::default() };
    let path = RelPath::new("m.py").expect("a path");
    let patches: Vec<Patch> = table
        .candidates
        .iter()
        .map(|(from, to, _)| {
            assert_eq!(table.module.matches(from).count(), 1, "{what}: `{from}` stands once in the module");
            Patch::of_file(path.clone(), table.module, table.module.replace(from, to))
        })
        .collect();
    let patches: Vec<&Patch> = patches.iter().collect();
    scratch.restore().expect("restored");
    let passing = run(&*scratch, &Selection::All);
    let passing = passing.tests.iter().filter(|test| test.status == Status::Passed);
    let near = heal::verify::probe::near(&aim, passing.map(|test| test.id.as_str()));
    let sifting = sieve::sift(bench, &mut *scratch, &aim, &near, &patches, Duration::from_secs(60));
    let sifting = stand.runtime.block_on(sifting).expect("sifted");
    for (patch, (said, word)) in patches.iter().zip(&sifting.found) {
        // Without a verdict of the sieve there is nothing to compare.
        if *said == Sieved::Passed || said.is_discarded() {
            scratch.lay(patch).expect("laid");
            let passes = target::judge(&aim, &run(&*scratch, &selection)).is_ok();
            let breaks = |id: &String| run(&*scratch, &Selection::Tests(vec![id.clone()])).failures().next().is_some();
            // What it passes may still break a test that is no guard.
            let agree = if said.is_discarded() { !passes || near.iter().any(breaks) } else { passes };
            assert!(agree, "{what}: {said:?} {word}\n{}", patch.diff());
        }
    }
    scratch.restore().expect("restored");
    stand.close(scratch);
    sifting
}

/// The same, and that the sieve says what the table wants.
fn check(table: &Table) {
    let sifting = sifted(table);
    assert_eq!(sifting.off, None, "{}", table.what);
    for ((from, to, wanted), (said, word)) in table.candidates.iter().zip(&sifting.found) {
        let says = match said {
            Sieved::Passed => Passes,
            Sieved::Same | Sieved::Failed => Fails,
            Sieved::Unclear | Sieved::Unsuitable => Open,
        };
        let wanted = if *wanted == AsItIs && says != Open { says } else { *wanted };
        assert_eq!(says, wanted, "{}: `{from}` becomes `{to}`: {said:?} {word}", table.what);
    }
}

const COUNT: &str = "def count(xs):\n    n = 0\n    for x in xs:\n        n += 2\n    return n\n";

const DEEP: &str = "import sys\n\n\ndef deep(n):\n    return 0 if n <= 1 else deep(n - 2)\n\n\ndef room():\n    depth, frame = 0, sys._getframe()\n    while frame:\n        depth, frame = depth + 1, frame.f_back\n    return sys.getrecursionlimit() - depth\n";

/// The room that is left tells how deep the test itself stands.
const DEEPER: &[(&str, &str, Says)] = &[
    ("0 if n <= 1", "1 if n <= 1", Passes),
    ("deep(n - 2)", "deep(n)", Fails),
    ("return 0 if n <= 1 else deep(n - 2)", "return room() % 2", AsItIs),
    ("return 0 if n <= 1 else deep(n - 2)", "return 1 - room() % 2", AsItIs),
    ("return 0 if n <= 1 else deep(n - 2)", "return room() // 2 % 2", AsItIs),
    ("return 0 if n <= 1 else deep(n - 2)", "return room() // 4 % 2", AsItIs),
];

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn functions_wherever_they_live_are_swapped() {
    for table in [
        Table {
            what: "a fixture, and one form of a parametrized test",
            module: COUNT,
            tests: "import pytest\nfrom m import count\n\n\n@pytest.fixture\ndef xs(request):\n    yield ['a'] * request.param\n\n\n@pytest.mark.parametrize('xs, n', [(0, 0), (3, 3)], indirect=['xs'])\ndef test_it(xs, n):\n    assert count(xs) == n\n",
            target: "test_m.py::test_it[3-3]",
            candidates: &[
                ("+= 2", "+= 1", Passes),
                ("+= 2", "+= 3", Fails),
                ("n = 0", "n = x", Fails),
                ("for x in xs", "for x in xs[1:]", Fails),
                ("return n", "return len(xs)", Passes),
            ],
        },
        Table {
            what: "closures, one of them made when the module is loaded",
            module: "def adder(n):\n    def add(x):\n        return x - n\n    return add\n\n\nADD = adder(1)\n\n\ndef twice(x):\n    return [one for one in (lambda: (x, x))()]\n",
            tests: "from m import *\n\n\ndef test_it():\n    assert ADD(1) == 2\n    assert adder(2)(2) == 4\n    assert twice(3) == [3, 3]\n",
            target: CASE,
            candidates: &[
                ("x - n", "x + n", Passes),
                ("x - n", "x * n", Fails),
                ("x - n", "x + 1", Open),
                ("return add\n", "return None\n", Open),
                ("(x, x)", "(x, 3)", Fails),
            ],
        },
        Table {
            what: "a module that asks for what has become the rule, and for what has not",
            module: "from __future__ import absolute_import, division, print_function, unicode_literals\nfrom __future__ import annotations\n\n\ndef half(n: Number) -> Number:\n    return n / 3\n",
            tests: "from m import half\n\n\ndef test_it():\n    assert half(3) == 1.5\n",
            target: CASE,
            candidates: &[("n / 3", "n / 2", Passes), ("n / 3", "n // 2", Fails)],
        },
        Table {
            what: "methods, properties, static and class methods, with slots",
            module: "class Box:\n    __slots__ = ('size',)\n    edge = 2\n\n    def __init__(self, size):\n        self.size = size\n\n    @property\n    def room(self):\n        return self.size + self.edge\n\n    @staticmethod\n    def double(n):\n        return n * 2\n\n    @classmethod\n    def small(cls):\n        return cls(cls.double(2))\n",
            tests: "from m import Box\n\n\ndef test_it():\n    assert Box.small().room == 2\n    assert Box(5).room == 3\n",
            target: CASE,
            candidates: &[
                ("self.size + self.edge", "self.size - self.edge", Passes),
                ("self.size + self.edge", "self.size", Fails),
                ("n * 2", "n - 2", Fails),
                ("cls.double(2)", "cls.double(1)", Fails),
                ("self.size = size", "self.size = -size", Fails),
                ("edge = 2", "edge = -2", Open),
                ("    @property\n", "", Open),
                ("def double(n)", "def double(n, m=1)", Open),
            ],
        },
        Table {
            what: "generators, coroutines, and what becomes one",
            module: "import asyncio\n\n\ndef numbers(n):\n    for i in range(n):\n        yield i + 1\n\n\nasync def wait(n):\n    await asyncio.sleep(0)\n    return sum(numbers(n))\n",
            tests: "import asyncio\nfrom m import *\n\n\ndef test_it():\n    assert asyncio.run(wait(3)) == 3\n",
            target: CASE,
            candidates: &[
                ("yield i + 1", "yield i", Passes),
                ("yield i + 1", "yield i - 1", Fails),
                ("yield i + 1", "return i", Open),
                ("return sum(numbers(n))", "return n", Passes),
                // The warning of it shows the line, and reads it from the disk.
                ("await asyncio.sleep(0)", "asyncio.sleep(0)", Open),
            ],
        },
        Table {
            what: "dataclasses and caches",
            module: "import dataclasses\nimport functools\n\n\n@dataclasses.dataclass\nclass Cart:\n    prices: list = dataclasses.field(default_factory=lambda: [1])\n\n    def total(self):\n        return sum(self.prices) + 1\n\n\n@functools.lru_cache(maxsize=None)\ndef square(n):\n    return n * n\n\n\n@functools.lru_cache(maxsize=None)\ndef cube(n):\n    return n * n\n\n\nNINE = cube(3)\n",
            tests: "from m import *\n\n\ndef test_it():\n    assert square(2) == 4\n    assert cube(3) == 9\n    assert Cart().total() == 1\n",
            target: CASE,
            candidates: &[
                ("sum(self.prices) + 1", "sum(self.prices)", Passes),
                ("lambda: [1]", "lambda: [0]", Passes),
                ("lambda: [1]", "lambda: [2]", Fails),
                ("def square(n):\n    return n * n", "def square(n):\n    return n + 1", Fails),
                // What the cache holds came of the other text.
                ("def cube(n):\n    return n * n", "def cube(n):\n    return n * 3", Open),
            ],
        },
        Table {
            what: "a test that does not end",
            module: "def down(n):\n    while n != 0:\n        n -= 2\n    return n\n",
            tests: "from m import down\n\n\ndef test_it():\n    assert down(3) == -1\n",
            target: IT,
            candidates: &[
                ("n != 0", "n > 0", Passes),
                ("n != 0", "n > 3", Fails),
                ("n != 0", "n > -3", Fails),
                ("n != 0", "n != 2", Open),
                ("n -= 2", "n -= 1", Fails),
            ],
        },
        Table {
            what: "recursion as deep as it may be",
            module: DEEP,
            tests: "from m import *\n\n\ndef test_it():\n    assert deep(4) == 1\n",
            target: IT,
            candidates: DEEPER,
        },
        Table {
            what: "unittest's own cases",
            module: COUNT,
            tests: "import unittest\nfrom m import count\n\n\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.xs = [1, 2]\n\n    def test_it(self):\n        self.assertEqual(count(self.xs), 2)\n",
            target: "test_m.py::T::test_it",
            candidates: &[("+= 2", "+= 1", Passes), ("+= 2", "+= 4", Fails), ("return n", "return m", Fails)],
        },
    ] {
        check(&table);
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn what_may_come_of_the_sieve_itself_is_left_open() {
    for table in [
        Table {
            what: "what ends, hangs or breaks its process",
            module: COUNT,
            tests: "import pytest\nfrom m import count\n\n\ndef test_it():\n    assert count([1, 2]) == 2\n",
            target: IT,
            candidates: &[
                ("n += 2", "while True:\n            pass", Open),
                ("return n", "__import__('os')._exit(0)", Open),
                ("return n", "__import__('os')._exit(1)", Open),
                ("return n", "raise SystemExit(0)", Open),
                ("return n", "raise KeyboardInterrupt()", Open),
                ("return n", "raise MemoryError()", Open),
                ("return n", "return count(xs)", Fails),
                ("return n", "__import__('sys').setrecursionlimit(10 ** 9)\n    return [count(xs)]", Open),
                ("return n", "__import__('pytest').skip()", Open),
                ("return n", "__import__('pytest').xfail()", Open),
                ("return n", "open('nowhere')", Open),
                ("return n", "open(__file__).read()\n    return 1", Open),
                ("return n", "__import__('subprocess').call(['true'])\n    return 1", Open),
                ("return n", "__import__('os').fork() or __import__('os')._exit(0)\n    return 1", Open),
                ("return n", "__import__('threading').Thread(target=print).start()\n    return 2", Passes),
                ("return n", "__import__('threading').Thread(target=print).start()\n    return 1", Fails),
                ("return n", "print('passed', file=__import__('sys').__stdout__)\n    return 1", Fails),
                ("+= 2", "+= 1", Passes),
            ],
        },
        Table {
            what: "state of the module begins anew for each",
            module: "SEEN = []\n\n\ndef see(x):\n    SEEN.append(x)\n    return len(SEEN) + 1\n",
            tests: "from m import *\n\n\ndef test_it():\n    SEEN.append(0)\n    assert see(1) == 2\n    SEEN.append(2)\n",
            target: CASE,
            candidates: &[
                ("+ 1", "+ 2", Fails),
                ("+ 1", "+ 0", Passes),
                ("SEEN.append(x)", "SEEN.clear()", Fails),
                ("+ 1", "- 0", Passes),
                ("SEEN = []", "SEEN = [1]", Open),
            ],
        },
        Table {
            what: "a seed set when the module is loaded holds",
            module: "import random\n\nrandom.seed(7)\n\n\ndef draw():\n    return random.random() + 1\n",
            tests: "from m import *\n\n\ndef test_it():\n    assert draw() == random.Random(7).random()\n",
            target: CASE,
            candidates: &[("+ 1", "+ 0", Passes), ("+ 1", "+ 2", Fails)],
        },
        Table {
            what: "what has run, or has not been loaded, when tests are collected",
            module: "def table(n):\n    return [i + 1 for i in range(n)]\n\n\nTABLE = table(3)\n\n\ndef look(i):\n    return TABLE[i] + 0\n",
            tests: "from m import *\n\n\ndef test_it():\n    assert look(1) == 1\n",
            target: CASE,
            candidates: &[
                ("[i + 1 for", "[i for", Open),
                ("TABLE = table(3)", "TABLE = [0, 1]", Open),
                ("TABLE[i] + 0", "TABLE[i] - 1", Passes),
                ("TABLE[i] + 0", "TABLE[i] + 1", Fails),
            ],
        },
        Table {
            what: "a module that the test itself loads",
            module: COUNT,
            tests: "def test_it():\n    from m import count\n    assert count([1, 2]) == 2\n",
            target: CASE,
            candidates: &[("+= 2", "+= 1", Open), ("+= 2", "+= 3", Open)],
        },
        Table {
            what: "a fixture that fails is no failure of the call",
            module: COUNT,
            tests: "import pytest\nfrom m import count\n\n\n@pytest.fixture(scope='session')\ndef n():\n    return count([1, 2])\n\n\ndef test_it(n):\n    assert n == 2\n",
            target: IT,
            candidates: &[("+= 2", "+= 1", Passes), ("n = 0", "n = y", Open), ("+= 2", "+= 3", Fails)],
        },
        Table {
            what: "what one leaves behind speaks against no other",
            module: "def count(xs):\n    n = 0\n    for x in xs:\n        n += 2\n    return n\n",
            tests: "import os\nfrom m import count\n\n\ndef test_it(tmp_path):\n    (tmp_path / 'own').write_text('')\n    assert not os.path.exists('left')\n    assert count([1, 2]) == 2\n",
            target: IT,
            candidates: &[
                ("+= 2", "+= 3", Fails),
                ("return n", "open('left', 'w').close()\n    return n", Open),
                ("+= 2", "+= 1", Open),
                ("+= 2", "+= 4", Open),
            ],
        },
    ] {
        check(&table);
    }
}

#[test]
#[cfg_attr(not(feature = "ecosystem"), ignore = "needs pytest: --features ecosystem")]
fn a_failure_that_cannot_be_sieved_says_why() {
    let sub = "import subprocess\nimport sys\n\n\ndef test_it():\n    told = subprocess.run([sys.executable, '-c', 'import m; print(m.count([1]))'], capture_output=True, text=True)\n    assert told.stdout == '1\\n'\n";
    for (what, module, tests, why) in [
        ("a process in the test", COUNT, sub, "the tests do more than compute: it starts a process"),
        (
            "a thread when tests are collected",
            COUNT,
            "import threading\nfrom m import count\n\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n\n\ndef test_it():\n    assert count([1]) == 1\n",
            "the tests start threads when they are collected",
        ),
        (
            "a file that stays",
            COUNT,
            "from m import count\n\n\ndef test_it():\n    open('/tmp/left', 'w').close()\n    assert count([1]) == 1\n",
            "the tests do more than compute: it changes `/tmp/left`",
        ),
        (
            "a test that reads the source",
            COUNT,
            "import inspect\nimport m\n\n\ndef test_it():\n    assert '+= 1' in inspect.getsource(m.count)\n",
            "the tests do more than compute: it reads `m.py`",
        ),
        (
            "a test that fails in its fixture",
            COUNT,
            "import pytest\nfrom m import count\n\n\n@pytest.fixture\ndef n():\n    assert count([1]) == 1\n\n\ndef test_it(n):\n    pass\n",
            "test_m.py::test_it does not fail here",
        ),
    ] {
        let candidates = &[("+= 2", "+= 1", Open), ("+= 2", "+= 3", Open)];
        let sifting = sifted(&Table { what, module, tests, target: IT, candidates });
        assert_eq!(sifting.off.as_deref(), Some(why), "{what}");
        assert!(sifting.found.iter().all(|(said, _)| *said == Sieved::Unclear), "{what}");
    }
}

#[test]
fn a_case_of_unittest_is_sieved_wherever_it_fails() {
    for table in [
        Table {
            what: "a case with its setup, beside one that passes",
            module: COUNT,
            tests: "import unittest\nfrom m import count\n\n\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.xs = [1, 2]\n        self.addCleanup(self.xs.clear)\n\n    def test_it(self):\n        self.assertEqual(count(self.xs), 2)\n\n    def test_none(self):\n        self.assertEqual(count([]), 0)\n",
            target: CASE,
            candidates: &[
                ("+= 2", "+= 1", Passes),
                ("+= 2", "+= 4", Fails),
                ("return n", "return m", Fails),
                ("return n", "while True:\n        pass", Open),
                ("return n", "raise SystemExit(0)", Open),
                ("return n", "__import__('os')._exit(0)", Open),
                ("return n", "raise __import__('unittest').SkipTest()", Open),
                ("return n", "open(__file__).read()\n    return 1", Open),
                ("return n", "__import__('subprocess').call(['true'])\n    return 1", Open),
                ("n = 0", "n = 0\n    xs = list(xs)", AsItIs),
            ],
        },
        Table {
            what: "subtests, of which the second fails",
            module: COUNT,
            tests: "import unittest\nfrom m import count\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        for n in range(3):\n            with self.subTest(n=n):\n                self.assertEqual(count([0] * n), n)\n",
            target: CASE,
            candidates: &[("+= 2", "+= 1", Passes), ("+= 2", "+= 3", Fails), ("return n", "return len(xs[1:])", Fails)],
        },
        Table {
            what: "a coroutine",
            module: "import asyncio\n\n\nasync def wait(n):\n    await asyncio.sleep(0)\n    return n + 1\n",
            tests: "import unittest\nfrom m import wait\n\n\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_it(self):\n        self.assertEqual(await wait(3), 3)\n",
            target: CASE,
            candidates: &[("n + 1", "n", Passes), ("n + 1", "n + 2", Fails)],
        },
        Table {
            what: "a patched name, and a fixture of the class and of the module",
            module: "LIMIT = 5\n\n\ndef low(n):\n    return n < LIMIT - 1\n",
            tests: "import unittest\nfrom unittest import mock\nimport m\n\n\ndef setUpModule():\n    m.low(1)\n\n\nclass T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.known = m.low(1)\n\n    @mock.patch('m.LIMIT', 3)\n    def test_it(self):\n        self.assertTrue(self.known)\n        self.assertTrue(m.low(2))\n",
            target: CASE,
            candidates: &[
                ("LIMIT - 1", "LIMIT", Passes),
                ("LIMIT - 1", "LIMIT - 2", Fails),
                // It fails where the class is set up.
                ("LIMIT - 1", "limit", Open),
                ("LIMIT = 5", "LIMIT = 6", Open),
            ],
        },
        Table {
            what: "recursion as deep as it may be",
            module: DEEP,
            tests: "import unittest\nfrom m import *\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(deep(4), 1)\n",
            target: CASE,
            candidates: DEEPER,
        },
        Table {
            what: "tests that `load_tests` makes",
            module: COUNT,
            tests: "import unittest\nfrom m import count\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(count([1]), 1)\n\n\ndef load_tests(loader, tests, pattern):\n    suite = unittest.TestSuite()\n    suite.addTest(T('test_it'))\n    return suite\n",
            target: CASE,
            candidates: &[("+= 2", "+= 1", Passes), ("+= 2", "+= 3", Fails)],
        },
    ] {
        check(&table);
    }
}

const GUARDED: &str =
    "def rate(n):\n    if n >= 100:\n        return 10\n    if n > 10:\n        return 5\n    return 0\n";

#[test]
fn what_makes_a_test_beside_fail_is_left_out() {
    let cases = "import unittest\nfrom m import rate\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(rate(10), 5)\n\n    def test_few(self):\n        self.assertEqual(rate(9), 0)\n";
    let table = |what, beside: &str, few, none| {
        let tests: &'static str = format!("{cases}{beside}").leak();
        let candidates: &'static [_] = vec![
            ("> 10", ">= 10", Passes),
            ("return 0\n", "return 5\n", few),
            ("return 0\n", "return 5 if n else 0\n", few),
            ("> 10", "> 8", few),
            ("> 10", ">= 10 or n < 1", none),
            ("> 10", ">= 11", Fails),
        ]
        .leak();
        Table { what, module: GUARDED, tests, target: CASE, candidates }
    };
    let none = "\n    def test_none(self):\n        self.assertEqual(rate(0), 0)\n";
    let left = "\n    def test_left(self):\n        open('left', 'a').close()\n        self.assertEqual(rate(0), 0)\n";
    let process = "\n    def test_process(self):\n        import subprocess\n        subprocess.call(['true'])\n        self.assertEqual(rate(0), 0)\n";
    check(&table("beside one test", "", Fails, Passes));
    check(&table("beside two", none, Fails, Fails));
    // What a test does to the world would speak against the next candidate.
    check(&table("beside one that starts a process", process, Fails, Passes));
    check(&table("beside one that leaves a file", left, Passes, Passes));
}

#[test]
fn a_case_of_unittest_that_cannot_be_sieved_says_why() {
    for (what, tests, why) in [
        (
            "a failure in `setUp`",
            "import unittest\nfrom m import count\n\n\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.assertEqual(count([1]), 1)\n\n    def test_it(self):\n        pass\n",
            "test_m.T.test_it does not fail here",
        ),
        (
            "a process in the test",
            "import subprocess\nimport sys\nimport unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        told = subprocess.check_output([sys.executable, '-c', 'import m; print(m.count([1]))'])\n        self.assertEqual(told, b'1\\n')\n",
            "the tests do more than compute: it starts a process",
        ),
    ] {
        let candidates = &[("+= 2", "+= 1", Open), ("+= 2", "+= 3", Open)];
        let sifting = sifted(&Table { what, module: COUNT, tests, target: CASE, candidates });
        assert_eq!(sifting.off.as_deref(), Some(why), "{what}");
        assert!(sifting.found.iter().all(|(said, _)| *said == Sieved::Unclear), "{what}");
    }
}

/// Mutants of a patched module are noticed in the sieve where an ordinary run
/// notices them; of the others it says nothing.
#[test]
fn the_sieve_notices_the_mutants_that_an_ordinary_run_notices() {
    let tests = "import unittest\nfrom m import rate\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(rate(10), 5)\n\n    def test_few(self):\n        self.assertEqual(rate(9), 0)\n";
    let stand = Stand::new(
        &[("m.py", GUARDED), ("test_m.py", tests)],
        RunnerKind::Unittest,
        &["python3", "-m", "unittest"],
        Duration::from_secs(5),
    );
    let mut scratch = stand.scratch();
    let path = || RelPath::new("m.py").expect("a path");
    let right = GUARDED.replace("> 10", ">= 10");
    let laid = Patch::of_file(path(), GUARDED, right.clone());
    let known = ["test_m.T.test_it", "test_m.T.test_few"].map(str::to_owned);
    let table = [
        (">= 10:", ">= 9:", Some(Noticed::ByCheck)),
        ("return 0\n", "return nothing\n", Some(Noticed::Otherwise)),
        ("return 0\n", "return 1\n", Some(Noticed::ByCheck)),
        // No test is about a hundred, and a mutant may have no end.
        (">= 100", "> 100", None),
        ("return 0\n", "while True:\n        pass\n", None),
        ("def rate(n)", "def rate(n, m=0)", None),
    ];
    let mutants: Vec<Patch> =
        table.iter().map(|(from, to, _)| Patch::of_file(path(), GUARDED, right.replace(from, to))).collect();
    let ask = |scratch: &mut dyn heal::scratch::Scratch, laid: &Patch| {
        let mutants: Vec<&Patch> = mutants.iter().collect();
        let asked = sieve::noticed(&stand.bench, scratch, laid, &known, &mutants, Duration::from_secs(60));
        stand.runtime.block_on(asked).expect("asked")
    };
    for ((from, to, wanted), found) in table.iter().zip(ask(&mut *scratch, &laid)) {
        assert_eq!(found, *wanted, "`{from}` becomes `{to}`");
    }
    // Where the tests fail without any mutant, nothing is said.
    assert_eq!(ask(&mut *scratch, &Patch::default()), [None; 6]);
    stand.close(scratch);
}
