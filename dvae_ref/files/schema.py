"""What the files of this project have to hold, all in one place: names, types and ranges of their values.

A rule is a Rule, a dictionary (an object with these names, and perhaps others), or a list of one rule (any number of
such values). `check` is their only judge. Arrays are those of `contents`. Imports nothing heavy, as `presets` needs it.
"""

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

LONGEST = 300  # characters of a foreign text in a message
MOST_NATS = 1e100  # of a file: sums and squares of such numbers are finite


class Rule(NamedTuple):
    """What a single value has to be: `holds` judges it, `said` is what a message calls it."""

    said: str  # what is expected, in words
    holds: Callable
    optional: bool = False  # may it be absent?


def is_number(value):
    """A finite number that float64 can hold; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_whole(value, least=0):
    """A whole number of `least` or more that int64 holds; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63


def at_least(least):
    """The Rule for a finite number of `least` or more."""
    return Rule(f"a number of {least} or more", lambda value: is_number(value) and value >= least)


def whole(least):
    """The Rule for a whole number of `least` or more."""
    return Rule(f"a whole number of {least} or more", lambda value: is_whole(value, least))


def are_factors(value):
    """Is it a list of numbers of 1 or more?"""
    return isinstance(value, list) and all(is_number(one) and one >= 1 for one in value)


def text(pattern=".*", said="a text"):
    """The Rule for a text all of which fits a pattern; said: what a message calls it."""
    return Rule(said, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.DOTALL)))


def or_null(rule):
    """The same or null, or nothing: what is not known, or was not written by an earlier version."""
    return Rule(f"{rule.said} or null", lambda value: value is None or rule.holds(value), optional=True)


NUMBER = Rule("a number", is_number)
NATS = Rule(f"a number of nats, up to {MOST_NATS:g}", lambda value: is_number(value) and abs(value) <= MOST_NATS)
ERROR = Rule(f"a number in 0 to {MOST_NATS:g}", lambda value: is_number(value) and 0 <= value <= MOST_NATS)  # nats
OBJECT = Rule("an object", lambda value: isinstance(value, dict))
INFINITE_AT_FIRST = Rule("a number or null", lambda value: value == float("inf") or value is None or is_number(value))

HEADER = {  # of a checkpoint
    "settings": OBJECT,
    "data": text()._replace(optional=True),  # absent in an early version
    "environment": OBJECT._replace(optional=True),  # absent in 0.1
    "metrics_bytes": whole(0),
    "snapshots": whole(0)._replace(optional=True),  # absent in 0.1
    "iteration": whole(0),
    "validated": whole(0),
    "best_iteration": whole(0),
    "best_nll": INFINITE_AT_FIRST,  # 0.1 wrote Infinity before the first validation
    "log_z": NUMBER,
    "bound_sum": NUMBER,
}
SESSION = {
    "version": text(),
    "commit": or_null(text()),
    "threads": whole(1),
    **dict.fromkeys(("from", "to"), whole(0)),
    **dict.fromkeys(("cpu_seconds", "seconds"), at_least(0)),
}
RECORD = {  # of a finished cell
    "command": text(),
    "versions": [text()],
    "commits": [text()],
    "commit_of_the_measurement": or_null(text()),
    "cpu_hours": or_null(at_least(0)),
}
SESSIONS = {"sessions": [SESSION]}
VERDICT = text("closed|open|contradictory", "closed, open or contradictory")
SNAPSHOT = {"iteration": whole(0)}
EVALUATION = {
    "checkpoint": text(),
    "split": text(),
    "data": or_null(text()),
    "nll": NATS,
    "nll_standard_error": or_null(ERROR),
    **dict.fromkeys(("nll_quarter", "nll_sixteenth", "nll_drift"), or_null(NATS)),  # absent in 0.1
    "nll_drift_standard_error": or_null(ERROR),
    "data_sha256": or_null(text("[0-9a-f]{64}", "64 hexadecimal digits")),  # absent in 0.1
    **dict.fromkeys(("version", "commit"), or_null(text())),  # absent in 0.1
    "best_validation_nll": or_null(NATS),
    "log_z_standard_error": ERROR,
    "log_z_effective_samples": or_null(at_least(0)),
    "log_z_gap": or_null(NATS),  # absent in 0.1, like the next
    "log_z_verdict": or_null(VERDICT),
    "validated": or_null(whole(0)),
    "images": whole(1),
    "images_there": or_null(whole(1)),
    "samples": whole(1),
    "temperatures": whole(2),
    "ais_chains": whole(2),
    "seed": whole(0),
}
OF_TABLE1 = {"best_validation_nll": NATS}  # besides, where it is the table's
PROGRESS = {"iteration": whole(0)}  # what a line of metrics.jsonl says at least
TRAINING = {  # a line of metrics.jsonl, every log_every iterations
    **PROGRESS,
    **dict.fromkeys(("bound", "kappa", "log_z_rough"), NUMBER),
    "learning_rate": at_least(0),
}
VALIDATION = {  # and every eval_every
    **PROGRESS,
    **dict.fromkeys(("log_z", "validation_nll", "validation_elbo"), NUMBER),
    "log_z_standard_error": at_least(0),
    **dict.fromkeys(("validation_nll_standard_error", "validation_elbo_standard_error"), or_null(at_least(0))),
}
RESUMED = {**PROGRESS, "resumed": OBJECT}  # and when a run goes on where bytes may differ
ARRAY = {
    "name": text(r"[\w.]+", "a name"),
    "role": text("input|output|gradient", "input, output or gradient"),
    "shape": [whole(0)],
    "dtype": text(r"float64|float32|u?int(8|16|32|64)", "a type of numbers"),
}
TOLERANCE = {
    "absolute": at_least(0),
    "relative": at_least(0),
    "why": text(),
    "rows": Rule("a list of numbers of 1 or more", are_factors, optional=True),
    "axis": whole(0)._replace(optional=True),
}
QUANTITY = {
    "name": text(r"\w+", "a name"),
    "file": text(r"\w+\.npz", "the name of an npz file beside it"),
    "sha256": text("[0-9a-f]{64}", "64 hexadecimal digits"),
    "arrays": [ARRAY],
}
MANIFEST = {"quantities": [QUANTITY]}  # of a conformance kit


def shortened(text):
    """The text in one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def shown(value):
    """A foreign value in a message."""
    try:
        return shortened(repr(value))
    except RecursionError:  # nesting that a parser takes may be more than repr does
        return f"{type(value).__name__} nested too deeply to show"


def check(value, rule, path, place=""):
    """The value, if it is as the rule says. ValueError names the file, the place in it, what was found and expected."""
    if isinstance(rule, Rule):
        _demand(rule.holds(value), rule.said, value, path, place)
    elif isinstance(rule, list):
        _demand(isinstance(value, list), _said(rule), value, path, place)
        for number, item in enumerate(value):
            check(item, rule[0], path, f"{place}[{number}]")
    else:
        _demand(isinstance(value, dict), _said(rule), value, path, place)
        for name, inner in rule.items():
            _check_member(value, name, inner, path, f"{place}.{name}" if place else name)
    return value


def _check_member(value, name, rule, path, place):
    """An object's value under a name, by its rule. ValueError if it is missing and may not be."""
    if name in value:
        check(value[name], rule, path, place)
    elif not getattr(rule, "optional", False):
        raise ValueError(f"{path} is damaged: {place} is missing; expected {_said(rule)}")


def _said(rule):
    """What a rule expects, in words."""
    return rule.said if isinstance(rule, Rule) else "a list" if isinstance(rule, list) else "an object"


def _demand(holds, said, value, path, place):
    """ValueError unless it holds: the file, the place in it, what was expected and what was found."""
    if not holds:
        raise ValueError(f"{path} is damaged: expected {place or 'it'} to be {said}, got {shown(value)}")
