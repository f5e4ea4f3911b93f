"""pytest's part of heal's sieve: runs the collected tests in a child, and says
where nothing but pytest itself has a say in a report.

Judges no candidate. Python 3.8 and later, pytest 6 and later.

PYTEST_DONT_REWRITE: this file is no test.
"""

import os


class Items(object):
    """The tests that pytest collected."""

    def __init__(self, items, name_of):
        self.items = items
        self.name_of = name_of

    def names(self):
        return [self.name_of(item.nodeid) for item in self.items]

    def prepare(self, effects):
        """Before the first fork."""
        config = self.items[0].config
        # What the terminal would show is read by nobody, and costs as much as
        # a test.
        config.option.tbstyle, config.option.fulltrace = "line", False
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and hasattr(reporter, "_tw"):
            reporter._tw._file = open(os.devnull, "w")
        if getattr(config.option, "basetemp", None):
            effects.own.append(os.path.abspath(str(config.option.basetemp)))

    def run(self, names, following):
        """In a child: these tests in their order, through pytest's own
        protocol, with `following` to come after them; the plugin's hooks tell
        the sieve."""
        known = {self.name_of(item.nodeid): item for item in self.items}
        items = [known[name] for name in names]
        for item, after in zip(items, items[1:] + [known[name] for name in following[:1]] + [None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)


def plain(item):
    """Whether nothing but pytest itself has a say in the test's report."""
    if any(item.iter_markers("xfail")):
        return False
    hooks = item.ihook.pytest_runtest_makereport.get_hookimpls()
    return all(hook.function.__module__.startswith(("_pytest.", "heal_pytest")) for hook in hooks)
