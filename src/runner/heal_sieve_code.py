"""Candidates as changes of live functions: which code objects a changed text
has in place of others, and which functions of this process hold those.

Parses and compiles; calls nothing. Whatever cannot be mapped for certain is
`Unsuitable`. Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import __future__

import ast
import gc
import os
import sys
import types
import warnings

# Flags of a code object: fast locals (a function's, not a class's or a
# module's), and what decides how a function is called.
OPTIMIZED = 0x1
CALLING = 0x4 | 0x8 | 0x20 | 0x80 | 0x100 | 0x200
HAS_DOCSTRING = 0x4000000


class Unsuitable(Exception):
    """Why a candidate cannot be made of live functions, in words."""


class Unit(object):
    """One statement of a file's top level, with its bytes."""

    def __init__(self, start, end, line):
        self.start, self.end, self.line = start, end, line
        self.code = None


class File(object):
    """A file that candidates change, as it is loaded in this process."""

    def __init__(self, path, file, ran):
        self.path = path
        # (name, first line) of the codes that have run in this process.
        self.ran = ran
        with open(file, "rb") as opened:
            self.text = opened.read()
        self.units, self.live, self.names = [], {}, set()
        if b"\x0c" in self.text or self.text.startswith(b"\xef\xbb\xbf"):
            # Form feeds and marks shift what the parser counts.
            raise Unsuitable("`%s` has marks that are not counted" % path)
        tree = ast.parse(self.text)
        self.flags = 0
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    feature = getattr(__future__, alias.name)
                    mandatory = feature.getMandatoryRelease()
                    # What has become the rule leaves no flag in a file's code.
                    if mandatory is None or mandatory > sys.version_info:
                        self.flags |= feature.compiler_flag
        # CPython calls a method of a name that an import binds in another way
        # than of any other, so each statement is compiled with all of them.
        self.imports = "".join("\nimport %s as %s" % (name, name) for name in sorted(imported(tree.body)))
        starts = [0]
        for line in self.text.splitlines(True):
            starts.append(starts[-1] + len(line))
        for node in tree.body:
            first = min([node.lineno] + [one.lineno for one in getattr(node, "decorator_list", ())])
            start, end = starts[first - 1], starts[node.end_lineno]
            if self.units and start < self.units[-1].end:
                # Two statements on one line are one unit.
                self.units[-1].end = max(end, self.units[-1].end)
            else:
                self.units.append(Unit(start, end, first))

    def compiled(self, segment, line):
        """The code of one statement at its own lines, as the whole file's."""
        name = next(iter(self.names))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = "\n" * (line - 1) + segment.decode("utf-8") + self.imports
            return compile(text, name, "exec", self.flags, dont_inherit=True)

    def changed(self, start, end, text):
        """[(function, new code)] for an edit of the bytes `start..end`."""
        if not self.names:
            raise Unsuitable("`%s` was not loaded when the tests were collected" % self.path)
        if len(self.names) > 1:
            raise Unsuitable("`%s` was loaded by several names" % self.path)
        unit = next((unit for unit in self.units if unit.start <= start and end <= unit.end), None)
        if unit is None:
            raise Unsuitable("it changes more than one statement of `%s`" % self.path)
        if unit.code is None:
            unit.code = self.compiled(self.text[unit.start : unit.end], unit.line)
        segment = self.text[unit.start : start] + text + self.text[end : unit.end]
        try:
            new = self.compiled(segment, unit.line)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise Unsuitable("`%s` does not compile: %s" % (self.path, error))
        found = []
        differing([unit.code], [new], found)
        if not found:
            raise Unsuitable("it changes no code of `%s`" % self.path)
        swaps = []
        for old, made in found:
            swaps += self.swaps(old, made)
        return swaps

    def swaps(self, old, made):
        """The swaps for a code that differs: `old` and `made` are the ways to
        it from the top level, itself last."""
        functions = [(one, other) for one, other in zip(old, made) if is_function(one)]
        if not functions or not is_function(old[-1]):
            raise Unsuitable("it changes what runs when `%s` is loaded" % self.path)
        check(old[-1], made[-1])
        if (old[-1].co_name, old[-1].co_firstlineno) in self.ran:
            # What it came to then (a table, a cache) may live on.
            raise Unsuitable("`%s` ran when the tests were collected" % old[-1].co_name)
        found = []
        for index, (one, other) in enumerate(functions):
            holders = self.live.get((one.co_name, one.co_firstlineno), ())
            if index == 0 and not holders:
                raise Unsuitable("no live function is `%s`" % one.co_name)
            for holder in holders:
                if whole(holder.__code__) != whole(one):
                    raise Unsuitable("`%s` does not run the code of its file" % one.co_name)
                found.append((holder, other))
        return found


def imported(nodes):
    """Names that imports bind in the scope of `nodes`."""
    found = set()
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                found.add(alias.asname or alias.name.split(".")[0])
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            found |= imported(ast.iter_child_nodes(node))
    return found - {"*"}


def is_function(code):
    return bool(code.co_flags & OPTIMIZED) and not code.co_name.startswith("<generic parameters")


def check(old, new):
    """Refuses what a swap of the code alone does not bring about."""
    count = old.co_argcount + old.co_kwonlyargcount + bool(old.co_flags & 4) + bool(old.co_flags & 8)
    same = (
        (old.co_argcount, old.co_posonlyargcount, old.co_kwonlyargcount, old.co_flags & CALLING, old.co_name)
        == (new.co_argcount, new.co_posonlyargcount, new.co_kwonlyargcount, new.co_flags & CALLING, new.co_name)
        and old.co_varnames[:count] == new.co_varnames[:count]
    )
    if not same:
        raise Unsuitable("it changes how `%s` is called" % old.co_name)
    if old.co_freevars != new.co_freevars:
        raise Unsuitable("`%s` binds other outer names" % old.co_name)
    if documentation(old) != documentation(new):
        raise Unsuitable("it changes the documentation of `%s`" % old.co_name)


def documentation(code):
    first = code.co_consts[0] if code.co_consts else None
    if code.co_name.startswith("<"):
        return None
    # Before 3.14 the first constant is the documentation or `None`.
    told = code.co_flags & HAS_DOCSTRING if sys.version_info >= (3, 14) else isinstance(first, str)
    return first if told else None


def inner(code):
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def constant(value):
    """A constant with its type, all the way down: `1`, `1.0` and `True` are equal."""
    if isinstance(value, types.CodeType):
        return ("code", value.co_name)
    if isinstance(value, (tuple, frozenset)):
        parts = [constant(one) for one in value]
        return (type(value).__name__, tuple(sorted(parts, key=repr) if isinstance(value, frozenset) else parts))
    return (type(value).__name__, repr(value))


def own(code):
    """All that a code does, its lines and the codes inside it left out."""
    return (
        code.co_name,
        code.co_code,
        getattr(code, "co_exceptiontable", b""),
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        tuple(constant(value) for value in code.co_consts),
    )


def whole(code):
    return (own(code), code.co_firstlineno, tuple(whole(one) for one in inner(code)))


def differing(old, new, found):
    """Appends the ways to the outermost codes that differ."""
    if own(old[-1]) != own(new[-1]):
        found.append((old, new))
        return
    for one, other in zip(inner(old[-1]), inner(new[-1])):
        differing(old + [one], new + [other], found)


# Objects that go on with the code they began with, and where they keep it.
SUSPENDED = ((types.GeneratorType, "gi_code"), (types.CoroutineType, "cr_code"), (types.AsyncGeneratorType, "ag_code"))


def files(paths, tree, ran):
    """`File` by path, with the functions that this process holds of it; a
    string instead, that says why, where it cannot be read. `ran(file)` are the
    codes of a file that have run."""
    found, by_real = {}, {}
    for path in paths:
        file = os.path.join(tree, path)
        try:
            found[path] = by_real[os.path.realpath(file)] = File(path, file, set(ran(os.path.realpath(file))))
        except (OSError, SyntaxError, ValueError, RecursionError, Unsuitable) as error:
            found[path] = "`%s` cannot be read: %s" % (path, error)
    real = {}

    def file_of(code):
        name = code.co_filename
        if name not in real:
            real[name] = by_real.get(os.path.realpath(name))
        return real[name]

    for one in gc.get_objects():
        kind = type(one)
        if kind is types.FunctionType:
            file = file_of(one.__code__)
            if file is not None:
                file.names.add(one.__code__.co_filename)
                file.live.setdefault((one.__code__.co_name, one.__code__.co_firstlineno), []).append(one)
        for suspended, name in SUSPENDED:
            if kind is suspended:
                file = file_of(getattr(one, name))
                if file is not None:
                    file.ran.add((getattr(one, name).co_name, getattr(one, name).co_firstlineno))
    return found


def planned(known, edits):
    """The swaps for a candidate's edits, `[path, start, end, text]` each."""
    swaps = []
    for path, start, end, text in edits:
        file = known.get(path)
        if not isinstance(file, File):
            raise Unsuitable(file or "`%s` is not known" % path)
        swaps += file.changed(start, end, text.encode("utf-8"))
    return swaps
