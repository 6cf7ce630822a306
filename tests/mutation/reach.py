"""Plugins of pytest: which lines of a module every test reaches and how long it takes; tests in another order."""

import sys
import threading
import time
from typing import NamedTuple

import pytest


class Test(NamedTuple):
    """A test as it was run: its seconds, and the lines that it reached, in setting up what it asks for, too."""

    name: str
    seconds: float
    lines: set


class Reach:
    """Takes down what every test reaches of a file. What is reached before the first is `imported`.

    whole: functions as a whole, where loops are of numbers and a look at every line would take minutes.
    """

    def __init__(self, path, whole):
        self.path, self.whole, self.known, self.lines, self.imported = path, whole, {}, set(), set()
        self.of_fixture, self.fixtures, self.tests = {}, {}, []
        threading.settrace(self._call)
        sys.settrace(self._call)

    def _call(self, frame, event, argument):
        code = frame.f_code
        if code.co_filename != self.path:
            return None
        if not self.whole or code.co_name == "<module>":
            return self._line(frame, event, argument)
        if code not in self.known:
            self.known[code] = {line for _, _, line in code.co_lines() if line}
        self.lines |= self.known[code]
        return None

    def _line(self, frame, event, argument):
        self.lines.add(frame.f_lineno)
        return self._line

    def pytest_collection_finish(self):
        self.imported = self.lines

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        outer, self.lines = self.lines, set()
        try:
            return (yield)
        finally:
            self.of_fixture.setdefault(fixturedef.argname, set()).update(self.lines)
            self.lines |= outer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lines, start = set(), time.perf_counter()
        try:
            return (yield)
        finally:
            self.fixtures[item.nodeid] = item.fixturenames
            self.tests.append(Test(item.nodeid, time.perf_counter() - start, self.lines))

    def found(self):
        """A Test each, and the lines that are reached before any."""
        of = {test.name: (self.of_fixture.get(name, set()) for name in self.fixtures[test.name]) for test in self.tests}
        return [test._replace(lines=test.lines.union(*of[test.name])) for test in self.tests], self.imported


class Order:
    """Runs tests in the order of these names; others last."""

    def __init__(self, names):
        self.place = {name: n for n, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.place.get(item.nodeid, len(self.place)))


def order(tests, lines, everyone):
    """Those that reach one of the lines first, of these the quickest; all are alike where `everyone` reaches them."""
    near = lambda test: everyone or bool(test.lines & lines)  # noqa: E731
    return [test.name for test in sorted(tests, key=lambda test: (not near(test), test.seconds))]
