"""What heal tells of a failing frame's names, without heal around it."""

import collections
import datetime
import decimal
import enum
import json
import linecache
import os
import unittest

import heal_channel
import heal_locals

HERE = os.path.dirname(os.path.abspath(__file__))


class Loud(object):
    """Whatever it is asked, it says no."""

    def no(self, *_):
        raise AssertionError("code of the project ran")

    __repr__ = __str__ = __len__ = __bool__ = __iter__ = __eq__ = __hash__ = __getattr__ = __format__ = no

    def __getattribute__(self, name):
        raise AssertionError("code of the project ran")


class LoudList(list):
    __repr__ = __iter__ = __len__ = __getitem__ = __bool__ = Loud.no


class LoudDict(dict):
    __repr__ = __iter__ = __len__ = __getitem__ = items = __bool__ = Loud.no


class LoudText(str):
    __repr__ = __len__ = __getitem__ = __iter__ = __str__ = Loud.no


class LoudInt(int):
    __repr__ = __bool__ = __index__ = __str__ = bit_length = Loud.no


class LoudKind(type):
    __eq__ = __instancecheck__ = __subclasscheck__ = Loud.no
    __hash__ = type.__hash__


class LoudZone(datetime.tzinfo):
    __repr__ = __str__ = utcoffset = dst = tzname = Loud.no


OfLoudKind = LoudKind("OfLoudKind", (object,), {})


class Cart(object):
    def __init__(self):
        self.items = [("pen", 2)]
        self.password = "hunter2"
        self.token = "a1B2c3D4e5F6g7H8i9J0k1L2"


class Slotted(object):
    __slots__ = ("left", "right")

    def __init__(self):
        self.left = 1


class Colour(enum.Enum):
    RED = 1


class Flagged(object):
    def __init__(self):
        for name, value in zip("abcdef", [None, True, False, None, 1, "x"]):
            setattr(self, name, value)


class Case(unittest.TestCase):
    def runTest(self):
        self.cart = 3


Point = collections.namedtuple("Point", "x y")


def ours(file):
    return "here" if file.startswith(HERE) else None


def shown(value):
    return heal_locals.Writer(ours).value(value, 0)


def raised(function, *given):
    try:
        function(*given)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Values(unittest.TestCase):
    def test_values_are_written_as_a_person_would(self):
        deep = [[[[1]]]]
        same = []
        same.append(same)
        for value, wanted in [
            (3, "3"),
            (-(10**60), "-1" + "0" * 60),
            (1 << 5000, "<int of 5001 bits>"),
            (None, "None"),
            (0.1, "0.1"),
            ("a\nb", "'a\\nb'"),
            ("x" * 500, "'%s'\u2026 (500 long)" % ("x" * 80)),
            (b"\xff", "b'\\xff'"),
            ([], "[]"),
            ((1,), "(1,)"),
            (set(), "set()"),
            (frozenset(), "frozenset()"),
            ({3}, "{3}"),
            (frozenset([3]), "frozenset({3})"),
            (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, \u2026 12 more]"),
            ([list(range(9))], "[[0, 1, 2, 3, 4, \u2026 4 more]]"),
            ({"a": [1], 2: None}, "{'a': [1], 2: None}"),
            (deep, "[[[\u2026]]]"),
            (same, "[[[\u2026]]]"),
            (collections.deque([1, 2]), "deque([1, 2])"),
            (collections.OrderedDict([("a", 1)]), "OrderedDict({'a': 1})"),
            (Point(1, "b"), "Point(1, 'b')"),
            (decimal.Decimal("0.10"), "Decimal('0.10')"),
            (datetime.date(2020, 1, 2), "datetime.date(2020, 1, 2)"),
            (datetime.time(3, 4), "datetime.time(3, 4)"),
            (Colour.RED, "Colour.RED"),
            (Case(), "Case()"),
            (Flagged(), "Flagged(a=None, b=True, c=False, d=None, e=1, f='x')"),
            ([Flagged()], "[Flagged(e=1, f='x', a=None, b=True, c=False, d=None)]"),
            ([[Flagged()]], "[[Flagged(e=1, f='x', a=None, \u2026 3 more)]]"),
            (ValueError("no", 3), "ValueError('no', 3)"),
            (Slotted(), "Slotted(left=1)"),
            (object(), "<object object>"),
            (iter([]), "<list_iterator object>"),
            ([len, Cart], "[len, Cart]"),
            (os.environ, "<_Environ object>"),
        ]:
            self.assertEqual(shown(value), wanted)

    def test_no_code_of_the_project_runs(self):
        for value, wanted in [
            (Loud(), "Loud()"),
            (LoudList([1, Loud()]), "LoudList([1, Loud()])"),
            (LoudDict({"a": Loud()}), "LoudDict({'a': Loud()})"),
            (LoudText("abc"), "LoudText('abc')"),
            (LoudInt(7), "LoudInt(7)"),
            (OfLoudKind(), "OfLoudKind()"),
            (datetime.datetime(2020, 1, 2, tzinfo=LoudZone()), "datetime.datetime(2020, 1, 2, 0, 0) in <LoudZone>"),
            ([OfLoudKind], "[OfLoudKind]"),
        ]:
            self.assertEqual(shown(value), wanted)

    def test_what_looks_like_a_secret_is_not_shown(self):
        self.assertEqual(shown(Cart()), "Cart(items=[('pen', 2)], password=<hidden>, token=<hidden>)")
        random = "ghp_0123456789abcdefABCDEF"
        for name, value, wanted in [
            ("db_password", "x", "<hidden>"),
            ("API_KEY", b"x", "<hidden>"),
            ("secrets", ["a"], "<hidden>"),
            ("settings", {"client_secret": "a", "host": "h"}, "{'client_secret': <hidden>, 'host': 'h'}"),
            ("token", random, "<hidden>"),
            ("token", random.encode(), "<hidden>"),
            # Parsers have tokens, and dictionaries keys.
            ("token", "(", "'('"),
            ("key", "name of a thing, in words", "'name of a thing, in words'"),
            ("password_ok", False, "False"),
            ("password", None, "None"),
        ]:
            self.assertEqual(heal_locals.Writer(ours).named(name, value), wanted)


class Frames(unittest.TestCase):
    def told(self, error):
        settings = {"cwd": os.getcwd(), "tree": HERE}
        described = heal_channel.Describer(settings, [os.path.dirname(unittest.__file__)]).describe(error)
        held = described["locals"]
        return held and (held["file"], held["line"], held["values"]) , described["frames"]

    def test_the_innermost_frame_of_the_tree_tells_its_names(self):
        def inner(number, words):
            kind = int
            total = number + len(words)
            return int("x" * total, 10)

        (file, line, values), frames = self.told(raised(inner, 2, ["a"]))
        self.assertEqual([file, line], frames[0][:2])
        # Those of the line first; functions, classes and modules say nothing.
        self.assertEqual(values, [["total", "3"], ["number", "2"], ["words", "['a']"]])

    def test_frames_of_the_library_are_passed_over(self):
        def load(text):
            return json.loads(text)

        (file, _, values), frames = self.told(raised(load, "{"))
        self.assertEqual((file, values), (os.path.abspath(__file__), [["text", "'{'"]]))
        self.assertIn("json", frames[0][0])

    def test_many_names_are_cut_and_long_values_too(self):
        names = {"name_%d" % number: number for number in range(40)}
        code = "def many(%s):\n    raise ValueError(name_39)\n" % ", ".join(names)
        file = os.path.join(HERE, "made_up.py")
        module = {}
        exec(compile(code, file, "exec"), module)
        linecache.cache[file] = (len(code), None, code.splitlines(True), file)
        (_, line, values), _ = self.told(raised(lambda: module["many"](**names)))
        self.assertEqual((line, len(values), values[0]), (2, heal_locals.NAMES, ["name_39", "39"]))
        long = raised(exec, compile("def f(a):\n    1 / 0\nf(['x' * 70] * 8)", file, "exec"), {})
        self.assertEqual(len(self.told(long)[0][2][0][1]), heal_locals.WIDTH)

    def test_a_module_tells_nothing(self):
        file = os.path.join(HERE, "made_up.py")
        (_, _, values), _ = self.told(raised(exec, compile("a = 1\n1 / 0\n", file, "exec"), {}))
        self.assertEqual(values, [])

    def test_an_error_from_elsewhere_has_no_locals(self):
        held, _ = self.told(raised(compile, "1 +", "elsewhere.py", "exec"))
        self.assertEqual(held[0], os.path.abspath(__file__))
        bare = ValueError("never raised")
        self.assertIsNone(self.told(bare)[0])

    def test_the_roots_frame_is_told_and_not_what_wrapped_it(self):
        def root(cause):
            raise KeyError(cause)

        def wraps(outer):
            try:
                root("why")
            except KeyError as error:
                raise RuntimeError("wrapped") from error

        (_, _, values), _ = self.told(raised(wraps, 1))
        self.assertEqual(values, [["cause", "'why'"]])
