"""The accounts of a population by hand: families, their deviations, log Z; what is no State, and when it collapsed."""

import math
import warnings

import numpy as np
import pytest

from dvae_ref.fast import scalars
from dvae_ref.sampling import gibbs, pcd, philox, population, replicas
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(27)
ZERO = RBM(np.zeros(6), np.zeros((4, 2)))


def state(**changes):
    """Four replicas."""
    return replicas.fresh(pcd.init(KEY, ZERO, 4), ZERO, 1.5)._replace(**changes)


def test_a_population_begins_with_a_family_a_replica():
    begun = state()
    replicas.check(begun)
    assert begun.families.tolist() == [0, 1, 2, 3]
    assert (begun.deviations.tolist(), begun.log_z, begun.variance) == ([0, 0, 0, 0], 1.5, 0)
    assert (begun.updates, begun.resamplings) == (0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_on_the_accounts(sign):
    """Weights 1, 1, 3, 3 of families 1, 1, 3, 3: tau - 1 is 1/2 twice, of four, below for the one, above for the other;
    log mean w = log 2."""
    before = state(families=np.array([1, 1, 3, 3]), deviations=np.array([0.25, 0, 0, 1.0]))
    after = replicas.account(before, np.log([1.0, 1, 3, 3]), sign)
    np.testing.assert_allclose(after.deviations, [0.25, -sign / 4, 0, 1 + sign / 4], rtol=1e-12)
    assert after.log_z == pytest.approx(1.5 + sign * math.log(2), rel=1e-12)
    assert after.families.tolist() == [1, 1, 3, 3]


def test_families_that_are_numbered_anew_leave_their_variance():
    before = state(families=np.array([1, 1, 3, 3]), deviations=np.array([0, -3.0, 0, 4.0]), variance=np.array(11.0))
    after = replicas.number_families(before)
    assert after.families.tolist() == [0, 1, 2, 3]
    assert (after.variance, after.deviations.tolist()) == (36, [0, 0, 0, 0])
    assert replicas.standard_error(before) == replicas.standard_error(after) == 6


def test_replicas_are_resampled_by_a_number_of_their_own_and_swept_after():
    """Of key, role 0 and the number of resamplings; families go where their replicas go."""
    before, log_w = state(families=np.array([3, 2, 1, 0]), resamplings=np.array(7)), np.log([1.0, 2, 3, 4])
    rbm = RBM(np.linspace(-1, 1, 6), np.ones((4, 2)))
    after = replicas.resample_and_sweep(KEY, before, rbm, log_w, 2, "cpu")
    u = scalars.uniform(np.uint64(philox.fold_in(KEY, 0, 7).k0))
    ancestors = population.systematic(log_w, u)
    assert after.families.tolist() == [3 - i for i in ancestors]
    swept = gibbs.sweep_reference(KEY, gibbs.chains_from(before.chains.z[ancestors], (4, 2)), rbm, 2)
    np.testing.assert_array_equal(after.chains.z, swept.z)
    assert (after.resamplings, after.rbm) == (8, rbm)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"families": np.array([0, 1, 2, 4])}, "whole numbers from 0 to 3"),
        ({"families": np.array([0, 1, 2, -1])}, "whole numbers from 0 to 3"),
        ({"families": np.arange(4.0)}, "whole numbers from 0 to 3"),
        ({"families": np.arange(3)}, r"families of 4 replicas has the shape \(4,\); got \(3,\)"),
        ({"deviations": np.zeros(5)}, r"deviations of 4 replicas has the shape \(4,\); got \(5,\)"),
        ({"deviations": np.array([0, 0, 0, np.nan])}, "deviations has 1 values that are not finite"),
        ({"log_z": np.array(np.inf)}, "log_z has 1 values that are not finite"),
        ({"log_z": np.zeros(1)}, r"log_z of 4 replicas has the shape \(\); got \(1,\)"),
        ({"variance": np.array(-1e-9)}, "variance must be >= 0; got -1e-09"),
        ({"updates": np.array(-1)}, "updates must be a whole number >= 0; got -1"),
        ({"resamplings": np.array(0.5)}, r"resamplings must be a whole number >= 0; got 0\.5"),
    ],
)
def test_what_is_no_state_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replicas.check(state(**changes))


def test_every_ancestor_may_be_the_one_of_all():
    for ancestor in (0, 3):
        replicas.check(state(families=np.full(4, ancestor)))


@pytest.mark.parametrize(
    ("size", "effective", "entropy", "families", "message"),
    [
        (100, 10.0, 5.0, 10, None),
        (100, 9.99, 5.0, 10, "effective sample below 10 of 100 replicas, as said"),
        (5000, 100.0, 5.0, 10, None),  # 100 are enough of any
        (5000, 99.9, 5.0, 10, "effective sample below 100 of 5000"),
        (10, 5.0, 0.0, 1, None),  # one family of one
        (10, 5.0, -1e-9, 1, "fewer than 1 families are left among 10"),
        (100, 50.0, math.log(10.1), 100, None),  # a tenth of 100 replicas, of 100 families wanted
        (100, 50.0, math.log(9.9), 100, "fewer than 10 families are left among 100"),
        (5000, 500.0, math.log(10.1), 10, None),
        (5000, 500.0, math.log(9.9), 10, "fewer than 10 families are left among 5000"),
    ],
)
def test_when_a_population_has_collapsed(size, effective, entropy, families, message):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        replicas.warn_if_collapsed(size, effective, entropy, families=families, reason="said")
    said = [str(warning.message) for warning in caught]
    assert len(said) == (message is not None)
    assert message is None or message in said[0]
