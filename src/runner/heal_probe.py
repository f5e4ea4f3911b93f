"""heal's differential probe: do patches that pass the same tests behave alike?

Records the calls that tests make of the patched functions, makes calls near
them, and compares what each patch makes of each. The tests themselves see
nothing of it. Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import gc
import os
import sys
import threading
import time
import types
import warnings

import heal_probe_calls
import heal_probe_inputs
from heal_probe_code import Unlaid
from heal_probe_code import Unprobed
from heal_probe_code import Variants
from heal_probe_values import canonical

# Distinct calls recorded of one function, and calls looked at for that.
MOST_CALLS = 40
MOST_LOOKS = 2000
# Calls in one test after which a profile function, which every call pays for,
# is taken away until the next.
MOST_EVENTS = 20000
# Seconds spent on copying arguments.
COPYING = 3.0
# Differing inputs of two patches that are tried again in fresh processes.
MOST_PROOFS = 6


class Probe(object):
    """Records while tests run, and answers when they are over."""

    def __init__(self, settings, channel):
        self.channel = channel
        self.request = settings["probe"]
        self.why = None
        # Why the patch that is laid stands in the others' way.
        self.unlaid = None
        try:
            self.variants = Variants(self.request, settings["tree"])
            self.recorder = Recorder(self.variants)
        except Unlaid as why:
            self.why, self.unlaid = "", str(why)
        except Unprobed as why:
            self.why = str(why)
        except Exception as error:
            self.why = "the texts cannot be read: %s" % error

    def start(self):
        if self.why is None:
            self.recorder.start()

    def stop(self):
        if self.why is None:
            self.recorder.stop()

    def answer(self):
        """Writes the one record that heal waits for."""
        answer = {"calls": 0, "inputs": 0, "unprobed": [], "differences": []}
        if self.unlaid is not None:
            answer["unprobed"] = [[self.request["laid"], self.unlaid]]
        elif self.why is None:
            try:
                self.compare(answer)
            except Unprobed as why:
                self.why = str(why)
            except Exception as error:
                self.why = "the probe failed: %s: %s" % (type(error).__name__, error)
        self.channel.write("probe", answer=dict(answer, why=self.why or ""))

    def compare(self, answer):
        variants = self.variants
        variants.find_live()
        if 0 in variants.unprobed:
            raise Unprobed(variants.unprobed[0])
        answer["unprobed"] = sorted([number, why] for number, why in variants.unprobed.items())
        numbers = variants.numbers()
        if len(numbers) < 3:
            return
        calls = self.recorder.calls
        answer["calls"] = sum(len(several) for several in calls.values())
        if not answer["calls"]:
            raise Unprobed(self.recorder.silence())
        limit = int(self.request.get("inputs", 400))
        seconds = float(self.request.get("seconds", 20))
        made = []
        for target, several in calls.items():
            function, live = variants.original(target), variants.live.get(target, [None])[0]
            if live is None:
                continue
            method = "." in target[1][0] and not function.decorator("staticmethod")
            several.sort(key=lambda call: (not call.used, len(call.identity())))
            constants = list(variants.constants(target))
            made += heal_probe_inputs.inputs(several, constants, live, method, limit // len(calls))
        end = time.monotonic() + seconds
        caller = heal_probe_calls.Caller(variants, self.recorder.kept)
        outcomes, known = {}, set()
        for done, number in enumerate(numbers):
            # What one variant leaves of its share the others have; the last
            # third is for the proofs.
            share = (end - seconds / 3.0 - time.monotonic()) / (len(numbers) - done)
            outcomes[number] = caller.run(number, made, time.monotonic() + max(share, 0.5))
            if number == 0:
                original = outcomes[0]
                known = {original[at].place for at in original if made[at].used and not original[at].normal()}
                made, outcomes[0] = counting(made, original, known)
        if not made:
            raise Unprobed("no call came to its end in time")
        # Half of the time again for proofs: who differs must not pass for alike.
        judge = Judge(self, caller, made, outcomes, known, end + seconds / 2)
        patches = [number for number in numbers if number != 0 and outcomes[number]]
        silent = {number: "its functions could not be called" for number in numbers if not outcomes[number]}
        for index, one in enumerate(patches):
            for other in patches[index + 1 :]:
                try:
                    found = judge.difference(one, other)
                except Unprobed as why:
                    silent.setdefault(other, str(why))
                    continue
                if found is not None:
                    answer["differences"].append(found)
        answer["unprobed"] += sorted([number, why] for number, why in silent.items())
        answer["inputs"] = min([len(outcomes[number]) for number in patches] or [0])


def counting(made, original, known):
    """The calls that can tell something, with the original's outcomes."""
    if heal_probe_calls.ENDLESS.place in known:
        # The fault is that it does not end: what was not tried counts as well.
        original = {at: original.get(at, heal_probe_calls.ENDLESS) for at in range(len(made))}
    kept = [at for at in sorted(original) if heal_probe_calls.counts(original[at], made[at].used, known)]
    return [made[at] for at in kept], {new: original[at] for new, at in enumerate(kept)}


class Judge(object):
    """Finds for two patches the call that shows best how they differ.

    A difference must show again in fresh processes.
    """

    def __init__(self, probe, caller, made, outcomes, known, end):
        self.variants = probe.variants
        self.caller = caller
        self.made = made
        self.outcomes = outcomes
        self.known = known
        self.end = end
        self.order = {target: index for index, target in enumerate(probe.recorder.calls)}

    def difference(self, one, other):
        found = []
        mine, theirs, original = (self.outcomes[number] for number in (one, other, 0))
        for at, call in enumerate(self.made):
            if not (at in mine and at in theirs and at in original):
                continue
            if heal_probe_calls.differ(mine[at], theirs[at], original[at], call.used, self.known):
                kept = original[at].key() in (mine[at].key(), theirs[at].key())
                both = mine[at].normal() and theirs[at].normal()
                text = self.text(call)
                found.append(((not kept, not both, self.order[call.target], len(text), at), text, call))
        found.sort(key=lambda one: one[0])
        for _, text, call in found[:MOST_PROOFS]:
            # Earlier calls in the same process may have left something behind.
            three = [self.caller.twice(number, call, self.end) for number in (one, other, 0)]
            if None in three and time.monotonic() >= self.end:
                raise Unprobed("there was no time to prove a difference")
            if None not in three and heal_probe_calls.differ(three[0], three[1], three[2], call.used, self.known):
                return {"pair": [one, other], "call": text, "outcomes": told(three)}
        return None

    def text(self, call):
        function, live = self.variants.original(call.target), self.variants.live[call.target][0]
        return heal_probe_inputs.text(call, function, live)


def told(outcomes):
    """Outcomes as heal reads them; where the values are alike, what is left."""
    one, other = outcomes[0], outcomes[1]
    alike = one.normal() and other.normal() and (one.ends, one.value) == (other.ends, other.value)
    found = []
    for each in outcomes:
        if each.ends == "endless":
            found.append({"ends": "endless"})
        elif alike and each.normal():
            found.append({"ends": "leaves", "text": each.changed})
        else:
            found.append({"ends": each.ends, "text": each.shown})
    return found


class Recorder(object):
    """Notes calls of the target functions with copies of their arguments."""

    def __init__(self, variants):
        self.calls = {}
        self.looks = {}
        self.seen = set()
        self.skipped = {}
        self.spent = 0.0
        self.kept = {}
        self.own = threading.get_ident()
        self.busy = False
        self.varied = variants.varied
        self.holders = {}
        self.places, self.files = {}, {}
        for path, key in variants.targets:
            code = variants.base[path].functions[key].code
            self.places[code.co_name, code.co_firstlineno, variants.files[path]] = (path, key)
        self.short = {place[:2] for place in self.places}
        self.tool = None
        if hasattr(sys, "monitoring"):
            self.tool = next((tool for tool in (4, 3, 5) if sys.monitoring.get_tool(tool) is None), None)
            if self.tool is not None:
                sys.monitoring.use_tool_id(self.tool, "heal")
                sys.monitoring.register_callback(self.tool, sys.monitoring.events.PY_START, self.on_start)

    def start(self):
        if self.tool is not None:
            sys.monitoring.set_events(self.tool, sys.monitoring.events.PY_START)
        elif sys.getprofile() is None:
            self.events = 0
            sys.setprofile(self.on_event)

    def stop(self):
        if self.tool is not None:
            sys.monitoring.set_events(self.tool, 0)
        elif sys.getprofile() == self.on_event:
            sys.setprofile(None)

    def silence(self):
        if self.skipped:
            return "no call could be recorded: %s" % sorted(self.skipped.values())[0]
        return "the tests call none of the patched functions"

    def target(self, code):
        if (code.co_name, code.co_firstlineno) not in self.short:
            return None
        file = self.files.get(code.co_filename)
        if file is None:
            file = self.files[code.co_filename] = os.path.realpath(code.co_filename)
        return self.places.get((code.co_name, code.co_firstlineno, file))

    def on_start(self, code, _offset):
        target = self.target(code)
        if target is None or self.looks.get(target, 0) >= MOST_LOOKS:
            return sys.monitoring.DISABLE
        self.saw(target, sys._getframe(1))
        return None

    def on_event(self, frame, event, _argument):
        if event == "call":
            target = self.target(frame.f_code)
            if target is not None and begins(frame):
                self.saw(target, frame)
                self.events += 1
                if self.events > MOST_EVENTS:
                    sys.setprofile(None)

    def saw(self, target, frame):
        """Copies a call's arguments; never lets the test see a failure."""
        looks = self.looks[target] = self.looks.get(target, 0) + 1
        several = self.calls.get(target, ())
        full = looks > MOST_LOOKS or len(several) >= MOST_CALLS or self.spent > COPYING
        if self.busy or full or threading.get_ident() != self.own:
            return
        self.busy = True
        began = time.perf_counter()
        try:
            # Where variants have other defaults, what is not given must stay so.
            function = self.function(frame.f_code) if target in self.varied else None
            call = called(target, frame, function, not self.inside(frame.f_back))
            identity = (target, call.identity())
            if identity not in self.seen:
                self.keep(frame.f_globals)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    call = call.copied(self.kept)
                self.seen.add(identity)
                self.calls.setdefault(target, []).append(call)
        except Exception as error:
            self.skipped[target] = "%s: %s" % (type(error).__name__, error)
        finally:
            self.spent += time.perf_counter() - began
            self.busy = False

    def function(self, code):
        """A function object of the code."""
        if code not in self.holders:
            holders = gc.get_referrers(code)
            self.holders[code] = next((one for one in holders if type(one) is types.FunctionType), None)
        return self.holders[code]

    def inside(self, frame):
        """Whether a target calls: then it is no call of the test's own."""
        depth = 0
        while frame is not None and depth < 200:
            if self.target(frame.f_code) is not None:
                return True
            frame = frame.f_back
            depth += 1
        return False

    def keep(self, scope):
        """Marks such as `MISSING = object()` are themselves, never copies."""
        for value in list(scope.values()):
            if type(value) is object:
                self.kept[id(value)] = value


def begins(frame):
    """Whether the frame is at its beginning; a generator comes back to it."""
    code = frame.f_code
    if not code.co_flags & 0x2A0 or frame.f_lasti < 0:
        return True
    # CPython 3.11: `RESUME` says where to by its argument.
    return sys.version_info >= (3, 11) and code.co_code[frame.f_lasti + 1] & 3 == 0


def called(target, frame, function, used):
    """The call that began this frame; with a function, without its defaults."""
    code, local = frame.f_code, frame.f_locals
    names = code.co_varnames
    count = code.co_argcount
    named = {name: local[name] for name in names[count : count + code.co_kwonlyargcount]}
    after = count + code.co_kwonlyargcount
    positional = [local[name] for name in names[:count]]
    if function is not None:
        usual = function.__kwdefaults__ or {}
        named = {name: value for name, value in named.items() if name not in usual or value is not usual[name]}
    star = ()
    if code.co_flags & 4:
        star = local[names[after]]
        after += 1
    if code.co_flags & 8:
        named.update(local[names[after]])
    if function is not None and not star:
        for default in reversed(function.__defaults__ or ()):
            if positional[-1] is not default:
                break
            positional.pop()
    return heal_probe_inputs.Call(target, positional, star, named, used)
