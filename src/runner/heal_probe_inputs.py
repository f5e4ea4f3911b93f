"""Inputs of a probe: the calls that tests make, and others near them.

Makes values; calls no function of the project but its constructors' copies.
Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import copy
import random

from heal_probe_values import canonical
from heal_probe_values import shown

# Of a hundred inputs so many change one argument, the others two.
SINGLES = 80
SEED = 20250101


class Call(object):
    """One call: what each parameter gets."""

    def __init__(self, target, positional, star, named, used):
        self.target = target
        self.positional = positional
        self.star = star
        self.named = named
        # Whether a test makes this very call, not another function of the
        # patches and not the probe.
        self.used = used

    def parts(self):
        return (self.positional, self.star, self.named)

    def identity(self):
        return canonical(self.parts())

    def slots(self):
        found = [("positional", index) for index in range(len(self.positional))]
        found += [("star", None)] if self.star else []
        return found + [("named", name) for name in sorted(self.named)]

    def get(self, slot):
        where, which = slot
        return self.star if where == "star" else getattr(self, where)[which]

    def replaced(self, slot, value):
        where, which = slot
        made = Call(self.target, list(self.positional), self.star, dict(self.named), False)
        if where == "star":
            made.star = value
        else:
            getattr(made, where)[which] = value
        return made

    def copied(self, kept):
        parts = copy.deepcopy(self.parts(), dict(kept))
        return Call(self.target, parts[0], parts[1], parts[2], self.used)

    def arguments(self):
        return list(self.positional) + list(self.star), self.named


def text(call, function, live):
    """The call as a person would write it; what equals a default is left out."""
    name = call.target[1][0]
    positional, own = list(call.positional), name
    if "." in name and not function.decorator("staticmethod") and positional:
        owner = positional.pop(0)
        last = name.rsplit(".", 1)[1]
        if last == "__init__":
            own = type(owner).__name__
        else:
            own = "%s.%s" % (owner.__qualname__ if isinstance(owner, type) else shown(owner), last)
        if function.decorator("property"):
            return own
    defaults = live.__defaults__ or ()
    # Of those that may be given, so many are.
    given = len(call.positional) - live.__code__.co_argcount + len(defaults)
    while not call.star and given > 0 and positional and same(positional[-1], defaults[given - 1]):
        positional.pop()
        given -= 1
    words = [shown(value) for value in positional + list(call.star)]
    usual = live.__kwdefaults__ or {}
    for key, value in call.named.items():
        if key not in usual or not same(value, usual[key]):
            words.append("%s=%s" % (key, shown(value)))
    return "%s(%s)" % (own, ", ".join(words))


def same(one, other):
    try:
        return one is other or canonical(one) == canonical(other)
    except Exception:
        return False


class Hints(object):
    """What is worth trying for one function's parameters."""

    def __init__(self, constants, calls):
        self.numbers = [value for value in constants if type(value) is int][:6]
        self.words = [value for value in constants if type(value) is str and value.isprintable()][:4]
        self.seen = {}
        for call in calls:
            for slot in call.slots():
                values = self.seen.setdefault(slot, [])
                if len(values) < 6 and not any(same(call.get(slot), value) for value in values):
                    values.append(call.get(slot))

    def others(self, slot, value, default):
        """Values that the parameter has elsewhere, where they may stand here."""
        seen = self.seen.get(slot, [])
        kinds = {type(one) for one in seen} | {type(default)}
        found = [one for one in seen if not same(one, value)]
        if type(None) in kinds and value is not None:
            found.insert(0, None)
        return found


def inputs(calls, constants, live, method, limit):
    """The calls, then calls near them: at most `limit`, none twice."""
    hints = Hints(constants, calls)
    known, made = set(), []

    def take(call):
        try:
            identity = call.identity()
        except Exception:
            return
        if identity not in known:
            known.add(identity)
            made.append(call)

    for call in calls:
        take(call)
    options = {}
    for call in calls:
        lengths = sorted({size for slot in call.slots() for size in sizes(call.get(slot))})
        options[id(call)] = near = {}
        for slot in call.slots():
            owner = method and slot == ("positional", 0)
            near[slot] = list(of_object(call.get(slot), hints)) if owner else spread(call, slot, hints, lengths, live)
    queues = [iter(alternate(call, options[id(call)])) for call in calls]
    most = limit * SINGLES // 100
    while queues and len(made) < most:
        for queue in list(queues):
            following = next(queue, None)
            if following is None:
                queues.remove(queue)
            elif len(made) < most:
                take(following)
    chance = random.Random(SEED)
    rich = [call for call in calls if sum(1 for near in options[id(call)].values() if near) > 1]
    for _ in range(4 * limit if rich else 0):
        if len(made) >= limit:
            break
        call = chance.choice(rich)
        near = options[id(call)]
        first, second = chance.sample(sorted((slot for slot in near if near[slot]), key=repr), 2)
        take(call.replaced(first, chance.choice(near[first])).replaced(second, chance.choice(near[second])))
    return made


def alternate(call, near):
    """One change for each argument in turn."""
    for rank in range(max([len(values) for values in near.values()] or [0])):
        for slot, values in near.items():
            if rank < len(values):
                yield call.replaced(slot, values[rank])


def spread(call, slot, hints, lengths, live):
    value = call.get(slot)
    others = hints.others(slot, value, default_of(slot, live))
    numbers = list(nearby(value, hints, lengths, 0))
    # Turn about, so that both come to be tried where there is room for few.
    mixed = []
    for rank in range(max(len(others), len(numbers))):
        mixed += others[rank : rank + 1] + numbers[rank : rank + 1]
    return mixed[:40]


def default_of(slot, live):
    """The parameter's default; anything but `None` where it has none."""
    where, which = slot
    if where == "named":
        return (live.__kwdefaults__ or {}).get(which, 0)
    defaults = live.__defaults__ or ()
    index = which - (live.__code__.co_argcount - len(defaults)) if where == "positional" else -1
    return defaults[index] if 0 <= index < len(defaults) else 0


def sizes(value):
    if type(value) in (str, list, tuple, dict, set, frozenset, bytes):
        return (len(value) - 1, len(value), len(value) + 1)
    return ()


def nearby(value, hints, lengths, depth):
    """Values like this one, of the same type; the most telling first."""
    kind = type(value)
    if kind is bool:
        yield not value
    elif kind is int:
        for number in hints.numbers[:3]:
            yield number
        for number in (value + 1, value - 1, 0, 1, -1):
            yield number
        for number in list(lengths)[:6]:
            yield number
        for number in hints.numbers:
            for step in (0, 1, -1):
                yield number + step
        yield 2 * value
        yield -value
    elif kind is float:
        for number in (0.0, value + 1, value - 1, -value, value + 0.5, value * 2, 1.0):
            yield number
        for number in hints.numbers:
            yield float(number)
    elif kind is str:
        for word in strings(value, hints):
            yield word
    elif kind is bytes:
        for word in (b"", value[:1], value[:-1], value + value, value[::-1]):
            yield word
    elif kind in (list, tuple):
        for items in sequences(list(value), hints, depth):
            yield kind(items)
    elif kind in (set, frozenset):
        items = sorted(value, key=repr)
        for few in (items[:0], items[:1], items[1:]):
            yield kind(few)
        for other in nearby(items[0], hints, (), depth + 1) if items and depth < 2 else ():
            yield kind([other] + items[1:])
    elif kind is dict:
        pairs = list(value.items())
        for few in (pairs[:0], pairs[:1], pairs[1:], pairs[::-1]):
            yield dict(few)
        for other in nearby(pairs[0][1], hints, (), depth + 1) if pairs and depth < 2 else ():
            yield dict([(pairs[0][0], other)] + pairs[1:])
    elif hasattr(kind, "_make") and isinstance(value, tuple):
        for index, item in enumerate(value):
            for other in list(nearby(item, hints, (), depth + 1))[:6] if depth < 2 else ():
                yield kind._make(value[:index] + (other,) + value[index + 1 :])
    elif depth < 2:
        for other in of_object(value, hints):
            yield other


def strings(value, hints):
    yield ""
    yield value[:1]
    for word in hints.words:
        if word:
            yield word
            yield value + word
            yield word + value
    half = len(value) // 2
    for word in (value[:-1], value[1:], value + value[-1:], value + value, " " + value + " ", value[:half] + " " + value[half:]):
        yield word
    for word in (value.swapcase(), value[::-1], value[:half] + "\u00e9" + value[half:], value + "1", value + "\n"):
        yield word


def sequences(items, hints, depth):
    yield []
    yield items[:1]
    yield items[:-1]
    yield items[1:]
    yield items[::-1]
    yield items + items[-1:]
    yield items + items
    yield items[:1] + items
    places = sorted({0, len(items) // 2, len(items) - 1}) if items and depth < 2 else ()
    near = [list(nearby(items[place], hints, (), depth + 1))[:12] for place in places]
    for rank in range(max([len(one) for one in near] or [0])):
        for place, others in zip(places, near):
            if rank < len(others):
                yield items[:place] + [others[rank]] + items[place + 1 :]


def of_object(value, hints):
    """The object with one attribute changed that its constructor takes.

    Others may depend on each other in ways nobody wrote down.
    """
    try:
        held = object.__getattribute__(value, "__dict__")
        code = type(value).__init__.__code__
    except AttributeError:
        return
    taken = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    for name in taken:
        if name in held and type(held[name]) in (bool, int, float, str):
            for other in list(nearby(held[name], hints, (), 2))[:8]:
                try:
                    made = copy.copy(value)
                    object.__getattribute__(made, "__dict__")[name] = other
                except Exception:
                    continue
                yield made
