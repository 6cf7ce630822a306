"""Nested tuples of arrays: the parameters of a model, their gradients, Adam's moments."""

import numpy as np

_LEAF = np.ndarray, np.generic


def map(f, tree, *others):
    """Apply f leaf by leaf to trees of one structure; the result has that structure."""
    if isinstance(tree, _LEAF):
        return f(tree, *others)
    children = [map(f, *branch) for branch in zip(tree, *others, strict=True)]
    return type(tree)(*children) if hasattr(tree, "_fields") else tuple(children)


def items(tree, path=""):
    """List of (path, leaf), e.g. ("encoder.0.hidden.1.dense.kernel", array), in a fixed order."""
    if isinstance(tree, _LEAF):
        return [(path, tree)]
    names = getattr(tree, "_fields", range(len(tree)))
    prefix = f"{path}." if path else ""
    return [item for name, branch in zip(names, tree, strict=True) for item in items(branch, f"{prefix}{name}")]


def leaves(tree):
    """The arrays of a tree, in the order of items."""
    return [tree] if isinstance(tree, _LEAF) else [leaf for branch in tree for leaf in leaves(branch)]


def unflatten(like, leaves):
    """The tree with the structure of `like` and these leaves, in the order of items."""
    remaining = iter(leaves)
    return map(lambda _: next(remaining), like)
