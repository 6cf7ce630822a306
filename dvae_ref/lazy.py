"""Packages whose names are loaded when they are first asked for: importing one costs nothing."""

import importlib
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
    where = {name: module for module, found in home.items() for name in found}
    public = sorted([*where, *modules])

    def find(name):
        if name in where:
            return getattr(importlib.import_module(f"{package}.{where[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{modules[name]}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: [*public, *dunder], public
