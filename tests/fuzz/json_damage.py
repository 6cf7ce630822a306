"""Damage to JSON: values of other types and sizes, names that are missing, and text that is none."""

import copy
import json

import damage
from places import hostile

ODD = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 1e-320, float("nan"), float("inf"), float("-inf")),
    *(10**15, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400, 10**4000, "", "1", "nan", "x" * 10_000),
    *("\ud800", "\0", "日本語", "../precious.txt", "/dev/full", "a\nb", [], {}, [[]], [1, 2], {"a": 1}, [None] * 1000),
)  # fmt: skip
NAMES = ("", "nll", "settings", "images", "__class__", "\ud800", "x" * 1000, "0", "a.b")


def of_values(random, text):
    """JSON text with a few places changed."""
    value = json.loads(text)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        value = of_value(random, value)
    return as_text(value)


def of_value(random, value):
    """A copy with one place changed."""
    found = {"it": copy.deepcopy(value)}
    holder, key = random.choice(list(places(found)))
    kind = random.random()
    if kind < 0.6 or key == "it":
        holder[key] = odd(random)
    elif kind < 0.75:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), random.choice([odd(random), holder[key]]))
    elif kind < 0.85:
        holder[random.choice(NAMES)] = holder.pop(key)
    else:
        holder[random.choice(NAMES)] = odd(random)
    return found["it"]


def places(value):
    """(holder, key) of everything in a JSON value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def odd(random):
    return copy.deepcopy(random.choice(ODD))


def of_text(random, text):
    """JSON text, damaged: in a value, in its bytes, or altogether."""
    kind = random.random()
    if kind < 0.6:
        try:
            return of_values(random, text)
        except (ValueError, RecursionError):  # it is damaged already, or deep
            return damage.of_bytes(random, text)
    if kind < 0.8:
        return damage.of_bytes(random, text)
    if kind < 0.9:
        return random.choice([content for content in hostile.JSON.values() if len(content) < 2**20])
    return nested(random, text)


def as_text(value):
    """As Python writes it, NaN and Infinity and all."""
    return json.dumps(value).encode()


def nested(random, text):
    """The text deep within brackets, or an object with a name twice."""
    depth = random.choice([10, 900, 1100, 100_000])
    kind = random.random()
    if kind < 0.4:
        return b"[" * depth + text + b"]" * depth
    if kind < 0.8:
        return b'{"a":' * depth + text + b"}" * depth
    return text.strip()[:-1] + b"," + text.strip()[1:]
