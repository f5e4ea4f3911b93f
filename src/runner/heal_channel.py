"""heal's half of the private channel, inside the test process.

Writes what tests did as JSON lines, ends tests at their deadline, and records
the lines they execute. Never prints, never changes what a test sees, and keeps
no file open between two records. Python 3.6 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import ast
import faulthandler
import json
import linecache
import os
import re
import signal
import sys
import time
import traceback

import heal_locals

SETTINGS = "HEAL_CHANNEL"
# Seconds that a process has for its way out after failing tests.
WAY_OUT = 5.0
TEXT_LIMIT = 2000
OUTPUT_LIMIT = 12000
INNER_FRAMES = 60
OUTER_FRAMES = 40


class HealTimeout(BaseException):
    """Raised inside a test that is over its deadline.

    No `Exception`, so that `except Exception` in a retry loop lets it through.
    """


def take_settings():
    """Reads the settings the environment names, and hides them from the tests.

    Processes that tests start (an inner pytest, a subprocess) must not speak
    into the channel, so the variables that brought heal in go first.
    """
    path = os.environ.pop(SETTINGS, None)
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        settings = json.loads(text)
    except (OSError, ValueError):
        return None
    # The nonce is the word that makes a record count. It is on the disk no
    # longer than it takes to read it, and no attribute holds it: `sealing`.
    if settings.get("once"):
        try:
            os.unlink(path)
        except OSError:
            pass
    settings["seal"], settings["again"] = sealing(settings.pop("nonce", ""), path, text)
    settings["directory"] = os.path.dirname(os.path.abspath(path))
    settings["cwd"] = os.getcwd()
    settings["taken"] = {SETTINGS: path}
    for name, value in settings.get("restore", {}).items():
        settings["taken"][name] = os.environ.get(name)
        put(name, value)
    return settings


def sealing(nonce, path, text):
    """Two functions that alone know the nonce: one puts it on a record, one
    writes the settings again for processes that are part of the runner."""

    def seal(record):
        record["nonce"] = nonce
        return record

    def again():
        shared = json.loads(text)
        shared["once"] = False
        with open(path, "w", encoding="utf-8") as file:
            json.dump(shared, file)

    return seal, again


def give_back(settings):
    """Shows the variables again, to processes that are part of the runner."""
    settings["again"]()
    for name, value in settings["taken"].items():
        put(name, value)


def put(name, value):
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


class Channel(object):
    """Appends records to this process's own file in the channel's directory."""

    def __init__(self, settings):
        self.settings = settings
        # Functions are held here, out of reach of what tests patch (`os.open`,
        # frozen clocks, fake file systems look into modules, not objects).
        self.functions = (os.open, os.write, os.close, os.getpid, json.JSONEncoder(ensure_ascii=False).encode)
        self.flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self.pid = os.getpid()
        self.path = os.path.join(settings["directory"], "records-%d.jsonl" % self.pid)
        self.clock = time.perf_counter
        # What goes with the next record.
        self.held = []

    def hold(self, kind, **fields):
        """A record that means nothing without the next one, which may be written
        with it: to open the file is what takes time."""
        fields["record"] = kind
        self.held.append(fields)

    def write(self, kind, **fields):
        self.hold(kind, **fields)
        self.flush()

    def flush(self):
        open_, write, close, getpid, encode = self.functions
        held, self.held = self.held, []
        # A forked child is not the process heal asked.
        if not held or getpid() != self.pid:
            return
        seal = self.settings["seal"]
        # Lone surrogates are no UTF-8 and no JSON either.
        data = "".join([encode(seal(record)) + "\n" for record in held]).encode("utf-8", "replace")
        try:
            descriptor = open_(self.path, self.flags, 0o600)
            try:
                while data:
                    data = data[write(descriptor, data) :]
            finally:
                close(descriptor)
        except OSError:
            # heal sees the gap: without an end record nothing counts.
            pass

    def end(self, code):
        """The last record. A run in which tests failed is ended soon after it.

        What a failing test leaves behind (a pool of workers that nobody closes)
        may keep the process for ever. The thread that ends it is no Python, so
        that no lock holds it up. A run that passed has to end by itself.
        """
        self.write("end", exit=code)
        if code == 1:
            try:
                self.nowhere = open(os.devnull, "w")
                faulthandler.dump_traceback_later(WAY_OUT, exit=True, file=self.nowhere)
            except (OSError, ValueError, AttributeError, RuntimeError):
                pass


def shorten(text, limit):
    """The text, its middle cut out where it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = limit // 4
    return text[:head] + "\n[... %d characters ...]\n" % (len(text) - limit) + text[-(limit - head) :]


def safe_repr(value):
    try:
        text = repr(value)
    except Exception as error:
        text = "<repr failed: %s>" % type(error).__name__
    return shorten(text, TEXT_LIMIT // 2).replace("\n[...", "[...").replace("...]\n", "...]")


def failed_example(error):
    """(error, doctest, example) where `error` is a doctest's failure."""
    inner = getattr(error, "failures", None)
    if type(error).__name__ == "MultipleDoctestFailures" and inner:
        error = inner[0]
    if type(error).__name__ in ("DocTestFailure", "UnexpectedException") and type(error).__module__ == "doctest":
        return error, error.test, error.example
    return None


def is_check(error):
    """Whether a test's own check raised it (`assert`, `fail()`)."""
    kind = type(error)
    return isinstance(error, AssertionError) or (kind.__name__ == "Failed" and kind.__module__ in ("_pytest.outcomes", "builtins"))


def message_of(error):
    """`Type: text`, the first line that says something."""
    try:
        parts = traceback.format_exception_only(type(error), error)
    except Exception:
        parts = [type(error).__name__]
    text = next((part for part in parts if part[:1] not in (" ", "\n", "")), parts[-1] if parts else "")
    lines = [line.rstrip() for line in text.splitlines()] or [type(error).__name__]
    first = lines[0]
    if first.endswith(":"):
        rest = next((line.strip() for line in lines[1:] if line.strip()), "")
        first = (first + " " + rest).strip()
    return first[:TEXT_LIMIT]


def chain_of(error):
    """The exceptions behind an exception, the root last."""
    chain = [error]
    seen = {id(error)}
    while len(chain) < 50:
        last = chain[-1]
        inner = getattr(last, "exceptions", None)
        following = last.__cause__
        if following is None and not last.__suppress_context__ and not is_check(last):
            # A check that fails while an exception is handled (a wrong
            # message under `pytest.raises`) speaks for itself.
            following = last.__context__
        if following is None and isinstance(inner, (list, tuple)) and inner and isinstance(inner[0], BaseException):
            following = inner[0]
        if following is None or id(following) in seen or isinstance(last, HealTimeout):
            break
        seen.add(id(following))
        chain.append(following)
    return chain


def told_of(chain):
    """Kind and message of a chain of exceptions."""
    if any(isinstance(link, HealTimeout) for link in chain):
        return "timeout", "Timeout: %s" % chain[-1]
    return "assertion" if is_check(chain[-1]) else "exception", message_of(chain[-1])


def brief(error):
    """Kind and message of a failure, without its places."""
    return told_of(chain_of(error))


class Tree(object):
    """Which files are the repository's."""

    LIBRARIES = ("site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox")

    def __init__(self, settings):
        tree = settings["tree"]
        self.roots = sorted({os.path.join(tree, ""), os.path.join(os.path.realpath(tree), "")})
        self.cwd = settings["cwd"]
        self.known = {}

    def file(self, name):
        """The path below the repository's root, or `None`."""
        try:
            return self.known[name]
        except KeyError:
            pass
        inside = None
        path = name if os.path.isabs(name) else os.path.join(self.cwd, name)
        if not name.startswith("<"):
            for root in self.roots:
                if path.startswith(root):
                    inner = os.path.normpath(path[len(root) :]).replace(os.sep, "/")
                    if not any(part in self.LIBRARIES for part in inner.split("/")):
                        inside = inner
                    break
        self.known[name] = inside
        return inside


class Describer(object):
    """Turns exceptions into data."""

    def __init__(self, settings, foreign):
        self.cwd = settings["cwd"]
        self.ours = Tree(settings).file
        # Folders of the runner itself: its frames say nothing of the fault.
        self.foreign = tuple(os.path.join(folder, "") for folder in foreign)

    def file_of(self, name):
        if not name.startswith("<") and not os.path.isabs(name):
            return os.path.join(self.cwd, name)
        return name

    def hidden(self, frame):
        if frame.f_code.co_filename.startswith(self.foreign) or "__unittest" in frame.f_globals:
            return True
        try:
            return bool(frame.f_locals.get("__tracebackhide__", False))
        except Exception:
            return False

    def steps(self, error):
        """Those of its traceback that are not the runner's, outermost first."""
        step = error.__traceback__
        while step is not None:
            if not self.hidden(step.tb_frame):
                yield step
            step = step.tb_next

    def frames(self, error):
        """[file, line, function], innermost first."""
        found = []
        for step in self.steps(error):
            code = step.tb_frame.f_code
            found.append([self.file_of(code.co_filename), step.tb_lineno, code.co_name])
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            found.append([self.file_of(str(error.filename)), error.lineno, None])
        found.reverse()
        return bounded(found)

    def locals(self, chain):
        """What the names held where the root was raised: in the innermost
        frame of the repository. `None` where there is none or it is a module's
        own, whose names are all it defines."""
        links = (list(self.steps(link)) for link in reversed(chain))
        ours = ([step for step in steps if self.ours(step.tb_frame.f_code.co_filename)] for steps in links)
        steps = next(filter(None, ours), None)
        if steps is None:
            return None
        frame, line = steps[-1].tb_frame, steps[-1].tb_lineno
        try:
            values = heal_locals.told(frame, line, self.ours) if frame.f_code.co_name != "<module>" else []
        except Exception:
            # A value that cannot be looked at says nothing.
            return None
        return {"file": self.file_of(frame.f_code.co_filename), "line": line, "values": values}

    def stack(self, frame):
        """The frames a thread stands in, innermost first."""
        found = []
        while frame is not None:
            if not self.hidden(frame) and frame.f_code.co_filename != __file__:
                found.append([self.file_of(frame.f_code.co_filename), frame.f_lineno, frame.f_code.co_name])
            frame = frame.f_back
        return bounded(found)

    def describe(self, error):
        """The failure: the root of the chain, with the frames of all of it."""
        example = failed_example(error)
        if example is not None:
            return self.describe_example(*example)
        chain = chain_of(error)
        kind, message = told_of(chain)
        frames = []
        for link in reversed(chain):
            frames.extend(self.frames(link))
        frames = frames[: 2 * (INNER_FRAMES + OUTER_FRAMES)]
        return {"kind": kind, "message": message, "frames": frames, "swapped": self.swapped(chain[-1]), "locals": self.locals(chain)}

    def describe_example(self, error, test, example):
        """A failed example of a doctest."""
        place = [self.file_of(str(test.filename)), (test.lineno or 0) + example.lineno + 1, test.name]
        raised = getattr(error, "exc_info", None)
        if raised:
            failure = self.describe(raised[1])
            failure["frames"] = [frame for frame in failure["frames"] if not frame[0].startswith("<doctest")] + [place]
            return failure
        want, got = example.want.rstrip("\n"), error.got.rstrip("\n")
        source = example.source.strip().splitlines()[0]
        message = "doctest: %s gave %s" % (source, got.splitlines()[0] if got else "nothing")
        values = {"expected": shorten(want, TEXT_LIMIT // 2), "actual": shorten(got, TEXT_LIMIT // 2)}
        return dict(values, kind="assertion", message=message[:TEXT_LIMIT], frames=[place], swapped=False)

    def swapped(self, error):
        """Whether the check names the wanted value first: `assertEqual(3, f())`."""
        if not is_check(error):
            return False
        last = None
        for step in self.steps(error):
            last = step
        if last is None:
            return False
        code = last.tb_frame.f_code
        try:
            check = statement_at(code.co_filename, last.tb_lineno)
            given = code.co_varnames[: code.co_argcount]
            lines = (code.co_firstlineno, last.tb_lineno)
            return wanted_first(check, given, lambda name: last_value(code.co_filename, lines, name))
        except Exception:
            return False


def bounded(frames):
    if len(frames) > INNER_FRAMES + OUTER_FRAMES:
        return frames[:INNER_FRAMES] + frames[-OUTER_FRAMES:]
    return frames


def statement_at(file, line):
    """The statement that starts at `line`, parsed; `None` where it does not parse."""
    text = ""
    for offset in range(12):
        text += linecache.getline(file, line + offset)
        try:
            body = ast.parse(text.strip()).body
        except (SyntaxError, ValueError):
            continue
        statement = body[0] if body else None
        while isinstance(statement, ast.FunctionDef):
            statement = statement.body[-1]
        return statement
    return None


def last_value(file, lines, name):
    """What a name was last given between two lines of a file, parsed, and whether it was used there since; `None`
    where it was given nothing."""
    inside = [
        node
        for node in ast.walk(ast.parse("".join(linecache.getlines(file))))
        if lines[0] <= getattr(node, "lineno", 0) < lines[1]
    ]
    names = [node for node in inside if isinstance(node, ast.Name) and node.id == name]
    given = [node for node in inside if isinstance(node, ast.Assign) and any(one in node.targets for one in names)]
    if not given:
        return None
    found = max(given, key=lambda node: node.lineno)
    return found.value, any(one.lineno > found.lineno for one in names)


def wanted_first(statement, given=(), last=lambda name: None):
    """Whether a check names the wanted value first; `given`: the test's parameters, `last`: what a name was last given."""
    first = second = None
    if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare) and len(statement.test.ops) == 1:
        first, second = statement.test.left, statement.test.comparators[0]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and len(statement.value.args) >= 2:
        function = statement.value.func
        if getattr(function, "attr", getattr(function, "id", "")).startswith("assert"):
            first, second = statement.value.args[:2]
    if first is None:
        return False
    if looks_wanted(second):
        return False
    if looks_wanted(first):
        return True
    calls = [part for part in ast.walk(second) if isinstance(part, ast.Call)]
    if not isinstance(first, ast.Name) or not calls:
        return False
    # A row of a table, beside what is computed of its other columns.
    if first.id in given:
        return any(isinstance(part, ast.Name) for call in calls for part in arguments_of(call))
    known = last(first.id)
    return known is not None and is_written_out(*known)


def arguments_of(call):
    values = call.args + [keyword.value for keyword in call.keywords]
    return [part for value in values for part in ast.walk(value)]


def is_written_out(node, is_used):
    """Whether a value is a literal, indented or not, and no collection that somebody may have filled or changed."""
    while isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
            node = node.func.value
        elif getattr(node.func, "attr", getattr(node.func, "id", "")) in ("dedent", "cleandoc") and node.args:
            node = node.args[0]
        else:
            return False
    try:
        value = ast.literal_eval(node)
    except Exception:
        return False
    return bool(value) and not (is_used and isinstance(value, (list, dict, set)))


def looks_wanted(node):
    if isinstance(node, ast.Name):
        return node.id.lower().startswith(("expect", "want", "exp_"))
    try:
        ast.literal_eval(node)
    except Exception:
        return False
    return True


class Deadline(object):
    """Ends a test that runs too long.

    At the limit SIGALRM raises `HealTimeout` in the main thread, and again each
    second where that is swallowed; five seconds after the limit the process
    says which test hung and ends itself. Code that burns processor time in C
    and never lets a Python signal handler run is ended by ITIMER_VIRTUAL, whose
    signal prints the stack from C. There is no thread: from Python 3.12 on one
    would make `os.fork` warn, and tests that turn warnings into errors fail.
    """

    GRACE = 5

    def __init__(self, channel, describer, inside):
        self.channel = channel
        self.describer = describer
        # Says whether an exception raised at this frame is caught as the
        # test's own failure, and does not tear the runner down.
        self.inside = inside
        self.limit = float(channel.settings.get("limit") or 0)
        self.works = self.limit > 0 and hasattr(signal, "setitimer")
        self.signals = (signal.signal, signal.getsignal) + ((signal.setitimer, signal.getitimer) if self.works else ())
        self.test = None
        # When the limit of the last test was passed, and where it stood then;
        # kept until the next one is armed.
        self.expired = None
        self.stood = []
        self.previous = None
        self.armed = False
        self.stack_file = None
        if self.works:
            try:
                path = os.path.join(channel.settings["directory"], "stack-%d.txt" % os.getpid())
                self.stack_file = open(path, "w")
                faulthandler.register(signal.SIGVTALRM, file=self.stack_file, all_threads=False, chain=True)
            except (OSError, ValueError, AttributeError, RuntimeError):
                self.stack_file = None

    def arm(self, test):
        if self.expired is not None:
            # Endless once, endless again, as a rule: what follows gets less,
            # and heal gives whatever was merely slow its full time later.
            self.limit = max(min(self.limit, 2.0), self.limit / 5.0)
        self.expired = None
        if not self.works:
            return
        set_signal, _, set_timer, get_timer = self.signals
        self.test = test
        try:
            # pytest-timeout and the like: a shorter limit of their own stands.
            left = get_timer(signal.ITIMER_REAL)[0]
            if not 0 < left <= self.limit:
                self.previous = set_signal(signal.SIGALRM, self.alarm)
                set_timer(signal.ITIMER_REAL, self.limit, 1.0)
                self.armed = True
            if self.stack_file is not None:
                set_timer(signal.ITIMER_VIRTUAL, self.limit + self.GRACE + 1)
        except (ValueError, OSError):
            # Not the main thread: heal's limit for the whole command is left.
            self.works = False

    def disarm(self):
        if not self.works:
            return
        set_signal, get_signal, set_timer, _ = self.signals
        self.test = None
        try:
            if self.stack_file is not None:
                set_timer(signal.ITIMER_VIRTUAL, 0)
            # Bound methods are equal, never identical.
            if self.armed and get_signal(signal.SIGALRM) == self.alarm:
                set_timer(signal.ITIMER_REAL, 0)
                set_signal(signal.SIGALRM, self.previous if self.previous is not None else signal.SIG_DFL)
        except (ValueError, OSError):
            pass
        self.armed = False

    def alarm(self, _signal, frame):
        # pytest shows where the test stood, not this.
        __tracebackhide__ = True
        if self.test is None or self.channel.functions[3]() != self.channel.pid:
            return
        now = self.channel.clock()
        if self.expired is None:
            self.expired = now
            self.stood = self.describer.stack(frame)
        if now - self.expired >= self.GRACE:
            self.channel.write("hung", id=self.test, limit=self.limit, frames=self.describer.stack(frame))
            os._exit(70)
        if not self.inside(frame):
            self.signals[2](signal.ITIMER_REAL, 0.05, 1.0)
            return
        raise HealTimeout(self.words())

    def words(self):
        return "the test was still running after %g s" % self.limit

    def overran(self):
        """The failure of a test that swallowed its timeout and went on."""
        if self.expired is None:
            return None
        return {"kind": "timeout", "message": "Timeout: " + self.words(), "frames": self.stood, "swapped": False}


# Bits of a line's number, beside which the identity of its function is kept.
LINE_BITS = 32
LINE_MASK = (1 << LINE_BITS) - 1


class Lines(object):
    """Records which lines of the repository run.

    `sys.monitoring` from Python 3.12 on, else `sys.settrace`, which is left
    alone where a debugger or coverage holds it. Of the monitoring's two tools
    one finds the repository's functions, each once; the other hears the lines
    of those alone, each once a test. While a test runs the monitoring keeps
    nothing that the garbage collector counts: tests compare such counts.
    """

    def __init__(self, settings):
        self.active = bool(settings.get("trace"))
        self.file = Tree(settings).file
        # Lines by file; of the monitoring, numbers that tell function and line.
        self.hits = {}
        self.heard = set()
        self.running = False
        # How many of those that only tell of a failure are at work.
        self.telling = 0
        # The repository's functions by identity, the file and the events of each.
        self.codes, self.files, self.events = {}, {}, {}
        # Those whose lines have been heard since the last test began.
        self.touched = set()
        self.finder = self.tool = None
        if self.active and hasattr(sys, "monitoring"):
            self.claim()

    def claim(self):
        monitoring, events = sys.monitoring, sys.monitoring.events
        free = [tool for tool in (4, 3, 5) if monitoring.get_tool(tool) is None]
        if len(free) < 2:
            return
        self.finder, self.tool = free[:2]
        for tool in free[:2]:
            monitoring.use_tool_id(tool, "heal")
        monitoring.register_callback(self.finder, events.PY_START, self.on_found)
        monitoring.register_callback(self.tool, events.PY_START, self.on_start)
        monitoring.register_callback(self.tool, events.LINE, self.on_line)

    def start(self):
        if not self.active:
            return
        self.hits, self.heard = {}, set()
        if self.tool is not None:
            # A line that was heard is heard again when its function is
            # listened to anew; to restart all events would cost each function
            # of every library.
            for key in self.touched:
                sys.monitoring.set_local_events(self.tool, self.codes[key], 0)
                sys.monitoring.set_local_events(self.tool, self.codes[key], self.events[key])
            self.touched = set()
            self.running = True
            sys.monitoring.set_events(self.finder, sys.monitoring.events.PY_START)
        elif not hasattr(sys, "monitoring") and sys.gettrace() is None:
            import threading

            self.running = True
            threading.settrace(self.on_call)
            sys.settrace(self.on_call)

    def stop(self):
        """Returns {file: lines}, or `None` where nothing was recorded."""
        if not self.running:
            return None
        self.running = False
        hits, self.hits = self.hits, {}
        if self.tool is not None:
            for number in self.heard:
                hits.setdefault(self.files[number >> LINE_BITS], set()).add(number & LINE_MASK)
        else:
            import threading

            if sys.gettrace() == self.on_call:
                sys.settrace(None)
            threading.settrace(None)
        return {file: sorted(lines) for file, lines in hits.items()}

    def telling_of(self, owner, name):
        """Records nothing while a function works that only tells of a failure.

        What it runs of the project (`__repr__`, above all) only failing tests
        run, so that it would be the first suspect.
        """
        function = getattr(owner, name, None)
        if not self.active or function is None:
            return

        def telling(*arguments, **named):
            self.telling += 1
            try:
                return function(*arguments, **named)
            finally:
                self.telling -= 1

        setattr(owner, name, telling)

    def on_found(self, code, offset):
        file = self.file(code.co_filename)
        if file is not None and id(code) not in self.codes:
            events = sys.monitoring.events.LINE
            # Seen in CPython 3.13.0, not in 3.12: a body that begins on the
            # line of its `def` or `lambda` has no LINE event for that line.
            first = code.co_firstlineno
            begins = any(line == first and end > offset + 2 for _, end, line in code.co_lines())
            if begins:
                events |= sys.monitoring.events.PY_START
            self.codes[id(code)], self.files[id(code)], self.events[id(code)] = code, file, events
            sys.monitoring.set_local_events(self.tool, code, events)
            if begins:
                self.on_start(code, offset)
        return sys.monitoring.DISABLE

    def on_start(self, code, _offset):
        return self.on_line(code, code.co_firstlineno)

    def on_line(self, code, line):
        if self.telling:
            # Not for good: the test itself may come here.
            return None
        key = id(code)
        self.touched.add(key)
        if self.running:
            self.heard.add(key << LINE_BITS | line)
        return sys.monitoring.DISABLE

    def on_call(self, frame, event, _argument):
        if not self.running or self.telling:
            return None
        file = self.file(frame.f_code.co_filename)
        if file is None:
            return None
        add = self.hits.setdefault(file, set()).add

        def on_event(frame, event, _argument):
            if event == "line":
                add(frame.f_lineno)
            return on_event

        return on_event


def loaded_modules():
    """[name, file] of every module with a file, the standard library left out."""
    library = os.path.join(os.path.realpath(os.path.dirname(os.__file__)), "")
    own = ("heal_channel", "heal_pytest", "heal_pytest_hooks", "heal_unittest")
    found, folders = [], {}
    for name, module in sorted(list(sys.modules.items()), key=lambda pair: str(pair[0])):
        try:
            file = getattr(module, "__file__", None)
        except Exception:
            continue
        if not isinstance(file, str) or not isinstance(name, str) or name in own or name.startswith(("heal_probe", "heal_sieve")):
            continue
        # Faster than `os.path.split`.
        folder = file[: file.rfind(os.sep) + 1]
        # Each folder once: there may be ten thousand modules. Links on the way to
        # one are its folder's.
        if folder not in folders:
            real = os.path.join(os.path.realpath(folder), "")
            packages = "site-packages" in real or "dist-packages" in real
            standard = real.startswith(library) and not packages
            folders[folder] = None if standard else os.path.join(os.path.abspath(folder), "")
        if folders[folder] is not None:
            found.append([name, folders[folder] + file[len(folder) :]])
    return found


ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


def stable_ids(ids):
    """Ids that hold addresses, made stable; a list in the order of `ids`.

    Every address becomes `0x#N`, where N counts the ids that differ in nothing
    but addresses, in the order they were collected.
    """
    counts = {}
    stable = []
    for name in ids:
        skeleton = ADDRESS.sub("0x#", name)
        if skeleton == name:
            stable.append(name)
            continue
        number = counts.get(skeleton, 0)
        counts[skeleton] = number + 1
        stable.append(skeleton.replace("0x#", "0x#%d" % number))
    return stable


class NoProbe(object):
    """Stands where heal asks for no probe."""

    def start(self):
        pass

    stop = answer = start


def probe(settings, channel):
    """What records calls for the differential probe, where heal asks for one."""
    if not settings.get("probe"):
        return NoProbe()
    import heal_probe

    return heal_probe.Probe(settings, channel)


class NoSieve(object):
    """Stands where heal has nothing to sieve."""

    on = False


def sieve(settings, channel):
    """What tries many candidates in forks of this process, where heal asks."""
    if not settings.get("sieve"):
        return NoSieve()
    import heal_sieve

    return heal_sieve.Sieve(settings, channel)


class Wanted(object):
    """The selection: which ids to run. `None` selects all."""

    def __init__(self, ids):
        self.all = ids is None
        self.ids = set(ids or ())
        # An id as an earlier run printed it, with an address that is gone,
        # selects every id it may have meant.
        self.skeletons = {ADDRESS.sub("0x#", name) for name in self.ids if ADDRESS.search(name)}

    def holds(self, stable):
        clean = stable.encode("utf-8", "replace").decode("utf-8")
        if self.all or clean in self.ids or re.sub(r"0x#\d+", "0x#", clean) in self.skeletons:
            return True
        # A person names a file, a class, or a test without its parameters.
        few = self.ids if len(self.ids) <= 50 else ()
        return any(clean.startswith(name) and clean[len(name) :][:1] in ("[", ":", ".") for name in few)
