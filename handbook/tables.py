"""Which equation of the paper is which function, page, claim and kit quantity: read off what these say themselves.

A label is "Eq. 9" or "Sec. 3.3". Functions name theirs in docstrings, pages in their line **Paper:**, quantities in the
field `equation`, claims in their docstring; and a claim holds a function if --sabotage breaks that function under it.
"""

import functools
import importlib
import inspect
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "docs" / "derivations").glob("[0-9]*.md"))
FOLDERS = ("theory", "model", "exact", "sampling")
ALONE = ("runs.library", "runs.presets", "conformance.kit", "arrays", "tree", "twins")
WITHOUT_NAMES = {"engines", "cuda", "vector", "counts", "fields", "replicas", "backend"}  # inner parts of the samplers
LABELS = (*(f"Eq. {number}" for number in range(1, 11)), "Sec. 2", "Sec. 3.3", "Sec. 4")
NUMBERS = re.compile(r"(Eq|Sec)s?\.\s+(\d+(?:\.\d+)*(?:(?:,\s+and|,|\s+and|\s+to|;)\s+\d+(?:\.\d+)*)*)")


def labels(text):
    """The labels that a text names, in the order of LABELS: "Eqs. 1, 8 to 10" has four."""
    found = set()
    for kind, numbers in NUMBERS.findall(text):
        words = re.findall(r"\d+(?:\.\d+)*|to", numbers)
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
            spread = range(int(before), int(after) + 1) if word == "to" and kind == "Eq" else [word]
            found |= {f"{kind}. {number}" for number in spread}
    return [label for label in LABELS if label in found]


def anchor(label):
    return label.lower().replace(". ", "-").replace(".", "-")


def modules():
    """The names below dvae_ref of all modules that the reference has."""
    found = []
    for folder in FOLDERS:
        stems = sorted(path.stem for path in (ROOT / "dvae_ref" / folder).glob("[!_]*.py"))
        found += [f"{folder}.{stem}" for stem in stems if stem not in WITHOUT_NAMES]
    return (*found, *ALONE)


class Thing(NamedTuple):
    """A public function, class or method."""

    name: str  # "theory.mixture.cdf"
    labels: tuple


@functools.cache
def things():
    """{name: Thing} of all public functions and classes, and of the methods that name a label."""
    found = {}
    for module in modules():
        loaded = importlib.import_module(f"dvae_ref.{module}")
        for name, value in vars(loaded).items():
            if not name.startswith("_") and getattr(value, "__module__", "") == loaded.__name__ and callable(value):
                found[f"{module}.{name}"] = _thing(f"{module}.{name}", value)
                if inspect.isclass(value):
                    found |= {one.name: one for one in _methods(f"{module}.{name}", value)}
    return found


def _thing(name, value):
    return Thing(name, tuple(labels(inspect.getdoc(value) or "")))


def _methods(prefix, kind):
    for name, value in vars(kind).items():
        if inspect.isfunction(value) and not name.startswith("_") and value.__doc__:
            yield _thing(f"{prefix}.{name}", value)


@functools.cache
def module_labels():
    """{module: labels of its docstring}"""
    return {name: tuple(labels(importlib.import_module(f"dvae_ref.{name}").__doc__ or "")) for name in modules()}


def resolve(dotted):
    """The Thing or module that a page means by `mixture.cdf`, or None: by its whole name, or by its end if one fits."""
    name = dotted.removeprefix("dvae_ref.")
    if name in things() or name in modules():
        return name
    fitting = [whole for whole in (*things(), *modules()) if whole.endswith(f".{name}")]
    return fitting[0] if len(fitting) == 1 and "." in name else None


@functools.cache
def pages():
    """{stem: labels} of the chapters."""
    lines = {path.stem: re.search(r"\*\*Paper:\*\*(.*?)\*\*Code", path.read_text(), re.DOTALL) for path in CHAPTERS}
    return {stem: tuple(labels(line.group(1))) if line else () for stem, line in lines.items()}


@functools.cache
def named_on():
    """{stem: names of things} that each chapter names, in its text or in its code."""
    found = {}
    for path in CHAPTERS:
        names = set(re.findall(r"\b(?:[a-z_]\w*\.)+\w+", path.read_text()))
        found[path.stem] = sorted({name for name in map(resolve, names) if name in things()})
    return found


@functools.cache
def claims():
    """{name: Claim}"""
    from validation import claims as folder

    return {claim.name: claim for claim in folder.load()}


@functools.cache
def claim_labels():
    """{claim: labels} that it names, or that the functions name which --sabotage breaks under it."""
    found = {}
    for name in claims():
        module = importlib.import_module(f"validation.claims.{name}")
        own = set(labels(f"{module.__doc__} {claims()[name].statement}"))
        found[name] = [label for label in LABELS if label in own.union(*(_all_labels(one) for one in broken()[name]))]
    return found


def _all_labels(name):
    """The labels of a thing, or else of its class, or else of its module."""
    while name in things() and not things()[name].labels:
        name = name.rpartition(".")[0]
    return things()[name].labels if name in things() else module_labels()[name]


@functools.cache
def broken():
    """{claim: names of the things that --sabotage breaks to see whether the claim notices}"""
    from validation.breaks import BREAKS

    found = {name: set() for name in claims()}
    for one in BREAKS:
        for target, attribute, _ in one.patches:
            name = f"{getattr(target, '__module__', None) or target.__name__}"
            name += f".{target.__qualname__}.{attribute}" if inspect.isclass(target) else f".{attribute}"
            if (name := name.removeprefix("dvae_ref.")) in things():
                found[one.claim].add(name)
    return {claim: sorted(names) for claim, names in found.items()}


@functools.cache
def quantities():
    """{name: Quantity}"""
    from dvae_ref.conformance.catalogue import QUANTITIES

    return dict(QUANTITIES)


def family(quantity):
    """The heading under which the reference has a quantity: its name, or "objective_dvaes_exp" for its eight."""
    return re.sub(r"_\dn?o?n?lin_k\d$", "", quantity)


def titles():
    """{label: what the README's table says the paper has there}"""
    rows = re.findall(r"^\| ([\d, ]+|Sec\. 4|Figs[^|]*) \| ([^|]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    found = {}
    for numbers, title in rows:
        for label in labels(f"Eqs. {numbers}" if numbers[0].isdigit() else numbers):
            found.setdefault(label, title.strip())
    return found
