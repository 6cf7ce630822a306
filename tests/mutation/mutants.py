"""Mutants of a module: its source with one operator, comparison, constant, sign or call changed."""

import ast
import copy
import random
from typing import NamedTuple

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "sum": "mean", "mean": "sum",
         "exp": "expm1", "log": "log1p", "log1p": "log", "cdf0": "cdf1", "cdf1": "cdf0",
         "left": "right", "right": "left", "all": "any", "any": "all", "ones": "zeros", "zeros": "ones"}  # fmt: skip

STYLE = ("fontsize", "linewidth", "alpha", "figsize", "dpi", "color", "zorder", "markersize", "capsize", "rotation")
LONG = 150  # characters of a statement


class Mutant(NamedTuple):
    """A change: in which lines, from what, to what; and the whole module with it, its lines numbered as they were."""

    lines: set
    is_in_decorated: bool
    before: str
    after: str
    tree: ast.Module


def mutants(source, count, seed, scalar=False):
    """A sample of this many Mutants of a source, the same for a seed; all, if there are fewer.

    scalar: of functions of numbers alone, which can run as the Python that they are.
    """
    tree = ast.parse(source)
    quiet, nodes = set(map(id, _messages(tree))), list(ast.walk(tree))
    inside = set(map(id, _scalar_forms(tree))) if scalar else set(map(id, nodes))
    places = [place for place in _places(tree) if id(nodes[place[0]]) in inside - quiet]
    random.Random(seed).shuffle(places)
    found, texts = [], {ast.unparse(tree)}
    for number, variant in places:
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[number]
        statement = _statement(changed, node)
        before = ast.unparse(statement).splitlines()
        variant(node)
        before, after = _first_apart(before, ast.unparse(statement).splitlines())
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text not in texts:
            texts.add(text)
            lines = {statement.lineno, *range(node.lineno, node.end_lineno + 1)}
            found.append(Mutant(lines, _is_in_decorated(node, changed), *_near(before, after), changed))
        if len(found) == count:
            break
    return found


def _first_apart(before, after):
    """The first lines that differ."""
    return next((pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]), (before[0], after[0]))


def _near(before, after):
    """Both, and of long statements what stands near the change; " | " is what separates them in a line."""
    before, after = (text.replace(" | ", "|") for text in (before, after))
    if max(len(before), len(after)) <= LONG:
        return before, after
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    return tuple(text[max(0, start - LONG // 3) : len(text) - max(0, end - LONG // 3)] for text in (before, after))


def _alike(one, other):
    """How many characters two texts begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _places(tree):
    """(number of a node in ast.walk, what changes it) of every place."""
    for number, node in enumerate(ast.walk(tree)):
        for variant in _variants(node):
            yield number, variant


def _variants(node):
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield lambda node: setattr(node, "op", OPERATORS[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        yield lambda node: setattr(node, "op", OPERATORS[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        yield lambda node: node.ops.__setitem__(0, OPERATORS[type(node.ops[0])]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield lambda node: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield lambda node: setattr(node, "value", node.value + 1 if type(node.value) is int else 1.1 * node.value)
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield lambda node: setattr(node, "attr", NAMES[node.attr])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
        yield lambda node: setattr(node.func, "id", NAMES[node.func.id])


def _messages(tree):
    """The nodes of what only says something (raise, a warning, a decorator, an annotation, a text), or only looks."""
    for parent in ast.walk(tree):
        quiet = []
        warns = isinstance(parent, ast.Call) and ast.unparse(parent.func) == "warnings.warn"
        looks = isinstance(parent, ast.keyword) and parent.arg in STYLE
        if warns or looks or isinstance(parent, ast.Raise | ast.JoinedStr):
            quiet = [parent]
        elif isinstance(parent, ast.FunctionDef):
            annotated = [a.annotation for a in (*parent.args.args, *parent.args.kwonlyargs) if a.annotation]
            quiet = [*parent.decorator_list, *annotated, *([parent.returns] if parent.returns else [])]
        elif isinstance(parent, ast.AnnAssign):
            quiet = [parent.annotation]
        for part in quiet:
            yield from ast.walk(part)


def _scalar_forms(tree):
    """The nodes of functions that kernels inline and that know no vectors of the CPU."""
    for function in tree.body:
        decorators = getattr(function, "decorator_list", [])
        if any("register_jitable" in ast.unparse(d) for d in decorators) and "registers." not in ast.unparse(function):
            yield from ast.walk(function)


def _is_in_decorated(node, tree):
    holders = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.decorator_list]
    return any(node is inner for holder in holders for inner in ast.walk(holder))


def _statement(tree, node):
    """The innermost statement that holds a node."""
    holders = [s for s in ast.walk(tree) if isinstance(s, ast.stmt) and any(node is n for n in ast.walk(s))]
    return min(holders, key=lambda s: sum(1 for _ in ast.walk(s)))
