"""log Z and moments by enumeration, against plain enumeration, 50 digits, closed forms, and other people's packages."""

import math
import re
import time

import dimod
import mpmath
import numba
import numpy as np
import oracle
import pytest
import witness
from scipy.special import logsumexp
from sklearn.neural_network import BernoulliRBM

from dvae_ref import boltzmann, exact
from dvae_ref.exact import bipartite, general, machines
from dvae_ref.theory.boltzmann import RBM, BoltzmannMachine
from dvae_ref.theory.elementary import softplus

SHAPES = [(4, 6), (6, 4), (1, 9), (9, 1), (1, 1), (5, 5)]


def rbm(n_left, n_right, scale=1.0, bias=-0.5, seed=0):
    """Skewed: biases around `bias`, couplings around 0.3."""
    rng = np.random.default_rng([seed, n_left, n_right])
    W = scale * (0.3 + rng.standard_normal((n_left, n_right)))
    return RBM(bias + scale * rng.standard_normal(n_left + n_right), W)


def general_machine(d, scale=1.0, bias=-0.5, seed=0):
    rng = np.random.default_rng([seed, d])
    upper = np.triu(scale * (0.2 + rng.standard_normal((d, d))), 1)
    return BoltzmannMachine(bias + scale * rng.standard_normal(d), upper + upper.T)


def plain(machine):
    """(log Z, E[z], E[z z']) of a general machine by NumPy."""
    z = witness.states(len(machine.a))
    e = z @ machine.a + 0.5 * np.sum((z @ machine.J) * z, 1)
    log_z = logsumexp(e)
    p = np.exp(e - log_z)
    return log_z, p @ z, (p[:, None] * z).T @ z


@pytest.fixture(params=["as shipped", "few low bits, short products"])
def splitting(request, monkeypatch):
    """Few units have no high bits and one product: the second splits them as if they were many."""
    if request.param != "as shipped":
        monkeypatch.setattr(bipartite, "LOW_BITS", 2)
        monkeypatch.setattr(bipartite, "MAX_LOG", 8.0)
        monkeypatch.setattr(general, "TABLE_BITS", 3)


# -- 50 digits -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("splitting")
@pytest.mark.parametrize(("scale", "bias"), [(0.1, -0.5), (1, 0.5), (6, -2), (1, -40), (60, 20)])
@pytest.mark.parametrize("shape", [(4, 6), (7, 3), None])
def test_log_z_to_1e_13_at_50_digits(shape, scale, bias):
    """The bound of the issue. (1, -40): log Z = 1e-16, which only log1p of the states other than 0 keeps."""
    machine = rbm(*shape, scale, bias) if shape else general_machine(10, scale, bias)
    as_general = boltzmann.as_general(machine) if shape else machine
    with mpmath.workdps(oracle.DIGITS):
        expected = oracle.log_z(*as_general)
        error = abs((exact.log_z(machine) - expected) / expected)
    assert error < 1e-13


def test_50_digits_notice_a_change_in_the_12th_digit_of_one_bias():
    machine = rbm(4, 6)
    with mpmath.workdps(oracle.DIGITS):
        expected = oracle.log_z(*boltzmann.as_general(machine))
        machine.a[0] += 1e-11
        assert abs((exact.log_z(machine) - expected) / expected) > 1e-13


@pytest.mark.usefixtures("splitting")
@pytest.mark.parametrize("machine", [rbm(4, 6), rbm(6, 4, 3), general_machine(10)], ids=["4x6", "6x4", "general"])
def test_moments_at_50_digits(machine):
    is_rbm = isinstance(machine, RBM)
    with mpmath.workdps(oracle.DIGITS):
        on, _, both = oracle.probabilities(*(boltzmann.as_general(machine) if is_rbm else machine))
    found = exact.moments(machine)
    n_left = machine.W.shape[0] if is_rbm else 0
    np.testing.assert_allclose(found.z, on, rtol=1e-13)
    np.testing.assert_allclose(found.zz, both[:n_left, n_left:] if is_rbm else both, rtol=1e-13)


# -- plain enumeration ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("splitting")
@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_rbm_agrees_with_plain_enumeration(shape, scale):
    """1e-13: a sum over 1,024 states whose exponents of size up to 100 carry 1e-14."""
    machine = rbm(*shape, scale)
    log_z, z, zz = plain(boltzmann.as_general(machine))
    found = exact.moments(machine)
    assert exact.log_z(machine) == pytest.approx(log_z, rel=1e-13)
    np.testing.assert_allclose(found.z, z, rtol=1e-12)
    np.testing.assert_allclose(found.zz, zz[: shape[0], shape[0] :], rtol=1e-12)


@pytest.mark.parametrize("wrong", ["sign of a", "sign of W", "sides of a swapped", "W transposed"])
def test_a_wrong_machine_is_noticed(wrong):
    right = rbm(5, 5)
    other = {
        "sign of a": RBM(-right.a, right.W),
        "sign of W": RBM(right.a, -right.W),
        "sides of a swapped": RBM(np.roll(right.a, 5), right.W),
        "W transposed": RBM(right.a, right.W.T.copy()),
    }[wrong]
    log_z, z, _ = plain(boltzmann.as_general(right))
    assert abs(exact.log_z(other) - log_z) > 1e-3
    assert np.max(np.abs(exact.moments(other).z - z)) > 1e-3


@pytest.mark.usefixtures("splitting")
@pytest.mark.parametrize("d", [1, 2, 3, 4, 9])
def test_general_machine_agrees_with_plain_enumeration(d):
    machine = general_machine(d)
    log_z, z, zz = plain(machine)
    found = exact.moments(machine)
    assert exact.log_z(machine) == pytest.approx(log_z, rel=1e-13)
    np.testing.assert_allclose(found.z, z, rtol=1e-12)
    np.testing.assert_allclose(found.zz, zz, rtol=1e-12)


@pytest.mark.parametrize("shape", [(9, 11), (11, 9), (10, 10)])
def test_the_two_enumerations_agree(shape):
    """Of the smaller side and of all units: 2^9 and 2^20 states, the same number. High bits in both."""
    machine = rbm(*shape, 0.6)
    as_general = boltzmann.as_general(machine)
    found, other = exact.moments(machine), exact.moments(as_general)
    assert exact.log_z(machine) == pytest.approx(exact.log_z(as_general), rel=1e-13)
    np.testing.assert_allclose(found.z, other.z, rtol=1e-12)
    np.testing.assert_allclose(found.zz, other.zz[: shape[0], shape[0] :], rtol=1e-12)


def test_the_order_of_the_sides_does_not_matter():
    machine = rbm(11, 30)
    mirrored = RBM(np.concatenate([machine.a_right, machine.a_left]), machine.W.T.copy())
    found, other = exact.moments(machine), exact.moments(mirrored)
    assert exact.log_z(machine) == exact.log_z(mirrored)
    np.testing.assert_array_equal(found.z, np.concatenate([other.z[30:], other.z[:30]]))
    np.testing.assert_array_equal(found.zz, other.zz.T)


def test_float32_parameters_are_read_as_they_are():
    machine = RBM(*(x.astype(np.float32) for x in rbm(4, 6)))
    assert exact.log_z(machine) == exact.log_z(RBM(*(x.astype(np.float64) for x in machine)))


# -- closed forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (12, 300)])
def test_without_weights_every_unit_is_a_coin(shape):
    d = sum(shape)
    machine = RBM(np.zeros(d), np.zeros(shape))
    assert exact.log_z(machine) == pytest.approx(d * math.log(2), rel=1e-15)
    found = exact.moments(machine)
    np.testing.assert_allclose(found.z, 0.5, rtol=1e-14)
    np.testing.assert_allclose(found.zz, 0.25, rtol=1e-14)


def test_24_general_units_without_weights():
    machine = BoltzmannMachine(np.zeros(24), np.zeros((24, 24)))
    assert exact.log_z(machine) == pytest.approx(24 * math.log(2), rel=1e-15)


def test_24_by_200_of_independent_clusters():
    """The full size, where Z is a product: right unit j is coupled to left unit j mod 24 alone.

    Z = prod_i [prod_j (1 + e^a_j) + e^a_i prod_j (1 + e^(a_j + W_ij))].
    """
    machine = rbm(24, 200)
    W = np.where(np.arange(200) % 24 == np.arange(24)[:, None], machine.W, 0)
    a_right = machine.a_right
    without = [softplus(a_right[i::24]).sum() for i in range(24)]
    with_i = [machine.a_left[i] + softplus(a_right[i::24] + W[i, i::24]).sum() for i in range(24)]
    expected = math.fsum(np.logaddexp(without, with_i))
    assert exact.log_z(RBM(machine.a, W)) == pytest.approx(expected, rel=1e-13)
    dropped = W.copy()
    dropped[23, 23] = 0  # control: one coupling of 4,800
    assert abs(exact.log_z(RBM(machine.a, dropped)) - expected) > 1e-6


@pytest.mark.parametrize("size", [100.0, 700.0, 1e5])
def test_huge_weights_do_not_overflow(size):
    """A ferromagnet: of W = size and biases that make all 0 and all 1 equally likely, Z is 2 to any precision."""
    W = np.full((3, 4), size)
    machine = RBM(-np.concatenate([W.sum(1), W.sum(0)]) / 2, W)
    for m in (machine, boltzmann.as_general(machine)):
        assert exact.log_z(m) == pytest.approx(math.log(2), rel=1e-12)
        np.testing.assert_allclose(exact.moments(m).z, 0.5, rtol=1e-12)
    up = RBM(np.full(7, size), W)  # only all 1 counts
    for m in (up, boltzmann.as_general(up)):
        assert exact.log_z(m) == pytest.approx(19 * size, rel=1e-15)
        assert np.all(exact.moments(m).zz == 1)


def test_skewed_huge_weights():
    machine = rbm(6, 8, scale=700)
    as_general = boltzmann.as_general(machine)
    assert exact.log_z(machine) == pytest.approx(plain(as_general)[0], rel=1e-13)
    assert exact.log_z(as_general) == pytest.approx(plain(as_general)[0], rel=1e-13)


# -- other people's packages ---------------------------------------------------------------------------------------


def test_energies_and_log_z_against_dimod():
    """dimod's binary quadratic models: E(z) = sum h_i z_i + sum_{i<j} J_ij z_i z_j, with the opposite signs."""
    machine = boltzmann.as_general(rbm(4, 7))
    couplings = {(i, j): -machine.J[i, j] for i in range(11) for j in range(i) if machine.J[i, j]}
    model = dimod.BinaryQuadraticModel(dict(enumerate(-machine.a)), couplings, 0.0, dimod.BINARY)
    samples = dimod.ExactSolver().sample(model)
    z = samples.record.sample[:, np.argsort(samples.variables)].astype(float)
    np.testing.assert_allclose(boltzmann.energy_general(machine, z), samples.record.energy, rtol=0, atol=1e-13)
    np.testing.assert_allclose(boltzmann.energy(rbm(4, 7), z), samples.record.energy, rtol=0, atol=1e-13)
    assert exact.log_z(rbm(4, 7)) == pytest.approx(logsumexp(-samples.record.energy), rel=1e-13)
    assert exact.log_z(machine) == pytest.approx(logsumexp(-samples.record.energy), rel=1e-13)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_log_z_and_conditionals_against_scikit_learn(shape):
    """BernoulliRBM's visible units are the left side: Z = sum_v exp(-F(v))."""
    machine, other = rbm(*shape), BernoulliRBM(n_components=shape[1])
    other.components_ = machine.W.T
    other.intercept_visible_, other.intercept_hidden_ = machine.a_left, machine.a_right
    v = witness.states(shape[0])
    assert exact.log_z(machine) == pytest.approx(logsumexp(-other._free_energy(v)), rel=1e-13)
    np.testing.assert_allclose(boltzmann.conditional_right(machine, v), other._mean_hiddens(v), rtol=1e-13)


# -- threads, limits, bad input ------------------------------------------------------------------------------------


def test_the_result_does_not_depend_on_the_number_of_threads():
    """Of several blocks each, byte for byte."""
    if numba.config.NUMBA_NUM_THREADS == 1:
        pytest.skip("one core: there is nothing to compare")
    subjects = [rbm(18, 25), general_machine(20)]

    def everything():
        return [np.asarray(x).tobytes() for m in subjects for x in (exact.log_z(m), *exact.moments(m))]

    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = everything()
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        assert everything() == alone
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize(
    "machine", [rbm(30, 60), rbm(60, 30), general_machine(34)], ids=["30x60", "60x30", "34 general"]
)
def test_larger_machines_are_refused_with_the_time_they_would_take(machine):
    units = 30 if isinstance(machine, RBM) else 34
    expected = rf"{units} units.* takes about [\d.e+]+ (seconds|minutes|hours|days).*without force=True"
    for function in (exact.log_z, exact.moments):
        with pytest.raises(ValueError, match=expected):
            function(machine)


def test_the_stated_time_is_right_and_force_ignores_the_limit(monkeypatch):
    """Within a factor of 10: other work may be running. Counting blocks for states, say, would miss by 2^16."""
    machine = rbm(22, 60)
    unlimited = exact.log_z(machine)
    start = time.perf_counter()
    exact.log_z(machine)
    taken = time.perf_counter() - start
    monkeypatch.setattr(machines, "MAX_STATES", 2**21)
    with pytest.raises(ValueError, match="about") as refusal:
        exact.log_z(machine)
    stated = float(re.search(r"about ([\d.e+-]+) seconds", str(refusal.value))[1])
    assert taken / 10 < stated < taken * 10
    assert exact.log_z(machine, force=True) == unlimited


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (RBM(np.zeros(5), np.zeros((3, 3))), r"a of shape \(D_left \+ D_right,\)"),
        (RBM(np.array([0, np.nan]), np.zeros((1, 1))), "a has 1 values that are not finite"),
        (BoltzmannMachine(np.zeros(3), np.zeros((3, 2))), r"J of \(D, D\)"),
        (BoltzmannMachine(np.zeros(2), np.array([[0.0, 1], [2, 0]])), "symmetric"),
        (BoltzmannMachine(np.zeros(2), np.eye(2)), "zero diagonal"),
        (BoltzmannMachine(np.zeros(2), np.array([[0, np.inf], [np.inf, 0]])), "J has 2 values that are not finite"),
        ((np.zeros(2), np.eye(2)), "expected an RBM or a BoltzmannMachine, got tuple"),
    ],
)
def test_bad_machines_are_refused(machine, message):
    for function in (exact.log_z, exact.moments):
        with pytest.raises(ValueError, match=message):
            function(machine)


@pytest.mark.parametrize(
    ("machine", "error", "message"),
    [
        (RBM(np.zeros(6), np.full((3, 3), 1e308)), ValueError, "beyond float64"),
        (BoltzmannMachine(np.full(4, 1e308), np.zeros((4, 4))), ValueError, "beyond float64"),
        (RBM(np.zeros(2200), np.zeros((1100, 1100))), ValueError, r"more than 2\^62 states"),
        (BoltzmannMachine(np.zeros(1100), np.zeros((1100, 1100))), ValueError, r"more than 2\^62 states"),
        (RBM(np.zeros(7), np.zeros((3, 3))), ValueError, r"W \(3, 3\) and a \(7,\)"),
        (RBM(np.zeros(4, complex), np.zeros((2, 2))), TypeError, "a must be an array of real numbers; got complex128"),
        (RBM([0.0] * 4, np.zeros((2, 2))), TypeError, "got list"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_enumerated_is_named(machine, error, message, force):
    """They were NaN, an OverflowError of int, an answer without the imaginary part."""
    for function in (exact.log_z, exact.moments):
        with pytest.raises(error, match=message):
            function(machine, force=force)


@pytest.mark.parametrize("listed_left", [True, False])
def test_products_of_many_small_factors_do_not_vanish(listed_left):
    """Two units that pull six others up and six down by 140, each the other way: in every state half of the factors are
    e^-140 of their best, e^-840 together, which float64 does not hold. By symmetry all means are 1/2."""
    pull = np.tile([140.0, -140.0], 6)
    W = np.stack([pull, -pull])
    rbm = RBM(np.zeros(14), W if listed_left else W.T.copy())
    assert exact.log_z(rbm) == pytest.approx(840 + np.log(2), rel=1e-14)
    found = exact.moments(rbm)
    np.testing.assert_allclose(found.z, 0.5, rtol=1e-12)
    means = found.zz if listed_left else found.zz.T
    np.testing.assert_allclose(means, np.stack([pull > 0, pull < 0]) / 2, atol=1e-12)
