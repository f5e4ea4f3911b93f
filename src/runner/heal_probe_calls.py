"""Calls of a probe, each in a child process, and what came of them.

The child may be ruined by what it calls; this process only reads its lines.
Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import collections.abc
import copy
import dis
import hashlib
import itertools
import json
import os
import random
import select
import signal
import sys
import time
import warnings

from heal_probe_values import canonical
from heal_probe_values import shown

# Items taken from what a call yields.
MOST_ITEMS = 50
# Seconds of processor time for one call, and for a proof. The first is halved
# with every two calls that have no end, down to the least.
LIMIT = 0.2
LEAST = 0.01
LONG = 0.6
# Wall time without a word from the child.
SILENCE = 5.0
# Children that die or fall silent, and calls without an end, before no more
# calls of a variant are tried.
MOST_DEATHS = 4
MOST_ENDLESS = 40
MEMORY = 1 << 30
# What is raised where the arguments are none that the function is meant for.
INVALID = ("TypeError", "AttributeError", "AssertionError")


class Late(BaseException):
    """Raised in a call that is over its limit."""


class Outcome(object):
    """What a call came to: `returns`, `yields`, `raises`, or `endless`."""

    def __init__(self, ends, value, shown, left, changed, own, place):
        self.ends = ends
        # Digests of the value (or the exception's type), and of the arguments
        # as the call leaves them.
        self.value = value
        self.shown = shown
        self.left = left
        self.changed = changed
        # Whether the function's own `raise` raised it, and where it came from.
        self.own = own
        self.place = place

    def fields(self):
        return [self.ends, self.value, self.shown, self.left, self.changed, self.own, self.place]

    def normal(self):
        return self.ends in ("returns", "yields")

    def key(self):
        return (self.ends, self.value, self.left if self.normal() else None)


ENDLESS = Outcome("endless", "", "", "", "", False, "endless")


def counts(original, used, known):
    """Whether a call is one that the function is meant for.

    `known` are the places at which the original fails on the tests' own calls:
    there it is the fault itself that shows, not a wrong input.
    """
    refused = original.ends == "endless" or original.ends == "raises" and original.shown in INVALID
    return used or not refused or original.place in known


def differ(one, other, original, used, known):
    """Whether two outcomes of one call differ in a way that means something."""
    if one.key() == other.key() or not counts(original, used, known):
        return False
    if one.normal() and other.normal():
        return True
    if not one.normal() and not other.normal():
        return one.own and other.own and one.value != other.value
    if used or original.normal():
        return True
    bad = other if one.normal() else one
    return bad.own and bad.shown not in INVALID


class Caller(object):
    """Calls variants' functions in children."""

    def __init__(self, variants, kept):
        self.variants = variants
        self.kept = kept
        self.known = {}

    def run(self, number, calls, until, limit=LIMIT):
        """Outcomes of a variant by index of the call, as far as they come."""
        outcomes, at, deaths, late = {}, 0, 0, 0
        while at < len(calls) and time.monotonic() < until and deaths < MOST_DEATHS and late < MOST_ENDLESS:
            start = at
            at = self.some(number, calls, at, outcomes, until, (limit, late))
            late += sum(1 for done in range(start, at) if outcomes[done].ends == "endless")
            if at < len(calls) and late < MOST_ENDLESS and time.monotonic() < until:
                # The call ended its process.
                outcomes[at] = ENDLESS
                at += 1
                deaths += 1
        return outcomes

    def twice(self, number, call, until):
        """The outcome in a fresh process; `None` where two of them disagree."""
        known = (number, id(call))
        if known not in self.known:
            # With `known` the call itself is held, so that its id stays its own.
            one = self.run(number, [call], until, LONG).get(0)
            other = one if one is None or one.ends == "endless" else self.run(number, [call], until, LONG).get(0)
            agree = one is not None and other is not None and one.key() == other.key()
            self.known[known] = (one if agree else None, call)
        return self.known[known][0]

    def some(self, number, calls, start, outcomes, until, limits):
        """Runs calls from `start` in one child; says at which it stopped."""
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks where there are threads.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                self.child(number, calls[start:], writer, *limits)
            finally:
                os._exit(0)
        os.close(writer)
        at = start
        try:
            for line in lines(reader, until):
                if line is None:
                    break
                outcomes[at] = Outcome(*json.loads(line))
                at += 1
        finally:
            os.close(reader)
            for end in (lambda: os.killpg(child, signal.SIGKILL), lambda: os.kill(child, signal.SIGKILL)):
                try:
                    end()
                except OSError:
                    # It has ended, or has not yet made its own group.
                    pass
            os.waitpid(child, 0)
        return at

    def child(self, number, calls, writer, limit, late):
        contain()
        variants = self.variants
        variants.bind(number)
        own = {code for _, function in variants.bound(number) for code in function.codes()}
        for call in calls:
            if late >= MOST_ENDLESS:
                break
            for cache in variants.caches:
                cache.cache_clear()
            function = variants.live[call.target][0]
            outcome = attempt(function, call.copied(self.kept), own, max(limit / 2 ** (late // 2), LEAST))
            late += outcome.ends == "endless"
            data = json.dumps(outcome.fields()).encode() + b"\n"
            while data:
                data = data[os.write(writer, data) :]


def lines(reader, until):
    """What a child writes; `None` once it is silent for too long."""
    rest = b""
    while True:
        left = min(SILENCE, until - time.monotonic())
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            yield None
            return
        data = os.read(reader, 65536)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line


def contain():
    """Makes the child harmless as far as it can be from within."""
    os.setsid()
    for name in ("SIGALRM", "SIGVTALRM", "SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    sys.setprofile(None)
    sys.settrace(None)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), open(os.devnull, "w"), open(os.devnull, "w")
    import resource

    # No file grows; a pipe is no file.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = [(resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)]
    try:
        with open("/proc/self/statm") as file:
            limits.append((resource.RLIMIT_AS, int(file.read().split()[0]) * resource.getpagesize() + MEMORY))
    except (OSError, ValueError):
        pass
    for which, most in limits:
        try:
            resource.setrlimit(which, (most, resource.getrlimit(which)[1]))
        except (OSError, ValueError):
            pass
    warnings.simplefilter("ignore")


def attempt(function, call, own, limit):
    """Calls and says what came of it."""
    # What changed is told of proofs alone; whether something did, always.
    before = [safe(value) for value in call.positional] if limit == LONG else None
    arguments, named = call.arguments()
    # A default that is a list belongs to one call only.
    defaults = function.__defaults__, function.__kwdefaults__
    random.seed(0)

    lates = []

    def late(_signal, _frame):
        lates.append(1)
        if len(lates) > 1:
            # It swallows whatever is raised in it.
            os._exit(1)
        raise Late()

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, limit, limit)
    try:
        try:
            fresh(function)
            ends, value = settle(function(*arguments, **named))
            text, told = digest(canonical(value, whole=False)), shown(value)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except (Late, RecursionError, MemoryError):
        return ENDLESS
    except BaseException as error:
        name = type(error).__name__
        raised, place = origin(error, own)
        return Outcome("raises", name, name, "", "", raised, "%s %s" % (name, place))
    finally:
        function.__defaults__, function.__kwdefaults__ = defaults
    after = [safe(value) for value in call.positional]
    changed = [shown(value) for value, old, new in zip(call.positional, before or after, after) if old != new]
    left = digest(repr((after, safe(call.star), safe(call.named))))
    return Outcome(ends, text, told, left, ", ".join(changed), False, "")


def fresh(function):
    try:
        function.__defaults__, function.__kwdefaults__ = [
            copy.deepcopy(held, {id(one): one for one in holds(held) if type(one) is object})
            for held in (function.__defaults__, function.__kwdefaults__)
        ]
    except Exception:
        # What cannot be copied is shared.
        pass


def holds(defaults):
    return list(defaults.values() if isinstance(defaults, dict) else defaults or ())


def settle(result):
    """Awaits what is to be awaited and takes what is to be taken."""
    if isinstance(result, collections.abc.Coroutine):
        import asyncio

        result = asyncio.run(result)
    if isinstance(result, collections.abc.AsyncGenerator):
        import asyncio

        async def items():
            found = []
            async for item in result:
                found.append(item)
                if len(found) >= MOST_ITEMS:
                    break
            return found

        return "yields", asyncio.run(items())
    if isinstance(result, collections.abc.Iterator):
        return "yields", list(itertools.islice(result, MOST_ITEMS))
    return "returns", result


def origin(error, own):
    """Whether one of the codes `own` raised it by a `raise`, and its place."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return False, ""
    code = step.tb_frame.f_code
    raised = step.tb_lasti >= 0 and dis.opname[code.co_code[step.tb_lasti]] == "RAISE_VARARGS"
    return raised and code in own, "%s:%s" % (code.co_filename, step.tb_lineno)


def safe(value):
    try:
        return canonical(value, whole=False)
    except Exception as error:
        return type(error).__name__


def digest(text):
    return hashlib.sha1(text.encode("utf-8", "surrogatepass")).hexdigest()
