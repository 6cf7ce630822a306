"""Packages whose names are loaded when they are first asked for: importing one costs nothing."""

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Mapping

Modules = Mapping[str, str] | Iterable[str]


def names(
    package: str, home: Mapping[str, Iterable[str]], modules: Modules = (), dunder: Iterable[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """(__getattr__, __dir__, __all__) for the __init__.py of a package.

    home: {module: names in it}. modules: {attribute: module}, or a list of those whose name is both. All modules are
    relative to the package. dunder: what dir() shows besides.
    """
    modules = modules if isinstance(modules, dict) else {name: name for name in modules}
    where = {}
    for module, found in home.items():
        where |= dict.fromkeys(found, module)
    public = sorted(where.keys() | modules.keys())

    def find(name):
        if name in where:
            return getattr(importlib.import_module(f"{package}.{where[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{modules[name]}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}{_hint(package, name, public)}")

    return find, lambda: [*public, *dunder], public


def _hint(package, name, public):
    """Where else the name is, or what it may have meant."""
    if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
        return f"; it is a module of its own: import {package}.{name}"
    spelt = {other.lower(): other for other in public}
    near = difflib.get_close_matches(name.lower(), spelt, 1, 0.7)
    return f"; did you mean {spelt[near[0]]}?" if near else ""
