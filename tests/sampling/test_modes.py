"""The lower bound from modes: below log Z on every machine, near it where modes are simple; and its warnings."""

import warnings

import numpy as np
import pytest
from scipy import stats

from dvae_ref import exact
from dvae_ref.sampling import ais, modes, philox
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory.boltzmann import RBM
from validation import machines, oracles

KEY = philox.key(31)
# below log Z by at most so much, nats
NEAR = {
    "ferromagnet": 0.1,
    "asymmetric ferromagnet": 0.1,
    "first-order": 0.1,
    "golf hole": 0.02,
    "one large weight": 0.02,
}


@pytest.mark.parametrize("machine", machines.machines(), ids=lambda m: m.name)
def test_the_bound_is_below_and_near_where_modes_are_simple(machine):
    short = machine.log_z - modes.lower_bound(machine.rbm)
    assert -1e-9 <= short <= NEAR.get(machine.name, 10)


def random_machines(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        shape = rng.integers(1, 7, 2)
        yield oracles.random_rbm(rng, *shape, 4 * rng.random() ** 2, bias=rng.normal(0, 1))


def test_it_is_a_bound():
    """Of 300 machines from weak to strong couplings, whatever the starts."""
    for rbm in random_machines(1, 300):
        assert modes.lower_bound(rbm) <= oracles.log_z(rbm) + 1e-9
    rng = np.random.default_rng(2)
    for rbm in random_machines(3, 100):
        assert modes.lower_bound(rbm, rng.random((6, len(rbm.W)))) <= oracles.log_z(rbm) + 1e-9


def test_modes_found_twice_that_counted_twice_would_be_no_bound():
    """The control: without the overlaps, eleven starts in one mode are log 11 too much."""
    rbm = next(random_machines(1, 1))
    free = np.full(11, modes.lower_bound(rbm))
    assert np.log(np.exp(free).sum()) > oracles.log_z(rbm) + 1


def test_without_couplings_it_is_exact():
    rbm = RBM(np.linspace(-3, 40, 7), np.zeros((3, 4)))
    assert modes.lower_bound(rbm) == pytest.approx(np.logaddexp(0, rbm.a).sum(), rel=1e-12)


def test_two_modes_add_up():
    """Two pairs of units tied by 60: each pair is 00 or 11, all four alike to rounding; log 4."""
    rbm = RBM(np.full(4, -30.0), np.diag([60.0, 60.0]))
    assert modes.lower_bound(rbm, np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])) == pytest.approx(np.log(4), abs=1e-6)
    assert modes.lower_bound(rbm, np.ones((1, 2))) == pytest.approx(0, abs=1e-6)


def test_it_survives_frozen_units():
    rbm = RBM(np.array([-800.0, 700, 0]), np.array([[900.0, -300]]))
    assert modes.lower_bound(rbm) == pytest.approx(exact.log_z(rbm), abs=1e-9)


def test_a_mixture_of_modes_that_overlap_is_the_page_s_formula():
    """sum_k w_k (F_k - log sum_j w_j BC_kj), unit by unit; modes from apart to nearly the same."""
    rng = np.random.default_rng(7)
    for spread in (0.1, 1.0, 5.0):
        free, logits = rng.normal(0, 1, 4), rng.normal(0, spread, (4, 6))
        q, w = 1 / (1 + np.exp(-logits)), np.exp(free) / np.exp(free).sum()
        bc = [[np.prod(np.sqrt(a * b) + np.sqrt((1 - a) * (1 - b))) for b in q] for a in q]
        expected = sum(w[k] * (free[k] - np.log(w @ bc[k])) for k in range(4))
        assert modes._mixture(free, logits) == pytest.approx(expected, rel=1e-12)


def test_a_warning_is_worth_four_errors_and_a_thousandth():
    """Of a million chains, whose errors are normal; the bound of a machine without couplings is exact."""
    rbm, error = RBM(np.zeros(5), np.zeros((2, 3))), 0.1
    at = 5 * np.log(2) - 4 * error - 1e-3
    with pytest.warns(UserWarning, match="is too low: it is at least 3"):
        modes.warn_if_missed(at - 1e-4, error, 10**6, rbm)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modes.warn_if_missed(at + 1e-4, error, 10**6, rbm)


def test_few_chains_have_errors_of_student_s_law():
    """Of ten chains, 4 errors become as many as t with 9 degrees of freedom exceeds in 3.2e-5 of all cases, over 4."""
    rbm, error = RBM(np.zeros(5), np.zeros((2, 3))), 0.1
    wide = stats.t.isf(3.2e-5, 9) / stats.norm.isf(3.2e-5)
    at = 5 * np.log(2) - 4 * wide * error - 1e-3
    assert wide > 1.5
    with pytest.warns(UserWarning, match="is too low"):
        modes.warn_if_missed(at - 1e-6, error, 10, rbm)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modes.warn_if_missed(at + 1e-6, error, 10, rbm)


def test_mean_fields_start_from_all_alike_and_from_four_singular_vectors_both_ways():
    """Of a W that is diagonal the vectors are units, the largest first."""
    W = np.diag([9.0, 8, 7, 6, 5])[:, ::-1]
    found = modes._starts(W).astype(float)
    alike, up, down = found[:3], found[3:7], found[7:]
    np.testing.assert_array_equal(alike, np.array([[1.0], [0], [0.5]]) * np.ones(5))
    np.testing.assert_array_equal(up + down, np.ones((4, 5)))
    for k in range(4):  # whichever sign a vector has: the unit alone is up, or nothing
        assert up[k].tolist() in (np.eye(5)[k].tolist(), np.zeros(5).tolist())
    assert modes._starts(np.ones((2, 3))).shape == (7, 2)


def test_a_free_energy_is_that_of_independent_units():
    """F(m) = H(m) + a·m + m_left W m_right, of two left units and one right: sums as they stand."""
    m, a, W = np.array([0.2, 0.7, 0.4]), np.array([0.5, -1, 2]), np.array([[1.5], [-0.3]])
    entropy = -sum(p * np.log(p) + (1 - p) * np.log(1 - p) for p in m)
    expected = entropy + a @ m + 0.4 * (0.2 * 1.5 - 0.7 * 0.3)
    found = modes._free_energies(W, a[None], np.log(m / (1 - m))[None])
    assert found[0] == pytest.approx(expected, rel=1e-13)


ESTIMATES = {
    "AIS": lambda rbm, base: ais.log_z(KEY, rbm, 1000, 100, base),
    "population annealing": lambda rbm, base: pa.anneal(KEY, rbm, 100, base=base),
}
MISSED = ("ferromagnet", "asymmetric ferromagnet", "first-order", "golf hole", "one large weight")


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("name", MISSED)
def test_whoever_misses_a_mode_says_so(name, estimate):
    machine = machines.named(name)
    with pytest.warns(UserWarning, match="is too low: it is at least .* missed a mode"):
        found = ESTIMATES[estimate](machine.rbm, "bias")
    assert found.log_z < machine.log_z - 0.8


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("name", ["easy", "ferromagnet", "asymmetric ferromagnet", "one large weight"])
def test_whoever_misses_none_does_not(name, estimate):
    machine = machines.named(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ESTIMATES[estimate](machine.rbm, "uniform")
    assert abs(found.log_z - machine.log_z) < 4 * found.standard_error


def test_a_batch_names_the_worst():
    """The ferromagnet, twice, and the same W with biases that leave one mode, of which nothing is missed."""
    machine = machines.named("ferromagnet")
    a = np.stack([machine.rbm.a, machine.rbm.a - 4, machine.rbm.a])
    with pytest.warns(UserWarning, match=r"2 of 3 machines; this is the worst"):
        found = ais.log_z_batch(KEY, machine.rbm.W, a, 1000, 100)
    assert found.log_z[0] < machine.log_z - 0.8
    assert found.log_z[1] == pytest.approx(exact.log_z(machine.rbm._replace(a=a[1])), abs=0.01)


def test_silence_shows_nothing():
    """The glass has more modes than starts: an estimate 5 nats too low passes; on the ferromagnet, 0.2 do not."""
    glass, ferromagnet = machines.named("glass"), machines.named("ferromagnet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modes.warn_if_missed(glass.log_z - 5, 0.01, 100, glass.rbm)
        modes.warn_if_missed(ferromagnet.log_z - 0.2, 0.1, 100, ferromagnet.rbm)
    with pytest.warns(UserWarning, match="missed a mode"):
        modes.warn_if_missed(ferromagnet.log_z - 0.2, 0.01, 100, ferromagnet.rbm)


def test_two_chains_are_no_proof():
    """Student's t with one degree of freedom: what 100 chains would show, two do not."""
    rbm = machines.named("ferromagnet").rbm
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modes.warn_if_missed(1.0, 0.01, 2, rbm)
