"""The differential probe's Python piece, without heal around it.

Each case loads one text of a module, makes a few calls as a test would, and
reads the answer that would go into heal's channel.
"""

import asyncio
import collections
import os
import sys
import tempfile
import time
import types
import unittest

import heal_probe
import heal_probe_calls
import heal_probe_inputs
import heal_probe_values


class Channel(object):
    def write(self, kind, **fields):
        self.kind, self.fields = kind, fields


def probed(original, patches, calls, laid=1, **more):
    """The answer for the texts, after `calls(module)` with one of them laid."""
    with tempfile.TemporaryDirectory() as tree:
        path = os.path.join(tree, "code_under.py")
        texts = [original] + patches
        variants = [{"code_under.py": text} for text in texts]
        request = dict({"variants": variants, "laid": laid, "seconds": 20}, **more)
        channel = Channel()
        probe = heal_probe.Probe({"probe": request, "tree": tree}, channel)
        module = types.ModuleType("code_under")
        sys.modules["code_under"] = module
        exec(compile(texts[laid], path, "exec", dont_inherit=True), module.__dict__)
        probe.start()
        try:
            calls(module)
        finally:
            probe.stop()
        held = {name: getattr(value, "__code__", None) for name, value in vars(module).items()}
        probe.answer()
        after = {name: getattr(value, "__code__", None) for name, value in vars(module).items()}
        assert held == after, "the process that ran the tests is as it was"
        del sys.modules["code_under"]
        return channel.fields["answer"]


def differences(answer):
    return [(tuple(one["pair"]), one["call"], [(each["ends"], each.get("text", "")) for each in one["outcomes"]]) for one in answer["differences"]]


def text(line):
    return "def f(n):\n    if %s:\n        return 'big'\n    return 'small'\n" % line


class Rivals(unittest.TestCase):
    def test_equal_patches_do_not_differ(self):
        answer = probed(text("n > 10"), [text("n >= 10"), text("n > 9")], lambda code: (code.f(10), code.f(3)))
        self.assertEqual((answer["why"], answer["unprobed"], answer["differences"]), ("", [], []))
        self.assertEqual(answer["calls"], 2)
        self.assertGreater(answer["inputs"], 10)

    def test_patches_that_differ_near_the_tests_are_told_apart(self):
        answer = probed(text("n > 10"), [text("n >= 10"), text("n == 10")], lambda code: (code.f(10), code.f(3)))
        self.assertEqual(differences(answer), [((1, 2), "f(11)", [("returns", "'big'"), ("returns", "'small'"), ("returns", "'big'")])])

    def test_any_of_the_texts_may_be_the_one_that_is_loaded(self):
        for laid in (0, 1, 2):
            answer = probed(text("n > 10"), [text("n >= 10"), text("n == 10")], lambda code: code.f(10), laid=laid)
            self.assertEqual([one[:2] for one in differences(answer)], [((1, 2), "f(11)")])

    def test_a_wrong_constant_is_told_from_the_fix_of_another_line(self):
        split = (
            "def split_iter(src, sep=None, maxsplit=None):\n    if maxsplit is not None:\n        maxsplit = int(maxsplit)\n"
            "        if maxsplit == %s:\n            yield [src]\n            return\n    group, count = [], 0\n    for item in src:\n"
            "        if maxsplit is not None and count >= maxsplit:\n            sep = object()\n        if item == sep:\n"
            "            if sep is None%s and not group:\n                continue\n            count += 1\n            yield group\n"
            "            group = []\n        else:\n            group.append(item)\n    if group or sep is not None:\n        yield group\n"
        )
        calls = lambda code: (list(code.split_iter(["a", None, "b"], None, 2)), list(code.split_iter(["a"])))
        answer = probed(split % ("0", ""), [split % ("1", ""), split % ("0", " and True")], calls)
        ((pair, call, outcomes),) = differences(answer)
        self.assertEqual(pair, (1, 2))
        self.assertRegex(call, r"^split_iter\(\[.*\], None, [01]\)$")
        self.assertEqual(outcomes[1], outcomes[2])
        self.assertEqual(outcomes[0][0], "yields")


class Kinds(unittest.TestCase):
    def differ(self, original, patches, calls, pair=(1, 2)):
        answer = probed(original, patches, calls)
        self.assertEqual((answer["why"], answer["unprobed"]), ("", []))
        found = differences(answer)
        self.assertEqual([one[0] for one in found], [pair])
        return found[0][1], found[0][2][:2]

    def test_methods_show_their_object(self):
        cart = "class Cart:\n    def __init__(self, items):\n        self.items = items\n\n    def total(self, rate):\n        return sum(self.items) %s rate\n"
        call, outcomes = self.differ(cart % "-", [cart % "+", cart % "*"], lambda code: code.Cart([2]).total(2))
        self.assertEqual(call, "Cart(items=[2]).total(0)")
        self.assertEqual(outcomes, [("returns", "2"), ("returns", "0")])

    def test_what_a_method_leaves_behind_counts(self):
        box = "class Box:\n    def __init__(self):\n        self.held = []\n\n    def put(self, n):\n        self.held.append(%s)\n"
        call, outcomes = self.differ(box % "n", [box % "n + n", box % "n * n"], lambda code: code.Box().put(2))
        self.assertRegex(call, r"^Box\(held=\[\]\)\.put\(-?\d\)$")
        self.assertEqual([ends for ends, _ in outcomes], ["leaves", "leaves"])

    def test_static_and_class_methods_and_properties(self):
        both = (
            "class A:\n    def __init__(self, n):\n        self.n = n\n\n    @staticmethod\n    def s(n):\n        return n + %s\n\n"
            "    @classmethod\n    def c(cls, n):\n        return [cls.s(n)]\n\n    @property\n    def p(self):\n        return self.n + %s\n"
        )

        def use(code):
            code.A.s(1), code.A.c(1), code.A(4).p

        call, _ = self.differ(both % ("n", 0), [both % ("1", 0), both % ("n * n", 0)], use)
        self.assertRegex(call, r"^A\.s\(-?\d\)$")
        call, _ = self.differ(both % ("n", 0), [both % ("n", 4), both % ("n", "self.n")], use)
        self.assertRegex(call, r"^A\(n=-?\d\)\.p$")
        inner = both.replace("[cls.s(n)]", "cls.s(n) %s")
        call, _ = self.differ(inner % (1, "- 1", 0), [inner % (1, "+ 2", 0), inner % (1, "* 2", 0)], use)
        self.assertRegex(call, r"^A\.c\(-?\d\)$")

    def test_a_recursive_function_calls_its_own_variant(self):
        power = "def power(n):\n    if n <= 1:\n        return %s\n    return 2 * power(n - 1)\n"
        call, outcomes = self.differ(power % "1", [power % "2 * n", power % "2"], lambda code: code.power(3))
        self.assertEqual((call, outcomes), ("power(0)", [("returns", "0"), ("returns", "2")]))
        cached = "import functools\n\n\n@functools.lru_cache(None)\n" + power
        call, outcomes = self.differ(cached % "1", [cached % "2 * n", cached % "2"], lambda code: code.power(3))
        self.assertEqual(call, "power(0)")

    def test_endless_generators_are_read_for_a_while(self):
        count = "def count(n):\n    while True:\n        yield n\n        n += %s\n"
        call, outcomes = self.differ(count % "2", [count % "1", count % "n"], lambda code: next(code.count(1)))
        self.assertEqual([ends for ends, _ in outcomes], ["yields", "yields"])
        self.assertIn(call, ("count(0)", "count(1)"))

    def test_async_functions_are_awaited(self):
        wait = "import asyncio\n\n\nasync def wait(n):\n    await asyncio.sleep(0)\n    return n + %s\n"
        call, _ = self.differ(wait % "0", [wait % "2", wait % "n"], lambda code: asyncio.run(code.wait(2)))
        self.assertRegex(call, r"^wait\(-?\d\)$")

    def test_an_endless_variant_ends(self):
        spin = "def f(n):\n    total = 0\n    while n %s 0:\n        try:\n            total += n\n            n -= 2\n        except:\n            pass\n    return total\n"
        call, outcomes = self.differ(spin % "> 1 +", [spin % ">", spin % "!="], lambda code: code.f(4))
        self.assertEqual(outcomes[1], ("endless", ""))
        self.assertRegex(call, r"^f\(-?\d+\)$")

    def test_a_variant_that_ends_the_process_ends_one_call(self):
        leave = "import os\n\n\ndef f(n):\n    if n == %s:\n        os.abort() if n else None\n    return n\n"
        # `os.abort` is an effect, which keeps patches that call it from being probed.
        answer = probed(leave % "-1", [leave % "5", leave % "0"], lambda code: code.f(3))
        self.assertEqual([number for number, _ in answer["unprobed"]], [1, 2])
        hidden = leave.replace("os.abort()", "getattr(os, 'abort')()")
        call, outcomes = self.differ(hidden % "-9", [hidden % "4", hidden % "0"], lambda code: code.f(3))
        self.assertEqual((call, outcomes), ("f(4)", [("endless", ""), ("returns", "4")]))

    def test_default_values_and_new_imports_belong_to_a_variant(self):
        add = "def add(n, acc=%s):\n    acc = [] if acc is None else acc\n    acc.append(n)\n    return acc\n"
        answer = probed(add % "[]", [add % "None", add % "[7]"], lambda code: code.add(1))
        # Whether the list outlives the call is not seen by one call.
        self.assertEqual(differences(answer)[0][0], (1, 2))
        root = "%sdef root(n):\n    return %s\n"
        patches = [root % ("import math\n\n\n", "math.floor(n / 2)"), root % ("", "int(n / 2)")]
        for laid in (1, 2):
            answer = probed(root % ("", "n"), patches, lambda code: code.root(1), laid=laid)
            self.assertEqual((answer["unprobed"], differences(answer)[0][1]), ([], "root(-1)"))

    def test_patches_of_two_functions_are_compared_at_both(self):
        two = "def outer(n):\n    return inner(n) + %s\n\n\ndef inner(n):\n    return n + %s\n"
        answer = probed(two % (0, 0), [two % (1, 0), two % (0, 1)], lambda code: code.outer(1))
        ((pair, call, _),) = differences(answer)
        self.assertEqual((pair, call.split("(")[0]), ((1, 2), "inner"))
        answer = probed(two % (0, 0), [two % (1, 1), two % (1, "1 + 0")], lambda code: code.outer(1))
        self.assertEqual(answer["differences"], [])


class Meaning(unittest.TestCase):
    def found(self, original, patches, calls):
        answer = probed(original, patches, calls)
        self.assertEqual((answer["why"], answer["unprobed"]), ("", []))
        return differences(answer)

    def test_inputs_that_the_original_cannot_take_prove_nothing(self):
        first = "def first(items):\n    return items.%s\n"
        ways = [first % "pop(0) + 0 if items else []", first % "pop(0) if items else ()"]
        # On an empty list both patches return, in different ways.
        self.assertEqual(len(self.found(first % "pop(1)", ways, lambda code: code.first([1]))), 1)
        ways = [way.replace("return", "return items.x or").replace("or items", "or None if not items else items") for way in ways]
        broken = "def first(items):\n    items.x\n"
        one = "def first(items):\n    return %s if not items else 1\n"

        def use(code):
            code.first([1])

        # The original fails on the test's own call at this place: that is the fault.
        self.assertEqual(len(self.found(broken, [one % "2", one % "3"], use)), 1)
        guarded = "def first(items):\n    if not items:\n        items.x\n    return 0\n"
        self.assertEqual(self.found(guarded, [one % "2", one % "3"], use), [])

    def test_two_errors_are_no_difference_unless_both_are_raised_on_purpose(self):
        check = "def check(n):\n    if n < 0:\n        %s\n    return n\n"
        use = lambda code: code.check(1)
        self.assertEqual(self.found(check % "return []", [check % "[][1]", check % "{}[1]"], use), [])
        ((_, call, outcomes),) = self.found(check % "pass", [check % "raise ValueError(n)", check % "raise KeyError(n)"], use)
        self.assertEqual((call, outcomes[:2]), ("check(-1)", [("raises", "ValueError"), ("raises", "KeyError")]))

    def test_an_error_that_only_happens_counts_where_the_original_returned(self):
        item = "def item(n):\n    return %s\n"
        use = lambda code: code.item(2)
        ((_, call, outcomes),) = self.found(item % "n + 1", [item % "n + 0 // n", item % "n"], use)
        self.assertEqual((call, outcomes[0]), ("item(0)", ("raises", "ZeroDivisionError")))
        self.assertEqual(self.found(item % "6 // n", [item % "8 // n", item % "8 // n if n else 0"], use), [])

    def test_equal_numbers_and_sets_are_equal(self):
        give = "def give(n):\n    return %s\n"
        self.assertEqual(self.found(give % "n - 1", [give % "[n, {n, 0}, n > 0]", give % "[float(n), {0, n}, int(n > 0)]"], lambda code: code.give(2)), [])
        total = [give % "0.1 + 0.2 + n", give % "0.3 + n"]
        self.assertEqual(self.found(give % "n", total, lambda code: code.give(2.5)), [])

    def test_chance_is_no_difference(self):
        roll = "import random, time\n\n\ndef roll(n):\n    return n + %s\n"
        self.assertEqual(self.found(roll % "0", [roll % "time.perf_counter()", roll % "1 + time.perf_counter()"], lambda code: code.roll(1)), [])
        self.assertEqual(self.found(roll % "0", [roll % "random.random()", roll % "random.random() * 1"], lambda code: code.roll(1)), [])

    def test_marks_are_known_again_in_copies(self):
        mark = "MISSING = object()\n\n\ndef get(n, default=MISSING):\n    if default is MISSING:\n        return %s\n    return default\n"
        ((_, call, _),) = self.found(mark % "None", [mark % "n + 1", mark % "n * 2"], lambda code: code.get(1))
        self.assertRegex(call, r"^get\(-?\d\)$")


class Unprobed(unittest.TestCase):
    def why(self, original, patch, calls=lambda code: code.f(1)):
        answer = probed(original, [original + "# the same\n", patch], calls)
        return answer["why"] or dict(answer["unprobed"]).get(2)

    def test_what_cannot_be_bound_says_why(self):
        base = "LIMIT = 1\n\n\ndef f(n):\n    return n\n\n\nclass A:\n    def m(self):\n        pass\n"
        for find, replacement, why in [
            ("LIMIT = 1", "LIMIT = 2", "`code_under.py` changes outside of functions"),
            ("def f(n)", "def f(n, m=1)", "the parameters of `f` change"),
            ("def f(n)", "@staticmethod\ndef f(n)", "the decorators of `f` change"),
            ("def m(self)", "def x(self):\n        pass\n\n    def m(self)", "`A.x` is added or removed"),
            ("return n", "return open(n).read()", "`f` calls `open`, which does more than compute"),
            ("return n", "return subprocess.run([n])", "`f` calls `subprocess.run`, which does more than compute"),
            ("return n", "return n.unlink()", "`f` calls `unlink`, which does more than compute"),
            ("return n", "return (n", "`code_under.py` does not compile: "),
        ]:
            self.assertEqual((self.why(base, base.replace(find, replacement)) or "")[: len(why)], why, replacement)

    def test_a_parameter_with_the_name_of_an_effect_is_none(self):
        base = "def f(n, exit=abs):\n    return exit(n) + %s\n"
        self.assertIsNone(self.why(base % 0, base % 1))

    def test_arguments_that_cannot_be_copied_are_left_out(self):
        base = "def f(n):\n    return 1\n"
        why = self.why(base, base.replace("1", "2"), lambda code: code.f((one for one in [1])))
        self.assertIn("no call could be recorded: TypeError", why)
        self.assertEqual(self.why(base, base.replace("1", "2"), lambda code: None), "the tests call none of the patched functions")

    def test_a_difference_that_there_is_no_time_to_prove_is_not_alike(self):
        def f(line):
            return "def f(n):\n    return n + %s\n" % line

        known = heal_probe_calls.Caller.twice
        heal_probe_calls.Caller.twice = lambda self, number, call, until: None
        try:
            answer = probed(f("0"), [f("2"), f("n")], lambda code: code.f(2), seconds=2)
            self.assertEqual((answer["differences"], answer["unprobed"]), ([], []), "not the same twice")
            heal_probe_calls.Caller.twice = lambda self, number, call, until: time.sleep(max(0, until - time.monotonic()))
            answer = probed(f("0"), [f("2"), f("n")], lambda code: code.f(2), seconds=2)
        finally:
            heal_probe_calls.Caller.twice = known
        self.assertEqual(answer["unprobed"], [[2, "there was no time to prove a difference"]])

    def test_a_child_writes_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "seen")
            base = "from io import FileIO as Door\n\n\ndef f(n):\n    with Door(%r, 'a') as file:\n        file.write(b'x')\n    return %%s\n" % path
            probed(base % "n", [base % "n + 2", base % "n * 2"], lambda code: code.f(2))
            self.assertEqual(os.path.getsize(path), 1, "only the test's own call wrote")


    def test_a_laid_text_that_stands_in_the_way_is_named(self):
        base = "def f(n):\n    return n\n"
        answer = probed(base, ["LIMIT = 1\n" + base, base.replace("n\n", "n + 1\n")], lambda code: code.f(1))
        self.assertEqual((answer["why"], answer["unprobed"]), ("", [[1, "`code_under.py` changes outside of functions"]]))
        documented = '"""About."""\n' + base + "'more'\n"
        self.assertEqual(probed(base, [documented, base], lambda code: code.f(1))["unprobed"], [])


class Values(unittest.TestCase):
    def test_values_are_written_as_a_person_would(self):
        class Point(object):
            def __init__(self, x):
                self.x = x

        for value, wanted in [
            ([1, "a", None], "[1, 'a', None]"),
            ((1,), "(1,)"),
            ({"a": {2}}, "{'a': {2}}"),
            (Point([1]), "Point(x=[1])"),
            (collections.defaultdict(lambda: 1, a=2), "defaultdict({'a': 2})"),
            (set(), "set()"),
            (int, "int"),
            ("a" * 400, "'" + "a" * 238 + "\u2026"),
        ]:
            self.assertEqual(heal_probe_values.shown(value), wanted)

    def test_canonical_texts_are_equal_for_equal_values_alone(self):
        loop = [1]
        loop.append(loop)
        other = [1]
        other.append(other)
        canonical = heal_probe_values.canonical
        for one, two in [(1, 1.0), (True, 1), ({1, 2}, {2, 1}), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (loop, other)]:
            self.assertEqual(canonical(one), canonical(two))
        for one, two in [(1, "1"), ([1], (1,)), (b"a", "a"), (None, 0), ([[1], 2], [1, [2]]), ({1: 2}, {1, 2}), (0.1, 0.2)]:
            self.assertNotEqual(canonical(one), canonical(two))
        self.assertRaises(heal_probe_values.TooLarge, canonical, list(range(10000)))
        self.assertTrue(canonical(list(range(10000)), whole=False).endswith(" 2997, 2998, ..., ...]"))

    def test_values_near_a_value_keep_its_type(self):
        hints = heal_probe_inputs.Hints([7, "x"], [])
        for value in [True, 3, 2.5, "ab", b"ab", [1, 2], (1, "a"), {1, 2}, {"a": 1}]:
            near = list(heal_probe_inputs.nearby(value, hints, [2], 0))
            self.assertTrue(near)
            self.assertEqual({type(one) for one in near}, {type(value)}, value)
        self.assertEqual(list(heal_probe_inputs.nearby(None, hints, [], 0)), [])


if __name__ == "__main__":
    unittest.main()
