"""A function for reading and its compiled twin: the function of the same name in dvae_ref/fast/.

A twin takes the same arguments and returns the same, or NotImplemented for arrays that it was not made for. Nothing
else in the theory knows of it.
"""

import contextlib
import functools
import importlib

_enabled = True


def twinned(readable):
    """Decorate a readable function: what its twin takes goes to the twin. `function.readable` is the readable one."""
    module, name = readable.__module__.rpartition(".")[2], readable.__name__

    @functools.cache
    def twin():
        return getattr(importlib.import_module(f"dvae_ref.fast.{module}"), name)

    @functools.wraps(readable)
    def function(*args, **options):
        if _enabled:
            value = twin()(*args, **options)
            if value is not NotImplemented:
                return value
        return readable(*args, **options)

    function.readable, function.twin = readable, twin
    return function


@contextlib.contextmanager
def readable_only():
    """While it lasts, everything runs as it is read."""
    global _enabled
    _enabled, before = False, _enabled
    try:
        yield
    finally:
        _enabled = before
