"""What the sieve must know of its process: which functions have run before the
first candidate, and what a candidate's test does to the world around it.

Watches; forbids nothing. Python 3.8 and later, standard library only.

PYTEST_DONT_REWRITE: this file is no test.
"""

import mmap
import os
import sys
import threading

# Calls of a profile function, where there is no `sys.monitoring`, after which
# it is given up: every call of the collection pays for it.
MOST_EVENTS = 5000000

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn")
# Events that change what a path names: where the path stands among the
# arguments, and where the descriptor of the folder it is told from.
CHANGES = {
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "sqlite3.connect": ((0, None),),
    "dbm.open": ((0, None),),
}
# Folders of tools whose content decides no test.
HARMLESS = (".hypothesis", ".pytest_cache", "__pycache__")


class Ran(object):
    """Notes which codes of some files run until it is stopped."""

    def __init__(self, files):
        self.real = {os.path.realpath(file) for file in files}
        self.seen = {}
        self.known = {}
        self.events = 0
        self.why = None
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and os.path.realpath(file) in self.real:
                self.why = "`%s` was loaded before heal" % file
        self.tool = None
        if hasattr(sys, "monitoring"):
            self.tool = next((tool for tool in (4, 3, 5) if sys.monitoring.get_tool(tool) is None), None)
            if self.tool is None:
                self.why = "other tools watch this process"
                return
            sys.monitoring.use_tool_id(self.tool, "heal")
            sys.monitoring.register_callback(self.tool, sys.monitoring.events.PY_START, self.on_start)
            sys.monitoring.set_events(self.tool, sys.monitoring.events.PY_START)
        elif sys.getprofile() is None:
            threading.setprofile(self.on_event)
            sys.setprofile(self.on_event)
        else:
            self.why = "a profiler watches this process"

    def stop(self):
        """Ends the watch; says why it is worth nothing, or `None`."""
        if self.tool is not None:
            sys.monitoring.set_events(self.tool, 0)
            sys.monitoring.register_callback(self.tool, sys.monitoring.events.PY_START, None)
            sys.monitoring.free_tool_id(self.tool)
        elif self.why is None:
            # Bound methods are equal, never identical.
            if sys.getprofile() != self.on_event:
                self.why = self.why or "a profiler took over"
            threading.setprofile(None)
            sys.setprofile(None)
        return self.why

    def of(self, file):
        return self.seen.get(file, set())

    def note(self, code):
        name = code.co_filename
        if name not in self.known:
            real = os.path.realpath(name)
            self.known[name] = real if real in self.real else None
        real = self.known[name]
        if real is not None:
            self.seen.setdefault(real, set()).add((code.co_name, code.co_firstlineno))

    def on_start(self, code, _offset):
        self.note(code)
        return sys.monitoring.DISABLE

    def on_event(self, frame, event, _argument):
        if event == "call":
            self.note(frame.f_code)
            self.events += 1
            if self.events > MOST_EVENTS:
                self.why = "the collection calls too many functions"
                threading.setprofile(None)
                sys.setprofile(None)


class Effects(object):
    """What a child does beyond computing, noted as it happens.

    The note that something outlives the child is in memory shared with the
    parent: a child that is killed tells nothing any more.
    """

    def __init__(self):
        # Whether what lasts is noted, and whether reasons are.
        self.on = self.judging = False
        # What keeps a failure from being the candidate's own, in words.
        self.reasons = []
        self.files, self.stems = set(), set()
        self.own = []
        self.shared = mmap.mmap(-1, 1)
        self.busy = False
        # Processes and listening sockets before the first fork.
        self.early = None
        sys.addaudithook(self.hear)

    def watch(self, files):
        """Whoever reads one of these files reads another text than what runs."""
        files = list(files)
        self.files = {os.path.realpath(file) for file in files}
        self.stems = {os.path.splitext(os.path.basename(file))[0] + "." for file in files}

    def begin(self):
        """In a child: from now on everything counts."""
        self.reasons = []
        self.on = self.judging = True

    def because(self, why):
        if self.judging:
            self.reasons.append(why)

    def lasting(self):
        return self.shared[0] != 0

    def forget(self):
        self.shared[0] = 0

    def started_processes(self):
        """Whether the child has, or had, children of its own."""
        import resource

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_maxrss > 0 or used.ru_utime > 0 or has_children()

    def hear(self, event, arguments):
        if self.busy:
            return
        self.busy = True
        try:
            if self.on:
                self.take(event, arguments)
            elif event == "socket.bind" and self.early is None:
                self.early = "the tests open sockets when they are collected"
        except Exception as error:
            if self.on:
                self.because("what it does cannot be told: %s" % type(error).__name__)
        finally:
            self.busy = False

    def take(self, event, arguments):
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            self.opens(os.fsdecode(path), bool(flags & WRITES) or bool(mode) and any(one in mode for one in "wax+"))
        elif event in ("tempfile.mkdtemp", "tempfile.mkstemp"):
            self.own.append(os.path.abspath(os.fsdecode(arguments[0])))
        elif event in PROCESSES:
            self.because("it starts a process")
        elif event in CHANGES:
            for at, folder in CHANGES[event]:
                self.writes(located(arguments[at], arguments[folder] if folder is not None else None))

    def opens(self, path, writes):
        if writes:
            self.writes(located(path, None))
            return
        name = os.path.basename(path)
        # The text on the disk, or what is compiled of it, is not the candidate's.
        if name.endswith((".py", ".pyc")) and any(name.startswith(stem) for stem in self.stems):
            real = os.path.realpath(path)
            if real in self.files or name.endswith(".pyc"):
                self.because("it reads `%s`" % name)

    def writes(self, path):
        if path is None or path == ":memory:" or path.startswith("/dev/"):
            return
        parts = path.split(os.sep)
        if any(part in HARMLESS or part.startswith("pytest-of-") for part in parts):
            return
        if any(path == own or path.startswith(own + os.sep) for own in self.own):
            return
        # The next child would find it.
        self.shared[0] = 1
        self.because("it changes `%s`" % path)


def located(path, folder):
    """The absolute path that the arguments of a call name."""
    if isinstance(path, int):
        return os.readlink("/proc/self/fd/%d" % path)
    path = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(path):
        path = os.path.join(os.readlink("/proc/self/fd/%d" % folder), path)
    return os.path.abspath(path) if path != ":memory:" else path


def has_children():
    """Whether this process has children, also such as nobody has waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except (OSError, AttributeError):
        pass
    return True
