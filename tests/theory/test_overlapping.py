"""log p(zeta) of the overlapping relaxation and its gradient, Eqs. 4 and 5, against enumeration."""

import numpy as np
import pytest
import witness
from autograd import grad

from dvae_ref import mixture, overlapping
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.mirror import RealLine
from dvae_ref.theory.smoothing import SMOOTHINGS, named

LEFT, RIGHT, N = 3, 4, 5
ZETA = {name: (-0.5, 1.5) if name in named(RealLine) else (0.01, 0.99) for name in SMOOTHINGS}
BETA = 5.0


@pytest.fixture
def rng():
    return np.random.default_rng(51)


def machine(rng, coupling):
    return RBM(rng.normal(-0.4, 1, LEFT + RIGHT), coupling * rng.normal(0.5, 1.5, (LEFT, RIGHT)))


def exact_log_p(a, W, b):
    """log sum_z exp(-E(z) + b·z) - sum_i max(b_i, 0), summed over rows with unequal weights."""
    z = witness.states(LEFT + RIGHT)
    total = witness.logsumexp(-witness.energy(a, W, z) + witness.np.dot(b, z.T), 1)
    return total - witness.np.sum(witness.np.maximum(b, 0), 1)


def exact_gradient(d, rbm, b):
    return grad(lambda args: witness.np.sum(d * exact_log_p(*args)))((*rbm, b))


@pytest.mark.parametrize("name", ZETA)
def test_log_p_is_eq_4_in_zeta(rng, name):
    """log p(zeta) + log Z = log sum_z e^-E(z) r(zeta|z), relative to the product of the larger r: exact for W = 0."""
    rbm = machine(rng, 0.0)
    zeta = rng.uniform(*ZETA[name], (N, LEFT + RIGHT))
    r0, r1 = (witness.density(name, BETA, zeta, z) for z in (0, 1))
    z = witness.states(LEFT + RIGHT)
    r = np.prod(np.where(z[:, None] == 1, r1, r0), 2)  # (2^D, N)
    expected = np.log(np.exp(-witness.energy(*rbm, z)) @ r) - np.log(np.maximum(r0, r1)).sum(1)
    value, _ = overlapping.log_p(rbm, np.log(r1 / r0))
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


def test_log_p_is_a_lower_bound_that_five_sweeps_make_close(rng):
    """For couplings of order 1 and |b| of a few the KL is a fraction of a nat, and it is not zero."""
    rbm, b = machine(rng, 0.5), rng.normal(0, 4, (200, LEFT + RIGHT))
    gap = exact_log_p(*rbm, b) - overlapping.log_p(rbm, b)[0]
    assert gap.min() > 0
    assert 1e-3 < gap.mean() < 0.2


def test_backward_is_exact_without_couplings(rng):
    """W = 0: m is the exact marginal, so Eq. 5 is the gradient of the exact log p, that in W included."""
    rbm, b, d = machine(rng, 0.0), rng.normal(0, 3, (N, LEFT + RIGHT)), rng.uniform(0.5, 2, N)
    _, cache = overlapping.log_p(rbm, b)
    d_rbm, d_b = overlapping.log_p_backward(d, cache)
    for value, expected in zip((*d_rbm, d_b), exact_gradient(d, rbm, b), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12)


def gradients(rbm, b, sweeps):
    _, cache = overlapping.log_p(rbm, b, sweeps)

    def backward(d):
        d_rbm, d_b = overlapping.log_p_backward(d, cache)
        return (*d_rbm, d_b)

    return backward


def test_backward_is_the_derivative_of_the_value_at_the_fixed_point(rng):
    """The envelope theorem: dH(m)/dm = dE^(m)/dm there, so holding m fixed loses nothing."""
    rbm, b = machine(rng, 0.3), rng.normal(0, 3, (N, LEFT + RIGHT))
    arguments = (*rbm, b)
    witness.check_backward(
        rng, lambda a, W, b: overlapping.log_p(RBM(a, W), b, 200)[0], gradients(rbm, b, 200), arguments
    )


def test_control_one_sweep_is_no_fixed_point(rng):
    """After one sweep the left side is stationary given the right, but the right is not given the left."""
    rbm, b = machine(rng, 0.3), rng.normal(0, 3, (N, LEFT + RIGHT))
    with pytest.raises(AssertionError, match="argument"):
        witness.check_backward(
            rng, lambda a, W, b: overlapping.log_p(RBM(a, W), b, 1)[0], gradients(rbm, b, 1), (*rbm, b)
        )


def test_backward_is_minus_the_gradient_of_the_augmented_energy_at_m(rng):
    """Eq. 5's -grad E^(m) at fixed m, less that of the factors taken out: any number of sweeps, any couplings."""
    rbm, b, d = machine(rng, 1.0), rng.normal(0, 3, (N, LEFT + RIGHT)), rng.uniform(0.5, 2, N)
    m = witness.mean_field(*rbm, b, 2)

    def minus_energy(args):
        a, W, b = args
        relative = witness.np.sum(b * m - witness.np.maximum(b, 0), 1)
        return witness.np.sum(d * (relative - witness.energy(a, W, m)))

    for value, expected in zip(gradients(rbm, b, 2)(d), grad(minus_energy)((*rbm, b)), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


def test_at_the_kink_both_terms_take_the_same_side(rng):
    """log p and log q are relative to r_max, which has a corner at b = 0: at b = 0 itself, and just beside it, the
    gradient in b of their difference is m - nu, and neither has a jump that the other has not."""
    rbm, logit_q = machine(rng, 0.3), rng.normal(0, 1, (1, LEFT + RIGHT))
    differences = []
    for b in (np.full((1, LEFT + RIGHT), value) for value in (-1e-9, 0.0, 1e-9)):
        _, p = overlapping.log_p(rbm, b, 200)
        _, q = mixture.log_q(logit_q, b)
        _, of_p = overlapping.log_p_backward(np.ones(1), p)
        _, of_q = mixture.log_q_backward(np.ones(1), q)
        differences.append(of_p - of_q)
    np.testing.assert_allclose(differences[1], differences[0], atol=1e-8)
    np.testing.assert_allclose(differences[1], differences[2], atol=1e-8)
    assert np.all(of_p < 0)  # m - 1 at b > 0
