"""Nested tuples of arrays: the parameters of a model, their gradients, Adam's moments.

A tree is an array or a tuple of trees, mostly a NamedTuple, whose fields give each array a path. These paths are the
names in checkpoints and in the conformance kit. Trees of one structure have their arrays in one order, so that a
gradient and the parameters it belongs to go through any function side by side.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dvae_ref.arrays import Array

_LEAF = np.ndarray, np.generic


def map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:  # noqa: A001 - called tree.map
    """Apply f leaf by leaf to trees of one structure, which the result has.  ValueError for trees of several."""
    branches = [_branches(one) for one in (tree, *others)]
    if len(set(branches)) > 1:
        raise ValueError(f"trees must be of one structure; got {branches} branches at a {type(tree).__name__}")
    if isinstance(tree, _LEAF):
        return f(tree, *others)
    return tuple.__new__(type(tree), [map(f, *each) for each in zip(tree, *others, strict=True)])


def _branches(tree):
    """The number of a tree's branches; None of an array, which has none, though it may be gone through."""
    return None if isinstance(tree, _LEAF) else len(tree)


def items(tree: Any, path: str = "") -> list[tuple[str, Array]]:
    """List of (path, leaf), e.g. ("encoder.0.hidden.1.dense.kernel", array), in a fixed order; arrays of any shape.

    path: of the tree.
    """
    return list(zip(paths(structure(tree), path), leaves(tree), strict=True))


def leaves(tree: Any) -> list[Array]:
    """The arrays of a tree, of any shape, in the order of items.

    >>> from dvae_ref.theory.boltzmann import RBM
    >>> [path for path, _ in items(RBM(np.zeros(3), np.zeros((1, 2))), "params.rbm")]
    ['params.rbm.a', 'params.rbm.W']
    """
    found = []
    _gather((tree,), found)
    return found


def _gather(branches, found):
    """Append the arrays of these trees to a list, from left to right."""
    for branch in branches:
        if isinstance(branch, _LEAF):  # here, not in a call of its own: a training step meets 200 leaves
            found.append(branch)
        else:
            _gather(branch, found)


def structure(tree: Any) -> tuple | None:
    """What a tree is but for its arrays: for each of its tuples the type and the structures in it, None for a leaf."""
    return None if isinstance(tree, _LEAF) else (type(tree), *[structure(branch) for branch in tree])


@functools.cache
def paths(structure: tuple | None, beginning: str = "") -> tuple[str, ...]:
    """The paths of items, which depend on the structure alone."""
    if structure is None:
        return (beginning,)
    kind, *branches = structure
    names = getattr(kind, "_fields", range(len(branches)))
    prefix, found = f"{beginning}." if beginning else "", ()
    for name, branch in zip(names, branches, strict=True):
        found += paths(branch, f"{prefix}{name}")
    return found


def unflatten(like: Any, leaves: Iterable[Array]) -> Any:
    """The tree with the structure of `like` and these leaves, of any shape, in the order of items.

    ValueError for too many or too few.
    """
    given = list(leaves)
    remaining = iter(given)
    try:
        (filled,) = _fill((like,), remaining)
        enough = not any(True for _ in remaining)
    except StopIteration:
        enough = False
    if not enough:
        raise ValueError(f"the tree has {len(items(like))} leaves; got {len(given)}")
    return filled


def _fill(branches, remaining):
    """These trees with other arrays, the next of an iterator each. StopIteration if there are too few."""
    filled = []
    for branch in branches:
        if isinstance(branch, _LEAF):
            filled.append(next(remaining))
        else:
            filled.append(tuple.__new__(type(branch), _fill(branch, remaining)))
    return filled
