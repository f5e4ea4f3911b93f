"""heal's unittest: `python -m heal_unittest` for `python -m unittest`.

The same discovery and the same arguments; selects tests, sets deadlines, and
tells what happened through heal's channel. Python 3.6 and later.
"""

import os
import re
import sys
import unittest

import heal_channel
from heal_channel import OUTPUT_LIMIT
from heal_channel import shorten

SETTINGS = heal_channel.take_settings()
if SETTINGS is None:
    sys.exit("heal_unittest is a part of heal, and is started by it")
CHANNEL = heal_channel.Channel(SETTINGS)
DESCRIBER = heal_channel.Describer(SETTINGS, [os.path.dirname(unittest.__file__), SETTINGS["directory"]])


def inside(frame):
    """Whether an exception at `frame` becomes the test's own failure.

    It does below `TestCase.run`, which catches whatever a part of a test
    raises; the frames of `unittest/case.py` itself must not be torn.
    """
    case = unittest.case.__file__
    top = frame
    while frame is not None:
        if frame.f_code.co_filename == case and frame.f_code.co_name == "run":
            return top.f_code.co_filename != case
        frame = frame.f_back
    return False


DEADLINE = heal_channel.Deadline(CHANNEL, DESCRIBER, inside)
LINES = heal_channel.Lines(SETTINGS)
for owner, name in (
    (unittest.case, "safe_repr"),
    (unittest.case, "_common_shorten_repr"),
    (unittest.TestResult, "_exc_info_to_string"),
):
    LINES.telling_of(owner, name)
WANTED = heal_channel.Wanted(SETTINGS.get("selection"))
PROBE = heal_channel.probe(SETTINGS, CHANNEL)
SIEVE = heal_channel.sieve(SETTINGS, CHANNEL)


# What kept a module from loading, by the test that stands in for it: unittest
# itself keeps only the text of the traceback.
UNLOADED = {}


def remember_unloaded():
    """Makes unittest's loader leave the exceptions that it turns into tests."""
    for name in ("_make_failed_import_test", "_make_failed_load_tests"):
        make = getattr(unittest.loader, name, None)
        if make is None:
            continue

        def remembering(module, *arguments, make=make):
            error = sys.exc_info()[1] or next((one for one in arguments if isinstance(one, BaseException)), None)
            UNLOADED[module] = error
            return make(module, *arguments)

        setattr(unittest.loader, name, remembering)


class Loader(unittest.TestLoader):
    """Discovery that leaves out files none of the wanted tests can be in."""

    def _match_path(self, path, full_path, pattern):
        if not super()._match_path(path, full_path, pattern):
            return False
        # Python 3.6 cannot be made to look again, see `Program.createTests`.
        if WANTED.all or not self.selects or not self._top_level_dir or sys.version_info < (3, 7):
            return True
        inner = os.path.splitext(os.path.relpath(full_path, self._top_level_dir))[0]
        module = inner.replace(os.sep, ".")
        return any((wanted + ".").startswith(module + ".") or module.startswith(wanted + ".") for wanted in WANTED.ids)

    selects = True


class Result(unittest.TextTestResult):
    """Notes how each test ended; subtests belong to their test."""

    def startTest(self, test):
        super().startTest(test)
        CHANNEL.write("test-start", id=test.id())
        self.heal = {"outcome": "passed", "failure": None, "text": "", "output": "", "expected_failure": False}
        self.heal["skipped_subtests"] = 0
        self.heal_began = CHANNEL.clock()
        LINES.start()
        PROBE.start()
        DEADLINE.arm(test.id())

    def stopTest(self, test):
        DEADLINE.disarm()
        seconds = CHANNEL.clock() - self.heal_began
        hits = LINES.stop()
        PROBE.stop()
        if hits is not None:
            CHANNEL.write("executed", id=test.id(), files=hits)
        noted = self.heal
        if noted["outcome"] == "passed" and DEADLINE.overran():
            noted.update(outcome="failed", failure=DEADLINE.overran())
        CHANNEL.hold("phase", id=test.id(), when="call", seconds=seconds, **noted)
        CHANNEL.write("test-end", id=test.id())
        super().stopTest(test)

    def note(self, outcome, error=None, about=""):
        # The first failure of a test is the one that is told.
        if self.heal["outcome"] == "failed":
            return
        self.heal["outcome"] = outcome
        if error is not None:
            LINES.telling += 1
            try:
                failure = described(error[1], about)
            finally:
                LINES.telling -= 1
            self.heal["failure"] = failure
            self.heal["text"] = failure["message"]

    def addError(self, test, err):
        super().addError(test, err)
        if not isinstance(test, unittest.TestCase):
            # setUpClass or setUpModule: no test of its own.
            problem(test.id(), err[1], self.errors[-1][1])
            return
        self.note("failed", err)
        self.heal["output"] = shorten(self.errors[-1][1], OUTPUT_LIMIT)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note("failed", err)
        self.heal["output"] = shorten(self.failures[-1][1], OUTPUT_LIMIT)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note("failed", err, subtest._subDescription())
            listed = self.failures if issubclass(err[0], test.failureException) else self.errors
            self.heal["output"] = self.heal["output"] or shorten(listed[-1][1], OUTPUT_LIMIT)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not isinstance(test, unittest.TestCase) or getattr(self, "heal", None) is None:
            return
        if isinstance(test, unittest.case._SubTest):
            # The test goes on.
            self.heal["skipped_subtests"] += 1
        else:
            self.note("skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note("skipped")
        self.heal["expected_failure"] = True

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note("failed")
        self.heal["text"] = "unexpected success"


def described(error, about):
    """A test's failure as data; `about` is the subtest that it happened in."""
    failure = DESCRIBER.describe(error)
    compare(failure)
    if about:
        failure["message"] += " " + about
    return failure


def compare(failure):
    """Reads the two values from `AssertionError: 3 != 4`.

    unittest prints the first argument first; heal takes it for the value that
    the code gave, unless the call names the wanted one first.
    """
    kind, separator, text = failure["message"].partition(": ")
    if failure["kind"] != "assertion" or not separator:
        return
    first, separator, second = text.partition(" != ")
    if not separator:
        return
    # `Lists differ: [1] != [2]`, also `First`, `Tuples`, `Sequences`.
    first = re.sub(r"^\w+ differ: ", "", first)
    second = second.split(" : ")[0]
    if failure["swapped"]:
        first, second = second, first
    failure["actual"], failure["expected"] = first, second


def problem(name, error, output):
    CHANNEL.write("problem", id=name, failure=DESCRIBER.describe(error), output=shorten(output, OUTPUT_LIMIT))


def chosen(suite):
    """The suite with the wanted tests only; what could not be loaded is told."""
    kept = unittest.TestSuite() if type(suite) is unittest.TestSuite else suite
    tests = []
    for test in list(suite):
        if isinstance(test, unittest.TestSuite):
            tests.append(chosen(test))
        elif type(test).__name__ == "_FailedTest":
            name = getattr(test, "_testMethodName", test.id())
            error = getattr(test, "_exception", None) or ImportError(test.id())
            problem(name, UNLOADED.get(name) or error, str(error))
        elif WANTED.holds(test.id()):
            tests.append(test)
    if SETTINGS.get("reverse"):
        tests.reverse()
    kept._tests = tests
    return kept


def reordered(suite):
    """The suite with the tests that shall come last at its end."""
    last = set(SETTINGS.get("last") or ())
    if not last:
        return suite
    return unittest.TestSuite(sorted(each(suite), key=lambda test: test.id() in last))


def count(suite):
    return sum(count(test) if isinstance(test, unittest.TestSuite) else 1 for test in suite)


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            for inner in each(test):
                yield inner
        else:
            yield test


def ids(suite):
    return (test.id() for test in each(suite))


class Program(unittest.TestProgram):
    """`unittest.main`, with heal's selection and result."""

    def createTests(self, *arguments, **named):
        super().createTests(*arguments, **named)
        loader = self.testLoader
        if WANTED.all or not loader.selects:
            return
        found = set(ids(self.test))
        if all(any(name == wanted or name.startswith(wanted + ".") for name in found) for wanted in WANTED.ids):
            return
        # A `load_tests` may have its tests from elsewhere: all files, then.
        loader.selects = False
        UNLOADED.clear()
        super().createTests(*arguments, **named)

    def runTests(self):
        self.failfast = bool(SETTINGS.get("fail_fast"))
        self.test = reordered(chosen(self.test))
        names = list(ids(self.test))
        if SIEVE.on:
            # From here, as the runner would be: deep recursions end alike.
            SIEVE.answer(self.sieved(names))
            CHANNEL.end(0)
            sys.exit(0)
        self.testRunner = self.runner(resultclass=Result)
        for start in range(0, len(names), 1000):
            CHANNEL.write("collected", ids=names[start : start + 1000])
        self.exit = True
        self.result = self.testRunner.run(self.test)
        CHANNEL.write("modules", modules=heal_channel.loaded_modules())
        PROBE.answer()
        code = 0 if self.result.wasSuccessful() else 1
        CHANNEL.end(code)
        sys.exit(code)

    def runner(self, **named):
        named.update(verbosity=self.verbosity, failfast=self.failfast, buffer=self.buffer, warnings=self.warnings)
        return unittest.TextTestRunner(**named)

    def sieved(self, names):
        """The tests for the sieve, which runs them in children alone."""
        import heal_sieve_unittest

        # The parent's deadline is the one that ends a child.
        DEADLINE.works = False
        return heal_sieve_unittest.Suite(self.test, names, SIEVE, described, self.runner)


if __name__ == "__main__":
    # The module's own name must not show in `sys.argv[0]`, as with unittest.
    sys.argv[0] = "python -m unittest"
    CHANNEL.write("start", runner="unittest", version=sys.version.split()[0], rootdir=os.getcwd(), worker=False)
    remember_unloaded()
    Program(module=None, testLoader=Loader())
