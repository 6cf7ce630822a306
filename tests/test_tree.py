"""Trees of arrays: paths, order, structure."""

from typing import NamedTuple

import numpy as np
import pytest

from dvae_ref import tree


class Pair(NamedTuple):
    kernel: np.ndarray
    bias: np.ndarray


def example():
    return (Pair(np.ones((2, 3)), np.zeros(3)), (), Pair(np.arange(2.0), np.array(7.0)))


def test_items_name_every_leaf_in_order():
    assert [path for path, _ in tree.items(example())] == ["0.kernel", "0.bias", "2.kernel", "2.bias"]
    assert [leaf.shape for leaf in tree.leaves(example())] == [(2, 3), (3,), (2,), ()]


def test_map_keeps_the_structure_and_takes_several_trees():
    total = tree.map(lambda a, b: a + 10 * b, example(), example())
    assert isinstance(total[0], Pair)
    assert total[1] == ()
    np.testing.assert_array_equal(total[2].kernel, [0, 11])


def test_unflatten_undoes_leaves():
    again = tree.unflatten(example(), tree.leaves(example()))
    assert [path for path, _ in tree.items(again)] == [path for path, _ in tree.items(example())]
    for a, b in zip(tree.leaves(again), tree.leaves(example()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_trees_of_different_structure_are_refused():
    with pytest.raises(ValueError, match=r"one structure; got \[\d, 2\] branches"):
        tree.map(np.add, example(), example()[:2])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((np.zeros(3), np.zeros(3)), np.zeros((2, 3))),  # would be taken for its rows
        (np.zeros((2, 3)), (np.zeros(3), np.zeros(3))),  # NumPy would make an array of it
        ((np.zeros(2), ()), (np.zeros(2), np.zeros(0))),
    ],
)
def test_an_array_is_no_tree_of_its_rows(one, other):
    with pytest.raises(ValueError, match=r"one structure; got \[(2|0|None), (2|0|None)\] branches"):
        tree.map(np.add, one, other)
