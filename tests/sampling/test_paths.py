"""Paths of annealing by hand: their temperatures, their ends, log Z of the base."""

import math

import numpy as np
import pytest
from enumeration import skewed_rbm

from dvae_ref.sampling import fields, paths
from dvae_ref.theory.boltzmann import RBM


def test_two_temperatures_are_a_schedule():
    for given in (2, [0, 1], np.array([0.0, 1.0])):
        found = paths.schedule(given)
        assert (found.tolist(), found.dtype) == ([0, 1], np.float32)
    assert paths.schedule([0, 0.25, 1]).tolist() == [0, 0.25, 1]


@pytest.mark.parametrize("given", [[0], [1], [], [0, 0.5], [0.5, 1], [[0, 1]]])
def test_others_are_not(given):
    with pytest.raises(ValueError, match="begins with 0 and ends with 1"):
        paths.schedule(given)


@pytest.mark.parametrize(("given", "at"), [([0, 0, 1], "0 and 1 are 0, 0"), ([0, 0.5, 0.5, 1], "1 and 2 are 0.5, 0.5")])
def test_the_first_that_do_not_rise_are_named(given, at):
    with pytest.raises(ValueError, match=f"entries {at}"):
        paths.schedule(given)


@pytest.mark.parametrize("base", ["uniform", "bias", "other"])
def test_a_path_goes_from_the_base_to_the_rounded_machine(base):
    rbm = skewed_rbm(4, 3)
    given = np.arange(7.0) if base == "other" else base
    path = paths.annealing_path(rbm, given)
    rounded, _ = fields.exact_fields(rbm)
    begins = {"uniform": np.zeros(7), "bias": rounded.a, "other": np.arange(7.0)}[base]
    np.testing.assert_array_equal(path.base, begins)
    assert paths.base_log_z(path) == pytest.approx(sum(math.log1p(math.exp(b)) for b in begins), rel=1e-14)
    end = paths.target(path)
    for found, given in zip(end, rbm, strict=True):
        np.testing.assert_allclose(found, given, atol=1e-6)
    assert end.a.dtype == np.float64


def test_a_base_of_another_shape_or_not_finite_is_refused():
    """1e39 is finite in float64 alone: it was the RBM's a that was said not to be."""
    for base in (np.zeros(6), np.zeros((7, 1)), np.full(7, np.inf), np.array([0, 0, 0, 1e39, 0, 0, 0])):
        with pytest.raises(ValueError, match=r"base must be \(7,\), finite in float32"):
            paths.annealing_path(skewed_rbm(4, 3), base)


def test_the_correction_is_what_rounding_has_left_out():
    """log p*(z_left) of the one less that of the other, a unit on the right: a z + log(1 + e^(a + W z))."""
    rbm = RBM(np.array([0.3, -0.2, 0.7]), np.array([[1.1], [-0.4]]))
    path = paths.Path(np.zeros(3), np.array([0.25, -0.25, 0.75]), np.array([[1.0], [-0.5]]))
    one = 0.3 - 0.2 + math.log1p(math.exp(0.7 + 1.1 - 0.4))
    other = 0.25 - 0.25 + math.log1p(math.exp(0.75 + 1.0 - 0.5))
    assert paths.correction(rbm, path, np.ones((1, 2))) == pytest.approx(one - other, rel=1e-12)
    assert paths.correction(rbm, path, np.array([[0.0, 0.0]])) == pytest.approx(
        math.log1p(math.exp(0.7)) - math.log1p(math.exp(0.75)), rel=1e-12
    )
