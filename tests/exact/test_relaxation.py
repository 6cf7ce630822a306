"""log p(zeta) by enumeration, its gradient, and the moments of the augmented posterior."""

import mpmath
import numba
import numpy as np
import oracle
import pytest
import witness
from scipy.special import logsumexp

from dvae_ref import exact, overlapping
from dvae_ref.exact import relaxation
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import SMOOTHINGS

SHAPES = [(3, 5), (5, 3), (1, 6)]


def rbm(n_left, n_right, scale=1.0):
    rng = np.random.default_rng([n_left, n_right])
    return RBM(rng.normal(-0.5, 1, n_left + n_right), scale * (0.3 + rng.standard_normal((n_left, n_right))))


def log_ratios(name, shape, rows=7):
    """b of fair draws of zeta: up to hundreds for the power function."""
    rng, smoothing = np.random.default_rng(len(name)), SMOOTHINGS[name](float(LAWS[name].candidates[1]))
    t = smoothing.sample0(rng.uniform(0, 1, (rows, sum(shape)))) * rng.choice([-1, 1], (rows, sum(shape)))
    return smoothing.log_ratio(t)


def plain(machine, b):
    """log sum_z exp(-E(z) + b·z - sum max(b, 0)) of each row."""
    z = witness.states(len(machine.a))
    return logsumexp(-witness.energy(*machine, z) + b @ z.T - np.maximum(b, 0).sum(1)[:, None], axis=1)


@pytest.mark.parametrize("name", SMOOTHINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_log_p_agrees_with_plain_enumeration(name, shape):
    """1e-11: the plain sum loses eps times |b| summed over a row, up to a few thousand."""
    machine, b = rbm(*shape), log_ratios(name, shape)
    np.testing.assert_allclose(exact.log_p(machine, b)[0], plain(machine, b), rtol=0, atol=1e-11)
    assert np.max(np.abs(exact.log_p(machine, -b)[0] - plain(machine, b))) > 0.1  # control: the sign of b
    assert np.max(np.abs(exact.log_p(RBM(-machine.a, machine.W), b)[0] - plain(machine, b))) > 0.1


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_log_p_is_the_log_of_p_of_zeta(name):
    """With log Z and r_max put back: log sum_z p(z) prod_i r(zeta_i|z_i) in plain densities, and without them not."""
    machine, beta = rbm(3, 4), 6.0
    smoothing, zeta = SMOOTHINGS[name](beta), np.random.default_rng(1).uniform(0.05, 0.95, (5, 7))
    t = smoothing.t(zeta)
    r = [np.array(witness.density(name, beta, zeta, z)) for z in (0, 1)]
    z = witness.states(7)
    mixture = np.array([[np.prod(np.where(state, r1, r0)) for state in z] for r0, r1 in zip(*r, strict=True)])
    expected = np.log(mixture @ witness.probabilities(*machine))
    relative, r_max = exact.log_p(machine, smoothing.log_ratio(t))[0], np.log(np.maximum(*r)).sum(1)
    np.testing.assert_allclose(relative - exact.log_z(machine) + r_max, expected, rtol=1e-12, atol=1e-12)
    assert np.min(np.abs(relative - expected)) > 0.1


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_log_p_and_marginals_at_50_digits_far_out(shape):
    """|b| up to 300, where 1 - E[z] is e^-300 and must come with its digits. The off-mode unit's weight is e^-|b|."""
    machine = rbm(*shape)
    b = np.array([[-300.0, 250.0, 0.3, -2.0, 120.0, -40.0, 30.0, 1e-9, -7.0, 290.0]])
    off = -np.maximum(b[0], 0)
    with mpmath.workdps(oracle.DIGITS):
        a_exact = [mpmath.mpf(x) + mpmath.mpf(min(y, 0)) for x, y in zip(machine.a, b[0], strict=True)]
        J = witness.couplings(machine.W)
        log_p = oracle.log_z(a_exact, J, off)
        p_on, p_off, both = oracle.probabilities(a_exact, J, off)
    value, cache = exact.log_p(machine, b)
    grad, d_b = exact.log_p_backward(np.ones(1), cache)
    assert abs(value[0] - float(log_p)) < 1e-13 * abs(float(log_p)) + 1e-14
    # a + min(b, 0) is rounded once, which moves the probabilities by up to 300 eps = 7e-14.
    np.testing.assert_allclose(d_b[0], np.where(b[0] > 0, -p_off, p_on), rtol=2e-13)
    np.testing.assert_allclose(grad.a, p_on, rtol=2e-13)
    np.testing.assert_allclose(grad.W, both[: shape[0], shape[0] :], rtol=2e-13)
    assert np.min(np.abs(d_b)) < 1e-100  # there is something that a subtraction would lose


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_is_that_of_the_value(shape):
    rng, machine, b = np.random.default_rng(3), rbm(*shape), np.random.default_rng(4).normal(0, 3, (5, sum(shape)))

    def forward(a, W, b):
        return exact.log_p(RBM(a, W), b)[0]

    def gradients(d_log_p):
        grad, d_b = exact.log_p_backward(d_log_p, exact.log_p(machine, b)[1])
        return [*grad, d_b]

    witness.check_backward(rng, forward, gradients, [*machine, b])
    for i in range(3):  # controls: each gradient with its sign flipped
        with pytest.raises(AssertionError, match=f"argument {i}"):
            witness.check_backward(
                rng,
                forward,
                lambda d, i=i: [-g if j == i else g for j, g in enumerate(gradients(d))],
                [*machine, b],
            )


def test_posterior_moments_and_rows_in_chunks(monkeypatch):
    """Row by row the moments of the RBM with biases a + b; the gradient does not depend on how rows are grouped."""
    machine, b = rbm(4, 3), np.random.default_rng(5).normal(0, 2, (9, 7))
    found = exact.posterior_moments(machine, b)
    assert found.zz.shape == (9, 4, 3)
    for row, z, zz in zip(b, *found, strict=True):
        expected = exact.moments(RBM(machine.a + row, machine.W))
        np.testing.assert_allclose(z, expected.z, rtol=1e-13)
        np.testing.assert_allclose(zz, expected.zz, rtol=1e-13)
    d = np.random.default_rng(6).standard_normal(9)
    whole = exact.log_p_backward(d, exact.log_p(machine, b)[1])
    monkeypatch.setattr(relaxation, "ROWS", 2)
    chunked = exact.log_p_backward(d, exact.log_p(machine, b)[1])
    np.testing.assert_array_equal(whole[1], chunked[1])
    np.testing.assert_allclose(whole[0].W, chunked[0].W, rtol=1e-13)
    np.testing.assert_allclose(whole[0].W, np.einsum("n,nij->ij", d, found.zz), rtol=1e-13)


def test_of_no_rows_the_gradients_are_of_the_right_shapes():
    machine = rbm(4, 3)
    d_rbm, d_b = exact.log_p_backward(np.zeros(0), exact.log_p(machine, np.zeros((0, 7)))[1])
    assert (d_rbm.a.shape, d_rbm.W.shape, d_b.shape) == ((7,), (4, 3), (0, 7))
    assert not np.any(d_rbm.W)


def test_mean_field_is_below_and_close():
    """The approximation that this is the oracle of: a lower bound, equal without couplings."""
    machine, b = rbm(4, 6), log_ratios("exp", (4, 6), 50)
    gap = exact.log_p(machine, b)[0] - overlapping.log_p(machine, b)[0]
    assert np.all(gap > -1e-12)
    assert 1e-4 < np.max(gap) < 1
    free = RBM(machine.a, np.zeros((4, 6)))
    np.testing.assert_allclose(exact.log_p(free, b)[0], overlapping.log_p(free, b)[0], rtol=0, atol=1e-12)


def test_threads_and_rows_do_not_change_a_byte():
    machine, b = rbm(17, 20), np.random.default_rng(7).normal(0, 3, (3, 37))
    before = numba.get_num_threads()
    value = exact.log_p(machine, b)[0]
    try:
        numba.set_num_threads(1)
        assert exact.log_p(machine, b)[0].tobytes() == value.tobytes()
    finally:
        numba.set_num_threads(before)
    assert np.concatenate([exact.log_p(machine, row[None])[0] for row in b]).tobytes() == value.tobytes()


def test_bad_input_is_refused():
    machine = rbm(3, 4)
    with pytest.raises(ValueError, match=r"b must have the shape \(N, D\) with D = 7, got \(2, 6\)"):
        exact.log_p(machine, np.zeros((2, 6)))
    with pytest.raises(ValueError, match="b has 1 values that are not finite"):
        exact.log_p(machine, np.array([[0, 0, np.inf, 0, 0, 0, 0]]))
    with pytest.raises(ValueError, match=r"20 units for 1000 machines .* takes about"):
        exact.log_p(RBM(np.zeros(50), np.zeros((20, 30))), np.zeros((1000, 50)))
    with pytest.raises(ValueError, match="the RBM's W has"):
        exact.posterior_moments(RBM(np.zeros(2), np.full((1, 1), np.nan)), np.zeros((1, 2)))


def test_at_the_kink_it_is_on_the_side_of_b_not_positive():
    """As `mixture.log_q_backward` is, so that the jumps of log p and log q cancel: at b = 0 E[z], not E[z] - 1."""
    machine, b = rbm(3, 2), np.array([[0.0, -0.5, 0.0, 2.0, 0.0]])
    _, d_b = exact.log_p_backward(np.ones(1), exact.log_p(machine, b)[1])
    moments = exact.posterior_moments(machine, b).z
    np.testing.assert_allclose(d_b, moments - (b > 0), rtol=1e-12)
    assert np.all((moments > 0.01) & (moments < 0.99))
