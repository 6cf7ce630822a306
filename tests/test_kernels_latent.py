"""The compiled log q and log p with their gradients against the readable ones in float64, given the same numbers."""

import numpy as np
import pytest

from dvae_ref import mixture, overlapping
from dvae_ref.fast import latent as kernels_latent
from dvae_ref.theory.boltzmann import RBM

LEFT, RIGHT = 70, 67  # both beyond a chunk of 64, no multiples of a vector
N, D = 9, LEFT + RIGHT


def case(size, seed=0):
    """(rbm, logit_q, b, d): b of the given size, either sign, with zeros among them."""
    rng = np.random.default_rng([seed, int(1e3 * size)])
    rbm = RBM(rng.normal(-1, 1, D), rng.normal(0, 0.4, (LEFT, RIGHT)))
    b = size * rng.standard_normal((N, D))
    b[:, ::13] = 0
    numbers = (*rbm, rng.normal(-1, 6, (N, D)), b, rng.standard_normal(N))
    a, W, *rest = (np.float32(x) for x in numbers)
    return RBM(a, W), *rest


def double(rbm, *arrays):
    return RBM(*map(np.float64, rbm)), *(np.float64(a) for a in arrays)


def relative(value, exact):
    return np.linalg.norm(value - exact) / np.linalg.norm(exact)


sizes = pytest.mark.parametrize("size", [0, 1e-3, 1, 30, 600, 1e4])


@sizes
def test_log_q(size):
    """137 terms of about |logit q| + 1, each good to eps: 2e-6 of their sum of sizes leaves ten times the room."""
    _, logit_q, b, _ = case(size)
    value = kernels_latent.log_q(logit_q, b)
    exact = mixture.log_q(np.float64(logit_q), np.float64(b))[0]
    scale = np.sum(np.abs(np.float64(logit_q)) + 1, 1)
    assert value.dtype == np.float32
    assert np.max(np.abs(value - exact) / scale) < 2e-6
    if size:
        other = mixture.log_q(np.float64(logit_q), -np.float64(b))[0]
        assert np.max(np.abs(value - other) / scale) > 2e-5


@sizes
def test_log_q_backward(size):
    """To 1e-6 of |d|, and d_b relatively, since it may be multiplied by beta: exponents of up to |l| + |b| < 80."""
    _, logit_q, b, d = case(size)
    found = kernels_latent.log_q_backward(d, logit_q, b)
    exact = mixture.log_q_backward(np.float64(d), (np.float64(logit_q), np.float64(b)))
    for value, wanted in zip(found, exact, strict=True):
        assert np.max(np.abs(value - wanted) / np.abs(d)[:, None]) < 1e-6
    near = np.abs(np.float64(logit_q) + b) < 75
    np.testing.assert_allclose(found[1][near], exact[1][near], rtol=1e-5)
    swapped = mixture.log_q_backward(np.float64(d), (np.float64(logit_q), -np.float64(b)))
    assert not size or relative(found[0], swapped[0]) > 1e-4


@sizes
@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_log_p_and_its_gradient(size, sweeps):
    """The value to 2e-6 of the sum of |field| + 1 over units, a few roundings each; logit m likewise, but where the
    mean field flips from one sweep to the next (for b of about the couplings' size), which multiplies roundings."""
    rbm, _, b, d = case(size)
    rbm64, b64, d64 = double(rbm, b, d)
    value, cache = overlapping.log_p(rbm, b, sweeps)
    exact, exact_cache = overlapping.log_p(rbm64, b64, sweeps)
    assert value.dtype == np.float32
    scale = np.sum(np.abs(exact_cache.logit_m - b64) + 1, 1)
    assert np.max(np.abs(value - exact) / scale) < 2e-6
    assert np.max(np.abs(cache.logit_m - exact_cache.logit_m) / (1 + np.abs(exact_cache.logit_m))) < 1e-4
    d_rbm, d_b = overlapping.log_p_backward(d, cache)
    exact_rbm, exact_d_b = overlapping.log_p_backward(d64, exact_cache)
    for found, wanted in zip((*d_rbm, d_b), (*exact_rbm, exact_d_b), strict=True):
        assert found.dtype == np.float32
        assert relative(found, wanted) < 2e-5
    if size == 1:  # the control: another sweep is another number
        other = overlapping.log_p(rbm64, b64, sweeps + 1)[0]
        assert np.max(np.abs(value - other) / scale) > 2e-6


def test_d_b_keeps_its_relative_accuracy_at_the_mode():
    """m - [b > 0] is e^-40 there: a difference of m and 1 would be 0."""
    rbm, _, b, d = case(1)
    b[:] = np.where(b > 0, 40, -40)
    rbm64, b64, d64 = double(rbm, b, d)
    d_b = overlapping.log_p_backward(d, overlapping.log_p(rbm, b)[1])[1]
    exact = overlapping.log_p_backward(d64, overlapping.log_p(rbm64, b64)[1])[1]
    np.testing.assert_allclose(d_b, exact, rtol=1e-4)  # exponents of 40 are good to 2e-6, fields of a few to 1e-6
    assert np.all(d_b != 0)


def test_rows_do_not_depend_on_their_neighbours():
    """Of log q; log p has BLAS in it, which may sum another number of rows in another order."""
    _, logit_q, b, _ = case(30)
    whole = kernels_latent.log_q(logit_q, b)
    alone = [kernels_latent.log_q(logit_q[i : i + 1], b[i : i + 1]) for i in range(N)]
    assert np.concatenate(alone).tobytes() == whole.tobytes()


def test_what_has_no_kernel_goes_the_readable_way():
    rbm, logit_q, b, _ = case(1)
    assert kernels_latent.takes(logit_q, b)
    assert not kernels_latent.takes(logit_q, b[:, ::2])
    assert not kernels_latent.takes(np.float64(b))
    assert overlapping.log_p(rbm, b, 0)[0].dtype == np.float32  # no sweeps: m = 1/2
    np.testing.assert_allclose(mixture.log_q(logit_q[:, ::2], b[:, ::2])[0].shape, (N,))


def test_nan_is_not_swallowed():
    rbm, logit_q, b, d = case(1)
    b[3, 5] = np.nan
    for value in (kernels_latent.log_q(logit_q, b), overlapping.log_p(rbm, b)[0]):
        assert np.isnan(value[3])
        assert np.sum(np.isnan(value)) == 1
    assert np.isnan(kernels_latent.log_q_backward(d, logit_q, b)[1][3, 5])
