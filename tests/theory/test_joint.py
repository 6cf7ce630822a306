"""The KL of Eq. 2 for priors that keep z: against enumeration over z, by quadrature over zeta, and its gradient."""

import numpy as np
import pytest
import witness
from scipy.special import expit

from dvae_ref import joint
from dvae_ref.theory.boltzmann import RBM

SMOOTHINGS = [("exp", 4.0), ("power", 2.0)]


def machine(shape, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return RBM(rng.normal(-0.5, 1, sum(shape)), 0.5 + 1.5 * rng.standard_normal(shape))


def log_bernoulli(logit, z):
    """log of sigmoid(logit) where z = 1, of sigmoid(-logit) where z = 0, summed over units."""
    return -np.sum(np.logaddexp(0, np.where(z > 0, -logit, logit)), -1)


class Overlapping:
    """Two groups of `width` units, group 2 given zeta_1; zeta_1 on a grid of t = logit(zeta), all combinations.

    The trapezoidal rule on the line converges exponentially: integrands are analytic to |Im t| = 1.3 at least (the
    pole of nu for exp), which steps of 0.25 turn into e^-33, and fall as e^(-|t| / beta) (power) and e^-|t| (exp).
    """

    def __init__(self, name, beta, width):
        rng = np.random.default_rng(width)
        end, step = (80, 0.4) if name == "power" else (40, 0.25)
        axis = np.arange(-end, end + step, step)
        self.t = np.stack(np.meshgrid(*[axis] * width, indexing="ij"), -1).reshape(-1, width)
        zeta, rest = expit(self.t), expit(-self.t)
        if name == "exp":
            scale = step * beta / (1 - np.exp(-beta)) * zeta * rest
            self.given = np.exp(-beta * zeta) * scale, np.exp(-beta * rest) * scale  # weights of t given z = 0, 1
            self.b = beta * (zeta - rest)
        else:
            scale = step / beta
            self.given = zeta ** (1 / beta) * rest * scale, rest ** (1 / beta) * zeta * scale
            self.b = (1 - 1 / beta) * self.t
        self.logit_1 = rng.normal(0.5, 1, width)
        self.logit_2 = rng.normal(-0.5, 1, width) + zeta @ rng.normal(0, 2, (width, width))
        self.rbm = machine((width, width))

    def weight(self):
        """q(zeta_1) of each row."""
        return np.prod(expit(-self.logit_1) * self.given[0] + expit(self.logit_1) * self.given[1], 1)

    def rows(self):
        """logit_q and b of all units, as overlapping_term takes them; b of group 2 is not to be read."""
        logit_q = np.concatenate([np.broadcast_to(self.logit_1, self.t.shape), self.logit_2], 1)
        return logit_q, np.concatenate([self.b, np.full_like(self.b, np.nan)], 1)

    def mean_over_z(self, f):
        """E[f(z, log q(z|x, zeta))] with z_1 drawn first, zeta_1 from r(.|z_1), then z_2 given zeta_1."""
        total = 0.0
        for z in witness.states(2 * self.t.shape[1]):
            z1, z2 = np.split(z, 2)
            log_q = log_bernoulli(self.logit_1, z1) + log_bernoulli(self.logit_2, z2)
            total += np.sum(np.exp(log_q) * np.prod(np.where(z1 > 0, *self.given[::-1]), 1) * f(z, log_q))
        return total


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(("name", "beta"), SMOOTHINGS)
def test_overlapping_term_is_unbiased(name, beta, width):
    """E over zeta of the term is minus the KL by enumeration, and E[nu_left W mu_right] is E[z_left W z_right]."""
    case = Overlapping(name, beta, width)
    weight, rows = case.weight(), case.rows()
    assert weight.sum() == pytest.approx(1, rel=1e-12)
    value = weight @ joint.overlapping_term(case.rbm, *rows, 2)[0]
    minus_kl = case.mean_over_z(lambda z, log_q: -witness.energy(*case.rbm, z) - log_q)
    assert value == pytest.approx(minus_kl, rel=1e-12)
    coupled = value - weight @ joint.overlapping_term(case.rbm._replace(W=0 * case.rbm.W), *rows, 2)[0]
    expected = case.mean_over_z(lambda z, log_q: z[:width] @ case.rbm.W @ z[width:])
    assert coupled == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("name", "beta"), SMOOTHINGS)
def test_control_mu_on_both_sides_is_biased(name, beta):
    """In two groups the one-group form would miss what zeta_1 says of z_1 to group 2."""
    case = Overlapping(name, beta, 2)
    mean = case.weight() @ joint.overlapping_term(case.rbm, *case.rows(), 1)[0]
    minus_kl = case.mean_over_z(lambda z, log_q: -witness.energy(*case.rbm, z) - log_q)
    assert abs(mean - minus_kl) > 1e-3 * abs(minus_kl)


def minus_kl_of_one_group(rbm, logit_q):
    """sum_z q(z) (-E(z) - log q(z)) of each row."""
    z = witness.states(len(rbm.a))
    log_q = log_bernoulli(logit_q[:, None], z)
    return np.sum(np.exp(log_q) * (-witness.energy(*rbm, z) - log_q), 1)


def one_group():
    rng = np.random.default_rng(4)
    return machine((2, 3)), rng.normal(0, 2, (5, 5)), rng.normal(0, 3, (5, 5)), rng.choice([0, 0.3, 0.9], (5, 5))


def test_one_group_is_in_closed_form():
    """No sampling: b and zeta are not read."""
    rbm, logit_q, b, zeta = one_group()
    expected = minus_kl_of_one_group(rbm, logit_q)
    for value, _ in (joint.overlapping_term(rbm, logit_q, b, 1), joint.spike_term(rbm, logit_q, zeta, 1)):
        np.testing.assert_allclose(value, expected, rtol=1e-13)
    flipped = minus_kl_of_one_group(rbm._replace(W=-rbm.W), logit_q)
    assert witness.relative_error(flipped, expected) > 0.1


@pytest.mark.parametrize("groups", [1, 2])
def test_gradient_of_the_overlapping_term(groups):
    """In a, W, logit q and b; groups beyond one change only what stands for z on the left."""
    rbm, logit_q, b, _ = one_group()

    def gradients(cotangent):
        cache = joint.overlapping_term(rbm, logit_q, b, groups)[1]
        d_rbm, *others = joint.overlapping_term_backward(cotangent, cache, groups)
        return *d_rbm, *others

    def forward(a, W, logit_q, b):
        return joint.overlapping_term(RBM(a, W), logit_q, b, groups)[0]

    if groups == 1:
        assert not np.any(gradients(np.ones(5))[3])
        witness.check_backward(
            np.random.default_rng(5), lambda *p: forward(*p, b), lambda d: gradients(d)[:3], (*rbm, logit_q)
        )
    else:
        witness.check_backward(np.random.default_rng(5), forward, gradients, (*rbm, logit_q, b))


def test_gradient_of_the_spike_term_in_one_group():
    rbm, logit_q, _, zeta = one_group()

    def gradients(cotangent):
        d_rbm, d_logit_q = joint.spike_term_backward(cotangent, joint.spike_term(rbm, logit_q, zeta, 1)[1])
        return *d_rbm, d_logit_q

    witness.check_backward(
        np.random.default_rng(6),
        lambda a, W, logit_q: joint.spike_term(RBM(a, W), logit_q, zeta, 1)[0],
        gradients,
        (*rbm, logit_q),
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_what_stands_for_z_in_the_spike_term(groups):
    """[zeta > 0] in all groups but the last, q there: the coupling's part by hand."""
    rbm, rng = machine((2, 2)), np.random.default_rng(7)
    logit_q, zeta = rng.normal(0, 2, (6, 4)), rng.choice([0, 1e-300, 0.9], (6, 4))
    q, last = expit(logit_q), 4 - 4 // groups
    z = np.where(np.arange(4) < last, zeta > 0, q)
    value = joint.spike_term(rbm, logit_q, zeta, groups)[0]
    without = joint.spike_term(rbm._replace(W=0 * rbm.W), logit_q, zeta, groups)[0]
    np.testing.assert_allclose(value - without, np.sum((z[:, :2] @ rbm.W) * z[:, 2:], 1), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(without, minus_kl_of_one_group(rbm._replace(W=0 * rbm.W), logit_q), rtol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_extreme_logits_are_finite_and_float32_stays(groups):
    """q = 0 and q = 1 to the last bit: the entropy's log q never meets its zero."""
    rbm = RBM(*(np.float32(leaf) for leaf in machine((2, 2))))
    logit_q = np.float32([[-800, 800, 90, -90], [30, -30, 0, 800]])
    zeta, d = np.float32([[0, 0.9, 0.8, 0], [0.7, 0, 0.2, 1]]), np.ones(2, np.float32)
    over, over_cache = joint.overlapping_term(rbm, logit_q, 3 * logit_q, groups)
    spiked, spike_cache = joint.spike_term(rbm, logit_q, zeta, groups)
    (d_rbm, *rest), (d_rbm_2, d_logit_q) = (
        joint.overlapping_term_backward(d, over_cache, groups),
        joint.spike_term_backward(d, spike_cache),
    )
    for leaf in (over, spiked, *d_rbm, *rest, *d_rbm_2, d_logit_q):
        assert leaf.dtype == np.float32
        assert np.all(np.isfinite(leaf))


def test_the_gradient_in_b_keeps_its_digits_where_nu_is_nearly_1():
    """d_b = d nu (1 - nu) W mu of one unit a side: nu (1 - nu) = sigmoid(f) sigmoid(-f), f = logit q + b up to 60. As
    nu less its square it would be 0 from f = 37 on, and have a digit left at f = 34."""
    field = np.linspace(-60, 60, 13)[:, None]
    logit_q, b = np.hstack([0 * field, 0 * field + 0.3]), np.hstack([field, 0 * field])
    rbm = RBM(np.zeros(2), np.array([[2.0]]))
    _, cache = joint.overlapping_term(rbm, logit_q, b, 2)
    _, _, d_b = joint.overlapping_term_backward(np.ones(len(b)), cache, 2)
    exactly = 2.0 * expit(0.3) / (np.exp(field) + 2 + np.exp(-field))
    np.testing.assert_allclose(d_b[:, :1], exactly, rtol=1e-14)
    assert np.any(np.abs(2.0 * expit(0.3) * cache.nu * (1 - cache.nu) / exactly - 1) > 0.01)


def test_the_gradient_of_the_spike_term_keeps_its_digits_where_q_is_nearly_1():
    """One group, one unit a side, a_i = logit_i: (J z)_i q_i (1 - q_i) for both. As 1 - q the left one's would be 0."""
    logit_q = np.array([[50.0, 40.0]])
    _, cache = joint.spike_term(RBM(logit_q[0], np.array([[2.0]])), logit_q, np.ones((1, 2)), 1)
    _, d_logit_q = joint.spike_term_backward(np.ones(1), cache)
    np.testing.assert_allclose(d_logit_q, 2.0 * expit(logit_q[:, ::-1]) * expit(logit_q) * expit(-logit_q), rtol=1e-14)
    assert 1 - expit(50.0) == 0
