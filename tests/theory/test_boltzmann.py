"""Energy, gradient, conditionals and moments against the paper's E(z) = -a·z - z J z / 2 and enumeration."""

import numpy as np
import pytest
import witness

from dvae_ref import boltzmann
from dvae_ref.theory.boltzmann import RBM

LEFT, RIGHT = 3, 4


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def rbm(rng):
    return RBM(rng.normal(-0.4, 1, LEFT + RIGHT), rng.normal(0.3, 1, (LEFT, RIGHT)))


def test_energy_of_every_state(rbm):
    z = witness.states(LEFT + RIGHT)
    np.testing.assert_allclose(boltzmann.energy(rbm, z), witness.energy(*rbm, z), rtol=1e-13, atol=1e-13)


def test_energy_is_multilinear(rbm, rng):
    """E at the means of a factorial distribution is the mean of E."""
    m = rng.uniform(0, 1, LEFT + RIGHT)
    z = witness.states(LEFT + RIGHT)
    weights = np.prod(np.where(z == 1, m, 1 - m), 1)
    assert boltzmann.energy(rbm, m) == pytest.approx(weights @ boltzmann.energy(rbm, z), rel=1e-12)


def test_energy_backward(rbm, rng):
    z = rng.uniform(0, 1, (5, LEFT + RIGHT))

    def gradients(d_energy):
        d_rbm, d_z = boltzmann.energy_backward(d_energy, rbm, z)
        return (*d_rbm, d_z)

    witness.check_backward(rng, lambda a, W, z: boltzmann.energy(RBM(a, W), z), gradients, (*rbm, z))


def test_control_a_transposed_or_flipped_gradient_is_seen(rbm, rng):
    z = rng.uniform(0, 1, (5, LEFT + RIGHT))

    def flipped(d_energy):
        d_rbm, d_z = boltzmann.energy_backward(d_energy, rbm, z)
        return (d_rbm.a, -d_rbm.W, d_z)

    with pytest.raises(AssertionError, match="argument 1"):
        witness.check_backward(rng, lambda a, W, z: boltzmann.energy(RBM(a, W), z), flipped, (*rbm, z))


def test_conditionals_by_enumeration(rbm):
    """p(z_i = 1 | other side) from the table of p(z): every side, every unit, every state of the other side."""
    z, p = witness.states(LEFT + RIGHT), witness.probabilities(*rbm)
    sides = [
        (slice(0, LEFT), slice(LEFT, None), boltzmann.conditional_left),
        (slice(LEFT, None), slice(0, LEFT), boltzmann.conditional_right),
    ]
    for own, other, conditional in sides:
        for given in np.unique(z[:, other], axis=0):
            rows = np.all(z[:, other] == given, 1)
            expected = p[rows] @ z[rows][:, own] / p[rows].sum()
            np.testing.assert_allclose(conditional(rbm, given[None])[0], expected, rtol=1e-12)


def test_field_is_the_log_odds_of_a_unit_given_the_rest(rbm):
    """a + J z is log p(z_i = 1 | rest) - log p(z_i = 0 | rest), whatever z_i is."""
    z = witness.states(LEFT + RIGHT)
    field = boltzmann.field(rbm, z)
    for i in range(LEFT + RIGHT):
        on, off = z.copy(), z.copy()
        on[:, i], off[:, i] = 1, 0
        expected = witness.energy(*rbm, off) - witness.energy(*rbm, on)
        np.testing.assert_allclose(field[:, i], expected, rtol=1e-12, atol=1e-12)


def test_moments_are_the_gradient_of_log_z(rbm, rng):
    """d log Z = E[z]·da + E[z_left z_right']·dW, along a random direction."""
    moments = boltzmann.moments(rbm, witness.states(LEFT + RIGHT), witness.probabilities(*rbm))
    da, dW = rng.standard_normal(LEFT + RIGHT), rng.standard_normal((LEFT, RIGHT))
    difference = witness.derivative(lambda h: witness.log_z(rbm.a + h * da, rbm.W + h * dW))
    assert abs(moments.z @ da + np.sum(moments.zz * dW) - difference.value) <= difference.error < 1e-8


def test_moments_weigh_rows_equally_by_default(rbm, rng):
    z = rng.integers(0, 2, (10, LEFT + RIGHT)).astype(np.float32)
    moments = boltzmann.moments(rbm, z)
    assert moments.z.dtype == np.float32
    np.testing.assert_allclose(moments.z, z.mean(0), rtol=1e-6)
    np.testing.assert_allclose(moments.zz, (z[:, :LEFT, None] * z[:, None, LEFT:]).mean(0), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("a", "W", "said"),
    [
        (np.zeros(6), np.zeros((3, 4)), r"W \(3, 4\) and a \(6,\)"),
        (np.zeros(7), np.zeros(12), "shape"),
        (np.zeros((7, 1)), np.zeros((3, 4)), "shape"),
        (np.full(7, np.nan), np.zeros((3, 4)), "RBM's a has 7 values"),
        (np.zeros(7), np.full((3, 4), np.inf), "RBM's W has 12 values"),
    ],
)
def test_check_says_what_is_wrong(a, W, said):
    with pytest.raises(ValueError, match=said):
        boltzmann.check(RBM(a, W))


def test_check_passes_what_is_right(rbm):
    boltzmann.check(rbm)


def test_the_energy_of_a_general_machine_counts_every_pair_once(rng):
    """Against sums over pairs, written out, to 1e-13 of numbers below 20; twice every pair, or half, is off by 1."""
    J = np.triu(rng.normal(0, 1, (5, 5)), 1)
    machine, z = boltzmann.BoltzmannMachine(rng.normal(0, 1, 5), J + J.T), witness.states(5)
    pairs = sum(J[i, j] * z[:, i] * z[:, j] for i in range(5) for j in range(i + 1, 5))
    np.testing.assert_allclose(boltzmann.energy_general(machine, z), -z @ machine.a - pairs, atol=1e-13)
    assert np.max(np.abs(pairs)) > 1


def test_an_rbm_as_a_general_machine_has_no_couplings_within_a_side(rbm):
    machine = boltzmann.as_general(rbm)
    np.testing.assert_array_equal(machine.J[:LEFT, LEFT:], rbm.W)
    np.testing.assert_array_equal(machine.J[LEFT:, :LEFT], rbm.W.T)
    assert not np.any(machine.J[:LEFT, :LEFT])
    assert not np.any(machine.J[LEFT:, LEFT:])
    np.testing.assert_array_equal(machine.a, rbm.a)
    boltzmann.check_general(machine)


@pytest.mark.parametrize(
    ("a", "J", "said"),
    [
        (np.zeros(3), np.zeros((4, 4)), r"a of shape \(D,\) and J of \(D, D\); got \(3,\) and \(4, 4\)"),
        (np.zeros((3, 1)), np.zeros((3, 1, 3, 1)), "a of shape"),
        (np.zeros(2), np.array([[0.0, 1.0], [2.0, 0.0]]), "symmetric J with a zero diagonal"),
        (np.zeros(2), np.array([[1.0, 1.0], [1.0, 0.0]]), "symmetric J with a zero diagonal"),
        (np.zeros(2), np.array([[0.0, np.inf], [np.inf, 0.0]]), "machine's J has 2 values"),
    ],
)
def test_check_general_says_what_is_wrong(a, J, said):
    with pytest.raises(ValueError, match=said):
        boltzmann.check_general(boltzmann.BoltzmannMachine(a, J))


def test_moments_of_one_row_are_the_row_and_of_none_are_refused(rbm):
    z = witness.states(LEFT + RIGHT)[37:38]
    found = boltzmann.moments(rbm, z)
    np.testing.assert_array_equal(found.z, z[0])
    np.testing.assert_array_equal(found.zz, np.outer(z[0, :LEFT], z[0, LEFT:]))
    with pytest.raises(ValueError, match=r"at least one row; got z of shape \(0, 7\)"):
        boltzmann.moments(rbm, z[:0])
