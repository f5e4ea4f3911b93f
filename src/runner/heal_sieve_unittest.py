"""unittest's part of heal's sieve: runs the suite in a child, and tells the
sieve how each test ends.

Prints nothing, and reads no source to describe a failure that only counts
against a candidate. Judges no candidate. Python 3.8 and later, standard
library only.
"""

import copy
import os
import unittest

import heal_channel

# The folder of unittest itself.
UNITTEST = os.path.join(os.path.dirname(unittest.__file__), "")


class Suite(object):
    """The suite that unittest loaded."""

    def __init__(self, suite, names, sieve, describe, runner):
        self.suite = suite
        self.known = names
        self.sieve = sieve
        # Describes an error of a test in full.
        self.describe = describe
        # Makes a runner of these named arguments.
        self.runner = runner

    def names(self):
        return self.known

    def prepare(self, effects):
        """Nothing of unittest's stands in the way of a fork."""

    def run(self, names, _following):
        """In a child: these tests, through unittest's own runner."""
        silent = open(os.devnull, "w")
        self.runner(stream=silent, resultclass=self.result).run(part_of(self.suite, set(names)))

    def result(self, *_arguments, **_named):
        return Told(self.sieve, self.describe)


class Told(unittest.TestResult):
    """Tells the sieve what came of each test.

    The lists of failures stay empty: unittest would format each, which reads
    the sources.
    """

    def __init__(self, sieve, describe):
        super().__init__()
        self.sieve = sieve
        self.describe = describe
        self.outcome = self.expected = None

    def startTest(self, test):
        super().startTest(test)
        self.outcome, self.expected = "passed", False

    def stopTest(self, test):
        super().stopTest(test)
        if self.outcome != "failed":
            self.sieve.reported(test.id(), "call", self.outcome, self.expected, None)
            self.sieve.reported(test.id(), "teardown", "passed", False, None)

    def addError(self, test, err):
        self.failed(test, err[1], "")

    def addFailure(self, test, err):
        self.failed(test, err[1], "")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.failed(test, err[1], subtest._subDescription())

    def addSkip(self, test, reason):
        if not isinstance(test, unittest.case._SubTest):
            self.outcome = "skipped"

    def addExpectedFailure(self, test, err):
        self.outcome, self.expected = "skipped", True

    def addUnexpectedSuccess(self, test):
        self.outcome = "failed"
        self.sieve.reported(test.id(), "call", "failed", False, None)

    def failed(self, test, error, about):
        self.outcome = "failed"
        self.sieve.raised(error)
        if self.sieve.every or not isinstance(error, Exception):
            failure = self.describe(error, about)
        else:
            kind, message = heal_channel.brief(error)
            failure = {"kind": kind, "message": " ".join(filter(None, (message, about)))}
        self.sieve.reported(test.id(), part(test, error), "failed", False, failure)


def part_of(suite, names):
    """The suite with these tests only."""
    kept = unittest.TestSuite() if type(suite) is unittest.TestSuite else copy.copy(suite)
    kept._tests = [
        part_of(test, names) if isinstance(test, unittest.TestSuite) else test
        for test in suite
        if isinstance(test, unittest.TestSuite) or test.id() in names
    ]
    return kept


def part(test, error):
    """Which part of a test raised the error: its `call`, or what is around it.

    What a subtest raised is caught before it comes to `_callTestMethod`; there
    the test's own function says it.
    """
    own = getattr(test, "_testMethodName", None)
    step = error.__traceback__
    while isinstance(test, unittest.TestCase) and step is not None:
        code = step.tb_frame.f_code
        name, is_runner = code.co_name, code.co_filename.startswith(UNITTEST)
        if name == "_callTestMethod" and is_runner or name == own and not is_runner:
            return "call"
        step = step.tb_next
    return "setup"
