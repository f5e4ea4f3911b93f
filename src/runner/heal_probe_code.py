"""The texts of a probe's variants, taken apart into functions that can be bound.

Parses and compiles; calls nothing. Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import ast
import functools
import gc
import os
import types

# Calls that do more than compute, by their dotted names or the first part of
# them: whoever calls one is not called on made-up arguments.
EFFECTS = {
    "open", "input", "exec", "eval", "exit", "quit", "breakpoint",
    "io.open", "sys.exit", "sys.settrace", "time.sleep", "signal", "multiprocessing", "threading",
    "os.remove", "os.unlink", "os.rename", "os.renames", "os.replace", "os.rmdir", "os.removedirs", "os.mkdir",
    "os.makedirs", "os.open", "os.write", "os.truncate", "os.link", "os.symlink", "os.chmod", "os.chown", "os.utime",
    "os.chdir", "os.kill", "os.killpg", "os.fork", "os.system", "os.popen", "os._exit", "os.abort", "os.putenv",
    "shutil", "subprocess", "socket", "ssl", "requests", "httpx", "urllib.request", "urlopen", "http", "ftplib",
    "smtplib", "sqlite3", "tempfile", "webbrowser", "ctypes",
}  # fmt: skip
# Methods that do, whatever they are called on.
EFFECT_METHODS = {
    "write_text", "write_bytes", "unlink", "rmdir", "mkdir", "touch", "symlink_to", "sendall", "sendto", "executemany",
    "executescript", "commit", "rollback", "terminate",
}  # fmt: skip

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Unprobed(Exception):
    """Why something cannot be probed, in words."""


class Unlaid(Unprobed):
    """Why the others cannot be made of the text that is laid."""


class Text(object):
    """One text of a file: its functions outside functions, and the rest.

    A function's key is its qualified name and which of that name it is (a
    property's getter and setter share one).
    """

    def __init__(self, text, file):
        self.imports = {}
        self.functions = {}
        codes = {}
        gather(compile(text, file, "exec", dont_inherit=True), codes)
        tree = ast.parse(text)
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports[ast.dump(node)] = node
        split = Split()
        self.rest = ast.dump(split.visit(tree))
        for key, node in split.found.items():
            first = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
            if (node.name, first) in codes:
                self.functions[key] = Function(node, codes[node.name, first])


class Split(ast.NodeTransformer):
    """Takes functions and imports out of a tree; what is left is the rest."""

    def __init__(self):
        self.path = []
        self.found = {}

    def visit_ClassDef(self, node):
        self.path.append(node.name)
        self.generic_visit(node)
        self.path.pop()
        return node

    def visit_FunctionDef(self, node):
        name = ".".join(self.path + [node.name])
        nth = sum(1 for known, _ in self.found if known == name)
        self.found[name, nth] = node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node):
        return None

    visit_ImportFrom = visit_Import

    def visit_Expr(self, node):
        # Documentation changes nothing.
        return None if isinstance(node.value, ast.Constant) else node


def gather(code, found):
    """Codes of functions outside functions, by name and first line."""
    for inner in code.co_consts:
        if not isinstance(inner, types.CodeType):
            continue
        # CO_OPTIMIZED tells a function from the body of a class.
        if inner.co_name.startswith("<generic parameters") or not inner.co_flags & 1:
            gather(inner, found)
        elif not inner.co_name.startswith("<"):
            found[inner.co_name, inner.co_firstlineno] = inner


class Function(object):
    """A function of one text."""

    def __init__(self, node, code):
        self.node = node
        self.code = code
        arguments = node.args
        self.defaults = ast.dump(ast.Tuple(elts=arguments.defaults)) + ast.dump(
            ast.Tuple(elts=[default or ast.Constant(value=None) for default in arguments.kw_defaults])
        )
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        self.parameters = (code.co_argcount, code.co_flags & 12, code.co_varnames[:count])
        self.decorators = [ast.dump(decorator) for decorator in node.decorator_list]
        self.body = ast.dump(ast.Module(body=node.body, type_ignores=[])) + self.defaults

    def decorator(self, name):
        return any(isinstance(one, ast.Name) and one.id == name for one in self.node.decorator_list)

    def effect(self):
        """The first call that does more than compute, or `None`."""
        for node in ast.walk(self.node):
            if isinstance(node, ast.Call):
                name = dotted(node.func)
                parts = name.split(".")
                # A parameter may be called `exit`.
                known = parts[0] in self.code.co_varnames
                if not known and any(".".join(parts[:end]) in EFFECTS for end in range(1, len(parts) + 1)):
                    return name
                if isinstance(node.func, ast.Attribute) and node.func.attr in EFFECT_METHODS:
                    return node.func.attr
        return None

    def codes(self):
        return nested(self.code)

    def constants(self):
        """Small numbers and short texts of the code."""
        for code in nested(self.code):
            for value in code.co_consts:
                if type(value) is int and abs(value) < 1000000 or type(value) is str and len(value) <= 8:
                    yield value


def nested(code):
    found = [code]
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found.extend(nested(inner))
    return found


def dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


class Variants(object):
    """All texts of all files: number 0 is the original, the others are patches.

    `laid` is the one that the test process loads.
    """

    def __init__(self, request, tree):
        self.files = {path: os.path.realpath(os.path.join(tree, path)) for path in request["variants"][0]}
        self.laid = request["laid"]
        self.unprobed = {}
        self.texts = []
        for number, variant in enumerate(request["variants"]):
            texts = {}
            for path, file in self.files.items():
                try:
                    texts[path] = Text(variant[path], file)
                except (SyntaxError, ValueError, RecursionError) as error:
                    self.unprobed[number] = "`%s` does not compile: %s" % (path, error)
            self.texts.append(texts)
        if self.laid in self.unprobed:
            raise Unlaid(self.unprobed[self.laid])
        if 0 in self.unprobed:
            raise Unprobed(self.unprobed[0])
        self.base = self.texts[self.laid]
        # (path, key) of every function that some variant changes, and of those
        # whose defaults differ.
        self.targets = set()
        self.varied = set()
        for number in range(len(self.texts)):
            self.judge(number)
        # Function objects of the running process, by target.
        self.live = {}
        self.caches = []

    def numbers(self):
        return [number for number in range(len(self.texts)) if number not in self.unprobed]

    def judge(self, number):
        """Notes what a variant changes, or why that cannot be bound."""
        if number in self.unprobed:
            return
        changed = set()
        try:
            for path, text in self.texts[number].items():
                for key in changes(path, self.base[path], text):
                    changed.add((path, key))
                    if text.functions[key].defaults != self.base[path].functions[key].defaults:
                        self.varied.add((path, key))
                own = changes(path, self.texts[0][path], text)
                for key in sorted(own):
                    function = text.functions[key]
                    effect = function.effect() or self.texts[0][path].functions[key].effect()
                    if effect:
                        raise Unprobed("`%s` calls `%s`, which does more than compute" % (key[0], effect))
        except Unprobed as why:
            self.unprobed[number] = str(why)
            if number == 0:
                raise Unlaid(str(why))
            return
        self.targets |= changed

    def find_live(self):
        """Finds the function objects to bind, whoever holds them."""
        places = {}
        for path, key in self.targets:
            code = self.base[path].functions[key].code
            places[self.files[path], code.co_name, code.co_firstlineno] = (path, key)
        real = {}
        objects = gc.get_objects()
        for one in objects:
            if type(one) is types.FunctionType:
                code = one.__code__
                file = real.get(code.co_filename)
                if file is None:
                    file = real[code.co_filename] = os.path.realpath(code.co_filename)
                target = places.get((file, code.co_name, code.co_firstlineno))
                if target is not None:
                    self.live.setdefault(target, []).append(one)
        # What a cache remembers was computed by the variant that is laid.
        wrapper = type(functools.lru_cache()(lambda: None))
        self.caches = [one for one in objects if type(one) is wrapper]
        for number in self.numbers():
            for target, function in self.bound(number):
                for one in self.live.get(target, ()):
                    if one.__code__.co_freevars != function.code.co_freevars:
                        self.unprobed[number] = "`%s` binds other outer names" % target[1][0]

    def bound(self, number):
        for path, key in sorted(self.targets):
            function = self.texts[number][path].functions.get(key)
            if function is not None:
                yield (path, key), function

    def bind(self, number):
        """Turns the functions of this process into a variant's."""
        for target, function in self.bound(number):
            path, key = target
            for one in self.live.get(target, ()):
                scope = one.__globals__
                for dump, node in self.texts[number][path].imports.items():
                    if dump not in self.base[path].imports:
                        run(node, scope, self.files[path])
                for name, added in self.texts[number][path].functions.items():
                    if name not in self.base[path].functions:
                        run(added.node, scope, self.files[path])
                one.__code__ = function.code
                if function.defaults != self.base[path].functions[key].defaults:
                    give_defaults(one, function.node.args, self.files[path])

    def original(self, target):
        path, key = target
        return self.texts[0][path].functions.get(key) or self.base[path].functions[key]

    def constants(self, target):
        """Constants of a target's texts, those that not all texts have first."""
        path, key = target
        texts = [self.texts[number][path].functions.get(key) for number in self.numbers()]
        sets = [set(map(typed, function.constants())) for function in texts if function is not None]
        common = set.intersection(*sets) if sets else set()
        every = set.union(*sets) if sets else set()
        return [value for _, value in sorted(every - common, key=repr) + sorted(common, key=repr)]


def typed(value):
    return type(value).__name__, value


def changes(path, before, after):
    """Keys of the functions in which two texts differ."""
    if before.rest != after.rest:
        raise Unprobed("`%s` changes outside of functions" % path)
    for key in set(before.functions) ^ set(after.functions):
        # A new function is defined beside the others; a method would have to
        # go into its class, and into what inherits from it.
        if "." in key[0]:
            raise Unprobed("`%s` is added or removed" % key[0])
    changed = set()
    for key in set(before.functions) & set(after.functions):
        one, other = before.functions[key], after.functions[key]
        if one.decorators != other.decorators:
            raise Unprobed("the decorators of `%s` change" % key[0])
        if one.parameters != other.parameters or type(one.node) is not type(other.node):
            raise Unprobed("the parameters of `%s` change" % key[0])
        if one.body != other.body:
            changed.add(key)
    return changed


def run(node, scope, file):
    exec(compile(ast.Module(body=[node], type_ignores=[]), file, "exec", dont_inherit=True), scope)


def give_defaults(function, arguments, file):
    """Evaluates the defaults of a variant where the function lives."""

    def value(node):
        return eval(compile(ast.Expression(body=node), file, "eval", dont_inherit=True), function.__globals__)

    function.__defaults__ = tuple(value(node) for node in arguments.defaults) or None
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults)
    function.__kwdefaults__ = {argument.arg: value(node) for argument, node in pairs if node is not None} or None
