"""What the names of a failing frame held, each as one short line.

Runs no code of the project: values are taken apart by what Python itself
brings, never by their own `__repr__`. What looks like a secret is not shown.
Python 3.6 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import collections
import itertools
import linecache
import re
import sys
import types

NAMES = 16
# Parts that are written of a value, of one inside it, and so on.
ITEMS = (8, 5, 3)
DEPTH = len(ITEMS)
TEXT = 80
WIDTH = 160
# Bits of an integer that is written in full.
BITS = 256

HIDDEN = "<hidden>"
SECRET = re.compile(r"passw(?:or)?d|passphrase|secret|credential|(?:api|private|secret|access|signing|encryption)_?key|(?:auth|access|refresh|api|bearer)_?token|cookie|authorization", re.I)
TOKEN = re.compile(r"token|key|auth", re.I)
# A text without a space that is as long as keys are.
RANDOM = re.compile(r"[\w.~+/=:-]{20,}\Z", re.A)

PLAIN = (float, complex, bool, type(None), range)
# Types of the standard library whose `repr` runs none but its own code.
LIBRARY = (
    ("decimal", ("Decimal",)),
    ("datetime", ("date", "timedelta")),
    ("fractions", ("Fraction",)),
    ("uuid", ("UUID",)),
    ("pathlib", ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath")),
)
# Their zone may be the project's own.
ZONED = (("datetime", ("datetime", "time")),)
# Types of many values, and how one is written.
SEVERAL = ((list, "[]"), (tuple, "()"), (set, "{}"), (frozenset, "{}"), (dict, "{}"), (collections.deque, "[]"))
# What unittest keeps in a test's own object.
RUNNER = frozenset(["_testMethodName", "_testMethodDoc", "_outcome", "_cleanups", "_subtest", "_type_equality_funcs"])
# What a name that holds it tells about a fault: nothing.
SILENT = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)


def told(frame, line, ours):
    """[[name, value]] of the frame: what its `line` names, then the rest.

    `ours` says of a file's name whether it is the project's: objects of other
    classes are named only.
    """
    # pytest keeps parts of an assertion under names that no source has.
    held = [(name, value) for name, value in frame.f_locals.items() if name.isidentifier() and name != "__tracebackhide__"]
    held = [(name, value) for name, value in held if not issubclass(type(value), SILENT)]
    code = frame.f_code
    order = re.findall(r"\w+", linecache.getline(code.co_filename, line)) + list(code.co_varnames)
    held.sort(key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
    writer = Writer(ours)
    return [[name, cut(writer.named(name, value))] for name, value in held[:NAMES]]


def among(kind, kinds):
    """`kind in kinds` that asks no metaclass what is equal to it."""
    return any(kind is each for each in kinds)


def cut(text):
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "\u2026"


def loaded(types_of):
    """Those of the types whose modules are there."""
    modules = [(sys.modules.get(module), names) for module, names in types_of]
    return tuple(vars(module).get(name) for module, names in modules if type(module) is types.ModuleType for name in names)


class Writer(object):
    """Writes values as a person would, without asking them."""

    def __init__(self, ours):
        self.ours = ours
        self.library = loaded(LIBRARY)
        self.zoned = loaded(ZONED)

    def named(self, name, value, depth=0):
        """The value of a name, a key or an attribute."""
        kind = type(value)
        if issubclass(type(name), str) and not among(kind, PLAIN):
            if SECRET.search(name):
                return HIDDEN
            if among(kind, (str, bytes)) and TOKEN.search(name) and RANDOM.match(value if kind is str else value.decode("latin-1")):
                return HIDDEN
        return self.value(value, depth)

    def value(self, value, depth):
        kind = type(value)
        if kind is int:
            return self.integer(value)
        if among(kind, PLAIN) or among(kind, self.library):
            return repr(value)
        if among(kind, self.zoned):
            zone = kind.tzinfo.__get__(value)
            return repr(value.replace(tzinfo=None)) + (" in <%s>" % name_of(type(zone)) if zone is not None else "")
        if among(kind, (str, bytes, bytearray)):
            return self.text(value)
        name = name_of(kind)
        if issubclass(kind, type):
            return name_of(value)
        if among(kind, SILENT):
            return value.__name__
        if depth >= DEPTH:
            return "\u2026"
        for plain, write in ((int, self.integer), (str, self.text), (bytes, self.text), (float, repr)):
            if issubclass(kind, plain):
                # Of a subclass the plain value, by the plain type's own means.
                return "%s(%s)" % (name, write(plain.__getnewargs__(value)[0]))
        for plain, ends in SEVERAL:
            if issubclass(kind, plain):
                return self.several(value, plain, ends, depth)
        if issubclass(kind, BaseException):
            return "%s(%s)" % (name, self.joined(BaseException.args.__get__(value), depth))
        return self.object(value, kind, depth)

    def integer(self, value):
        bits = value.bit_length()
        return repr(value) if bits <= BITS else "<int of %d bits>" % bits

    def text(self, value):
        if len(value) <= TEXT:
            return repr(value)
        return "%s\u2026 (%d long)" % (repr(value[:TEXT]), len(value))

    def several(self, value, plain, ends, depth):
        kind = type(value)
        inner = self.pairs(value, depth) if plain is dict else self.joined(value, depth, plain)
        if kind is tuple and tuple.__len__(value) == 1:
            inner += ","
        text = ends[0] + inner + ends[1]
        if among(kind, (list, tuple, dict)) or kind is set and inner:
            return text
        if not inner or issubclass(kind, tuple):
            # `set()`, `Point(1, 2)`
            text = inner
        return "%s(%s)" % (name_of(kind), text)

    def joined(self, values, depth, plain=tuple):
        shown, more = parts(plain.__len__(values), depth)
        first = [self.value(item, depth + 1) for item in itertools.islice(plain.__iter__(values), shown)]
        return ", ".join(first + more)

    def pairs(self, values, depth):
        shown, more = parts(dict.__len__(values), depth)
        first = itertools.islice(dict.items(values), shown)
        first = ["%s: %s" % (self.value(key, depth + 1), self.named(key, item, depth + 1)) for key, item in first]
        return ", ".join(first + more)

    def object(self, value, kind, depth):
        name = name_of(kind)
        # Of an enumeration's member its name is the value.
        held = attributes(value)
        if type(held.get("_name_")) is str:
            return "%s.%s" % (name, held["_name_"])
        module = sys.modules.get(kind.__dict__.get("__module__"))
        file = vars(module).get("__file__") if type(module) is types.ModuleType else None
        if type(file) is not str or not self.ours(file):
            return "<%s object>" % name
        held = [(each, item) for each, item in held.items() if each not in RUNNER]
        if depth:
            # Of the few that are shown a flag says least.
            held.sort(key=lambda pair: among(type(pair[1]), (bool, type(None))))
        shown, more = parts(len(held), depth)
        first = ["%s=%s" % (each, self.named(each, item, depth + 1)) for each, item in held[:shown]]
        return "%s(%s)" % (name, ", ".join(first + more))


def parts(size, depth):
    """How many of so many parts are written, and what stands for the others."""
    shown = ITEMS[depth]
    # To leave out one part makes nothing shorter.
    return (size, []) if size <= shown + 1 else (shown, ["\u2026 %d more" % (size - shown)])


def name_of(kind):
    """The name of a type, whatever its metaclass says of it."""
    return type.__dict__["__name__"].__get__(kind)


def attributes(value):
    """What an object holds, by name; slots too."""
    found = {}
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            slot = kind.__dict__.get(name)
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    found[name] = slot.__get__(value)
                except AttributeError:
                    pass
    try:
        found.update(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        pass
    return {name: item for name, item in found.items() if isinstance(name, str)}
