"""heal's sieve: many candidates tried in one warm test process.

The tests are collected once. For each candidate the process forks; the child
puts the candidate's code into the live functions and runs the failing tests
through pytest's own protocol, the parent takes note of what came of it. Only a
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
DETAIL = 200


class Off(Exception):
    """Why this failure cannot be sieved, in words."""


class Sieve(object):
    """The state of the sieve, in the parent and in each child."""

    on = True

    def __init__(self, settings, channel):
        self.channel = channel
        self.request = settings["sieve"]
        self.tree = settings["tree"]
        self.functions = (os.write, os._exit, signal.setitimer, time.monotonic, os.killpg, os.kill, os.waitpid)
        # The pipe's end, in a child.
        self.writer = None
        # Whether the child goes on behind a failure.
        self.every = False
        self.reports = []
        self.unclean = None
        # (kind, message) of the failures without a candidate.
        self.usual = set()
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

    def answer(self, items, name_of):
        """Tries the candidates; writes the one record that heal waits for."""
        answer = {"why": "", "failures": [], "verdicts": []}
        try:
            if self.why:
                raise Off(self.why)
            self.prepare(items, name_of)
            answer["failures"] = self.validate(items, name_of)
            self.sift(items, answer["verdicts"])
        except Off as why:
            answer["why"] = str(why)
        except Exception as error:
            answer["why"] = "the sieve failed: %s: %s" % (type(error).__name__, error)
        self.channel.write("sieve", sieve=answer)

    def prepare(self, items, name_of):
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
        missing = set(self.request["expected"]) - {name_of(item.nodeid) for item in items}
        if missing:
            raise Off("%s was not collected" % sorted(missing)[0])
        config = items[0].config
        # What the terminal would show is read by nobody, and costs as much as
        # a test.
        config.option.tbstyle, config.option.fulltrace = "line", False
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and hasattr(reporter, "_tw"):
            reporter._tw._file = open(os.devnull, "w")
        if getattr(config.option, "basetemp", None):
            self.effects.own.append(os.path.abspath(str(config.option.basetemp)))
        self.known = heal_sieve_code.files(self.paths, self.tree, self.ran.of)
        # What is not loaded yet is loaded by each child as it stands.
        loaded = [path for path, file in self.known.items() if getattr(file, "names", None)]
        self.effects.watch(os.path.join(self.tree, path) for path in loaded)

    def validate(self, items, name_of):
        """The failures of a child without a candidate, `[id, failure]` each."""
        began = self.functions[3]()
        limit = float(self.request["limit"])
        # The report of a deep recursion takes longer than the test.
        told, why = self.child(items, [], True, limit if self.request["endless"] else max(limit, VALIDATION))
        self.usually = self.functions[3]() - began
        if self.request["endless"]:
            if told is not None or not self.late:
                raise Off("without a candidate the tests come to their end")
            self.usually, self.late = 0.0, 0
            return []
        if told is None:
            raise Off("without a candidate the tests do not come to their end: " + why)
        if told["reasons"] or self.effects.lasting():
            raise Off("the tests do more than compute: " + "".join(told["reasons"][:1]))
        failures = {}
        for report in told["reports"]:
            if report["outcome"] == "failed" and report["when"] == "call" and report["failure"]:
                failures.setdefault(report["id"], report["failure"])
        for name in self.request["expected"]:
            if name not in failures:
                raise Off("%s does not fail here" % name)
            self.usual.add((failures[name]["kind"], failures[name]["message"]))
        return sorted(failures.items())

    def sift(self, items, verdicts):
        end = self.functions[3]() + float(self.request["seconds"])
        for number, edits in enumerate(self.candidates):
            if self.functions[3]() >= end:
                break
            try:
                if not edits:
                    raise Unsuitable("it changes nothing")
                swaps = heal_sieve_code.planned(self.known, edits)
            except Unsuitable as why:
                verdicts.append([number, "unsuitable", str(why)[:DETAIL]])
                continue
            verdicts.append([number] + self.verdict(items, swaps))

    def verdict(self, items, swaps):
        marked = self.effects.lasting()
        many = self.late > MANY
        limit = max(self.usually * (MANY_TIMES if many else TIMES), MANY_LEAST if many else LEAST)
        told, why = self.child(items, swaps, False, min(limit, float(self.request["limit"])))
        if told is None:
            return ["unclear", why]
        last = told["reports"][-1] if told["reports"] else None
        if last is None:
            return ["unclear", "the tests told nothing"]
        if last["outcome"] != "failed":
            # What is skipped or expected to fail decides nothing.
            passed = all(report["outcome"] == "passed" and not report["expected"] for report in told["reports"])
            ended = {report["id"] for report in told["reports"] if report["when"] == "teardown"}
            if passed and set(self.request["expected"]) <= ended:
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
        return ["same" if usual else "failed", failure["message"][:DETAIL]]

    def child(self, items, swaps, every, limit):
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
                self.inside(items, swaps, every, limit, writer, held)
            finally:
                self.functions[1](1)
        os.close(writer)
        try:
            data, late = self.listen(reader, 3 * limit + 1)
        finally:
            os.close(reader)
            status = self.end(child)
        if not data.endswith(b"\n"):
            if late or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
                self.late += 1
                return None, "it was still running after %.1f s" % limit
            return None, "the process ended"
        return json.loads(data), ""

    def listen(self, reader, seconds):
        end = self.functions[3]() + seconds
        data = b""
        while not data.endswith(b"\n"):
            left = end - self.functions[3]()
            if left <= 0 or not select.select([reader], [], [], left)[0]:
                return data, True
            more = os.read(reader, 65536)
            if not more:
                break
            data += more
        return data, False

    def end(self, child):
        """Ends the child and all that it started."""
        _, _, _, _, killpg, kill, waitpid = self.functions
        done, status = waitpid(child, os.WNOHANG)
        for end in (lambda: killpg(child, signal.SIGKILL), lambda: done or kill(child, signal.SIGKILL)):
            try:
                end()
            except OSError:
                # It has ended, or has not yet made its own group.
                pass
        return status if done else waitpid(child, 0)[1]

    def inside(self, items, swaps, every, limit, writer, held):
        """The child's whole life."""
        os.setsid()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        self.functions[2](signal.ITIMER_PROF, limit)
        self.writer, self.every = writer, every
        for name in {name for file in self.known.values() for name in getattr(file, "names", ())}:
            # Whoever wants to read the source is seen opening it.
            linecache.cache.pop(name, None)
        for function, code in swaps:
            function.__code__ = code
        if held is not None:
            # `random` takes a new seed after a fork.
            sys.modules["random"].setstate(held)
        # Deep recursions end where they would have ended.
        sys.setrecursionlimit(sys.getrecursionlimit() + own_frames())
        self.effects.begin()
        for index, item in enumerate(items):
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self.tell()

    def raised(self, error):
        """Before a report is made of `error`: reports read sources."""
        if self.writer is not None:
            self.unclean = self.unclean or unclean(error)
            self.effects.judging = False

    def failed(self, name, item, error):
        """Tells of a failed call at once, where a report could only say the
        same: making one reads sources and costs as much as the test."""
        if self.writer is None or self.every or not self.plain(item) or not isinstance(error, Exception):
            return
        kind, message = heal_channel.brief(error)
        failure = {"kind": kind, "message": message}
        self.reports.append({"id": name, "when": "call", "outcome": "failed", "expected": False, "failure": failure})
        self.tell()

    def plain(self, item):
        """Whether nothing but pytest itself has a say in the test's report."""
        if any(item.iter_markers("xfail")):
            return False
        hooks = item.ihook.pytest_runtest_makereport.get_hookimpls()
        return all(hook.function.__module__.startswith(("_pytest.", "heal_pytest")) for hook in hooks)

    def reported(self, name, report, failure):
        """Takes note of a report; the first failure of a candidate is enough."""
        if self.writer is None:
            return
        self.reports.append(
            {
                "id": name,
                "when": str(report.when),
                "outcome": str(report.outcome),
                "expected": hasattr(report, "wasxfail"),
                "failure": failure if report.outcome == "failed" else None,
            }
        )
        if report.outcome == "failed" and not self.every:
            self.tell()

    def tell(self):
        if self.effects.started_processes():
            self.effects.reasons.append("it starts a process")
        told = {"reports": self.reports, "reasons": self.effects.reasons, "unclean": self.unclean}
        data = json.dumps(told).encode("utf-8") + b"\n"
        while data:
            data = data[self.functions[0](self.writer, data) :]
        self.functions[1](0)


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
