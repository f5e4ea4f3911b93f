"""heal's pytest plugin: selects tests, sets deadlines, and tells what happened.

Loaded by `heal_pytest`; without heal's settings it does nothing. Python
3.6 and pytest 6 or later.

PYTEST_DONT_REWRITE: this file is no test.
"""

import json
import os
import sys

import pytest

import heal_channel
from heal_channel import ADDRESS
from heal_channel import OUTPUT_LIMIT
from heal_channel import shorten

# Below this many selected tests, starting xdist's workers costs more than it
# saves, and a deadline that ends the process ends nothing else.
FEW = 8


class Heal(object):
    """The state of one pytest process."""

    def __init__(self, settings):
        import _pytest
        import pluggy

        self.settings = settings
        # Whether this is a worker of xdist; known when pytest configures.
        self.worker = False
        self.channel = heal_channel.Channel(settings)
        foreign = [os.path.dirname(_pytest.__file__), os.path.dirname(pluggy.__file__), settings["directory"]]
        self.describer = heal_channel.Describer(settings, foreign)
        self.deadline = heal_channel.Deadline(self.channel, self.describer, inside)
        self.lines = heal_channel.Lines(settings)
        self.wanted = heal_channel.Wanted(settings.get("selection"))
        self.probe = heal_channel.probe(settings, self.channel)
        self.sieve = heal_channel.sieve(settings, self.channel)
        self.stable = {}
        self.compared = None

    def id(self, nodeid):
        return self.stable.get(nodeid) or ADDRESS.sub("0x#", nodeid)


def inside(frame):
    """Whether an exception at `frame` becomes the test's own failure.

    It does below `CallInfo.from_call` of pytest's runner, which catches it.
    """
    top = True
    while frame is not None:
        code = frame.f_code
        if code.co_name == "from_call" and code.co_filename.endswith("runner.py"):
            return not top
        top = False
        frame = frame.f_back
    return False


HEAL = None
_settings = heal_channel.take_settings()
if _settings is not None:
    HEAL = Heal(_settings)
    HEAL.channel.write("loaded", pytest=pytest.__version__, python=sys.version.split()[0])


def first(hook):
    """Hooks whose function takes part only where heal has settings."""
    return pytest.hookimpl(tryfirst=True)(hook)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config):
    outcome = yield
    if HEAL is None or outcome.excinfo is None:
        return
    error = outcome.excinfo[1]
    if isinstance(error, Exception) and type(error).__name__ != "UsageError":
        path = str(getattr(error, "path", "") or "conftest.py")
        HEAL.channel.write("problem", id=path, failure=HEAL.describer.describe(error), output="")


@first
def pytest_cmdline_main(config):
    """Takes out what hides failures; a selection also replaces what narrows."""
    if HEAL is None:
        return
    HEAL.worker = hasattr(config, "workerinput")
    option = config.option
    neutral = {
        "maxfail": 1 if HEAL.settings.get("fail_fast") else 0,
        "lf": False,
        "failedfirst": False,
        "newfirst": False,
        "stepwise": False,
        "stepwise_skip": False,
        "usepdb": False,
        "trace": False,
        "reruns": 0,
        # A file that cannot be loaded hides nothing behind it.
        "continue_on_collection_errors": True,
        # pytest-randomly: the seed it puts in place before each test is fixed,
        # and the order is the one in which tests are collected.
        "randomly_seed": 1,
        "randomly_reorganize": False,
    }
    if not HEAL.wanted.all:
        neutral.update(keyword="", markexpr="", deselect=None)
    for name, value in neutral.items():
        if hasattr(option, name):
            setattr(option, name, value)
    coverage = config.pluginmanager.getplugin("_cov")
    if coverage is not None and hasattr(getattr(coverage, "options", None), "cov_fail_under"):
        coverage.options.cov_fail_under = 0
    # The probe compares what one process has recorded, the sieve forks one.
    few = not HEAL.wanted.all and len(HEAL.wanted.ids) <= FEW or HEAL.settings.get("probe") or HEAL.settings.get("sieve")
    if few and not HEAL.worker and getattr(option, "dist", "no") != "no":
        option.dist, option.tx, option.numprocesses = "no", [], 0


@first
def pytest_configure(config):
    if HEAL is None:
        return
    if not HEAL.worker and getattr(config.option, "dist", "no") != "no":
        # Since xdist 3 a worker takes `-p` from its environment alone. The
        # controller runs no test, so the variables may stand there; each
        # worker takes them out again, also one that replaces a crashed one.
        heal_channel.give_back(HEAL.settings)
    if HEAL.wanted.all:
        return
    files = selected_files(config)
    if files:
        config.args[:] = files


def selected_files(config):
    """The files of the selection, where all of them exist and can be named.

    Files, not node ids: a test that a patch removed is then missing, and does
    not keep the others from running. A `[` in a path cannot be said to pytest.
    """
    root = str(getattr(config, "rootdir", None) or config.rootpath)
    files = []
    for name in HEAL.settings["selection"]:
        path = os.path.normpath(os.path.join(root, name.partition("::")[0]))
        if not os.path.isfile(path) or "[" in path or "::" in path:
            return []
        if path not in files:
            files.append(path)
    return files


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    if HEAL is not None:
        root = str(getattr(session.config, "rootdir", None) or session.config.rootpath)
        HEAL.channel.write("start", runner="pytest", version=pytest.__version__, rootdir=root, worker=HEAL.worker)
        from unittest import case

        from _pytest.assertion import rewrite

        for name in ("_saferepr", "_call_reprcompare", "_format_assertmsg"):
            HEAL.lines.telling_of(rewrite, name)
        for name in ("safe_repr", "_common_shorten_repr"):
            HEAL.lines.telling_of(case, name)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    yield
    if HEAL is None:
        return
    stable = heal_channel.stable_ids([item.nodeid for item in items])
    kept, dropped = [], []
    for item, name in zip(items, stable):
        HEAL.stable[item.nodeid] = name
        (kept if HEAL.wanted.holds(name) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    if HEAL.settings.get("reverse"):
        kept.reverse()
    last = set(HEAL.settings.get("last") or ())
    kept.sort(key=lambda item: HEAL.stable[item.nodeid] in last)
    items[:] = kept
    if HEAL.sieve.on:
        # None of them runs in this process.
        return
    names = [HEAL.stable[item.nodeid] for item in kept]
    for start in range(0, len(names), 1000):
        HEAL.channel.write("collected", ids=names[start : start + 1000])


@first
def pytest_runtestloop(session):
    if HEAL is None or HEAL.worker or not HEAL.sieve.on:
        return None
    import heal_sieve_pytest

    # The parent's deadline is the one that ends a child.
    HEAL.deadline.works = False
    HEAL.sieve.answer(heal_sieve_pytest.Items(session.items, HEAL.id))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    outcome = yield
    if HEAL is None or outcome.excinfo is not None:
        return
    report = outcome.get_result()
    call = getattr(report, "call", None)
    if getattr(report, "failed", False) and call is not None and call.excinfo is not None:
        report.heal_data = json.dumps(HEAL.describer.describe(call.excinfo.value))


def pytest_collectreport(report):
    if HEAL is None or HEAL.worker or not report.failed:
        return
    data = getattr(report, "heal_data", None)
    failure = json.loads(data) if data else None
    HEAL.channel.write("problem", id=report.nodeid, failure=failure, output=shorten(text_of(report), OUTPUT_LIMIT))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if HEAL is None:
        yield
        return
    HEAL.compared = None
    name = HEAL.id(item.nodeid)
    if HEAL.worker:
        HEAL.channel.write("test-start", id=name)
    HEAL.lines.start()
    HEAL.probe.start()
    try:
        yield
    finally:
        HEAL.deadline.disarm()
        HEAL.probe.stop()
        hits = HEAL.lines.stop()
        if hits is not None:
            HEAL.channel.write("executed", id=name, files=hits)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    # Not earlier: pytest-timeout and the like have set their own timers by now.
    if HEAL is not None:
        HEAL.deadline.arm(HEAL.id(item.nodeid))
    yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    # What fixtures do on their way out is no part of what the test executes.
    if HEAL is not None and HEAL.lines.running:
        hits = HEAL.lines.stop()
        if hits is not None:
            HEAL.channel.write("executed", id=HEAL.id(item.nodeid), files=hits)
    yield


def pytest_runtest_logstart(nodeid):
    if HEAL is not None and not HEAL.worker:
        HEAL.channel.write("test-start", id=HEAL.id(nodeid))


@first
def pytest_assertrepr_compare(op, left, right):
    """Takes note of the values; pytest's own explanation is left alone."""
    if HEAL is None or HEAL.sieve.on and not HEAL.sieve.every:
        return None
    frame = sys._getframe(1)
    while frame is not None and HEAL.describer.hidden(frame):
        frame = frame.f_back
    place = (frame.f_code.co_filename, frame.f_code.co_name) if frame is not None else None
    HEAL.compared = (place, op, heal_channel.safe_repr(left), heal_channel.safe_repr(right))
    return None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    if HEAL is not None and HEAL.sieve.on:
        import heal_sieve_pytest

        # unittest's own failures come to pytest beside the call.
        for raised in [call.excinfo] if call.excinfo else getattr(item, "_excinfo", None) or ():
            HEAL.sieve.raised(raised.value)
        if call.excinfo is not None and call.when == "call" and heal_sieve_pytest.plain(item):
            HEAL.sieve.failed(HEAL.id(item.nodeid), call.excinfo.value)
    if HEAL is None:
        yield
        return
    HEAL.lines.telling += 1
    try:
        outcome = yield
        if outcome.excinfo is None:
            tell(item, call, outcome.get_result())
    finally:
        HEAL.lines.telling -= 1


def tell(item, call, report):
    """Tells what came of a test's setup, call or teardown."""
    # xdist hands on texts.
    report.heal_id = HEAL.id(item.nodeid)
    failure = None
    if report.outcome == "failed" and call.excinfo is not None:
        error = call.excinfo.value
        failure = HEAL.describer.describe(error)
        if type(error).__name__ == "FixtureLookupError":
            told = str(getattr(report.longrepr, "errorstring", "")).strip() or failure["message"]
            failure["message"] = "fixture error: " + told.splitlines()[0]
        compare(failure, error)
        if not failure["frames"]:
            _, line, function = item.location
            path = str(getattr(item, "path", None) or item.fspath)
            failure["frames"] = [[path, (line or 0) + 1, function.split("[")[0]]]
    elif report.outcome == "passed" and report.when == "call" and HEAL.deadline.overran():
        failure = HEAL.deadline.overran()
        report.outcome = "failed"
        report.longrepr = failure["message"]
    if failure is not None:
        report.heal_data = json.dumps(failure)


def compare(failure, error):
    """Adds the values of the comparison that failed."""
    if HEAL.compared is None or failure["kind"] != "assertion":
        return
    place, op, left, right = HEAL.compared
    step, last = error.__traceback__, None
    while step is not None:
        if not HEAL.describer.hidden(step.tb_frame):
            last = (step.tb_frame.f_code.co_filename, step.tb_frame.f_code.co_name)
        step = step.tb_next
    if last != place:
        return
    if op in ("==", "is"):
        wanted, got = (left, right) if failure["swapped"] else (right, left)
        failure["expected"], failure["actual"] = wanted, got
    else:
        failure["expected"], failure["actual"] = "%s %s" % (op, right), left


def text_of(report):
    try:
        return report.longreprtext
    except Exception:
        return ""


def is_part(report):
    """Whether it is of a subtest, of which pytest 9 and pytest-subtests tell one by one."""
    return type(report).__name__.lower() == "subtestreport"


@first
def pytest_runtest_logreport(report):
    if HEAL is None or HEAL.worker:
        return
    name, told = getattr(report, "heal_id", None) or HEAL.id(report.nodeid), getattr(report, "heal_data", None)
    try:
        failure = json.loads(told) if told else None
    except ValueError:
        failure = None
    # Of a subtest that is skipped, the test goes on.
    skipped_part = report.outcome == "skipped" and is_part(report) and not hasattr(report, "wasxfail")
    if HEAL.sieve.on:
        if skipped_part:
            return
        HEAL.sieve.reported(name, str(report.when), str(report.outcome), hasattr(report, "wasxfail"), failure)
        return
    fields = {
        "id": name,
        "when": str(report.when),
        "outcome": "passed" if skipped_part else report.outcome,
        "skipped_subtests": int(skipped_part),
        "seconds": float(getattr(report, "duration", 0.0) or 0.0),
        "expected_failure": hasattr(report, "wasxfail"),
    }
    if report.outcome == "failed":
        text = text_of(report)
        output = [shorten(text, OUTPUT_LIMIT)]
        for title, content in report.sections:
            output.append("--- %s ---\n%s" % (title, shorten(content, 2000)))
        fields["failure"] = failure
        # xdist puts `[gw0] linux -- Python 3.13.0 …` before what happened.
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("[gw")]
        fields["text"] = lines[0][: heal_channel.TEXT_LIMIT] if lines else ""
        fields["output"] = "\n".join(output)
    # That a set-up passed says nothing without the call, nor a teardown without the
    # test's end, which is written with the next one's start.
    is_news = report.outcome != "passed" or report.when == "call"
    (HEAL.channel.write if is_news else HEAL.channel.hold)("phase", **fields)


def pytest_runtest_logfinish(nodeid):
    if HEAL is not None and not HEAL.worker:
        HEAL.channel.hold("test-end", id=HEAL.id(nodeid))


def pytest_keyboard_interrupt(excinfo):
    if HEAL is not None:
        HEAL.channel.write("stopped", why=heal_channel.message_of(excinfo.value))


def pytest_internalerror(excinfo):
    if HEAL is not None:
        HEAL.channel.write("problem", id="pytest", failure=HEAL.describer.describe(excinfo.value), output="")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    if HEAL is not None:
        HEAL.channel.flush()
    yield
    if HEAL is None:
        return
    HEAL.channel.write("modules", modules=heal_channel.loaded_modules())
    if not HEAL.worker:
        HEAL.probe.answer()
        HEAL.channel.end(int(session.exitstatus))
