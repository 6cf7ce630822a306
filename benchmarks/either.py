"""Modules of the tree that is measured, be it this one or an older one (`against`), by names that both have."""

import importlib

ROOMS = ("runs", "model", "program", "experiment", "")  # the last two, of commits until 0.2


def module(name):
    """dvae_ref's module of that name, in whichever room it is. ModuleNotFoundError if in none."""
    for room in ROOMS:
        path = ".".join(part for part in ("dvae_ref", room, name) if part)
        try:
            return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if not path.startswith(error.name):  # not installed: numba, say
                raise
    raise ModuleNotFoundError(f"dvae_ref has no module {name} in any of {ROOMS}", name=name)
