"""The sieve's Python pieces, without heal and without pytest around them.

A module is loaded from a file, a candidate's swaps are planned and made, and
what the module then does is what its changed text would do.
"""

import importlib.util
import os
import sys
import tempfile
import unittest

import heal_channel
import heal_sieve
import heal_sieve_code
import heal_sieve_watch


def loaded(tree, text, name="code_under"):
    path = os.path.join(tree, name + ".py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, path


def edits(text, old, new):
    assert text.count(old) == 1, old
    start = len(text[: text.index(old)].encode("utf-8"))
    return [["code_under.py", start, start + len(old.encode("utf-8")), new]]


class Swaps(unittest.TestCase):
    def after(self, text, old, new, ask, ran=()):
        """What `ask(module)` is once the swaps are made; or why there are none."""
        with tempfile.TemporaryDirectory() as tree:
            module, path = loaded(tree, text)
            known = heal_sieve_code.files(["code_under.py"], tree, lambda file: ran)
            try:
                swaps = heal_sieve_code.planned(known, edits(text, old, new))
            except heal_sieve_code.Unsuitable as why:
                return str(why)
            for function, code in swaps:
                function.__code__ = code
            return ask(module)

    def test_functions_are_found_wherever_they_live(self):
        closure = "def outer(n):\n    def inner(x):\n        return x - n\n    return inner\n\n\nHELD = outer(1)\n"
        method = "class A:\n    'é'\n\n    @property\n    def size(self):\n        return 1\n\n    @staticmethod\n    def twice(n):\n        return n * 2\n"
        future = "from __future__ import annotations\nimport math\n\n\ndef root(n: int) -> int:\n    return math.sqrt(n) + 1\n"
        for text, old, new, ask, wanted in [
            (closure, "x - n", "x + n", lambda module: (module.HELD(1), module.outer(2)(2)), (2, 4)),
            (method, "return 1", "return 2", lambda module: module.A().size, 2),
            (method, "n * 2", "n * 3", lambda module: module.A.twice(2), 6),
            (future, "+ 1", "+ 2", lambda module: module.root(4), 4.0),
            ("def f(): return 1; x = 2\ndef g(): return f()\n", "return 1", "return 3", lambda module: module.g(), 3),
            ("f = lambda n: n\n", ": n", ": -n", lambda module: module.f(1), -1),
        ]:
            self.assertEqual(self.after(text, old, new, ask), wanted, old)

    def test_what_is_no_body_of_a_function_is_refused(self):
        text = "LIMIT = 3\n\n\ndef f(n, m=1):\n    'About f.'\n    if n > LIMIT:\n        return m\n    yield n\n\n\nclass A:\n    size = 1\n\n\ndef gone():\n    return 1\n\n\ndel gone\n"
        for old, new, why in [
            ("LIMIT = 3", "LIMIT = 4", "it changes what runs when `code_under.py` is loaded"),
            ("m=1", "m=2", "it changes what runs when `code_under.py` is loaded"),
            ("n, m=1", "n, m=1, k=2", "it changes what runs when `code_under.py` is loaded"),
            ("n, m=1", "m, n=1", "it changes how `f` is called"),
            ("yield n", "return n", "it changes how `f` is called"),
            ("About f.", "About g.", "it changes the documentation of `f`"),
            ("size = 1", "size = 2", "it changes what runs when `code_under.py` is loaded"),
            ("return 1", "return 2", "no live function is `gone`"),
            ("if n > LIMIT:", "if n >:", "`code_under.py` does not compile: invalid syntax"),
            ("    yield n", "    yield n  # more", "it changes no code of `code_under.py`"),
        ]:
            self.assertTrue(str(self.after(text, old, new, lambda module: None)).startswith(why), (old, new, why))

    def test_what_has_run_before_is_refused(self):
        text = "def f():\n    return 1\n"
        self.assertEqual(self.after(text, "1", "2", lambda module: module.f()), 2)
        refused = self.after(text, "1", "2", lambda module: module.f(), ran={("f", 1)})
        self.assertEqual(refused, "`f` ran when the tests were collected")

    def test_a_generator_that_has_begun_counts_as_run(self):
        text = "def f():\n    yield 1\n\n\nHELD = f()\n"
        self.assertEqual(self.after(text, "1", "2", None), "`f` ran when the tests were collected")

    def test_functions_of_another_code_are_refused(self):
        text = "def f():\n    return 1\n\n\nf.__code__ = f.__code__.replace(co_consts=(None, 7))\n"
        self.assertEqual(self.after(text, "return 1", "return 2", None), "`f` does not run the code of its file")

    def test_equal_constants_of_other_types_differ(self):
        text = "def f():\n    return 1, frozenset({0.0})\n"
        self.assertIs(type(self.after(text, "1,", "True,", lambda module: module.f()[0])), bool)
        self.assertIs(type(self.after(text, "1,", "1.0,", lambda module: module.f()[0])), float)


class Watch(unittest.TestCase):
    def test_what_runs_while_it_watches_is_noted(self):
        with tempfile.TemporaryDirectory() as tree:
            path = os.path.join(tree, "code_under.py")
            ran = heal_sieve_watch.Ran([path])
            if ran.why is not None:
                # A profiler or a debugger watches these tests already.
                return
            loaded(tree, "def f():\n    return 1\n\n\ndef g():\n    return f()\n\n\ng()\n\n\ndef h():\n    return 2\n")
            self.assertIsNone(ran.stop())
            noted = {name for name, _ in ran.of(os.path.realpath(path))}
            self.assertEqual(noted & {"f", "g", "h"}, {"f", "g"})

    def test_paths_are_told_from_the_folder_they_are_in(self):
        folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
        try:
            found = heal_sieve_watch.located("a", folder)
            self.assertEqual(os.path.realpath(found), os.path.realpath(os.path.join(tempfile.gettempdir(), "a")))
        finally:
            os.close(folder)
        self.assertEqual(heal_sieve_watch.located("a", -1), os.path.abspath("a"))

    def test_only_what_cannot_come_of_the_sieve_is_clean(self):
        def raised(cause, error):
            try:
                try:
                    raise cause
                except BaseException:
                    raise error
            except BaseException as caught:
                return heal_sieve.unclean(caught) is None

        self.assertTrue(raised(ValueError(), AssertionError()))
        self.assertTrue(raised(KeyError(), RecursionError()))
        self.assertFalse(raised(ValueError(), OSError()))
        self.assertFalse(raised(FileNotFoundError(), ValueError()))
        self.assertFalse(raised(ValueError(), SystemExit()))
        self.assertFalse(raised(ValueError(), MemoryError()))

    def test_a_failure_in_brief_is_the_one_in_full(self):
        describer = heal_channel.Describer({"cwd": os.getcwd(), "tree": os.getcwd()}, [])
        for cause, error in [(None, ValueError("a\nb")), (KeyError("k"), ValueError("v")), (KeyError("k"), AssertionError("a"))]:
            try:
                raise error from cause
            except Exception as caught:
                full = describer.describe(caught)
                self.assertEqual(heal_channel.brief(caught), (full["kind"], full["message"]))


if __name__ == "__main__":
    sys.exit(unittest.main())
