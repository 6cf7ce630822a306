"""Plugins of pytest: which lines of a module every test reaches and how long it takes; tests in another order."""

import sys
import threading
import time
from typing import NamedTuple

import pytest


class Test(NamedTuple):
    """A test: the seconds that it takes on its own, and the lines that it reaches, with what it asks for."""

    name: str
    seconds: float
    lines: set


class Reach:
    """Takes down what every test reaches of a file. What is reached before the first is `imported`.

    whole: functions as a whole, where loops are of numbers and a look at every line would take minutes.
    """

    def __init__(self, path, whole):
        self.path, self.whole, self.known, self.lines, self.imported = path, whole, {}, set(), set()
        self.of_fixture, self.cost, self.fixtures, self.tests, self.spent = {}, {}, {}, [], 0.0
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
        outer, self.lines, start = self.lines, set(), time.perf_counter()
        try:
            return (yield)
        finally:
            self.cost[fixturedef.argname] = time.perf_counter() - start
            self.spent += self.cost[fixturedef.argname]
            self.of_fixture.setdefault(fixturedef.argname, set()).update(self.lines)
            self.lines |= outer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lines, self.spent, start = set(), 0.0, time.perf_counter()
        try:
            return (yield)
        finally:
            self.fixtures[item.nodeid] = item.fixturenames
            self.tests.append(Test(item.nodeid, time.perf_counter() - start - self.spent, self.lines))

    def found(self):
        """A Test each, charged with all that it asks for, and the lines that are reached before any."""
        return [self._charged(test) for test in self.tests], self.imported

    def _charged(self, test):
        asked = [name for name in self.fixtures[test.name] if name in self.cost]
        lines = test.lines.union(*(self.of_fixture[name] for name in asked))
        return test._replace(seconds=test.seconds + sum(self.cost[name] for name in asked), lines=lines)


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
