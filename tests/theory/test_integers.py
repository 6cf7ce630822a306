"""Arrays of integers and of truth values: every function of the theory takes them as the numbers that they are.

NumPy keeps their type where it fills an array like another, and negates a uint8 modulo 256: means over states were 0,
weights 1/K none at all, and gradients 2^64.
"""

import numpy as np
import pytest

from dvae_ref import boltzmann, bounds, gaussian_integral, joint, mixture, overlapping
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.mean_field import log_partition_bound, mean_field
from dvae_ref.theory.smoothing import SMOOTHINGS, Power

MACHINE = RBM(np.array([1, 0, 1, 0, 2]), np.array([[1, 0, -2], [0, 1, 1]]))
Z = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 0, 1], [0, 1, 0, 0, 1]])
D = np.array([1, 0, 1, 1])


def both(forward, backward):
    """The value of a forward, and its gradients for the cotangents d."""

    def of(rbm, x, d):
        value, cache = forward(rbm, x)
        return value, backward(d, cache)

    return of


CALLS = {
    "energy": lambda rbm, x, d: boltzmann.energy(rbm, x),
    "energy_backward": lambda rbm, x, d: boltzmann.energy_backward(d, rbm, x),
    "energy_general": lambda rbm, x, d: boltzmann.energy_general(boltzmann.as_general(rbm), x),
    "field": lambda rbm, x, d: boltzmann.field(rbm, x),
    "conditional_right": lambda rbm, x, d: boltzmann.conditional_right(rbm, x[:, :2]),
    "conditional_left": lambda rbm, x, d: boltzmann.conditional_left(rbm, x[:, 2:]),
    "moments": lambda rbm, x, d: boltzmann.moments(rbm, x),
    "moments, weighted": lambda rbm, x, d: boltzmann.moments(rbm, x, d),
    "mean_field": lambda rbm, x, d: mean_field(rbm, x),
    "log_partition_bound": lambda rbm, x, d: log_partition_bound(rbm, x, x),
    "Eqs. 4 to 6": both(overlapping.log_p, overlapping.log_p_backward),
    "Eq. 7": both(lambda rbm, x: gaussian_integral.log_p(rbm, x, 9), gaussian_integral.log_p_backward),
    "DVAE": both(lambda rbm, x: joint.spike_term(rbm, x, x, 2), joint.spike_term_backward),
    "DVAE++": both(
        lambda rbm, x: joint.overlapping_term(rbm, x, x, 2), lambda d, c: joint.overlapping_term_backward(d, c, 2)
    ),
    "log_weights": lambda rbm, x, d: bounds.log_weights(d, d, kappa=0.5),
    "variational": lambda rbm, x, d: bounds.variational(x),
    "importance_weighted": lambda rbm, x, d: bounds.importance_weighted(x),
    "backward": lambda rbm, x, d: bounds.backward(d, x),
    "inverse_cdf": lambda rbm, x, d: mixture.inverse_cdf(d, d, Power(4.0)),
}


def arrays(found):
    """The arrays in nested tuples, in order."""
    return [array for part in found for array in arrays(part)] if isinstance(found, tuple) else [found]


def check(call, rbm, x, d):
    expected = call(*(np.float64(value) if value is not rbm else RBM(*map(np.float64, rbm)) for value in (rbm, x, d)))
    for ours, theirs in zip(arrays(call(rbm, x, d)), arrays(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("call", CALLS)
def test_everything_in_integers(call):
    check(CALLS[call], MACHINE, Z, D)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
@pytest.mark.parametrize("call", CALLS)
def test_everything_in_a_byte_or_a_bit(call, dtype):
    check(CALLS[call], RBM(*(np.abs(value).astype(dtype) for value in MACHINE)), Z.astype(dtype), D.astype(dtype))


def test_a_float32_machine_stays_one():
    rbm, z = RBM(*map(np.float32, MACHINE)), Z.astype(np.float32)
    assert boltzmann.energy(rbm, z).dtype == boltzmann.moments(rbm, z).zz.dtype == np.float32


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_slopes_of_b_at_whole_numbers(name):
    """That of the power function was 0."""
    smoothing = SMOOTHINGS[name](4.0)
    np.testing.assert_array_equal(smoothing.d_log_ratio(Z), smoothing.d_log_ratio(np.float64(Z)))
