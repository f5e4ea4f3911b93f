"""heal's sieve: many candidates tried in one warm test process.

The tests are collected once. For each candidate the process forks; the child
puts the candidate's code into the live functions and runs the failing tests as
their runner does (`heal_sieve_pytest`, `heal_sieve_unittest`), the parent takes
note of what came of it. Only a
clean failure of a test's own call counts against a candidate: whatever could
come of the sieve itself is `unclear`, what cannot be swapped `unsuitable`.
Never says that a candidate is right. Python 3.8 and later, standard library
only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import json
import linecache
import os
import select
import signal
import sys
import threading
import time
import warnings

import heal_channel
import heal_sieve_code
import heal_sieve_watch
from heal_sieve_code import Unsuitable

# Seconds of processor time for one candidate: so many times what the tests
# take without one, and at least so much; less once many had no end.
TIMES, LEAST = 10, 0.4
MANY, MANY_TIMES, MANY_LEAST = 8, 5, 0.1
# Seconds for the failure without a candidate, whose report is made in full.
VALIDATION = 10.0
# Seconds of processor time, without a candidate, for the tests that passed and
# are run once the failing ones pass.
GUARDS = 1.0
DETAIL = 200


class Off(Exception):
    """Why this failure cannot be sieved, in words."""


class System(object):
    """What the sieve calls, as it is before any test can replace it."""

    def __init__(self):
        self.write, self.exit = os.write, os._exit
        self.kill, self.killpg, self.waitpid = os.kill, os.killpg, os.waitpid
        self.timer = signal.setitimer
        # Wall time, and that of the processor for this process.
        self.clock, self.spent = time.monotonic, time.process_time


class Sieve(object):
    """The state of the sieve, in the parent and in each child."""

    on = True

    def __init__(self, settings, channel):
        self.channel = channel
        self.request = settings["sieve"]
        self.tree = settings["tree"]
        self.system = System()
        # The pipe's end, in a child.
        self.writer = None
        # Whether the child goes on behind a failure.
        self.every = False
        self.reports = []
        # The tests that have ended, with the processor time until then and
        # how many reasons there were by then.
        self.ended = []
        self.unclean = None
        # (kind, message) of the failures without a candidate.
        self.usual = set()
        # What is run for each candidate, and what for one that passes that.
        self.targets, self.guards = [], []
        self.guarding = 0.0
        self.late = 0
        self.why = None
        with open(self.request["file"], encoding="utf-8") as file:
            self.candidates = [json.loads(line) for line in file]
        self.paths = sorted({edit[0] for edits in self.candidates for edit in edits})
        files = [os.path.join(self.tree, path) for path in self.paths]
        if hasattr(sys, "addaudithook") and hasattr(os, "fork"):
            self.ran = heal_sieve_watch.Ran(files)
            self.effects = heal_sieve_watch.Effects()
        else:
            self.why = "this Python has no audit hooks"

    def answer(self, tests):
        """Tries the candidates on the collected tests; writes the one record
        that heal waits for."""
        answer = {"why": "", "failures": [], "verdicts": []}
        try:
            if self.why:
                raise Off(self.why)
            self.prepare(tests)
            answer["failures"] = self.validate(tests)
            self.find_guards(tests)
            self.sift(tests, answer["verdicts"])
        except Off as why:
            answer["why"] = str(why)
        except Exception as error:
            answer["why"] = "the sieve failed: %s: %s" % (type(error).__name__, error)
        self.channel.write("sieve", sieve=answer)

    def prepare(self, tests):
        """Looks at the process as it is when the tests are collected."""
        why = self.ran.stop() or self.effects.early
        if why:
            raise Off(why)
        if threading.active_count() > 1:
            raise Off("the tests start threads when they are collected")
        if heal_sieve_watch.has_children():
            raise Off("the tests start processes when they are collected")
        if "numba" in sys.modules:
            raise Off("functions may be compiled before they are called")
        missing = set(self.request["expected"]) - set(tests.names())
        if missing:
            raise Off("%s was not collected" % sorted(missing)[0])
        guards = set(self.request["guards"])
        self.targets = [name for name in tests.names() if name not in guards]
        tests.prepare(self.effects)
        self.known = heal_sieve_code.files(self.paths, self.tree, self.ran.of)
        # What is not loaded yet is loaded by each child as it stands.
        loaded = [path for path, file in self.known.items() if getattr(file, "names", None)]
        self.effects.watch(os.path.join(self.tree, path) for path in loaded)

    def validate(self, tests):
        """The failures of a child without a candidate, `[id, failure]` each."""
        began = self.system.clock()
        limit = float(self.request["limit"])
        # The report of a deep recursion takes longer than the test.
        told, why = self.child(tests, [], True, limit if self.request["endless"] else max(limit, VALIDATION))
        self.usually = self.system.clock() - began
        if self.request["endless"]:
            if told is not None or not self.late:
                raise Off("without a candidate the tests come to their end")
            self.usually, self.late = 0.0, 0
            return []
        if told is None:
            raise Off("without a candidate the tests do not come to their end: " + why)
        if told["reasons"] or self.effects.lasting():
            raise Off("the tests do more than compute: " + "".join(told["reasons"][:1]))
        if self.request["holds"]:
            self.hold(told["reports"])
            return []
        failures = {}
        for report in told["reports"]:
            if report["outcome"] == "failed" and report["when"] == "call" and report["failure"]:
                failures.setdefault(report["id"], report["failure"])
        for name in self.request["expected"]:
            if name not in failures:
                raise Off("%s does not fail here" % name)
            self.usual.add((failures[name]["kind"], failures[name]["message"]))
        return sorted(failures.items())

    def hold(self, reports):
        """Raises `Off` where not all tests pass without a candidate."""
        ended = {report["id"] for report in reports if report["when"] == "teardown"}
        for report in reports:
            if report["outcome"] != "passed" or report["expected"]:
                raise Off("%s does not pass here" % report["id"])
        for name in self.request["expected"]:
            if name not in ended:
                raise Off("%s does not end here" % name)

    def find_guards(self, tests):
        """Takes of the tests that passed those that pass here too, and do no
        more than compute: whoever makes one of them fail is no repair."""
        collected = set(tests.names())
        names = [name for name in self.request["guards"] if name in collected]
        if not names:
            return
        targets, self.targets = self.targets, names
        told, _ = self.child(tests, [], True, 3 * GUARDS)
        self.targets = targets
        left_something = self.effects.lasting()
        if left_something:
            # Nothing of that may count against a candidate.
            self.effects.forget()
            self.usual.clear()
            self.validate(tests)
        if told is None or left_something:
            return
        bad = {report["id"] for report in told["reports"] if report["outcome"] != "passed" or report["expected"]}
        before, known = 0.0, 0
        for name, spent, reasons in told["ended"]:
            if name not in bad and reasons == known and self.guarding + spent - before <= GUARDS:
                self.guards.append(name)
                self.guarding += spent - before
            before, known = spent, reasons

    def sift(self, tests, verdicts):
        end = self.system.clock() + float(self.request["seconds"])
        for number, edits in enumerate(self.candidates):
            if self.system.clock() >= end:
                break
            try:
                if not edits:
                    raise Unsuitable("it changes nothing")
                swaps = heal_sieve_code.planned(self.known, edits)
            except Unsuitable as why:
                verdicts.append([number, "unsuitable", str(why)[:DETAIL]])
                continue
            verdicts.append([number] + self.verdict(tests, swaps))

    def verdict(self, tests, swaps):
        marked = self.effects.lasting()
        many = self.late > MANY
        limit = max(self.usually * (MANY_TIMES if many else TIMES), MANY_LEAST if many else LEAST)
        told, why = self.child(tests, swaps, False, min(limit, float(self.request["limit"])))
        if told is None:
            return ["unclear", why]
        last = told["reports"][-1] if told["reports"] else None
        if last is None:
            return ["unclear", "the tests told nothing"]
        if last["outcome"] != "failed":
            # What is skipped or expected to fail decides nothing.
            passed = all(report["outcome"] == "passed" and not report["expected"] for report in told["reports"])
            ended = {report["id"] for report in told["reports"] if report["when"] == "teardown"}
            if passed and set(self.request["expected"] + self.guards) <= ended:
                return ["passed", ""]
            return ["unclear", "a test neither passes nor fails"]
        failure = last["failure"]
        if last["when"] != "call" or not failure:
            return ["unclear", "it fails in its %s" % last["when"]]
        usual = (failure["kind"], failure["message"]) in self.usual
        if told["reasons"]:
            return ["unclear", told["reasons"][0][:DETAIL]]
        if marked:
            return ["unclear", "an earlier candidate left something behind"]
        if told["unclean"] and not usual:
            return ["unclear", told["unclean"]]
        if self.request["holds"]:
            return ["failed", failure["kind"]]
        word = failure["message"][:DETAIL]
        if last["id"] in self.guards:
            return ["failed", "%s fails then: %s" % (last["id"], word)]
        return ["same" if usual else "failed", word]

    def child(self, tests, swaps, every, limit):
        """What a child tells, or `None` and why it tells nothing."""
        held = sys.modules["random"].getstate() if "random" in sys.modules else None
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks where there are threads, as those of a
            # library in C.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                self.inside(tests, swaps, every, limit, writer, held)
            finally:
                self.system.exit(1)
        os.close(writer)
        try:
            data, late = self.listen(reader, 3 * (limit + self.guards_limit()) + 1)
        finally:
            os.close(reader)
            status = self.end(child)
        if not data.endswith(b"\n"):
            if late or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
                self.late += 1
                return None, "it was still running after %.1f s" % limit
            return None, "the process ended"
        return json.loads(data), ""

    def guards_limit(self):
        return max(self.guarding * TIMES, LEAST) if self.guards else 0.0

    def listen(self, reader, seconds):
        end = self.system.clock() + seconds
        data = b""
        while not data.endswith(b"\n"):
            left = end - self.system.clock()
            if left <= 0 or not select.select([reader], [], [], left)[0]:
                return data, True
            more = os.read(reader, 65536)
            if not more:
                break
            data += more
        return data, False

    def end(self, child):
        """Ends the child and all that it started."""
        done, status = self.system.waitpid(child, os.WNOHANG)
        for end in [self.system.killpg] if done else [self.system.killpg, self.system.kill]:
            try:
                end(child, signal.SIGKILL)
            except OSError:
                # It has ended, or has not yet made its own group.
                pass
        return status if done else self.system.waitpid(child, 0)[1]

    def inside(self, tests, swaps, every, limit, writer, held):
        """The child's whole life."""
        os.setsid()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        self.system.timer(signal.ITIMER_PROF, limit)
        self.writer, self.every = writer, every
        for name in {name for file in self.known.values() for name in getattr(file, "names", ())}:
            # Whoever wants to read the source is seen opening it.
            linecache.cache.pop(name, None)
        for function, code in swaps:
            function.__code__ = code
        if held is not None:
            # `random` takes a new seed after a fork.
            sys.modules["random"].setstate(held)
        # Deep recursions end where they would have ended; `tests.run` is one
        # frame more.
        sys.setrecursionlimit(sys.getrecursionlimit() + own_frames() + 1)
        self.effects.begin()
        guards = [] if every else self.guards
        tests.run(self.targets, guards)
        if guards:
            self.system.timer(signal.ITIMER_PROF, self.guards_limit())
            tests.run(guards, [])
        self.tell()

    def raised(self, error):
        """Before a report is made of `error`: reports read sources."""
        if self.writer is not None:
            self.unclean = self.unclean or unclean(error)
            self.effects.judging = False

    def failed(self, name, error):
        """Tells of a failed call at once, where a report could only say the
        same: making one reads sources and costs as much as the test."""
        if self.writer is None or self.every or not isinstance(error, Exception):
            return
        kind, message = heal_channel.brief(error)
        self.reported(name, "call", "failed", False, {"kind": kind, "message": message})

    def reported(self, name, when, outcome, expected, failure):
        """Takes note of what came of a part of a test; the first failure of a
        candidate is enough."""
        if self.writer is None:
            return
        report = {"id": name, "when": when, "outcome": outcome, "expected": expected}
        report["failure"] = failure if outcome == "failed" else None
        self.reports.append(report)
        if when == "teardown":
            reasons = len(self.effects.reasons) + self.effects.started_processes()
            self.ended.append((name, self.system.spent(), reasons))
        if outcome == "failed" and not self.every:
            self.tell()

    def tell(self):
        if self.effects.started_processes():
            self.effects.reasons.append("it starts a process")
        told = {"reports": self.reports, "reasons": self.effects.reasons, "unclean": self.unclean, "ended": self.ended}
        data = json.dumps(told).encode("utf-8") + b"\n"
        while data:
            data = data[self.system.write(self.writer, data) :]
        self.system.exit(0)


def own_frames():
    """How many frames of the sieve's own the caller stands on, itself too."""
    frame, count = sys._getframe(1), 0
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
        count += 1
    return count


def unclean(error):
    """Why an exception may be the sieve's own fault, or `None`."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, (OSError, MemoryError)):
            return "%s may come of what other candidates did" % type(error).__name__
        if not isinstance(error, Exception) and not heal_channel.is_check(error):
            return "%s ends more than the test" % type(error).__name__
        for inner in getattr(error, "exceptions", None) or ():
            found = unclean(inner) if isinstance(inner, BaseException) else None
            if found:
                return found
        error = error.__cause__ or error.__context__
    return None
