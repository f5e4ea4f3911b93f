"""Values of a probe as text: one text to compare, another to show.

Looks at values through their types' own attributes; changes none. Python 3.8
and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import enum
import re
import types

from heal_locals import attributes

ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
PLAIN = (int, float, complex, str, bytes, bool, type(None), range, slice)
NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
MOST_NODES = 3000
MOST_DEPTH = 40
MOST_SHOWN = 240


class TooLarge(Exception):
    """The value has too many parts to be compared many times."""


def canonical(value, whole=True):
    """A text that is equal for values that an assertion would call equal.

    Of a value that is too large an error, or the text of its first parts.
    Numbers count by value (`1`, `1.0` and `True` are equal, floats to twelve
    digits), dictionaries and sets without their order, objects by their type
    and attributes.
    """
    return "".join(Canonical(whole).parts(value, 0))


class Canonical(object):
    def __init__(self, whole):
        self.whole = whole
        self.nodes = 0
        self.open = {}

    def parts(self, value, depth):
        self.nodes += 1
        if self.nodes > MOST_NODES or depth > MOST_DEPTH:
            if self.whole:
                raise TooLarge()
            return ["..."]
        kind = type(value)
        if kind in (int, bool):
            return ["%d" % value]
        if kind is float:
            if value == value and abs(value) < 1e15 and value == int(value):
                return ["%d" % value]
            return ["%.12g" % value]
        if kind in PLAIN:
            return [repr(value)]
        if isinstance(value, enum.Enum):
            return ["%s.%s" % (kind.__qualname__, value.name)]
        if isinstance(value, NAMED):
            return ["<%s>" % getattr(value, "__qualname__", kind.__name__)]
        if id(value) in self.open:
            return ["<%d up>" % (depth - self.open[id(value)])]
        self.open[id(value)] = depth
        try:
            return ["".join(self.inside(value, kind, depth + 1))]
        finally:
            del self.open[id(value)]

    def inside(self, value, kind, depth):
        name = kind.__qualname__
        if isinstance(value, (list, tuple)):
            each = ["".join(self.parts(item, depth)) for item in tuple(value)[: MOST_NODES + 1]]
            shape = "[%s]" if isinstance(value, list) else "(%s)"
        elif isinstance(value, (set, frozenset)):
            each = sorted("".join(self.parts(item, depth)) for item in tuple(value))
            shape, name = "{%s}", ""
        elif isinstance(value, dict):
            pairs = list(value.items())
            each = ["%s: %s" % ("".join(self.parts(key, depth)), "".join(self.parts(item, depth))) for key, item in pairs]
            if name != "OrderedDict":
                each.sort()
            shape, name = "{%s}", ""
        else:
            return self.object(value, kind, depth)
        text = shape % ", ".join(each)
        if kind in (list, tuple, set, frozenset, dict):
            return [text]
        return [name, text] + self.attributes(value, depth)

    def object(self, value, kind, depth):
        found = self.attributes(value, depth)
        if isinstance(value, BaseException):
            found += self.parts(list(value.args), depth)
        if found:
            return [kind.__qualname__] + found
        return [kind.__qualname__ + ":" + ADDRESS.sub("0x", repr(value))]

    def attributes(self, value, depth):
        found = attributes(value)
        return ["<%s>" % ", ".join("%s=%s" % (name, "".join(self.parts(found[name], depth))) for name in sorted(found))] if found else []


def shown(value):
    """The value as a person would write it, cut where it is long."""
    try:
        text = source(value, 0)
    except Exception:
        text = "<%s>" % type(value).__name__
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "\u2026"


def source(value, depth):
    kind = type(value)
    if depth > 5:
        return "..."
    if kind in PLAIN:
        return repr(value)
    if isinstance(value, enum.Enum):
        return "%s.%s" % (kind.__name__, value.name)
    if isinstance(value, NAMED):
        return getattr(value, "__qualname__", kind.__name__).replace("<locals>.", "")
    if kind in (list, tuple, set, frozenset, dict):
        # What is cut off anyway need not be written.
        several = list(value.items() if kind is dict else value)[:MOST_SHOWN]
        if kind is dict:
            return "{%s}" % ", ".join("%s: %s" % (source(key, depth + 1), source(item, depth + 1)) for key, item in several)
        items = [source(item, depth + 1) for item in several]
        if kind is list:
            return "[%s]" % ", ".join(items)
        if kind is tuple:
            return "(%s)" % (", ".join(items) + ("," if len(items) == 1 else ""))
        text = "{%s}" % ", ".join(sorted(items)) if items else "set()"
        return text if kind is set else "frozenset(%s)" % (text if items else "")
    own = kind.__repr__
    if own is not object.__repr__:
        text = repr(value)
        if not ADDRESS.search(text) and "\n" not in text:
            return text
    for plain in (dict, list, tuple, set, frozenset):
        if isinstance(value, plain):
            return "%s(%s)" % (kind.__name__, source(plain(value), depth + 1))
    held = attributes(value)
    return "%s(%s)" % (kind.__name__, ", ".join("%s=%s" % (name, source(item, depth + 1)) for name, item in held.items()))
